"""results.json for programs, results.md for people."""
import json
import os
import platform
import statistics

import duckdb


def machine():
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory_kib = int(file.readline().split()[1])
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    return {"cores": os.cpu_count(), "memory_gib": round(memory_kib / 1048576), "system": system,
            "architecture": platform.machine(), "duckdb": duckdb.__version__}


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def in_unit(values, figure):
    """The median of seconds, or of what the figure counts."""
    if not values:
        return ""
    median = statistics.median(values)
    if not figure.unit.startswith("×"):
        return number(median)
    return f"{median * 1000:.3g} ms" if median < 1 else f"{median:.3g} s"


def table(figures):
    lines = ["| figure | result | quartiles | goal | | tarn | baseline | spread of baseline |",
             "|---|---|---|---|---|---|---|---|"]
    for f in figures:
        quartiles = f"{number(f.low)}–{number(f.high)}" if f.low != f.high else ""
        spread = f"{f.baseline_spread:.0%}" if f.baseline else ""
        lines.append(f"| {f.what} | {number(f.value)} {f.unit} | {quartiles} | {f.goal or ''} | {f.verdict} "
                     f"| {in_unit(f.product, f)} | {in_unit(f.baseline, f)} | {spread} |")
    return lines


def write(bench, failed):
    about = machine()
    with open(os.path.join(bench.out, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"date": bench.started, "machine": about, "rows": bench.rows, "pairs": bench.pairs,
                   "quick": bench.quick, "not_measured": failed, "figures": [f.as_json() for f in bench.figures]},
                  file, indent=1)
    with_goal = [f for f in bench.figures if f.goal]
    without = [f for f in bench.figures if not f.goal]
    lines = ["# Measurements", "",
             f"{bench.started}, {about['cores']} cores, {about['memory_gib']} GiB, {about['system']}, "
             f"{about['architecture']}; DuckDB {about['duckdb']}; {bench.rows} rows, {bench.pairs} pairs of runs.", ""]
    lines += table(with_goal) + [""]
    if without:
        lines += ["For information:", ""] + table(without) + [""]
    commands = dict.fromkeys(command for f in bench.figures for command in f.commands)
    if commands:
        lines += ["Baselines:", ""] + [f"    {command}" for command in commands] + [""]
    if failed:
        lines += [f"Not measured: {', '.join(failed)}.", ""]
    with open(os.path.join(bench.out, "results.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    missed = [f.name for f in with_goal if not f.goal.met(f.value)]
    print(f"{len(with_goal) - len(missed)} of {len(with_goal)} goals met"
          + (f"; missed: {', '.join(missed)}" if missed else "")
          + f"; {os.path.join(bench.out, 'results.md')}")

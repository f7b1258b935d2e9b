"""Commits to tables with 10, 1 000 and 10 000 snapshots, in one C program, and the last against the first."""
import statistics
import subprocess

from bench_measure import Goal, time_ratio
from bench_setup import program


def measure(bench):
    histories = (10, 100, 1_000) if bench.quick else (10, 1_000, 10_000)
    each = 5 if bench.quick else 20
    folder = bench.fresh_folder("snapshots")
    counts = [str(count) for count in histories]
    subprocess.run([program(bench, "snapshots"), "grow", folder, *counts], check=True)
    # One line for each round: seconds of each table, in turns. The first is not counted.
    done = subprocess.run([program(bench, "snapshots"), "commit", folder, str(each), str(bench.pairs + 1), *counts],
                          check=True, capture_output=True, text=True)
    rounds = [[float(word) for word in line.split()] for line in done.stdout.splitlines()][1:]
    shortest = [one[0] for one in rounds]
    for place, count in enumerate(histories[1:], 1):
        took = [one[place] for one in rounds]
        bench.add(time_ratio(f"snapshots.{count}", f"commit to a table with {count} snapshots by one with "
                             f"{histories[0]}", took, shortest, goal=Goal(at_most=3) if count == histories[-1] else None,
                             commands=["bench/snapshots.c: appends of one file, all tables with as many files"],
                             note=f"{statistics.median(took) / each * 1000:.2f} ms a commit, "
                                  f"{statistics.median(shortest) / each * 1000:.2f} ms"))

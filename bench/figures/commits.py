"""Appends one after another against the shortest durable chain of the same files, in one C program."""
import subprocess

from bench_measure import Goal, rate_ratio
from bench_setup import program


def measure(bench):
    rounds, each = (bench.pairs + 1, 10 if bench.quick else 40)
    folder = bench.fresh_folder("commits")
    # One line for each pair: seconds of the product and of the baseline.
    done = subprocess.run([program(bench, "commits"), folder, str(rounds), str(each)], check=True,
                          capture_output=True, text=True)
    pairs = [tuple(float(word) for word in line.split()) for line in done.stdout.splitlines()][1:]
    product, baseline = [p for p, _ in pairs], [b for _, b in pairs]
    bench.add(rate_ratio("commits", f"serial commits ({each} a run)", product, baseline, goal=Goal(at_least=0.8),
                         commands=["bench/commits.c: the commit's files made and synced in one parallel round with "
                                   "their folders, then one SQLite commit (WAL, FULL), chained"]))

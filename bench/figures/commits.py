"""Appends one after another against the shortest durable chain of the same files, in one C program."""
import subprocess

from bench_measure import Goal, rate_ratio
from bench_setup import program

CHAIN = ("bench/commits.c: the commit's files made and synced in one parallel round with their folders, then one SQLite"
         " commit (WAL, FULL), chained")
# What a sync takes on an ordinary SSD without protection against loss of power.
ORDINARY_SYNC_US = 2000


def run(bench, name, rounds, each, *options):
    """Seconds of the product and of the baseline, pair by pair; the first pair is not counted."""
    done = subprocess.run([program(bench, "commits"), bench.fresh_folder(name), str(rounds), str(each), *options],
                          check=True, capture_output=True, text=True)
    pairs = [tuple(float(word) for word in line.split()) for line in done.stdout.splitlines()][1:]
    return [p for p, _ in pairs], [b for _, b in pairs]


def measure(bench):
    rounds, each = (bench.pairs + 1, 10 if bench.quick else 40)
    bench.add(rate_ratio("commits", f"serial commits ({each} a run)", *run(bench, "commits", rounds, each),
                         goal=Goal(at_least=0.8), commands=[CHAIN]))
    # For information: the same where syncs are slower, which is most of the world.
    slow = run(bench, "commits-slow", rounds, each, str(ORDINARY_SYNC_US))
    bench.add(rate_ratio("commits_slow_sync", f"the same, every sync made to last {ORDINARY_SYNC_US / 1000:g} ms in both",
                         *slow, commands=[CHAIN, "bench/slow_sync.c: fsync and fdatasync of both, SQLite's too"]))

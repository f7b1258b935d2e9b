"""Loads of Parquet and CSV by `tarn load` into a running server against DuckDB's COPY with syncs."""
import os
import time

from bench_measure import Goal, rate_ratio, take_turns
from bench_setup import TRIP_COLUMNS, data_files, load

KINDS = {
    "parquet": ("Parquet load", "parquet", Goal(at_least=0.6), False),
    "csv_declared": ("CSV load, types declared", "csv", Goal(at_least=0.6), True),
    "csv_inferred": ("CSV load, types found out", "csv", Goal(at_least=0.45), False),
}
COPY = "COPY ({source}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


class Copy:
    """COPY to a new file each time, durable: the file's bytes and its name."""

    def __init__(self, bench, source):
        self.connection, self.source = bench.connect(), source
        self.folder, self.count, self.target = bench.fresh_folder("copy"), 0, None

    def __call__(self):
        if self.target:
            os.unlink(self.target)
        self.count += 1
        self.target = os.path.join(self.folder, f"{self.count}.parquet")
        self.connection.execute(COPY.format(source=self.source, target=self.target))
        sync(self.target)
        sync(self.folder)


def check_same_table(bench, server, table, copy):
    """Equal sums of all numbers and equal counts: by the files that both have written."""
    sums = ", ".join(f"count({name}), sum(hash({name}))" for name, _ in TRIP_COLUMNS)
    sql = f"SELECT count(*), {sums} FROM "
    files = ", ".join(f"'{path}'" for path in data_files(server.data))
    connection = bench.connect()
    # Types found out may be other ones than those declared: compared as declared.
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in TRIP_COLUMNS)
    ours = connection.execute(sql + f"(SELECT {casts} FROM read_parquet([{files}]))").fetchone()
    theirs = connection.execute(sql + f"read_parquet('{copy.target}')").fetchone()
    if ours != theirs:
        raise AssertionError(f"load into {table}: {ours}, the baseline has {theirs}")


def measure_one(bench, name):
    what, form, goal, declared = KINDS[name]
    path = bench.trips(bench.load_rows, form)
    source = f"SELECT * FROM read_parquet('{path}')" if form == "parquet" else bench.csv_sql(path)
    options = ["--columns", ",".join(f"{c}:{t}" for c, t in TRIP_COLUMNS)] if declared else []
    copy = Copy(bench, source)
    server = bench.server("load-" + name)
    load(server, "checked", path, *options)
    copy()
    check_same_table(bench, server, "checked", copy)
    server.query("DROP TABLE checked")
    tables = []

    def product():
        if tables:
            server.query("DROP TABLE " + tables.pop())
        tables.append(f"t{copy.count}")
        return seconds_of_load(server, tables[0], path, options)

    took, baseline = take_turns(product, copy, bench.pairs)
    command = "DuckDB, in process: " + COPY.format(
        source="SELECT * FROM read_parquet(…)" if form == "parquet" else "SELECT * FROM read_csv(…, columns = {…})",
        target="…") + "; fsync of file and folder"
    bench.add(rate_ratio("load." + name, f"{what} ({bench.load_rows} rows)", took, baseline, goal=goal,
                         commands=[command]))
    bench.stop("load-" + name)


def seconds_of_load(server, table, path, options):
    begun = time.perf_counter()
    load(server, table, path, *options)
    return time.perf_counter() - begun


def measure(bench):
    for name in KINDS:
        measure_one(bench, name)

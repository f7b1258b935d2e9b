"""Planning of 1 000, 10 000 and 100 000 files against DuckDB reading their footers, and against inflating the manifests."""
import os
import statistics
import subprocess

from bench_measure import Figure, Goal, take_turns, time_ratio
from bench_setup import program

SIZES = (1_000, 10_000, 100_000)
LINKS_EACH = 20_000  # file systems allow no more than some ten thousand names to a file
GOAL_AT = 10_000

COLUMNS = ", ".join([f"random() * 1000 AS c{number}" for number in range(2, 11)]
                    + [f"'text ' || (range * {number} % 977) AS c{number}" for number in range(11, 19)])
IDS = ", ".join(["id: 1", "day: 2"] + [f"c{number}: {number + 1}" for number in range(2, 19)])


def template(bench, folder):
    """A data file of a thousand rows and 19 columns."""
    path = os.path.join(folder, "template.parquet")
    connection = bench.connect()
    connection.execute(f"COPY (SELECT range AS id, CAST(3 AS INTEGER) AS day, {COLUMNS} FROM range(1000)) TO '{path}' "
                       f"(FORMAT parquet, COMPRESSION zstd, FIELD_IDS {{{IDS}}})")
    connection.close()
    return path


def link_files(bench, folder, like, count):
    """That many names, and a file for every some thousand of them."""
    os.makedirs(os.path.join(folder, "data"))
    with open(like, "rb") as file:
        content = file.read()
    paths = []
    for number in range(count):
        path = os.path.join(folder, "data", f"{number:06}.parquet")
        if number % LINKS_EACH == 0:
            first = path
            with open(path, "wb") as file:
                file.write(content)
        else:
            os.link(first, path)
        paths.append(path)
    return paths


class Table:
    def __init__(self, bench, root, like, files):
        self.program, self.files = program(bench, "planning"), files
        self.folder = os.path.join(root, str(files))
        os.makedirs(self.folder)
        self.paths = link_files(bench, self.folder, like, files)
        self.metadata = self.run("make", self.folder, str(files), like)[0]
        self.memory_kib = 0

    def run(self, *arguments):
        return subprocess.run([self.program, *arguments], check=True, capture_output=True, text=True).stdout.split()

    def plan(self, filter, expected):
        """Seconds from the location of the metadata to the list of files, in a process that has read nothing yet."""
        took, kept, _, memory_kib = self.run("plan", self.metadata, filter)
        if int(kept) != expected:
            raise AssertionError(f"{filter} of {self.files} files: {kept} are left, not {expected}")
        self.memory_kib = max(self.memory_kib, int(memory_kib))
        return float(took)

    def inflate(self):
        return float(self.run("decode", self.metadata)[0])


def against_footers(bench, table):
    connection = bench.connect()
    names = ", ".join(f"'{path}'" for path in table.paths)
    # No row group can hold such a row: what is read of each file is its footer.
    sql = f"SELECT count(*) FROM read_parquet([{names}]) WHERE id < -1"

    def footers():
        if connection.execute(sql).fetchone() != (0,):
            raise AssertionError("rows that cannot be there")

    pairs = bench.pairs if table.files < SIZES[-1] else min(bench.pairs, 3)
    product, baseline = take_turns(lambda: table.plan("some", table.files // 100), footers, pairs)
    connection.close()
    bench.add(time_ratio(f"planning.{table.files}", f"planning of {table.files} files, 1 % survive", product, baseline,
                         goal=Goal(at_most=0.5) if table.files == GOAL_AT else None,
                         commands=["DuckDB, in process: SELECT count(*) FROM read_parquet([the files]) WHERE id < -1"],
                         note=f"{statistics.median(product) * 1000:.1f} ms, DuckDB "
                              f"{statistics.median(baseline) * 1000:.1f} ms"))


def against_inflating(bench, table):
    product, baseline = take_turns(lambda: table.plan("all", table.files), table.inflate, bench.pairs)
    bench.add(time_ratio(f"planning.inflate.{table.files}", f"planning of {table.files} files, all survive, by reading "
                         "and inflating their manifests with one thread", product, baseline,
                         note=f"{statistics.median(product) * 1000:.1f} ms, "
                              f"{statistics.median(product) / table.files * 1e6:.2f} µs a file"))


def survivors(bench, tables):
    """A plan of which a thousand files survive, in the largest table by the middle one."""
    middle, large = tables[-2], tables[-1]
    product, baseline = take_turns(lambda: large.plan("day", 1000), lambda: middle.plan("day", 1000), bench.pairs)
    bench.add(time_ratio("planning.survive", f"planning where 1 000 files survive: of {large.files} by of "
                         f"{middle.files}", product, baseline, goal=Goal(at_most=3)))


def measure(bench):
    root = bench.fresh_folder("planning")
    like = template(bench, root)
    sizes = SIZES[:2] if bench.quick else SIZES
    tables = [Table(bench, root, like, files) for files in sizes]
    for table in tables:
        against_footers(bench, table)
        against_inflating(bench, table)
        limit_ms = statistics.median(table.plan("limit", 1) for _ in range(bench.pairs)) * 1000
        bench.add(Figure(f"planning.limit.{table.files}", f"planning of LIMIT 10, {table.files} files", limit_ms,
                         unit="ms"))
    if not bench.quick:
        survivors(bench, tables)
    bench.add(Figure("planning.memory", f"most memory of a process that plans {sizes[-1]} files",
                     tables[-1].memory_kib / 1024, unit="MiB"))

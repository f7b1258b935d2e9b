"""Many small writes, and short requests."""
import os
import statistics
import threading
import time

from bench_measure import Figure, Goal, quartiles, rate_ratio, take_turns
from bench_setup import data_files

CLIENTS = 8


def write_all(server, writes):
    """Seconds of each write, in the order of their ends."""
    took, failures, lock = [], [], threading.Lock()

    def one(number):
        try:
            with server.client() as client:
                for n in range(number, writes, CLIENTS):
                    begun = time.perf_counter()
                    client.ingest("t", [{"n": n, "who": f"client {number}", "x": n / 3}])
                    with lock:
                        took.append(time.perf_counter() - begun)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return took


def metadata_bytes(data):
    """Bytes of all objects that are no data files."""
    total = 0
    for folder, _, names in os.walk(os.path.join(data, "blobs")):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                if file.read(4) != b"PAR1" and name != "ID":
                    total += os.path.getsize(path)
    return total


def measure_writes(bench):
    writes = 200 if bench.quick else 1000
    server = bench.server("small")
    server.query("CREATE TABLE t (n BIGINT, who VARCHAR, x DOUBLE)")
    begun = time.perf_counter()
    took = write_all(server, writes)
    total = time.perf_counter() - begun
    if [int(v) for v in server.rows("SELECT count(*), count(DISTINCT n) FROM t")[0]] != [writes, writes]:
        raise AssertionError("rows are lost or doubled")
    time.sleep(1)  # what commits made obsolete goes
    size = metadata_bytes(server.data)
    # Means, as a commit is shared by those who wait for it.
    bench.add(Figure("small.metadata", f"metadata after {writes} one-row ingests from {CLIENTS} clients",
                     size / 1e6, unit="MB", goal=Goal(at_most=5)))
    bench.add(Figure("small.slowdown", "last hundred of them by first hundred",
                     statistics.mean(took[-100:]) / statistics.mean(took[:100]), unit="× time", goal=Goal(at_most=1.5)))
    bench.add(Figure("small.rate", "one-row ingests", writes / total, unit="/s"))
    bench.stop("small")


def measure_queries(bench):
    """Short queries: against the same statements in process, each prepared anew."""
    server, files = bench.scanned()
    connection = bench.connect()
    server.query("CREATE TABLE points AS SELECT range AS id, range * 2 AS v FROM range(100000)")
    connection.execute("CREATE VIEW points AS SELECT * FROM read_parquet('%s')" % point_file(server, files))
    each = 50 if bench.quick else 200
    for name, what, sql in (("short.one", "SELECT 1", "SELECT 1"),
                            ("short.point", "point query", "SELECT v FROM points WHERE id = 4711")):
        with server.client() as client:
            def product(sql=sql):
                for _ in range(each):
                    client.query(sql)

            def baseline(sql=sql):
                for _ in range(each):
                    connection.execute(sql).fetchall()

            took, base = take_turns(product, baseline, min(bench.pairs, 5))
        bench.add(rate_ratio(name, f"{what}, one client over HTTP against in process", took, base))
        low, middle, high = quartiles([t / each * 1000 for t in took])
        bench.add(Figure(name + ".latency", f"{what}, latency of one client", middle, low, high, "ms"))
    connection.close()


def point_file(server, known):
    return next(path for path in data_files(server.data) if path not in known)


def measure_gets(bench):
    server, _ = bench.scanned()
    each = 500 if bench.quick else 3000
    with server.client() as client:
        begun = time.perf_counter()
        for _ in range(each):
            client.request("GET", "/livez")
        live = each / (time.perf_counter() - begun)
        begun = time.perf_counter()
        for _ in range(each):
            client.request("GET", "/api/v1/namespaces/main/tables/trips").ok()
        table = each / (time.perf_counter() - begun)
    bench.add(Figure("get.live", "GET /livez, one Python client", live, unit="/s"))
    bench.add(Figure("get.table", "GET of a table, one Python client", table, unit="/s"))


def measure_generate(bench):
    rows = min(bench.load_rows, 1_000_000)
    begun = time.perf_counter()
    bench.tarn("generate", "trips", "--rows", str(rows), "--format", "csv", "--out", "/dev/null")
    bench.add(Figure("generate", "tarn generate trips as CSV", rows / (time.perf_counter() - begun), unit="rows/s"))


def measure(bench):
    measure_writes(bench)
    measure_queries(bench)
    measure_gets(bench)
    measure_generate(bench)

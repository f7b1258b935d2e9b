"""Short queries a second over HTTP, against the same statements in process."""
import json
import math
import statistics
import subprocess
import threading
import time

from bench_measure import Figure, Goal, quartiles, rate_ratio, take_turns
from bench_setup import data_files, program

CLIENTS = 4
GOAL = Goal(at_least=0.5)

TABLES = {
    "points": "SELECT range AS id, range * 2 AS v FROM range(100000)",
    "small": "SELECT range AS id, range % 10 AS kind, 'name ' || range AS name FROM range(1000)",
    "kinds": "SELECT range AS kind, 'kind ' || range AS title FROM range(10)",
}
PREPARED = "PREPARE one AS SELECT v FROM points WHERE id = $1"
STATEMENTS = {
    "one": "SELECT 1",
    "constant": "SELECT 1 + 2 AS sum, upper('abc') AS text, year(DATE '2026-12-31' + INTERVAL 1 MONTH) AS year",
    "point": "SELECT v FROM points WHERE id = 4711",
    "count": "SELECT count(*) FROM small",
    "group": "SELECT kind, count(*), min(name) FROM small GROUP BY kind ORDER BY kind",
    "execute": "EXECUTE one(4711)",
    "join": "SELECT k.title, count(*) FROM small s JOIN kinds k ON s.kind = k.kind GROUP BY ALL ORDER BY ALL",
    "limit": "SELECT * FROM points LIMIT 10",
}


def make_tables(bench, server, connection):
    """The same files on both sides: the baseline's views read those of the server."""
    for name, sql in TABLES.items():
        known = set(data_files(server.data))
        server.query(f"CREATE TABLE {name} AS {sql}")
        file, = set(data_files(server.data)) - known
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{file}')")


class Product:
    """bench/requests, so many clients with a connection and, for EXECUTE, a session each."""

    def __init__(self, bench, server, clients):
        self.program, self.server, self.clients = program(bench, "requests"), server, clients
        self.sessions = [server.request("POST", "/api/v1/sessions", {}).ok().json["session"] for _ in range(clients)]
        for session in self.sessions:
            server.query(PREPARED, session=session)
        self.latencies = []

    def run(self, sql, each):
        bodies = [json.dumps({"sql": sql, "session": session} if sql.startswith("EXECUTE") else {"sql": sql})
                  for session in self.sessions]
        done = subprocess.run([self.program, self.server.address.rpartition(":")[2], self.server.key, str(each), *bodies],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{sql}: {done.stderr.strip()}")
        seconds, micros, *answers = done.stdout.splitlines()
        self.latencies.append([float(value) for value in micros.split()])
        for answer in answers:
            self.rows = json.loads(answer)["rows"]
        return float(seconds)


class Baseline:
    """So many threads with a connection each to one database of this process."""

    def __init__(self, connection, clients):
        self.cursors = [connection.cursor() for _ in range(clients)]
        for cursor in self.cursors:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.execute(PREPARED)

    def run(self, sql, each):
        def work(cursor):
            for _ in range(each):
                cursor.execute(sql).fetchall()

        self.rows = [[str(value) for value in row] for row in self.cursors[0].execute(sql).fetchall()]
        threads = [threading.Thread(target=work, args=(cursor,)) for cursor in self.cursors]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun


def measure_family(bench, server, connection, clients):
    each = max(20, (100 if bench.quick else 400) // clients)
    ratios, latencies = [], []
    who = "one client" if clients == 1 else f"{clients} clients"
    product, baseline = Product(bench, server, clients), Baseline(connection, clients)
    for name, sql in STATEMENTS.items():
        product.latencies = []
        took, base = take_turns(lambda sql=sql: product.run(sql, each), lambda sql=sql: baseline.run(sql, each), min(bench.pairs, 5))
        if sorted([str(value) for value in row] for row in product.rows) != sorted(baseline.rows):
            raise AssertionError(f"{sql}: {product.rows[:3]} is not {baseline.rows[:3]}")
        bench.add(rate_ratio(f"short.{name}.{clients}", f"{sql}: {who}", took, base, commands=[
            f"in process: {statistics.median(base) / each / clients * 1e6:.0f} µs each of {clients}; "
            f"over HTTP: {statistics.median(took) / each / clients * 1e6:.0f} µs"]))
        ratios.append([b / p for p, b in zip(took, base)])
        latencies.append(statistics.median(one[1] for one in product.latencies[1:]))
    low, middle, high = quartiles([math.exp(statistics.fmean(math.log(ratio) for ratio in pair)) for pair in zip(*ratios)])
    bench.add(Figure("short.rate" if clients == 1 else f"short.rate.{clients}",
                     f"short queries over HTTP against in process, geometric mean of {len(STATEMENTS)}, {who}",
                     middle, low, high, "× throughput", goal=GOAL))
    bench.add(Figure(f"short.latency.{clients}", f"latency of a short query, median of the {len(STATEMENTS)}, {who}",
                     statistics.median(latencies) / 1000, unit="ms"))


def measure(bench):
    server, connection = bench.server("short"), bench.connect()
    make_tables(bench, server, connection)
    for clients in (1, CLIENTS):
        measure_family(bench, server, connection, clients)
    connection.close()
    bench.stop("short")

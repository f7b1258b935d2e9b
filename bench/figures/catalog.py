"""The REST catalog: loads against nginx with the same bytes, commits against the shortest durable chain, 100 000 tables."""
import http.client
import json
import os
import sqlite3
import subprocess
import time

from bench_measure import Figure, Goal, quartiles, rate_ratio, take_turns
from bench_setup import program
from figures.s3 import Nginx

ROOT = "/iceberg/v1/tarn/namespaces"
COLUMNS = 20
NUMBER = "@" * 10  # bench/transfers.c writes the request's number there


def schema():
    kinds = ("long", "string", "double", "timestamptz")
    return {"type": "struct", "schema-id": 0,
            "fields": [{"id": n + 1, "name": f"column_{n}", "type": kinds[n % len(kinds)], "required": False}
                       for n in range(COLUMNS)]}


class Catalog:
    """The catalog of a server of its own."""

    def __init__(self, bench):
        self.bench, self.server = bench, bench.server("catalog")
        self.folder = bench.fresh_folder("catalog")
        self.transfers = program(bench, "transfers")

    @property
    def port(self):
        return int(self.server.address.rpartition(":")[2])

    @property
    def header(self):
        return f"Authorization: Bearer {self.server.key}"

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Authorization": f"Bearer {self.server.key}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text

    def make(self, name, snapshots=0):
        """A table with that many snapshots, as commits of other engines leave them."""
        text = self.request("POST", f"{ROOT}/main/tables", {"name": name, "schema": schema()})
        location = json.loads(text)["metadata"]["location"]
        for first in range(0, snapshots, 500):
            updates = []
            for n in range(first, min(first + 500, snapshots)):
                added = {"snapshot-id": n + 1, "sequence-number": n + 1, "timestamp-ms": int(time.time() * 1000) + n,
                         "manifest-list": f"{location}/metadata/snap-{n + 1}.avro", "schema-id": 0,
                         "summary": {"operation": "append", "added-records": "1000", "total-records": str(1000 * (n + 1))}}
                if n > 0:
                    added["parent-snapshot-id"] = n
                updates.append({"action": "add-snapshot", "snapshot": added})
                updates.append({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": n + 1})
            self.request("POST", f"{ROOT}/main/tables/{name}", {"requirements": [], "updates": updates})
        return f"{ROOT}/main/tables/{name}"

    def run(self, port, method, clients, requests, targets, body=None, rate=None):
        """Seconds, bytes, and with a rate median and 99th percentile in microseconds."""
        path = os.path.join(self.folder, "targets")
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(target + "\n" for target in targets))
        command = [self.transfers, str(port), method, str(clients), str(requests), path]
        if body is not None:
            with open(os.path.join(self.folder, "body"), "w", encoding="ascii") as file:
                file.write(json.dumps(body))
            command.append(os.path.join(self.folder, "body"))
        env = {**os.environ, "TRANSFERS_HEADER": self.header, **({"TRANSFERS_RATE": str(rate)} if rate else {})}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return [float(word) for word in done.stdout.split()]


def cpu_us(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def measure_loads(bench, catalog, nginx):
    for snapshots, requests in ((10, 20000), (1000, 3000), (10000, 300)):
        requests = requests // 5 if bench.quick else requests
        target = catalog.make(f"load_{snapshots}", snapshots)
        text = catalog.request("GET", target)
        if len(json.loads(text)["metadata"]["snapshots"]) != snapshots:
            raise AssertionError("a load of other snapshots")
        with open(os.path.join(nginx.files, f"load_{snapshots}"), "wb") as file:
            file.write(text)
        used = []

        def load(target=target, requests=requests, used=used):
            before = cpu_us(catalog.server.pid)
            took, _ = catalog.run(catalog.port, "GET", 16, requests, [target])
            used.append((cpu_us(catalog.server.pid) - before) / requests)
            return took

        took, base = take_turns(load, lambda: catalog.run(nginx.port, "GET", 16, requests, [f"/load_{snapshots}"])[0],
                                bench.pairs)
        bench.add(rate_ratio(f"catalog.load.{snapshots}", f"loadTable, {snapshots:,} snapshots ({len(text):,} bytes), 16 clients, "
                             "against nginx with the same bytes", took, base, goal=Goal(at_least=0.7),
                             commands=[f"{requests / quartiles(took)[1]:.0f}/s; nginx {requests / quartiles(base)[1]:.0f}/s"]))
        if snapshots == 10:
            low, middle, high = quartiles(used[1:])
            bench.add(Figure("catalog.load.cpu", "processor time of one of them", middle, low, high, "µs",
                             goal=Goal(at_most=40)))
    measure_tail(bench, catalog, nginx)


def measure_tail(bench, catalog, nginx):
    rate, seconds = 2000, 1 if bench.quick else 2
    tails = []
    for _ in range(bench.pairs):
        ours = catalog.run(catalog.port, "GET", 8, rate * seconds, [f"{ROOT}/main/tables/load_10"], rate=rate)
        theirs = catalog.run(nginx.port, "GET", 8, rate * seconds, ["/load_10"], rate=rate)
        tails.append((ours[3] / theirs[3], ours[3], theirs[3]))
    low, middle, high = quartiles([tail[0] for tail in tails])
    bench.add(Figure("catalog.load.p99", f"99th percentile at {rate} loads a second, against nginx's", middle, low, high,
                     "× time", goal=Goal(at_most=3), commands=[f"{quartiles([t[1] for t in tails])[1]:.0f} µs; "
                                                              f"nginx {quartiles([t[2] for t in tails])[1]:.0f} µs"]))


def commit_body():
    return {"requirements": [], "updates": [{"action": "set-properties", "updates": {"number": NUMBER}}]}


def limit(bench, name, *arguments):
    done = subprocess.run([program(bench, name), bench.fresh_folder("durable"), *map(str, arguments)],
                          check=True, capture_output=True, text=True)
    return float(done.stdout)


def measure_commits(bench, catalog):
    each = 50 if bench.quick else 200
    target = catalog.make("serial")
    took, base = take_turns(lambda: catalog.run(catalog.port, "POST", 1, each, [target], commit_body())[0],
                            lambda: limit(bench, "commits", "chain", each, 1500), bench.pairs)
    bench.add(rate_ratio("catalog.commits.1", "serial commits over REST, against the shortest durable chain of one file", took,
                         base, goal=Goal(at_least=0.8), commands=[f"{each / quartiles(took)[1]:.0f}/s"]))
    targets = [catalog.make(f"many_{number}") for number in range(32)]
    each = 1000 if bench.quick else 4000
    took, base = take_turns(lambda: catalog.run(catalog.port, "POST", 32, each, targets, commit_body())[0],
                            lambda: limit(bench, "durable", 32, each, 4096, "append"), bench.pairs)
    bench.add(rate_ratio("catalog.commits.32", "32 committers on 32 tables, against 32 threads that append 4 KiB and fdatasync",
                         took, base, goal=Goal(at_least=0.2), commands=[f"{each / quartiles(took)[1]:.0f}/s"]))


def fill(server, tables):
    """So many rows of tables that nobody loads, straight into the database of a stopped server."""
    server.stop()
    database = sqlite3.connect(os.path.join(server.data, "tarn.db"))
    columns = [row[1] for row in database.execute("PRAGMA table_info(tables)")]
    made = {"table_key": "printf('f%07d', n)", "name": "printf('f%07d', n)", "uuid": "printf('%s-%07d', uuid, n)",
            "location": "printf('%s-%07d', location, n)"}
    database.execute("DELETE FROM tables WHERE uuid LIKE '%-%-%-%-%-%'")
    database.execute(f"WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {tables - 1}) "
                     f"INSERT INTO tables ({', '.join(columns)}) SELECT {', '.join(made.get(c, c) for c in columns)} "
                     "FROM tables, c WHERE table_key = 'model'")
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    server.start()


def measure_size(bench, catalog):
    """Pages, loads and creates in a catalog of 1 000 and of 100 000 tables."""
    catalog.make("model")
    catalog.run(catalog.port, "POST", 8, 500, [f"{ROOT}/main/tables"], {"name": f"t{NUMBER}", "schema": schema()})
    named = json.loads(catalog.request("GET", f"{ROOT}/main/tables"))["identifiers"]
    spread = [f"{ROOT}/main/tables/{one['name']}" for one in named if one["name"].startswith("t")]
    first = {}
    for tables in (1_000, 10_000 if bench.quick else 100_000):
        fill(catalog.server, tables)
        serial = [0]

        def create(tables=tables, serial=serial):
            serial[0] += 1
            body = {"name": f"new_{tables}_{serial[0]}_{NUMBER}", "schema": schema()}
            return catalog.run(catalog.port, "POST", 1, 100, [f"{ROOT}/main/tables"], body)[0] / 100

        ways = {"list": lambda: catalog.run(catalog.port, "GET", 1, 50, [f"{ROOT}/main/tables?pageSize=1000&pageToken="])[0] / 50,
                "first load": lambda: catalog.run(catalog.port, "GET", 1, len(spread), spread)[0] / len(spread),
                "load": lambda: catalog.run(catalog.port, "GET", 1, len(spread), spread)[0] / len(spread),
                "create": create}
        for name, run in ways.items():
            took = [run() * 1000 for _ in range(1 if name == "first load" else 5)]
            low, middle, high = quartiles(took)
            bench.add(Figure(f"catalog.{name.replace(' ', '_')}.{tables}", f"{name} in a catalog of {tables:,} tables", middle, low,
                             high, "ms"))
            base = first.setdefault(name, middle)
            if tables > 1_000:
                bench.add(Figure(f"catalog.{name.replace(' ', '_')}.growth", f"that, against 1,000 tables ({name})", middle / base,
                                 unit="× time", goal=Goal(at_most=1.5)))


PARTS = {"load": measure_loads, "commits": measure_commits, "size": measure_size}


def measure(bench, part=None):
    catalog, nginx = Catalog(bench), Nginx(bench)
    try:
        time.sleep(0.5)
        for name, run in PARTS.items():
            if part in (None, name):
                run(*((bench, catalog, nginx) if name == "load" else (bench, catalog)))
    finally:
        nginx.close()
    bench.stop("catalog")

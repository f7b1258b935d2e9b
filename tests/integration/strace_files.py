#!/usr/bin/env python3
"""Which files a query opens, seen from the system calls of its worker: the surviving Parquet files and no other.
And what a server maps: never DuckDB, which is the workers' alone."""
# timeout: 60
# without: sanitizers
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import syscalls  # noqa: E402
from tarn import Server, check, equal, main, test  # noqa: E402

CALLS = ("open", "openat", "execve", "link", "linkat")


def opened_in(trace, begun, ended, below):
    """Paths below a folder opened between two moments, by whatever process."""
    paths = set()
    for call in syscalls.read(trace):
        if call.name in ("open", "openat") and call.result is not None and call.result >= 0 \
                and begun <= call.begin <= ended and call.texts:
            path = os.path.normpath(call.texts[0])
            if path.startswith(below):
                paths.add(path)
    return paths


QUERIES = [
    # what, which parts survive, by partition or by bounds
    ("SELECT count(*), sum(n) FROM p WHERE part = 3", {3}),
    ("SELECT count(*) FROM p WHERE part IN (2, 5) AND n >= 0", {2, 5}),
    ("SELECT max(s) FROM p WHERE n BETWEEN 700 AND 799", {7}),
    ("SELECT * FROM p WHERE n > 850 AND s IS NOT NULL ORDER BY n LIMIT 3", {8, 9}),
    ("SELECT count(*) FROM p a JOIN p b ON a.n = b.n WHERE a.part = 1 AND b.part = 1", {1}),
    ("SELECT sum(n) FROM p WHERE part = 77", set()),
    ("SELECT sum(n) FROM p", set(range(10))),
]


def fill(server, table, more=""):
    server.query(f"CREATE TABLE {table} (part INTEGER, n BIGINT, s VARCHAR) PARTITIONED BY (part) {more}")
    server.query(f"INSERT INTO {table} SELECT range // 100, range, 'v' || range FROM range(1000)")


@test
def a_query_opens_only_files_that_can_match():
    with Server(start=False) as server:
        folder = os.path.join(server.work, "lake")
        os.mkdir(folder)
        trace = os.path.join(server.work, "trace")
        server.settings = {"warehouse.roots": folder, "warehouse.location": "file://" + folder}
        server.wrap = syscalls.command(trace, CALLS, 400)
        server.start()
        fill(server, "p")
        files = server.request("GET", "/api/v1/namespaces/main/tables/p/files").ok().json["files"]
        equal(len(files), 10)
        spans = []
        for sql, parts in QUERIES:
            begun = time.time()
            stats = server.query(sql)["stats"]
            spans.append((begun, time.time()))
            expected = 2 * len(parts) if " JOIN " in sql else len(parts)
            check(stats["files_read"] in (len(parts), expected), f"{sql}: {stats}")
        equal(server.stop(), 0)
        by_part = {f["partition"]["part"]: os.path.normpath(urllib.parse.unquote(f["path"].removeprefix("file://")))
                   for f in files}
        data_files = set(by_part.values())
        for (sql, parts), (begun, ended) in zip(QUERIES, spans):
            opened = opened_in(trace, begun, ended, folder) & data_files
            equal(sorted(opened), sorted(by_part[part] for part in parts), sql)


@test
def a_query_of_the_built_in_store_opens_only_its_links():
    with Server(start=False) as server:
        trace = os.path.join(server.work, "trace")
        server.wrap = syscalls.command(trace, CALLS, 400)
        server.start()
        fill(server, "p")
        server.query("CREATE TABLE q AS SELECT 1 AS a")
        spans = []
        for sql, _ in QUERIES:
            begun = time.time()
            server.query(sql)
            spans.append((begun, time.time()))
        workers = server.workers()
        equal(server.stop(), 0)
        blobs, folders = os.path.join(server.data, "blobs"), os.path.join(server.data, "run/workers")
        calls = syscalls.read(trace)
        # A worker's files are links to blobs: name in the worker's folder -> blob.
        links = [(c.end, os.path.normpath(c.texts[1]), c.texts[0]) for c in calls
                 if c.name == "link" and c.result == 0 and c.texts[0].startswith(blobs)]
        check(links, "the trace has no link to a blob")
        for (sql, parts), (begun, ended) in zip(QUERIES, spans):
            sources = {name: blob for when, name, blob in links if when <= ended}
            opened = {sources[p] for p in opened_in(trace, begun, ended, folders) if p in sources}
            equal(len(opened), len(parts), f"{sql}: blobs opened {sorted(opened)}")
        # Workers never open a blob by its own path.
        for call in calls:
            if call.name in ("open", "openat") and call.thread in workers and call.texts:
                check(not call.texts[0].startswith(blobs), f"a worker opened {call.texts[0]}")


@test
def a_server_never_maps_duckdb():
    with Server() as server:
        server.query("CREATE TABLE t AS SELECT range AS n FROM range(1000)")
        server.ingest("t", [{"n": 5}])
        equal(int(server.value("SELECT count(*) FROM t")), 1001)
        with open(f"/proc/{server.pid}/maps", encoding="utf-8") as file:
            check("libduckdb" not in file.read(), "tarn serve maps libduckdb")
        found = 0
        for worker in server.workers():
            with open(f"/proc/{worker}/maps", encoding="utf-8") as file:
                found += "libduckdb" in file.read()
        check(found > 0, "no worker maps libduckdb: the test looks at the wrong processes")


main()

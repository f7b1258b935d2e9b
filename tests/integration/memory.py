#!/usr/bin/env python3
"""Memory stays bounded: ten million rows stream through a server that hardly grows and begin before the last of
them exists; a load far larger than the workers' budget stays within it.

TARN_LONG=1 loads 5 GB instead of 300 MB."""
# timeout: 120
# labels: slow
# without: sanitizers
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import LONG, Server, TarnError, check, equal, eventually, main, memory_kib, test  # noqa: E402

MIB = 1 << 20
ROWS = 10_000_000


class Watch:
    """The highest resident memory of processes while it runs; `pids` is asked each time."""

    def __init__(self, pids):
        self.pids, self.peak_kib, self.ended = pids, 0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.ended.wait(0.02):
            for pid in self.pids():
                try:
                    self.peak_kib = max(self.peak_kib, memory_kib(pid))
                except OSError:
                    pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def stream(server, sql, form):
    """Reads a first piece, lets the server wait, then reads the rest. Bytes of newline, bytes in all, seconds to the
    first byte, seconds in all, growth in KiB."""
    server.query("SELECT 1")
    before = memory_kib(server.pid)
    with Watch(lambda: [server.pid]) as watch, server.client() as client:
        begun = time.monotonic()
        response = client.send("POST", "/api/v1/query", {"sql": sql, "format": form})
        equal(response.status, 200)
        first = response.read(10_000)
        first_s = time.monotonic() - begun
        # Nobody reads now: were the result made whole first, it would pile up somewhere.
        time.sleep(0.7)
        running = [q for q in server.request("GET", "/api/v1/queries").ok().json["queries"] if q["sql"] == sql]
        equal(running[0]["state"], "running", "the query's state after its first bytes")
        lines, total = first.count(b"\n"), len(first)
        while piece := response.read(1 << 20):
            lines, total = lines + piece.count(b"\n"), total + len(piece)
        all_s = time.monotonic() - begun
    return lines, total, first_s, all_s, watch.peak_kib - before


@test
def ten_million_rows_stream():
    with Server() as server:
        sql = f"SELECT range AS n, range * 2 AS m, 'row ' || range AS s FROM range({ROWS})"
        for form in ("csv", "arrow"):
            lines, total, first_s, all_s, growth = stream(server, sql, form)
            print(f"{form}: {total >> 20} MiB, first byte after {first_s * 1000:.0f} ms of {all_s:.1f} s,"
                  f" the server grew by {growth / 1024:.1f} MiB")
            if form == "csv":
                equal(lines, ROWS + 1)
            else:
                check(total > ROWS * 16, f"{total} bytes")
            check(growth < 64 * 1024, f"{form}: the server grew by {growth >> 10} MiB")


@test
def rows_of_a_table_stream_as_json():
    with Server() as server:
        server.query("CREATE TABLE t AS SELECT range AS n FROM range(3000000)")
        lines, _, _, _, growth = stream(server, "SELECT n, n % 7 AS m FROM t", "jsonl")
        equal(lines, 3_000_000)
        check(growth < 64 * 1024, f"the server grew by {growth >> 10} MiB")


def csv_rows(megabytes):
    """Pieces of CSV of about a MiB each; every piece has other values."""
    pad = "".join(chr(97 + i % 26) for i in range(60))
    number = 0
    for piece in range(megabytes):
        lines = []
        for _ in range(9000):
            lines.append(f"{number},{number * 7919 % 1000003},{number % 365}.5,{pad}{number % 97},2024-01-{1 + number % 28:02d}")
            number += 1
        yield ("\n".join(lines) + "\n").encode()
    csv_rows.count = number


@test
def a_large_load_stays_within_the_budget():
    megabytes = 5000 if LONG else 300
    budget = 384 * MIB
    settings = {"engine.memory": "384MiB", "engine.workers": "2"}
    with Server(settings=settings) as server:
        before = memory_kib(server.pid)

        def body():
            yield b"id,hash,ratio,text,day\n"
            yield from csv_rows(megabytes)

        with server.client(timeout=3600) as client, Watch(lambda: [server.pid]) as own, Watch(server.workers) as theirs:
            load = client.request("POST", "/api/v1/loads", {}).ok().json["id"]
            begun = time.monotonic()
            client.request("PUT", f"/api/v1/loads/{load}/files/0?name=big.csv", body()).ok()
            sent_s = time.monotonic() - begun
            got = client.request("POST", f"/api/v1/loads/{load}/commit", {"table": "big", "partition_by": ""}).ok().json
            loaded_s = time.monotonic() - begun - sent_s
        equal(got["rows_written"], csv_rows.count)
        rows = server.rows("SELECT count(*), sum(id), count(DISTINCT day) FROM big")[0]
        equal([int(n) for n in rows], [csv_rows.count, csv_rows.count * (csv_rows.count - 1) // 2, 28])
        print(f"{megabytes} pieces, {csv_rows.count} rows: sent in {sent_s:.1f} s, loaded in {loaded_s:.1f} s;"
              f" server +{(own.peak_kib - before) / 1024:.0f} MiB, largest worker {theirs.peak_kib / 1024:.0f} MiB")
        check(own.peak_kib - before < 64 * 1024, f"the server grew by {(own.peak_kib - before) >> 10} MiB")
        # The library itself and its threads' stacks come on top of what it counts as its memory.
        check(theirs.peak_kib * 1024 < budget + 256 * MIB, f"a worker reached {theirs.peak_kib >> 10} MiB")


@test
def texts_that_duckdb_does_not_count_are_bounded():
    with Server(settings={"engine.memory": "256MiB", "engine.workers": "1"}) as server:
        failed = None
        try:
            server.query("SELECT length(repeat('x', 1900000000))")
        except TarnError as error:
            failed = error
        check(failed is not None and failed.code == "out_of_memory", str(failed))
        equal(server.rows("SELECT 1"), [[1]])


@test
def a_query_beyond_the_budget_fails_alone():
    with Server(settings={"engine.memory": "256MiB", "engine.temp": "64MiB"}) as server:
        sql = "SELECT count(*), max(len(s)) FROM (SELECT list(md5(range::VARCHAR)) AS s FROM range(30000000))"
        try:
            server.query(sql)
            failed = None
        except TarnError as error:
            failed = error
        check(failed is not None and failed.code in ("out_of_memory", "no_space"), str(failed))
        equal(server.rows("SELECT 1"), [[1]])
        eventually(lambda: server.metrics()["tarn_workers_busy"] == 0, "no worker is busy")


main()

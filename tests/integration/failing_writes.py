#!/usr/bin/env python3
"""Every write of the server fails once with a full disk, one after the other, by the fault points of base/fault.h:
each failure is answered with 507 (or stops the server where a sync failed), nothing is half, and the next try works."""
# timeout: 90
# labels: slow
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import LONG, Failed, Server, TarnError, check, equal, main, test  # noqa: E402


def totals(server):
    return [int(n) for n in server.rows("SELECT count(*), coalesce(sum(n), 0) FROM t")[0]]


def insert(server):
    server.query("INSERT INTO t SELECT range FROM range(10)")


def ingest(server):
    server.ingest("t", [{"n": n} for n in range(10)])


def create(server):
    server.query("CREATE TABLE made AS SELECT 1 AS a")
    server.query("DROP TABLE made")


def exercise(server, point, nth, batches):
    """Arms one failure, writes, and returns the batches that are there now and how often it failed."""
    failures = 0
    try:
        server.restart(env={"TARN_FAULT_ALLOW": "1", "TARN_FAULT": f"{point}=fail:ENOSPC@{nth}"})
    except Failed:
        check(server.process.returncode not in (-6, -11, 0), f"{point}@{nth}: {server.process.returncode}")
        server.start()
        failures += 1
    for write in (insert, ingest, create):
        try:
            write(server)
            batches += write is not create
        except TarnError as error:
            failures += 1
            check(error.status in (507, 500), f"{point}@{nth}, {write.__name__}: {error}")
            if "no_space" != error.code:
                check("fault point" in str(error) or "I/O" in str(error) or "full" in str(error)
                      or "space" in str(error), f"{point}@{nth}, {write.__name__}: {error}")
            break
    if server.process.poll() is not None:
        raise Failed(f"{point}@{nth}: the server ended with {server.process.returncode}")
    try:
        got = totals(server)
    except TarnError:  # the links of a query's files are writes, too
        failures += 1
        got = totals(server)
    equal(got, [10 * batches, 45 * batches], f"{point}@{nth}: rows")
    made = [t["name"] for t in server.request("GET", "/api/v1/namespaces/main/tables").ok().json["tables"]]
    check(set(made) <= {"t", "made"}, f"{point}@{nth}: {made}")
    for again in (lambda: server.query("DROP TABLE IF EXISTS made"), lambda: insert(server)):
        try:
            again()
        except TarnError:
            failures += 1
            again()  # what failed once works now
    return batches + 1, failures


@test
def each_write_may_fail_once():
    with Server() as server:
        server.query("CREATE TABLE t (n BIGINT)")
        batches, failures, tried = 0, 0, 0
        for point, passes in (("fs.write", 60), ("fs.link", 14), ("store.staged", 8), ("commit.data", 2),
                              ("commit.metadata", 3), ("state.begin", 8), ("state.applied", 6), ("ingest.received", 1)):
            for nth in range(1, passes + 1, 1 if LONG or passes < 10 else 4):
                batches, failed = exercise(server, point, nth, batches)
                failures += failed
                tried += 1
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)
        server.restart()
        equal(totals(server), [10 * batches, 45 * batches])
        print(f"{tried} points armed, {failures} failures answered, {batches} batches written")
        check(failures > tried / 3, f"only {failures} of {tried} came up")


main()

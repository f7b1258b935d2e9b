#!/usr/bin/env python3
"""One worker reads the same files again and again, and other files under the same table's name: what it remembers
of files never answers for others."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, equal, main, test  # noqa: E402

COUNT = "SELECT count(*), sum(n), min(s), max(s) FROM t"
SOME = "SELECT count(*), sum(n) FROM t WHERE n >= 5"


def replaced(client):
    """How many workers were ended so far."""
    for line in client.request("GET", "/metrics").ok().text.splitlines():
        if line.startswith("tarn_workers_killed_total "):
            return int(float(line.split()[1]))
    raise AssertionError("no metric tells how many workers were ended")


@test
def files_that_come_are_seen_between_repeated_queries():
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t (n bigint, s varchar)")
        numbers = []
        for n in range(12):
            client.query(f"INSERT INTO t VALUES ({n}, 'v{n:02}')")
            numbers.append(n)
            big = [number for number in numbers if number >= 5]
            for _ in range(3):
                equal(client.rows(COUNT), [[len(numbers), sum(numbers), "v00", f"v{n:02}"]])
                equal(client.rows(SOME), [[len(big), sum(big) if big else None]])
                equal(client.rows(SOME + " AND s <> ''"), [[len(big), sum(big) if big else None]])


@test
def a_table_made_again_under_the_same_name_is_another_one():
    with Server() as server, server.client() as client:
        for turn in range(4):
            kind = ["bigint", "integer", "double", "bigint"][turn]
            client.query(f"CREATE TABLE t (s varchar, n {kind})" if turn % 2 else f"CREATE TABLE t (n {kind}, s varchar)")
            for part in range(2):
                client.query(f"INSERT INTO t (n, s) SELECT range, 'x{turn}' FROM range({turn + part * 10}, {turn + 5 + part * 10})")
            numbers = [*range(turn, turn + 5), *range(turn + 10, turn + 15)]
            for _ in range(3):
                equal(client.rows(COUNT), [[10, sum(numbers), f"x{turn}", f"x{turn}"]])
                equal(client.rows(SOME)[0][0], len([n for n in numbers if n >= 5]))
            client.query("DROP TABLE t")


@test
def more_footers_than_a_worker_keeps_give_the_same_answers():
    with Server() as server, server.client() as client:
        columns = ", ".join(f"range + {i} AS c{i}" for i in range(600))
        for table in range(4):
            for part in range(12):  # footers of some 50 KB each
                sql = f"SELECT {columns} FROM range({part * 10}, {part * 10 + 10})"
                client.query(f"CREATE TABLE w{table} AS {sql}" if part == 0 else f"INSERT INTO w{table} {sql}")
        begun = replaced(client)
        for turn in range(4):
            for table in range(4):
                equal(client.rows(f"SELECT count(*), sum(c{table}), max(c599) FROM w{table} WHERE c0 >= 0"),
                      [[120, sum(range(120)) + 120 * table, 119 + 599]])
        check(0 < replaced(client) - begun < 12, "a full worker is replaced, but not for every query")


main()

#!/usr/bin/env python3
"""One worker reads the same files again and again, and other files under the same table's name: what it remembers
of files never answers for others."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import SANITIZED, Server, check, equal, main, test  # noqa: E402

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
def a_limit_below_a_join_takes_the_same_rows_every_time():
    """DuckDB 1.5 pushes what a join learns of one side below a LIMIT of the other, once it has the files' footers."""
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t (id bigint, n integer)")
        for first, end in ((7, 8), (8, 19), (19, 20), (20, 34), (34, 35), (35, 67), (67, 69)):  # a file each
            client.query(f"INSERT INTO t SELECT i, CASE WHEN i IN (7, 19, 34, 67) THEN NULL ELSE i % 9 END FROM range({first}, {end}) r(i)")
        client.query("CREATE VIEW latest AS SELECT id FROM t ORDER BY id DESC LIMIT 25")
        for few, expected in (("(SELECT * FROM t ORDER BY id DESC LIMIT 25)", 1), ("(SELECT id FROM t ORDER BY id OFFSET 20)", 2),
                              ("(SELECT DISTINCT ON (id // 100) id FROM t ORDER BY id // 100, id DESC)", 0), ("latest", 1)):
            for turn in range(4):
                equal(client.rows(f"SELECT count(*) FROM t a JOIN {few} AS b USING (id) WHERE a.n IS NULL"), [[expected]],
                      f"{few}, {turn}")
                equal(client.rows(f"WITH b AS (SELECT * FROM {few}) SELECT count(*) FROM t WHERE n IS NULL AND id IN (SELECT id FROM b)"),
                      [[expected]], f"WITH {few}, {turn}")


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


def again(client, sql, want, **members):
    """The same answer as often as it takes for the worker to keep what it can, and then some."""
    for _ in range(4):
        equal(client.rows(sql, **members), want, sql)


@test
def views_that_are_kept_follow_the_table():
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t AS SELECT range AS n, 'a' AS s FROM range(10)")
        again(client, "SELECT count(*), sum(n) FROM t", [[10, 45]])
        client.query("INSERT INTO t VALUES (100, 'b')")
        again(client, "SELECT count(*), sum(n) FROM t", [[11, 145]])
        client.query("ALTER TABLE t ADD COLUMN more INTEGER")
        again(client, "SELECT * FROM t WHERE n = 100", [[100, "b", None]])
        client.query("ALTER TABLE t RENAME COLUMN s TO text")
        again(client, "SELECT text FROM t WHERE n = 100", [["b"]])
        client.query("DELETE FROM t WHERE n < 5")
        again(client, "SELECT count(*), sum(n) FROM t", [[6, 135]])
        client.query("UPDATE t SET n = n + 1")
        again(client, "SELECT count(*), sum(n) FROM t", [[6, 141]])
        client.query("CREATE OR REPLACE TABLE t AS SELECT 'x' AS n")
        again(client, "SELECT * FROM t", [["x"]])
        client.query("DROP TABLE t")
        for _ in range(3):
            equal(client.request("POST", "/api/v1/query", {"sql": "SELECT * FROM t"}).error["code"], "table_not_found")
        client.query("CREATE TABLE t AS SELECT 7 AS n")
        again(client, "SELECT * FROM t", [[7]])


@test
def views_that_are_kept_belong_to_a_name_in_a_namespace_and_a_version():
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t AS SELECT 1 AS n; CREATE SCHEMA other; CREATE TABLE other.t AS SELECT 2 AS n")
        first = client.query("SELECT * FROM t")["snapshot_id"]
        client.query("INSERT INTO t VALUES (3)")
        for _ in range(3):
            again(client, "SELECT n FROM t ORDER BY n", [[1], [3]])
            again(client, "SELECT n FROM t ORDER BY n", [[2]], namespace="other")
            again(client, "SELECT n FROM other.t", [[2]])
            again(client, f"SELECT n FROM t VERSION AS OF {first}", [[1]])
            again(client, f"SELECT a.n, b.n FROM t VERSION AS OF {first} a, t b ORDER BY ALL", [[1, 1], [1, 3]])
            again(client, "SELECT tarn.main.t.n FROM tarn.main.t ORDER BY n", [[1], [3]])
            again(client, "SELECT current_database(), current_schema(), max(n) FROM t", [["tarn", "main", 3]])
            again(client, "SELECT count(*) FROM t x JOIN other.t y ON y.n > x.n", [[1]])
            again(client, "WITH t AS (SELECT 9 AS n) SELECT n FROM t", [[9]])
        client.query("CREATE VIEW v AS SELECT n + 1 AS n FROM t")
        again(client, "SELECT sum(n) FROM v", [[6]])
        client.query("CREATE OR REPLACE VIEW v AS SELECT n + 2 AS n FROM t")
        again(client, "SELECT sum(n) FROM v", [[8]])


@test
def what_the_session_and_the_request_say_holds_for_kept_views():
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t AS SELECT range AS n FROM range(100)")
        one, two = (client.request("POST", "/api/v1/sessions", {}).ok().json["session"] for _ in range(2))
        client.query("PREPARE p AS SELECT max(n) FROM t WHERE n < $1", session=one)
        client.query("PREPARE p AS SELECT min(n) FROM t WHERE n > $1", session=two)
        client.query("CREATE SCHEMA away; USE away; CREATE TABLE t AS SELECT 5 AS n", session=two)
        for turn in range(4):
            again(client, f"EXECUTE p({10 + turn})", [[9 + turn]], session=one)
            again(client, f"EXECUTE p({turn})", [[5]], session=two)
            again(client, "SELECT max(n) FROM t WHERE n < $1", [[49 + turn]], params=[50 + turn])
            again(client, "SELECT count(*) FROM t", [[1]], session=two)
            again(client, "SELECT count(*) FROM t", [[100]], session=one)
        moments = [client.value("SELECT epoch_us(now()) FROM t LIMIT 1") for _ in range(6)]
        equal(moments, sorted(set(moments)), "now() goes on")
        chances = {client.value("SELECT random() FROM t LIMIT 1") for _ in range(6)}
        equal(len(chances), 6, "random() is asked each time")
        seeded = set()
        for _ in range(4):
            client.query("SELECT setseed(0.5)")
            seeded.add(client.value("SELECT random()"))
        equal(len(seeded), 4, "a seed ends with its query")
        client.query("BEGIN; INSERT INTO t VALUES (1000)", session=one)
        again(client, "SELECT count(*) FROM t", [[101]], session=one)
        again(client, "SELECT count(*) FROM t", [[100]])
        client.query("ROLLBACK", session=one)
        again(client, "SELECT count(*) FROM t", [[100]], session=one)


@test
def rights_are_asked_for_each_time():
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t AS SELECT 1 AS n; CREATE TABLE kept AS SELECT 2 AS n")
        key = server.make_principal("guest", "reader")
        with server.client(key) as guest:
            again(guest, "SELECT n FROM t", [[1]])
            client.request("DELETE", "/api/v1/principals/guest").ok()
            for _ in range(3):
                equal(guest.request("POST", "/api/v1/query", {"sql": "SELECT n FROM t"}).status, 401)


@test
def many_different_statements_take_no_more_memory():
    def resident(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next(int(text.split()[1]) for text in file if text.startswith("VmRSS:"))

    with Server() as server, server.client() as client:
        for table in range(30):
            client.query(f"CREATE TABLE t{table} AS SELECT range AS n FROM range({table + 1})")

        def ask():
            for table in range(30):
                for turn in range(3):
                    equal(client.value(f"SELECT count(*) + {turn} FROM t{table}"), table + 1 + turn)

        ask()
        ask()
        before = sum(resident(pid) for pid in server.workers())
        for _ in range(6):
            ask()
        # AddressSanitizer keeps what was freed, up to 256 MiB of it.
        room = 512 if SANITIZED else 64
        check(sum(resident(pid) for pid in server.workers()) < before + room * 1024, f"the worker grew by more than {room} MiB")


main()

#!/usr/bin/env python3
"""EXPLAIN: the plan, the files and why others are left out, in text and in JSON, for queries and for changes."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import check, contains, equal, fails, main, shared, test  # noqa: E402


def table():
    """Four files of 100 rows, one for each value of b."""
    shared().query("DROP TABLE IF EXISTS t")
    shared().query("CREATE TABLE t (i INT, b INT) PARTITIONED BY (b)")
    for b in range(4):
        shared().query(f"INSERT INTO t SELECT i, {b} FROM range({100 * b}, {100 * b + 100}) r(i)")


def explained(sql):
    """Key -> what the rows say; files as an object."""
    return {key: value for key, value in shared().rows(sql)}


def files(sql):
    rows = explained(sql.replace("EXPLAIN ", "EXPLAIN (FORMAT JSON) ", 1))
    json.loads(rows["physical_plan"])
    return json.loads(rows["files"])


@test
def files_are_left_out_for_reasons_that_are_told():
    table()
    for condition, read, skipped in (("b = 2", 1, {"partition summary": 3}), ("i >= 350", 1, {"bounds": 3}), ("i < 0", 0, {"bounds": 4}),
                                     ("i % 1000 = 5", 4, {})):
        found = files(f"EXPLAIN SELECT * FROM t WHERE {condition}")
        equal(len(found), 1)
        equal((found[0]["table"], found[0]["files_considered"], found[0]["files_read"]), ("main.t", 4, read), condition)
        if skipped:
            equal(found[0]["files_skipped"], skipped, condition)
    equal(files("EXPLAIN FROM t LIMIT 3")[0]["files_skipped"], {"limit": 3})
    contains(explained("EXPLAIN SELECT * FROM t WHERE b = 2")["files"], "3 skipped (3 by partition summary), 1 read: 100 rows")


@test
def what_was_counted_is_shown():
    table()
    check("distinct values" not in explained("EXPLAIN FROM t"), "nothing was counted yet")
    shared().query("ANALYZE t")
    equal(explained("EXPLAIN FROM t")["distinct values"], "main.t: i 400, b 4")


@test
def changes_are_explained_without_being_made():
    table()
    for sql, read, says in (
            ("EXPLAIN DELETE FROM t WHERE b = 1 AND i = 103", 1, "whose every row matches leave"),
            ("EXPLAIN DELETE FROM t USING (SELECT 1 AS k) AS u WHERE t.b = u.k", 4, "written anew"),
            ("EXPLAIN UPDATE t AS x SET i = 1 WHERE x.b > 2", 1, "written anew"),
            ("EXPLAIN UPDATE t SET i = s.a FROM (VALUES (1)) AS s(a) WHERE t.b = s.a", 4, "written anew"),
            ("EXPLAIN MERGE INTO t USING (SELECT 1 AS b) AS s ON t.b = s.b WHEN MATCHED THEN DELETE", 4, "written anew"),
            ("EXPLAIN MERGE INTO t AS x USING (SELECT 1 AS b) AS s USING (b) WHEN NOT MATCHED BY SOURCE THEN DELETE", 4, "written anew"),
            ("EXPLAIN TRUNCATE t", 4, "all files leave"),
            ("EXPLAIN INSERT INTO t SELECT * FROM t WHERE b = 3", 1, "new files are added"),
            ("EXPLAIN INSERT OVERWRITE t SELECT * FROM t", 4, "are replaced"),
            ("EXPLAIN CREATE TABLE u AS SELECT * FROM t WHERE b = 0", 1, "are written")):
        contains(explained(sql)["change"], says, sql)
        equal(files(sql)[0]["files_read"], read, sql)
    equal(shared().rows("SELECT count(*), count(DISTINCT b), sum(i) FROM t"), [[400, 4, sum(range(400))]])
    fails("table_not_found", shared().query, "FROM u")
    contains(explained("EXPLAIN INSERT INTO t VALUES (1, 2)")["change"], "new files are added")


@test
def analyze_runs_and_measures():
    table()
    rows = explained("EXPLAIN ANALYZE SELECT sum(i) FROM t WHERE b = 1")
    contains(rows["analyzed_plan"], "Total Time")
    contains(rows["time"], " ms")
    rows = explained("EXPLAIN (ANALYZE, FORMAT JSON) SELECT sum(i) FROM t WHERE b = 1")
    contains(json.dumps(json.loads(rows["analyzed_plan"])), "operator_timing")
    equal(json.loads(rows["files"])[0]["rows"], 100)


@test
def analyze_of_a_change_runs_it_and_tells_what_it_did():
    table()
    rows = explained("EXPLAIN ANALYZE UPDATE t SET i = i + 1000 WHERE b = 1 AND i < 125 RETURNING i")
    equal(rows["executed"], "UPDATE: 25 rows")
    contains(rows["files"], "4 files considered, 3 skipped", "1 read: 100 rows")
    contains(rows["change"], "1 file removed, 1 written: 100 rows")
    contains(rows["time"], " ms")
    equal(shared().value("SELECT count(*) FROM t WHERE i >= 1000"), 25)
    steps = [row[1].split(":")[0] for row in shared().rows("EXPLAIN ANALYZE DELETE FROM t WHERE i >= 1000") if row[0] == "step"]
    equal(steps, ["files chosen", "rows found", "files written", "committed"])
    equal(shared().value("SELECT count(*) FROM t"), 375)
    rows = explained("EXPLAIN ANALYZE DELETE FROM t WHERE b = 1")
    equal((rows["executed"], rows["change"].split(":")[0]), ("DELETE: 75 rows", "1 file removed, 0 written"))
    rows = explained("EXPLAIN (ANALYZE, FORMAT JSON) MERGE INTO t USING (SELECT 2 AS b, 7 AS n) s ON t.b = s.b "
                     "WHEN MATCHED AND i % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET i = n")
    told = json.loads(rows["executed"])
    equal((told["statement"], told["rows"], told["files_removed"], told["attempts"]), ("MERGE", 100, 1, 1))
    check(all(step["microseconds"] >= 0 for step in told["steps"]), "each step has a time")
    equal(json.loads(rows["files"])[0]["table"], "main.t")
    rows = explained("EXPLAIN ANALYZE INSERT INTO t VALUES (1, 2), (3, 4)")
    equal(rows["executed"], "INSERT: 2 rows")
    contains(rows["change"], "0 files removed", "2 rows")
    equal(explained("EXPLAIN ANALYZE CREATE TABLE made AS SELECT 1 AS x")["executed"], "CREATE TABLE AS: 1 row")
    equal(shared().rows("SELECT * FROM made"), [[1]])
    equal(explained("EXPLAIN ANALYZE TRUNCATE made")["executed"], "TRUNCATE: 1 row")
    shared().query("DROP TABLE made")


@test
def analyze_of_a_change_is_a_change():
    table()
    server = shared()
    key = server.make_principal("looker", "reader")
    with server.client(key) as reader:
        fails("denied", reader.query, "EXPLAIN ANALYZE DELETE FROM t")
    fails("transaction_read_only", server.query, "BEGIN READ ONLY; EXPLAIN ANALYZE DELETE FROM t")
    fails("transaction_read_only", server.query, "PREPARE p AS EXPLAIN ANALYZE DELETE FROM t; BEGIN READ ONLY; EXECUTE p")
    before = server.value("SELECT count(*) FROM t")
    equal(server.query("BEGIN; EXPLAIN ANALYZE DELETE FROM t; SELECT count(*) FROM t")["rows"], [[0]])
    equal(server.value("SELECT count(*) FROM t"), before)
    fails("unknown_column", server.query, "EXPLAIN ANALYZE UPDATE t SET nope = 1")
    equal(server.value("SELECT count(*) FROM t"), before)


@test
def mistakes_are_told():
    table()
    equal(fails("unknown_column", shared().query, "EXPLAIN DELETE FROM t WHERE nope = 1").position, 28)
    fails("table_not_found", shared().query, "EXPLAIN UPDATE nothing SET a = 1")
    fails("not_supported", shared().query, "EXPLAIN DROP TABLE t")
    fails("not_supported", shared().query, "EXPLAIN (FORMAT GRAPHVIZ) SELECT 1")
    key = shared().make_principal("reader", "reader")
    with shared().client(key) as reader:
        check(reader.rows("EXPLAIN FROM t"), "a reader sees how it is read")
        fails("denied", reader.query, "EXPLAIN DELETE FROM t")


main()

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
    error = fails("not_supported", shared().query, "EXPLAIN ANALYZE DELETE FROM t")
    equal(error.position, 16)
    equal(shared().value("SELECT count(*) FROM t"), 400)


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

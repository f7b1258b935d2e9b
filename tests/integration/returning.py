#!/usr/bin/env python3
"""RETURNING, WITH in front of changes, members of structs, joins as the source of a MERGE, and partitions replaced by name:
what they answer, what they leave, and that DuckDB's own tables answer the same."""
# timeout: 120
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from oracle import Duck  # noqa: E402
from tarn import TarnError, check, contains, equal, fails, main, shared, test  # noqa: E402


def run(sql, **members):
    return shared().query(sql, **members)


def rows(sql, **members):
    return shared().rows(sql, **members)


def answer(sql, **members):
    """Names, sorted rows and the count of a statement that returns rows."""
    got = run(sql, **members)
    return [c["name"] for c in got["columns"]], sorted(got["rows"], key=str), got["changed_rows"]


def fails_with(code, sql, at=None, part=""):
    error = fails(code, run, sql)
    contains(f"{error.message} {error.hint}", part, sql)
    if at is not None:
        equal(error.position, sql.index(at), f"{sql}: {error}")


@test
def rows_that_were_written_or_deleted_are_answered():
    run("CREATE TABLE r (id BIGINT NOT NULL, s VARCHAR, n DECIMAL(6, 2), tags INTEGER[])")
    equal(answer("INSERT INTO r VALUES (1, 'a', 1.5, [1]), (2, 'b', '2', NULL) RETURNING *"),
          (["id", "s", "n", "tags"], [[1, "a", "1.50", [1]], [2, "b", "2.00", None]], 2))
    equal(answer("INSERT INTO r (s, id) SELECT 'c', 3 RETURNING id + 1 AS next, upper(s), r.n"),
          (["next", "upper(s)", "n"], [[4, "C", None]], 1))
    equal(answer("UPDATE r SET n = id * 10, s = s || s WHERE id > 1 RETURNING id, s, n"),
          (["id", "s", "n"], [[2, "bb", "20.00"], [3, "cc", "30.00"]], 2))
    equal(answer("UPDATE r AS t SET s = v.s FROM (VALUES (1, 'new')) v(id, s) WHERE v.id = t.id RETURNING t.*")[1:],
          ([[1, "new", "1.50", [1]]], 1))
    equal(answer("DELETE FROM r WHERE id = 2 RETURNING s, $1 AS given", params=[7]), (["s", "given"], [["bb", 7]], 1))
    equal(answer("DELETE FROM r AS t USING (VALUES (3), (3)) v(id) WHERE v.id = t.id RETURNING t.id"), (["id"], [[3]], 1))
    equal(answer("DELETE FROM r RETURNING id"), (["id"], [[1]], 1))
    equal(answer("DELETE FROM r RETURNING id"), (["id"], [], 0))
    equal(answer("INSERT INTO r (id) SELECT 1 WHERE false RETURNING *")[1:], ([], 0))
    equal(rows("SELECT count(*) FROM r"), [[0]])


@test
def merges_and_upserts_answer_what_they_did():
    run("CREATE TABLE m AS SELECT range AS id, 'old' AS s FROM range(6)")
    merge = ("MERGE INTO m USING (SELECT range + 3 AS id FROM range(6)) AS n USING (id) "
             "WHEN MATCHED AND id = 3 THEN DELETE WHEN MATCHED AND id = 4 THEN DO NOTHING WHEN MATCHED THEN UPDATE SET s = 'new' "
             "WHEN NOT MATCHED THEN INSERT VALUES (id, 'in') WHEN NOT MATCHED BY SOURCE AND id = 0 THEN DELETE ")
    equal(answer(merge + "RETURNING merge_action, *"),
          (["merge_action", "id", "s"],
           [["DELETE", 0, "old"], ["DELETE", 3, "old"], ["INSERT", 6, "in"], ["INSERT", 7, "in"], ["INSERT", 8, "in"],
            ["UPDATE", 5, "new"]], 6))
    equal(answer("MERGE INTO m AS t USING (VALUES (8), (9)) n(id) ON n.id = t.id WHEN MATCHED THEN UPDATE SET s = 'x' "
                 "WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'y') RETURNING t.s || lower(merge_action) AS a, t.* EXCLUDE (s)"),
          (["a", "id"], [["xupdate", 8], ["yinsert", 9]], 2))
    equal(answer("INSERT INTO m VALUES (9, 'z'), (10, 'z') ON CONFLICT (id) DO UPDATE SET s = EXCLUDED.s || m.s RETURNING *")[1:],
          ([[10, "z"], [9, "zy"]], 2))
    equal(answer("INSERT INTO m VALUES (10, 'q'), (11, 'q') ON CONFLICT (id) DO NOTHING RETURNING id")[1:], ([[11]], 1))


@test
def sources_of_what_is_returned_are_evaluated_once():
    run("CREATE TABLE o (id BIGINT, a DOUBLE)")
    for sql in ("INSERT INTO o SELECT range, random() FROM range(2000) RETURNING id, a",
                "UPDATE o SET a = random() RETURNING id, a",
                "MERGE INTO o USING (SELECT range + 1000 AS id, random() AS a FROM range(2000)) s USING (id) "
                "WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.a) RETURNING id, o.a"):
        got = run(sql)
        equal(got["changed_rows"], len(got["rows"]), sql)
        stored = {row[0]: row[1] for row in rows("SELECT id, a FROM o")}
        check(all(stored[row[0]] == row[1] for row in got["rows"]), sql)


@test
def mistakes_in_returning_change_nothing():
    run("CREATE TABLE e AS SELECT range AS id FROM range(3)")
    before = rows("SELECT count(*), sum(id) FROM e")
    for start in ("INSERT INTO e VALUES (9) RETURNING ", "UPDATE e SET id = 9 RETURNING ", "DELETE FROM e RETURNING ",
                  "INSERT INTO e VALUES (9) ON CONFLICT (id) DO NOTHING RETURNING ",
                  "MERGE INTO e USING (SELECT 1 AS id) s USING (id) WHEN MATCHED THEN DELETE RETURNING "):
        fails_with("unknown_column", start + "nope", "nope")
        fails_with("denied", start + "getenv('HOME')", "getenv")
        fails_with("syntax_error", start)
        fails_with("syntax_error", start + "id LIMIT 1")
        for wrong in ("sum(id)", "row_number() OVER ()", "(SELECT max(id) FROM e)", "CAST('x' || id AS INTEGER)"):
            check(isinstance(attempt(start + wrong), TarnError), start + wrong)
    equal(rows("SELECT count(*), sum(id) FROM e"), before)
    key = shared().make_principal("returning-reader", "reader")
    fails("denied", shared().query, "DELETE FROM e RETURNING id", key=key)


def attempt(sql):
    try:
        return run(sql)
    except TarnError as error:
        return error


@test
def every_format_carries_returned_rows():
    run("CREATE TABLE w (id BIGINT)")
    for number, (kind, wanted) in enumerate((("csv", b"id\n0\n"), ("jsonl", b'{"id":1}\n'))):
        got = shared().request("POST", "/api/v1/query",
                               {"sql": f"INSERT INTO w VALUES ({number}) RETURNING id", "format": kind})
        equal(got.ok().body, wanted)
    equal(rows("SELECT count(*) FROM w"), [[2]])
    # Only the last statement of a script answers; the others do what they do.
    equal(rows("DELETE FROM w WHERE id = 0 RETURNING *; SELECT * FROM w"), [[1]])


@test
def with_stands_in_front_of_every_change():
    run("CREATE TABLE a (id BIGINT, s VARCHAR); CREATE TABLE b AS SELECT range AS id FROM range(4)")
    equal(run("WITH n AS (SELECT id FROM b WHERE id > 0), k AS (SELECT id FROM n WHERE id < 3) "
              "INSERT INTO a SELECT id, 'x' FROM k")["changed_rows"], 2)
    equal(run("WITH n AS (SELECT 7 AS id) INSERT INTO a WITH o AS (SELECT id + 1 AS id FROM n) SELECT id, 'o' FROM o")
          ["changed_rows"], 1)
    equal(run("WITH n AS (SELECT 20 AS id) INSERT INTO a VALUES ((SELECT id FROM n), 'v')")["changed_rows"], 1)
    equal(run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) UPDATE a SET s = 'u' FROM n WHERE n.i = a.id")
          ["changed_rows"], 2)
    equal(answer("WITH n AS (SELECT 8 AS id) DELETE FROM a USING n WHERE n.id = a.id RETURNING a.id")[1], [[8]])
    equal(run("WITH n AS (SELECT 20 AS id UNION ALL SELECT 21) MERGE INTO a USING n ON n.id = a.id WHEN MATCHED THEN UPDATE SET s = 'm' "
              "WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'i')")["changed_rows"], 2)
    equal(run("WITH n AS (SELECT 21 AS id, 'w' AS s) MERGE INTO a USING n ON n.id = a.id WHEN MATCHED THEN UPDATE SET * "
              "WHEN NOT MATCHED THEN INSERT *")["changed_rows"], 1)
    equal(run("WITH n AS (SELECT 21 AS id UNION ALL SELECT 22) INSERT INTO a SELECT id, 'c' FROM n "
              "ON CONFLICT (id) DO UPDATE SET s = EXCLUDED.s")["changed_rows"], 2)
    equal(rows("SELECT * FROM a ORDER BY id"), [[1, "u"], [2, "u"], [20, "m"], [21, "c"], [22, "c"]])
    fails_with("invalid", "WITH a AS (SELECT 1 AS id) UPDATE a SET s = 'x'", "a SET", "WITH has the name")
    fails_with("denied", "WITH n AS (SELECT * FROM read_csv('/etc/passwd')) DELETE FROM a USING n", "read_csv")
    fails_with("table_not_found", "WITH n AS (SELECT * FROM nothing) DELETE FROM a USING n", "nothing")


@test
def members_of_structs_are_set():
    run("CREATE TABLE s (id BIGINT, a STRUCT(b INTEGER, c STRUCT(d VARCHAR, e INTEGER)), n INTEGER)")
    run("INSERT INTO s VALUES (1, {'b': 1, 'c': {'d': 'x', 'e': 5}}, 1), (2, NULL, 2)")
    run("UPDATE s SET a.b = n + 10, a.c.d = 'y' || id, n = 0")
    equal(rows("SELECT * FROM s ORDER BY id"),
          [[1, {"b": 11, "c": {"d": "y1", "e": 5}}, 0], [2, {"b": 12, "c": {"d": "y2", "e": None}}, 0]])
    run("UPDATE s AS t SET t.a.c = {'d': 'z', 'e': 1}, t.n = DEFAULT, \"A\".\"B\" = NULL WHERE t.id = 1")
    run("MERGE INTO s USING (SELECT 2 AS id, 9 AS e) AS v ON v.id = s.id WHEN MATCHED THEN UPDATE SET s.a.c.e = v.e, a.b = v.e")
    equal(rows("SELECT * FROM s ORDER BY id"),
          [[1, {"b": None, "c": {"d": "z", "e": 1}}, None], [2, {"b": 9, "c": {"d": "y2", "e": 9}}, 0]])
    fails_with("unknown_column", "UPDATE s SET a.x = 1", "a.x", 'struct "a" has no member "x"')
    fails_with("invalid", "UPDATE s SET n.x = 1", "n.x", 'column "n" is no struct')
    fails_with("invalid", "UPDATE s SET a.c = NULL, a.c.d = 'x'", "a.c.d", "twice")
    fails_with("invalid", "UPDATE s SET a = NULL, a.b = 1", "a.b", "twice")
    fails_with("unknown_column", "UPDATE s SET a.b = nope", "nope")


@test
def a_join_in_brackets_is_a_source():
    run("CREATE TABLE j (id BIGINT, s VARCHAR); CREATE TABLE x AS SELECT range AS id FROM range(3); "
        "CREATE TABLE y AS SELECT range AS k, 'y' || range AS s FROM range(1, 5)")
    merge = ("MERGE INTO j USING (x JOIN y ON x.id = y.k) AS v ON v.id = j.id WHEN MATCHED THEN UPDATE SET s = v.s || '!' "
             "WHEN NOT MATCHED THEN INSERT (id, s) VALUES (v.id, v.s)")
    equal((run(merge)["changed_rows"], run(merge)["changed_rows"]), (2, 2))
    equal(rows("SELECT * FROM j ORDER BY id"), [[1, "y1!"], [2, "y2!"]])
    for sql in ("MERGE INTO j USING (x JOIN y ON x.id = y.k) ON x.id = j.id WHEN MATCHED THEN DELETE",
                "MERGE INTO j USING x JOIN y ON x.id = y.k ON x.id = j.id WHEN MATCHED THEN DELETE"):
        fails_with("not_supported", sql, None, "AS s")


@test
def partitions_are_replaced_by_name():
    run("CREATE TABLE p (day DATE, kind VARCHAR, n INTEGER) PARTITIONED BY (day, kind)")
    run("INSERT INTO p VALUES ('2026-01-01', 'a', 1), ('2026-01-01', 'b', 2), ('2026-01-02', 'a', 3)")
    before = {row[0] for row in rows("SELECT file_path FROM p.files")}
    run("INSERT OVERWRITE p PARTITION (day = '2026-01-01', kind = 'a') SELECT 10")
    equal(rows("SELECT kind, n FROM p WHERE day = '2026-01-01' ORDER BY ALL"), [["a", 10], ["b", 2]])
    equal(len(before - {row[0] for row in rows("SELECT file_path FROM p.files")}), 1)
    run("INSERT OVERWRITE TABLE p PARTITION (day = DATE '2026-01-01', kind) VALUES ('b', 20), ('c', 21)")
    equal(rows("SELECT kind, n FROM p WHERE day = '2026-01-01' ORDER BY ALL"), [["a", 10], ["b", 20], ["c", 21]])
    equal(answer("INSERT OVERWRITE p PARTITION (day = '2026-01-01') SELECT 'z', 9 RETURNING *"),
          (["day", "kind", "n"], [["2026-01-01", "z", 9]], 1))
    run("INSERT OVERWRITE p PARTITION (kind = 'a', day = '2026-01-02') SELECT 1 WHERE false")
    equal(rows("SELECT * FROM p"), [["2026-01-01", "z", 9]])
    run("INSERT OVERWRITE p PARTITION (day = NULL, kind = 'q') (n) VALUES (5)")
    equal(rows("SELECT * FROM p WHERE day IS NULL"), [[None, "q", 5]])
    fails_with("not_supported", "INSERT OVERWRITE p PARTITION (n = 1) SELECT NULL, 'a'", "n = 1", "not partitioned by")
    fails_with("unknown_column", "INSERT OVERWRITE p PARTITION (dya = NULL) SELECT 1", "dya", "day")
    fails_with("invalid", "INSERT OVERWRITE p PARTITION (day = NULL, day = NULL) SELECT 'a', 1", None, "twice")
    fails_with("not_supported", "INSERT INTO p PARTITION (day = NULL) SELECT 'a', 1", "PARTITION")
    fails_with("bad_data", "INSERT OVERWRITE p PARTITION (day = 'x') SELECT 'a', 1", "'x'")


main()

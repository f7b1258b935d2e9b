#!/usr/bin/env python3
"""What EXPLAIN tells of planning, and LIMIT: files and manifests that are not needed for the rows are not read, and the
rows are right all the same."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, contains, equal, main, test  # noqa: E402

FILES, ROWS = 5, 10
SERVERS = []


def server():
    if not SERVERS:
        made = Server()
        made.rows("CREATE TABLE t (id BIGINT, list BIGINT[])")
        for number in range(FILES):
            made.rows(f"INSERT INTO t SELECT {number * ROWS} + range, [1, 2] FROM range({ROWS})")
        SERVERS.append(made)
    return SERVERS[0]


def files_of(sql):
    """The line that EXPLAIN has about files."""
    lines = [row[1] for row in server().rows("EXPLAIN " + sql) if row[0] == "files"]
    equal(len(lines), 1, sql)
    return lines[0]


@test
def a_limit_leaves_files_out():
    contains(files_of("SELECT * FROM t LIMIT 10"), "5 files considered, 4 skipped (4 by limit), 1 read: 10 rows")
    contains(files_of("SELECT id + 1, CAST(id AS VARCHAR) FROM t LIMIT 11"), "3 by limit")
    contains(files_of("FROM t AS x LIMIT 5 OFFSET 15"), "3 by limit")
    contains(files_of("SELECT * FROM t LIMIT 0"), "4 by limit")


@test
def a_limit_gives_as_many_rows_as_there_are():
    for limit in (0, 1, 9, 10, 11, 25, 49, 50, 51, 1000):
        rows = [int(row[0]) for row in server().rows(f"SELECT id FROM t LIMIT {limit}")]
        equal(len(rows), min(limit, FILES * ROWS), f"LIMIT {limit}")
        equal(len(set(rows)), len(rows), f"LIMIT {limit}: each row once")
    equal(len(server().rows("SELECT * FROM t LIMIT 10 OFFSET 45")), 5)
    equal(len(server().rows("SELECT * FROM t LIMIT 10 OFFSET 50")), 0)
    server().rows("CREATE TABLE few AS SELECT * FROM t LIMIT 12")
    equal(server().value("SELECT count(*) FROM few"), 12)


@test
def all_rows_are_wanted_by_whatever_else_stands_there():
    for sql in ("SELECT id FROM t ORDER BY id DESC LIMIT 1", "SELECT count(*) FROM t LIMIT 1",
                "SELECT max(id) FROM t LIMIT 1", "SELECT DISTINCT list FROM t LIMIT 1",
                "SELECT id % 2, count(*) FROM t GROUP BY ALL LIMIT 1", "SELECT unnest(list) FROM t LIMIT 1",
                "SELECT id, sum(id) OVER () FROM t LIMIT 1", "SELECT a.id FROM t a, t b LIMIT 1",
                "SELECT id FROM t WHERE id % 10 = 9 LIMIT 1", "SELECT id FROM t QUALIFY row_number() OVER () = 1 LIMIT 1",
                "SELECT id FROM t TABLESAMPLE reservoir(5 ROWS) LIMIT 1", "SELECT id FROM t USING SAMPLE 5 LIMIT 1",
                "SELECT id FROM t UNION ALL SELECT id FROM t LIMIT 1", "SELECT id FROM (SELECT * FROM t) LIMIT 1",
                "WITH x AS (SELECT max(id) FROM t) SELECT * FROM x LIMIT 1", "SELECT id FROM t LIMIT 10%",
                "SELECT (SELECT max(id) FROM t) LIMIT 1", "SELECT id FROM t LIMIT (SELECT 1)",
                "SELECT first(id) FROM t LIMIT 1"):
        check("by limit" not in files_of(sql), f"{sql}: {files_of(sql)}")
    equal(int(server().value("SELECT id FROM t ORDER BY id DESC LIMIT 1")), FILES * ROWS - 1)
    equal(int(server().value("SELECT count(*) FROM t LIMIT 1")), FILES * ROWS)
    equal(int(server().value("SELECT id FROM t WHERE id = 49 LIMIT 1")), 49)
    equal(len(server().rows("SELECT id FROM t WHERE id >= 45 LIMIT 10")), 5)


@test
def deleted_rows_do_not_count():
    server().rows("CREATE TABLE d (id BIGINT)")
    for number in range(3):
        server().rows(f"INSERT INTO d SELECT {number * ROWS} + range FROM range({ROWS})")
    server().rows("DELETE FROM d WHERE id < 8")
    equal(len(server().rows("SELECT id FROM d LIMIT 10")), 10)
    equal(len(server().rows("SELECT id FROM d LIMIT 22")), 22)
    equal(len(server().rows("SELECT id FROM d LIMIT 30")), 22)


@test
def snapshots_of_before_have_their_own_files():
    first = server().rows("SELECT snapshot_id FROM t.snapshots ORDER BY committed_at")[1][0]
    equal(len(server().rows(f"SELECT id FROM t AT (VERSION => {first}) LIMIT 30")), 20)
    contains(files_of(f"SELECT id FROM t AT (VERSION => {first}) LIMIT 3"), "1 by limit")


@test
def bloom_filters_hide_no_rows():
    """DuckDB looks up bytes as their text, and 0.0 where -0.0 is."""
    server().rows("CREATE TABLE blooming (n BIGINT, b BLOB, f FLOAT, d DOUBLE, s STRUCT(b BLOB))"
                  " WITH ('write.parquet.bloom-filter-enabled.column.n' = 'true')")
    server().rows(r"INSERT INTO blooming SELECT range, CASE range % 3 WHEN 0 THEN '\x0A'::BLOB WHEN 1 THEN '\xFF\x00a'::BLOB END,"
                  r" CASE WHEN range % 2 = 0 THEN '-0'::FLOAT ELSE 1.5 END, CASE WHEN range % 2 = 0 THEN '-0'::DOUBLE ELSE 1.5 END,"
                  r" {'b': CASE WHEN range % 2 = 0 THEN '\x0A'::BLOB ELSE '\xAA'::BLOB END} FROM range(60)")
    for condition, rows in ((r"b = '\x0A'::BLOB", 20), (r"b = '\xFF\x00a'::BLOB", 20), (r"b IN ('\x0A'::BLOB, 'x'::BLOB)", 20),
                            ("b IS NULL", 20), (r"b > '\x0A'::BLOB", 20), ("f = 0.0", 30), ("d = 0", 30), ("d = 1.5", 30),
                            (r"s.b = '\x0A'::BLOB", 30), ("n = 7", 1)):
        equal(server().value(f"SELECT count(*) FROM blooming WHERE {condition}"), rows, condition)
    equal(server().rows(r"SELECT count(*) FROM blooming x JOIN (SELECT '\x0A'::BLOB AS b) y USING (b)"), [[20]])


main()

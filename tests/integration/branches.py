#!/usr/bin/env python3
"""Branches: every kind of change writes one, main moves not, and reads find it; the procedures that move, pick, list and
expire snapshots answer and refuse as they should."""
# timeout: 120
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import check, contains, equal, fails, main, shared, test  # noqa: E402


def run(sql, **members):
    return shared().query(sql, **members)


def rows(sql, **members):
    return shared().rows(sql, **members)


def snapshots(table):
    """(id, parent, operation, summary), oldest first."""
    return rows(f"SELECT snapshot_id, parent_id, operation, summary FROM {table}.snapshots ORDER BY summary['total-records']")


def head(table, branch="main"):
    return rows(f"SELECT snapshot_id FROM {table}.refs WHERE name = '{branch}'")[0][0]


def fails_with(code, sql, at=None, part=""):
    error = fails(code, run, sql)
    contains(f"{error.message} {error.hint}", part, sql)
    if at is not None:
        equal(error.position, sql.index(at), f"{sql}: {error}")


@test
def every_change_writes_a_branch_and_leaves_main_alone():
    run("CREATE TABLE w (id BIGINT, s VARCHAR) PARTITIONED BY (s)")
    run("INSERT INTO w VALUES (1, 'a'), (2, 'b')")
    run("ALTER TABLE w CREATE BRANCH x")
    start, history = head("w"), rows("SELECT count(*) FROM w.history")
    for sql, count, left in (
            ("INSERT INTO w.branch_x VALUES (3, 'c'), (4, 'd')", 2, [1, 2, 3, 4]),
            ("INSERT INTO main.w.branch_x SELECT id + 10, s FROM w", 2, [1, 2, 3, 4, 11, 12]),
            ("UPDATE w.branch_x SET id = w.id + 100 WHERE id > 10", 2, [1, 2, 3, 4, 111, 112]),
            ("UPDATE w.branch_x AS t SET id = t.id - 100 FROM w AS m WHERE t.id = m.id + 110", 2, [1, 2, 3, 4, 11, 12]),
            ("DELETE FROM w.branch_x WHERE s = 'c'", 1, [1, 2, 4, 11, 12]),
            ("DELETE FROM w.branch_x USING (VALUES (11)) v(id) WHERE v.id = w.id", 1, [1, 2, 4, 12]),
            ("MERGE INTO w.branch_x USING (VALUES (4), (5)) v(id) ON v.id = w.id WHEN MATCHED THEN DELETE "
             "WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'n')", 2, [1, 2, 5, 12]),
            ("INSERT INTO w.branch_x VALUES (5, 'm'), (6, 'm') ON CONFLICT (id) DO UPDATE SET s = EXCLUDED.s", 2, [1, 2, 5, 6, 12]),
            ("INSERT OVERWRITE w.branch_x PARTITION (s = 'm') SELECT 7", 1, [1, 2, 7, 12]),
            ("INSERT OVERWRITE w.branch_x VALUES (8, 'm')", 1, [1, 2, 8, 12])):
        before = head("w", "x")
        equal(run(sql)["changed_rows"], count, sql)
        equal([row[0] for row in rows("SELECT id FROM w.branch_x ORDER BY id")], left, sql)
        equal(rows(f"SELECT parent_id FROM w.snapshots WHERE snapshot_id = {head('w', 'x')}"), [[before]], sql)
        equal(rows("SELECT id FROM w ORDER BY id"), [[1], [2]], sql)
    equal(rows("UPDATE w.branch_x SET s = 'r' WHERE w.id = 8 RETURNING w.*"), [[8, "r"]])
    equal(rows("DELETE FROM w.branch_x AS q WHERE q.id = 8 RETURNING q.id"), [[8]])
    equal((head("w"), rows("SELECT count(*) FROM w.history")), (start, history))
    run("TRUNCATE w.branch_x")
    equal(rows("SELECT count(*) FROM w.branch_x"), [[0]])
    equal(rows("SELECT count(*) FROM w VERSION AS OF 'x'"), [[0]])
    equal(head("w"), start)
    run("INSERT INTO w.branch_main VALUES (3, 'c')")
    equal(rows("SELECT count(*) FROM w"), [[3]])


@test
def a_branch_is_made_first_and_a_tag_is_not_written():
    run("CREATE TABLE f (id BIGINT); INSERT INTO f VALUES (1); ALTER TABLE f CREATE TAG t1")
    for sql in ("INSERT INTO f.branch_y VALUES (2)", "DELETE FROM f.branch_y", "UPDATE f.branch_y SET id = 2",
                "MERGE INTO f.branch_y USING f AS s ON s.id = f.id WHEN MATCHED THEN DELETE"):
        fails_with("snapshot_not_found", sql, "f.branch_y", "ALTER TABLE f CREATE BRANCH y")
    fails_with("invalid", "INSERT INTO f.tag_t1 VALUES (2)", "f.tag_t1", "tag")
    fails_with("invalid", "DELETE FROM f.branch_t1", "f.branch_t1", "tag")
    fails_with("namespace_not_found", "INSERT INTO nothing.branch_x VALUES (2)", "nothing")
    # A table of such a name wins.
    run("CREATE SCHEMA s; CREATE TABLE s.branch_z (id BIGINT)")
    run("INSERT INTO s.branch_z VALUES (1)")
    equal(rows("SELECT * FROM s.branch_z"), [[1]])


@test
def set_branch_is_for_all_that_follows():
    run("CREATE TABLE b (id BIGINT); INSERT INTO b VALUES (1); ALTER TABLE b CREATE BRANCH dev; CREATE TABLE other AS SELECT 1 AS id")
    equal(rows("SET branch = 'dev'; INSERT INTO b VALUES (2); UPDATE b SET id = id + 10; SELECT id FROM b ORDER BY id"), [[11], [12]])
    equal(rows("SELECT id FROM b"), [[1]])
    equal(rows("SET branch TO dev; SELECT * FROM other"), [[1]])
    equal(rows("USE BRANCH dev; SELECT count(*) FROM b, b.branch_main, b.files"), [[2]])
    equal(rows("SET branch = dev; RESET branch; SELECT id FROM b"), [[1]])
    equal(rows("SET branch = dev; SET branch = 'main'; SELECT id FROM b"), [[1]])
    equal(rows("SET branch = dev; SELECT id FROM b VERSION AS OF 'main'"), [[1]])
    fails_with("snapshot_not_found", "SET branch = 'dev'; INSERT INTO other VALUES (2)", "other", "RESET branch")
    fails_with("denied", "SET threads = 1", "SET")


@test
def branches_are_moved_on_to_those_that_contain_them():
    run("CREATE TABLE g (id BIGINT); INSERT INTO g VALUES (1); ALTER TABLE g CREATE BRANCH a; INSERT INTO g.branch_a VALUES (2)")
    old, new = head("g"), head("g", "a")
    got = run("CALL system.fast_forward('g', 'main', 'a')")
    equal([c["name"] for c in got["columns"]], ["branch_updated", "previous_ref", "updated_ref"])
    equal(got["rows"], [["main", old, new]])
    equal(rows("SELECT count(*) FROM g"), [[2]])
    equal(rows("SELECT count(*) FROM g.history"), [[2]])
    equal(rows("CALL fast_forward(table => 'g', branch => 'fresh', to => 'main')"), [["fresh", None, new]])
    equal(rows("CALL system.fast_forward('g', 'a', 'main')"), [["a", new, new]])
    run("INSERT INTO g VALUES (3); INSERT INTO g.branch_a VALUES (4)")
    fails_with("invalid", "CALL system.fast_forward('g', 'main', 'a')", None, "no ancestor")
    fails_with("snapshot_not_found", "CALL system.fast_forward('g', 'main', 'b')", "'b'", "does not exist")
    run("ALTER TABLE g CREATE TAG t")
    fails_with("invalid", "CALL system.fast_forward('g', 't', 'main')", "'t'", "tag")
    got = run("CALL system.ancestors_of('g')")
    equal([c["name"] for c in got["columns"]], ["snapshot_id", "timestamp"])
    equal([row[0] for row in got["rows"]], [head("g"), new, old])
    equal([row[0] for row in rows(f"CALL system.ancestors_of('g', {new})")], [new, old])
    fails_with("snapshot_not_found", "CALL system.ancestors_of(table => 'g', snapshot_id => 5)", "snapshot_id", "5")
    fails_with("invalid", "CALL system.ancestors_of('g', 1, 2)", "2)", "fewer")


@test
def snapshots_are_picked_once():
    run("CREATE TABLE k (id BIGINT, p INTEGER) PARTITIONED BY (p); INSERT INTO k VALUES (1, 1), (2, 2); ALTER TABLE k CREATE BRANCH c")
    run("INSERT INTO k.branch_c VALUES (3, 1)")
    fast = head("k", "c")
    run("INSERT INTO k VALUES (4, 2)")
    got = run(f"CALL system.cherrypick_snapshot('k', {fast})")
    equal([c["name"] for c in got["columns"]], ["source_snapshot_id", "current_snapshot_id"])
    equal(got["rows"], [[fast, head("k")]])
    check(head("k") != fast, "a new snapshot")
    equal(rows("SELECT id FROM k ORDER BY id"), [[1], [2], [3], [4]])
    equal(rows(f"SELECT summary['source-snapshot-id'], operation FROM k.snapshots WHERE snapshot_id = {head('k')}"), [[str(fast), "append"]])
    fails_with("invalid", f"CALL system.cherrypick_snapshot('k', {fast})", None, "picked already")
    fails_with("invalid", f"CALL system.cherrypick_snapshot('k', {head('k')})", None, "part of \"main\"")
    # An overwrite of partitions: as long as nobody touched them.
    run("ALTER TABLE k CREATE OR REPLACE BRANCH c")
    run("INSERT OVERWRITE k.branch_c VALUES (10, 1)")
    picked = head("k", "c")
    run("INSERT INTO k VALUES (5, 2)")
    run(f"CALL system.cherrypick_snapshot(table => 'k', snapshot_id => {picked})")
    equal(rows("SELECT id FROM k ORDER BY id"), [[2], [4], [5], [10]])
    run("ALTER TABLE k CREATE OR REPLACE BRANCH c")
    run("INSERT OVERWRITE k.branch_c VALUES (20, 1)")
    run("INSERT INTO k VALUES (6, 1)")
    fails_with("conflict", f"CALL system.cherrypick_snapshot('k', {head('k', 'c')})", None, "came between")
    # What was made of the present snapshot becomes it; other kinds are refused.
    run("ALTER TABLE k CREATE OR REPLACE BRANCH c")
    run("DELETE FROM k.branch_c WHERE id = 2")
    direct = head("k", "c")
    equal(rows(f"CALL system.cherrypick_snapshot('k', {direct})"), [[direct, direct]])
    run("UPDATE k.branch_c SET id = 7 WHERE id = 4")
    run("INSERT INTO k VALUES (8, 1)")
    fails_with("invalid", f"CALL system.cherrypick_snapshot('k', {head('k', 'c')})", None, "only appends")
    fails_with("snapshot_not_found", "CALL system.cherrypick_snapshot('k', 77)", None, "77")
    equal(rows("SELECT id FROM k ORDER BY id"), [[4], [5], [6], [8], [10]])


@test
def snapshots_expire_with_their_files():
    run("CREATE TABLE x (id BIGINT) WITH ('write.metadata.delete-after-commit.enabled' = 'true')")
    for number in range(4):
        run(f"INSERT INTO x VALUES ({number})")
    run("UPDATE x SET id = id + 10")
    run("ALTER TABLE x CREATE TAG keep")
    run("UPDATE x SET id = id + 10")
    run("UPDATE x SET id = id + 10")
    equal(rows("SELECT count(*) FROM x.snapshots"), [[7]])
    ids = [row[0] for row in rows("CALL system.ancestors_of('x')")]
    fails_with("invalid", f"CALL system.expire_snapshots(table => 'x', snapshot_ids => [{ids[0]}])", None, 'branch "main" needs it')
    fails_with("invalid", f"CALL system.expire_snapshots(table => 'x', snapshot_ids => ARRAY({ids[2]}))", None, 'tag "keep" needs it')
    got = run(f"CALL system.expire_snapshots(table => 'x', snapshot_ids => [{ids[1]}])")
    equal([c["name"] for c in got["columns"]],
          ["deleted_data_files_count", "deleted_position_delete_files_count", "deleted_equality_delete_files_count",
           "deleted_manifest_files_count", "deleted_manifest_lists_count", "deleted_statistics_files_count"])
    equal((got["rows"][0][0], got["rows"][0][4]), (1, 1))
    equal(rows("CALL system.expire_snapshots('x', TIMESTAMP '2001-01-01 00:00:00')"), [[0, 0, 0, 0, 0, 0]])
    got = rows("CALL system.expire_snapshots('x', TIMESTAMP '2100-01-01 00:00:00', 1)")
    equal((got[0][0], got[0][4]), (4, 4))
    equal(sorted(row[0] for row in rows("SELECT snapshot_id FROM x.snapshots")), sorted([ids[0], ids[2]]))
    equal(rows("SELECT sum(id) FROM x"), [[126]])
    equal(rows("SELECT sum(id) FROM x.tag_keep"), [[46]])
    equal(rows("SELECT count(*) FROM x.all_data_files"), [[2]])
    run("ALTER TABLE x SET PROPERTIES ('gc.enabled' = 'false')")
    fails_with("invalid", "CALL system.expire_snapshots('x')", None, "gc.enabled")


@test
def references_are_made_replaced_and_dropped():
    run("CREATE TABLE r (id BIGINT); INSERT INTO r VALUES (1); INSERT INTO r VALUES (2)")
    first = rows("SELECT snapshot_id FROM r.snapshots WHERE parent_id IS NULL")[0][0]
    run(f"ALTER TABLE r CREATE BRANCH a AS OF VERSION {first} RETAIN 7 DAYS WITH SNAPSHOT RETENTION 2 SNAPSHOTS 3 DAYS")
    equal(rows("SELECT * EXCLUDE (snapshot_id) FROM r.refs WHERE name = 'a'"), [["a", "BRANCH", 604800000, 2, 259200000]])
    fails_with("already_exists", "ALTER TABLE r CREATE BRANCH a", "a", "exists already")
    run("ALTER TABLE r CREATE BRANCH IF NOT EXISTS a")
    equal(head("r", "a"), first)
    run("ALTER TABLE r REPLACE BRANCH a WITH SNAPSHOT RETENTION 4 SNAPSHOTS")
    equal((head("r", "a"), rows("SELECT min_snapshots_to_keep FROM r.refs WHERE name = 'a'")), (head("r"), [[4]]))
    fails_with("snapshot_not_found", "ALTER TABLE r REPLACE TAG b", "b", "does not exist")
    run(f"ALTER TABLE r CREATE OR REPLACE TAG b AS OF VERSION {first} RETAIN 12 HOURS")
    fails_with("invalid", "ALTER TABLE r DROP BRANCH b", "b", "is a tag")
    run("ALTER TABLE r DROP TAG b, DROP TAG IF EXISTS b, DROP BRANCH a, DROP BRANCH IF EXISTS a")
    equal(rows("SELECT name FROM r.refs"), [["main"]])
    fails_with("invalid", "ALTER TABLE r DROP BRANCH main", "main", "main")


main()

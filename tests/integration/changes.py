#!/usr/bin/env python3
"""UPDATE, MERGE, DELETE USING and upserts: the same random statements on tarn's tables and on DuckDB's own leave the
same rows and count the same; sources are evaluated once, files without a changed row stay, and writers that come between
are told apart by the isolation level."""
# timeout: 240
# labels: slow
import glob
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import randomtables  # noqa: E402
from randomchanges import Changes  # noqa: E402
from oracle import Duck, DuckError  # noqa: E402
from tarn import (LONG, SANITIZED, Server, TarnError, check, contains, equal, fails, main, seed, shared,  # noqa: E402
                  test)

TABLES, CHANGES = (250, 20) if LONG else (2, 6) if SANITIZED else (8, 10)


# ---- random statements ----

def answers(client, sql):
    """The rows that are returned, as the oracle gives them, and how many rows were changed."""
    got = client.query(sql)
    return [[None if cell is None else str(cell) for cell in row] for row in got["rows"]], got["changed_rows"]


def change_both(client, duck, changes, tally):
    sql = changes.any()
    # DuckDB 1.5 returns zeros for columns that an UPDATE of NOT MATCHED BY SOURCE does not set.
    returns = changes.random.random() < 0.4 and "BY SOURCE" not in sql
    sql = changes.returning(sql) if returns else sql
    duck.run("BEGIN")
    try:
        own = changes.of_duck(sql)
        expected = sorted(duck.rows(own), key=str) if returns else duck.value(own)
        tally["members"] += own != sql
    except DuckError:  # a value that a row does not take, or an index that DuckDB finds violated too early
        duck.run("ROLLBACK")
        tally["errors"] += 1
        return
    returned = []
    try:
        if returns:
            returned, changed = answers(client, sql)
        else:
            changed = client.query(sql)["changed_rows"]
    except TarnError as error:
        duck.run("ROLLBACK")
        # Which rows a condition that fails is asked for differs with the order of evaluation.
        check(error.code in ("bad_data", "out_of_range", "invalid"), f"{changes.table.create()}\n    {sql}\n    {error}")
        tally["errors"] += 1
        tally["mine"] += 1
        print(f"only here: {error}")
        return
    duck.run("COMMIT")
    tally["changes"] += 1
    tally["rows"] += changed
    left, wanted = client.rows(changes.contents()), duck.rows(changes.contents())
    difference = next(((a, b) for a, b in zip(left + [None], wanted + [None]) if a != b), None)
    equal(difference, None, f"{changes.table.create()}\n    {sql}\n    rows ")
    if returns:
        returned = sorted(returned, key=str)
        difference = next(((a, b) for a, b in zip(returned + [None], expected + [None]) if a != b), None)
        equal(difference, None, f"{changes.table.create()}\n    {sql}\n    returned ")
        equal(changed, len(expected), f"{changes.table.create()}\n    {sql}\n    count ")
        tally["returned"] += changed
    else:
        equal(str(changed), expected, f"{changes.table.create()}\n    {sql}\n    count ")


@test
def random_changes_leave_what_duckdb_leaves():
    random = seed()
    tally = {"changes": 0, "rows": 0, "errors": 0, "mine": 0, "returned": 0, "members": 0}
    with Server() as server, server.client() as client:
        for number in range(TABLES):
            table = randomtables.Table(random, f"t{number}")
            duck, changes = Duck(), Changes(random, table)
            client.query(table.create(properties=f" WITH ('format-version' = '{2 + number % 2}')"))
            client.query(f"ALTER TABLE {table.name} SET IDENTIFIER FIELDS id")
            duck.run(table.create(spec=False).replace("id BIGINT NOT NULL", "id BIGINT PRIMARY KEY"))
            for sql in table.inserts():
                client.query(sql)
                duck.run(sql)
            for _ in range(CHANGES):
                change_both(client, duck, changes, tally)
    print(f"{tally['changes']} changes of {tally['rows']} rows, {tally['returned']} of them returned, "
          f"{tally['errors']} that fail, {tally['mine']} here alone")
    check(SANITIZED or tally["returned"] > 0, str(tally))
    check(not LONG or tally["members"] > 0, str(tally))
    check(tally["changes"] > TABLES * CHANGES / 2, "too few changes were tried")
    check(tally["mine"] <= 1 + TABLES * CHANGES / 20, "too many failed here alone")


def overwrite(random):
    """INSERT OVERWRITE in one of its forms, and what it means for a table without partitions: rows that go, rows that come."""
    p, q = random.choice(("0", "1", "2", "NULL")), random.choice(("'a'", "'b'", "NULL"))
    count = random.choice((0, 1, 5))
    ps, qs = ([random.choice(values) for _ in range(count)] for values in (("0", "1", "2", "NULL"), ("'a'", "'b'", "NULL")))
    form = random.randint(0, 3)
    ps = ps if form in (0,) else [p] * count
    qs = qs if form in (0, 1, 2) else [q] * count
    rows = [f"({ps[n]}, {qs[n]}, {random.randint(0, 9)})" for n in range(count)] or ["(NULL, NULL, NULL)"]
    source = f"(VALUES {', '.join(rows)}) v(p, q, n) WHERE {'true' if count else 'false'}"
    columns = ("p, q, n", "q, n", "q, n", "n")[form]
    clause = ("", f" PARTITION (p = {p})", f" PARTITION (p = {p}, q)", f" PARTITION (q = {q}, p = {p})")[form]
    own = f"EXISTS (SELECT 1 FROM {source} AND v.p IS NOT DISTINCT FROM w.p AND v.q IS NOT DISTINCT FROM w.q)"
    goes = (own, f"p IS NOT DISTINCT FROM {p}", own, f"p IS NOT DISTINCT FROM {p} AND q IS NOT DISTINCT FROM {q}")[form]
    return (f"INSERT OVERWRITE w{clause} SELECT {columns} FROM {source} RETURNING p, q, n",
            (f"DELETE FROM w WHERE {goes}", f"INSERT INTO w SELECT p::INTEGER, q, n FROM {source} RETURNING p, q, n"))


@test
def random_overwrites_replace_their_partitions():
    random, duck = seed(), Duck()
    contents = "SELECT CAST(p AS VARCHAR), q, CAST(n AS VARCHAR) FROM w ORDER BY ALL"
    run("CREATE TABLE w (p INTEGER, q VARCHAR, n INTEGER) PARTITIONED BY (p, q)")
    duck.run("CREATE TABLE w (p INTEGER, q VARCHAR, n INTEGER)")
    for _ in range(400 if LONG else 40):
        sql, own = overwrite(random)
        duck.run(own[0])
        expected = sorted(duck.rows(own[1]), key=str)
        returned, changed = answers(shared(), sql)
        equal((sorted(returned, key=str), changed), (expected, len(expected)), sql)
        equal(rows(contents), duck.rows(contents), sql)


# ---- once ----

def run(sql):
    return shared().query(sql)


def rows(sql):
    return shared().rows(sql)


@test
def sources_are_evaluated_once():
    run("CREATE TABLE o AS SELECT range AS id, 0.0::DOUBLE AS a, 0.0::DOUBLE AS b FROM range(3000)")
    equal(run("UPDATE o SET a = s.r, b = s.r FROM (SELECT range AS id, random() AS r FROM range(3000)) AS s "
              "WHERE s.id = o.id AND s.r < 0.5")["changed_rows"],
          rows("SELECT count(*) FROM o WHERE a > 0")[0][0])
    equal(rows("SELECT count(*) FROM o WHERE a <> b OR a >= 0.5"), [[0]])
    run("MERGE INTO o USING (SELECT range AS id, random() AS r FROM range(1000, 5000)) AS s ON s.id = o.id "
        "WHEN MATCHED AND s.r < 0.5 THEN UPDATE SET a = s.r, b = s.r + 1 WHEN MATCHED THEN DELETE "
        "WHEN NOT MATCHED AND s.r < 0.5 THEN INSERT VALUES (s.id, s.r, s.r + 1) WHEN NOT MATCHED THEN INSERT VALUES (-1, 0, 0)")
    equal(rows("SELECT count(*) FROM o WHERE id >= 1000 AND (a >= 0.5 OR b <> a + 1)"), [[0]])
    # Each source row went one way: an update or a delete, an insert or the other insert.
    equal(rows("SELECT count(*) FROM o WHERE id < 0 OR id >= 3000"), [[2000]])
    equal(rows("SELECT count(*) FROM (SELECT id FROM o WHERE id >= 0 GROUP BY id HAVING count(*) > 1)"), [[0]])
    # A condition of a branch is asked once for a row: what it refuses falls to the next.
    run("CREATE TABLE p AS SELECT range AS id, 0 AS way FROM range(2000)")
    equal(run("MERGE INTO p USING (SELECT range AS id FROM range(2000)) AS s USING (id) WHEN MATCHED AND random() < 0.5 "
              "THEN UPDATE SET way = 1 WHEN MATCHED THEN UPDATE SET way = 2")["changed_rows"], 2000)
    ways = dict(rows("SELECT way, count(*) FROM p GROUP BY ALL"))
    check(sorted(ways) == [1, 2] and 700 < ways[1] < 1300, str(ways))


# ---- which files ----

def paths(table):
    return {row[0] for row in rows(f"SELECT file_path FROM {table}.files")}


@test
def files_without_a_changed_row_stay():
    run("CREATE TABLE f (id BIGINT NOT NULL, s VARCHAR) PARTITIONED BY (truncate(100, id))")
    run("ALTER TABLE f SET IDENTIFIER FIELDS id")
    for first in (0, 100, 200, 300):
        run(f"INSERT INTO f SELECT range, 'x' || range FROM range({first}, {first + 100})")
    for sql, changed, gone, new in (
            ("UPDATE f SET s = 'new' WHERE id = 150", 1, 1, 1),
            ("UPDATE f SET s = v.s FROM (VALUES (150, 'a'), (250, 'b'), (950, 'c')) v(id, s) WHERE v.id = f.id", 2, 2, 2),
            ("UPDATE f SET id = 350 WHERE id = 150", 1, 1, 2),
            ("MERGE INTO f USING (VALUES (5, 'm'), (500, 'n')) v(id, s) ON v.id = f.id WHEN MATCHED THEN DELETE "
             "WHEN NOT MATCHED THEN INSERT *", 2, 1, 2),
            ("MERGE INTO f USING (VALUES (501, 'n')) v(id, s) ON v.id = f.id WHEN NOT MATCHED THEN INSERT *", 1, 0, 1),
            ("INSERT INTO f VALUES (250, 'z'), (777, 'z') ON CONFLICT (id) DO UPDATE SET s = EXCLUDED.s", 2, 1, 2),
            ("INSERT OR IGNORE INTO f VALUES (250, 'y')", 0, 0, 0),
            ("MERGE INTO f USING (VALUES (250)) v(id) ON v.id = f.id WHEN MATCHED AND s = 'nothing' THEN DELETE", 0, 0, 0),
            ("DELETE FROM f USING (VALUES (250), (250), (10)) v(id) WHERE v.id = f.id", 2, 2, 2)):
        before = paths("f")
        equal(run(sql)["changed_rows"], changed, sql)
        after = paths("f")
        equal((len(before - after), len(after - before)), (gone, new), sql)
    equal(rows("SELECT count(*), count(DISTINCT id) FROM f"), [[400, 399]])


@test
def rows_of_version_3_keep_their_ids():
    with Server(start=False) as server:
        folder = os.path.realpath(os.path.join(server.work, "lake"))
        os.mkdir(folder)
        server.settings = {"warehouse.roots": folder}
        server.start()
        server.query("CREATE TABLE t (id BIGINT, s VARCHAR)"
                     f" WITH ('format-version' = '3', location = 'file://{folder}/t')")
        for first in (0, 10):
            server.query(f"INSERT INTO t SELECT range, 'x' FROM range({first}, {first + 10})")
        seen = set(glob.glob(f"{folder}/t/data/**/*.parquet", recursive=True))
        for sql in ("UPDATE t SET s = 'y' WHERE id IN (3, 12)",
                    "MERGE INTO t USING (VALUES (3), (4), (50)) v(id) ON v.id = t.id WHEN MATCHED THEN UPDATE SET s = 'z' "
                    "WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'new')"):
            server.query(sql)
            files = set(glob.glob(f"{folder}/t/data/**/*.parquet", recursive=True))
            written, seen = files - seen, files
        equal(len(written), 1)
        with open(written.pop(), "rb") as file:
            server.request("POST", "/ingest/main.seen?format=parquet", body=file.read()).ok()
        found = {row[0]: row[1:] for row in server.rows("SELECT id, _row_id, _last_updated_sequence_number FROM seen")}
        # Rows that this change made have the sequence number of its commit, which NULL stands for; a new row a new id.
        equal([found[n] for n in (3, 4, 50, 12, 5, 15)], [[3, None], [4, None], [None, None], [12, 3], [5, 1], [15, 2]])
        equal(server.rows("SELECT id, s FROM t WHERE s <> 'x' ORDER BY id"),
              [[3, "z"], [4, "z"], [12, "y"], [50, "new"]])


# ---- values ----

@test
def values_are_checked_as_insert_checks_them():
    run("CREATE TABLE v (id INTEGER NOT NULL, small INTEGER, word VARCHAR NOT NULL DEFAULT 'none', d DATE DEFAULT '2024-02-29')"
        " WITH ('format-version' = '3')")
    run("INSERT INTO v VALUES (1, 1, 'a', NULL)")
    run("ALTER TABLE v SET IDENTIFIER FIELDS id")
    for sql, words in (
            ("UPDATE v SET word = NULL", 'column "word" of table "main.v" is required'),
            ("UPDATE v SET small = 3000000000", "INT32"),
            ("UPDATE v SET d = 'infinity'", 'column "d"'),
            ("MERGE INTO v USING (SELECT 2 AS n) s ON n = id WHEN NOT MATCHED THEN INSERT (small) VALUES (1)",
             'column "id" of table "main.v" is required'),
            ("MERGE INTO v USING (SELECT 2 AS n) s ON n = id WHEN NOT MATCHED THEN INSERT (id) VALUES (NULL)", 'column "id"'),
            ("INSERT INTO v (small) VALUES (1) ON CONFLICT (id) DO NOTHING", 'column "id"'),
            ("INSERT INTO v VALUES (1, 1, 'a') ON CONFLICT (id) DO NOTHING", "4 columns expected")):
        contains(str(fails_with(sql)), words, sql)
    run("UPDATE v SET word = DEFAULT, small = '7', d = DEFAULT WHERE id = 1")
    run("MERGE INTO v USING (SELECT 2 AS n) s ON n = id WHEN NOT MATCHED THEN INSERT (id, word) VALUES (n, DEFAULT)")
    run("INSERT INTO v (id) VALUES (3), (1) ON CONFLICT DO NOTHING")
    run("INSERT INTO v VALUES (4, 4, DEFAULT, DEFAULT) ON CONFLICT (id) DO UPDATE SET small = EXCLUDED.small")
    equal(rows("SELECT * FROM v ORDER BY id"), [[1, 7, "none", "2024-02-29"], [2, None, "none", "2024-02-29"],
                                               [3, None, "none", "2024-02-29"], [4, 4, "none", "2024-02-29"]])


def fails_with(sql):
    try:
        run(sql)
    except TarnError as error:
        check(error.status < 500, f"{sql}: {error}")
        check("#" not in (error.hint or "") + error.message, f"{sql}: {error.message} {error.hint}")
        return error
    return check(False, f"it was not refused: {sql}")


@test
def a_row_is_changed_once():
    run("CREATE TABLE d AS SELECT range AS id, 'x' AS s FROM range(5)")
    for sql, words in (
            ("UPDATE d SET s = v.s FROM (VALUES (1, 'a'), (2, 'b'), (2, 'c')) v(id, s) WHERE v.id = d.id", "main.d\": id = 2"),
            ("MERGE INTO d USING (VALUES (3), (3), (3)) v(id) ON v.id = d.id WHEN MATCHED THEN DELETE", "3 source rows"),
            ("INSERT INTO d VALUES (4, 'a'), (4, 'b') ON CONFLICT (id) DO UPDATE SET s = EXCLUDED.s", "id = 4"),
            ("INSERT INTO d VALUES (9, 'a'), (9, 'b') ON CONFLICT (id) DO UPDATE SET s = EXCLUDED.s", "id = 9")):
        contains(str(fails_with(sql)), words, sql)
    # A second row that changes nothing is none.
    run("MERGE INTO d USING (VALUES (3, 1), (3, 2)) v(id, n) ON v.id = d.id WHEN MATCHED AND n = 2 THEN UPDATE SET s = 'two'")
    run("INSERT INTO d VALUES (8, 'first'), (8, 'second'), (NULL, 'p'), (NULL, 'q') ON CONFLICT (id) DO NOTHING")
    equal(rows("SELECT id, s FROM d WHERE s <> 'x' ORDER BY ALL"), [[3, "two"], [8, "first"], [None, "p"], [None, "q"]])


@test
def mistakes_leave_the_table_alone_and_show_the_place():
    run("CREATE TABLE m AS SELECT range AS id, 'x' AS s FROM range(5)")
    before = paths("m")
    for code, sql, at in (
            ("syntax_error", "UPDATE m SET", None), ("syntax_error", "UPDATE m SET s = 'a') OR (true", ")"),
            ("syntax_error", "UPDATE m SET s = 'a' LIMIT 1", "LIMIT"),
            ("syntax_error", "MERGE INTO m USING m AS n ON m.id = n.id", None),
            ("syntax_error", "MERGE INTO m USING m AS n ON m.id = n.id) OR (true WHEN MATCHED THEN DELETE", ")"),
            ("unknown_column", "UPDATE m SET s = nope", "nope"), ("unknown_column", "UPDATE m SET nope = 1", "nope"),
            ("unknown_column", "MERGE INTO m USING m AS n ON m.id = n.id WHEN MATCHED THEN UPDATE SET s = n.nope", "n.nope"),
            ("table_not_found", "UPDATE m SET s = 'a' FROM nothing", "nothing"),
            ("table_not_found", "UPDATE nothing SET s = 'a'", "nothing"),
            ("table_not_found", "MERGE INTO m USING m AS n USING (id) WHEN NOT MATCHED THEN INSERT VALUES (m.id, 'a')", "m.id"),
            ("denied", "UPDATE m SET s = 'a' FROM read_csv('/etc/passwd')", "read_csv"),
            ("invalid", "UPDATE m SET s = max(s)", "max"), ("invalid", "UPDATE m SET id = row_number() OVER ()", "row_number"),
            ("invalid", "UPDATE m SET s = 'a', S = 'b'", "S ="), ("invalid", "UPDATE m SET s.a = 1", "s.a"),
            ("unknown_column", "UPDATE m SET s = 'a' RETURNING nope", "nope"),
            ("unknown_column", "INSERT INTO m VALUES (1, 'a') ON CONFLICT (id) DO NOTHING RETURNING nope", "nope"),
            ("not_supported", "MERGE INTO m USING m AS n JOIN m AS o USING (id) ON true WHEN MATCHED THEN DELETE", "JOIN"),
            ("not_supported", "MERGE INTO m USING m AS n USING (id) WHEN MATCHED THEN ERROR", "ERROR"),
            ("table_not_found", "WITH n AS (SELECT * FROM nothing) UPDATE m SET s = 'a' FROM n", "nothing"),
            ("invalid", "MERGE INTO m USING m AS n USING (id) WHEN MATCHED THEN DELETE WHEN MATCHED AND true THEN DELETE",
             "WHEN MATCHED AND"),
            ("invalid", "INSERT OR REPLACE INTO m VALUES (1, 'a')", "m VALUES"),
            ("unknown_column", "INSERT INTO m VALUES (1, 'a') ON CONFLICT (nope) DO NOTHING", "nope"),
            ("not_supported", "UPDATE m AT (VERSION => 1) SET s = 'a'", None)):
        error = fails_with(sql)
        if code != "not_supported" or "AT (" not in sql:
            equal(error.code, code, f"{sql}: {error}")
        if at:
            equal(error.position, sql.index(at), f"{sql}: {error}")
    equal(paths("m"), before)
    key = shared().make_principal("changes-reader", "reader")
    for sql in ("UPDATE m SET s = 'a'", "MERGE INTO m USING m AS n USING (id) WHEN MATCHED THEN DELETE",
                "INSERT INTO m VALUES (1, 'a') ON CONFLICT (id) DO NOTHING", "DELETE FROM m USING m AS n"):
        error = fails("denied", shared().query, sql, key=key)
        equal(error.status, 403, sql)


@test
def names_parameters_and_versions_are_found():
    run("CREATE SCHEMA a; CREATE SCHEMA a.b; CREATE TABLE a.b.t (id BIGINT, \"a col\" VARCHAR)")
    run("INSERT INTO a.b.t VALUES (1, 'x'), (2, 'y')")
    run("ALTER TABLE a.b.t CREATE TAG old")
    run("CREATE TABLE t AS SELECT 1 AS id, 'other' AS s")
    run("UPDATE a.b.t SET \"a col\" = 'z' WHERE t.id = 1")
    run("UPDATE tarn.a.b.t AS u SET \"a col\" = t.s FROM main.t WHERE u.id = t.id + 1")
    equal(rows("SELECT * FROM a.b.t ORDER BY id"), [[1, "z"], [2, "other"]])
    run("MERGE INTO tarn.a.b.t AS n USING tarn.a.b.t VERSION AS OF 'old' AS o ON n.id = o.id WHEN MATCHED THEN UPDATE SET *")
    equal(rows("SELECT * FROM a.b.t ORDER BY id"), [[1, "x"], [2, "y"]])
    shared().query("UPDATE a.b.t SET \"a col\" = $v WHERE id IN (SELECT id FROM main.t) AND id < $n", params={"v": "p", "n": 9})
    shared().query("MERGE INTO a.b.t USING (SELECT ?::BIGINT AS id) s USING (id) WHEN MATCHED AND ? THEN UPDATE SET \"a col\" = ?"
                   " WHEN NOT MATCHED THEN INSERT VALUES (id, ?)", params=[2, True, "q", "r"])
    # Another mention of the table is no more than the table.
    run("DELETE FROM a.b.t WHERE id IN (SELECT max(id) FROM (FROM a.b.t)) AND (SELECT count(*) FROM (DESCRIBE a.b.t)) = 2")
    equal(rows("SELECT * FROM a.b.t ORDER BY id"), [[1, "p"]])


# ---- several at once ----

# Some seconds of work, so that others' commits come between.
SLOW = "(SELECT sum(x.range * y.range) FROM range(8000) x, range(8000) y) > 0"


def change_while_appending(sql, append):
    """What became of `sql` while rows were appended as long as it ran: the rows that it changed, or a TarnError."""
    outcome = []

    def change():
        try:
            outcome.append(shared().query(sql)["changed_rows"])
        except TarnError as error:
            outcome.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    appended = 0
    while thread.is_alive():
        run(append)
        appended += 1
        thread.join(0.1)
    return outcome[0], appended


@test
def appends_in_between_are_told_apart_by_isolation():
    for operation, sql in (
            ("update", f"UPDATE c SET s = 'new' WHERE k = 1 AND {SLOW}"),
            ("merge", "MERGE INTO c USING (SELECT 1 AS k) v ON v.k = c.k AND c.k = 1 "
                      f"WHEN MATCHED AND {SLOW} THEN UPDATE SET s = 'new'")):
        for isolation, place, passes in (("serializable", 1, False), ("snapshot", 1, True), ("serializable", 2, True)):
            run("DROP TABLE IF EXISTS c")
            run("CREATE TABLE c (k INTEGER, s VARCHAR) PARTITIONED BY (k) WITH "
                f"('write.{operation}.isolation-level' = '{isolation}', 'commit.retry.num-retries' = '100')")
            run("INSERT INTO c VALUES (1, 'old'), (2, 'old')")
            got, appended = change_while_appending(sql, f"INSERT INTO c VALUES ({place}, 'appended')")
            what = f"{operation}, {isolation}, append to {place}, {appended} times: {got}"
            if passes:
                equal(got, 1, what)
                equal(rows("SELECT s, count(*) FROM c GROUP BY ALL ORDER BY ALL"),
                      [["appended", appended], ["new", 1], ["old", 1]], what)
            else:
                check(isinstance(got, TarnError) and got.code == "conflict", what)
                contains(got.message, "main.c", what)
                equal(rows("SELECT s, count(*) FROM c GROUP BY ALL ORDER BY ALL"), [["appended", appended], ["old", 2]])


@test
def columns_whose_names_a_change_needs_are_refused_and_no_other_row_goes():
    server = shared()
    server.query('CREATE TABLE own_names ("#file" INTEGER, id INTEGER); INSERT INTO own_names VALUES (0, 10), (0, 11); '
                 "INSERT INTO own_names VALUES (0, 21)")
    for sql in ('DELETE FROM own_names WHERE "#file" = 0 AND id % 100 = 21', "UPDATE own_names SET id = 1",
                "MERGE INTO own_names t USING (SELECT 10 AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE"):
        error = fails("not_supported", server.query, sql)
        contains(error.message, 'column "#file"')
    equal(server.value("SELECT count(*) FROM own_names"), 3)
    server.query('ALTER TABLE own_names RENAME COLUMN "#file" TO part; DELETE FROM own_names WHERE id = 21')
    equal(server.value("SELECT count(*) FROM own_names"), 2)


@test
def a_column_n_does_not_hide_which_key_came_twice():
    server = shared()
    server.query("CREATE TABLE keyed (id INTEGER, n INTEGER); INSERT INTO keyed VALUES (1, 1)")
    for sql in ("INSERT INTO keyed VALUES (1, 5), (1, 6) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
                "UPDATE keyed SET n = s.n FROM (VALUES (1, 5), (1, 6)) s(id, n) WHERE keyed.id = s.id"):
        error = fails("bad_data", server.query, sql)
        contains(error.message, "2 source rows are for one row")
    server.query("CREATE TABLE named_excluded (id INTEGER, excluded INTEGER)")
    fails("not_supported", server.query,
          "INSERT INTO named_excluded VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET excluded = 2")
    server.query("INSERT INTO named_excluded VALUES (1, 1) ON CONFLICT (id) DO NOTHING")


main()

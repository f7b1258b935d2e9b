#!/usr/bin/env python3
"""Tables that change while rows are in them: every ALTER TABLE with rows from before and after it, refusals that change
nothing, and changes beside writers. Random ones are in histories.py."""
# timeout: 240
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import TarnError, check, contains, equal, main, shared, test  # noqa: E402


def run(sql):
    return shared().query(sql)


def rows(sql):
    return shared().rows(sql)


def columns(table):
    return [(r[0], r[1]) for r in rows(f"DESCRIBE {table}")]


def refused(sql, *words, status=None):
    try:
        run(sql)
    except TarnError as error:
        for word in words:
            contains(str(error), word, sql)
        check(status is None or error.status == status, f"{sql}: {error.status}")
        return error
    return check(False, f"it was not refused: {sql}")


@test
def places_that_no_file_may_go_to_are_refused_at_once():
    for key in ("write.data.path", "write.metadata.path"):
        refused(f"CREATE TABLE elsewhere (id INTEGER) WITH ('{key}' = 'file:///etc/x')", key, "outside the warehouse roots")
        refused(f"CREATE TABLE elsewhere WITH ('{key}' = 'file:///etc/x') AS SELECT 1 AS id", key, "outside")
    run("CREATE TABLE elsewhere (id INTEGER)")
    refused("ALTER TABLE elsewhere SET PROPERTIES ('write.data.path' = '/etc/x')", "write.data.path", "outside")
    refused("ALTER TABLE elsewhere SET PROPERTIES ('location' = 'file:///etc/x')", "a table stays where it is")
    run("INSERT INTO elsewhere VALUES (1)")
    run("DROP TABLE elsewhere")


@test
def properties_that_name_a_column_follow_it():
    run("CREATE TABLE named (id INTEGER, s STRUCT(a VARCHAR)) WITH ('write.metadata.metrics.column.s.a' = 'full',"
        " 'schema.name-mapping.default' = '[{\"field-id\": 1, \"names\": [\"id\"]}]')")
    run("ALTER TABLE named RENAME COLUMN s TO t, RENAME COLUMN id TO number, ADD COLUMN more DATE")
    told = rows("SHOW CREATE TABLE named")[0][0]
    contains(told, "'write.metadata.metrics.column.t.a' = 'full'")
    contains(told, '{"field-id":1,"names":["id","number"]},{"field-id":4,"names":["more"]}')
    run("ALTER TABLE named DROP COLUMN t")
    check("metrics.column" not in rows("SHOW CREATE TABLE named")[0][0], "a property of a column that is gone")
    contains(refused("ALTER TABLE named SET PROPERTIES ('write.metadata.metrics.column.numbr' = 'none')", "numbr").hint,
             '"number"')
    run("DROP TABLE named")


@test
def rows_from_before_are_read_through_every_change_of_columns():
    run("CREATE TABLE c (id INTEGER NOT NULL, name VARCHAR, price DECIMAL(5, 2), f FLOAT, gone VARCHAR)")
    run("INSERT INTO c VALUES (1, 'one', 1.50, 0.5, 'x')")
    run("ALTER TABLE c ADD COLUMN day DATE AFTER id")
    equal(rows("SELECT * FROM c"), [[1, None, "one", "1.50", 0.5, "x"]])
    run("INSERT INTO c VALUES (2, '2024-02-29', 'two', 2, 1.5, 'y')")
    run("ALTER TABLE c RENAME name TO title")
    run("INSERT INTO c (id, title) VALUES (3, 'three')")
    run("ALTER TABLE c ALTER id TYPE BIGINT, ALTER price TYPE DECIMAL(20, 2), ALTER f TYPE DOUBLE")
    run("INSERT INTO c (id, price, f) VALUES (5000000000, 123456789012.25, 1e300)")
    run("ALTER TABLE c DROP gone")
    run("ALTER TABLE c ADD gone INTEGER")  # another column of the same name
    run("INSERT INTO c (id, gone) VALUES (6, 66)")
    run("ALTER TABLE c ALTER f FIRST, ALTER id DROP NOT NULL")
    run("INSERT INTO c (gone) VALUES (7)")
    equal(columns("c"), [("f", "DOUBLE"), ("id", "BIGINT"), ("day", "DATE"), ("title", "VARCHAR"),
                         ("price", "DECIMAL(20,2)"), ("gone", "INTEGER")])
    equal(rows("SELECT * FROM c ORDER BY id NULLS LAST"), [
        [0.5, 1, None, "one", "1.50", None], [1.5, 2, "2024-02-29", "two", "2.00", None],
        [None, 3, None, "three", None, None], [None, 6, None, None, None, 66],
        [1e300, 5000000000, None, None, "123456789012.25", None], [None, None, None, None, None, 7]])
    equal(rows("SELECT id FROM c WHERE id < 3 ORDER BY id"), [[1], [2]])
    equal(rows("SELECT title FROM c WHERE price = 1.5"), [["one"]])
    equal(rows("SELECT id FROM c WHERE gone IS NULL ORDER BY id"), [[1], [2], [3], [5000000000]])


@test
def nested_columns_change_in_place():
    run("CREATE TABLE n (id INTEGER, s STRUCT(a INTEGER, b VARCHAR), xs STRUCT(v INTEGER)[], m MAP(VARCHAR, INTEGER))")
    run("INSERT INTO n VALUES (1, {'a': 1, 'b': 'x'}, [{'v': 1}, {'v': 2}], MAP {'k': 1}), (2, NULL, NULL, NULL)")
    run("ALTER TABLE n ADD s.c DOUBLE FIRST, ADD xs.element.w VARCHAR")
    run("ALTER TABLE n ALTER s.a TYPE BIGINT, ALTER xs.element.v TYPE BIGINT, ALTER m.value TYPE BIGINT")
    run("ALTER TABLE n RENAME s.b TO text")
    run("INSERT INTO n VALUES (3, {'c': 0.5, 'a': 5000000000, 'text': 'z'}, [{'v': 3, 'w': 'w'}], "
        "MAP {'j': 5000000000})")
    equal(rows("SELECT * FROM n ORDER BY id"), [
        [1, {"c": None, "a": 1, "text": "x"}, [{"v": 1, "w": None}, {"v": 2, "w": None}], [{"key": "k", "value": 1}]],
        [2, None, None, None],
        [3, {"c": 0.5, "a": 5000000000, "text": "z"}, [{"v": 3, "w": "w"}], [{"key": "j", "value": 5000000000}]]])
    run("ALTER TABLE n DROP s.a")
    equal(rows("SELECT s FROM n WHERE s.text = 'x'"), [[{"c": None, "text": "x"}]])


@test
def defaults_are_for_old_rows_once_and_for_new_rows_as_they_are_now():
    refused("CREATE TABLE d2 (a INTEGER DEFAULT 1)", "format version 2")
    run("CREATE TABLE d (id INTEGER, a INTEGER DEFAULT 1) WITH ('format-version' = '3')")
    run("INSERT INTO d (id) VALUES (1)")
    run("ALTER TABLE d ADD b VARCHAR NOT NULL DEFAULT 'old', ADD c TIMESTAMP DEFAULT '2024-01-01 12:00:00'")
    run("ALTER TABLE d ALTER b SET DEFAULT 'new', ALTER a DROP DEFAULT")
    run("INSERT INTO d (id) VALUES (2)")
    run("INSERT INTO d VALUES (3, 3, DEFAULT, NULL), (4, DEFAULT, 'own', DEFAULT)")
    run("INSERT INTO d BY NAME SELECT 5 AS id")
    equal(rows("SELECT * FROM d ORDER BY id"), [
        [1, 1, "old", "2024-01-01T12:00:00"], [2, None, "new", "2024-01-01T12:00:00"], [3, 3, "new", None],
        [4, None, "own", "2024-01-01T12:00:00"], [5, None, "new", "2024-01-01T12:00:00"]])
    equal(rows("SELECT id FROM d WHERE b = 'old'"), [[1]])
    equal(rows("SELECT count(*) FROM d WHERE c >= '2024-01-01'"), [[4]])
    refused("ALTER TABLE d ADD e INTEGER DEFAULT 'many'", "default of column \"e\"")
    refused("ALTER TABLE d ADD e INTEGER DEFAULT 1 + 1")
    refused("ALTER TABLE d ADD e INTEGER[] DEFAULT '[1]'", "no default")
    run("ALTER TABLE d ADD e BLOB DEFAULT '\\xAA\\x00b', ADD g UUID DEFAULT '00000000-0000-0000-0000-00000000000a'")
    run("INSERT INTO d (id) VALUES (6)")
    equal(rows("SELECT DISTINCT e = '\\xAA\\x00b'::BLOB, g FROM d"), [[True, "00000000-0000-0000-0000-00000000000a"]])


@test
def loaded_rows_get_defaults_too():
    run("CREATE TABLE l (id INTEGER, a VARCHAR NOT NULL DEFAULT 'none') WITH ('format-version' = '3')")
    shared().request("POST", "/api/v1/tables/main.l/rows", [{"id": 1}, {"id": 2}]).ok()
    equal(rows("SELECT * FROM l ORDER BY id"), [[1, "none"], [2, "none"]])
    equal(rows("SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 'l' ORDER BY 1"),
          [["a", "'none'"], ["id", None]])


@test
def partitioning_and_order_change_for_new_rows():
    run("CREATE TABLE p (id INTEGER, day DATE, name VARCHAR)")
    run("INSERT INTO p VALUES (1, '2024-01-05', 'a')")
    run("ALTER TABLE p ADD PARTITION FIELD month(day)")
    run("INSERT INTO p VALUES (2, '2024-02-05', 'b'), (3, '2024-03-05', 'c')")
    run("ALTER TABLE p REPLACE PARTITION FIELD month(day) WITH day(day) AS d")
    run("ALTER TABLE p ADD PARTITION FIELD bucket(2, id)")
    run("INSERT INTO p VALUES (4, '2024-02-06', 'd')")
    run("ALTER TABLE p DROP PARTITION FIELD bucket(2, id)")
    run("ALTER TABLE p WRITE ORDERED BY name DESC")
    run("INSERT INTO p VALUES (5, '2024-02-06', 'e'), (6, '2024-02-06', 'f')")
    run("ALTER TABLE p DROP PARTITION FIELD d")
    run("INSERT INTO p VALUES (7, '2024-02-07', 'g')")
    equal(rows("SELECT id FROM p WHERE day >= '2024-02-06' ORDER BY id"), [[3], [4], [5], [6], [7]])
    equal(rows("SELECT id FROM p WHERE day = '2024-03-05'"), [[3]])
    equal(rows("SELECT count(*) FROM p"), [[7]])
    refused("ALTER TABLE p ADD PARTITION FIELD month(name)", "month", status=400)
    refused("ALTER TABLE p ADD PARTITION FIELD bucket(4, nam)", "no column \"nam\"", status=400)
    refused("ALTER TABLE p DROP COLUMN name", "ordered by it")


@test
def a_refused_change_leaves_the_table_as_it_was():
    run("CREATE TABLE r (a INTEGER, b VARCHAR)")
    run("INSERT INTO r VALUES (1, 'x')")
    before = rows("SHOW CREATE TABLE r")
    for sql, word in (
            ("ALTER TABLE r ADD c INTEGER, DROP nothing", "nothing"), ("ALTER TABLE r ADD A VARCHAR", "exists already"),
            ("ALTER TABLE r ALTER a TYPE VARCHAR", "cannot change"),
            ("ALTER TABLE r ADD c INTEGER NOT NULL", "required"),
            ("ALTER TABLE r ALTER a SET NOT NULL", "required"), ("ALTER TABLE r ADD c INTERVAL", "INTERVAL"),
            ("ALTER TABLE r RENAME a TO b", "exists already"), ("ALTER TABLE r SET FORMAT VERSION 1", "go back"),
            ("ALTER TABLE r SET IDENTIFIER FIELDS a", "required"),
            ("ALTER TABLE r SET ('gc.enabled' = 'no')", "true or false"),
            ("ALTER TABLE r SET ('tarn.nonsense' = '1')", "unknown"),
            ("ALTER TABLE r CREATE TAG t AS OF VERSION 5", "snapshot 5"),
            ("ALTER TABLE r DROP BRANCH main", "main"), ("ALTER TABLE r WRITE ORDERED BY c", "no column"),
            ("CALL system.rollback_to_snapshot('r', 5)", "snapshot 5"), ("CALL system.rollback('r', 5)", "procedure")):
        refused(sql, word)
        equal(rows("SHOW CREATE TABLE r"), before, sql)
    equal(columns("r"), [("a", "INTEGER"), ("b", "VARCHAR")])
    refused("ALTER TABLE nothing ADD a INTEGER", status=404)
    run("ALTER TABLE IF EXISTS nothing ADD a INTEGER")


@test
def a_reader_changes_nothing():
    run("CREATE TABLE guarded AS SELECT 1 AS a")
    key = shared().make_principal("evolution-reader", "reader")
    for sql in ("ALTER TABLE guarded ADD b INTEGER", "COMMENT ON TABLE guarded IS 'x'",
                "ALTER TABLE guarded RENAME TO g2",
                "CALL system.set_current_snapshot('guarded', 1)"):
        try:
            shared().query(sql, key=key)
            check(False, sql)
        except TarnError as error:
            equal(error.status, 403, sql)
    equal(columns("guarded"), [("a", "INTEGER")])


@test
def procedures_move_a_table_through_its_history():
    run("CREATE TABLE h (a INTEGER)")
    first = run("INSERT INTO h VALUES (1)")["snapshot_id"]
    run("ALTER TABLE h ADD b INTEGER")
    run("ALTER TABLE h CREATE TAG one")
    second = run("INSERT INTO h VALUES (2, 2)")["snapshot_id"]
    equal([str(v) for v in rows(f"CALL system.rollback_to_snapshot('h', {first})")[0]], [second, first])
    equal(rows("SELECT * FROM h"), [[1, None]])  # the schema stays
    refused(f"CALL tarn.system.rollback_to_snapshot(table => 'h', snapshot_id => {second})", "no ancestor")
    run(f"CALL tarn.set_current_snapshot(snapshot_id => {second}, table => 'main.h')")
    equal(rows("SELECT count(*) FROM h"), [[2]])
    run("CALL system.set_current_snapshot('h', ref => 'one')")
    run("INSERT INTO h VALUES (3, 3)")
    equal(rows("SELECT a FROM h ORDER BY a"), [[1], [3]])
    refused("CALL system.set_current_snapshot('h')", "either")
    refused("CALL system.rollback_to_snapshot('h')", "snapshot_id")
    refused("CALL system.rollback_to_snapshot('h', snapshot => 5)", "no argument \"snapshot\"")
    run("ALTER TABLE h DROP TAG one")


@test
def replacements_of_one_table_come_one_after_the_other():
    made, failed = [], []

    def replace(number, start):
        start.wait()
        try:
            run(f"CREATE OR REPLACE TABLE fought AS SELECT {number} AS who, i FROM range({100 + number}) r(i)")
            made.append(number)
        except TarnError as error:
            failed.append(str(error))

    for _ in range(6):
        run("DROP TABLE IF EXISTS fought")
        for _ in range(2):  # it is missing, then it is there
            start = threading.Barrier(3)
            threads = [threading.Thread(target=replace, args=(number, start)) for number in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            (found,) = rows("SELECT min(who), max(who), count(*) FROM fought")
            check(found[0] == found[1] and found[2] == 100 + found[0], f"rows of several: {found}")
    equal(failed, [])
    equal(len(made), 36)


@test
def main_goes_back_only_to_rows_that_the_schema_fits():
    run("CREATE TABLE back (a INTEGER, b VARCHAR)")
    run("INSERT INTO back VALUES (1, NULL)")
    first = rows("SELECT snapshot_id FROM back.snapshots")[0][0]
    run("ALTER TABLE back CREATE BRANCH old")
    run("INSERT INTO back VALUES (2, 'two')")
    run("CREATE OR REPLACE TABLE back (a INTEGER, b VARCHAR NOT NULL, c INTEGER NOT NULL)")
    for filled in (False, True):
        before = rows("SELECT * FROM back ORDER BY a")
        ways = [f"CALL system.set_current_snapshot('back', {first})",
                "CALL system.set_current_snapshot('back', ref => 'old')",
                f"BEGIN; CALL system.set_current_snapshot('back', {first}); COMMIT"]
        ways += [] if filled else ["CALL system.fast_forward('back', 'main', 'old')"]
        for sql in ways:
            told = refused(sql, f"main would be at snapshot {first}, which the current schema does not fit: "
                                'column "b" cannot become required')
            contains(told.hint, f"CREATE OR REPLACE TABLE … AS SELECT * FROM … VERSION AS OF {first}")
            equal(rows("SELECT * FROM back ORDER BY a"), before, sql)
        run("INSERT INTO back VALUES (3, 'three', 3)")
    run("ALTER TABLE back ALTER b DROP NOT NULL")
    refused(f"CALL system.set_current_snapshot('back', {first})", 'column "c" is required, and the rows')
    run("ALTER TABLE back ALTER c DROP NOT NULL")
    run(f"CALL system.set_current_snapshot('back', {first})")
    equal(rows("SELECT * FROM back"), [[1, None, None]])
    # the cure that the error names
    run("CREATE OR REPLACE TABLE back (a INTEGER, c INTEGER NOT NULL)")
    refused(f"CALL system.set_current_snapshot('back', {first})", "does not fit")
    run(f"CREATE OR REPLACE TABLE back AS SELECT * FROM back VERSION AS OF {first}")
    equal(rows("SELECT * FROM back"), [[1, None]])


@test
def versions_rise_with_rows_in_the_table():
    run("CREATE TABLE v (a INTEGER) WITH ('format-version' = '1')")
    run("INSERT INTO v VALUES (1)")
    run("ALTER TABLE v SET FORMAT VERSION 2")
    run("INSERT INTO v VALUES (2)")
    run("ALTER TABLE v SET ('format-version' = '3')")
    run("INSERT INTO v VALUES (3)")
    run("ALTER TABLE v ADD t TIMESTAMP_NS DEFAULT '2024-01-01 00:00:00.123456789'")
    equal(rows("SELECT a, t FROM v ORDER BY a"), [[i, "2024-01-01T00:00:00.123456789"] for i in (1, 2, 3)])
    contains(rows("SHOW CREATE TABLE v")[0][0], "'format-version' = '3'")


@test
def columns_come_while_others_write():
    run("CREATE TABLE w (id INTEGER)")
    failures = []

    def write(number):
        for i in range(8):
            try:
                run(f"INSERT INTO w (id) VALUES ({number * 100 + i})")
            except TarnError as error:
                failures.append(str(error))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for i in range(6):
        run(f"ALTER TABLE w ADD c{i} INTEGER")
    for thread in threads:
        thread.join()
    equal(failures, [])
    equal(rows("SELECT count(*), count(DISTINCT id) FROM w"), [[24, 24]])
    equal(len(columns("w")), 7)


@test
def partition_values_of_narrower_types_are_found():
    run("CREATE TABLE a (a INTEGER, b DECIMAL(5,2), n INTEGER) PARTITIONED BY (a, truncate(10, n), truncate(100, b))")
    run("INSERT INTO a VALUES (1, 1.5, 15), (2, 2.5, 25)")
    run("ALTER TABLE a ALTER a TYPE BIGINT, ALTER b TYPE DECIMAL(20,2), ALTER n TYPE BIGINT")
    for i in range(12):
        run(f"INSERT INTO a VALUES ({i+5000000000}, {i}, {i*10})")
    run("INSERT INTO a VALUES (1, 1.5, 16)")
    equal(rows("SELECT a, b, n FROM a WHERE a = 1 ORDER BY n"), [[1,"1.50",15],[1,"1.50",16]])
    equal(rows("SELECT n FROM a WHERE n BETWEEN 10 AND 19 ORDER BY n"), [[10],[15],[16]])
    equal(rows("SELECT n FROM a WHERE b = 2.5"), [[25]])
    run("ALTER TABLE a RENAME a TO z")
    run("INSERT INTO a VALUES (2, 9, 9)")
    equal(rows("SELECT n FROM a WHERE z = 2 ORDER BY n"), [[9],[25]])

@test
def dates_become_timestamps():
    run("CREATE TABLE e (id INTEGER, day DATE) PARTITIONED BY (month(day)) WITH ('format-version' = '3')")
    run("INSERT INTO e VALUES (1, '2024-01-05'), (2, '1969-12-31'), (3, NULL)")
    run("ALTER TABLE e ALTER day TYPE TIMESTAMP")
    run("INSERT INTO e VALUES (4, '2024-01-05 12:00:00')")
    for i in range(10):
        run(f"INSERT INTO e VALUES ({i+5}, '2025-01-05 12:00:00')")
    equal(rows("SELECT id, day FROM e WHERE day < '2024-02-01' ORDER BY id"),
          [[1,"2024-01-05T00:00:00"],[2,"1969-12-31T00:00:00"],[4,"2024-01-05T12:00:00"]])
    equal(rows("SELECT id FROM e WHERE day = '2024-01-05'"), [[1]])
    equal(rows("SELECT id FROM e WHERE day >= '2024-01-05 11:00:00' AND day < '2025-01-01'"), [[4]])

@test
def a_dropped_partition_column_lives_on_in_old_specs():
    run("CREATE TABLE m (id INTEGER, p VARCHAR) PARTITIONED BY (p)")
    for i in range(5):
        run(f"INSERT INTO m VALUES ({i}, 'p{i}')")
    run("ALTER TABLE m DROP PARTITION FIELD p")
    run("ALTER TABLE m DROP p")
    for i in range(12):
        run(f"INSERT INTO m VALUES ({i+5})")
    equal(rows("SELECT count(*), sum(id) FROM m"), [[17, sum(range(17))]])
    equal(rows("SELECT id FROM m WHERE id = 3"), [[3]])
    run("ALTER TABLE m ADD p INTEGER")
    run("INSERT INTO m VALUES (100, 5)")
    equal(rows("SELECT id FROM m WHERE p = 5"), [[100]])
    equal(rows("SELECT count(*) FROM m WHERE p IS NULL"), [[17]])

@test
def defaults_of_every_kind_are_shown_as_they_can_be_typed():
    kinds = ("t TIMESTAMPTZ DEFAULT '2024-01-01 00:00:00+02'", "f FLOAT DEFAULT 0.1", "g DOUBLE DEFAULT 1e300",
             "x DECIMAL(38,10) DEFAULT 12345678901234567890.5", "tt TIME DEFAULT '10:11:12.5'",
             "b BOOLEAN DEFAULT true",
             "u UUID DEFAULT '00000000-0000-0000-0000-00000000000a'", "z BLOB DEFAULT '\\x00a'")
    run(f"CREATE TABLE k (id INTEGER, {', '.join(kinds)}) WITH ('format-version' = '3')")
    run("INSERT INTO k (id) VALUES (1)")
    run("ALTER TABLE k " + ", ".join("ADD " + kind.replace(" ", "2 ", 1) for kind in kinds))
    equal(rows("SELECT t = t2, f = f2, g = g2, x = x2, tt = tt2, b = b2, u = u2, z = z2 FROM k"), [[True] * 8])
    sql = rows("SHOW CREATE TABLE k")[0][0]
    run("DROP TABLE k")
    run(sql)
    equal(rows("SHOW CREATE TABLE k")[0][0], sql)


@test
def ordered_tables_take_the_rows_of_tables():
    run("CREATE TABLE o (id BIGINT, g INTEGER) PARTITIONED BY (truncate(2, g))")
    run("INSERT INTO o SELECT i, (i % 5)::INTEGER FROM range(100) r(i)")
    run("ALTER TABLE o WRITE ORDERED BY id DESC")
    run("INSERT INTO o SELECT id + 100, g FROM o WHERE id < 50")
    equal(rows("SELECT count(*), sum(id) FROM o"), [[150, sum(range(150))]])
    equal(run("DELETE FROM o WHERE id % 10 = 3")["changed_rows"], 15)
    run("INSERT OVERWRITE o SELECT id, g FROM o WHERE g > 1")
    equal(rows("SELECT count(*), sum(id) FROM o"), [[135, sum(i for i in range(150) if i % 10 != 3)]])


main()

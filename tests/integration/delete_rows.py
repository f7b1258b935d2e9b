#!/usr/bin/env python3
"""DELETE, TRUNCATE and INSERT OVERWRITE: what is left is what a SELECT said would be left, by whatever way the rows
went: whole files by their metadata, or files written anew."""
# timeout: 120
import glob
import gzip
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import randomtables  # noqa: E402
from tarn import LONG, SANITIZED, Server, TarnError, check, equal, fails, main, seed, test  # noqa: E402

TABLES, DELETES = (60, 12) if LONG else (3, 6) if SANITIZED else (10, 10)


def lake():
    server = Server(start=False)
    server.folder = os.path.realpath(os.path.join(server.work, "lake"))
    os.mkdir(server.folder)
    server.settings = {"warehouse.roots": server.folder}
    return server.start()


def metadata(server, name):
    """The newest metadata file of a table in the folder."""
    with open(sorted(glob.glob(f"{server.folder}/{name}/metadata/*.metadata.json"))[-1], "rb") as file:
        data = file.read()
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


def summary(server, name):
    m = metadata(server, name)
    return next(s["summary"] for s in m["snapshots"] if s["snapshot-id"] == m["current-snapshot-id"])


def data_files(server, name):
    """Path to inode and time of change of every data file that lies in the folder."""
    found = glob.glob(f"{server.folder}/{name}/data/**/*.parquet", recursive=True)
    return {path: (os.stat(path).st_ino, os.stat(path).st_mtime_ns) for path in found}


def create(server, name, columns, more=""):
    server.query(f"CREATE TABLE {name} ({columns}) {more} WITH (location = 'file://{server.folder}/{name}')")


# ---- what is left ----

def kept_ids(client, table, condition):
    return client.rows(f"SELECT id FROM {table.name} WHERE ({condition}) IS NOT TRUE ORDER BY id")


def delete_at_random(client, table, random, tally):
    condition = randomtables.predicate(table, random)
    # A part of the rows each time, so that some are left for the next.
    if random.random() < 0.5:
        condition = f"({condition}) AND id % 3 = {random.randint(0, 2)}"
    try:
        expected = kept_ids(client, table, condition)
    except TarnError as error:
        # A row may be what makes it fail: then it need not, but it leaves the table alone if it does.
        tally["errors"] += 1
        check(error.status < 500, f"{condition}: {error}")
        return
    before = client.value(f"SELECT count(*) FROM {table.name}")
    try:
        deleted = client.query(f"DELETE FROM {table.name} WHERE {condition}")["changed_rows"]
    except TarnError as error:
        raise AssertionError(f"{table.create()}\n    DELETE WHERE {condition}: {error}") from error
    left = client.rows(f"SELECT id FROM {table.name} ORDER BY id")
    equal(left, expected, f"{table.create()}\n    DELETE WHERE {condition}: ")
    equal(deleted, before - len(left), condition)
    tally["deletes"] += 1
    tally["rows"] += deleted


@test
def what_is_left_is_what_was_not_chosen():
    random = seed()
    tally = {"deletes": 0, "rows": 0, "errors": 0}
    with Server() as server, server.client() as client:
        for number in range(TABLES):
            table = randomtables.Table(random, f"t{number}")
            client.query(table.create(properties=f" WITH ('format-version' = '{2 + number % 2}')"))
            whole = f"SELECT * FROM {table.name} ORDER BY id"
            for sql in table.inserts():
                client.query(sql)
            rows = {row[0]: row for row in client.rows(whole)}
            for _ in range(DELETES):
                delete_at_random(client, table, random, tally)
            for row in client.rows(whole):  # and nothing of what is left has changed
                equal(row, rows[row[0]])
            if random.random() < 0.5:
                left = client.value(f"SELECT count(*) FROM {table.name}")
                equal(client.query(f"TRUNCATE {table.name}")["changed_rows"], left)
                equal(client.value(f"SELECT count(*) FROM {table.name}"), 0)
    print(f"{tally['deletes']} deletes of {tally['rows']} rows, {tally['errors']} conditions that fail")
    check(tally["deletes"] > TABLES * DELETES / 2, "too few deletes were tried")


@test
def a_condition_is_asked_once_for_a_row():
    with Server() as server:
        server.query("CREATE TABLE t AS SELECT range AS id FROM range(4000)")
        deleted = server.query("DELETE FROM t WHERE random() < 0.5")["changed_rows"]
        check(1600 < deleted < 2400, f"{deleted} of 4000")
        equal(server.value("SELECT count(*) FROM t"), 4000 - deleted)
        equal(server.query("DELETE FROM t WHERE id IN (SELECT max(id) FROM t)")["changed_rows"], 1)
        equal(server.query("DELETE FROM t AS x WHERE EXISTS (SELECT 1 FROM t AS y WHERE y.id > x.id)")["changed_rows"],
              4000 - deleted - 2)


# ---- which files ----

@test
def files_without_a_matching_row_stay():
    with lake() as server:
        create(server, "t", "id BIGINT, s VARCHAR")
        for first in (0, 100, 200):
            server.query(f"INSERT INTO t SELECT range, 'x' || range FROM range({first}, {first + 100})")
        before = data_files(server, "t")
        equal(len(before), 3)
        equal(server.query("DELETE FROM t WHERE s = 'x150' OR s LIKE 'x1_1'")["changed_rows"], 11)
        after = data_files(server, "t")
        equal(len(after), 4)
        equal({path: after[path] for path in before}, before)
        told = summary(server, "t")
        equal((told["operation"], told["deleted-data-files"], told["added-data-files"]), ("overwrite", "1", "1"))
        equal((told["deleted-records"], told["added-records"], told["total-records"]), ("100", "89", "289"))
        # Rows that are not there change nothing at all.
        version = metadata(server, "t")["current-snapshot-id"]
        equal(server.query("DELETE FROM t WHERE s LIKE 'y%'")["changed_rows"], 0)
        equal(metadata(server, "t")["current-snapshot-id"], version)


@test
def whole_files_go_by_their_metadata():
    with lake() as server:
        create(server, "t", "id BIGINT, d DATE, s VARCHAR", "PARTITIONED BY (month(d))")
        for year in (2020, 2021):
            server.query(f"INSERT INTO t SELECT range, DATE '{year}-01-01' + range::INTEGER, 'x' FROM range(90)")
        before = data_files(server, "t")
        for condition, rows, files in (("d >= DATE '2021-01-01' AND d < DATE '2021-02-01'", 31, 1),
                                       ("d < '2021-01-01'", 90, 3), ("id IS NULL", 0, 0), ("t.id <= 58", 28, 1)):
            read = server.query("SELECT 1")["stats"]["bytes_read"]
            answer = server.query(f"DELETE FROM t WHERE {condition}")
            equal(answer["changed_rows"], rows, condition)
            equal(answer["stats"]["bytes_read"], read, condition)
            if rows:
                told = summary(server, "t")
                equal((told["operation"], told["deleted-data-files"]), ("delete", str(files)), condition)
        equal(data_files(server, "t"), before)  # earlier snapshots still have them
        equal(server.query("DELETE FROM t")["changed_rows"], 31)
        equal(server.value("SELECT count(*) FROM t"), 0)
        equal(summary(server, "t")["total-data-files"], "0")
        equal(server.query("TRUNCATE TABLE t")["changed_rows"], 0)
        server.query("INSERT INTO t VALUES (1, NULL, NULL)")
        equal(server.rows("SELECT * FROM t"), [[1, None, None]])


@test
def conditions_of_every_form_are_proven_by_metadata():
    """Three files of one row each, and one of nulls: what a condition says of bounds decides, not a look at rows."""
    rows = ["(1, '2024-01-01', 1.5, 1.5, '2024-01-01 00:00:00+00', 'abc', TRUE, 1.25)",
            "(2, '2024-01-02', 2.5, 2.5, '2024-01-02 00:00:00+00', 'xyz', FALSE, 2.25)",
            "(3, '2024-01-03', -1, -1, '2024-01-03 00:00:00+00', 'xzz', TRUE, -3)",
            "(4, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"]
    with lake() as server:
        create(server, "t", "id INTEGER, d DATE, f DOUBLE, g FLOAT, tz TIMESTAMPTZ, s VARCHAR, b BOOLEAN, n DECIMAL")
        for condition, gone in (
                ("NOT (d < '2024-01-02')", [2, 3]),
                ("d NOT BETWEEN '2024-01-02' AND '2024-01-03'", [1]),
                ("NOT (s IS NULL)", [1, 2, 3]), ("NOT (s IS NOT NULL)", [4]),
                ("s LIKE 'x%'", [2, 3]), ("starts_with(s, 'ab')", [1]), ("s ^@ 'xz'", [3]), ("s LIKE '%'", [1, 2, 3]),
                ("f > 2.0", [2]), ("f <= 1.5", [1, 3]), ("f = -1", [3]), ("f < 1e0", [3]), ("g > 2.25", [2]),
                ("tz >= '2024-01-02 00:00:00+00'", [2, 3]), ("b", [1, 3]), ("NOT b", [2]),
                ("tz < TIMESTAMPTZ '2024-01-02 01:00:00+01'", [1]), ("b = TRUE", [1, 3]),
                ("n > 1.5", [2]), ("n = -3.00", [3]), ("NOT (n > 1.5)", [1, 3])):
            for row in rows:
                server.query(f"INSERT INTO t VALUES {row}")
            answer = server.query(f"DELETE FROM t WHERE {condition}")
            equal(answer["changed_rows"], len(gone), condition)
            equal(answer["stats"]["bytes_read"], 0, condition)
            equal(server.rows("SELECT id FROM t ORDER BY id"), [[i] for i in (1, 2, 3, 4) if i not in gone])
            server.query("TRUNCATE TABLE t")
        # What metadata cannot prove is read.
        for condition, gone in (("d NOT IN ('2024-01-02')", [1, 3]), ("NOT (id IN (1, 2))", [3, 4]),
                                ("NOT (id = 1 OR s = 'xyz')", [3]), ("NOT (id = 1 AND s = 'abc')", [2, 3, 4]),
                                ("f NOT IN (1.5, 2.5)", [3]), ("b <> TRUE", [2]), ("s NOT LIKE 'x%'", [1]),
                                ("s LIKE 'x_z'", [2, 3]), ("s LIKE 'x%z'", [2, 3]),
                                ("NOT (id IS NOT DISTINCT FROM 1)", [2, 3, 4]), ("g = 0.1 OR id = 2", [2]),
                                ("d IS DISTINCT FROM DATE '2024-01-01'", [2, 3, 4])):
            for row in rows:
                server.query(f"INSERT INTO t VALUES {row}")
            equal(server.query(f"DELETE FROM t WHERE {condition}")["changed_rows"], len(gone), condition)
            equal(server.rows("SELECT id FROM t ORDER BY id"), [[i] for i in (1, 2, 3, 4) if i not in gone])
            server.query("TRUNCATE TABLE t")
        # NaN is above every number, and a bound tells nothing of it.
        server.query("INSERT INTO t (id, f) VALUES (1, 5), (2, 'NaN')")
        equal(server.query("DELETE FROM t WHERE NOT (f > 10)")["changed_rows"], 1)
        equal(server.rows("SELECT id FROM t"), [[2]])


@test
def rows_of_version_3_keep_their_ids():
    with lake() as server:
        server.query("CREATE TABLE t (id BIGINT, s VARCHAR)"
                     f" WITH ('format-version' = '3', location = 'file://{server.folder}/t')")
        for first in (0, 10):
            server.query(f"INSERT INTO t SELECT range, 'x' || range FROM range({first}, {first + 10})")
        for condition in ("id % 5 = 2", "id IN (0, 11)"):  # the second reads ids that the first wrote
            before = set(data_files(server, "t"))
            server.query(f"DELETE FROM t WHERE {condition}")
        written = set(data_files(server, "t")) - before
        equal(len(written), 1)
        with open(written.pop(), "rb") as file:
            server.request("POST", "/ingest/main.seen?format=parquet", body=file.read()).ok()
        equal(server.rows("SELECT id, _row_id, _last_updated_sequence_number FROM seen ORDER BY id"),
              [[n, n, 1 if n < 10 else 2] for n in range(20) if n % 5 != 2 and n not in (0, 11)])
        equal(metadata(server, "t")["next-row-id"], 10 + 10 + 16 + 14)


@test
def an_overwrite_replaces_the_partitions_of_its_rows():
    with Server() as server:
        server.query("CREATE TABLE t (k INTEGER, v VARCHAR) PARTITIONED BY (k)")
        server.query("INSERT INTO t VALUES (1, 'a'), (1, 'b'), (2, 'c'), (NULL, 'd')")
        equal(server.query("INSERT OVERWRITE t VALUES (1, 'new'), (NULL, 'nothing')")["changed_rows"], 2)
        equal(server.rows("SELECT v FROM t ORDER BY v"), [["c"], ["new"], ["nothing"]])
        server.query("INSERT OVERWRITE TABLE t BY NAME SELECT 'self' AS v, k FROM t WHERE k = 2")
        equal(server.rows("SELECT v FROM t ORDER BY v"), [["new"], ["nothing"], ["self"]])
        server.query("CREATE TABLE u AS SELECT 1 AS n")
        server.query("INSERT OVERWRITE INTO u SELECT n + 1 FROM u")
        equal(server.rows("SELECT n FROM u"), [[2]])
        server.query("INSERT OVERWRITE u SELECT 5 WHERE false")
        equal(server.rows("SELECT n FROM u"), [])
        server.query("INSERT OVERWRITE t PARTITION (k = 1) VALUES ('x')")
        equal(server.rows("SELECT v FROM t ORDER BY v"), [["nothing"], ["self"], ["x"]])


# ---- what is refused ----

@test
def mistakes_leave_the_table_alone():
    with Server() as server:
        server.query("CREATE TABLE t AS SELECT range AS id FROM range(10)")
        for code, sql in (("syntax_error", "DELETE t"), ("syntax_error", "DELETE FROM t WHERE"),
                          ("syntax_error", "DELETE FROM t WHERE id = 1) OR (true"),
                          ("syntax_error", "DELETE FROM t WHERE id = 1 GROUP BY id"),
                          ("syntax_error", "DELETE FROM t WHERE id = 1 LIMIT 1"), ("syntax_error", "TRUNCATE t WHERE true"),
                          ("table_not_found", "DELETE FROM nothing"), ("unknown_column", "DELETE FROM t WHERE nope"),
                          ("denied", "DELETE FROM t WHERE id = (SELECT count(*) FROM read_csv('/etc/passwd'))")):
            try:
                server.query(sql)
                raise AssertionError(f"{sql} passed")
            except TarnError as error:
                equal(error.code, code, sql)
                check("#" not in (error.hint or "") + error.message, f"{sql}: {error.message} {error.hint}")
        error = fails("unknown_column", server.query, "DELETE FROM t WHERE nope = 1")
        equal(error.position, len("DELETE FROM t WHERE "))
        equal(server.value("SELECT count(*) FROM t"), 10)
        server.query("CREATE TABLE v3 (id BIGINT) PARTITIONED BY (id) WITH ('format-version' = '3')")
        server.query("INSERT INTO v3 VALUES (1), (2)")
        equal(server.query("DELETE FROM v3 WHERE id = 1")["changed_rows"], 1)


# ---- several at once ----

@test
def writers_at_the_same_time_lose_nothing():
    writers, rounds = (4, 3) if SANITIZED else (6, 8)
    outcomes, lock = [], threading.Lock()

    def delete(server, mine):
        with server.client() as client:
            for n in range(rounds):
                try:
                    client.query(f"DELETE FROM t WHERE w = {mine} AND id % {rounds} = {n}")
                    outcome = (mine, n)
                except TarnError as error:
                    equal(error.code, "conflict", str(error))
                    outcome = None
                with lock:
                    outcomes.append(outcome)
                client.query(f"INSERT INTO t VALUES ({1000 + n}, {mine + 100})")

    with Server() as server:
        server.query("CREATE TABLE t (id BIGINT, w BIGINT) PARTITIONED BY (w) WITH ('commit.retry.num-retries' = '100')")
        server.query(f"INSERT INTO t SELECT i, w FROM range({rounds * 10}) a(i), range({writers}) b(w)")
        threads = [threading.Thread(target=delete, args=(server, n)) for n in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        passed = [o for o in outcomes if o]
        equal(len(outcomes), writers * rounds)
        # Each touches its own partition: nobody is in anybody's way.
        equal(len(passed), writers * rounds)
        equal(server.value("SELECT count(*) FROM t WHERE w < 100"), 0)
        equal(server.value("SELECT count(*) FROM t"), writers * rounds)


main()

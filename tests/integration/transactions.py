#!/usr/bin/env python3
"""Transactions: several statements over several tables become visible together or not at all, whoever does what at the
same time, and wherever the process dies; sessions belong to those who made them and end by themselves.

TARN_LONG=1 runs more histories."""
# timeout: 300
# labels: slow
import http.client
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import LONG, SANITIZED, Failed, Server, TarnError, check, equal, eventually, main, test  # noqa: E402

HISTORIES = 60 if LONG else 4 if SANITIZED else 8


class Session:
    """A client whose requests share a session."""

    def __init__(self, server, key=None, **body):
        self.client = server.client(key)
        self.id = self.client.request("POST", "/api/v1/sessions", body).ok().json["session"]

    def query(self, sql, **members):
        return self.client.query(sql, session=self.id, **members)

    def rows(self, sql):
        return self.query(sql)["rows"]

    def value(self, sql):
        return self.client.value(sql, session=self.id)

    def end(self):
        self.client.request("DELETE", "/api/v1/sessions/" + self.id).ok()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()


def refused(run, code, part="", sqlstate=None):
    try:
        run()
    except TarnError as error:
        equal(error.code, code, str(error))
        check(part in error.message, f"{part!r} is not in {error.message!r}")
        if sqlstate:
            equal(error.error["sqlstate"], sqlstate)
        return error
    raise Failed(f"nothing was refused; expected {code}")


def setup(server, *scripts):
    for script in scripts:
        server.query(script)


@test
def a_script_is_one_commit_and_reads_what_it_wrote():
    with Server() as server:
        setup(server, "CREATE TABLE a (i INTEGER)", "CREATE TABLE b (i INTEGER)")
        answer = server.query("BEGIN; INSERT INTO a VALUES (1), (2); INSERT INTO b SELECT i * 10 FROM a;"
                              "UPDATE a SET i = 3 WHERE i = 2; SELECT (SELECT sum(i) FROM a), (SELECT sum(i) FROM b)")
        equal(answer["rows"], [[4, 30]])
        equal(answer["transaction"], "rolled back")
        equal(server.rows("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"), [[0, 0]])
        answer = server.query("BEGIN TRANSACTION; INSERT INTO a VALUES (1), (2); DELETE FROM a WHERE i = 1;"
                              "CREATE TABLE c AS SELECT i + 1 AS j FROM a; INSERT INTO c VALUES (9); COMMIT")
        equal(answer["transaction"], "committed")
        equal(server.rows("SELECT i FROM a"), [[2]])
        equal(server.rows("SELECT j FROM c ORDER BY j"), [[3], [9]])
        server.restart()
        equal(server.rows("SELECT j FROM c ORDER BY j"), [[3], [9]])


@test
def nobody_sees_what_is_open():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)", "INSERT INTO a VALUES (1)")
        equal(s.query("BEGIN").get("transaction"), "open")
        s.query("INSERT INTO a VALUES (2)")
        s.query("CREATE SCHEMA fresh")
        s.query("CREATE TABLE fresh.t AS SELECT 7 AS x")
        s.query("ALTER TABLE a RENAME TO z")
        equal(s.rows("SELECT * FROM z ORDER BY 1"), [[1], [2]])
        equal(s.rows("SELECT x FROM fresh.t"), [[7]])
        refused(lambda: server.query("SELECT * FROM z"), "table_not_found")
        refused(lambda: server.query("SELECT * FROM fresh.t"), "namespace_not_found")
        equal(server.rows("SELECT * FROM a"), [[1]])
        equal(s.query("COMMIT")["transaction"], "committed")
        equal(server.rows("SELECT * FROM z ORDER BY 1"), [[1], [2]])
        equal(server.rows("SELECT x FROM fresh.t"), [[7]])
        refused(lambda: server.query("SELECT * FROM a"), "table_not_found")


@test
def all_tables_are_read_as_of_the_beginning():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)", "CREATE TABLE b (i INTEGER)")
        s.query("BEGIN")
        setup(server, "INSERT INTO a VALUES (1)", "INSERT INTO b VALUES (1)", "CREATE TABLE later (i INTEGER)")
        for _ in range(12):  # more than the metadata files that are kept
            server.query("INSERT INTO a VALUES (1)")
        equal(s.rows("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"), [[0, 0]])
        refused(lambda: s.query("SELECT * FROM later"), "table_not_found")
        s.query("ROLLBACK")
        equal(s.rows("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"), [[13, 1]])


@test
def rollback_leaves_nothing():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)", "INSERT INTO a VALUES (1), (2)")
        before = server.metrics()
        s.query("BEGIN; UPDATE a SET i = i + 1; DELETE FROM a WHERE i = 2; INSERT INTO a VALUES (5)")
        s.query("CREATE TABLE b AS SELECT * FROM a; DROP TABLE a")
        refused(lambda: s.query("SELECT * FROM a"), "table_not_found")
        equal(server.metrics()["tarn_store_objects"], before["tarn_store_objects"])
        refused(lambda: s.query("SELECT * FROM a"), "transaction_failed", sqlstate="25P02")
        equal(s.query("COMMIT")["transaction"], "rolled back")
        equal(s.rows("SELECT * FROM a ORDER BY 1"), [[1], [2]])
        equal(server.metrics()["tarn_store_objects"], before["tarn_store_objects"])


@test
def errors_have_their_states():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)")
        refused(lambda: s.query("COMMIT"), "no_transaction", "no open transaction", "25P01")
        refused(lambda: s.query("ROLLBACK"), "no_transaction", sqlstate="25P01")
        s.query("START TRANSACTION READ ONLY")
        equal(s.value("SELECT count(*) FROM a"), 0)
        refused(lambda: s.query("INSERT INTO a VALUES (1)"), "transaction_read_only", "INSERT", "25006")
        equal(s.query("ABORT")["transaction"], "rolled back")
        s.query("BEGIN WORK")
        refused(lambda: s.query("BEGIN"), "transaction_active", "open already", "25001")
        s.query("END")
        s.query("BEGIN")
        refused(lambda: s.query("CALL tarn.expire_snapshots('a')"), "transaction_active", "CALL", "25001")
        refused(lambda: s.query("SELECT 1"), "transaction_failed", sqlstate="25P02")
        s.query("ROLLBACK")
        s.query("BEGIN")
        refused(lambda: s.query("SELEC 1"), "syntax_error")
        refused(lambda: s.query("SELECT 1"), "transaction_failed")
        s.query("ROLLBACK")
        setup(server, "CREATE VIEW v AS SELECT * FROM a")
        for sql, why in (("CALL system.expire_snapshots('a')", "it removes files"),
                         ("CALL system.register_table('x', '/y')", "other programs")):
            s.query("BEGIN; INSERT INTO a VALUES (1)")
            equal(s.value("SELECT count(*) FROM v"), 1)
            error = refused(lambda: s.query(sql), "transaction_active", why, "25001")  # noqa: B023
            check("by itself" in error.hint, "the cure is told")
            s.query("ROLLBACK")
        s.query("BEGIN")
        refused(lambda: s.query("CREATE TABLE v (i INTEGER)"), "already_exists", "view")
        s.query("ROLLBACK")
        refused(lambda: s.query("BEGIN ISOLATION LEVEL NONSENSE"), "syntax_error")
        refused(lambda: s.query("SAVEPOINT x"), "not_supported")
        equal(s.value("SELECT 1"), 1)


@test
def views_are_part_of_a_transaction():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)", "INSERT INTO a VALUES (1)", "CREATE VIEW v AS SELECT i FROM a",
              "CREATE SCHEMA seen", "CREATE VIEW seen.w AS SELECT 1 AS x")
        objects = server.metrics()["tarn_store_objects"]
        changes = ("CREATE VIEW made AS SELECT count(*) AS n FROM a; INSERT INTO a VALUES (2);"
                   "CREATE OR REPLACE VIEW v AS SELECT i + 1 AS j FROM a; CREATE OR REPLACE VIEW v AS SELECT i * 10 AS k FROM a;"
                   "COMMENT ON VIEW v IS 'ten'; ALTER VIEW v RENAME TO moved; CREATE VIEW v AS SELECT k FROM moved WHERE k > 10;"
                   "DROP SCHEMA seen CASCADE")
        s.query("BEGIN;" + changes)
        equal(s.rows("SELECT * FROM made"), [[2]])
        equal(s.rows("SELECT * FROM v"), [[20]])
        equal(s.rows("SHOW VIEWS"), [["made"], ["moved"], ["v"]])
        equal(server.rows("SHOW VIEWS"), [["v"]])
        equal(server.rows("SELECT * FROM v"), [[1]])
        refused(lambda: server.query("SELECT * FROM made"), "table_not_found")
        s.query("ROLLBACK")
        equal(server.rows("SHOW VIEWS"), [["v"]])
        equal(server.metrics()["tarn_store_objects"], objects, "nothing is left")
        s.query("BEGIN;" + changes + ";COMMIT")
        equal(server.rows("SHOW VIEWS"), [["made"], ["moved"], ["v"]])
        equal(server.rows("SELECT k FROM moved ORDER BY k"), [[10], [20]])
        equal(server.rows("SELECT * FROM v"), [[20]])
        equal(server.rows("SHOW SCHEMAS"), [["main"]])
        check("ten" in server.value("SHOW CREATE VIEW moved"), "the comment")
        server.restart()
        equal(server.rows("SELECT * FROM v"), [[20]])


@test
def names_of_views_and_tables_change_hands_in_one_commit():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a AS SELECT 1 AS i", "CREATE VIEW b AS SELECT 2 AS i", "CREATE VIEW c AS SELECT 3 AS i")
        s.query("BEGIN; DROP VIEW b; ALTER TABLE a RENAME TO b; CREATE VIEW a AS SELECT i + 10 AS i FROM b")
        refused(lambda: s.query("CREATE VIEW b AS SELECT 1 AS x"), "already_exists", "table")
        s.query("ROLLBACK")
        s.query("BEGIN; DROP VIEW b; ALTER TABLE a RENAME TO b; CREATE VIEW a AS SELECT i + 10 AS i FROM b;"
                "ALTER VIEW c RENAME TO C; COMMIT")
        equal(server.rows("SELECT * FROM a"), [[11]])
        equal(server.rows("SELECT * FROM b"), [[1]])
        equal(server.rows("SHOW VIEWS"), [["a"], ["C"]])


@test
def a_view_that_others_changed_is_a_conflict():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)", "CREATE VIEW v AS SELECT i FROM a", "CREATE VIEW w AS SELECT i FROM a")
        for mine, theirs, part in (
                ("CREATE OR REPLACE VIEW v AS SELECT i + 1 AS i FROM a", "CREATE OR REPLACE VIEW v AS SELECT 7 AS i", "CREATE VIEW of view"),
                ("COMMENT ON VIEW v IS 'x'", "DROP VIEW v", "COMMENT ON of view"),
                ("ALTER VIEW w RENAME TO x", "ALTER VIEW w RENAME TO y", "renamed by another"),
                ("CREATE VIEW fresh AS SELECT 1 AS i", "CREATE VIEW fresh AS SELECT 2 AS i", "since the transaction began")):
            s.query("BEGIN; INSERT INTO a VALUES (1);" + mine)
            setup(server, theirs)
            refused(lambda: s.query("COMMIT"), "conflict", part, "40001")  # noqa: B023
            equal(server.value("SELECT count(*) FROM a"), 0)
        equal(server.rows("SELECT * FROM fresh"), [[2]])
        s.query("BEGIN")
        setup(server, "CREATE OR REPLACE VIEW fresh AS SELECT 3 AS i")
        equal(s.rows("SELECT * FROM fresh"), [[2]], "as of the beginning")
        s.query("ROLLBACK")
    with Server() as server:
        setup(server, "CREATE TABLE a (i INTEGER)", "CREATE VIEW fresh AS SELECT 3 AS i")
        server.restart()  # nothing is in memory, and the file that the transaction knows will be gone
        s = Session(server)
        s.query("BEGIN")
        setup(server, "CREATE OR REPLACE VIEW fresh AS SELECT 4 AS i", "CREATE OR REPLACE VIEW fresh AS SELECT 3 AS i")
        refused(lambda: s.query("SELECT * FROM fresh"), "conflict", "since the transaction began", "40001")
        s.query("ROLLBACK")
        equal(server.rows("SELECT * FROM fresh"), [[3]])
        s.query("BEGIN ISOLATION LEVEL SERIALIZABLE")
        equal(s.rows("SELECT * FROM fresh"), [[3]])
        s.query("INSERT INTO a VALUES (1)")
        setup(server, "CREATE OR REPLACE VIEW fresh AS SELECT 4 AS i")
        equal(s.rows("SELECT * FROM fresh"), [[3]])
        refused(lambda: s.query("COMMIT"), "conflict", "SELECT of view", "40001")


@test
def tables_are_replaced_analyzed_and_moved_in_a_transaction():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a AS SELECT 1 AS i", "ALTER TABLE a CREATE TAG one", "INSERT INTO a VALUES (2)")
        uuid = server.value("SELECT file FROM a.metadata_log_entries LIMIT 1").split("/metadata/")[0]
        replace = "CREATE OR REPLACE TABLE a AS SELECT 'x' AS t, 5 AS n; INSERT INTO a VALUES ('y', 6);" \
                  "CREATE OR REPLACE TABLE fresh (q INTEGER); CREATE OR REPLACE TABLE fresh AS SELECT 9 AS q, true AS r"
        s.query("BEGIN;" + replace)
        equal(s.rows("SELECT * FROM a ORDER BY t"), [["x", 5], ["y", 6]])
        equal(s.rows("SELECT * FROM fresh"), [[9, True]])
        equal(server.rows("SELECT * FROM a ORDER BY i"), [[1], [2]])
        s.query("ROLLBACK")
        equal(server.rows("SELECT * FROM a ORDER BY i"), [[1], [2]])
        s.query("BEGIN;" + replace + ";COMMIT")
        equal(server.rows("SELECT * FROM a ORDER BY t"), [["x", 5], ["y", 6]])
        equal(server.rows("SELECT * FROM a AT (VERSION => 'one')"), [[1]])
        equal(server.value("SELECT file FROM a.metadata_log_entries ORDER BY timestamp DESC LIMIT 1").split("/metadata/")[0], uuid)
        s.query("BEGIN; CREATE OR REPLACE TABLE a AS SELECT 1 AS other")
        setup(server, "INSERT INTO a VALUES ('z', 7)")
        refused(lambda: s.query("COMMIT"), "conflict", "not made again", "40001")

        s.query("BEGIN; INSERT INTO a VALUES ('w', 8); ANALYZE a (n)")
        check("n 4" in str(s.rows("EXPLAIN SELECT * FROM a")), "its own rows are counted")
        s.query("ROLLBACK")
        check("distinct" not in str(server.rows("EXPLAIN SELECT * FROM a")), "nothing is left of it")
        s.query("BEGIN; ANALYZE a; COMMIT")
        check("n 3" in str(server.rows("EXPLAIN SELECT * FROM a")), "the statistics are there")

        s.query("BEGIN; CALL system.set_current_snapshot('a', ref => 'one')")
        equal(s.value("SELECT count(*) FROM a"), 1)
        equal(server.value("SELECT count(*) FROM a"), 3)
        s.query("ROLLBACK")
        equal(server.value("SELECT count(*) FROM a"), 3)
        s.query("BEGIN; CALL system.set_current_snapshot('a', ref => 'one'); INSERT INTO a VALUES ('v', 1); COMMIT")
        equal(server.value("SELECT count(*) FROM a"), 2)
        s.query("BEGIN; ALTER TABLE a CREATE BRANCH dev; INSERT INTO a.branch_dev VALUES ('d', 1);"
                "CALL system.fast_forward('a', 'main', 'dev')")
        equal(s.value("SELECT count(*) FROM a"), 3)
        check(len(s.rows("CALL system.ancestors_of('a')")) == 3, "the history as the transaction has it")
        s.query("COMMIT")
        equal(server.value("SELECT count(*) FROM a"), 3)
        before = server.rows("SELECT snapshot_id FROM a.history ORDER BY made_current_at DESC LIMIT 2")[1][0]
        s.query(f"BEGIN; CALL system.rollback_to_snapshot('a', {before}); COMMIT")
        equal(server.value("SELECT count(*) FROM a"), 2)


@test
def appends_stand_beside_the_appends_of_others():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)", "CREATE TABLE b (i INTEGER)")
        s.query("BEGIN; INSERT INTO a VALUES (1); INSERT INTO a VALUES (2); INSERT INTO b VALUES (1)")
        setup(server, "INSERT INTO a VALUES (10)", "DELETE FROM a WHERE i = 10", "INSERT INTO a VALUES (11)")
        s.query("COMMIT")
        equal(server.rows("SELECT i FROM a ORDER BY i"), [[1], [2], [11]])
        equal(server.rows("SELECT i FROM b ORDER BY i"), [[1]])


@test
def a_conflict_names_table_and_operation_and_changes_nothing():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER)", "INSERT INTO a VALUES (1), (2)", "CREATE TABLE b (i INTEGER)")
        s.query("BEGIN; INSERT INTO b VALUES (1); UPDATE a SET i = i + 1")
        server.query("UPDATE a SET i = i + 10")
        error = refused(lambda: s.query("COMMIT"), "conflict", 'UPDATE of table "main.a"', "40001")
        equal(error.status, 409)
        check("again" in error.hint, error.hint)
        equal(server.rows("SELECT i FROM a ORDER BY i"), [[11], [12]])
        equal(server.value("SELECT count(*) FROM b"), 0)
        s.query("BEGIN; ALTER TABLE a ADD COLUMN j INTEGER")
        server.query("INSERT INTO a VALUES (3)")
        refused(lambda: s.query("COMMIT"), "conflict", "ALTER TABLE")
        s.query("BEGIN; CREATE TABLE c (i INTEGER)")
        server.query("CREATE TABLE c (i INTEGER)")
        refused(lambda: s.query("COMMIT"), "conflict", "exists already")
        s.query("BEGIN; DELETE FROM a WHERE i = 11")
        server.query("DROP TABLE a")
        refused(lambda: s.query("COMMIT"), "conflict", "dropped")
        equal(server.metrics()["tarn_transactions_conflicted_total"], 4)


@test
def changes_of_other_rows_are_made_again():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a (i INTEGER, j INTEGER)", "INSERT INTO a VALUES (1, 0)", "INSERT INTO a VALUES (100, 0)")
        s.query("BEGIN; INSERT INTO a VALUES (2, 0); UPDATE a SET j = 1 WHERE i < 10; UPDATE a SET j = j + 1 WHERE i = 2")
        server.query("UPDATE a SET j = 7 WHERE i = 100")
        s.query("COMMIT")
        equal(server.rows("SELECT * FROM a ORDER BY i"), [[1, 1], [2, 2], [100, 7]])


@test
def tables_change_names_and_places():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE a AS SELECT 1 AS i", "CREATE TABLE b AS SELECT 2 AS i", "CREATE SCHEMA old",
              "CREATE TABLE old.t AS SELECT 3 AS i")
        s.query("BEGIN; ALTER TABLE a RENAME TO x; ALTER TABLE b RENAME TO a; ALTER TABLE x RENAME TO b;"
                "DROP SCHEMA old CASCADE; CREATE SCHEMA old; CREATE TABLE old.t AS SELECT 4 AS i;"
                "DROP TABLE b; CREATE TABLE b (s VARCHAR); INSERT INTO b VALUES ('new')")
        s.query("COMMIT")
        equal(server.rows("SELECT (SELECT i FROM a), (SELECT s FROM b), (SELECT i FROM old.t)"), [[2, "new", 4]])
        equal([row[0] for row in server.rows("SHOW TABLES")], ["a", "b"])
        server.restart()
        equal(server.rows("SELECT (SELECT i FROM a), (SELECT s FROM b), (SELECT i FROM old.t)"), [[2, "new", 4]])


@test
def sessions_belong_to_their_principal_and_keep_their_namespace():
    with Server() as server:
        setup(server, "CREATE SCHEMA s", "CREATE TABLE s.t AS SELECT 5 AS i")
        other = server.make_principal("other", "reader")
        with Session(server) as s, Session(server, key=other) as theirs:
            s.query("USE s")
            equal(s.value("SELECT i FROM t"), 5)
            refused(lambda: server.query("SELECT 1", key=other, session=s.id), "not_found", "session")
            equal(server.request("DELETE", "/api/v1/sessions/" + s.id, key=other).status, 404)
            listed = server.request("GET", "/api/v1/sessions").ok().json["sessions"]
            equal([(one["session"], one["namespace"], one["transaction"]) for one in listed], [(s.id, "s", "none")])
            s.query("BEGIN; DELETE FROM t")
            s.end()
            refused(lambda: s.query("SELECT 1"), "not_found")
            equal(server.value("SELECT i FROM s.t"), 5)
            equal(theirs.value("SELECT 1"), 1)
            check(server.metrics()["tarn_sessions"] == 1, "one session is left")


@test
def the_command_keeps_a_transaction_from_statement_to_statement():
    with Server() as server:
        setup(server, "CREATE TABLE t (i INTEGER)")
        code, out, words = server.run("sql", "-o", "csv", "-c", "/* one */ BEGIN; INSERT INTO t VALUES (1)",
                                      "-c", "SELECT count(*) AS n FROM t", "-c", "COMMIT")
        equal((code, out), (0, "n\n1\n"), words)
        equal(server.value("SELECT count(*) FROM t"), 1)
        code, _, words = server.run("sql", "-c", "BEGIN; INSERT INTO t VALUES (2)")
        equal(code, 0, words)
        check("rolled back" in words, words)
        code, _, words = server.run("sql", "-c", "BEGIN; INSERT INTO t VALUES (2); SELECT nothing; COMMIT")
        equal(code, 1, words)
        equal(server.value("SELECT count(*) FROM t"), 1)
        equal(server.metrics()["tarn_sessions"], 0)


@test
def idle_sessions_are_rolled_back_and_gone():
    with Server(settings={"session.idle": "1s"}) as server:
        setup(server, "CREATE TABLE t (i INTEGER)")
        with Session(server) as s:
            s.query("BEGIN; INSERT INTO t VALUES (1)")
            eventually(lambda: server.metrics()["tarn_sessions"] == 0, "the session goes")
            equal(server.metrics()["tarn_transactions_rolled_back_total"], 1)
            refused(lambda: s.query("COMMIT"), "not_found", "session")
            equal(server.value("SELECT count(*) FROM t"), 0)


@test
def a_session_runs_one_request_at_a_time_and_a_cancelled_one_fails_the_transaction():
    with Server() as server, Session(server) as s:
        setup(server, "CREATE TABLE t (i INTEGER)")
        s.query("BEGIN; INSERT INTO t VALUES (1)")
        failures = []

        def long_one():
            try:
                s.query("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 17")
            except TarnError as error:
                failures.append(error)

        thread = threading.Thread(target=long_one)
        thread.start()
        running = []

        def is_running():
            running[:] = [one["query_id"] for one in server.request("GET", "/api/v1/queries").ok().json["queries"]
                          if one["state"] == "running" and "range(10000000)" in one["sql"]]
            return running

        eventually(is_running, "the query runs")
        refused(lambda: server.query("SELECT 1", session=s.id), "busy", "session")
        server.request("DELETE", "/api/v1/queries/" + running[0]).ok()
        thread.join()
        equal([error.code for error in failures], ["cancelled"])
        refused(lambda: s.query("SELECT 1"), "transaction_failed")
        s.query("ROLLBACK")
        equal(server.value("SELECT count(*) FROM t"), 0)


def dies_in_commit(server, point, nth, options):
    """Whether the armed point killed the server before COMMIT was answered."""
    try:
        server.restart(settings=options,
                       env={"TARN_FAULT_ALLOW": "1", "TARN_FAULT": f"{point}=kill@{nth}", "TARN_FAULT_SEED": "1"})
        with Session(server) as s:
            s.query("BEGIN; INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1), (2)")
            s.query("CREATE TABLE c AS SELECT 1 AS i; DROP TABLE d")
            s.query("CREATE VIEW e AS SELECT 1 AS i; CREATE OR REPLACE VIEW f AS SELECT 2 AS i")
            equal(s.query("COMMIT")["transaction"], "committed")
        return False
    except (OSError, http.client.HTTPException, Failed):
        eventually(lambda: server.process.poll() is not None, "what failed is the server's death")
        return True


def counts(server):
    return [int(server.value("SELECT count(*) FROM " + name)) for name in "ab"] + \
        [name for name in "cd" if [name] in server.rows("SHOW TABLES")] + \
        [name for name in "e" if [name] in server.rows("SHOW VIEWS")] + server.rows("SELECT * FROM f")[0]


def kill_everywhere(local):
    with Server() as server:
        lake = os.path.join(server.work, "lake")
        os.makedirs(lake)
        options = {"warehouse.roots": lake}
        server.restart(settings=options)
        deaths = 0
        for point in ("txn.staged", "state.begin", "state.applied", "state.committed", "txn.done"):
            died, nth = True, 0
            while died:
                nth += 1
                check(nth < 20, f"{point} is passed again and again")
                server.restart(settings=options)
                for name in "abcd":
                    place = f" WITH (location = 'file://{lake}/{name}-{point}-{nth}')" if local else ""
                    setup(server, f"DROP TABLE IF EXISTS {name}")
                    if name != "c":
                        setup(server, f"CREATE TABLE {name} (i INTEGER)" + place)
                setup(server, "DROP VIEW IF EXISTS e", "CREATE OR REPLACE VIEW f AS SELECT 1 AS i")
                died = dies_in_commit(server, point, nth, options)
                deaths += died
                server.kill()
                server.start(settings=options)
                found = counts(server)
                check(found in ([0, 0, "d", 1], [2, 2, "c", "e", 2]), f"{point} {nth}: {found}")
                if not died:
                    equal(found, [2, 2, "c", "e", 2], point)
        check(deaths >= 5, f"{deaths} deaths")


@test
def a_kill_in_commit_leaves_all_or_nothing():
    kill_everywhere(False)


@test
def a_kill_in_commit_leaves_all_or_nothing_in_plain_folders():
    kill_everywhere(True)


@test
def a_kill_leaves_nothing_of_an_open_transaction():
    with Server() as server:
        setup(server, "CREATE TABLE a (i INTEGER)")
        with Session(server) as s:
            s.query("BEGIN; INSERT INTO a VALUES (1); CREATE TABLE b AS SELECT 1 AS i")
            server.kill()
        server.start()
        equal([row[0] for row in server.rows("SHOW TABLES")], ["a"])
        equal(server.value("SELECT count(*) FROM a"), 0)


class History:
    """Transactions of several sessions, step by step in a random order, over accounts in two tables. Each is compared
    with what it must have seen: the accounts as of its beginning, with its own changes."""

    def __init__(self, server, chance, serializable):
        self.server, self.random, self.serializable = server, chance, serializable
        self.committed = {"a": {}, "b": {}}
        self.changed = []  # of each commit: {(table, key)}
        self.reads_refused = self.commits = self.conflicts = 0

    def begin(self, session):
        session.query("BEGIN")
        session.view = {name: dict(rows) for name, rows in self.committed.items()}
        session.at, session.wrote, session.read = len(self.changed), {}, set()

    def read(self, session):
        name = self.random.choice("ab")
        session.read.add(name)
        rows = {row[0]: row[1] for row in session.rows(f"SELECT k, v FROM {name}")}
        equal(rows, session.view[name], f"what a transaction reads of {name}")

    def write(self, session):
        name, key, value = self.random.choice("ab"), self.random.randrange(4), self.random.randrange(1000)
        there = key in session.view[name]
        if there and self.random.random() < 0.3:
            session.query(f"DELETE FROM {name} WHERE k = {key}")
            del session.view[name][key]
        elif there:
            session.query(f"UPDATE {name} SET v = {value} WHERE k = {key}")
            session.view[name][key] = value
        else:
            key = 10 + self.random.randrange(10**6)
            session.query(f"INSERT INTO {name} VALUES ({key}, {value})")
            session.view[name][key] = value
        session.wrote[(name, key)] = session.view[name].get(key)

    def commit(self, session):
        since = set().union(*self.changed[session.at:]) if self.changed[session.at:] else set()
        try:
            equal(session.query("COMMIT")["transaction"], "committed")
        except TarnError as error:
            equal(error.code, "conflict", str(error))
            check(since, f"a conflict with nobody: {error}")
            check(session.wrote, f"a transaction that only reads is refused: {error}")
            self.conflicts += 1
            return
        self.commits += 1
        clash = {key for key in session.wrote if key in since}
        check(not clash, f"two transactions at the same time changed {clash}")
        if self.serializable and session.wrote:
            stale = session.read & {name for name, _ in since}
            check(not stale, f"a serializable transaction read {stale}, which another one changed")
        for (name, key), value in session.wrote.items():
            self.committed[name].pop(key, None)
            if value is not None:
                self.committed[name][key] = value
        if session.wrote:
            self.changed.append(set(session.wrote))

    def run(self, sessions, steps):
        open_ones = set()
        for _ in range(steps):
            s = self.random.choice(sessions)
            if s not in open_ones:
                self.begin(s)
                open_ones.add(s)
                continue
            step = self.random.choice([self.read, self.read, self.write, self.write, self.commit, "rollback"]
                                      if self.random.random() < 0.5 else [self.read, self.write])
            if step == "rollback":
                s.query("ROLLBACK")
            else:
                step(s)
            if step in (self.commit, "rollback"):
                open_ones.discard(s)
        for s in open_ones:
            self.commit(s)
        for name, rows in self.committed.items():
            equal({row[0]: row[1] for row in self.server.rows(f"SELECT k, v FROM {name}")}, rows, "in the end")


def run_histories(serializable):
    first = int(os.environ.get("TARN_TEST_SEED") or (random.randrange(10**6) if LONG else 1))
    commits = conflicts = 0
    with Server() as server:
        sessions = [Session(server) for _ in range(3)]
        for number in range(first, first + HISTORIES):
            print(f"history {number}", flush=True)
            for name in "ab":
                level = " WITH ('tarn.transaction.isolation-level' = 'serializable')" if serializable else ""
                setup(server, f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} (k INTEGER, v INTEGER){level}")
            history = History(server, random.Random(number), serializable)
            for name in "ab":
                for key in range(4):  # a file each
                    setup(server, f"INSERT INTO {name} VALUES ({key}, 0)")
                    history.committed[name][key] = 0
            history.run(sessions, 60)
            commits, conflicts = commits + history.commits, conflicts + history.conflicts
    print(f"{commits} commits, {conflicts} conflicts")
    check(commits > 3 * HISTORIES and conflicts > 0, "the histories say something")


@test
def histories_of_concurrent_transactions_keep_to_their_snapshots():
    run_histories(False)


@test
def histories_of_serializable_tables_have_no_stale_reads():
    run_histories(True)


@test
def write_skew_is_refused_where_the_table_or_the_transaction_is_serializable():
    with Server() as server:
        setup(server, "CREATE TABLE free (k INTEGER, v INTEGER)",
              "CREATE TABLE strict (k INTEGER, v INTEGER) WITH ('tarn.transaction.isolation-level' = 'serializable')")
        for name, level, second in (("free", "", "committed"), ("strict", "", "conflict"),
                                    ("free", " ISOLATION LEVEL SERIALIZABLE", "conflict")):
            setup(server, f"TRUNCATE {name}", f"INSERT INTO {name} VALUES (1, 1)", f"INSERT INTO {name} VALUES (100, 1)")
            with Session(server) as one, Session(server) as two:
                for s in (one, two):
                    s.query("BEGIN" + level)
                    equal(s.value(f"SELECT sum(v) FROM {name}"), 2)
                one.query(f"UPDATE {name} SET v = 0 WHERE k = 1")
                two.query(f"UPDATE {name} SET v = 0 WHERE k = 100")
                one.query("COMMIT")
                if second == "conflict":
                    refused(lambda: two.query("COMMIT"), "conflict", name, "40001")  # noqa: B023
                    equal(server.value(f"SELECT sum(v) FROM {name}"), 1)
                else:
                    two.query("COMMIT")
                    equal(server.value(f"SELECT sum(v) FROM {name}"), 0)


main()

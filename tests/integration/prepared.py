#!/usr/bin/env python3
"""PREPARE, EXECUTE, DEALLOCATE: values by position and by name, with types, in statements that read and that change."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, contains, equal, fails, main, test  # noqa: E402


@test
def values_go_by_position_and_by_name():
    with Server() as server, server.client() as client:
        equal(client.rows("PREPARE a AS SELECT $2 - $1; EXECUTE a(1, 43)"), [[42]])
        equal(client.rows("PREPARE a AS SELECT ? || ?; EXECUTE a('x', upper('y'))"), [["xY"]])
        equal(client.rows("PREPARE a AS SELECT $low, $high, $low; EXECUTE a(high := 9, low => -1)"), [[-1, 9, -1]])
        equal(client.rows("PREPARE a(INTEGER, DATE) AS SELECT $1, $2 + 1; EXECUTE a('7', '2020-01-31')"),
              [[7, "2020-02-01"]])
        equal(client.rows("PREPARE a AS SELECT list_sum($1), $2.k; EXECUTE a([1, 2, -5], {'k': 'v'})"), [[-2, "v"]])
        equal(client.rows("PREPARE a AS SELECT $1 + $2; EXECUTE a($1, 2)", params=[40]), [[42]])
        equal(client.rows("PREPARE a AS SELECT $1.upper(), $1[1:2]; EXECUTE a('text')"), [["TEXT", "te"]])
        equal(client.rows("PREPARE a AS SELECT $x IS NULL, typeof($y); EXECUTE a(x := NULL, y := 1::TINYINT)"),
              [[True, "TINYINT"]])


@test
def a_value_is_evaluated_once_and_never_read_as_a_column():
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t AS SELECT range AS i FROM range(50)")
        equal(client.rows("PREPARE a AS SELECT count(DISTINCT $1) FROM t; EXECUTE a(random())"), [[1]])
        error = fails("unknown_column", client.query, "PREPARE a AS SELECT count(*) FROM t WHERE i = $1; EXECUTE a(i)")
        equal(error.position, 60)
        fails("not_supported", client.query, "PREPARE a AS SELECT $1; EXECUTE a((SELECT max(i) FROM t))")
        fails("denied", client.query, "PREPARE a AS SELECT $1; EXECUTE a(getenv('HOME'))")
        fails("denied", client.query, "PREPARE a AS SELECT getenv($1); EXECUTE a('HOME')")
        equal(client.rows("PREPARE a AS SELECT $1; EXECUTE a('''); DROP TABLE t; --')"), [["'); DROP TABLE t; --"]])


@test
def changing_statements_are_prepared_too():
    with Server() as server, server.client() as client:
        client.query("CREATE TABLE t (i INTEGER, s VARCHAR)")
        client.query("PREPARE a AS INSERT INTO t VALUES ($1, $2); EXECUTE a(1, 'one'); EXECUTE a(2, 'two'); "
                     "EXECUTE a(3, NULL)")
        equal(client.query("PREPARE a(VARCHAR, INT) AS UPDATE t SET s = $1 WHERE i = $2; EXECUTE a('II', 2)")
              ["changed_rows"], 1)
        equal(client.query("PREPARE a AS DELETE FROM t WHERE i = ?; EXECUTE a(1)")["changed_rows"], 1)
        client.query("PREPARE a AS MERGE INTO t USING (SELECT $1 AS i, $2 AS s) n USING (i) WHEN MATCHED THEN UPDATE "
                     "WHEN NOT MATCHED THEN INSERT; EXECUTE a(3, 'three'); EXECUTE a(4, 'four')")
        equal(client.rows("FROM t ORDER BY i"), [[2, "II"], [3, "three"], [4, "four"]])
        error = fails("method_not_allowed", server.request("GET", "/query?sql=PREPARE+a+AS+DELETE+FROM+t").ok)
        contains(error.message, "DELETE")


@test
def mistakes_are_told_where_they_are():
    with Server() as server, server.client() as client:
        error = fails("unknown_column", client.query, "SELECT 1; PREPARE a AS SELECT $1 + nope; EXECUTE a(1)")
        equal(error.position, 35)
        error = fails("syntax_error", client.query, "PREPARE a AS SELEC 1")
        equal(error.position, 13)
        error = fails("invalid", client.query, "PREPARE a AS SELECT $x; EXECUTE a(1)")
        equal((error.message, error.position), ('prepared statement "a" has no parameter "1"', 34))
        error = fails("invalid", client.query, "PREPARE a AS SELECT $1, $2; EXECUTE a(1)")
        contains(error.message, 'parameter "2" of prepared statement "a" has no value')
        fails("invalid", client.query, "PREPARE a AS SELECT $x; EXECUTE a(x := 1, x := 2)")
        fails("invalid", client.query, "PREPARE a(INT, INT) AS SELECT $1; EXECUTE a(1)")
        fails("invalid", client.query, "PREPARE a AS SELECT ?, $1")
        fails("not_supported", client.query, "PREPARE a AS EXECUTE b")


@test
def names_are_given_back():
    with Server() as server, server.client() as client:
        error = fails("not_found", client.query, "PREPARE total AS SELECT 1; EXECUTE totl")
        contains(error.hint, '"total"')
        fails("not_found", client.query, "PREPARE a AS SELECT 1; DEALLOCATE a; EXECUTE a")
        fails("not_found", client.query, "PREPARE a AS SELECT 1; DEALLOCATE ALL; EXECUTE A")
        equal(client.rows("PREPARE a AS SELECT 1; PREPARE A AS SELECT 2; EXECUTE a"), [[2]])
        fails("not_found", client.query, "EXECUTE a")


@test
def a_session_keeps_them_and_a_transaction_binds_them():
    with Server() as server, server.client() as client:
        session = client.request("POST", "/api/v1/sessions", {}).ok().json["session"]
        client.query("CREATE TABLE t (i INTEGER)")
        client.query("PREPARE put AS INSERT INTO t VALUES ($1); PREPARE n AS SELECT count(*) FROM t", session=session)
        client.query("BEGIN; EXECUTE put(1)", session=session)
        equal(client.rows("EXECUTE n", session=session), [[1]])
        equal(client.rows("SELECT count(*) FROM t"), [[0]])
        client.query("ROLLBACK", session=session)
        equal(client.rows("EXECUTE n", session=session), [[0]])
        fails("transaction_read_only", client.query, "BEGIN READ ONLY; EXECUTE put(1)", session=session)
        client.query("ROLLBACK", session=session)
        fails("not_found", client.query, "EXECUTE n")
        error = fails("table_not_found", client.query, "PREPARE gone AS FROM gone; SELECT 1; EXECUTE gone", session=session)
        equal(error.position, 21)
        error = fails("table_not_found", client.query, "SELECT 1; EXECUTE gone", session=session)
        equal((error.position, 'prepared statement "gone"' in error.message), (18, True))


main()

#!/usr/bin/env python3
"""Every route of the HTTP door: what it answers when all is well, and when it is not: shapes, codes, status,
hints, positions, content types, HEAD, unknown routes, the Host check, request ids."""
# timeout: 90
import json
import os
import socket
import struct
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import (NO_KEY, Failed, Server, TarnError, at_most, check, contains, equal, eventually, fails, main, multipart,  # noqa: E402
                  shared, test)

API = "/api/v1"


def ask(method, path, body=None, headers=None, key=None):
    return shared().request(method, path, body, headers, key)


def ok(method, path, body=None, headers=None, status=200, key=None):
    """The answer, with this status and, where it has a body, as JSON."""
    answer = ask(method, path, body, headers, key)
    if answer.status != status:
        raise Failed(f"{method} {path}: expected {status}, got {answer.status}: {answer.body[:500]!r}")
    check(answer.headers.get("x-request-id"), f"{method} {path}: no X-Request-Id")
    if status == 204:
        equal(answer.body, b"", f"{method} {path}: the body of 204")
        return None
    equal(answer.type, "application/json", f"{method} {path}: content type")
    return answer.json


def refused(code, status, method, path, body=None, headers=None, key=None):
    """The error object, which has to be complete."""
    answer = ask(method, path, body, headers, key)
    if answer.status != status:
        raise Failed(f"{method} {path}: expected {status} {code}, got {answer.status}: {answer.body[:500]!r}")
    equal(answer.type, "application/json")
    error = answer.error
    equal(error["code"], code, str(error))
    for member in ("type", "message", "detail", "hint", "request_id"):
        check(member in error, f"the error has no {member}: {error}")
    equal(error["request_id"], answer.headers["x-request-id"])
    check(error["message"] and not error["message"].endswith("."), f"message: {error['message']}")
    return error


def has(document, *members):
    for member in members:
        check(member in document, f"no member {member} in {str(document)[:400]}")


def trips():
    """A table that other tests read."""
    server = shared()
    if not getattr(server, "has_trips", False):
        server.query("CREATE TABLE trips (id BIGINT NOT NULL, city VARCHAR, fare DECIMAL(8,2), seen TIMESTAMP)"
                     " PARTITIONED BY (city)")
        server.query("INSERT INTO trips VALUES (1, 'Bern', 10.50, TIMESTAMP '2024-01-01 08:00:00'),"
                     " (2, 'Oslo', 7, NULL), (3, 'Bern', NULL, TIMESTAMP '1969-12-31 23:59:59.5')")
        server.has_trips = True
    return server


# ---- liveness, status, documents ----

@test
def live_and_ready_need_no_key():
    for path in ("/livez", "/readyz"):
        answer = ask("GET", path, key=NO_KEY)
        equal((answer.status, answer.type), (200, "text/plain"), path)
    equal(ask("GET", "/livez", key="tarn_wrong").status, 200)


@test
def metrics_are_prometheus_text():
    answer = ask("GET", "/metrics")
    equal((answer.status, answer.headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
    names = set()
    for text in answer.text.splitlines():
        if not text.startswith("#"):
            name, _, number = text.rpartition(" ")
            float(number)
            names.add(name.split("{")[0])
    for name in ("tarn_tables", "tarn_queries_total", "tarn_http_requests_total", "tarn_workers"):
        check(name in names, f"no metric {name}")


@test
def status_tells_what_runs():
    server = shared()
    got = ok("GET", API + "/status")
    has(got, "version", "commit", "started_at", "uptime_seconds", "tables", "workers", "disk_free_bytes")
    equal((got["pid"], got["http"], got["warehouse"]), (server.pid, server.address, "tarn"))


@test
def config_tells_origins():
    settings = {one["name"]: one for one in ok("GET", API + "/config")["settings"]}
    equal(settings["http.listen"]["value"], "127.0.0.1:0")
    contains(settings["http.listen"]["origin"], "flag")
    equal(settings["engine.pruning"]["origin"], "default")


@test
def openapi_lists_every_route():
    document = ok("GET", API + "/openapi.json")
    check(document["openapi"].startswith("3."), document["openapi"])
    count = sum(len(item) for item in document["paths"].values())
    check(count >= 38, f"{count} operations")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            check(operation["x-action"] and operation["summary"], f"{method} {path}")
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            equal(named, {s[1:-1] for s in path.split("/") if s.startswith("{")}, path)


# ---- SQL ----

@test
def first_loads_of_one_table_at_once_all_arrive():
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(ask("POST", "/ingest/rush", [{"n": n}])))
               for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    equal([a.status for a in answers], [200] * 8, str([a.body[:200] for a in answers if a.status != 200]))
    equal(sum(a.json["created"] for a in answers), 1, "one of them made the table")
    equal(shared().rows("SELECT n FROM rush ORDER BY n"), [[n] for n in range(8)])


@test
def query_answers_the_documented_shape():
    server = trips()
    got = ok("POST", API + "/query", {"sql": "SELECT id, city, fare, seen FROM trips ORDER BY id"})
    has(got, "query_id", "columns", "rows", "row_count", "changed_rows", "snapshot_id", "stats")
    equal([(c["name"], c["type"]) for c in got["columns"]],
          [("id", "BIGINT"), ("city", "VARCHAR"), ("fare", "DECIMAL(8,2)"), ("seen", "TIMESTAMP")])
    check(all("nullable" in c for c in got["columns"]), "columns without nullable")
    equal(got["rows"], [[1, "Bern", "10.50", "2024-01-01T08:00:00"], [2, "Oslo", "7.00", None],
                        [3, "Bern", None, "1969-12-31T23:59:59.500000"]])
    equal((got["row_count"], got["changed_rows"]), (3, None))
    equal(got["snapshot_id"], server.request("GET", API + "/namespaces/main/tables/trips").json["current_snapshot_id"])
    has(got["stats"], "files_total", "files_read", "bytes_read", "rows_scanned", "elapsed_ms")
    equal((got["stats"]["files_total"], got["stats"]["files_read"]), (2, 2))


@test
def query_reads_only_files_that_can_match():
    server = trips()
    stats = server.query("SELECT * FROM trips WHERE city = 'Oslo'")["stats"]
    equal((stats["files_total"], stats["files_read"]), (2, 1))


@test
def values_are_written_as_documented():
    sql = """SELECT 9007199254740991::BIGINT, 9007199254740992::BIGINT, -9007199254740993::HUGEINT, 1.50::DECIMAL(5,2),
        'NaN'::DOUBLE, '-Infinity'::DOUBLE, 1.5::DOUBLE, TRUE, DATE '-0044-03-15' IS NULL, DATE '2024-02-29',
        TIME '12:30:00', TIMESTAMPTZ '2024-01-01 00:00:00+02', TIMESTAMP '2024-01-01 00:00:00',
        '\\xAA\\x01'::BLOB, {'a': 1, 'b c': [1, NULL]}, MAP {'k': 1}, NULL,
        '5d9b4e1e-0000-4000-8000-00000000ABCD'::UUID, INTERVAL 3 DAY, 'grün "x" ' || chr(10)"""
    equal(shared().rows(sql)[0],
          [9007199254740991, "9007199254740992", "-9007199254740993", "1.50", "NaN", "-Infinity", 1.5, True, False,
           "2024-02-29", "12:30:00", "2023-12-31T22:00:00Z", "2024-01-01T00:00:00", "qgE=",
           {"a": 1, "b c": [1, None]}, [{"key": "k", "value": 1}], None, "5d9b4e1e-0000-4000-8000-00000000abcd",
           "3 days", 'grün "x" \n'])


@test
def changes_answer_their_count_and_snapshot():
    server = shared()
    got = server.query("CREATE TABLE changes AS SELECT * FROM range(5) t(n)")
    equal((got["rows"], got["columns"], got["changed_rows"]), ([], [], 5))
    check(isinstance(got["snapshot_id"], str), got["snapshot_id"])
    got = server.query("INSERT INTO changes VALUES (7), (8)")
    equal(got["changed_rows"], 2)
    equal(got["snapshot_id"], server.query("SELECT * FROM changes")["snapshot_id"])
    got = server.query("INSERT INTO changes SELECT 1 WHERE FALSE")
    equal((got["changed_rows"], got["snapshot_id"]), (0, None))
    got = server.query("DROP TABLE changes")
    equal(got["changed_rows"], 0)


@test
def a_script_answers_its_last_statement_and_ends_at_an_error():
    server = shared()
    equal(server.rows("CREATE TABLE script (n INTEGER); INSERT INTO script VALUES (1); SELECT n + 1 FROM script;"), [[2]])
    fails("unknown_column", server.query, "INSERT INTO script VALUES (2); SELECT m FROM script; DROP TABLE script",
          status=400)
    equal(server.value("SELECT count(*) FROM script"), 2)
    server.query("DROP TABLE script")


@test
def parameters_by_place_and_by_name():
    server = trips()
    equal(server.rows("SELECT id FROM trips WHERE city = $1 AND id > $2", params=["Bern", 1]), [[3]])
    equal(server.rows("SELECT id FROM trips WHERE city = $city", params={"city": "Oslo"}), [[2]])
    equal(server.rows("SELECT ?::VARCHAR", params=["'; DROP TABLE trips; --"]), [["'; DROP TABLE trips; --"]])
    fails("invalid", server.query, "SELECT 1", params=5)


@test
def formats_stream():
    trips()
    wanted = [
        ("jsonl", "application/x-ndjson"), ("csv", "text/csv"), ("tsv", "text/tab-separated-values"),
        ("arrow", "application/vnd.apache.arrow.stream"), ("parquet", "application/vnd.apache.parquet"),
        ("objects", "application/json"),
    ]
    sql = "SELECT id, city, CASE id WHEN 1 THEN '' END AS x FROM trips ORDER BY id"
    for name, media in wanted:
        answer = ask("POST", API + "/query", {"sql": sql, "format": name})
        equal((answer.status, answer.type), (200, media), name)
        check(answer.headers.get("x-query-id"), f"{name}: no X-Query-Id")
        if name == "jsonl":
            equal([json.loads(line)["id"] for line in answer.text.splitlines()], [1, 2, 3])
        elif name == "csv":
            equal(answer.text.splitlines(), ["id,city,x", '1,Bern,""', "2,Oslo,", "3,Bern,"])
        elif name == "tsv":
            equal(answer.text.splitlines()[0], "id\tcity\tx")
        elif name == "arrow":
            equal(answer.body[:4], b"\xff\xff\xff\xff")
            equal(answer.body[-8:], b"\xff\xff\xff\xff\x00\x00\x00\x00")
        elif name == "parquet":
            equal((answer.body[:4], answer.body[-4:]), (b"PAR1", b"PAR1"))
            check(0 < struct.unpack("<I", answer.body[-8:-4])[0] < len(answer.body), "footer length")
        else:
            equal([row["id"] for row in answer.json], [1, 2, 3])
        if name in ("csv", "arrow"):
            accepted = ask("POST", API + "/query", {"sql": sql}, {"Accept": media + ", */*;q=0.1"})
            equal(accepted.body, answer.body, f"Accept: {media}")
    refused("not_acceptable", 406, "POST", API + "/query", {"sql": sql}, {"Accept": "image/png"})
    refused("invalid", 400, "POST", API + "/query", {"sql": sql, "format": "xml"})


@test
def text_formats_keep_awkward_text():
    sql = "SELECT * FROM (VALUES (1, 'a,b\"c' || chr(10) || 'd' || chr(9) || 'e\\')) t(n, s)"
    csv = ask("POST", API + "/query", {"sql": sql, "format": "csv"}).text
    equal(csv, 'n,s\n1,"a,b""c\nd\te\\"\n')
    tsv = ask("POST", API + "/query", {"sql": sql, "format": "tsv"}).text
    equal(tsv, 'n\ts\n1\ta,b"c\\nd\\te\\\\\n')


@test
def a_long_answer_has_trailers_and_an_error_after_its_start_cuts_it():
    server = shared()
    with server.client() as client:
        response = client.send("POST", API + "/query", {"sql": "SELECT * FROM range(200000)", "format": "csv"})
        equal(response.getheader("Transfer-Encoding"), "chunked")
        contains(response.getheader("Trailer") or "", "X-Row-Count")
        equal(response.read().count(b"\n"), 200001)
    # A division that fails late, in a row that comes long after the first bytes were sent.
    sql = "SELECT CASE WHEN range = 3000000 THEN error('late') ELSE range END FROM range(4000000)"
    with server.client() as client:
        response = client.send("POST", API + "/query", {"sql": sql, "format": "csv"})
        if response.status == 200:
            try:
                got = response.read()
            except Exception:  # IncompleteRead, or a reset: what a client has to see
                return
            raise Failed(f"a broken answer ended cleanly after {len(got)} bytes")
        raise Failed(f"the answer did not begin: {response.status}")


@test
def sql_errors_have_codes_hints_and_positions():
    trips()

    def bad(sql, code, status, **more):
        return refused(code, status, "POST", API + "/query", dict(more, sql=sql))

    sql = "SELECT id FROM tripz"
    error = bad(sql, "table_not_found", 404)
    contains(error["message"], 'tripz"')
    contains(error["hint"], "trips")
    equal(error["type"], "NoSuchTableException")
    equal(error.get("position"), sql.index("tripz"))
    sql = "SELECT id, fair FROM trips"
    error = bad(sql, "unknown_column", 400)
    contains(error["message"], "fair")
    contains(error["hint"], "fare")
    equal(error.get("position"), sql.index("fair"))
    sql = "SELECT id FROM trips WHERE"
    error = bad(sql, "syntax_error", 400)
    check(error.get("position", -1) >= 0, error)
    error = bad("SELECT 1; SELEC 2", "syntax_error", 400)
    equal(error.get("position"), 10)
    error = bad("SELECT summ(id) FROM trips", "unknown_function", 400)
    contains(error["hint"], "sum")
    bad("SELECT id FROM nowhere.t", "namespace_not_found", 404)
    bad("CREATE TABLE nowhere.t (a INTEGER)", "namespace_not_found", 404)
    bad("CREATE TABLE trips (a INTEGER)", "already_exists", 409)
    bad("CREATE SCHEMA main", "already_exists", 409)
    bad("DROP TABLE nothing", "table_not_found", 404)
    bad("DROP SCHEMA nothing", "namespace_not_found", 404)
    bad("SELECT CAST('x' AS INTEGER)", "bad_data", 400)
    bad("SELECT 1 + DATE '2024-01-01' + TRUE", "wrong_type", 400)
    bad("INSERT INTO trips (id, nope) VALUES (1, 2)", "unknown_column", 400)
    error = bad("INSERT INTO trips VALUES (NULL, 'x', 1, NULL)", "bad_data", 400)
    contains(error["message"], "id")
    bad("SAVEPOINT x", "not_supported", 400)
    bad("CREATE MATERIALIZED VIEW v AS SELECT 1", "not_supported", 400)
    for kind in ("FIXED(3)", "TIMESTAMPTZ_NS", "GEOGRAPHY"):
        error = bad(f"CREATE TABLE g (a {kind})", "not_supported", 400)
        contains(error["message"].lower(), kind.split("(")[0].lower())
    for kind in ("INTERVAL", "TIMETZ", "UHUGEINT"):
        bad(f"CREATE TABLE g AS SELECT NULL::{kind} AS a", "not_supported", 400)
    bad("", "syntax_error", 400)
    bad("SELECT * FROM trips", "namespace_not_found", 404, namespace="nowhere")
    equal(shared().value("SELECT count(*) FROM trips"), 3)


@test
def a_request_that_is_no_query_is_refused():
    refused("syntax_error", 400, "POST", API + "/query", "{not json", {"Content-Type": "application/json"})
    refused("invalid", 400, "POST", API + "/query", "[1]", {"Content-Type": "application/json"})
    refused("invalid", 400, "POST", API + "/query", {})
    contains(refused("invalid", 400, "POST", API + "/query", {"sql": "SELECT 1", "formt": "csv"})["message"], "formt")
    refused("syntax_error", 400, "POST", API + "/query", "SELECT 1", {"Content-Type": "text/plain"})


@test
def limits_hold():
    server = shared()
    for sql, rows, cut in (("SELECT * FROM range(1000)", 10, True), ("SELECT * FROM range(10)", 10, False),
                           ("SELECT * FROM range(5000)", 2048, True), ("SELECT * FROM range(2048)", 2048, False),
                           ("SELECT * FROM range(9)", 10, False), ("SELECT 1", 1, False)):
        equal(server.query(sql, limits={"rows": rows})["truncated"], cut, f"{sql}, {rows} rows")
        for form in ("csv", "arrow"):
            answer = ask("POST", API + "/query", {"sql": sql, "format": form, "limits": {"rows": rows}})
            equal(answer.headers["x-truncated"], str(int(cut)), f"{sql}, {rows} rows, {form}")
    got = server.query("SELECT * FROM range(1000)", limits={"rows": 10})
    equal((len(got["rows"]), got["row_count"]), (10, 10))
    started = time.monotonic()
    fails("timed_out", server.query, "SELECT count(*) FROM range(1000000000) a, range(1000000) b",
          limits={"seconds": 0.3}, status=408)
    check(time.monotonic() - started < at_most(1), "a time limit of 0.3 s ended nothing")
    for rows in (-5, -1):
        fails("invalid", server.query, "SELECT 1", limits={"rows": rows})
    for sql in ("SELECT * FROM range(5)", "SHOW TABLES", "SELECT 1 LIMIT 3"):
        got = server.query(sql, limits={"rows": 0})
        equal((got["rows"], got["row_count"], len(got["columns"]) > 0), ([], 0, True), sql)
    for form in ("csv", "jsonl", "arrow", "parquet"):
        equal(ask("POST", API + "/query", {"sql": "SELECT 1 AS a", "format": form, "limits": {"rows": 0}}).status, 200)


@test
def a_memory_limit_has_a_least_value():
    server = shared()
    contains(fails("invalid", server.query, "SELECT 1", limits={"memory_bytes": 1}, status=400).message, "16777216")
    server.query("SELECT count(DISTINCT i) FROM range(3000000) t(i)")
    equal(server.value("SELECT 1", limits={"memory_bytes": 16777216}), 1)
    equal(server.value("SELECT 1", limits={"memory_bytes": 0}), 1)
    equal(server.value("SELECT 1", limits={"memory_bytes": 10**15}), 1)


@test
def parameters_are_what_they_say():
    server = shared()
    sql = "SELECT typeof(x), x::VARCHAR FROM (SELECT $1 AS x)"
    for value, kind in ((1, "INTEGER"), (2**63 - 1, "BIGINT"), (2**63, "HUGEINT"), (-2**63 - 1, "HUGEINT"),
                        (2**127 - 1, "HUGEINT"), (-2**127, "HUGEINT"), (1.5, "DOUBLE")):
        equal(server.rows(sql, params=[value]), [[kind, str(value)]])
    for value in (2**127, -2**127 - 1, 10**60):
        contains(fails("invalid", server.query, sql, params=[value], status=400).message, "128 bits")
    contains(fails("invalid", server.query, "SELECT $1, ?", params=[1, 2], status=400).message, "mixes")
    contains(fails("invalid", server.query, "SELECT ?, $n", params={"n": 2}, status=400).message, "mixes")
    equal(server.rows("SELECT 1 + ?; SELECT $2 - $1", params=[1, 3]), [[2]])
    contains(fails("invalid", server.query, "SELECT ?", params=[1, 2, 3], status=400).message, "3 parameters were given")
    contains(fails("invalid", server.query, "SELECT 1", params=[1], status=400).message, "1 parameter was given")
    contains(fails("invalid", server.query, "SELECT $a", params={"a": 1, "bee": 2}, status=400).message, '"bee"')
    equal(server.rows("SELECT $a", params={"a": 1}), [[1]])
    equal(server.rows("SELECT 1", params=[]), [[1]])
    equal(server.rows("SELECT 1", params={}), [[1]])


@test
def duckdb_parses_whole_statements():
    server = shared()
    server.query("CREATE TABLE judged (a INT NOT NULL COMMENT 'first', comment VARCHAR COMMENT 'it''s', s STRUCT(x INT),)"
                 " PARTITIONED BY (bucket(4, a), comment) COMMENT 'table'")
    server.query("CREATE TABLE main.judged_as USING iceberg PARTITIONED BY (a) AS WITH z AS (SELECT 1 AS a) FROM z")
    for sql in ("INSERT INTO TABLE judged_as VALUES (2),", "INSERT INTO tarn.main.judged_as (a) VALUES (3), (DEFAULT)",
                "INSERT INTO judged_as BY NAME SELECT 4 AS a", "INSERT INTO judged_as DEFAULT VALUES",
                "INSERT INTO judged_as FROM range(5, 7)"):
        server.query(sql)
    equal(server.rows("SELECT a FROM judged_as ORDER BY a"), [[1], [2], [3], [4], [5], [6], [None], [None]])
    for sql, near in (("INSERT INTO judged_as (a) BY NAME SELECT 5 AS a", "BY"),
                      ("INSERT INTO judged_as VALUES (1 2)", "2"), ("INSERT INTO judged_as VALUES (1) SELECT 2", "SELECT"),
                      ("INSERT INTO judged_as VALUES (1) (2)", "(2)"), ("CREATE TABLE nojudge (a INT NOT NULL b)", "b)")):
        error = fails("syntax_error", server.query, sql, status=400)
        equal(error.position, sql.rindex(near), f"{sql}: {error}")
    equal(server.value("SELECT count(*) FROM judged_as"), 8)


@test
def the_user_of_a_query_is_its_principal():
    server = shared()
    key = server.make_principal("ada", "reader")
    for name in ("current_user", "session_user", "user", "CURRENT_USER", "current_role"):
        got = server.query(f"SELECT {name}", key=key)
        equal((got["columns"][0]["name"], got["rows"]), (name, [["ada"]]), name)
    equal(server.rows("SELECT 1; SELECT current_user() || '/' || current_user"), [["root/root"]])
    equal(server.rows('SELECT "user", t.user FROM (SELECT 7 AS "user") t'), [[7, 7]])
    server.query("CREATE TABLE owned AS SELECT current_user AS who, range AS n FROM range(3)")
    server.query("INSERT INTO owned SELECT user, 3")
    equal(server.rows("SELECT DISTINCT who FROM owned WHERE who = current_user"), [["root"]])
    equal(server.rows("SELECT DISTINCT who FROM owned WHERE who = current_user", key=key), [])


@test
def queries_are_listed_and_cancelled():
    server = shared()
    slow = "SELECT count(*) FROM range(1000000000) a, range(1000000) b /* slow */"
    outcome = []

    def run():
        try:
            outcome.append(server.query(slow))
        except TarnError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def running():
        return [q for q in ok("GET", API + "/queries")["queries"] if q["sql"] == slow and q["state"] == "running"]

    try:
        query = eventually(running, "the query runs")[0]
        has(query, "query_id", "principal", "state", "sql", "started_at", "elapsed_ms")
        path = f"{API}/queries/{query['query_id']}"
        equal(ok("GET", path)["state"], "running")
        started = time.monotonic()
        ok("DELETE", path, status=204)
        thread.join(at_most(5))
        took = time.monotonic() - started
    finally:
        thread.join(at_most(5))
    check(outcome and isinstance(outcome[0], TarnError), str(outcome))
    equal((outcome[0].code, outcome[0].status), ("cancelled", 499))
    check(took < at_most(1), f"cancelling took {took:.2f} s")
    equal(ok("GET", path)["state"], "cancelled")
    refused("not_found", 404, "GET", API + "/queries/5d9b4e1e-0000-4000-8000-000000000000")
    refused("not_found", 404, "DELETE", API + "/queries/nonsense")


@test
def a_client_that_goes_ends_its_query():
    server = shared()
    host, port = server.address.split(":")
    body = json.dumps({"sql": "SELECT count(*) FROM range(1000000000) a, range(1000000) b /* gone */"}).encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (server.key.encode(), len(body))
                           + body)
        eventually(lambda: [q for q in ok("GET", API + "/queries")["queries"]
                            if "gone" in q["sql"] and q["state"] == "running"], "the query runs")
    eventually(lambda: [q for q in ok("GET", API + "/queries")["queries"]
                        if "gone" in q["sql"] and q["state"] == "cancelled"], "the query is cancelled", at_most(1))


# ---- namespaces and tables ----

@test
def namespaces_live():
    made = ok("POST", API + "/namespaces", {"name": "sales", "properties": {"owner": "ann"}}, status=201)
    equal((made["name"], made["properties"]), ("sales", {"owner": "ann"}))
    equal(ok("GET", API + "/namespaces/sales")["properties"], {"owner": "ann"})
    ok("POST", API + "/namespaces", {"name": "sales.west"}, status=201)
    names = [n["name"] for n in ok("GET", API + "/namespaces")["namespaces"]]
    check({"main", "sales", "sales.west"} <= set(names), names)
    equal([n["name"] for n in ok("GET", API + "/namespaces?parent=sales")["namespaces"]], ["sales.west"])
    refused("already_exists", 409, "POST", API + "/namespaces", {"name": "Sales"})
    refused("namespace_not_found", 404, "POST", API + "/namespaces", {"name": "no.such.parent"})
    refused("invalid", 400, "POST", API + "/namespaces", {"name": ""})
    refused("invalid", 400, "POST", API + "/namespaces", {"name": "x", "properties": {"a": 1}})
    refused("namespace_not_found", 404, "GET", API + "/namespaces/nothing")
    shared().query("CREATE TABLE sales.west.t AS SELECT 1 AS a")
    equal(ok("GET", API + "/namespaces/sales.west/tables")["tables"][0]["name"], "t")
    refused("not_empty", 409, "DELETE", API + "/namespaces/sales.west")
    ok("DELETE", API + "/namespaces/sales.west?cascade=true", status=204)
    ok("DELETE", API + "/namespaces/sales", status=204)
    refused("namespace_not_found", 404, "DELETE", API + "/namespaces/sales")
    refused("invalid", 400, "DELETE", API + "/namespaces/main?cascade=maybe")
    refused("namespace_not_found", 404, "GET", API + "/namespaces/nothing/tables")


@test
def a_table_is_described():
    trips()
    base = API + "/namespaces/main/tables"
    listed = [t for t in ok("GET", base)["tables"] if t["name"] == "trips"][0]
    equal((listed["rows"], listed["files"]), (3, 2))
    table = ok("GET", base + "/trips")
    has(table, "uuid", "metadata_location", "location", "format_version", "schema", "properties", "current_snapshot_id")
    equal([(c["name"], c["type"], c["iceberg_type"], c["required"]) for c in table["columns"]],
          [("id", "BIGINT", "long", True), ("city", "VARCHAR", "string", False),
           ("fare", "DECIMAL(8,2)", "decimal(8, 2)", False), ("seen", "TIMESTAMP", "timestamp", False)])
    equal([(p["column"], p["transform"]) for p in table["partitioning"]], [("city", "identity")])
    equal(ok("GET", base + "/TRIPS")["name"], "trips")
    snapshots = ok("GET", base + "/trips/snapshots")["snapshots"]
    equal((len(snapshots), snapshots[0]["added_rows"], snapshots[0]["operation"]), (1, 3, "append"))
    equal((snapshots[0]["snapshot_id"], snapshots[0]["current"]), (table["current_snapshot_id"], True))
    files = ok("GET", base + "/trips/files")["files"]
    equal(sorted((f["partition"]["city"], f["rows"]) for f in files), [("Bern", 2), ("Oslo", 1)])
    check(all(f["size_bytes"] > 100 and f["format"].lower() == "parquet" for f in files), files)
    preview = ok("GET", base + "/trips/preview?limit=2")
    equal((preview["row_count"], len(preview["columns"])), (2, 4))
    refused("invalid", 400, "GET", base + "/trips/preview?limit=many")
    error = refused("table_not_found", 404, "GET", base + "/trip")
    contains(error["hint"], "trips")
    for tail in ("", "/snapshots", "/files", "/preview"):
        refused("table_not_found", 404, "GET", base + "/none" + tail)


@test
def tables_are_renamed_and_dropped():
    shared().query("CREATE TABLE one AS SELECT 1 AS a; CREATE SCHEMA IF NOT EXISTS other")
    base = API + "/namespaces/main/tables"
    ok("POST", base + "/one/rename", {"to": "other.two"}, status=204)
    equal(shared().rows("SELECT a FROM other.two"), [[1]])
    refused("table_not_found", 404, "POST", base + "/one/rename", {"to": "three"})
    refused("namespace_not_found", 404, "POST", API + "/namespaces/other/tables/two/rename", {"to": "nowhere.x"})
    shared().query("CREATE TABLE other.three (a INTEGER)")
    refused("already_exists", 409, "POST", API + "/namespaces/other/tables/two/rename", {"to": "other.three"})
    ok("DELETE", API + "/namespaces/other/tables/two", status=204)
    refused("table_not_found", 404, "DELETE", API + "/namespaces/other/tables/two")
    ok("DELETE", "/tables/other.three", status=204)
    refused("table_not_found", 404, "DELETE", "/tables/other.three")


@test
def the_small_api_shows_a_schema():
    trips()
    got = ok("GET", "/schema/trips")
    equal((got["table"], [c["name"] for c in got["columns"]]), ("main.trips", ["id", "city", "fare", "seen"]))
    refused("table_not_found", 404, "GET", "/schema/none")


@test
def the_small_query_reads_only_by_get():
    trips()
    path = "/query?sql=" + urllib.parse.quote("SELECT id, city FROM trips ORDER BY id LIMIT 1")
    equal(ok("GET", path), [{"id": 1, "city": "Bern"}])
    equal(ok("POST", "/query", {"sql": "SELECT 1 AS a"}), [{"a": 1}])
    equal(ok("POST", "/query", {"sql": "SELECT 1 AS a WHERE FALSE"}), [])
    before = shared().value("SELECT count(*) FROM trips")
    for sql in ("INSERT INTO trips VALUES (9, 'x', 1, NULL)", "DROP TABLE trips", "CREATE TABLE z (a INTEGER)",
                "CREATE SCHEMA z", "DROP SCHEMA main", "SELECT 1; DROP TABLE trips",
                "CREATE TABLE z AS SELECT 1 AS a"):
        refused("method_not_allowed", 405, "GET", "/query?sql=" + urllib.parse.quote(sql))
    equal(shared().value("SELECT count(*) FROM trips"), before)
    refused("invalid", 400, "GET", "/query")
    equal(ok("POST", "/query", {"sql": "CREATE TABLE small (a INTEGER)"}), [])
    ok("DELETE", "/tables/small", status=204)


# ---- rows and files in ----

CSV = b"id,name,when,amount\n1,anna,2024-01-01 10:00:00,1.25\n2,\"b, \"\"q\"\"\",,\n3,\xc3\xa7a,2024-01-03 00:00:00,-7.5\n"


@test
def ingest_takes_a_form_with_csv():
    body, kind = multipart({"file": ("people.csv", CSV, "text/csv")})
    got = ok("POST", "/ingest/people", body, {"Content-Type": kind})
    has(got, "table", "created", "rows_read", "rows_written", "rows_rejected", "files", "snapshot_id", "seconds")
    equal((got["table"], got["created"], got["rows_read"], got["rows_written"]), ("main.people", True, 3, 3))
    equal(shared().rows("SELECT id, name, amount FROM people ORDER BY id"),
          [[1, "anna", 1.25], [2, 'b, "q"', None], [3, "ça", -7.5]])
    body, kind = multipart({"table": "people", "format": "csv", "mode": "append", "file": ("p", CSV, "text/plain")})
    got = ok("POST", "/ingest", body, {"Content-Type": kind})
    equal((got["created"], shared().value("SELECT count(*) FROM people")), (False, 6))
    body, kind = multipart({"table": "parted", "partition": "name", "file": ("p.csv", CSV, "text/csv")})
    equal(ok("POST", "/ingest", body, {"Content-Type": kind})["files"], 3)
    body, kind = multipart({"file": ("p.csv", CSV, "text/csv")})
    contains(refused("invalid", 400, "POST", "/ingest", body, {"Content-Type": kind})["message"], "table")
    body, kind = multipart({"table": "people"})
    contains(refused("invalid", 400, "POST", "/ingest", body, {"Content-Type": kind})["message"], "file")
    refused("invalid", 400, "POST", "/ingest", body[:-20], {"Content-Type": kind})
    refused("unsupported_media_type", 415, "POST", "/ingest", CSV, {"Content-Type": "text/csv"})


@test
def a_json_value_of_another_type_is_refused_without_advice_on_settings_nobody_has():
    shared().query("CREATE TABLE json_typed (id BIGINT)")
    error = refused("bad_data", 400, "POST", "/ingest/json_typed", [{"id": 1}, {"id": "abc"}])
    contains(error["message"], '"abc"')
    check("auto_detect" not in error["detail"], error["detail"])
    equal(shared().value("SELECT count(*) FROM json_typed"), 0)


@test
def ingest_takes_raw_csv_tsv_and_unnamed_bodies():
    got = ok("POST", "/ingest/raw", CSV, {"Content-Type": "text/csv; charset=utf-8"})
    equal(got["rows_written"], 3)
    ok("POST", "/ingest/raw", CSV)
    equal(shared().value("SELECT count(*) FROM raw"), 6)
    tsv = b"id\tname\n1\ta\n2\tb\n"
    equal(ok("POST", "/ingest/tsv", tsv, {"Content-Type": "text/tab-separated-values"})["rows_written"], 2)
    equal(shared().rows("SELECT * FROM tsv ORDER BY id"), [[1, "a"], [2, "b"]])


@test
def ingest_takes_rows():
    rows = [{"id": 1, "tags": ["a", "b"], "pos": {"lat": 1.5}}, {"id": 2, "tags": None, "pos": {"lat": -2.5}}]
    got = ok("POST", "/ingest/events", rows)
    equal((got["rows_written"], got["created"]), (2, True))
    equal(ok("POST", "/ingest/events", rows[0])["rows_written"], 1)
    lines = "\n".join(json.dumps(row) for row in rows)
    equal(ok("POST", "/ingest/events", lines, {"Content-Type": "application/x-ndjson"})["rows_written"], 2)
    equal(shared().rows("SELECT id, tags, pos FROM events ORDER BY id, tags LIMIT 1"), [[1, ["a", "b"], {"lat": 1.5}]])
    equal(shared().value("SELECT count(*) FROM events"), 5)


@test
def a_json_value_of_the_wrong_type_is_told_with_its_column():
    server = shared()
    server.query("CREATE TABLE typed (id BIGINT, name VARCHAR, day DATE, score DOUBLE, s STRUCT(x INTEGER))")
    for row, words in (({"id": "x"}, 'column "id"'), ({"id": 1, "score": "high"}, 'column "score"'),
                       ({"id": 1, "s": {"x": "y"}}, 'column "s"'), ({"id": 1, "s": 5}, 'column "s"')):
        told = refused("bad_data", 400, "POST", "/ingest/typed", [{"id": 1, "name": "a", "day": "2024-01-01"}, row])
        contains(told["message"], words, str(row))
        contains(told["message"], "record", str(row))
    told = refused("bad_data", 400, "POST", "/ingest/typed", '[{"id": 1}, {"id": ', {"Content-Type": "application/json"})
    check("column" not in told["message"], told["message"])
    equal(server.value("SELECT count(*) FROM typed"), 0)



@test
def ingest_takes_parquet():
    parquet = ask("POST", API + "/query", {"sql": "SELECT range AS n, 'x' || range AS s FROM range(1000)",
                                           "format": "parquet"}).body
    for headers in ({"Content-Type": "application/vnd.apache.parquet"}, {}):
        equal(ok("POST", "/ingest/parquet", parquet, headers)["rows_written"], 1000)
    equal(shared().rows("SELECT count(*), sum(n), max(s) FROM parquet"), [[2000, 999000, "x999"]])
    for cut in (parquet[:-1], parquet[:len(parquet) // 2], b"PAR1PAR1"):
        error = refused("corrupt", 500, "POST", "/ingest/parquet", cut,
                        {"Content-Type": "application/vnd.apache.parquet"})
        contains(error["message"], "request body")
    contains(refused("corrupt", 500, "POST", "/ingest/parquet", parquet[:-1],
                     {"Content-Type": "application/vnd.apache.parquet"})["hint"], f"{len(parquet) - 1} bytes")
    equal(shared().value("SELECT count(*) FROM parquet"), 2000)


@test
def ingest_refuses_what_it_cannot_read():
    error = refused("bad_data", 400, "POST", "/ingest/broken", b"a,b\n1,2\n3\n4,5\n", {"Content-Type": "text/csv"})
    contains(error["message"] + error["detail"], "3")
    refused("bad_data", 400, "POST", "/ingest/broken", b'[{"a": 1}, {"a": ', {"Content-Type": "application/json"})
    refused("invalid", 400, "POST", "/ingest/broken", b"", {"Content-Type": "text/csv"})
    refused("unsupported_media_type", 415, "POST", "/ingest/broken", b"<a/>", {"Content-Type": "text/xml"})
    refused("invalid", 400, "POST", "/ingest/broken?format=xlsb", CSV)
    refused("not_supported", 400, "POST", "/ingest/broken?mode=overwrite", CSV, {"Content-Type": "text/csv"})
    refused("table_not_found", 404, "POST", "/ingest/broken?create=false", CSV, {"Content-Type": "text/csv"})
    refused("namespace_not_found", 404, "POST", "/ingest/nowhere.broken", CSV, {"Content-Type": "text/csv"})
    refused("table_not_found", 404, "GET", API + "/namespaces/main/tables/broken")
    shared().query("CREATE TABLE strict (id INTEGER NOT NULL, n INTEGER)")
    refused("bad_data", 400, "POST", "/ingest/strict", b"id,n\n1,2\nx,3\n", {"Content-Type": "text/csv"})
    refused("bad_data", 400, "POST", "/ingest/strict", [{"id": None, "n": 1}])
    error = refused("unknown_column", 400, "POST", "/ingest/strict", [{"id": 1, "m": 1}])
    contains(error["message"], '"m"')
    equal(shared().value("SELECT count(*) FROM strict"), 0)


@test
def rows_go_into_a_table_that_exists():
    shared().query("CREATE TABLE rows_t (a INTEGER, b VARCHAR)")
    got = ok("POST", API + "/tables/main.rows_t/rows", [{"a": 1, "b": "x"}, {"b": "y"}])
    equal(got["rows_written"], 2)
    ok("POST", API + "/tables/rows_t/rows?wait=commit", b"a,b\n5,z\n", {"Content-Type": "text/csv"})
    equal(shared().rows("SELECT a, b FROM rows_t ORDER BY b"), [[1, "x"], [None, "y"], [5, "z"]])
    refused("table_not_found", 404, "POST", API + "/tables/rows_none/rows", [{"a": 1}])
    refused("not_supported", 400, "POST", API + "/tables/rows_t/rows?wait=accept", [{"a": 1}])


@test
def loads_take_several_files_in_one_commit():
    load = ok("POST", API + "/loads", {}, status=201)["id"]
    for number, ids in enumerate((range(0, 50), range(50, 80))):
        text = "n,s\n" + "".join(f"{n},v{n}\n" for n in ids)
        ok("PUT", f"{API}/loads/{load}/files/{number}?name=part{number}.csv", text, status=204)
    refused("already_exists", 409, "PUT", f"{API}/loads/{load}/files/0?name=again.csv", "n\n1\n")
    refused("not_found", 404, "PUT", f"{API}/loads/5d9b4e1e-0000-4000-8000-000000000000/files/0", "n\n1\n")
    got = ok("POST", f"{API}/loads/{load}/commit", {"table": "loaded", "format": "csv"})
    equal((got["rows_written"], got["created"]), (80, True))
    equal(len(ok("GET", API + "/namespaces/main/tables/loaded/snapshots")["snapshots"]), 1)
    refused("not_found", 404, "POST", f"{API}/loads/{load}/commit", {"table": "loaded"})
    other = ok("POST", API + "/loads", {}, status=201)["id"]
    ok("PUT", f"{API}/loads/{other}/files/0?name=a.csv", "n,s\n1,v1\nx\n", status=204)
    error = refused("bad_data", 400, "POST", f"{API}/loads/{other}/commit", {"table": "loaded"})
    contains(error["message"] + error["detail"], "a.csv")
    gap = ok("POST", API + "/loads", {}, status=201)["id"]
    contains(refused("invalid", 400, "POST", f"{API}/loads/{gap}/commit", {"table": "loaded"})["message"], "no files")
    ok("PUT", f"{API}/loads/{gap}/files/1?name=b.csv", "n,s\n1,v1\n", status=204)
    refused("invalid", 400, "POST", f"{API}/loads/{gap}/commit", {"table": "loaded"})
    ok("DELETE", f"{API}/loads/{gap}", status=204)
    refused("not_found", 404, "DELETE", f"{API}/loads/{gap}")
    equal(shared().value("SELECT count(*) FROM loaded"), 80)


@test
def a_file_that_broke_off_can_be_sent_again():
    server = shared()
    load = ok("POST", API + "/loads", {}, status=201)["id"]
    path = f"{API}/loads/{load}/files/0"
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"PUT %s?name=cut.csv HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                           b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
                           % (path.encode(), server.key.encode()))
        equal(connection.recv(100)[:12], b"HTTP/1.1 100", "the server wants this file's bytes")
        connection.sendall(b"n,s\n1,cut\n")
        refused("already_exists", 409, "PUT", path, "n,s\n9,other\n")
    refused("invalid", 400, "POST", f"{API}/loads/{load}/commit", {"table": "mended"})
    eventually(lambda: ask("PUT", path + "?name=whole.csv", "n,s\n1,whole\n").status == 204, "it is taken again")
    equal(ok("POST", f"{API}/loads/{load}/commit", {"table": "mended"})["rows_written"], 1)
    equal(shared().rows("SELECT n, s FROM mended"), [[1, "whole"]])


@test
def convert_makes_parquet():
    answer = ask("POST", API + "/convert?from=csv&to=parquet&columns=a:bigint,b:varchar", b"a,b\n1,x\n2,y\n",
                 {"Content-Type": "text/csv"})
    equal((answer.status, answer.type, answer.body[:4]), (200, "application/vnd.apache.parquet", b"PAR1"))
    got = ok("POST", "/ingest/converted", answer.body)
    equal(got["rows_written"], 2)
    refused("not_supported", 400, "POST", API + "/convert?from=csv&to=xml", b"a\n1\n")
    refused("bad_data", 400, "POST", API + "/convert?from=csv&to=parquet&columns=a:bigint", b"a\nx\n")


# ---- care and principals ----

@test
def scrub_and_backup_answer():
    trips()
    equal(ok("POST", API + "/scrub", {})["corrupt_objects"], 0)
    target = os.path.join(shared().work, "copy")
    got = ok("POST", API + "/backup", {"target": target})
    check(got["objects"] > 0 and os.path.exists(os.path.join(target, "tarn.db")), got)
    refused("already_exists", 409, "POST", API + "/backup", {"target": target})
    refused("invalid", 400, "POST", API + "/backup", {"target": "relative/path"})


@test
def principals_live():
    made = ok("POST", API + "/principals", {"name": "rita", "role": "reader"}, status=201)
    check(made["key"].startswith("tarn_"), "the key's form")
    listed = {p["name"]: p for p in ok("GET", API + "/principals")["principals"]}
    equal((listed["rita"]["role"], listed["root"]["role"]), ("reader", "root"))
    check("key" not in listed["rita"], "a key is shown twice")
    equal(shared().rows("SELECT 1", key=made["key"]), [[1]])
    refused("already_exists", 409, "POST", API + "/principals", {"name": "rita", "role": "reader"})
    refused("invalid", 400, "POST", API + "/principals", {"name": "x", "role": "emperor"})
    ok("DELETE", API + "/principals/rita", status=204)
    refused("not_authenticated", 401, "POST", API + "/query", {"sql": "SELECT 1"}, key=made["key"])
    refused("not_found", 404, "DELETE", API + "/principals/rita")
    equal(ask("DELETE", API + "/principals/root").status // 100, 4, "root cannot go")
    ok("GET", API + "/status")


# ---- the protocol ----

@test
def every_answer_has_a_request_id_of_its_own():
    ids = {ask("GET", path).headers["x-request-id"] for path in ("/livez", "/livez", API + "/status", "/none")}
    equal(len(ids), 4)


@test
def what_is_too_deep_or_too_much_is_said_with_a_cure_that_one_has():
    server = shared()
    error = fails("syntax_error", server.query, "SELECT " + "(" * 20000 + "1" + ")" * 20000)
    contains(error.message, "nested too deeply")
    error = fails("syntax_error", server.query, "SELECT " + "1+" * 5000 + "1")
    contains(error.message, "depth limit")
    check('"SET' not in error.message, error.message)
    error = fails("out_of_memory", server.query, "SELECT list(range) FROM range(1000000000)",
                  limits={"memory_bytes": 64 << 20})
    contains(error.hint, "engine.memory")


@test
def head_answers_like_get_without_a_body():
    for path in ("/livez", API + "/status", API + "/namespaces"):
        get, head = ask("GET", path), ask("HEAD", path)
        equal((head.status, head.type, head.body), (get.status, get.type, b""), path)
        check(int(head.headers["content-length"]) > 0, path)


@test
def unknown_routes_and_methods():
    for path in ("/none", API, API + "/nothing", API + "/query/more", "/ingest/a/b", "/livez/x"):
        refused("not_found", 404, "GET", path)
    for method, path in (("GET", API + "/loads"), ("DELETE", "/livez"), ("PUT", API + "/query"), ("PATCH", "/query")):
        answer = ask(method, path)
        equal((answer.status, answer.error["code"]), (405, "method_not_allowed"), f"{method} {path}")
        check(answer.headers.get("allow"), "no Allow header")
    # Who is nobody does not learn what there is.
    refused("not_authenticated", 401, "GET", "/none", key=NO_KEY)
    refused("not_authenticated", 401, "GET", API + "/nothing", key="tarn_wrong")


@test
def host_and_origin_are_checked():
    for host, status in (("evil.example", 421), ("evil.example:80", 421), ("localhost", 200), ("127.0.0.1:1", 200),
                         ("[::1]", 200), ("localhost.evil.example", 421)):
        equal(ask("GET", "/livez", headers={"Host": host}).status, status, host)
    equal(ask("GET", API + "/status", headers={"Origin": "http://evil.example"}).status, 403)
    equal(ask("GET", API + "/status", headers={"Origin": "null"}).status, 403)
    equal(ask("GET", API + "/status", headers={"Origin": "http://localhost:1234"}).status, 200)


@test
def basic_authentication_is_as_good_as_a_key():
    import base64
    word = base64.b64encode(f"root:{shared().key}".encode()).decode()
    equal(ask("GET", API + "/status", headers={"Authorization": "Basic " + word}, key=NO_KEY).status, 200)
    word = base64.b64encode(f"other:{shared().key}".encode()).decode()
    equal(ask("GET", API + "/status", headers={"Authorization": "Basic " + word}, key=NO_KEY).status, 401)
    answer = ask("GET", API + "/status", key=NO_KEY)
    equal(answer.status, 401)
    contains(answer.headers["www-authenticate"], "Bearer")


@test
def malformed_requests_are_refused_and_the_server_lives():
    server = shared()
    host, port = server.address.split(":")
    key = f"Authorization: Bearer {server.key}\r\n".encode()
    for head in (b"GET / HTTP/1.1\nHost: localhost\n\n",
                 b"POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
                 b"GET /livez%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n" + key + b"AUTHORIZATION: Bearer x\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=at_most(10)) as connection:
            connection.sendall(head)
            equal(connection.recv(65536)[:12], b"HTTP/1.1 400", repr(head[:30]))
    equal(ask("GET", "/livez").status, 200)


@test
def a_server_that_stops_tells_whom_it_leaves():
    with Server(name="stopping") as server:
        server.query("CREATE TABLE t (n BIGINT)")
        endless = "SELECT count(*) FROM range(1000000000) a, range(1000000) b /* endless */"
        outcomes = {}

        def run(sql):
            try:
                outcomes[sql] = server.query(sql)
            except Exception as error:  # told below, by the main thread
                outcomes[sql] = error

        insert = "INSERT INTO t SELECT count(*) FROM range(1000000000) a, range(1000000) b /* endless */"
        threads = [threading.Thread(target=run, args=(sql,)) for sql in (endless, insert)]
        for thread in threads:
            thread.start()
        eventually(lambda: [q["state"] for q in server.request("GET", API + "/queries").ok().json["queries"]
                            if "/* endless */" in q["sql"]] == ["running"] * 2, "both run")
        equal(server.stop(), 0, "exit code after SIGTERM")
        for thread in threads:
            thread.join(at_most(5))
        for sql in (endless, insert):
            error = outcomes[sql]
            check(isinstance(error, TarnError), f"{sql}: {error!r}")
            equal((error.status, error.code), (503, "unavailable"))
            contains(error.message, "stopping")
        server.start()
        equal(server.value("SELECT count(*) FROM t"), 0)


@test
def a_server_ends_cleanly():
    server = shared()
    ask("GET", "/livez")
    log = server.log_text()
    contains(log, "READY")
    check(server.key not in log, "the key stands in the log")
    equal(server.stop(), 0, "exit code after SIGTERM")
    check(not os.path.exists(os.path.join(server.data, "run/server.json")), "server.json is left behind")


main()

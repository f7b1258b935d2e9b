#!/usr/bin/env python3
"""Every route of the server, taken from its own OpenAPI document, and every operation of the REST catalog, taken from
its own page, as nobody, with a bad key, as a reader and as root: who may not is told so before anything else, and who
may is not."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import restcatalog  # noqa: E402
from tarn import NO_KEY, Failed, check, contains, equal, fails, main, shared, test  # noqa: E402

# What a reader may: everything else of the document is refused to one. A new action has to be judged here.
READER_MAY = {"none", "status.read", "metrics.read", "namespace.list", "namespace.read", "table.list", "table.read",
              "query.run", "query.read", "query.cancel"}
READER_MAY_NOT = {"namespace.create", "namespace.drop", "table.create", "table.write", "table.alter", "table.drop",
                  "location.read", "query.any", "access.admin", "server.admin", "events.read"}
SEGMENTS = {"ns": "main", "table": "matrix_none", "name": "matrix_none", "id": "5d9b4e1e-0000-4000-8000-000000000000",
            "number": "0", "key": "0123456789abcdef", "uuid": "5d9b4e1e-0000-4000-8000-000000000000"}
BODIES = {
    "/api/v1/query": {"sql": "SELECT 1"}, "/query": {"sql": "SELECT 1"},
    "/api/v1/namespaces": {"name": "matrix_made"},
    "/api/v1/namespaces/{ns}/tables/{table}/rename": {"to": "matrix_other"},
    "/api/v1/namespaces/{ns}/register": {"name": "matrix_registered", "location": "s3://warehouse/matrix_none"},
    "/api/v1/principals": {"name": "matrix", "role": "reader"},
    "/api/v1/backup": {"target": "not absolute"}, "/ingest/{name}": [{"a": 1}],
    "/api/v1/tables/{name}/rows": [{"a": 1}], "/api/v1/loads/{id}/commit": {"table": "t"},
}
# A user has an S3 account and no right to the catalog.
USER_MAY = {"none", "status.read"}
# A writer works on tables: not on the server, its principals, its events, others' queries; nor on what lies elsewhere.
WRITER_MAY = READER_MAY | {"namespace.create", "namespace.drop", "table.create", "table.write", "table.alter", "table.drop"}
QUERIES = {("get", "/query"): "?sql=SELECT+1", ("post", "/api/v1/convert"): "?from=csv&to=parquet"}


def operations():
    document = shared().request("GET", "/api/v1/openapi.json").ok().json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation["x-action"]


def call(method, path, key):
    concrete = path
    for name, value in SEGMENTS.items():
        concrete = concrete.replace("{" + name + "}", value)
    check("{" not in concrete, f"{path} has a segment this test does not know")
    body = BODIES.get(path, {}) if method in ("post", "put") else None
    answer = shared().request(method.upper(), concrete + QUERIES.get((method, path), ""), body, None, key)
    if answer.status >= 400:
        equal(answer.type, "application/json", f"{method} {path}")
        check(answer.error["code"], f"{method} {path}")
    return answer


@test
def the_document_names_an_action_for_every_route():
    seen = list(operations())
    check(len(seen) >= 38, f"{len(seen)} routes")
    unknown = {action for _, _, action in seen} - READER_MAY - READER_MAY_NOT
    equal(unknown, set(), "actions that this test does not judge")


@test
def nobody_gets_in():
    for method, path, action in operations():
        answer = call(method, path, NO_KEY)
        if action == "none":
            equal(answer.status, 200, path)
        else:
            equal((answer.status, answer.error["code"]), (401, "not_authenticated"), f"{method} {path}")
            contains(answer.headers["www-authenticate"], "Bearer")


@test
def a_bad_key_gets_no_further():
    key = shared().key
    flipped = key[:-1] + ("A" if key[-1] != "A" else "B")
    for bad in (flipped, "tarn_", key + "x", key[:-1], "x" * 5000):
        for method, path, action in operations():
            if bad != flipped and path != "/api/v1/status":
                continue
            answer = call(method, path, bad)
            equal(answer.status, 200 if action == "none" else 401, f"{method} {path} with {bad[:12]}…")
    for word in ("Bearer", "Bearer ", "Basic !!!", "Digest x", "bearer " + flipped, "Negotiate abc"):
        answer = shared().request("GET", "/api/v1/status", None, {"Authorization": word}, NO_KEY)
        equal(answer.status, 401, word)


@test
def a_reader_may_what_readers_may():
    key = shared().make_principal("matrix_reader", "reader")
    for method, path, action in operations():
        answer = call(method, path, key)
        where = f"{method} {path} ({action}): {answer.status} {answer.body[:200]!r}"
        if action not in READER_MAY:
            equal((answer.status, answer.error["code"]), (403, "denied"), where)
            contains(answer.error["message"], "matrix_reader", where)
        else:
            check(answer.status not in (401, 403) and answer.status < 500, where)


@test
def a_user_may_nothing_of_the_catalog():
    key = shared().make_principal("matrix_user", "user")
    for method, path, action in operations():
        answer = call(method, path, key)
        where = f"{method} {path} ({action}): {answer.status} {answer.body[:200]!r}"
        if action in USER_MAY:
            check(answer.status not in (401, 403) and answer.status < 500, where)
        else:
            equal((answer.status, answer.error["code"]), (403, "denied"), where)


@test
def a_writer_may_what_belongs_to_tables():
    key = shared().make_principal("matrix_writer", "writer")
    for method, path, action in operations():
        answer = call(method, path, key)
        where = f"{method} {path} ({action}): {answer.status} {answer.body[:200]!r}"
        if action not in WRITER_MAY:
            equal((answer.status, answer.error["code"]), (403, "denied"), where)
            contains(answer.error["message"], "matrix_writer", where)
        elif path.endswith("/register"):  # asks for location.read by itself
            equal(answer.status, 403, where)
        else:
            check(answer.status not in (401, 403) and answer.status < 500, where)
    shared().request("DELETE", "/api/v1/namespaces/matrix_made")
    shared().query("DROP TABLE IF EXISTS matrix_none")


@test
def root_may_everything():
    for method, path, action in operations():
        answer = call(method, path, None)
        check(answer.status not in (401, 403) and answer.status < 500, f"{method} {path} ({action}): {answer.status}")
    shared().request("DELETE", "/api/v1/principals/matrix")
    shared().request("DELETE", "/api/v1/namespaces/matrix_made")
    shared().query("DROP TABLE IF EXISTS matrix_none")


@test
def a_writer_works_on_tables_and_on_nothing_else():
    server = shared()
    key = server.make_principal("busy_writer", "writer")
    for sql in ("CREATE SCHEMA written", "CREATE TABLE written.t AS SELECT 1 AS a", "INSERT INTO written.t VALUES (2)",
                "UPDATE written.t SET a = 3 WHERE a = 2", "DELETE FROM written.t WHERE a = 1", "ALTER TABLE written.t ADD COLUMN b INTEGER",
                "CREATE VIEW written.v AS SELECT a FROM written.t"):
        server.query(sql, key=key)
    equal(server.rows("SELECT a FROM written.v", key=key), [[3]])
    for sql in ("DROP VIEW written.v", "DROP TABLE written.t", "DROP SCHEMA written"):
        server.query(sql, key=key)
    for method, path, body in (("POST", "/api/v1/principals", {"name": "x", "role": "root"}), ("GET", "/api/v1/events", None),
                               ("POST", "/api/v1/principals/busy_writer/keys", {}), ("POST", "/api/v1/principals/busy_writer/s3-keys", {}),
                               ("POST", "/api/v1/warehouses", {"name": "x", "location": "s3://x"})):
        equal(server.request(method, path, body, None, key).status, 403, path)


@test
def protection_is_a_matter_of_those_who_may_drop():
    server = shared()
    keys = {role: server.make_principal("guard_" + role, role) for role in ("reader", "user", "writer")}
    server.query("CREATE SCHEMA guarded; CREATE TABLE guarded.t AS SELECT 1 AS a")
    for path in ("/api/v1/namespaces/guarded/tables/t/protection", "/api/v1/namespaces/guarded/protection"):
        for method in ("PUT", "DELETE"):
            for role, status in (("reader", 403), ("user", 403), ("writer", 200), (None, 200)):
                answer = server.request(method, path, None, None, keys.get(role))
                check(answer.status == 403 if status == 403 else answer.status < 300, f"{method} {path} as {role}: {answer.status}")
    # the flag holds back whoever it is, in every way of dropping, until somebody who may drop takes it away
    server.request("PUT", "/api/v1/namespaces/guarded/tables/t/protection", None, None, keys["writer"]).ok()
    rest = "/iceberg/v1/tarn/namespaces/guarded/tables/t"
    for key in (keys["writer"], None):
        for method, path in (("DELETE", rest), ("DELETE", rest + "?purgeRequested=true"), ("POST", rest + "/unregister"),
                             ("DELETE", "/api/v1/namespaces/guarded/tables/t")):
            equal(server.request(method, path, None, None, key).status, 403, f"{method} {path}")
        for sql in ("DROP TABLE guarded.t", "DROP TABLE guarded.t PURGE", "DROP SCHEMA guarded CASCADE"):
            fails("denied", server.query, sql, key=key)
    server.request("DELETE", "/api/v1/namespaces/guarded/tables/t/protection", None, None, keys["writer"]).ok()
    server.query("DROP SCHEMA guarded CASCADE", key=keys["writer"])


# ---- the REST catalog ----

REST_SEGMENTS = {"prefix": "tarn", "namespace": "main", "table": "matrix_rest", "view": "matrix_rest", "function": "f",
                 "plan-id": "p"}
STRUCT = {"type": "struct", "fields": [{"id": 1, "name": "a", "type": "long", "required": False}]}
MOVE = {"source": {"namespace": ["main"], "name": "matrix_no"}, "destination": {"namespace": ["main"], "name": "m2"}}
SET = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"a": "b"}}]}
REST_BODIES = {
    "createNamespace": {"namespace": ["matrix_rest_made"]}, "createTable": {"name": "matrix_rest", "schema": STRUCT},
    "registerTable": {"name": "matrix_r", "metadata-location": "s3://warehouse/no/metadata/1.metadata.json"},
    "registerView": {"name": "matrix_r", "metadata-location": "s3://warehouse/no/metadata/1.metadata.json"},
    "createView": restcatalog.view_body("matrix_view"), "renameTable": MOVE, "renameView": MOVE, "updateTable": SET,
    "commitTransaction": {"table-changes": [dict(SET, identifier=MOVE["source"])]},
}


def rest_call(operation, method, pattern, key):
    path = pattern
    for name, value in REST_SEGMENTS.items():
        path = path.replace("{" + name + "}", value)
    check("{" not in path, f"{pattern} has a segment this test does not know")
    body = REST_BODIES.get(operation, {}) if method in ("POST", "PUT") else None
    answer = shared().request(method, "/iceberg" + path, body, None, key)
    where = f"{operation}: {answer.status} {answer.body[:300]!r}"
    if answer.status >= 400 and method != "HEAD" and operation != "getToken":
        equal(answer.type, "application/json", where)
        equal(answer.error["code"], answer.status, where)
    return answer, where


def rest_rights(may, key):
    """What is not served asks for table.read, and says so only then."""
    for operation, method, pattern, action, _ in restcatalog.operations():
        answer, where = rest_call(operation, method, pattern, key)
        if action == "none":
            continue
        check(action == "" or action in READER_MAY | READER_MAY_NOT, f"{operation} asks for {action}")
        if operation in ("registerTable", "registerView") and "location.read" not in may and "table.create" in may:
            equal(answer.status, 403, where)
        elif (action or "table.read") in may:
            check(answer.status not in (401, 403) and answer.status < 500, where)
        else:
            equal(answer.status, 403, where)
            if method != "HEAD":
                equal(answer.error["type"], "ForbiddenException", where)


@test
def nobody_gets_into_the_rest_catalog():
    key = shared().key
    flipped = key[:-1] + ("A" if key[-1] != "A" else "B")
    for stranger in (NO_KEY, flipped, "None"):
        for operation, method, pattern, action, _ in restcatalog.operations():
            answer, where = rest_call(operation, method, pattern, stranger)
            if action != "none":
                equal(answer.status, 401, where)
                contains(answer.headers["www-authenticate"], "Bearer")


@test
def readers_users_and_writers_may_in_the_rest_catalog_what_they_may():
    rest_rights(READER_MAY, shared().make_principal("matrix_rest_reader", "reader"))
    rest_rights(USER_MAY, shared().make_principal("matrix_rest_user", "user"))
    equal(shared().rows("SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'matrix_rest%'"), [[0]])
    rest_rights(WRITER_MAY, shared().make_principal("matrix_rest_writer", "writer"))
    for sql in ("DROP TABLE IF EXISTS matrix_rest", "DROP VIEW IF EXISTS matrix_view", "DROP SCHEMA IF EXISTS matrix_rest_made"):
        shared().query(sql)


@test
def a_writer_registers_what_lies_in_the_namespaces_own_place():
    server = shared()
    key = server.make_principal("matrix_registrar", "writer")
    reader = server.make_principal("matrix_looker", "reader")
    table = "/iceberg/v1/tarn/namespaces/main/tables/"

    def make(name, **more):
        body = dict({"name": name, "schema": STRUCT}, **more)
        return server.request("POST", "/iceberg/v1/tarn/namespaces/main/tables", body, None, key).ok().json["metadata-location"]

    def register(name, file, who, space="main"):
        return server.request("POST", f"/iceberg/v1/tarn/namespaces/{space}/register",
                              {"name": name, "metadata-location": file}, None, who)
    inside = make("reg_inside")
    outside = make("reg_outside", location="s3://warehouse/elsewhere/reg")
    for name in ("reg_inside", "reg_outside"):
        server.request("POST", table + name + "/unregister", None, None, key).ok()
    server.query("CREATE SCHEMA reg_other", key=key)
    for file in (inside.replace("/main/", "/main/../elsewhere/"), inside.replace("s3://warehouse/main", "s3://warehouse/mainly"),
                 outside, "s3://warehouse/.tarn/names/x.json", "file:///etc/passwd", "/etc/passwd"):
        equal(register("reg_no", file, key).status, 403, file)
    equal(register("reg_no", inside, key, "reg_other").status, 403, "another namespace's place")
    equal(register("reg_no", inside, reader).status, 403, "a reader")
    equal(register("reg_inside", inside, key).ok().json["metadata-location"], inside)
    equal(register("reg_outside", outside, key).status, 403, "outside of the namespace's place")
    register("reg_outside", outside, None).ok()
    for sql in ("DROP TABLE reg_inside", "DROP TABLE reg_outside", "DROP SCHEMA reg_other"):
        server.query(sql, key=key)


@test
def root_may_everything_in_the_rest_catalog():
    for operation, method, pattern, action, _ in restcatalog.operations():
        answer, where = rest_call(operation, method, pattern, None)
        check(action == "none" or answer.status not in (401, 403), where)
        check(answer.status < 500, where)


@test
def a_reader_changes_nothing_by_any_door():
    server = shared()
    key = server.make_principal("quiet_reader", "reader")
    server.query("CREATE TABLE kept AS SELECT 1 AS a")
    for sql in ("INSERT INTO kept VALUES (2)", "DELETE FROM kept", "TRUNCATE kept", "INSERT OVERWRITE kept VALUES (2)",
                "DROP TABLE kept", "CREATE TABLE mine (a INTEGER)",
                "CREATE TABLE mine AS SELECT * FROM kept", "CREATE SCHEMA mine", "DROP SCHEMA main CASCADE",
                "SELECT 1; INSERT INTO kept VALUES (3)"):
        fails("denied", server.query, sql, key=key, status=403)

    def refuse(method, path, body=None, headers=None):
        answer = server.request(method, path, body, headers, key)
        equal((answer.status, answer.error["code"]), (403, "denied"), f"{method} {path}")

    csv = {"Content-Type": "text/csv"}
    refuse("POST", "/ingest/kept", b"a\n5\n", csv)
    refuse("POST", "/ingest/mine", b"a\n5\n", csv)
    refuse("POST", "/ingest/mine", [{"a": 1}])
    refuse("POST", "/api/v1/tables/kept/rows", [{"a": 1}])
    refuse("DELETE", "/tables/kept")
    refuse("DELETE", "/api/v1/namespaces/main/tables/kept")
    refuse("POST", "/api/v1/namespaces/main/tables/kept/rename", {"to": "mine"})
    refuse("POST", "/api/v1/loads", {})
    load = "/api/v1/loads/" + server.request("POST", "/api/v1/loads", {}).ok().json["id"]
    refuse("PUT", load + "/files/0?name=a.csv", b"a\n5\n")
    refuse("POST", load + "/commit", {"table": "kept"})
    refuse("DELETE", load)
    equal(server.rows("SELECT a FROM kept", key=key), [[1]])
    fails("table_not_found", server.query, "SELECT * FROM mine")


@test
def one_does_not_see_or_end_what_others_run():
    server = shared()
    one, two = server.make_principal("one", "reader"), server.make_principal("two", "reader")
    mine = server.query("SELECT 'secret of one'", key=one)["query_id"]
    listed = server.request("GET", "/api/v1/queries", key=two).ok().text
    check("secret of one" not in listed and mine not in listed, listed[:500])
    for method in ("GET", "DELETE"):
        equal(server.request(method, f"/api/v1/queries/{mine}", key=two).status, 404, method)
    equal(server.request("GET", f"/api/v1/queries/{mine}", key=one).status, 200)
    check(mine in json.dumps(server.request("GET", "/api/v1/queries").json), "root sees everybody's")
    load = server.request("POST", "/api/v1/loads", {}).ok().json["id"]
    other = server.make_principal("other_root", "root")
    equal(server.request("PUT", f"/api/v1/loads/{load}/files/0", b"a\n1\n", None, other).status, 404)


@test
def open_mode_is_for_loopback_alone():
    from tarn import Server
    with Server(settings={"auth.mode": "none"}) as server:
        equal(server.request("GET", "/api/v1/status", key=NO_KEY).status, 200)
        equal(server.rows("SELECT 1", key=NO_KEY), [[1]])
    with Server(start=False) as server:
        code, _, err = server.run("serve", "--auth.mode", "none", "--http.listen", "0.0.0.0:0")
        equal(code, 2, err)
        if "auth.mode" not in err:
            raise Failed(err)


main()

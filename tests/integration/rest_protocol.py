#!/usr/bin/env python3
"""The Iceberg REST catalog, operation by operation: what it answers, and how it refuses: types, codes and words that
Iceberg's clients tell failures apart by."""
# timeout: 120
import json
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import (LONG_A, ask, commit, identifier, make_space, make_table, make_view, ok, operations,  # noqa: E402
                         refused, set_property, space_path, specified, table_path, view_body, view_path)
from tarn import NO_KEY, Server, check, contains, equal, eventually, main, shared, test  # noqa: E402


def ready(*levels):
    make_space(*(levels or ("ns",)))
    return shared()


# ---- what is served ----

@test
def every_operation_of_the_specification_is_served_or_refused_by_name():
    served = {(method, pattern): (operation, state) for operation, method, pattern, _, state in operations()}
    for since, method, pattern, operation in specified():
        check((method, pattern) in served, f"{method} {pattern} ({operation}, {since}) is in neither list")
        name, state = served.pop((method, pattern))
        equal(name, operation)
        planning = pattern.endswith(("/plan", "/plan/{plan-id}", "/tasks"))
        equal(state.startswith("refused"), planning, operation)
    equal(list(served), [("POST", "/v1/aws/s3/sign")], "operations that no specification has")


@test
def endpoints_are_what_is_served():
    told = ok("GET", "/config")["endpoints"]
    equal(len(told), len(set(told)))
    served = [f"{method} {pattern}" for _, method, pattern, _, state in operations() if state.startswith("served")]
    equal(sorted(told), sorted(line for line in served if "{prefix}" in line))
    values = {"{prefix}": "tarn", "{namespace}": "no_such", "{table}": "no_such", "{view}": "no_such",
              "{function}": "no_such"}
    for line in told:
        method, path = line.split(" ")
        for name, value in values.items():
            path = path.replace(name, value)
        answer = shared().request(method, "/iceberg" + path, {} if method == "POST" else None)
        check(answer.status not in (405, 406, 501), f"{line}: {answer.status}")
        check(b"there is nothing at path" not in answer.body, f"{line}: {answer.body[:200]!r}")


@test
def addresses_without_a_prefix_mean_the_first_warehouse():
    ready()
    ok("POST", "/tarn/namespaces", {"namespace": ["unprefixed"]})
    equal(ok("GET", "/namespaces/unprefixed"), ok("GET", "/tarn/namespaces/unprefixed"))
    refused(404, "NoSuchWarehouseException", "Warehouse does not exist: other", "GET", "/other/namespaces")


@test
def planning_is_refused_as_not_offered():
    ready()
    make_table("unplanned")
    path = table_path("unplanned")
    for method, tail in (("POST", "/plan"), ("GET", "/plan/x"), ("DELETE", "/plan/x"), ("POST", "/tasks")):
        refused(406, "UnsupportedOperationException", re.compile("is not served"), method, path + tail,
                {} if method == "POST" else None)


# ---- config ----

@test
def config_finds_a_warehouse_by_name_by_location_and_absent():
    plain = ok("GET", "/config")
    for query in ("?warehouse=tarn", "?warehouse=s3%3A%2F%2Fwarehouse", "?warehouse=s3://warehouse/", "?warehouse="):
        equal(ok("GET", "/config" + query), plain, query)
    equal(plain["overrides"]["prefix"], "tarn")
    check(isinstance(plain["defaults"], dict), "defaults have to be there")
    refused(404, "NoSuchWarehouseException", "Warehouse does not exist: nix", "GET", "/config?warehouse=nix")


@test
def another_warehouse_is_a_prefix_and_a_namespace_of_sql():
    server = ready()
    server.request("POST", "/api/v1/warehouses", {"name": "lake", "location": "s3://lake"}).ok()
    for asked in ("lake", "s3%3A%2F%2Flake%2F"):
        equal(ok("GET", "/config?warehouse=" + asked)["overrides"]["prefix"], "lake")
    made = ok("POST", "/lake/namespaces", {"namespace": ["sales"]})
    equal((made["namespace"], made["properties"]["location"]), (["sales"], "s3://lake/sales"))
    equal(ok("GET", "/lake/namespaces")["namespaces"], [["sales"]])
    table = ok("POST", "/lake/namespaces/sales/tables", {"name": "orders", "schema": LONG_A})
    check(table["metadata"]["location"].startswith("s3://lake/sales/"), table["metadata"]["location"])
    equal(ok("GET", "/lake/namespaces/sales/tables")["identifiers"], [identifier("orders", "sales")])
    server.query("INSERT INTO lake.sales.orders VALUES (5)")
    equal(len(ok("GET", "/lake" + table_path("orders", "sales"))["metadata"]["snapshots"]), 1)
    refused(404, "NoSuchTableException", "Table does not exist: sales.nix", "GET", "/lake" + table_path("nix", "sales"))
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: main", "GET", "/lake/namespaces/main")
    check(["lake"] not in ok("GET", "/tarn/namespaces")["namespaces"], "it is no namespace of the first")
    refused(409, "AlreadyExistsException", "Namespace already exists: lake is the name of a warehouse", "POST",
            "/tarn/namespaces", {"namespace": ["lake"]})
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: lake", "GET", "/tarn/namespaces/lake")
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: lake", "GET", "/tarn/namespaces?parent=lake")
    refused(404, "NoSuchTableException", "Table does not exist: lake.sales.orders", "GET",
            "/tarn" + table_path("orders", "lake", "sales"))
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: lake.sales", "POST", "/tarn/tables/rename",
            {"source": identifier("orders", "lake", "sales"), "destination": identifier("mine")})


# ---- namespaces ----

@test
def a_namespace_is_made_loaded_listed_and_dropped():
    made = ok("POST", "/namespaces", {"namespace": ["acc"], "properties": {"owner": "Ra\U0001f984ph"}})
    equal((made["namespace"], made["properties"]["owner"]), (["acc"], "Ra\U0001f984ph"))
    check(made["properties"]["location"].startswith("s3://warehouse/"), "a location has to be told")
    equal(ok("GET", "/namespaces/acc"), made)
    ok("HEAD", "/namespaces/acc", status=204)
    check(["acc"] in ok("GET", "/namespaces")["namespaces"], "it is listed")
    refused(409, "AlreadyExistsException", "Namespace already exists: acc", "POST", "/namespaces",
            {"namespace": ["acc"]})
    ok("DELETE", "/namespaces/acc", status=204)
    for method in ("GET", "DELETE"):
        refused(404, "NoSuchNamespaceException", "Namespace does not exist: acc", method, "/namespaces/acc")
    answer = ask("HEAD", "/namespaces/acc")
    equal((answer.status, answer.body), (404, b""))


@test
def namespaces_nest():
    ok("POST", "/namespaces", {"namespace": ["outer"]})
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: outer.no", "POST", "/namespaces",
            {"namespace": ["outer", "no", "inner"]})
    ok("POST", "/namespaces", {"namespace": ["outer", "inner"]})
    ok("POST", "/namespaces", {"namespace": ["outer", "inner", "core"]})
    equal(ok("GET", "/namespaces?parent=outer")["namespaces"], [["outer", "inner"]])
    equal(ok("GET", "/namespaces?parent=outer%1Finner")["namespaces"], [["outer", "inner", "core"]])
    check(["outer", "inner"] not in ok("GET", "/namespaces?parent=")["namespaces"], "one level alone")
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: non-existing", "GET",
            "/namespaces?parent=non-existing")
    refused(409, "NamespaceNotEmptyException", "Namespace outer is not empty", "DELETE", "/namespaces/outer")
    make_table("deep", "outer", "inner")
    equal(shared().query("SELECT * FROM \"outer\".\"inner\".deep")["rows"], [])
    refused(409, "NamespaceNotEmptyException", "Namespace outer.inner is not empty", "DELETE",
            space_path("outer", "inner"))


@test
def properties_of_a_namespace_are_set_and_removed():
    ok("POST", "/namespaces", {"namespace": ["props"], "properties": {"a": "1", "b": "2"}})
    answer = ok("POST", "/namespaces/props/properties", {"removals": ["a", "zz"], "updates": {"b": "3", "c": "4"}})
    equal((sorted(answer["updated"]), answer["removed"], answer["missing"]), (["b", "c"], ["a"], ["zz"]))
    now = ok("GET", "/namespaces/props")["properties"]
    equal({key: now.get(key) for key in "abc"}, {"a": None, "b": "3", "c": "4"})
    equal(ok("POST", "/namespaces/props/properties", {}), {"updated": [], "removed": [], "missing": []})
    refused(422, "UnprocessableEntityException", re.compile("cannot both update and remove key: b"), "POST",
            "/namespaces/props/properties", {"removals": ["b"], "updates": {"b": "4"}})
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: newdb", "POST", "/namespaces/newdb/properties",
            {"updates": {"a": "b"}})


# ---- tables ----

@test
def a_table_is_made_and_loaded():
    ready()
    made = make_table("first", properties={"k": "v", "format-version": "2"})
    check(made["metadata-location"].startswith("s3://warehouse/"), str(made)[:200])
    equal(made["metadata"]["properties"], {"k": "v"})
    loaded = ok("GET", table_path("first"))
    equal(loaded["metadata"], made["metadata"])
    equal(loaded["metadata-location"], made["metadata-location"])
    check(loaded["config"] and loaded["storage-credentials"], "credentials")
    ok("HEAD", table_path("first"), status=204)
    check(identifier("first") in ok("GET", "/namespaces/ns/tables")["identifiers"], "it is listed")
    shared().query("INSERT INTO ns.first VALUES (7)")
    equal(len(ok("GET", table_path("first"))["metadata"]["snapshots"]), 1)


@test
def a_table_has_one_name_and_views_share_it():
    ready()
    make_table("taken")
    make_view("taken_view")
    refused(409, "AlreadyExistsException", "Table already exists: ns.taken", "POST", "/namespaces/ns/tables",
            {"name": "taken", "schema": LONG_A})
    refused(409, "AlreadyExistsException", "View with same name already exists: ns.taken_view", "POST",
            "/namespaces/ns/tables", {"name": "taken_view", "schema": LONG_A})
    refused(409, "AlreadyExistsException", "Table with same name already exists: ns.taken", "POST",
            "/namespaces/ns/views", view_body("taken"))
    refused(409, "AlreadyExistsException", "View already exists: ns.taken_view", "POST", "/namespaces/ns/views",
            view_body("taken_view"))
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: non_existing", "POST",
            "/namespaces/non_existing/tables", {"name": "t", "schema": LONG_A})


@test
def what_is_missing_is_of_the_kind_that_was_asked_for():
    ready()
    make_table("there")
    make_view("seen")
    for path, shown in ((table_path("no"), "ns.no"), (table_path("t", "no_space"), "no_space.t"),
                        (table_path("files", "ns", "there"), "ns.there.files"), (table_path("seen"), "ns.seen")):
        for method in ("GET", "DELETE"):
            refused(404, "NoSuchTableException", "Table does not exist: " + shown, method, path)
        equal(ask("HEAD", path).status, 404, path)
        equal(ask("HEAD", path).body, b"", path)
    for path, shown in ((view_path("no"), "ns.no"), (view_path("v", "no_space"), "no_space.v"),
                        (view_path("there"), "ns.there")):
        for method in ("GET", "DELETE"):
            refused(404, "NoSuchViewException", "View does not exist: " + shown, method, path)
        equal(ask("HEAD", path).status, 404, path)
    for tail in ("/tables", "/views", "/functions", "/functions/f"):
        refused(404, "NoSuchNamespaceException", "Namespace does not exist: no_space", "GET",
                "/namespaces/no_space" + tail)


@test
def a_table_is_dropped_with_any_spelling_of_purge():
    ready()
    for query in ("", "?purgeRequested=False", "?purgeRequested=True", "?purgeRequested=true"):
        make_table("going")
        ok("DELETE", table_path("going") + query, status=204)
        equal(ask("HEAD", table_path("going")).status, 404, query)
    make_table("going")
    refused(400, "IllegalArgumentException", re.compile("purgeRequested"), "DELETE",
            table_path("going") + "?purgeRequested=perhaps")
    refused(400, "IllegalArgumentException", 'query parameter "purgeRequested" is given more than once', "DELETE",
            table_path("going") + "?purgeRequested=false&purgeRequested=true")
    ok("HEAD", table_path("going"), status=204)


@test
def a_purge_remembers_who_asked_for_it():
    server = ready()
    made = make_table("purged")["metadata"]["table-uuid"]
    ok("DELETE", table_path("purged") + "?purgeRequested=true", status=204)
    found = f"SELECT kind, principal, via, peer IS NOT NULL FROM tarn.events WHERE uuid = '{made}' AND kind = "
    eventually(lambda: server.rows(found + "'table.purged'"), "the files are removed")
    equal(server.rows(found + "'table.purged'"), [["table.purged", "root", "rest", True]])
    equal(server.rows(found + "'table.dropped'")[0][1:], ["root", "rest", True])


@test
def a_protected_table_is_not_let_go_and_may_be_replaced():
    server = ready()
    make_table("kept")
    uuid = ok("GET", table_path("kept"))["metadata"]["table-uuid"]
    server.request("PUT", "/api/v1/namespaces/ns/tables/kept/protection").ok()
    refused(403, "ForbiddenException", 'table "ns.kept" is protected: it is not unregistered', "POST",
            table_path("kept") + "/unregister")
    server.query("CREATE OR REPLACE TABLE ns.kept (b BIGINT)")
    equal(ok("GET", table_path("kept"))["metadata"]["table-uuid"], uuid)
    refused(403, "ForbiddenException", 'table "ns.kept" is protected: it is not dropped', "DELETE", table_path("kept"))


@test
def a_location_that_is_none_is_called_as_it_was_asked_for():
    ready()
    for asked in ("nope", "nope/deeper", "gopher://x"):
        answer = ask("POST", "/namespaces/ns/tables", {"name": "nowhere", "schema": LONG_A, "location": asked})
        equal(answer.status, 400, asked)
        contains(answer.error["message"], f'"{asked}"')


@test
def tables_are_renamed_and_refused_in_words():
    ready()
    make_space("other")
    make_table("old")
    make_table("second")
    make_view("a_view")

    def rename(source, target):
        return {"source": source, "destination": target}

    ok("POST", "/tables/rename", rename(identifier("old"), identifier("new", "other")), status=204)
    equal(ask("HEAD", table_path("new", "other")).status, 204)
    for target, kind in (("second", "Table"), ("a_view", "View")):
        refused(409, "AlreadyExistsException", f"Cannot rename other.new to ns.{target}. {kind} already exists", "POST",
                "/tables/rename", rename(identifier("new", "other"), identifier(target)))
    refused(404, "NoSuchTableException", "Table does not exist: ns.old", "POST", "/tables/rename",
            rename(identifier("old"), identifier("x")))
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: non_existing", "POST", "/tables/rename",
            rename(identifier("second"), identifier("x", "non_existing")))
    make_view("view_one")
    for target, kind in (("second", "Table"), ("a_view", "View")):
        refused(409, "AlreadyExistsException", f"Cannot rename ns.view_one to ns.{target}. {kind} already exists",
                "POST", "/views/rename", rename(identifier("view_one"), identifier(target)))
    refused(404, "NoSuchViewException", "View does not exist: ns.no", "POST", "/views/rename",
            rename(identifier("no"), identifier("x")))
    ok("POST", "/views/rename", rename(identifier("view_one"), identifier("view_two", "other")), status=204)
    ok("GET", view_path("view_two", "other"))


@test
def a_table_is_let_go_and_named_again():
    ready()
    made = make_table("wanderer")
    commit("wanderer", [], [set_property("seen", "twice")])
    before = ok("GET", table_path("wanderer"))
    let_go = ok("POST", table_path("wanderer") + "/unregister")
    equal(let_go["metadata-location"], before["metadata-location"])
    equal(let_go["metadata"], before["metadata"])
    equal(ask("HEAD", table_path("wanderer")).status, 404)
    body = {"name": "home", "metadata-location": let_go["metadata-location"]}
    back = ok("POST", "/namespaces/ns/register", body)
    equal(back["metadata"], before["metadata"])
    equal(back["metadata"]["table-uuid"], made["metadata"]["table-uuid"])
    refused(409, "AlreadyExistsException", "Table already exists: ns.home", "POST", "/namespaces/ns/register", body)
    ok("POST", "/namespaces/ns/register", dict(body, overwrite=True))
    make_view("standing")
    refused(409, "AlreadyExistsException", "View with same name already exists: ns.standing", "POST",
            "/namespaces/ns/register", dict(body, name="standing"))
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: nix", "POST", "/namespaces/nix/register", body)


@test
def a_lost_metadata_file_is_named():
    import tempfile
    import urllib.parse
    with tempfile.TemporaryDirectory() as root:
        with Server(settings={"warehouse.roots": root, "warehouse.location": "file://" + root + "/wh"}) as server:
            make_space("ns", server=server)
            made = ok("POST", "/namespaces/ns/tables", {"name": "t", "schema": LONG_A}, server=server)
            location = made["metadata-location"]
            os.rename(urllib.parse.urlparse(location).path, os.path.join(root, "aside.json"))
            server.stop()
            server.start()
            refused(404, "NotFoundException", "Failed to open input stream for file: " + location, "GET",
                    table_path("t"), server=server)


# ---- views ----

@test
def views_are_made_replaced_and_read_by_sql():
    ready()
    made = make_view("v", sql="SELECT 42::BIGINT AS a")
    equal(made["metadata"]["current-version-id"], 1)
    equal(shared().rows("SELECT a FROM ns.v"), [[42]])
    uuid = made["metadata"]["view-uuid"]
    version = dict(view_body("v", sql="SELECT 43::BIGINT AS a")["view-version"], **{"version-id": 2})
    body = {"requirements": [{"type": "assert-view-uuid", "uuid": uuid}],
            "updates": [{"action": "add-view-version", "view-version": version},
                        {"action": "set-current-view-version", "view-version-id": -1}]}
    ok("POST", view_path("v"), body)
    equal(shared().rows("SELECT a FROM ns.v"), [[43]])
    body["requirements"][0]["uuid"] = "00000000-0000-4000-8000-000000000000"
    refused(409, "CommitFailedException", re.compile("^Requirement failed: view UUID does not match"), "POST",
            view_path("v"), body)
    refused(404, "NoSuchViewException", "View does not exist: ns.gone", "POST", view_path("gone"), body)
    check(identifier("v") in ok("GET", "/namespaces/ns/views")["identifiers"], "it is listed")
    check(identifier("v") not in ok("GET", "/namespaces/ns/tables")["identifiers"], "but not as a table")
    location = ok("GET", view_path("v"))["metadata-location"]
    refused(409, "AlreadyExistsException", "View already exists: ns.v", "POST", "/namespaces/ns/register-view",
            {"name": "v", "metadata-location": location})
    ok("HEAD", view_path("v"), status=204)
    ok("DELETE", view_path("v"), status=204)
    refused(404, "NoSuchViewException", "View does not exist: ns.v", "GET", view_path("v"))


@test
def views_of_sql_are_views_of_the_catalog():
    ready()
    shared().query("CREATE VIEW ns.by_sql AS SELECT 1 AS one, 'x' AS two")
    view = ok("GET", view_path("by_sql"))["metadata"]
    equal([field["name"] for field in view["schemas"][-1]["fields"]], ["one", "two"])
    equal(view["versions"][-1]["representations"][0]["dialect"], "duckdb")


# ---- reports, functions ----

@test
def reports_are_counted_and_kept_nowhere():
    ready()
    make_table("reported")
    path = table_path("reported") + "/metrics"
    scan = {"report-type": "scan-report", "table-name": "ns.reported", "snapshot-id": -1, "filter": True,
            "schema-id": 0, "projected-field-ids": [1], "projected-field-names": ["a"], "metrics": {}}
    ok("POST", path, scan, status=204)
    ok("POST", path, dict(scan, **{"report-type": "commit-report"}), status=204)
    ok("POST", path, {"report-type": "of-tomorrow"}, status=204)
    text = shared().request("GET", "/metrics").text
    for kind in ("scan", "commit", "other"):
        contains(text, f'tarn_rest_reports_total{{kind="{kind}"}} 1')
    contains(text, 'tarn_rest_requests_total{operation="reportMetrics",status="2xx"} 3')
    for body in ({}, {"report-type": 1}, dict(scan, metrics=[]), {"report-type": "scan-report"}):
        refused(400, "IllegalArgumentException", re.compile("report"), "POST", path, body)
    refused(404, "NoSuchTableException", "Table does not exist: ns.nix", "POST", table_path("nix") + "/metrics", scan)


@test
def there_are_no_functions():
    ready()
    equal(ok("GET", "/namespaces/ns/functions"), {"identifiers": [], "next-page-token": None})
    refused(404, "NoSuchFunctionException", "Function does not exist: ns.f", "GET", "/namespaces/ns/functions/f")


# ---- large tables ----

@test
def a_large_table_is_read_slowly_and_whole_while_it_changes():
    """A document that goes to the socket from a file: who began to read it gets that version, whatever comes."""
    server = ready()
    port, path = int(server.address.rpartition(":")[2]), table_path("large")
    make_table("large", properties={"filler": "x" * 500_000, "version": "0"})
    for version in range(1, 6):
        before = ask("GET", path).body
        equal(json.loads(before)["metadata"]["properties"]["version"], str(version - 1))
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            slow.sendall(f"GET /iceberg/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                         f"Authorization: Bearer {server.key}\r\n\r\n".encode())
            got = slow.recv(4096)
            equal(commit("large", [], [set_property("version", str(version))]).status, 200)
            equal(ok("GET", path)["metadata"]["properties"]["version"], str(version))
            while piece := slow.recv(65536):
                got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        contains(head.decode(), f"Content-Length: {len(body)}\r\n")
        equal(json.loads(body)["metadata"], json.loads(before)["metadata"])


# ---- keys ----

@test
def bearer_none_is_nobody():
    none = {"Authorization": "Bearer None"}
    answer = refused(401, "NotAuthorizedException", re.compile("."), "GET", "/config", None, none, key=NO_KEY)
    contains(answer.headers["www-authenticate"], "Bearer")
    refused(401, "NotAuthorizedException", re.compile("."), "GET", "/config", key=NO_KEY)
    with Server(settings={"auth.mode": "none"}) as server:
        ok("GET", "/config", None, none, key=NO_KEY, server=server)
        ok("GET", "/namespaces", None, none, key=NO_KEY, server=server)


@test
def who_may_not_is_not_told_what_is_there():
    server = ready()
    make_table("secret")
    key = server.make_principal("rest_user", "user")
    seen = {ask("GET", table_path(name), key=key).body.replace(name.encode(), b"T") for name in ("secret", "absent")}
    equal(len(seen), 1, str(seen))
    reader = server.make_principal("rest_reader", "reader")
    body = {"source": identifier("secret"), "destination": identifier("x")}
    change = {"identifier": identifier("secret"), "requirements": [], "updates": [set_property("a", "b")]}
    for method, path, sent in (("POST", "/tables/rename", body), ("POST", "/views/rename", body),
                               ("POST", "/transactions/commit", {"table-changes": [change]}),
                               ("POST", table_path("secret"), change), ("DELETE", table_path("secret"), None),
                               ("DELETE", table_path("absent"), None)):
        refused(403, "ForbiddenException", re.compile("rest_reader"), method, path, sent, key=reader)
    ok("GET", table_path("secret"), key=reader)


if __name__ == "__main__":
    main()

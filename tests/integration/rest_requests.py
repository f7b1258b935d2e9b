#!/usr/bin/env python3
"""Requests to the Iceberg REST catalog as such: commits and their requirements, several tables at once, pages, ETags,
names of every kind, and bodies that are none."""
# timeout: 120
import gzip
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import (LONG_A, ask, commit, identifier, make_space, make_table, make_view, ok, refused,  # noqa: E402
                         set_property, space_path, table_path, updates_that_make, view_body)
from tarn import NO_KEY, SANITIZED, Server, check, contains, equal, main, memory_kib, shared, test  # noqa: E402

NO_UUID = "00000000-0000-4000-8000-000000000000"


def ready(*levels):
    make_space(*(levels or ("ns",)))
    return shared()


def metadata(table, *levels):
    return ok("GET", table_path(table, *levels))["metadata"]


# ---- commits ----

@test
def requirements_fail_in_the_words_that_clients_know():
    ready()
    make_table("required")
    shared().query("INSERT INTO ns.required VALUES (1)")
    snapshot = metadata("required")["current-snapshot-id"]
    for requirement, words in (
            ({"type": "assert-create"}, "table already exists"),
            ({"type": "assert-table-uuid", "uuid": NO_UUID}, "UUID does not match"),
            ({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1}, "branch main has changed"),
            ({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None}, "branch main was created concurrently"),
            ({"type": "assert-ref-snapshot-id", "ref": "nix", "snapshot-id": 1}, "branch or tag nix is missing"),
            ({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 9}, "last assigned field id changed"),
            ({"type": "assert-current-schema-id", "current-schema-id": 9}, "current schema changed"),
            ({"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 9},
             "last assigned partition id changed"),
            ({"type": "assert-default-spec-id", "default-spec-id": 9}, "default partition spec changed"),
            ({"type": "assert-default-sort-order-id", "default-sort-order-id": 9}, "default sort order changed")):
        body = {"requirements": [requirement], "updates": [set_property("never", "set")]}
        refused(409, "CommitFailedException", re.compile("^Requirement failed: " + words), "POST",
                table_path("required"), body)
    check("never" not in metadata("required")["properties"], "a failed commit leaves nothing")
    good = [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": snapshot},
            {"type": "assert-current-schema-id", "current-schema-id": 0}]
    done = commit("required", good, [set_property("once", "set")]).ok()
    equal(done.json["metadata"], metadata("required"))
    equal(sorted(done.json), ["metadata", "metadata-location"])


@test
def what_is_no_update_or_requirement_is_400():
    ready()
    make_table("strict")
    for requirements, updates, words in (
            ([{"type": "assert-weather"}], [], "assert-weather"), ([{}], [], "requirements"),
            ([], [{"action": "make-coffee"}], "make-coffee"), ([], [{}], "updates"), ([], ["x"], "updates"),
            ([], [{"action": "set-current-schema", "schema-id": "one"}], "schema-id"),
            ([], [{"action": "upgrade-format-version", "format-version": 99}], "format"),
            ({}, [], "requirements"), ([], None, "updates")):
        refused(400, "IllegalArgumentException", re.compile(words), "POST", table_path("strict"),
                {"requirements": requirements, "updates": updates})
    refused(404, "NoSuchTableException", "Table does not exist: ns.nix", "POST", table_path("nix"),
            {"requirements": [], "updates": [set_property("a", "b")]})
    refused(400, "IllegalArgumentException", re.compile("the path names ns.strict"), "POST", table_path("strict"),
            {"identifier": identifier("other"), "requirements": [], "updates": []})


@test
def a_staged_table_is_seen_when_it_is_committed():
    ready()
    staged = make_table("staged", **{"stage-create": True})
    equal(staged["metadata-location"], None)
    equal(ask("HEAD", table_path("staged")).status, 404)
    made = staged["metadata"]
    updates = updates_that_make(made)
    create = [{"type": "assert-create"}]
    done = commit("staged", create, updates).ok().json
    equal((done["metadata"]["table-uuid"], done["metadata"]["location"]), (made["table-uuid"], made["location"]))
    refused(409, "CommitFailedException", re.compile("^Requirement failed: table already exists"), "POST",
            table_path("staged"), {"requirements": create, "updates": updates})
    make_view("in_the_way")
    refused(409, "AlreadyExistsException", "View with same name already exists: ns.in_the_way", "POST",
            table_path("in_the_way"), {"requirements": create, "updates": updates})
    refused(404, "NoSuchNamespaceException", "Namespace does not exist: nix", "POST", table_path("t", "nix"),
            {"requirements": create, "updates": updates[:-1]})


def change(table, requirements, updates):
    return {"identifier": identifier(table), "requirements": requirements, "updates": updates}


@test
def several_tables_are_committed_or_none():
    ready()
    for name in ("one", "two", "three"):
        make_table(name)
    path = "/transactions/commit"
    ok("POST", path, {"table-changes": [change(name, [], [set_property("x", name)]) for name in ("one", "two")]},
       status=204)
    equal([metadata(name)["properties"].get("x") for name in ("one", "two")], ["one", "two"])
    stale = [{"type": "assert-table-uuid", "uuid": NO_UUID}]
    refused(409, "CommitFailedException", re.compile("Requirement failed: UUID does not match"), "POST", path,
            {"table-changes": [change("one", [], [set_property("y", "1")]), change("two", stale, [])]})
    refused(404, "NoSuchTableException", "Table does not exist: ns.nix", "POST", path,
            {"table-changes": [change("one", [], [set_property("y", "1")]),
                               change("nix", [], [set_property("y", "1")])]})
    refused(400, "IllegalArgumentException", re.compile("."), "POST", path,
            {"table-changes": [change("one", [], [set_property("y", "1")])] * 2})
    for body in ({}, {"table-changes": {}}, {"table-changes": [1]},
                 {"table-changes": [{"requirements": [], "updates": []}]}):
        refused(400, "IllegalArgumentException", re.compile("."), "POST", path, body)
    check("y" not in metadata("one")["properties"], "none of a failed transaction stays")


# ---- pages ----

@test
def lists_come_in_pages():
    ready("paged")
    names = sorted(f"t{i:02}" for i in range(7))
    for name in names:
        make_table(name, "paged")
        make_view("v_" + name, "paged")
        ok("POST", "/namespaces", {"namespace": ["paged", "n_" + name]})
    for path, member, expected in (
            ("/namespaces/paged/tables?", "identifiers", [identifier(name, "paged") for name in names]),
            ("/namespaces/paged/views?", "identifiers", [identifier("v_" + name, "paged") for name in names]),
            ("/namespaces?parent=paged&", "namespaces", [["paged", "n_" + name] for name in names])):
        whole = ok("GET", path)
        equal((whole[member], whole["next-page-token"]), (expected, None), path)
        equal(ok("GET", path + "pageSize=2")[member], expected, "without a token there are no pages")
        got, token, pages = [], "", 0
        while token is not None:
            page = ok("GET", f"{path}pageToken={urllib.parse.quote(token)}&pageSize=3")
            check(len(page[member]) <= 3, path)
            got += page[member]
            token, pages = page["next-page-token"], pages + 1
        equal((got, pages), (expected, 3), path)
        first = ok("GET", path + "pageToken=&pageSize=1")["next-page-token"]
        refused(400, "IllegalArgumentException", re.compile("pageToken"), "GET",
                "/namespaces/main/tables?pageToken=" + first)
        for query in ("pageToken=nonsense", "pageToken=&pageSize=0", "pageToken=&pageSize=-1", "pageToken=&pageSize=x"):
            refused(400, "IllegalArgumentException", re.compile("page"), "GET", path + query)
        equal(ok("GET", path + "pageToken=&pageSize=99999999999999999999")[member], expected, "as many as there are")
        refused(400, "IllegalArgumentException", 'query parameter "pageSize" is given more than once', "GET",
                path + "pageToken=&pageSize=3&pageSize=4")


# ---- bodies ----

@test
def bodies_of_more_values_than_requests_have_are_refused_by_their_limit():
    server = ready()
    make_table("many")
    path, limit = table_path("many"), "more than 1000000 values"
    fields = [{"id": n, "name": f"column_{n}", "type": "long", "required": False, "doc": "d"} for n in range(1, 10001)]
    schema = {"type": "struct", "schema-id": 0, "fields": fields}
    equal(len(ok("POST", space_path("ns") + "/tables", {"name": "wide_table", "schema": schema})["metadata"]["schemas"][0]["fields"]),
          10000, "a table of 10 000 columns is made")
    properties = {f"k{n}": "v" for n in range(100000)}
    commit("many", [], [{"action": "set-properties", "updates": properties}])
    before = memory_kib(server.pid, "VmHWM")
    for body in (b'{"updates":[' + b"1," * 29000000 + b"1]}", b'{"updates":[' + b"{}," * 19000000 + b"{}]}",
                 b'{"updates":[{"action":' + b"[" * 1900 + b"[]," * 1000000 + b"1" + b"]" * 1900 + b"}]}"):
        for where in (path, space_path("ns") + "/tables", "/tarn/transactions/commit"):
            refused(413, "BadRequestException", re.compile(limit), "POST", where, body)
    contains(server.request("POST", "/api/v1/query", b'{"sql":"SELECT 1","x":[' + b"1," * 1000000 + b"1]}").error["message"], limit)
    if not SANITIZED:  # its text twice, and no tree
        check(memory_kib(server.pid, "VmHWM") - before < 200 * 1024, f"{memory_kib(server.pid, 'VmHWM') - before} KiB more")


@test
def large_bodies_come_in_any_framing_and_at_once():
    server = ready()
    body = json.dumps({"requirements": [], "updates": [{"action": "set-properties", "updates": {"k": "v" * 3000000}}]}).encode()
    path = "/iceberg/v1" + table_path("large")
    make_table("large")
    answers = []

    def send(chunked):
        with server.client() as client:
            client.connection.request("POST", path, iter([body[:2000000], body[2000000:]]) if chunked else body,
                                      {"Authorization": "Bearer " + server.key}, encode_chunked=chunked)
            answers.append(client.connection.getresponse().status)

    threads = [threading.Thread(target=send, args=(number % 2 == 0,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(len(answers) == 12 and set(answers) <= {200, 409}, str(answers))
    check(200 in answers, str(answers))


# ---- ETags ----

@test
def an_etag_tells_versions_forms_and_callers_apart():
    server = ready()
    make_table("tagged")
    path = table_path("tagged")
    reader, twin = (server.make_principal(name, "reader") for name in ("tag_reader", "tag_twin"))
    first = ask("GET", path)
    tag = first.headers["etag"]
    tags = {ask("GET", path, key=key).headers["etag"].split("-")[0] for key in (reader, twin)} | {tag.split("-")[0]}
    equal(len(tags), 3, "who asks is part of it")
    again = ask("GET", path, None, {"If-None-Match": tag})
    equal((again.status, again.body), (304, b""))
    equal(ask("GET", path, None, {"If-None-Match": '"other", ' + tag}).status, 304)
    refs = ask("GET", path + "?snapshots=refs").headers["etag"]
    check(refs.split("-")[0] != tag.split("-")[0], "another form")
    equal(ask("GET", path + "?snapshots=refs", None, {"If-None-Match": tag}).status, 200)
    equal(ask("GET", path, None, {"If-None-Match": "*"}).status, 304, "any version is known")
    equal(ask("GET", table_path("no_such"), None, {"If-None-Match": "*"}).status, 404)
    equal(ask("GET", path, None, {"If-None-Match": tag}, key=reader).status, 200, "another caller")
    equal(ask("GET", path, None, {"If-None-Match": tag}, key=NO_KEY).status, 401)
    moved = commit("tagged", [], [set_property("a", "b")])
    check(moved.headers["etag"] != tag, "another version")
    equal(ask("GET", path, None, {"If-None-Match": tag}).status, 200)
    refused(400, "IllegalArgumentException", re.compile("snapshots"), "GET", path + "?snapshots=some")


@test
def an_etag_outlasts_what_its_answer_does_not_depend_on():
    with Server(settings={"s3.endpoint": "http://s3.example.org"}) as server:
        path = "/iceberg/v1/tarn/namespaces/main/tables/t"
        server.query("CREATE TABLE t AS SELECT 1 AS n")
        key = server.make_principal("ann", "reader")
        tag = server.request("GET", path, key=key).ok().headers["etag"]

        def known(what, status=304, by=key):
            equal(server.request("GET", path, None, {"If-None-Match": tag}, by).status, status, what)

        known("at once")
        keys = "/api/v1/principals/ann/keys"
        second = server.request("POST", keys, {}).ok().json
        server.request("POST", "/api/v1/principals/ann/s3-keys", {}).ok()
        server.make_principal("bob", "writer")
        equal(server.run("user", "drop", "bob", "--yes")[0], 0)
        known("others, and keys beside it")
        server.query("CREATE TABLE u AS SELECT 1 AS n")
        server.query("DROP TABLE u")
        known("another table came and went")
        known("credentials of one key are not another's", 200, second["key"])
        own = server.request("GET", path, None, None, second["key"]).ok().headers["etag"]
        equal(server.run("key", "drop", second["id"], "--yes")[0], 0)
        known("the other key went")
        equal(server.request("GET", path, None, {"If-None-Match": own}, second["key"]).status, 401)
        server.restart()
        known("the server's next start")
        equal(server.run("key", "revoke-sessions", "bob")[0] != 0, True)
        known("nobody's sessions were ended")
        equal(server.run("key", "revoke-sessions", "ann")[0], 0)
        known("its credentials were ended", 200)
        tag = server.request("GET", path, key=key).ok().headers["etag"]
        known("new ones")
        server.restart(settings={"s3.endpoint": "http://elsewhere.example.org"})
        known("S3 is elsewhere", 200)


@test
def credentials_that_are_old_are_not_gone_on_with():
    ready()
    make_table("aging")
    tag = ask("GET", table_path("aging")).headers["etag"]
    version, _, expiry = tag[3:-1].partition("-")
    check(int(expiry) > time.time(), tag)
    for seconds, status in ((int(expiry), 304), (int(time.time()) + 60, 200), (1, 200)):
        answer = ask("GET", table_path("aging"), None, {"If-None-Match": f'W/"{version}-{seconds}"'})
        equal(answer.status, status, f"{seconds - time.time():.0f} s left")
    equal(ask("GET", table_path("aging"), None, {"If-None-Match": f'W/"{version}"'}).status, 200,
          "it came without credentials")


@test
def snapshots_of_refs_are_those_that_a_branch_or_tag_names():
    ready()
    make_table("branched")
    for value in range(3):
        shared().query(f"INSERT INTO ns.branched VALUES ({value})")
    every, refs = (ok("GET", table_path("branched") + "?snapshots=" + what)["metadata"] for what in ("all", "refs"))
    equal((len(every["snapshots"]), len(refs["snapshots"])), (3, 1))
    equal(refs["snapshots"][0]["snapshot-id"], every["current-snapshot-id"])
    equal(refs["current-snapshot-id"], every["current-snapshot-id"])


# ---- names ----

NAMES = ("with space", "Ünïcødé", "smile\U0001f600", "per%20cent", "sla/sh", "plus+sign", "quo\"te", "a&b=c?d#e", "semi;colon",
         "ба́за", "tilde~", "back\\slash")


@test
def names_of_every_kind_come_back_as_they_were():
    for name in NAMES:
        ok("POST", "/namespaces", {"namespace": [name]})
        equal(ok("GET", space_path(name))["namespace"], [name], name)
        made = make_table(name, name)
        location = urllib.parse.urlparse(made["metadata"]["location"]).path
        check(re.fullmatch(r"[\w./~-]+", location, re.A), f"a location of plain characters: {location}")
        equal(ok("GET", table_path(name, name))["metadata"], made["metadata"], name)
        equal(ok("GET", space_path(name) + "/tables")["identifiers"], [identifier(name, name)])
        ok("HEAD", table_path(name, name), status=204)
        moved = {"source": identifier(name, name), "destination": identifier(name + "2", name)}
        ok("POST", "/tables/rename", moved, status=204)
        refused(404, "NoSuchTableException", f"Table does not exist: {name}.{name}", "GET", table_path(name, name))
        ok("DELETE", table_path(name + "2", name), status=204)
        ok("DELETE", space_path(name), status=204)


@test
def a_bare_plus_sign_of_a_path_is_a_space_whatever_is_there():
    ready("e+f")
    make_table("g+h", "e+f")
    equal(ask("GET", "/namespaces/e+f").status, 404)
    equal(ask("GET", "/namespaces/e+f/tables/g+h").status, 404)
    equal(ask("GET", "/namespaces/e%2Bf/tables/g+h").status, 404)
    equal(ask("DELETE", "/namespaces/e%2Bf/tables/g+h").status, 404)
    equal(ask("GET", "/namespaces?parent=e+f").status, 404)
    ok("GET", "/namespaces?parent=e%2Bf")
    ready("e f")
    spaced = make_table("g h", "e f")["metadata-location"]
    plus = ok("GET", "/namespaces/e%2Bf/tables/g%2Bh")["metadata-location"]
    for path in ("e+f/tables/g+h", "e%20f/tables/g%20h", "e+f/tables/g%20h"):
        equal(ok("GET", "/namespaces/" + path)["metadata-location"], spaced, path)
    make_table("g h", "e+f")
    ok("DELETE", "/namespaces/e%2Bf/tables/g+h", status=204)
    equal(ok("GET", "/namespaces/e%2Bf/tables/g%2Bh")["metadata-location"], plus)
    refused(404, "NoSuchTableException", "Table does not exist: e+f.g h", "GET", "/namespaces/e%2Bf/tables/g+h")
    make_view("v+w", "e+f")
    equal(ask("GET", "/namespaces/e%2Bf/views/v+w").status, 404)
    ok("GET", "/namespaces/e%2Bf/views/v%2Bw")


@test
def names_that_none_can_have_are_400():
    ready()
    for segment in ("a.b", "a%1F", "%1Fa", "a%1F%1Fb", "a%07b", "a%7Fb", "a%FFb", "a%0Ab"):
        refused(400, "IllegalArgumentException", re.compile("namespace"), "GET", "/namespaces/" + segment)
    for segment in ("a%07b", "%1F", "a%FF"):
        refused(400, "IllegalArgumentException", re.compile("name"), "GET", "/namespaces/ns/tables/" + segment)
    for levels in ([], [""], ["a", ""], ["a.b"], ["a\nb"], ["a\x1fb"], [1], "a", None, [["a"]]):
        refused(400, "IllegalArgumentException", re.compile("namespace"), "POST", "/namespaces", {"namespace": levels})
    for name in ("", "a\nb", "a\x00b", "\x7f"):
        refused(400, "IllegalArgumentException", re.compile("name"), "POST", "/namespaces/ns/tables",
                {"name": name, "schema": LONG_A})
    for name in (None, 7, ["t"]):
        refused(400, "IllegalArgumentException", re.compile("name"), "POST", "/namespaces/ns/tables",
                {"name": name, "schema": LONG_A})
    for bad in (None, 1, {}, {"namespace": ["ns"]}, {"name": "t"}, {"namespace": "ns", "name": "t"}):
        refused(400, "IllegalArgumentException", re.compile("identifier|namespace"), "POST", "/tables/rename",
                {"source": bad, "destination": identifier("x")})


# ---- requests that reach no handler ----

def sent_raw(line, *headers):
    """The status and the body of an answer to a head as it is; the connection is closed behind it."""
    host, port = shared().address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        lines = [line, *(headers or ("Host: " + shared().address,)), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


@test
def what_the_server_refuses_by_itself_has_the_shape_of_the_specification_too():
    ready()
    own = "Host: " + shared().address
    path = "/iceberg/v1/namespaces/ns"
    for status, line, headers in (
            (400, f"GET {path}%00 HTTP/1.1", ()), (400, f"GET {path}%zz HTTP/1.1", ()),
            (414, f"GET {path}{'x' * 40000} HTTP/1.1", ()), (431, f"GET {path} HTTP/1.1", (own, "X: " + "x" * 200000)),
            (417, f"GET {path} HTTP/1.1", (own, "Expect: a-miracle")), (501, f"BREW {path} HTTP/1.1", ()),
            (400, f"POST {path} HTTP/1.1", (own, "Content-Length: 1x")),
            (421, f"GET {path} HTTP/1.1", ("Host: elsewhere.example",))):
        got, body = sent_raw(line, *headers)
        equal(got, status, line[:80])
        equal((list(body), list(body["error"])), (["error"], ["message", "type", "code"]), line[:80])
        equal(body["error"]["code"], status, line[:80])
        check(body["error"]["type"].endswith("Exception"), body)
        _, body = sent_raw(line.replace("/iceberg/", "/icebergs/"), *headers)
        check(isinstance(body["error"]["code"], str), f"not below /iceberg: {body}")


# ---- bodies ----

def raw(status, kind, words, body, headers=None, path="/namespaces"):
    return refused(status, kind, re.compile(words), "POST", path,
                   body, dict({"Content-Type": "application/json"}, **(headers or {})))


@test
def malformed_bodies_are_told_where():
    ready()
    raw(400, "BadRequestException", r"line 2, column \d+", b'{"namespace":\n["a"')
    raw(400, "BadRequestException", "line 1", b"")
    raw(400, "BadRequestException", "line 1", b"\xff\xfe{}")
    raw(400, "BadRequestException", "line 1", b'{"namespace":["a"]} {}')
    raw(400, "BadRequestException", "duplicate|twice", b'{"namespace":["a"],"namespace":["b"]}')
    raw(400, "BadRequestException", "line 1", b'{"namespace":["a"],"properties":{"n":NaN}}')
    for body in (b"[]", b"1", b'"x"', b"null"):
        raw(400, "IllegalArgumentException", "not a JSON object", body)
    deep = b'{"namespace":["a"],"properties":' + b'{"a":' * 100000 + b"1" + b"}" * 100001
    answer = ask("POST", "/namespaces", deep)
    check(answer.status in (400, 413), f"deep JSON: {answer.status}")
    check(answer.error["type"] == "BadRequestException", answer.text[:200])
    raw(415, "BadRequestException", "gzip", gzip.compress(b'{"namespace":["a"]}'), {"Content-Encoding": "gzip"})
    for properties in ([], "x", {"a": 1}, {"a": None}, {"a": {}}):
        raw(400, "IllegalArgumentException", "properties", json.dumps({"namespace": ["p"], "properties": properties}))
    ok("POST", "/namespaces", {"namespace": ["loose"], "of-tomorrow": [1, {"x": None}]})


@test
def a_body_beyond_the_limit_is_413():
    big = b'{"namespace":["a"],"properties":{"a":"' + b"x" * (65 << 20) + b'"}}'
    answer = ask("POST", "/namespaces", big)
    equal((answer.status, answer.error["code"], answer.error["type"]), (413, 413, "BadRequestException"))
    ok("GET", "/namespaces")


@test
def a_body_on_get_is_nobodys_business():
    ready()
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate, br"}
    equal(ok("GET", "/namespaces/ns", None, headers), ok("GET", "/namespaces/ns", b"{not json", headers))
    ok("HEAD", "/namespaces/ns", None, headers, status=204)


@test
def addresses_that_are_none_are_error_objects_too():
    server = shared()
    for path in ("/iceberg", "/iceberg/", "/iceberg/v1", "/iceberg/v2/config", "/iceberg/v1/nothing/at/all/here"):
        answer = server.request("GET", path)
        equal((answer.status, answer.error["code"], answer.error["type"]), (404, 404, "NotFoundException"), path)
        equal(server.request("GET", path, key=NO_KEY).status, 401, path)
    answer = refused(405, "UnsupportedOperationException", re.compile("not allowed"), "PUT", "/namespaces")
    contains(answer.headers["allow"], "POST")
    refused(405, "UnsupportedOperationException", re.compile("not allowed"), "DELETE", "/config")
    equal(server.request("GET", "/icebergs").error["code"], "not_found", "that is the API's")
    refused(400, "IllegalArgumentException", re.compile("segment"), "GET", "/namespaces/../config")


@test
def odd_types_in_requests_for_tables_and_views_are_400():
    ready()
    tables, views = "/namespaces/ns/tables", "/namespaces/ns/views"
    field = LONG_A["fields"][0]
    for body in ({}, {"name": "t"}, {"name": "t", "schema": 1}, {"name": "t", "schema": {}},
                 {"name": "t", "schema": {"type": "struct", "fields": [dict(field, type="elephant")]}},
                 {"name": "t", "schema": {"type": "struct", "fields": [field, field]}},
                 {"name": "t", "schema": LONG_A, "properties": {"format-version": "99"}},
                 {"name": "t", "schema": LONG_A, "properties": {"a": 1}},
                 {"name": "t", "schema": LONG_A, "partition-spec": {"fields": [{"source-id": 99, "transform": "identity",
                                                                                "name": "x"}]}},
                 {"name": "t", "schema": LONG_A, "stage-create": "yes"}, {"name": "t", "schema": LONG_A, "location": 7}):
        refused(400, "IllegalArgumentException", re.compile("."), "POST", tables, body)
    for body in ({}, {"name": "v"}, view_body("v", schema=1), view_body("v", **{"view-version": 1}),
                 view_body("v", properties=[])):
        refused(400, "IllegalArgumentException", re.compile("."), "POST", views, body)
    for path in ("/register", "/register-view"):
        for body in ({}, {"name": "t"}, {"name": 1, "metadata-location": "s3://warehouse/x"},
                     {"name": "t", "metadata-location": 5}):
            refused(400, "IllegalArgumentException", re.compile("."), "POST", "/namespaces/ns" + path, body)
    equal(ask("HEAD", table_path("t")).status, 404)


@test
def locations_of_others_and_elsewhere_are_refused():
    ready()
    mine = make_table("located")["metadata"]["location"]
    for location in ("s3://elsewhere/x", "file:///etc", "http://example.com/x", "../x", mine, mine + "/inside",
                     "s3://warehouse/../x", ""):
        answer = ask("POST", "/namespaces/ns/tables", {"name": "stray", "schema": LONG_A, "location": location})
        check(answer.status in (400, 403) or (location == "" and answer.status == 200),
              f"{location}: {answer.status} {answer.body[:300]!r}")
    ask("DELETE", table_path("stray"))
    for location in ("s3://elsewhere/x", "file:///etc/passwd", mine + "/metadata/none.json"):
        answer = ask("POST", "/namespaces/ns/register", {"name": "stray", "metadata-location": location})
        check(400 <= answer.status < 500, f"{location}: {answer.status}")
        check(answer.error["type"].endswith("Exception"), answer.text[:200])
    answer = commit("located", [], [set_property("write.metadata.path", "s3://elsewhere/m")])
    check(answer.status in (400, 403), f"{answer.status} {answer.body[:300]!r}")


@test
def a_namespaces_folder_is_no_tables():
    ready()
    make_space("wide")
    tables, folder = "/namespaces/ns/tables", "s3://warehouse/wide"
    taken = re.compile('^location "s3://warehouse/wide" is the folder of namespace "wide"')
    refused(400, "IllegalArgumentException", taken, "POST", tables,
            {"name": "greedy", "schema": LONG_A, "location": folder})
    make_table("modest")
    for update in (set_property("write.data.path", folder), {"action": "set-location", "location": folder}):
        answer = commit("modest", [], [update])
        equal((answer.status, answer.error["message"][:len(taken.pattern) - 1]), (400, taken.pattern[1:]))
    equal(make_table("inside", location=folder + "/inside")["metadata"]["location"], folder + "/inside")
    make_table("early", location="s3://warehouse/late")
    refused(400, "IllegalArgumentException", re.compile('overlaps that of table "ns.early"'), "POST", "/namespaces",
            {"namespace": ["late"]})
    ok("POST", "/namespaces", {"namespace": ["late"], "properties": {"location": "s3://warehouse/late-tables"}})
    make_table("first", "late")
    make_table("first", "wide")


def made_with(name, identity):
    updates = [{"action": "assign-uuid", "uuid": identity}, {"action": "upgrade-format-version", "format-version": 2},
               {"action": "add-schema", "schema": LONG_A}, {"action": "set-current-schema", "schema-id": -1}]
    return "POST", table_path(name), {"requirements": [{"type": "assert-create"}], "updates": updates}


@test
def a_uuid_is_that_of_one_table():
    ready()
    identity = make_table("first")["metadata"]["table-uuid"]
    for same in (identity, identity.upper()):
        refused(409, "AlreadyExistsException", f'the table with uuid {same} is in the catalog as "ns.first"',
                *made_with("second", same))
    ok("DELETE", table_path("first"), status=204)
    for same in (identity, identity.upper()):
        refused(400, "IllegalArgumentException", re.compile(f'^uuid {same} is that of dropped table "ns.first"'),
                *made_with("second", same))
    equal(ask("HEAD", table_path("second")).status, 404)
    shared().query("UNDROP TABLE ns.first")
    equal(metadata("first")["table-uuid"], identity)
    refused(409, "AlreadyExistsException", "Table already exists: ns.first", "POST", "/namespaces/ns/tables",
            {"name": "first", "schema": LONG_A})


@test
def what_changes_nothing_is_no_event():
    ready()
    make_space("still")
    make_table("calm")
    ok("POST", "/namespaces/ns/views", view_body("calm_view"))
    ok("POST", space_path("still") + "/properties", {"updates": {"a": "1"}})

    def events():
        return shared().request("GET", "/api/v1/events?limit=1000").ok().json["events"]

    before = events()
    for updates in ([], [{"action": "set-properties", "updates": {}}],
                    [{"action": "remove-properties", "removals": ["nix"]}]):
        commit("calm", [], updates).ok()
    for kind, name in (("tables", "calm"), ("views", "calm_view")):
        same = identifier(name)
        ok("POST", f"/{kind}/rename", {"source": same, "destination": same}, status=204)
    for body in ({"updates": {}, "removals": []}, {"removals": ["nix"]}, {"updates": {"a": "1"}}):
        ok("POST", space_path("still") + "/properties", body)
    equal(events(), before)
    ok("POST", space_path("still") + "/properties", {"updates": {"a": "2"}})
    commit("calm", [], [set_property("a", "1")]).ok()
    equal([event["kind"] for event in events()[len(before):]], ["namespace.changed", "table.committed"])


@test
def partition_specs_stay_while_files_need_them():
    ready()
    shared().query("CREATE TABLE ns.specs (a BIGINT, b VARCHAR) PARTITIONED BY (b)")
    shared().query("INSERT INTO ns.specs VALUES (1, 'x')")
    remove = {"action": "remove-partition-specs", "spec-ids": [0]}
    other = [{"action": "add-spec", "spec": {"fields": [{"source-id": 1, "transform": "bucket[4]", "name": "ab"}]}},
             {"action": "set-default-spec", "spec-id": -1}]
    body = {"requirements": [], "updates": other + [remove]}
    needed = re.compile("^partition specs cannot be removed: partition spec 0 is that of files in snapshot [0-9]+: it stays")
    refused(400, "IllegalArgumentException", needed, "POST", table_path("specs"), body)
    commit("specs", [], other).ok()
    body["updates"] = [remove]
    refused(400, "IllegalArgumentException", needed, "POST", table_path("specs"), body)
    shared().query("DELETE FROM ns.specs")
    refused(400, "IllegalArgumentException", needed, "POST", table_path("specs"), body)
    first, last = (s["snapshot-id"] for s in metadata("specs")["snapshots"])
    gone = {"action": "remove-snapshots", "snapshot-ids": [first, last]}
    done = commit("specs", [], [{"action": "remove-snapshot-ref", "ref-name": "main"}, gone, remove]).ok()
    equal([spec["spec-id"] for spec in done.json["metadata"]["partition-specs"]], [1])


@test
def specs_and_schemas_may_be_removed_before_the_snapshots_that_need_them():
    ready()
    shared().query("CREATE TABLE ns.tidied (a BIGINT, b VARCHAR) PARTITIONED BY (b)")
    shared().query("INSERT INTO ns.tidied VALUES (1, 'x')")
    shared().query("ALTER TABLE ns.tidied ADD COLUMN c BIGINT")
    commit("tidied", [], [{"action": "add-spec", "spec": {"fields": []}},
                         {"action": "set-default-spec", "spec-id": -1}]).ok()
    needless = [{"action": "remove-partition-specs", "spec-ids": [0]}, {"action": "remove-schemas", "schema-ids": [0]}]
    refused(400, "IllegalArgumentException", re.compile("schema 0 is that of snapshot [0-9]+: it stays"), "POST",
            table_path("tidied"), {"requirements": [], "updates": needless})
    gone = [{"action": "remove-snapshot-ref", "ref-name": "main"},
            {"action": "remove-snapshots", "snapshot-ids": [metadata("tidied")["current-snapshot-id"]]}]
    done = commit("tidied", [], needless + gone).ok().json["metadata"]
    equal([spec["spec-id"] for spec in done["partition-specs"]], [1])
    equal([schema["schema-id"] for schema in done["schemas"]], [1])


@test
def main_comes_back_with_the_schema_that_its_rows_fit():
    ready()
    make_table("returned")
    shared().query("INSERT INTO ns.returned VALUES (1)")
    before = metadata("returned")
    fields = before["schemas"][0]["fields"] + [{"id": 2, "name": "b", "required": True, "type": "long"}]
    commit("returned", [], [{"action": "remove-snapshot-ref", "ref-name": "main"},
                            {"action": "add-schema", "schema": {"type": "struct", "fields": fields}},
                            {"action": "set-current-schema", "schema-id": -1}]).ok()
    back = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
            "snapshot-id": before["current-snapshot-id"]}
    cure = re.compile('column "b" is required, .* Send "set-current-schema" to its schema 0 in the same request')
    refused(400, "IllegalArgumentException", cure, "POST", table_path("returned"),
            {"requirements": [], "updates": [back]})
    equal(shared().rows("SELECT * FROM ns.returned"), [])
    commit("returned", [], [{"action": "set-current-schema", "schema-id": 0}, back]).ok()
    equal(shared().rows("SELECT * FROM ns.returned"), [[1]])
    commit("returned", [], [{"action": "remove-snapshot-ref", "ref-name": "main"},
                            {"action": "set-current-schema", "schema-id": 1}]).ok()
    old = f"ns.returned VERSION AS OF {before['current-snapshot-id']}"
    shared().query("CREATE OR REPLACE TABLE ns.returned AS SELECT * FROM " + old)
    equal(shared().rows("SELECT * FROM ns.returned"), [[1]])


@test
def what_was_emptied_gets_any_schema():
    ready()
    make_table("emptied")
    shared().query("INSERT INTO ns.emptied VALUES (1)")
    other = [{"action": "add-schema", "schema": {"type": "struct", "fields": [
        {"id": 1, "name": "a", "required": True, "type": "string"}, {"id": 2, "name": "b", "required": True,
                                                                     "type": "long"}]}},
             {"action": "set-current-schema", "schema-id": -1}]
    refused(400, "IllegalArgumentException", re.compile("has the id 1 of"), "POST", table_path("emptied"),
            {"requirements": [], "updates": other})
    shared().query("DELETE FROM ns.emptied")
    commit("emptied", [], other).ok()
    shared().query("INSERT INTO ns.emptied VALUES ('x', 2)")
    equal(shared().rows("SELECT * FROM ns.emptied"), [["x", 2]])


@test
def a_writer_whose_clock_is_ahead_may_write():
    ready()
    make_table("ahead")
    shared().query("INSERT INTO ns.ahead VALUES (1)")
    for minutes in (14, 30):
        now = int(time.time() * 1000)
        old = metadata("ahead")
        snapshot = dict(next(s for s in old["snapshots"] if s["snapshot-id"] == old["current-snapshot-id"]))
        snapshot |= {"parent-snapshot-id": snapshot["snapshot-id"], "snapshot-id": 1000 + minutes,
                     "sequence-number": old["last-sequence-number"] + 1, "timestamp-ms": now + minutes * 60000}
        updates = [{"action": "add-snapshot", "snapshot": snapshot},
                   {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 1000 + minutes}]
        if minutes > 15:
            refused(400, "IllegalArgumentException", re.compile("ahead of the catalog's clock .*at most 15 minutes"),
                    "POST", table_path("ahead"), {"requirements": [], "updates": updates})
            continue
        new = commit("ahead", [], updates).ok().json["metadata"]
        equal(new["snapshots"][-1]["timestamp-ms"], now + minutes * 60000)
        check(new["snapshot-log"][-1]["timestamp-ms"] <= new["last-updated-ms"] <= time.time() * 1000 + 1000, str(new))


@test
def the_place_of_a_dropped_table_can_be_taken_again_and_is_nobodys_else():
    ready()
    place = "s3://warehouse/ns/asked-for"
    make_table("placed", location=place)
    shared().query("INSERT INTO ns.placed VALUES (1)")
    kept = [file for file in shared().rows("SELECT file_path FROM ns.placed.files")]
    ok("DELETE", table_path("placed"), status=204)
    for location in (place + "/inside", "s3://warehouse/ns/asked-for/data"):
        refused(400, "IllegalArgumentException", re.compile("overlaps that of dropped table"), "POST",
                "/namespaces/ns/tables", {"name": "within", "schema": LONG_A, "location": location})
    equal(make_table("placed", location=place)["metadata"]["location"], place)
    equal(shared().rows("SELECT * FROM ns.placed"), [])
    answer = shared().request("POST", "/api/v1/query", {"sql": "UNDROP TABLE ns.placed AS back"})
    check(answer.status >= 400, "two tables have no place in common")
    check(len(kept) == 1, str(kept))


main()

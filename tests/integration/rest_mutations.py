#!/usr/bin/env python3
"""Requests of the Iceberg REST catalog with each part of their bodies made wrong in many ways: what is wrong is the
client's fault and is told so in Iceberg's words; nothing is a 5xx, no connection ends, and the table can still be read."""
# timeout: 240
import copy
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import LONG_A, ask, make_space, make_table, make_view, ok, table_path, view_body, view_path  # noqa: E402
from tarn import LONG, check, equal, main, seed, shared, test  # noqa: E402

SHARE = 1 if LONG else 3  # of so many mutations one is sent
COMMIT = "/tarn" + table_path("t", "mut")
UUID = "00000000-0000-4000-8000-00000000000a"

# Texts of JSON, since Python's own would not write some of them.
WRONG = ["null", "true", "0", "-1", "-0", "1.5", "1e400", "1e308", "2147483648", "9223372036854775807",
         "9223372036854775808", "-9223372036854775809", "99999999999999999999999", '""', '"x"', '"\\u0000"', '"a\\u0001b"',
         '"\\ud800"', '"../../etc"', '"s3://elsewhere/x"', '"' + "n" * 70_000 + '"', "[]", "{}", "[null]", '[""]', '[{}]',
         '{"a": null}', "[" * 300 + "]" * 300, "[1" + ",1" * 5000 + "]"]
ABSENT, DOUBLED, STRANGE = object(), object(), object()


def paths_of(value, path=()):
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths_of(child, path + (key,))


class Raw(str):
    """Text of JSON that stands as it is."""


def write(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join((key if isinstance(key, Raw) else json.dumps(key)) + ":" + write(child)
                              for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(child) for child in value) + "]"
    return json.dumps(value)


def mutated(body, path, wrong):
    """The text of the body with that at `path`."""
    body = copy.deepcopy(body)
    at = body
    for key in path[:-1]:
        at = at[key]
    last = path[-1]
    if wrong is ABSENT:
        del at[last]
    elif wrong is DOUBLED:
        at[last] = [at[last], at[last]]
        if isinstance(at, dict):
            at[Raw(json.dumps(last) + " ")] = at[last][0]
            at[last] = at[last][0]
    elif wrong is STRANGE:
        if isinstance(at, dict):
            at["a-member-of-tomorrow"] = {"x": [1, None]}
        else:
            at.append({"x": 1})
    else:
        at[last] = Raw(wrong)
    return write(body)


def requests():
    """(what, method, path, body): each is right by itself."""
    snapshot = {"snapshot-id": 77, "sequence-number": 5, "timestamp-ms": int(time.time() * 1000), "schema-id": 0,
                "manifest-list": "s3://warehouse/mut/t/metadata/no.avro", "summary": {"operation": "append", "added-files": "1"}}
    fields = [{"id": 1, "name": "a", "type": "long", "required": False, "doc": "d", "write-default": 5},
              {"id": 9, "name": "l", "required": False,
               "type": {"type": "list", "element-id": 10, "element": "string", "element-required": False}},
              {"id": 11, "name": "m", "required": False,
               "type": {"type": "map", "key-id": 12, "key": "string", "value-id": 13, "value": "decimal(9,2)",
                        "value-required": False}},
              {"id": 14, "name": "s", "required": False,
               "type": {"type": "struct", "fields": [{"id": 15, "name": "x", "type": "fixed[4]", "required": False}]}}]
    spec = {"spec-id": 3, "fields": [{"source-id": 1, "field-id": 1000, "name": "a_bucket", "transform": "bucket[4]"}]}
    order = {"order-id": 2, "fields": [{"source-id": 1, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}]}
    statistics = {"snapshot-id": 77, "statistics-path": "s3://warehouse/mut/t/metadata/s.puffin", "file-size-in-bytes": 10,
                  "file-footer-size-in-bytes": 5, "key-metadata": "x",
                  "blob-metadata": [{"type": "x", "snapshot-id": 77, "sequence-number": 5, "fields": [1], "properties": {"k": "v"}}]}
    updates = [
        {"action": "assign-uuid", "uuid": UUID}, {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": {"type": "struct", "schema-id": 4, "identifier-field-ids": [1], "fields": fields},
         "last-column-id": 15},
        {"action": "set-current-schema", "schema-id": 0}, {"action": "add-spec", "spec": spec},
        {"action": "set-default-spec", "spec-id": 0}, {"action": "add-sort-order", "sort-order": order},
        {"action": "set-default-sort-order", "sort-order-id": 0}, {"action": "add-snapshot", "snapshot": snapshot},
        {"action": "set-snapshot-ref", "ref-name": "b", "type": "branch", "snapshot-id": 1, "min-snapshots-to-keep": 1,
         "max-snapshot-age-ms": 5, "max-ref-age-ms": 5},
        {"action": "remove-snapshots", "snapshot-ids": [77]}, {"action": "remove-snapshot-ref", "ref-name": "b"},
        {"action": "set-location", "location": "s3://warehouse/mut/t"},
        {"action": "set-properties", "updates": {"k": "v", "write.data.path": "s3://warehouse/mut/t/d"}},
        {"action": "remove-properties", "removals": ["k"]}, {"action": "set-statistics", "statistics": statistics},
        {"action": "remove-statistics", "snapshot-id": 77},
        {"action": "set-partition-statistics",
         "partition-statistics": {"snapshot-id": 77, "statistics-path": "s3://warehouse/mut/t/metadata/p", "file-size-in-bytes": 3}},
        {"action": "remove-partition-statistics", "snapshot-id": 77}, {"action": "remove-partition-specs", "spec-ids": [3]},
        {"action": "remove-schemas", "schema-ids": [4]},
        {"action": "add-encryption-key", "encryption-key": {"key-id": "k", "encrypted-key-metadata": "eA==", "encrypted-by-id": "b",
                                                            "properties": {"a": "b"}}},
        {"action": "remove-encryption-key", "key-id": "k"}]
    requirements = [
        {"type": "assert-table-uuid", "uuid": UUID}, {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1},
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 1},
        {"type": "assert-current-schema-id", "current-schema-id": 0},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999},
        {"type": "assert-default-spec-id", "default-spec-id": 0},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 0}, {"type": "assert-create"}]
    identifier = {"namespace": ["mut"], "name": "t"}
    space = "/tarn/namespaces/mut"
    version = view_body("v")["view-version"]
    report = {"report-type": "scan-report", "table-name": "t", "snapshot-id": 1, "filter": {"type": "eq", "term": "a", "value": 1},
              "schema-id": 0, "projected-field-ids": [1], "projected-field-names": ["a"],
              "metrics": {"total-planning-duration": {"count": 1, "time-unit": "nanoseconds", "total-duration": 5}}, "metadata": {"a": "b"}}
    yield "namespace", "POST", "/tarn/namespaces", {"namespace": ["mut", "inner"], "properties": {"a": "b", "location": "s3://warehouse/i"}}
    yield "properties", "POST", space + "/properties", {"removals": ["zz"], "updates": {"a": "b"}}
    yield "create", "POST", space + "/tables", {
        "name": "made", "location": "s3://warehouse/mut/made", "schema": {"type": "struct", "fields": fields, "identifier-field-ids": []},
        "partition-spec": spec, "write-order": order, "stage-create": True, "properties": {"format-version": "2", "k": "v"}}
    yield "register", "POST", space + "/register", {"name": "r", "metadata-location": "s3://warehouse/mut/no.json", "overwrite": False}
    yield "register-view", "POST", space + "/register-view", {"name": "r", "metadata-location": "s3://warehouse/mut/no.json"}
    yield "rename", "POST", "/tarn/tables/rename", {"source": {"namespace": ["mut"], "name": "no"}, "destination": identifier}
    yield "rename-view", "POST", "/tarn/views/rename", {"source": {"namespace": ["mut"], "name": "no"}, "destination": identifier}
    yield "view", "POST", space + "/views", view_body("w", location="s3://warehouse/mut/w")
    yield "replace-view", "POST", "/tarn" + view_path("v", "mut"), {
        "requirements": [{"type": "assert-view-uuid", "uuid": UUID}],
        "updates": [{"action": "add-view-version", "view-version": version}, {"action": "set-current-view-version", "view-version-id": -1},
                    {"action": "add-schema", "schema": LONG_A}, {"action": "set-properties", "updates": {"a": "b"}}]}
    yield "metrics", "POST", COMMIT + "/metrics", report
    yield "sign", "POST", COMMIT + "/sign", {"region": "us-east-1", "uri": f"http://{shared().s3}/warehouse/mut/t/x", "method": "GET",
                                            "headers": {"a": ["b"]}, "properties": {}, "body": "x", "provider": "s3"}
    for requirement in requirements:
        yield requirement["type"], "POST", COMMIT, {"requirements": [requirement], "updates": []}
    for update in updates:
        yield update["action"], "POST", COMMIT, {"identifier": identifier, "requirements": [], "updates": [update]}
    yield "transaction", "POST", "/tarn/transactions/commit", {
        "table-changes": [{"identifier": identifier, "requirements": requirements[:2], "updates": updates[13:14]}]}


def judge(what, text, answer):
    where = f"{what}: {text[:700]}: {answer.status} {answer.body[:400]!r}"
    if answer.status in (200, 204):
        return
    check(400 <= answer.status < 500, where)
    equal(answer.type, "application/json", where)
    error = answer.json["error"]
    check(set(error) <= {"message", "type", "code", "stack"} and error["code"] == answer.status and error["message"], where)
    check(error["type"].endswith("Exception"), where)


def begin():
    make_space("mut")
    if ask("HEAD", COMMIT).status == 404:
        make_table("t", "mut", location="s3://warehouse/mut/t")
        make_view("v", "mut")
        shared().rows("INSERT INTO mut.t VALUES (1)")


def send(client, method, path, text):
    """On a connection that is kept: one that the server closed is a failure, but for what it may close (413)."""
    answer = client.request(method, "/iceberg/v1" + path, text.encode("utf-8", "surrogatepass"),
                            {"Content-Type": "application/json"})
    return answer


@test
def what_is_wrong_in_a_body_is_told_and_nothing_breaks():
    begin()
    dice = seed()
    sent, went = 0, 0
    with shared().client() as client:
        for what, method, path, body in requests():
            for at in paths_of(body):
                for wrong in WRONG + [ABSENT, DOUBLED, STRANGE]:
                    if dice.randrange(SHARE):
                        continue
                    text = mutated(body, at, wrong)
                    answer = send(client, method, path, text)
                    judge(f"{what} at {at}", text, answer)
                    sent, went = sent + 1, went + (answer.status < 300)
    check(sent > 500 and went < sent / 2, f"{sent} requests, {went} went well")
    equal(ok("GET", COMMIT)["metadata"]["format-version"], 2)
    shared().rows("SELECT count(*) FROM mut.t")


@test
def a_body_that_is_cut_anywhere_is_malformed():
    begin()
    with shared().client() as client:
        for what, method, path, body in requests():
            text = json.dumps(body)
            for size in range(0, len(text) - 1, max(1, len(text) // 7)):
                answer = send(client, method, path, text[:size])
                equal(answer.status, 400, f"{what}: {text[:size]}")
                judge(what, text[:size], answer)
                check("line 1, column" in answer.json["error"]["message"], answer.text)


@test
def numbers_and_texts_of_reports_are_what_they_should_be():
    begin()
    report = next(body for what, _, _, body in requests() if what == "metrics")
    for kind in ("scan-report", "commit-report"):
        ok("POST", COMMIT + "/metrics", dict(report, **{"report-type": kind}), status=204)
        for member, wrong in (("table-name", 1), ("snapshot-id", "1"), ("snapshot-id", 1.5), ("schema-id", "0"), ("metrics", []),
                              ("projected-field-ids", ["a"]), ("projected-field-names", [1]), ("filter", 5), ("metadata", [])):
            answer = ask("POST", COMMIT + "/metrics", dict(report, **{"report-type": kind, member: wrong}))
            equal(answer.status, 400, f"{kind} with {member} {wrong}")
            check("invalid report" in answer.json["error"]["message"], answer.text)


@test
def a_name_with_a_nul_is_refused_wherever_a_query_would_have_to_say_it():
    begin()
    column = {"id": 1, "name": "a\0b", "type": "long", "required": False}
    schema = {"type": "struct", "fields": [column]}
    nested = {"type": "struct", "fields": [dict(column, name="s", type={"type": "struct", "fields": [dict(column, id=2)]})]}
    for body in ({"name": "nul", "schema": schema}, {"name": "nul", "schema": nested}, {"name": "a\0b", "schema": LONG_A}):
        answer = ask("POST", "/tarn/namespaces/mut/tables", body)
        judge("create", json.dumps(body), answer)
        equal(answer.status, 400, answer.text)
    head = ok("GET", COMMIT)["metadata"]["current-snapshot-id"]
    for update in ({"action": "add-schema", "schema": {"type": "struct", "fields": LONG_A["fields"] + [dict(column, id=2)]}},
                   {"action": "add-spec", "spec": {"fields": [{"source-id": 1, "name": "a\0b", "transform": "identity"}]}},
                   {"action": "set-snapshot-ref", "ref-name": "a\0b", "type": "branch", "snapshot-id": head}):
        answer = ask("POST", COMMIT, {"requirements": [], "updates": [update]})
        judge("commit", json.dumps(update), answer)
        equal(answer.status, 400, answer.text)


def raw(text):
    with socket.create_connection(("127.0.0.1", int(shared().address.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(text.encode())
        got = b""
        while piece := connection.recv(65536):
            got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


@test
def what_the_http_core_refuses_has_icebergs_shape_whatever_the_form_of_the_target():
    for target, expected in (("/iceberg/v1/%zz", 400), ("http://127.0.0.1/iceberg/v1/%zz", 400), ("/iceberg?%zz", 400),
                             ("HTTP://127.0.0.1:80/iceberg/v1/config%00", 400), ("http://127.0.0.1/iceberg", 404),
                             ("http://elsewhere.example/iceberg/v1/config", 421), ("/iceberg/v1/config#x", 400)):
        status, body = raw(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                           f"Authorization: Bearer {shared().key}\r\n\r\n")
        equal(status, expected, f"{target}: {body!r}")
        equal(json.loads(body)["error"]["code"], expected, target)
    status, body = raw("GET http://127.0.0.1/api/v1/%zz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    equal(json.loads(body)["error"]["code"], "invalid", "elsewhere the shape is the API's")


main()

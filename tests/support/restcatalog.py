"""The Iceberg REST catalog for tests, without a client's help: addresses, bodies, and what errors have to look like."""
import json
import os
import re
import subprocess
import urllib.parse

from tarn import BIN, NO_KEY, Failed, check, equal, shared

ROOT = "/iceberg/v1"
LONG_A = {"type": "struct", "fields": [{"id": 1, "name": "a", "type": "long", "required": False}]}


def quoted(*levels):
    """A namespace or name as a segment of a path."""
    return "%1F".join(urllib.parse.quote(level, safe="") for level in levels)


def space_path(*levels):
    return f"/namespaces/{quoted(*levels)}"


def table_path(table, *levels):
    return f"{space_path(*(levels or ('ns',)))}/tables/{quoted(table)}"


def view_path(view, *levels):
    return f"{space_path(*(levels or ('ns',)))}/views/{quoted(view)}"


def updates_that_make(staged):
    """What a client sends to make the table that was staged: its metadata."""
    return [{"action": "assign-uuid", "uuid": staged["table-uuid"]},
            {"action": "upgrade-format-version", "format-version": 2},
            {"action": "add-schema", "schema": staged["schemas"][0]},
            {"action": "set-current-schema", "schema-id": -1},
            {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
            {"action": "set-default-spec", "spec-id": -1},
            {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
            {"action": "set-default-sort-order", "sort-order-id": -1},
            {"action": "set-location", "location": staged["location"]}]


def ask(method, path, body=None, headers=None, key=None, server=None):
    """Below /iceberg/v1; `path` begins with a slash."""
    return (server or shared()).request(method, ROOT + path, body, headers, key)


def ok(method, path, body=None, headers=None, status=200, **more):
    """The JSON document; None where there is no body."""
    answer = ask(method, path, body, headers, **more)
    if answer.status != status:
        raise Failed(f"{method} {path}: expected {status}, got {answer.status}: {answer.body[:600]!r}")
    if status == 204:
        equal(answer.body, b"", f"{method} {path}: the body of 204")
        return None
    equal(answer.type, "application/json", f"{method} {path}: content type")
    return answer.json


def refused(status, kind, message, method, path, body=None, headers=None, **more):
    """The error object of the specification. `message`: all of it, or a compiled pattern to find in it."""
    answer = ask(method, path, body, headers, **more)
    where = f"{method} {path}: {answer.status} {answer.body[:600]!r}"
    equal(answer.status, status, where)
    equal(answer.type, "application/json", where)
    equal(list(answer.json), ["error"], where)
    error = answer.error
    check(set(error) <= {"message", "type", "code", "stack"}, where)
    equal((error["type"], error["code"]), (kind, status), where)
    if isinstance(message, re.Pattern):
        check(message.search(error["message"]), where)
    else:
        equal(error["message"], message, where)
    return answer


def make_space(*levels, **more):
    answer = ask("POST", "/namespaces", {"namespace": list(levels)}, **more)
    check(answer.status in (200, 409), f"namespace {levels}: {answer.status} {answer.body[:300]!r}")


def make_table(name, *levels, **members):
    body = dict({"name": name, "schema": LONG_A}, **members)
    return ok("POST", space_path(*(levels or ("ns",))) + "/tables", body)


def view_body(name, sql="SELECT 1 AS a", dialect="duckdb", **members):
    version = {"version-id": 1, "timestamp-ms": 1700000000000, "schema-id": 0, "summary": {"engine-name": "test"},
               "representations": [{"type": "sql", "sql": sql, "dialect": dialect}], "default-namespace": ["ns"]}
    return dict({"name": name, "schema": LONG_A, "view-version": version, "properties": {}}, **members)


def make_view(name, *levels, **members):
    return ok("POST", space_path(*(levels or ("ns",))) + "/views", view_body(name, **members))


def commit(table, requirements, updates, *levels, **more):
    return ask("POST", table_path(table, *levels), {"requirements": requirements, "updates": updates}, **more)


def set_property(key, value):
    return {"action": "set-properties", "updates": {key: value}}


def identifier(table, *levels):
    return {"namespace": list(levels or ("ns",)), "name": table}


def operations():
    """(operationId, method, pattern, right, state) of what the program says it serves and refuses."""
    page = subprocess.run([BIN, "docs", "catalog"], check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"^\| (\w+) \| (\w+) `([^`]+)` \| ?([\w.]*) \| ([^|]+) \|", page, re.M)
    check(len(rows) >= 35, f"{len(rows)} operations in docs catalog")
    return rows


def specified():
    """(since, method, pattern, operationId) of the specification."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rest_operations.txt")
    with open(path, encoding="utf-8") as file:
        return [line.split() for line in file if not line.startswith("#")]


def dumps(value):
    return json.dumps(value, ensure_ascii=False).encode()


__all__ = [name for name in dir() if not name.startswith("_")] + ["NO_KEY"]

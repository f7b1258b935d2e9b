#!/usr/bin/env python3
"""Idempotency-Key: who asks again gets an equivalent answer and nothing is done twice, also after kill -9, and not while
the first request is still at work."""
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from s3client import S3  # noqa: E402
from tarn import Server, check, contains, equal, eventually, main, shared, test  # noqa: E402

V1 = "/iceberg/v1"
MAIN = "/tarn/namespaces/main"
SCHEMA = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "a", "type": "long", "required": False}]}


def new_key():
    """A UUID of version 7."""
    ms, rest = int(time.time() * 1000), random.getrandbits(74)
    number = (ms << 80) | (7 << 76) | ((rest >> 62) << 64) | (2 << 62) | (rest & ((1 << 62) - 1))
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def ask(method, path, body=None, key=None, server=None, who=None):
    headers = {"Idempotency-Key": key} if key else {}
    return (server or shared()).request(method, V1 + path, body, headers, who)


def make(name, server=None, key=None, **more):
    return ask("POST", MAIN + "/tables", {"name": name, "schema": SCHEMA, **more}, key, server)


def load(name, server=None):
    return ask("GET", f"{MAIN}/tables/{name}", None, None, server)


def set_property(number, uuid=None):
    body = {"requirements": [{"type": "assert-table-uuid", "uuid": uuid}] if uuid else [],
            "updates": [{"action": "set-properties", "updates": {"n": str(number)}}]}
    return body


def versions(answer):
    """How many metadata files the table has had: each commit adds one to the log."""
    return len(answer.ok().json["metadata"].get("metadata-log", []))


@test
def the_lifetime_is_told():
    equal(ask("GET", "/config").ok().json["idempotency-key-lifetime"], "PT30M")
    with Server(settings={"catalog.idempotency_lifetime": "0s"}) as server:
        check("idempotency-key-lifetime" not in ask("GET", "/config", server=server).ok().json, "none where it is off")


@test
def a_key_is_a_uuid_of_version_7():
    for bad in ("x", "00000000-0000-0000-0000-000000000000", "9f1f4f5e-7d5c-4c6d-8f2e-1f2e3d4c5b6a", new_key() + "0",
                new_key().replace("-", "")):
        answer = make("never", key=bad)
        equal((answer.status, answer.json["error"]["code"]), (400, 400), bad)
        contains(answer.json["error"]["message"], "Idempotency-Key")
    equal(make("upper", key=new_key().upper()).status, 200)


@test
def a_commit_is_done_once():
    table = make("once").ok().json["metadata"]
    key = new_key()
    first = ask("POST", MAIN + "/tables/once", set_property(1, table["table-uuid"]), key).ok()
    for _ in range(3):
        again = ask("POST", MAIN + "/tables/once", set_property(1, table["table-uuid"]), key).ok()
        equal(again.json, first.json)
    equal(versions(load("once")), 1)
    ask("POST", MAIN + "/tables/once", set_property(2)).ok()
    later = ask("POST", MAIN + "/tables/once", set_property(1, table["table-uuid"]), key).ok()
    equal(later.json["metadata"]["properties"]["n"], "2", "it may be of a newer state")
    equal(versions(load("once")), 2)


@test
def every_operation_is_replayed():
    def twice(method, path, body=None, status=200):
        key = new_key()
        first, second = ask(method, path, body, key), ask(method, path, body, key)
        equal((first.status, second.status), (status, status), f"{method} {path}: {second.body[:300]!r}")
        if status != 204 and "config" not in first.json:
            equal(second.json, first.json, f"{method} {path}")
        return first, second

    def without_keys(answer):
        return {name: value for name, value in answer.json.items() if name not in ("config", "storage-credentials")}

    twice("POST", "/tarn/namespaces", {"namespace": ["idem"], "properties": {"a": "b"}})
    changed, _ = twice("POST", "/tarn/namespaces/idem/properties", {"updates": {"c": "d"}, "removals": ["a", "zz"]})
    equal(changed.json, {"updated": ["c"], "removed": ["a"], "missing": ["zz"]})
    first, second = twice("POST", "/tarn/namespaces/idem/tables", {"name": "t", "schema": SCHEMA})
    equal(without_keys(second), without_keys(first))
    check(second.json["config"]["s3.session-token"], "it comes with keys, which are not kept with it")
    twice("POST", "/tarn/namespaces/idem/tables/t", set_property(1))
    location = ask("GET", "/tarn/namespaces/idem/tables/t").ok().json["metadata-location"]
    twice("POST", "/tarn/tables/rename", {"source": {"namespace": ["idem"], "name": "t"},
                                          "destination": {"namespace": ["idem"], "name": "t2"}}, 204)
    twice("POST", "/tarn/transactions/commit",
          {"table-changes": [dict(set_property(2), identifier={"namespace": ["idem"], "name": "t2"})]}, 204)
    equal(versions(ask("GET", "/tarn/namespaces/idem/tables/t2")), 2)
    location = ask("GET", "/tarn/namespaces/idem/tables/t2").ok().json["metadata-location"]
    twice("POST", "/tarn/namespaces/idem/tables/t2/unregister")
    twice("POST", "/tarn/namespaces/idem/register", {"name": "t3", "metadata-location": location})
    twice("DELETE", "/tarn/namespaces/idem/tables/t3?purgeRequested=true", None, 204)
    view = {"name": "v", "schema": SCHEMA, "properties": {},
            "view-version": {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": ["idem"],
                             "representations": [{"type": "sql", "sql": "SELECT 1 AS a", "dialect": "tarn"}]}}
    made, _ = twice("POST", "/tarn/namespaces/idem/views", view)
    twice("POST", "/tarn/namespaces/idem/views/v", {"requirements": [], "updates": [
        {"action": "set-properties", "updates": {"a": "b"}}]})
    twice("POST", "/tarn/views/rename", {"source": {"namespace": ["idem"], "name": "v"},
                                         "destination": {"namespace": ["idem"], "name": "w"}}, 204)
    twice("DELETE", "/tarn/namespaces/idem/views/w", None, 204)
    twice("DELETE", "/tarn/namespaces/idem", None, 204)


@test
def no_operation_is_forgotten():
    """Each row of the route table that takes the key has a kind of answer."""
    def text(name):
        with open(os.path.join(os.environ.get("TARN_SOURCE", "."), "src/server/rest", name), encoding="utf-8") as file:
            return file.read()
    rows = re.findall(r'"(\w+)",\s+ACTION_\w+,\s+rest__\w+,\s+IDEMPOTENT', text("routes.c"))
    check(len(rows) >= 15, f"{len(rows)} rows")
    kinds = re.findall(r'\{"(\w+)", ANSWER_', text("idempotent.c"))
    equal(sorted(set(rows) - set(kinds)), [], "operations without a kind of answer")


@test
def refusals_that_are_final_are_replayed():
    make("refused").ok()
    key = new_key()
    body = set_property(1, "11111111-1111-1111-1111-111111111111")
    first = ask("POST", MAIN + "/tables/refused", body, key)
    equal((first.status, first.json["error"]["type"]), (409, "CommitFailedException"))
    equal(ask("POST", MAIN + "/tables/refused", body, key).json, first.json)
    key = new_key()
    first = make("late", key=key, schema={"type": "struct"})
    equal(first.status, 400)
    key = new_key()
    first = ask("DELETE", MAIN + "/tables/late", None, key)
    equal((first.status, first.json["error"]["type"]), (404, "NoSuchTableException"))
    make("late").ok()
    equal(ask("DELETE", MAIN + "/tables/late", None, key).json, first.json, "though the table is there by now")
    equal(load("late").status, 200)


@test
def a_key_with_another_request_is_refused():
    make("other").ok()
    key = new_key()
    ask("POST", MAIN + "/tables/other", set_property(1), key).ok()
    for method, path, body in (("POST", MAIN + "/tables/other", set_property(2)), ("DELETE", MAIN + "/tables/other", None),
                               ("POST", MAIN + "/tables/once", set_property(1))):
        answer = ask(method, path, body, key)
        equal((answer.status, answer.json["error"]["type"]), (422, "UnprocessableEntityException"), path)
    equal(load("other").json["metadata"]["properties"]["n"], "1")


@test
def keys_are_a_principals_own():
    make("own").ok()
    key = new_key()
    ask("POST", MAIN + "/tables/own", set_property(1), key).ok()
    reader = shared().make_principal("ines", "reader")
    equal(ask("POST", MAIN + "/tables/own", set_property(1), key, who=reader).status, 403)
    second = shared().make_principal("otto", "root")
    ask("POST", MAIN + "/tables/own", set_property(2), key, who=second).ok()
    equal(load("own").json["metadata"]["properties"]["n"], "2")


@test
def whether_somebody_may_is_asked_anew():
    make("rights").ok()
    key = new_key()
    ask("POST", MAIN + "/tables/rights", set_property(1), key).ok()
    equal(ask("POST", MAIN + "/tables/rights", set_property(1), key, who="tarn_wrong").status, 401)


@test
def a_replay_of_a_dropped_table_is_from_its_file():
    key = new_key()
    first = make("dropped", key=key).ok().json
    ask("DELETE", MAIN + "/tables/dropped", None).ok()
    again = make("dropped", key=key).ok().json
    equal(again["metadata"]["table-uuid"], first["metadata"]["table-uuid"])
    check("config" not in again, "no keys for a table that is gone")
    equal(load("dropped").status, 404)
    other = make("dropped").ok().json
    again = make("dropped", key=key).ok().json
    equal(again["metadata"]["table-uuid"], first["metadata"]["table-uuid"], "not the one that has the name by now")
    check(other["metadata"]["table-uuid"] != first["metadata"]["table-uuid"], "another table")


def view_body(name, space):
    return {"name": name, "schema": SCHEMA, "properties": {},
            "view-version": {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": [space],
                             "representations": [{"type": "sql", "sql": "SELECT 1 AS a", "dialect": "tarn"}]}}


@test
def a_replay_of_a_dropped_namespace_or_view_is_the_same_answer():
    space_key, view_key, change_key = new_key(), new_key(), new_key()
    space = {"namespace": ["going"], "properties": {"a": "b"}}
    change = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"a": "b"}}]}
    made = ask("POST", "/tarn/namespaces", space, space_key).ok().json
    view = ask("POST", "/tarn/namespaces/going/views", view_body("v", "going"), view_key).ok().json
    changed = ask("POST", "/tarn/namespaces/going/views/v", change, change_key).ok().json
    ask("DELETE", "/tarn/namespaces/going/views/v").ok()
    for _ in range(2):
        equal(ask("POST", "/tarn/namespaces/going/views", view_body("v", "going"), view_key).ok().json, view)
        equal(ask("POST", "/tarn/namespaces/going/views/v", change, change_key).ok().json, changed)
    equal(ask("GET", "/tarn/namespaces/going/views/v").status, 404, "it was not made again")
    ask("DELETE", "/tarn/namespaces/going").ok()
    for _ in range(2):
        equal(ask("POST", "/tarn/namespaces", space, space_key).ok().json, made)
    equal(ask("GET", "/tarn/namespaces/going").status, 404)


@test
def a_name_like_a_record_is_replayed():
    """A metadata file's name may look like what answers are kept as; one with a line end is refused, each time."""
    made = make("lined").ok().json
    old, new = made["metadata-location"], made["metadata-location"].replace("00000", "0 3:ab,4:0000", 1)
    with open(os.path.join(shared().data, "secrets/root.s3"), encoding="utf-8") as file:
        s3 = S3(shared().s3, *file.read().split())
    equal(s3.request("PUT", new[len("s3:/"):], None, s3.request("GET", old[len("s3:/"):]).body).status, 200)
    ask("POST", MAIN + "/tables/lined/unregister").ok()
    key, body = new_key(), {"name": "lined2", "metadata-location": new}
    first = ask("POST", MAIN + "/register", body, key).ok().json
    equal(ask("POST", MAIN + "/tables/lined2/unregister").status, 200)
    again = ask("POST", MAIN + "/register", body, key).ok().json
    equal((again["metadata-location"], again["metadata"]), (first["metadata-location"], first["metadata"]))
    key, body = new_key(), {"name": "lined3", "metadata-location": old.replace("00000", "0\n0000", 1)}
    for _ in range(2):
        equal(ask("POST", MAIN + "/register", body, key).status, 400)


@test
def requests_with_one_key_at_once_are_one():
    make("crowd").ok()
    key, answers = new_key(), []
    barrier = threading.Barrier(8)

    def run():
        barrier.wait()
        answers.append(ask("POST", MAIN + "/tables/crowd", set_property(1), key))
    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal({answer.status for answer in answers}, {200})
    equal(len({answer.body for answer in answers}), 1)
    equal(versions(load("crowd")), 1)


@test
def a_lost_answer_is_found_after_kill_9():
    """The commit is there, the answer never arrived: whoever asks again after the restart has committed once."""
    with Server() as server:
        uuid = make("t", server).ok().json["metadata"]["table-uuid"]
        for number in range(1, 6):
            key = new_key()
            client = server.client()
            body = set_property(number, uuid)
            threading.Thread(target=lambda c=client, b=body, k=key: lose(c, b, k), daemon=True).start()
            eventually(lambda n=number: load("t", server).json["metadata"]["properties"].get("n") == str(n), "the commit")
            server.kill()
            server.start()
            again = ask("POST", MAIN + "/tables/t", body, key, server).ok().json
            equal(again["metadata"]["properties"]["n"], str(number))
            equal(versions(load("t", server)), number)


def lose(client, body, key):
    try:
        client.request("POST", V1 + MAIN + "/tables/t", body, {"Idempotency-Key": key})
    except OSError:
        pass
    except Exception:  # pylint: disable=broad-except
        pass  # the answer is cut off


@test
def kill_9_at_any_moment_commits_once_or_not_at_all():
    """Commits under kill -9: what was asked again with its key is there exactly once."""
    with Server() as server:
        make("t", server).ok()
        for number in range(1, 9):
            key, body = new_key(), set_property(number)
            client = server.client()
            thread = threading.Thread(target=lambda c=client, b=body, k=key: lose(c, b, k), daemon=True)
            thread.start()
            time.sleep(random.uniform(0, 0.01))
            server.kill()
            thread.join()
            server.start()
            ask("POST", MAIN + "/tables/t", body, key, server).ok()
            equal(versions(load("t", server)), number)


@test
def an_answer_costs_no_second_sync():
    with Server() as server:
        make("t", server).ok()

        def groups():
            return server.metrics()["tarn_state_commits_total"]
        with server.client() as client:
            def commit(number, key):
                return client.request("POST", V1 + MAIN + "/tables/t", set_property(number),
                                      {"Idempotency-Key": key} if key else {}).ok()
            commit(0, new_key())
            before = groups()
            for number in range(20):
                commit(number, None)
            plain = groups() - before
            before = groups()
            for number in range(20):
                commit(number, new_key())
            check(groups() - before <= plain + 2, f"{groups() - before} commits of the database, {plain} without keys")


@test
def old_answers_go():
    with Server(settings={"catalog.idempotency_lifetime": "1s"}) as server:
        make("t", server).ok()
        equal(ask("GET", "/config", server=server).json["idempotency-key-lifetime"], "PT1S")
        key = new_key()
        body = set_property(1)
        ask("POST", MAIN + "/tables/t", body, key, server).ok()

        def is_gone():
            ask("POST", MAIN + "/tables/t", set_property(2), new_key(), server).ok()
            before = versions(load("t", server))
            ask("POST", MAIN + "/tables/t", body, key, server).ok()
            return versions(load("t", server)) == before + 1
        eventually(is_gone, "the old answer is forgotten", 300)


main()

#!/usr/bin/env python3
"""Staged tables: keys for the place that the client chose, which is held for it; the same answer to the same key."""
import contextlib
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import LONG_A, ask, table_path, updates_that_make  # noqa: E402
from s3client import S3, root_s3  # noqa: E402
from tarn import Server, check, contains, equal, eventually, main, shared, test  # noqa: E402

TABLES = "/tarn/namespaces/main/tables"
UUID7 = "01932c5e-7b1a-7cc3-98b2-00000000%04x"


def keyed(number):
    return {"Idempotency-Key": UUID7 % number}


def create(name, key=None, headers=None, **more):
    return shared().request("POST", "/iceberg/v1" + TABLES, {"name": name, "schema": LONG_A, **more}, headers, key)


def stage(name, key=None, headers=None, **more):
    return create(name, key, headers, **{"stage-create": True, **more})


def commit_staged(name, staged, key=None):
    made = staged["metadata"]
    updates = [*updates_that_make(made), {"action": "set-properties", "updates": made["properties"]}]
    return shared().request("POST", "/iceberg/v1/tarn" + table_path(name, "main"),
                            {"requirements": [{"type": "assert-create"}], "updates": updates}, None, key)


def keys_of(answer):
    config = answer.ok().json["config"]
    return S3(shared().s3, config["s3.access-key-id"], config["s3.secret-access-key"], config["s3.session-token"])


def writer(name, made={}):
    if name not in made:
        made[name] = shared().make_principal(name, "writer")
    return made[name]


def put(keys, path):
    return keys.request("PUT", "/warehouse/" + path, None, b"x").status


@test
def keys_come_for_the_place_that_the_client_chose():
    anna = writer("anna")
    answer = stage("ctas", anna, location="s3://warehouse/own/ctas")
    keys = keys_of(answer)
    equal(answer.json["storage-credentials"][0]["prefix"], "s3://warehouse/own/ctas")
    equal(put(keys, "own/ctas/data/f.parquet"), 200)
    for path in ("own/ctas2/x", "own/x", "own/ctas", "other/x"):
        equal(put(keys, path), 403, path)
    commit_staged("ctas", answer.json, anna).ok()
    loaded = shared().request("GET", "/iceberg/v1/tarn" + table_path("ctas", "main"), None, None, anna)
    equal(loaded.ok().json["metadata"]["location"], "s3://warehouse/own/ctas")
    equal(keys_of(loaded).request("GET", "/warehouse/own/ctas/data/f.parquet").status, 200)


@test
def nobody_elses_table_comes_to_lie_under_the_keys():
    anna, berta = writer("anna"), writer("berta")
    stage("held", anna, location="s3://warehouse/held/t").ok()
    for place in ("held/t", "held/t/inner", "held"):
        answer = create("squat", berta, location="s3://warehouse/" + place)
        equal(answer.status, 400, place)
        contains(answer.json["error"]["message"], 'held for staged table "main.held"')
        equal(stage("squat", berta, location="s3://warehouse/" + place).status, 400, "staged at " + place)
    create("mover", berta, location="s3://warehouse/movers/m").ok()
    for update in ({"action": "set-location", "location": "s3://warehouse/held/t"},
                   {"action": "set-properties", "updates": {"write.data.path": "s3://warehouse/held/t/data"}}):
        answer = shared().request("POST", "/iceberg/v1/tarn" + table_path("mover", "main"),
                                  {"requirements": [], "updates": [update]}, None, berta)
        equal(answer.status, 400, update)
    sql = "CREATE TABLE main.squat (a BIGINT) WITH (location = 's3://warehouse/held/t')"
    answer = shared().request("POST", "/api/v1/query", {"sql": sql}, None, berta)
    contains(answer.text, "held for staged table")
    create("beside", berta, location="s3://warehouse/held/t2").ok()


@test
def who_staged_may_begin_again():
    anna = writer("anna")
    first = stage("again", anna, location="s3://warehouse/again/t").ok().json
    second = stage("again", anna, location="s3://warehouse/again/t").ok().json
    check(first["metadata"]["table-uuid"] != second["metadata"]["table-uuid"], "two tables")
    check("s3.access-key-id" in second["config"], second["config"])
    commit_staged("again", second, anna).ok()
    equal(commit_staged("again", first, anna).status, 409)
    stage("direct", anna, location="s3://warehouse/again/d").ok()
    create("direct", anna, location="s3://warehouse/again/d").ok()
    equal(stage("more", anna, location="s3://warehouse/again/d").status, 400, "a table lies there now")


@test
def what_is_not_free_or_not_the_warehouses_is_refused():
    anna, berta = writer("anna"), writer("berta")
    create("lies", berta, location="s3://warehouse/lies/t").ok()
    for place in ("s3://warehouse/lies/t", "s3://warehouse/lies/t/x", "s3://warehouse/lies", "s3://elsewhere/x",
                  "s3://warehouse", "file:///etc"):
        answer = stage("no", anna, location=place)
        check(answer.status in (400, 403), f"{place}: {answer.status} {answer.text}")


@test
def a_dropped_tables_place_is_staged_by_who_may_write_that_table():
    anna = writer("anna")
    create("gone", location="s3://warehouse/gone/t").ok()
    shared().request("DELETE", "/iceberg/v1/tarn" + table_path("gone", "main")).ok()
    staged = stage("gone", anna, location="s3://warehouse/gone/t")
    equal(put(keys_of(staged), "gone/t/data/x"), 200)
    commit_staged("gone", staged.json, anna).ok()


@test
def folders_of_properties_are_held_too():
    anna, berta = writer("anna"), writer("berta")
    answer = stage("apart", anna, properties={"write.data.path": "s3://warehouse/apart-data"})
    equal(put(keys_of(answer), "apart-data/x"), 200)
    equal(create("squat", berta, location="s3://warehouse/apart-data").status, 400)
    commit_staged("apart", answer.json, anna).ok()


@test
def a_staged_create_is_answered_alike_with_keys_of_its_own():
    anna = writer("anna")
    for number, more in enumerate(({}, {"location": "s3://warehouse/alike/t"})):
        name = f"alike{number}"
        one, two = (stage(name, anna, keyed(number), **more).ok().json for _ in range(2))
        equal(two["metadata"], one["metadata"])
        equal(two["metadata-location"], None)
        check(one["config"]["s3.access-key-id"] != two["config"]["s3.access-key-id"], "keys are given anew")
        place = two["metadata"]["location"][len("s3://warehouse/"):]
        equal(put(S3(shared().s3, *(two["config"]["s3." + part] for part in
                                    ("access-key-id", "secret-access-key", "session-token"))), place + "/data/x"), 200)
        equal(stage(name + "x", anna, keyed(number), **more).status, 422)
        commit_staged(name, one, anna).ok()
        three = stage(name, anna, keyed(number), **more).ok().json
        equal(three["metadata"], one["metadata"], "also when it was made meanwhile")


def drop(name):
    shared().request("DELETE", "/iceberg/v1/tarn" + table_path(name, "main")).ok()


def undrop(name, key=None):
    shared().request("POST", "/api/v1/query", {"sql": f"UNDROP TABLE main.{name}"}, None, key).ok()


@test
def who_staged_with_a_folder_of_properties_may_begin_again():
    anna = writer("anna")
    folder = {"write.data.path": "s3://warehouse/bulk/t1"}
    first = stage("retried", anna, properties=folder)
    second = stage("retried", anna, properties=folder)
    commit_staged("retried", second.ok().json, anna).ok()
    equal(put(keys_of(second), "bulk/t1/x"), 200)
    equal(put(keys_of(first), "bulk/t1/x"), 403, "keys of the attempt that came to nothing")
    stage("abandoned", anna, properties={"write.data.path": "s3://warehouse/bulk/t2"}).ok()
    create("plain", anna, properties={"write.data.path": "s3://warehouse/bulk/t2"}).ok()
    stage("abandoned", anna, properties={"write.data.path": "s3://warehouse/bulk/t3"}).ok()
    create("told", anna).ok()
    update = {"action": "set-properties", "updates": {"write.data.path": "s3://warehouse/bulk/t3"}}
    told = [shared().request("POST", "/iceberg/v1/tarn" + table_path("told", "main"),
                             {"requirements": [], "updates": [update]}, None, key) for key in (writer("berta"), anna)]
    equal([answer.status for answer in told], [400, 200])


@test
def a_dropped_table_returns_to_its_place_whatever_is_held_there():
    anna = writer("anna")
    first = stage("back", anna, location="s3://warehouse/back/t")
    commit_staged("back", stage("back", anna, location="s3://warehouse/back/t").ok().json, anna).ok()
    equal(put(keys_of(first), "back/t/x"), 403, "keys of the attempt that came to nothing")
    drop("back")
    undrop("back")
    drop("back")
    held = stage("back", anna, location="s3://warehouse/back/t")
    equal(put(keys_of(held), "back/t/x"), 200)
    undrop("back")
    equal(put(keys_of(held), "back/t/y"), 403, "it is the table's again")
    equal(commit_staged("back2", held.json, anna).status, 400)
    loaded = shared().request("GET", "/iceberg/v1/tarn" + table_path("back", "main")).ok().json
    drop("back")
    stage("back", anna, location="s3://warehouse/back/t").ok()
    shared().request("POST", "/iceberg/v1/tarn/namespaces/main/register",
                     {"name": "back", "metadata-location": loaded["metadata-location"]}).ok()


@test
def a_namespace_is_made_whatever_is_held_there():
    anna, berta = writer("anna"), writer("berta")
    held = stage("squat", anna, location="s3://warehouse/finance")
    inner = stage("inner", anna, location="s3://warehouse/audit/t")
    around = stage("around", anna, location="s3://warehouse/offices")
    for name, more in (("finance", {}), ("audit", {}), ("paris", {"location": "s3://warehouse/offices/paris"})):
        shared().request("POST", "/iceberg/v1/tarn/namespaces", {"namespace": [name], "properties": more}, None,
                         berta).ok()
        equal(shared().request("POST", f"/iceberg/v1/tarn/namespaces/{name}/tables", {"name": "t", "schema": LONG_A},
                               None, berta).status, 200, name)
    equal(put(keys_of(held), "finance/t/x"), 403, "the namespace's by now")
    equal(put(keys_of(around), "offices/paris/x"), 403, "the namespace's by now")
    equal(commit_staged("squat", held.json, anna).status, 400)
    equal(put(keys_of(inner), "audit/t/x"), 200)
    commit_staged("inner", inner.json, anna).ok()


@test
def a_hold_ends_with_the_sessions_the_key_and_the_principal():
    berta = writer("berta")
    clara = shared().make_principal("clara", "writer")
    ends = {"sessions": "/api/v1/principals/clara/s3-sessions", "key": None, "user": "/api/v1/principals/clara"}
    for what, path in ends.items():
        if what == "user":
            clara = shared().request("POST", "/api/v1/principals/clara/keys", {}).ok().json["key"]
        place = f"s3://warehouse/ends/{what}"
        keys = keys_of(stage("ending", clara, location=place))
        answer = create("after_" + what, berta, location=place)
        equal(answer.status, 400)
        contains(answer.text, "revoke-sessions")
        if path is None:
            listed = shared().request("GET", "/api/v1/principals/clara/keys").ok().json["keys"]
            path = "/api/v1/keys/" + listed[0]["id"]
        shared().request("DELETE", path).ok()
        check(put(keys, f"ends/{what}/x") in (400, 403), what)
        create("after_" + what, berta, location=place).ok()


@test
def a_principal_holds_so_many_places_at_once():
    dora, berta = writer("dora"), writer("berta")
    made = stage("made", dora, location="s3://warehouse/many/made").ok().json
    commit_staged("made", made, dora).ok()
    first = stage("first", dora, location="s3://warehouse/many/0")
    for number in range(1, 64):
        stage("next", dora, location=f"s3://warehouse/many/{number}").ok()
    equal(put(keys_of(first), "many/0/x"), 200)
    equal(create("early", berta, location="s3://warehouse/many/0").status, 400)
    stage("next", dora, location="s3://warehouse/many/64").ok()
    equal(put(keys_of(first), "many/0/y"), 403)
    create("early", berta, location="s3://warehouse/many/0").ok()
    equal(create("late", berta, location="s3://warehouse/many/1").status, 400)
    folders = {f"write.p{number}.path": f"s3://warehouse/folders/{number}" for number in range(65)}
    contains(stage("wide", dora, properties=folders).text, "more than 64 folders")

def renew(name, key=None):
    return shared().request("GET", "/iceberg/v1/tarn" + table_path(name, "main") + "/credentials", None, None, key)


def renewed(name, place, key=None):
    """Keys for the place; of one credential, as Java wants it."""
    answer = renew(name, key)
    only, = answer.ok().json["storage-credentials"]
    equal(only["prefix"], "s3://warehouse/" + place)
    equal(answer.headers["cache-control"], "no-store")
    return S3(shared().s3, *(only["config"]["s3." + part] for part in ("access-key-id", "secret-access-key", "session-token")))


@test
def who_staged_gets_new_keys_before_the_table_is_made():
    anna, berta = writer("anna"), writer("berta")
    for name, more in (("long1", {}), ("long2", {"location": "s3://warehouse/long/2"}),
                       ("long3", {"location": "s3://warehouse/long/3", "properties": {
                           "write.data.path": "s3://warehouse/long/d3", "write.metadata.path": "s3://warehouse/long/3/m"}})):
        equal(renew(name, anna).status, 404, "it is not staged")
        staged = stage(name, anna, **more).ok().json
        place = staged["metadata"]["location"][len("s3://warehouse/"):]
        equal(staged["config"]["client.refresh-credentials-endpoint"], f"v1/tarn/namespaces/main/tables/{name}/credentials")
        keys = renewed(name, place, anna)
        for path in [place + "/data/x"] + ["long/d3/x"] * (name == "long3"):
            equal(put(keys, path), 200, path)
        for path in ("long/x", "other/x", place + "2/x"):
            equal(put(keys, path), 403, path)
        answer = renew(name, berta)
        equal((answer.status, answer.json["error"]["type"]), (404, "NoSuchTableException"), "another's")
        equal(renew(name).status, 404, "another's, also for root")
        commit_staged(name, staged, anna).ok()
        equal(put(keys, place + "/data/y"), 200, "the same table")
        equal(renewed(name, place, anna).request("GET", f"/warehouse/{place}/data/y").status, 200)
        drop(name)
        equal(renew(name, anna).status, 404, "it is made, and gone")


@test
def of_two_attempts_the_later_one_gets_new_keys():
    anna = writer("anna")
    stage("twice", anna).ok()
    second = stage("twice", anna).ok().json["metadata"]["location"][len("s3://warehouse/"):]
    equal(put(renewed("twice", second, anna), second + "/x"), 200)


@test
def what_ends_a_hold_ends_its_renewal():
    anna = writer("anna")
    stage("lost", anna, location="s3://warehouse/lost/t").ok()
    create("instead", anna, location="s3://warehouse/lost/t").ok()
    equal(renew("lost", anna).status, 404)
    emil = shared().make_principal("emil", "writer")
    stage("revoked", emil).ok()
    equal(renew("revoked", emil).status, 200)
    shared().request("DELETE", "/api/v1/principals/emil/s3-sessions").ok()
    equal(renew("revoked", emil).status, 404)


@test
def keys_are_renewed_when_they_ended_while_the_place_is_free():
    """Java asks when it needs them: a query that computes for hours before it writes."""
    with Server(settings={"catalog.credentials_lifetime": "1s"}) as server:
        def send(method, path, body=None, key=None):
            return server.request(method, "/iceberg/v1" + path, body, None, key)

        anna, berta = (server.make_principal(name, "writer") for name in ("anna", "berta"))
        own = send("POST", TABLES, {"name": "own", "schema": LONG_A, "stage-create": True}, anna).ok().json
        config = own["config"]
        old = S3(server.s3, *(config["s3." + part] for part in ("access-key-id", "secret-access-key", "session-token")))
        place = own["metadata"]["location"][len("s3:/"):]
        eventually(lambda: old.request("PUT", place + "/x", None, b"x").status in (400, 403), "keys that end")
        only, = send("GET", TABLES + "/own/credentials", None, anna).ok().json["storage-credentials"]
        equal(only["prefix"], own["metadata"]["location"])
        check(only["config"]["s3.access-key-id"] != config["s3.access-key-id"], "the same keys")
        equal(send("GET", TABLES + "/own/credentials", None, berta).status, 404)


@test
def who_has_s3_keys_of_their_own_makes_what_they_staged():
    """No keys are given, or their time is over: files that are there are those of who staged the table."""
    with Server(settings={"catalog.credentials_lifetime": "0s"}) as server:
        anna, berta = (server.make_principal(name, "writer") for name in ("anna", "berta"))
        files = root_s3(server)

        def send(body, path=TABLES, key=anna):
            return server.request("POST", "/iceberg/v1" + path, body, None, key)

        staged = {}
        for name, more in (("own", {}), ("asked", {"location": "s3://warehouse/main/asked"}), ("late", {})):
            made = send({"name": name, "schema": LONG_A, "stage-create": True, **more}).ok().json["metadata"]
            equal(files.request("PUT", made["location"][len("s3:/"):] + "/data/x", None, b"x").status, 200)
            staged[name] = {"requirements": [{"type": "assert-create"}], "updates": updates_that_make(made)}

        def finish(name):
            check(send(staged[name], TABLES + "/" + name, berta).status in (400, 403), f"{name}: another's")
            send(staged[name], TABLES + "/" + name).ok()

        finish("own")
        server.stop()
        with contextlib.closing(sqlite3.connect(os.path.join(server.data, "tarn.db"))) as database, database:
            database.execute("UPDATE staged SET ends_us = ends_us - 7200000000")  # hours of computing
        server.start()
        finish("asked")
        finish("late")


@test
def folders_that_consoles_make_are_in_nobodys_way():
    shared().request("GET", "/readyz")
    files, dora = root_s3(shared()), writer("dora")
    equal(files.request("PUT", "/warehouse/main/marked/", None, b"").status, 200)
    create("marked", dora, location="s3://warehouse/main/marked").ok()
    equal(files.request("PUT", "/warehouse/main/filled/data", None, b"x").status, 200)
    equal(create("filled", dora, location="s3://warehouse/main/filled").status, 403)


main()

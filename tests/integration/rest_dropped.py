#!/usr/bin/env python3
"""Keys that came with a table end with it: dropped, purged, let go of, they change nothing any more, and open nothing where
its place is another's."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import LONG_A, ask, ok, table_path  # noqa: E402
from s3client import S3  # noqa: E402
from tarn import Server, check, equal, eventually, main, shared, test  # noqa: E402


def create(name, **more):
    return ask("POST", "/tarn/namespaces/main/tables", {"name": name, "schema": LONG_A, **more}).ok().json


def drop(name, purge=False):
    query = "?purgeRequested=true" if purge else ""
    equal(ask("DELETE", "/tarn" + table_path(name, "main") + query).status, 204, f"drop of {name}")


def keys_of(loaded, server=None):
    config = loaded["config"]
    return S3((server or shared()).s3, config["s3.access-key-id"], config["s3.secret-access-key"],
              config["s3.session-token"])


def load(name):
    return ok("GET", "/tarn" + table_path(name, "main"))


def root():
    with open(os.path.join(shared().data, "secrets/root.s3"), encoding="utf-8") as file:
        return S3(shared().s3, *file.read().split())


def folder(loaded):
    return loaded["metadata"]["location"][len("s3:/"):]


def opens(keys, loaded, where):
    equal(keys.request("PUT", folder(loaded) + "/data/x", None, b"x").status, 200, where)
    equal(keys.request("GET", folder(loaded) + "/data/x").status, 200, where)
    equal(keys.request("GET", loaded["metadata-location"][len("s3:/"):]).status, 200, where)


def opens_nothing(keys, loaded, where):
    bucket, _, prefix = folder(loaded)[1:].partition("/")
    for method, path, query, body in (("GET", folder(loaded) + "/data/x", None, b""),
                                      ("HEAD", folder(loaded) + "/data/x", None, b""),
                                      ("PUT", folder(loaded) + "/data/y", None, b"y"),
                                      ("DELETE", folder(loaded) + "/data/x", None, b""),
                                      ("GET", loaded["metadata-location"][len("s3:/"):], None, b""),
                                      ("POST", folder(loaded) + "/data/y", {"uploads": ""}, b""),
                                      ("GET", "/" + bucket, {"list-type": "2", "prefix": prefix + "/"}, b"")):
        answer = keys.request(method, path, query, body)
        equal(answer.status, 403, f"{where}: {method} {path} {answer.body[:200]!r}")
        if method != "HEAD":
            equal(answer.code, "AccessDenied", where)


def changes_nothing(keys, loaded, where):
    """What is left may be read, until it is gone or another's; nothing is written or deleted."""
    for method, path, query, body in (("PUT", folder(loaded) + "/data/y", None, b"y"),
                                      ("PUT", folder(loaded) + "/data/x", None, b"y"),
                                      ("DELETE", folder(loaded) + "/data/x", None, b""),
                                      ("POST", folder(loaded) + "/data/y", {"uploads": ""}, b"")):
        answer = keys.request(method, path, query, body)
        equal((answer.status, answer.code), (403, "AccessDenied"), f"{where}: {method} {path}")
    check(keys.request("HEAD", folder(loaded) + "/data/x").status in (200, 404), where)


@test
def keys_of_a_dropped_table_change_nothing():
    for purge in (False, True):
        made = create(f"gone_{purge}")
        keys, again = keys_of(made), keys_of(load(f"gone_{purge}"))
        opens(keys, made, "while it is there")
        drop(f"gone_{purge}", purge)
        changes_nothing(keys, made, f"purge {purge}")
        changes_nothing(again, made, f"purge {purge}")


@test
def keys_of_other_tables_go_on():
    create("one")
    other = create("other")
    keys = keys_of(other)
    drop("one")
    opens(keys, other, "the other table")


@test
def a_table_that_comes_back_comes_with_new_keys_alone():
    made = create("back")
    old = keys_of(made)
    path = "/iceberg/v1/tarn" + table_path("back", "main")
    tag = shared().request("GET", path).ok().headers["etag"]
    equal(shared().request("GET", path, headers={"If-None-Match": tag}).status, 304, "while it is there")
    drop("back")
    shared().rows("UNDROP TABLE back")
    changes_nothing(old, made, "keys of before")
    answer = shared().request("GET", path, headers={"If-None-Match": tag})
    equal(answer.status, 200, "the old keys are not good any more, so the answer is another")
    opens(keys_of(answer.json), made, "keys of now")
    opens(keys_of(load("back")), made, "and those that are kept for a minute")
    # registered by its metadata file, too
    again = load("back")
    drop("back")
    ask("POST", "/tarn/namespaces/main/register",
        {"name": "back2", "metadata-location": again["metadata-location"]}).ok()
    changes_nothing(keys_of(again), made, "keys of before")
    opens(keys_of(load("back2")), made, "keys of now")


@test
def keys_of_a_table_that_was_let_go_of_change_nothing():
    made = create("loose")
    keys = keys_of(made)
    ok("POST", "/tarn" + table_path("loose", "main") + "/unregister")
    changes_nothing(keys, made, "unregistered")


@test
def a_place_that_is_another_tables_now_is_not_opened():
    place = "s3://warehouse/given/on"
    first = create("first", location=place)
    keys = keys_of(first)
    drop("first", purge=True)
    eventually(lambda: ask("POST", "/tarn/namespaces/main/tables",
                           {"name": "second", "schema": LONG_A, "location": place}).status == 200, "the place is free")
    second = load("second")
    opens(keys_of(second), second, "the new table's")
    opens_nothing(keys, second, "the old one's")
    opens_nothing(keys, first, "the old one's")


@test
def what_is_staged_or_kept_at_a_dropped_tables_place_is_not_read_with_its_keys():
    place = "s3://warehouse/given/staged"
    first = create("first_staged", location=place)
    keys = keys_of(first)
    opens(keys, first, "while it is there")
    drop("first_staged")
    changes_nothing(keys, first, "dropped")
    staged = create("second_staged", location=place, **{"stage-create": True})
    equal(keys_of(staged).request("PUT", folder(first) + "/data/x", None, b"new").status, 200)
    opens_nothing(keys, first, "what is staged there")

    third = create("third", location="s3://warehouse/given/third")
    keys = keys_of(third)
    drop("third", purge=True)
    eventually(lambda: ask("POST", "/tarn/namespaces/main/tables",
                           {"name": "fourth", "schema": LONG_A,
                            "properties": {"write.data.path": "s3://warehouse/given/third/data"}}).status == 200, 30)
    opens_nothing(keys, third, "a folder of another's properties")


@test
def drops_in_sql_in_transactions_and_with_their_namespace_end_keys():
    ok("POST", "/tarn/namespaces", {"namespace": ["gone_space"]})
    made = {name: create(name) for name in ("by_sql", "by_txn")}
    made["inside"] = ask("POST", "/tarn/namespaces/gone_space/tables", {"name": "inside", "schema": LONG_A}).ok().json
    for name, loaded in made.items():
        opens(keys_of(loaded), loaded, name)
    shared().rows("DROP TABLE by_sql")
    shared().rows("BEGIN; DROP TABLE by_txn; COMMIT")
    shared().rows("DROP SCHEMA gone_space CASCADE")
    for name, loaded in made.items():
        changes_nothing(keys_of(loaded), loaded, name)


@test
def a_rename_ends_nothing():
    made = create("old_name")
    keys = keys_of(made)
    equal(ask("POST", "/tarn/tables/rename", {"source": {"namespace": ["main"], "name": "old_name"},
                                              "destination": {"namespace": ["main"], "name": "new_name"}}).status, 204)
    opens(keys, made, "it is the same table")
    drop("new_name")
    changes_nothing(keys, made, "under its new name")


@test
def what_ended_stays_so_after_a_restart():
    with Server(settings={"s3.listen": "127.0.0.1:0"}) as server:
        body = {"name": "t", "schema": LONG_A}
        made = server.request("POST", "/iceberg/v1/tarn/namespaces/main/tables", body).ok().json
        kept = server.request("POST", "/iceberg/v1/tarn/namespaces/main/tables", {**body, "name": "u"}).ok().json
        opens(keys_of(made, server), made, "before")
        equal(server.request("DELETE", "/iceberg/v1/tarn/namespaces/main/tables/t").status, 204)
        server.kill()
        server.start()
        changes_nothing(keys_of(made, server), made, "after it")
        opens(keys_of(kept, server), kept, "the other's")


main()

#!/usr/bin/env python3
"""A table's places beside its location: no other table is made in them, and keys for the one never open the other."""
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import LONG_A, ask, ok, table_path, updates_that_make  # noqa: E402
from s3client import S3  # noqa: E402
from tarn import check, contains, equal, eventually, main, shared, test  # noqa: E402


def create(name, **more):
    return ask("POST", "/tarn/namespaces/main/tables", {"name": name, "schema": LONG_A, **more})


def change(name, *updates):
    return ask("POST", "/tarn" + table_path(name, "main"), {"requirements": [], "updates": list(updates)})


def at_once(*jobs):
    answers = [None] * len(jobs)

    def run(i):
        answers[i] = jobs[i]()
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return [answer.status for answer in answers]


def keys_of(config):
    return S3(shared().s3, config["s3.access-key-id"], config["s3.secret-access-key"], config["s3.session-token"])


@test
def of_a_table_at_a_folder_and_a_property_that_names_it_one_wins():
    for i in range(10):
        create(f"ra{i}").ok()
        path = {"write.metadata.path": f"s3://warehouse/race{i}/x"}
        got = at_once(lambda: change(f"ra{i}", {"action": "set-properties", "updates": path}),
                      lambda: create(f"rb{i}", location=f"s3://warehouse/race{i}"))
        equal(sorted(got), [200, 400], f"round {i}")


@test
def keys_open_the_files_that_stayed_where_the_table_lay():
    create("moved").ok()
    shared().rows("INSERT INTO moved VALUES (1)")
    file = shared().value("SELECT file_path FROM moved.files")[len("s3:/"):]
    change("moved", {"action": "set-location", "location": "s3://warehouse/else/moved"}).ok()
    keys = keys_of(ok("GET", "/tarn" + table_path("moved", "main"))["config"])
    equal(keys.request("GET", file).status, 200, "the file in the old place")
    old = file[len("/warehouse/"):].rsplit("/data/", 1)[0]
    equal(create("squat", location=f"s3://warehouse/{old}").status, 400, "a table in the old place")
    equal(shared().value("SELECT count(*) FROM moved"), 1, "rows")


@test
def files_in_a_folder_of_a_property_go_when_the_table_is_purged():
    create("apart", properties={"write.data.path": "s3://warehouse/apart"}).ok()
    shared().rows("INSERT INTO apart VALUES (1)")
    file = shared().value("SELECT file_path FROM apart.files")
    check(file.startswith("s3://warehouse/apart/"), file)
    with open(os.path.join(shared().data, "secrets/root.s3"), encoding="utf-8") as secret:
        root = S3(shared().s3, *secret.read().split())
    equal(root.request("GET", file[len("s3:/"):]).status, 200, "before")
    shared().rows("DROP TABLE apart PURGE")
    eventually(lambda: root.request("GET", file[len("s3:/"):]).status == 404, "the purge")


# ---- places that hold files already ----

def root():
    with open(os.path.join(shared().data, "secrets/root.s3"), encoding="utf-8") as secret:
        return S3(shared().s3, *secret.read().split())


def writer(made={}):
    if not made:
        made["wim"] = shared().make_principal("wim", "writer")
    return made["wim"]


def as_writer(method, path, body=None):
    return shared().request(method, "/iceberg/v1" + path, body, None, writer())


def make(name, space="main", **more):
    return as_writer("POST", f"/tarn/namespaces/{space}/tables", {"name": name, "schema": LONG_A, **more})


def update(name, *updates, requirements=()):
    return as_writer("POST", "/tarn" + table_path(name, "main"), {"requirements": list(requirements), "updates": list(updates)})


def sql(text):
    return shared().request("POST", "/api/v1/query", {"sql": text}, None, writer())


def put_raw(folder):
    root().request("PUT", f"/warehouse/{folder}/my.csv", None, b"root's").ok()
    return "s3://warehouse/" + folder


def forbidden(answer, where=""):
    equal((answer.status, answer.json["error"]["type"]), (403, "ForbiddenException"), f"{where}: {answer.text}")
    contains(answer.json["error"]["message"], "holds files that are no table's", where)
    contains(answer.json["error"]["stack"][0], "location.read", where)


@test
def no_writer_gets_keys_for_files_that_are_no_tables():
    raw = put_raw("raw/in")
    make("own").ok()
    for place in (raw, raw + "/", "s3://warehouse/raw"):
        forbidden(make("over", location=place), place)
        forbidden(make("over", location=place, **{"stage-create": True}), "staged at " + place)
        forbidden(update("own", {"action": "set-location", "location": place}), "set-location " + place)
        for name in ("write.data.path", "write.metadata.path", "write.object-storage.path"):
            forbidden(make("over", properties={name: place}), name)
            forbidden(make("over", properties={name: place}, **{"stage-create": True}), "staged " + name)
            forbidden(update("own", {"action": "set-properties", "updates": {name: place}}), f"set {name}")
    equal(sql(f"CREATE TABLE over (a BIGINT) WITH (location = '{raw}')").status, 403)
    equal(sql(f"CREATE TABLE over WITH (location = '{raw}') AS SELECT 1 AS a").status, 403)
    equal(sql(f"CREATE OR REPLACE TABLE own (a BIGINT) WITH (location = '{raw}')").status in (400, 403), True)
    equal(sql(f"ALTER TABLE own SET PROPERTIES ('write.data.path' = '{raw}')").status, 403)
    for place in ("s3://warehouse/raw/in2", "s3://warehouse/raw/my.csv"):
        make("beside" + place[-1], location=place).ok()
    equal(root().request("GET", "/warehouse/raw/in/my.csv").body, b"root's")


@test
def root_makes_tables_around_files():
    raw = put_raw("root/in")
    create("around", location=raw).ok()
    as_writer("GET", "/tarn" + table_path("around", "main")).ok()
    update("around", {"action": "set-properties", "updates": {"a": "b", "write.data.path": raw + "/data"}}).ok()
    change("around", {"action": "set-properties", "updates": {"write.data.path": put_raw("root/else")}}).ok()
    update("around", {"action": "set-properties", "updates": {"a": "c"}}).ok()


@test
def a_metadata_file_that_a_writer_made_up_leads_nowhere():
    raw = put_raw("forged/in")
    own = make("forger").ok().json
    keys = keys_of(own["config"])
    place = own["metadata"]["location"]
    files = []
    for number, change_of in enumerate(({"location": raw}, {"properties": {"write.data.path": raw}})):
        text = {**own["metadata"], "table-uuid": f"01932c5e-7b1a-7cc3-98b2-00000000000{number}", **change_of}
        files.append(f"{place}/metadata/forged{number}.metadata.json")
        equal(keys.request("PUT", files[-1][len("s3:/"):], None, json.dumps(text).encode()).status, 200)
    as_writer("POST", "/tarn" + table_path("forger", "main") + "/unregister").ok()
    for file in files:
        forbidden(as_writer("POST", "/tarn/namespaces/main/register", {"name": "forged", "metadata-location": file}))


def begin_again(folder, *hows):
    for number, how in enumerate(hows):
        path = f"{folder}{number}/t"
        place = "s3://warehouse/" + path
        for turn in range(3):
            staged = make("again", location=place, **{"stage-create": True}).ok().json
            equal(keys_of(staged["config"]).request("PUT", f"/warehouse/{path}/data/x{turn}", None, b"x").status, 200)
        update("again", *updates_that_make(staged["metadata"]), requirements=[{"type": "assert-create"}]).ok()
        as_writer("DELETE", "/tarn" + table_path("again", "main") + how).ok()
        make("again", location=place).ok()
        as_writer("DELETE", "/tarn" + table_path("again", "main") + "?purgeRequested=true").ok()


def commit_chosen(name):
    staged = make(name, **{"stage-create": True}).ok().json
    place = staged["metadata"]["location"]
    equal(keys_of(staged["config"]).request("PUT", place[len("s3:/"):] + "/data/x", None, b"x").status, 200)
    update(name, *updates_that_make(staged["metadata"]), requirements=[{"type": "assert-create"}]).ok()


@test
def what_clients_put_and_drop_is_in_nobodys_way():
    """CREATE TABLE … AS SELECT with a location, begun again; a table dropped or purged, and made again at its place."""
    begin_again("again", "", "?purgeRequested=false", "?purgeRequested=true")
    commit_chosen("chosen")


@test
def where_all_is_the_buckets_owners_every_file_counts():
    """BucketOwnerEnforced: whose a file is cannot be told. What a staged table holds, and what was chosen, is its own."""
    text = b"<OwnershipControls><Rule><ObjectOwnership>%s</ObjectOwnership></Rule></OwnershipControls>"
    root().request("PUT", "/warehouse", {"ownershipControls": ""}, text % b"BucketOwnerEnforced").ok()
    try:
        forbidden(make("over", location=put_raw("enforced")))
        begin_again("more", "?purgeRequested=false")
        commit_chosen("chosen_more")
    finally:
        root().request("PUT", "/warehouse", {"ownershipControls": ""}, text % b"ObjectWriter").ok()


@test
def a_namespace_laid_around_a_file_opens_it_to_nobody():
    create("import", location="s3://warehouse/imports/t").ok()
    file = ok("GET", "/tarn" + table_path("import", "main"))["metadata-location"]
    ask("POST", "/tarn" + table_path("import", "main") + "/unregister").ok()
    register = {"name": "mine", "metadata-location": file}
    equal(as_writer("POST", "/tarn/namespaces/main/register", register).status, 403, "from another namespace")
    laid = {"namespace": ["laid"], "properties": {"location": "s3://warehouse/imports"}}
    as_writer("POST", "/tarn/namespaces", laid).ok()
    as_writer("POST", "/tarn/namespaces", {"namespace": ["imports"]})
    for space in ("laid", "imports"):
        for route in ("register", "register-view"):
            equal(as_writer("POST", f"/tarn/namespaces/{space}/{route}", register).status, 403, f"{route} in {space}")
    ask("POST", "/tarn/namespaces/laid/register", register).ok()


@test
def a_writer_registers_what_lay_in_a_chosen_place():
    file = make("chosen_one").ok().json["metadata-location"]
    as_writer("POST", "/tarn" + table_path("chosen_one", "main") + "/unregister").ok()
    as_writer("POST", "/tarn/namespaces/main/register", {"name": "chosen_two", "metadata-location": file}).ok()


main()

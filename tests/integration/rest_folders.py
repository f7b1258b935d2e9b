#!/usr/bin/env python3
"""A table's places beside its location: no other table is made in them, and keys for the one never open the other."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import LONG_A, ask, ok, table_path  # noqa: E402
from s3client import S3  # noqa: E402
from tarn import check, equal, eventually, main, shared, test  # noqa: E402


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


main()

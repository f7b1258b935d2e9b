#!/usr/bin/env python3
"""Tables with deletes of every kind that lie in tests/golden, read where they were put; and what EXPLAIN, counts,
filters, INSERT … SELECT and scripts of several statements make of them. More of it, at random: tests/interop/deletes.py."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, contains, equal, main, shared, test  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/engine/deletes")
ROOT = tempfile.mkdtemp(prefix="tarn-lake-")

# What is in them: tests/golden/engine/README.md.
MIXED = ([i for i in range(20) if i % 5 != 3 and i not in (0, 7)] + [i for i in range(20, 39) if i % 5 != 3]
         + [40, 45, 46, 47] + list(range(50, 60)))
VECTORS = [i for i in range(40) if i not in (2, 3, 19, 20, 25)]


def server():
    started = shared("deletes", settings={"warehouse.roots": ROOT})
    if not os.listdir(ROOT):
        for name in ("mixed", "vectors"):
            shutil.copytree(os.path.join(GOLDEN, name), os.path.join(ROOT, name))
            started.request("POST", "/api/v1/namespaces/main/register",
                            {"name": name, "location": os.path.join(ROOT, name)}).ok()
    return started


def ids(sql):
    return sorted(row[0] for row in server().rows(sql))


@test
def rows_that_are_deleted_are_gone():
    equal(ids("SELECT id FROM mixed"), MIXED)
    equal(ids("SELECT id FROM vectors"), VECTORS)


@test
def counts_and_filters_agree_with_the_rows():
    for name, left in (("mixed", MIXED), ("vectors", VECTORS)):
        equal(server().rows(f"SELECT count(*), min(id), max(id), sum(id) FROM {name}"),
              [[len(left), min(left), max(left), sum(left)]], name)
        for low in range(0, 60, 7):
            equal(ids(f"SELECT id FROM {name} WHERE id >= {low} AND id < {low + 9}"),
                  [i for i in left if low <= i < low + 9], name)
        equal(server().value(f"SELECT count(*) FROM {name} a JOIN {name} b USING (id)"), len(left), name)


@test
def the_columns_are_those_of_the_table():
    equal(server().rows("SELECT * FROM mixed WHERE id = 41"), [])
    equal(server().rows("SELECT * FROM mixed WHERE id = 40"), [[40, "n0", 0]])
    equal(server().rows("DESCRIBE mixed")[-1][0], "n")


@test
def explain_counts_the_delete_files():
    files = [row[1] for row in server().rows("EXPLAIN SELECT * FROM mixed") if row[0] == "files"]
    contains(files[0], "; 4 delete files")


@test
def bytes_of_delete_files_are_counted():
    folder = os.path.join(ROOT, "mixed")
    read = server().query("SELECT id FROM mixed")["stats"]["bytes_read"]
    sizes = [os.path.getsize(os.path.join(folder, "data", name)) for name in os.listdir(os.path.join(folder, "data"))]
    equal(read, sum(sizes))


@test
def several_statements_in_one_request_each_see_their_own():
    equal(server().value("SELECT count(*) FROM mixed; SELECT count(*) FROM vectors; "
                         "SELECT count(*) FROM vectors, mixed WHERE vectors.id = mixed.id"),
          len(set(MIXED) & set(VECTORS)))
    server().query("CREATE TABLE copied AS SELECT * FROM mixed")
    server().query("INSERT INTO copied SELECT * FROM vectors")
    equal(ids("SELECT id FROM copied"), sorted(MIXED + VECTORS))


@test
def the_same_answer_again_and_without_pruning():
    for _ in range(3):
        equal(ids("SELECT id FROM mixed"), MIXED)
    with Server(settings={"warehouse.roots": ROOT, "engine.pruning": "false"}) as other:
        for name in ("mixed", "vectors"):
            other.request("POST", "/api/v1/namespaces/main/register",
                          {"name": name, "location": os.path.join(ROOT, name)}).ok()
        equal(sorted(r[0] for r in other.rows("SELECT id FROM mixed WHERE n < 4")),
              ids("SELECT id FROM mixed WHERE n < 4"))
        equal(sorted(r[0] for r in other.rows("SELECT id FROM vectors WHERE id > 10")),
              ids("SELECT id FROM vectors WHERE id > 10"))


@test
def functions_of_the_scan_are_not_for_users():
    for call in ("tarn_alive(0, 0, 0)", "tarn_sequence(0, 0)", "tarn_partition(0, 0)"):
        answer = server().request("POST", "/api/v1/query", {"sql": f"SELECT {call}"})
        check(answer.status in (400, 403), f"{call}: {answer.status}")


try:
    main()
finally:
    shutil.rmtree(ROOT, ignore_errors=True)

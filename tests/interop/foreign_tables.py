#!/usr/bin/env python3
"""Tables that other programs wrote (Spark, PyIceberg, Java, DuckDB), opened in place by registering them: every one of
the folder that TARN_SHARED_DATA names is found, read whole and counted, and forgotten without touching a file."""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import check, equal, main, shared, skip, test  # noqa: E402

DATA = os.environ.get("TARN_SHARED_DATA", "")
TABLES = os.path.join(DATA, "iceberg-tables")


def folders():
    """Every folder of a table: it has a folder "metadata" with metadata files in it."""
    found = []
    for path, names, _ in os.walk(TABLES):
        if "metadata" in names and any(".metadata.json" in f for f in os.listdir(os.path.join(path, "metadata"))):
            found.append(os.path.relpath(path, TABLES))
    return sorted(found)


def server():
    if not DATA:
        skip("TARN_SHARED_DATA is not set")
    return shared("foreign", settings={"warehouse.roots": TABLES})


def name_of(folder):
    return "t_" + folder.replace("/", "_").replace(".", "_").lower()


def register(folder, **members):
    body = dict({"name": name_of(folder), "location": os.path.join(TABLES, folder)}, **members)
    return server().request("POST", "/api/v1/namespaces/main/register", body)


def listing():
    digest = hashlib.sha256()
    for path, names, files in os.walk(TABLES):
        names.sort()
        for name in sorted(files):
            info = os.stat(os.path.join(path, name))
            digest.update(f"{path}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@test
def every_table_opens_and_is_counted():
    server()
    before = listing()
    found = folders()
    check(len(found) >= 15, f"{len(found)} tables")
    for folder in found:
        table = register(folder).ok().json
        check(table["rebase"], f"{folder}: its metadata says that it lies elsewhere")
        rows = server().rows(f"SELECT * FROM {name_of(folder)}")
        equal(server().value(f"SELECT count(*) FROM {name_of(folder)}"), len(rows), folder)
        if table["delete_files"] == 0:
            equal(len(rows), table["rows"], f"{folder}: rows that its last snapshot tells of")
    for folder in found:
        server().rows(f"DROP TABLE {name_of(folder)}")
    equal(listing(), before, "files after registering, reading, dropping")


main()

#!/usr/bin/env python3
"""Tables that other programs wrote (Spark, PyIceberg, Java, DuckDB), opened in place by registering them: every one of
the folder that TARN_SHARED_DATA names is found, read whole and counted, and forgotten without touching a file."""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import TarnError, check, equal, main, shared, skip, test  # noqa: E402

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


METADATA = ("snapshots history refs metadata_log_entries manifests all_manifests files data_files delete_files all_files "
            "all_data_files all_delete_files entries all_entries partitions position_deletes").split()


def count_of(name, kind):
    """None for a table of every snapshot where files of an older one are gone."""
    try:
        return server().value(f"SELECT count(*) FROM (SELECT * FROM {name}.{kind})")
    except TarnError as error:
        if error.code == "not_found" and kind.startswith("all_"):
            return None
        raise


@test
def their_metadata_tables_agree_with_each_other():
    vectors = 0
    for folder in folders() if DATA else [server()]:
        table = register(folder).ok().json
        name = name_of(folder)
        counts = {kind: count_of(name, kind) for kind in METADATA}
        equal(counts["snapshots"], table["snapshots"], folder)
        equal(counts["files"], counts["data_files"] + counts["delete_files"], folder)
        if counts["all_files"] is not None:
            equal(counts["all_files"], counts["all_data_files"] + counts["all_delete_files"], folder)
            check(counts["all_files"] >= counts["files"] and counts["all_manifests"] >= counts["manifests"], folder)
        equal(counts["files"], server().value(f"SELECT count(*) FROM {name}.entries WHERE status < 2"), folder)
        equal(counts["position_deletes"],
              server().value(f"SELECT coalesce(sum(record_count), 0) FROM {name}.delete_files WHERE content = 1"), folder)
        equal(server().value(f"SELECT coalesce(sum(record_count), 0) FROM {name}.partitions"),
              server().value(f"SELECT coalesce(sum(record_count), 0) FROM {name}.data_files"), folder)
        vectors += counts["position_deletes"]
        server().rows(f"DROP TABLE {name}")
    check(vectors > 0, "no table has position deletes")


main()

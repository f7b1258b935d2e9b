#!/usr/bin/env python3
"""Tables that other programs wrote (Spark, PyIceberg, Java, DuckDB), read in place: every metadata file and every
snapshot of it, through a registered name and through iceberg_scan, counted and summed column by column as other programs
read them (foreign_tables.json says which); refused where they failed, by a message that says why; found, read and
forgotten without touching a file. The tables lie in tests/golden/foreign; a bigger one in the folder that
TARN_SHARED_DATA names."""
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile

import pyarrow.ipc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import values  # noqa: E402
from tarn import TarnError, check, contains, equal, main, shared, skip, test  # noqa: E402

GOLDEN = os.path.realpath(os.path.join(HERE, "../golden/foreign"))
SHARED = os.path.join(os.environ.get("TARN_SHARED_DATA", ""), "iceberg-tables")
BIG = "iceberg/lineitem_iceberg"
# Two columns of one table differ by case alone: the second is shown as …_1.
SHOWN_AS = {"case_sensitive_names/default.db/case_sensitive_names": {"uSeR_Id": "uSeR_Id_1"}}

with open(os.path.join(HERE, "foreign_tables.json"), encoding="utf-8") as known:
    EXPECTED = json.load(known)["tables"]


def server():
    roots = [GOLDEN] + ([os.path.realpath(SHARED)] if os.path.isdir(SHARED) else [])
    return shared("foreign", settings={"warehouse.roots": ":".join(roots)})


def place(table):
    return os.path.join(os.path.realpath(SHARED) if table == BIG else GOLDEN, table)


def name_of(table):
    return "t_" + table.replace("/", "_").replace(".", "_").lower()


def register(table, metadata=None):
    location = place(table) + (f"/metadata/{metadata}" if metadata else "")
    return server().request("POST", "/api/v1/namespaces/main/register",
                            {"name": name_of(table), "location": location}).ok().json


def read(sql):
    body = server().request("POST", "/api/v1/query", {"sql": sql, "format": "arrow"}).ok().body
    names, rows = values.of_arrow(pyarrow.ipc.open_stream(io.BytesIO(body)).read_all())
    return values.summed(names, rows)


def compare(table, entry, sql):
    what = f"{table} {entry['metadata']} {entry.get('snapshot', '')}: {sql}"
    if "refused" in entry:
        try:
            read(sql)
        except TarnError as error:
            contains(str(error), entry["refused"], what)
            check(error.status < 500, what)
        else:
            check(False, f"{what} was not refused")
        return
    shown = SHOWN_AS.get(table, {})
    expected = {"rows": entry["rows"], "columns": {shown.get(k, k): v for k, v in entry["columns"].items()}}
    equal(read(sql), expected, what)


def look_at(table):
    for entry in EXPECTED[table]:
        location = f"file://{place(table)}/metadata/{entry['metadata']}"
        snapshot = entry.get("snapshot")
        compare(table, entry, f"SELECT * FROM tarn.iceberg_scan('{location}'"
                + (f", snapshot_from_id => {snapshot})" if snapshot else ")"))
    for metadata in dict.fromkeys(entry["metadata"] for entry in EXPECTED[table]):
        register(table, metadata)
        for entry in EXPECTED[table]:
            if entry["metadata"] == metadata:
                version = f" AT (VERSION => {entry['snapshot']})" if "snapshot" in entry else ""
                compare(table, entry, f"SELECT * FROM {name_of(table)}{version}")
        server().rows(f"DROP TABLE {name_of(table)}")


def of_table(table):
    def run():
        if table == BIG and not os.path.isdir(place(table)):
            skip("TARN_SHARED_DATA is not set, and this table of 3 MB is not part of the repository")
        look_at(table)
    run.__name__ = name_of(table)[2:]
    return run


for each in EXPECTED:
    test(of_table(each))


def tables_here():
    return [table for table in EXPECTED if os.path.isdir(place(table))]


def listing(folder):
    digest = hashlib.sha256()
    for path, names, files in os.walk(folder):
        names.sort()
        for name in sorted(files):
            info = os.stat(os.path.join(path, name))
            digest.update(f"{path}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@test
def every_folder_is_known_and_opens_without_being_touched():
    before = listing(GOLDEN)
    found = {os.path.relpath(path, GOLDEN) for path, names, _ in os.walk(GOLDEN) if "metadata" in names}
    equal(found, set(EXPECTED) - {BIG})
    for table in sorted(found):
        told = register(table)
        check(told["rebase"], f"{table}: its metadata says that it lies elsewhere")
        rows = server().value(f"SELECT count(*) FROM {name_of(table)}")
        if told["delete_files"] == 0:
            equal(rows, told["rows"], f"{table}: rows that its last snapshot tells of")
    for table in found:
        server().rows(f"DROP TABLE {name_of(table)}")
    equal(listing(GOLDEN), before, "files after registering, reading, dropping")


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
    positions = 0
    for table in tables_here():
        told = register(table)
        name = name_of(table)
        counts = {kind: count_of(name, kind) for kind in METADATA}
        equal(counts["snapshots"], told["snapshots"], table)
        equal(counts["files"], counts["data_files"] + counts["delete_files"], table)
        if counts["all_files"] is not None:
            equal(counts["all_files"], counts["all_data_files"] + counts["all_delete_files"], table)
            check(counts["all_files"] >= counts["files"] and counts["all_manifests"] >= counts["manifests"], table)
        equal(counts["files"], server().value(f"SELECT count(*) FROM {name}.entries WHERE status < 2"), table)
        equal(counts["position_deletes"],
              server().value(f"SELECT coalesce(sum(record_count), 0) FROM {name}.delete_files WHERE content = 1"), table)
        equal(server().value(f"SELECT coalesce(sum(record_count), 0) FROM {name}.partitions"),
              server().value(f"SELECT coalesce(sum(record_count), 0) FROM {name}.data_files"), table)
        positions += counts["position_deletes"]
        server().rows(f"DROP TABLE {name}")
    check(positions > 0, "no table has position deletes")


@test
def a_moved_copy_reads_the_same():
    with tempfile.TemporaryDirectory(dir=server().work) as folder:
        table = "equality_deletes/warehouse/mydb/mytable_partitioned"
        last = EXPECTED[table][-1]
        copy = os.path.join(os.path.realpath(folder), "somewhere else")
        shutil.copytree(place(table), copy)
        other = shared("moved", settings={"warehouse.roots": os.path.realpath(folder)})
        other.request("POST", "/api/v1/namespaces/main/register", {"name": "moved", "location": copy}).ok()
        equal(other.value("SELECT count(*) FROM moved"), last["rows"])
        equal(other.value("SELECT sum(id) FROM moved"), last["columns"]["id"][1])


main()

#!/usr/bin/env python3
"""What a manifest may name: whoever may write one table over the REST catalog commits manifests of his own making, and the
server, which may open everything, must not read to him what is not the table's."""
import json
import os
import shutil
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from icefiles import LIST_SCHEMA, container, entry_schema, field  # noqa: E402
from restcatalog import commit, ok, table_path  # noqa: E402
from s3client import root_s3  # noqa: E402
from tarn import Failed, TarnError, check, contains, equal, fails, main, test  # noqa: E402
from tarn import shared_with_folder as server  # noqa: E402


def s3():
    return root_s3(server())


def put(location, body):
    if location.startswith("s3://"):
        s3().request("PUT", location[len("s3:/"):], None, body).ok()
        return
    path = location[len("file://"):]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(body)


def get(location):
    return s3().request("GET", location[len("s3:/"):]).ok().body


def make(name, location=None):
    """A table of one column and no rows; where it lies."""
    where = f" WITH (location = '{location}')" if location else ""
    server().rows(f"CREATE TABLE {name} (id BIGINT){where}")
    return ok("GET", table_path(name, "main"), server=server())["metadata"]["location"]


def filled(name, value, made={}):
    """Its location and the location of its only file."""
    if name not in made:
        location = make(name)
        server().rows(f"INSERT INTO {name} VALUES ({value})")
        made[name] = location, server().value(f"SELECT file_path FROM {name}.files")
    return made[name]


def one_row():
    return get(filled("victim", 42)[1])


def manifest(location, paths, snapshot_id, content=0):
    """Writes it; its row in the list."""
    files = [{"content": content, "file_path": path, "file_format": "PARQUET", "partition": {}, "record_count": 1,
              "file_size_in_bytes": len(one_row())} for path in paths]
    body = container(entry_schema([]), {
        "schema": json.dumps({"type": "struct", "schema-id": 0, "fields": [
            {"id": 1, "name": "id", "type": "long", "required": False}]}), "schema-id": "0", "partition-spec": "[]",
        "partition-spec-id": "0", "format-version": "2", "content": "deletes" if content else "data"},
        [{"status": 1, "snapshot_id": snapshot_id, "data_file": file} for file in files])
    put(location, body)
    return {"manifest_path": location, "manifest_length": len(body), "partition_spec_id": 0, "content": int(content > 0),
            "sequence_number": 1, "min_sequence_number": 1, "added_snapshot_id": snapshot_id,
            "added_files_count": len(paths), "existing_files_count": 0, "deleted_files_count": 0,
            "added_rows_count": len(paths), "existing_rows_count": 0, "deleted_rows_count": 0, "first_row_id": None}


def commit_manifests(table, make_manifests):
    metadata = ok("GET", table_path(table, "main"), server=server())["metadata"]
    number, sequence = uuid.uuid4().int >> 66, metadata["last-sequence-number"] + 1
    folder = metadata["location"] + "/metadata/"
    manifests = [dict(m, sequence_number=sequence, min_sequence_number=sequence)
                 for m in make_manifests(folder, number)]
    place = f"{folder}snap-{number}.avro"
    put(place, container(LIST_SCHEMA, {"snapshot-id": str(number), "parent-snapshot-id": "null",
                                       "sequence-number": str(sequence), "format-version": "2"}, manifests))
    answer = commit(table, [], [
        {"action": "add-snapshot", "snapshot": {
            "snapshot-id": number, "sequence-number": sequence, "timestamp-ms": metadata["last-updated-ms"] + 1,
            "manifest-list": place, "schema-id": 0, "summary": {"operation": "append"}}},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number}],
        "main", server=server())
    equal(answer.status, 200, answer.body[:600])


def commit_files(table, *paths, content=0):
    commit_manifests(table, lambda folder, number: [
        manifest(f"{folder}{uuid.uuid4()}-m0.avro", paths, number, content)])


def refused(table, *words):
    """By every way that leads to its rows."""
    ways = [f"SELECT * FROM {table}", f"SELECT id FROM {table} WHERE id > 0 LIMIT 5", f"DELETE FROM {table} WHERE id = 7",
            f"CREATE TABLE {table}_stolen AS SELECT * FROM {table}", f"SELECT * FROM {table} FOR VERSION AS OF 'main'",
            f"EXPLAIN ANALYZE SELECT * FROM {table}"]
    for sql in ways:
        error = fails("denied", server().rows, sql)
        for word in words:
            contains(error.message, word, sql)
    preview = server().request("GET", f"/api/v1/namespaces/main/tables/{table}/preview")
    equal(preview.status, 403, preview.body[:300])


def unreadable(table):
    try:
        got = server().rows(f"SELECT * FROM {table}")
    except TarnError as error:
        check(error.code in ("denied", "invalid"), str(error))
        return
    raise Failed(f"{table} was read: {got}")


@test
def a_file_of_ones_own_is_read():
    location = make("own")
    put(location + "/data/put.parquet", one_row())
    commit_files("own", location + "/data/put.parquet")
    equal(server().rows("SELECT id FROM own"), [[42]])


@test
def a_file_that_lies_in_nobodys_place_is_read():
    make("loose")
    put("s3://warehouse/loose files/a/put.parquet", one_row())
    put("s3://warehouse/loose files/b/put.parquet", one_row())
    local = f"file://{server().folder}/loose/put.parquet"
    put(local, one_row())
    commit_files("loose", "s3://warehouse/loose files/a/put.parquet", "s3://warehouse/loose files/b/put.parquet", local)
    equal(server().rows("SELECT id FROM loose"), [[42], [42], [42]])


@test
def a_file_of_a_bucket_that_is_no_warehouse_is_refused():
    s3().request("PUT", "/private").ok()
    put("s3://private/x.parquet", one_row())
    make("bucket")
    commit_files("bucket", "s3://private/x.parquet")
    refused("bucket", "s3://private/x.parquet", "main.bucket")


@test
def a_file_outside_of_every_root_is_refused():
    outside = f"{os.path.realpath(server().work)}/outside.parquet"
    put("file://" + outside, one_row())
    detour = f"{server().folder}/../outside.parquet"
    for number, path in enumerate((outside, "file://" + outside, "file:" + outside, "file://" + detour)):
        make(f"outside{number}")
        commit_files(f"outside{number}", path)
        if ".." in path:
            unreadable(f"outside{number}")
        else:
            refused(f"outside{number}", f"main.outside{number}")


@test
def a_file_of_the_data_directory_is_refused():
    shutil.copy(os.path.join(server().data, "secrets/root.s3"), os.path.join(server().data, "secrets/copy.parquet"))
    put(f"file://{os.path.realpath(server().data)}/x.parquet", one_row())
    for number, name in enumerate(("x.parquet", "secrets/copy.parquet")):
        make(f"inside{number}")
        commit_files(f"inside{number}", f"file://{os.path.realpath(server().data)}/{name}")
        refused(f"inside{number}", f"main.inside{number}")


@test
def a_delete_file_is_looked_at_as_well():
    location = make("deleting")
    put(location + "/data/put.parquet", one_row())
    s3().request("PUT", "/deletes").ok()
    put("s3://deletes/d.parquet", one_row())
    commit_manifests("deleting", lambda folder, number: [
        manifest(f"{folder}{uuid.uuid4()}-m0.avro", [location + "/data/put.parquet"], number),
        manifest(f"{folder}{uuid.uuid4()}-m1.avro", ["s3://deletes/d.parquet"], number, 1)])
    refused("deleting", "s3://deletes/d.parquet", "main.deleting")
    fails("denied", server().rows, "SELECT * FROM deleting.position_deletes")


@test
def of_another_tables_file_its_reader_reads():
    """Every role of now that may read one table may read all."""
    make("borrowing")
    commit_files("borrowing", filled("victim", 42)[1])
    equal(server().rows("SELECT id FROM borrowing"), [[42]])
    equal(server().rows("SELECT id FROM borrowing", key=server().make_principal("rita", "reader")), [[42]])


@test
def a_manifest_of_another_table_is_refused():
    location, _ = filled("victim", 42)
    taken = server().value("SELECT path FROM victim.manifests")
    check(taken.startswith(location), taken)
    make("copying")
    commit_manifests("copying", lambda folder, number: [dict(
        manifest(f"{folder}unused.avro", [], number), manifest_path=taken, added_files_count=1, added_rows_count=1)])
    refused("copying", taken, "victim")
    for part in ("files", "entries", "partitions", "all_data_files"):
        contains(fails("denied", server().rows, f"SELECT * FROM copying.{part}").message, "victim", part)
    equal(server().request("GET", "/api/v1/namespaces/main/tables/copying/files").status, 403)
    equal(server().rows("SELECT id FROM victim"), [[42]])


@test
def a_manifest_outside_of_the_warehouse_is_refused():
    s3().request("PUT", "/manifests").ok()
    make("far")
    commit_manifests("far", lambda folder, number: [
        manifest("s3://manifests/m.avro", [filled("victim", 42)[1]], number)])
    refused("far", "s3://manifests/m.avro")


@test
def a_segment_that_leads_elsewhere_is_no_way_around():
    location = make("around", f"file://{server().folder}/around")
    secret = f"{os.path.realpath(server().work)}/secret.parquet"
    put("file://" + secret, one_row())
    commit_files("around", f"{location}/../../secret.parquet")
    unreadable("around")


main()

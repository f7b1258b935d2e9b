#!/usr/bin/env python3
"""What a commit deletes: files of the table alone, in its own places, that its metadata does not name any more. Whatever a
client writes into metadata, others' files and those that the table still needs stay."""
import copy
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import ask, ok, table_path  # noqa: E402
from s3client import root_s3  # noqa: E402
from tarn import check, equal, eventually, main, test  # noqa: E402
from tarn import shared_with_folder as server  # noqa: E402


def s3():
    return root_s3(server())


def there(location):
    if location.startswith("file://"):
        return os.path.exists(location[len("file://"):])
    return s3().request("HEAD", location[len("s3:/"):]).status == 200


def put(location, body=b"precious"):
    if location.startswith("file://"):
        with open(location[len("file://"):], "wb") as out:
            out.write(body)
        return location
    s3().request("PUT", location[len("s3:/"):], None, body).ok()
    return location


def metadata(name):
    return ok("GET", "/tarn" + table_path(name, "main"), server=server())


def commit(name, *updates):
    return ask("POST", "/tarn" + table_path(name, "main"), {"requirements": [], "updates": list(updates)},
               server=server())


def describe(name, path, kind="partition-statistics"):
    current = metadata(name)["metadata"]["current-snapshot-id"]
    entry = {"snapshot-id": current, "statistics-path": path, "file-size-in-bytes": 1}
    if kind == "statistics":
        entry.update({"file-footer-size-in-bytes": 1, "blob-metadata": []})
    return commit(name, {"action": f"set-{kind}", "snapshot-id": current, kind: entry}).status


def filled(name, options=""):
    server().query(f"CREATE TABLE {name} (id BIGINT){options}")
    server().query(f"INSERT INTO {name} VALUES (1)")
    return metadata(name)


def settled(name):
    """Commits are made visible before what they delete is gone from a folder; here both are."""
    commit(name, {"action": "set-properties", "updates": {"seen": "1"}}).ok()


@test
def what_statistics_named_is_not_deleted_when_they_are_replaced():
    loaded = filled("described")
    other = filled("neighbour")
    files = [put(f"file://{server().folder}/foreign.parquet"), put("s3://warehouse/private/o.txt"),
             server().value("SELECT file_path FROM neighbour.files"),
             other["metadata"]["snapshots"][0]["manifest-list"],
             server().value("SELECT file_path FROM described.files"),
             loaded["metadata"]["snapshots"][0]["manifest-list"],
             server().value("SELECT path FROM described.manifests"), loaded["metadata-location"]]
    for kind in ("partition-statistics", "statistics"):
        for path in files:
            describe("described", path, kind)
            describe("described", loaded["metadata"]["location"] + "/metadata/none.stats", kind)
    settled("described")
    server().restart()
    for path in files:
        check(there(path), path)
    equal(server().rows("SELECT id FROM described"), [[1]])
    equal(server().rows("SELECT id FROM neighbour"), [[1]])


@test
def statistics_that_are_set_again_at_their_path_keep_their_file():
    filled("again")
    server().query("ANALYZE again")
    entry = metadata("again")["metadata"]["statistics"][0]
    path = entry["statistics-path"]
    other = copy.deepcopy(entry)
    other["blob-metadata"][0].setdefault("properties", {})["x"] = "1"
    for one in (entry, other):
        commit("again", {"action": "set-statistics", "snapshot-id": one["snapshot-id"], "statistics": one}).ok()
    settled("again")
    check(there(path), path)


@test
def analyze_removes_the_file_that_it_replaces():
    filled("measured")
    server().query("ANALYZE measured")
    before = metadata("measured")["metadata"]["statistics"][0]["statistics-path"]
    server().query("ANALYZE measured")
    now = metadata("measured")["metadata"]["statistics"]
    equal(len(now), 1)
    check(now[0]["statistics-path"] != before and there(now[0]["statistics-path"]), now)
    eventually(lambda: not there(before), before)


@test
def analyze_removes_no_file_that_something_else_names_or_that_others_share():
    listed = filled("listed")["metadata"]["snapshots"][0]["manifest-list"]
    equal(describe("listed", listed, "statistics"), 200)
    server().query("ANALYZE listed")
    data = server().value("SELECT file_path FROM listed.files")
    equal(describe("listed", data, "statistics"), 200)
    server().query("ANALYZE listed")
    filled("shared", " WITH ('gc.enabled' = 'false')")
    server().query("ANALYZE shared")
    path = metadata("shared")["metadata"]["statistics"][0]["statistics-path"]
    server().query("ANALYZE shared")
    settled("listed")
    settled("shared")
    for one in (listed, data, path):
        check(there(one), one)


@test
def expiry_deletes_nothing_of_others_whatever_statistics_and_lists_name():
    loaded = filled("ending")["metadata"]
    foreign = [put(f"file://{server().folder}/ending.parquet"), put("s3://warehouse/private/ending.txt"),
               server().value("SELECT file_path FROM neighbour.files")]
    own = server().value("SELECT file_path FROM ending.files")
    number = 1
    for path in foreign + [own]:
        number += 1
        kept = metadata("ending")["metadata"]
        snapshot = {"snapshot-id": number, "parent-snapshot-id": kept["current-snapshot-id"],
                    "sequence-number": kept["last-sequence-number"] + 1, "timestamp-ms": kept["last-updated-ms"] + 1,
                    "manifest-list": loaded["snapshots"][0]["manifest-list"], "schema-id": 0,
                    "summary": {"operation": "append"}}
        commit("ending", {"action": "add-snapshot", "snapshot": snapshot},
               {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number}).ok()
        describe("ending", path)
        describe("ending", path, "statistics")
    server().query("INSERT INTO ending VALUES (2)")
    server().query("CALL expire_snapshots('ending', retain_last => 1, older_than => TIMESTAMP '2100-01-01 00:00:00')")
    equal(len(metadata("ending")["metadata"]["snapshots"]), 1)
    for path in foreign + [own]:
        check(there(path), path)
    equal(server().rows("SELECT id FROM ending ORDER BY id"), [[1], [2]])


@test
def a_log_of_metadata_that_names_others_files_deletes_none():
    """Of a table that was registered: its metadata is whatever somebody wrote."""
    import json
    import urllib.parse
    server().query("CREATE TABLE logged (id BIGINT)")
    server().query("INSERT INTO logged VALUES (1)")
    loaded = metadata("logged")
    own = server().value("SELECT file_path FROM logged.files")
    foreign = [put(f"file://{server().folder}/logged.parquet"), put("s3://warehouse/private/logged.txt"),
               server().value("SELECT file_path FROM neighbour.files"), metadata("neighbour")["metadata-location"], own,
               loaded["metadata"]["snapshots"][0]["manifest-list"]]
    text = copy.deepcopy(loaded["metadata"])
    text["metadata-log"] = [{"timestamp-ms": text["last-updated-ms"] - 100 + i, "metadata-file": path}
                            for i, path in enumerate(foreign)]
    text["properties"] = {"write.metadata.previous-versions-max": "1",
                          "write.metadata.delete-after-commit.enabled": "true"}
    written = put(loaded["metadata"]["location"] + "/metadata/00009-" + "a" * 8 + ".metadata.json",
                  json.dumps(text).encode())
    ok("POST", "/tarn" + table_path("logged", "main") + "/unregister", {}, server=server())
    ok("POST", "/tarn/namespaces/main/register", {"name": "logged", "metadata-location": written}, server=server())
    for number in range(3):
        commit("logged", {"action": "set-properties", "updates": {"n": str(number)}}).ok()
    server().restart()
    for path in foreign:
        check(there(path), path)
    equal(server().rows("SELECT id FROM logged"), [[1]])


main()

#!/usr/bin/env python3
"""Tables that are there already get a name: from a folder or a metadata file, in place or moved; what is refused; what
stays when they are dropped; and that a rebuilt catalog knows them still."""
import gzip
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import BIN, check, contains, equal, eventually, fails, main, test  # noqa: E402
from tarn import shared_with_folder as server  # noqa: E402


def lake(name):
    return os.path.join(server().folder, name)


def make(name):
    """A table of two commits in a folder of its own, that no catalog knows any more: a copy of one."""
    server().rows(f"CREATE TABLE made_{name} (id BIGINT, name VARCHAR) WITH (location = 'file://{lake('made_' + name)}')")
    server().rows(f"INSERT INTO made_{name} VALUES (1, 'one'), (2, 'two')")
    server().rows(f"INSERT INTO made_{name} VALUES (3, 'three')")
    shutil.copytree(lake("made_" + name), lake(name))
    server().rows(f"DROP TABLE made_{name} PURGE")
    return lake(name)


def register(name, location, space="main", **members):
    body = dict({"name": name, "location": location}, **members)
    return server().request("POST", f"/api/v1/namespaces/{space}/register", body).ok().json


def told(error, *words):
    for word in words:
        contains(f"{error.message} {error.hint}", word)


def refused(code, sql, *words):
    told(fails(code, server().rows, sql), *words)


@test
def a_moved_table_is_read_and_not_written():
    folder = make("moved")
    table = register("moved", "file://" + folder)
    equal((table["rows"], table["files"], table["registered"]), (3, 2, True))
    equal(list(table["rebase"].values()), ["file://" + folder])
    equal(server().rows("SELECT * FROM moved ORDER BY id"), [[1, "one"], [2, "two"], [3, "three"]])
    equal(server().value("SELECT name FROM moved WHERE id = 3"), "three")
    refused("not_supported", "INSERT INTO moved VALUES (4, 'four')", "only be read", "CREATE TABLE")
    equal(server().value("SELECT count(*) FROM moved"), 3)
    server().rows("CREATE TABLE copied AS SELECT * FROM moved")
    server().rows("INSERT INTO copied VALUES (4, 'four')")
    equal(server().value("SELECT count(*) FROM copied"), 4)
    server().rows("DROP TABLE moved")
    check(os.path.exists(os.path.join(folder, "metadata")), "files of a dropped registered table")


@test
def a_table_in_its_place_is_written_too():
    folder = make("back")
    original = lake("made_back")
    eventually(lambda: not any(files for _, _, files in os.walk(original)), "the dropped table's files go")
    shutil.rmtree(original, ignore_errors=True)
    shutil.move(folder, original)
    check("rebase" not in register("back", original), "nothing was moved")
    server().rows("INSERT INTO back VALUES (4, 'four')")
    equal(server().value("SELECT count(*) FROM back"), 4)
    server().restart()
    equal(server().value("SELECT count(*) FROM back"), 4)


@test
def a_version_is_chosen_by_file_and_by_hint():
    folder = make("versions")
    names = sorted(name for name in os.listdir(os.path.join(folder, "metadata")) if ".metadata.json" in name)
    newest = os.path.join(folder, "metadata", names[-1])
    with open(newest, "rb") as file:
        document = file.read()
    document = json.loads(gzip.decompress(document) if document[:2] == b"\x1f\x8b" else document)
    older = dict(document, **{"current-snapshot-id": document["snapshots"][0]["snapshot-id"]})
    older["refs"] = {"main": {"snapshot-id": older["current-snapshot-id"], "type": "branch"}}
    for name, content in (("v1", older), ("v2", document), ("v3", document)):
        with open(os.path.join(folder, "metadata", name + ".metadata.json"), "w", encoding="utf-8") as file:
            json.dump(content, file)
    os.unlink(newest)

    def rows_of(location):
        register("chosen", location)
        count = server().value("SELECT count(*) FROM chosen")
        server().rows("DROP TABLE chosen")
        return count

    hint = os.path.join(folder, "metadata/version-hint.text")
    equal(rows_of(folder + "/metadata/v1.metadata.json"), 2)
    os.unlink(hint)
    equal(rows_of(folder), 3, "the newest")
    os.unlink(folder + "/metadata/v2.metadata.json")
    os.unlink(folder + "/metadata/v3.metadata.json")
    with open(hint, "w", encoding="utf-8") as file:
        file.write("1\n")
    equal(rows_of("file://" + folder + "/"), 2, "the hinted")


@test
def what_cannot_be_registered_is_said():
    folder = make("once")
    register("once", folder)
    told(fails("already_exists", register, "once", folder), "exists already")
    told(fails("already_exists", register, "twice", folder), "in the catalog as", "main.once")
    told(fails("not_found", register, "none", lake("nothing")), "no table metadata")
    told(fails("denied", register, "none", "/etc"), "warehouse roots")
    fails("denied", register, "none", lake("x") + "/../../../etc")
    with open(lake("nonsense.metadata.json"), "w", encoding="utf-8") as file:
        file.write('{"format-version": 2}')
    told(fails("corrupt", register, "none", lake("nonsense.metadata.json")), "nonsense")
    fails("namespace_not_found", register, "t", folder, "nowhere")
    fails("invalid", register, "none", folder, rebase={"a": 1})
    server().rows("DROP TABLE once")


@test
def a_rule_says_where_files_lie():
    folder = make("ruled")
    shutil.move(os.path.join(folder, "data"), lake("ruled_data"))
    register("ruled", folder, rebase={f"file://{lake('made_ruled')}/data": lake("ruled_data")})
    equal(server().value("SELECT sum(id) FROM ruled"), 6)


@test
def the_command_registers():
    folder = make("typed")
    done = subprocess.run([BIN, "--data", server().data, "table", "register", "typed", folder], capture_output=True,
                          text=True, check=False)
    equal((done.returncode, done.stdout), (0, ""), done.stderr)
    contains(done.stderr, "3 rows")
    equal(server().value("SELECT count(*) FROM typed"), 3)
    done = subprocess.run([BIN, "--data", server().data, "table", "register", "typed", folder, "--rebase", "x"],
                          capture_output=True, text=True, check=False)
    equal(done.returncode, 2, done.stderr)


@test
def sql_registers():
    folder = make("called")
    call = "CALL system.register_table(table => 'called', metadata_file => '{}'{})"
    rule = f", rebase => MAP {{'file://{lake('made_called')}': '{folder}'}}"
    equal([row[1:] for row in server().rows(call.format(folder, ""))], [[3, 2]])
    equal(server().value("SELECT count(*) FROM called"), 3)
    server().rows("DROP TABLE called")
    equal([row[1:] for row in server().rows(call.format(folder, rule))], [[3, 2]])
    refused("already_exists", call.format(folder, ""), "exists already")
    refused("invalid", "CALL register_table(table => 'x')", "metadata_file")
    refused("invalid", "CALL register_table('x', 'y', rebase => 'z')", "MAP")
    refused("denied", "CALL register_table('x', '/etc')", "warehouse roots")


@test
def a_reader_may_not():
    key = server().make_principal("register_reader", "reader")
    answer = server().request("POST", "/api/v1/namespaces/main/register", {"name": "x", "location": lake("typed")},
                              key=key)
    equal((answer.status, answer.error["code"]), (403, "denied"))


@test
def a_rebuilt_catalog_knows_them():
    folder = make("kept")
    register("kept", folder)
    server().stop()
    os.unlink(os.path.join(server().data, "tarn.db"))
    done = subprocess.run([BIN, "--data", server().data, "--yes", "recover", "--warehouse.roots", server().folder],
                          capture_output=True, text=True, check=False)
    equal(done.returncode, 0, done.stderr)
    server().start()
    equal(server().value("SELECT count(*) FROM kept"), 3)
    refused("not_supported", "INSERT INTO kept VALUES (4, 'four')", "only be read")
    server().rows("DROP TABLE kept")
    check(os.path.exists(os.path.join(folder, "metadata")), "files of a dropped registered table")


main()

#!/usr/bin/env python3
"""What is left when something was lost or damaged: the database rebuilt from the blobs, a backup restored, a
flipped bit found, a data directory that another server or another version holds."""
# timeout: 90
import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Failed, Server, TarnError, check, contains, equal, main, test  # noqa: E402

TABLES = {
    "plain": "SELECT * FROM plain ORDER BY ALL",
    "parted": "SELECT * FROM parted ORDER BY ALL",
    "deep.er.nested": "SELECT * FROM deep.er.nested ORDER BY ALL",
    '"Odd name"': 'SELECT * FROM "Odd name" ORDER BY ALL',
}


def fill(server):
    server.query("CREATE SCHEMA deep; CREATE SCHEMA deep.er")
    server.query("CREATE TABLE plain (n BIGINT NOT NULL, s VARCHAR)")
    server.query("INSERT INTO plain SELECT range, 'x' || range FROM range(1000)")
    server.query("CREATE TABLE parted (d DATE, v DOUBLE, u UUID) PARTITIONED BY (month(d), bucket(3, u))"
                 " WITH ('note' = 'kept')")
    for year in (1969, 2024):
        server.query(f"INSERT INTO parted SELECT DATE '{year}-01-15' + (range * 20)::INTEGER, range / 3,"
                     " md5(range::VARCHAR)::UUID FROM range(20)")
    server.query("CREATE TABLE deep.er.nested AS SELECT range AS n, {'a': range, 'l': [range, NULL]} AS s FROM range(5)")
    server.query('CREATE TABLE "Odd name" AS SELECT 1 AS "select", \'ü\' AS "a b"')
    server.query("CREATE TABLE dropped AS SELECT 1 AS a; DROP TABLE dropped")


def everything(server):
    seen = {name: server.query(sql)["rows"] for name, sql in TABLES.items()}
    for name in ("main/tables/plain", "main/tables/parted", "deep.er/tables/nested"):
        table = server.request("GET", f"/api/v1/namespaces/{name}").ok().json
        for member in ("created_at", "updated_at"):
            table.pop(member)
        seen[name] = table
        seen[name + "/snapshots"] = server.request("GET", f"/api/v1/namespaces/{name}/snapshots").ok().json
    seen["namespaces"] = sorted(n["name"] for n in
                                server.request("GET", "/api/v1/namespaces").ok().json["namespaces"])
    seen["tables"] = sorted(t["name"] for t in
                            server.request("GET", "/api/v1/namespaces/main/tables").ok().json["tables"])
    return seen


def compare(got, expected):
    for name, value in expected.items():
        equal(got.get(name), value, name)


def remove_database(server):
    for suffix in ("", "-wal", "-shm"):
        path = os.path.join(server.data, "tarn.db" + suffix)
        if os.path.exists(path):
            os.unlink(path)


@test
def the_database_is_rebuilt_from_the_blobs():
    with Server() as server:
        fill(server)
        before = everything(server)
        code, _, err = server.run("recover")
        check(code != 0, "tarn recover ran beside a server")
        server.stop()
        code, _, err = server.run("recover")
        equal(code, 5, "recover over an existing database: " + err)
        contains(err, "--yes")
        remove_database(server)
        code, out, err = server.run("recover")
        equal(code, 0, err)
        contains(out + err, "4")
        server.start()
        compare(everything(server), before)
        server.query("INSERT INTO plain VALUES (5000, 'after')")
        equal(server.value("SELECT count(*) FROM plain"), 1001)
        # Nothing of what is in use was taken for rubbish.
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)
        server.restart()
        equal(server.value("SELECT count(*) FROM plain"), 1001)
        # The same over a database that is there, when one insists.
        server.stop()
        code, out, err = server.run("recover", "--yes")
        equal(code, 0, err)
        server.start()
        equal(server.value("SELECT count(*) FROM plain"), 1001)


@test
def a_server_on_an_empty_database_does_not_touch_the_blobs_of_another():
    with Server() as server:
        server.query("CREATE TABLE a AS SELECT range AS n FROM range(100)")
        server.stop()
        remove_database(server)
        try:
            server.start()
            server.kill()  # it may start empty, or refuse: the blobs have to stay either way
            server.start()
            server.stop()
        except Failed:
            pass
        remove_database(server)
        code, _, err = server.run("recover")
        equal(code, 0, err)
        # Whatever the server made of the folder in between, the rows are there.
        server.start()
        equal(server.value("SELECT count(*) FROM a"), 100)


@test
def namespaces_flags_and_properties_come_back():
    with Server() as server:
        server.request("POST", "/iceberg/v1/tarn/namespaces",
                       {"namespace": ["Team"], "properties": {"owner": "ann", "location": "s3://warehouse/team"}}).ok()
        server.request("POST", "/iceberg/v1/tarn/namespaces/team/properties",
                       {"updates": {"note": "x"}, "removals": ["owner"]}).ok()
        server.query("BEGIN; CREATE SCHEMA other; CREATE TABLE other.t AS SELECT 1 AS a; COMMIT")
        server.query("CREATE SCHEMA gone; DROP SCHEMA gone")
        for path in ("namespaces/team", "namespaces/other/tables/t"):
            server.request("PUT", f"/api/v1/{path}/protection").ok()
        before = server.request("GET", "/iceberg/v1/tarn/namespaces/team").ok().json
        server.stop()
        remove_database(server)
        code, _, err = server.run("recover")
        equal(code, 0, err)
        server.start()
        equal(server.request("GET", "/iceberg/v1/tarn/namespaces/team").ok().json, before)
        equal(before["properties"]["location"], "s3://warehouse/team")
        equal(server.rows("SELECT a FROM other.t"), [[1]])
        for path in ("namespaces/team", "namespaces/other/tables/t"):
            equal(server.request("DELETE", f"/api/v1/{path}").status, 403, path)
        equal(server.request("GET", "/api/v1/namespaces/gone").status, 404)


def commit(server, name, *updates):
    server.request("POST", f"/iceberg/v1/tarn/namespaces/main/tables/{name}",
                   {"requirements": [], "updates": list(updates)}).ok()


def make_at(server, name, location):
    schema = {"type": "struct", "fields": [{"id": 1, "name": "a", "type": "long", "required": False}]}
    return server.request("POST", "/iceberg/v1/tarn/namespaces/main/tables",
                          {"name": name, "schema": schema, "location": location})


@test
def places_of_tables_come_back_after_a_kill_and_the_loss_of_the_database():
    with Server() as server:
        server.query("CREATE TABLE moved AS SELECT 1 AS a")
        old = server.value("SELECT file_path FROM moved.files").rsplit("/data/", 1)[0]
        commit(server, "moved", {"action": "set-location", "location": "s3://warehouse/new/moved"})
        server.query("INSERT INTO moved VALUES (2)")
        server.query("CREATE TABLE apart (a BIGINT)")
        commit(server, "apart", {"action": "set-properties", "updates": {"write.data.path": "s3://warehouse/apart",
                                                                         "write.metadata.path": "s3://warehouse/meta/apart"}})
        server.query("INSERT INTO apart VALUES (3)")
        server.query("CREATE TABLE gone AS SELECT 4 AS a")
        commit(server, "gone", {"action": "set-location", "location": "s3://warehouse/new/gone"})
        server.query("DROP TABLE gone")
        server.kill()
        remove_database(server)
        code, _, err = server.run("recover")
        equal(code, 0, err)
        server.start()
        equal(server.rows("SELECT a FROM moved ORDER BY a"), [[1], [2]], "both places are read")
        equal(server.rows("SELECT a FROM apart"), [[3]])
        for place in (old, "s3://warehouse/new/moved", "s3://warehouse/new", "s3://warehouse/apart", "s3://warehouse/apart/x",
                      "s3://warehouse/meta/apart", "s3://warehouse/new/gone/x"):
            answer = make_at(server, "squat", place)
            equal(answer.status, 400, f"{place}: {answer.body[:200]!r}")
            contains(answer.error["message"], "overlaps", place)
        server.query("INSERT INTO moved VALUES (5); INSERT INTO apart VALUES (6); UNDROP TABLE gone")
        equal(server.rows("SELECT a FROM gone"), [[4]])
        equal(server.value("SELECT count(*) FROM moved"), 3)
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)


@test
def dropped_tables_are_in_a_backup_and_come_back_from_it():
    with Server() as server:
        for name in ("early", "late"):
            server.query(f"CREATE TABLE {name} AS SELECT range AS a FROM range(1000)")
        commit(server, "early", {"action": "set-properties", "updates": {"write.data.path": "s3://warehouse/apart"}})
        server.query("INSERT INTO early VALUES (-1)")
        server.query("DROP TABLE early")
        target = os.path.join(server.work, "backup")
        code, out, err = server.run("backup", target)
        equal(code, 0, out + err)
        server.query("DROP TABLE late")
        server.query("UNDROP TABLE early; DROP TABLE early PURGE")
        with Server(data=os.path.join(server.work, "restored"), start=False, name="restored") as other:
            code, out, err = other.run("restore", target)
            equal(code, 0, out + err)
            other.start()
            dropped = other.request("GET", "/api/v1/dropped").ok().json["dropped"]
            equal([(one["namespace"], one["name"]) for one in dropped], [("main", "early")], "what was dropped then")
            equal(make_at(other, "squat", "s3://warehouse/apart").status, 400, "its places are held")
            equal(other.value("SELECT count(*) FROM late"), 1000)
            other.query("UNDROP TABLE early")
            equal(other.value("SELECT count(*) || ' ' || sum(a) FROM early"), "1001 499499")
            other.query("INSERT INTO early VALUES (-2)")
            other.query("DROP TABLE early PURGE; DROP TABLE late")
            other.query("UNDROP TABLE late")
            equal(other.value("SELECT count(*) FROM late"), 1000)
            equal(other.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)


@test
def a_backup_is_taken_while_writing_and_restored():
    with Server() as server:
        fill(server)
        before = everything(server)
        target = os.path.join(server.work, "backup")
        code, out, err = server.run("backup", target)
        equal(code, 0, out + err)
        server.query("DROP TABLE parted; INSERT INTO plain VALUES (-1, 'later')")
        code, _, err = server.run("backup", target)
        equal(code, 5, "a backup over a backup: " + err)
        code, _, err = server.run("backup", os.path.join(server.data, "blobs/copy"))
        equal(code, 1, "a backup into what it copies: " + err)
        contains(err, "lies in the data directory")
        with Server(data=os.path.join(server.work, "restored"), start=False, name="restored") as other:
            code, out, err = other.run("restore", target)
            equal(code, 0, out + err)
            other.start()
            compare(everything(other), before)
            equal(other.key, server.key, "the key of the backup")
            other.query("INSERT INTO plain VALUES (-2, 'in the copy')")
            code, _, err = server.run("restore", target)
            check(code != 0, "restore over a data directory in use")
        equal(server.value("SELECT count(*) FROM plain"), 1001)
        # One without its closing mark is no backup.
        os.unlink(os.path.join(target, "BACKUP"))
        with Server(start=False) as third:
            code, _, err = third.run("restore", target)
            check(code != 0 and "whole" in err, err)


def blobs(server):
    found = []
    for folder, _, files in os.walk(os.path.join(server.data, "blobs")):
        found += [os.path.join(folder, name) for name in files if name != "ID"]
    return found


def flip(path, at):
    os.chmod(path, 0o600)  # nobody but root may write a blob as it is
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x10]))


@test
def a_flipped_bit_is_found():
    with Server(settings={"store.scrub_rate": "0"}) as server:
        server.query("CREATE TABLE t AS SELECT range AS n, md5(range::VARCHAR) AS s FROM range(20000)")
        server.query("CREATE TABLE other AS SELECT 1 AS a")
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)
        largest = max(blobs(server), key=os.path.getsize)
        with open(largest, "rb") as file:
            equal(file.read(4), b"PAR1", "the largest blob")
        for at in (os.path.getsize(largest) // 2, 100000):
            flip(largest, at)
            equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 1)
            equal(server.metrics()["tarn_store_corrupt_objects"], 1)
            flip(largest, at)
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)
        # With engine.verify_files = once a query finds it by itself.
        flip(largest, os.path.getsize(largest) // 2)
        server.restart(settings={"engine.verify_files": "once"})
        try:
            got = server.query("SELECT count(*), min(s), max(s) FROM t")
            raise Failed(f"a damaged file was read: {got['rows']}")
        except TarnError as error:
            equal((error.code, error.status), ("corrupt", 500), str(error))
        equal(server.rows("SELECT a FROM other"), [[1]])
        flip(largest, os.path.getsize(largest) // 2)
        # Metadata is verified whenever it is read.
        small = [path for path in blobs(server) if open(path, "rb").read(3) == b"Obj"]
        check(small, "no manifest among the blobs")
        for path in small:
            flip(path, os.path.getsize(path) // 2)
        server.restart()
        try:
            got = server.query("SELECT sum(n) FROM t")
            raise Failed(f"a damaged manifest was read: {got['rows']}")
        except TarnError as error:
            equal((error.code, error.status), ("corrupt", 500), str(error))
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], len(small))
        equal(server.run("sql", "-c", "SELECT sum(n) FROM t")[0], 8, "exit code for damaged data")


@test
def one_data_directory_has_one_server():
    with Server() as server:
        code, _, err = server.run("serve", "--http.listen", "127.0.0.1:0")
        equal(code, 7, err)
        contains(err, str(server.pid))
        equal(server.rows("SELECT 1"), [[1]])
        # The lock goes with its holder, however that ends.
        server.kill()
        server.start()
        equal(server.rows("SELECT 1"), [[1]])


@test
def a_port_in_use_is_said():
    with Server() as server, Server(start=False, name="other") as other:
        code, _, err = other.run("serve", "--http.listen", server.address)
        equal(code, 7, err)
        contains(err, "http.listen")


@test
def a_newer_version_s_directory_is_refused():
    with Server() as server:
        server.query("CREATE TABLE t AS SELECT 1 AS a")
        server.stop()
        path = os.path.join(server.data, "tarn.db")
        database = sqlite3.connect(path)
        version = database.execute("PRAGMA user_version").fetchone()[0]
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        changed = 0
        if version:
            database.execute(f"PRAGMA user_version = {version + 1000}")
            changed = 1
        for table in tables:
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            if "version" in columns and ("migration" in table or "schema" in table or "module" in columns):
                changed += database.execute(f'UPDATE "{table}" SET version = version + 1000').rowcount
        database.commit()
        database.close()
        check(changed, f"found no schema version to raise in {tables}")
        size = os.path.getsize(path)
        code, _, err = server.run("serve", "--http.listen", "127.0.0.1:0")
        check(code not in (0, 139, 134), err)
        contains(err, "newer")
        equal(os.path.getsize(path), size)


@test
def a_data_directory_that_is_a_file_is_refused():
    with Server(start=False) as server:
        with open(server.data, "w", encoding="utf-8") as file:
            file.write("no folder")
        code, _, err = server.run("serve", "--http.listen", "127.0.0.1:0")
        check(code not in (0, 139, 134), err)
        contains(err, server.data)
        with open(server.data, encoding="utf-8") as file:
            equal(file.read(), "no folder")
        os.unlink(server.data)


@test
def without_the_library_the_rest_still_serves():
    with Server(settings={"engine.duckdb_library": "/nonexistent/libduckdb.so"}) as server:
        equal(server.request("GET", "/readyz").status, 200)
        equal(server.request("GET", "/api/v1/namespaces").status, 200)
        try:
            server.rows("SELECT 1")
            raise Failed("SQL ran without DuckDB")
        except TarnError as error:
            equal((error.code, error.status), ("unavailable", 503), str(error))
            contains(error.message + error.hint, "duckdb")


@test
def what_a_killed_server_left_in_staging_goes():
    with Server() as server:
        server.kill()
        folder = os.path.join(server.data, "staging")
        with open(os.path.join(folder, "leftover"), "wb") as file:
            file.write(b"x" * 1000)
        server.start()
        equal(os.listdir(folder), [])
        workers = os.path.join(server.data, "run/workers")
        server.query("SELECT 1")
        server.stop()
        check(not os.path.exists(workers) or os.listdir(workers) == [], "folders of workers are left behind")
        shutil.rmtree(server.work, ignore_errors=True)


main()

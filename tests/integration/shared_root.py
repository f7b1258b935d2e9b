#!/usr/bin/env python3
"""A warehouse root around the data directory: its tables are read and written as others are, and neither SQL nor a
table comes to what lies in the data directory."""
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, TarnError, check, equal, fails, main, skip, test  # noqa: E402


def around(**options):
    """A server whose data directory lies in its root."""
    server = Server(start=False, **options)
    server.folder = os.path.realpath(server.work)
    server.settings = {"warehouse.roots": server.folder}
    return server.start()


def table_files(server, name):
    folder = os.path.join(server.folder, "lake", name)
    return sorted(os.path.join(at, file) for at, _, files in os.walk(folder) for file in files)


@test
def tables_are_written_read_changed_and_dropped():
    with around() as server:
        server.query(f"CREATE TABLE t (n BIGINT, s VARCHAR) WITH (location = 'file://{server.folder}/lake/t')")
        server.query("INSERT INTO t SELECT range, 'row ' || range FROM range(1000)")
        server.query("INSERT INTO t VALUES (5000, 'last')")
        equal(server.rows("SELECT count(*), sum(n), min(s) FROM t"), [[1001, 504500, "last"]])
        server.query("DELETE FROM t WHERE n % 2 = 1")
        server.query("UPDATE t SET s = 'changed' WHERE n = 10")
        equal(server.rows("SELECT count(*), max(n) FROM t"), [[501, 5000]])
        equal(server.rows("SELECT s FROM t WHERE n = 10"), [["changed"]])
        equal(server.value("SELECT count(*) FROM t a JOIN t b USING (n)"), 501, "the same files twice")
        server.restart()
        equal(server.rows("SELECT count(*), max(n) FROM t"), [[501, 5000]])
        check(any(path.endswith(".parquet") for path in table_files(server, "t")), "no data file lies in the folder")
        server.query("DROP TABLE t")


@test
def a_file_that_is_written_anew_under_its_name_is_read_anew():
    with around() as server:
        location = f"file://{server.folder}/lake/t"
        server.query(f"CREATE TABLE t (n BIGINT) WITH (location = '{location}')")
        server.query("INSERT INTO t VALUES (1)")
        equal(server.rows("SELECT n FROM t"), [[1]])
        data = [path for path in table_files(server, "t") if path.endswith(".parquet")]
        equal(len(data), 1, str(data))
        os.rename(data[0], data[0] + ".old")
        shutil.copyfile(data[0] + ".old", data[0])
        equal(server.rows("SELECT n FROM t"), [[1]])
        os.unlink(data[0])
        server.restart()
        fails("not_found", lambda: server.query("SELECT n FROM t"))


@test
def registered_tables_too():
    with around() as server:
        server.query(f"CREATE TABLE t (n BIGINT) WITH (location = 'file://{server.folder}/lake/t')")
        server.query("INSERT INTO t VALUES (1), (2)")
        shutil.copytree(f"{server.folder}/lake/t", f"{server.folder}/kept")
        server.query("DROP TABLE t")
        body = {"name": "other", "location": f"file://{server.folder}/kept"}
        server.request("POST", "/api/v1/namespaces/main/register", body).ok()
        equal(server.rows("SELECT count(*), sum(n) FROM other"), [[2, 3]])


@test
def no_table_lies_in_the_data_directory_nor_around_it():
    with around() as server:
        data = os.path.realpath(server.data)
        os.symlink(data, os.path.join(server.folder, "link"))
        for number, place in enumerate((data, data + "/x", data + "/secrets", data + "/blobs/t", server.folder,
                                        server.folder + "/link/t", server.folder + "/link")):
            try:
                server.query(f"CREATE TABLE t{number} (n BIGINT) WITH (location = 'file://{place}')")
                check(False, f"a table at {place}")
            except TarnError as error:
                check(error.status in (400, 403), f"{place}: {error}")
            try:
                server.query(f"CALL register_table('r{number}', '{place}')")
                check(False, f"registered from {place}")
            except TarnError as error:
                check(error.status in (400, 403), f"{place}: {error}")
        equal(server.request("GET", "/api/v1/namespaces/main/tables").ok().json["tables"], [])
        check(os.path.exists(data + "/secrets/root.key"), "the key went")


@test
def workers_read_nothing_there():
    with around(env={"TARN_TEST_NO_ALLOW_LIST": "1"}) as server:
        beside = os.path.join(server.folder, "beside.txt")
        with open(beside, "w", encoding="utf-8") as file:
            file.write("canary")
        try:
            server.query("SELECT count(*) FROM test_all_types()")
        except TarnError:
            skip("this build cannot switch the allow-list off")
        for path in (beside, server.data + "/secrets/root.key", server.data + "/tarn.db", server.folder + "/*.txt"):
            try:
                rows = server.rows(f"SELECT content FROM read_blob('{path}')")
                check(rows == [], f"{path} was read")
            except TarnError:
                pass


@test
def where_no_link_can_be_made_the_error_says_so():
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tempfile.gettempdir()).st_dev:
        skip("no other file system here")
    folder = tempfile.mkdtemp(prefix="tarn-test-", dir="/dev/shm")
    try:
        with Server(start=False) as server:
            server.settings = {"warehouse.roots": "/"}
            server.start()
            server.query(f"CREATE TABLE t (n BIGINT) WITH (location = 'file://{folder}/t')")
            server.query("INSERT INTO t VALUES (1)")
            error = fails("not_supported", lambda: server.query("SELECT n FROM t"))
            check("warehouse.roots" in (error.hint or ""), str(error.error))
    finally:
        shutil.rmtree(folder)


main()

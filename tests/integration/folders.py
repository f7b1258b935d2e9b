#!/usr/bin/env python3
"""Tables in plain folders: one folder belongs to one table by whatever spelling it is asked for, tables never lie in
one another, and dropping one leaves its neighbours alone."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, TarnError, check, equal, fails, main, test  # noqa: E402


def lake():
    server = Server(start=False)
    server.folder = os.path.realpath(os.path.join(server.work, "lake"))
    os.mkdir(server.folder)
    server.settings = {"warehouse.roots": server.folder, "warehouse.location": "file://" + server.folder}
    return server.start()


@test
def a_folder_has_one_table_by_whatever_name():
    with lake() as server:
        os.symlink(server.folder, os.path.join(server.folder, "self"))
        server.query(f"CREATE TABLE first (n BIGINT) WITH (location = 'file://{server.folder}/x')")
        server.query("INSERT INTO first VALUES (1)")
        for number, spelling in enumerate((
                "file://@/x", "@/x", "file:@/x", "file://localhost@/x", "file://@/x/", "file://@//x", "file://@/./x",
                "file://@/y/../x", "file://@/self/x", "file://@/x/below", "file://@/x/data", "file://@")):
            sql = f"CREATE TABLE t{number} (n BIGINT) WITH (location = '{spelling.replace('@', server.folder)}')"
            try:
                server.query(sql)
                check(False, f"a second table at {spelling}")
            except TarnError as error:
                check(error.status in (400, 403, 409), f"{spelling}: {error}")
        for outside in ("/etc/x", "file:///etc/x", "file://@x/y", "file://@/../y", "file://elsewhere/x"):
            sql = f"CREATE TABLE o (n BIGINT) WITH (location = '{outside.replace('@', server.folder)}')"
            try:
                server.query(sql)
                check(False, f"a table at {outside}")
            except TarnError as error:
                check(error.status in (400, 403), f"{outside}: {error}")
        equal(server.rows("SELECT n FROM first"), [[1]])
        equal([t["name"] for t in server.request("GET", "/api/v1/namespaces/main/tables").ok().json["tables"]], ["first"])


@test
def a_plain_path_is_a_location():
    with lake() as server:
        server.query(f"CREATE TABLE t (n BIGINT) WITH (location = '{server.folder}/plain path')")
        server.query("INSERT INTO t VALUES (1)")
        table = server.request("GET", "/api/v1/namespaces/main/tables/t").ok().json
        equal(table["location"], f"file://{server.folder}/plain path")
        server.restart()
        equal(server.rows("SELECT n FROM t"), [[1]])


@test
def dropping_a_table_leaves_its_neighbours_alone():
    with lake() as server:
        for name in ("a", "b"):
            server.query(f"CREATE TABLE {name} AS SELECT range AS n FROM range(100)")
        server.query(f"CREATE TABLE c WITH (location = 'file://{server.folder}/c') AS SELECT 1 AS n")
        server.query("DROP TABLE a; DROP TABLE c")
        equal(server.value("SELECT count(*) FROM b"), 100)
        server.restart()
        equal(server.value("SELECT count(*) FROM b"), 100)
        # The place is free again, and what lay there does not come back.
        server.query(f"CREATE TABLE c (n BIGINT) WITH (location = 'file://{server.folder}/c')")
        equal(server.value("SELECT count(*) FROM c"), 0)


@test
def a_folder_that_is_no_longer_there_is_said():
    with lake() as server:
        server.query("CREATE TABLE t AS SELECT 1 AS n; CREATE TABLE u AS SELECT 2 AS n")
        table = server.request("GET", "/api/v1/namespaces/main/tables/t").ok().json
        os.rename(table["location"].removeprefix("file://"), os.path.join(server.work, "gone"))
        server.restart()
        error = None
        try:
            server.query("SELECT n FROM t")
        except TarnError as failure:
            error = failure
        check(error is not None and error.status in (404, 500) and error.message, str(error))
        equal(server.rows("SELECT n FROM u"), [[2]])
        fails("table_not_found", server.query, "SELECT n FROM v")
        os.rename(os.path.join(server.work, "gone"), table["location"].removeprefix("file://"))
        equal(server.rows("SELECT n FROM t"), [[1]])


main()

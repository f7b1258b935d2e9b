#!/usr/bin/env python3
"""Views, CREATE OR REPLACE TABLE and the catalog as tables, over a real server."""
# timeout: 180
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, TarnError, check, contains, equal, main, test  # noqa: E402


def refused(server, sql, *words):
    try:
        server.rows(sql)
    except TarnError as error:
        for word in words:
            contains(error.message + " " + (error.hint or ""), word)
        return error
    raise AssertionError(f"not refused: {sql}")


def lake(server):
    server.rows("CREATE TABLE t (id BIGINT, name VARCHAR, n INTEGER) PARTITIONED BY (n)")
    server.rows("INSERT INTO t SELECT i, 'x' || i, i % 5 FROM range(100) r(i)")


@test
def filters_reach_files_through_views_over_views():
    with Server() as server:
        lake(server)
        server.rows("CREATE VIEW v AS SELECT id, n AS part FROM t WHERE id < 50")
        server.rows("CREATE VIEW w (a, p) AS SELECT id + 1, part FROM v")
        answer = server.query("SELECT count(*), sum(a) FROM w WHERE p = 3")
        equal(answer["rows"], [[10, sum(i + 1 for i in range(50) if i % 5 == 3)]])
        equal(answer["stats"]["files_total"], 5)
        equal(answer["stats"]["files_read"], 1)
        plan = "\n".join(str(cell) for row in server.rows("EXPLAIN SELECT * FROM w WHERE p = 3") for cell in row)
        contains(plan, ": 5 files considered, 4 skipped (4 by partition), 1 read")
        # a limit says nothing about the rows of the table below
        equal(len(server.rows("SELECT * FROM v WHERE part = 4 LIMIT 7")), 7)
        equal(len(server.rows("SELECT * FROM (SELECT * FROM t WHERE n = 4) LIMIT 7")), 7)


@test
def names_mean_what_they_meant_where_the_view_was_made():
    with Server() as server:
        for space, value in (("a", 1), ("b", 2)):
            server.rows(f"CREATE SCHEMA {space}")
            server.rows(f"CREATE TABLE {space}.t AS SELECT {value} AS x")
        server.query("USE a; CREATE VIEW v AS SELECT o.x, b.t.x AS y FROM t AS o, b.t")
        equal(server.query("USE b; SELECT v.x, v.y, t.x FROM a.v, t")["rows"], [[1, 2, 2]])
        server.query("USE b; CREATE VIEW v AS FROM t")
        equal(server.rows("SELECT p.x, q.x FROM a.v p JOIN b.v q ON true"), [[1, 2]])
        equal(server.rows("WITH t AS (SELECT 9 AS x) SELECT v.x, t.x FROM a.v, t"), [[1, 9]])


def foreign_view(server, prefix, space, name, sql, **more):
    version = {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": [space],
               "representations": [{"type": "sql", "sql": sql, "dialect": "duckdb"}], **more}
    schema = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "type": "long", "required": False}]}
    server.request("POST", f"/iceberg/v1/{prefix}/namespaces/{space}/views",
                   {"name": name, "schema": schema, "view-version": version, "properties": {}}).ok()


@test
def sql_of_other_dialects_is_kept_and_told():
    with Server() as server:
        spark = {"type": "sql", "sql": "SELECT `id` FROM t", "dialect": "spark"}
        foreign_view(server, "tarn", "main", "v", "", representations=[spark])
        foreign_view(server, "tarn", "main", "twofold", "",
                     representations=[spark, {"type": "sql", "sql": "SELECT 1::BIGINT AS id", "dialect": "duckdb"}])
        refused(server, "SELECT * FROM v", "in: spark", "replace.drop-dialect.allowed")
        contains(server.value("SHOW CREATE VIEW v"), "-- SQL of another engine, in dialect spark\nSELECT `id` FROM t")
        contains(server.value("SELECT view_definition FROM information_schema.views WHERE table_name = 'v'"), "spark")
        check("spark" not in server.value("SHOW CREATE VIEW twofold"), "it has SQL of ours")
        for view in ("v", "twofold"):
            for statement in (f"CREATE OR REPLACE VIEW {view} AS SELECT 2::BIGINT AS id", f"ALTER VIEW {view} AS SELECT 2 AS id",
                              f"BEGIN; CREATE OR REPLACE VIEW {view} AS SELECT 2::BIGINT AS id; COMMIT"):
                refused(server, statement, 'SQL in dialect "spark", which would be lost', "ALTER VIEW")
        equal(server.rows("SELECT * FROM twofold"), [[1]])
        # where the view, or the statement, says that it may go
        server.rows("ALTER VIEW twofold SET TBLPROPERTIES ('replace.drop-dialect.allowed' = 'true')")
        server.rows("CREATE OR REPLACE VIEW twofold AS SELECT 3::BIGINT AS id")
        server.rows("CREATE OR REPLACE VIEW v WITH ('replace.drop-dialect.allowed' = 'true') AS SELECT 4::BIGINT AS id")
        equal(server.rows("SELECT b.id, v.id FROM twofold b, v"), [[3, 4]])


@test
def names_in_a_view_begin_in_its_warehouse():
    with Server() as server:
        server.request("POST", "/api/v1/warehouses", {"name": "wh2", "location": "s3://wh2"}).ok()
        server.query("CREATE SCHEMA wa; CREATE TABLE wa.t AS SELECT 666::BIGINT AS id; "
                     "CREATE TABLE wa.first AS SELECT 667::BIGINT AS id; "
                     "CREATE SCHEMA wh2.wa; CREATE TABLE wh2.wa.t AS SELECT 1::BIGINT AS id")
        # over REST, wh2 is no level: one part, two parts, and three that begin with a warehouse's name
        for name, sql, id in (("one", "SELECT id FROM t", 1), ("two", "SELECT id FROM wa.t", 1),
                              ("three", "SELECT id FROM wh2.wa.t", 1), ("other", "SELECT id FROM tarn.wa.t", 666)):
            foreign_view(server, "wh2", "wa", name, sql)
            equal(server.rows(f"SELECT * FROM wh2.wa.{name}"), [[id]], name)
        foreign_view(server, "wh2", "wa", "none", "SELECT id FROM first")
        refused(server, "SELECT * FROM wh2.wa.none", 'table "wh2.wa.first" does not exist')
        foreign_view(server, "wh2", "wa", "none2", "SELECT id FROM wa.first")
        refused(server, "SELECT * FROM wh2.wa.none2", 'table "wh2.wa.first" does not exist')
        foreign_view(server, "wh2", "wa", "none3", "SELECT id FROM main.t")
        refused(server, "SELECT * FROM wh2.wa.none3", 'namespace "wh2.main" does not exist')
        # a catalog that is named
        foreign_view(server, "wh2", "wa", "named", "SELECT id FROM t", **{"default-catalog": "tarn"})
        foreign_view(server, "tarn", "wa", "named", "SELECT id FROM wa.t", **{"default-catalog": "wh2"})
        foreign_view(server, "wh2", "wa", "astray", "SELECT id FROM t", **{"default-catalog": "polaris"})
        equal(server.rows("SELECT a.id, b.id FROM wh2.wa.named a, wa.named b"), [[666, 1]])
        refused(server, "SELECT * FROM wh2.wa.astray", 'default-catalog "polaris" is no warehouse', "CREATE OR REPLACE")
        # made in SQL: told as REST clients of the view's warehouse know it
        server.query("USE wh2.wa; CREATE VIEW here AS SELECT id FROM t; CREATE VIEW wa.away AS SELECT id FROM t; "
                     "USE wa; CREATE VIEW wh2.wa.there AS SELECT id FROM t; CREATE VIEW plain AS SELECT id FROM t")
        for prefix, name, catalog, id in (("wh2", "here", None, 1), ("tarn", "away", "wh2", 1),
                                          ("wh2", "there", "tarn", 666), ("tarn", "plain", None, 666)):
            made = server.request("GET", f"/iceberg/v1/{prefix}/namespaces/wa/views/{name}").ok().json["metadata"]
            version = made["versions"][-1]
            equal((version["default-namespace"], version.get("default-catalog")), (["wa"], catalog), name)
            equal(server.rows(f"SELECT * FROM {'wh2.' if prefix == 'wh2' else ''}wa.{name}"), [[id]], name)
        # what could not be read is not made, and a view stays where its names mean what they meant
        refused(server, "USE wh2.wa; CREATE VIEW v AS SELECT id FROM main.t", 'namespace "wh2.main" does not exist')
        refused(server, "ALTER VIEW wh2.wa.here RENAME TO wa.here", 'outside warehouse')
        refused(server, "BEGIN; ALTER VIEW wh2.wa.here RENAME TO wa.here; COMMIT", 'outside warehouse')


@test
def cycles_and_depth_are_refused_with_the_path():
    with Server() as server:
        server.rows("CREATE VIEW a AS SELECT 1 AS x")
        server.rows("CREATE VIEW b AS SELECT x FROM a")
        server.rows("CREATE VIEW c AS SELECT x FROM b")
        refused(server, "CREATE OR REPLACE VIEW a AS SELECT x FROM c", "would read itself",
                '"main.a" → "main.c" → "main.b" → "main.a"')
        refused(server, "CREATE OR REPLACE VIEW a AS FROM a", '"main.a" → "main.a"')
        server.rows("CREATE VIEW v0 AS SELECT 1 AS x")
        for i in range(1, 32):
            server.rows(f"CREATE VIEW v{i} AS SELECT x FROM v{i - 1}")
        equal(server.rows("SELECT x FROM v31"), [[1]])
        refused(server, "CREATE VIEW v32 AS SELECT x FROM v31", "nested more than 32 deep")
        # a cycle that names bring about is found when it is read
        server.rows("DROP VIEW b")
        server.rows("ALTER VIEW c RENAME TO b")
        refused(server, "SELECT * FROM b", "would read itself")


@test
def a_changed_table_is_told_by_column():
    with Server() as server:
        lake(server)
        server.rows("CREATE VIEW v (key, part) AS SELECT id, n FROM t")
        server.rows("CREATE VIEW everything AS SELECT * FROM t")
        server.rows("CREATE VIEW at_main AS SELECT * FROM t AT (VERSION => 'main')")
        server.rows("ALTER TABLE t ADD COLUMN more INTEGER")
        equal(server.rows("SELECT count(*) FROM v"), [[100]])
        # a version is named: what it has is what is seen
        refused(server, "SELECT 1 FROM at_main", "made with 3 columns", "yields 4 now", "CREATE OR REPLACE VIEW")
        server.rows("ALTER TABLE t DROP COLUMN name")
        refused(server, "SELECT 1 FROM everything", "made with 3 columns", "yields 2 now", "CREATE OR REPLACE VIEW")
        server.rows("ALTER TABLE t ALTER COLUMN n TYPE BIGINT")
        error = refused(server, "SELECT key FROM v", 'view "main.v": column "part" was INTEGER', "is BIGINT now")
        equal(error.position, 16)
        server.rows("ALTER TABLE t RENAME COLUMN n TO m")
        refused(server, "SELECT key FROM v", "is BIGINT now")
        server.rows("CREATE OR REPLACE VIEW v AS SELECT id AS key, m AS part FROM t")
        equal(server.rows("SELECT sum(part)::INTEGER FROM v"), [[200]])
        server.rows("DROP TABLE t")
        refused(server, "SELECT key FROM v", 'view "main.v": table "main.t" does not exist')


@test
def a_view_keeps_the_columns_it_was_made_with():
    with Server() as server:
        server.rows("CREATE TABLE t (id BIGINT, name VARCHAR, n INTEGER) PARTITIONED BY (n)")
        server.rows("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (2, 'b', 2)")
        server.rows("CREATE VIEW everything AS SELECT * FROM t")
        server.rows("CREATE VIEW apart AS SELECT DISTINCT * FROM t")
        server.rows("CREATE VIEW joint AS SELECT * FROM t UNION SELECT 1, 'a', 1")
        server.rows("CREATE VIEW shared AS SELECT * FROM t NATURAL JOIN (SELECT 7 AS more, 1 AS n)")
        server.rows("CREATE VIEW above (a, b, c) AS SELECT * FROM everything")
        server.rows("CREATE VIEW twice AS SELECT x.*, y.id AS other FROM t x JOIN t y USING (id)")
        server.rows("ALTER TABLE t ADD COLUMN more INTEGER FIRST")
        server.rows("INSERT INTO t VALUES (5, 3, 'c', 3)")
        for _ in range(2):
            equal(server.rows("SELECT * FROM everything ORDER BY ALL"), [[1, "a", 1], [2, "b", 2], [2, "b", 2], [3, "c", 3]])
            equal(server.rows("SELECT * FROM apart ORDER BY ALL"), [[1, "a", 1], [2, "b", 2], [3, "c", 3]])
            equal(server.rows("SELECT * FROM joint ORDER BY ALL"), [[1, "a", 1], [2, "b", 2], [3, "c", 3]])
            equal(server.rows("SELECT id, more FROM shared"), [[1, 7]])
            equal(server.rows("SELECT a, b FROM above WHERE c = 3"), [[3, "c"]])
            equal(server.value("SELECT count(*) FROM twice"), 6)
            # filters still reach files, by names that the table does not have any more
            equal(server.query("SELECT name FROM everything WHERE n = 3")["stats"]["files_read"], 1)
            server.rows("ALTER TABLE t RENAME COLUMN name TO title")
            server.rows("ALTER TABLE t RENAME COLUMN n TO part")
            equal(server.rows("SELECT title FROM t WHERE part = 3"), [["c"]])
            server.rows("ALTER TABLE t RENAME COLUMN title TO name")
            server.rows("ALTER TABLE t RENAME COLUMN part TO n")
            server.restart()
        server.rows("ALTER TABLE t RENAME COLUMN name TO title")
        equal(server.rows("SELECT name FROM above JOIN everything ON a = id WHERE a = 3"), [["c"]])
        # made anew, it sees what is there
        server.rows("CREATE OR REPLACE VIEW everything AS SELECT * FROM t")
        equal(server.rows("SELECT * FROM everything WHERE id = 3"), [[5, 3, "c", 3]])
        refused(server, "SELECT * FROM above", "made with 3 columns", "yields 2 now")
        # another table of the name is another table
        server.rows("DROP TABLE t")
        server.rows("CREATE TABLE t AS SELECT 1 AS only")
        refused(server, "SELECT * FROM apart", "made with 3 columns", "yields 1 now")


@test
def the_whole_of_what_views_read_is_limited():
    with Server() as server:
        server.rows("CREATE VIEW v0 AS SELECT 1 AS x")
        for i in range(1, 14):
            server.rows(f"CREATE VIEW v{i} AS SELECT a.x FROM v{i - 1} a, v{i - 1} b")
        refused(server, "SELECT x FROM v13", "read other views more than 10000 times in all")
        equal(server.rows("SELECT x FROM v7"), [[1]])


@test
def what_a_view_shows_is_what_its_reader_may_see():
    with Server() as server:
        lake(server)
        refused(server, "CREATE VIEW x AS SELECT * FROM read_csv('/etc/passwd')", "not allowed")
        refused(server, "CREATE VIEW x AS SELECT getenv('HOME') AS h", "not allowed")
        refused(server, "CREATE VIEW x AS SELECT $1 AS a", "cannot have parameters")
        refused(server, "CREATE VIEW x AS INSERT INTO t VALUES (1, 'a', 2)", "")
        server.rows("CREATE VIEW v AS SELECT id FROM t")
        for sql in ("INSERT INTO v VALUES (1)", "DELETE FROM v", "UPDATE v SET id = 1", "TRUNCATE v",
                    "MERGE INTO v USING t ON v.id = t.id WHEN MATCHED THEN DELETE", "DROP TABLE v",
                    "ALTER TABLE v ADD COLUMN x INTEGER"):
            refused(server, sql, '"main.v" is a view, not a table')
        refused(server, "DROP VIEW t", '"main.t" is a table, not a view')
        refused(server, "SELECT * FROM v VERSION AS OF 'main'", "has no versions")
        equal(server.rows("SELECT count(*) FROM t"), [[100]])
        # views are sources like tables
        server.rows("CREATE TABLE c AS SELECT * FROM v WHERE id < 3")
        server.rows("INSERT INTO c SELECT id + 10 FROM v WHERE id < 2")
        server.rows("DELETE FROM c WHERE id IN (SELECT id FROM v WHERE id = 1)")
        server.rows("CREATE VIEW cv AS SELECT max(id) AS top FROM c")
        server.rows("UPDATE c SET id = id + top FROM cv WHERE id = 0")
        equal(server.rows("SELECT id FROM c ORDER BY 1"), [[2], [10], [11], [11]])


@test
def the_stored_form_is_iceberg_view_metadata():
    with Server() as server:
        server.rows("CREATE SCHEMA a")
        server.rows("CREATE SCHEMA a.b")
        server.query("USE a.b; CREATE TABLE t (x INTEGER); CREATE VIEW v (c COMMENT 'the c') COMMENT 'it' AS "
                     "SELECT x /* as it was */ FROM t -- end")
        server.rows("CREATE OR REPLACE VIEW a.b.v AS SELECT 1 AS c, 'a' AS d")
        contains(server.rows("SHOW CREATE VIEW a.b.v")[0][0], "AS SELECT 1 AS c, 'a' AS d")
        server.query("USE a.b; ALTER VIEW v AS SELECT x FROM t; COMMENT ON VIEW v IS 'mine'; "
                     "COMMENT ON COLUMN v.x IS 'its x'")
        equal(server.rows("SHOW TBLPROPERTIES a.b.v"), [["comment", "mine"]])
        equal(server.query("USE a.b; SHOW VIEWS")["rows"], [["v"]])
        equal(server.rows("DESCRIBE a.b.v"), [["x", "INTEGER", "YES", None, None, "its x"]])
        server.restart()
        equal(server.rows("SELECT count(*) FROM a.b.v"), [[0]])


@test
def a_replaced_table_keeps_its_identity_and_history():
    with Server() as server:
        lake(server)
        server.rows("ALTER TABLE t CREATE TAG before")
        server.rows("CREATE OR REPLACE TABLE t (n VARCHAR, id BIGINT) PARTITIONED BY (bucket(4, id)) COMMENT 'new'")
        equal(server.rows("SELECT count(*) FROM t"), [[0]])
        equal(server.rows("SELECT count(*), count(DISTINCT name) FROM t VERSION AS OF 'before'"), [[100, 100]])
        server.rows("CREATE OR REPLACE TABLE t AS SELECT id, name FROM t VERSION AS OF 'before' WHERE id < 10")
        equal(server.rows("SELECT count(*), sum(id)::INTEGER FROM t"), [[10, 45]])
        equal(server.rows("SELECT count(*) FROM t.snapshots"), [[2]])
        server.rows("CREATE TABLE l LIKE t")
        equal(server.rows("DESCRIBE l"), server.rows("DESCRIBE t"))
        server.rows("CREATE TABLE o (g BIGINT, id BIGINT NOT NULL, s STRUCT(a INTEGER, b INTEGER)) PARTITIONED BY (g)")
        server.query("ALTER TABLE o WRITE ORDERED BY s.b DESC, id; ALTER TABLE o SET IDENTIFIER FIELDS id")
        made = server.value("SHOW CREATE TABLE o")
        contains(made, 'WRITE ORDERED BY "s"."b" DESC, "id"', 'SET IDENTIFIER FIELDS "id"')
        server.query("CREATE TABLE p LIKE o; CREATE OR REPLACE TABLE l LIKE o")
        equal(server.value("SHOW CREATE TABLE p"), made.replace('"o"', '"p"'))
        equal(server.value("SHOW CREATE TABLE l"), made.replace('"o"', '"l"'))
        server.query("INSERT OR REPLACE INTO l VALUES (1, 1, NULL); INSERT OR REPLACE INTO l VALUES (2, 1, NULL)")
        equal(server.rows("SELECT g FROM l"), [[2]])
        server.rows("DROP TABLE o, p")
        server.rows("CREATE VIEW v AS SELECT 1 AS x")
        refused(server, "CREATE OR REPLACE TABLE v AS SELECT 1 AS x", 'view "main.v" exists already')
        refused(server, "DROP TABLE t, nothing", "nothing")
        equal(server.rows("SELECT count(*) FROM t"), [[10]])
        server.rows("DROP TABLE IF EXISTS t, nothing, l PURGE")
        equal(server.rows("SHOW TABLES"), [["v"]])


@test
def the_catalog_is_tables():
    with Server() as server:
        server.rows("CREATE TABLE t (id BIGINT NOT NULL COMMENT 'key', d DECIMAL(10, 2)) COMMENT 'the table'")
        server.rows("CREATE VIEW v AS SELECT id FROM t")
        equal(server.rows("SELECT table_name, table_type FROM information_schema.tables ORDER BY 1"),
              [["t", "BASE TABLE"], ["v", "VIEW"]])
        equal(server.rows("SELECT column_name, is_nullable, data_type, numeric_precision, numeric_scale, column_comment "
                          "FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position"),
              [["id", "NO", "BIGINT", 64, 0, "key"], ["d", "YES", "DECIMAL(10,2)", 10, 2, None]])
        equal(server.rows("SELECT c.relname, c.relkind, n.nspname, a.attname, format_type(a.atttypid, a.atttypmod) "
                          "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute a "
                          "ON a.attrelid = c.oid ORDER BY 1, a.attnum"),
              [["t", "r", "main", "id", "bigint"], ["t", "r", "main", "d", "numeric(10,2)"],
               ["v", "v", "main", "id", "bigint"]])
        equal(server.rows("SELECT description FROM pg_description ORDER BY objsubid"), [["the table"], ["key"]])
        equal(server.rows("SELECT count(*) FROM pg_index"), [[0]])
        equal(server.rows("SELECT current_schemas(true), current_schema(), current_database()"),
              [[["main", "pg_catalog"], "main", "tarn"]])
        equal(server.rows("SELECT c.relname, pg_catalog.pg_get_viewdef(c.oid, true), obj_description(c.oid, 'pg_class'), "
                          "pg_table_is_visible(c.oid) FROM pg_class c ORDER BY 1"),
              [["t", None, "the table", True], ["v", "SELECT id FROM t", None, True]])
        equal(server.rows("SELECT a.attname, col_description(a.attrelid, a.attnum), "
                          "pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
                          "WHERE a.attrelid = (SELECT oid FROM pg_class WHERE relname = 't') ORDER BY a.attnum"),
              [["id", "key", "bigint"], ["d", None, "numeric(10,2)"]])
        equal(server.rows("SELECT has_table_privilege('t', 'INSERT'), has_table_privilege('root', 'main.v', 'SELECT'), "
                          "has_table_privilege('nothing', 'SELECT'), has_schema_privilege('main', 'CREATE')"),
              [[True, True, False, True]])
        equal(server.query("CREATE SCHEMA e; USE e; SELECT pg_table_is_visible(oid) FROM pg_class ORDER BY 1")["rows"], [[False]] * 2)
        refused(server, "SELECT system.main.pg_get_viewdef(1)", "")
        refused(server, "SELECT pg_get_viewdef_(1)", "does not exist")
        equal([row[0] for row in server.rows("SHOW FUNCTIONS LIKE 'date_tr%'")], ["date_trunc"])
        check(len(server.rows("SHOW FUNCTIONS")) > 500, "all of them")
        listed = server.request("GET", "/api/v1/namespaces/main/tables").ok().json["tables"]
        equal([(one["name"], one["kind"]) for one in listed], [("t", "table"), ("v", "view")])
        refused(server, "SELECT * FROM duckdb_tables()", "not allowed")
        refused(server, "SELECT * FROM information_schema.nothing", "There are: schemata")


@test
def transactions_read_views_over_what_they_wrote():
    with Server() as server:
        lake(server)
        server.rows("CREATE VIEW v AS SELECT id FROM t")
        equal(server.query("BEGIN; INSERT INTO t VALUES (100, 'a', 0); SELECT count(*) FROM v")["rows"], [[101]])
        equal(server.query("BEGIN; ALTER TABLE t RENAME COLUMN id TO k; CREATE OR REPLACE VIEW v AS SELECT k FROM t;"
                           "SELECT max(k) FROM v")["rows"], [[99]])
        equal(server.rows("SELECT count(*) FROM v"), [[100]])


main()

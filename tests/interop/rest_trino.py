#!/usr/bin/env python3
"""Trino on tables of the REST catalog, with what `tarn connect trino` printed and nothing more: a key of its own, keys for
files from the catalog. What Trino makes tarn's SQL reads, and the other way round."""
# timeout: 600
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Failed, Server, check, contains, equal, fails, main, test  # noqa: E402
from trinos import Trino  # noqa: E402

STATE = {}


def connect(server, *options):
    code, out, err = server.run("connect", "trino", *options)
    equal(code, 0, err)
    return out


def administration(server):
    """register_table is off as Trino comes, and not for keys that come with a table."""
    with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
        access_key, secret = file.read().split()
    return (connect(server, "--as", "root").replace("vended-credentials-enabled=true", "vended-credentials-enabled=false")
            + "iceberg.register-table-procedure.enabled=true\n"
            + f"s3.aws-access-key={access_key}\ns3.aws-secret-key={secret}\n")


def lake():
    if "server" not in STATE:
        STATE["server"] = Server()
    return STATE["server"]


def trino():
    if "trino" not in STATE:
        STATE["trino"] = Trino(lake().work, {"tarn": connect(lake()), "admin": administration(lake()),
                                             "looker": connect(lake(), "--as", "looker", "--role", "reader")})
    return STATE["trino"]


def tell(*statements, **options):
    for sql in statements:
        trino().rows(sql, **options)


def refused(reason, sql, **options):
    try:
        trino().rows(sql, **options)
    except Failed as error:
        contains(str(error), reason)
    else:
        check(False, f"{sql} went through")


def text(cell):
    """Times as tarn writes them and as Trino does, alike."""
    if not isinstance(cell, str):
        return cell
    return re.sub(r"\.0+(?= UTC|$)", "", re.sub(r"(?<=\d)Z$", " UTC", re.sub(r"(?<=\d)T(?=\d)", " ", cell)))


def both(sql):
    """The rows of a query without LIMIT as Trino and tarn see them, which are the same."""
    ours, theirs = ([[text(cell) for cell in row] for row in ask(sql)] for ask in (lake().rows, trino().rows))
    equal(sorted(theirs, key=str), sorted(ours, key=str), sql)
    return ours


@test
def every_type_is_read_as_it_was_written():
    tell("CREATE TABLE types (id integer, b boolean, l bigint, r real, f double, de decimal(20,4), s varchar, d date, t time(6),"
         " ts timestamp(6), tz timestamp(6) with time zone, u uuid, bin varbinary, a array(integer))",
         "INSERT INTO types VALUES (1, true, 2, REAL '1.5', 2.5, DECIMAL '12345.6789', 'hé', DATE '2024-02-29',"
         " TIME '12:34:56.789012', TIMESTAMP '2024-01-02 03:04:05.678901', TIMESTAMP '2024-01-02 03:04:05.678901 UTC',"
         " UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', X'00ff', ARRAY[1, 2, NULL])",
         "INSERT INTO types (id) VALUES (2)")
    equal(len(both("SELECT * FROM types")), 2)
    lake().query(r"INSERT INTO types VALUES (3, false, -2, -1.5, 1e300, -0.0001, '', '0001-01-01', '00:00:00', '1969-12-31 23:59:59',"
                 r" '2024-06-01 00:00:00+02', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\xFF', [])")
    equal(len(both("SELECT * FROM types WHERE id <> 2")), 2)
    tell("CREATE TABLE nested (id integer, m map(varchar, bigint), ro row(x integer, y array(row(z varchar))))",
         "INSERT INTO nested VALUES (1, MAP(ARRAY['k'], ARRAY[9]), ROW(7, ARRAY[ROW('z')]))")
    equal(lake().rows("SELECT m['k'], ro.x, ro.y[1].z FROM nested"), [[9, 7, "z"]])
    lake().query("INSERT INTO nested VALUES (2, MAP {'a': 1}, {'x': 2, 'y': [{'z': 'b'}]})")
    equal(trino().rows("SELECT m['a'], ro.x, ro.y[1].z FROM nested WHERE id = 2"), [[1, 2, "b"]])


@test
def partitions_of_every_transform_and_changes_of_rows_by_both():
    tell("CREATE TABLE parted (id bigint, d date, ts timestamp(6), s varchar, e date) WITH (partitioning = ARRAY['day(d)',"
         " 'bucket(id, 4)', 'truncate(s, 2)', 'hour(ts)', 'month(e)'], sorted_by = ARRAY['id'])",
         "INSERT INTO parted SELECT x, DATE '2024-01-01' + (x % 3) * INTERVAL '1' DAY, TIMESTAMP '2024-01-01 00:00:00'"
         " + x * INTERVAL '1' HOUR, 's' || CAST(x AS varchar), DATE '2024-05-05' FROM UNNEST(sequence(1, 10)) AS u(x)")
    equal(len(both("SELECT * FROM parted WHERE d = DATE '2024-01-02'")), 4)
    tell("UPDATE parted SET s = 'x' WHERE id = 3", "DELETE FROM parted WHERE id = 1",
         "DELETE FROM parted WHERE d = DATE '2024-01-02'",
         "MERGE INTO parted t USING (VALUES (3, 'm'), (99, 'n')) AS u(id, s) ON t.id = u.id"
         " WHEN MATCHED THEN UPDATE SET s = u.s WHEN NOT MATCHED THEN INSERT (id, s) VALUES (u.id, u.s)")
    equal(sorted(row[0] for row in both("SELECT * FROM parted")), [2, 3, 5, 6, 8, 9, 99])
    for sql in ("INSERT INTO parted VALUES (200, '2024-05-05', '2024-05-05 01:00:00', 'tarn', NULL)",
                "UPDATE parted SET s = 'again' WHERE id = 99", "DELETE FROM parted WHERE id = 9",
                "MERGE INTO parted t USING (SELECT 2 AS id UNION ALL SELECT 300) u ON t.id = u.id WHEN MATCHED THEN DELETE"
                " WHEN NOT MATCHED THEN INSERT (id) VALUES (u.id)"):
        lake().query(sql)
    equal(sorted(row[0] for row in both("SELECT * FROM parted")), [3, 5, 6, 8, 99, 200, 300])
    tell("TRUNCATE TABLE parted")
    equal(both("SELECT * FROM parted"), [])


@test
def tables_come_from_queries_at_places_of_their_own_and_are_replaced():
    tell("CREATE TABLE made WITH (partitioning = ARRAY['bucket(n, 2)']) AS SELECT x AS n FROM UNNEST(sequence(1, 5)) AS u(x)",
         "CREATE TABLE placed WITH (location = 's3://warehouse/elsewhere/placed') AS SELECT 1 AS n")
    equal(len(both("SELECT * FROM made")), 5)
    equal(both("SELECT * FROM placed"), [[1]])
    tell("CREATE OR REPLACE TABLE placed AS SELECT 2 AS n, 'b' AS c")
    equal(both("SELECT * FROM placed"), [[2, "b"]])
    equal(trino().rows("SELECT n FROM placed FOR VERSION AS OF "
                       f"{lake().value('SELECT min_by(snapshot_id, committed_at) FROM placed.snapshots')}"), [[1]])
    refused("overlaps that of table \"main.placed\"", "CREATE TABLE inside (n integer) WITH (location ="
                                                      " 's3://warehouse/elsewhere/placed/inside')")
    refused("lies outside the warehouse", "CREATE TABLE inside (n integer) WITH (location = 's3://other/place')")


@test
def schemas_of_tables_change():
    tell("CREATE TABLE grown (id integer, s varchar NOT NULL, gone integer)", "INSERT INTO grown VALUES (1, 'a', 1)",
         "ALTER TABLE grown ADD COLUMN st row(a integer)", "ALTER TABLE grown ADD COLUMN st.b varchar",
         "ALTER TABLE grown ADD COLUMN front bigint FIRST", "ALTER TABLE grown RENAME COLUMN s TO text",
         "ALTER TABLE grown DROP COLUMN gone", "ALTER TABLE grown ALTER COLUMN id SET DATA TYPE bigint",
         "ALTER TABLE grown ALTER COLUMN text DROP NOT NULL", "ALTER TABLE grown SET PROPERTIES partitioning = ARRAY['id']",
         "COMMENT ON TABLE grown IS 'it grew'", "COMMENT ON COLUMN grown.text IS 'of grown'",
         "INSERT INTO grown VALUES (5, 2, NULL, ROW(3, 'c'))")
    equal(lake().rows("SELECT front, id, text, st.a, st.b FROM grown ORDER BY id"), [[None, 1, "a", None, None], [5, 2, None, 3, "c"]])
    equal([row[:2] for row in lake().rows("DESCRIBE grown")],
          [["front", "BIGINT"], ["id", "BIGINT"], ["text", "VARCHAR"], ["st", 'STRUCT("a" INTEGER, "b" VARCHAR)']])
    lake().query("ALTER TABLE grown ADD COLUMN ours DOUBLE")
    lake().query("ALTER TABLE grown DROP COLUMN front")
    lake().query("INSERT INTO grown (id, ours) VALUES (3, 1.5)")
    equal(trino().rows("SELECT id, text, ours FROM grown ORDER BY id"), [[1, "a", None], [2, None, None], [3, None, 1.5]])
    made = trino().rows("SHOW CREATE TABLE grown")[0][0]
    contains(made, "COMMENT 'it grew'")
    contains(made, "partitioning = ARRAY['id']")
    tell("CREATE TABLE old (id integer) WITH (format_version = 1)", "INSERT INTO old VALUES 1, 2",
         "ALTER TABLE old SET PROPERTIES format_version = 2", "DELETE FROM old WHERE id = 1")
    equal(both("SELECT * FROM old"), [[2]])


@test
def views_keep_their_dialect_and_are_seen_by_both():
    tell("CREATE TABLE seen AS SELECT 1 AS id, 'a' AS s", "CREATE VIEW few AS SELECT id, upper(s) AS u FROM seen")
    equal(trino().rows("SELECT * FROM few"), [[1, "A"]])
    fails("not_supported", lake().query, "SELECT * FROM few")
    tell("CREATE OR REPLACE VIEW few COMMENT 'fewer' AS SELECT id FROM seen")
    equal(trino().rows("SELECT * FROM few"), [[1]])
    lake().query("CREATE VIEW ours AS SELECT id FROM seen")
    refused("Cannot read unsupported dialect 'duckdb'", "SELECT * FROM ours")
    kinds = dict(trino().rows("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'main'"))
    equal([kinds[name] for name in ("seen", "few", "ours")], ["BASE TABLE", "VIEW", "VIEW"])
    tell("ALTER VIEW few RENAME TO fewest", "DROP VIEW fewest")
    check(["fewest"] not in trino().rows("SHOW TABLES"), "it is still there")


@test
def what_happened_is_told_and_older_states_are_read():
    tell("CREATE TABLE told (id integer)", "INSERT INTO told VALUES 1")
    lake().query("INSERT INTO told VALUES (2)")
    lake().query("ALTER TABLE told CREATE BRANCH dev")
    lake().query("INSERT INTO told VALUES (3)")
    seen = trino().rows('SELECT snapshot_id, parent_id, operation FROM "told$snapshots" ORDER BY committed_at')
    equal([[None if cell is None else str(cell) for cell in row] for row in seen],
          lake().rows("SELECT snapshot_id, parent_id, operation FROM told.snapshots ORDER BY committed_at"))
    equal(len(seen), 4)
    equal(trino().rows(f"SELECT * FROM told FOR VERSION AS OF {seen[1][0]}"), [[1]])
    equal(sorted(trino().rows("SELECT * FROM told FOR VERSION AS OF 'dev'")), [[1], [2]])
    moment = trino().rows(f'SELECT committed_at FROM "told$snapshots" WHERE snapshot_id = {seen[3][0]}')[0][0]
    equal(len(trino().rows(f"SELECT * FROM told FOR TIMESTAMP AS OF TIMESTAMP '{moment}'")), 3)
    for name in ("files", "history", "manifests", "all_manifests", "entries", "all_entries", "refs", "properties", "partitions",
                 "metadata_log_entries"):
        check(trino().rows(f'SELECT * FROM "told${name}"'), name)
    equal(trino().rows(f"SELECT id, _change_type FROM TABLE(system.table_changes('main', 'told', {seen[2][0]}, {seen[3][0]}))"),
          [[3, "insert"]])
    tell(f"ALTER TABLE told EXECUTE rollback_to_snapshot({seen[1][0]})")
    equal(both("SELECT * FROM told"), [[1]])


@test
def tables_are_maintained():
    tell("CREATE TABLE kept (id integer, p integer) WITH (partitioning = ARRAY['p'])",
         *(f"INSERT INTO kept VALUES ({n}, {n % 2})" for n in range(6)), "DELETE FROM kept WHERE id = 0", "ANALYZE kept")
    stats = {row[0]: row[2] for row in trino().rows("SHOW STATS FOR kept")}
    equal(stats["id"], 5.0)
    info = lake().request("GET", "/iceberg/v1/namespaces/main/tables/kept").ok().json["metadata"]
    equal([blob["type"] for blob in info["statistics"][-1]["blob-metadata"]], ["apache-datasketches-theta-v1"] * 2)
    at_once = {"tarn__expire_snapshots_min_retention": "0s", "tarn__remove_orphan_files_min_retention": "0s"}
    tell("ALTER TABLE kept EXECUTE optimize", "ALTER TABLE kept EXECUTE optimize_manifests",
         "ALTER TABLE kept EXECUTE expire_snapshots(retention_threshold => '0s')",
         "ALTER TABLE kept EXECUTE remove_orphan_files(retention_threshold => '0s')", **at_once)
    equal(trino().rows('SELECT sum(record_count), count(*) FROM "kept$files"'), [[5, 2]])
    equal(lake().value("SELECT count(*) FROM kept.snapshots"), 1)
    equal(len(both("SELECT * FROM kept")), 5)
    tell("ALTER TABLE kept EXECUTE drop_extended_stats")
    equal(lake().request("GET", "/iceberg/v1/namespaces/main/tables/kept").ok().json["metadata"]["statistics"], [])
    equal(len(both("SELECT * FROM kept")), 5)


@test
def names_come_go_and_move():
    tell("CREATE SCHEMA sales", 'CREATE SCHEMA "sales.inner"', "CREATE SCHEMA there WITH (location = 's3://warehouse/of-there')",
         'CREATE TABLE "sales.inner".x AS SELECT 1 AS a', "CREATE TABLE there.t AS SELECT 2 AS a")
    equal(lake().rows('SELECT * FROM "sales.inner".x'), [[1]])
    contains(lake().request("GET", "/iceberg/v1/namespaces/there/tables/t").ok().json["metadata"]["location"], "s3://warehouse/of-there/")
    tell("ALTER TABLE there.t RENAME TO sales.moved", 'ALTER TABLE sales.moved RENAME TO "Odd Name"', schema="sales")
    equal(lake().rows('SELECT * FROM sales."odd name"'), [[2]])
    refused("nested schema", "DROP SCHEMA sales CASCADE")
    refused("Cannot drop non-empty schema", "DROP SCHEMA sales")
    tell('DROP SCHEMA "sales.inner" CASCADE', 'DROP TABLE sales."odd name"', "CREATE TABLE sales.more AS SELECT 1 AS a",
         "CREATE VIEW sales.v AS SELECT * FROM sales.more", "DROP SCHEMA sales CASCADE", "DROP SCHEMA there")
    spaces = [row[0] for row in trino().rows("SHOW SCHEMAS")]
    check("sales" not in spaces and "there" not in spaces and "main" in spaces, str(spaces))
    fails("namespace_not_found", lake().query, "SELECT * FROM sales.more")


@test
def tables_are_registered_with_root_s_key():
    tell("CREATE TABLE lent AS SELECT 7 AS n")
    place = lake().request("GET", "/iceberg/v1/namespaces/main/tables/lent").ok().json["metadata"]["location"]
    tell("CALL system.unregister_table('main', 'lent')", catalog="admin")
    fails("table_not_found", lake().query, "SELECT * FROM lent")
    tell(f"CALL system.register_table('main', 'back', '{place}')", catalog="admin")
    equal(both("SELECT * FROM back"), [[7]])


@test
def a_reader_reads_and_changes_nothing():
    tell("CREATE TABLE looked AS SELECT 1 AS n")
    equal(trino().rows("SELECT * FROM looked", catalog="looker"), [[1]])
    refused("Access Denied", "INSERT INTO looked VALUES 2", catalog="looker")
    refused('may not "table.create"', "CREATE TABLE mine (n integer)", catalog="looker")
    refused('may not "table.drop"', "DROP TABLE looked", catalog="looker")
    equal(both("SELECT * FROM looked"), [[1]])


@test
def deletes_of_version_3_are_read():
    lake().query("CREATE TABLE three (id BIGINT, v VARCHAR) WITH (format_version = 3)")
    lake().query("INSERT INTO three VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    lake().query("DELETE FROM three WHERE id = 1")
    equal(len(both("SELECT * FROM three")), 2)
    tell("INSERT INTO three VALUES (4, 'd')")
    lake().query("UPDATE three SET v = 'x' WHERE id = 2")
    equal(len(both("SELECT * FROM three")), 3)


@test
def both_write_one_table_at_once():
    tell("CREATE TABLE busy (n integer) WITH (max_commit_retry = 30)")
    problems = []

    def write(run, first):
        try:
            for n in range(5):
                run(f"INSERT INTO busy VALUES ({first + n})")
        except Exception as error:  # noqa: BLE001 - told below
            problems.append(error)

    threads = [threading.Thread(target=write, args=(run, first)) for run, first in
               ((trino().rows, 0), (trino().rows, 100), (lake().query, 200), (lake().query, 300))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not problems, str(problems))
    equal(sorted(row[0] for row in both("SELECT n FROM busy")), [first + n for first in (0, 100, 200, 300) for n in range(5)])


@test
def what_tarn_does_not_read_is_refused_by_name():
    tell("CREATE TABLE orc WITH (format = 'ORC') AS SELECT 1 AS n")
    equal(trino().rows("SELECT * FROM orc"), [[1]])
    fails("not_supported", lake().query, "SELECT * FROM orc")


try:
    main()
finally:
    if "trino" in STATE:
        STATE["trino"].close()

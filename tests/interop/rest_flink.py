#!/usr/bin/env python3
"""Flink on tables of the REST catalog, with what `tarn connect flink` printed and nothing more: batches, streams with
checkpoints, upserts. What Flink makes tarn's SQL reads, and the other way round."""
# timeout: 600
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from flinks import Flink  # noqa: E402
from tarn import Failed, Server, check, contains, equal, fails, main, test  # noqa: E402

STATE = {}
STREAM = {"execution__runtime-mode": "streaming", "execution__checkpointing__interval": "300ms"}


def lake():
    if "server" not in STATE:
        STATE["server"] = Server()
    return STATE["server"]


def flink():
    """A session that ran what connect printed."""
    if "flink" not in STATE:
        code, out, err = lake().run("connect", "flink")
        equal(code, 0, err)
        STATE["flink"] = Flink(lake().work)
        code = "\n".join(line for line in out.splitlines() if not line.startswith("--"))
        tell(*(statement for statement in code.split(";") if statement.strip()))
    return STATE["flink"]


def tell(*statements, **settings):
    for sql in statements:
        flink().rows(sql, **settings)


def refused(reason, sql):
    try:
        flink().rows(sql)
    except Failed as error:
        contains(str(error), reason)
    else:
        check(False, f"{sql} went through")


def text(cell):
    """Flink ends a fraction of a second where its zeros begin."""
    return re.sub(r"(T\d\d:\d\d:\d\d\.\d*?)0+(?=Z?$)", r"\1", cell) if isinstance(cell, str) else cell


def both(sql):
    """The rows of a query as Flink and tarn see them, which are the same."""
    ours, theirs = (sorted(([text(cell) for cell in row] for row in ask(sql)), key=str) for ask in (lake().rows, flink().rows))
    equal(theirs, ours, sql)
    return ours


@test
def every_type_is_read_as_it_was_written():
    tell("CREATE TABLE types (id BIGINT, b BOOLEAN, i INT, r FLOAT, f DOUBLE, s STRING, d DATE, t TIME, ts TIMESTAMP(6),"
         " tz TIMESTAMP_LTZ(6), bin BYTES, a ARRAY<INT>, ro ROW<x INT, y STRING>)",
         "INSERT INTO types SELECT 1, true, 2, CAST(1.5 AS FLOAT), 2.5e0, 'hé', DATE '2024-02-29', TIME '12:34:56',"
         " TIMESTAMP '2024-01-02 03:04:05.678901', CAST(TIMESTAMP '2024-01-02 03:04:05.678901' AS TIMESTAMP_LTZ(6)), x'00ff',"
         " ARRAY[1, 2], ROW(7, 'z')")
    equal(len(both("SELECT * FROM types")), 1)
    lake().query(r"INSERT INTO types VALUES (2, false, -2, -1.5, 1e300, '', '1969-12-31', '00:00:00', '1969-12-31 23:59:59.5',"
                 r" '2024-06-01 00:00:00.25+02', '\xFF', [], {'x': 1, 'y': NULL})")
    lake().query("INSERT INTO types (id) VALUES (3)")
    equal(len(both("SELECT * FROM types")), 3)
    tell("CREATE TABLE more (de DECIMAL(20, 4), m MAP<STRING, BIGINT>)",
         "INSERT INTO more SELECT CAST(12345.6789 AS DECIMAL(20, 4)), MAP['k', CAST(9 AS BIGINT)]")
    equal(lake().rows("SELECT de, m['k'] FROM more"), [["12345.6789", 9]])
    lake().query("INSERT INTO more VALUES (-0.0001, MAP {'a': 1})")
    equal(sorted(flink().rows("SELECT CAST(de AS STRING), CARDINALITY(m) FROM more")), [["-0.0001", 1], ["12345.6789", 1]])


@test
def both_write_a_table_and_read_it():
    tell("CREATE TABLE parted (id BIGINT, p STRING) PARTITIONED BY (p)",
         "INSERT INTO parted VALUES (1, 'a'), (2, 'b'), (3, 'c')", "INSERT OVERWRITE parted PARTITION (p = 'a') SELECT CAST(5 AS BIGINT)")
    equal(both("SELECT * FROM parted"), [[2, "b"], [3, "c"], [5, "a"]])
    equal(lake().value("SELECT count(*) FROM parted.partitions"), 3)
    lake().query("INSERT INTO parted VALUES (4, 'tarn')")
    lake().query("UPDATE parted SET id = 20 WHERE id = 2")
    lake().query("DELETE FROM parted WHERE id = 3")
    equal(both("SELECT * FROM parted"), [[20, "b"], [4, "tarn"], [5, "a"]])
    tell("ALTER TABLE parted ADD more INT", "ALTER TABLE parted SET ('k' = 'v')", "ALTER TABLE parted RENAME TO parts",
         "INSERT INTO parts VALUES (6, 'a', 1)")
    lake().query("ALTER TABLE parts ADD COLUMN ours DOUBLE")
    equal(len(both("SELECT * FROM parts")), 4)
    seen = flink().rows("SELECT snapshot_id, operation FROM `parts$snapshots`")
    equal([[str(cell) for cell in row] for row in seen], lake().rows("SELECT snapshot_id, operation FROM parts.snapshots"
                                                                     " ORDER BY committed_at"))
    first = seen[0][0]
    equal(len(flink().rows(f"SELECT * FROM parts /*+ OPTIONS('snapshot-id' = '{first}') */")), 3)


@test
def upserts_of_streams_are_equality_deletes_that_tarn_applies():
    tell("CREATE TABLE upserted (id BIGINT NOT NULL, v STRING, PRIMARY KEY (id) NOT ENFORCED)"
         " WITH ('format-version' = '2', 'write.upsert.enabled' = 'true')")
    tell("INSERT INTO upserted VALUES (1, 'a'), (2, 'b')", "INSERT INTO upserted VALUES (1, 'z'), (3, 'c')", **STREAM)
    check(lake().value("SELECT count(*) FROM upserted.files WHERE content = 2") > 0, "no equality deletes")
    equal(both("SELECT * FROM upserted"), [[1, "z"], [2, "b"], [3, "c"]])
    lake().query("UPDATE upserted SET v = 'ours' WHERE id = 2")
    lake().query("DELETE FROM upserted WHERE id = 3")
    tell("INSERT INTO upserted VALUES (3, 'again')", **STREAM)
    equal(both("SELECT * FROM upserted"), [[1, "z"], [2, "ours"], [3, "again"]])


@test
def a_stream_commits_at_each_checkpoint_while_tarn_writes_too():
    tell("CREATE TABLE streamed (n BIGINT)",
         "CREATE TEMPORARY TABLE default_catalog.default_database.source (n BIGINT) WITH ('connector' = 'datagen',"
         " 'rows-per-second' = '200', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '400')")
    lake().query("INSERT INTO streamed VALUES (1000)")
    tell("INSERT INTO streamed SELECT n FROM default_catalog.default_database.source", **STREAM)
    equal(lake().rows("SELECT count(*), count(DISTINCT n), sum(n) FROM streamed"), [[401, 401, 81200]])
    equal(flink().rows("SELECT count(*) FROM streamed"), [[401]])


@test
def databases_and_tables_come_and_go():
    tell("CREATE DATABASE sales", "CREATE TABLE sales.t (id BIGINT)", "INSERT INTO sales.t VALUES (1)")
    equal(lake().rows("SELECT * FROM sales.t"), [[1]])
    lake().query("CREATE SCHEMA made_here")
    listed = [row[0] for row in flink().rows("SHOW DATABASES")]
    check({"main", "sales", "made_here"} <= set(listed), str(listed))
    refused("Namespace sales is not empty", "DROP DATABASE sales")
    tell("DROP TABLE sales.t", "DROP DATABASE sales")
    fails("namespace_not_found", lake().query, "SELECT * FROM sales.t")


@test
def deletes_of_version_3_are_read():
    tell("CREATE TABLE three (id BIGINT, v STRING) WITH ('format-version' = '3')", "INSERT INTO three VALUES (1, 'a'), (2, 'b')")
    lake().query("DELETE FROM three WHERE id = 1")
    equal(both("SELECT * FROM three"), [[2, "b"]])


try:
    main()
finally:
    if "flink" in STATE:
        STATE["flink"].close()

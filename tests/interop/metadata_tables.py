#!/usr/bin/env python3
"""The metadata tables of SQL (t.snapshots, t.files …) against what PyIceberg tells of the same table: a table of
several types, partition specs and schemas, in a folder that both read."""
import datetime
import decimal
import io
import os
import sys
import uuid

import pyarrow
import pyarrow.ipc
from pyiceberg.table import StaticTable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import icetable  # noqa: E402
from tarn import Server, check, equal, main, test  # noqa: E402

STATE = {}


def lake():
    if not STATE:
        made = Server(start=False)
        made.folder = os.path.realpath(os.path.join(made.work, "lake"))
        os.mkdir(made.folder)
        made.settings = {"warehouse.roots": made.folder}
        STATE["server"] = made.start()
        by_tarn(made)
    return STATE["server"]


def by_tarn(made):
    made.rows(f"CREATE TABLE ours (id BIGINT, name VARCHAR, price DECIMAL(9, 2), day DATE, raw BLOB, real DOUBLE, "
              f"ok BOOLEAN, seen TIMESTAMPTZ, place STRUCT(x INTEGER, y VARCHAR)) PARTITIONED BY (month(day), name) "
              f"WITH (location = 'file://{made.folder}/ours')")
    for start in (0, 10):
        made.rows(f"INSERT INTO ours SELECT i, chr(97 + (i % 2)::INTEGER), i * 1.25, DATE '2024-01-30' + (i % 4)::INTEGER, "
                  f"encode('r' || i), i / 3, i % 2 = 0, TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (i) HOUR, "
                  f"{{'x': i, 'y': 'y' || i}} FROM range({start}, {start + 10}) r(i)")
    made.rows("ALTER TABLE ours CREATE TAG two")
    made.rows("ALTER TABLE ours ADD PARTITION FIELD bucket(4, id) AS shard")
    made.rows("ALTER TABLE ours ADD COLUMN more INTEGER")
    made.rows("INSERT INTO ours BY NAME SELECT 100 AS id, 'z' AS name, DATE '2025-05-05' AS day, 7 AS more")
    location = made.request("GET", "/api/v1/namespaces/main/tables/ours").ok().json["metadata_location"]
    STATE["ours"] = StaticTable.from_metadata(location)


def plain(value):
    """One form for what two libraries say of one value."""
    if isinstance(value, dict):
        if set(value) == {"key", "value"}:
            return (plain(value["key"]), plain(value["value"]))
        # PyIceberg has metrics of a struct, without any; tarn of its fields, as Spark has them.
        return {key: plain(value[key]) for key in sorted(value) if not key.startswith("place")}
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, list):
        return sorted((plain(item) for item in value), key=repr) or None
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, (datetime.date, uuid.UUID)):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return str(value.normalize())
    return value


def rows_of(table, names):
    return sorted(({name: plain(row[name]) for name in names} for row in table.to_pylist()), key=repr)


def sql_table(sql):
    body = lake().request("POST", "/api/v1/query", {"sql": sql, "format": "arrow"}).ok().body
    return pyarrow.ipc.open_stream(io.BytesIO(body)).read_all()


def same(name, metadata_table, theirs, except_for=()):
    """Columns that PyIceberg has stand in tarn's table too, in its order, with its values."""
    ours = sql_table(f"SELECT * FROM {name}.{metadata_table}")
    names = [column for column in theirs.column_names if column not in except_for]
    shown = [column for column in ours.column_names if column in names]
    equal(sorted(names), sorted(shown), f"columns of {name}.{metadata_table}")
    equal(rows_of(ours, names), rows_of(theirs, names), f"{name}.{metadata_table}")


@test
def what_the_metadata_file_tells():
    lake()
    name = "ours"
    inspect = STATE[name].inspect
    same(name, "snapshots", inspect.snapshots())
    same(name, "history", inspect.history())
    same(name, "refs", inspect.refs())
    # PyIceberg gives a static table's log its own file's time; tarn the metadata's.
    same(name, "metadata_log_entries", inspect.metadata_log_entries())


@test
def what_manifests_tell():
    lake()
    name = "ours"
    inspect = STATE[name].inspect
    same(name, "manifests", inspect.manifests())
    same(name, "all_manifests", inspect.all_manifests())


@test
def what_files_tell():
    lake()
    name = "ours"
    inspect = STATE[name].inspect
    for kind in ("files", "data_files", "delete_files", "all_files", "all_data_files", "all_delete_files"):
        same(name, kind, getattr(inspect, kind)(), ["partition"])
    for snapshot in STATE[name].snapshots():
        ours = sql_table(f"SELECT file_path FROM {name}.files VERSION AS OF {snapshot.snapshot_id}")
        theirs = inspect.files(snapshot.snapshot_id)
        equal(sorted(ours["file_path"].to_pylist()), sorted(theirs["file_path"].to_pylist()), "an older version")


@test
def what_entries_and_partitions_tell():
    lake()
    name = "ours"
    inspect = STATE[name].inspect
    theirs = inspect.entries()
    ours = sql_table(f"SELECT * FROM {name}.entries")
    names = ["status", "snapshot_id", "sequence_number", "file_sequence_number", "readable_metrics"]
    equal(rows_of(ours, names), rows_of(theirs, names), f"{name}.entries")
    equal(sorted(row["data_file"]["file_path"] for row in ours.to_pylist()),
          sorted(row["data_file"]["file_path"] for row in theirs.to_pylist()))
    counts = ["record_count", "file_count", "total_data_file_size_in_bytes", "spec_id", "last_updated_at",
              "last_updated_snapshot_id"]
    equal(rows_of(sql_table(f"SELECT * FROM {name}.partitions"), counts), rows_of(inspect.partitions(), counts),
          f"{name}.partitions")


@test
def they_are_tables_like_any_other():
    server = lake()
    equal(server.value("SELECT sum(record_count) FROM ours.files"), 21)
    equal(server.value("SELECT sum(f.record_count) FROM main.ours.files f WHERE f.partition.name = 'a'"), 10)
    equal(server.value("SELECT count(*) FROM tarn.main.ours.snapshots"), 3)
    equal(server.value("SELECT count(*) FROM ours.snapshots s JOIN ours.history h USING (snapshot_id)"), 3)
    equal(server.value("SELECT sum(files.record_count) FROM ours.files AT (VERSION => 'two')"), 20)
    equal(server.value("SELECT max(readable_metrics.id.upper_bound) FROM ours.files"), 100)
    equal(server.value("SELECT max(readable_metrics.\"place.y\".upper_bound) FROM ours.files"), "y9")
    equal(server.value("SELECT count(DISTINCT e.data_file.file_path) FROM ours.entries e WHERE e.status < 2"),
          server.value("SELECT count(*) FROM ours.files"))
    server.rows("CREATE TABLE kept AS SELECT snapshot_id, committed_at FROM ours.snapshots")
    equal(server.value("SELECT count(*) FROM kept"), 3)
    server.rows("CREATE SCHEMA ours")
    server.rows("CREATE TABLE ours.files AS SELECT 1 AS mine")
    equal(server.rows("SELECT * FROM ours.files"), [[1]], "a table of that name wins")
    check(server.value("SELECT count(*) FROM main.ours.files") > 1, "the longer name is the metadata table's")
    server.rows("DROP SCHEMA ours CASCADE")
    key = server.make_principal("metadata_reader", "reader")
    equal(server.value("SELECT count(*) FROM ours.refs", key=key), 2)


@test
def positions_of_files_and_vectors_are_rows():
    server = lake()
    made = icetable.Table(os.path.join(server.folder, "gone"), [(1, "id", "long"), (2, "name", "string")], 3)
    first = made.data([{"id": i, "name": f"n{i}"} for i in range(10)], 1)
    second = made.data([{"id": i, "name": f"n{i}"} for i in range(30000)], 1)
    made.positions([(first, 0), (first, 9)], 2)
    made.positions([(first, 5)], 3)
    made.vector(second, range(0, 30000, 2), 4)
    location = made.write()
    server.request("POST", "/api/v1/namespaces/main/register", {"name": "gone", "location": location}).ok()
    equal(server.rows("SELECT pos, spec_id, row IS NULL FROM gone.position_deletes WHERE pos IN (5, 9)"
                      " AND content_offset IS NULL ORDER BY pos"), [[5, 0, True], [9, 0, True]])
    equal(server.rows("SELECT count(*), sum(pos), count(DISTINCT file_path), count(DISTINCT delete_file_path)"
                      " FROM gone.position_deletes"), [[15003, sum(range(0, 30000, 2)) + 14, 2, 3]])
    equal(server.value("SELECT count(*) FROM gone.position_deletes p JOIN gone.data_files d USING (file_path)"), 15003)
    plan = server.rows("EXPLAIN SELECT * FROM gone")[-1][1]
    check("; 3 delete files (2 position files, 1 deletion vector)" in plan, plan)


main()

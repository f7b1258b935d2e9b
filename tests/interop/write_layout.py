#!/usr/bin/env python3
"""How tarn lays rows out in files: sizes, number of files, order, row groups, Bloom filters, metrics, types. The files
are read by PyArrow, the metadata by PyIceberg, so that no reader of tarn's own is asked."""
import datetime
import decimal
import os
import sys
import uuid

import duckdb
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.table import StaticTable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from icefiles import adopt, write_table  # noqa: E402
from tarn import LONG, Server, TarnError, check, equal, main, test  # noqa: E402

SERVER = []


def lake():
    if not SERVER:
        server = Server(start=False)
        server.folder = os.path.join(server.work, "lake")
        os.mkdir(server.folder)
        server.settings = {"warehouse.roots": server.folder, "warehouse.location": "file://" + server.folder}
        server.start()
        SERVER.append(server)
    return SERVER[0]


def table(name):
    info = lake().request("GET", f"/api/v1/namespaces/main/tables/{name}").ok().json
    return StaticTable.from_metadata(info["metadata_location"])


class File:
    """A data file: its entry in the manifest, and the file itself."""

    def __init__(self, entry):
        self.entry = entry
        self.path = entry.file_path.removeprefix("file://")
        self.size = os.path.getsize(self.path)
        self.footer = pq.read_metadata(self.path)
        self.groups = [self.footer.row_group(i) for i in range(self.footer.num_row_groups)]

    def column(self, name):
        return pq.read_table(self.path, columns=[name])[name].to_pylist()


def files(name):
    return [File(task.file) for task in table(name).scan().plan_files()]


def in_order(values, descending=False, nulls_last=False):
    def key(value):
        return (value is None) == nulls_last, 0 if value is None else -value if descending else value
    return all(key(a) <= key(b) for a, b in zip(values, values[1:]))


def refuses(sql, *words):
    try:
        lake().query(sql)
    except TarnError as error:
        for word in words:
            check(word in str(error), f"{error}: lacks {word}")
    else:
        check(False, f"{sql} was not refused")


ROWS = ("SELECT CAST(hash(i) % 1000000000 AS BIGINT) AS k, CAST(i % {0} AS INTEGER) AS p, "
        "repeat(chr(65 + CAST(i % 20 AS INTEGER)), 20) || hash(i) AS s FROM range({1}) t(i)")


def make(name, more="", properties="", order=None):
    with_clause = f" WITH ({properties})" if properties else ""
    lake().query(f"CREATE TABLE {name} (k BIGINT, p INTEGER, s VARCHAR){more}{with_clause}")
    if order:
        lake().query(f"ALTER TABLE {name} WRITE ORDERED BY {order}")


TARGET = 2000000
SIZED = f"'write.target-file-size-bytes' = '{TARGET}'"


def check_sizes(found, divisions):
    """Files end at row groups, so that they may be larger by one; each division may have a small last one."""
    for file in found:
        check(file.size < 2 * TARGET, f"a file of {file.size} bytes")
        equal(file.entry.file_size_in_bytes, file.size)
    small = [file for file in found if file.size < TARGET / 2]
    check(len(small) <= 2 * divisions, f"{len(small)} small files of {len(found)}")


@test
def files_have_the_wanted_size():
    make("sized", properties=SIZED)
    lake().query("INSERT INTO sized " + ROWS.format(10, 1000000))
    found = files("sized")
    check(5 <= len(found) <= 12, f"{len(found)} files")
    check_sizes(found, 1)


@test
def files_of_partitions_have_the_wanted_size():
    make("sized_parts", " PARTITIONED BY (p)", SIZED)
    lake().query("INSERT INTO sized_parts " + ROWS.format(3, 1000000))
    found = files("sized_parts")
    check_sizes(found, 3)
    equal(sum(file.footer.num_rows for file in found), 1000000)
    for file in found:
        equal(set(file.column("p")), {file.entry.partition[0]})


@test
def many_partitions_get_one_file_each():
    each = 10000 if LONG else 500
    make("fragments", " PARTITIONED BY (p)")
    lake().query("INSERT INTO fragments " + ROWS.format(1000, 1000 * each))
    found = files("fragments")
    check(1000 <= len(found) <= 1100, f"{len(found)} files for 1000 partitions")
    equal(len({file.entry.partition[0] for file in found}), 1000)
    equal(sum(file.footer.num_rows for file in found), 1000 * each)


@test
def rows_of_many_partitions_need_little_memory():
    make("frugal", " PARTITIONED BY (p)")
    lake().query("INSERT INTO frugal SELECT i, CAST(hash(i) % 500 AS INTEGER), repeat('x', 200) || hash(i) "
                 "FROM range(1500000) t(i)", limits={"memory_bytes": 200 << 20})
    check(len(files("frugal")) <= 600, f"{len(files('frugal'))} files for 500 partitions")


@test
def an_order_holds_across_files():
    make("ordered", properties=SIZED, order="k")
    lake().query("INSERT INTO ordered " + ROWS.format(10, 1000000))
    found = files("ordered")
    check_sizes(found, 1)
    check(len(found) > 3, "one file proves little")
    ranges = []
    for file in found:
        values = file.column("k")
        check(in_order(values), "a file is out of order")
        equal(file.entry.sort_order_id, table("ordered").sort_order().order_id)
        ranges.append((values[0], values[-1]))
    ranges.sort()
    check(all(a[1] <= b[0] for a, b in zip(ranges, ranges[1:])), "ranges overlap")


@test
def an_order_holds_in_partitions():
    make("ordered_parts", " PARTITIONED BY (p)", SIZED, "k DESC NULLS LAST")
    lake().query("INSERT INTO ordered_parts SELECT CASE WHEN k % 7 = 0 THEN NULL ELSE k END, p, s FROM ("
                 + ROWS.format(3, 1000000) + ")")
    found = files("ordered_parts")
    check_sizes(found, 3)
    for file in found:
        check(in_order(file.column("k"), descending=True, nulls_last=True), "a file is out of order")
        equal(set(file.column("p")), {file.entry.partition[0]})
        check(file.entry.sort_order_id > 0, "no order is claimed")


@test
def an_order_by_transforms():
    make("by_transform", order="truncate(10, p) DESC, k NULLS FIRST")
    lake().query("INSERT INTO by_transform " + ROWS.format(100, 20000))
    file, = files("by_transform")
    keys = list(zip(file.column("p"), file.column("k")))
    equal(keys, sorted(keys, key=lambda pair: (-(pair[0] // 10 * 10), pair[1])))


@test
def unordered_tables_claim_no_order():
    make("unordered")
    lake().query("INSERT INTO unordered " + ROWS.format(10, 1000))
    equal({file.entry.sort_order_id for file in files("unordered")}, {0})


@test
def row_groups_as_asked():
    make("groups_by_rows", properties="'write.parquet.row-group-limit' = '10240'")
    lake().query("INSERT INTO groups_by_rows " + ROWS.format(10, 100000))
    for file in files("groups_by_rows"):
        check(all(group.num_rows <= 10240 for group in file.groups), "row groups are too long")
    make("groups_by_bytes", properties="'write.parquet.row-group-size-bytes' = '1000000'")
    lake().query("INSERT INTO groups_by_bytes " + ROWS.format(10, 200000))
    for file in files("groups_by_bytes"):
        check(len(file.groups) > 4, "few row groups")
        check(all(group.total_byte_size < 2500000 for group in file.groups), "row groups are too large")


@test
def offsets_are_those_of_the_row_groups():
    make("offsets", properties="'write.parquet.row-group-limit' = '10240'")
    lake().query("INSERT INTO offsets " + ROWS.format(10, 100000))
    for file in files("offsets"):
        first = [min(filter(None, (group.column(i).dictionary_page_offset or group.column(i).data_page_offset
                                   for i in range(group.num_columns)))) for group in file.groups]
        equal(list(file.entry.split_offsets), first)


@test
def bloom_filters_where_asked():
    make("blooming", properties="'write.parquet.bloom-filter-enabled.column.k' = 'true'")
    lake().query("INSERT INTO blooming " + ROWS.format(10, 200000))
    make("bare")
    lake().query("INSERT INTO bare " + ROWS.format(10, 1000))
    for file, wanted in ((files("blooming")[0], True), (files("bare")[0], False)):
        rows = duckdb.sql(f"SELECT bloom_filter_length FROM parquet_metadata('{file.path}') "
                          "WHERE path_in_schema = 'k'").fetchall()
        equal({length is not None for length, in rows}, {wanted})


@test
def codecs():
    for codec, shown in (("zstd", "ZSTD"), ("gzip", "GZIP"), ("snappy", "SNAPPY"), ("none", "UNCOMPRESSED")):
        make("codec_" + codec, properties=f"'write.parquet.compression-codec' = '{codec}'")
        lake().query(f"INSERT INTO codec_{codec} " + ROWS.format(10, 1000))
        equal(files("codec_" + codec)[0].groups[0].column(0).compression, shown)
    make("codec_default")
    lake().query("INSERT INTO codec_default " + ROWS.format(10, 1000))
    equal(files("codec_default")[0].groups[0].column(0).compression, "ZSTD")


@test
def metrics_as_asked():
    lake().query("""CREATE TABLE metrics (a VARCHAR, b VARCHAR, c VARCHAR, d VARCHAR, e DOUBLE) WITH (
        'write.metadata.metrics.default' = 'truncate(3)', 'write.metadata.metrics.column.a' = 'none',
        'write.metadata.metrics.column.b' = 'counts', 'write.metadata.metrics.column.c' = 'full')""")
    lake().query("INSERT INTO metrics VALUES ('abcdef', 'abcdef', 'abcdef', 'abcdef', 1), (NULL, NULL, NULL, NULL, 2)")
    entry = files("metrics")[0].entry
    fields = {field.name: field for field in table("metrics").schema().fields}
    ids = {name: field.field_id for name, field in fields.items()}

    def bound(bounds, name):
        value = bounds.get(ids[name])
        return None if value is None else from_bytes(fields[name].field_type, value)
    equal([bound(entry.lower_bounds, name) for name in "abcde"], [None, None, "abcdef", "abc", 1.0])
    equal([bound(entry.upper_bounds, name) for name in "abcde"], [None, None, "abcdef", "abd", 2.0])
    equal([entry.null_value_counts.get(ids[name]) for name in "abcde"], [None, 1, 1, 1, 0])
    equal(entry.nan_value_counts.get(ids["e"]), 0)


@test
def columns_beyond_the_inferred_ones():
    lake().query("CREATE TABLE inferred (a INTEGER, b INTEGER) "
                 "WITH ('write.metadata.metrics.max-inferred-column-defaults' = '1')")
    lake().query("INSERT INTO inferred VALUES (1, 2)")
    equal(sorted(files("inferred")[0].entry.lower_bounds), [1])


# ---- types ----

def column(number, name, kind, required=False):
    return {"id": number, "name": name, "type": kind, "required": required}


def schema_of(*columns):
    return {"type": "struct", "schema-id": 0, "fields": list(columns)}


def empty(*columns, version=2):
    return lambda folder, table_uuid: write_table(folder, [], [schema_of(*columns)], table_uuid=table_uuid,
                                                  version=version)


@test
def types_that_only_others_declare():
    server = lake()
    adopt(server, {
        "fixed_lengths": empty(column(1, "f", "fixed[2]")),
        "precise": empty(column(1, "d", "decimal(38, 3)"), column(2, "u", "uuid"), column(3, "r", "int", required=True)),
        "unknowns": empty(column(1, "a", "int"), column(2, "nothing", "unknown"), version=3),
        "nanos": empty(column(1, "a", "int"), column(2, "t", "timestamptz_ns"), version=3),
        "cases": empty(column(1, "a", "int"), column(2, "A", "int")),
        "earth": empty(column(1, "g", "geometry"), version=3),
        "mars": empty(column(1, "g", "geometry(EPSG:4326)"), version=3),
    })
    server.query("INSERT INTO precise VALUES (1.5, '00000000-0000-0000-0000-000000000001', 7)")
    equal(table("precise").scan().to_arrow().to_pylist(), [{"d": decimal.Decimal("1.500"), "u": uuid.UUID(int=1), "r": 7}])
    refuses("INSERT INTO precise VALUES (1.5, NULL, NULL)", '"r"', "required")
    refuses("INSERT INTO fixed_lengths VALUES ('ab'::BLOB)", '"f"', "fixed")
    server.query("INSERT INTO unknowns VALUES (1, NULL)")
    equal(server.rows("SELECT * FROM unknowns"), [[1, None]])
    equal(files("unknowns")[0].footer.schema.names, ["a"])
    refuses("INSERT INTO nanos VALUES (1, now())", '"t"', "timestamptz_ns")
    refuses("INSERT INTO cases VALUES (1, 2)", "upper and lower case")
    server.query("INSERT INTO earth SELECT CAST('POINT(1 2)' AS GEOMETRY)")
    equal(server.rows("SELECT CAST(g AS VARCHAR) FROM earth"), [["POINT (1 2)"]])
    refuses("INSERT INTO mars SELECT CAST('POINT(1 2)' AS GEOMETRY)", '"g"', "EPSG:4326")


@test
def types_of_version_three():
    lake().query("CREATE TABLE three (t TIMESTAMP_NS, v VARIANT) WITH ('format-version' = '3')")
    lake().query("INSERT INTO three SELECT TIMESTAMP_NS '2024-01-01 00:00:00.123456789', CAST(42 AS VARIANT)")
    file, = duckdb.sql("SELECT * FROM glob('" + table_folder("three") + "/data/**/*.parquet')").fetchone()
    names = [(e[0], e[1]) for e in duckdb.sql(
        f"SELECT name, logical_type FROM parquet_schema('{file}') WHERE name = 't'").fetchall()]
    check("NANOS" in names[0][1], names)
    equal(lake().rows("SELECT CAST(t AS VARCHAR), CAST(v AS INTEGER) FROM three"),
          [["2024-01-01 00:00:00.123456789", 42]])


def table_folder(name):
    info = lake().request("GET", f"/api/v1/namespaces/main/tables/{name}").ok().json
    return os.path.dirname(os.path.dirname(info["metadata_location"].removeprefix("file://")))


@test
def infinity_is_refused_at_any_depth():
    lake().query("CREATE TABLE endless (t TIMESTAMP, ts TIMESTAMP[], m MAP(VARCHAR, DATE), s STRUCT(d DATE))")
    for at, values in enumerate(("'infinity', NULL, NULL, NULL", "NULL, [NULL, 'infinity'], NULL, NULL",
                                 "NULL, NULL, MAP {'k': CAST('-infinity' AS DATE)}, NULL",
                                 "NULL, NULL, NULL, {'d': CAST('infinity' AS DATE)}")):
        refuses(f"INSERT INTO endless VALUES ({values})", ("t", "ts", "m", "s")[at], "infinity")
    lake().query("INSERT INTO endless VALUES (TIMESTAMP '2024-01-01', [NULL], MAP {'k': NULL}, {'d': NULL})")
    equal(table("endless").scan().to_arrow().to_pylist(),
          [{"t": datetime.datetime(2024, 1, 1), "ts": [None], "m": [("k", None)], "s": {"d": None}}])


if __name__ == "__main__":
    try:
        main()
    finally:
        for server in SERVER:
            server.close()

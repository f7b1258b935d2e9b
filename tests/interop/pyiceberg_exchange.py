#!/usr/bin/env python3
"""PyIceberg and tarn read and change each other's tables, row for row. PyIceberg keeps its tables in a folder, with a SQL
catalog of its own; tarn registers them in place after each step: all types, transforms, evolution, overwrites, deletes,
upserts, branches and tags. Tables that tarn changes in between are loaded by PyIceberg from their metadata file."""
import datetime
import decimal
import io
import os
import random
import sys
import uuid

import pyarrow
import pyarrow.ipc
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import StaticTable
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import (BucketTransform, DayTransform, HourTransform, IdentityTransform, MonthTransform,
                                  TruncateTransform, YearTransform)
from pyiceberg.types import (BinaryType, BooleanType, DateType, DecimalType, DoubleType, FixedType, FloatType, IntegerType,
                             ListType, LongType, MapType, NestedField, StringType, StructType, TimestampType,
                             TimestamptzType, TimeType, UUIDType)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import values  # noqa: E402
from tarn import LONG, Server, check, equal, main, seed, test  # noqa: E402

STATE = {}


def lake():
    """The server; its tables and those of PyIceberg's catalog lie in folders of one root."""
    if not STATE:
        server = Server(start=False)
        server.folder = os.path.join(os.path.realpath(server.work), "lake")
        for name in ("ours", "theirs"):
            os.makedirs(os.path.join(server.folder, name))
        server.settings = {"warehouse.roots": server.folder, "warehouse.location": f"file://{server.folder}/ours"}
        STATE["server"] = server.start()
        STATE["catalog"] = SqlCatalog("theirs", uri=f"sqlite:///{server.folder}/theirs/catalog.db",
                                      warehouse=f"file://{server.folder}/theirs")
        STATE["catalog"].create_namespace("ns")
    return STATE["server"]


def catalog():
    lake()
    return STATE["catalog"]


def of_tarn(sql):
    body = lake().request("POST", "/api/v1/query", {"sql": sql, "format": "arrow"}).ok().body
    return values.of_arrow(pyarrow.ipc.open_stream(io.BytesIO(body)).read_all())


def same(ours, theirs, what):
    equal(ours[0], theirs[0], f"{what}: columns")
    equal(len(ours[1]), len(theirs[1]), f"{what}: rows")
    for one, two in zip(values.in_order(ours[1]), values.in_order(theirs[1])):
        equal(one, two, what)


def register(name, table):
    lake().rows(f"DROP TABLE IF EXISTS {name}")
    lake().request("POST", "/api/v1/namespaces/main/register", {"name": name, "location": table.metadata_location}).ok()


def agree(name, table, what=""):
    """tarn reads PyIceberg's table as PyIceberg does, now and at every snapshot. The rows."""
    register(name, table)
    found = values.of_arrow(table.scan().to_arrow())
    same(of_tarn(f"SELECT * FROM {name}"), found, f"{name} {what}")
    for snapshot in table.snapshots():
        same(of_tarn(f"SELECT * FROM {name} AT (VERSION => {snapshot.snapshot_id})"),
             values.of_arrow(table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()), f"{name} {what} {snapshot.snapshot_id}")
    return found[1]


def loaded(name):
    info = lake().request("GET", f"/api/v1/namespaces/main/tables/{name}").ok().json
    return StaticTable.from_metadata(info["metadata_location"])


def is_read(name):
    """PyIceberg reads tarn's table as tarn does."""
    found = of_tarn(f"SELECT * FROM {name}")
    same(found, values.of_arrow(loaded(name).scan().to_arrow()), name)
    return len(found[1])


# ---- rows of every type ----

UTC = datetime.timezone.utc
COLUMNS = [
    ("flag", BooleanType(), pyarrow.bool_(), lambda r: r.random() < 0.5),
    ("i", IntegerType(), pyarrow.int32(), lambda r: r.choice((-2**31, 2**31 - 1, r.randint(-99, 99)))),
    ("l", LongType(), pyarrow.int64(), lambda r: r.choice((-2**63 + 1, 2**63 - 1, r.randint(-99, 99)))),
    ("f", FloatType(), pyarrow.float32(), lambda r: r.choice((1.5, -0.25, float("inf"), float("nan"), 1e30))),
    ("d", DoubleType(), pyarrow.float64(), lambda r: r.choice((0.1, -1e300, float("-inf"), float("nan"), 5.0))),
    ("m9", DecimalType(9, 2), pyarrow.decimal128(9, 2), lambda r: decimal.Decimal(r.randint(-10**9 + 1, 10**9 - 1)).scaleb(-2)),
    ("m38", DecimalType(38, 10), pyarrow.decimal128(38, 10),
     lambda r: decimal.Decimal(r.randint(-10**37, 10**37)).scaleb(-10, decimal.Context(prec=50))),
    ("day", DateType(), pyarrow.date32(), lambda r: datetime.date(1970, 1, 1) + datetime.timedelta(r.randint(-9999, 20000))),
    ("clock", TimeType(), pyarrow.time64("us"), lambda r: datetime.time(r.randint(0, 23), r.randint(0, 59), 1, r.choice((0, 999999)))),
    ("ts", TimestampType(), pyarrow.timestamp("us"),
     lambda r: datetime.datetime(1970, 1, 1) + datetime.timedelta(hours=r.randint(-200000, 300000), microseconds=r.choice((0, 1)))),
    ("tz", TimestamptzType(), pyarrow.timestamp("us", "UTC"),
     lambda r: datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(hours=r.randint(-200000, 300000), seconds=7)),
    ("s", StringType(), pyarrow.string(), lambda r: r.choice(("", "a", "a/b", "50%", "wörd", "日本語", "x" * 40, "it's"))),
    ("b", BinaryType(), pyarrow.binary(), lambda r: bytes(r.randint(0, 255) for _ in range(r.choice((0, 1, 20))))),
    ("x4", FixedType(4), pyarrow.binary(4), lambda r: bytes(r.randint(0, 255) for _ in range(4))),
    ("u", UUIDType(), pyarrow.uuid(), lambda r: uuid.UUID(int=r.choice((0, 2**128 - 1, r.getrandbits(128)))).bytes),
    ("xs", ListType(100, IntegerType(), False), pyarrow.list_(pyarrow.int32()),
     lambda r: [r.choice((None, r.randint(-9, 9))) for _ in range(r.randint(0, 3))]),
    ("st", StructType(NestedField(101, "a", IntegerType(), False), NestedField(102, "b", StringType(), False)),
     pyarrow.struct([("a", pyarrow.int32()), ("b", pyarrow.string())]),
     lambda r: {"a": r.choice((None, 1)), "b": r.choice((None, "t"))}),
    ("kv", MapType(103, StringType(), 104, LongType(), False), pyarrow.map_(pyarrow.string(), pyarrow.int64()),
     lambda r: [(k, r.randint(0, 9)) for k in r.sample("klm", r.randint(0, 3))]),
]


def schema_of(columns):
    return Schema(NestedField(1, "id", LongType(), True),
                  *[NestedField(at + 2, name, kind, False) for at, (name, kind, _, _) in enumerate(columns)])


def rows_of(r, columns, first, count):
    fields = [pyarrow.field("id", pyarrow.int64(), False)] + [pyarrow.field(c[0], c[2]) for c in columns]
    rows = [{"id": first + n, **{c[0]: None if r.random() < 0.15 else c[3](r) for c in columns}} for n in range(count)]
    return pyarrow.Table.from_pylist(rows, pyarrow.schema(fields))


@test
def all_types_that_pyiceberg_writes():
    r = seed(1)
    for version in ("1", "2"):
        table = catalog().create_table(f"ns.kinds{version}", schema_of(COLUMNS), properties={"format-version": version})
        for first in (0, 30, 31):
            table.append(rows_of(r, COLUMNS, first, 30 if first != 30 else 1))
        name = f"kinds{version}"
        equal(len(agree(name, table)), 61)
        for theirs, ours in (("i > 0", "i > 0"), ("s == 'a/b'", "s = 'a/b'"), ("day < '1980-01-01'", "day < DATE '1980-01-01'"),
                             ("d is nan", "isnan(d)"), ("m9 is null", "m9 IS NULL"), ("s like 'a%'", "s LIKE 'a%'"),
                             ("flag == true and id < 20", "flag AND id < 20")):
            same(of_tarn(f"SELECT id FROM {name} WHERE {ours}"),
                 values.of_arrow(table.scan(row_filter=theirs, selected_fields=("id",)).to_arrow()), f"{name} {theirs}")


TRANSFORMS = {"flag": (IdentityTransform(),), "i": (IdentityTransform(), BucketTransform(4), TruncateTransform(10)),
              "l": (BucketTransform(3), TruncateTransform(7)), "m9": (IdentityTransform(), BucketTransform(3), TruncateTransform(50)),
              "day": (IdentityTransform(), YearTransform(), MonthTransform(), DayTransform(), BucketTransform(2)),
              "ts": (YearTransform(), MonthTransform(), DayTransform(), HourTransform(), BucketTransform(2)),
              "tz": (YearTransform(), MonthTransform(), DayTransform(), HourTransform()),
              "clock": (IdentityTransform(),), "s": (IdentityTransform(), BucketTransform(5), TruncateTransform(2)),
              "b": (IdentityTransform(), BucketTransform(2)), "u": (BucketTransform(3),)}


@test
def every_transform_of_pyiceberg():
    r = seed(2)
    number = 0
    for at, column in enumerate(COLUMNS):
        for transform in TRANSFORMS.get(column[0], ()):
            number += 1
            field = PartitionField(2, 1000, transform, "p")
            table = catalog().create_table(f"ns.parted{number}", schema_of([column]), partition_spec=PartitionSpec(field))
            table.append(rows_of(r, [column], 0, 12))
            try:
                equal(len(agree(f"parted{number}", table)), 12)
                value = next(v for v in of_tarn(f"SELECT {column[0]} FROM parted{number} ORDER BY id")[1] if v[0] is not None)[0]
                found = lake().rows(f"SELECT count(*) FROM parted{number} WHERE {column[0]} = (SELECT {column[0]} FROM parted{number}"
                                    f" WHERE {column[0]} IS NOT NULL ORDER BY id LIMIT 1)")
                check(found[0][0] >= 1, f"{value} is not found again")
            except Exception as error:
                raise type(error)(f"{transform} of {column[0]}: {error}") from error
    check(number >= 30, f"only {number}")


@test
def tables_that_pyiceberg_changes():
    r = seed(3)
    columns = [c for c in COLUMNS if c[0] in ("i", "f", "m9", "day", "s", "st", "xs")]
    table = catalog().create_table("ns.changing", schema_of(columns), sort_order=SortOrder(
        SortField(2, IdentityTransform(), SortDirection.DESC, NullOrder.NULLS_LAST)),
        properties={"format-version": "2", "write.metadata.compression-codec": "gzip"})
    for first in (0, 20, 40):
        table.append(rows_of(r, columns, first, 20))
    agree("changing", table, "appended")
    table.delete("id < 5")
    agree("changing", table, "deleted")
    table.overwrite(rows_of(r, columns, 100, 5), overwrite_filter="id >= 50 and id < 60")
    equal(len(agree("changing", table, "overwritten")), 50)
    with table.update_schema() as update:
        update.add_column("more", DateType(), "later")
        update.rename_column("s", "text")
        update.update_column("i", LongType())
        update.update_column("f", DoubleType())
        update.update_column("m9", DecimalType(12, 2))
        update.add_column(("st", "c"), DoubleType())
        update.rename_column("st.a", "aa")
        update.delete_column("day")
    with table.update_schema() as update:
        update.move_first("text")
    agree("changing", table, "evolved")
    with table.update_spec() as update:
        update.add_field("text", BucketTransform(3), "by_text")
    ids = table.scan(selected_fields=("id",)).to_arrow()["id"].to_pylist()
    newer = table.scan().to_arrow().slice(0, 10)
    table.append(newer.set_column(newer.column_names.index("id"), newer.schema.field("id"),
                                  pyarrow.array(range(1000, 1010), pyarrow.int64())))
    equal(len(agree("changing", table, "partitioned")), len(ids) + 10)
    with table.update_spec() as update:
        update.remove_field("by_text")
        update.add_field("i", TruncateTransform(100), "by_i")
    table.delete("id >= 1005")
    agree("changing", table, "partitioned otherwise")
    tagged = table.current_snapshot().snapshot_id
    with table.manage_snapshots() as manage:
        manage.create_tag(tagged, "kept")
        manage.create_branch(table.snapshots()[1].snapshot_id, "old")
    table.append(newer)
    agree("changing", table, "tagged")
    for ref in ("kept", "old"):
        snapshot = table.snapshot_by_name(ref).snapshot_id
        same(of_tarn(f"SELECT id FROM changing FOR VERSION AS OF '{ref}'"),
             values.of_arrow(table.scan(snapshot_id=snapshot, selected_fields=("id",)).to_arrow()), ref)


@test
def rows_that_pyiceberg_upserts():
    r = seed(4)
    columns = [c for c in COLUMNS if c[0] in ("i", "s", "day")]
    schema = Schema(*schema_of(columns).fields, identifier_field_ids=[1])
    table = catalog().create_table("ns.upserted", schema, partition_spec=PartitionSpec(
        PartitionField(3, 1000, IdentityTransform(), "per_day")))
    table.append(rows_of(r, columns, 0, 50))
    for first in (40, 20, 90):
        table.upsert(rows_of(r, columns, first, 20))
        agree("upserted", table, f"from {first}")
    equal(len(agree("upserted", table)), 80)
    table.dynamic_partition_overwrite(rows_of(r, columns, 500, 3))
    agree("upserted", table, "partitions overwritten")


@test
def metadata_of_pyiceberg_by_both():
    r = seed(5)
    table = catalog().create_table("ns.told", schema_of(COLUMNS[:3]))
    for first in (0, 10):
        table.append(rows_of(r, COLUMNS[:3], first, 10))
    table.delete("id == 3")
    register("told", table)
    for kind in ("snapshots", "refs", "history", "manifests"):
        theirs = getattr(table.inspect, kind)()
        names = ", ".join(theirs.column_names)
        found = of_tarn(f"SELECT {names} FROM told.{kind}")
        equal(len(found[1]), theirs.num_rows, kind)
    equal(lake().value("SELECT sum(record_count) FROM told.files"), 19)


@test
def both_in_turn():
    """PyIceberg makes the table, tarn changes it; PyIceberg reads each step."""
    r = seed(6)
    columns = [c for c in COLUMNS if c[0] in ("i", "s", "day", "m9")]
    for number, field in enumerate((None, PartitionField(2, 1000, BucketTransform(3), "p"))):
        name = f"turns{number}"
        table = catalog().create_table(f"ns.{name}", schema_of(columns), **(
            {"partition_spec": PartitionSpec(field)} if field else {}))
        table.append(rows_of(r, columns, 0, 40))
        register(name, table)
        for sql, rows in ((f"INSERT INTO {name} VALUES (1000, 7, 1.25, '2024-02-29', 'tarn')", 41),
                          (f"DELETE FROM {name} WHERE id < 10", 31), (f"ALTER TABLE {name} RENAME COLUMN s TO text", 31),
                          (f"ALTER TABLE {name} ADD COLUMN more DOUBLE FIRST", 31), (f"ALTER TABLE {name} ALTER i TYPE BIGINT", 31),
                          (f"ALTER TABLE {name} ADD PARTITION FIELD month(day)", 31),
                          (f"INSERT INTO {name} BY NAME SELECT range AS id, range + 5000000000 AS i, DATE '2024-01-01'"
                           " + (range * 20)::INTEGER AS day FROM range(2000, 2005)", 36),
                          (f"DELETE FROM {name} WHERE day >= '2024-02-01'", None), (f"ALTER TABLE {name} DROP COLUMN m9", None),
                          (f"INSERT OVERWRITE {name} BY NAME SELECT id, i, text FROM {name} WHERE id < 20", None)):
            lake().query(sql)
            count = is_read(name)
            check(rows is None or rows == count, f"{sql}: {count} rows")


@test
def random_changes_by_pyiceberg():
    r = seed()
    columns = [c for c in COLUMNS if c[0] in ("i", "s", "day", "l")]
    for number in range(8 if LONG else 2):
        name = f"chance{number}"
        table = catalog().create_table(f"ns.{name}", schema_of(columns))
        types = [c[2] for c in columns]
        for step in range(12):
            action = r.choice(("append", "append", "delete", "overwrite", "spec", "widen"))
            low = r.randint(0, 100)
            names = [f.name for f in table.schema().fields][1:]
            fresh = rows_of(r, [(n, None, t, c[3]) for n, t, c in zip(names, types, columns)], 10 * step, 10)
            if action == "append":
                table.append(fresh)
            elif action == "delete":
                table.delete(f"id >= {low} and id < {low + 7}")
            elif action == "overwrite":
                table.overwrite(fresh, overwrite_filter=f"id >= {low} and id < {low + 15}")
            elif action == "spec" and not table.spec().fields:
                with table.update_spec() as update:
                    update.add_field(names[1], TruncateTransform(1), f"p{step}")
            elif action == "spec":
                with table.update_spec() as update:
                    update.remove_field(table.spec().fields[0].name)
            else:
                with table.update_schema() as update:
                    update.rename_column(names[0], f"i{step}")
            agree(name, table, f"step {step}: {action}")


if __name__ == "__main__":
    main()

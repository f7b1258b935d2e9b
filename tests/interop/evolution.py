#!/usr/bin/env python3
"""Tables that tarn evolved in a plain folder, loaded by PyIceberg: the same columns with the same ids, the same
partitioning, order and history, the same rows."""
import os
import sys

from pyiceberg.partitioning import PartitionField
from pyiceberg.table import StaticTable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, equal, main, test  # noqa: E402

LAKE = []


def lake():
    """The server whose tables lie in a folder."""
    if not LAKE:
        server = Server(start=False)
        server.folder = os.path.join(server.work, "lake")
        os.mkdir(server.folder)
        server.settings = {"warehouse.roots": server.folder, "warehouse.location": "file://" + server.folder}
        server.start()
        LAKE.append(server)
    return LAKE[0]


def run(*statements):
    for sql in statements:
        lake().query(sql)


def loaded(name):
    info = lake().request("GET", f"/api/v1/namespaces/main/tables/{name}").ok().json
    return StaticTable.from_metadata(info["metadata_location"])


def fields(struct):
    return [(f.field_id, f.name, str(f.field_type), f.required, f.doc) for f in struct.fields]


def rows(table, key):
    return sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row[key])


@test
def columns_have_the_ids_that_pyiceberg_sees():
    run("CREATE TABLE c (id INTEGER NOT NULL, name VARCHAR COMMENT 'who', s STRUCT(a INTEGER, b VARCHAR), xs INTEGER[])",
        "INSERT INTO c VALUES (1, 'one', {'a': 1, 'b': 'x'}, [1, 2])",
        "ALTER TABLE c ADD COLUMN day DATE AFTER id, ADD s.c DOUBLE FIRST",
        "ALTER TABLE c ALTER id TYPE BIGINT, ALTER s.a TYPE BIGINT, ALTER xs.element TYPE BIGINT",
        "ALTER TABLE c RENAME name TO title", "ALTER TABLE c DROP s.b",
        "INSERT INTO c VALUES (5000000000, '2024-02-29', 'two', {'c': 0.5, 'a': 5000000000}, [5000000000])",
        "ALTER TABLE c SET IDENTIFIER FIELDS id", "COMMENT ON COLUMN c.day IS 'when'")
    table = loaded("c")
    schema = table.schema()
    equal([f[:2] + f[3:] for f in fields(schema.as_struct())],
          [(1, "id", True, None), (8, "day", False, "when"), (2, "title", False, "who"), (3, "s", False, None),
           (4, "xs", False, None)])
    equal(fields(schema.find_field("s").field_type), [(9, "c", "double", False, None), (5, "a", "long", False, None)])
    equal(str(schema.find_field("xs").field_type), "list<long>")
    equal(schema.identifier_field_ids, [1])
    equal(table.metadata.last_column_id, 9)
    equal(len(table.metadata.schemas), len({s.model_dump_json(exclude={"schema_id"}) for s in table.metadata.schemas}))
    got = rows(table, "id")
    equal(got[0], {"id": 1, "day": None, "title": "one", "s": {"c": None, "a": 1}, "xs": [1, 2]})
    equal(got[1]["s"], {"c": 0.5, "a": 5000000000})


@test
def partitioning_and_order_are_the_same():
    run("CREATE TABLE p (id INTEGER, day DATE, name VARCHAR) PARTITIONED BY (bucket(4, id))",
        "INSERT INTO p VALUES (1, '2024-01-05', 'a')",
        "ALTER TABLE p ADD PARTITION FIELD month(day)", "INSERT INTO p VALUES (2, '2024-02-05', 'b')",
        "ALTER TABLE p DROP PARTITION FIELD bucket(4, id)", "INSERT INTO p VALUES (3, '2024-02-06', 'c')",
        "ALTER TABLE p REPLACE PARTITION FIELD month(day) WITH truncate(2, name) AS t",
        "INSERT INTO p VALUES (4, '2024-03-06', 'dddd')", "ALTER TABLE p ADD PARTITION FIELD bucket(4, id)",
        "INSERT INTO p VALUES (5, '2024-03-07', 'e')",
        "ALTER TABLE p WRITE ORDERED BY name DESC, bucket(2, id) NULLS LAST")
    table = loaded("p")
    equal([(f.field_id, f.name, str(f.transform), f.source_id) for f in table.spec().fields],
          [(1002, "t", "truncate[2]", 3), (1000, "id_bucket", "bucket[4]", 1)])
    equal([str(f) for f in table.sort_order().fields], ["3 DESC NULLS LAST", "bucket[2](1) ASC NULLS LAST"])
    equal([r["id"] for r in rows(table, "id")], [1, 2, 3, 4, 5])
    equal([r["id"] for r in table.scan(row_filter="day >= '2024-03-01'").to_arrow().sort_by("id").to_pylist()], [4, 5])
    check(all(isinstance(f, PartitionField) for spec in table.specs().values() for f in spec.fields), "specs are read")


@test
def history_properties_and_references_are_the_same():
    run("CREATE TABLE h (a INTEGER) COMMENT 'x'", "INSERT INTO h VALUES (1)", "ALTER TABLE h CREATE TAG one RETAIN 2 DAYS",
        "INSERT INTO h VALUES (2)", "ALTER TABLE h CREATE BRANCH b WITH SNAPSHOT RETENTION 3 SNAPSHOTS 5 DAYS",
        "CALL system.set_current_snapshot('h', ref => 'one')", "ALTER TABLE h SET ('owner' = 'me')")
    table = loaded("h")
    equal(rows(table, "a"), [{"a": 1}])
    refs = table.metadata.refs
    equal(sorted(refs), ["b", "main", "one"])
    equal(refs["one"].max_ref_age_ms, 2 * 86400000)
    equal((refs["b"].min_snapshots_to_keep, refs["b"].max_snapshot_age_ms), (3, 5 * 86400000))
    equal(refs["main"].snapshot_id, refs["one"].snapshot_id)
    equal([e.snapshot_id for e in table.metadata.snapshot_log],
          [refs["one"].snapshot_id, refs["b"].snapshot_id, refs["one"].snapshot_id])
    equal(table.properties["owner"], "me")
    equal(table.properties["comment"], "x")


@test
def version_3_and_its_defaults_are_read():
    run("CREATE TABLE v (a INTEGER)", "INSERT INTO v VALUES (1)", "ALTER TABLE v SET FORMAT VERSION 3",
        "ALTER TABLE v ADD b VARCHAR NOT NULL DEFAULT 'old', ADD d DATE DEFAULT '2024-02-29'",
        "ALTER TABLE v ALTER b SET DEFAULT 'new'", "INSERT INTO v (a) VALUES (2)")
    table = loaded("v")
    equal(table.metadata.format_version, 3)
    b = table.schema().find_field("b")
    equal((b.initial_default, b.write_default, b.required), ("old", "new", True))
    equal(table.metadata.next_row_id, 2)


main()

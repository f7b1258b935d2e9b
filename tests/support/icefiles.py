"""Iceberg tables made by hand, for tests of what others may have written: metadata, manifest lists and manifests in
Avro without compression, around data files that the test made itself. Standard library only.

    adopt(server, {"t": lambda folder, table_uuid: write_table(folder, [DataFile(path, rows)], [schema], …)})

The server's tables must lie in a folder (warehouse.location = file://…); it is stopped and started again."""
import json
import os
import sqlite3
import struct
import urllib.parse
import uuid

SYNC = bytes(range(16))


# ---- Avro ----

def varint(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while True:
        byte = number & 0x7F
        number >>= 7
        if not number:
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def avro_bytes(data):
    return varint(len(data)) + data


def encode(schema, value):
    if isinstance(schema, list):  # ["null", T]
        return varint(0) if value is None else varint(1) + encode(schema[1], value)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind in ("int", "long"):
        return varint(value)
    if kind == "string":
        return avro_bytes(value.encode())
    if kind == "bytes":
        return avro_bytes(value)
    if kind == "boolean":
        return bytes([1 if value else 0])
    if kind == "float":
        return struct.pack("<f", value)
    if kind == "double":
        return struct.pack("<d", value)
    if kind == "fixed":
        return value
    if kind == "record":
        return b"".join(encode(field["type"], value.get(field["name"])) for field in schema["fields"])
    raise ValueError(kind)


def container(schema, header, rows):
    header = dict(header, **{"avro.schema": json.dumps(schema), "avro.codec": "null"})
    out = b"Obj\x01" + varint(len(header))
    for key, value in header.items():
        out += avro_bytes(key.encode()) + avro_bytes(value.encode())
    out += varint(0) + SYNC
    if rows:
        block = b"".join(encode(schema, row) for row in rows)
        out += varint(len(rows)) + avro_bytes(block) + SYNC
    return out


def field(number, name, kind, optional=False):
    made = {"name": name, "type": ["null", kind] if optional else kind, "field-id": number}
    return dict(made, default=None) if optional else made


AVRO_TYPES = {
    "boolean": "boolean", "int": "int", "long": "long", "float": "float", "double": "double", "string": "string",
    "binary": "bytes", "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": False},
}

LIST_SCHEMA = {"type": "record", "name": "manifest_file", "fields": [
    field(500, "manifest_path", "string"), field(501, "manifest_length", "long"),
    field(502, "partition_spec_id", "int"), field(517, "content", "int"), field(515, "sequence_number", "long"),
    field(516, "min_sequence_number", "long"), field(503, "added_snapshot_id", "long"),
    field(504, "added_files_count", "int"), field(505, "existing_files_count", "int"),
    field(506, "deleted_files_count", "int"), field(512, "added_rows_count", "long"),
    field(513, "existing_rows_count", "long"), field(514, "deleted_rows_count", "long"),
    field(520, "first_row_id", "long", True)]}


def entry_schema(partition_fields):
    """`partition_fields`: (field id, name, Iceberg type of the result)"""
    partition = {"type": "record", "name": "r102", "fields": [
        field(number, name, AVRO_TYPES[kind], True) for number, name, kind in partition_fields]}
    data_file = {"type": "record", "name": "r2", "fields": [
        field(134, "content", "int"), field(100, "file_path", "string"), field(101, "file_format", "string"),
        field(102, "partition", partition), field(103, "record_count", "long"),
        field(104, "file_size_in_bytes", "long")]}
    return {"type": "record", "name": "manifest_entry", "fields": [
        field(0, "status", "int"), field(1, "snapshot_id", "long", True), field(3, "sequence_number", "long", True),
        field(4, "file_sequence_number", "long", True), field(2, "data_file", data_file)]}


# ---- tables ----

class DataFile:
    """A Parquet file; `partition` by names of the spec's fields, in Avro's values."""

    def __init__(self, path, rows, spec_id=0, partition=None):
        self.path, self.rows, self.spec_id, self.partition = path, rows, spec_id, partition or {}


def result_type(schema_fields, spec_field):
    source = next(f for f in schema_fields if f["id"] == spec_field["source-id"])
    transform = spec_field["transform"]
    if transform == "identity" or transform.startswith("truncate"):
        return source["type"]
    return "date" if transform == "day" else "int"


def write_manifest(folder, files, spec, schemas, snapshot_id, version):
    """A manifest of added files: its row in the list."""
    every = [f for schema in schemas for f in schema["fields"]]
    schema = entry_schema([(f["field-id"], f["name"], result_type(every, f)) for f in spec["fields"]])
    rows = [{"status": 1, "snapshot_id": snapshot_id, "data_file": {
        "content": 0, "file_path": "file://" + f.path, "file_format": "PARQUET", "partition": f.partition,
        "record_count": f.rows, "file_size_in_bytes": os.path.getsize(f.path)}} for f in files]
    path = os.path.join(folder, "metadata", f"{uuid.uuid4()}-m0.avro")
    with open(path, "wb") as out:
        out.write(container(schema, {
            "schema": json.dumps(schemas[-1]), "schema-id": str(schemas[-1]["schema-id"]),
            "partition-spec": json.dumps(spec["fields"]), "partition-spec-id": str(spec["spec-id"]),
            "format-version": str(version), "content": "data"}, rows))
    return {
        "manifest_path": "file://" + path, "manifest_length": os.path.getsize(path),
        "partition_spec_id": spec["spec-id"], "content": 0, "sequence_number": 1, "min_sequence_number": 1,
        "added_snapshot_id": snapshot_id, "added_files_count": len(files), "existing_files_count": 0,
        "deleted_files_count": 0, "added_rows_count": sum(f.rows for f in files), "existing_rows_count": 0,
        "deleted_rows_count": 0, "first_row_id": 0 if version > 2 else None}


def write_table(folder, files, schemas, specs=None, properties=None, version=2, table_uuid=None, orders=None):
    """Metadata of one snapshot with `files`; the last schema, spec and order are the current ones. Its location."""
    specs = specs or [{"spec-id": 0, "fields": []}]
    os.makedirs(os.path.join(folder, "metadata"), exist_ok=True)
    snapshot_id = uuid.uuid4().int >> 66
    manifests = []
    for spec in specs:
        own = [f for f in files if f.spec_id == spec["spec-id"]]
        if own:
            manifests.append(write_manifest(folder, own, spec, schemas, snapshot_id, version))
    list_path = os.path.join(folder, "metadata", f"snap-{snapshot_id}-1-{uuid.uuid4()}.avro")
    with open(list_path, "wb") as out:
        out.write(container(LIST_SCHEMA, {
            "snapshot-id": str(snapshot_id), "parent-snapshot-id": "null", "sequence-number": "1",
            "format-version": str(version)}, manifests))
    total = sum(f.rows for f in files)
    snapshot = {
        "snapshot-id": snapshot_id, "sequence-number": 1, "timestamp-ms": 1700000000000, "manifest-list":
        "file://" + list_path, "schema-id": schemas[-1]["schema-id"], "summary": {
            "operation": "append", "total-data-files": str(len(files)), "total-records": str(total),
            "added-records": str(total), "added-data-files": str(len(files))}}
    metadata = {
        "format-version": version, "table-uuid": table_uuid or str(uuid.uuid4()), "location": "file://" + folder,
        "last-sequence-number": 1, "last-updated-ms": 1700000000000, "last-column-id": highest_id(schemas),
        "schemas": schemas, "current-schema-id": schemas[-1]["schema-id"], "partition-specs": specs,
        "default-spec-id": specs[-1]["spec-id"], "last-partition-id": 1999,
        "sort-orders": orders or [{"order-id": 0, "fields": []}],
        "default-sort-order-id": (orders or [{"order-id": 0}])[-1]["order-id"],
        "properties": properties or {}, "current-snapshot-id": snapshot_id, "snapshots": [snapshot],
        "snapshot-log": [{"snapshot-id": snapshot_id, "timestamp-ms": 1700000000000}], "metadata-log": [],
        "refs": {"main": {"snapshot-id": snapshot_id, "type": "branch"}}}
    if version > 2:
        metadata["next-row-id"] = total
        snapshot.update({"first-row-id": 0, "added-rows": total})
    path = os.path.join(folder, "metadata", f"00001-{uuid.uuid4()}.metadata.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(metadata, out)
    return "file://" + path


def highest_id(schemas):
    def ids(kind):
        if not isinstance(kind, dict):
            return 0
        if kind["type"] == "struct":
            return max([max(f["id"], ids(f["type"])) for f in kind["fields"]] or [0])
        if kind["type"] == "list":
            return max(kind["element-id"], ids(kind["element"]))
        return max(kind["key-id"], kind["value-id"], ids(kind["key"]), ids(kind["value"]))
    return max(ids(schema) for schema in schemas)


def adopt(server, tables):
    """Gives tables other metadata: {name: function(folder, uuid) -> location}. Each table is made with CREATE TABLE
    first, so that the server has a row for it."""
    folders = {}
    for name in tables:
        server.query(f'CREATE TABLE "{name}" (tarn_placeholder INTEGER)')
        info = server.request("GET", "/api/v1/namespaces/main/tables/" + urllib.parse.quote(name, safe="")).ok().json
        folders[name] = os.path.dirname(os.path.dirname(info["metadata_location"][len("file://"):]))
    server.stop()
    database = sqlite3.connect(os.path.join(server.data, "tarn.db"))
    for name, make in tables.items():
        row = database.execute("SELECT uuid FROM tables WHERE name = ?", (name,)).fetchone()
        location = make(folders[name], row[0])
        database.execute("UPDATE tables SET metadata_location = ? WHERE name = ?", (location, name))
    database.commit()
    database.close()
    server.start()
    return folders

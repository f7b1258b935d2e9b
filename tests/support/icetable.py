"""Iceberg tables written by hand, as the specification says and with nothing of tarn: data files and delete files
with PyArrow, deletion vectors, manifests and metadata with the few lines below. For tests that need tables no
writer at hand would make: any mixture of deletes, sequence numbers, partition specs and schemas.

    t = Table(folder, [(1, "id", "long"), (2, "name", "string")], version=2)
    f = t.data([{"id": 1, "name": "a"}], sequence=1)
    t.positions([(f, 0)], sequence=2)
    t.equality([1], [{"id": 7}], sequence=3)
    t.write()
"""
import io
import json
import os
import struct
import uuid
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

ARROW = {"long": pa.int64(), "int": pa.int32(), "string": pa.string(), "date": pa.date32(), "double": pa.float64(),
         "boolean": pa.bool_()}
FILE_PATH, POS = 2147483546, 2147483545

# ---- Avro: enough to write manifests ----


def zigzag(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value & ~0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(schema, value):
    if isinstance(schema, list):  # ["null", T]
        return zigzag(0) if value is None else zigzag(1) + encode(schema[1], value)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return b"".join(encode(f["type"], value.get(f["name"])) for f in schema["fields"])
    if kind == "array":
        items = b"".join(encode(schema["items"], item) for item in value)
        return (zigzag(len(value)) + items if value else b"") + zigzag(0)
    if kind in ("int", "long"):
        return zigzag(value)
    if kind == "boolean":
        return bytes([bool(value)])
    if kind == "double":
        return struct.pack("<d", value)
    raw = value.encode() if isinstance(value, str) else value
    return zigzag(len(raw)) + raw


def avro(schema, values, meta):
    sync = uuid.uuid4().bytes
    meta = {"avro.schema": json.dumps(schema), "avro.codec": "null", **meta}
    out = io.BytesIO()
    out.write(b"Obj\x01" + zigzag(len(meta)))
    for key, value in meta.items():
        out.write(encode("string", key) + encode("bytes", value.encode()))
    out.write(zigzag(0) + sync)
    block = b"".join(encode(schema, value) for value in values)
    out.write(zigzag(len(values)) + zigzag(len(block)) + block + sync)
    return out.getvalue()


def field(name, kind, number, optional=False):
    return {"name": name, "type": ["null", kind] if optional else kind, "field-id": number}


def int_map(number, key, value, kind):
    return {"type": "array", "logicalType": "map", "items": {"type": "record", "name": f"k{key}_v{value}", "fields": [
        field("key", "int", key), field("value", kind, value)]}}


def entry_schema(partition):
    return {"type": "record", "name": "manifest_entry", "fields": [
        field("status", "int", 0), field("snapshot_id", "long", 1, True), field("sequence_number", "long", 3, True),
        field("file_sequence_number", "long", 4, True),
        field("data_file", {"type": "record", "name": "r2", "fields": [
            field("content", "int", 134), field("file_path", "string", 100), field("file_format", "string", 101),
            field("partition", {"type": "record", "name": "r102", "fields": partition}, 102),
            field("record_count", "long", 103), field("file_size_in_bytes", "long", 104),
            field("value_counts", int_map(109, 119, 120, "long"), 109, True),
            field("null_value_counts", int_map(110, 121, 122, "long"), 110, True),
            field("lower_bounds", int_map(125, 126, 127, "bytes"), 125, True),
            field("upper_bounds", int_map(128, 129, 130, "bytes"), 128, True),
            field("equality_ids", {"type": "array", "items": "int", "element-id": 136}, 135, True),
            field("referenced_data_file", "string", 143, True), field("content_offset", "long", 144, True),
            field("content_size_in_bytes", "long", 145, True)]}, 2)]}


LIST_SCHEMA = {"type": "record", "name": "manifest_file", "fields": [
    field("manifest_path", "string", 500), field("manifest_length", "long", 501),
    field("partition_spec_id", "int", 502), field("content", "int", 517), field("sequence_number", "long", 515),
    field("min_sequence_number", "long", 516), field("added_snapshot_id", "long", 503),
    field("added_files_count", "int", 504), field("existing_files_count", "int", 505),
    field("deleted_files_count", "int", 506), field("added_rows_count", "long", 512),
    field("existing_rows_count", "long", 513), field("deleted_rows_count", "long", 514)]}

# ---- single values ----


def single(kind, value):
    if kind == "long":
        return struct.pack("<q", value)
    if kind == "int":
        return struct.pack("<i", value)
    if kind == "date":
        return struct.pack("<i", (value - type(value)(1970, 1, 1)).days)
    if kind == "double":
        return struct.pack("<d", value)
    if kind == "boolean":
        return bytes([value])
    return value.encode()


# ---- deletion vectors ----


def roaring(rows):
    """The 64-bit form, with arrays and bitsets."""
    keys = {}
    for row in sorted(rows):
        keys.setdefault(row >> 32, {}).setdefault(row >> 16 & 0xFFFF, []).append(row & 0xFFFF)
    out = struct.pack("<Q", len(keys))
    for key, containers in sorted(keys.items()):
        head, body = b"", []
        for high, low in sorted(containers.items()):
            head += struct.pack("<HH", high, len(low) - 1)
            if len(low) <= 4096:
                body.append(struct.pack(f"<{len(low)}H", *low))
            else:
                bits = bytearray(8192)
                for value in low:
                    bits[value >> 3] |= 1 << (value & 7)
                body.append(bytes(bits))
        at, offsets = 8 + 8 * len(body), b""
        for container in body:
            offsets += struct.pack("<I", at)
            at += len(container)
        out += struct.pack("<I", key) + struct.pack("<II", 12346, len(body)) + head + offsets + b"".join(body)
    return out


def vector_blob(rows):
    body = b"\xd1\xd3\x39\x64" + roaring(rows)
    return struct.pack(">I", len(body)) + body + struct.pack(">I", zlib.crc32(body))


# ---- tables ----


class Table:
    """Columns are (id, name, type). `specs`: for each spec the names of the columns it is partitioned by."""

    def __init__(self, folder, columns, version=2, specs=((),)):
        self.folder, self.version, self.specs = folder, version, specs
        self.schemas = [list(columns)]
        self.ids = {name: (number, kind) for number, name, kind in columns}
        self.entries, self.files = [], 0
        self.puffin = None
        self.versions = 0  # of the metadata that were written
        for name in ("data", "metadata"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)

    @property
    def columns(self):
        return self.schemas[-1]

    def evolve(self, columns):
        self.schemas.append(list(columns))
        self.ids.update({name: (number, kind) for number, name, kind in columns})

    def path(self, name):
        return os.path.join(self.folder, name)

    def new_name(self, kind):
        self.files += 1
        return self.path(f"data/{self.files:05d}-{kind}")

    def parquet(self, path, columns, rows, **options):
        schema = pa.schema([pa.field(name, ARROW[kind], metadata={"PARQUET:field_id": str(number)})
                            for number, name, kind in columns])
        if isinstance(rows, pa.Table):
            table = rows.cast(schema)
        else:
            table = pa.table([[row.get(name) for row in rows] for _, name, _ in columns], schema=schema)
        pq.write_table(table, path, **options)
        return table.num_rows

    def bounds(self, columns, rows):
        out = {"value_counts": [], "null_value_counts": [], "lower_bounds": [], "upper_bounds": []}
        for number, name, kind in columns:
            values = [row.get(name) for row in rows if row.get(name) is not None]
            out["value_counts"].append({"key": number, "value": len(rows)})
            out["null_value_counts"].append({"key": number, "value": len(rows) - len(values)})
            if values:
                out["lower_bounds"].append({"key": number, "value": single(kind, min(values))})
                out["upper_bounds"].append({"key": number, "value": single(kind, max(values))})
        return out

    def add(self, content, path, count, sequence, spec, partition, **more):
        entry = {"content": content, "file_path": path, "file_format": "PARQUET", "record_count": count,
                 "file_size_in_bytes": os.path.getsize(path), "partition": partition, "spec": spec,
                 "sequence": sequence, **more}
        self.entries.append(entry)
        return entry

    def data(self, rows, sequence, spec=0, partition=(), metrics=True, path=None, **options):
        """One data file; the entry is returned. `partition`: the values of the spec's columns."""
        path = path or self.new_name("data.parquet")
        count = self.parquet(path, self.columns, rows, **options)
        more = self.bounds(self.columns, rows) if metrics and not isinstance(rows, pa.Table) else {}
        return self.add(0, path, count, sequence, spec, partition, **more)

    def positions(self, rows, sequence, spec=0, partition=(), bounds=True, referenced=None):
        """A position delete file: (entry of a data file, row) pairs."""
        path = self.new_name("deletes.parquet")
        pairs = sorted((f["file_path"], row) for f, row in rows)
        columns = [(FILE_PATH, "file_path", "string"), (POS, "pos", "long")]
        count = self.parquet(path, columns, [{"file_path": p, "pos": row} for p, row in pairs])
        more = {"referenced_data_file": referenced["file_path"] if referenced else None}
        if bounds:
            more["lower_bounds"] = [{"key": FILE_PATH, "value": pairs[0][0].encode()}]
            more["upper_bounds"] = [{"key": FILE_PATH, "value": pairs[-1][0].encode()}]
        return self.add(1, path, count, sequence, spec, partition, **more)

    def equality(self, ids, rows, sequence, spec=0, partition=(), metrics=True):
        """An equality delete file over the columns of these ids, named and typed as they are now or once were."""
        known = {number: (number, name, kind) for schema in self.schemas for number, name, kind in schema}
        columns = [known[number] for number in ids]
        path = self.new_name("equality.parquet")
        count = self.parquet(path, columns, rows)
        more = self.bounds(columns, rows) if metrics else {}
        return self.add(2, path, count, sequence, spec, partition, equality_ids=list(ids), **more)

    def vector(self, data, rows, sequence, bare=False):
        """The deletion vector of a data file, replacing the one it had."""
        self.entries = [e for e in self.entries
                        if not (e["file_format"] == "PUFFIN" and e["referenced_data_file"] == data["file_path"])]
        blob, path = vector_blob(rows), self.new_name("vector.puffin")
        offset = 0 if bare else 4
        footer = json.dumps({"blobs": [{
            "type": "deletion-vector-v1", "fields": [2147483645], "snapshot-id": -1, "sequence-number": -1,
            "offset": offset, "length": len(blob),
            "properties": {"referenced-data-file": data["file_path"], "cardinality": str(len(set(rows)))}}]}).encode()
        with open(path, "wb") as file:
            file.write(blob if bare else b"PFA1" + blob + b"PFA1" + footer + struct.pack("<II", len(footer), 0)
                       + b"PFA1")
        return self.add(1, path, len(set(rows)), sequence, data["spec"], data["partition"], file_format="PUFFIN",
                        referenced_data_file=data["file_path"], content_offset=offset,
                        content_size_in_bytes=len(blob))

    # ---- metadata ----

    def partition_fields(self, spec):
        fields = []
        for i, name in enumerate(self.specs[spec]):
            kind = self.ids[name][1]
            avro_kind = {"type": "int", "logicalType": "date"} if kind == "date" else kind
            fields.append(field(name, avro_kind, 1000 + 10 * spec + i, True))
        return fields

    def spec_json(self, spec):
        return [{"name": name, "transform": "identity", "source-id": self.ids[name][0],
                 "field-id": 1000 + 10 * spec + i} for i, name in enumerate(self.specs[spec])]

    def schema_json(self, number):
        return {"type": "struct", "schema-id": number, "fields": [
            {"id": i, "name": name, "required": False, "type": kind} for i, name, kind in self.schemas[number]]}

    def write_manifest(self, spec, deletes, snapshot, last):
        entries = [e for e in self.entries if e["spec"] == spec and (e["content"] > 0) == deletes]
        if not entries:
            return None
        schema = entry_schema(self.partition_fields(spec))
        values = [{"status": 0, "snapshot_id": snapshot, "sequence_number": e["sequence"],
                   "file_sequence_number": e["sequence"],
                   "data_file": {**e, "partition": dict(zip(self.specs[spec], e["partition"]))}} for e in entries]
        path = self.path(f"metadata/{uuid.uuid4()}-m0.avro")
        raw = avro(schema, values, {
            "schema": json.dumps(self.schema_json(len(self.schemas) - 1)), "schema-id": str(len(self.schemas) - 1),
            "partition-spec": json.dumps(self.spec_json(spec)), "partition-spec-id": str(spec),
            "format-version": str(self.version), "content": "deletes" if deletes else "data"})
        with open(path, "wb") as file:
            file.write(raw)
        return {"manifest_path": path, "manifest_length": len(raw), "partition_spec_id": spec,
                "content": int(deletes), "sequence_number": last,
                "min_sequence_number": min(e["sequence"] for e in entries), "added_snapshot_id": snapshot,
                "added_files_count": 0, "existing_files_count": len(entries), "deleted_files_count": 0,
                "added_rows_count": 0, "existing_rows_count": sum(e["record_count"] for e in entries),
                "deleted_rows_count": 0}

    def write(self):
        """All of it as one snapshot, in new files. Returns the location of the metadata."""
        snapshot, last = 77, max(e["sequence"] for e in self.entries)
        manifests = [self.write_manifest(spec, deletes, snapshot, last)
                     for spec in range(len(self.specs)) for deletes in (False, True)]
        self.versions += 1
        list_path = self.path(f"metadata/snap-77-{self.versions}.avro")
        with open(list_path, "wb") as file:
            file.write(avro(LIST_SCHEMA, [m for m in manifests if m], {"format-version": str(self.version)}))
        data = [e for e in self.entries if e["content"] == 0]
        summary = {"operation": "append", "total-data-files": str(len(data)),
                   "total-records": str(sum(e["record_count"] for e in data)),
                   "total-delete-files": str(len(self.entries) - len(data))}
        metadata = {
            "format-version": self.version, "table-uuid": str(uuid.uuid4()), "location": self.folder,
            "last-sequence-number": last, "last-updated-ms": 1700000000000, "last-column-id": 100,
            "schemas": [self.schema_json(i) for i in range(len(self.schemas))],
            "current-schema-id": len(self.schemas) - 1,
            "partition-specs": [{"spec-id": i, "fields": self.spec_json(i)} for i in range(len(self.specs))],
            "default-spec-id": 0, "last-partition-id": 1000 + 10 * len(self.specs),
            "sort-orders": [{"order-id": 0, "fields": []}], "default-sort-order-id": 0, "properties": {},
            "current-snapshot-id": snapshot, "refs": {"main": {"snapshot-id": snapshot, "type": "branch"}},
            "snapshots": [{"snapshot-id": snapshot, "sequence-number": last, "timestamp-ms": 1700000000000,
                           "summary": summary, "manifest-list": list_path, "schema-id": len(self.schemas) - 1,
                           **({"first-row-id": 0, "added-rows": 0} if self.version > 2 else {})}],
            "snapshot-log": [], "metadata-log": [], **({"next-row-id": 0} if self.version > 2 else {})}
        path = self.path(f"metadata/{self.versions:05d}.metadata.json")
        with open(path, "w") as file:
            json.dump(metadata, file)
        return path

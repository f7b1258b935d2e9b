#!/usr/bin/env python3
"""Tables that tarn writes into a plain folder, read by others: PyIceberg row for row with partition values and metrics
checked against the rows, PyArrow and DuckDB the data files themselves; and tarn's Arrow and Parquet answers read by
PyArrow. All types that can be written, all transforms, nested values."""
import datetime
import decimal
import io
import json
import math
import os
import random
import sys
import uuid

import duckdb
import pyarrow
import pyarrow.ipc
import pyarrow.parquet
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import StaticTable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import randomtables  # noqa: E402
from tarn import Server, check, equal, fails, main, test  # noqa: E402

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


def table_info(name, space="main"):
    return lake().request("GET", f"/api/v1/namespaces/{space}/tables/{name}").ok().json


def static_table(name, space="main"):
    return StaticTable.from_metadata(table_info(name, space)["metadata_location"])


def arrow_of(sql):
    body = lake().request("POST", "/api/v1/query", {"sql": sql, "format": "arrow"}).ok().body
    return pyarrow.ipc.open_stream(io.BytesIO(body)).read_all()


def plain(value):
    """One form for values that libraries show differently."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.timezone.utc)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(v, tuple) and len(v) == 2 for v in value):
            return sorted((plain(k), plain(v)) for k, v in value)
        return [plain(v) for v in value]
    return value


def fixed_uuid(table):
    """UUIDs as text, whether they come as 16 bytes, as an extension or as text."""
    for at, field in enumerate(table.schema):
        column = table.column(at)
        if isinstance(field.type, pyarrow.BaseExtensionType):
            column = pyarrow.chunked_array([chunk.storage for chunk in column.chunks], field.type.storage_type)
        if column.type == pyarrow.binary(16):
            texts = [None if v is None else str(uuid.UUID(bytes=v)) for v in column.to_pylist()]
            table = table.set_column(at, field.name, pyarrow.array(texts, pyarrow.string()))
        elif isinstance(field.type, pyarrow.BaseExtensionType):
            table = table.set_column(at, field.name, column)
    return table


def rows_of(table):
    rows = [{k: plain(v) for k, v in row.items()} for row in fixed_uuid(table).to_pylist()]
    return sorted(rows, key=lambda row: row["id"])


def same_rows(got, expected, what, empty_for_null=()):
    """`empty_for_null`: columns in which the reader shows a NULL list as an empty one."""
    equal(len(got), len(expected), f"{what}: rows")
    for one, two in zip(got, expected):
        for name in two:
            if one.get(name) != two[name] and not (name in empty_for_null and two[name] is None and one[name] == []):
                equal(one.get(name), two[name], f"{what}: row {two['id']}, column {name}")


def data_files(static):
    """(data file, its path on disk) of the current snapshot, from the manifests themselves."""
    files = []
    for manifest in static.current_snapshot().manifests(static.io):
        for entry in manifest.fetch_manifest_entry(static.io):
            equal(entry.data_file.content, DataFileContent.DATA)
            path = entry.data_file.file_path
            files.append((entry.data_file, path.removeprefix("file://")))
    return files


def leaves(field_type, field_id, name, path, found):
    """Primitive fields below structs, which have metrics: id -> (type, path in a row)."""
    if field_type.is_primitive:
        found[field_id] = (field_type, path)
    elif field_type.is_struct:
        for field in field_type.fields:
            leaves(field.field_type, field.field_id, field.name, path + [field.name], found)
    return found


def at_path(row, path):
    for name in path:
        row = None if row is None else row[name]
    return row


def comparable(value):
    return str(value) if isinstance(value, uuid.UUID) else value


def from_epoch(kind, value):
    """A decoded bound as the row's own Python value."""
    name = str(kind)
    if name == "uuid":
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value))
    if value is None or isinstance(value, (str, decimal.Decimal, bool, bytes)):
        return value
    if name == "date":
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=value)
    if name == "time":
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=value)).time()
    if name == "timestamp":
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=value)
    if name == "timestamptz":
        return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=value)
    return value


def check_metrics(static, file, path, rows):
    """What the manifest says of one file, against the rows in it."""
    equal(file.record_count, len(rows), path)
    equal(file.file_size_in_bytes, os.path.getsize(path), path)
    check(file.split_offsets and file.split_offsets[0] == 4, f"{path}: split offsets {file.split_offsets}")
    found = {}
    for field in static.schema().fields:
        leaves(field.field_type, field.field_id, field.name, [field.name], found)
    bounded = 0
    for field_id, (kind, where) in found.items():
        name = f"{path} {'.'.join(where)}"
        values = [at_path(row, where) for row in rows]
        present = [comparable(v) for v in values if v is not None]
        equal(file.value_counts.get(field_id), len(values), f"{name}: value count")
        equal(file.null_value_counts.get(field_id), len(values) - len(present), f"{name}: null count")
        check(file.column_sizes.get(field_id, 0) > 0, f"{name}: column size")
        nans = sum(v == "NaN" for v in present)
        if field_id in (file.nan_value_counts or {}):
            equal(file.nan_value_counts[field_id], nans, f"{name}: NaN count")
        numbers = [v for v in present if v != "NaN"]
        for bounds, is_lower in ((file.lower_bounds, True), (file.upper_bounds, False)):
            if field_id not in bounds:
                continue
            bounded += 1
            bound = comparable(from_epoch(kind, from_bytes(kind, bounds[field_id])))
            check(numbers, f"{name}: a bound {bound} without values")
            real = min(numbers) if is_lower else max(numbers)
            ok = bound <= real if is_lower else bound >= real
            check(ok, f"{name}: {'lower' if is_lower else 'upper'} bound {bound!r}, but a value is {real!r}")
            if not isinstance(real, (str, bytes)) and not isinstance(real, float):
                equal(bound, real, f"{name}: a bound that could be exact")
    return bounded


def check_partitions(static, file, path, rows):
    """Each row's transformed values are the partition values of its file."""
    spec, schema = static.spec(), static.schema()
    for at, field in enumerate(spec.fields):
        source = schema.find_field(field.source_id)
        apply = field.transform.transform(source.field_type)
        for row in rows:
            value = at_path(row, schema.find_column_name(field.source_id).split("."))
            got = apply(internal(source.field_type, value))
            got = wrapped(field, source.field_type, got)
            equal(got, file.partition[at], f"{path}: {field.name} of {value!r}")


def internal(kind, value):
    """The value as PyIceberg's transforms take it."""
    name = str(kind)
    if value is None:
        return None
    if name == "date":
        return (value - datetime.date(1970, 1, 1)).days
    if name == "time":
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 10**6 + value.microsecond
    if name.startswith("timestamp"):
        zone = datetime.timezone.utc if value.tzinfo else None
        return (value - datetime.datetime(1970, 1, 1, tzinfo=zone)) // datetime.timedelta(microseconds=1)
    if name == "uuid":
        return uuid.UUID(value)
    return value


def wrapped(field, kind, value):
    """PyIceberg's integers have no end; those of the specification's reference wrap."""
    bits = {"int": 32, "long": 64}.get(str(kind))
    if bits and str(field.transform).startswith("truncate") and value is not None and value < -2**(bits - 1):
        return value + 2**bits
    return value


def check_table(name, space="main", empty_for_null=()):
    """Everything at once. The number of bounds that were checked."""
    expected = rows_of(arrow_of(f'SELECT * FROM {space}."{name}"'))
    static = static_table(name, space)
    same_rows(rows_of(static.scan().to_arrow()), expected, f"{name} by PyIceberg", empty_for_null)
    files, seen, bounds = data_files(static), 0, 0
    by_id = {row["id"]: row for row in expected}
    for file, path in files:
        table = pyarrow.parquet.ParquetFile(path).read()
        rows = rows_of(table)
        same_rows(rows, [by_id[row["id"]] for row in rows], f"{path} by PyArrow")
        bounds += check_metrics(static, file, path, rows)
        check_partitions(static, file, path, rows)
        seen += len(rows)
        check(all(int(field.metadata[b"PARQUET:field_id"]) > 0 for field in table.schema), f"{path}: field ids")
    equal(seen, len(expected), f"{name}: rows in all files")
    if files:
        counted = duckdb.connect().execute("SELECT count(*), sum(id), count(DISTINCT id) FROM read_parquet(?)",
                                           [[path for _, path in files]]).fetchone()
        equal(tuple(int(n) for n in counted),
              (len(expected), sum(row["id"] for row in expected), len(expected)), f"{name} by DuckDB")
    summary = static.current_snapshot().summary
    equal(int(summary["total-records"]), len(expected), "total-records")
    equal(int(summary["total-data-files"]), len(files), "total-data-files")
    equal(int(summary["total-files-size"]), sum(file.file_size_in_bytes for file, _ in files), "total-files-size")
    return bounds


COLUMNS = ", ".join(f"{c.sql} {c.type}" for c in randomtables.COLUMNS)


def fill(server, name, seed, counts, spec="", nulls=0.15, columns=None):
    r = random.Random(seed)
    columns = columns or randomtables.COLUMNS
    server.query(f'CREATE TABLE {name} (id BIGINT NOT NULL, {", ".join(f"{c.sql} {c.type}" for c in columns)}) {spec}')
    number = 0
    for count in counts:
        rows = []
        for _ in range(count):
            number += 1
            rows.append("(" + ", ".join([str(number)] + ["NULL" if r.random() < nulls else c.make(r)
                                                         for c in columns]) + ")")
        server.query(f"INSERT INTO {name} VALUES {', '.join(rows)}")


@test
def all_types_row_for_row():
    fill(lake(), "all_types", 1, (60, 1, 25))
    bounds = check_table("all_types")
    check(bounds > 60, f"only {bounds} bounds were checked")


@test
def columns_of_nulls_alone():
    fill(lake(), "all_null", 2, (3, 4), nulls=1)
    check_table("all_null")


@test
def nested_in_nested():
    server = lake()
    server.query("CREATE TABLE deep (id BIGINT NOT NULL, s STRUCT(a STRUCT(b INTEGER, c VARCHAR[]), d DATE),"
                 " l STRUCT(x INTEGER, y VARCHAR)[], m MAP(VARCHAR, STRUCT(p DOUBLE, q INTEGER[])), ll INTEGER[][])")
    server.query("""INSERT INTO deep VALUES
        (1, {'a': {'b': 1, 'c': ['x', NULL]}, 'd': DATE '1969-12-31'}, [{'x': 1, 'y': 'a'}, NULL],
         MAP {'k': {'p': 1.5, 'q': [1, 2]}}, [[1], [], NULL]),
        (2, NULL, NULL, NULL, NULL),
        (3, {'a': NULL, 'd': NULL}, [], MAP {}, []),
        (4, {'a': {'b': NULL, 'c': []}, 'd': DATE '2024-02-29'}, [{'x': NULL, 'y': NULL}], MAP {'n': NULL}, [[NULL]])""")
    # PyIceberg 0.12 loses the NULLs of lists and maps that hold structs or lists; PyArrow below does not.
    check_table("deep", empty_for_null=("l", "m", "ll"))


BY_TYPE = [(c, t) for c in randomtables.COLUMNS for t in c.transforms]


@test
def every_transform_of_every_type():
    count = 0
    for number, (column, transform) in enumerate(BY_TYPE):
        spec = column.sql if transform == "identity" else transform.format(column.sql)
        name = f"part_{number}"
        fill(lake(), name, number, (25, 8), f"PARTITIONED BY ({spec})", columns=[column])
        static = static_table(name)
        equal(len(static.spec().fields), 1, spec)
        try:
            check_table(name)
        except Exception as error:
            raise type(error)(f"PARTITIONED BY ({spec}) on {column.type}: {error}") from error
        count += 1
    print(f"{count} pairs of transform and type")
    check(count >= 40, f"only {count}")


@test
def several_partition_fields_and_pruning_by_others():
    server = lake()
    fill(server, "multi", 7, (60, 40), 'PARTITIONED BY (year(day), bucket(2, u), "Mixed Case")')
    check_table("multi")
    static = static_table("multi")
    everything = len(list(static.scan().plan_files()))
    some = len(list(static.scan(row_filter="day >= '2000-01-01'").plan_files()))
    check(some < everything, f"PyIceberg plans {some} of {everything} files")
    for condition, sql in (("day >= '2000-01-01'", "day >= DATE '2000-01-01'"), ("small > 10", "small > 10"),
                           ("text == 'apple'", "text = 'apple'"), ("id <= 30", "id <= 30"),
                           ("i is null", "i IS NULL"), ("d is nan", "isnan(d)")):
        got = sorted(static.scan(row_filter=condition, selected_fields=("id",)).to_arrow().column("id").to_pylist())
        expected = [row[0] for row in server.rows(f"SELECT id FROM multi WHERE {sql} ORDER BY id")]
        equal(got, expected, condition)


@test
def a_table_at_a_place_of_its_own():
    server = lake()
    place = os.path.join(server.folder, "chosen", "place with space")
    server.query(f"CREATE TABLE placed (id BIGINT, s VARCHAR COMMENT 'what it is') WITH (location = 'file://{place}')")
    server.query("INSERT INTO placed VALUES (1, 'a')")
    equal(table_info("placed")["location"], "file://" + place)
    check(os.path.isdir(os.path.join(place, "metadata")) and os.path.isdir(os.path.join(place, "data")), place)
    check_table("placed")
    static = static_table("placed")
    equal((static.metadata.location, static.schema().fields[1].doc), ("file://" + place, "what it is"))
    fails("denied", server.query, "CREATE TABLE elsewhere (a INTEGER) WITH (location = 'file:///etc/tarn')")


@test
def history_is_whole():
    server = lake()
    server.query("CREATE TABLE history (id BIGINT)")
    counts = []
    for n in range(5):
        server.query(f"INSERT INTO history SELECT range + {10 * n} FROM range({n + 1})")
        counts.append(n + 1)
    static = static_table("history")
    snapshots = static.metadata.snapshots
    equal([int(s.summary["added-records"]) for s in snapshots], counts)
    for number, snapshot in enumerate(snapshots):
        got = static.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
        equal(got.num_rows, sum(counts[:number + 1]), f"snapshot {number}")
        equal(snapshot.sequence_number, number + 1)
        equal(snapshot.parent_snapshot_id, snapshots[number - 1].snapshot_id if number else None)
    equal(static.metadata.refs["main"].snapshot_id, snapshots[-1].snapshot_id)
    equal([entry.snapshot_id for entry in static.metadata.snapshot_log], [s.snapshot_id for s in snapshots])
    equal(static.metadata.last_sequence_number, 5)


@test
def files_loaded_by_arrow_and_parquet_come_back():
    server = lake()
    source = pyarrow.table({
        "id": pyarrow.array(range(1000), pyarrow.int64()),
        "day": pyarrow.array([datetime.date(2024, 1, 1) + datetime.timedelta(days=n % 400) for n in range(1000)]),
        "price": pyarrow.array([decimal.Decimal(n).scaleb(-2) for n in range(1000)], pyarrow.decimal128(10, 2)),
        "word": pyarrow.array([None if n % 7 == 0 else f"wörd {n}" for n in range(1000)]),
        "tags": pyarrow.array([[f"t{n % 3}"] * (n % 4) for n in range(1000)]),
        "at": pyarrow.array([datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=n) for n in range(1000)],
                            pyarrow.timestamp("us", "UTC")),
        "pos": pyarrow.array([{"lat": n / 7, "lon": None} for n in range(1000)],
                             pyarrow.struct([("lat", pyarrow.float64()), ("lon", pyarrow.float64())])),
        "bytes": pyarrow.array([bytes([n % 256]) * (n % 5) for n in range(1000)]),
        "dict": pyarrow.array([f"d{n % 5}" for n in range(1000)]).dictionary_encode(),
    })
    out = io.BytesIO()
    pyarrow.parquet.write_table(source, out, row_group_size=300)
    got = server.request("POST", "/ingest/arrived", out.getvalue(),
                         {"Content-Type": "application/vnd.apache.parquet"}).ok().json
    equal(got["rows_written"], 1000)
    expected = rows_of(source)
    same_rows(rows_of(static_table("arrived").scan().to_arrow()), expected, "arrived by PyIceberg")
    same_rows(rows_of(arrow_of("SELECT * FROM arrived")), expected, "arrived by Arrow")
    check_table("arrived")


@test
def arrow_answers_equal_json_answers():
    server = lake()
    if "all_types" not in [t["name"] for t in server.request("GET", "/api/v1/namespaces/main/tables").json["tables"]]:
        fill(server, "all_types", 1, (60, 1, 25))
    sql = "SELECT * FROM all_types ORDER BY id"
    arrow, document = fixed_uuid(arrow_of(sql)), server.query(sql)
    equal(arrow.column_names, [c["name"] for c in document["columns"]])
    equal(arrow.num_rows, document["row_count"])
    for row, values in zip(arrow.to_pylist(), document["rows"]):
        for column, value in zip(document["columns"], values):
            equal(as_json(row[column["name"]], column["type"]), value, f"row {row['id']}, {column['name']}")
    empty = arrow_of("SELECT * FROM all_types WHERE false")
    equal((empty.num_rows, empty.schema.names), (0, arrow.column_names))
    many = arrow_of("SELECT range AS id, 'v' || range AS s, [range] AS l FROM range(300000)")
    equal((many.num_rows, many.column("id")[299999].as_py(), many.column("l")[5].as_py()), (300000, 299999, [5]))


def as_json(value, kind):
    """A value of Arrow as the JSON of the interface writes it."""
    import base64
    if value is None:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 - 1 else str(value)
    if isinstance(value, float):
        if kind == "FLOAT" and math.isfinite(value):
            return as_float32(value)
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity") if math.isinf(value) else value
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        text = value.astimezone(datetime.timezone.utc) if value.tzinfo else value
        shown = text.strftime("%Y-%m-%dT%H:%M:%S") if text.year >= 1000 else text.isoformat()[:19]
        shown += f".{text.microsecond:06}" if text.microsecond else ""
        return shown + ("Z" if value.tzinfo else "")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, dict):
        return {k: as_json(v, "") for k, v in value.items()}
    if isinstance(value, list):
        if kind.startswith("MAP"):
            return [{"key": as_json(k, ""), "value": as_json(v, "")} for k, v in value]
        return [as_json(v, "") for v in value]
    return str(value)


def as_float32(value):
    """The shortest text that gives the same 32-bit number, as a number."""
    for digits in range(1, 10):
        short = float(f"{value:.{digits}g}")
        if pyarrow.scalar(short, pyarrow.float32()).as_py() == value:
            return short
    return value


@test
def parquet_answers_are_parquet():
    body = lake().request("POST", "/api/v1/query", {
        "sql": "SELECT id, text, dec, s, li FROM all_types ORDER BY id", "format": "parquet"}).ok().body
    table = pyarrow.parquet.read_table(io.BytesIO(body))
    same_rows(rows_of(table), rows_of(arrow_of("SELECT id, text, dec, s, li FROM all_types ORDER BY id")), "parquet")


@test
def generated_events_are_nested_tables():
    server = lake()
    path = os.path.join(server.work, "events.ndjson")
    code, _, err = server.run("generate", "events", "--rows", "2000", "--seed", "2", "--out", path)
    equal(code, 0, err)
    with open(path, encoding="utf-8") as file:
        first = json.loads(file.readline())
    check(any(isinstance(v, (dict, list)) for v in first.values()), f"an event is flat: {first}")
    code, _, err = server.run("load", "events", path)
    equal(code, 0, err)
    static = static_table("events")
    arrow = static.scan().to_arrow()
    equal(arrow.num_rows, 2000)
    check(any(not f.field_type.is_primitive for f in static.schema().fields), "the table of events is flat")
    for file, disk in data_files(static):
        equal(pyarrow.parquet.ParquetFile(disk).metadata.num_rows, file.record_count)


@test
def compressions_and_versions():
    server = lake()
    for codec in ("zstd", "snappy", "gzip", "uncompressed"):
        server.query(f"CREATE TABLE c_{codec} (id BIGINT, s VARCHAR) WITH ('write.parquet.compression-codec' = '{codec}')")
        server.query(f"INSERT INTO c_{codec} SELECT range, 'v' || range FROM range(5000)")
        _, path = data_files(static_table(f"c_{codec}"))[0]
        used = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(0).compression
        equal(used.lower(), codec)
        check_table(f"c_{codec}")
    server.query("CREATE TABLE plain_json (id BIGINT) WITH ('write.metadata.compression-codec' = 'none')")
    server.query("INSERT INTO plain_json VALUES (1)")
    location = table_info("plain_json")["metadata_location"]
    with open(location.removeprefix("file://"), encoding="utf-8") as file:
        equal(json.load(file)["format-version"], 2)
    check_table("plain_json")


main()

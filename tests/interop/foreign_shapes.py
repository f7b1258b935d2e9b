#!/usr/bin/env python3
"""Files as others write them, read as the table has them: renamed, reordered, dropped, added and widened columns at any
depth, name mappings, partition values that no file holds, initial defaults, older forms of lists and timestamps. The
files are PyArrow's; what tarn must answer is computed from the rows that were written."""
import datetime
import decimal
import json
import os
import random
import sys
import uuid

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import footer  # noqa: E402
from icefiles import DataFile, adopt, write_table  # noqa: E402
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


def ided(name, kind, number=None, nullable=True):
    """A PyArrow field with a field id."""
    metadata = {} if number is None else {"PARQUET:field_id": str(number)}
    return pa.field(name, kind, nullable=nullable, metadata=metadata)


def column(number, name, kind, required=False, **more):
    return dict({"id": number, "name": name, "type": kind, "required": required}, **more)


def schema_of(*columns, number=0):
    return {"type": "struct", "schema-id": number, "fields": list(columns)}


def struct(*columns):
    return {"type": "struct", "fields": list(columns)}


def list_of(number, kind, required=False):
    return {"type": "list", "element-id": number, "element": kind, "element-required": required}


def map_of(key_id, key, value_id, value):
    return {"type": "map", "key-id": key_id, "key": key, "value-id": value_id, "value": value, "value-required": False}


class Case:
    """One table: files written into its folder by `write(folder)`, which returns DataFiles."""

    def __init__(self, columns, write, options):
        self.columns, self.write, self.options = columns, write, options

    def make(self, folder, table_uuid):
        os.makedirs(os.path.join(folder, "data"), exist_ok=True)
        files = self.write(os.path.join(folder, "data"))
        return write_table(folder, files, [schema_of(*self.columns)], table_uuid=table_uuid, **self.options)


CASES, EXPECTED = {}, {}


def case(name, columns, expected, **options):
    """`expected`: rows in the order of ORDER BY ALL NULLS LAST, or a function of the server."""
    def take(write):
        CASES[name] = Case(columns, write, options)
        EXPECTED[name] = expected
        return write
    return take


def put(folder, name, table, change=None, **options):
    path = os.path.join(folder, name)
    pq.write_table(table, path, **options)
    if change:
        os.rename(path, path + ".plain")
        footer.rewrite(path + ".plain", path, change)
        os.unlink(path + ".plain")
    return DataFile(path, table.num_rows)


def refuses(sql, *words):
    def look(server):
        try:
            server.rows(sql)
        except TarnError as error:
            for word in words:
                check(word in str(error), f"{error}: lacks {word}")
        else:
            check(False, f"{sql} was not refused")
    return look


# ---- columns ----

@case("renamed_reordered_added", [column(3, "c", "string"), column(9, "extra", "int"), column(1, "z", "long")],
      [["x", None, 1], ["y", None, 2]])
def _(folder):
    schema = pa.schema([ided("a", pa.int32(), 1), ided("dropped", pa.int32(), 2), ided("b", pa.string(), 3)])
    return [put(folder, "f.parquet", pa.Table.from_pylist(
        [{"a": 1, "dropped": 7, "b": "x"}, {"a": 2, "dropped": 8, "b": "y"}], schema))]


@case("swapped_names", [column(1, "b", "int"), column(2, "a", "int")], [[1, 10]])
def _(folder):
    return [put(folder, "f.parquet", pa.Table.from_pylist(
        [{"a": 1, "b": 10}], pa.schema([ided("a", pa.int32(), 1), ided("b", pa.int32(), 2)])))]


@case("names_in_case", [column(1, "id", "int"), column(2, "ID", "string")],
      lambda server: equal([server.rows('SELECT "id", "ID_1" FROM names_in_case ORDER BY 1'),
                            server.rows("SELECT id FROM names_in_case WHERE ID_1 = 'y'")],
                           [[[1, "x"], [2, "y"]], [[2]]]))
def _(folder):
    schema = pa.schema([ided("id", pa.int32(), 1), ided("ID", pa.string(), 2)])
    return [put(folder, "1.parquet", pa.table([[1], ["x"]], schema)),
            put(folder, "2.parquet", pa.table([[2], ["y"]], schema))]


@case("file_in_case", [column(2, "name", "string"), column(1, "id", "int")], [["x", 1]])
def _(folder):
    schema = pa.schema([ided("Name", pa.int32(), 7), ided("id", pa.int32(), 1), ided("name", pa.string(), 2)])
    return [put(folder, "f.parquet", pa.table([[5], [1], ["x"]], schema))]


@case("virtual_names", [column(1, "filename", "string"), column(2, "file_row_number", "long"),
                        column(3, "file_index", "long"), column(4, "other", "long")],
      [["a", 7, 70, 1], ["b", 8, 80, 2]])
def _(folder):
    schema = pa.schema([ided("filename", pa.string(), 1), ided("file_row_number", pa.int64(), 2),
                        ided("file_index", pa.int64(), 3), ided("other", pa.int64(), 4)])
    return [put(folder, "1.parquet", pa.table([["a"], [7], [70], [1]], schema)),
            put(folder, "2.parquet", pa.table([["b"], [8], [80], [2]], schema))]


@case("widened", [column(1, "l", "long"), column(2, "d", "double"), column(3, "m", "decimal(20, 2)"),
                  column(4, "s", struct(column(5, "l", "long"), column(6, "d", "double"))),
                  column(7, "xs", list_of(8, "long")), column(9, "kv", map_of(10, "string", 11, "double"))],
      [[1, 0.5, "12.34", {"l": 5, "d": 1.5}, [1, None], [{"key": "k", "value": 0.25}]],
       [2 ** 40, None, None, None, None, None]])
def _(folder):
    def schema(whole, real, digits):
        return pa.schema([
            ided("l", whole, 1), ided("d", real, 2), ided("m", pa.decimal128(digits, 2), 3),
            ided("s", pa.struct([ided("l", whole, 5), ided("d", real, 6)]), 4),
            ided("xs", pa.list_(ided("element", whole, 8)), 7),
            ided("kv", pa.map_(ided("key", pa.string(), 10, False), ided("value", real, 11)), 9)])
    return [put(folder, "old.parquet", pa.Table.from_pylist(
        [{"l": 1, "d": 0.5, "m": decimal.Decimal("12.34"), "s": {"l": 5, "d": 1.5}, "xs": [1, None],
          "kv": [("k", 0.25)]}], schema(pa.int32(), pa.float32(), 9))),
        put(folder, "new.parquet", pa.Table.from_pylist([{"l": 2 ** 40}], schema(pa.int64(), pa.float64(), 20)))]


@case("dates_become_timestamps", [column(1, "t", "timestamp"), column(2, "n", "timestamp_ns")],
      [["2024-02-29T00:00:00", "2024-02-29T00:00:00"]], version=3)
def _(folder):
    day = datetime.date(2024, 2, 29)
    return [put(folder, "f.parquet", pa.table([[day], [day]], pa.schema(
        [ided("t", pa.date32(), 1), ided("n", pa.date32(), 2)])))]


# ---- nested ----

@case("nested_changes", [column(1, "s", struct(
    column(4, "added", "int"), column(3, "why", "string"),
    column(5, "deep", list_of(6, struct(column(8, "b2", "long"), column(9, "new", "string")))),
    column(10, "m", map_of(11, "string", 12, struct(column(13, "p", "long"))))))],
      [[{"added": None, "why": "x", "deep": [{"b2": 2, "new": None}, None], "m": [{"key": "k", "value": {"p": 1}}]}],
       [{"added": None, "why": None, "deep": None, "m": []}], [None]])
def _(folder):
    inner = pa.struct([ided("a", pa.int32(), 7), ided("b", pa.int32(), 8)])
    value = pa.struct([ided("o", pa.int32(), 13)])
    kind = pa.struct([
        ided("x", pa.int32(), 2), ided("y", pa.string(), 3),
        ided("deep", pa.list_(ided("element", inner, 6)), 5),
        ided("m", pa.map_(ided("key", pa.string(), 11, False), ided("value", value, 12)), 10)])
    rows = [{"s": {"x": 1, "y": "x", "deep": [{"a": 1, "b": 2}, None], "m": [("k", {"o": 1})]}},
            {"s": {"x": 2, "y": None, "deep": None, "m": []}}, {"s": None}]
    return [put(folder, "f.parquet", pa.Table.from_pylist(rows, pa.schema([ided("s", kind, 1)])))]


@case("all_members_new", [column(1, "s", struct(column(9, "n", "int")))], [[{"n": None}], [None]])
def _(folder):
    return [put(folder, "f.parquet", pa.Table.from_pylist(
        [{"s": {"x": 1}}, {"s": None}], pa.schema([ided("s", pa.struct([ided("x", pa.int32(), 2)]), 1)])))]


# ---- ids ----

MAPPING = [
    {"field-id": 1, "names": ["id", "number"]},
    {"field-id": 2, "names": ["s"], "fields": [
        {"field-id": 3, "names": ["x.y"]},
        {"field-id": 4, "names": ["l"], "fields": [{"field-id": 5, "names": ["element"]}]}]},
    {"field-id": 6, "names": ["m"], "fields": [
        {"field-id": 7, "names": ["key"]},
        {"field-id": 8, "names": ["value"], "fields": [{"field-id": 9, "names": ["deep"]}]}]},
    {"names": ["nobody"]}]


@case("name_mapping", [column(1, "renamed", "long"),
                       column(2, "s", struct(column(4, "list", list_of(5, "long")), column(3, "xy", "int"))),
                       column(6, "kv", map_of(7, "string", 8, struct(column(9, "depth", "int")))),
                       column(10, "nobody", "int"), column(11, "fresh", "string")],
      [[1, {"list": [1, 2], "xy": 5}, [{"key": "k", "value": {"depth": 3}}], None, None],
       [2, {"list": [7], "xy": 6}, [{"key": "z", "value": {"depth": 4}}], None, "with ids"]],
      properties={"schema.name-mapping.default": json.dumps(MAPPING)})
def _(folder):
    plain = pa.schema([
        ided("number", pa.int32()), ided("s", pa.struct([ided("x.y", pa.int32()), ided("l", pa.list_(pa.int32()))])),
        ided("m", pa.map_(pa.string(), pa.struct([ided("deep", pa.int32())]))), ided("nobody", pa.int32()),
        ided("fresh", pa.string())])
    value = pa.struct([ided("d", pa.int32(), 9)])
    with_ids = pa.schema([
        ided("number", pa.string(), 11), ided("id", pa.int64(), 1),
        ided("s", pa.struct([ided("a", pa.int32(), 3), ided("b", pa.list_(ided("element", pa.int64(), 5)), 4)]), 2),
        ided("kv", pa.map_(ided("key", pa.string(), 7, False), ided("value", value, 8)), 6)])
    return [put(folder, "plain.parquet", pa.Table.from_pylist(
        [{"number": 1, "s": {"x.y": 5, "l": [1, 2]}, "m": [("k", {"deep": 3})], "nobody": 9, "fresh": "not mapped"}],
        plain)),
        put(folder, "ids.parquet", pa.Table.from_pylist(
            [{"number": "with ids", "id": 2, "s": {"a": 6, "b": [7]}, "kv": [("z", {"d": 4})]}], with_ids))]


@case("no_ids_no_mapping", [column(1, "a", "int")],
      refuses("SELECT * FROM no_ids_no_mapping", "f.parquet", "field ids", "name mapping"))
def _(folder):
    return [put(folder, "f.parquet", pa.table({"a": [1]}))]


@case("some_ids", [column(1, "a", "int"), column(2, "b", "int")], [[1, None]])
def _(folder):
    schema = pa.schema([ided("a", pa.int32(), 1), ided("b", pa.int32())])
    return [put(folder, "f.parquet", pa.table([[1], [2]], schema))]


# ---- columns that files lack ----

SPECS = [{"spec-id": 0, "fields": [{"name": "day", "transform": "identity", "source-id": 2, "field-id": 1000},
                                   {"name": "p", "transform": "identity", "source-id": 3, "field-id": 1001}]},
         {"spec-id": 1, "fields": [{"name": "b", "transform": "bucket[4]", "source-id": 1, "field-id": 1002}]}]


@case("partition_values", [column(1, "id", "int"), column(2, "day", "date", **{"initial-default": "1999-01-01"}),
                           column(3, "p", "string", **{"initial-default": "default"}), column(4, "q", "binary")],
      [[1, "2024-01-01", "x'y", None], [2, "2024-01-02", None, None], [3, "1999-01-01", "default", None],
       [4, "2020-05-05", "in the file", None]], specs=SPECS, version=3)
def _(folder):
    plain = pa.schema([ided("id", pa.int32(), 1)])
    full = pa.schema([ided("id", pa.int32(), 1), ided("day", pa.date32(), 2), ided("p", pa.string(), 3)])
    epoch = datetime.date(1970, 1, 1)
    files = []
    for number, day, p in ((1, datetime.date(2024, 1, 1), "x'y"), (2, datetime.date(2024, 1, 2), None)):
        file = put(folder, f"{number}.parquet", pa.table([[number]], plain))
        file.partition = {"day": (day - epoch).days, "p": p}
        files.append(file)
    third = put(folder, "3.parquet", pa.table([[3]], plain))
    third.spec_id, third.partition = 1, {"b": 0}
    fourth = put(folder, "4.parquet", pa.table([[4], [datetime.date(2020, 5, 5)], ["in the file"]], full))
    fourth.partition = {"day": 1, "p": "elsewhere"}
    return [*files, third, fourth]


DEFAULTS = [
    ("boolean", True, "true"), ("int", -5, "-5"), ("long", -2 ** 63, str(-2 ** 63)), ("float", 0.25, "0.25"),
    ("double", 1e300, "1e+300"), ("decimal(20, 2)", "123.40", "123.40"), ("date", "2020-02-29", "2020-02-29"),
    ("time", "10:00:00.000001", "10:00:00.000001"), ("timestamp", "2020-01-01T00:00:00.5", "2020-01-01 00:00:00.5"),
    ("timestamptz", "2020-01-01T00:00:00+00:00", "2020-01-01 00:00:00+00"),
    ("timestamp_ns", "2020-01-01T00:00:00.000000001", "2020-01-01 00:00:00.000000001"), ("string", "it's", "it's"),
    ("uuid", "f79c3e09-677c-4bbd-a479-3f349cb785e7", "f79c3e09-677c-4bbd-a479-3f349cb785e7"),
    ("fixed[2]", "00ff", "\\x00\\xFF"), ("binary", "61", "a")]


def look_at_defaults(server):
    for at, (kind, _, shown) in enumerate(DEFAULTS):
        equal(server.rows(f"SELECT CAST(c{at} AS VARCHAR) FROM defaults"), [[shown]], kind)
    equal(server.rows("SELECT s, CAST(xs AS VARCHAR), CAST(m AS VARCHAR), nothing FROM defaults"),
          [[{"a": 7, "b": None}, "[1, 2]", "{k=1}", None]])
    equal(server.rows("SELECT t.x, t.y FROM defaults"), [[1, 42]])


@case("defaults", [column(1, "id", "int"),
                   *[column(10 + at, f"c{at}", kind, required=True, **{"initial-default": value})
                     for at, (kind, value, _) in enumerate(DEFAULTS)],
                   column(50, "s", struct(column(51, "a", "int", **{"initial-default": 7}), column(52, "b", "int")),
                          **{"initial-default": {}}),
                   column(53, "xs", list_of(54, "int"), **{"initial-default": [1, 2]}),
                   column(55, "m", map_of(56, "string", 57, "int"),
                          **{"initial-default": {"keys": ["k"], "values": [1]}}),
                   column(58, "t", struct(column(59, "x", "int"), column(60, "y", "int", **{"initial-default": 42}))),
                   column(61, "nothing", "unknown")],
      look_at_defaults, version=3)
def _(folder):
    return [put(folder, "f.parquet", pa.Table.from_pylist([{"id": 1, "t": {"x": 1}}], pa.schema(
        [ided("id", pa.int32(), 1), ided("t", pa.struct([ided("x", pa.int32(), 59)]), 58)])))]


def look_at_required(server):
    equal(server.rows("SELECT a FROM required_missing"), [[1]])
    refuses("SELECT b FROM required_missing", "f.parquet", '"b"', "required")(server)


@case("required_missing", [column(1, "a", "int"), column(2, "b", "int", required=True)], look_at_required)
def _(folder):
    return [put(folder, "f.parquet", pa.table([[1]], pa.schema([ided("a", pa.int32(), 1)])))]


# ---- types ----

UUID = "f79c3e09-677c-4bbd-a479-3f349cb785e7"


@case("older_types", [
    column(1, "i8", "int"), column(2, "u16", "int"), column(3, "u32", "long"), column(4, "t96", "timestamp"),
    column(5, "tz96", "timestamptz"), column(6, "u", "uuid"), column(7, "us", "uuid"), column(8, "f", "fixed[2]"),
    column(9, "text", "string"), column(10, "half", "float"), column(11, "nothing", "date"),
    column(12, "ms", "timestamp"), column(13, "ns", "timestamp"), column(14, "t", "time"), column(15, "b", "binary"),
    column(16, "d9", "decimal(9, 2)"), column(17, "d38", "decimal(38, 2)"), column(18, "none", list_of(19, "date"))],
    [[-1, 65535, 2 ** 32 - 1, "2024-01-02T03:04:05", "2024-01-02T03:04:05Z", UUID, UUID, "AP8=", "text", 1.5, None,
      "2024-01-02T03:04:05", "2024-01-02T03:04:05", "01:02:03", "dGV4dA==", "1.25", "-1.25", [None]]])
def _(folder):
    at = datetime.datetime(2024, 1, 2, 3, 4, 5)
    kinds = [("i8", pa.int8(), -1), ("u16", pa.uint16(), 65535), ("u32", pa.uint32(), 2 ** 32 - 1),
             ("t96", pa.timestamp("ns"), at), ("tz96", pa.timestamp("ns"), at),
             ("u", pa.binary(16), uuid.UUID(UUID).bytes), ("us", pa.string(), UUID), ("f", pa.binary(2), b"\0\xff"),
             ("text", pa.binary(), b"text"), ("half", pa.float16(), 1.5), ("nothing", pa.null(), None),
             ("ms", pa.timestamp("ms"), at), ("ns", pa.timestamp("ns"), at),
             ("t", pa.time32("ms"), datetime.time(1, 2, 3)), ("b", pa.string(), "text"),
             ("d9", pa.decimal128(9, 2), decimal.Decimal("1.25")),
             ("d38", pa.decimal128(38, 2), decimal.Decimal("-1.25")),
             ("none", pa.list_(ided("element", pa.null(), 19)), [None])]
    schema = pa.schema([ided(name, kind, number) for number, (name, kind, _) in enumerate(kinds, 1)])
    return [put(folder, "f.parquet", pa.table([[value] for _, _, value in kinds], schema),
                use_deprecated_int96_timestamps=True, store_decimal_as_integer=True)]


@case("old_annotations", [column(1, "t", "timestamptz"), column(2, "n", "timestamp"), column(3, "s", "string"),
                          column(4, "d", "decimal(9, 2)")],
      [["2024-01-02T03:04:05Z", "2024-01-02T03:04:05", "x", "1.25"]])
def _(folder):
    at = datetime.datetime(2024, 1, 2, 3, 4, 5)
    schema = pa.schema([ided("t", pa.timestamp("us", tz="UTC"), 1), ided("n", pa.timestamp("us"), 2),
                        ided("s", pa.string(), 3), ided("d", pa.decimal128(9, 2), 4)])

    def change(metadata):
        """As writers did before there was LogicalType: ConvertedType alone."""
        for element in metadata[2]:
            element.drop(10)
            if element.get(4) in (b"t", b"n"):
                element.put(6, footer.I32, 10)  # TIMESTAMP_MICROS
    return [put(folder, "f.parquet", pa.table([[at], [at], ["x"], [decimal.Decimal("1.25")]], schema), change)]


def rename_repeated(name):
    """Another name for the repeated group of lists."""
    def change(metadata):
        for element in metadata[2]:
            if element.get(4) == b"list":
                element[4] = name
        for group in metadata[4]:
            for chunk in group[1]:
                path = chunk[3][3]
                path[:] = [name if part == b"list" else part for part in path]
    return change


def two_levels(metadata):
    """optional group xs (LIST) { repeated int32 array }: the middle group goes, its element is repeated."""
    elements = metadata[2]
    for at in range(len(elements) - 2, 0, -1):
        if elements[at].get(4) == b"list":
            elements[at + 1][3], elements[at + 1][4] = 2, b"array"
            del elements[at]
    for group in metadata[4]:
        for chunk in group[1]:
            path = chunk[3][3]
            if b"list" in path:
                at = path.index(b"list")
                path[at:at + 2] = [b"array"]


@case("lists_of_two_levels", [column(1, "xs", list_of(2, "long"))], [[[]], [[1, 2]], [None]])
def _(folder):
    schema = pa.schema([ided("xs", pa.list_(ided("element", pa.int32(), 2, False)), 1)])
    return [put(folder, "f.parquet", pa.table([[[1, 2], [], None]], schema), two_levels)]


@case("lists_of_two_levels_of_structs",
      [column(1, "xs", list_of(2, struct(column(4, "b", "long"), column(3, "a", "int"))))],
      [[[{"b": 2, "a": 1}]], [None]])
def _(folder):
    kind = pa.struct([ided("a", pa.int32(), 3), ided("b", pa.int32(), 4)])
    schema = pa.schema([ided("xs", pa.list_(ided("element", kind, 2, False)), 1)])
    return [put(folder, "f.parquet", pa.table([[[{"a": 1, "b": 2}], None]], schema), two_levels)]


@case("lists_of_two_levels_of_single_structs", [column(1, "xs", list_of(2, struct(column(3, "a", "long"))))],
      [[[{"a": 1}, {"a": None}]], [None]])
def _(folder):
    kind = pa.struct([ided("a", pa.int32(), 3)])
    schema = pa.schema([ided("xs", pa.list_(ided("element", kind, 2, False)), 1)])
    return [put(folder, "f.parquet", pa.table([[[{"a": 1}, {"a": None}], None]], schema), two_levels)]


@case("lists_named_bag", [column(1, "xs", list_of(2, "long"))], [[[1, None]], [None]])
def _(folder):
    schema = pa.schema([ided("xs", pa.list_(ided("array_element", pa.int32(), 2)), 1)])
    return [put(folder, "f.parquet", pa.table([[[1, None], None]], schema), rename_repeated(b"bag"),
                use_compliant_nested_type=False)]


def look_at_lossy(server):
    equal(server.rows("SELECT id FROM lossy"), [[1]])
    refuses("SELECT t FROM lossy", '"t"', "timestamptz_ns", "loss")(server)


@case("lossy", [column(1, "id", "int"), column(2, "t", "timestamptz_ns")], look_at_lossy, version=3)
def _(folder):
    schema = pa.schema([ided("id", pa.int32(), 1), ided("t", pa.timestamp("ns", tz="UTC"), 2)])
    return [put(folder, "f.parquet", pa.table([[1], [1]], schema))]


@case("wrong_type", [column(1, "a", "int")], refuses("SELECT * FROM wrong_type", '"a"', "string", "f.parquet"))
def _(folder):
    return [put(folder, "f.parquet", pa.table([["x"]], pa.schema([ided("a", pa.string(), 1)])))]


# ---- random histories ----

class Evolution:
    """A nested schema that changes at random; rows are kept by field id, and a file is written at each step."""

    SIMPLE = {"int": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64(),
              "string": pa.string(), "date": pa.date32(), "boolean": pa.bool_(), "decimal(9, 2)": None}
    WIDER = {"int": "long", "float": "double", "decimal(9, 2)": "decimal(20, 2)"}

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.last = 0
        self.top = [self.new_field(0) for _ in range(self.random.randint(1, 4))]
        self.rows = []  # {field id: value}

    def number(self):
        self.last += 1
        return self.last

    def name(self):
        return self.random.choice("abcdefgh") + self.random.choice(["", "", ".x", " y", '"q', "é"]) + str(self.number())

    def new_type(self, depth):
        pick = self.random.random()
        if depth < 3 and pick < 0.2:
            return {"kind": "struct", "fields": [self.new_field(depth + 1) for _ in range(self.random.randint(1, 3))]}
        if depth < 3 and pick < 0.35:
            return {"kind": "list", "id": self.number(), "of": self.new_type(depth + 1)}
        if depth < 3 and pick < 0.45:
            return {"kind": "map", "key": self.number(), "id": self.number(), "of": self.new_type(depth + 1)}
        return {"kind": self.random.choice(list(self.SIMPLE))}

    def new_field(self, depth):
        return {"name": self.name(), "id": self.number(), "type": self.new_type(depth)}

    def parts(self):
        """Every list of fields there is, and every simple type."""
        structs, simple = [self.top], []

        def walk(kind):
            if kind["kind"] == "struct":
                structs.append(kind["fields"])
                for field in kind["fields"]:
                    walk(field["type"])
            elif "of" in kind:
                walk(kind["of"])
            else:
                simple.append(kind)
        for field in self.top:
            walk(field["type"])
        return structs, simple

    def change(self):
        structs, simple = self.parts()
        fields = self.random.choice(structs)
        pick = self.random.choice(["rename", "rename", "move", "drop", "add", "add", "widen", "widen"])
        if pick == "rename":
            self.random.choice(fields)["name"] = self.name()
        elif pick == "move":
            self.random.shuffle(fields)
        elif pick == "drop" and len(fields) > 1:
            fields.remove(self.random.choice(fields))
        elif pick == "add":
            fields.insert(self.random.randint(0, len(fields)), self.new_field(2))
        elif pick == "widen":
            for kind in self.random.sample(simple, min(2, len(simple))):
                kind["kind"] = self.WIDER.get(kind["kind"], kind["kind"])

    def arrow(self, kind):
        if kind["kind"] == "struct":
            return pa.struct([ided(f["name"], self.arrow(f["type"]), f["id"]) for f in kind["fields"]])
        if kind["kind"] == "list":
            return pa.list_(ided("element", self.arrow(kind["of"]), kind["id"]))
        if kind["kind"] == "map":
            value = ided("value", self.arrow(kind["of"]), kind["id"])
            return pa.map_(ided("key", pa.string(), kind["key"], False), value)
        if kind["kind"].startswith("decimal"):
            return pa.decimal128(9 if "(9" in kind["kind"] else 20, 2)
        return self.SIMPLE[kind["kind"]]

    def iceberg(self, kind):
        if kind["kind"] == "struct":
            return struct(*[column(f["id"], f["name"], self.iceberg(f["type"])) for f in kind["fields"]])
        if kind["kind"] == "list":
            return list_of(kind["id"], self.iceberg(kind["of"]))
        if kind["kind"] == "map":
            return map_of(kind["key"], "string", kind["id"], self.iceberg(kind["of"]))
        return kind["kind"]

    def simple_value(self, name):
        pick = self.random
        if name.startswith("decimal"):
            return decimal.Decimal(pick.randint(-10 ** 6, 10 ** 6)).scaleb(-2)
        return {"int": lambda: pick.randint(-2 ** 31, 2 ** 31 - 1), "long": lambda: pick.randint(-2 ** 53, 2 ** 53),
                "float": lambda: pick.randint(-1000, 1000) / 8, "double": lambda: pick.randint(-10 ** 6, 10 ** 6) / 64,
                "string": lambda: pick.choice(["", "x", "it's", "é", "\\n"]),
                "date": lambda: datetime.date(1950, 1, 1) + datetime.timedelta(pick.randint(0, 40000)),
                "boolean": lambda: pick.random() < 0.5}[name]()

    def value(self, kind):
        """(what PyArrow is given, what is kept)"""
        if self.random.random() < 0.2:
            return None, None
        if kind["kind"] == "struct":
            pairs = [(f, self.value(f["type"])) for f in kind["fields"]]
            return {f["name"]: v[0] for f, v in pairs}, {f["id"]: v[1] for f, v in pairs}
        if kind["kind"] == "list":
            items = [self.value(kind["of"]) for _ in range(self.random.randint(0, 3))]
            return [v[0] for v in items], [v[1] for v in items]
        if kind["kind"] == "map":
            items = [(f"k{i}", self.value(kind["of"])) for i in range(self.random.randint(0, 2))]
            return [(k, v[0]) for k, v in items], {k: v[1] for k, v in items}
        made = self.simple_value(kind["kind"])
        return made, made

    def shown(self, kind, value):
        """What tarn answers for a value that was kept, under today's schema."""
        if value is None:
            return None
        if kind["kind"] == "struct":
            return {f["name"]: self.shown(f["type"], value.get(f["id"])) for f in kind["fields"]}
        if kind["kind"] == "list":
            return [self.shown(kind["of"], v) for v in value]
        if kind["kind"] == "map":
            return [{"key": k, "value": self.shown(kind["of"], v)} for k, v in value.items()]
        return str(value) if isinstance(value, (datetime.date, decimal.Decimal)) else value

    def make(self, folder, table_uuid):
        files = []
        os.makedirs(os.path.join(folder, "data"), exist_ok=True)
        order = column(self.number(), "row number", "long")
        for step in range(self.random.randint(2, 6)):
            given = []
            for _ in range(self.random.randint(1, 5)):
                pairs = [(f, self.value(f["type"])) for f in self.top]
                given.append(dict({f["name"]: v[0] for f, v in pairs}, **{"row number": len(self.rows)}))
                self.rows.append({f["id"]: v[1] for f, v in pairs})
            fields = [ided(f["name"], self.arrow(f["type"]), f["id"]) for f in self.top]
            fields.insert(self.random.randint(0, len(fields)), ided("row number", pa.int64(), order["id"]))
            files.append(put(os.path.join(folder, "data"), f"{step}.parquet",
                             pa.Table.from_pylist(given, pa.schema(fields))))
            for _ in range(self.random.randint(0, 3)):
                self.change()
        columns = [column(f["id"], f["name"], self.iceberg(f["type"])) for f in self.top]
        return write_table(folder, files, [schema_of(*columns, order)], table_uuid=table_uuid)

    def look(self, server, name):
        rows = server.rows(f'SELECT * FROM "{name}" ORDER BY "row number"')
        equal(len(rows), len(self.rows))
        for number, (row, kept) in enumerate(zip(rows, self.rows)):
            equal(row[:-1], [self.shown(f["type"], kept.get(f["id"])) for f in self.top], f"{name} row {number}")
        for at, field in enumerate(self.top):
            if field["type"]["kind"] in ("int", "long", "double") and rows:
                wanted = rows[len(rows) // 2][at]
                quoted = field["name"].replace('"', '""')
                condition = "IS NULL" if wanted is None else f"= {wanted}"
                found = server.rows(f'SELECT "row number" FROM "{name}" WHERE "{quoted}" {condition} ORDER BY 1')
                equal([number for number, in found], [i for i, row in enumerate(rows) if row[at] == wanted])


SEED = int(os.environ.get("TARN_TEST_SEED") or (random.SystemRandom().randint(1, 10**9) if LONG else 1))
HISTORIES = {f"history_{number}": Evolution(SEED + number) for number in range(400 if LONG else 40)}


def ready():
    server = lake()
    if not getattr(server, "adopted", False):
        adopt(server, {name: item.make for name, item in {**CASES, **HISTORIES}.items()})
        server.adopted = True
    return server


def look_at(name):
    def run():
        server, expected = ready(), EXPECTED[name]
        if callable(expected):
            expected(server)
        else:
            equal(server.rows(f'SELECT * FROM "{name}" ORDER BY ALL NULLS LAST'), expected)
    run.__name__ = name
    return run


for each in list(CASES):
    test(look_at(each))


@test
def random_histories():
    server = ready()
    for name, history in HISTORIES.items():
        try:
            history.look(server, name)
        except (AssertionError, TarnError):
            print(f"seed {SEED}, {name}", flush=True)
            raise


if __name__ == "__main__":
    try:
        main()
    finally:
        for server in SERVER:
            server.close()

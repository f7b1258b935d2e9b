"""Rows of different readers in one form, so that they can be compared: Arrow and Spark and PyIceberg show dates, UUIDs,
maps and structs each in their own way. Also what a table amounts to, column by column."""
import base64
import datetime
import decimal
import json
import math
import uuid
import zlib

EPOCH = datetime.datetime(1970, 1, 1)


def plain(value):
    """Numbers, texts, None, lists, and dicts by field name; maps are sorted lists of pairs."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    if isinstance(value, decimal.Decimal):
        return f"{value.normalize():f}"  # Spark's have a digit too many
    if isinstance(value, (bytes, bytearray)):
        return base64.b16encode(bytes(value)).decode()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime):
        return of_time(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, "asDict"):  # a row of Spark
        return {name: plain(item) for name, item in value.asDict().items()}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):  # a time of pandas, with nanoseconds
        return of_time(value)
    return str(value)


def of_time(value):
    """With as many digits as there are; a zone is taken to be UTC and is left out."""
    if value.tzinfo is not None:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    text = value.isoformat()
    return text.rstrip("0").rstrip(".") if "." in text else text


def pairs(value):
    """A map in the form that `table` gives it."""
    return None if value is None else sorted([plain(k), plain(v)] for k, v in dict(value).items())


def of_arrow(table):
    """(names, rows) of an Arrow table."""
    import pyarrow
    columns = []
    for at in range(table.num_columns):
        column, kind = table.column(at), table.schema.field(at).type
        if isinstance(kind, pyarrow.BaseExtensionType):
            is_uuid = kind.storage_type == pyarrow.binary(16)
            storage = [value for chunk in column.chunks for value in chunk.storage.to_pylist()]
            columns.append([None if v is None else str(uuid.UUID(bytes=v)) if is_uuid else v for v in storage])
        elif pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
            columns.append([of_nanoseconds(v) for v in column.cast(pyarrow.int64()).to_pylist()])
        else:
            columns.append([of_type(kind, value) for value in column.to_pylist()])
    return table.column_names, [list(row) for row in zip(*columns)] if columns else []


def of_nanoseconds(count):
    if count is None:
        return None
    seconds, rest = divmod(count, 10**9)
    text = (EPOCH + datetime.timedelta(seconds=seconds)).isoformat()
    return text + (f".{rest:09}".rstrip("0") if rest else "")


def of_type(kind, value):
    """plain(), and maps as sorted pairs, which PyArrow shows as lists of tuples."""
    import pyarrow
    if value is None:
        return None
    if pyarrow.types.is_map(kind):
        return sorted(([of_type(kind.key_type, k), of_type(kind.item_type, v)] for k, v in value), key=repr)
    if pyarrow.types.is_struct(kind):
        return {field.name: of_type(field.type, value[field.name]) for field in kind}
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return [of_type(kind.value_type, item) for item in value]
    return plain(value)


def of_spark(frame):
    """(names, rows) of a data frame of Spark."""
    kinds = [field.dataType for field in frame.schema.fields]
    return frame.columns, [[of_spark_type(kind, value) for kind, value in zip(kinds, row)] for row in frame.collect()]


def of_spark_type(kind, value):
    if value is None:
        return None
    name = kind.typeName()
    if name == "map":
        return sorted(([of_spark_type(kind.keyType, k), of_spark_type(kind.valueType, v)] for k, v in value.items()),
                      key=repr)
    if name == "variant":
        return json.loads(value.toJson())
    if name == "struct":
        return {f.name: of_spark_type(f.dataType, value[f.name]) for f in kind.fields}
    if name == "array":
        return [of_spark_type(kind.elementType, item) for item in value]
    return plain(value)


ARROW_TYPES = {"bool": "boolean", "int32": "int", "int64": "bigint", "float": "float", "double": "double",
               "string": "string", "large_string": "string", "binary": "binary", "date32[day]": "date"}


def spark_type_of(kind):
    """What Spark calls a type of Arrow."""
    import pyarrow
    if isinstance(kind, pyarrow.BaseExtensionType):
        return "string"
    if pyarrow.types.is_map(kind):
        return f"map<{spark_type_of(kind.key_type)},{spark_type_of(kind.item_type)}>"
    if pyarrow.types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{spark_type_of(field.type)}' for field in kind)}>"
    if pyarrow.types.is_list(kind):
        return f"array<{spark_type_of(kind.value_type)}>"
    if pyarrow.types.is_timestamp(kind):
        return "timestamp" if kind.tz else "timestamp_ntz"
    if pyarrow.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return ARROW_TYPES.get(str(kind), str(kind))


def in_order(rows):
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def summed(names, rows):
    """{"rows": n, "columns": {name: [values that are not NULL, their sum]}}: of numbers the sum itself, of everything
    else the sum of the CRC-32 of the values' texts."""
    columns = {}
    for at, name in enumerate(names):
        values = [row[at] for row in rows if row[at] is not None]
        columns[name] = [len(values), sum_of(values)]
    return {"rows": len(rows), "columns": columns}


def sum_of(values):
    if values and all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        return sum(values)
    if values and all(isinstance(v, float) for v in values):
        return float(f"{math.fsum(values):.12g}")
    return sum(zlib.crc32(json.dumps(v, sort_keys=True).encode()) for v in values)

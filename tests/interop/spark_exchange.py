#!/usr/bin/env python3
"""Spark and tarn read each other's tables, row for row: all types, nested values, partition transforms, evolved tables,
rows deleted by files and vectors, branches and tags, metadata tables. Spark's tables lie in a folder as its Hadoop
catalog keeps them; tarn registers them in place. tarn's tables lie in a folder too; Spark loads them by their metadata
file. One session of Spark serves all tests."""
import io
import json
import os
import random
import shutil
import sys

import pyarrow
import pyarrow.ipc
import pyarrow.parquet

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import randomtables  # noqa: E402
import sparks  # noqa: E402
import values  # noqa: E402
from history_files import make_tables, rows_of_file  # noqa: E402
from tarn import Failed, Server, TarnError, check, contains, equal, main, seed, test  # noqa: E402

STATE = {}
SPACE = "ns"  # of Spark's tables
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/foreign")


def lake():
    """The server; its tables lie in the folder "ours", Spark's in "warehouse"."""
    if "server" not in STATE:
        server = Server(start=False)
        server.folder = os.path.join(os.path.realpath(server.work), "lake")
        ours = os.path.join(server.folder, "ours")
        os.makedirs(ours)
        server.settings = {"warehouse.roots": server.folder, "warehouse.location": "file://" + ours}
        STATE["server"] = server.start()
    return STATE["server"]


def spark():
    if "spark" not in STATE:
        STATE["spark"] = sparks.session(lake().folder)
    return STATE["spark"]


# ---- Spark's side ----

def theirs(name):
    return f"{sparks.CATALOG}.{SPACE}.{name}"


def of_java(call, *arguments):
    """The call, whose error is told in lines instead of pages."""
    try:
        return call(*arguments)
    except Exception as error:
        if "Py4J" not in type(error).__name__ and "pyspark" not in type(error).__module__:
            raise
        told = "\n".join(str(error).splitlines()[:4])
    raise Failed(told)


def tell(*statements):
    for sql in statements:
        of_java(spark().sql, sql)


def create(name, columns, more="", version=2, **properties):
    """A table of Spark's; properties with "__" for dots."""
    pairs = {"format-version": str(version), **{k.replace("__", "."): v for k, v in properties.items()}}
    listed = ", ".join(f"'{k}'='{v}'" for k, v in pairs.items())
    tell(f"CREATE TABLE {theirs(name)} ({columns}) USING iceberg {more} TBLPROPERTIES ({listed})")


def of_spark(sql):
    return of_java(lambda: values.of_spark(spark().sql(sql)))


def place_of(name):
    return os.path.join(lake().folder, "warehouse", "ns", name)


# ---- tarn's side ----

def of_tarn(sql):
    body = lake().request("POST", "/api/v1/query", {"sql": sql, "format": "arrow"}).ok().body
    return values.of_arrow(pyarrow.ipc.open_stream(io.BytesIO(body)).read_all())


def register(name, place=None):
    """Spark's table under its name in tarn, as it is now."""
    lake().rows(f'DROP TABLE IF EXISTS "{name}"')
    lake().request("POST", "/api/v1/namespaces/main/register", {"name": name, "location": place or place_of(name)}).ok()


def location_of(name):
    return lake().request("GET", f"/api/v1/namespaces/main/tables/{name}").ok().json["metadata_location"]


def loaded(name, kind="", **options):
    """tarn's table, or a metadata table of it, as Spark reads it."""
    reader = spark().read.format("iceberg")
    for option, value in options.items():
        reader = reader.option(option, value)
    return reader.load(location_of(name).removeprefix("file://") + (f"#{kind}" if kind else ""))


def rows_of(frame):
    return of_java(values.of_spark, frame)


# ---- comparing ----

def same(ours, others, what):
    (our_names, our_rows), (their_names, their_rows) = ours, others
    equal(our_names, their_names, f"{what}: columns")
    equal(len(our_rows), len(their_rows), f"{what}: rows")
    for one, two in zip(values.in_order(our_rows), values.in_order(their_rows)):
        equal(one, two, what)


def reads(name, where=""):
    """tarn reads Spark's table as Spark does. The rows."""
    register(name)
    found = of_spark(f"SELECT * FROM {theirs(name)} {where}")
    same(of_tarn(f'SELECT * FROM "{name}" {where}'), found, f"{name} {where}")
    return found[1]


def is_read(name, **options):
    """Spark reads tarn's table as tarn does. The number of rows."""
    found = of_tarn(f'SELECT * FROM "{name}"')
    same(found, rows_of(loaded(name, **options)), name)
    return len(found[1])


# ---- what Spark wrote ----

ALL = """id bigint, flag boolean, i int, f float, d double, d9 decimal(9,2), d18 decimal(18,4), d38 decimal(38,10),
    day date, tz timestamp, ts timestamp_ntz, text string, raw binary, li array<int>, st struct<a: int, b: string>,
    ma map<string, bigint>, ls array<struct<x: int, y: array<string>>>, ms map<int, struct<p: double, q: map<string, date>>>"""
ROWS = """
    (1, true, 2147483647, float('1.5'), 1e300, 9999999.99, 12345678901234.5678, 1234567890123456789012345678.0123456789,
     DATE '1969-12-31', TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMP_NTZ '2024-02-29 00:00:00.000001', 'wörd \u65e5',
     X'00FF', array(1, null, 3), named_struct('a', 1, 'b', null), map('k', 1, 'l', null),
     array(named_struct('x', 1, 'y', array('p', null)), null), map(1, named_struct('p', 0.5D, 'q', map('d', DATE '2024-01-01')))),
    (2, false, -2147483648, float('NaN'), double('-Infinity'), -9999999.99, -0.0001, -0.0000000001, DATE '0001-01-01',
     TIMESTAMP '2262-04-12 00:00:00', TIMESTAMP_NTZ '1900-01-01 00:00:00', '', X'', array(), named_struct('a', null, 'b', ''),
     map(), array(), map()),
    (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)"""


@test
def all_types_that_spark_writes():
    for version in (1, 2, 3):
        name = f"kinds{version}"
        create(name, ALL, version=version)
        tell(f"INSERT INTO {theirs(name)} VALUES {ROWS}", f"INSERT INTO {theirs(name)} SELECT * FROM {theirs(name)}")
        equal(len(reads(name)), 6)
        for where in ("WHERE id = 1", "WHERE flag", "WHERE d9 < 0", "WHERE day < DATE '1970-01-01'", "WHERE text > 'a'",
                      "WHERE i IS NULL", "WHERE d38 > 0", "WHERE st.a = 1", "WHERE NOT flag"):
            reads(name, where)


@test
def columns_that_spark_evolved():
    name = "evolved"
    create(name, "id int, name string, s struct<a: int, b: string>, l array<struct<x: int>>, f float, m decimal(5,2)")
    steps = ["INSERT INTO {t} VALUES (1, 'one', named_struct('a', 1, 'b', 'x'), array(named_struct('x', 1)), 0.5, 1.25)",
             "ALTER TABLE {t} ADD COLUMN more date AFTER id", "ALTER TABLE {t} RENAME COLUMN name TO title",
             "ALTER TABLE {t} ALTER COLUMN id TYPE bigint", "ALTER TABLE {t} ALTER COLUMN f TYPE double",
             "ALTER TABLE {t} ALTER COLUMN m TYPE decimal(12,2)",
             "INSERT INTO {t} VALUES (5000000000, DATE '2024-01-01', 'two', named_struct('a', 2, 'b', 'y'), null, 0.1, 99999.5)",
             "ALTER TABLE {t} ADD COLUMN s.c double", "ALTER TABLE {t} RENAME COLUMN s.a TO aa",
             "ALTER TABLE {t} ALTER COLUMN s.aa TYPE bigint", "ALTER TABLE {t} ADD COLUMN l.element.y string",
             "ALTER TABLE {t} ALTER COLUMN l.element.x TYPE bigint", "ALTER TABLE {t} DROP COLUMN s.b",
             "INSERT INTO {t} VALUES (3, null, 'three', named_struct('aa', 5000000000, 'c', 0.5),"
             " array(named_struct('x', 3, 'y', 'z')), 1, 1)",
             "ALTER TABLE {t} ALTER COLUMN title FIRST", "ALTER TABLE {t} DROP COLUMN more", "ALTER TABLE {t} ADD COLUMN more string",
             "INSERT INTO {t} SELECT 'four', 4, named_struct('aa', 4, 'c', null), array(), 4, 4, 'new'",
             "ALTER TABLE {t} DROP COLUMN s", "ALTER TABLE {t} ADD COLUMN s int"]
    for step in steps:
        tell(step.format(t=theirs(name)))
        reads(name)


TRANSFORMS = {"i": ("i", "bucket(4, i)", "truncate(10, i)"), "l": ("l", "bucket(3, l)", "truncate(7, l)"),
              "m": ("m", "bucket(3, m)", "truncate(50, m)"),
              "s": ("s", "bucket(5, s)", "truncate(2, s)"), "b": ("b", "bucket(2, b)", "truncate(1, b)"),
              "day": ("day", "years(day)", "months(day)", "days(day)", "bucket(2, day)"),
              "tz": ("tz", "years(tz)", "months(tz)", "days(tz)", "hours(tz)", "bucket(2, tz)"),
              "ts": ("ts", "years(ts)", "months(ts)", "days(ts)", "hours(ts)"), "flag": ("flag",)}
PARTS = "id bigint, i int, l bigint, m decimal(9,2), s string, b binary, day date, tz timestamp, ts timestamp_ntz, flag boolean"
PART_ROWS = ", ".join(
    f"({n}, {n * 7 - 30}, {n * 10**11 - 5 * 10**11}, {n * 3 - 20}.5, '{text}', X'{n:02X}FF', DATE '{1965 + n}-0{n % 9 + 1}-17',"
    f" TIMESTAMP '{1966 + n}-12-31 23:5{n % 10}:01.5', TIMESTAMP_NTZ '{1968 + n}-01-01 0{n % 10}:00:00', {str(n % 2 == 0).lower()})"
    for n, text in enumerate(("", "a", "a/b", "a=b&c", "50%", "wörd", "\u65e5\u672c\u8a9e", "..", "a b+c", "__HIVE_DEFAULT_PARTITION__")))


@test
def every_transform_of_spark():
    for number, transforms in enumerate(zip(*[t * (6 // len(t) + 1) for t in TRANSFORMS.values()])):
        if number == 6:
            break
        chosen = list(dict.fromkeys(transforms))
        name = f"parted{number}"
        create(name, PARTS, f"PARTITIONED BY ({', '.join(chosen)})")
        tell(f"INSERT INTO {theirs(name)} VALUES {PART_ROWS}, (99{', null' * 9})")
        equal(len(reads(name)), 11)
        for where in ("WHERE i = 5 OR l > 0", "WHERE s = 'a/b'", "WHERE s LIKE 'a%' AND day >= DATE '1970-01-01'",
                      "WHERE tz < TIMESTAMP '1970-01-01 00:00:00' OR ts IS NULL", "WHERE m = -5.5"):  # with OR, Spark answers rows too whose partition values are all NULL
            reads(name, where)
        alike(name, "partitions")
        alike(name, "files")


@test
def partitions_that_spark_evolved():
    name = "respecced"
    create(name, PARTS, "PARTITIONED BY (days(tz))")
    for step in ("ADD PARTITION FIELD bucket(4, id)", "DROP PARTITION FIELD days(tz)", "ADD PARTITION FIELD truncate(1, s)",
                 "REPLACE PARTITION FIELD bucket(4, id) WITH months(day) AS per_month", "DROP PARTITION FIELD truncate(1, s)",
                 "WRITE ORDERED BY i DESC, s"):
        tell(f"INSERT INTO {theirs(name)} VALUES {PART_ROWS}", f"ALTER TABLE {theirs(name)} {step}")
        reads(name, "WHERE i <= 12")
    tell(f"DELETE FROM {theirs(name)} WHERE day < DATE '1970-01-01'")
    equal(len(reads(name)), 30)
    alike(name, "partitions")
    alike(name, "manifests")
    alike(name, "entries")


def merged(name, columns, more="", version=2, **properties):
    """A table of Spark's with rows deleted, updated and merged, merge-on-read."""
    create(name, columns, more, version, write__delete__mode="merge-on-read", write__update__mode="merge-on-read",
           write__merge__mode="merge-on-read", **properties)
    for first in (0, 100, 200):
        tell(f"INSERT INTO {theirs(name)} SELECT /*+ COALESCE(1) */ id, cast(id % 5 as int), concat('v', id)"
             f" FROM range({first}, {first + 100})")
    yield
    yield tell(f"DELETE FROM {theirs(name)} WHERE id % 7 = 3")
    yield tell(f"UPDATE {theirs(name)} SET v = concat(v, '!'), k = k + 1 WHERE id BETWEEN 90 AND 110")
    yield tell(f"MERGE INTO {theirs(name)} t USING (SELECT id, 9 AS k, 'm' AS v FROM range(195, 310, 5)) s ON t.id = s.id"
               " WHEN MATCHED AND s.id > 250 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *")
    yield tell(f"DELETE FROM {theirs(name)} WHERE id % 7 = 4 OR v = 'v8'")


@test
def rows_that_spark_deleted_by_files_and_vectors():
    for number, (more, version, properties) in enumerate((
            ("", 2, {}), ("PARTITIONED BY (k)", 2, {"write__delete__granularity": "file"}),
            ("PARTITIONED BY (bucket(3, id))", 2, {"write__delete__granularity": "partition"}),
            ("", 3, {}), ("PARTITIONED BY (k)", 3, {}))):
        name = f"gone{number}"
        for _ in merged(name, "id bigint, k int, v string", more, version, **properties):
            rows = reads(name)
        check(100 < len(rows) < 300, f"{len(rows)} rows")
        reads(name, "WHERE id > 105 AND k = 2")
        kinds = of_spark(f"SELECT content, count(*) FROM {theirs(name)}.all_delete_files GROUP BY 1")[1]
        check(kinds and kinds[0][0] == 1, f"{name} has no delete files: {kinds}")
        for kind in ("files", "position_deletes") if number in (0, 2, 3) else ("delete_files", "entries", "partitions",
                                                                               "manifests", "all_manifests", "snapshots"):
            alike(name, kind)
    name = "upgraded"
    for _ in merged(name, "id bigint, k int, v string"):
        pass
    tell(f"ALTER TABLE {theirs(name)} SET TBLPROPERTIES ('format-version'='3')",
         f"DELETE FROM {theirs(name)} WHERE id % 11 = 0", f"INSERT INTO {theirs(name)} VALUES (999, 1, 'last')")
    reads(name)
    alike(name, "files")
    alike(name, "position_deletes")


# Columns that one of the two has beyond the other's, or that say what each program sees fit.
NOT_COMPARED = {"position_deletes": {"row"}}


def alike(name, kind):
    """The metadata table has the same columns of the same types and the same rows for both."""
    frame = spark().sql(f"SELECT * FROM {theirs(name)}.{kind}")
    register(name)
    body = lake().request("POST", "/api/v1/query", {"sql": f'SELECT * FROM "{name}".{kind}', "format": "arrow"}).ok().body
    table = pyarrow.ipc.open_stream(io.BytesIO(body)).read_all()
    left_out = NOT_COMPARED.get(kind, set())
    equal([(f.name, values.spark_type_of(f.type)) for f in table.schema if f.name not in left_out],
          [(f.name, f.dataType.simpleString()) for f in frame.schema.fields if f.name not in left_out], f"{name}.{kind}")
    same(shown(values.of_arrow(table), left_out), shown(rows_of(frame), left_out), f"{name}.{kind}")


def shown(named, left_out=()):
    """Without some columns, in one spelling: an empty map is none, a bound that is none is not "null"."""
    names, rows = named
    kept = [at for at, column in enumerate(names) if column not in left_out]
    return [names[at] for at in kept], [[in_one_spelling(row[at]) for at in kept] for row in rows]


def in_one_spelling(value):
    if isinstance(value, dict):
        return {name: None if name.endswith("_bound") and item == "null" else in_one_spelling(item)
                for name, item in value.items()}
    if isinstance(value, list):
        return [in_one_spelling(item) for item in value] or None
    return value.replace("file:///", "file:/") if isinstance(value, str) else value


@test
def metadata_tables_are_those_of_spark():
    name = "described"
    create(name, ALL + ", p string", "PARTITIONED BY (p, bucket(2, id), months(day))", write__metadata__metrics__default="full")
    for p in ("'a'", "'b/c'", "null"):
        tell(f"INSERT INTO {theirs(name)} SELECT *, {p} FROM (SELECT * FROM VALUES {ROWS} AS r)")
    tell(f"ALTER TABLE {theirs(name)} ADD COLUMN later int", f"ALTER TABLE {theirs(name)} CREATE TAG first RETAIN 7 DAYS",
         f"ALTER TABLE {theirs(name)} CREATE BRANCH audit WITH SNAPSHOT RETENTION 3 SNAPSHOTS 2 DAYS",
         f"ALTER TABLE {theirs(name)} DROP PARTITION FIELD months(day)",
         f"DELETE FROM {theirs(name)} WHERE p = 'a'", f"INSERT OVERWRITE {theirs(name)} SELECT * FROM {theirs(name)} WHERE id < 3")
    for kind in ("snapshots", "history", "refs", "metadata_log_entries", "manifests", "all_manifests", "files", "data_files",
                 "delete_files", "all_files", "all_data_files", "all_delete_files", "entries", "all_entries", "partitions",
                 "position_deletes"):
        alike(name, kind)


@test
def versions_branches_and_tags_of_spark():
    name = "history"
    create(name, "id bigint, v string")
    for n in range(4):
        tell(f"INSERT INTO {theirs(name)} VALUES ({n}, 'v{n}')")
    tell(f"ALTER TABLE {theirs(name)} CREATE TAG `v1 of it`", f"ALTER TABLE {theirs(name)} CREATE BRANCH dev",
         f"INSERT INTO {theirs(name)}.branch_dev VALUES (100, 'dev')", f"ALTER TABLE {theirs(name)} RENAME COLUMN v TO w",
         f"DELETE FROM {theirs(name)} WHERE id = 1", f"INSERT OVERWRITE {theirs(name)} VALUES (7, 'seven')")
    snapshots = of_spark(f"SELECT snapshot_id, committed_at, made_current_at FROM {theirs(name)}.snapshots"
                         f" LEFT JOIN {theirs(name)}.history USING (snapshot_id)")[1]
    register(name)
    for number, at, current in snapshots:
        same(of_tarn(f"SELECT * FROM {name} AT (VERSION => {number})"),
             of_spark(f"SELECT * FROM {theirs(name)} VERSION AS OF {number}"), f"{name} {number}")
        if current:
            same(of_tarn(f"SELECT * FROM {name} TIMESTAMP AS OF '{current}'"),
                 of_spark(f"SELECT * FROM {theirs(name)} TIMESTAMP AS OF '{current}'"), f"{name} {at}")
    for ref in ("v1 of it", "dev", "main"):
        same(of_tarn(f"SELECT * FROM {name} FOR VERSION AS OF '{ref}'"),
             of_spark(f"SELECT * FROM {theirs(name)} VERSION AS OF '{ref}'"), f"{name} {ref}")
    tell(f"CALL {sparks.CATALOG}.system.rollback_to_snapshot('{SPACE}.{name}', {snapshots[2][0]})")
    reads(name)
    alike(name, "history")


@test
def files_that_spark_took_in_by_name():
    folder = os.path.join(lake().folder, "plain files")
    os.mkdir(folder)
    pyarrow.parquet.write_table(pyarrow.table({"id": pyarrow.array([1, 2], pyarrow.int64()), "name": ["a", "b"],
                                               "s": [{"x": 1}, None]}), os.path.join(folder, "f.parquet"))
    name = "taken"
    create(name, "id bigint, name string, s struct<x: bigint>")
    tell(f"CALL {sparks.CATALOG}.system.add_files(table => '{SPACE}.{name}', source_table => '`parquet`.`{folder}`')",
         f"INSERT INTO {theirs(name)} VALUES (3, 'c', null)")
    equal(len(reads(name)), 3)
    tell(f"ALTER TABLE {theirs(name)} RENAME COLUMN name TO title", f"ALTER TABLE {theirs(name)} RENAME COLUMN s.x TO y",
         f"INSERT INTO {theirs(name)} VALUES (4, 'd', named_struct('y', 4))")
    reads(name)
    reads(name, "WHERE title = 'b'")


@test
def metadata_in_gzip_and_long_histories():
    name = "zipped"
    create(name, "id bigint", write__metadata__compression_codec="gzip",
           write__metadata__previous_versions_max="5", write__metadata__delete_after_commit__enabled="true",
           commit__manifest__min_count_to_merge="4")
    tell(f"ALTER TABLE {theirs(name)} SET TBLPROPERTIES ('write.metadata.compression-codec'='gzip',"
         " 'commit.manifest.min-count-to-merge'='4')")
    for n in range(20):
        tell(f"INSERT INTO {theirs(name)} VALUES ({n})")
    check(any(".gz." in f for f in os.listdir(os.path.join(place_of(name), "metadata"))), "metadata is not gzipped")
    equal(len(reads(name)), 20)
    equal(lake().value(f"SELECT count(*) FROM {name}.snapshots"), 20)
    alike(name, "all_manifests")


@test
def other_formats_are_refused_by_name():
    for form in ("orc", "avro"):
        create(form, "id bigint", write__format__default=form)
        tell(f"INSERT INTO {theirs(form)} VALUES (1)")
        register(form)
        equal(lake().value(f"SELECT count(*) FROM {form}.files"), 1)
        try:
            lake().rows(f"SELECT * FROM {form}")
        except TarnError as error:
            contains(str(error).upper(), form.upper())
            check(error.status < 500, str(error))
        else:
            check(False, f"{form} was not refused")


@test
def moved_folders():
    for version in (2, 3):
        name = f"moved{version}"
        for _ in merged(name, "id bigint, k int, v string", "PARTITIONED BY (k)", version):
            pass
        found = of_spark(f"SELECT * FROM {theirs(name)}")
        place = os.path.join(lake().folder, f"other place {version}")
        shutil.move(place_of(name), place)
        register(name, place)
        same(of_tarn(f"SELECT * FROM {name}"), found, name)
        same(of_tarn(f"SELECT * FROM tarn.iceberg_scan('file://{place}')"), found, name)


@test
def a_variant_that_spark_wrote():
    name = "variants"
    create(name, "id bigint, v variant", version=3)
    tell(f"INSERT INTO {theirs(name)} SELECT 1, parse_json('{{\"a\": 1, \"b\": [true, null, \"x\"]}}')",
         f"INSERT INTO {theirs(name)} SELECT 2, parse_json('1.5')", f"INSERT INTO {theirs(name)} SELECT 3, null")
    register(name)
    ours = lake().rows(f"SELECT id, v::JSON FROM {name} ORDER BY id")
    equal([[row[0], row[1] and json.loads(row[1])] for row in ours],
          [row for row in values.in_order(of_spark(f"SELECT * FROM {theirs(name)}")[1])])


# ---- what tarn wrote ----

def columns_for_spark():
    return [column for column in randomtables.COLUMNS if column.type != "TIME"]  # Spark has no such type


def fill(name, number, counts, columns, spec="", version=2):
    r = random.Random(number)
    lake().query(f'CREATE TABLE {name} (id BIGINT NOT NULL, {", ".join(f"{c.sql} {c.type}" for c in columns)}) {spec}'
                 f" WITH ('format-version' = '{version}')")
    made = 0
    for count in counts:
        rows = []
        for _ in range(count):
            made += 1
            rows.append("(" + ", ".join([str(made)] + ["NULL" if r.random() < 0.15 else c.make(r) for c in columns]) + ")")
        lake().query(f"INSERT INTO {name} VALUES {', '.join(rows)}")


@test
def all_types_that_tarn_writes():
    for version in (2, 3):
        name = f"our_kinds{version}"
        fill(name, version, (40, 1, 20), columns_for_spark(), version=version)
        equal(is_read(name), 61)


@test
def nested_values_of_tarn():
    lake().query("CREATE TABLE our_deep (id BIGINT NOT NULL, s STRUCT(a STRUCT(b INTEGER, c VARCHAR[]), d DATE),"
                 " l STRUCT(x INTEGER, y VARCHAR)[], m MAP(VARCHAR, STRUCT(p DOUBLE, q INTEGER[])), ll INTEGER[][])")
    lake().query("""INSERT INTO our_deep VALUES
        (1, {'a': {'b': 1, 'c': ['x', NULL]}, 'd': DATE '1969-12-31'}, [{'x': 1, 'y': 'a'}, NULL],
         MAP {'k': {'p': 1.5, 'q': [1, 2]}}, [[1], [], NULL]),
        (2, NULL, NULL, NULL, NULL),
        (3, {'a': NULL, 'd': NULL}, [], MAP {}, []),
        (4, {'a': {'b': NULL, 'c': []}, 'd': DATE '2024-02-29'}, [{'x': NULL, 'y': NULL}], MAP {'n': NULL}, [[NULL]])""")
    equal(is_read("our_deep"), 4)


@test
def every_transform_of_tarn():
    # Spark takes UUIDs for texts and fails on them where they are partition values.
    pairs = [(c, t) for c in columns_for_spark() for t in c.transforms if (c.type, t) != ("UUID", "identity")]
    groups = (len(pairs) + 3) // 4
    for number in range(groups):
        chosen = pairs[number::groups]
        columns = list({c.name: c for c, _ in chosen}.values())
        spec = ", ".join(dict.fromkeys(c.sql if t == "identity" else t.format(c.sql) for c, t in chosen))
        name = f"our_parts{number}"
        fill(name, number, (12, 5), columns, f"PARTITIONED BY ({spec})")
        try:
            is_read(name)
            frame = loaded(name)
            for column in columns:
                row = frame.select("id", f"`{column.name}`").where(f"`{column.name}` IS NOT NULL").first()
                wanted = frame.where(frame[f"`{column.name}`"] == row[1]) if row else None
                check(row is None or row[0] in [r[0] for r in wanted.select("id").collect()] or row[1] != row[1],
                      f"{column.name}: Spark finds no row by its own value {row}")
            alike_theirs(name, "partitions")
        except Exception as error:
            raise type(error)(f"PARTITIONED BY ({spec}): {error}") from error


def alike_theirs(name, kind):
    """A metadata table of tarn's own table, as Spark shows it."""
    same(shown(of_tarn(f"SELECT * FROM {name}.{kind}")), shown(rows_of(loaded(name, kind))), f"{name}.{kind}")


@test
def tables_that_tarn_evolved():
    name = "our_evolved"
    for step in ("CREATE TABLE {t} (id INTEGER NOT NULL, name VARCHAR, s STRUCT(a INTEGER, b VARCHAR), xs INTEGER[], f FLOAT)",
                 "INSERT INTO {t} VALUES (1, 'one', {{'a': 1, 'b': 'x'}}, [1, NULL], 0.5)",
                 "ALTER TABLE {t} ADD COLUMN day DATE AFTER id, ADD s.c DOUBLE FIRST",
                 "ALTER TABLE {t} ALTER id TYPE BIGINT, ALTER s.a TYPE BIGINT, ALTER xs.element TYPE BIGINT, ALTER f TYPE DOUBLE",
                 "INSERT INTO {t} VALUES (5000000000, '2024-02-29', 'two', {{'c': 0.5, 'a': 5000000000, 'b': 'y'}}, [5000000000], 1)",
                 "ALTER TABLE {t} RENAME name TO title", "ALTER TABLE {t} DROP s.b", "ALTER TABLE {t} ADD PARTITION FIELD month(day)",
                 "INSERT INTO {t} VALUES (3, '2024-03-01', 'three', NULL, [], NULL)",
                 "ALTER TABLE {t} SET PARTITIONED BY (bucket(3, id), truncate(1, title))",
                 "INSERT INTO {t} VALUES (4, NULL, 'four', NULL, NULL, NULL)",
                 "ALTER TABLE {t} WRITE ORDERED BY title DESC", "ALTER TABLE {t} ALTER title FIRST",
                 "INSERT INTO {t} BY NAME SELECT 5 AS id, 'five' AS title", "ALTER TABLE {t} ALTER id DROP NOT NULL",
                 "DELETE FROM {t} WHERE id = 3", "INSERT OVERWRITE {t} BY NAME SELECT 4 AS id, 'fourth' AS title",
                 "ALTER TABLE {t} DROP f", "ALTER TABLE {t} ADD f VARCHAR", "TRUNCATE {t}", "INSERT INTO {t} BY NAME SELECT 6 AS id"):
        lake().query(step.format(t=name))
        is_read(name)
    for kind in ("partitions", "files", "manifests", "snapshots", "history", "entries", "all_entries", "all_files"):
        alike_theirs(name, kind)
    snapshots = [row[0] for row in lake().rows(f"SELECT snapshot_id FROM {name}.snapshots")]
    check(len(snapshots) >= 8, f"{len(snapshots)} snapshots")
    for number in snapshots:
        same(of_tarn(f"SELECT * FROM {name} AT (VERSION => {number})"), rows_of(loaded(name, versionAsOf=number)),
             f"{name} {number}")


@test
def branches_and_tags_of_tarn():
    for sql in ("CREATE TABLE our_refs (a INTEGER)", "INSERT INTO our_refs VALUES (1)", "ALTER TABLE our_refs CREATE TAG one",
                "INSERT INTO our_refs VALUES (2)", "ALTER TABLE our_refs CREATE BRANCH two", "INSERT INTO our_refs VALUES (3)",
                "CALL system.set_current_snapshot('our_refs', ref => 'two')", "DELETE FROM our_refs WHERE a = 1"):
        lake().query(sql)
    is_read("our_refs")
    for ref in ("one", "two"):
        same(of_tarn(f"SELECT * FROM our_refs FOR VERSION AS OF '{ref}'"), rows_of(loaded("our_refs", versionAsOf=ref)), ref)
    for kind in ("refs", "history"):
        alike_theirs("our_refs", kind)


@test
def version_3_of_tarn():
    for sql in ("CREATE TABLE our_three (id BIGINT, name VARCHAR) WITH ('format-version' = '3')",
                "INSERT INTO our_three SELECT range, 'n' || range FROM range(10)",
                "ALTER TABLE our_three ADD COLUMN country VARCHAR NOT NULL DEFAULT 'GB', ADD d DECIMAL(9, 2) DEFAULT 1.50,"
                " ADD day DATE DEFAULT '2024-02-29', ADD at TIMESTAMPTZ DEFAULT '2024-02-29 01:02:03+00'",
                "ALTER TABLE our_three ALTER country SET DEFAULT 'DE'",
                "INSERT INTO our_three (id, name) VALUES (10, 'ten')", "INSERT INTO our_three (id, country) VALUES (11, 'FR')"):
        lake().query(sql)
    # Its reader of columns takes a default of few digits for an integer.
    by_rows = {"vectorization-enabled": "false"}
    equal(is_read("our_three", **by_rows), 12)
    before = dict(row_ids("our_three"))
    equal(sorted(before.values()), list(range(12)))
    lake().query("DELETE FROM our_three WHERE id % 3 = 1")
    is_read("our_three", **by_rows)
    after = row_ids("our_three")
    equal([(id, before[id]) for id, _ in after], after, "row ids outlive a rewrite")
    alike_theirs("our_three", "files")
    lake().query("CREATE TABLE our_old (id BIGINT)")
    lake().query("INSERT INTO our_old VALUES (1), (2)")
    lake().query("ALTER TABLE our_old SET FORMAT VERSION 3")
    lake().query("INSERT INTO our_old VALUES (3)")
    is_read("our_old")
    equal(len({number for _, number in row_ids("our_old")}), 3)


def row_ids(name):
    return [tuple(row) for row in values.in_order(rows_of(loaded(name).select("id", "_row_id"))[1])]


@test
def random_histories_of_tarn():
    server = lake()
    for made in make_tables(server, os.path.join(server.folder, "ours"), seed().randrange(2**31), 6,
                            os.path.join(server.folder, "expected"), snapshots=2, without=("clock", "ns")):
        for snapshot, path in made["versions"]:
            options = {"versionAsOf": str(snapshot)} if snapshot else {}
            frame = spark().read.format("iceberg").options(**options).load(made["metadata"].removeprefix("file://"))
            names, rows = rows_of(frame)
            wanted = rows_of_file(path)
            equal((names, sorted(map(repr, rows))), (wanted[0], sorted(map(repr, wanted[1]))),
                  f"{made['name']} at {snapshot}:\n    " + "\n    ".join(made["log"]) + "\n")


@test
def a_variant_that_tarn_wrote():
    lake().query("CREATE TABLE our_variants (id BIGINT, v VARIANT) WITH ('format-version' = '3')")
    lake().query("""INSERT INTO our_variants SELECT 1, {'a': 1, 'b': 'x'}::VARIANT UNION ALL SELECT 2, 'text'::VARIANT
                    UNION ALL SELECT 3, NULL UNION ALL SELECT 4, [1, 2]::VARIANT""")
    got = values.in_order(rows_of(loaded("our_variants"))[1])
    equal(got, [[1, {"a": 1, "b": "x"}], [2, "text"], [3, None], [4, [1, 2]]])


# ---- both in turn ----

@test
def tarn_goes_on_with_tables_of_spark():
    for version in (2, 3):
        name = f"shared{version}"
        for _ in merged(name, "id bigint, k int, v string", "PARTITIONED BY (bucket(3, id))", version):
            pass
        register(name)
        before = lake().value(f"SELECT count(*) FROM {name}")
        for sql, change in ((f"INSERT INTO {name} VALUES (1000, 1, 'tarn')", 1),
                            (f"DELETE FROM {name} WHERE id BETWEEN 20 AND 30", None), (f"ALTER TABLE {name} ADD COLUMN more INTEGER", 0),
                            (f"ALTER TABLE {name} ADD PARTITION FIELD k", 0),
                            (f"INSERT INTO {name} SELECT range, 2, 'x', 5 FROM range(2000, 2010)", 10),
                            (f"DELETE FROM {name} WHERE k = 3", None)):
            lake().query(sql)
            count = is_read(name)
            check(change is None or count == before + change, f"{sql}: {before} rows became {count}")
            before = count
        for kind in ("files", "partitions", "entries", "snapshots"):
            alike_theirs(name, kind)


if __name__ == "__main__":
    main()

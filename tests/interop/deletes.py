#!/usr/bin/env python3
"""Tables with deletes of every kind, written by hand (tests/support/icetable.py) and read by tarn: each rule of the
specification by itself, then random tables against a model that applies the rules to rows one by one. Two servers
read every table: what equality deletes take is looked up and kept by one, joined by the other. The last test reads
tables that others wrote, from the folder that TARN_SHARED_DATA names, against the rules applied with PyArrow to the files
that PyIceberg lists."""
import datetime
import glob
import itertools
import json
import os
import shutil
import struct
import sys
import tempfile

import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import DataFileContent, read_manifest_list
from pyroaring import BitMap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import icetable  # noqa: E402
from tarn import LONG, TarnError, check, contains, equal, main, seed, shared, skip, test  # noqa: E402

ROOT = tempfile.mkdtemp(prefix="tarn-deletes-")
SHARED = os.path.join(os.environ.get("TARN_SHARED_DATA", ""), "iceberg-tables")
COLUMNS = [(1, "id", "long"), (2, "name", "string"), (3, "day", "date"), (4, "n", "int")]
NUMBERS = itertools.count()
tables = 0


def settings(**more):
    roots = [ROOT] + ([SHARED] if os.path.isdir(SHARED) else [])
    return {"warehouse.roots": ":".join(roots), **more}


def server():
    return shared("deletes", settings=settings())


def joining():
    return shared("joining", settings=settings(**{"engine.match_rows": "0"}))


def rows(sql):
    """Of both servers, the first one asked twice: the second time it knows which rows are gone."""
    got = server().rows(sql)
    for s in (server(), joining()):
        equal(text(s.rows(sql)), text(got), sql)
    return got


def value(sql):
    return rows(sql)[0][0]


def table(version=2, specs=((),), columns=COLUMNS):
    global tables
    tables += 1
    return icetable.Table(os.path.join(ROOT, f"t{tables}"), columns, version, specs)


def register(location):
    name = f"r{len(os.listdir(ROOT))}_{abs(hash(location)) % 10**12}_{next(NUMBERS)}"
    for s in (server(), joining()):
        s.request("POST", "/api/v1/namespaces/main/register", {"name": name, "location": location}).ok()
    return name


def drop(name):
    for s in (server(), joining()):
        s.query(f"DROP TABLE {name}")


def opened(t):
    return register(t.write())


def row(i, name=None, day=None, n=None):
    return {"id": i, "name": name, "day": day, "n": n}


def ids(name, more=""):
    return [r[0] for r in rows(f"SELECT id FROM {name} {more} ORDER BY id")]


def some(first, last):
    return [row(i, f"n{i % 3}", datetime.date(2024, 1, 1 + i % 28), i % 5) for i in range(first, last)]


def refused(call, *texts):
    try:
        call()
    except TarnError as error:
        for text in texts:
            contains(str(error), text)
        return
    check(False, f"it was not refused: {texts}")


# ---- the rules ----

@test
def positions_are_gone_and_filters_still_work():
    t = table()
    a, b, c = t.data(some(0, 10), 1), t.data(some(10, 20), 1), t.data(some(20, 30), 1)
    t.positions([(a, 0), (a, 9), (b, 5)], 2)
    name = opened(t)
    left = [i for i in range(30) if i not in (0, 9, 15)]
    equal(ids(name), left)
    equal(ids(name, "WHERE id >= 9 AND id < 16"), [10, 11, 12, 13, 14])
    equal(rows(f"SELECT count(*), min(id), max(id) FROM {name}"), [[27, 1, 29]])
    equal(value(f"SELECT count(*) FROM {name} WHERE n = 0"), len([i for i in left if i % 5 == 0]))
    equal(c["record_count"], 10)


@test
def vectors_are_gone_and_stand_for_older_positions():
    t = table(version=3)
    a, b = t.data(some(0, 10), 1), t.data(some(10, 20), 1)
    t.positions([(a, 0), (b, 1)], 2)  # of the time before version 3
    t.vector(a, [3, 4], 3)  # a real writer would have kept row 0: the rule says that the vector alone counts
    name = opened(t)
    equal(ids(name), [i for i in range(20) if i not in (3, 4, 11)])


@test
def a_vector_without_a_frame_around_it_is_read():
    t = table(version=3)
    a = t.data(some(0, 10), 1)
    t.vector(a, [3], 3, bare=True)
    equal(ids(opened(t)), [i for i in range(10) if i != 3])


@test
def many_rows_of_many_row_groups():
    t = table(version=3)
    count = 300_000
    a = t.data([row(i) for i in range(count)], 1, row_group_size=40_000)
    gone = set(range(0, count, 3)) | set(range(100_000, 180_000))
    t.vector(a, gone, 2)
    b = t.data([row(count + i) for i in range(count)], 1, row_group_size=50_000)
    t.positions([(b, i) for i in range(0, count, 7)], 2)
    name = opened(t)
    left = [i for i in range(count) if i not in gone] + [count + i for i in range(count) if i % 7]
    equal(rows(f"SELECT count(*), sum(id) FROM {name}"), [[len(left), sum(left)]])
    equal(rows(f"SELECT count(*), sum(id) FROM {name} WHERE id % 10 = 3 AND id > 90000"),
          [[len([i for i in left if i % 10 == 3 and i > 90000]), sum(i for i in left if i % 10 == 3 and i > 90000)]])
    equal(ids(name, "WHERE id BETWEEN 299990 AND 300020"), [i for i in left if 299990 <= i <= 300020])


@test
def equality_takes_strictly_older_rows_and_null_equals_null():
    t = table()
    t.data([row(1, "a"), row(2, None), row(3, "b")], 1)
    t.data([row(4, "a"), row(5, None)], 2)
    t.equality([2], [{"name": "a"}, {"name": None}], 2)
    t.data([row(6, "a")], 3)
    equal(ids(opened(t)), [3, 4, 5, 6])


@test
def several_sets_of_columns_and_several_deletes_of_one_key():
    t = table()
    t.data(some(0, 20), 1)
    t.equality([2, 4], [{"name": "n0", "n": 0}, {"name": "n1", "n": 4}], 2)
    t.data(some(20, 40), 3)
    t.equality([4], [{"n": 3}], 4)
    t.equality([4], [{"n": 3}], 2)
    left = [i for i in range(40) if i % 5 != 3 and not (i < 20 and (i % 3, i % 5) in ((0, 0), (1, 4)))]
    name = opened(t)
    equal(ids(name), left)
    equal(rows(f"SELECT DISTINCT day IS NULL FROM {name}"), [[False]])
    equal(len(server().rows(f"SELECT * FROM {name} LIMIT 1")[0]), 4)


@test
def equality_stays_in_its_partition_unless_it_has_none():
    t = table(specs=((), ("name",)))
    t.data([row(1, "a", n=1), row(2, "a", n=2)], 1, 1, ("a",))
    t.data([row(3, "b", n=1), row(4, "b", n=2)], 1, 1, ("b",))
    t.data([row(5, None, n=1)], 1, 1, (None,))
    t.data([row(6, "a", n=1), row(7, "a", n=2)], 1, 0)
    t.equality([4], [{"n": 1}], 2, 1, ("a",))
    t.equality([4], [{"n": 2}], 3, 0)
    equal(ids(opened(t)), [3, 5, 6])


@test
def what_is_compared_may_have_been_renamed_widened_or_dropped():
    t = table()
    t.data(some(0, 10), 1)
    t.equality([4], [{"n": 1}], 2)  # int, named n
    t.evolve([(1, "id", "long"), (5, "n", "string"), (4, "number", "long")])  # n is another column now; name and day are gone
    t.data([{"id": 20, "n": "x", "number": 2}], 3)
    t.equality([4], [{"number": 2}], 4)
    t.equality([2], [{"name": "n0"}], 4)
    name = opened(t)
    equal(ids(name), [i for i in range(10) if i % 5 not in (1, 2) and i % 3 != 0])
    equal(rows(f"SELECT * FROM {name} WHERE id = 4"), [[4, None, 4]])


@test
def what_is_compared_may_be_missing_in_older_files():
    t = table(columns=COLUMNS[:2])
    t.data([{"id": 1, "name": "a"}], 1)
    t.evolve(COLUMNS)
    t.data([row(2, "a", n=5)], 2)
    t.equality([4], [{"n": None}], 3)
    equal(ids(opened(t)), [2])


@test
def positions_and_equality_work_together():
    t = table()
    a = t.data(some(0, 10), 1)
    t.positions([(a, 0)], 2, referenced=a)
    t.equality([1], [{"id": 5}], 3)
    b = t.data(some(10, 20), 4)
    t.positions([(b, 3)], 4)
    name = opened(t)
    equal(ids(name), [i for i in range(20) if i not in (0, 5, 13)])
    equal(value(f"SELECT count(*) FROM {name} x JOIN {name} y USING (id)"), 17)


@test
def what_was_looked_up_holds_for_those_files_and_deletes_alone():
    t = table()
    t.data(some(0, 10), 1)
    t.equality([4], [{"n": 1}], 2)
    first, of_first = t.write(), [i for i in range(10) if i % 5 != 1]
    t.data(some(10, 20), 2)
    second, of_second = t.write(), [i for i in range(20) if i not in (1, 6)]
    t.equality([1], [{"id": 2}, {"id": 12}], 3)
    third, of_third = t.write(), [i for i in of_second if i not in (2, 12)]
    for location, left in ((first, of_first), (second, of_second), (third, of_third), (second, of_second),
                           (first, of_first)):
        name = register(location)
        equal(ids(name), left)
        equal(ids(name, "WHERE id > 5 AND n = 1"), [i for i in left if i > 5 and i % 5 == 1])
        drop(name)


@test
def other_columns_of_the_same_delete_file():
    """Which columns are compared is in the manifest, not in the delete file."""
    t = table()
    t.data(some(0, 10), 1)
    e = t.equality([1, 4], [{"id": 3, "n": 2}], 2)
    for keys, gone_ids in (([1, 4], ()), ([4], (2, 7)), ([1], (3,)), ([1, 4], ())):
        e["equality_ids"] = keys
        name = opened(t)
        equal(ids(name), [i for i in range(10) if i not in gone_ids], keys)
        drop(name)


@test
def equality_in_many_row_groups():
    t = table()
    count = 200_000
    a = t.data([row(i, f"n{i % 1000}", n=i % 7) for i in range(count)], 1, row_group_size=30_000)
    t.data([row(count + i, None if i % 2 else "n1") for i in range(count)], 1, row_group_size=50_000)
    t.positions([(a, i) for i in range(0, count, 11)], 2)
    t.equality([2], [{"name": None}] + [{"name": f"n{i}"} for i in range(0, 1000, 5)], 2)
    t.equality([1], [{"id": i} for i in range(0, 2 * count, 3)], 2)
    name = opened(t)
    left = [i for i in range(count) if i % 11 and i % 1000 % 5 and i % 3]
    left += [i for i in range(count, 2 * count) if i % 2 == 0 and i % 3]
    equal(rows(f"SELECT count(*), sum(id) FROM {name}"), [[len(left), sum(left)]])
    equal(rows(f"SELECT count(*), sum(id) FROM {name} WHERE n = 3"),
          [[len([i for i in left if i < count and i % 7 == 3]), sum(i for i in left if i < count and i % 7 == 3)]])
    equal(ids(name, f"WHERE id BETWEEN {count - 20} AND {count + 20}"),
          [i for i in left if count - 20 <= i <= count + 20])


@test
def rows_of_other_files_in_a_delete_file_are_left_alone():
    t = table()
    a = t.data(some(0, 10), 5)
    b = t.data(some(10, 20), 1)
    t.positions([(a, 0), (b, 0)], 3)  # a is newer
    equal(ids(opened(t)), [i for i in range(20) if i != 10])


@test
def columns_named_like_what_the_scan_needs():
    t = table(columns=[(1, "id", "long"), (2, "file_index", "long"), (3, "file_row_number", "string"),
                       (4, "#k0", "long"), (5, "pos", "long")])
    those = [{"id": i, "file_index": 7, "file_row_number": "x", "#k0": i, "pos": i} for i in range(10)]
    a, b = t.data(those, 1), t.data([{**r, "id": r["id"] + 10} for r in those], 1)
    t.positions([(a, 2), (b, 3)], 2)
    t.equality([5], [{"pos": 9}], 2)
    name = opened(t)
    equal(ids(name), [i for i in range(20) if i not in (2, 13, 9, 19)])
    equal(rows(f"SELECT DISTINCT file_index, file_row_number FROM {name}"), [[7, "x"]])


# ---- what is refused ----

@test
def what_is_not_understood_is_refused():
    t = table()
    a = t.data(some(0, 10), 1)
    t.positions([(a, 0)], 2)["file_format"] = "ORC"
    name = opened(t)
    refused(lambda: ids(name), "has the format ORC", "delete file")

    t = table(columns=[*COLUMNS, (9, "x", "double")])
    t.data([{**r, "x": 1.0} for r in some(0, 10)], 1)
    t.equality([9], [{"x": 1.0}], 2)
    name = opened(t)
    refused(lambda: ids(name), "id 9", "not compared")

    t = table()
    t.data(some(0, 10), 1)
    t.equality([4], [{"n": 1}], 2)["equality_ids"] = [3]
    name = opened(t)
    refused(lambda: ids(name), "no column with the id 3")


@test
def damaged_vectors_are_refused_by_name():
    for change in ("cut", "bit", "count", "offset"):
        t = table(version=3)
        a = t.data(some(0, 10), 1)
        v = t.vector(a, [1, 2, 3], 2)
        with open(v["file_path"], "r+b") as file:
            if change == "cut":
                file.truncate(20)
            if change == "bit":
                file.seek(30)
                file.write(b"\xff")
        v["record_count"] += change == "count"
        v["content_offset"] += change == "offset"
        name = opened(t)
        refused(lambda name=name: ids(name), "deletion vector", "vector.puffin")


# ---- at random ----

def gone(r, e, rows):
    """The specification, for one row and one delete file."""
    data = r["file"]
    same = data["spec"] == e["spec"] and data["partition"] == e["partition"]
    if e["content"] == 1:
        return same and data["sequence"] <= e["sequence"] and (data["file_path"], r["row"]) in rows
    if not (data["sequence"] < e["sequence"] and (same or not e["partition"])):
        return False
    return tuple(r["values"].get(i) for i in e["equality_ids"]) in rows


class Model:
    def __init__(self, random, version):
        self.random, self.version = random, version
        self.table = table(version, specs=((), ("name",)))
        self.rows, self.deletes, self.sequence, self.next = [], [], 1, 0

    def key(self, i):
        r = self.random
        return {1: r.randrange(60), 2: r.choice([None, "a", "b", "c"]),
                3: r.choice([None, datetime.date(2024, 1, r.randrange(1, 6))]), 4: r.choice([None, 0, 1, 2, 3])}[i]

    def place(self):
        if self.random.random() < 0.5:
            return 0, ()
        return 1, (self.random.choice([None, "a", "b"]),)

    def columns(self):
        return {number: name for number, name, _ in self.table.columns}

    def add_data(self):
        spec, partition = self.place()
        rows = []
        for _ in range(self.random.randrange(1, 15)):
            rows.append({i: self.key(i) for i in self.columns()})
            if spec == 1 and 2 in rows[-1]:
                rows[-1][2] = partition[0]
        named = [{self.columns()[i]: v for i, v in values.items()} for values in rows]
        f = self.table.data(named, self.sequence, spec, partition, metrics=self.random.random() < 0.7)
        for n, values in enumerate(rows):
            if spec == 1 and 2 not in values:
                values[2] = partition[0]
            self.rows.append({"file": f, "row": n, "values": values})

    def add_positions(self):
        spec, partition = self.place()
        own = [r for r in self.rows if (r["file"]["spec"], r["file"]["partition"]) == (spec, partition)]
        if not own:
            return
        picked = self.random.sample(own, self.random.randrange(1, len(own) + 1) // 2 + 1 if len(own) > 1 else 1)
        pairs = [(r["file"], r["row"]) for r in picked]
        e = self.table.positions(pairs, self.sequence, spec, partition, bounds=self.random.random() < 0.5)
        self.deletes.append((e, {(f["file_path"], n) for f, n in pairs}))

    def add_vector(self):
        f = self.random.choice(self.rows)["file"]
        if f["sequence"] > self.sequence:
            return
        before = {n for e, rows in self.deletes if e["content"] == 1 and e.get("file_format") == "PUFFIN"
                  for p, n in rows if p == f["file_path"]}
        picked = before | {n for n in range(f["record_count"]) if self.random.random() < 0.3}
        self.deletes = [(e, rows) for e, rows in self.deletes
                        if not (e["file_format"] == "PUFFIN" and e["referenced_data_file"] == f["file_path"])]
        e = self.table.vector(f, picked, self.sequence)
        self.deletes.append((e, {(f["file_path"], n) for n in picked}))

    def add_equality(self):
        spec, partition = self.place()
        keys = sorted(self.random.sample([1, 2, 3, 4], self.random.choice([1, 1, 2, 3])))
        rows = [{i: self.key(i) for i in keys} for _ in range(self.random.randrange(1, 4))]
        if self.rows and self.random.random() < 0.5:
            values = self.random.choice(self.rows)["values"]
            rows.append({i: values.get(i) for i in keys})
        names = {number: name for schema in self.table.schemas for number, name, _ in schema}
        e = self.table.equality(keys, [{names[i]: v for i, v in values.items()} for values in rows], self.sequence,
                                spec, partition, metrics=self.random.random() < 0.7)
        self.deletes.append((e, {tuple(values[i] for i in keys) for values in rows}))

    def evolve(self):
        columns = [list(c) for c in self.table.columns]
        what = self.random.randrange(3)
        if what == 0:
            columns[-1][1] += "_"
        elif what == 1:
            columns = [c if c[0] != 4 else [4, c[1], "long"] for c in columns]
        elif len(columns) > 2:
            columns = [c for c in columns if c[0] != 3]
        self.random.shuffle(columns)
        self.table.evolve([tuple(c) for c in columns])

    def run(self):
        for _ in range(self.random.randrange(4, 20)):
            self.sequence += self.random.choice([0, 1, 1])
            actions = [self.add_data, self.add_data, self.add_equality]
            actions.append(self.add_positions if self.version == 2 or self.random.random() < 0.3 else self.add_vector)
            self.random.choice(actions)() if self.rows else self.add_data()
            if self.random.random() < 0.15:
                self.evolve()

    def alive(self):
        vectors = {e["referenced_data_file"] for e, _ in self.deletes if e["file_format"] == "PUFFIN"}
        out = []
        for r in self.rows:
            path = r["file"]["file_path"]
            if not any(gone(r, e, rows) for e, rows in self.deletes
                       if not (path in vectors and e["content"] == 1 and e["file_format"] != "PUFFIN")):
                out.append([r["values"].get(i) for i, _, _ in self.table.columns])
        return out


def text(rows):
    return sorted(repr([str(v) if isinstance(v, datetime.date) else v for v in r]) for r in rows)


def check_model(m, number):
    name, expected = opened(m.table), m.alive()
    equal(text(rows(f"SELECT * FROM {name}")), text(expected), f"table {number}")
    equal(value(f"SELECT count(*) FROM {name}"), len(expected), f"table {number}: count")
    named = {i: n for i, n, _ in m.table.columns}
    at = list(named).index(1)
    for low in (10, 30, 50):
        equal(text(rows(f"SELECT * FROM {name} WHERE {named[1]} BETWEEN {low} AND {low + 11}")),
              text([r for r in expected if low <= r[at] < low + 12]), f"table {number}: from {low}")
    at = list(named).index(2)
    equal(text(rows(f"SELECT * FROM {name} WHERE {named[2]} = 'a'")),
          text([r for r in expected if r[at] == "a"]), f"table {number}: name")
    drop(name)


@test
def random_tables_are_what_the_rules_say():
    random = seed()
    for number in range(300 if LONG else 12):
        m = Model(random, random.choice([2, 3]))
        try:
            for _ in range(2):  # what was kept of the same files before must not be taken for what is gone now
                m.run()
                check_model(m, number)
        except Exception:
            print("  kept:", m.table.folder)
            raise
        shutil.rmtree(m.table.folder)


# ---- tables that others wrote ----

FOREIGN = {  # and how many rows are left
    "equality_deletes/warehouse/mydb/mytable": 2,
    "equality_deletes/warehouse/mydb/mytable_partitioned": 3,
    "equality_delete_cross_partition/warehouse/ns/t": 3,
    "legacy_bare_deletion_vector/warehouse/default/legacy_bare_deletion_vector": 2,
}


def own_path(folder, path):
    """Where a file lies now: the tables were made elsewhere."""
    found = glob.glob(os.path.join(folder, "**", os.path.basename(path)), recursive=True)
    equal(len(found), 1, path)
    return found[0]


def files_of(folder):
    """PyIceberg's manifest entries of the newest metadata's snapshot, with their paths; names of columns by id."""
    newest = []
    for path in glob.glob(os.path.join(folder, "metadata", "*.metadata.json")):
        with open(path) as file:
            newest.append(json.load(file))
    m = max(newest, key=lambda m: (m["last-updated-ms"], m.get("last-sequence-number", 0)))
    snapshot = next(s for s in m["snapshots"] if s["snapshot-id"] == m["current-snapshot-id"])
    io, out = PyArrowFileIO(), []
    for manifest in read_manifest_list(io.new_input(own_path(folder, snapshot["manifest-list"]))):
        manifest[0] = own_path(folder, manifest.manifest_path)
        out += [(e, own_path(folder, e.data_file.file_path)) for e in manifest.fetch_manifest_entry(io)]
    return out, {f["id"]: f["name"] for schema in m["schemas"] for f in schema["fields"]}


def deletes_row(delete, path, names, data, number, values):
    """Whether a delete file takes a row, by the rules of the specification."""
    d, e = delete.data_file, data.data_file
    if d.content == DataFileContent.EQUALITY_DELETES:
        if delete.sequence_number <= data.sequence_number:
            return False
        if len(d.partition) > 0 and (d.spec_id, repr(d.partition)) != (e.spec_id, repr(e.partition)):
            return False
        keys = [names[i] for i in d.equality_ids]
        return any(all(r[k] == values[k] for k in keys) for r in pq.read_table(path).to_pylist())
    if delete.sequence_number < data.sequence_number:
        return False
    if d.file_format == "PARQUET":
        return any(os.path.basename(r["file_path"]) == os.path.basename(e.file_path) and r["pos"] == number
                   for r in pq.read_table(path).to_pylist())
    with open(path, "rb") as file:
        raw = file.read()
    at = raw.index(b"\xd1\xd3\x39\x64") + 4
    equal(struct.unpack_from("<QI", raw, at), (1, 0))  # one bitmap, for the numbers below 2^32
    return number in BitMap.deserialize(raw[at + 12:])


def left_by_the_rules(folder):
    entries, names = files_of(folder)
    data = [e for e in entries if e[0].data_file.content == DataFileContent.DATA]
    deletes = [e for e in entries if e[0].data_file.content != DataFileContent.DATA]
    out = []
    for entry, path in data:
        for number, values in enumerate(pq.read_table(path).to_pylist()):
            if not any(deletes_row(d, where, names, entry, number, values) for d, where in deletes):
                out.append(list(values.values()))
    return out


@test
def tables_that_others_wrote():
    if not os.path.isdir(SHARED):
        skip("TARN_SHARED_DATA is not set")
    for folder, count in FOREIGN.items():
        expected = left_by_the_rules(os.path.join(SHARED, folder))
        equal(len(expected), count, folder)
        equal(text(rows(f"SELECT * FROM {register(os.path.join(SHARED, folder))}")), text(expected), folder)


try:
    main()
finally:
    shutil.rmtree(ROOT, ignore_errors=True)

#!/usr/bin/env python3
"""Changes that take rows away, seen by PyIceberg: after each of them it reads the same rows, and what the snapshot
says of itself is what its manifests hold. Then tables with delete files of every kind, written by hand
(tests/support/icetable.py), from which tarn deletes more."""
import os
import sys
import tempfile

from pyiceberg.manifest import DataFileContent, ManifestEntryStatus
from pyiceberg.table import StaticTable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import icetable  # noqa: E402
from tarn import LONG, Server, check, equal, main, seed, test  # noqa: E402

LAKE = []


def lake():
    """The server whose tables lie in a folder."""
    if not LAKE:
        server = Server(start=False)
        server.folder = os.path.join(server.work, "lake")
        os.mkdir(server.folder)
        server.settings = {"warehouse.roots": server.folder, "warehouse.location": "file://" + server.folder}
        LAKE.append(server.start())
    return LAKE[0]


def loaded(name):
    info = lake().request("GET", f"/api/v1/namespaces/main/tables/{name}").ok().json
    return StaticTable.from_metadata(info["metadata_location"])


def tally(table, snapshot):
    """Live data files, rows of them and sizes, counted from the manifests."""
    files = rows = size = 0
    for manifest in snapshot.manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False):
            check(entry.sequence_number is not None and entry.snapshot_id is not None, f"{entry}")
            if entry.status == ManifestEntryStatus.DELETED:
                continue
            check(entry.data_file.content == DataFileContent.DATA, "a delete file")
            files, rows, size = files + 1, rows + entry.data_file.record_count, size + entry.data_file.file_size_in_bytes
    return files, rows, size


def compare(name, what):
    table = loaded(name)
    snapshot = table.current_snapshot()
    arrow = table.scan().to_arrow()
    got = sorted(zip(*(arrow[c].to_pylist() for c in ("id", "k", "v"))))
    equal([list(row) for row in got], lake().rows(f"SELECT id, k, v FROM {name} ORDER BY id"), what)
    told = snapshot.summary.additional_properties
    equal(tally(table, snapshot), tuple(int(told[f"total-{x}"]) for x in ("data-files", "records", "files-size")), what)
    for older in table.metadata.snapshots:
        check(table.scan(snapshot_id=older.snapshot_id).count() == int(older.summary["total-records"]), what)


def change(random, name):
    n, k = random.randint(0, 300), random.randint(0, 3)
    return random.choice((
        f"DELETE FROM {name} WHERE k = {k}", f"DELETE FROM {name} WHERE id % 7 = {n % 7}",
        f"DELETE FROM {name} WHERE v LIKE 'x{n % 10}%' OR v IS NULL", f"DELETE FROM {name} WHERE id > {n} AND k <> {k}",
        f"INSERT INTO {name} SELECT {random.randint(1000, 10**9)} + range, (range % 4)::INTEGER, 'y' || range"
        " FROM range(40)",
        f"INSERT OVERWRITE {name} SELECT id, k, v || '!' FROM {name} WHERE k = {k}",
        f"DELETE FROM {name} WHERE id IN (SELECT max(id) FROM {name} GROUP BY k)"))


@test
def pyiceberg_reads_what_is_left():
    random = seed()
    for number, spec in enumerate(("", "PARTITIONED BY (k)", "PARTITIONED BY (bucket(3, v), truncate(k, 2))")):
        name = f"t{number}"
        lake().query(f"CREATE TABLE {name} (id BIGINT, k INTEGER, v VARCHAR) {spec}")
        for first in (0, 100, 200):
            lake().query(f"INSERT INTO {name} SELECT i, (i % 4)::INTEGER, CASE WHEN i % 9 = 0 THEN NULL ELSE 'x' || i END"
                         f" FROM range({first}, {first + 100}) r(i)")
        for _ in range(30 if LONG else 8):
            sql = change(random, name)
            lake().query(sql)
            if loaded(name).current_snapshot():
                compare(name, f"{spec}: {sql}")
        lake().query(f"TRUNCATE {name}")
        equal(loaded(name).scan().to_arrow().num_rows, 0)


# ---- tables that have delete files already ----

def with_deletes(random, version):
    t = icetable.Table(tempfile.mkdtemp(dir=lake().folder), [(1, "id", "long"), (2, "k", "int")], version)
    left, files = {}, []
    for sequence in range(1, 4):
        rows = [{"id": 100 * sequence + i, "k": i % 5} for i in range(40)]
        files.append(t.data(rows, sequence))
        left.update({row["id"]: (sequence, row["k"]) for row in rows})
    for number, file in enumerate(files, 1):
        gone = random.sample(range(40), 6)
        if version == 3:
            t.vector(file, gone, 5)
        else:
            t.positions([(file, row) for row in gone], 5)
        for row in gone:
            left.pop(100 * number + row)
    k = random.randint(0, 4)
    t.equality([2], [{"k": k}], 3)  # of what is older than the third
    left = {i: k_ for i, (sequence, k_) in left.items() if sequence == 3 or k_ != k}
    return t, left


@test
def deletes_of_others_and_of_ours_add_up():
    random = seed()
    for number in range(24 if LONG else 8):
        t, left = with_deletes(random, 2 + number % 2)
        name = f"d{number}"
        lake().request("POST", "/api/v1/namespaces/main/register", {"name": name, "location": t.write()}).ok()
        rows = lambda: [tuple(row) for row in lake().rows(f"SELECT id, k FROM {name} ORDER BY id")]  # noqa: E731
        equal(rows(), sorted(left.items()))
        for condition, keep in ((f"id BETWEEN 205 AND {210 + number}", lambda i, k: not 205 <= i <= 210 + number),
                                ("k = 1 AND id < 300", lambda i, k: not (k == 1 and i < 300)),
                                ("id < 200", lambda i, k: i >= 200)):
            before = len(left)
            left = {i: k for i, k in left.items() if keep(i, k)}
            equal(lake().query(f"DELETE FROM {name} WHERE {condition}")["changed_rows"], before - len(left), condition)
            equal(rows(), sorted(left.items()), condition)
        equal(lake().query(f"DELETE FROM {name}")["changed_rows"], len(left))
        equal(rows(), [])


main()

#!/usr/bin/env python3
"""PyIceberg reads the branches and tags that tarn wrote, row for row: after every kind of change, after picks, moves and
expired snapshots; parents, references and the log of main are as the specification has them."""
import os
import sys

from pyiceberg.table import StaticTable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, equal, main, test  # noqa: E402

STATE = {}


def lake():
    """The server, its tables in a plain folder."""
    if not STATE:
        server = Server(start=False)
        folder = os.path.join(os.path.realpath(server.work), "lake")
        os.makedirs(folder)
        server.settings = {"warehouse.roots": folder, "warehouse.location": f"file://{folder}"}
        STATE["server"] = server.start()
    return STATE["server"]


def loaded(name):
    info = lake().request("GET", f"/api/v1/namespaces/main/tables/{name}").ok().json
    return StaticTable.from_metadata(info["metadata_location"])


def is_read(name, references):
    table = loaded(name)
    found = {ref: (kind, int(snapshot)) for ref, kind, snapshot in
             lake().rows(f"SELECT name, lower(type), snapshot_id FROM {name}.refs")}
    equal({ref: (str(r.snapshot_ref_type).split(".")[-1].lower(), r.snapshot_id) for ref, r in table.metadata.refs.items()},
          found)
    equal(sorted(found), sorted(references))
    for ref in references:
        rows = table.scan(snapshot_id=table.snapshot_by_name(ref).snapshot_id).to_arrow().to_pylist()
        ours = lake().rows(f"SELECT * FROM {name} VERSION AS OF '{ref}'")
        equal(sorted(([row["id"], row["s"]] for row in rows), key=str), sorted(ours, key=str), ref)
    known = {s.snapshot_id for s in table.snapshots()}
    equal([s.snapshot_id for s in table.snapshots() if s.parent_snapshot_id not in known], [table.snapshots()[0].snapshot_id])
    equal(table.metadata.snapshot_log[-1].snapshot_id, table.metadata.current_snapshot_id)
    return table


@test
def branches_are_read_after_every_change():
    run = lake().query
    for version in (2, 3):
        name = f"b{version}"
        run(f"CREATE TABLE {name} (id BIGINT, s VARCHAR) PARTITIONED BY (s) WITH ('format-version' = '{version}')")
        run(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b'), (3, 'b')")
        run(f"ALTER TABLE {name} CREATE BRANCH dev, CREATE TAG start RETAIN 30 DAYS")
        for sql in ("INSERT INTO {0}.branch_dev VALUES (4, 'c'), (5, 'd')", "UPDATE {0}.branch_dev SET s = 'u' WHERE id IN (2, 4)",
                    "DELETE FROM {0}.branch_dev WHERE s = 'd'",
                    "MERGE INTO {0}.branch_dev USING (VALUES (1, 'm'), (9, 'n')) v(id, s) ON v.id = {0}.id "
                    "WHEN MATCHED THEN UPDATE SET s = v.s WHEN NOT MATCHED THEN INSERT *",
                    "INSERT OVERWRITE {0}.branch_dev VALUES (7, 'u')", "INSERT INTO {0} VALUES (20, 'main')"):
            log = len(loaded(name).metadata.snapshot_log)
            run(sql.format(name))
            table = is_read(name, ["main", "dev", "start"])
            equal(len(table.metadata.snapshot_log), log + (sql == "INSERT INTO {0} VALUES (20, 'main')"), sql)
        equal(lake().rows(f"SELECT id FROM {name} ORDER BY id"), [[1], [2], [3], [20]])


@test
def picks_and_moves_are_read():
    run = lake().query
    run("CREATE TABLE p (id BIGINT, s VARCHAR) PARTITIONED BY (s)")
    run("INSERT INTO p VALUES (1, 'a')")
    run("ALTER TABLE p CREATE BRANCH x")
    run("INSERT INTO p.branch_x VALUES (2, 'b')")
    run("INSERT INTO p VALUES (3, 'c')")
    head = loaded("p").snapshot_by_name("x").snapshot_id
    run(f"CALL system.cherrypick_snapshot('p', {head})")
    table = is_read("p", ["main", "x"])
    equal(table.current_snapshot().summary["source-snapshot-id"], str(head))
    equal(table.current_snapshot().summary["total-records"], "3")
    run("ALTER TABLE p REPLACE BRANCH x")
    run("INSERT OVERWRITE p.branch_x PARTITION (s = 'a') SELECT 10")
    run("CALL system.fast_forward('p', 'main', 'x')")
    equal(is_read("p", ["main", "x"]).current_snapshot().snapshot_id, loaded("p").snapshot_by_name("x").snapshot_id)
    run("CALL system.expire_snapshots('p', TIMESTAMP '2100-01-01 00:00:00', 1)")
    table = loaded("p")
    equal(len(table.snapshots()), 1)
    equal(sorted(row["id"] for row in table.scan().to_arrow().to_pylist()), [2, 3, 10])
    check(all(os.path.exists(f.file.file_path.removeprefix("file://")) for f in table.scan().plan_files()), "files")


main()

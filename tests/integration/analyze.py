#!/usr/bin/env python3
"""ANALYZE and compute_table_stats: how many different values columns have, in the statistics of the table's metadata."""
import gzip
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, contains, equal, eventually, fails, main, test  # noqa: E402


def lake_server():
    server = Server(start=False)
    folder = os.path.join(server.work, "lake")
    os.mkdir(folder)
    server.settings = {"warehouse.roots": folder, "warehouse.location": "file://" + folder}
    return server.start()


def metadata(server, table="t"):
    location = server.request("GET", f"/api/v1/namespaces/main/tables/{table}").ok().json["metadata_location"]
    with open(location.removeprefix("file://"), "rb") as file:
        data = file.read()
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


def values(entry, document):
    """Column -> number of different values."""
    schema = next(s for s in document["schemas"] if s["schema-id"] == document["current-schema-id"])
    names = {field["id"]: field["name"] for field in schema["fields"]}
    return {names[blob["fields"][0]]: int(blob["properties"]["ndv"]) for blob in entry["blob-metadata"]}


@test
def every_type_is_counted():
    with lake_server() as server, server.client() as client:
        client.query(
            "CREATE TABLE t AS SELECT i AS big, (i % 100)::INTEGER AS small, 'v' || (i % 3000) AS text, i % 2 = 0 AS flag, "
            "(i % 7)::DECIMAL(10, 2) AS amount, (i % 11)::DECIMAL(30, 5) AS wide, DATE '2020-01-01' + (i % 30)::INTEGER AS day, "
            "TIME '00:00:00' + INTERVAL (i % 60) SECOND AS at, TIMESTAMP '2020-01-01' + INTERVAL (i % 90) DAY AS stamp, "
            "('00000000-0000-0000-0000-' || lpad((i % 13)::VARCHAR, 12, '0'))::UUID AS id, (i % 17)::FLOAT AS f, (i % 19)::DOUBLE "
            "AS d, encode('b' || (i % 23)) AS bytes, CASE WHEN i % 5 > 0 THEN i % 5 END AS gaps, NULL::INTEGER AS nothing, [i] AS l "
            "FROM range(20000) r(i)")
        client.query("ANALYZE t")
        document = metadata(server)
        equal(len(document["statistics"]), 1)
        entry = document["statistics"][0]
        equal(entry["snapshot-id"], document["current-snapshot-id"])
        found = values(entry, document)
        check(abs(found.pop("big") - 20000) < 1500, "20 000 values are estimated")
        equal(found, {"small": 100, "text": 3000, "flag": 2, "amount": 7, "wide": 11, "day": 30, "at": 60, "stamp": 90,
                      "id": 13, "f": 17, "d": 19, "bytes": 23, "gaps": 4, "nothing": 0})
        path = entry["statistics-path"].removeprefix("file://")
        equal(os.path.getsize(path), entry["file-size-in-bytes"])
        equal(client.value("SELECT count(*) FROM t"), 20000)


@test
def columns_and_snapshots_can_be_chosen():
    with lake_server() as server, server.client() as client:
        client.query("CREATE TABLE t (a BIGINT, b VARCHAR, l BIGINT[])")
        client.query("ANALYZE t")
        check("statistics" not in metadata(server) or not metadata(server)["statistics"], "an empty table has none")
        client.query("INSERT INTO t SELECT i, 'x', [i] FROM range(10) r(i)")
        first = client.value("SELECT snapshot_id FROM t.snapshots")
        client.query("INSERT INTO t SELECT i, 'y', [i] FROM range(100) r(i)")
        client.query("ANALYZE t (a)")
        rows = client.rows(f"CALL system.compute_table_stats(table => 't', snapshot_id => {first}, columns => ['a', 'B'])")
        document = metadata(server)
        by_snapshot = {str(entry["snapshot-id"]): entry for entry in document["statistics"]}
        equal(len(by_snapshot), 2)
        equal(values(by_snapshot[str(first)], document), {"a": 10, "b": 1})
        equal(values(by_snapshot[str(document["current-snapshot-id"])], document), {"a": 100})
        equal(rows, [[by_snapshot[str(first)]["statistics-path"]]])
        error = fails("unknown_column", client.query, "ANALYZE t (a, bb)")
        equal((error.position, "Did you mean" in error.hint), (14, True))
        fails("not_supported", client.query, "ANALYZE t (l)")
        fails("table_not_found", client.query, "ANALYZE nothing")
        fails("snapshot_not_found", client.query, "CALL system.compute_table_stats('t', 12)")


@test
def statistics_stay_through_commits_and_go_with_what_replaces_them():
    with lake_server() as server, server.client() as client:
        client.query("CREATE TABLE t AS SELECT i FROM range(10) r(i)")
        old = client.value("CALL system.compute_table_stats('t')").removeprefix("file://")
        check(os.path.exists(old), "the file is there")
        client.query("INSERT INTO t VALUES (11)")
        client.query("DELETE FROM t WHERE i = 3")
        equal(len(metadata(server)["statistics"]), 1)
        client.query("ANALYZE t")
        equal(len(metadata(server)["statistics"]), 2)
        new = client.value("CALL system.compute_table_stats('t')").removeprefix("file://")
        equal(len(metadata(server)["statistics"]), 2)
        check(os.path.exists(new) and os.path.exists(old), "each snapshot has its own")
        client.query("ANALYZE")
        eventually(lambda: not os.path.exists(new), "what was made again goes")


@test
def only_who_may_write_analyzes():
    with lake_server() as server, server.client() as client:
        client.query("CREATE TABLE t AS SELECT 1 AS a")
        key = server.make_principal("reader", "reader")
        with server.client(key) as reader:
            equal(reader.rows("FROM t"), [[1]])
            error = fails("denied", reader.query, "ANALYZE t")
            contains(error.message, "reader")


@test
def what_was_counted_decides_the_order_of_joins():
    with Server() as server:
        server.query("CREATE TABLE events (code INT, person INT); CREATE TABLE people (id INT, country VARCHAR)")
        for first in (0, 1):
            server.query("INSERT INTO events SELECT i % 5000, i % 3000 FROM range(50000) r(i)")
            server.query(f"INSERT INTO people SELECT i, 'c' || (i % 2) FROM range({first} * 1500, {first} * 1500 + 1500) r(i)")
        asked = "SELECT count(*) FROM events e JOIN people p ON e.person = p.id WHERE e.code = 77 AND p.country = 'c1'"

        def build_side(sql=asked):
            """The table that a hash table is made of, and the rows that are expected of both."""
            plan = json.loads(dict(server.rows("EXPLAIN (FORMAT JSON) " + sql))["physical_plan"])
            nodes, joins = list(plan), []
            while nodes:
                node = nodes.pop()
                nodes += node["children"]
                joins += [node] if node["name"].strip() == "HASH_JOIN" else []
            sides = [(str(side["extra_info"]), int(side["extra_info"]["Estimated Cardinality"]))
                     for side in joins[0]["children"]]
            return "people" if "country" in sides[1][0] else "events", sorted(rows for _, rows in sides)

        equal(build_side(), ("people", [600, 20000]))
        server.query("ANALYZE")
        equal(server.value(asked), 20)
        side, rows = build_side()
        equal(side, "events", "the twenty rows of one code are fewer than half of the people")
        check(15 <= rows[0] <= 25 and 1400 <= rows[1] <= 1600, str(rows))
        lines = [row[1] for row in server.rows("EXPLAIN " + asked) if row[0] == "estimate"]
        check(len(lines) == 2 and "main.people: about 1500 of 3000 rows, by distinct values" in lines, str(lines))
        # later rows do not take it away; what nobody counted is not guessed at
        server.query("INSERT INTO events VALUES (1, 1)")
        equal(build_side()[0], "events")
        equal(build_side(asked.replace("e.code = 77", "e.code IN (77, 4001)"))[0], "events")
        equal([row for row in server.rows("EXPLAIN " + asked.replace("= 77", "> 77")) if row[0] == "estimate" and "events" in row[1]], [])
        equal(server.value(asked.replace("e.code = 77", "e.code IN (77, 4001)")), 40)


main()

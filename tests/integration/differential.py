#!/usr/bin/env python3
"""Random tables, partitioned and appended to at random, and random queries: what pruning skips never changes an
answer. Each query runs with pruning over the partitioned table, and without it over the same table and over an
unpartitioned copy of the rows. tests/interop/differential.py asks DuckDB itself the same.

A bound that lies makes the comparison fail: the last test flips one. TARN_TEST_SEED repeats a run, TARN_LONG=1 makes
it ten times as long."""
# timeout: 120
# labels: slow
import json
import os
import struct
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import randomtables  # noqa: E402
from tarn import LONG, SANITIZED, Server, TarnError, check, equal, main, seed, test  # noqa: E402

TABLES, QUERIES = (30, 4000) if LONG else (3, 60) if SANITIZED else (5, 420)


def outcome(client, sql):
    """Rows as text, or the code of the error: both sides have to agree on either."""
    try:
        return json.dumps(client.rows(sql), ensure_ascii=False)
    except TarnError as error:
        return f"error {error.code}" + (f" {error.message}" if error.status >= 500 else "")


def run_all(server, queries, suffix):
    names = {}
    for table in {name for sql in queries for name in sql[1]}:
        names[table] = table + suffix
    with server.client() as client:
        return [outcome(client, randomtables.place(sql, names)) for sql, _ in queries]


def around(a, b):
    """Both texts from shortly before their first difference on."""
    at = next((n for n, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"{a[max(0, at - 80):at + 120]}\n      {b[max(0, at - 80):at + 120]}"


def differences(queries, one, two):
    return [f"{sql}\n      {around(a, b)}" for (sql, _), a, b in zip(queries, one, two) if a != b]


@test
def pruning_never_changes_an_answer():
    random = seed()
    tables = [randomtables.Table(random, f"t{n}") for n in range(TABLES)]
    names = [t.name for t in tables]
    queries = [(randomtables.query(tables, random), names) for _ in range(QUERIES)]
    with Server() as server:
        with server.client() as client:
            for table in tables:
                client.query(table.create())
                client.query(table.create(table.name + "_copy", spec=False))
                for sql in table.inserts():
                    client.query(sql)
                rows = [row for append in table.appends for row in append]
                client.query(f"INSERT INTO {table.name}_copy VALUES {', '.join(rows)}")
                equal(client.value(f"SELECT count(*) FROM {table.name}"), table.row_count)
        before = server.metrics()
        pruned = run_all(server, queries, "")
        after = server.metrics()
        considered, skipped, unpruned, ran = (
            int(after[name] - before[name]) for name in (
                "tarn_scan_files_considered_total", "tarn_scan_files_skipped_total", "tarn_queries_unpruned_total",
                "tarn_queries_total"))
        server.restart(settings={"engine.pruning": "false"})
        whole = run_all(server, queries, "")
        copies = run_all(server, queries, "_copy")
        equal(server.metrics()["tarn_scan_files_skipped_total"], 0, "files skipped with engine.pruning = false")
    errors = sum(text.startswith("error") for text in pruned)
    print(f"{len(queries)} queries over {len(tables)} tables: {skipped} of {considered} files skipped,"
          f" {unpruned} of {ran} without filters, {errors} are errors on both sides")
    wrong = differences(queries, pruned, whole)
    check(not wrong, f"{len(wrong)} differ with and without pruning:\n    " + "\n    ".join(wrong[:5]))
    wrong = differences(queries, whole, copies)
    check(not wrong, f"{len(wrong)} differ from the unpartitioned copy:\n    " + "\n    ".join(wrong[:5]))
    crashed = [(sql, text) for (sql, _), text in zip(queries, pruned) if text.startswith("error") and len(text) > 40]
    check(not crashed, f"failed inside: {crashed[:3]}")
    check(errors < len(queries) / 10, f"{errors} of {len(queries)} queries are errors: they prove nothing")
    check(skipped > considered / 10, f"only {skipped} of {considered} files were skipped")
    check(unpruned * 100 <= ran, f"filters could not be had in {unpruned} of {ran} queries")


# ---- the test of the test ----

def read_varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def varint(value):
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def edit_avro(path, old, new):
    """Replaces bytes inside the blocks of an Avro file by as many others. How often they were found."""
    with open(path, "rb") as file:
        data = file.read()
    at, codec = 4, b"null"
    while True:
        count, at = read_varint(data, at)
        if count == 0:
            break
        for _ in range(count):
            pair = []
            for _ in range(2):
                size, at = read_varint(data, at)
                pair.append(data[at:at + size])
                at += size
            if pair[0] == b"avro.codec":
                codec = pair[1]
    sync, at = data[at:at + 16], at + 16
    out, found = bytearray(data[:at]), 0
    while at < len(data):
        count, at = read_varint(data, at)
        size, at = read_varint(data, at)
        block = data[at:at + size]
        plain = zlib.decompress(block, -15) if codec == b"deflate" else block
        check(codec in (b"deflate", b"null"), f"codec {codec}")
        found += plain.count(old)
        plain = plain.replace(old, new)
        if codec == b"deflate":
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            plain = packer.compress(plain) + packer.flush()
        out += varint(count) + varint(len(plain)) + plain + sync
        at += size + 16
    with open(path, "wb") as file:
        file.write(out)
    return found


@test
def a_flipped_bound_is_noticed():
    low, high = 1_234_567_890_123, 1_234_567_890_999
    with Server(start=False) as server:
        folder = os.path.join(server.work, "lake")
        os.mkdir(folder)
        server.settings = {"warehouse.roots": folder, "warehouse.location": "file://" + folder}
        server.start()
        server.query("CREATE TABLE t (id BIGINT, s VARCHAR); CREATE TABLE t_copy (id BIGINT, s VARCHAR)")
        for table in ("t", "t_copy"):
            server.query(f"INSERT INTO {table} VALUES ({low}, 'a'), ({high}, 'b')")
            server.query(f"INSERT INTO {table} VALUES (5, 'c')")
        queries = [(f"SELECT id, s FROM @t@ WHERE id {op} {value} ORDER BY id", ["t"])
                   for op in ("=", ">=", "<", ">") for value in (low, high, 5, low + 5)]

        def wrong():
            pruned = run_all(server, queries, "")
            server.restart(settings={"engine.pruning": "false"})
            whole = run_all(server, queries, "")
            copies = run_all(server, queries, "_copy")
            server.restart()
            equal(differences(queries, whole, copies), [], "without pruning")
            return differences(queries, pruned, whole)

        equal(wrong(), [], "with honest bounds")
        table = server.request("GET", "/api/v1/namespaces/main/tables/t").ok().json
        metadata = os.path.join(table["location"].removeprefix("file://"), "metadata")
        server.stop()
        found = 0
        for name in os.listdir(metadata):
            if name.endswith(".avro"):
                found += edit_avro(os.path.join(metadata, name), struct.pack("<q", high), struct.pack("<q", low + 1))
        check(found > 0, f"no upper bound was found in {os.listdir(metadata)}")
        server.start()
        check(wrong(), "a flipped upper bound changed no answer: the comparison proves nothing")


main()

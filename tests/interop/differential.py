#!/usr/bin/env python3
"""Random tables and queries: tarn, with its pruning, partitions and appends, against plain DuckDB over the same rows.
Where DuckDB answers, tarn has to answer the same; where DuckDB refuses, tarn has to refuse.

TARN_TEST_SEED repeats a run, TARN_LONG=1 makes it ten times as long."""
import io
import os
import sys

import duckdb
import pyarrow.ipc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import randomtables  # noqa: E402
from tarn import LONG, Server, check, main, seed, test  # noqa: E402

TABLES, QUERIES = (30, 5000) if LONG else (6, 600)


def of_tarn(client, sql):
    answer = client.request("POST", "/api/v1/query", {"sql": sql, "format": "arrow"})
    if answer.status != 200:
        return "error", answer.error["message"], answer.status
    table = pyarrow.ipc.open_stream(io.BytesIO(answer.body)).read_all()
    return "rows", [list(row.values()) for row in unique_names(table).to_pylist()], table.schema


def of_duckdb(connection, sql):
    try:
        table = connection.execute(sql).to_arrow_table()
    except duckdb.Error as error:
        return "error", str(error), 0
    return "rows", [list(row.values()) for row in unique_names(table).to_pylist()], table.schema


def shown(ours, theirs):
    """Where the two differ first."""
    if ours[0] == theirs[0] == "rows" and len(ours[1]) == len(theirs[1]):
        for number, (one, two) in enumerate(zip(ours[1], theirs[1])):
            for column, (a, b) in enumerate(zip(one, two)):
                if not same(a, b):
                    return f"row {number}, column {column}: tarn {a!r}, duckdb {b!r}"
    return f"tarn {str(ours[1])[:300]}\n      duckdb {str(theirs[1])[:300]}"


def unique_names(table):
    return table.rename_columns([f"c{n}" for n in range(table.num_columns)])


def same(one, two):
    if isinstance(one, float) and isinstance(two, float):
        return one == two or (one != one and two != two)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[k], two[k]) for k in one)
    if isinstance(one, tuple) and isinstance(two, tuple):
        return len(one) == len(two) and all(same(a, b) for a, b in zip(one, two))
    return one == two or str(one) == str(two)  # UUIDs come as text from the one, as objects from the other


@test
def tarn_answers_what_duckdb_answers():
    random = seed()
    tables = [randomtables.Table(random, f"t{n}") for n in range(TABLES)]
    names = {table.name: table.name for table in tables}
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    wrong, errors, rows = [], 0, 0
    with Server() as server, server.client() as client:
        for table in tables:
            client.query(table.create())
            connection.execute(table.create(spec=False))
            for sql in table.inserts():
                client.query(sql)
                connection.execute(sql)
        for _ in range(QUERIES):
            sql = randomtables.place(randomtables.query(tables, random), names)
            ours, theirs = of_tarn(client, sql), of_duckdb(connection, sql)
            rows += len(theirs[1]) if theirs[0] == "rows" else 0
            errors += theirs[0] == "error"
            if ours[0] != theirs[0] or (ours[0] == "rows" and not same(ours[1], theirs[1])) or ours[2] == 500:
                wrong.append(f"{sql}\n      {shown(ours, theirs)}")
        metrics = server.metrics()
    print(f"{QUERIES} queries over {TABLES} tables, {rows} rows, {errors} errors;"
          f" {int(metrics['tarn_scan_files_skipped_total'])} of"
          f" {int(metrics['tarn_scan_files_considered_total'])} files skipped")
    check(not wrong, f"{len(wrong)} differ:\n    " + "\n    ".join(wrong[:6]))
    check(errors < QUERIES / 10 and rows > QUERIES, f"{errors} errors, {rows} rows: this proves little")


main()

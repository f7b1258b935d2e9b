"""Scans of tables with 1, 10 and 50 % of their rows deleted, in each form of deletes, against DuckDB on files without them."""
import json
import math
import os

import icetable
from bench_measure import Figure, Goal, check_same_rows, quartiles, take_turns
from figures.scan import QUERIES, baseline_rows, comparable

WANTED = ("filter", "aggregates", "few_groups", "many_groups")
SHARES = (1, 10, 50)
FORMS = ("positions", "vectors", "equality")
FILES = 12
KINDS = {"BIGINT": "long", "INTEGER": "int", "DOUBLE": "double", "VARCHAR": "string", "TIMESTAMP": "timestamp"}
PATH_IDS = f"FIELD_IDS {{file_path: {icetable.FILE_PATH}, pos: {icetable.POS}}}"


def data_files(bench, connection, folder):
    """The trips with a number each, in files with field ids; and their columns."""
    connection.execute("CREATE VIEW trips AS SELECT row_number() OVER () AS id, * FROM read_parquet(["
                       + ", ".join(f"'{f}'" for f in bench.monthly_trips()) + "])")
    described = connection.execute("DESCRIBE trips").fetchall()
    columns = [(number, row[0], KINDS[row[1]]) for number, row in enumerate(described, 1)]
    ids = ", ".join(f'"{name}": {number}' for number, name, _ in columns)
    connection.execute("CREATE TABLE numbered AS SELECT * FROM trips")
    count = connection.execute("SELECT count(*) FROM numbered").fetchone()[0]
    files, each = [], -(-count // FILES)
    for number in range(FILES):
        path = os.path.join(folder, f"{number}.parquet")
        connection.execute(f"COPY (SELECT * FROM numbered WHERE id > {number * each} AND id <= {(number + 1) * each} "
                           f"ORDER BY id) TO '{path}' (FORMAT parquet, COMPRESSION zstd, FIELD_IDS {{{ids}}})")
        files.append((path, number * each, min(each, count - number * each)))
    connection.execute("DROP TABLE numbered; DROP VIEW trips")
    return columns, files


def is_deleted(share):
    return f"hash(id * 7919) % 100 < {share}"


def filtered_files(connection, folder, files, share):
    paths = []
    for path, _, _ in files:
        out = path.replace(".parquet", f"-without-{share}.parquet")
        connection.execute(f"COPY (SELECT * FROM read_parquet('{path}') WHERE NOT ({is_deleted(share)})) TO '{out}' "
                           "(FORMAT parquet, COMPRESSION zstd)")
        paths.append(out)
    return paths


def table(connection, folder, columns, files, form, share):
    """A table of these files with that share of rows deleted. Location of its metadata."""
    t = icetable.Table(os.path.join(folder, f"{form}-{share}"), columns, 3 if form == "vectors" else 2)
    for path, first, count in files:
        data = t.add(0, path, count, 1, 0, ())
        gone = f"FROM read_parquet('{path}') WHERE {is_deleted(share)} ORDER BY id"
        if form == "vectors":
            rows = connection.execute(f"SELECT id - {first} - 1 {gone}").fetchall()
            t.vector(data, [row for row, in rows], 2)
        elif form == "positions":
            out = t.new_name("deletes.parquet")
            connection.execute(f"COPY (SELECT '{path}' AS file_path, id - {first} - 1 AS pos {gone}) TO '{out}' "
                               f"(FORMAT parquet, COMPRESSION zstd, {PATH_IDS})")
            t.add(1, out, 1, 2, 0, (), referenced_data_file=path)
        else:
            out = t.new_name("equality.parquet")
            connection.execute(f"COPY (SELECT id {gone}) TO '{out}' (FORMAT parquet, COMPRESSION zstd, "
                               "FIELD_IDS {id: 1})")
            t.add(2, out, 1, 2, 0, (), equality_ids=[1])
    return t.write()


def measure(bench):
    folder = bench.fresh_folder("deletes")
    connection = bench.connect()
    columns, files = data_files(bench, connection, folder)
    server = bench.server("deletes", **{"warehouse.roots": folder})
    command = "DuckDB, in process: SELECT … FROM read_parquet([files without the deleted rows])"
    with server.client() as client:
        for share in SHARES:
            without = filtered_files(connection, folder, files, share)
            connection.execute("CREATE OR REPLACE VIEW trips AS SELECT * FROM read_parquet(["
                               + ", ".join(f"'{path}'" for path in without) + "])")
            for form in FORMS:
                name = f"{form}_{share}"
                client.request("POST", "/api/v1/namespaces/main/register", json.dumps(
                    {"name": name, "location": table(connection, folder, columns, files, form, share)}),
                    {"Content-Type": "application/json"}).ok()
                compare(bench, client, connection, name, f"scans with {share} % deleted, {form}",
                        Goal(at_most=1.5) if share == 10 else None, command)
    connection.close()
    bench.stop("deletes")


def compare(bench, client, connection, table_name, what, goal, command):
    products, baselines, worst = [], [], (0, "")
    for name in WANTED:
        sql = QUERIES[name]
        own = sql.replace("FROM trips", f"FROM {table_name}")
        body = json.dumps({"sql": own})
        check_same_rows(comparable(client.rows(own)), comparable(baseline_rows(connection, sql)), name)
        product, baseline = take_turns(
            lambda body=body: client.request("POST", "/api/v1/query", body, {"Content-Type": "application/json"})
            .ok().body and None,
            lambda sql=sql: connection.execute(sql).fetchall() and None, bench.pairs)
        ratio = quartiles([p / b for p, b in zip(product, baseline)])[1]
        worst = max(worst, (ratio, name))
        products.append(product)
        baselines.append(baseline)
    means = [math.exp(sum(math.log(p[pair] / b[pair]) for p, b in zip(products, baselines)) / len(products))
             for pair in range(bench.pairs)]
    low, middle, high = quartiles(means)
    bench.add(Figure("deletes." + table_name, what, middle, low, high, "× time", goal,
                     [sum(b[pair] for b in baselines) for pair in range(bench.pairs)],
                     [sum(p[pair] for p in products) for pair in range(bench.pairs)], [command],
                     f"worst: {worst[1]} {worst[0]:.2f}"))

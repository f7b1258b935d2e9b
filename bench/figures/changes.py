"""UPDATE of 0.1 % and MERGE of 1 % of the rows against DuckDB writing exactly the touched files anew."""
import os
import time

from bench_measure import Figure, Goal, check_same_rows, quartiles, take_turns
from bench_setup import load
from figures.deletes import data_files


def rewrite(connection, folder, files, value, more=""):
    """What a hand would do: the touched files with the new value, synced."""
    out = os.path.join(folder, "by-hand.parquet")
    begun = time.perf_counter()
    connection.execute(f"COPY (SELECT t.* REPLACE ({value}) FROM read_parquet([{', '.join(repr(f) for f in files)}]) AS t{more}) "
                       f"TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    descriptor = os.open(out, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return time.perf_counter() - begun


def run(client, sql, rows):
    """Seconds of the statement alone; the table is then as it was."""
    before = client.value("SELECT snapshot_id FROM numbered.refs WHERE name = 'main'")
    begun = time.perf_counter()
    changed = client.query(sql)["changed_rows"]
    took = time.perf_counter() - begun
    if changed != rows:
        raise RuntimeError(f"{sql}: {changed} rows, not {rows}")
    client.query(f"CALL system.rollback_to_snapshot('numbered', {before})")
    return took


def measure(bench):
    folder = bench.fresh_folder("changes")
    connection = bench.connect()
    columns, files = data_files(bench, connection, folder)
    column = next(name for _, name, kind in columns if kind == "double")
    server = bench.server("changes")
    for path, _, _ in files:
        load(server, "numbered", path)
    count = sum(rows for _, _, rows in files)
    with server.client() as client:
        first, rows = files[5][1] + files[5][2] // 3, count // 1000
        where = f"id > {first} AND id <= {first + rows}"
        compare(bench, "update", "UPDATE of 0.1 % of the rows, in one file of twelve",
                lambda: run(client, f'UPDATE numbered SET "{column}" = "{column}" + 1 WHERE {where}', rows),
                lambda: rewrite(connection, folder, [files[5][0]],
                                f'CASE WHEN {where} THEN "{column}" + 1 ELSE "{column}" END AS "{column}"'))
        source = f'SELECT id, "{column}" + 1 AS value FROM {{}} WHERE id % 100 = 7'
        client.query("CREATE TABLE news AS " + source.format("numbered"))
        rows = client.value("SELECT count(*) FROM news")
        names = ", ".join(repr(path) for path, _, _ in files)
        connection.execute("CREATE TABLE news AS " + source.format(f"read_parquet([{names}])"))
        check_same_rows(client.rows("SELECT count(*), min(id), max(id) FROM news"),
                        [list(row) for row in connection.execute("SELECT count(*), min(id), max(id) FROM news").fetchall()], "news")
        compare(bench, "merge", "MERGE of 1 % of the rows, in every file of twelve",
                lambda: run(client, f'MERGE INTO numbered AS t USING news AS s ON s.id = t.id WHEN MATCHED THEN UPDATE '
                            f'SET "{column}" = s.value WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)', rows),
                lambda: rewrite(connection, folder, [path for path, _, _ in files],
                                f'coalesce(s.value, t."{column}") AS "{column}"', " LEFT JOIN news AS s ON s.id = t.id"))
    connection.close()
    bench.stop("changes")


def compare(bench, name, what, product, baseline):
    products, baselines = take_turns(product, baseline, bench.pairs)
    low, middle, high = quartiles([p / b for p, b in zip(products, baselines)])
    bench.add(Figure("changes." + name, what, middle, low, high, "× time", Goal(at_most=1.3), baselines, products,
                     ["DuckDB, in process: COPY (SELECT … FROM the touched files) TO …, fsync"]))

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


def run(client, sql, rows, look=None):
    """Seconds of the statement alone; the table is then as it was. `look` is called before that."""
    before = client.value("SELECT snapshot_id FROM numbered.refs WHERE name = 'main'")
    begun = time.perf_counter()
    changed = client.query(sql)["changed_rows"]
    took = time.perf_counter() - begun
    if changed != rows:
        raise RuntimeError(f"{sql}: {changed} rows, not {rows}")
    if look:
        look()
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

        def same(after, size):
            """The rows of these ids, as the hand wrote them and as they are in the table."""
            what = f'SELECT count(*), CAST(bit_xor(hash(id, "{column}")) AS VARCHAR) FROM'
            own = client.rows(f"{what} numbered WHERE id > {after} AND id <= {after + size}")
            theirs = connection.execute(f"{what} read_parquet('{folder}/by-hand.parquet')").fetchall()
            check_same_rows(own, [list(row) for row in theirs], "changes")

        update = f'UPDATE numbered SET "{column}" = "{column}" + 1 WHERE {where}'
        by_hand = f'CASE WHEN {where} THEN "{column}" + 1 ELSE "{column}" END AS "{column}"'
        rewrite(connection, folder, [files[5][0]], by_hand)
        run(client, update, rows, lambda: same(files[5][1], files[5][2]))
        compare(bench, "update", "UPDATE of 0.1 % of the rows, in one file of twelve",
                lambda: run(client, update, rows), lambda: rewrite(connection, folder, [files[5][0]], by_hand))
        source = f'SELECT id, "{column}" + 1 AS value FROM {{}} WHERE id % 100 = 7'
        client.query("CREATE TABLE news AS " + source.format("numbered"))
        rows = client.value("SELECT count(*) FROM news")
        names = ", ".join(repr(path) for path, _, _ in files)
        connection.execute("CREATE TABLE news AS " + source.format(f"read_parquet([{names}])"))
        check_same_rows(client.rows("SELECT count(*), min(id), max(id) FROM news"),
                        [list(row) for row in connection.execute("SELECT count(*), min(id), max(id) FROM news").fetchall()], "news")
        merge = (f'MERGE INTO numbered AS t USING news AS s ON s.id = t.id WHEN MATCHED THEN UPDATE SET "{column}" = s.value '
                 'WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)')
        by_hand = (f'coalesce(s.value, t."{column}") AS "{column}"', " LEFT JOIN news AS s ON s.id = t.id")
        every = [path for path, _, _ in files]
        rewrite(connection, folder, every, *by_hand)
        run(client, merge, rows, lambda: same(0, count))
        compare(bench, "merge", "MERGE of 1 % of the rows, in every file of twelve",
                lambda: run(client, merge, rows), lambda: rewrite(connection, folder, every, *by_hand))
    connection.close()
    bench.stop("changes")


def compare(bench, name, what, product, baseline):
    products, baselines = take_turns(product, baseline, bench.pairs)
    low, middle, high = quartiles([p / b for p, b in zip(products, baselines)])
    bench.add(Figure("changes." + name, what, middle, low, high, "× time", Goal(at_most=1.3), baselines, products,
                     ["DuckDB, in process: COPY (SELECT … FROM the touched files) TO …, fsync"]))

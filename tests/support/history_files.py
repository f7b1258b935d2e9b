"""Tables with random histories (histories.py) in a folder, for other programs to read, and what they have to find there.

    for table in make_tables(server, folder, seed=1, count=20, expected="/somewhere"):
        table["metadata"]                       # path of the newest metadata file
        for snapshot, path in table["versions"]:    # None: as the table is
            ...                                 # path: Parquet file of plain DuckDB with the same columns and rows

The server has `folder` among its warehouse.roots. Rows have an id of their own in the column id."""
import os

import history_steps
from histories import History
from oracle import Duck
from tarn import text_literal


def rows_of_file(path):
    """(names, rows) of one of these files in the form of values.py."""
    import duckdb
    import values
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return values.of_arrow(connection.execute("FROM read_parquet(?)", [path]).to_arrow_table())


def make_tables(server, folder, seed, count, expected, steps=15, snapshots=4, **options):
    """Options are those of History: versions=(2,), without=("ns",)."""
    duck, tables = Duck(), []
    os.makedirs(expected, exist_ok=True)
    with server.client() as client:
        for number in range(count):
            h = History(seed, number, duck, f"file://{folder}/h{number}", **options)
            h.begin(client)
            for _ in range(steps):
                history_steps.step(h, client)
            h.check(client, True)
            states = [(None, h.current)] if h.states else []
            chosen = h.random.sample(sorted(h.states), min(snapshots, len(h.states)))
            states += [(snapshot, h.states[snapshot]) for snapshot in chosen]
            found = []
            for snapshot, state in states:
                path = os.path.join(expected, f"{h.name}-{snapshot or 'now'}.parquet")
                duck.run(f"COPY {state.table} TO {text_literal(path)} (FORMAT parquet)")
                found.append((snapshot, path))
            info = server.request("GET", f"/api/v1/namespaces/main/tables/{h.name}").ok().json
            tables.append({"name": h.name, "location": info["location"], "metadata": info["metadata_location"],
                           "versions": found, "log": h.log})
            h.forget()
    return tables

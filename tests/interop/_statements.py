"""Runs statements that come as JSON lines, one answer in JSON a line: {"rows": …} or {"error": …}. The program is named by
the first argument: `sail ADDRESS` (a Spark Connect server) or `duckdb FOLDER` (of extensions). Runs in the clients' own
Python environment (tests/interop/clients)."""
import glob
import json
import os
import shutil
import sys


def over_sail(address):
    from pyspark.sql import SparkSession
    session = SparkSession.builder.remote(address).getOrCreate()
    return lambda sql: [list(row) for row in session.sql(sql).collect()]


def in_duckdb(folder):
    """The extensions lie where INSTALL would have put them, so that it finds them there."""
    import duckdb
    place = os.path.join(folder, "v" + duckdb.__version__, "linux_amd64")
    os.makedirs(place, exist_ok=True)
    for package in ("httpfs", "avro", "iceberg"):
        for path in sys.path:
            for found in glob.glob(os.path.join(path, f"duckdb_extension_{package}", "extensions", "*", "*.duckdb_extension")):
                shutil.copy(found, place)
    connection = duckdb.connect(config={"extension_directory": folder})
    return lambda sql: [list(row) for row in connection.execute(sql).fetchall()]


def main(kind, where):
    run = {"sail": over_sail, "duckdb": in_duckdb}[kind](where)
    print(json.dumps({"rows": []}), flush=True)
    for line in sys.stdin:
        try:
            answer = {"rows": run(json.loads(line))}
        except Exception as error:  # noqa: BLE001 - told to who asked
            answer = {"error": f"{type(error).__name__}: {error}"[:1500]}
        print(json.dumps(answer, default=str), flush=True)


main(*sys.argv[1:3])

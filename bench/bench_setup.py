"""What all figures share: options, sample data, servers, the list of results."""
import glob
import os
import shutil
import subprocess
import time

import duckdb
import tarn

# The types of the sample trips, for loads that declare them.
TRIP_COLUMNS = [
    ("VendorID", "integer"), ("tpep_pickup_datetime", "timestamp"), ("tpep_dropoff_datetime", "timestamp"),
    ("passenger_count", "bigint"), ("trip_distance", "double"), ("RatecodeID", "bigint"),
    ("store_and_fwd_flag", "varchar"), ("PULocationID", "integer"), ("DOLocationID", "integer"),
    ("payment_type", "bigint"), ("fare_amount", "double"), ("extra", "double"), ("mta_tax", "double"),
    ("tip_amount", "double"), ("tolls_amount", "double"), ("improvement_surcharge", "double"),
    ("total_amount", "double"), ("congestion_surcharge", "double"), ("Airport_fee", "double"),
]


class Bench:
    def __init__(self, options, root):
        self.quick = options.quick
        self.root, self.out = root, os.path.abspath(options.out)
        self.pairs = options.pairs or (3 if self.quick else 9)
        self.rows = options.rows or (1_000_000 if self.quick else 10_000_000)
        self.load_rows = min(self.rows, 300_000 if self.quick else 1_000_000)
        self.threads = os.cpu_count()
        self.figures, self.servers = [], {}
        self.started = time.strftime("%Y-%m-%d")
        os.makedirs(self.out, exist_ok=True)

    def add(self, figure):
        self.figures.append(figure)
        text = f"{figure.name}: {figure.value:.3g} {figure.unit}"
        if figure.low != figure.high:
            text += f" ({figure.low:.3g} to {figure.high:.3g})"
        if figure.goal:
            text += f", goal {figure.goal}: {figure.verdict}"
        print(text, flush=True)
        for command in figure.commands:
            print("    " + command, flush=True)

    def fresh_folder(self, name):
        path = os.path.join(self.out, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    # ---- sample data ----

    def tarn(self, *arguments):
        code, out, err = tarn.run_tarn(*arguments, env={"XDG_DATA_HOME": os.path.join(self.out, "home")}, timeout=600)
        if code != 0:
            raise RuntimeError(f"tarn {' '.join(arguments)}: {err.strip()}")
        return out

    def trips(self, rows, form):
        """One file with that many trips."""
        path = os.path.join(self.out, "data", f"trips-{rows}.{form}")
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if form == "csv":
                self.tarn("generate", "trips", "--rows", str(rows), "--format", form, "--out", path + ".new")
            else:
                self.connect().execute(f"COPY ({self.csv_sql(self.trips(rows, 'csv'))}) TO '{path}.new' "
                                       "(FORMAT parquet, COMPRESSION zstd)")
            os.rename(path + ".new", path)
        return path

    def monthly_trips(self):
        """Twelve Parquet files, one for each month."""
        path = os.path.join(self.out, "data", f"monthly-{self.rows}")
        if not os.path.exists(path):
            os.makedirs(path + ".new", exist_ok=True)
            self.tarn("generate", "trips", "--rows", str(self.rows), "--months", "12", "--format", "parquet",
                      "--out", path + ".new")
            os.rename(path + ".new", path)
        return sorted(glob.glob(path + "/*.parquet"))

    @staticmethod
    def csv_sql(path):
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in TRIP_COLUMNS)
        return f"SELECT * FROM read_csv('{path}', header = true, delim = ',', quote = '\"', columns = {{{columns}}})"

    # ---- the two sides ----

    def connect(self):
        """DuckDB in this process, with the threads that a worker has."""
        connection = duckdb.connect(config={"threads": self.threads})
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        return connection

    def server(self, name="bench", **settings):
        """A running server of its own, on a data directory below the results (the same file system for both sides)."""
        if name not in self.servers:
            data = os.path.join(self.fresh_folder("servers/" + name), "data")
            self.servers[name] = tarn.Server(data=data, settings={"store.scrub_rate": "0", **settings}, name=name)
        return self.servers[name]

    def stop(self, name):
        server = self.servers.pop(name, None)
        if server:
            server.close()
            shutil.rmtree(server.data, ignore_errors=True)

    def scanned(self):
        """A server with the table `trips` of twelve files, and the paths of those files."""
        server = self.server("scan")
        if not getattr(server, "trip_files", None):
            for path in self.monthly_trips():
                load(server, "trips", path)
            server.trip_files = data_files(server.data)
        return server, server.trip_files

    def close(self):
        for name in list(self.servers):
            self.stop(name)


def load(server, table, *paths_and_options):
    code, _, err = server.run("load", table, *paths_and_options, timeout=600)
    if code != 0:
        raise RuntimeError(f"tarn load {table}: {err.strip()}")


def data_files(data):
    """Paths of the Parquet files that a data directory holds."""
    found = []
    for path in glob.glob(data + "/blobs/*/*/*"):
        with open(path, "rb") as file:
            if file.read(4) == b"PAR1":
                found.append(path)
    return sorted(found)


def program(bench, name):
    """A C program of bench/, built where the measured tarn was built."""
    build = os.path.dirname(os.path.realpath(tarn.BIN))
    subprocess.run(["cmake", "--build", build, "--target", "bench"], check=True, capture_output=True)
    return os.path.join(build, "bench", name)

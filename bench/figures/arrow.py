"""A result of millions of rows as Arrow over HTTP against fetching its batches in this process."""
import io
import json
import socket

import pyarrow.ipc
from bench_measure import Figure, Goal, rate_ratio, seconds, take_turns

BUFFER_BYTES = 1 << 20


class ChunkedBody(io.RawIOBase):
    """The body of an answer, straight from the socket: the client should not be what is measured."""

    def __init__(self, connection):
        super().__init__()
        self.file = connection.makefile("rb", BUFFER_BYTES)
        self.status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass
        self.left, self.ended = 0, False

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.left == 0:
            self.next_chunk()
        if self.ended:
            return 0
        got = self.file.readinto1(memoryview(buffer)[:self.left])
        self.left -= got
        if self.left == 0:
            self.file.readline()
        return got

    def next_chunk(self):
        if not self.ended:
            self.left = int(self.file.readline(), 16)
            self.ended = self.left == 0


def fetch(server, sql):
    """Rows of the answer; every batch is received whole and looked at as Arrow."""
    host, _, port = server.address.rpartition(":")
    body = json.dumps({"sql": sql, "format": "arrow"}).encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                           b"Content-Type: application/json\r\n"
                           + f"Authorization: Bearer {server.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        raw = ChunkedBody(connection)
        if raw.status != 200:
            raise RuntimeError(f"HTTP {raw.status}: {raw.file.read()[:300]}")
        rows = 0
        with pyarrow.ipc.open_stream(io.BufferedReader(raw, BUFFER_BYTES)) as reader:
            for batch in reader:
                rows += batch.num_rows
        return rows


def fetch_in_process(connection, sql):
    rows = 0
    for batch in connection.execute(sql).fetch_record_batch(2048 * 60):
        rows += batch.num_rows
    return rows


def first_byte(server, sql):
    """Seconds until the first bytes of an answer's body; the rest is not read."""
    with server.client() as client:
        return seconds(lambda: client.send("POST", "/api/v1/query", {"sql": sql, "format": "csv"}).read(1))


def measure(bench):
    server, files = bench.scanned()
    connection = bench.connect()
    connection.execute("CREATE VIEW trips AS SELECT * FROM read_parquet([" + ", ".join(f"'{f}'" for f in files) + "])")
    rows = min(bench.rows, 3_000_000)
    sql = f"SELECT * FROM trips LIMIT {rows}"

    def product():
        assert fetch(server, sql) == rows

    def baseline():
        assert fetch_in_process(connection, sql) == rows

    took, base = take_turns(product, baseline, bench.pairs)
    bench.add(rate_ratio("arrow", f"Arrow over HTTP, {rows} rows of 19 columns", took, base, goal=Goal(at_least=0.6),
                         commands=[f"DuckDB, in process: {sql}, fetched as Arrow batches"]))
    sample = [first_byte(server, "SELECT * FROM trips") for _ in range(bench.pairs)]
    bench.add(Figure("arrow.first_byte", f"first byte of a result of {bench.rows} rows (CSV)",
                     sorted(sample)[len(sample) // 2] * 1000, min(sample) * 1000, max(sample) * 1000, "ms"))
    connection.close()

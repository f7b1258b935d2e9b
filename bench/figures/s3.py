"""Objects over S3: against nginx, against the disk and the hash, and pages of long listings."""
import http.client
import os
import re
import shutil
import sqlite3
import subprocess
import time

from bench_measure import Figure, Goal, quartiles, rate_ratio, take_turns
from bench_setup import program
from s3sign import Presigner

BUCKET = "bench"
NGINX = """
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=10000 inactive=60s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


class Nginx:
    """The same files by sendfile, on a free port."""

    def __init__(self, bench):
        self.folder = bench.fresh_folder("nginx")
        self.files = os.path.join(self.folder, "files")
        os.makedirs(self.files)
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(NGINX.format(folder=self.folder, port=self.port) + ("user root;\n" if os.getuid() == 0 else ""))
        binary = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if binary is None:
            raise RuntimeError("nginx is not installed (Debian package nginx-light)")
        self.process = subprocess.Popen([binary, "-c", path, "-p", self.folder, "-g", "daemon off;"])

    def close(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Door:
    """The S3 door of a server of its own."""

    def __init__(self, bench):
        self.bench, self.server = bench, bench.server("s3")
        with open(os.path.join(self.server.data, "secrets/root.s3"), encoding="utf-8") as file:
            access_key, secret = file.read().split()
        self.port = int(self.server.s3.rpartition(":")[2])
        self.signer = Presigner(access_key, secret, f"127.0.0.1:{self.port}")
        self.transfers = program(bench, "transfers")
        self.folder = bench.fresh_folder("s3")
        self.request("PUT", f"/{BUCKET}")

    def request(self, method, path, body=None, **params):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, self.signer.target(method, path, **params), body)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text

    def body(self, size):
        path = os.path.join(self.folder, f"body-{size}")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(os.urandom(size))
        return path

    def targets(self, method, keys, signed=True):
        path = os.path.join(self.folder, "targets")
        with open(path, "w", encoding="ascii") as file:
            for key in keys:
                file.write((self.signer.target(method, f"/{BUCKET}/{key}") if signed else f"/{key}") + "\n")
        return path

    def run(self, port, method, clients, requests, targets, body=None):
        command = [self.transfers, str(port), method, str(clients), str(requests), targets, *([body] if body else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        seconds, size = done.stdout.split()
        return float(seconds), int(size)


def measure_gets(bench, door, nginx):
    for name, what, size, files, clients, requests, goal in (
            ("s3.get_4k", "GET of 4 KiB, 16 clients", 4096, 500, 16, 40000, 0.7),
            ("s3.get_16m", "GET of 16 MiB, 4 clients", 16 << 20, 4, 4, 200, 0.9)):
        keys = [f"{name}/{number}" for number in range(files)]
        for number, key in enumerate(keys):
            content = number.to_bytes(8, "big") + os.urandom(size - 8)
            door.request("PUT", f"/{BUCKET}/{key}", content)
            os.makedirs(os.path.join(nginx.files, name), exist_ok=True)
            with open(os.path.join(nginx.files, key), "wb") as file:
                file.write(content)
            if number < 3 and door.request("GET", f"/{BUCKET}/{key}") != content:
                raise AssertionError(f"{key}: other bytes")
        requests = requests // 5 if bench.quick else requests
        signed, plain = door.targets("GET", keys), os.path.join(door.folder, "plain")
        with open(plain, "w", encoding="ascii") as file:
            file.write("".join(f"/{key}\n" for key in keys))

        def ask(port, targets, clients=clients, requests=requests, size=size):
            took, got = door.run(port, "GET", clients, requests, targets)
            if got != requests * size:
                raise AssertionError(f"{got} bytes of {requests * size}")
            return took

        took, base = take_turns(lambda: ask(door.port, signed), lambda: ask(nginx.port, plain), bench.pairs)
        bench.add(rate_ratio(name, what + ", against nginx with sendfile", took, base, goal=Goal(at_least=goal),
                             commands=[f"{requests / quartiles(took)[1]:.0f}/s; nginx {requests / quartiles(base)[1]:.0f}/s"]))


def durable(bench, clients, files, size, how):
    folder = bench.fresh_folder("durable")
    done = subprocess.run([program(bench, "durable"), folder, str(clients), str(files), str(size), how],
                          capture_output=True, text=True, check=True)
    shutil.rmtree(folder)
    return float(done.stdout)


def measure_puts(bench, door):
    serial = [0]

    def put(clients, requests, size):
        serial[0] += 1
        keys = [f"put/{serial[0]}/{number}" for number in range(requests)]
        targets = door.targets("PUT", keys)
        took, _ = door.run(door.port, "PUT", clients, requests, targets, door.body(size))
        if size > 1 << 20:
            # As the baseline removes its files: else it alone would write to memory that was just freed, and this one
            # to memory that the kernel first has to take from other files.
            for key in keys:
                door.request("DELETE", f"/{BUCKET}/{key}")
        return took

    def limit(files, size):
        """The lower of disk and hash: both are done at once."""
        return max(durable(bench, 1, files, size, "stream"), durable(bench, 1, files, size, "md5"))

    files = 5 if bench.quick else 20
    took, base = take_turns(lambda: put(1, files, 16 << 20), lambda: limit(files, 16 << 20), bench.pairs)
    bench.add(rate_ratio("s3.put_16m", "durable PUT of 16 MiB, one client, against the slower of disk and MD5", took, base,
                         goal=Goal(at_least=0.8)))
    for name, clients, requests, how, goal in (("s3.put_4k.1", 1, 400, "alone", None),
                                               ("s3.put_4k.32", 32, 6000, "grouped", Goal(at_least=1.0))):
        requests = requests // 4 if bench.quick else requests
        took, base = take_turns(lambda: put(clients, requests, 4096),
                                lambda: durable(bench, clients, requests, 4096, how), bench.pairs)
        bench.add(rate_ratio(name, f"durable PUT of 4 KiB, {clients} clients, against create, fsync, rename ({how})", took, base,
                             goal=goal, commands=[f"{requests / quartiles(took)[1]:.0f}/s"]))


def peak_kb(pid, reset=False):
    if reset:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))


def measure_memory(bench, door):
    """Of the server's own process, while it takes a large object, and while it serves many connections."""
    size = (1 << 30) if bench.quick else 5 << 30

    def pieces():
        piece = os.urandom(1 << 20)
        for _ in range(size >> 20):
            yield piece

    peak_kb(door.server.pid, reset=True)
    connection = http.client.HTTPConnection("127.0.0.1", door.port)
    connection.request("PUT", door.signer.target("PUT", f"/{BUCKET}/large"), pieces(), {"Content-Length": str(size)})
    if connection.getresponse().status != 200:
        raise RuntimeError("the large PUT failed")
    connection.close()
    bench.add(Figure("s3.memory.large", f"memory at most while {size >> 30} GiB came in one PUT",
                     peak_kb(door.server.pid) / 1024, unit="MiB", goal=Goal(at_most=64)))
    door.request("DELETE", f"/{BUCKET}/large")
    peak_kb(door.server.pid, reset=True)
    door.run(door.port, "PUT", 200, 2000, door.targets("PUT", [f"many/{n}" for n in range(2000)]), door.body(256 << 10))
    bench.add(Figure("s3.memory.200", "memory at most while 200 connections put 256 KiB each",
                     peak_kb(door.server.pid) / 1024, unit="MiB"))


def fill(server, keys):
    """Rows as PUT makes them, for so many keys of one blob, straight into the database of a stopped server."""
    server.stop()
    database = sqlite3.connect(os.path.join(server.data, "tarn.db"))
    columns = [row[1] for row in database.execute("PRAGMA table_info(objects)")]
    chosen = ", ".join("printf('list/%04d/%08d', n / 1000, n)" if name == "key" else name for name in columns)
    database.execute("DELETE FROM objects WHERE key LIKE 'list/%' AND key <> 'list/model'")
    database.execute(f"WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {keys - 1}) "
                     f"INSERT INTO objects ({', '.join(columns)}) SELECT {chosen} FROM objects, c WHERE key = 'list/model'")
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    server.start()


def measure_listings(bench, door):
    """Pages of 1 000 keys (and of common prefixes) of a bucket of 10 000 to 10 million keys."""
    door.request("PUT", f"/{BUCKET}/list/model", b"x")
    first = {}
    for keys in (10_000, 100_000) if bench.quick else (10_000, 1_000_000, 10_000_000):
        fill(door.server, keys)
        door.port = int(door.server.s3.rpartition(":")[2])
        door.signer.host = f"127.0.0.1:{door.port}"
        for name, params in (("page", {"prefix": "list/"}), ("delimiter", {"prefix": "list/", "delimiter": "/"})):
            took = []
            for number in range(60):
                start = f"list/{keys // 1000 * number // 60:04d}/" if name == "page" else ""
                begun = time.perf_counter()
                text = door.request("GET", f"/{BUCKET}", **{"list-type": "2", **params, "start-after": start})
                took.append((time.perf_counter() - begun) * 1000)
                if b"<ListBucketResult" not in text:
                    raise AssertionError(text[:200])
            low, middle, high = quartiles(took[5:])
            bench.add(Figure(f"s3.list.{name}.{keys}", f"a page of {keys:,} keys ({name})", middle, low, high, "ms"))
            base = first.setdefault(name, middle)
            if base != middle:
                bench.add(Figure(f"s3.list.{name}.growth.{keys}", f"that, against the page of 10,000 keys ({name})",
                                 middle / base, unit="× time", goal=Goal(at_most=1.5)))


PARTS = {"get": measure_gets, "put": measure_puts, "memory": measure_memory, "list": measure_listings}


def measure(bench, part=None):
    door, nginx = Door(bench), Nginx(bench)
    try:
        time.sleep(0.5)
        for name, run in PARTS.items():
            if part in (None, name):
                run(*((bench, door, nginx) if name == "get" else (bench, door)))
    finally:
        nginx.close()
    bench.stop("s3")

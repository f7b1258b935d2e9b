"""A server of its own for a test script, and a client for it: standard library only.

    from tarn import Server, test, main, equal, check

    @test
    def answers():
        with Server() as server:
            equal(server.rows("SELECT 1"), [[1]])

    main()

A Server runs TARN_BIN on a fresh data directory, on a free port of 127.0.0.1, and is ended by its
process id. The directory goes when the test passed; after a failure the server's log is shown.
"""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

BIN = os.environ.get("TARN_BIN") or os.path.join(os.path.dirname(__file__), "../../build/tarn")
SANITIZED = bool(os.environ.get("TARN_SANITIZE"))
LONG = os.environ.get("TARN_LONG") == "1"
# How many times longer than an idle machine this one may need for what has to end by itself.
TIME_FACTOR = (40 if SANITIZED else 10) * float(os.environ.get("TARN_TEST_TIME_FACTOR") or 1)
START_TIMEOUT_S = 10 * TIME_FACTOR
NO_KEY = object()


class Failed(AssertionError):
    """An expectation that did not hold."""


class Skipped(Exception):
    """The test cannot run here; its text says why."""


class TarnError(Exception):
    """An error answer of the API: what the error object holds, and the HTTP status."""

    def __init__(self, status, body):
        error = body.get("error", {}) if isinstance(body, dict) else {}
        self.status, self.error = status, error
        self.code, self.message = error.get("code"), error.get("message")
        self.hint, self.position = error.get("hint"), error.get("position")
        super().__init__(f"{status} {self.code}: {self.message}" if error else f"{status}: {str(body)[:500]}")


class Answer:
    """One HTTP answer, read whole."""

    def __init__(self, response, body):
        self.status, self.body = response.status, body
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def type(self):
        return self.headers.get("content-type", "").split(";")[0]

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    def ok(self):
        if self.status >= 400:
            try:
                body = self.json
            except ValueError:
                body = self.body.decode("utf-8", "replace")
            raise TarnError(self.status, body)
        return self


class Client:
    """Requests over one connection that is kept open. Not for two threads at once."""

    def __init__(self, address, key=None, timeout=60 * TIME_FACTOR):
        host, _, port = address.rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
        self.key = key

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, method, path, body=None, headers=None):
        """The response, not read yet. A dict or list goes as JSON."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        if self.key is not None:
            headers.setdefault("Authorization", "Bearer " + self.key)
        try:
            self.connection.request(method, path, body, headers)
            return self.connection.getresponse()
        except BaseException:
            self.connection.close()  # the next request opens another
            raise

    def request(self, method, path, body=None, headers=None):
        try:
            response = self.send(method, path, body, headers)
            return Answer(response, response.read())
        except BaseException:
            self.connection.close()
            raise

    def query(self, sql, **members):
        """The JSON document of POST /api/v1/query, or a TarnError."""
        return self.request("POST", "/api/v1/query", dict(members, sql=sql)).ok().json

    def rows(self, sql, **members):
        return self.query(sql, **members)["rows"]

    def value(self, sql, **members):
        rows = self.rows(sql, **members)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise Failed(f"{sql}: expected one value, got {str(rows)[:200]}")
        return rows[0][0]

    def ingest(self, table, rows, **params):
        path = "/ingest/" + urllib.parse.quote(table)
        if params:
            path += "?" + urllib.parse.urlencode(params)
        return self.request("POST", path, rows).ok().json


class Server:
    """`tarn serve` on a data directory. Restartable; `env` and `settings` hold for every start."""

    def __init__(self, data=None, env=None, settings=None, start=True, wrap=(), name="server"):
        self.work = tempfile.mkdtemp(prefix="tarn-test-")
        self.data = data or os.path.join(self.work, "data")
        self.env, self.settings, self.wrap, self.name = dict(env or {}), dict(settings or {}), list(wrap), name
        self.log = os.path.join(self.work, name + ".log")
        self.process = self.address = self.s3 = self.pid = None
        self.keep = os.environ.get("TARN_KEEP") == "1"
        RUNNING.append(self)
        if start:
            self.start()

    # ---- its life ----

    def start(self, env=None, settings=None, timeout=START_TIMEOUT_S):
        self.launch(env, settings)
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if self.process.poll() is not None:
                raise Failed(f"the server ended with {self.process.returncode} at its start:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise Failed(f"the server was not ready after {timeout} s:\n{self.log_tail()}")
            time.sleep(0.005)
        return self

    def launch(self, env=None, settings=None):
        """Starts the program without waiting for it."""
        # A file of an ended server would be taken for the new one's.
        try:
            os.unlink(os.path.join(self.data, "run/server.json"))
        except OSError:
            pass
        settings = dict(self.settings, **(settings or {}))
        command = [*self.wrap, BIN, "serve", "--data", self.data, "--http.listen", "127.0.0.1:0",
                   "--s3.listen", "127.0.0.1:0"]
        for setting, value in settings.items():
            command += ["--" + setting, str(value)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=environment(dict(self.env, **(env or {}))))
        self.address = self.s3 = self.pid = None

    def is_ready(self):
        try:
            with open(os.path.join(self.data, "run/server.json"), encoding="utf-8") as file:
                told = json.load(file)
        except (OSError, ValueError):
            return False
        if not told.get("http"):
            return False
        self.address, self.s3, self.pid = told["http"], told.get("s3"), told["pid"]
        return True

    def stop(self, timeout=6 * TIME_FACTOR):
        """Ends it as a service manager would. The exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            os.kill(self.pid or self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failed(f"the server did not end within {timeout} s:\n{self.log_tail()}") from None
        return self.process.returncode

    def kill(self):
        """kill -9, and waits until it is gone."""
        if self.process is not None and self.process.poll() is None:
            if self.pid and self.pid != self.process.pid:
                try:
                    os.kill(self.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            else:
                self.process.kill()
            self.process.wait()

    def restart(self, **options):
        self.stop()
        return self.start(**options)

    def close(self):
        """Ends it and removes its folder. What a sanitizer had to say of it, or an empty text."""
        if self in RUNNING:
            RUNNING.remove(self)
        self.kill_quietly()
        report = self.sanitizer_report()
        if self.keep:
            print("kept:", self.work)
        else:
            shutil.rmtree(self.work, ignore_errors=True)
        return report

    def sanitizer_report(self):
        if not SANITIZED:
            return ""
        lines = self.log_text().splitlines()
        for number, text in enumerate(lines):
            if any(word in text for word in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error: ",
                                             "WARNING: ThreadSanitizer")):
                return "\n".join(lines[number:number + 30])
        return ""

    def kill_quietly(self):
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            except Failed:
                pass

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and kind is not Skipped:
            print(f"--- log of the {self.name}\n{self.log_tail()}\n---", flush=True)
        report = self.close()
        if report and kind is None:
            raise Failed(report)

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def log_tail(self, lines=15):
        return "\n".join(text[:400] for text in self.log_text().splitlines()[-lines:])

    # ---- asking it ----

    @property
    def key(self):
        with open(os.path.join(self.data, "secrets/root.key"), encoding="utf-8") as file:
            return file.read().strip()

    def client(self, key=None, timeout=60 * TIME_FACTOR):
        return Client(self.address, None if key is NO_KEY else key or self.key, timeout)

    def request(self, method, path, body=None, headers=None, key=None):
        with self.client(key) as client:
            return client.request(method, path, body, headers)

    def query(self, sql, key=None, **members):
        with self.client(key) as client:
            return client.query(sql, **members)

    def rows(self, sql, key=None, **members):
        with self.client(key) as client:
            return client.rows(sql, **members)

    def value(self, sql, key=None, **members):
        with self.client(key) as client:
            return client.value(sql, **members)

    def ingest(self, table, rows, **params):
        with self.client() as client:
            return client.ingest(table, rows, **params)

    def make_principal(self, name, role):
        """The new principal's key."""
        return self.request("POST", "/api/v1/principals", {"name": name, "role": role}).ok().json["key"]

    def metrics(self):
        """name -> number, of metrics without labels."""
        values = {}
        for text in self.request("GET", "/metrics").ok().text.splitlines():
            name, _, number = text.partition(" ")
            if not name.startswith("#") and "{" not in name:
                values[name] = float(number)
        return values

    def workers(self):
        """Process ids of its worker processes."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                        text = file.read()
                except OSError:
                    continue
                if int(text.rpartition(")")[2].split()[1]) == self.pid:
                    found.append(int(entry))
        return found

    def run(self, *arguments, env=None, stdin=None, timeout=60 * TIME_FACTOR):
        """A command of the program on this data directory: code, stdout, stderr."""
        return run_tarn("--data", self.data, *arguments, env=env, stdin=stdin, timeout=timeout)


RUNNING = []


def environment(more):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("TARN_") or name in ("TARN_SANITIZE", "TARN_ENGINE_DUCKDB_LIBRARY")}
    env.pop("XDG_DATA_HOME", None)
    env.update(more)
    return env


def run_tarn(*arguments, env=None, stdin=None, timeout=60 * TIME_FACTOR):
    done = subprocess.run([BIN, *arguments], input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                          capture_output=True, timeout=timeout, check=False, env=environment(env or {}))
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def memory_kib(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for text in file:
            if text.startswith(field + ":"):
                return int(text.split()[1])
    return 0


def tree_size(path):
    """Bytes of all files below a folder, each once."""
    total, seen = 0, set()
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                info = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if info.st_ino not in seen:
                seen.add(info.st_ino)
                total += info.st_size
    return total


def read_blobs(server, size_bytes=-1):
    """Beginnings of the blobs, with their files' facts: (path, bytes, stat). One that is removed meanwhile is left out."""
    found = []
    for folder, _, files in os.walk(os.path.join(server.data, "blobs")):
        for path in (os.path.join(folder, name) for name in files if name != "ID"):
            try:
                with open(path, "rb") as file:
                    found.append((path, file.read(size_bytes), os.fstat(file.fileno())))
            except FileNotFoundError:
                continue
    return found


def multipart(fields, boundary="----tarn-test-boundary"):
    """Body and content type of a form. A field is a text, or (file name, bytes, content type)."""
    out = []
    for name, value in fields.items():
        if isinstance(value, str):
            head, data = f'Content-Disposition: form-data; name="{name}"', value.encode()
        else:
            file_name, data, kind = value
            head = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\nContent-Type: {kind}'
        out += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), data, b"\r\n"]
    out.append(f"--{boundary}--\r\n".encode())
    return b"".join(out), f"multipart/form-data; boundary={boundary}"


def text_literal(value):
    return "'" + value.replace("'", "''") + "'"


def name_literal(value):
    return '"' + value.replace('"', '""') + '"'


# ---- running tests ----

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def skip(reason):
    raise Skipped(reason)


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(got, expected, what=""):
    if got != expected:
        raise Failed(f"{what + ': ' if what else ''}expected {cut(expected)}, got {cut(got)}")


def contains(text, part, what=""):
    if part not in (text or ""):
        raise Failed(f"{what + ': ' if what else ''}expected {part!r} in {cut(text)}")


def fails(code, function, *arguments, status=None, **named):
    """The TarnError that the call has to raise."""
    try:
        got = function(*arguments, **named)
    except TarnError as error:
        equal((error.code, error.status if status is None else status),
              (code, error.status if status is None else status), str(error))
        if status is not None:
            equal(error.status, status, str(error))
        return error
    raise Failed(f"expected the error {code}, got {cut(got)}")


def at_most(seconds):
    """The bound, in seconds, of a claim "this ends by itself, and not by something that takes minutes": what an idle
    machine keeps with room, times what a busy or instrumented one needs. Never a claim about speed."""
    return seconds * TIME_FACTOR


def eventually(condition, what, timeout=at_most(10)):
    deadline = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise Failed(f"not within {timeout} s: {what}")
        time.sleep(0.02)


def cut(value, size=600):
    text = repr(value)
    return text if len(text) <= size else text[:size] + f"… ({len(text)} characters)"


def seed(default=None):
    """A generator of randomness whose seed is printed; TARN_TEST_SEED repeats a run. Usual runs are all alike, so that a
    change is judged by what it changes; long ones look for what is new."""
    chosen = random.randrange(2**31) if LONG else 1
    value = int(os.environ.get("TARN_TEST_SEED") or (default if default is not None else chosen))
    print(f"seed: {value}", flush=True)
    return random.Random(value)


SHARED, SHARED_LOCK = {}, threading.Lock()


def shared(name="server", **options):
    """A server that all tests of a script use, started at the first call."""
    with SHARED_LOCK:  # threads of a test may be the first to ask
        if name not in SHARED or SHARED[name].process.poll() is not None:
            SHARED[name] = Server(name=name, **options)
        return SHARED[name]


def shared_with_folder():
    """The shared server, with a folder of its own in which tables may lie: `.folder`."""
    with SHARED_LOCK:
        if "folder" not in SHARED:
            made = Server(name="folder", start=False)
            made.folder = os.path.realpath(os.path.join(made.work, "lake"))
            os.mkdir(made.folder)
            made.settings = {"warehouse.roots": made.folder}
            SHARED["folder"] = made.start()
        return SHARED["folder"]


def main():
    """Runs the tests whose name contains an argument, or all, and ends the process."""
    wanted = sys.argv[1:]
    passed, failed, skipped = 0, 0, []
    if not os.path.exists(BIN):
        print(f"not ok: there is no program {BIN}")
        sys.exit(1)
    for function in TESTS:
        name = function.__name__
        if wanted and not any(word in name for word in wanted):
            continue
        started = time.monotonic()
        try:
            function()
            passed += 1
            print(f"ok: {name} ({time.monotonic() - started:.1f} s)", flush=True)
        except Skipped as reason:
            skipped.append(name)
            print(f"skipped: {reason}", flush=True)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a test may fail in any way
            failed += 1
            if not isinstance(error, (Failed, TarnError)):
                traceback.print_exc(file=sys.stdout)
            else:
                frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == sys.argv[0]]
                print("\n".join(f"    line {f.lineno}: {f.line}" for f in frames))
            print(f"not ok: {name}: {error}", flush=True)
            for server in RUNNING:
                print(f"--- log of the {server.name}\n{server.log_tail()}\n---", flush=True)
    for server in list(RUNNING):
        report = server.close()
        if report:
            failed += 1
            print(f"not ok: the {server.name} under a sanitizer:\n{report}", flush=True)
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped", flush=True)
    if failed or not (passed or skipped):
        sys.exit(1)
    sys.exit(77 if skipped else 0)  # a skip in a script must not hide


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""A Trino server for tests, on loopback, with catalogs of Iceberg alone; what tools/bootstrap --interop installed.
Statements go as its clients send them, over HTTP. One for a whole script: it takes half a minute to start."""
import http.client
import json
import os
import subprocess
import time

from jvm import java, place
from tarn import START_TIMEOUT_S, Failed, at_most, free_port, skip

JAVA_MIN = 24
NO_NODE = ("NO_NODES_AVAILABLE", "nodes is empty")
JVM = ["-Xmx1200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Duser.timezone=UTC",
       "-Djdk.attach.allowAttachSelf=true", "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"]
SERVER = """coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
query.max-memory-per-node=300MB
memory.heap-headroom-per-node=300MB
"""


def reasons(error):
    """What it says, and what that came from."""
    cause, said = error.get("failureInfo"), [error["message"]]
    while cause:
        if cause.get("message") and cause["message"] not in said:
            said.append(cause["message"])
        cause = cause.get("cause")
    return said


class Trino:
    """`catalogs`: name -> properties, as connect printed them."""

    def __init__(self, scratch, catalogs):
        self.here, program = os.path.join(scratch, "trino"), java(JAVA_MIN)
        if not os.path.isdir(os.path.join(place("trino"), "plugin", "iceberg")):
            skip(f"Trino is not installed in {place('trino')}")
        self.log, self.port = os.path.join(scratch, "trino.log"), free_port()
        os.makedirs(os.path.join(self.here, "catalog"))
        for name, text in catalogs.items():
            self.write(f"catalog/{name}.properties", text)
        self.write("config.properties", SERVER.format(port=self.port))
        settings = {"config": f"{self.here}/config.properties", "catalog.config-dir": f"{self.here}/catalog",
                    "plugin.dir": os.path.join(place("trino"), "plugin"), "node.data-dir": f"{self.here}/data",
                    "node.environment": "test", "node.bind-ip": "127.0.0.1", "node.internal-address": "127.0.0.1"}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, *JVM, *(f"-D{setting}={value}" for setting, value in settings.items()),
                 "-cp", os.path.join(place("trino"), "lib", "*"), "io.trino.server.TrinoServer"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.here)
        self.wait()

    def write(self, path, text):
        with open(os.path.join(self.here, path), "w", encoding="utf-8") as file:
            file.write(text)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while "SERVER STARTED" not in self.said():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise Failed("Trino did not start: " + self.said()[-3000:])
            time.sleep(0.1)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=at_most(120))
        try:
            connection.request(method, path, body, {"X-Trino-User": "test", "X-Trino-Time-Zone": "UTC",
                                                    "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME", **(headers or {})})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def rows(self, sql, schema="main", catalog="tarn", **session):
        """A server that is busy takes itself for gone now and then: then the statement has not begun, and is asked again."""
        deadline = time.monotonic() + at_most(60)
        while True:
            try:
                return self.rows_at_once(sql, schema, catalog, **session)
            except Failed as error:
                if not any(words in str(error) for words in NO_NODE) or time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def rows_at_once(self, sql, schema, catalog, **session):
        headers = {"X-Trino-Catalog": catalog, "X-Trino-Schema": schema}
        if session:
            headers["X-Trino-Session"] = ",".join(f"{name.replace('__', '.')}={value}" for name, value in session.items())
        answer, rows = self.ask("POST", "/v1/statement", sql.encode(), headers), []
        while True:
            rows += answer.get("data") or []
            if "error" in answer:
                raise Failed(f"{sql}: {answer['error']['errorName']}: {'; '.join(reasons(answer['error']))}")
            if "nextUri" not in answer:
                return rows
            answer = self.ask("GET", answer["nextUri"].split(f":{self.port}", 1)[1])

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(at_most(10))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

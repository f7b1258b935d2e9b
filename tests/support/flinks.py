"""Flink for tests, in one process on loopback: its SQL gateway, which is asked over HTTP, with jobs that run in the same
process; what tools/bootstrap --interop installed."""
import glob
import http.client
import json
import os
import subprocess
import time

from jvm import java, place
from tarn import START_TIMEOUT_S, Failed, at_most, free_port, skip

JAVA = (11, 21)  # Hadoop's part in it ends with Java 24
# What Flink's own configuration gives a newer Java.
OPENED = ["java.util", "java.lang", "java.net", "java.io", "java.nio", "java.time", "java.text", "java.lang.reflect",
          "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch", "sun.net.util"]
CONFIGURATION = """execution.target: local
rest.bind-address: 127.0.0.1
rest.address: 127.0.0.1
rest.port: 0
parallelism.default: 2
taskmanager.numberOfTaskSlots: 4
sql-gateway.endpoint.rest.address: 127.0.0.1
sql-gateway.endpoint.rest.bind-address: 127.0.0.1
sql-gateway.endpoint.rest.port: {port}
table.local-time-zone: UTC
io.tmp.dirs: {place}
classloader.check-leaked-classloader: false
"""


class Flink:
    def __init__(self, scratch):
        jars, program = glob.glob(os.path.join(place("flink"), "jars", "*.jar")), java(*JAVA)
        if not jars:
            skip(f"Flink is not installed in {place('flink')}")
        here = os.path.join(scratch, "flink")
        self.log, self.port = os.path.join(scratch, "flink.log"), free_port()
        os.makedirs(here)
        with open(os.path.join(here, "flink-conf.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(port=self.port, place=here))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, "-Xmx1200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
                 "-cp", ":".join(jars), "org.apache.flink.table.gateway.SqlGateway"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=here,
                env={**os.environ, "FLINK_CONF_DIR": here, "FLINK_LIB_DIR": os.path.join(place("flink"), "jars")})
        self.session = self.wait()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return self.ask("POST", "/v1/sessions", {})["sessionHandle"]
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.close()
                    raise Failed("Flink did not start: " + self.said()[-3000:]) from None
                time.sleep(0.1)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=at_most(120))
        try:
            connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "errors" in answer:
            raise Failed(reason("\n".join(answer["errors"])))
        return answer

    def rows(self, sql, **settings):
        """Of a change: when its job has ended."""
        settings = {"table.dml-sync": "true", "execution.runtime-mode": "batch",
                    **{name.replace("__", "."): value for name, value in settings.items()}}
        try:
            made = self.ask("POST", f"/v1/sessions/{self.session}/statements", {"statement": sql, "executionConfig": settings})
            path, rows = f"/v1/sessions/{self.session}/operations/{made['operationHandle']}/result/0", []
            while path:
                answer = self.ask("GET", path + ("" if "?" in path else "?rowFormat=JSON"))
                rows += [row["fields"] for row in answer.get("results", {}).get("data", [])]
                if answer["resultType"] == "NOT_READY":
                    time.sleep(0.05)
                else:
                    path = answer.get("nextResultUri")
            return rows
        except Failed as error:
            raise Failed(f"{sql}: {error}") from None

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(at_most(10))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def reason(trace):
    """The causes, without the lines of code."""
    lines = [line for line in trace.splitlines() if line and not line.startswith(("\t", "    at", "..."))]
    return "; ".join(lines)[-1500:]

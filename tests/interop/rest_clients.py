#!/usr/bin/env python3
"""Sail and DuckDB on tables of the REST catalog, each with what `tarn connect` printed and nothing more: they create, insert,
select, update, delete and merge, tarn reads it, and the other way round."""
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from sparks import ROOT  # noqa: E402
from tarn import START_TIMEOUT_S, Failed, Server, at_most, check, equal, main, skip, test  # noqa: E402

PLACE = os.path.join(os.environ.get("TARN_INTEROP_CACHE") or os.path.join(ROOT, "build", "interop"), "clients", "venv")
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_statements.py")
STATE = {}


def lake():
    if "server" not in STATE:
        STATE["server"] = Server()
    return STATE["server"]


def connect(client, *options):
    code, out, err = lake().run("connect", client, *options)
    equal(code, 0, err)
    return out


class Client:
    """A program that is asked one statement after another."""

    def __init__(self, *arguments, env=None):
        python = os.path.join(PLACE, "bin", "python3")
        if not os.path.exists(python):
            skip(f"the clients are not installed in {PLACE}")
        with open(os.path.join(lake().work, f"{arguments[0]}.log"), "ab") as self.log:
            self.process = subprocess.Popen([python, SCRIPT, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.log, text=True, env={**os.environ, **(env or {})})
        self.answer("its start")

    def answer(self, sql):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the client ended at {sql}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{sql}: {answer['error']}")
        return answer["rows"]

    def rows(self, sql):
        self.process.stdin.write(json.dumps(sql) + "\n")
        self.process.stdin.flush()
        return self.answer(sql)

    def close(self):
        self.process.stdin.close()
        self.process.wait(at_most(10))


class Sail(Client):
    """With a server of its own, whose environment is what connect printed."""

    def __init__(self):
        program = os.path.join(PLACE, "bin", "sail")
        if not os.path.exists(program):
            skip(f"the clients are not installed in {PLACE}")
        script = connect("sail") + f'exec "{program}" spark server --port 0\n'
        self.path = os.path.join(lake().work, "sail-server.log")
        with open(self.path, "wb") as log:
            self.server = subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        super().__init__("sail", "sc://" + self.address())

    def address(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.server.poll() is None:
            with open(self.path, encoding="utf-8") as file:
                found = re.search(r"server on (127\.0\.0\.1:[1-9]\d*)", file.read())
            if found:
                return found.group(1)
            time.sleep(0.05)
        with open(self.path, encoding="utf-8") as file:
            raise Failed("Sail did not start: " + file.read()[-1000:])

    def close(self):
        super().close()
        self.server.terminate()
        self.server.wait(at_most(10))


def both(client, name, columns="*"):
    """The rows of a table as tarn and the client see them, which are the same."""
    ours = lake().rows(f"SELECT {columns} FROM {name} ORDER BY 1")
    equal([[str(cell) for cell in row] for row in client.rows(f"SELECT {columns} FROM tarn.main.{name} ORDER BY 1")],
          [[str(cell) for cell in row] for row in ours], name)
    return ours


def changes_of(client, name, create):
    client.rows(create)
    client.rows(f"INSERT INTO tarn.main.{name} VALUES (1, 'a', DATE '2024-01-01'), (2, 'b', DATE '2024-02-01'), (3, 'c', NULL)")
    equal(len(both(client, name)), 3)
    client.rows(f"UPDATE tarn.main.{name} SET s = 'x' WHERE id = 2")
    client.rows(f"DELETE FROM tarn.main.{name} WHERE id = 1")
    equal([row[:2] for row in both(client, name)], [[2, "x"], [3, "c"]])
    lake().query(f"INSERT INTO {name} VALUES (4, 'tarn', '2025-01-01')")
    lake().query(f"DELETE FROM {name} WHERE id = 3")
    equal([row[:2] for row in both(client, name)], [[2, "x"], [4, "tarn"]])


def merges(client, name, number):
    client.rows(f"MERGE INTO tarn.main.{name} t USING (SELECT {number.format(4)} AS id, 'm' AS s UNION ALL SELECT {number.format(9)}, 'n') u"
                " ON t.id = u.id WHEN MATCHED THEN UPDATE SET s = u.s WHEN NOT MATCHED THEN INSERT (id, s) VALUES (u.id, u.s)")
    equal([row[:2] for row in both(client, name)], [[2, "x"], [4, "m"], [9, "n"]])


@test
def sail_creates_inserts_selects_updates_deletes_and_merges():
    sail = Sail()
    try:
        changes_of(sail, "of_sail", "CREATE TABLE tarn.main.of_sail (id BIGINT, s STRING, d DATE) USING iceberg")
        merges(sail, "of_sail", "{}L")
        sail.rows("CREATE TABLE tarn.main.parted (id BIGINT, d DATE) USING iceberg PARTITIONED BY (days(d))")
        sail.rows("INSERT INTO tarn.main.parted VALUES (1, DATE '2024-01-01'), (2, DATE '2024-02-01')")
        equal(lake().rows("SELECT id FROM parted WHERE d > '2024-01-15'"), [[2]])
        equal(lake().value("SELECT count(*) FROM parted.partitions"), 2)
        sail.rows("CREATE TABLE tarn.main.copied USING iceberg AS SELECT * FROM tarn.main.of_sail")
        equal(len(both(sail, "copied")), 3)
        lake().query("CREATE TABLE for_sail AS SELECT range AS id, 'r' || range AS s, DATE '2024-01-01' + range::INTEGER AS d"
                     " FROM range(100)")
        equal(len(both(sail, "for_sail")), 100)
        sail.rows("CREATE NAMESPACE tarn.made")
        sail.rows("CREATE TABLE tarn.made.t (id BIGINT) USING iceberg")
        equal(lake().rows("SELECT * FROM made.t"), [])
        sail.rows("DROP TABLE tarn.made.t")
        check("t" not in [row[1] for row in sail.rows("SHOW TABLES IN tarn.made")], "it is still there")
    finally:
        sail.close()


def duckdb(mode):
    """A session that ran what connect printed."""
    client = Client("duckdb", os.path.join(lake().work, "extensions"))
    code = "\n".join(line for line in connect(mode).splitlines() if not line.startswith("--"))
    for statement in code.split(";"):
        if statement.strip():
            client.rows(statement)
    return client


@test
def duckdb_creates_inserts_selects_updates_and_deletes():
    client = duckdb("duckdb")
    try:
        changes_of(client, "of_duckdb", "CREATE TABLE tarn.main.of_duckdb (id BIGINT, s VARCHAR, d DATE)")
        client.rows("BEGIN")
        client.rows("INSERT INTO tarn.main.of_duckdb VALUES (100, 'kept', NULL)")
        client.rows("CREATE TABLE tarn.main.second AS SELECT 1 AS n")
        client.rows("COMMIT")
        equal(lake().rows("SELECT n FROM second"), [[1]])
        equal(len(both(client, "of_duckdb")), 3)
        lake().query("CREATE TABLE for_duckdb AS SELECT range AS id, 'r' || range AS s FROM range(100)")
        equal(len(both(client, "for_duckdb")), 100)
        lake().query("ALTER TABLE for_duckdb ADD COLUMN more DOUBLE")
        lake().query("DELETE FROM for_duckdb WHERE id % 2 = 0")
        equal(len(both(client, "for_duckdb")), 50)
        client.rows("DROP TABLE tarn.main.second")
    finally:
        client.close()


@test
def duckdb_merges_partitions_evolves_and_renames():
    client = duckdb("duckdb")
    try:
        client.rows("CREATE TABLE tarn.main.duck_parts (id BIGINT, s VARCHAR) PARTITIONED BY (s)")
        client.rows("INSERT INTO tarn.main.duck_parts VALUES (2, 'x'), (4, 'b')")
        merges(client, "duck_parts", "{}")
        client.rows("ALTER TABLE tarn.main.duck_parts ADD COLUMN more INTEGER")
        client.rows("ALTER TABLE tarn.main.duck_parts RENAME TO duck_moved")
        lake().query("INSERT INTO duck_moved VALUES (10, 'y', 5)")
        equal(lake().rows("SELECT more FROM duck_moved WHERE id IN (9, 10) ORDER BY id"), [[None], [5]])
        client.rows("CREATE SCHEMA tarn.of_duck")
        client.rows("CREATE TABLE tarn.of_duck.t AS SELECT 1 AS n")
        equal(lake().rows("SELECT * FROM of_duck.t"), [[1]])
        client.rows("DROP TABLE tarn.of_duck.t")
        client.rows("DROP SCHEMA tarn.of_duck")
    finally:
        client.close()


@test
def duckdb_opens_every_place_of_a_table():
    """It uses a credential below its prefix alone."""
    lake().query("CREATE TABLE apart (id BIGINT) WITH ('write.data.path' = 's3://warehouse/apart/data',"
                 " 'write.metadata.path' = 's3://warehouse/apart/metadata')")
    lake().query("INSERT INTO apart VALUES (1)")
    lake().query("CREATE TABLE moving AS SELECT 1 AS id")
    body = {"requirements": [], "updates": [{"action": "set-location", "location": "s3://warehouse/elsewhere/moving"}]}
    lake().request("POST", "/iceberg/v1/tarn/namespaces/main/tables/moving", body).ok()
    lake().query("INSERT INTO moving VALUES (2)")
    lake().query("INSERT INTO apart VALUES (2)")
    check(lake().value("SELECT file_path FROM apart.files LIMIT 1").startswith("s3://warehouse/apart/data/"), "where it lies")
    client = duckdb("duckdb")
    try:
        for name in ("apart", "moving"):
            equal(both(client, name), [[1], [2]])
            client.rows(f"INSERT INTO tarn.main.{name} VALUES (3)")
            equal(both(client, name), [[1], [2], [3]])
            client.rows(f"DELETE FROM tarn.main.{name} WHERE id = 1")
            equal(both(client, name), [[2], [3]])
    finally:
        client.close()


@test
def what_dbt_would_run_attaches_the_catalog():
    """dbt-duckdb makes a secret and an ATTACH of its profile: so do these lines."""
    text = connect("dbt")
    found = dict(re.findall(r'^ *(?:- )?([a-z_]+): "?([^"\n]*)"?$', text, re.MULTILINE))
    client = Client("duckdb", os.path.join(lake().work, "extensions"))
    try:
        for sql in ("LOAD httpfs", "LOAD iceberg", f"CREATE SECRET tarn (TYPE iceberg, TOKEN '{found['token']}')",
                    f"ATTACH '{found['path']}' AS {found['alias']} (TYPE {'iceberg'}, ENDPOINT '{found['endpoint']}',"
                    f" SECRET {found['secret']}, ACCESS_DELEGATION_MODE {found['access_delegation_mode']},"
                    f" DEFAULT_SCHEMA {found['default_schema']})"):
            client.rows(sql)
        lake().query("CREATE TABLE for_dbt AS SELECT 5 AS n")
        equal(client.rows(f"SELECT n FROM {found['database']}.{found['schema']}.for_dbt"), [[5]])
    finally:
        client.close()


main()

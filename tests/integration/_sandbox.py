"""Attempts to reach through SQL what SQL must not reach, and the judge of what came of them. Used with the allow-list
of functions on (sandbox_sql.py) and, in builds that can switch it off, without it (sandbox_second_wall.py)."""
import contextlib
import json
import os
import socket
import threading

from tarn import Server, TarnError, check, cut, equal

CANARY = "canary-7f31c2"

# Placeholders: @secret a text file outside, @outside its folder, @data the data directory, @port of a listener,
# @parquet a Parquet file outside, @csv a CSV file outside, @key the file of root's key.
READ = """
SELECT * FROM read_text('@secret')
SELECT * FROM read_text('@outside/*')
SELECT * FROM read_blob('@secret')
SELECT * FROM read_csv('@csv')
SELECT * FROM read_csv_auto('@csv')
SELECT * FROM READ_CSV('@csv', header = false)
SELECT * FROM sniff_csv('@csv')
SELECT * FROM read_json('@outside/secret.json')
SELECT * FROM read_json_auto('@outside/secret.json')
SELECT * FROM read_json_objects('@outside/secret.json')
SELECT * FROM read_ndjson('@outside/secret.json')
SELECT * FROM read_ndjson_objects('@outside/secret.json')
SELECT * FROM read_parquet('@parquet')
SELECT * FROM read_parquet(['@parquet'])
SELECT * FROM parquet_scan('@parquet')
SELECT * FROM parquet_metadata('@parquet')
SELECT * FROM parquet_schema('@parquet')
SELECT * FROM parquet_kv_metadata('@parquet')
SELECT * FROM parquet_file_metadata('@parquet')
SELECT * FROM parquet_bloom_probe('@parquet', 'a', 1)
SELECT * FROM '@csv'
SELECT * FROM '@parquet'
SELECT * FROM "@csv"
SELECT * FROM "@parquet"
FROM '@outside/secret.json'
SELECT * FROM glob('@outside/*')
SELECT * FROM glob('/proc/self/*')
SELECT * FROM read_text('/proc/self/environ')
SELECT * FROM read_text('/proc/self/root@secret')
SELECT * FROM read_text('/proc/self/cmdline')
SELECT * FROM read_text('@key')
SELECT * FROM read_blob('@data/tarn.db')
SELECT * FROM read_text('@data/../outside/secret.txt')
SELECT * FROM read_text('@outside/link')
SELECT * FROM read_text('file://@secret')
SELECT * FROM read_csv('/dev/stdin')
SELECT * FROM main.read_text('@secret')
SELECT * FROM system.main.read_text('@secret')
SELECT * FROM "read_text"('@secret')
SELECT (SELECT content FROM read_text('@secret'))
SELECT 1 WHERE EXISTS (FROM read_text('@secret') WHERE content LIKE 'canary-7%')
WITH x AS (SELECT * FROM read_text('@secret')) SELECT * FROM x
WITH RECURSIVE x(a) AS (SELECT content FROM read_text('@secret') UNION ALL SELECT a FROM x WHERE false) SELECT a FROM x
SELECT * FROM (VALUES (1)) v(a), LATERAL (SELECT * FROM read_text('@secret'))
SELECT * FROM t JOIN read_text('@secret') r ON true
SELECT * FROM t WHERE a IN (SELECT size FROM read_text('@secret'))
SELECT * FROM t ORDER BY (SELECT content FROM read_text('@secret'))
SELECT list_transform([1], lambda x: (SELECT content FROM read_text('@secret')))
VALUES ((SELECT content FROM read_text('@secret')))
INSERT INTO t SELECT size FROM read_text('@secret')
CREATE TABLE stolen AS SELECT * FROM read_text('@secret')
SELECT * FROM query('SELECT * FROM read_text(''@secret'')')
SELECT * FROM query_table('@csv')
SELECT * FROM query_table(['@parquet'])
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''@secret'')'))
PIVOT read_csv('@csv') ON a
SUMMARIZE SELECT * FROM read_text('@secret')
SUMMARIZE '@csv'
DESCRIBE SELECT * FROM read_csv('@csv')
DESCRIBE '@csv'
EXPLAIN ANALYZE SELECT * FROM read_text('@secret')
SELECT 1; SELECT * FROM read_text('@secret')
/* SELECT 1 */ SELECT * FROM read_text('@secret') -- harmless
SELECT * FROM arrow_scan(1::BIGINT, 2::BIGINT, 3::BIGINT)
SELECT getvariable('x'), read_text('@secret')
FROM duckdb_secrets()
SELECT getenv('CANARY')
SELECT * FROM duckdb_settings()
SELECT current_setting('temp_directory')
SELECT * FROM pragma_database_list()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_extensions()
"""

WRITE = """
COPY (SELECT 1) TO '@outside/new.csv'
COPY t TO '@outside/new.parquet' (FORMAT parquet)
COPY (SELECT 1) TO '@outside/dangling'
COPY t FROM '@csv'
EXPORT DATABASE '@outside/new'
IMPORT DATABASE '@outside'
ATTACH '@outside/new.db' AS x
ATTACH '@data/tarn.db' AS x (TYPE sqlite)
ATTACH ':memory:' AS x
INSTALL httpfs
INSTALL '@outside/x.duckdb_extension'
LOAD '@outside/x.duckdb_extension'
SELECT write_log('x')
SELECT * FROM write_log('x')
CREATE SECRET s (TYPE s3, KEY_ID 'x', SECRET 'y')
CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'x', SECRET 'y')
CREATE VIEW v AS SELECT * FROM read_text('@secret')
CREATE MACRO m() AS TABLE SELECT * FROM read_text('@secret')
CREATE TEMP TABLE x AS SELECT 1
CREATE TABLE x (a INTEGER) WITH (location = 'file://@outside/x')
CREATE TABLE x (a INTEGER) WITH (location = 'file://@data/x')
CREATE TABLE x WITH (location = 'file://@outside/x') AS SELECT 1 AS a
CREATE TABLE "../../x" (a INTEGER) WITH (location = 's3://warehouse/../../x')
CREATE SCHEMA s2 LOCATION 'file://@outside/s2'
"""

NETWORK = """
SELECT * FROM read_csv('http://127.0.0.1:@port/x.csv')
SELECT * FROM read_parquet('http://127.0.0.1:@port/x.parquet')
SELECT * FROM 'http://127.0.0.1:@port/x.csv'
SELECT * FROM read_text('https://127.0.0.1:@port/x')
SELECT * FROM read_csv('s3://127.0.0.1:@port/x.csv')
SELECT http_get('http://127.0.0.1:@port/')
ATTACH 'http://127.0.0.1:@port/x.db' AS x
ATTACH 'host=127.0.0.1 port=@port' AS x (TYPE postgres)
INSTALL x FROM 'http://127.0.0.1:@port'
SELECT * FROM postgres_scan('host=127.0.0.1 port=@port', 'public', 't')
"""

STATE = """
SET memory_limit = '100GB'
SET enable_external_access = true
SET GLOBAL lock_configuration = false
SET VARIABLE x = 1
RESET memory_limit
PRAGMA enable_external_access
PRAGMA database_list
PRAGMA enable_verification
PRAGMA disable_optimizer
PRAGMA threads = 100
CHECKPOINT
FORCE CHECKPOINT
VACUUM
CALL enable_logging()
CALL disable_logging()
SELECT * FROM enable_logging(storage = 'file', storage_path = '@outside/log')
SELECT * FROM enable_logging(storage='file', storage_path='/etc/x')
SELECT * FROM query('SELECT * FROM enable_logging(storage = ''file'', storage_path = ''/etc/x'')')
SELECT * FROM enable_logging('QueryLog')
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_logs
SELECT * FROM duckdb_logs_parsed('QueryLog')
SELECT * FROM set_log_level('trace')
SELECT * FROM enable_profiling()
SELECT * FROM duckdb_connection_count()
SELECT nextval('s')
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint()
SELECT * FROM duckdb_functions() WHERE function_name = 'read_text'
SELECT * FROM duckdb_views()
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns()
SELECT sql FROM sqlite_master
SELECT * FROM pragma_table_info('t')
SELECT * FROM pragma_storage_info('t')
SELECT sleep_ms(100000)
SELECT pg_sleep(1000)
PREPARE p AS SELECT * FROM read_text('@secret'); EXECUTE p
PREPARE p AS SELECT * FROM read_text($1); EXECUTE p('@secret')
PREPARE p AS INSERT INTO t SELECT length(content) FROM read_text('@secret'); EXECUTE p
EXECUTE p
BEGIN; SELECT * FROM read_text('@secret')
BEGIN; SET memory_limit = '1GB'; COMMIT
CREATE VIEW stolen AS SELECT * FROM read_text('@secret')
CREATE OR REPLACE VIEW stolen AS SELECT * FROM '@csv'; SELECT * FROM stolen
INSERT INTO t VALUES (1) RETURNING (SELECT content FROM read_text('@secret'))
UPDATE t SET a = 1 RETURNING read_text('@secret')
WITH x AS (SELECT * FROM read_text('@secret')) DELETE FROM t USING x
KILL 1
UPDATE EXTENSIONS
USE memory
DETACH memory
"""

# Their aim is what others may see, do or run.
OTHERS = """
SELECT * FROM duckdb_queries()
SELECT * FROM hidden.private
SELECT * FROM "hidden"."private"
SELECT filename FROM t
SELECT file_row_number FROM t
SELECT file_index FROM t
SELECT * FROM "main"."t$files"
SELECT * FROM stub_0
"""


def attempts(text):
    return [line.strip() for line in text.strip().splitlines()]


class Trap:
    """A folder with secrets, a listener that counts who calls, a server that knows an environment variable."""

    def __init__(self, env=None):
        self.server = Server(env=dict(env or {}, CANARY=CANARY), start=False)
        self.outside = os.path.join(self.server.work, "outside")
        os.mkdir(self.outside)
        self.secret = self.write("secret.txt", CANARY + "\n")
        self.csv = self.write("secret.csv", f"a,b\n1,{CANARY}\n")
        self.write("secret.json", json.dumps({"a": CANARY}))
        os.symlink(self.secret, os.path.join(self.outside, "link"))
        os.symlink(os.path.join(self.outside, "new-by-link"), os.path.join(self.outside, "dangling"))
        self.server.start()
        made = self.server.request("POST", "/api/v1/query",
                                   {"sql": f"SELECT 1 AS a, '{CANARY}' AS b", "format": "parquet"}).ok().body
        self.parquet = os.path.join(self.outside, "secret.parquet")
        with open(self.parquet, "wb") as file:
            file.write(made)
        self.before = self.listing()
        self.calls = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()
        self.server.query("CREATE TABLE t AS SELECT 1::BIGINT AS a")
        self.server.query(f"SELECT 'other {CANARY}' AS sql_of_another")

    def write(self, name, text):
        path = os.path.join(self.outside, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.calls += 1
                connection.close()

    def listing(self):
        return sorted(os.listdir(self.outside))

    def fill_in(self, sql):
        for name, value in (("@secret", self.secret), ("@outside", self.outside), ("@csv", self.csv),
                            ("@parquet", self.parquet), ("@port", str(self.listener.getsockname()[1])),
                            ("@key", os.path.join(self.server.data, "secrets/root.key")), ("@data", self.server.data)):
            sql = sql.replace(name, value)
        return sql

    def attempt(self, sql, key=None):
        """The error, or the answer where there is one. Neither may hold what is secret."""
        text = self.fill_in(sql)
        try:
            got = self.server.query(text, key=key, limits={"seconds": 2})
            shown, error = json.dumps(got), None
        except TarnError as failure:
            got, shown, error = None, json.dumps(failure.error), failure
        check(CANARY not in shown, f"{sql}: the secret came out: {cut(shown)}")
        check(self.server.key not in shown, f"{sql}: root's key came out")
        return got, error

    def unharmed(self, sql):
        equal(self.listing(), self.before, f"{sql}: the folder outside")
        equal(self.calls, 0, f"{sql}: connections to the listener")
        check(self.server.process.poll() is None, f"{sql}: the server ended")
        equal(self.server.rows("SELECT a, a + 1 FROM t"), [[1, 2]], f"{sql}: the next query")

    def close(self):
        self.listener.close()
        self.server.close()

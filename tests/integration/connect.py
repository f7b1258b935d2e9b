#!/usr/bin/env python3
"""tarn connect: the configuration of each client as it is in tests/golden/cli/connect.txt (--write makes it anew), its
form, its key, and what is refused. That the clients take it is tried by tests/interop."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from s3client import S3  # noqa: E402
from tarn import Client, Server, TarnError, check, contains, equal, main, run_tarn, test  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/cli/connect.txt")
CLIENTS = ("spark", "trino", "pyiceberg", "duckdb", "flink", "sail", "dbt")
ROOT_KEYS = "/api/v1/principals/%s/keys" % "root"
ROOT_S3_KEYS = "/api/v1/principals/%s/s3-keys" % "root"
WRITE = "--write" in sys.argv
KEY = re.compile(r"tarn_[A-Za-z0-9_-]{43}")
PAIR = re.compile(r"AWS_ACCESS_KEY_ID='(TARN[A-Z0-9]{16})' AWS_SECRET_ACCESS_KEY='([^']{40})'")


def plain(server, text):
    text = text.replace(server.address, "{http}").replace(server.s3, "{s3}")
    text = PAIR.sub("AWS_ACCESS_KEY_ID='{access_key}' AWS_SECRET_ACCESS_KEY='{secret}'", KEY.sub("{key}", text))
    text = re.sub(r"tarn key drop [0-9a-zA-Z]{16,20}", "tarn key drop {id}", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "{time}", text)


def made(server, *arguments):
    code, out, err = server.run("connect", *arguments)
    equal(code, 0, err)
    return out


def refused(expected, *words, server=None, arguments=()):
    code, out, err = server.run("connect", *arguments)
    equal((code, out), (expected, ""), err)
    for word in words:
        contains(err, word)


def written():
    """All there is, as the golden has it."""
    parts = []
    for mode in ("keys", "none"):
        with Server(settings={"auth.mode": mode}) as server:
            for client in CLIENTS:
                parts.append(f"== {client}, auth.mode {mode}\n" + plain(server, made(server, client)))
    return "".join(parts)


@test
def each_client_gets_what_the_golden_says():
    text = written()
    if WRITE:
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.write(text)
    with open(GOLDEN, encoding="utf-8") as file:
        expected = file.read()
    for got, wanted in zip(text.split("== "), expected.split("== ")):
        equal(got, wanted)
    equal(text, expected)


def lint_properties(text):
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        check(re.fullmatch(r"[a-z0-9.-]+=\S+", line), f"no property: {line}")
        name, value = line.split("=", 1)
        check(name not in found, f"{name} twice")
        found[name] = value
    return found


def lint_sql(text):
    """Every quote is closed and every bracket too, statements end with a semicolon."""
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    bare = re.sub(r"'(?:[^']|'')*'", "''", code)
    equal(bare.count("'") % 2, 0, bare)
    equal(bare.count("("), bare.count(")"), bare)
    check(bare.rstrip().endswith(";"), bare)
    return [statement.strip() for statement in bare.split(";") if statement.strip()]


def lint_yaml(text):
    """Two spaces a level, each line a member or an item: what both YAML files of ours are made of. The paths."""
    paths, stack = {}, []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        found = re.fullmatch(r"((?:  )*)(- )?([A-Za-z_.-]+):(?: (\"(?:[^\"\\]|\\.)*\"|\[[a-z, ]*\]|[A-Za-z_-]+))?", line)
        check(found, f"no line of YAML: {line}")
        level = len(found[1]) // 2
        check(level <= len(stack), f"too deep: {line}")
        stack[level:] = ["-", found[3]] if found[2] else [found[3]]
        if found[4] is not None:
            paths[".".join(stack)] = found[4].strip('"')
    return paths


@test
def trinos_properties_have_the_form_and_the_addresses():
    with Server() as server:
        found = lint_properties(made(server, "trino"))
        equal(found["iceberg.rest-catalog.uri"], f"http://{server.address}/iceberg")
        equal(found["s3.endpoint"], f"http://{server.s3}")
        equal(found["iceberg.rest-catalog.security"], "OAUTH2")
        check(KEY.fullmatch(found["iceberg.rest-catalog.oauth2.token"]), str(found))
    with Server(settings={"auth.mode": "none", "s3.listen": "none", "s3.region": "eu-north-7"}) as server:
        found = lint_properties(made(server, "trino"))
        check(not any(name.startswith(("s3.", "fs.")) or "oauth2" in name for name in found), str(found))
    with Server(settings={"s3.region": "eu-north-7"}) as server:
        equal(lint_properties(made(server, "trino"))["s3.region"], "eu-north-7")
    with Server(settings={"s3.endpoint": "https://s3.example.org"}) as server:
        equal(lint_properties(made(server, "trino"))["s3.endpoint"], "https://s3.example.org")
        contains(made(server, "sail"), "AWS_ENDPOINT_URL='https://s3.example.org'")


@test
def sql_of_flink_and_duckdb_is_whole():
    for mode in ("keys", "none"):
        with Server(settings={"auth.mode": mode, "warehouse.name": "the lake's"}) as server:
            equal([statement.split()[0] for statement in lint_sql(made(server, "flink"))], ["CREATE", "USE"])
            statements = lint_sql(made(server, "duckdb"))
            equal(statements[-1].split()[0], "ATTACH")
            equal("CREATE" in [statement.split()[0] for statement in statements], mode == "keys")
            contains(made(server, "duckdb"), "ATTACH 'the lake''s' AS tarn")


@test
def yaml_of_pyiceberg_and_dbt_has_its_members():
    with Server(settings={"warehouse.name": 'a "b" \\c'}) as server:
        found = lint_yaml(made(server, "pyiceberg"))
        equal((found["catalog.tarn.uri"], found["catalog.tarn.warehouse"]),
              (f"http://{server.address}/iceberg", 'a \\"b\\" \\\\c'))
        found = lint_yaml(made(server, "dbt"))
        equal(found["tarn.outputs.dev.type"], "duckdb")
        equal(found["tarn.outputs.dev.attach.-.options.endpoint"], f"http://{server.address}/iceberg")
        equal(found["tarn.outputs.dev.attach.-.options.secret"], "tarn")
        check(KEY.fullmatch(found["tarn.outputs.dev.secrets.-.token"]), str(found))


def may_not(server, key, method, path, body=None):
    equal(server.request(method, path, body, None, key).status, 403, f"{method} {path}")


@test
def the_key_is_a_fresh_one_of_a_writer_of_the_clients_name():
    with Server() as server:
        before = len(server.request("GET", ROOT_KEYS).ok().json["keys"])
        code, text, err = server.run("connect", "spark")
        equal(code, 0, err)
        contains(err, "Its key is spark's, until ")
        contains(err, "tarn key drop ")
        first, second = KEY.search(text).group(), KEY.search(made(server, "spark")).group()
        check(first != second and server.key not in (first, second), "the same key again")
        equal(server.request("GET", "/api/v1/principals/spark").ok().json["role"], "writer")
        keys = server.request("GET", "/api/v1/principals/spark/keys").ok().json["keys"]
        equal(["expires_at" in key for key in keys], [True, True], "they end")
        equal(len(server.request("GET", ROOT_KEYS).ok().json["keys"]), before, "root has no more keys")
        with Client(server.address, first) as client:
            client.query("CREATE TABLE t (n BIGINT)")
            client.query("INSERT INTO t VALUES (1)")
            equal(client.value("SELECT n FROM t"), 1)
        may_not(server, first, "POST", "/api/v1/principals", {"name": "mallory", "role": "root"})
        may_not(server, first, "GET", "/api/v1/events")
        check("until" not in made(server, "spark", "--expires", "never"), "it ends, though it should not")
        refused(5, '"spark"', "writer", "reader", server=server, arguments=["spark", "--role", "reader"])


def pair_of(server, text):
    return S3(server.s3, *PAIR.search(text).groups())


@test
def the_pair_of_sail_opens_its_warehouse_alone():
    with Server() as server:
        with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
            root = S3(server.s3, *file.read().split())
        root.request("PUT", "/other").ok()
        root.request("PUT", "/other/a", body=b"a").ok()
        server.query("CREATE TABLE t AS SELECT 1 AS n")
        before = server.request("GET", ROOT_S3_KEYS).ok().json["s3_keys"]
        text = made(server, "sail", "--expires", "2h")
        equal(server.request("GET", ROOT_S3_KEYS).ok().json["s3_keys"], before, "root has no more pairs")
        pairs = server.request("GET", "/api/v1/principals/sail/s3-keys").ok().json["s3_keys"]
        equal([(key["opens"], "expires_at" in key) for key in pairs], [("warehouse/", True)])
        sail = pair_of(server, text)
        sail.request("PUT", "/warehouse/main/t-x/data/a.parquet", body=b"a").ok()
        equal(sail.request("GET", "/warehouse/main/t-x/data/a.parquet").ok().body, b"a")
        equal(root.request("GET", "/warehouse/main/t-x/data/a.parquet").ok().body, b"a", "it is the warehouse's")
        contains(sail.request("GET", "/warehouse", {"list-type": "2", "prefix": "main/"}).ok().body.decode(), "main/t-x/data/a.parquet")
        sail.request("DELETE", "/warehouse/main/t-x/data/a.parquet").ok()
        for method, path, params in (("GET", "/other/a", None), ("PUT", "/other/b", None), ("GET", "/other", {"list-type": "2"}),
                                     ("PUT", "/mine", None), ("DELETE", "/warehouse", None), ("PUT", "/warehouse", {"policy": ""}),
                                     ("PUT", "/warehouse/.tarn/names/x.json", None), ("GET", "/warehouse", {"versions": ""})):
            equal(sail.request(method, path, params).code, "AccessDenied", f"{method} {path} {params}")
        check(sail.sts(Action="GetSessionToken").status == 403, "it made a session")
        check(sail.iam("CreateAccessKey").status == 403, "it made a pair")
        reader = pair_of(server, made(server, "sail", "--as", "looker", "--role", "reader"))
        listed = reader.request("GET", "/warehouse", {"list-type": "2", "prefix": "main/"}).ok()
        reader.request("GET", "/warehouse/" + listed.xml.findtext(".//Key")).ok()
        equal(reader.request("PUT", "/warehouse/main/x", body=b"").code, "AccessDenied")
        nobody = pair_of(server, made(server, "sail", "--as", "nobody", "--role", "user"))
        equal(nobody.request("GET", "/warehouse/" + listed.xml.findtext(".//Key")).code, "AccessDenied")
        server.restart()
        sail.address = server.s3
        equal(sail.request("GET", "/other/a").code, "AccessDenied")
        sail.request("GET", "/warehouse", {"list-type": "2"}).ok()
        equal(server.run("key", "drop", sail.access_key, "--yes")[0], 0)
        equal(sail.request("GET", "/warehouse", {"list-type": "2"}).code, "InvalidAccessKeyId")
        equal(server.run("catalog", "create", "second", "s3://second/deep")[0], 0)
        second = pair_of(server, made(server, "sail", "--warehouse", "second"))
        second.request("PUT", "/second/deep/a", body=b"a").ok()
        for path in ("/second/a", "/second/deeper", "/warehouse/a"):
            equal(second.request("PUT", path, body=b"a").code, "AccessDenied", path)


@test
def the_key_is_a_fresh_one_of_the_principal_asked_for():
    with Server() as server:
        text = made(server, "sail", "--role", "reader", "--expires", "2h")
        contains(text, "sail's, until ")
        with Client(server.address, KEY.search(text).group()) as client:
            equal(client.value("SELECT 1"), 1)
            try:
                client.query("CREATE TABLE t (n BIGINT)")
                check(False, "a reader made a table")
            except TarnError as error:
                equal(error.status, 403, str(error))
        keys = server.request("GET", "/api/v1/principals/sail/keys").ok().json["keys"]
        equal([("expires_at" in key) for key in keys], [True], "one key, and it ends")
        id_ = re.search(r"tarn key drop ([0-9a-f]{16})", text).group(1)
        equal(server.run("key", "drop", id_, "--yes")[0], 0)
        with Client(server.address, KEY.search(text).group()) as client:
            equal(client.request("GET", "/api/v1/status").status, 401)
        contains(made(server, "dbt", "--as", "sail"), "Its key is sail's")
        before = len(server.request("GET", "/api/v1/principals").ok().json["principals"])
        equal(made(server, "flink", "--dry-run"), "")
        equal(len(server.request("GET", "/api/v1/principals").ok().json["principals"]), before, "a dry run")


@test
def another_address_of_the_server_is_the_catalogs():
    with Server() as server:
        port = server.address.rpartition(":")[2]
        code, out, err = server.run("connect", "pyiceberg", "--server", f"http://localhost:{port}/")
        equal(code, 0, err)
        contains(out, f'uri: "http://localhost:{port}/iceberg"')


@test
def another_warehouse_is_named():
    with Server() as server:
        code, _, err = server.run("catalog", "create", "second", "s3://second")
        equal(code, 0, err)
        contains(made(server, "flink", "--warehouse", "second"), "'warehouse' = 'second'")
        # clients begin in a namespace that it has
        contains(made(server, "duckdb", "--warehouse", "second"), "DEFAULT_SCHEMA 'main'")
        server.query("CREATE SCHEMA second.wa")
        contains(made(server, "duckdb", "--warehouse", "second"), "DEFAULT_SCHEMA 'wa'")
        contains(made(server, "flink", "--warehouse", "s3://second"), "'default-database' = 'wa'")
        text = made(server, "dbt", "--warehouse", "second")
        contains(text, 'default_schema: "wa"')
        contains(text, '  schema: "wa"')
        server.query("CREATE SCHEMA second.main")
        contains(made(server, "duckdb", "--warehouse", "second"), "DEFAULT_SCHEMA 'main'")
        contains(made(server, "duckdb", "--warehouse", "tarn"), "DEFAULT_SCHEMA 'main'")


@test
def what_cannot_be_connected_is_refused():
    with Server() as server:
        refused(2, 'Did you mean "spark"?', server=server, arguments=["sprak"])
        refused(2, "CLIENT", server=server)
        refused(2, '--expires "soon"', server=server, arguments=["spark", "--expires", "soon"])
        refused(2, "--role", server=server, arguments=["spark", "--role", "king"])
        refused(3, 'principal "nobody" does not exist', server=server, arguments=["spark", "--as", "nobody"])
        refused(3, 'warehouse "nowhere" does not exist', server=server, arguments=["spark", "--warehouse", "nowhere"])
        refused(5, '"root"', server=server, arguments=["spark", "--as", "root", "--role", "reader"])
        key = KEY.search(made(server, "spark", "--role", "reader")).group()
        code, out, err = server.run("connect", "duckdb", env={"TARN_KEY": key})
        equal((code, out), (4, ""), err)
        server.stop()
        refused(7, "no server that other programs could reach", "tarn serve", server=server, arguments=["spark"])
    code, out, err = run_tarn("connect", "spark", "--data", "/nowhere/at/all")
    equal((code, out), (7, ""), err)


if WRITE:
    sys.argv[1:] = ["golden"]
main()

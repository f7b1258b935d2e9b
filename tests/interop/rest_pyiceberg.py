#!/usr/bin/env python3
"""PyIceberg and tarn on the same tables over the REST catalog, with what `tarn connect pyiceberg` printed and nothing more:
what pyiceberg_exchange.py asks of tables in folders, asked of tables in S3, read and written with credentials from the
catalog; and what a reader's key cannot."""
import concurrent.futures
import os
import re
import sys

import pyarrow
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException, ForbiddenError, NoSuchTableError, ValidationException
from pyiceberg.expressions import EqualTo

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import pyiceberg_exchange as exchange  # noqa: E402
from tarn import Server, TarnError, check, equal, fails, main, test  # noqa: E402


def lake():
    if "server" not in exchange.STATE:
        exchange.STATE["server"] = Server()
    return exchange.STATE["server"]


def connect(*options):
    """The catalog as PyIceberg makes it of the file."""
    code, out, err = lake().run("connect", "pyiceberg", *options)
    equal(code, 0, err)
    pairs = dict(re.findall(r'^    ([A-Za-z-][A-Za-z.-]*): "?([^"\n]*)"?$', out, re.MULTILINE))
    return load_catalog("tarn", **pairs)


class Main:
    """Tables that the tests make in "ns" lie in "main", where tarn looks."""

    def create_table(self, name, *arguments, **named):
        return rest().create_table(name.replace("ns.", "main."), *arguments, **named)


def rest():
    if "rest" not in exchange.STATE:
        exchange.STATE["rest"] = connect()
    return exchange.STATE["rest"]


exchange.lake, exchange.catalog = lake, Main
exchange.register = lambda name, table: None
exchange.loaded = lambda name: rest().load_table("main." + name)


@test
def the_file_that_connect_prints_is_read_by_pyiceberg_itself():
    home = os.path.join(lake().work, "home")
    os.mkdir(home)
    code, out, err = lake().run("connect", "pyiceberg")
    equal(code, 0, err)
    with open(os.path.join(home, ".pyiceberg.yaml"), "w", encoding="utf-8") as file:
        file.write(out)
    from pyiceberg.utils.config import Config
    os.environ["PYICEBERG_HOME"] = home
    found = Config().get_catalog_config("tarn")
    equal((found["uri"], found["type"]), (f"http://{lake().address}/iceberg", "rest"))
    check(("main",) in load_catalog("tarn", **found).list_namespaces(), "main is not there")


@test
def a_reader_reads_and_changes_nothing():
    lake().query("CREATE TABLE guarded AS SELECT range AS n FROM range(10)")
    reader = connect("--role", "reader", "--as", "guest")
    table = reader.load_table("main.guarded")
    equal(table.scan().to_arrow().num_rows, 10)
    for change in (lambda: table.append(pyarrow.table({"n": pyarrow.array([1], pyarrow.int64())})),
                   lambda: reader.drop_table("main.guarded"), lambda: reader.create_namespace("mine"),
                   lambda: table.transaction().set_properties(a="b").commit_transaction()):
        try:
            change()
            check(False, "a reader changed something")
        except ForbiddenError:
            pass
        except (OSError, PermissionError) as error:  # the files' own door refused
            check("ACCESS_DENIED" in str(error).upper() or "FORBIDDEN" in str(error).upper() or "403" in str(error), str(error))
    equal(lake().value("SELECT count(*) FROM guarded"), 10)


@test
def several_tables_change_as_one():
    schema = pyarrow.schema([("n", pyarrow.int64())])
    tables = [rest().create_table(f"main.pair{number}", schema) for number in range(2)]
    changes = []
    for table in tables:
        with table.transaction() as transaction:
            transaction.set_properties(touched="yes")
            changes.append({"identifier": {"namespace": ["main"], "name": table.name()[1]},
                            "requirements": [{"type": "assert-table-uuid", "uuid": str(table.metadata.table_uuid)}],
                            "updates": [{"action": "set-properties", "updates": {"together": "yes"}}]})
    path, headers = "/iceberg/v1/tarn/transactions/commit", {"Content-Type": "application/json"}
    equal(lake().request("POST", path, {"table-changes": changes}, headers).status, 204)
    changes[1]["requirements"][0]["uuid"] = "00000000-0000-0000-0000-000000000000"
    changes[0]["updates"][0]["updates"]["together"] = "no"
    equal(lake().request("POST", path, {"table-changes": changes}, headers).status, 409)
    for table in tables:
        equal(rest().load_table("main." + table.name()[1]).properties["together"], "yes")


def add_over_rest(count):
    """Reads the row and writes it with one more, as often as it takes."""
    table = connect().load_table("main.counted")
    for _ in range(count):
        while True:
            n = table.refresh().scan(row_filter=EqualTo("who", "all")).to_arrow().column("n")[0].as_py()
            try:
                table.overwrite(pyarrow.table({"who": ["all"], "n": [n + 1]}), EqualTo("who", "all"))
                break
            except (CommitFailedException, ValidationException):  # it looks itself what came between
                pass


def add_over_sql(count):
    with lake().client() as client:
        while count > 0:
            try:
                client.query("UPDATE counted SET n = n + 1 WHERE who = 'all'")
                count -= 1
            except TarnError as error:
                equal(error.code, "conflict", str(error))


def add_by_load(count):
    with lake().client() as client:
        for _ in range(count):
            client.ingest("counted", [{"who": "load", "n": 1}])


@test
def a_row_that_many_add_to_at_once_has_what_all_added():
    lake().query("CREATE TABLE counted (who VARCHAR, n BIGINT)")
    lake().query("INSERT INTO counted VALUES ('all', 0)")
    rest()
    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        done = [threads.submit(add, count) for add, count in
                ((add_over_rest, 4), (add_over_rest, 4), (add_over_sql, 10), (add_over_sql, 10), (add_by_load, 10))]
        for one in done:
            one.result()
    equal(lake().rows("SELECT who, count(*), sum(n) FROM counted GROUP BY who ORDER BY who"), [["all", 1, 28], ["load", 10, 10]])
    equal(rest().load_table("main.counted").scan(row_filter=EqualTo("who", "all")).to_arrow().to_pylist(),
          [{"who": "all", "n": 28}])


@test
def dropped_by_one_is_gone_for_the_other():
    schema = pyarrow.schema([("n", pyarrow.int64())])
    rest().create_table("main.gone1", schema).append(pyarrow.table({"n": [1]}, schema))
    rest().drop_table("main.gone1")
    fails("table_not_found", lake().query, "SELECT * FROM gone1")
    lake().query("CREATE TABLE gone2 AS SELECT 1 AS n")
    rest().purge_table("main.gone2")
    fails("table_not_found", lake().query, "SELECT * FROM gone2")
    lake().query("CREATE TABLE gone3 AS SELECT 1 AS n")
    rest().rename_table("main.gone3", "main.kept3")
    equal(lake().value("SELECT n FROM kept3"), 1)
    lake().query("DROP TABLE kept3")
    try:
        rest().load_table("main.kept3")
        check(False, "it is still there")
    except NoSuchTableError:
        pass


main()

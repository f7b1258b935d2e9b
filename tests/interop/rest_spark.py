#!/usr/bin/env python3
"""Spark and tarn on the same tables over the REST catalog, with what `tarn connect spark` printed and nothing more: a key
of its own, files in S3, credentials from the catalog. What spark_exchange.py asks of tables in folders, asked of these;
then views, namespaces, writers of both at once."""
import os
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import spark_exchange as exchange  # noqa: E402
import sparks  # noqa: E402
import tarn  # noqa: E402
from spark_exchange import create, of_spark, of_tarn, rows_of, same, tell, theirs  # noqa: E402
from tarn import Server, TarnError, check, contains, equal, main, test  # noqa: E402

# Those that move folders, look into them, or have a catalog made by hand.
OF_FOLDERS = {"files_that_spark_took_in_by_name", "metadata_in_gzip_and_long_histories", "moved_folders",
              "random_histories_of_tarn"}
tarn.TESTS[:] = [one for one in tarn.TESTS if one.__name__ not in OF_FOLDERS]
sparks.CATALOG = "tarn"
exchange.SPACE = "main"


def lake():
    if "server" not in exchange.STATE:
        exchange.STATE["server"] = Server()
    return exchange.STATE["server"]


def configuration():
    """What connect printed, but for the jars, which are here already."""
    code, out, err = lake().run("connect", "spark")
    equal(code, 0, err)
    pairs = [line.split(None, 1) for line in out.splitlines() if line and not line.startswith("#")]
    return {name: value for name, value in pairs if name != "spark.jars.packages"}


def spark():
    if "spark" not in exchange.STATE:
        more = {"spark.sql.catalog.tarn.cache-enabled": "false"}
        exchange.STATE["spark"] = sparks.session(lake().work, {**configuration(), **more})
    return exchange.STATE["spark"]


def loaded(name, kind="", **options):
    reader = spark().read.format("iceberg")
    for option, value in options.items():
        reader = reader.option(option, value)
    return reader.load(theirs(name) + (f".{kind}" if kind else ""))


def register(name, place=None):
    check(place is None, "no folders here")


exchange.lake, exchange.spark, exchange.loaded, exchange.register = lake, spark, loaded, register


@test
def namespaces_are_the_same_for_both():
    tell("CREATE NAMESPACE tarn.one WITH PROPERTIES ('tier'='1')", "CREATE NAMESPACE tarn.one.two",
         "CREATE TABLE tarn.one.two.t (n bigint) USING iceberg", "INSERT INTO tarn.one.two.t VALUES (7)")
    equal(lake().rows('SELECT n FROM "one.two".t'), [[7]])
    lake().query("CREATE SCHEMA made_here")
    lake().query("CREATE TABLE made_here.t AS SELECT 8 AS n")
    equal(of_spark("SELECT n FROM tarn.made_here.t")[1], [[8]])
    listed = [row[0] for row in of_spark("SHOW NAMESPACES IN tarn")[1]]
    check({"one", "made_here", "main"} <= set(listed), str(listed))
    for sql in ("DROP NAMESPACE tarn.one", "DROP NAMESPACE tarn.made_here"):
        try:
            tell(sql)
        except tarn.Failed as error:
            contains(str(error).lower(), "not empty")
        else:
            check(False, f"{sql} went through")
    tell("DROP TABLE tarn.one.two.t", "DROP NAMESPACE tarn.one.two", "DROP NAMESPACE tarn.one")


@test
def views_of_both():
    create("seen", "id bigint, v string")
    tell(f"INSERT INTO {theirs('seen')} VALUES (1, 'a'), (2, 'b'), (3, 'c')",
         f"CREATE VIEW {theirs('few')} (n COMMENT 'number', w) AS SELECT id, upper(v) FROM {theirs('seen')} WHERE id < 3")
    equal(of_spark(f"SELECT * FROM {theirs('few')} ORDER BY n")[1], [[1, "A"], [2, "B"]])
    listed = [row[1] for row in of_spark("SHOW VIEWS IN tarn.main")[1]]
    check("few" in listed, str(listed))
    try:
        lake().query("SELECT * FROM few")
        check(False, "a view of Spark's dialect was run")
    except TarnError as error:
        contains(str(error), "spark")
    lake().query("CREATE VIEW ours AS SELECT id FROM seen WHERE id > 1")
    equal(lake().value("SELECT count(*) FROM ours"), 2)
    listed = [row[1] for row in of_spark("SHOW VIEWS IN tarn.main")[1]]
    check("ours" in listed, str(listed))
    tell(f"CREATE OR REPLACE VIEW {theirs('few')} AS SELECT id FROM {theirs('seen')}",
         f"ALTER VIEW {theirs('few')} RENAME TO tarn.main.fewer", "DROP VIEW tarn.main.fewer")
    lake().query("DROP VIEW ours")


@test
def row_ids_outlive_changes_by_both():
    create("lineage", "id bigint, v string", version=3)
    tell(f"INSERT INTO {theirs('lineage')} SELECT id, 'v' FROM range(5)")
    lake().query("INSERT INTO lineage VALUES (10, 'tarn')")
    before = dict(of_spark(f"SELECT id, _row_id FROM {theirs('lineage')}")[1])
    tell(f"UPDATE {theirs('lineage')} SET v = 'w' WHERE id = 2")
    lake().query("DELETE FROM lineage WHERE id = 0")
    lake().query("UPDATE lineage SET v = 'x' WHERE id = 3")
    after = dict(of_spark(f"SELECT id, _row_id FROM {theirs('lineage')}")[1])
    equal(sorted(after), [1, 2, 3, 4, 10])
    equal(after, {id_: before[id_] for id_ in after}, "each row keeps its own, whoever changes it")
    equal(len(set(after.values())), 5)
    same(of_tarn("SELECT * FROM lineage"), of_spark(f"SELECT * FROM {theirs('lineage')}"), "rows")


@test
def branches_that_one_writes_and_the_other_reads():
    create("forked", "id bigint")
    tell(f"INSERT INTO {theirs('forked')} VALUES (1)", f"ALTER TABLE {theirs('forked')} CREATE BRANCH dev",
         f"INSERT INTO {theirs('forked')}.branch_dev VALUES (2)", f"ALTER TABLE {theirs('forked')} CREATE TAG v1")
    equal(lake().rows("SELECT id FROM forked FOR VERSION AS OF 'dev' ORDER BY id"), [[1], [2]])
    lake().query("INSERT INTO forked VALUES (3)")
    lake().query("ALTER TABLE forked CREATE BRANCH ours")
    equal(sorted(of_spark(f"SELECT id FROM {theirs('forked')}.branch_ours")[1]), [[1], [3]])
    equal(of_spark(f"SELECT id FROM {theirs('forked')} VERSION AS OF 'v1'")[1], [[1]])


@test
def both_write_one_table_at_once():
    create("busy", "n bigint", commit__retry__num_retries="20")
    tell(f"ALTER TABLE {theirs('busy')} SET TBLPROPERTIES ('commit.retry.num-retries'='30', 'commit.retry.min-wait-ms'='10')")
    problems = []

    def of_ours(first):
        try:
            with lake().client() as client:
                for n in range(8):
                    client.query(f"INSERT INTO busy VALUES ({first + n})")
        except Exception as error:  # noqa: BLE001 - told below
            problems.append(error)

    threads = [threading.Thread(target=of_ours, args=(first,)) for first in (1000, 2000)]
    for thread in threads:
        thread.start()
    for n in range(8):
        tell(f"INSERT INTO {theirs('busy')} VALUES ({n})")
    for thread in threads:
        thread.join()
    check(not problems, str(problems))
    wanted = sorted([*range(8), *range(1000, 1008), *range(2000, 2008)])
    equal([row[0] for row in lake().rows("SELECT n FROM busy ORDER BY n")], wanted)
    equal(sorted(row[0] for row in rows_of(loaded("busy"))[1]), wanted)
    # inserts of ours that wait at the same time are one snapshot: two, if at all
    snapshots = lake().value("SELECT count(*) FROM busy.snapshots")
    check(16 <= snapshots <= 24, f"{snapshots} snapshots of 24 inserts")


@test
def dropped_by_one_is_gone_for_the_other():
    create("short", "n bigint")
    lake().query("DROP TABLE short")
    try:
        of_spark(f"SELECT * FROM {theirs('short')}")
        check(False, "it is still there")
    except tarn.Failed as error:
        check(re.search("NOT_FOUND|cannot be found", str(error)), str(error))
    create("short", "n bigint")
    tell(f"INSERT INTO {theirs('short')} VALUES (1)", f"DROP TABLE {theirs('short')} PURGE")
    tarn.fails("table_not_found", lake().query, "SELECT * FROM short")


main()

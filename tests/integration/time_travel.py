#!/usr/bin/env python3
"""Tables as they were: every way to write it, by id, time, branch and tag; the schema of that time; several versions
in one statement; what is refused, and where the error points; tables by their location."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, contains, equal, fails, main, test  # noqa: E402

STATE = {}


def server():
    if not STATE:
        made = Server(start=False)
        made.folder = os.path.realpath(os.path.join(made.work, "lake"))
        os.mkdir(made.folder)
        made.settings = {"warehouse.roots": made.folder}
        STATE["server"] = made.start()
        prepare(made)
    return STATE["server"]


def prepare(made):
    """h: rows 1, 2 | then 3 | then a column renamed, one added, row 4; a tag on the first, a branch on the second."""
    made.rows("CREATE SCHEMA deep")
    made.rows(f"CREATE TABLE h (id BIGINT, name VARCHAR) WITH (location = 'file://{made.folder}/h')")
    ids, times = [], []
    for sql in ("INSERT INTO h VALUES (1, 'one'), (2, 'two')", "INSERT INTO h VALUES (3, 'three')",
                "INSERT INTO h VALUES (4, 'four', 0.5)"):
        if len(ids) == 2:
            made.rows("ALTER TABLE h RENAME COLUMN name TO label")
            made.rows("ALTER TABLE h ADD COLUMN score DOUBLE")
        made.rows(sql)
        ids.append(int(made.query("SELECT id FROM h")["snapshot_id"]))
        time.sleep(0.01)  # times in milliseconds tell the snapshots apart
        times.append(made.value("SELECT epoch_ms(now())::BIGINT"))
        time.sleep(0.01)
    made.rows(f"ALTER TABLE h CREATE TAG first AS OF VERSION {ids[0]}")
    made.rows(f"ALTER TABLE h CREATE BRANCH work AS OF VERSION {ids[1]}")
    STATE["ids"], STATE["times"] = ids, times


def stamp(number):
    return server().value(f"SELECT strftime(make_timestamp({STATE['times'][number]} * 1000), '%Y-%m-%d %H:%M:%S.%g')")


def columns(sql):
    return [column["name"] for column in server().query(sql)["columns"]]


@test
def every_form_reads_the_same():
    server()
    ids = STATE["ids"]
    for form in ("AT (VERSION => {id})", "at(version=>{id})", "FOR VERSION AS OF {id}", "VERSION AS OF {id}",
                 "FOR SYSTEM_VERSION AS OF {id}", "version as of '{id}'", "AT (VERSION => 'first')",
                 "VERSION AS OF 'first'", "AT (TIMESTAMP => TIMESTAMP '{time}')", "FOR TIMESTAMP AS OF '{time}'",
                 "TIMESTAMP AS OF '{time}'", "FOR SYSTEM_TIME AS OF TIMESTAMP '{time}'",
                 "FOR SYSTEM_TIME AS OF '{time}'::TIMESTAMPTZ", "TIMESTAMP AS OF CAST('{time}' AS TIMESTAMP)",
                 "TIMESTAMP AS OF ('{time}'::TIMESTAMP + INTERVAL 1 MICROSECOND)",
                 "TIMESTAMP AS OF '{time}'::TIMESTAMP + INTERVAL '1' MILLISECOND - INTERVAL '1 millisecond'",
                 "/* then */ AT -- comment\n (VERSION => {id})"):
        clause = form.format(id=ids[0], time=stamp(0))
        for text in (f"h {clause}", f"main.h {clause}", f"h {clause} AS x", f"h {clause} x", f"h AS x {clause}",
                     f"h x {clause}", f"tarn.main.h AS x (a, b) {clause}"):
            equal(server().rows(f"SELECT * FROM {text} ORDER BY 1"), [[1, "one"], [2, "two"]], text)
        equal(server().rows(f"SELECT count(*), max(x.id) FROM h AS x {clause} WHERE x.id > 1"), [[1, 2]], clause)


@test
def the_schema_is_that_of_the_time():
    server()
    equal(columns("FROM h"), ["id", "label", "score"])
    equal(columns(f"FROM h VERSION AS OF {STATE['ids'][1]}"), ["id", "name"])
    equal(columns("FROM h AT (VERSION => 'first')"), ["id", "name"], "a tag")
    equal(columns(f"FROM h TIMESTAMP AS OF '{stamp(1)}'"), ["id", "name"], "a time")
    equal(columns("FROM h AT (VERSION => 'work')"), ["id", "label", "score"], "a branch has the table's")
    equal(server().rows("SELECT label FROM h AT (VERSION => 'work') WHERE id = 3"), [["three"]])
    equal(server().rows(f"SELECT name FROM h VERSION AS OF {STATE['ids'][1]} WHERE name = 'three'"), [["three"]])
    fails("unknown_column", server().rows, f"SELECT label FROM h VERSION AS OF {STATE['ids'][1]}")


@test
def branches_and_tags_are_names_too():
    server()
    equal(server().value("SELECT count(*) FROM h.branch_work"), 3)
    equal(server().value("SELECT count(*) FROM main.h.tag_first"), 2)
    equal(server().value("SELECT count(*) FROM tarn.main.h.branch_main"), 4)
    equal(columns("FROM h.tag_first"), ["id", "name"])
    contains(fails("snapshot_not_found", server().rows, "FROM h.tag_work").message, 'no tag "work"')
    contains(fails("snapshot_not_found", server().rows, "FROM h.branch_wrok").hint, 'Did you mean "work"?')
    fails("namespace_not_found", server().rows, "FROM nothing.branch_work")


@test
def branches_and_tags_have_metadata_tables():
    server()
    for form, files in (("h.tag_first", 1), ("main.h.branch_work", 2), ("tarn.main.h.branch_main", 3)):
        equal(server().value(f"SELECT count(*) FROM {form}.files"), files, form)
        equal(server().value(f"SELECT sum(f.record_count) FROM {form}.data_files AS f"), files + 1, form)
    equal(server().value("SELECT count(*) FROM h.files JOIN h.branch_work.files AS w USING (file_path)"), 2)
    contains(fails("snapshot_not_found", server().rows, "FROM h.tag_frist.files").hint, 'Did you mean "first"?')
    contains(fails("not_supported", server().rows, "FROM h.tag_first.snapshots").message, "every version")
    contains(fails("invalid", server().rows, "FROM h.tag_first.files VERSION AS OF 'work'").message, "exclude")


@test
def a_mistyped_metadata_table_is_told_the_nearest():
    server()
    for sql, words in (("FROM h.snapshot", 'Did you mean "snapshots"?'), ("FROM main.h.file", 'Did you mean "files"?'),
                       ("FROM tarn.main.h.manifest", 'Did you mean "manifests"?'), ("FROM h.tag_first.fils", '"files"?'),
                       ("FROM h.zzzzzzzzzzzzz", "There are snapshots, history")):
        error = fails("table_not_found", server().rows, sql)
        contains(error.message, 'table "main.h" has no metadata table "')
        contains(error.hint, words)
    fails("namespace_not_found", server().rows, "FROM nothing.snapshot")


@test
def one_statement_reads_several_versions():
    server()
    ids = STATE["ids"]
    equal(server().rows(f"""SELECT n.id, n.label FROM h n ANTI JOIN h VERSION AS OF {ids[1]} o ON n.id = o.id"""),
          [[4, "four"]])
    equal(server().rows(f"""SELECT (SELECT count(*) FROM h AT (VERSION => {ids[0]})),
        (SELECT count(*) FROM h AT (VERSION => {ids[1]})), (SELECT count(*) FROM h),
        (SELECT count(*) FROM main.h AT (VERSION => {ids[0]}) WHERE name = 'one')"""), [[2, 3, 4, 1]])
    equal(server().rows(f"WITH old AS (FROM h FOR VERSION AS OF {ids[0]}) SELECT count(*) FROM old, h.branch_work"),
          [[6]])
    server().rows(f"CREATE TABLE back AS SELECT * FROM h AT (VERSION => {ids[0]})")
    server().rows(f"INSERT INTO back SELECT id, label FROM h.branch_work WHERE id = 3")
    equal(server().value("SELECT sum(id) FROM back"), 6)
    # The words are names elsewhere.
    equal(server().rows("SELECT 1 AS version, 2 AS at, 3 AS timestamp"), [[1, 2, 3]])
    equal(columns("SELECT version AS of FROM (SELECT 1 AS version)"), ["of"])


@test
def parameters_and_expressions_count():
    server()
    ids = STATE["ids"]
    equal(server().value("SELECT count(*) FROM h AT (VERSION => $1) WHERE id > $2", params=[ids[1], 1]), 2)
    equal(server().value("SELECT count(*) FROM h VERSION AS OF $ref", params={"ref": "first"}), 2)
    equal(server().value("SELECT count(*) FROM h TIMESTAMP AS OF ?", params=[stamp(1)]), 3)
    equal(server().value("SELECT count(*) FROM h TIMESTAMP AS OF now()"), 4)
    equal(server().value("SELECT count(*) FROM h TIMESTAMP AS OF current_timestamp"), 4)
    equal(server().value("SELECT count(*) FROM h TIMESTAMP AS OF now() + INTERVAL 1 DAY x WHERE x.id > 0"), 4)
    equal(server().value("SELECT count(*) FROM h TIMESTAMP AS OF 4102444800"), 4, "seconds")
    equal(server().value(f"SELECT count(*) FROM h AT (TIMESTAMP => epoch_ms({STATE['times'][0]}))"), 2)


@test
def the_request_may_name_the_version():
    server()
    ids = STATE["ids"]
    for at in (str(ids[0]), "first", stamp(0), stamp(0).replace(" ", "T") + "Z"):
        equal(server().value("SELECT count(*) FROM h", at=at), 2, at)
    equal(server().rows("SELECT (SELECT count(*) FROM h), (SELECT count(*) FROM h AT (VERSION => 'work'))", at="first"),
          [[2, 3]])
    fails("snapshot_not_found", server().query, "SELECT * FROM h", at="nothing")
    code, out, _ = server().run("sql", "-c", "SELECT count(*) FROM h", "--at", "first", "-o", "csv")
    equal((code, out.split()[-1]), (0, "2"))


@test
def what_is_wrong_is_said():
    server()
    for sql, code, word, words in (
            ("SELECT * FROM h AT (VERSION => 5)", "snapshot_not_found", "5", "no snapshot 5"),
            ("SELECT * FROM h AT (VERSION => 'frist')", "snapshot_not_found", "'frist'", 'Did you mean "first"?'),
            ("SELECT * FROM h AT (VERSION => 'zzzzzzzzzzz')", "snapshot_not_found", "'zzz", '"work"'),
            ("SELECT * FROM h TIMESTAMP AS OF '2001-01-01'", "snapshot_not_found", "'2001", "history begins at"),
            ("SELECT * FROM h TIMESTAMP AS OF 'yesterday'", "invalid", "'yesterday", "is no time"),
            ("SELECT * FROM h AT (TIMESTAMP => NULL)", "invalid", "NULL", "is NULL"),
            ("SELECT * FROM h AT (VERSION => (SELECT max(id) FROM h))", "invalid", "(SELECT", "cannot be a query"),
            ("SELECT * FROM h AT (VERSION => getenv('HOME'))", "denied", "getenv", "not allowed"),
            ("SELECT * FROM h AT (VERSION => )", "syntax_error", ")", "syntax error"),
            ("SELECT * FROM h FOR VERSION AS OF WHERE id = 1", "syntax_error", "WHERE", "syntax error"),
            ("WITH c AS (FROM h) SELECT * FROM c AT (VERSION => 'first')", "syntax_error", "AT", "belongs to no table"),
            ("SELECT id AT (VERSION => 1) FROM h", "syntax_error", "AT", "belongs to no table"),
            ("SELECT * FROM (FROM h) AT (VERSION => 1)", "syntax_error", "AT", "belongs to no table"),
            ("SELECT * FROM h AT (VERSION => 'first') AT (VERSION => 2)", "syntax_error", "AT (VERSION => 2", "no table"),
            ("SELECT 1 version AS OF 1", "syntax_error", None, ""),
            ("SELECT * FROM h.tag_first AT (VERSION => 1)", "invalid", None, "exclude each other")):
        error = fails(code, server().rows, sql)
        contains(f"{error.message} {error.hint}", words, sql)
        if word is not None:
            equal(error.position, sql.index(word), sql)


@test
def a_table_by_its_location():
    server()
    location = f"file://{server().folder}/h"
    equal(server().value(f"SELECT count(*) FROM tarn.iceberg_scan('{location}')"), 4)
    equal(server().value(f"SELECT count(*) FROM iceberg_scan('{location}') x WHERE x.id > 2"), 2)
    equal(server().value(f"SELECT count(*) FROM iceberg_scan('{location}', snapshot_from_id => {STATE['ids'][0]})"), 2)
    equal(server().value(f"SELECT count(*) FROM iceberg_scan('{location}', snapshot_from_timestamp => "
                         f"TIMESTAMP '{stamp(1)}')"), 3)
    equal(server().rows(f"SELECT max(iceberg_scan.id), count(*) FROM h JOIN iceberg_scan($1) USING (id)",
                        params=[location]), [[4, 4]])
    metadata = server().request("GET", "/api/v1/namespaces/main/tables/h").ok().json["metadata_location"]
    equal(server().value(f"SELECT count(*) FROM iceberg_scan('{metadata}')"), 4)
    fails("denied", server().rows, "FROM iceberg_scan('/etc')")
    fails("not_found", server().rows, f"FROM iceberg_scan('{server().folder}/none')")
    fails("invalid", server().rows, f"FROM iceberg_scan('{location}', versio => 1)")
    fails("not_found", server().rows, f"FROM iceberg_scan('{location}', version => '77')")
    key = server().make_principal("travel_reader", "reader")
    fails("denied", server().query, f"FROM iceberg_scan('{location}')", key=key)
    equal(server().value("SELECT count(*) FROM h AT (VERSION => 'first')", key=key), 2)


@test
def explain_names_the_snapshot():
    server()
    lines = server().rows(f"EXPLAIN SELECT * FROM h AT (VERSION => {STATE['ids'][0]}) WHERE id = 1")
    contains(lines[-1][1], str(STATE["ids"][0]))


main()

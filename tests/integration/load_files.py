#!/usr/bin/env python3
"""Files as people have them, into tables: odd CSV, several files of one load, types that show late, and what is
refused, with which words."""
# timeout: 120
import gzip
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import check, contains, equal, main, shared, test  # noqa: E402

FOLDER = tempfile.TemporaryDirectory(prefix="tarn-load-")
SAMPLE = 20480  # rows that types are first taken from


def write(name, content):
    path = os.path.join(FOLDER.name, name)
    with open(path, "wb") as out:
        out.write(content if isinstance(content, bytes) else content.encode())
    return path


def late(first, last):
    """One column whose type shows in the last row alone, far behind the sample."""
    return "id,v\n" + "".join(f"{i},{first}\n" for i in range(SAMPLE + 5000)) + f"-1,{last}\n"


def load(table, *arguments):
    return shared().run("load", table, *arguments)


def loaded(table, *arguments):
    """Types of the columns, and the rows, of a table made by this load."""
    code, _, words = load(table, *arguments)
    equal(code, 0, words)
    types = [row[1] for row in shared().rows(f"DESCRIBE {table}")]
    rows = shared().rows(f"FROM {table} ORDER BY ALL LIMIT 10")
    shared().query(f"DROP TABLE {table}")
    return types, rows


def refused(code, words, table, *arguments):
    got, _, text = load(table, *arguments)
    equal(got, code, text)
    for word in words:
        contains(text, word)
    check(table not in shared().run("table", "ls")[1], "a refused load leaves no table")


@test
def dialects_are_found():
    both = [[1, "a"], [2, "b"]]
    cases = {"comma.csv": "id,name\n1,a\n2,b\n", "semicolon.csv": "id;name\n1;a\n2;b\n", "bar.csv": "id|name\n1|a\n2|b",
             "crlf.csv": "id,name\r\n1,a\r\n2,b\r\n", "bom.csv": "\ufeffid,name\n1,a\n2,b\n",
             "blank.csv": "id,name\n1,a\n\n2,b\n\n", "tab.tsv": "id\tname\n1\ta\n2\tb\n",
             "quoted.csv": '"id","name"\n1,"a"\n2,"b"\n', "packed.csv.gz": gzip.compress(b"id,name\n1,a\n2,b\n")}
    for name, content in cases.items():
        equal(loaded("dialect", write(name, content)), (["BIGINT", "VARCHAR"], both), name)


@test
def quoted_values_keep_what_is_in_them():
    content = 'id,v\n1,"a ""b"""\n2,"c\nd"\n3,"e, f"\n4,""\n5,\n'
    equal(loaded("quotes", write("quotes.csv", content))[1],
          [[1, 'a "b"'], [2, "c\nd"], [3, "e, f"], [4, ""], [5, None]])


@test
def types_show_behind_the_sample():
    cases = [("1", "1.5", "DOUBLE", 1.5), ("1", "x", "VARCHAR", "x"),
             ("2024-01-01", "2024-01-01 10:00:00", "TIMESTAMP", "2024-01-01T10:00:00"),
             ("2024-01-01 10:00:00", "2024-01-01 10:00:00+02:00", "TIMESTAMP WITH TIME ZONE", "2024-01-01T08:00:00Z"),
             ("12", "12345678901234567890", "DECIMAL(38,0)", "12345678901234567890"), ("", "7", "BIGINT", 7)]
    for first, last, kind, value in cases:
        types, rows = loaded("late", write("late.csv", late(first, last)))
        equal((types[1], rows[0]), (kind, [-1, value]), f"{first} … {last}")


@test
def digits_of_long_numbers_stay():
    content = "a,b,c\n9223372036854775807,9223372036854775808," + "9" * 40 + "\n1,2,3\n"
    types, rows = loaded("digits", write("digits.csv", content))
    equal(types, ["BIGINT", "DECIMAL(38,0)", "VARCHAR"])
    equal(rows[1], ["9223372036854775807", "9223372036854775808", "9" * 40])


@test
def types_hold_the_values_of_all_files():
    whole, fraction = write("whole.csv", "v,w\n1,\n"), write("fraction.csv", "V,w\n1.5,x\n")
    equal(loaded("files", whole, fraction), (["DOUBLE", "VARCHAR"], [[1.0, None], [1.5, "x"]]))
    empty, number = write("empty_column.csv", "v,w\n1,\n"), write("number.csv", "v,w\n2,7\n")
    equal(loaded("files", empty, number), (["BIGINT", "BIGINT"], [[1, None], [2, 7]]))


@test
def files_with_other_columns_are_refused():
    first = write("first.csv", "id,name\n1,a\n")
    for name, content in (("turned.csv", "name,id\nb,2\n"), ("other.csv", "id,title\n2,b\n"),
                          ("more.csv", "id,name,c\n2,b,c\n"), ("less.csv", "id\n2\n"), ("semi.csv", "id;name\n2;b\n")):
        refused(1, [name, "line 1:", "hint:"], "refused_files", first,
                write(name, content))


@test
def declared_types_go_to_the_columns_of_their_names():
    path = write("declared.csv", "id,name\n1,a\n")
    equal(loaded("declared", path, "--columns", "name:varchar,id:double"), (["DOUBLE", "VARCHAR"], [[1.0, "a"]]))
    equal(loaded("declared", path, "--columns", "id:varchar"), (["VARCHAR", "VARCHAR"], [["1", "a"]]))
    refused(1, ['no column "nam"', 'Did you mean "name"?'], "declared", path, "--columns", "nam:varchar")


@test
def declared_types_may_be_nested():
    files = [write("nested.ndjson", '{"a":{"x":1},"l":[1,2],"m":{"k":1}}\n'),
             write("nested.csv", 'a,l,m\n"{""x"": 1}","[1, 2]",{k=1}\n'),
             write("nested.tsv", "a\tl\tm\n{'x': 1}\t[1, 2]\t{k=1}\n")]
    columns = "a:struct(x int),l:INT[],m:map(varchar, int)"
    for path in files:
        equal(loaded("nested", path, "--columns", columns),
              (['STRUCT("x" INTEGER)', "INTEGER[]", "MAP(VARCHAR, INTEGER)"],
               [[{"x": 1}, [1, 2], [{"key": "k", "value": 1}]]]), path)
        refused(2, ['"A"', "twice"], "nested", path, "--columns", "a:bigint,A:bigint")
        refused(1, ['"nope"', "no type"], "nested", path, "--columns", "a:nope")
        refused(1, ["no type"], "nested", path, "--columns", "a:int); DROP TABLE x; --")
    path = write("not_nested.csv", 'a\n"{""x"": 1}"\noops\n')
    refused(1, ["line 3", "oops", "STRUCT(x INTEGER)"], "nested", path, "--columns", "a:struct(x int)")


@test
def tsv_comes_back_as_it_went():
    server = shared()
    texts = ["plain", "", None, "tab\there", "two\nlines\r\n", "back\\slash", "\\t is no tab", "\\\\", "\\", '"quoted"', '"', '""',
             'in "the" middle', " spaces ", "\\n\n\\\n"]
    server.query("CREATE TABLE tsv_out (n BIGINT, s VARCHAR, l VARCHAR[])")
    for n, text in enumerate(texts):
        server.query("INSERT INTO tsv_out SELECT $1, $2, [$2]", params=[n, text])
    for command in (("sql", "-c", 'SELECT n, s, s AS "a\tb\\c" FROM tsv_out ORDER BY n', "-o", "tsv"),):
        code, out, words = server.run(*command)
        equal(code, 0, words)
        path = write("back.tsv", out)
        equal(server.run("load", "tsv_in", path)[0], 0)
        equal(server.rows("SELECT s, \"a\tb\\c\" FROM tsv_in ORDER BY n"), [[text, text] for text in texts])
        server.query("DROP TABLE tsv_in")
    body = server.request("POST", "/api/v1/query", {"sql": "SELECT n, s FROM tsv_out ORDER BY n", "format": "tsv"}).ok().body
    equal(server.run("load", "tsv_in", write("back.tsv", body))[0], 0)
    equal(server.rows("SELECT s FROM tsv_in ORDER BY n"), [[text] for text in texts])


@test
def parquet_files_one_after_another_are_each_read_anew():
    for value, kind, shown in (("1::BIGINT", "BIGINT", 1), ("1.5::DOUBLE", "DOUBLE", 1.5),
                               ("TIME '01:02:03'", "TIME", "01:02:03"), ("2::BIGINT", "BIGINT", 2),
                               ("TIMESTAMP '2024-01-01'", "TIMESTAMP", "2024-01-01T00:00:00")):
        answer = shared().request("POST", "/api/v1/query",
                                  {"sql": f"SELECT {value} AS v", "format": "parquet"}).ok()
        equal(loaded("parquet", write("value.parquet", answer.body)), ([kind], [[shown]]))


@test
def nanoseconds_come_in_where_microseconds_hold_them():
    for value, works in (("2024-01-01 00:00:00.000001", True), ("2024-01-01 00:00:00.000000001", False)):
        answer = shared().request("POST", "/api/v1/query", {"sql": f"SELECT TIMESTAMP_NS '{value}' AS v",
                                                            "format": "parquet"}).ok()
        path = write("nanoseconds.parquet", answer.body)
        if works:
            equal(loaded("nanoseconds", path), (["TIMESTAMP"], [["2024-01-01T00:00:00.000001"]]))
        else:
            refused(1, ['column "v"', "microseconds", "TIMESTAMP_NS"], "nanoseconds", path)


@test
def what_cannot_be_loaded_is_refused_by_name():
    cases = [("empty.csv", b"", 1, ["is empty"]), ("latin1.csv", "id,n\n1,M\u00fcller\n".encode("latin1"), 1,
                                                   ["line 2", "not UTF-8", "iconv"]),
             ("utf16.csv", "id,n\n1,a\n".encode("utf-16"), 1, ["line 1", "not UTF-8"]),
             ("many.csv", "id,n\n1,a\n2,b,c,d\n", 1, ["line 3", "more than 2 columns", "2,b,c,d"]),
             ("few.csv", "id,n\n1,a\n2\n", 1, ["line 3", "1 column found"]),
             ("open.csv", 'id,n\n1,"a\n', 1, ["line 2", "quote is not closed"]),
             ("noname.csv", "id,\n1,a\n", 1, ["column 2 has no name", "index=False"]),
             ("twice.csv", "id,ID\n1,a\n", 1, ['"ID" occurs twice']),
             ("text.parquet", "no Parquet at all", 8, ["is not a Parquet file"]),
             ("cut.parquet", "PAR1abc", 8, ["cut.parquet\" is cut short", "7 bytes"]),
             ("bad.json", '{"id":1,\n{"id":2}', 1, ["malformed JSON", "bad.json"])]
    for name, content, code, words in cases:
        refused(code, words + ["tarn: "], "refused_input", write(name, content))
    refused(3, ["could not open"], "refused_input", os.path.join(FOLDER.name, "missing.csv"))
    long = load("refused_input", write("long.csv", "id,n\n1," + "x" * 5_000_000 + "\n"))[2]
    contains(long, "longer than 2 MiB")
    check(len(long) < 1000, "a long line is shown in part")


@test
def a_value_that_the_tables_type_would_change_is_refused():
    shared().query("CREATE TABLE given (id BIGINT, d DATE, n INTEGER)")
    cases = [("1.5,2024-01-01,1", ['column "id"', '"1.5" is no BIGINT']),
             ("1,2024-01-01,2.25", ['column "n"', '"2.25" is no INTEGER']),
             ("1,2024-01-01 10:00:00,1", ['column "d"', "is no DATE"]),
             ("foo,2024-01-01,1", ["line 2", 'column "id"', '"foo" is no BIGINT'])]
    for row, words in cases:
        code, _, text = load("given", write("given.csv", f"id,d,n\n{row}\n"))
        equal(code, 1, text)
        for word in words:
            contains(text, word)
    for row, word in (('{"id": 2.5}', '"2.5" is no BIGINT'), ('{"id": true}', '"true" is no BIGINT'), ('{"id": {"a": 1}}', "a"),
                      ('{"id": 1e30}', "1e30")):
        code, _, text = load("given", write("given.json", f'{{"id": 1}}\n{row}\n'))
        equal(code, 1, text)
        contains(text, 'column "id"')
        contains(text, word)
    equal(load("given", write("whole.csv", "id,d,n\n1.0, 2024-01-01 ,2.00\n"))[0], 0)
    equal(load("given", write("whole.json", '{"id": 7.0, "n": "3"}\n{"id": 9007199254740993, "d": "2024-01-01"}\n'))[0], 0)
    equal(shared().rows("FROM given ORDER BY id"), [[1, "2024-01-01", 2], [7, None, 3], ["9007199254740993", "2024-01-01", None]])
    shared().query("DROP TABLE given")


main()

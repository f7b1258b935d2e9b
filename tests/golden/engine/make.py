"""Asks DuckDB (the Python package, version 1.5.6) for its verdict, and writes it beside this file.

    python3 make.py            needs: pip install duckdb==1.5.6

statements.jsonl   scripts of STATEMENTS and of scripts.py, with the kinds of statements that DuckDB's parser finds in each, or its error
trees.jsonl        json_serialize_sql of the texts in TREES
explained.jsonl    EXPLAIN (FORMAT JSON) of the queries in EXPLAINED, and the parse tree of the filters in it
*.parquet          files with and without field ids
plans.jsonl        json_serialize_plan of the queries in PLANS over a scan of a zero-row file, as the engine asks for it
"""
import json
import os
import re
import tempfile

import duckdb

from scripts import SCRIPTS

HERE = os.path.dirname(os.path.abspath(__file__))

STATEMENTS = [
    "select 1", "select 1;", ";;select 1;;", "select 1; select 2", "", " ", ";", "-- nothing\n", "/* nothing */",
    "select ';'", "select 'it''s; fine'", "select \"a;b\" from t", "select \"a\"\"b;\" from t",
    "select $$a;b$$", "select $tag$a;$$;b$tag$", "select $tag$ $ta$ $tag$; select 2", "select $1", "select $name, ?, ?2",
    "select e'a\\';b'; select 2", "select E'\\\\'; select 2", "select x'00ff'", "select 'a' 'b'", "select 'a'\n'b'",
    "select 1 -- ; not here\n; select 2", "select 1 /* ; */; select 2", "select /* a /* nested; */ b; */ 1; select 2",
    "select 1 --", "select 1 -- end", "select 1 /* a */ /* b */", "select 1/2;select 3", "select 1--2\n+3",
    "select 'unterminated", "select \"unterminated", "select $$unterminated", "select /* unterminated", "select \"\"",
    "select 1_000, 0xff, 0b101, 1e5, 1.5e-3, .5, 5.", "select 1..2", "select [1:2]", "select {'a': 1, 'b': [1, 2]}",
    "select a::int, b::varchar[] from t", "select x -> 'a' ->> 'b'", "select a.b.c from a.b.c", "select a . b from t",
    "select \u00e9t\u00e9 from \u00fcber", "select 'gr\u00fc\u00df; gott'", "select\u00a01", "select '\U0001f600'; select \"\U0001f600\"",
    "from t", "from t select a", "from t where a > 1 order by all limit 5", "table t", "values (1), (2)", "values (';')",
    "with a as (select 1) select * from a", "with recursive r as (select 1 union all select * from r) select * from r",
    "with a as materialized (select 1; select 2", "(select 1) union (select 2)", "((select 1))",
    "explain select 1", "explain analyze select 1", "describe t", "describe select 1", "show tables", "show all tables",
    "summarize t", "summarize select 1", "pivot t on a in ('x', 'y') using sum(b)", "unpivot t on a, b into name k value v",
    "insert into t values (1, 'a;b')", "insert into t (a, b) select 1, 2", "insert into t by name select 1 as a",
    "insert into t default values", "insert into a.b select * from c; select 1",
    "create table t (a int, b varchar)", "create table t as select 1", "create table if not exists s.t (a decimal(10, 2) not null)",
    "create schema s", "create schema if not exists s", "drop schema s cascade", "drop table t", "drop table if exists a.b",
    "use s", "begin", "commit", "rollback", "update t set a = 1", "delete from t where a = ';'", "truncate t",
    "update t as x set a = case when b then c end, b = d is not distinct from e from s, u where x.a = s.a",
    "update t set (a, b) = (1, default)", "update t set a = x.end from x", "update a.b set c = (select max(d) from e where f = g)",
    "update t set a = $$from$$ where b = 'when'", "update t set \"set\" = \"from\" where \"where\"",
    "delete from t using s, u where t.a = s.a", "delete from t x using (select 1 as a) s where x.a = s.a",
    "merge into t as x using (select 1 as a) as s on x.a = s.a when matched and s.a > 1 then update set a = s.a when matched then "
    "do nothing when not matched then insert (a) values (s.a) when not matched by source then delete",
    "merge into t using s using (a) when matched then update set * when not matched by target then insert *",
    "merge into t using s using (a) when matched then update by name when not matched then insert by name",
    "merge into t using (values (1, 2)) as s(a, b) on t.a = s.a when not matched then insert values (s.a, default)",
    "merge into t using s on case when t.a then s.b end when matched then update set a = case when s.a then 1 end",
    "merge into t using s on true when not matched then insert default values",
    "insert into t values (1) on conflict (a) do update set b = excluded.b + t.b where excluded.c",
    "insert into t select * from s on conflict do nothing", "insert or replace into t values (1)",
    "insert or ignore into t by name select 1 as a", "insert into t as x values (1) on conflict (a, b) do update set (c, d) = (1, 2)",
    "merge into t using s on t.a = s.a when matched then delete", "alter table t add column b int", "create view v as select 1",
    "copy t to 'x.parquet'", "attach 'x' as y", "detach y", "set threads = 1", "reset threads", "pragma version",
    "install x", "load x", "call f(1)", "checkpoint", "vacuum", "prepare p as select $1", "execute p(1)", "deallocate p",
    "export database 'x'", "import database 'x'", "comment on table t is 'x'", "create index i on t (a)",
    "create macro m(a) as a + 1", "create sequence s", "create type e as enum ('a;b')", "create or replace table t (a int)",
    "select case when a then ';' else \"b;\" end from t; select 2", "select * from t where a like '%;%'",
    "select a, -- one\n b -- two; three\n from t", "select '--'; select '/*'; select '*/'", "select \"--\" from t; select 2",
    "select $a$--$a$; select 2", "select 1;\n\n  select 2  ;\n-- done\n", "\ufeffselect 1", "select 1;;;select 2",
    "select a[1], b['x'], c[1:2] from t", "select lambda from t", "select list_transform([1], lambda x: x + 1)",
    "select [x + 1 for x in [1, 2] if x > 1]", "select try_cast('a' as int)", "select interval '1' day, date '2020-01-01'",
    "select count(*) filter (where a > 1) over (partition by b order by c rows between 1 preceding and current row) from t",
    "select * exclude (a) replace (b + 1 as b) from t", "select columns('a.*') from t", "select distinct on (a) a, b from t",
    "select a from t qualify row_number() over () = 1", "select * from t asof join u using (a, b)", "select * from t tablesample 10%",
    "select unnest([1, 2]), generate_series(1, 3)", "select a from t group by cube (a, b) having count(*) > 1",
    "select 1 as \"select\", 2 as \"from\"", "select t.\"group\" from \"order\" t", "select 1 <> 2, 1 != 2, 1 <= 2, a || b, a @> b",
    "selec 1", "select", "select from", "select * from", "select (1", "select 1)", "insert into", "create table t",
]

TREES = {
    "plain": "select a, sum(b) from t where c > 1 group by a",
    "scope": "with x as (select * from t), y as (select * from x) select * from y join u on true",
    "shadow": "with t as (select * from t) select * from t",
    "inner": "select * from (with a as (select 1) select * from a) q, a",
    "recursive": "with recursive r as (select 1 as n from r union all select n + 1 from r, s where n < 5) select * from r",
    "recursive_with": "with recursive r as (with h as (select * from t) select * from h union all select n + 1 from r, h where n < 5) select * from r, h",
    "case": "with Orders as (select 1) select * from ORDERS, other",
    "later": "with a as (select * from b), b as (select 1) select * from a, b",
    "subquery": "select (select max(x) from u), exists (select 1 from v) from t where a in (select b from w)",
    "lateral": "from t, lateral (select * from u where u.a = t.a)",
    "names": "select w.n.t.a from w.n.t, n.u, \"we\"\"ird\".\"na me\"",
    "pivot": "from t pivot (sum(a) for b in ('x', 'y'))",
    "describe": "describe s.t",
    "summarize": "summarize t",
    "travel": "from t at (version => 3)",
    "file": "from 'data.parquet'",
    "read": "select * from read_csv('/etc/passwd')",
    "deep": "select a from t order by (select 1 limit getenv('HOME'))",
    "window": "select enable_logging(a) over () from t",
    "lambda": "select list_transform(l, lambda x: getvariable('a')) from t",
    "filter": "select sum(a) filter (where current_setting('x') = 'y') from t",
    "having": "select 1 group by all having glob('x')",
    "setop": "select 1 union all select * from query('select 1')",
    "cast": "select (select read_text('x'))::varchar",
    "qualified": "select system.main.getenv('x')",
    "chained": "select ('x').getenv()",
    "values": "values (getenv('x'))",
    "join": "select 1 from t join u on t.a = nextval('s')",
    "sample": "select * from t using sample 10",
    "argument": "select * from range(getenv('x'))",
    "unknown": "select uper('a')",
    "table_unknown": "from nothing_like_it(1)",
    "histogram": "select histogram(a) from t",
    "histogram_table": "from histogram(t, a)",
    "show": "from (show tables)",
    "limit": "select 1 limit (select 1 from read_blob('x'))",
    "syntax": "select * from t where",
    "two": "select 1; select 2",
    "create": "create table t (a int)",
}

COLUMNS = [("id", "BIGINT"), ("name", "VARCHAR"), ("ts", "TIMESTAMP"), ("tz", "TIMESTAMP WITH TIME ZONE"), ("day", "DATE"),
           ("amount", "DECIMAL(10,2)"), ("wide", "DECIMAL(38,3)"), ("rate", "DOUBLE"), ("flag", "BOOLEAN"), ("u", "UUID"),
           ("bin", "BLOB"), ("s", "STRUCT(x INTEGER, y VARCHAR)")]

PLANS = {
    "none": "select * from t",
    "equal": "select * from t where id = 5",
    "flipped": "select * from t where 5 < id",
    "and": "select * from t where id > 5 and name = 'x'",
    "between": "select * from t where id between 3 and 7",
    "or_one_column": "select * from t where id = 1 or id > 10",
    "or_two_columns": "select name from t where id = 1 or name = 'x'",
    "in": "select * from t where name in ('a', 'b')",
    "in_or_null": "select * from t where id in (1, 2, 5) or id is null",
    "not_null": "select * from t where id is not null and name <> 'x'",
    "like": "select * from t where name like 'abc%'",
    "prefix": "select * from t where starts_with(name, 'abc')",
    "suffix": "select * from t where name like '%abc'",
    "timestamp": "select * from t where ts >= timestamp '2020-01-01'",
    "timestamptz": "select * from t where tz < timestamptz '2020-01-01 00:00:00+00'",
    "cast_to_date": "select * from t where ts::date = date '2020-01-01'",
    "truncated": "select * from t where date_trunc('month', ts) = timestamp '2020-01-01'",
    "date": "select * from t where day > date '2020-01-01'",
    "date_as_timestamp": "select * from t where day >= timestamptz '2020-01-01 12:00:00+00'",
    "decimal": "select * from t where amount > 1.5",
    "wide_decimal": "select * from t where wide = 12345678901234567890.123",
    "double": "select * from t where rate > 1.5e0",
    "nan": "select * from t where rate = 'nan'",
    "bool": "select * from t where flag",
    "not_bool": "select * from t where not flag",
    "uuid": "select * from t where u = '9b74c989-7f2e-4c3a-8f00-0123456789ab'",
    "struct": "select * from t where s.x > 5 and s.y = 'q'",
    "arithmetic": "select * from t where id + 1 > 5",
    "year": "select * from t where year(ts) = 2020",
    "join": "select count(*) from t a join t b using (id) where a.id > 5 and b.name = 'x'",
    "union": "select id from t where id > 5 union all select id from t where id < 2",
    "one_unfiltered": "select (select count(*) from t) from t where id = 5",
    "empty": "select * from t where id = 1 and id = 2",
    "half_empty": "select * from t where id = 5 union all select * from t where id = 1 and id = 2",
    "limit": "select * from t where id > 5 limit 3",
    "top": "select * from t where id > 5 order by name limit 3",
    "sample": "select * from (select * from t using sample 10) where id > 5",
    "window": "select * from (select id, row_number() over () r from t) where id > 5",
    "cte": "with c as materialized (select * from t where id > 5) select * from c a join c b using (id)",
    "outer": "select * from t a left join t b on a.id = b.id and b.name = 'x' where a.id > 5",
    "distinct_from": "select * from t where name is distinct from 'x'",
    "error": "select nothing from t",
}


EXPLAINED = ["and", "or_one_column", "in_or_null", "not_null", "timestamp", "decimal", "uuid", "struct", "date", "bool",
             "none", "join", "quote"]
PLANS["quote"] = "select * from t where name = 'it''s > 5 OR id=1'"


def write(name, rows):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def statements(con):
    for sql in STATEMENTS + SCRIPTS:
        try:
            found = [str(s.type).split(".")[-1] for s in con.extract_statements(sql)]
            yield {"sql": sql, "kinds": found}
        except duckdb.Error as error:
            yield {"sql": sql, "error": str(error).split("\n")[0]}


def trees(con):
    for name, sql in TREES.items():
        text = con.execute(
            "SELECT json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)", [sql]).fetchone()[0]
        yield {"name": name, "sql": sql, "tree": text}


def plans(con, folder):
    stub = os.path.join(folder, "stub.parquet")
    con.execute(f"COPY (SELECT 1 AS x LIMIT 0) TO '{stub}' (FORMAT parquet)")
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET disabled_optimizers = 'late_materialization,column_lifetime,top_n'")
    columns = ", ".join(f"{i + 1}: {{name: '{n}', type: '{t}', default_value: NULL}}" for i, (n, t) in enumerate(COLUMNS))
    names = ", ".join(n for n, _ in COLUMNS)
    con.execute(f"CREATE VIEW t AS SELECT {names} FROM read_parquet(['{stub}'], schema = MAP {{{columns}}}, explicit_cardinality = 1000)")
    for name, sql in PLANS.items():
        text = con.execute("SELECT json_serialize_plan(?, skip_null := true, skip_empty := false, skip_default := true, "
                           "optimize := true)", [sql]).fetchone()[0]
        yield {"name": name, "sql": sql, "plan": text.replace(stub, "stub")}


def explained(con):
    """What EXPLAIN prints, the SELECT of its filters, and the parse tree of that; the view of plans() is still there."""
    for name in EXPLAINED:
        text = con.execute("EXPLAIN (FORMAT JSON) " + PLANS[name]).fetchone()[1]
        filters = re.findall(r'"Filters": (\[.*?\]|"(?:[^"\\\\]|\\\\.)*")', text, re.S)
        found = json.loads(filters[0]) if filters else []
        found = found if isinstance(found, list) else [found]
        sql = "SELECT " + " AND ".join("(" + f.removeprefix("optional: ") + ")" for f in found)
        tree = con.execute("SELECT json_serialize_sql(?, skip_null := true, skip_empty := true, skip_default := true)",
                           [sql]).fetchone()[0] if found else ""
        yield {"name": name, "explain": text, "sql": sql if found else "", "tree": tree}


def files(con):
    """Files of the kinds that a table may have: with field ids, and without. For test_shape.c."""
    row = ("SELECT 1::INTEGER AS id, 'a' AS name, {'x': 1, 'y': 'b'} AS s, [1, NULL, 3] AS l, MAP {'k': 1} AS m, "
           "'c'::BLOB AS b UNION ALL SELECT 2, NULL, NULL, NULL, NULL, NULL")
    ids = ("{id: 1, name: 2, s: {__duckdb_field_id: 3, x: 4, y: 5}, l: {__duckdb_field_id: 6, element: 7}, "
           "m: {__duckdb_field_id: 8, key: 9, value: 10}, b: 11}")
    for name, option in (("with_ids", f", FIELD_IDS {ids}"), ("without_ids", "")):
        path = os.path.join(HERE, name + ".parquet")
        con.execute(f"COPY ({row}) TO '{path}' (FORMAT parquet, WRITE_BLOOM_FILTER false{option})")
    # The expressions that test_shape.c expects are DuckDB's own SQL: they must run.
    path = os.path.join(HERE, "with_ids.parquet")
    rows = con.execute(f"""SELECT CAST("id" AS BIGINT), decode("b"),
        CASE WHEN "s" IS NULL THEN NULL ELSE struct_pack("why" := struct_extract("s", 'y'), "z" := CAST(NULL AS DATE)) END,
        list_transform("l", lambda tarn_e1: CAST(tarn_e1 AS BIGINT)),
        map_from_entries(list_transform(map_entries("m"), lambda tarn_e1: struct_pack("key" := tarn_e1.key,
            "value" := CAST(tarn_e1.value AS BIGINT))))
        FROM read_parquet('{path}')""").fetchall()
    assert rows == [(1, "c", {"why": "b", "z": None}, [1, None, 3], {"k": 1}), (2, None, None, None, None)], rows


def main():
    con = duckdb.connect()
    assert duckdb.__version__ == "1.5.6", duckdb.__version__
    write("statements.jsonl", statements(con))
    write("trees.jsonl", trees(con))
    files(con)
    with tempfile.TemporaryDirectory() as folder:
        write("plans.jsonl", plans(con, folder))
        write("explained.jsonl", explained(con))


main()

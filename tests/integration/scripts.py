#!/usr/bin/env python3
"""Random scripts over random schemas, nested types among them, on tarn and on DuckDB's own tables: what they change,
return, count, read, see of versions, views and open transactions, and take back is the same. Script n of a run is
script n of every run: TARN_TEST_SEED=n begins with it. TARN_LONG=1 runs 5 000, and tells of all that differ."""
# timeout: 600
# labels: slow
import copy
import os
import random
import re
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import randomtables  # noqa: E402
from oracle import Duck, DuckError  # noqa: E402
from randomchanges import Changes  # noqa: E402
from randomqueries import Queries, as_texts  # noqa: E402
from tarn import LONG, SANITIZED, Failed, Server, TarnError, check, equal, main, test  # noqa: E402

SCRIPTS = int(os.environ.get("TARN_TEST_SCRIPTS") or (5000 if LONG else 6 if SANITIZED else 25))
ABLE = randomtables.COLUMNS + randomtables.DEEP
# What the order in which an engine evaluates decides: whether a value that does not fit is ever looked at.
OF_VALUES = ("bad_data", "out_of_range", "invalid")
WIDER = {"INTEGER": "BIGINT", "FLOAT": "DOUBLE", "DECIMAL(9,2)": "DECIMAL(12,2)", "DECIMAL(18,4)": "DECIMAL(20,4)"}


def first_difference(got, wanted):
    return next(((a, b) for a, b in zip(got + [None], wanted + [None]) if a != b), None)


def transform_of(field, source):
    """A partition field as DuckDB can say it, of the row called `source`; None where it cannot."""
    if field.startswith("bucket("):
        return None
    found = re.fullmatch(r'(year|month|day|hour)\((.*)\)', field)
    if found:
        return f"date_trunc('{found[1]}', {source}.{found[2]})"
    found = re.fullmatch(r'truncate\((.*), (\d+)\)', field)
    if not found:
        return f"{source}.{field}"
    return None


def bare(literal):
    """A literal without its type: what PARTITION (…) takes."""
    return re.sub(r"^(?:DATE|TIME) (?=')|^\((.*)\)(?=::)|::[A-Z0-9(),]+$", lambda found: found[1] or "", literal)


class Script:
    def __init__(self, number, server, client, duck, tally):
        self.number, self.random = number, random.Random(number)
        self.server, self.client, self.duck, self.tally = server, client, duck, tally
        self.session = client.request("POST", "/api/v1/sessions").ok().json["session"]
        self.log, self.open, self.versions, self.views = [], False, [], []
        self.keyed, self.tables = self.random.random() < 0.5, []

    def begin(self):
        number = self.number
        self.both(f"CREATE SCHEMA r{number}")
        self.both(f"USE r{number}")
        self.tables = [self.make_table(f"t{n}") for n in range(self.random.choice((1, 2, 2, 3)))]

    # ---- both sides ----

    def tarn(self, sql):
        return self.client.query(sql, session=self.session)

    def both(self, sql, own=None):
        """A statement that cannot fail on one side alone."""
        self.log.append(sql)
        self.duck.run(own or sql)
        return self.tarn(sql)

    def make_table(self, name):
        table = randomtables.Table(self.random, name, ABLE)
        key = "id BIGINT PRIMARY KEY" if self.keyed else "id BIGINT NOT NULL"
        self.both(table.create(properties=f" WITH ('format-version' = '{self.random.choice((2, 3))}')"),
                  table.create(spec=False).replace("id BIGINT NOT NULL", key))
        self.log.append(f"ALTER TABLE {name} SET IDENTIFIER FIELDS id")
        self.tarn(self.log[-1])
        for sql in table.inserts():
            self.both(sql)
        table.changes, table.evolved = Changes(self.random, table), False
        return table

    def relations(self):
        return ([(t.name, t) for t in self.tables] * 2 + [(name, table) for name, table, _ in self.views]
                + [(name, table) for name, table, *_ in self.versions])

    def placed(self, sql, mine):
        """The query with what is read filled in."""
        for name, _, theirs in self.versions + self.views:
            sql = sql.replace(f"@{name}@", theirs if mine else name)
        return re.sub("@(t\\d+)@", "\\1", sql)

    # ---- steps ----

    def compare_rows(self, sql, own, what):
        got, wanted = self.tarn(sql)["rows"], self.duck.rows(own)
        self.tally["rows"] += len(wanted)
        difference = first_difference(sorted(got, key=str), sorted(wanted, key=str))
        equal(difference, None, f"{what}: {sql}\n    ")

    def compare_tables(self):
        for table in self.tables:
            sql = as_texts(f"SELECT * FROM {table.name}")
            self.compare_rows(sql, sql, "contents")

    def rolled_back(self):
        self.log.append("ROLLBACK")
        self.duck.run("ROLLBACK")
        if self.open:
            self.tarn("ROLLBACK")
        self.open = False
        self.compare_tables()

    def failed_here(self, sql, error):
        check(error.code in OF_VALUES, f"{sql}\n    {error}")
        self.tally["mine"] += 1
        self.rolled_back()

    def change(self):
        table = self.random.choice(self.tables)
        make = self.random.choice((table.changes.any, table.changes.any, self.delete_of(table), self.insert_of(table)))
        sql = make()
        if sql.startswith("INSERT OR") or " ON CONFLICT " in sql:
            if not self.keyed:
                sql = table.changes.merge()
        # DuckDB 1.5 returns zeros for columns that an UPDATE of NOT MATCHED BY SOURCE does not set.
        returns = self.random.random() < 0.3 and "BY SOURCE" not in sql and not sql.startswith("TRUNCATE")
        self.run_change(table, table.changes.returning(sql) if returns else sql, None, returns)

    def run_change(self, table, sql, own, returns):
        own = own or [table.changes.of_duck(sql)]
        self.log.append(sql)
        if not self.open:
            self.duck.run("BEGIN")
        try:
            for text in own[:-1]:
                self.duck.run(text)
            expected = self.duck.rows(own[-1])
        except DuckError as error:  # a value that a row does not take, or an index that DuckDB finds violated too early
            check(not re.match("(Parser|Binder|Catalog|Internal)", str(error)), f"{sql}\n    DuckDB: {error}")
            self.log.append(f"-- fails in DuckDB: {str(error)[:100]}")
            self.tally["theirs"] += 1
            self.rolled_back()
            return
        try:
            answer = self.tarn(sql)
        except TarnError as error:
            self.failed_here(sql, error)
            return
        if not self.open:
            self.duck.run("COMMIT")
        self.tally["changes"] += 1
        table.evolved = table.evolved and (self.open or answer["changed_rows"] == 0)
        self.tally["changed rows"] += answer["changed_rows"]
        if returns:
            got = [[None if cell is None else str(cell) for cell in row] for row in answer["rows"]]
            equal(first_difference(sorted(got, key=str), sorted(expected, key=str)), None, f"returned by {sql}\n    ")
            equal(answer["changed_rows"], len(expected), f"count of {sql}")
        elif not sql.startswith("TRUNCATE"):
            equal(str(answer["changed_rows"]), expected[0][0], f"count of {sql}")
        contents = as_texts(f"SELECT * FROM {table.name}")
        self.compare_rows(contents, contents, f"after {sql}")

    def delete_of(self, table):
        def make():
            if self.random.random() < 0.1:
                return f"TRUNCATE {table.name}"
            other = self.random.choice(self.tables)
            where = self.random.choice((
                randomtables.predicate(table, self.random, "t."), f"t.id % 3 = {self.random.randint(0, 2)}",
                f"t.id IN (SELECT o.id FROM {other.name} AS o WHERE {randomtables.predicate(other, self.random, 'o.')})",
                f"EXISTS (SELECT 1 FROM {other.name} AS o WHERE o.id = t.id + 1)"))
            return f"DELETE FROM {table.name} AS t WHERE {where}"
        return make

    def insert_of(self, table):
        def make():
            names = ["id"] + [c.sql for c in table.columns]
            kind = self.random.random()
            if kind < 0.4:
                rows = []
                for _ in range(self.random.choice((1, 5, 20))):
                    rows.append("(" + ", ".join([str(table.next_id)] + [
                        "NULL" if self.random.random() < 0.2 else self.random.choice(table.pools[c.name])
                        for c in table.columns]) + ")")
                    table.next_id += 1
                return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join(rows)}"
            at, table.next_id = table.next_id, table.next_id * 2 + 10
            if kind < 0.7 or table.next_id > 10**6:
                few = self.random.sample(names[1:], self.random.randint(1, len(names) - 1))
                return (f"INSERT INTO {table.name} (id, {', '.join(few)}) SELECT id + {at}, {', '.join(few)} FROM {table.name}"
                        f" WHERE id < {at} AND id % 4 = {self.random.randint(0, 3)}")
            return f"INSERT INTO {table.name} BY NAME SELECT id + {at} AS id, {names[-1]} FROM {table.name} WHERE id % 5 = 1 AND id < {at}"
        return make

    def overwrite(self):
        table = self.random.choice(self.tables)
        names = ["id"] + [c.sql for c in table.columns]
        at, table.next_id = table.next_id, table.next_id + 30
        rows = []
        for number in range(self.random.choice((0, 1, 8, 20))):
            rows.append([str(at + number)] + ["NULL" if self.random.random() < 0.2 else self.random.choice(table.pools[c.name])
                                              for c in table.columns])
        plain = [name for name in table.spec if name in names]
        fixed = {}
        if plain and len(plain) == len(table.spec) and self.random.random() < 0.5:
            for name in self.random.sample(plain, self.random.randint(1, len(plain))):
                column = next(c for c in table.columns if c.sql == name)
                fixed[name] = bare(self.random.choice(table.pools[column.name] + ["NULL"]))
        for row in rows:
            for name, value in fixed.items():
                row[names.index(name)] = value
        types = ["BIGINT"] + [c.type for c in table.columns]
        sources = []
        for wanted in (names, [name for name in names if name not in fixed]):
            items = ", ".join(f"CAST(v.c{names.index(name)} AS {types[names.index(name)]}) AS {name}" for name in wanted)
            values = ", ".join("(" + ", ".join(row) + ")" for row in rows or [["NULL"] * len(names)])
            sources.append(f"SELECT {items} FROM (VALUES {values}) AS v({', '.join(f'c{n}' for n in range(len(names)))})"
                           f" WHERE {'true' if rows else 'false'}")
        if fixed:  # each has a value: all partitions that have these go
            goes = " AND ".join(f"w.{name} IS NOT DISTINCT FROM CAST({value} AS {types[names.index(name)]})"
                                for name, value in fixed.items())
        elif not table.spec:
            goes = "true"
        else:
            fields = [(transform_of(field, "w"), transform_of(field, "n")) for field in table.spec]
            if any(None in pair for pair in fields):
                return
            goes = ("EXISTS (SELECT 1 FROM incoming AS n WHERE "
                    + " AND ".join(f"{a} IS NOT DISTINCT FROM {b}" for a, b in fields) + ")")
        clause = f" PARTITION ({', '.join(f'{name} = {value}' for name, value in fixed.items())})" if fixed else ""
        own = [f"CREATE OR REPLACE TEMP TABLE incoming AS {sources[0]}", f"DELETE FROM {table.name} AS w WHERE {goes}",
               f"INSERT INTO {table.name} SELECT * FROM incoming"]
        returning = " RETURNING " + ", ".join(f"CAST({name} AS VARCHAR)" for name in names) if self.random.random() < 0.3 else ""
        own[-1] += returning
        self.tally["overwrites"] += 1
        self.run_change(table, f"INSERT OVERWRITE {table.name}{clause} {sources[1]}{returning}", own, bool(returning))

    def query(self):
        text = Queries(self.random, self.relations()).any()
        mine, own = as_texts(self.placed(text, True)), as_texts(self.placed(text, False))
        prepared = self.random.random() < 0.1
        self.log.append(mine)
        try:
            wanted = self.duck.rows(own)
        except DuckError as error:
            if re.match("(Parser|Binder|Catalog|Internal)", str(error)):
                raise Failed(f"DuckDB refuses {own}\n    {error}") from None
            wanted = None
            self.log.append(f"-- fails in DuckDB: {str(error)[:100]}")
            if self.open:
                self.rolled_back()
                return
        try:
            if prepared:
                self.tarn(f"PREPARE q{self.number} AS SELECT * FROM ({mine}) WHERE $1 > 0")
                got = self.tarn(f"EXECUTE q{self.number}(1)")["rows"]
                self.tarn(f"DEALLOCATE q{self.number}")
            else:
                got = self.tarn(mine)["rows"]
        except TarnError as error:
            check(error.code in OF_VALUES, f"{mine}\n    {error}")
            self.tally["mine" if wanted is not None else "theirs"] += 1
            if self.open:
                self.rolled_back()
            return
        if wanted is None:
            self.tally["theirs"] += 1
            return
        self.tally["queries"] += 1
        self.tally["rows"] += len(wanted)
        equal(first_difference(sorted(got, key=str), sorted(wanted, key=str)), None, f"{mine}\n    ")

    def transaction(self):
        if not self.open:
            self.both("BEGIN")
            self.open = True
        elif self.random.random() < 0.6:
            self.both("COMMIT")
            self.open = False
            self.tally["commits"] += 1
            self.compare_tables()
        else:
            self.tally["rollbacks"] += 1
            self.rolled_back()

    def tag(self):
        """A version that is kept, and DuckDB's copy of it."""
        table, name = self.random.choice(self.tables), f"v{len(self.versions)}_"
        if self.open or table.evolved:  # a version has the columns of its time
            return
        self.log.append(f"ALTER TABLE {table.name} CREATE TAG {name}")
        self.tarn(self.log[-1])
        self.duck.run(f"CREATE TABLE {name} AS SELECT * FROM {table.name}")
        number = self.tarn(f"SELECT snapshot_id FROM {table.name}.refs WHERE name = '{name}'")["rows"][0][0]
        frozen = copy.copy(table)
        frozen.columns = list(table.columns)
        theirs = self.random.choice((f"{table.name} AT (VERSION => {number})", f"{table.name} FOR VERSION AS OF '{name}'",
                                     f"{table.name} VERSION AS OF {number}"))
        self.versions.append((name, frozen, theirs))

    def view(self):
        if self.open:
            return
        name = f"w{len(self.views)}_"
        source, table = self.random.choice([(t.name, t) for t in self.tables] + [(n, t) for n, t, _ in self.views])
        self.both(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {source} WHERE {randomtables.predicate(table, self.random)}")
        self.views.append((name, table, name))

    def alter(self):
        if self.open:
            return
        for name, *_ in reversed(self.views):
            self.both(f"DROP VIEW {name}")
        self.views = []
        table = self.random.choice(self.tables)
        spec = " ".join(table.spec)
        free = [c for c in table.columns if c.sql not in spec and c.sql.strip('"') not in spec]
        absent = [c for c in ABLE if c.name not in table.pools]
        kind = self.random.choice(("add", "drop", "rename", "widen"))
        if kind == "add" and absent:
            column = self.random.choice(absent)
            self.evolve(table, f"ADD COLUMN {column.sql} {column.type}")
            table.columns = table.columns + [column]
            table.pools[column.name] = [column.make(self.random) for _ in range(8)]
        elif kind == "drop" and len(free) > 3:
            column = self.random.choice(free)
            if self.evolve(table, f"DROP COLUMN {column.sql}"):
                table.columns = [c for c in table.columns if c is not column]
        elif kind == "rename" and free:
            column = self.random.choice(free)
            new = copy.copy(column)
            new.name = f"r{len(self.log)}"
            if self.evolve(table, f"RENAME COLUMN {column.sql} TO {new.sql}"):
                table.columns = [new if c is column else c for c in table.columns]
                table.pools[new.name] = table.pools[column.name]
        elif kind == "widen":
            able = [c for c in free if c.type in WIDER]
            if able:
                column = self.random.choice(able)
                new = copy.copy(column)
                new.type = WIDER[column.type]
                if self.evolve(table, f"ALTER COLUMN {column.sql} TYPE {new.type}"):
                    table.columns = [new if c is column else c for c in table.columns]
        table.changes.names = ["id"] + [c.sql for c in table.columns]
        table.changes.members = any(c.name == "s" for c in table.columns)

    def evolve(self, table, action):
        sql = f"ALTER TABLE {table.name} {action}"
        self.log.append(sql)
        try:
            self.duck.run(sql)
        except DuckError as error:  # its indexes forbid more than needed
            self.log.append(f"-- fails in DuckDB: {str(error)[:100]}")
            return False
        self.tarn(sql)
        table.evolved = True
        self.tally["alters"] += 1
        self.compare_tables()
        return True

    def copied(self):
        """CREATE [OR REPLACE] TABLE AS, of a query over whatever there is."""
        if self.open:
            return
        text = Queries(self.random, self.relations()).common()
        sql = f"CREATE OR REPLACE TABLE made AS SELECT id, before, even FROM ({text})"
        try:
            self.duck.run(self.placed(sql, False))
        except DuckError:
            return
        self.log.append(self.placed(sql, True))
        self.tarn(self.log[-1])
        contents = as_texts("SELECT * FROM made")
        self.compare_rows(contents, contents, "contents")

    def run(self):
        steps = ([self.change] * 8 + [self.query] * 10 + [self.overwrite] * 2 + [self.transaction] * 3
                 + [self.tag, self.view, self.alter, self.copied])
        for _ in range(self.random.randint(6, 14)):
            self.random.choice(steps)()
        if self.open:
            self.both("COMMIT")
            self.open = False
        self.compare_tables()
        # What was committed is what everybody sees.
        for table in self.tables:
            got = self.client.rows(f"SELECT count(*), sum(id)::VARCHAR FROM r{self.number}.{table.name}")
            wanted = self.duck.rows(f"SELECT count(*), sum(id) FROM {table.name}")
            equal([[str(got[0][0]), got[0][1]]], wanted, "to others")

    def end(self):
        for name, sql in (("duck", "ROLLBACK"), ("duck", "USE memory.main"), ("duck", f"DROP SCHEMA IF EXISTS r{self.number} CASCADE")):
            try:
                self.duck.run(sql)
            except DuckError:
                pass
        self.client.request("DELETE", "/api/v1/sessions/" + self.session)
        self.client.query(f"DROP SCHEMA IF EXISTS r{self.number} CASCADE")


def run_script(number, server, client, duck, tally):
    script = Script(number, server, client, duck, tally)
    try:
        script.begin()
        script.run()
        return None
    except Exception as error:  # what differs may fail in any way
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = "\n    ".join(script.log)
        return f"script {number} ({os.path.basename(where.filename)}:{where.lineno}): {error}\n  after\n    {told[-6000:]}"
    finally:
        script.end()


@test
def random_scripts_do_what_duckdb_does():
    first = int(os.environ.get("TARN_TEST_SEED") or (random.randrange(10**6) * 10**4 if LONG else 1))
    print(f"seed: {first}", flush=True)
    tally = dict.fromkeys(("changes", "changed rows", "queries", "rows", "overwrites", "commits", "rollbacks", "alters", "theirs",
                           "mine"), 0)
    wrong, server, client, duck = [], None, None, None
    for number in range(first, first + SCRIPTS):
        if (number - first) % 200 == 0:
            if server:
                client.close()
                server.close()
                print(f"{number - first} scripts, {len(wrong)} differ: {tally}", flush=True)
            server, duck = Server(), Duck()
            client = server.client()
        told = run_script(number, server, client, duck, tally)
        if told:
            wrong.append(told)
            print(told, flush=True)
            check(len(wrong) < 50, "50 scripts differ")
    client.close()
    server.close()
    print(f"{SCRIPTS} scripts: {tally}")
    check(not wrong, f"{len(wrong)} of {SCRIPTS} scripts differ: {[text.split(' (')[0] for text in wrong]}")
    check(SCRIPTS < 20 or tally["changes"] > SCRIPTS and tally["queries"] > SCRIPTS, "too little was tried")
    check(tally["mine"] <= 2 + tally["changes"] / 20, "too many failed here alone")


main()

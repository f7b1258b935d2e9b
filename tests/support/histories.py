"""Random histories of tables, in tarn and in a model: what a table was, is and says of itself after every change.

A History makes a table with a random schema, partition spec, order and properties, and changes it step by step. The
model is DuckDB (oracle.py) with one native table for each state, and a tree of fields with ids: a state is read with
other columns than its own by a projection that pairs ids, at any depth. A History knows nothing of servers: it is
given a client for each step, so that servers can come and go between them."""
import copy
import os
import random
import tempfile

import randomtables
from oracle import DuckError
from randomtables import Column, TIMES
from tarn import Failed, TarnError, name_literal, text_literal

SCALARS = {c.name: c for c in randomtables.COLUMNS if c.ordered}
SCALARS["ns"] = Column("ns", "TIMESTAMP_NS", randomtables.of_time("TIMESTAMP_NS"), TIMES)
NESTED = Column("nested", "", None, ordered=False, whole=False)
NAMES = ["k", "Größe", "order", "select", "with space", "MiXed", "dot.ted", 'quo"te', "日付", "n1", "n2", "n3", "e", "value",
         "key", "element", "_under", "0digit", "file", "pos", "plain", "col", "date", "partition", "it's"]


class Difference(Failed):
    """Table and model are not the same."""


class Field:
    """A column, or what lies in one. `type` is SQL, or struct, list, map for one with children."""

    def __init__(self, number, name, kind, children=(), pool=()):
        self.id, self.name, self.kind, self.children, self.pool = number, name, kind, list(children), list(pool)
        self.type = SCALARS[kind].type if kind in SCALARS else kind
        self.required, self.initial, self.default = False, None, None

    @property
    def sql(self):
        return name_literal(self.name)

    @property
    def text(self):
        """The type as SQL."""
        if self.type == "struct":
            return "STRUCT(" + ", ".join(f"{f.sql} {f.text}" for f in self.children) + ")"
        if self.type == "list":
            return self.children[0].text + "[]"
        if self.type == "map":
            return f"MAP({self.children[0].text}, {self.children[1].text})"
        return self.type

    def literal(self, r, null=0.12):
        """A value as SQL."""
        if r.random() < null:
            return "NULL"
        if self.type == "struct":
            return "{" + ", ".join(f"{text_literal(f.name)}: {f.literal(r)}" for f in self.children) + f"}}::{self.text}"
        if self.type == "list":
            return f"[{', '.join(self.children[0].literal(r) for _ in range(r.choice((0, 1, 3))))}]::{self.text}"
        if self.type == "map":
            keys = sorted({self.children[0].literal(r, 0) for _ in range(r.choice((0, 1, 3)))})
            return "MAP {" + ", ".join(f"{k}: {self.children[1].literal(r)}" for k in keys) + f"}}::{self.text}"
        return r.choice(self.pool) if self.pool and r.random() < 0.9 else SCALARS[self.kind].make(r)


def same_shape(one, two):
    return one.type == two.type and len(one.children) == len(two.children) and all(
        a.id == b.id and a.name == b.name and same_shape(a, b) for a, b in zip(one.children, two.children))


def read_as(value, old, new, depth=0):
    """The expression that makes a value of the field as it was one of the field as it is."""
    if same_shape(old, new):
        return value
    if not new.children:
        return f"CAST({value} AS {new.type})"
    if new.type == "struct":
        before = {f.id: f for f in old.children}
        members = [f"{f.sql} := " + (f"CAST(NULL AS {f.text})" if f.id not in before else read_as(
            f"struct_extract({value}, {text_literal(before[f.id].name)})", before[f.id], f, depth))
            for f in new.children]
        inner = f"struct_pack({', '.join(members)})"
    elif new.type == "list":
        inner = f"list_transform({value}, lambda v{depth}: {read_as(f'v{depth}', old.children[0], new.children[0], depth + 1)})"
    else:
        key, item = (read_as(f"v{depth}.{part}", old.children[n], new.children[n], depth + 1)
                     for n, part in enumerate(("key", "value")))
        inner = (f"map_from_entries(list_transform(map_entries({value}), lambda v{depth}: "
                 f"struct_pack(key := {key}, value := {item})))")
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE {inner} END"


def projection(old, new):
    """Select list that reads rows of the one schema with the other."""
    before = {f.id: f for f in old}
    return ", ".join(
        f"CAST({read_as(before[f.id].sql, before[f.id], f) if f.id in before else f.initial or 'NULL'} AS {f.text})"
        f" AS {f.sql}" for f in new)


def walk(fields, path="", siblings=None):
    """(field, its siblings, path as SQL) of everything that has a name or a type of its own, at any depth."""
    for field in fields:
        yield field, fields if siblings is None else siblings, path + field.sql
        yield from walk_below(field, path + field.sql + ".")


def walk_below(field, path):
    if field.type == "struct":
        yield from walk(field.children, path)
    elif field.type == "list":
        yield field.children[0], None, path + "element"
        yield from walk_below(field.children[0], path + "element.")
    elif field.type == "map":
        yield field.children[1], None, path + "value"
        yield from walk_below(field.children[1], path + "value.")


class Leaf(Column):
    """A column, or a member of a struct, as queries and conditions name it."""

    def __init__(self, field, path):
        base = SCALARS.get(field.kind, NESTED)
        super().__init__(path, field.text, base.make or field.literal, (), base.ordered, base.whole, base.kind)

    @property
    def sql(self):
        return self.name


class View:
    """What randomtables asks of a table."""

    def __init__(self, name, fields, row_count):
        self.name, self.row_count, self.columns, self.pools = name, row_count, [], {}
        for field, siblings, path in walk([f for f in fields if f.name != "id"]):
            if siblings is not None and ".element." not in path and ".value." not in path:
                self.columns.append(Leaf(field, path))
                self.pools[path] = field.pool or ["NULL"]


class State:
    """Rows under a schema: a table of the model, and with a snapshot id what a snapshot of the table has to be."""

    def __init__(self, table, fields, spec, mixed=False):
        self.table, self.fields, self.spec, self.mixed = table, copy.deepcopy(fields), list(spec), mixed
        self.snapshot = self.parent = None


class History:
    """One table and its model. Everything random comes from the seed and the number. `without`: kinds of columns."""

    def __init__(self, seed, number, duck, location=None, versions=(2, 3), without=()):
        self.random, self.duck, self.name = random.Random(f"{seed}/{number}"), duck, f"h{number}"
        self.log, self.states, self.entries, self.refs = [], {}, [], {}
        self.count = {"steps": 0, "queries": 0, "refused": 0, "skipped": 0}
        self.reasons, self.serial, self.next_id, self.current = [], 0, 1, None
        self.version, self.without = self.random.choice(versions), without
        self.upgrades = 3 in versions
        self.fields = self.first_fields()
        self.spec, self.ever_exact, self.location = [], set(), location
        self.sorted_by = set()

    # ---- what it is made of ----

    def number(self):
        self.serial += 1
        return self.serial

    def a_name(self, siblings):
        taken = {f.name.lower() for f in siblings} | {"id"}
        names = [n for n in NAMES if n.lower() not in taken]
        return self.random.choice(names)

    def a_kind(self):
        return self.random.choice([k for k in SCALARS if k not in self.without and (k != "ns" or self.version == 3)])

    def a_field(self, siblings, depth=0):
        r = self.random
        name, kind = self.a_name(siblings), self.a_kind()
        nested = r.choice(("struct", "struct", "list", "map")) if depth < 3 and r.random() < 0.22 else None
        if nested is None:
            return self.leaf(name, kind)
        children = []
        if nested == "struct":
            for _ in range(r.randint(1, 3)):
                children.append(self.a_field(children, depth + 1))
        elif nested == "list":
            children = [self.a_field([], depth + 1)]
        else:
            children = [self.leaf("key", r.choice(("text", "small", "day"))), self.a_field([], depth + 1)]
        return Field(self.number(), name, nested, children)

    def leaf(self, name, kind):
        pool = [SCALARS[kind].make(self.random) for _ in range(self.random.choice((3, 8, 20)))]
        return Field(self.number(), name, kind, pool=pool)

    def first_fields(self):
        fields = [Field(self.number(), "id", "l")]
        for _ in range(self.random.randint(2, 9)):
            fields.append(self.a_field(fields))
            if not fields[-1].children and self.random.random() < 0.15:
                fields[-1].required = True
        fields[0].required = True
        return fields

    def a_transform(self):
        """(field id, transform with {} for the column) of a column that can have one, or None."""
        able = [(f, t) for f in self.fields if f.kind in SCALARS for t in SCALARS[f.kind].transforms]
        if not able:
            return None
        field, transform = self.random.choice(able)
        return field.id, "{}" if transform == "identity" else transform

    def of_id(self, number):
        return next(f for f in self.fields if f.id == number)

    def transform_sql(self, part):
        return part[1].format(self.of_id(part[0]).sql)

    def a_setting(self):
        r = self.random
        column = r.choice(self.fields).name
        return r.choice((
            ("write.target-file-size-bytes", r.choice(("4000", "30000"))),
            ("write.metadata.metrics.default", r.choice(("none", "counts", "truncate(1)", "truncate(16)", "full"))),
            (f"write.metadata.metrics.column.{column}", r.choice(("none", "counts", "truncate(2)", "full"))),
            ("write.parquet.row-group-limit", r.choice(("2048", "4096"))),
            (f"write.parquet.bloom-filter-enabled.column.{column}", "true"),
            ("write.distribution-mode", r.choice(("none", "hash", "range"))),
            ("write.parquet.compression-codec", r.choice(("zstd", "snappy", "gzip", "uncompressed"))),
            ("commit.manifest.min-count-to-merge", r.choice(("2", "3", "100"))),
            ("commit.manifest-merge.enabled", r.choice(("true", "false"))),
            ("write.metadata.compression-codec", r.choice(("gzip", "none"))),
            ("write.metadata.previous-versions-max", r.choice(("1", "5"))),
            ("write.delete.isolation-level", r.choice(("serializable", "snapshot")))))

    def begin(self, client):
        r = self.random
        for _ in range(r.choice((0, 1, 1, 2))):
            part = self.a_transform()
            if part and all(part[0] != p[0] for p in self.spec):
                self.spec.append(part)
                self.note_exact(part)
        columns = ", ".join(f"{f.sql} {f.text}{' NOT NULL' if f.required else ''}" for f in self.fields)
        settings = dict(self.a_setting() for _ in range(r.randint(0, 3)))
        settings |= {"format-version": str(self.version), "tarn.history.max-snapshots": "0"}
        if self.location:
            settings["location"] = self.location
        sql = f"CREATE TABLE @t@ ({columns})"
        if self.spec:
            sql += f" PARTITIONED BY ({', '.join(self.transform_sql(p) for p in self.spec)})"
        words = ", ".join((n if n == "location" else text_literal(n)) + " = " + text_literal(v) for n, v in settings.items())
        self.tell(client, f"{sql} WITH ({words})")
        self.current = State(self.fresh(), self.fields, self.spec)
        self.duck.run(f"CREATE TABLE {self.current.table} ({', '.join(f'{f.sql} {f.text}' for f in self.fields)})")

    def note_exact(self, part):
        if part[1] == "{}" or part[1].startswith("bucket"):
            self.ever_exact.add(part[0])

    # ---- both sides ----

    def fresh(self):
        return f"{self.name}_{self.number()}"

    def tell(self, client, sql):
        sql = sql.replace("@t@", self.name)
        self.log.append(sql)
        return client.query(sql)

    def difference(self, what):
        raise Difference(what)

    def answer(self, client, sql, **names):
        """The rows of a query as sorted texts, and the answer."""
        told = client.query(f"SELECT CAST(q AS VARCHAR) FROM ({randomtables.place(sql, names)}) q")
        return sorted((row[0] for row in told["rows"])), told

    def expected(self, sql, **names):
        return sorted(r[0] for r in self.duck.rows(f"SELECT CAST(q AS VARCHAR) FROM ({randomtables.place(sql, names)}) q"))

    def compare(self, client, sql, ours, theirs):
        """One query on both sides. What tarn answered."""
        try:
            wanted = self.expected(sql, t=theirs)
        except DuckError as error:
            wanted = error
        self.count["queries"] += 1
        try:
            got, told = self.answer(client, sql, t=ours)
        except TarnError as error:
            if isinstance(wanted, DuckError) and error.status < 500:
                self.count["skipped"] += 1
                return None
            self.difference(f"{sql} with {ours}: {error}; the model says {str(wanted)[:300]}")
        if isinstance(wanted, DuckError):
            # A row that is not read cannot make a query fail.
            self.count["skipped"] += 1
            return told
        if got != wanted:
            self.difference(f"{sql}\n  with {ours}: {len(got)} rows, the model has {len(wanted)}\n"
                            f"  only tarn:  {except_all(got, wanted)[:3]}\n  only model: {except_all(wanted, got)[:3]}")
        return told

    def row_count(self, state=None):
        return int(self.duck.value(f"SELECT count(*) FROM {(state or self.current).table}"))

    def view(self, state):
        return View("t", state.fields, self.next_id)

    def adopt(self, select, mixed=None):
        """The model's table becomes this."""
        state = State(self.fresh(), self.fields, self.spec, self.current.mixed if mixed is None else mixed)
        self.duck.run(f"CREATE TABLE {state.table} AS {select}")
        self.current = state

    def reread(self, state=None):
        """The model's rows (or those of a state) with the schema that is."""
        state = state or self.current
        self.adopt(f"SELECT {projection(state.fields, self.fields)} FROM {state.table}",
                   state.mixed or (state.spec != self.spec and self.row_count(state) > 0))

    def close(self, client):
        client.query(f"DROP TABLE {self.name}")
        self.forget()

    def forget(self):
        for number in range(self.serial + 1):
            self.duck.run(f"DROP TABLE IF EXISTS {self.name}_{number}")

    # ---- after each step ----

    def check(self, client, thorough=False):
        """After a step; `thorough`: also every snapshot."""
        r = self.random
        told = self.compare(client, "SELECT * FROM @t@", self.name, self.current.table)
        self.note_snapshot(told["snapshot_id"])
        if thorough or r.random() < 0.2:
            columns = [row[:2] for row in client.rows(f"DESCRIBE {self.name}")]
            wanted = [[f.name, f.text.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")] for f in self.fields]
            if columns != wanted:
                self.difference(f"columns: tarn {columns}, the model {wanted}")
        for _ in range(4 if thorough else r.choice((0, 1, 1))):
            sql = randomtables.query([self.view(self.current)], r)
            self.compare(client, sql, self.name, self.current.table)
        if self.states and (thorough or r.random() < 0.35):
            self.travel(client)
        if thorough or r.random() < 0.1:
            self.check_metadata(client)
        if thorough and self.states:
            self.check_snapshots(client)

    def check_snapshots(self, client):
        """Every snapshot, in one statement."""
        texts = [(s.snapshot, s.table) for s in self.states.values()]
        ours, theirs = (" UNION ALL ".join(
            f"SELECT {n} AS n, CAST(q AS VARCHAR) AS r FROM {name} q" for n, name in enumerate(names))
            for names in ([f"(FROM {self.name} AT (VERSION => {s}))" for s, _ in texts], [t for _, t in texts]))
        self.compare(client, "SELECT * FROM @t@", f"({ours})", f"({theirs})")

    def note_snapshot(self, snapshot):
        head = self.entries[-1] if self.entries else None
        if snapshot is None or int(snapshot) < 0:
            if self.row_count() or head:
                self.difference("the table has no snapshot")
            return
        snapshot = int(snapshot)
        if snapshot not in self.states:
            state = copy.copy(self.current)
            state.snapshot, state.parent = snapshot, head
            self.states[snapshot] = state
        if snapshot != head:
            self.entries.append(snapshot)

    def travel(self, client):
        r = self.random
        state = r.choice(list(self.states.values()))
        how = r.choice(("id", "id", "time", "ref"))
        version, fields, table = f"VERSION => {state.snapshot}", state.fields, state.table
        if how == "ref" and self.refs:
            name, (is_tag, snapshot) = r.choice(sorted(self.refs.items()))
            state = self.states[snapshot]
            version, fields, table = f"VERSION => {text_literal(name)}", state.fields, state.table
            if not is_tag:
                table, fields = self.fresh(), self.fields
                self.duck.run(f"CREATE TABLE {table} AS SELECT {projection(state.fields, fields)} FROM {state.table}")
        elif how == "time":
            entries = [(int(us), int(s)) for us, s in client.rows(
                f"SELECT epoch_us(made_current_at), snapshot_id FROM {self.name}.history")]
            at = r.choice(entries)[0]
            snapshot = [s for us, s in sorted(entries, key=lambda e: e[0]) if us <= at][-1]
            version = f"TIMESTAMP => make_timestamp({at})"
            state = self.states[snapshot]
            fields, table = state.fields, state.table
        ours = f"{self.name} AT ({version})"
        self.compare(client, "SELECT * FROM @t@", ours, table)
        view = View("t", fields, self.next_id)
        self.compare(client, randomtables.query([view], r), ours, table)

    def check_metadata(self, client):
        n, count = self.name, self.row_count()
        got = client.rows(f"""SELECT (SELECT coalesce(sum(record_count), 0)::BIGINT FROM {n}.files WHERE content = 0),
            (SELECT coalesce(sum(record_count), 0)::BIGINT FROM {n}.files WHERE content <> 0),
            (SELECT coalesce(sum(record_count), 0)::BIGINT FROM {n}.partitions),
            (SELECT coalesce(sum(added_data_files_count + existing_data_files_count), 0)::BIGINT FROM {n}.manifests),
            (SELECT count(*) FROM {n}.entries WHERE status < 2), (SELECT count(*) FROM {n}.files),
            (SELECT coalesce(sum(file_size_in_bytes), 0)::BIGINT FROM {n}.files)""")[0]
        records, deleted, by_partition, listed, live, files, size = (int(v) for v in got)
        if (records - deleted, by_partition, listed, live) != (count, count, files, files):
            self.difference(f"metadata tables: {got}, {count} rows")
        totals = {int(s): m for s, m in client.rows(
            f"SELECT snapshot_id, [summary['total-records'], summary['total-data-files'], summary['total-files-size'],"
            f" summary['added-records'], summary['deleted-records'], parent_id::VARCHAR] FROM {n}.snapshots")}
        if set(totals) != set(self.states):
            self.difference(f"snapshots: {sorted(totals)}, expected {sorted(self.states)}")
        for snapshot, state in self.states.items():
            total, _, _, added, gone, parent = totals[snapshot]
            before = int(totals[state.parent][0]) if state.parent else 0
            if int(total) != self.row_count(state) or before + int(added or 0) - int(gone or 0) != int(total) or \
                    (int(parent) if parent else None) != state.parent:
                self.difference(f"summary of {snapshot}: {totals[snapshot]}, {self.row_count(state)} rows, {before} before,"
                                f" parent {state.parent}")
        if self.entries and [int(v) for v in totals[self.entries[-1]][1:3]] != [files, size]:
            self.difference(f"summary {totals[self.entries[-1]]}, {files} files of {size} bytes")
        if [int(s) for _, s in client.rows(f"SELECT made_current_at, snapshot_id FROM {n}.history")] != self.entries:
            self.difference(f"history is not {self.entries}")
        refs = {name: (kind == "TAG", int(s)) for name, kind, s in client.rows(f"SELECT name, type, snapshot_id FROM {n}.refs")}
        wanted = dict(self.refs) | ({"main": (False, self.entries[-1])} if self.entries else {})
        if refs != wanted:
            self.difference(f"refs: {refs}, expected {wanted}")


def except_all(one, two):
    left = list(one)
    for text in two:
        if text in left:
            left.remove(text)
    return left


def scratch(suffix):
    handle, path = tempfile.mkstemp(prefix="tarn-history-", suffix=suffix)
    os.close(handle)
    return path

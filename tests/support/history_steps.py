"""What can happen to a table of a History (histories.py): each step changes the table by SQL or by a file, and the model
likewise. A step that does not suit the table as it is returns False."""
import copy
import os

import randomtables
from histories import SCALARS, scratch, walk
from oracle import DuckError
from tarn import TarnError, name_literal, text_literal

WIDER = {"INTEGER": ("BIGINT", "l"), "FLOAT": ("DOUBLE", "d"), "DECIMAL(9,2)": ("DECIMAL(20,2)", "dec"),
         "DECIMAL(20,2)": ("DECIMAL(38,2)", "dec"), "DECIMAL(18,4)": ("DECIMAL(30,4)", "dec18"), "DATE": ("TIMESTAMP", "ts")}
ROWS_MAX = 1200


# ---- rows come ----

def some_fields(h):
    """Columns that an insert names: what it leaves out has a default or may be NULL."""
    if h.random.random() < 0.6:
        return list(h.fields)
    return [f for f in h.fields if f.name == "id" or (f.required and f.default is None) or h.random.random() < 0.7]


def make_rows(h, fields, count):
    """Lists of literals. Rows of one insert share values, as real ones do, so that bounds are narrow."""
    r, rows = h.random, []
    pools = {f.id: [f.literal(r, 0) for _ in range(r.choice((1, 2, 5, 20)))] for f in fields}
    nulls = {f.id: 0 if f.required else r.choice((0, 0.1, 0.1, 1)) for f in fields}
    for _ in range(count):
        row = []
        for f in fields:
            row.append(str(h.next_id) if f.name == "id" else "NULL" if r.random() < nulls[f.id] else r.choice(pools[f.id]))
        h.next_id += 1
        rows.append(row)
    return rows


def whole_row(h, fields, row):
    """The row for the model, which has no defaults."""
    given = {f.id: value for f, value in zip(fields, row)}
    return [given[f.id] if given.get(f.id, "DEFAULT") != "DEFAULT" else f.default or "NULL" for f in h.fields]


def values_of(rows):
    return ", ".join("(" + ", ".join(row) + ")" for row in rows)


def add_to_model(h, rows, before=None):
    """Appends whole rows to what the model has, or to another select."""
    kept = before or f"FROM {h.current.table}"
    if not rows:
        h.adopt(kept)
        return
    columns = ", ".join(f"CAST({f.sql} AS {f.text}) AS {f.sql}" for f in h.fields)
    names = ", ".join(f.sql for f in h.fields)
    typed = ", ".join(f"CAST({value} AS {f.text})" for value, f in zip(rows[0], h.fields))
    # The first row tells the types of the others.
    h.adopt(f"({kept}) UNION ALL (SELECT {columns} FROM (VALUES ({typed})"
            f"{''.join(', ' + values_of([row]) for row in rows[1:])}) v({names}))")


def insert_values(h, client):
    if h.row_count() > ROWS_MAX:
        return False
    fields = some_fields(h)
    h.random.shuffle(fields)
    rows = make_rows(h, fields, h.random.choice((1, 2, 10, 30, 60)))
    if h.version == 3:
        for row in rows:
            for n, f in enumerate(fields):
                if f.default and h.random.random() < 0.1:
                    row[n] = "DEFAULT"
    h.tell(client, f"INSERT INTO @t@ ({', '.join(f.sql for f in fields)}) VALUES {values_of(rows)}")
    add_to_model(h, [whole_row(h, fields, row) for row in rows])
    return True


def condition(h):
    """A condition that the model can answer, or None."""
    text = randomtables.predicate(h.view(h.current), h.random)
    try:
        h.duck.run(f"SELECT count(*) FROM {h.current.table} WHERE {text}")
    except DuckError:
        return None
    return text


def insert_select(h, client):
    where = condition(h)
    if where is None or h.row_count() > ROWS_MAX:
        return False
    r, times, fields = h.random, h.random.choice((1, 1, 1, 3)), h.fields
    first, h.next_id = h.next_id, h.next_id * (times + 1) + 1
    shown = [f for f in fields if f.name == "id" or f.required or r.random() < 0.8]
    items = ", ".join(f"id + {first} * (1 + n) AS id" if f.name == "id" else f.sql for f in shown)
    text = f"SELECT {items} FROM @t@, (SELECT unnest(range({times})) AS n) WHERE {where}"
    if int(h.duck.value(f"SELECT count(*) FROM ({text.replace('@t@', h.current.table)})")) > ROWS_MAX:
        return False
    if r.random() < 0.4:
        h.tell(client, f"INSERT INTO @t@ BY NAME {text}")
    else:
        h.tell(client, f"INSERT INTO @t@ ({', '.join(f.sql for f in shown)}) {text}")
    given = {f.id for f in shown}
    whole = ", ".join(f.sql if f.id in given else f"CAST({f.default or 'NULL'} AS {f.text}) AS {f.sql}" for f in fields)
    h.adopt(f"FROM {h.current.table} UNION ALL SELECT {whole} FROM ({text.replace('@t@', h.current.table)})")
    return True


def load_file(h, client):
    if h.row_count() > ROWS_MAX:
        return False
    kind = h.random.choice(("parquet", "csv", "ndjson"))
    fields = [f for f in some_fields(h) if kind == "parquet" or f.required or (
        f.kind not in ("bytes", "dec38", "dec18", "ns", "dec") and (kind == "ndjson" or not f.children))]
    if any(f.required and kind != "parquet" and f.kind in ("bytes", "dec38", "dec18", "ns", "dec") for f in fields):
        return False
    if kind == "ndjson" and any(f.children or f.kind in ("f", "d") for f in fields):
        fields = [f for f in fields if not f.children and f.kind not in ("f", "d")]
        if any(f.required and f not in fields and f.default is None for f in h.fields):
            return False
    rows = make_rows(h, fields, h.random.choice((1, 10, 60)))
    stage = h.fresh()
    h.duck.run(f"CREATE TABLE {stage} ({', '.join(f'{f.sql} {f.text}' for f in fields)})")
    h.duck.run(f"INSERT INTO {stage} VALUES {values_of(rows)}")
    path = scratch("." + kind)
    h.duck.run(f"COPY {stage} TO {text_literal(path)} (FORMAT {'json' if kind == 'ndjson' else kind})")
    with open(path, "rb") as file:
        body = file.read()
    os.unlink(path)
    h.log.append(f"-- load of {len(rows)} rows ({kind}): {', '.join(f.name for f in fields)}\n--   {values_of(rows)[:1500]}")
    try:
        client.request("POST", f"/ingest/{h.name}?format={kind}&create=false", body).ok()
    except TarnError as error:
        h.difference(f"load of {kind}: {error}\n  {body[:300] if kind != 'parquet' else ''}")
    names = {f.id for f in fields}
    whole = ", ".join(f.sql if f.id in names else f"CAST({f.default or 'NULL'} AS {f.text}) AS {f.sql}" for f in h.fields)
    h.adopt(f"FROM {h.current.table} UNION ALL SELECT {whole} FROM {stage}")
    return True


# ---- rows go ----

def delete(h, client):
    r, where = h.random, None
    if h.spec and r.random() < 0.35:
        # What the partition's values prove.
        field = h.of_id(r.choice(h.spec)[0])
        value = r.choice(field.pool) if field.pool else None
        if value:
            where = r.choice((f"{field.sql} = {value}", f"{field.sql} IN ({value}, {r.choice(field.pool)})",
                              f"{field.sql} >= {value}", f"{field.sql} < {value} OR {field.sql} IS NULL"))
    elif r.random() < 0.3:
        low = r.randint(0, h.next_id)
        where = r.choice((f"id BETWEEN {low} AND {low + r.randint(0, 60)}", f"id < {low // 4}", f"id % 5 = {low % 5}"))
    where = where or condition(h)
    if where is None:
        return False
    if r.random() < 0.3:
        where = f"({where}) AND id % 3 = {r.randint(0, 2)}"
    before = h.row_count()
    h.adopt(f"FROM {h.current.table} WHERE ({where}) IS NOT TRUE")
    try:
        gone = h.tell(client, f"DELETE FROM @t@ WHERE {where}")["changed_rows"]
    except TarnError as error:
        h.difference(f"DELETE FROM {h.name} WHERE {where}: {error}")
    if gone != before - h.row_count():
        h.difference(f"DELETE FROM {h.name} WHERE {where}: {gone} rows, the model {before - h.row_count()}")
    return True


def truncate(h, client):
    h.tell(client, h.random.choice(("TRUNCATE TABLE @t@", "DELETE FROM @t@")))
    h.adopt(f"FROM {h.current.table} LIMIT 0", mixed=False)
    return True


def murmur3(data):
    """The 32-bit hash of the specification, appendix B."""
    value, mask = 0, 0xFFFFFFFF

    def mixed(k):
        k = k * 0xCC9E2D51 & mask
        return ((k << 15 | k >> 17) & mask) * 0x1B873593 & mask

    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        value ^= mixed(int.from_bytes(data[at:at + 4], "little"))
        value = ((value << 13 | value >> 19) & mask) * 5 + 0xE6546B64 & mask
    if whole < len(data):
        value ^= mixed(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        value = (value ^ value >> shift) * factor & mask
    return value


def partition_value(field, transform):
    """SQL for what tells the value's partition, and what makes of its text the partition."""
    name = transform.partition("(")[0]
    if name == "{}":
        return f"CAST({field.sql} AS VARCHAR)", str
    if name in ("year", "month", "day", "hour"):
        return f"CAST(date_trunc('{name}', {field.sql}) AS VARCHAR)", str
    number = int("".join(c for c in transform if c.isdigit()))
    if name == "truncate":
        if field.type == "VARCHAR":
            return f"left({field.sql}, {number})", str
        if field.type.startswith("DECIMAL"):
            scale = int(field.type.rpartition(",")[2][:-1])
            return f"CAST({field.sql} AS VARCHAR)", lambda v: int(v.replace(".", "").rjust(scale, "0")) // number
        return f"CAST({field.sql} AS VARCHAR)", lambda v: int(v) // number
    bucket = lambda data: (murmur3(data) & 0x7FFFFFFF) % number  # noqa: E731
    whole = lambda v: bucket(int(v).to_bytes(8, "little", signed=True))  # noqa: E731
    if field.type in ("INTEGER", "BIGINT"):
        return f"CAST({field.sql} AS VARCHAR)", whole
    if field.type == "DATE":
        return f"CAST({field.sql} - DATE '1970-01-01' AS VARCHAR)", whole
    if field.type in ("TIME", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS"):
        # Nanoseconds are hashed as microseconds.
        return f"CAST(epoch_us({field.sql}) AS VARCHAR)", whole
    if field.type == "VARCHAR":
        return field.sql, lambda v: bucket(v.encode())
    if field.type == "UUID":
        return f"replace(CAST({field.sql} AS VARCHAR), '-', '')", lambda v: bucket(bytes.fromhex(v))
    if field.type == "BLOB":
        return f"hex({field.sql})", lambda v: bucket(bytes.fromhex(v))

    def decimal(v):
        unscaled = int(v.replace(".", ""))
        bits = unscaled.bit_length() if unscaled >= 0 else (unscaled + 1).bit_length()
        return bucket(unscaled.to_bytes(bits // 8 + 1, "big", signed=True))
    return f"CAST({field.sql} AS VARCHAR)", decimal


def partitions(h, table):
    """[(id, partition)] of the rows of a table of the model."""
    ways = [partition_value(h.of_id(number), transform) for number, transform in h.spec]
    rows = h.duck.rows(f"SELECT {', '.join(['id'] + [sql for sql, _ in ways])} FROM {table}")
    return [(row[0], tuple(None if v is None else make(v) for v, (_, make) in zip(row[1:], ways))) for row in rows]


def overwrite(h, client):
    if h.current.mixed and h.spec:
        return False  # files of other specs are in partitions of their own
    fields = list(h.fields)
    rows = make_rows(h, fields, h.random.choice((1, 4, 20)))
    stage = h.fresh()
    h.duck.run(f"CREATE TABLE {stage} ({', '.join(f'{f.sql} {f.text}' for f in fields)})")
    where = condition(h) if h.random.random() < 0.4 else None
    if where:
        text = f"SELECT {', '.join(f.sql for f in fields)} FROM @t@ WHERE {where}"
        h.duck.run(f"INSERT INTO {stage} {text.replace('@t@', h.current.table)}")
        if h.duck.value(f"SELECT count(*) FROM {stage}") == "0":
            return False
    else:
        text = f"VALUES {values_of(rows)}"
        h.duck.run(f"INSERT INTO {stage} {text}")
    h.tell(client, f"INSERT OVERWRITE @t@ {text}")
    if h.spec:
        replaced = {partition for _, partition in partitions(h, stage)}
        kept = [number for number, partition in partitions(h, h.current.table) if partition not in replaced]
        h.adopt(f"FROM {h.current.table} WHERE id IN ({', '.join(kept) or 'NULL'}) UNION ALL FROM {stage}")
    else:
        h.adopt(f"FROM {stage}", mixed=False)
    return True


# ---- the table changes ----

def add_column(h):
    nested = [(f, path) for f, _, path in walk(h.fields) if f.type == "struct"]
    if nested and h.random.random() < 0.5:
        parent, path = h.random.choice(nested)
        field = h.a_field(parent.children, 2)
        siblings, path = parent.children, path + "." + field.sql
    else:
        field = h.a_field(h.fields)
        siblings, path = h.fields, field.sql
    words = f"ADD COLUMN {path} {field.text}"
    if h.version == 3 and siblings is h.fields and not field.children and h.random.random() < 0.6:
        value = a_constant(h, field)
        if value:
            field.initial = field.default = value
            if h.random.random() < 0.4:
                field.required = True
                words += " NOT NULL"
            words += f" DEFAULT {value}"
    at = h.random.randint(0, len(siblings))
    if at == 0:
        words += " FIRST"
    elif at < len(siblings):
        words += f" AFTER {siblings[at - 1].sql}"
    siblings.insert(at, field)
    return words


def a_constant(h, field):
    """A literal without casts that stands for a value of the column, or None."""
    value = h.duck.value(f"SELECT CAST({field.literal(h.random, 0)} AS VARCHAR)")
    if value in ("nan", "inf", "-inf"):
        return None
    return text_literal(value)


def named(h):
    """(field, siblings, path) that can be renamed or moved."""
    return [(f, siblings, path) for f, siblings, path in walk(h.fields) if siblings is not None and f.name != "id"]


def drop_column(h):
    able = [(f, siblings, path) for f, siblings, path in named(h) if len(siblings) > 1]
    if not able or len(h.fields) < 3:
        return None
    field, siblings, path = h.random.choice(able)
    siblings.remove(field)
    return f"DROP COLUMN {path}"


def rename_column(h):
    field, siblings, path = h.random.choice(named(h) or [(None, None, None)])
    if field is None:
        return None
    field.name = h.a_name(siblings)
    return f"RENAME COLUMN {path} TO {field.sql}"


def move_column(h):
    able = [(f, siblings, path) for f, siblings, path in walk(h.fields) if siblings is not None and len(siblings) > 1]
    if not able:
        return None
    field, siblings, path = h.random.choice(able)
    siblings.remove(field)
    at = h.random.randint(0, len(siblings))
    siblings.insert(at, field)
    return f"ALTER COLUMN {path} " + ("FIRST" if at == 0 else f"AFTER {siblings[at - 1].sql}")


def widen_column(h):
    able = [(f, path) for f, _, path in walk(h.fields)
            if f.type in WIDER and (f.type != "DATE" or (h.version == 3 and f.id not in h.ever_exact))]
    if not able:
        return None
    field, path = h.random.choice(able)
    field.type, field.kind = WIDER[field.type]
    return f"ALTER COLUMN {path} {h.random.choice(('', 'SET DATA '))}TYPE {field.type}"


def relax_column(h):
    able = [f for f in h.fields if f.required]
    if not able:
        return None
    field = h.random.choice(able)
    field.required = False
    return f"ALTER COLUMN {field.sql} DROP NOT NULL"


def set_default(h):
    able = [f for f in h.fields if not f.children and f.name != "id"]
    if h.version < 3 or not able:
        return None
    field = h.random.choice(able)
    field.default = a_constant(h, field) if h.random.random() < 0.7 else None
    if field.required and field.default is None:
        return None
    return f"ALTER COLUMN {field.sql} " + (f"SET DEFAULT {field.default}" if field.default else "DROP DEFAULT")


ACTIONS = (add_column, add_column, drop_column, rename_column, rename_column, move_column, widen_column, widen_column,
           relax_column, set_default)


def alter(h, client, words, undo, may_be_refused=True):
    """The statement, and the model after it; a refusal leaves both as they were."""
    try:
        h.tell(client, f"ALTER TABLE @t@ {words}")
    except TarnError as error:
        if error.status >= 500 or not may_be_refused:
            h.difference(f"ALTER TABLE {h.name} {words}: {error}")
        h.log[-1] = "-- refused: " + h.log[-1]
        h.count["refused"] += 1
        h.reasons.append(f"{words[:60]}: {error.message}")
        undo()
        return True
    h.reread()
    return True


def alter_columns(h, client):
    before = copy.deepcopy(h.fields)
    words = []
    for _ in range(h.random.choice((1, 1, 1, 2, 3))):
        kept = copy.deepcopy(h.fields)
        action = h.random.choice(ACTIONS)(h)
        if action is None:
            h.fields = kept
        else:
            words.append(action)
    if not words:
        return False

    def undo():
        h.fields = before
    return alter(h, client, ", ".join(words), undo)


def alter_spec(h, client):
    before, kind = list(h.spec), h.random.choice(("add", "add", "drop", "replace"))
    part = h.a_transform()
    if kind == "add" or not h.spec:
        if part is None or any(part[0] == p[0] for p in h.spec) or len(h.spec) > 2:
            return False
        h.spec.append(part)
        words = f"ADD PARTITION FIELD {h.transform_sql(part)}"
    elif kind == "drop":
        gone = h.random.choice(h.spec)
        h.spec.remove(gone)
        words = f"DROP PARTITION FIELD {h.transform_sql(gone)}"
    else:
        gone = h.random.choice(h.spec)
        if part is None or any(part[0] == p[0] for p in h.spec):
            return False
        h.spec[h.spec.index(gone)] = part
        words = (f"REPLACE PARTITION FIELD {h.transform_sql(gone)} WITH {h.transform_sql(part)}"
                 f" AS {name_literal('p' + str(h.number()))}")

    def undo():
        h.spec = before
    done = alter(h, client, words, undo)
    if h.spec != before and part in h.spec:
        h.note_exact(part)
    return done


def alter_order(h, client):
    able = [f for f in h.fields if f.kind in SCALARS]
    if h.random.random() < 0.3:
        words = "WRITE UNORDERED"
    else:
        words = "WRITE ORDERED BY " + ", ".join(
            f.sql + h.random.choice(("", " DESC", " ASC NULLS LAST", " DESC NULLS LAST", " NULLS FIRST"))
            for f in h.random.sample(able, min(len(able), h.random.choice((1, 2)))))
    return alter(h, client, words, lambda: None, False)


def alter_settings(h, client):
    settings = dict(h.a_setting() for _ in range(h.random.randint(1, 2)))
    words = ", ".join(f"{text_literal(n)} = {text_literal(v)}" for n, v in settings.items())
    return alter(h, client, f"SET PROPERTIES ({words})", lambda: None, False)


def upgrade(h, client):
    if h.version == 3 or not h.upgrades:
        return False
    h.version = 3
    return alter(h, client, "SET FORMAT VERSION 3", lambda: None, False)


def refs(h, client):
    if not h.states:
        return False
    r, name = h.random, h.random.choice(("one", "Two", "drei", "with space"))
    if name in h.refs and r.random() < 0.5:
        is_tag, _ = h.refs.pop(name)
        return alter(h, client, f"DROP {'TAG' if is_tag else 'BRANCH'} {name_literal(name)}", lambda: None, False)
    is_tag = h.refs[name][0] if name in h.refs else r.random() < 0.5
    snapshot = r.choice([h.entries[-1]] + list(h.states))
    words = "CREATE OR REPLACE" if name in h.refs else "CREATE"
    h.refs[name] = (is_tag, snapshot)
    return alter(h, client, f"{words} {'TAG' if is_tag else 'BRANCH'} {name_literal(name)} AS OF VERSION {snapshot}",
                 lambda: None, False)


def go_back(h, client):
    if not h.states:
        return False
    r, ancestors, at = h.random, [], h.entries[-1]
    while at is not None:
        ancestors.append(at)
        at = h.states[at].parent
    if r.random() < 0.5:
        snapshot = r.choice(ancestors)
        words = f"CALL system.rollback_to_snapshot('@t@', {snapshot})"
    elif h.refs and r.random() < 0.4:
        name = r.choice(sorted(h.refs))
        snapshot = h.refs[name][1]
        words = f"CALL system.set_current_snapshot('@t@', ref => {text_literal(name)})"
    else:
        snapshot = r.choice(list(h.states))
        words = f"CALL system.set_current_snapshot('@t@', {snapshot})"
    h.tell(client, words)
    h.reread(h.states[snapshot])
    return True


STEPS = ((9, insert_values), (4, insert_select), (4, load_file), (8, delete), (1, truncate), (4, overwrite), (9, alter_columns),
         (4, alter_spec), (2, alter_order), (1, alter_settings), (1, upgrade), (2, refs), (3, go_back))


def step(h, client):
    """One change that suits the table, and the comparison after it."""
    for _ in range(20):
        function = h.random.choices([f for _, f in STEPS], [w for w, _ in STEPS])[0]
        if function(h, client):
            h.count["steps"] += 1
            h.check(client)
            return
    h.difference("no step suits the table")

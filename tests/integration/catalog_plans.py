#!/usr/bin/env python3
"""How the database finds what the catalog asks for: every statement in its sources is planned over its own schema, and
none looks through a whole table but those that are to list one, or run in the background now and then."""
import glob
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import check, equal, main, test  # noqa: E402

SOURCE = os.environ.get("TARN_SOURCE", ".")
LITERAL = r'"(?:\\.|[^"\\])*"'
PARTS = rf'(?:{LITERAL}|\b[A-Z_][A-Z_0-9]+\b)'

# (file, a part of the statement): why it may
WHOLE = {
    ("catalog.c", "SELECT count(*) FROM"): "metrics",
    ("dropped.c", "FROM dropped ORDER BY dropped_us"): "the list of all dropped tables",
    ("dropped.c", "FROM tables UNION ALL"): "a purge asks who else reaches its files",
    ("event.c", "SELECT url FROM webhooks"): "as many as there are receivers",
    ("event.c", "FROM events WHERE time_us >="): "ids grow with time: it ends at the first that is young enough",
    ("keeper.c", "FROM dropped ORDER BY purge_us LIMIT 1"): "the first entry of an index",
    ("located.c", "FROM purges WHERE uuid <>"): "those that wait, asked for keys of a table that went",
    ("place.c", "DELETE FROM places WHERE NOT EXISTS"): "when the retention of dropped tables ends",
    ("sweep.c", "FROM tables"): "the daily sweep",
    ("sweep.c", "FROM views"): "the daily sweep",
    ("txn.c", "FROM tables ORDER BY"): "the view of a transaction",
    ("txn_views.c", "FROM views ORDER BY"): "the view of a transaction",
    ("warehouse.c", "FROM namespaces WHERE warehouse = 1"): "the list of warehouses, kept in memory",
    ("key.c", "FROM access_keys k JOIN"): "the list of keys",
    ("principal.c", "FROM principals"): "all of them are kept in memory",
    ("principal.c", "FROM access_keys"): "all of them are kept in memory",
    ("s3_key.c", "FROM s3_keys WHERE inactive"): "all of them are kept in memory",
    ("s3_key.c", "FROM access_master"): "one row",
}


def code(path):
    """The text without comments, lines joined."""
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    return re.sub(rf"{LITERAL}|/\*.*?\*/", lambda m: m.group() if m.group()[0] == '"' else " ", text, flags=re.S)


def macros(texts):
    found = {}
    for text in texts:
        for name, value in re.findall(rf"^\s*#define (\w+)\s+({PARTS}(?:\s+{PARTS})*)\s*$", text, re.M):
            found.setdefault(name, value)
    return found


def expand(text, known):
    """None where a part of it is no text."""
    out = ""
    for part in re.findall(rf"{LITERAL}|\w+", text):
        if part[0] == '"':
            out += part[1:-1].replace('\\"', '"')
        elif part in known:
            inner = expand(known[part], known)
            if inner is None:
                return None
            out += inner
        else:
            return None
    return out


def statements(module):
    folder = os.path.join(SOURCE, "src", module)
    shared = [code(path) for path in sorted(glob.glob(folder + "/**/*.h", recursive=True))]
    for path in sorted(glob.glob(folder + "/**/*.c", recursive=True)):
        text = code(path)
        known = macros([text] + shared)
        for match in re.finditer(rf"{PARTS}(?:\s+{PARTS})*", re.sub(r"^\s*#.*$", "", text, flags=re.M)):
            sql = expand(match.group(), known) if '"' in match.group() else None
            if sql and re.match(r"(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH) \S", sql):
                yield os.path.basename(path), sql


def database():
    db = sqlite3.connect(":memory:")
    for module in ("store", "access", "catalog"):
        for path in sorted(glob.glob(os.path.join(SOURCE, "src", module, "*.c"))):
            for _, sql in re.findall(rf'\{{"{module}",\s*(\d+),\s*((?:{LITERAL}\s*)+)\}}', code(path)):
                db.executescript(expand(sql, {}))
    return db


def is_whole(step):
    return (step.startswith("SCAN") and "CONSTANT ROW" not in step) or "AUTOMATIC" in step


def scans(db, sql):
    values = [None] * max([0] + [int(n) for n in re.findall(r"\?(\d+)", sql)])
    return [step for _, _, _, step in db.execute("EXPLAIN QUERY PLAN " + sql, values) if is_whole(step)]


@test
def no_statement_looks_through_a_table_without_a_reason():
    db = database()
    planned, used, found = 0, set(), []
    for module in ("catalog", "access"):
        for file, sql in statements(module):
            planned += 1
            steps = scans(db, sql)
            reasons = [key for key in WHOLE if key[0] == file and key[1] in sql]
            used.update(reasons if steps else ())
            if steps and not reasons:
                found.append(f"{module}/{file}: {sql}: {steps}")
    equal(found, [], "statements that look through whole tables")
    check(planned > 150, f"only {planned} statements were found")
    equal(sorted(set(WHOLE) - used), [], "reasons that nothing needs any more")


@test
def this_test_sees_what_it_is_for():
    db = database()
    check(scans(db, "SELECT name FROM views WHERE uuid || '' = ?1"), "a look through all views")
    db.execute("DROP INDEX views_locations")
    check(scans(db, "SELECT space, name FROM views WHERE location = ?1 AND uuid <> ?2"), "a view's place without an index")


main()

#!/usr/bin/env python3
"""Wrong statements of all kinds: code, SQLSTATE, the place that the error points to, the name that was meant.

A row is: code of the error, SQLSTATE, statement, words of the hint or None. The place stands between « and » in the
statement; without them the error has none, with ? in front of the code the place is not asked for."""
# timeout: 300
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import TarnError, check, equal, main, shared, test  # noqa: E402

SETUP = """
CREATE SCHEMA sales; CREATE SCHEMA empty;
CREATE TABLE orders (id BIGINT NOT NULL, customer VARCHAR, amount DECIMAL(10,2), ordered TIMESTAMP, tags VARCHAR[],
    address STRUCT(city VARCHAR, zip VARCHAR));
CREATE TABLE customers (name VARCHAR, id BIGINT, born DATE);
CREATE TABLE sales.targets (id BIGINT, month DATE);
INSERT INTO orders VALUES (1, 'ada', 10, '2024-01-01', ['a'], {'city': 'Ulm', 'zip': '1'}), (2, 'bob', 20, NULL, NULL, NULL);
INSERT INTO customers VALUES ('ada', 1, '1815-12-10');
ALTER TABLE orders CREATE TAG release;
"""

# ---- what does not exist ----
NAMES = [
    ("table_not_found", "42P01", "SELECT * FROM «ordres»", 'Did you mean "orders"?'),
    ("table_not_found", "42P01", "SELECT *\nFROM orders o\nJOIN «custmers» c ON true", 'Did you mean "customers"?'),
    ("table_not_found", "42P01", "SELECT * FROM sales.«tragets»".replace("sales.«", "«sales."), "targets"),
    ("table_not_found", "42P01", "SELECT (SELECT max(id) FROM «ordrs»)", "orders"),
    ("table_not_found", "42P01", "WITH a AS (SELECT * FROM «ordres») SELECT * FROM a", "orders"),
    ("table_not_found", "42P01", "SELECT * FROM «zzz»", None),
    ("table_not_found", "42P01", "DESCRIBE «ordres»", "orders"),
    ("table_not_found", "42P01", "INSERT INTO «ordres» VALUES (1)", "orders"),
    ("table_not_found", "42P01", "UPDATE «ordres» SET id = 1", "orders"),
    ("table_not_found", "42P01", "DELETE FROM «ordres»", "orders"),
    ("table_not_found", "42P01", "MERGE INTO «ordres» AS t USING customers s ON t.id = s.id WHEN MATCHED THEN DELETE", "orders"),
    ("table_not_found", "42P01", "MERGE INTO orders AS t USING «custmers» s ON t.id = s.id WHEN MATCHED THEN DELETE", "customers"),
    ("table_not_found", "42P01", "TRUNCATE «ordres»", "orders"),
    ("table_not_found", "42P01", "ALTER TABLE «ordres» ADD COLUMN x INT", "orders"),
    ("table_not_found", "42P01", "DROP TABLE «ordres»", "orders"),
    ("table_not_found", "42P01", "SHOW CREATE TABLE «ordres»", "orders"),
    ("table_not_found", "42P01", "COMMENT ON TABLE «ordres» IS 'x'", "orders"),
    ("table_not_found", "42P01", "INSERT INTO orders SELECT * FROM «ordrs»", "orders"),
    ("table_not_found", "42P01", "CREATE TABLE x AS SELECT * FROM «ordres»", "orders"),
    ("namespace_not_found", "3F000", "USE «sale»", "sales"),
    ("namespace_not_found", "3F000", "DROP SCHEMA «sale»", "sales"),
    ("namespace_not_found", "3F000", "CREATE TABLE «nowhere.t» (id INT)", None),
    ("unknown_column", "42703", "SELECT «amuont» FROM orders", 'Did you mean "amount"?'),
    ("unknown_column", "42703", "SELECT id,\n  «amuont»\nFROM orders", "amount"),
    ("unknown_column", "42703", "SELECT * FROM orders WHERE «custmer» = 'ada'", "customer"),
    ("unknown_column", "42703", "SELECT * FROM orders ORDER BY «amuont»", "amount"),
    ("unknown_column", "42703", "SELECT count(*) FROM orders GROUP BY «custmer»", "customer"),
    ("unknown_column", "42703", "SELECT «o.amuont» FROM orders o", 'Did you mean "amount"?'),
    ("unknown_column", "42703", "SELECT * EXCLUDE («amuont») FROM orders", "amount"),
    ("unknown_column", "42703", "SELECT * FROM orders JOIN customers USING («nme»)", "name"),
    ("unknown_column", "42703", "UPDATE orders SET «amuont» = 1", "amount"),
    ("unknown_column", "42703", "UPDATE orders SET amount = «amuont»", "amount"),
    ("unknown_column", "42703", "DELETE FROM orders WHERE «amuont» > 1", "amount"),
    ("unknown_column", "42703", "INSERT INTO orders (id, «amuont») VALUES (1, 2)", "amount"),
    ("unknown_column", "42703", "INSERT INTO orders BY NAME SELECT 1 AS id, 2 AS «amuont»", "amount"),
    ("unknown_column", "42703", "MERGE INTO orders AS t USING customers s ON t.id = «s.idd» WHEN MATCHED THEN DELETE", 'Did you mean "id"?'),
    ("unknown_column", "42703", "ALTER TABLE orders DROP COLUMN «amuont»", "amount"),
    ("unknown_column", "42703", "ALTER TABLE orders RENAME COLUMN «amuont» TO x", "amount"),
    ("unknown_column", "42703", "ALTER TABLE orders ALTER COLUMN «amuont» TYPE DOUBLE", "amount"),
    ("unknown_column", "42703", "ALTER TABLE orders ADD PARTITION FIELD month(«orderd»)", "ordered"),
    ("unknown_column", "42703", "ALTER TABLE orders WRITE ORDERED BY «amuont»", "amount"),
    ("unknown_column", "42703", "CREATE TABLE x (id INT) PARTITIONED BY («idd»)", "id"),
    ("unknown_column", "42703", "COMMENT ON COLUMN «orders.amuont» IS 'x'", "amount"),
    ("unknown_function", "42883", "SELECT «summ»(amount) FROM orders", 'Did you mean "sum"?'),
    ("unknown_function", "42883", "SELECT «date_trnc»('month', ordered) FROM orders", "date_trunc"),
    ("unknown_function", "42883", "SELECT * FROM «rnge»(3)", "range"),
    ("unknown_function", "42883", "SELECT id FROM orders\nWHERE «lowr»(customer) = 'a'", "lower"),
    ("unknown_function", "42883", "UPDATE orders SET customer = «uper»(customer)", "upper"),
    ("table_not_found", "42P01", "SELECT «x.id» FROM orders o", '"o"'),
    ("unknown_column", "42703", "SELECT «o.amuont», c.id FROM orders AS o JOIN customers c ON c.id = o.id", "amount"),
    ("unknown_column", "42703", "SELECT o.id FROM orders o JOIN customers AS c ON «c.nmae» = o.customer", 'Did you mean "name"?'),
    ("unknown_column", "42703", "SELECT «customers.brn» FROM customers", "born"),
    ("unknown_column", "42703", "SELECT «t.mnth» FROM sales.targets t", "month"),
    ("unknown_column", "42703", "SELECT «s.idd» FROM (SELECT id FROM orders) s", None),
    ("unknown_column", "42703", "SELECT address.«citty» FROM orders", 'Did you mean "city"?'),
    ("unknown_column", "42703", "SELECT o.address.«citty» FROM orders o", "city"),
    ("unknown_column", "42703", "SELECT (address).«zp» FROM orders", "zip"),
    ("unknown_column", "42703", "SELECT id FROM orders WHERE address.«citty» = 'Ulm'", "city"),
    ("unknown_column", "42703", "UPDATE orders AS o SET amount = 1 WHERE «o.idd» = 1", "id"),
    ("unknown_column", "42703", "DELETE FROM orders AS o WHERE «o.custmer» = 'x'", "customer"),
    ("unknown_column", "42703", "UPDATE orders SET amount = «c.idd» FROM customers c WHERE c.name = customer", "id"),
    ("unknown_column", "42703", "SELECT «xyz» FROM tarn.events", 'The nearest is "agent".'),
    ("unknown_column", "42703", "SELECT * REPLACE (1 AS «amuont») FROM orders", "amount"),
    ("unknown_function", "42883", "CALL «system.rollback_to_snapsht»('orders', 1)", "rollback_to_snapshot"),
    ("unknown_function", "42883", "CALL «system.zzz»()", "There are: rollback_to_snapshot, "),
    ("invalid", "22023", "CALL system.rollback_to_snapshot('orders', «snapshot_idd» => 1)", "snapshot_id"),
    ("invalid", "22023", "CALL system.rollback_to_snapshot('orders', «version» => 1)", "It takes: table, snapshot_id."),
    ("table_not_found", "42P01", "CALL system.rollback_to_snapshot(«'ordres'», 1)", "orders"),
    ("snapshot_not_found", "22023", "CALL system.set_current_snapshot('orders', «ref» => 'releas')", 'Did you mean "release"?'),
    ("snapshot_not_found", "22023", "CALL system.fast_forward('orders', 'main', «'releas'»)", 'Did you mean "release"?'),
    ("snapshot_not_found", "22023", "CALL system.rollback_to_snapshot('orders', «77»)", "orders.snapshots"),
    ("wrong_type", "42704", "SELECT CAST(id AS «INTT») FROM orders", None),
]
# ---- syntax ----
SYNTAX = [
    ("syntax_error", "42601", "«SELCT» 1", None),
    ("syntax_error", "42601", "SELECT 1 FORM «orders» x y", None),
    ("syntax_error", "42601", "SELECT * FROM«»", None),
    ("syntax_error", "42601", "SELECT (1 + 2«»", None),
    ("syntax_error", "42601", "SELECT «'»abc", None),
    ("syntax_error", "42601", 'SELECT «"»abc', None),
    ("syntax_error", "42601", "SELECT 1 «/»* abc", None),
    ("syntax_error", "42601", "SELECT «$»$abc", None),
    ("syntax_error", "42601", "SELECT * FROM orders WHERE «GROUP» BY id", None),
    ("syntax_error", "42601", "SELECT * FROM orders LIMIT 1 «LIMIT» 2", None),
    ("syntax_error", "42601", "SELECT id, FROM orders WHERE«,»", None),
    ("syntax_error", "42601", "INSERT «orders» VALUES (1)", None),
    ("syntax_error", "42601", "INSERT INTO orders«»", None),
    ("syntax_error", "42601", "INSERT INTO orders («id» VALUES (1)", None),
    ("syntax_error", "42601", "UPDATE orders id «=» 1", None),
    ("syntax_error", "42601", "UPDATE orders SET«»", None),
    ("syntax_error", "42601", "DELETE «orders»", None),
    ("syntax_error", "42601", "DELETE FROM orders WHERE«»", None),
    ("syntax_error", "42601", "MERGE INTO orders USING customers«»", None),
    ("syntax_error", "42601", "MERGE INTO orders t USING customers s ON t.id = s.id«»", None),
    ("syntax_error", "42601", "MERGE INTO orders t USING customers s ON t.id = s.id WHEN MATCHED THEN«»", None),
    ("syntax_error", "42601", "CREATE TABLE«»", None),
    ("syntax_error", "42601", "CREATE TABLE x«»", None),
    ("syntax_error", "42601", "CREATE TABLE x (id«)»", None),
    ("syntax_error", "42601", "CREATE TABLE x (id INT,«,» b INT)", None),
    ("syntax_error", "42601", "CREATE TABLE x (id INT«»", None),
    ("syntax_error", "42601", "CREATE TABLE x (id INT) PARTITIONED «(»id)", None),
    ("syntax_error", "42601", "ALTER TABLE orders«»", None),
    ("syntax_error", "42601", "ALTER TABLE orders ADD«»", None),
    ("syntax_error", "42601", "ALTER TABLE orders RENAME COLUMN id«»", None),
    ("syntax_error", "42601", "ALTER TABLE orders DROP COLUMN«»", None),
    ("syntax_error", "42601", "DROP«»", None),
    ("syntax_error", "42601", "DROP TABLE«»", None),
    ("syntax_error", "42601", "USE«»", None),
    ("syntax_error", "42601", "CALL«»", None),
    ("syntax_error", "42601", "COMMENT ON «orders» IS 'x'", None),
    ("syntax_error", "42601", "SELECT 1; «SELCT» 2", None),
    ("syntax_error", "42601", "SELECT CASE WHEN id THEN 1 «FROM» orders", None),
    ("syntax_error", "42601", "SELECT * FROM orders JOIN«»", None),
    ("syntax_error", "42601", "WITH a AS «SELECT» 1 SELECT * FROM a", None),
    ("syntax_error", "42601", "SELECT count(*) FROM orders GROUP«»", None),
    ("syntax_error", "42601", "TRUNCATE«»", None),
]
# ---- types and values ----
VALUES = [
    ("bad_data", "22P02", "SELECT CAST(«'abc'» AS INTEGER)".replace("«", "").replace("»", "").replace("CAST", "«CAST»"), None),
    ("bad_data", "22P02", "SELECT customer«:»:INT FROM orders", None),
    ("bad_data", "22003", "SELECT «CAST»(300 AS TINYINT)", None),
    ("?bad_data", "22003", "SELECT 9223372036854775807 + id FROM orders", None),
    ("bad_data", "22008", "SELECT DATE «'2024-13-01'»", None),
    ("bad_data", "22007", "SELECT «CAST»('yesterday' AS TIMESTAMP)", None),
    ("?bad_data", "2201B", "SELECT regexp_matches(customer, '(') FROM orders", None),
    ("?bad_data", "21000", "SELECT (SELECT id FROM orders)", None),
    ("wrong_type", "42804", "SELECT id + ordered FROM orders WHERE «id» || tags", None),
    ("wrong_type", "42804", "SELECT «date_trunc»('month', id) FROM orders", None),
    ("wrong_type", "42804", "SELECT «lower»(tags, 1) FROM orders", None),
    ("wrong_type", "42804", "SELECT «id» = tags FROM orders", None),
    ("bad_data", "23502", "INSERT INTO «orders» (customer) VALUES ('x')", None),
    ("bad_data", "23502", "INSERT INTO orders («id») VALUES (NULL)", None),
    ("bad_data", "23502", "UPDATE orders SET «id» = NULL", None),
    ("?bad_data", "22P02", "INSERT INTO orders (id) VALUES ('abc')", None),
    ("?bad_data", "22003", "INSERT INTO orders (id, amount) VALUES (1, 123456789012)", None),
    ("wrong_type", "42804", "INSERT INTO customers VALUES «(»1, 2)", None),
    ("wrong_type", "42804", "INSERT INTO customers (name, id) VALUES «(»'x')", None),
]
# ---- what cannot be meant ----
MEANING = [
    ("syntax_error", "42601", "«selec» id FROM orders", "select"),
    ("syntax_error", "42601", "«updat» orders SET id = 1", "update"),
    ("unknown_column", "42703", "SELECT id FROM orders WHERE customer = «\"ada\"»", "'ada'"),
    ("unknown_column", "42703", "SELECT date_trunc(«\"month\"», ordered) FROM orders", "'month'"),
    ("invalid", "42702", "SELECT «id» FROM orders o JOIN customers c ON o.id = c.id", None),
    ("invalid", "42803", "SELECT «customer», count(*) FROM orders", None),
    ("invalid", "42803", "SELECT * FROM orders WHERE «count»(*) > 1", None),
    ("invalid", "42803", "SELECT sum(«count»(*)) FROM orders", None),
    ("invalid", "42P20", "SELECT * FROM orders WHERE «row_number»() OVER () = 1", None),
    ("invalid", "42P10", "SELECT id FROM orders ORDER BY «7»", None),
    ("?invalid", "42601", "SELECT 1 UNION SELECT 1, 2", None),
    ("?invalid", "42712", "SELECT * FROM orders a JOIN customers a ON true", None),
    ("already_exists", "42P07", "CREATE TABLE «orders» (id INT)", None),
    ("already_exists", None, "CREATE SCHEMA «sales»", None),
    ("already_exists", None, "ALTER TABLE orders ADD COLUMN «customer» VARCHAR", None),
    ("not_empty", "2BP01", "DROP SCHEMA «sales»", None),
    ("unknown_function", "42883", "CALL «tarn.compct»(table => 'orders')", None),
    ("snapshot_not_found", "22023", "SELECT * FROM orders AT (VERSION => «1»)", None),
    ("denied", "42501", "«ATTACH» 'x.db'", None),
    ("denied", "42501", "«COPY» orders TO 'x.csv'", None),
    ("not_supported", "0A000", "«CREATE» INDEX i ON orders (id)", None),
    ("not_supported", "0A000", "«SAVEPOINT» half", "ROLLBACK"),
    ("not_supported", "0A000", "BEGIN; «SAVEPOINT» half", "ROLLBACK"),
    ("not_supported", "0A000", "BEGIN; ROLLBACK «TO» half", "ROLLBACK"),
    ("not_supported", "0A000", "BEGIN; ROLLBACK WORK «TO» SAVEPOINT half", "ROLLBACK"),
    ("not_supported", "0A000", "BEGIN; «RELEASE» SAVEPOINT half", "ROLLBACK"),
    ("not_supported", "0A000", "DROP TABLE orders «CASCADE»", "DROP VIEW"),
    ("not_supported", "0A000", "UPDATE orders SET (id, amount) = «(»SELECT 1, 2)", "FROM (SELECT"),
    ("invalid", "22023", "SELECT 1 WHERE $1 = «$name»", "Number all of them"),
    ("invalid", "22023", "SELECT 1 WHERE $1 = «?»", "Write all of them as ?"),
    ("invalid", "22023", "INSERT INTO orders (id, «id») VALUES (1, 2)", None),
    ("invalid", "22023", "UPDATE orders SET id = 1, «id» = 2", None),
    ("invalid", "22023", "CREATE TABLE «x» AS SELECT 1 AS a, 2 AS A", "AS gives a column"),
    ("unknown_column", "42703", "ALTER TABLE orders ADD COLUMN «tags.x» INT", 'tags.element.x'),
    ("invalid", "22023", "INSERT INTO orders SELECT DEFAULT", None),
    ("denied", "42501", "«INSTALL» httpfs", None),
    ("denied", "42501", "SELECT * FROM «read_csv»('x.csv')", None),
    ("denied", "42501", "SELECT * FROM «read_parquet»('x')", None),
    ("denied", "42501", "SELECT «getenv»('HOME')", None),
    ("no_transaction", "25P01", "«COMMIT»", None),
    ("no_transaction", "25P01", "«ROLLBACK»", None),
    ("transaction_active", "25001", "BEGIN; «BEGIN»", None),
]


def split(marked):
    """Statement, and byte of « or None."""
    start = marked.find("«")
    sql = marked.replace("«", "").replace("»", "")
    return sql, len(marked[:start].encode()) if start >= 0 else None


def look(rows):
    server, wrong = shared(), []
    for code, state, marked, hint in rows:
        sql, place = split(marked)
        anywhere = code.startswith("?")
        try:
            got = server.query(sql)
            wrong.append(f"{marked}: accepted: {str(got)[:100]}")
            continue
        except TarnError as error:
            told = error
        if told.code != code.lstrip("?") or (state and told.error.get("sqlstate") != state):
            wrong.append(f"{marked}: {told.code} {told.error.get('sqlstate')}: {told.message}")
        elif not anywhere and told.position != place:
            wrong.append(f"{marked}: place {told.position}, not {place}: {told.message}")
        elif told.position is not None and not 0 <= told.position <= len(sql.encode()):
            wrong.append(f"{marked}: place {told.position} is outside")
        elif hint and hint not in (told.hint or ""):
            wrong.append(f"{marked}: hint {told.hint!r} without {hint!r}")
        check(len(told.error.get("sqlstate", "")) == 5, f"{marked}: every error has an SQLSTATE")
    check(not wrong, f"{len(wrong)} of {len(rows)}:\n" + "\n".join(wrong))


@test
def setup():
    shared().query(SETUP)
    rows = NAMES + SYNTAX + VALUES + MEANING
    check(len(rows) >= 160, "enough of them")
    check(sum(1 for row in rows if "«" in row[2]) >= 140, "of nearly all the exact place")


@test
def names_that_do_not_exist():
    look(NAMES)


@test
def syntax():
    look(SYNTAX)


@test
def values_and_types():
    look(VALUES)


@test
def what_cannot_be_meant():
    look(MEANING)


main()

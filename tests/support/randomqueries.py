"""Random queries over random tables: joins, windows, nested access, set operations, common table expressions,
subqueries, lateral ones, grouping sets, pivots. Each has one defined set of rows: where a choice depends on an order, the
order is by what is unique; sums are of whole numbers. What is read stands in them as @name@."""
from randomtables import predicate

# What a column's values may be asked for, by its kind: expressions with one defined value.
EXPRESSIONS = {
    "flag": ["NOT {c}", "{c}::INTEGER"], "small": ["{c} * 2", "{c} // 3", "CASE WHEN {c} > 5 THEN 'many' ELSE 'few' END"],
    "i": ["{c}::BIGINT * 3", "{c} % 10", "abs({c}::BIGINT)"],
    "l": ["{c}::HUGEINT + 1", "{c} // 1000"], "dec": ["{c} * 2", "round({c})"], "dec18": ["{c} + 1"], "dec38": ["{c} < 0"],
    "f": ["isnan({c})", "{c} > 0"], "d": ["isnan({c})", "{c}::VARCHAR"],
    "day": ["{c} + 1", "date_trunc('month', {c})", "strftime({c}, '%Y/%m/%d')", "dayname({c})"], "clock": ["hour({c})"],
    "ts": ["{c}::DATE", "{c} + INTERVAL 1 MONTH", "date_part('hour', {c})", "epoch_us({c})"], "tz": ["epoch_us({c})"],
    "text": ["upper({c})", "length({c})", "{c} || '!'", "left({c}, 3)", "reverse({c})", "md5({c})", "string_split({c}, '-')",
             "regexp_replace({c}, '[aeiou]', '_', 'g')", "coalesce({c}, '?')"],
    "Mixed Case": ["{c} || {c}"], "bytes": ["octet_length({c})", "hex({c})"], "u": ["left({c}::VARCHAR, 8)"],
    "s": ["{c}.i", "{c}.s", "{c}['s']", "struct_extract({c}, 'i')", "struct_pack(i := {c}.i, more := 1)", "{c} IS NULL"],
    "li": ["{c}[1]", "{c}[2:]", "len({c})", "list_sum({c})", "list_sort({c})", "list_transform({c}, lambda x: x + 1)",
           "[x * 2 FOR x IN {c} IF x > 0]", "array_to_string({c}, ',')", "list_distinct({c}).list_sort()", "list_reverse({c})"],
    "m": ["{c}['k']", "map_keys({c})", "cardinality({c})", "map_entries({c})"],
    "deep": ["{c}.a", "{c}.a.x", "{c}.b[1]", "{c}.d + 1", "{c}.a.y || 'x'", "list_sum({c}.b)"],
    "ls": ["{c}[1]", "{c}[1].y", "list_transform({c}, lambda e: e.x)", "len({c})"], "ll": ["flatten({c})", "{c}[1]", "{c}[1][-1]"],
    "ml": ["map_values({c})", "{c}[1]", "{c}[2][1]", "map_keys({c})"],
}
WHOLE_NUMBERS = {"small", "i", "l"}
ORDERED_LISTS = {"li": "INTEGER", "ll": "VARCHAR[]", "ls": "STRUCT"}


class Queries:
    """Queries over relations: pairs of a name and the table whose columns it has."""

    def __init__(self, random, relations):
        self.random, self.relations = random, relations

    def relation(self):
        """What stands in FROM, without its name, and whose columns it has."""
        name, table = self.random.choice(self.relations)
        kind = self.random.random()
        if kind < 0.6:
            return f"@{name}@", table
        if kind < 0.8:
            return f"(SELECT * FROM @{name}@ WHERE {predicate(table, self.random)})", table
        if kind < 0.9:
            return f"(FROM @{name}@ SELECT * ORDER BY id DESC LIMIT {self.random.randint(1, 40)})", table
        return f"(SELECT DISTINCT * FROM @{name}@)", table

    def expression(self, table, alias):
        column = self.random.choice(table.columns)
        name = f"{alias}.{column.sql}"
        return self.random.choice(EXPRESSIONS.get(column.kind, ["{c}"]) + ["{c}"]).format(c=name)

    def items(self, table, alias, most=3):
        return ", ".join(f"{self.expression(table, alias)} AS e{n}" for n in range(self.random.randint(1, most)))

    def where(self, table, alias, chance=0.7):
        return f" WHERE {predicate(table, self.random, alias + '.')}" if self.random.random() < chance else ""

    def plain(self):
        what, table = self.relation()
        tail = self.random.choice(("", "", f" ORDER BY a.id LIMIT {self.random.randint(0, 20)} OFFSET {self.random.randint(0, 9)}",
                                   f" ORDER BY {self.random.choice(('ALL', 'a.id DESC', '1'))}"))
        return f"SELECT a.id, {self.items(table, 'a')} FROM {what} AS a{self.where(table, 'a')}{tail}"

    def star(self):
        what, table = self.relation()
        column = self.random.choice(table.columns)
        shape = self.random.choice(("*", f"* EXCLUDE ({column.sql})", f"* REPLACE (NULL AS {column.sql})",
                                    f"* RENAME ({column.sql} AS renamed)", "COLUMNS('^[a-l].*')"))
        return f"SELECT {shape} FROM {what} AS a{self.where(table, 'a')}"

    def join(self):
        random = self.random
        (one, first), (two, second) = self.relation(), self.relation()
        on = random.choice(("a.id = b.id", "a.id = b.id", f"a.id = b.id AND {predicate(second, random, 'b.')}",
                            "a.id % 7 = b.id % 7 AND a.id < b.id", "a.id BETWEEN b.id - 1 AND b.id + 1"))
        kind = random.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN"))
        if kind in ("RIGHT JOIN", "FULL JOIN") and "a.id = b.id" not in on:
            on = "a.id = b.id"
        if kind in ("SEMI JOIN", "ANTI JOIN"):
            return f"SELECT a.id, {self.items(first, 'a')} FROM {one} AS a {kind} {two} AS b ON {on}{self.where(first, 'a', 0.4)}"
        where = f" WHERE {predicate(random.choice((first, first)), random, 'a.')}" if random.random() < 0.5 else ""
        more = f", {self.expression(second, 'b')} AS other"
        return f"SELECT a.id AS one, b.id AS two, {self.items(first, 'a', 2)}{more} FROM {one} AS a {kind} {two} AS b ON {on}{where}"

    def three(self):
        (one, first), (two, _), (three, third) = self.relation(), self.relation(), self.relation()
        return (f"SELECT count(*), sum(a.id), sum(c.id), count({self.expression(third, 'c')}) FROM {one} AS a JOIN {two} AS b"
                f" USING (id) LEFT JOIN {three} AS c ON c.id = b.id + {self.random.randint(0, 3)}{self.where(first, 'a')}")

    def asof(self):
        (one, first), (two, second) = self.relation(), self.relation()
        return (f"SELECT a.id AS one, b.id AS two, {self.items(first, 'a', 2)} FROM {one} AS a ASOF LEFT JOIN"
                f" (SELECT * FROM {two} WHERE id % 3 = 0) AS b ON a.id >= b.id")

    def aggregate(self):
        random = self.random
        what, table = self.relation()
        column = random.choice(table.columns)
        key = random.choice((self.expression(table, "a"), "a.id % 5", f"a.{column.sql} IS NULL"))
        items = ["count(*)", "sum(a.id)", "min(a.id)", f"count(DISTINCT a.{column.sql})", f"max(a.id) FILTER (WHERE a.id % 2 = 0)",
                 f"list(a.id ORDER BY a.id)[:5]", f"arg_min(a.{column.sql}, a.id)", "string_agg(a.id::VARCHAR, ',' ORDER BY a.id DESC)",
                 "avg(a.id % 10)", f"bool_or(a.{column.sql} IS NULL)"]
        if column.ordered:
            items += [f"min(a.{column.sql})", f"max(a.{column.sql})"]
        if column.kind in WHOLE_NUMBERS:
            items += [f"sum(a.{column.sql})", f"quantile_disc(a.{column.sql}, 0.5)", f"bit_xor(a.{column.sql})"]
        chosen = ", ".join(f"{text} AS g{n}" for n, text in enumerate(random.sample(items, random.randint(1, 4))))
        having = random.choice(("", "", " HAVING count(*) > 1"))
        group = random.choice(("GROUP BY k", "GROUP BY ALL", "GROUP BY 1"))
        return f"SELECT {key} AS k, {chosen} FROM {what} AS a{self.where(table, 'a')} {group}{having}"

    def grouping(self):
        what, table = self.relation()
        one, two = self.random.choice(table.columns), self.random.choice(table.columns)
        sets = self.random.choice(("ROLLUP (p, q)", "CUBE (p, q)", "GROUPING SETS ((p), (q), ())"))
        return (f"SELECT p, q, count(*) AS n, sum(id) AS total, grouping(p, q) AS g FROM (SELECT id, a.{one.sql} AS p, id % 3 AS q,"
                f" a.{two.sql} AS r FROM {what} AS a) GROUP BY {sets}")

    def window(self):
        random = self.random
        what, table = self.relation()
        column = random.choice([c for c in table.columns if c.ordered] or [None])
        order = f"a.{column.sql} {random.choice(('', 'DESC'))} NULLS {random.choice(('FIRST', 'LAST'))}, a.id" if column else "a.id"
        part = random.choice(("", "PARTITION BY a.id % 4 ", f"PARTITION BY {self.expression(table, 'a')} "))
        frame = random.choice(("", " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", " ROWS UNBOUNDED PRECEDING",
                               " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING"))
        function = random.choice(("row_number()", "rank()", "dense_rank()", "ntile(3)", "lag(a.id, 2, -1)", "lead(a.id)", "percent_rank()"))
        framed = random.choice(("sum(a.id)", "count(*)", "min(a.id)", "first_value(a.id)", "last_value(a.id)", "nth_value(a.id, 2)"))
        qualify = random.choice(("", f" QUALIFY w1 % 2 = 0" if function in ("row_number()", "rank()", "dense_rank()") else ""))
        return (f"SELECT a.id, {function} OVER ({part}ORDER BY {order}) AS w1, {framed} OVER ({part}ORDER BY {order}{frame}) AS w2"
                f" FROM {what} AS a{self.where(table, 'a', 0.4)}{qualify}")

    def sets(self):
        (one, first), (two, second) = self.relation(), self.relation()
        kind = self.random.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL", "UNION BY NAME"))
        return (f"SELECT id, id % 3 AS r FROM {one} AS a{self.where(first, 'a')} {kind}"
                f" SELECT id, id % 3 AS r FROM {two} AS b{self.where(second, 'b')}")

    def common(self):
        what, table = self.relation()
        kind = self.random.choice(("", "MATERIALIZED ", "NOT MATERIALIZED "))
        return (f"WITH x AS {kind}(SELECT a.id, {self.items(table, 'a')} FROM {what} AS a{self.where(table, 'a')}), y AS (SELECT id FROM x"
                f" WHERE id % 2 = 0) SELECT x.*, y.id AS even, (SELECT count(*) FROM y z WHERE z.id < x.id) AS before FROM x LEFT JOIN y USING (id)")

    def recursive(self):
        name, _ = self.random.choice(self.relations)
        return (f"WITH RECURSIVE r(id, depth) AS (SELECT min(id), 0 FROM @{name}@ UNION ALL SELECT (SELECT min(a.id) FROM @{name}@ AS a"
                " WHERE a.id > r.id), depth + 1 FROM r WHERE r.id IS NOT NULL AND depth < 12) SELECT * FROM r")

    def correlated(self):
        random = self.random
        (one, first), (two, second) = self.relation(), self.relation()
        match = f"FROM {two} AS b WHERE b.id {random.choice(('=', '<', '>='))} a.id AND {predicate(second, random, 'b.')}"
        where = random.choice((f"EXISTS (SELECT 1 {match})", f"NOT EXISTS (SELECT 1 {match})",
                               f"a.id IN (SELECT b.id + 1 FROM {two} AS b{self.where(second, 'b')})",
                               f"a.id > ALL (SELECT b.id - 20 FROM {two} AS b WHERE b.id % 3 = a.id % 3)",
                               f"(SELECT count(*) {match}) > 2"))
        scalar = f"(SELECT max(b.id) {match})"
        return f"SELECT a.id, {scalar} AS most, {self.expression(first, 'a')} AS e FROM {one} AS a WHERE {where}"

    def lateral(self):
        (one, first), (two, second) = self.relation(), self.relation()
        kind = self.random.choice((", LATERAL ({}) AS l", " LEFT JOIN LATERAL ({}) AS l ON true", " CROSS JOIN LATERAL ({}) AS l"))
        inside = self.random.choice((f"SELECT count(*) AS n, min(b.id) AS m FROM {two} AS b WHERE b.id > a.id",
                                     f"SELECT b.id AS n, a.id + b.id AS m FROM {two} AS b WHERE b.id = a.id + 1",
                                     "SELECT a.id * 2 AS n, NULL AS m"))
        return f"SELECT a.id, l.n, l.m, {self.items(first, 'a', 2)} FROM {one} AS a{kind.format(inside)}"

    def unnested(self):
        what, table = self.relation()
        lists = [c for c in table.columns if c.kind in ORDERED_LISTS]
        if not lists:
            return f"SELECT a.id, unnest([a.id, NULL, a.id % 3]) AS u FROM {what} AS a{self.where(table, 'a')}"
        column = self.random.choice(lists)
        shape = self.random.choice((f"SELECT a.id, unnest(a.{column.sql}) AS u FROM {what} AS a{self.where(table, 'a')}",
                                    f"SELECT a.id, u.v FROM {what} AS a, UNNEST(a.{column.sql}) AS u(v)",
                                    f"SELECT a.id, generate_subscripts(a.{column.sql}, 1) AS i, unnest(a.{column.sql}) AS u FROM {what} AS a",
                                    f"SELECT count(*) AS n, sum(len(v)) AS m FROM (SELECT list(a.id) AS v FROM {what} AS a GROUP BY len(a.{column.sql}))"))
        return shape

    def pivoted(self):
        what, _ = self.relation()
        return self.random.choice((
            f"PIVOT (SELECT id % 4 AS k, id % 3 AS j, id FROM {what} AS a) ON k IN (0, 1, 2, 3) USING sum(id) AS s, count(*) AS n GROUP BY j",
            f"UNPIVOT (SELECT id, id % 4 AS k, id % 3 AS j FROM {what} AS a) ON k, j INTO NAME what VALUE v",
            f"SELECT DISTINCT ON (k) id % 5 AS k, id FROM {what} AS a ORDER BY k, id DESC"))

    def any(self):
        return self.random.choice((self.plain, self.plain, self.star, self.join, self.join, self.three, self.asof, self.aggregate,
                                   self.aggregate, self.grouping, self.window, self.window, self.sets, self.common, self.recursive,
                                   self.correlated, self.correlated, self.lateral, self.unnested, self.pivoted))()


def as_texts(sql):
    """The query with every value as a text, so that both sides write it alike."""
    return f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql}) AS q"

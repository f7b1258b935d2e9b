"""Random statements that change a table of randomtables.py, which tarn and plain DuckDB both take."""
import re

import randomtables


class Changes:
    """Statements that change `table`, and what is to be compared afterwards."""

    def __init__(self, random, table):
        self.random, self.table, self.members = random, table, True
        self.names = ["id"] + [c.sql for c in table.columns]

    def contents(self):
        return f"SELECT {', '.join(f'CAST({name} AS VARCHAR)' for name in self.names)} FROM {self.table.name} AS t ORDER BY t.id"

    def condition(self, alias, wanted=0.5):
        if self.random.random() > wanted:
            return None
        condition = randomtables.predicate(self.table, self.random, alias)
        return f"({condition}) OR {alias}id % 5 = 1" if self.random.random() < 0.5 else condition

    def source(self, new=True):
        """Rows of the table's columns, of unlike ids, some of them the table's."""
        random, table = self.random, self.table
        if random.random() < 0.3:
            step = random.choice((0, 0, 1000)) if new else 0
            return f"(SELECT * REPLACE (id + {step} AS id) FROM {table.name} WHERE id % {random.randint(1, 4)} = 0)"
        known = list(range(1, table.row_count + 1))
        ids = random.sample(known, min(len(known), random.choice((1, 3, 20))))
        if new:
            ids += [table.next_id + n for n in range(random.choice((0, 2, 10)))]
            table.next_id += 10
        rows = []
        for number in ids:
            values = ["NULL" if random.random() < 0.2 else random.choice(table.pools[c.name]) for c in table.columns]
            rows.append(f"({number}, {', '.join(values)})")
        columns = ", ".join(f"CAST(c{n} AS {c.type}) AS {c.sql}" for n, c in enumerate(table.columns))
        names = ", ".join(["i"] + [f"c{n}" for n in range(len(table.columns))])
        return f"(SELECT CAST(i AS BIGINT) AS id, {columns} FROM (VALUES {', '.join(rows)}) AS v({names}))"

    def assignments(self, source):
        """SET …, of constants, of the source's columns, of expressions."""
        random, out = self.random, []
        for column in random.sample(self.table.columns, random.randint(1, min(4, len(self.table.columns)))):
            kind = random.random()
            value = random.choice(self.table.pools[column.name])
            if source and kind < 0.5:
                value = f"{source}.{column.sql}"
            elif kind < 0.7:
                value = random.choice(("NULL", "DEFAULT"))
            elif kind < 0.85:
                value = f"CASE WHEN t.id % 2 = 0 THEN {value} ELSE t.{column.sql} END"
            if column.name == "s" and self.members and random.random() < 0.6:
                out.append(f'{column.sql}.i = ({random.choice(("NULL", "7", "-1"))})')
                continue
            out.append(f"{column.sql} = {value}")
        return ", ".join(out)

    def update(self):
        where = self.condition("t.", 0.8)
        text = f"UPDATE {self.table.name} AS t SET "
        if self.random.random() < 0.5:
            return text + self.assignments(None) + (f" WHERE {where}" if where else "")
        return (text + self.assignments("s") + f" FROM {self.source(new=False)} AS s WHERE s.id = t.id"
                + (f" AND ({where})" if where else ""))

    def delete(self):
        where = self.condition("t.", 0.5)
        return (f"DELETE FROM {self.table.name} AS t USING {self.source()} AS s WHERE s.id = t.id"
                + (f" AND ({where})" if where else ""))

    def branch(self, kind, last):
        random = self.random
        condition = self.condition("s." if kind == "NOT MATCHED" else "t.", 0.4 if last else 1)
        text = f" WHEN {kind}" + (f" AND ({condition})" if condition else "") + " THEN "
        if random.random() < 0.15:
            return text + "DO NOTHING"
        if kind == "NOT MATCHED":
            values = ", ".join(f"s.{name}" for name in self.names)
            return text + random.choice(("INSERT *", "INSERT BY NAME", f"INSERT ({', '.join(self.names)}) VALUES ({values})",
                                         "INSERT (id) VALUES (id)"))
        if random.random() < 0.2:
            return text + "DELETE"
        if kind == "MATCHED" and random.random() < 0.3:
            return text + random.choice(("UPDATE SET *", "UPDATE BY NAME"))
        return text + "UPDATE SET " + self.assignments("s" if kind == "MATCHED" else None)

    def merge(self):
        random = self.random
        kinds = ["MATCHED"] * random.randint(0, 2) + ["NOT MATCHED"] * random.randint(0, 2)
        kinds += ["NOT MATCHED BY SOURCE"] * random.choice((0, 0, 1, 2))
        random.shuffle(kinds)
        kinds = kinds or ["MATCHED"]
        more = self.condition("t.", 0.3) if "NOT MATCHED" not in kinds else None
        match = "USING (id)" if random.random() < 0.2 else "ON s.id = t.id" + (f" AND ({more})" if more else "")
        return f"MERGE INTO {self.table.name} AS t USING {self.source()} AS s {match}" + "".join(
            self.branch(kind, kind not in kinds[n + 1:]) for n, kind in enumerate(kinds))

    @staticmethod
    def of_duck(sql):
        """DuckDB sets whole structs alone."""
        return re.sub(r'"s"\.i = \((NULL|-?\d+)\)', r'"s" = struct_pack(i := \1::INTEGER, s := t."s".s)', sql)

    def upsert(self):
        random, name = self.random, self.table.name
        source = f"SELECT * FROM {self.source()} AS x"
        if random.random() < 0.3:
            return f"INSERT OR {random.choice(('REPLACE', 'IGNORE'))} INTO {name} {source}"
        text = f"INSERT INTO {name} {source} ON CONFLICT (id) DO "
        if random.random() < 0.3:
            return text + "NOTHING"
        columns = random.sample(self.table.columns, random.randint(1, len(self.table.columns)))
        where = self.condition("excluded.", 0.4)
        return (text + "UPDATE SET " + ", ".join(f"{c.sql} = EXCLUDED.{c.sql}" for c in columns)
                + (f" WHERE {where}" if where else ""))

    def any(self):
        return self.random.choice((self.update, self.delete, self.merge, self.merge, self.upsert))()

    def returning(self, sql):
        """What the statement returns, as texts: the columns, some expression, what a MERGE did."""
        random = self.random
        columns = random.sample(self.names, random.randint(1, len(self.names)))
        items = [f"CAST({name} AS VARCHAR)" for name in ["id"] + columns]
        items += random.choice(([], ["id % 7 + 1 AS more"], ["42"]))
        if sql.startswith("MERGE"):
            items.insert(random.randint(0, len(items)), "merge_action")
        return f"{sql} RETURNING {', '.join(items)}"

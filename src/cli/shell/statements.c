/* \h: what a statement looks like, in a few lines. The whole is docs/sql.md; what the server refuses it says
 * itself. */
#include <stdio.h>

#include "shell/internal.h"

static const struct statement_help {
    const char *name;
    const char *purpose;
    const char *syntax;
} statements[] = {
    {"ALTER SCHEMA", "changes properties of a namespace",
     "ALTER SCHEMA [IF EXISTS] name SET PROPERTIES ('property' = 'value', …)\n"
     "ALTER SCHEMA [IF EXISTS] name UNSET PROPERTIES ('property', …)\n"
     "ALTER SCHEMA [IF EXISTS] name SET LOCATION 's3://…'"},
    {"ALTER TABLE", "changes what a table is, never its files",
     "ALTER TABLE name ADD [COLUMN] [IF NOT EXISTS] column type [NOT NULL] [DEFAULT value] [FIRST | AFTER column]\n"
     "ALTER TABLE name DROP [COLUMN] [IF EXISTS] column | RENAME [COLUMN] a TO b | RENAME TO other\n"
     "ALTER TABLE name ALTER [COLUMN] column TYPE type | COMMENT 'text' | DROP NOT NULL | SET DEFAULT value\n"
     "ALTER TABLE name ADD | DROP | REPLACE PARTITION FIELD month(column) …\n"
     "ALTER TABLE name WRITE ORDERED BY column [DESC], … | SET PROPERTIES ('name' = 'value', …)"},
    {"BEGIN", "several statements as one commit", "BEGIN; …; COMMIT | ROLLBACK"},
    {"CALL", "runs a procedure", "CALL tarn.procedure(argument => value, …)"},
    {"COMMENT", "says what a table or column is",
     "COMMENT ON TABLE name | COLUMN table.column IS 'text' | NULL"},
    {"CREATE SCHEMA", "makes a namespace", "CREATE SCHEMA [IF NOT EXISTS] name[.name …]"},
    {"CREATE TABLE", "makes a table, empty or of a query's rows",
     "CREATE TABLE [IF NOT EXISTS] name (column type [NOT NULL] [DEFAULT value] [COMMENT 'text'], …)\n"
     "    [PARTITIONED BY (column, month(column), bucket(16, column), …)] [WITH ('property' = 'value', …)]\n"
     "CREATE TABLE name [PARTITIONED BY (…)] AS SELECT …"},
    {"CREATE VIEW", "names a query", "CREATE [OR REPLACE] VIEW name [(column, …)] AS SELECT …"},
    {"DELETE", "takes rows out", "DELETE FROM table [AS t] [USING other] [WHERE condition]"},
    {"DESCRIBE", "the columns of a table or of a query", "DESCRIBE table | SELECT …"},
    {"DROP", "takes a table, view or namespace away",
     "DROP TABLE | VIEW [IF EXISTS] name\nDROP SCHEMA [IF EXISTS] name [CASCADE]"},
    {"EXPLAIN", "what a query would do, or did", "EXPLAIN [ANALYZE] statement"},
    {"INSERT", "puts rows in",
     "INSERT INTO table [(column, …)] VALUES (…), … | SELECT …\n"
     "INSERT INTO table BY NAME SELECT …\n"
     "INSERT INTO table … ON CONFLICT (column, …) DO UPDATE SET column = excluded.column, … | DO NOTHING\n"
     "INSERT OVERWRITE table SELECT …"},
    {"MERGE", "changes, adds and removes rows by those of another",
     "MERGE INTO table AS t USING source AS s ON condition\n"
     "    WHEN MATCHED [AND condition] THEN UPDATE SET column = value, … | DELETE | DO NOTHING\n"
     "    WHEN NOT MATCHED [AND condition] THEN INSERT [(column, …)] VALUES (…) | INSERT *\n"
     "    WHEN NOT MATCHED BY SOURCE [AND condition] THEN UPDATE SET … | DELETE"},
    {"SELECT", "rows out",
     "[WITH name AS (SELECT …), …]\n"
     "SELECT [DISTINCT] value [AS name], … | * [EXCLUDE (column, …)]\n"
     "    FROM table [AT (VERSION => id | TIMESTAMP => time)] [AS t] [JOIN other ON … | USING (column, …)]\n"
     "    [WHERE …] [GROUP BY … | ALL] [HAVING …] [QUALIFY …] [ORDER BY … | ALL] [LIMIT n] [OFFSET n]\n"
     "    [UNION [ALL] | INTERSECT | EXCEPT SELECT …]"},
    {"SHOW", "what there is", "SHOW SCHEMAS | TABLES\nSHOW CREATE TABLE name"},
    {"SUMMARIZE", "statistics of every column", "SUMMARIZE table | SELECT …"},
    {"TRUNCATE", "takes all rows out", "TRUNCATE [TABLE] name"},
    {"UPDATE", "changes rows",
     "UPDATE table [AS t] SET column = value, … [FROM other] [WHERE condition]"},
    {"USE", "the namespace of names without one", "USE namespace"},
};

void shell_statement_names(arena *a, str **ret_names, size_t *ret_count)
{
    *ret_names = ARENA_ARRAY(a, str, COUNT_OF(statements));
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        (*ret_names)[i] = str_c(statements[i].name);
    }
    *ret_count = COUNT_OF(statements);
}

bool shell_statement_help(shell *s, str operand)
{
    bool found = false;

    operand = str_trim(operand);
    for (size_t i = 0; i < COUNT_OF(statements); i++) {
        const struct statement_help *h = &statements[i];
        if (operand.size == 0) {
            printf("  %-14s %s\n", h->name, h->purpose);
        } else if (str_starts_with_nocase(str_c(h->name), operand)) {
            printf("%s%s: %s\n%s\n", found ? "\n" : "", h->name, h->purpose, h->syntax);
        } else {
            continue;
        }
        found = true;
    }
    if (!found) {
        return shell_refuse(s, "no help on \"%.*s\"; \\h alone lists what there is",
                            STR_ARG(operand));
    }
    if (operand.size == 0) {
        printf("\\h STATEMENT shows how it is written.\n");
    }
    return true;
}

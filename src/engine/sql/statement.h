/* statement.h: what one SQL statement is, as tarn understands it.
 *
 * Reading statements pass to DuckDB unchanged and are only recognised here. Statements that
 * change the catalog or a table are parsed by tarn; the pieces that are DuckDB's own language
 * (the source of an INSERT, the types of columns) are handed out as text, and DuckDB's parser
 * has the last word on each of them. Everything else is refused by name: statement.c holds the
 * table of what and why. */
#ifndef TARN_ENGINE_STATEMENT_H
#define TARN_ENGINE_STATEMENT_H

#include "sql/token.h"
#include "tarn/catalog/catalog.h"
#include "tarn/iceberg/evolve.h"

/*  kind              what people call it    changes something */
#define STATEMENT_TABLE(X)                           \
    X(READ, "SELECT", false)                         \
    X(EXPLAIN, "EXPLAIN", false)                     \
    X(SHOW_TABLES, "SHOW TABLES", false)             \
    X(SHOW_ALL_TABLES, "SHOW ALL TABLES", false)     \
    X(SHOW_SCHEMAS, "SHOW SCHEMAS", false)           \
    X(SHOW_CREATE_TABLE, "SHOW CREATE TABLE", false) \
    X(SHOW_VIEWS, "SHOW VIEWS", false)               \
    X(SHOW_CREATE_VIEW, "SHOW CREATE VIEW", false)   \
    X(SHOW_FUNCTIONS, "SHOW FUNCTIONS", false)       \
    X(SHOW_PROPERTIES, "SHOW TBLPROPERTIES", false)  \
    X(DESCRIBE_TABLE, "DESCRIBE", false)             \
    X(BEGIN, "BEGIN", false)                         \
    X(COMMIT, "COMMIT", false)                       \
    X(ROLLBACK, "ROLLBACK", false)                   \
    X(USE, "USE", false)                             \
    X(CREATE_SCHEMA, "CREATE SCHEMA", true)          \
    X(ALTER_SCHEMA, "ALTER SCHEMA", true)            \
    X(DROP_SCHEMA, "DROP SCHEMA", true)              \
    X(CREATE_TABLE, "CREATE TABLE", true)            \
    X(CREATE_TABLE_AS, "CREATE TABLE AS", true)      \
    X(DROP_TABLE, "DROP TABLE", true)                \
    X(UNDROP_TABLE, "UNDROP TABLE", true)            \
    X(CREATE_VIEW, "CREATE VIEW", true)              \
    X(ALTER_VIEW, "ALTER VIEW", true)                \
    X(DROP_VIEW, "DROP VIEW", true)                  \
    X(INSERT, "INSERT", true)                        \
    X(UPDATE, "UPDATE", true)                        \
    X(DELETE, "DELETE", true)                        \
    X(MERGE, "MERGE", true)                          \
    X(TRUNCATE, "TRUNCATE", true)                    \
    X(ALTER_TABLE, "ALTER TABLE", true)              \
    X(COMMENT, "COMMENT ON", true)                   \
    X(CALL, "CALL", true)                            \
    X(ANALYZE, "ANALYZE", true)                      \
    X(SET_BRANCH, "SET branch", false)               \
    X(PREPARE, "PREPARE", false)                     \
    X(EXECUTE, "EXECUTE", false)                     \
    X(DEALLOCATE, "DEALLOCATE", false)

typedef enum statement_kind {
#define X(name, ...) STATEMENT_##name,
    STATEMENT_TABLE(X)
#undef X
} statement_kind;
const char *statement_kind_name(statement_kind kind);
bool statement_changes(statement_kind kind);

/* "a.b.c": unquoted parts, and where the first of them stands. */
typedef struct statement_name {
    const str *parts;
    size_t count;
    size_t position;
} statement_name;

typedef struct statement_column {
    str name;
    str type_text;        /* as written */
    str comment;          /* STR_NULL: none */
    token_range fallback; /* of DEFAULT: one constant; empty: none */
    bool required;
    size_t position;      /* of the name */
    size_t type_position; /* of the type */
} statement_column;

/* One action of ALTER TABLE, and what COMMENT ON says. */
typedef enum change_kind {
    CHANGE_ADD_COLUMN,
    CHANGE_DROP_COLUMN,
    CHANGE_RENAME_COLUMN,
    CHANGE_MOVE_COLUMN,
    CHANGE_COLUMN_TYPE,
    CHANGE_SET_REQUIRED, /* `required` tells which way */
    CHANGE_SET_DEFAULT,
    CHANGE_DROP_DEFAULT,
    CHANGE_COLUMN_COMMENT,
    CHANGE_TABLE_COMMENT,
    CHANGE_SET_PROPERTIES,
    CHANGE_UNSET_PROPERTIES,
    CHANGE_SET_IDENTIFIER,
    CHANGE_DROP_IDENTIFIER,
    CHANGE_ADD_PARTITION,
    CHANGE_DROP_PARTITION,
    CHANGE_REPLACE_PARTITION,
    CHANGE_PARTITIONING,
    CHANGE_ORDER,
    CHANGE_FORMAT_VERSION,
    CHANGE_RENAME_TABLE,
    CHANGE_SET_REF,
    CHANGE_DROP_REF,
} change_kind;

typedef struct statement_change {
    change_kind kind;
    size_t position;         /* of the column, field or name that it speaks of */
    statement_name path;     /* of the column */
    statement_column column; /* ADD COLUMN and TYPE: all but its name; SET DEFAULT: the constant */
    statement_name to;       /* RENAME TO */
    str name;                /* RENAME COLUMN … TO; name of a branch or tag */
    str text;                /* partition field or sort order; comment (STR_NULL: none) */
    str with;                /* REPLACE PARTITION FIELD … WITH this */
    size_t text_position, with_position;
    ice_place place;
    str beside;
    const catalog_property *properties; /* UNSET: keys alone */
    const statement_name *paths;        /* identifier fields */
    size_t property_count, path_count;
    bool required, if_exists; /* or IF NOT EXISTS */
    int format_version;
    ice_ref ref;          /* CREATE BRANCH … */
    bool has_snapshot;    /* AS OF VERSION */
    bool create, replace; /* CREATE, OR REPLACE; REPLACE alone wants one that is there */
} statement_change;

/* CALL p(name => value): what stands between the commas. */
typedef struct statement_argument {
    str name; /* STR_NULL: by position */
    token_range value;
    size_t position;
} statement_argument;

/* column = value. */
typedef struct statement_set {
    str column;        /* STR_NULL: by its place, in INSERT VALUES (…) */
    const str *path;   /* a.b.c = …: all of it, from the column's name (or the table's) on */
    size_t path_count; /* 0: the column stands alone */
    size_t position;   /* of the column, or the value */
    size_t name_token;
    token_range value; /* empty: none, in PARTITION (p) */
    bool fallback;     /* the value is DEFAULT */
} statement_set;

/* Which rows a branch is for. */
typedef enum branch_match { BRANCH_MATCHED, BRANCH_NO_TARGET, BRANCH_NO_SOURCE } branch_match;
typedef enum branch_action {
    BRANCH_NOTHING,
    BRANCH_UPDATE,
    BRANCH_DELETE,
    BRANCH_INSERT
} branch_action;

/* WHEN … THEN …: the first whose condition holds is what becomes of a row. */
typedef struct statement_branch {
    branch_match match;
    branch_action action;
    size_t position;
    token_range condition; /* empty: none */
    bool all;              /* all columns of the source, in their order or by name */
    bool by_name;
    const statement_set *sets; /* INSERT: none and not `all` is DEFAULT VALUES */
    size_t set_count;
} statement_branch;

typedef enum insert_source { INSERT_VALUES, INSERT_SELECT, INSERT_DEFAULT_VALUES } insert_source;

typedef struct statement {
    statement_kind kind;
    size_t position;     /* of its first byte in the script */
    token_range tokens;  /* all of it */
    statement_name name; /* of the schema or table; count 0 where there is none */
    bool if_exists;      /* IF [NOT] EXISTS */
    bool cascade;
    bool unset;                   /* ALTER SCHEMA … UNSET: of `properties` the keys alone */
    bool replace;                 /* CREATE OR REPLACE */
    bool must_exist;              /* ALTER VIEW … AS */
    bool on_view;                 /* COMMENT ON VIEW */
    bool purge;                   /* DROP TABLE … PURGE */
    const statement_name *others; /* DROP TABLE a, b: those behind the first; UNDROP TABLE … AS */
    size_t other_count;
    statement_name like;               /* CREATE TABLE … LIKE; count 0: none */
    bool like_properties;              /* INCLUDING PROPERTIES */
    str property;                      /* SHOW TBLPROPERTIES t ('this'); STR_NULL: all */
    bool analyze;                      /* EXPLAIN ANALYZE */
    bool as_json;                      /* EXPLAIN (FORMAT JSON) */
    bool read_only, serializable;      /* BEGIN */
    const struct statement *explained; /* EXPLAIN of one that changes something; NULL: of a query */
    /* ALTER TABLE, COMMENT ON: in order, all or none */
    const statement_change *changes;
    size_t change_count;
    /* PREPARE: what is prepared; its parameters' types are in `columns`, its text is `body` */
    statement_kind inner;
    /* CALL: the procedure's name is `name`; EXECUTE */
    const statement_argument *arguments;
    size_t argument_count;
    str branch; /* SET branch; STR_NULL: RESET branch */
    /* CREATE TABLE */
    const statement_column *columns;
    size_t column_count;
    str partition_sql; /* between the brackets; empty: none */
    size_t partition_position;
    const catalog_property *properties; /* WITH (…), without location and format-version */
    size_t property_count;
    str location;       /* STR_NULL: none */
    str comment;        /* on the table; STR_NULL: none */
    int format_version; /* 0: the default */
    /* UPDATE, DELETE, MERGE, TRUNCATE, INSERT */
    size_t name_token, name_end; /* the first of `name`, the first behind it */
    str alias;                   /* STR_NULL: none */
    size_t verb;                 /* the token that says which statement it is: behind WITH */
    token_range with;            /* what WITH in front of it lists; empty: nothing */
    bool with_recursive;
    token_range returning;    /* what RETURNING lists; empty: nothing */
    token_range where;        /* the condition; empty: all rows */
    token_range source_items; /* tables of UPDATE … FROM, DELETE … USING, MERGE … USING */
    str source_alias;         /* of MERGE */
    token_range source_join;  /* USING (a JOIN b …) AS s: the brackets; else empty */
    token_range on;           /* of MERGE */
    bool on_columns;          /* which is USING (columns), brackets and all */
    const statement_branch *branches;
    size_t branch_count;
    /* INSERT */
    bool upsert; /* ON CONFLICT, OR REPLACE, OR IGNORE: one branch */
    const str *conflict_columns;
    const size_t *conflict_positions;
    size_t conflict_count;                 /* 0: the identifier fields */
    bool overwrite;                        /* INSERT OVERWRITE */
    const statement_set *partition;        /* PARTITION (p = 1, q) */
    size_t partition_count, partition_end; /* the first token behind it */
    insert_source source;
    bool by_name;
    const str *insert_columns; /* NULL: not given; of ANALYZE too */
    const size_t *insert_positions;
    size_t insert_column_count;
    /* the SELECT (or VALUES) of CREATE TABLE AS and INSERT, and what EXPLAIN explains */
    token_range body;
} statement;

/* The statement's kind; of EXPLAIN ANALYZE that of the change which it runs. */
statement_kind statement_effect(const statement *st);

/* SYNTAX with position; UNSUPPORTED or DENIED for what tarn does not run, naming it, with a
 * hint. */
status statement_parse(const token_list *list, token_range range, arena *a,
                       statement *ret_statement, error *err);

#endif

/* tree.h: DuckDB's parse tree of a SELECT (json_serialize_sql): what it calls and what it reads.
 *
 * The walk knows every kind of node that DuckDB 1.5 writes; a kind it does not know is refused,
 * so that a new version cannot bring in something unseen. Nothing here looks at the catalog. */
#ifndef TARN_ENGINE_TREE_H
#define TARN_ENGINE_TREE_H

#include "tarn/base/vec.h"
#include "tarn/codec/json.h"

/* A table that the statement names: not a CTE, not a function. */
typedef struct tree_table {
    str parts[3]; /* as written, from the catalog's name to the table's */
    size_t part_count;
    size_t position; /* of its first part in the text that was serialised */
    bool time_travel;
} tree_table;

/* A column named with three parts or more: its front may be a table's name. */
typedef struct tree_column {
    const json *names;
    size_t position;
} tree_column;

typedef struct tree {
    VEC(tree_table) tables; /* every occurrence, in the order of the walk */
    VEC(tree_column) long_columns;
    /* Rows of its one table that the statement takes, whichever they are (tree_limit.c); -1: maybe all */
    int64_t limit_rows;
} tree;

/* `text` is what json_serialize_sql answered. SYNTAX with position where DuckDB's parser
 * refused; UNSUPPORTED for what is no single SELECT; DENIED and NO_FUNCTION from the allow-list,
 * with position. */
status tree_read(str text, arena *a, tree *ret_tree, error *err);

/* tree_limit.c: rows that SELECT … FROM one table LIMIT n OFFSET m takes, m + n; -1 for every statement that does
 * anything else with rows than taking them as they come. */
int64_t tree_limit_rows(const json *statement);

#endif

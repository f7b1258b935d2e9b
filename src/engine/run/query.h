/* query.h (private): a SELECT between its text and its rows.
 *
 *   query_analyse   parameters, parse tree, allow-list; tables resolved, authorised, loaded: one snapshot each
 *   query_open      transaction; views over stubs; filters from the plan; files chosen and linked; views over them
 *   (the caller runs query.text)
 *   query_close     rollback
 *
 * Views stand under the names that the statement uses, so that its text runs as it is. A name is
 * replaced, at its place in the text, only where DuckDB could not find a view under it: three
 * parts and more, a schema that DuckDB has itself, one name for two tables. */
#ifndef TARN_ENGINE_RUN_QUERY_H
#define TARN_ENGINE_RUN_QUERY_H

#include "run/edit.h"
#include "run/params.h"
#include "run/run.h"
#include "sql/travel.h"
#include "tarn/catalog/request.h"

/* DuckDB's parse tree of the text $1. */
#define SERIALIZE_SQL                                                                        \
    "SELECT json_serialize_sql(CAST($1 AS VARCHAR), skip_null := true, skip_empty := true, " \
    "skip_default := true)"

typedef struct query_table {
    table_name name;
    const ice_metadata *metadata;
    const ice_snapshot *snapshot; /* that is read; NULL: none */
    const ice_schema *schema;     /* that it is read with */
    str stub;                     /* path of its zero-row file; STR_NULL until made */
    bool stub_has_columns;        /* of its own (stub.h) */
    const ice_expr *filter;       /* NULL: everything */
    ice_scan scan;
    int64_t estimate; /* rows that pass the filter (estimate.h); 0: not asked, -1: nobody knows */
    /* The view tells of each row, in columns of the names below, the number of its file and its place in it. */
    bool with_places;
    bool
        with_lineage; /* with_places, and which id and sequence number the row has unless the file itself says so */
    const uint32_t *numbers; /* of the scan's files; NULL: their places in the scan */
} query_table;

/* What a statement becomes for DuckDB. */
typedef struct query_form {
    token_range range;      /* of the statement: its tables, parameters and versions are in there */
    const edit_list *edits; /* more changes to its text; may be NULL */
    const edit_piece *pieces; /* the text; NULL: the range as it stands */
    size_t piece_count;
    size_t changed_token; /* where the name of the table begins whose rows are changed; 0: none */
    const ice_metadata
        *changed; /* its metadata, which lives as long as the query; NULL: none is changed */
    table_name changed_name;
    const ice_snapshot *changed_snapshot; /* the head that is changed; NULL: none */
} query_form;

#define QUERY_CHANGED "\"#changed\"" /* schema of the view of the table that is changed */
#define QUERY_FILE "\"#file\""
#define QUERY_ROW "\"#row\""
#define QUERY_ROW_ID "\"#id\""
#define QUERY_SEQUENCE "\"#sequence\""

/* What a stored view sees of a table (bound.h). */
typedef struct bound_columns bound_columns;
typedef struct bound_list bound_list;

typedef struct query_view {
    str schema, name;
    size_t table;               /* index */
    size_t stored;              /* it is a stored view's, counted from 1; 0: a table's */
    bool is_plain;              /* named without a version, branch or the like */
    const bound_columns *bound; /* NULL: all columns */
} query_view;

/* A stored view (expand.h). */
typedef struct query_stored {
    table_name name;
    const struct ice_view *view;
    str schema;      /* of what its SQL reads */
    str text;        /* its SQL, with the names of that schema */
    size_t position; /* of the reference that brought it */
    size_t weight;   /* how often DuckDB binds stored SQL for it */
    bool *casts;     /* of its columns: DuckDB's type is not the stored one */
} query_stored;

typedef struct query_frame query_frame;

/* A folder outside of a table's location whose files were found to be readable through the table (reach.h). */
typedef struct query_reach {
    const ice_metadata *metadata;
    catalog_holder holder;
} query_reach;
#define QUERY_REACH_LOOKED_AT 64

/* A table whose name in the text was replaced. */
typedef struct query_renamed {
    const str *parts;
    size_t count;
    str text; /* "schema"."name" */
} query_renamed;

typedef struct query {
    run *r;
    arena *a;
    query_form form;
    token_range range; /* form.range */
    edit_list edits;
    travel_clause *clauses; /* of time travel, in the order of the text */
    size_t clause_count;
    travel_scan *scans; /* tables named by their location */
    size_t scan_count;
    edit_list clause_edits; /* parameters inside of them */
    size_t metadata_count;  /* metadata tables that are read */
    edited text;            /* what DuckDB runs */
    VEC(query_table) tables;
    /* Of the table that is changed, 1 up; it has a view of its own, which tells places. 0: none */
    size_t changed;
    VEC(query_view) views;
    VEC(query_stored) stored; /* what one reads stands before it */
    VEC(size_t) stored_used;  /* which of them this very text reads */
    size_t stored_names;
    const query_frame *frame; /* whose SQL this is; NULL: the statement itself */
    str own_schema;           /* of all names in it; STR_NULL: names stay what they are */
    const bound_list *bound;  /* the columns that this SQL was made with; NULL: those of now */
    buf *stored_sql;          /* all of it again, for another transaction */
    int blamed;               /* where in the script the view stands that failed */
    VEC(query_renamed) renamed;
    VEC(query_reach) reached;
    VEC(uint32_t) delete_handles; /* loaded into the worker */
    buf *extra_sql;               /* views of information_schema and the like; NULL: none */
    unsigned information;         /* which base relations of information.c are in it */
    bool joins_text; /* the views over the files are made in one message with the text: `before` */
    str before;
    bool may_keep;      /* nothing in `before` is of this statement alone (worker_query_options) */
    int64_t limit_rows; /* of its one table, whichever they are; 0: all */
    bool is_open;
    bool unplanned; /* a plan was wanted and could not be had */
} query;

/* `edits`: more changes to the text, may be NULL. */
status query_analyse(run *r, token_range range, const edit_list *edits, arena *a, query *ret_query,
                     error *err);
status query_analyse_form(run *r, const query_form *form, arena *a, query *ret_query, error *err);
/* `q` holds run, arena, form and range: the rest is found out. */
status query_analyse_text(query *q, error *err);
/* The statement itself, in its own order, as DuckDB takes it: with edits, without pieces. */
status query_own_text(const query *q, edited *ret_text, error *err);
/* `always_plan` also where no file could be left out. After an error query_close is still to be
 * called. */
status query_open(query *q, bool always_plan, error *err);
void query_close(query *q);
/* Files, rows and bytes into the run's result. */
void query_count(const query *q);
/* Runs the text; `offset`: how many bytes of `sql` stand before it. */
status query_fail(const query *q, status result, size_t offset, error *err);

/* The table's metadata, once a statement; the principal may read it. It lives as long as the query. */
status query_load(query *q, table_name name, const ice_metadata **ret_metadata, error *err);

/* views.c */
status views_open(query *q, bool always_plan, error *err);

#endif

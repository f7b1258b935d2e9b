/* ANALYZE and CALL compute_table_stats: theta sketches of a table's columns, computed in the worker by one pass over
 * the table, become the statistics of its snapshot. */
#include "run/call.h"
#include "run/query.h"
#include "run/rows_sql.h"
#include "tarn/base/limits.h"
#include "tarn/codec/theta.h"
#include "tarn/iceberg/statistics.h"

typedef struct analysis {
    run *r;
    arena *a;
    table_name table;
    int64_t snapshot_id; /* ICE_NO_SNAPSHOT: the current one */
    const str *columns;  /* NULL: all that can be counted */
    const size_t *positions;
    size_t column_count;
    str location; /* of the statistics; STR_NULL: the table has no snapshot, or no column */
} analysis;

/* ---- the columns ---- */

static bool can_be_counted(const ice_type *type)
{
    static const ice_kind kinds[] = {
        ICE_BOOLEAN, ICE_INT,    ICE_LONG,  ICE_FLOAT,       ICE_DOUBLE,
        ICE_DECIMAL, ICE_DATE,   ICE_TIME,  ICE_TIMESTAMP,   ICE_STRING,
        ICE_UUID,    ICE_BINARY, ICE_FIXED, ICE_TIMESTAMPTZ, ICE_TIMESTAMP_NS,
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (type->kind == kinds[i]) {
            return true;
        }
    }
    return false;
}

static status no_column(const analysis *n, const ice_type *root, size_t number, error *err)
{
    str *names = ARENA_ARRAY(n->a, str, root->field_count + 1);
    for (size_t i = 0; i < root->field_count; i++) {
        names[i] = root->fields[i].name;
    }
    str nearest = str_nearest(n->columns[number], names, root->field_count);
    error_set(err, STATUS_NO_COLUMN, "table \"%.*s.%.*s\" has no column \"%.*s\"",
              STR_ARG(n->table.space), STR_ARG(n->table.table), STR_ARG(n->columns[number]));
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    return run_at(STATUS_NO_COLUMN, n->positions[number], err);
}

/* Fields of the root, each once. */
static status choose_columns(const analysis *n, const ice_type *root, const ice_field **chosen,
                             size_t *ret_count, error *err)
{
    size_t count = 0;
    for (size_t i = 0; n->columns == NULL && i < root->field_count; i++) {
        if (can_be_counted(root->fields[i].type)) {
            chosen[count++] = &root->fields[i];
        }
    }
    for (size_t k = 0; n->columns != NULL && k < n->column_count; k++) {
        const ice_field *found = NULL;
        bool twice = false;
        for (size_t i = 0; i < root->field_count; i++) {
            if (str_equal_nocase(root->fields[i].name, n->columns[k])) {
                found = &root->fields[i];
            }
        }
        if (found == NULL) {
            return no_column(n, root, k, err);
        }
        if (!can_be_counted(found->type)) {
            error_set(err, STATUS_UNSUPPORTED,
                      "values of column \"%.*s\" cannot be counted: it is %s", STR_ARG(found->name),
                      ice_kind_name(found->type->kind));
            return run_at(STATUS_UNSUPPORTED, n->positions[k], err);
        }
        for (size_t i = 0; i < count; i++) {
            twice = twice || chosen[i] == found;
        }
        if (!twice) {
            chosen[count++] = found;
        }
    }
    *ret_count = count;
    return STATUS_OK;
}

/* ---- the pass over the table ---- */

static str select_text(const analysis *n)
{
    buf *sql = buf_in(n->a, LIMIT_SQL_TEXT);
    buf_add_c(sql, "SELECT * FROM ");
    for (str rest = n->table.space; !str_is_null(rest);) {
        sql_quote_name(sql, str_cut(rest, '.', &rest));
        buf_add_char(sql, '.');
    }
    sql_quote_name(sql, n->table.table);
    if (n->snapshot_id != ICE_NO_SNAPSHOT) {
        buf_printf(sql, " FOR VERSION AS OF %lld", (long long)n->snapshot_id);
    }
    return buf_str(sql);
}

static status read_sketch(const json *cell, arena *a, ice_column_statistics *ret_column, error *err)
{
    double estimate;
    TRY(str_from_hex(a, json_str_or(cell, STR("")), &ret_column->sketch, err));
    TRY(theta_estimate(ret_column->sketch, &estimate, err));
    ret_column->ndv = (int64_t)estimate;
    return STATUS_OK;
}

static status run_sketches(query *q, const ice_field *const *fields, size_t count,
                           ice_column_statistics *ret_columns, error *err)
{
    buf *sql = buf_in(q->a, LIMIT_WORKER_MESSAGE);
    const json *rows;
    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        buf_add_c(sql, i > 0 ? ", tarn_theta(" : "tarn_theta(");
        sql_quote_name(sql, fields[i]->name);
        buf_add_char(sql, ')');
    }
    buf_printf(sql, " FROM (%.*s)", STR_ARG(q->text.text));
    TRY(buf_check(sql, "the statement", err));
    TRY(worker_rows(q->r->w, buf_str(sql), &q->r->cancel, q->a, &rows, err));
    for (size_t i = 0; i < count; i++) {
        ret_columns[i].field_id = fields[i]->id;
        TRY(read_sketch(json_at(json_at(rows, 0), i), q->a, &ret_columns[i], err));
    }
    return STATUS_OK;
}

/* What the sketches say, and the snapshot that they speak of. */
static status measure(analysis *n, query *q, ice_statistics *ret_statistics, error *err)
{
    const query_table *table = &q->tables.items[0];
    const ice_type *root = table->schema->root;
    const ice_field **fields = ARENA_ARRAY(n->a, const ice_field *, root->field_count + 1);
    ice_column_statistics *columns =
        ARENA_ARRAY(n->a, ice_column_statistics, root->field_count + 1);
    size_t count = 0;

    TRY(choose_columns(n, root, fields, &count, err));
    if (table->snapshot == NULL || count == 0) {
        return STATUS_OK;
    }
    TRY(query_open(q, false, err));
    TRY(run_sketches(q, fields, count, columns, err));
    *ret_statistics = (ice_statistics){
        .snapshot_id = table->snapshot->id, .columns = columns, .column_count = count};
    return STATUS_OK;
}

/* The table is read as a query of its own, in the place of the script. */
static status measure_by_query(analysis *n, ice_statistics *ret_statistics, error *err)
{
    run *r = n->r;
    token_list outer = r->tokens;
    const query_request *outer_request = r->request;
    query_request request = *outer_request;
    token_list tokens;
    query q;

    request.sql = select_text(n);
    request.params = NULL;
    request.at = STR_NULL;
    TRY(token_scan(request.sql, n->a, &tokens, err));
    r->tokens = tokens;
    r->request = &request;
    status result =
        query_analyse(r, (token_range){.from = 0, .to = tokens.count}, NULL, n->a, &q, err);
    if (result == STATUS_OK) {
        result = measure(n, &q, ret_statistics, err);
        query_close(&q);
    } else if (err != NULL) {
        err->position = ERROR_NO_POSITION; /* in a text of tarn's */
    }
    r->tokens = outer;
    r->request = outer_request;
    return result;
}

static status analyze(analysis *n, error *err)
{
    ice_statistics statistics = {.snapshot_id = ICE_NO_SNAPSHOT};
    ice_committer committer;

    n->location = STR_NULL;
    TRY(measure_by_query(n, &statistics, err));
    if (statistics.column_count == 0) {
        return STATUS_OK;
    }
    TRY(catalog_committer(n->r->catalog, n->table, n->a, &committer, err));
    return ice_commit_statistics(&committer, &statistics, n->a, &n->location, err);
}

/* ---- the statements ---- */

static status analyze_one(run *r, const statement *st, table_name table, arena *a, error *err)
{
    analysis n = {.r = r,
                  .a = a,
                  .table = table,
                  .snapshot_id = ICE_NO_SNAPSHOT,
                  .columns = st->insert_columns,
                  .positions = st->insert_positions,
                  .column_count = st->insert_column_count};
    TRY(run_check_access(r, ACTION_TABLE_WRITE, table.space, table.table, err));
    return run_at(analyze(&n, err), st->name.count > 0 ? st->name.position : st->position, err);
}

/* All tables of the namespace in use. */
static status analyze_all(run *r, const statement *st, arena *a, error *err)
{
    table_info *tables;
    size_t count;
    TRY(catalog_list_tables(r->catalog, r->space, a, &tables, &count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(analyze_one(r, st, tables[i].name, a, err));
    }
    return STATUS_OK;
}

status run_analyze(run *r, const statement *st, bool last, arena *a, error *err)
{
    table_name name;
    if (st->name.count == 0) {
        TRY(analyze_all(r, st, a, err));
        return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
    }
    TRY(run_at(catalog_resolve(r->catalog, st->name.parts, st->name.count, r->space, a, &name, err),
               st->name.position, err));
    TRY(analyze_one(r, st, name, a, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ['a', 'b'] or ARRAY ('a', 'b') */
static status read_names(call *c, analysis *n, error *err)
{
    enum { COLUMNS = 2 };
    const statement_argument *given = c->given[COLUMNS];
    const token_list *list = &c->r->tokens;
    VEC(str) names = {0};
    VEC(size_t) positions = {0};
    if (given == NULL || str_is_null(c->values[COLUMNS])) {
        return STATUS_OK;
    }
    for (size_t i = given->value.from; i < given->value.to; i++) {
        str name;
        if (list->items[i].kind == TOKEN_TEXT) {
            TRY(token_value(list, i, c->a, &name, err));
            vec_push(c->a, &names, name);
            vec_push(c->a, &positions, list->items[i].from);
        } else if (list->items[i].kind != TOKEN_SYMBOL && !token_is(list, i, "array")) {
            return token_error(list, i, err);
        }
    }
    n->columns = names.items;
    n->positions = positions.items;
    n->column_count = names.count;
    return STATUS_OK;
}

status call_compute_table_stats(call *c, error *err)
{
    static const char *const columns[] = {"statistics_file VARCHAR"};
    analysis n = {.r = c->r, .a = c->a, .table = c->table, .snapshot_id = ICE_NO_SNAPSHOT};
    buf *sql = buf_in(c->a, LIMIT_MIB);
    rows_sql rows;

    if (c->given[1] != NULL && !str_is_null(c->values[1]) &&
        str_to_int64(c->values[1], &n.snapshot_id, NULL) != STATUS_OK) {
        error_set(err, STATUS_INVALID, "snapshot id \"%.*s\" is no number", STR_ARG(c->values[1]));
        return run_at(STATUS_INVALID, c->given[1]->position, err);
    }
    TRY(read_names(c, &n, err));
    TRY(analyze(&n, err));
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    rows_text(&rows, n.location);
    rows_end(&rows);
    return run_constant_rows(c->r, buf_str(sql), c->last, err);
}

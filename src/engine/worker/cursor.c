/* One statement. Columns that cannot be sent as they are (types.h) are cast to text by a statement around it:
 *
 *     SELECT c1, CAST(c2 AS VARCHAR) FROM (
 *     …
 *     ) AS t(c1, c2)
 *
 * Names and types that the client sees stay those of the statement itself. */
#include "worker/cursor.h"

#include <string.h>

#include "tarn/base/limits.h"
#include "worker/stream.h"
#include "worker/types.h"

static void drop_statement(cursor *c)
{
    if (c->statement != NULL && !c->is_kept) {
        duck.destroy_prepare(&c->statement);
    }
    c->statement = NULL;
    c->is_kept = false;
}

static status prepare(cursor *c, str sql, const json *params, error *err)
{
    drop_statement(c);
    TRY(session_check(c->session, err));
    c->statement = params == NULL ? kept_find_statement(c->session, sql) : NULL;
    if (c->statement != NULL) {
        c->is_kept = true;
        return STATUS_OK;
    }
    if (duck.prepare(c->session->connection, sql.data, &c->statement) != DUCK_SUCCESS) {
        return session_fail(c->session, sql, duck.prepare_error(c->statement), &c->is_fatal, err);
    }
    TRY(session_check(c->session, err));
    TRY(cursor_bind(c->statement, params, err));
    c->is_kept = params == NULL && kept_add_statement(c->session, sql, c->statement);
    return STATUS_OK;
}

/* --- columns --- */

typedef struct column_source {
    duck_logical_type *(*type)(cursor *c, size_t index);
    const char *(*name)(cursor *c, size_t index);
    bool frees_name;
    size_t count;
} column_source;

static duck_logical_type *prepared_type(cursor *c, size_t index)
{
    return duck.prepared_statement_column_logical_type(c->statement, index);
}

static const char *prepared_name(cursor *c, size_t index)
{
    return duck.prepared_statement_column_name(c->statement, index);
}

static duck_logical_type *result_type(cursor *c, size_t index)
{
    return duck.column_logical_type(&c->result, index);
}

static const char *result_name(cursor *c, size_t index)
{
    return duck.column_name(&c->result, index);
}

static column_source prepared_columns(cursor *c)
{
    return (column_source){.type = prepared_type,
                           .name = prepared_name,
                           .frees_name = true,
                           .count = duck.prepared_statement_column_count(c->statement)};
}

static column_source result_columns(cursor *c)
{
    return (column_source){
        .type = result_type, .name = result_name, .count = duck.column_count(&c->result)};
}

static bool any_needs_cast(cursor *c, const column_source *source, bool for_arrow)
{
    bool needs = false;

    for (size_t i = 0; i < source->count && !needs; i++) {
        duck_logical_type *type = source->type(c, i);

        needs = type != NULL && types_need_cast(type, for_arrow);
        duck.destroy_logical_type(&type);
    }
    return needs;
}

static void describe(cursor *c, const column_source *source, arena *a)
{
    c->count = source->count;
    c->names = ARENA_ARRAY(a, str, c->count);
    c->types = ARENA_ARRAY(a, str, c->count);
    for (size_t i = 0; i < c->count; i++) {
        duck_logical_type *type = source->type(c, i);
        const char *name = source->name(c, i);
        buf *text = buf_in(a, LIMIT_MIB);

        if (type != NULL) {
            types_put(type, text);
            duck.destroy_logical_type(&type);
        }
        c->types[i] = buf_str(text);
        c->names[i] = str_copy(a, str_c(name != NULL ? name : ""));
        if (source->frees_name) {
            duck.free((void *)(uintptr_t)name);
        }
    }
}

/* White space and semicolons at the end go: the text is to stand in brackets. */
static str without_end(str sql)
{
    while (sql.size > 0 && strchr("; \t\r\n", sql.data[sql.size - 1]) != NULL) {
        sql.size--;
    }
    return sql;
}

static void wrap(cursor *c, const column_source *source, bool for_arrow, arena *a)
{
    buf *sql = buf_in(a, LIMIT_SQL_TEXT + LIMIT_MIB);

    describe(c, source, a);
    for (size_t i = 0; i < c->count; i++) {
        duck_logical_type *type = source->type(c, i);

        buf_add_c(sql, i == 0 ? "SELECT " : ", ");
        if (types_need_cast(type, for_arrow)) {
            buf_printf(sql, "CAST(c%zu AS ", i);
            types_put_cast(type, for_arrow, sql);
            buf_add_char(sql, ')');
        } else {
            buf_printf(sql, "c%zu", i);
        }
        duck.destroy_logical_type(&type);
    }
    buf_add_c(sql, " FROM (\n");
    buf_add_str(sql, without_end(c->sql));
    buf_add_c(sql, "\n) AS t(");
    for (size_t i = 0; i < c->count; i++) {
        buf_printf(sql, "%sc%zu", i == 0 ? "" : ", ", i);
    }
    buf_add_char(sql, ')');
    c->wrapped = buf_str(sql);
}

/* --- running --- */

static status fail(cursor *c, const char *message, error *err)
{
    str sql = str_is_null(c->wrapped) ? c->sql : c->wrapped;

    (void)session_fail(c->session, sql, message, &c->is_fatal, err);
    if (!str_is_null(c->wrapped)) {
        err->position = ERROR_NO_POSITION; /* it would point into the statement around the user's */
    }
    return err->kind;
}

static status run(cursor *c, error *err)
{
    if (!stream_open(c->statement, &c->pending, &c->result)) {
        const char *message = duck.result_error(&c->result);

        if (message == NULL && c->pending != NULL) {
            message = duck.pending_error(c->pending);
        }
        return fail(c, message, err);
    }
    return STATUS_OK;
}

status cursor_prepare(session *s, const cursor_options *options, arena *a, cursor *ret_cursor,
                      error *err)
{
    cursor *c = ret_cursor;
    column_source columns;

    *c = (cursor){.session = s, .sql = options->sql};
    TRY(prepare(c, c->sql, options->params, err));
    columns = prepared_columns(c);
    if (any_needs_cast(c, &columns, options->for_arrow)) {
        wrap(c, &columns, options->for_arrow, a);
        return prepare(c, c->wrapped, options->params, err);
    }
    describe(c, &columns, a);
    return STATUS_OK;
}

status cursor_open(session *s, const cursor_options *options, arena *a, cursor *ret_cursor,
                   error *err)
{
    cursor *c = ret_cursor;
    column_source columns;

    TRY(cursor_prepare(s, options, a, c, err));
    TRY(run(c, err));
    if (!str_is_null(c->wrapped)) {
        return STATUS_OK;
    }
    columns = result_columns(c);
    if (!any_needs_cast(c, &columns, options->for_arrow)) {
        describe(c, &columns, a);
        return STATUS_OK;
    }
    /* Types that depended on parameters were not known before. */
    wrap(c, &columns, options->for_arrow, a);
    duck.destroy_result(&c->result);
    duck.destroy_pending(&c->pending);
    TRY(prepare(c, c->wrapped, options->params, err));
    return run(c, err);
}

#define CAUSE_ATTEMPTS 3

/* A failing thread of DuckDB's interrupts the others, and a stream that is read in that moment says "interrupted"
 * though nobody asked for it, and the cause is lost. The statement only reads (others do not stream), so it is run
 * again for its error, its rows dropped. */
static status find_cause(cursor *c, error *err)
{
    for (int attempt = 0; attempt < CAUSE_ATTEMPTS; attempt++) {
        const char *message = NULL;

        duck.destroy_result(&c->result);
        duck.destroy_pending(&c->pending);
        if (stream_open(c->statement, &c->pending, &c->result)) {
            for (duck_chunk *chunk; (chunk = stream_next(&c->result)) != NULL;) {
                duck.destroy_data_chunk(&chunk);
                TRY(session_check(c->session, err));
            }
        }
        message = duck.result_error(&c->result);
        if (message == NULL && c->pending != NULL) {
            message = duck.pending_error(c->pending);
        }
        if (message != NULL && fail(c, message, err) != STATUS_CANCELLED) {
            return err->kind;
        }
        TRY(session_check(c->session, err));
    }
    return error_set(err, STATUS_INTERNAL, "the query failed, and DuckDB did not say why");
}

status cursor_next(cursor *c, duck_chunk **ret_chunk, error *err)
{
    duck_chunk *chunk;
    const char *message;

    TRY(session_check(c->session, err));
    chunk = stream_next(&c->result);
    if (chunk == NULL) {
        message = duck.result_error(&c->result);
        if (message != NULL && message[0] != '\0') {
            status result = fail(c, message, err);
            bool is_asked_for = atomic_load(&c->session->interrupted);

            return result == STATUS_CANCELLED && !is_asked_for ? find_cause(c, err) : result;
        }
        TRY(session_check(c->session, err)); /* an interrupted stream may end without an error */
    }
    *ret_chunk = chunk;
    return STATUS_OK;
}

void cursor_close(cursor *c)
{
    duck.destroy_result(&c->result);
    if (c->pending != NULL) {
        duck.destroy_pending(&c->pending);
    }
    drop_statement(c);
}

/* The views that a statement's tables stand behind, twice: over zero-row stubs, so that DuckDB
 * tells the filters; then over the files that survive them. */
#include <fcntl.h>

#include "run/bound.h"
#include "run/estimate.h"
#include "run/expand.h"
#include "run/footers.h"
#include "run/groups.h"
#include "run/query.h"
#include "run/stub.h"
#include "sql/plan.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

/* The planner must hand out a plan that can be written as JSON: with these four, some cannot be. */
#define PLANNER_OFF \
    "SET disabled_optimizers = 'common_aggregate,late_materialization,column_lifetime,top_n';"
#define PLANNER_ON "RESET disabled_optimizers;"
/* DuckDB 1.5 pushes what a join learns of its other side below a LIMIT, where it changes which rows there
 * are (mended in its pull request 22963, after 1.5.6). */
#define NO_JOIN_FILTERS "SET disabled_optimizers = 'join_filter_pushdown';"
#define SERIALIZE_PLAN                                                                         \
    "SELECT json_serialize_plan(CAST($1 AS VARCHAR), skip_null := true, skip_empty := false, " \
    "skip_default := true, optimize := true)"

#define EXPLAIN_JSON "EXPLAIN (FORMAT JSON) "

/* ---- text ---- */

static void put_stub_scan(buf *out, const query_table *table, arena *a)
{
    const ice_schema *schema = table->schema;
    const ice_snapshot *snapshot = table->snapshot;
    int64_t rows = 1;
    if (snapshot != NULL) {
        (void)str_to_int64(ice_snapshot_summary(snapshot, "total-records"), &rows, NULL);
    }
    bool ambiguous = groups_is_ambiguous(schema, a);
    buf_add_c(out, "SELECT ");
    if (!ambiguous) {
        groups_put_columns(out, schema);
    }
    for (size_t i = 0; ambiguous && i < schema->root->field_count; i++) {
        buf_printf(out, "%starn_c%zu AS ", i > 0 ? ", " : "", i);
        sql_quote_name(out, schema->root->fields[i].name);
    }
    if (table->with_places) {
        buf_add_c(out, ", CAST(0 AS BIGINT) AS " QUERY_FILE ", CAST(0 AS BIGINT) AS " QUERY_ROW);
    }
    buf_add_c(out, " FROM read_parquet([");
    groups_put_path(out, table->stub, a);
    buf_add_c(out, "], hive_partitioning = false");
    buf_add_c(out, table->stub_has_columns ? "" : ", schema = MAP {");
    for (size_t i = 0; !table->stub_has_columns && i < schema->root->field_count; i++) {
        const ice_field *field = &schema->root->fields[i];
        buf *type = buf_in(a, LIMIT_MIB);
        engine_duckdb_type(field->type, type);
        buf_printf(out, "%s%d: {name: ", i > 0 ? ", " : "", field->id);
        sql_quote_text(out, ambiguous ? str_printf(a, "tarn_c%zu", i) : field->name);
        buf_add_c(out, ", type: ");
        sql_quote_text(out, buf_str(type));
        buf_add_c(out, ", default_value: NULL}");
    }
    buf_add_c(out, table->stub_has_columns ? "" : "}");
    buf_printf(out, ", explicit_cardinality = %lld)", (long long)(rows > 0 ? rows : 1));
}

static void put_view(buf *out, const query_view *view)
{
    buf_add_c(out, "CREATE OR REPLACE VIEW ");
    sql_quote_name(out, view->schema);
    buf_add_char(out, '.');
    sql_quote_name(out, view->name);
    buf_add_c(out, " AS ");
}

static void put_schemas(buf *out, const query *q)
{
    for (size_t i = 0; i < q->views.count; i++) {
        if (!str_equal_nocase(q->views.items[i].schema, STR("main"))) {
            buf_add_c(out, "CREATE SCHEMA IF NOT EXISTS ");
            sql_quote_name(out, q->views.items[i].schema);
            buf_add_char(out, ';');
        }
    }
    if (q->extra_sql != NULL) {
        buf_add_str(out, buf_str(q->extra_sql));
    }
}

/* ---- planning ---- */

static status make_stub(query *q, query_table *table, error *err)
{
    int fd;
    if (!str_is_null(table->stub)) {
        return STATUS_OK;
    }
    char *name = worker_fresh_name(q->r->w, q->a);
    char *path = arena_printf(q->a, "%s/%s.parquet", worker_in(q->r->w), name);
    buf *file = buf_in(q->a, LIMIT_PARQUET_FOOTER);
    table->stub_has_columns = stub_put_file(table->schema, q->a, file);
    TRY(buf_check(file, "the table's columns", err));
    TRY(fs_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err));
    status result = fs_write_all(fd, file->data, file->size, err);
    fs_close(fd);
    TRY(result);
    table->stub = str_c(path);
    return STATUS_OK;
}

/* Where no row is ever compared with anything, no file can be left out. What a stored view does is not looked at. */
static bool may_filter(const query *q)
{
    static const char *const words[] = {"where", "having", "qualify", "join"};
    if (q->stored.count > 0) {
        return true;
    }
    for (size_t i = q->range.from; i < q->range.to; i++) {
        for (size_t word = 0; word < COUNT_OF(words); word++) {
            if (token_is(&q->r->tokens, i, words[word])) {
                return true;
            }
        }
    }
    return false;
}

/* With at most one file a table has nothing to leave out that DuckDB would not find in the file
 * itself. */
static bool is_worth_planning(const query *q)
{
    if (!may_filter(q)) {
        return false;
    }
    for (size_t i = 0; i < q->tables.count; i++) {
        const ice_snapshot *snapshot = q->tables.items[i].snapshot;
        int64_t files = 2;
        if (snapshot != NULL) {
            (void)str_to_int64(ice_snapshot_summary(snapshot, "total-data-files"), &files, NULL);
        }
        if (snapshot != NULL && files > 1) {
            return true;
        }
    }
    return false;
}

/* A failed attempt to plan is no failure of the statement: the transaction that it spoilt ends, and
 * the statement goes on without a plan; what is wrong with it, running it will tell. */
static status give_up_plan(query *q, status result, error *err)
{
    if (result == STATUS_CANCELLED || result == STATUS_TIMEOUT || result == STATUS_WORKER_DIED ||
        result == STATUS_IO) {
        return result;
    }
    error_clear(err);
    q->is_open = false;
    return worker_exec(q->r->w, STR("ROLLBACK;" PLANNER_ON), &q->r->cancel, err);
}

/* A plan that cannot be had as JSON: for one table that is scanned once, EXPLAIN tells the filters
 * too. */
static status plan_by_explain(query *q, bool *ret_usable, error *err)
{
    const ice_schema *schema = q->tables.items[0].schema;
    const json *rows;
    str explain = str_concat(q->a, STR(EXPLAIN_JSON), q->text.text), filters, parsed;
    status result = worker_rows(q->r->w, explain, &q->r->cancel, q->a, &rows, err);
    if (result != STATUS_OK) {
        return give_up_plan(q, result, err);
    }
    str text = json_str_or(json_at(json_at(rows, 0), 1), STR(""));
    if (!plan_explained_filters(text, schema, q->a, &filters)) {
        return STATUS_OK;
    }
    TRY(worker_scalar(q->r->w, STR(SERIALIZE_SQL), &filters, 1, &q->r->cancel, q->a, &parsed, err));
    q->tables.items[0].filter = plan_parsed_filter(parsed, schema, q->a);
    *ret_usable = true;
    return STATUS_OK;
}

/* Views over stubs, and over those the stored ones. What `sql` still holds afterwards goes with the next message. */
static status open_stubs(query *q, buf *sql, error *err)
{
    buf_add_c(sql, "BEGIN TRANSACTION;" PLANNER_OFF);
    put_schemas(sql, q);
    for (size_t i = 0; i < q->tables.count; i++) {
        TRY(make_stub(q, &q->tables.items[i], err));
    }
    for (size_t i = 0; i < q->views.count; i++) {
        if (q->views.items[i].stored == 0) {
            const query_table *table = &q->tables.items[q->views.items[i].table];
            put_view(sql, &q->views.items[i]);
            bound_put_before(q->views.items[i].bound, table->schema, sql);
            put_stub_scan(sql, table, q->a);
            bound_put_behind(q->views.items[i].bound, table->schema, sql);
            buf_add_char(sql, ';');
        }
    }
    TRY(buf_check(sql, "the statement", err));
    q->is_open = true;
    return q->stored.count > 0 ? expand_open(q, sql, err) : STATUS_OK;
}

static status plan_with_stubs(query *q, buf *sql, error *err)
{
    plan_table *tables = ARENA_ARRAY(q->a, plan_table, q->tables.count);
    str plan = STR_NULL;
    bool usable = false;

    for (size_t i = 0; i < q->tables.count; i++) {
        tables[i] =
            (plan_table){.stub = q->tables.items[i].stub, .schema = q->tables.items[i].schema};
    }
    TRY(buf_check(sql, "the statement", err));
    status result = worker_scalar_after(q->r->w, buf_str(sql), STR(SERIALIZE_PLAN), &q->text.text,
                                        1, &q->r->cancel, q->a, &plan, err);
    buf_clear(sql);
    q->unplanned = true;
    if (result != STATUS_OK) {
        return give_up_plan(q, result, err);
    }
    plan_read(plan, tables, q->tables.count, q->a, &usable);
    for (size_t i = 0; i < q->tables.count; i++) {
        q->tables.items[i].filter = tables[i].filter;
    }
    if (!usable && q->tables.count == 1) {
        TRY(plan_by_explain(q, &usable, err));
    }
    q->unplanned = !usable;
    return STATUS_OK;
}

/* ---- files ---- */

static status choose_files(query *q, query_table *table, error *err)
{
    engine *e = q->r->e;
    int64_t limit_rows = e->options.pruning && q->tables.count == 1 ? q->limit_rows : 0;
    ice_scan_options options = {
        .metadata = table->metadata,
        .snapshot_id = table->snapshot != NULL ? table->snapshot->id : ICE_NO_SNAPSHOT,
        .filter = limit_rows > 0 ? NULL : table->filter, /* such a statement has none */
        .no_pruning = !e->options.pruning,
        .limit_rows = limit_rows,
        .oldest_first = true,
    };
    TRY(ice_scan_plan(e->options.storage, &options, q->a, &table->scan, err));
    for (size_t i = 0; i < table->scan.file_count; i++) {
        if (!str_equal_nocase(table->scan.files[i].format, STR("PARQUET"))) {
            return error_set(err, STATUS_UNSUPPORTED,
                             "data file \"%.*s\" has the format %.*s; only Parquet is read",
                             STR_ARG(table->scan.files[i].path),
                             STR_ARG(table->scan.files[i].format));
        }
    }
    atomic_fetch_add(&e->considered, table->scan.total_files);
    atomic_fetch_add(&e->skipped, table->scan.total_files - (int64_t)table->scan.file_count);
    return STATUS_OK;
}

/* Whether rows may be chosen below a join: a LIMIT, or DISTINCT ON, within brackets or in a stored view. */
static bool chooses_rows_inside(const query *q)
{
    static const char *const words[] = {"limit", "fetch", "offset"};
    const token_list *list = &q->r->tokens;
    int depth = 0;

    for (size_t i = q->range.from; i < q->range.to; i++) {
        depth += token_is_symbol(list, i, '(') ? 1 : token_is_symbol(list, i, ')') ? -1 : 0;
        for (size_t word = 0; word < COUNT_OF(words) && depth > 0; word++) {
            if (token_is(list, i, words[word])) {
                return true;
            }
        }
        if (depth > 0 && token_is(list, i, "distinct") && token_is(list, i + 1, "on")) {
            return true;
        }
    }
    for (size_t i = 0; i < q->stored.count; i++) {
        for (str rest = q->stored.items[i].text; rest.size > 4;
             rest = str_slice(rest, 1, rest.size)) {
            if (str_starts_with_nocase(rest, STR("limit")) ||
                str_starts_with_nocase(rest, STR("fetch")) ||
                str_starts_with_nocase(rest, STR("offset")) ||
                str_starts_with_nocase(rest, STR("distinct"))) {
                return true;
            }
        }
    }
    return false;
}

/* Names that say where the views lie, and so may not find them elsewhere. */
static bool names_catalog(const query *q)
{
    static const char *const words[] = {"current_catalog", "current_database", "current_schema",
                                        "current_schemas", "tarn"};
    for (size_t i = q->range.from; i < q->range.to; i++) {
        for (size_t word = 0; word < COUNT_OF(words); word++) {
            if (str_equal_nocase(token_name(&q->r->tokens, i, q->a), str_c(words[word]))) {
                return true;
            }
        }
    }
    return false;
}

/* Whether all that goes before the statement is views over the tables' files. */
static bool has_views_alone(const query *q)
{
    for (size_t i = 0; i < q->tables.count; i++) {
        if (q->tables.items[i].scan.file_count == 0) { /* a stub has another name each time */
            return false;
        }
    }
    return q->tables.count > 0 && q->stored.count == 0 && q->extra_sql == NULL &&
           q->delete_handles.count == 0 && !names_catalog(q);
}

/* `sql` holds what goes before. */
static status open_real(query *q, buf *sql, error *err)
{
    buf *views = buf_in(q->a, LIMIT_WORKER_MESSAGE);
    bool planning = q->is_open;

    bool no_join_filters = chooses_rows_inside(q);
    buf_add_c(sql, planning ? PLANNER_ON : "BEGIN TRANSACTION;");
    buf_add_c(sql, no_join_filters ? NO_JOIN_FILTERS : "");
    if (!planning) {
        put_schemas(sql, q);
    }
    for (size_t i = 0; i < q->tables.count; i++) {
        query_table *table = &q->tables.items[i];
        buf *scan = buf_in(q->a, LIMIT_WORKER_MESSAGE);
        TRY(choose_files(q, table, err));
        if (q->tables.count > 1) { /* one table has no order */
            table->estimate = estimate_rows(table, q->a);
        }
        if (table->scan.file_count > 0) {
            TRY(groups_put_scan(scan, q, table, err));
        } else {
            TRY(make_stub(q, table, err));
            put_stub_scan(scan, table, q->a);
        }
        for (size_t view = 0; view < q->views.count; view++) {
            if (q->views.items[view].table == i && q->views.items[view].stored == 0) {
                put_view(views, &q->views.items[view]);
                bound_put_before(q->views.items[view].bound, table->schema, views);
                buf_add_str(views, buf_str(scan));
                bound_put_behind(q->views.items[view].bound, table->schema, views);
                buf_add_char(views, ';');
            }
        }
    }
    bool keeps_footers = footers_put_setting(sql, q);
    buf_add_str(sql, buf_str(views));
    if (!planning && q->stored_sql != NULL) {
        buf_add_str(sql, buf_str(q->stored_sql));
    }
    sql->failed = sql->failed || views->failed;
    TRY(buf_check(sql, "the list of files", err));
    q->is_open = true;
    if (q->joins_text) {
        q->before = buf_str(sql);
        q->may_keep = keeps_footers && !planning && !no_join_filters && has_views_alone(q);
        return STATUS_OK;
    }
    return worker_exec(q->r->w, buf_str(sql), &q->r->cancel, err);
}

status views_open(query *q, bool always_plan, error *err)
{
    buf *sql = buf_in(q->a, LIMIT_WORKER_MESSAGE);
    bool wanted =
        q->r->e->options.pruning && q->tables.count > 0 && (always_plan || is_worth_planning(q));
    /* Stored views are looked at over stubs in any case: no file is opened for what cannot run. */
    status result = wanted || q->stored.count > 0 ? open_stubs(q, sql, err) : STATUS_OK;
    if (result == STATUS_OK && wanted) {
        result = plan_with_stubs(q, sql, err);
    }
    if (result == STATUS_OK) {
        result = open_real(q, sql, err);
    }
    if (result != STATUS_OK && err != NULL) {
        err->position = q->blamed; /* it would be one in SQL that tarn made */
    }
    return result;
}

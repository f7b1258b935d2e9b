/* EXPLAIN: DuckDB's plan as it is, and behind it what tarn decided about files.
 *
 * Of a statement that changes rows it shows how those rows are looked for, as a SELECT of them, and which files may
 * hold some; nothing is changed. EXPLAIN ANALYZE runs the change, and tells what it did. */
#include "run/explain.h"

#include "run/query.h"
#include "run/report.h"

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/statistics.h"

static void put_row(buf *sql, bool *first, const char *key, str value)
{
    buf_add_c(sql, *first ? "(" : ", (");
    *first = false;
    sql_quote_text(sql, str_c(key));
    buf_add_c(sql, ", ");
    sql_quote_text(sql, value);
    buf_add_char(sql, ')');
}

static void put_bytes(buf *out, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < COUNT_OF(units)) {
        value /= 1024;
        unit++;
    }
    buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* "; 6 delete files (2 position files, 1 deletion vector, 3 equality files)" */
static void describe_deletes(buf *out, const ice_scan *scan)
{
    static const char *const names[] = {"position file", "deletion vector", "equality file"};
    int64_t counts[COUNT_OF(names)] = {0};
    bool first = true;
    if (scan->delete_count == 0) {
        return;
    }
    for (size_t i = 0; i < scan->delete_count; i++) {
        const ice_file *file = &scan->deletes[i];
        counts[file->content == ICE_EQUALITY_DELETES           ? 2
               : str_equal_nocase(file->format, STR("PUFFIN")) ? 1
                                                               : 0]++;
    }
    buf_printf(out, "; %zu delete file%s (", scan->delete_count,
               scan->delete_count == 1 ? "" : "s");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (counts[i] > 0) {
            buf_printf(out, "%s%lld %s%s", first ? "" : ", ", (long long)counts[i], names[i],
                       counts[i] == 1 ? "" : "s");
            first = false;
        }
    }
    buf_add_char(out, ')');
}

void explain_put_table(const query_table *table, buf *out)
{
    const ice_scan *scan = &table->scan;
    int64_t read = (int64_t)scan->file_count;
    buf_printf(out, "%.*s.%.*s", STR_ARG(table->name.space), STR_ARG(table->name.table));
    if (table->snapshot != NULL) {
        buf_printf(out, " at snapshot %lld", (long long)table->snapshot->id);
    }
    buf_printf(out, ": %lld file%s considered, %lld skipped", (long long)scan->total_files,
               scan->total_files == 1 ? "" : "s", (long long)(scan->total_files - read));
    bool first = true;
    for (int reason = ICE_KEPT + 1; reason < ICE_SKIP_REASON_COUNT; reason++) {
        if (scan->skipped_by[reason] > 0) {
            buf_printf(out, "%s%lld by %s", first ? " (" : ", ",
                       (long long)scan->skipped_by[reason],
                       ice_skip_reason_name((ice_skip_reason)reason));
            first = false;
        }
    }
    buf_printf(out, "%s, %lld read: %lld rows, ", first ? "" : ")", (long long)read,
               (long long)scan->kept_rows);
    put_bytes(out, scan->kept_bytes);
    describe_deletes(out, scan);
}

void explain_put_table_json(const query_table *table, arena *a, json_writer *w)
{
    const ice_scan *scan = &table->scan;
    int64_t read = (int64_t)scan->file_count;
    json_begin_object(w);
    json_member_str(
        w, "table",
        str_printf(a, "%.*s.%.*s", STR_ARG(table->name.space), STR_ARG(table->name.table)));
    if (table->snapshot != NULL) {
        json_member_str(w, "snapshot_id", str_printf(a, "%lld", (long long)table->snapshot->id));
    }
    json_member_int(w, "files_considered", scan->total_files);
    json_member_int(w, "files_read", read);
    json_key(w, "files_skipped");
    json_begin_object(w);
    for (int reason = ICE_KEPT + 1; reason < ICE_SKIP_REASON_COUNT; reason++) {
        if (scan->skipped_by[reason] > 0) {
            json_member_int(w, ice_skip_reason_name((ice_skip_reason)reason),
                            scan->skipped_by[reason]);
        }
    }
    json_end_object(w);
    json_member_int(w, "manifests", (int64_t)scan->manifest_count);
    json_member_int(w, "manifests_read", (int64_t)scan->manifests_read);
    json_member_int(w, "rows", scan->kept_rows);
    json_member_int(w, "bytes", scan->kept_bytes);
    json_member_int(w, "delete_files", (int64_t)scan->delete_count);
    json_end_object(w);
}

/* "main.orders: id 5, customer 4"; empty where nothing was counted. */
static str describe_statistics(const query_table *table, arena *a)
{
    buf *out = buf_in(a, LIMIT_MIB);
    const ice_type *root = table->schema->root;
    for (size_t i = 0; table->snapshot != NULL && i < root->field_count; i++) {
        int64_t ndv =
            ice_statistics_ndv(table->metadata, table->snapshot->id, root->fields[i].id, a);
        if (ndv >= 0 && out->size == 0) {
            buf_printf(out, "%.*s.%.*s:", STR_ARG(table->name.space), STR_ARG(table->name.table));
        }
        if (ndv >= 0) {
            buf_printf(out, "%s%.*s %lld", out->data[out->size - 1] == ':' ? " " : ", ",
                       STR_ARG(root->fields[i].name), (long long)ndv);
        }
    }
    return buf_str(out);
}

/* What becomes of the files that are read. */
static const char *fate_of(const statement *inner)
{
    switch ((int)inner->kind) {
    case STATEMENT_TRUNCATE:
        return "all files leave the table; none is read";
    case STATEMENT_DELETE:
        return "files whose every row matches leave the table; those with another row too are written anew";
    case STATEMENT_UPDATE:
    case STATEMENT_MERGE:
        return "files with a changed row are written anew; the others stay";
    case STATEMENT_INSERT:
        return inner->overwrite ? "the files of the rows' partitions are replaced"
               : inner->upsert
                   ? "files with a row that is replaced are written anew; the others stay"
                   : "new files are added; those that are there stay";
    case STATEMENT_CREATE_TABLE_AS:
        return "the new table's files are written";
    default:
        return NULL;
    }
}

static status put_plan(query *q, const statement *st, buf *sql, bool *first, error *err)
{
    const char *prefix =
        st->analyze ? (st->as_json ? "EXPLAIN (ANALYZE, FORMAT JSON) " : "EXPLAIN ANALYZE ")
                    : (st->as_json ? "EXPLAIN (FORMAT JSON) " : "EXPLAIN ");
    str text = str_concat(q->a, str_c(prefix), q->text.text);
    const json *rows;
    TRY(query_fail(q, worker_rows(q->r->w, text, &q->r->cancel, q->a, &rows, err),
                   str_c(prefix).size, err));
    for (size_t i = 0; i < json_count(rows); i++) {
        const json *row = json_at(rows, i);
        str key = json_str_or(json_at(row, 0), STR("plan"));
        put_row(sql, first, str_to_c(q->a, key), json_str_or(json_at(row, 1), STR("")));
    }
    return STATUS_OK;
}

static status put_files(query *q, bool as_json, buf *sql, bool *first, error *err)
{
    buf *document = buf_in(q->a, LIMIT_MIB);
    json_writer w;
    json_writer_init(&w, document);
    json_begin_array(&w);
    for (size_t i = 0; i < q->tables.count; i++) {
        const query_table *table = &q->tables.items[i];
        str known = describe_statistics(table, q->a);
        buf *line = buf_in(q->a, LIMIT_MIB);
        if (as_json) {
            explain_put_table_json(table, q->a, &w);
            continue;
        }
        if (known.size > 0) {
            put_row(sql, first, "distinct values", known);
        }
        if (table->estimate > 0) {
            put_row(sql, first, "estimate",
                    str_printf(q->a, "%.*s.%.*s: about %lld of %lld rows, by distinct values",
                               STR_ARG(table->name.space), STR_ARG(table->name.table),
                               (long long)table->estimate, (long long)table->scan.kept_rows));
        }
        explain_put_table(table, line);
        put_row(sql, first, "files", buf_str(line));
    }
    json_end_array(&w);
    TRY(buf_check(document, "the plan", err));
    if (as_json) {
        put_row(sql, first, "files", buf_str(document));
    }
    return STATUS_OK;
}

static status explain_rows(query *q, const statement *st, buf *sql, error *err)
{
    bool first = true;
    int64_t started_ns = clock_mono_ns();
    const char *fate = st->explained != NULL ? fate_of(st->explained) : NULL;

    buf_add_c(sql, "SELECT * FROM (VALUES ");
    TRY(put_plan(q, st, sql, &first, err));
    TRY(put_files(q, st->as_json, sql, &first, err));
    if (q->unplanned) {
        put_row(sql, &first, "files",
                STR("the filters of this statement are not known, so every file is read"));
    }
    if (fate != NULL) {
        put_row(sql, &first, "change", str_c(fate));
    }
    if (st->analyze) {
        int64_t us = (clock_mono_ns() - started_ns) / 1000;
        put_row(sql, &first, "time",
                str_printf(q->a, "%lld.%03lld ms", (long long)(us / 1000), (long long)(us % 1000)));
    }
    buf_add_c(sql, ") AS t(explain_key, explain_value)");
    return buf_check(sql, "the plan", err);
}

/* ---- the SELECT of the rows that a statement looks for ---- */

typedef VEC(edit_piece) piece_list;

static void put_text(const run *r, arena *a, piece_list *pieces, size_t place, str text)
{
    size_t at = r->tokens.items[place].from;
    vec_push(a, pieces, ((edit_piece){.from = at, .to = at, .text = text}));
}

static void put_range(const run *r, arena *a, piece_list *pieces, token_range range)
{
    edit_piece piece = {.from = r->tokens.items[range.from].from,
                        .to = r->tokens.items[range.to - 1].to,
                        .text = STR_NULL};
    vec_push(a, pieces, piece);
}

static bool is_empty(token_range range)
{
    return range.from >= range.to;
}

/* UPDATE, DELETE, MERGE, TRUNCATE. */
static void put_search(const run *r, const statement *st, arena *a, piece_list *pieces)
{
    size_t name = st->name_token;
    put_text(r, a, pieces, name, STR("SELECT * FROM "));
    put_range(r, a, pieces, (token_range){.from = name, .to = st->name_end});
    if (!str_is_null(st->alias)) {
        buf *alias = buf_in(a, LIMIT_MIB);
        buf_add_c(alias, " AS ");
        sql_quote_name(alias, st->alias);
        put_text(r, a, pieces, name, buf_str(alias));
    }
    if (st->kind == STATEMENT_MERGE) {
        bool all = false; /* rows of the table without one of the source count too */
        for (size_t i = 0; i < st->branch_count; i++) {
            all = all || st->branches[i].match == BRANCH_NO_SOURCE;
        }
        put_text(r, a, pieces, st->source_items.from, all ? STR(" LEFT JOIN ") : STR(" JOIN "));
        put_range(r, a, pieces, st->source_items);
        put_text(r, a, pieces, st->on.from, st->on_columns ? STR(" USING ") : STR(" ON ("));
        put_range(r, a, pieces, st->on);
        put_text(r, a, pieces, st->on.from, st->on_columns ? STR("") : STR("\n)"));
        return;
    }
    if (!is_empty(st->source_items)) {
        put_text(r, a, pieces, st->source_items.from, STR(", "));
        put_range(r, a, pieces, st->source_items);
    }
    if (!is_empty(st->where)) {
        put_text(r, a, pieces, st->where.from, STR(" WHERE ("));
        put_range(r, a, pieces, st->where);
        put_text(r, a, pieces, st->where.from, STR("\n)"));
    }
}

static status analyse(run *r, const statement *st, arena *a, query *ret_query, error *err)
{
    const statement *inner = st->explained;
    piece_list pieces = {0};
    if (inner == NULL) {
        return query_analyse(r, st->body, NULL, a, ret_query, err);
    }
    if (inner->kind == STATEMENT_INSERT || inner->kind == STATEMENT_CREATE_TABLE_AS) {
        return query_analyse(r, inner->body, NULL, a, ret_query, err);
    }
    put_search(r, inner, a, &pieces);
    query_form form = {.range = inner->tokens, .pieces = pieces.items, .piece_count = pieces.count};
    return query_analyse_form(r, &form, a, ret_query, err);
}

/* Who may not change the table is told so here too. */
static status check_changed(run *r, const statement *inner, arena *a, error *err)
{
    table_name name;
    if (inner == NULL || inner->kind == STATEMENT_CREATE_TABLE_AS) {
        return STATUS_OK;
    }
    TRY(run_at(
        catalog_resolve(r->catalog, inner->name.parts, inner->name.count, r->space, a, &name, err),
        inner->name.position, err));
    return run_check_access(r, ACTION_TABLE_WRITE, name.space, name.table, err);
}

/* ---- EXPLAIN ANALYZE of a change: it runs ---- */

static status execute(run *r, const statement *inner, arena *a, error *err)
{
    switch ((int)inner->kind) {
    case STATEMENT_INSERT:
        return run_insert(r, inner, false, a, err);
    case STATEMENT_CREATE_TABLE_AS:
        return run_create_table_as(r, inner, false, a, err);
    case STATEMENT_UPDATE:
        return run_update(r, inner, false, a, err);
    case STATEMENT_MERGE:
        return run_merge(r, inner, false, a, err);
    default:
        return run_delete(r, inner, false, a, err);
    }
}

static str milliseconds(int64_t us, arena *a)
{
    return str_printf(a, "%lld.%03lld ms", (long long)(us / 1000), (long long)(us % 1000));
}

static void put_report(const run_report *p, const statement *inner, int64_t rows, int64_t us,
                       buf *sql)
{
    bool first = true;
    buf *line = buf_in(p->a, LIMIT_MIB);

    buf_add_c(sql, "SELECT * FROM (VALUES ");
    put_row(sql, &first, "executed",
            str_printf(p->a, "%s: %lld row%s", statement_kind_name(inner->kind), (long long)rows,
                       rows == 1 ? "" : "s"));
    for (size_t i = 0; i < p->tables.count; i++) {
        put_row(sql, &first, "files", p->tables.items[i]);
    }
    buf_printf(line, "%lld file%s removed, %lld written: %lld row%s, ", (long long)p->removed_files,
               p->removed_files == 1 ? "" : "s", (long long)p->written_files,
               (long long)p->written_rows, p->written_rows == 1 ? "" : "s");
    put_bytes(line, p->written_bytes);
    put_row(sql, &first, "change", buf_str(line));
    if (p->attempts > 1) {
        put_row(sql, &first, "attempts", str_printf(p->a, "%lld", (long long)p->attempts));
    }
    for (size_t i = 0; i < p->step_count; i++) {
        put_row(sql, &first, "step",
                str_printf(p->a, "%s: %.*s", p->steps[i].name,
                           STR_ARG(milliseconds(p->steps[i].us, p->a))));
    }
    put_row(sql, &first, "time", milliseconds(us, p->a));
    buf_add_c(sql, ") AS t(explain_key, explain_value)");
}

static void put_report_json(const run_report *p, const statement *inner, int64_t rows, int64_t us,
                            buf *sql)
{
    buf *document = buf_in(p->a, LIMIT_MIB), *files = buf_in(p->a, LIMIT_MIB);
    bool first = true;
    json_writer w;

    json_writer_init(&w, document);
    json_begin_object(&w);
    json_member_c(&w, "statement", statement_kind_name(inner->kind));
    json_member_int(&w, "rows", rows);
    json_member_int(&w, "files_removed", p->removed_files);
    json_member_int(&w, "files_written", p->written_files);
    json_member_int(&w, "rows_written", p->written_rows);
    json_member_int(&w, "bytes_written", p->written_bytes);
    json_member_int(&w, "attempts", p->attempts);
    json_key(&w, "steps");
    json_begin_array(&w);
    for (size_t i = 0; i < p->step_count; i++) {
        json_begin_object(&w);
        json_member_c(&w, "name", p->steps[i].name);
        json_member_int(&w, "microseconds", p->steps[i].us);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_member_int(&w, "microseconds", us);
    json_end_object(&w);
    for (size_t i = 0; i < p->tables_json.count; i++) {
        buf_printf(files, "%s%.*s", i > 0 ? "," : "", STR_ARG(p->tables_json.items[i]));
    }
    buf_add_c(sql, "SELECT * FROM (VALUES ");
    put_row(sql, &first, "executed", buf_str(document));
    put_row(sql, &first, "files", str_printf(p->a, "[%.*s]", STR_ARG(buf_str(files))));
    buf_add_c(sql, ") AS t(explain_key, explain_value)");
}

static status analyze_change(run *r, const statement *st, bool last, arena *a, error *err)
{
    run_report report = {.a = a};
    buf *sql = buf_in(a, LIMIT_RESULT_IN_MEMORY);
    int64_t started_ns = clock_mono_ns();

    r->report = &report;
    report_begin(r);
    report.attempts = 0; /* the change counts its own */
    status result = execute(r, st->explained, a, err);
    r->report = NULL;
    TRY(result);
    report.attempts = report.attempts > 0 ? report.attempts : 1;
    (st->as_json ? put_report_json : put_report)(&report, st->explained, report.changed_rows,
                                                 (clock_mono_ns() - started_ns) / 1000, sql);
    TRY(buf_check(sql, "the report", err));
    return run_constant_rows(r, buf_str(sql), last, err);
}

status run_explain(run *r, const statement *st, bool last, arena *a, error *err)
{
    query q;
    buf *sql = buf_in(a, LIMIT_RESULT_IN_MEMORY);
    TRY(check_changed(r, st->explained, a, err));
    if (st->analyze && st->explained != NULL) {
        return analyze_change(r, st, last, a, err);
    }
    TRY(analyse(r, st, a, &q, err));
    status result = query_open(&q, true, err);
    if (result == STATUS_OK) {
        result = explain_rows(&q, st, sql, err);
    }
    query_close(&q);
    TRY(result);
    query_count(&q);
    return run_constant_rows(r, buf_str(sql), last, err);
}

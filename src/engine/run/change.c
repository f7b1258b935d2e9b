/* Changing rows by copy-on-write. The statement's SELECT runs once and is noted in a temporary table, so random() and
 * subqueries are asked once; everything after it reads that table. */
#include "run/change.h"

#include "run/blame.h"
#include "run/groups.h"
#include "run/report.h"
#include "run/table.h"
#include "tarn/base/limits.h"

#define HITS "\"#hits\""
#define NEW_ROW "\"#new\""

static const ice_property engine_summary[] = {
    {.key = STR_INIT("engine-name"), .value = STR_INIT("tarn")},
};

/* ---- the table ---- */

status change_load(row_change *c, error *err)
{
    buf *alias = buf_in(c->a, LIMIT_MIB);

    TRY(insert_load(c->r, c->st, c->a, &c->target, err));
    if (c->target.by_branch && str_is_null(c->st->alias)) { /* t.branch_x is t for its columns */
        statement *named = ARENA_NEW(c->a, statement);
        *named = *c->st;
        named->alias = c->target.name.table;
        c->st = named;
        c->names_table = true;
    }
    const statement *st = c->st;
    buf_add_c(alias, str_is_null(st->alias) ? QUERY_CHANGED "." : "");
    sql_quote_name(alias, str_is_null(st->alias) ? st->name.parts[st->name.count - 1] : st->alias);
    c->alias = buf_str(alias);
    buf *view = buf_in(c->a, LIMIT_MIB);
    sql_quote_name(view, st->name.parts[st->name.count - 1]);
    c->view = buf_str(view);
    return STATUS_OK;
}

/* The statement's own text with tarn's edits; `schema` is where the table stands in it. */
static status own_text(row_change *c, str schema, edited *ret_text, error *err)
{
    const token *items = c->r->tokens.items;
    edit_list edits = {0};
    str front = STR(QUERY_CHANGED);

    for (size_t i = 0; i < c->q.edits.count; i++) {
        edit change = c->q.edits.items[i];
        if (str_starts_with(change.text, front)) {
            bool is_name = change.from == items[c->st->name_token].from;
            change.text = str_printf(c->a, "%.*s%.*s%s%.*s", STR_ARG(schema),
                                     STR_ARG(str_slice(change.text, front.size, change.text.size)),
                                     is_name && c->names_table ? " AS " : "",
                                     STR_ARG(is_name && c->names_table ? c->alias : STR("")));
        }
        vec_push(c->a, &edits, change);
    }
    change_edit_members(c, &edits);
    return edit_apply(c->r->tokens.sql, items[c->st->tokens.from].from,
                      items[c->st->tokens.to - 1].to, &edits, c->a, ret_text, err);
}

status change_refuse_column(const row_change *c, str name, const char *why, error *err)
{
    const ice_type *root = c->target.root;

    for (size_t i = 0; i < root->field_count; i++) {
        if (str_equal_nocase(root->fields[i].name, name)) {
            error_set(err, STATUS_UNSUPPORTED, "table \"%.*s.%.*s\" has a column \"%.*s\": %s",
                      STR_ARG(c->target.name.space), STR_ARG(c->target.name.table), STR_ARG(name),
                      why);
            error_hint(err, "Give it another name with ALTER TABLE … RENAME COLUMN.");
            return run_at(STATUS_UNSUPPORTED, c->st->name.position, err);
        }
    }
    return STATUS_OK;
}

/* Columns that a change gives to the table's rows for itself. */
static status refuse_own_names(const row_change *c, error *err)
{
    static const str names[] = {STR_INIT("#file"), STR_INIT("#row"),    STR_INIT("#id"),
                                STR_INIT("#new"),  STR_INIT("#action"), STR_INIT("#sequence"),
                                STR_INIT("#own"),  STR_INIT("#count"),  STR_INIT("#n")};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        TRY(change_refuse_column(c, names[i],
                                 "its rows cannot be changed, as the change needs that name", err));
    }
    return STATUS_OK;
}

status change_analyse(row_change *c, const edit_list *edits, error *err)
{
    query_form form = {.range = c->st->tokens,
                       .edits = edits,
                       .pieces = c->form.items,
                       .piece_count = c->form.count,
                       .changed_token = c->st->name_token,
                       .changed = c->target.metadata,
                       .changed_name = c->target.name,
                       .changed_snapshot = c->target.head};
    const ice_metadata *m = c->target.metadata;
    edited own;

    TRY(refuse_own_names(c, err));
    TRY(query_analyse_form(c->r, &form, c->a, &c->q, err));
    if (c->q.changed == 0) {
        error_set(err, STATUS_INVALID, "a WITH has the name of the table that is changed");
        error_hint(err, "Give it another name.");
        return run_at(STATUS_INVALID, c->st->name.position, err);
    }
    c->table = &c->q.tables.items[c->q.changed - 1];
    c->change = (ice_overwrite){.isolation = ice_isolation_of(m, c->operation),
                                .read_snapshot_id =
                                    c->target.head != NULL ? c->target.head->id : ICE_NO_SNAPSHOT,
                                .branch = c->target.branch,
                                .table_uuid = m->uuid,
                                .schema_id = m->current_schema_id,
                                .summary = engine_summary,
                                .summary_count = COUNT_OF(engine_summary)};
    if (change_returns(c)) {
        c->list = ARENA_NEW(c->a, returning);
        TRY(returning_analyse(c->r, c->st, &c->target, c->a, c->list, err));
    }
    TRY(own_text(c, STR(QUERY_CHANGED), &own, err));
    return run_judge_text(c->r, &own, c->a, err);
}

void change_close(row_change *c)
{
    if (c->q.r != NULL) {
        query_close(&c->q);
    }
    ice_metadata_unref(c->target.metadata);
}

/* What DuckDB itself would say of the statement, over an empty table of the same columns: it binds UPDATE, MERGE and
 * DELETE … USING by rules of their own, which the SELECT does not have. */
static status judge_bound(row_change *c, error *err)
{
    static const char prefix[] = "EXPLAIN ";
    buf *sql = buf_in(c->a, LIMIT_WORKER_MESSAGE);
    edited own;

    TRY(own_text(c, STR("\"#empty\""), &own, err));
    buf_printf(
        sql,
        "CREATE SCHEMA \"#empty\"; CREATE TABLE \"#empty\".%.*s AS SELECT * EXCLUDE (" QUERY_FILE
        ", " QUERY_ROW ") FROM " QUERY_CHANGED ".%.*s LIMIT 0",
        STR_ARG(c->view), STR_ARG(c->view));
    TRY(worker_exec(c->r->w, buf_str(sql), &c->r->cancel, err));
    status result =
        worker_exec(c->r->w, str_concat(c->a, str_c(prefix), own.text), &c->r->cancel, err);
    if (result != STATUS_OK) {
        edit_place_error(&own, sizeof(prefix) - 1, err);
        blame_column(&c->q, err);
    }
    return result;
}

/* ---- what changes ---- */

static status note_rows(row_change *c, const json **ret_counts, error *err)
{
    static const char prefix[] = "CREATE TEMP TABLE " HITS " AS ";
    run *r = c->r;
    str sql = str_concat(c->a, str_c(prefix), c->q.text.text);
    status result = worker_exec(r->w, sql, &r->cancel, err);

    TRY(query_fail(&c->q, result, sizeof(prefix) - 1, err));
    return worker_rows(r->w,
                       STR("SELECT " QUERY_FILE ", count(DISTINCT " QUERY_ROW
                           "), count(*) FROM " HITS " GROUP BY 1 ORDER BY 1"),
                       &r->cancel, c->a, ret_counts, err);
}

/* Columns to name a row by: the keys, or those that the statement compares, or the first. */
static void put_keys(const row_change *c, const char *before, buf *sql)
{
    const ice_type *root = c->target.root;
    size_t put = 0;

    for (size_t i = 0; i < root->field_count; i++) {
        bool is_key = false;
        for (size_t k = 0; k < c->key_count; k++) {
            is_key = is_key || c->keys[k] == i;
        }
        for (size_t t = c->match.from; c->key_count == 0 && t < c->match.to; t++) {
            is_key = is_key ||
                     (token_is_name(&c->r->tokens, t) &&
                      str_equal_nocase(token_name(&c->r->tokens, t, c->a), root->fields[i].name));
        }
        if (is_key) {
            buf_printf(sql, "%s' ', ", put++ > 0 ? ", ' and', " : "");
            sql_quote_text(sql, root->fields[i].name);
            buf_add_c(sql, ", ' = ', coalesce(CAST(");
            if (before == NULL) {
                buf_printf(sql, "struct_extract(" NEW_ROW ", 'c%zu')", i);
            } else {
                sql_quote_name(sql, root->fields[i].name);
            }
            buf_add_c(sql, " AS VARCHAR), 'NULL')");
        }
    }
    buf_add_c(sql, put == 0 ? "''" : "");
}

/* A row that is changed more than once, by its key. */
static status refuse_twice(const row_change *c, bool inserted, error *err)
{
    buf *sql = buf_in(c->a, LIMIT_WORKER_MESSAGE);
    const json *rows;

    buf_add_c(sql, "SELECT concat(");
    put_keys(c, inserted ? NULL : "", sql);
    if (inserted) {
        buf_add_c(sql, "), count(*) FROM " HITS " WHERE " QUERY_FILE
                       " IS NULL GROUP BY ALL HAVING count(*) > 1 ORDER BY 1 LIMIT 1");
    } else {
        buf_printf(sql,
                   "), \"#count\" FROM " QUERY_CHANGED ".%.*s JOIN (SELECT " QUERY_FILE
                   ", " QUERY_ROW ", count(*) AS \"#count\" FROM " HITS " WHERE " QUERY_FILE
                   " IS NOT NULL GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1) "
                   "USING (" QUERY_FILE ", " QUERY_ROW ")",
                   STR_ARG(c->view));
    }
    TRY(buf_check(sql, "the table's columns", err));
    TRY(worker_rows(c->r->w, buf_str(sql), &c->r->cancel, c->a, &rows, err));
    const json *row = json_at(rows, 0);
    str key = json_str_or(json_at(row, 0), STR(""));
    error_set(err, STATUS_BAD_DATA, "%lld source rows are for one row of table \"%.*s.%.*s\"%s%.*s",
              (long long)json_int64_or(json_at(row, 1), 2), STR_ARG(c->target.name.space),
              STR_ARG(c->target.name.table), key.size > 0 ? ":" : "", STR_ARG(key));
    error_set_sqlstate(err, "21000");
    error_hint(
        err,
        "Which of them is meant cannot be told: leave one for each row, with GROUP BY or QUALIFY.");
    return run_at(STATUS_BAD_DATA, c->st->name.position, err);
}

/* New rows of an upsert must differ in their keys; NULL is no key. */
static status check_new_keys(const row_change *c, error *err)
{
    buf *sql = buf_in(c->a, LIMIT_WORKER_MESSAGE);
    const json *rows;

    buf_add_c(sql, "SELECT 1 FROM " HITS " WHERE " QUERY_FILE " IS NULL");
    for (size_t i = 0; i < c->key_count; i++) {
        buf_printf(sql, " AND struct_extract(" NEW_ROW ", 'c%zu') IS NOT NULL", c->keys[i]);
    }
    for (size_t i = 0; i < c->key_count; i++) {
        buf_printf(sql, "%sstruct_extract(" NEW_ROW ", 'c%zu')", i > 0 ? ", " : " GROUP BY ",
                   c->keys[i]);
    }
    buf_add_c(sql, " HAVING count(*) > 1 LIMIT 1");
    TRY(worker_rows(c->r->w, buf_str(sql), &c->r->cancel, c->a, &rows, err));
    return json_count(rows) > 0 ? refuse_twice(c, true, err) : STATUS_OK;
}

static status take_counts(row_change *c, const json *counts, error *err)
{
    const ice_scan *scan = &c->table->scan;

    for (size_t i = 0; i < json_count(counts); i++) {
        const json *row = json_at(counts, i);
        int64_t hits = json_int64_or(json_at(row, 1), 0);
        int64_t all = json_int64_or(json_at(row, 2), 0);
        if (json_kind_of(json_at(row, 0)) == JSON_NULL) { /* rows that are new */
            c->row_count += all;
            continue;
        }
        int64_t number = json_int64_or(json_at(row, 0), -1);
        if (number < 0 || (size_t)number >= scan->file_count) {
            return error_set(err, STATUS_INTERNAL, "a row is of file %lld, there are %zu",
                             (long long)number, scan->file_count);
        }
        if (c->once && all > hits) {
            return refuse_twice(c, false, err);
        }
        c->row_count += hits;
        if (c->whole) {
            continue;
        }
        vec_push(c->a, &c->removed, scan->files[number]);
        vec_push(c->a, &c->touched, (uint32_t)number);
        if (hits < scan->files[number].record_count) {
            vec_push(c->a, &c->partial, (uint32_t)number);
        }
    }
    return c->key_count > 0 ? check_new_keys(c, err) : STATUS_OK;
}

/* ---- files written anew ---- */

/* The scan with nothing but these of its files, which keep their numbers. */
static query_table only_files(const row_change *c, const uint32_t *numbers, size_t count)
{
    query_table table = *c->table;
    ice_file *files = ARENA_ARRAY(c->a, ice_file, count + 1);
    ice_file_deletes *applied = ARENA_ARRAY(c->a, ice_file_deletes, count + 1);

    for (size_t i = 0; i < count; i++) {
        files[i] = table.scan.files[numbers[i]];
        if (table.scan.applied != NULL) {
            applied[i] = table.scan.applied[numbers[i]];
        }
    }
    table.scan.files = files;
    table.scan.file_count = count;
    table.scan.applied = table.scan.applied != NULL ? applied : NULL;
    table.numbers = numbers;
    table.estimate = 0; /* the filter is not asked again */
    return table;
}

/* Rows keep their ids from format version 3 on: files that are written anew have them as columns of reserved ids
 * (specification, "Row lineage"). A row that was changed keeps its id, and gets the sequence number of the commit,
 * which is what NULL stands for. */
static const struct {
    ice_field field;
    const char *otherwise; /* where the file that is read does not say it */
    const char *changed;   /* of a row that is changed */
} lineage[] = {
    {{.id = 2147483540, .name = STR_INIT("_row_id"), .doc = {.data = NULL}},
     QUERY_ROW_ID,
     "\"#ids\".\"#own\""},
    {{.id = 2147483539, .name = STR_INIT("_last_updated_sequence_number"), .doc = {.data = NULL}},
     QUERY_SEQUENCE,
     "CAST(NULL AS BIGINT)"},
};

/* The table's metadata as if these were columns of its own. */
static status add_lineage(const row_change *c, const ice_metadata **metadata,
                          const ice_schema **ret_schema, error *err)
{
    const ice_metadata *m = *metadata;
    ice_metadata *copy = ARENA_NEW(c->a, ice_metadata);
    ice_schema *schemas = ARENA_ARRAY(c->a, ice_schema, m->schema_count);
    ice_type *root = ARENA_NEW(c->a, ice_type);
    size_t count = c->target.root->field_count;
    ice_field *fields = ARENA_ARRAY(c->a, ice_field, count + COUNT_OF(lineage));

    for (size_t i = 0; i < count; i++) {
        fields[i] = c->target.root->fields[i];
        for (size_t k = 0; k < COUNT_OF(lineage); k++) {
            if (str_equal_nocase(fields[i].name, lineage[k].field.name)) {
                return error_set(err, STATUS_UNSUPPORTED,
                                 "column \"%.*s\" has the name that rows' ids have in files: rows "
                                 "of such a table cannot be written anew",
                                 STR_ARG(fields[i].name));
            }
        }
    }
    for (size_t k = 0; k < COUNT_OF(lineage); k++) {
        fields[count + k] = lineage[k].field;
        fields[count + k].type = ice_type_primitive(ICE_LONG);
    }
    *root =
        (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = count + COUNT_OF(lineage)};
    memcpy(copy, m, sizeof(*copy));
    for (size_t i = 0; i < m->schema_count; i++) {
        schemas[i] = m->schemas[i];
        if (schemas[i].id == m->current_schema_id) {
            schemas[i].root = root;
            *ret_schema = &schemas[i];
        }
    }
    copy->schemas = schemas;
    *metadata = copy;
    return STATUS_OK;
}

/* Rows that stay, of files that lose some. */
static status put_kept_rows(row_change *c, const ice_schema *schema, buf *sql, error *err)
{
    query_table table = only_files(c, c->partial.items, c->partial.count);
    buf *scan = buf_in(c->a, LIMIT_WORKER_MESSAGE);
    size_t own = c->target.root->field_count;

    table.schema = schema;
    table.with_lineage = schema->root->field_count > own;
    TRY(groups_put_scan(scan, &c->q, &table, err));
    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < schema->root->field_count; i++) {
        buf_add_c(sql, i > 0 ? ", " : "");
        buf_add_c(sql, i < own ? "" : "coalesce(");
        sql_quote_name(sql, schema->root->fields[i].name);
        if (i >= own) {
            buf_printf(sql, ", %s)", lineage[i - own].otherwise);
        }
    }
    buf_add_c(sql, " FROM (");
    buf_add_str(sql, buf_str(scan));
    buf_add_c(sql, ") ANTI JOIN " HITS " USING (" QUERY_FILE ", " QUERY_ROW ")");
    sql->failed = sql->failed || scan->failed;
    return STATUS_OK;
}

/* Ids of the rows in files that lose some: each as "#own". */
static status put_ids(row_change *c, const ice_schema *schema, buf *sql, error *err)
{
    query_table table = only_files(c, c->touched.items, c->touched.count);
    buf *scan = buf_in(c->a, LIMIT_WORKER_MESSAGE);

    table.schema = schema;
    table.with_lineage = true;
    TRY(groups_put_scan(scan, &c->q, &table, err));
    buf_add_c(sql, " LEFT JOIN (SELECT " QUERY_FILE ", " QUERY_ROW ", coalesce(");
    sql_quote_name(sql, lineage[0].field.name);
    buf_printf(sql, ", %s) AS \"#own\" FROM (", lineage[0].otherwise);
    buf_add_str(sql, buf_str(scan));
    buf_add_c(sql, ")) AS \"#ids\" USING (" QUERY_FILE ", " QUERY_ROW ")");
    sql->failed = sql->failed || scan->failed;
    return STATUS_OK;
}

static status put_new_rows(row_change *c, const ice_schema *schema, buf *sql, error *err)
{
    size_t own = c->target.root->field_count;
    bool has_lineage = schema->root->field_count > own;

    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < schema->root->field_count; i++) {
        buf_add_c(sql, i > 0 ? ", " : "");
        if (i >= own) {
            buf_add_c(sql, lineage[i - own].changed);
        } else if (!write_is_stored(&schema->root->fields[i])) {
            buf_add_c(sql, "NULL");
        } else {
            buf_printf(sql, "struct_extract(" HITS "." NEW_ROW ", 'c%zu')", i);
        }
    }
    buf_add_c(sql, " FROM " HITS);
    if (has_lineage) {
        TRY(put_ids(c, schema, sql, err));
    }
    buf_printf(sql, " WHERE struct_extract(" HITS "." NEW_ROW ", '#a') <> %d", BRANCH_DELETE);
    return STATUS_OK;
}

static status rewrite_files(row_change *c, error *err)
{
    run *r = c->r;
    const ice_metadata *m = c->target.metadata;
    const ice_schema *schema = c->table->schema;
    buf *sql = buf_in(c->a, LIMIT_WORKER_MESSAGE);

    if (m->format_version > 2 && c->touched.count > 0) {
        TRY(add_lineage(c, &m, &schema, err));
    }
    if (c->partial.count > 0) {
        TRY(put_kept_rows(c, schema, sql, err));
    }
    if (c->has_rows) {
        buf_add_c(sql, c->partial.count > 0 ? " UNION ALL " : "");
        TRY(put_new_rows(c, schema, sql, err));
    }
    TRY(buf_check(sql, "the list of files", err));

    write_request request = {.w = r->w,
                             .metadata = m,
                             .source_sql = buf_str(sql),
                             .table = str_printf(c->a, "%.*s.%.*s", STR_ARG(c->target.name.space),
                                                 STR_ARG(c->target.name.table)),
                             .cancel = &r->cancel};
    status result = write_rows(&request, c->a, &c->written, err);
    if (result != STATUS_OK && err != NULL) {
        err->position = ERROR_NO_POSITION; /* in SQL that tarn made */
    }
    return result;
}

/* What the change depends on: the rows that its scan asked for; all of them where the table is read a second time. */
static const ice_expr *filter_of(const row_change *c)
{
    for (size_t i = 0; i < c->q.tables.count; i++) {
        if (i + 1 != c->q.changed && c->q.tables.items[i].metadata == c->table->metadata) {
            return NULL;
        }
    }
    return c->table->filter;
}

bool change_returns(const row_change *c)
{
    return c->st->returning.from < c->st->returning.to;
}

/* RETURNING: new rows, and those that go, as they were. */
static status answer_rows(row_change *c, error *err)
{
    const ice_type *root = c->target.root;
    buf *sql = buf_in(c->a, LIMIT_WORKER_MESSAGE);
    bool with_action = c->st->kind == STATEMENT_MERGE;

    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; c->has_rows && i < root->field_count; i++) {
        if (write_is_stored(&root->fields[i])) {
            buf_printf(sql, "struct_extract(" NEW_ROW ", 'c%zu') AS ", i);
        } else {
            buf_add_c(sql, "NULL AS ");
        }
        sql_quote_name(sql, root->fields[i].name);
        buf_add_c(sql, ", ");
    }
    if (c->has_rows) {
        buf_printf(sql,
                   "CASE struct_extract(" NEW_ROW ", '#a') WHEN %d THEN 'INSERT' ELSE 'UPDATE' "
                   "END AS \"#action\" FROM " HITS " WHERE struct_extract(" NEW_ROW
                   ", '#a') <> %d UNION ALL SELECT ",
                   BRANCH_INSERT, BRANCH_DELETE);
    }
    for (size_t i = 0; i < root->field_count; i++) {
        buf_add_c(sql, i > 0 ? ", " : "");
        sql_quote_name(sql, root->fields[i].name);
    }
    buf_printf(
        sql, ", 'DELETE' AS \"#action\" FROM " QUERY_CHANGED ".%.*s SEMI JOIN (SELECT * FROM " HITS,
        STR_ARG(c->view));
    if (c->has_rows) {
        buf_printf(sql, " WHERE struct_extract(" NEW_ROW ", '#a') = %d", BRANCH_DELETE);
    }
    buf_add_c(sql, ") USING (" QUERY_FILE ", " QUERY_ROW ")");
    TRY(buf_check(sql, "the table's columns", err));
    return returning_answer(
        c->list,
        with_action
            ? buf_str(sql)
            : str_printf(c->a, "SELECT * EXCLUDE (\"#action\") FROM (%.*s)", STR_ARG(buf_str(sql))),
        err);
}

status change_by_rows(row_change *c, error *err)
{
    const json *counts;

    TRY(query_open(&c->q, true, err));
    report_step(c->r, "files chosen");
    TRY(c->once && c->key_count == 0 ? judge_bound(c, err) : STATUS_OK);
    TRY(note_rows(c, &counts, err));
    query_count(&c->q);
    report_query(c->r, &c->q);
    report_step(c->r, "rows found");
    TRY(take_counts(c, counts, err));
    if (c->whole) {
        return STATUS_OK;
    }
    if (c->row_count > 0 && (c->has_rows || c->partial.count > 0)) {
        TRY(rewrite_files(c, err));
        report_step(c->r, "files written");
    }
    TRY(change_returns(c) ? answer_rows(c, err) : STATUS_OK);
    c->change.kind = ICE_OVERWRITE_FILES;
    c->change.filter = c->change.filter != NULL ? c->change.filter : filter_of(c);
    c->change.removed = c->removed.items;
    c->change.removed_count = c->removed.count;
    c->change.added = c->written.files;
    c->change.added_count = c->written.count;
    c->change.unstaged = c->written.requests;
    c->change.unstaged_count = c->written.count;
    return STATUS_OK;
}

status change_commit(row_change *c, bool last, error *err)
{
    ice_commit_result commit = {.snapshot_id = ICE_NO_SNAPSHOT};

    if (c->row_count > 0) {
        report_files(c->r, c->whole ? c->whole_count : c->removed.count, c->written.files,
                     c->written.count);
        TRY(catalog_overwrite(c->r->catalog, c->target.name, &c->change, &commit, err));
        report_step(c->r, "committed");
    }
    return change_returns(c) ? returning_send(c->r, last, c->row_count, commit.snapshot_id, err)
                             : run_changed(c->r, last, c->row_count, commit.snapshot_id, err);
}

static status run_once(row_change *c, change_work *work, bool last, error *err)
{
    report_begin(c->r);
    TRY(change_load(c, err));
    status result = work(c, last, err);
    change_close(c);
    return result;
}

status change_run(const row_change *begin, change_work *work, bool last, error *err)
{
    run *r = begin->r;
    bool alone = r->catalog == r->e->options.catalog; /* in a transaction its COMMIT decides */
    status result = STATUS_CONFLICT;

    for (int i = 0; result == STATUS_CONFLICT && i <= (alone ? RUN_AGAIN_MAX : 0); i++) {
        row_change c = *begin;
        error found = ERROR_INIT;

        c.a = arena_child(begin->a);
        result = run_once(&c, work, last, &found);
        if (err != NULL) {
            *err = found;
        }
    }
    return result;
}

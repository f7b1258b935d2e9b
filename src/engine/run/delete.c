/* DELETE and TRUNCATE.
 *
 *   1. Files whose every row the metadata proves to match leave without being read, where the condition has an exact
 *      expression (plan_exact.c) and no file matches in part.
 *   2. Else the condition runs once, as that of a SELECT over the files that may match, which notes the file and the
 *      place of every row; so random() and subqueries are asked once. A file without such a row stays, one of such
 *      rows alone leaves, and of the others new files hold the rows that were not noted.
 *
 * The commit depends on the snapshot that was read, by the table's isolation level (overwrite.h). */
#include "run/groups.h"
#include "run/query.h"
#include "run/write.h"
#include "sql/plan.h"
#include "tarn/base/limits.h"

#define HITS "\"#hits\""

typedef struct deletion {
    run *r;
    const statement *st;
    arena *a;
    table_name name;
    query q;
    query_table *table; /* in q */
    ice_overwrite change;
    bool whole; /* every file that may match goes as a whole */
    VEC(ice_file) removed;
    VEC(uint32_t) partial; /* files of the scan that lose some of their rows */
    engine_written written;
    int64_t row_count;
} deletion;

static const ice_property engine_summary[] = {
    {.key = STR_INIT("engine-name"), .value = STR_INIT("tarn")},
};

/* ---- what is asked for ---- */

/* DELETE FROM t AS a WHERE c: SELECT file, row FROM t AS a WHERE (c). */
static void make_edits(const deletion *d, edit_list *edits)
{
    const token *items = d->r->tokens.items;
    const statement *st = d->st;
    edit begin = {.from = items[st->tokens.from].from,
                  .to = items[st->name_token].from,
                  .text = STR("SELECT " QUERY_FILE ", " QUERY_ROW " FROM ")};

    vec_push(d->a, edits, begin);
    if (st->where.from < st->where.to) {
        size_t from = items[st->where.from].from, to = items[st->where.to - 1].to;
        vec_push(d->a, edits, ((edit){.from = from, .to = from, .text = STR("(")}));
        vec_push(d->a, edits, ((edit){.from = to, .to = to, .text = STR("\n)")}));
    }
}

static status analyse(deletion *d, error *err)
{
    run *r = d->r;
    const statement_name *name = &d->st->name;
    edit_list edits = {0};
    status result = catalog_resolve(r->e->options.catalog, name->parts, name->count, r->space, d->a,
                                    &d->name, err);

    TRY(run_at(result, name->position, err));
    TRY(run_check_access(r, ACTION_TABLE_WRITE, d->name.space, d->name.table, err));
    make_edits(d, &edits);
    TRY(query_analyse(r, d->st->tokens, &edits, d->a, &d->q, err));
    for (size_t i = 0; i < d->q.tables.count; i++) {
        query_table *table = &d->q.tables.items[i];
        if (str_equal_nocase(table->name.space, d->name.space) &&
            str_equal_nocase(table->name.table, d->name.table) && d->table == NULL) {
            d->table = table;
        }
    }
    ASSERT(d->table != NULL); /* the statement's own FROM names it */
    d->table->with_places = true;
    return STATUS_OK;
}

/* ---- by metadata ---- */

/* The condition as an expression; false where it has none. NULL: all rows. */
static status exact_filter(deletion *d, const ice_expr **ret_filter, bool *ret_exact, error *err)
{
    str tree, own_name = d->st->name.parts[d->st->name.count - 1];

    *ret_filter = NULL;
    *ret_exact = true;
    if (d->st->where.from == d->st->where.to) {
        return STATUS_OK;
    }
    TRY(worker_pure(d->r->w, STR(SERIALIZE_SQL), d->q.text.text, &d->r->cancel, d->a, &tree, err));
    *ret_filter = plan_exact_condition(tree, d->table->schema, own_name, d->st->alias, d->a);
    *ret_exact = *ret_filter != NULL;
    return STATUS_OK;
}

static status by_metadata(deletion *d, bool *ret_done, error *err)
{
    const ice_metadata *m = d->table->metadata;
    ice_scan_options options = {.metadata = m, .snapshot_id = ICE_NO_SNAPSHOT};
    ice_scan scan;
    bool exact;

    *ret_done = false;
    TRY(exact_filter(d, &options.filter, &exact, err));
    if (!exact) {
        return STATUS_OK;
    }
    d->change.filter = options.filter;
    TRY(ice_scan_plan(d->r->e->options.storage, &options, d->a, &scan, err));
    for (size_t i = 0; i < scan.file_count; i++) {
        if (!ice_file_must_match(&scan.files[i], m, options.filter)) {
            d->row_count = 0;
            return STATUS_OK;
        }
        d->row_count += scan.files[i].record_count;
    }
    d->change.kind = ICE_OVERWRITE_FILTER;
    d->r->result.stats.files_total += scan.total_files;
    d->whole = true;
    *ret_done = scan.delete_count == 0; /* else it must be counted how many rows are left */
    d->row_count = *ret_done ? d->row_count : 0;
    return STATUS_OK;
}

/* ---- by rows ---- */

static status note_rows(deletion *d, const json **ret_counts, error *err)
{
    static const char prefix[] = "CREATE TEMP TABLE " HITS " AS ";
    run *r = d->r;
    str sql = str_concat(d->a, str_c(prefix), d->q.text.text);
    status result = worker_exec(r->w, sql, &r->cancel, err);

    TRY(query_fail(&d->q, result, sizeof(prefix) - 1, err));
    return worker_rows(r->w,
                       STR("SELECT " QUERY_FILE ", count(*) FROM " HITS " GROUP BY 1 ORDER BY 1"),
                       &r->cancel, d->a, ret_counts, err);
}

static status take_counts(deletion *d, const json *counts, error *err)
{
    const ice_scan *scan = &d->table->scan;

    for (size_t i = 0; i < json_count(counts); i++) {
        const json *row = json_at(counts, i);
        int64_t number = json_int64_or(json_at(row, 0), -1);
        int64_t hits = json_int64_or(json_at(row, 1), 0);
        if (number < 0 || (size_t)number >= scan->file_count) {
            return error_set(err, STATUS_INTERNAL, "a row is of file %lld, there are %zu",
                             (long long)number, scan->file_count);
        }
        d->row_count += hits;
        if (d->whole) {
            continue;
        }
        vec_push(d->a, &d->removed, scan->files[number]);
        if (hits < scan->files[number].record_count) {
            vec_push(d->a, &d->partial, (uint32_t)number);
        }
    }
    return STATUS_OK;
}

/* The scan with nothing but the files that lose some of their rows, which keep their numbers. */
static query_table only_partial(const deletion *d)
{
    query_table table = *d->table;
    size_t count = d->partial.count;
    ice_file *files = ARENA_ARRAY(d->a, ice_file, count);
    ice_file_deletes *applied = ARENA_ARRAY(d->a, ice_file_deletes, count);

    for (size_t i = 0; i < count; i++) {
        files[i] = table.scan.files[d->partial.items[i]];
        if (table.scan.applied != NULL) {
            applied[i] = table.scan.applied[d->partial.items[i]];
        }
    }
    table.scan.files = files;
    table.scan.file_count = count;
    table.scan.applied = table.scan.applied != NULL ? applied : NULL;
    table.numbers = d->partial.items;
    return table;
}

/* Rows keep their ids from format version 3 on: files that are written anew have them as columns of reserved ids
 * (specification, "Row lineage"). */
static const struct {
    ice_field field;
    const char *otherwise; /* where the file that is read does not say it */
} lineage[] = {
    {{.id = 2147483540, .name = STR_INIT("_row_id"), .doc = {.data = NULL}}, QUERY_ROW_ID},
    {{.id = 2147483539, .name = STR_INIT("_last_updated_sequence_number"), .doc = {.data = NULL}},
     QUERY_SEQUENCE},
};

/* The table as if these were columns of its own. */
static status add_lineage(const deletion *d, const ice_metadata **metadata, query_table *table,
                          error *err)
{
    const ice_metadata *m = *metadata;
    ice_metadata *copy = ARENA_NEW(d->a, ice_metadata);
    ice_schema *schemas = ARENA_ARRAY(d->a, ice_schema, m->schema_count);
    ice_type *root = ARENA_NEW(d->a, ice_type);
    size_t count = d->table->schema->root->field_count;
    ice_field *fields = ARENA_ARRAY(d->a, ice_field, count + COUNT_OF(lineage));

    for (size_t i = 0; i < count; i++) {
        fields[i] = d->table->schema->root->fields[i];
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
            table->schema = &schemas[i];
        }
    }
    copy->schemas = schemas;
    table->with_lineage = true;
    *metadata = copy;
    return STATUS_OK;
}

static void put_kept_columns(const deletion *d, const query_table *table, buf *sql)
{
    const ice_type *root = table->schema->root;
    size_t own = d->table->schema->root->field_count;

    for (size_t i = 0; i < root->field_count; i++) {
        buf_add_c(sql, i > 0 ? ", " : "");
        buf_add_c(sql, i < own ? "" : "coalesce(");
        sql_quote_name(sql, root->fields[i].name);
        if (i >= own) {
            buf_printf(sql, ", %s)", lineage[i - own].otherwise);
        }
    }
}

static status rewrite_files(deletion *d, error *err)
{
    run *r = d->r;
    const ice_metadata *m = d->table->metadata;
    query_table table = only_partial(d);
    buf *scan = buf_in(d->a, LIMIT_WORKER_MESSAGE);
    buf *sql = buf_in(d->a, LIMIT_WORKER_MESSAGE);

    if (m->format_version > 2) {
        TRY(add_lineage(d, &m, &table, err));
    }
    TRY(groups_put_scan(scan, &d->q, &table, err));
    buf_add_c(sql, "SELECT ");
    put_kept_columns(d, &table, sql);
    buf_add_c(sql, " FROM (");
    buf_add_str(sql, buf_str(scan));
    buf_add_c(sql, ") ANTI JOIN " HITS " USING (" QUERY_FILE ", " QUERY_ROW ")");
    sql->failed = sql->failed || scan->failed;
    TRY(buf_check(sql, "the list of files", err));

    write_request request = {
        .w = r->w,
        .metadata = m,
        .source_sql = buf_str(sql),
        .table = str_printf(d->a, "%.*s.%.*s", STR_ARG(d->name.space), STR_ARG(d->name.table)),
        .cancel = &r->cancel};
    status result = write_rows(&request, d->a, &d->written, err);
    if (result != STATUS_OK && err != NULL) {
        err->position = ERROR_NO_POSITION; /* in SQL that tarn made */
    }
    return result;
}

static status by_rows(deletion *d, error *err)
{
    const json *counts;

    TRY(query_open(&d->q, true, err));
    TRY(note_rows(d, &counts, err));
    query_count(&d->q);
    TRY(take_counts(d, counts, err));
    if (d->whole) {
        return STATUS_OK;
    }
    if (d->partial.count > 0) {
        TRY(rewrite_files(d, err));
    }
    d->change.kind = ICE_OVERWRITE_FILES;
    d->change.filter = d->change.filter != NULL ? d->change.filter : d->table->filter;
    d->change.removed = d->removed.items;
    d->change.removed_count = d->removed.count;
    d->change.added = d->written.files;
    d->change.added_count = d->written.count;
    d->change.unstaged = d->written.requests;
    d->change.unstaged_count = d->written.count;
    return STATUS_OK;
}

/* ---- the whole ---- */

static status delete_rows(deletion *d, bool last, error *err)
{
    ice_commit_result commit = {.snapshot_id = ICE_NO_SNAPSHOT};
    const ice_metadata *m = d->table->metadata;
    bool done;

    d->change = (ice_overwrite){.isolation = ice_isolation_of(m, "delete"),
                                .read_snapshot_id = m->current_snapshot_id,
                                .branch = STR_NULL,
                                .table_uuid = m->uuid,
                                .schema_id = m->current_schema_id,
                                .summary = engine_summary,
                                .summary_count = COUNT_OF(engine_summary)};
    TRY(by_metadata(d, &done, err));
    if (!done) {
        TRY(by_rows(d, err));
    }
    if (d->row_count > 0) {
        TRY(catalog_overwrite(d->r->e->options.catalog, d->name, &d->change, &commit, err));
    }
    return run_changed(d->r, last, d->row_count, commit.snapshot_id, err);
}

status run_delete(run *r, const statement *st, bool last, arena *a, error *err)
{
    deletion d = {.r = r, .st = st, .a = a};

    TRY(analyse(&d, err));
    status result = delete_rows(&d, last, err);
    query_close(&d.q);
    return result;
}

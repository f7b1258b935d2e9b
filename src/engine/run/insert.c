/* Rows in: INSERT and CREATE TABLE AS. The source runs once, inside of the COPY that writes the
 * files; the files and the table (or its new snapshot) become visible in one transaction. */
#include "run/insert.h"
#include "run/blame.h"
#include "run/report.h"
#include "run/returning.h"
#include "run/table.h"
#include "run/write.h"
#include "tarn/base/limits.h"

/* ---- what both share ---- */

typedef struct row_source {
    query q;      /* text and views of the source; no tables where it was not analysed */
    bool literal; /* VALUES of literals: nothing to analyse */
    str text;     /* what DuckDB runs */
} row_source;

static const ice_property engine_summary[] = {
    {.key = STR_INIT("engine-name"), .value = STR_INIT("tarn")},
};

static ice_append append_of(const engine_written *written, const ice_metadata *m)
{
    return (ice_append){
        .files = written->files,
        .file_count = written->count,
        .unstaged = written->requests,
        .unstaged_count = written->count,
        .table_uuid = m->uuid,
        .schema_id = m->current_schema_id,
        .summary = engine_summary,
        .summary_count = COUNT_OF(engine_summary),
    };
}

/* SELECT CAST(tarn_s0 AS T) AS …: the source's columns in the order and the types of the
 * table's. */
static status cast_source(const row_source *source, const source_column *columns, size_t count,
                          size_t source_count, arena *a, str *ret_sql, size_t *ret_offset,
                          error *err)
{
    buf *sql = buf_in(a, LIMIT_WORKER_MESSAGE);
    buf_add_c(sql, "SELECT ");
    for (size_t i = 0; i < count; i++) {
        buf_add_c(sql, i > 0 ? ", " : "");
        if (columns[i].number == SIZE_MAX && !str_is_null(columns[i].constant)) {
            buf_printf(sql, "CAST(%.*s AS ", STR_ARG(columns[i].constant));
            engine_duckdb_type(columns[i].field->type, sql);
            buf_add_char(sql, ')');
            continue;
        }
        if (columns[i].number == SIZE_MAX) {
            engine_default_sql(columns[i].field, a, sql);
            continue;
        }
        buf_printf(sql, "CAST(tarn_s%zu AS ", columns[i].number);
        engine_duckdb_type(columns[i].field->type, sql);
        buf_add_char(sql, ')');
    }
    buf_add_c(sql, " FROM (");
    *ret_offset = sql->size;
    buf_add_str(sql, source->text);
    buf_add_c(sql, "\n) AS tarn_source(");
    for (size_t i = 0; i < source_count; i++) {
        buf_printf(sql, "%starn_s%zu", i > 0 ? ", " : "", i);
    }
    buf_add_char(sql, ')');
    *ret_sql = buf_str(sql);
    return buf_check(sql, "the statement", err);
}

status insert_describe(const query *q, arena *a, const json **ret_rows, error *err)
{
    static const char prefix[] = "DESCRIBE ";
    str sql = str_concat(a, str_c(prefix), q->text.text);
    status result = worker_rows(q->r->w, sql, &q->r->cancel, a, ret_rows, err);
    return query_fail(q, result, sizeof(prefix) - 1, err);
}

static str column_text(const json *rows, size_t row, size_t column, arena *a)
{
    return str_copy(a, json_str_or(json_at(json_at(rows, row), column), STR("")));
}

/* Writes what the source yields; `noted`: into a temporary table first, for RETURNING. The error's position is the
 * script's. */
static status write_source(run *r, const row_source *source, const source_column *columns,
                           size_t count, size_t source_count, const ice_metadata *m,
                           const table_name *name, bool noted, arena *a,
                           engine_written *ret_written, error *err)
{
    write_request request = {
        .w = r->w,
        .metadata = m,
        .cancel = &r->cancel,
        .table = str_printf(a, "%.*s.%.*s", STR_ARG(name->space), STR_ARG(name->table)),
    };
    size_t offset;
    TRY(cast_source(source, columns, count, source_count, a, &request.source_sql, &offset, err));
    if (noted) {
        TRY(query_fail(&source->q,
                       returning_note(r, request.source_sql, count, a, &request.source_sql, err),
                       offset + RETURNING_NOTE_OFFSET, err));
    }
    return query_fail(&source->q, write_rows(&request, a, ret_written, err), offset, err);
}

/* ---- CREATE TABLE AS ---- */

typedef struct created {
    catalog_create options;
    ice_metadata *metadata; /* as the table will begin */
    const source_column *columns;
    size_t column_count;
} created;

static status describe_new_table(run *r, const statement *st, const row_source *source, arena *a,
                                 created *ret, error *err)
{
    const json *rows;
    TRY(insert_describe(&source->q, a, &rows, err));
    size_t count = json_count(rows);
    ice_field *fields = ARENA_ARRAY(a, ice_field, count + 1);
    source_column *columns = ARENA_ARRAY(a, source_column, count + 1);
    for (size_t i = 0; i < count; i++) {
        fields[i] = (ice_field){.name = column_text(rows, i, 0, a), .doc = STR_NULL};
        TRY(run_at(engine_iceberg_type(column_text(rows, i, 1, a), fields[i].name, a,
                                       &fields[i].type, err),
                   r->tokens.items[st->body.from].from, err));
        columns[i] = (source_column){.number = i, .field = &fields[i]};
    }
    ret->columns = columns;
    ret->column_count = count;
    TRY(table_options(st, table_root(fields, count, a), a, &ret->options.table, err));
    ret->options.location_planned = ret->options.table.location.size == 0;
    TRY(table_place_error(st,
                          catalog_plan_table(r->catalog, &ret->options, a, &ret->metadata,
                                             &ret->options.planned_there, err),
                          err));
    ret->options.table.location = ret->metadata->location;
    ret->options.planned = ret->metadata;
    return STATUS_OK;
}

static status fill_new_table(run *r, const statement *st, row_source *source, created *table,
                             bool last, arena *a, error *err)
{
    engine_written written;
    ice_metadata *now;
    table_info info;
    bool is_new;
    TRY(write_source(r, source, table->columns, table->column_count, table->column_count,
                     table->metadata, &table->options.name, false, a, &written, err));
    report_step(r, "rows read and written");
    report_files(r, 0, written.files, written.count);
    ice_append append = append_of(&written, table->metadata);
    append.table_uuid = STR_NULL; /* the table gets its own */
    table->options.append = written.count > 0 ? &append : NULL;
    TRY(table_place_error(st, catalog_create_table(r->catalog, &table->options, &is_new, err),
                          err));
    report_step(r, "committed");
    int64_t snapshot_id = ICE_NO_SNAPSHOT;
    if (is_new &&
        catalog_load_table(r->catalog, table->options.name, a, &now, &info, NULL) == STATUS_OK) {
        snapshot_id = now->current_snapshot_id;
        ice_metadata_unref(now);
    }
    return run_changed(r, last, is_new ? written.row_count : 0, snapshot_id, err);
}

/* True where the table is there already: then the source is not run. */
static status exists_already(run *r, const table_name *name, arena *a, bool *ret_exists, error *err)
{
    ice_metadata *m;
    table_info info;
    status result = catalog_load_table(r->catalog, *name, a, &m, &info, err);
    *ret_exists = result == STATUS_OK;
    if (result == STATUS_OK) {
        ice_metadata_unref(m);
    } else if (result == STATUS_NO_TABLE) {
        error_clear(err);
        return STATUS_OK;
    }
    return result;
}

static status create_once(run *r, const statement *st, bool last, arena *a, error *err)
{
    created table = {.options = {.if_not_exists = st->if_exists, .replace = st->replace}};
    row_source source = {0};
    bool exists;
    status result = catalog_resolve_new(r->catalog, st->name.parts, st->name.count, r->space, a,
                                        &table.options.name, err);
    TRY(run_at(result, st->name.position, err));
    TRY(run_at(table_check_places(r, st->properties, st->property_count, err), st->position, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, table.options.name.space, table.options.name.table,
                         err));
    TRY(run_judge(r, st, a, err));
    TRY(exists_already(r, &table.options.name, a, &exists, err));
    if (exists && st->if_exists) {
        return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
    }
    if (exists && st->replace) {
        TRY(table_may_replace(r, st, table.options.name, err));
    } else if (exists) {
        error_set(err, STATUS_EXISTS, "table \"%.*s.%.*s\" exists already",
                  STR_ARG(table.options.name.space), STR_ARG(table.options.name.table));
        return run_at(STATUS_EXISTS, st->name.position, err);
    }
    TRY(query_analyse(r, st->body, NULL, a, &source.q, err));
    source.text = source.q.text.text;
    result = query_open(&source.q, false, err);
    if (result == STATUS_OK) {
        result = describe_new_table(r, st, &source, a, &table, err);
    }
    if (result == STATUS_OK) {
        query_count(&source.q);
        report_query(r, &source.q);
        report_step(r, "files chosen");
        result = fill_new_table(r, st, &source, &table, last, a, err);
    }
    ice_metadata_unref(table.metadata);
    query_close(&source.q);
    return result;
}

/* Its name was free when the rows were asked for, and another table has it now. */
static bool was_made_meanwhile(run *r, const statement *st, arena *a)
{
    error ignored = ERROR_INIT;
    table_name name;
    bool exists = false;

    return catalog_resolve_new(r->catalog, st->name.parts, st->name.count, r->space, a, &name,
                               &ignored) == STATUS_OK &&
           exists_already(r, &name, a, &exists, &ignored) == STATUS_OK && exists;
}

/* OR REPLACE means whatever is there: where that became another table while the rows were written, they are written
 * again, for that one. */
status run_create_table_as(run *r, const statement *st, bool last, arena *a, error *err)
{
    bool alone = r->catalog == r->e->options.catalog; /* in a transaction its COMMIT decides */
    bool again = true;
    status result = STATUS_OK;

    for (int i = 0; again; i++) {
        arena *each = arena_child(a);
        error found = ERROR_INIT;

        report_begin(r);
        result = create_once(r, st, last, each, &found);
        if (alone && st->replace && result == STATUS_EXISTS && was_made_meanwhile(r, st, each)) {
            found.kind = result = STATUS_CONFLICT;
        }
        again = alone && st->replace && result == STATUS_CONFLICT && i < RUN_AGAIN_MAX;
        if (err != NULL) {
            *err = found;
        }
    }
    return result;
}

/* ---- INSERT: which source column goes where ---- */

size_t insert_find_column(const ice_type *root, str name)
{
    size_t i = 0;
    while (i < root->field_count && !str_equal_nocase(root->fields[i].name, name)) {
        i++;
    }
    return i;
}

status insert_no_column(const insert_target *t, str name, arena *a, error *err)
{
    str *names = ARENA_ARRAY(a, str, t->root->field_count);
    for (size_t i = 0; i < t->root->field_count; i++) {
        names[i] = t->root->fields[i].name;
    }
    str nearest = str_nearest(name, names, t->root->field_count);
    error_set(err, STATUS_NO_COLUMN, "table \"%.*s.%.*s\" has no column \"%.*s\"",
              STR_ARG(t->name.space), STR_ARG(t->name.table), STR_ARG(name));
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    return STATUS_NO_COLUMN;
}

status insert_check_required(const insert_target *t, error *err)
{
    for (size_t i = 0; i < t->root->field_count; i++) {
        if (t->columns[i].number == SIZE_MAX && str_is_null(t->columns[i].constant) &&
            t->root->fields[i].required && t->root->fields[i].write_default == NULL) {
            error_set(
                err, STATUS_BAD_DATA,
                "column \"%.*s\" of table \"%.*s.%.*s\" is required, but the statement gives no value for it",
                STR_ARG(t->root->fields[i].name), STR_ARG(t->name.space), STR_ARG(t->name.table));
            error_set_sqlstate(err, "23502");
            return STATUS_BAD_DATA;
        }
    }
    return STATUS_OK;
}

status insert_map_columns(insert_target *t, const statement *st, arena *a, error *err)
{
    size_t count = t->root->field_count, next = 0;
    t->columns = ARENA_ARRAY(a, source_column, count);
    for (size_t i = 0; i < count; i++) {
        bool given = st->insert_columns == NULL && st->source != INSERT_DEFAULT_VALUES;
        for (size_t k = 0; k < st->partition_count; k++) {
            given = given && (st->partition[k].value.from == st->partition[k].value.to ||
                              !str_equal_nocase(st->partition[k].column, t->root->fields[i].name));
        }
        t->columns[i] =
            (source_column){.number = given ? next++ : SIZE_MAX, .field = &t->root->fields[i]};
    }
    t->source_count = st->insert_columns == NULL ? next : st->insert_column_count;
    for (size_t i = 0; i < st->insert_column_count; i++) {
        size_t column = insert_find_column(t->root, st->insert_columns[i]);
        if (column == count) {
            return run_at(insert_no_column(t, st->insert_columns[i], a, err),
                          st->insert_positions[i], err);
        }
        t->columns[column].number = i;
    }
    return st->by_name || st->partition_count > 0 ? STATUS_OK : insert_check_required(t, err);
}

/* BY NAME: the source's own names decide. */
static status map_by_name(insert_target *t, const json *rows, arena *a, error *err)
{
    for (size_t i = 0; i < t->root->field_count; i++) {
        t->columns[i].number = SIZE_MAX;
    }
    for (size_t i = 0; i < json_count(rows); i++) {
        str name = column_text(rows, i, 0, a);
        size_t column = insert_find_column(t->root, name);
        if (column == t->root->field_count) {
            return insert_no_column(t, name, a, err);
        }
        if (t->columns[column].number != SIZE_MAX) {
            return error_set(err, STATUS_INVALID, "the rows have column \"%.*s\" twice",
                             STR_ARG(name));
        }
        t->columns[column].number = i;
    }
    t->source_count = json_count(rows);
    return insert_check_required(t, err);
}

static status wrong_count(const insert_target *t, size_t found, error *err)
{
    return error_set(err, STATUS_WRONG_TYPE,
                     "table \"%.*s.%.*s\": %zu column%s expected, but the rows have %zu",
                     STR_ARG(t->name.space), STR_ARG(t->name.table), t->source_count,
                     t->source_count == 1 ? "" : "s", found);
}

status insert_map_described(insert_target *t, const statement *st, const json *described, arena *a,
                            error *err)
{
    if (st->by_name) {
        return map_by_name(t, described, a, err);
    }
    size_t count = json_count(described);
    return count == t->source_count ? STATUS_OK : wrong_count(t, count, err);
}

/* ---- INSERT … VALUES ---- */

/* What a row may hold so that nothing in it needs to be looked at: numbers, texts, NULL, true,
 * false, signs. */
static bool is_literal_token(const token_list *list, size_t index)
{
    token_kind kind = list->items[index].kind;
    static const char *const words[] = {"null",      "true",        "false", "date",
                                        "timestamp", "timestamptz", "time"};
    if (kind == TOKEN_NUMBER || kind == TOKEN_TEXT) {
        return true;
    }
    if (kind == TOKEN_SYMBOL) {
        char c = list->sql.data[list->items[index].from];
        return c == ',' || c == '(' || c == ')' || c == '-' || c == '+';
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (token_is(list, index, words[i])) {
            return true;
        }
    }
    return false;
}

/* What all values of a column have in common. Numbers without a point, and texts, keep their value
 * whatever other rows hold, so one cast of the whole column does; anything else is cast by itself. */
typedef enum values_class { VALUES_NULL, VALUES_INTEGER, VALUES_TEXT, VALUES_MIXED } values_class;

typedef struct values_edit {
    const insert_target *target;
    const token_list *list;
    str *casts;            /* per source column: " AS T)" */
    str *defaults;         /* per source column: what DEFAULT stands for; STR_NULL: NULL */
    values_class *classes; /* per source column */
    bool classifying;      /* the first pass; the second makes the edits */
    edit_list *edits;
    arena *a;
    error *err;
} values_edit;

#define INTEGER_DIGITS_MAX 18

static values_class class_of(const token_list *list, size_t from, size_t to)
{
    if (to == from + 1 && (token_is(list, from, "null") || token_is(list, from, "default"))) {
        return VALUES_NULL;
    }
    if (to == from + 1 && list->items[from].kind == TOKEN_TEXT &&
        token_text(list, from).data[0] == '\'') {
        return VALUES_TEXT;
    }
    from += token_is_symbol(list, from, '-') ? 1 : 0;
    str digits = token_text(list, from);
    bool whole = to == from + 1 && list->items[from].kind == TOKEN_NUMBER &&
                 digits.size <= INTEGER_DIGITS_MAX;
    for (size_t i = 0; whole && i < digits.size; i++) {
        whole = digits.data[i] >= '0' && digits.data[i] <= '9';
    }
    return whole ? VALUES_INTEGER : VALUES_MIXED;
}

/* The value in tokens [from, to), where it must be, becomes CAST(value AS T), as DuckDB's own INSERT
 * casts each value by itself; DEFAULT becomes the column's default, or NULL. */
static status edit_value(values_edit *v, size_t from, size_t to, size_t column)
{
    if (from >= to) {
        return token_error(v->list, to, v->err);
    }
    if (column >= v->target->source_count) {
        return STATUS_OK; /* counted by the caller */
    }
    if (v->classifying) {
        bool has_default = to == from + 1 && token_is(v->list, from, "default") &&
                           !str_is_null(v->defaults[column]);
        values_class found = has_default ? VALUES_MIXED : class_of(v->list, from, to);
        values_class *known = &v->classes[column];
        *known = *known == VALUES_NULL || *known == found ? found
                 : found == VALUES_NULL                   ? *known
                                                          : VALUES_MIXED;
        return STATUS_OK;
    }
    if (to == from + 1 && token_is(v->list, from, "default")) {
        edit instead = {.from = v->list->items[from].from,
                        .to = v->list->items[from].to,
                        .text =
                            str_is_null(v->defaults[column]) ? STR("NULL") : v->defaults[column]};
        vec_push(v->a, v->edits, instead);
        return STATUS_OK;
    }
    if (v->classes[column] == VALUES_MIXED) {
        size_t begin = v->list->items[from].from, end = v->list->items[to - 1].to;
        vec_push(v->a, v->edits, ((edit){.from = begin, .to = begin, .text = STR("CAST(")}));
        vec_push(v->a, v->edits, ((edit){.from = end, .to = end, .text = v->casts[column]}));
    }
    return STATUS_OK;
}

/* One row, `at` on its "(": edits its values and steps behind its ")". */
static status edit_row(values_edit *v, size_t *at, size_t end)
{
    size_t depth = 0, column = 0, start = *at + 1, row = *at;
    for (; *at < end; (*at)++) {
        bool opens = token_is_symbol(v->list, *at, '(') || token_is_symbol(v->list, *at, '[') ||
                     token_is_symbol(v->list, *at, '{');
        bool closes = token_is_symbol(v->list, *at, ')') || token_is_symbol(v->list, *at, ']') ||
                      token_is_symbol(v->list, *at, '}');
        depth += opens ? 1 : 0;
        bool value_ends = depth == 1 && (closes || token_is_symbol(v->list, *at, ','));
        bool behind_last = closes && column > 0 && start == *at; /* a comma, as DuckDB takes it */
        if (value_ends && !behind_last) {
            TRY(edit_value(v, start, *at, column++));
            start = *at + 1;
        }
        depth -= closes ? 1 : 0;
        if (depth == 0) {
            (*at)++;
            break;
        }
    }
    if (depth > 0) {
        return token_error(v->list, v->list->count, v->err);
    }
    return column == v->target->source_count
               ? STATUS_OK
               : run_at(wrong_count(v->target, column, v->err), v->list->items[row].from, v->err);
}

/* VALUES (…), (…): *ret_rows_only is false where more follows (ORDER BY, UNION …): then the text
 * stays as it is. */
static status edit_values(values_edit *v, token_range body, bool *ret_rows_only, bool *ret_literal)
{
    size_t at = body.from + 1;
    *ret_literal = true;
    for (;;) {
        if (at >= body.to || !token_is_symbol(v->list, at, '(')) {
            return token_error(v->list, at < body.to ? at : v->list->count, v->err);
        }
        TRY(edit_row(v, &at, body.to));
        if (at >= body.to || !token_is_symbol(v->list, at, ',')) {
            break;
        }
        at++;
        if (at >= body.to) {
            break; /* a comma behind the last row: DuckDB decides */
        }
    }
    *ret_rows_only = at >= body.to;
    for (size_t i = body.from + 1; i < body.to && *ret_literal; i++) {
        *ret_literal = is_literal_token(v->list, i) || token_is(v->list, i, "default");
    }
    return STATUS_OK;
}

status insert_edit_values(run *r, const statement *st, const insert_target *t, arena *a,
                          edit_list *edits, bool *ret_rows_only, bool *ret_literal, error *err)
{
    values_edit v = {.target = t, .list = &r->tokens, .edits = edits, .a = a, .err = err};
    v.casts = ARENA_ARRAY(a, str, t->source_count + 1);
    v.defaults = ARENA_ARRAY(a, str, t->source_count + 1);
    for (size_t i = 0; i < t->root->field_count; i++) {
        if (t->columns[i].number != SIZE_MAX) {
            buf *cast = buf_in(a, LIMIT_MIB);
            buf_add_c(cast, " AS ");
            engine_duckdb_type(t->root->fields[i].type, cast);
            buf_add_char(cast, ')');
            v.casts[t->columns[i].number] = buf_str(cast);
            if (t->root->fields[i].write_default != NULL) {
                buf *value = buf_in(a, LIMIT_MIB);
                engine_default_sql(&t->root->fields[i], a, value);
                v.defaults[t->columns[i].number] = buf_str(value);
            }
        }
    }
    v.classes = ARENA_ARRAY(a, values_class, t->source_count + 1);
    v.classifying = true;
    TRY(edit_values(&v, st->body, ret_rows_only, ret_literal));
    v.classifying = false;
    TRY(edit_values(&v, st->body, ret_rows_only, ret_literal));
    *ret_literal = *ret_literal && *ret_rows_only;
    return STATUS_OK;
}

static status prepare_values(run *r, const statement *st, const insert_target *t, arena *a,
                             row_source *source, error *err)
{
    edit_list edits = {0};
    bool rows_only;
    TRY(insert_edit_values(r, st, t, a, &edits, &rows_only, &source->literal, err));
    source->literal = source->literal && st->with.from == st->with.to;
    if (!source->literal) {
        TRY(insert_analyse_source(r, st, rows_only ? &edits : NULL, a, &source->q, err));
        source->text = source->q.text.text;
        return STATUS_OK;
    }
    size_t from = r->tokens.items[st->body.from].from, to = r->tokens.items[st->body.to - 1].to;
    source->q = (query){.r = r, .a = a, .range = st->body};
    TRY(edit_apply(r->tokens.sql, from, to, &edits, a, &source->q.text, err));
    source->text = source->q.text.text;
    worker *w;
    return run_worker(r, &w, err);
}

/* ---- INSERT ---- */

insert_with insert_with_of(const run *r, const statement *st)
{
    insert_with found = {.body = st->body, .joint = STR(" "), .word = STR("WITH ")};
    bool own = token_is(&r->tokens, st->body.from, "with");
    bool recursive = own && token_is(&r->tokens, st->body.from + 1, "recursive");

    if (own) { /* DuckDB takes one WITH: the lists become one */
        found.body.from += recursive ? 2 : 1;
        found.joint = STR(", ");
    }
    found.word = recursive || st->with_recursive ? STR("WITH RECURSIVE ") : found.word;
    return found;
}

status insert_analyse_source(run *r, const statement *st, const edit_list *edits, arena *a,
                             query *ret_query, error *err)
{
    const token *items = r->tokens.items;
    edit_piece *pieces = ARENA_ARRAY(a, edit_piece, 4);
    query_form form = {.range = {.from = st->with.from, .to = st->body.to},
                       .edits = edits,
                       .pieces = pieces,
                       .piece_count = 4};

    if (st->with.from == st->with.to) {
        return query_analyse(r, st->body, edits, a, ret_query, err);
    }
    insert_with with = insert_with_of(r, st);
    size_t first = items[st->with.from].from, body = items[with.body.from].from;
    pieces[0] = (edit_piece){.from = first, .text = with.word};
    pieces[1] = (edit_piece){.from = first, .to = items[st->with.to - 1].to, .text = STR_NULL};
    pieces[2] = (edit_piece){.from = body, .text = with.joint};
    pieces[3] = (edit_piece){.from = body, .to = items[with.body.to - 1].to, .text = STR_NULL};
    return query_analyse_form(r, &form, a, ret_query, err);
}

static status prepare_source(run *r, const statement *st, insert_target *t, arena *a,
                             row_source *source, error *err)
{
    if (st->source == INSERT_DEFAULT_VALUES) {
        worker *w;
        source->q = (query){.r = r, .a = a};
        source->text = STR("SELECT 1");
        t->source_count = 1;
        return run_worker(r, &w, err);
    }
    if (st->source == INSERT_VALUES) {
        TRY(prepare_values(r, st, t, a, source, err));
        return source->literal ? STATUS_OK : query_open(&source->q, false, err);
    }
    TRY(insert_analyse_source(r, st, NULL, a, &source->q, err));
    source->text = source->q.text.text;
    TRY(query_open(&source->q, false, err));
    const json *described;
    TRY(insert_describe(&source->q, a, &described, err));
    status result = insert_map_described(t, st, described, a, err);
    if (result == STATUS_NO_COLUMN) {
        blame_place(r, st->body, err);
    }
    return run_at(result, r->tokens.items[st->body.from].from, err);
}

/* INSERT OVERWRITE: the partitions of the rows are emptied first, an unpartitioned table wholly; or the partition that
 * the statement names. */
static status overwrite_rows(run *r, const insert_target *t, const engine_written *written,
                             const ice_expr *replaced, ice_commit_result *ret_commit, error *err)
{
    const ice_metadata *m = t->metadata;
    ice_overwrite change = {
        .kind = replaced != NULL ? ICE_OVERWRITE_FILTER : ICE_OVERWRITE_PARTITIONS,
        .filter = replaced,
        .isolation = ice_isolation_of(m, "update"),
        .read_snapshot_id = t->head != NULL ? t->head->id : ICE_NO_SNAPSHOT,
        .branch = t->branch,
        .added = written->files,
        .added_count = written->count,
        .unstaged = written->requests,
        .unstaged_count = written->count,
        .table_uuid = m->uuid,
        .schema_id = m->current_schema_id,
        .summary = engine_summary,
        .summary_count = COUNT_OF(engine_summary),
    };
    status result = catalog_overwrite(r->catalog, t->name, &change, ret_commit, err);
    if (result == STATUS_INVALID && replaced != NULL && err != NULL && err->hint[0] == '\0') {
        error_context(err, "INSERT OVERWRITE … PARTITION");
        error_hint(err, "A file from before the table was partitioned so has other rows too. "
                        "DELETE those of the partition and INSERT the new ones, between BEGIN "
                        "and COMMIT.");
    }
    return result;
}

static status insert_commit(run *r, const statement *st, const insert_target *t,
                            const engine_written *written, const ice_expr *replaced,
                            ice_commit_result *ret_commit, error *err)
{
    if (st->overwrite) {
        return overwrite_rows(r, t, written, replaced, ret_commit, err);
    }
    if (written->count == 0) {
        return STATUS_OK;
    }
    ice_append append = append_of(written, t->metadata);
    append.branch = t->branch;
    return catalog_append(r->catalog, t->name, &append, ret_commit, err);
}

static status insert_rows(run *r, const statement *st, insert_target *t, row_source *source,
                          bool last, arena *a, error *err)
{
    bool returns = st->returning.from < st->returning.to;
    returning list = {0};
    engine_written written;
    const ice_expr *replaced = NULL;
    ice_commit_result commit = {.snapshot_id = ICE_NO_SNAPSHOT};
    TRY(run_judge(r, st, a, err));
    TRY(run_at(insert_map_columns(t, st, a, err), st->name.position, err));
    TRY(insert_partition(r, st, t, a, &replaced, err));
    if (returns) {
        TRY(returning_analyse(r, st, t, a, &list, err));
    }
    TRY(prepare_source(r, st, t, a, source, err));
    report_step(r, "files chosen");
    TRY(write_source(r, source, t->columns, t->root->field_count, t->source_count, t->metadata,
                     &t->name, returns, a, &written, err));
    query_count(&source->q);
    report_query(r, &source->q);
    report_step(r, "rows read and written");
    report_files(r, 0, written.files, written.count);
    if (returns) {
        str rows;
        TRY(returning_noted_rows(t->root, a, &rows, err));
        TRY(returning_answer(&list, rows, err));
    }
    TRY(insert_commit(r, st, t, &written, replaced, &commit, err));
    report_step(r, "committed");
    return returns ? returning_send(r, last, written.row_count, commit.snapshot_id, err)
                   : run_changed(r, last, written.row_count, commit.snapshot_id, err);
}

status run_insert(run *r, const statement *st, bool last, arena *a, error *err)
{
    insert_target target = {0};
    row_source source = {0};
    if (st->upsert) {
        return run_upsert(r, st, last, a, err);
    }
    TRY(insert_load(r, st, a, &target, err));
    status result =
        st->returning.from < st->returning.to
            ? run_check_access(r, ACTION_TABLE_READ, target.name.space, target.name.table, err)
            : STATUS_OK;
    if (result == STATUS_OK) {
        result = insert_rows(r, st, &target, &source, last, a, err);
    }
    ice_metadata_unref(target.metadata);
    if (source.q.r != NULL) {
        query_close(&source.q);
        returning_forget(r, st);
    }
    return result;
}

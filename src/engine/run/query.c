/* Analysis of a SELECT, and running it. */
#include "run/query.h"

#include "run/blame.h"
#include "run/bound.h"
#include "run/expand.h"
#include "run/information.h"
#include "run/metadata_tables.h"
#include "run/travel.h"
#include "sql/allow.h"
#include "sql/tree.h"
#include "tarn/base/limits.h"

/* Schemas of DuckDB's own, and the names of the databases that a worker has: a view cannot be
 * found below them. */
static const char *const taken_schemas[] = {
    "memory", "temp", "system", "tarn", "information_schema", "pg_catalog", "#changed"};

/* ---- places ---- */

/* The token that begins at a byte of the script; the end of the range where none does. */
static size_t token_at(const query *q, size_t position)
{
    size_t low = q->range.from, high = q->range.to;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (q->r->tokens.items[middle].from < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < q->range.to && q->r->tokens.items[low].from == position ? low : q->range.to;
}

static bool is_chain_token(const query *q, size_t index)
{
    return index < q->range.to &&
           (token_is_name(&q->r->tokens, index) || q->r->tokens.items[index].kind == TOKEN_TEXT);
}

/* How many names stand from token `index` on, joined by points. */
static size_t chain_length(const query *q, size_t index)
{
    size_t count = 0;
    while (is_chain_token(q, index)) {
        count++;
        if (!token_is_symbol(&q->r->tokens, index + 1, '.') || index + 1 >= q->range.to) {
            break;
        }
        index += 2;
    }
    return count;
}

static size_t chain_end(const query *q, size_t index, size_t count)
{
    return q->r->tokens.items[index + 2 * (count - 1)].to;
}

static str quoted_name(arena *a, str schema, str name)
{
    buf *out = buf_in(a, LIMIT_MIB);
    sql_quote_name(out, schema);
    buf_add_char(out, '.');
    sql_quote_name(out, name);
    return buf_str(out);
}

/* ---- tables ---- */

static void unref_metadata(void *metadata)
{
    ice_metadata_unref(metadata);
}

status query_load(query *q, table_name name, const ice_metadata **ret_metadata, error *err)
{
    for (size_t i = 0; i < q->tables.count; i++) {
        if (str_equal_nocase(q->tables.items[i].name.space, name.space) &&
            str_equal_nocase(q->tables.items[i].name.table, name.table)) {
            *ret_metadata = q->tables.items[i].metadata;
            return STATUS_OK;
        }
    }
    ice_metadata *metadata;
    table_info info;
    TRY(run_check_access(q->r, ACTION_TABLE_READ, name.space, name.table, err));
    catalog_note_read(q->r->catalog, name);
    if (q->form.changed != NULL && str_equal_nocase(q->form.changed_name.space, name.space) &&
        str_equal_nocase(q->form.changed_name.table, name.table)) {
        *ret_metadata = q->form.changed;
        return STATUS_OK;
    }
    TRY(catalog_load_table(q->r->catalog, name, q->a, &metadata, &info, err));
    arena_defer(q->a, unref_metadata, metadata);
    *ret_metadata = metadata;
    return STATUS_OK;
}

/* The table at one of its versions. */
static size_t add_table(query *q, table_name name, const ice_metadata *metadata,
                        const travel_target *target)
{
    for (size_t i = 0; i < q->tables.count; i++) {
        const query_table *table = &q->tables.items[i];
        if (table->metadata == metadata && table->snapshot == target->snapshot &&
            table->schema == target->schema && i + 1 != q->changed) {
            return i;
        }
    }
    query_table found = {
        .name = name, .metadata = metadata, .snapshot = target->snapshot, .schema = target->schema};
    vec_push(q->a, &q->tables, found);
    return q->tables.count - 1;
}

static bool is_taken(str schema)
{
    for (size_t i = 0; i < COUNT_OF(taken_schemas); i++) {
        if (str_equal_nocase(schema, str_c(taken_schemas[i]))) {
            return true;
        }
    }
    return false;
}

/* What a name stands for. */
typedef struct meaning {
    const table_name *name;
    size_t table, stored; /* as in query_view */
    bool is_plain;
    const bound_columns *bound;
} meaning;

/* True where the name is free, or stands for this already. */
static bool view_fits(const query *q, str schema, str name, const meaning *what, bool *ret_exists)
{
    *ret_exists = false;
    for (size_t i = 0; i < q->views.count; i++) {
        const query_view *view = &q->views.items[i];
        if (str_equal_nocase(view->schema, schema) && str_equal_nocase(view->name, name)) {
            *ret_exists = true;
            return view->table == what->table && view->stored == what->stored &&
                   view->is_plain == what->is_plain && view->bound == what->bound;
        }
    }
    return true;
}

/* Chooses the view for a reference; *ret_renamed where the text must change. */
static query_view choose_view(query *q, const str *parts, size_t count, const meaning *what,
                              bool *ret_renamed)
{
    query_view view = {.schema = STR("main"),
                       .name = parts[count - 1],
                       .table = what->table,
                       .stored = what->stored,
                       .is_plain = what->is_plain,
                       .bound = what->bound};
    bool exists;
    bool native = count == 1 || (count == 2 && !is_taken(parts[0])) ||
                  (count == 3 && str_equal_nocase(parts[0], STR("tarn")) && !is_taken(parts[1]));
    native = native && str_is_null(q->own_schema);
    if (native && count > 1) {
        view.schema = parts[count - 2];
    }
    *ret_renamed = !native || !view_fits(q, view.schema, view.name, what, &exists);
    if (*ret_renamed) {
        view.schema = str_is_null(q->own_schema) ? what->name->space : q->own_schema;
        for (int number = 1;
             is_taken(view.schema) || !view_fits(q, view.schema, view.name, what, &exists);
             number++) {
            view.schema = str_printf(q->a, "#%d", number);
        }
    }
    (void)view_fits(q, view.schema, view.name, what, &exists);
    if (!exists) {
        vec_push(q->a, &q->views, view);
    }
    return view;
}

static void rename_in_text(query *q, const str *parts, size_t count, size_t place, str text)
{
    size_t chain = chain_length(q, place);
    ASSERT(chain > 0);
    for (size_t i = 0; i < q->edits.count; i++) { /* a long name was replaced before */
        if (q->edits.items[i].from == q->r->tokens.items[place].from) {
            q->edits.items[i].text = text;
            vec_push(q->a, &q->renamed,
                     ((query_renamed){.parts = parts, .count = count, .text = text}));
            return;
        }
    }
    edit change = {
        .from = q->r->tokens.items[place].from, .to = chain_end(q, place, chain), .text = text};
    vec_push(q->a, &q->edits, change);
    vec_push(q->a, &q->renamed, ((query_renamed){.parts = parts, .count = count, .text = text}));
}

static bool looks_like_file(str name)
{
    static const char *const ends[] = {".parquet", ".csv",  ".tsv",  ".json", ".jsonl",
                                       ".ndjson",  ".gz",   ".zst",  ".txt",  ".db",
                                       ".xlsx",    ".avro", ".arrow"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        str end = str_c(ends[i]);
        if (name.size > end.size &&
            str_equal_nocase(str_slice(name, name.size - end.size, name.size), end)) {
            return true;
        }
    }
    return str_find_char(name, '/') != STR_NPOS || str_find_char(name, '*') != STR_NPOS;
}

static status refuse_file(str name, error *err)
{
    error_set(err, STATUS_DENIED, "file \"%.*s\" cannot be read in SQL", STR_ARG(name));
    error_hint(err, "Load it into a table first: tarn load TABLE FILE.");
    return STATUS_DENIED;
}

static status add_information(query *q, const tree_table *ref, str schema, size_t place, error *err)
{
    str name = ref->parts[ref->part_count - 1];
    str text = quoted_name(q->a, str_concat(q->a, STR("#"), schema), name);
    TRY(information_view(q, schema, name, text, err));
    rename_in_text(q, ref->parts, ref->part_count, place, text);
    return STATUS_OK;
}

/* The schema of DuckDB's own that the reference names; STR_NULL where it is the user's. */
static str information_schema_of(const tree_table *ref)
{
    static const str schemas[] = {STR_INIT("information_schema"), STR_INIT("pg_catalog")};
    for (size_t i = 0; ref->part_count >= 2 && i < COUNT_OF(schemas); i++) {
        if (str_equal_nocase(ref->parts[ref->part_count - 2], schemas[i])) {
            return schemas[i];
        }
    }
    return STR_NULL;
}

static status name_view(query *q, const str *parts, size_t chain, size_t place, const meaning *what)
{
    bool renamed;
    query_view view = choose_view(q, parts, chain, what, &renamed);
    bool fits = chain > 3 && str_equal(view.schema, what->name->space);
    if (renamed && !fits) { /* a longer name was replaced by its namespace and table before */
        rename_in_text(q, parts, chain, place, quoted_name(q->a, view.schema, view.name));
    }
    return STATUS_OK;
}

/* `is_plain`: by its name alone. */
static status add_view(query *q, const str *parts, size_t chain, size_t place, size_t table,
                       bool is_plain)
{
    const query_table *read = &q->tables.items[table];
    const table_name name = read->name;
    const meaning what = {.name = &name,
                          .table = table,
                          .is_plain = is_plain,
                          .bound =
                              is_plain ? bound_of_table(q->bound, name, read->metadata) : NULL};

    return name_view(q, parts, chain, place, &what);
}

static status add_stored(query *q, const str *parts, size_t chain, size_t place, table_name name,
                         error *err)
{
    size_t position = q->r->tokens.items[place].from;
    meaning what = {.name = &name, .is_plain = true, .bound = bound_of_view(q->bound, name)};

    if (travel_clause_of(q, place + 2 * chain - 1) != NULL) {
        error_set(err, STATUS_UNSUPPORTED, "view \"%.*s.%.*s\" has no versions to go back to",
                  STR_ARG(name.space), STR_ARG(name.table));
        error_hint(err, "Its tables have: write the version behind their names.");
        return run_at(STATUS_UNSUPPORTED, position, err);
    }
    TRY(query_expand(q, name, position, &what.stored, err));
    return name_view(q, parts, chain, place, &what);
}

/* The table whose rows are changed: other mentions of it see neither its view nor the places in there. */
static status add_changed(query *q, const str *parts, size_t chain, size_t place, error *err)
{
    str schema = STR("#changed");
    table_name name = q->form.changed_name;
    const ice_metadata *metadata;

    TRY(query_load(q, name, &metadata, err));
    if (travel_clause_of(q, place + 2 * chain - 1) != NULL) {
        return error_set(err, STATUS_UNSUPPORTED, "rows of an earlier version cannot be changed");
    }

    if (q->changed == 0) {
        query_table table = {.name = name,
                             .metadata = metadata,
                             .snapshot = q->form.changed_snapshot,
                             .schema = ice_metadata_schema(metadata),
                             .with_places = true};
        query_view view = {.schema = schema, .name = parts[chain - 1], .table = q->tables.count};
        vec_push(q->a, &q->tables, table);
        vec_push(q->a, &q->views, view);
        q->changed = q->tables.count;
        rename_in_text(q, parts, chain, place, quoted_name(q->a, schema, parts[chain - 1]));
    }
    return STATUS_OK;
}

/* What may stand behind a table's name, joined by a point. */
static bool is_part_name(str name)
{
    return travel_is_ref_name(name) || metadata_table_is_name(name);
}

/* How many parts at the front of the name are a table's, with one or two of a kind behind them; 0: none. */
static size_t front_of_table(const query *q, const str *parts, size_t chain, table_name *ret_name)
{
    for (size_t behind = 1; behind <= 2 && behind < chain; behind++) {
        if (behind == 2 && !travel_is_ref_name(parts[chain - 2])) {
            break;
        }
        bool is_view = false;

        if (run_resolve(q->r, parts, chain - behind, q->a, ret_name, &is_view, NULL) == STATUS_OK &&
            !is_view) {
            return chain - behind;
        }
    }
    return 0;
}

/* A name that no table has may be a table's with a branch, a tag or a metadata table behind it. `absent` is
 * what was found for the whole name, and stays the error where the front is no table either. */
static status add_part_of_table(query *q, const str *parts, size_t chain, size_t place,
                                const travel_clause *clause, status absent, error *err)
{
    str last = parts[chain - 1];
    const ice_metadata *metadata;
    str ref_part = STR_NULL;
    travel_target target;
    table_name name;

    size_t front = front_of_table(q, parts, chain, &name);
    if (front == 0) {
        return absent;
    }
    if (err != NULL) {
        error_clear(err);
    }
    TRY(query_load(q, name, &metadata, err));
    if (front + 2 == chain || !is_part_name(last)) {
        ref_part = front + 2 == chain ? parts[front] : STR_NULL;
        if (!metadata_table_is_name(last)) {
            return metadata_table_unknown(name, last, q->a, err);
        }
    }
    if (metadata_table_is_name(last)) {
        str schema = str_printf(q->a, "#metadata%zu", q->metadata_count++);
        TRY(metadata_table_view(q, clause, name, metadata, ref_part, last, schema, err));
        rename_in_text(q, parts, chain, place, quoted_name(q->a, schema, last));
        return STATUS_OK;
    }
    if (clause != NULL) {
        return error_set(err, STATUS_INVALID,
                         "\"%.*s\" and a version of the table exclude each other", STR_ARG(last));
    }
    TRY(travel_resolve_ref(q, name, metadata, last, &target, err));
    return add_view(q, parts, chain, place, add_table(q, name, metadata, &target), false);
}

/* One reference of the tree. `position` is its place in the script. */
static status add_reference(query *q, const tree_table *ref, size_t position, error *err)
{
    size_t place = token_at(q, position);
    const ice_metadata *metadata;
    travel_target target;
    table_name name;
    if (place == q->range.to) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "a table that is not named in the statement's own text");
    }
    if (ref->time_travel) { /* one that the tokens did not show */
        return error_set(err, STATUS_UNSUPPORTED, "this form of time travel is not supported");
    }
    const travel_scan *scan = travel_scan_at(q, place);
    if (scan != NULL) {
        return travel_open_scan(q, scan, err);
    }
    str information = information_schema_of(ref);
    if (!str_is_null(information)) {
        return add_information(q, ref, information, place, err);
    }
    /* A name that DuckDB's grammar has no room for was already replaced by its namespace and
     * table. */
    size_t chain = chain_length(q, place);
    str *parts = ARENA_ARRAY(q->a, str, chain + 1);
    for (size_t i = 0; i < chain; i++) {
        size_t at = place + 2 * i;
        parts[i] = q->r->tokens.items[at].kind == TOKEN_TEXT ? ref->parts[ref->part_count - 1]
                                                             : token_name(&q->r->tokens, at, q->a);
    }
    if (q->form.changed != NULL && place == q->form.changed_token) {
        return add_changed(q, parts, chain, place, err);
    }
    bool is_view = false;
    status result = run_resolve(q->r, parts, chain, q->a, &name, &is_view, err);

    if ((result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE || result == STATUS_INVALID) &&
        chain == 1 && looks_like_file(parts[0])) {
        return refuse_file(parts[0], err);
    }
    if (result == STATUS_NO_TABLE && chain == 1 && information_has(STR("pg_catalog"), parts[0])) {
        error_clear(err);
        return add_information(q, ref, STR("pg_catalog"), place, err);
    }
    if ((result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE) && chain == 2 &&
        str_equal_nocase(parts[0], STR("tarn")) && information_has(STR("tarn"), parts[1])) {
        error_clear(err);
        return add_information(q, ref, STR("tarn"), place, err);
    }
    if (result == STATUS_OK && is_view) {
        return add_stored(q, parts, chain, place, name, err);
    }
    travel_clause *clause = travel_clause_of(q, place + 2 * chain - 1);
    if (result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE) {
        return add_part_of_table(q, parts, chain, place, clause, result, err);
    }
    TRY(result);
    TRY(query_load(q, name, &metadata, err));
    TRY(travel_resolve(q, clause, name, metadata, &target, err));
    return add_view(q, parts, chain, place, add_table(q, name, metadata, &target), clause == NULL);
}

/* FROM a.b.c.t: DuckDB's grammar takes three parts, so longer names become "a.b.c"."t" before it
 * sees them. */
static status shorten_long_names(query *q, error *err)
{
    const token_list *list = &q->r->tokens;
    for (size_t i = q->range.from; i < q->range.to; i++) {
        bool first = i == q->range.from; /* of pieces it may be the name after a FROM of tarn's */
        bool after =
            first ? q->form.pieces != NULL
                  : token_is(list, i - 1, "from") || token_is(list, i - 1, "join") ||
                        token_is(list, i - 1, "table") || token_is(list, i - 1, "describe") ||
                        token_is(list, i - 1, "summarize") || token_is(list, i - 1, "using") ||
                        i == q->form.changed_token || token_is_symbol(list, i - 1, ',');
        size_t chain = after ? chain_length(q, i) : 0;
        if (chain < 4) {
            continue;
        }
        str *parts = ARENA_ARRAY(q->a, str, chain);
        for (size_t part = 0; part < chain; part++) {
            parts[part] = token_name(list, i + 2 * part, q->a);
        }
        table_name name;
        bool is_view;
        if (run_resolve(q->r, parts, chain, q->a, &name, &is_view, err) != STATUS_OK) {
            error_clear(err);
            bool column = !first && token_is_symbol(list, i - 1, ',');

            if ((column && !is_part_name(parts[chain - 1])) ||
                front_of_table(q, parts, chain, &name) == 0) {
                continue; /* a column of a struct, behind a comma */
            }
            name.table = parts[chain - 1];
        }
        rename_in_text(q, parts, chain, i, quoted_name(q->a, name.space, name.table));
        i += 2 * (chain - 1);
    }
    return STATUS_OK;
}

/* Columns named through a table whose name was replaced follow it. */
static void rename_columns(query *q, const edited *first, const tree *found)
{
    for (size_t i = 0; i < found->long_columns.count; i++) {
        const tree_column *column = &found->long_columns.items[i];
        size_t place = token_at(q, edit_origin(first, column->position));
        for (size_t k = 0; k < q->renamed.count && place < q->range.to; k++) {
            const query_renamed *renamed = &q->renamed.items[k];
            size_t same = 0;
            while (same < renamed->count &&
                   str_equal_nocase(json_str_or(json_at(column->names, same), STR_NULL),
                                    renamed->parts[same])) {
                same++;
            }
            if (same == renamed->count && json_count(column->names) > same &&
                chain_length(q, place) > same) {
                edit change = {.from = q->r->tokens.items[place].from,
                               .to = chain_end(q, place, same),
                               .text = renamed->text};
                vec_push(q->a, &q->edits, change);
                break;
            }
        }
    }
}

status query_own_text(const query *q, edited *ret_text, error *err)
{
    const token_list *list = &q->r->tokens;

    return edit_apply(list->sql, list->items[q->range.from].from, list->items[q->range.to - 1].to,
                      &q->edits, q->a, ret_text, err);
}

static status form_text(const query *q, edited *ret_text, error *err)
{
    return q->form.pieces == NULL
               ? query_own_text(q, ret_text, err)
               : edit_arrange(q->r->tokens.sql, q->form.pieces, q->form.piece_count, &q->edits,
                              q->a, ret_text, err);
}

static status serialize(query *q, edited *ret_first, tree *ret_tree, error *err)
{
    worker *w;
    str text;
    TRY(form_text(q, ret_first, err));
    TRY(run_worker(q->r, &w, err));
    TRY(worker_pure(w, STR(SERIALIZE_SQL), ret_first->text, &q->r->cancel, q->a, &text, err));
    status result = tree_read(text, q->a, ret_tree, err);
    if (result != STATUS_OK) {
        edit_place_error(ret_first, 0, err);
    }
    return result;
}

status query_analyse_text(query *q, error *err)
{
    const query_form *form = &q->form;
    edited first;
    tree found;

    for (size_t i = 0; form->edits != NULL && i < form->edits->count; i++) {
        vec_push(q->a, &q->edits, form->edits->items[i]);
    }
    run *r = q->r;
    TRY(r->is_executing
            ? params_edit_values(&r->tokens, q->range, r->values, r->value_count, q->a, &q->edits,
                                 err)
            : params_edit(&r->tokens, q->range, r->request->params, q->a, &q->edits, err));
    TRY(catalog_functions(q, err));
    TRY(travel_begin(q, err));
    TRY(shorten_long_names(q, err));
    TRY(serialize(q, &first, &found, err));
    TRY(information_functions(q, err));
    for (size_t i = 0; i < found.tables.count; i++) {
        size_t position = edit_origin(&first, found.tables.items[i].position);
        TRY(run_at(add_reference(q, &found.tables.items[i], position, err), position, err));
    }
    TRY(travel_end(q, err));
    rename_columns(q, &first, &found);
    if (found.tables.count == 1 && found.limit_rows >= 0 && q->stored.count == 0) {
        q->limit_rows = found.limit_rows > 0 ? found.limit_rows : 1;
    }
    return form_text(q, &q->text, err);
}

status query_analyse_form(run *r, const query_form *form, arena *a, query *ret_query, error *err)
{
    query q = {.r = r,
               .a = a,
               .form = *form,
               .range = form->range,
               .own_schema = STR_NULL,
               .blamed = ERROR_NO_POSITION};

    TRY(query_analyse_text(&q, err));
    *ret_query = q;
    return STATUS_OK;
}

status query_analyse(run *r, token_range range, const edit_list *edits, arena *a, query *ret_query,
                     error *err)
{
    query_form form = {.range = range, .edits = edits};

    return query_analyse_form(r, &form, a, ret_query, err);
}

status query_open(query *q, bool always_plan, error *err)
{
    return q->tables.count > 0 || q->extra_sql != NULL || q->stored.count > 0
               ? views_open(q, always_plan, err)
               : STATUS_OK;
}

void query_close(query *q)
{
    if (q->is_open && q->r->w != NULL) {
        (void)worker_exec(q->r->w, STR("ROLLBACK"), NULL, NULL);
        q->is_open = false;
    }
    for (size_t i = 0; q->r->w != NULL && i < q->delete_handles.count; i++) {
        worker_forget_deletes(q->r->w, q->delete_handles.items[i]);
    }
    q->delete_handles.count = 0;
}

/* Of a file with many deletion vectors only those of the scan are read. */
static int64_t delete_bytes(const ice_scan *scan)
{
    int64_t size_bytes = 0;
    for (size_t i = 0; i < scan->delete_count; i++) {
        const ice_file *file = &scan->deletes[i];
        int64_t own = str_equal_nocase(file->format, STR("PUFFIN")) ? file->content_size_bytes
                                                                    : file->size_bytes;
        size_bytes += own > 0 && own < INT64_MAX - size_bytes ? own : 0;
    }
    return size_bytes;
}

void query_count(const query *q)
{
    query_result *result = &q->r->result;
    atomic_fetch_add(&q->r->e->unpruned, q->unplanned ? 1 : 0);
    for (size_t i = 0; i < q->tables.count; i++) {
        const ice_scan *scan = &q->tables.items[i].scan;
        result->stats.files_total += scan->total_files;
        result->stats.files_read += (int64_t)scan->file_count;
        result->stats.bytes_read += scan->kept_bytes + delete_bytes(scan);
        result->stats.rows_scanned += scan->kept_rows;
    }
}

status query_fail(const query *q, status result, size_t offset, error *err)
{
    if (result != STATUS_OK) {
        edit_place_error(&q->text, offset, err);
        blame_column(q, err);
    }
    return result;
}

/* ---- SELECT ---- */

/* A statement that only reads leaves its transaction, and the seed of chance. That no function in it does more is
 * what the list of functions stands for. */
static bool leaves_nothing(const query *q)
{
    if (!allow_enabled()) {
        return false;
    }
    for (size_t i = q->range.from; i < q->range.to; i++) {
        if (str_equal_nocase(token_text(&q->r->tokens, i), STR("setseed")) ||
            str_equal_nocase(token_text(&q->r->tokens, i), STR("\"setseed\""))) {
            return false;
        }
    }
    return q->stored.count == 0 && q->extra_sql == NULL;
}

static status run_rows(query *q, bool last, error *err)
{
    run *r = q->r;
    worker_query_result rows = {0};
    worker_query_options options = {
        .before = q->before,
        .sql = q->text.text,
        .format = last ? r->request->format : RESULT_NONE,
        .rows_max = last ? run_rows_max(r) : -1,
        .leaves_nothing = last && leaves_nothing(q),
        .may_keep = last && q->may_keep,
    };
    TRY(query_fail(q, worker_query(r->w, &options, last ? r->sink : NULL, &r->cancel, &rows, err),
                   0, err));
    r->answered = r->answered || last;
    r->result.has_rows = true;
    r->result.row_count = rows.row_count;
    r->result.is_cut = rows.is_cut;
    if (q->tables.count == 1) {
        const ice_snapshot *snapshot = q->tables.items[0].snapshot;
        r->result.snapshot_id = snapshot != NULL ? snapshot->id : ICE_NO_SNAPSHOT;
    }
    query_count(q);
    return STATUS_OK;
}

status run_read(run *r, const statement *st, bool last, arena *a, error *err)
{
    query q;
    TRY(query_analyse(r, st->body, NULL, a, &q, err));
    q.joins_text = true;
    status result = query_open(&q, false, err);
    if (result == STATUS_OK) {
        result = run_rows(&q, last, err);
    }
    if (!last || result != STATUS_OK) { /* else the worker's reset ends the transaction */
        query_close(&q);
    }
    return result;
}

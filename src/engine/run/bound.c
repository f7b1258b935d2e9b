/* The note of a view's columns: made of a query's tables, read back, and turned into projections. */
#include "run/bound.h"

#include "tarn/base/limits.h"
#include "tarn/catalog/view.h"
#include "tarn/codec/json.h"

static str full_name(table_name name, arena *a)
{
    return str_printf(a, "%.*s.%.*s", STR_ARG(name.space), STR_ARG(name.table));
}

/* ---- the note ---- */

/* `table` NULL: a view's. */
static void put_relation(json_writer *w, table_name name, const ice_metadata *table,
                         const ice_type *root, arena *a)
{
    json_begin_object(w);
    json_member_str(w, "name", full_name(name, a));
    if (table != NULL) {
        json_member_str(w, "uuid", table->uuid);
    }
    json_key(w, "columns");
    json_begin_array(w);
    for (size_t i = 0; i < root->field_count; i++) {
        json_begin_object(w);
        if (table != NULL) {
            json_member_int(w, "id", root->fields[i].id);
        }
        json_member_str(w, "name", root->fields[i].name);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

static void put_view(json_writer *w, const query *q, const query_view *view)
{
    if (view->stored > 0) {
        const query_stored *stored = &q->stored.items[view->stored - 1];
        put_relation(w, stored->name, NULL, ice_view_schema(stored->view)->root, q->a);
    } else {
        const query_table *table = &q->tables.items[view->table];
        put_relation(w, table->name, table->metadata, table->schema->root, q->a);
    }
}

str bound_note(const query *q)
{
    buf *out = buf_in(q->a, LIMIT_METADATA_FILE);
    size_t count = 0;
    json_writer w;

    json_writer_init(&w, out);
    json_begin_array(&w);
    for (size_t i = 0; i < q->views.count; i++) {
        /* What stored views read themselves is noted with them. */
        if (q->views.items[i].is_plain &&
            !str_starts_with(q->views.items[i].schema, STR("#view"))) {
            put_view(&w, q, &q->views.items[i]);
            count++;
        }
    }
    json_end_array(&w);
    return count > 0 && !out->failed ? buf_str(out) : STR_NULL;
}

static bool read_columns(const json *given, bool with_ids, arena *a, bound_columns *ret)
{
    size_t count = json_count(given);
    int32_t *ids = ARENA_ARRAY(a, int32_t, count + 1);
    str *names = ARENA_ARRAY(a, str, count + 1);

    for (size_t i = 0; i < count; i++) {
        const json *column = json_at(given, i);
        int64_t id = json_int64_or(json_get(column, "id"), -1);

        names[i] = json_str_or(json_get(column, "name"), STR_NULL);
        if (str_is_null(names[i]) || (with_ids && (id < 0 || id > INT32_MAX))) {
            return false;
        }
        ids[i] = (int32_t)id;
    }
    ret->ids = ids;
    ret->names = names;
    ret->count = count;
    return count > 0;
}

const bound_list *bound_read(const ice_view_version *version, arena *a)
{
    const json *note = NULL;
    bound_columns *items;
    bound_list *list;

    for (size_t i = 0; i < version->summary_count; i++) {
        if (str_equal(version->summary[i].key, STR(BOUND_KEY)) &&
            json_parse(version->summary[i].value, a, &note, NULL) != STATUS_OK) {
            return NULL;
        }
    }
    if (json_kind_of(note) != JSON_ARRAY) {
        return NULL;
    }
    items = ARENA_ARRAY(a, bound_columns, json_count(note) + 1);
    list = ARENA_NEW(a, bound_list);
    for (size_t i = 0; i < json_count(note); i++) {
        const json *one = json_at(note, i);
        bound_columns *bound = &items[list->count];

        bound->name = json_str_or(json_get(one, "name"), STR(""));
        bound->uuid = json_str_or(json_get(one, "uuid"), STR_NULL);
        list->count +=
            read_columns(json_get(one, "columns"), !str_is_null(bound->uuid), a, bound) ? 1 : 0;
    }
    list->items = items;
    return list;
}

/* ---- looking up ---- */

static bool is_called(const bound_columns *bound, table_name name)
{
    size_t dot = name.space.size;

    return bound->name.size == dot + 1 + name.table.size && bound->name.data[dot] == '.' &&
           str_equal_nocase(str_slice(bound->name, 0, dot), name.space) &&
           str_equal_nocase(str_slice(bound->name, dot + 1, bound->name.size), name.table);
}

const bound_columns *bound_of_table(const bound_list *list, table_name name,
                                    const ice_metadata *metadata)
{
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (is_called(&list->items[i], name) && str_equal(list->items[i].uuid, metadata->uuid)) {
            return &list->items[i];
        }
    }
    return NULL;
}

const bound_columns *bound_of_view(const bound_list *list, table_name name)
{
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        if (is_called(&list->items[i], name) && str_is_null(list->items[i].uuid)) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* ---- projections ---- */

static const ice_field *field_by_id(const ice_type *root, int32_t id)
{
    for (size_t i = 0; i < root->field_count; i++) {
        if (root->fields[i].id == id) {
            return &root->fields[i];
        }
    }
    return NULL;
}

/* Whether the columns of the table are those that were noted. */
static bool is_same(const bound_columns *bound, const ice_type *root)
{
    bool same = bound->count == root->field_count;

    for (size_t i = 0; same && i < bound->count; i++) {
        same =
            root->fields[i].id == bound->ids[i] && str_equal(root->fields[i].name, bound->names[i]);
    }
    return same;
}

/* None of its columns is there any more: what the view says of that is told by name. */
static bool is_empty(const bound_columns *bound, const ice_type *root)
{
    for (size_t i = 0; i < bound->count; i++) {
        if (field_by_id(root, bound->ids[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool is_wanted(const bound_columns *bound, const ice_schema *schema)
{
    return bound != NULL && !is_same(bound, schema->root) && !is_empty(bound, schema->root);
}

void bound_put_before(const bound_columns *bound, const ice_schema *schema, buf *out)
{
    const char *separator = "SELECT ";

    if (!is_wanted(bound, schema)) {
        return;
    }
    for (size_t i = 0; i < bound->count; i++) {
        const ice_field *field = field_by_id(schema->root, bound->ids[i]);

        if (field != NULL) {
            buf_add_c(out, separator);
            sql_quote_name(out, field->name);
            buf_add_c(out, " AS ");
            sql_quote_name(out, bound->names[i]);
            separator = ", ";
        }
    }
    buf_add_c(out, " FROM (");
}

void bound_put_behind(const bound_columns *bound, const ice_schema *schema, buf *out)
{
    buf_add_c(out, is_wanted(bound, schema) ? ")" : "");
}

size_t bound_field(const bound_columns *bound, const ice_type *root, size_t number)
{
    size_t seen = 0;

    if (bound == NULL) {
        return number < root->field_count ? number : SIZE_MAX;
    }
    for (size_t i = 0; i < bound->count; i++) {
        for (size_t k = 0; k < root->field_count; k++) {
            if (str_equal_nocase(root->fields[k].name, bound->names[i]) && seen++ == number) {
                return k;
            }
        }
    }
    return SIZE_MAX;
}

/* CREATE VIEW, ALTER VIEW, DROP VIEW, COMMENT ON of a view: the statements about views themselves. What a view is in a
 * query is in expand.c. */
#include "run/view.h"
#include "run/bound.h"
#include "run/expand.h"
#include "run/insert.h"
#include "run/table.h"
#include "tarn/base/limits.h"
#include "tarn/catalog/warehouse.h"

/* ---- CREATE VIEW ---- */

/* The levels of a namespace, without the further warehouse that it may be in: over REST, that is no level. */
static const str *levels_of(str space, const warehouse_info *in, arena *a, size_t *ret_count)
{
    VEC(str) levels = {0};
    bool is_whole = in->space.size == space.size; /* the warehouse itself */
    str rest = in->space.size == 0 ? space
               : is_whole          ? STR_NULL
                                   : str_slice(space, in->space.size + 1, space.size);

    while (!str_is_null(rest)) {
        vec_push(a, &levels, str_cut(rest, '.', &rest));
    }
    *ret_count = levels.count;
    return levels.items;
}

static str cell(const json *rows, size_t row, size_t column, arena *a)
{
    return str_copy(a, json_str_or(json_at(json_at(rows, row), column), STR("")));
}

/* Columns as the SQL yields them, under the names of the statement; types as a table made of them would have. */
static status columns_of(run *r, const statement *st, const query *q, arena *a,
                         const ice_type **ret_root, error *err)
{
    const json *rows;
    size_t body = r->tokens.items[st->body.from].from;

    TRY(insert_describe(q, a, &rows, err));
    size_t count = json_count(rows);
    if (st->columns != NULL && st->column_count != count) {
        return run_at(error_set(err, STATUS_INVALID, "%zu column%s named, and the query yields %zu",
                                st->column_count, st->column_count == 1 ? " is" : "s are", count),
                      st->columns[0].position, err);
    }
    ice_field *fields = ARENA_ARRAY(a, ice_field, count + 1);
    for (size_t i = 0; i < count; i++) {
        bool named = st->columns != NULL;
        fields[i] = (ice_field){.name = named ? st->columns[i].name : cell(rows, i, 0, a),
                                .doc = named ? st->columns[i].comment : STR_NULL};
        TRY(run_at(
            engine_iceberg_type(cell(rows, i, 1, a), fields[i].name, a, &fields[i].type, err), body,
            err));
        for (size_t k = 0; k < i; k++) {
            if (str_equal_nocase(fields[k].name, fields[i].name)) {
                error_set(err, STATUS_INVALID, "the query yields two columns called \"%.*s\"",
                          STR_ARG(fields[i].name));
                error_hint(err, "Name the columns: CREATE VIEW v (a, b) AS SELECT …, or with AS.");
                return run_at(STATUS_INVALID, body, err);
            }
        }
    }
    *ret_root = table_root(fields, count, a);
    return STATUS_OK;
}

/* The query is analysed as the view's own, so that one that would read the view is refused; without what belongs to the
 * request alone: parameters, a version for all tables. */
static status analyse(run *r, const statement *st, table_name name, arena *a, run *own, query *q,
                      error *err)
{
    query_frame *frame = ARENA_NEW(a, query_frame);
    query_request *request = ARENA_NEW(a, query_request);
    worker *w;

    TRY(expand_check_body(&r->tokens, st->body, err));
    TRY(run_worker(r, &w, err));
    *request = *r->request;
    request->params = NULL;
    request->at = STR("");
    *own = *r;
    own->request = request;
    const warehouse_info home = catalog_warehouse_of(r->catalog, r->space, a);
    own->home = home.space.size > 0 ? home.name : STR("");
    *frame = (query_frame){.name = name};
    *q = (query){.r = own,
                 .a = a,
                 .form = {.range = st->body, .changed_token = SIZE_MAX},
                 .range = st->body,
                 .frame = frame,
                 .own_schema = STR_NULL,
                 .blamed = ERROR_NO_POSITION};
    TRY(query_analyse_text(q, err));
    return q->scan_count == 0
               ? STATUS_OK
               : error_set(err, STATUS_UNSUPPORTED, "a view cannot read a table by its location");
}

static status make_view(const query *q, const statement *st, table_name name, const ice_type *root,
                        arena *a, error *err)
{
    run *r = q->r;
    const ice_property note = {.key = STR(BOUND_KEY), .value = bound_note(q)};
    ice_property *properties = ARENA_ARRAY(a, ice_property, st->property_count + 1);
    size_t count = 0, level_count;
    const warehouse_info home = catalog_warehouse_of(r->catalog, r->space, a);
    const warehouse_info own = catalog_warehouse_of(r->catalog, name.space, a);
    const str *levels = levels_of(r->space, &home, a, &level_count);
    size_t from = r->tokens.items[st->body.from].from;
    size_t to = r->tokens.items[st->body.to - 1].to;
    bool changed;

    for (; count < st->property_count; count++) {
        properties[count] =
            (ice_property){.key = st->properties[count].key, .value = st->properties[count].value};
    }
    if (!str_is_null(st->comment)) {
        properties[count++] = (ice_property){.key = STR("comment"), .value = st->comment};
    }
    const catalog_view_create options = {
        .name = name,
        .location = STR_NULL,
        .definition = {.root = root,
                       .sql = str_slice(r->tokens.sql, from, to),
                       .dialect = STR(ICE_VIEW_DIALECT),
                       .default_catalog = str_equal(home.space, own.space) ? STR_NULL : home.name,
                       .default_namespace = levels,
                       .default_namespace_count = level_count,
                       .engine_version = STR(""),
                       .summary = &note,
                       .summary_count = str_is_null(note.value) ? 0 : 1,
                       .properties = properties,
                       .property_count = count},
        .if_not_exists = st->if_exists,
        .replace = st->replace};
    return catalog_create_view(r->catalog, &options, &changed, err);
}

/* What has the name already, if anything does. */
static status look_up(run *r, const statement *st, table_name name, arena *a, bool *ret_exists,
                      error *err)
{
    const str parts[] = {name.space, name.table};
    table_name found;
    bool is_view = false;
    error ignored = ERROR_INIT;
    status result =
        catalog_resolve_relation(r->catalog, parts, 2, STR(""), a, &found, &is_view, &ignored);

    *ret_exists = result == STATUS_OK;
    if (result != STATUS_OK) {
        return STATUS_OK; /* what is wrong, making it will tell */
    }
    if (!is_view || (!st->replace && !st->if_exists)) {
        return error_set(err, STATUS_EXISTS, "%s \"%.*s.%.*s\" exists already",
                         is_view ? "view" : "table", STR_ARG(found.space), STR_ARG(found.table));
    }
    return STATUS_OK;
}

status run_create_view(run *r, const statement *st, bool last, arena *a, error *err)
{
    table_name name;
    const ice_type *root;
    bool exists;
    run own;
    query q = {.r = r};

    status result =
        catalog_resolve_new(r->catalog, st->name.parts, st->name.count, r->space, a, &name, err);
    TRY(run_at(result, st->name.position, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, name.space, name.table, err));
    TRY(run_at(look_up(r, st, name, a, &exists, err), st->name.position, err));
    if (st->must_exist && !exists && !st->if_exists) {
        return run_at(error_set(err, STATUS_NO_VIEW, "view \"%.*s.%.*s\" does not exist",
                                STR_ARG(name.space), STR_ARG(name.table)),
                      st->name.position, err);
    }
    if (st->if_exists && exists != st->must_exist) {
        return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
    }
    if (exists) {
        TRY(run_check_access(r, ACTION_TABLE_ALTER, name.space, name.table, err));
    }
    result = analyse(r, st, name, a, &own, &q, err);
    if (result == STATUS_OK) {
        result = query_open(&q, false, err);
    }
    if (result == STATUS_OK) {
        result = columns_of(r, st, &q, a, &root, err);
    }
    query_close(&q);
    TRY(run_at(result, r->tokens.items[st->body.from].from, err));
    TRY(run_at(make_view(&q, st, name, root, a, err), st->name.position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- names ---- */

static status not_a_view(table_name name, error *err)
{
    error_set(err, STATUS_INVALID, "\"%.*s.%.*s\" is a table, not a view", STR_ARG(name.space),
              STR_ARG(name.table));
    error_hint(err, "ALTER TABLE, DROP TABLE and COMMENT ON TABLE are for tables.");
    return STATUS_INVALID;
}

/* NO_VIEW where there is neither view nor table of the name. */
static status resolve_view(run *r, const statement_name *written, arena *a, table_name *ret_name,
                           error *err)
{
    bool is_view = false;
    status result = catalog_resolve_relation(r->catalog, written->parts, written->count, r->space,
                                             a, ret_name, &is_view, err);

    if (result == STATUS_OK && !is_view) {
        result = not_a_view(*ret_name, err);
    } else if (result == STATUS_NO_TABLE && err != NULL) {
        str hint = str_copy(a, str_c(err->hint));
        table_name name;

        result = STATUS_NO_VIEW;
        if (catalog_resolve_new(r->catalog, written->parts, written->count, r->space, a, &name,
                                NULL) == STATUS_OK) {
            error_set(err, STATUS_NO_VIEW, "view \"%.*s.%.*s\" does not exist", STR_ARG(name.space),
                      STR_ARG(name.table));
            error_hint(err, "%.*s", STR_ARG(hint));
        }
        err->kind = result;
    }
    return run_at(result, written->position, err);
}

static bool may_miss(const statement *st, status result, error *err)
{
    bool missed = st->if_exists && (result == STATUS_NO_VIEW || result == STATUS_NO_TABLE ||
                                    result == STATUS_NO_NAMESPACE);

    if (missed) {
        error_clear(err);
    }
    return missed;
}

/* ---- DROP VIEW ---- */

/* All names are looked up before the first view goes. */
status run_drop_view(run *r, const statement *st, bool last, arena *a, error *err)
{
    table_name *names = ARENA_ARRAY(a, table_name, st->other_count + 1);
    size_t count = 0;
    bool dropped;

    for (size_t i = 0; i <= st->other_count; i++) {
        const statement_name *written = i == 0 ? &st->name : &st->others[i - 1];
        status result = resolve_view(r, written, a, &names[count], err);

        if (may_miss(st, result, err)) {
            continue;
        }
        TRY(result);
        TRY(run_check_access(r, ACTION_TABLE_DROP, names[count].space, names[count].table, err));
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(run_at(catalog_drop_view(r->catalog, names[i], true, &dropped, err), st->name.position,
                   err));
    }
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- ALTER VIEW, COMMENT ON ---- */

typedef struct alteration {
    const statement_change *change;
    arena *a;
} alteration;

static status alter(void *context, const ice_view *base, ice_view **ret_view, error *err)
{
    const alteration *t = context;
    const statement_change *c = t->change;
    size_t count = c->kind == CHANGE_TABLE_COMMENT ? 1 : c->property_count;
    ice_property *set = ARENA_ARRAY(t->a, ice_property, count + 1);
    str *keys = ARENA_ARRAY(t->a, str, count + 1);
    bool remove = c->kind == CHANGE_UNSET_PROPERTIES ||
                  (c->kind == CHANGE_TABLE_COMMENT && str_is_null(c->text));

    if (c->kind == CHANGE_COLUMN_COMMENT) {
        return ice_view_comment_column(base, c->path.parts[0], c->text, ret_view, err);
    }
    for (size_t i = 0; i < count; i++) {
        set[i] = c->kind == CHANGE_TABLE_COMMENT
                     ? (ice_property){.key = STR("comment"), .value = c->text}
                     : (ice_property){.key = c->properties[i].key, .value = c->properties[i].value};
        keys[i] = set[i].key;
        if (c->kind == CHANGE_UNSET_PROPERTIES && !c->if_exists &&
            str_is_null(
                ice_view_property(base, arena_printf(t->a, "%.*s", STR_ARG(keys[i])), NULL))) {
            return error_set(err, STATUS_INVALID, "there is no property \"%.*s\"",
                             STR_ARG(keys[i]));
        }
    }
    return ice_view_set_properties(base, set, remove ? 0 : count, keys, remove ? count : 0,
                                   ret_view, err);
}

static status rename_view(run *r, const statement *st, table_name name, arena *a, error *err)
{
    const statement_name *wanted = &st->changes[0].to;
    table_name to;

    TRY(run_at(catalog_resolve_new(r->catalog, wanted->parts, wanted->count,
                                   wanted->count == 1 ? name.space : r->space, a, &to, err),
               st->changes[0].position, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, to.space, to.table, err));
    TRY(run_check_access(r, ACTION_TABLE_DROP, name.space, name.table, err));
    return run_at(catalog_rename_view(r->catalog, name, to, err), st->changes[0].position, err);
}

status run_alter_view(run *r, const statement *st, bool last, arena *a, error *err)
{
    alteration t = {.change = st->changes, .a = a};
    table_name name;
    status result = resolve_view(r, &st->name, a, &name, err);

    if (may_miss(st, result, err)) {
        return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
    }
    TRY(result);
    TRY(run_check_access(r, ACTION_TABLE_ALTER, name.space, name.table, err));
    result = st->changes[0].kind == CHANGE_RENAME_TABLE
                 ? rename_view(r, st, name, a, err)
                 : catalog_change_view(r->catalog, name, alter, &t, err);
    TRY(run_at(result, st->changes[0].position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

status run_comment(run *r, const statement *st, bool last, arena *a, error *err)
{
    table_name name;
    bool is_view = false;
    bool on_column = st->changes[0].kind == CHANGE_COLUMN_COMMENT;
    error ignored = ERROR_INIT;

    if (st->on_view ||
        (on_column &&
         catalog_resolve_relation(r->catalog, st->name.parts, st->name.count, r->space, a, &name,
                                  &is_view, &ignored) == STATUS_OK &&
         is_view)) {
        return run_alter_view(r, st, last, a, err);
    }
    return run_alter(r, st, last, a, err);
}

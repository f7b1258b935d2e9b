/* Pages of names, and what has a name: read along the keys, so that a page costs what it holds, however many rows there
 * are. */
#include "places/place.h"

#include "tarn/base/vec.h"

/* ---- kind ---- */

static status has_row(state_txn *txn, const char *sql, str space_key, str name_key, bool *ret_found,
                      error *err)
{
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn, sql, &rows, err, SV_TEXT(space_key), SV_TEXT(name_key)));
    TRY(state_next(rows, ret_found, err));
    state_finish(rows);
    return STATUS_OK;
}

status catalog__read_kind(state_txn *txn, table_name name, catalog_kind *ret_kind, error *err)
{
    arena *a = state_txn_arena(txn);
    str space_key = catalog__fold(a, name.space);
    str name_key = catalog__fold(a, name.table);
    bool found = false;

    *ret_kind = CATALOG_TABLE;
    TRY(has_row(txn, "SELECT 1 FROM tables WHERE space_key = ?1 AND table_key = ?2", space_key,
                name_key, &found, err));
    if (!found) {
        *ret_kind = CATALOG_VIEW;
        TRY(has_row(txn, "SELECT 1 FROM views WHERE space_key = ?1 AND view_key = ?2", space_key,
                    name_key, &found, err));
    }
    if (!found) {
        *ret_kind = CATALOG_NOTHING;
    }
    return STATUS_OK;
}

typedef struct kind_query {
    table_name name;
    catalog_kind kind;
} kind_query;

static status read_kind(void *context, state_txn *txn, error *err)
{
    kind_query *q = context;

    return catalog__read_kind(txn, q->name, &q->kind, err);
}

status catalog_kind_of(catalog *c, table_name name, catalog_kind *ret_kind, error *err)
{
    kind_query q = {.name = name};

    TRY(state_read(c->state, read_kind, &q, err));
    *ret_kind = q.kind;
    return STATUS_OK;
}

/* ---- pages ---- */

typedef struct page_query {
    const char *sql; /* of the columns name and key; keys above ?2, at most ?3 */
    str space, space_key;
    const catalog_page *page;
    arena *a;
    bool found; /* the namespace */
    VEC(table_name) names;
    str last; /* key of the last name */
    bool more;
} page_query;

static size_t limit_of(const catalog_page *page)
{
    return page->limit == 0 || page->limit > INT32_MAX ? INT32_MAX : page->limit;
}

static status find_space(page_query *q, state_txn *txn, error *err)
{
    state_rows *rows = NULL;

    if (q->space_key.size == 0) { /* above all namespaces */
        q->found = true;
        return STATUS_OK;
    }
    TRY(STATE_QUERY(txn, "SELECT name FROM namespaces WHERE name_key = ?1", &rows, err,
                    SV_TEXT(q->space_key)));
    TRY(state_next(rows, &q->found, err));
    if (q->found) {
        q->space = state_text(rows, 0, q->a);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status read_page(void *context, state_txn *txn, error *err)
{
    page_query *q = context;
    size_t limit = limit_of(q->page);
    state_rows *rows = NULL;

    TRY(find_space(q, txn, err));
    if (!q->found) {
        return STATUS_OK;
    }
    TRY(STATE_QUERY(txn, q->sql, &rows, err, SV_TEXT(q->space_key),
                    SV_TEXT(str_is_null(q->page->after) ? STR("") : q->page->after),
                    SV_INT((int64_t)limit + 1)));
    for (;;) {
        bool row = false;

        TRY(state_next(rows, &row, err));
        q->more = row && q->names.count == limit;
        if (!row || q->more) {
            break;
        }
        const table_name name = {.space = q->space, .table = state_text(rows, 0, q->a)};
        vec_push(q->a, &q->names, name);
        q->last = state_text(rows, 1, q->a);
    }
    state_finish(rows);
    return STATUS_OK;
}

static status answer(catalog *c, const page_query *q, catalog_names *ret_names, error *err)
{
    if (!q->found) {
        return catalog__no_namespace(c, q->space, err);
    }
    *ret_names = (catalog_names){
        .items = q->names.items, .count = q->names.count, .next = q->more ? q->last : STR_NULL};
    return STATUS_OK;
}

static status page_of(catalog *c, const char *sql, str space, const catalog_page *page, arena *a,
                      catalog_names *ret_names, error *err)
{
    page_query q = {
        .sql = sql, .space = space, .space_key = catalog__fold(a, space), .page = page, .a = a};

    if (q.space_key.size == 0) {
        return catalog__no_namespace(c, space, err);
    }
    TRY(state_read(c->state, read_page, &q, err));
    return answer(c, &q, ret_names, err);
}

status catalog_page_tables(catalog *c, str space, const catalog_page *page, arena *a,
                           catalog_names *ret_names, error *err)
{
    return page_of(c,
                   "SELECT name, table_key FROM tables WHERE space_key = ?1 AND table_key > ?2"
                   " ORDER BY table_key LIMIT ?3",
                   space, page, a, ret_names, err);
}

status catalog_page_views(catalog *c, str space, const catalog_page *page, arena *a,
                          catalog_names *ret_names, error *err)
{
    return page_of(c,
                   "SELECT name, view_key FROM views WHERE space_key = ?1 AND view_key > ?2"
                   " ORDER BY view_key LIMIT ?3",
                   space, page, a, ret_names, err);
}

/* ---- namespaces: what lies deeper is jumped over ---- */

#define NAMESPACE_CHUNK 256

/* One query's rows. `*after` moves on; where a row lies deeper than a child, behind all that do with it. */
static status read_children(page_query *q, state_txn *txn, str prefix, str end, str *after,
                            bool *ret_done, error *err)
{
    size_t limit = limit_of(q->page);
    state_rows *rows = NULL;
    bool row = true;

    TRY(STATE_QUERY(txn,
                    "SELECT name, name_key, warehouse FROM namespaces"
                    " WHERE name_key > ?1 AND name_key < ?2 ORDER BY name_key LIMIT ?3",
                    &rows, err, SV_TEXT(*after), SV_TEXT(end), SV_INT(NAMESPACE_CHUNK)));
    *ret_done = true;
    for (int i = 0; i < NAMESPACE_CHUNK; i++) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        str key = state_text(rows, 1, q->a);
        size_t dot = str_find_char(str_slice(key, prefix.size, key.size), '.');

        *ret_done = false;
        if (dot != STR_NPOS) { /* "/" follows "." */
            *after = str_concat(q->a, str_slice(key, 0, prefix.size + dot), STR("/"));
            break;
        }
        *after = key;
        if (prefix.size == 0 && state_int(rows, 2) != 0) {
            continue; /* another warehouse, no namespace of the first */
        }
        if (q->names.count == limit) {
            q->more = true;
            *ret_done = true;
            break;
        }
        vec_push(q->a, &q->names, ((table_name){.space = state_text(rows, 0, q->a)}));
        q->last = key;
    }
    state_finish(rows);
    return STATUS_OK;
}

static status read_space_page(void *context, state_txn *txn, error *err)
{
    page_query *q = context;
    str prefix = q->space_key.size == 0 ? STR("") : str_concat(q->a, q->space_key, STR("."));
    /* no key begins with the last character that there is */
    str end =
        q->space_key.size == 0 ? STR("\xf4\x8f\xbf\xbf") : str_concat(q->a, q->space_key, STR("/"));
    str after = str_is_null(q->page->after) ? prefix : q->page->after;
    bool done = false;

    TRY(find_space(q, txn, err));
    while (q->found && !done) {
        TRY(read_children(q, txn, prefix, end, &after, &done, err));
    }
    return STATUS_OK;
}

status catalog_page_namespaces(catalog *c, str parent, const catalog_page *page, arena *a,
                               catalog_names *ret_names, error *err)
{
    page_query q = {.space = parent, .space_key = catalog__fold(a, parent), .page = page, .a = a};

    TRY(state_read(c->state, read_space_page, &q, err));
    return answer(c, &q, ret_names, err);
}

/* ---- hints ---- */

#define HINT_NAMES_MAX 1000

typedef struct hint_query {
    const char *sql;
    str space_key;
    arena *a;
    VEC(str) names;
} hint_query;

static status read_hints(void *context, state_txn *txn, error *err)
{
    hint_query *q = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn, q->sql, &rows, err, SV_TEXT(q->space_key), SV_INT(HINT_NAMES_MAX)));
    for (;;) {
        bool row = false;

        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        vec_push(q->a, &q->names, state_text(rows, 0, q->a));
    }
    state_finish(rows);
    return STATUS_OK;
}

/* Of a transaction's view, which is in memory. */
static void hints_of_view(catalog *c, str space, hint_query *q)
{
    namespace_info *spaces = NULL;
    table_info *tables = NULL;
    view_info *views = NULL;
    size_t space_count = 0, table_count = 0, view_count = 0;

    if (str_is_null(space)) {
        (void)catalog_list_namespaces(c, STR(""), q->a, &spaces, &space_count, NULL);
    } else if (catalog_list_tables(c, space, q->a, &tables, &table_count, NULL) == STATUS_OK) {
        (void)catalog_list_views(c, space, q->a, &views, &view_count, NULL);
    }
    for (size_t i = 0; i < space_count; i++) {
        vec_push(q->a, &q->names, spaces[i].name);
    }
    for (size_t i = 0; i < table_count; i++) {
        vec_push(q->a, &q->names, tables[i].name.table);
    }
    for (size_t i = 0; i < view_count; i++) {
        vec_push(q->a, &q->names, views[i].name.table);
    }
}

void catalog__hint_names(catalog *c, str space, arena *a, str **ret_names, size_t *ret_count)
{
    static const char *const of_space[] = {
        "SELECT name FROM tables WHERE space_key = ?1 ORDER BY table_key LIMIT ?2",
        "SELECT name FROM views WHERE space_key = ?1 ORDER BY view_key LIMIT ?2"};
    hint_query q = {.a = a, .space_key = str_is_null(space) ? STR("") : catalog__fold(a, space)};

    if (c->txn != NULL) {
        hints_of_view(c, space, &q);
    } else if (str_is_null(space)) {
        q.sql = "SELECT name FROM namespaces WHERE name_key > ?1 ORDER BY name_key LIMIT ?2";
        (void)state_read(c->state, read_hints, &q, NULL);
    } else {
        for (size_t i = 0; i < COUNT_OF(of_space); i++) {
            q.sql = of_space[i];
            (void)state_read(c->state, read_hints, &q, NULL);
        }
    }
    *ret_names = q.names.items;
    *ret_count = q.names.count;
}

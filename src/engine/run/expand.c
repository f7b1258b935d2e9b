/* Stored views in a statement: their SQL becomes DuckDB views of its own, in a schema of its own, over the same tables
 * that the statement reads.
 *
 * A reference to a view is analysed like a statement: the stored text is scanned, its functions must be on the
 * allow-list, its tables are resolved at the view's default namespace and authorised for the caller, whoever made the
 * view. Its tables join those of the statement, so that filters reach their files through any number of views. Names
 * in the stored text always become names of the view's own schema: nothing of the statement around it can be meant.
 *
 *   "#view1"."t"        what the stored SQL calls t (query_view)
 *   "#view1"."#query"   the stored SQL
 *   "main"."v"          what the statement calls the view (query_view): its columns under their stored names and types
 *
 * Before the second is read, it is compared with the columns that were stored: whoever changed a table under a view is
 * told by name. */
#include "run/expand.h"

#include "run/bound.h"
#include "run/travel.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/catalog/warehouse.h"
#include "tarn/engine/query.h"

/* Views over views over views. Each level is cheap; the limit is for what nobody reads any more. */
#define DEPTH_MAX 32
/* How often DuckDB would bind stored SQL for one statement: a view that reads one twice that reads one twice … */
#define WEIGHT_MAX 10000

static bool is_same(table_name x, table_name y)
{
    return str_equal_nocase(x.space, y.space) && str_equal_nocase(x.table, y.table);
}

/* ---- analysis ---- */

static status refuse_cycle(const query_frame *frame, table_name name, arena *a, error *err)
{
    buf *path = buf_in(a, LIMIT_MIB);
    const query_frame *frames[DEPTH_MAX + 1];
    size_t count = 0;

    for (const query_frame *f = frame; f != NULL && count < DEPTH_MAX; f = f->outer) {
        frames[count++] = f;
        if (is_same(f->name, name)) {
            break;
        }
    }
    for (size_t i = count; i > 0; i--) {
        buf_printf(path, "\"%.*s.%.*s\" → ", STR_ARG(frames[i - 1]->name.space),
                   STR_ARG(frames[i - 1]->name.table));
    }
    return error_set(err, STATUS_INVALID, "view \"%.*s.%.*s\" would read itself: %.*s\"%.*s.%.*s\"",
                     STR_ARG(name.space), STR_ARG(name.table), STR_ARG(buf_str(path)),
                     STR_ARG(name.space), STR_ARG(name.table));
}

static status check_frames(const query *q, table_name name, error *err)
{
    size_t depth = 1;

    for (const query_frame *f = q->frame; f != NULL; f = f->outer, depth++) {
        if (is_same(f->name, name)) {
            return refuse_cycle(q->frame, name, q->a, err);
        }
    }
    return depth <= DEPTH_MAX
               ? STATUS_OK
               : error_set(err, STATUS_TOO_LARGE, "views are nested more than %d deep", DEPTH_MAX);
}

static status stored_sql(const ice_view *view, arena *a, str *ret_sql, error *err)
{
    const ice_view_version *version = ice_view_current(view);
    buf *others = buf_in(a, LIMIT_MIB);

    *ret_sql = ice_view_sql(version, STR(ICE_VIEW_DIALECT));
    if (!str_is_null(*ret_sql)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < version->representation_count; i++) {
        const ice_representation *r = &version->representations[i];
        buf_printf(others, "%s%.*s", i > 0 ? ", " : "",
                   STR_ARG(str_is_null(r->dialect) ? r->type : r->dialect));
    }
    error_set(err, STATUS_UNSUPPORTED,
              "its SQL is not in the dialect " ICE_VIEW_DIALECT ", but in: %.*s",
              STR_ARG(buf_str(others)));
    error_hint(
        err, "CREATE OR REPLACE VIEW … WITH ('replace.drop-dialect.allowed' = 'true') gives it SQL "
             "that runs here, in place of that.");
    return STATUS_UNSUPPORTED;
}

/* One reading statement, and nothing that only its maker could give. */
static status scan_stored(run *inner, arena *a, token_range *ret_range, error *err)
{
    token_range *ranges;
    size_t count;
    statement st;

    TRY(token_scan(inner->request->sql, a, &inner->tokens, err));
    token_split(&inner->tokens, a, &ranges, &count);
    if (count != 1) {
        return error_set(err, STATUS_INVALID, "its SQL is not one statement");
    }
    TRY(statement_parse(&inner->tokens, ranges[0], a, &st, err));
    if (st.kind != STATEMENT_READ) {
        return error_set(err, STATUS_INVALID, "its SQL is no SELECT");
    }
    TRY(expand_check_body(&inner->tokens, ranges[0], err));
    *ret_range = ranges[0];
    return STATUS_OK;
}

status expand_check_body(const token_list *tokens, token_range range, error *err)
{
    for (size_t i = range.from; i < range.to; i++) {
        if (tokens->items[i].kind == TOKEN_PARAMETER) {
            return run_at(error_set(err, STATUS_INVALID, "a view cannot have parameters"),
                          tokens->items[i].from, err);
        }
    }
    return STATUS_OK;
}

/* Where names of the view's SQL begin: in the catalog that it names, else in the warehouse that it is in. */
static status settle_home(run *inner, const ice_view_version *version, table_name name, arena *a,
                          error *err)
{
    warehouse_info home = catalog_warehouse_of(inner->catalog, name.space, a);
    buf *space = buf_in(a, LIMIT_MIB);

    if (version->default_catalog.size > 0 &&
        catalog_find_warehouse(inner->catalog, version->default_catalog, a, &home, NULL) !=
            STATUS_OK) {
        error_set(err, STATUS_UNSUPPORTED,
                  "its default-catalog \"%.*s\" is no warehouse: what its SQL reads is not known",
                  STR_ARG(version->default_catalog));
        error_hint(err, "CREATE OR REPLACE VIEW makes it anew, with names that are known here.");
        return STATUS_UNSUPPORTED;
    }
    inner->home = home.space.size > 0 ? home.name : STR("");
    buf_add_str(space, inner->home);
    for (size_t i = 0; i < version->default_namespace_count; i++) {
        buf_add_c(space, space->size > 0 ? "." : "");
        buf_add_str(space, version->default_namespace[i]);
    }
    inner->space = space->size > 0 ? buf_str(space) : STR("main");
    return STATUS_OK;
}

/* The run as the view's SQL sees it: its own text and no parameters. */
static run *inner_run(const run *outer, str sql, arena *a)
{
    run *inner = ARENA_NEW(a, run);
    query_request *request = ARENA_NEW(a, query_request);

    *request = *outer->request;
    request->sql = sql;
    request->params = NULL;
    *inner = *outer;
    inner->request = request;
    return inner;
}

/* What analysis of the outer text and of the view's share: it goes in and comes back. */
static void share(query *to, const query *from)
{
    to->changed = from->changed;
    to->tables = from->tables;
    to->views = from->views;
    to->stored = from->stored;
    to->stored_names = from->stored_names;
    to->metadata_count = from->metadata_count;
    to->extra_sql = from->extra_sql;
    to->information = from->information;
}

static size_t weight_of(const query *q, const query *inner)
{
    size_t weight = 1;

    for (size_t i = 0; i < inner->stored_used.count; i++) {
        weight += q->stored.items[inner->stored_used.items[i]].weight;
        weight = weight > WEIGHT_MAX ? WEIGHT_MAX + 1 : weight;
    }
    return weight;
}

static status analyse_stored(query *q, const ice_view *view, table_name name, query_stored *stored,
                             error *err)
{
    query_frame frame = {.name = name, .outer = q->frame};
    query inner = {.a = q->a, .frame = &frame, .own_schema = stored->schema};
    worker *w;
    str sql;

    TRY(stored_sql(view, q->a, &sql, err));
    TRY(run_worker(q->r, &w, err)); /* before the run is copied */
    inner.r = inner_run(q->r, sql, q->a);
    TRY(settle_home(inner.r, ice_view_current(view), name, q->a, err));
    TRY(scan_stored(inner.r, q->a, &inner.range, err));
    inner.bound = bound_read(ice_view_current(view), q->a);
    inner.form = (query_form){.range = inner.range,
                              .changed_token = SIZE_MAX,
                              .changed = q->form.changed,
                              .changed_name = q->form.changed_name,
                              .changed_snapshot = q->form.changed_snapshot};
    share(&inner, q);
    TRY(query_analyse_text(&inner, err));
    if (inner.scan_count > 0) {
        return error_set(err, STATUS_UNSUPPORTED, "a view cannot read a table by its location");
    }
    share(q, &inner);
    stored->text = inner.text.text;
    stored->weight = weight_of(q, &inner);
    return stored->weight <= WEIGHT_MAX
               ? STATUS_OK
               : error_set(err, STATUS_TOO_LARGE,
                           "views read other views more than %d times in all", WEIGHT_MAX);
}

static void unref_view(void *view)
{
    ice_view_unref(view);
}

status query_expand(query *q, table_name name, size_t position, size_t *ret_stored, error *err)
{
    ice_view *view;
    view_info info;

    TRY(check_frames(q, name, err));
    for (size_t i = 0; i < q->stored.count; i++) {
        if (is_same(q->stored.items[i].name, name)) {
            vec_push(q->a, &q->stored_used, i);
            *ret_stored = i + 1;
            return STATUS_OK;
        }
    }
    TRY(run_check_access(q->r, ACTION_TABLE_READ, name.space, name.table, err));
    TRY(catalog_load_view(q->r->catalog, name, q->a, &view, &info, err));
    arena_defer(q->a, unref_view, view);
    query_stored stored = {.name = info.name, .view = view, .position = position};
    stored.schema = str_printf(q->a, "#view%zu", ++q->stored_names);
    status result = analyse_stored(q, view, info.name, &stored, err);
    if (result != STATUS_OK) {
        if (err != NULL) {
            err->position = ERROR_NO_POSITION; /* it would be one in the stored text */
        }
        error_context(err, "view \"%.*s.%.*s\"", STR_ARG(name.space), STR_ARG(name.table));
        return result;
    }
    vec_push(q->a, &q->stored, stored);
    vec_push(q->a, &q->stored_used, q->stored.count - 1);
    *ret_stored = q->stored.count;
    return STATUS_OK;
}

/* ---- DuckDB's views ---- */

#define STORED_NAME "\"#query\""

static void put_stored_name(buf *out, const query_stored *stored)
{
    sql_quote_name(out, stored->schema);
    buf_add_c(out, "." STORED_NAME);
}

static void put_stored(buf *out, const query_stored *stored)
{
    buf_add_c(out, "CREATE SCHEMA IF NOT EXISTS ");
    sql_quote_name(out, stored->schema);
    buf_add_c(out, ";CREATE OR REPLACE VIEW ");
    put_stored_name(out, stored);
    buf_add_c(out, " AS ");
    buf_add_str(out, stored->text);
    buf_add_c(out, "\n;"); /* the text may end with a comment */
}

/* The view under a name of the statement's: stored names, and stored types where DuckDB's own is another. */
static void put_columns(buf *out, const query_view *view, const query_stored *stored)
{
    const ice_type *root = ice_view_schema(stored->view)->root;

    buf_add_c(out, "CREATE OR REPLACE VIEW ");
    sql_quote_name(out, view->schema);
    buf_add_char(out, '.');
    sql_quote_name(out, view->name);
    buf_add_c(out, " AS SELECT ");
    for (size_t n = 0; bound_field(view->bound, root, n) != SIZE_MAX; n++) {
        size_t i = bound_field(view->bound, root, n);
        buf_add_c(out, n > 0 ? ", " : "");
        buf_printf(out, stored->casts[i] ? "CAST(c%zu AS " : "c%zu", i);
        if (stored->casts[i]) {
            engine_duckdb_type(root->fields[i].type, out);
            buf_add_char(out, ')');
        }
        buf_add_c(out, " AS ");
        sql_quote_name(out, root->fields[i].name);
    }
    buf_add_c(out, " FROM ");
    put_stored_name(out, stored);
    for (size_t i = 0; i < root->field_count; i++) {
        buf_printf(out, "%sc%zu", i > 0 ? ", " : " AS t(", i);
    }
    buf_add_c(out, ");");
}

static status refuse_changed(const query_stored *stored, str column, str was, str is, error *err)
{
    error_set(err, STATUS_WRONG_TYPE,
              "view \"%.*s.%.*s\": column \"%.*s\" was %.*s when the view "
              "was made, and is %.*s now",
              STR_ARG(stored->name.space), STR_ARG(stored->name.table), STR_ARG(column),
              STR_ARG(was), STR_ARG(is));
    error_hint(err,
               "Something that the view reads was changed; CREATE OR REPLACE VIEW makes it anew.");
    return STATUS_WRONG_TYPE;
}

/* `found`: name and type of each column that the SQL yields now. */
static status compare(query_stored *stored, const json *found, arena *a, error *err)
{
    const ice_type *root = ice_view_schema(stored->view)->root;

    if (json_count(found) != root->field_count) {
        error_set(err, STATUS_WRONG_TYPE,
                  "view \"%.*s.%.*s\" was made with %zu column%s, and its SQL yields %zu now",
                  STR_ARG(stored->name.space), STR_ARG(stored->name.table), root->field_count,
                  root->field_count == 1 ? "" : "s", json_count(found));
        error_hint(
            err,
            "Something that the view reads was changed; CREATE OR REPLACE VIEW makes it anew.");
        return STATUS_WRONG_TYPE;
    }
    stored->casts = ARENA_ARRAY(a, bool, root->field_count + 1);
    for (size_t i = 0; i < root->field_count; i++) {
        str now = json_str_or(json_at(json_at(found, i), 1), STR(""));
        buf *was = buf_in(a, LIMIT_MIB), *is = buf_in(a, LIMIT_MIB);
        const ice_type *mapped;

        engine_duckdb_type(root->fields[i].type, was);
        if (engine_iceberg_type(now, root->fields[i].name, a, &mapped, NULL) != STATUS_OK) {
            return refuse_changed(stored, root->fields[i].name, buf_str(was), now, err);
        }
        engine_duckdb_type(mapped, is);
        if (!str_equal(buf_str(was), buf_str(is))) {
            return refuse_changed(stored, root->fields[i].name, buf_str(was), now, err);
        }
        stored->casts[i] = !str_equal(now, buf_str(is));
    }
    return STATUS_OK;
}

#define COLUMNS_OF \
    "SELECT CAST(to_json(list([column_name, column_type])) AS VARCHAR) FROM (DESCRIBE SELECT * FROM "

/* Makes the view of the stored SQL, behind what is in `sql`, and compares. */
static status open_one(query *q, query_stored *stored, buf *sql, error *err)
{
    buf *asked = buf_in(q->a, LIMIT_SQL_TEXT);
    const json *found;
    str text;

    put_stored(sql, stored);
    buf_add_c(asked, COLUMNS_OF);
    put_stored_name(asked, stored);
    buf_add_char(asked, ')');
    TRY(buf_check(sql, "the statement", err));
    status result = worker_scalar_after(q->r->w, buf_str(sql), buf_str(asked), NULL, 0,
                                        &q->r->cancel, q->a, &text, err);
    buf_clear(sql);
    if (result != STATUS_OK) {
        error_context(err, "view \"%.*s.%.*s\"", STR_ARG(stored->name.space),
                      STR_ARG(stored->name.table));
        return result;
    }
    TRY(json_parse(text, q->a, &found, err));
    return compare(stored, found, q->a, err);
}

status expand_open(query *q, buf *sql, error *err)
{
    q->stored_sql = buf_in(q->a, LIMIT_WORKER_MESSAGE);
    for (size_t i = 0; i < q->stored.count; i++) {
        query_stored *stored = &q->stored.items[i];
        status result = open_one(q, stored, sql, err);

        if (result != STATUS_OK) {
            q->blamed = (int)stored->position;
            return result;
        }
        put_stored(q->stored_sql, stored);
        for (size_t k = 0; k < q->views.count; k++) {
            if (q->views.items[k].stored == i + 1) {
                put_columns(sql, &q->views.items[k], stored);
                put_columns(q->stored_sql, &q->views.items[k], stored);
            }
        }
    }
    return buf_check(q->stored_sql, "the statement", err);
}

/* PREPARE, EXECUTE, DEALLOCATE. */
#include "run/prepared.h"

#include "run/params.h"
#include "run/query.h"
#include "sql/types.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

typedef struct prepared {
    arena *a; /* of all that follows */
    str name, text;
    const str *types; /* of the parameters 1, 2, …; "" where none was given */
    size_t type_count;
    statement_kind kind;
    str script_id;  /* of the request that it was prepared in */
    size_t in_from; /* where the text begins in its script */
} prepared;

struct prepared_set {
    map *by_name; /* lower case to prepared * */
};

prepared_set *prepared_set_create(void)
{
    prepared_set *set = NEW(prepared_set);
    set->by_name = map_create(NULL);
    return set;
}

static void clear(prepared_set *set)
{
    map_entry entry;
    for (size_t at = 0; map_next(set->by_name, &at, &entry);) {
        prepared *p = entry.value;
        (void)map_remove(set->by_name, entry.key);
        arena_free(p->a);
    }
}

void prepared_set_free(prepared_set *set)
{
    if (set != NULL) {
        clear(set);
        map_free(set->by_name);
        mem_free(set);
    }
}

static prepared *find(const prepared_set *set, str name)
{
    prepared *found = NULL;
    if (set != NULL) {
        arena *a = arena_create();
        found = map_get(set->by_name, str_lower(a, name));
        arena_free(a);
    }
    return found;
}

bool prepared_kind(const prepared_set *set, str name, statement_kind *ret_kind)
{
    const prepared *p = find(set, name);
    if (p != NULL) {
        *ret_kind = p->kind;
    }
    return p != NULL;
}

static status no_such(const run *r, const statement *st, error *err)
{
    str name = st->name.parts[0], nearest;
    str *names = ARENA_ARRAY(r->a, str, PREPARED_MAX);
    size_t count = 0;
    map_entry entry;
    if (r->prepared != NULL) {
        for (size_t at = 0; map_next(r->prepared->by_name, &at, &entry) && count < PREPARED_MAX;) {
            names[count++] = entry.key;
        }
    }
    error_set(err, STATUS_NOT_FOUND, "prepared statement \"%.*s\" does not exist", STR_ARG(name));
    nearest = str_nearest(name, names, count);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    } else {
        error_hint(err, "PREPARE lasts as long as its script or session.");
    }
    return run_at(STATUS_NOT_FOUND, st->name.position, err);
}

/* ---- PREPARE, DEALLOCATE ---- */

status run_prepare(run *r, const statement *st, bool last, arena *a, error *err)
{
    const token *items = r->tokens.items;
    size_t from = items[st->body.from].from, to = items[st->body.to - 1].to;
    str name = str_lower(a, st->name.parts[0]);
    str *names;
    size_t count;

    for (size_t i = 0; i < st->column_count; i++) {
        TRY(run_at(types_check_declared(st->columns[i].type_text, STR("parameter"), err),
                   st->columns[i].type_position, err));
    }
    params_names(&r->tokens, st->body, a, &names, &count);
    if (st->column_count > count) {
        error_set(err, STATUS_INVALID, "%zu types are given, but the statement has %zu parameter%s",
                  st->column_count, count, count == 1 ? "" : "s");
        return run_at(STATUS_INVALID, st->columns[count].type_position, err);
    }
    if (r->prepared == NULL) {
        r->prepared = r->own_prepared = prepared_set_create();
    }
    if (map_count(r->prepared->by_name) >= PREPARED_MAX && find(r->prepared, name) == NULL) {
        error_set(err, STATUS_TOO_LARGE, "there are %d prepared statements already", PREPARED_MAX);
        error_hint(err, "DEALLOCATE those that are not needed.");
        return run_at(STATUS_TOO_LARGE, st->name.position, err);
    }
    arena *own = arena_create();
    prepared *p = ARENA_NEW(own, prepared);
    str *types = ARENA_ARRAY(own, str, st->column_count + 1);
    for (size_t i = 0; i < st->column_count; i++) {
        types[i] = str_copy(own, st->columns[i].type_text);
    }
    *p = (prepared){.a = own,
                    .name = str_copy(own, name),
                    .text = str_copy(own, str_slice(r->tokens.sql, from, to)),
                    .types = types,
                    .type_count = st->column_count,
                    .kind = st->inner,
                    .script_id = str_copy(own, r->entry->id),
                    .in_from = from};
    prepared *before = map_set(r->prepared->by_name, p->name, p);
    if (before != NULL) {
        arena_free(before->a);
    }
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

status run_deallocate(run *r, const statement *st, bool last, arena *a, error *err)
{
    if (st->name.count == 0) {
        if (r->prepared != NULL) {
            clear(r->prepared);
        }
        return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
    }
    prepared *p = find(r->prepared, st->name.parts[0]);
    if (p == NULL) {
        return no_such(r, st, err);
    }
    (void)map_remove(r->prepared->by_name, str_lower(a, st->name.parts[0]));
    arena_free(p->a);
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- the values of EXECUTE ---- */

/* A literal stays as it is written, so that DuckDB fits it to its place. */
static bool is_literal(const token_list *list, token_range v)
{
    bool sign = v.to == v.from + 2 && token_is_symbol(list, v.from, '-');
    token_kind kind = list->items[v.to - 1].kind;

    return (kind == TOKEN_NUMBER && (sign || v.to == v.from + 1)) ||
           (v.to == v.from + 1 &&
            (kind == TOKEN_TEXT || token_is(list, v.from, "null") ||
             token_is(list, v.from, "true") || token_is(list, v.from, "false")));
}

/* The literal of what the expression yields, evaluated once; columns and tables it cannot have. */
static status evaluate(run *r, token_range value, arena *a, str *ret_sql, error *err)
{
    const token *items = r->tokens.items;
    size_t from = items[value.from].from, to = items[value.to - 1].to;
    edit_piece pieces[] = {{.from = from,
                            .to = from,
                            .text = STR("SELECT typeof(v), CAST(v AS VARCHAR) FROM (SELECT (")},
                           {.from = from, .to = to, .text = STR_NULL},
                           {.from = to, .to = to, .text = STR("\n)) AS t(v)")}};
    query_form form = {.range = value, .pieces = pieces, .piece_count = COUNT_OF(pieces)};
    buf *sql = buf_in(a, LIMIT_SQL_TEXT);
    const json *rows;
    query q;

    TRY(query_analyse_form(r, &form, a, &q, err));
    if (q.tables.count > 0 || q.extra_sql != NULL) {
        return run_at(error_set(err, STATUS_UNSUPPORTED,
                                "a value of EXECUTE that reads a table is not supported"),
                      from, err);
    }
    TRY(query_fail(&q, worker_rows(r->w, q.text.text, &r->cancel, a, &rows, err), 0, err));
    const json *row = json_at(rows, 0), *text = json_at(row, 1);
    str type = json_str_or(json_at(row, 0), STR(""));
    if (json_kind_of(text) != JSON_STR) {
        buf_printf(sql, "CAST(NULL AS %.*s)", STR_ARG(type));
    } else if (str_equal(type, STR("VARCHAR"))) {
        sql_quote_text(sql, json_str_or(text, STR("")));
    } else {
        buf_add_c(sql, "CAST(");
        sql_quote_text(sql, json_str_or(text, STR("")));
        buf_printf(sql, " AS %.*s)", STR_ARG(type));
    }
    TRY(buf_check(sql, "a value", err));
    *ret_sql = buf_str(sql);
    return STATUS_OK;
}

static status value_sql(run *r, token_range value, arena *a, str *ret_sql, error *err)
{
    const token_list *list = &r->tokens;
    str text = str_slice(list->sql, list->items[value.from].from, list->items[value.to - 1].to);

    if (is_literal(list, value)) {
        *ret_sql = text.data[0] == '-' ? str_printf(a, "(%.*s)", STR_ARG(text)) : text;
        return STATUS_OK;
    }
    if (value.to == value.from + 1 && list->items[value.from].kind == TOKEN_PARAMETER &&
        text.size > 1) {
        str name = str_slice(text, 1, text.size);
        TRY(run_at(params_literal(r->request->params, name, a, ret_sql, err),
                   list->items[value.from].from, err));
        return !str_is_null(*ret_sql)
                   ? STATUS_OK
                   : run_at(error_set(err, STATUS_INVALID, "parameter \"%.*s\" has no value",
                                      STR_ARG(name)),
                            list->items[value.from].from, err);
    }
    return evaluate(r, value, a, ret_sql, err);
}

static bool has_name(const str *names, size_t count, str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(names[i], name)) {
            return true;
        }
    }
    return false;
}

/* Each parameter's value; a value more or less than the statement has parameters is an error. */
static status take_values(run *r, const statement *st, const prepared *p, const str *names,
                          size_t name_count, arena *a, param_value *values, error *err)
{
    for (size_t i = 0; i < st->argument_count; i++) {
        const statement_argument *argument = &st->arguments[i];
        param_value *v = &values[i];
        int64_t number = 0;
        v->name = str_is_null(argument->name) ? str_printf(a, "%zu", i + 1) : argument->name;
        if (!has_name(names, name_count, v->name)) {
            error_set(err, STATUS_INVALID, "prepared statement \"%.*s\" has no parameter \"%.*s\"",
                      STR_ARG(p->name), STR_ARG(v->name));
            return run_at(STATUS_INVALID, argument->position, err);
        }
        for (size_t k = 0; k < i; k++) {
            if (str_equal_nocase(values[k].name, v->name)) {
                return run_at(error_set(err, STATUS_INVALID, "parameter \"%.*s\" is given twice",
                                        STR_ARG(v->name)),
                              argument->position, err);
            }
        }
        TRY(value_sql(r, argument->value, a, &v->sql, err));
        size_t at = 0;
        if (str_to_int64(v->name, &number, NULL) !=
            STATUS_OK) { /* types go by the order of the names */
            while (at < name_count && !str_equal_nocase(names[at], v->name)) {
                at++;
            }
            number = (int64_t)at + 1;
        }
        if (number >= 1 && (size_t)number <= p->type_count) {
            v->sql =
                str_printf(a, "CAST(%.*s AS %.*s)", STR_ARG(v->sql), STR_ARG(p->types[number - 1]));
        }
    }
    for (size_t i = 0; i < name_count; i++) {
        bool given = false;
        for (size_t k = 0; k < st->argument_count; k++) {
            given = given || str_equal_nocase(values[k].name, names[i]);
        }
        if (!given) {
            error_set(err, STATUS_INVALID,
                      "parameter \"%.*s\" of prepared statement \"%.*s\" has no value",
                      STR_ARG(names[i]), STR_ARG(p->name));
            return run_at(STATUS_INVALID, st->name.position, err);
        }
    }
    return STATUS_OK;
}

/* ---- EXECUTE ---- */

/* What is wrong inside of the prepared text is shown there if it stands in this script, else at EXECUTE. */
static void place_error(const run *r, const statement *st, const prepared *p, error *err)
{
    if (err == NULL) {
        return;
    }
    if (err->position != ERROR_NO_POSITION && str_equal(p->script_id, r->entry->id)) {
        err->position += (int)p->in_from;
        return;
    }
    err->position = (int)st->name.position;
    error_context(err, "prepared statement \"%.*s\"", STR_ARG(p->name));
}

/* The run with the prepared text in the place of the script. */
static status run_inside(run *r, const token_list *tokens, const statement *inner,
                         const query_request *request, bool last, error *err)
{
    token_list outer_tokens = r->tokens;
    const query_request *outer_request = r->request;

    r->tokens = *tokens;
    r->request = request;
    status result = run_inner(r, inner, last, err);
    r->tokens = outer_tokens;
    r->request = outer_request;
    r->is_executing = false;
    return result;
}

status run_execute(run *r, const statement *st, bool last, arena *a, error *err)
{
    prepared *p = find(r->prepared, st->name.parts[0]);
    statement inner;
    token_list tokens;
    size_t name_count;
    str *names;
    if (p == NULL) {
        return no_such(r, st, err);
    }
    /* A copy: the statement may be another before this one ends, and the tokens point into it. */
    str text = str_copy(a, p->text);
    TRY(token_scan(text, a, &tokens, err));
    token_range all = {.from = 0, .to = tokens.count};
    TRY(statement_parse(&tokens, all, a, &inner, err));
    params_names(&tokens, all, a, &names, &name_count);
    param_value *values = ARENA_ARRAY(a, param_value, st->argument_count + 1);
    TRY(take_values(r, st, p, names, name_count, a, values, err));
    query_request request = *r->request;
    request.sql = text;
    request.params = NULL;
    r->is_executing = true;
    r->values = values;
    r->value_count = st->argument_count;
    status result = run_inside(r, &tokens, &inner, &request, last, err);
    if (result != STATUS_OK) {
        place_error(r, st, p, err);
    }
    return result;
}

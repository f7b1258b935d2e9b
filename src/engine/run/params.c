/* Literals for values: the type is what JSON says, and DuckDB adapts numbers and texts to where
 * they stand. */
#include "run/params.h"

#include <string.h>

#include "run/run.h"
#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/engine/worker.h"

static status put_literal(const json *value, buf *out, error *err);

static status put_text(str text, buf *out, error *err)
{
    if (str_find_char(text, '\0') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "a parameter contains a NUL byte");
    }
    sql_quote_text(out, text);
    return STATUS_OK;
}

/* A double keeps its type by an exponent: 1.5 alone would be a decimal. */
static void put_double(const json *value, buf *out)
{
    size_t from = out->size;
    json_format(value, out);
    str text = str_slice(buf_str(out), from, out->size);
    if (str_find_char(text, 'e') == STR_NPOS && str_find_char(text, 'E') == STR_NPOS) {
        buf_add_c(out, "e0");
    }
}

static status put_list(const json *value, buf *out, error *err)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < json_count(value); i++) {
        buf_add_c(out, i > 0 ? ", " : "");
        TRY(put_literal(json_at(value, i), out, err));
    }
    buf_add_char(out, ']');
    return STATUS_OK;
}

static status put_struct(const json *value, buf *out, error *err)
{
    str key;
    const json *member;
    bool first = true;
    buf_add_char(out, '{');
    for (size_t at = 0; json_next_member(value, &at, &key, &member); first = false) {
        buf_add_c(out, first ? "" : ", ");
        TRY(put_text(key, out, err));
        buf_add_c(out, ": ");
        TRY(put_literal(member, out, err));
    }
    buf_add_char(out, '}');
    return STATUS_OK;
}

/* HUGEINT is what 128 bits hold. Its least value has no literal: the digits without the sign are one too many. */
static status put_wide_integer(str digits, buf *out, error *err)
{
    static const str most = STR_INIT("170141183460469231731687303715884105727");
    static const str beyond = STR_INIT("170141183460469231731687303715884105728");
    bool negative = digits.data[0] == '-';
    str size = str_slice(digits, negative ? 1 : 0, digits.size);
    bool is_least = negative && str_equal(size, beyond);
    bool fits = is_least || size.size < most.size ||
                (size.size == most.size && memcmp(size.data, most.data, most.size) <= 0);

    if (!fits) {
        error_set(err, STATUS_INVALID, "a parameter is an integer of more than 128 bits: %.*s",
                  (int)(digits.size < 60 ? digits.size : 60), digits.data);
        error_hint(err, "Give it as a text, and cast it in the statement.");
        return STATUS_INVALID;
    }
    buf_printf(out, "CAST('%.*s' AS HUGEINT)", STR_ARG(digits));
    return STATUS_OK;
}

static status put_literal(const json *value, buf *out, error *err)
{
    str wide = json_wide_integer(value);

    if (!str_is_null(wide)) {
        return put_wide_integer(wide, out, err);
    }
    switch (json_kind_of(value)) {
    case JSON_BOOL:
        buf_add_c(out, json_bool_or(value, false) ? "true" : "false");
        return STATUS_OK;
    case JSON_INT64:
    case JSON_DOUBLE: {
        bool negative = json_double_or(value, 0) < 0;
        buf_add_c(out, negative ? "(" : "");
        if (json_kind_of(value) == JSON_DOUBLE) {
            put_double(value, out);
        } else {
            json_format(value, out);
        }
        buf_add_c(out, negative ? ")" : "");
        return STATUS_OK;
    }
    case JSON_STR:
        return put_text(json_str_or(value, STR("")), out, err);
    case JSON_ARRAY:
        return put_list(value, out, err);
    case JSON_OBJECT:
        return put_struct(value, out, err);
    default:
        buf_add_c(out, "NULL");
        return STATUS_OK;
    }
}

/* NULL where there is none. */
static const json *find_value(const json *params, str name)
{
    int64_t number;
    if (json_kind_of(params) == JSON_OBJECT) {
        return json_get_str(params, name);
    }
    if (str_to_int64(name, &number, NULL) != STATUS_OK || number < 1) {
        return NULL;
    }
    return json_at(params, (size_t)number - 1);
}

/* ---- all statements at once ---- */

typedef struct use {
    size_t marks;           /* "?" of the statement that is looked at */
    size_t numbered, named; /* "$1", "$name" of it */
    size_t most;            /* the highest position that any statement asks for */
} use;

static status check_mark(const token_list *list, size_t at, map *names, use *u, error *err)
{
    str text = token_text(list, at);
    str name = str_slice(text, 1, text.size);
    int64_t number;

    if (name.size == 0) {
        u->marks++;
        u->most = u->marks > u->most ? u->marks : u->most;
    } else {
        (void)map_set(names, name, (void *)1);
        bool is_number = str_to_int64(name, &number, NULL) == STATUS_OK;
        u->numbered += is_number ? 1 : 0;
        u->named += is_number ? 0 : 1;
        if (is_number && number > (int64_t)u->most) {
            u->most = (size_t)number;
        }
    }
    if (u->marks > 0 && u->numbered + u->named > 0) {
        error_set(err, STATUS_INVALID, "a statement mixes the parameters ? and %.*s",
                  STR_ARG(name.size > 0 ? text : STR("$1 or $name")));
        error_hint(err, "Write all of them as ?, or number all of them: $1, $2.");
        return run_at(STATUS_INVALID, list->items[at].from, err);
    }
    if (u->numbered > 0 && u->named > 0) {
        error_set(err, STATUS_INVALID, "a statement mixes parameters by number and by name: %.*s",
                  STR_ARG(text));
        error_hint(err, "Number all of them, $1, $2, or name all of them, $a, $b.");
        return run_at(STATUS_INVALID, list->items[at].from, err);
    }
    return STATUS_OK;
}

static status check_surplus(const json *params, map *names, const use *u, error *err)
{
    str key;
    const json *value;

    for (size_t at = 0; json_next_member(params, &at, &key, &value);) {
        if (map_get(names, key) == NULL) {
            return error_set(err, STATUS_INVALID, "no statement has a parameter \"%.*s\"",
                             STR_ARG(key));
        }
    }
    if (json_kind_of(params) == JSON_ARRAY && json_count(params) > u->most) {
        size_t given = json_count(params);

        return error_set(err, STATUS_INVALID, "%zu parameter%s given, but the statement has %zu",
                         given, given == 1 ? " was" : "s were", u->most);
    }
    return STATUS_OK;
}

status params_check(const token_list *list, const token_range *ranges, size_t count,
                    const json *params, arena *a, error *err)
{
    map *names = map_create(a);
    use u = {.most = 0};

    for (size_t i = 0; i < count; i++) {
        u.marks = u.named = 0;
        for (size_t k = ranges[i].from; k < ranges[i].to; k++) {
            if (list->items[k].kind == TOKEN_PARAMETER) {
                TRY(check_mark(list, k, names, &u, err));
            }
        }
    }
    return check_surplus(params, names, &u, err);
}

/* ---- one statement ---- */

/* "?" is the next number, in the order of the text. */
static str name_at(const token_list *list, size_t at, int64_t *counted, arena *a)
{
    str text = token_text(list, at), name = str_slice(text, 1, text.size);

    return name.size > 0 ? name : str_printf(a, "%lld", (long long)++*counted);
}

static status no_value(const token_list *list, size_t at, str name, const char *hint, error *err)
{
    error_set(err, STATUS_INVALID, "parameter \"%.*s\" has no value", STR_ARG(name));
    error_hint(err, "%s", hint);
    return run_at(STATUS_INVALID, list->items[at].from, err);
}

status params_literal(const json *params, str name, arena *a, str *ret_sql, error *err)
{
    const json *value = find_value(params, name);

    *ret_sql = STR_NULL;
    if (value != NULL) {
        buf *out = buf_in(a, LIMIT_SQL_TEXT);
        TRY(put_literal(value, out, err));
        TRY(buf_check(out, "a parameter", err));
        *ret_sql = buf_str(out);
    }
    return STATUS_OK;
}

status params_edit(const token_list *list, token_range range, const json *params, arena *a,
                   edit_list *edits, error *err)
{
    int64_t counted = 0;
    for (size_t i = range.from; i < range.to; i++) {
        if (list->items[i].kind != TOKEN_PARAMETER) {
            continue;
        }
        str name = name_at(list, i, &counted, a), sql;
        TRY(run_at(params_literal(params, name, a, &sql, err), list->items[i].from, err));
        if (str_is_null(sql)) {
            return no_value(list, i, name, "Give an array for ? and $1, an object for $name.", err);
        }
        vec_push(a, edits,
                 ((edit){.from = list->items[i].from, .to = list->items[i].to, .text = sql}));
    }
    return STATUS_OK;
}

/* "?.upper()" is a function of the value, which then needs brackets. */
static str bracketed(const token_list *list, token_range range, size_t at, str sql, arena *a)
{
    bool follows = at + 1 < range.to &&
                   (token_is_symbol(list, at + 1, '.') || token_is_symbol(list, at + 1, '['));
    return follows ? str_printf(a, "(%.*s)", STR_ARG(sql)) : sql;
}

status params_edit_values(const token_list *list, token_range range, const param_value *values,
                          size_t count, arena *a, edit_list *edits, error *err)
{
    int64_t counted = 0;
    for (size_t i = range.from; i < range.to; i++) {
        if (list->items[i].kind != TOKEN_PARAMETER) {
            continue;
        }
        str name = name_at(list, i, &counted, a);
        size_t at = 0;
        while (at < count && !str_equal_nocase(values[at].name, name)) {
            at++;
        }
        if (at == count) {
            return no_value(list, i, name, "Give it behind EXECUTE.", err);
        }
        vec_push(a, edits,
                 ((edit){.from = list->items[i].from,
                         .to = list->items[i].to,
                         .text = bracketed(list, range, i, values[at].sql, a)}));
    }
    return STATUS_OK;
}

void params_names(const token_list *list, token_range range, arena *a, str **ret_names,
                  size_t *ret_count)
{
    VEC(str) names = {0};
    int64_t counted = 0;
    for (size_t i = range.from; i < range.to; i++) {
        if (list->items[i].kind == TOKEN_PARAMETER) {
            str name = name_at(list, i, &counted, a);
            size_t at = 0;
            while (at < names.count && !str_equal_nocase(names.items[at], name)) {
                at++;
            }
            if (at == names.count) {
                vec_push(a, &names, name);
            }
        }
    }
    *ret_names = names.items;
    *ret_count = names.count;
}

/* Literals for values: the type is what JSON says, and DuckDB adapts numbers and texts to where
 * they stand. */
#include "run/params.h"

#include "tarn/base/buf.h"
#include "tarn/base/limits.h"
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

static status put_literal(const json *value, buf *out, error *err)
{
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

status params_edit(const token_list *list, token_range range, const json *params, arena *a,
                   edit_list *edits, error *err)
{
    int64_t counted = 0;
    for (size_t i = range.from; i < range.to; i++) {
        if (list->items[i].kind != TOKEN_PARAMETER) {
            continue;
        }
        str text = token_text(list, i), name = str_slice(text, 1, text.size);
        if (name.size == 0) {
            name = str_printf(a, "%lld", (long long)++counted);
        }
        const json *value = find_value(params, name);
        if (value == NULL) {
            error_set(err, STATUS_INVALID, "parameter \"%.*s\" has no value", STR_ARG(name));
            error_hint(err, "Give an array for ? and $1, an object for $name.");
            if (err != NULL) {
                err->position = (int)list->items[i].from;
            }
            return STATUS_INVALID;
        }
        buf *out = buf_in(a, LIMIT_SQL_TEXT);
        TRY(put_literal(value, out, err));
        TRY(buf_check(out, "a parameter", err));
        vec_push(
            a, edits,
            ((edit){.from = list->items[i].from, .to = list->items[i].to, .text = buf_str(out)}));
    }
    return STATUS_OK;
}

/* Parameters: JSON values become DuckDB values of the nearest type. */
#include "worker/cursor.h"

#include "tarn/base/limits.h"

static status make_value(const json *value, str name, duck_value **ret_value, error *err)
{
    switch ((int)json_kind_of(value)) {
    case JSON_NULL:
        *ret_value = duck.create_null_value();
        return STATUS_OK;
    case JSON_BOOL:
        *ret_value = duck.create_bool(json_bool_or(value, false));
        return STATUS_OK;
    case JSON_INT64: {
        int64_t number = json_int64_or(value, 0);

        /* INTEGER where it fits: it widens by itself, BIGINT does not narrow. */
        *ret_value = number >= INT32_MIN && number <= INT32_MAX ? duck.create_int32((int32_t)number)
                                                                : duck.create_int64(number);
        return STATUS_OK;
    }
    case JSON_DOUBLE:
        *ret_value = duck.create_double(json_double_or(value, 0));
        return STATUS_OK;
    case JSON_STR: {
        str text = json_str_or(value, STR(""));

        *ret_value = duck.create_varchar_length(text.data, text.size);
        return STATUS_OK;
    }
    default:
        return error_set(
            err, STATUS_INVALID,
            "parameter \"%.*s\" is an %s: only numbers, texts, booleans and null are taken",
            STR_ARG(name), json_kind_name(json_kind_of(value)));
    }
}

static status bind_one(duck_prepared *statement, duck_index index, const json *value, str name,
                       error *err)
{
    duck_value *bound;
    duck_state state;

    TRY(make_value(value, name, &bound, err));
    state = duck.bind_value(statement, index, bound);
    duck.destroy_value(&bound);
    return state == DUCK_SUCCESS ? STATUS_OK
                                 : error_set(err, STATUS_INVALID,
                                             "parameter \"%.*s\" cannot be bound", STR_ARG(name));
}

static status bind_array(duck_prepared *statement, const json *params, size_t count, error *err)
{
    if (json_count(params) != count) {
        return error_set(err, STATUS_INVALID, "the statement has %zu parameter%s, but %zu %s given",
                         count, count == 1 ? "" : "s", json_count(params),
                         json_count(params) == 1 ? "was" : "were");
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = duck.parameter_name(statement, i + 1);
        status result =
            bind_one(statement, i + 1, json_at(params, i), str_c(name != NULL ? name : "?"), err);

        duck.free((void *)(uintptr_t)name);
        TRY(result);
    }
    return STATUS_OK;
}

static status bind_object(duck_prepared *statement, const json *params, size_t count, error *err)
{
    const json *value;
    str key;

    for (size_t i = 1; i <= count; i++) {
        const char *name = duck.parameter_name(statement, i);
        const json *member = name != NULL ? json_get(params, name) : NULL;
        status result = member != NULL
                            ? bind_one(statement, i, member, str_c(name), err)
                            : error_set(err, STATUS_INVALID, "parameter \"%s\" was not given",
                                        name != NULL ? name : "?");

        duck.free((void *)(uintptr_t)name);
        TRY(result);
    }
    for (size_t at = 0; json_next_member(params, &at, &key, &value);) {
        arena *a = arena_create();
        duck_index index;
        bool is_known =
            duck.bind_parameter_index(statement, &index, str_to_c(a, key)) == DUCK_SUCCESS;

        arena_free(a);
        if (!is_known) {
            return error_set(err, STATUS_INVALID, "the statement has no parameter \"%.*s\"",
                             STR_ARG(key));
        }
    }
    return STATUS_OK;
}

status cursor_bind(duck_prepared *statement, const json *params, error *err)
{
    size_t count = duck.nparams(statement);

    if (json_kind_of(params) == JSON_OBJECT) {
        return bind_object(statement, params, count, err);
    }
    if (json_kind_of(params) == JSON_NULL && count > 0) {
        (void)error_set(err, STATUS_INVALID,
                        "the statement has %zu parameter%s, but none was given", count,
                        count == 1 ? "" : "s");
        error_hint(err, "Give \"params\" as an array, or as an object for named ones.");
        return STATUS_INVALID;
    }
    return bind_array(statement, params, count, err);
}

/* Looking into JSON trees, and filling structs from them by field tables. */
#include "json_tree.h"

/* --- access --- */

json_kind json_kind_of(const json *value)
{
    return value != NULL ? value->kind : JSON_NULL;
}

const char *json_kind_name(json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",        [JSON_BOOL] = "a boolean",   [JSON_INT64] = "an integer",
        [JSON_DOUBLE] = "a number",  [JSON_STR] = "a string",     [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object", [JSON_INT32] = "an integer", [JSON_VALUE] = "a value",
    };

    return names[kind];
}

const json *json_get_str(const json *value, str key)
{
    if (json_kind_of(value) != JSON_OBJECT) {
        return NULL;
    }
    for (size_t i = 0; i < value->u.object.count; i++) {
        if (str_equal(value->u.object.members[i].key, key)) {
            return &value->u.object.members[i].value;
        }
    }
    return NULL;
}

const json *json_get(const json *value, const char *key)
{
    return json_get_str(value, str_c(key));
}

size_t json_count(const json *value)
{
    switch (json_kind_of(value)) {
    case JSON_ARRAY:
        return value->u.array.count;
    case JSON_OBJECT:
        return value->u.object.count;
    default:
        return 0;
    }
}

const json *json_at(const json *value, size_t index)
{
    if (json_kind_of(value) != JSON_ARRAY || index >= value->u.array.count) {
        return NULL;
    }
    return &value->u.array.items[index];
}

bool json_next_member(const json *object, size_t *at, str *ret_key, const json **ret_member)
{
    if (json_kind_of(object) != JSON_OBJECT || *at >= object->u.object.count) {
        return false;
    }
    *ret_key = object->u.object.members[*at].key;
    *ret_member = &object->u.object.members[*at].value;
    (*at)++;
    return true;
}

str json_str_or(const json *value, str fallback)
{
    return json_kind_of(value) == JSON_STR ? value->u.text : fallback;
}

int64_t json_int64_or(const json *value, int64_t fallback)
{
    return json_kind_of(value) == JSON_INT64 ? value->u.integer : fallback;
}

double json_double_or(const json *value, double fallback)
{
    switch (json_kind_of(value)) {
    case JSON_INT64:
        return (double)value->u.integer;
    case JSON_DOUBLE:
        return value->u.number.value;
    default:
        return fallback;
    }
}

str json_wide_integer(const json *value)
{
    return json_kind_of(value) == JSON_DOUBLE && value->u.number.digits != NULL
               ? str_c(value->u.number.digits)
               : STR_NULL;
}

bool json_bool_or(const json *value, bool fallback)
{
    return json_kind_of(value) == JSON_BOOL ? value->u.boolean : fallback;
}

/* --- field tables --- */

static status wrong_kind(const json_field *field, const json *value, error *err)
{
    return error_set(err, STATUS_INVALID, "\"%s\" must be %s, not %s", field->key,
                     json_kind_name(field->kind), json_kind_name(value->kind));
}

static bool kind_fits(json_kind wanted, json_kind found)
{
    switch (wanted) {
    case JSON_VALUE:
        return true;
    case JSON_INT32:
        return found == JSON_INT64;
    case JSON_DOUBLE:
        return found == JSON_DOUBLE || found == JSON_INT64;
    default:
        return wanted == found;
    }
}

static bool is_unsigned(const json_field *field, const json *value)
{
    return (field->flags & JSON_UNSIGNED_TOO) != 0 && value->kind == JSON_DOUBLE &&
           value->u.number.value >= 0x1p63 && value->u.number.value < 0x1p64;
}

/* The member is not null and of a kind that fits. */
static status read_field(const json_field *field, const json *value, void *at, error *err)
{
    switch (field->kind) {
    case JSON_BOOL:
        *(bool *)at = value->u.boolean;
        break;
    case JSON_INT64:
        *(int64_t *)at = value->kind == JSON_DOUBLE ? (int64_t)(uint64_t)value->u.number.value
                                                    : value->u.integer;
        break;
    case JSON_INT32:
        if (value->u.integer < INT32_MIN || value->u.integer > INT32_MAX) {
            return error_set(err, STATUS_INVALID, "\"%s\" is out of range: %lld", field->key,
                             (long long)value->u.integer);
        }
        *(int32_t *)at = (int32_t)value->u.integer;
        break;
    case JSON_DOUBLE:
        *(double *)at = json_double_or(value, 0);
        break;
    case JSON_STR:
        *(str *)at = value->u.text;
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
    case JSON_VALUE:
        *(const json **)at = value;
        break;
    case JSON_NULL: /* no field has it */
        break;
    }
    return STATUS_OK;
}

status json_read(const json *object, const json_field *fields, size_t count, void *target,
                 error *err)
{
    if (json_kind_of(object) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "an object is needed, not %s",
                         json_kind_name(json_kind_of(object)));
    }
    for (size_t i = 0; i < count; i++) {
        const json_field *field = &fields[i];
        const json *value = json_get(object, field->key);

        if (json_kind_of(value) == JSON_NULL) {
            if ((field->flags & JSON_REQUIRED) != 0) {
                return error_set(err, STATUS_INVALID, "\"%s\" is missing", field->key);
            }
            continue;
        }
        if (!kind_fits(field->kind, value->kind) && !is_unsigned(field, value)) {
            return wrong_kind(field, value, err);
        }
        TRY(read_field(field, value, (char *)target + field->offset, err));
    }
    return STATUS_OK;
}

status json_reject_unknown(const json *object, const json_field *fields, size_t count, error *err)
{
    str key;
    const json *member;

    for (size_t at = 0; json_next_member(object, &at, &key, &member);) {
        bool known = false;

        for (size_t i = 0; i < count && !known; i++) {
            known = str_equal(key, str_c(fields[i].key));
        }
        if (!known) {
            arena *a = arena_create();
            str *names = ARENA_ARRAY(a, str, count);
            status kind =
                error_set(err, STATUS_INVALID, "\"%.*s\" is not a known member", STR_ARG(key));
            str nearest;

            for (size_t i = 0; i < count; i++) {
                names[i] = str_c(fields[i].key);
            }
            nearest = str_nearest(key, names, count);
            if (!str_is_null(nearest)) {
                error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
            }
            arena_free(a);
            return kind;
        }
    }
    return STATUS_OK;
}

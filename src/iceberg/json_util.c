/* json_util.c: what tables of fields do not cover: copies, unknown members, lists of ids. */
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

#include "internal.h"

static str text_of(const json *value, arena *a)
{
    buf *text = buf_in(a, LIMIT_METADATA_FILE);

    json_format(value, text);
    return buf_str(text);
}

const json *ice__json_copy(const json *value, arena *a)
{
    const json *copy = NULL;

    if (value == NULL) {
        return NULL;
    }
    return json_parse(text_of(value, a), a, &copy, NULL) == STATUS_OK ? copy : NULL;
}

static bool is_known(str key, const json_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(key, str_c(fields[i].key))) {
            return true;
        }
    }
    return false;
}

void ice__json_unknown(const json *object, const json_field *fields, size_t count, arena *a,
                       const ice_property **ret_members, size_t *ret_count)
{
    VEC(ice_property) members = {0};
    str key;
    const json *value;

    for (size_t at = 0; json_next_member(object, &at, &key, &value);) {
        if (!is_known(key, fields, count)) {
            ice_property member = {.key = str_copy(a, key), .value = text_of(value, a)};

            vec_push(a, &members, member);
        }
    }
    *ret_members = members.items;
    *ret_count = members.count;
}

void ice__json_put_unknown(json_writer *w, const ice_property *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_key_str(w, members[i].key);
        json_put_raw(w, members[i].value);
    }
}

status ice__json_int32s(const json *array, const char *key, arena *a, const int32_t **ret_items,
                        size_t *ret_count, error *err)
{
    size_t count = json_count(array);
    int32_t *items;

    if (json_kind_of(array) == JSON_NULL) {
        *ret_items = NULL;
        *ret_count = 0;
        return STATUS_OK;
    }
    if (json_kind_of(array) != JSON_ARRAY) {
        return error_set(err, STATUS_INVALID, "\"%s\" is not a list", key);
    }
    items = ARENA_ARRAY(a, int32_t, count);
    for (size_t i = 0; i < count; i++) {
        const json *item = json_at(array, i);
        int64_t value = json_int64_or(item, -1);

        if (json_kind_of(item) != JSON_INT64 || value < 0 || value > INT32_MAX) {
            return error_set(err, STATUS_INVALID, "\"%s\" holds something that is no id", key);
        }
        items[i] = (int32_t)value;
    }
    *ret_items = items;
    *ret_count = count;
    return STATUS_OK;
}

/* Values of settings: text to numbers, and what is wrong with them. */
#include "internal.h"

#include "tarn/base/vec.h"

typedef struct unit {
    str name;
    int64_t factor;
} unit;

static const unit size_units[] = {
    {STR_INIT(""), 1},
    {STR_INIT("B"), 1},
    {STR_INIT("KB"), 1000},
    {STR_INIT("MB"), 1000 * 1000},
    {STR_INIT("GB"), 1000 * 1000 * 1000},
    {STR_INIT("TB"), INT64_C(1000) * 1000 * 1000 * 1000},
    {STR_INIT("KiB"), INT64_C(1) << 10},
    {STR_INIT("MiB"), INT64_C(1) << 20},
    {STR_INIT("GiB"), INT64_C(1) << 30},
    {STR_INIT("TiB"), INT64_C(1) << 40},
};

/* In milliseconds. */
static const unit duration_units[] = {
    {STR_INIT("ms"), 1},
    {STR_INIT("s"), 1000},
    {STR_INIT("m"), 60 * 1000},
    {STR_INIT("h"), 60 * 60 * 1000},
    {STR_INIT("d"), 24 * 60 * 60 * 1000},
};

static status parse_with_unit(str text, const unit *units, size_t count, int64_t *ret_number)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    int64_t number = 0;
    TRY(str_to_int64(str_slice(text, 0, digits), &number, NULL));
    str name = str_trim(str_slice(text, digits, text.size));
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(name, units[i].name)) {
            if (number > INT64_MAX / units[i].factor) {
                return STATUS_INVALID;
            }
            *ret_number = number * units[i].factor;
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

static status parse_bool(str text, int64_t *ret_number)
{
    if (str_equal_nocase(text, STR("true")) || str_equal(text, STR("1"))) {
        *ret_number = 1;
        return STATUS_OK;
    }
    if (str_equal_nocase(text, STR("false")) || str_equal(text, STR("0"))) {
        *ret_number = 0;
        return STATUS_OK;
    }
    return STATUS_INVALID;
}

static status parse_choice(str text, const char *choices)
{
    for (str rest = str_c(choices); !str_is_null(rest);) {
        if (str_equal(str_cut(rest, '|', &rest), text)) {
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

/* host:port, [v6]:port, none */
static status parse_address(str text)
{
    if (str_equal(text, STR("none"))) {
        return STATUS_OK;
    }
    size_t colon = str_find_last_char(text, ':');
    if (colon == STR_NPOS || colon == 0) {
        return STATUS_INVALID;
    }
    int64_t port = 0;
    TRY(str_to_int64(str_slice(text, colon + 1, text.size), &port, NULL));
    return port >= 0 && port <= 65535 ? STATUS_OK : STATUS_INVALID;
}

static void parse_list(str text, arena *a, setting_value *value)
{
    VEC(str) items = {0};

    for (str rest = text; !str_is_null(rest);) {
        str item = str_trim(str_cut(rest, ':', &rest));
        if (item.size > 0) {
            vec_push(a, &items, str_copy(a, item));
        }
    }
    value->list = items.items;
    value->list_count = items.count;
}

static const char *const expectations[] = {
    [SETTING_TEXT] = "any text",
    [SETTING_ADDRESS] = "host:port, or none",
    [SETTING_LIST] = "items separated by \":\"",
    [SETTING_INT] = "a whole number",
    [SETTING_SIZE] = "a size such as 512, 64KiB or 2GB",
    [SETTING_DURATION] = "a duration such as 500ms, 10s, 5m, 1h or 2d",
    [SETTING_BOOL] = "true or false",
    [SETTING_CHOICE] = NULL, /* its own choices */
};

status settings__parse_value(setting id, arena *a, setting_value *value, error *err)
{
    const setting_info *info = setting_describe(id);
    status result = STATUS_OK;

    switch (info->kind) {
    case SETTING_TEXT:
        break;
    case SETTING_ADDRESS:
        result = parse_address(value->text);
        break;
    case SETTING_LIST:
        parse_list(value->text, a, value);
        break;
    case SETTING_INT:
        result = str_to_int64(value->text, &value->number, NULL);
        result = result == STATUS_OK && value->number < 0 ? STATUS_INVALID : result;
        break;
    case SETTING_SIZE:
        result = parse_with_unit(value->text, size_units, COUNT_OF(size_units), &value->number);
        break;
    case SETTING_DURATION:
        result =
            parse_with_unit(value->text, duration_units, COUNT_OF(duration_units), &value->number);
        break;
    case SETTING_BOOL:
        result = parse_bool(value->text, &value->number);
        break;
    case SETTING_CHOICE:
        result = parse_choice(value->text, info->choices);
        break;
    }
    if (result != STATUS_OK) {
        char origin[256];
        setting_origin_format(value, origin);
        error_set(err, STATUS_USAGE, "setting \"%s\" (%s) cannot be \"%.*s\"", info->name, origin,
                  STR_ARG(value->text));
        error_hint(err, "It takes %s.",
                   info->kind == SETTING_CHOICE ? info->choices : expectations[info->kind]);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

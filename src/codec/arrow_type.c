/* The table of Arrow types. Source: "The Arrow C data interface", format strings; Schema.fbs. */
#include "arrow_type.h"

typedef struct format_row {
    const char *format;
    bool takes_text; /* more follows: parameters or a time zone */
    arrow_type type;
} format_row;

#define NUMBER(bits, is_signed)                                       \
    {                                                                 \
        LAYOUT_FIXED, 2, (bits) / 8, {{4, (bits)}, {1, (is_signed)}}, \
        {                                                             \
            NULL, 0                                                   \
        }                                                             \
    }
#define FLOATING(bytes, precision)                    \
    {                                                 \
        LAYOUT_FIXED, 3, (bytes), {{2, (precision)}}, \
        {                                             \
            NULL, 0                                   \
        }                                             \
    }
#define WITH_UNIT(type_id, bytes, unit)                  \
    {                                                    \
        LAYOUT_FIXED, (type_id), (bytes), {{2, (unit)}}, \
        {                                                \
            NULL, 0                                      \
        }                                                \
    }
#define TIME(bytes, unit)                                          \
    {                                                              \
        LAYOUT_FIXED, 9, (bytes), {{2, (unit)}, {4, 8 * (bytes)}}, \
        {                                                          \
            NULL, 0                                                \
        }                                                          \
    }
#define PLAIN(layout, type_id)            \
    {                                     \
        (layout), (type_id), 0, {{0, 0}}, \
        {                                 \
            NULL, 0                       \
        }                                 \
    }
enum { SECONDS, MILLIS, MICROS, NANOS };

static const format_row rows[] = {
    {"n", false, PLAIN(LAYOUT_NULL, 1)},
    {"b", false, PLAIN(LAYOUT_BITS, 6)},
    {"c", false, NUMBER(8, true)},
    {"C", false, NUMBER(8, false)},
    {"s", false, NUMBER(16, true)},
    {"S", false, NUMBER(16, false)},
    {"i", false, NUMBER(32, true)},
    {"I", false, NUMBER(32, false)},
    {"l", false, NUMBER(64, true)},
    {"L", false, NUMBER(64, false)},
    {"e", false, FLOATING(2, 0)},
    {"f", false, FLOATING(4, 1)},
    {"g", false, FLOATING(8, 2)},
    {"z", false, PLAIN(LAYOUT_VAR32, 4)},
    {"Z", false, PLAIN(LAYOUT_VAR64, 19)},
    {"vz", false, PLAIN(LAYOUT_VIEW, 23)},
    {"u", false, PLAIN(LAYOUT_VAR32, 5)},
    {"U", false, PLAIN(LAYOUT_VAR64, 20)},
    {"vu", false, PLAIN(LAYOUT_VIEW, 24)},
    {"d:", true, PLAIN(LAYOUT_FIXED, 7)},
    {"w:", true, PLAIN(LAYOUT_FIXED, 15)},
    {"tdD", false, WITH_UNIT(8, 4, 0)},
    {"tdm", false, WITH_UNIT(8, 8, 1)},
    {"tts", false, TIME(4, SECONDS)},
    {"ttm", false, TIME(4, MILLIS)},
    {"ttu", false, TIME(8, MICROS)},
    {"ttn", false, TIME(8, NANOS)},
    {"tss:", true, WITH_UNIT(ARROW_TYPE_TIMESTAMP, 8, SECONDS)},
    {"tsm:", true, WITH_UNIT(ARROW_TYPE_TIMESTAMP, 8, MILLIS)},
    {"tsu:", true, WITH_UNIT(ARROW_TYPE_TIMESTAMP, 8, MICROS)},
    {"tsn:", true, WITH_UNIT(ARROW_TYPE_TIMESTAMP, 8, NANOS)},
    {"tDs", false, WITH_UNIT(18, 8, SECONDS)},
    {"tDm", false, WITH_UNIT(18, 8, MILLIS)},
    {"tDu", false, WITH_UNIT(18, 8, MICROS)},
    {"tDn", false, WITH_UNIT(18, 8, NANOS)},
    {"tiM", false, WITH_UNIT(11, 4, 0)},
    {"tiD", false, WITH_UNIT(11, 8, 1)},
    {"tin", false, WITH_UNIT(11, 16, 2)},
    {"+l", false, PLAIN(LAYOUT_LIST32, 12)},
    {"+L", false, PLAIN(LAYOUT_LIST64, 21)},
    {"+w:", true, PLAIN(LAYOUT_FIXED_LIST, 16)},
    {"+s", false, PLAIN(LAYOUT_STRUCT, 13)},
    {"+m", false, {LAYOUT_LIST32, 17, 0, {{1, 0}}, {NULL, 0}}},
    {"+us:", true, {LAYOUT_SPARSE, ARROW_TYPE_UNION, 0, {{2, 0}}, {NULL, 0}}},
    {"+ud:", true, {LAYOUT_DENSE, ARROW_TYPE_UNION, 0, {{2, 1}}, {NULL, 0}}},
};

static status refuse(const struct ArrowSchema *schema, const char *what, error *err)
{
    return error_set(err, STATUS_UNSUPPORTED, "column \"%s\": %s \"%s\" cannot be written as Arrow",
                     schema->name != NULL ? schema->name : "", what, schema->format);
}

/* "20,3" or "20,3,256": precision, scale, bits. */
static bool parse_decimal(str text, arrow_type *t)
{
    static const size_t slots = 3;
    int64_t values[] = {0, 0, 128};
    size_t count = 0;

    for (str rest = text; !str_is_null(rest); count++) {
        str part = str_cut(rest, ',', &rest);

        if (count == slots || str_to_int64(part, &values[count], NULL) != STATUS_OK) {
            return false;
        }
    }
    if (count < 2 || values[2] <= 0 || values[2] > 256 || values[2] % 8 != 0) {
        return false;
    }
    for (size_t i = 0; i < slots; i++) {
        t->parameters[i] = (arrow_parameter){.size_bytes = 4, .value = values[i]};
    }
    t->width_bytes = (size_t)values[2] / 8;
    return true;
}

static bool parse_width(str text, arrow_type *t)
{
    int64_t width;

    if (str_to_int64(text, &width, NULL) != STATUS_OK || width < 0 || width > INT32_MAX) {
        return false;
    }
    t->parameters[0] = (arrow_parameter){.size_bytes = 4, .value = width};
    t->width_bytes = (size_t)width;
    return true;
}

static bool parse_text(const format_row *row, str text, arrow_type *t)
{
    switch (row->format[0]) {
    case 'd':
        return parse_decimal(text, t);
    case 'w':
        return parse_width(text, t);
    default:
        if (t->layout == LAYOUT_FIXED_LIST) {
            return parse_width(text, t);
        }
        t->text = text;
        return true;
    }
}

static const format_row *find_row(str format)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        str known = str_c(rows[i].format);

        if (rows[i].takes_text ? str_starts_with(format, known) : str_equal(format, known)) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool parse_format(const char *text, arrow_type *ret_type)
{
    str format = str_c(text);
    const format_row *row = find_row(format);
    arrow_type t;

    if (row == NULL) {
        return false;
    }
    t = row->type;
    if (row->takes_text &&
        !parse_text(row, str_slice(format, strlen(row->format), format.size), &t)) {
        return false;
    }
    *ret_type = t;
    return true;
}

status arrow__type_of(const struct ArrowSchema *schema, arrow_type *ret_type, error *err)
{
    arrow_type t;

    if (schema->dictionary != NULL) {
        if (!parse_format(schema->dictionary->format, &t) ||
            (t.layout != LAYOUT_VAR32 && t.layout != LAYOUT_VAR64)) {
            return refuse(schema, "a dictionary of type", err);
        }
    } else if (!parse_format(schema->format, &t)) {
        return refuse(schema, "type", err);
    }
    if (t.type_id == 17 && (schema->flags & 4) != 0) { /* ARROW_FLAG_MAP_KEYS_SORTED */
        t.parameters[0].value = 1;
    }
    *ret_type = t;
    return STATUS_OK;
}

status arrow__index_of(const struct ArrowSchema *schema, size_t *ret_width_bytes, bool *ret_signed,
                       error *err)
{
    arrow_type t;

    if (!parse_format(schema->format, &t) || t.type_id != 2) {
        return refuse(schema, "a dictionary with an index of type", err);
    }
    *ret_width_bytes = t.width_bytes;
    *ret_signed = t.parameters[1].value != 0;
    return STATUS_OK;
}

status arrow__check_depth(const struct ArrowSchema *schema, int depth, error *err)
{
    if (depth > ARROW_DEPTH_MAX) {
        return error_set(err, STATUS_TOO_LARGE, "column \"%s\" is nested deeper than %d levels",
                         schema->name != NULL ? schema->name : "", ARROW_DEPTH_MAX);
    }
    return STATUS_OK;
}

/* Writing values. One row of TYPE_TABLE is all there is to a type: how its plain text is made, and how JSON holds
 * that text. */
#include "worker/cell.h"

#include <string.h>

#include "tarn/base/mem.h"
#include "worker/text.h"

/* Beyond it a double no longer tells neighbouring integers apart, and JSON readers hold numbers as doubles. */
#define JSON_INTEGER_MAX ((INT64_C(1) << 53) - 1)

/* --- JSON text --- */

/* 0: as it is; 'u': \u00XX; else the letter behind the backslash. */
static const char escapes[256] = {
    [0] = 'u',  [1] = 'u',  [2] = 'u',  [3] = 'u',  [4] = 'u',   [5] = 'u',     [6] = 'u',
    [7] = 'u',  [8] = 'b',  [9] = 't',  [10] = 'n', [11] = 'u',  [12] = 'f',    [13] = 'r',
    [14] = 'u', [15] = 'u', [16] = 'u', [17] = 'u', [18] = 'u',  [19] = 'u',    [20] = 'u',
    [21] = 'u', [22] = 'u', [23] = 'u', [24] = 'u', [25] = 'u',  [26] = 'u',    [27] = 'u',
    [28] = 'u', [29] = 'u', [30] = 'u', [31] = 'u', ['"'] = '"', ['\\'] = '\\', [127] = 'u',
};

void cell_put_json_text(buf *out, const char *text, size_t size)
{
    char *at = buf_reserve(out, size + 2);
    size_t done = 0;

    if (at == NULL) {
        return;
    }
    *at++ = '"';
    while (done < size && escapes[(unsigned char)text[done]] == 0) {
        *at++ = text[done++];
    }
    if (done == size) {
        *at++ = '"';
        buf_commit(out, size + 2);
        return;
    }
    buf_commit(out, done + 1);
    while (done < size) {
        size_t plain = done;
        char escape = 0;

        while (plain < size && (escape = escapes[(unsigned char)text[plain]]) == 0) {
            plain++;
        }
        buf_add(out, text + done, plain - done);
        if (plain < size) {
            if (escape == 'u') {
                buf_printf(out, "\\u%04x", (unsigned)(unsigned char)text[plain]);
            } else {
                buf_add_char(out, '\\');
                buf_add_char(out, escape);
            }
            plain++;
        }
        done = plain;
    }
    buf_add_char(out, '"');
}

/* --- plain text, one function per type --- */

#define ITEM(v, T, row) (((const T *)(v)->data)[row])

/* A value whose text fits TEXT_MAX; `statement` moves `at`. */
#define DEFINE_PUT(name, statement)                                      \
    static void put_##name(const cell_vector *v, uint64_t row, buf *out) \
    {                                                                    \
        char *start = buf_reserve(out, TEXT_MAX);                        \
        char *at = start;                                                \
                                                                         \
        if (start != NULL) {                                             \
            statement;                                                   \
            buf_commit(out, (size_t)(at - start));                       \
        }                                                                \
    }

DEFINE_PUT(tinyint, at = text_put_int(at, ITEM(v, int8_t, row)))
DEFINE_PUT(smallint, at = text_put_int(at, ITEM(v, int16_t, row)))
DEFINE_PUT(integer, at = text_put_int(at, ITEM(v, int32_t, row)))
DEFINE_PUT(bigint, at = text_put_int(at, ITEM(v, int64_t, row)))
DEFINE_PUT(utinyint, at = text_put_uint(at, ITEM(v, uint8_t, row)))
DEFINE_PUT(usmallint, at = text_put_uint(at, ITEM(v, uint16_t, row)))
DEFINE_PUT(uinteger, at = text_put_uint(at, ITEM(v, uint32_t, row)))
DEFINE_PUT(ubigint, at = text_put_uint(at, ITEM(v, uint64_t, row)))
DEFINE_PUT(hugeint, at = text_put_hugeint(at, ITEM(v, duck_hugeint, row).lower,
                                          ITEM(v, duck_hugeint, row).upper))
DEFINE_PUT(uhugeint, at = text_put_uhugeint(at, ITEM(v, duck_hugeint, row).lower,
                                            (uint64_t)ITEM(v, duck_hugeint, row).upper))
DEFINE_PUT(float, at = text_put_float(at, ITEM(v, float, row)))
DEFINE_PUT(double, at = text_put_double(at, ITEM(v, double, row)))
DEFINE_PUT(date, at = text_put_date(at, ITEM(v, int32_t, row)))
DEFINE_PUT(time, at = text_put_time(at, ITEM(v, int64_t, row), 1000000))
DEFINE_PUT(time_ns, at = text_put_time(at, ITEM(v, int64_t, row), 1000000000))
DEFINE_PUT(time_tz, at = text_put_time_tz(at, ITEM(v, uint64_t, row)))
DEFINE_PUT(timestamp, at = text_put_timestamp(at, ITEM(v, int64_t, row), 1000000))
DEFINE_PUT(timestamp_s, at = text_put_timestamp(at, ITEM(v, int64_t, row), 1))
DEFINE_PUT(timestamp_ms, at = text_put_timestamp(at, ITEM(v, int64_t, row), 1000))
DEFINE_PUT(timestamp_ns, at = text_put_timestamp(at, ITEM(v, int64_t, row), 1000000000))
DEFINE_PUT(timestamp_tz, {
    at = text_put_timestamp(at, ITEM(v, int64_t, row), 1000000);
    if (at[-1] != 'y') { /* "infinity" has no zone */
        *at++ = 'Z';
    }
})
DEFINE_PUT(interval, at = text_put_interval(at, &ITEM(v, duck_interval, row)))
DEFINE_PUT(uuid, at = text_put_uuid(at, ITEM(v, duck_hugeint, row).lower,
                                    ITEM(v, duck_hugeint, row).upper))

static void put_boolean(const cell_vector *v, uint64_t row, buf *out)
{
    buf_add_str(out, ITEM(v, uint8_t, row) != 0 ? STR("true") : STR("false"));
}

static int64_t signed_item(const cell_vector *v, uint64_t row)
{
    switch ((int)v->type->physical) {
    case DUCK_SMALLINT:
        return ITEM(v, int16_t, row);
    case DUCK_INTEGER:
        return ITEM(v, int32_t, row);
    default:
        return ITEM(v, int64_t, row);
    }
}

static void put_decimal(const cell_vector *v, uint64_t row, buf *out)
{
    char *start = buf_reserve(out, TEXT_MAX);
    char *end;

    if (start == NULL) {
        return;
    }
    if (v->type->physical == DUCK_HUGEINT) {
        const duck_hugeint *value = &ITEM(v, duck_hugeint, row);
        end = text_put_decimal(start, value->lower, value->upper, v->type->scale);
    } else {
        int64_t value = signed_item(v, row);
        end = text_put_decimal(start, (uint64_t)value, value < 0 ? -1 : 0, v->type->scale);
    }
    buf_commit(out, (size_t)(end - start));
}

static void put_varchar(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_string *value = &ITEM(v, duck_string, row);

    buf_add(out, duck_string_data(value), duck_string_size(value));
}

static void put_blob(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_string *value = &ITEM(v, duck_string, row);
    size_t size = ((size_t)duck_string_size(value) + 2) / 3 * 4;
    char *at = buf_reserve(out, size);

    if (at != NULL) {
        (void)text_put_base64(at, duck_string_data(value), duck_string_size(value));
        buf_commit(out, size);
    }
}

/* The first byte tells how many bits in front of the second one do not count. */
static void put_bit(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_string *value = &ITEM(v, duck_string, row);
    const unsigned char *bytes = (const unsigned char *)duck_string_data(value);
    size_t bits = ((size_t)duck_string_size(value) - 1) * 8;
    char *at = duck_string_size(value) > 0 ? buf_reserve(out, bits) : NULL;
    size_t count = 0;

    if (at == NULL) {
        return;
    }
    for (size_t i = bytes[0]; i < bits; i++) {
        at[count++] = (bytes[1 + i / 8] >> (7 - i % 8) & 1) != 0 ? '1' : '0';
    }
    buf_commit(out, count);
}

static str enum_label(const cell_vector *v, uint64_t row)
{
    switch ((int)v->type->physical) {
    case DUCK_UTINYINT:
        return v->type->labels[ITEM(v, uint8_t, row)];
    case DUCK_USMALLINT:
        return v->type->labels[ITEM(v, uint16_t, row)];
    default:
        return v->type->labels[ITEM(v, uint32_t, row)];
    }
}

static void put_enum(const cell_vector *v, uint64_t row, buf *out)
{
    buf_add_str(out, enum_label(v, row));
}

/* --- JSON --- */

static void json_quoted(const cell_vector *v, uint64_t row, buf *out)
{
    buf_add_char(out, '"');
    v->type->put(v, row, out);
    buf_add_char(out, '"');
}

static void json_unless(bool is_number, const cell_vector *v, uint64_t row, buf *out)
{
    if (is_number) {
        v->type->put(v, row, out);
    } else {
        json_quoted(v, row, out);
    }
}

static void json_bigint(const cell_vector *v, uint64_t row, buf *out)
{
    int64_t value = ITEM(v, int64_t, row);

    json_unless(value >= -JSON_INTEGER_MAX && value <= JSON_INTEGER_MAX, v, row, out);
}

static void json_ubigint(const cell_vector *v, uint64_t row, buf *out)
{
    json_unless(ITEM(v, uint64_t, row) <= (uint64_t)JSON_INTEGER_MAX, v, row, out);
}

static void json_hugeint(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_hugeint *value = &ITEM(v, duck_hugeint, row);
    bool small = (value->upper == 0 && value->lower <= (uint64_t)JSON_INTEGER_MAX) ||
                 (value->upper == -1 && value->lower >= 0 - (uint64_t)JSON_INTEGER_MAX);

    json_unless(small, v, row, out);
}

static void json_uhugeint(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_hugeint *value = &ITEM(v, duck_hugeint, row);

    json_unless(value->upper == 0 && value->lower <= (uint64_t)JSON_INTEGER_MAX, v, row, out);
}

/* "NaN" and the infinities begin with a letter behind the sign. */
static void json_real(const cell_vector *v, uint64_t row, buf *out)
{
    char text[TEXT_MAX];
    char *end = v->type->id == DUCK_FLOAT ? text_put_float(text, ITEM(v, float, row))
                                          : text_put_double(text, ITEM(v, double, row));
    bool is_number = text[text[0] == '-'] <= '9';

    if (!is_number) {
        buf_add_char(out, '"');
    }
    buf_add(out, text, (size_t)(end - text));
    if (!is_number) {
        buf_add_char(out, '"');
    }
}

static void json_varchar(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_string *value = &ITEM(v, duck_string, row);

    cell_put_json_text(out, duck_string_data(value), duck_string_size(value));
}

static void json_enum(const cell_vector *v, uint64_t row, buf *out)
{
    str label = enum_label(v, row);

    cell_put_json_text(out, label.data, label.size);
}

static void json_elements(const cell_vector *elements, uint64_t from, uint64_t count, buf *out)
{
    buf_add_char(out, '[');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        cell_put_json(elements, from + i, out);
    }
    buf_add_char(out, ']');
}

static void json_list(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_list_entry *entry = &ITEM(v, duck_list_entry, row);

    json_elements(&v->children[0], entry->offset, entry->length, out);
}

static void json_array(const cell_vector *v, uint64_t row, buf *out)
{
    json_elements(&v->children[0], row * v->type->length, v->type->length, out);
}

static void json_struct(const cell_vector *v, uint64_t row, buf *out)
{
    bool unnamed = v->type->unnamed;

    buf_add_char(out, unnamed ? '[' : '{');
    for (size_t i = 0; i < v->type->child_count; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        if (!unnamed) {
            buf_add_str(out, v->type->children[i].name);
        }
        cell_put_json(&v->children[i], row, out);
    }
    buf_add_char(out, unnamed ? ']' : '}');
}

static void json_map(const cell_vector *v, uint64_t row, buf *out)
{
    const duck_list_entry *entry = &ITEM(v, duck_list_entry, row);

    buf_add_char(out, '[');
    for (uint64_t i = entry->offset; i < entry->offset + entry->length; i++) {
        buf_add_str(out, i > entry->offset ? STR(",{\"key\":") : STR("{\"key\":"));
        cell_put_json(&v->children[0], i, out);
        buf_add_str(out, STR(",\"value\":"));
        cell_put_json(&v->children[1], i, out);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* The member that the value is of; the first child holds which one. */
static void json_union(const cell_vector *v, uint64_t row, buf *out)
{
    size_t member = (size_t)ITEM(&v->children[0], uint8_t, row) + 1;

    if (member < v->type->child_count) {
        cell_put_json(&v->children[member], row, out);
    } else {
        buf_add_str(out, STR("null"));
    }
}

static void put_nothing(const cell_vector *v, uint64_t row, buf *out)
{
    (void)v;
    (void)row;
    (void)out;
}

void cell_put_json(const cell_vector *v, uint64_t row, buf *out)
{
    if (cell_is_null(v, row)) {
        buf_add_str(out, STR("null"));
    } else {
        v->type->put_json(v, row, out);
    }
}

/* --- compiling --- */

typedef struct type_row {
    duck_type id;
    cell_put put;
    cell_put put_json;
    bool needs_quoting;
} type_row;

/* clang-format off */
/* type               plain             JSON           plain may need quotes */
static const type_row type_rows[] = {
    {DUCK_BOOLEAN,      put_boolean,      put_boolean,   false},
    {DUCK_TINYINT,      put_tinyint,      put_tinyint,   false},
    {DUCK_SMALLINT,     put_smallint,     put_smallint,  false},
    {DUCK_INTEGER,      put_integer,      put_integer,   false},
    {DUCK_BIGINT,       put_bigint,       json_bigint,   false},
    {DUCK_UTINYINT,     put_utinyint,     put_utinyint,  false},
    {DUCK_USMALLINT,    put_usmallint,    put_usmallint, false},
    {DUCK_UINTEGER,     put_uinteger,     put_uinteger,  false},
    {DUCK_UBIGINT,      put_ubigint,      json_ubigint,  false},
    {DUCK_HUGEINT,      put_hugeint,      json_hugeint,  false},
    {DUCK_UHUGEINT,     put_uhugeint,     json_uhugeint, false},
    {DUCK_FLOAT,        put_float,        json_real,     false},
    {DUCK_DOUBLE,       put_double,       json_real,     false},
    {DUCK_DECIMAL,      put_decimal,      json_quoted,   false},
    {DUCK_DATE,         put_date,         json_quoted,   false},
    {DUCK_TIME,         put_time,         json_quoted,   false},
    {DUCK_TIME_NS,      put_time_ns,      json_quoted,   false},
    {DUCK_TIME_TZ,      put_time_tz,      json_quoted,   false},
    {DUCK_TIMESTAMP,    put_timestamp,    json_quoted,   false},
    {DUCK_TIMESTAMP_S,  put_timestamp_s,  json_quoted,   false},
    {DUCK_TIMESTAMP_MS, put_timestamp_ms, json_quoted,   false},
    {DUCK_TIMESTAMP_NS, put_timestamp_ns, json_quoted,   false},
    {DUCK_TIMESTAMP_TZ, put_timestamp_tz, json_quoted,   false},
    {DUCK_INTERVAL,     put_interval,     json_quoted,   false},
    {DUCK_UUID,         put_uuid,         json_quoted,   false},
    {DUCK_BIT,          put_bit,          json_quoted,   false},
    {DUCK_BLOB,         put_blob,         json_quoted,   false},
    {DUCK_VARCHAR,      put_varchar,      json_varchar,  true},
    {DUCK_ENUM,         put_enum,         json_enum,     true},
    {DUCK_LIST,         json_list,        json_list,     true},
    {DUCK_ARRAY,        json_array,       json_array,    true},
    {DUCK_STRUCT,       json_struct,      json_struct,   true},
    {DUCK_MAP,          json_map,         json_map,      true},
    {DUCK_UNION,        json_union,       json_union,    true},
    {DUCK_SQLNULL,      put_nothing,      put_nothing,   false},
};
/* clang-format on */

static status compile_child(duck_logical_type *type, arena *a, cell_type *ret_type, error *err)
{
    status result = cell_compile(type, a, ret_type, err);

    duck.destroy_logical_type(&type);
    return result;
}

static str member_name(char *name, arena *a)
{
    buf *quoted = buf_in(a, SIZE_MAX / 2);

    cell_put_json_text(quoted, name, strlen(name));
    buf_add_char(quoted, ':');
    duck.free(name);
    return buf_str(quoted);
}

static status compile_struct(duck_logical_type *type, arena *a, cell_type *t, error *err)
{
    t->child_count = duck.struct_type_child_count(type);
    t->children = ARENA_ARRAY(a, cell_type, t->child_count);
    for (size_t i = 0; i < t->child_count; i++) {
        char *name = duck.struct_type_child_name(type, i);

        t->unnamed = t->unnamed || name[0] == '\0';
        TRY(compile_child(duck.struct_type_child_type(type, i), a, &t->children[i], err));
        t->children[i].name = member_name(name, a);
    }
    return STATUS_OK;
}

static status compile_union(duck_logical_type *type, arena *a, cell_type *t, error *err)
{
    t->child_count = duck.union_type_member_count(type) + 1;
    t->children = ARENA_ARRAY(a, cell_type, t->child_count);
    TRY(compile_child(duck.create_logical_type(DUCK_UTINYINT), a, &t->children[0], err));
    for (size_t i = 1; i < t->child_count; i++) {
        TRY(compile_child(duck.union_type_member_type(type, i - 1), a, &t->children[i], err));
    }
    return STATUS_OK;
}

static void compile_enum(duck_logical_type *type, arena *a, cell_type *t)
{
    uint32_t count = duck.enum_dictionary_size(type);

    t->physical = (duck_type)duck.enum_internal_type(type);
    t->labels = ARENA_ARRAY(a, str, count);
    for (uint32_t i = 0; i < count; i++) {
        char *label = duck.enum_dictionary_value(type, i);

        t->labels[i] = str_copy(a, str_c(label));
        duck.free(label);
    }
}

static status compile_nested(duck_logical_type *type, arena *a, cell_type *t, error *err)
{
    switch ((int)t->id) {
    case DUCK_DECIMAL:
        t->scale = duck.decimal_scale(type);
        t->physical = (duck_type)duck.decimal_internal_type(type);
        return STATUS_OK;
    case DUCK_ENUM:
        compile_enum(type, a, t);
        return STATUS_OK;
    case DUCK_LIST:
        t->child_count = 1;
        t->children = ARENA_ARRAY(a, cell_type, 1);
        return compile_child(duck.list_type_child_type(type), a, &t->children[0], err);
    case DUCK_ARRAY:
        t->child_count = 1;
        t->length = duck.array_type_array_size(type);
        t->children = ARENA_ARRAY(a, cell_type, 1);
        return compile_child(duck.array_type_child_type(type), a, &t->children[0], err);
    case DUCK_MAP:
        t->child_count = 2;
        t->children = ARENA_ARRAY(a, cell_type, 2);
        TRY(compile_child(duck.map_type_key_type(type), a, &t->children[0], err));
        return compile_child(duck.map_type_value_type(type), a, &t->children[1], err);
    case DUCK_STRUCT:
        return compile_struct(type, a, t, err);
    case DUCK_UNION:
        return compile_union(type, a, t, err);
    default:
        return STATUS_OK;
    }
}

status cell_compile(duck_logical_type *type, arena *a, cell_type *ret_type, error *err)
{
    cell_type t = {.id = (duck_type)duck.get_type_id(type)};
    const type_row *row = NULL;

    for (size_t i = 0; i < COUNT_OF(type_rows) && row == NULL; i++) {
        row = type_rows[i].id == t.id ? &type_rows[i] : NULL;
    }
    if (row == NULL) {
        return error_set(err, STATUS_UNSUPPORTED, "values of type number %d cannot be sent",
                         (int)t.id);
    }
    t.put = row->put;
    t.put_json = row->put_json;
    t.needs_quoting = row->needs_quoting;
    TRY(compile_nested(type, a, &t, err));
    *ret_type = t;
    return STATUS_OK;
}

void cell_vector_init(cell_vector *v, const cell_type *type, arena *a)
{
    *v = (cell_vector){.type = type};
    v->children = ARENA_ARRAY(a, cell_vector, type->child_count);
    for (size_t i = 0; i < type->child_count; i++) {
        cell_vector_init(&v->children[i], &type->children[i], a);
    }
}

void cell_vector_bind(cell_vector *v, duck_vector *vector)
{
    v->data = duck.vector_get_data(vector);
    v->validity = duck.vector_get_validity(vector);
    switch ((int)v->type->id) {
    case DUCK_LIST:
        cell_vector_bind(&v->children[0], duck.list_vector_get_child(vector));
        break;
    case DUCK_ARRAY:
        cell_vector_bind(&v->children[0], duck.array_vector_get_child(vector));
        break;
    case DUCK_MAP: {
        duck_vector *entries = duck.list_vector_get_child(vector);

        cell_vector_bind(&v->children[0], duck.struct_vector_get_child(entries, 0));
        cell_vector_bind(&v->children[1], duck.struct_vector_get_child(entries, 1));
        break;
    }
    case DUCK_STRUCT:
    case DUCK_UNION:
        for (size_t i = 0; i < v->type->child_count; i++) {
            cell_vector_bind(&v->children[i], duck.struct_vector_get_child(vector, i));
        }
        break;
    default:
        break;
    }
}

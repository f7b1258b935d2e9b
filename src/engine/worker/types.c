/* DuckDB's types as text. DuckDB has no function for it in its C API, except by way of a query. */
#include "worker/types.h"

#include <string.h>

#include "tarn/base/map.h"
#include "tarn/engine/worker.h"

static map *keywords; /* for the life of the process */

void types_learn_keywords(duck_connection *connection)
{
    duck_result result = {.internal = NULL};

    if (keywords != NULL) {
        return;
    }
    keywords = map_create(NULL);
    if (duck.query(connection, "SELECT keyword_name FROM duckdb_keywords()", &result) ==
        DUCK_SUCCESS) {
        for (duck_chunk *chunk; (chunk = duck.fetch_chunk(result)) != NULL;) {
            const duck_string *words = duck.vector_get_data(duck.data_chunk_get_vector(chunk, 0));

            for (duck_index i = 0; i < duck.data_chunk_get_size(chunk); i++) {
                map_set(keywords,
                        str_from(duck_string_data(&words[i]), duck_string_size(&words[i])),
                        keywords);
            }
            duck.destroy_data_chunk(&chunk);
        }
    }
    duck.destroy_result(&result);
}

static void put_member_name(buf *out, str name)
{
    arena *a = arena_create();
    bool is_plain = name.size > 0 && !map_has(keywords, str_lower(a, name));

    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool is_digit = c >= '0' && c <= '9';

        is_plain = is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                                (is_digit && i > 0));
    }
    if (is_plain) {
        buf_add_str(out, name);
    } else {
        sql_quote_name(out, name);
    }
    arena_free(a);
}

typedef struct name_row {
    duck_type id;
    const char *text;
} name_row;

static const name_row names[] = {
    {DUCK_BOOLEAN, "BOOLEAN"},
    {DUCK_TINYINT, "TINYINT"},
    {DUCK_SMALLINT, "SMALLINT"},
    {DUCK_INTEGER, "INTEGER"},
    {DUCK_BIGINT, "BIGINT"},
    {DUCK_UTINYINT, "UTINYINT"},
    {DUCK_USMALLINT, "USMALLINT"},
    {DUCK_UINTEGER, "UINTEGER"},
    {DUCK_UBIGINT, "UBIGINT"},
    {DUCK_HUGEINT, "HUGEINT"},
    {DUCK_UHUGEINT, "UHUGEINT"},
    {DUCK_FLOAT, "FLOAT"},
    {DUCK_DOUBLE, "DOUBLE"},
    {DUCK_DATE, "DATE"},
    {DUCK_TIME, "TIME"},
    {DUCK_TIME_NS, "TIME_NS"},
    {DUCK_TIME_TZ, "TIME WITH TIME ZONE"},
    {DUCK_TIMESTAMP, "TIMESTAMP"},
    {DUCK_TIMESTAMP_S, "TIMESTAMP_S"},
    {DUCK_TIMESTAMP_MS, "TIMESTAMP_MS"},
    {DUCK_TIMESTAMP_NS, "TIMESTAMP_NS"},
    {DUCK_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE"},
    {DUCK_INTERVAL, "INTERVAL"},
    {DUCK_VARCHAR, "VARCHAR"},
    {DUCK_BLOB, "BLOB"},
    {DUCK_BIT, "BIT"},
    {DUCK_UUID, "UUID"},
    {DUCK_BIGNUM, "BIGNUM"},
    {DUCK_GEOMETRY, "GEOMETRY"},
    {DUCK_VARIANT, "VARIANT"},
    {DUCK_SQLNULL, "\"NULL\""},
};

typedef enum cast_mode { CAST_NONE, CAST_FOR_TEXT, CAST_FOR_ARROW } cast_mode;

static bool is_unreadable(duck_type id, cast_mode mode)
{
    switch ((int)id) {
    case DUCK_BIGNUM:
    case DUCK_GEOMETRY:
    case DUCK_VARIANT:
        return mode != CAST_NONE;
    case DUCK_UNION:
    case DUCK_BIT:
    case DUCK_TIME_TZ:
        return mode == CAST_FOR_ARROW;
    default:
        return false;
    }
}

static void put_type(duck_logical_type *type, cast_mode mode, buf *out);

static void put_child(duck_logical_type *child, cast_mode mode, buf *out)
{
    put_type(child, mode, out);
    duck.destroy_logical_type(&child);
}

static void put_member(char *name, duck_logical_type *member, cast_mode mode, size_t index,
                       buf *out)
{
    if (index > 0) {
        buf_add_str(out, STR(", "));
    }
    if (name[0] != '\0') {
        put_member_name(out, str_c(name));
        buf_add_char(out, ' ');
    }
    put_child(member, mode, out);
    duck.free(name);
}

static void put_struct(duck_logical_type *type, cast_mode mode, buf *out)
{
    buf_add_str(out, STR("STRUCT("));
    for (duck_index i = 0; i < duck.struct_type_child_count(type); i++) {
        put_member(duck.struct_type_child_name(type, i), duck.struct_type_child_type(type, i), mode,
                   i, out);
    }
    buf_add_char(out, ')');
}

static void put_union(duck_logical_type *type, cast_mode mode, buf *out)
{
    buf_add_str(out, STR("UNION("));
    for (duck_index i = 0; i < duck.union_type_member_count(type); i++) {
        put_member(duck.union_type_member_name(type, i), duck.union_type_member_type(type, i), mode,
                   i, out);
    }
    buf_add_char(out, ')');
}

static void put_enum(duck_logical_type *type, buf *out)
{
    buf_add_str(out, STR("ENUM("));
    for (uint32_t i = 0; i < duck.enum_dictionary_size(type); i++) {
        char *label = duck.enum_dictionary_value(type, i);

        buf_add_str(out, i > 0 ? STR(", ") : STR(""));
        sql_quote_text(out, str_c(label));
        duck.free(label);
    }
    buf_add_char(out, ')');
}

static void put_simple(duck_type id, buf *out)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i].id == id) {
            buf_add_c(out, names[i].text);
            return;
        }
    }
    buf_add_str(out, STR("UNKNOWN"));
}

static bool put_alias(duck_logical_type *type, buf *out)
{
    char *alias = duck.logical_type_get_alias(type);

    if (alias == NULL) {
        return false;
    }
    buf_add_c(out, alias);
    duck.free(alias);
    return true;
}

static void put_type(duck_logical_type *type, cast_mode mode, buf *out)
{
    duck_type id = (duck_type)duck.get_type_id(type);

    if (is_unreadable(id, mode)) {
        buf_add_str(out, STR("VARCHAR"));
        return;
    }
    if (put_alias(type, out)) {
        return;
    }
    switch ((int)id) {
    case DUCK_DECIMAL:
        buf_printf(out, "DECIMAL(%d,%d)", duck.decimal_width(type), duck.decimal_scale(type));
        break;
    case DUCK_ENUM:
        put_enum(type, out);
        break;
    case DUCK_LIST:
        put_child(duck.list_type_child_type(type), mode, out);
        buf_add_str(out, STR("[]"));
        break;
    case DUCK_ARRAY:
        put_child(duck.array_type_child_type(type), mode, out);
        buf_printf(out, "[%llu]", (unsigned long long)duck.array_type_array_size(type));
        break;
    case DUCK_MAP:
        buf_add_str(out, STR("MAP("));
        put_child(duck.map_type_key_type(type), mode, out);
        buf_add_str(out, STR(", "));
        put_child(duck.map_type_value_type(type), mode, out);
        buf_add_char(out, ')');
        break;
    case DUCK_STRUCT:
        put_struct(type, mode, out);
        break;
    case DUCK_UNION:
        put_union(type, mode, out);
        break;
    default:
        put_simple(id, out);
    }
}

void types_put(duck_logical_type *type, buf *out)
{
    put_type(type, CAST_NONE, out);
}

void types_put_cast(duck_logical_type *type, bool for_arrow, buf *out)
{
    put_type(type, for_arrow ? CAST_FOR_ARROW : CAST_FOR_TEXT, out);
}

static bool child_needs_cast(duck_logical_type *child, bool for_arrow)
{
    bool needs = types_need_cast(child, for_arrow);

    duck.destroy_logical_type(&child);
    return needs;
}

bool types_need_cast(duck_logical_type *type, bool for_arrow)
{
    duck_type id = (duck_type)duck.get_type_id(type);
    bool needs = false;

    switch ((int)id) {
    case DUCK_LIST:
        return child_needs_cast(duck.list_type_child_type(type), for_arrow);
    case DUCK_ARRAY:
        return child_needs_cast(duck.array_type_child_type(type), for_arrow);
    case DUCK_MAP:
        return child_needs_cast(duck.map_type_key_type(type), for_arrow) ||
               child_needs_cast(duck.map_type_value_type(type), for_arrow);
    case DUCK_STRUCT:
        for (duck_index i = 0; i < duck.struct_type_child_count(type) && !needs; i++) {
            needs = child_needs_cast(duck.struct_type_child_type(type, i), for_arrow);
        }
        return needs;
    case DUCK_UNION:
        if (for_arrow) {
            return true;
        }
        for (duck_index i = 0; i < duck.union_type_member_count(type) && !needs; i++) {
            needs = child_needs_cast(duck.union_type_member_type(type, i), for_arrow);
        }
        return needs;
    default:
        return is_unreadable(id, for_arrow ? CAST_FOR_ARROW : CAST_FOR_TEXT);
    }
}

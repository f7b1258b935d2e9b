/* The table of types, and the parser of DuckDB's type text: STRUCT(a INTEGER, "b c"
 * DECIMAL(10,2)[]), MAP(VARCHAR, DATE). */
#include "sql/types.h"

#include "sql/token.h"
#include "tarn/base/vec.h"
#include "tarn/engine/query.h"

/* DuckDB's name of a type that SQL gives, and what it becomes. ICE_KIND_COUNT: refused, for the
 * reason given. */
static const struct {
    const char *name;
    ice_kind kind;
    int32_t precision; /* of the decimal */
    const char *reason;
} from_duckdb[] = {
    {"BOOLEAN", ICE_BOOLEAN, 0, NULL},
    {"TINYINT", ICE_INT, 0, NULL},
    {"SMALLINT", ICE_INT, 0, NULL},
    {"INTEGER", ICE_INT, 0, NULL},
    {"BIGINT", ICE_LONG, 0, NULL},
    {"HUGEINT", ICE_DECIMAL, 38, NULL},
    {"UTINYINT", ICE_INT, 0, NULL},
    {"USMALLINT", ICE_INT, 0, NULL},
    {"UINTEGER", ICE_LONG, 0, NULL},
    {"UBIGINT", ICE_DECIMAL, 20, NULL},
    {"FLOAT", ICE_FLOAT, 0, NULL},
    {"DOUBLE", ICE_DOUBLE, 0, NULL},
    {"DATE", ICE_DATE, 0, NULL},
    {"TIME", ICE_TIME, 0, NULL},
    {"TIMESTAMP", ICE_TIMESTAMP, 0, NULL},
    {"TIMESTAMP_S", ICE_TIMESTAMP, 0, NULL},
    {"TIMESTAMP_MS", ICE_TIMESTAMP, 0, NULL},
    {"TIMESTAMP_NS", ICE_TIMESTAMP_NS, 0, NULL},
    {"TIMESTAMP WITH TIME ZONE", ICE_TIMESTAMPTZ, 0, NULL},
    {"VARCHAR", ICE_STRING, 0, NULL},
    {"JSON", ICE_STRING, 0, NULL},
    {"ENUM", ICE_STRING, 0, NULL},
    {"UUID", ICE_UUID, 0, NULL},
    {"BLOB", ICE_BINARY, 0, NULL},
    {"VARIANT", ICE_VARIANT, 0, NULL},
    {"NULL", ICE_INT, 0, NULL}, /* as DuckDB itself does in CREATE TABLE AS */
    {"TIME WITH TIME ZONE", ICE_KIND_COUNT, 0,
     "Iceberg has no time of day with a zone: use TIME or TIMESTAMPTZ"},
    {"TIME_NS", ICE_KIND_COUNT, 0, "Iceberg keeps the time of day in microseconds: use TIME"},
    {"INTERVAL", ICE_KIND_COUNT, 0, "Iceberg has no interval: keep the seconds, or two timestamps"},
    {"UHUGEINT", ICE_KIND_COUNT, 0, "its values do not fit any Iceberg type: use DECIMAL(38, 0)"},
    {"BIGNUM", ICE_KIND_COUNT, 0, "its values do not fit any Iceberg type: use DECIMAL(38, 0)"},
    {"BIT", ICE_KIND_COUNT, 0, "Iceberg has no bit string: use BLOB or VARCHAR"},
    {"UNION", ICE_KIND_COUNT, 0, "Iceberg has no union: use a STRUCT with one member per case"},
    {"GEOMETRY", ICE_KIND_COUNT, 0,
     "it cannot be written to the specification yet: use BLOB with WKB"},
};

/* Iceberg's names that cannot be written, as people type them in CREATE TABLE. */
static const struct {
    const char *word, *cure;
} undeclarable[] = {
    {"fixed", "Use BLOB."},
    {"geography", "Use BLOB with WKB."},
    {"geometry", "Use BLOB with WKB."},
    {"timestamptz_ns", "Use TIMESTAMPTZ, or TIMESTAMP_NS in a table of format version 3."},
    {"unknown", "Use the type the column will have."},
    {"timetz", "Use TIME or TIMESTAMPTZ."},
};

status types_check_declared(str type_text, str column, error *err)
{
    for (size_t i = 0; i < COUNT_OF(undeclarable); i++) {
        str word = str_c(undeclarable[i].word);
        str head = str_trim(type_text);
        size_t size = 0;
        while (size < head.size && head.data[size] != '(' && head.data[size] != '[' &&
               head.data[size] != ' ') {
            size++;
        }
        if (str_equal_nocase(str_slice(head, 0, size), word)) {
            error_set(err, STATUS_UNSUPPORTED,
                      "column \"%.*s\": type %s cannot be written to the specification",
                      STR_ARG(column), undeclarable[i].word);
            error_hint(err, "%s", undeclarable[i].cure);
            return STATUS_UNSUPPORTED;
        }
    }
    return STATUS_OK;
}

/* ---- Iceberg to DuckDB ---- */

static const char *const to_duckdb[ICE_KIND_COUNT] = {
    [ICE_BOOLEAN] = "BOOLEAN",
    [ICE_INT] = "INTEGER",
    [ICE_LONG] = "BIGINT",
    [ICE_FLOAT] = "FLOAT",
    [ICE_DOUBLE] = "DOUBLE",
    [ICE_DATE] = "DATE",
    [ICE_TIME] = "TIME",
    [ICE_TIMESTAMP] = "TIMESTAMP",
    [ICE_TIMESTAMPTZ] = "TIMESTAMP WITH TIME ZONE",
    [ICE_TIMESTAMP_NS] = "TIMESTAMP_NS",
    [ICE_TIMESTAMPTZ_NS] = "TIMESTAMP WITH TIME ZONE",
    [ICE_STRING] = "VARCHAR",
    [ICE_UUID] = "UUID",
    [ICE_FIXED] = "BLOB",
    [ICE_BINARY] = "BLOB",
    [ICE_UNKNOWN] = "INTEGER",
    [ICE_VARIANT] = "VARIANT",
    [ICE_GEOMETRY] = "GEOMETRY",
    [ICE_GEOGRAPHY] = "GEOMETRY",
};

void engine_duckdb_type(const ice_type *type, buf *out)
{
    switch (type->kind) {
    case ICE_DECIMAL:
        buf_printf(out, "DECIMAL(%d,%d)", type->precision, type->scale);
        break;
    case ICE_STRUCT:
        buf_add_c(out, "STRUCT(");
        for (size_t i = 0; i < type->field_count; i++) {
            buf_add_c(out, i > 0 ? ", " : "");
            sql_quote_name(out, type->fields[i].name);
            buf_add_char(out, ' ');
            engine_duckdb_type(type->fields[i].type, out);
        }
        buf_add_char(out, ')');
        break;
    case ICE_LIST:
        engine_duckdb_type(type->fields[0].type, out);
        buf_add_c(out, "[]");
        break;
    case ICE_MAP:
        buf_add_c(out, "MAP(");
        engine_duckdb_type(type->fields[0].type, out);
        buf_add_c(out, ", ");
        engine_duckdb_type(type->fields[1].type, out);
        buf_add_char(out, ')');
        break;
    default:
        buf_add_c(out, to_duckdb[type->kind]);
        break;
    }
}

/* ---- DuckDB to Iceberg ---- */

typedef struct type_parser {
    token_list list;
    size_t at;
    int depth;
    str column;
    arena *a;
    error *err;
} type_parser;

#define TYPE_DEPTH_MAX 64

static status parse_any(type_parser *p, const ice_type **ret_type);

static status refuse(const type_parser *p, str name, const char *reason)
{
    return error_set(p->err, STATUS_UNSUPPORTED, "column \"%.*s\": type %.*s is not supported%s%s",
                     STR_ARG(p->column), STR_ARG(name), reason != NULL ? ": " : "",
                     reason != NULL ? reason : "");
}

static status malformed(const type_parser *p)
{
    return error_set(p->err, STATUS_UNSUPPORTED, "column \"%.*s\": type %.*s is not understood",
                     STR_ARG(p->column), STR_ARG(p->list.sql));
}

static bool skip(type_parser *p, char symbol)
{
    bool found = token_is_symbol(&p->list, p->at, symbol);
    p->at += found ? 1 : 0;
    return found;
}

static status parse_number(type_parser *p, int32_t *ret_value)
{
    int64_t value;
    if (str_to_int64(token_text(&p->list, p->at), &value, NULL) != STATUS_OK || value < 0 ||
        value > 38) {
        return malformed(p);
    }
    p->at++;
    *ret_value = (int32_t)value;
    return STATUS_OK;
}

static ice_type *new_type(const type_parser *p, ice_kind kind, const ice_field *fields,
                          size_t count)
{
    ice_type *type = ARENA_NEW(p->a, ice_type);
    type->kind = kind;
    type->fields = fields;
    type->field_count = count;
    return type;
}

static status parse_decimal(type_parser *p, const ice_type **ret_type)
{
    ice_type *type = new_type(p, ICE_DECIMAL, NULL, 0);
    type->precision = 18;
    type->scale = 3;
    if (skip(p, '(')) {
        TRY(parse_number(p, &type->precision));
        type->scale = 0;
        if (skip(p, ',')) {
            TRY(parse_number(p, &type->scale));
        }
        TRY(skip(p, ')') ? STATUS_OK : malformed(p));
    }
    *ret_type = type;
    return STATUS_OK;
}

static status parse_struct(type_parser *p, const ice_type **ret_type)
{
    VEC(ice_field) fields = {0};
    TRY(skip(p, '(') ? STATUS_OK : malformed(p));
    do {
        ice_field field = {.doc = STR_NULL};
        if (!token_is_name(&p->list, p->at)) {
            return malformed(p);
        }
        field.name = token_name(&p->list, p->at++, p->a);
        TRY(parse_any(p, &field.type));
        vec_push(p->a, &fields, field);
    } while (skip(p, ','));
    TRY(skip(p, ')') ? STATUS_OK : malformed(p));
    *ret_type = new_type(p, ICE_STRUCT, fields.items, fields.count);
    return STATUS_OK;
}

static status parse_map(type_parser *p, const ice_type **ret_type)
{
    ice_field *fields = ARENA_ARRAY(p->a, ice_field, 2);
    TRY(skip(p, '(') ? STATUS_OK : malformed(p));
    fields[0] = (ice_field){.name = STR("key"), .required = true, .doc = STR_NULL};
    TRY(parse_any(p, &fields[0].type));
    TRY(skip(p, ',') ? STATUS_OK : malformed(p));
    fields[1] = (ice_field){.name = STR("value"), .doc = STR_NULL};
    TRY(parse_any(p, &fields[1].type));
    TRY(skip(p, ')') ? STATUS_OK : malformed(p));
    *ret_type = new_type(p, ICE_MAP, fields, 2);
    return STATUS_OK;
}

/* The words of a simple type, "WITH TIME ZONE" joined to it; brackets behind it (ENUM's values)
 * are skipped. */
static status parse_simple(type_parser *p, str word, const ice_type **ret_type)
{
    str name = str_upper(p->a, word);
    if (token_is(&p->list, p->at, "with") && token_is(&p->list, p->at + 1, "time") &&
        token_is(&p->list, p->at + 2, "zone")) {
        name = str_printf(p->a, "%.*s WITH TIME ZONE", STR_ARG(name));
        p->at += 3;
    }
    for (size_t i = 0; i < COUNT_OF(from_duckdb); i++) {
        if (!str_equal(name, str_c(from_duckdb[i].name))) {
            continue;
        }
        if (from_duckdb[i].kind == ICE_KIND_COUNT) {
            return refuse(p, name, from_duckdb[i].reason);
        }
        if (skip(p, '(')) {
            while (p->at < p->list.count && !token_is_symbol(&p->list, p->at, ')')) {
                p->at++;
            }
            TRY(skip(p, ')') ? STATUS_OK : malformed(p));
        }
        if (from_duckdb[i].kind == ICE_DECIMAL) {
            ice_type *decimal = new_type(p, ICE_DECIMAL, NULL, 0);
            decimal->precision = from_duckdb[i].precision;
            *ret_type = decimal;
        } else {
            *ret_type = ice_type_primitive(from_duckdb[i].kind);
        }
        return STATUS_OK;
    }
    return refuse(p, word, NULL);
}

static status parse_any(type_parser *p, const ice_type **ret_type)
{
    const ice_type *type = NULL;
    if (++p->depth > TYPE_DEPTH_MAX || !token_is_name(&p->list, p->at)) {
        return malformed(p);
    }
    str word = token_name(&p->list, p->at++, p->a);
    if (str_equal_nocase(word, STR("DECIMAL"))) {
        TRY(parse_decimal(p, &type));
    } else if (str_equal_nocase(word, STR("STRUCT"))) {
        TRY(parse_struct(p, &type));
    } else if (str_equal_nocase(word, STR("MAP"))) {
        TRY(parse_map(p, &type));
    } else {
        TRY(parse_simple(p, word, &type));
    }
    /* T[] is a list of T; T[3], an array of known length, becomes one too. */
    while (skip(p, '[')) {
        p->at += p->list.items[p->at].kind == TOKEN_NUMBER ? 1 : 0;
        TRY(skip(p, ']') ? STATUS_OK : malformed(p));
        ice_field *element = ARENA_NEW(p->a, ice_field);
        *element = (ice_field){.name = STR("element"), .type = type, .doc = STR_NULL};
        type = new_type(p, ICE_LIST, element, 1);
    }
    p->depth--;
    *ret_type = type;
    return STATUS_OK;
}

status engine_iceberg_type(str duckdb_type, str column, arena *a, const ice_type **ret_type,
                           error *err)
{
    type_parser p = {.column = column, .a = a, .err = err};
    const ice_type *type = NULL;
    TRY(token_scan(duckdb_type, a, &p.list, err));
    TRY(parse_any(&p, &type));
    if (p.at != p.list.count) {
        return malformed(&p);
    }
    *ret_type = type;
    return STATUS_OK;
}

/* spec_sql.c: the text form of partitioning, as PARTITIONED BY takes it: "days(ts), bucket(16, id), region".
 *
 * A field is a column, or a transform of one: year, month, day, hour (also in the plural), bucket, truncate
 * (trunc), identity. The number of bucket and truncate may stand before or behind the column. Names are plain,
 * "quoted" or `quoted`, and dotted for fields of structs. */
#include "spec_sql.h"

#include "tarn/base/vec.h"

status ice__sql_fail(ice__sql_reader *r, size_t at, status kind, const char *message)
{
    (void)error_set(r->err, kind, "%s \"%.*s\": %s", r->what, STR_ARG(r->text), message);
    if (r->err != NULL) {
        r->err->position = (int)at;
    }
    return kind;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (uint8_t)c >= 0x80;
}

char ice__sql_peek(ice__sql_reader *r)
{
    while (r->at < r->text.size && is_space(r->text.data[r->at])) {
        r->at++;
    }
    return r->at < r->text.size ? r->text.data[r->at] : '\0';
}

bool ice__sql_take(ice__sql_reader *r, char c)
{
    if (ice__sql_peek(r) != c) {
        return false;
    }
    r->at++;
    return true;
}

bool ice__sql_take_word(ice__sql_reader *r, const char *word)
{
    size_t end;

    (void)ice__sql_peek(r);
    end = r->at;
    while (end < r->text.size && is_word(r->text.data[end])) {
        end++;
    }
    if (!str_equal_nocase(str_slice(r->text, r->at, end), str_c(word))) {
        return false;
    }
    r->at = end;
    return true;
}

/* One part of a name. `*ret_quoted` tells that it cannot be a function. */
status ice__sql_take_name(ice__sql_reader *r, str *ret_name, bool *ret_quoted)
{
    char quote = ice__sql_peek(r);
    size_t start = r->at;

    *ret_quoted = quote == '"' || quote == '`';
    if (*ret_quoted) {
        char *name = arena_alloc(r->memory, r->text.size);
        size_t size = 0;

        for (r->at++; r->at < r->text.size; r->at++) {
            if (r->text.data[r->at] == quote) {
                if (r->at + 1 >= r->text.size || r->text.data[r->at + 1] != quote) {
                    r->at++;
                    *ret_name = str_from(name, size);
                    return size > 0 ? STATUS_OK
                                    : ice__sql_fail(r, start, STATUS_SYNTAX, "a name is empty");
                }
                r->at++;
            }
            name[size++] = r->text.data[r->at];
        }
        return ice__sql_fail(r, start, STATUS_SYNTAX, "a quoted name is not closed");
    }
    while (r->at < r->text.size && is_word(r->text.data[r->at])) {
        r->at++;
    }
    if (r->at == start) {
        return ice__sql_fail(r, start, STATUS_SYNTAX, "a column or a transform is expected here");
    }
    *ret_name = str_slice(r->text, start, r->at);
    return STATUS_OK;
}

/* A column by its (dotted) name, below structs only. */
static status resolve(ice__sql_reader *r, size_t start, const str *parts, size_t count,
                      const ice_field **ret_field, str *ret_path)
{
    const ice_type *type = r->schema->root;
    const ice_field *field = NULL;

    for (size_t i = 0; i < count; i++) {
        ice_schema level = {.root = type};

        field = type->kind == ICE_STRUCT ? ice_schema_column(&level, parts[i]) : NULL;
        if (field == NULL) {
            str *names = ARENA_ARRAY(r->memory, str, type->field_count);
            str nearest;

            for (size_t k = 0; k < type->field_count; k++) {
                names[k] = type->fields[k].name;
            }
            nearest = str_nearest(parts[i], names, type->field_count);
            (void)ice__sql_fail(
                r, start, STATUS_NO_COLUMN,
                arena_printf(r->memory, "there is no column \"%.*s\"", STR_ARG(parts[i])));
            if (!str_is_null(nearest)) {
                error_hint(r->err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
            }
            return STATUS_NO_COLUMN;
        }
        type = field->type;
        *ret_field = field;
        *ret_path = ice_schema_path(r->schema, field->id, r->memory);
    }
    return STATUS_OK;
}

enum { PARTS_MAX = 32 };

/* The rest of a dotted name that began with `first`. */
static status take_column(ice__sql_reader *r, size_t start, str first, const ice_field **ret_field,
                          str *ret_path)
{
    str parts[PARTS_MAX] = {first};
    size_t count = 1;
    bool quoted;

    while (ice__sql_take(r, '.')) {
        if (count == PARTS_MAX) {
            return ice__sql_fail(r, start, STATUS_SYNTAX, "a name has too many parts");
        }
        TRY(ice__sql_take_name(r, &parts[count], &quoted));
        count++;
    }
    return resolve(r, start, parts, count, ret_field, ret_path);
}

static const struct {
    const char *name;
    ice_transform_kind kind;
    bool has_parameter;
    const char *suffix; /* of the partition field's name */
    const char *text;
} functions[] = {
    {"year", ICE_YEAR, false, "_year", "year"},
    {"years", ICE_YEAR, false, "_year", "year"},
    {"month", ICE_MONTH, false, "_month", "month"},
    {"months", ICE_MONTH, false, "_month", "month"},
    {"day", ICE_DAY, false, "_day", "day"},
    {"days", ICE_DAY, false, "_day", "day"},
    {"date", ICE_DAY, false, "_day", "day"},
    {"hour", ICE_HOUR, false, "_hour", "hour"},
    {"hours", ICE_HOUR, false, "_hour", "hour"},
    {"bucket", ICE_BUCKET, true, "_bucket", "bucket"},
    {"truncate", ICE_TRUNCATE, true, "_trunc", "truncate"},
    {"trunc", ICE_TRUNCATE, true, "_trunc", "truncate"},
    {"identity", ICE_IDENTITY, false, "", "identity"},
};

static status take_number(ice__sql_reader *r, int32_t *ret_number)
{
    size_t start = r->at;
    int64_t value;
    str digits;

    while (r->at < r->text.size && r->text.data[r->at] >= '0' && r->text.data[r->at] <= '9') {
        r->at++;
    }
    digits = str_slice(r->text, start, r->at);
    if (str_to_int64(digits, &value, NULL) != STATUS_OK || value < 1 || value > INT32_MAX) {
        return ice__sql_fail(r, start, STATUS_INVALID, "a number from 1 to 2147483647 is expected");
    }
    *ret_number = (int32_t)value;
    return STATUS_OK;
}

/* What stands in the brackets of a transform. */
static status take_arguments(ice__sql_reader *r, size_t function, const ice_field **ret_field,
                             str *ret_path, int32_t *ret_number)
{
    bool wants_number = functions[function].has_parameter;
    bool has_number = false;
    bool has_column = false;

    do {
        char c = ice__sql_peek(r);
        size_t start = r->at;
        str name;
        bool quoted;

        if (wants_number && !has_number && c >= '0' && c <= '9') {
            TRY(take_number(r, ret_number));
            has_number = true;
        } else if (!has_column) {
            TRY(ice__sql_take_name(r, &name, &quoted));
            TRY(take_column(r, start, name, ret_field, ret_path));
            has_column = true;
        } else {
            return ice__sql_fail(r, start, STATUS_SYNTAX, "the transform has too many arguments");
        }
    } while (ice__sql_take(r, ','));
    if (!ice__sql_take(r, ')')) {
        return ice__sql_fail(r, r->at, STATUS_SYNTAX, "\")\" is expected here");
    }
    if (!has_column || has_number != wants_number) {
        return ice__sql_fail(r, r->at, STATUS_SYNTAX,
                             wants_number ? "the transform needs a number and a column"
                                          : "the transform needs a column");
    }
    return STATUS_OK;
}

static size_t find_function(str name)
{
    size_t i = 0;

    while (i < COUNT_OF(functions) && !str_equal_nocase(name, str_c(functions[i].name))) {
        i++;
    }
    return i;
}

static const char *unknown_function(ice__sql_reader *r, str name)
{
    str names[COUNT_OF(functions)];
    str nearest;

    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        names[i] = str_c(functions[i].name);
    }
    nearest = str_nearest(name, names, COUNT_OF(functions));
    return arena_printf(r->memory, "there is no transform \"%.*s\"%s%.*s%s", STR_ARG(name),
                        nearest.size > 0 ? " (nearest: \"" : "", STR_ARG(nearest),
                        nearest.size > 0 ? "\")" : "");
}

status ice__sql_take_term(ice__sql_reader *r, ice__sql_term *ret_term)
{
    ice__sql_term term = {.suffix = "", .path = STR_NULL, .transform = *ice__identity()};
    const ice_type *result;
    str name;
    bool quoted;
    size_t start;

    (void)ice__sql_peek(r);
    start = r->at;
    TRY(ice__sql_take_name(r, &name, &quoted));
    if (!quoted && ice__sql_take(r, '(')) {
        size_t function = find_function(name);

        if (function == COUNT_OF(functions)) {
            return ice__sql_fail(r, start, STATUS_NO_FUNCTION, unknown_function(r, name));
        }
        term.suffix = functions[function].suffix;
        term.transform.kind = functions[function].kind;
        TRY(take_arguments(r, function, &term.source, &term.path, &term.transform.parameter));
        term.transform.text = str_c(functions[function].text);
        if (functions[function].has_parameter) {
            term.transform.text = str_printf(r->memory, "%s[%d]", functions[function].text,
                                             (int)term.transform.parameter);
        }
    } else {
        TRY(take_column(r, start, name, &term.source, &term.path));
    }
    if (ice_transform_result(&term.transform, term.source->type, &result, r->err) != STATUS_OK) {
        error_context(r->err, "%s \"%.*s\": column \"%.*s\"", r->what, STR_ARG(r->text),
                      STR_ARG(term.path));
        return STATUS_INVALID;
    }
    *ret_term = term;
    return STATUS_OK;
}

/* A term, and AS with a name of its own. */
static status take_field(ice__sql_reader *r, ice_partition_field *ret_field)
{
    ice__sql_term term;
    bool quoted;
    str name;

    TRY(ice__sql_take_term(r, &term));
    name = str_concat(r->memory, term.path, str_c(term.suffix));
    if (ice__sql_take_word(r, "as")) {
        (void)ice__sql_peek(r);
        TRY(ice__sql_take_name(r, &name, &quoted));
    }
    *ret_field = (ice_partition_field){
        .source_id = term.source->id, .name = name, .transform = term.transform};
    return STATUS_OK;
}

static bool is_time(ice_transform_kind kind)
{
    return kind >= ICE_YEAR && kind <= ICE_HOUR;
}

status ice__spec_check_field(const ice_partition_field *fields, size_t count,
                             const ice_partition_field *field, const ice_schema *schema, error *err)
{
    const ice_field *column = ice_schema_column(schema, field->name);
    bool is_identity = field->transform.kind == ICE_IDENTITY;

    for (size_t i = 0; i < count; i++) {
        bool same_kind = fields[i].transform.kind == field->transform.kind ||
                         (is_time(fields[i].transform.kind) && is_time(field->transform.kind));

        if (fields[i].transform.kind == ICE_VOID) {
            continue;
        }
        if (fields[i].source_id == field->source_id && same_kind) {
            return error_set(err, STATUS_INVALID, "\"%.*s\" repeats \"%.*s\"", STR_ARG(field->name),
                             STR_ARG(fields[i].name));
        }
        if (str_equal(fields[i].name, field->name)) {
            return error_set(err, STATUS_INVALID, "two fields would be named \"%.*s\"",
                             STR_ARG(field->name));
        }
    }
    if (column != NULL && str_equal(column->name, field->name) &&
        (column->id != field->source_id || !is_identity)) {
        return error_set(err, STATUS_INVALID, "the field would have the name of column \"%.*s\"",
                         STR_ARG(field->name));
    }
    return STATUS_OK;
}

/* Its message, as one about this text. */
static status check_field(ice__sql_reader *r, size_t start, const ice_partition_field *fields,
                          size_t count, const ice_partition_field *field)
{
    error found = ERROR_INIT;
    status s = ice__spec_check_field(fields, count, field, r->schema, &found);

    return s == STATUS_OK
               ? s
               : ice__sql_fail(r, start, s, arena_printf(r->memory, "%s", found.message));
}

status ice_spec_parse_sql(str text, const ice_schema *schema, int32_t *next_field_id, arena *a,
                          ice_spec *ret_spec, error *err)
{
    ice__sql_reader r = {.what = "partitioning",
                         .text = str_copy(a, text),
                         .schema = schema,
                         .memory = a,
                         .err = err};
    VEC(ice_partition_field) fields = {0};

    if (ice__sql_peek(&r) != '\0') {
        do {
            ice_partition_field field;
            size_t start;

            (void)ice__sql_peek(&r);
            start = r.at;
            TRY(take_field(&r, &field));
            TRY(check_field(&r, start, fields.items, fields.count, &field));
            field.field_id = *next_field_id + (int32_t)fields.count;
            vec_push(a, &fields, field);
        } while (ice__sql_take(&r, ','));
        if (ice__sql_peek(&r) != '\0') {
            return ice__sql_fail(&r, r.at, STATUS_SYNTAX, "\",\" or the end is expected here");
        }
    }
    *next_field_id += (int32_t)fields.count;
    *ret_spec = (ice_spec){.id = 0, .fields = fields.items, .field_count = fields.count};
    return STATUS_OK;
}

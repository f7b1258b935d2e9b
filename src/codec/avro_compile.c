/* From the schema a file was written with, and the shape of the struct the caller wants, to a
 * program.
 *
 * Source: Avro specification, "Schema Declaration" and "Names". Fields meet by field id. A name
 * stands for the definition that came before it in the schema and is unfolded where it is used;
 * what would unfold without end is refused. */
#include "avro_program.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"

enum {
    DEPTH_MAX = 64,
    VISITS_MAX = 1 << 17, /* schema nodes, each counted as often as it is unfolded */
    FIXED_BYTES_MAX = 1 << 20,
    MEMBER = AVRO_TUPLE + 1, /* kind of a field of a tuple */
};
/* Presence of list items: null drops the item. */
#define DROP_WHERE_NULL ((ptrdiff_t)-2)

/* --- types by name --- */

typedef enum type_kind {
    TYPE_NULL,
    TYPE_BOOLEAN,
    TYPE_INT,
    TYPE_LONG,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_BYTES,
    TYPE_STRING,
    TYPE_FIXED,
    TYPE_ENUM,
    TYPE_RECORD,
    TYPE_ARRAY,
    TYPE_MAP,
    TYPE_UNION,
    TYPE_COUNT,
} type_kind;

static const str type_names[TYPE_COUNT] = {
    STR_INIT("null"),  STR_INIT("boolean"), STR_INIT("int"),    STR_INIT("long"),
    STR_INIT("float"), STR_INIT("double"),  STR_INIT("bytes"),  STR_INIT("string"),
    STR_INIT("fixed"), STR_INIT("enum"),    STR_INIT("record"), STR_INIT("array"),
    STR_INIT("map"),   STR_INIT("union"),
};

typedef struct type {
    type_kind kind;
    const json *schema; /* the object that defines it, or the array of a union */
    str space;          /* the namespace that names inside it are relative to */
    size_t size;        /* of a fixed */
} type;

typedef struct named {
    const json *schema;
    str space;
} named;

typedef struct compiler {
    arena *a;
    map *names; /* full name -> named */
    size_t visits;
    int depth;
    avro_keys keys; /* of maps that are stored */
    error *err;
} compiler;

typedef VEC(avro_step) step_vec;

typedef struct draft {
    step_vec steps;
    size_t bytes_min;
} draft;

static status invalid(compiler *c, const char *reason)
{
    return error_set(c->err, STATUS_INVALID, "malformed Avro schema: %s", reason);
}

static str full_name(compiler *c, str name, str space)
{
    if (str_find_char(name, '.') != STR_NPOS || str_is_empty(space)) {
        return name;
    }
    return str_printf(c->a, "%.*s.%.*s", STR_ARG(space), STR_ARG(name));
}

static void define(compiler *c, const json *schema, str *space)
{
    str name = json_str_or(json_get(schema, "name"), STR(""));
    str own = json_str_or(json_get(schema, "namespace"), STR_NULL);
    size_t dot = str_find_last_char(name, '.');
    named *entry = ARENA_NEW(c->a, named);

    if (dot != STR_NPOS) {
        *space = str_slice(name, 0, dot);
    } else if (!str_is_null(own)) {
        *space = own;
    }
    *entry = (named){.schema = schema, .space = *space};
    (void)map_set(c->names, full_name(c, name, *space), entry);
}

static bool find_kind(str name, type_kind *ret_kind)
{
    for (int i = 0; i < TYPE_UNION; i++) {
        if (str_equal(name, type_names[i])) {
            *ret_kind = (type_kind)i;
            return true;
        }
    }
    return false;
}

static status resolve_object(compiler *c, const json *schema, str space, type *ret_type)
{
    type t = {.schema = schema, .space = space};
    int64_t size;

    if (!find_kind(json_str_or(json_get(schema, "type"), STR("")), &t.kind)) {
        return invalid(c, "a type of an unknown kind");
    }
    if (t.kind == TYPE_RECORD || t.kind == TYPE_ENUM || t.kind == TYPE_FIXED) {
        define(c, schema, &t.space);
    }
    if (t.kind == TYPE_FIXED) {
        size = json_int64_or(json_get(schema, "size"), -1);
        if (size < 0 || size > FIXED_BYTES_MAX) {
            return invalid(c, "a fixed type with a wrong size");
        }
        t.size = (size_t)size;
    }
    *ret_type = t;
    return STATUS_OK;
}

/* `schema` may be a name, a definition, a union, or one of these in an object's "type". */
static status resolve(compiler *c, const json *schema, str space, type *ret_type)
{
    for (int turns = 0; turns < DEPTH_MAX; turns++) {
        const named *entry;
        type_kind kind;
        str name;

        switch (json_kind_of(schema)) {
        case JSON_ARRAY:
            *ret_type = (type){.kind = TYPE_UNION, .schema = schema, .space = space};
            return STATUS_OK;
        case JSON_OBJECT:
            name = json_str_or(json_get(schema, "type"), STR_NULL);
            if (find_kind(name, &kind)) {
                return resolve_object(c, schema, space, ret_type);
            }
            schema = json_get(schema, "type");
            continue;
        case JSON_STR:
            name = json_str_or(schema, STR_NULL);
            break;
        default:
            return invalid(c, "a type is neither a name nor a definition");
        }
        if (find_kind(name, &kind) && kind < TYPE_FIXED) {
            *ret_type = (type){.kind = kind, .schema = schema, .space = space};
            return STATUS_OK;
        }
        entry = map_get(c->names, full_name(c, name, space));
        if (entry == NULL) {
            entry = map_get(c->names, name);
        }
        if (entry == NULL) {
            return error_set(c->err, STATUS_INVALID, "malformed Avro schema: no type \"%.*s\"",
                             STR_ARG(name));
        }
        return resolve_object(c, entry->schema, entry->space, ret_type);
    }
    return invalid(c, "a type is wrapped too often");
}

/* --- drafts --- */

static avro_program finish(const draft *d)
{
    return (avro_program){
        .steps = d->steps.items, .count = d->steps.count, .bytes_min = d->bytes_min};
}

static void add_step(compiler *c, draft *d, avro_step step, size_t bytes_min)
{
    avro_step *last = d->steps.count > 0 ? &d->steps.items[d->steps.count - 1] : NULL;

    d->bytes_min += bytes_min;
    if (step.kind == STEP_SKIP_FIXED && last != NULL && last->kind == STEP_SKIP_FIXED) {
        last->size += step.size;
        return;
    }
    vec_push(c->a, &d->steps, step);
}

static const avro_program *one_program(compiler *c, const draft *d)
{
    avro_program *program = ARENA_NEW(c->a, avro_program);

    *program = finish(d);
    return program;
}

static status item_program(compiler *c, const draft *d, const avro_program **ret_program)
{
    if (d->bytes_min == 0) {
        return error_set(c->err, STATUS_UNSUPPORTED,
                         "an Avro array or map whose items have no bytes cannot be read");
    }
    *ret_program = one_program(c, d);
    return STATUS_OK;
}

/* NULL as field: the value is skipped. */
static status compile(compiler *c, const json *schema, str space, const avro_field *field,
                      size_t base, draft *d);

/* --- records --- */

static const avro_field *find_field(const avro_shape *shape, const json *id)
{
    if (json_kind_of(id) != JSON_INT64) {
        return NULL;
    }
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].field_id == json_int64_or(id, -1)) {
            return &shape->fields[i];
        }
    }
    return NULL;
}

static status context(compiler *c, status kind, const json *member)
{
    if (kind != STATUS_OK && kind != STATUS_TOO_LARGE) {
        str name = json_str_or(json_get(member, "name"), STR("?"));

        error_context(c->err, "field \"%.*s\"", STR_ARG(name));
    }
    return kind;
}

/* Shape NULL: all is skipped. */
static status compile_record(compiler *c, const type *t, const avro_shape *shape, size_t base,
                             draft *d)
{
    const json *fields = json_get(t->schema, "fields");

    if (json_kind_of(fields) != JSON_ARRAY) {
        return invalid(c, "a record without fields");
    }
    for (size_t i = 0; i < json_count(fields); i++) {
        const json *member = json_at(fields, i);
        const avro_field *field =
            shape != NULL ? find_field(shape, json_get(member, "field-id")) : NULL;

        TRY(context(c, compile(c, json_get(member, "type"), t->space, field, base, d), member));
    }
    return STATUS_OK;
}

static status compile_tuple(compiler *c, const type *t, const avro_field *field, size_t base,
                            draft *d)
{
    const json *members = json_get(t->schema, "fields");
    size_t count = json_count(members);
    avro_tuple_field *template = ARENA_ARRAY(c->a, avro_tuple_field, count);
    draft inner = {.bytes_min = 0};

    if (json_kind_of(members) != JSON_ARRAY) {
        return invalid(c, "a record without fields");
    }
    for (size_t i = 0; i < count; i++) {
        const json *member = json_at(members, i);
        int64_t id = json_int64_or(json_get(member, "field-id"), -1);
        avro_field value = {.kind = (avro_kind)MEMBER,
                            .offset = i * sizeof(avro_tuple_field),
                            .present_offset = AVRO_NO_PRESENCE};

        if (id < 0 || id > INT32_MAX) {
            return context(c, invalid(c, "its field id is missing or wrong"), member);
        }
        template[i].field_id = (int32_t)id;
        TRY(context(c, compile(c, json_get(member, "type"), t->space, &value, 0, &inner), member));
    }
    add_step(c, d,
             (avro_step){.kind = STEP_TUPLE,
                         .size = count,
                         .offset = base + field->offset,
                         .programs = one_program(c, &inner),
                         .defaults = template},
             inner.bytes_min);
    return STATUS_OK;
}

/* --- lists --- */

/* Key and value of a map that is written as an array of records: known by their names, as their ids
 * differ from map to map. */
static status compile_pair(compiler *c, const type *t, const avro_field *value, draft *d)
{
    static const avro_field key = {.kind = AVRO_INT, .present_offset = AVRO_NO_PRESENCE};
    const json *fields = json_get(t->schema, "fields");
    bool has_key = false;

    if (t->kind != TYPE_RECORD) {
        return invalid(c, "a map that is an array of something else than records");
    }
    for (size_t i = 0; i < json_count(fields); i++) {
        const json *member = json_at(fields, i);
        str name = json_str_or(json_get(member, "name"), STR(""));
        const avro_field *field = NULL;

        if (str_equal(name, STR("key"))) {
            field = &key;
            has_key = true;
        } else if (str_equal(name, STR("value"))) {
            field = value;
        }
        TRY(context(c, compile(c, json_get(member, "type"), t->space, field, 0, d), member));
    }
    return has_key ? STATUS_OK : invalid(c, "a map without keys");
}

typedef struct list_info {
    avro_kind item; /* of a list's items, or of a map's values */
    size_t size;
    bool is_map;
    size_t value_offset;
} list_info;

static list_info describe_list(const avro_field *field)
{
    switch (field->kind) {
    case AVRO_LIST_INT:
        return (list_info){.item = AVRO_INT, .size = sizeof(int32_t)};
    case AVRO_LIST_LONG:
        return (list_info){.item = AVRO_LONG, .size = sizeof(int64_t)};
    case AVRO_MAP_INT_LONG:
        return (list_info){.item = AVRO_LONG,
                           .size = sizeof(avro_int_long),
                           .is_map = true,
                           .value_offset = offsetof(avro_int_long, value)};
    case AVRO_MAP_INT_BYTES:
        return (list_info){.item = AVRO_BYTES,
                           .size = sizeof(avro_int_bytes),
                           .is_map = true,
                           .value_offset = offsetof(avro_int_bytes, value)};
    default:
        return (list_info){.item = AVRO_RECORD, .size = field->nested->size};
    }
}

/* What nearly every manifest has: an array of records of a key and a value, neither of them a union. */
static bool is_plain_pair(const avro_step *steps, size_t count, const list_info *info)
{
    avro_step_kind value = info->item == AVRO_LONG ? STEP_LONG : STEP_BYTES;

    return count == 2 && steps[0].kind == STEP_INT && steps[0].offset == 0 &&
           steps[1].kind == value && steps[1].offset == info->value_offset;
}

static status compile_list(compiler *c, const type *t, const avro_field *field, size_t base,
                           draft *d)
{
    list_info info = describe_list(field);
    avro_field value = {.kind = info.item,
                        .offset = info.value_offset,
                        .present_offset = DROP_WHERE_NULL,
                        .nested = field->nested};
    avro_step step = {.kind = t->kind == TYPE_MAP ? STEP_KEYED_LIST : STEP_LIST,
                      .size = info.size,
                      .offset = base + field->offset,
                      .defaults = info.item == AVRO_RECORD ? field->nested->defaults : NULL};
    draft inner = {.bytes_min = 0};
    type item;

    if (t->kind == TYPE_MAP) {
        inner.bytes_min = 1; /* the key */
        TRY(compile(c, json_get(t->schema, "values"), t->space, &value, 0, &inner));
    } else if (info.is_map) {
        TRY(resolve(c, json_get(t->schema, "items"), t->space, &item));
        TRY(compile_pair(c, &item, &value, &inner));
    } else {
        TRY(compile(c, json_get(t->schema, "items"), t->space, &value, 0, &inner));
    }
    TRY(item_program(c, &inner, &step.programs));
    if (info.is_map) {
        step.keys = c->keys;
        if (step.kind == STEP_LIST && is_plain_pair(inner.steps.items, inner.steps.count, &info)) {
            step.kind = info.item == AVRO_LONG ? STEP_PAIRS_LONG : STEP_PAIRS_BYTES;
        }
    }
    add_step(c, d, step, 1);
    return STATUS_OK;
}

static status skip_list(compiler *c, const type *t, draft *d)
{
    avro_step step = {.kind = STEP_SKIP_BLOCKS};
    draft inner = {.bytes_min = 0};

    if (t->kind == TYPE_MAP) {
        add_step(c, &inner, (avro_step){.kind = STEP_SKIP_BYTES}, 1);
    }
    TRY(compile(c, json_get(t->schema, t->kind == TYPE_MAP ? "values" : "items"), t->space, NULL, 0,
                &inner));
    TRY(item_program(c, &inner, &step.programs));
    add_step(c, d, step, 1);
    return STATUS_OK;
}

/* --- unions --- */

static void compile_null(compiler *c, const avro_field *field, size_t base, draft *d)
{
    if (field == NULL || field->present_offset == AVRO_NO_PRESENCE) {
        return;
    }
    if (field->present_offset == DROP_WHERE_NULL) {
        add_step(c, d, (avro_step){.kind = STEP_DROP_ITEM}, 0);
    } else {
        add_step(
            c, d,
            (avro_step){.kind = STEP_MARK_ABSENT, .offset = base + (size_t)field->present_offset},
            0);
    }
}

static status compile_union(compiler *c, const type *t, const avro_field *field, size_t base,
                            draft *d)
{
    size_t count = json_count(t->schema);
    avro_program *branches = ARENA_ARRAY(c->a, avro_program, count);
    size_t bytes_min = SIZE_MAX;

    if (count == 0) {
        return invalid(c, "a union without branches");
    }
    for (size_t i = 0; i < count; i++) {
        draft branch = {.bytes_min = 0};

        TRY(compile(c, json_at(t->schema, i), t->space, field, base, &branch));
        branches[i] = finish(&branch);
        bytes_min = branch.bytes_min < bytes_min ? branch.bytes_min : bytes_min;
    }
    add_step(c, d, (avro_step){.kind = STEP_UNION, .size = count, .programs = branches},
             bytes_min + 1);
    return STATUS_OK;
}

/* --- values --- */

static const size_t scalar_bytes[TYPE_COUNT] = {
    [TYPE_BOOLEAN] = 1, [TYPE_INT] = 1,   [TYPE_LONG] = 1,   [TYPE_FLOAT] = 4,
    [TYPE_DOUBLE] = 8,  [TYPE_BYTES] = 1, [TYPE_STRING] = 1, [TYPE_ENUM] = 1,
};

static status compile_skip(compiler *c, const type *t, draft *d)
{
    avro_step step = {.size = t->kind == TYPE_FIXED ? t->size : scalar_bytes[t->kind]};

    switch (t->kind) {
    case TYPE_RECORD:
        return compile_record(c, t, NULL, 0, d);
    case TYPE_ARRAY:
    case TYPE_MAP:
        return skip_list(c, t, d);
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_ENUM:
        step.kind = STEP_SKIP_NUMBER;
        break;
    case TYPE_BYTES:
    case TYPE_STRING:
        step.kind = STEP_SKIP_BYTES;
        break;
    default:
        step.kind = STEP_SKIP_FIXED;
        break;
    }
    if (step.size > 0) {
        add_step(c, d, step, step.size);
    }
    return STATUS_OK;
}

typedef struct conversion {
    int kind;
    type_kind type;
    avro_step_kind step;
} conversion;

/* Which scalar types a kind takes. A long is read as an int where its value fits: PyIceberg
 * writes lists of ids as longs. */
static const conversion conversions[] = {
    {AVRO_BOOL, TYPE_BOOLEAN, STEP_BOOL},    {AVRO_INT, TYPE_INT, STEP_INT},
    {AVRO_INT, TYPE_LONG, STEP_INT},         {AVRO_LONG, TYPE_INT, STEP_LONG},
    {AVRO_LONG, TYPE_LONG, STEP_LONG},       {AVRO_BYTES, TYPE_BYTES, STEP_BYTES},
    {AVRO_BYTES, TYPE_STRING, STEP_BYTES},   {AVRO_BYTES, TYPE_FIXED, STEP_FIXED},
    {AVRO_STRING, TYPE_STRING, STEP_BYTES},  {MEMBER, TYPE_BOOLEAN, STEP_MEMBER_BOOL},
    {MEMBER, TYPE_INT, STEP_MEMBER_INT},     {MEMBER, TYPE_LONG, STEP_MEMBER_LONG},
    {MEMBER, TYPE_FLOAT, STEP_MEMBER_FIXED}, {MEMBER, TYPE_DOUBLE, STEP_MEMBER_FIXED},
    {MEMBER, TYPE_BYTES, STEP_MEMBER_BYTES}, {MEMBER, TYPE_STRING, STEP_MEMBER_BYTES},
    {MEMBER, TYPE_FIXED, STEP_MEMBER_FIXED},
};

static status wrong_type(compiler *c, const type *t, const avro_field *field)
{
    static const char *const wanted[] = {
        [AVRO_BOOL] = "a boolean",
        [AVRO_INT] = "an int",
        [AVRO_LONG] = "a long",
        [AVRO_BYTES] = "bytes",
        [AVRO_STRING] = "a string",
        [AVRO_RECORD] = "a record",
        [AVRO_LIST_INT] = "a list of ints",
        [AVRO_LIST_LONG] = "a list of longs",
        [AVRO_LIST_RECORD] = "a list of records",
        [AVRO_MAP_INT_LONG] = "a map of longs",
        [AVRO_MAP_INT_BYTES] = "a map of bytes",
        [AVRO_TUPLE] = "a record",
        [MEMBER] = "a partition value",
    };

    return error_set(c->err, STATUS_INVALID, "Avro type %.*s cannot be read as %s",
                     STR_ARG(type_names[t->kind]), wanted[field->kind]);
}

static status compile_scalar(compiler *c, const type *t, const avro_field *field, size_t base,
                             draft *d)
{
    size_t size = t->kind == TYPE_FIXED ? t->size : scalar_bytes[t->kind];

    for (size_t i = 0; i < COUNT_OF(conversions); i++) {
        const conversion *row = &conversions[i];

        if (row->kind == (int)field->kind && row->type == t->kind) {
            add_step(c, d,
                     (avro_step){.kind = row->step, .size = size, .offset = base + field->offset},
                     size);
            return STATUS_OK;
        }
    }
    return wrong_type(c, t, field);
}

static status compile_store(compiler *c, const type *t, const avro_field *field, size_t base,
                            draft *d)
{
    switch ((int)field->kind) {
    case AVRO_RECORD:
        if (t->kind != TYPE_RECORD) {
            return wrong_type(c, t, field);
        }
        TRY(compile_record(c, t, field->nested, base + field->offset, d));
        break;
    case AVRO_TUPLE:
        if (t->kind != TYPE_RECORD) {
            return wrong_type(c, t, field);
        }
        TRY(compile_tuple(c, t, field, base, d));
        break;
    case AVRO_LIST_INT:
    case AVRO_LIST_LONG:
    case AVRO_LIST_RECORD:
    case AVRO_MAP_INT_LONG:
    case AVRO_MAP_INT_BYTES:
        if (t->kind != TYPE_ARRAY && !(t->kind == TYPE_MAP && describe_list(field).is_map)) {
            return wrong_type(c, t, field);
        }
        TRY(compile_list(c, t, field, base, d));
        break;
    default:
        TRY(compile_scalar(c, t, field, base, d));
        break;
    }
    if (field->present_offset >= 0) {
        add_step(
            c, d,
            (avro_step){.kind = STEP_MARK_PRESENT, .offset = base + (size_t)field->present_offset},
            0);
    }
    return STATUS_OK;
}

static status compile(compiler *c, const json *schema, str space, const avro_field *field,
                      size_t base, draft *d)
{
    status kind;
    type t;

    if (++c->visits > VISITS_MAX) {
        return error_set(c->err, STATUS_TOO_LARGE, "the Avro schema is too large");
    }
    TRY(resolve(c, schema, space, &t));
    if (c->depth >= DEPTH_MAX) {
        return error_set(c->err, STATUS_UNSUPPORTED,
                         "the Avro schema is nested deeper than %d levels or contains itself",
                         DEPTH_MAX);
    }
    c->depth++;
    if (t.kind == TYPE_UNION) {
        kind = compile_union(c, &t, field, base, d);
    } else if (t.kind == TYPE_NULL) {
        compile_null(c, field, base, d);
        kind = STATUS_OK;
    } else if (field == NULL) {
        kind = compile_skip(c, &t, d);
    } else {
        kind = compile_store(c, &t, field, base, d);
    }
    c->depth--;
    return kind;
}

status avro__compile(const json *schema, const avro_shape *shape, arena *a,
                     avro_program *ret_program, error *err)
{
    compiler c = {.a = a,
                  .names = map_create(a),
                  .keys = {.items = shape->keys, .count = shape->key_count},
                  .err = err};
    draft d = {.bytes_min = 0};
    type t;

    TRY(resolve(&c, schema, STR(""), &t));
    if (t.kind != TYPE_RECORD) {
        return error_set(err, STATUS_INVALID, "the Avro schema is not that of a record");
    }
    TRY(compile_record(&c, &t, shape, 0, &d));
    *ret_program = finish(&d);
    return STATUS_OK;
}

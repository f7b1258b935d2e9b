/* The scalar functions that tarn adds to DuckDB for writing tables.
 *
 * tarn_bucket(value, n): Iceberg's bucket transform (specification, Appendix B): NULL for NULL, else
 * (hash & 2^31-1) mod n. The hash itself is the iceberg module's; the other transforms are plain SQL. */
#include "worker/session.h"

#include "tarn/iceberg/partition.h"

/* Types that can be bucketed. Integers hash as longs whatever their width. */
typedef struct bucket_source {
    duck_type duck;
    ice_kind kind;
} bucket_source;

static const bucket_source bucket_sources[] = {
    {DUCK_TINYINT, ICE_INT},
    {DUCK_SMALLINT, ICE_INT},
    {DUCK_INTEGER, ICE_INT},
    {DUCK_BIGINT, ICE_LONG},
    {DUCK_DATE, ICE_DATE},
    {DUCK_TIME, ICE_TIME},
    {DUCK_TIMESTAMP, ICE_TIMESTAMP},
    {DUCK_TIMESTAMP_TZ, ICE_TIMESTAMPTZ},
    {DUCK_TIMESTAMP_NS, ICE_TIMESTAMP_NS},
    {DUCK_DECIMAL, ICE_DECIMAL},
    {DUCK_VARCHAR, ICE_STRING},
    {DUCK_UUID, ICE_UUID},
    {DUCK_BLOB, ICE_BINARY},
};

static const bucket_source *find_source(duck_type type)
{
    for (size_t i = 0; i < COUNT_OF(bucket_sources); i++) {
        if (bucket_sources[i].duck == type) {
            return &bucket_sources[i];
        }
    }
    return NULL;
}

/* What the values of one input vector are read with. */
typedef struct bucket_input {
    const void *data;
    const uint64_t *validity;
    duck_type physical; /* how wide the integers are */
    ice_type type;
} bucket_input;

#define ITEM(input, T, row) (((const T *)(input)->data)[row])

static void read_uuid(const duck_hugeint *from, char *ret_bytes)
{
    uint64_t halves[2] = {(uint64_t)from->upper ^ (UINT64_C(1) << 63), from->lower};

    for (int i = 0; i < 16; i++) {
        ret_bytes[i] = (char)(halves[i / 8] >> (56 - 8 * (i % 8)));
    }
}

static int64_t read_integer(const bucket_input *input, duck_index row)
{
    switch ((int)input->physical) {
    case DUCK_TINYINT:
        return ITEM(input, int8_t, row);
    case DUCK_SMALLINT:
        return ITEM(input, int16_t, row);
    case DUCK_INTEGER:
    case DUCK_DATE:
        return ITEM(input, int32_t, row);
    default:
        return ITEM(input, int64_t, row);
    }
}

static void read_decimal(const bucket_input *input, duck_index row, ice_value *value)
{
    if (input->physical == DUCK_HUGEINT) {
        value->integer = (int64_t)ITEM(input, duck_hugeint, row).lower;
        value->high = ITEM(input, duck_hugeint, row).upper;
        return;
    }
    value->integer = read_integer(input, row);
    value->high = value->integer < 0 ? -1 : 0;
}

/* `uuid` has room for 16 bytes, which the value then points to. */
static ice_value read_value(const bucket_input *input, duck_index row, char *uuid)
{
    ice_value value = {.kind = input->type.kind, .scale = input->type.scale};

    switch ((int)input->type.kind) {
    case ICE_DECIMAL:
        read_decimal(input, row, &value);
        break;
    case ICE_STRING:
    case ICE_BINARY: {
        const duck_string *text = &ITEM(input, duck_string, row);
        value.bytes = str_from(duck_string_data(text), duck_string_size(text));
        break;
    }
    case ICE_UUID:
        read_uuid(&ITEM(input, duck_hugeint, row), uuid);
        value.bytes = str_from(uuid, 16);
        break;
    default:
        value.integer = read_integer(input, row);
    }
    return value;
}

static bool is_valid(const uint64_t *validity, duck_index row)
{
    return validity == NULL || (validity[row / 64] >> (row % 64) & 1) != 0;
}

/* What the values are is seen in the vector: the parameter takes any type. */
static bool open_input(duck_vector *values, bucket_input *ret_input)
{
    duck_logical_type *type = duck.vector_get_column_type(values);
    duck_type id = (duck_type)duck.get_type_id(type);
    const bucket_source *source = find_source(id);

    *ret_input = (bucket_input){.data = duck.vector_get_data(values),
                                .validity = duck.vector_get_validity(values),
                                .physical = id};
    if (source != NULL) {
        ret_input->type.kind = source->kind;
    }
    if (id == DUCK_DECIMAL) {
        ret_input->physical = (duck_type)duck.decimal_internal_type(type);
        ret_input->type.precision = duck.decimal_width(type);
        ret_input->type.scale = duck.decimal_scale(type);
    }
    duck.destroy_logical_type(&type);
    return source != NULL;
}

/* Runs on any thread of DuckDB's. */
static void bucket_call(duck_function_info *info, duck_chunk *chunk, duck_vector *output)
{
    duck_vector *counts = duck.data_chunk_get_vector(chunk, 1);
    const int32_t *count = duck.vector_get_data(counts);
    const uint64_t *count_validity = duck.vector_get_validity(counts);
    int32_t *result = duck.vector_get_data(output);
    bucket_input input;
    uint64_t *validity;

    if (!open_input(duck.data_chunk_get_vector(chunk, 0), &input)) {
        duck.scalar_function_set_error(info, "values of this type cannot be put into buckets");
        return;
    }
    duck.vector_ensure_validity_writable(output);
    validity = duck.vector_get_validity(output);
    for (duck_index row = 0; row < duck.data_chunk_get_size(chunk); row++) {
        char uuid[16];
        ice_value value;

        if (!is_valid(input.validity, row) || !is_valid(count_validity, row)) {
            validity[row / 64] &= ~(UINT64_C(1) << (row % 64));
            continue;
        }
        if (count[row] < 1) {
            duck.scalar_function_set_error(info, "a bucket count must be positive");
            return;
        }
        value = read_value(&input, row, uuid);
        result[row] =
            (int32_t)((ice_bucket_hash(&input.type, &value) & INT32_MAX) % (uint32_t)count[row]);
    }
}

status session_add_functions(duck_connection *connection, error *err)
{
    duck_scalar_function *function = duck.create_scalar_function();
    duck_logical_type *any = duck.create_logical_type(DUCK_ANY);
    duck_logical_type *integer = duck.create_logical_type(DUCK_INTEGER);
    bool is_added;

    duck.scalar_function_set_name(function, "tarn_bucket");
    duck.scalar_function_add_parameter(function, any);
    duck.scalar_function_add_parameter(function, integer);
    duck.scalar_function_set_return_type(function, integer);
    duck.scalar_function_set_function(function, bucket_call);
    is_added = duck.register_scalar_function(connection, function) == DUCK_SUCCESS;
    duck.destroy_scalar_function(&function);
    duck.destroy_logical_type(&any);
    duck.destroy_logical_type(&integer);
    return is_added ? STATUS_OK
                    : error_set(err, STATUS_UNAVAILABLE,
                                "DuckDB does not take the function \"tarn_bucket\"");
}

/* The aggregate function that tarn adds to DuckDB for ANALYZE.
 *
 * tarn_theta(value): how many different values a column has, as a theta sketch in its compact form, written in
 * hexadecimal digits. A value's bytes are those of Iceberg's single-value serialization (specification, Appendix D).
 * Memory is bounded: a sketch holds at most some thousand hashes, whatever the column holds. */
#include <string.h>

#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/codec/theta.h"
#include "worker/session.h"

typedef struct state {
    theta_sketch *sketch; /* NULL until the first value */
} state;

typedef struct column {
    const void *data;
    const uint64_t *validity;
    duck_type type, physical;
} column;

static duck_index state_size(duck_function_info *info)
{
    (void)info;
    return sizeof(state);
}

static void init(duck_function_info *info, duck_aggregate_state *given)
{
    state empty = {0};
    (void)info;
    memcpy(given, &empty, sizeof(empty));
}

static state *state_at(duck_aggregate_state **states, duck_index i)
{
    return (state *)(void *)states[i];
}

static theta_sketch *sketch_at(duck_aggregate_state **states, duck_index i)
{
    state *s = state_at(states, i);
    if (s->sketch == NULL) {
        s->sketch = theta_create();
    }
    return s->sketch;
}

static void put_big_endian(uint64_t upper, uint64_t lower, uint8_t *ret_bytes)
{
    for (int i = 0; i < 8; i++) {
        ret_bytes[i] = (uint8_t)(upper >> (56 - 8 * i));
        ret_bytes[8 + i] = (uint8_t)(lower >> (56 - 8 * i));
    }
}

static void add_uuid(theta_sketch *s, const duck_hugeint *value)
{
    uint8_t bytes[16];
    put_big_endian((uint64_t)value->upper ^ (UINT64_C(1) << 63), value->lower, bytes);
    theta_update(s, bytes, sizeof(bytes));
}

static int64_t integer_at(const column *c, duck_index row)
{
    switch ((int)c->physical) {
    case DUCK_SMALLINT:
        return ((const int16_t *)c->data)[row];
    case DUCK_INTEGER:
        return ((const int32_t *)c->data)[row];
    default:
        return ((const int64_t *)c->data)[row];
    }
}

/* Two's complement, the highest byte first, no more bytes than the value needs. */
static void add_decimal(theta_sketch *s, const column *c, duck_index row)
{
    uint8_t bytes[16];
    size_t from = 0;
    if (c->physical == DUCK_HUGEINT) {
        const duck_hugeint *value = &((const duck_hugeint *)c->data)[row];
        put_big_endian((uint64_t)value->upper, value->lower, bytes);
    } else {
        int64_t value = integer_at(c, row);
        put_big_endian(value < 0 ? UINT64_MAX : 0, (uint64_t)value, bytes);
    }
    while (from < 15 && ((bytes[from] == 0 && bytes[from + 1] < 0x80) ||
                         (bytes[from] == 0xff && bytes[from + 1] >= 0x80))) {
        from++;
    }
    theta_update(s, bytes + from, sizeof(bytes) - from);
}

/* How many bytes a value has that is stored as it is hashed, the lowest byte first; 0: others. */
static size_t plain_size(duck_type type)
{
    switch ((int)type) {
    case DUCK_BOOLEAN:
        return 1;
    case DUCK_INTEGER:
    case DUCK_DATE:
    case DUCK_FLOAT:
        return 4;
    case DUCK_BIGINT:
    case DUCK_DOUBLE:
    case DUCK_TIME:
    case DUCK_TIMESTAMP:
    case DUCK_TIMESTAMP_TZ:
    case DUCK_TIMESTAMP_NS:
        return 8;
    default:
        return 0;
    }
}

static bool open_column(duck_vector *values, column *ret_column)
{
    duck_logical_type *type = duck.vector_get_column_type(values);
    duck_type id = (duck_type)duck.get_type_id(type);
    *ret_column = (column){.data = duck.vector_get_data(values),
                           .validity = duck.vector_get_validity(values),
                           .type = id,
                           .physical = id};
    if (id == DUCK_DECIMAL) {
        ret_column->physical = (duck_type)duck.decimal_internal_type(type);
    }
    duck.destroy_logical_type(&type);
    return plain_size(id) > 0 || id == DUCK_DECIMAL || id == DUCK_UUID || id == DUCK_VARCHAR ||
           id == DUCK_BLOB;
}

static void add_value(theta_sketch *s, const column *c, duck_index row)
{
    size_t size = plain_size(c->type);
    if (size > 0) {
        theta_update(s, (const char *)c->data + row * size, size);
    } else if (c->type == DUCK_DECIMAL) {
        add_decimal(s, c, row);
    } else if (c->type == DUCK_UUID) {
        add_uuid(s, &((const duck_hugeint *)c->data)[row]);
    } else {
        const duck_string *text = &((const duck_string *)c->data)[row];
        theta_update(s, duck_string_data(text), duck_string_size(text));
    }
}

/* Runs on any thread of DuckDB's; a state belongs to one at a time. */
static void update(duck_function_info *info, duck_chunk *input, duck_aggregate_state **states)
{
    column c;
    if (!open_column(duck.data_chunk_get_vector(input, 0), &c)) {
        duck.aggregate_function_set_error(info, "values of this type cannot be counted");
        return;
    }
    for (duck_index row = 0; row < duck.data_chunk_get_size(input); row++) {
        if (c.validity == NULL || (c.validity[row / 64] >> (row % 64) & 1) != 0) {
            add_value(sketch_at(states, row), &c, row);
        }
    }
}

static void combine(duck_function_info *info, duck_aggregate_state **source,
                    duck_aggregate_state **target, duck_index count)
{
    (void)info;
    for (duck_index i = 0; i < count; i++) {
        const state *from = state_at(source, i);
        if (from->sketch != NULL) {
            theta_merge(sketch_at(target, i), from->sketch);
        }
    }
}

static void finalize(duck_function_info *info, duck_aggregate_state **states, duck_vector *result,
                     duck_index count, duck_index offset)
{
    arena *a = arena_create();
    (void)info;
    for (duck_index i = 0; i < count; i++) {
        buf *bytes = buf_in(a, LIMIT_MIB);
        theta_format(sketch_at(states, i), bytes);
        str hex = str_to_hex(a, bytes->data, bytes->size);
        duck.vector_assign_string_element_len(result, offset + i, hex.data, hex.size);
    }
    arena_free(a);
}

static void destroy(duck_aggregate_state **states, duck_index count)
{
    for (duck_index i = 0; i < count; i++) {
        state *s = state_at(states, i);
        theta_free(s->sketch);
        s->sketch = NULL;
    }
}

status session_add_theta(duck_connection *connection, error *err)
{
    duck_aggregate_function *made = duck.create_aggregate_function();
    duck_logical_type *any = duck.create_logical_type(DUCK_ANY);
    duck_logical_type *text = duck.create_logical_type(DUCK_VARCHAR);
    bool is_added;

    duck.aggregate_function_set_name(made, "tarn_theta");
    duck.aggregate_function_add_parameter(made, any);
    duck.aggregate_function_set_return_type(made, text);
    duck.aggregate_function_set_functions(made, state_size, init, update, combine, finalize);
    duck.aggregate_function_set_destructor(made, destroy);
    is_added = duck.register_aggregate_function(connection, made) == DUCK_SUCCESS;
    duck.destroy_aggregate_function(&made);
    duck.destroy_logical_type(&any);
    duck.destroy_logical_type(&text);
    return is_added ? STATUS_OK
                    : error_set(err, STATUS_UNAVAILABLE,
                                "DuckDB does not take the function \"tarn_theta\"");
}

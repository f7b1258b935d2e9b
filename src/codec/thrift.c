/* Thrift's compact protocol. Every length and count is compared with the bytes that are left
 * before it is used; nesting is limited. */
#include "thrift.h"

#include <string.h>

#include "tarn/base/error.h"

enum { DEPTH_MAX = 32, LIST_COUNT_IS_NUMBER = 15 };

typedef enum wire_type {
    WIRE_STOP,
    WIRE_TRUE,
    WIRE_FALSE,
    WIRE_I8,
    WIRE_I16,
    WIRE_I32,
    WIRE_I64,
    WIRE_DOUBLE,
    WIRE_BINARY,
    WIRE_LIST,
    WIRE_SET,
    WIRE_MAP,
    WIRE_STRUCT,
    WIRE_UUID,
} wire_type;

static bool fail(thrift_input *in, const char *reason)
{
    in->reason = reason;
    return false;
}

static size_t left(const thrift_input *in)
{
    return (size_t)(in->end - in->at);
}

static bool read_byte(thrift_input *in, uint8_t *ret_byte)
{
    if (in->at == in->end) {
        return fail(in, "it ends too early");
    }
    *ret_byte = *in->at++;
    return true;
}

static bool read_varint(thrift_input *in, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte;

        if (!read_byte(in, &byte)) {
            return false;
        }
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return fail(in, "a number has more than 64 bits");
}

static bool read_zigzag(thrift_input *in, int64_t *ret_value)
{
    uint64_t value;

    if (!read_varint(in, &value)) {
        return false;
    }
    *ret_value = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    return true;
}

static bool read_bytes(thrift_input *in, str *ret_bytes)
{
    uint64_t size;

    if (!read_varint(in, &size)) {
        return false;
    }
    if (size > left(in)) {
        return fail(in, "a length does not fit");
    }
    *ret_bytes = str_from((const char *)in->at, (size_t)size);
    in->at += size;
    return true;
}

/* Every item takes at least a byte. */
static bool read_list_head(thrift_input *in, uint8_t *ret_type, size_t *ret_count)
{
    uint8_t head;
    uint64_t count;

    if (!read_byte(in, &head)) {
        return false;
    }
    count = head >> 4;
    if (count == LIST_COUNT_IS_NUMBER && !read_varint(in, &count)) {
        return false;
    }
    if (count > left(in)) {
        return fail(in, "more items are counted than can follow");
    }
    *ret_type = head & 0x0f;
    *ret_count = (size_t)count;
    return true;
}

/* The head of a field; WIRE_STOP at the end of the struct. */
static bool read_field_head(thrift_input *in, int *id, uint8_t *ret_type)
{
    uint8_t head;
    int64_t number;

    if (!read_byte(in, &head)) {
        return false;
    }
    *ret_type = head & 0x0f;
    if (head == WIRE_STOP) {
        return true;
    }
    if (head >> 4 != 0) {
        *id += head >> 4;
    } else {
        if (!read_zigzag(in, &number)) {
            return false;
        }
        if (number < INT16_MIN || number > INT16_MAX) {
            return fail(in, "a field number is wrong");
        }
        *id = (int)number;
    }
    return *id <= INT16_MAX || fail(in, "a field number is wrong");
}

/* --- skipping --- */

static bool skip(thrift_input *in, uint8_t type);

static bool skip_struct(thrift_input *in)
{
    int id = 0;
    uint8_t type;

    for (;;) {
        if (!read_field_head(in, &id, &type)) {
            return false;
        }
        if (type == WIRE_STOP) {
            return true;
        }
        if (!skip(in, type)) {
            return false;
        }
    }
}

/* In lists and maps a boolean is a byte, in fields it is in the head. */
static bool skip_item(thrift_input *in, uint8_t type)
{
    uint8_t byte;

    return type == WIRE_TRUE || type == WIRE_FALSE ? read_byte(in, &byte) : skip(in, type);
}

static bool skip_list(thrift_input *in)
{
    uint8_t type;
    size_t count;

    if (!read_list_head(in, &type, &count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!skip_item(in, type)) {
            return false;
        }
    }
    return true;
}

static bool skip_map(thrift_input *in)
{
    uint64_t count;
    uint8_t types;

    if (!read_varint(in, &count)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    if (!read_byte(in, &types)) {
        return false;
    }
    if (count > left(in)) {
        return fail(in, "more items are counted than can follow");
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!skip_item(in, types >> 4) || !skip_item(in, types & 0x0f)) {
            return false;
        }
    }
    return true;
}

static bool skip_fixed(thrift_input *in, size_t size)
{
    if (size > left(in)) {
        return fail(in, "it ends too early");
    }
    in->at += size;
    return true;
}

static bool skip_nested(thrift_input *in, uint8_t type)
{
    bool ok;

    if (in->depth >= DEPTH_MAX) {
        return fail(in, "it is nested too deep");
    }
    in->depth++;
    if (type == WIRE_MAP) {
        ok = skip_map(in);
    } else {
        ok = type == WIRE_STRUCT ? skip_struct(in) : skip_list(in);
    }
    in->depth--;
    return ok;
}

static bool skip(thrift_input *in, uint8_t type)
{
    uint64_t number;
    str bytes;

    switch (type) {
    case WIRE_TRUE:
    case WIRE_FALSE:
        return true;
    case WIRE_I8:
        return skip_fixed(in, 1);
    case WIRE_I16:
    case WIRE_I32:
    case WIRE_I64:
        return read_varint(in, &number);
    case WIRE_DOUBLE:
        return skip_fixed(in, 8);
    case WIRE_UUID:
        return skip_fixed(in, 16);
    case WIRE_BINARY:
        return read_bytes(in, &bytes);
    case WIRE_LIST:
    case WIRE_SET:
    case WIRE_MAP:
    case WIRE_STRUCT:
        return skip_nested(in, type);
    default:
        return fail(in, "a type is unknown");
    }
}

/* --- reading --- */

static void *take_memory(thrift_input *in, size_t count, size_t item_size)
{
    size_t size = mem_product(count, item_size);

    if (size > in->left_bytes) {
        in->too_large = true;
        (void)fail(in, "its lists take too much memory");
        return NULL;
    }
    in->left_bytes -= size;
    return arena_alloc(in->a, size);
}

static void reset(const thrift_shape *shape, void *target)
{
    if (shape->defaults != NULL) {
        memcpy(target, shape->defaults, shape->size);
    } else {
        memset(target, 0, shape->size);
    }
}

static bool read_item(thrift_input *in, const thrift_shape *shape, size_t index, void *raw,
                      void *item)
{
    void *into = raw != NULL ? raw : item;
    const char *reason;

    reset(shape, into);
    if (!thrift_read(in, shape, into)) {
        return false;
    }
    if (raw == NULL) {
        return true;
    }
    reason = shape->finish(in->context, index, raw, item);
    return reason == NULL || fail(in, reason);
}

static bool read_list(thrift_input *in, const thrift_shape *shape, thrift_list *list)
{
    size_t item_size = shape->item_size > 0 ? shape->item_size : shape->size;
    void *raw = NULL;
    char *items;
    uint8_t type;
    size_t count;

    if (!read_list_head(in, &type, &count)) {
        return false;
    }
    if (count > 0 && type != WIRE_STRUCT) {
        return fail(in, "a list has items of a wrong type");
    }
    items = take_memory(in, count, item_size);
    if (items == NULL) {
        return false;
    }
    if (shape->item_size > 0) {
        raw = take_memory(in, 1, shape->size);
        if (raw == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!read_item(in, shape, i, raw, items + i * item_size)) {
            return false;
        }
    }
    *list = (thrift_list){.items = items, .count = count};
    return true;
}

static bool read_int(thrift_input *in, uint8_t type, int64_t min, int64_t max, int64_t *ret_value)
{
    uint8_t byte;

    if (type == WIRE_I8) {
        if (!read_byte(in, &byte)) {
            return false;
        }
        *ret_value = (int8_t)byte;
        return true;
    }
    if (!read_zigzag(in, ret_value)) {
        return false;
    }
    return (*ret_value >= min && *ret_value <= max) || fail(in, "a number is out of range");
}

static bool read_value(thrift_input *in, const thrift_field *field, uint8_t type, char *at)
{
    int64_t number;

    switch (field->kind) {
    case THRIFT_BOOL:
        *(bool *)at = type == WIRE_TRUE;
        return true;
    case THRIFT_INT32:
        if (!read_int(in, type, INT32_MIN, INT32_MAX, &number)) {
            return false;
        }
        *(int32_t *)(void *)at = (int32_t)number;
        return true;
    case THRIFT_INT64:
        return read_int(in, type, INT64_MIN, INT64_MAX, (int64_t *)(void *)at);
    case THRIFT_BYTES:
        return read_bytes(in, (str *)(void *)at);
    case THRIFT_STRUCT:
        return thrift_read(in, field->nested, at);
    case THRIFT_LIST:
        return read_list(in, field->nested, (thrift_list *)(void *)at);
    }
    return false;
}

static bool type_fits(thrift_kind kind, uint8_t type)
{
    switch (kind) {
    case THRIFT_BOOL:
        return type == WIRE_TRUE || type == WIRE_FALSE;
    case THRIFT_INT32:
        return type >= WIRE_I8 && type <= WIRE_I32;
    case THRIFT_INT64:
        return type >= WIRE_I8 && type <= WIRE_I64;
    case THRIFT_BYTES:
        return type == WIRE_BINARY;
    case THRIFT_STRUCT:
        return type == WIRE_STRUCT;
    case THRIFT_LIST:
        return type == WIRE_LIST;
    }
    return false;
}

static const thrift_field *find_field(const thrift_shape *shape, int id)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].id == id) {
            return &shape->fields[i];
        }
    }
    return NULL;
}

static bool read_fields(thrift_input *in, const thrift_shape *shape, char *target)
{
    int id = 0;
    uint8_t type;

    for (;;) {
        const thrift_field *field;

        if (!read_field_head(in, &id, &type)) {
            return false;
        }
        if (type == WIRE_STOP) {
            return true;
        }
        field = find_field(shape, id);
        if (field == NULL) {
            if (!skip(in, type)) {
                return false;
            }
            continue;
        }
        if (!type_fits(field->kind, type)) {
            return fail(in, "a field has a wrong type");
        }
        if (!read_value(in, field, type, target + field->offset)) {
            return false;
        }
        if (field->present_offset != THRIFT_NO_PRESENCE) {
            *(bool *)(target + field->present_offset) = true;
        }
    }
}

bool thrift_read(thrift_input *in, const thrift_shape *shape, void *target)
{
    bool ok;

    if (in->depth >= DEPTH_MAX) {
        return fail(in, "it is nested too deep");
    }
    in->depth++;
    ok = read_fields(in, shape, target);
    in->depth--;
    return ok;
}

/* Runs compiled Avro programs over bytes: the inner loop of reading manifests.
 *
 * Invariant: no step reads beyond in->end, and no length or count from the input is used before
 * it was compared with the bytes that are left, so that memory and time are bounded by the
 * input's size. */
#include <limits.h>

#include "avro_program.h"
#include "tarn/base/limits.h"

static bool fail(avro_input *in, const char *reason)
{
    in->reason = reason;
    return false;
}

static size_t left(const avro_input *in)
{
    return (size_t)(in->end - in->at);
}

/* --- numbers and lengths --- */

enum { VARINT_BYTES_MAX = 10 };

static bool read_long_slowly(avro_input *in, int64_t *ret_value)
{
    const uint8_t *at = in->at;
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        uint8_t byte;

        if (at == in->end) {
            return fail(in, "a number ends too early");
        }
        byte = *at++;
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            in->at = at;
            *ret_value = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
            return true;
        }
    }
    return fail(in, "a number has more than 64 bits");
}

/* Most numbers in manifests have one byte. */
static inline bool read_long(avro_input *in, int64_t *ret_value)
{
    if (in->at < in->end && *in->at < 0x80) {
        uint8_t byte = *in->at++;

        *ret_value = (int64_t)(byte >> 1) ^ -(int64_t)(byte & 1);
        return true;
    }
    return read_long_slowly(in, ret_value);
}

bool avro__read_long(avro_input *in, int64_t *ret_value)
{
    return read_long(in, ret_value);
}

static bool read_int(avro_input *in, int32_t *ret_value)
{
    const uint8_t *start = in->at;
    int64_t value;

    if (!read_long(in, &value)) {
        return false;
    }
    if (value < INT32_MIN || value > INT32_MAX) {
        in->at = start;
        return fail(in, "an int has more than 32 bits");
    }
    *ret_value = (int32_t)value;
    return true;
}

/* As skipped: numbers are not decoded. */
static inline bool skip_number(avro_input *in)
{
    if (in->at < in->end && *in->at < 0x80) {
        in->at++;
        return true;
    }
    for (int i = 0; i < VARINT_BYTES_MAX && in->at + i < in->end; i++) {
        if (in->at[i] < 0x80) {
            in->at += i + 1;
            return true;
        }
    }
    return fail(in, left(in) < VARINT_BYTES_MAX ? "a number ends too early"
                                                : "a number has more than 64 bits");
}

static inline bool take(avro_input *in, size_t size, str *ret_bytes)
{
    if (size > left(in)) {
        return fail(in, "a value is longer than what is left");
    }
    *ret_bytes = str_from((const char *)in->at, size);
    in->at += size;
    return true;
}

static inline bool read_bytes(avro_input *in, str *ret_bytes)
{
    const uint8_t *start = in->at;
    int64_t size;

    if (!read_long(in, &size)) {
        return false;
    }
    if (size < 0 || (uint64_t)size > left(in)) {
        in->at = start;
        return fail(in, "a length does not fit");
    }
    return take(in, (size_t)size, ret_bytes);
}

static bool read_bool(avro_input *in, str *ret_byte)
{
    if (in->at == in->end || *in->at > 1) {
        return fail(in, "a boolean is neither 0 nor 1");
    }
    return take(in, 1, ret_byte);
}

/* --- memory --- */

#define FIRST_PIECE_BYTES (8 * LIMIT_KIB)
#define LARGEST_PIECE_BYTES LIMIT_MIB

static bool heap_grow(avro_input *in, size_t wanted)
{
    avro_heap *heap = in->heap;
    size_t size = heap->piece_bytes > 0 ? heap->piece_bytes * 2 : FIRST_PIECE_BYTES;

    if (size > LARGEST_PIECE_BYTES) {
        size = LARGEST_PIECE_BYTES;
    }
    if (size < wanted) {
        size = wanted;
    }
    if (size > LIMIT_MANIFEST_FILE - heap->total_bytes) {
        in->too_large = true;
        return fail(in, "its lists take too much memory");
    }
    heap->piece = arena_alloc(heap->a, size);
    heap->piece_bytes = size;
    heap->used_bytes = 0;
    heap->total_bytes += size;
    return true;
}

static void *heap_take(avro_input *in, size_t size)
{
    avro_heap *heap = in->heap;
    size_t rounded = (size + 7) & ~(size_t)7;
    void *memory;

    if ((heap->piece == NULL || rounded > heap->piece_bytes - heap->used_bytes) &&
        !heap_grow(in, rounded)) {
        return NULL;
    }
    memory = heap->piece + heap->used_bytes;
    heap->used_bytes += rounded;
    return memory;
}

void avro__heap_rewind(avro_heap *heap, const avro_heap *mark)
{
    heap->used_bytes = heap->piece == mark->piece ? mark->used_bytes : 0;
}

/* --- arrays and maps --- */

/* The head of the next block of items: their count, 0 at the end; where written, their size. */
static bool read_block(avro_input *in, size_t item_bytes_min, size_t *ret_count, bool *ret_has_size,
                       size_t *ret_size)
{
    const uint8_t *start = in->at;
    int64_t count;
    int64_t size = 0;

    if (!read_long(in, &count)) {
        return false;
    }
    *ret_has_size = count < 0;
    if (count < 0) {
        if (count == INT64_MIN || !read_long(in, &size) || size < 0 || (uint64_t)size > left(in)) {
            in->at = start;
            return fail(in, "a block of items has a wrong size");
        }
        count = -count;
    }
    if ((uint64_t)count > left(in) / item_bytes_min) {
        in->at = start;
        return fail(in, "more items are counted than can follow");
    }
    *ret_count = (size_t)count;
    *ret_size = (size_t)size;
    return true;
}

static bool skip_blocks(avro_input *in, const avro_program *item)
{
    size_t count;
    size_t size;
    bool has_size;

    for (;;) {
        if (!read_block(in, item->bytes_min, &count, &has_size, &size)) {
            return false;
        }
        if (count == 0) {
            return true;
        }
        if (has_size) {
            in->at += size;
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (!avro__run(in, item, NULL)) {
                return false;
            }
        }
    }
}

static bool read_key(avro_input *in, void *item)
{
    const uint8_t *start = in->at;
    int64_t number;
    int32_t key;
    str text;

    if (!read_bytes(in, &text)) {
        return false;
    }
    if (str_to_int64(text, &number, NULL) != STATUS_OK || number < INT32_MIN ||
        number > INT32_MAX) {
        in->at = start;
        return fail(in, "a key is no 32-bit number");
    }
    key = (int32_t)number;
    memcpy(item, &key, sizeof(key));
    return true;
}

static bool is_wanted(const avro_keys *keys, int32_t key)
{
    size_t low = 0;
    size_t high = keys->count;

    if (keys->items == NULL) {
        return true;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (keys->items[middle] == key) {
            return true;
        }
        if (keys->items[middle] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static inline bool read_pair_of_long(avro_input *in, const avro_step *step, char *items,
                                     size_t *count)
{
    avro_int_long pair = {.key = 0};

    if (!read_int(in, &pair.key)) {
        return false;
    }
    if (!is_wanted(&step->keys, pair.key)) {
        return skip_number(in);
    }
    if (!read_long(in, &pair.value)) {
        return false;
    }
    memcpy(items + (*count)++ * sizeof(pair), &pair, sizeof(pair));
    return true;
}

static inline bool read_pair_of_bytes(avro_input *in, const avro_step *step, char *items,
                                      size_t *count)
{
    avro_int_bytes pair = {.key = 0};

    if (!read_int(in, &pair.key) || !read_bytes(in, &pair.value)) {
        return false;
    }
    if (is_wanted(&step->keys, pair.key)) {
        memcpy(items + (*count)++ * sizeof(pair), &pair, sizeof(pair));
    }
    return true;
}

static bool read_pairs(avro_input *in, const avro_step *step, char *items, size_t wanted,
                       size_t *count)
{
    for (size_t i = 0; i < wanted; i++) {
        if (!(step->kind == STEP_PAIRS_LONG ? read_pair_of_long(in, step, items, count)
                                            : read_pair_of_bytes(in, step, items, count))) {
            return false;
        }
    }
    return true;
}

static bool read_items(avro_input *in, const avro_step *step, char *items, size_t wanted,
                       size_t *count)
{
    if (step->kind == STEP_PAIRS_LONG || step->kind == STEP_PAIRS_BYTES) {
        return read_pairs(in, step, items, wanted, count);
    }
    for (size_t i = 0; i < wanted; i++) {
        char *item = items + *count * step->size;

        if (step->defaults != NULL) {
            memcpy(item, step->defaults, step->size);
        } else {
            memset(item, 0, step->size);
        }
        if (step->kind == STEP_KEYED_LIST && !read_key(in, item)) {
            return false;
        }
        if (!avro__run(in, step->programs, item)) {
            return false;
        }
        if (step->keys.items != NULL && !in->drop) {
            int32_t key;

            memcpy(&key, item, sizeof(key));
            in->drop = !is_wanted(&step->keys, key);
        }
        *count += in->drop ? 0 : 1;
        in->drop = false;
    }
    return true;
}

static bool read_list(avro_input *in, const avro_step *step, char *target)
{
    avro_list list = {.items = NULL, .count = 0, .present = true};
    char *items = NULL;
    size_t capacity = 0;
    size_t count;
    size_t size;
    bool has_size;

    for (;;) {
        if (!read_block(in, step->programs->bytes_min, &count, &has_size, &size)) {
            return false;
        }
        if (count == 0) {
            break;
        }
        if (list.count + count > capacity) {
            char *larger;

            capacity = list.count + (count > list.count ? count : list.count);
            larger = heap_take(in, mem_product(capacity, step->size));
            if (larger == NULL) {
                return false;
            }
            if (list.count > 0) {
                memcpy(larger, items, list.count * step->size);
            }
            items = larger;
        }
        if (!read_items(in, step, items, count, &list.count)) {
            return false;
        }
    }
    list.items = items;
    memcpy(target + step->offset, &list, sizeof(list));
    return true;
}

/* --- tuples --- */

static bool read_tuple(avro_input *in, const avro_step *step, char *target)
{
    avro_tuple tuple = {.count = step->size};
    avro_tuple_field *fields = heap_take(in, step->size * sizeof(avro_tuple_field));

    if (fields == NULL) {
        return false;
    }
    if (step->size > 0) {
        memcpy(fields, step->defaults, step->size * sizeof(avro_tuple_field));
    }
    if (!avro__run(in, step->programs, fields)) {
        return false;
    }
    tuple.fields = fields;
    memcpy(target + step->offset, &tuple, sizeof(tuple));
    return true;
}

/* Little-endian, as single values are. */
static bool put_number(avro_input *in, uint64_t value, size_t size, str *ret_bytes)
{
    char *bytes = heap_take(in, size);

    if (bytes == NULL) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(value >> (8 * i) & 0xff);
    }
    *ret_bytes = str_from(bytes, size);
    return true;
}

static bool read_member(avro_input *in, const avro_step *step, avro_tuple_field *field)
{
    int64_t wide;
    int32_t narrow;
    bool ok;

    switch (step->kind) {
    case STEP_MEMBER_BOOL:
        ok = read_bool(in, &field->value);
        break;
    case STEP_MEMBER_INT:
        ok = read_int(in, &narrow) &&
             put_number(in, (uint32_t)narrow, sizeof(narrow), &field->value);
        break;
    case STEP_MEMBER_LONG:
        ok = read_long(in, &wide) && put_number(in, (uint64_t)wide, sizeof(wide), &field->value);
        break;
    case STEP_MEMBER_FIXED:
        ok = take(in, step->size, &field->value);
        break;
    default:
        ok = read_bytes(in, &field->value);
        break;
    }
    field->present = ok;
    return ok;
}

/* --- the loop --- */

static bool run_union(avro_input *in, const avro_step *step, void *target)
{
    const uint8_t *start = in->at;
    int64_t branch;

    if (!read_long(in, &branch)) {
        return false;
    }
    if (branch < 0 || (uint64_t)branch >= step->size) {
        in->at = start;
        return fail(in, "a union has no such branch");
    }
    return step->programs[branch].count == 0 || avro__run(in, &step->programs[branch], target);
}

static bool store(avro_input *in, const avro_step *step, char *target)
{
    char *at = target + step->offset;
    str bytes;

    switch (step->kind) {
    case STEP_BOOL:
        if (!read_bool(in, &bytes)) {
            return false;
        }
        *(bool *)at = bytes.data[0] == 1;
        return true;
    case STEP_FIXED:
        return take(in, step->size, (str *)(void *)at);
    case STEP_MARK_PRESENT:
    case STEP_MARK_ABSENT:
        *(bool *)at = step->kind == STEP_MARK_PRESENT;
        return true;
    case STEP_LIST:
    case STEP_KEYED_LIST:
    case STEP_PAIRS_LONG:
    case STEP_PAIRS_BYTES:
        return read_list(in, step, target);
    case STEP_TUPLE:
        return read_tuple(in, step, target);
    default:
        return read_member(in, step, (avro_tuple_field *)(void *)at);
    }
}

static inline void *field_at(void *target, const avro_step *step)
{
    return (char *)target + step->offset;
}

/* What manifests are made of is told apart here, the rest in store. `target` is NULL where a
 * program only skips. */
bool avro__run(avro_input *in, const avro_program *program, void *target)
{
    for (size_t i = 0; i < program->count; i++) {
        const avro_step *step = &program->steps[i];
        str skipped;
        bool ok;

        switch (step->kind) {
        case STEP_SKIP_NUMBER:
            ok = skip_number(in);
            break;
        case STEP_SKIP_BYTES:
            ok = read_bytes(in, &skipped);
            break;
        case STEP_SKIP_FIXED:
            ok = take(in, step->size, &skipped);
            break;
        case STEP_DROP_ITEM:
            in->drop = true;
            ok = true;
            break;
        case STEP_LONG:
            ok = read_long(in, (int64_t *)field_at(target, step));
            break;
        case STEP_INT:
            ok = read_int(in, (int32_t *)field_at(target, step));
            break;
        case STEP_BYTES:
            ok = read_bytes(in, (str *)field_at(target, step));
            break;
        case STEP_UNION:
            ok = run_union(in, step, target);
            break;
        case STEP_SKIP_BLOCKS:
            ok = skip_blocks(in, step->programs);
            break;
        default:
            ok = store(in, step, target);
            break;
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

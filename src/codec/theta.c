/* Theta sketches: an open-addressed set of hashes that is cut to the smallest ones when it is full. */
#include "tarn/codec/theta.h"

#include <stdlib.h>

#include "tarn/base/mem.h"

#define SEED UINT64_C(9001)
#define SEED_HASH 0x93cc /* of 9001, so that sketches of other seeds are not mixed in */
#define THETA_ALL UINT64_C(0x7fffffffffffffff)
#define SLOTS_FIRST 64
#define SLOTS_MAX ((size_t)4 * THETA_NOMINAL)

enum { SERIAL_VERSION = 3, FAMILY_COMPACT = 3 };
enum { FLAG_READ_ONLY = 2, FLAG_EMPTY = 4, FLAG_COMPACT = 8, FLAG_ORDERED = 16, FLAG_SINGLE = 32 };

struct theta_sketch {
    uint64_t *slots; /* 0: free */
    size_t slot_count, count;
    uint64_t theta;
};

/* ---- MurmurHash3 x64 128, its first half ---- */

#define C1 UINT64_C(0x87c37b91114253d5)
#define C2 UINT64_C(0x4cf5ad432745937f)

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t finish(uint64_t x)
{
    x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    x = (x ^ (x >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

static uint64_t read_le(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static uint64_t murmur3(const uint8_t *bytes, size_t size)
{
    uint64_t h1 = SEED, h2 = SEED;
    size_t whole = size / 16 * 16, rest = size - whole;

    for (size_t i = 0; i < whole; i += 16) {
        h1 ^= rotate(read_le(bytes + i, 8) * C1, 31) * C2;
        h1 = (rotate(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rotate(read_le(bytes + i + 8, 8) * C2, 33) * C1;
        h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    if (rest > 8) {
        h2 ^= rotate(read_le(bytes + whole + 8, rest - 8) * C2, 33) * C1;
    }
    if (rest > 0) {
        h1 ^= rotate(read_le(bytes + whole, rest < 8 ? rest : 8) * C1, 31) * C2;
    }
    h1 ^= size;
    h2 ^= size;
    h1 += h2;
    h2 += h1;
    return finish(h1) + finish(h2);
}

/* ---- the set ---- */

theta_sketch *theta_create(void)
{
    theta_sketch *s = NEW(theta_sketch);
    s->slot_count = SLOTS_FIRST;
    s->slots = NEW_ARRAY(uint64_t, SLOTS_FIRST);
    s->theta = THETA_ALL;
    return s;
}

void theta_free(theta_sketch *s)
{
    if (s != NULL) {
        mem_free(s->slots);
        mem_free(s);
    }
}

static bool put(theta_sketch *s, uint64_t hash)
{
    size_t at = (size_t)(hash >> 7) & (s->slot_count - 1);
    while (s->slots[at] != 0) {
        if (s->slots[at] == hash) {
            return false;
        }
        at = (at + 1) & (s->slot_count - 1);
    }
    s->slots[at] = hash;
    return true;
}

static int compare(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

/* All hashes in order; the caller frees them. */
static uint64_t *sorted(const theta_sketch *s)
{
    uint64_t *list = NEW_ARRAY(uint64_t, s->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < s->slot_count; i++) {
        if (s->slots[i] != 0) {
            list[count++] = s->slots[i];
        }
    }
    qsort(list, count, sizeof(*list), compare);
    return list;
}

static void refill(theta_sketch *s, const uint64_t *list, size_t count, size_t slot_count)
{
    mem_free(s->slots);
    s->slot_count = slot_count;
    s->slots = NEW_ARRAY(uint64_t, slot_count);
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        (void)put(s, list[i]);
    }
}

/* The THETA_NOMINAL smallest stay; the next one is the bound. */
static void cut(theta_sketch *s)
{
    if (s->count > THETA_NOMINAL) {
        uint64_t *list = sorted(s);
        s->theta = list[THETA_NOMINAL];
        refill(s, list, THETA_NOMINAL, s->slot_count);
        mem_free(list);
    }
}

static void add(theta_sketch *s, uint64_t hash)
{
    if (hash == 0 || hash >= s->theta || !put(s, hash)) {
        return;
    }
    s->count++;
    if (s->count * 2 >= s->slot_count) {
        if (s->slot_count < SLOTS_MAX) {
            uint64_t *list = sorted(s);
            refill(s, list, s->count, s->slot_count * 4);
            mem_free(list);
        } else {
            cut(s);
        }
    }
}

void theta_update(theta_sketch *s, const void *bytes, size_t size_bytes)
{
    if (size_bytes > 0) {
        add(s, murmur3(bytes, size_bytes) >> 1);
    }
}

void theta_merge(theta_sketch *into, const theta_sketch *other)
{
    if (other->theta < into->theta) {
        uint64_t *list = sorted(into);
        size_t count = 0;
        while (count < into->count && list[count] < other->theta) {
            count++;
        }
        into->theta = other->theta;
        refill(into, list, count, into->slot_count);
        mem_free(list);
    }
    for (size_t i = 0; i < other->slot_count; i++) {
        add(into, other->slots[i]);
    }
}

/* ---- the compact form ---- */

static void put_le(buf *out, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        buf_add_char(out, (char)(value >> (8 * i)));
    }
}

void theta_format(theta_sketch *s, buf *out)
{
    cut(s);
    bool estimates = s->theta < THETA_ALL, empty = s->count == 0 && !estimates;
    bool single = s->count == 1 && !estimates;
    unsigned flags = FLAG_READ_ONLY | FLAG_COMPACT | FLAG_ORDERED;
    flags |= (empty ? FLAG_EMPTY : 0U) | (single ? FLAG_SINGLE : 0U);
    uint64_t *list = sorted(s);

    put_le(out, estimates ? 3 : empty || single ? 1 : 2, 1);
    put_le(out, SERIAL_VERSION, 1);
    put_le(out, FAMILY_COMPACT, 1);
    put_le(out, 0, 2);
    put_le(out, flags, 1);
    put_le(out, SEED_HASH, 2);
    if (!empty && !single) {
        put_le(out, s->count, 4);
        put_le(out, 0x3f800000, 4); /* 1.0: nothing was sampled before */
    }
    if (estimates) {
        put_le(out, s->theta, 8);
    }
    for (size_t i = 0; i < s->count; i++) {
        put_le(out, list[i], 8);
    }
    mem_free(list);
}

status theta_estimate(str compact, double *ret_estimate, error *err)
{
    const uint8_t *bytes = (const uint8_t *)compact.data;
    size_t longs = compact.size >= 8 ? bytes[0] & 0x3f : 0;

    if (longs < 1 || longs > 3 || bytes[1] != SERIAL_VERSION || bytes[2] != FAMILY_COMPACT ||
        compact.size < longs * 8) {
        return error_set(err, STATUS_CORRUPT, "a theta sketch of %zu bytes cannot be read",
                         compact.size);
    }
    double count =
        longs == 1 ? ((bytes[5] & FLAG_EMPTY) != 0 ? 0 : 1) : (double)read_le(bytes + 8, 4);
    double theta = longs == 3 ? (double)read_le(bytes + 16, 8) : (double)THETA_ALL;
    *ret_estimate = theta > 0 ? count * ((double)THETA_ALL / theta) : count;
    return STATUS_OK;
}

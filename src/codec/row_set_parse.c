/* Bytes of row sets, checked to the last container. Sources: RoaringFormatSpec (32 bits, and the 64-bit
 * extension); Iceberg specification, Puffin, "deletion-vector-v1" blob type.
 *
 * A bitmap: cookie, one descriptor (key, cardinality - 1) for each container, offsets (not used), containers. A
 * container holds the lower 16 bits: an array of up to 4096 values, 65536 bits, or runs (first value, length - 1). */
#include "row_set_internal.h"

#include <string.h>

#include "tarn/codec/checksum.h"

#define COOKIE_PLAIN 12346u
#define COOKIE_RUNS 12347u
#define CONTAINERS_MAX 65536u
#define OFFSETS_FROM 4 /* with runs, fewer containers have no offsets */
#define ARRAY_MAX 4096u
#define BITS_BYTES 8192u
#define VALUES 65536u

static const char vector_magic[4] = {(char)0xd1, (char)0xd3, (char)0x39, (char)0x64};

typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
    error *err;
} reader;

static status corrupt(const reader *r, const char *why)
{
    return error_set(r->err, STATUS_CORRUPT, "deletion vector: %s", why);
}

static bool has(const reader *r, size_t size)
{
    return (size_t)(r->end - r->at) >= size;
}

static uint32_t u16_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t u32_at(const uint8_t *bytes)
{
    return u16_at(bytes) | u16_at(bytes + 2) << 16;
}

/* --- one container --- */

static status check_array(reader *r, uint32_t count)
{
    if (!has(r, (size_t)count * 2)) {
        return corrupt(r, "an array of rows is cut off");
    }
    for (uint32_t i = 1; i < count; i++) {
        if (u16_at(r->at + (size_t)i * 2) <= u16_at(r->at + (size_t)(i - 1) * 2)) {
            return corrupt(r, "an array of rows is not in order");
        }
    }
    r->at += (size_t)count * 2;
    return STATUS_OK;
}

static status check_bits(reader *r, uint32_t count)
{
    uint32_t found = 0;

    if (!has(r, BITS_BYTES)) {
        return corrupt(r, "a field of bits is cut off");
    }
    for (size_t i = 0; i < BITS_BYTES; i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, r->at + i, sizeof(word));
        found += (uint32_t)__builtin_popcountll(word);
    }
    if (found != count) {
        return corrupt(r, "a field of bits has another number of rows than it says");
    }
    r->at += BITS_BYTES;
    return STATUS_OK;
}

static status check_runs(reader *r)
{
    uint32_t count;
    uint32_t next = 0; /* no run may begin below it */

    if (!has(r, 2)) {
        return corrupt(r, "a list of runs is cut off");
    }
    count = u16_at(r->at);
    r->at += 2;
    if (!has(r, (size_t)count * 4)) {
        return corrupt(r, "a list of runs is cut off");
    }
    for (uint32_t i = 0; i < count; i++, r->at += 4) {
        uint32_t first = u16_at(r->at);
        uint32_t last = first + u16_at(r->at + 2);

        if (first < next || last >= VALUES) {
            return corrupt(r, "runs are not in order");
        }
        next = last + 1;
    }
    return count > 0 ? STATUS_OK : corrupt(r, "a list of runs is empty");
}

/* --- one bitmap --- */

typedef struct head {
    uint32_t count;
    const uint8_t *runs; /* a bit for each container; NULL: there are no runs */
    const uint8_t *descriptors;
} head;

static status read_cookie(reader *r, head *h)
{
    uint32_t cookie;

    *h = (head){.count = 0};
    if (!has(r, 4)) {
        return corrupt(r, "a bitmap is cut off");
    }
    cookie = u32_at(r->at);
    r->at += 4;
    if ((cookie & 0xffff) == COOKIE_RUNS) {
        h->count = (cookie >> 16) + 1;
        h->runs = r->at;
        if (!has(r, (h->count + 7) / 8)) {
            return corrupt(r, "a bitmap is cut off");
        }
        r->at += (h->count + 7) / 8;
        return STATUS_OK;
    }
    if (cookie != COOKIE_PLAIN) {
        return corrupt(r, "a bitmap does not begin as one");
    }
    if (!has(r, 4)) {
        return corrupt(r, "a bitmap is cut off");
    }
    h->count = u32_at(r->at);
    r->at += 4;
    return h->count <= CONTAINERS_MAX ? STATUS_OK : corrupt(r, "a bitmap has too many containers");
}

static status read_head(reader *r, head *h)
{
    TRY(read_cookie(r, h));
    if (!has(r, (size_t)h->count * 4)) {
        return corrupt(r, "a bitmap is cut off");
    }
    h->descriptors = r->at;
    r->at += (size_t)h->count * 4;
    if (h->runs == NULL || h->count >= OFFSETS_FROM) {
        if (!has(r, (size_t)h->count * 4)) {
            return corrupt(r, "a bitmap is cut off");
        }
        r->at += (size_t)h->count * 4;
    }
    return STATUS_OK;
}

static status check_bitmap(reader *r)
{
    head h;

    TRY(read_head(r, &h));
    for (uint32_t i = 0; i < h.count; i++) {
        const uint8_t *descriptor = h.descriptors + (size_t)i * 4;
        uint32_t count = u16_at(descriptor + 2) + 1;

        if (i > 0 && u16_at(descriptor) <= u16_at(descriptor - 4)) {
            return corrupt(r, "the containers of a bitmap are not in order");
        }
        if (h.runs != NULL && (h.runs[i / 8] >> (i % 8) & 1) != 0) {
            TRY(check_runs(r));
        } else {
            TRY(count <= ARRAY_MAX ? check_array(r, count) : check_bits(r, count));
        }
    }
    return STATUS_OK;
}

/* --- the 64-bit form --- */

static status read_set(reader *r, row_set *s)
{
    uint64_t count;
    int64_t last = -1;

    if (!has(r, 8)) {
        return corrupt(r, "it is cut off");
    }
    count = (uint64_t)u32_at(r->at) | (uint64_t)u32_at(r->at + 4) << 32;
    r->at += 8;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *begin;
        uint32_t key;

        if (!has(r, 4)) {
            return corrupt(r, "it is cut off");
        }
        key = u32_at(r->at);
        r->at += 4;
        if ((int64_t)key <= last || key >= INT32_MAX) {
            return corrupt(r, "its bitmaps are not in order");
        }
        last = key;
        begin = r->at;
        TRY(check_bitmap(r));
        if (!row_set__take(s, key, str_from((const char *)begin, (size_t)(r->at - begin)))) {
            return corrupt(r, "a bitmap cannot be read");
        }
    }
    return r->at == r->end ? STATUS_OK : corrupt(r, "bytes follow its end");
}

status row_set_parse(str bytes, row_set **ret_set, error *err)
{
    reader r = {.at = (const uint8_t *)bytes.data,
                .end = (const uint8_t *)bytes.data + bytes.size,
                .err = err};
    row_set *s = row_set_create();
    status result = read_set(&r, s);

    if (result != STATUS_OK) {
        row_set_free(s);
        return result;
    }
    *ret_set = s;
    return STATUS_OK;
}

/* --- the blob --- */

#define BLOB_FRAME 12 /* length, magic, checksum */

static uint32_t u32be_at(const char *bytes)
{
    return __builtin_bswap32(u32_at((const uint8_t *)bytes));
}

status deletion_vector_parse(str blob, row_set **ret_set, error *err)
{
    reader r = {.err = err};
    size_t length;

    if (blob.size < BLOB_FRAME) {
        return corrupt(&r, "it is cut off");
    }
    length = u32be_at(blob.data);
    if (length != blob.size - 8) {
        return corrupt(&r, "its length is not the one that the table gives");
    }
    if (memcmp(blob.data + 4, vector_magic, sizeof(vector_magic)) != 0) {
        return corrupt(&r, "it does not begin as one");
    }
    if (checksum_crc32(0, blob.data + 4, length) != u32be_at(blob.data + blob.size - 4)) {
        return corrupt(&r, "its checksum does not fit its bytes");
    }
    return row_set_parse(str_slice(blob, 8, blob.size - 4), ret_set, err);
}

void deletion_vector_format(row_set *s, buf *out)
{
    size_t begin = out->size;
    uint32_t length;

    buf_add_u32be(out, 0);
    buf_add(out, vector_magic, sizeof(vector_magic));
    row_set_format(s, out);
    if (out->failed || out->size - begin - 4 > INT32_MAX) {
        out->failed = true;
        return;
    }
    length = __builtin_bswap32((uint32_t)(out->size - begin - 4));
    memcpy(out->data + begin, &length, sizeof(length));
    buf_add_u32be(out, checksum_crc32(0, out->data + begin + 4, out->size - begin - 4));
}

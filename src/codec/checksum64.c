/* CRC-64/NVME (reflected polynomial 0x9a6c9329ac4bc9b5, NVM Express Command Set Specification 1.0d, §5.2.1.3.4) and
 * zlib's CRC-32, by folding where the processor can, and the CRC of two pieces out of theirs. CRC-32C itself is in
 * checksum.c. */
#include <pthread.h>
#include <zlib.h>

#include "crc_fold.h"
#include "internal.h"
#include "tarn/base/error.h"
#include "tarn/codec/checksum.h"

static const crc_polynomial nvme = {.low = UINT64_C(0x9a6c9329ac4bc9b5), .degree = 64};
static const crc_polynomial ethernet = {.low = UINT64_C(0xedb88320) << 32, .degree = 32};
static const crc_polynomial castagnoli = {.low = UINT64_C(0x82f63b78) << 32, .degree = 32};

static uint64_t byte_table[8][256]; /* [n]: a byte with n zero bytes behind it */
static crc_fold_keys nvme_keys;
static crc_fold_keys ethernet_keys;
static bool can_fold;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    for (uint64_t byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;

        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? nvme.low : 0);
        }
        byte_table[0][byte] = crc;
    }
    for (int n = 1; n < 8; n++) {
        for (int byte = 0; byte < 256; byte++) {
            uint64_t crc = byte_table[n - 1][byte];

            byte_table[n][byte] = (crc >> 8) ^ byte_table[0][crc & 0xff];
        }
    }
    crc__fold_keys(&nvme, &nvme_keys);
    crc__fold_keys(&ethernet, &ethernet_keys);
    can_fold = crc__can_fold();
}

static uint64_t add_by_table(uint64_t crc, const uint8_t *bytes, size_t size)
{
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t mixed = 0;

        for (int i = 0; i < 8; i++) {
            mixed ^= byte_table[7 - i][(uint8_t)(bytes[i] ^ crc >> (8 * i))];
        }
        crc = mixed;
    }
    for (; size > 0; size--, bytes++) {
        crc = (crc >> 8) ^ byte_table[0][(crc ^ *bytes) & 0xff];
    }
    return crc;
}

uint64_t codec__crc64nvme_by_table(uint64_t crc, const void *bytes, size_t size_bytes)
{
    (void)pthread_once(&prepared, prepare);
    return ~add_by_table(~crc, bytes, size_bytes);
}

uint64_t checksum_crc64nvme(uint64_t crc, const void *bytes, size_t size_bytes)
{
    const uint8_t *at = bytes;

    (void)pthread_once(&prepared, prepare);
    crc = ~crc;
    if (can_fold && size_bytes >= CRC_FOLD_LEAST) {
        uint8_t rest[16];

        crc__fold(&nvme_keys, crc, at, size_bytes, rest);
        crc = add_by_table(0, rest, sizeof rest);
        at += size_bytes / 16 * 16;
        size_bytes %= 16;
    }
    return ~add_by_table(crc, at, size_bytes);
}

uint32_t checksum_crc32(uint32_t crc, const void *bytes, size_t size_bytes)
{
    const uint8_t *at = bytes;

    (void)pthread_once(&prepared, prepare);
    if (can_fold && size_bytes >= CRC_FOLD_LEAST) {
        uint8_t rest[16];

        crc__fold(&ethernet_keys, (uint32_t)~crc, at, size_bytes, rest);
        crc = (uint32_t)crc32_z(UINT32_MAX, rest, sizeof rest);
        at += size_bytes / 16 * 16;
        size_bytes %= 16;
    }
    return size_bytes > 0 ? (uint32_t)crc32_z(crc, at, size_bytes) : crc;
}

/* Both CRCs begin and end inverted, which cancels out: what the second piece does to the register does not depend on
 * the first, but for its being shifted on. */
static uint64_t combine(const crc_polynomial *p, uint64_t first, int64_t second_bytes)
{
    ASSERT(second_bytes >= 0);
    return crc__shift(p, first, (uint64_t)second_bytes);
}

uint32_t checksum_crc32_combine(uint32_t first, uint32_t second, int64_t second_bytes)
{
    return (uint32_t)(combine(&ethernet, (uint64_t)first << 32, second_bytes) >> 32) ^ second;
}

uint32_t checksum_crc32c_combine(uint32_t first, uint32_t second, int64_t second_bytes)
{
    return (uint32_t)(combine(&castagnoli, (uint64_t)first << 32, second_bytes) >> 32) ^ second;
}

uint64_t checksum_crc64nvme_combine(uint64_t first, uint64_t second, int64_t second_bytes)
{
    return combine(&nvme, first, second_bytes) ^ second;
}

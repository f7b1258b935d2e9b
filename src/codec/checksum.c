/* CRC-32C (Castagnoli, reflected polynomial 0x82f63b78) on the processor's instruction. The other CRCs, and those of
 * two pieces together, are in checksum64.c, digests in digest.c.
 *
 * The instruction takes three cycles but a new one can start in each: three stretches of the
 * input are therefore computed side by side and joined afterwards. A CRC is linear, so that "what
 * this CRC becomes when n zero bytes follow" is a linear map of its 32 bits; four tables of 256
 * entries apply it one byte at a time. */
#include "tarn/codec/checksum.h"

#include "internal.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_TARGET __attribute__((target("sse4.2")))
#define CRC_STEP_8(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#define CRC_STEP_1(crc, byte) _mm_crc32_u8((crc), (byte))
#define HAS_CRC_INSTRUCTION 1
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define CRC_TARGET __attribute__((target("+crc")))
#define CRC_STEP_8(crc, word) __crc32cd((crc), (word))
#define CRC_STEP_1(crc, byte) __crc32cb((crc), (byte))
#define HAS_CRC_INSTRUCTION 1
#else
#define HAS_CRC_INSTRUCTION 0
#endif

#define POLYNOMIAL UINT32_C(0x82f63b78)

static uint64_t load_u64(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* --- by table --- */

static uint32_t byte_table[8][256]; /* [n]: a byte with n zero bytes behind it */

static void make_byte_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;

        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
        }
        byte_table[0][byte] = crc;
    }
    for (int n = 1; n < 8; n++) {
        for (int byte = 0; byte < 256; byte++) {
            uint32_t crc = byte_table[n - 1][byte];

            byte_table[n][byte] = (crc >> 8) ^ byte_table[0][crc & 0xff];
        }
    }
}

static uint32_t add_by_table(uint32_t crc, const uint8_t *bytes, size_t size)
{
    for (; size >= 8; size -= 8, bytes += 8) {
        uint32_t mixed = 0;

        for (int i = 0; i < 8; i++) {
            uint8_t byte = (uint8_t)(bytes[i] ^ (i < 4 ? crc >> (8 * i) : 0));

            mixed ^= byte_table[7 - i][byte];
        }
        crc = mixed;
    }
    for (; size > 0; size--, bytes++) {
        crc = (crc >> 8) ^ byte_table[0][(crc ^ *bytes) & 0xff];
    }
    return crc;
}

/* --- by instruction --- */

#if HAS_CRC_INSTRUCTION

#define LONG_STRETCH ((size_t)4096)
#define SHORT_STRETCH ((size_t)256)

typedef uint32_t shift_table[4][256];
static shift_table long_shift;
static shift_table short_shift;

static uint32_t shift(shift_table table, uint32_t crc)
{
    return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^
           table[3][crc >> 24];
}

static void make_shift_table(shift_table table, size_t zero_bytes)
{
    uint32_t of_bit[32];

    for (int bit = 0; bit < 32; bit++) {
        uint32_t crc = UINT32_C(1) << bit;

        for (size_t i = 0; i < zero_bytes; i++) {
            crc = (crc >> 8) ^ byte_table[0][crc & 0xff];
        }
        of_bit[bit] = crc;
    }
    for (int part = 0; part < 4; part++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t crc = 0;

            for (int bit = 0; bit < 8; bit++) {
                crc ^= (byte >> bit & 1U) != 0 ? of_bit[8 * part + bit] : 0;
            }
            table[part][byte] = crc;
        }
    }
}

CRC_TARGET static uint32_t add_three(uint32_t crc, const uint8_t *bytes, size_t stretch,
                                     shift_table table)
{
    uint32_t second = 0;
    uint32_t third = 0;

    for (size_t i = 0; i < stretch; i += 8) {
        crc = CRC_STEP_8(crc, load_u64(bytes + i));
        second = CRC_STEP_8(second, load_u64(bytes + stretch + i));
        third = CRC_STEP_8(third, load_u64(bytes + 2 * stretch + i));
    }
    return shift(table, shift(table, crc) ^ second) ^ third;
}

CRC_TARGET static uint32_t add_by_instruction(uint32_t crc, const uint8_t *bytes, size_t size)
{
    for (; size >= 3 * LONG_STRETCH; size -= 3 * LONG_STRETCH, bytes += 3 * LONG_STRETCH) {
        crc = add_three(crc, bytes, LONG_STRETCH, long_shift);
    }
    for (; size >= 3 * SHORT_STRETCH; size -= 3 * SHORT_STRETCH, bytes += 3 * SHORT_STRETCH) {
        crc = add_three(crc, bytes, SHORT_STRETCH, short_shift);
    }
    for (; size >= 8; size -= 8, bytes += 8) {
        crc = CRC_STEP_8(crc, load_u64(bytes));
    }
    for (; size > 0; size--, bytes++) {
        crc = CRC_STEP_1(crc, *bytes);
    }
    return crc;
}

static bool has_instruction(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("sse4.2") != 0;
#else
    return (getauxval(AT_HWCAP) & (1UL << 7)) != 0; /* HWCAP_CRC32 */
#endif
}

#endif

/* --- the one that was found --- */

static uint32_t (*add_bytes)(uint32_t crc, const uint8_t *bytes, size_t size);
static pthread_once_t probed = PTHREAD_ONCE_INIT;

static void probe(void)
{
    make_byte_table();
    add_bytes = add_by_table;
#if HAS_CRC_INSTRUCTION
    if (has_instruction()) {
        make_shift_table(long_shift, LONG_STRETCH);
        make_shift_table(short_shift, SHORT_STRETCH);
        add_bytes = add_by_instruction;
    }
#endif
}

uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t size_bytes)
{
    (void)pthread_once(&probed, probe);
    return ~add_bytes(~crc, bytes, size_bytes);
}

uint32_t codec__crc32c_by_table(uint32_t crc, const void *bytes, size_t size_bytes)
{
    (void)pthread_once(&probed, probe);
    return ~add_by_table(~crc, bytes, size_bytes);
}

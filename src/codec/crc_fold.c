/* The arithmetic of crc_fold.h.
 *
 * A block of 16 bytes is a polynomial A·x^64 + B; followed by n bits of message it counts as A·x^(64+n) + B·x^n. Both
 * powers can be taken modulo the polynomial beforehand, so that a block is "folded" onto the one n bits later by two
 * multiplications of 64 bits. Carry-less multiplication of reflected words leaves the product one place too low, which
 * a power that is less by one makes up for. */
#include "crc_fold.h"

#include <string.h>

#define X_TO_0 (UINT64_C(1) << 63)

static uint64_t times_x(const crc_polynomial *p, uint64_t value)
{
    uint64_t last = UINT64_C(1) << (64 - p->degree);
    bool carry = (value & last) != 0;

    value = (value & ~last) >> 1;
    return carry ? value ^ p->low : value;
}

static uint64_t multiply(const crc_polynomial *p, uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (; a != 0; a <<= 1) {
        product ^= (a & X_TO_0) != 0 ? b : 0;
        b = times_x(p, b);
    }
    return product;
}

uint64_t crc__shift(const crc_polynomial *p, uint64_t remainder, uint64_t bytes)
{
    uint64_t power = X_TO_0 >> 8; /* x^8, then its squares */

    for (; bytes > 0; bytes >>= 1) {
        if ((bytes & 1) != 0) {
            remainder = multiply(p, remainder, power);
        }
        power = multiply(p, power, power);
    }
    return remainder;
}

static uint64_t power_of_x(const crc_polynomial *p, int exponent)
{
    uint64_t value = X_TO_0;

    for (int i = 0; i < exponent; i++) {
        value = times_x(p, value);
    }
    return value;
}

void crc__fold_keys(const crc_polynomial *p, crc_fold_keys *ret_keys)
{
    *ret_keys = (crc_fold_keys){
        .near_first = power_of_x(p, 128 + 64 - 1),
        .near_second = power_of_x(p, 128 - 1),
        .far_first = power_of_x(p, 512 + 64 - 1),
        .far_second = power_of_x(p, 512 - 1),
    };
}

#if defined(__x86_64__)
#include <emmintrin.h>
#include <wmmintrin.h>
#define FOLD_TARGET __attribute__((target("sse2,pclmul")))

bool crc__can_fold(void)
{
    return __builtin_cpu_supports("pclmul") != 0;
}

FOLD_TARGET static inline __m128i load(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

FOLD_TARGET static inline __m128i fold(__m128i block, __m128i keys, __m128i next)
{
    __m128i first = _mm_clmulepi64_si128(block, keys, 0x00);
    __m128i second = _mm_clmulepi64_si128(block, keys, 0x11);

    return _mm_xor_si128(_mm_xor_si128(first, second), next);
}

FOLD_TARGET void crc__fold(const crc_fold_keys *keys, uint64_t crc, const uint8_t *bytes,
                           size_t size_bytes, uint8_t ret_rest[16])
{
    __m128i far = _mm_set_epi64x((long long)keys->far_second, (long long)keys->far_first);
    __m128i near = _mm_set_epi64x((long long)keys->near_second, (long long)keys->near_first);
    __m128i a = _mm_xor_si128(load(bytes), _mm_set_epi64x(0, (long long)crc));
    __m128i b = load(bytes + 16);
    __m128i c = load(bytes + 32);
    __m128i d = load(bytes + 48);

    bytes += 64;
    size_bytes -= 64;
    for (; size_bytes >= 64; bytes += 64, size_bytes -= 64) {
        a = fold(a, far, load(bytes));
        b = fold(b, far, load(bytes + 16));
        c = fold(c, far, load(bytes + 32));
        d = fold(d, far, load(bytes + 48));
    }
    a = fold(fold(fold(a, near, b), near, c), near, d);
    for (; size_bytes >= 16; bytes += 16, size_bytes -= 16) {
        a = fold(a, near, load(bytes));
    }
    _mm_storeu_si128((__m128i *)(void *)ret_rest, a);
}

#else

bool crc__can_fold(void)
{
    return false;
}

void crc__fold(const crc_fold_keys *keys, uint64_t crc, const uint8_t *bytes, size_t size_bytes,
               uint8_t ret_rest[16])
{
    (void)keys;
    (void)crc;
    (void)bytes;
    (void)size_bytes;
    memset(ret_rest, 0, 16);
}

#endif

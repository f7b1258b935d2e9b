/* Randomness: the kernel's, and the seeded generator.
 * Source of the generator: Blackman and Vigna, "Scrambled linear pseudorandom number generators",
 * 2021 (xoshiro256**), seeded by splitmix64 as its authors advise. */
#include "tarn/base/rng.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>

static void (*installed_fill)(void *context, void *ret_bytes, size_t size_bytes);
static void *installed_context;

void random_install(void (*fill)(void *context, void *ret_bytes, size_t size_bytes), void *context)
{
    installed_fill = fill;
    installed_context = context;
}

void random_bytes(void *ret_bytes, size_t size_bytes)
{
    unsigned char *bytes = ret_bytes;

    if (installed_fill != NULL) {
        installed_fill(installed_context, ret_bytes, size_bytes);
        return;
    }
    while (size_bytes > 0) {
        ssize_t got = getrandom(bytes, size_bytes, 0);

        if (got < 0) {
            ASSERT(errno == EINTR); /* without randomness no key and no id is safe */
            continue;
        }
        bytes += got;
        size_bytes -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;

    random_bytes(&value, sizeof(value));
    return value;
}

void random_uuid(char ret_text[37])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[16];
    size_t at = 0;

    random_bytes(bytes, sizeof(bytes));
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* RFC 4122 variant */
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            ret_text[at++] = '-';
        }
        ret_text[at++] = digits[bytes[i] >> 4];
        ret_text[at++] = digits[bytes[i] & 15];
    }
    ret_text[at] = '\0';
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_seed(rng *r, uint64_t seed)
{
    for (size_t i = 0; i < COUNT_OF(r->state); i++) {
        r->state[i] = splitmix(&seed);
    }
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t rng_next(rng *r)
{
    uint64_t *s = r->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t rng_below(rng *r, uint64_t bound)
{
    uint64_t uneven;
    uint64_t value;

    ASSERT(bound > 0);
    /* The first 2^64 mod bound values would come up once too often. */
    uneven = (0 - bound) % bound;
    do {
        value = rng_next(r);
    } while (value < uneven);
    return value % bound;
}

double rng_unit(rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1.0p-53;
}

/* Fair coins instead of logarithms: libm's differ between machines in the last digit. The ones in
 * 128 random bits have mean 64 and variance 32; the difference of two uniforms (variance 1/6) fills
 * the steps between them. */
double rng_normal(rng *r)
{
    int ones = __builtin_popcountll(rng_next(r)) + __builtin_popcountll(rng_next(r)) - 64;
    double smooth = rng_unit(r);

    smooth -= rng_unit(r);
    return ((double)ones + smooth) * 0.17631812981527; /* 1 / sqrt(32 + 1/6) */
}

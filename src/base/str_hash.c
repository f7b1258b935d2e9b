/* The hash of text: SipHash-1-3 under a key drawn at the start of the process, so that nobody who
 * chooses keys (headers, column names, JSON) can make them collide. Never stored, never sent.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. */
#include <sys/random.h>

#include "tarn/base/str.h"

typedef struct sip {
    uint64_t v0, v1, v2, v3;
} sip;

static uint64_t hash_key[2];

/* Before main, so that str_hash needs no check and no lock. Where the kernel refuses, the key stays
 * a constant: hashing works, only its defence is gone; random_bytes is the one that insists. */
__attribute__((constructor)) static void draw_hash_key(void)
{
    uint64_t drawn[2];

    if (getrandom(drawn, sizeof(drawn), GRND_NONBLOCK) == (ssize_t)sizeof(drawn)) {
        hash_key[0] = drawn[0];
        hash_key[1] = drawn[1];
    }
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static void sip_word(sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t str_hash(str text)
{
    sip s = {
        .v0 = hash_key[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = hash_key[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = hash_key[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = hash_key[1] ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = text.size - text.size % 8;
    uint64_t last = (uint64_t)text.size << 56;

    for (size_t at = 0; at < whole; at += 8) {
        uint64_t word;

        /* The machine's byte order will do: the value never leaves the process. */
        memcpy(&word, text.data + at, sizeof(word));
        sip_word(&s, word);
    }
    for (size_t at = whole; at < text.size; at++) {
        last |= (uint64_t)(unsigned char)text.data[at] << (8 * (at - whole));
    }
    sip_word(&s, last);
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) {
        sip_round(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

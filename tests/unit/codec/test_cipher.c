/* Claims about AES-256-GCM. Vectors: cases 13, 14 and 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega),
 * appendix B. */
#include "support/test.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/cipher.h"

static const char *const vectors[][5] = {
    /* key, nonce, also, plain, sealed with its tag */
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static str unhex(fixture *f, const char *text)
{
    str bytes = STR_NULL;

    EXPECT_OK(hex_decode(f->arena, str_c(text), &bytes, &f->err));
    return bytes;
}

static cipher *cipher_of(fixture *f, const char *key)
{
    str bytes = unhex(f, key);
    cipher *c;

    assert_int_equal(bytes.size, CIPHER_KEY_BYTES);
    c = cipher_create((const uint8_t *)bytes.data);
    return c;
}

static void test_sealing_and_opening_match_the_vectors(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        cipher *c = cipher_of(f, vectors[i][0]);
        const uint8_t *nonce = (const uint8_t *)unhex(f, vectors[i][1]).data;
        str also = unhex(f, vectors[i][2]);
        str plain = unhex(f, vectors[i][3]);
        char *bytes = arena_alloc(f->arena, plain.size + CIPHER_TAG_BYTES);

        for (int again = 0; again < 2; again++) { /* one cipher serves many blocks */
            if (plain.size > 0) {
                memcpy(bytes, plain.data, plain.size);
            }
            EXPECT_OK(cipher_seal(c, nonce, also, str_from(bytes, plain.size), bytes, &f->err));
            str sealed = str_from(bytes, plain.size + CIPHER_TAG_BYTES);
            EXPECT_STR(hex_encode(f->arena, sealed), vectors[i][4]);
            EXPECT_OK(cipher_open(c, nonce, also, sealed, bytes, &f->err));
            EXPECT_STR(hex_encode(f->arena, str_from(bytes, plain.size)), vectors[i][3]);
        }
        cipher_free(c);
    }
    cipher_free(NULL);
}

static void test_a_changed_byte_is_seen_wherever_it_is(void **state)
{
    fixture *f = *state;
    cipher *c = cipher_of(f, vectors[2][0]);
    cipher *other = cipher_of(f, vectors[0][0]);
    str nonce = unhex(f, vectors[2][1]);
    str also = unhex(f, vectors[2][2]);
    str sealed = unhex(f, vectors[2][4]);
    str changed[] = {nonce, also, sealed};
    char out[128];

    for (size_t i = 0; i < COUNT_OF(changed); i++) {
        for (size_t at = 0; at < changed[i].size; at += 5) {
            char *byte = (char *)(uintptr_t)changed[i].data + at;
            *byte = (char)(*byte ^ 1);
            EXPECT_STATUS(CORRUPT,
                          cipher_open(c, (const uint8_t *)nonce.data, also, sealed, out, &f->err));
            *byte = (char)(*byte ^ 1);
        }
    }
    EXPECT_STATUS(CORRUPT,
                  cipher_open(other, (const uint8_t *)nonce.data, also, sealed, out, &f->err));
    EXPECT_STATUS(CORRUPT, cipher_open(c, (const uint8_t *)nonce.data, also,
                                       str_slice(sealed, 0, CIPHER_TAG_BYTES - 1), out, &f->err));
    EXPECT_OK(cipher_open(c, (const uint8_t *)nonce.data, also, sealed, out, &f->err));
    cipher_free(c);
    cipher_free(other);
}

TESTS(test_sealing_and_opening_match_the_vectors, test_a_changed_byte_is_seen_wherever_it_is)

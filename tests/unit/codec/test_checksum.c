/* Claims about checksums, digests and base64. Vectors: RFC 3720 B.4, NVM Express Command Set Specification 1.0d
 * §5.2.1.3.5, RFC 1321, RFC 3174, FIPS 180-2, RFC 4231, RFC 2202, RFC 4648. */
#include "internal.h"
#include "support/test.h"
#include "tarn/base/rng.h"
#include "tarn/codec/checksum.h"

static void test_crc32c_matches_the_vectors(void **state)
{
    static const uint8_t zeros[32];
    uint8_t ones[32];
    uint8_t rising[32];

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        ones[i] = 0xff;
        rising[i] = (uint8_t)i;
    }
    assert_int_equal(checksum_crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(checksum_crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(checksum_crc32c(0, rising, 32), 0x46dd794e);
    assert_int_equal(checksum_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(checksum_crc32c(0, "", 0), 0);
    assert_int_equal(checksum_crc32(0, "123456789", 9), 0xcbf43926);
}

/* A bit at a time, from the definition. */
static uint32_t crc32c_slowly(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? UINT32_C(0x82f63b78) : 0);
        }
    }
    return ~crc;
}

static void test_crc32c_agrees_with_its_definition_at_all_lengths(void **state)
{
    fixture *f = *state;
    size_t size_max = 70000;
    uint8_t *bytes = arena_alloc(f->arena, size_max + 8);
    rng r;

    rng_seed(&r, 1);
    for (size_t i = 0; i < size_max + 8; i++) {
        bytes[i] = (uint8_t)rng_next(&r);
    }
    for (size_t size = 0; size <= size_max; size += 1 + size / 7) {
        const uint8_t *from = bytes + size % 8;
        uint32_t expected = crc32c_slowly(from, size);
        size_t cut = size / 3;

        assert_int_equal(checksum_crc32c(0, from, size), expected);
        assert_int_equal(codec__crc32c_by_table(0, from, size), expected);
        assert_int_equal(checksum_crc32c(checksum_crc32c(0, from, cut), from + cut, size - cut),
                         expected);
    }
}

/* A bit at a time, from the definition. */
static uint64_t crc_slowly(uint64_t polynomial, uint64_t crc, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
        }
    }
    return crc;
}

static void test_crc64nvme_matches_the_vectors(void **state)
{
    uint8_t page[4096];

    (void)state;
    memset(page, 0, sizeof page);
    assert_true(checksum_crc64nvme(0, "123456789", 9) == UINT64_C(0xae8b14860a799888));
    assert_true(checksum_crc64nvme(0, page, sizeof page) == UINT64_C(0x6482d367eb22b64e));
    memset(page, 0xff, sizeof page);
    assert_true(checksum_crc64nvme(0, page, sizeof page) == UINT64_C(0xc0ddba7302eca3ac));
    assert_true(checksum_crc64nvme(0, "", 0) == 0);
}

static void test_crc64nvme_and_crc32_agree_with_their_definitions_at_all_lengths(void **state)
{
    fixture *f = *state;
    size_t size_max = 20000;
    uint8_t *bytes = arena_alloc(f->arena, size_max + 8);
    rng r;

    rng_seed(&r, 2);
    for (size_t i = 0; i < size_max + 8; i++) {
        bytes[i] = (uint8_t)rng_next(&r);
    }
    for (size_t size = 0; size <= size_max; size += size < 300 ? 1 : 1 + size / 7) {
        const uint8_t *from = bytes + size % 8;
        uint64_t expected = ~crc_slowly(UINT64_C(0x9a6c9329ac4bc9b5), UINT64_MAX, from, size);
        uint32_t shorter = ~(uint32_t)crc_slowly(0xedb88320, UINT32_MAX, from, size);
        size_t cut = size / 3;

        assert_true(checksum_crc64nvme(0, from, size) == expected);
        assert_true(codec__crc64nvme_by_table(0, from, size) == expected);
        assert_true(checksum_crc64nvme(checksum_crc64nvme(0, from, cut), from + cut, size - cut) ==
                    expected);
        assert_int_equal(checksum_crc32(0, from, size), shorter);
        assert_int_equal(checksum_crc32(checksum_crc32(0, from, cut), from + cut, size - cut),
                         shorter);
    }
}

static void test_crcs_of_pieces_are_combined(void **state)
{
    static const size_t sizes[] = {0, 1, 7, 64, 1000, 65537};
    fixture *f = *state;
    uint8_t *bytes = arena_alloc(f->arena, 2 * 65537);
    rng r;

    rng_seed(&r, 3);
    for (size_t i = 0; i < 2 * 65537; i++) {
        bytes[i] = (uint8_t)rng_next(&r);
    }
    for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(sizes); i++) {
        size_t first = sizes[i / COUNT_OF(sizes)];
        size_t second = sizes[i % COUNT_OF(sizes)];
        const uint8_t *behind = bytes + first;

        assert_int_equal(checksum_crc32_combine(checksum_crc32(0, bytes, first),
                                                checksum_crc32(0, behind, second), (int64_t)second),
                         checksum_crc32(0, bytes, first + second));
        assert_int_equal(checksum_crc32c_combine(checksum_crc32c(0, bytes, first),
                                                 checksum_crc32c(0, behind, second),
                                                 (int64_t)second),
                         checksum_crc32c(0, bytes, first + second));
        assert_true(checksum_crc64nvme_combine(
                        checksum_crc64nvme(0, bytes, first), checksum_crc64nvme(0, behind, second),
                        (int64_t)second) == checksum_crc64nvme(0, bytes, first + second));
    }
}

static void test_digests_match_the_vectors(void **state)
{
    static const struct {
        digest_kind kind;
        const char *text;
        const char *hex;
    } cases[] = {
        {DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
        {DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
        {DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[DIGEST_SIZE_MAX];
        digester *d = digester_create(cases[i].kind);

        digest(cases[i].kind, str_c(cases[i].text), bytes);
        EXPECT_STR(str_to_hex(f->arena, bytes, digest_size(cases[i].kind)), cases[i].hex);
        for (const char *c = cases[i].text; *c != '\0'; c++) {
            digester_add(d, c, 1);
        }
        digester_finish(d, bytes);
        EXPECT_STR(str_to_hex(f->arena, bytes, digest_size(cases[i].kind)), cases[i].hex);
    }
    digester_free(digester_create(DIGEST_MD5)); /* given up half-way: nothing leaks */
}

static void test_hmac_matches_the_vectors(void **state)
{
    fixture *f = *state;
    uint8_t mac[32];

    hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac);
    EXPECT_STR(str_to_hex(f->arena, mac, sizeof(mac)),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac_sha256(STR_NULL, STR_NULL, mac);
    EXPECT_STR(str_to_hex(f->arena, mac, sizeof(mac)),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    hmac_sha1(STR("Jefe"), STR("what do ya want for nothing?"), mac); /* RFC 2202 */
    EXPECT_STR(str_to_hex(f->arena, mac, 20), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void test_hex_goes_there_and_back(void **state)
{
    fixture *f = *state;
    str back = STR_NULL;

    EXPECT_STR(hex_encode(f->arena, STR("\xff\x0a~")), "ff0a7e");
    EXPECT_OK(hex_decode(f->arena, STR("FF0a7e"), &back, &f->err));
    EXPECT_STR(back, "\xff\x0a~");
    EXPECT_STATUS(INVALID, hex_decode(f->arena, STR("abc"), &back, &f->err));
    EXPECT_STATUS(INVALID, hex_decode(f->arena, STR("0g"), &back, &f->err));
}

static void test_constant_time_comparison_compares(void **state)
{
    (void)state;
    assert_true(bytes_equal_constant_time("abc", "abd", 2));
    assert_false(bytes_equal_constant_time("abc", "abd", 3));
}

static void test_base64_goes_there_and_back(void **state)
{
    static const char *const pairs[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        str back;

        EXPECT_STR(base64_encode(f->arena, str_c(pairs[i][0])), pairs[i][1]);
        EXPECT_STR(base64url_encode(f->arena, str_c(pairs[i][0])), pairs[i][2]);
        EXPECT_OK(base64_decode(f->arena, str_c(pairs[i][1]), &back, &f->err));
        EXPECT_STR(back, pairs[i][0]);
    }
}

static void test_what_is_no_base64_is_refused(void **state)
{
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm-v", "Zm v", "Zm\n="};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        str back;
        EXPECT_STATUS(INVALID, base64_decode(f->arena, str_c(bad[i]), &back, &f->err));
    }
}

TESTS(test_crc32c_matches_the_vectors, test_crc32c_agrees_with_its_definition_at_all_lengths,
      test_crc64nvme_matches_the_vectors,
      test_crc64nvme_and_crc32_agree_with_their_definitions_at_all_lengths,
      test_crcs_of_pieces_are_combined, test_hex_goes_there_and_back,
      test_digests_match_the_vectors, test_hmac_matches_the_vectors,
      test_constant_time_comparison_compares, test_base64_goes_there_and_back,
      test_what_is_no_base64_is_refused)

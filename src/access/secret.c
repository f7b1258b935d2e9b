/* The master key and what is sealed under keys derived from it: one derived key per purpose, so that what was sealed
 * for one is nothing to another. */
#include <string.h>

#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/rng.h"
#include "tarn/codec/checksum.h"

#define MASTER_NAME "master.key"
#define MASTER_FILE_MAX 1024

/* 64 hex digits and a line's end. */
static status read_master(const char *path, arena *a, uint8_t *ret_key, error *err)
{
    str text;
    str bytes;

    TRY(fs_read_file(path, MASTER_FILE_MAX, a, &text, err));
    if (str_from_hex(a, str_trim(text), &bytes, NULL) != STATUS_OK ||
        bytes.size != ACCESS_MASTER_KEY_BYTES) {
        return error_set(err, STATUS_CORRUPT, "file \"%s\" does not hold %d bytes in hex", path,
                         ACCESS_MASTER_KEY_BYTES);
    }
    memcpy(ret_key, bytes.data, bytes.size);
    mem_wipe((void *)(uintptr_t)bytes.data, bytes.size);
    mem_wipe((void *)(uintptr_t)text.data, text.size);
    return STATUS_OK;
}

static status make_master(const char *secrets_path, const char *path, arena *a, error *err)
{
    uint8_t key[ACCESS_MASTER_KEY_BYTES];
    str text;
    status made;

    TRY(fs_make_dirs_synced(secrets_path, 0700, err));
    random_bytes(key, sizeof(key));
    text = str_concat(a, str_to_hex(a, key, sizeof(key)), STR("\n"));
    made = fs_write_file(path, text, 0600, err);
    mem_wipe(key, sizeof(key));
    mem_wipe((void *)(uintptr_t)text.data, text.size);
    return made;
}

status access_master_key(const char *secrets_path, uint8_t ret_key[ACCESS_MASTER_KEY_BYTES],
                         error *err)
{
    arena *scratch = arena_create();
    const char *path = fs_join(scratch, secrets_path, MASTER_NAME);
    status result = STATUS_OK;

    if (!fs_exists(path)) {
        result = make_master(secrets_path, path, scratch, err);
    }
    if (result == STATUS_OK) {
        result = read_master(path, scratch, ret_key, err);
    }
    arena_free(scratch);
    return result;
}

void access__derive(const uint8_t master[ACCESS_MASTER_KEY_BYTES], str purpose,
                    uint8_t ret_key[CIPHER_KEY_BYTES])
{
    hmac_sha256(str_from((const char *)master, ACCESS_MASTER_KEY_BYTES), purpose, ret_key);
}

status access__seal(const uint8_t key[CIPHER_KEY_BYTES], str also, str plain, arena *a,
                    str *ret_sealed, error *err)
{
    size_t size = CIPHER_NONCE_BYTES + plain.size + CIPHER_TAG_BYTES;
    uint8_t *bytes = arena_alloc(a, size);
    cipher *c = cipher_create(key);
    status sealed;

    random_bytes(bytes, CIPHER_NONCE_BYTES);
    sealed = cipher_seal(c, bytes, also, plain, bytes + CIPHER_NONCE_BYTES, err);
    cipher_free(c);
    TRY(sealed);
    *ret_sealed = str_from((const char *)bytes, size);
    return STATUS_OK;
}

status access__unseal(const uint8_t key[CIPHER_KEY_BYTES], str also, str sealed, arena *a,
                      str *ret_plain, error *err)
{
    cipher *c;
    char *plain;
    status opened;

    if (sealed.size < CIPHER_NONCE_BYTES + CIPHER_TAG_BYTES) {
        return error_set(err, STATUS_CORRUPT, "what is sealed has %zu bytes", sealed.size);
    }
    plain = arena_alloc(a, sealed.size);
    c = cipher_create(key);
    opened = cipher_open(c, (const uint8_t *)sealed.data, also,
                         str_slice(sealed, CIPHER_NONCE_BYTES, sealed.size), plain, err);
    cipher_free(c);
    TRY(opened);
    *ret_plain = str_from(plain, sealed.size - CIPHER_NONCE_BYTES - CIPHER_TAG_BYTES);
    return STATUS_OK;
}

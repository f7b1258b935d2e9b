/* internal.h: what the files of access share. */
#ifndef TARN_ACCESS_INTERNAL_H
#define TARN_ACCESS_INTERNAL_H

#include "tarn/access/access.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"

#define ACCESS_HASH_SIZE 32

/* One key that lets somebody in. */
typedef struct credential {
    principal who;
    int64_t expires_us; /* ACCESS_NEVER */
    uint8_t hash[ACCESS_HASH_SIZE];
} credential;

#define ACCESS_NEVER INT64_MAX

struct access_control {
    state *state;
    access_mode mode;
    mutex lock;
    /* Mirrors the rows: SHA-256 of the key -> credential. Replaced whole after a change. */
    map *credentials;
    arena *memory; /* of `credentials` */
};

/* Reads all credentials from the rows and puts them in place. */
status access__reload(access_control *ac, error *err);

/* A new key, "tarn_" and 43 characters. */
str access__new_key(arena *a);
bool access__is_key(str text);
void access__hash_key(str key, uint8_t ret_hash[ACCESS_HASH_SIZE]);

/* Makes a principal with the key. EXISTS. */
status access__insert_principal(access_control *ac, str name, role gets, str key, error *err);

const char *access__role_name(role of);

#endif

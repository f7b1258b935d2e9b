/* internal.h: what the files of access share. */
#ifndef TARN_ACCESS_INTERNAL_H
#define TARN_ACCESS_INTERNAL_H

#include "tarn/access/access.h"
#include "tarn/access/s3.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/codec/cipher.h"

#define ACCESS_HASH_SIZE 32
#define ACCESS_ROOT_NAME "root"

/* A principal as S3 sees it. */
typedef struct account {
    principal who;
    str canonical_id;         /* empty until its first S3 key is made */
    int64_t sessions_from_us; /* sessions made before are revoked */
} account;

/* One key that lets somebody in. */
typedef struct credential {
    principal who;      /* with the key's id */
    int64_t expires_us; /* ACCESS_NEVER */
    uint8_t hash[ACCESS_HASH_SIZE];
} credential;

/* One S3 key pair. */
typedef struct key_pair {
    const account *owner;
    str access_key, secret;
    int64_t expires_us;       /* ACCESS_NEVER */
    int64_t sessions_from_us; /* sessions it made before ended when it was inactive */
    str scope; /* "bucket/folder/", all that it opens; empty: none, its principal's rights */
} key_pair;

#define ACCESS_NEVER INT64_MAX

/* Mirrors the rows; replaced whole after a change. */
typedef struct mirror {
    arena *memory;
    map *credentials; /* SHA-256 of the key -> credential */
    map *key_ids;     /* id of the key -> credential */
    map *accounts;    /* id of the principal -> account */
    map *canonical;   /* canonical id -> account */
    map *key_pairs;   /* access key -> key_pair */
} mirror;

struct access_control {
    state *state;
    access_mode mode;
    uint8_t secrets_key[CIPHER_KEY_BYTES];  /* of the secrets in rows */
    uint8_t sessions_key[CIPHER_KEY_BYTES]; /* of session tokens */
    uint8_t vended_key[CIPHER_KEY_BYTES];   /* of vended sessions' tokens */
    uint8_t tokens_key[CIPHER_KEY_BYTES];   /* of bearer tokens */
    mutex lock;
    mirror now;
    _Atomic uint64_t generation; /* of the mirror */
    struct access__ends *ends;   /* ended.c */
    access_is_taken is_taken;    /* NULL: all places are */
    void *is_taken_context;
    str own_bucket, own_folder; /* access_keep_folder; empty: none */
};

/* Reads everything from the rows and puts it in place. */
status access__reload(access_control *ac, error *err);

/* A new key, "tarn_" and 43 characters. */
str access__new_key(arena *a);
bool access__is_key(str text);
void access__hash_key(str key, uint8_t ret_hash[ACCESS_HASH_SIZE]);

/* Makes a principal with the key. EXISTS. */
status access__insert_principal(access_control *ac, str name, role gets, str key, error *err);
/* NOT_FOUND. `ret_id` lives in the transaction's arena. */
status access__principal_id(state_txn *txn, str name, str *ret_id, error *err);

/* secret.c: keys derived from the master key, and what is sealed under one: nonce, bytes, tag. `also` is authenticated
 * with it. */
void access__derive(const uint8_t master[ACCESS_MASTER_KEY_BYTES], str purpose,
                    uint8_t ret_key[CIPHER_KEY_BYTES]);
status access__seal(const uint8_t key[CIPHER_KEY_BYTES], str also, str plain, arena *a,
                    str *ret_sealed, error *err);
/* CORRUPT */
status access__unseal(const uint8_t key[CIPHER_KEY_BYTES], str also, str sealed, arena *a,
                      str *ret_plain, error *err);

/* access.c: the role's part of access_check. */
bool access__role_may(role of, action act);

/* s3_key.c */
#define ACCESS_S3_KEY_CHARS 20
#define ACCESS_S3_SECRET_CHARS 40
#define ACCESS_S3_KEY_PREFIX "TARN"
#define ACCESS_S3_SESSION_PREFIX "TSES"
str access__new_s3_key(str prefix, arena *a);
str access__new_s3_secret(arena *a);
/* The access key that a principal's first pair gets, and so its account's id: known before the pair is made. */
str access__first_s3_key(str principal_id, arena *a);
/* Reads all key pairs into the mirror, whose accounts are there. */
status access__load_key_pairs(const access_control *ac, mirror *m, state_txn *txn, error *err);
/* Root's pair, from secrets/root.s3 or new, where it never had one. */
status access__make_root_pair(access_control *ac, const char *secrets_path, error *err);
/* Notes whose master key the database's secrets are sealed under; CORRUPT where it is another. */
status access__bind_master(access_control *ac, const uint8_t master[ACCESS_MASTER_KEY_BYTES],
                           error *err);
/* What a request by this account is, without key and secret. Copies into `a`. */
s3_identity access__identity(const account *from, arena *a);

/* key.c */
#define ACCESS_KEY_ID_CHARS 16
str access__key_id(arena *a, const uint8_t hash[ACCESS_HASH_SIZE]);
/* The key that `id` names, where it still lets `principal_id` in, with what was made at `issued_us` not revoked. NULL
 * else. The lock is held. */
const credential *access__live_key(const access_control *ac, str id, str principal_id,
                                   int64_t issued_us);

/* vend.c: takes the lock; the token is opened without it. */
#define ACCESS_S3_VENDED_PREFIX "TVEN"
status access__find_vended(access_control *ac, str access_key, str token, arena *a,
                           s3_identity *ret_identity, error *err);

/* ended.c: reads the ends; whether a session that was made when the subject's last end was `ended_us` goes on. */
#define ACCESS_VENDED_S_MAX 43200
status access__ends_open(access_control *ac, error *err);
void access__ends_close(access_control *ac);
bool access__vended_goes_on(access_control *ac, str subject, int64_t ended_us);

/* token.c */
bool access__is_token(str text);
/* UNAUTHORIZED. Takes the lock. */
status access__find_token(access_control *ac, str name, str token, arena *a,
                          principal *ret_principal, error *err);

/* session.c: the lock is held. */
status access__refuse_token(error *err);
status access__refuse_expired(error *err);
status access__find_session(access_control *ac, str access_key, str token, arena *a,
                            s3_identity *ret_identity, error *err);

#endif

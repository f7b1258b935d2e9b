/* vend.h: credentials for a table's files: what access.c gives to clients and sign.c signs with, for which files, and
 * where they are good. */
#ifndef TARN_SERVER_REST_VEND_H
#define TARN_SERVER_REST_VEND_H

#include "rest.h"
#include "tarn/access/s3.h"

/* ---- access.c ---- */
typedef struct rest_vended {
    bool is_made; /* false, and nothing made: the table has no files in the built-in store */
    s3_session session;
    s3_scope scopes[ACCESS_SCOPES_MAX]; /* the table's location, then its other places */
    size_t scope_count;
} rest_vended;
/* A session for the files of `table`, with as much as this caller may. */
status rest__vend(rest_call *c, const catalog_document *table, int64_t duration_s,
                  rest_vended *ret_vended, error *err);

/* How long keys for files are good; 0: none are given. */
int64_t rest__keys_lifetime_s(const rest_call *c);

/* ---- staged.c ---- */
/* The staged table that the path names and the caller holds, held for as long as new keys are good; a document of
 * location and uuid, in the exchange's arena. Worded as NO_TABLE where there is none. */
status rest__renew_staged(rest_call *c, const catalog_document **ret_document, error *err);

/* ---- scopes.c ---- */
/* What `rest__vend` would let the session touch; none where the table's location is not of S3. */
status rest__scopes(rest_call *c, const catalog_document *table,
                    s3_scope ret_scopes[ACCESS_SCOPES_MAX], size_t *ret_count, error *err);
/* The caller may change the table that the request names. */
bool rest__may_write(rest_call *c);
/* What stands behind "s3://", or one of the names that Hadoop has for it; STR_NULL for other locations. */
str rest__behind_scheme(str location);

/* ---- endpoint.c ---- */
/* What says where S3 is, and nothing of who may: members of an open object. */
void rest__write_place(const rest_call *c, json_writer *w);
/* "s3.example.org" of "https://s3.example.org:443/a?b", as the header Host has it: without the scheme's own port. */
str rest__authority_of(str url);
/* `authority` is the S3 door's: what s3.endpoint says, its address, a name of s3.domain, or the name under which the
 * client called the catalog. */
bool rest__is_s3_authority(const rest_call *c, str authority);

/* ---- given.c ---- */
typedef struct given_keys {
    str config; /* a JSON object; empty: there are none to give */
    str others; /* where else than below the table's location they are good: locations, each with a '\0' behind it */
    int64_t made_us, expires_us;
    uint64_t generation; /* access_generation when they were made */
} given_keys;

/* Keys that were given to somebody a moment ago. */
typedef struct given_cache given_cache;
given_cache *given_cache_create(void);
void given_cache_free(given_cache *cache); /* NULL is fine */
/* Keys that were kept under `key` within the last minute and in this generation, in `a`. Threads may ask at once. */
bool given_cache_find(given_cache *cache, uint64_t generation, str key, arena *a,
                      given_keys *ret_keys);
void given_cache_keep(given_cache *cache, str key, const given_keys *keys); /* copied */

#endif

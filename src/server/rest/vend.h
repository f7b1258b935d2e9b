/* vend.h: credentials for a table's files: what access.c gives to clients and sign.c signs with. */
#ifndef TARN_SERVER_REST_VEND_H
#define TARN_SERVER_REST_VEND_H

#include "rest.h"
#include "tarn/access/s3.h"

/* A session for the files of `table`, with as much as this caller may. *ret_made false, and nothing made, where the
 * table has no files in the built-in store. */
status rest__vend(rest_call *c, const catalog_document *table, int64_t duration_s, bool *ret_made,
                  s3_session *ret_session, error *err);
/* What `rest__vend` would let the session touch. */
status rest__scopes(rest_call *c, const catalog_document *table,
                    s3_scope ret_scopes[ACCESS_SCOPES_MAX], size_t *ret_count, error *err);

/* `authority` ("host:port", a scheme's own port left out) is the S3 door's: what s3.endpoint says, its address, a name
 * of s3.domain, or the name under which the client called the catalog. */
bool rest__is_s3_authority(const rest_call *c, str authority);

/* Keys that were given to somebody a moment ago. */
typedef struct given_cache given_cache;
given_cache *given_cache_create(void);
void given_cache_free(given_cache *cache); /* NULL is fine */

#endif

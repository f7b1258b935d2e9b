/* uri.h: percent-coding, request targets, query strings (RFC 3986). */
#ifndef TARN_NET_URI_H
#define TARN_NET_URI_H

#include "tarn/base/buf.h"
#include "tarn/base/str.h"

/* Decodes %XX once; "+" stays. INVALID on a broken escape or an encoded NUL. */
status uri_decode(arena *a, str text, str *ret_text, error *err);
/* As application/x-www-form-urlencoded: "+" is a space. */
status uri_decode_form(arena *a, str text, str *ret_text, error *err);
/* Everything but unreserved characters is escaped; `keep` lists more to leave ("/" for paths). */
void uri_encode(buf *out, str text, const char *keep);

typedef struct uri_pair {
    str name;
    str value; /* STR_NULL where there was no "=" */
} uri_pair;
/* Pairs of a query string in order, decoded. */
status uri_parse_query(arena *a, str query, uri_pair **ret_pairs, size_t *ret_count, error *err);

typedef struct uri {
    str scheme, host, path, query; /* raw views */
    int port;                      /* 0 where absent */
} uri;
/* Absolute URIs: http, https, s3, file. INVALID otherwise. */
status uri_parse(str text, uri *ret_uri, error *err);

#endif

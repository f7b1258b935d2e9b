/* Signing requests and URLs, for clients. */
#include <stdlib.h>

#include "signature_core.h"
#include "tarn/base/mem.h"

static int compare_headers(const void *left, const void *right)
{
    const http_header *a = left;
    const http_header *b = right;

    return str_compare(a->name, b->name);
}

/* What a canonical request is written from. */
typedef struct signing {
    const char *method;
    str target;
    const http_header *headers; /* names in lower case, sorted, each once */
    size_t header_count;
    str extra_query; /* behind the target's own */
    str payload;
} signing;

static str header_list(arena *a, const http_header *headers, size_t count)
{
    buf *out = buf_in(a, SIGNATURE_TEXT_MAX);

    for (size_t i = 0; i < count; i++) {
        buf_add_str(out, i > 0 ? STR(";") : STR(""));
        buf_add_str(out, headers[i].name);
    }
    return buf_str(out);
}

static status sign(const signing_key *key, const signing *s, int64_t now_us, arena *a,
                   str *ret_signature, error *err)
{
    buf *out = buf_in(a, SIGNATURE_TEXT_MAX);
    uint8_t derived[SIGNATURE_KEY_BYTES];
    str query = STR_NULL;
    uri_pair *pairs = NULL;
    size_t count = 0;
    str path = str_cut(s->target, '?', &query);
    str stamp = signature__timestamp(a, now_us);
    str date = str_slice(stamp, 0, 8);

    if (s->extra_query.size > 0) {
        query = str_printf(a, "%.*s&%.*s", STR_ARG(query), STR_ARG(s->extra_query));
    }
    if (query.size > 0) {
        TRY(uri_parse_query(a, query, &pairs, &count, err));
    }
    buf_printf(out, "%s\n%.*s\n", s->method, STR_ARG(path));
    signature__add_query(out, a, pairs, count);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < s->header_count; i++) {
        signature__add_header(out, s->headers[i].name, &s->headers[i], 1);
    }
    buf_add_char(out, '\n');
    buf_add_str(out, header_list(a, s->headers, s->header_count));
    buf_add_char(out, '\n');
    buf_add_str(out, s->payload);
    TRY(buf_check(out, "request to sign", err));
    str text = signature__string_to_sign(
        a, stamp, signature__scope(a, date, key->region, key->service), buf_str(out));
    signature__key(key->access_key, key->secret, date, key->region, key->service, derived);
    *ret_signature = signature__sign(a, derived, text);
    signature__keep_key(key->access_key, key->secret, date, key->region, key->service, derived);
    mem_wipe(derived, sizeof derived);
    return STATUS_OK;
}

status signature_make(const signing_key *key, const char *method, str host, str target,
                      const http_header *headers, size_t header_count, str payload, int64_t now_us,
                      arena *a, http_header ret_headers[4], size_t *ret_count, error *err)
{
    http_header *all = ARENA_ARRAY(a, http_header, header_count + 4);
    http_header out[4];
    size_t out_count = 0;
    size_t count = 0;
    str stamp = signature__timestamp(a, now_us);
    str made = STR_NULL;

    out[out_count++] = (http_header){.name = STR("authorization")};
    out[out_count++] = (http_header){.name = STR("x-amz-date"), .value = stamp};
    out[out_count++] = (http_header){.name = STR("x-amz-content-sha256"), .value = payload};
    if (!str_is_empty(key->session_token)) {
        out[out_count++] =
            (http_header){.name = STR("x-amz-security-token"), .value = key->session_token};
    }
    all[count++] = (http_header){.name = STR("host"), .value = host};
    for (size_t i = 1; i < out_count; i++) {
        all[count++] = out[i];
    }
    for (size_t i = 0; i < header_count; i++) {
        all[count++] =
            (http_header){.name = str_lower(a, headers[i].name), .value = headers[i].value};
    }
    qsort(all, count, sizeof *all, compare_headers);
    for (size_t i = 1; i < count; i++) {
        if (str_equal(all[i - 1].name, all[i].name)) {
            return error_set(err, STATUS_INVALID, "header \"%.*s\" is given twice",
                             STR_ARG(all[i].name));
        }
    }
    signing s = {.method = method,
                 .target = target,
                 .headers = all,
                 .header_count = count,
                 .payload = payload};
    TRY(sign(key, &s, now_us, a, &made, err));
    str scope = signature__scope(a, str_slice(stamp, 0, 8), key->region, key->service);
    str list = header_list(a, all, count);
    out[0].value = str_printf(
        a, SIGNATURE_ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.*s",
        STR_ARG(key->access_key), STR_ARG(scope), STR_ARG(list), STR_ARG(made));
    memcpy(ret_headers, out, out_count * sizeof *out);
    *ret_count = out_count;
    return STATUS_OK;
}

static void add_parameter(buf *out, const char *name, str value)
{
    if (out->size > 0) {
        buf_add_char(out, '&');
    }
    buf_add_c(out, name);
    buf_add_char(out, '=');
    uri_encode(out, value, NULL);
}

status signature_presign(const signing_key *key, const char *method, str host, str target,
                         int64_t expires_s, int64_t now_us, arena *a, str *ret_query, error *err)
{
    buf *query = buf_in(a, SIGNATURE_TEXT_MAX);
    http_header host_header = {.name = STR("host"), .value = host};
    str stamp = signature__timestamp(a, now_us);
    str scope = signature__scope(a, str_slice(stamp, 0, 8), key->region, key->service);
    str made = STR_NULL;

    if (expires_s < 1 || expires_s > SIGNATURE_EXPIRES_MAX_S) {
        return error_set(err, STATUS_INVALID,
                         "a signed URL cannot be valid for %lld seconds; 1 to %lld can be had",
                         (long long)expires_s, (long long)SIGNATURE_EXPIRES_MAX_S);
    }
    add_parameter(query, "X-Amz-Algorithm", STR(SIGNATURE_ALGORITHM));
    add_parameter(query, "X-Amz-Credential",
                  str_printf(a, "%.*s/%.*s", STR_ARG(key->access_key), STR_ARG(scope)));
    add_parameter(query, "X-Amz-Date", stamp);
    add_parameter(query, "X-Amz-Expires", str_printf(a, "%lld", (long long)expires_s));
    add_parameter(query, "X-Amz-SignedHeaders", STR("host"));
    if (!str_is_empty(key->session_token)) {
        add_parameter(query, "X-Amz-Security-Token", key->session_token);
    }
    signing s = {.method = method,
                 .target = target,
                 .headers = &host_header,
                 .header_count = 1,
                 .extra_query = buf_str(query),
                 .payload = STR(SIGNATURE_UNSIGNED)};
    TRY(sign(key, &s, now_us, a, &made, err));
    add_parameter(query, "X-Amz-Signature", made);
    TRY(buf_check(query, "signed URL", err));
    *ret_query = buf_str(query);
    return STATUS_OK;
}

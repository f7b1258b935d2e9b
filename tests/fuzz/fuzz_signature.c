/* Heads of signed requests: whatever they claim, reading them gives a known form or a refusal with a code, checking
 * them with a secret that did not sign them never says yes. */
#include "http_core.h"
#include "support/fuzz.h"
#include "tarn/net/signature.h"

#define NOW INT64_C(1795294042000000) /* 2026-11-21T20:47:22Z, when the seeds were signed */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static http_header headers[LIMIT_HTTP_HEADERS];
    const char *bytes = (const char *)data;
    http_scan scan = {.line = 0};
    size_t head_size = 0;
    http_exchange x = {.memory = NULL};
    request_signature s;
    error err = ERROR_INIT;

    if (http__head_scan(&scan, bytes, size, &head_size) != HTTP_REFUSE_NONE || head_size == 0 ||
        http__head_parse(bytes, head_size, headers, &x.head) != HTTP_REFUSE_NONE) {
        return 0;
    }
    x.memory = arena_create();
    if (signature_read(&x, NOW, &s, &err) != STATUS_OK) {
        ASSERT(err.s3_code != NULL && err.message[0] != '\0');
    } else {
        bool is_signed = s.kind != SIGNATURE_NONE;
        ASSERT(is_signed == (s.access_key.size > 0) && is_signed == (s.signature.size > 0));
        ASSERT(is_signed || (s.payload != PAYLOAD_STREAMING_SIGNED &&
                             s.payload != PAYLOAD_STREAMING_SIGNED_TRAILER));
        ASSERT(signature_check(&x, &s, STR("a secret that signed nothing"), &err) != STATUS_OK);
        ASSERT(err.s3_code != NULL);
    }
    arena_free(x.memory);
    return 0;
}

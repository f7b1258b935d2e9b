/* The S3 door: every S3 request passes here once: address, route, signature, right, handler, answer, log. */
#include "../app.h"

#include "tarn/base/limits.h"
#include "tarn/codec/xml.h"

void server__handle_s3(void *context, http_exchange *x)
{
    (void)context;
    buf *body = buf_in(http_exchange_arena(x), LIMIT_JSON_BODY);
    buf_add_c(
        body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NotImplemented</Code></Error>");
    http_respond(x, 501, "application/xml", buf_str(body));
}

bool server__s3_is_inline(void *context, http_exchange *x)
{
    (void)context;
    (void)x;
    return false;
}

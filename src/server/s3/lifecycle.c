/* The lifecycle sub-resource, and the header that tells when an object will go. */
#include "s3/lifecycle.h"

#include "s3/handlers.h"
#include "tarn/net/uri.h"

status s3_lifecycle_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "lifecycle");

    if (str_is_null(text)) {
        return s3_fail(err, "NoSuchLifecycleConfiguration", "the bucket has no lifecycle rules");
    }
    http_respond(c->x, 200, "application/xml", text);
    return STATUS_OK;
}

status s3_lifecycle_put(s3_call *c, error *err)
{
    const xml_element *root = NULL;
    lifecycle_rule *rules = NULL;
    size_t count = 0;

    TRY(s3_check_not_warehouse(c, "lifecycle rules", err));
    TRY(s3_read_xml(c, "LifecycleConfiguration", &root, err));
    TRY(lifecycle_parse(root, c->a, &rules, &count, err));
    buf *out = s3_xml_begin(c, "LifecycleConfiguration");
    lifecycle_format(rules, count, out);
    xml_close(out, "LifecycleConfiguration");
    TRY(buf_check(out, "rules", err));
    TRY(bucket_set_document(c->app->storage, c->bucket, "lifecycle", buf_str(out), err));
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_lifecycle_delete(s3_call *c, error *err)
{
    TRY(bucket_set_document(c->app->storage, c->bucket, "lifecycle", STR_NULL, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

/* The rule that lets it go first. */
void s3_expiration_header(s3_call *c, const s3_facts *facts, const object_info *info)
{
    str text = bucket_document(facts->info, "lifecycle");
    const xml_element *root = NULL;
    lifecycle_rule *rules = NULL;
    size_t count = 0;
    const lifecycle_rule *first = NULL;
    int64_t first_us = 0;
    int64_t day_us = setting_number(c->app->settings, SETTING_S3_LIFECYCLE_DAY) * 1000;
    char date[S3_DATE_SIZE];

    if (str_is_null(text) || xml_parse(text, c->a, &root, NULL) != STATUS_OK ||
        lifecycle_parse(root, c->a, &rules, &count, NULL) != STATUS_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t at_us = lifecycle_expires_at(&rules[i], info, day_us);
        if (at_us > 0 && lifecycle_fits(&rules[i], info) && (first == NULL || at_us < first_us)) {
            first = &rules[i];
            first_us = at_us;
        }
    }
    if (first != NULL) {
        buf *id = buf_in(c->a, LIMIT_HTTP_HEAD);
        uri_encode(id, first->id, "");
        s3_format_date(first_us, date);
        http_set_header(
            c->x, "x-amz-expiration",
            str_printf(c->a, "expiry-date=\"%s\", rule-id=\"%.*s\"", date, STR_ARG(buf_str(id))));
    }
}

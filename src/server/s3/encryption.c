/* Encryption at rest: SSE-S3 as header and as the bucket's default. Keys of the client's (SSE-C) and of a key service
 * (SSE-KMS) are refused, never passed over in silence. */
#include "s3/handlers.h"

static status refuse_kms(str algorithm, error *err)
{
    if (str_starts_with(algorithm, STR("aws:"))) {
        return s3_fail(err, "NotImplemented", "SSE-KMS is not served: AES256 is (SSE-S3)");
    }
    return s3_fail(err, "InvalidArgument", "The encryption method specified is not supported");
}

status s3_encryption_read(s3_call *c, const s3_facts *facts, bool *ret_encrypted, error *err)
{
    static const char *const customer[] = {
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "x-amz-copy-source-server-side-encryption-customer-key",
    };
    str algorithm = s3_header(c, "x-amz-server-side-encryption");

    for (size_t i = 0; i < COUNT_OF(customer); i++) {
        if (!str_is_null(s3_header(c, customer[i]))) {
            return s3_fail(err, "NotImplemented",
                           "SSE-C is not served: tarn keeps the keys (SSE-S3)");
        }
    }
    if (!str_is_null(algorithm) && !str_equal(algorithm, STR("AES256"))) {
        return refuse_kms(algorithm, err);
    }
    if (!str_is_null(s3_header(c, "x-amz-server-side-encryption-aws-kms-key-id"))) {
        return s3_fail(err, "InvalidArgument", "a KMS key is for SSE-KMS alone");
    }
    *ret_encrypted = !str_is_null(algorithm) || facts->encrypts;
    return STATUS_OK;
}

status s3_encryption_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "encryption");

    if (str_is_null(text)) {
        return s3_fail(err, "ServerSideEncryptionConfigurationNotFoundError",
                       "objects are stored in the clear unless they ask for more");
    }
    http_respond(c->x, 200, "application/xml", text);
    return STATUS_OK;
}

/* SSE-C is refused whatever is said here, and nothing else can be. */
static status check_blocked(const xml_element *blocked, error *err)
{
    for (const xml_element *e = xml_child(blocked, "EncryptionType"); e != NULL; e = xml_next(e)) {
        str type = str_trim(e->text);

        if (!str_equal(type, STR("SSE-C")) && !str_equal(type, STR("NONE"))) {
            return s3_fail(err, "MalformedXML", "EncryptionType is SSE-C or NONE");
        }
    }
    return STATUS_OK;
}

status s3_encryption_put(s3_call *c, error *err)
{
    const xml_element *root = NULL;

    TRY(s3_check_not_warehouse(c, "default encryption", err));
    TRY(s3_read_xml(c, "ServerSideEncryptionConfiguration", &root, err));
    const xml_element *by_default =
        xml_child(xml_child(root, "Rule"), "ApplyServerSideEncryptionByDefault");
    if (by_default == NULL || xml_count(root, "Rule") != 1) {
        return s3_fail(err, "MalformedXML",
                       "one Rule with ApplyServerSideEncryptionByDefault is expected");
    }
    TRY(check_blocked(xml_child(xml_child(root, "Rule"), "BlockedEncryptionTypes"), err));
    str algorithm = str_trim(xml_child_text(by_default, "SSEAlgorithm"));
    if (!str_equal(algorithm, STR("AES256"))) {
        return str_starts_with(algorithm, STR("aws:"))
                   ? refuse_kms(algorithm, err)
                   : s3_fail(err, "MalformedXML", "SSEAlgorithm is AES256");
    }
    if (xml_child(by_default, "KMSMasterKeyID") != NULL) {
        return s3_fail(err, "InvalidArgument", "a KMS key is for SSE-KMS alone");
    }
    buf *out = s3_xml_begin(c, "ServerSideEncryptionConfiguration");
    xml_open(out, "Rule");
    xml_open(out, "ApplyServerSideEncryptionByDefault");
    xml_add_text(out, "SSEAlgorithm", STR("AES256"));
    xml_close(out, "ApplyServerSideEncryptionByDefault");
    xml_add_bool(out, "BucketKeyEnabled", false);
    xml_close(out, "Rule");
    xml_close(out, "ServerSideEncryptionConfiguration");
    TRY(bucket_set_document(c->app->storage, c->bucket, "encryption", buf_str(out), err));
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_encryption_delete(s3_call *c, error *err)
{
    TRY(bucket_set_document(c->app->storage, c->bucket, "encryption", STR_NULL, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

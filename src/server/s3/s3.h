/* s3.h: what the files of the S3 door share: one request on its way, the route table's rows, errors, answers.
 *
 * The door (door.c) has taken the address apart, checked the signature and asked for the route's action before a
 * handler runs. A handler answers, or returns why it cannot; then the door answers with S3's error. A handler that
 * finds more that needs a right (a source of a copy, each key of a list to delete) asks s3_allow itself. */
#ifndef TARN_SERVER_S3_H
#define TARN_SERVER_S3_H

#include "app.h"
#include "s3/errors.h"
#include "tarn/access/s3.h"
#include "tarn/base/limits.h"
#include "tarn/codec/xml.h"
#include "tarn/net/form.h"
#include "tarn/net/signature.h"
#include "tarn/store/object.h"

#define S3_XMLNS "http://s3.amazonaws.com/doc/2006-03-01/"
#define S3_KEY_BYTES_MAX 1024
#define S3_XML_BYTES_MAX (8 * LIMIT_MIB)           /* a body that is a document */
#define S3_OBJECT_BYTES_MAX (INT64_C(5) << 30)     /* of one PUT or part */
#define S3_COPY_BYTES (256 * LIMIT_KIB)            /* moved at once between socket and file */
#define S3_ANSWER_BYTES_MAX LIMIT_RESULT_IN_MEMORY /* an XML answer */

typedef enum s3_level { S3_SERVICE, S3_BUCKET, S3_OBJECT } s3_level;

typedef struct s3_route s3_route;

/* Facts of a bucket, parsed once per version of its row (facts.c). */
typedef struct s3_facts {
    const bucket_info *info;
    s3_bucket_facts rights;
    bool encrypts; /* default encryption SSE-S3 */
} s3_facts;

typedef struct s3_call {
    server *app;
    http_exchange *x;
    arena *a;
    const s3_route *route;
    s3_level level;
    str bucket, key;   /* decoded bytes; empty where not named */
    str version;       /* ?versionId; STR_NULL where not named */
    str asked_version; /* the version that a decision is about, for s3:VersionId; STR_NULL: none */
    str host_bucket;   /* the bucket, where Host named it */
    request_signature signature;
    s3_identity who;
    const s3_facts *facts; /* of `bucket`; NULL where none is named, or it is yet to be made */
    /* Of (bucket, key, version), found before the decision where the route's rights depend on it. */
    status object_status; /* STATUS_OK: `object` is there; NOT_FOUND, METHOD */
    error object_error;
    object_info object;
    bool object_known; /* it was looked for */
    const object_hot
        *hot; /* `object` with its bytes, where they are in memory; until the request's end */
    /* Values for policies' conditions beyond the request's own. */
    const object_pair *request_tags;
    size_t request_tag_count;
    bool has_digest;       /* the body was verified by a digest that the client named */
    bool body_is_list;     /* checksum headers speak of the object that is made, not of the body */
    str form;              /* STS and IAM alone: the body, read before the signature was checked */
    const char *operation; /* what they do; NULL: the route says it */
    const http_form *posted; /* PostObject alone: its fields stand for the headers (s3_header) */
} s3_call;

typedef status (*s3_handler)(s3_call *c, error *err);

typedef enum s3_route_flags {
    S3_NO_BUCKET_YET = 1, /* the bucket need not be there */
    S3_ASKS_ITSELF = 2,   /* the handler asks for its rights; `action` is for the docs alone */
    S3_NEEDS_OBJECT = 4,  /* rights depend on the existing object (its owner, ACL, tags) */
} s3_route_flags;

/* A row of the table in routes.c. */
struct s3_route {
    http_method method;
    s3_level level;
    const char *parameter;      /* sub-resource of the query, or "header:NAME"; NULL: none */
    const char *name;           /* of the S3 API: "GetObject" */
    const char *action;         /* asked before the handler; NULL: none */
    const char *version_action; /* where ?versionId is given; NULL: the same */
    s3_handler handle;          /* NULL: refused with `code` */
    const char *code;
    unsigned flags;
    const char *summary;
};
const s3_route *s3_routes(size_t *ret_count);
/* MethodNotAllowed, NotImplemented. */
status s3_route_find(s3_call *c, error *err);

/* ---- rights ---- */
/* Whether the caller has the right ("s3:GetObject") to (bucket, key). `object` may be NULL. */
status s3_allow(s3_call *c, const char *right, const s3_facts *facts, str key,
                const object_info *object, error *err);
/* Values of condition keys (values.c); `context` is the s3_call. */
bool s3_condition_values(void *context, str key, const str **ret_values, size_t *ret_count);
/* Facts of a bucket, kept alive until the request's end. NOT_FOUND "NoSuchBucket". */
status s3_facts_find(s3_call *c, str bucket, const s3_facts **ret_facts, error *err);
/* Text of the ACL that the request's headers ask for (x-amz-acl, x-amz-grant-*); STR_NULL where they ask for none. */
status s3_acl_of_request(s3_call *c, str owner, str bucket_owner, str *ret_acl, error *err);

/* ---- bodies ---- */
/* Of a request: a small document, whole, with what was claimed of it (Content-MD5, x-amz-checksum-*) verified. */
status s3_read_body(s3_call *c, size_t max_bytes, str *ret_bytes, error *err);
/* Around what is read of a body before it is known who sends it: few at once and not for long, so that those who have
 * no key cannot take the threads of those who do. SlowDown; after STATUS_OK s3_unproven_end is called. */
status s3_unproven_begin(s3_call *c, error *err);
void s3_unproven_end(s3_call *c);
/* As XML; MalformedXML where it is none, or its root has another name. */
status s3_read_xml(s3_call *c, const char *root, const xml_element **ret_root, error *err);
/* MalformedXML with the name of an element that has no place there, or stands twice where one may. */
status s3_check_elements(const xml_element *root, error *err);

/* What the client claims of bytes to come. */
typedef struct s3_claims {
    bool has_md5;
    uint8_t md5[16];
    object_checksum_kind
        kind;  /* of the value in header or trailer, or of x-amz-sdk-checksum-algorithm */
    str value; /* from the header; STR_NULL where it is in the trailer or only the kind was named */
    bool in_trailer;
} s3_claims;
status s3_claims_read(s3_call *c, s3_claims *ret_claims, error *err);
/* BadDigest. */
status s3_claims_check(const s3_claims *claims, const aws_body *body, const object_digests *got,
                       error *err);
const char *s3_checksum_header(object_checksum_kind kind);    /* "x-amz-checksum-crc32" */
const char *s3_checksum_element(object_checksum_kind kind);   /* "ChecksumCRC32" */
const char *s3_checksum_algorithm(object_checksum_kind kind); /* "CRC32" */
/* CHECKSUM_NONE for unknown names. */
object_checksum_kind s3_checksum_kind(str algorithm);
bool s3_checksum_is_valid(object_checksum_kind kind, str base64);

/* ---- headers ---- */
/* What the request says of the object it writes: type, system headers, metadata, tags, lock, owner, ACL, encryption. */
status s3_attributes_read(s3_call *c, const s3_facts *facts, object_attributes *ret_attributes,
                          error *err);
void s3_write_object_headers(s3_call *c, const s3_facts *facts, const object_info *info);
void s3_write_version(s3_call *c, const s3_facts *facts, const object_info *info);
void s3_write_checksum(s3_call *c, const object_checksum *checksum);
void s3_write_encryption(s3_call *c, const object_info *info);
/* Attributes' own tags: "a=b&c=d", at most 10. InvalidArgument, InvalidTag. */
status s3_tags_parse(s3_call *c, str text, const object_pair **ret_tags, size_t *ret_count,
                     error *err);
status s3_tags_check(const object_pair *tags, size_t count, size_t max, error *err);
status s3_lock_read(s3_call *c, const s3_facts *facts, object_lock *ret_lock, error *err);
/* The document of a bucket with object lock and no default retention; the store applies what it says. */
#define S3_LOCK_NO_DEFAULT "{}"
/* SSE-C and SSE-KMS are refused; AES256 is `ret_encrypted`, as is the bucket's default. */
status s3_encryption_read(s3_call *c, const s3_facts *facts, bool *ret_encrypted, error *err);
str s3_quoted(arena *a, str etag);
str s3_unquoted(str etag);

#define S3_DATE_SIZE 32
void s3_format_date(int64_t time_us,
                    char ret_text[S3_DATE_SIZE]); /* Sun, 06 Nov 1994 08:49:37 GMT */
/* All three forms of RFC 9110, and ISO 8601. */
status s3_parse_date(str text, int64_t *ret_us, error *err);
status s3_parse_iso(str text, int64_t *ret_us, error *err);

/* ---- conditions ---- */
/* Of GET, HEAD and of a copy's source ("x-amz-copy-source-" in front). PRECONDITION; `ret_unchanged` is 304. */
status s3_conditions_read(s3_call *c, bool of_source, const object_info *info, bool *ret_unchanged,
                          error *err);
/* Of a change. */
status s3_conditions_write(s3_call *c, object_conditions *ret_conditions, error *err);

/* ---- answers ---- */
buf *s3_xml_begin(s3_call *c, const char *root);
status s3_xml_send(s3_call *c, int status_code, const char *root, buf *out, error *err);
void s3_empty(s3_call *c, int status_code);
void s3_add_owner(s3_call *c, buf *out, const char *element, str canonical_id);
str s3_param(const s3_call *c, const char *name); /* STR_NULL where absent */
bool s3_has_param(const s3_call *c, const char *name);
/* 0 … max; InvalidArgument. Larger ones are `max`. */
status s3_param_count(const s3_call *c, const char *name, int64_t max, int64_t *ret_value,
                      error *err);
/* Of the request, or the parameter that stands for it where the query is signed (s3_is_hoisted); of a form, what its
 * fields say, and of its own headers only those of the transport. */
str s3_header(const s3_call *c, const char *name);
/* Whether a parameter of that name stands for a header: "x-amz-…" of a request that is signed in the query, but for
 * the signature's own. */
bool s3_is_hoisted(const s3_call *c, str name);
/* INVALID: a parameter that says another than its header, or that is not signed as one. NotImplemented: headers that
 * would make another operation of it. */
status s3_headers_check(const s3_call *c, error *err);

/* ---- buckets.c ---- */
/* AccessDenied for the warehouse's bucket: rules of `what` would delete, lock or hide files of live tables. */
status s3_check_not_warehouse(const s3_call *c, const char *what, error *err);
/* ---- cors.c ---- */
/* Headers of an answer to a request with Origin. */
void s3_cors_headers(s3_call *c, const s3_facts *facts);
/* ---- lifecycle.c ---- */
void s3_expiration_header(s3_call *c, const s3_facts *facts, const object_info *info);
/* ---- objects.c ---- */
void s3_use_hot(s3_call *c, const object_hot *hot); /* takes it over */
status s3_store_body(s3_call *c, const object_write *what, const s3_claims *claims, aws_body *body,
                     object_writer **ret_writer, object_digests *ret_digests, error *err);
/* ---- multipart.c ---- */
status s3_part_number(s3_call *c, int *ret_number, error *err);
/* ---- copy.c ---- */
typedef struct s3_source {
    str bucket, key, version;
    const s3_facts *facts;
    object_info info;
} s3_source;
/* x-amz-copy-source, found, authorised, its conditions held. */
status s3_source_open(s3_call *c, s3_source *ret_source, error *err);
/* x-amz-copy-source as "bucket/key", decoded, and its version, STR_NULL where it names none. "" where it is no text. */
str s3_source_text(s3_call *c, str *ret_version);

/* ---- metrics ---- */
void s3_count_request(const s3_route *route, int status_code, int64_t elapsed_us);
void s3_format_metrics(buf *out);

#endif

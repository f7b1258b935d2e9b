/* CORS: the rules of a bucket, the preflight, and the headers of actual answers. Only origins that a rule names are
 * ever told; credentials are never allowed. */
#include "s3/handlers.h"

#define RULES_MAX 100

/* ---- matching ---- */

/* One "*" stands for anything. */
static bool pattern_fits(str pattern, str text, bool nocase)
{
    bool (*equal)(str, str) = nocase ? str_equal_nocase : str_equal;
    size_t star = str_find_char(pattern, '*');

    if (star == STR_NPOS) {
        return equal(pattern, text);
    }
    str head = str_slice(pattern, 0, star);
    str tail = str_slice(pattern, star + 1, pattern.size);
    return text.size >= head.size + tail.size && equal(str_slice(text, 0, head.size), head) &&
           equal(str_slice(text, text.size - tail.size, text.size), tail);
}

static bool any_fits(const xml_element *rule, const char *name, str text, bool nocase,
                     str *ret_pattern)
{
    for (const xml_element *e = xml_child(rule, name); e != NULL; e = xml_next(e)) {
        if (pattern_fits(str_trim(e->text), text, nocase)) {
            *ret_pattern = str_trim(e->text);
            return true;
        }
    }
    return false;
}

static bool headers_fit(const xml_element *rule, str list)
{
    str rest = list;
    str pattern;

    while (!str_is_null(rest)) {
        str name = str_trim(str_cut(rest, ',', &rest));
        if (name.size > 0 && !any_fits(rule, "AllowedHeader", name, true, &pattern)) {
            return false;
        }
    }
    return true;
}

typedef struct match {
    const xml_element *rule;
    str origin; /* to be told */
} match;

static bool find_rule(const xml_element *root, str origin, str method, str headers,
                      match *ret_match)
{
    str pattern;

    for (const xml_element *e = xml_child(root, "CORSRule"); e != NULL; e = xml_next(e)) {
        if (any_fits(e, "AllowedMethod", method, false, &pattern) &&
            any_fits(e, "AllowedOrigin", origin, false, &pattern) && headers_fit(e, headers)) {
            ret_match->rule = e;
            ret_match->origin = str_equal(pattern, STR("*")) ? STR("*") : origin;
            return true;
        }
    }
    return false;
}

static str joined(s3_call *c, const xml_element *rule, const char *name)
{
    buf *out = buf_in(c->a, LIMIT_HTTP_HEAD);

    for (const xml_element *e = xml_child(rule, name); e != NULL; e = xml_next(e)) {
        buf_add_c(out, out->size > 0 ? ", " : "");
        buf_add_str(out, str_trim(e->text));
    }
    return out->size > 0 ? buf_str(out) : STR_NULL;
}

static void write_headers(s3_call *c, const match *m, str asked_headers)
{
    str exposed = joined(c, m->rule, "ExposeHeader");
    str age = xml_child_text(m->rule, "MaxAgeSeconds");

    http_set_header(c->x, "Access-Control-Allow-Origin", m->origin);
    http_set_header(c->x, "Access-Control-Allow-Methods", joined(c, m->rule, "AllowedMethod"));
    if (asked_headers.size > 0) {
        http_set_header(c->x, "Access-Control-Allow-Headers", str_lower(c->a, asked_headers));
    }
    if (!str_is_null(exposed)) {
        http_set_header(c->x, "Access-Control-Expose-Headers", exposed);
    }
    if (age.size > 0) {
        http_set_header(c->x, "Access-Control-Max-Age", str_trim(age));
    }
    http_set_header(c->x, "Vary",
                    STR("Origin, Access-Control-Request-Headers, Access-Control-Request-Method"));
}

static const xml_element *parse_rules(s3_call *c, const s3_facts *facts)
{
    const xml_element *root = NULL;
    str text = bucket_document(facts->info, "cors");

    if (str_is_null(text) || xml_parse(text, c->a, &root, NULL) != STATUS_OK) {
        return NULL;
    }
    return root;
}

void s3_cors_headers(s3_call *c, const s3_facts *facts)
{
    str origin = s3_header(c, "origin");
    str method = s3_header(c, "access-control-request-method");
    match m;

    if (origin.size == 0 || http_request_method(c->x) == HTTP_OPTIONS) {
        return;
    }
    const xml_element *root = parse_rules(c, facts);
    if (method.size == 0) {
        method = str_c(http_method_name(http_request_method(c->x)));
    }
    if (root != NULL && find_rule(root, origin, method, STR_NULL, &m)) {
        write_headers(c, &m, STR_NULL);
    }
}

status s3_cors_preflight(s3_call *c, error *err)
{
    str origin = s3_header(c, "origin");
    str method = s3_header(c, "access-control-request-method");
    str headers = s3_header(c, "access-control-request-headers");
    match m;

    if (origin.size == 0) {
        return s3_fail(err, "BadRequest",
                       "Insufficient information. Origin request header needed.");
    }
    if (method.size == 0) {
        return s3_fail(err, "BadRequest", "Invalid Access-Control-Request-Method: null");
    }
    const xml_element *root = parse_rules(c, c->facts);
    if (root == NULL) {
        return s3_fail(err, "AccessForbidden",
                       "CORSResponse: CORS is not enabled for this bucket.");
    }
    if (!find_rule(root, origin, method, headers, &m)) {
        return s3_fail(
            err, "AccessForbidden",
            "CORSResponse: This CORS request is not allowed. This is usually because the "
            "evaluation of Origin, request method / Access-Control-Request-Method or "
            "Access-Control-Request-Headers are not whitelisted by the resource's CORS "
            "spec.");
    }
    write_headers(c, &m, headers);
    s3_empty(c, 200);
    return STATUS_OK;
}

/* ---- the configuration ---- */

static status check_patterns(const xml_element *rule, const char *name, error *err)
{
    for (const xml_element *e = xml_child(rule, name); e != NULL; e = xml_next(e)) {
        str text = str_trim(e->text);
        size_t star = str_find_char(text, '*');
        if (star != STR_NPOS &&
            str_find_char(str_slice(text, star + 1, text.size), '*') != STR_NPOS) {
            return s3_fail(err, "InvalidRequest",
                           "%s \"%.*s\" can not have more than one wildcard.", name, STR_ARG(text));
        }
    }
    return STATUS_OK;
}

static status check_rule(const xml_element *rule, error *err)
{
    static const char *const methods[] = {"GET", "PUT", "HEAD", "POST", "DELETE"};
    str age = xml_child_text(rule, "MaxAgeSeconds");
    int64_t seconds = 0;

    if (xml_child(rule, "AllowedMethod") == NULL || xml_child(rule, "AllowedOrigin") == NULL) {
        return s3_fail(err, "MalformedXML", "a CORSRule has an AllowedMethod and an AllowedOrigin");
    }
    for (const xml_element *e = xml_child(rule, "AllowedMethod"); e != NULL; e = xml_next(e)) {
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(methods); i++) {
            known = known || str_equal(str_trim(e->text), str_c(methods[i]));
        }
        if (!known) {
            return s3_fail(
                err, "InvalidRequest",
                "Found unsupported HTTP method in CORS config. Unsupported method is %.*s",
                STR_ARG(str_trim(e->text)));
        }
    }
    if (age.size > 0 && (str_to_int64(str_trim(age), &seconds, NULL) != STATUS_OK || seconds < 0)) {
        return s3_fail(err, "MalformedXML", "MaxAgeSeconds is no number");
    }
    TRY(check_patterns(rule, "AllowedOrigin", err));
    return check_patterns(rule, "AllowedHeader", err);
}

static void copy_children(buf *out, const xml_element *rule, const char *name)
{
    for (const xml_element *e = xml_child(rule, name); e != NULL; e = xml_next(e)) {
        xml_add_text(out, name, str_trim(e->text));
    }
}

status s3_cors_put(s3_call *c, error *err)
{
    static const char *const members[] = {
        "ID", "AllowedMethod", "AllowedOrigin", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds"};
    const xml_element *root = NULL;

    TRY(s3_read_xml(c, "CORSConfiguration", &root, err));
    size_t count = xml_count(root, "CORSRule");
    if (count == 0 || count > RULES_MAX) {
        return s3_fail(err, "MalformedXML", "a CORSConfiguration has 1 to 100 rules");
    }
    buf *out = s3_xml_begin(c, "CORSConfiguration");
    for (const xml_element *e = xml_child(root, "CORSRule"); e != NULL; e = xml_next(e)) {
        TRY(check_rule(e, err));
        xml_open(out, "CORSRule");
        for (size_t i = 0; i < COUNT_OF(members); i++) {
            copy_children(out, e, members[i]);
        }
        xml_close(out, "CORSRule");
    }
    xml_close(out, "CORSConfiguration");
    TRY(buf_check(out, "rules", err));
    TRY(bucket_set_document(c->app->storage, c->bucket, "cors", buf_str(out), err));
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_cors_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "cors");

    if (str_is_null(text)) {
        return s3_fail(err, "NoSuchCORSConfiguration", "the bucket has no CORS rules");
    }
    http_respond(c->x, 200, "application/xml", text);
    return STATUS_OK;
}

status s3_cors_delete(s3_call *c, error *err)
{
    TRY(bucket_set_document(c->app->storage, c->bucket, "cors", STR_NULL, err));
    s3_empty(c, 204);
    return STATUS_OK;
}

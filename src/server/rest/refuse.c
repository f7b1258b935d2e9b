/* Errors of the REST catalog: {"error": {"message", "type", "code"}}, with the types and in the words that Iceberg's
 * clients tell failures apart by. A hint of ours stands in "stack". Nothing is put in front of a message that a module
 * below took from Iceberg ("Requirement failed: …"). */
#include <stdarg.h>
#include <stdio.h>

#include "rest.h"
#include "tarn/base/limits.h"

#define RETRY_AFTER_S "1"

status rest__fail(rest_call *c, error *err, status kind, int code, const char *type,
                  const char *format, ...)
{
    char message[sizeof(((error *)NULL)->message)];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    c->fail_code = code;
    c->fail_type = type;
    return error_set(err, kind, "%s", message);
}

int rest__error_code(const rest_call *c, const error *err)
{
    return c->fail_code != 0 ? c->fail_code : status_describe(err->kind)->http_status;
}

/* A body that can be read and asks for what cannot be: Java's clients raise that type as it is. */
const char *rest__error_type(const rest_call *c, const error *err)
{
    if (c->fail_type != NULL) {
        return c->fail_type;
    }
    return err->kind == STATUS_INVALID ? "IllegalArgumentException"
                                       : status_describe(err->kind)->iceberg_type;
}

/* ---- what is missing or in the way ---- */

status rest__no_table(rest_call *c, str shown, error *err)
{
    return rest__fail(c, err, STATUS_NO_TABLE, 404, "NoSuchTableException",
                      "Table does not exist: %.*s", STR_ARG(shown));
}

status rest__no_view(rest_call *c, str shown, error *err)
{
    return rest__fail(c, err, STATUS_NO_VIEW, 404, "NoSuchViewException",
                      "View does not exist: %.*s", STR_ARG(shown));
}

status rest__no_space(rest_call *c, str shown, error *err)
{
    return rest__fail(c, err, STATUS_NO_NAMESPACE, 404, "NoSuchNamespaceException",
                      "Namespace does not exist: %.*s", STR_ARG(shown));
}

/* The file that a message of the modules below names last. */
static str file_of(const error *err)
{
    str text = str_c(err->message);
    size_t end = str_find_last_char(text, '"');
    str before = end == STR_NPOS ? STR("") : str_slice(text, 0, end);
    size_t begin = str_find_last_char(before, '"');

    return begin == STR_NPOS ? text : str_slice(before, begin + 1, before.size);
}

status rest__lost(rest_call *c, error *err)
{
    str file = str_copy(c->base.a, file_of(err));

    return rest__fail(c, err, STATUS_NOT_FOUND, 404, "NotFoundException",
                      "Failed to open input stream for file: %.*s", STR_ARG(file));
}

status rest__missing(rest_call *c, error *err)
{
    if (!str_is_null(http_request_segment(c->base.x, "view"))) {
        return rest__no_view(c, c->shown, err);
    }
    if (!str_is_null(http_request_segment(c->base.x, "table"))) {
        return rest__no_table(c, c->shown, err);
    }
    return rest__no_space(c, c->shown_space, err);
}

bool rest__is_missing(status result)
{
    return result == STATUS_NO_TABLE || result == STATUS_NO_VIEW || result == STATUS_NO_NAMESPACE;
}

status rest__name_taken(rest_call *c, table_name name, str shown, bool for_view, error *err)
{
    catalog_kind kind = CATALOG_NOTHING;
    const char *wanted = for_view ? "View" : "Table";

    TRY(catalog_kind_of(c->base.app->catalog, name, &kind, err));
    if (kind ==
        CATALOG_NOTHING) { /* not the name: another thing that only one can have, as a uuid */
        return STATUS_EXISTS;
    }
    bool other = kind == (for_view ? CATALOG_TABLE : CATALOG_VIEW);
    if (other) {
        return rest__fail(c, err, STATUS_EXISTS, 409, "AlreadyExistsException",
                          "%s with same name already exists: %.*s", for_view ? "Table" : "View",
                          STR_ARG(shown));
    }
    return rest__fail(c, err, STATUS_EXISTS, 409, "AlreadyExistsException",
                      "%s already exists: %.*s", wanted, STR_ARG(shown));
}

status rest__word_create(rest_call *c, status result, table_name name, bool for_view, error *err)
{
    if (result == STATUS_EXISTS) {
        str shown =
            str_printf(c->base.a, "%.*s.%.*s", STR_ARG(c->shown_space), STR_ARG(name.table));
        return rest__name_taken(c, name, shown, for_view, err);
    }
    if (result == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, c->shown_space, err);
    }
    return result;
}

/* ---- the answer ---- */

static void put_error(buf *body, const char *message, const char *type, int code, const char *hint)
{
    json_writer w;

    json_writer_init(&w, body);
    json_begin_object(&w);
    json_key(&w, "error");
    json_begin_object(&w);
    json_member_c(&w, "message", message);
    json_member_c(&w, "type", type);
    json_member_int(&w, "code", code);
    if (hint[0] != '\0') {
        json_key(&w, "stack");
        json_begin_array(&w);
        json_put_c(&w, hint);
        json_end_array(&w);
    }
    json_end_object(&w);
    json_end_object(&w);
}

/* The path of a target that may be absolute: "http://host/iceberg/v1". It may be malformed, or have come in part. */
static str path_of_target(str target)
{
    size_t colon = str_find_char(target, ':');
    str behind = colon == STR_NPOS ? STR("") : str_slice(target, colon, target.size);

    if (str_starts_with(target, STR("/")) || !str_starts_with(behind, STR("://"))) {
        return target;
    }
    behind = str_slice(behind, 3, behind.size);
    size_t slash = str_find_char(behind, '/');
    return slash == STR_NPOS ? STR("") : str_slice(behind, slash, behind.size);
}

static bool is_below_root(str path)
{
    size_t root = sizeof(REST_ROOT) - 1;

    return str_starts_with(path, STR(REST_ROOT)) &&
           (path.size == root || path.data[root] == '/' || path.data[root] == '?');
}

const char *server__rest_refuse(void *context, const http_refused *refused, buf *body)
{
    (void)context;
    if (!is_below_root(path_of_target(refused->target))) {
        return NULL;
    }
    put_error(body, refused->message, status_describe(refused->kind)->iceberg_type,
              refused->http_status, "");
    return "application/json";
}

void rest__answer_error(rest_call *c, error *err)
{
    http_exchange *x = c->base.x;
    int code = rest__error_code(c, err);
    buf *body = buf_in(c->base.a, LIMIT_JSON_BODY);

    if (code == 401) {
        http_set_header(x, "WWW-Authenticate", STR("Bearer realm=\"tarn\""));
    }
    if (code == 503) {
        http_set_header(x, "Retry-After", STR(RETRY_AFTER_S));
    }
    if (http_request_method(x) == HTTP_HEAD) {
        http_respond(x, code, NULL, STR(""));
        return;
    }
    put_error(body, err->message, rest__error_type(c, err), code, err->hint);
    http_respond(x, code, "application/json", buf_str(body));
}

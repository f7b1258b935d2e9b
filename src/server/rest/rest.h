/* rest.h: what the files of the Iceberg REST catalog share: a request on its way, and the table of operations.
 *
 * The door (door.c) authenticates, finds the operation, turns prefix and path into names (address.c), asks
 * access_check, and runs the handler. Errors are the specification's error objects in the words that Iceberg's clients
 * look for (refuse.c); modules below word them tarn's way. Source: Iceberg REST catalog specification. */
#ifndef TARN_SERVER_REST_H
#define TARN_SERVER_REST_H

#include "answer.h"
#include "app.h"
#include "tarn/catalog/caller.h"
#include "tarn/catalog/document.h"
#include "tarn/catalog/request.h"
#include "tarn/catalog/warehouse.h"

#define REST_ROOT "/iceberg"
#define REST_SEPARATOR '\x1f' /* between the levels of a namespace in a path */

typedef struct rest_call {
    call base;
    const struct rest_route *route;
    warehouse_info warehouse; /* that the prefix names */
    /* The path's names as the catalog has them: the warehouse's namespace in front of its own. */
    table_name name;       /* space and table; parts that the path does not have are empty */
    str shown;             /* the same as clients call it in messages: "ns.tbl" */
    str shown_space;       /* "ns" */
    catalog_caller caller; /* set while the handler runs; `effect` is free */
    str body;              /* once it was read; STR_NULL before */
    bool is_keyless;       /* a staged table's place is not its own (staged.c) */
    str answered;          /* of a namespace or view: the JSON that was sent; empty else */
    str staged;            /* of a staged table: what it is answered from again (staged.c) */
    /* Of the failure, where they are not those of its kind; 0 and NULL else. */
    int fail_code;
    const char *fail_type;
} rest_call;

typedef enum rest_flag {
    REST_IDEMPOTENT = 1, /* accepts Idempotency-Key */
    REST_ANYWHERE = 2,   /* names no warehouse; not among the endpoints that getConfig tells */
} rest_flag;

typedef struct rest_route {
    http_pattern pattern;  /* as in the specification, below REST_ROOT */
    const char *operation; /* operationId */
    action act;            /* asked before the handler, for the warehouse and what the path names */
    status (*handle)(rest_call *c, error *err);
    unsigned flags;
    const char *summary;
} rest_route;
extern const rest_route rest__routes[];
extern const size_t rest__route_count;

/* Operations of the specification that are not served, and why. */
typedef struct rest_refusal {
    http_pattern pattern;
    const char *operation;
    const char *reason;
} rest_refusal;
extern const rest_refusal rest__refusals[];
extern const size_t rest__refusal_count;

/* ---- routes.c: addresses, each row with {prefix} and, for the first warehouse, without ---- */
/* One of the two is NULL. */
typedef struct rest_address {
    http_pattern pattern; /* whole path */
    const rest_route *route;
    const rest_refusal *refusal;
} rest_address;

/* ---- address.c ---- */
/* NOT_FOUND as NoSuchWarehouseException, INVALID. */
status rest__read_address(rest_call *c, str pattern, error *err);
/* The warehouse that the request is about; empty: the first. NOT_FOUND. */
status rest__find_warehouse(rest_call *c, str asked, error *err);
/* A table or view that a body names: {"namespace": ["a", "b"], "name": "t"}. `ret_shown` as clients call it. */
status rest__read_identifier(rest_call *c, const json *identifier, table_name *ret_name,
                             str *ret_shown, error *err);
/* "identifier" of a body, where it has one, is what the path names. */
status rest__check_identifier(rest_call *c, const json *body, error *err);
/* A namespace of a body, its levels; in the warehouse. */
status rest__read_levels(rest_call *c, const json *levels, str *ret_space, str *ret_shown,
                         error *err);
/* Of the query's parameter `name`, split as in a path; empty where it is absent or empty. */
status rest__read_space_param(rest_call *c, const char *name, str *ret_space, str *ret_shown,
                              error *err);
/* A table's or view's own name, of a path or a body. */
status rest__check_name(str name, error *err);
/* `space` (of the catalog) as an array of the levels that the warehouse shows. */
void rest__put_levels(const rest_call *c, str space, json_writer *w);
/* The same with dots between: what messages call it. */
str rest__shown_space(const rest_call *c, str space);
/* `space` is in the warehouse that the request is about. */
bool rest__is_inside(const rest_call *c, str space);

/* ---- door.c: rights ---- */
/* access_check for a table, view (both in `name`) or namespace (table empty): one decision by every door. */
status rest__allow(rest_call *c, action act, table_name name, error *err);

/* ---- bodies ---- */
/* The body's bytes; read once, however often it is asked for. TOO_LARGE; MEDIA_TYPE where it is encoded. */
status rest__read_body(rest_call *c, str *ret_text, error *err);
/* As a JSON object: SYNTAX with position, INVALID for another kind. */
status rest__read_json(rest_call *c, const json **ret_object, error *err);

/* ---- answers.c ---- */
status rest__send(rest_call *c, json_writer *w, error *err); /* 200 */
/* What loadTable answers, from the document, with ETag; with If-None-Match where `conditional`. */
status rest__answer_table(rest_call *c, table_name name, bool conditional, error *err);
/* After create and register: LoadTableResult; after a commit: CommitTableResponse. */
status rest__answer_loaded(rest_call *c, const catalog_loaded *loaded, error *err);
status rest__answer_committed(rest_call *c, const catalog_loaded *loaded, error *err);
/* LoadViewResult, of a view by its name, or of one that is at hand. */
status rest__answer_view(rest_call *c, table_name name, error *err);
status rest__answer_loaded_view(rest_call *c, const catalog_loaded_view *loaded, error *err);
/* GetNamespaceResponse. */
status rest__answer_namespace(rest_call *c, str space, error *err);

/* ---- staged.c ---- */
/* The answer of a staged create, of one reference to its metadata; the client chose its place where `asked`. What it is
 * made from is left in `c->staged`. INVALID where the place is another's. */
status rest__answer_staged(rest_call *c, const catalog_loaded *loaded, bool asked, error *err);
/* The same again from that text, with keys of its own. */
status rest__replay_staged(rest_call *c, str staged, error *err);

/* ---- text of several fields, which may hold any byte: "2:ns1:t" ---- */
str rest__join(arena *a, const str *fields, size_t count);
/* Empty where there is none, or none that rest__join wrote. */
str rest__next_field(str *rest);

/* ---- refuse.c ---- */
/* A failure with HTTP status and type of its own. Returns `kind`. */
__attribute__((format(printf, 6, 7))) status rest__fail(rest_call *c, error *err, status kind,
                                                        int code, const char *type,
                                                        const char *format, ...);
/* HTTP status and type of a failure: its own, or its kind's. */
int rest__error_code(const rest_call *c, const error *err);
const char *rest__error_type(const rest_call *c, const error *err);
void rest__answer_error(rest_call *c, error *err);
status rest__no_table(rest_call *c, str shown, error *err);
status rest__no_view(rest_call *c, str shown, error *err);
status rest__no_space(rest_call *c, str shown, error *err);
/* NOT_FOUND below: the metadata file that the message names last is gone. */
status rest__lost(rest_call *c, error *err);
/* What the path names, table, view or namespace, is not there. */
status rest__missing(rest_call *c, error *err);
/* The catalog says that a table or view, or the namespace that it would be in, is not there. */
bool rest__is_missing(status result);
/* EXISTS for who wanted to make a table (`for_view` false) or view where something else is. */
status rest__name_taken(rest_call *c, table_name name, str shown, bool for_view, error *err);

/* Why the catalog did not make table or view `name` in the path's namespace; what is not a matter of names is returned
 * as it is. */
status rest__word_create(rest_call *c, status result, table_name name, bool for_view, error *err);

/* ---- metrics.c ---- */
void rest__count_request(const rest_route *route, int status_code, int64_t elapsed_us);
typedef enum rest_report { REST_SCAN_REPORT, REST_COMMIT_REPORT, REST_OTHER_REPORT } rest_report;
void rest__count_report(rest_report kind);
void rest__format_metrics(buf *out);

/* ---- door.c ---- */
bool server__is_rest(const http_exchange *x);
void server__handle_rest(void *context, http_exchange *x);
bool server__rest_is_inline(void *context, http_exchange *x);
bool server__rest_wants_whole(void *context, http_exchange *x);
/* What the HTTP core refuses below REST_ROOT, in Iceberg's shape; NULL for other targets. For
 * http_service.format_refusal. */
const char *server__rest_refuse(void *context, const http_refused *refused, buf *body);

/* ---- access.c, endpoint.c: credentials ---- */
/* The members "config" and "storage-credentials" of a table's answer, as this caller may touch the table. With
 * `*ret_expires_us` (0: nothing was vended) an ETag can age. `table` may be one that is only staged: then it has
 * metadata, location and uuid alone. */
status rest__write_access(rest_call *c, const catalog_document *table, json_writer *w,
                          int64_t *ret_expires_us, error *err);
/* More members of getConfig's "defaults" for storage: s3.endpoint and the like. Within the open object. */
void rest__write_defaults(rest_call *c, json_writer *w);

/* ---- idempotent.c ---- */
/* How long an answer is kept, as an ISO 8601 duration ("PT24H"); NULL: the header is not looked at. */
const char *rest__idempotency_lifetime(const rest_call *c);
/* Around the handler of an operation that accepts Idempotency-Key; c->caller is set, and `effect` is theirs.
 * `*ret_done`: the answer was given from what is kept. */
status rest__idempotent_begin(rest_call *c, bool *ret_done, error *err);
void rest__idempotent_end(rest_call *c, status outcome, const error *err);

/* docs_care.c: of docs/catalog.md, what the catalog does beside the specification. */
extern const char *const rest__care_docs[];
extern const size_t rest__care_doc_count;

#endif

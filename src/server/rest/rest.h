/* rest.h: what the files of the Iceberg REST catalog share: a request on its way, and the table of operations.
 *
 * The door (door.c) authenticates, finds the operation, turns prefix and path into names (address.c), asks
 * access_check, and runs the handler. Errors are the specification's error objects in the words that Iceberg's clients
 * look for (refuse.c); modules below word them tarn's way. Source: Iceberg REST catalog specification. */
#ifndef TARN_SERVER_REST_H
#define TARN_SERVER_REST_H

#include "../answer.h"
#include "../app.h"
#include "tarn/catalog/document.h"
#include "tarn/catalog/request.h"
#include "tarn/catalog/warehouse.h"

#define REST_ROOT "/iceberg"

typedef struct rest_call {
    call base;
    const struct rest_route *route;
    warehouse_info warehouse; /* that the prefix names */
    /* The path's names as the catalog has them: the warehouse's namespace in front of its own. */
    table_name name; /* space and table; parts that the path does not have are empty */
    str shown;       /* the same as clients call it in messages: "ns.tbl" */
    str shown_space; /* "ns" */
    bool is_private; /* the answer belongs to one caller: no ETag without its principal */
} rest_call;

typedef enum rest_flag {
    REST_IDEMPOTENT = 1, /* accepts Idempotency-Key */
    REST_DELEGATES = 2,  /* answers with credentials where they can be had */
} rest_flag;

typedef struct rest_route {
    http_pattern pattern;  /* below REST_ROOT, with {prefix} where the specification has it */
    const char *operation; /* operationId */
    action act;
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

/* door.c */
void server__handle_rest(void *context, http_exchange *x);
bool server__rest_is_inline(void *context, http_exchange *x);

/* ---- access.c, sign.c, token.c: credentials ---- */
/* The members "config" and "storage-credentials" of a table's answer, as this caller may touch the table. With
 * `*ret_expires_us` (0: nothing was vended) an ETag can age. */
status rest__write_access(rest_call *c, const catalog_document *table, json_writer *w,
                          int64_t *ret_expires_us, error *err);
status rest__credentials_get(rest_call *c, error *err);
status rest__sign_post(rest_call *c, error *err);
status rest__token_post(rest_call *c, error *err);

/* ---- idempotent.c ---- */
/* Around the handler of an operation that accepts Idempotency-Key. `*ret_done`: the answer was given from what is
 * kept. The answer that `rest__answer_keep` is told is kept in the transaction of the change. */
status rest__idempotent_begin(rest_call *c, bool *ret_done, error *err);
void rest__idempotent_end(rest_call *c, status outcome, const error *err);

#endif

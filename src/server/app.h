/* app.h: what the handlers of the server share: the opened modules, and one request on its way. */
#ifndef TARN_SERVER_APP_H
#define TARN_SERVER_APP_H

#include "tarn/access/access.h"
#include "tarn/catalog/catalog.h"
#include "tarn/engine/query.h"
#include "tarn/ingest/ingest.h"
#include "tarn/net/http.h"
#include "tarn/server/server.h"
#include "tarn/state/state.h"
#include "tarn/store/store.h"

typedef struct upload_table upload_table;         /* ingest/uploads.c */
typedef struct s3_facts_cache s3_facts_cache;     /* s3/facts.c */
typedef struct lifecycle_runner lifecycle_runner; /* s3/lifecycle_run.c */
typedef struct webhook_sender webhook_sender;     /* ops/webhooks.c */

typedef struct server {
    const settings *settings;
    arena *memory;
    data_lock *lock;
    state *state;
    storage *storage;
    access_control *access;
    catalog *catalog;
    worker_pool *workers;
    engine *engine;
    ingest *ingest;
    http_server *http;
    http_router *router;
    http_router *rest_router;                  /* of the addresses below */
    const struct rest_address *rest_addresses; /* rest/routes.c */
    size_t rest_address_count;                 /* of them */
    struct idempotency *idempotency;           /* rest/idempotent.c */
    struct given_cache *given_keys;            /* rest/given.c */
    upload_table *uploads;
    s3_facts_cache *s3_facts;
    lifecycle_runner *lifecycle;
    webhook_sender *webhooks;
    char http_address[128]; /* bound; empty where that door is closed */
    char s3_address[128];
    char instance[37]; /* of this start; known to those who may read run/server.json */
    str fingerprint;   /* of the settings */
    int64_t started_us;
    _Atomic bool draining;
    _Atomic int s3_unproven; /* S3 requests whose body is read before it is known who sends it */
    /* What still runs then is cancelled, early enough for its client to be told before connections are cut; 0: never */
    _Atomic int64_t cancel_at_ms;
} server;

/* One request, authenticated, on its way through a handler. */
typedef struct call {
    server *app;
    http_exchange *x;
    arena *a;
    principal who;
} call;

/* A handler answers (answer.h), or returns why it cannot: then the door answers with the error. */
typedef struct route {
    http_pattern pattern;
    action act; /* checked before the handler, with {ns} and {table} of the path as resource */
    status (*handle)(call *c, error *err);
    bool on_loop; /* quick and never blocking: runs on the loop */
    const char *summary;
} route;

extern const route server__routes[];
extern const size_t server__route_count;

/* door.c: authenticates, authorises, runs the handler, answers errors, logs, counts. */
void server__handle(void *context, http_exchange *x);
bool server__is_inline(void *context, http_exchange *x);

/* Who asks, by the Authorization header. UNAUTHORIZED; INVALID where it is given twice. */
status server__authenticate(call *c, error *err);

/* rest/routes.c: the router of the REST catalog. */
void server__route_rest(server *app);
/* Refuses a warehouse's name that is a word of the addresses without a prefix: it could be no prefix. */
status server__check_prefix(const server *app, str name, error *err);

/* s3/door.c: the same for S3. */
void server__handle_s3(void *context, http_exchange *x);
const char *server__s3_refuse(void *context, const http_refused *refused,
                              buf *body); /* as S3's errors */
bool server__s3_is_inline(void *context, http_exchange *x);

/* open.c */
/* `recovering`: a missing database over existing blobs is no reason to refuse (CORRUPT). */
status server__open(const settings *config, bool recovering, server **ret_app, error *err);
void server__close(server *app);

#endif

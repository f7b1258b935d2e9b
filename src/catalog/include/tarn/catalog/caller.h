/* caller.h: on whose behalf this thread changes the catalog, and what is to be done with each change.
 *
 * A door sets the caller once it knows who asks, and takes it away when it has answered. Every change that is made
 * visible meanwhile is noted as an event of this caller's, in the transaction of the change. A change that another
 * thread commits along with its own (catalog_append) keeps the caller of the thread that asked for it. */
#ifndef TARN_CATALOG_CALLER_H
#define TARN_CATALOG_CALLER_H

#include "tarn/catalog/event.h"

typedef struct catalog_caller {
    str principal;  /* name */
    str via;        /* the door: "rest", "api", "sql", "load" */
    str peer;       /* address; empty: a private socket */
    str agent;      /* what the client calls itself; may be empty */
    str request_id; /* may be empty */
    /* It may not name files by their location: a place that it asks for holds no files but those of tables. */
    bool wants_empty_places;
    /* Runs in the transaction of each change, after it; an error undoes the change. NULL: nothing. `metadata_text` as
     * in catalog_event. For answers that are kept with their effect. */
    status (*effect)(void *context, state_txn *txn, const catalog_event *event, error *err);
    void *context;
} catalog_caller;

/* Borrowed until the next call; NULL: nobody, tarn itself. Per thread. */
void catalog_set_caller(const catalog_caller *caller);
const catalog_caller *catalog_get_caller(void); /* NULL: tarn itself */

#endif

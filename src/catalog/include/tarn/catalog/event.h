/* event.h: what happened in the catalog: who, what, when, from where.
 *
 * An event is a row that is written in the transaction of the change that it tells of: there is no change without
 * its event, and no event without its change. Ids grow with time. Rows go after `catalog.events_kept`. Those of
 * catalog_webhook are also sent to webhooks as CloudEvents 1.0, at least once and in order; what is still to be sent
 * stays. Ids have gaps nowhere but at the beginning, where rows went. */
#ifndef TARN_CATALOG_EVENT_H
#define TARN_CATALOG_EVENT_H

#include "tarn/catalog/catalog.h"

/*    name                    text                     meaning */
#define EVENT_TABLE(X)                                                                          \
    X(NAMESPACE_CREATED, "namespace.created", "a namespace was made")                           \
    X(NAMESPACE_CHANGED, "namespace.changed", "properties of a namespace changed")              \
    X(NAMESPACE_DROPPED, "namespace.dropped", "a namespace was dropped")                        \
    X(TABLE_CREATED, "table.created", "a table was made")                                       \
    X(TABLE_REGISTERED, "table.registered", "a table that others made got a name")              \
    X(TABLE_COMMITTED, "table.committed", "a table's metadata moved on")                        \
    X(TABLE_RENAMED, "table.renamed", "a table has another name")                               \
    X(TABLE_DROPPED, "table.dropped", "a table was dropped")                                    \
    X(TABLE_UNDROPPED, "table.undropped", "a dropped table is back")                            \
    X(TABLE_UNREGISTERED, "table.unregistered", "the catalog let go of a table")                \
    X(TABLE_GIVEN_UP, "table.given-up", "a dropped table's place is another's: it is not kept") \
    X(TABLE_PURGED, "table.purged", "a dropped table's files were removed")                     \
    X(TABLE_PROTECTED, "table.protected", "a table may not be dropped, or may again")           \
    X(VIEW_CREATED, "view.created", "a view was made")                                          \
    X(VIEW_REGISTERED, "view.registered", "a view that others made got a name")                 \
    X(VIEW_COMMITTED, "view.committed", "a view's metadata moved on")                           \
    X(VIEW_RENAMED, "view.renamed", "a view has another name")                                  \
    X(VIEW_DROPPED, "view.dropped", "a view was dropped")                                       \
    X(WAREHOUSE_CREATED, "warehouse.created", "a warehouse was made")                           \
    X(WAREHOUSE_DROPPED, "warehouse.dropped", "a warehouse was dropped")

typedef enum event_kind {
#define X(name, ...) EVENT_##name,
    EVENT_TABLE(X)
#undef X
        EVENT_COUNT
} event_kind;
const char *event_kind_name(event_kind kind);

/* What a commit may do to a table, as REST clients call it: "updates" in the detail of table.committed, beside "refs"
 * (the branches and tags that moved, 32 at most) and "operations" of the snapshots that came.
 *    name               text                      meaning */
#define COMMIT_UPDATE_TABLE(X)                                                  \
    X(ASSIGN_UUID, "assign-uuid", "the table, which had no uuid, got one")      \
    X(UPGRADE, "upgrade-format-version", "the format's version rose")           \
    X(ADD_SCHEMA, "add-schema", "a schema came")                                \
    X(SET_SCHEMA, "set-current-schema", "another schema is the current one")    \
    X(ADD_SPEC, "add-spec", "a partition spec came")                            \
    X(SET_SPEC, "set-default-spec", "another partition spec is the default")    \
    X(ADD_ORDER, "add-sort-order", "a sort order came")                         \
    X(SET_ORDER, "set-default-sort-order", "another sort order is the default") \
    X(ADD_SNAPSHOT, "add-snapshot", "a snapshot came")                          \
    X(REMOVE_SNAPSHOTS, "remove-snapshots", "snapshots went")                   \
    X(SET_REF, "set-snapshot-ref", "a branch or tag was made or moved")         \
    X(REMOVE_REF, "remove-snapshot-ref", "a branch or tag went")                \
    X(SET_LOCATION, "set-location", "the table lies elsewhere")                 \
    X(SET_PROPERTIES, "set-properties", "properties were set")                  \
    X(REMOVE_PROPERTIES, "remove-properties", "properties went")                \
    X(SET_STATISTICS, "set-statistics", "files of statistics were named, or are named no more")

typedef enum commit_update {
#define X(name, ...) COMMIT_##name,
    COMMIT_UPDATE_TABLE(X)
#undef X
        COMMIT_UPDATE_COUNT
} commit_update;

typedef struct catalog_event {
    event_kind kind;
    table_name name; /* table empty: a namespace, or a warehouse */
    table_name to;   /* of a rename; the table that a dropped one gave way to */
    str uuid;        /* of a table or view */
    str metadata_location;
    int64_t
        snapshot_id; /* that main, else the branch or tag that moved, is at; ICE_NO_SNAPSHOT: none */
    str detail;      /* a JSON object of more, or empty */
    /* read from rows: */
    int64_t id, time_us;
    str principal, via, peer, agent, request_id;
} catalog_event;

/* Those with an id above `after`, oldest first; `kind` STR_NULL: all. INVALID for a kind that is none. */
status catalog_list_events(catalog *c, int64_t after, str kind, size_t limit, arena *a,
                           catalog_event **ret_list, size_t *ret_count, error *err);

status catalog_last_event(catalog *c, int64_t *ret_id, error *err); /* 0: there was none yet */

/* ---- how far each webhook was told; the server sends (server/ops/webhooks.c) ---- */
/* From now on these are the webhooks: a new one is told what happens from now on, others are forgotten. */
status catalog_settle_webhooks(catalog *c, const str *urls, size_t count, error *err);
/* The id of the last event that it took, and that of the last there is. NOT_FOUND. */
status catalog_read_webhook(catalog *c, str url, int64_t *ret_sent_id, int64_t *ret_last_id,
                            error *err);
status catalog_advance_webhook(catalog *c, str url, int64_t sent_id, error *err);

#endif

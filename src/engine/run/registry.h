/* registry.h: the queries that run, and those that ended a while ago. Thread-safe. */
#ifndef TARN_ENGINE_REGISTRY_H
#define TARN_ENGINE_REGISTRY_H

#include <stdatomic.h>

#include "tarn/base/thread.h"
#include "tarn/engine/query.h"

#define REGISTRY_ENDED_MAX 200 /* ended queries that are remembered */

typedef struct registry_entry registry_entry;
struct registry_entry {
    registry_entry *newer, *older;
    arena *memory;
    str id, principal_id, principal_name, sql;
    query_state state;
    int64_t started_us, started_ns, elapsed_ms, row_count;
    str error_message;
    atomic_bool cancelled; /* asked to end */
};

typedef struct registry {
    mutex lock;
    registry_entry *newest, *oldest;
    size_t ended;
} registry;

void registry_init(registry *r);
void registry_release(registry *r);
/* Lives until it is removed as one of the oldest ended ones. `id` empty: a fresh one. */
registry_entry *registry_begin(registry *r, const principal *who, str id, str sql);
void registry_running(registry *r, registry_entry *entry);
/* `result` CANCELLED makes it cancelled, OK done, all else failed. The entry may be gone
 * afterwards. */
void registry_end(registry *r, registry_entry *entry, status result, const error *err,
                  int64_t row_count);
bool registry_is_cancelled(const registry_entry *entry);
void registry_list(registry *r, str principal_id, arena *a, query_info **ret_list,
                   size_t *ret_count);
status registry_get(registry *r, str principal_id, str id, arena *a, query_info *ret_info,
                    error *err);
status registry_cancel(registry *r, str principal_id, str id, error *err);

#endif

/* sync_group.h: one sync for all who wait for the same file or folder. Internal to the store. */
#ifndef TARN_STORE_SYNC_GROUP_H
#define TARN_STORE_SYNC_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "tarn/base/error.h"
#include "tarn/base/thread.h"

typedef struct sync_waiter sync_waiter;

typedef struct sync_group {
    mutex lock;
    uint64_t asked, done; /* tickets given; tickets that a sync has covered */
    bool running;
    sync_waiter *waiting;
} sync_group;

void sync_group_init(sync_group *g);
void sync_group_release(sync_group *g);

/* Returns when a sync that began after the call has ended: its own, or another caller's. What was
 * written before the call is durable then. A sync that fails is its caller's failure alone: the
 * others try one of their own. */
status sync_group_run(sync_group *g, status (*sync)(void *context, error *err), void *context,
                      error *err);

#endif

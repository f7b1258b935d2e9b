/* One sync at a time, each for all who asked before it began. Who is covered is woken without a
 * lock; of those who asked meanwhile one is woken to run the next. */
#include "sync_group.h"

struct sync_waiter {
    uint64_t ticket;
    bool covered;
    latch told;
    sync_waiter *next;
};

void sync_group_init(sync_group *g)
{
    *g = (sync_group){0};
    mutex_init(&g->lock);
}

void sync_group_release(sync_group *g)
{
    mutex_release(&g->lock);
}

/* True where a sync has covered the ticket; false where it is this thread's turn to run one. Called
 * with the lock held, returns without it. */
static bool wait_turn(sync_group *g, uint64_t ticket)
{
    sync_waiter me = {.ticket = ticket, .next = g->waiting};

    latch_init(&me.told);
    g->waiting = &me;
    mutex_unlock(&g->lock);
    latch_wait(&me.told);
    latch_release(&me.told);
    return me.covered;
}

/* Takes off the list who is covered, and one of the others to run next. With the lock held. */
static sync_waiter *take_told(sync_group *g)
{
    sync_waiter *told = NULL;
    sync_waiter *waiting = g->waiting;
    bool has_next = false;

    g->waiting = NULL;
    while (waiting != NULL) {
        sync_waiter *w = waiting;
        sync_waiter **list;

        waiting = w->next;
        w->covered = w->ticket <= g->done;
        list = w->covered || !has_next ? &told : &g->waiting;
        has_next = has_next || !w->covered;
        w->next = *list;
        *list = w;
    }
    return told;
}

static void tell(sync_waiter *told)
{
    while (told != NULL) {
        sync_waiter *w = told;

        told = w->next; /* gone once its thread is told */
        latch_open(&w->told);
    }
}

/* Called with the lock held, returns without it. */
static status run_one(sync_group *g, status (*sync)(void *context, error *err), void *context,
                      error *err)
{
    uint64_t covers = g->asked;
    sync_waiter *told;
    status synced;

    g->running = true;
    mutex_unlock(&g->lock);
    synced = sync(context, err);
    mutex_lock(&g->lock);
    g->running = false;
    g->done = synced == STATUS_OK ? covers : g->done;
    told = take_told(g);
    mutex_unlock(&g->lock);
    tell(told);
    return synced;
}

status sync_group_run(sync_group *g, status (*sync)(void *context, error *err), void *context,
                      error *err)
{
    uint64_t ticket;

    mutex_lock(&g->lock);
    ticket = ++g->asked;
    while (g->done < ticket) {
        if (!g->running) {
            return run_one(g, sync, context, err);
        }
        if (wait_turn(g, ticket)) {
            return STATUS_OK;
        }
        mutex_lock(&g->lock);
    }
    mutex_unlock(&g->lock);
    return STATUS_OK;
}

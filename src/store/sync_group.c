/* One sync at a time, each for all who asked before it began. Of those who asked meanwhile one is
 * woken to run the next. Who is covered is woken without a lock, by another who was: to wake takes
 * as long as a short sync, and who wakes may lose its processor by it. */
#include "sync_group.h"

struct sync_waiter {
    uint64_t ticket;
    bool covered;
    latch told;
    sync_waiter *next;
    sync_waiter *woken[2]; /* by this one, once it was told; set before */
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
    for (size_t i = 0; i < COUNT_OF(me.woken) && me.woken[i] != NULL; i++) {
        latch_open(&me.woken[i]->told);
    }
    latch_release(&me.told);
    return me.covered;
}

/* Takes off the list who is covered, and one of the others to run next; NULL: nobody. With the lock
 * held. */
static void take_told(sync_group *g, sync_waiter **ret_covered, sync_waiter **ret_next)
{
    sync_waiter *waiting = g->waiting;

    *ret_covered = *ret_next = g->waiting = NULL;
    while (waiting != NULL) {
        sync_waiter *w = waiting;
        sync_waiter **list;

        waiting = w->next;
        w->covered = w->ticket <= g->done;
        if (!w->covered && *ret_next == NULL) {
            *ret_next = w;
            continue;
        }
        list = w->covered ? ret_covered : &g->waiting;
        w->next = *list;
        *list = w;
    }
}

/* The first tells two others, each of whom tells two. Nobody is touched once it was told. */
static void tell(sync_waiter *first)
{
    sync_waiter *teller = first;
    size_t place = 0;

    for (sync_waiter *w = first != NULL ? first->next : NULL; w != NULL; w = w->next) {
        teller->woken[place++] = w;
        if (place == COUNT_OF(teller->woken)) {
            teller = teller->next;
            place = 0;
        }
    }
    if (first != NULL) {
        latch_open(&first->told);
    }
}

/* Called with the lock held, returns without it. */
static status run_one(sync_group *g, status (*sync)(void *context, error *err), void *context,
                      error *err)
{
    uint64_t covers = g->asked;
    sync_waiter *covered;
    sync_waiter *next;
    status synced;

    g->running = true;
    mutex_unlock(&g->lock);
    synced = sync(context, err);
    mutex_lock(&g->lock);
    g->running = false;
    g->done = synced == STATUS_OK ? covers : g->done;
    take_told(g, &covered, &next);
    mutex_unlock(&g->lock);
    if (next != NULL) {
        latch_open(&next->told);
    }
    tell(covered);
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

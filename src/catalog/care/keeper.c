/* What ends with time: the retention of dropped tables, that of events and of kept answers, and what staged tables
 * hold. One thread that sleeps until the next table's time is over. */
#include "internal.h"

#include "tarn/base/clock.h"
#include "tarn/base/log.h"
#include "tarn/base/vec.h"
#include "tarn/catalog/answers.h"

#define WAIT_MAX_MS (INT64_C(60) * 1000)
#define WAIT_MIN_MS INT64_C(1000) /* where answers are kept for less */
#define NS_PER_MS INT64_C(1000000)

typedef struct retention {
    catalog *c;
    int64_t now_us;
    int64_t moved;
    int64_t next_us;
} retention;

/* Of registered tables nothing but the record of the name is the catalog's. */
static status forget_records(const retention *r, state_txn *txn, error *err)
{
    arena *a = state_txn_arena(txn);
    VEC(str) records = {0};
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(
        txn,
        "SELECT uuid FROM dropped WHERE purge_us <= ?1 AND registered = " CATALOG__OF_OTHERS
        " AND NOT EXISTS (SELECT 1 FROM tables WHERE tables.uuid = dropped.uuid)",
        &rows, err, SV_INT(r->now_us)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        vec_push(a, &records, catalog__name_location(r->c, state_text(rows, 0, a), a));
    }
    state_finish(rows);
    return records.count == 0 ? STATUS_OK
                              : store_delete(r->c->storage, txn, records.items, records.count, err);
}

static status move_ended(void *context, state_txn *txn, error *err)
{
    retention *r = context;

    TRY(forget_records(r, txn, err));
    TRY(STATE_EXEC(txn,
                   "INSERT INTO purges (uuid, location, metadata_location, space, name)"
                   " SELECT uuid, CASE registered WHEN " CATALOG__GAVE_WAY " THEN '' ELSE location"
                   " END, metadata_location, space, name FROM dropped WHERE purge_us <= ?1"
                   " AND registered <> " CATALOG__OF_OTHERS " ON CONFLICT (uuid) DO NOTHING",
                   &r->moved, err, SV_INT(r->now_us)));
    TRY(STATE_EXEC(txn, "DELETE FROM dropped WHERE purge_us <= ?1", NULL, err, SV_INT(r->now_us)));
    return catalog__release_places(txn, STR_NULL, err);
}

static status read_next(void *context, state_txn *txn, error *err)
{
    retention *r = context;
    state_rows *rows = NULL;
    bool found = false;

    TRY(state_query(txn, "SELECT purge_us FROM dropped ORDER BY purge_us LIMIT 1", NULL, 0, &rows,
                    err));
    TRY(state_next(rows, &found, err));
    r->next_us = found ? state_int(rows, 0) : 0;
    state_finish(rows);
    return STATUS_OK;
}

/* Moves what is over to the purges. `*ret_next_us`: when the next one is; 0: none. */
static status end_retention(catalog *c, bool *ret_any, int64_t *ret_next_us, error *err)
{
    retention r = {.c = c, .now_us = clock_now_us()};

    TRY(state_read(c->state, read_next, &r, err));
    if (r.next_us != 0 && r.next_us <= r.now_us) {
        TRY(state_submit(c->state, move_ended, &r, err));
        TRY(state_read(c->state, read_next, &r, err));
    }
    *ret_any = r.moved > 0;
    *ret_next_us = r.next_us;
    return STATUS_OK;
}

static status forget_answers(catalog *c, error *err)
{
    int64_t before_us = clock_now_us() - c->answers_kept_ms * 1000;

    return c->answers_kept_ms > 0 ? catalog_forget_answers(c, before_us, err) : STATUS_OK;
}

/* What has no time of its own to be looked at. */
static void sweep_old(catalog *c)
{
    static const struct {
        status (*end)(catalog *c, error *err);
        const char *failure;
    } kinds[] = {
        {catalog__trim_events, "old events not removed"},
        {forget_answers, "old kept answers not removed"},
        {catalog__end_staged, "places of staged tables not freed"},
    };

    for (size_t i = 0; i < COUNT_OF(kinds) && !c->closing; i++) {
        error err = ERROR_INIT;

        if (kinds[i].end(c, &err) != STATUS_OK) {
            log_failure(kinds[i].failure, &err);
        }
    }
}

static int64_t longest_wait_ms(const catalog *c)
{
    int64_t wait_ms = c->answers_kept_ms > 0 && c->answers_kept_ms < WAIT_MAX_MS
                          ? c->answers_kept_ms
                          : WAIT_MAX_MS;

    return wait_ms < WAIT_MIN_MS ? WAIT_MIN_MS : wait_ms;
}

static int64_t turn(catalog *c)
{
    error err = ERROR_INIT;
    int64_t next_us = 0;
    bool any = false;

    if (end_retention(c, &any, &next_us, &err) != STATUS_OK) {
        log_failure("dropped tables not looked at", &err);
        return WAIT_MAX_MS;
    }
    if (any) {
        catalog__purge_soon(c);
    }
    sweep_old(c);
    int64_t wait_ms = next_us == 0 ? WAIT_MAX_MS : (next_us - clock_now_us()) / 1000 + 1;
    int64_t longest_ms = longest_wait_ms(c);
    wait_ms = wait_ms < 1 ? 1 : wait_ms;
    return wait_ms < longest_ms ? wait_ms : longest_ms;
}

static void run(void *context)
{
    catalog *c = context;

    mutex_lock(&c->lock);
    while (!c->closing) {
        c->keeper_woken = false;
        mutex_unlock(&c->lock);
        int64_t until_ns = clock_mono_ns() + turn(c) * NS_PER_MS;
        mutex_lock(&c->lock);
        while (!c->closing && !c->keeper_woken &&
               cond_wait_until(&c->keeper_wake, &c->lock, until_ns)) {}
    }
    mutex_unlock(&c->lock);
}

status catalog__keeper_start(catalog *c, error *err)
{
    return c->is_recovering ? STATUS_OK : thread_start(&c->keeper, "keeper", run, c, err);
}

void catalog__keeper_wake(catalog *c)
{
    mutex_lock(&c->lock);
    c->keeper_woken = true;
    cond_signal(&c->keeper_wake);
    mutex_unlock(&c->lock);
}

void catalog__keeper_stop(catalog *c)
{
    mutex_lock(&c->lock);
    c->closing = true;
    cond_broadcast(&c->keeper_wake);
    mutex_unlock(&c->lock);
    thread_join(&c->keeper);
}

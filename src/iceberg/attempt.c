/* attempt.c: the one way from a change to a moved pointer: attempts, retries, and who owns what is staged.
 *
 * Invariants
 *   1. A staged object is published once or discarded once. It belongs to the commit from the call on; the
 *      committer takes it over with every outcome but CONFLICT and a failure of `extra` (commit.h).
 *   2. What a work keeps (data files, manifests of added files) is staged once and survives conflicts; the list,
 *      the metadata and manifests made of other manifests belong to one attempt.
 *   3. The first attempt syncs everything it writes in one round (store_stage_many).
 *
 * One attempt: load -> the work's build (checks, new metadata) -> stage -> committer.
 * Source: Iceberg specification, "Optimistic concurrency", "Commit conflict resolution and retry". */
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"

#include "change.h"

typedef struct attempt {
    const ice_committer *committer;
    const ice__work *work;
    int number; /* from 1 */
    ice__change change;
    VEC(store_staged *) own; /* manifests made of others, list, metadata */
    str location;            /* of the new metadata */
    bool built;              /* what fails before is no matter of when: it is not tried again */
    bool refused;            /* by the change's `extra` */
} attempt;

static const char *const retry_keys[] = {"commit.retry.num-retries", "commit.retry.min-wait-ms",
                                         "commit.retry.max-wait-ms",
                                         "commit.retry.total-timeout-ms"};
enum { RETRIES, MIN_WAIT_MS, MAX_WAIT_MS, TOTAL_MS };
static const int64_t retry_defaults[] = {4, 100, 60000, 1800000};

/* --- what is kept --- */

void ice__kept_add(arena *a, ice__kept_vec *kept, const store_stage_request *request)
{
    vec_push(a, kept, ((ice__kept){.request = *request}));
}

void ice__kept_take(arena *a, ice__kept_vec *kept, store_staged *const *staged, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vec_push(a, kept, ((ice__kept){.staged = staged[i]}));
    }
}

void ice__kept_discard(storage *st, ice__kept_vec *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        store_discard(st, kept->items[i].staged);
    }
    kept->count = 0;
}

/* --- staging --- */

typedef VEC(store_stage_request) request_vec;

static void request(attempt *t, request_vec *requests, str location, const char *content_type,
                    str bytes)
{
    store_stage_request r = {.location = location,
                             .content_type = str_c(content_type),
                             .bytes = bytes,
                             .shares_file = true};

    vec_push(t->change.memory, requests, r);
}

static status request_own(attempt *t, request_vec *requests, error *err)
{
    ice__change *change = &t->change;
    str metadata;

    for (size_t i = 0; i < change->merged.count; i++) {
        request(t, requests, change->merged.items[i].manifest.path, "application/octet-stream",
                change->merged.items[i].bytes);
    }
    if (!str_is_null(change->snapshot.manifest_list)) {
        buf *list = buf_in(change->memory, LIMIT_MANIFEST_FILE);

        TRY(ice_manifest_list_format(&change->next, &change->snapshot, change->manifests.items,
                                     change->manifests.count, list, err));
        request(t, requests, change->snapshot.manifest_list, "application/octet-stream",
                buf_str(list));
    }
    TRY(ice__metadata_render(&change->next,
                             ice_metadata_location_version(change->base_location) + 1,
                             change->memory, &t->location, &metadata, err));
    request(t, requests, t->location, "application/json", metadata);
    return STATUS_OK;
}

/* Everything that is not durable yet, in one round. */
static status stage(attempt *t, error *err)
{
    ice__change *change = &t->change;
    arena *a = change->memory;
    request_vec requests = {0};
    VEC(ice__kept *) waiting = {0};
    store_staged **staged;

    for (size_t i = 0; i < change->kept.count; i++) {
        ice__kept_vec *kept = change->kept.items[i];

        for (size_t k = 0; k < kept->count; k++) {
            if (kept->items[k].staged == NULL) {
                vec_push(a, &waiting, &kept->items[k]);
                vec_push(a, &requests, kept->items[k].request);
            }
        }
    }
    TRY(request_own(t, &requests, err));
    staged = ARENA_ARRAY(a, store_staged *, requests.count);
    TRY(store_stage_many(t->committer->storage, requests.items, requests.count, staged, err));
    for (size_t i = 0; i < waiting.count; i++) {
        waiting.items[i]->staged = staged[i];
    }
    for (size_t i = waiting.count; i < requests.count; i++) {
        vec_push(a, &t->own, staged[i]);
    }
    return STATUS_OK;
}

/* --- publishing --- */

static status run_extra(void *context, state_txn *txn, error *err)
{
    attempt *t = context;
    status s = t->change.extra(t->change.extra_context, txn, err);

    t->refused = s != STATUS_OK;
    return s;
}

/* Objects of stores that are not ours to change stay: a foreign table's old metadata, for one. */
static size_t keep_ours(const attempt *t, str *locations, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (store_check_location(t->committer->storage, locations[i], NULL) == STATUS_OK) {
            locations[kept++] = locations[i];
        }
    }
    return kept;
}

static status publish(attempt *t, const ice_metadata *next, error *err)
{
    const ice_committer *committer = t->committer;
    ice__change *change = &t->change;
    size_t obsolete_count = keep_ours(t, change->obsolete.items, change->obsolete.count);
    VEC(store_staged *) all = {0};
    status s;

    for (size_t i = 0; i < change->kept.count; i++) {
        for (size_t k = 0; k < change->kept.items[i]->count; k++) {
            vec_push(change->memory, &all, change->kept.items[i]->items[k].staged);
        }
    }
    for (size_t i = 0; i < t->own.count; i++) {
        vec_push(change->memory, &all, t->own.items[i]);
    }
    s = committer->commit(committer->context, change->base_location, t->location, next, all.items,
                          all.count, change->obsolete.items, obsolete_count,
                          change->extra != NULL ? run_extra : NULL, t, err);
    if (s != STATUS_CONFLICT && !t->refused) {
        for (size_t i = 0; i < change->kept.count; i++) {
            change->kept.items[i]->count = 0;
        }
        t->own.count = 0;
    }
    return s;
}

/* --- one attempt --- */

/* The table stays as it is, but what was to be done in the transaction is done. */
static status commit_nothing(attempt *t, error *err)
{
    t->change.kept.count = 0;
    t->change.obsolete.count = 0;
    t->location = t->change.base_location;
    if (t->change.extra != NULL) {
        TRY(publish(t, t->change.base, err));
    }
    t->work->done(t->work->context, &t->change, t->change.base, t->number);
    return STATUS_OK;
}

static status commit_change(attempt *t, error *err)
{
    ice__change *change = &t->change;
    ice_metadata *next = NULL;
    status s = stage(t, err);

    if (s == STATUS_OK) {
        s = FAULT(FAULT_COMMIT_METADATA, err);
    }
    if (s == STATUS_OK) {
        next = ice__metadata_copy(&change->next);
        s = publish(t, next, err);
    }
    for (size_t i = 0; i < t->own.count; i++) {
        store_discard(t->committer->storage, t->own.items[i]);
    }
    if (s == STATUS_OK && !str_is_null(change->snapshot.manifest_list)) {
        ice__cache_put_list(change->snapshot.manifest_list, change->manifests.items,
                            change->manifests.count);
    }
    if (s == STATUS_OK) {
        t->work->done(t->work->context, change, next, t->number);
    }
    ice_metadata_unref(next);
    return s;
}

/* `ret_retry` gets the table's retry properties. */
static status try_once(attempt *t, int64_t *ret_retry, error *err)
{
    ice__change *change = &t->change;
    ice_metadata *base;
    status s;

    TRY(t->committer->load(t->committer->context, change->memory, &base, &change->base_location,
                           err));
    for (size_t i = 0; i < COUNT_OF(retry_keys); i++) {
        ret_retry[i] = ice_metadata_property_int(base, retry_keys[i], retry_defaults[i]);
    }
    change->base = base;
    ice__metadata_assign(&change->next, base);
    s = t->work->build(t->work->context, change, err);
    t->built = s == STATUS_OK;
    if (s == STATUS_OK) {
        s = change->nothing ? commit_nothing(t, err) : commit_change(t, err);
    }
    ice_metadata_unref(base);
    return s;
}

/* --- all attempts --- */

/* Doubles from the shortest wait to the longest; half of it by chance, so that rivals do not meet again. */
static void wait_before(int attempt_number, const int64_t *retry)
{
    int64_t wait_ms = retry[MIN_WAIT_MS];

    for (int i = 1; i < attempt_number && wait_ms < retry[MAX_WAIT_MS]; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms > retry[MAX_WAIT_MS] ? retry[MAX_WAIT_MS] : wait_ms;
    if (wait_ms > 0) {
        clock_sleep_ms(wait_ms / 2 + (int64_t)(random_u64() % (uint64_t)(wait_ms / 2 + 1)));
    }
}

typedef enum next_step { STOP, AGAIN_AT_ONCE, AGAIN_LATER } next_step;

static next_step after(const attempt *t, status s)
{
    if (s == STATUS_OK || !t->built) {
        return STOP;
    }
    if (t->refused) {
        return t->work->drop != NULL && t->work->drop(t->work->context) ? AGAIN_AT_ONCE : STOP;
    }
    return s == STATUS_CONFLICT ? AGAIN_LATER : STOP;
}

status ice__commit_work(const ice_committer *committer, const ice__work *work, error *err)
{
    int64_t started_ms = clock_mono_ms();
    int conflicts = 0;
    int number = 0;
    next_step step;
    status s;

    TRY(FAULT(FAULT_COMMIT_DATA, err));
    do {
        int64_t retry[COUNT_OF(retry_keys)] = {0};
        attempt t = {.committer = committer, .work = work, .number = ++number};

        t.change.storage = committer->storage;
        t.change.memory = arena_create();
        t.change.snapshot.manifest_list = STR_NULL;
        t.location = STR_NULL;
        s = try_once(&t, retry, err);
        step = after(&t, s);
        arena_free(t.change.memory);
        if (step == AGAIN_LATER) {
            conflicts++;
            if (conflicts > retry[RETRIES] || clock_mono_ms() > started_ms + retry[TOTAL_MS]) {
                error_hint(err, "Other writers commit to this table at the same time. Try again.");
                return s;
            }
            wait_before(conflicts, retry);
        }
    } while (step != STOP);
    TRY(s);
    return FAULT(FAULT_COMMIT_DONE, err);
}

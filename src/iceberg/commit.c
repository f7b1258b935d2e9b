/* commit.c: appends, from durable data files to a moved pointer: attempts, retries, and who owns what is staged.
 *
 * Invariants
 *   1. A staged object is published once or discarded once. It belongs to the commit from the call on; the
 *      committer takes it over with every outcome but CONFLICT and a failure of `extra` (commit.h).
 *   2. Data files and their manifests are staged once and survive conflicts; the list, the metadata and merged
 *      manifests belong to one attempt.
 *   3. The first attempt syncs everything it writes in one round (store_stage_many).
 *   4. An append that fails by itself (its schema, its `extra`) leaves the others' commit as if it had not been there.
 *
 * One attempt: load -> check each append -> build (change.c) -> stage -> committer.
 * Source: Iceberg specification, "Optimistic concurrency", "Commit conflict resolution and retry". */
#include "tarn/iceberg/commit.h"

#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"

#include "change.h"

/* One append of the commit. */
typedef struct commit_member {
    ice_append_slot *slot;
    bool live;             /* still part of the commit */
    store_staged **staged; /* its data files that are durable; NULLs once handed over */
    size_t staged_count;
    bool complete; /* what came unstaged is staged */
} commit_member;

typedef struct commit {
    const ice_committer *committer;
    commit_member *members;
    size_t count;
    arena *memory;
    int64_t snapshot_id;
    int attempts;
    /* manifests of the live members' files; made again when a member drops out */
    ice__new_manifest_vec fresh;
    store_staged **fresh_staged; /* NULL until they are durable */
    int fresh_version;           /* format version they were written for */
    /* `extra` of several appends as one */
    size_t failed_member; /* index, or `count` */
    status failed_kind;
    error failed_error;
} commit;

/* What one attempt staged for itself. */
typedef struct attempt {
    ice__change change;
    store_staged **own; /* merged manifests, list, metadata */
    size_t own_count;
    str location; /* of the new metadata */
} attempt;

static const char *const retry_keys[] = {"commit.retry.num-retries", "commit.retry.min-wait-ms",
                                         "commit.retry.max-wait-ms",
                                         "commit.retry.total-timeout-ms"};
enum { RETRIES, MIN_WAIT_MS, MAX_WAIT_MS, TOTAL_MS };
static const int64_t retry_defaults[] = {4, 100, 60000, 1800000};

/* --- ownership --- */

static void discard(const commit *c, store_staged **staged, size_t count)
{
    for (size_t i = 0; staged != NULL && i < count; i++) {
        store_discard(c->committer->storage, staged[i]);
        staged[i] = NULL;
    }
}

static void drop_fresh(commit *c)
{
    discard(c, c->fresh_staged, c->fresh.count);
    c->fresh_staged = NULL;
    c->fresh.count = 0;
}

/* An append fails by itself; its files go. */
static void fail_member(commit *c, commit_member *m, status kind, const error *err)
{
    m->live = false;
    m->slot->outcome = kind;
    m->slot->err = *err;
    discard(c, m->staged, m->staged_count);
    drop_fresh(c); /* they speak of its files */
}

static void fail_all(commit *c, status kind, const error *err)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].live) {
            fail_member(c, &c->members[i], kind, err);
        }
    }
}

/* The committer has taken everything over: nothing of it is ours to discard. */
static void forget(commit *c, attempt *t)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].live) {
            memset(c->members[i].staged, 0, sizeof(store_staged *) * c->members[i].staged_count);
        }
    }
    c->fresh_staged = NULL;
    t->own_count = 0;
}

static size_t live_count(const commit *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        count += c->members[i].live ? 1 : 0;
    }
    return count;
}

/* --- does an append still fit the table --- */

static bool can_widen(const ice_type *from, const ice_type *to)
{
    switch (to->kind) {
    case ICE_LONG:
        return from->kind == ICE_INT;
    case ICE_DOUBLE:
        return from->kind == ICE_FLOAT;
    case ICE_DECIMAL:
        return from->kind == ICE_DECIMAL && from->scale == to->scale &&
               from->precision <= to->precision;
    default:
        return from->kind == ICE_UNKNOWN;
    }
}

/* Rows written with `written` can be read as `current`: by field id, with nothing required missing. */
static status check_types(const ice_type *written, const ice_type *current, error *err)
{
    for (size_t i = 0; i < current->field_count; i++) {
        const ice_field *now = &current->fields[i];
        const ice_field *then = NULL;

        for (size_t k = 0; k < written->field_count; k++) {
            then = written->fields[k].id == now->id ? &written->fields[k] : then;
        }
        if (then == NULL && now->required && now->initial_default == NULL) {
            return error_set(err, STATUS_CONFLICT,
                             "the table now requires column \"%.*s\", which the rows lack",
                             STR_ARG(now->name));
        }
        if (then == NULL) {
            continue;
        }
        if (now->required && !then->required) {
            return error_set(err, STATUS_CONFLICT,
                             "column \"%.*s\" became required since the rows were written",
                             STR_ARG(now->name));
        }
        if (ice_kind_is_nested(now->type->kind) && now->type->kind == then->type->kind) {
            TRY(check_types(then->type, now->type, err));
        } else if (!ice_type_equal(now->type, then->type) && !can_widen(then->type, now->type)) {
            return error_set(err, STATUS_CONFLICT,
                             "column \"%.*s\" changed its type since the rows were written",
                             STR_ARG(now->name));
        }
    }
    return STATUS_OK;
}

static status check_files(const ice_append *append, const ice_metadata *m, error *err)
{
    for (size_t i = 0; i < append->file_count; i++) {
        const ice_file *f = &append->files[i];
        const ice_spec *spec = ice_metadata_spec_by_id(m, f->spec_id);

        if (spec == NULL || f->partition_count != spec->field_count) {
            return error_set(err, spec == NULL ? STATUS_CONFLICT : STATUS_INVALID,
                             "file \"%.*s\" does not fit partition spec %d of the table",
                             STR_ARG(f->path), (int)f->spec_id);
        }
    }
    return STATUS_OK;
}

static status check_append(const ice_append *append, const ice_metadata *m, error *err)
{
    const ice_schema *written = ice_metadata_schema_by_id(m, append->schema_id);
    const ice_schema *current = ice_metadata_schema(m);

    if (!str_is_null(append->table_uuid) && !str_equal_nocase(append->table_uuid, m->uuid)) {
        return error_set(err, STATUS_CONFLICT,
                         "the table was replaced by another since the rows were written");
    }
    if (written == NULL) {
        return error_set(err, STATUS_CONFLICT,
                         "the table has no schema %d, which the rows were written with",
                         (int)append->schema_id);
    }
    if (written != current) {
        TRY(check_types(written->root, current->root, err));
    }
    return check_files(append, m, err);
}

static void check_members(commit *c, const ice_metadata *m)
{
    for (size_t i = 0; i < c->count; i++) {
        commit_member *checked = &c->members[i];
        error err = ERROR_INIT;

        if (checked->live) {
            status s = check_append(checked->slot->append, m, &err);

            if (s != STATUS_OK) {
                fail_member(c, checked, s, &err);
            }
        }
    }
}

/* --- building --- */

static ice__added gather(const commit *c, arena *a)
{
    VEC(const ice_file *) files = {0};
    VEC(ice_property) summary = {0};

    for (size_t i = 0; i < c->count; i++) {
        const ice_append *append = c->members[i].slot->append;

        for (size_t k = 0; c->members[i].live && k < append->file_count; k++) {
            vec_push(a, &files, &append->files[k]);
        }
        for (size_t k = 0; c->members[i].live && k < append->summary_count; k++) {
            bool known = str_equal(append->summary[k].key, STR("operation"));

            for (size_t n = 0; n < summary.count; n++) {
                known = known || str_equal(summary.items[n].key, append->summary[k].key);
            }
            if (!known) { /* the first to say something is believed */
                vec_push(a, &summary, append->summary[k]);
            }
        }
    }
    return (ice__added){.files = files.items,
                        .count = files.count,
                        .summary = summary.items,
                        .summary_count = summary.count};
}

/* Kept over attempts, so that the manifests of added files need not be written again. */
static void choose_snapshot_id(commit *c, const ice_metadata *m)
{
    while (c->snapshot_id <= 0 || ice_metadata_snapshot_by_id(m, c->snapshot_id) != NULL) {
        c->snapshot_id = (int64_t)(random_u64() & INT64_MAX);
        drop_fresh(c);
    }
}

static status build(commit *c, attempt *t, error *err)
{
    ice__change *change = &t->change;
    ice__added added = gather(c, change->memory);
    ice_manifest *fresh;

    choose_snapshot_id(c, change->base);
    if (c->fresh.count > 0 && c->fresh_version != change->base->format_version) {
        drop_fresh(c);
    }
    if (c->fresh.count == 0) {
        TRY(ice__manifests_of_files(change->base, &added, c->snapshot_id, c->memory, &c->fresh,
                                    err));
        c->fresh_version = change->base->format_version;
    }
    fresh = ARENA_ARRAY(change->memory, ice_manifest, c->fresh.count);
    for (size_t i = 0; i < c->fresh.count; i++) {
        fresh[i] = c->fresh.items[i].manifest;
    }
    return ice__change_append(change, &added, c->snapshot_id, fresh, c->fresh.count, err);
}

/* --- staging --- */

typedef struct staging {
    VEC(store_stage_request) requests;
    arena *memory;
} staging;

static void request(staging *s, str location, const char *content_type, str bytes)
{
    store_stage_request r = {
        .location = location, .content_type = str_c(content_type), .bytes = bytes};

    vec_push(s->memory, &s->requests, r);
}

static void request_manifests(staging *s, const ice__new_manifest_vec *manifests)
{
    for (size_t i = 0; i < manifests->count; i++) {
        request(s, manifests->items[i].manifest.path, "application/octet-stream",
                manifests->items[i].bytes);
    }
}

static status request_metadata(staging *s, attempt *t, error *err)
{
    ice__change *change = &t->change;
    buf *list = buf_in(s->memory, LIMIT_MANIFEST_FILE);
    str metadata;

    TRY(ice_manifest_list_format(&change->next, &change->snapshot, change->manifests.items,
                                 change->manifests.count, list, err));
    TRY(ice__metadata_render(&change->next,
                             ice_metadata_location_version(change->base_location) + 1, s->memory,
                             &t->location, &metadata, err));
    request(s, change->snapshot.manifest_list, "application/octet-stream", buf_str(list));
    request(s, t->location, "application/json", metadata);
    return STATUS_OK;
}

/* Hands the results of one round to those who own them, in the order of the requests. */
static void distribute(commit *c, attempt *t, store_staged **staged, size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < c->count; i++) {
        commit_member *m = &c->members[i];

        if (m->live && !m->complete) {
            for (size_t k = 0; k < m->slot->append->unstaged_count; k++) {
                m->staged[m->staged_count++] = staged[at++];
            }
            m->complete = true;
        }
    }
    if (c->fresh_staged == NULL) {
        c->fresh_staged = ARENA_ARRAY(c->memory, store_staged *, c->fresh.count);
        for (size_t i = 0; i < c->fresh.count; i++) {
            c->fresh_staged[i] = staged[at++];
        }
    }
    t->own = staged + at;
    t->own_count = count - at;
}

static status stage(commit *c, attempt *t, error *err)
{
    staging s = {.memory = t->change.memory};
    store_staged **staged;

    for (size_t i = 0; i < c->count; i++) {
        const commit_member *m = &c->members[i];

        for (size_t k = 0; m->live && !m->complete && k < m->slot->append->unstaged_count; k++) {
            vec_push(s.memory, &s.requests, m->slot->append->unstaged[k]);
        }
    }
    if (c->fresh_staged == NULL) {
        request_manifests(&s, &c->fresh);
    }
    request_manifests(&s, &t->change.merged);
    TRY(request_metadata(&s, t, err));
    staged = ARENA_ARRAY(s.memory, store_staged *, s.requests.count);
    TRY(store_stage_many(c->committer->storage, s.requests.items, s.requests.count, staged, err));
    distribute(c, t, staged, s.requests.count);
    return STATUS_OK;
}

/* --- publishing --- */

/* The appends' own work in the transaction. Who failed is remembered: the others go on without it. */
static status run_extras(void *context, state_txn *txn, error *err)
{
    commit *c = context;

    for (size_t i = 0; i < c->count; i++) {
        const commit_member *m = &c->members[i];
        error failure = ERROR_INIT;
        status s;

        if (!m->live || m->slot->append->extra == NULL) {
            continue;
        }
        s = m->slot->append->extra(m->slot->append->extra_context, txn, &failure);
        if (s != STATUS_OK) {
            c->failed_member = i;
            c->failed_kind = s;
            c->failed_error = failure;
            if (err != NULL) {
                *err = failure;
            }
            return s;
        }
    }
    return STATUS_OK;
}

static bool has_extra(const commit *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].live && c->members[i].slot->append->extra != NULL) {
            return true;
        }
    }
    return false;
}

/* Objects of stores that are not ours to change stay: a foreign table's old metadata, for one. */
static size_t keep_ours(const commit *c, str *locations, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (store_check_location(c->committer->storage, locations[i], NULL) == STATUS_OK) {
            locations[kept++] = locations[i];
        }
    }
    return kept;
}

static store_staged **everything_staged(const commit *c, const attempt *t, size_t *ret_count)
{
    VEC(store_staged *) all = {0};
    arena *a = t->change.memory;

    for (size_t i = 0; i < c->count; i++) {
        for (size_t k = 0; c->members[i].live && k < c->members[i].staged_count; k++) {
            vec_push(a, &all, c->members[i].staged[k]);
        }
    }
    for (size_t i = 0; c->fresh_staged != NULL && i < c->fresh.count; i++) {
        vec_push(a, &all, c->fresh_staged[i]);
    }
    for (size_t i = 0; i < t->own_count; i++) {
        vec_push(a, &all, t->own[i]);
    }
    *ret_count = all.count;
    return all.items;
}

static status publish(commit *c, attempt *t, const ice_metadata *next, error *err)
{
    const ice_committer *committer = c->committer;
    ice__change *change = &t->change;
    size_t staged_count;
    store_staged **staged = everything_staged(c, t, &staged_count);
    size_t obsolete_count = keep_ours(c, change->obsolete.items, change->obsolete.count);
    status s;

    c->failed_member = c->count;
    s = committer->commit(committer->context, change->base_location, t->location, next, staged,
                          staged_count, change->obsolete.items, obsolete_count,
                          has_extra(c) ? run_extras : NULL, c, err);
    if (s != STATUS_CONFLICT && c->failed_member == c->count) {
        forget(c, t);
    }
    return s;
}

/* --- one attempt --- */

static void succeed(const commit *c, int64_t snapshot_id, int64_t sequence_number)
{
    int merged = (int)live_count(c);

    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].live) {
            c->members[i].slot->outcome = STATUS_OK;
            c->members[i].slot->result = (ice_commit_result){.snapshot_id = snapshot_id,
                                                             .sequence_number = sequence_number,
                                                             .attempts = c->attempts,
                                                             .merged = merged};
        }
    }
}

static size_t file_count(const commit *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        count += c->members[i].live ? c->members[i].slot->append->file_count : 0;
    }
    return count;
}

/* No files: the table stays as it is, but what the appends do in the transaction is done. */
static status commit_nothing(commit *c, attempt *t, error *err)
{
    if (has_extra(c)) {
        t->location = t->change.base_location;
        TRY(publish(c, t, t->change.base, err));
    }
    succeed(c, ICE_NO_SNAPSHOT, t->change.base->last_sequence_number);
    return STATUS_OK;
}

static status commit_files(commit *c, attempt *t, error *err)
{
    ice__change *change = &t->change;
    ice_metadata *next;
    status s;

    TRY(build(c, t, err));
    TRY(stage(c, t, err));
    s = FAULT(FAULT_COMMIT_METADATA, err);
    if (s == STATUS_OK) {
        next = ice__metadata_copy(&change->next);
        s = publish(c, t, next, err);
        ice_metadata_unref(next);
    }
    discard(c, t->own, t->own_count);
    TRY(s);
    ice__cache_put_list(change->snapshot.manifest_list, change->manifests.items,
                        change->manifests.count);
    succeed(c, change->snapshot.id, change->snapshot.sequence_number);
    return STATUS_OK;
}

/* `ret_retry` gets the table's retry properties. */
static status try_once(commit *c, arena *a, int64_t *ret_retry, error *err)
{
    attempt t = {.change = {.storage = c->committer->storage, .memory = a}};
    ice_metadata *base;
    status s;

    TRY(c->committer->load(c->committer->context, a, &base, &t.change.base_location, err));
    for (size_t i = 0; i < COUNT_OF(retry_keys); i++) {
        ret_retry[i] = ice_metadata_property_int(base, retry_keys[i], retry_defaults[i]);
    }
    t.change.base = base;
    check_members(c, base);
    if (live_count(c) == 0) {
        s = STATUS_OK; /* each has its own error */
    } else if (file_count(c) == 0) {
        s = commit_nothing(c, &t, err);
    } else {
        s = commit_files(c, &t, err);
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

static status attempt_all(commit *c, error *err)
{
    int64_t deadline_ms = INT64_MAX;
    int64_t started_ms = clock_mono_ms();
    int conflicts = 0;

    for (;;) {
        arena *a = arena_create();
        int64_t retry[COUNT_OF(retry_keys)] = {0};
        status s;

        c->attempts++;
        c->failed_member = c->count;
        s = try_once(c, a, retry, err);
        arena_free(a);
        if (s != STATUS_OK && c->failed_member < c->count) {
            fail_member(c, &c->members[c->failed_member], c->failed_kind, &c->failed_error);
            continue;
        }
        if (s != STATUS_CONFLICT) {
            return s;
        }
        conflicts++;
        deadline_ms = started_ms + retry[TOTAL_MS];
        if (conflicts > retry[RETRIES] || clock_mono_ms() > deadline_ms) {
            error_hint(err, "Other writers commit to this table at the same time. Try again.");
            return s;
        }
        wait_before(conflicts, retry);
    }
}

static void prepare(commit *c, ice_append_slot *slots)
{
    for (size_t i = 0; i < c->count; i++) {
        const ice_append *append = slots[i].append;
        commit_member *m = &c->members[i];

        m->slot = &slots[i];
        m->live = true;
        m->complete = append->unstaged_count == 0;
        m->staged =
            ARENA_ARRAY(c->memory, store_staged *, append->staged_count + append->unstaged_count);
        m->staged_count = append->staged_count;
        for (size_t k = 0; k < append->staged_count; k++) {
            m->staged[k] = append->staged[k];
        }
        slots[i].outcome = STATUS_INTERNAL;
        slots[i].result = (ice_commit_result){.snapshot_id = ICE_NO_SNAPSHOT};
        error_clear(&slots[i].err);
    }
}

void ice_commit_appends(const ice_committer *committer, ice_append_slot *slots, size_t count)
{
    arena *memory = arena_create();
    commit c = {.committer = committer,
                .members = ARENA_ARRAY(memory, commit_member, count),
                .count = count,
                .memory = memory,
                .failed_member = count};
    error err = ERROR_INIT;
    status s;

    prepare(&c, slots);
    s = FAULT(FAULT_COMMIT_DATA, &err);
    if (s == STATUS_OK) {
        s = attempt_all(&c, &err);
    }
    if (s == STATUS_OK) {
        s = FAULT(FAULT_COMMIT_DONE, &err);
    }
    if (s != STATUS_OK) {
        fail_all(&c, s, &err);
    }
    drop_fresh(&c);
    arena_free(memory);
}

status ice_commit_append(const ice_committer *committer, const ice_append *append,
                         ice_commit_result *ret_result, error *err)
{
    ice_append_slot slot = {.append = append, .err = ERROR_INIT};

    ice_commit_appends(committer, &slot, 1);
    if (slot.outcome != STATUS_OK) {
        if (err != NULL) {
            *err = slot.err;
        }
        return slot.outcome;
    }
    *ret_result = slot.result;
    return STATUS_OK;
}

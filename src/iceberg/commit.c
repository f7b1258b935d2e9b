/* commit.c: appends: several of them as one snapshot, each with its own outcome. The attempts are attempt.c's.
 *
 * Invariants
 *   1. The manifests of added files are kept over attempts, as the data files are.
 *   2. An append that fails by itself (its schema, its `extra`) leaves the others' commit as if it had not been
 *      there. */
#include "tarn/iceberg/commit.h"

#include "change.h"

/* One append of the commit. */
typedef struct commit_member {
    ice_append_slot *slot;
    bool live;          /* still part of the commit */
    ice__kept_vec data; /* its data files */
} commit_member;

typedef struct commit {
    const ice_committer *committer;
    commit_member *members;
    size_t count;
    arena *memory;
    ice__fresh fresh; /* of the live members' files; made again when a member drops out */
    /* `extra` of several appends as one */
    size_t failed_member; /* index, or `count` */
    status failed_kind;
    error failed_error;
} commit;

/* --- members --- */

/* An append fails by itself; its files go. */
static void fail_member(commit *c, commit_member *m, status kind, const error *err)
{
    m->live = false;
    m->slot->outcome = kind;
    m->slot->err = *err;
    ice__kept_discard(c->committer->storage, &m->data);
    ice__fresh_drop(&c->fresh, c->committer->storage); /* they speak of its files */
}

static void fail_all(commit *c, status kind, const error *err)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].live) {
            fail_member(c, &c->members[i], kind, err);
        }
    }
}

static size_t live_count(const commit *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        count += c->members[i].live ? 1 : 0;
    }
    return count;
}

static void check_members(commit *c, const ice_metadata *m)
{
    for (size_t i = 0; i < c->count; i++) {
        commit_member *checked = &c->members[i];
        const ice_append *append = checked->slot->append;
        error err = ERROR_INIT;

        if (checked->live) {
            ice__written written = {.table_uuid = append->table_uuid,
                                    .schema_id = append->schema_id,
                                    .files = append->files,
                                    .file_count = append->file_count};
            status s = ice__check_fit(&written, m, &err);

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

static bool drop_failed(void *context)
{
    commit *c = context;

    if (c->failed_member == c->count) {
        return false;
    }
    fail_member(c, &c->members[c->failed_member], c->failed_kind, &c->failed_error);
    return true;
}

static status build(void *context, ice__change *change, error *err)
{
    commit *c = context;
    ice__added added;

    c->failed_member = c->count;
    check_members(c, change->base);
    added = gather(c, change->memory);
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].live && c->members[i].slot->append->extra != NULL) {
            change->extra = run_extras;
            change->extra_context = c;
        }
        if (c->members[i].live) {
            vec_push(change->memory, &change->kept, &c->members[i].data);
        }
    }
    change->nothing = added.count == 0;
    if (change->nothing) {
        return STATUS_OK;
    }
    TRY(ice__fresh_make(&c->fresh, c->committer->storage, c->memory, change, &added, err));
    return ice__change_append(change, &added, c->members[0].slot->append->branch,
                              c->fresh.snapshot_id, err);
}

/* --- the whole --- */

static void done(void *context, const ice__change *change, const ice_metadata *now, int attempt)
{
    const commit *c = context;
    ice_commit_result result = {
        .snapshot_id = change->nothing ? ICE_NO_SNAPSHOT : change->snapshot.id,
        .sequence_number =
            change->nothing ? now->last_sequence_number : change->snapshot.sequence_number,
        .attempts = attempt,
        .merged = (int)live_count(c)};

    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i].live) {
            c->members[i].slot->outcome = STATUS_OK;
            c->members[i].slot->result = result;
        }
    }
}

static void prepare(commit *c, ice_append_slot *slots)
{
    for (size_t i = 0; i < c->count; i++) {
        const ice_append *append = slots[i].append;
        commit_member *m = &c->members[i];

        m->slot = &slots[i];
        m->live = true;
        ice__kept_take(c->memory, &m->data, append->staged, append->staged_count);
        for (size_t k = 0; k < append->unstaged_count; k++) {
            ice__kept_add(c->memory, &m->data, &append->unstaged[k]);
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
    ice__work work = {.build = build, .done = done, .drop = drop_failed, .context = &c};
    error err = ERROR_INIT;
    status s;

    prepare(&c, slots);
    s = ice__commit_work(committer, &work, &err);
    if (s != STATUS_OK) {
        fail_all(&c, s, &err);
    }
    ice__fresh_drop(&c.fresh, committer->storage);
    for (size_t i = 0; i < count; i++) { /* files of an append without any */
        ice__kept_discard(committer->storage, &c.members[i].data);
    }
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

/* expire.c: snapshots beyond the table's limit leave with the commit that goes past it, and the objects that only
 * they needed leave in the same transaction.
 *
 *   1. Heads of branches and tags never expire, nor as many of their ancestors as they ask to keep.
 *   2. The snapshot log loses everything before its last expired entry: time travel must not answer from a history
 *      with holes (specification, "Table metadata", snapshot-log).
 *   3. What cannot be read for comparison is left where it is: a commit never fails for the sake of tidiness.
 * The reasons are in docs/design/0005-small-metadata.md. */
#include "tarn/base/clock.h"
#include "tarn/base/map.h"
#include "tarn/iceberg/history.h"

#include "builder.h"

enum {
    DEFAULT_SNAPSHOTS_MAX = 100,
    EXPIRED_AT_ONCE_MAX =
        32, /* a table that comes with a long history loses it over several commits */
};

typedef struct expiry {
    ice__change *change;
    map *kept;                    /* ids that must stay, as text */
    const ice_snapshot *retained; /* in the order they had */
    size_t retained_count;
    const ice_snapshot *expired;
    size_t expired_count;
    ice_expired gone; /* what goes with them */
} expiry;

static char present; /* what sets hold */

static str id_key(int64_t id, arena *a)
{
    return str_printf(a, "%lld", (long long)id);
}

/* --- which --- */

static void keep_ancestors(expiry *x, int64_t id, int64_t count)
{
    const ice_snapshot *s = ice_metadata_snapshot_by_id(&x->change->next, id);
    int64_t most =
        (int64_t)x->change->next.snapshot_count; /* others' parents may go round in a circle */

    count = count < most ? count : most;
    for (; s != NULL && count > 0; count--) {
        (void)map_set(x->kept, id_key(s->id, x->change->memory), &present);
        s = s->parent_id == ICE_NO_SNAPSHOT
                ? NULL
                : ice_metadata_snapshot_by_id(&x->change->next, s->parent_id);
    }
}

static void keep_references(expiry *x)
{
    const ice_metadata *m = &x->change->next;
    int64_t least = ice_metadata_property_int(m, "history.expire.min-snapshots-to-keep", 1);

    for (size_t i = 0; i < m->ref_count; i++) {
        const ice_ref *ref = &m->refs[i];
        int64_t count = ref->min_snapshots_to_keep > 0 ? ref->min_snapshots_to_keep : least;

        keep_ancestors(x, ref->snapshot_id, ref->is_tag || count < 1 ? 1 : count);
    }
}

/* The oldest stand first: where none of them is kept, the others stay where they are. */
static bool choose_oldest(expiry *x, size_t surplus)
{
    const ice_metadata *m = &x->change->next;

    for (size_t i = 0; i < surplus; i++) {
        if (map_has(x->kept, id_key(m->snapshots[i].id, x->change->memory))) {
            return false;
        }
    }
    x->expired = m->snapshots;
    x->expired_count = surplus;
    x->retained = m->snapshots + surplus;
    x->retained_count = m->snapshot_count - surplus;
    return true;
}

static void choose_one_by_one(expiry *x, size_t surplus)
{
    const ice_metadata *m = &x->change->next;
    arena *a = x->change->memory;
    ice_snapshot *retained = ARENA_ARRAY(a, ice_snapshot, m->snapshot_count);
    ice_snapshot *expired = ARENA_ARRAY(a, ice_snapshot, surplus);

    for (size_t i = 0; i < m->snapshot_count; i++) {
        const ice_snapshot *s = &m->snapshots[i];

        if (x->expired_count < surplus && !map_has(x->kept, id_key(s->id, a))) {
            expired[x->expired_count++] = *s;
        } else {
            retained[x->retained_count++] = *s;
        }
    }
    x->retained = retained;
    x->expired = expired;
}

static bool is_expired(const expiry *x, int64_t id)
{
    for (size_t i = 0; i < x->expired_count; i++) {
        if (x->expired[i].id == id) {
            return true;
        }
    }
    return false;
}

static void trim_log(const expiry *x)
{
    ice_metadata *m = &x->change->next;
    size_t start = 0;

    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        if (is_expired(x, m->snapshot_log[i].snapshot_id)) {
            start = i + 1;
        }
    }
    m->snapshot_log += start;
    m->snapshot_log_count -= start;
}

static void drop_statistics(expiry *x)
{
    ice__change *c = x->change;
    int64_t *ids = ARENA_ARRAY(c->memory, int64_t, x->expired_count);

    for (size_t i = 0; i < x->expired_count; i++) {
        ids[i] = x->expired[i].id;
    }
    size_t before = c->obsolete.count;
    ice__drop_statistics(&c->next, ids, x->expired_count, c->memory, &c->obsolete);
    x->gone.statistics_files += (int64_t)(c->obsolete.count - before);
}

/* --- what goes with them --- */

static bool load(const expiry *x, const ice_snapshot *s, ice__manifest_list *ret_list)
{
    ice__change *c = x->change;

    if (s->id == c->snapshot.id) { /* its list is only being written */
        *ret_list =
            (ice__manifest_list){.manifests = c->manifests.items, .count = c->manifests.count};
        return true;
    }
    return ice__list_load(c->storage, c->base, s, c->memory, ret_list, NULL) == STATUS_OK;
}

/* One line of descent, the expired at its beginning: a manifest that the oldest retained snapshot no longer has, no
 * later one has again, so that its list alone needs to be read. */
static bool is_line(const expiry *x)
{
    for (size_t i = 1; i < x->expired_count; i++) {
        if (x->expired[i].parent_id != x->expired[i - 1].id) {
            return false;
        }
    }
    for (size_t i = 0; i < x->retained_count; i++) {
        int64_t before = i > 0 ? x->retained[i - 1].id : x->expired[x->expired_count - 1].id;

        if (x->retained[i].parent_id != before) {
            return false;
        }
    }
    return x->retained_count > 0;
}

typedef struct leftover {
    ice__manifest_vec manifests; /* of expired snapshots alone */
    ice__manifest_vec needed;    /* of the retained snapshots that were looked at */
    map *needed_paths;
    VEC(str) lists; /* of expired snapshots alone, those that could be read */
} leftover;

static bool find_needed(const expiry *x, bool line, leftover *l)
{
    size_t count = line ? 1 : x->retained_count;
    arena *a = x->change->memory;

    l->needed_paths = map_create(a);
    for (size_t i = 0; i < count; i++) {
        ice__manifest_list list;

        if (!load(x, &x->retained[i], &list)) {
            return false;
        }
        for (size_t k = 0; k < list.count; k++) {
            if (map_set(l->needed_paths, list.manifests[k].path, &present) == NULL) {
                vec_push(a, &l->needed, list.manifests[k]);
            }
        }
    }
    return true;
}

static void find_leftovers(const expiry *x, leftover *l)
{
    arena *a = x->change->memory;
    map *seen = map_create(a);
    map *needed_lists = map_create(a);

    for (size_t i = 0; i < x->retained_count; i++) {
        if (!str_is_null(x->retained[i].manifest_list)) {
            (void)map_set(needed_lists, x->retained[i].manifest_list, &present);
        }
    }
    for (size_t i = 0; i < x->expired_count; i++) {
        str location = x->expired[i].manifest_list;
        ice__manifest_list list;

        if (!load(x, &x->expired[i], &list)) { /* whatever it is, nobody knows whose */
            continue;
        }
        if (!str_is_null(location) && map_set(needed_lists, location, &present) == NULL) {
            vec_push(a, &l->lists, location);
        }
        for (size_t k = 0; k < list.count; k++) {
            if (!map_has(l->needed_paths, list.manifests[k].path) &&
                map_set(seen, list.manifests[k].path, &present) == NULL) {
                vec_push(a, &l->manifests, list.manifests[k]);
            }
        }
    }
}

/* Appends only ever add files, so that every file of an expired snapshot lives on in its successors. */
static bool only_appends(const expiry *x)
{
    for (size_t i = 1; i < x->expired_count; i++) {
        if (x->expired[i].operation != ICE_APPEND) {
            return false;
        }
    }
    for (size_t i = 0; i < x->retained_count; i++) {
        if (x->retained[i].operation != ICE_APPEND) {
            return false;
        }
    }
    return true;
}

/* Of a manifest that this very commit writes, and that nobody can read yet. */
static bool own_entries(const ice__change *c, str path, ice__entries *ret_entries)
{
    const ice__new_manifest_vec *lists[] = {&c->merged, &c->known};

    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            const ice__new_manifest *made = &lists[i]->items[k];

            if (str_equal(made->manifest.path, path)) {
                *ret_entries = (ice__entries){.entries = made->entries, .count = made->entry_count};
                return true;
            }
        }
    }
    return false;
}

static bool for_live_files(const expiry *x, const ice__manifest_vec *manifests,
                           void (*take)(void *context, const ice_file *file), void *context)
{
    ice__change *c = x->change;

    for (size_t i = 0; i < manifests->count; i++) {
        ice__entries entries;

        if (!own_entries(c, manifests->items[i].path, &entries) &&
            ice__manifest_load(c->storage, c->base, &manifests->items[i], c->memory, &entries,
                               NULL) != STATUS_OK) {
            return false;
        }
        for (size_t k = 0; k < entries.count; k++) {
            if (entries.entries[k].status != ICE_DELETED) {
                take(context, &entries.entries[k].file);
            }
        }
    }
    return true;
}

typedef struct file_sets {
    map *needed;
    map *gone;
    ice__change *change;
    ice_expired *count;
} file_sets;

static void take_needed(void *context, const ice_file *file)
{
    (void)map_set(((file_sets *)context)->needed, file->path, &present);
}

static void take_gone(void *context, const ice_file *file)
{
    file_sets *sets = context;

    if (!map_has(sets->needed, file->path) && map_set(sets->gone, file->path, &present) == NULL) {
        vec_push(sets->change->memory, &sets->change->obsolete, file->path);
        sets->count->data_files += file->content == ICE_DATA ? 1 : 0;
        sets->count->position_delete_files += file->content == ICE_POSITION_DELETES ? 1 : 0;
        sets->count->equality_delete_files += file->content == ICE_EQUALITY_DELETES ? 1 : 0;
    }
}

/* Data files that no retained snapshot has. Nothing is taken where something could not be read. */
static void find_files(expiry *x, bool line, leftover *l)
{
    file_sets sets = {.needed = map_create(x->change->memory),
                      .gone = map_create(x->change->memory),
                      .change = x->change,
                      .count = &x->gone};

    if (l->manifests.count == 0 || (line && only_appends(x))) {
        return;
    }
    if (for_live_files(x, &l->needed, take_needed, &sets)) {
        (void)for_live_files(x, &l->manifests, take_gone, &sets);
    }
}

static void collect_obsolete(expiry *x)
{
    ice__change *c = x->change;
    leftover l = {.needed_paths = NULL};
    bool line = is_line(x);

    if (!find_needed(x, line, &l)) {
        return;
    }
    find_leftovers(x, &l);
    find_files(x, line, &l);
    for (size_t i = 0; i < l.manifests.count; i++) {
        vec_push(c->memory, &c->obsolete, l.manifests.items[i].path);
        x->gone.manifests++;
    }
    for (size_t i = 0; i < l.lists.count; i++) {
        vec_push(c->memory, &c->obsolete, l.lists.items[i]);
        x->gone.manifest_lists++;
    }
}

void ice__expire_snapshots(ice__change *c)
{
    ice_metadata *m = &c->next;
    int64_t snapshots_max =
        ice_metadata_property_int(m, "tarn.history.max-snapshots", DEFAULT_SNAPSHOTS_MAX);
    bool may_delete =
        !str_equal_nocase(ice_metadata_property(m, "gc.enabled", "true"), STR("false"));
    expiry x = {.change = c};
    size_t surplus;

    if (snapshots_max <= 0 || !may_delete || m->snapshot_count <= (size_t)snapshots_max) {
        return;
    }
    surplus = m->snapshot_count - (size_t)snapshots_max;
    surplus = surplus > EXPIRED_AT_ONCE_MAX ? EXPIRED_AT_ONCE_MAX : surplus;
    x.kept = map_create(c->memory);
    keep_references(&x);
    if (!choose_oldest(&x, surplus)) {
        choose_one_by_one(&x, surplus);
    }
    if (x.expired_count == 0) {
        return;
    }
    m->snapshots = x.retained;
    m->snapshot_count = x.retained_count;
    trim_log(&x);
    drop_statistics(&x);
    collect_obsolete(&x);
}

/* --- when asked for --- */

typedef struct expire_work {
    const ice_expire *options;
    ice_expired result;
} expire_work;

static status check_ids(const ice_metadata *m, const ice_expire *o, const expiry *x, error *err)
{
    for (size_t i = 0; i < o->id_count; i++) {
        if (ice_metadata_snapshot_by_id(m, o->ids[i]) == NULL) {
            return error_set(err, STATUS_NO_SNAPSHOT, "snapshot %lld does not exist",
                             (long long)o->ids[i]);
        }
        for (size_t k = 0; k < m->ref_count; k++) {
            if (m->refs[k].snapshot_id == o->ids[i] &&
                map_has(x->kept, id_key(o->ids[i], x->change->memory))) {
                return error_set(err, STATUS_INVALID,
                                 "snapshot %lld cannot expire: %s \"%.*s\" needs it",
                                 (long long)o->ids[i], m->refs[k].is_tag ? "tag" : "branch",
                                 STR_ARG(m->refs[k].name));
            }
        }
    }
    return STATUS_OK;
}

static bool is_listed(const ice_expire *o, int64_t id)
{
    for (size_t i = 0; i < o->id_count; i++) {
        if (o->ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* What a branch keeps: as many ancestors as it asks for, and those that are young enough. */
static void keep_branch(expiry *x, const ice_ref *ref, int64_t least, int64_t cutoff_ms)
{
    const ice_metadata *m = &x->change->next;
    const ice_snapshot *s = ice_metadata_snapshot_by_id(m, ref->snapshot_id);

    for (int64_t number = 0; s != NULL && number <= (int64_t)m->snapshot_count; number++) {
        if (number >= least && s->timestamp_ms < cutoff_ms) {
            return;
        }
        (void)map_set(x->kept, id_key(s->id, x->change->memory), &present);
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
}

static int64_t cutoff_of(const ice_metadata *m, const ice_expire *o, const ice_ref *ref)
{
    int64_t age_ms = ice_metadata_property_int(m, "history.expire.max-snapshot-age-ms",
                                               INT64_C(5) * 24 * 3600 * 1000);
    int64_t now_ms = clock_now_ms();

    if (ref != NULL && ref->max_snapshot_age_ms > 0) {
        age_ms = ref->max_snapshot_age_ms;
    } else if (o->older_than_ms >= 0) {
        return o->older_than_ms;
    } else if (o->id_count > 0) {
        return INT64_MIN; /* those alone */
    }
    return age_ms < now_ms ? now_ms - age_ms : 0;
}

static bool is_past(const ice_metadata *m, const ice_ref *ref)
{
    const ice_snapshot *s = ice_metadata_snapshot_by_id(m, ref->snapshot_id);
    int64_t age_ms = ref->max_ref_age_ms > 0
                         ? ref->max_ref_age_ms
                         : ice_metadata_property_int(m, "history.expire.max-ref-age-ms", INT64_MAX);

    return !str_equal(ref->name, STR("main")) && s != NULL &&
           clock_now_ms() - s->timestamp_ms > age_ms;
}

/* Marks what stays; what goes is the rest. */
static status choose_expired(expiry *x, const ice_expire *o, ice_builder *b, error *err)
{
    const ice_metadata *m = x->change->base;
    arena *a = x->change->memory;
    ice_snapshot *retained = ARENA_ARRAY(a, ice_snapshot, m->snapshot_count + 1);
    ice_snapshot *expired = ARENA_ARRAY(a, ice_snapshot, m->snapshot_count + 1);
    int64_t least = o->retain_last > 0
                        ? o->retain_last
                        : ice_metadata_property_int(m, "history.expire.min-snapshots-to-keep", 1);

    for (size_t i = 0; i < m->ref_count; i++) {
        const ice_ref *ref = &m->refs[i];
        if (is_past(m, ref)) {
            TRY(ice_builder_remove_ref(b, ref->name, err));
        } else if (ref->is_tag) {
            (void)map_set(x->kept, id_key(ref->snapshot_id, a), &present);
        } else {
            keep_branch(x, ref,
                        ref->min_snapshots_to_keep > 0 ? ref->min_snapshots_to_keep
                        : least > 0                    ? least
                                                       : 1,
                        cutoff_of(m, o, ref));
        }
    }
    TRY(check_ids(m, o, x, err));
    for (size_t i = 0; i < m->snapshot_count; i++) {
        const ice_snapshot *s = &m->snapshots[i];
        bool kept = map_has(x->kept, id_key(s->id, a)) ||
                    s->timestamp_ms >= cutoff_of(m, o, NULL) || s->id == m->current_snapshot_id;
        if (kept && (s->id == m->current_snapshot_id || !is_listed(o, s->id))) {
            retained[x->retained_count++] = *s;
        } else {
            expired[x->expired_count++] = *s;
        }
    }
    x->retained = retained;
    x->expired = expired;
    return STATUS_OK;
}

static status build_expired(void *context, ice__change *c, error *err)
{
    expire_work *w = context;
    ice_builder *b = ice_builder_create(c->base, c->memory);
    expiry x = {.change = c, .kept = map_create(c->memory)};

    if (str_equal_nocase(ice_metadata_property(c->base, "gc.enabled", "true"), STR("false"))) {
        error_set(err, STATUS_INVALID, "snapshots cannot expire: gc.enabled is false");
        error_hint(err, "Others share this table's files.");
        return STATUS_INVALID;
    }
    TRY(choose_expired(&x, w->options, b, err));
    int64_t *ids = ARENA_ARRAY(c->memory, int64_t, x.expired_count + 1);
    for (size_t i = 0; i < x.expired_count; i++) {
        ids[i] = x.expired[i].id;
    }
    drop_statistics(&x);
    ice_builder_remove_snapshots(b, ids, x.expired_count);
    c->nothing = ice__metadata_same(c->base, &b->now);
    w->result = (ice_expired){0};
    if (c->nothing) {
        return STATUS_OK;
    }
    TRY(ice__builder_finish(b, c->base_location, err));
    ice__metadata_assign(&c->next, &b->now);
    for (size_t i = 0; i < b->obsolete.count; i++) {
        vec_push(c->memory, &c->obsolete, b->obsolete.items[i]);
    }
    if (x.expired_count > 0) {
        collect_obsolete(&x);
    }
    w->result = x.gone;
    w->result.snapshots = (int64_t)x.expired_count;
    return STATUS_OK;
}

static void expired_done(void *context, const ice__change *c, const ice_metadata *now, int attempt)
{
    (void)context;
    (void)c;
    (void)now;
    (void)attempt;
}

status ice_commit_expire(const ice_committer *committer, const ice_expire *options,
                         ice_expired *ret_expired, error *err)
{
    expire_work w = {.options = options};
    ice__work work = {.build = build_expired, .done = expired_done, .context = &w};

    TRY(ice__commit_work(committer, &work, err));
    *ret_expired = w.result;
    return STATUS_OK;
}

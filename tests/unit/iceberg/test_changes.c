/* Random histories of every kind of change against a model of which files a snapshot holds: totals of summaries,
 * sequence numbers, entries, and that the store holds what the table speaks of and nothing else, while snapshots
 * expire and the table is rolled back. timeout: 180 */
#include "operations.h"
#include "tarn/base/vec.h"

#include "internal.h"

enum { STEPS = 120, TABLES = 6, DAYS = 4, FILES_MAX = 40, SNAPSHOTS_KEPT = 12 };

/* A file as the model knows it. */
typedef struct model_file {
    str path;
    int32_t day;
    int64_t rows, sequence;
    ice_content content;
    str refers_to;
    ice_file file;
} model_file;

typedef VEC(model_file) model;

/* What every snapshot that was ever made holds. */
typedef struct model_snapshot {
    int64_t id;
    model files;
} model_snapshot;

typedef struct history {
    fixture *f;
    test_table *t;
    rng r;
    model now;
    VEC(model_snapshot) snapshots;
    int64_t next_id;
    int done[8]; /* by kind of step */
} history;

/* --- the model --- */

static model copy_model(const history *h, const model *from)
{
    model copy = {0};

    for (size_t i = 0; i < from->count; i++) {
        vec_push(h->f->arena, &copy, from->items[i]);
    }
    return copy;
}

static void model_remove(model *m, str path)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->count; i++) {
        bool refers = m->items[i].content != ICE_DATA && str_equal(m->items[i].refers_to, path);

        if (!str_equal(m->items[i].path, path) && !refers) {
            m->items[kept++] = m->items[i];
        }
    }
    m->count = kept;
}

static void model_add(history *h, const ice_file *file, int32_t day, int64_t sequence)
{
    model_file added = {.path = file->path,
                        .day = day,
                        .rows = file->record_count,
                        .sequence = sequence,
                        .content = file->content,
                        .refers_to = file->referenced_data_file,
                        .file = *file};

    added.file.data_sequence = sequence;
    vec_push(h->f->arena, &h->now, added);
}

static const model_file *pick_data(history *h)
{
    size_t count = 0;
    size_t wanted;

    for (size_t i = 0; i < h->now.count; i++) {
        count += h->now.items[i].content == ICE_DATA;
    }
    if (count == 0) {
        return NULL;
    }
    wanted = rng_below(&h->r, count);
    for (size_t i = 0;; i++) {
        if (h->now.items[i].content == ICE_DATA && wanted-- == 0) {
            return &h->now.items[i];
        }
    }
}

static void remember(history *h, int64_t snapshot_id)
{
    model_snapshot s = {.id = snapshot_id, .files = copy_model(h, &h->now)};

    vec_push(h->f->arena, &h->snapshots, s);
}

/* --- steps --- */

static ice_file new_file(history *h, int32_t day)
{
    h->next_id += 100;
    return op_file(h->f->arena, h->t->latest, day, h->next_id, 1 + (int64_t)rng_below(&h->r, 20));
}

static int32_t any_day(history *h)
{
    return 1 + (int32_t)rng_below(&h->r, DAYS);
}

static void step_append(history *h)
{
    ice_file files[3];
    int32_t days[3];
    size_t count = 1 + rng_below(&h->r, 3);
    ice_commit_result result;

    for (size_t i = 0; i < count; i++) {
        days[i] = any_day(h);
        files[i] = new_file(h, days[i]);
    }
    EXPECT_OK(op_append(&h->t->committer, files, count, h->f->arena, &result, &h->f->err));
    for (size_t i = 0; i < count; i++) {
        model_add(h, &files[i], days[i], result.sequence_number);
    }
    remember(h, result.snapshot_id);
}

static void commit(history *h, ice_overwrite *change, ice_commit_result *ret_result)
{
    change->read_snapshot_id = h->t->latest->current_snapshot_id;
    EXPECT_OK(op_overwrite(&h->t->committer, change, h->f->arena, ret_result, &h->f->err));
}

/* One or two files become one, or none. */
static void step_files(history *h, bool rewrite)
{
    const model_file *first = pick_data(h);
    const model_file *second = pick_data(h);
    ice_overwrite change = {.kind = rewrite ? ICE_REWRITE : ICE_OVERWRITE_FILES};
    ice_file removed[2];
    ice_file added;
    ice_commit_result result;

    if (first == NULL) {
        return;
    }
    removed[0] = first->file;
    removed[1] = second->file;
    change.removed = removed;
    change.removed_count = second == first ? 1 : 2;
    added = new_file(h, first->day);
    added.record_count = rewrite ? first->rows : added.record_count;
    if (rewrite || rng_below(&h->r, 2) == 0) {
        change.added = &added;
        change.added_count = 1;
    }
    if (rewrite && rng_below(&h->r, 2) == 0) {
        change.keep_sequence = true;
        added.data_sequence = first->sequence;
    }
    int64_t sequence = first->sequence;
    int32_t day = first->day;
    commit(h, &change, &result);
    model_remove(&h->now, removed[0].path);
    model_remove(&h->now, removed[1].path);
    if (change.added_count > 0) {
        model_add(h, &added, day, change.keep_sequence ? sequence : result.sequence_number);
    }
    remember(h, result.snapshot_id);
}

/* By filter where `dynamic` is false: the day goes, with or without something new. */
static void step_day(history *h, bool dynamic)
{
    int32_t day = any_day(h);
    ice_file added = new_file(h, day);
    ice_overwrite change = {.kind = dynamic ? ICE_OVERWRITE_PARTITIONS : ICE_OVERWRITE_FILTER,
                            .added = &added};
    ice_commit_result result;
    size_t kept = 0;

    change.added_count = dynamic || rng_below(&h->r, 2) == 0 ? 1 : 0;
    change.filter = op_day_is(h->f->arena, day);
    commit(h, &change, &result);
    for (size_t i = 0; i < h->now.count; i++) {
        if (h->now.items[i].day != day) {
            h->now.items[kept++] = h->now.items[i];
        }
    }
    h->now.count = kept;
    if (change.added_count > 0) {
        model_add(h, &added, day, result.sequence_number);
    }
    if (result.snapshot_id != ICE_NO_SNAPSHOT) {
        remember(h, result.snapshot_id);
    }
}

static void step_deletes(history *h)
{
    const model_file *data = pick_data(h);
    ice_overwrite change = {.kind = ICE_ROW_DELTA, .added_count = 1};
    ice_file deletes;
    ice_commit_result result;
    int32_t day;

    if (data == NULL) {
        return;
    }
    day = data->day;
    deletes = op_deletes(h->f->arena, &data->file, 1, false);
    change.added = &deletes;
    commit(h, &change, &result);
    model_add(h, &deletes, day, result.sequence_number);
    remember(h, result.snapshot_id);
}

static status go_back(void *context, ice_builder *b, error *err)
{
    const int64_t *id = context;
    ice_ref moved = {.name = STR("main"),
                     .snapshot_id = *id,
                     .max_ref_age_ms = -1,
                     .max_snapshot_age_ms = -1,
                     .min_snapshots_to_keep = -1};

    return ice_builder_set_ref(b, &moved, err);
}

static void step_rollback(history *h)
{
    const ice_metadata *m = h->t->latest;
    int64_t id;

    if (m->snapshot_count == 0) {
        return;
    }
    id = m->snapshots[rng_below(&h->r, m->snapshot_count)].id;
    EXPECT_OK(ice_metadata_update(&h->t->committer, go_back, &id, NULL, &h->f->err));
    for (size_t i = 0; i < h->snapshots.count; i++) {
        if (h->snapshots.items[i].id == id) {
            h->now = copy_model(h, &h->snapshots.items[i].files);
        }
    }
}

/* --- what has to be true --- */

static const model_file *find_in(const model *m, str path)
{
    for (size_t i = 0; i < m->count; i++) {
        if (str_equal(m->items[i].path, path)) {
            return &m->items[i];
        }
    }
    return NULL;
}

static void expect_entries(history *h, const ice_snapshot *s, const model *expected)
{
    ice__manifest_list list;
    size_t live = 0;

    EXPECT_OK(ice__list_load(h->t->st, h->t->latest, s, h->f->arena, &list, &h->f->err));
    for (size_t i = 0; i < list.count; i++) {
        ice__entries entries;

        EXPECT_OK(ice__manifest_load(h->t->st, h->t->latest, &list.manifests[i], h->f->arena,
                                     &entries, &h->f->err));
        for (size_t k = 0; k < entries.count; k++) {
            const ice_entry *entry = &entries.entries[k];
            const model_file *known = find_in(expected, entry->file.path);

            if (entry->status == ICE_DELETED) {
                assert_null(known);
                continue;
            }
            if (known == NULL) {
                fail_msg("%.*s should have gone", STR_ARG(entry->file.path));
                return;
            }
            live++;
            assert_int_equal(entry->file.data_sequence, known->sequence);
            assert_int_equal(entry->file.record_count, known->rows);
            assert_true(entry->file.file_sequence >= entry->file.data_sequence);
            assert_true(list.manifests[i].min_sequence_number <= known->sequence);
        }
    }
    assert_int_equal(live, expected->count);
}

static void expect_total(const ice_snapshot *s, const char *key, int64_t expected)
{
    int64_t told;

    assert_int_equal(str_to_int64(ice_snapshot_summary(s, key), &told, NULL), STATUS_OK);
    assert_int_equal(told, expected);
}

static void expect_totals(const ice_snapshot *s, const model *expected)
{
    int64_t rows = 0;
    int64_t data = 0;
    int64_t deletes = 0;

    for (size_t i = 0; i < expected->count; i++) {
        bool is_data = expected->items[i].content == ICE_DATA;

        rows += is_data ? expected->items[i].rows : 0;
        data += is_data ? 1 : 0;
        deletes += is_data ? 0 : 1;
    }
    expect_total(s, "total-records", rows);
    expect_total(s, "total-data-files", data);
    expect_total(s, "total-delete-files", deletes);
    expect_total(s, "total-position-deletes", deletes);
    expect_total(s, "total-equality-deletes", 0);
    expect_total(s, "total-files-size", 8 * (data + deletes));
}

static void expect_present(history *h)
{
    const ice_snapshot *s = ice_metadata_snapshot(h->t->latest);

    assert_true(s != NULL || h->now.count == 0);
    if (s != NULL) {
        expect_entries(h, s, &h->now);
        expect_totals(s, &h->now);
    }
}

/* Every snapshot that is left holds what it held; the store holds their files and no others. */
static void expect_past(history *h)
{
    const ice_metadata *m = h->t->latest;
    arena *a = h->f->arena;
    map *needed = map_create(a);
    str prefix = str_concat(a, m->location, STR("/"));
    store_object *objects;
    size_t count;

    ice_cache_clear();
    (void)map_set(needed, str_c(h->t->location), h);
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        (void)map_set(needed, m->metadata_log[i].metadata_file, h);
    }
    for (size_t i = 0; i < m->snapshot_count; i++) {
        const ice_snapshot *s = &m->snapshots[i];
        ice__manifest_list list;

        for (size_t k = 0; k < h->snapshots.count; k++) {
            if (h->snapshots.items[k].id == s->id) {
                const model *files = &h->snapshots.items[k].files;

                expect_entries(h, s, files);
                for (size_t n = 0; n < files->count; n++) {
                    (void)map_set(needed, files->items[n].path, h);
                }
            }
        }
        (void)map_set(needed, s->manifest_list, h);
        EXPECT_OK(ice__list_load(h->t->st, m, s, a, &list, &h->f->err));
        for (size_t k = 0; k < list.count; k++) {
            (void)map_set(needed, list.manifests[k].path, h);
        }
    }
    EXPECT_OK(store_list(h->t->st, prefix, STR_NULL, 10000, a, &objects, &count, &h->f->err));
    for (size_t i = 0; i < count; i++) {
        if (!map_has(needed, objects[i].location)) {
            fail_msg("%.*s is nobody's", STR_ARG(objects[i].location));
        }
    }
    assert_int_equal(count, map_count(needed));
}

/* --- histories --- */

static void step(history *h)
{
    static const int weights[] = {5, 3, 2, 2, 1, 3, 1};
    int total = 0;
    int kind = 0;
    int at;

    for (size_t i = 0; i < COUNT_OF(weights); i++) {
        total += weights[i];
    }
    at = (int)rng_below(&h->r, (uint64_t)total);
    while (at >= weights[kind]) {
        at -= weights[kind++];
    }
    kind = h->now.count > FILES_MAX && kind == 0 ? 3 : kind;
    h->done[kind]++;
    switch (kind) {
    case 0:
        step_append(h);
        break;
    case 1:
    case 2:
        step_files(h, kind == 2);
        break;
    case 3:
    case 4:
        step_day(h, kind == 4);
        break;
    case 5:
        step_deletes(h);
        break;
    default:
        step_rollback(h);
        break;
    }
}

static void test_random_histories_hold_what_the_model_holds(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {
        {STR("tarn.history.max-snapshots"), STR("12")},
        {STR("commit.manifest.min-count-to-merge"), STR("3")},
        {STR("commit.retry.min-wait-ms"), STR("0")},
    };
    const test_table *store = NULL;
    int done[8] = {0};

    for (int number = 0; number < TABLES; number++) {
        str location = str_printf(f->arena, "s3://warehouse/t%d", number);
        history h = {.f = f};

        h.t = test_table_create_in(f, store, location, "day", properties, COUNT_OF(properties), 2);
        store = store == NULL ? h.t : store;
        rng_seed(&h.r, 20261121 + (uint64_t)number);
        for (int i = 0; i < STEPS; i++) {
            h.t->commits_to_refuse = rng_below(&h.r, 10) == 0 ? 2 : 0;
            step(&h);
            h.t->commits_to_refuse = 0;
            expect_present(&h);
            if (i % 20 == 19) {
                expect_past(&h);
            }
        }
        assert_true(h.t->latest->snapshot_count <= SNAPSHOTS_KEPT + 1);
        for (size_t i = 0; i < COUNT_OF(done); i++) {
            done[i] += h.done[i];
        }
    }
    for (size_t i = 0; i < 7; i++) {
        assert_true(done[i] > STEPS / 10); /* else a kind was not tried */
    }
}

TESTS(test_random_histories_hold_what_the_model_holds)

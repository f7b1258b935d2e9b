/* Claims about changes that take files away: what the new snapshot says and holds, what is left of a change that did
 * not come to be. Who may pass whom is in test_conflicts.c, long histories in test_changes.c. timeout: 120 */
#include "operations.h"
#include "tarn/base/fault.h"
#include "tarn/base/vec.h"

#include "internal.h"

static const ice_property quick_retries[] = {{STR_INIT("commit.retry.min-wait-ms"), STR_INIT("0")}};

/* Days 1 to 3 with a file each of ten rows from 100, 200, 300 on, one append and so one manifest. */
static test_table *table(fixture *f, int version)
{
    test_table *t =
        test_table_create_in(f, NULL, STR("s3://warehouse/t"), "day", quick_retries, 1, version);
    ice_file files[3];
    ice_commit_result result;

    for (int32_t day = 1; day <= 3; day++) {
        files[day - 1] = op_file(f->arena, t->latest, day, day * 100, 10);
    }
    EXPECT_OK(op_append(&t->committer, files, 3, f->arena, &result, &f->err));
    return t;
}

static ice_overwrite change_of(const test_table *t, ice_overwrite_kind kind,
                               const ice_file *removed, size_t removed_count, const ice_file *added,
                               size_t added_count)
{
    return (ice_overwrite){.kind = kind,
                           .read_snapshot_id = t->latest->current_snapshot_id,
                           .removed = removed,
                           .removed_count = removed_count,
                           .added = added,
                           .added_count = added_count,
                           .branch = STR_NULL};
}

/* What the store has, not what was remembered. */
static const ice_snapshot *current(const test_table *t)
{
    ice_cache_clear();
    return ice_metadata_snapshot(t->latest);
}

typedef struct everything {
    ice__manifest_list list;
    VEC(ice_entry) entries;
} everything;

static everything read_all(fixture *f, const test_table *t, const ice_snapshot *s)
{
    everything all = {.list = {.count = 0}};

    ice_cache_clear();
    EXPECT_OK(ice__list_load(t->st, t->latest, s, f->arena, &all.list, &f->err));
    for (size_t i = 0; i < all.list.count; i++) {
        ice__entries entries;

        EXPECT_OK(ice__manifest_load(t->st, t->latest, &all.list.manifests[i], f->arena, &entries,
                                     &f->err));
        for (size_t k = 0; k < entries.count; k++) {
            vec_push(f->arena, &all.entries, entries.entries[k]);
        }
    }
    return all;
}

static const ice_entry *entry_of(const everything *all, str path)
{
    for (size_t i = 0; i < all->entries.count; i++) {
        if (str_equal(all->entries.items[i].file.path, path)) {
            return &all->entries.items[i];
        }
    }
    fail_msg("no entry of %.*s", STR_ARG(path));
    return NULL;
}

#define EXPECT_SUMMARY(snapshot, key, value) \
    EXPECT_STR(ice_snapshot_summary((snapshot), (key)), (value))

static void expect_absent(const ice_snapshot *s, const char *key)
{
    assert_true(str_is_null(ice_snapshot_summary(s, key)));
}

/* --- what a snapshot says and holds --- */

static void test_an_overwrite_tells_what_came_and_what_went(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    int64_t first = t->latest->current_snapshot_id;
    ice_file removed = op_find(f, t, 200);
    ice_file added = op_file(f->arena, t->latest, 2, 200, 7);
    ice_overwrite change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
    ice_commit_result result;
    const ice_snapshot *s;
    everything all;
    const ice_entry *gone;

    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    s = current(t);
    assert_int_equal(s->id, result.snapshot_id);
    assert_int_equal(s->parent_id, first);
    EXPECT_SUMMARY(s, "operation", "overwrite");
    EXPECT_SUMMARY(s, "added-data-files", "1");
    EXPECT_SUMMARY(s, "deleted-data-files", "1");
    EXPECT_SUMMARY(s, "added-records", "7");
    EXPECT_SUMMARY(s, "deleted-records", "10");
    EXPECT_SUMMARY(s, "added-files-size", "8");
    EXPECT_SUMMARY(s, "removed-files-size", "8");
    EXPECT_SUMMARY(s, "changed-partition-count", "1");
    EXPECT_SUMMARY(s, "total-data-files", "3");
    EXPECT_SUMMARY(s, "total-records", "27");
    EXPECT_SUMMARY(s, "total-files-size", "24");
    EXPECT_SUMMARY(s, "total-delete-files", "0");
    expect_absent(s, "added-delete-files");
    expect_absent(s, "removed-dvs");

    all = read_all(f, t, s);
    assert_int_equal(all.list.count, 2);
    gone = entry_of(&all, removed.path);
    assert_int_equal(gone->status, ICE_DELETED);
    assert_int_equal(gone->file.snapshot_id, s->id);
    assert_int_equal(gone->file.data_sequence, 1);
    assert_int_equal(entry_of(&all, added.path)->status, ICE_ADDED);
    assert_int_equal(entry_of(&all, added.path)->file.data_sequence, 2);
    for (int64_t id = 100; id <= 300; id += 200) { /* neighbours of the removed one */
        ice_file stays = op_find(f, t, id);
        const ice_entry *entry = entry_of(&all, stays.path);

        assert_int_equal(entry->status, ICE_EXISTING);
        assert_int_equal(entry->file.snapshot_id, first);
        assert_int_equal(entry->file.data_sequence, 1);
        assert_int_equal(entry->file.file_sequence, 1);
    }
    for (size_t i = 0; i < all.list.count; i++) {
        const ice_manifest *m = &all.list.manifests[i];

        assert_int_equal(m->sequence_number, 2);
        assert_int_equal(m->min_sequence_number, m->existing_files > 0 ? 1 : 2);
        assert_int_equal(m->deleted_files, m->existing_files > 0 ? 1 : 0);
        assert_int_equal(m->deleted_rows, m->existing_files > 0 ? 10 : 0);
    }
}

static void test_manifests_that_lose_nothing_stay(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    ice_file more = op_file(f->arena, t->latest, 1, 500, 10);
    ice_commit_result result;
    ice_overwrite change;
    everything before;
    everything after;

    EXPECT_OK(op_append(&t->committer, &more, 1, f->arena, &result, &f->err));
    before = read_all(f, t, current(t));
    change = change_of(t, ICE_OVERWRITE_FILES, &more, 1, NULL, 0);
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    after = read_all(f, t, current(t));
    EXPECT_SUMMARY(current(t), "operation", "delete");
    assert_int_equal(after.list.count, 2);
    EXPECT_STR(after.list.manifests[1].path,
               str_to_c(f->arena, before.list.manifests[1].path)); /* the older one */
    /* What went is told once: the next snapshot no longer has the manifest. */
    change = change_of(t, ICE_OVERWRITE_FILTER, NULL, 0, NULL, 0);
    change.filter = op_day_is(f->arena, 3);
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    after = read_all(f, t, current(t));
    assert_int_equal(after.list.count, 1);
    assert_int_equal(after.list.manifests[0].existing_files, 2);
}

static void test_nothing_to_do_makes_no_snapshot(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    int64_t before = t->latest->current_snapshot_id;
    ice_overwrite change = change_of(t, ICE_OVERWRITE_FILTER, NULL, 0, NULL, 0);
    ice_commit_result result;

    change.filter = op_day_is(f->arena, 99);
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    assert_int_equal(result.snapshot_id, ICE_NO_SNAPSHOT);
    assert_int_equal(t->latest->current_snapshot_id, before);
}

static void test_a_dynamic_overwrite_empties_the_partitions_of_its_files(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    ice_file added = op_file(f->arena, t->latest, 3, 900, 4);
    ice_overwrite change = change_of(t, ICE_OVERWRITE_PARTITIONS, NULL, 0, &added, 1);
    ice_commit_result result;

    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    EXPECT_SUMMARY(current(t), "operation", "overwrite");
    EXPECT_SUMMARY(current(t), "replace-partitions", "true");
    EXPECT_SUMMARY(current(t), "deleted-data-files", "1");
    EXPECT_SUMMARY(current(t), "total-records", "24");
    (void)op_find(f, t, 100);
    (void)op_find(f, t, 200);
    (void)op_find(f, t, 900);
}

/* --- deletes --- */

static void test_a_row_delta_adds_deletes(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    ice_file data = op_find(f, t, 100);
    ice_file deletes = op_deletes(f->arena, &data, 3, false);
    ice_overwrite change = change_of(t, ICE_ROW_DELTA, NULL, 0, &deletes, 1);
    ice_commit_result result;
    everything all;

    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    EXPECT_SUMMARY(current(t), "operation", "delete");
    EXPECT_SUMMARY(current(t), "added-delete-files", "1");
    EXPECT_SUMMARY(current(t), "added-position-delete-files", "1");
    EXPECT_SUMMARY(current(t), "added-position-deletes", "3");
    EXPECT_SUMMARY(current(t), "total-position-deletes", "3");
    EXPECT_SUMMARY(current(t), "total-records", "30");
    all = read_all(f, t, current(t));
    assert_int_equal(all.list.count, 2);
    assert_true(all.list.manifests[0].deletes);
    assert_int_equal(entry_of(&all, deletes.path)->file.content, ICE_POSITION_DELETES);
    assert_int_equal(entry_of(&all, deletes.path)->file.data_sequence, 2);
}

static void test_a_vector_goes_with_its_data_file(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 3);
    ice_file data = op_find(f, t, 100);
    ice_file vector = op_deletes(f->arena, &data, 3, true);
    ice_overwrite change = change_of(t, ICE_ROW_DELTA, NULL, 0, &vector, 1);
    ice_file second = op_deletes(f->arena, &data, 5, true);
    ice_commit_result result;

    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    EXPECT_SUMMARY(current(t), "added-dvs", "1");
    EXPECT_SUMMARY(current(t), "added-delete-files", "1");
    EXPECT_SUMMARY(current(t), "added-files-size", "40"); /* of the vector, not of its file */
    expect_absent(current(t), "added-position-delete-files");

    /* One vector for a data file: the other has to go in the same change. */
    change = change_of(t, ICE_ROW_DELTA, NULL, 0, &second, 1);
    EXPECT_STATUS(INVALID, op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    change = change_of(t, ICE_ROW_DELTA, &vector, 1, &second, 1);
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    EXPECT_SUMMARY(current(t), "removed-dvs", "1");
    EXPECT_SUMMARY(current(t), "total-delete-files", "1");
    EXPECT_SUMMARY(current(t), "total-position-deletes", "5");

    change = change_of(t, ICE_OVERWRITE_FILES, &data, 1, NULL, 0);
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    EXPECT_SUMMARY(current(t), "operation", "delete");
    EXPECT_SUMMARY(current(t), "removed-dvs", "1");
    EXPECT_SUMMARY(current(t), "removed-delete-files", "1");
    EXPECT_SUMMARY(current(t), "total-delete-files", "0");
    EXPECT_SUMMARY(current(t), "total-position-deletes", "0");
}

static void test_deletes_that_no_table_takes_are_refused(void **given)
{
    fixture *f = *given;
    test_table *two = table(f, 2);
    test_table *three =
        test_table_create_in(f, two, STR("s3://warehouse/three"), "day", NULL, 0, 3);
    ice_file data = op_find(f, two, 100);
    ice_file vector = op_deletes(f->arena, &data, 3, true);
    ice_file positions = op_deletes(f->arena, &data, 3, false);
    ice_overwrite change = change_of(two, ICE_ROW_DELTA, NULL, 0, &vector, 1);
    ice_commit_result result;

    EXPECT_STATUS(UNSUPPORTED, op_overwrite(&two->committer, &change, f->arena, &result, &f->err));
    change = change_of(three, ICE_ROW_DELTA, NULL, 0, &positions, 1);
    EXPECT_STATUS(UNSUPPORTED,
                  op_overwrite(&three->committer, &change, f->arena, &result, &f->err));
    /* A file is removed, or rows of it: not both. */
    change = change_of(two, ICE_OVERWRITE_FILES, &data, 1, &positions, 1);
    EXPECT_STATUS(INVALID, op_overwrite(&two->committer, &change, f->arena, &result, &f->err));
    change = change_of(two, ICE_ROW_DELTA, &data, 1, NULL, 0);
    EXPECT_STATUS(INVALID, op_overwrite(&two->committer, &change, f->arena, &result, &f->err));
}

/* --- rewrites --- */

static void test_a_rewrite_may_keep_the_sequence_number(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    ice_file removed = op_find(f, t, 100);
    ice_file added = op_file(f->arena, t->latest, 1, 100, 10);
    ice_file larger = op_file(f->arena, t->latest, 1, 100, 11);
    ice_overwrite change = change_of(t, ICE_REWRITE, &removed, 1, &added, 1);
    ice_commit_result result;
    everything all;

    added.data_sequence = 1;
    change.keep_sequence = true;
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    EXPECT_SUMMARY(current(t), "operation", "replace");
    EXPECT_SUMMARY(current(t), "total-records", "30");
    all = read_all(f, t, current(t));
    assert_int_equal(entry_of(&all, added.path)->file.data_sequence, 1);
    assert_int_equal(entry_of(&all, added.path)->file.file_sequence, 2);
    change = change_of(t, ICE_REWRITE, &added, 1, &larger, 1);
    EXPECT_STATUS(INVALID, op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
}

static void test_rows_keep_their_ids_when_manifests_are_written_anew(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 3);
    int64_t first_ids[] = {op_find(f, t, 100).first_row_id, op_find(f, t, 300).first_row_id};
    ice_file removed = op_find(f, t, 200);
    ice_file added = op_file(f->arena, t->latest, 2, 250, 7);
    ice_overwrite change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
    int64_t next = t->latest->next_row_id;
    ice_commit_result result;

    assert_int_equal(next, 30);
    t->commits_to_refuse = 2; /* numbers are given anew with each attempt */
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    assert_int_equal(current(t)->first_row_id, 30);
    assert_int_equal(op_find(f, t, 100).first_row_id, first_ids[0]);
    assert_int_equal(op_find(f, t, 300).first_row_id, first_ids[1]);
    assert_true(op_find(f, t, 250).first_row_id >= 30);
    assert_int_equal(t->latest->next_row_id, 30 + current(t)->added_rows);
    assert_true(current(t)->added_rows >= 7);
}

static status upgrade(void *context, ice_builder *b, error *err)
{
    (void)context;
    return ice_builder_set_format_version(b, 3, err);
}

static void test_rows_of_an_upgraded_table_get_ids_with_its_next_snapshot(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    ice_file added = op_file(f->arena, t->latest, 2, 250, 7);
    ice_commit_result result;
    bool seen[37] = {false};

    EXPECT_OK(ice_metadata_update(&t->committer, upgrade, NULL, NULL, &f->err));
    assert_int_equal(op_find(f, t, 100).first_row_id, ICE_NO_ROW_ID); /* now in memory */
    EXPECT_OK(op_append(&t->committer, &added, 1, f->arena, &result, &f->err));
    for (int64_t id = 100; id <= 300; id += id == 200 || id == 250 ? 50 : 100) {
        ice_file file = op_find(f, t, id);

        assert_true(file.first_row_id >= 0 && file.first_row_id + file.record_count <= 37);
        for (int64_t i = 0; i < file.record_count; i++) {
            assert_false(seen[file.first_row_id + i]);
            seen[file.first_row_id + i] = true;
        }
    }
    assert_int_equal(t->latest->next_row_id, 37);
}

/* --- branches --- */

static void test_a_branch_moves_alone(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    int64_t main_id = t->latest->current_snapshot_id;
    size_t logged = t->latest->snapshot_log_count;
    ice_file removed = op_find(f, t, 100);
    ice_file added = op_file(f->arena, t->latest, 1, 150, 5);
    ice_overwrite change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
    ice_commit_result result;
    const ice_snapshot *s;

    change.branch = STR("audit");
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    assert_int_equal(t->latest->current_snapshot_id, main_id);
    assert_int_equal(t->latest->snapshot_log_count, logged);
    assert_int_equal(t->latest->last_sequence_number, 2);
    s = ice_metadata_snapshot_by_id(t->latest, result.snapshot_id);
    assert_int_equal(s->parent_id, main_id);
    EXPECT_SUMMARY(s, "total-records", "25");
    assert_int_equal(t->latest->ref_count, 2);
    (void)op_find(f, t, 100); /* main has it still */

    /* The branch goes on from where it is; a change read from main cannot pass what it did. */
    change.read_snapshot_id = main_id;
    EXPECT_STATUS(CONFLICT, op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    change = change_of(t, ICE_OVERWRITE_FILES, &added, 1, NULL, 0);
    change.branch = STR("audit");
    change.read_snapshot_id = s->id;
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    s = ice_metadata_snapshot_by_id(t->latest, result.snapshot_id);
    assert_int_equal(s->sequence_number, 3);
    EXPECT_SUMMARY(s, "total-records", "20");
}

static status append_to(fixture *f, test_table *t, str branch, int64_t first_id,
                        ice_commit_result *ret_result)
{
    ice_file file = op_file(f->arena, t->latest, 1, first_id, 5);
    store_stage_request unstaged = test_request(&file);
    ice_append append = {.files = &file,
                         .file_count = 1,
                         .unstaged = &unstaged,
                         .unstaged_count = 1,
                         .branch = branch,
                         .table_uuid = STR_NULL};

    return ice_commit_append(&t->committer, &append, ret_result, &f->err);
}

static void test_an_append_to_a_branch_leaves_main_alone(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    int64_t main_id = t->latest->current_snapshot_id;
    size_t logged = t->latest->snapshot_log_count;
    ice_overwrite change = change_of(t, ICE_OVERWRITE_FILES, NULL, 0, NULL, 0);
    ice_file added = op_file(f->arena, t->latest, 1, 150, 5);
    ice_commit_result result, second;
    const ice_snapshot *s;

    EXPECT_STATUS(NO_SNAPSHOT, append_to(f, t, STR("audit"), 500, &result));
    change.added = &added;
    change.added_count = 1;
    change.branch = STR("audit");
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    EXPECT_OK(append_to(f, t, STR("audit"), 600, &second));
    s = ice_metadata_snapshot_by_id(t->latest, second.snapshot_id);
    assert_int_equal(s->parent_id, result.snapshot_id);
    EXPECT_SUMMARY(s, "total-records", "40");
    assert_int_equal(t->latest->current_snapshot_id, main_id);
    assert_int_equal(t->latest->snapshot_log_count, logged);
}

/* --- what does not come to be --- */

static void test_a_retry_uses_again_what_was_written(void **given)
{
    fixture *f = *given;
    test_table *t = table(f, 2);
    ice_file removed = op_find(f, t, 200);
    ice_file added = op_file(f->arena, t->latest, 2, 250, 7);
    ice_overwrite change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
    size_t before = test_count_objects(f, t, STR("s3://warehouse/t/"), NULL);
    ice_commit_result result;

    t->commits_to_refuse = 3;
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    assert_int_equal(result.attempts, 4);
    /* data file, its manifest, the manifest written anew, list, metadata: each once */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/"), NULL), before + 5);
}

static status refuse(void *context, state_txn *txn, error *err)
{
    (void)context;
    (void)txn;
    return error_set(err, STATUS_PRECONDITION, "the upload was committed before");
}

static void test_a_change_that_fails_leaves_nothing(void **given)
{
    fixture *f = *given;
    static const char *const points[] = {"commit.data=fail", "commit.metadata=fail:ENOSPC",
                                         "fs.write=fail@2", "fs.link=fail@1", "fs.link=fail@2"};
    test_table *t = table(f, 2);
    ice_file removed = op_find(f, t, 200);
    ice_file missing = op_file(f->arena, t->latest, 2, 1, 10);
    ice_file added = op_file(f->arena, t->latest, 2, 250, 7);
    size_t before = test_count_objects(f, t, STR("s3://warehouse/t/"), NULL);
    int64_t snapshot_id = t->latest->current_snapshot_id;
    ice_overwrite change = change_of(t, ICE_OVERWRITE_FILES, &missing, 1, &added, 1);
    ice_commit_result result;

    EXPECT_STATUS(INVALID, op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
    change.read_snapshot_id = 4711;
    EXPECT_STATUS(CONFLICT, op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
    change.extra = refuse;
    EXPECT_STATUS(PRECONDITION, op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    change = change_of(t, ICE_OVERWRITE_FILTER, NULL, 0, &added, 1);
    change.filter = &(ice_expr){.kind = ICE_LT,
                                .field_id = 1,
                                .values = &(ice_value){.kind = ICE_LONG, .integer = 205},
                                .value_count = 1}; /* of day 2 only some rows */
    EXPECT_STATUS(INVALID, op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        status s;

        change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
        EXPECT_OK(fault_arm(points[i], &f->err));
        s = op_overwrite(&t->committer, &change, f->arena, &result, &f->err);
        fault_disarm();
        if (s == STATUS_OK) {
            fail_msg("%s: the commit went through", points[i]);
        }
    }
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/"), NULL), before);
    assert_int_equal(t->latest->current_snapshot_id, snapshot_id);
    change = change_of(t, ICE_OVERWRITE_FILES, &removed, 1, &added, 1);
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
}

TESTS(test_an_overwrite_tells_what_came_and_what_went, test_manifests_that_lose_nothing_stay,
      test_nothing_to_do_makes_no_snapshot,
      test_a_dynamic_overwrite_empties_the_partitions_of_its_files, test_a_row_delta_adds_deletes,
      test_a_vector_goes_with_its_data_file, test_deletes_that_no_table_takes_are_refused,
      test_a_rewrite_may_keep_the_sequence_number,
      test_rows_keep_their_ids_when_manifests_are_written_anew,
      test_rows_of_an_upgraded_table_get_ids_with_its_next_snapshot, test_a_branch_moves_alone,
      test_an_append_to_a_branch_leaves_main_alone, test_a_retry_uses_again_what_was_written,
      test_a_change_that_fails_leaves_nothing)

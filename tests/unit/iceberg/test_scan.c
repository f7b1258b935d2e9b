/* Claims about planning: which files of a snapshot must be read, what is counted, which deletes may apply. */
#include <stdio.h>

#include "table.h"

#include "internal.h"

static ice_value word(const char *text)
{
    return (ice_value){.kind = ICE_STRING, .bytes = str_c(text)};
}

/* Three files of ten rows for each of the names: ids from 0 on. */
static test_table *named_table(fixture *f, const char *const *names, size_t count)
{
    const ice_property properties[] = {{STR("commit.manifest-merge.enabled"), STR("false")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "name", properties, 1);

    for (size_t i = 0; i < count; i++) {
        ice_value *partition = ARENA_ARRAY(f->arena, ice_value, 1);
        ice_file *files = ARENA_ARRAY(f->arena, ice_file, 3);
        store_stage_request *requests = ARENA_ARRAY(f->arena, store_stage_request, 3);
        ice_append append = {
            .files = files, .file_count = 3, .unstaged = requests, .unstaged_count = 3};
        ice_commit_result result;

        partition[0] = word(names[i]);
        for (size_t k = 0; k < 3; k++) {
            files[k] = test_file(f->arena, t->latest, partition, (int64_t)(i * 3 + k) * 10, 10);
            requests[k] = test_request(&files[k]);
        }
        EXPECT_OK(ice_commit_append(&t->committer, &append, &result, &f->err));
    }
    return t;
}

static ice_scan planned(fixture *f, test_table *t, ice_scan_options options)
{
    ice_scan scan = {.file_count = 99};

    options.metadata = t->latest;
    EXPECT_OK(ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    return scan;
}

static const ice_expr *leaf(fixture *f, int32_t id, ice_expr_kind kind, ice_value value)
{
    ice_expr *e = ARENA_NEW(f->arena, ice_expr);
    ice_value *values = ARENA_ARRAY(f->arena, ice_value, 1);

    values[0] = value;
    *e = (ice_expr){.kind = kind, .field_id = id, .values = values, .value_count = 1};
    return e;
}

static const ice_expr *both(fixture *f, ice_expr_kind kind, const ice_expr *x, const ice_expr *y)
{
    ice_expr *e = ARENA_NEW(f->arena, ice_expr);
    const ice_expr **children = ARENA_ARRAY(f->arena, const ice_expr *, 2);

    children[0] = x;
    children[1] = y;
    *e = (ice_expr){.kind = kind, .children = children, .child_count = 2};
    return e;
}

static const char *const three[] = {"apple", "banana", "cherry"};

static void test_files_are_skipped_and_counted_with_their_reason(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    const ice_expr *banana = leaf(f, 2, ICE_EQ, word("banana"));
    const ice_expr *low = leaf(f, 1, ICE_LT, (ice_value){.kind = ICE_LONG, .integer = 40});
    ice_scan scan = planned(f, t,
                            (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT,
                                               .filter = both(f, ICE_AND, banana, low),
                                               .keep_skipped = true});

    assert_int_equal(scan.total_files, 9);
    assert_int_equal(scan.total_rows, 90);
    assert_int_equal(scan.file_count, 1);
    assert_int_equal(scan.kept_rows, 10);
    assert_int_equal(scan.kept_bytes, 8);
    assert_int_equal(scan.skipped_by[ICE_SKIPPED_PARTITION_SUMMARY], 6);
    assert_int_equal(scan.skipped_by[ICE_SKIPPED_BOUNDS], 2);
    assert_int_equal(scan.skipped_count,
                     2); /* those of skipped manifests are counted, not listed */
    assert_int_equal(scan.skipped[0].reason, ICE_SKIPPED_BOUNDS);
    EXPECT_STR(scan.skipped[0].reason_column, "id");

    scan = planned(
        f, t,
        (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .filter = both(f, ICE_OR, banana, low)});
    assert_int_equal(scan.file_count, 3 + 3); /* all bananas, all apples, and no cherry */
    scan = planned(
        f, t,
        (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .filter = banana, .no_pruning = true});
    assert_int_equal(scan.file_count, 9);
}

typedef struct removal {
    test_table *table;
    str locations[2];
    size_t count;
} removal;

static status remove_objects(void *context, state_txn *txn, error *err)
{
    removal *r = context;

    return store_delete(r->table->st, txn, r->locations, r->count, err);
}

static void test_skipped_manifests_are_not_read(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    removal others = {.table = t};
    ice__manifest_list list;
    ice_scan scan;

    EXPECT_OK(ice__list_load(t->st, t->latest, ice_metadata_snapshot(t->latest), f->arena, &list,
                             &f->err));
    for (size_t i = 0; i < list.count; i++) {
        if (!str_equal(list.manifests[i].partitions[0].lower, STR("apple"))) {
            others.locations[others.count++] = list.manifests[i].path;
        }
    }
    assert_int_equal(others.count, 2);
    EXPECT_OK(state_submit(t->db, remove_objects, &others, &f->err));
    ice_cache_clear();
    scan = planned(f, t,
                   (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT,
                                      .filter = leaf(f, 2, ICE_STARTS_WITH, word("app"))});
    assert_int_equal(scan.file_count, 3);
    assert_int_equal(scan.skipped_by[ICE_SKIPPED_PARTITION_SUMMARY], 6);
}

/* --- deletes --- */

static ice_entry delete_file(ice_content content, const ice_value *partition, int64_t sequence,
                             const char *path)
{
    static const int32_t ids[] = {1};

    return (ice_entry){.status = ICE_EXISTING,
                       .file = {.content = content,
                                .path = str_c(path),
                                .format = STR("PARQUET"),
                                .partition = partition,
                                .partition_count = 1,
                                .record_count = 1,
                                .size_bytes = 1,
                                .equality_ids = ids,
                                .equality_id_count = content == ICE_EQUALITY_DELETES ? 1 : 0,
                                .sort_order_id = -1,
                                .first_row_id = ICE_NO_ROW_ID,
                                .content_offset = -1,
                                .content_size_bytes = -1,
                                .data_sequence = sequence,
                                .file_sequence = sequence,
                                .snapshot_id = 1}};
}

static void put_object(fixture *f, test_table *t, str location, const buf *bytes)
{
    store_staged *staged;

    EXPECT_OK(store_stage_bytes(t->st, location, STR("application/octet-stream"), buf_str(bytes),
                                &staged, &f->err));
    EXPECT_OK(store_put(t->st, staged, &f->err));
}

/* The table's snapshot with these delete files besides. */
static ice_metadata *with_deletes(fixture *f, test_table *t, const ice_entry *entries, size_t count)
{
    ice_metadata *m = ARENA_NEW(f->arena, ice_metadata);
    ice_snapshot *snapshot = ARENA_NEW(f->arena, ice_snapshot);
    buf *bytes = buf_in(f->arena, 1 << 20);
    buf *list_bytes = buf_in(f->arena, 1 << 20);
    ice_manifest manifests[8];
    ice__manifest_list list;

    memcpy(m, t->latest, sizeof(*m));
    EXPECT_OK(ice__list_load(t->st, m, ice_metadata_snapshot(m), f->arena, &list, &f->err));
    memcpy(manifests, list.manifests, list.count * sizeof(*manifests));
    EXPECT_OK(ice_manifest_format(m, 0, true, 1, entries, count, f->arena, bytes,
                                  &manifests[list.count], &f->err));
    manifests[list.count].path = STR("s3://warehouse/t/metadata/deletes.avro");
    put_object(f, t, manifests[list.count].path, bytes);
    *snapshot = *ice_metadata_snapshot(m);
    snapshot->manifest_list = STR("s3://warehouse/t/metadata/list.avro");
    EXPECT_OK(
        ice_manifest_list_format(m, snapshot, manifests, list.count + 1, list_bytes, &f->err));
    put_object(f, t, snapshot->manifest_list, list_bytes);
    m->snapshots = snapshot;
    m->snapshot_count = 1;
    return m;
}

static void test_deletes_that_may_apply_are_kept_with_their_files(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three)); /* sequence numbers 1, 2, 3 */
    const ice_value apple = word("apple");
    const ice_value cherry = word("cherry");
    const ice_value kiwi = word("kiwi");
    const ice_entry entries[] = {
        delete_file(ICE_POSITION_DELETES, &apple, 1, "same sequence"),
        delete_file(ICE_EQUALITY_DELETES, &apple, 1, "too old for equality"),
        delete_file(ICE_EQUALITY_DELETES, &apple, 2, "newer"),
        delete_file(ICE_POSITION_DELETES, &cherry, 2, "older than its partition"),
        delete_file(ICE_POSITION_DELETES, &kiwi, 9, "of an empty partition"),
    };
    ice_metadata *m = with_deletes(f, t, entries, COUNT_OF(entries));
    ice_scan_options options = {.metadata = m, .snapshot_id = ICE_NO_SNAPSHOT};
    ice_scan scan;

    EXPECT_OK(ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    assert_int_equal(scan.file_count, 9);
    assert_int_equal(scan.total_files, 9); /* delete files are not counted */
    assert_int_equal(scan.delete_count, 2);
    EXPECT_STR(scan.deletes[0].path, "same sequence");
    EXPECT_STR(scan.deletes[1].path, "newer");
    options.filter = leaf(f, 2, ICE_EQ, cherry);
    EXPECT_OK(ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    assert_int_equal(scan.file_count, 3);
    assert_int_equal(scan.delete_count, 0); /* none concerns what is left */
}

static void test_earlier_snapshots_are_planned_as_they_were(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    ice_scan scan = planned(f, t, (ice_scan_options){.snapshot_id = t->latest->snapshots[1].id});
    ice_scan_options wrong = {.metadata = t->latest, .snapshot_id = 7};

    assert_int_equal(scan.file_count, 6);
    EXPECT_STATUS(NO_SNAPSHOT, ice_scan_plan(t->st, &wrong, f->arena, &scan, &f->err));
    EXPECT_MESSAGE(f, "table has no snapshot 7");
    assert_int_equal(scan.file_count, 6);
}

static void test_a_table_without_snapshot_has_no_files(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, 0);

    assert_int_equal(planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT}).file_count,
                     0);
}

static ice_manifest *manifests_of(fixture *f, const test_table *t, size_t *ret_count)
{
    const ice_manifest *found;
    ice_manifest *copies;

    EXPECT_OK(ice_snapshot_manifests(t->st, t->latest, ice_metadata_snapshot(t->latest), f->arena,
                                     &found, ret_count, &f->err));
    copies = ARENA_ARRAY(f->arena, ice_manifest, *ret_count);
    memcpy(copies, found, *ret_count * sizeof(*copies));
    return copies;
}

static void test_a_limit_reads_no_more_manifests_than_have_its_rows(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three)); /* three manifests of 30 rows */
    size_t count;
    const ice_manifest *manifests = manifests_of(f, t, &count);
    const ice__decode nothing = {.all = false};
    ice_scan scan;

    assert_int_equal(count, 3);
    ice_cache_clear();
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .limit_rows = 11});
    assert_int_equal(scan.file_count, 2);
    assert_int_equal(scan.kept_rows, 20);
    assert_int_equal(scan.total_files, 9);
    assert_int_equal(scan.total_rows, 90);
    assert_int_equal(scan.skipped_by[ICE_SKIPPED_LIMIT], 7);
    assert_int_equal(scan.manifests_read, 1);
    assert_int_equal(scan.manifest_count, 3);
    assert_true(ice__cache_has(t->latest, &manifests[0], &nothing, f->arena));
    assert_false(ice__cache_has(t->latest, &manifests[1], &nothing, f->arena));
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .limit_rows = 31});
    assert_int_equal(scan.file_count, 4);
    assert_int_equal(scan.manifests_read, 2);
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .limit_rows = 91});
    assert_int_equal(scan.file_count, 9);
}

static void test_a_limit_means_nothing_beside_a_filter(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    const ice_expr *high = leaf(f, 1, ICE_GE, (ice_value){.kind = ICE_LONG, .integer = 10});

    assert_int_equal(
        planned(f, t,
                (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .filter = high, .limit_rows = 1})
            .file_count,
        8);
}

static void test_a_limit_means_nothing_where_rows_may_be_deleted(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    const ice_value apple = word("apple");
    const ice_entry entries[] = {delete_file(ICE_POSITION_DELETES, &apple, 1, "deletes")};
    ice_metadata *m = with_deletes(f, t, entries, COUNT_OF(entries));
    ice_scan_options options = {.metadata = m, .snapshot_id = ICE_NO_SNAPSHOT, .limit_rows = 1};
    ice_scan scan;

    EXPECT_OK(ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    assert_int_equal(scan.file_count, 9);
}

/* The list's counts are of one writer, the manifest's rows of another. */
static void test_a_limit_believes_files_before_lists(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    size_t count;
    ice_manifest *manifests = manifests_of(f, t, &count);
    const ice_snapshot *snapshot = ice_metadata_snapshot(t->latest);
    ice_scan scan;

    manifests[0].added_rows = 1000; /* it has 30 */
    ice_cache_clear();
    ice__cache_put_list(snapshot->manifest_list, manifests, count);
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .limit_rows = 50});
    ice_cache_clear();
    assert_int_equal(scan.file_count, 5);
    assert_int_equal(scan.kept_rows, 50);
    assert_int_equal(scan.manifests_read, 3);
}

static void test_only_the_metrics_that_a_filter_needs_are_decoded(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    const ice_expr *low = leaf(f, 1, ICE_LT, (ice_value){.kind = ICE_LONG, .integer = 40});
    const ice_expr *apple = leaf(f, 2, ICE_EQ, word("apple"));
    ice_scan scan;

    ice_cache_clear();
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT});
    assert_int_equal(scan.files[0].lower_bound_count + scan.files[0].value_count_count, 0);
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .filter = apple});
    assert_int_equal(scan.file_count, 3);
    assert_int_equal(scan.files[0].lower_bound_count, 0); /* the partition tells its value */
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .filter = low});
    assert_int_equal(scan.file_count, 4);
    assert_int_equal(scan.files[0].lower_bound_count, 1);
    assert_int_equal(scan.files[0].lower_bounds[0].key, 1);
    scan = planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .all_metrics = true});
    assert_int_equal(scan.files[0].lower_bound_count, 1); /* the file has no more */
    assert_true(scan.files[0].value_count_count >= 1);
}

static void test_what_the_cache_holds_grows_with_what_is_asked(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    static const int32_t one[] = {1};
    static const int32_t two[] = {2};
    static const int32_t one_two[] = {1, 2};
    const ice__decode first = {.ids = one, .count = 1};
    const ice__decode second = {.ids = two, .count = 1};
    const ice__decode together = {.ids = one_two, .count = 2};
    const ice__decode all = {.all = true};
    size_t count;
    const ice_manifest *manifests = manifests_of(f, t, &count);
    ice__entries entries;

    ice_cache_clear();
    EXPECT_OK(ice__manifest_load_some(t->st, t->latest, &manifests[0], &first, f->arena, &entries,
                                      &f->err));
    assert_true(ice__cache_has(t->latest, &manifests[0], &first, f->arena));
    assert_false(ice__cache_has(t->latest, &manifests[0], &second, f->arena));
    EXPECT_OK(ice__manifest_load_some(t->st, t->latest, &manifests[0], &second, f->arena, &entries,
                                      &f->err));
    assert_true(ice__cache_has(t->latest, &manifests[0], &together, f->arena));
    assert_false(ice__cache_has(t->latest, &manifests[0], &all, f->arena));
    EXPECT_OK(ice__manifest_load(t->st, t->latest, &manifests[0], f->arena, &entries, &f->err));
    assert_true(ice__cache_has(t->latest, &manifests[0], &all, f->arena));
    assert_true(ice__cache_has(t->latest, &manifests[0], &first, f->arena));
}

static void test_files_whose_rows_all_satisfy_the_filter_are_told(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    const ice_expr *low = leaf(f, 1, ICE_LT, (ice_value){.kind = ICE_LONG, .integer = 15});
    ice_scan scan = planned(
        f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT, .filter = low, .residuals = true});

    assert_int_equal(scan.file_count, 2);
    assert_true(scan.satisfied[0]); /* 0 to 9 */
    assert_false(scan.satisfied[1]);
    assert_int_equal(scan.satisfied_count, 1);
    scan = planned(
        f, t,
        (ice_scan_options){
            .snapshot_id = ICE_NO_SNAPSHOT, .filter = low, .residuals = true, .no_pruning = true});
    assert_int_equal(scan.file_count, 9);
    assert_int_equal(scan.satisfied_count, 0);
}

static void test_a_small_cache_changes_no_result(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));

    ice_cache_set_limit(1);
    assert_int_equal(planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT}).file_count,
                     9);
    assert_int_equal(planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT}).file_count,
                     9);
    ice_cache_set_limit(64 << 20);
    assert_int_equal(planned(f, t, (ice_scan_options){.snapshot_id = ICE_NO_SNAPSHOT}).file_count,
                     9);
}

static void test_a_lost_manifest_fails_the_plan_by_name(void **given)
{
    fixture *f = *given;
    test_table *t = named_table(f, three, COUNT_OF(three));
    ice_snapshot broken = *ice_metadata_snapshot(t->latest);
    ice_metadata m;
    ice_scan_options options = {.metadata = &m, .snapshot_id = ICE_NO_SNAPSHOT};
    ice_scan scan;

    memcpy(&m, t->latest, sizeof(m));
    broken.manifest_list = STR("s3://warehouse/t/metadata/gone.avro");
    m.snapshots = &broken;
    m.snapshot_count = 1;
    EXPECT_STATUS(NOT_FOUND, ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    assert_true(str_find(str_c(f->err.message), STR("gone.avro")) != STR_NPOS);
}

TESTS(test_files_are_skipped_and_counted_with_their_reason, test_skipped_manifests_are_not_read,
      test_deletes_that_may_apply_are_kept_with_their_files,
      test_earlier_snapshots_are_planned_as_they_were, test_a_table_without_snapshot_has_no_files,
      test_a_limit_reads_no_more_manifests_than_have_its_rows,
      test_a_limit_means_nothing_beside_a_filter,
      test_a_limit_means_nothing_where_rows_may_be_deleted,
      test_a_limit_believes_files_before_lists,
      test_only_the_metrics_that_a_filter_needs_are_decoded,
      test_what_the_cache_holds_grows_with_what_is_asked,
      test_files_whose_rows_all_satisfy_the_filter_are_told, test_a_small_cache_changes_no_result,
      test_a_lost_manifest_fails_the_plan_by_name)

/* Claims about appends: what becomes visible, what is left behind, and that nothing is lost between writers.
 * timeout: 120 */
#include <stdio.h>

#include "table.h"
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"

#include "internal.h"

static const ice_property quick_retries[] = {
    {STR_INIT("commit.retry.num-retries"), STR_INIT("10000")},
    {STR_INIT("commit.retry.min-wait-ms"), STR_INIT("1")},
    {STR_INIT("commit.retry.max-wait-ms"), STR_INIT("2")}};

static test_table *table(fixture *f)
{
    return test_table_create(f, STR("s3://warehouse/t"), "", quick_retries,
                             COUNT_OF(quick_retries));
}

/* Appends one file of one row, its bytes synced together with the metadata. */
static status append_row(test_table *t, int64_t id, ice_commit_result *ret_result, error *err)
{
    arena *a = arena_create();
    ice_metadata *m;
    str location;
    status s = test_load(t, a, &m, &location, err);
    ice_file file = test_file(a, m, NULL, id, 1);
    store_stage_request unstaged = test_request(&file);
    ice_append append = {
        .files = &file, .file_count = 1, .unstaged = &unstaged, .unstaged_count = 1};

    if (s == STATUS_OK) {
        s = ice_commit_append(&t->committer, &append, ret_result, err);
    }
    ice_metadata_unref(m);
    arena_free(a);
    return s;
}

static ice_scan planned(fixture *f, test_table *t)
{
    ice_scan_options options = {
        .metadata = t->latest, .snapshot_id = ICE_NO_SNAPSHOT, .all_metrics = true};
    ice_scan scan = {.file_count = 0};

    EXPECT_OK(ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    return scan;
}

/* Metadata as the store has it, not as the committer remembers it. */
static ice_metadata *stored(fixture *f, test_table *t)
{
    str bytes;
    ice_metadata *m = NULL;

    EXPECT_OK(store_read_all(t->st, str_c(t->location), 1 << 24, f->arena, &bytes, &f->err));
    EXPECT_OK(ice_metadata_parse(bytes, &m, &f->err));
    return m;
}

static void test_an_append_is_a_snapshot_with_its_totals(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_commit_result result;
    ice_metadata *m;
    const ice_snapshot *s;
    ice_scan scan;

    EXPECT_OK(append_row(t, 1, &result, &f->err));
    EXPECT_OK(append_row(t, 2, &result, &f->err));
    m = stored(f, t);
    s = ice_metadata_snapshot(m);
    assert_int_equal(m->snapshot_count, 2);
    assert_int_equal(s->id, result.snapshot_id);
    assert_int_equal(s->parent_id, m->snapshots[0].id);
    assert_int_equal(s->sequence_number, 2);
    assert_int_equal(m->last_sequence_number, 2);
    assert_int_equal(s->schema_id, 0);
    assert_int_equal(m->refs[0].snapshot_id, s->id);
    assert_int_equal(m->snapshot_log_count, 2);
    assert_int_equal(m->metadata_log_count, 2);
    assert_int_equal(ice_metadata_location_version(str_c(t->location)), 2);
    EXPECT_STR(ice_snapshot_summary(s, "operation"), "append");
    EXPECT_STR(ice_snapshot_summary(s, "added-data-files"), "1");
    EXPECT_STR(ice_snapshot_summary(s, "added-records"), "1");
    EXPECT_STR(ice_snapshot_summary(s, "added-files-size"), "8");
    EXPECT_STR(ice_snapshot_summary(s, "changed-partition-count"), "1");
    EXPECT_STR(ice_snapshot_summary(s, "total-records"), "2");
    EXPECT_STR(ice_snapshot_summary(s, "total-data-files"), "2");
    EXPECT_STR(ice_snapshot_summary(s, "total-files-size"), "16");
    EXPECT_STR(ice_snapshot_summary(s, "total-delete-files"), "0");
    ice_metadata_unref(m);

    scan = planned(f, t);
    assert_int_equal(scan.file_count, 2);
    assert_int_equal(scan.files[0].data_sequence, 2); /* the newest manifest stands first */
    assert_int_equal(scan.files[1].data_sequence, 1);
    assert_int_equal(scan.files[0].snapshot_id, result.snapshot_id);
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 2);
}

static void test_a_table_whose_numbers_are_used_up_takes_no_more(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_commit_result result;

    EXPECT_OK(append_row(t, 1, &result, &f->err));
    t->latest->last_sequence_number = INT64_MAX;
    EXPECT_STATUS(INVALID, append_row(t, 2, &result, &f->err));
    EXPECT_MESSAGE(f, "the table has no sequence numbers left");
}

static void test_what_was_read_back_from_the_store_is_what_was_remembered(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_commit_result result;
    ice_metadata *m;
    buf *first = buf_in(f->arena, 1 << 20);
    buf *second = buf_in(f->arena, 1 << 20);
    ice_scan remembered;
    ice_scan read;

    for (int i = 0; i < 20; i++) {
        EXPECT_OK(append_row(t, i, &result, &f->err));
    }
    m = stored(f, t);
    ice_metadata_format(m, first);
    ice_metadata_format(t->latest, second);
    EXPECT_STR(buf_str(first), second->data);
    ice_metadata_unref(m);
    remembered = planned(f, t);
    ice_cache_clear();
    read = planned(f, t);
    assert_int_equal(read.file_count, 20);
    for (size_t i = 0; i < read.file_count; i++) {
        EXPECT_STR(read.files[i].path, str_to_c(f->arena, remembered.files[i].path));
        assert_int_equal(read.files[i].data_sequence, remembered.files[i].data_sequence);
        assert_int_equal(read.files[i].snapshot_id, remembered.files[i].snapshot_id);
    }
}

/* --- several writers --- */

enum { WRITERS = 8, APPENDS = 50 };

typedef struct writer {
    test_table *table;
    int64_t first_id;
    status outcome;
    error err;
    thread thread;
} writer;

static void write_rows(void *context)
{
    writer *w = context;
    ice_commit_result result;

    for (int i = 0; i < APPENDS && w->outcome == STATUS_OK; i++) {
        w->outcome = append_row(w->table, w->first_id + i, &result, &w->err);
    }
}

static void test_no_append_of_eight_writers_is_lost(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    writer writers[WRITERS];
    bool seen[WRITERS * APPENDS] = {false};
    ice_scan scan;

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.table = t, .first_id = i * APPENDS, .err = ERROR_INIT};
        EXPECT_OK(thread_start(&writers[i].thread, "writer", write_rows, &writers[i], &f->err));
    }
    for (int i = 0; i < WRITERS; i++) {
        thread_join(&writers[i].thread);
        if (writers[i].outcome != STATUS_OK) {
            fail_msg("writer %d: %s", i, writers[i].err.message);
        }
    }
    assert_true(t->conflicts > 0); /* else nothing was tried */
    ice_cache_clear();
    scan = planned(f, t);
    assert_int_equal(scan.file_count, WRITERS * APPENDS);
    for (size_t i = 0; i < scan.file_count; i++) {
        ice_value id;

        EXPECT_OK(ice_value_decode(ice_type_primitive(ICE_LONG),
                                   scan.files[i].lower_bounds[0].value, &id, &f->err));
        assert_false(seen[id.integer]);
        seen[id.integer] = true;
    }
    assert_int_equal(t->latest->last_sequence_number, WRITERS * APPENDS);
    /* Losers left nothing: data files are as many as rows, metadata is what the table speaks of. */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL),
                     WRITERS * APPENDS);
}

static void test_a_conflict_is_retried_with_the_same_data_and_manifest(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_commit_result result;

    t->commits_to_refuse = 3;
    EXPECT_OK(append_row(t, 1, &result, &f->err));
    assert_int_equal(result.attempts, 4);
    assert_int_equal(planned(f, t).file_count, 1);
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 1);
    /* first metadata, second metadata, manifest, list */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/metadata/"), NULL), 4);
}

static void test_conflicts_without_end_fail_and_leave_nothing(void **given)
{
    fixture *f = *given;
    const ice_property few[] = {{STR("commit.retry.num-retries"), STR("2")},
                                {STR("commit.retry.min-wait-ms"), STR("1")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", few, COUNT_OF(few));
    ice_commit_result result;

    t->commits_to_refuse = 100;
    EXPECT_STATUS(CONFLICT, append_row(t, 1, &result, &f->err));
    assert_int_equal(t->conflicts, 3);
    EXPECT_HINT(f, "Other writers commit to this table at the same time. Try again.");
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/"), NULL),
                     1); /* its metadata */
}

static void test_a_failure_at_any_step_leaves_the_table_as_it_was(void **given)
{
    fixture *f = *given;
    static const char *const points[] = {"commit.data=fail", "commit.metadata=fail:ENOSPC",
                                         "fs.write=fail@2", "fs.link=fail@1", "fs.link=fail@2"};
    test_table *t = table(f);
    ice_commit_result result;
    size_t rows = 1;

    EXPECT_OK(append_row(t, 1, &result, &f->err));
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        size_t before = test_count_objects(f, t, STR("s3://warehouse/t/"), NULL);
        status s;

        EXPECT_OK(fault_arm(points[i], &f->err));
        s = append_row(t, 2, &result, &f->err);
        fault_disarm();
        if (s == STATUS_OK) {
            fail_msg("%s: the commit went through", points[i]);
        }
        assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/"), NULL), before);
        assert_int_equal(planned(f, t).file_count, rows);
        EXPECT_OK(append_row(t, 2, &result, &f->err));
        rows++;
        assert_int_equal(planned(f, t).file_count, rows);
    }
}

TESTS(test_an_append_is_a_snapshot_with_its_totals,
      test_a_table_whose_numbers_are_used_up_takes_no_more,
      test_what_was_read_back_from_the_store_is_what_was_remembered,
      test_no_append_of_eight_writers_is_lost,
      test_a_conflict_is_retried_with_the_same_data_and_manifest,
      test_conflicts_without_end_fail_and_leave_nothing,
      test_a_failure_at_any_step_leaves_the_table_as_it_was)

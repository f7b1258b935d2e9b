/* Claims about snapshots that are picked, and about those that expire when asked for. */
#include "operations.h"
#include "tarn/iceberg/history.h"

static const ice_property quick_retries[] = {{STR_INIT("commit.retry.min-wait-ms"), STR_INIT("1")},
                                             {STR_INIT("commit.retry.max-wait-ms"), STR_INIT("2")}};

/* Two days of rows on main. */
static test_table *table(fixture *f)
{
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "day", quick_retries,
                                      COUNT_OF(quick_retries));
    ice_file files[] = {op_file(f->arena, t->latest, 1, 100, 10),
                        op_file(f->arena, t->latest, 2, 200, 10)};
    ice_commit_result result;

    EXPECT_OK(op_append(&t->committer, files, COUNT_OF(files), f->arena, &result, &f->err));
    return t;
}

/* A snapshot on a branch of its own, made of main's present one. */
static int64_t staged(fixture *f, test_table *t, ice_overwrite_kind kind, const ice_file *added,
                      const ice_file *removed, const char *wap_id)
{
    ice_property *wap = ARENA_NEW(f->arena, ice_property);
    ice_commit_result result;
    ice_overwrite change = {.kind = kind,
                            .read_snapshot_id = t->latest->current_snapshot_id,
                            .branch = str_printf(f->arena, "b%zu", t->latest->ref_count),
                            .added = added,
                            .added_count = added != NULL ? 1 : 0,
                            .removed = removed,
                            .removed_count = removed != NULL ? 1 : 0};

    if (wap_id != NULL) {
        *wap = (ice_property){.key = STR("wap.id"), .value = str_c(wap_id)};
        change.summary = wap;
        change.summary_count = 1;
    }
    EXPECT_OK(op_overwrite(&t->committer, &change, f->arena, &result, &f->err));
    return result.snapshot_id;
}

static void append_day(fixture *f, test_table *t, int32_t day, int64_t first_id)
{
    ice_file file = op_file(f->arena, t->latest, day, first_id, 5);
    ice_commit_result result;

    EXPECT_OK(op_append(&t->committer, &file, 1, f->arena, &result, &f->err));
}

static status pick(fixture *f, test_table *t, int64_t id, int64_t *ret_id)
{
    return ice_commit_pick(&t->committer, id, NULL, 0, ret_id, &f->err);
}

static void test_an_append_is_picked_once(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_file added = op_file(f->arena, t->latest, 3, 300, 7);
    int64_t id = staged(f, t, ICE_OVERWRITE_FILES, &added, NULL, "w1"), now, again;
    ice_file second = op_file(f->arena, t->latest, 3, 310, 7);
    int64_t other = staged(f, t, ICE_OVERWRITE_FILES, &second, NULL, "w1");

    append_day(f, t, 1, 110);
    EXPECT_OK(pick(f, t, id, &now));
    assert_int_not_equal(now, id);
    const ice_snapshot *s = ice_metadata_snapshot(t->latest);
    assert_int_equal(s->id, now);
    assert_int_equal(s->operation, ICE_APPEND);
    EXPECT_STR(ice_snapshot_summary(s, "published-wap-id"), "w1");
    EXPECT_STR(ice_snapshot_summary(s, "total-records"), "32");
    EXPECT_STATUS(INVALID, pick(f, t, id, &again));
    EXPECT_STATUS(INVALID, pick(f, t, now, &again));
    EXPECT_STATUS(INVALID, pick(f, t, other, &again)); /* its wap.id was published */
    EXPECT_STATUS(NO_SNAPSHOT, pick(f, t, 5, &again));
}

static void test_what_was_made_of_the_present_snapshot_becomes_it(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_file gone = op_find(f, t, 200);
    int64_t id = staged(f, t, ICE_OVERWRITE_FILES, NULL, &gone, NULL), now;
    size_t count = t->latest->snapshot_count;

    EXPECT_OK(pick(f, t, id, &now));
    assert_int_equal(now, id);
    assert_int_equal(t->latest->current_snapshot_id, id);
    assert_int_equal(t->latest->snapshot_count, count);
    /* A delete that is not on top of the present snapshot is nothing to pick. */
    gone = op_find(f, t, 100);
    id = staged(f, t, ICE_OVERWRITE_FILES, NULL, &gone, NULL);
    append_day(f, t, 4, 400);
    EXPECT_STATUS(INVALID, pick(f, t, id, &now));
}

static void test_partitions_are_replaced_where_nobody_changed_them(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_file added = op_file(f->arena, t->latest, 2, 250, 3);
    int64_t id = staged(f, t, ICE_OVERWRITE_PARTITIONS, &added, NULL, NULL), now;

    append_day(f, t, 1, 120);
    EXPECT_OK(pick(f, t, id, &now));
    EXPECT_STR(ice_snapshot_summary(ice_metadata_snapshot(t->latest), "total-records"), "18");
    added = op_file(f->arena, t->latest, 2, 260, 3);
    id = staged(f, t, ICE_OVERWRITE_PARTITIONS, &added, NULL, NULL);
    append_day(f, t, 2, 270);
    EXPECT_STATUS(CONFLICT, pick(f, t, id, &now));
}

static void test_snapshots_expire_but_for_what_branches_keep(void **given)
{
    fixture *f = *given;
    test_table *t = table(f);
    ice_expire all = {.older_than_ms = INT64_MAX, .retain_last = 2};
    ice_expired gone;

    for (int64_t i = 0; i < 5; i++) {
        append_day(f, t, 1, 1000 + i * 10);
    }
    const int64_t head[] = {t->latest->current_snapshot_id}, absent[] = {5};
    ice_expire one = {.older_than_ms = -1, .retain_last = -1, .ids = head, .id_count = 1};
    EXPECT_STATUS(INVALID, ice_commit_expire(&t->committer, &one, &gone, &f->err));
    one.ids = absent;
    EXPECT_STATUS(NO_SNAPSHOT, ice_commit_expire(&t->committer, &one, &gone, &f->err));
    one = (ice_expire){.older_than_ms = -1, .retain_last = -1}; /* five days, by default */
    EXPECT_OK(ice_commit_expire(&t->committer, &one, &gone, &f->err));
    assert_int_equal(gone.snapshots, 0);
    EXPECT_OK(ice_commit_expire(&t->committer, &all, &gone, &f->err));
    assert_int_equal(gone.snapshots, 4);
    assert_int_equal(gone.manifest_lists, 4);
    assert_int_equal(gone.data_files, 0); /* appends: every file lives on */
    assert_int_equal(t->latest->snapshot_count, 2);
    assert_int_equal(t->latest->snapshot_log_count, 2);
    EXPECT_STR(ice_snapshot_summary(ice_metadata_snapshot(t->latest), "total-records"), "45");
}

TESTS(test_an_append_is_picked_once, test_what_was_made_of_the_present_snapshot_becomes_it,
      test_partitions_are_replaced_where_nobody_changed_them,
      test_snapshots_expire_but_for_what_branches_keep)

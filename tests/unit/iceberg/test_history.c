/* Claims about what many commits leave: few manifests, few snapshots, little metadata; and about appends that are
 * merged into one commit. timeout: 180 */
#include <stdio.h>

#include "table.h"

#include "internal.h"

static ice_scan planned(fixture *f, test_table *t, int64_t snapshot_id)
{
    ice_scan_options options = {
        .metadata = t->latest, .snapshot_id = snapshot_id, .all_metrics = true};
    ice_scan scan = {.file_count = 0};

    EXPECT_OK(ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    return scan;
}

static void append_rows(fixture *f, test_table *t, int64_t first_id, int count)
{
    for (int i = 0; i < count; i++) {
        arena *a = arena_create();
        ice_file file = test_file(a, t->latest, NULL, first_id + i, 1);
        store_stage_request unstaged = test_request(&file);
        ice_append append = {
            .files = &file, .file_count = 1, .unstaged = &unstaged, .unstaged_count = 1};
        ice_commit_result result;

        EXPECT_OK(ice_commit_append(&t->committer, &append, &result, &f->err));
        arena_free(a);
    }
}

static size_t manifest_count(fixture *f, test_table *t)
{
    ice__manifest_list list;

    EXPECT_OK(ice__list_load(t->st, t->latest, ice_metadata_snapshot(t->latest), f->arena, &list,
                             &f->err));
    return list.count;
}

static void test_a_thousand_appends_leave_little_metadata(void **given)
{
    fixture *f = *given;
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", NULL, 0);
    int64_t bytes;

    append_rows(f, t, 0, 1000);
    (void)test_count_objects(f, t, STR("s3://warehouse/t/metadata/"), &bytes);
    print_message("metadata after 1000 appends: %lld bytes\n", (long long)bytes);
    assert_true(bytes < 5 * 1000 * 1000);
    assert_true(manifest_count(f, t) <= 4 * 8);
    assert_int_equal(t->latest->snapshot_count, 100);
    assert_int_equal(t->latest->snapshot_log_count, 100);
    assert_int_equal(t->latest->metadata_log_count, 10);
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 1000);
    ice_cache_clear(); /* and all of it can be read from what is stored */
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 1000);
    for (size_t i = 0; i < t->latest->snapshot_count; i++) {
        assert_int_equal(planned(f, t, t->latest->snapshots[i].id).file_count, 901 + i);
    }
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 1000);
}

/* Every stored metadata object is one that the table still speaks of. */
static void expect_no_orphans(fixture *f, test_table *t)
{
    map *known = map_create(f->arena);
    store_object *objects;
    size_t count;

    (void)map_set(known, str_c(t->location), t);
    for (size_t i = 0; i < t->latest->metadata_log_count; i++) {
        (void)map_set(known, t->latest->metadata_log[i].metadata_file, t);
    }
    for (size_t i = 0; i < t->latest->snapshot_count; i++) {
        const ice_snapshot *s = &t->latest->snapshots[i];
        ice__manifest_list list;

        (void)map_set(known, s->manifest_list, t);
        EXPECT_OK(ice__list_load(t->st, t->latest, s, f->arena, &list, &f->err));
        for (size_t k = 0; k < list.count; k++) {
            (void)map_set(known, list.manifests[k].path, t);
        }
    }
    EXPECT_OK(store_list(t->st, STR("s3://warehouse/t/metadata/"), STR_NULL, 5000, f->arena,
                         &objects, &count, &f->err));
    for (size_t i = 0; i < count; i++) {
        if (!map_has(known, objects[i].location)) {
            fail_msg("%.*s is nobody's", STR_ARG(objects[i].location));
        }
    }
    assert_int_equal(count, map_count(known)); /* and none that it speaks of is missing */
}

static void test_expired_snapshots_take_their_objects_along(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {{STR("tarn.history.max-snapshots"), STR("5")},
                                       {STR("write.metadata.previous-versions-max"), STR("3")}};
    test_table *t =
        test_table_create(f, STR("s3://warehouse/t"), "", properties, COUNT_OF(properties));

    append_rows(f, t, 0, 40);
    assert_int_equal(t->latest->snapshot_count, 5);
    assert_int_equal(t->latest->metadata_log_count, 3);
    expect_no_orphans(f, t);
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 40);
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 40);
}

static void test_heads_of_branches_and_tags_stay(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {{STR("tarn.history.max-snapshots"), STR("3")}};
    test_table *t =
        test_table_create(f, STR("s3://warehouse/t"), "", properties, COUNT_OF(properties));
    ice_ref refs[2];
    ice_metadata tagged;
    int64_t first;

    append_rows(f, t, 0, 2);
    first = t->latest->snapshots[0].id;
    memcpy(&tagged, t->latest, sizeof(tagged));
    refs[0] = t->latest->refs[0];
    refs[1] = (ice_ref){.name = STR("v1"),
                        .snapshot_id = first,
                        .is_tag = true,
                        .max_ref_age_ms = -1,
                        .max_snapshot_age_ms = -1,
                        .min_snapshots_to_keep = -1};
    tagged.refs = refs;
    tagged.ref_count = 2;
    ice_metadata *shared = ice__metadata_copy(&tagged);
    ice_metadata_unref(t->latest);
    t->latest = shared; /* as if another writer had committed a tag */

    append_rows(f, t, 2, 30);
    assert_int_equal(t->latest->snapshot_count, 3);
    assert_int_equal(t->latest->snapshots[0].id, first);
    assert_int_equal(t->latest->snapshot_log_count, 2); /* nothing before an expired entry */
    assert_int_equal(planned(f, t, first).file_count, 1);
    expect_no_orphans(f, t);
    ice_cache_clear();
    assert_int_equal(planned(f, t, first).file_count, 1);
}

static void test_nothing_expires_where_properties_say_so(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {
        {STR("tarn.history.max-snapshots"), STR("0")},
        {STR("commit.manifest-merge.enabled"), STR("false")},
        {STR("write.metadata.delete-after-commit.enabled"), STR("false")}};
    test_table *t =
        test_table_create(f, STR("s3://warehouse/t"), "", properties, COUNT_OF(properties));

    append_rows(f, t, 0, 120);
    assert_int_equal(t->latest->snapshot_count, 120);
    assert_int_equal(manifest_count(f, t), 120);
    /* metadata files, lists, manifests: all there */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/metadata/"), NULL),
                     121 + 120 + 120);
}

static void test_merged_manifests_keep_what_entries_inherited(void **given)
{
    fixture *f = *given;
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", NULL, 0);
    bool seen[30] = {false};
    ice_scan scan;

    append_rows(f, t, 0, 30);
    assert_true(manifest_count(f, t) < 15);
    ice_cache_clear();
    scan = planned(f, t, ICE_NO_SNAPSHOT);
    assert_int_equal(scan.file_count, 30);
    for (size_t i = 0; i < scan.file_count; i++) {
        const ice_file *file = &scan.files[i];
        ice_value id;

        EXPECT_OK(ice_value_decode(ice_type_primitive(ICE_LONG), file->lower_bounds[0].value, &id,
                                   &f->err));
        assert_false(seen[id.integer]);
        seen[id.integer] = true;
        assert_int_equal(file->data_sequence, id.integer + 1); /* the commit that brought it */
        assert_int_equal(file->file_sequence, id.integer + 1);
        assert_int_equal(file->snapshot_id, t->latest->snapshots[id.integer].id);
    }
}

static void test_row_ids_of_version_3_are_given_once(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {{STR("format-version"), STR("3")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", properties, 1);
    int64_t first_ids[30];
    ice_scan scan;

    for (int i = 0; i < 30; i++) {
        append_rows(f, t, i, 1);
        scan = planned(f, t, ICE_NO_SNAPSHOT);
        first_ids[i] = scan.files[0].first_row_id; /* the newest stands first */
        assert_int_equal(first_ids[i], t->latest->snapshots[i].first_row_id);
        assert_true(i == 0 || first_ids[i] > first_ids[i - 1]);
    }
    ice_cache_clear();
    scan = planned(f, t, ICE_NO_SNAPSHOT);
    for (size_t i = 0; i < scan.file_count; i++) { /* merging has not changed one */
        assert_int_equal(scan.files[i].first_row_id, first_ids[scan.files[i].data_sequence - 1]);
    }
    assert_true(t->latest->next_row_id >= 30);
}

static void test_version_1_tables_are_appended_to_as_such(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {{STR("format-version"), STR("1")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", properties, 1);

    append_rows(f, t, 0, 10);
    assert_int_equal(t->latest->format_version, 1);
    assert_int_equal(t->latest->last_sequence_number, 0);
    ice_cache_clear();
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 10);
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).files[0].data_sequence, 0);
}

/* --- histories that others made --- */

static void put_object(fixture *f, test_table *t, str location, const buf *bytes)
{
    store_staged *staged;

    EXPECT_OK(store_stage_bytes(t->st, location, STR("application/octet-stream"), buf_str(bytes),
                                &staged, &f->err));
    EXPECT_OK(store_put(t->st, staged, &f->err));
}

/* The table as if another writer had committed `changed`. */
static void replace_latest(test_table *t, const ice_metadata *changed)
{
    ice_metadata *next = ice__metadata_copy(changed);

    ice_metadata_unref(t->latest);
    t->latest = next;
}

/* Another writer replaces every file of the table by one: what UPDATE or compaction does. */
static void overwrite_all(fixture *f, test_table *t, int64_t id)
{
    const ice_snapshot *parent = ice_metadata_snapshot(t->latest);
    ice_scan before = planned(f, t, ICE_NO_SNAPSHOT);
    ice_entry *entries = ARENA_ARRAY(f->arena, ice_entry, before.file_count + 1);
    ice_snapshot *snapshots = ARENA_ARRAY(f->arena, ice_snapshot, t->latest->snapshot_count + 1);
    ice_snapshot *made = &snapshots[t->latest->snapshot_count];
    buf *bytes = buf_in(f->arena, 1 << 20);
    buf *list = buf_in(f->arena, 1 << 20);
    ice_manifest manifest;
    ice_metadata m;
    ice_ref head = t->latest->refs[0];

    for (size_t i = 0; i < before.file_count; i++) {
        entries[i] = (ice_entry){.status = ICE_DELETED, .file = before.files[i]};
    }
    entries[before.file_count] =
        (ice_entry){.status = ICE_ADDED, .file = test_file(f->arena, t->latest, NULL, id, 1)};
    entries[before.file_count].file.data_sequence = -1;
    put_object(f, t, entries[before.file_count].file.path,
               &(buf){.data = (char[]){"PAR1PAR1"}, .size = 8});
    EXPECT_OK(ice_manifest_format(t->latest, 0, false, 4711, entries, before.file_count + 1,
                                  f->arena, bytes, &manifest, &f->err));
    manifest.path = STR("s3://warehouse/t/metadata/foreign-m0.avro");
    put_object(f, t, manifest.path, bytes);
    ice__metadata_assign(&m, t->latest);
    memcpy(snapshots, m.snapshots, m.snapshot_count * sizeof(*snapshots));
    *made = (ice_snapshot){.id = 4711,
                           .parent_id = parent->id,
                           .sequence_number = m.last_sequence_number + 1,
                           .timestamp_ms = m.last_updated_ms,
                           .first_row_id = ICE_NO_ROW_ID,
                           .added_rows = ICE_NO_ROW_ID,
                           .operation = ICE_OVERWRITE,
                           .manifest_list = STR("s3://warehouse/t/metadata/foreign-list.avro")};
    EXPECT_OK(ice_manifest_list_format(&m, made, &manifest, 1, list, &f->err));
    put_object(f, t, made->manifest_list, list);
    head.snapshot_id = m.current_snapshot_id = made->id;
    m.snapshots = snapshots;
    m.snapshot_count++;
    m.last_sequence_number++;
    m.refs = &head;
    replace_latest(t, &m);
}

static void test_data_files_that_no_snapshot_has_go_with_the_last_that_had_them(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {{STR("tarn.history.max-snapshots"), STR("3")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", properties, 1);

    append_rows(f, t, 0, 2);
    overwrite_all(f, t, 100);
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 1);
    /* The overwritten files are still in the two snapshots before it. */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 3);
    append_rows(f, t, 200, 1); /* the first snapshot expires; the second still has both files */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 4);
    append_rows(f, t, 201, 1); /* the second goes, and with it both files */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 3);
    append_rows(f, t, 202, 3);
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 6);
    ice_cache_clear();
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 6);
}

static void test_manifests_named_in_place_are_read_and_carried_on(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {{STR("format-version"), STR("1")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", properties, 1);
    ice__manifest_list list;
    ice_snapshot old;
    ice_metadata m;

    append_rows(f, t, 0, 1);
    EXPECT_OK(ice__list_load(t->st, t->latest, ice_metadata_snapshot(t->latest), f->arena, &list,
                             &f->err));
    old = *ice_metadata_snapshot(t->latest);
    old.manifest_list = STR_NULL; /* as the first writers of the format did */
    old.manifests = &list.manifests[0].path;
    old.manifest_count = 1;
    old.text = STR_NULL;
    ice__metadata_assign(&m, t->latest);
    m.snapshots = &old;
    m.snapshot_count = 1;
    replace_latest(t, &m);
    ice_cache_clear();
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 1);
    append_rows(f, t, 1, 1);
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 2);
    EXPECT_OK(ice__list_load(t->st, t->latest, ice_metadata_snapshot(t->latest), f->arena, &list,
                             &f->err));
    assert_int_equal(list.manifests[1].added_files, 1); /* counted on the way */
    assert_true(list.manifests[1].length_bytes > 0);
}

/* --- several appends, one commit --- */

static status note(void *context, state_txn *txn, error *err)
{
    (void)txn;
    (void)err;
    (*(int *)context)++;
    return STATUS_OK;
}

static status refuse(void *context, state_txn *txn, error *err)
{
    (void)context;
    (void)txn;
    return error_set(err, STATUS_EXISTS, "offset 7 was already committed");
}

static void test_appends_that_wait_together_become_one_snapshot(void **given)
{
    fixture *f = *given;
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "name", NULL, 0);
    const ice_property summary[] = {{STR("engine-name"), STR("tarn")}};
    ice_value partitions[4];
    ice_file files[4];
    store_stage_request requests[4];
    ice_append appends[4];
    ice_append_slot slots[4] = {0};
    int noted = 0;

    for (int i = 0; i < 4; i++) {
        partitions[i] =
            (ice_value){.kind = ICE_STRING, .bytes = i % 2 == 0 ? STR("even") : STR("odd")};
        files[i] = test_file(f->arena, t->latest, &partitions[i], i, 1);
        requests[i] = test_request(&files[i]);
        appends[i] = (ice_append){.files = &files[i],
                                  .file_count = 1,
                                  .unstaged = &requests[i],
                                  .unstaged_count = 1,
                                  .summary = summary,
                                  .summary_count = 1,
                                  .extra = note,
                                  .extra_context = &noted};
        slots[i].append = &appends[i];
    }
    appends[1].schema_id = 9; /* a schema that the table does not have */
    appends[2].extra = refuse;
    ice_commit_appends(&t->committer, slots, 4);

    assert_int_equal(slots[0].outcome, STATUS_OK);
    assert_int_equal(slots[0].result.merged, 2);
    assert_int_equal(slots[1].outcome, STATUS_CONFLICT);
    assert_string_equal(slots[1].err.message,
                        "the table has no schema 9, which the rows were written with");
    assert_int_equal(slots[2].outcome, STATUS_EXISTS);
    assert_string_equal(slots[2].err.message, "offset 7 was already committed");
    assert_int_equal(slots[3].outcome, STATUS_OK);
    assert_int_equal(slots[3].result.snapshot_id, slots[0].result.snapshot_id);
    assert_int_equal(t->latest->snapshot_count, 1);
    EXPECT_STR(ice_snapshot_summary(ice_metadata_snapshot(t->latest), "changed-partition-count"),
               "2");
    EXPECT_STR(ice_snapshot_summary(ice_metadata_snapshot(t->latest), "engine-name"), "tarn");
    assert_int_equal(planned(f, t, ICE_NO_SNAPSHOT).file_count, 2);
    /* What failed left no file. */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 2);
    expect_no_orphans(f, t);
}

static void test_an_append_without_files_changes_nothing_but_runs_its_part(void **given)
{
    fixture *f = *given;
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", NULL, 0);
    int noted = 0;
    ice_append append = {.extra = note, .extra_context = &noted};
    ice_commit_result result;

    EXPECT_OK(ice_commit_append(&t->committer, &append, &result, &f->err));
    assert_int_equal(noted, 1);
    assert_int_equal(result.snapshot_id, ICE_NO_SNAPSHOT);
    assert_int_equal(t->latest->snapshot_count, 0);
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/"), NULL), 1);
}

static void test_rows_for_another_table_of_the_same_name_are_refused(void **given)
{
    fixture *f = *given;
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", NULL, 0);
    ice_file file = test_file(f->arena, t->latest, NULL, 1, 1);
    store_staged *staged = NULL;
    ice_append append = {.files = &file,
                         .file_count = 1,
                         .staged = &staged,
                         .staged_count = 1,
                         .table_uuid = STR("f79c3e09-677c-4bbd-a479-3f349cb785e7")};
    ice_commit_result result;

    EXPECT_OK(store_stage_bytes(t->st, file.path, STR("x"), STR("PAR1PAR1"), &staged, &f->err));
    EXPECT_STATUS(CONFLICT, ice_commit_append(&t->committer, &append, &result, &f->err));
    EXPECT_MESSAGE(f, "the table was replaced by another since the rows were written");
    append.table_uuid = t->latest->uuid;
    EXPECT_OK(store_stage_bytes(t->st, file.path, STR("x"), STR("PAR1PAR1"), &staged, &f->err));
    EXPECT_OK(ice_commit_append(&t->committer, &append, &result, &f->err));
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/data/"), NULL), 1);
}

TESTS(test_a_thousand_appends_leave_little_metadata,
      test_expired_snapshots_take_their_objects_along, test_heads_of_branches_and_tags_stay,
      test_nothing_expires_where_properties_say_so,
      test_merged_manifests_keep_what_entries_inherited, test_row_ids_of_version_3_are_given_once,
      test_version_1_tables_are_appended_to_as_such,
      test_appends_that_wait_together_become_one_snapshot,
      test_data_files_that_no_snapshot_has_go_with_the_last_that_had_them,
      test_manifests_named_in_place_are_read_and_carried_on,
      test_an_append_without_files_changes_nothing_but_runs_its_part,
      test_rows_for_another_table_of_the_same_name_are_refused)

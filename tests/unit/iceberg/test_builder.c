/* Claims about new metadata from old beyond its columns: properties, versions, snapshots, references, statistics, and
 * how it is committed. */
#include "evolving.h"

/* --- the table --- */

static void test_properties_are_set_checked_and_removed(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 1, "");

    EXPECT_OK(ice_builder_set_property(b, STR("owner"), STR("me"), &f->err));
    EXPECT_OK(ice_builder_set_property(b, STR("owner"), STR("you"), &f->err));
    EXPECT_STR(ice_metadata_property(ice_builder_now(b), "owner", ""), "you");
    assert_int_equal(ice_builder_now(b)->property_count, 1);
    EXPECT_STATUS(INVALID, ice_builder_set_property(b, STR("gc.enabled"), STR("maybe"), &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_property(b, STR("uuid"), STR("x"), &f->err));
    EXPECT_OK(ice_builder_set_property(b, STR("format-version"), STR("2"), &f->err));
    assert_int_equal(ice_builder_now(b)->format_version, 2);
    assert_int_equal(ice_builder_now(b)->property_count, 1);
    ice_builder_remove_property(b, STR("owner"));
    ice_builder_remove_property(b, STR("nothing"));
    assert_int_equal(ice_builder_now(b)->property_count, 0);
    ice_builder_set_location(b, STR("s3://other/place//"));
    EXPECT_STR(ice_builder_now(b)->location, "s3://other/place");
}

static void test_versions_only_rise_and_rewrite_what_the_lower_one_left_out(void **given)
{
    fixture *f = *given;
    ice_metadata *old = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV1Valid.json"));
    ice_builder *b = ice_builder_create(old, f->arena);
    ice_metadata *m = NULL;

    EXPECT_OK(ice_builder_set_format_version(b, 3, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_format_version(b, 2, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_format_version(b, 4, &f->err));
    EXPECT_OK(ice_builder_build(b, STR_NULL, &m, &f->err));
    arena_defer(f->arena, release, m);
    m = parsed(f, formatted(f, m)); /* what version 3 requires is there */
    assert_int_equal(m->format_version, 3);
    assert_int_equal(m->next_row_id, 0);
}

static void test_every_foreign_table_can_be_changed_and_read_again(void **given)
{
    fixture *f = *given;
    static const char *const files[] = {
        "java/TableMetadataV1Valid.json",
        "java/TableMetadataV2Valid.json",
        "java/TableMetadataV2ValidMinimal.json",
        "java/TableMetadataV3ValidMinimal.json",
        "java/TableMetadataStatisticsFiles.json",
        "rust/TableMetadataV3ValidEncryption.json",
        "rust/example_table_metadata_v2_deep_history.json",
        "rust/example_table_metadata_v2_partition_evolution.json",
    };

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        ice_metadata *old = parsed(f, GOLDEN(f, arena_printf(f->arena, "iceberg/%s", files[i])));
        str before = formatted(f, old);
        ice_builder *b = ice_builder_create(old, f->arena);
        ice_add_column add = {
            .name = STR("added_here"), .type = ice_type_primitive(ICE_STRING), .doc = STR_NULL};
        ice_metadata *m = NULL;

        if (ice_builder_add_column(b, &add, &f->err) != STATUS_OK) {
            fail_msg("%s: %s", files[i], f->err.message);
        }
        EXPECT_OK(ice_builder_build(b, STR("s3://b/t/metadata/old.json"), &m, &f->err));
        arena_defer(f->arena, release, m);
        EXPECT_STR(formatted(f, old), before.data); /* the base is as it was */
        m = parsed(f, formatted(f, m));
        for (size_t k = 0; k < old->schema_count; k++) { /* one writer counted wrong */
            assert_true(column(ice_builder_create(m, f->arena), "added_here")->id >
                        ice_schema_highest_id(&old->schemas[k]));
        }
        assert_true(m->last_column_id > old->last_column_id);
        assert_int_equal(m->schema_count, old->schema_count + 1);
        assert_int_equal(m->snapshot_count, old->snapshot_count);
        assert_int_equal(m->unknown_count >= old->unknown_count, 1);
        EXPECT_STR(m->metadata_log[m->metadata_log_count - 1].metadata_file,
                   "s3://b/t/metadata/old.json");
        assert_true(m->last_updated_ms >= old->last_updated_ms);
    }
}

/* --- snapshots, references, statistics --- */

static void test_references_follow_their_rules(void **given)
{
    fixture *f = *given;
    ice_metadata *old = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json"));
    ice_builder *b = ice_builder_create(old, f->arena);
    int64_t first = old->snapshots[0].id;
    ice_ref ref = {.name = STR("old"),
                   .snapshot_id = first,
                   .is_tag = true,
                   .max_ref_age_ms = 5,
                   .max_snapshot_age_ms = -1,
                   .min_snapshots_to_keep = -1};

    EXPECT_OK(ice_builder_set_ref(b, &ref, &f->err));
    ref.is_tag = false;
    EXPECT_STATUS(INVALID, ice_builder_set_ref(b, &ref, &f->err));
    EXPECT_MESSAGE(f, "reference \"old\" is a tag, not a branch");
    ref.name = STR("main");
    ref.is_tag = true;
    EXPECT_STATUS(INVALID, ice_builder_set_ref(b, &ref, &f->err));
    ref.is_tag = false;
    ref.snapshot_id = 99;
    EXPECT_STATUS(NO_SNAPSHOT, ice_builder_set_ref(b, &ref, &f->err));
    ref.snapshot_id = first;
    EXPECT_OK(ice_builder_set_ref(b, &ref, &f->err));
    assert_int_equal(ice_builder_now(b)->current_snapshot_id, first);
    assert_int_equal(ice_builder_now(b)->snapshot_log_count, old->snapshot_log_count + 1);
    assert_int_equal(ice_builder_now(b)->ref_count, 2);
    EXPECT_STATUS(INVALID, ice_builder_remove_ref(b, STR("main"), &f->err));
    EXPECT_STATUS(NO_SNAPSHOT, ice_builder_remove_ref(b, STR("odl"), &f->err));
    EXPECT_HINT(f, "Did you mean \"old\"?");
    EXPECT_OK(ice_builder_remove_ref(b, STR("old"), &f->err));
    assert_int_equal(ice_builder_now(b)->ref_count, 1);
}

static void test_snapshots_count_up_and_take_what_speaks_of_them_along(void **given)
{
    fixture *f = *given;
    ice_metadata *old = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataStatisticsFiles.json"));
    ice_builder *b = ice_builder_create(old, f->arena);
    int64_t gone = old->snapshots[0].id;
    ice_snapshot s = {.id = gone,
                      .parent_id = old->current_snapshot_id,
                      .sequence_number = old->last_sequence_number + 1,
                      .manifest_list = STR("l")};
    const json *entry = NULL;

    EXPECT_STATUS(EXISTS, ice_builder_add_snapshot(b, &s, &f->err));
    s.id = 77;
    s.sequence_number = old->last_sequence_number;
    EXPECT_STATUS(INVALID, ice_builder_add_snapshot(b, &s, &f->err));
    s.sequence_number++;
    EXPECT_OK(ice_builder_add_snapshot(b, &s, &f->err));
    assert_int_equal(ice_builder_now(b)->last_sequence_number, s.sequence_number);

    EXPECT_OK(json_parse(QUOTED(f, "{'snapshot-id': 77, 'statistics-path': 's3://b/x.puffin', "
                                   "'file-size-in-bytes': 5, 'file-footer-size-in-bytes': 3, "
                                   "'blob-metadata': []}"),
                         f->arena, &entry, &f->err));
    EXPECT_OK(ice_builder_set_statistics(b, entry, &f->err));
    EXPECT_OK(ice_builder_set_statistics(b, entry, &f->err)); /* one for a snapshot */
    EXPECT_OK(ice_builder_set_partition_statistics(b, entry, &f->err));
    ice_builder_remove_snapshots(b, &gone, 1);
    str text = formatted(f, ice_builder_now(b));
    assert_true(str_find(text, STR("s3://b/x.puffin")) != STR_NPOS);
    assert_int_equal(str_find(text, STR("s3://a/b/stats.puffin")), STR_NPOS);
    ice_builder_remove_statistics(b, 77);
    ice_builder_remove_snapshots(b, &(int64_t){77}, 1);
    assert_int_equal(str_find(formatted(f, ice_builder_now(b)), STR("x.puffin")), STR_NPOS);
    EXPECT_STATUS(NO_SNAPSHOT, ice_builder_set_statistics(b, entry, &f->err));
}

static void test_row_ids_of_version_3_run_on(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 3, "");
    ice_snapshot s = {.id = 9,
                      .parent_id = ICE_NO_SNAPSHOT,
                      .sequence_number = 1,
                      .first_row_id = ICE_NO_ROW_ID,
                      .added_rows = ICE_NO_ROW_ID,
                      .manifest_list = STR("l")};

    EXPECT_STATUS(INVALID, ice_builder_add_snapshot(b, &s, &f->err));
    add_rows(f, b, 5);
    assert_int_equal(ice_builder_now(b)->next_row_id, 10);
    s.sequence_number = 2;
    s.first_row_id = 5;
    s.added_rows = 1;
    EXPECT_STATUS(INVALID, ice_builder_add_snapshot(b, &s, &f->err));
}

/* --- committing --- */

static status add_and_count(void *context, ice_builder *b, error *err)
{
    int *runs = context;
    ice_add_column add = {
        .name = STR("more"), .type = ice_type_primitive(ICE_LONG), .doc = STR_NULL};

    (*runs)++;
    return ice_builder_add_column(b, &add, err);
}

static status change_nothing(void *context, ice_builder *b, error *err)
{
    (void)context;
    (void)b;
    (void)err;
    return STATUS_OK;
}

static void test_an_update_is_made_again_on_newer_metadata(void **given)
{
    fixture *f = *given;
    static const ice_property quick[] = {{STR_INIT("commit.retry.min-wait-ms"), STR_INIT("0")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", quick, 1);
    ice_metadata *m = NULL;
    int runs = 0;

    t->commits_to_refuse = 2;
    EXPECT_OK(ice_metadata_update(&t->committer, add_and_count, &runs, &m, &f->err));
    arena_defer(f->arena, release, m);
    assert_int_equal(runs, 3);
    assert_int_equal(ice_metadata_schema(m)->root->field_count, 5);
    assert_int_equal(t->latest->metadata_log_count, 1);
    assert_int_equal(ice_metadata_schema(t->latest)->root->field_count, 5);
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/metadata/"), NULL), 2);

    EXPECT_STATUS(EXISTS, ice_metadata_update(&t->committer, add_and_count, &runs, NULL, &f->err));
    assert_int_equal(runs, 4); /* what is refused is not tried again */
    EXPECT_OK(ice_metadata_update(&t->committer, change_nothing, NULL, NULL, &f->err));
    assert_int_equal(t->latest->metadata_log_count, 1); /* nothing differs: nothing written */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/metadata/"), NULL), 2);
}

/* An append of one file; its snapshot. */
static int64_t append_row(fixture *f, test_table *t, int64_t id)
{
    ice_file file = test_file(f->arena, t->latest, NULL, id, 1);
    store_stage_request unstaged = test_request(&file);
    ice_append append = {
        .files = &file, .file_count = 1, .unstaged = &unstaged, .unstaged_count = 1};
    ice_commit_result result;

    EXPECT_OK(ice_commit_append(&t->committer, &append, &result, &f->err));
    return result.snapshot_id;
}

static status describe_current(void *context, ice_builder *b, error *err)
{
    return ice_builder_set_statistics(b, context, err);
}

static void test_statistics_expire_with_their_snapshot(void **given)
{
    fixture *f = *given;
    static const ice_property one[] = {{STR_INIT("tarn.history.max-snapshots"), STR_INIT("1")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", one, 1);
    str location = STR("s3://warehouse/t/metadata/x.stats");
    int64_t first = append_row(f, t, 1);
    store_staged *staged;
    store_object found;
    const json *entry = NULL;
    str text;

    EXPECT_OK(store_stage_bytes(t->st, location, STR("application/octet-stream"), STR("PFA1"),
                                &staged, &f->err));
    EXPECT_OK(store_put(t->st, staged, &f->err));
    text = str_printf(f->arena,
                      "{\"snapshot-id\": %lld, \"statistics-path\": \"%.*s\", "
                      "\"file-size-in-bytes\": 4}",
                      (long long)first, STR_ARG(location));
    EXPECT_OK(json_parse(text, f->arena, &entry, &f->err));
    EXPECT_OK(ice_metadata_update(&t->committer, describe_current, (void *)(uintptr_t)entry, NULL,
                                  &f->err));
    assert_true(str_find(formatted(f, t->latest), location) != STR_NPOS);
    EXPECT_OK(store_stat(t->st, location, f->arena, &found, &f->err));
    (void)append_row(f, t, 2);
    assert_int_equal(t->latest->snapshot_count, 1);
    assert_int_equal(str_find(formatted(f, t->latest), location), STR_NPOS);
    EXPECT_STATUS(NOT_FOUND, store_stat(t->st, location, f->arena, &found, &f->err));
}

static void test_ids_beyond_64_bits_are_damage(void **given)
{
    fixture *f = *given;
    str text = GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json");
    static const char *const keys[] = {"\"last-sequence-number\": 34", "\"last-column-id\": 3",
                                       "\"current-snapshot-id\": 3055729675574597004",
                                       "\"last-updated-ms\": 1602638573590"};

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        size_t at = str_find(text, str_c(keys[i]));
        size_t end = at + strlen(keys[i]);
        ice_metadata *m = NULL;

        assert_true(at != STR_NPOS);
        str wrong = str_concat(
            f->arena, str_slice(text, 0, end),
            str_concat(f->arena, STR("00000000000000000000"), str_slice(text, end, text.size)));
        EXPECT_STATUS(CORRUPT, ice_metadata_parse(wrong, &m, &f->err));
    }
}

TESTS(test_properties_are_set_checked_and_removed,
      test_versions_only_rise_and_rewrite_what_the_lower_one_left_out,
      test_every_foreign_table_can_be_changed_and_read_again, test_references_follow_their_rules,
      test_snapshots_count_up_and_take_what_speaks_of_them_along, test_row_ids_of_version_3_run_on,
      test_an_update_is_made_again_on_newer_metadata, test_statistics_expire_with_their_snapshot,
      test_ids_beyond_64_bits_are_damage)

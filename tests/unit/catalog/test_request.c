/* Claims about commits and creates of REST clients: what is checked, what a commit leaves, and a refused one does
 * not. */
#include "asks.h"

#include "tarn/base/fault.h"
#include "tarn/catalog/caller.h"
#include "tarn/catalog/event.h"

static void test_a_created_table_has_a_place_of_its_own_below_its_namespace(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded one, two;
    namespace_info space;

    EXPECT_OK(ask_create(&l, f->arena, "t", "", &one, &f->err));
    EXPECT_OK(ask_create(&l, f->arena, "u", "", &two, &f->err));
    EXPECT_OK(catalog_get_namespace(l.catalog, STR("main"), f->arena, &space, &f->err));
    assert_int_equal(1, space.property_count);
    EXPECT_STR(space.properties[0].key, "location");
    assert_true(str_starts_with(one.info.location, space.properties[0].value));
    assert_false(str_equal(one.info.location, two.info.location));
    assert_true(str_equal(one.metadata->location, one.info.location));
    assert_true(str_starts_with(one.info.metadata_location, one.info.location));
    table_info info;
    ice_metadata *m = load(&l, "t", &info);
    assert_true(str_equal(info.metadata_location, one.info.metadata_location));
    assert_int_equal(0, m->metadata_log_count);
    ice_metadata_unref(m);
    ice_metadata_unref(one.metadata);
    ice_metadata_unref(two.metadata);
    lake_close(&l);
}

static void test_create_refuses_names_that_are_taken_and_namespaces_that_are_not_there(
    void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    ice_create_request request;
    const json *body = NULL;
    catalog_loaded loaded;

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_STATUS(EXISTS, create_only(&l, f->arena, "T", "", &f->err));
    EXPECT_STATUS(EXISTS, create_only(&l, f->arena, "t", ", 'stage-create': true", &f->err));
    EXPECT_OK(read_json(f->arena, STR("{'name': 't', " COLUMNS "}"), &body, &f->err));
    EXPECT_OK(ice_create_request_parse(body, f->arena, &request, &f->err));
    EXPECT_STATUS(NO_NAMESPACE, catalog_create_by_request(l.catalog, STR("nowhere"), &request,
                                                          f->arena, &loaded, &f->err));
    lake_close(&l);
}

static void test_a_staged_table_leaves_nothing_and_its_commit_makes_it(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded staged, made;
    catalog_kind kind = CATALOG_TABLE;
    store_object *objects = NULL;
    size_t count = 9;

    EXPECT_OK(ask_create(&l, f->arena, "t", ", 'stage-create': true", &staged, &f->err));
    assert_true(str_is_null(staged.info.metadata_location));
    EXPECT_OK(catalog_kind_of(l.catalog, in_main("t"), &kind, &f->err));
    assert_int_equal(CATALOG_NOTHING, kind);
    EXPECT_OK(store_list(l.storage, STR("s3://warehouse/"), STR_NULL, 10, f->arena, &objects,
                         &count, &f->err));
    assert_int_equal(0, count);
    str location = str_copy(f->arena, staged.metadata->location);
    EXPECT_OK(ask_commit(&l, f->arena, "t", ASSERT_CREATE, made_updates(f, UUID_1, location.data),
                         &made, &f->err));
    EXPECT_STR(made.info.uuid, UUID_1);
    assert_true(str_equal(location, made.info.location));
    assert_int_equal(0, made.metadata->metadata_log_count);
    EXPECT_OK(catalog_kind_of(l.catalog, in_main("t"), &kind, &f->err));
    assert_int_equal(CATALOG_TABLE, kind);
    ice_metadata_unref(staged.metadata);
    ice_metadata_unref(made.metadata);
    lake_close(&l);
}

static void test_a_staged_create_loses_against_a_create(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    ice_view_definition view = {
        .root = two_columns(), .sql = STR("SELECT 1, 'a'"), .dialect = STR(ICE_VIEW_DIALECT)};
    const catalog_view_create create = {
        .name = {STR("main"), STR("v")}, .location = STR_NULL, .definition = view};
    bool changed = false;

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_STATUS(CONFLICT, commit_only(&l, f->arena, "t", ASSERT_CREATE,
                                        made_updates(f, UUID_1, NULL), &f->err));
    assert_true(
        str_starts_with(str_c(f->err.message), STR("Requirement failed: table already exists")));
    EXPECT_OK(catalog_create_view(l.catalog, &create, &changed, &f->err));
    EXPECT_STATUS(EXISTS, commit_only(&l, f->arena, "v", ASSERT_CREATE,
                                      made_updates(f, UUID_1, NULL), &f->err));
    lake_close(&l);
}

static void test_a_commit_moves_the_table_on(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded loaded;

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_OK(ask_commit(&l, f->arena, "t",
                         "{'type': 'assert-current-schema-id', 'current-schema-id': 0}",
                         "{'action': 'set-properties', 'updates': {'a': '1'}}", &loaded, &f->err));
    assert_int_equal(1, loaded.metadata->metadata_log_count);
    table_info info;
    ice_metadata *m = load(&l, "t", &info);
    assert_true(str_equal(info.metadata_location, loaded.info.metadata_location));
    EXPECT_STR(ice_metadata_property(m, "a", ""), "1");
    ice_metadata_unref(m);
    ice_metadata_unref(loaded.metadata);
    lake_close(&l);
}

static void test_a_commit_that_changes_nothing_writes_nothing(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info before, after;

    EXPECT_OK(create_only(&l, f->arena, "t", ", 'properties': {'a': '1'}", &f->err));
    ice_metadata_unref(load(&l, "t", &before));
    EXPECT_OK(commit_only(&l, f->arena, "t", "",
                          "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    ice_metadata_unref(load(&l, "t", &after));
    assert_true(str_equal(before.metadata_location, after.metadata_location));
    lake_close(&l);
}

static void test_requirements_that_fail_leave_the_table_as_it_was(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info before, after;

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    ice_metadata_unref(load(&l, "t", &before));
    EXPECT_STATUS(CONFLICT,
                  commit_only(&l, f->arena, "t",
                              "{'type': 'assert-table-uuid', 'uuid': '" UUID_2 "'}",
                              "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    assert_true(
        str_starts_with(str_c(f->err.message), STR("Requirement failed: UUID does not match")));
    EXPECT_STATUS(NO_TABLE,
                  commit_only(&l, f->arena, "none",
                              "{'type': 'assert-table-uuid', 'uuid': '" UUID_2 "'}",
                              "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    ice_metadata_unref(load(&l, "t", &after));
    assert_true(str_equal(before.metadata_location, after.metadata_location));
    lake_close(&l);
}

#define SNAPSHOT(list)                                                                 \
    "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 77, 'sequence-number': 1," \
    " 'timestamp-ms': 1700000000000, 'manifest-list': '" list "',"                     \
    " 'summary': {'operation': 'append'}, 'schema-id': 0}}"

static void test_places_outside_and_in_other_tables_are_refused(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);

    EXPECT_OK(create_only(&l, f->arena, "t", ", 'location': 's3://warehouse/x/t'", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "u", ", 'location': 's3://warehouse/x/t1'", &f->err));
    EXPECT_STATUS(DENIED, create_only(&l, f->arena, "n", ", 'location': 's3://other/n'", &f->err));
    EXPECT_STATUS(DENIED, create_only(&l, f->arena, "n", ", 'location': 'file:/etc/n'", &f->err));
    EXPECT_STATUS(INVALID, create_only(&l, f->arena, "n",
                                       ", 'location': 's3://warehouse/x/t/below'", &f->err));
    EXPECT_STATUS(INVALID,
                  create_only(&l, f->arena, "n", ", 'location': 's3://warehouse/x'", &f->err));
    EXPECT_STATUS(INVALID,
                  create_only(&l, f->arena, "n", ", 'location': 's3://warehouse/x/../y'", &f->err));
    EXPECT_STATUS(DENIED,
                  create_only(&l, f->arena, "n",
                              ", 'properties': {'write.data.path': 's3://other/n'}", &f->err));
    EXPECT_STATUS(INVALID,
                  create_only(&l, f->arena, "n",
                              ", 'stage-create': true,"
                              " 'properties': {'write.metadata.path': 's3://warehouse/x/t/m'}",
                              &f->err));
    EXPECT_STATUS(DENIED,
                  commit_only(&l, f->arena, "u", "",
                              "{'action': 'set-location', 'location': 's3://other/n'}", &f->err));
    EXPECT_STATUS(INVALID,
                  commit_only(&l, f->arena, "u", "",
                              "{'action': 'set-location', 'location': 's3://warehouse/x/t'}",
                              &f->err));
    EXPECT_STATUS(INVALID, commit_only(&l, f->arena, "u", "",
                                       "{'action': 'set-properties', 'updates':"
                                       " {'write.data.path': 's3://warehouse/x/t/data'}}",
                                       &f->err));
    EXPECT_STATUS(DENIED, commit_only(&l, f->arena, "u", "",
                                      SNAPSHOT("s3://warehouse/x/t/metadata/l.avro"), &f->err));
    EXPECT_STATUS(DENIED,
                  commit_only(&l, f->arena, "u", "", SNAPSHOT("s3://other/l.avro"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "u", "", SNAPSHOT("s3://warehouse/x/t1/metadata/l.avro"),
                          &f->err));
    lake_close(&l);
}

static void test_a_place_is_plain(void **context)
{
    static const char *const marks[] = {"?", "#", "\\n", "\\u0001", "\\u007f"};
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded loaded;

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        const char *at = arena_printf(f->arena, "'s3://warehouse/a%sb'", marks[i]);

        EXPECT_STATUS(INVALID,
                      create_only(&l, f->arena, "n", arena_printf(f->arena, ", 'location': %s", at),
                                  &f->err));
        EXPECT_STATUS(
            INVALID,
            create_only(&l, f->arena, "n",
                        arena_printf(f->arena, ", 'properties': {'write.data.path': %s}", at),
                        &f->err));
        EXPECT_STATUS(
            INVALID,
            commit_only(&l, f->arena, "t", "",
                        arena_printf(f->arena, "{'action': 'set-location', 'location': %s}", at),
                        &f->err));
    }
    EXPECT_OK(ask_create(&l, f->arena, "n", ", 'location': 's3://warehouse/a b%20c+\u00e9'",
                         &loaded, &f->err));
    EXPECT_STR(loaded.info.location, "s3://warehouse/a b%20c+\xc3\xa9");
    ice_metadata_unref(loaded.metadata);
    lake_close(&l);
}

static void test_set_location_moves_the_tables_place(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info info;

    EXPECT_OK(create_only(&l, f->arena, "t", ", 'location': 's3://warehouse/x/t'", &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "t", "",
                          "{'action': 'set-location', 'location': 's3://warehouse/y/t/'}",
                          &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    EXPECT_STR(info.location, "s3://warehouse/y/t");
    assert_true(str_starts_with(info.metadata_location, STR("s3://warehouse/y/t/metadata/")));
    EXPECT_STATUS(INVALID,
                  create_only(&l, f->arena, "n", ", 'location': 's3://warehouse/y/t'", &f->err));
    lake_close(&l);
}

static void test_metadata_goes_where_the_table_says(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info info;

    EXPECT_OK(create_only(&l, f->arena, "t",
                          ", 'properties': {'write.metadata.path': 's3://warehouse/meta/t/'}",
                          &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "t", "",
                          "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    assert_true(str_starts_with(info.metadata_location, STR("s3://warehouse/meta/t/0")));
    lake_close(&l);
}

static void test_a_location_that_is_not_allowed_can_be_replaced(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.own_locations = true});
    catalog_loaded loaded;

    EXPECT_OK(ask_create(&l, f->arena, "t", ", 'location': 's3://other/t'", &loaded, &f->err));
    assert_true(str_starts_with(loaded.info.location, STR("s3://warehouse/main/t-")));
    ice_metadata_unref(loaded.metadata);
    EXPECT_OK(ask_create(&l, f->arena, "u", ", 'location': 's3://warehouse/u'", &loaded, &f->err));
    EXPECT_STR(loaded.info.location, "s3://warehouse/u");
    ice_metadata_unref(loaded.metadata);
    lake_close(&l);
}

static void test_old_metadata_goes_as_the_table_says_and_others_files_stay(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded loaded;
    store_object object;

    EXPECT_OK(ask_create(&l, f->arena, "t",
                         ", 'properties': {'write.metadata.previous-versions-max': '1',"
                         " 'write.metadata.delete-after-commit.enabled': 'true'}",
                         &loaded, &f->err));
    str first = loaded.info.metadata_location;
    ice_metadata_unref(loaded.metadata);
    for (int i = 0; i < 2; i++) {
        const char *update =
            str_printf(f->arena, "{'action': 'set-properties', 'updates': {'a': '%d'}}", i).data;
        EXPECT_OK(commit_only(&l, f->arena, "t", "", update, &f->err));
    }
    EXPECT_STATUS(NOT_FOUND, store_stat(l.storage, first, f->arena, &object, &f->err));
    lake_close(&l);
}

static void test_several_tables_change_together_or_not_at_all(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_table_request many[3] = {
        {.name = in_main("t")}, {.name = in_main("u")}, {.name = in_main("made")}};
    const char *set = "{'action': 'set-properties', 'updates': {'a': '1'}}";

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "u", "", &f->err));
    EXPECT_OK(ask_request(f->arena, "", set, &many[0].request, &f->err));
    EXPECT_OK(ask_request(f->arena, "{'type': 'assert-table-uuid', 'uuid': '" UUID_2 "'}", set,
                          &many[1].request, &f->err));
    EXPECT_OK(ask_request(f->arena, ASSERT_CREATE, made_updates(f, UUID_1, NULL), &many[2].request,
                          &f->err));
    EXPECT_STATUS(CONFLICT, catalog_commit_requests(l.catalog, many, 3, &f->err));
    EXPECT_STR(property_of(&l, "t", "a"), "absent");
    catalog_kind kind = CATALOG_TABLE;
    EXPECT_OK(catalog_kind_of(l.catalog, in_main("made"), &kind, &f->err));
    assert_int_equal(CATALOG_NOTHING, kind);
    EXPECT_OK(ask_request(f->arena, "", set, &many[1].request, &f->err));
    EXPECT_OK(catalog_commit_requests(l.catalog, many, 3, &f->err));
    EXPECT_STR(property_of(&l, "t", "a"), "1");
    EXPECT_STR(property_of(&l, "u", "a"), "1");
    EXPECT_STR(property_of(&l, "made", "a"), "absent");
    many[1].name = in_main("T");
    EXPECT_STATUS(INVALID, catalog_commit_requests(l.catalog, many, 2, &f->err));
    EXPECT_OK(catalog_commit_requests(l.catalog, many, 0, &f->err));
    lake_close(&l);
}

static void test_a_commit_of_several_that_fails_on_its_way_leaves_nothing(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_table_request many[2] = {{.name = in_main("t")}, {.name = in_main("u")}};
    const char *set = "{'action': 'set-properties', 'updates': {'a': '1'}}";
    store_object *objects = NULL;
    size_t before = 0, after = 0;

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "u", "", &f->err));
    EXPECT_OK(ask_request(f->arena, "", set, &many[0].request, &f->err));
    many[1].request = many[0].request;
    EXPECT_OK(store_list(l.storage, STR("s3://warehouse/"), STR_NULL, 100, f->arena, &objects,
                         &before, &f->err));
    static const char *const points[] = {"commit.data=fail", "commit.metadata=fail",
                                         "state.applied=fail"};
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        EXPECT_OK(fault_arm(points[i], &f->err));
        status result = catalog_commit_requests(l.catalog, many, 2, &f->err);
        fault_disarm();
        assert_int_not_equal(STATUS_OK, result);
        EXPECT_STR(property_of(&l, "t", "a"), "absent");
        EXPECT_STR(property_of(&l, "u", "a"), "absent");
        if (i < 2) {
            EXPECT_OK(store_list(l.storage, STR("s3://warehouse/"), STR_NULL, 100, f->arena,
                                 &objects, &after, &f->err));
            assert_int_equal(before, after);
        }
    }
    fault_disarm();
    lake_close(&l);
}

static void test_every_change_leaves_an_event_of_its_askers(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = 3600000});
    const catalog_caller caller = {.principal = STR("ada"), .via = STR("rest")};
    catalog_event *list = NULL;
    catalog_loaded loaded;
    size_t count = 0;
    static const char *const kinds[] = {
        "table.created",    "table.committed",    "table.created",    "table.dropped",
        "table.registered", "table.unregistered", "namespace.changed"};

    catalog_set_caller(&caller);
    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_OK(commit_only(
        &l, f->arena, "t", "",
        SNAPSHOT(
            "s3://warehouse/main/l.avro") ", {'action': 'set-snapshot-ref',"
                                          " 'ref-name': 'main', 'type': 'branch', 'snapshot-id': 77}",
        &f->err));
    EXPECT_OK(
        commit_only(&l, f->arena, "u", ASSERT_CREATE, made_updates(f, UUID_1, NULL), &f->err));
    table_info info;
    bool dropped = false;
    ice_metadata_unref(load(&l, "t", &info));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("t"), false, &dropped, &f->err));
    EXPECT_OK(catalog_register_file(l.catalog, in_main("t2"), info.metadata_location, false,
                                    f->arena, &loaded, &f->err));
    ice_metadata_unref(loaded.metadata);
    EXPECT_OK(catalog_unregister_table(l.catalog, in_main("t2"), f->arena, &loaded, &f->err));
    ice_metadata_unref(loaded.metadata);
    const catalog_property owner = {.key = STR("owner"), .value = STR("x")};
    const catalog_property_change change = {.set = &owner, .set_count = 1};
    catalog_property_result result;
    EXPECT_OK(
        catalog_change_namespace(l.catalog, STR("main"), &change, f->arena, &result, &f->err));
    catalog_set_caller(NULL);
    EXPECT_OK(catalog_list_events(l.catalog, 0, STR_NULL, 100, f->arena, &list, &count, &f->err));
    assert_int_equal(COUNT_OF(kinds), count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(kinds[i], event_kind_name(list[i].kind));
        EXPECT_STR(list[i].principal, "ada");
    }
    assert_int_equal(77, list[1].snapshot_id);
    lake_close(&l);
}

static status refuse(void *context, state_txn *txn, const catalog_event *event, error *err)
{
    (void)context;
    (void)txn;
    (void)event;
    return error_set(err, STATUS_PRECONDITION, "not like this");
}

static void test_an_effect_that_fails_undoes_the_commit(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const catalog_caller caller = {.principal = STR("ada"), .effect = refuse};

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    catalog_set_caller(&caller);
    EXPECT_STATUS(PRECONDITION, create_only(&l, f->arena, "u", "", &f->err));
    EXPECT_STATUS(PRECONDITION,
                  commit_only(&l, f->arena, "t", "",
                              "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    EXPECT_STATUS(PRECONDITION,
                  append_one(&l, "t", STR("s3://warehouse/main/data/f.parquet"), &f->err));
    catalog_set_caller(NULL);
    EXPECT_STR(property_of(&l, "t", "a"), "absent");
    EXPECT_OK(append_one(&l, "t", STR("s3://warehouse/main/data/f.parquet"), &f->err));
    lake_close(&l);
}

TESTS(test_a_created_table_has_a_place_of_its_own_below_its_namespace,
      test_create_refuses_names_that_are_taken_and_namespaces_that_are_not_there,
      test_a_staged_table_leaves_nothing_and_its_commit_makes_it,
      test_a_staged_create_loses_against_a_create, test_a_commit_moves_the_table_on,
      test_a_commit_that_changes_nothing_writes_nothing,
      test_requirements_that_fail_leave_the_table_as_it_was,
      test_places_outside_and_in_other_tables_are_refused, test_a_place_is_plain,
      test_set_location_moves_the_tables_place, test_metadata_goes_where_the_table_says,
      test_a_location_that_is_not_allowed_can_be_replaced,
      test_old_metadata_goes_as_the_table_says_and_others_files_stay,
      test_several_tables_change_together_or_not_at_all,
      test_a_commit_of_several_that_fails_on_its_way_leaves_nothing,
      test_every_change_leaves_an_event_of_its_askers, test_an_effect_that_fails_undoes_the_commit)

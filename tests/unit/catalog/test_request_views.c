/* Claims about views, registered metadata files and tables that are let go of. */
#include "asks.h"

static const char version_text[] =
    "{'version-id': %d, 'schema-id': 0, 'timestamp-ms': 1900000000000, 'summary': {},"
    " 'default-namespace': ['main'], 'representations': [{'type': 'sql', 'sql': 'SELECT %d',"
    " 'dialect': 'spark'}]}";

static str version_of(arena *a, int id, int what)
{
    return str_printf(a, version_text, id, what);
}

static status ask_view(lake *l, const char *name, const char *more, catalog_loaded_view *ret_loaded)
{
    fixture *f = l->f;
    ice_view_create_request request;
    const json *body = NULL;
    str version = version_of(f->arena, 1, 1);

    TRY(read_json(
        f->arena,
        str_printf(f->arena,
                   "{'name': '%s', 'schema': {'type': 'struct', 'schema-id': 7, 'fields': ["
                   "{'id': 3, 'name': 'id', 'required': false, 'type': 'int'}]},"
                   " 'view-version': %.*s, 'properties': {%s}}",
                   name, STR_ARG(version), more),
        &body, &f->err));
    TRY(ice_view_create_request_parse(body, f->arena, &request, &f->err));
    return catalog_create_view_by_request(l->catalog, STR("main"), &request, f->arena, ret_loaded,
                                          &f->err);
}

static status view_only(lake *l, const char *name, const char *more)
{
    catalog_loaded_view loaded;

    TRY(ask_view(l, name, more, &loaded));
    ice_view_unref(loaded.view);
    return STATUS_OK;
}

static status change_view(lake *l, const char *name, const char *requirements, const char *updates,
                          catalog_loaded_view *ret_loaded)
{
    fixture *f = l->f;
    const ice_view_request *request = NULL;
    const json *body = NULL;

    TRY(read_json(
        f->arena,
        str_printf(f->arena, "{'requirements': [%s], 'updates': [%s]}", requirements, updates),
        &body, &f->err));
    TRY(ice_view_request_parse(body, f->arena, &request, &f->err));
    return catalog_commit_view_request(l->catalog, in_main(name), request, f->arena, ret_loaded,
                                       &f->err);
}

static const char *add_version(fixture *f, int id, int what)
{
    str version = version_of(f->arena, id, what);

    return str_printf(f->arena,
                      "{'action': 'add-view-version', 'view-version': %.*s},"
                      "{'action': 'set-current-view-version', 'view-version-id': -1}",
                      STR_ARG(version))
        .data;
}

static void test_a_view_is_made_and_changed_on_what_it_is_by_now(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded_view loaded;

    EXPECT_OK(ask_view(&l, "v", "'a': '1'", &loaded));
    EXPECT_STR(loaded.info.name.table, "v");
    ice_view_unref(loaded.view);
    EXPECT_OK(change_view(&l, "v", "", add_version(f, 2, 2), &loaded));
    assert_int_equal(2, loaded.view->current_version_id);
    ice_view_unref(loaded.view);
    EXPECT_OK(change_view(&l, "v", "", add_version(f, 2, 3), &loaded));
    assert_int_equal(3, loaded.view->current_version_id);
    ice_view_unref(loaded.view);
    EXPECT_STATUS(CONFLICT,
                  change_view(&l, "v", "{'type': 'assert-view-uuid', 'uuid': '" UUID_1 "'}",
                              add_version(f, 2, 4), &loaded));
    EXPECT_STATUS(NO_VIEW, change_view(&l, "none", "", add_version(f, 2, 4), &loaded));
    lake_close(&l);
}

static void test_views_and_tables_have_one_space_of_names(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_kind kind = CATALOG_NOTHING;

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_STATUS(EXISTS, view_only(&l, "t", ""));
    EXPECT_OK(view_only(&l, "v", ""));
    EXPECT_STATUS(EXISTS, view_only(&l, "v", ""));
    EXPECT_STATUS(EXISTS, create_only(&l, f->arena, "v", "", &f->err));
    EXPECT_OK(catalog_kind_of(l.catalog, in_main("V"), &kind, &f->err));
    assert_int_equal(CATALOG_VIEW, kind);
    lake_close(&l);
}

static void test_the_metadata_of_a_view_goes_where_it_says_if_it_may(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded_view loaded;

    EXPECT_OK(ask_view(&l, "v", "'write.metadata.path': 's3://warehouse/views/v'", &loaded));
    assert_true(str_starts_with(loaded.info.metadata_location, STR("s3://warehouse/views/v/0")));
    ice_view_unref(loaded.view);
    EXPECT_STATUS(DENIED, view_only(&l, "w", "'write.metadata.path': 's3://other/v'"));
    EXPECT_STATUS(DENIED, view_only(&l, "w", "'write.metadata.path': 'file:/etc'"));
    str local = str_printf(f->arena, "'write.metadata.path': 'file:%s'", test_path(f, "lake/w"));
    EXPECT_OK(ask_view(&l, "w", local.data, &loaded));
    assert_true(str_starts_with(loaded.info.metadata_location, STR("file:")));
    ice_view_unref(loaded.view);
    EXPECT_STATUS(DENIED,
                  change_view(&l, "w", "", "{'action': 'set-location', 'location': 's3://other/v'}",
                              &loaded));
    lake_close(&l);
}

static void test_a_view_that_keeps_its_metadata_is_registered_again(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_loaded_view made, back;
    bool dropped = false;

    EXPECT_OK(ask_view(&l, "v", "'gc.enabled': 'false'", &made));
    EXPECT_STATUS(EXISTS,
                  catalog_register_view_file(l.catalog, in_main("v"), made.info.metadata_location,
                                             f->arena, &back, &f->err));
    EXPECT_OK(catalog_drop_view(l.catalog, in_main("v"), false, &dropped, &f->err));
    EXPECT_OK(catalog_register_view_file(l.catalog, in_main("v2"), made.info.metadata_location,
                                         f->arena, &back, &f->err));
    assert_true(str_equal(made.view->uuid, back.view->uuid));
    ice_view_unref(made.view);
    ice_view_unref(back.view);
    EXPECT_OK(ask_view(&l, "w", "", &made));
    EXPECT_OK(catalog_drop_view(l.catalog, in_main("w"), false, &dropped, &f->err));
    EXPECT_STATUS(NOT_FOUND,
                  catalog_register_view_file(l.catalog, in_main("w"), made.info.metadata_location,
                                             f->arena, &back, &f->err));
    ice_view_unref(made.view);
    lake_close(&l);
}

/* ---- register ---- */

static status register_only(lake *l, const char *name, str file, bool overwrite)
{
    catalog_loaded loaded;
    fixture *f = l->f;

    TRY(catalog_register_file(l->catalog, in_main(name), file, overwrite, f->arena, &loaded,
                              &f->err));
    ice_metadata_unref(loaded.metadata);
    return STATUS_OK;
}

static void test_a_table_that_was_dropped_or_let_go_of_is_registered_with_all_it_was(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = 3600000});
    catalog_loaded loaded;
    bool dropped = false;
    table_info info;

    EXPECT_OK(ask_create(&l, f->arena, "t", "", &loaded, &f->err));
    str file = loaded.info.metadata_location;
    ice_metadata_unref(loaded.metadata);
    EXPECT_STATUS(EXISTS, register_only(&l, "t", file, false));
    EXPECT_STATUS(EXISTS, register_only(&l, "u", file, false));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("t"), false, &dropped, &f->err));
    EXPECT_OK(register_only(&l, "u", file, false));
    ice_metadata_unref(load(&l, "u", &info));
    assert_false(info.registered);
    assert_true(str_equal(info.metadata_location, file));
    EXPECT_OK(commit_only(&l, f->arena, "u", "",
                          "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    EXPECT_OK(catalog_unregister_table(l.catalog, in_main("u"), f->arena, &loaded, &f->err));
    EXPECT_STR(ice_metadata_property(loaded.metadata, "a", ""), "1");
    str last = loaded.info.metadata_location;
    ice_metadata_unref(loaded.metadata);
    EXPECT_STATUS(NO_TABLE,
                  catalog_unregister_table(l.catalog, in_main("u"), f->arena, &loaded, &f->err));
    EXPECT_OK(register_only(&l, "u", last, false));
    EXPECT_STR(property_of(&l, "u", "a"), "1");
    lake_close(&l);
}

static void test_overwriting_points_the_name_to_the_file(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = 3600000});
    catalog_loaded one, two;

    EXPECT_OK(ask_create(&l, f->arena, "t", "", &one, &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "t", "",
                          "{'action': 'set-properties', 'updates': {'a': '1'}}", &f->err));
    EXPECT_STR(property_of(&l, "t", "a"), "1");
    EXPECT_OK(register_only(&l, "t", one.info.metadata_location, true));
    EXPECT_STR(property_of(&l, "t", "a"), "absent");
    /* another table takes the name */
    EXPECT_OK(ask_create(&l, f->arena, "u", ", 'properties': {'a': 'u'}", &two, &f->err));
    ice_metadata_unref(two.metadata);
    EXPECT_OK(catalog_unregister_table(l.catalog, in_main("u"), f->arena, &two, &f->err));
    EXPECT_OK(register_only(&l, "t", two.info.metadata_location, true));
    EXPECT_STR(property_of(&l, "t", "a"), "u");
    EXPECT_OK(register_only(&l, "old", one.info.metadata_location, false));
    ice_metadata_unref(one.metadata);
    ice_metadata_unref(two.metadata);
    lake_close(&l);
}

static str put_metadata(lake *l, const char *place, const char *location, const char *list)
{
    fixture *f = l->f;
    store_staged *staged = NULL;
    str text = str_c(
        QUOTED(f, str_printf(
                      f->arena,
                      "{'format-version': 2, 'table-uuid': '" UUID_1 "', 'location': '%s',"
                      " 'last-sequence-number': 1, 'last-updated-ms': 1, 'last-column-id': 1,"
                      " 'schemas': [{'type': 'struct', 'schema-id': 0, 'fields': ["
                      "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}]}],"
                      " 'current-schema-id': 0, 'partition-specs': [{'spec-id': 0, 'fields': []}],"
                      " 'default-spec-id': 0, 'last-partition-id': 999,"
                      " 'sort-orders': [{'order-id': 0, 'fields': []}], 'default-sort-order-id': 0,"
                      " 'snapshots': [{'snapshot-id': 5, 'sequence-number': 1, 'timestamp-ms': 1,"
                      " 'manifest-list': '%s', 'summary': {'operation': 'append'}}]}",
                      location, list)
                      .data)
            .data);
    str file = str_printf(f->arena, "%s/metadata/00000-x.metadata.json", place);

    EXPECT_OK(store_stage_bytes(l->storage, file, STR("x"), text, &staged, &f->err));
    EXPECT_OK(store_put(l->storage, staged, &f->err));
    return file;
}

static void test_metadata_that_names_the_places_of_others_is_not_registered(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);

    EXPECT_OK(create_only(&l, f->arena, "t", ", 'location': 's3://warehouse/x/t'", &f->err));
    EXPECT_STATUS(DENIED, register_only(&l, "a", STR("s3://other/m.metadata.json"), false));
    EXPECT_STATUS(NOT_FOUND,
                  register_only(&l, "a", STR("s3://warehouse/none.metadata.json"), false));
    str outside = put_metadata(&l, "s3://warehouse/f1", "s3://other/f1", "s3://other/l");
    EXPECT_STATUS(DENIED, register_only(&l, "a", outside, false));
    str anothers = put_metadata(&l, "s3://warehouse/f2", "s3://warehouse/x/t", "s3://warehouse/l");
    EXPECT_STATUS(INVALID, register_only(&l, "a", anothers, false));
    str list = put_metadata(&l, "s3://warehouse/f3", "s3://warehouse/f3",
                            "s3://warehouse/x/t/metadata/l.avro");
    EXPECT_STATUS(DENIED, register_only(&l, "a", list, false));
    str right = put_metadata(&l, "s3://warehouse/f4", "s3://warehouse/f4",
                             "s3://warehouse/f4/metadata/l.avro");
    EXPECT_OK(register_only(&l, "a", right, false));
    table_info info;
    ice_metadata_unref(load(&l, "a", &info));
    assert_true(info.registered);
    lake_close(&l);
}

TESTS(test_a_view_is_made_and_changed_on_what_it_is_by_now,
      test_views_and_tables_have_one_space_of_names,
      test_the_metadata_of_a_view_goes_where_it_says_if_it_may,
      test_a_view_that_keeps_its_metadata_is_registered_again,
      test_a_table_that_was_dropped_or_let_go_of_is_registered_with_all_it_was,
      test_overwriting_points_the_name_to_the_file,
      test_metadata_that_names_the_places_of_others_is_not_registered)

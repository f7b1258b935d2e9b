/* Tables made by requests: created with fresh ids, and committed after they were staged. */
#include "requests.h"

#define NESTED                                                                                  \
    "{'type': 'struct', 'schema-id': 4, 'identifier-field-ids': [20], 'fields': ["              \
    "{'id': 10, 'name': 'tags', 'required': false, 'type': {'type': 'list', 'element-id': 40, " \
    "'element': 'string', 'element-required': true}},"                                          \
    "{'id': 20, 'name': 'id', 'required': true, 'type': 'long', 'doc': null},"                  \
    "{'id': 30, 'name': 'at', 'required': false, 'type': {'type': 'struct', 'fields': ["        \
    "{'id': 50, 'name': 'x', 'required': false, 'type': 'double'},"                             \
    "{'id': 60, 'name': 'm', 'required': false, 'type': {'type': 'map', 'key-id': 70, "         \
    "'key': 'string', 'value-id': 80, 'value': 'int', 'value-required': false}}]}}]}"

static status build(fixture *f, const char *text, ice_metadata **ret_metadata)
{
    ice_create_request r;

    TRY(ice_create_request_parse(tree(f, text), f->arena, &r, &f->err));
    return ice_create_request_build(&r, STR("s3://b/t/"), ret_metadata, &f->err);
}

static ice_metadata *built(fixture *f, const char *text)
{
    ice_metadata *m = NULL;

    EXPECT_OK(build(f, text, &m));
    arena_defer(f->arena, release_metadata, m);
    return m;
}

#define NOT_BUILT(f, text)                                   \
    do {                                                     \
        ice_metadata *not_built_ = NULL;                     \
        EXPECT_STATUS(INVALID, build(f, text, &not_built_)); \
    } while (0)

static int32_t id_of(fixture *f, const ice_schema *schema, const char *path)
{
    for (int32_t id = 1; id <= ice_schema_highest_id(schema); id++) {
        if (str_equal(ice_schema_path(schema, id, f->arena), str_c(path))) {
            return id;
        }
    }
    return ICE_NO_ID;
}

static void test_fields_get_fresh_ids_level_by_level(void **given)
{
    fixture *f = *given;
    ice_metadata *m = built(f, "{'name': 't', 'location': null, 'schema': " NESTED
                               ", 'partition-spec': null, 'write-order': null, 'properties': null,"
                               " 'stage-create': false, 'whatever': 1}");
    const ice_schema *schema = ice_metadata_schema(m);

    assert_int_equal(id_of(f, schema, "tags"), 1);
    assert_int_equal(id_of(f, schema, "id"), 2);
    assert_int_equal(id_of(f, schema, "at"), 3);
    assert_int_equal(id_of(f, schema, "tags.element"), 4);
    assert_int_equal(id_of(f, schema, "at.x"), 5);
    assert_int_equal(id_of(f, schema, "at.m"), 6);
    assert_int_equal(id_of(f, schema, "at.m.key"), 7);
    assert_int_equal(id_of(f, schema, "at.m.value"), 8);
    assert_int_equal(m->last_column_id, 8);
    assert_int_equal(schema->id, 0);
    assert_int_equal(schema->identifier_ids[0], 2);
    assert_int_equal(m->format_version, 2);
    EXPECT_STR(m->location, "s3://b/t");
    assert_int_equal(m->metadata_log_count, 0);
    assert_int_equal(m->last_partition_id, 999);
    assert_int_equal(m->order_count, 1);
    assert_int_equal(m->default_order_id, 0);
}

static void test_partitioning_and_order_follow_the_fresh_ids(void **given)
{
    fixture *f = *given;
    ice_metadata *m = built(
        f, "{'name': 't', 'schema': " NESTED ", 'partition-spec': {'spec-id': 3, 'fields': ["
           "{'source-id': 20, 'field-id': 5, 'name': 'b', 'transform': 'bucket[4]'},"
           "{'source-id': 50, 'name': 'x', 'transform': 'void'}]},"
           " 'write-order': {'order-id': 8, 'fields': [{'source-id': 20, 'transform': 'identity',"
           " 'direction': 'desc', 'null-order': 'nulls-last'}]}}");

    assert_int_equal(m->default_spec_id, 0);
    assert_int_equal(m->specs[0].fields[0].source_id, 2);
    assert_int_equal(m->specs[0].fields[0].field_id, 1000);
    assert_int_equal(m->specs[0].fields[1].source_id, 5);
    assert_int_equal(m->specs[0].fields[1].field_id, 1001);
    assert_int_equal(m->last_partition_id, 1001);
    assert_int_equal(m->default_order_id, 1);
    assert_int_equal(m->orders[0].fields[0].source_id, 2);
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'partition-spec': {'fields': ["
                 "{'source-id': 2, 'name': 'b', 'transform': 'identity'}]}}");
    EXPECT_MESSAGE(f, "partition field \"b\": the schema has no column 2");
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'partition-spec': {'fields': ["
                 "{'source-id': 40, 'name': 'b', 'transform': 'identity'}]}}");
    SAYS(f, "rows can be partitioned by");
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'partition-spec': {'fields': ["
                 "{'source-id': 20, 'name': 'b', 'transform': 'day'}]}}");
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'partition-spec': {'fields': ["
                 "{'source-id': 20, 'name': 'at', 'transform': 'bucket[4]'}]}}");
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'write-order': {'order-id': 1, 'fields': ["
                 "{'source-id': 99, 'transform': 'identity', 'direction': 'asc', 'null-order': "
                 "'nulls-first'}]}}");
}

static void test_the_format_version_is_no_property(void **given)
{
    fixture *f = *given;
    ice_metadata *m = created(
        f, ", 'properties': {'a': 'b', 'format-version': '3', 'uuid': 'x', 'write.format.default': "
           "'orc'}");

    assert_int_equal(m->format_version, 3);
    assert_int_equal(m->property_count, 2);
    EXPECT_STR(m->properties[0].key, "a");
    assert_int_equal(table(f, 1)->format_version, 1);
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'properties': {'format-version': '4'}}");
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'properties': {'a': 1}}");
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED ", 'properties': ['a']}");
    NOT_BUILT(f, "{'name': 't', 'schema': " NESTED
                 ", 'properties': {'write.metadata.previous-versions-max': 'many'}}");
}

static void test_types_wait_for_their_version(void **given)
{
    fixture *f = *given;
    static const char *const types[] = {"variant",  "timestamp_ns", "timestamptz_ns", "unknown",
                                        "geometry", "geography",    "variant"};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        for (int version = 2; version <= 3; version++) {
            char *text =
                arena_printf(f->arena,
                             "{'name': 't', 'schema': {'type': 'struct', 'fields': [{'id': 1, "
                             "'name': 'v', 'required': false, 'type': '%s'}]}, 'properties': "
                             "{'format-version': '%d'}}",
                             types[i], version);

            if (version == 3) {
                (void)built(f, text);
                continue;
            }
            NOT_BUILT(f, text);
            EXPECT_MESSAGE(
                f, arena_printf(f->arena, "column \"v\": %s is not supported until v3", types[i]));
        }
    }
    NOT_BUILT(f, "{'name': 't', 'schema': {'type': 'struct', 'fields': [{'id': 1, 'name': 'v', "
                 "'required': false, 'type': 'int', 'initial-default': 5}]}}");
}

static void test_requests_that_make_no_table_are_refused(void **given)
{
    fixture *f = *given;

    NOT_BUILT(f, "{'name': 't'}");
    EXPECT_MESSAGE(f, "\"schema\" is missing");
    NOT_BUILT(f, "{'schema': " NESTED "}");
    NOT_BUILT(f, "{'name': '', 'schema': " NESTED "}");
    NOT_BUILT(f, "{'name': 't', 'location': '', 'schema': " NESTED "}");
    NOT_BUILT(f, "{'name': 't', 'stage-create': 'yes', 'schema': " NESTED "}");
    NOT_BUILT(f, "{'name': 't', 'schema': 'int'}");
    NOT_BUILT(f, "{'name': 't', 'schema': {'type': 'list'}}");
    NOT_BUILT(f, "{'name': 't', 'schema': {'type': 'struct', 'identifier-field-ids': [1], "
                 "'fields': []}}");
    NOT_BUILT(f, "[1]");
}

static void test_names_may_differ_in_case_alone(void **given)
{
    fixture *f = *given;
    ice_metadata *m = built(f, "{'name': 't', 'schema': {'type': 'struct', 'fields': ["
                               "{'id': 1, 'name': 'a', 'required': false, 'type': 'int'},"
                               "{'id': 2, 'name': 'A', 'required': false, 'type': 'int'}]}}");

    assert_int_equal(ice_metadata_schema(m)->root->field_count, 2);
    NOT_BUILT(f, "{'name': 't', 'schema': {'type': 'struct', 'fields': ["
                 "{'id': 1, 'name': 'a', 'required': false, 'type': 'int'},"
                 "{'id': 2, 'name': 'a', 'required': false, 'type': 'int'}]}}");
}

/* ---- after staging ---- */

#define FIRST                                                                            \
    "{'action': 'assign-uuid', 'uuid': '" UUID_TEXT "'},"                                \
    "{'action': 'upgrade-format-version', 'format-version': 1},"                         \
    "{'action': 'add-schema', 'schema': {'type': 'struct', 'schema-id': 0, 'fields': ["  \
    "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}]}, 'last-column-id': 1}," \
    "{'action': 'set-current-schema', 'schema-id': -1}"
#define REST                                                                     \
    ", {'action': 'add-spec', 'spec': {'spec-id': 0, 'fields': []}},"            \
    "{'action': 'set-default-spec', 'spec-id': -1},"                             \
    "{'action': 'add-sort-order', 'sort-order': {'order-id': 0, 'fields': []}}," \
    "{'action': 'set-default-sort-order', 'sort-order-id': -1},"                 \
    "{'action': 'set-location', 'location': 's3://b/staged'},"                   \
    "{'action': 'set-properties', 'updates': {'a': 'b'}}"

static ice_metadata *committed(fixture *f, const char *updates)
{
    ice_metadata *m = NULL;

    EXPECT_OK(try_commit(f, NULL, "{'type': 'assert-create'}", updates, &m));
    arena_defer(f->arena, release_metadata, m);
    return m;
}

static void test_a_staged_table_is_made_by_its_updates(void **given)
{
    fixture *f = *given;
    ice_metadata *m = committed(f, FIRST REST);

    EXPECT_STR(m->uuid, UUID_TEXT);
    EXPECT_STR(m->location, "s3://b/staged");
    assert_int_equal(m->format_version, 1);
    assert_int_equal(m->schema_count, 1);
    assert_int_equal(m->current_schema_id, 0);
    assert_int_equal(m->default_spec_id, 0);
    assert_int_equal(m->order_count, 1);
    assert_int_equal(m->metadata_log_count, 0);
    assert_int_equal(m->last_column_id, 1);
    EXPECT_STR(m->properties[0].value, "b");
    /* with its first rows, too */
    m = committed(f, both(f, FIRST REST, both(f, snapshot(f, 1, "null", 1, 1000), main_at(f, 1))));
    assert_int_equal(m->current_snapshot_id, 1);
    assert_int_equal(m->snapshot_log_count, 1);
}

static void test_the_current_schema_may_be_named_after_what_needs_it(void **given)
{
    fixture *f = *given;
    ice_metadata *m = committed(
        f, "{'action': 'upgrade-format-version', 'format-version': 2},"
           "{'action': 'add-schema', 'schema': {'type': 'struct', 'schema-id': 0, 'fields': ["
           "{'id': 1, 'name': 'id', 'required': false, 'type': 'long'}]}},"
           "{'action': 'add-spec', 'spec': {'spec-id': 0, 'fields': [{'source-id': 1, "
           "'field-id': 1000, 'name': 'id', 'transform': 'identity'}]}},"
           "{'action': 'set-default-spec', 'spec-id': 0},"
           "{'action': 'add-sort-order', 'sort-order': {'order-id': 0, 'fields': []}},"
           "{'action': 'set-default-sort-order', 'sort-order-id': 0},"
           "{'action': 'set-location', 'location': 's3://b/staged'},"
           "{'action': 'set-current-schema', 'schema-id': 0}");

    assert_int_equal(m->current_schema_id, 0);
    assert_int_equal(ice_metadata_spec(m)->field_count, 1);
}

static void test_what_only_can_be_one_way_need_not_be_said(void **given)
{
    fixture *f = *given;
    ice_metadata *m = committed(f, FIRST ", {'action': 'set-location', 'location': 's3://b/x/'}");

    assert_int_equal(m->spec_count, 1);
    assert_int_equal(m->last_partition_id, 999);
    assert_int_equal(m->order_count, 1);
    EXPECT_STR(m->location, "s3://b/x");
}

static void test_updates_that_make_no_table_are_refused(void **given)
{
    static const char *const updates[] = {
        "{'action': 'set-location', 'location': 's3://b/x'}",
        FIRST,
        FIRST ", {'action': 'set-location', 'location': ''}",
        "{'action': 'upgrade-format-version', 'format-version': 9}",
        "{'action': 'add-spec', 'spec': {'fields': []}}",
        "{'action': 'add-sort-order', 'sort-order': {'fields': []}}",
    };
    fixture *f = *given;

    for (size_t i = 0; i < COUNT_OF(updates); i++) {
        ice_metadata *m = NULL;

        EXPECT_STATUS(INVALID, try_commit(f, NULL, "{'type': 'assert-create'}", updates[i], &m));
    }
}

TESTS(test_names_may_differ_in_case_alone, test_fields_get_fresh_ids_level_by_level,
      test_partitioning_and_order_follow_the_fresh_ids, test_the_format_version_is_no_property,
      test_types_wait_for_their_version, test_requests_that_make_no_table_are_refused,
      test_a_staged_table_is_made_by_its_updates,
      test_the_current_schema_may_be_named_after_what_needs_it,
      test_what_only_can_be_one_way_need_not_be_said, test_updates_that_make_no_table_are_refused)

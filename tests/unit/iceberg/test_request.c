/* Requests of tables: what requirements hold and fail, and what updates do, in the clients' own words. */
#include "requests.h"

#define ADD_COLUMN                                                                      \
    "{'action': 'add-schema', 'schema': {'type': 'struct', 'schema-id': 9, 'fields': [" \
    "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"                        \
    "{'id': 2, 'name': 'name', 'required': false, 'type': 'string'},"                   \
    "{'id': 3, 'name': 'at', 'required': false, 'type': 'timestamptz'}]}, 'last-column-id': 99}"

/* ---- requirements ---- */

static void test_a_table_must_not_be_there_to_be_created(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    FAILS(CONFLICT, f, m, "{'type': 'assert-create'}");
    EXPECT_MESSAGE(f, "Requirement failed: table already exists");
    FAILS(INVALID, f, m,
          "{'type': 'assert-create'}, {'type': 'assert-default-spec-id', "
          "'default-spec-id': 0}");
    FAILS(NO_TABLE, f, NULL, "{'type': 'assert-default-spec-id', 'default-spec-id': 0}");
}

static void test_the_uuid_must_match_in_any_case(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    HOLDS(f, m,
          str_printf(f->arena, "{'type': 'assert-table-uuid', 'uuid': '%.*s'}",
                     STR_ARG(str_upper(f->arena, m->uuid)))
              .data);
    FAILS(CONFLICT, f, m, "{'type': 'assert-table-uuid', 'uuid': '" UUID_TEXT "'}");
    EXPECT_MESSAGE(f, str_printf(f->arena,
                                 "Requirement failed: UUID does not match: expected %.*s != %s",
                                 STR_ARG(m->uuid), UUID_TEXT)
                          .data);
    FAILS(INVALID, f, m, "{'type': 'assert-table-uuid', 'uuid': null}");
    EXPECT_MESSAGE(f, "requirements[0]: \"uuid\" is missing");
}

static void test_a_reference_must_be_where_the_client_saw_it(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    HOLDS(f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': 2}");
    HOLDS(f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'other', 'snapshot-id': null}");
    HOLDS(f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'other'}");
    FAILS(CONFLICT, f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': 1}");
    EXPECT_MESSAGE(f, "Requirement failed: branch main has changed: expected id 1 != 2");
    FAILS(CONFLICT, f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': null}");
    EXPECT_MESSAGE(f, "Requirement failed: branch main was created concurrently");
    FAILS(CONFLICT, f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'other', 'snapshot-id': 1}");
    EXPECT_MESSAGE(f, "Requirement failed: branch or tag other is missing, expected 1");
    FAILS(INVALID, f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'main', 'snapshot-id': '1'}");
    FAILS(INVALID, f, m, "{'type': 'assert-ref-snapshot-id', 'snapshot-id': 1}");
    m = updated(f, m,
                "{'action': 'set-snapshot-ref', 'ref-name': 'v1', 'type': 'tag', 'snapshot-id': "
                "1}");
    FAILS(CONFLICT, f, m, "{'type': 'assert-ref-snapshot-id', 'ref': 'v1', 'snapshot-id': 2}");
    EXPECT_MESSAGE(f, "Requirement failed: tag v1 has changed: expected id 2 != 1");
}

static const char *on_id(fixture *f, const char *name, const char *value)
{
    return arena_printf(f->arena, "{'type': 'assert-%s', '%s': %s}", name, name, value);
}

static void test_ids_must_be_what_the_client_saw(void **given)
{
    static const struct {
        const char *name, *what;
        int now;
    } rows[] = {
        {"last-assigned-field-id", "last assigned field id", 2},
        {"current-schema-id", "current schema", 0},
        {"last-assigned-partition-id", "last assigned partition id", 999},
        {"default-spec-id", "default partition spec", 0},
        {"default-sort-order-id", "default sort order", 0},
    };
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *now = str_printf(f->arena, "%d", rows[i].now).data;

        HOLDS(f, m, on_id(f, rows[i].name, now));
        FAILS(CONFLICT, f, m, on_id(f, rows[i].name, "5"));
        EXPECT_MESSAGE(f,
                       str_printf(f->arena, "Requirement failed: %s changed: expected id 5 != %d",
                                  rows[i].what, rows[i].now)
                           .data);
        FAILS(INVALID, f, m, on_id(f, rows[i].name, "null"));
        FAILS(INVALID, f, m, on_id(f, rows[i].name, "'0'"));
        FAILS(INVALID, f, m, on_id(f, rows[i].name, "4294967296"));
    }
}

static void test_unknown_requirements_and_updates_are_refused_by_name(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    FAILS(INVALID, f, m, "{'type': 'assert-luck'}");
    EXPECT_MESSAGE(f, "requirements[0]: requirement \"assert-luck\" is unknown");
    FAILS(INVALID, f, m, "{'type': 'assert-view-uuid', 'uuid': '" UUID_TEXT "'}");
    FAILS(INVALID, f, m, "7");
    REFUSED(INVALID, f, m, ADD_COLUMN ", {'action': 'fly'}");
    EXPECT_MESSAGE(f, "updates[1]: update \"fly\" is unknown");
    REFUSED(INVALID, f, m, "{'action': 'add-view-version', 'view-version': {}}");
    EXPECT_MESSAGE(f, "updates[0]: \"add-view-version\" is no update of a table");
    REFUSED(INVALID, f, m, "'add-schema'");
    REFUSED(INVALID, f, m, "{'action': 5}");
}

/* ---- schemas ---- */

static void test_an_added_schema_gets_the_next_id_and_its_highest_column_counts(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);
    ice_metadata *next =
        updated(f, m, ADD_COLUMN ", {'action': 'set-current-schema', 'schema-id': -1}");

    assert_int_equal(next->schema_count, 2);
    assert_int_equal(next->current_schema_id, 1);
    assert_int_equal(next->last_column_id, 3); /* what the client says of it is not asked */
    assert_int_equal(next->metadata_log_count, 1);
    /* added once more, it is the same; and by the id that the client gave it, too */
    next = updated(f, next, ADD_COLUMN ", {'action': 'set-current-schema', 'schema-id': 9}");
    assert_int_equal(next->schema_count, 2);
    assert_int_equal(next->current_schema_id, 1);
    next = updated(f, next, "{'action': 'set-current-schema', 'schema-id': 0}");
    assert_int_equal(next->current_schema_id, 0);
    assert_int_equal(next->last_column_id, 3);
}

static void test_schemas_that_the_table_cannot_have_are_refused(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    REFUSED(INVALID, f, m, "{'action': 'set-current-schema', 'schema-id': 4}");
    EXPECT_MESSAGE(f, "updates[0]: schema 4 is unknown");
    REFUSED(INVALID, f, m, "{'action': 'set-current-schema', 'schema-id': -1}");
    SAYS(f, "none has been added");
    REFUSED(INVALID, f, m,
            "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
            "{'id': 1, 'name': 'v', 'required': false, 'type': 'variant'}]}}");
    SAYS(f, "variant is not supported until v3");
    REFUSED(INVALID, f, m,
            "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
            "{'id': 1, 'name': 'v', 'required': false, 'type': 'nonsense'}]}}");
    REFUSED(INVALID, f, m,
            "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
            "{'id': 1, 'name': 'v', 'required': false, 'type': 'int'},"
            "{'id': 1, 'name': 'w', 'required': false, 'type': 'int'}]}}");
    REFUSED(INVALID, f, m, "{'action': 'add-schema', 'schema': [1]}");
    REFUSED(INVALID, f, m, "{'action': 'add-schema'}");
}

static void test_a_column_with_rows_keeps_its_type_unless_the_table_is_replaced(void **given)
{
    static const char retyped[] =
        "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
        "{'id': 1, 'name': 'id', 'required': true, 'type': 'string'}]}}, "
        "{'action': 'set-current-schema', 'schema-id': -1}";
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    REFUSED(INVALID, f, m, retyped);
    SAYS(f, "of type string has the id 1 of \"id\", which is of type long");
    m = updated(f, m, both(f, "{'action': 'remove-snapshot-ref', 'ref-name': 'main'}", retyped));
    assert_int_equal(m->current_schema_id, 1);
}

#define COLUMN_OF(type)                                                                         \
    "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': [{'id': 1, 'name': 'id', " \
    "'required': true, 'type': 'long'}, {'id': 2, 'name': 'name', 'required': false, 'type': "  \
    "'string'}, {'id': 3, 'name': 'c', 'required': false, 'type': '" type "'}]}}, "             \
    "{'action': 'set-current-schema', 'schema-id': -1}"
#define NO_MAIN "{'action': 'remove-snapshot-ref', 'ref-name': 'main'}"

static void test_types_of_columns_with_rows_only_widen(void **given)
{
    static const struct {
        const char *narrow, *wide;
    } rows[] = {
        {COLUMN_OF("int"), COLUMN_OF("long")},
        {COLUMN_OF("float"), COLUMN_OF("double")},
        {COLUMN_OF("decimal(5,2)"), COLUMN_OF("decimal(10,2)")},
        {COLUMN_OF("date"), COLUMN_OF("timestamp")},
        {COLUMN_OF("date"), COLUMN_OF("timestamp_ns")},
    };
    fixture *f = *given;
    ice_metadata *m = updated(f, with_snapshots(f, 2),
                              "{'action': 'upgrade-format-version', 'format-version': 3}");

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ice_metadata *wide = updated(f, updated(f, m, rows[i].narrow), rows[i].wide);

        REFUSED(INVALID, f, wide, rows[i].narrow);
        REFUSED(INVALID, f, wide, "{'action': 'set-current-schema', 'schema-id': 1}");
        updated(f, wide, both(f, NO_MAIN, rows[i].narrow));
    }
    m = updated(f, m, COLUMN_OF("decimal(10,2)"));
    REFUSED(INVALID, f, m, COLUMN_OF("decimal(10,1)"));
    SAYS(f, "of type decimal(10, 1) has the id 3 of \"c\", which is of type decimal(10, 2)");
    REFUSED(INVALID, f, m, COLUMN_OF("decimal(12,3)"));
}

static void test_ids_that_leave_no_room_are_refused(void **given)
{
    static const char column[] = "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
                                 "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"
                                 "{'id': %d, 'name': 'z', 'required': false, 'type': 'long'}]}}";
    static const char field[] =
        "{'action': 'add-spec', 'spec': {'fields': [{'source-id': 1, 'field-id': %d, "
        "'name': 'x', 'transform': 'bucket[4]'}]}}";
    fixture *f = *given;
    ice_metadata *m = table(f, 2);
    ice_metadata *last;

    REFUSED(INVALID, f, m, arena_printf(f->arena, column, INT32_MAX));
    EXPECT_MESSAGE(f, "updates[0]: a column has the id 2147483647: ids end at 2147483447");
    REFUSED(INVALID, f, m, arena_printf(f->arena, field, INT32_MAX));
    SAYS(f, "updates[0]: partition field \"x\" has the id 2147483647: ids end at");
    last = updated(f, m, arena_printf(f->arena, field, INT32_MAX - 200));
    REFUSED(INVALID, f, last,
            "{'action': 'add-spec', 'spec': {'fields': [{'source-id': 2, 'name': 'y', "
            "'transform': 'identity'}]}}");
    SAYS(f, "partition field \"y\" has the id 2147483448");
    last = updated(f, m, arena_printf(f->arena, column, INT32_MAX - 200));

    ice_builder *b = ice_builder_create(last, f->arena);
    static const ice_type whole = {.kind = ICE_LONG};
    const ice_add_column more = {.name = STR("more"), .type = &whole};
    EXPECT_STATUS(INVALID, ice_builder_add_column(b, &more, &f->err));
    EXPECT_MESSAGE(f, "no ids are left for columns: the last is 2147483447, and they end at "
                      "2147483447");
}

static void test_schemas_that_nobody_needs_are_removed(void **given)
{
    fixture *f = *given;
    ice_metadata *m =
        updated(f, table(f, 2), ADD_COLUMN ", {'action': 'set-current-schema', 'schema-id': -1}");

    REFUSED(INVALID, f, m, "{'action': 'remove-schemas', 'schema-ids': [0, 1]}");
    EXPECT_MESSAGE(f, "updates[0]: schema 1 is the current one: it stays");
    REFUSED(INVALID, f, m, "{'action': 'remove-schemas', 'schema-ids': 0}");
    m = updated(f, m, "{'action': 'remove-schemas', 'schema-ids': [0, 7]}");
    assert_int_equal(m->schema_count, 1);
    assert_int_equal(m->schemas[0].id, 1);
}

/* ---- partition specs ---- */

#define SPEC(fields) "{'action': 'add-spec', 'spec': {'spec-id': 8, 'fields': [" fields "]}}"
#define DEFAULT_SPEC ", {'action': 'set-default-spec', 'spec-id': -1}"
#define BUCKET "{'source-id': 1, 'name': 'id_bucket', 'transform': 'bucket[4]'}"
#define NAME "{'source-id': 2, 'name': 'name', 'transform': 'identity'}"

static void test_partition_fields_keep_the_id_they_had(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 2), SPEC(BUCKET) DEFAULT_SPEC);

    assert_int_equal(m->default_spec_id, 1);
    assert_int_equal(m->specs[1].fields[0].field_id, 1000);
    m = updated(f, m, SPEC(NAME ", " BUCKET) DEFAULT_SPEC);
    assert_int_equal(m->specs[2].fields[0].field_id, 1001);
    assert_int_equal(m->specs[2].fields[1].field_id, 1000);
    assert_int_equal(m->last_partition_id, 1001);
    m = updated(f, m, SPEC(BUCKET) DEFAULT_SPEC); /* it is there */
    assert_int_equal(m->spec_count, 3);
    assert_int_equal(m->default_spec_id, 1);
    m = updated(f, m, SPEC("") DEFAULT_SPEC);
    assert_int_equal(m->default_spec_id, 0);
    m = updated(f, m, "{'action': 'set-default-spec', 'spec-id': 2}");
    assert_int_equal(m->default_spec_id, 2);
}

static void test_partition_ids_of_the_client_are_taken_where_they_can_be(void **given)
{
    fixture *f = *given;
    ice_metadata *m =
        updated(f, table(f, 2),
                SPEC("{'source-id': 1, 'field-id': 1007, 'name': 'b', 'transform': 'bucket[4]'}"));

    assert_int_equal(m->specs[1].fields[0].field_id, 1007);
    assert_int_equal(m->last_partition_id, 1007);
    assert_int_equal(m->default_spec_id, 0);
    REFUSED(INVALID, f, m,
            SPEC("{'source-id': 2, 'field-id': 1007, 'name': 'n', 'transform': 'identity'}"));
    EXPECT_MESSAGE(f, "updates[0]: partition field \"n\" has the id 1007, which is that of \"b\"");
    REFUSED(INVALID, f, table(f, 1),
            SPEC("{'source-id': 2, 'field-id': 1007, 'name': 'n', 'transform': 'identity'}"));
    m = updated(f, table(f, 1), SPEC(NAME ", " BUCKET) DEFAULT_SPEC);
    assert_int_equal(m->specs[1].fields[1].field_id, 1001);
}

static void test_ids_that_version_one_gave_twice_stay_good(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 1), SPEC(BUCKET) DEFAULT_SPEC);

    m = updated(f, m, SPEC(NAME) DEFAULT_SPEC); /* 1000 as well */
    m = updated(f, m, "{'action': 'upgrade-format-version', 'format-version': 2}");
    m = updated(f, m,
                SPEC("{'source-id': 2, 'field-id': 1000, 'name': 'name', 'transform': 'identity'}, "
                     "{'source-id': 1, 'field-id': 1001, 'name': 'id', 'transform': 'identity'}"));
    assert_int_equal(m->spec_count, 4);
    assert_int_equal(m->last_partition_id, 1001);
}

static void test_specs_that_cannot_be_are_refused(void **given)
{
    static const char *const fields[] = {
        "{'source-id': 9, 'name': 'x', 'transform': 'identity'}",
        "{'source-id': 2, 'name': 'x', 'transform': 'year'}",
        "{'source-id': 2, 'name': 'x', 'transform': 'zigzag'}",
        "{'source-id': 2, 'name': 'id', 'transform': 'identity'}",
        "{'source-id': 2, 'name': '', 'transform': 'identity'}",
        "{'source-id': 2, 'name': 'x', 'transform': 'identity', 'field-id': -4}",
        "{'source-id': 2, 'name': 'x', 'transform': 7}",
        "{'source-id': 4294967296, 'name': 'x', 'transform': 'identity'}",
        NAME ", " NAME,
        NAME ", {'source-id': 2, 'name': 'again', 'transform': 'identity'}",
        "5",
    };
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        REFUSED(
            INVALID, f, m,
            arena_printf(f->arena, "{'action': 'add-spec', 'spec': {'fields': [%s]}}", fields[i]));
        SAYS(f, "updates[0]: ");
    }
    REFUSED(INVALID, f, m, "{'action': 'add-spec', 'spec': {'spec-id': 1}}");
    REFUSED(INVALID, f, m, "{'action': 'set-default-spec', 'spec-id': 5}");
    REFUSED(INVALID, f, m, "{'action': 'set-default-spec', 'spec-id': -1}");
    REFUSED(INVALID, f, m, "{'action': 'set-default-spec', 'spec-id': -2}");
}

static void test_specs_are_removed_but_for_the_default_one(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 2), SPEC(BUCKET) DEFAULT_SPEC);

    REFUSED(INVALID, f, m, "{'action': 'remove-partition-specs', 'spec-ids': [1]}");
    EXPECT_MESSAGE(f, "updates[0]: partition spec 1 is the default one: it stays");
    m = updated(f, m, "{'action': 'remove-partition-specs', 'spec-ids': [0, 9]}");
    assert_int_equal(m->spec_count, 1);
    assert_int_equal(m->specs[0].id, 1);
}

static void test_columns_that_partitioning_or_order_need_stay(void **given)
{
    static const char without_name[] =
        "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
        "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}]}}, "
        "{'action': 'set-current-schema', 'schema-id': -1}";
    static const char by_name[] =
        "{'action': 'add-sort-order', 'sort-order': {'order-id': 1, 'fields': [{'source-id': 2, "
        "'transform': 'identity', 'direction': 'asc', 'null-order': 'nulls-first'}]}}, "
        "{'action': 'set-default-sort-order', 'sort-order-id': -1}";
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    REFUSED(INVALID, f, updated(f, m, SPEC(NAME) DEFAULT_SPEC), without_name);
    REFUSED(INVALID, f, updated(f, m, by_name), without_name);
    (void)updated(f, updated(f, m, SPEC(NAME)), without_name); /* not the default one */
}

/* ---- sort orders ---- */

static void test_sort_orders_count_from_one_and_none_is_zero(void **given)
{
    static const char *const bad[] = {
        "{'source-id': 9, 'transform': 'identity', 'direction': 'asc', 'null-order': 'nulls-last'}",
        "{'source-id': 1, 'transform': 'day', 'direction': 'asc', 'null-order': 'nulls-last'}",
        "{'source-id': 1, 'transform': 'odd', 'direction': 'asc', 'null-order': 'nulls-last'}",
        "{'source-id': 1, 'transform': 'identity', 'direction': 'up', 'null-order': 'nulls-last'}",
        "{'source-id': 1, 'transform': 'identity', 'direction': 'asc'}",
    };
    fixture *f = *given;
    ice_metadata *m = updated(
        f, table(f, 2),
        "{'action': 'add-sort-order', 'sort-order': {'order-id': 40, 'fields': [{'source-id': 1, "
        "'transform': 'bucket[4]', 'direction': 'DESC', 'null-order': 'nulls-first'}]}}, "
        "{'action': 'set-default-sort-order', 'sort-order-id': -1}");

    assert_int_equal(m->default_order_id, 1);
    assert_int_equal(m->order_count, 2);
    assert_true(m->orders[1].fields[0].descending);
    m = updated(f, m,
                "{'action': 'add-sort-order', 'sort-order': {'fields': []}}, "
                "{'action': 'set-default-sort-order', 'sort-order-id': -1}");
    assert_int_equal(m->default_order_id, 0);
    m = updated(f, m, "{'action': 'set-default-sort-order', 'sort-order-id': 1}");
    assert_int_equal(m->default_order_id, 1);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        REFUSED(INVALID, f, m,
                arena_printf(f->arena,
                             "{'action': 'add-sort-order', 'sort-order': {'order-id': 1, "
                             "'fields': [%s]}}",
                             bad[i]));
    }
    REFUSED(INVALID, f, m, "{'action': 'set-default-sort-order', 'sort-order-id': 7}");
    REFUSED(INVALID, f, m, "{'action': 'set-default-sort-order', 'sort-order-id': -1}");
}

/* ---- the table ---- */

static void test_the_format_version_only_rises(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 1),
                              "{'action': 'upgrade-format-version', "
                              "'format-version': 2}");

    assert_int_equal(m->format_version, 2);
    REFUSED(INVALID, f, m, "{'action': 'upgrade-format-version', 'format-version': 1}");
    SAYS(f, "cannot go back to version 1");
    REFUSED(INVALID, f, m, "{'action': 'upgrade-format-version', 'format-version': 4}");
    REFUSED(INVALID, f, m, "{'action': 'upgrade-format-version', 'format-version': '3'}");
    m = updated(f, m, "{'action': 'upgrade-format-version', 'format-version': 3}");
    assert_int_equal(m->next_row_id, 0);
}

static void test_a_uuid_is_assigned_once(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    (void)updated(
        f, m,
        arena_printf(f->arena, "{'action': 'assign-uuid', 'uuid': '%.*s'}", STR_ARG(m->uuid)));
    REFUSED(INVALID, f, m, "{'action': 'assign-uuid', 'uuid': '" UUID_TEXT "'}");
    SAYS(f, "which stays");
    REFUSED(INVALID, f, m, "{'action': 'assign-uuid', 'uuid': '../../etc'}");
    EXPECT_MESSAGE(f, "updates[0]: \"../../etc\" is no UUID");
    REFUSED(INVALID, f, m, "{'action': 'assign-uuid'}");
}

static void test_properties_are_set_and_removed_by_both_names(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 2),
                              "{'action': 'set-properties', 'updates': {'a': '1', 'b': '2'}}, "
                              "{'action': 'set-properties', 'updated': {'b': '3', 'c': ''}}");

    assert_int_equal(m->property_count, 3);
    EXPECT_STR(m->properties[1].value, "3");
    m = updated(f, m,
                "{'action': 'remove-properties', 'removals': ['a', 'never']}, "
                "{'action': 'remove-properties', 'removed': ['c']}");
    assert_int_equal(m->property_count, 1);
    m = updated(f, m, "{'action': 'set-properties', 'updates': {'format-version': '3'}}");
    assert_int_equal(m->format_version, 3);
    assert_int_equal(m->property_count, 1);
    REFUSED(INVALID, f, m, "{'action': 'set-properties', 'updates': {'a': null}}");
    EXPECT_MESSAGE(f, "updates[0]: \"updates\": the value of \"a\" is no text");
    REFUSED(INVALID, f, m, "{'action': 'set-properties', 'updates': {'': 'a'}}");
    REFUSED(INVALID, f, m, "{'action': 'set-properties', 'updates': {'uuid': 'a'}}");
    REFUSED(INVALID, f, m, "{'action': 'set-properties', 'updates': {'tarn.odd': 'a'}}");
    REFUSED(INVALID, f, m,
            "{'action': 'set-properties', 'updates': {'commit.retry.num-retries': 'x'}}");
    REFUSED(INVALID, f, m, "{'action': 'set-properties'}");
    REFUSED(INVALID, f, m, "{'action': 'remove-properties', 'removals': [1]}");
    REFUSED(INVALID, f, m, "{'action': 'remove-properties', 'removals': 'a'}");
}

static void test_the_log_of_files_is_as_long_as_the_same_commit_says(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    for (int i = 0; i < 5; i++) {
        m = updated(
            f, m,
            arena_printf(f->arena, "{'action': 'set-properties', 'updates': {'a': '%d'}}", i));
    }
    assert_int_equal(m->metadata_log_count, 5);
    m = updated(f, m,
                "{'action': 'set-properties', 'updates': "
                "{'write.metadata.previous-versions-max': '2'}}");
    assert_int_equal(m->metadata_log_count, 2);
}

static void test_the_location_moves(void **given)
{
    fixture *f = *given;
    ice_metadata *m =
        updated(f, table(f, 2), "{'action': 'set-location', 'location': 's3://b/else/'}");

    EXPECT_STR(m->location, "s3://b/else");
    REFUSED(INVALID, f, m, "{'action': 'set-location', 'location': ''}");
    REFUSED(INVALID, f, m, "{'action': 'set-location', 'location': null}");
}

static void test_encryption_keys_come_and_go(void **given)
{
    static const char add[] =
        "{'action': 'add-encryption-key', 'encryption-key': {'key-id': 'k', "
        "'encrypted-key-metadata': 'AAEC', 'encrypted-by-id': null, 'properties': null}}";
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 3), both(f, add, add));

    assert_int_equal(m->unknown_count, 1);
    EXPECT_STR(m->unknown[0].key, "encryption-keys");
    EXPECT_STR(m->unknown[0].value, "[{\"key-id\":\"k\",\"encrypted-key-metadata\":\"AAEC\"}]");
    m = updated(f, m, "{'action': 'remove-encryption-key', 'key-id': 'none'}");
    assert_int_equal(m->unknown_count, 1);
    m = updated(f, m, "{'action': 'remove-encryption-key', 'key-id': 'k'}");
    assert_int_equal(m->unknown_count, 0);
    REFUSED(INVALID, f, table(f, 2), add);
    SAYS(f, "not supported until v3");
    REFUSED(INVALID, f, m,
            "{'action': 'add-encryption-key', 'encryption-key': {'key-id': 'k', "
            "'encrypted-key-metadata': '***'}}");
    REFUSED(INVALID, f, m, "{'action': 'add-encryption-key', 'encryption-key': {'key-id': 'k'}}");
    REFUSED(INVALID, f, m, "{'action': 'remove-encryption-key'}");
}

/* ---- the whole ---- */

static status note_place(void *context, ice_place_kind kind, str location, error *err)
{
    (void)err;
    buf_printf(context, "%d %.*s\n", (int)kind, STR_ARG(location));
    return STATUS_OK;
}

static void test_every_place_that_updates_name_is_told(void **given)
{
    fixture *f = *given;
    buf *out = buf_in(f->arena, LIMIT_MIB);
    const ice_request *r = NULL;
    const char *text =
        "{'updates': [{'action': 'set-location', 'location': 's3://b/x'}, "
        "{'action': 'set-properties', 'updates': {'write.metadata.path': 's3://c', 'a.path': "
        "'s3://d', 'write.data.path': 's3://e'}}, "
        "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 1, 'timestamp-ms': 1, "
        "'manifest-list': 's3://f'}}, "
        "{'action': 'set-partition-statistics', 'partition-statistics': {'snapshot-id': 1, "
        "'statistics-path': 's3://g', 'file-size-in-bytes': 3}}]}";

    EXPECT_OK(ice_request_parse(tree(f, text), f->arena, &r, &f->err));
    EXPECT_OK(ice_request_places(r, note_place, out, &f->err));
    EXPECT_STR(buf_str(out), "0 s3://b/x\n1 s3://c\n1 s3://e\n2 s3://f\n2 s3://g\n");
    assert_false(ice_request_creates(r));
}

static void test_bodies_of_another_form_are_refused(void **given)
{
    static const char *const bodies[] = {"[]",
                                         "{}",
                                         "{'updates': null}",
                                         "{'updates': {}}",
                                         "{'updates': [], 'requirements': {}}",
                                         "{'updates': [null]}"};
    fixture *f = *given;
    const ice_request *r = NULL;

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        EXPECT_STATUS(INVALID, ice_request_parse(tree(f, bodies[i]), f->arena, &r, &f->err));
    }
    EXPECT_OK(ice_request_parse(tree(f, "{'updates': [], 'requirements': null, 'more': 1}"),
                                f->arena, &r, &f->err));
}

static void test_a_table_of_version_one_stays_one(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 1), SPEC(NAME) DEFAULT_SPEC);
    buf *text = buf_in(f->arena, LIMIT_MIB);
    const json *root = NULL;

    ice_metadata_format(m, text);
    EXPECT_OK(json_parse(buf_str(text), f->arena, &root, &f->err));
    assert_int_equal(json_int64_or(json_get(root, "format-version"), 0), 1);
    assert_int_equal(json_kind_of(json_get(root, "schema")), JSON_OBJECT);
    assert_int_equal(json_count(json_get(root, "partition-spec")), 1);
    assert_int_equal(json_int64_or(json_get(root, "current-snapshot-id"), 0), -1);
    assert_int_equal(json_kind_of(json_get(root, "refs")), JSON_OBJECT);
    assert_int_equal(json_kind_of(json_get(root, "snapshot-log")), JSON_ARRAY);
    assert_null(json_get(root, "last-sequence-number"));
}

TESTS(test_a_table_must_not_be_there_to_be_created, test_the_uuid_must_match_in_any_case,
      test_a_reference_must_be_where_the_client_saw_it, test_ids_must_be_what_the_client_saw,
      test_unknown_requirements_and_updates_are_refused_by_name,
      test_an_added_schema_gets_the_next_id_and_its_highest_column_counts,
      test_schemas_that_the_table_cannot_have_are_refused,
      test_a_column_with_rows_keeps_its_type_unless_the_table_is_replaced,
      test_types_of_columns_with_rows_only_widen, test_ids_that_leave_no_room_are_refused,
      test_schemas_that_nobody_needs_are_removed, test_partition_fields_keep_the_id_they_had,
      test_partition_ids_of_the_client_are_taken_where_they_can_be,
      test_ids_that_version_one_gave_twice_stay_good, test_specs_that_cannot_be_are_refused,
      test_specs_are_removed_but_for_the_default_one,
      test_columns_that_partitioning_or_order_need_stay,
      test_sort_orders_count_from_one_and_none_is_zero, test_the_format_version_only_rises,
      test_a_uuid_is_assigned_once, test_properties_are_set_and_removed_by_both_names,
      test_the_log_of_files_is_as_long_as_the_same_commit_says, test_the_location_moves,
      test_encryption_keys_come_and_go, test_every_place_that_updates_name_is_told,
      test_bodies_of_another_form_are_refused, test_a_table_of_version_one_stays_one)

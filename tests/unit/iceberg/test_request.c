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

TESTS(test_a_table_must_not_be_there_to_be_created, test_the_uuid_must_match_in_any_case,
      test_a_reference_must_be_where_the_client_saw_it, test_ids_must_be_what_the_client_saw,
      test_unknown_requirements_and_updates_are_refused_by_name,
      test_an_added_schema_gets_the_next_id_and_its_highest_column_counts,
      test_schemas_that_the_table_cannot_have_are_refused)

/* Requests of views: versions rebased, schemas and versions found again, dialects kept. */
#include "requests.h"

#define COLUMNS(id, name)                                                         \
    "{'type': 'struct', 'schema-id': " id ", 'fields': [{'id': 3, 'name': '" name \
    "', 'required': false, 'type': 'long', 'doc': '\xf0\x9f\xa4\xaa'}]}"
#define VERSION(id, schema, sql)                                                        \
    "{'version-id': " id ", 'schema-id': " schema ", 'timestamp-ms': 5000, 'summary': " \
    "{'engine-name': 'x'}, 'default-catalog': null, 'default-namespace': ['ns'], "      \
    "'representations': [{'type': 'sql', 'sql': '" sql "', 'dialect': 'spark'}]}"
#define ADD(id, schema, sql) \
    "{'action': 'add-view-version', 'view-version': " VERSION(id, schema, sql) "}"
#define ADD_COLUMNS(id, name) "{'action': 'add-schema', 'schema': " COLUMNS(id, name) "}"
#define CURRENT ", {'action': 'set-current-view-version', 'view-version-id': -1}"

static void release_view(void *v)
{
    ice_view_unref(v);
}

static status build(fixture *f, const char *text, ice_view **ret_view)
{
    ice_view_create_request r;

    TRY(ice_view_create_request_parse(tree(f, text), f->arena, &r, &f->err));
    return ice_view_create_request_build(&r, STR("s3://b/v/"), ret_view, &f->err);
}

static ice_view *view_with(fixture *f, const char *properties)
{
    ice_view *v = NULL;

    EXPECT_OK(build(f,
                    arena_printf(f->arena,
                                 "{'name': 'v', 'location': null, 'schema': %s, 'view-version': "
                                 "%s, 'properties': {%s}}",
                                 COLUMNS("7", "a"), VERSION("5", "7", "one"), properties),
                    &v));
    arena_defer(f->arena, release_view, v);
    return v;
}

static status try_replace(fixture *f, const ice_view *base, const char *requirements,
                          const char *updates, ice_view **ret_view)
{
    const ice_view_request *r = NULL;

    TRY(ice_view_request_parse(
        tree(f, arena_printf(f->arena, "{'requirements': [%s], 'updates': [%s]}", requirements,
                             updates)),
        f->arena, &r, &f->err));
    TRY(ice_view_request_check(r, base, &f->err));
    return ice_view_request_apply(r, base, ret_view, &f->err);
}

static ice_view *replaced(fixture *f, const ice_view *base, const char *updates)
{
    ice_view *v = NULL;

    EXPECT_OK(try_replace(f, base, "", updates, &v));
    arena_defer(f->arena, release_view, v);
    return v;
}

#define NOT_REPLACED(kind, f, base, requirements, updates)                                \
    do {                                                                                  \
        ice_view *not_replaced_ = NULL;                                                   \
        EXPECT_STATUS(kind, try_replace(f, base, requirements, updates, &not_replaced_)); \
    } while (0)

static void test_a_view_begins_with_version_one_and_schema_zero(void **given)
{
    fixture *f = *given;
    ice_view *v = view_with(f, "'comment': 'c'");

    assert_int_equal(v->current_version_id, 1);
    assert_int_equal(ice_view_current(v)->schema_id, 0);
    assert_int_equal(ice_view_schema(v)->id, 0);
    assert_int_equal(ice_view_schema(v)->root->fields[0].id, 3); /* the client's own */
    EXPECT_STR(ice_view_schema(v)->root->fields[0].doc, "\xf0\x9f\xa4\xaa");
    EXPECT_STR(v->location, "s3://b/v");
    assert_int_equal(v->log_count, 1);
    assert_int_equal(v->log[0].timestamp_ms, 5000);
    EXPECT_STR(ice_view_property(v, "comment", NULL), "c");
    EXPECT_STR(ice_view_current(v)->summary[0].value, "x");
}

static void test_views_that_cannot_be_are_refused(void **given)
{
    static const char *const bodies[] = {
        "{'name': 'v', 'schema': " COLUMNS("0", "a") "}",
        "{'name': 'v', 'view-version': " VERSION("1", "0", "one") "}",
        "{'name': '', 'schema': " COLUMNS("0", "a") ", 'view-version': " VERSION("1", "0", "o") "}",
        "{'name': 'v', 'schema': {}, 'view-version': " VERSION("1", "0", "one") "}",
        "{'name': 'v', 'schema': " COLUMNS("0", "a") ", 'view-version': {}}",
        "{'name': 'v', 'schema': " COLUMNS(
            "0",
            "a") ", 'view-version': {'version-id': 1, "
                 "'schema-id': 0, 'timestamp-ms': 1, 'default-namespace': [], 'representations': []}}",
        "{'name': 'v', 'schema': " COLUMNS(
            "0",
            "a") ", 'view-version': {'version-id': 1, "
                 "'schema-id': 0, 'timestamp-ms': 1, 'default-namespace': [], 'representations': ["
                 "{'type': 'sql', 'sql': 'a', 'dialect': 'spark'}, "
                 "{'type': 'sql', 'sql': 'b', 'dialect': 'SPARK'}]}}",
        "{'name': 'v', 'schema': " COLUMNS(
            "0",
            "a") ", 'view-version': {'version-id': 1, "
                 "'schema-id': 0, 'timestamp-ms': 1, 'default-namespace': [], 'representations': ["
                 "{'type': 'sql', 'sql': 'a', 'dialect': 'spark'}, {'type': 'graph'}]}}",
        "{'name': 'v', 'schema': " COLUMNS("0", "a") ", 'view-version': " VERSION(
            "1", "0", "one") ", 'properties': {'version.history.num-entries': '0'}}",
    };
    fixture *f = *given;

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        ice_view *v = NULL;

        EXPECT_STATUS(INVALID, build(f, bodies[i], &v));
    }
    EXPECT_MESSAGE(f, "version.history.num-entries must be positive but was 0");
}

static void test_two_who_add_version_two_get_two_and_three(void **given)
{
    fixture *f = *given;
    ice_view *v = view_with(f, "");

    v = replaced(f, v, ADD_COLUMNS("1", "b") ", " ADD("2", "-1", "two") CURRENT);
    assert_int_equal(v->current_version_id, 2);
    assert_int_equal(ice_view_schema(v)->id, 1);
    v = replaced(f, v, ADD_COLUMNS("1", "c") ", " ADD("2", "-1", "three") CURRENT);
    assert_int_equal(v->current_version_id, 3);
    assert_int_equal(ice_view_schema(v)->id, 2);
    EXPECT_STR(ice_view_sql(ice_view_current(v), STR("spark")), "three");
    assert_int_equal(v->version_count, 3);
    assert_int_equal(v->log_count, 3);
    /* by the client's own ids, instead of -1 */
    v = replaced(f, v,
                 ADD_COLUMNS("1", "d") ", " ADD(
                     "2", "1", "four") ", {'action': "
                                       "'set-current-view-version', 'view-version-id': 2}");
    assert_int_equal(v->current_version_id, 4);
    EXPECT_STR(ice_view_schema(v)->root->fields[0].name, "d");
}

static void test_what_is_equal_is_found_again(void **given)
{
    fixture *f = *given;
    ice_view *v = view_with(f, "");

    v = replaced(f, v, ADD("2", "0", "two") CURRENT);
    v = replaced(f, v, ADD_COLUMNS("9", "a") ", " ADD("3", "-1", "one") CURRENT);
    assert_int_equal(v->schema_count, 1);
    assert_int_equal(v->version_count, 2);
    assert_int_equal(v->current_version_id, 1);
    assert_int_equal(v->log_count, 3);
    v = replaced(f, v, "{'action': 'set-current-view-version', 'view-version-id': 1}");
    assert_int_equal(v->log_count, 3);
    v = replaced(f, v, "{'action': 'set-current-view-version', 'view-version-id': 2}");
    assert_int_equal(v->log_count, 4);
    assert_true(v->log[3].timestamp_ms > 5000);
}

static void test_old_versions_go_when_the_history_is_full(void **given)
{
    fixture *f = *given;
    ice_view *v = view_with(f, "'version.history.num-entries': '2'");

    v = replaced(f, v, ADD("2", "0", "two") CURRENT);
    v = replaced(f, v, ADD("3", "0", "three") CURRENT);
    assert_int_equal(v->version_count, 2);
    assert_int_equal(v->versions[0].id, 2);
    assert_int_equal(v->log_count, 2);
    /* all that one request adds stays, and the current one */
    v = replaced(f, v, ADD("4", "0", "four") ", " ADD("5", "0", "five") ", " ADD("6", "0", "six"));
    assert_int_equal(v->version_count, 4);
    assert_int_equal(v->current_version_id, 3);
    NOT_REPLACED(INVALID, f, v, "",
                 "{'action': 'set-properties', 'updates': {'version.history.num-entries': 'x'}}");
}

static void test_a_dialect_is_lost_only_where_the_view_allows_it(void **given)
{
    static const char trino[] =
        "{'action': 'add-view-version', 'view-version': {'version-id': 2, 'schema-id': 0, "
        "'timestamp-ms': 6000, 'summary': {}, 'default-namespace': [], 'representations': ["
        "{'type': 'sql', 'sql': 'two', 'dialect': 'trino'}]}}" CURRENT;
    fixture *f = *given;
    ice_view *v = view_with(f, "");

    NOT_REPLACED(INVALID, f, v, "", trino);
    EXPECT_MESSAGE(f, "cannot replace view due to loss of view dialects "
                      "(replace.drop-dialect.allowed=false): previous dialects: [spark], new "
                      "dialects: [trino]");
    v = replaced(f, v,
                 both(f, trino,
                      "{'action': 'set-properties', 'updates': {'replace.drop-dialect.allowed': "
                      "'true'}}"));
    assert_int_equal(v->current_version_id, 2);
}

static void test_the_uuid_of_a_view_must_match(void **given)
{
    fixture *f = *given;
    ice_view *v = view_with(f, "");

    NOT_REPLACED(CONFLICT, f, v, "{'type': 'assert-view-uuid', 'uuid': '" UUID_TEXT "'}", "");
    EXPECT_MESSAGE(f,
                   arena_printf(f->arena,
                                "Requirement failed: view UUID does not match: expected %.*s != %s",
                                STR_ARG(v->uuid), UUID_TEXT));
    ice_view *same = NULL;
    EXPECT_OK(try_replace(f, v,
                          arena_printf(f->arena, "{'type': 'assert-view-uuid', 'uuid': '%.*s'}",
                                       STR_ARG(str_upper(f->arena, v->uuid))),
                          "", &same));
    ice_view_unref(same);
    NOT_REPLACED(INVALID, f, v, "{'type': 'assert-create'}", "");
    NOT_REPLACED(INVALID, f, v, "{'type': 'assert-table-uuid', 'uuid': 'x'}", "");
    EXPECT_MESSAGE(f, "requirements[0]: \"assert-table-uuid\" is no requirement of a view");
}

static void test_the_view_itself_changes(void **given)
{
    fixture *f = *given;
    ice_view *v = view_with(f, "'a': '1', 'b': '2'");

    v = replaced(f, v,
                 "{'action': 'set-properties', 'updates': {'b': '3', 'c': '4'}}, "
                 "{'action': 'remove-properties', 'removals': ['a', 'never']}, "
                 "{'action': 'set-location', 'location': 's3://b/w/'}, "
                 "{'action': 'upgrade-format-version', 'format-version': 1}");
    assert_int_equal(v->property_count, 2);
    EXPECT_STR(ice_view_property(v, "b", NULL), "3");
    EXPECT_STR(v->location, "s3://b/w");
    v = replaced(
        f, v,
        arena_printf(f->arena, "{'action': 'assign-uuid', 'uuid': '%.*s'}", STR_ARG(v->uuid)));
    assert_int_equal(v->log_count, 1);
}

static void test_updates_that_no_view_can_have_are_refused(void **given)
{
    static const char *const updates[] = {
        "{'action': 'upgrade-format-version', 'format-version': 2}",
        "{'action': 'assign-uuid', 'uuid': '" UUID_TEXT "'}",
        "{'action': 'set-current-view-version', 'view-version-id': -1}",
        "{'action': 'set-current-view-version', 'view-version-id': 9}",
        "{'action': 'set-current-view-version'}",
        "{'action': 'set-properties', 'updates': {'': 'x'}}",
        "{'action': 'add-schema', 'schema': {'type': 'struct'}}",
        "{'action': 'add-snapshot', 'snapshot': {}}",
        ADD("2", "-1", "x"),
        ADD("2", "4", "x"),
        "{'action': 'add-view-version', 'view-version': 5}",
        "{'action': 'nonsense'}",
    };
    fixture *f = *given;
    ice_view *v = view_with(f, "");

    for (size_t i = 0; i < COUNT_OF(updates); i++) {
        NOT_REPLACED(INVALID, f, v, "", updates[i]);
        SAYS(f, "updates[0]: ");
    }
}

TESTS(test_a_view_begins_with_version_one_and_schema_zero, test_views_that_cannot_be_are_refused,
      test_two_who_add_version_two_get_two_and_three, test_what_is_equal_is_found_again,
      test_old_versions_go_when_the_history_is_full,
      test_a_dialect_is_lost_only_where_the_view_allows_it, test_the_uuid_of_a_view_must_match,
      test_the_view_itself_changes, test_updates_that_no_view_can_have_are_refused)

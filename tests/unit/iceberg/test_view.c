/* View metadata: reading what the specification shows, writing what is read, versions and their limits. */
#include "support/test.h"

#include "tarn/base/limits.h"
#include "tarn/iceberg/view.h"

/* The facts of the specification's own example of view metadata, with members it does not know of. */
static const char example[] =
    "{\"view-uuid\": \"fa6506c3-7681-40c8-86dc-e36561f83385\", \"format-version\": 1,"
    " \"location\": \"s3://bucket/warehouse/default.db/event_agg/\", \"current-version-id\": 1,"
    " \"properties\": {\"comment\": \"Daily event counts\"}, \"versions\": [{\"version-id\": 1,"
    " \"timestamp-ms\": 1573518431292, \"schema-id\": 1, \"default-catalog\": \"prod\","
    " \"default-namespace\": [\"default\", \"inner\"], \"summary\": {\"engine-name\": \"Spark\","
    " \"engine-version\": \"3.3.2\"}, \"representations\": [{\"type\": \"sql\", \"sql\":"
    " \"SELECT COUNT(1), CAST(event_ts AS DATE) FROM events GROUP BY 2\", \"dialect\": \"spark\"},"
    " {\"type\": \"other\", \"plan\": [1]}], \"later\": {\"a\": 1}}],"
    " \"schemas\": [{\"schema-id\": 1, \"type\": \"struct\", \"fields\": [{\"id\": 1, \"name\":"
    " \"event_count\", \"required\": false, \"type\": \"int\", \"doc\": \"Count of events\"},"
    " {\"id\": 2, \"name\": \"event_date\", \"required\": false, \"type\": \"date\"}]}],"
    " \"version-log\": [{\"timestamp-ms\": 1573518431292, \"version-id\": 1}], \"new\": true}";

static ice_view *parsed(fixture *f, str text)
{
    ice_view *v = NULL;

    EXPECT_OK(ice_view_parse(text, &v, &f->err));
    return v;
}

static str written(fixture *f, const ice_view *v)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);

    ice_view_format(v, out);
    return buf_str(out);
}

static void test_the_example_of_the_specification_is_read(void **given)
{
    fixture *f = *given;
    ice_view *v = parsed(f, str_c(example));
    const ice_view_version *version = ice_view_current(v);

    EXPECT_STR(v->uuid, "fa6506c3-7681-40c8-86dc-e36561f83385");
    EXPECT_STR(v->location, "s3://bucket/warehouse/default.db/event_agg");
    EXPECT_STR(ice_view_property(v, "comment", NULL), "Daily event counts");
    EXPECT_STR(version->default_catalog, "prod");
    assert_int_equal(version->default_namespace_count, 2);
    EXPECT_STR(version->default_namespace[1], "inner");
    EXPECT_STR(ice_view_sql(version, STR("SPARK")),
               "SELECT COUNT(1), CAST(event_ts AS DATE) FROM events GROUP BY 2");
    assert_true(str_is_null(ice_view_sql(version, STR("duckdb"))));
    assert_int_equal(ice_view_schema(v)->root->field_count, 2);
    EXPECT_STR(ice_view_schema(v)->root->fields[0].doc, "Count of events");
    ice_view_unref(v);
}

static void test_what_is_not_known_is_written_back(void **given)
{
    fixture *f = *given;
    ice_view *v = parsed(f, str_c(example));
    str first = written(f, v);
    ice_view *again = parsed(f, first);

    assert_true(str_find(first, STR("\"later\":{\"a\":1}")) != STR_NPOS);
    assert_true(str_find(first, STR("\"plan\":[1]")) != STR_NPOS);
    assert_true(str_find(first, STR("\"new\":true")) != STR_NPOS);
    assert_true(str_equal(first, written(f, again)));
    ice_view_unref(again);
    ice_view_unref(v);
}

static void test_damage_is_told(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *from, *to;
        status kind;
    } wrong[] = {
        {"\"current-version-id\": 1", "\"current-version-id\": 2", STATUS_CORRUPT},
        {"\"schema-id\": 1, \"default-catalog\"", "\"schema-id\": 3, \"default-catalog\"",
         STATUS_CORRUPT},
        {"\"format-version\": 1", "\"format-version\": 2", STATUS_UNSUPPORTED},
        {"\"type\": \"other\", \"plan\": [1]",
         "\"type\": \"sql\", \"dialect\": \"SPARK\", \"sql\": \"\"", STATUS_CORRUPT},
        {"\"default-namespace\": [\"default\"", "\"default-namespace\": [1", STATUS_CORRUPT},
        {"\"dialect\": \"spark\"", "\"plan\": 1", STATUS_CORRUPT},
        {"\"comment\": \"Daily event counts\"", "\"comment\": 1", STATUS_CORRUPT},
    };

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        ice_view *v = NULL;
        str whole = str_c(example), from = str_c(wrong[i].from);
        size_t at = str_find(whole, from);
        assert_true(at != STR_NPOS);
        str text = str_printf(f->arena, "%.*s%s%.*s", STR_ARG(str_slice(whole, 0, at)), wrong[i].to,
                              STR_ARG(str_slice(whole, at + from.size, whole.size)));
        status result = ice_view_parse(text, &v, &f->err);

        if (result != wrong[i].kind || f->err.message[0] == '\0') {
            fail_msg("%s: %s", wrong[i].to, status_describe(result)->name);
        }
    }
}

static ice_view_definition definition(const char *sql, ice_kind kind)
{
    static const str space[] = {STR_INIT("a"), STR_INIT("b")};
    static ice_field field;
    static ice_type root;

    field =
        (ice_field){.id = 7, .name = STR("x"), .type = ice_type_primitive(kind), .doc = STR_NULL};
    root = (ice_type){.kind = ICE_STRUCT, .fields = &field, .field_count = 1};
    return (ice_view_definition){.root = &root,
                                 .sql = str_c(sql),
                                 .dialect = STR("duckdb"),
                                 .default_namespace = space,
                                 .default_namespace_count = 2,
                                 .engine_version = STR("1")};
}

static ice_view *replaced(fixture *f, ice_view *base, const char *sql, ice_kind kind)
{
    ice_view_definition d = definition(sql, kind);
    ice_view *next = NULL;

    EXPECT_OK(ice_view_replace(base, &d, &next, &f->err));
    ice_view_unref(base);
    return next;
}

static void test_a_replaced_view_keeps_what_it_was(void **given)
{
    fixture *f = *given;
    ice_view_definition d = definition("SELECT 1", ICE_INT);
    ice_view *v = NULL;

    EXPECT_OK(ice_view_create(STR("s3://b/v"), &d, &v, &f->err));
    str uuid = str_copy(f->arena, v->uuid);
    assert_int_equal(v->current_version_id, 1);
    v = replaced(f, v, "SELECT 2", ICE_INT);
    assert_int_equal(v->current_version_id, 2);
    assert_int_equal(v->schema_count, 1); /* it says the same */
    v = replaced(f, v, "SELECT 'a'", ICE_STRING);
    assert_int_equal(v->version_count, 3);
    assert_int_equal(v->schema_count, 2);
    v = replaced(f, v, "SELECT 1", ICE_INT); /* back: an old version, current again */
    assert_int_equal(v->version_count, 3);
    assert_int_equal(v->current_version_id, 1);
    assert_int_equal(v->log_count, 4);
    assert_int_equal(v->log[3].version_id, 1);
    EXPECT_STR(ice_view_sql(ice_view_version_by_id(v, 3), STR("duckdb")), "SELECT 'a'");
    assert_true(str_equal(v->uuid, uuid));
    assert_int_equal(ice_view_schema(v)->root->fields[0].id, 1);
    ice_view_unref(v);
}

static void test_old_versions_go_and_the_current_one_stays(void **given)
{
    fixture *f = *given;
    ice_view_definition d = definition("SELECT 0", ICE_INT);
    ice_view *v = NULL;

    EXPECT_OK(ice_view_create(STR("s3://b/v"), &d, &v, &f->err));
    for (int i = 1; i <= 14; i++) {
        v = replaced(f, v, arena_printf(f->arena, "SELECT %d", i), ICE_INT);
    }
    assert_int_equal(v->version_count, 10);
    assert_int_equal(v->versions[0].id, 6);
    assert_int_equal(v->current_version_id, 15);
    assert_int_equal(v->log_count, 10);
    assert_int_equal(v->log[0].version_id, 6);
    ice_view_unref(v);
}

static void test_properties_and_comments_change_nothing_else(void **given)
{
    fixture *f = *given;
    const ice_property set = {.key = STR("k"), .value = STR("v")};
    const str comment = STR("comment");
    ice_view *v = parsed(f, str_c(example));
    ice_view *changed = NULL;
    ice_view *commented = NULL;

    EXPECT_OK(ice_view_set_properties(v, &set, 1, &comment, 1, &changed, &f->err));
    assert_int_equal(changed->property_count, 1);
    EXPECT_STR(ice_view_property(changed, "k", NULL), "v");
    assert_int_equal(changed->version_count, 1);
    EXPECT_OK(
        ice_view_comment_column(changed, STR("EVENT_DATE"), STR("the day"), &commented, &f->err));
    assert_int_equal(commented->version_count, 2);
    EXPECT_STR(ice_view_schema(commented)->root->fields[1].doc, "the day");
    EXPECT_STR(ice_view_sql(ice_view_current(commented), STR("spark")),
               "SELECT COUNT(1), CAST(event_ts AS DATE) FROM events GROUP BY 2");
    EXPECT_STATUS(NO_COLUMN, ice_view_comment_column(v, STR("nope"), STR(""), &changed, &f->err));
    ice_view_unref(commented);
    ice_view_unref(changed);
    ice_view_unref(v);
}

TESTS(test_the_example_of_the_specification_is_read, test_what_is_not_known_is_written_back,
      test_damage_is_told, test_a_replaced_view_keeps_what_it_was,
      test_old_versions_go_and_the_current_one_stays,
      test_properties_and_comments_change_nothing_else)

/* Filters out of DuckDB's plans. */
#include "golden_lines.h"
#include "sql/plan.h"
#include "tarn/base/buf.h"

typedef struct column {
    const char *name;
    ice_kind kind;
    int32_t precision, scale;
} column;

/* The columns of the golden plans; field ids count from 1, the struct's members have 21 and 22. */
static const column columns[] = {
    {"id", ICE_LONG, 0, 0},        {"name", ICE_STRING, 0, 0}, {"ts", ICE_TIMESTAMP, 0, 0},
    {"tz", ICE_TIMESTAMPTZ, 0, 0}, {"day", ICE_DATE, 0, 0},    {"amount", ICE_DECIMAL, 10, 2},
    {"wide", ICE_DECIMAL, 38, 3},  {"rate", ICE_DOUBLE, 0, 0}, {"flag", ICE_BOOLEAN, 0, 0},
    {"u", ICE_UUID, 0, 0},         {"bin", ICE_BINARY, 0, 0},  {"s", ICE_STRUCT, 0, 0},
};

static const ice_schema *schema(fixture *f)
{
    static const ice_type integer = {.kind = ICE_INT}, string = {.kind = ICE_STRING};
    ice_field *members = ARENA_ARRAY(f->arena, ice_field, 2);
    ice_field *fields = ARENA_ARRAY(f->arena, ice_field, COUNT_OF(columns));
    ice_type *types = ARENA_ARRAY(f->arena, ice_type, COUNT_OF(columns) + 1);
    ice_schema *made = ARENA_NEW(f->arena, ice_schema);
    members[0] = (ice_field){.id = 21, .name = STR("x"), .type = &integer};
    members[1] = (ice_field){.id = 22, .name = STR("y"), .type = &string};
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        types[i] = (ice_type){
            .kind = columns[i].kind, .precision = columns[i].precision, .scale = columns[i].scale};
        fields[i] =
            (ice_field){.id = (int32_t)i + 1, .name = str_c(columns[i].name), .type = &types[i]};
    }
    types[COUNT_OF(columns) - 1].fields = members;
    types[COUNT_OF(columns) - 1].field_count = 2;
    types[COUNT_OF(columns)] =
        (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = COUNT_OF(columns)};
    made->root = &types[COUNT_OF(columns)];
    return made;
}

/* (and (gt 1 5) (eq 2 x)) */
static void print(const ice_schema *s, const ice_expr *e, buf *out)
{
    static const char *const names[] = {"true", "false", "and", "or", "eq",   "ne",      "lt",
                                        "le",   "gt",    "ge",  "in", "null", "notnull", "starts"};
    if (e->kind == ICE_TRUE || e->kind == ICE_FALSE) {
        buf_add_c(out, names[e->kind]);
        return;
    }
    buf_printf(out, "(%s", names[e->kind]);
    for (size_t i = 0; i < e->child_count; i++) {
        buf_add_char(out, ' ');
        print(s, e->children[i], out);
    }
    if (e->child_count == 0) {
        buf_printf(out, " %d", e->field_id);
        for (size_t i = 0; i < e->value_count; i++) {
            buf_add_char(out, ' ');
            ice_value_format(ice_schema_field(s, e->field_id)->type, &e->values[i], out);
        }
    }
    buf_add_char(out, ')');
}

static str filter_of(fixture *f, const char *name, bool *ret_usable, size_t *ret_scans)
{
    const json *entry = golden_named(f, "engine/plans.jsonl", name);
    plan_table table = {.stub = STR("stub"), .schema = schema(f)};
    buf *out = buf_in(f->arena, 1 << 20);
    plan_read(json_str_or(json_get(entry, "plan"), STR("")), &table, 1, f->arena, ret_usable);
    print(table.schema, table.filter, out);
    *ret_scans = table.scan_count;
    return buf_str(out);
}

static void test_filters_are_read_from_plans(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *name, *filter;
        size_t scans;
    } cases[] = {
        {"none", "true", 1},
        {"equal", "(eq 1 5)", 1},
        {"flipped", "(gt 1 5)", 1},
        {"and", "(and (gt 1 5) (eq 2 x))", 1},
        {"between", "(and (ge 1 3) (le 1 7))", 1},
        {"or_one_column", "(and (or (eq 1 1) (gt 1 10)) (or (eq 1 1) (gt 1 10)))", 1},
        {"or_two_columns", "(or (eq 1 1) (eq 2 x))", 1},
        {"in", "(and (in 2 a b) (or (eq 2 a) (eq 2 b)))", 1},
        {"in_or_null", "(or (in 1 1 2 5) (null 1))", 1},
        {"not_null", "(and (notnull 1) (ne 2 x))", 1},
        {"like", "(and (ge 2 abc) (lt 2 abd))", 1},
        {"prefix", "(starts 2 abc)", 1},
        {"suffix", "true", 1},
        {"timestamp", "(ge 3 2020-01-01T00:00:00)", 1},
        {"timestamptz", "(lt 4 2020-01-01T00:00:00+00:00)", 1},
        {"cast_to_date", "(and (ge 3 2020-01-01T00:00:00) (lt 3 2020-01-02T00:00:00))", 1},
        {"truncated", "(and (ge 3 2020-01-01T00:00:00) (lt 3 2020-02-01T00:00:00))", 1},
        {"date", "(gt 5 2020-01-01)", 1},
        {"date_as_timestamp", "(ge 5 2020-01-01)", 1},
        {"decimal", "(gt 6 1.50)", 1},
        {"wide_decimal", "(eq 7 12345678901234567890.123)", 1},
        {"double", "(gt 8 1.5)", 1},
        {"nan", "true", 1},
        {"bool", "(eq 9 true)", 1},
        {"not_bool", "(eq 9 false)", 1},
        {"uuid", "(eq 10 9b74c989-7f2e-4c3a-8f00-0123456789ab)", 1},
        {"struct", "(and (gt 21 5) (eq 22 q))", 1},
        {"arithmetic", "(gt 1 4)", 1},
        {"year", "true", 1},
        {"union", "(or (gt 1 5) (lt 1 2))", 2},
        {"one_unfiltered", "true", 2},
        {"limit", "(gt 1 5)", 1},
        {"top", "(gt 1 5)", 1},
        {"sample", "true", 1},
        {"window", "true", 1},
        {"cte", "(gt 1 5)", 1},
        {"distinct_from", "true", 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool usable;
        size_t scans;
        str filter = filter_of(f, cases[i].name, &usable, &scans);
        assert_true(usable);
        if (!str_equal(filter, str_c(cases[i].filter)) || scans != cases[i].scans) {
            fail_msg("%s: %.*s in %zu scans", cases[i].name, STR_ARG(filter), scans);
        }
    }
}

static void test_every_scan_of_a_table_counts(void **given)
{
    fixture *f = *given;
    bool usable;
    size_t scans;
    /* One side of a join, or of an outer join, says nothing about the rows that the other side reads. */
    EXPECT_STR(filter_of(f, "join", &usable, &scans), "(or (gt 1 5) (and (gt 1 5) (eq 2 x)))");
    assert_int_equal(scans, 2);
    EXPECT_STR(filter_of(f, "outer", &usable, &scans), "(or (gt 1 5) (and (gt 1 5) (eq 2 x)))");
}

static void test_a_plan_with_an_empty_result_filters_nothing(void **given)
{
    fixture *f = *given;
    bool usable;
    size_t scans;
    EXPECT_STR(filter_of(f, "empty", &usable, &scans), "true");
    assert_int_equal(scans, 0);
    /* A side that contradicts itself is gone without a trace: the other side's filter is the whole truth. */
    EXPECT_STR(filter_of(f, "half_empty", &usable, &scans), "(eq 1 5)");
}

static void test_what_is_no_plan_is_said_to_be_none(void **given)
{
    fixture *f = *given;
    bool usable;
    size_t scans;
    EXPECT_STR(filter_of(f, "error", &usable, &scans), "true");
    assert_false(usable);
    plan_table table = {.stub = STR("stub"), .schema = schema(f)};
    plan_read(STR("{\"plans\": [{\"type\""), &table, 1, f->arena, &usable);
    assert_false(usable);
    assert_int_equal(table.filter->kind, ICE_TRUE);
}

static void test_filters_are_read_from_explain_too(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *name, *filter;
    } cases[] = {
        {"and", "(and (gt 1 5) (eq 2 x))"},
        {"or_one_column", "(or (eq 1 1) (gt 1 10))"},
        {"in_or_null", "(or (or (eq 1 1) (eq 1 2) (eq 1 5)) (null 1))"},
        {"not_null", "(and (notnull 1) (ne 2 x))"},
        {"timestamp", "(ge 3 2020-01-01T00:00:00)"},
        {"decimal", "(gt 6 1.50)"},
        {"uuid", "(eq 10 9b74c989-7f2e-4c3a-8f00-0123456789ab)"},
        {"struct", "(and (gt 21 5) (eq 22 q))"},
        {"date", "(gt 5 2020-01-01)"},
        {"bool", "true"},
        {"quote", "(eq 2 it's > 5 OR id=1)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const json *entry = golden_named(f, "engine/explained.jsonl", cases[i].name);
        const ice_schema *s = schema(f);
        str sql = STR("");
        buf *out = buf_in(f->arena, 4096);
        assert_true(plan_explained_filters(json_str_or(json_get(entry, "explain"), STR("")), s,
                                           f->arena, &sql));
        EXPECT_STR(sql, str_to_c(f->arena, json_str_or(json_get(entry, "sql"), STR(""))));
        print(s, plan_parsed_filter(json_str_or(json_get(entry, "tree"), STR("")), s, f->arena),
              out);
        EXPECT_STR(buf_str(out), cases[i].filter);
    }
}

static void test_explain_is_not_asked_about_two_scans_or_odd_names(void **given)
{
    fixture *f = *given;
    str sql;
    const json *two = golden_named(f, "engine/explained.jsonl", "join");
    assert_false(plan_explained_filters(json_str_or(json_get(two, "explain"), STR("")), schema(f),
                                        f->arena, &sql));
    const json *one = golden_named(f, "engine/explained.jsonl", "and");
    static const ice_type integer = {.kind = ICE_INT};
    ice_field odd = {.id = 1, .name = STR("a>5 OR b"), .type = &integer};
    ice_type root = {.kind = ICE_STRUCT, .fields = &odd, .field_count = 1};
    ice_schema odd_schema = {.root = &root};
    assert_false(plan_explained_filters(json_str_or(json_get(one, "explain"), STR("")), &odd_schema,
                                        f->arena, &sql));
}

static void test_json_that_is_not_json_is_made_so(void **given)
{
    fixture *f = *given;
    EXPECT_STR(
        plan_standard_json(
            STR("{\"a\": NaN, \"b\": [-Infinity, 1.5, 12345678901234567890], \"NaN\": \"-inf \\\" 1\"}"),
            f->arena),
        "{\"a\": null, \"b\": [null, 1.5, \"12345678901234567890\"], \"NaN\": \"-inf \\\" 1\"}");
}

TESTS(test_filters_are_read_from_plans, test_every_scan_of_a_table_counts,
      test_a_plan_with_an_empty_result_filters_nothing, test_what_is_no_plan_is_said_to_be_none,
      test_filters_are_read_from_explain_too,
      test_explain_is_not_asked_about_two_scans_or_odd_names, test_json_that_is_not_json_is_made_so)

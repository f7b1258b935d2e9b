/* Claims about reading YAML. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/codec/yaml.h"

static const char *as_json(fixture *f, const char *text)
{
    const json *value = NULL;
    buf *out = buf_in(f->arena, LIMIT_MIB);

    EXPECT_OK(yaml_parse(str_c(text), f->arena, &value, &f->err));
    json_format(value, out);
    buf_add_char(out, '\0');
    return out->data;
}

static void test_documents_become_json_trees(void **state)
{
    static const char *const pairs[][2] = {
        {"", "null"},
        {"# nothing\n", "null"},
        {"a: 1\nb:\n  - x\n  - 'y z'\n  - {k: v}\nc: {}\nd: []\n",
         "{\"a\":1,\"b\":[\"x\",\"y z\",{\"k\":\"v\"}],\"c\":{},\"d\":[]}"},
        {"sql: |\n  SELECT 1\n  FROM t\nfolded: >-\n  one\n  two\n",
         "{\"sql\":\"SELECT 1\\nFROM t\\n\",\"folded\":\"one two\"}"},
        {"---\nkey:\n...\n", "{\"key\":null}"},
        {"{\"json\": [1, 2.5, true, null, \"\\u00e9\"]}",
         "{\"json\":[1,2.5,true,null,\"\xc3\xa9\"]}"},
        {"- &x {a: 1}\n- *x\n", "[{\"a\":1},{\"a\":1}]"},
        {"''''''''''''''''''''''''''''\n", "\"'''''''''''''\""},
        {"z: 1\na: 2\n", "{\"z\":1,\"a\":2}"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_string_equal(as_json(f, pairs[i][0]), pairs[i][1]);
    }
}

static void test_scalars_follow_the_core_schema(void **state)
{
    static const char *const pairs[][2] = {
        {"[null, Null, NULL, ~, ]", "[null,null,null,null]"},
        {"[true, True, FALSE, yes, no, on, off]",
         "[true,true,false,\"yes\",\"no\",\"on\",\"off\"]"},
        {"[0, -1, +7, 007, 0o17, 0x1F, 0xfe]", "[0,-1,7,7,15,31,254]"},
        {"[9223372036854775807, -9223372036854775808, 9223372036854775808]",
         "[9223372036854775807,-9223372036854775808,9.223372036854776e+18]"},
        {"[1.5, .5, 5., 1e3, -1.5E-2, +.5]", "[1.5,0.5,5.0,1000.0,-0.015,0.5]"},
        {"[.inf, -.Inf, .NaN]", "[\"Infinity\",\"-Infinity\",\"NaN\"]"},
        {"['1', \"true\", '', ~a, 1a, 1.2.3, ., e5, 0x, 0o8, 12:30, 2024-01-02]",
         "[\"1\",\"true\",\"\",\"~a\",\"1a\",\"1.2.3\",\".\",\"e5\",\"0x\",\"0o8\",\"12:30\","
         "\"2024-01-02\"]"},
        {"[!!str 1, !!float 1, !!int '5', ! 7, !!null '']", "[\"1\",1.0,5,\"7\",null]"},
        {"{1: a, true: b, null: c}", "{\"1\":\"a\",\"true\":\"b\",\"null\":\"c\"}"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_string_equal(as_json(f, pairs[i][0]), pairs[i][1]);
    }
}

static void test_errors_say_where(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "malformed YAML at line 3, column 1: the key \"a\" stands twice"},
        {"base: &b {x: 1}\nmore:\n  <<: *b\n",
         "malformed YAML at line 3, column 3: merge keys (\"<<\") are no part of YAML 1.2"},
        {"a: !secret x\n", "malformed YAML at line 1, column 12: the tag \"!secret\" is not known"},
        {"a: !!int x\n", "malformed YAML at line 1, column 10: the value is not what its tag says"},
        {"a: *nowhere\n", "malformed YAML at line 1, column 5: an alias has no anchor"},
        {"a: 1\n---\nb: 2\n", "malformed YAML: a second document follows"},
        {"? [a, b]\n: 1\n", "malformed YAML: a key is not a text"},
        {"\xff", "malformed YAML: the text is not UTF-8"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const json *v;
        EXPECT_STATUS(SYNTAX, yaml_parse(str_c(cases[i].text), f->arena, &v, &f->err));
        EXPECT_MESSAGE(f, cases[i].message);
    }
}

static void test_malformed_text_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *place;
    } cases[] = {
        {"a: [1, 2\nb: 3\n", "line 3"}, {"a: 1\n b: 2\n", "line 1"}, {"a:\n\t- 1\n", "line 2"},
        {"a: 'open\n", "line 1"},       {"a: b: c\n", "line 1"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const json *v;
        EXPECT_STATUS(SYNTAX, yaml_parse(str_c(cases[i].text), f->arena, &v, &f->err));
        if (strstr(f->err.message, cases[i].place) == NULL) {
            fail_msg("%s: %s", cases[i].text, f->err.message);
        }
    }
}

static void test_aliases_cannot_make_a_small_document_large(void **state)
{
    fixture *f = *state;
    buf *text = buf_in(f->arena, LIMIT_MIB);
    const json *v;

    buf_add_c(text, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        buf_printf(text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                   i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    EXPECT_STATUS(TOO_LARGE, yaml_parse(buf_str(text), f->arena, &v, &f->err));
    EXPECT_STATUS(TOO_LARGE, yaml_parse(STR("&a [*a]"), f->arena, &v, &f->err));
    /* Many values without aliases are fine. */
    buf_clear(text);
    for (int i = 0; i < 20000; i++) {
        buf_add_c(text, "- 1\n");
    }
    EXPECT_OK(yaml_parse(buf_str(text), f->arena, &v, &f->err));
    assert_int_equal(json_count(v), 20000);
}

TESTS(test_documents_become_json_trees, test_scalars_follow_the_core_schema, test_errors_say_where,
      test_malformed_text_is_refused_with_its_line, test_aliases_cannot_make_a_small_document_large)

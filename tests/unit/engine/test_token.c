/* Where tokens and statements begin and end. */
#include "golden_lines.h"
#include <stddef.h>

#include "sql/token.h"

static token_list scan(fixture *f, const char *sql)
{
    token_list list = {0};
    EXPECT_OK(token_scan(str_c(sql), f->arena, &list, &f->err));
    return list;
}

static void test_a_script_splits_as_duckdb_splits_it(void **given)
{
    fixture *f = *given;
    str rest = GOLDEN(f, "engine/statements.jsonl");
    const json *entry;
    size_t compared = 0, different = 0;
    while ((entry = golden_next(f, &rest)) != NULL) {
        str sql = json_str_or(json_get(entry, "sql"), STR(""));
        token_list list;
        token_range *ranges;
        size_t count;
        if (json_get(entry, "kinds") == NULL) {
            continue;
        }
        compared++;
        count = SIZE_MAX;
        if (token_scan(sql, f->arena, &list, &f->err) == STATUS_OK) {
            token_split(&list, f->arena, &ranges, &count);
        }
        if (count != json_count(json_get(entry, "kinds"))) {
            print_error("%td statements in: %.*s\n", (ptrdiff_t)count, STR_ARG(sql));
            different++;
        }
    }
    assert_int_equal(different, 0);
    assert_true(compared > 400);
}

static void test_what_duckdb_finds_unterminated_is_refused_with_its_position(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *sql;
        int position;
    } cases[] = {
        {"select 'a", 7},       {"select \"a", 7},          {"select $$a", 7},
        {"select $t$ a $$", 7}, {"select 1 /* a /* */", 9}, {"select e'a\\'", 8},
        {"select \"\"", 7},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        token_list list;
        EXPECT_STATUS(SYNTAX, token_scan(str_c(cases[i].sql), f->arena, &list, &f->err));
        assert_int_equal(f->err.position, cases[i].position);
    }
}

static void test_bytes_that_are_no_text_are_refused(void **given)
{
    fixture *f = *given;
    token_list list;
    EXPECT_STATUS(SYNTAX, token_scan(str_from("select '\0'", 10), f->arena, &list, &f->err));
    assert_int_equal(f->err.position, 8);
    EXPECT_STATUS(SYNTAX, token_scan(STR("select '\xff'"), f->arena, &list, &f->err));
}

static void test_tokens_have_their_kinds(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *text;
        token_kind kind;
    } cases[] = {
        {"select", TOKEN_WORD},       {"\"a b\"", TOKEN_QUOTED}, {"'it''s'", TOKEN_TEXT},
        {"x'00'", TOKEN_TEXT},        {"$a$b$a$", TOKEN_TEXT},   {"$$$1$$", TOKEN_TEXT},
        {"1_000.5e-3", TOKEN_NUMBER}, {"0xFf", TOKEN_NUMBER},    {".5", TOKEN_NUMBER},
        {"?", TOKEN_PARAMETER},       {"?12", TOKEN_PARAMETER},  {"$1", TOKEN_PARAMETER},
        {"$name", TOKEN_PARAMETER},   {"::", TOKEN_CAST},        {"+", TOKEN_SYMBOL},
        {"caf\xc3\xa9", TOKEN_WORD},  {"a$b", TOKEN_WORD},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        token_list list = scan(f, cases[i].text);
        if (list.count != 1 || list.items[0].kind != cases[i].kind) {
            fail_msg("%s: %zu tokens, kind %d", cases[i].text, list.count, (int)list.items[0].kind);
        }
    }
}

static void test_names_and_texts_lose_their_quotes(void **given)
{
    fixture *f = *given;
    token_list list = scan(f, "\"we\"\"ird\" 'it''s' e'a\\tb' $x$ q $x$");
    str text;
    EXPECT_STR(token_name(&list, 0, f->arena), "we\"ird");
    EXPECT_OK(token_value(&list, 1, f->arena, &text, &f->err));
    EXPECT_STR(text, "it's");
    EXPECT_OK(token_value(&list, 2, f->arena, &text, &f->err));
    EXPECT_STR(text, "a\tb");
    EXPECT_OK(token_value(&list, 3, f->arena, &text, &f->err));
    EXPECT_STR(text, " q ");
}

static void test_a_keyword_in_quotes_is_no_keyword(void **given)
{
    fixture *f = *given;
    token_list list = scan(f, "SELECT \"select\"");
    assert_true(token_is(&list, 0, "select"));
    assert_false(token_is(&list, 1, "select"));
}

TESTS(test_a_script_splits_as_duckdb_splits_it,
      test_what_duckdb_finds_unterminated_is_refused_with_its_position,
      test_bytes_that_are_no_text_are_refused, test_tokens_have_their_kinds,
      test_names_and_texts_lose_their_quotes, test_a_keyword_in_quotes_is_no_keyword)

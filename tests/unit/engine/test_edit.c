/* Replaced pieces of a script, parameters among them, and the way back to the script's positions. */
#include "run/params.h"
#include "support/test.h"

static str with_params(fixture *f, const char *sql, const char *params)
{
    token_list list;
    edit_list edits = {0};
    edited made = {0};
    const json *values = NULL;
    EXPECT_OK(token_scan(str_c(sql), f->arena, &list, &f->err));
    if (params != NULL) {
        EXPECT_OK(json_parse(QUOTED(f, params), f->arena, &values, &f->err));
    }
    EXPECT_OK(
        params_edit(&list, (token_range){.to = list.count}, values, f->arena, &edits, &f->err));
    EXPECT_OK(edit_apply(list.sql, 0, list.sql.size, &edits, f->arena, &made, &f->err));
    return made.text;
}

static void test_parameters_become_literals_of_their_kind(void **given)
{
    fixture *f = *given;
    EXPECT_STR(with_params(f, "select ?, ?, $1", "[1, null]"), "select 1, NULL, 1");
    EXPECT_STR(with_params(f, "$a $b", "{'a': true, 'b': -2}"), "true (-2)");
    EXPECT_STR(with_params(f, "?", "[2.5]"), "2.5e0");
    EXPECT_STR(with_params(f, "?", "[[1, 'x']]"), "[1, 'x']");
    EXPECT_STR(with_params(f, "?", "[{'k': 1}]"), "{'k': 1}");
}

static void test_a_text_cannot_leave_its_quotes(void **given)
{
    fixture *f = *given;
    token_list list;
    edit_list edits = {0};
    edited made = {0};
    const json *values = NULL;
    EXPECT_OK(token_scan(STR("select ?"), f->arena, &list, &f->err));
    EXPECT_OK(json_parse(STR("[\"it's; drop\"]"), f->arena, &values, &f->err));
    EXPECT_OK(
        params_edit(&list, (token_range){.to = list.count}, values, f->arena, &edits, &f->err));
    EXPECT_OK(edit_apply(list.sql, 0, list.sql.size, &edits, f->arena, &made, &f->err));
    EXPECT_STR(made.text, "select 'it''s; drop'");
}

static void test_parameters_in_strings_and_comments_are_none(void **given)
{
    fixture *f = *given;
    EXPECT_STR(with_params(f, "select '?', \"$1\" -- ?\n, ?", "[7]"),
               "select '?', \"$1\" -- ?\n, 7");
}

static void test_a_missing_parameter_is_named_with_its_position(void **given)
{
    fixture *f = *given;
    token_list list;
    edit_list edits = {0};
    EXPECT_OK(token_scan(STR("select $x"), f->arena, &list, &f->err));
    EXPECT_STATUS(INVALID, params_edit(&list, (token_range){.to = list.count}, NULL, f->arena,
                                       &edits, &f->err));
    EXPECT_MESSAGE(f, "parameter \"x\" has no value");
    assert_int_equal(f->err.position, 7);
}

static void test_positions_lead_back_to_the_script(void **given)
{
    fixture *f = *given;
    edit_list edits = {0};
    edited made;
    /* script: "0123456789", of which 2…10 is taken; 4…6 becomes "abcdef", and "+" is put in at 8 */
    vec_push(f->arena, &edits, ((edit){.from = 8, .to = 8, .text = STR("+")}));
    vec_push(f->arena, &edits, ((edit){.from = 4, .to = 6, .text = STR("abcdef")}));
    vec_push(f->arena, &edits, ((edit){.from = 0, .to = 1, .text = STR("outside")}));
    EXPECT_OK(edit_apply(STR("0123456789"), 2, 10, &edits, f->arena, &made, &f->err));
    EXPECT_STR(made.text, "23abcdef67+89");
    assert_int_equal(edit_origin(&made, 0), 2);
    assert_int_equal(edit_origin(&made, 1), 3);
    assert_int_equal(edit_origin(&made, 2), 4);
    assert_int_equal(edit_origin(&made, 7), 4);
    assert_int_equal(edit_origin(&made, 8), 6);
    assert_int_equal(edit_origin(&made, 10), 8);
    assert_int_equal(edit_origin(&made, 12), 9);
}

static void test_an_error_outside_of_the_text_loses_its_position(void **given)
{
    fixture *f = *given;
    edit_list edits = {0};
    edited made;
    EXPECT_OK(edit_apply(STR("select 1"), 0, 8, &edits, f->arena, &made, &f->err));
    f->err.position = 12;
    edit_place_error(&made, 5, &f->err);
    assert_int_equal(f->err.position, 7);
    f->err.position = 3;
    edit_place_error(&made, 5, &f->err);
    assert_int_equal(f->err.position, ERROR_NO_POSITION);
}

TESTS(test_parameters_become_literals_of_their_kind, test_a_text_cannot_leave_its_quotes,
      test_parameters_in_strings_and_comments_are_none,
      test_a_missing_parameter_is_named_with_its_position, test_positions_lead_back_to_the_script,
      test_an_error_outside_of_the_text_loses_its_position)

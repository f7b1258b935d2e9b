/* Claims about help and completion: everything in the tables is in them. */
#include "support/test.h"

#include "completion.h"
#include "help.h"
#include "tarn/base/limits.h"
#include "terminal.h"

static str written(fixture *f, void (*write)(buf *out))
{
    buf *text = buf_in(f->arena, LIMIT_MIB);

    write(text);
    EXPECT_OK(buf_check(text, "text", &f->err));
    return buf_str(text);
}

static bool has(str text, str word)
{
    return str_find(text, word) != STR_NPOS;
}

static void test_the_reference_names_every_command_and_option(void **state)
{
    fixture *f = *state;
    str page = written(f, help_markdown);

    for (size_t i = 0; i < cli_command_count; i++) {
        const command *c = cli_commands[i];
        assert_true(has(page, str_printf(f->arena, "## tarn %s\n", c->name)));
        for (size_t o = 0; o < c->option_count; o++) {
            str name = str_printf(f->arena, "--%s", c->options[o].name);
            assert_true(c->options[o].hidden || has(page, name));
        }
    }
    assert_false(has(page, STR("private-report")));
}

static void test_every_shell_completes_every_command(void **state)
{
    fixture *f = *state;
    void (*const scripts[])(buf *) = {completion_bash, completion_zsh, completion_fish};

    for (size_t s = 0; s < COUNT_OF(scripts); s++) {
        str script = written(f, scripts[s]);
        for (size_t i = 0; i < cli_command_count; i++) {
            str second;
            str first = str_cut(str_c(cli_commands[i]->name), ' ', &second);
            assert_true(has(script, first) && (str_is_null(second) || has(script, second)));
        }
        assert_true(has(script, STR("table ls --complete")));
        assert_true(has(script, STR("partition-by")));
        assert_false(has(script, STR("private-report")));
    }
}

static void test_a_hyphen_in_the_man_page_is_one_that_can_be_typed(void **state)
{
    fixture *f = *state;
    str page = written(f, help_man);

    assert_true(has(page, STR("\\fB\\-\\-partition\\-by\\fR")));
    assert_false(has(page, STR("--")));
}

static void test_usage_marks_what_repeats_and_what_may_be_left_out(void **state)
{
    fixture *f = *state;

    EXPECT_STR(command_usage(f->arena, command_find(STR("load"))),
               "tarn load TABLE SOURCE… [OPTIONS]");
    EXPECT_STR(command_usage(f->arena, command_find(STR("table ls"))),
               "tarn table ls [NAMESPACE] [OPTIONS]");
}

static void test_width_counts_columns_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(text_width(STR("aü€")), 3);
    assert_int_equal(text_width(STR("日本")), 4);
    assert_int_equal(text_width(STR("e\xcc\x81")), 1); /* e and an accent of its own */
    EXPECT_STR(text_fit(STR("日本語"), 5), "日本");
    EXPECT_STR(text_fit(STR("abc"), 9), "abc");
    assert_int_equal(text_width(STR("\xff\xfe")),
                     2); /* no UTF-8: something, and no reading beyond */
}

TESTS(test_the_reference_names_every_command_and_option, test_every_shell_completes_every_command,
      test_a_hyphen_in_the_man_page_is_one_that_can_be_typed,
      test_usage_marks_what_repeats_and_what_may_be_left_out, test_width_counts_columns_not_bytes)

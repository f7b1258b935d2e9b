/* Claims about how the command line is taken apart. */
#include "support/test.h"

#include "invocation.h"

/* Words as they are typed, separated by blanks. */
static status parse(fixture *f, const char *line, invocation *ret_in)
{
    char **argv = ARENA_ARRAY(f->arena, char *, 64);
    int argc = 0;

    for (str rest = str_c(line); !str_is_null(rest);) {
        argv[argc++] = str_to_c(f->arena, str_cut(rest, ' ', &rest));
    }
    return invocation_parse(f->arena, argc, argv, ret_in, &f->err);
}

static void test_global_options_stand_before_and_after_the_command(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_OK(parse(f, "tarn --data a -q sql -o csv --data b", &in));
    assert_string_equal(in.command->name, "sql");
    EXPECT_STR(invocation_get(&in, "data"), "b"); /* the last one counts */
    EXPECT_STR(invocation_get(&in, "output"), "csv");
    assert_true(invocation_has(&in, "quiet"));
    assert_false(invocation_has(&in, "verbose"));
}

static void test_letters_may_be_joined_and_carry_their_value(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_OK(parse(f, "tarn status -qvojson", &in));
    assert_true(invocation_has(&in, "quiet") && invocation_has(&in, "verbose"));
    EXPECT_STR(invocation_get(&in, "output"), "json");
}

static void test_a_command_of_two_words_is_found(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_OK(parse(f, "tarn table --data x show main.t", &in));
    assert_string_equal(in.command->name, "table show");
    EXPECT_STR(in.arguments.items[0], "main.t");
}

static void test_a_group_alone_is_no_command(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_OK(parse(f, "tarn table", &in));
    assert_null(in.command);
    EXPECT_STR(in.group, "table");
}

static void test_every_setting_is_an_option(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_OK(parse(f, "tarn serve --http.listen none --engine.spare=2", &in));
    assert_int_equal(in.settings.count, 2);
    EXPECT_STR(in.settings.items[0].name, "http.listen");
    EXPECT_STR(in.settings.items[0].value, "none");
    EXPECT_STR(in.settings.items[1].value, "2");
}

static void test_repeated_options_keep_their_order(void **state)
{
    fixture *f = *state;
    invocation in;
    str value;
    size_t at = 0;

    EXPECT_OK(parse(f, "tarn sql -c one --command=two", &in));
    assert_true(invocation_next(&in, "command", &at, &value));
    EXPECT_STR(value, "one");
    assert_true(invocation_next(&in, "command", &at, &value));
    EXPECT_STR(value, "two");
    assert_false(invocation_next(&in, "command", &at, &value));
}

static void test_words_behind_two_dashes_are_arguments(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_OK(parse(f, "tarn load t -- --odd.csv -", &in));
    assert_int_equal(in.arguments.count, 3);
    EXPECT_STR(in.arguments.items[1], "--odd.csv");
    EXPECT_STR(in.arguments.items[2], "-");
}

static void test_unknown_words_are_refused_with_the_nearest(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_STATUS(USAGE, parse(f, "tarn lod x", &in));
    EXPECT_MESSAGE(f, "command \"lod\" is not known");
    EXPECT_HINT(f, "Did you mean \"load\"?");
    EXPECT_STATUS(USAGE, parse(f, "tarn load t a --frmat csv", &in));
    EXPECT_HINT(f, "Did you mean \"--format\"?");
    EXPECT_STATUS(USAGE, parse(f, "tarn serve --http.listn x", &in));
    EXPECT_HINT(f, "Did you mean \"--http.listen\"?");
    EXPECT_STATUS(USAGE, parse(f, "tarn table shw t", &in));
    EXPECT_HINT(f, "Did you mean \"table show\"?");
}

static void test_a_commands_options_are_unknown_to_others(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_STATUS(USAGE, parse(f, "tarn status --partition-by x", &in));
    EXPECT_STATUS(USAGE, parse(f, "tarn --partition-by x load t a", &in));
}

static void test_values_outside_the_choices_are_refused(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_STATUS(USAGE, parse(f, "tarn status -o xml", &in));
    EXPECT_MESSAGE(f, "option \"-o\" cannot be \"xml\"");
    EXPECT_STATUS(USAGE, parse(f, "tarn generate cars", &in));
    EXPECT_STATUS(USAGE, parse(f, "tarn status --quiet=yes", &in));
    EXPECT_STATUS(USAGE, parse(f, "tarn status --data", &in));
    EXPECT_MESSAGE(f, "option \"--data\" needs a value");
}

static void test_arguments_are_counted(void **state)
{
    fixture *f = *state;
    invocation in;

    EXPECT_STATUS(USAGE, parse(f, "tarn load t", &in));
    EXPECT_STATUS(USAGE, parse(f, "tarn table show", &in));
    EXPECT_STATUS(USAGE, parse(f, "tarn table show a b", &in));
    EXPECT_MESSAGE(f, "argument \"b\" is one too many");
    EXPECT_STATUS(USAGE, parse(f, "tarn version now", &in));
    EXPECT_OK(parse(f, "tarn load --help", &in)); /* help needs none */
    assert_true(in.help);
}

static void test_names_and_letters_are_used_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_count; i++) {
        const command *c = cli_commands[i];
        assert_ptr_equal(command_find(str_c(c->name)), c);
        for (size_t o = 0; o < c->option_count; o++) {
            for (size_t g = 0; g < global_option_count; g++) {
                assert_string_not_equal(c->options[o].name, global_options[g].name);
                assert_true(c->options[o].letter == 0 ||
                            c->options[o].letter != global_options[g].letter);
            }
        }
        for (size_t a = 0; a + 1 < c->argument_count; a++) {
            assert_false(c->arguments[a].repeats);
        }
    }
}

TESTS(test_global_options_stand_before_and_after_the_command,
      test_letters_may_be_joined_and_carry_their_value, test_a_command_of_two_words_is_found,
      test_a_group_alone_is_no_command, test_every_setting_is_an_option,
      test_repeated_options_keep_their_order, test_words_behind_two_dashes_are_arguments,
      test_unknown_words_are_refused_with_the_nearest,
      test_a_commands_options_are_unknown_to_others, test_values_outside_the_choices_are_refused,
      test_arguments_are_counted, test_names_and_letters_are_used_once)

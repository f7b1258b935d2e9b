/* Claims about settings: precedence, origins, and what is refused with which cure. */
#include "support/test.h"

#include <stdlib.h>

#include "tarn/settings/settings.h"

/* A home of the test's own, so that no file or variable of the machine's is seen. */
static settings_options isolated(fixture *f)
{
    setenv("HOME", f->dir, 1);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_DATA_HOME");
    unsetenv("TARN_CONFIG");
    unsetenv("TARN_HTTP_LISTEN");
    unsetenv("TARN_DATA");
    return (settings_options){.data_path = f->dir};
}

static settings *load(fixture *f, const settings_options *options)
{
    settings *s = NULL;
    EXPECT_OK(settings_load(options, &s, &f->err));
    return s;
}

static void test_defaults_come_from_the_table(void **state)
{
    fixture *f = *state;
    settings_options options = isolated(f);
    settings *s = load(f, &options);

    EXPECT_STR(setting_text(s, SETTING_HTTP_LISTEN), "127.0.0.1:8181");
    assert_int_equal(s->values[SETTING_HTTP_LISTEN].origin, ORIGIN_DEFAULT);
    assert_int_equal(setting_number(s, SETTING_QUERY_TIMEOUT), 3600 * 1000);
    assert_int_equal(setting_number(s, SETTING_HTTP_BODY_MAX), INT64_C(64) << 30);
    settings_free(s);
}

static void test_flag_beats_environment_beats_file_beats_default(void **state)
{
    fixture *f = *state;
    settings_options options = isolated(f);
    const setting_flag flag = {.name = STR("http.listen"), .value = STR("127.0.0.1:4")};
    char origin[256];

    test_write_file(f, "tarn.yaml", STR("http:\n  listen: 127.0.0.1:2\nengine.workers: 3\n"));
    settings *s = load(f, &options);
    EXPECT_STR(setting_text(s, SETTING_HTTP_LISTEN), "127.0.0.1:2");
    assert_int_equal(setting_number(s, SETTING_ENGINE_WORKERS), 3);
    settings_free(s);

    setenv("TARN_HTTP_LISTEN", "127.0.0.1:3", 1);
    s = load(f, &options);
    EXPECT_STR(setting_text(s, SETTING_HTTP_LISTEN), "127.0.0.1:3");
    setting_origin_format(&s->values[SETTING_HTTP_LISTEN], origin);
    assert_string_equal(origin, "environment TARN_HTTP_LISTEN");
    settings_free(s);

    options.flags = &flag;
    options.flag_count = 1;
    s = load(f, &options);
    EXPECT_STR(setting_text(s, SETTING_HTTP_LISTEN), "127.0.0.1:4");
    setting_origin_format(&s->values[SETTING_HTTP_LISTEN], origin);
    assert_string_equal(origin, "flag --http.listen");
    settings_free(s);
    unsetenv("TARN_HTTP_LISTEN");
}

static void test_lists_split_at_colons_and_take_yaml_lists(void **state)
{
    fixture *f = *state;
    settings_options options = isolated(f);

    test_write_file(f, "tarn.yaml", STR("warehouse:\n  roots: [/a, /b c]\n"));
    settings *s = load(f, &options);
    assert_int_equal(s->values[SETTING_WAREHOUSE_ROOTS].list_count, 2);
    EXPECT_STR(s->values[SETTING_WAREHOUSE_ROOTS].list[1], "/b c");
    settings_free(s);
}

static void test_unknown_names_are_refused_with_the_nearest(void **state)
{
    fixture *f = *state;
    settings_options options = isolated(f);
    settings *s = NULL;

    test_write_file(f, "tarn.yaml", STR("http:\n  lisen: 127.0.0.1:2\n"));
    EXPECT_STATUS(USAGE, settings_load(&options, &s, &f->err));
    assert_non_null(strstr(f->err.message, "there is no setting \"http.lisen\""));
    EXPECT_HINT(f, "Did you mean \"http.listen\"?");
    assert_null(s);
}

static void test_values_that_cannot_be_are_refused_with_the_cure(void **state)
{
    static const struct {
        str name, value;
    } bad[] = {
        {STR_INIT("http.listen"), STR_INIT("8181")},
        {STR_INIT("http.listen"), STR_INIT("127.0.0.1:99999")},
        {STR_INIT("engine.workers"), STR_INIT("-1")},
        {STR_INIT("engine.memory"), STR_INIT("10 potatoes")},
        {STR_INIT("engine.memory"), STR_INIT("99999999999TiB")},
        {STR_INIT("query.timeout"), STR_INIT("soon")},
        {STR_INIT("auth.mode"), STR_INIT("maybe")},
        {STR_INIT("engine.pruning"), STR_INIT("perhaps")},
    };
    fixture *f = *state;
    settings_options options = isolated(f);

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const setting_flag flag = {.name = bad[i].name, .value = bad[i].value};
        settings *s = NULL;
        options.flags = &flag;
        options.flag_count = 1;
        EXPECT_STATUS(USAGE, settings_load(&options, &s, &f->err));
        assert_non_null(strstr(f->err.message, bad[i].name.data));
        assert_true(strncmp(f->err.hint, "It takes ", 9) == 0);
    }
}

static void test_a_named_settings_file_must_exist(void **state)
{
    fixture *f = *state;
    settings_options options = isolated(f);
    settings *s = NULL;

    options.config_path = test_path(f, "absent.yaml");
    EXPECT_STATUS(NOT_FOUND, settings_load(&options, &s, &f->err));
}

TESTS(test_defaults_come_from_the_table, test_flag_beats_environment_beats_file_beats_default,
      test_lists_split_at_colons_and_take_yaml_lists,
      test_unknown_names_are_refused_with_the_nearest,
      test_values_that_cannot_be_are_refused_with_the_cure, test_a_named_settings_file_must_exist)

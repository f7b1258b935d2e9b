/* Claims about base/log.h. Lines go to a file of the test's own. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/base/thread.h"

#define LOG_PREFIX "time=2026-11-21T11:30:00.123Z level=info event=e"

static int64_t fixed_us(void *context)
{
    (void)context;
    return INT64_C(1795260600123456);
}

static const tarn_clock fixed_clock = {.wall_us = fixed_us, .mono_ns = fixed_us};

/* Opens the log of a test; closed with its arena. */
static void start_log(fixture *f, log_level level, log_format format)
{
    int fd;

    EXPECT_OK(
        fs_open(test_path(f, "log"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600, &fd, &f->err));
    fs_close_with(f->arena, fd);
    clock_install(&fixed_clock);
    log_configure(level, format, fd);
}

/* What was logged since start_log. */
static str end_log(fixture *f)
{
    log_configure(LOG_INFO, LOG_TEXT, STDERR_FILENO);
    clock_install(NULL);
    return test_read_file(f, test_path(f, "log"));
}

static void test_a_text_line_has_time_level_event_and_fields(void **state)
{
    fixture *f = *state;

    start_log(f, LOG_INFO, LOG_TEXT);
    log_event(LOG_WARN, "server ready", LOG_C("http", "127.0.0.1:8181"), LOG_INT("pid", -12),
              LOG_DOUBLE("seconds", 0.1), LOG_BOOL("first", true), LOG_STR("empty", STR_NULL));
    EXPECT_STR(end_log(f), "time=2026-11-21T11:30:00.123Z level=warn event=\"server ready\" "
                           "http=127.0.0.1:8181 pid=-12 seconds=0.1 first=true empty=\"\"\n");
}

static void test_a_json_line_is_one_object(void **state)
{
    fixture *f = *state;

    start_log(f, LOG_INFO, LOG_JSON);
    log_event(LOG_ERROR, "e", LOG_C("text", "a b"), LOG_INT("n", INT64_MAX), LOG_DOUBLE("d", 1.5),
              LOG_DOUBLE("none", (double)NAN), LOG_DOUBLE("much", (double)INFINITY),
              LOG_BOOL("no", false), LOG_STR("null", STR_NULL), LOG_C("", "x"));
    EXPECT_STR(end_log(f),
               "{\"time\":\"2026-11-21T11:30:00.123Z\",\"level\":\"error\",\"event\":\"e\","
               "\"text\":\"a b\",\"n\":9223372036854775807,\"d\":1.5,\"none\":\"nan\","
               "\"much\":\"inf\",\"no\":false,\"null\":null,\"\":\"x\"}\n");
}

static void test_values_are_quoted_only_where_needed(void **state)
{
    fixture *f = *state;

    start_log(f, LOG_INFO, LOG_TEXT);
    log_event(LOG_INFO, "e", LOG_C("plain", "a-b/c:ä"), LOG_C("space", "a b"),
              LOG_C("quote", "a\"b"), LOG_C("equals", "a=b"), LOG_C("back", "a\\b"),
              LOG_C("line", "a\nb"), LOG_STR("bytes", STR("\xFF")));
    EXPECT_STR(end_log(f), LOG_PREFIX " plain=a-b/c:ä space=\"a b\" quote=\"a\\\"b\" "
                                      "equals=\"a=b\" back=\"a\\\\b\" line=\"a\\nb\" "
                                      "bytes=\"\xEF\xBF\xBD\"\n");
}

static void test_no_value_can_forge_a_line_or_steer_a_terminal(void **state)
{
    fixture *f = *state;
    str evil = STR("x\nlevel=error\r\t\x1b[2J\0\x7f\xC2\x9B"
                   "0m");

    start_log(f, LOG_INFO, LOG_TEXT);
    log_event(LOG_INFO, "e", LOG_STR("v", evil));
    EXPECT_STR(end_log(f),
               LOG_PREFIX " v=\"x\\nlevel=error\\r\\t\\u001b[2J\\u0000\\u007f\\u009b0m\"\n");
    start_log(f, LOG_INFO, LOG_JSON);
    log_event(LOG_INFO, "e", LOG_STR("v", evil));
    EXPECT_STR(end_log(f),
               "{\"time\":\"2026-11-21T11:30:00.123Z\",\"level\":\"info\",\"event\":\"e\","
               "\"v\":\"x\\nlevel=error\\r\\t\\u001b[2J\\u0000\\u007f\\u009b0m\"}\n");
}

static void test_invalid_utf8_is_replaced(void **state)
{
    fixture *f = *state;
    str line;

    start_log(f, LOG_INFO, LOG_JSON);
    log_event(LOG_INFO, "e", LOG_STR("v", STR("a\xFF\xC3(\xED\xA0\x80")));
    line = end_log(f);
    assert_true(str_is_utf8(line));
    assert_true(str_find(line, STR("\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD")) != STR_NPOS);
}

static void test_secrets_are_redacted_under_their_names(void **state)
{
    static const char *const secret[] = {
        "key",
        "access_key",
        "secret",
        "SecretAccessKey",
        "password",
        "db.password",
        "token",
        "session-token",
        "authorization",
        "Authorization",
        "signature",
        "X-Amz-Signature",
        "secret_value",
        "password_hash",
        "cookie",
        "set-cookie",
        "proxy_authorization",
        "TARN_KEY",
        "credentials",
        "passphrase",
    };
    static const char *const open[] = {"key_id", "key_file", "token_kind", "keys_count", "object",
                                       "table",  "message",  "tokenizer",  "access_kind"};
    fixture *f = *state;

    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        for (size_t i = 0; i < COUNT_OF(secret); i++) {
            str line;

            start_log(f, LOG_INFO, (log_format)format);
            log_event(LOG_INFO, "e", LOG_C(secret[i], "hunter2"));
            line = end_log(f);
            assert_true(str_find(line, STR("[redacted]")) != STR_NPOS);
            assert_true(str_find(line, STR("hunter2")) == STR_NPOS);
        }
        for (size_t i = 0; i < COUNT_OF(open); i++) {
            start_log(f, LOG_INFO, (log_format)format);
            log_event(LOG_INFO, "e", LOG_C(open[i], "shown"));
            assert_true(str_find(end_log(f), STR("shown")) != STR_NPOS);
        }
    }
}

static void test_lines_below_the_level_are_not_written(void **state)
{
    fixture *f = *state;

    start_log(f, LOG_WARN, LOG_TEXT);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
    log_event(LOG_DEBUG, "debug", LOG_INT("n", 1));
    log_event(LOG_INFO, "info", LOG_INT("n", 1));
    log_event(LOG_OFF, "off", LOG_INT("n", 1));
    EXPECT_STR(end_log(f), "");
    start_log(f, LOG_OFF, LOG_TEXT);
    log_event(LOG_ERROR, "error", LOG_INT("n", 1));
    EXPECT_STR(end_log(f), "");
}

static void test_level_names_are_known_in_any_case(void **state)
{
    bool known;

    (void)state;
    assert_int_equal(log_level_from(STR("debug"), &known), LOG_DEBUG);
    assert_true(known);
    assert_int_equal(log_level_from(STR("WARN"), &known), LOG_WARN);
    assert_true(known);
    (void)log_level_from(STR("loud"), &known);
    assert_false(known);
}

static void test_lines_carry_the_request_id_of_their_thread(void **state)
{
    fixture *f = *state;

    start_log(f, LOG_INFO, LOG_TEXT);
    log_set_request_id("r-1");
    log_event(LOG_INFO, "e", LOG_INT("n", 1));
    log_set_request_id(NULL);
    log_event(LOG_INFO, "e", LOG_INT("n", 2));
    EXPECT_STR(end_log(f), LOG_PREFIX " request_id=r-1 n=1\n" LOG_PREFIX " n=2\n");
}

static void test_long_values_are_cut_and_marked(void **state)
{
    fixture *f = *state;
    char *text = arena_alloc(f->arena, 100001);
    str line;

    memset(text, 'x', 100000);
    start_log(f, LOG_INFO, LOG_TEXT);
    log_event(LOG_INFO, "e", LOG_C("long", text), LOG_INT("after", 1));
    line = end_log(f);
    assert_in_range(line.size, 1000, 10000);
    assert_true(str_ends_with(line, STR("x… after=1\n")));
}

/* Control characters take six bytes each: only the first fields of such a line fit. */
static void test_a_line_that_grows_too_long_stays_whole(void **state)
{
    fixture *f = *state;
    log_field fields[41] = {{0}};
    char text[8001];
    str line;

    memset(text, 1, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(fields) - 1; i++) {
        fields[i] = LOG_C("v", text);
    }
    start_log(f, LOG_INFO, LOG_JSON);
    log_fields(LOG_INFO, "e", fields);
    line = end_log(f);
    assert_true(line.size <= (size_t)256 * 1024);
    assert_true(str_starts_with(line, STR("{\"time\":")));
    assert_true(str_ends_with(line, STR("\\u0001\"}\n")));
}

static void test_failures_are_logged_by_who_must_act(void **state)
{
    fixture *f = *state;
    error err = ERROR_INIT;

    start_log(f, LOG_INFO, LOG_TEXT);
    error_set(&err, STATUS_NO_COLUMN, "table \"t\" has no column \"amout\"");
    error_hint(&err, "Did you mean \"amount\"?");
    err.position = 17;
    log_failure("e", &err);
    error_set(&err, STATUS_BUSY, "busy");
    log_failure("e", &err);
    error_set(&err, STATUS_CORRUPT, "broken");
    error_detail(&err, "block 7");
    log_failure("e", &err);
    EXPECT_STR(end_log(f), LOG_PREFIX
               " code=unknown_column message=\"table \\\"t\\\" has no column "
               "\\\"amout\\\"\" hint=\"Did you mean \\\"amount\\\"?\" position=17\n"
               "time=2026-11-21T11:30:00.123Z level=warn event=e code=busy message=busy\n"
               "time=2026-11-21T11:30:00.123Z level=error event=e code=corrupt "
               "message=broken detail=\"block 7\"\n");
}

static void test_logging_leaves_errno_alone(void **state)
{
    fixture *f = *state;

    (void)f;
    log_configure(LOG_INFO, LOG_TEXT, -1); /* every write fails */
    errno = ENOENT;
    log_event(LOG_INFO, "e", LOG_INT("n", 1));
    assert_int_equal(errno, ENOENT);
    log_configure(LOG_INFO, LOG_TEXT, STDERR_FILENO);
}

static void log_many(void *context, size_t index)
{
    (void)context;
    for (int i = 0; i < 200; i++) {
        log_event(LOG_INFO, "e", LOG_INT("thread", index), LOG_INT("i", i),
                  LOG_C("padding", "0123456789012345678901234567890123456789"), LOG_C("end", "1"));
    }
}

static void test_lines_of_several_threads_do_not_mix(void **state)
{
    fixture *f = *state;
    size_t count = 0;
    str rest;

    start_log(f, LOG_INFO, LOG_TEXT);
    parallel_for(4, 4, log_many, NULL);
    rest = end_log(f);
    for (;;) {
        str line = str_cut(rest, '\n', &rest);

        if (str_is_null(rest)) {
            assert_int_equal(line.size, 0);
            break;
        }
        assert_true(str_starts_with(line, STR(LOG_PREFIX " thread=")));
        assert_true(str_ends_with(line, STR("6789 end=1")));
        count++;
    }
    assert_int_equal(count, 800);
}

TESTS(test_a_text_line_has_time_level_event_and_fields, test_a_json_line_is_one_object,
      test_values_are_quoted_only_where_needed, test_no_value_can_forge_a_line_or_steer_a_terminal,
      test_invalid_utf8_is_replaced, test_secrets_are_redacted_under_their_names,
      test_lines_below_the_level_are_not_written, test_level_names_are_known_in_any_case,
      test_lines_carry_the_request_id_of_their_thread, test_long_values_are_cut_and_marked,
      test_a_line_that_grows_too_long_stays_whole, test_failures_are_logged_by_who_must_act,
      test_logging_leaves_errno_alone, test_lines_of_several_threads_do_not_mix)

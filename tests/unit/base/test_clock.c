/* Claims about base/clock.h. */
#include <stdio.h>

#include "support/test.h"
#include "tarn/base/clock.h"
#include "tarn/base/rng.h"

#define US_PER_DAY INT64_C(86400000000)

static const struct {
    int year, month, day;
    int64_t days;
} dates[] = {
    {1970, 1, 1, 0},       {1969, 12, 31, -1},      {1970, 3, 1, 59},
    {2000, 2, 29, 11016},  {2000, 3, 1, 11017},     {1900, 2, 28, -25509},
    {1900, 3, 1, -25508},  {2026, 11, 21, 20778},   {1600, 2, 29, -135081},
    {1, 1, 1, -719162},    {0, 2, 29, -719469},     {0, 3, 1, -719468},
    {-1, 12, 31, -719529}, {9999, 12, 31, 2932896}, {-4713, 11, 24, -2440588},
};

static void test_known_dates_have_their_day_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        int year, month, day;

        assert_int_equal(date_to_days(dates[i].year, dates[i].month, dates[i].day), dates[i].days);
        date_from_days(dates[i].days, &year, &month, &day);
        assert_int_equal(year, dates[i].year);
        assert_int_equal(month, dates[i].month);
        assert_int_equal(day, dates[i].day);
    }
}

static int days_in(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : lengths[month - 1];
}

/* Every day of a thousand years, counted on as a child would. */
static void test_every_day_follows_the_one_before(void **state)
{
    int64_t days = date_to_days(-400, 1, 1);

    (void)state;
    for (int year = -400; year < 2400; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; day <= days_in(year, month); day++, days++) {
                int got_year, got_month, got_day;

                date_from_days(days, &got_year, &got_month, &got_day);
                if (got_year != year || got_month != month || got_day != day ||
                    date_to_days(year, month, day) != days) {
                    fail_msg("day %lld is %d-%d-%d, not %d-%d-%d", (long long)days, got_year,
                             got_month, got_day, year, month, day);
                }
            }
        }
    }
}

static const char *format(fixture *f, int64_t us, int digits)
{
    char *text = arena_alloc(f->arena, CLOCK_TEXT_SIZE);

    clock_format_utc(us, digits, text);
    return text;
}

static void test_times_are_written_with_the_digits_asked_for(void **state)
{
    fixture *f = *state;
    int64_t us = INT64_C(1795260600123456);

    assert_string_equal(format(f, us, 6), "2026-11-21T11:30:00.123456Z");
    assert_string_equal(format(f, us, 3), "2026-11-21T11:30:00.123Z");
    assert_string_equal(format(f, us, 0), "2026-11-21T11:30:00Z");
    assert_string_equal(format(f, 0, 6), "1970-01-01T00:00:00.000000Z");
}

static void test_times_before_1970_count_forward_within_their_second(void **state)
{
    fixture *f = *state;

    assert_string_equal(format(f, -1, 6), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(format(f, -1, 3), "1969-12-31T23:59:59.999Z");
    assert_string_equal(format(f, -1, 0), "1969-12-31T23:59:59Z");
    assert_string_equal(format(f, -US_PER_DAY, 0), "1969-12-31T00:00:00Z");
    assert_string_equal(format(f, date_to_days(1492, 10, 12) * US_PER_DAY + 1000, 3),
                        "1492-10-12T00:00:00.001Z");
}

static void test_extreme_times_fit_the_text(void **state)
{
    fixture *f = *state;

    assert_string_equal(format(f, INT64_MAX, 6), "+294247-01-10T04:00:54.775807Z");
    assert_string_equal(format(f, INT64_MIN, 6), "-290308-12-21T19:59:05.224192Z");
}

static void expect_time(fixture *f, const char *text, const char *expected)
{
    int64_t us;

    EXPECT_OK(clock_parse(str_c(text), &us, &f->err));
    assert_string_equal(format(f, us, 6), expected);
}

static void test_parse_reads_the_usual_forms(void **state)
{
    fixture *f = *state;

    expect_time(f, "2026-11-21T11:30:00Z", "2026-11-21T11:30:00.000000Z");
    expect_time(f, "2026-11-21 11:30:00", "2026-11-21T11:30:00.000000Z");
    expect_time(f, "2026-11-21T11:30", "2026-11-21T11:30:00.000000Z");
    expect_time(f, "2026-11-21", "2026-11-21T00:00:00.000000Z");
    expect_time(f, "2026-11-21t11:30:00.5z", "2026-11-21T11:30:00.500000Z");
    expect_time(f, "2026-11-21T11:30:00.123456789Z", "2026-11-21T11:30:00.123456Z");
    expect_time(f, "2026-11-21T11:30:00+05:30", "2026-11-21T06:00:00.000000Z");
    expect_time(f, "2026-11-21T11:30:00-0800", "2026-11-21T19:30:00.000000Z");
    expect_time(f, "2026-01-01T00:30:00+01", "2025-12-31T23:30:00.000000Z");
    expect_time(f, "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z");
    expect_time(f, "0000-02-29", "0000-02-29T00:00:00.000000Z");
    expect_time(f, "-0044-03-15", "-0044-03-15T00:00:00.000000Z");
}

static void test_parse_refuses_what_is_no_time(void **state)
{
    static const char *const bad[] = {
        "",
        "now",
        "2026",
        "2026-11",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "1900-02-29",
        "2026-04-31",
        "2026-1-1",
        "2026-11-21T",
        "2026-11-21T11",
        "2026-11-21T24:00",
        "2026-11-21T11:60",
        "2026-11-21T11:30:60Z",
        "2026-11-21T11:30:00.",
        "2026-11-21T11:30:00.1234567890Z",
        "2026-11-21T11:30:00+24:00",
        "2026-11-21T11:30:00+1",
        "2026-11-21T11:30:00+01:",
        "2026-11-21T11:30:00Zx",
        "2026-11-21T11:30:00 Z",
        "2026-11-21Z",
        " 2026-11-21",
        "20261121",
        "12026-11-21",
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t us = 42;

        EXPECT_STATUS(INVALID, clock_parse(str_c(bad[i]), &us, &f->err));
        assert_int_equal(us, 42);
    }
    EXPECT_STATUS(INVALID, clock_parse(STR("yesterday"), &(int64_t){0}, &f->err));
    EXPECT_MESSAGE(f, "\"yesterday\" is not a point in time like 2026-11-21T11:30:00Z");
    EXPECT_STATUS(INVALID, clock_parse(STR("+300000-01-01"), &(int64_t){0}, &f->err));
    EXPECT_MESSAGE(f, "\"+300000-01-01\" is too far from 1970");
    EXPECT_STATUS(INVALID,
                  clock_parse(STR("-290308-12-21T19:59:05.224191Z"), &(int64_t){0}, &f->err));
    EXPECT_STATUS(INVALID,
                  clock_parse(STR("+294247-01-10T04:00:54.775808Z"), &(int64_t){0}, &f->err));
    EXPECT_STATUS(INVALID, clock_parse(STR_NULL, &(int64_t){0}, &f->err));
}

static void test_what_is_written_is_read_back(void **state)
{
    fixture *f = *state;
    rng random;

    rng_seed(&random, 3);
    for (int i = 0; i < 5000; i++) {
        /* Over all years first, then over our own. */
        int64_t us = (int64_t)(rng_next(&random) >> (i % 2 == 0 ? 0 : 12));
        int64_t back = 0;

        if (i < 10) {
            us = i % 2 == 0 ? INT64_MIN + i : INT64_MAX - i;
        }
        EXPECT_OK(clock_parse(str_c(format(f, us, 6)), &back, &f->err));
        assert_true(back == us);
    }
}

static int64_t fixed_wall_us(void *context)
{
    return *(int64_t *)context;
}

static int64_t fixed_mono_ns(void *context)
{
    return *(int64_t *)context + 7;
}

static void test_an_installed_clock_is_the_time(void **state)
{
    int64_t now = -1500;
    tarn_clock clock = {.wall_us = fixed_wall_us, .mono_ns = fixed_mono_ns, .context = &now};

    (void)state;
    clock_install(&clock);
    assert_int_equal(clock_now_us(), -1500);
    assert_int_equal(clock_now_ms(), -2); /* the millisecond that has begun, before 1970 too */
    now = 5000000;
    assert_int_equal(clock_now_ms(), 5000);
    assert_int_equal(clock_mono_ns(), 5000007);
    assert_int_equal(clock_mono_ms(), 5);
    clock_install(NULL);
    assert_true(clock_now_us() > date_to_days(2020, 1, 1) * US_PER_DAY);
}

static void test_the_monotonic_clock_covers_a_sleep(void **state)
{
    int64_t before = clock_mono_ns();

    (void)state;
    clock_sleep_ms(-5);
    clock_sleep_ms(2);
    assert_true(clock_mono_ns() - before >= 2000000);
}

TESTS(test_known_dates_have_their_day_numbers, test_every_day_follows_the_one_before,
      test_times_are_written_with_the_digits_asked_for,
      test_times_before_1970_count_forward_within_their_second, test_extreme_times_fit_the_text,
      test_parse_reads_the_usual_forms, test_parse_refuses_what_is_no_time,
      test_what_is_written_is_read_back, test_an_installed_clock_is_the_time,
      test_the_monotonic_clock_covers_a_sleep)

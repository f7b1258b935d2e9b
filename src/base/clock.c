/* Time: the two clocks, and the text of a point in time. Calendar arithmetic is in calendar.c. */
#include "tarn/base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_SECOND)
#define NS_PER_SECOND INT64_C(1000000000)

static int64_t read_clock(clockid_t which, int64_t units_per_second)
{
    struct timespec now;
    int failed = clock_gettime(which, &now);

    ASSERT(failed == 0);
    return (int64_t)now.tv_sec * units_per_second +
           (int64_t)now.tv_nsec / (NS_PER_SECOND / units_per_second);
}

static int64_t system_wall_us(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME, US_PER_SECOND);
}

static int64_t system_mono_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC, NS_PER_SECOND);
}

static const tarn_clock system_clock = {.wall_us = system_wall_us, .mono_ns = system_mono_ns};
static _Atomic(const tarn_clock *) installed = &system_clock;

void clock_install(const tarn_clock *clock)
{
    atomic_store(&installed, clock != NULL ? clock : &system_clock);
}

int64_t clock_now_us(void)
{
    const tarn_clock *clock = atomic_load_explicit(&installed, memory_order_acquire);

    return clock->wall_us(clock->context);
}

int64_t clock_now_ms(void)
{
    int64_t us = clock_now_us();

    return us / 1000 - (us % 1000 < 0 ? 1 : 0);
}

int64_t clock_mono_ns(void)
{
    const tarn_clock *clock = atomic_load_explicit(&installed, memory_order_acquire);

    return clock->mono_ns(clock->context);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / (NS_PER_SECOND / 1000);
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec end;
    int failed;

    if (ms <= 0) {
        return;
    }
    failed = clock_gettime(CLOCK_MONOTONIC, &end);
    ASSERT(failed == 0);
    end.tv_sec += (time_t)(ms / 1000);
    end.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (end.tv_nsec >= NS_PER_SECOND) {
        end.tv_nsec -= NS_PER_SECOND;
        end.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR) {
        /* a signal is no reason to wake early */
    }
}

void clock_format_utc(int64_t us, int digits, char *ret_text)
{
    bool before_midnight = us % US_PER_DAY < 0; /* C divides towards zero */
    int64_t days = us / US_PER_DAY - (before_midnight ? 1 : 0);
    int64_t in_day = us % US_PER_DAY + (before_midnight ? US_PER_DAY : 0);
    int seconds = (int)(in_day / US_PER_SECOND);
    int fraction = (int)(in_day % US_PER_SECOND);
    char fraction_text[16] = "";
    char year_text[16];
    int year, month, day;

    date_from_days(days, &year, &month, &day);
    /* ISO 8601: years outside 0 … 9999 carry their sign. */
    (void)snprintf(year_text, sizeof(year_text), year < 0 || year > 9999 ? "%+05d" : "%04d", year);
    if (digits == 6) {
        (void)snprintf(fraction_text, sizeof(fraction_text), ".%06d", fraction);
    } else if (digits == 3) {
        (void)snprintf(fraction_text, sizeof(fraction_text), ".%03d", fraction / 1000);
    }
    (void)snprintf(ret_text, CLOCK_TEXT_SIZE, "%s-%02d-%02dT%02d:%02d:%02d%sZ", year_text, month,
                   day, seconds / 3600, seconds / 60 % 60, seconds % 60, fraction_text);
}

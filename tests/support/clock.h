/* clock.h: a clock that stands still until a test moves it. */
#ifndef TARN_TEST_CLOCK_H
#define TARN_TEST_CLOCK_H

#include "tarn/base/clock.h"

static int64_t now_us = 1700000000000000;

static int64_t stopped_wall_us(void *context)
{
    (void)context;
    return now_us;
}

static int64_t stopped_mono_ns(void *context)
{
    (void)context;
    return now_us * 1000;
}

/* clock_install(NULL) starts the usual one again. */
static inline void stop_clock(void)
{
    static const tarn_clock stopped = {.wall_us = stopped_wall_us, .mono_ns = stopped_mono_ns};

    clock_install(&stopped);
}

#endif

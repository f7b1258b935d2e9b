/* When things happen: in order, and more often in busy hours.
 *
 * Let w be the weight of an hour and W the sum over the span. Row i of n stands at the place
 * (i + u) / n of W, u drawn from [0, 1): so the rows are in order and each hour gets its share. */
#include "generate/generate.h"

#include "tarn/base/mem.h"

struct times {
    int64_t first_second;
    int64_t rows;
    size_t hours;
    int64_t *before; /* weight of all hours before this one; one more at the end */
    size_t hour;     /* of the last row */
};

#define HOUR_S 3600

times *times_create(const generate_options *options, const uint8_t workday[24],
                    const uint8_t weekend[24])
{
    times *t = NEW(times);

    t->first_second = options->first_day * 24 * HOUR_S;
    t->rows = options->rows;
    t->hours = (size_t)options->days * 24;
    t->before = NEW_ARRAY(int64_t, t->hours + 1);
    for (size_t i = 0; i < t->hours; i++) {
        int64_t weekday =
            (options->first_day + (int64_t)(i / 24) + 3) % 7; /* 1970 began on a Thursday */
        bool free_day = weekday >= 5;
        t->before[i + 1] = t->before[i] + (free_day ? weekend : workday)[i % 24];
    }
    return t;
}

void times_free(times *t)
{
    mem_free(t->before);
    mem_free(t);
}

int64_t times_at(times *t, rng *r, int64_t index)
{
    int64_t total = t->before[t->hours];
    int64_t place = index * total + (int64_t)rng_below(r, (uint64_t)total);

    while (place >= t->before[t->hour + 1] * t->rows) {
        t->hour++;
    }
    int64_t inside = place - t->before[t->hour] * t->rows;
    int64_t weight = (t->before[t->hour + 1] - t->before[t->hour]) * t->rows;
    return t->first_second + (int64_t)t->hour * HOUR_S + inside * HOUR_S / weight;
}

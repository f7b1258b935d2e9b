/* Taxi trips in the schema of New York's yellow taxi records, all 19 columns.
 *
 * Invented, but plausible: rush hours and quiet nights, busy zones, airports with their long rides,
 * flat fares, tolls and fees, tips that are recorded when a card pays. The total is the sum of its
 * parts. Amounts are in cents, distances in hundredths of a mile. */
#include "generate/generate.h"

#include "tarn/base/mem.h"

#define ZONES 263
#define ZONE_NEWARK 1
#define ZONE_JFK 132
#define ZONE_LAGUARDIA 138
#define ZONE_DRAWS 4096
#define ROW_BYTES_MAX 1024

typedef struct trip {
    int64_t pickup_s, dropoff_s;
    int vendor, passengers, rate, from, to, payment;
    bool stored;  /* and forwarded */
    bool unknown; /* a ride by an app: some columns are not filled */
    int64_t distance;
    int64_t fare, extra, mta_tax, tip, tolls, improvement, total, congestion, airport;
} trip;

typedef struct trips {
    rng rng;
    times *times;
    trip row;
    uint16_t zones[ZONE_DRAWS]; /* each zone as often as it is busy */
    bool manhattan[ZONES + 1];
} trips;

/* Rides per hour, relative: workdays have two peaks, weekends a late one. */
static const uint8_t workday[24] = {22, 13, 8,  6,  6,  11, 28, 52, 66, 62, 58, 60,
                                    66, 68, 74, 78, 76, 88, 96, 86, 76, 70, 58, 40};
static const uint8_t weekend[24] = {58, 48, 38, 26, 16, 8,  12, 20, 32, 46, 58, 66,
                                    72, 72, 72, 72, 74, 78, 80, 74, 68, 66, 66, 62};

typedef struct zone_weight {
    uint16_t zone;
    uint16_t weight;
} zone_weight;

/* Zones of Manhattan and of the airports, with how busy they are. All others are quiet. */
static const zone_weight busy_zones[] = {
    {4, 6},           {12, 2},   {13, 14},        {24, 8},
    {41, 8},          {42, 4},   {43, 28},        {45, 6},
    {48, 56},         {50, 24},  {68, 52},        {74, 10},
    {75, 20},         {79, 44},  {87, 16},        {88, 8},
    {90, 34},         {100, 36}, {107, 44},       {113, 32},
    {114, 28},        {116, 4},  {120, 1},        {125, 10},
    {127, 2},         {128, 1},  {137, 26},       {140, 36},
    {141, 44},        {142, 66}, {143, 24},       {144, 18},
    {148, 20},        {151, 16}, {152, 2},        {153, 1},
    {158, 16},        {161, 92}, {162, 72},       {163, 60},
    {164, 44},        {166, 10}, {170, 62},       {186, 68},
    {194, 1},         {202, 1},  {209, 4},        {211, 20},
    {224, 6},         {229, 40}, {230, 64},       {231, 32},
    {232, 6},         {233, 24}, {234, 60},       {236, 88},
    {237, 96},        {238, 40}, {239, 52},       {243, 2},
    {244, 4},         {246, 32}, {249, 44},       {261, 10},
    {262, 28},        {263, 40}, {ZONE_JFK, 100}, {ZONE_LAGUARDIA, 68},
    {ZONE_NEWARK, 2},
};

static bool is_airport(int zone)
{
    return zone == ZONE_JFK || zone == ZONE_LAGUARDIA || zone == ZONE_NEWARK;
}

static void fill_zones(trips *t)
{
    uint32_t weights[ZONES + 1] = {0};
    uint32_t total = 0;
    size_t at = 0;

    for (int zone = 1; zone <= ZONES; zone++) {
        weights[zone] = 1;
    }
    for (size_t i = 0; i < COUNT_OF(busy_zones); i++) {
        weights[busy_zones[i].zone] = busy_zones[i].weight;
        t->manhattan[busy_zones[i].zone] = !is_airport(busy_zones[i].zone);
    }
    for (int zone = 1; zone <= ZONES; zone++) {
        total += weights[zone];
    }
    for (uint32_t zone = 1, sum = 0; zone <= ZONES; zone++) {
        sum += weights[zone];
        for (; at < ZONE_DRAWS && at * total < (size_t)sum * ZONE_DRAWS; at++) {
            t->zones[at] = (uint16_t)zone;
        }
    }
}

static void *create(const generate_options *options)
{
    trips *t = NEW(trips);

    rng_seed(&t->rng, options->seed);
    t->times = times_create(options, workday, weekend);
    fill_zones(t);
    return t;
}

static void release(void *made)
{
    trips *t = made;

    times_free(t->times);
    mem_free(t);
}

/* ---- one ride ---- */

static bool happens(trips *t, uint64_t of_thousand)
{
    return rng_below(&t->rng, 1000) < of_thousand;
}

static int64_t between(trips *t, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(&t->rng, (uint64_t)(high - low + 1));
}

static void draw_place(trips *t, trip *x)
{
    uint64_t drawn = rng_next(&t->rng);

    x->from = t->zones[drawn % ZONE_DRAWS];
    x->to = t->zones[(drawn >> 16) % ZONE_DRAWS];
    if (is_airport(x->from) && is_airport(x->to)) {
        x->to = 161;
    }
}

/* Sixteenths of the distribution of rides in town; what lies between is drawn evenly. */
static const int16_t town_distances[] = {20,  55,  72,  88,  102, 118, 134, 152, 172,
                                         196, 226, 264, 314, 390, 520, 780, 1450};

static void draw_distance(trips *t, trip *x)
{
    int airport = is_airport(x->from) ? x->from : is_airport(x->to) ? x->to : 0;

    if (airport == ZONE_JFK) {
        x->distance = between(t, 1250, 2150);
    } else if (airport == ZONE_LAGUARDIA) {
        x->distance = between(t, 650, 1300);
    } else if (airport == ZONE_NEWARK) {
        x->distance = between(t, 1400, 2100);
    } else {
        uint64_t step = rng_below(&t->rng, COUNT_OF(town_distances) - 1);
        x->distance = between(t, town_distances[step], town_distances[step + 1]);
    }
}

/* Hundredths of miles per hour: slow by day, quick at night, quicker on the way to an airport. */
static int64_t draw_speed(trips *t, int hour, int64_t distance)
{
    int64_t speed = hour < 6 ? 1750 : hour < 8 || hour > 20 ? 1350 : hour < 19 ? 950 : 1100;

    if (distance > 600) {
        speed += 900;
    }
    return speed + between(t, -speed / 4, speed / 4);
}

static void draw_rate(const trips *t, trip *x)
{
    bool jfk = x->from == ZONE_JFK || x->to == ZONE_JFK;

    x->rate = 1;
    if (jfk && (t->manhattan[x->from] || t->manhattan[x->to])) {
        x->rate = 2;
    } else if (x->from == ZONE_NEWARK || x->to == ZONE_NEWARK) {
        x->rate = 3;
    }
}

static void draw_fare(trips *t, trip *x, int hour, bool workday_now)
{
    int64_t minutes = (x->dropoff_s - x->pickup_s) / 60;
    bool airport = is_airport(x->from) || is_airport(x->to);

    /* 3.00, then 0.70 for each fifth of a mile, and for each minute of standing about */
    x->fare = x->rate == 2 ? 7000 : 300 + 70 * (x->distance / 20) + 70 * (minutes * 3 / 10);
    x->fare += x->rate == 3 ? 2000 : 0;
    x->extra = hour >= 20 || hour < 6 ? 100 : workday_now && hour >= 16 ? 250 : 0;
    x->mta_tax = 50;
    x->improvement = 100;
    x->congestion = t->manhattan[x->from] || t->manhattan[x->to] ? 250 : 0;
    x->airport = x->from == ZONE_JFK || x->from == ZONE_LAGUARDIA ? 175 : 0;
    x->tolls = happens(t, airport ? 520 : 12) ? 694 : 0;
}

static void draw_payment(trips *t, trip *x)
{
    static const int percents[] = {0, 10, 15, 18, 20, 20, 20, 22, 25, 25, 30};
    uint64_t drawn = rng_below(&t->rng, 1000);

    x->unknown = drawn >= 965;
    x->payment = x->unknown ? 0 : drawn < 770 ? 1 : drawn < 944 ? 2 : drawn < 950 ? 3 : 4;
    int64_t base = x->fare + x->extra + x->tolls + x->congestion;
    uint64_t row = rng_below(&t->rng, COUNT_OF(percents));
    x->tip = x->payment == 1 ? (base * percents[row] + 50) / 100 : 0;
    if (x->unknown) {
        x->congestion = 0;
        x->airport = 0;
        x->rate = 1;
    }
    x->total = x->fare + x->extra + x->mta_tax + x->tip + x->tolls + x->improvement +
               x->congestion + x->airport;
}

static void next(void *made, int64_t index)
{
    trips *t = made;
    trip *x = &t->row;

    x->pickup_s = times_at(t->times, &t->rng, index);
    int hour = (int)(x->pickup_s / 3600 % 24);
    bool workday_now = (x->pickup_s / 86400 + 3) % 7 < 5;
    draw_place(t, x);
    draw_distance(t, x);
    draw_rate(t, x);
    /* hundredths of a mile over hundredths of miles per hour, and the lights at both ends */
    x->dropoff_s =
        x->pickup_s + x->distance * 3600 / draw_speed(t, hour, x->distance) + between(t, 40, 240);
    draw_fare(t, x, hour, workday_now);
    draw_payment(t, x);
    uint64_t drawn = rng_below(&t->rng, 1000);
    x->vendor = drawn < 242 ? 1 : 2;
    drawn = rng_below(&t->rng, 1000);
    x->passengers = drawn < 735   ? 1
                    : drawn < 885 ? 2
                    : drawn < 925 ? 3
                    : drawn < 950 ? 4
                    : drawn < 970 ? 5
                    : drawn < 988 ? 6
                                  : 0;
    x->stored = happens(t, 6);
}

/* ---- writing ---- */

typedef enum trip_kind { TRIP_INT, TRIP_AMOUNT, TRIP_TIME, TRIP_FLAG } trip_kind;

/*  name, kind, member, empty in rides by an app, DuckDB's type */
#define TRIP_COLUMNS(X)                                              \
    X("VendorID", INT, vendor, false, "INTEGER")                     \
    X("tpep_pickup_datetime", TIME, pickup_s, false, "TIMESTAMP")    \
    X("tpep_dropoff_datetime", TIME, dropoff_s, false, "TIMESTAMP")  \
    X("passenger_count", INT, passengers, true, "BIGINT")            \
    X("trip_distance", AMOUNT, distance, false, "DOUBLE")            \
    X("RatecodeID", INT, rate, true, "BIGINT")                       \
    X("store_and_fwd_flag", FLAG, stored, true, "VARCHAR")           \
    X("PULocationID", INT, from, false, "INTEGER")                   \
    X("DOLocationID", INT, to, false, "INTEGER")                     \
    X("payment_type", INT, payment, false, "BIGINT")                 \
    X("fare_amount", AMOUNT, fare, false, "DOUBLE")                  \
    X("extra", AMOUNT, extra, false, "DOUBLE")                       \
    X("mta_tax", AMOUNT, mta_tax, false, "DOUBLE")                   \
    X("tip_amount", AMOUNT, tip, false, "DOUBLE")                    \
    X("tolls_amount", AMOUNT, tolls, false, "DOUBLE")                \
    X("improvement_surcharge", AMOUNT, improvement, false, "DOUBLE") \
    X("total_amount", AMOUNT, total, false, "DOUBLE")                \
    X("congestion_surcharge", AMOUNT, congestion, true, "DOUBLE")    \
    X("Airport_fee", AMOUNT, airport, true, "DOUBLE")

static inline char *write_value(char *at, trip_kind kind, int64_t value, bool json)
{
    switch (kind) {
    case TRIP_INT:
        return text_int(at, value);
    case TRIP_AMOUNT:
        return text_fixed(at, value, 2);
    case TRIP_TIME:
        if (!json) {
            return text_time(at, value, ' ');
        }
        *at++ = '"';
        at = text_time(at, value, 'T');
        *at++ = '"';
        return at;
    default:
        return text_copy(at,
                         json         ? value != 0 ? "\"Y\"" : "\"N\""
                         : value != 0 ? "Y"
                                      : "N",
                         json ? 3 : 1);
    }
}

static void row_csv(void *made, buf *out)
{
    const trip *x = &((trips *)made)->row;
    char *start = buf_reserve(out, ROW_BYTES_MAX);
    char *at = start;

    if (start == NULL) {
        return; /* the buffer has failed, and says so */
    }
#define X(name, kind, member, app, type)                              \
    if (!(app) || !x->unknown) {                                      \
        at = write_value(at, TRIP_##kind, (int64_t)x->member, false); \
    }                                                                 \
    *at++ = ',';
    TRIP_COLUMNS(X)
#undef X
    buf_commit(out, (size_t)(at - start) - 1);
}

static void row_json(void *made, buf *out)
{
    const trip *x = &((trips *)made)->row;
    char *start = buf_reserve(out, ROW_BYTES_MAX);
    char *at = start;

    if (start == NULL) {
        return;
    }
    *at++ = '{';
#define X(name, kind, member, app, type)                              \
    at = text_copy(at, "\"" name "\":", sizeof("\"" name "\":") - 1); \
    if (!(app) || !x->unknown) {                                      \
        at = write_value(at, TRIP_##kind, (int64_t)x->member, true);  \
    } else {                                                          \
        at = text_copy(at, "null", 4);                                \
    }                                                                 \
    *at++ = ',';
    TRIP_COLUMNS(X)
#undef X
    at[-1] = '}';
    buf_commit(out, (size_t)(at - start));
}

static void header_csv(void *made, buf *out)
{
    (void)made;
#define X(name, ...) "," name
    buf_add_c(out, &(TRIP_COLUMNS(X))[1]);
#undef X
}

static void columns(void *made, buf *out)
{
    (void)made;
#define X(name, kind, member, app, type) "," name ":" type
    buf_add_c(out, &(TRIP_COLUMNS(X))[1]);
#undef X
}

const generate_kind generate_trips = {
    .name = "trips",
    .create = create,
    .free = release,
    .next = next,
    .header_csv = header_csv,
    .row_csv = row_csv,
    .row_json = row_json,
    .columns = columns,
};

/* Claims about sample data. */
#include "support/test.h"

#include "generate/generate.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/json.h"

#define TRIP_COLUMNS 19
#define EVENT_COLUMNS 36

static str generate(fixture *f, const generate_kind *kind, generate_format format, int64_t rows,
                    uint64_t seed)
{
    const generate_options options = {.rows = rows,
                                      .seed = seed,
                                      .first_day = date_to_days(2024, 1, 1),
                                      .days = 31,
                                      .format = format};
    generator *g = generator_create(kind, &options);
    buf *text = buf_in(f->arena, 256 * LIMIT_MIB);

    while (generator_next(g, 10000, text)) {}
    assert_int_equal(generator_done(g), rows);
    generator_free(g);
    return buf_str(text);
}

static str sha256(fixture *f, str text)
{
    uint8_t bytes[DIGEST_SIZE_MAX];

    digest(DIGEST_SHA256, text, bytes);
    return str_to_hex(f->arena, bytes, 32);
}

/* A change here changes everybody's sample data: benches and documents that name figures too. */
static void test_rows_are_the_same_on_every_machine(void **state)
{
    fixture *f = *state;

    EXPECT_STR(sha256(f, generate(f, &generate_trips, GENERATE_CSV, 1000, 42)),
               "e0762ed82fb9f2f79db95513491443caea14cb9ee0a6ebe08b6890477a1d6159");
    EXPECT_STR(sha256(f, generate(f, &generate_events, GENERATE_NDJSON, 1000, 42)),
               "27f469b4b69ff5014ae5ceac5c55789416d2a4ed257a7b76dcfe1235749d5827");
}

static void test_another_seed_gives_other_rows(void **state)
{
    fixture *f = *state;

    assert_false(str_equal(generate(f, &generate_trips, GENERATE_CSV, 10, 1),
                           generate(f, &generate_trips, GENERATE_CSV, 10, 2)));
}

/* ---- trips ---- */

static size_t split(str line, str *cells)
{
    size_t count = 0;

    for (str rest = line; !str_is_null(rest);) {
        cells[count++] = str_cut(rest, ',', &rest);
    }
    return count;
}

/* "12.34" -> 1234; empty is nothing. */
static int64_t cents(str text)
{
    int64_t value = 0;

    for (size_t i = 0; i < text.size; i++) {
        value = text.data[i] == '.' ? value : value * 10 + (text.data[i] - '0');
    }
    return value;
}

static void test_amounts_add_up_and_times_are_in_order(void **state)
{
    fixture *f = *state;
    str rest = generate(f, &generate_trips, GENERATE_CSV, 20000, 7);
    str cells[64];
    str last = STR("2024-01-01 00:00:00");
    size_t rows = 0;

    assert_int_equal(split(str_cut(rest, '\n', &rest), cells), TRIP_COLUMNS);
    EXPECT_STR(cells[0], "VendorID");
    EXPECT_STR(cells[18], "Airport_fee");
    while (rest.size > 0) {
        assert_int_equal(split(str_cut(rest, '\n', &rest), cells), TRIP_COLUMNS);
        int64_t sum = 0;
        for (size_t i = 10; i < TRIP_COLUMNS; i++) {
            sum += i == 16 ? 0 : cents(cells[i]);
        }
        assert_int_equal(sum, cents(cells[16]));
        assert_true(str_compare(last, cells[1]) <= 0 && str_compare(cells[1], cells[2]) < 0);
        assert_true(str_compare(cells[1], STR("2024-02-01")) < 0);
        last = cells[1];
        rows++;
    }
    assert_int_equal(rows, 20000);
}

static void test_tips_are_paid_by_card_and_fees_at_airports(void **state)
{
    fixture *f = *state;
    str rest = generate(f, &generate_trips, GENERATE_CSV, 20000, 7);
    str cells[64];
    int by_card = 0;
    int fees = 0;

    (void)str_cut(rest, '\n', &rest);
    while (rest.size > 0) {
        split(str_cut(rest, '\n', &rest), cells);
        bool card = str_equal(cells[9], STR("1"));
        bool airport = str_equal(cells[7], STR("132")) || str_equal(cells[7], STR("138"));
        assert_true(card || cents(cells[13]) == 0);
        assert_true(airport || cents(cells[18]) == 0);
        by_card += card ? 1 : 0;
        fees += cents(cells[18]) > 0 ? 1 : 0;
    }
    assert_in_range(by_card, 14000, 17000);
    assert_in_range(fees, 800, 3000);
}

static void test_rush_hours_are_busier_than_nights(void **state)
{
    fixture *f = *state;
    str rest = generate(f, &generate_trips, GENERATE_CSV, 20000, 7);
    str cells[64];
    int hours[24] = {0};

    (void)str_cut(rest, '\n', &rest);
    while (rest.size > 0) {
        split(str_cut(rest, '\n', &rest), cells);
        hours[(cells[1].data[11] - '0') * 10 + cells[1].data[12] - '0']++;
    }
    assert_true(hours[18] > 4 * hours[4]);
    assert_true(hours[4] > 0);
}

/* ---- events and formats ---- */

static void test_events_nest_in_json_and_are_flat_in_csv(void **state)
{
    fixture *f = *state;
    str rest = generate(f, &generate_events, GENERATE_NDJSON, 50, 3);
    str cells[64];
    const json *event = NULL;

    while (rest.size > 0) {
        EXPECT_OK(json_parse(str_cut(rest, '\n', &rest), f->arena, &event, &f->err));
        const json *doc = json_get(event, "_doc");
        assert_int_equal(json_count(event), 6);
        assert_int_equal(json_count(doc), 5);
        assert_int_equal(json_kind_of(json_get(json_get(doc, "location"), "city")), JSON_STR);
        assert_int_equal(json_kind_of(json_get(json_get(doc, "performance"), "page_load_time")),
                         JSON_INT64);
        assert_true(str_ends_with(json_str_or(json_get(event, "timestamp"), STR("")), STR("Z")));
    }
    rest = generate(f, &generate_events, GENERATE_CSV, 1, 3);
    assert_int_equal(split(str_cut(rest, '\n', &rest), cells), EVENT_COLUMNS);
    EXPECT_STR(cells[7], "doc_session_info_session_id");
    assert_int_equal(split(str_cut(rest, '\n', &rest), cells), EVENT_COLUMNS);
}

static void test_json_is_one_array_even_of_nothing(void **state)
{
    fixture *f = *state;
    const json *list = NULL;

    EXPECT_OK(
        json_parse(generate(f, &generate_trips, GENERATE_JSON, 25, 3), f->arena, &list, &f->err));
    assert_int_equal(json_count(list), 25);
    assert_int_equal(json_count(json_at(list, 3)), TRIP_COLUMNS);
    EXPECT_STR(generate(f, &generate_trips, GENERATE_JSON, 0, 3), "[]\n");
    assert_true(
        str_starts_with(generate(f, &generate_trips, GENERATE_CSV, 0, 3), STR("VendorID,")));
}

static void test_numbers_are_written_like_numbers(void **state)
{
    char text[64];

    (void)state;
    EXPECT_STR(str_from(text, (size_t)(text_int(text, INT64_MIN) - text)), "-9223372036854775808");
    EXPECT_STR(str_from(text, (size_t)(text_fixed(text, 5, 2) - text)), "0.05");
    EXPECT_STR(str_from(text, (size_t)(text_fixed(text, -1234, 2) - text)), "-12.34");
    EXPECT_STR(str_from(text, (size_t)(text_time(text, 951782399, 'T') - text)),
               "2000-02-28T23:59:59");
}

TESTS(test_rows_are_the_same_on_every_machine, test_another_seed_gives_other_rows,
      test_amounts_add_up_and_times_are_in_order, test_tips_are_paid_by_card_and_fees_at_airports,
      test_rush_hours_are_busier_than_nights, test_events_nest_in_json_and_are_flat_in_csv,
      test_json_is_one_array_even_of_nothing, test_numbers_are_written_like_numbers)

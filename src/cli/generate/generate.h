/* generate.h: sample data, the same on every machine for the same options.
 *
 * Rows come in the order of their time. All arithmetic is on integers: no rounding differs anywhere. */
#ifndef TARN_CLI_GENERATE_H
#define TARN_CLI_GENERATE_H

#include <stdint.h>

#include "tarn/base/buf.h"
#include "tarn/base/rng.h"

typedef enum generate_format { GENERATE_CSV, GENERATE_NDJSON, GENERATE_JSON } generate_format;

typedef struct generate_options {
    int64_t rows;
    uint64_t seed;
    int64_t first_day; /* days since 1970 */
    int64_t days;      /* the span of the rows' times */
    generate_format format;
} generate_options;

/* One kind of data. */
typedef struct generate_kind {
    const char *name;
    void *(*create)(const generate_options *options);
    void (*free)(void *made);
    /* Draws the next row: number `index`. */
    void (*next)(void *made, int64_t index);
    /* Append the row, without what stands between rows. */
    void (*header_csv)(void *made, buf *out);
    void (*row_csv)(void *made, buf *out);
    void (*row_json)(void *made, buf *out);
    /* "name:TYPE,…" of the CSV, for a reader that shall not guess. */
    void (*columns)(void *made, buf *out);
} generate_kind;

extern const generate_kind generate_trips, generate_events;

typedef struct generator generator;
generator *generator_create(const generate_kind *kind, const generate_options *options);
void generator_free(generator *g);
/* Appends some rows (about `bytes`); false once all were given. */
bool generator_next(generator *g, size_t bytes, buf *out);
int64_t generator_done(const generator *g);
void generator_columns(generator *g, buf *out);

/* ---- times.c: when things happen ---- */
/* Spreads `rows` over a span so that hours of the week are as busy as their weights say. */
typedef struct times times;
times *times_create(const generate_options *options, const uint8_t workday[24],
                    const uint8_t weekend[24]);
void times_free(times *t);
/* Seconds since 1970 of row `index`, never less than the one before. */
int64_t times_at(times *t, rng *r, int64_t index);

/* ---- text.c: quick text of numbers and times; each returns the end ---- */
char *text_int(char *at, int64_t value);
/* 1234 -> "12.34"; digits 1 to 6. */
char *text_fixed(char *at, int64_t value, int digits);
/* "2024-01-01 00:57:55", with `separator` in the middle. */
char *text_time(char *at, int64_t seconds, char separator);
char *text_copy(char *at, const char *text, size_t size);
#define TEXT_TIME_SIZE 19

/* A name and how often it comes up, relative to its neighbours. */
typedef struct choice {
    const char *text;
    uint32_t weight;
} choice;
const char *choose(rng *r, const choice *choices, size_t count);

#endif

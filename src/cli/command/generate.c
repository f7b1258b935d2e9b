/* tarn generate: sample data into files or stdout. Text is written here; Parquet is made by the server
 * from the generated CSV, streamed there and back. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect.h"
#include "generate/generate.h"
#include "progress.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/net/uri.h"
#include "terminal.h"

#define PIECE_BYTES (256 * LIMIT_KIB)
#define ROWS_MAX INT64_C(10000000000)
#define DEFAULT_ROWS 100000
#define DEFAULT_START "2024-01-01"
#define DEFAULT_SEED 42

static const argument arguments[] = {
    {.name = "KIND",
     .help = "trips: taxi trips, 19 columns; events: nested events of a web site",
     .choices = "trips|events"}};

static const option options[] = {
    {.name = "rows", .value = "N", .help = "how many rows; default: 100000"},
    {.name = "seed", .value = "S", .help = "another seed gives other rows; default: 42"},
    {.name = "start", .value = "DATE", .help = "first day; default: 2024-01-01"},
    {.name = "months",
     .value = "N",
     .help = "one file for each month, the rows split among them; --out is a folder"},
    {.name = "format",
     .value = "FORMAT",
     .choices = "csv|ndjson|json|parquet",
     .help = "default: by the name of --out, else csv for trips and ndjson for events"},
    {.name = "out", .value = "FILE", .help = "file to write; - is stdout, the default"},
};

static const example examples[] = {
    {"tarn generate trips --rows 1000000 --out trips.csv", "a million trips of January 2024"},
    {"tarn generate trips --rows 1200000 --months 12 --format parquet --out trips/",
     "twelve Parquet files"},
    {"tarn generate events --rows 1000 | tarn load events - --format ndjson",
     "without a file between"},
};

typedef enum file_format { FILE_CSV, FILE_NDJSON, FILE_JSON, FILE_PARQUET } file_format;

static const struct {
    str name;
    file_format format;
} formats[] = {
    {STR_INIT("csv"), FILE_CSV},      {STR_INIT("ndjson"), FILE_NDJSON},
    {STR_INIT("json"), FILE_JSON},    {STR_INIT("parquet"), FILE_PARQUET},
    {STR_INIT("jsonl"), FILE_NDJSON}, /* as a name's ending */
};

/* One file to make. */
typedef struct job {
    cli *c;
    const generate_kind *kind;
    file_format format;
    generate_options options;
    const char *path; /* NULL: stdout */
    int fd;
    int64_t bytes;
    generator *generator;
    buf piece; /* generated, not yet taken by the server */
    progress *progress;
} job;

/* ---- options ---- */

static status number_option(cli *c, const char *name, int64_t fallback, int64_t low, int64_t high,
                            int64_t *ret_value, error *err)
{
    str text = invocation_get(&c->in, name);

    *ret_value = fallback;
    if (str_is_null(text)) {
        return STATUS_OK;
    }
    if (str_to_int64(text, ret_value, NULL) != STATUS_OK || *ret_value < low || *ret_value > high) {
        error_set(err, STATUS_USAGE, "option \"--%s\" cannot be \"%.*s\"", name, STR_ARG(text));
        error_hint(err, "It is a whole number from %" PRId64 " to %" PRId64 ".", low, high);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static status start_option(cli *c, int64_t *ret_day, error *err)
{
    str text = invocation_get(&c->in, "start");
    int64_t us = 0;

    if (str_is_null(text)) {
        text = STR(DEFAULT_START);
    }
    if (clock_parse(text, &us, NULL) != STATUS_OK || us < 0 || us > INT64_C(4102444800000000)) {
        error_set(err, STATUS_USAGE, "option \"--start\" cannot be \"%.*s\"", STR_ARG(text));
        error_hint(err, "It is a date between 1970 and 2100, like " DEFAULT_START ".");
        return STATUS_USAGE;
    }
    *ret_day = us / INT64_C(86400000000);
    return STATUS_OK;
}

static file_format choose_format(cli *c, const generate_kind *kind)
{
    str name = invocation_get(&c->in, "format");
    str out = invocation_get(&c->in, "out");
    size_t dot = str_find_last_char(out, '.');

    if (str_is_null(name) && dot != STR_NPOS) {
        name = str_slice(out, dot + 1, out.size);
    }
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (str_equal_nocase(name, formats[i].name)) {
            return formats[i].format;
        }
    }
    return kind == &generate_events ? FILE_NDJSON : FILE_CSV;
}

/* Days from `day` to the same day `months` later; the first of the month after a shorter one. */
static int64_t after_months(int64_t day, int months)
{
    int year;
    int month;
    int of_month;

    date_from_days(day, &year, &month, &of_month);
    month += months;
    return date_to_days(year + (month - 1) / 12, (month - 1) % 12 + 1,
                        of_month > 28 ? 28 : of_month);
}

/* ---- sinks ---- */

static status put(void *context, const void *bytes, size_t size, error *err)
{
    job *j = context;

    j->bytes += (int64_t)size;
    return j->path == NULL ? out_write(j->c, bytes, size, err)
                           : fs_write_all(j->fd, bytes, size, err);
}

/* The next piece; empty at the end. */
static status fill(job *j, error *err)
{
    buf_clear(&j->piece);
    if (generator_next(j->generator, PIECE_BYTES, &j->piece)) {
        j->progress->done = generator_done(j->generator);
    }
    if (interrupt_signal != 0) {
        return error_set(err, STATUS_CANCELLED, "interrupted");
    }
    return buf_check(&j->piece, "generated rows", err);
}

static status write_text(job *j, error *err)
{
    for (;;) {
        TRY(fill(j, err));
        if (j->piece.size == 0) {
            return STATUS_OK;
        }
        TRY(put(j, j->piece.data, j->piece.size, err));
    }
}

static status read_piece(void *context, void *ret_bytes, size_t size, size_t *ret_size, error *err)
{
    job *j = context;

    if (j->piece.size == 0) {
        TRY(fill(j, err));
    }
    size_t taken = j->piece.size < size ? j->piece.size : size;
    memcpy(ret_bytes, j->piece.data, taken);
    buf_consume(&j->piece, taken);
    *ret_size = taken;
    return STATUS_OK;
}

static status write_parquet(job *j, error *err)
{
    cli *c = j->c;
    buf *columns = buf_in(c->memory, LIMIT_HTTP_TARGET);
    buf *target = buf_in(c->memory, LIMIT_HTTP_TARGET);
    http_answer answer;

    generator_columns(j->generator, columns);
    buf_add_c(target, "/api/v1/convert?from=csv&to=parquet&columns=");
    uri_encode(target, buf_str(columns), "");
    const http_header headers[] = {{STR("Content-Type"), STR("text/csv")}};
    const http_call call = {
        .method = HTTP_POST,
        .target = target->data,
        .headers = headers,
        .header_count = COUNT_OF(headers),
        .read = read_piece,
        .read_context = j,
        .read_size_bytes = -1,
        .write = put,
        .write_context = j,
    };
    return api_send(c, &call, &answer, err);
}

/* ---- files ---- */

static status write_rows(job *j, error *err)
{
    j->generator = generator_create(j->kind, &j->options);
    buf_init(&j->piece, 4 * PIECE_BYTES);
    status result = j->format == FILE_PARQUET ? write_parquet(j, err) : write_text(j, err);
    buf_release(&j->piece);
    generator_free(j->generator);
    return result;
}

static bool is_special(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode);
}

/* Beside its place first, so that a file of that name is always whole. */
static status write_file(job *j, error *err)
{
    bool special = is_special(j->path); /* /dev/null, a pipe */
    const char *part = special ? j->path : arena_printf(j->c->memory, "%s.part", j->path);
    int64_t started_ms = clock_mono_ms();

    TRY(fs_open(part, O_WRONLY | (special ? 0 : O_CREAT | O_TRUNC), 0644, &j->fd, err));
    status result = write_rows(j, err);
    fs_close(j->fd);
    if (result == STATUS_OK && !special) {
        result = fs_rename(part, j->path, err);
    }
    if (result != STATUS_OK) {
        (void)(special ? STATUS_OK : fs_remove(part, NULL));
        return result;
    }
    message_detail(j->c, "%s: %" PRId64 " rows, %" PRId64 " bytes, %" PRId64 " ms", j->path,
                   j->options.rows, j->bytes, clock_mono_ms() - started_ms);
    return STATUS_OK;
}

static status write_one(job *j, error *err)
{
    j->bytes = 0;
    j->options.format = j->format == FILE_NDJSON ? GENERATE_NDJSON
                        : j->format == FILE_JSON ? GENERATE_JSON
                                                 : GENERATE_CSV;
    return j->path == NULL ? write_rows(j, err) : write_file(j, err);
}

static status write_months(job *j, const char *folder, int64_t months, error *err)
{
    static const char *const endings[] = {[FILE_CSV] = "csv",
                                          [FILE_NDJSON] = "ndjson",
                                          [FILE_JSON] = "json",
                                          [FILE_PARQUET] = "parquet"};
    const char *stem = j->kind == &generate_trips ? "yellow_tripdata" : j->kind->name;
    generate_options all = j->options;
    int64_t total_bytes = 0;

    TRY(fs_make_dirs(folder, 0777, err));
    for (int64_t m = 0; m < months; m++) {
        int year;
        int month;
        int day;
        int64_t first = after_months(all.first_day, (int)m);
        date_from_days(first, &year, &month, &day);
        j->options.rows = all.rows * (m + 1) / months - all.rows * m / months;
        j->options.seed = all.seed + (uint64_t)m * 1000003;
        j->options.first_day = first;
        j->options.days = after_months(all.first_day, (int)m + 1) - first;
        j->path = arena_printf(j->c->memory, "%s/%s_%04d-%02d.%s", folder, stem, year, month,
                               endings[j->format]);
        TRY(write_one(j, err));
        total_bytes += j->bytes;
    }
    j->bytes = total_bytes;
    return STATUS_OK;
}

static status refuse_places(cli *c, const job *j, int64_t months, error *err)
{
    if (months > 0 && j->path == NULL) {
        error_set(err, STATUS_USAGE, "option \"--months\" needs a folder to write to");
        error_hint(err, "Name it with --out DIR.");
        return STATUS_USAGE;
    }
    if (j->path == NULL && j->format == FILE_PARQUET && terminal_is(STDOUT_FILENO)) {
        error_set(err, STATUS_USAGE, "Parquet is not written to a terminal");
        error_hint(err, "Name a file with --out FILE.");
        return STATUS_USAGE;
    }
    (void)c;
    return STATUS_OK;
}

static status prepare(cli *c, job *j, int64_t *ret_months, error *err)
{
    int64_t seed = 0;
    str out = invocation_get(&c->in, "out");

    j->kind =
        str_equal(c->in.arguments.items[0], STR("trips")) ? &generate_trips : &generate_events;
    j->format = choose_format(c, j->kind);
    j->path = str_is_null(out) || str_equal(out, STR("-")) ? NULL : str_to_c(c->memory, out);
    TRY(number_option(c, "rows", DEFAULT_ROWS, 0, ROWS_MAX, &j->options.rows, err));
    TRY(number_option(c, "seed", DEFAULT_SEED, 0, INT64_MAX, &seed, err));
    TRY(number_option(c, "months", 0, 1, 240, ret_months, err));
    TRY(start_option(c, &j->options.first_day, err));
    j->options.seed = (uint64_t)seed;
    j->options.days = after_months(j->options.first_day, 1) - j->options.first_day;
    return refuse_places(c, j, *ret_months, err);
}

static status run(cli *c, error *err)
{
    progress shown = {0};
    job j = {.c = c, .fd = -1, .progress = &shown};
    int64_t months = 0;
    int64_t started_ms = clock_mono_ms();

    TRY(prepare(c, &j, &months, err));
    int64_t rows = j.options.rows;
    if (j.format == FILE_PARQUET) {
        TRY(connection_open(c, err));
    }
    status result = months > 0 ? write_months(&j, j.path, months, err) : write_one(&j, err);
    TRY(result);
    if (j.path != NULL) {
        message_note(c, "%" PRId64 " rows, %" PRId64 " bytes, %.2f s", rows, j.bytes,
                     (double)(clock_mono_ms() - started_ms) / 1000.0);
    }
    return STATUS_OK;
}

const command command_generate = {
    .name = "generate",
    .summary = "sample data, the same for the same options",
    ARGUMENTS(arguments),
    OPTIONS(options),
    EXAMPLES(examples),
    .run = run,
};

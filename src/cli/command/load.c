/* tarn load: files into a table. The bytes are streamed to the server file by file; then one commit
 * makes all of them visible, or none. The server never sees a path. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect.h"
#include "output.h"
#include "progress.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/net/uri.h"
#include "terminal.h"

static const argument arguments[] = {
    {.name = "TABLE",
     .help = "name, or namespace.name; made if it does not exist",
     .kind = ARGUMENT_TABLE},
    {.name = "SOURCE",
     .help = "file to load; - is stdin, s3://bucket/key an object of the server",
     .kind = ARGUMENT_FILE,
     .repeats = true},
};

static const option options[] = {
    {.name = "format",
     .value = "FORMAT",
     .choices = "auto|csv|tsv|json|ndjson|parquet",
     .help = "of the files; auto: by their first bytes"},
    {.name = "mode",
     .value = "MODE",
     .choices = "append|overwrite|upsert",
     .help = "what becomes of the rows that are there; default: append"},
    {.name = "namespace",
     .letter = 'n',
     .value = "NAME",
     .help = "of a table without one; default: main"},
    {.name = "partition-by",
     .value = "SPEC",
     .help = "for a new table: month(time), bucket(16, id), zone"},
    {.name = "columns",
     .value = "NAME:TYPE,…",
     .help =
         "types of some columns, struct(x int) and int[] too; others are found out from all of the input"},
    {.name = "csv-delimiter",
     .value = "CHAR",
     .help = "between the values of a CSV; default: found out"},
    {.name = "no-create", .help = "fail where the table does not exist"},
};

static const example examples[] = {
    {"tarn load trips yellow_tripdata_2024-*.parquet", "many files, one commit"},
    {"tarn load trips trips.csv --partition-by 'month(tpep_pickup_datetime)'",
     "a new table, partitioned"},
    {"zcat events.ndjson.gz | tarn load events - --format ndjson", "from a pipe"},
};

typedef struct source {
    str name;
    int fd;
    int64_t size_bytes; /* -1 where unknown: a pipe */
} source;

typedef struct load {
    cli *c;
    const load_options *options;
    source *sources;
    size_t count;
    str id;
    progress progress;
} load;

/* ---- sources ---- */

/* An object of the server's own store: its name is sent instead of its bytes. */
static bool is_object(str name)
{
    return str_starts_with(name, STR("s3://"));
}

static status open_source(cli *c, str name, source *ret_source, error *err)
{
    struct stat about;
    int fd = STDIN_FILENO;

    if (is_object(name)) {
        *ret_source = (source){.name = name, .fd = -1};
        return STATUS_OK;
    }

    if (!str_equal(name, STR("-"))) {
        TRY(fs_open(str_to_c(c->memory, name), O_RDONLY, 0, &fd, err));
        fs_close_with(c->memory, fd);
    }
    if (fstat(fd, &about) != 0) {
        return error_errno(err, STATUS_IO, errno, "file \"%.*s\"", STR_ARG(name));
    }
    if (S_ISDIR(about.st_mode)) {
        error_set(err, STATUS_INVALID, "\"%.*s\" is a folder, not a file", STR_ARG(name));
        error_hint(err, "Name its files, as in %.*s/*.parquet.", STR_ARG(name));
        return STATUS_INVALID;
    }
    *ret_source = (source){
        .name = fd == STDIN_FILENO ? STR("stdin") : name,
        .fd = fd,
        .size_bytes = S_ISREG(about.st_mode) ? (int64_t)about.st_size : -1,
    };
    return STATUS_OK;
}

/* All of them, before anything is sent. */
static status open_sources(load *l, int64_t *ret_total, error *err)
{
    cli *c = l->c;
    *ret_total = 0;

    l->count = l->options->source_count;
    l->sources = ARENA_ARRAY(c->memory, source, l->count);
    for (size_t i = 0; i < l->count; i++) {
        TRY(open_source(c, l->options->sources[i], &l->sources[i], err));
        bool known = l->sources[i].size_bytes >= 0 && *ret_total >= 0;
        *ret_total = known ? *ret_total + l->sources[i].size_bytes : -1;
    }
    *ret_total = *ret_total < 0 ? 0 : *ret_total;
    return STATUS_OK;
}

/* ---- sending ---- */

typedef struct sending {
    load *load;
    source *source;
} sending;

static status read_source(void *context, void *ret_bytes, size_t size, size_t *ret_size, error *err)
{
    sending *s = context;

    for (;;) {
        ssize_t got = read(s->source->fd, ret_bytes, size);
        if (got >= 0) {
            s->load->progress.done += got;
            *ret_size = (size_t)got;
            return STATUS_OK;
        }
        if (errno == EINTR && interrupt_signal != 0) {
            return error_set(err, STATUS_CANCELLED, "interrupted");
        }
        if (errno != EINTR) {
            return error_errno(err, STATUS_IO, errno, "cannot read \"%.*s\"",
                               STR_ARG(s->source->name));
        }
    }
}

static status send_file(load *l, size_t index, error *err)
{
    cli *c = l->c;
    sending s = {.load = l, .source = &l->sources[index]};
    buf *target = buf_in(c->memory, LIMIT_HTTP_TARGET);
    http_answer answer;

    buf_printf(target, "/api/v1/loads/%.*s/files/%zu?name=", STR_ARG(l->id), index);
    uri_encode(target, s.source->name, "");
    if (is_object(s.source->name)) {
        buf_add_c(target, "&source=");
        uri_encode(target, s.source->name, "");
        TRY(buf_check(target, "name of the object", err));
        const http_call named = {.method = HTTP_PUT, .target = target->data};
        return api_send(c, &named, &answer, err);
    }
    TRY(buf_check(target, "file name", err));
    const http_call call = {
        .method = HTTP_PUT,
        .target = target->data,
        .read = read_source,
        .read_context = &s,
        .read_size_bytes = s.source->size_bytes,
    };
    return api_send(c, &call, &answer, err);
}

/* ---- the commit ---- */

static void member_option(json_writer *w, const char *member, str value)
{
    if (!str_is_null(value)) {
        json_member_str(w, member, value);
    }
}

static status commit(load *l, const json **ret_answer, error *err)
{
    cli *c = l->c;
    const load_options *o = l->options;
    buf *body = buf_in(c->memory, LIMIT_MIB);
    json_writer w;

    json_writer_init(&w, body);
    json_begin_object(&w);
    json_member_str(&w, "table", o->table);
    member_option(&w, "namespace", o->space);
    member_option(&w, "format", o->format);
    member_option(&w, "mode", o->mode);
    member_option(&w, "partition_by", o->partition_by);
    member_option(&w, "columns", o->columns);
    member_option(&w, "csv_delimiter", o->csv_delimiter);
    json_member_bool(&w, "create", !o->no_create);
    json_end_object(&w);
    TRY(buf_check(body, "options of the load", err));
    const str id[] = {l->id};
    return api_json(c, HTTP_POST, api_path(c->memory, "/api/v1/loads/%/commit", id, 1),
                    buf_str(body), ret_answer, err);
}

static status send_all(load *l, const json **ret_answer, error *err)
{
    const json *begun = NULL;

    TRY(api_json(l->c, HTTP_POST, "/api/v1/loads", STR(""), &begun, err));
    l->id = json_str_or(json_get(begun, "id"), STR(""));
    for (size_t i = 0; i < l->count; i++) {
        TRY(send_file(l, i, err));
    }
    l->progress.phase = "loading";
    return commit(l, ret_answer, err);
}

/* What was sent is of no use any more. */
static void forget(load *l)
{
    int signal = atomic_exchange(&interrupt_signal, 0); /* also after Ctrl-C */
    const str id[] = {l->id};

    if (l->id.size > 0) {
        (void)api_json(l->c, HTTP_DELETE, api_path(l->c->memory, "/api/v1/loads/%", id, 1), STR(""),
                       NULL, NULL);
    }
    atomic_store(&interrupt_signal, signal);
}

static status print_result(cli *c, const json *answer, error *err)
{
    static const list_column columns[] = {
        {"table", "table", ""},
        {"rows_read", "rows_read", ""},
        {"rows_written", "rows_written", ""},
        {"rows_rejected", "rows_rejected", ""},
        {"files", "files", ""},
        {"bytes_written", "bytes_written", ""},
        {"snapshot_id", "snapshot_id", ""},
        {"seconds", "seconds", ""},
    };
    return output_record(c, answer, columns, COUNT_OF(columns), err);
}

status load_files(cli *c, const load_options *wanted, const json **ret_answer, error *err)
{
    load l = {.c = c, .options = wanted};
    int64_t total = 0;

    *ret_answer = NULL;
    TRY(open_sources(&l, &total, err));
    if (c->dry_run) {
        message_note(c, "would load %zu files, %" PRId64 " bytes, into %.*s", l.count, total,
                     STR_ARG(wanted->table));
        return STATUS_OK;
    }
    TRY(connection_open(c, err));
    progress_start(c, &l.progress, "sending", total);
    status result = send_all(&l, ret_answer, err);
    progress_stop(&l.progress);
    if (result != STATUS_OK) {
        forget(&l);
    }
    return result;
}

static status run(cli *c, error *err)
{
    const load_options given = {
        .table = c->in.arguments.items[0],
        .space = invocation_get(&c->in, "namespace"),
        .format = invocation_get(&c->in, "format"),
        .mode = invocation_get(&c->in, "mode"),
        .partition_by = invocation_get(&c->in, "partition-by"),
        .columns = invocation_get(&c->in, "columns"),
        .csv_delimiter = invocation_get(&c->in, "csv-delimiter"),
        .no_create = invocation_has(&c->in, "no-create"),
        .sources = c->in.arguments.items + 1,
        .source_count = c->in.arguments.count - 1,
    };
    const json *answer = NULL;

    TRY(load_files(c, &given, &answer, err));
    return answer != NULL ? print_result(c, answer, err) : STATUS_OK;
}

const command command_load = {
    .name = "load",
    .summary = "files into a table, as one commit",
    .details =
        "Parquet, CSV, TSV, JSON and NDJSON. A missing table is made with the types of the files. "
        "Either all files\nare in the table afterwards, or none is.",
    ARGUMENTS(arguments),
    OPTIONS(options),
    EXAMPLES(examples),
    .run = run,
};

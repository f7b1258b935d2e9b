/* Loads of files, rows in a body, and the small ingest API: what a client sent, handed to ingest. */
#include <fcntl.h>
#include <stdio.h>

#include "answer.h"
#include "handlers.h"
#include "ingest/body.h"
#include "metrics.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "uploads.h"

#define OBJECT_STEP_BYTES ((size_t)1024 * 1024)

/* ---- the result ---- */

static status answer_load(call *c, const load_result *r, error *err)
{
    json_writer w = answer_begin(c);

    json_begin_object(&w);
    json_member_str(
        &w, "table",
        str_printf(c->a, "%.*s.%.*s", STR_ARG(r->table.space), STR_ARG(r->table.table)));
    json_member_bool(&w, "created", r->created);
    json_member_int(&w, "rows", r->rows_written);
    json_member_int(&w, "rows_read", r->rows_read);
    json_member_int(&w, "rows_written", r->rows_written);
    json_member_int(&w, "rows_rejected", r->rows_rejected);
    json_member_int(&w, "files", r->files);
    json_member_int(&w, "bytes_written", r->bytes_written);
    member_id(&w, "snapshot_id", r->snapshot_id);
    json_member_double(&w, "seconds", r->seconds);
    json_end_object(&w);
    return answer_send(c, 200, &w, err);
}

static int64_t total_bytes(const load_request *request)
{
    int64_t total = 0;
    for (size_t i = 0; i < request->input_count; i++) {
        total += request->inputs[i].size_bytes;
    }
    return total;
}

static status run_load(call *c, load_request *request, error *err)
{
    load_result result;

    request->who = c->who;
    request->is_cancelled = call_is_cancelled;
    request->cancel_context = c;
    TRY(ingest_load(c->app->ingest, request, c->a, &result, err));
    metrics_count_load(result.rows_written, total_bytes(request));
    return answer_load(c, &result, err);
}

/* ---- what a client asks for ---- */

typedef struct load_options {
    str table, space, format, mode, partition_by, columns, csv_delimiter;
    bool create;
} load_options;

static const json_field option_fields[] = {
    {"table", JSON_STR, JSON_REQUIRED, offsetof(load_options, table)},
    {"namespace", JSON_STR, 0, offsetof(load_options, space)},
    {"format", JSON_STR, 0, offsetof(load_options, format)},
    {"mode", JSON_STR, 0, offsetof(load_options, mode)},
    {"create", JSON_BOOL, 0, offsetof(load_options, create)},
    {"partition_by", JSON_STR, 0, offsetof(load_options, partition_by)},
    {"columns", JSON_STR, 0, offsetof(load_options, columns)},
    {"csv_delimiter", JSON_STR, 0, offsetof(load_options, csv_delimiter)},
};

static status parse_mode(str text, load_mode *ret_mode, error *err)
{
    static const str names[] = {STR_INIT("append"), STR_INIT("overwrite"), STR_INIT("upsert")};

    if (text.size == 0) {
        *ret_mode = LOAD_APPEND;
        return STATUS_OK;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(text, names[i])) {
            *ret_mode = (load_mode)i;
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_INVALID, "mode \"%.*s\" does not exist", STR_ARG(text));
    error_hint(err, "Modes are append, overwrite and upsert.");
    return STATUS_INVALID;
}

static status parse_delimiter(str text, char *ret_delimiter, error *err)
{
    if (str_equal(text, STR("\\t")) || str_equal_nocase(text, STR("tab"))) {
        *ret_delimiter = '\t';
    } else if (text.size == 1) {
        *ret_delimiter = text.data[0];
    } else if (text.size > 1) {
        return error_set(err, STATUS_INVALID, "delimiter \"%.*s\" is not one character",
                         STR_ARG(text));
    }
    return STATUS_OK;
}

static status make_request(const load_options *o, load_request *ret_request, error *err)
{
    load_request request = {.table = o->table,
                            .space = o->space,
                            .create = o->create,
                            .partition_by = o->partition_by,
                            .columns = o->columns};

    if (o->format.size > 0 && !input_format_from(o->format, &request.format)) {
        error_set(err, STATUS_INVALID, "format \"%.*s\" does not exist", STR_ARG(o->format));
        error_hint(err, "Formats are auto, csv, tsv, json, ndjson and parquet.");
        return STATUS_INVALID;
    }
    TRY(parse_mode(o->mode, &request.mode, err));
    TRY(parse_delimiter(o->csv_delimiter, &request.csv_delimiter, err));
    *ret_request = request;
    return STATUS_OK;
}

/* ---- loads in three steps ---- */

status loads_post(call *c, error *err)
{
    str id;

    TRY(uploads_begin(c->app->uploads, &c->who, c->a, &id, err));
    json_writer w = answer_begin(c);
    json_begin_object(&w);
    json_member_str(&w, "id", id);
    json_end_object(&w);
    return answer_send(c, 201, &w, err);
}

/* An object of the store instead of a body. */
static status object_to_file(call *c, str location, const char *path, int64_t *ret_size, error *err)
{
    const resource what = {.warehouse = catalog_warehouse(c->app->catalog)};
    char *bytes = arena_alloc(c->a, OBJECT_STEP_BYTES);
    store_reader *reader = NULL;
    int fd = -1;

    TRY(access_check(c->app->access, &c->who, ACTION_LOCATION_READ, &what, err));
    TRY(store_open_reader(c->app->storage, location, &reader, err));
    int64_t size = store_reader_size(reader);
    status copied = fs_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, err);

    for (int64_t at = 0; at < size && copied == STATUS_OK;) {
        size_t got = 0;

        copied = store_reader_read(reader, bytes, OBJECT_STEP_BYTES, at, &got, err);
        if (copied == STATUS_OK) {
            copied = fs_write_all(fd, bytes, got, err);
        }
        at += (int64_t)got;
    }
    fs_close(fd);
    store_reader_close(reader);
    *ret_size = size;
    return copied;
}

status load_file_put(call *c, error *err)
{
    str source = http_request_param(c->x, "source");
    str id = http_request_segment(c->x, "id");
    str name = http_request_param(c->x, "name");
    int64_t number = 0;
    int64_t size = 0;
    char *path = NULL;

    TRY(str_to_int64(http_request_segment(c->x, "number"), &number, err));
    TRY(uploads_file(c->app->uploads, &c->who, id, number, c->a, &path, err));
    status arrived = str_is_null(source) ? body_to_file(c, path, &size, err)
                                         : object_to_file(c, source, path, &size, err);
    if (str_is_null(name)) {
        name = source;
    }
    if (str_is_null(name)) {
        name = str_printf(c->a, "file %lld", (long long)number);
    }
    if (arrived != STATUS_OK) {
        (void)uploads_file_done(c->app->uploads, &c->who, id, number, name, -1, NULL);
        return arrived;
    }
    TRY(uploads_file_done(c->app->uploads, &c->who, id, number, name, size, err));
    answer_empty(c);
    return STATUS_OK;
}

status load_commit(call *c, error *err)
{
    const json *object = NULL;
    load_options options = {.create = true};
    load_request request;
    load_input *inputs = NULL;

    TRY(request_json(c, &object, err));
    TRY(json_reject_unknown(object, option_fields, COUNT_OF(option_fields), err));
    TRY(json_read(object, option_fields, COUNT_OF(option_fields), &options, err));
    TRY(make_request(&options, &request, err));
    TRY(uploads_take(c->app->uploads, &c->who, http_request_segment(c->x, "id"), c->a, &inputs,
                     &request.input_count, err));
    request.inputs = inputs;
    return run_load(c, &request, err);
}

status load_delete(call *c, error *err)
{
    TRY(uploads_end(c->app->uploads, &c->who, http_request_segment(c->x, "id"), err));
    answer_empty(c);
    return STATUS_OK;
}

/* ---- rows and files in one request ---- */

static const struct {
    str media_type;
    input_format format;
} body_formats[] = {
    {STR_INIT("application/json"), INPUT_JSON},
    {STR_INIT("application/x-ndjson"), INPUT_NDJSON},
    {STR_INIT("application/jsonl"), INPUT_NDJSON},
    {STR_INIT("text/csv"), INPUT_CSV},
    {STR_INIT("text/tab-separated-values"), INPUT_TSV},
    {STR_INIT("application/vnd.apache.parquet"), INPUT_PARQUET},
    {STR_INIT("application/octet-stream"), INPUT_AUTO},
    {STR_INIT("application/x-www-form-urlencoded"),
     INPUT_AUTO}, /* what curl says when nobody told it */
};

static status format_of_body(const call *c, input_format *ret_format, error *err)
{
    str parameters;
    str type = str_trim(str_cut(http_request_header(c->x, "Content-Type"), ';', &parameters));

    if (type.size == 0) {
        *ret_format = INPUT_AUTO;
        return STATUS_OK;
    }
    for (size_t i = 0; i < COUNT_OF(body_formats); i++) {
        if (str_equal_nocase(type, body_formats[i].media_type)) {
            *ret_format = body_formats[i].format;
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_MEDIA_TYPE, "bodies of type \"%.*s\" cannot be loaded", STR_ARG(type));
    error_hint(err,
               "Send CSV, Parquet, JSON or NDJSON, or a multipart form with a part named file.");
    return STATUS_MEDIA_TYPE;
}

static bool is_form(const call *c)
{
    return str_starts_with_nocase(http_request_header(c->x, "Content-Type"),
                                  STR("multipart/form-data"));
}

static status form_options(const form *f, load_options *options, error *err)
{
    static const struct {
        const char *field;
        size_t offset;
    } texts[] = {
        {"table", offsetof(load_options, table)},
        {"namespace", offsetof(load_options, space)},
        {"format", offsetof(load_options, format)},
        {"mode", offsetof(load_options, mode)},
        {"partition", offsetof(load_options, partition_by)},
        {"partition_by", offsetof(load_options, partition_by)},
        {"columns", offsetof(load_options, columns)},
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        str value = ingest_form_value(f, texts[i].field);
        if (!str_is_null(value)) {
            *(str *)(void *)((char *)options + texts[i].offset) = value;
        }
    }
    if (ingest_form_value(f, "pkey").size > 0) {
        return error_set(err, STATUS_UNSUPPORTED, "form field \"pkey\" is not supported yet");
    }
    return STATUS_OK;
}

static status load_form(call *c, load_options *options, error *err)
{
    form f = {0};
    load_request request;
    str named = options->table; /* by the path, which the form does not overrule */

    TRY(form_read(c, &f, err));
    TRY(form_options(&f, options, err));
    options->table = named.size > 0 ? named : options->table;
    if (!f.has_file) {
        return error_set(err, STATUS_INVALID, "the form has no part named \"file\"");
    }
    if (options->table.size == 0) {
        return error_set(err, STATUS_INVALID, "form field \"table\" is missing");
    }
    TRY(make_request(options, &request, err));
    const load_input input = {.name = f.file_name, .path = f.file_path, .size_bytes = f.file_size};
    request.inputs = &input;
    request.input_count = 1;
    return run_load(c, &request, err);
}

static status load_body(call *c, load_options *options, error *err)
{
    load_request request;
    input_format format = INPUT_AUTO;
    char *path = NULL;
    int64_t size = 0;

    TRY(make_request(options, &request, err));
    if (request.format == INPUT_AUTO) {
        TRY(format_of_body(c, &format, err));
        request.format = format;
    }
    TRY(staged_path(c, &path, err));
    TRY(body_to_file(c, path, &size, err));
    if (size == 0) {
        return error_set(err, STATUS_INVALID, "the body is empty");
    }
    const load_input input = {.name = STR("request body"), .path = path, .size_bytes = size};
    request.inputs = &input;
    request.input_count = 1;
    return run_load(c, &request, err);
}

static status param_options(call *c, load_options *options, error *err)
{
    options->table = http_request_segment(c->x, "name");
    options->space = http_request_param(c->x, "namespace");
    options->format = http_request_param(c->x, "format");
    options->mode = http_request_param(c->x, "mode");
    options->partition_by = http_request_param(c->x, "partition_by");
    options->columns = http_request_param(c->x, "columns");
    return param_bool(c, "create", true, &options->create, err);
}

status small_ingest_post(call *c, error *err)
{
    load_options options = {.create = true};

    TRY(param_options(c, &options, err));
    return is_form(c) ? load_form(c, &options, err) : load_body(c, &options, err);
}

status small_ingest_form(call *c, error *err)
{
    load_options options = {.create = true};

    if (!is_form(c)) {
        error_set(err, STATUS_MEDIA_TYPE, "the body is not a multipart form");
        error_hint(err, "Send a form with fields table and file, or POST /ingest/{table}.");
        return STATUS_MEDIA_TYPE;
    }
    return load_form(c, &options, err);
}

status rows_post(call *c, error *err)
{
    load_options options = {0};
    str wait = http_request_param(c->x, "wait");

    if (!str_is_null(wait) && !str_equal(wait, STR("commit"))) {
        return error_set(err, STATUS_UNSUPPORTED, "parameter \"wait\" can only be commit for now");
    }
    TRY(param_options(c, &options, err));
    TRY(param_bool(c, "create", false, &options.create, err));
    return is_form(c) ? load_form(c, &options, err) : load_body(c, &options, err);
}

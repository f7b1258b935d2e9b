/* tarn s3 ls, stat, du, mb, rb, rm, presign. Copies are in s3_copy.c. */
#include "s3.h"

#include "output.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/codec/json.h"

#define ENDPOINT                                                                           \
    {                                                                                      \
        .name = "s3-endpoint", .value = "URL",                                             \
        .help = "S3 door to talk to (TARN_S3_ENDPOINT); default: the data directory's own" \
    }
#define HUMAN                                                          \
    {                                                                  \
        .name = "human-readable", .help = "sizes as 1.5 MiB and so on" \
    }

static const argument name_argument[] = {
    {.name = "NAME", .help = "s3://bucket or s3://bucket/key", .kind = ARGUMENT_TEXT}};

static status named(cli *c, size_t index, s3_uri *ret_uri, error *err)
{
    return s3cli_uri_remote(c->in.arguments.items[index], ret_uri, err);
}

/* ---- rows ---- */

static str json_text(arena *a, str value)
{
    buf *out = buf_in(a, LIMIT_MIB);

    json_quote(out, value);
    return buf_str(out);
}

static str time_cell(arena *a, int64_t us)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(us, 0, text);
    return json_text(a, str_c(text));
}

static str size_cell(const cli *c, arena *a, int64_t bytes)
{
    if (invocation_has(&c->in, "human-readable")) {
        return json_text(a, s3cli_human_size(a, bytes));
    }
    return str_printf(a, "%lld", (long long)bytes);
}

/* ---- ls ---- */

typedef struct listing {
    cli *c;
    output *out;
    arena *scratch;
    str strip; /* in front of every name */
    int64_t objects, bytes;
} listing;

static status list_one(void *context, const s3_entry *entry, error *err)
{
    listing *l = context;
    str cells[3] = {STR("null"), STR("null"), STR_NULL};

    if (!entry->is_prefix) {
        cells[0] = time_cell(l->scratch, entry->modified_us);
        cells[1] = size_cell(l->c, l->scratch, entry->size_bytes);
        l->objects++;
        l->bytes += entry->size_bytes;
    }
    cells[2] = json_text(l->scratch, str_slice(entry->name, l->strip.size, entry->name.size));
    TRY(output_row(l->out, cells, COUNT_OF(cells), err));
    arena_clear(l->scratch);
    return STATUS_OK;
}

static status list_buckets(cli *c, s3_client *s, error *err)
{
    static const output_column columns[] = {{STR_INIT("created"), STR_INIT("VARCHAR")},
                                            {STR_INIT("name"), STR_INIT("VARCHAR")}};
    const s3_request request = {.method = HTTP_GET, .target = "/"};
    const xml_element *root = NULL;
    output *out = output_create(c, out_width(c));

    TRY(s3cli_send_xml(s, &request, c->memory, &root, err));
    TRY(output_begin(out, columns, COUNT_OF(columns), err));
    for (const xml_element *e = xml_child(xml_child(root, "Buckets"), "Bucket"); e != NULL;
         e = xml_next(e)) {
        int64_t created_us = 0;
        TRY(clock_parse(xml_child_text(e, "CreationDate"), &created_us, err));
        const str cells[] = {time_cell(c->memory, created_us),
                             json_text(c->memory, xml_child_text(e, "Name"))};
        TRY(output_row(out, cells, COUNT_OF(cells), err));
    }
    return output_end(out, err);
}

static status run_ls(cli *c, error *err)
{
    static const output_column columns[] = {{STR_INIT("modified"), STR_INIT("VARCHAR")},
                                            {STR_INIT("size"), STR_INIT("BIGINT")},
                                            {STR_INIT("name"), STR_INIT("VARCHAR")}};
    bool recursive = invocation_has(&c->in, "recursive");
    listing l = {.c = c, .scratch = arena_child(c->memory)};
    s3_client *s = NULL;
    s3_uri u;

    if (c->in.arguments.count == 0) {
        TRY(s3cli_connect(c, &s, err));
        return list_buckets(c, s, err);
    }
    TRY(named(c, 0, &u, err));
    TRY(s3cli_connect(c, &s, err));
    size_t slash = str_find_last_char(u.key, '/');
    if (!recursive && slash != STR_NPOS) {
        l.strip = str_slice(u.key, 0, slash + 1);
    }
    l.out = output_create(c, out_width(c));
    TRY(output_begin(l.out, columns, COUNT_OF(columns), err));
    TRY(s3cli_list(s, u.bucket, u.key, !recursive, list_one, &l, err));
    TRY(output_end(l.out, err));
    if (invocation_has(&c->in, "summarize")) {
        str size = s3cli_human_size(c->memory, l.bytes);
        message_note(c, "%lld object%s, %.*s", (long long)l.objects, l.objects == 1 ? "" : "s",
                     STR_ARG(size));
    }
    return STATUS_OK;
}

/* ---- du ---- */

static status count_one(void *context, const s3_entry *entry, error *err)
{
    listing *l = context;

    (void)err;
    l->objects++;
    l->bytes += entry->size_bytes;
    return STATUS_OK;
}

static status run_du(cli *c, error *err)
{
    static const output_column columns[] = {{STR_INIT("objects"), STR_INIT("BIGINT")},
                                            {STR_INIT("size"), STR_INIT("BIGINT")},
                                            {STR_INIT("name"), STR_INIT("VARCHAR")}};
    output *out = output_create(c, out_width(c));
    s3_client *s = NULL;

    for (size_t i = 0; i < c->in.arguments.count; i++) {
        s3_uri u;
        TRY(named(c, i, &u, err));
    }
    TRY(s3cli_connect(c, &s, err));
    TRY(output_begin(out, columns, COUNT_OF(columns), err));
    for (size_t i = 0; i < c->in.arguments.count; i++) {
        listing l = {.c = c};
        s3_uri u;
        TRY(named(c, i, &u, err));
        TRY(s3cli_list(s, u.bucket, u.key, false, count_one, &l, err));
        const str cells[] = {str_printf(c->memory, "%lld", (long long)l.objects),
                             size_cell(c, c->memory, l.bytes), json_text(c->memory, u.text)};
        TRY(output_row(out, cells, COUNT_OF(cells), err));
    }
    return output_end(out, err);
}

/* ---- stat ---- */

static bool is_told(str header)
{
    static const str names[] = {
        STR_INIT("content-length"),   STR_INIT("content-type"),
        STR_INIT("content-encoding"), STR_INIT("cache-control"),
        STR_INIT("content-language"), STR_INIT("content-disposition"),
        STR_INIT("expires"),          STR_INIT("etag"),
        STR_INIT("last-modified"),
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_equal_nocase(header, names[i])) {
            return true;
        }
    }
    return str_starts_with_nocase(header, STR("x-amz-")) &&
           !str_equal_nocase(header, STR("x-amz-request-id")) &&
           !str_equal_nocase(header, STR("x-amz-id-2"));
}

static status run_stat(cli *c, error *err)
{
    static const http_header asking[] = {{STR_INIT("x-amz-checksum-mode"), STR_INIT("ENABLED")}};
    static const output_column columns[] = {{STR_INIT("property"), STR_INIT("VARCHAR")},
                                            {STR_INIT("value"), STR_INIT("VARCHAR")}};
    output *out = output_create(c, out_width(c));
    s3_client *s = NULL;
    http_answer answer;
    s3_uri u;

    TRY(named(c, 0, &u, err));
    TRY(s3cli_connect(c, &s, err));
    const s3_request request = {.method = HTTP_HEAD,
                                .target = s3cli_target(c->memory, u.bucket, u.key, NULL),
                                .headers = asking,
                                .header_count = u.key.size > 0 ? 1 : 0};
    TRY(s3cli_send(s, &request, c->memory, &answer, err));
    TRY(output_begin(out, columns, COUNT_OF(columns), err));
    for (size_t i = 0; i < answer.header_count; i++) {
        str name = answer.headers[i].name;
        if (is_told(name) && !(u.key.size == 0 && str_starts_with_nocase(name, STR("content-")))) {
            str value = answer.headers[i].value;
            if (value.size > 2 && str_equal_nocase(name, STR("etag"))) {
                value = str_slice(value, 1, value.size - 1); /* its quotes */
            }
            const str cells[] = {json_text(c->memory, str_lower(c->memory, name)),
                                 json_text(c->memory, value)};
            TRY(output_row(out, cells, COUNT_OF(cells), err));
        }
    }
    return output_end(out, err);
}

/* ---- mb, rb, rm ---- */

static status bucket_named(cli *c, s3_uri *ret_uri, error *err)
{
    TRY(named(c, 0, ret_uri, err));
    if (ret_uri->key.size > 0) {
        return error_set(err, STATUS_USAGE, "\"%.*s\" names more than a bucket",
                         STR_ARG(ret_uri->text));
    }
    return STATUS_OK;
}

static status send_bucket(s3_client *s, cli *c, http_method method, str bucket, error *err)
{
    const s3_request request = {.method = method,
                                .target = s3cli_target(c->memory, bucket, STR(""), NULL)};
    http_answer answer;

    return s3cli_send(s, &request, c->memory, &answer, err);
}

static status run_mb(cli *c, error *err)
{
    s3_client *s = NULL;
    s3_uri u;

    TRY(bucket_named(c, &u, err));
    if (c->dry_run) {
        message_note(c, "would make bucket %.*s", STR_ARG(u.bucket));
        return STATUS_OK;
    }
    TRY(s3cli_connect(c, &s, err));
    TRY(send_bucket(s, c, HTTP_PUT, u.bucket, err));
    message_note(c, "bucket %.*s made", STR_ARG(u.bucket));
    return STATUS_OK;
}

/* Deletes as a list goes on, a thousand at a time. */
typedef struct removal {
    cli *c;
    s3_client *s;
    str bucket;
    bool filtered;
    arena *memory;
    s3_entry batch[1000];
    size_t count;
    int64_t total;
} removal;

static status flush_removal(removal *r, error *err)
{
    status result = STATUS_OK;

    if (r->count > 0 && !r->c->dry_run) {
        result = s3cli_delete(r->s, r->bucket, r->batch, r->count, err);
    }
    r->count = 0;
    arena_clear(r->memory);
    return result;
}

static status remove_one(void *context, const s3_entry *entry, error *err)
{
    removal *r = context;

    if (r->filtered && !s3cli_selected(r->c, entry->name)) {
        return STATUS_OK;
    }
    if (r->c->dry_run) {
        message_note(r->c, "would delete s3://%.*s/%.*s", STR_ARG(r->bucket), STR_ARG(entry->name));
    }
    s3_entry kept = {.name = str_copy(r->memory, entry->name),
                     .version = str_copy(r->memory, entry->version)};
    r->batch[r->count++] = kept;
    r->total++;
    return r->count == COUNT_OF(r->batch) ? flush_removal(r, err) : STATUS_OK;
}

static removal *removal_create(cli *c, s3_client *s, str bucket)
{
    removal *r = ARENA_NEW(c->memory, removal);

    r->c = c;
    r->s = s;
    r->bucket = bucket;
    r->memory = arena_child(c->memory);
    return r;
}

static status run_rb(cli *c, error *err)
{
    bool force = invocation_has(&c->in, "force");
    s3_client *s = NULL;
    s3_uri u;

    TRY(bucket_named(c, &u, err));
    if (c->dry_run) {
        message_note(c, "would remove bucket %.*s%s", STR_ARG(u.bucket),
                     force ? " with everything in it" : "");
        return STATUS_OK;
    }
    if (force) {
        TRY(message_confirm(c, err, "remove bucket \"%.*s\" with everything in it",
                            STR_ARG(u.bucket)));
    }
    TRY(s3cli_connect(c, &s, err));
    if (force) {
        removal *r = removal_create(c, s, u.bucket);
        TRY(s3cli_list_versions(s, u.bucket, STR(""), remove_one, r, err));
        TRY(flush_removal(r, err));
    }
    TRY(send_bucket(s, c, HTTP_DELETE, u.bucket, err));
    message_note(c, "bucket %.*s removed", STR_ARG(u.bucket));
    return STATUS_OK;
}

static status run_rm(cli *c, error *err)
{
    s3_client *s = NULL;
    s3_uri u;

    TRY(named(c, 0, &u, err));
    if (!invocation_has(&c->in, "recursive")) {
        if (u.key.size == 0) {
            (void)error_set(err, STATUS_USAGE, "\"%.*s\" is a bucket, not an object",
                            STR_ARG(u.text));
            error_hint(err, "Add --recursive to delete all objects in it.");
            return STATUS_USAGE;
        }
        if (c->dry_run) {
            message_note(c, "would delete %.*s", STR_ARG(u.text));
            return STATUS_OK;
        }
        TRY(s3cli_connect(c, &s, err));
        const s3_request request = {.method = HTTP_DELETE,
                                    .target = s3cli_target(c->memory, u.bucket, u.key, NULL)};
        http_answer answer;
        return s3cli_send(s, &request, c->memory, &answer, err);
    }
    if (!c->dry_run) {
        TRY(message_confirm(c, err, "delete every object below \"%.*s\"", STR_ARG(u.text)));
    }
    TRY(s3cli_connect(c, &s, err));
    removal *r = removal_create(c, s, u.bucket);
    r->filtered = true;
    TRY(s3cli_list(s, u.bucket, u.key, false, remove_one, r, err));
    TRY(flush_removal(r, err));
    message_note(c, "%s%lld object%s deleted", c->dry_run ? "would be: " : "", (long long)r->total,
                 r->total == 1 ? "" : "s");
    return STATUS_OK;
}

/* ---- presign ---- */

static status run_presign(cli *c, error *err)
{
    str expires = invocation_get(&c->in, "expires-in");
    str method = invocation_get(&c->in, "method");
    s3_client *s = NULL;
    int64_t seconds = 3600;
    str query = STR_NULL;
    s3_uri u;

    TRY(named(c, 0, &u, err));
    if (!str_is_null(expires) && str_to_int64(expires, &seconds, NULL) != STATUS_OK) {
        return error_set(err, STATUS_USAGE, "--expires-in is no number of seconds: \"%.*s\"",
                         STR_ARG(expires));
    }
    TRY(s3cli_connect(c, &s, err));
    str base = s3cli_base_url(s);
    size_t scheme = str_find(base, STR("://"));
    str target = str_c(s3cli_target(c->memory, u.bucket, u.key, NULL));
    TRY(signature_presign(s3cli_key(s), str_is_null(method) ? "GET" : str_to_c(c->memory, method),
                          str_slice(base, scheme + 3, base.size), target, seconds, clock_now_us(),
                          c->memory, &query, err));
    return out_str(
        c, str_printf(c->memory, "%.*s%.*s?%.*s\n", STR_ARG(base), STR_ARG(target), STR_ARG(query)),
        err);
}

/* ---- the commands ---- */

static const argument ls_arguments[] = {
    {.name = "NAME", .help = "s3://bucket[/prefix]; none: the buckets", .optional = true}};
static const option ls_options[] = {
    {.name = "recursive", .help = "every object below, not the next level alone"},
    HUMAN,
    {.name = "summarize", .help = "number and size of the objects behind the list"},
    ENDPOINT,
};
static const example ls_examples[] = {
    {"tarn s3 ls", "the buckets"},
    {"tarn s3 ls s3://photos/2026/", "what lies right below"},
};
const command command_s3_ls = {
    .name = "s3 ls",
    .summary = "buckets, or what is in one",
    ARGUMENTS(ls_arguments),
    OPTIONS(ls_options),
    EXAMPLES(ls_examples),
    .run = run_ls,
};

static const argument du_arguments[] = {
    {.name = "NAME", .help = "s3://bucket or s3://bucket/prefix", .repeats = true}};
static const option du_options[] = {HUMAN, ENDPOINT};
const command command_s3_du = {
    .name = "s3 du",
    .summary = "number and size of the objects below a name",
    ARGUMENTS(du_arguments),
    OPTIONS(du_options),
    .run = run_du,
};

static const option endpoint_options[] = {ENDPOINT};
const command command_s3_stat = {
    .name = "s3 stat",
    .summary = "what is known of an object or a bucket",
    ARGUMENTS(name_argument),
    OPTIONS(endpoint_options),
    .run = run_stat,
};

const command command_s3_mb = {
    .name = "s3 mb",
    .summary = "make a bucket",
    ARGUMENTS(name_argument),
    OPTIONS(endpoint_options),
    .run = run_mb,
};

static const option rb_options[] = {
    {.name = "force", .help = "with everything in it, old versions too"}, ENDPOINT};
const command command_s3_rb = {
    .name = "s3 rb",
    .summary = "remove a bucket",
    ARGUMENTS(name_argument),
    OPTIONS(rb_options),
    .run = run_rb,
};

static const option rm_options[] = {
    {.name = "recursive", .help = "every object whose key begins so"},
    {.name = "exclude",
     .value = "PATTERN",
     .help = "leave these keys out; the last pattern that matches counts",
     .repeats = true},
    {.name = "include", .value = "PATTERN", .help = "take these keys in again", .repeats = true},
    ENDPOINT,
};
const command command_s3_rm = {
    .name = "s3 rm",
    .summary = "delete an object, or all below a prefix",
    ARGUMENTS(name_argument),
    OPTIONS(rm_options),
    .run = run_rm,
};

static const option presign_options[] = {
    {.name = "expires-in",
     .value = "SECONDS",
     .help = "how long the URL is good for, at most 604800; default: 3600"},
    {.name = "method",
     .value = "METHOD",
     .choices = "GET|HEAD|PUT|DELETE",
     .help = "what it allows; default: GET"},
    ENDPOINT,
};
const command command_s3_presign = {
    .name = "s3 presign",
    .summary = "a URL that lets anybody read an object for a while",
    ARGUMENTS(name_argument),
    OPTIONS(presign_options),
    .run = run_presign,
};

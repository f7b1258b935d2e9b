/* tarn s3 cp, mv, sync: files to objects, objects to files, objects to objects.
 *
 * A command first writes down its jobs, one for each object, then several threads do them, each job by itself; what
 * fails does not keep the others from being done, and the first failure is the command's. A file's name is made of a
 * key only where it stays below the folder that was named. */
#include "s3.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"

typedef enum direction { UPLOAD, DOWNLOAD, COPY } direction;
static const char *const direction_names[] = {"upload", "download", "copy"};

typedef struct job {
    str from, to; /* names below the two places: a path, or a key */
    int64_t size_bytes;
} job;

typedef struct work {
    cli *c;
    s3_client *s;
    s3_uri from, to;
    direction direction;
    bool moves;
    VEC(job) jobs;
    progress progress;
    /* under the lock */
    mutex lock;
    size_t next;
    int64_t done, failed;
    status result;
    error err;
} work;

/* ---- one job ---- */

static str shown_name(const work *w, bool remote, str bucket, str name, arena *a)
{
    (void)w;
    return remote ? str_printf(a, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(name)) : name;
}

static str shown(const work *w, const job *j, arena *a)
{
    str from = shown_name(w, w->from.remote, w->from.bucket, j->from, a);
    str to = shown_name(w, w->to.remote, w->to.bucket, j->to, a);

    return str_printf(a, "%s %.*s to %.*s", w->moves ? "move" : direction_names[w->direction],
                      STR_ARG(from), STR_ARG(to));
}

static str type_of(str name)
{
    static const str types[][2] = {
        {STR_INIT(".json"), STR_INIT("application/json")},
        {STR_INIT(".csv"), STR_INIT("text/csv")},
        {STR_INIT(".txt"), STR_INIT("text/plain")},
        {STR_INIT(".html"), STR_INIT("text/html")},
        {STR_INIT(".css"), STR_INIT("text/css")},
        {STR_INIT(".js"), STR_INIT("text/javascript")},
        {STR_INIT(".xml"), STR_INIT("application/xml")},
        {STR_INIT(".pdf"), STR_INIT("application/pdf")},
        {STR_INIT(".png"), STR_INIT("image/png")},
        {STR_INIT(".jpg"), STR_INIT("image/jpeg")},
        {STR_INIT(".jpeg"), STR_INIT("image/jpeg")},
        {STR_INIT(".gif"), STR_INIT("image/gif")},
        {STR_INIT(".svg"), STR_INIT("image/svg+xml")},
        {STR_INIT(".gz"), STR_INIT("application/gzip")},
        {STR_INIT(".zip"), STR_INIT("application/zip")},
        {STR_INIT(".parquet"), STR_INIT("application/vnd.apache.parquet")},
    };

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (str_ends_with(name, types[i][0])) {
            return types[i][1];
        }
    }
    return STR("binary/octet-stream");
}

static str content_type(const work *w, str name)
{
    str given = invocation_get(&w->c->in, "content-type");

    return str_is_null(given) ? type_of(name) : given;
}

static status upload_file(work *w, const job *j, arena *a, error *err)
{
    int fd = -1;
    int64_t size = 0;

    TRY(fs_open(str_to_c(a, j->from), O_RDONLY, 0, &fd, err));
    status result = fs_size(fd, &size, err);
    if (result == STATUS_OK) {
        result = s3cli_upload(w->s, fd, size, w->to.bucket, j->to, content_type(w, j->from),
                              &w->progress, err);
    }
    fs_close(fd);
    if (result == STATUS_OK && w->moves) {
        result = fs_remove(str_to_c(a, j->from), err);
    }
    return result;
}

static status delete_source(work *w, const job *j, arena *a, error *err)
{
    const s3_request request = {.method = HTTP_DELETE,
                                .target = s3cli_target(a, w->from.bucket, j->from, NULL)};
    http_answer answer;

    return s3cli_send(w->s, &request, a, &answer, err);
}

static status do_job(work *w, const job *j, arena *a, error *err)
{
    if (w->direction == UPLOAD) {
        return upload_file(w, j, a, err);
    }
    if (w->direction == DOWNLOAD) {
        TRY(s3cli_download(w->s, w->from.bucket, j->from, str_to_c(a, j->to), &w->progress, err));
    } else {
        const s3_uri from = {.remote = true, .bucket = w->from.bucket, .key = j->from};
        TRY(s3cli_copy(w->s, &from, w->to.bucket, j->to, j->size_bytes, err));
        w->progress.done += j->size_bytes;
    }
    return w->moves ? delete_source(w, j, a, err) : STATUS_OK;
}

/* ---- all of them ---- */

static void note_result(work *w, const job *j, status result, error *err, arena *a)
{
    str what = shown(w, j, a);

    mutex_lock(&w->lock);
    if (result == STATUS_OK) {
        w->done++;
        message_detail(w->c, "%.*s", STR_ARG(what));
    } else {
        error_context(err, "%.*s", STR_ARG(what));
        if (w->failed > 0) {
            message_error(w->c, err);
        } else {
            w->result = result;
            w->err = *err;
        }
        w->failed++;
    }
    mutex_unlock(&w->lock);
}

static void do_jobs(void *context, size_t index)
{
    work *w = context;
    arena *a = arena_create();

    (void)index;
    while (true) {
        mutex_lock(&w->lock);
        size_t at = w->next < w->jobs.count && interrupt_signal == 0 ? w->next++ : SIZE_MAX;
        mutex_unlock(&w->lock);
        if (at == SIZE_MAX) {
            break;
        }
        error err = ERROR_INIT;
        status result = do_job(w, &w->jobs.items[at], a, &err);
        note_result(w, &w->jobs.items[at], result, &err, a);
        arena_clear(a);
    }
    arena_free(a);
}

static status run_jobs(work *w, error *err)
{
    int64_t total = 0;

    for (size_t i = 0; i < w->jobs.count; i++) {
        total += w->jobs.items[i].size_bytes > 0 ? w->jobs.items[i].size_bytes : 0;
    }
    if (w->c->dry_run) {
        for (size_t i = 0; i < w->jobs.count; i++) {
            str what = shown(w, &w->jobs.items[i], w->c->memory);
            message_note(w->c, "would %.*s", STR_ARG(what));
        }
        return STATUS_OK;
    }
    mutex_init(&w->lock);
    progress_start(w->c, &w->progress,
                   w->moves                 ? "moving"
                   : w->direction == COPY   ? "copying"
                   : w->direction == UPLOAD ? "uploading"
                                            : "downloading",
                   total);
    parallel_for(S3_STREAMS, S3_STREAMS, do_jobs, w);
    progress_stop(&w->progress);
    mutex_release(&w->lock);
    if (w->result == STATUS_OK && interrupt_signal != 0) {
        return error_set(err, STATUS_CANCELLED, "interrupted");
    }
    if (w->result != STATUS_OK) {
        *err = w->err;
        if (w->failed > 1) {
            error_context(err, "%lld of %zu failed", (long long)w->failed, w->jobs.count);
        }
    }
    return w->result;
}

/* A row that says how much was done: for programs, where they asked for a format. */
static status report(work *w, int64_t deleted, error *err)
{
    static const output_column columns[] = {{STR_INIT("operation"), STR_INIT("VARCHAR")},
                                            {STR_INIT("objects"), STR_INIT("BIGINT")},
                                            {STR_INIT("bytes"), STR_INIT("BIGINT")},
                                            {STR_INIT("deleted"), STR_INIT("BIGINT")}};
    cli *c = w->c;
    int64_t bytes = 0;

    for (size_t i = 0; i < w->jobs.count; i++) {
        bytes += w->jobs.items[i].size_bytes;
    }
    str size = s3cli_human_size(c->memory, bytes);
    if (c->dry_run || str_is_null(invocation_get(&c->in, "output"))) {
        message_note(c, "%s%zu object%s, %.*s%s", c->dry_run ? "would be: " : "", w->jobs.count,
                     w->jobs.count == 1 ? "" : "s", STR_ARG(size),
                     deleted > 0 ? "; others deleted" : "");
        return STATUS_OK;
    }
    output *out = output_create(c, out_width(c));
    const str cells[] = {
        str_printf(c->memory, "\"%s\"", w->moves ? "move" : direction_names[w->direction]),
        str_printf(c->memory, "%zu", w->jobs.count),
        str_printf(c->memory, "%lld", (long long)bytes),
        str_printf(c->memory, "%lld", (long long)deleted)};
    TRY(output_begin(out, columns, COUNT_OF(columns), err));
    TRY(output_row(out, cells, COUNT_OF(cells), err));
    return output_end(out, err);
}

/* ---- the two places ---- */

static status read_places(cli *c, work *w, error *err)
{
    *w = (work){.c = c};
    TRY(s3cli_uri_parse(c->in.arguments.items[0], &w->from, err));
    TRY(s3cli_uri_parse(c->in.arguments.items[1], &w->to, err));
    if (!w->from.remote && !w->to.remote) {
        (void)error_set(err, STATUS_USAGE, "neither \"%.*s\" nor \"%.*s\" is an S3 name",
                        STR_ARG(w->from.text), STR_ARG(w->to.text));
        error_hint(err, "S3 names are s3://bucket or s3://bucket/key.");
        return STATUS_USAGE;
    }
    w->direction = !w->from.remote ? UPLOAD : !w->to.remote ? DOWNLOAD : COPY;
    return STATUS_OK;
}

static str last_name(str path)
{
    size_t slash = str_find_last_char(path, '/');

    return slash == STR_NPOS ? path : str_slice(path, slash + 1, path.size);
}

static bool is_folder(arena *a, str path)
{
    struct stat about;

    return stat(str_to_c(a, path), &about) == 0 && S_ISDIR(about.st_mode);
}

static str with_slash(arena *a, str place)
{
    return place.size == 0 || str_ends_with(place, STR("/")) ? place
                                                             : str_concat(a, place, STR("/"));
}

/* The target of one object: a name ending in a slash, a bucket alone and a folder take its own name. */
static str single_target(const work *w, str name)
{
    arena *a = w->c->memory;

    if (w->to.remote) {
        bool open = w->to.key.size == 0 || str_ends_with(w->to.key, STR("/"));
        return open ? str_concat(a, w->to.key, name) : w->to.key;
    }
    bool open = str_ends_with(w->to.path, STR("/")) || is_folder(a, w->to.path);
    return open ? str_concat(a, with_slash(a, w->to.path), name) : w->to.path;
}

/* A relative path without "." or "..", so that it stays where it belongs. */
static bool is_safe_path(str name)
{
    if (name.size == 0 || str_find_char(name, '\0') != STR_NPOS) {
        return false;
    }
    for (str rest = name; !str_is_null(rest);) {
        str part = str_cut(rest, '/', &rest);
        if (part.size == 0 || str_equal(part, STR(".")) || str_equal(part, STR(".."))) {
            return false;
        }
    }
    return true;
}

/* Collects entries under their name below the place. */
typedef struct listing {
    cli *c;
    arena *memory;
    str prefix; /* of keys; taken off */
    bool to_files;
    VEC(s3_entry) entries;
    int64_t unsafe;
} listing;

static status collect(void *context, const s3_entry *entry, error *err)
{
    listing *l = context;
    s3_entry kept = *entry;

    (void)err;
    kept.name = str_copy(l->memory, str_slice(entry->name, l->prefix.size, entry->name.size));
    if (kept.name.size == 0 || !s3cli_selected(l->c, kept.name)) {
        return STATUS_OK;
    }
    if (l->to_files && str_ends_with(kept.name, STR("/"))) {
        return STATUS_OK; /* marks a folder */
    }
    if (l->to_files && !is_safe_path(kept.name)) {
        message_note(l->c, "skipped: the key \"%.*s\" cannot be a file's name",
                     STR_ARG(entry->name));
        l->unsafe++;
        return STATUS_OK;
    }
    vec_push(l->memory, &l->entries, kept);
    return STATUS_OK;
}

static status list_place(work *w, const s3_uri *place, bool to_files, listing *l, error *err)
{
    arena *a = w->c->memory;

    *l = (listing){.c = w->c, .memory = a, .to_files = to_files};
    if (place->remote) {
        l->prefix = with_slash(a, place->key);
        return s3cli_list(w->s, place->bucket, l->prefix, false, collect, l, err);
    }
    return s3cli_list_files(a, place->path, collect, l, err);
}

static void add_job(work *w, const s3_entry *entry)
{
    arena *a = w->c->memory;
    str from = with_slash(a, w->from.remote ? w->from.key : w->from.path);
    str to = with_slash(a, w->to.remote ? w->to.key : w->to.path);
    job j = {.from = str_concat(a, from, entry->name),
             .to = str_concat(a, to, entry->name),
             .size_bytes = entry->size_bytes};

    vec_push(a, &w->jobs, j);
}

/* ---- cp, mv ---- */

static status add_single(work *w, error *err)
{
    arena *a = w->c->memory;
    job j = {.from = w->from.remote ? w->from.key : w->from.path};

    if (w->from.remote && w->from.key.size == 0) {
        (void)error_set(err, STATUS_USAGE, "\"%.*s\" is a bucket, not an object",
                        STR_ARG(w->from.text));
        error_hint(err, "Add --recursive to take all objects in it.");
        return STATUS_USAGE;
    }
    if (!w->from.remote && is_folder(a, w->from.path)) {
        (void)error_set(err, STATUS_USAGE, "\"%.*s\" is a folder", STR_ARG(w->from.path));
        error_hint(err, "Add --recursive to take all files in it.");
        return STATUS_USAGE;
    }
    str name = last_name(j.from);
    j.to = single_target(w, name);
    if (w->direction == DOWNLOAD && !str_equal(j.to, w->to.path) && !is_safe_path(name)) {
        return error_set(err, STATUS_INVALID, "the key \"%.*s\" cannot be a file's name",
                         STR_ARG(j.from));
    }
    if (w->direction == UPLOAD) {
        TRY(fs_stat_size(str_to_c(a, j.from), &j.size_bytes, err));
    } else {
        const s3_request ask = {.method = HTTP_HEAD,
                                .target = s3cli_target(a, w->from.bucket, j.from, NULL)};
        http_answer head;
        TRY(s3cli_send(w->s, &ask, a, &head, err));
        (void)str_to_int64(http_answer_header(&head, "Content-Length"), &j.size_bytes, NULL);
    }
    vec_push(a, &w->jobs, j);
    return STATUS_OK;
}

/* From stdin, or to stdout. */
static status run_pipe(work *w, error *err)
{
    cli *c = w->c;

    if (w->direction == COPY || w->moves || invocation_has(&c->in, "recursive")) {
        return error_set(err, STATUS_USAGE, "- is for one object and one pipe");
    }
    if (c->dry_run) {
        message_note(c, "would copy %.*s to %.*s", STR_ARG(w->from.text), STR_ARG(w->to.text));
        return STATUS_OK;
    }
    if (w->direction == DOWNLOAD) {
        return s3cli_print(w->s, w->from.bucket, w->from.key, err);
    }
    if (w->to.key.size == 0 || str_ends_with(w->to.key, STR("/"))) {
        return error_set(err, STATUS_USAGE, "stdin has no name: \"%.*s\" has to name an object",
                         STR_ARG(w->to.text));
    }
    progress_start(c, &w->progress, "uploading", 0);
    status result = s3cli_upload(w->s, STDIN_FILENO, -1, w->to.bucket, w->to.key,
                                 content_type(w, w->to.key), &w->progress, err);
    progress_stop(&w->progress);
    return result;
}

static status copy_or_move(cli *c, bool moves, error *err)
{
    work w;

    TRY(read_places(c, &w, err));
    w.moves = moves;
    TRY(s3cli_connect(c, &w.s, err));
    if ((!w.from.remote && str_equal(w.from.path, STR("-"))) ||
        (!w.to.remote && str_equal(w.to.path, STR("-")))) {
        return run_pipe(&w, err);
    }
    if (invocation_has(&c->in, "recursive")) {
        listing l;
        TRY(list_place(&w, &w.from, w.direction == DOWNLOAD, &l, err));
        for (size_t i = 0; i < l.entries.count; i++) {
            add_job(&w, &l.entries.items[i]);
        }
    } else {
        TRY(add_single(&w, err));
    }
    TRY(run_jobs(&w, err));
    return report(&w, 0, err);
}

static status run_cp(cli *c, error *err)
{
    return copy_or_move(c, false, err);
}

static status run_mv(cli *c, error *err)
{
    return copy_or_move(c, true, err);
}

/* ---- sync ---- */

static map *names_of(const work *w, const listing *l)
{
    map *names = map_create(w->c->memory);

    for (size_t i = 0; i < l->entries.count; i++) {
        (void)map_set(names, l->entries.items[i].name, &l->entries.items[i]);
    }
    return names;
}

static bool differs(const work *w, const s3_entry *from, const s3_entry *to)
{
    if (to == NULL || from->size_bytes != to->size_bytes) {
        return true;
    }
    return !invocation_has(&w->c->in, "size-only") && from->modified_us > to->modified_us;
}

/* What the target has and the source has not. */
static status delete_rest(work *w, const listing *to, const map *kept, int64_t *ret_count,
                          error *err)
{
    arena *a = w->c->memory;
    VEC(s3_entry) batch = {.count = 0};

    *ret_count = 0;
    for (size_t i = 0; i < to->entries.count; i++) {
        s3_entry gone = to->entries.items[i];
        if (map_has(kept, gone.name)) {
            continue;
        }
        gone.name = str_concat(a, with_slash(a, w->to.remote ? w->to.key : w->to.path), gone.name);
        ++*ret_count;
        if (w->c->dry_run) {
            message_note(w->c, "would delete %.*s", STR_ARG(gone.name));
        } else if (!w->to.remote) {
            TRY(fs_remove(str_to_c(a, gone.name), err));
        } else {
            vec_push(a, &batch, gone);
        }
    }
    for (size_t at = 0; at < batch.count; at += 1000) {
        size_t count = batch.count - at < 1000 ? batch.count - at : 1000;
        TRY(s3cli_delete(w->s, w->to.bucket, batch.items + at, count, err));
    }
    return STATUS_OK;
}

static status run_sync(cli *c, error *err)
{
    listing from;
    listing to = {.c = c};
    work w;
    int64_t deleted = 0;

    TRY(read_places(c, &w, err));
    TRY(s3cli_connect(c, &w.s, err));
    TRY(list_place(&w, &w.from, w.direction == DOWNLOAD, &from, err));
    if (w.to.remote || is_folder(c->memory, w.to.path)) {
        TRY(list_place(&w, &w.to, false, &to, err));
    }
    const map *there = names_of(&w, &to);
    for (size_t i = 0; i < from.entries.count; i++) {
        const s3_entry *entry = &from.entries.items[i];
        if (differs(&w, entry, map_get(there, entry->name))) {
            add_job(&w, entry);
        }
    }
    TRY(run_jobs(&w, err));
    if (invocation_has(&c->in, "delete")) {
        TRY(delete_rest(&w, &to, names_of(&w, &from), &deleted, err));
    }
    return report(&w, deleted, err);
}

/* ---- the commands ---- */

#define ENDPOINT                                                                           \
    {                                                                                      \
        .name = "s3-endpoint", .value = "URL",                                             \
        .help = "S3 door to talk to (TARN_S3_ENDPOINT); default: the data directory's own" \
    }
#define EXCLUDE                                                               \
    {                                                                         \
        .name = "exclude", .value = "PATTERN", .repeats = true,               \
        .help = "leave these names out; the last pattern that matches counts" \
    }
#define INCLUDE                                                 \
    {                                                           \
        .name = "include", .value = "PATTERN", .repeats = true, \
        .help = "take these names in again"                     \
    }
#define CONTENT_TYPE                                                             \
    {                                                                            \
        .name = "content-type", .value = "TYPE",                                 \
        .help = "of uploaded objects; default: by the ending of the file's name" \
    }

static const argument copy_arguments[] = {
    {.name = "FROM", .help = "file, s3://bucket/key, or - for stdin", .kind = ARGUMENT_FILE},
    {.name = "TO",
     .help = "file, folder, s3://bucket/key, or - for stdout",
     .kind = ARGUMENT_FILE}};
static const option copy_options[] = {
    {.name = "recursive", .help = "everything below"}, EXCLUDE, INCLUDE, CONTENT_TYPE, ENDPOINT};
static const example cp_examples[] = {
    {"tarn s3 cp report.pdf s3://docs/", "one file, under its own name"},
    {"tarn s3 cp s3://docs/report.pdf - | less", "to a pipe"},
    {"tarn s3 cp --recursive s3://docs/2026 ./docs --exclude '*' --include '*.pdf'",
     "some of many"},
};
const command command_s3_cp = {
    .name = "s3 cp",
    .summary = "copy files and objects",
    .details =
        "Large files go in parts, several at once. What arrives is verified by its checksum.",
    ARGUMENTS(copy_arguments),
    OPTIONS(copy_options),
    EXAMPLES(cp_examples),
    .run = run_cp,
};

const command command_s3_mv = {
    .name = "s3 mv",
    .summary = "move files and objects: copy, then delete the source",
    ARGUMENTS(copy_arguments),
    OPTIONS(copy_options),
    .run = run_mv,
};

static const argument sync_arguments[] = {
    {.name = "FROM", .help = "folder, or s3://bucket/prefix", .kind = ARGUMENT_FILE},
    {.name = "TO", .help = "folder, or s3://bucket/prefix", .kind = ARGUMENT_FILE}};
static const option sync_options[] = {
    {.name = "delete", .help = "delete in TO what FROM has not"},
    {.name = "size-only", .help = "do not look at times"},
    EXCLUDE,
    INCLUDE,
    CONTENT_TYPE,
    ENDPOINT,
};
static const example sync_examples[] = {
    {"tarn s3 sync ./site s3://site --delete", "the bucket becomes like the folder"}};
const command command_s3_sync = {
    .name = "s3 sync",
    .summary = "copy what is new or changed",
    .details =
        "An object is copied where the other side has none of that name, one of another size, or an older one.",
    ARGUMENTS(sync_arguments),
    OPTIONS(sync_options),
    EXAMPLES(sync_examples),
    .run = run_sync,
};

/* \copy: a table from a file of this machine, or rows into one. What SQL's own COPY cannot do: the server
 * opens no path that a client named.
 *
 *   \copy TABLE FROM 'FILE' [FORMAT csv] [MODE append|overwrite] [DELIMITER ';']
 *   \copy TABLE|(QUERY) TO 'FILE' [FORMAT csv|tsv|json|jsonl|md|arrow|parquet]
 */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "load.h"
#include "shell/internal.h"
#include "tarn/base/fs.h"

typedef struct copy_job {
    str what; /* table, or the query without its brackets */
    bool query;
    bool from;
    str path;
    str format, mode, delimiter;
} copy_job;

/* ---- reading the command ---- */

/* A name with its dots and quotes, or all up to the bracket that closes the first one. */
static str cut_subject(str text, str *rest)
{
    bool query = str_starts_with(text, STR("("));
    int depth = 0;
    bool blank;
    size_t at = 0;

    while (at < text.size) {
        size_t behind = query_skip_token(text, at, &blank);
        depth += text.data[at] == '(' ? 1 : 0;
        depth -= text.data[at] == ')' ? 1 : 0;
        if (blank && depth == 0) {
            break;
        }
        at = behind;
        if (query && depth == 0) {
            break;
        }
    }
    *rest = str_slice(text, at, text.size);
    return str_slice(text, 0, at);
}

/* FORMAT csv and (FORMAT csv, DELIMITER ';') alike. */
static bool read_options(const shell *s, str rest, arena *a, copy_job *job, str *ret_wrong)
{
    const struct {
        str name;
        str *value;
    } known[] = {{STR("format"), &job->format},
                 {STR("mode"), &job->mode},
                 {STR("delimiter"), &job->delimiter}};

    rest = str_trim(rest);
    if (str_starts_with(rest, STR("(")) && str_ends_with(rest, STR(")"))) {
        rest = str_slice(rest, 1, rest.size - 1);
    }
    for (str word = shell_word(s, &rest, a); !str_is_null(word); word = shell_word(s, &rest, a)) {
        bool found = false;
        if (str_equal(word, STR(",")) || str_equal_nocase(word, STR("with"))) {
            continue;
        }
        for (size_t i = 0; i < COUNT_OF(known); i++) {
            if (str_equal_nocase(word, known[i].name)) {
                *known[i].value = shell_word(s, &rest, a);
                while (str_ends_with(*known[i].value, STR(",")) && known[i].value->size > 1) {
                    known[i].value->size--;
                }
                found = !str_is_null(*known[i].value);
            }
        }
        if (!found) {
            *ret_wrong = word;
            return false;
        }
    }
    return true;
}

static bool read_job(shell *s, str operand, arena *a, copy_job *job)
{
    str rest;
    str subject = cut_subject(str_trim(operand), &rest);
    str direction = shell_word(s, &rest, a);
    str wrong = STR_NULL;

    *job = (copy_job){.what = subject, .query = str_starts_with(subject, STR("("))};
    if (job->query && subject.size >= 2) {
        job->what = str_slice(subject, 1, subject.size - 1);
    }
    job->from = str_equal_nocase(direction, STR("from"));
    job->path = shell_word(s, &rest, a);
    if (subject.size == 0 || str_is_null(job->path) ||
        (!job->from && !str_equal_nocase(direction, STR("to")))) {
        return shell_refuse(s, "it is \\copy TABLE FROM 'FILE', or \\copy TABLE TO 'FILE', or "
                               "\\copy (QUERY) TO 'FILE'");
    }
    if (job->from && job->query) {
        return shell_refuse(s, "rows of a file go into a table, not into a query");
    }
    if (!read_options(s, rest, a, job, &wrong)) {
        return shell_refuse(s, "\"%.*s\" is no option of \\copy: FORMAT, MODE and DELIMITER are",
                            STR_ARG(wrong));
    }
    return true;
}

/* ---- in ---- */

static bool copy_from(shell *s, const copy_job *job)
{
    cli *c = s->c;
    const load_options options = {
        .table = job->what,
        .space = s->shared.space,
        .format = job->format,
        .mode = job->mode,
        .csv_delimiter = job->delimiter,
        .no_create = true,
        .sources = &job->path,
        .source_count = 1,
    };
    const json *answer = NULL;
    error err = ERROR_INIT;

    if (load_files(c, &options, &answer, &err) != STATUS_OK) {
        if (err.kind == STATUS_NO_TABLE && err.hint[0] == '\0') {
            error_hint(&err, "\"tarn load %.*s %.*s\" makes it, with the columns of the file.",
                       STR_ARG(job->what), STR_ARG(job->path));
        }
        return shell_fail(s, &err);
    }
    int64_t rows = json_int64_or(json_get(answer, "rows_written"), 0);
    message_note(c, "%" PRId64 " %s copied", rows, rows == 1 ? "row" : "rows");
    return true;
}

/* ---- out ---- */

static status write_file(void *context, const char *bytes, size_t size, error *err)
{
    const int *fd = context;
    return fs_write_all(*fd, bytes, size, err);
}

/* By the end of the file's name where no format is given. */
static status choose_format(const copy_job *job, output_format *ret_format, error *err)
{
    size_t dot = str_find_last_char(job->path, '.');
    str name = job->format;

    if (str_is_null(name)) {
        name = dot == STR_NPOS ? STR("csv") : str_slice(job->path, dot + 1, job->path.size);
        name = str_equal_nocase(name, STR("ndjson")) ? STR("jsonl")
               : str_equal_nocase(name, STR("txt"))  ? STR("tsv")
                                                     : name;
    }
    if (!output_format_from(name, ret_format)) {
        error_set(err, STATUS_USAGE, "format \"%.*s\" does not exist", STR_ARG(name));
        error_hint(err, "Formats are csv, tsv, json, jsonl, md, table, box, arrow and parquet.");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static status write_rows(shell *s, const copy_job *job, output_format format, int fd,
                         query_outcome *ret_outcome, error *err)
{
    cli *c = s->c;
    output_format before = c->format;
    const out_diversion diversion = {.write = write_file, .context = &fd};
    query_job query = s->shared;
    str sql =
        job->query ? job->what : str_printf(c->memory, "SELECT * FROM %.*s", STR_ARG(job->what));

    query.source = (source_text){.text = sql, .name = STR_NULL};
    c->format = format;
    c->diversion = &diversion;
    status result = query_run(c, &query, ret_outcome, err);
    if (result == STATUS_OK) {
        result = out_flush(c, err);
    }
    buf_clear(&c->pending);
    c->diversion = NULL;
    c->format = before;
    return result;
}

static bool copy_to(shell *s, const copy_job *job)
{
    query_outcome outcome = {0};
    output_format format;
    error err = ERROR_INIT;
    int fd = -1;
    const char *path = str_to_c(s->c->memory, job->path);
    status result = choose_format(job, &format, &err);

    if (result == STATUS_OK) {
        result = fs_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, &err);
    }
    if (result == STATUS_OK) {
        result = write_rows(s, job, format, fd, &outcome, &err);
        fs_close(fd);
        if (result != STATUS_OK) {
            (void)fs_remove(path, NULL); /* half of it would be taken for all */
        }
    }
    if (result != STATUS_OK) {
        err.position = ERROR_NO_POSITION; /* of a statement that nobody typed */
        return shell_fail(s, &err);
    }
    if (outcome.rows >= 0) {
        message_note(s->c, "%" PRId64 " %s copied", outcome.rows,
                     outcome.rows == 1 ? "row" : "rows");
    } else {
        message_note(s->c, "copied");
    }
    return true;
}

bool shell_copy(shell *s, str operand)
{
    shell_scope scope = shell_enter(s);
    copy_job job;
    bool fine = read_job(s, operand, s->c->memory, &job) &&
                (job.from ? copy_from(s, &job) : copy_to(s, &job));

    shell_leave(s, scope);
    return fine;
}

/* tarn sql: statements from -c, -f or stdin, one after another until the first error; on a terminal
 * the shell (shell.c). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "connect.h"
#include "query.h"
#include "session.h"
#include "shell.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "terminal.h"

static const option options[] = {
    {.name = "command",
     .letter = 'c',
     .value = "SQL",
     .help = "run these statements",
     .repeats = true},
    {.name = "file",
     .letter = 'f',
     .value = "FILE",
     .help = "run the statements of a file; - is stdin",
     .repeats = true},
    {.name = "param",
     .value = "NAME=VALUE",
     .help = "the value of $NAME: numbers, true, false and null as such, all else as text",
     .repeats = true},
    {.name = "namespace",
     .letter = 'n',
     .value = "NAME",
     .help = "where tables without a namespace lie; default: main"},
    {.name = "at", .value = "ID|TIME|REF", .help = "read every table as it was then"},
};

static const argument arguments[] = {
    {.name = "-", .help = "read the script from stdin, also on a terminal", .optional = true}};

static const example examples[] = {
    {"tarn sql", "an interactive shell; \\? tells what it knows"},
    {"tarn sql -c 'select count(*) from trips'", "one statement"},
    {"tarn sql -c 'select * from trips where \"VendorID\" = $v' --param v=2 -o csv",
     "a parameter, CSV out"},
    {"tarn sql -f report.sql -o md", "a script; results as Markdown"},
};

/* ---- parameters ---- */

/* Numbers and the three words as they are; everything else, also '5' in quotes, is text. */
static void add_param_value(buf *out, str value)
{
    const json *parsed = NULL;
    arena *scratch = arena_create();
    json_kind kind = JSON_STR;

    if (json_parse(value, scratch, &parsed, NULL) == STATUS_OK) {
        kind = json_kind_of(parsed);
    }
    arena_free(scratch);
    if (kind == JSON_INT64 || kind == JSON_DOUBLE || kind == JSON_BOOL || kind == JSON_NULL) {
        buf_add_str(out, value);
        return;
    }
    bool quoted = value.size >= 2 && value.data[0] == '\'' && value.data[value.size - 1] == '\'';
    json_quote(out, quoted ? str_slice(value, 1, value.size - 1) : value);
}

static status format_params(cli *c, str *ret_params, error *err)
{
    buf *out = buf_in(c->lifetime, LIMIT_JSON_BODY);
    str given;

    *ret_params = STR_NULL;
    for (size_t at = 0; invocation_next(&c->in, "param", &at, &given);) {
        str value;
        str name = str_cut(given, '=', &value);
        if (str_is_null(value) || name.size == 0) {
            error_set(err, STATUS_USAGE, "parameter \"%.*s\" is not name=value", STR_ARG(given));
            return STATUS_USAGE;
        }
        buf_add_char(out, out->size == 0 ? '{' : ',');
        json_quote(out, name);
        buf_add_char(out, ':');
        add_param_value(out, value);
    }
    if (out->size > 0) {
        buf_add_char(out, '}');
        *ret_params = buf_str(out);
    }
    return STATUS_OK;
}

/* ---- scripts ---- */

static void tell_outcome(cli *c, const query_outcome *outcome)
{
    bool changed = outcome->changed_rows >= 0;
    int64_t rows = changed ? outcome->changed_rows : outcome->rows;
    const char *noun = rows == 1 ? "row" : "rows";

    if (!terminal_is(STDERR_FILENO) || (!changed && !outcome->has_columns)) {
        return;
    }
    if (outcome->hidden_columns > 0) {
        message_note(c, "%" PRId64 " %s; %zu columns do not fit, -o jsonl shows them", rows, noun,
                     outcome->hidden_columns);
    } else {
        message_note(c, "%" PRId64 " %s%s, %" PRId64 " ms", rows, noun, changed ? " changed" : "",
                     outcome->elapsed_ms);
    }
}

static int line_at(str text, size_t position)
{
    int line = 1;

    for (size_t i = 0; i < position; i++) {
        line += text.data[i] == '\n';
    }
    return line;
}

static status run_statement(cli *c, const query_job *job, error *err)
{
    query_outcome outcome;
    arena *outer = c->memory;

    c->memory = arena_child(outer);
    status result = query_run(c, job, &outcome, err);
    if (result == STATUS_OK) {
        result = out_flush(c, err);
    }
    if (result == STATUS_OK) {
        tell_outcome(c, &outcome);
    } else if (!c->reader_gone && interrupt_signal == 0) {
        (void)out_flush(c, NULL);
        message_sql_error(c, err, &job->source);
        error_set(err, result, "%s", ""); /* told */
    }
    arena_free(c->memory);
    c->memory = outer;
    return result;
}

static status run_script(cli *c, query_job *shared, str script, str name, error *err)
{
    str statement;
    bool complete;

    for (size_t at = 0; query_next_statement(script, &at, &statement, &complete);) {
        query_job job = *shared;
        size_t start = (size_t)(statement.data - script.data);
        job.source =
            (source_text){.text = statement, .name = name, .first_line = line_at(script, start)};
        TRY(run_statement(c, &job, err));
        str used = query_used_namespace(statement);
        shared->space = str_is_null(used) ? shared->space : used;
    }
    return STATUS_OK;
}

static status read_stdin(cli *c, str *ret_text, error *err)
{
    buf *text = buf_in(c->lifetime, LIMIT_SQL_TEXT);

    for (;;) {
        char *room = buf_reserve(text, 64 * LIMIT_KIB);
        if (room == NULL) {
            return error_set(err, STATUS_TOO_LARGE, "the script on stdin is larger than %zu MiB",
                             LIMIT_SQL_TEXT / LIMIT_MIB);
        }
        ssize_t got = read(STDIN_FILENO, room, 64 * LIMIT_KIB);
        if (got < 0 && errno == EINTR && interrupt_signal == 0) {
            continue;
        }
        if (got < 0) {
            return error_errno(err, errno == EINTR ? STATUS_CANCELLED : STATUS_IO, errno,
                               "cannot read the standard input");
        }
        if (got == 0) {
            *ret_text = buf_str(text);
            return STATUS_OK;
        }
        buf_commit(text, (size_t)got);
    }
}

static status run_file(cli *c, query_job *shared, str path, error *err)
{
    str script;

    if (str_equal(path, STR("-"))) {
        TRY(read_stdin(c, &script, err));
        path = STR("stdin");
    } else {
        TRY(fs_read_file(str_to_c(c->lifetime, path), LIMIT_SQL_TEXT, c->lifetime, &script, err));
    }
    return shell_has_commands(script) ? shell_run_file(c, shared, path, script, err)
                                      : run_script(c, shared, script, path, err);
}

/* -c and -f in the order in which they were given. */
static status run_given(cli *c, query_job *shared, bool *ret_any, error *err)
{
    *ret_any = false;
    for (size_t i = 0; i < c->in.options.count; i++) {
        const option_value *given = &c->in.options.items[i];
        if (strcmp(given->option->name, "command") == 0) {
            *ret_any = true;
            TRY(run_script(c, shared, given->value, STR_NULL, err));
        } else if (strcmp(given->option->name, "file") == 0) {
            *ret_any = true;
            TRY(run_file(c, shared, given->value, err));
        }
    }
    return STATUS_OK;
}

/* `tarn sql -`. Anything else is most likely a statement whose -c was forgotten. */
static status read_argument(const cli *c, bool *ret_stdin, error *err)
{
    *ret_stdin = c->in.arguments.count > 0;
    if (*ret_stdin && !str_equal(c->in.arguments.items[0], STR("-"))) {
        error_set(err, STATUS_USAGE, "argument \"%.*s\" is no option",
                  STR_ARG(c->in.arguments.items[0]));
        error_hint(err, "Statements are given with -c, files with -f.");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

static status run_all(cli *c, error *err)
{
    query_job job = {
        .space = invocation_get(&c->in, "namespace"),
        .at = invocation_get(&c->in, "at"),
    };
    bool from_stdin;
    bool any;

    TRY(read_argument(c, &from_stdin, err));
    TRY(format_params(c, &job.params, err));
    TRY(run_given(c, &job, &any, err));
    if (any && !from_stdin) {
        return STATUS_OK;
    }
    if (!from_stdin && terminal_is(STDIN_FILENO) && terminal_is(STDOUT_FILENO)) {
        return shell_run(c, &job, err);
    }
    return run_file(c, &job, STR("-"), err);
}

static status run(cli *c, error *err)
{
    status result = run_all(c, err);

    if (!c->reader_gone) {
        cli_session_end(c);
    }
    return result;
}

const command command_sql = {
    .name = "sql",
    .summary = "run SQL: from -c, -f, stdin, or in an interactive shell",
    .details =
        "Statements run one after another; the first error ends the script. Results go to stdout in "
        "the format of -o.\nOn a terminal, without -c and -f, it is a shell: history, completion, "
        "and commands that begin with a backslash.\n-v adds the SQLSTATE to an error.",
    ARGUMENTS(arguments),
    OPTIONS(options),
    EXAMPLES(examples),
    .run = run,
};

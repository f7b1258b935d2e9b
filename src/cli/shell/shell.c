/* The interactive shell: lines become statements and commands, statements run, outcomes are told. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect.h"
#include "output.h"
#include "session.h"
#include "shell/internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/version.h"

#define PROMPT_MAX 96

/* ---- the ground ---- */

shell_scope shell_enter(shell *s)
{
    shell_scope scope = {.outer = s->c->memory};

    s->c->memory = arena_child(scope.outer);
    return scope;
}

void shell_leave(shell *s, shell_scope scope)
{
    arena_free(s->c->memory);
    s->c->memory = scope.outer;
}

status shell_ask(shell *s, str sql, const json **ret_rows, error *err)
{
    cli *c = s->c;
    const json *answer = NULL;
    buf *body = buf_in(c->memory, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, body);
    json_begin_object(&w);
    json_member_str(&w, "sql", sql);
    if (s->shared.space.size > 0) {
        json_member_str(&w, "namespace", s->shared.space);
    }
    json_end_object(&w);
    TRY(api_json(c, HTTP_POST, "/api/v1/query", buf_str(body), &answer, err));
    *ret_rows = json_get(answer, "rows");
    return STATUS_OK;
}

/* A server that went away: the next statement finds it, or a new one. */
static void reconnect(shell *s, const error *lost, const source_text *place)
{
    cli *c = s->c;
    error err = ERROR_INIT;
    const json *answer = NULL;
    /* Nothing was sent where nobody answered, so there is nothing to tell but that. */
    bool unsent = str_starts_with(str_c(lost->message), STR("nobody answers"));
    bool had_transaction = cli_session_forget(c);

    interrupt_forget();
    connection_close(c);
    bool found = connection_open(c, &err) == STATUS_OK &&
                 api_json(c, HTTP_GET, "/api/v1/status", STR(""), &answer, &err) == STATUS_OK;
    if (!found || !unsent) {
        message_sql_error(c, lost, place);
    }
    message_note(c, "the connection was lost; %s%s",
                 found ? "it is open again" : "the next statement tries again",
                 had_transaction ? ", and the transaction is gone: begin it anew"
                 : found         ? ": say it once more"
                                 : "");
}

/* No server has said so. */
static bool is_lost(const error *err)
{
    return err->kind == STATUS_UNAVAILABLE && err->sqlstate[0] == '\0';
}

bool shell_fail(shell *s, const error *err)
{
    const source_text place = {.text = STR(""), .name = s->script, .first_line = s->script_line};

    s->failure = err->kind;
    fflush(stdout);
    if (err->kind == STATUS_CANCELLED && interrupt_signal != 0) {
        message_note(s->c, "cancelled");
    } else if (is_lost(err)) {
        reconnect(s, err, str_is_null(s->script) ? NULL : &place);
    } else {
        message_sql_error(s->c, err, str_is_null(s->script) ? NULL : &place);
    }
    return false;
}

bool shell_refuse(shell *s, const char *format, ...)
{
    error err = ERROR_INIT;
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_set(&err, STATUS_USAGE, "%s", text);
    return shell_fail(s, &err);
}

/* ---- statements ---- */

static bool changes_names(str statement)
{
    static const str words[] = {STR_INIT("create"),  STR_INIT("drop"), STR_INIT("alter"),
                                STR_INIT("use"),     STR_INIT("call"), STR_INIT("commit"),
                                STR_INIT("rollback")};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_starts_with_nocase(statement, words[i])) {
            return true;
        }
    }
    return false;
}

/* Rows of bytes would garble the screen. */
static status check_format(const shell *s, error *err)
{
    output_format format = s->c->format;

    if (str_is_null(s->target.name) && (format == OUTPUT_ARROW || format == OUTPUT_PARQUET)) {
        error_set(err, STATUS_USAGE, "format %.*s is nothing for a screen",
                  STR_ARG(output_format_name(format)));
        error_hint(err, "Name a file with \\o, or use \\copy (QUERY) TO 'FILE'.");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* Runs it with the output where it belongs. `*ret_seen`: left early in the pager. */
static status run_diverted(shell *s, const query_job *job, query_outcome *outcome, error *err)
{
    cli *c = s->c;
    bool color = c->color_out;
    expand_mode expand = c->look.expand;
    pager *p = NULL;

    TRY(check_format(s, err));
    c->look.expand = s->block_once ? EXPAND_ON : expand;
    if (str_is_null(s->target.name)) {
        p = pager_begin(s, c->memory);
    } else {
        c->diversion = &s->target.diversion;
        c->color_out = false;
    }
    status result = query_run(c, job, outcome, err);
    if (result == STATUS_OK) {
        shell_add_footer(s, outcome);
    }
    status written = out_flush(c, result == STATUS_OK ? err : NULL);
    result = result == STATUS_OK ? written : result;
    bool paged = pager_end(p);
    c->diversion = NULL;
    c->color_out = color;
    c->look.expand = expand;
    c->reader_gone = false;
    if (paged && result == STATUS_CANCELLED) { /* seen enough */
        interrupt_forget();
        *outcome = (query_outcome){.rows = -1, .changed_rows = -1};
        result = STATUS_OK;
    }
    return result;
}

static void tell_failure(shell *s, const error *err, const source_text *source)
{
    fflush(stdout);
    if (interrupt_signal != 0) {
        message_note(s->c, "cancelled");
    } else if (is_lost(err)) {
        reconnect(s, err, source);
    } else {
        s->failure = err->kind;
        message_sql_error(s->c, err, source);
    }
}

bool shell_run_statement(shell *s, str statement, int line)
{
    cli *c = s->c;
    shell_scope scope = shell_enter(s);
    query_job job = s->shared;
    query_outcome outcome = {.rows = -1, .changed_rows = -1};
    error err = ERROR_INIT;
    bool had_failed = c->transaction_failed;

    buf_clear(&s->last);
    buf_add_str(&s->last, statement);
    str text = shell_expand(s, statement, c->memory);
    job.source = (source_text){.text = text, .name = s->script, .first_line = line};
    interrupt_forget();
    status result = run_diverted(s, &job, &outcome, &err);
    if (result == STATUS_OK) {
        str used = query_used_namespace(text);
        if (!str_is_null(used)) {
            s->shared.space = str_copy(c->lifetime, used);
            message_note(c, "namespace %.*s", STR_ARG(used));
        } else {
            shell_tell_outcome(s, text, had_failed, &outcome);
        }
    } else {
        tell_failure(s, &err, &job.source);
    }
    bool terminated = interrupt_signal == SIGTERM;
    interrupt_forget();
    s->ended = s->ended || terminated;
    if (changes_names(text)) {
        shell_names_forget(s->names);
    }
    shell_leave(s, scope);
    return result == STATUS_OK;
}

static int line_of(const shell *s, size_t offset)
{
    int line = s->statement_line;

    for (size_t i = 0; i < offset; i++) {
        line += s->statement.data[i] == '\n';
    }
    return line;
}

/* Runs what is complete in the collected lines; keeps the rest. False where one failed: what stands
 * behind it is forgotten. */
static bool run_complete(shell *s)
{
    str statement;
    bool complete;
    bool fine = true;
    size_t at = 0;
    size_t done = 0;
    arena *a = arena_create();
    str script = str_copy(a, buf_str(&s->statement));

    while (fine && !s->ended && query_next_statement(script, &at, &statement, &complete) &&
           complete) {
        fine =
            shell_run_statement(s, statement, line_of(s, (size_t)(statement.data - script.data)));
        done = at;
    }
    s->statement_line = line_of(s, done);
    buf_consume(&s->statement, done);
    at = 0;
    if (!fine || !query_next_statement(buf_str(&s->statement), &at, &statement, &complete)) {
        buf_clear(&s->statement); /* blanks and comments, or what a failure takes along */
    }
    arena_free(a);
    return fine;
}

bool shell_run_pending(shell *s)
{
    arena *a = arena_create();
    str rest = buf_str(s->statement.size > 0 ? &s->statement : &s->last);
    str text = str_copy(a, rest);
    str statement;
    bool complete;
    bool fine;
    size_t at = 0;

    if (query_next_statement(text, &at, &statement, &complete)) {
        int line = s->statement_line;
        buf_clear(&s->statement);
        fine = shell_run_statement(s, statement, line);
    } else {
        fine = shell_refuse(s, "there is no statement yet");
    }
    arena_free(a);
    return fine;
}

/* ---- lines ---- */

/* What people type who know other shells. False where it is SQL. */
static bool is_leaving(str word)
{
    static const str words[] = {STR_INIT("quit"), STR_INIT("exit"), STR_INIT("quit;"),
                                STR_INIT("exit;")};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_equal_nocase(word, words[i])) {
            return true;
        }
    }
    return false;
}

bool shell_take_line(shell *s, str line)
{
    str word = str_trim(line);

    if (s->statement.size == 0) {
        s->statement_line = s->script_line;
        if (is_leaving(word)) {
            s->ended = true;
            return true;
        }
        if (str_equal_nocase(word, STR("help")) || str_equal_nocase(word, STR("help;"))) {
            return shell_run_command(s, STR("\\?"));
        }
    }
    buf_add_str(&s->statement, line);
    buf_add_char(&s->statement, '\n');
    size_t backslash = query_find_command(buf_str(&s->statement));
    if (backslash == STR_NPOS) {
        return run_complete(s);
    }
    arena *a = arena_create();
    str text = str_copy(a, str_slice(buf_str(&s->statement), backslash, s->statement.size));
    buf_truncate(&s->statement, backslash);
    bool fine = run_complete(s) && shell_run_command(s, text);
    arena_free(a);
    return fine;
}

bool shell_take_rest(shell *s)
{
    arena *a = arena_create();
    str statement;
    bool complete;
    bool fine = true;
    size_t at = 0;

    if (query_next_statement(str_copy(a, buf_str(&s->statement)), &at, &statement, &complete)) {
        fine = shell_run_statement(s, statement, s->statement_line);
    }
    buf_clear(&s->statement);
    arena_free(a);
    return fine;
}

/* ---- the loop ---- */

static const char *history_path(cli *c)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    const char *folder;

    if (state != NULL && state[0] == '/') {
        folder = fs_join(c->lifetime, state, "tarn");
    } else if (home != NULL && home[0] == '/') {
        folder = fs_join(c->lifetime, home, ".local/state/tarn");
    } else {
        return NULL;
    }
    return fs_make_dirs(folder, 0700, NULL) == STATUS_OK ? fs_join(c->lifetime, folder, "history")
                                                         : NULL;
}

/* "tarn> ", with the namespace where it is another than main; what is still open in lines that go on. */
static void make_prompt(const shell *s, char *prompt)
{
    str space = s->shared.space;
    bool named = space.size > 0 && !str_equal(space, STR("main"));
    char open = query_open_mark(buf_str(&s->statement));

    if (s->statement.size > 0) {
        const char plain[] = {open != 0 ? open : ' ', '\0'};
        snprintf(prompt, PROMPT_MAX, "  %s... ", plain);
    } else {
        snprintf(prompt, PROMPT_MAX, "tarn%s%.*s%s> ", named ? ":" : "",
                 named ? (int)space.size : 0, named ? space.data : "", cli_session_mark(s->c));
    }
}

/* A statement goes into the history when it is whole. */
static void remember(buf *typed, str line)
{
    if (typed->size > 0) {
        buf_add_char(typed, '\n');
    }
    buf_add_str(typed, line);
}

static void remember_whole(shell *s, buf *typed)
{
    arena *a = arena_create();
    str text = query_one_line(buf_str(typed), a);

    if (text.size > 0) {
        shell_line_remember(s->reader, text);
    }
    buf_clear(typed);
    arena_free(a);
}

static void loop(shell *s)
{
    char prompt[PROMPT_MAX];
    buf typed;
    str line;

    buf_init(&typed, LIMIT_SQL_TEXT);
    while (!s->ended) {
        make_prompt(s, prompt);
        if (!shell_line_read(s->reader, prompt, &line)) {
            printf("\n");
            break;
        }
        if (str_is_null(line)) {
            buf_clear(&s->statement);
            buf_clear(&typed);
            continue;
        }
        remember(&typed, line);
        /* before it runs: a shell that is killed meanwhile has it */
        str statement;
        bool complete;
        size_t at = 0;
        bool whole = query_find_command(buf_str(&typed)) != STR_NPOS ||
                     !query_next_statement(buf_str(&typed), &at, &statement, &complete) || complete;
        if (whole) {
            remember_whole(s, &typed);
        }
        (void)shell_take_line(s, line);
        if (s->statement.size == 0) {
            buf_clear(&typed);
        }
    }
    buf_release(&typed);
}

static void release(shell *s)
{
    shell_close_target(s);
    if (s->reader != NULL) { /* a person typed */
        shell_line_free(s->reader);
    }
    shell_names_free(s->names);
    shell_release_settings(s);
    buf_release(&s->statement);
    buf_release(&s->last);
}

bool shell_has_commands(str script)
{
    for (str rest = script; !str_is_null(rest);) {
        str line = str_trim(str_cut(rest, '\n', &rest));

        if (str_starts_with(line, STR("\\"))) {
            return true;
        }
    }
    return false;
}

status shell_run_file(cli *c, const query_job *shared, str path, str script, error *err)
{
    shell s = {.c = c,
               .shared = *shared,
               .no_pager = true,
               .failure = STATUS_INVALID,
               .script = STR_NULL,
               .target = {.name = STR_NULL}};

    TRY(connection_open(c, err));
    buf_init(&s.statement, LIMIT_SQL_TEXT);
    buf_init(&s.last, LIMIT_SQL_TEXT);
    s.names = shell_names_create(&s);
    bool fine = shell_include_text(&s, path, script);
    release(&s);
    return fine ? STATUS_OK : error_set(err, s.failure, "%s", ""); /* told */
}

status shell_run(cli *c, const query_job *shared, error *err)
{
    shell s = {.c = c, .shared = *shared, .script = STR_NULL, .target = {.name = STR_NULL}};

    c->in_shell = true;
    TRY(connection_open(c, err)); /* before a prompt promises anything */
    interrupt_keep();
    buf_init(&s.statement, LIMIT_SQL_TEXT);
    buf_init(&s.last, LIMIT_SQL_TEXT);
    printf("tarn %s: SQL ends with \";\", \\? tells more, \\q leaves.\n", TARN_VERSION);
    fflush(stdout);
    s.names = shell_names_create(&s);
    s.reader = shell_line_create(&s, history_path(c));
    loop(&s);
    release(&s);
    interrupt_forget();
    return STATUS_OK;
}

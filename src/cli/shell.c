/* The interactive shell: statements until ";", commands that begin with a backslash. */
#include "shell.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect.h"
#include "output.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/version.h"

typedef struct shell {
    cli *c;
    query_job shared;
    buf statement; /* lines so far */
    bool timing;
    output_format plain; /* what \x goes back to */
    arena *names_memory;
    VEC(str) names; /* tables, for completion */
    bool names_known;
} shell;

/* ---- completion ---- */

static const char *const keywords[] = {
    "select",    "from",       "where",       "group by",  "order by",    "having",
    "limit",     "offset",     "join",        "left join", "on",          "using",
    "union all", "with",       "as",          "and",       "or",          "not",
    "null",      "is null",    "is not null", "in",        "between",     "like",
    "ilike",     "case",       "when",        "then",      "else",        "end",
    "distinct",  "count",      "sum",         "avg",       "min",         "max",
    "cast",      "create",     "table",       "schema",    "insert into", "values",
    "drop",      "describe",   "show tables", "explain",   "interval",    "partitioned by",
    "desc",      "date_trunc", "extract",     "coalesce",  "exists",      "if",
    "unnest",    "qualify",
};

static void load_names(shell *s)
{
    const json *spaces = NULL;
    cli *c = s->c;
    arena *outer = c->memory;

    arena_clear(s->names_memory);
    s->names.items = NULL;
    s->names.count = s->names.capacity = 0;
    s->names_known = true;
    c->memory = s->names_memory;
    if (api_json(c, HTTP_GET, "/api/v1/namespaces", STR(""), &spaces, NULL) == STATUS_OK) {
        const json *list = json_get(spaces, "namespaces");
        for (size_t i = 0; i < json_count(list); i++) {
            const json *tables = NULL;
            str space = json_str_or(json_get(json_at(list, i), "name"), STR(""));
            char *path = api_path(c->memory, "/api/v1/namespaces/%/tables", &space, 1);
            if (api_json(c, HTTP_GET, path, STR(""), &tables, NULL) != STATUS_OK) {
                continue;
            }
            tables = json_get(tables, "tables");
            for (size_t t = 0; t < json_count(tables); t++) {
                str name = json_str_or(json_get(json_at(tables, t), "name"), STR(""));
                vec_push(c->memory, &s->names, name);
                vec_push(c->memory, &s->names,
                         str_printf(c->memory, "%.*s.%.*s", STR_ARG(space), STR_ARG(name)));
            }
        }
    }
    c->memory = outer;
}

static void complete(void *context, str prefix, arena *a, str **ret_words, size_t *ret_count)
{
    shell *s = context;
    VEC(str) words = {0};

    if (!s->names_known) {
        load_names(s);
    }
    for (size_t i = 0; i < s->names.count; i++) {
        if (str_starts_with_nocase(s->names.items[i], prefix) && prefix.size > 0) {
            vec_push(a, &words, s->names.items[i]);
        }
    }
    for (size_t i = 0; i < COUNT_OF(keywords) && prefix.size > 0; i++) {
        str word = str_c(keywords[i]);
        if (str_starts_with_nocase(word, prefix)) {
            bool upper = prefix.data[0] >= 'A' && prefix.data[0] <= 'Z';
            vec_push(a, &words, upper ? str_upper(a, word) : word);
        }
    }
    *ret_words = words.items;
    *ret_count = words.count;
}

/* ---- statements ---- */

static bool changes_names(str statement)
{
    static const str words[] = {STR_INIT("create"), STR_INIT("drop"), STR_INIT("alter")};

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (str_starts_with_nocase(statement, words[i])) {
            return true;
        }
    }
    return false;
}

static void tell_outcome(const shell *s, const query_outcome *outcome)
{
    if (outcome->changed_rows >= 0) {
        printf("%" PRId64 " %s changed", outcome->changed_rows,
               outcome->changed_rows == 1 ? "row" : "rows");
    } else if (outcome->has_columns) {
        printf("(%" PRId64 " %s", outcome->rows, outcome->rows == 1 ? "row" : "rows");
        if (outcome->hidden_columns > 0) {
            printf(", %zu columns hidden, \\x shows them", outcome->hidden_columns);
        }
        printf(")");
    } else {
        printf("done");
    }
    if (s->timing) {
        printf(" %.3f s", (double)outcome->elapsed_ms / 1000.0);
    }
    printf("\n");
    fflush(stdout);
}

static void run_statement(shell *s, str statement)
{
    cli *c = s->c;
    arena *outer = c->memory;
    query_job job = s->shared;
    query_outcome outcome;
    error err = ERROR_INIT;

    job.source = (source_text){.text = statement, .name = STR_NULL};
    c->memory = arena_child(outer);
    interrupt_forget();
    status result = query_run(c, &job, &outcome, &err);
    (void)out_flush(c, NULL);
    str used = query_used_namespace(statement);
    if (result == STATUS_OK && !str_is_null(used)) {
        s->shared.space = str_copy(c->lifetime, used);
        message_note(c, "namespace %.*s", STR_ARG(used));
    } else if (result == STATUS_OK) {
        tell_outcome(s, &outcome);
    } else if (interrupt_signal != 0) {
        message_note(c, "cancelled");
    } else {
        message_sql_error(c, &err, &job.source);
    }
    interrupt_forget();
    arena_free(c->memory);
    c->memory = outer;
    if (changes_names(statement)) {
        s->names_known = false;
    }
}

/* ---- backslash commands ---- */

static bool do_help(shell *s, str operand);

static bool do_quit(shell *s, str operand)
{
    (void)s;
    (void)operand;
    return false;
}

static bool do_describe(shell *s, str operand)
{
    arena *scratch = arena_create();
    run_statement(s, operand.size > 0 ? str_printf(scratch, "describe %.*s", STR_ARG(operand))
                                      : STR("show tables"));
    arena_free(scratch);
    return true;
}

static bool do_list(shell *s, str operand)
{
    static const list_column columns[] = {
        {"name", "table", ""},         {"rows", "rows", "BIGINT"},
        {"files", "files", "BIGINT"},  {"size_bytes", "size_bytes", "BIGINT"},
        {"updated_at", "updated", ""},
    };
    cli *c = s->c;
    arena *outer = c->memory;
    const json *answer = NULL;
    error err = ERROR_INIT;
    str space = operand.size > 0           ? operand
                : s->shared.space.size > 0 ? s->shared.space
                                           : STR("main");

    c->memory = arena_child(outer);
    char *path = api_path(c->memory, "/api/v1/namespaces/%/tables", &space, 1);
    status result = api_json(c, HTTP_GET, path, STR(""), &answer, &err);
    if (result == STATUS_OK) {
        result = output_list(c, json_get(answer, "tables"), columns, COUNT_OF(columns), &err);
    }
    (void)out_flush(c, NULL);
    if (result != STATUS_OK) {
        message_error(c, &err);
    }
    arena_free(c->memory);
    c->memory = outer;
    return true;
}

static bool do_namespaces(shell *s, str operand)
{
    static const list_column columns[] = {{"name", "namespace", ""}, {"created_at", "created", ""}};
    cli *c = s->c;
    arena *outer = c->memory;
    const json *answer = NULL;
    error err = ERROR_INIT;

    (void)operand;
    c->memory = arena_child(outer);
    status result = api_json(c, HTTP_GET, "/api/v1/namespaces", STR(""), &answer, &err);
    if (result == STATUS_OK) {
        result = output_list(c, json_get(answer, "namespaces"), columns, COUNT_OF(columns), &err);
    }
    (void)out_flush(c, NULL);
    if (result != STATUS_OK) {
        message_error(c, &err);
    }
    arena_free(c->memory);
    c->memory = outer;
    return true;
}

static bool do_timing(shell *s, str operand)
{
    (void)operand;
    s->timing = !s->timing;
    printf("timing is %s\n", s->timing ? "on" : "off");
    return true;
}

/* One line for each value would hide that this is the same data: JSON lines say it all. */
static bool do_expanded(shell *s, str operand)
{
    (void)operand;
    if (s->c->format == OUTPUT_JSONL) {
        s->c->format = s->plain;
    } else {
        s->plain = s->c->format;
        s->c->format = OUTPUT_JSONL;
    }
    printf("rows are shown as %s\n", s->c->format == OUTPUT_JSONL ? "JSON, one a line" : "a table");
    return true;
}

static bool do_use(shell *s, str operand)
{
    if (operand.size > 0) {
        s->shared.space = str_copy(s->c->lifetime, operand);
    }
    str space = s->shared.space.size > 0 ? s->shared.space : STR("main");
    printf("namespace %.*s\n", STR_ARG(space));
    return true;
}

static const struct meta_command {
    const char *name;
    const char *argument;
    const char *help;
    bool (*run)(shell *s, str operand); /* false ends the shell */
} meta_commands[] = {
    {"\\?", "", "this list", do_help},
    {"\\d", "[TABLE]", "columns of a table, or all tables", do_describe},
    {"\\dt", "[NAMESPACE]", "tables with their sizes", do_list},
    {"\\dn", "", "namespaces", do_namespaces},
    {"\\n", "[NAMESPACE]", "the namespace of tables without one", do_use},
    {"\\timing", "", "how long statements take, on or off", do_timing},
    {"\\x", "", "rows as JSON lines, or as a table", do_expanded},
    {"\\q", "", "leave; Ctrl-D does too", do_quit},
};

static bool do_help(shell *s, str operand)
{
    (void)s;
    (void)operand;
    printf("SQL runs when it ends with \";\". Ctrl-C stops a query or takes a line back.\n");
    for (size_t i = 0; i < COUNT_OF(meta_commands); i++) {
        printf("  %-8s %-12s %s\n", meta_commands[i].name, meta_commands[i].argument,
               meta_commands[i].help);
    }
    return true;
}

static bool run_meta(shell *s, str line)
{
    str operand = STR_NULL;
    str name = str_cut(line, ' ', &operand);

    operand = str_trim(operand);
    while (str_ends_with(operand, STR(";"))) {
        operand.size--;
    }
    for (size_t i = 0; i < COUNT_OF(meta_commands); i++) {
        if (str_equal(name, str_c(meta_commands[i].name))) {
            bool go_on = meta_commands[i].run(s, operand);
            fflush(stdout);
            return go_on;
        }
    }
    printf("%.*s is not known; \\? lists what is\n", STR_ARG(name));
    fflush(stdout);
    return true;
}

/* ---- the loop ---- */

/* Runs what is complete in the collected lines; keeps the rest. */
static void run_complete(shell *s, shell_line *line)
{
    str script = buf_str(&s->statement);
    str statement;
    bool complete;
    size_t at = 0;
    size_t done = 0;

    while (query_next_statement(script, &at, &statement, &complete) && complete) {
        shell_line_remember(line,
                            str_from(statement.data, (size_t)(script.data + at - statement.data)));
        run_statement(s, statement);
        done = at;
    }
    if (done > 0) {
        buf_consume(&s->statement, done);
    }
    at = 0;
    if (!query_next_statement(buf_str(&s->statement), &at, &statement, &complete)) {
        buf_clear(&s->statement); /* blanks and comments */
    }
}

static bool take_line(shell *s, shell_line *reader, str line)
{
    str word = str_trim(line);

    if (s->statement.size == 0 && str_starts_with(word, STR("\\"))) {
        shell_line_remember(reader, word);
        return run_meta(s, word);
    }
    if (s->statement.size == 0 &&
        (str_equal_nocase(word, STR("quit")) || str_equal_nocase(word, STR("exit")) ||
         str_equal_nocase(word, STR("quit;")) || str_equal_nocase(word, STR("exit;")))) {
        return false;
    }
    if (s->statement.size == 0 && str_equal_nocase(word, STR("help"))) {
        return do_help(s, STR(""));
    }
    buf_add_str(&s->statement, line);
    buf_add_char(&s->statement, '\n');
    run_complete(s, reader);
    return true;
}

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

status shell_run(cli *c, const query_job *shared, error *err)
{
    shell s = {.c = c, .shared = *shared, .plain = OUTPUT_TABLE, .names_memory = arena_create()};
    str line;

    c->in_shell = true;
    TRY(connection_open(c, err)); /* before a prompt promises anything */
    buf_init(&s.statement, LIMIT_SQL_TEXT);
    printf("tarn %s: SQL ends with \";\", \\? tells more, \\q leaves.\n", TARN_VERSION);
    fflush(stdout);
    shell_line *reader = shell_line_create(history_path(c), complete, &s);
    while (shell_line_read(reader, s.statement.size > 0 ? "   ... " : "tarn> ", &line)) {
        if (str_is_null(line)) {
            buf_clear(&s.statement);
            continue;
        }
        if (!take_line(&s, reader, line)) {
            break;
        }
    }
    shell_line_free(reader);
    interrupt_forget();
    buf_release(&s.statement);
    arena_free(s.names_memory);
    return STATUS_OK;
}

/* internal.h: the shell's state and what its parts call of each other.
 *
 * A line is taken apart in shell.c: SQL is collected until its ";", a backslash outside of strings begins
 * a command (commands.c). Both come from a person (line.c) or from a file (scripts.c). */
#ifndef TARN_CLI_SHELL_INTERNAL_H
#define TARN_CLI_SHELL_INTERNAL_H

#include <sys/types.h>

#include "shell.h"
#include "tarn/base/vec.h"
#include "tarn/codec/json.h"

typedef struct shell_line shell_line;
typedef struct shell_names shell_names;

typedef struct shell_variable {
    str name, value;
} shell_variable;

/* A program that reads what is written to `fd`. */
typedef struct process {
    pid_t pid; /* 0: none */
    int fd;
} process;

typedef struct shell_target { /* of \o */
    str name;                 /* STR_NULL: the terminal */
    int fd;
    process program;
    out_diversion diversion;
} shell_target;

typedef struct shell {
    cli *c;
    query_job shared;
    buf statement;      /* lines so far */
    int statement_line; /* where it begins in the script */
    buf last;           /* the statement that ran last */
    bool timing;
    bool no_pager;
    bool no_footer;
    bool ended;       /* \q */
    status failure;   /* of the last statement or command that failed */
    bool block_once;  /* \gx: this result as blocks */
    str script;       /* file that lines come from; STR_NULL: a person types */
    int script_line;  /* of the line at hand */
    int script_depth; /* files that call files */
    shell_target target;
    shell_line *reader;
    shell_names *names;
    VEC(shell_variable) variables; /* on the heap, and so are their texts */
} shell;

/* ---- shell.c ---- */
/* One line: SQL, a command, or both. False where something failed. */
bool shell_take_line(shell *s, str line);
/* What is left without a ";" at the end of a script. */
bool shell_take_rest(shell *s);
/* `line`: of its first character in the script. */
bool shell_run_statement(shell *s, str statement, int line);
/* Runs what is collected, complete or not; where nothing is, the statement that ran last. */
bool shell_run_pending(shell *s);
/* c->memory is `memory` until shell_leave: what a command builds goes with it. */
typedef struct shell_scope {
    arena *outer;
} shell_scope;
shell_scope shell_enter(shell *s);
void shell_leave(shell *s, shell_scope scope);
/* Rows of a query, in c->memory: an array of arrays. */
status shell_ask(shell *s, str sql, const json **ret_rows, error *err);
/* Prints an error of a command; says where it stands in a script. False. */
bool shell_fail(shell *s, const error *err);
/* For a wrong operand. False. */
__attribute__((format(printf, 2, 3))) bool shell_refuse(shell *s, const char *format, ...);

/* ---- outcome.c ---- */
/* Below the rows, wherever they go. */
void shell_add_footer(const shell *s, const query_outcome *outcome);
/* `had_failed`: the transaction that it ran in, before it did. */
void shell_tell_outcome(const shell *s, str statement, bool had_failed,
                        const query_outcome *outcome);

/* ---- commands.c ---- */
/* `line` begins with the backslash. */
bool shell_run_command(shell *s, str line);
/* Names of the commands that begin with `prefix`, for completion. */
void shell_command_names(str prefix, arena *a, str **ret_names, size_t *ret_count);
/* Next word of a command's operands: quotes hold it together, :name is a variable's value. STR_NULL at
 * the end. */
str shell_word(const shell *s, str *rest, arena *a);

/* ---- describe.c: what there is ---- */
bool shell_describe(shell *s, str operand);
bool shell_list_tables(shell *s, str operand);
bool shell_list_views(shell *s, str operand);
bool shell_list_namespaces(shell *s, str operand);
bool shell_list_warehouses(shell *s, str operand);
bool shell_list_functions(shell *s, str operand);
bool shell_connection_info(shell *s, str operand);

/* ---- copy.c, scripts.c, watch.c, settings.c, statements.c: commands ---- */
bool shell_copy(shell *s, str operand);
bool shell_include(shell *s, str operand);
/* The lines of a script, of which messages say that they are those of `path`. */
bool shell_include_text(shell *s, str path, str text);
bool shell_output(shell *s, str operand);
bool shell_edit(shell *s, str operand);
bool shell_watch(shell *s, str operand);
bool shell_escape(shell *s, str operand);
bool shell_expanded(shell *s, str operand);
bool shell_timing(shell *s, str operand);
bool shell_pset(shell *s, str operand);
bool shell_set(shell *s, str operand);
bool shell_unset(shell *s, str operand);
bool shell_statement_help(shell *s, str operand);
/* Words of the operands of \pset and \h, for completion. */
extern const char *const shell_pset_words[];
extern const size_t shell_pset_word_count;
void shell_statement_names(arena *a, str **ret_names, size_t *ret_count);

/* `text` with :name, :'name' and :"name" replaced where such a variable is set; in `a`, or `text` itself. */
str shell_expand(const shell *s, str text, arena *a);
void shell_release_settings(shell *s);
void shell_close_target(shell *s);

/* ---- pager.c: a result that is higher or wider than the screen ---- */
typedef struct pager pager;
/* NULL where none is wanted. Diverts the output until pager_end. */
pager *pager_begin(shell *s, arena *a);
/* True where somebody has read it in the pager. */
bool pager_end(pager *p);

/* ---- process.c ---- */
/* `sh -c line`, its input from ret_process->fd. */
status process_start(const char *line, process *ret_process, error *err);
/* `sh -c line` on the terminal; waits. The exit code. */
status process_run(const char *line, int *ret_code, error *err);
/* Closes its input and waits. */
void process_end(process *p);
/* A program of that name is on the PATH. */
bool process_exists(const char *name, arena *a);

/* ---- names.c: what the catalog holds, for completion ---- */
typedef struct shell_table {
    str space, name;
} shell_table;
shell_names *shell_names_create(shell *s);
void shell_names_free(shell_names *n);
/* They may have changed. */
void shell_names_forget(shell_names *n);
const shell_table *shell_names_tables(shell_names *n, size_t *ret_count);
const str *shell_names_spaces(shell_names *n, size_t *ret_count);
const str *shell_names_functions(shell_names *n, size_t *ret_count);
/* Columns of a table as it is written in SQL; none where it is not there. */
const str *shell_names_columns(shell_names *n, str table, size_t *ret_count);

/* ---- completion.c ---- */
typedef struct completion {
    str word;     /* instead of what was typed of it */
    str trailing; /* behind it where it is the only one: " ", "(", "" */
} completion;
/* `before`: the statement up to the cursor; `*ret_start`: where the word begins that is completed. */
void shell_complete(shell *s, str before, str after, arena *a, size_t *ret_start,
                    completion **ret_words, size_t *ret_count);

/* ---- line.c: reading lines with editing, history and completion (libedit) ---- */
shell_line *shell_line_create(shell *s, const char *history_path);
void shell_line_free(shell_line *l);
/* False at the end of input. `*ret_line` is without its newline, valid until the next call;
 * STR_NULL: Ctrl-C took the line back. */
bool shell_line_read(shell_line *l, const char *prompt, str *ret_line);
/* Into the history, and into its file at once: a shell that is killed loses nothing, and two shells
 * keep what both were told. */
void shell_line_remember(shell_line *l, str statement);

#endif

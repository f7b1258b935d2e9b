/* context.h: what a running command works with: what was typed, where its output goes, how it talks
 * to people, the server. */
#ifndef TARN_CLI_CONTEXT_H
#define TARN_CLI_CONTEXT_H

#include <stdatomic.h>

#include "invocation.h"
#include "tarn/base/buf.h"
#include "tarn/cli/cli.h"

typedef enum output_format {
    OUTPUT_TABLE,
    OUTPUT_TSV,
    OUTPUT_CSV,
    OUTPUT_JSON,
    OUTPUT_JSONL,
    OUTPUT_MD,
    OUTPUT_BOX,
    OUTPUT_ARROW,
    OUTPUT_PARQUET,
} output_format;

/* "table", "csv", …; case does not matter. */
bool output_format_from(str name, output_format *ret_format);
str output_format_name(output_format format);

typedef enum progress_mode { PROGRESS_NONE, PROGRESS_TERMINAL, PROGRESS_JSON } progress_mode;

typedef enum expand_mode { EXPAND_OFF, EXPAND_ON, EXPAND_AUTO } expand_mode;

/* How tables look: the shell's \\pset. All zero: as everywhere else. */
typedef struct result_look {
    expand_mode expand; /* a row as a block of "name | value"; auto: where a table would be cut */
    str null_text;      /* STR_NULL: NULL */
    bool unfitted;      /* nothing is cut to the terminal's width */
    bool no_rule;       /* below the names */
} result_look;

/* Where stdout's bytes go instead: a file, a program, a pager. */
typedef struct out_diversion {
    status (*write)(void *context, const char *bytes, size_t size, error *err);
    void *context;
    int width; /* of the terminal behind it; 0: none */
} out_diversion;

typedef struct connection connection; /* connect.h */

struct cli {
    const cli_hooks *hooks;
    arena *lifetime; /* of the whole command */
    arena *memory;   /* of the work at hand: the same, or a statement's own in the shell */
    invocation in;
    output_format format;
    bool quiet;
    bool verbose;
    bool yes;
    bool dry_run;
    bool color;     /* on stderr */
    bool color_out; /* on stdout */
    progress_mode progress;
    settings *settings; /* context_settings */
    connection *server; /* connect.h */
    char session[40];   /* id; empty: none is needed yet (session.h) */
    bool in_transaction, transaction_failed;
    buf pending; /* stdout's bytes, not yet written */
    result_look look;
    const out_diversion *diversion; /* NULL: stdout itself */
    bool reader_gone;               /* of stdout: ends the command quietly */
    int tables_printed;
    bool in_shell;
    int exit_code; /* of a command that did its work and has bad news (checks failed: 6) */
};

#define EXIT_CHECKS_FAILED 6

/* Loads the settings on first need, flags included. */
status context_settings(cli *c, error *err);
/* "<data>/<name>" */
char *context_data_path(cli *c, const char *name);
/* USAGE where the data directory, or a folder above it, is a file. One that is not there yet is fine. */
status context_check_data(cli *c, error *err);

/* ---- stdout ---- */
/* Buffered. CANCELLED (and c->reader_gone) where nobody reads any more. */
status out_write(cli *c, const void *bytes, size_t size_bytes, error *err);
status out_str(cli *c, str text, error *err);
status out_flush(cli *c, error *err);
/* Columns of the terminal that the output ends on; 0: none. */
int out_width(const cli *c);
/* On the terminal itself: nothing of it goes elsewhere. */
bool out_is_terminal(const cli *c);

/* ---- stderr (message.c) ---- */
/* "tarn: message", the hint. With the statement the error points into: its line and a caret. */
void message_error(cli *c, const error *err);
typedef struct source_text {
    str text; /* the statement */
    str name; /* file it comes from, or STR_NULL */
    int first_line;
} source_text;
void message_sql_error(cli *c, const error *err, const source_text *source);
/* A line for people; nothing with --quiet. */
__attribute__((format(printf, 2, 3))) void message_note(cli *c, const char *format, ...);
/* A line with --verbose. */
__attribute__((format(printf, 2, 3))) void message_detail(cli *c, const char *format, ...);
/* Asks on a terminal; --yes answers. USAGE where nobody can be asked; CANCELLED on no. */
status message_confirm(cli *c, error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- signals (interrupt.c) ---- */
/* The number of SIGINT or SIGTERM once it came, else 0; requests poll it. */
extern _Atomic int interrupt_signal;
void interrupt_catch(void);
void interrupt_forget(void);
/* From now on a second Ctrl-C is as gentle as the first: the shell stays. */
void interrupt_keep(void);

#endif

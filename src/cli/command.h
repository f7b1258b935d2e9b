/* command.h: what a command is: a row of tables, from which parsing, help, man page, reference and
 * completion are made. */
#ifndef TARN_CLI_COMMAND_H
#define TARN_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "tarn/base/error.h"

typedef struct cli cli; /* cli.c: what a running command works with */

typedef struct option {
    const char *name;    /* "format": typed as --format */
    char letter;         /* 'o' for -o, or 0 */
    const char *value;   /* what its value is called in help: "FILE"; NULL: it takes none */
    const char *choices; /* "csv|tsv", or NULL */
    const char *help;    /* lower case, no full stop */
    bool repeats;
    bool hidden;
} option;

typedef enum argument_kind {
    ARGUMENT_TEXT,
    ARGUMENT_TABLE,
    ARGUMENT_NAMESPACE,
    ARGUMENT_FILE,
    ARGUMENT_COMMAND,
} argument_kind;

typedef struct argument {
    const char *name; /* "TABLE" */
    const char *help;
    argument_kind kind;
    const char *choices;
    bool optional;
    bool repeats; /* the last one only */
} argument;

typedef struct example {
    const char *line;
    const char *meaning;
} example;

typedef struct command {
    const char *name; /* "sql", or group and name: "table ls" */
    const char *summary;
    const char *details; /* paragraphs, or NULL */
    const option *options;
    size_t option_count;
    const argument *arguments;
    size_t argument_count;
    const example *examples;
    size_t example_count;
    status (*run)(cli *c, error *err);
    bool hidden;
} command;

#define OPTIONS(array) .options = (array), .option_count = COUNT_OF(array)
#define ARGUMENTS(array) .arguments = (array), .argument_count = COUNT_OF(array)
#define EXAMPLES(array) .examples = (array), .example_count = COUNT_OF(array)

/* commands.c: every command, in the order of help. */
extern const command *const cli_commands[];
extern const size_t cli_command_count;

/* options.c: options of every command, before or after its name. */
extern const option global_options[];
extern const size_t global_option_count;

#endif

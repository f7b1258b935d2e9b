/* invocation.h: what was typed, taken apart by the tables of command.h. */
#ifndef TARN_CLI_INVOCATION_H
#define TARN_CLI_INVOCATION_H

#include "command.h"
#include "tarn/base/arena.h"
#include "tarn/base/vec.h"
#include "tarn/settings/settings.h"

typedef struct option_value {
    const option *option;
    str value; /* STR_NULL for options without a value */
} option_value;

typedef struct invocation {
    const command *command; /* NULL: none was named (completely) */
    str group;              /* "table" of "tarn table" alone, or STR_NULL */
    bool help;
    VEC(option_value) options;
    VEC(str) arguments;
    VEC(setting_flag) settings; /* --http.listen none */
} invocation;

/* USAGE naming what is not understood, with the nearest name or the command's usage as hint. Strings
 * are views of argv. */
status invocation_parse(arena *a, int argc, char **argv, invocation *ret_invocation, error *err);

bool invocation_has(const invocation *in, const char *name);
/* The last one given; STR_NULL where there is none. */
str invocation_get(const invocation *in, const char *name);
/* All of one name: for (size_t at = 0; invocation_next(in, "c", &at, &value);) */
bool invocation_next(const invocation *in, const char *name, size_t *at, str *ret_value);

/* "tarn load TABLE SOURCE… [OPTIONS]" */
str command_usage(arena *a, const command *c);
/* The command of exactly that name, or NULL. */
const command *command_find(str name);
bool command_is_group(str name);
/* True where `value` is one of "a|b|c". */
bool choices_have(const char *choices, str value);

#endif

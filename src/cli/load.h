/* load.h: files into a table, for `tarn load` and the shell's \copy. */
#ifndef TARN_CLI_LOAD_H
#define TARN_CLI_LOAD_H

#include "context.h"
#include "tarn/codec/json.h"

typedef struct load_options { /* STR_NULL: the server's default */
    str table;
    str space; /* of a table without one */
    str format, mode, partition_by, columns, csv_delimiter;
    bool no_create;
    const str *sources; /* paths; "-" is stdin */
    size_t source_count;
} load_options;

/* One commit, or nothing. The answer is in c->memory; NULL with --dry-run. */
status load_files(cli *c, const load_options *options, const json **ret_answer, error *err);

#endif

/* groups.h: the files of one table as SQL: a SELECT of the table's columns over all of them. */
#ifndef TARN_ENGINE_RUN_GROUPS_H
#define TARN_ENGINE_RUN_GROUPS_H

#include "run/query.h"

/* A path in a list of files: characters that a pattern would have are taken for themselves. */
void groups_put_path(buf *out, str path, arena *a);
/* The schema's columns by name, joined by commas. */
void groups_put_columns(buf *out, const ice_schema *schema);
/* True where names differ in upper and lower case alone: DuckDB gives such columns a number. */
bool groups_is_ambiguous(const ice_schema *schema, arena *a);
/* Links a file of the table into the worker's folder, once in a request; of one that is encrypted on the disk the
 * worker gets the bytes in memory. `location` is where it lies; *ret_path means it to the worker alone. */
status groups_link_file(query *q, str location, const char **ret_path, error *err);
/* The same, and what it looks like inside. */
status groups_look_into(query *q, str location, const char **ret_path, const shape **ret_look,
                        error *err);
/* At the end of a request: bytes in memory are given up. */
void groups_close_held(run *r);
/* table->scan's files, at least one, linked into the worker's folder; those of one shape are read
 * by one scan. CORRUPT or UNSUPPORTED naming the file or column. */
status groups_put_scan(buf *out, query *q, query_table *table, error *err);

#endif

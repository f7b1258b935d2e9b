/* deletes.h: what is deleted from the files of one table, on its way into a query.
 *
 * Rows that are deleted by their number (position delete files, deletion vectors) are loaded by the worker into sets,
 * which a scan asks with a predicate. Rows deleted by equality get into the same sets: the worker looks them up with
 * queries of their own, once, and keeps what it found; in very large scans joins take them out instead. The text of
 * the scans is made first: files get their places in the set while it is; then deletes_load sends all of it.
 *
 *   deletes_open        what the deletes compare, and whether all of it can be read
 *   deletes_add_files   places for the files of one scan
 *   deletes_add_match…  how the worker finds the rows that equality deletes take
 *   deletes_put_…       the scan's text
 *   deletes_load        before the text runs */
#ifndef TARN_ENGINE_RUN_DELETES_H
#define TARN_ENGINE_RUN_DELETES_H

#include "run/query.h"

typedef struct table_deletes table_deletes;

enum { DELETES_NONE = 0, DELETES_ROWS = 1, DELETES_EQUAL = 2 }; /* bits */

/* `ret_deletes` is NULL where the scan has no deletes. UNSUPPORTED naming file and format, or the column. */
status deletes_open(query *q, const query_table *table, table_deletes **ret_deletes, error *err);
/* What is deleted from a file of the scan: the bits above. `d` may be NULL. */
unsigned deletes_kind(const table_deletes *d, size_t file);
/* A column that equality deletes compare. */
typedef struct deletes_key {
    const ice_field *column; /* of the table, or one that it no longer has */
    str path;                /* what leads from there to the member that is compared: ['a']['b'] */
} deletes_key;
size_t deletes_key_count(const table_deletes *d);
deletes_key deletes_key_at(const table_deletes *d, size_t index);

/* Places for the files of one scan, in the order in which it lists them: the number that stands for them. */
int64_t deletes_add_files(table_deletes *d, const uint32_t *files, size_t count);
/* " WHERE …": the rows that are not deleted by number. */
void deletes_put_alive(int64_t number, size_t file_count, buf *out);
/* What the joins compare besides the keys "#k0", "#k1", …: two more columns of the scan. */
void deletes_put_numbers(int64_t number, buf *out);
/* " ANTI JOIN …" for a scan called d of these files. */
status deletes_put_joins(table_deletes *d, const uint32_t *files, size_t count, buf *out,
                         error *err);

/* Whether the worker looks up what equality deletes take from these files; else they are joined. */
bool deletes_are_matched(const table_deletes *d, const uint32_t *files, size_t count);
/* Deletes that compare the same columns are a set. */
size_t deletes_set_count(const table_deletes *d);
/* Whether some of the set's deletes apply to some of the files. */
bool deletes_set_applies(const table_deletes *d, size_t set, const uint32_t *files, size_t count);
bool deletes_set_has_key(const table_deletes *d, size_t set, size_t key);
/* " SEMI JOIN …" with the set's deletes for a scan called d of these files. */
status deletes_put_match(table_deletes *d, size_t set, const uint32_t *files, size_t count,
                         buf *out, error *err);
/* A query for file_index and file_row_number of rows that are gone from the files of deletes_add_files; kept data is
 * found again by `keys`, one for each file: how its columns are read. */
void deletes_add_match(table_deletes *d, int64_t number, size_t count, str sql);
status deletes_add_match_keys(table_deletes *d, int64_t number, const str *keys, size_t count,
                              error *err);

status deletes_load(table_deletes *d, error *err);

#endif

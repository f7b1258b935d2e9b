/* write.h: rows of a SELECT into Parquet files of a table. The public face is engine_write_rows
 * in query.h. */
#ifndef TARN_ENGINE_WRITE_H
#define TARN_ENGINE_WRITE_H

#include "tarn/engine/query.h"

/* As engine_write_rows, with the table named in errors; a position in an error is a byte of
 * `source_sql`. */
typedef struct write_request {
    worker *w;
    const ice_metadata *metadata;
    str source_sql; /* yields the table's columns in order, of their types, under any names */
    str table;      /* "ns.t", for messages; empty: left out */
    const worker_cancel *cancel;
} write_request;
status write_rows(const write_request *request, arena *a, engine_written *ret_written, error *err);

/* write_sql.c: the COPY statement. */
typedef struct write_sql {
    str text;
    size_t source_offset; /* where source_sql begins in it */
    const str *checks;    /* names for the numbers in "tarn:required:N" and "tarn:infinite:N" */
    size_t check_count;
    bool partitioned;
} write_sql;
#define WRITE_REQUIRED "tarn:required:"
#define WRITE_INFINITE "tarn:infinite:"
/* True for partition fields whose values are bytes: they travel as hex. */
bool write_is_binary(const ice_partition_field *field, const ice_schema *schema);
status write_make_sql(const write_request *request, const char *target, arena *a,
                      write_sql *ret_sql, error *err);

#endif

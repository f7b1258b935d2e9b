/* write.h: rows of a SELECT into Parquet files of a table. The public face is engine_write_rows
 * in query.h. */
#ifndef TARN_ENGINE_WRITE_H
#define TARN_ENGINE_WRITE_H

#include "tarn/base/vec.h"
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

/* write_sql.c: the statement. */
typedef struct write_sql {
    str text;             /* a COPY that tells its files; sorted: a temporary table is made */
    size_t source_offset; /* where source_sql begins in it */
    const str *checks;    /* names for the numbers in "tarn:required:N" and the like */
    size_t check_count;
    bool partitioned;
    bool sorted;
    int32_t order_id; /* sorted: of the files; else 0 */
    str options;      /* of each COPY, without what divides rows into files */
    bool unordered;   /* it needs preserve_insertion_order = false */
} write_sql;
#define WRITE_REQUIRED "tarn:required:"
#define WRITE_INFINITE "tarn:infinite:"
/* False for columns of type unknown: no file has them. */
bool write_is_stored(const ice_field *field);
/* True for partition fields whose values are bytes: they travel as hex. */
bool write_is_binary(const ice_partition_field *field, const ice_schema *schema);
/* `target`: folder that files go to. `scratch`: name for the temporary table. */
status write_make_sql(const write_request *request, const char *target, str scratch, arena *a,
                      write_sql *ret_sql, error *err);

/* write_transform.c: the value of a transform over tarn_c0, tarn_c1, … `what` names its user in
 * UNSUPPORTED. */
status write_transform(const ice_schema *schema, int32_t source_id, const ice_transform *t,
                       str what, arena *a, str *ret_sql, error *err);

/* write_options.c */
#define WRITE_SMALL_TARGET (INT64_C(32) << 20)
int64_t write_target_bytes(const ice_metadata *m); /* write.target-file-size-bytes */
/* What stands in the brackets of COPY; `ordered`: rows must stay in their order. */
status write_options(const ice_metadata *m, bool ordered, buf *out, bool *ret_unordered,
                     error *err);

/* A file that was written. */
typedef struct write_piece {
    str path;
    int64_t row_count, size_bytes;
    const json *columns;  /* what DuckDB tells of them */
    const str *partition; /* texts, one per field of the spec; STR_NULL for NULL */
} write_piece;
typedef VEC(write_piece) write_pieces;

/* Runs a COPY with RETURN_STATS; its files, those without rows left out, are added. `partition`:
 * of all of them; NULL: as the COPY tells. */
status write_copy(const write_request *request, str copy, const str *partition, arena *a,
                  write_pieces *pieces, error *err);
/* write_sorted.c: the files of the temporary table `scratch`, each of one partition, in order and
 * of the wanted size. */
status write_sorted(const write_request *request, const write_sql *sql, str scratch, arena *a,
                    write_pieces *pieces, error *err);

#endif

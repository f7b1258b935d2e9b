/* ingest.h: files and rows into tables.
 *
 * Input bytes are files in staging, put there by a door; names that a client gave are for messages
 * only, never paths. A writer worker reads them (links in its `in` folder), converts them to the
 * table's types and writes data files; one commit makes all inputs of a call visible, or nothing.
 *
 * A missing table is created from the inputs' schema, in the same transaction as its first rows; a
 * failed load leaves none.
 *
 * CSV and TSV: types are inferred over the whole input. The quick way (a sample, then reading
 * all with those types) is taken when it gives what the whole would give: the sample's types
 * hold for every row and no column of the sample was empty; else the whole input is read once
 * for the types. */
#ifndef TARN_INGEST_INGEST_H
#define TARN_INGEST_INGEST_H

#include "tarn/engine/query.h"

typedef enum input_format {
    INPUT_AUTO, /* by the first bytes, then by the name */
    INPUT_CSV,
    INPUT_TSV,
    INPUT_JSON, /* array of objects, or one object */
    INPUT_NDJSON,
    INPUT_PARQUET,
} input_format;
bool input_format_from(str name, input_format *ret_format);

typedef enum load_mode {
    LOAD_APPEND,
    LOAD_OVERWRITE,
    LOAD_UPSERT
} load_mode; /* the last two: UNSUPPORTED for now */

typedef struct load_input {
    str name;         /* as the client calls it: "trips.csv" */
    const char *path; /* of the staged bytes */
    int64_t size_bytes;
} load_input;

typedef struct load_request {
    principal who;
    str table; /* "ns.t", as given */
    str space; /* default namespace */
    const load_input *inputs;
    size_t input_count;
    input_format format;
    load_mode mode;
    bool create;      /* make a missing table */
    str partition_by; /* for a new table */
    str columns; /* "a:bigint,b:varchar": declared types (CSV: no inference); empty: inferred */
    char csv_delimiter;             /* 0: found out */
    const ice_property *properties; /* for a new table */
    size_t property_count;
    bool (*is_cancelled)(void *context);
    void *cancel_context;
    void (*progress)(void *context, const char *phase, int64_t done,
                     int64_t total); /* may be NULL */
    void *progress_context;
} load_request;

typedef struct load_result {
    table_name table;
    bool created;
    int64_t rows_read, rows_written, rows_rejected;
    int64_t files;
    int64_t bytes_written;
    int64_t snapshot_id;
    double seconds;
} load_result;

typedef struct ingest ingest;
status ingest_open(engine *e, catalog *c, access_control *ac, storage *st, ingest **ret_ingest,
                   error *err);
void ingest_close(ingest *in);

/* BAD_DATA names input, line and column of malformed rows; CORRUPT a broken Parquet file;
 * NO_TABLE without `create`; WRONG_TYPE a column that does not fit the table's; UNSUPPORTED a
 * type Iceberg lacks, by name. Strings of the result live in `a`. */
status ingest_load(ingest *in, const load_request *request, arena *a, load_result *ret_result,
                   error *err);

#endif

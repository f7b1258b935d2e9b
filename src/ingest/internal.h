/* What the files of ingest share: one load on its way. */
#ifndef TARN_INGEST_INTERNAL_H
#define TARN_INGEST_INTERNAL_H

#include "tarn/base/buf.h"
#include "tarn/ingest/ingest.h"

struct ingest {
    engine *engine;
    catalog *catalog;
    access_control *access;
    storage *storage;
};

typedef struct source_column {
    str name;
    str type; /* DuckDB's text */
} source_column;

/* Inputs of one format, linked into a worker's folder, and how DuckDB reads them. */
typedef struct source {
    const load_request *request;
    worker *worker;
    const worker_cancel *cancel;
    arena *a;
    input_format format;
    bool gzip;
    char delimiter; /* CSV */
    str files;      /* SQL list of the links: ['…', '…'] */
    str first_file; /* SQL text of the first one */
    source_column *columns;
    size_t column_count;
    bool sampled; /* the types were taken from a sample */
} source;

/* Format of an input by its first bytes, then by its name. IO. */
status ingest__detect(const load_input *input, input_format *ret_format, bool *ret_gzip,
                      error *err);
/* Delimiter of CSV bytes by their first line: the one of , ; tab | that occurs most. */
status ingest__detect_delimiter(const char *path, bool gzip, char *ret_delimiter, error *err);

/* The beginning of an input (64 KiB), unpacked. */
status ingest__read_head(const char *path, bool gzip, arena *a, str *ret_text, error *err);
/* ", delim = …" and the rest of what read_csv and sniff_csv are told. */
void ingest__csv_dialect(const source *s, buf *out);
/* Names from the first line; types (with `infer`) from a sample where that is enough, or from the whole. */
status ingest__describe_csv(source *s, bool infer, bool whole, error *err);

/* Links the inputs, settles the format. INVALID where inputs are of different formats. */
status ingest__source_open(source *s, error *err);
/* Finds names, and types where `infer` says that they matter; `whole` reads all of CSV for them. */
status ingest__source_describe(source *s, bool infer, bool whole, error *err);
/* The FROM item: read_parquet([...]) … with the columns' types. */
void ingest__source_sql(const source *s, const source_column *columns, size_t count, buf *out);
/* Puts the inputs' own names where a message names a link, and line numbers in tarn's words. */
void ingest__translate_error(const source *s, error *err);

/* Rows of DESCRIBE. */
status ingest__describe(source *s, str select, error *err);
#endif

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
    bool declared;
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
    str *names;     /* of the links in the worker's folder */
    str *links;     /* SQL text of the path of each */
    source_column *columns;
    size_t column_count;
    bool sampled; /* the types were taken from a sample */
    bool
        unchecked; /* values are read as their types at once, for the reader's own errors, which know the line */
} source;

/* Format of an input by its first bytes, then by its name. IO. */
status ingest__detect(const load_input *input, input_format *ret_format, bool *ret_gzip,
                      error *err);
/* Delimiter of CSV bytes by their first line: the one of , ; tab | that occurs most. */
status ingest__detect_delimiter(const char *path, bool gzip, char *ret_delimiter, error *err);

#define INGEST_HEAD_BYTES ((size_t)65536)
#define INGEST_UTF8_HINT \
    "Convert it first: iconv -f LATIN1 -t UTF-8 FILE (or from UTF-16, CP1252 …)."

/* The beginning of an input, unpacked. */
status ingest__read_head(const char *path, bool gzip, arena *a, str *ret_text, error *err);
/* ", delim = …" and the rest of what read_csv and sniff_csv are told. */
void ingest__csv_dialect(const source *s, buf *out);
/* Names from the first line, which is the same in all inputs; types as declared, the others (with `infer`) from the
 * content. */
status ingest__describe_csv(source *s, const source_column *declared, size_t declared_count,
                            bool infer, bool whole, error *err);
/* Declared types onto the columns of the same names. NO_COLUMN. */
status ingest__take_declared(source *s, const source_column *declared, size_t count, error *err);
/* Types from a sample where that is enough (then s->sampled), or from the whole. */
status ingest__csv_types(source *s, bool whole, error *err);
/* Whether reading the column as `type` (DuckDB's text) could change a value. Such a column is read as text, and
 * ingest__checked_value is its value, or an error: one that asks for types from the whole where the type came from a
 * sample, one that names column and value where it was given. */
bool ingest__is_checked(const source *s, const source_column *column, str type);
void ingest__checked_value(const source *s, const source_column *column, str type, buf *out);

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

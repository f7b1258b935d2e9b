/* output.h: rows on stdout in the format that was asked for. */
#ifndef TARN_CLI_OUTPUT_H
#define TARN_CLI_OUTPUT_H

#include "context.h"
#include "tarn/codec/json.h"

typedef struct output_column {
    str name;
    str type; /* DuckDB's type text: numbers stand on the right */
} output_column;

typedef struct output output;

/* In c->memory, for c->format. `width`: columns of the terminal, 0: no limit. */
output *output_create(cli *c, int width);
/* UNSUPPORTED for arrow and parquet, which only a query's rows have. */
status output_begin(output *o, const output_column *columns, size_t count, error *err);
/* Cells are JSON texts, one for each column. */
status output_row(output *o, const str *cells, size_t count, error *err);
status output_end(output *o, error *err);
int64_t output_rows(const output *o);
/* Columns that did not fit on the terminal. */
size_t output_hidden_columns(const output *o);

/* Lists of the API: one row for each object of `array`. */
typedef struct list_column {
    const char *key;   /* member; "a.b" reaches into objects */
    const char *title; /* as it is shown */
    const char *type;  /* "BIGINT" stands on the right; "" on the left */
} list_column;
status output_list(cli *c, const json *array, const list_column *columns, size_t count, error *err);
/* One object: a row for each column; as an object of its own in JSON. */
status output_record(cli *c, const json *object, const list_column *columns, size_t count,
                     error *err);

/* ---- output_table.c: table, box, md ---- */
typedef struct grid grid;
typedef enum grid_style { GRID_TABLE, GRID_BOX, GRID_MD } grid_style;
grid *grid_create(cli *c, grid_style style, int width);
status grid_begin(grid *g, const output_column *columns, size_t count, error *err);
status grid_row(grid *g, const str *cells, error *err);
status grid_end(grid *g, error *err);
size_t grid_hidden_columns(const grid *g);

#endif

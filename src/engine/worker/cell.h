/* cell.h: one value of a result, of any type, as JSON or as plain text.
 *
 * A cell_type is compiled once per column: how a value is written is then one call through a pointer. A cell_vector
 * binds it to the memory of a chunk. Types whose vectors cannot be read here (variant, geometry, bignum; for Arrow
 * enum and union too) have been turned to text in the query itself (result.c), so they never arrive.
 * The forms are interface.md's; not here: rows, separators, quoting of CSV (format.c). */
#ifndef TARN_ENGINE_CELL_H
#define TARN_ENGINE_CELL_H

#include "tarn/base/arena.h"
#include "tarn/base/buf.h"
#include "tarn/base/map.h"
#include "worker/duck.h"

typedef struct cell_type cell_type;
typedef struct cell_vector cell_vector;

typedef void (*cell_put)(const cell_vector *v, uint64_t row, buf *out);

struct cell_type {
    duck_type id;
    duck_type physical; /* decimal, enum: what the vector holds */
    uint8_t scale;      /* decimal */
    uint64_t length;    /* array */
    str name;           /* as a member of a struct or union; quoted for JSON, with the colon */
    bool unnamed;       /* struct without names: written as an array */
    str *labels;        /* enum, plain */
    cell_type *children;
    size_t child_count;
    cell_put put;       /* plain, not NULL */
    cell_put put_json;  /* JSON, not NULL */
    bool needs_quoting; /* the plain text may hold any character */
};

struct cell_vector {
    const cell_type *type;
    const void *data;
    const uint64_t *validity; /* NULL: all valid */
    cell_vector *children;
};

/* UNSUPPORTED naming the type where its vectors cannot be read. */
status cell_compile(duck_logical_type *type, arena *a, cell_type *ret_type, error *err);
/* Memory for the vectors of a type, to be bound to chunk after chunk. */
void cell_vector_init(cell_vector *v, const cell_type *type, arena *a);
void cell_vector_bind(cell_vector *v, duck_vector *vector);

static inline bool cell_is_null(const cell_vector *v, uint64_t row)
{
    return v->validity != NULL && (v->validity[row / 64] >> (row % 64) & 1) == 0;
}
/* "null" for NULL. */
void cell_put_json(const cell_vector *v, uint64_t row, buf *out);

/* `text` in JSON's quotes. */
void cell_put_json_text(buf *out, const char *text, size_t size);

#endif

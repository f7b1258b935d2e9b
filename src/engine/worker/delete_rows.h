/* delete_rows.h (private to delete_*.c): one loaded set, the layers of deleted rows in it, and what is kept of them.
 *
 * A data file may lose rows in two ways that are found out apart: by their number (vectors, position delete files)
 * and by what is in them (equality delete files, whose matches were looked up once). Each is a layer. */
#ifndef TARN_ENGINE_WORKER_DELETE_ROWS_H
#define TARN_ENGINE_WORKER_DELETE_ROWS_H

#include "tarn/base/map.h"
#include "tarn/codec/row_set.h"
#include "worker/delete_sets.h"

/* Rows that were taken from one data file, kept for the queries to come. Files never change: the key says which they
 * are. A set that is used is never freed. */
typedef struct kept_rows {
    row_set *rows;
    size_t size_bytes;
    int users;
    bool is_dropped; /* to be freed by its last user */
} kept_rows;

/* By the data file's number. */
typedef struct delete_layer {
    kept_rows **kept; /* what `rows` belongs to; NULL: to this set */
    row_set **rows;   /* NULL where no row is deleted */
} delete_layer;

typedef enum delete_layer_kind {
    DELETED_BY_NUMBER,
    DELETED_BY_VALUE,
    DELETE_LAYERS
} delete_layer_kind;

/* Files are numbered: data files first, then equality delete files. */
typedef struct delete_set {
    size_t count;
    str *locations;
    int64_t *sequences;
    int64_t *partitions;
    map *numbers; /* of data files, plus 1, by their location */
    delete_layer layers[DELETE_LAYERS];
    arena *memory;
} delete_set;

/* The set and the place of the scan's first file in it that a number speaks of; NULL where there is none. */
const delete_set *delete_set_find(int64_t number, uint64_t *ret_first);

/* Layers for set->count files, released with the set's memory. */
void delete_layers_create(delete_set *set);
/* Where rows of the file are added; NULL where they are known already. */
row_set *delete_layer_rows(delete_layer *layer, size_t number);

/* What a file is: name, place and time. Fails the buf where it is not there. */
void delete_put_file_key(str path, buf *key);
/* Keys by number, STR_NULL where nothing is kept. */
void delete_layer_take_kept(delete_layer *layer, const str *keys, size_t count);
/* Once the layer is complete. */
void delete_layer_keep(delete_layer *layer, const str *keys, size_t count);

/* Rows that equality delete files take away: delete_matches.c. The set can be found by its handle already. */
status delete_matches_load(session *s, delete_set *set, wire_reader *r, bool *ret_is_fatal,
                           error *err);
status delete_message_damaged(error *err);

#endif

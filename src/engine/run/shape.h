/* shape.h: what a data file looks like inside, and how its rows become the table's.
 *
 * A shape is the tree of columns in a Parquet file: names, field ids, types as DuckDB reads
 * them. Files of one shape are read by one scan. Columns are matched by field id (by name in
 * files without ids): equal ones are read plain, so that DuckDB keeps the statistics; renamed,
 * reordered, dropped and added ones become a projection, nested ones too. Shapes are read from
 * footers once and kept by location (files never change). */
#ifndef TARN_ENGINE_SHAPE_H
#define TARN_ENGINE_SHAPE_H

#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/iceberg/manifest.h"

typedef struct shape shape; /* shared; lives as long as the cache */

typedef struct shape_cache {
    mutex lock;
    map *by_location; /* shape * */
    map *by_text;     /* shape *: equal shapes are one */
    map *footers;     /* by location: bytes, as a pointer */
    arena *memory;
} shape_cache;

void shape_cache_init(shape_cache *c);
void shape_cache_release(shape_cache *c);

/* The shape of the file at `path` that the catalog knows as `location`. CORRUPT naming the
 * location. */
status shape_of(shape_cache *c, str location, const char *path, const shape **ret_shape,
                error *err);

/* How long the footer of a file is whose shape was asked for; where that was forgotten since, more
 * than any limit. */
int64_t shape_footer_bytes(shape_cache *c, str location);

/* True where every column can be read under its own name, without a cast: then the columns' list
 * is all it takes. */
bool shape_is_plain(const shape *s, const ice_schema *schema);
/* The expression of one column of the table over a scan of such files, in DuckDB's SQL.
 * `partition_text` is the value of the identity partition field on it, as text, for columns that
 * the files lack; STR_NULL where there is none. UNSUPPORTED naming the column where the types
 * cannot be joined. */
status shape_column(const shape *s, const ice_field *field, str partition_text, buf *out,
                    error *err);
/* The file has no column for this field. */
bool shape_lacks(const shape *s, const ice_field *field);

#endif

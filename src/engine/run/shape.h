/* shape.h: what a data file looks like inside, and how its rows become the table's.
 *
 * A shape is the tree of columns in a Parquet file: names, field ids, types as DuckDB reads
 * them. Files of one shape are read by one scan. Columns are matched by field id alone; files
 * without ids get them from the table's name mapping. Equal columns are read plain, so that
 * DuckDB keeps the statistics; renamed, reordered, dropped, added and widened ones become a
 * projection, nested ones too. Shapes are read from footers once and kept by location (files
 * never change).
 * Source: Iceberg specification, "Column projection", "Schema evolution", "Appendix A: Parquet". */
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

/* False for a file whose columns carry no field ids at all: it needs a name mapping. */
bool shape_has_ids(const shape *s);
/* The same with ids from a name mapping (the property schema.name-mapping.default) for columns
 * that have none. Lives in `a`, as does what it shares with `s`. INVALID for a mapping that is
 * none. */
status shape_mapped(const shape *s, str mapping, arena *a, const shape **ret_shape, error *err);

/* True where every column can be read under its own name, without a cast: then the columns' list
 * is all it takes. */
bool shape_is_plain(const shape *s, const ice_schema *schema);
/* What follows the call of read_parquet: names by position where the file's own do not do;
 * nothing else. */
void shape_put_alias(const shape *s, buf *out);
/* The expression of one column of the table over a scan of such files, in DuckDB's SQL.
 * `missing`: the expression for a column that the files lack, STR_NULL: its default. `location`
 * names one of the files in errors. UNSUPPORTED naming the column where the types cannot be
 * joined. What fails only for those who ask for the column fails when it is read. */
status shape_column(const shape *s, const ice_field *field, str missing, str location, buf *out,
                    error *err);
/* The file has no column for this field. */
bool shape_lacks(const shape *s, const ice_field *field);
/* CAST('…' AS type), or NULL of the type. */
void shape_put_constant(const ice_type *type, const ice_value *value, buf *out);

#endif

/* manifest_columns.h: the columns of manifests and manifest lists: what schema, writer and reader share.
 *
 * Source: Iceberg specification, "Manifests", "Manifest lists". */
#ifndef TARN_ICEBERG_MANIFEST_COLUMNS_H
#define TARN_ICEBERG_MANIFEST_COLUMNS_H

#include "tarn/iceberg/manifest.h"

typedef struct ice__column {
    const char *name;
    const char *type; /* Avro, as JSON; NULL for the partition, whose type the table gives */
    int id;
    int first_version, last_version;
} ice__column;

typedef enum ice__list_column {
    LIST_PATH,
    LIST_LENGTH,
    LIST_SPEC,
    LIST_CONTENT,
    LIST_SEQUENCE,
    LIST_MIN_SEQUENCE,
    LIST_SNAPSHOT,
    LIST_ADDED_FILES,
    LIST_EXISTING_FILES,
    LIST_DELETED_FILES,
    LIST_ADDED_ROWS,
    LIST_EXISTING_ROWS,
    LIST_DELETED_ROWS,
    LIST_PARTITIONS,
    LIST_KEY,
    LIST_FIRST_ROW,
    LIST_COLUMN_COUNT
} ice__list_column;
extern const ice__column ice__list_columns[LIST_COLUMN_COUNT];

typedef enum ice__file_column {
    FILE_CONTENT,
    FILE_PATH,
    FILE_FORMAT,
    FILE_PARTITION,
    FILE_RECORDS,
    FILE_SIZE,
    FILE_BLOCK,
    FILE_COLUMN_SIZES,
    FILE_VALUES,
    FILE_NULLS,
    FILE_NANS,
    FILE_LOWER,
    FILE_UPPER,
    FILE_KEY,
    FILE_SPLITS,
    FILE_EQUALITY,
    FILE_ORDER,
    FILE_FIRST_ROW,
    FILE_REFERENCED,
    FILE_OFFSET,
    FILE_OFFSET_SIZE,
    FILE_COLUMN_COUNT
} ice__file_column;
extern const ice__column ice__file_columns[FILE_COLUMN_COUNT];

bool ice__column_is_in(const ice__column *column, int format_version);
bool ice__file_column_is_in(ice__file_column column, int format_version, bool deletes);

/* Avro schemas as JSON text. `partition` is the struct of the spec's results. */
str ice__list_schema(int format_version, arena *a);
str ice__manifest_schema(int format_version, const ice_type *partition, bool deletes, arena *a);

#endif

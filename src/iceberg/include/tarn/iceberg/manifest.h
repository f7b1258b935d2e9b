/* manifest.h: manifest lists and manifests: which files a snapshot is made of.
 *
 * Source: Iceberg specification, "Manifests", "Manifest lists", "Appendix A: Avro". Read by
 * field id, any version; written as v2 (v1 tables: v1). */
#ifndef TARN_ICEBERG_MANIFEST_H
#define TARN_ICEBERG_MANIFEST_H

#include "tarn/codec/avro.h"
#include "tarn/iceberg/metadata.h"

typedef enum ice_content { ICE_DATA, ICE_POSITION_DELETES, ICE_EQUALITY_DELETES } ice_content;
typedef enum ice_entry_status { ICE_EXISTING, ICE_ADDED, ICE_DELETED } ice_entry_status;

typedef struct ice_bounds {
    int32_t field_id;
    str value; /* single-value binary */
} ice_bounds;

/* One file of a table. Metrics arrays are sorted by field id. */
typedef struct ice_file {
    ice_content content;
    str path;                   /* location, byte for byte */
    str format;                 /* "PARQUET", upper case */
    const ice_value *partition; /* one per field of its spec */
    size_t partition_count;
    int32_t spec_id;
    int64_t record_count;
    int64_t size_bytes;
    const avro_int_long *column_sizes;
    size_t column_size_count;
    const avro_int_long *value_counts;
    size_t value_count_count;
    const avro_int_long *null_counts;
    size_t null_count_count;
    const avro_int_long *nan_counts;
    size_t nan_count_count;
    const avro_int_bytes *lower_bounds;
    size_t lower_bound_count;
    const avro_int_bytes *upper_bounds;
    size_t upper_bound_count;
    const int64_t *split_offsets;
    size_t split_offset_count;
    const int32_t *equality_ids;
    size_t equality_id_count;
    int32_t sort_order_id;                      /* -1 where absent */
    str key_metadata;                           /* STR_NULL where absent */
    int64_t first_row_id;                       /* v3; ICE_NO_ROW_ID */
    str referenced_data_file;                   /* STR_NULL where absent */
    int64_t content_offset, content_size_bytes; /* deletion vectors; -1 where absent */
    /* of its manifest entry, inheritance applied; -1 where the commit is still to give it */
    int64_t data_sequence, file_sequence, snapshot_id;
} ice_file;

typedef struct ice_field_summary {
    bool contains_null;
    int contains_nan; /* -1 unknown */
    str lower, upper; /* STR_NULL where absent */
} ice_field_summary;

typedef struct ice_manifest {
    str path;
    int64_t length_bytes;
    int32_t spec_id;
    bool deletes; /* content: delete files */
    int64_t sequence_number, min_sequence_number;
    int64_t added_snapshot_id;
    int32_t added_files, existing_files, deleted_files; /* -1 unknown (v1) */
    int64_t added_rows, existing_rows, deleted_rows;    /* -1 unknown */
    const ice_field_summary *partitions; /* one per field of the spec; NULL where absent */
    size_t partition_count;
    str key_metadata;
    int64_t first_row_id; /* v3 */
} ice_manifest;

/* `bytes` must outlive the result's use where the list is uncompressed. */
status ice_manifest_list_parse(str bytes, arena *a, ice_manifest **ret_manifests, size_t *ret_count,
                               error *err);
status ice_manifest_list_format(const ice_metadata *m, const ice_snapshot *snapshot,
                                const ice_manifest *manifests, size_t count, buf *out, error *err);

typedef struct ice_entry {
    ice_entry_status status;
    ice_file file;
} ice_entry;

/* Entries of one manifest with inheritance applied from `manifest` (sequence numbers, snapshot
 * id, first row id). `with_metrics` false skips the column maps. */
status ice_manifest_parse(str bytes, const ice_manifest *manifest, const ice_metadata *m,
                          bool with_metrics, arena *a, ice_entry **ret_entries, size_t *ret_count,
                          error *err);
/* All of one spec and one kind of content. Fills the counts, bounds and length of `ret_manifest`
 * (not its path). */
status ice_manifest_format(const ice_metadata *m, int32_t spec_id, bool deletes,
                           int64_t snapshot_id, const ice_entry *entries, size_t count, arena *a,
                           buf *out, ice_manifest *ret_manifest, error *err);

#endif

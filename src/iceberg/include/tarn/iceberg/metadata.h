/* metadata.h: table metadata (v1, v2, v3), snapshots, logs, refs.
 *
 * An ice_metadata is immutable, lives in its own arena and is shared by reference count. Changes
 * make a new one (ice_metadata_builder). Unknown members round-trip. Source: Iceberg
 * specification, "Table metadata", "Snapshots", "Snapshot references". */
#ifndef TARN_ICEBERG_METADATA_H
#define TARN_ICEBERG_METADATA_H

#include "tarn/iceberg/partition.h"

typedef struct ice_property {
    str key;
    str value;
} ice_property;

typedef enum ice_operation {
    ICE_APPEND,    /* only data files were added */
    ICE_REPLACE,   /* files changed, rows did not: compaction */
    ICE_OVERWRITE, /* rows were added and removed */
    ICE_DELETE,    /* only rows were removed */
} ice_operation;
const char *ice_operation_name(ice_operation operation);

#define ICE_NO_SNAPSHOT INT64_C(-1)
#define ICE_NO_ROW_ID INT64_C(-1)
#define ICE_NO_SCHEMA INT32_C(-1)

typedef struct ice_snapshot {
    int64_t id;              /* positive, random */
    int64_t parent_id;       /* ICE_NO_SNAPSHOT where there is none */
    int64_t sequence_number; /* 0 in v1 */
    int64_t timestamp_ms;    /* when it was committed, by the writer's clock */
    int64_t first_row_id;    /* v3; ICE_NO_ROW_ID before */
    int64_t added_rows;      /* v3; ICE_NO_ROW_ID where absent */
    int32_t schema_id;       /* ICE_NO_SCHEMA where the writer left it out */
    ice_operation operation;
    str manifest_list;    /* location of the Avro file; STR_NULL in v1 with inline manifests */
    const str *manifests; /* v1: locations of inline manifests */
    size_t manifest_count;
    const ice_property *summary; /* "operation" included */
    size_t summary_count;
    /* members tarn does not know: name, and value as JSON text; written back as they are */
    const ice_property *unknown;
    size_t unknown_count;
    str text; /* its JSON, kept from commit to commit; STR_NULL where it was not written yet or was changed since */
    /* the run of history that it is kept with; NULL: it lies in its metadata's own memory. A snapshot
     * that is changed belongs to none */
    const struct ice_chapter *chapter;
} ice_snapshot;
str ice_snapshot_summary(const ice_snapshot *snapshot, const char *key); /* STR_NULL where absent */

typedef struct ice_log_entry {
    int64_t timestamp_ms;
    int64_t snapshot_id; /* snapshot log */
    str metadata_file;   /* metadata log */
} ice_log_entry;

typedef struct ice_ref {
    str name;
    int64_t snapshot_id;
    bool is_tag;
    int64_t max_ref_age_ms, max_snapshot_age_ms; /* -1 where absent */
    int32_t min_snapshots_to_keep;               /* -1 where absent */
} ice_ref;

/* Of a table that was moved: what its files call `from`, or a path below it, lies at `to`. Prefixes end
 * at a "/"; the longest that fits wins. */
typedef struct ice_rebase {
    str from, to;
} ice_rebase;

typedef struct ice_metadata ice_metadata;

/* Whether a table may name a file that does not lie below its location. */
typedef struct ice_guard {
    status (*allow)(void *context, const ice_metadata *m, str location, error *err);
    void *context;
} ice_guard;

struct ice_metadata {
    int format_version;
    str uuid;
    str location;
    int64_t last_sequence_number;
    int64_t last_updated_ms;
    int32_t last_column_id;
    const ice_schema *schemas;
    size_t schema_count;
    int32_t current_schema_id;
    const ice_spec *specs;
    size_t spec_count;
    int32_t default_spec_id;
    int32_t last_partition_id;
    const ice_sort_order *orders;
    size_t order_count;
    int32_t default_order_id;
    const ice_property *properties;
    size_t property_count;
    int64_t current_snapshot_id; /* ICE_NO_SNAPSHOT */
    const ice_snapshot *snapshots;
    size_t snapshot_count;
    const ice_log_entry *snapshot_log;
    size_t snapshot_log_count;
    const ice_log_entry *metadata_log;
    size_t metadata_log_count;
    const ice_ref *refs;
    size_t ref_count;
    int64_t next_row_id; /* v3 */
    /* statistics, encryption-keys, members tarn does not know: name and JSON text */
    const ice_property *unknown;
    size_t unknown_count;
    /* no part of the file: whoever loads it knows; new metadata takes over that of its base. NULL: nobody is asked */
    const ice_guard *guard;
    arena *memory; /* owns all of it */
    /* no part of the file: whoever loads it knows; such a table can only be read */
    const ice_rebase *rebase;
    size_t rebase_count;
    _Atomic int references;
};

/* `text` is JSON, or gzip of it (told by its first bytes). One reference for the caller. CORRUPT
 * naming the member; UNSUPPORTED for a format version beyond 3. */
status ice_metadata_parse(str text, ice_metadata **ret_metadata, error *err);
ice_metadata *ice_metadata_ref(const ice_metadata *m);
void ice_metadata_unref(const ice_metadata *m);            /* NULL is fine */
void ice_metadata_format(const ice_metadata *m, buf *out); /* JSON */
/* The same with those snapshots alone that a branch or tag names; the log of snapshots is whole. */
void ice_metadata_format_named(const ice_metadata *m, buf *out);
/* Whether every snapshot has a name. */
bool ice_metadata_is_named(const ice_metadata *m);

/* Where the file lies that the table's metadata, manifests and delete files call `location`: everything
 * that opens a file of a table asks here; comparing and showing names needs the name as it is. May be
 * `location` itself, else in the arena. */
str ice_locate(const ice_metadata *m, str location, arena *a);
/* The same for whoever reads the file, a manifest or a list of them, on the table's behalf: DENIED where it lies
 * neither below the table's location nor where the guard allows it. */
status ice_find_file(const ice_metadata *m, str location, arena *a, str *ret_location, error *err);
/* Whether a file, as ice_locate names it, lies below the table's location, and by no detour. */
bool ice_is_below(const ice_metadata *m, str location, arena *a);
/* The same for any folder. */
bool ice_lies_below(str location, str folder);
str ice_rebase_location(const ice_rebase *rules, size_t count, str location, arena *a);
/* Copies the rules; before the metadata is shared. */
void ice_metadata_rebase(ice_metadata *m, const ice_rebase *rules, size_t count);

const ice_schema *ice_metadata_schema(const ice_metadata *m); /* current */
/* Types of the spec's fields (a struct), their sources looked for in every schema of the table. */
const ice_type *ice_metadata_spec_type(const ice_metadata *m, const ice_spec *spec, arena *a);
/* NULL where absent */
const ice_schema *ice_metadata_schema_by_id(const ice_metadata *m, int32_t id);
const ice_spec *ice_metadata_spec(const ice_metadata *m); /* default */
const ice_spec *ice_metadata_spec_by_id(const ice_metadata *m, int32_t id);
/* current; NULL where there is none */
const ice_snapshot *ice_metadata_snapshot(const ice_metadata *m);
const ice_snapshot *ice_metadata_snapshot_by_id(const ice_metadata *m, int64_t id);
str ice_metadata_property(const ice_metadata *m, const char *key, const char *fallback);
int64_t ice_metadata_property_int(const ice_metadata *m, const char *key, int64_t fallback);

/* A new table: ids assigned afresh, uuid and times from base/rng and base/clock. Nothing is
 * written. */
typedef struct ice_create {
    str location;
    const ice_type *root; /* struct; ids are ignored */
    str partition_sql;    /* "" unpartitioned: ice_spec_parse_sql */
    const ice_property *properties;
    size_t property_count;
    int format_version; /* 2; 0 means the default */
    /* A table of the same columns, whose order and identifier fields the new one gets; NULL: none. */
    const ice_metadata *like;
} ice_create;
status ice_metadata_create(const ice_create *options, ice_metadata **ret_metadata, error *err);

/* Properties that Iceberg or tarn defines, with type, default and meaning; a key that ends with "*"
 * stands for all that begin like it. Unknown ones are kept and not judged, but for "tarn.…".
 * INVALID for nonsense. */
status ice_property_check(str key, str value, error *err);
typedef struct ice_property_info {
    const char *key, *type, *fallback, *meaning;
    bool honoured; /* tarn acts on it; the others are passed on */
} ice_property_info;
const ice_property_info *ice_property_infos(size_t *ret_count);

#endif

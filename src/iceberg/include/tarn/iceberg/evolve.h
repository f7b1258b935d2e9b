/* evolve.h: new table metadata from old: schemas, specs, orders, properties, refs, snapshots.
 *
 * A builder takes one ice_metadata and a list of changes, checks each against what stands so far,
 * and gives a new ice_metadata; the base never changes. Equal schemas, specs and orders are
 * reused by id, never written twice. ice_metadata_update is the loop around it: load, change,
 * stage, commit, again on CONFLICT.
 *
 * Errors: INVALID (names the column, field or key and the rule), NO_COLUMN (with the nearest
 * name), EXISTS, NO_SNAPSHOT, UNSUPPORTED (an unknown transform). An error changes nothing.
 * Source: Iceberg specification, "Schema evolution", "Partition evolution", "Sorting", "Snapshot
 * references", "Column projection" (defaults), "Table metadata". */
#ifndef TARN_ICEBERG_EVOLVE_H
#define TARN_ICEBERG_EVOLVE_H

#include "tarn/iceberg/commit.h"

typedef struct ice_builder ice_builder;

/* Lives in `a`; `base` must outlive it. */
ice_builder *ice_builder_create(const ice_metadata *base, arena *a);
/* What stands so far, to read from: valid until the next change. */
const ice_metadata *ice_builder_now(const ice_builder *b);
/* One reference for the caller; last-updated-ms moves on, the log of metadata files gets
 * `base_location` (STR_NULL: none). */
status ice_builder_build(ice_builder *b, str base_location, ice_metadata **ret_metadata,
                         error *err);

/* What a commit would write, for those who commit several tables at once: the file of the next metadata, and what
 * nothing needs once it is visible. All in the builder's memory, but for one reference to `next`. */
typedef struct ice_prepared {
    bool nothing; /* the table stays as it is: the rest is empty */
    ice_metadata *next;
    str location, bytes;
    const str *obsolete;
    size_t obsolete_count;
} ice_prepared;
status ice_builder_prepare(ice_builder *b, str base_location, ice_prepared *ret_prepared,
                           error *err);

/* ---- schemas ---- */
/* Adds a schema (ids given, checked: known ids keep their meaning; new ones lie above
 * last-column-id) or finds its equal; makes it current. */
status ice_builder_set_schema(ice_builder *b, const ice_schema *schema, error *err);

/* Changes of the current schema. `path`: names from the top ("a.b", "xs.element", "m.value" as
 * parts), without regard to case. Fresh ids always; nested types get theirs too. Keys of maps do not
 * change. However many changes a builder makes, they are one new schema. */
typedef struct ice_path {
    const str *parts;
    size_t count;
} ice_path;
typedef enum ice_place { ICE_LAST, ICE_FIRST, ICE_BEFORE, ICE_AFTER } ice_place;

typedef struct ice_add_column {
    ice_path parent; /* count 0: the top */
    str name;
    const ice_type *type; /* ids are ignored */
    bool required;        /* INVALID without an initial default unless the table has no snapshot */
    str doc;              /* STR_NULL: none */
    /* both defaults (v3); NULL: none. JSON single-value form */
    const json *default_value;
    ice_place place;
    str beside; /* BEFORE, AFTER: name of a sibling */
    bool if_not_exists;
} ice_add_column;
status ice_builder_add_column(ice_builder *b, const ice_add_column *column, error *err);
/* INVALID for identifier fields, where the default spec or order still needs it, for what lists and
 * maps are made of, and for the last field of a struct. */
status ice_builder_drop_column(ice_builder *b, ice_path path, bool if_exists, error *err);
status ice_builder_rename_column(ice_builder *b, ice_path path, str name, error *err);
status ice_builder_move_column(ice_builder *b, ice_path path, ice_place place, str beside,
                               error *err);
/* int to long, float to double, decimal of more digits, unknown to anything, date to timestamp
 * (v3); INVALID where a partition transform would give another value. */
status ice_builder_widen_column(ice_builder *b, ice_path path, const ice_type *type, error *err);
/* `required` true only where the table has no snapshot: a default stands for files that lack the
 * column, not for nulls in those that have it. */
status ice_builder_set_required(ice_builder *b, ice_path path, bool required, error *err);
status ice_builder_set_doc(ice_builder *b, ice_path path, str doc, error *err);
/* The write default alone: what was written stays (v3). NULL removes it. */
status ice_builder_set_default(ice_builder *b, ice_path path, const json *value, error *err);
status ice_builder_set_identifier(ice_builder *b, const ice_path *paths, size_t count, error *err);

/* ---- partition specs and sort orders ---- */
/* Adds the spec (field ids of equivalent fields in any spec are reused) or finds its equal; makes
 * it the default. v1 tables keep dropped fields as void. */
status ice_builder_set_spec(ice_builder *b, const ice_spec *spec, error *err);
/* `text`: one field as PARTITIONED BY takes it: "day(ts)", "bucket(16, id) AS b". */
status ice_builder_add_partition_field(ice_builder *b, str text, error *err);
/* By field name or by the text of its transform. */
status ice_builder_drop_partition_field(ice_builder *b, str text, error *err);
status ice_builder_replace_partition_field(ice_builder *b, str from, str to, error *err);
/* "a, bucket(4, b) DESC NULLS LAST"; "" is unsorted. Without a word about nulls they are first in
 * ascending and last in descending fields. SYNTAX with position, NO_COLUMN, INVALID. */
status ice_sort_order_parse_sql(str text, const ice_schema *schema, arena *a,
                                ice_sort_order *ret_order, error *err);
status ice_builder_set_order(ice_builder *b, const ice_sort_order *order, error *err);

/* ---- the table ---- */
/* Checked (ice_property_check); "format-version" upgrades the table; INVALID for what follows from
 * the table ("current-snapshot-id" …). */
status ice_builder_set_property(ice_builder *b, str key, str value, error *err);
void ice_builder_remove_property(ice_builder *b, str key);
void ice_builder_set_location(ice_builder *b, str location);
status ice_builder_set_format_version(ice_builder *b, int version, error *err); /* upwards only */

/* ---- snapshots and refs ---- */
/* "main" moves the current snapshot and the snapshot log. NO_SNAPSHOT; INVALID for a tag in the
 * place of a branch. */
status ice_builder_set_ref(ice_builder *b, const ice_ref *ref, error *err);
status ice_builder_remove_ref(ice_builder *b, str name, error *err); /* "main" stays: INVALID */
/* A snapshot that is to be part of the table; not yet of a ref. */
status ice_builder_add_snapshot(ice_builder *b, const ice_snapshot *snapshot, error *err);
/* References to them go too, the snapshot log begins behind the last of them. */
void ice_builder_remove_snapshots(ice_builder *b, const int64_t *ids, size_t count);
/* Entries of "statistics" and "partition-statistics", one for a snapshot: JSON objects. */
status ice_builder_set_statistics(ice_builder *b, const json *entry, error *err);
status ice_builder_set_partition_statistics(ice_builder *b, const json *entry, error *err);
void ice_builder_remove_statistics(ice_builder *b, int64_t snapshot_id);

/* ---- another table in its place ---- */
/* CREATE OR REPLACE: columns, partitioning and properties as `options` says (its location is ignored), no order, no
 * rows. Uuid, location, snapshots and branches but "main" stay; so do properties that `options` does not give, but for
 * the comment. Columns that keep name and kind keep their id. */
status ice_builder_replace_table(ice_builder *b, const ice_create *options, error *err);

/* ---- committing ---- */
/* `change` edits the builder; it may run several times, each time on newer metadata, and its
 * error ends the update with nothing changed. OK with nothing committed where nothing differs. */
status ice_metadata_update(const ice_committer *committer,
                           status (*change)(void *context, ice_builder *b, error *err),
                           void *context, ice_metadata **ret_metadata, error *err);

#endif

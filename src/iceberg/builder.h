/* builder.h: what the files behind evolve.h share: builder.c (the table), history.c (snapshots, refs, statistics),
 * evolve_schema.c, evolve_path.c, evolve_default.c, evolve_names.c (schemas), evolve_spec.c (partitioning, order),
 * update.c (commits).
 *
 * The builder holds a shallow copy of the base. A list that changes is replaced by a new one in the builder's
 * memory; nothing of the base is ever written to. */
#ifndef TARN_ICEBERG_BUILDER_H
#define TARN_ICEBERG_BUILDER_H

#include "tarn/iceberg/evolve.h"

#include "change.h"

struct ice_builder {
    const ice_metadata *base;
    arena *memory;
    ice_metadata now; /* shallow */
    /* the last schema or spec is one that changes of this builder made, and that nobody else has seen: the next
     * change replaces it, so that many changes make one schema */
    bool draft_schema, draft_spec;
    ice_snapshot *snapshots; /* the list of `now`, where this builder made it; NULL */
    size_t snapshot_room;
    ice__str_vec obsolete; /* files that nothing needs once what was built is visible */
};

/* Time and log moved on, everything checked: `now` is what a commit writes. */
status ice__builder_finish(ice_builder *b, str base_location, error *err);
/* Where main goes to a snapshot that was there, its rows fit the schema that is current: INVALID, with the cure in SQL
 * (request_fit.c, which looks at requests too). */
status ice__builder_check_main(const ice_builder *b, error *err);
/* Both would be written alike. */
bool ice__metadata_same(const ice_metadata *x, const ice_metadata *y);

/* ---- lists of `now`, copied into the builder's memory so that they may be written to ---- */
ice_schema *ice__builder_schemas(ice_builder *b, size_t room);
ice_spec *ice__builder_specs(ice_builder *b, size_t room);

/* No property, though other tools show it as one: it says what the metadata says already. */
bool ice__follows_from_table(str key);
/* Set without a question: the builder's own, not a caller's. */
void ice__put_property(ice_builder *b, str key, str value);
/* NO_COLUMN, with the nearest, where the property is one of a column that the table does not have. */
status ice__check_property_column(const ice_metadata *m, str key, arena *a, error *err);
/* What properties say of columns by name is brought from `before` to the schema that is current now. */
void ice__follow_names(ice_builder *b, const ice_schema *before);

/* ---- history: shared with commits (history.c) ---- */
/* The metadata file at `base_location` joins the log of `next`; what falls out of the log goes to `obsolete` where the
 * table says that it is deleted. */
void ice__log_metadata(ice_metadata *next, const ice_metadata *base, str base_location, arena *a,
                       ice__str_vec *obsolete);
/* The reference is set, or replaced, and "main" moves the current snapshot with it. */
void ice__put_ref(ice_metadata *next, const ice_ref *ref, arena *a);
void ice__log_snapshot(ice_metadata *next, int64_t snapshot_id, int64_t timestamp_ms, arena *a);
/* Entries of "statistics" and "partition-statistics" of these snapshots go, their files to `obsolete` (may be NULL). */
void ice__drop_statistics(ice_metadata *next, const int64_t *ids, size_t count, arena *a,
                          ice__str_vec *obsolete);

/* As ice_builder_set_statistics; the file of the entry that is replaced goes to what is obsolete, where files may. */
status ice__builder_renew_statistics(ice_builder *b, const json *entry, error *err);
/* Entries of one of the two lists, 0 or 1 in that order. */
void ice__builder_drop_statistics(ice_builder *b, size_t list, const int64_t *ids, size_t count);

/* ---- schemas (evolve_path.c, evolve_schema.c, evolve_default.c) ---- */
/* A place in a schema that may be written to. */
typedef struct ice__place {
    ice_field *field;
    ice_type *parent; /* the struct, list or map that the field is part of */
    size_t index;     /* in parent's fields */
    bool in_key;      /* within a key of a map */
    bool in_repeated; /* within a list or map */
    bool in_optional; /* below an optional struct */
} ice__place;
/* A copy of the current schema that may be written to. */
ice_schema ice__builder_edit(const ice_builder *b);
status ice__path_find(const ice_schema *schema, ice_path path, arena *a, ice__place *ret_place,
                      error *err);
str ice__path_text(ice_path path, arena *a);
/* The struct that holds the fields "below" a path: the struct itself, the element of a list, the value of a map. */
status ice__path_struct(const ice_schema *schema, ice_path path, arena *a, ice_type **ret_struct,
                        bool *ret_in_key, error *err);
/* Index of the field among those of the struct, without regard to case; SIZE_MAX. */
size_t ice__struct_find(const ice_type *type, str name);
/* The default of a `from` as that of a `to`, in the arena; itself where both are written alike. */
const json *ice__default_widen(const json *value, const ice_type *from, const ice_type *to,
                               arena *a);

/* INVALID where a partition field of any spec would get other values if `field` became a `to`. `path`: what the column
 * is called. */
status ice__check_transforms(const ice_metadata *m, const ice_field *field, ice_kind to, str path,
                             error *err);

/* One that exists, or SIZE_MAX: equal but for the id. */
size_t ice__find_schema(const ice_metadata *m, const ice_schema *schema);

#endif

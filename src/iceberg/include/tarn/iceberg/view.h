/* view.h: view metadata (format version 1): stored SQL with its schema, and the versions it had.
 *
 * An ice_view is immutable, lives in its own arena and is shared by reference count, like ice_metadata. Changes make a
 * new one. Members tarn does not know are written back as they were read. Source: Iceberg view specification. */
#ifndef TARN_ICEBERG_VIEW_H
#define TARN_ICEBERG_VIEW_H

#include "tarn/iceberg/metadata.h"
#include "tarn/store/store.h"

#define ICE_VIEW_DIALECT "duckdb" /* of the SQL that tarn writes and runs */
/* How many versions are kept; the current one always is. */
#define ICE_VIEW_HISTORY "version.history.num-entries"

typedef struct ice_representation {
    str type; /* "sql" */
    str sql;
    str dialect;                 /* letters folded by nobody: compare without regard to case */
    const ice_property *unknown; /* all members of one that is of another type */
    size_t unknown_count;
} ice_representation;

typedef struct ice_view_version {
    int32_t id;
    int32_t schema_id;
    int64_t timestamp_ms;
    str default_catalog; /* of names in the SQL; STR_NULL: the one that the view is in */
    const str *default_namespace;
    size_t default_namespace_count;
    const ice_property *summary;
    size_t summary_count;
    const ice_representation *representations; /* one of a dialect */
    size_t representation_count;
    const ice_property *unknown;
    size_t unknown_count;
} ice_view_version;

typedef struct ice_view_log_entry {
    int64_t timestamp_ms;
    int32_t version_id;
} ice_view_log_entry;

typedef struct ice_view {
    int format_version;
    str uuid;
    str location;
    const ice_schema *schemas;
    size_t schema_count;
    int32_t current_version_id;
    const ice_view_version *versions;
    size_t version_count;
    const ice_view_log_entry *log; /* which version was current since when; the newest last */
    size_t log_count;
    const ice_property *properties;
    size_t property_count;
    const ice_property *unknown;
    size_t unknown_count;
    arena *memory; /* owns all of it */
    _Atomic int references;
} ice_view;

/* `text` is JSON, or gzip of it. One reference for the caller. CORRUPT naming what is wrong; UNSUPPORTED for a format
 * version beyond 1. */
status ice_view_parse(str text, ice_view **ret_view, error *err);
ice_view *ice_view_ref(const ice_view *v);
void ice_view_unref(const ice_view *v);            /* NULL is fine */
void ice_view_format(const ice_view *v, buf *out); /* JSON */

/* `next` was made of `base` and says nothing else: nobody needs a file of it. */
bool ice_view_is_same(const ice_view *base, const ice_view *next);

const ice_view_version *ice_view_current(const ice_view *v);
const ice_view_version *ice_view_version_by_id(const ice_view *v,
                                               int32_t id); /* NULL where absent */
/* Of the current version. */
const ice_schema *ice_view_schema(const ice_view *v);
/* The SQL of a version in that dialect; STR_NULL where it has none. */
str ice_view_sql(const ice_view_version *version, str dialect);
str ice_view_property(const ice_view *v, const char *key, const char *fallback);

/* What a version says. */
typedef struct ice_view_definition {
    const ice_type *root; /* columns; ids are given afresh, from 1 on */
    str sql, dialect;
    str default_catalog;          /* STR_NULL: the one that the view is in */
    const str *default_namespace; /* its levels */
    size_t default_namespace_count;
    str engine_version;          /* in the summary */
    const ice_property *summary; /* more of it, by which versions are told apart too */
    size_t summary_count;
    const ice_property *properties;
    size_t property_count;
} ice_view_definition;

/* A new view; uuid and times from base/rng and base/clock. Nothing is written. INVALID for columns that no schema
 * can have. */
status ice_view_create(str location, const ice_view_definition *definition, ice_view **ret_view,
                       error *err);
/* The same view with another definition: a new version, or an old one that says the same. Its properties are
 * replaced; the oldest versions go beyond `version.history.num-entries` (10). */
status ice_view_replace(const ice_view *base, const ice_view_definition *definition,
                        ice_view **ret_view, error *err);
/* `removed`: keys. */
status ice_view_set_properties(const ice_view *base, const ice_property *set, size_t set_count,
                               const str *removed, size_t removed_count, ice_view **ret_view,
                               error *err);
/* The same SQL with another comment on a column (STR_NULL: none): a version of its own, since schemas never change.
 * NO_COLUMN. */
status ice_view_comment_column(const ice_view *base, str column, str comment, ice_view **ret_view,
                               error *err);

/* Its file, "<location>/metadata/00001-<uuid>.metadata.json", staged. */
status ice_view_stage(storage *st, const ice_view *v, int version, store_staged **ret_staged,
                      arena *a, str *ret_location, error *err);

#endif

/* view.h: views in the catalog: names to view metadata, and the pointer that a change moves.
 *
 * Views and tables have one space of names: neither can be made, or renamed to, where the other is. As with tables,
 * a pointer moves only in the transaction that publishes what it points to; of a view there is one metadata file at a
 * time, since the file itself tells its versions.
 *
 * Thread-safe. Nothing here decides who may, or looks into the SQL of a view. */
#ifndef TARN_CATALOG_VIEW_H
#define TARN_CATALOG_VIEW_H

#include "tarn/catalog/catalog.h"
#include "tarn/iceberg/view.h"

typedef struct view_info {
    table_name name;
    str uuid;
    str metadata_location;
    str location;
    int64_t created_us, updated_us;
} view_info;

/* As catalog_resolve, for tables and views. *ret_is_view tells which. */
status catalog_resolve_relation(catalog *c, const str *parts, size_t count, str default_space,
                                arena *a, table_name *ret_name, bool *ret_is_view, error *err);

/* One reference for the caller. NO_VIEW with the nearest name. */
status catalog_load_view(catalog *c, table_name name, arena *a, ice_view **ret_view,
                         view_info *ret_info, error *err);
/* The same, but NOT_FOUND where the metadata file is gone. */
status catalog_read_view(catalog *c, table_name name, arena *a, ice_view **ret_view,
                         view_info *ret_info, error *err);
status catalog_list_views(catalog *c, str space, arena *a, view_info **ret_list, size_t *ret_count,
                          error *err);

typedef struct catalog_view_create {
    table_name name;
    str location; /* STR_NULL: chosen by the catalog */
    ice_view_definition definition;
    bool if_not_exists;
    bool replace; /* one that is there gets another version */
} catalog_view_create;
/* EXISTS (a table, or a view unless one of the two is set), NO_NAMESPACE, DENIED (location), INVALID (columns).
 * *ret_changed false where if_not_exists found one. */
status catalog_create_view(catalog *c, const catalog_view_create *options, bool *ret_changed,
                           error *err);
/* Replaces the view's metadata by what `change` makes of it; asked again where another change came between.
 * CONFLICT after several of those. */
status catalog_change_view(catalog *c, table_name name,
                           status (*change)(void *context, const ice_view *base,
                                            ice_view **ret_view, error *err),
                           void *context, error *err);
/* Moves the pointer from `base_location`: CONFLICT where it is elsewhere by now. */
status catalog_commit_view(catalog *c, table_name name, str base_location, const ice_view *next,
                           error *err);
status catalog_drop_view(catalog *c, table_name name, bool if_exists, bool *ret_dropped,
                         error *err);
status catalog_rename_view(catalog *c, table_name from, table_name to, error *err);

#endif

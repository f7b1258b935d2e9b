/* request.h: tables and views as REST clients make and change them: the catalog's side of tarn/iceberg/request.h.
 *
 * A commit checks the requirements that the request lists, and no others, against the table as it is; where another
 * commit came between, it looks again, and goes on while they hold. Names in errors are plain: the door words them.
 * Locations are checked before anything is written: the table's own, write.*.path, manifest lists, statistics lie in
 * the warehouse or below its roots, in no other table's place. DENIED, INVALID.
 *
 * Thread-safe. Nothing here decides who may. */
#ifndef TARN_CATALOG_REQUEST_H
#define TARN_CATALOG_REQUEST_H

#include "tarn/catalog/catalog.h"
#include "tarn/catalog/view.h"
#include "tarn/iceberg/request.h"

/* What such a call leaves: one reference for the caller, names in the arena. */
typedef struct catalog_loaded {
    ice_metadata *metadata;
    table_info info; /* metadata_location STR_NULL of a staged table */
    str text; /* the metadata as JSON, where it was written just now and not packed; STR_NULL */
} catalog_loaded;
typedef struct catalog_loaded_view {
    ice_view *view;
    view_info info;
} catalog_loaded_view;

/* EXISTS (naming a table or a view: catalog_kind_of tells), NO_NAMESPACE, DENIED, INVALID. A staged one is answered and
 * leaves nothing. */
status catalog_create_by_request(catalog *c, str space, const ice_create_request *request, arena *a,
                                 catalog_loaded *ret_loaded, error *err);
/* NO_TABLE, CONFLICT, EXISTS (assert-create over a view), INVALID, DENIED. */
typedef struct catalog_table_request {
    table_name name;
    const ice_request *request;
} catalog_table_request;
status catalog_commit_request(catalog *c, const catalog_table_request *one, arena *a,
                              catalog_loaded *ret_loaded, error *err);
/* All of them in one transaction of the database, or none. INVALID for a table that is named twice. */
status catalog_commit_requests(catalog *c, const catalog_table_request *many, size_t count,
                               error *err);

/* Gives the table of a metadata file a name; with `overwrite` one that is there points to that file from now on
 * (CONFLICT where it moved meanwhile). Data files are not looked at. */
status catalog_register_file(catalog *c, table_name name, str metadata_location, bool overwrite,
                             arena *a, catalog_loaded *ret_loaded, error *err);
/* Takes the name away and leaves all files where they are. */
status catalog_unregister_table(catalog *c, table_name name, arena *a, catalog_loaded *ret_loaded,
                                error *err);

status catalog_create_view_by_request(catalog *c, str space, const ice_view_create_request *request,
                                      arena *a, catalog_loaded_view *ret_loaded, error *err);
status catalog_commit_view_request(catalog *c, table_name name, const ice_view_request *request,
                                   arena *a, catalog_loaded_view *ret_loaded, error *err);
status catalog_register_view_file(catalog *c, table_name name, str metadata_location, arena *a,
                                  catalog_loaded_view *ret_loaded, error *err);

/* A file that a table's metadata or manifests name: DENIED where it lies outside of every warehouse and root, or in
 * another table's place. Of what lies below the table's own location nobody is asked. */
status catalog_check_file(catalog *c, const table_info *info, str location, error *err);

/* In whose place a file lies, for whoever reads it on behalf of the table at `own`. DENIED where it lies outside of
 * every warehouse and root. Of what lies below the table's location nobody need ask (ice_is_below). */
typedef struct catalog_holder {
    const char *kind; /* "table", "view", "dropped table"; NULL: nobody's, or the table's own */
    table_name name;
    str folder;   /* of other files in it the same is true, */
    bool is_deep; /* and of those in its folders */
} catalog_holder;
status catalog_find_holder(catalog *c, str own, str location, arena *a, catalog_holder *ret_holder,
                           error *err);
/* Whether what was found for one file is true for this one, too. */
bool catalog_holder_covers(const catalog_holder *holder, str location);

/* What has the name. */
typedef enum catalog_kind { CATALOG_NOTHING, CATALOG_TABLE, CATALOG_VIEW } catalog_kind;
status catalog_kind_of(catalog *c, table_name name, catalog_kind *ret_kind, error *err);

/* Properties of a namespace: NO_NAMESPACE; INVALID where a key is set and removed. `location` is checked. */
typedef struct catalog_property_change {
    const catalog_property *set;
    size_t set_count;
    const str *removed;
    size_t removed_count;
} catalog_property_change;
/* Keys that were removed, and those that were not there, in the arena. */
typedef struct catalog_property_result {
    const str *removed, *missing;
    size_t removed_count, missing_count;
} catalog_property_result;
status catalog_change_namespace(catalog *c, str name, const catalog_property_change *change,
                                arena *a, catalog_property_result *ret_result, error *err);

/* A page of names in the order of their keys: those after `after` (STR_NULL: from the first), at most `limit`
 * (0: all). */
typedef struct catalog_page {
    str after;
    size_t limit;
} catalog_page;
typedef struct catalog_names {
    const table_name *items; /* tables, views; of namespaces `space` alone */
    size_t count;
    str next; /* for `after`; STR_NULL: that was all */
} catalog_names;
/* Direct children alone. NO_NAMESPACE. */
status catalog_page_namespaces(catalog *c, str parent, const catalog_page *page, arena *a,
                               catalog_names *ret_names, error *err);
status catalog_page_tables(catalog *c, str space, const catalog_page *page, arena *a,
                           catalog_names *ret_names, error *err);
status catalog_page_views(catalog *c, str space, const catalog_page *page, arena *a,
                          catalog_names *ret_names, error *err);

#endif

/* catalog.h: namespaces and tables: names to metadata, and the pointer that a commit moves.
 *
 * Names are case-insensitive and keep their case. A namespace has levels ("a.b"); a table is named
 * by its namespace and its name. The table's pointer is a row; parsed metadata is shared by
 * reference and cached by location.
 *
 * Invariants
 *   1. The pointer moves only by catalog_commit, inside the transaction that publishes what it
 *      points to.
 *   2. A table's location is unique, canonical, and inside the warehouse or a warehouse root; it
 *      never contains a user's name unescaped.
 *   3. Appends that wait for one table at the same moment are one commit (catalog_append).
 *
 * Thread-safe. Nothing here decides who may: doors ask access_check first. */
#ifndef TARN_CATALOG_CATALOG_H
#define TARN_CATALOG_CATALOG_H

#include "tarn/iceberg/overwrite.h"
#include "tarn/state/state.h"
#include "tarn/store/store.h"

struct access_control;
typedef struct catalog catalog;
extern const state_migration catalog_migrations[];
extern const size_t catalog_migration_count;

typedef struct catalog_options {
    state *state;
    storage *storage;
    str warehouse;          /* name: "tarn" */
    str warehouse_location; /* "s3://warehouse" or "file:///…", without a slash at the end */
    /* Files that killed commits left in plain folders are removed in the background when they are older than this;
     * 0: never. */
    int64_t orphan_age_ms;
    int64_t retention_ms; /* dropped tables can come back for so long; 0: their files go at once */
    bool purge_retained;  /* purge requests are answered as others are */
    int64_t events_kept_ms;  /* 0: for ever */
    int64_t answers_kept_ms; /* answers.h; 0: for ever */
    bool is_recovering;      /* nothing is removed because its time is over */
    size_t
        hot_bytes_max; /* of what loads are answered from without asking the database (document.h) */
    /* catalog.locations = own: a location that a request for a new table asks for and that is not allowed is replaced
     * by one of the catalog's own; else it is refused. */
    bool own_locations;
    /* Told of tables that go, so that what was vended for them opens nothing any more. NULL: nobody is. */
    struct access_control *access;
} catalog_options;

/* First start makes the warehouse and the namespace "main". */
status catalog_open(const catalog_options *options, catalog **ret_catalog, error *err);
void catalog_close(catalog *c);
str catalog_warehouse(const catalog *c);

/* A name as people write it, resolved: levels of the namespace joined by "." and the table. */
typedef struct table_name {
    str space;
    str table;
} table_name;
/* "t", "ns.t", "a.b.t", "tarn.ns.t" from its parts; the warehouse's name in front is the last
 * reading tried. Existence decides between readings; NO_TABLE with the nearest name as hint.
 * `default_space` for a bare name. */
status catalog_resolve(catalog *c, const str *parts, size_t count, str default_space, arena *a,
                       table_name *ret_name, error *err);
/* The same for a table that need not exist (CREATE): NO_NAMESPACE. */
status catalog_resolve_new(catalog *c, const str *parts, size_t count, str default_space, arena *a,
                           table_name *ret_name, error *err);
/* Splits "a.b.c", honouring double quotes. SYNTAX. */
status catalog_split_name(str text, arena *a, str **ret_parts, size_t *ret_count, error *err);

/* ---- namespaces ---- */
typedef struct catalog_property {
    str key, value;
} catalog_property;
typedef struct namespace_info {
    str name;
    str location; /* STR_NULL: below the warehouse */
    int64_t created_us;
    const catalog_property *properties;
    size_t property_count;
    bool is_protected; /* it is not dropped */
    bool is_warehouse; /* it is none: warehouse.h */
} namespace_info;

/* Letters, digits, any printable text; levels joined by "."; EXISTS, NO_NAMESPACE for a missing
 * parent, INVALID. */
status catalog_create_namespace(catalog *c, str name, const catalog_property *properties,
                                size_t count, error *err);
status catalog_get_namespace(catalog *c, str name, arena *a, namespace_info *ret_info, error *err);
status catalog_list_namespaces(catalog *c, str parent, arena *a, namespace_info **ret_list,
                               size_t *ret_count,
                               error *err); /* all levels below parent; "" lists all */
/* NOT_EMPTY unless `cascade`, which drops the tables too. "main" stays. */
status catalog_drop_namespace(catalog *c, str name, bool cascade, error *err);

/* ---- tables ---- */
typedef struct table_info {
    table_name name;
    str uuid;
    str metadata_location;
    str location; /* of its files: where it lies, whatever its metadata calls it */
    int64_t created_us, updated_us;
    bool registered;   /* others made it: its files stay when it is dropped */
    bool is_protected; /* it is not dropped (dropped.h) */
    str rebase; /* where its files lie that are called otherwise: {"from": "to"}; STR_NULL: nowhere else */
} table_info;

typedef struct catalog_create {
    table_name name;
    ice_create table;      /* location STR_NULL: chosen by the catalog */
    bool location_planned; /* the table's is what catalog_plan_location chose */
    bool if_not_exists;
    bool replace; /* CREATE OR REPLACE: ice_builder_replace_table where there is one */
    /* rows of CREATE TABLE AS, in the same transaction; NULL for none. Field ids of its files are
     * those ice_metadata_create gives (1, 2, 3 … breadth first), or those of `planned`. */
    const ice_append *append;
    /* what catalog_plan_table gave: CONFLICT where the table would be another one by now; NULL: not checked */
    const ice_metadata *planned;
    bool planned_there; /* `planned` is a table that was there already, to be replaced */
} catalog_create;
/* Where a table called `name` would lie: `asked` after checking it (DENIED outside the warehouse
 * and its roots), or a fresh plain location where `asked` is empty. For writing the first rows
 * before the table exists: pass the result as catalog_create.table.location. */
status catalog_plan_location(catalog *c, table_name name, str asked, arena *a, str *ret_location,
                             error *err);
/* The metadata that the table would begin with, for writing its first rows: with a location, or that of the table that
 * is replaced (`ret_there`). One reference. */
status catalog_plan_table(catalog *c, const catalog_create *options, arena *a,
                          ice_metadata **ret_metadata, bool *ret_there, error *err);
/* EXISTS, NO_NAMESPACE, DENIED (location). *ret_created false where if_not_exists found one. */
status catalog_create_table(catalog *c, const catalog_create *options, bool *ret_created,
                            error *err);
/* Current metadata, one reference for the caller. NO_TABLE with the nearest name. */
status catalog_load_table(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                          table_info *ret_info, error *err);
/* ---- tables that others made (register.c) ---- */
typedef struct catalog_foreign {
    str location; /* its metadata file, or its folder: then version-hint.text decides, else the newest version */
    str version; /* of the metadata in that folder: "3", "00003-…"; empty: as above */
    const ice_rebase *rebase;
    size_t rebase_count;
} catalog_foreign;
/* Gives a table that lies in the warehouse or below a warehouse root a name. Where its metadata says it lives
 * elsewhere, it was moved: a rule from there to here is added to those given, and such a table can only be read.
 * EXISTS (the name, or the table under another one), NO_NAMESPACE, DENIED (location), NOT_FOUND, CORRUPT. */
status catalog_register_table(catalog *c, table_name name, const catalog_foreign *foreign,
                              error *err);
/* The metadata of such a table without giving it a name; one reference. *ret_location: the metadata file. */
status catalog_open_foreign(catalog *c, const catalog_foreign *foreign, arena *a,
                            ice_metadata **ret_metadata, str *ret_location, error *err);

status catalog_list_tables(catalog *c, str space, arena *a, table_info **ret_list,
                           size_t *ret_count, error *err);
/* Row first. The table can come back while its retention lasts (dropped.h); then files go by reachability, after the
 * last reader. */
status catalog_drop_table(catalog *c, table_name name, bool if_exists, bool *ret_dropped,
                          error *err);
status catalog_rename_table(catalog *c, table_name from, table_name to, error *err);

/* Appends files to a table; waits for its turn, shares the commit with others that wait. Takes
 * over what `append` stages. */
status catalog_append(catalog *c, table_name name, const ice_append *append,
                      ice_commit_result *ret_result, error *err);
/* A change that takes files away, or adds deletes: ice_commit_overwrite with the table named in errors. Takes over
 * what `change` stages. */
status catalog_overwrite(catalog *c, table_name name, const ice_overwrite *change,
                         ice_commit_result *ret_result, error *err);
/* The committer of one table, for changes of another kind. In the arena. */
status catalog_committer(catalog *c, table_name name, arena *a, ice_committer *ret_committer,
                         error *err);

/* Rebuilds namespaces and table pointers from the newest metadata file of every table found in
 * the object rows (tarn recover). */
status catalog_recover(catalog *c, int64_t *ret_tables, error *err);

typedef struct catalog_stats {
    int64_t namespaces, tables, views, commits, conflicts, merged_appends;
    /* searches for what killed commits left in plain folders, those that failed or left a folder out, and what went */
    int64_t sweeps, sweeps_failed, swept_files, swept_bytes;
    int64_t purges_doubted; /* times that a purge came upon a table that cannot be read whole */
} catalog_stats;
status catalog_read_stats(catalog *c, catalog_stats *ret_stats, error *err);

#endif

/* What the files of the catalog share. */
#ifndef TARN_CATALOG_INTERNAL_H
#define TARN_CATALOG_INTERNAL_H

#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/catalog/caller.h"
#include "tarn/catalog/catalog.h"
#include "tarn/catalog/document.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/txn.h"
#include "tarn/catalog/view.h"
#include "tarn/catalog/warehouse.h"

/* Appends to one table that wait for their turn (append.c). */
typedef struct append_queue append_queue;

struct catalog {
    catalog_txn *txn; /* the view of this transaction (txn.c); NULL: what is committed */
    state *state;
    storage *storage;
    struct access_control *access; /* NULL: sessions are nobody's matter */
    str warehouse;
    str warehouse_location;
    struct catalog__warehouses
        *warehouses; /* shared with the views of transactions (warehouse.c) */
    arena *memory;
    const ice_guard *guard;               /* of all metadata that is handed out (holder.c) */
    mutex lock;                           /* guards the four below */
    map *cached;                          /* table key -> cached_table */
    map *views;                           /* location of its metadata file -> ice_view */
    map *queues;                          /* table key -> append_queue */
    struct catalog__documents *documents; /* document.c; NULL in the view of a transaction */
    pool *background;
    _Atomic int64_t commits, conflicts, merged_appends;
    int64_t opened_us;
    int64_t orphan_age_ms; /* 0: nothing is swept */
    bool own_locations; /* a location that is asked for and not allowed is replaced, not refused */
    thread sweeper;
    cond sweeper_wake;
    _Atomic bool closing; /* set with the lock held */
    _Atomic int64_t sweeps, sweeps_failed, swept_files, swept_bytes, purges_doubted;
    /* dropped tables and events (dropped.c, keeper.c, purge.c) */
    int64_t retention_ms, events_kept_ms, answers_kept_ms;
    bool purge_retained, is_recovering;
    thread keeper;
    cond keeper_wake;
    bool keeper_woken; /* with the lock held */
    mutex purge_lock;  /* one purge at a time; guards the next */
    map *
        contained; /* uuid -> hash of the metadata location of a table that leads nowhere outside its folder */
};

/* The key under which a name is looked up: letters folded. */
str catalog__fold(arena *a, str name);
/* Folded namespace, a NUL, folded table. */
str catalog__table_key(arena *a, table_name name);
/* Names for hints: tables and views of a namespace, or namespaces (STR_NULL); of many the first ones alone. None where
 * they cannot be read. */
void catalog__hint_names(catalog *c, str space, arena *a, str **ret_names, size_t *ret_count);
/* `table "ns.t" does not exist`, with the nearest existing name as hint. */
status catalog__no_table(catalog *c, table_name name, error *err);
status catalog__no_namespace(catalog *c, str name, error *err);
/* INVALID for names that cannot be: empty, control characters, too long. `kind`: "table" or "namespace". */
status catalog__check_name(const char *kind, str name, error *err);
status catalog__namespace_exists(catalog *c, str name, bool *ret_exists, error *err);
/* Where a new table goes when nobody says: plain characters and unique. */
status catalog__choose_location(catalog *c, table_name name, str uuid, arena *a, str *ret_location,
                                error *err);
/* The names that such a location was made of; false for locations of another form. */
bool catalog__names_of_location(catalog *c, str location, arena *a, table_name *ret_name);

/* As that, and chosen for a table with this uuid. */
bool catalog__is_chosen(catalog *c, str location, str uuid, arena *a, table_name *ret_name);

/* Caches, queues and locks of a handle. */
void catalog__release_caches(catalog *c);

/* ---- rows, for the view of a transaction ---- */
#define CATALOG__TABLE_COLUMNS                                                          \
    "space, name, uuid, metadata_location, created_us, updated_us, registered, rebase," \
    " location, protected"
void catalog__read_row(const state_rows *rows, arena *a, table_info *info);
status catalog__read_namespaces(state_txn *txn, arena *a, namespace_info **ret_list,
                                size_t *ret_count, error *err);

/* As CREATE SCHEMA and DROP SCHEMA do, as parts of a transaction. Fine where there is none to delete; NOT_EMPTY. What
 * is published of the record is NULL afterwards. */
status catalog__insert_namespace(catalog *c, state_txn *txn, const namespace_info *info,
                                 store_staged **record, const catalog_caller *caller, error *err);
status catalog__delete_namespace(catalog *c, state_txn *txn, str name, const catalog_caller *caller,
                                 error *err);

/* ---- the same by a transaction's view; `c` has one (txn.c, txn_change.c) ---- */
/* UNSUPPORTED where `c` is a transaction's view: `what` is made at once or not at all. */
status catalog__refuse_in_txn(const catalog *c, const char *what, error *err);
status catalog__txn_load(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                         table_info *ret_info, error *err);
status catalog__txn_list(catalog *c, str space, arena *a, table_info **ret_list, size_t *ret_count,
                         error *err);
status catalog__txn_create(catalog *c, const catalog_create *options, bool *ret_created,
                           error *err);
status catalog__txn_drop(catalog *c, table_name name, bool purge, bool if_exists, bool *ret_dropped,
                         error *err);
status catalog__txn_rename(catalog *c, table_name from, table_name to, error *err);
bool catalog__txn_find_space(catalog *c, str name, arena *a, namespace_info *ret_info);
/* `prefix`: folded, with a dot behind; empty for all. */
void catalog__txn_list_spaces(catalog *c, str prefix, arena *a, namespace_info **ret_list,
                              size_t *ret_count);
status catalog__txn_create_space(catalog *c, const namespace_info *info, error *err);
status catalog__txn_drop_space(catalog *c, str name, bool cascade, error *err);
status catalog__txn_append(catalog *c, table_name name, const ice_append *append,
                           ice_commit_result *ret_result, error *err);
status catalog__txn_overwrite(catalog *c, table_name name, const ice_overwrite *change,
                              ice_commit_result *ret_result, error *err);
ice_committer catalog__txn_committer(catalog *c, table_name name, arena *a);
/* EXISTS where a table or a view has the name in the transaction's view; NO_NAMESPACE. */
status catalog__refuse_taken(catalog *c, table_name name, error *err);
bool catalog__txn_find_view(catalog *c, table_name name, arena *a, table_name *ret_name);
status catalog__txn_load_view(catalog *c, table_name name, arena *a, ice_view **ret_view,
                              view_info *ret_info, error *err);
void catalog__txn_list_views(catalog *c, str space, arena *a, view_info **ret_list,
                             size_t *ret_count);
status catalog__txn_create_view(catalog *c, const catalog_view_create *options, arena *a,
                                bool *ret_changed, error *err);
status catalog__txn_commit_view(catalog *c, table_name name, const ice_view *next, error *err);
bool catalog__txn_drop_view(catalog *c, table_name name);
status catalog__txn_rename_view(catalog *c, table_name from, table_name to, error *err);

/* Who is asked about manifests that do not lie below their table's location. In the arena of the catalog. */
const ice_guard *catalog__guard(catalog *c);

/* What is kept was read from a file that others may take away or write over, through S3: it is looked at again when
 * store_generation has moved, and only then. */
typedef struct catalog__sighting {
    uint64_t generation; /* of the store, before the file was read or last looked at */
    int64_t since_us;    /* a file that changed later is another one */
} catalog__sighting;
catalog__sighting catalog__sight(const catalog *c);
/* One reference, or NULL where `location` is not what is cached for the table, or its file is gone or another one. */
ice_metadata *catalog__cache_get(catalog *c, str key, str location);
/* Without a look at the file: for who goes on with what was there. */
ice_metadata *catalog__cache_peek(catalog *c, str key, str location);
void catalog__cache_put(catalog *c, str key, str location, const ice_metadata *metadata);
/* `seen`: before the file was read. */
void catalog__cache_put_seen(catalog *c, str key, str location, const ice_metadata *metadata,
                             catalog__sighting seen);
void catalog__cache_drop(catalog *c, str key);

/* ---- warehouses (warehouse.c) ---- */
typedef struct catalog__warehouses catalog__warehouses;
/* Reads them anew. */
status catalog__warehouses_load(catalog *c, error *err);
void catalog__warehouses_free(catalog__warehouses *w);
/* The one whose location holds `location`, or is it. */
bool catalog__warehouse_at(const catalog *c, str location, arena *a, warehouse_info *ret_info);
/* A table or namespace of one warehouse lies in it, and in no other: DENIED. `location` as settled. */
status catalog__check_place(catalog *c, str space, str location, error *err);
/* Where records of warehouses lie, for recover; making one again from its record. */
str catalog__warehouse_records(const catalog *c, arena *a);
status catalog__restore_warehouse(catalog *c, str name, str location, error *err);

/* catalog_space_location of a namespace that was read already. */
status catalog__space_place(catalog *c, const namespace_info *info, arena *a, str *ret_location,
                            error *err);
/* Bytes that are not plain as "~XX". */
void catalog__escape_name(buf *out, str name);
/* A location in the one spelling, wherever it lies. INVALID; DENIED outside the roots. */
status catalog__spell_location(catalog *c, str asked, arena *a, str *ret_location, error *err);
/* Where a table or a namespace is to lie, in the one spelling: in a warehouse, or in one of the folders of
 * warehouse.roots. DENIED elsewhere, INVALID for what cannot be a location. */
status catalog__settle_location(catalog *c, str asked, arena *a, str *ret_location, error *err);
/* The table with that uuid goes, or is there again: sessions for its files end with it, and what was held for them. In
 * a transaction. */
status catalog__end_sessions(const catalog *c, state_txn *txn, str uuid, error *err);
void catalog__renew_sessions(const catalog *c, state_txn *txn, str uuid);
/* access_is_taken, with the catalog as its context (located.c). */
struct s3_scope;
bool catalog__is_taken(void *context, str subject, const struct s3_scope *scopes, size_t count);
/* A table's row. */
typedef struct catalog__row {
    table_name name;
    str uuid, location, metadata_location;
    bool registered;
    str rebase;                   /* STR_NULL: none */
    const catalog_caller *caller; /* who makes it; NULL: nobody to be named */
    /* for its record (record.c) alone: properties of its metadata, and the flag as it will be (NULL: as it is) */
    const ice_property *properties;
    size_t property_count;
    const bool *protects;
    bool is_asked; /* who made it said where it lies */
    bool is_view;
} catalog__row;
/* EXISTS where a table or a view has the uuid, however it is written: two names for one would commit past each other,
 * and records of names go by uuids. */
status catalog__refuse_uuid(state_txn *txn, str uuid, error *err);
/* The namespace whose tables lie in the folder where nothing else is said; it need not be there. */
bool catalog__space_of_folder(catalog *c, str location, arena *a, str *ret_space);
/* INVALID for the folder of a namespace that is there: the tables to come in it would have no place. As settled. */
status catalog__refuse_folder(catalog *c, str location, arena *a, error *err);
/* Writes the row of a new table. In a transaction. EXISTS (name, uuid), NO_NAMESPACE, INVALID on overlapping
 * locations. */
status catalog__insert_table(catalog *c, state_txn *txn, const catalog__row *row, error *err);
/* Two tables must not share files: neither location may lie in the other; that of a dropped table is taken, too, except
 * for itself (`uuid`, or STR_NULL). In a transaction. INVALID. */
status catalog__refuse_overlap(state_txn *txn, str location, str uuid, error *err);
status catalog__refuse_dropped_place(state_txn *txn, str location, str uuid, error *err);
/* The same for the further places of other tables (place.c): `uuid` empty: of all. */
status catalog__refuse_held(state_txn *txn, str location, str uuid, error *err);
/* A table's further places are nobody's once no row has its uuid. STR_NULL: of all tables that are gone. In the
 * transaction that takes the row, after it did. */
status catalog__release_places(state_txn *txn, str uuid, error *err);
/* Values of dropped.registered beside 0: others made its files, and they stay; and: its place is another table's, so
 * that only what lies in its further places goes with it. */
#define CATALOG__OF_OTHERS "1"
#define CATALOG__GAVE_WAY "2"
/* A table, the row's, takes the very place of tables that are dropped, and each of these has its event. In a
 * transaction. */
status catalog__forget_dropped_at(state_txn *txn, const catalog__row *by, error *err);
/* DENIED where the namespace is protected. In a transaction. */
status catalog__refuse_protected_space(state_txn *txn, str space_key, error *err);
/* Takes over what `options->append` stages. */
status catalog__replace_table(catalog *c, const catalog_create *options, arena *a, error *err);
/* EXISTS where a table or a view has the name, NO_NAMESPACE where there is no namespace for it. In a transaction. */
status catalog__refuse_existing(state_txn *txn, table_name name, str space_key, str name_key,
                                error *err);
/* ---- dropping tables (dropped.c) ---- */
typedef struct catalog__drop {
    const catalog_caller *caller;
    int64_t dropped_us;
    bool purge; /* nothing is kept: it was asked for and is honoured, or the retention is 0 */
} catalog__drop;
catalog__drop catalog__drop_now(const catalog *c, bool purge_asked);
/* The record of its name that says that the table is dropped or purged, for `tarn recover`; NULL where nothing is kept
 * of a table whose files are others'. */
status catalog__stage_dropped(catalog *c, const table_info *table, const catalog__drop *how,
                              store_staged **ret_staged, error *err);
/* Moves the table's row to those of dropped tables, or to those that are purged, and notes the event. The record that
 * catalog__stage_dropped gave is published by the caller. `uuid` STR_NULL: whichever has the name. In a transaction.
 * DENIED where it is protected. */
status catalog__delete_table(catalog *c, state_txn *txn, table_name name, str uuid,
                             const catalog__drop *how, bool *ret_dropped, error *err);
/* For whoever takes a name away: DENIED where the table has the flag. In a transaction. */
status catalog__refuse_protected(state_txn *txn, table_name name, error *err);
/* A table with that uuid and location is back: it is dropped no more. CONFLICT where its files are being removed. In a
 * transaction. */
status catalog__forget_dropped(state_txn *txn, str uuid, str location, error *err);
/* What was dropped, as restored from a record of recover.c. In a transaction. */
status catalog__insert_dropped(state_txn *txn, const catalog__row *row, const dropped_table *how,
                               int64_t created_us, error *err);
/* Every table that may reach files: those there are, and those that can come back. */
typedef struct catalog__reacher {
    table_name name;
    str uuid, location, metadata_location, rebase;
} catalog__reacher;
status catalog__list_reachers(catalog *c, arena *a, catalog__reacher **ret_list, size_t *ret_count,
                              error *err);
/* Ends the retention of dropped tables and of events, in the background (keeper.c). */
status catalog__keeper_start(catalog *c, error *err);
void catalog__keeper_stop(catalog *c);
void catalog__keeper_wake(catalog *c);
/* Places that were held for staged tables are free (staged.c). */
status catalog__end_staged(catalog *c, error *err);
/* A dropped table with that uuid that returns to its own place finds nothing held there: what is, is over. Before its
 * row of "dropped" goes; nothing where it has none. In a transaction. */
status catalog__free_for_return(catalog *c, state_txn *txn, str uuid, str location, error *err);
/* What is held for the table with that uuid. In a transaction. */
status catalog__delete_staged(state_txn *txn, str uuid, error *err);
status catalog__trim_events(catalog *c, error *err);
void catalog__purge_release(catalog *c);
/* "{from: to}" of a row; where it is damaged CORRUPT. Empty for STR_NULL. */
status catalog__rebase_parse(str text, arena *a, ice_rebase **ret_rules, size_t *ret_count,
                             error *err);
/* Parses the metadata file at `location`. */
status catalog__read_metadata(catalog *c, str location, str rebase, ice_metadata **ret_metadata,
                              error *err);
/* What a table is made of (reach.c). `visit` is called for everything that its metadata file leads to, not for the
 * file itself: what is found by reading a file comes before the file. Some more than once. `live`: a snapshot needs
 * the file, so that it must be there. */
typedef struct catalog__reach {
    catalog *c;
    str metadata_location;
    str rebase;           /* STR_NULL: none */
    bool missing_is_fine; /* what is gone leads nowhere; else NOT_FOUND */
    error *broken; /* first failure of what is damaged and left out; NULL: it ends the walk */
    status (*visit)(void *context, str location, bool live, error *err);
    void *context;
} catalog__reach;
status catalog__reach_all(const catalog__reach *r, error *err);

/* Files that a killed commit left in a plain folder (leftover.c finds, sweep.c compares and removes). */
typedef struct catalog__leftover {
    str location;
    int64_t size_bytes;
} catalog__leftover;
typedef struct catalog__leftovers {
    catalog__leftover *items; /* may be leftovers by name, place and age */
    size_t count;
    bool too_young; /* there may be more later */
} catalog__leftovers;
typedef struct catalog__sweep_limits {
    int64_t before_us;  /* last change of what may be removed */
    int64_t started_us; /* what changed later is no leftover of an earlier process */
    int64_t since_us;   /* what is older was there before; 0: all may go */
} catalog__sweep_limits;
/* The next files of the table that may be leftovers, after `*after` (STR_NULL at first, and again at the end). */
status catalog__find_leftovers(catalog *c, str location, const catalog__sweep_limits *limits,
                               str *after, arena *a, catalog__leftovers *ret_found, error *err);
/* Those of a view: metadata files of its uuid that are not current, younger than its row, one version ahead at most.
 * CONFLICT as below; NO_VIEW where it is gone. */
status catalog__find_view_leftovers(catalog *c, const view_info *view,
                                    const catalog__sweep_limits *limits, arena *a,
                                    catalog__leftovers *ret_found, error *err);
/* Hints in a plain folder that a kill kept from getting their name. */
status catalog__find_new_hints(catalog *c, str location, arena *a, str **ret_found,
                               size_t *ret_count, error *err);
/* CONFLICT where the metadata files of the table's folder tell of another table, or of commits that this catalog does
 * not know (it is a restored backup, or not the only catalog of the folder), and where the table is not to be cleaned.
 * Metadata files of versions below `*ret_keep_below` were current once, and are to stay. */
status catalog__check_history(catalog *c, const table_info *table, int *ret_keep_below, error *err);
status catalog__sweeper_start(catalog *c, error *err);
void catalog__sweeper_stop(catalog *c);
/* ---- documents (document.c) ---- */
struct catalog__documents *catalog__documents_create(size_t size_bytes_max);
void catalog__documents_free(struct catalog__documents *d);
/* Called in every transaction that changes what a table's name leads to, before it is made: a document that is kept
 * under that name is not current any more. `next`, or nothing (NULL), takes its place when the transaction is durable.
 * A name that led nowhere needs no such call. */
void catalog__document_changes(catalog *c, state_txn *txn, str space_key, str table_key,
                               catalog_document *next);
/* The document of a commit that is about to be made, where the table is one that is asked for; else NULL. */
catalog_document *catalog__document_prepare(catalog *c, str key, str base_location,
                                            str new_location, const ice_metadata *metadata);
/* As catalog_load_table, but NOT_FOUND where the metadata file is gone. */
status catalog__load_table(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                           table_info *ret_info, error *err);
/* ---- views (view.c) ---- */
/* Whether a view has the name; its row's spelling of it. */
status catalog__find_view(catalog *c, table_name name, arena *a, bool *ret_found,
                          table_name *ret_name, error *err);
#define CATALOG__VIEW_COLUMNS \
    "space, name, uuid, metadata_location, location, created_us, updated_us"
void catalog__read_view_row(const state_rows *rows, arena *a, view_info *info);
/* NO_VIEW with the nearest name. */
status catalog__no_view(catalog *c, table_name name, error *err);
/* Parses the metadata file at `location`. */
status catalog__read_view_file(catalog *c, str location, ice_view **ret_view, error *err);
/* Parsed metadata by the location of its file: one reference, or NULL. */
ice_view *catalog__view_cache_get(catalog *c, str location);
ice_view *catalog__view_cache_peek(catalog *c, str location);
void catalog__view_cache_put(catalog *c, str location, const ice_view *view);
void catalog__view_cache_put_seen(catalog *c, str location, const ice_view *view,
                                  catalog__sighting seen);
void catalog__view_cache_drop(catalog *c, str location);
/* An event of a view. In the transaction of the change. */
status catalog__note_view(state_txn *txn, const catalog_caller *caller, event_kind kind,
                          table_name name, str uuid, str metadata_location, error *err);
/* Writes the row of a new view. In a transaction; errors as catalog__insert_table. */
status catalog__insert_view(state_txn *txn, const catalog__row *row, error *err);
/* Deletes the row, the record of its name and its metadata file, which stays where gc.enabled is false. In a
 * transaction. */
status catalog__drop_view(catalog *c, state_txn *txn, const catalog_caller *caller, str space_key,
                          str view_key, bool *ret_dropped, error *err);
/* Starts removing the files of dropped tables in the background. */
void catalog__purge_soon(catalog *c);

/* ---- records, from which a lost database is rebuilt (record.c) ---- */
/* Where the records of tables and views lie, and the one of a table, if it has one. */
str catalog__name_records(const catalog *c, arena *a);
str catalog__name_location(const catalog *c, str uuid, arena *a);
/* A new table or view needs one: its location does not tell its name, or its properties name further places. */
bool catalog__needs_record(catalog *c, const catalog__row *row);
/* A commit names a further place that its base does not. `before` NULL: a new table. */
bool catalog__brings_place(const ice_metadata *before, const ice_metadata *after);
/* Stages the record of a table or view: name, location, further places (those of its rows, those that the row's
 * properties name, and where it lay before), the flag, and that it is dropped (NULL: it is not). Not in a transaction.
 * Who changes one of these takes the table's turn, so that no record says less than another one before it. */
status catalog__stage_record(catalog *c, const catalog__row *row, const dropped_table *dropped,
                             store_staged **ret_staged, error *err);
status catalog__stage_name(catalog *c, const catalog__row *row, store_staged **ret_staged,
                           error *err);
/* The same of namespaces: `info` with the properties as they were given. `key` folded. */
str catalog__space_records(const catalog *c, arena *a);
str catalog__space_record(const catalog *c, str key, arena *a);
status catalog__stage_space(catalog *c, const namespace_info *info, store_staged **ret_staged,
                            error *err);
status catalog__stage_dropped_space(catalog *c, str name, store_staged **ret_staged, error *err);
/* Makes it where it is not there. `recorded`: and gives it what a record says. */
status catalog__restore_space(catalog *c, const namespace_info *info, bool recorded, error *err);
/* A namespace as its rows have it, without the location that others are shown. */
status catalog__read_space(catalog *c, str name, arena *a, bool *ret_found,
                           namespace_info *ret_info, error *err);
/* Who changes a namespace takes its turn, as those do who change a table: its record is of the state before. */
str catalog__space_turn(arena *a, str name);

/* Tells programs that look at a table's folder which metadata file is current (plain folders only). */
#define CATALOG__HINT_NAME "version-hint.text"
void catalog__write_hint(catalog *c, str metadata_location);

void catalog__queues_free(catalog *c);

/* ---- events (caller.c, event.c) ---- */
/* STR_NULL for tarn itself. */
str catalog__principal(const catalog_caller *caller);
/* Writes the row of an event and runs the caller's effect. In the transaction of the change, after it. */
/* Where the metadata of a table or view lies now; empty where it is gone. */
status catalog__read_pointer(state_txn *txn, str uuid, bool is_view, str *ret_location, error *err);
/* Into the event of a commit: its snapshot, and what it did. Other events stay as they are. */
void catalog__describe_commit(const ice_metadata *before, const ice_metadata *after, arena *a,
                              struct catalog_event *event);
status catalog__note(state_txn *txn, const catalog_caller *caller, const catalog_event *event,
                     error *err);
#endif

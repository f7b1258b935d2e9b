/* txn_view.h: what the files of a transaction share: txn.c (its view: names, tables, namespaces), txn_change.c (changes
 * of a table, and making them again), txn_views.c (stored views), txn_commit.c (the end). */
#ifndef TARN_CATALOG_TXN_VIEW_H
#define TARN_CATALOG_TXN_VIEW_H

#include "internal.h"
#include "tarn/base/vec.h"
#include "tarn/catalog/txn.h"
#include "tarn/catalog/view.h"

typedef enum txn_change_kind { TXN_APPEND, TXN_OVERWRITE, TXN_METADATA } txn_change_kind;

/* One change of a table, kept to be made again. */
typedef struct txn_change {
    txn_change_kind kind;
    const char *operation; /* "UPDATE" */
    ice_append append;
    ice_overwrite overwrite;
} txn_change;

typedef VEC(store_staged *) staged_vec;

/* A table: before -> touched -> changed | dropped; or made here. */
typedef struct txn_table {
    table_info origin; /* as it was at the beginning, of tables that were there */
    table_info info;   /* as it is in the transaction */
    bool existed, exists;
    bool renamed;
    bool is_asked;         /* where it lies, by who made it */
    bool purge;            /* where it is dropped: a purge was asked for */
    bool read;             /* its rows were */
    ice_metadata *begun;   /* as at the beginning; NULL: not touched yet, or made here */
    ice_metadata *base;    /* that the changes stand on: begun, or what others made of it since */
    str base_location;     /* of `base`; empty for a table that is made here */
    ice_metadata *working; /* with the changes; NULL: none */
    ice_metadata *written; /* the same with the log that its file has; NULL: `working` */
    store_staged *file;    /* metadata file of `working` */
    staged_vec staged;     /* all else that it needs */
    VEC(str) obsolete;
    str *own_obsolete; /* those that go with the commit; of an attempt */
    size_t own_obsolete_count;
    VEC(txn_change *) changes;
    VEC(int64_t) snapshots;    /* made by the changes */
    const char *operation;     /* the last one */
    store_staged *name_record; /* for COMMIT */
} txn_table;

typedef struct txn_space {
    str key;
    namespace_info info;
    bool existed, exists;
    store_staged *record; /* for COMMIT */
} txn_space;

/* A stored view. */
typedef struct txn_sql_view {
    view_info origin; /* as it was at the beginning, of views that were there */
    view_info info;   /* as it is in the transaction */
    bool existed, exists;
    bool renamed;
    bool read;
    ice_view *begun;       /* as at the beginning; NULL: not read yet, or made here */
    ice_view *working;     /* with the changes; NULL: none */
    store_staged *file;    /* metadata file of `working` */
    const char *operation; /* the last one */
    store_staged *name_record;
} txn_sql_view;

struct catalog_txn {
    catalog *root;
    catalog view; /* the handle: `view.txn` is this */
    arena *memory;
    bool serializable;
    const catalog_caller *caller; /* of COMMIT: events are its */
    const char *operation;
    map *names;  /* table key -> txn_table, of those that exist */
    map *spaces; /* name key -> txn_space, of those that exist */
    VEC(txn_table *) tables;
    VEC(txn_space *) all_spaces;
    map *view_names; /* table key -> txn_sql_view, of those that exist */
    VEC(txn_sql_view *) views;
};

/* ---- txn_change.c ---- */
/* Its metadata as it is now: one reference. */
status txn__metadata(catalog_txn *txn, txn_table *t, ice_metadata **ret_metadata, error *err);
void txn__discard(catalog_txn *txn, txn_table *t); /* everything that is staged for it */
/* Makes the table's changes again on what it is now. CONFLICT where they cannot be. */
status txn__again(catalog_txn *txn, txn_table *t, error *err);

/* ---- txn_views.c ---- */
status txn__read_views(catalog_txn *txn, state_txn *st, error *err); /* at the beginning */
void txn__hold_views(catalog_txn *txn);
void txn__free_views(catalog_txn *txn);
bool txn__views_changed(const catalog_txn *txn);
/* Steps of COMMIT, in their order, but for the last inside of the transaction of the database. */
status txn__stage_view_names(catalog_txn *txn, error *err);
status txn__compare_views(const catalog_txn *txn, state_txn *st, arena *a, error *err);
status txn__give_up_view_names(const catalog_txn *txn, state_txn *st, arena *a, error *err);
status txn__write_views(const catalog_txn *txn, state_txn *st, arena *a, error *err);
void txn__take_view_files(catalog_txn *txn, arena *a, staged_vec *files); /* for store_publish */
void txn__tell_view_caches(const catalog_txn *txn);

txn_table *txn__find(const catalog_txn *txn, table_name name);
void txn__free(catalog_txn *txn);

#endif

/* txn_view.h: what the files of a transaction share: txn.c (its view: names, tables, namespaces), txn_change.c (changes
 * of a table, and making them again), txn_commit.c (the end). */
#ifndef TARN_CATALOG_TXN_VIEW_H
#define TARN_CATALOG_TXN_VIEW_H

#include "internal.h"
#include "tarn/base/vec.h"
#include "tarn/catalog/txn.h"

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
    bool read;             /* its rows were */
    ice_metadata *begun;   /* as at the beginning; NULL: not touched yet, or made here */
    ice_metadata *base;    /* that the changes stand on: begun, or what others made of it since */
    str base_location;     /* of `base`; empty for a table that is made here */
    ice_metadata *working; /* with the changes; NULL: none */
    ice_metadata *written; /* the same with the log that its file has; NULL: `working` */
    store_staged *file;    /* metadata file of `working` */
    staged_vec staged;     /* all else that it needs */
    VEC(str) obsolete;
    VEC(txn_change *) changes;
    VEC(int64_t) snapshots;    /* made by the changes */
    const char *operation;     /* the last one */
    store_staged *name_record; /* for COMMIT */
} txn_table;

typedef struct txn_space {
    str key;
    namespace_info info;
    bool existed, exists;
} txn_space;

struct catalog_txn {
    catalog *root;
    catalog view; /* the handle: `view.txn` is this */
    arena *memory;
    bool serializable;
    const char *operation;
    map *names;  /* table key -> txn_table, of those that exist */
    map *spaces; /* name key -> txn_space, of those that exist */
    VEC(txn_table *) tables;
    VEC(txn_space *) all_spaces;
};

/* ---- txn_change.c ---- */
/* Its metadata as it is now: one reference. */
status txn__metadata(catalog_txn *txn, txn_table *t, ice_metadata **ret_metadata, error *err);
void txn__discard(catalog_txn *txn, txn_table *t); /* everything that is staged for it */
/* Makes the table's changes again on what it is now. CONFLICT where they cannot be. */
status txn__again(catalog_txn *txn, txn_table *t, error *err);

txn_table *txn__find(const catalog_txn *txn, table_name name);
void txn__free(catalog_txn *txn);

#endif

/* place.h: which location may belong to which table (place.c), and what requests share with those who make rows. */
#ifndef TARN_CATALOG_PLACE_H
#define TARN_CATALOG_PLACE_H

#include "internal.h"
#include "tarn/catalog/request.h"

typedef struct catalog__place {
    ice_place_kind kind; /* a folder, or a file */
    str location;
    str uuid;      /* of the table or view that wants it; empty: a new one */
    str principal; /* who wants it, for places that staged tables hold; STR_NULL: nobody to be named */
    bool is_view;
    bool is_space; /* a namespace's: tables may lie in it, but it in none */
} catalog__place;

/* INVALID for a folder that overlaps the location of another table or view, DENIED for a file that lies in it.
 * `location` as settled. In a transaction. */
status catalog__refuse_place(state_txn *txn, const catalog__place *place, error *err);
/* A hold whose time is over is known for so long: its principal may take it up again, or make the table. */
#define CATALOG__STAGED_KEPT_US (24 * 3600 * INT64_C(1000000))
/* The same for what staged tables of other principals hold (staged.c). */
status catalog__refuse_staged(state_txn *txn, const catalog__place *place, error *err);
/* The table `uuid` has the very place: what else the same principal holds there is over, with its keys. In the
 * transaction that brings the table there. */
status catalog__end_own_staged(catalog *c, state_txn *txn, const catalog__place *place, error *err);
/* What is held at, in or around the place for any other table is over, with the keys. In a transaction. */
status catalog__end_staged_at(catalog *c, state_txn *txn, const catalog__place *place, error *err);
/* DENIED where the caller may not read by location and the place, as settled, holds files that are no table's: keys of
 * a table there would open them. Not for what tables, dropped ones and the caller's staged ones have already. Not in a
 * transaction. filled.c */
status catalog__refuse_filled(catalog *c, str location, arena *a, error *err);
/* INVALID for control characters, and for "?" and "#", behind which others see a query or a fragment. */
status catalog__check_plain(str location, error *err);
/* INVALID for a namespace's location, as settled, that is a table's or view's, or lies in it. STR_NULL: it has none.
 * What is held there for staged tables gives way. */
status catalog__refuse_space(catalog *c, state_txn *txn, str location, error *err);
/* Settles the location too; asks the database only where it does not lie in `own`, the table's location (empty: it has
 * none yet). DENIED, INVALID. `ret_settled` may be NULL. */
status catalog__check_owner(catalog *c, const catalog__place *place, str own, arena *a,
                            str *ret_settled, error *err);
/* The same for each write.*.path among the properties, which lie in the warehouse of the namespace, too. */
status catalog__check_paths(catalog *c, str space, const ice_property *properties, size_t count,
                            str own, str uuid, error *err);
/* A table's places are its location and what "places" has under its uuid: folders that properties name or named, and
 * where it lay before. They are its own until it is purged or unregistered. In the transaction of what brings them. */
typedef struct catalog__paths {
    str space; /* the table's */
    const ice_property *properties;
    size_t count;
    str own, uuid; /* location and uuid of its row */
    str principal; /* who brings them; STR_NULL: nobody to be named */
} catalog__paths;
/* Makes each write.*.path outside of `own` a place of the table. Errors as catalog__check_paths. */
status catalog__hold_paths(catalog *c, state_txn *txn, const catalog__paths *paths, error *err);
/* `location` was the table's. */
status catalog__hold_former(state_txn *txn, str location, str uuid, error *err);
/* Of the files `asked` that a commit to `next` makes obsolete those that go with it: they lie in places of the table's
 * own, before or after the commit, and `next` does not name them. `ret_own` has room for all. Not in a transaction. */
size_t catalog__keep_own(catalog *c, const table_info *table, const ice_metadata *next,
                         const str *asked, size_t count, arena *a, str *ret_own);
/* What was read is the table's: its row and its metadata agree about where it lies, in a warehouse. */
status catalog__check_loaded(catalog *c, const table_info *info, const ice_metadata *m, error *err);
/* write.*.path */
bool catalog__is_path_property(str key);
/* `folder` itself, or below it; both settled. */
bool catalog__lies_in(str location, str folder);

/* The turn of several tables (commit.c): appends and requests of one wait for each other. Keys sorted, none twice. */
void catalog__take_turns(catalog *c, const str *keys, size_t count);
void catalog__leave_turns(catalog *c, const str *keys, size_t count);

/* A new table of metadata that is made already: staged, its row written. */
typedef struct catalog__made {
    table_name name;
    str location;  /* settled; the metadata may spell it otherwise */
    bool is_asked; /* by who makes it */
    ice_metadata *metadata;
} catalog__made;
status catalog__create_made(catalog *c, const catalog__made *made, arena *a,
                            str *ret_metadata_location, error *err);

/* ---- views (view.c) ---- */
/* `view` becomes a new view, its file staged and its row written; the location as settled. */
status catalog__put_new_view(catalog *c, table_name name, str location, const ice_view *view,
                             arena *a, str *ret_metadata_location, error *err);
/* catalog_commit_view; the row's location is `location` from then on, STR_NULL: what it was. */
status catalog__put_view(catalog *c, table_name name, str base_location, str location,
                         const ice_view *next, arena *a, str *ret_metadata_location, error *err);

/* What has the name. In a transaction (page.c). */
status catalog__read_kind(state_txn *txn, table_name name, catalog_kind *ret_kind, error *err);
/* EXISTS, NO_NAMESPACE: nothing new can have the name. */
status catalog__refuse_name(catalog *c, table_name name, error *err);
/* catalog_load_table of a table that can be changed; else UNSUPPORTED. */
status catalog__load_to_change(catalog *c, table_name name, arena *a, ice_metadata **ret_metadata,
                               table_info *ret_info, error *err);
/* Where a new table or view goes: as asked, checked; or, where nothing is asked, or `catalog.locations` is "own" and
 * what is asked is not allowed, a place of the catalog's own. `ret_text`: as its metadata says it. */
status catalog__place_new(catalog *c, table_name name, str asked, bool is_view, arena *a,
                          str *ret_text, str *ret_settled, error *err);
/* Conflicts that are no one's fault are tried again for so long, with waits between. False: enough. */
typedef struct catalog__patience {
    int64_t until_ms; /* 0: not begun */
    int rounds;
} catalog__patience;
bool catalog__try_again(catalog__patience *p);

#endif

/* staged.h: places of staged tables, which nobody sees yet. Who stages a table at a place of its own choice gets keys
 * for that place before a table lies there; so nobody else's table, view or namespace comes to lie there, in it or
 * around it, before these keys end. What the same principal makes there is not refused. A namespace that is made there,
 * and a dropped table that returns to its own place, do not wait: the hold gives way, and its keys end with it.
 *
 * Thread-safe. Nothing here decides who may. */
#ifndef TARN_CATALOG_STAGED_H
#define TARN_CATALOG_STAGED_H

#include "tarn/catalog/catalog.h"
#include "tarn/iceberg/metadata.h"

/* Of one principal at once at places that it chose, tables that are made by now not counted; more, and the oldest end
 * with their keys. */
#define CATALOG_STAGED_MAX 64
/* The same at places of the catalog's own choice: keys of more are good until their time is over, and not renewed. */
#define CATALOG_STAGED_OWN_MAX 1024
/* Folders that one of them names in its properties. */
#define CATALOG_STAGED_PATHS_MAX 64

typedef struct catalog_staged {
    table_name name;
    str uuid, location; /* location as settled */
    str principal;      /* name of who stages it */
    str key;            /* id of the bearer key that came with it; empty: none */
    int64_t ends_us;    /* when the keys end */
    bool
        chosen; /* location or folders are the client's choice; false: the catalog's, so that all are new */
    const ice_metadata *metadata;
} catalog_staged;

/* Holds its location and each folder that its properties name elsewhere. INVALID where one is another's, or there are
 * too many. `ret_dropped`:
 * the dropped table that lies at the very location, texts in `a`; both parts empty where there is none. */
status catalog_hold_staged(catalog *c, const catalog_staged *staged, arena *a,
                           table_name *ret_dropped, error *err);
/* Of `name` and `principal` in `asked`, which gets keys until `ends_us` again: the table that it staged last under the
 * name, and that is not made yet, also when its hold ended less than a day ago and nobody else came to lie there. Its
 * hold goes on. `ret_held`: name, uuid and location, texts in `a`; `ret_dropped` as above. NO_TABLE: there is none;
 * INVALID where a place is another's by now. */
status catalog_renew_staged(catalog *c, const catalog_staged *asked, arena *a,
                            catalog_staged *ret_held, table_name *ret_dropped, error *err);
/* The folders beside its location that a staged table holds. */
status catalog_list_staged_folders(catalog *c, str uuid, arena *a, str **ret_list,
                                   size_t *ret_count, error *err);
/* Nobody got keys: what it holds is free. */
status catalog_release_staged(catalog *c, str uuid, error *err);
/* All sessions of the principal were ended, or those that the bearer key made: so is what was held for them. */
status catalog_release_principal(catalog *c, str principal, error *err);
status catalog_release_key(catalog *c, str key, error *err);

#endif

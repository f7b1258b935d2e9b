/* document.h: a table as loadTable answers it: the JSON text of its metadata, prepared when the pointer moves.
 *
 * A document is immutable and shared by reference count. Documents of tables that are asked for are kept in memory, up
 * to `catalog.hot`; a kept one is known to be current without asking the database, since this process alone moves
 * pointers. */
#ifndef TARN_CATALOG_DOCUMENT_H
#define TARN_CATALOG_DOCUMENT_H

#include "tarn/catalog/catalog.h"

typedef struct catalog_document {
    str metadata_location;
    str uuid, location;
    str rebase;      /* STR_NULL: none */
    bool registered; /* others made it */
    str all;         /* the metadata as JSON, every snapshot */
    str refs;        /* the same with the snapshots that a branch or tag names */
    int file; /* a sealed file in memory that holds `all` and no more; -1: none, as that of small ones */
    const ice_metadata *metadata;
    /* the rest is the catalog's */
    size_t size_bytes;
    _Atomic int references;
} catalog_document;

/* One reference for the caller. NO_TABLE; NOT_FOUND where its metadata file is gone, naming it. */
status catalog_load_document(catalog *c, table_name name, catalog_document **ret_document,
                             error *err);
/* The kept one, without asking anybody; NULL where there is none: then catalog_load_document finds out. Never waits:
 * for loops. */
catalog_document *catalog_find_document(catalog *c, table_name name);
/* As loadTable would answer what a change has just left, whatever came since: the kept one, or one made for this. */
status catalog_make_document(catalog *c, table_name name, const ice_metadata *metadata,
                             const table_info *info, catalog_document **ret_document, error *err);
void catalog_document_unref(catalog_document *d); /* NULL is fine */

#endif

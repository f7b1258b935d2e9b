/* recover.h: what the files of a recovery share: reading what there is (recover_records.c), deciding (recover.c). */
#ifndef TARN_CATALOG_RECOVER_H
#define TARN_CATALOG_RECOVER_H

#include "places/place.h"

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

/* What the record of a table or view tells. */
typedef struct recover_record {
    str uuid, metadata_location;
    table_name name;
    str location; /* of its files; STR_NULL only where a record of an earlier tarn does not tell it */
    bool is_guessed;   /* such a record: `location` follows from its metadata file then */
    const str *places; /* beside it */
    size_t place_count;
    bool registered, is_view, is_protected;
    str rebase;            /* STR_NULL: none */
    dropped_table dropped; /* dropped_us 0: it is not */
} recover_record;

typedef VEC(const recover_record *) recover_owners;

typedef struct recover_file {
    str location;
    int version;
    int64_t modified_us;
} recover_file;

/* Metadata files of one folder. */
typedef struct recover_folder {
    VEC(recover_file) files;
} recover_folder;

typedef struct recovery {
    catalog *c;
    arena *a;
    map *folders; /* of metadata files -> recover_folder */
    map *names;   /* uuid -> recover_record */
    map *places;  /* location, or further place, of a recorded table -> recover_owners */
    map *chosen;  /* uuid -> what comes back (recover.c) */
} recovery;

/* The higher version; of two with the same one the later: the earlier was staged by a commit that did not come to its
 * end. */
bool recover_is_later(const recover_file *file, const recover_file *than);
/* Makes warehouses and namespaces anew; notes records, and all metadata files. What cannot be read is logged. */
status recover_scan(recovery *r, error *err);
/* All levels of a namespace, outermost first; those that are there stay as they are. */
status recover_make_spaces(catalog *c, str name, error *err);

#endif

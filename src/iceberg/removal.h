/* removal.h: what the files of a change that takes files away share: overwrite.c (the change), remove.c (which
 * entries go, manifests without them), validate.c (who may have come between). */
#ifndef TARN_ICEBERG_REMOVAL_H
#define TARN_ICEBERG_REMOVAL_H

#include "tarn/base/map.h"
#include "tarn/iceberg/overwrite.h"

#include "change.h"

typedef VEC(const ice_file *) ice__file_vec;

/* What a change speaks of, looked up once per attempt. Lives in the attempt's arena, entries in `memory` of the
 * commit. */
typedef struct ice__removal {
    ice__change *change;
    const ice_overwrite *overwrite;
    const ice_snapshot *head;  /* NULL: none */
    arena *memory;             /* of the whole commit */
    const ice__filter *filter; /* NULL: everything */
    map *listed;               /* file keys of overwrite->removed */
    map *partitions;           /* ICE_OVERWRITE_PARTITIONS: keys; NULL: all of the table */
    map *gone;                 /* paths of data files that go */
    ice__file_vec files;       /* all that goes, as the head's manifests have it */
    map *found;                /* file keys of what goes */
    const ice_file
        *partial; /* a file that matches the filter in part and is not listed; NULL: none */
    const ice_file *second; /* a data file that would have two deletion vectors; NULL: none */
} ice__removal;
/* Of a data or delete file; vectors of one Puffin file differ by their offset. */
str ice__file_key(const ice_file *f, arena *a);

/* A manifest without what goes: kept over attempts as long as it stands for the same. */
typedef struct ice__rewritten {
    str source; /* path */
    const bool *gone;
    ice__new_manifest made;
    ice__kept_vec kept;
    int format_version;
    bool used; /* by the present attempt */
} ice__rewritten;
typedef VEC(ice__rewritten *) ice__rewritten_vec;

/* Fills `files`, `found`, `gone`, `partial`; c->change->manifests gets the manifests of the head, those that lose
 * entries in a rewritten form, which stands in `rewritten` too. */
status ice__remove_files(ice__removal *r, int64_t snapshot_id, ice__rewritten_vec *rewritten,
                         error *err);

/* CONFLICT where what came between read_snapshot_id and the head forbids the change. */
status ice__validate(const ice__removal *r, error *err);

#endif

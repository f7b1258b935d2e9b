/* chapter.h: runs of a table's history that stay as they are, between copy.c, which makes and shares them, and
 * metadata_format.c, which writes them without looking inside. */
#ifndef TARN_ICEBERG_CHAPTER_H
#define TARN_ICEBERG_CHAPTER_H

#include "tarn/codec/compress.h"

#include "internal.h"

enum { ICE__CHAPTER_SNAPSHOTS = 32 };

/* Text of a metadata file, and the same packed. */
typedef struct ice__passage {
    str text;
    gzip_piece piece;
} ice__passage;

/* Consecutive snapshots, shared by all metadata that have them. Never changes. */
typedef struct ice_chapter {
    const ice_snapshot *snapshots; /* each names this chapter */
    size_t count;
    ice__passage list; /* as members of "snapshots", behind others: a comma stands in front */
    ice__passage
        log; /* as members of "snapshot-log", likewise; each at the time when it was made */
    arena *memory;
    _Atomic int references;
} ice_chapter;

/* Deep copies. One reference for the caller; NULL where it cannot be packed. */
const ice_chapter *ice__chapter_create(const ice_snapshot *snapshots, size_t count,
                                       int format_version);
void ice__chapter_ref(const ice_chapter *c);
void ice__chapter_unref(const ice_chapter *c);

/* The chapter that the first of `count` snapshots opens, if all of it is there; NULL else. */
const ice_chapter *ice__chapter_at(const ice_snapshot *snapshots, size_t count);
/* Whether the log tells of all of the chapter, and of nothing else, from its first entry on. */
bool ice__chapter_is_logged(const ice_chapter *c, const ice_log_entry *log, size_t count);

#endif

/* deletes_internal.h (private to deletes*.c): what is deleted from a table's files, between the text of its scans and
 * the worker's message. */
#ifndef TARN_ENGINE_RUN_DELETES_INTERNAL_H
#define TARN_ENGINE_RUN_DELETES_INTERNAL_H

#include "run/deletes.h"
#include "run/groups.h"
#include "run/reach.h"

/* A column that equality deletes compare: a member of a struct, or a column of the table. */
typedef struct key {
    int32_t id;
    const ice_field *top; /* the column that it lies in */
    str path;             /* what leads from there to it: ["a"]["b"]; "" */
} key;

/* Equality delete files that compare the same columns and reach equally far. */
typedef struct key_set {
    const uint32_t *keys; /* indexes */
    size_t count;
    bool everywhere; /* of an unpartitioned spec */
    str text;        /* equal for equal sets */
} key_set;

/* A place in the worker's set. */
typedef struct slot {
    const ice_file *file;
    const ice_file_deletes *applied; /* NULL: a delete file */
    str match_key;                   /* STR_NULL: equality deletes are not looked up */
} slot;

/* A query for the rows that equality deletes take from the files in `count` places. */
typedef struct match {
    str sql;
    uint32_t first, count;
} match;

struct table_deletes {
    query *q;
    const query_table *table;
    uint32_t handle;
    VEC(key) keys;
    VEC(key_set) sets;
    const uint32_t *set_of; /* per delete file of the scan */
    VEC(slot) slots;
    VEC(match) matches;
    map *partitions; /* number + 1 by partition key */
};

/* The delete files of one shape. */
typedef struct delete_group {
    const shape *look;
    bool is_single; /* positions: each speaks of one data file, and its paths need not be read */
    VEC(const ice_file *) files;
    VEC(const char *) paths;
    VEC(uint32_t) indexes; /* in the scan's list */
} delete_group;

typedef VEC(delete_group) delete_groups;

/* Equal for files of one partition. */
uint64_t deletes__partition_number(table_deletes *d, const ice_file *file);
/* A delete file of the scan among those of its shape; linked. */
status deletes__group_file(const table_deletes *d, uint32_t index, delete_groups *groups,
                           error *err);
/* " FROM read_parquet(…)" with its alias. */
void deletes__put_files(const table_deletes *d, const delete_group *group, const shape *look,
                        buf *out);

#endif

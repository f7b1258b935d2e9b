/* metadata_tables.h: t.snapshots, t.files and their kin: what a table's metadata says, as rows.
 *
 * Names, columns, types and order are those of Iceberg's metadata tables as Spark shows them. The rows are written as
 * JSON into the worker's folder, one object a line, and a view reads them: so they join, filter and export like any
 * table, whatever their number. A table or namespace of such a name wins. Reading one needs the right to read the
 * table. */
#ifndef TARN_ENGINE_RUN_METADATA_TABLES_H
#define TARN_ENGINE_RUN_METADATA_TABLES_H

#include "run/travel.h"
#include "tarn/codec/json.h"

bool metadata_table_is_name(str part);
/* NO_TABLE, with the nearest name or all of them. */
status metadata_table_unknown(table_name name, str part, arena *a, error *err);
/* The view "schema"."part" over the metadata table, into q->extra_sql. `ref_part`: "branch_x" or "tag_x" of
 * which it is to be, or STR_NULL. UNSUPPORTED for a version of what shows every version. */
status metadata_table_view(query *q, const travel_clause *clause, table_name name,
                           const ice_metadata *m, str ref_part, str part, str schema, error *err);

/* ---- between the files of metadata tables ---- */

typedef struct metadata_rows {
    query *q;
    const ice_metadata *m;
    table_name name;
    const ice_snapshot *snapshot; /* NULL: none */
    buf *types;                   /* 'column': 'TYPE', … as they are read */
    buf *columns;                 /* expressions of the view */
    buf *source; /* what it selects from, over the lines as "lines"; NULL: the lines */
    const ice_type *partition; /* the union of all specs' types; metadata_partition_type */
    buf *lines;
    size_t row_from, longest; /* where the row begins in `lines`; bytes of the longest */
    json_writer w;
    int fd;
} metadata_rows;

void metadata_column(metadata_rows *t, const char *name, const char *type);
/* Read as `type`, shown as `expression`. */
void metadata_column_as(metadata_rows *t, const char *name, str type, str expression);
/* The two halves of that. */
void metadata_read_as(metadata_rows *t, const char *name, str type);
void metadata_show_as(metadata_rows *t, const char *name, str expression);
/* Between these two the members of one row are written to t->w. */
void metadata_begin_row(metadata_rows *t);
status metadata_end_row(metadata_rows *t, error *err);
void metadata_put_time(metadata_rows *t, const char *key, int64_t ms);
/* Numbers that may be missing. */
void metadata_put_number(metadata_rows *t, const char *key, int64_t value, bool is_null);
void metadata_put_text(metadata_rows *t, const char *key, str text); /* STR_NULL is null */
/* Bytes as hexadecimal digits: read as VARCHAR, shown through unhex. */
void metadata_put_hex(json_writer *w, str bytes);
void metadata_put_value(json_writer *w, const ice_type *type, const ice_value *value, arena *a);
/* The type that such a value is read as. */
void metadata_value_type(const ice_type *type, buf *out);

/* Every snapshot's manifests, each file once, or those of one snapshot. */
typedef struct metadata_manifest {
    const ice_manifest *manifest;
    int64_t snapshot_id; /* that refers to it: the first one */
} metadata_manifest;
status metadata_manifests(metadata_rows *t, bool every_snapshot, bool every_reference, arena *a,
                          metadata_manifest **ret_list, size_t *ret_count, error *err);
/* The type and the expression of the column "partition", and its value; none for tables without partitions. */
void metadata_partition_column(metadata_rows *t, str *ret_type, str *ret_shown);
void metadata_put_partition(metadata_rows *t, const ice_file *file, arena *a);

/* Every entry of the manifests of the snapshot, or of all of them; `a` ends with its manifest. */
typedef status metadata_take_entry(metadata_rows *t, const ice_entry *entry, void *context,
                                   arena *a, error *err);
status metadata_each_entry(metadata_rows *t, bool every_snapshot, metadata_take_entry *take,
                           void *context, error *err);

typedef status metadata_build(metadata_rows *t, int variant, error *err);
metadata_build metadata_snapshots, metadata_history, metadata_refs, metadata_log_entries;
metadata_build metadata_manifest_rows, metadata_files, metadata_entries, metadata_partitions;
metadata_build metadata_positions;

/* variants of files, entries and manifests */
enum { METADATA_CURRENT = 0, METADATA_ALL = 1, METADATA_DATA = 2, METADATA_DELETES = 4 };

#endif

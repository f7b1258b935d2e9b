/* position_deletes: the rows that position delete files and deletion vectors take away. Parquet files are read by the
 * worker; the row numbers of vectors stand in the lines that tell of each delete file. */
#include "run/groups.h"
#include "run/metadata_tables.h"
#include "run/reach.h"
#include "tarn/base/limits.h"
#include "tarn/codec/row_set.h"

#define ROWS_PER_LINE 10000
#define VECTOR_BYTES_MAX LIMIT_PARQUET_FOOTER

typedef struct position_rows {
    buf *links; /* of Parquet files, joined by commas */
} position_rows;

static void put_file(metadata_rows *t, const ice_file *file, arena *a)
{
    metadata_put_partition(t, file, a);
    json_member_int(&t->w, "spec_id", file->spec_id);
    json_member_str(&t->w, "delete_file_path", file->path);
    metadata_put_number(t, "content_offset", file->content_offset, file->content_offset < 0);
    metadata_put_number(t, "content_size_in_bytes", file->content_size_bytes,
                        file->content_size_bytes < 0);
}

static status read_blob(metadata_rows *t, const ice_file *file, arena *a, str *ret_blob, error *err)
{
    store_reader *reader;
    str location;
    size_t size = 0, wanted = (size_t)file->content_size_bytes;

    if (file->content_offset < 0 || file->content_size_bytes < 0 || wanted > VECTOR_BYTES_MAX) {
        return error_set(err, STATUS_CORRUPT, "deletion vector \"%.*s\" has no place in its file",
                         STR_ARG(file->path));
    }
    TRY(reach_file(t->q, t->name, t->m, file->path, &location, err));
    TRY(store_open_reader(t->q->r->e->options.storage, location, &reader, err));
    char *bytes = ARENA_ARRAY(a, char, wanted + 1);
    status result = store_reader_read(reader, bytes, wanted, file->content_offset, &size, err);
    store_reader_close(reader);
    TRY(result);
    *ret_blob = str_from(bytes, size);
    return STATUS_OK;
}

static status put_vector(metadata_rows *t, const ice_file *file, arena *a, error *err)
{
    int64_t *positions = ARENA_ARRAY(a, int64_t, ROWS_PER_LINE);
    status result = STATUS_OK;
    row_set *set = NULL;
    str blob;

    TRY(read_blob(t, file, a, &blob, err));
    TRY(deletion_vector_parse(blob, &set, err));
    for (int64_t from = 0; result == STATUS_OK;) {
        size_t count = row_set_read(set, from, positions, ROWS_PER_LINE);
        if (count == 0) {
            break;
        }
        metadata_begin_row(t);
        put_file(t, file, a);
        metadata_put_text(t, "data_file", file->referenced_data_file);
        json_key(&t->w, "positions");
        json_begin_array(&t->w);
        for (size_t i = 0; i < count; i++) {
            json_put_int(&t->w, positions[i]);
        }
        json_end_array(&t->w);
        result = metadata_end_row(t, err);
        from = positions[count - 1] + 1;
    }
    row_set_free(set);
    return result;
}

static status take_file(metadata_rows *t, const ice_entry *entry, void *context, arena *a,
                        error *err)
{
    position_rows *rows = context;
    const ice_file *file = &entry->file;
    const char *path;
    str location;

    if (entry->status == ICE_DELETED || file->content != ICE_POSITION_DELETES) {
        return STATUS_OK;
    }
    if (!str_equal_nocase(file->format, STR("PARQUET"))) {
        return put_vector(t, file, a, err);
    }
    TRY(reach_file(t->q, t->name, t->m, file->path, &location, err));
    TRY(groups_link_file(t->q, location, &path, err));
    buf_add_c(rows->links, rows->links->size > 0 ? "," : "");
    groups_put_path(rows->links, str_c(path), a);
    metadata_begin_row(t);
    put_file(t, file, a);
    json_member_c(&t->w, "link", path);
    return metadata_end_row(t, err);
}

status metadata_positions(metadata_rows *t, int variant, error *err)
{
    arena *a = t->q->a;
    position_rows rows = {.links = buf_in(a, LIMIT_WORKER_MESSAGE)};
    buf *source = buf_in(a, LIMIT_WORKER_MESSAGE), *row = buf_in(a, LIMIT_MIB);
    str type, shown;
    (void)variant;

    if (groups_is_ambiguous(ice_metadata_schema(t->m), a)) { /* no struct can have such fields */
        buf_add_c(row, "NULL");
    } else {
        buf_add_c(row, "CAST(NULL AS ");
        engine_duckdb_type(ice_metadata_schema(t->m)->root, row);
        buf_add_char(row, ')');
    }
    metadata_show_as(t, "file_path", STR("file_path"));
    metadata_show_as(t, "pos", STR("pos"));
    metadata_show_as(t, "row", buf_str(row));
    if (t->partition->field_count > 0) {
        metadata_partition_column(t, &type, &shown);
        metadata_column_as(t, "partition", type, shown);
    }
    metadata_column(t, "spec_id", "INTEGER");
    metadata_column(t, "delete_file_path", "VARCHAR");
    if (t->m->format_version > 2) {
        metadata_column(t, "content_offset", "BIGINT");
        metadata_column(t, "content_size_in_bytes", "BIGINT");
    }
    metadata_read_as(t, "link", STR("VARCHAR"));
    metadata_read_as(t, "data_file", STR("VARCHAR"));
    metadata_read_as(t, "positions", STR("BIGINT[]"));
    TRY(metadata_each_entry(t, false, take_file, &rows, err));
    buf_add_c(source, "(SELECT d.*, d.data_file AS file_path, unnest(d.positions) AS pos FROM "
                      "lines d WHERE d.link IS NULL");
    if (rows.links->size > 0) {
        buf_add_c(source, " UNION ALL SELECT d.*, p.file_path, p.pos FROM lines d JOIN "
                          "read_parquet([");
        buf_add_str(source, buf_str(rows.links));
        buf_add_c(source,
                  "], filename = 'tarn_link', hive_partitioning = false) p ON p.tarn_link = "
                  "d.link");
    }
    buf_add_char(source, ')');
    t->source = source;
    return buf_check(source, "the list of delete files", err);
}

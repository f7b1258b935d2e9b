/* The scan of a table's files: linked into the worker's folder, grouped by what they look like
 * inside, one SELECT per group. */
#include "run/groups.h"

#include "tarn/base/limits.h"
#include "tarn/base/mem.h"

/* A path in a list of files: characters that a pattern would have are taken for themselves. */
void groups_put_path(buf *out, str path, arena *a)
{
    buf *escaped = buf_in(a, LIMIT_MIB);
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];
        if (c == '*' || c == '?' || c == '[') {
            buf_printf(escaped, "[%c]", c);
        } else {
            buf_add_char(escaped, c);
        }
    }
    sql_quote_text(out, buf_str(escaped));
}

void groups_put_columns(buf *out, const ice_schema *schema)
{
    for (size_t i = 0; i < schema->root->field_count; i++) {
        buf_add_c(out, i > 0 ? ", " : "");
        sql_quote_name(out, schema->root->fields[i].name);
    }
}

/* ---- links ---- */

#define VERIFY_PIECE_BYTES ((size_t)1048576)

/* Reads all of a data file once since the server started: the store compares its checksums. */
static status verify_file(const query *q, str location, error *err)
{
    store_reader *reader = NULL;
    status result = STATUS_OK;
    size_t size = 1;

    TRY(store_open_reader(q->r->e->options.storage, location, &reader, err));
    if (!store_reader_verified(reader)) {
        char *piece = mem_alloc(VERIFY_PIECE_BYTES);
        for (int64_t at = 0; result == STATUS_OK && size > 0; at += (int64_t)size) {
            result = store_reader_read(reader, piece, VERIFY_PIECE_BYTES, at, &size, err);
        }
        mem_free(piece);
    }
    store_reader_close(reader);
    return result;
}

static status link_file(query *q, str location, const char **ret_path, error *err)
{
    run *r = q->r;
    char *path = map_get(r->links, location);
    if (path == NULL) {
        if (r->e->options.verify_files) {
            TRY(verify_file(q, location, err));
        }
        TRY(store_link(r->e->options.storage, location, worker_in(r->w), NULL, r->a, &path, err));
        map_set(r->links, location, path);
    }
    *ret_path = path;
    return STATUS_OK;
}

/* ---- groups ---- */

/* Files that one scan reads: equal shape, and equal partition values for columns that they lack. */
typedef struct file_group {
    const shape *look;
    const ice_file *file; /* the first */
    str *values;          /* per column: text of the partition value, or STR_NULL */
    str key;
    VEC(const char *) paths;
} file_group;

typedef VEC(file_group) group_list;

/* The value of an identity partition field on a column that the file lacks; STR_NULL where there
 * is none. */
static str partition_text(const ice_metadata *m, const ice_file *file, const ice_field *field,
                          arena *a)
{
    const ice_spec *spec = ice_metadata_spec_by_id(m, file->spec_id);
    for (size_t i = 0; spec != NULL && i < spec->field_count && i < file->partition_count; i++) {
        if (spec->fields[i].source_id == field->id &&
            spec->fields[i].transform.kind == ICE_IDENTITY && !file->partition[i].is_null) {
            buf *text = buf_in(a, LIMIT_MIB);
            ice_value_format(field->type, &file->partition[i], text);
            return buf_str(text);
        }
    }
    return STR_NULL;
}

static status add_to_group(query *q, const query_table *table, const ice_file *file,
                           group_list *groups, error *err)
{
    const ice_schema *schema = table->schema;
    size_t columns = schema->root->field_count;
    const char *path;
    const shape *look;
    str location = ice_locate(table->metadata, file->path, q->a);
    TRY(link_file(q, location, &path, err));
    TRY(shape_of(&q->r->e->shapes, location, path, &look, err));

    buf *key = buf_in(q->a, LIMIT_MIB);
    str *values = NULL;
    if (!shape_is_plain(look, schema)) {
        values = ARENA_ARRAY(q->a, str, columns);
        for (size_t i = 0; i < columns; i++) {
            values[i] = shape_lacks(look, &schema->root->fields[i])
                            ? partition_text(table->metadata, file, &schema->root->fields[i], q->a)
                            : STR_NULL;
            buf_printf(key, "%zu:%.*s,", values[i].size, STR_ARG(values[i]));
        }
    }
    size_t at = 0;
    while (at < groups->count &&
           !(groups->items[at].look == look && str_equal(groups->items[at].key, buf_str(key)))) {
        at++;
    }
    if (at == groups->count) {
        vec_push(q->a, groups,
                 ((file_group){.look = look, .file = file, .values = values, .key = buf_str(key)}));
    }
    vec_push(q->a, &groups->items[at].paths, path);
    return STATUS_OK;
}

static status put_group(buf *out, const query *q, const file_group *group, const ice_schema *schema,
                        int64_t rows, error *err)
{
    buf_add_c(out, "SELECT ");
    if (group->values == NULL) {
        groups_put_columns(out, schema);
    }
    for (size_t i = 0; group->values != NULL && i < schema->root->field_count; i++) {
        buf_add_c(out, i > 0 ? ", " : "");
        TRY(shape_column(group->look, &schema->root->fields[i], group->values[i], out, err));
        buf_add_c(out, " AS ");
        sql_quote_name(out, schema->root->fields[i].name);
    }
    buf_add_c(out, " FROM read_parquet([");
    for (size_t i = 0; i < group->paths.count; i++) {
        buf_add_c(out, i > 0 ? "," : "");
        groups_put_path(out, str_c(group->paths.items[i]), q->a);
    }
    buf_add_c(out, "], hive_partitioning = false, union_by_name = false");
    if (rows > 0) {
        buf_printf(out, ", explicit_cardinality = %lld", (long long)rows);
    }
    buf_add_char(out, ')');
    return STATUS_OK;
}

status groups_put_scan(buf *out, query *q, query_table *table, error *err)
{
    const ice_schema *schema = table->schema;
    group_list groups = {0};
    for (size_t i = 0; i < table->scan.file_count; i++) {
        TRY(add_to_group(q, table, &table->scan.files[i], &groups, err));
    }
    /* One file tells its own number of rows; of a list DuckDB would guess from the first. */
    int64_t rows = groups.count == 1 && groups.items[0].paths.count > 1 ? table->scan.kept_rows : 0;
    for (size_t i = 0; i < groups.count; i++) {
        buf_add_c(out, i > 0 ? " UNION ALL " : "");
        TRY(put_group(out, q, &groups.items[i], schema, rows, err));
    }
    return STATUS_OK;
}

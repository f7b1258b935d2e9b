/* The scan of a table's files: linked into the worker's folder, grouped by what they look like
 * inside, one SELECT per group. */
#include "run/groups.h"

#include "run/deletes.h"
#include "run/reach.h"
#include "tarn/base/fs.h"
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

bool groups_is_ambiguous(const ice_schema *schema, arena *a)
{
    map *seen = map_create(NULL);
    bool found = false;
    for (size_t i = 0; i < schema->root->field_count && !found; i++) {
        str name = str_lower(a, schema->root->fields[i].name);
        found = map_has(seen, name);
        map_set(seen, name, seen); /* any value */
    }
    map_free(seen);
    return found;
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

/* The bytes of an encrypted object, in memory alone. Reading them verifies them. */
static status hand_over(const query *q, str location, char **ret_path, error *err)
{
    run *r = q->r;
    store_reader *reader = NULL;
    char *piece;
    int fd;

    TRY(store_open_reader(r->e->options.storage, location, &reader, err));
    int64_t size = store_reader_size(reader);
    status result = worker_file_begin(r->w, location, size, &fd, err);
    if (result != STATUS_OK) {
        store_reader_close(reader);
        return result;
    }
    piece = mem_alloc(VERIFY_PIECE_BYTES);
    for (int64_t at = 0; result == STATUS_OK && at < size;) {
        size_t got = 0;

        result = store_reader_read(reader, piece, VERIFY_PIECE_BYTES, at, &got, err);
        if (result == STATUS_OK && got == 0) {
            result = error_set(err, STATUS_CORRUPT, "object \"%.*s\" is shorter than it should be",
                               STR_ARG(location));
        }
        if (result == STATUS_OK) {
            result = fs_write_all(fd, piece, got, err);
        }
        at += (int64_t)got;
    }
    mem_wipe(piece, VERIFY_PIECE_BYTES);
    mem_free(piece);
    store_reader_close(reader);
    if (result != STATUS_OK) {
        fs_close(fd);
        return result;
    }
    vec_push(r->a, &r->held_fds, fd);
    TRY(worker_hand_over(r->w, fd, &r->cancel, r->a, ret_path, err));
    map_set(r->held, location, arena_printf(r->a, "/proc/self/fd/%d", fd));
    return STATUS_OK;
}

void groups_close_held(run *r)
{
    for (size_t i = 0; i < r->held_fds.count; i++) {
        fs_close(r->held_fds.items[i]);
    }
    r->held_fds.count = 0;
}

status groups_link_file(query *q, str location, const char **ret_path, error *err)
{
    run *r = q->r;
    char *path = map_get(r->links, location);
    if (path == NULL) {
        if (r->e->options.verify_files) {
            TRY(verify_file(q, location, err));
        }
        TRY(store_link(r->e->options.storage, location, worker_in(r->w), NULL, r->a, &path, err));
        if (path == NULL) {
            TRY(hand_over(q, location, &path, err));
        }
        map_set(r->links, location, path);
    }
    *ret_path = path;
    return STATUS_OK;
}

status groups_look_into(query *q, str location, const char **ret_path, const shape **ret_look,
                        error *err)
{
    TRY(groups_link_file(q, location, ret_path, err));
    const char *held = map_get(q->r->held, location);
    return shape_of(&q->r->e->shapes, location, held != NULL ? held : *ret_path, ret_look, err);
}

/* ---- groups ---- */

/* Files that one scan reads: of equal shape and kind of deletes; of one partition spec too where
 * they lack a column whose values that tells. */
typedef struct file_group {
    const shape *look;    /* as the cache has it */
    const shape *mapped;  /* with ids from the name mapping */
    const ice_spec *spec; /* NULL: no column is filled from the partition */
    bool is_plain;
    unsigned deletes; /* DELETES_… */
    int64_t rows;
    VEC(uint32_t) indexes; /* in the scan's list */
    VEC(const ice_file *) files;
    VEC(const char *) paths; /* one per file */
} file_group;

typedef VEC(file_group) group_list;

#define NO_INDEX SIZE_MAX

/* The identity field of the spec on a column that the files lack. Such a column has the
 * partition's value before anything else is asked. */
static size_t partition_index(const ice_spec *spec, const shape *look, const ice_field *field)
{
    for (size_t i = 0; spec != NULL && i < spec->field_count; i++) {
        if (spec->fields[i].source_id == field->id &&
            spec->fields[i].transform.kind == ICE_IDENTITY && shape_lacks(look, field)) {
            return i;
        }
    }
    return NO_INDEX;
}

static bool is_filled(const ice_spec *spec, const shape *look, const ice_schema *schema)
{
    for (size_t i = 0; i < schema->root->field_count; i++) {
        if (partition_index(spec, look, &schema->root->fields[i]) != NO_INDEX) {
            return true;
        }
    }
    return false;
}

static status make_group(query *q, const query_table *table, const ice_file *file,
                         const shape *look, file_group *ret_group, error *err)
{
    const ice_spec *spec = ice_metadata_spec_by_id(table->metadata, file->spec_id);
    str mapping = ice_metadata_property(table->metadata, "schema.name-mapping.default", NULL);
    file_group group = {.look = look, .mapped = look};

    group.is_plain = shape_is_plain(look, table->schema);
    group.spec = is_filled(spec, look, table->schema) ? spec : NULL;
    if (!group.is_plain && !str_is_null(mapping)) {
        TRY(shape_mapped(look, mapping, q->a, &group.mapped, err));
        group.is_plain = group.spec == NULL && shape_is_plain(group.mapped, table->schema);
    } else if (!shape_has_ids(look)) {
        error_set(
            err, STATUS_UNSUPPORTED,
            "data file \"%.*s\" has no field ids, and table \"%.*s.%.*s\" has no name mapping",
            STR_ARG(file->path), STR_ARG(table->name.space), STR_ARG(table->name.table));
        error_hint(err, "Set its property schema.name-mapping.default: it tells which names in "
                        "such files stand for which columns.");
        return STATUS_UNSUPPORTED;
    }
    *ret_group = group;
    return STATUS_OK;
}

static status add_to_group(query *q, const query_table *table, uint32_t index,
                           const table_deletes *deletes, group_list *groups, error *err)
{
    const ice_file *file = &table->scan.files[index];
    unsigned kind = deletes_kind(deletes, index);
    /* What is compared may be a column that the table no longer has. */
    bool by_spec = (kind & DELETES_EQUAL) != 0;
    const char *path;
    const shape *look;
    size_t at = 0;
    str location;
    TRY(reach_file(q, table->name, table->metadata, file->path, &location, err));
    TRY(groups_look_into(q, location, &path, &look, err));

    while (at < groups->count &&
           (groups->items[at].look != look || groups->items[at].deletes != kind)) {
        at++;
    }
    if (at == groups->count || by_spec || !groups->items[at].is_plain) {
        const ice_spec *spec = ice_metadata_spec_by_id(table->metadata, file->spec_id);
        spec = by_spec || is_filled(spec, look, table->schema) ? spec : NULL;
        while (at < groups->count &&
               (groups->items[at].look != look || groups->items[at].deletes != kind ||
                groups->items[at].spec != spec)) {
            at++;
        }
    }
    if (at == groups->count) {
        file_group group;
        TRY(make_group(q, table, file, look, &group, err));
        group.deletes = kind;
        if (by_spec) {
            group.spec = ice_metadata_spec_by_id(table->metadata, file->spec_id);
        }
        vec_push(q->a, groups, group);
    }
    vec_push(q->a, &groups->items[at].indexes, index);
    vec_push(q->a, &groups->items[at].files, file);
    vec_push(q->a, &groups->items[at].paths, path);
    groups->items[at].rows += file->record_count;
    return STATUS_OK;
}

/* The partition's values for a column: one constant, or a list by the number of the file. */
static str partition_values(const file_group *group, size_t index, const ice_field *field, arena *a)
{
    buf *list = buf_in(a, LIMIT_WORKER_MESSAGE);
    str first = STR_NULL;
    bool differ = false;
    for (size_t i = 0; i < group->files.count; i++) {
        const ice_file *file = group->files.items[i];
        ice_value nothing = {.is_null = true};
        buf *one = buf_in(a, LIMIT_MIB);
        shape_put_constant(field->type,
                           index < file->partition_count ? &file->partition[index] : &nothing, one);
        first = i == 0 ? buf_str(one) : first;
        differ = differ || !str_equal(first, buf_str(one));
        buf_add_c(list, i > 0 ? ", " : "([");
        buf_add_str(list, buf_str(one));
    }
    buf_add_c(list, "])[CAST(file_index AS BIGINT) + 1]");
    return differ ? buf_str(list) : first;
}

static status put_column(buf *out, const query *q, const file_group *group, const ice_field *field,
                         error *err)
{
    size_t index = partition_index(group->spec, group->look, field);
    str value = index != NO_INDEX ? partition_values(group, index, field, q->a) : STR_NULL;
    return shape_column(group->mapped, field, value, group->files.items[0]->path, out, err);
}

/* DuckDB expects a fifth of the rows to pass a filter that it knows nothing about. */
#define FILTER_SHARE 5

/* What DuckDB is to expect of the group's files before it takes filters into account; 0: what it finds itself. */
static int64_t expected_rows(const file_group *group, const query_table *table, bool is_filtered)
{
    if (table->estimate > 0 && table->scan.kept_rows > 0) {
        double share = (double)group->rows / (double)table->scan.kept_rows;
        double rows = (double)table->estimate * share * FILTER_SHARE;

        return rows < 1 ? 1 : (int64_t)rows;
    }
    if (is_filtered && group->rows < INT64_MAX / FILTER_SHARE) {
        return group->rows * FILTER_SHARE;
    }
    /* One file tells its own number of rows; of a list DuckDB would guess from the first. */
    return group->paths.count > 1 ? group->rows : 0;
}

static void put_files(buf *out, const query *q, const file_group *group, const query_table *table,
                      bool is_filtered)
{
    int64_t expected = expected_rows(group, table, is_filtered);

    buf_add_c(out, " FROM read_parquet([");
    for (size_t i = 0; i < group->paths.count; i++) {
        buf_add_c(out, i > 0 ? "," : "");
        groups_put_path(out, str_c(group->paths.items[i]), q->a);
    }
    buf_add_c(out, "], hive_partitioning = false, union_by_name = false");
    if (expected > 0) {
        buf_printf(out, ", explicit_cardinality = %lld", (long long)expected);
    }
    buf_add_char(out, ')');
    shape_put_alias(group->mapped, out);
}

/* A number for each file of the group, of which a row takes its own file's. */
static void put_per_file(buf *out, const query_table *table, const file_group *group,
                         int64_t (*number)(const query_table *table, uint32_t index))
{
    buf_add_c(out, "([");
    for (size_t i = 0; i < group->indexes.count; i++) {
        int64_t value = number(table, group->indexes.items[i]);
        buf_add_c(out, i > 0 ? "," : "");
        if (value < 0) {
            buf_add_c(out, "NULL");
        } else {
            buf_printf(out, "%lld", (long long)value);
        }
    }
    buf_add_c(out, "]::BIGINT[])[CAST(file_index AS BIGINT) + 1]");
}

static int64_t own_number(const query_table *table, uint32_t index)
{
    return table->numbers != NULL ? table->numbers[index] : index;
}

static int64_t first_row_id(const query_table *table, uint32_t index)
{
    return table->scan.files[index].first_row_id;
}

/* Rows without an id have no sequence number either. */
static int64_t row_sequence(const query_table *table, uint32_t index)
{
    const ice_file *file = &table->scan.files[index];
    return file->first_row_id < 0 ? -1 : file->data_sequence;
}

/* ", … AS …": columns of query_table.with_places and with_lineage. */
static void put_places(buf *out, const query_table *table, const file_group *group)
{
    if (!table->with_places) {
        return;
    }
    buf_add_c(out, ", ");
    put_per_file(out, table, group, own_number);
    buf_add_c(out, " AS " QUERY_FILE ", file_row_number AS " QUERY_ROW);
    if (table->with_lineage) {
        buf_add_c(out, ", ");
        put_per_file(out, table, group, first_row_id);
        buf_add_c(out, " + file_row_number AS " QUERY_ROW_ID ", ");
        put_per_file(out, table, group, row_sequence);
        buf_add_c(out, " AS " QUERY_SEQUENCE);
    }
}

static status put_group(buf *out, const query *q, const file_group *group, const query_table *table,
                        error *err)
{
    bool is_filtered = group->deletes != DELETES_NONE;
    const ice_schema *schema = table->schema;
    buf_add_c(out, "SELECT ");
    if (group->is_plain) {
        groups_put_columns(out, schema);
    }
    for (size_t i = 0; !group->is_plain && i < schema->root->field_count; i++) {
        buf_add_c(out, i > 0 ? ", " : "");
        TRY(put_column(out, q, group, &schema->root->fields[i], err));
        buf_add_c(out, " AS ");
        sql_quote_name(out, schema->root->fields[i].name);
    }
    put_places(out, table, group);
    put_files(out, q, group, table, is_filtered);
    return STATUS_OK;
}

static status put_key(buf *out, const query *q, const file_group *group, deletes_key key,
                      error *err)
{
    buf_add_char(out, '(');
    TRY(put_column(out, q, group, key.column, err));
    buf_printf(out, ")%.*s", STR_ARG(key.path));
    return STATUS_OK;
}

/* SELECT columns FROM (SELECT columns and keys FROM files WHERE alive) AS d ANTI JOIN … */
static status put_joined_group(buf *out, const query *q, const file_group *group,
                               const query_table *table, table_deletes *d, int64_t number,
                               error *err)
{
    const ice_schema *schema = table->schema;
    buf_add_c(out, "SELECT ");
    for (size_t i = 0; i < schema->root->field_count; i++) {
        buf_printf(out, "%sd.\"#%zu\" AS ", i > 0 ? ", " : "", i);
        sql_quote_name(out, schema->root->fields[i].name);
    }
    buf_add_c(out, table->with_places ? ", d." QUERY_FILE ", d." QUERY_ROW : "");
    buf_add_c(out, table->with_lineage ? ", d." QUERY_ROW_ID ", d." QUERY_SEQUENCE : "");
    buf_add_c(out, " FROM (SELECT ");
    for (size_t i = 0; i < schema->root->field_count; i++) {
        TRY(put_column(out, q, group, &schema->root->fields[i], err));
        buf_printf(out, " AS \"#%zu\", ", i);
    }
    for (size_t i = 0; i < deletes_key_count(d); i++) {
        TRY(put_key(out, q, group, deletes_key_at(d, i), err));
        buf_printf(out, " AS \"#k%zu\", ", i);
    }
    deletes_put_numbers(number, out);
    put_places(out, table, group);
    put_files(out, q, group, table, (group->deletes & DELETES_ROWS) != 0);
    if ((group->deletes & DELETES_ROWS) != 0) {
        deletes_put_alive(number, group->paths.count, out);
    }
    buf_add_c(out, ") AS d");
    return deletes_put_joins(d, group->indexes.items, group->indexes.count, out, err);
}

/* SELECT file, row FROM (SELECT keys, file and row FROM files) AS d SEMI JOIN … */
static status put_match(buf *out, const query *q, const file_group *group, const query_table *table,
                        size_t set, table_deletes *d, int64_t number, error *err)
{
    buf_add_c(out, "SELECT d.\"#f\", d.\"#r\" FROM (SELECT ");
    for (size_t i = 0; i < deletes_key_count(d); i++) {
        if (deletes_set_has_key(d, set, i)) {
            TRY(put_key(out, q, group, deletes_key_at(d, i), err));
            buf_printf(out, " AS \"#k%zu\", ", i);
        }
    }
    deletes_put_numbers(number, out);
    buf_add_c(out, ", file_index AS \"#f\", file_row_number AS \"#r\"");
    query_table whole = *table; /* which rows are wanted is not asked here */
    whole.estimate = 0;
    put_files(out, q, group, &whole, false);
    buf_add_c(out, ") AS d");
    TRY(deletes_put_match(d, set, group->indexes.items, group->indexes.count, out, err));
    return buf_check(out, "the list of data files", err);
}

/* What the group's file has in the columns that are compared depends on the file and on this. */
static status make_match_key(const query *q, const file_group *group, size_t index,
                             const table_deletes *d, str *ret_key, error *err)
{
    buf *key = buf_in(q->a, LIMIT_WORKER_MESSAGE);
    file_group alone = *group;
    const char *path = group->paths.items[index];
    const ice_file *file = group->files.items[index];

    memset(&alone.files, 0, sizeof(alone.files));
    memset(&alone.paths, 0, sizeof(alone.paths));
    vec_push(q->a, &alone.files, file);
    vec_push(q->a, &alone.paths, path);
    for (size_t i = 0; i < deletes_key_count(d); i++) {
        TRY(put_key(key, q, &alone, deletes_key_at(d, i), err));
        buf_add_char(key, '\n');
    }
    *ret_key = buf_str(key);
    return buf_check(key, "what the delete files compare", err);
}

/* The worker finds out which rows equality deletes take from the group's files. */
static status add_matches(const query *q, const file_group *group, const query_table *table,
                          table_deletes *d, int64_t number, error *err)
{
    size_t count = group->indexes.count;
    str *keys = ARENA_ARRAY(q->a, str, count);

    for (size_t i = 0; i < count; i++) {
        TRY(make_match_key(q, group, i, d, &keys[i], err));
    }
    for (size_t set = 0; set < deletes_set_count(d); set++) {
        if (deletes_set_applies(d, set, group->indexes.items, count)) {
            buf *sql = buf_in(q->a, LIMIT_WORKER_MESSAGE);
            TRY(put_match(sql, q, group, table, set, d, number, err));
            deletes_add_match(d, number, count, buf_str(sql));
        }
    }
    return deletes_add_match_keys(d, number, keys, count, err);
}

status groups_put_scan(buf *out, query *q, query_table *table, error *err)
{
    group_list groups = {0};
    table_deletes *deletes;
    TRY(deletes_open(q, table, &deletes, err));
    for (uint32_t i = 0; i < table->scan.file_count; i++) {
        TRY(add_to_group(q, table, i, deletes, &groups, err));
    }
    for (size_t i = 0; i < groups.count; i++) {
        const file_group *group = &groups.items[i];
        int64_t number = 0;
        buf_add_c(out, i > 0 ? " UNION ALL " : "");
        if (group->deletes != DELETES_NONE) {
            number = deletes_add_files(deletes, group->indexes.items, group->indexes.count);
        }
        if ((group->deletes & DELETES_EQUAL) != 0) {
            if (!deletes_are_matched(deletes, group->indexes.items, group->indexes.count)) {
                TRY(put_joined_group(out, q, group, table, deletes, number, err));
                continue;
            }
            TRY(add_matches(q, group, table, deletes, number, err));
        }
        TRY(put_group(out, q, group, table, err));
        if (group->deletes != DELETES_NONE) {
            deletes_put_alive(number, group->paths.count, out);
        }
    }
    return deletes_load(deletes, err);
}

/* Deletes of one table: what they compare, the text that takes rows out, and the message that tells the worker which
 * rows are gone by number. Which delete file applies to which data file is the iceberg module's (scan.h). */
#include "run/deletes.h"

#include "protocol.h"
#include "run/groups.h"
#include "run/shape_node.h"
#include "tarn/base/limits.h"
#include "tarn/codec/parquet.h"

#define FILE_PATH_ID 2147483546 /* reserved field ids of position delete files */
#define POS_ID 2147483545

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
} slot;

struct table_deletes {
    query *q;
    const query_table *table;
    uint32_t handle;
    VEC(key) keys;
    VEC(key_set) sets;
    const uint32_t *set_of; /* per delete file of the scan */
    VEC(slot) slots;
    map *partitions; /* number + 1 by partition key */
};

/* ---- what is compared ---- */

static const ice_field *find_below(const ice_type *type, int32_t id, buf *path)
{
    for (size_t i = 0; type->kind == ICE_STRUCT && i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        size_t size = path->size;
        const ice_field *found;

        buf_add_char(path, '[');
        sql_quote_text(path, field->name);
        buf_add_char(path, ']');
        found = field->id == id ? field : find_below(field->type, id, path);
        if (found != NULL) {
            return found;
        }
        buf_truncate(path, size);
    }
    return NULL;
}

/* The column itself; NULL where the schema has none with this id outside of lists and maps. */
static const ice_field *find_key(const ice_schema *schema, int32_t id, buf *path, key *ret_key)
{
    for (size_t i = 0; i < schema->root->field_count; i++) {
        const ice_field *top = &schema->root->fields[i];
        const ice_field *found;

        buf_clear(path);
        found = top->id == id ? top : find_below(top->type, id, path);
        if (found != NULL) {
            *ret_key = (key){.id = id, .top = top, .path = buf_str(path)};
            return found;
        }
    }
    return NULL;
}

static status add_key(table_deletes *d, const ice_file *file, int32_t id, uint32_t *ret_index,
                      error *err)
{
    const ice_metadata *m = d->table->metadata;
    buf *path = buf_in(d->q->a, LIMIT_MIB);
    const ice_field *found;
    key k = {0};

    for (size_t i = 0; i < d->keys.count; i++) {
        if (d->keys.items[i].id == id) {
            *ret_index = (uint32_t)i;
            return STATUS_OK;
        }
    }
    found = find_key(d->table->schema, id, path, &k);
    for (size_t i = m->schema_count; found == NULL && i > 0; i--) {
        found = find_key(&m->schemas[i - 1], id, path, &k);
    }
    if (found == NULL || ice_kind_is_nested(found->type->kind) || found->type->kind == ICE_FLOAT ||
        found->type->kind == ICE_DOUBLE) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "delete file \"%.*s\" compares the column with the id %d, which %s",
                         STR_ARG(file->path), (int)id,
                         found == NULL ? "no schema of the table has outside of lists and maps"
                                       : "is of a type that is not compared");
    }
    vec_push(d->q->a, &d->keys, k);
    *ret_index = (uint32_t)d->keys.count - 1;
    return STATUS_OK;
}

static status add_set(table_deletes *d, const ice_file *file, uint32_t *ret_set, error *err)
{
    const ice_spec *spec = ice_metadata_spec_by_id(d->table->metadata, file->spec_id);
    uint32_t *keys = ARENA_ARRAY(d->q->a, uint32_t, file->equality_id_count);
    buf *text = buf_in(d->q->a, LIMIT_MIB);
    key_set set = {.keys = keys,
                   .count = file->equality_id_count,
                   .everywhere = spec != NULL && spec->field_count == 0};

    buf_add_char(text, set.everywhere ? '*' : 'p');
    for (size_t i = 0; i < set.count; i++) {
        TRY(add_key(d, file, file->equality_ids[i], &keys[i], err));
        buf_printf(text, " %d", (int)file->equality_ids[i]);
    }
    set.text = buf_str(text);
    for (size_t i = 0; i < d->sets.count; i++) {
        if (str_equal(d->sets.items[i].text, set.text)) {
            *ret_set = (uint32_t)i;
            return STATUS_OK;
        }
    }
    vec_push(d->q->a, &d->sets, set);
    *ret_set = (uint32_t)d->sets.count - 1;
    return STATUS_OK;
}

static bool is_vector(const ice_file *file)
{
    return file->content == ICE_POSITION_DELETES && str_equal_nocase(file->format, STR("PUFFIN"));
}

status deletes_open(query *q, const query_table *table, table_deletes **ret_deletes, error *err)
{
    const ice_scan *scan = &table->scan;
    table_deletes *d;
    uint32_t *set_of;

    *ret_deletes = NULL;
    if (scan->applied == NULL) {
        return STATUS_OK;
    }
    d = ARENA_NEW(q->a, table_deletes);
    set_of = ARENA_ARRAY(q->a, uint32_t, scan->delete_count);
    *d = (table_deletes){.q = q,
                         .table = table,
                         .handle = worker_fresh_handle(q->r->w),
                         .set_of = set_of,
                         .partitions = map_create(q->a)};
    for (size_t i = 0; i < scan->delete_count; i++) {
        const ice_file *file = &scan->deletes[i];

        if (!is_vector(file) && !str_equal_nocase(file->format, STR("PARQUET"))) {
            return error_set(
                err, STATUS_UNSUPPORTED,
                "delete file \"%.*s\" has the format %.*s; only Parquet and deletion vectors are read",
                STR_ARG(file->path), STR_ARG(file->format));
        }
        if (file->content == ICE_EQUALITY_DELETES) {
            TRY(add_set(d, file, &set_of[i], err));
        }
    }
    *ret_deletes = d;
    return STATUS_OK;
}

unsigned deletes_kind(const table_deletes *d, size_t file)
{
    const ice_file_deletes *applied;

    if (d == NULL) {
        return DELETES_NONE;
    }
    applied = &d->table->scan.applied[file];
    return (applied->vector >= 0 || applied->position_count > 0 ? DELETES_ROWS : DELETES_NONE) |
           (applied->equality_count > 0 ? DELETES_EQUAL : DELETES_NONE);
}

size_t deletes_key_count(const table_deletes *d)
{
    return d->keys.count;
}

deletes_key deletes_key_at(const table_deletes *d, size_t index)
{
    return (deletes_key){.column = d->keys.items[index].top, .path = d->keys.items[index].path};
}

/* ---- places ---- */

static int64_t number_of(const table_deletes *d, size_t first)
{
    return (int64_t)((uint64_t)d->handle << 32 | first);
}

int64_t deletes_add_files(table_deletes *d, const uint32_t *files, size_t count)
{
    const ice_scan *scan = &d->table->scan;
    int64_t number = number_of(d, d->slots.count);

    for (size_t i = 0; i < count; i++) {
        slot s = {.file = &scan->files[files[i]], .applied = &scan->applied[files[i]]};

        vec_push(d->q->a, &d->slots, s);
    }
    return number;
}

/* Equal for files of one partition. */
static uint64_t partition_number(table_deletes *d, const ice_file *file)
{
    str text = ice_file_partition_key(file, d->q->a);
    uintptr_t number = (uintptr_t)map_get(d->partitions, text);

    if (number == 0) {
        number = map_count(d->partitions) + 1;
        (void)map_set(d->partitions, text, (void *)number);
    }
    return number;
}

/* ---- text ---- */

void deletes_put_alive(int64_t number, size_t file_count, buf *out)
{
    /* A predicate on one column goes down into the scan. */
    buf_printf(out, " WHERE tarn_alive(%lld, %s, file_row_number)", (long long)number,
               file_count == 1 ? "0" : "file_index");
}

void deletes_put_numbers(int64_t number, buf *out)
{
    buf_printf(
        out,
        "tarn_sequence(%lld, file_index) AS \"#s\", tarn_partition(%lld, file_index) AS \"#p\"",
        (long long)number, (long long)number);
}

/* A delete file must hold every column that it compares. */
static const shape_node *find_node(const shape_node *parent, int32_t id)
{
    for (size_t i = 0; i < parent->child_count; i++) {
        const shape_node *child = &parent->children[i];
        const shape_node *found = child->field_id == id ? child : NULL;

        if (found == NULL && child->kind == ICE_STRUCT) {
            found = find_node(child, id);
        }
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

static status check_keys(const table_deletes *d, const key_set *set, const shape *look,
                         const ice_file *file, error *err)
{
    for (size_t i = 0; i < set->count; i++) {
        const key *k = &d->keys.items[set->keys[i]];

        if (find_node(&look->root, k->id) == NULL) {
            return error_set(err, STATUS_CORRUPT,
                             "delete file \"%.*s\" has no column with the id %d, which it compares",
                             STR_ARG(file->path), (int)k->id);
        }
    }
    return STATUS_OK;
}

/* The delete files of one shape. */
typedef struct delete_group {
    const shape *look;
    bool is_single; /* positions: each speaks of one data file, and its paths need not be read */
    VEC(const ice_file *) files;
    VEC(const char *) paths;
    VEC(uint32_t) indexes; /* in the scan's list */
} delete_group;

typedef VEC(delete_group) delete_groups;

static status add_to_group(const table_deletes *d, uint32_t index, delete_groups *groups,
                           error *err)
{
    const ice_file *file = &d->table->scan.deletes[index];
    bool is_single = file->content == ICE_POSITION_DELETES && !str_is_null(ice_delete_target(file));
    str location = ice_locate(d->table->metadata, file->path, d->q->a);
    const shape *look;
    const char *path;
    size_t at = 0;

    TRY(groups_link_file(d->q, location, &path, err));
    TRY(shape_of(&d->q->r->e->shapes, location, path, &look, err));
    while (at < groups->count &&
           (groups->items[at].look != look || groups->items[at].is_single != is_single)) {
        at++;
    }
    if (at == groups->count) {
        vec_push(d->q->a, groups, ((delete_group){.look = look, .is_single = is_single}));
    }
    vec_push(d->q->a, &groups->items[at].files, file);
    vec_push(d->q->a, &groups->items[at].paths, path);
    vec_push(d->q->a, &groups->items[at].indexes, index);
    return STATUS_OK;
}

static void put_files(const table_deletes *d, const delete_group *group, const shape *look,
                      buf *out)
{
    buf_add_c(out, " FROM read_parquet([");
    for (size_t i = 0; i < group->paths.count; i++) {
        buf_add_c(out, i > 0 ? "," : "");
        groups_put_path(out, str_c(group->paths.items[i]), d->q->a);
    }
    buf_add_c(out, "], hive_partitioning = false, union_by_name = false)");
    shape_put_alias(look, out);
}

/* Delete files without field ids have the table's names, as its data files have. */
static status find_mapped(const table_deletes *d, const delete_group *group, const shape **ret_look,
                          error *err)
{
    str mapping = ice_metadata_property(d->table->metadata, "schema.name-mapping.default", NULL);

    *ret_look = group->look;
    if (shape_has_ids(group->look)) {
        return STATUS_OK;
    }
    if (str_is_null(mapping)) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "delete file \"%.*s\" has no field ids, and its table no name mapping",
                         STR_ARG(group->files.items[0]->path));
    }
    return shape_mapped(group->look, mapping, d->q->a, ret_look, err);
}

static status put_delete_group(table_deletes *d, const key_set *set, const delete_group *group,
                               buf *out, error *err)
{
    const shape *look;

    TRY(find_mapped(d, group, &look, err));
    TRY(check_keys(d, set, look, group->files.items[0], err));
    buf_add_c(out, "SELECT ");
    for (size_t i = 0; i < set->count; i++) {
        const key *k = &d->keys.items[set->keys[i]];

        buf_add_char(out, '(');
        TRY(shape_column(look, k->top, STR_NULL, group->files.items[0]->path, out, err));
        buf_printf(out, ")%.*s AS \"#k%u\", ", STR_ARG(k->path), set->keys[i]);
    }
    deletes_put_numbers(number_of(d, d->slots.count), out);
    put_files(d, group, look, out);
    for (size_t i = 0; i < group->files.count; i++) {
        vec_push(d->q->a, &d->slots, ((slot){.file = group->files.items[i]}));
    }
    return STATUS_OK;
}

/* What a join must compare besides the columns. */
typedef struct join_needs {
    bool sequence, partition;
} join_needs;

static join_needs find_needs(table_deletes *d, const key_set *set, const uint32_t *files,
                             size_t count, const bool *used)
{
    const ice_scan *scan = &d->table->scan;
    int64_t newest = INT64_MIN;
    int64_t oldest = INT64_MAX;
    uint64_t partition = 0;
    join_needs needs = {false, false};

    for (size_t i = 0; i < count; i++) {
        const ice_file *file = &scan->files[files[i]];
        uint64_t number = partition_number(d, file);

        newest = file->data_sequence > newest ? file->data_sequence : newest;
        needs.partition = needs.partition || (partition != 0 && partition != number);
        partition = number;
    }
    for (size_t i = 0; i < scan->delete_count; i++) {
        if (used[i]) {
            int64_t sequence = scan->deletes[i].data_sequence;

            oldest = sequence < oldest ? sequence : oldest;
            needs.partition =
                needs.partition || partition_number(d, &scan->deletes[i]) != partition;
        }
    }
    needs.partition = needs.partition && !set->everywhere;
    needs.sequence = newest >= oldest;
    return needs;
}

static void put_condition(const key_set *set, size_t join, join_needs needs, buf *out)
{
    buf_printf(out, " AS e%zu ON (", join);
    for (size_t i = 0; i < set->count; i++) {
        buf_printf(out, "%sd.\"#k%u\" IS NOT DISTINCT FROM e%zu.\"#k%u\"", i > 0 ? " AND " : "",
                   set->keys[i], join, set->keys[i]);
    }
    if (needs.partition) {
        buf_printf(out, " AND d.\"#p\" = e%zu.\"#p\"", join);
    }
    if (needs.sequence) {
        buf_printf(out, " AND d.\"#s\" < e%zu.\"#s\"", join);
    }
    buf_add_char(out, ')');
}

static status put_join(table_deletes *d, size_t number, const uint32_t *files, size_t count,
                       const bool *used, buf *out, error *err)
{
    const key_set *set = &d->sets.items[number];
    join_needs needs = find_needs(d, set, files, count, used);
    delete_groups groups = {0};

    for (uint32_t i = 0; i < d->table->scan.delete_count; i++) {
        if (used[i]) {
            TRY(add_to_group(d, i, &groups, err));
        }
    }
    buf_add_c(out, " ANTI JOIN (SELECT ");
    for (size_t i = 0; i < set->count; i++) {
        buf_printf(out, "%s\"#k%u\"", i > 0 ? ", " : "", set->keys[i]);
    }
    /* Of several deletes of one key the newest says it all. */
    buf_printf(out, "%s%s FROM (", needs.partition ? ", \"#p\"" : "",
               needs.sequence ? ", max(\"#s\") AS \"#s\"" : "");
    for (size_t i = 0; i < groups.count; i++) {
        buf_add_c(out, i > 0 ? " UNION ALL " : "");
        TRY(put_delete_group(d, set, &groups.items[i], out, err));
    }
    buf_printf(out, ")%s)", needs.sequence ? " GROUP BY ALL" : "");
    put_condition(set, number, needs, out);
    return STATUS_OK;
}

status deletes_put_joins(table_deletes *d, const uint32_t *files, size_t count, buf *out,
                         error *err)
{
    const ice_scan *scan = &d->table->scan;
    bool *used = ARENA_ARRAY(d->q->a, bool, scan->delete_count);

    for (size_t number = 0; number < d->sets.count; number++) {
        bool any = false;

        memset(used, 0, scan->delete_count * sizeof(*used));
        for (size_t i = 0; i < count; i++) {
            const ice_file_deletes *applied = &scan->applied[files[i]];

            for (size_t k = 0; k < applied->equality_count; k++) {
                uint32_t index = applied->equalities[k];

                used[index] = used[index] || d->set_of[index] == number;
                any = any || used[index];
            }
        }
        if (any) {
            TRY(put_join(d, number, files, count, used, out, err));
        }
    }
    return STATUS_OK;
}

/* ---- the message ---- */

static void put_slots(table_deletes *d, buf *out)
{
    buf_add_u32le(out, (uint32_t)d->slots.count);
    for (size_t i = 0; i < d->slots.count; i++) {
        const slot *s = &d->slots.items[i];

        wire_put_str(out, s->applied != NULL ? s->file->path : STR(""));
        buf_add_u64le(out, (uint64_t)s->file->data_sequence);
        buf_add_u64le(out, partition_number(d, s->file));
    }
}

static status put_vectors(table_deletes *d, buf *out, error *err)
{
    const ice_scan *scan = &d->table->scan;
    uint32_t count = 0;

    for (size_t i = 0; i < d->slots.count; i++) {
        const ice_file_deletes *applied = d->slots.items[i].applied;

        count += applied != NULL && applied->vector >= 0 ? 1 : 0;
    }
    buf_add_u32le(out, count);
    for (size_t i = 0; i < d->slots.count; i++) {
        const ice_file_deletes *applied = d->slots.items[i].applied;
        const ice_file *vector;
        const char *path;

        if (applied == NULL || applied->vector < 0) {
            continue;
        }
        vector = &scan->deletes[applied->vector];
        TRY(groups_link_file(d->q, ice_locate(d->table->metadata, vector->path, d->q->a), &path,
                             err));
        buf_add_u32le(out, (uint32_t)i);
        wire_put_str(out, str_c(path));
        wire_put_str(out, vector->path);
        buf_add_u64le(out, (uint64_t)vector->content_offset);
        buf_add_u64le(out, (uint64_t)vector->content_size_bytes);
        buf_add_u64le(out, (uint64_t)vector->record_count);
    }
    return STATUS_OK;
}

typedef VEC(uint32_t) slot_list;

/* For each delete file the places of the data files that it speaks of, ascending. */
static slot_list *find_targets(const table_deletes *d, delete_groups *groups, error *err,
                               status *ret_result)
{
    const ice_scan *scan = &d->table->scan;
    slot_list *targets = ARENA_ARRAY(d->q->a, slot_list, scan->delete_count);

    *ret_result = STATUS_OK;
    for (size_t i = 0; i < d->slots.count; i++) {
        const ice_file_deletes *applied = d->slots.items[i].applied;

        for (size_t k = 0; applied != NULL && k < applied->position_count; k++) {
            vec_push(d->q->a, &targets[applied->positions[k]], (uint32_t)i);
        }
    }
    for (uint32_t i = 0; i < scan->delete_count && *ret_result == STATUS_OK; i++) {
        if (targets[i].count > 0) {
            *ret_result = add_to_group(d, i, groups, err);
        }
    }
    return targets;
}

static const shape_node *position_column(const shape *look, int32_t id, str name)
{
    for (size_t i = 0; i < look->root.child_count; i++) {
        const shape_node *child = &look->root.children[i];

        if (look->has_ids ? child->field_id == id : str_equal_nocase(child->name, name)) {
            return child;
        }
    }
    return NULL;
}

/* The least and the greatest path that is asked for: rows of other files are mostly left out by the scan. */
static void put_path_range(const table_deletes *d, const delete_group *group,
                           const slot_list *targets, str column, buf *out)
{
    str least = STR_NULL;
    str greatest = STR_NULL;

    for (size_t i = 0; i < group->indexes.count; i++) {
        const slot_list *list = &targets[group->indexes.items[i]];

        for (size_t k = 0; k < list->count; k++) {
            str path = d->slots.items[list->items[k]].file->path;

            least = str_is_null(least) || str_compare(path, least) < 0 ? path : least;
            greatest = str_is_null(greatest) || str_compare(path, greatest) > 0 ? path : greatest;
        }
    }
    buf_printf(out, " WHERE %.*s >= ", STR_ARG(column));
    sql_quote_text(out, least);
    buf_printf(out, " AND %.*s <= ", STR_ARG(column));
    sql_quote_text(out, greatest);
}

static status make_position_sql(const table_deletes *d, const delete_group *group,
                                const slot_list *targets, buf *sql, error *err)
{
    const shape_node *path = position_column(group->look, FILE_PATH_ID, STR("file_path"));
    const shape_node *pos = position_column(group->look, POS_ID, STR("pos"));
    buf *column = buf_in(d->q->a, LIMIT_MIB);

    if (path == NULL || pos == NULL || group->look->root.ambiguous ||
        (path->kind != ICE_STRING && path->kind != ICE_BINARY) ||
        (pos->kind != ICE_LONG && pos->kind != ICE_INT)) {
        return error_set(err, STATUS_CORRUPT,
                         "delete file \"%.*s\" has no columns \"file_path\" and \"pos\"",
                         STR_ARG(group->files.items[0]->path));
    }
    buf_add_c(column, path->kind == ICE_BINARY ? "decode(" : "(");
    sql_quote_name(column, path->name);
    buf_add_char(column, ')');
    buf_printf(sql, "SELECT file_index, CAST(");
    sql_quote_name(sql, pos->name);
    buf_add_c(sql, " AS BIGINT)");
    if (!group->is_single) {
        buf_printf(sql, ", %.*s", STR_ARG(buf_str(column)));
    }
    put_files(d, group, group->look, sql);
    if (!group->is_single) {
        put_path_range(d, group, targets, buf_str(column), sql);
    }
    return buf_check(sql, "the list of delete files", err);
}

static status put_positions(const table_deletes *d, buf *out, error *err)
{
    delete_groups groups = {0};
    status result;
    const slot_list *targets = find_targets(d, &groups, err, &result);

    TRY(result);
    buf_add_u32le(out, (uint32_t)groups.count);
    for (size_t i = 0; i < groups.count; i++) {
        const delete_group *group = &groups.items[i];
        buf *sql = buf_in(d->q->a, LIMIT_WORKER_MESSAGE);

        TRY(make_position_sql(d, group, targets, sql, err));
        wire_put_str(out, buf_str(sql));
        buf_add_u32le(out, group->is_single ? 1 : 0);
        buf_add_u32le(out, (uint32_t)group->indexes.count);
        for (size_t k = 0; k < group->indexes.count; k++) {
            const slot_list *list = &targets[group->indexes.items[k]];

            wire_put_str(out, group->files.items[k]->path);
            wire_put_str(out, str_c(group->paths.items[k]));
            buf_add_u32le(out, (uint32_t)list->count);
            for (size_t j = 0; j < list->count; j++) {
                buf_add_u32le(out, list->items[j]);
            }
        }
    }
    return STATUS_OK;
}

status deletes_load(table_deletes *d, error *err)
{
    buf *message;

    if (d == NULL || d->slots.count == 0) {
        return STATUS_OK;
    }
    message = buf_in(d->q->a, LIMIT_WORKER_MESSAGE);
    buf_add_u32le(message, d->handle);
    put_slots(d, message);
    TRY(put_vectors(d, message, err));
    TRY(put_positions(d, message, err));
    TRY(buf_check(message, "what is deleted from the table", err));
    vec_push(d->q->a, &d->q->delete_handles, d->handle);
    return worker_load_deletes(d->q->r->w, buf_str(message), &d->q->r->cancel, err);
}

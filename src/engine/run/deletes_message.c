/* The message that tells the worker which rows are gone, by number or by value, and how it finds them out. */
#include "protocol.h"
#include "run/deletes_internal.h"
#include "run/shape_node.h"
#include "tarn/base/limits.h"

#define FILE_PATH_ID 2147483546 /* reserved field ids of position delete files */
#define POS_ID 2147483545

static void put_slots(table_deletes *d, buf *out)
{
    buf_add_u32le(out, (uint32_t)d->slots.count);
    for (size_t i = 0; i < d->slots.count; i++) {
        const slot *s = &d->slots.items[i];

        wire_put_str(out, s->applied != NULL ? s->file->path : STR(""));
        buf_add_u64le(out, (uint64_t)s->file->data_sequence);
        buf_add_u64le(out, deletes__partition_number(d, s->file));
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
        str location;

        if (applied == NULL || applied->vector < 0) {
            continue;
        }
        vector = &scan->deletes[applied->vector];
        TRY(reach_file(d->q, d->table->name, d->table->metadata, vector->path, &location, err));
        TRY(groups_link_file(d->q, location, &path, err));
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
            *ret_result = deletes__group_file(d, i, groups, err);
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
    deletes__put_files(d, group, group->look, sql);
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

/* A file is listed once, however often it is spoken of. */
static status add_path(const table_deletes *d, const ice_file *file, map *numbers, buf *list,
                       uint32_t *ret_number, error *err)
{
    str location;

    TRY(reach_file(d->q, d->table->name, d->table->metadata, file->path, &location, err));
    uintptr_t number = (uintptr_t)map_get(numbers, location);
    if (number == 0) {
        const char *path;

        TRY(groups_link_file(d->q, location, &path, err));
        wire_put_str(list, str_c(path));
        number = map_count(numbers) + 1;
        (void)map_set(numbers, location, (void *)number);
    }
    *ret_number = (uint32_t)number - 1;
    return STATUS_OK;
}

/* The data file and its equality deletes. */
static status put_match_key(const table_deletes *d, size_t place, map *numbers, buf *paths,
                            buf *out, error *err)
{
    const slot *s = &d->slots.items[place];
    uint32_t number;

    buf_add_u32le(out, (uint32_t)place);
    wire_put_str(out, s->match_key);
    buf_add_u32le(out, (uint32_t)s->applied->equality_count + 1);
    TRY(add_path(d, s->file, numbers, paths, &number, err));
    buf_add_u32le(out, number);
    for (size_t i = 0; i < s->applied->equality_count; i++) {
        const ice_file *file = &d->table->scan.deletes[s->applied->equalities[i]];

        TRY(add_path(d, file, numbers, paths, &number, err));
        buf_add_u32le(out, number);
    }
    return STATUS_OK;
}

static status put_matches(const table_deletes *d, buf *out, error *err)
{
    map *numbers = map_create(d->q->a);
    buf *paths = buf_in(d->q->a, LIMIT_WORKER_MESSAGE);
    buf *keys = buf_in(d->q->a, LIMIT_WORKER_MESSAGE);
    uint32_t count = 0;

    buf_add_u32le(out, (uint32_t)d->matches.count);
    for (size_t i = 0; i < d->matches.count; i++) {
        wire_put_str(out, d->matches.items[i].sql);
        buf_add_u32le(out, d->matches.items[i].first);
        buf_add_u32le(out, d->matches.items[i].count);
    }
    for (size_t i = 0; i < d->slots.count; i++) {
        if (!str_is_null(d->slots.items[i].match_key)) {
            TRY(put_match_key(d, i, numbers, paths, keys, err));
            count++;
        }
    }
    TRY(buf_check(paths, "the list of delete files", err));
    TRY(buf_check(keys, "the list of delete files", err));
    buf_add_u32le(out, (uint32_t)map_count(numbers));
    buf_add_str(out, buf_str(paths));
    buf_add_u32le(out, count);
    buf_add_str(out, buf_str(keys));
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
    TRY(put_matches(d, message, err));
    TRY(buf_check(message, "what is deleted from the table", err));
    vec_push(d->q->a, &d->q->delete_handles, d->handle);
    return worker_load_deletes(d->q->r->w, buf_str(message), &d->q->r->cancel, err);
}

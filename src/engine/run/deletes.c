/* Deletes of one table: what they compare, and the text that takes rows out or finds out which they are. The message
 * about them is deletes_message.c's; which delete file applies to which data file the iceberg module's (scan.h). */
#include "run/deletes_internal.h"
#include "run/shape_node.h"
#include "tarn/base/limits.h"

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
        slot s = {.file = &scan->files[files[i]],
                  .applied = &scan->applied[files[i]],
                  .match_key = STR_NULL};

        vec_push(d->q->a, &d->slots, s);
    }
    return number;
}

uint64_t deletes__partition_number(table_deletes *d, const ice_file *file)
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

status deletes__group_file(const table_deletes *d, uint32_t index, delete_groups *groups,
                           error *err)
{
    const ice_file *file = &d->table->scan.deletes[index];
    bool is_single = file->content == ICE_POSITION_DELETES && !str_is_null(ice_delete_target(file));
    const shape *look;
    const char *path;
    str location;
    size_t at = 0;

    TRY(reach_file(d->q, d->table->name, d->table->metadata, file->path, &location, err));
    TRY(groups_look_into(d->q, location, &path, &look, err));
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

void deletes__put_files(const table_deletes *d, const delete_group *group, const shape *look,
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
    deletes__put_files(d, group, look, out);
    for (size_t i = 0; i < group->files.count; i++) {
        vec_push(d->q->a, &d->slots,
                 ((slot){.file = group->files.items[i], .match_key = STR_NULL}));
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
        uint64_t number = deletes__partition_number(d, file);

        newest = file->data_sequence > newest ? file->data_sequence : newest;
        needs.partition = needs.partition || (partition != 0 && partition != number);
        partition = number;
    }
    for (size_t i = 0; i < scan->delete_count; i++) {
        if (used[i]) {
            int64_t sequence = scan->deletes[i].data_sequence;

            oldest = sequence < oldest ? sequence : oldest;
            needs.partition =
                needs.partition || deletes__partition_number(d, &scan->deletes[i]) != partition;
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

/* `kind`: which join. */
static status put_join(table_deletes *d, const char *kind, size_t number, const uint32_t *files,
                       size_t count, const bool *used, buf *out, error *err)
{
    const key_set *set = &d->sets.items[number];
    join_needs needs = find_needs(d, set, files, count, used);
    delete_groups groups = {0};

    for (uint32_t i = 0; i < d->table->scan.delete_count; i++) {
        if (used[i]) {
            TRY(deletes__group_file(d, i, &groups, err));
        }
    }
    buf_printf(out, " %s JOIN (SELECT ", kind);
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

/* Which delete files of the set apply to some of the files; NULL: none. */
static const bool *find_used(const table_deletes *d, size_t set, const uint32_t *files,
                             size_t count)
{
    const ice_scan *scan = &d->table->scan;
    bool *used = ARENA_ARRAY(d->q->a, bool, scan->delete_count);
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        const ice_file_deletes *applied = &scan->applied[files[i]];

        for (size_t k = 0; k < applied->equality_count; k++) {
            uint32_t index = applied->equalities[k];

            used[index] = used[index] || d->set_of[index] == set;
            any = any || used[index];
        }
    }
    return any ? used : NULL;
}

status deletes_put_joins(table_deletes *d, const uint32_t *files, size_t count, buf *out,
                         error *err)
{
    for (size_t number = 0; number < d->sets.count; number++) {
        const bool *used = find_used(d, number, files, count);

        if (used != NULL) {
            TRY(put_join(d, "ANTI", number, files, count, used, out, err));
        }
    }
    return STATUS_OK;
}

/* ---- rows that are looked up once ---- */

#define MATCHED_FILES_MAX 1000 /* equality delete files of one data file: all of them are its key */

bool deletes_are_matched(const table_deletes *d, const uint32_t *files, size_t count)
{
    int64_t left = d->q->r->e->options.match_rows;

    for (size_t i = 0; i < count && left > 0; i++) {
        if (d->table->scan.applied[files[i]].equality_count > MATCHED_FILES_MAX) {
            return false;
        }
        left -= d->table->scan.files[files[i]].record_count;
    }
    return left > 0;
}

size_t deletes_set_count(const table_deletes *d)
{
    return d->sets.count;
}

bool deletes_set_applies(const table_deletes *d, size_t set, const uint32_t *files, size_t count)
{
    return find_used(d, set, files, count) != NULL;
}

bool deletes_set_has_key(const table_deletes *d, size_t set, size_t number)
{
    for (size_t i = 0; i < d->sets.items[set].count; i++) {
        if (d->sets.items[set].keys[i] == number) {
            return true;
        }
    }
    return false;
}

status deletes_put_match(table_deletes *d, size_t set, const uint32_t *files, size_t count,
                         buf *out, error *err)
{
    return put_join(d, "SEMI", set, files, count, find_used(d, set, files, count), out, err);
}

void deletes_add_match(table_deletes *d, int64_t number, size_t count, str sql)
{
    match m = {.sql = sql, .first = (uint32_t)number, .count = (uint32_t)count};

    vec_push(d->q->a, &d->matches, m);
}

/* Which columns are compared is not in the delete files themselves. */
status deletes_add_match_keys(table_deletes *d, int64_t number, const str *keys, size_t count,
                              error *err)
{
    str mapping = ice_metadata_property(d->table->metadata, "schema.name-mapping.default", "");

    for (size_t i = 0; i < count; i++) {
        slot *s = &d->slots.items[(uint32_t)number + i];
        buf *text = buf_in(d->q->a, LIMIT_WORKER_MESSAGE);

        buf_add_str(text, keys[i]);
        buf_printf(text, "\n%zu ", mapping.size);
        buf_add_str(text, mapping);
        for (size_t k = 0; k < s->applied->equality_count; k++) {
            buf_add_char(text, '\n');
            buf_add_str(text, d->sets.items[d->set_of[s->applied->equalities[k]]].text);
        }
        TRY(buf_check(text, "what the delete files compare", err));
        s->match_key = buf_str(text);
    }
    return STATUS_OK;
}

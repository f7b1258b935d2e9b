/* deletes.c: which delete files of a scan apply to which of its data files.
 *
 * Source: Iceberg specification, "Scan planning"; where it leaves something open, what the Java
 * implementation does:
 *   a deletion vector   its data file, from its own sequence number on; stands for all positions
 *   positions           data files of its spec and partition whose sequence number is not above its own
 *   equality            data files of its spec and partition that are strictly older; of an unpartitioned
 *                       spec: of all
 * Delete files are held by partition, and by the one path that they speak of, in the order of their sequence
 * numbers: what applies to a file is then the end of an array, shared by all files to which the same applies. */
#include <stdlib.h>

#include "tarn/base/map.h"
#include "tarn/base/vec.h"

#include "internal.h"

#define FILE_PATH_ID 2147483546 /* reserved field id of "file_path" in position delete files */

typedef VEC(uint32_t) index_vec;

/* What is known of the values of one column in one file. */
typedef struct facts {
    bool is_read;
    bool may_null, may_value, has_range;
    ice_value lower, upper;
} facts;

/* A column that equality deletes compare. */
typedef struct key_column {
    int32_t id;
    const ice_type *type; /* NULL: its ranges tell nothing */
} key_column;

/* One delete file, made ready for being compared. */
typedef struct candidate {
    const ice_file *file;
    str path_lower, path_upper; /* positions: the range of data files; STR_NULL where unknown */
    const uint32_t *columns;    /* equality: indexes of key columns */
    const facts *facts;         /* one per column */
    size_t column_count;
    bool is_used;
    uint32_t place; /* in the scan's list */
} candidate;

/* Deletes of one partition, or of one data file. */
typedef struct place {
    index_vec positions, equalities;
    int64_t vector;  /* -1: none */
    bool has_ranges; /* some of its position delete files tell which paths they speak of */
} place;

typedef struct delete_index {
    const ice_metadata *m;
    candidate *candidates;
    size_t count;
    map *partitions; /* place by partition key */
    map *paths;      /* place by data file */
    place everywhere;
    VEC(key_column) columns;
    VEC(index_vec) lists; /* made for one file alone */
    arena *memory;
} delete_index;

/* --- keys --- */

str ice_file_partition_key(const ice_file *f, arena *a)
{
    buf *key = buf_in(a, 1024 * 1024);

    buf_printf(key, "%d", (int)f->spec_id);
    for (size_t i = 0; i < f->partition_count; i++) {
        const ice_value *v = &f->partition[i];
        ice_type type = {.kind = v->kind};
        str bytes = v->is_null ? STR_NULL : ice_value_encode(&type, v, a);

        buf_printf(key, v->is_null ? "|-" : "|%zu:", bytes.size);
        buf_add_str(key, bytes);
    }
    return buf_str(key);
}

static place *find_or_add(map *places, str key, arena *a)
{
    place *p = map_get(places, key);

    if (p == NULL) {
        p = ARENA_NEW(a, place);
        p->vector = -1;
        (void)map_set(places, key, p);
    }
    return p;
}

/* --- filling --- */

static bool is_vector(const ice_file *f)
{
    return f->content == ICE_POSITION_DELETES && str_equal_nocase(f->format, STR("PUFFIN"));
}

/* Some programs cut long bounds off: a path that is whole ends as files do. */
static bool looks_whole(str path)
{
    return str_ends_with(path, STR(".parquet")) || str_ends_with(path, STR(".orc")) ||
           str_ends_with(path, STR(".avro"));
}

str ice_delete_target(const ice_file *f)
{
    str lower = ice__find_bound(f->lower_bounds, f->lower_bound_count, FILE_PATH_ID);
    str upper = ice__find_bound(f->upper_bounds, f->upper_bound_count, FILE_PATH_ID);

    if (!str_is_null(f->referenced_data_file)) {
        return f->referenced_data_file;
    }
    return !str_is_null(lower) && !str_is_null(upper) && str_equal(lower, upper) &&
                   looks_whole(lower)
               ? lower
               : STR_NULL;
}

static status add_vector(delete_index *x, uint32_t number, error *err)
{
    const ice_file *f = x->candidates[number].file;
    place *p;

    if (str_is_null(f->referenced_data_file) || f->content_offset < 0 ||
        f->content_size_bytes < 0) {
        return error_set(
            err, STATUS_CORRUPT,
            "deletion vector \"%.*s\": its manifest does not tell where in the file it lies and what for",
            STR_ARG(f->path));
    }
    p = find_or_add(x->paths, f->referenced_data_file, x->memory);
    if (p->vector >= 0) {
        return error_set(err, STATUS_CORRUPT, "data file \"%.*s\" has two deletion vectors",
                         STR_ARG(f->referenced_data_file));
    }
    p->vector = number;
    return STATUS_OK;
}

static void add_positions(delete_index *x, uint32_t number)
{
    candidate *c = &x->candidates[number];
    const ice_file *f = c->file;
    str path;
    place *p;

    c->path_lower = ice__find_bound(f->lower_bounds, f->lower_bound_count, FILE_PATH_ID);
    c->path_upper = ice__find_bound(f->upper_bounds, f->upper_bound_count, FILE_PATH_ID);
    path = ice_delete_target(f);
    if (!str_is_null(path)) {
        p = find_or_add(x->paths, path, x->memory);
    } else {
        p = find_or_add(x->partitions, ice_file_partition_key(f, x->memory), x->memory);
        p->has_ranges = p->has_ranges || !str_is_null(c->path_lower) || !str_is_null(c->path_upper);
    }
    vec_push(x->memory, &p->positions, number);
}

static uint32_t find_column(delete_index *x, int32_t id)
{
    const ice_field *field = ice__metadata_field(x->m, id);
    const ice_type *type = field != NULL ? field->type : NULL;
    key_column column = {.id = id};

    for (size_t i = 0; i < x->columns.count; i++) {
        if (x->columns.items[i].id == id) {
            return (uint32_t)i;
        }
    }
    /* NaN is never a bound, and of the order of UUIDs programs think differently. */
    if (type != NULL && !ice_kind_is_nested(type->kind) && type->kind != ICE_FLOAT &&
        type->kind != ICE_DOUBLE && type->kind != ICE_UUID) {
        column.type = type;
    }
    vec_push(x->memory, &x->columns, column);
    return (uint32_t)x->columns.count - 1;
}

static facts read_facts(const ice_file *f, const key_column *column)
{
    int64_t nulls = ice__find_count(f->null_counts, f->null_count_count, column->id);
    int64_t values = ice__find_count(f->value_counts, f->value_count_count, column->id);
    str lower = ice__find_bound(f->lower_bounds, f->lower_bound_count, column->id);
    str upper = ice__find_bound(f->upper_bounds, f->upper_bound_count, column->id);
    facts found = {
        .is_read = true, .may_null = nulls != 0, .may_value = nulls < 0 || nulls != values};

    found.has_range = column->type != NULL && !str_is_null(lower) && !str_is_null(upper) &&
                      ice_value_decode(column->type, lower, &found.lower, NULL) == STATUS_OK &&
                      ice_value_decode(column->type, upper, &found.upper, NULL) == STATUS_OK;
    return found;
}

static status add_equality(delete_index *x, uint32_t number, error *err)
{
    candidate *c = &x->candidates[number];
    const ice_file *f = c->file;
    const ice_spec *spec = ice_metadata_spec_by_id(x->m, f->spec_id);
    uint32_t *columns = ARENA_ARRAY(x->memory, uint32_t, f->equality_id_count);
    facts *known = ARENA_ARRAY(x->memory, facts, f->equality_id_count);
    place *p = &x->everywhere;

    if (f->equality_id_count == 0) {
        return error_set(
            err, STATUS_CORRUPT,
            "delete file \"%.*s\": its manifest does not tell which columns it compares",
            STR_ARG(f->path));
    }
    for (size_t i = 0; i < f->equality_id_count; i++) {
        columns[i] = find_column(x, f->equality_ids[i]);
        known[i] = read_facts(f, &x->columns.items[columns[i]]);
    }
    c->columns = columns;
    c->facts = known;
    c->column_count = f->equality_id_count;
    if (spec == NULL || spec->field_count > 0) {
        p = find_or_add(x->partitions, ice_file_partition_key(f, x->memory), x->memory);
    }
    vec_push(x->memory, &p->equalities, number);
    return STATUS_OK;
}

/* By sequence number; ties in the order of the list, so that plans are the same again and again. */
typedef struct sort_item {
    int64_t sequence;
    uint32_t number;
} sort_item;

static int compare_items(const void *a, const void *b)
{
    const sort_item *x = a;
    const sort_item *y = b;

    if (x->sequence != y->sequence) {
        return x->sequence < y->sequence ? -1 : 1;
    }
    return x->number < y->number ? -1 : 1;
}

static void sort_list(const delete_index *x, index_vec *list)
{
    sort_item *items = ARENA_ARRAY(x->memory, sort_item, list->count);

    for (size_t i = 0; i < list->count; i++) {
        items[i].number = list->items[i];
        items[i].sequence = x->candidates[list->items[i]].file->data_sequence;
    }
    if (list->count > 1) {
        qsort(items, list->count, sizeof(*items), compare_items);
    }
    for (size_t i = 0; i < list->count; i++) {
        list->items[i] = items[i].number;
    }
}

static void sort_places(const delete_index *x, map *places)
{
    map_entry entry;

    for (size_t at = 0; map_next(places, &at, &entry);) {
        place *p = entry.value;

        sort_list(x, &p->positions);
        sort_list(x, &p->equalities);
    }
}

static status fill(delete_index *x, const ice_file *found, size_t count, error *err)
{
    x->candidates = ARENA_ARRAY(x->memory, candidate, count);
    x->count = count;
    for (size_t i = 0; i < count; i++) {
        x->candidates[i].file = &found[i];
        if (is_vector(&found[i])) {
            TRY(add_vector(x, (uint32_t)i, err));
        } else if (found[i].content == ICE_POSITION_DELETES) {
            add_positions(x, (uint32_t)i);
        } else if (found[i].content == ICE_EQUALITY_DELETES) {
            TRY(add_equality(x, (uint32_t)i, err));
        } else {
            return error_set(err, STATUS_CORRUPT,
                             "data file \"%.*s\" stands in a manifest of delete files",
                             STR_ARG(found[i].path));
        }
    }
    sort_places(x, x->partitions);
    sort_places(x, x->paths);
    sort_list(x, &x->everywhere.equalities);
    return STATUS_OK;
}

/* --- one data file --- */

/* Where in the list the sequence numbers begin that are at least `sequence`. */
static size_t list_from(const delete_index *x, const index_vec *list, int64_t sequence)
{
    size_t low = 0;
    size_t high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (x->candidates[list->items[middle]].file->data_sequence < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool same_partition(const ice_file *x, const ice_file *y, arena *a)
{
    return str_equal(ice_file_partition_key(x, a), ice_file_partition_key(y, a));
}

/* A delete file that names its data file must lie in the same partition: else one of the two is wrong. */
static status check_partition(const ice_file *data, const ice_file *deletes, arena *a, error *err)
{
    if (same_partition(data, deletes, a)) {
        return STATUS_OK;
    }
    return error_set(err, STATUS_CORRUPT,
                     "delete file \"%.*s\" is of another partition than its data file \"%.*s\"",
                     STR_ARG(deletes->path), STR_ARG(data->path));
}

static status apply_vector(const delete_index *x, const ice_file *data, const place *p,
                           ice_file_deletes *applied, error *err)
{
    candidate *c = &x->candidates[p->vector];

    TRY(check_partition(data, c->file, x->memory, err));
    if (c->file->data_sequence < data->data_sequence) {
        return error_set(err, STATUS_CORRUPT,
                         "deletion vector \"%.*s\" is older than its data file \"%.*s\"",
                         STR_ARG(c->file->path), STR_ARG(data->path));
    }
    c->is_used = true;
    applied->vector = (int32_t)p->vector;
    return STATUS_OK;
}

/* Bounds may have been cut off, an upper one without being raised. */
static bool may_speak_of(const candidate *c, str path)
{
    if (!str_is_null(c->path_lower) && str_compare(path, c->path_lower) < 0) {
        return false;
    }
    return str_is_null(c->path_upper) || str_compare(path, c->path_upper) <= 0 ||
           str_starts_with(path, c->path_upper);
}

static void share(const delete_index *x, const index_vec *list, size_t from,
                  const uint32_t **ret_items, size_t *ret_count)
{
    *ret_items = list->items + from;
    *ret_count = list->count - from;
    for (size_t i = from; i < list->count; i++) {
        x->candidates[list->items[i]].is_used = true;
    }
}

static void keep_list(delete_index *x, index_vec list, const uint32_t **ret_items,
                      size_t *ret_count)
{
    vec_push(x->memory, &x->lists, list);
    share(x, &list, 0, ret_items, ret_count);
}

static status apply_positions(delete_index *x, const ice_file *data, const place *partition,
                              const place *path, ice_file_deletes *applied, error *err)
{
    index_vec list = {0};
    size_t from = partition != NULL ? list_from(x, &partition->positions, data->data_sequence) : 0;

    if (partition != NULL && path == NULL && !partition->has_ranges) {
        share(x, &partition->positions, from, &applied->positions, &applied->position_count);
        return STATUS_OK;
    }
    for (size_t i = from; partition != NULL && i < partition->positions.count; i++) {
        if (may_speak_of(&x->candidates[partition->positions.items[i]], data->path)) {
            vec_push(x->memory, &list, partition->positions.items[i]);
        }
    }
    from = path != NULL ? list_from(x, &path->positions, data->data_sequence) : 0;
    for (size_t i = from; path != NULL && i < path->positions.count; i++) {
        TRY(check_partition(data, x->candidates[path->positions.items[i]].file, x->memory, err));
        vec_push(x->memory, &list, path->positions.items[i]);
    }
    keep_list(x, list, &applied->positions, &applied->position_count);
    return STATUS_OK;
}

static bool ranges_meet(const facts *x, const facts *y)
{
    return !x->has_range || !y->has_range ||
           (ice_value_compare(&x->lower, &y->upper) <= 0 &&
            ice_value_compare(&y->lower, &x->upper) <= 0);
}

/* False where no row of the data file can be equal to one of the delete file. */
static bool may_equal(const delete_index *x, const ice_file *data, facts *known, const candidate *c)
{
    for (size_t i = 0; i < c->column_count; i++) {
        facts *of_data = &known[c->columns[i]];
        const facts *of_deletes = &c->facts[i];

        if (!of_data->is_read) {
            *of_data = read_facts(data, &x->columns.items[c->columns[i]]);
        }
        if (!(of_data->may_null && of_deletes->may_null) &&
            !(of_data->may_value && of_deletes->may_value && ranges_meet(of_data, of_deletes))) {
            return false;
        }
    }
    return true;
}

static void apply_equalities(delete_index *x, const ice_file *data, const place *partition,
                             ice_file_deletes *applied)
{
    const place *places[] = {partition, &x->everywhere};
    facts *known = NULL;
    index_vec list = {0};

    for (size_t p = 0; p < COUNT_OF(places); p++) {
        const index_vec *all = places[p] != NULL ? &places[p]->equalities : NULL;

        if (all == NULL || all->count == 0) {
            continue;
        }
        if (known == NULL) {
            known = ARENA_ARRAY(x->memory, facts, x->columns.count);
        }
        for (size_t i = list_from(x, all, ice__sum(data->data_sequence, 1)); i < all->count; i++) {
            if (may_equal(x, data, known, &x->candidates[all->items[i]])) {
                vec_push(x->memory, &list, all->items[i]);
            }
        }
    }
    if (list.count > 0) {
        keep_list(x, list, &applied->equalities, &applied->equality_count);
    }
}

static status apply(delete_index *x, const ice_file *data, ice_file_deletes *ret_applied,
                    error *err)
{
    const place *partition = map_get(x->partitions, ice_file_partition_key(data, x->memory));
    const place *path = map_get(x->paths, data->path);
    ice_file_deletes applied = {.vector = -1};

    if (path != NULL && path->vector >= 0) {
        TRY(apply_vector(x, data, path, &applied, err));
    } else {
        TRY(apply_positions(x, data, partition, path, &applied, err));
    }
    apply_equalities(x, data, partition, &applied);
    *ret_applied = applied;
    return STATUS_OK;
}

/* --- the whole --- */

/* From numbers of candidates to indexes of the scan's list. What is not used is not looked at again. */
static void renumber(const delete_index *x, const index_vec *list)
{
    for (size_t i = 0; i < list->count; i++) {
        list->items[i] = x->candidates[list->items[i]].place;
    }
}

static void renumber_all(delete_index *x, ice_file_deletes *applied, size_t count)
{
    map_entry entry;

    for (size_t at = 0; map_next(x->partitions, &at, &entry);) {
        const place *p = entry.value;

        renumber(x, &p->positions); /* the only ones that are shared */
    }
    for (size_t i = 0; i < x->lists.count; i++) {
        renumber(x, &x->lists.items[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (applied[i].vector >= 0) {
            applied[i].vector = (int32_t)x->candidates[applied[i].vector].place;
        }
    }
}

status ice__apply_deletes(const ice_metadata *m, const ice_file *found, size_t count, arena *a,
                          ice_scan *scan, error *err)
{
    delete_index x = {.m = m,
                      .partitions = map_create(a),
                      .paths = map_create(a),
                      .everywhere = {.vector = -1},
                      .memory = a};
    ice_file_deletes *applied;
    VEC(ice_file) used = {0};

    if (count == 0 || scan->file_count == 0) {
        return STATUS_OK;
    }
    TRY(fill(&x, found, count, err));
    applied = ARENA_ARRAY(a, ice_file_deletes, scan->file_count);
    for (size_t i = 0; i < scan->file_count; i++) {
        TRY(apply(&x, &scan->files[i], &applied[i], err));
    }
    for (size_t i = 0; i < count; i++) {
        if (x.candidates[i].is_used) {
            x.candidates[i].place = (uint32_t)used.count;
            vec_push(a, &used, found[i]);
        }
    }
    renumber_all(&x, applied, scan->file_count);
    scan->deletes = used.items;
    scan->delete_count = used.count;
    scan->applied = used.count > 0 ? applied : NULL;
    return STATUS_OK;
}

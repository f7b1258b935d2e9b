/* Deleted rows: sets per data file, filled before the query starts from deletion vectors and position delete files
 * (here) and from what equality delete files match (delete_matches.c); forgotten after it. */
#include "worker/delete_sets.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "worker/cursor.h"
#include "worker/delete_rows.h"

#define VECTOR_MAX (1024 * LIMIT_MIB)
#define HANDLES_SKIPPED_MAX 1000000 /* between two loads that succeed */

#define KEY_FILES_MAX 16 /* of more delete files nothing is kept */

/* By handle; NULL where one was forgotten. A handle is never used twice. */
static VEC(delete_set *) sets;

/* --- loading --- */

status delete_message_damaged(error *err)
{
    return error_set(err, STATUS_INTERNAL, "the message about deleted rows is damaged");
}

static status read_files(delete_set *set, wire_reader *r, error *err)
{
    set->count = wire_get_u32(r);
    if (r->failed || set->count > (size_t)(r->end - r->at)) {
        set->count = 0;
        return delete_message_damaged(err);
    }
    set->locations = ARENA_ARRAY(set->memory, str, set->count);
    set->sequences = ARENA_ARRAY(set->memory, int64_t, set->count);
    set->partitions = ARENA_ARRAY(set->memory, int64_t, set->count);
    set->numbers = map_create(set->memory);
    delete_layers_create(set);
    for (size_t i = 0; i < set->count; i++) {
        set->locations[i] = str_copy(set->memory, wire_get_str(r));
        set->sequences[i] = (int64_t)wire_get_u64(r);
        set->partitions[i] = (int64_t)wire_get_u64(r);
        if (set->locations[i].size > 0) { /* a data file */
            (void)map_set(set->numbers, set->locations[i], (void *)(uintptr_t)(i + 1));
        }
    }
    return r->failed ? delete_message_damaged(err) : STATUS_OK;
}

/* --- deletion vectors --- */

typedef struct vector_place {
    str path, location;
    uint64_t offset, size_bytes, row_count;
} vector_place;

static status read_range(const vector_place *v, char *bytes, error *err)
{
    size_t done = 0;
    int fd;

    TRY(fs_open(v->path.data, O_RDONLY, 0, &fd, err));
    while (done < v->size_bytes) {
        ssize_t got = pread(fd, bytes + done, v->size_bytes - done, (off_t)(v->offset + done));

        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    fs_close(fd);
    return done == v->size_bytes
               ? STATUS_OK
               : error_set(err, STATUS_CORRUPT, "deletion vector: its bytes are not in the file");
}

static status read_vector(const vector_place *v, row_set **ret_rows, error *err)
{
    char *bytes;
    int64_t count;
    status result;

    if (v->size_bytes > VECTOR_MAX || v->offset > INT64_MAX - VECTOR_MAX) {
        return error_set(err, STATUS_CORRUPT, "deletion vector: its size cannot be right");
    }
    bytes = mem_alloc(v->size_bytes + 1);
    result = read_range(v, bytes, err);
    if (result == STATUS_OK) {
        result = deletion_vector_parse(str_from(bytes, v->size_bytes), ret_rows, err);
    }
    mem_free(bytes);
    TRY(result);
    count = row_set_count(*ret_rows);
    if ((uint64_t)count != v->row_count) {
        row_set_free(*ret_rows);
        return error_set(err, STATUS_CORRUPT,
                         "deletion vector: it has %lld rows, and the table says %llu",
                         (long long)count, (unsigned long long)v->row_count);
    }
    return STATUS_OK;
}

static status load_vectors(delete_set *set, wire_reader *r, error *err)
{
    delete_layer *layer = &set->layers[DELETED_BY_NUMBER];
    uint32_t count = wire_get_u32(r);

    for (uint32_t i = 0; i < count && !r->failed; i++) {
        uint32_t file = wire_get_u32(r);
        vector_place v = {.path = str_copy(set->memory, wire_get_str(r)),
                          .location = str_copy(set->memory, wire_get_str(r)),
                          .offset = wire_get_u64(r),
                          .size_bytes = wire_get_u64(r),
                          .row_count = wire_get_u64(r)};
        row_set *rows;

        if (r->failed || file >= set->count || layer->rows[file] != NULL) {
            return delete_message_damaged(err);
        }
        if (read_vector(&v, &rows, err) != STATUS_OK) {
            error_context(err, "\"%.*s\" (of data file \"%.*s\")", STR_ARG(v.location),
                          STR_ARG(set->locations[file]));
            return err != NULL ? err->kind : STATUS_CORRUPT;
        }
        layer->rows[file] = rows;
    }
    return r->failed ? delete_message_damaged(err) : STATUS_OK;
}

/* --- position delete files --- */

typedef struct slot_list {
    const uint32_t *items;
    size_t count;
} slot_list;

/* One query over several of them: what they are, and of which data files they may delete rows. */
typedef struct position_query {
    str sql; /* yields file_index, pos, and where several data files may be meant file_path */
    bool is_single; /* each speaks of one data file */
    size_t count;
    str *locations;
    str *paths;         /* in the worker's folder */
    slot_list *targets; /* for each: numbers of data files, ascending */
} position_query;

static status read_targets(const delete_set *set, wire_reader *r, arena *a, slot_list *targets,
                           error *err)
{
    uint32_t count = wire_get_u32(r);
    uint32_t *items;

    if (r->failed || count > set->count) {
        return delete_message_damaged(err);
    }
    items = ARENA_ARRAY(a, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = wire_get_u32(r);
        if (items[i] >= set->count) {
            return delete_message_damaged(err);
        }
    }
    *targets = (slot_list){.items = items, .count = count};
    return r->failed ? delete_message_damaged(err) : STATUS_OK;
}

static bool is_target(const slot_list *targets, uint32_t number)
{
    size_t low = 0;
    size_t high = targets->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (targets->items[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < targets->count && targets->items[low] == number;
}

static status read_position_query(delete_set *set, wire_reader *r, arena *a, position_query *p,
                                  error *err)
{
    p->sql = str_copy(a, wire_get_str(r));
    p->is_single = wire_get_u32(r) != 0;
    p->count = wire_get_u32(r);
    if (r->failed || p->count > (size_t)(r->end - r->at)) {
        return delete_message_damaged(err);
    }
    p->locations = ARENA_ARRAY(a, str, p->count);
    p->paths = ARENA_ARRAY(a, str, p->count);
    p->targets = ARENA_ARRAY(a, slot_list, p->count);
    for (size_t i = 0; i < p->count; i++) {
        p->locations[i] = str_copy(a, wire_get_str(r));
        p->paths[i] = str_copy(a, wire_get_str(r));
        TRY(read_targets(set, r, a, &p->targets[i], err));
        if (p->is_single && p->targets[i].count != 1) {
            return delete_message_damaged(err);
        }
    }
    return STATUS_OK;
}

/* What the last row was about: rows come sorted by path, so that few paths are looked up. */
typedef struct position_reader {
    delete_set *set;
    const position_query *query;
    uint64_t file_index;
    str path; /* STR_NULL before the first row */
    row_set *rows;
    arena *memory;
} position_reader;

static row_set *rows_of(delete_set *set, uint32_t number)
{
    return delete_layer_rows(&set->layers[DELETED_BY_NUMBER], number);
}

static row_set *find_rows(position_reader *p, uint64_t file_index, const duck_string *path)
{
    str name = str_from(duck_string_data(path), duck_string_size(path));
    uintptr_t number;

    if (!str_is_null(p->path) && file_index == p->file_index && str_equal(name, p->path)) {
        return p->rows;
    }
    arena_clear(p->memory);
    p->path = str_copy(p->memory, name);
    p->file_index = file_index;
    number = (uintptr_t)map_get(p->set->numbers, name);
    p->rows = number > 0 && is_target(&p->query->targets[file_index], (uint32_t)number - 1)
                  ? rows_of(p->set, (uint32_t)number - 1)
                  : NULL;
    return p->rows;
}

static bool is_valid(const uint64_t *validity, uint64_t row)
{
    return validity == NULL || (validity[row / 64] >> (row % 64) & 1) != 0;
}

/* What a row of the result says. */
typedef struct position_columns {
    const uint64_t *file_indexes;
    const int64_t *rows;
    const uint64_t *row_validity;
    const duck_string *paths; /* NULL: single */
    const uint64_t *path_validity;
} position_columns;

static position_columns open_columns(const position_reader *p, duck_chunk *chunk)
{
    duck_vector *rows = duck.data_chunk_get_vector(chunk, 1);
    position_columns c = {.file_indexes =
                              duck.vector_get_data(duck.data_chunk_get_vector(chunk, 0)),
                          .rows = duck.vector_get_data(rows),
                          .row_validity = duck.vector_get_validity(rows)};

    if (!p->query->is_single) {
        duck_vector *paths = duck.data_chunk_get_vector(chunk, 2);

        c.paths = duck.vector_get_data(paths);
        c.path_validity = duck.vector_get_validity(paths);
    }
    return c;
}

static status take_chunk(position_reader *p, duck_chunk *chunk, error *err)
{
    position_columns c = open_columns(p, chunk);
    uint64_t size = duck.data_chunk_get_size(chunk);
    uint64_t begin = 0; /* rows from here on belong to `current` and are not added yet */
    row_set *current = NULL;

    for (uint64_t i = 0; i < size; i++) {
        uint64_t file_index = c.file_indexes[i];
        row_set *found;

        if (file_index >= p->query->count) {
            return delete_message_damaged(err);
        }
        if (!is_valid(c.path_validity, i) || !is_valid(c.row_validity, i) || c.rows[i] < 0) {
            return error_set(err, STATUS_CORRUPT,
                             "delete file \"%.*s\" holds a row that names no row",
                             STR_ARG(p->query->locations[file_index]));
        }
        found = c.paths != NULL ? find_rows(p, file_index, &c.paths[i])
                                : rows_of(p->set, p->query->targets[file_index].items[0]);
        if (found != current) {
            if (current != NULL) {
                row_set_add(current, c.rows + begin, i - begin);
            }
            current = found;
            begin = i;
        }
    }
    if (current != NULL) {
        row_set_add(current, c.rows + begin, size - begin);
    }
    return STATUS_OK;
}

static status run_position_query(session *s, delete_set *set, const position_query *query, arena *a,
                                 bool *ret_is_fatal, error *err)
{
    cursor_options options = {.sql = query->sql};
    position_reader p = {.set = set, .query = query, .memory = arena_child(a)};
    duck_chunk *chunk = NULL;
    cursor c;
    status result = cursor_open(s, &options, a, &c, err);

    while (result == STATUS_OK) {
        result = cursor_next(&c, &chunk, err);
        if (result != STATUS_OK || chunk == NULL) {
            break;
        }
        result = take_chunk(&p, chunk, err);
        duck.destroy_data_chunk(&chunk);
    }
    *ret_is_fatal = c.is_fatal;
    cursor_close(&c);
    return result;
}

/* --- what is kept --- */

/* For each data file what its rows are known by: itself and all delete files that speak of it, or STR_NULL. */
static str *make_keys(const delete_set *set, const position_query *queries, uint32_t count,
                      arena *a)
{
    buf **texts = ARENA_ARRAY(a, buf *, set->count);
    int *files = ARENA_ARRAY(a, int, set->count);
    str *keys = ARENA_ARRAY(a, str, set->count);

    for (uint32_t q = 0; q < count; q++) {
        for (size_t i = 0; i < queries[q].count; i++) {
            const slot_list *targets = &queries[q].targets[i];

            for (size_t k = 0; k < targets->count; k++) {
                uint32_t number = targets->items[k];

                if (files[number]++ == 0) {
                    texts[number] = buf_in(a, LIMIT_MIB);
                    buf_printf(texts[number], "%.*s\n", STR_ARG(set->locations[number]));
                }
                if (files[number] <= KEY_FILES_MAX) {
                    delete_put_file_key(queries[q].paths[i], texts[number]);
                }
            }
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        bool is_usable = files[i] > 0 && files[i] <= KEY_FILES_MAX && !texts[i]->failed;

        keys[i] = is_usable ? buf_str(texts[i]) : STR_NULL;
    }
    return keys;
}

static bool is_needed(const delete_set *set, const position_query *query)
{
    const delete_layer *layer = &set->layers[DELETED_BY_NUMBER];

    for (size_t i = 0; i < query->count; i++) {
        for (size_t k = 0; k < query->targets[i].count; k++) {
            if (layer->kept[query->targets[i].items[k]] == NULL) {
                return true;
            }
        }
    }
    return false;
}

static status load_positions(session *s, delete_set *set, wire_reader *r, arena *a,
                             bool *ret_is_fatal, error *err)
{
    uint32_t count = wire_get_u32(r);
    position_query *queries;
    str *keys;

    if (r->failed || count > (size_t)(r->end - r->at)) {
        return delete_message_damaged(err);
    }
    queries = ARENA_ARRAY(a, position_query, count);
    for (uint32_t i = 0; i < count; i++) {
        TRY(read_position_query(set, r, a, &queries[i], err));
    }
    keys = make_keys(set, queries, count, a);
    delete_layer_take_kept(&set->layers[DELETED_BY_NUMBER], keys, set->count);
    for (uint32_t i = 0; i < count; i++) {
        if (is_needed(set, &queries[i])) {
            TRY(run_position_query(s, set, &queries[i], a, ret_is_fatal, err));
        }
    }
    delete_layer_keep(&set->layers[DELETED_BY_NUMBER], keys, set->count);
    return STATUS_OK;
}

static status load(session *s, delete_set *set, wire_reader *r, bool *ret_is_fatal, error *err)
{
    TRY(load_vectors(set, r, err));
    arena *a = arena_create();
    status result = load_positions(s, set, r, a, ret_is_fatal, err);
    arena_free(a);
    TRY(result);
    return delete_matches_load(s, set, r, ret_is_fatal, err);
}

status delete_sets_load(session *s, wire_reader *r, bool *ret_is_fatal, error *err)
{
    uint32_t handle = wire_get_u32(r);
    arena *memory;
    delete_set *set;
    status result;

    /* The server counts them up, one for each attempt. */
    if (r->failed || handle < sets.count || handle > sets.count + HANDLES_SKIPPED_MAX) {
        return delete_message_damaged(err);
    }
    memory = arena_create();
    set = ARENA_NEW(memory, delete_set);
    set->memory = memory;
    result = read_files(set, r, err);
    if (result != STATUS_OK) {
        arena_free(memory);
        return result;
    }
    while (sets.count < handle) {
        vec_push(NULL, &sets, NULL);
    }
    vec_push(NULL, &sets, set); /* what is matched asks it for sequence numbers */
    result = load(s, set, r, ret_is_fatal, err);
    if (result != STATUS_OK) {
        delete_sets_forget(handle);
    }
    return result;
}

const delete_set *delete_set_find(int64_t number, uint64_t *ret_first)
{
    uint64_t handle = (uint64_t)number >> 32;

    *ret_first = (uint64_t)number & UINT32_MAX;
    return handle < sets.count ? sets.items[handle] : NULL;
}

void delete_sets_forget(uint32_t handle)
{
    if (handle < sets.count && sets.items[handle] != NULL) {
        arena_free(sets.items[handle]->memory);
        sets.items[handle] = NULL;
    }
}

void delete_sets_forget_all(void)
{
    for (uint32_t i = 0; i < sets.count; i++) {
        delete_sets_forget(i);
    }
}

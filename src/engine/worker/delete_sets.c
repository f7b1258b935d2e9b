/* Deleted rows: sets per data file, filled from deletion vectors and position delete files before the query
 * starts, asked by scalar functions on DuckDB's threads while it runs. Sets do not change in between, so nothing is
 * locked. */
#include "worker/delete_sets.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/base/vec.h"
#include "tarn/codec/row_set.h"
#include "worker/cursor.h"

#define VECTOR_MAX (1024 * LIMIT_MIB)
#define HANDLES_SKIPPED_MAX 1000000 /* between two loads that succeed */

/* Rows that position delete files took from one data file, kept for the queries to come. Files never change: the key
 * says which they are. A set that is used is never freed. */
typedef struct kept_rows {
    row_set *rows;
    size_t size_bytes;
    int users;
    bool is_dropped; /* to be freed by its last user */
} kept_rows;

#define KEPT_MAX (64 * LIMIT_MIB)
#define KEY_FILES_MAX 16 /* of more delete files nothing is kept */

static map *kept;
static size_t kept_bytes;

/* Files are numbered: data files first, then equality delete files. */
typedef struct delete_set {
    size_t count;
    str *locations;
    int64_t *sequences;
    int64_t *partitions;
    map *numbers;     /* of data files, plus 1, by their location */
    kept_rows **kept; /* what `rows` belongs to; NULL: to this set */
    row_set **rows;   /* NULL where no row is deleted by its number */
    arena *memory;
} delete_set;

/* By handle; NULL where one was forgotten. A handle is never used twice. */
static VEC(delete_set *) sets;

/* --- loading --- */

static status damaged(error *err)
{
    return error_set(err, STATUS_INTERNAL, "the message about deleted rows is damaged");
}

static void free_kept(kept_rows *k)
{
    row_set_free(k->rows);
    mem_free(k);
}

static void free_rows(void *object)
{
    delete_set *set = object;

    for (size_t i = 0; i < set->count; i++) {
        if (set->kept[i] == NULL) {
            row_set_free(set->rows[i]);
        } else if (--set->kept[i]->users == 0 && set->kept[i]->is_dropped) {
            free_kept(set->kept[i]);
        }
    }
}

static status read_files(delete_set *set, wire_reader *r, error *err)
{
    set->count = wire_get_u32(r);
    if (r->failed || set->count > (size_t)(r->end - r->at)) {
        set->count = 0;
        return damaged(err);
    }
    set->locations = ARENA_ARRAY(set->memory, str, set->count);
    set->sequences = ARENA_ARRAY(set->memory, int64_t, set->count);
    set->partitions = ARENA_ARRAY(set->memory, int64_t, set->count);
    set->rows = ARENA_ARRAY(set->memory, row_set *, set->count);
    set->kept = ARENA_ARRAY(set->memory, kept_rows *, set->count);
    set->numbers = map_create(set->memory);
    arena_defer(set->memory, free_rows, set);
    for (size_t i = 0; i < set->count; i++) {
        set->locations[i] = str_copy(set->memory, wire_get_str(r));
        set->sequences[i] = (int64_t)wire_get_u64(r);
        set->partitions[i] = (int64_t)wire_get_u64(r);
        if (set->locations[i].size > 0) { /* a data file */
            (void)map_set(set->numbers, set->locations[i], (void *)(uintptr_t)(i + 1));
        }
    }
    return r->failed ? damaged(err) : STATUS_OK;
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
    uint32_t count = wire_get_u32(r);

    for (uint32_t i = 0; i < count && !r->failed; i++) {
        uint32_t file = wire_get_u32(r);
        vector_place v = {.path = str_copy(set->memory, wire_get_str(r)),
                          .location = str_copy(set->memory, wire_get_str(r)),
                          .offset = wire_get_u64(r),
                          .size_bytes = wire_get_u64(r),
                          .row_count = wire_get_u64(r)};
        row_set *rows;

        if (r->failed || file >= set->count || set->rows[file] != NULL) {
            return damaged(err);
        }
        if (read_vector(&v, &rows, err) != STATUS_OK) {
            error_context(err, "\"%.*s\" (of data file \"%.*s\")", STR_ARG(v.location),
                          STR_ARG(set->locations[file]));
            return err != NULL ? err->kind : STATUS_CORRUPT;
        }
        set->rows[file] = rows;
    }
    return r->failed ? damaged(err) : STATUS_OK;
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
        return damaged(err);
    }
    items = ARENA_ARRAY(a, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = wire_get_u32(r);
        if (items[i] >= set->count) {
            return damaged(err);
        }
    }
    *targets = (slot_list){.items = items, .count = count};
    return r->failed ? damaged(err) : STATUS_OK;
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
        return damaged(err);
    }
    p->locations = ARENA_ARRAY(a, str, p->count);
    p->paths = ARENA_ARRAY(a, str, p->count);
    p->targets = ARENA_ARRAY(a, slot_list, p->count);
    for (size_t i = 0; i < p->count; i++) {
        p->locations[i] = str_copy(a, wire_get_str(r));
        p->paths[i] = str_copy(a, wire_get_str(r));
        TRY(read_targets(set, r, a, &p->targets[i], err));
        if (p->is_single && p->targets[i].count != 1) {
            return damaged(err);
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

/* NULL where they are known already. */
static row_set *rows_of(delete_set *set, uint32_t number)
{
    if (set->kept[number] != NULL) {
        return NULL;
    }
    if (set->rows[number] == NULL) {
        set->rows[number] = row_set_create();
    }
    return set->rows[number];
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
            return damaged(err);
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

/* A file of the store is linked under a name that never stands for other bytes; one outside it is told by more. */
static void put_file_key(str path, buf *key)
{
    struct stat info;

    if (stat(path.data, &info) != 0) {
        key->failed = true; /* nothing is kept */
        return;
    }
    buf_add_str(key, path);
    buf_printf(key, " %llu %lld %lld %lld\n", (unsigned long long)info.st_ino,
               (long long)info.st_size, (long long)info.st_mtim.tv_sec,
               (long long)info.st_mtim.tv_nsec);
}

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
                    put_file_key(queries[q].paths[i], texts[number]);
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

static void use_kept(delete_set *set, size_t number, kept_rows *k)
{
    k->users++;
    set->kept[number] = k;
    set->rows[number] = k->rows;
}

static void take_kept(delete_set *set, const str *keys)
{
    for (size_t i = 0; kept != NULL && i < set->count; i++) {
        kept_rows *k = str_is_null(keys[i]) ? NULL : map_get(kept, keys[i]);

        if (k != NULL && set->rows[i] == NULL) {
            use_kept(set, i, k);
        }
    }
}

static void drop_kept(void)
{
    map_entry entry;

    for (size_t at = 0; kept != NULL && map_next(kept, &at, &entry);) {
        kept_rows *k = entry.value;

        k->is_dropped = true;
        if (k->users == 0) {
            free_kept(k);
        }
    }
    map_free(kept);
    kept = map_create(NULL);
    kept_bytes = 0;
}

static void keep(delete_set *set, const str *keys)
{
    for (size_t i = 0; i < set->count; i++) {
        kept_rows *k;

        if (str_is_null(keys[i]) || set->kept[i] != NULL) {
            continue;
        }
        (void)rows_of(set, (uint32_t)i); /* none at all is worth knowing too */
        k = NEW(kept_rows);
        k->rows = set->rows[i];
        k->size_bytes = row_set_size_bytes(k->rows) + keys[i].size;
        if (kept == NULL || kept_bytes + k->size_bytes > KEPT_MAX) {
            drop_kept();
        }
        kept_bytes += k->size_bytes;
        (void)map_set(kept, keys[i], k);
        use_kept(set, i, k);
    }
}

static bool is_needed(const delete_set *set, const position_query *query)
{
    for (size_t i = 0; i < query->count; i++) {
        for (size_t k = 0; k < query->targets[i].count; k++) {
            if (set->kept[query->targets[i].items[k]] == NULL) {
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
        return damaged(err);
    }
    queries = ARENA_ARRAY(a, position_query, count);
    for (uint32_t i = 0; i < count; i++) {
        TRY(read_position_query(set, r, a, &queries[i], err));
    }
    keys = make_keys(set, queries, count, a);
    take_kept(set, keys);
    for (uint32_t i = 0; i < count; i++) {
        if (is_needed(set, &queries[i])) {
            TRY(run_position_query(s, set, &queries[i], a, ret_is_fatal, err));
        }
    }
    keep(set, keys);
    return STATUS_OK;
}

static status load(session *s, delete_set *set, wire_reader *r, bool *ret_is_fatal, error *err)
{
    TRY(read_files(set, r, err));
    TRY(load_vectors(set, r, err));
    arena *a = arena_create();
    status result = load_positions(s, set, r, a, ret_is_fatal, err);
    arena_free(a);
    return result;
}

status delete_sets_load(session *s, wire_reader *r, bool *ret_is_fatal, error *err)
{
    arena *memory = arena_create();
    delete_set *set = ARENA_NEW(memory, delete_set);
    uint32_t handle = wire_get_u32(r);
    status result;

    set->memory = memory;
    /* The server counts them up, one for each attempt. */
    if (r->failed || handle < sets.count || handle > sets.count + HANDLES_SKIPPED_MAX) {
        result = damaged(err);
    } else {
        result = load(s, set, r, ret_is_fatal, err);
    }
    if (result != STATUS_OK) {
        arena_free(memory);
        return result;
    }
    while (sets.count < handle) {
        vec_push(NULL, &sets, NULL);
    }
    vec_push(NULL, &sets, set);
    return STATUS_OK;
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

/* --- functions --- */

/* The set that a number speaks of, and the place of the scan's first file in it. */
static const delete_set *find_set(int64_t number, uint64_t *ret_first)
{
    uint64_t handle = (uint64_t)number >> 32;

    *ret_first = (uint64_t)number & UINT32_MAX;
    return handle < sets.count ? sets.items[handle] : NULL;
}

static void *input(duck_chunk *chunk, duck_index column)
{
    return duck.vector_get_data(duck.data_chunk_get_vector(chunk, column));
}

static void alive_call(duck_function_info *info, duck_chunk *chunk, duck_vector *output)
{
    const int64_t *numbers = input(chunk, 0);
    const uint64_t *file_indexes = input(chunk, 1);
    const int64_t *rows = input(chunk, 2);
    bool *alive = duck.vector_get_data(output);
    uint64_t size = duck.data_chunk_get_size(chunk);

    for (uint64_t at = 0, end; at < size; at = end) {
        uint64_t first;
        const delete_set *set = find_set(numbers[at], &first);

        for (end = at + 1; end < size && file_indexes[end] == file_indexes[at]; end++) {}
        if (set == NULL || first + file_indexes[at] >= set->count) {
            duck.scalar_function_set_error(info, "deleted rows are not loaded");
            return;
        }
        if (set->rows[first + file_indexes[at]] != NULL) {
            row_set_find_missing(set->rows[first + file_indexes[at]], rows + at, end - at,
                                 alive + at);
        } else {
            memset(alive + at, true, end - at);
        }
    }
}

static void look_up(duck_function_info *info, duck_chunk *chunk, duck_vector *output,
                    bool partitions)
{
    const int64_t *numbers = input(chunk, 0);
    const uint64_t *file_indexes = input(chunk, 1);
    int64_t *result = duck.vector_get_data(output);
    uint64_t size = duck.data_chunk_get_size(chunk);

    for (uint64_t i = 0; i < size; i++) {
        uint64_t first;
        const delete_set *set = find_set(numbers[i], &first);

        if (set == NULL || first + file_indexes[i] >= set->count) {
            duck.scalar_function_set_error(info, "delete files are not loaded");
            return;
        }
        result[i] = (partitions ? set->partitions : set->sequences)[first + file_indexes[i]];
    }
}

static void sequence_call(duck_function_info *info, duck_chunk *chunk, duck_vector *output)
{
    look_up(info, chunk, output, false);
}

static void partition_call(duck_function_info *info, duck_chunk *chunk, duck_vector *output)
{
    look_up(info, chunk, output, true);
}

typedef struct function {
    const char *name;
    duck_type parameters[3]; /* INVALID: there are fewer */
    duck_type result;
    duck_scalar_call call;
} function;

static const function functions[] = {
    {"tarn_alive", {DUCK_BIGINT, DUCK_UBIGINT, DUCK_BIGINT}, DUCK_BOOLEAN, alive_call},
    {"tarn_sequence", {DUCK_BIGINT, DUCK_UBIGINT}, DUCK_BIGINT, sequence_call},
    {"tarn_partition", {DUCK_BIGINT, DUCK_UBIGINT}, DUCK_BIGINT, partition_call},
};

static void add_parameter(duck_scalar_function *f, duck_type id)
{
    duck_logical_type *type = duck.create_logical_type(id);

    duck.scalar_function_add_parameter(f, type);
    duck.destroy_logical_type(&type);
}

static bool add_function(duck_connection *connection, const function *f)
{
    duck_scalar_function *made = duck.create_scalar_function();
    duck_logical_type *result = duck.create_logical_type(f->result);
    bool is_added;

    duck.scalar_function_set_name(made, f->name);
    for (size_t i = 0; i < COUNT_OF(f->parameters) && f->parameters[i] != DUCK_INVALID; i++) {
        add_parameter(made, f->parameters[i]);
    }
    duck.scalar_function_set_return_type(made, result);
    duck.scalar_function_set_function(made, f->call);
    is_added = duck.register_scalar_function(connection, made) == DUCK_SUCCESS;
    duck.destroy_logical_type(&result);
    duck.destroy_scalar_function(&made);
    return is_added;
}

status delete_sets_add_functions(duck_connection *connection, error *err)
{
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        if (!add_function(connection, &functions[i])) {
            return error_set(err, STATUS_UNAVAILABLE, "DuckDB does not take the function \"%s\"",
                             functions[i].name);
        }
    }
    return STATUS_OK;
}

/* Rows that equality delete files take away: which ones is found out by queries (the message has them) over the
 * columns that are compared, once for each data file and the deletes that apply to it, and kept. */
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/codec/checksum.h"
#include "worker/cursor.h"
#include "worker/delete_rows.h"

/* A query that yields file_index and file_row_number, once or more, of the rows that are gone from the data files
 * with the numbers from `first` on. */
typedef struct match_query {
    str sql;
    uint32_t first, count;
} match_query;

static status read_query(const delete_set *set, wire_reader *r, arena *a, match_query *ret_query,
                         error *err)
{
    match_query query = {.sql = str_copy(a, wire_get_str(r))};

    query.first = wire_get_u32(r);
    query.count = wire_get_u32(r);
    if (r->failed || query.first > set->count || query.count > set->count - query.first) {
        return delete_message_damaged(err);
    }
    *ret_query = query;
    return STATUS_OK;
}

static status take_chunk(delete_set *set, const match_query *query, duck_chunk *chunk, error *err)
{
    const uint64_t *files = duck.vector_get_data(duck.data_chunk_get_vector(chunk, 0));
    const int64_t *rows = duck.vector_get_data(duck.data_chunk_get_vector(chunk, 1));
    uint64_t size = duck.data_chunk_get_size(chunk);

    for (uint64_t at = 0, end; at < size; at = end) {
        row_set *found;

        for (end = at + 1; end < size && files[end] == files[at]; end++) {}
        if (files[at] >= query->count) {
            return delete_message_damaged(err);
        }
        found = delete_layer_rows(&set->layers[DELETED_BY_VALUE], query->first + files[at]);
        if (found != NULL) {
            row_set_add(found, rows + at, end - at);
        }
    }
    return STATUS_OK;
}

static status run_query(session *s, delete_set *set, const match_query *query, bool *ret_is_fatal,
                        error *err)
{
    cursor_options options = {.sql = query->sql};
    arena *a = arena_create();
    duck_chunk *chunk = NULL;
    cursor c;
    status result = cursor_open(s, &options, a, &c, err);

    while (result == STATUS_OK) {
        result = cursor_next(&c, &chunk, err);
        if (result != STATUS_OK || chunk == NULL) {
            break;
        }
        result = take_chunk(set, query, chunk, err);
        duck.destroy_data_chunk(&chunk);
    }
    *ret_is_fatal = c.is_fatal;
    cursor_close(&c);
    arena_free(a);
    return result;
}

/* --- what is kept --- */

typedef struct path_list {
    str *keys; /* what each file is; STR_NULL: it is not there */
    size_t count;
} path_list;

static status read_paths(wire_reader *r, arena *a, path_list *ret_paths, error *err)
{
    path_list paths = {.count = wire_get_u32(r)};

    if (r->failed || paths.count > (size_t)(r->end - r->at)) {
        return delete_message_damaged(err);
    }
    paths.keys = ARENA_ARRAY(a, str, paths.count);
    for (size_t i = 0; i < paths.count; i++) {
        buf *key = buf_in(a, LIMIT_MIB);

        delete_put_file_key(str_copy(a, wire_get_str(r)), key);
        paths.keys[i] = key->failed ? STR_NULL : buf_str(key);
    }
    *ret_paths = paths;
    return STATUS_OK;
}

/* How the data file is read and what applies to it, as a digest; STR_NULL where a file is not there. */
static status read_key(wire_reader *r, const path_list *paths, arena *a, str *ret_key, error *err)
{
    str text = wire_get_str(r);
    uint32_t count = wire_get_u32(r);
    digester *d = digester_create(DIGEST_SHA256);
    uint8_t *sum = ARENA_ARRAY(a, uint8_t, DIGEST_SIZE_MAX);
    bool is_complete = true;

    digester_add(d, &text.size, sizeof(text.size));
    digester_add(d, text.data, text.size);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        uint32_t index = wire_get_u32(r);

        if (index >= paths->count) {
            r->failed = true;
            break;
        }
        is_complete = is_complete && !str_is_null(paths->keys[index]);
        digester_add(d, paths->keys[index].data, paths->keys[index].size);
    }
    digester_finish(d, sum);
    *ret_key = is_complete ? str_from((const char *)sum, digest_size(DIGEST_SHA256)) : STR_NULL;
    return r->failed ? delete_message_damaged(err) : STATUS_OK;
}

static status read_keys(const delete_set *set, wire_reader *r, arena *a, str **ret_keys, error *err)
{
    path_list paths;
    uint32_t count;
    str *keys = ARENA_ARRAY(a, str, set->count);

    TRY(read_paths(r, a, &paths, err));
    count = wire_get_u32(r);
    for (uint32_t i = 0; i < count && !r->failed; i++) {
        uint32_t number = wire_get_u32(r);

        if (r->failed || number >= set->count) {
            return delete_message_damaged(err);
        }
        TRY(read_key(r, &paths, a, &keys[number], err));
    }
    *ret_keys = keys;
    return r->failed ? delete_message_damaged(err) : STATUS_OK;
}

static bool is_needed(const delete_set *set, const match_query *query)
{
    for (uint32_t i = 0; i < query->count; i++) {
        if (set->layers[DELETED_BY_VALUE].kept[query->first + i] == NULL) {
            return true;
        }
    }
    return false;
}

static status load(session *s, delete_set *set, wire_reader *r, arena *a, bool *ret_is_fatal,
                   error *err)
{
    uint32_t count = wire_get_u32(r);
    delete_layer *layer = &set->layers[DELETED_BY_VALUE];
    match_query *queries;
    str *keys;

    if (r->failed || count > (size_t)(r->end - r->at)) {
        return delete_message_damaged(err);
    }
    queries = ARENA_ARRAY(a, match_query, count);
    for (uint32_t i = 0; i < count; i++) {
        TRY(read_query(set, r, a, &queries[i], err));
    }
    TRY(read_keys(set, r, a, &keys, err));
    delete_layer_take_kept(layer, keys, set->count);
    for (uint32_t i = 0; i < count; i++) {
        if (is_needed(set, &queries[i])) {
            TRY(run_query(s, set, &queries[i], ret_is_fatal, err));
        }
    }
    delete_layer_keep(layer, keys, set->count);
    return STATUS_OK;
}

status delete_matches_load(session *s, delete_set *set, wire_reader *r, bool *ret_is_fatal,
                           error *err)
{
    arena *a = arena_create();
    status result = load(s, set, r, a, ret_is_fatal, err);

    arena_free(a);
    return result;
}

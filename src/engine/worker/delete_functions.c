/* The functions that DuckDB's threads ask loaded sets with while a query runs. Sets do not change in between, so
 * nothing is locked. */
#include "tarn/base/mem.h"
#include "worker/delete_rows.h"

static void *input(duck_chunk *chunk, duck_index column)
{
    return duck.vector_get_data(duck.data_chunk_get_vector(chunk, column));
}

/* Rows of one file. */
static void find_alive(const delete_set *set, uint64_t file, const int64_t *rows, size_t count,
                       bool *ret_alive)
{
    bool more[256];
    const row_set *by_number = set->layers[DELETED_BY_NUMBER].rows[file];
    const row_set *by_value = set->layers[DELETED_BY_VALUE].rows[file];
    const row_set *first = by_number != NULL ? by_number : by_value;

    if (first == NULL) {
        memset(ret_alive, true, count);
        return;
    }
    row_set_find_missing(first, rows, count, ret_alive);
    if (by_number == NULL || by_value == NULL) {
        return;
    }
    for (size_t at = 0, taken; at < count; at += taken) {
        taken = count - at < COUNT_OF(more) ? count - at : COUNT_OF(more);
        row_set_find_missing(by_value, rows + at, taken, more);
        for (size_t i = 0; i < taken; i++) {
            ret_alive[at + i] = ret_alive[at + i] && more[i];
        }
    }
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
        const delete_set *set = delete_set_find(numbers[at], &first);

        for (end = at + 1; end < size && file_indexes[end] == file_indexes[at]; end++) {}
        if (set == NULL || first + file_indexes[at] >= set->count) {
            duck.scalar_function_set_error(info, "deleted rows are not loaded");
            return;
        }
        find_alive(set, first + file_indexes[at], rows + at, end - at, alive + at);
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
        const delete_set *set = delete_set_find(numbers[i], &first);

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

/* duck.h: the part of DuckDB's C API that tarn uses, in tarn's own declarations.
 *
 * The library is opened at run time, in the worker process alone. DUCK_API_TABLE is the whole list of
 * functions in use; a function that is missing from the library is an error at start, not at first use.
 * Handles are opaque; what is created is destroyed by the matching function, through a pointer to the
 * handle, which becomes NULL. Not here: what the functions are used for. */
#ifndef TARN_ENGINE_DUCK_H
#define TARN_ENGINE_DUCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/error.h"
#include "tarn/codec/arrow.h"

#define DUCK_VERSION_PREFIX "v1.5." /* what duckdb_library_version must begin with */

typedef uint64_t duck_index;
typedef int duck_state; /* 0: success */
#define DUCK_SUCCESS 0

typedef struct duck_database duck_database;
typedef struct duck_connection duck_connection;
typedef struct duck_config duck_config;
typedef struct duck_prepared duck_prepared;
typedef struct duck_pending duck_pending;
typedef struct duck_chunk duck_chunk;
typedef struct duck_vector duck_vector;
typedef struct duck_logical_type duck_logical_type;
typedef struct duck_value duck_value;
typedef struct duck_failure duck_failure; /* duckdb_error_data */
typedef struct duck_arrow_options duck_arrow_options;
typedef struct duck_scalar_function duck_scalar_function;
typedef struct duck_function_info duck_function_info;
typedef struct duck_aggregate_function duck_aggregate_function;
typedef struct duck_aggregate_state
    duck_aggregate_state; /* as many bytes as the function asks for */

/* Passed by value in places: the layout is the library's. */
typedef struct duck_result {
    uint64_t reserved_counts[3];
    void *reserved_columns;
    char *reserved_message;
    void *internal;
} duck_result;

/* Layouts of values in vectors. */
typedef struct duck_hugeint {
    uint64_t lower;
    int64_t upper;
} duck_hugeint;

typedef struct duck_interval {
    int32_t months;
    int32_t days;
    int64_t micros;
} duck_interval;

typedef struct duck_list_entry {
    uint64_t offset;
    uint64_t length;
} duck_list_entry;

typedef union duck_string {
    struct {
        uint32_t size;
        char prefix[4];
        const char *data;
    } far;
    struct {
        uint32_t size;
        char data[12];
    } near;
} duck_string;

static inline uint32_t duck_string_size(const duck_string *s)
{
    return s->near.size;
}
static inline const char *duck_string_data(const duck_string *s)
{
    return s->near.size <= sizeof(s->near.data) ? s->near.data : s->far.data;
}

/*  type         number of the C API */
#define DUCK_TYPE_TABLE(X) \
    X(INVALID, 0)          \
    X(BOOLEAN, 1)          \
    X(TINYINT, 2)          \
    X(SMALLINT, 3)         \
    X(INTEGER, 4)          \
    X(BIGINT, 5)           \
    X(UTINYINT, 6)         \
    X(USMALLINT, 7)        \
    X(UINTEGER, 8)         \
    X(UBIGINT, 9)          \
    X(FLOAT, 10)           \
    X(DOUBLE, 11)          \
    X(TIMESTAMP, 12)       \
    X(DATE, 13)            \
    X(TIME, 14)            \
    X(INTERVAL, 15)        \
    X(HUGEINT, 16)         \
    X(VARCHAR, 17)         \
    X(BLOB, 18)            \
    X(DECIMAL, 19)         \
    X(TIMESTAMP_S, 20)     \
    X(TIMESTAMP_MS, 21)    \
    X(TIMESTAMP_NS, 22)    \
    X(ENUM, 23)            \
    X(LIST, 24)            \
    X(STRUCT, 25)          \
    X(MAP, 26)             \
    X(UUID, 27)            \
    X(UNION, 28)           \
    X(BIT, 29)             \
    X(TIME_TZ, 30)         \
    X(TIMESTAMP_TZ, 31)    \
    X(UHUGEINT, 32)        \
    X(ARRAY, 33)           \
    X(ANY, 34)             \
    X(BIGNUM, 35)          \
    X(SQLNULL, 36)         \
    X(TIME_NS, 39)         \
    X(GEOMETRY, 40)        \
    X(VARIANT, 41)

typedef enum duck_type {
#define X(name, number) DUCK_##name = (number),
    DUCK_TYPE_TABLE(X)
#undef X
} duck_type;

typedef void (*duck_scalar_call)(duck_function_info *info, duck_chunk *input, duck_vector *output);
typedef duck_index (*duck_aggregate_size)(duck_function_info *info);
typedef void (*duck_aggregate_init)(duck_function_info *info, duck_aggregate_state *state);
typedef void (*duck_aggregate_update)(duck_function_info *info, duck_chunk *input,
                                      duck_aggregate_state **states);
typedef void (*duck_aggregate_combine)(duck_function_info *info, duck_aggregate_state **source,
                                       duck_aggregate_state **target, duck_index count);
typedef void (*duck_aggregate_finalize)(duck_function_info *info, duck_aggregate_state **states,
                                        duck_vector *result, duck_index count, duck_index offset);
typedef void (*duck_aggregate_destroy)(duck_aggregate_state **states, duck_index count);

/* clang-format off */
/*  returns            name (without "duckdb_")     parameters */
#define DUCK_API_TABLE(X)                                                                                        \
    X(const char *,        library_version,             (void))                                                  \
    X(void,                free,                        (void *memory))                                          \
    X(duck_state,          create_config,               (duck_config **ret))                                     \
    X(duck_state,          set_config,                  (duck_config *c, const char *name, const char *value))   \
    X(void,                destroy_config,              (duck_config **c))                                       \
    X(duck_state,          open_ext,                    (const char *path, duck_database **ret, duck_config *c, char **ret_message)) \
    X(duck_state,          connect,                     (duck_database *db, duck_connection **ret))              \
    X(void,                disconnect,                  (duck_connection **c))                                   \
    X(void,                interrupt,                   (duck_connection *c))                                    \
    X(duck_state,          query,                       (duck_connection *c, const char *sql, duck_result *ret)) \
    X(void,                destroy_result,              (duck_result *r))                                        \
    X(const char *,        result_error,                (duck_result *r))                                        \
    X(duck_index,          column_count,                (duck_result *r))                                        \
    X(const char *,        column_name,                 (duck_result *r, duck_index column))                     \
    X(duck_logical_type *, column_logical_type,         (duck_result *r, duck_index column))                     \
    X(duck_arrow_options *, result_get_arrow_options,   (duck_result *r))                                        \
    X(void,                destroy_arrow_options,       (duck_arrow_options **o))                                \
    X(duck_chunk *,        fetch_chunk,                 (duck_result r))                                         \
    X(duck_state,          prepare,                     (duck_connection *c, const char *sql, duck_prepared **ret)) \
    X(void,                destroy_prepare,             (duck_prepared **p))                                     \
    X(const char *,        prepare_error,               (duck_prepared *p))                                      \
    X(duck_index,          nparams,                     (duck_prepared *p))                                      \
    X(const char *,        parameter_name,              (duck_prepared *p, duck_index index))                    \
    X(duck_state,          bind_parameter_index,        (duck_prepared *p, duck_index *ret, const char *name))   \
    X(duck_state,          bind_value,                  (duck_prepared *p, duck_index index, duck_value *v))     \
    X(duck_index,          prepared_statement_column_count, (duck_prepared *p))                                  \
    X(const char *,        prepared_statement_column_name, (duck_prepared *p, duck_index column))                \
    X(duck_logical_type *, prepared_statement_column_logical_type, (duck_prepared *p, duck_index column))        \
    X(void,                destroy_pending,             (duck_pending **p))                                      \
    X(const char *,        pending_error,               (duck_pending *p))                                       \
    X(duck_state,          execute_pending,             (duck_pending *p, duck_result *ret))                     \
    X(duck_value *,        create_null_value,           (void))                                                  \
    X(duck_value *,        create_bool,                 (bool value))                                            \
    X(duck_value *,        create_int32,                (int32_t value))                                         \
    X(duck_value *,        create_int64,                (int64_t value))                                         \
    X(duck_value *,        create_double,               (double value))                                          \
    X(duck_value *,        create_varchar_length,       (const char *text, duck_index size))                     \
    X(void,                destroy_value,               (duck_value **v))                                        \
    X(char *,              get_varchar,                 (duck_value *v))                                         \
    X(int,                 get_type_id,                 (duck_logical_type *t))                                  \
    X(char *,              logical_type_get_alias,      (duck_logical_type *t))                                  \
    X(duck_logical_type *, create_logical_type,         (int type))                                              \
    X(void,                destroy_logical_type,        (duck_logical_type **t))                                 \
    X(uint8_t,             decimal_width,               (duck_logical_type *t))                                  \
    X(uint8_t,             decimal_scale,               (duck_logical_type *t))                                  \
    X(int,                 decimal_internal_type,       (duck_logical_type *t))                                  \
    X(int,                 enum_internal_type,          (duck_logical_type *t))                                  \
    X(uint32_t,            enum_dictionary_size,        (duck_logical_type *t))                                  \
    X(char *,              enum_dictionary_value,       (duck_logical_type *t, duck_index index))                \
    X(duck_logical_type *, list_type_child_type,        (duck_logical_type *t))                                  \
    X(duck_logical_type *, array_type_child_type,       (duck_logical_type *t))                                  \
    X(duck_index,          array_type_array_size,       (duck_logical_type *t))                                  \
    X(duck_logical_type *, map_type_key_type,           (duck_logical_type *t))                                  \
    X(duck_logical_type *, map_type_value_type,         (duck_logical_type *t))                                  \
    X(duck_index,          struct_type_child_count,     (duck_logical_type *t))                                  \
    X(char *,              struct_type_child_name,      (duck_logical_type *t, duck_index index))                \
    X(duck_logical_type *, struct_type_child_type,      (duck_logical_type *t, duck_index index))                \
    X(duck_index,          union_type_member_count,     (duck_logical_type *t))                                  \
    X(char *,              union_type_member_name,      (duck_logical_type *t, duck_index index))                \
    X(duck_logical_type *, union_type_member_type,      (duck_logical_type *t, duck_index index))                \
    X(void,                destroy_data_chunk,          (duck_chunk **c))                                        \
    X(duck_index,          data_chunk_get_size,         (duck_chunk *c))                                         \
    X(duck_vector *,       data_chunk_get_vector,       (duck_chunk *c, duck_index column))                      \
    X(duck_logical_type *, vector_get_column_type,      (duck_vector *v))                                        \
    X(void *,              vector_get_data,             (duck_vector *v))                                        \
    X(uint64_t *,          vector_get_validity,         (duck_vector *v))                                        \
    X(void,                vector_ensure_validity_writable, (duck_vector *v))                                    \
    X(duck_vector *,       list_vector_get_child,       (duck_vector *v))                                        \
    X(duck_vector *,       array_vector_get_child,      (duck_vector *v))                                        \
    X(duck_vector *,       struct_vector_get_child,     (duck_vector *v, duck_index index))                      \
    X(duck_failure *,      to_arrow_schema,             (duck_arrow_options *o, duck_logical_type **types, const char **names, duck_index count, struct ArrowSchema *ret)) \
    X(duck_failure *,      data_chunk_to_arrow,         (duck_arrow_options *o, duck_chunk *c, struct ArrowArray *ret)) \
    X(const char *,        error_data_message,          (duck_failure *f))                                       \
    X(bool,                error_data_has_error,        (duck_failure *f))                                       \
    X(void,                destroy_error_data,          (duck_failure **f))                                      \
    X(duck_scalar_function *, create_scalar_function,   (void))                                                  \
    X(void,                destroy_scalar_function,     (duck_scalar_function **f))                              \
    X(void,                scalar_function_set_name,    (duck_scalar_function *f, const char *name))             \
    X(void,                scalar_function_add_parameter, (duck_scalar_function *f, duck_logical_type *t))       \
    X(void,                scalar_function_set_return_type, (duck_scalar_function *f, duck_logical_type *t))     \
    X(void,                scalar_function_set_function, (duck_scalar_function *f, duck_scalar_call call))       \
    X(void,                scalar_function_set_error,   (duck_function_info *info, const char *message))         \
    X(duck_state,          register_scalar_function,    (duck_connection *c, duck_scalar_function *f))           \
    X(duck_aggregate_function *, create_aggregate_function, (void))                                              \
    X(void,                destroy_aggregate_function,  (duck_aggregate_function **f))                           \
    X(void,                aggregate_function_set_name, (duck_aggregate_function *f, const char *name))          \
    X(void,                aggregate_function_add_parameter, (duck_aggregate_function *f, duck_logical_type *t)) \
    X(void,                aggregate_function_set_return_type, (duck_aggregate_function *f, duck_logical_type *t)) \
    X(void,                aggregate_function_set_functions, (duck_aggregate_function *f, duck_aggregate_size size, duck_aggregate_init init, duck_aggregate_update update, duck_aggregate_combine combine, duck_aggregate_finalize finalize)) \
    X(void,                aggregate_function_set_destructor, (duck_aggregate_function *f, duck_aggregate_destroy destroy)) \
    X(void,                aggregate_function_set_error, (duck_function_info *info, const char *message))        \
    X(duck_state,          register_aggregate_function, (duck_connection *c, duck_aggregate_function *f))        \
    X(void,                vector_assign_string_element_len, (duck_vector *v, duck_index index, const char *text, duck_index size))

/* Deprecated by DuckDB without a successor (reference: a result can be streamed only through these). Used in
 * worker/stream.c alone. */
#define DUCK_DEPRECATED_TABLE(X)                                                                                 \
    X(duck_state,          pending_prepared_streaming,  (duck_prepared *p, duck_pending **ret))                  \
    X(duck_chunk *,        stream_fetch_chunk,          (duck_result r))
/* clang-format on */

typedef struct duck_api {
#define X(returns, name, parameters) returns(*name) parameters;
    DUCK_API_TABLE(X)
    DUCK_DEPRECATED_TABLE(X)
#undef X
} duck_api;

extern duck_api duck; /* filled by duck_load, once, before any thread starts */

/* Opens the library ("libduckdb.so" alone: wherever the system finds it). UNAVAILABLE with the cure where it is
 * missing, of another version, or lacks a function. */
status duck_load(const char *path, error *err);

#endif

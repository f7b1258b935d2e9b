/* The database of a worker. The order of the settings is what makes them a wall: folders are named while external
 * access is on, then it goes off, and the lock comes last. */
#include "worker/session.h"

#include "protocol.h"
#include "tarn/base/limits.h"
#include "tarn/engine/worker.h"
#include "worker/delete_sets.h"
#include "worker/types.h"

/* What the server may still set on a locked database, for a query: its text never reaches the worker with a SET of the
 * user's (sql analysis), and none of these opens a way out. Reset by session_reset. */
static const char *const open_settings[] = {
    "disabled_optimizers",
    "memory_limit",
    "preserve_insertion_order",
    "threads",
    "search_path",
    "schema",
    "partitioned_write_max_open_files",
    "explain_output",
    "errors_as_json",
    "TimeZone",
    "parquet_metadata_cache",
    "partitioned_write_flush_threshold",
};

/* Reset: those of the above that belong to the database; the rest goes with the connection. */
static const char *const global_settings[] = {
    "disabled_optimizers",
    "preserve_insertion_order",
    "partitioned_write_max_open_files",
    "partitioned_write_flush_threshold",
    "explain_output",
    "parquet_metadata_cache",
    "memory_limit",
    "threads",
};
_Static_assert(COUNT_OF(global_settings) <= 32, "session.named has a bit for each");

static status option_failed(error *err, const char *name)
{
    return error_set(err, STATUS_UNAVAILABLE, "DuckDB does not take the setting \"%s\"", name);
}

/* --- opening --- */

typedef struct open_option {
    const char *name;
    const char *value;
} open_option;

static status make_config(const session_options *options, arena *a, duck_config **ret_config,
                          error *err)
{
    const open_option list[] = {
        {"threads", arena_printf(a, "%d", options->threads)},
        {"memory_limit", arena_printf(a, "%lldB", (long long)options->memory_bytes)},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"allow_unsigned_extensions", "false"},
        {"allocator_background_threads", "false"},
        {"custom_user_agent", "tarn"},
    };
    duck_config *config = NULL;

    if (duck.create_config(&config) != DUCK_SUCCESS) {
        return option_failed(err, "config");
    }
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        if (duck.set_config(config, list[i].name, list[i].value) != DUCK_SUCCESS) {
            duck.destroy_config(&config);
            return option_failed(err, list[i].name);
        }
    }
    *ret_config = config;
    return STATUS_OK;
}

static void put_text_list(buf *out, const session_options *options)
{
    buf_add_char(out, '[');
    sql_quote_text(out, options->in);
    buf_add_char(out, ',');
    sql_quote_text(out, options->out);
    for (size_t i = 0; i < options->root_count; i++) {
        buf_add_char(out, ',');
        sql_quote_text(out, options->roots[i]);
    }
    buf_add_char(out, ']');
}

/* Where a file that the server hands over will be. */
static void put_held_list(buf *out)
{
    for (int i = 0; i < WORKER_HELD_COUNT; i++) {
        buf_printf(out, "%s'" WORKER_HELD_FOLDER "/%d'", i == 0 ? "[" : ",", WORKER_HELD_FIRST + i);
    }
    buf_add_char(out, ']');
}

static void put_open_settings(buf *out)
{
    for (size_t i = 0; i < COUNT_OF(open_settings); i++) {
        buf_printf(out, "%s'%s'", i == 0 ? "[" : ",", open_settings[i]);
    }
    buf_add_char(out, ']');
}

static str settings_sql(const session_options *options, arena *a)
{
    buf *sql = buf_in(a, LIMIT_MIB);
    str spill = str_concat(a, options->out, STR("/spill"));

    buf_add_c(sql, "SET allowed_directories = ");
    put_text_list(sql, options);
    buf_add_c(sql, "; SET allowed_paths = ");
    put_held_list(sql);
    buf_add_c(sql, "; SET temp_directory = ");
    sql_quote_text(sql, spill);
    if (options->temp_bytes > 0) {
        buf_printf(sql, "; SET max_temp_directory_size = '%lldB'", (long long)options->temp_bytes);
    }
    buf_add_c(sql, "; SET allow_persistent_secrets = false; SET secret_directory = ");
    sql_quote_text(sql, spill);
    buf_add_c(sql, "; SET enable_external_access = false; SET allowed_configs = ");
    put_open_settings(sql);
    buf_add_c(sql, "; SET lock_configuration = true");
    return buf_str(sql);
}

duck_connection *session_use(session *s, duck_connection *connection)
{
    duck_connection *before;

    mutex_lock(&s->lock);
    before = s->connection;
    s->connection = connection;
    mutex_unlock(&s->lock);
    return before;
}

/* What belongs to a connection. */
static status set_up(session *s, error *err)
{
    bool is_fatal;

    return session_exec(s, STR("SET errors_as_json = true; SET TimeZone = 'UTC'"), &is_fatal, err);
}

static status connect_again(session *s, error *err)
{
    duck_connection *connection = NULL;
    duck_connection *old;

    if (duck.connect(s->database, &connection) != DUCK_SUCCESS) {
        return error_set(err, STATUS_UNAVAILABLE, "DuckDB does not accept a connection");
    }
    old = session_use(s, connection);
    if (old != NULL) {
        duck.disconnect(&old);
    }
    return set_up(s, err);
}

static status fresh_catalog(session *s, error *err)
{
    bool is_fatal;

    return session_exec(s, STR("ATTACH ':memory:' AS tarn; USE tarn"), &is_fatal, err);
}

static str parent_folder(str path)
{
    size_t slash = str_find_last_char(path, '/');

    return slash == STR_NPOS ? path : str_slice(path, 0, slash);
}

status session_open(const session_options *options, session *s, error *err)
{
    arena *a = arena_create();
    duck_config *config;
    char *message = NULL;
    status result = make_config(options, a, &config, err);

    *s = (session){.options = options, .folder = parent_folder(parent_folder(options->in))};
    mutex_init(&s->lock);
    if (result == STATUS_OK) {
        if (duck.open_ext(NULL, &s->database, config, &message) != DUCK_SUCCESS) {
            result = error_set(err, STATUS_UNAVAILABLE, "DuckDB cannot be opened: %s",
                               message != NULL ? message : "");
            duck.free(message);
        }
        duck.destroy_config(&config);
    }
    if (result == STATUS_OK && duck.connect(s->database, &s->connection) != DUCK_SUCCESS) {
        result = error_set(err, STATUS_UNAVAILABLE, "DuckDB does not accept a connection");
    }
    if (result == STATUS_OK) {
        bool is_fatal;

        result = session_exec(s, settings_sql(options, a), &is_fatal, err);
    }
    if (result == STATUS_OK) {
        result = session_add_functions(s->connection, err);
    }
    if (result == STATUS_OK) {
        result = session_add_theta(s->connection, err);
    }
    if (result == STATUS_OK) {
        result = delete_sets_add_functions(s->connection, err);
        types_learn_keywords(s->connection);
    }
    if (result == STATUS_OK) {
        result = connect_again(s, err);
    }
    if (result == STATUS_OK) {
        result = fresh_catalog(s, err);
    }
    arena_free(a);
    return result;
}

/* --- reset --- */

void session_note(session *s, str sql)
{
    arena *a = arena_create();
    str lower = str_lower(a, sql);

    for (size_t i = 0; i < COUNT_OF(global_settings); i++) {
        if (str_find(lower, str_c(global_settings[i])) != STR_NPOS) {
            s->named |= UINT32_C(1) << i;
        }
    }
    s->may_have_attached = s->may_have_attached || str_find(lower, STR("attach")) != STR_NPOS;
    arena_free(a);
}

/* Settings that no statement has named are what they were: putting each back takes as long as a short query. */
static str reset_sql(const session *s, arena *a)
{
    buf *sql = buf_in(a, LIMIT_MIB);

    buf_add_c(sql, "USE memory; DETACH tarn");
    for (size_t i = 0; i < COUNT_OF(global_settings); i++) {
        str name = str_c(global_settings[i]);

        if ((s->named & UINT32_C(1) << i) == 0) {
            continue;
        }
        if (str_equal(name, STR("memory_limit"))) {
            buf_printf(sql, "; SET memory_limit = '%lldB'", (long long)s->options->memory_bytes);
        } else if (str_equal(name, STR("threads"))) {
            buf_printf(sql, "; SET threads = %d", s->options->threads);
        } else {
            buf_printf(sql, "; RESET %s", global_settings[i]);
        }
    }
    return buf_str(sql);
}

/* Databases that a statement attached. What lies in "memory" is not looked for (it would take longer than most
 * queries): no statement that may reach a worker names that catalog, and the next one is the same principal's. */
static const char leftovers_sql[] =
    "SELECT 1 FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory' "
    "AND NOT starts_with(database_name, '" KEPT_CATALOG "')";

static status check_clean(session *s, error *err)
{
    duck_result result = {.internal = NULL};
    bool is_fatal;
    bool is_clean = false;

    if (duck.query(s->connection, leftovers_sql, &result) != DUCK_SUCCESS) {
        status failed = session_fail(s, STR(""), duck.result_error(&result), &is_fatal, err);

        duck.destroy_result(&result);
        return failed;
    }
    {
        duck_chunk *chunk = duck.fetch_chunk(result);

        is_clean = chunk == NULL || duck.data_chunk_get_size(chunk) == 0;
        if (chunk != NULL) {
            duck.destroy_data_chunk(&chunk);
        }
    }
    duck.destroy_result(&result);
    return is_clean ? STATUS_OK
                    : error_set(err, STATUS_INTERNAL, "the session left something behind");
}

status session_reset(session *s, error *err)
{
    arena *a = arena_create();
    bool is_fatal;
    status result = connect_again(s, err);

    if (result == STATUS_OK) {
        result = session_exec(s, reset_sql(s, a), &is_fatal, err);
    }
    if (result == STATUS_OK && s->may_have_attached) {
        result = check_clean(s, err);
    }
    if (result == STATUS_OK) {
        result = fresh_catalog(s, err);
    }
    s->named = 0;
    s->may_have_attached = false;
    arena_free(a);
    return result;
}

/* --- running --- */

void session_interrupt(session *s)
{
    mutex_lock(&s->lock);
    if (s->connection != NULL) {
        duck.interrupt(s->connection);
    }
    mutex_unlock(&s->lock);
}

status session_check(session *s, error *err)
{
    return atomic_load(&s->interrupted)
               ? error_set(err, STATUS_CANCELLED, "the query was cancelled")
               : STATUS_OK;
}

status session_fail(session *s, str sql, const char *message, bool *is_fatal, error *err)
{
    *is_fatal = translate_error(s->folder, sql, message, err);
    return err->kind;
}

status session_exec(session *s, str sql, bool *is_fatal, error *err)
{
    duck_result result = {.internal = NULL};
    status outcome = STATUS_OK;

    /* Texts of requests and of the functions above are terminated. */
    if (duck.query(s->connection, sql.data, &result) != DUCK_SUCCESS) {
        outcome = session_fail(s, sql, duck.result_error(&result), is_fatal, err);
    }
    duck.destroy_result(&result);
    return outcome;
}

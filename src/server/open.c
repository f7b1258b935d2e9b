/* Opening the modules in their order, and closing them in the other. */
#include "app.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ops/webhooks.h"
#include "rest/idempotent.h"
#include "rest/vend.h"
#include "s3/facts.h"
#include "s3/lifecycle.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/mem.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"
#include "uploads.h"

static const char *below(server *app, const char *name)
{
    return fs_join(app->memory, app->settings->data_path.data, name);
}

static status make_folders(server *app, error *err)
{
    static const char *const folders[] = {"", "run", "secrets", "staging"};

    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        TRY(fs_make_dirs(below(app, folders[i]), 0700, err));
    }
    return STATUS_OK;
}

typedef VEC(state_migration) migration_list;

static void add_migrations(server *app, migration_list *all, const state_migration *some,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vec_push(app->memory, all, some[i]);
    }
}

static bool is_unsafe(const server *app)
{
    return str_equal(setting_text(app->settings, SETTING_DURABILITY), STR("unsafe"));
}

static status open_state(server *app, error *err)
{
    migration_list all = {0};
    const state_options options = {.path = below(app, "tarn.db"), .unsafe = is_unsafe(app)};

    add_migrations(app, &all, store_migrations, store_migration_count);
    add_migrations(app, &all, access_migrations, access_migration_count);
    add_migrations(app, &all, catalog_migrations, catalog_migration_count);
    return state_open(&options, all.items, all.count, &app->state, err);
}

static bool lies_in(arena *a, const char *path, const char *folder)
{
    str inside = str_printf(a, "%s%s", folder, str_equal(str_c(folder), STR("/")) ? "" : "/");
    return strcmp(path, folder) == 0 || str_starts_with(str_c(path), inside);
}

/* A root around the data directory is one that workers may not read (open_workers); inside it nothing is anybody's. */
static status refuse_inner_root(const server *app, str root, error *err)
{
    char data[PATH_MAX], folder[PATH_MAX];

    if (realpath(app->settings->data_path.data, data) == NULL ||
        realpath(str_to_c(app->memory, root), folder) == NULL) {
        return error_errno(err, STATUS_IO, errno, "cannot resolve \"%.*s\"", STR_ARG(root));
    }
    if (lies_in(app->memory, folder, data)) {
        error_set(err, STATUS_USAGE,
                  "setting \"warehouse.roots\": folder \"%.*s\" lies in the data directory \"%s\"",
                  STR_ARG(root), data);
        error_hint(err, "Name a folder of its own.");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* They have to be there before the first worker starts: its sandbox opens folders that exist. */
static status make_roots(const server *app, const setting_value *roots, error *err)
{
    for (size_t i = 0; i < roots->list_count; i++) {
        status made = fs_make_dirs_synced(str_to_c(app->memory, roots->list[i]), 0755, err);
        if (made != STATUS_OK) {
            error_context(err, "setting \"warehouse.roots\"");
            return made;
        }
        TRY(refuse_inner_root(app, roots->list[i], err));
    }
    return STATUS_OK;
}

static status open_storage(server *app, error *err)
{
    uint8_t *master_key = arena_alloc(app->memory, ACCESS_MASTER_KEY_BYTES);
    const setting_value *roots = &app->settings->values[SETTING_WAREHOUSE_ROOTS];
    const storage_options options = {
        .data_path = app->settings->data_path.data,
        .state = app->state,
        .local_roots = roots->list,
        .local_root_count = roots->list_count,
        .hot_bytes = setting_number(app->settings, SETTING_STORE_HOT),
        .scrub_bytes_per_second = setting_number(app->settings, SETTING_STORE_SCRUB_RATE),
        .unsafe = is_unsafe(app),
        .master_key = master_key,
    };
    TRY(access_master_key(below(app, "secrets"), master_key, err));
    TRY(make_roots(app, roots, err));
    return storage_open(&options, &app->storage, err);
}

static status open_access(server *app, error *err)
{
    bool open = str_equal(setting_text(app->settings, SETTING_AUTH_MODE), STR("none"));
    return access_open(app->state, below(app, "secrets"), open ? ACCESS_OPEN : ACCESS_KEYS,
                       &app->access, err);
}

static status open_catalog(server *app, bool recovering, error *err)
{
    str location = setting_text(app->settings, SETTING_WAREHOUSE_LOCATION);

    while (location.size > 1 && str_ends_with(location, STR("/"))) {
        location.size--;
    }
    status allowed = store_check_location(
        app->storage, str_printf(app->memory, "%.*s/x", STR_ARG(location)), err);
    if (allowed != STATUS_OK) {
        error_context(err, "setting \"warehouse.location\"");
        return allowed;
    }
    const catalog_options options = {
        .state = app->state,
        .storage = app->storage,
        .access = app->access,
        .warehouse = setting_text(app->settings, SETTING_WAREHOUSE_NAME),
        .warehouse_location = location,
        .orphan_age_ms = recovering ? 0 : setting_number(app->settings, SETTING_STORE_ORPHAN_AGE),
        .retention_ms = setting_number(app->settings, SETTING_CATALOG_RETENTION),
        .purge_retained =
            str_equal(setting_text(app->settings, SETTING_CATALOG_PURGE), STR("retained")),
        .events_kept_ms = setting_number(app->settings, SETTING_CATALOG_EVENTS_KEPT),
        .answers_kept_ms = setting_number(app->settings, SETTING_CATALOG_IDEMPOTENCY_LIFETIME),
        .is_recovering = recovering,
        .hot_bytes_max = (size_t)setting_number(app->settings, SETTING_CATALOG_HOT),
        .own_locations =
            str_equal(setting_text(app->settings, SETTING_CATALOG_LOCATIONS), STR("own")),
    };
    TRY(catalog_open(&options, &app->catalog, err));
    if (str_starts_with(location, STR("s3://"))) {
        str folder = str_concat(app->memory, str_slice(location, 5, location.size), STR("/.tarn/"));
        access_keep_folder(app->access, folder);
    }
    return STATUS_OK;
}

#define MEMORY_SHARE_PERCENT 60

static int64_t machine_memory_bytes(void)
{
    return (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
}

static int64_t worker_memory(const server *app)
{
    int64_t asked = setting_number(app->settings, SETTING_ENGINE_MEMORY);
    return asked > 0 ? asked : machine_memory_bytes() / 100 * MEMORY_SHARE_PERCENT;
}

/* Secrets and other principals' files must not be open to workers: a root with the data directory in it is left out,
 * and what is read below it is linked, as objects are. */
static str *open_roots(const server *app, size_t *ret_count)
{
    const setting_value *roots = &app->settings->values[SETTING_WAREHOUSE_ROOTS];
    str *open = ARENA_ARRAY(app->memory, str, roots->list_count);
    size_t count = 0;

    for (size_t i = 0; i < roots->list_count; i++) {
        if (!store_root_is_shared(app->storage, roots->list[i])) {
            open[count++] = roots->list[i];
        }
    }
    *ret_count = count;
    return open;
}

static status open_workers(server *app, error *err)
{
    size_t root_count = 0;
    const str *roots = open_roots(app, &root_count);
    int64_t threads = setting_number(app->settings, SETTING_ENGINE_THREADS);
    const worker_options options = {
        .run_path = below(app, "run"),
        .duckdb_library = setting_text(app->settings, SETTING_ENGINE_LIBRARY).data,
        .readable_roots = roots,
        .readable_root_count = root_count,
        .workers_max = (int)setting_number(app->settings, SETTING_ENGINE_WORKERS),
        .threads_per_worker = threads > 0 ? (int)threads : thread_cpu_count(),
        .memory_bytes = worker_memory(app),
        .temp_bytes = setting_number(app->settings, SETTING_ENGINE_TEMP),
        .held_bytes = setting_number(app->settings, SETTING_ENGINE_SEALED),
        .sandbox = str_equal(setting_text(app->settings, SETTING_ENGINE_SANDBOX), STR("unsafe"))
                       ? SANDBOX_UNSAFE
                       : SANDBOX_ON,
        .spare = (int)setting_number(app->settings, SETTING_ENGINE_SPARE),
        .idle_timeout_ms = setting_number(app->settings, SETTING_ENGINE_IDLE),
    };
    return worker_pool_open(&options, &app->workers, err);
}

static status open_engine(server *app, error *err)
{
    const engine_options options = {
        .catalog = app->catalog,
        .storage = app->storage,
        .access = app->access,
        .workers = app->workers,
        .query_timeout_ms = setting_number(app->settings, SETTING_QUERY_TIMEOUT),
        .session_idle_ms = setting_number(app->settings, SETTING_SESSION_IDLE),
        .rows_max = setting_number(app->settings, SETTING_QUERY_ROWS_MAX),
        .match_rows = setting_number(app->settings, SETTING_ENGINE_MATCH_ROWS),
        .pruning = setting_number(app->settings, SETTING_ENGINE_PRUNING) != 0,
        .verify_files =
            str_equal(setting_text(app->settings, SETTING_ENGINE_VERIFY_FILES), STR("once")),
    };
    TRY(engine_open(&options, &app->engine, err));
    return ingest_open(app->engine, app->catalog, app->access, app->storage, &app->ingest, err);
}

/* An empty database over blobs would look like an empty lake, and take writes. */
static status refuse_lost_database(server *app, error *err)
{
    if (!fs_exists(below(app, "tarn.db")) && fs_exists(below(app, "blobs/ID"))) {
        error_set(err, STATUS_CORRUPT, "data directory \"%.*s\" has blobs but no tarn.db",
                  STR_ARG(app->settings->data_path));
        error_hint(err, "Put tarn.db back, or rebuild it from the blobs with tarn recover.");
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

static status open_modules(server *app, bool recovering, error *err)
{
    TRY(make_folders(app, err));
    TRY(data_lock_take(app->settings->data_path.data, "tarn serve", &app->lock, err));
    if (!recovering) {
        TRY(refuse_lost_database(app, err));
    }
    TRY(open_state(app, err));
    TRY(open_storage(app, err));
    TRY(open_access(app, err));
    TRY(open_catalog(app, recovering, err));
    TRY(open_workers(app, err));
    TRY(open_engine(app, err));
    app->uploads = uploads_create(app->storage);
    app->s3_facts = s3_facts_cache_create();
    app->router = http_router_create(server__routes, server__route_count, sizeof(route));
    server__route_rest(app);
    if (!recovering) {
        TRY(server__check_prefix(app, setting_text(app->settings, SETTING_WAREHOUSE_NAME), err));
    }
    app->idempotency = idempotency_create();
    app->given_keys = given_cache_create();
    if (!recovering) {
        TRY(webhooks_start(app->catalog, store_identity(app->storage),
                           setting_text(app->settings, SETTING_CATALOG_WEBHOOKS),
                           setting_text(app->settings, SETTING_CATALOG_WEBHOOK_SECRET),
                           &app->webhooks, err));
    }
    return recovering ? STATUS_OK
                      : lifecycle_start(app->storage, app->catalog,
                                        setting_number(app->settings, SETTING_S3_LIFECYCLE_DAY),
                                        &app->lifecycle, err);
}

status server__open(const settings *config, bool recovering, server **ret_app, error *err)
{
    server *new = NEW(server);
    new->settings = config;
    new->memory = arena_create();
    new->started_us = clock_now_us();
    random_uuid(new->instance);
    new->fingerprint = settings_fingerprint(config, new->memory);
    status result = open_modules(new, recovering, err);

    if (result != STATUS_OK) {
        server__close(new);
        return result;
    }
    *ret_app = new;
    return STATUS_OK;
}

/* Whatever was opened. */
void server__close(server *app)
{
    http_server_free(app->http);
    http_router_free(app->router);
    http_router_free(app->rest_router);
    idempotency_free(app->idempotency);
    given_cache_free(app->given_keys);
    lifecycle_stop(app->lifecycle);
    webhooks_stop(app->webhooks);
    s3_facts_cache_free(app->s3_facts);
    uploads_free(app->uploads);
    ingest_close(app->ingest);
    engine_close(app->engine);
    worker_pool_close(app->workers);
    catalog_close(app->catalog);
    access_close(app->access);
    storage_close(app->storage);
    state_close(app->state);
    data_lock_drop(app->lock);
    arena_free(app->memory);
    mem_free(app);
}

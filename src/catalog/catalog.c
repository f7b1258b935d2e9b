/* Opening and closing the catalog, and its schema.
 * Namespaces are in namespace.c, tables in table.c, the moving of pointers in commit.c. */
#include "tarn/catalog/catalog.h"

#include "internal.h"
#include "tarn/access/s3.h"
#include "tarn/base/clock.h"
#include "tarn/base/mem.h"

/* Names are kept as given; *_key columns hold them folded, and are what is looked up. */
const state_migration catalog_migrations[] = {
    {"catalog", 1,
     "CREATE TABLE namespaces (name_key TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, location TEXT,"
     " created_us BIGINT NOT NULL);"
     "CREATE TABLE namespace_properties (name_key TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
     " PRIMARY KEY (name_key, key));"
     "CREATE TABLE tables (space_key TEXT NOT NULL, table_key TEXT NOT NULL, space TEXT NOT NULL, name TEXT NOT NULL,"
     " uuid TEXT NOT NULL UNIQUE, location TEXT NOT NULL UNIQUE, metadata_location TEXT NOT NULL,"
     " created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL, PRIMARY KEY (space_key, table_key));"
     "CREATE TABLE purges (uuid TEXT NOT NULL PRIMARY KEY, location TEXT NOT NULL, metadata_location TEXT NOT NULL)"},
    /* registered: others made the table, and its files stay when it is dropped. rebase: where its files lie that
     * are called otherwise, as {"from": "to"}; NULL where they lie where they say. */
    {"catalog", 2,
     "ALTER TABLE tables ADD COLUMN registered BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE tables ADD COLUMN rebase TEXT"},
    /* A view and a table do not share a name: whoever inserts into one looks into the other (view.c). */
    {"catalog", 3,
     "CREATE TABLE views (space_key TEXT NOT NULL, view_key TEXT NOT NULL, space TEXT NOT NULL, name TEXT NOT NULL,"
     " uuid TEXT NOT NULL UNIQUE, location TEXT NOT NULL, metadata_location TEXT NOT NULL,"
     " created_us BIGINT NOT NULL, updated_us BIGINT NOT NULL, PRIMARY KEY (space_key, view_key))"},
    /* dropped: tables that can come back (dropped.h). events, webhooks: what happened, and how far each receiver was
     * told (event.h). answers: of requests with an Idempotency-Key, kept in the transaction of their effect. */
    {"catalog", 4,
     "ALTER TABLE tables ADD COLUMN protected BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE namespaces ADD COLUMN protected BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE namespaces ADD COLUMN warehouse BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE purges ADD COLUMN space TEXT;"
     "ALTER TABLE purges ADD COLUMN name TEXT;"
     "ALTER TABLE purges ADD COLUMN begun BIGINT NOT NULL DEFAULT 0;"
     "ALTER TABLE purges ADD COLUMN principal TEXT;" /* who asked; NULL or empty: its time was over */
     "ALTER TABLE purges ADD COLUMN via TEXT;"
     "ALTER TABLE purges ADD COLUMN peer TEXT;"
     "ALTER TABLE purges ADD COLUMN agent TEXT;"
     "ALTER TABLE purges ADD COLUMN request_id TEXT;"
     "CREATE TABLE dropped (uuid TEXT NOT NULL, location TEXT NOT NULL, space_key TEXT NOT NULL,"
     " table_key TEXT NOT NULL, space TEXT NOT NULL, name TEXT NOT NULL, metadata_location TEXT NOT NULL,"
     " registered BIGINT NOT NULL, rebase TEXT,"
     " created_us BIGINT NOT NULL, dropped_us BIGINT NOT NULL, purge_us BIGINT NOT NULL, principal TEXT NOT NULL,"
     " PRIMARY KEY (uuid, location));"
     "CREATE INDEX dropped_names ON dropped (space_key, table_key);"
     "CREATE INDEX dropped_locations ON dropped (location);"
     "CREATE INDEX dropped_ends ON dropped (purge_us);"
     "CREATE TABLE events (id INTEGER NOT NULL PRIMARY KEY, time_us BIGINT NOT NULL, kind TEXT NOT NULL,"
     " space TEXT NOT NULL, name TEXT NOT NULL, to_space TEXT, to_name TEXT, uuid TEXT, metadata_location TEXT,"
     " snapshot_id BIGINT, principal TEXT, via TEXT, peer TEXT, agent TEXT, request_id TEXT, detail TEXT);"
     "CREATE TABLE webhooks (url TEXT NOT NULL PRIMARY KEY, sent_id BIGINT NOT NULL);"
     "CREATE TABLE answers (principal TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL,"
     " created_us BIGINT NOT NULL, status BIGINT NOT NULL, kind TEXT NOT NULL, body BLOB,"
     " PRIMARY KEY (principal, key)) WITHOUT ROWID;"
     "CREATE INDEX answers_by_time ON answers (created_us);"
     /* every folder but its location that a table has, or had, files in (place.c) */
     "CREATE TABLE places (location TEXT NOT NULL PRIMARY KEY, uuid TEXT NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX places_of ON places (uuid)"},
    /* places that staged tables hold while keys for them are good (staged.c) */
    {"catalog", 5,
     "CREATE TABLE staged (location TEXT NOT NULL, uuid TEXT NOT NULL, space TEXT NOT NULL, name TEXT NOT NULL,"
     " principal TEXT NOT NULL, ends_us BIGINT NOT NULL, PRIMARY KEY (location, uuid)) WITHOUT ROWID;"
     "CREATE INDEX staged_ends ON staged (ends_us)"},
    /* for whoever asks what lies at a place, and lets go of one: tests/integration/catalog_plans.py */
    {"catalog", 6,
     "CREATE INDEX views_locations ON views (location);"
     "CREATE INDEX staged_of ON staged (uuid)"},
    /* holds end with the key and the sessions that they were made with (staged.c) */
    {"catalog", 7,
     "ALTER TABLE staged ADD COLUMN key TEXT NOT NULL DEFAULT '';"
     "CREATE INDEX staged_whose ON staged (principal);"
     "CREATE INDEX staged_keys ON staged (key)"},
    /* registered: others made the view, or nobody knows who did (sweep.c) */
    {"catalog", 8, "ALTER TABLE views ADD COLUMN registered BIGINT NOT NULL DEFAULT 1"},
    /* keys are renewed for the location, and for the folders with it; of older rows nobody knows which they are */
    {"catalog", 9,
     "ALTER TABLE staged ADD COLUMN kind BIGINT NOT NULL DEFAULT 0;"
     "CREATE INDEX purges_locations ON purges (location)"},
};
const size_t catalog_migration_count = COUNT_OF(catalog_migrations);

static status make_main(void *context, state_txn *txn, error *err)
{
    (void)context;
    return STATE_EXEC(
        txn,
        "INSERT INTO namespaces (name_key, name, created_us) VALUES ('main', 'main', ?1)"
        " ON CONFLICT (name_key) DO NOTHING",
        NULL, err, SV_INT(clock_now_us()));
}

static status has_main(void *context, state_txn *txn, error *err)
{
    bool *found = context;
    state_rows *rows = NULL;

    TRY(state_query(txn, "SELECT 1 FROM namespaces WHERE name_key = 'main'", NULL, 0, &rows, err));
    return state_next(rows, found, err);
}

status catalog_open(const catalog_options *options, catalog **ret_catalog, error *err)
{
    bool found = false;

    TRY(state_read(options->state, has_main, &found, err));
    if (!found) {
        TRY(state_submit(options->state, make_main, NULL, err));
    }
    catalog *c = NEW(catalog);
    c->memory = arena_create();
    c->state = options->state;
    c->storage = options->storage;
    c->access = options->access;
    c->warehouse = str_copy(c->memory, options->warehouse);
    c->warehouse_location = str_copy(c->memory, options->warehouse_location);
    c->guard = catalog__guard(c);
    mutex_init(&c->lock);
    c->cached = map_create(NULL);
    c->queues = map_create(NULL);
    c->views = map_create(NULL);
    c->documents = catalog__documents_create(options->hot_bytes_max);
    c->background = pool_create("catalog", 1);
    c->opened_us = clock_now_us();
    c->orphan_age_ms = options->orphan_age_ms;
    c->own_locations = options->own_locations;
    c->retention_ms = options->retention_ms;
    c->purge_retained = options->purge_retained;
    c->events_kept_ms = options->events_kept_ms;
    c->answers_kept_ms = options->answers_kept_ms;
    c->is_recovering = options->is_recovering;
    cond_init(&c->keeper_wake);
    mutex_init(&c->purge_lock);
    c->contained = map_create(NULL);
    cond_init(&c->sweeper_wake);
    status started = catalog__warehouses_load(c, err);
    if (started == STATUS_OK) {
        started = catalog__sweeper_start(c, err);
    }
    if (started == STATUS_OK) {
        started = catalog__keeper_start(c, err);
    }
    if (started != STATUS_OK) {
        catalog_close(c);
        return started;
    }
    if (c->access != NULL) {
        access_ask_places(c->access, catalog__is_taken, c);
    }
    *ret_catalog = c;
    catalog__purge_soon(c);
    return STATUS_OK;
}

void catalog_close(catalog *c)
{
    if (c == NULL) {
        return;
    }
    catalog__sweeper_stop(c);
    catalog__keeper_stop(c);
    pool_free(c->background);
    cond_release(&c->sweeper_wake);
    cond_release(&c->keeper_wake);
    catalog__purge_release(c);
    catalog__documents_free(c->documents);
    catalog__release_caches(c);
    catalog__warehouses_free(c->warehouses);
    arena_free(c->memory);
    mem_free(c);
}

str catalog_warehouse(const catalog *c)
{
    return c->warehouse;
}

static status count_rows(state_txn *txn, const char *sql, int64_t *ret_count, error *err)
{
    state_rows *rows = NULL;
    bool found = false;

    TRY(state_query(txn, sql, NULL, 0, &rows, err));
    TRY(state_next(rows, &found, err));
    *ret_count = found ? state_int(rows, 0) : 0;
    state_finish(rows);
    return STATUS_OK;
}

static status read_stats(void *context, state_txn *txn, error *err)
{
    catalog_stats *stats = context;

    TRY(count_rows(txn, "SELECT count(*) FROM namespaces", &stats->namespaces, err));
    TRY(count_rows(txn, "SELECT count(*) FROM views", &stats->views, err));
    return count_rows(txn, "SELECT count(*) FROM tables", &stats->tables, err);
}

status catalog_read_stats(catalog *c, catalog_stats *ret_stats, error *err)
{
    catalog_stats stats = {.commits = c->commits,
                           .conflicts = c->conflicts,
                           .merged_appends = c->merged_appends,
                           .sweeps = c->sweeps,
                           .sweeps_failed = c->sweeps_failed,
                           .swept_files = c->swept_files,
                           .swept_bytes = c->swept_bytes,
                           .purges_doubted = c->purges_doubted};

    TRY(state_read(c->state, read_stats, &stats, err));
    *ret_stats = stats;
    return STATUS_OK;
}

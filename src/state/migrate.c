/* Versions of the schema: what the database has (table schema_versions, one row per module),
 * what this program knows, and the steps between them. A database that is ahead of the program
 * is refused, never guessed at. */
#include <inttypes.h>

#include "internal.h"
#include "tarn/base/clock.h"

static int64_t newest_known(const state_migration *migrations, size_t count, str module)
{
    int64_t newest = 0;

    for (size_t i = 0; i < count; i++) {
        if (str_equal(str_c(migrations[i].module), module) && migrations[i].version > newest) {
            newest = migrations[i].version;
        }
    }
    return newest;
}

static status refuse_newer(state_txn *txn, const state_migration *migrations, size_t count,
                           error *err)
{
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT module, version FROM schema_versions ORDER BY module", NULL, 0,
                    &rows, err));
    for (;;) {
        str module;
        int64_t newest;

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        module = state_text(rows, 0, NULL);
        newest = newest_known(migrations, count, module);
        if (state_int(rows, 1) > newest) {
            error_set(err, STATUS_INVALID,
                      "schema of \"%.*s\" has version %" PRId64
                      ", this program knows versions up to %" PRId64,
                      STR_ARG(module), state_int(rows, 1), newest);
            error_hint(err, "The data directory was used by a newer tarn: start that one.");
            return STATUS_INVALID;
        }
    }
}

static status version_of(state_txn *txn, str module, int64_t *ret_version, error *err)
{
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT version FROM schema_versions WHERE module = ?1", &rows, err,
                    SV_TEXT(module)));
    TRY(state_next(rows, &row, err));
    *ret_version = row ? state_int(rows, 0) : 0;
    state_finish(rows);
    return STATUS_OK;
}

static status apply_step(state_txn *txn, const state_migration *step, error *err)
{
    str module = str_c(step->module);
    int64_t version;

    TRY(version_of(txn, module, &version, err));
    if (step->version <= version) {
        return STATUS_OK;
    }
    ASSERT(step->version == version + 1); /* the table of migrations counts 1, 2, 3 … */
    if (txn->ops->script(txn->connection, step->sql, err) != STATUS_OK) {
        error_context(err, "schema of \"%s\", version %d", step->module, step->version);
        return err != NULL ? err->kind : STATUS_INTERNAL;
    }
    return STATE_EXEC(
        txn,
        "INSERT INTO schema_versions (module, version, applied_us) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (module) DO UPDATE SET version = excluded.version, "
        "applied_us = excluded.applied_us",
        NULL, err, SV_TEXT(module), SV_INT(step->version), SV_INT(clock_now_us()));
}

static status apply_steps(state_txn *txn, const state_migration *migrations, size_t count,
                          error *err)
{
    TRY(txn->ops->script(
        txn->connection,
        "CREATE TABLE IF NOT EXISTS schema_versions (module TEXT PRIMARY KEY NOT NULL, "
        "version BIGINT NOT NULL, applied_us BIGINT NOT NULL)",
        err));
    TRY(refuse_newer(txn, migrations, count, err));
    for (size_t i = 0; i < count; i++) {
        TRY(apply_step(txn, &migrations[i], err));
    }
    return STATUS_OK;
}

status state__migrate(const state_ops *ops, db *d, const state_migration *migrations, size_t count,
                      error *err)
{
    state_txn txn = {.ops = ops, .connection = d, .writes = true};
    status migrated;

    TRY(ops->control(d, DB_BEGIN_WRITE, err));
    txn.memory = arena_create();
    migrated = apply_steps(&txn, migrations, count, err);
    state__finish_rows(&txn);
    arena_free(txn.memory);
    if (migrated == STATUS_OK) {
        migrated = ops->control(d, DB_COMMIT, err);
    }
    if (migrated != STATUS_OK && ops->in_transaction(d)) {
        (void)ops->control(d, DB_ROLLBACK, NULL);
    }
    return migrated;
}

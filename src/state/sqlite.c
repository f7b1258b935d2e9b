/* SQLite behind state_ops: connections, statements, the log file, copies. Who calls when is
 * state.c's business.
 *
 * Settings, and why
 *   - Write-ahead log, synchronous=FULL: a commit is one sync of the log.
 *   - No automatic checkpoints, and none when a reader's connection closes: only the writer's
 *     connection moves pages from the log to the database, between groups (sqlite_care). Two
 *     connections that write or checkpoint at the same moment could lose pages in the SQLite
 *     versions that Debian 12 brings.
 *   - The cache does not spill: nothing is written before the commit, so a full disk fails the
 *     commit and never a statement in the middle of a group.
 *   - The log is not cut after a checkpoint but written over, which spares the file system a
 *     change of size per commit; beyond LOG_KEEP_BYTES it is cut. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/base/map.h"

#define BUSY_TIMEOUT_MS 5000
#define STATEMENTS_MAX 256   /* kept per connection */
#define LOG_QUIET_PAGES 1000 /* checkpoint where nobody waits */
#define LOG_FULL_PAGES 2000  /* checkpoint although somebody waits: short logs stay in the cache */
#define LOG_HUGE_PAGES 65536 /* wait for readers, so that the log starts again */
#define LOG_KEEP_BYTES "67108864" /* 64 MiB */

struct db {
    sqlite3 *handle;
    map *statements; /* SQL text -> sqlite3_stmt; the values are owned */
    db_role role;
    int log_pages;   /* in the log now */
    int tried_pages; /* in the log when it was last copied, or was tried to */
    db_cursor *spare;
};

struct db_cursor {
    db *owner;
    sqlite3_stmt *statement;
    bool cached;
    db_cursor *next; /* among the spare ones */
};

/*  SQLite's code (extended, or primary)     what it means */
static const struct {
    int code;
    status kind;
} code_kinds[] = {
    {SQLITE_CONSTRAINT_UNIQUE, STATUS_EXISTS},
    {SQLITE_CONSTRAINT_PRIMARYKEY, STATUS_EXISTS},
    {SQLITE_CONSTRAINT_ROWID, STATUS_EXISTS},
    {SQLITE_CONSTRAINT, STATUS_CONFLICT},
    {SQLITE_FULL, STATUS_NO_SPACE},
    {SQLITE_IOERR, STATUS_IO},
    {SQLITE_CORRUPT, STATUS_CORRUPT},
    {SQLITE_NOTADB, STATUS_CORRUPT},
    {SQLITE_NOMEM, STATUS_OUT_OF_MEMORY},
    {SQLITE_TOOBIG, STATUS_TOO_LARGE},
    {SQLITE_BUSY, STATUS_UNAVAILABLE},
    {SQLITE_LOCKED, STATUS_UNAVAILABLE},
    {SQLITE_CANTOPEN, STATUS_IO},
    {SQLITE_PERM, STATUS_DENIED},
    {SQLITE_READONLY, STATUS_DENIED},
};

static status kind_of(int extended)
{
    for (size_t i = 0; i < COUNT_OF(code_kinds); i++) {
        if (code_kinds[i].code == extended) {
            return code_kinds[i].kind;
        }
    }
    for (size_t i = 0; i < COUNT_OF(code_kinds); i++) {
        if (code_kinds[i].code == (extended & 0xff)) {
            return code_kinds[i].kind;
        }
    }
    return STATUS_INTERNAL;
}

static status failed(sqlite3 *handle, const char *doing, error *err)
{
    int extended = sqlite3_extended_errcode(handle);

    return error_set(err, kind_of(extended), "state database: could not %s: %s", doing,
                     sqlite3_errmsg(handle));
}

static status script(db *d, const char *sql, error *err)
{
    if (sqlite3_exec(d->handle, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return failed(d->handle, "run a statement", err);
    }
    return STATUS_OK;
}

static int note_log_size(void *context, sqlite3 *handle, const char *name, int pages)
{
    db *d = context;

    (void)handle;
    (void)name;
    d->log_pages = pages;
    return SQLITE_OK;
}

/*  settings of every connection, then of the writer alone */
static const char common_settings[] = "PRAGMA foreign_keys=ON;"
                                      "PRAGMA trusted_schema=OFF;"
                                      "PRAGMA cell_size_check=ON;"
                                      "PRAGMA wal_autocheckpoint=0;"
                                      "PRAGMA mmap_size=0;"
                                      "PRAGMA temp_store=MEMORY;";
static const char writer_settings[] = "PRAGMA page_size=4096;"
                                      "PRAGMA journal_mode=WAL;"
                                      "PRAGMA cache_spill=OFF;"
                                      "PRAGMA cache_size=-8000;"
                                      "PRAGMA journal_size_limit=" LOG_KEEP_BYTES ";";

static status configure(db *d, const state_options *options, error *err)
{
    const char *synchronous =
        options->unsafe ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL";

    (void)sqlite3_extended_result_codes(d->handle, 1);
    (void)sqlite3_busy_timeout(d->handle, BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(d->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(d->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, d->role == DB_READER,
                            NULL);
    (void)sqlite3_limit(d->handle, SQLITE_LIMIT_ATTACHED, 0);
    TRY(script(d, common_settings, err));
    if (d->role == DB_WRITER) {
        TRY(script(d, writer_settings, err));
        /* After the pragma about checkpoints, which takes the hook away. */
        (void)sqlite3_wal_hook(d->handle, note_log_size, d);
    }
    return script(d, synchronous, err);
}

static void sqlite_close(db *d)
{
    map_entry entry;

    for (size_t at = 0; map_next(d->statements, &at, &entry);) {
        (void)sqlite3_finalize(entry.value);
    }
    map_free(d->statements);
    while (d->spare != NULL) {
        db_cursor *cursor = d->spare;

        d->spare = cursor->next;
        mem_free(cursor);
    }
    (void)sqlite3_close(d->handle);
    mem_free(d);
}

/* The database is nobody else's business: made by SQLite, all could read it. The log gets the mode of the file.
 * What fails here fails again when SQLite opens the file, and is told then. */
static void make_file(const char *path)
{
    int fd = -1;

    (void)fs_open(path, O_RDWR | O_CREAT, 0600, &fd, NULL);
    fs_close(fd);
}

static status sqlite_open(const state_options *options, db_role role, db **ret_db, error *err)
{
    int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
        (role == DB_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    db *d = NEW(db);
    status opened;

    d->role = role;
    d->statements = map_create(NULL);
    if (role == DB_WRITER) {
        make_file(options->path);
    }
    if (sqlite3_open_v2(options->path, &d->handle, flags, state__vfs_name()) != SQLITE_OK) {
        opened = failed(d->handle, "open", err);
    } else {
        opened = configure(d, options, err);
    }
    if (opened != STATUS_OK) {
        error_context(err, "\"%s\"", options->path);
        sqlite_close(d);
        return opened;
    }
    *ret_db = d;
    return STATUS_OK;
}

/*  verb            statement */
static const char *const verb_sql[] = {
    [DB_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [DB_BEGIN_READ] = "BEGIN",
    [DB_COMMIT] = "COMMIT",
    [DB_ROLLBACK] = "ROLLBACK",
    [DB_SAVEPOINT] = "SAVEPOINT submission",
    [DB_RELEASE] = "RELEASE submission",
    [DB_ROLLBACK_TO] = "ROLLBACK TO submission",
};

static bool sqlite_in_transaction(db *d)
{
    return sqlite3_get_autocommit(d->handle) == 0;
}

/* --- statements --- */

static status compile(db *d, str sql, bool keep, sqlite3_stmt **ret_statement, error *err)
{
    if (sql.size > INT_MAX ||
        sqlite3_prepare_v3(d->handle, sql.data, (int)sql.size, keep ? SQLITE_PREPARE_PERSISTENT : 0,
                           ret_statement, NULL) != SQLITE_OK) {
        return failed(d->handle, "prepare a statement", err);
    }
    if (*ret_statement == NULL) {
        return error_set(err, STATUS_INTERNAL, "state database: a statement is empty");
    }
    return STATUS_OK;
}

/* Statements that nobody steps go; the cache starts again. Reached only where SQL is made up at
 * run time. */
static void forget_statements(db *d)
{
    map *kept = map_create(NULL);
    map_entry entry;

    for (size_t at = 0; map_next(d->statements, &at, &entry);) {
        if (sqlite3_stmt_busy(entry.value)) {
            (void)map_set(kept, entry.key, entry.value);
        } else {
            (void)sqlite3_finalize(entry.value);
        }
    }
    map_free(d->statements);
    d->statements = kept;
}

/* The cached statement of that text, unless it is being stepped: then one for this time alone. */
static status find_statement(db *d, const char *text, sqlite3_stmt **ret_statement,
                             bool *ret_cached, error *err)
{
    str sql = str_c(text);
    sqlite3_stmt *statement = map_get(d->statements, sql);

    if (statement != NULL && !sqlite3_stmt_busy(statement)) {
        *ret_statement = statement;
        *ret_cached = true;
        return STATUS_OK;
    }
    *ret_cached = statement == NULL;
    TRY(compile(d, sql, *ret_cached, ret_statement, err));
    if (*ret_cached) {
        if (map_count(d->statements) >= STATEMENTS_MAX) {
            forget_statements(d);
        }
        (void)map_set(d->statements, sql, *ret_statement);
    }
    return STATUS_OK;
}

static int bind(sqlite3_stmt *statement, int place, const state_value *value, bool borrow)
{
    sqlite3_destructor_type life = borrow ? SQLITE_STATIC : SQLITE_TRANSIENT;
    const char *bytes = value->bytes.data != NULL ? value->bytes.data : "";

    switch (value->kind) {
    case STATE_NULL:
        return sqlite3_bind_null(statement, place);
    case STATE_INT:
        return sqlite3_bind_int64(statement, place, value->integer);
    case STATE_REAL:
        return sqlite3_bind_double(statement, place, value->real);
    case STATE_TEXT:
        return sqlite3_bind_text64(statement, place, bytes, value->bytes.size, life, SQLITE_UTF8);
    case STATE_BLOB:
        return sqlite3_bind_blob64(statement, place, bytes, value->bytes.size, life);
    }
    return SQLITE_MISUSE;
}

static db_cursor *take_cursor(db *d)
{
    db_cursor *cursor = d->spare;

    if (cursor == NULL) {
        cursor = NEW(db_cursor);
        cursor->owner = d;
    } else {
        d->spare = cursor->next;
    }
    return cursor;
}

static void sqlite_finish(db_cursor *cursor)
{
    if (cursor->cached) {
        (void)sqlite3_reset(cursor->statement);
        (void)sqlite3_clear_bindings(cursor->statement);
    } else {
        (void)sqlite3_finalize(cursor->statement);
    }
    cursor->statement = NULL;
    cursor->next = cursor->owner->spare;
    cursor->owner->spare = cursor;
}

static status sqlite_prepare(db *d, const char *sql, const state_value *values, size_t count,
                             bool borrow, db_cursor **ret_cursor, error *err)
{
    sqlite3_stmt *statement;
    db_cursor *cursor;
    bool cached;

    TRY(find_statement(d, sql, &statement, &cached, err));
    cursor = take_cursor(d);
    cursor->statement = statement;
    cursor->cached = cached;
    if ((size_t)sqlite3_bind_parameter_count(statement) != count) {
        int wanted = sqlite3_bind_parameter_count(statement);

        sqlite_finish(cursor);
        return error_set(err, STATUS_INTERNAL,
                         "state database: %zu values for %d places in \"%.200s\"", count, wanted,
                         sql);
    }
    for (size_t i = 0; i < count; i++) {
        if (bind(statement, (int)i + 1, &values[i], borrow) != SQLITE_OK) {
            status bound = failed(d->handle, "bind a value", err);

            sqlite_finish(cursor);
            return bound;
        }
    }
    *ret_cursor = cursor;
    return STATUS_OK;
}

static status sqlite_step(db_cursor *cursor, bool *ret_row, error *err)
{
    int rc = sqlite3_step(cursor->statement);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return failed(cursor->owner->handle, "run a statement", err);
    }
    *ret_row = rc == SQLITE_ROW;
    return STATUS_OK;
}

static int64_t sqlite_changed(db *d)
{
    return sqlite3_changes64(d->handle);
}

static state_value sqlite_column(const db_cursor *cursor, int column)
{
    sqlite3_stmt *s = cursor->statement;
    state_value value = {.kind = STATE_NULL};

    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        value.kind = STATE_INT;
        value.integer = sqlite3_column_int64(s, column);
        break;
    case SQLITE_FLOAT:
        value.kind = STATE_REAL;
        value.real = sqlite3_column_double(s, column);
        break;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        value.kind = sqlite3_column_type(s, column) == SQLITE_TEXT ? STATE_TEXT : STATE_BLOB;
        value.bytes.data = sqlite3_column_blob(s, column);
        value.bytes.size = (size_t)sqlite3_column_bytes(s, column);
        if (value.bytes.data == NULL) {
            value.bytes.data = ""; /* empty, not absent */
        }
        break;
    default:
        break;
    }
    return value;
}

static status sqlite_control(db *d, db_verb verb, error *err)
{
    db_cursor *cursor;
    status done;
    bool row;

    TRY(sqlite_prepare(d, verb_sql[verb], NULL, 0, true, &cursor, err));
    done = sqlite_step(cursor, &row, err);
    sqlite_finish(cursor);
    if (done == STATUS_OK && verb == DB_ROLLBACK_TO) {
        return sqlite_control(d, DB_RELEASE, err);
    }
    return done;
}

/* --- the log file --- */

static void sqlite_care(db *d, bool quiet)
{
    /* PASSIVE waits for nobody: what a reader still needs stays in the log until next time. */
    int mode =
        d->log_pages < LOG_HUGE_PAGES ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART;
    int rc;

    if (d->log_pages < d->tried_pages) {
        d->tried_pages = 0; /* it has started again */
    }
    if (d->log_pages - d->tried_pages < (quiet ? LOG_QUIET_PAGES : LOG_FULL_PAGES) ||
        fs_volume_broken()) {
        return;
    }
    d->tried_pages = d->log_pages;
    rc = sqlite3_wal_checkpoint_v2(d->handle, NULL, mode, NULL, NULL);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
        error err = ERROR_INIT;

        (void)failed(d->handle, "copy the log into the database", &err);
        log_failure("checkpoint failed", &err);
    }
}

/* --- copies --- */

static status copy_pages(db *d, sqlite3 *target, error *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(target, "main", d->handle, "main");
    int rc;

    if (backup == NULL) {
        return failed(target, "start a copy", err);
    }
    rc = sqlite3_backup_step(backup, -1); /* in one go: one snapshot */
    (void)sqlite3_backup_finish(backup);
    if (rc != SQLITE_DONE) {
        return error_set(err, kind_of(rc), "state database: could not copy: %s",
                         sqlite3_errstr(rc));
    }
    return STATUS_OK;
}

static status sqlite_backup(db *d, const char *path, error *err)
{
    sqlite3 *target = NULL;
    status copied;

    make_file(path);
    if (sqlite3_open_v2(path, &target,
                        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READWRITE |
                            SQLITE_OPEN_CREATE,
                        state__vfs_name()) != SQLITE_OK) {
        copied = failed(target, "open the copy", err);
    } else {
        /* A copy that does not end is thrown away whole: it needs no journal, and is synced by
         * the caller. */
        (void)sqlite3_exec(target, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL,
                           NULL);
        copied = copy_pages(d, target, err);
    }
    (void)sqlite3_close(target);
    return copied;
}

const state_ops state__sqlite = {
    .open = sqlite_open,
    .close = sqlite_close,
    .control = sqlite_control,
    .in_transaction = sqlite_in_transaction,
    .script = script,
    .prepare = sqlite_prepare,
    .step = sqlite_step,
    .finish = sqlite_finish,
    .changed = sqlite_changed,
    .column = sqlite_column,
    .care = sqlite_care,
    .backup = sqlite_backup,
    .sync_count = state__vfs_sync_count,
};

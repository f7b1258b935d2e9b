/* The start of the built-in store: whose blobs these are, and which start this is.
 *
 * blobs/ID holds the database's id and the newest epoch that its blobs have, "<uuid> <epoch>".
 * With the database at hand there are three cases:
 *   1. Same id, and the database knows that epoch: the usual one. Epochs after `epoch_checked`
 *      are compared.
 *   2. Same id, but the database is older than the blobs (an old copy was put back): its rows
 *      say nothing about newer blobs, so all that is there counts as checked, and nothing is
 *      moved.
 *   3. Another id: the blobs belong to another database. Nothing is compared and ID stays, until
 *      the rows are rebuilt from the blobs (recover.c).
 * A new epoch is above every epoch that the database, ID or a folder knows, so that no folder is
 * used twice. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "buckets.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/log.h"
#include "tarn/base/rng.h"

#define ID_FILE_MAX 256
#define FIRST_BUCKET "warehouse"

typedef struct start {
    storage *st;
    char database_id[37];
    uint32_t database_epoch; /* of the start before this one */
    uint32_t checked;
} start;

status store__set_property(state_txn *txn, const char *name, str value, error *err)
{
    return STATE_EXEC(txn,
                      "INSERT INTO store_properties (name, value) VALUES (?1, ?2) "
                      "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                      NULL, err, SV_TEXT(str_c(name)), SV_TEXT(value));
}

status store__get_property(state_txn *txn, const char *name, arena *a, str *ret_value, error *err)
{
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT value FROM store_properties WHERE name = ?1", &rows, err,
                    SV_TEXT(str_c(name))));
    TRY(state_next(rows, &row, err));
    *ret_value = row ? state_text(rows, 0, a) : STR_NULL;
    state_finish(rows);
    return STATUS_OK;
}

static status get_epoch(state_txn *txn, const char *name, uint32_t *ret_epoch, error *err)
{
    int64_t epoch = 0;
    str text;

    TRY(store__get_property(txn, name, state_txn_arena(txn), &text, err));
    if (!str_is_null(text) &&
        (str_to_int64(text, &epoch, NULL) != STATUS_OK || epoch < 0 || epoch > UINT32_MAX)) {
        return error_set(err, STATUS_CORRUPT, "store property \"%s\" is not an epoch", name);
    }
    *ret_epoch = (uint32_t)epoch;
    return STATUS_OK;
}

static status set_epoch(state_txn *txn, const char *name, uint32_t epoch, error *err)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%" PRIu32, epoch);
    return store__set_property(txn, name, str_c(text), err);
}

/* The database's id, made at its first start, and what it knows of epochs. */
static status read_start(void *context, state_txn *txn, error *err)
{
    start *s = context;
    str id;

    TRY(store__get_property(txn, "database_id", state_txn_arena(txn), &id, err));
    if (str_is_null(id)) {
        random_uuid(s->database_id);
        TRY(store__set_property(txn, "database_id", str_c(s->database_id), err));
    } else {
        (void)snprintf(s->database_id, sizeof(s->database_id), "%.*s", STR_ARG(id));
    }
    TRY(STATE_EXEC(
        txn, "INSERT INTO buckets (name, created_us) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
        NULL, err, SV_TEXT(STR(FIRST_BUCKET)), SV_INT(clock_now_us())));
    TRY(get_epoch(txn, "epoch", &s->database_epoch, err));
    return get_epoch(txn, "epoch_checked", &s->checked, err);
}

static status write_start(void *context, state_txn *txn, error *err)
{
    storage *st = ((start *)context)->st;

    TRY(set_epoch(txn, "epoch", st->epoch, err));
    return set_epoch(txn, "epoch_checked", st->epoch_checked, err);
}

/* --- blobs/ID --- */

typedef struct id_file {
    bool present;
    str database_id;
    uint32_t epoch;
} id_file;

static status read_id(storage *st, arena *a, id_file *ret_file, error *err)
{
    id_file file = {.present = true};
    int64_t epoch;
    str text;
    str rest;
    status found = fs_read_file(fs_join(a, st->blobs_path, "ID"), ID_FILE_MAX, a, &text, err);

    if (found == STATUS_NOT_FOUND) {
        *ret_file = (id_file){.present = false};
        return STATUS_OK;
    }
    TRY(found);
    file.database_id = str_cut(str_trim(text), ' ', &rest);
    if (str_to_int64(rest, &epoch, NULL) != STATUS_OK || epoch < 0 || epoch > UINT32_MAX) {
        return error_set(err, STATUS_CORRUPT, "file \"%s/ID\" is not \"<database id> <epoch>\"",
                         st->blobs_path);
    }
    file.epoch = (uint32_t)epoch;
    *ret_file = file;
    return STATUS_OK;
}

static status write_id(storage *st, const char *blobs_path, const char *database_id, error *err)
{
    arena *scratch = arena_create();
    str text = str_printf(scratch, "%s %" PRIu32 "\n", database_id, st->epoch);
    status written = fs_write_file(fs_join(scratch, blobs_path, "ID"), text, 0600, err);

    arena_free(scratch);
    return written;
}

status store__write_id(storage *st, const char *blobs_path, error *err)
{
    start s = {.st = st};

    TRY(state_submit(st->state, read_start, &s, err));
    return write_id(st, blobs_path, s.database_id, err);
}

/* --- epochs --- */

static bool parse_epoch_folder(str name, uint32_t *ret_epoch)
{
    uint32_t epoch = 0;

    if (name.size != 8) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool digit = c >= '0' && c <= '9';

        if (!digit && !(c >= 'a' && c <= 'f')) {
            return false;
        }
        epoch = epoch * 16 + (uint32_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *ret_epoch = epoch;
    return true;
}

static status newest_folder(storage *st, arena *a, uint32_t *ret_epoch, error *err)
{
    uint32_t newest = 0;
    str *names;
    size_t count;

    TRY(fs_list(st->blobs_path, a, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        uint32_t epoch;

        if (parse_epoch_folder(names[i], &epoch) && epoch > newest) {
            newest = epoch;
        }
    }
    *ret_epoch = newest;
    return STATUS_OK;
}

static void decide(storage *st, const start *s, const id_file *file, uint32_t folder_epoch)
{
    uint32_t newest = s->database_epoch > folder_epoch ? s->database_epoch : folder_epoch;

    if (file->present && file->epoch > newest) {
        newest = file->epoch;
    }
    st->epoch = newest + 1;
    st->epoch_checked = s->checked;
    st->foreign =
        file->present ? !str_equal(file->database_id, str_c(s->database_id)) : folder_epoch > 0;
    if (st->foreign) {
        log_event(LOG_WARN, "the blobs belong to another database: none is moved",
                  LOG_STR("blobs", file->database_id), LOG_C("database", s->database_id));
        st->epoch_checked = newest;
    } else if (file->present && file->epoch > s->database_epoch) {
        log_event(LOG_WARN, "the database is older than its blobs: none is moved",
                  LOG_INT("blobs_epoch", file->epoch),
                  LOG_INT("database_epoch", s->database_epoch));
        st->epoch_checked = newest;
    }
    st->compared = st->epoch_checked + 1 >= st->epoch;
}

static status start_epoch(storage *st, arena *scratch, error *err)
{
    start s = {.st = st};
    uint32_t folder_epoch;
    id_file file;

    TRY(fs_remove_unfinished(st->blobs_path, err));
    TRY(store__clean_bucket_files(st->blobs_path, err));
    TRY(state_submit(st->state, read_start, &s, err));
    TRY(read_id(st, scratch, &file, err));
    TRY(newest_folder(st, scratch, &folder_epoch, err));
    memcpy(st->database_id, s.database_id, sizeof(st->database_id));
    decide(st, &s, &file, folder_epoch);
    /* The database first: it must never know less than ID does. */
    TRY(state_submit(st->state, write_start, &s, err));
    return st->foreign ? STATUS_OK : write_id(st, st->blobs_path, s.database_id, err);
}

str store_identity(const storage *st)
{
    return str_c(st->database_id);
}

status store__start_epoch(storage *st, error *err)
{
    arena *scratch = arena_create();
    status started = start_epoch(st, scratch, err);

    arena_free(scratch);
    return started;
}

/* A clean stop: every blob of this epoch has a row or is gone, so it need not be compared. */
void store__end_epoch(storage *st)
{
    start s = {.st = st};
    error err = ERROR_INIT;

    if (st->foreign || !st->compared || st->staged_live > 0 || fs_volume_broken()) {
        return;
    }
    st->epoch_checked = st->epoch;
    if (state_submit(st->state, write_start, &s, &err) != STATUS_OK) {
        log_failure("epoch not closed", &err);
    }
}

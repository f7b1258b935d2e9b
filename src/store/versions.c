/* The rows of versions: finding one, making one current, taking one away (rows.h says where they lie). What a bucket
 * asks for is read in the same transaction, so versioning may be switched while writers are at work. */
#include <stdatomic.h>

#include <inttypes.h>

#include "bytes.h"
#include "hot.h"
#include "rows.h"
#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/codec/json.h"

#define DAY_US (INT64_C(24) * 3600 * 1000000)
#define YEAR_DAYS 365

/* --- buckets --- */

status store__no_bucket(str bucket, error *err)
{
    error_set(err, STATUS_NOT_FOUND, "bucket \"%.*s\" does not exist", STR_ARG(bucket));
    error_set_s3_code(err, "NoSuchBucket");
    return STATUS_NOT_FOUND;
}

static status read_default_retention(state_txn *txn, bucket_rules *rules, error *err)
{
    arena *a = state_txn_arena(txn);
    const json *tree;
    state_rows *rows;
    int64_t days;
    bool row;

    TRY(STATE_QUERY(txn,
                    "SELECT text FROM bucket_documents WHERE bucket = ?1 AND name = 'object-lock'",
                    &rows, err, SV_TEXT(rules->name)));
    TRY(state_next(rows, &row, err));
    if (!row) {
        return STATUS_OK;
    }
    TRY(json_parse(state_text(rows, 0, a), a, &tree, err));
    state_finish(rows);
    days = json_int64_or(json_get(tree, "days"), 0) +
           json_int64_or(json_get(tree, "years"), 0) * YEAR_DAYS;
    if (days <= 0 || days > INT64_MAX / DAY_US ||
        !store__parse_lock_mode(json_str_or(json_get(tree, "mode"), STR("")),
                                &rules->retention_mode)) {
        rules->retention_mode = LOCK_NONE;
        return STATUS_OK;
    }
    rules->retention_us = days * DAY_US;
    return STATUS_OK;
}

status store__find_rules(state_txn *txn, str bucket, bucket_rules *ret_rules, bool *ret_found,
                         error *err)
{
    bucket_rules rules = {.name = bucket};
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT versioning, lock_enabled, owner FROM buckets WHERE name = ?1",
                    &rows, err, SV_TEXT(bucket)));
    TRY(state_next(rows, &row, err));
    if (row) {
        rules.versioning = (bucket_versioning)state_int(rows, 0);
        rules.lock_enabled = state_int(rows, 1) != 0;
        rules.owner = state_text(rows, 2, state_txn_arena(txn));
    }
    state_finish(rows);
    if (rules.lock_enabled) {
        TRY(read_default_retention(txn, &rules, err));
    }
    *ret_rules = rules;
    *ret_found = row;
    return STATUS_OK;
}

status store__read_rules(state_txn *txn, str bucket, bucket_rules *ret_rules, error *err)
{
    bool found;

    TRY(store__find_rules(txn, bucket, ret_rules, &found, err));
    return found ? STATUS_OK : store__no_bucket(bucket, err);
}

status store__change_usage(state_txn *txn, str bucket, const usage_change *change, error *err)
{
    if (change->objects == 0 && change->versions == 0 && change->bytes == 0) {
        return STATUS_OK;
    }
    return STATE_EXEC(
        txn,
        "INSERT INTO bucket_totals (bucket, objects, versions, bytes) VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT (bucket) DO UPDATE SET objects = bucket_totals.objects + excluded.objects, "
        "versions = bucket_totals.versions + excluded.versions, "
        "bytes = bucket_totals.bytes + excluded.bytes",
        NULL, err, SV_TEXT(bucket), SV_INT(change->objects), SV_INT(change->versions),
        SV_INT(change->bytes));
}

/* --- finding --- */

status store__read_columns(const state_rows *rows, int first, bool with_details, arena *a,
                           object_row *row, error *err)
{
    object_info *info = &row->info;
    str blob = state_text(rows, first + 1, NULL);

    info->version = state_text(rows, first, a);
    if (blob.size > 0) {
        if (!store__is_blob_id(blob)) {
            return error_set(err, STATUS_CORRUPT, "object \"s3://%.*s/%.*s\" has no valid blob id",
                             STR_ARG(info->bucket), STR_ARG(info->key));
        }
        row->blob = store__blob_id(blob);
    }
    row->offset = state_int(rows, first + 2);
    info->size_bytes = state_int(rows, first + 3);
    info->etag = state_text(rows, first + 4, a);
    info->modified_us = state_int(rows, first + 6);
    if (with_details) {
        TRY(store__parse_details(state_text(rows, first + 7, NULL), a, info, err));
    }
    info->attributes.content_type = state_text(rows, first + 5, a);
    return STATUS_OK;
}

static void name_row(version_row *version, str bucket, str key, arena *a)
{
    *version = (version_row){.row.info = {.bucket = str_copy(a, bucket), .key = str_copy(a, key)}};
}

static status find_current(state_txn *txn, str bucket, str key, arena *a, version_row *ret_row,
                           bool *ret_found, error *err)
{
    state_rows *rows;

    TRY(STATE_QUERY(txn, "SELECT " OBJECT_COLUMNS " FROM objects WHERE bucket = ?1 AND key = ?2",
                    &rows, err, SV_TEXT(bucket), SV_TEXT(key)));
    TRY(state_next(rows, ret_found, err));
    if (*ret_found) {
        name_row(ret_row, bucket, key, a);
        ret_row->current = true;
        ret_row->row.info.is_latest = true;
        TRY(store__read_columns(rows, 0, true, a, &ret_row->row, err));
    }
    state_finish(rows);
    return STATUS_OK;
}

/* Of object_versions: the newest, or that of `version`. */
static status find_older(state_txn *txn, str bucket, str key, const str *version, arena *a,
                         version_row *ret_row, bool *ret_found, error *err)
{
    state_rows *rows;

    if (version == NULL) {
        TRY(STATE_QUERY(txn,
                        "SELECT place, is_marker, " OBJECT_COLUMNS " FROM object_versions "
                        "WHERE bucket = ?1 AND key = ?2 ORDER BY place LIMIT 1",
                        &rows, err, SV_TEXT(bucket), SV_TEXT(key)));
    } else {
        TRY(STATE_QUERY(txn,
                        "SELECT place, is_marker, " OBJECT_COLUMNS " FROM object_versions "
                        "WHERE bucket = ?1 AND key = ?2 AND version = ?3",
                        &rows, err, SV_TEXT(bucket), SV_TEXT(key), SV_TEXT(*version)));
    }
    TRY(state_next(rows, ret_found, err));
    if (*ret_found) {
        name_row(ret_row, bucket, key, a);
        ret_row->place = state_int(rows, 0);
        ret_row->row.info.is_marker = state_int(rows, 1) != 0;
        TRY(store__read_columns(rows, 2, true, a, &ret_row->row, err));
    }
    state_finish(rows);
    return STATUS_OK;
}

static str version_of(str asked)
{
    return str_equal(asked, STR("null")) ? STR("") : asked;
}

/* Whether it is the newest follows from there being a current one, or a newer one in the same table. */
static status find_named(state_txn *txn, str bucket, str key, str version, arena *a,
                         version_row *ret_row, bool *ret_found, error *err)
{
    version_row current;
    version_row newest;
    bool has_current;
    bool has_newest;

    TRY(find_current(txn, bucket, key, a, &current, &has_current, err));
    if (has_current && str_equal(current.row.info.version, version)) {
        *ret_row = current;
        *ret_found = true;
        return STATUS_OK;
    }
    TRY(find_older(txn, bucket, key, &version, a, ret_row, ret_found, err));
    if (*ret_found && !has_current) {
        TRY(find_older(txn, bucket, key, NULL, a, &newest, &has_newest, err));
        ret_row->row.info.is_latest = has_newest && newest.place == ret_row->place;
    }
    return STATUS_OK;
}

status store__find_version(state_txn *txn, str bucket, str key, str version, arena *a,
                           version_row *ret_row, bool *ret_found, error *err)
{
    if (!str_is_null(version)) {
        return find_named(txn, bucket, key, version_of(version), a, ret_row, ret_found, err);
    }
    TRY(find_current(txn, bucket, key, a, ret_row, ret_found, err));
    if (!*ret_found) {
        TRY(find_older(txn, bucket, key, NULL, a, ret_row, ret_found, err));
        ret_row->row.info.is_latest = *ret_found;
    }
    return STATUS_OK;
}

static status no_object(str bucket, str key, str version, error *err)
{
    if (str_is_null(version)) {
        error_set(err, STATUS_NOT_FOUND, "object \"s3://%.*s/%.*s\" does not exist",
                  STR_ARG(bucket), STR_ARG(key));
        error_set_s3_code(err, "NoSuchKey");
    } else {
        error_set(err, STATUS_NOT_FOUND, "object \"s3://%.*s/%.*s\" has no version \"%.*s\"",
                  STR_ARG(bucket), STR_ARG(key), STR_ARG(version));
        error_set_s3_code(err, "NoSuchVersion");
    }
    return STATUS_NOT_FOUND;
}

status store__require_version(state_txn *txn, str bucket, str key, str version, arena *a,
                              version_row *ret_row, error *err)
{
    version_row found = {0};
    bool there = false;
    bucket_rules rules;

    TRY(store__find_version(txn, bucket, key, version, a, &found, &there, err));
    if (!there) {
        TRY(store__read_rules(txn, bucket, &rules, err));
        return no_object(bucket, key, version, err);
    }
    *ret_row = found;
    if (!found.row.info.is_marker) {
        return STATUS_OK;
    }
    if (str_is_null(version)) {
        return no_object(bucket, key, STR_NULL, err);
    }
    error_set(err, STATUS_METHOD, "version \"%.*s\" of \"s3://%.*s/%.*s\" is a delete marker",
              STR_ARG(version), STR_ARG(bucket), STR_ARG(key));
    error_set_s3_code(err, "MethodNotAllowed");
    return STATUS_METHOD;
}

status store__find_row(state_txn *txn, str bucket, str key, str version, arena *a,
                       object_row *ret_row, error *err)
{
    version_row found = {0};
    status required = store__require_version(txn, bucket, key, version, a, &found, err);

    if (required == STATUS_OK || found.row.info.is_marker) {
        *ret_row = found.row;
    }
    return required;
}

/* --- conditions --- */

static status precondition(str bucket, str key, const char *reason, error *err)
{
    error_set(err, STATUS_PRECONDITION, "object \"s3://%.*s/%.*s\" %s", STR_ARG(bucket),
              STR_ARG(key), reason);
    error_set_s3_code(err, "PreconditionFailed");
    return STATUS_PRECONDITION;
}

status store__check_conditions(const object_conditions *conditions, str bucket, str key,
                               const object_info *current, error *err)
{
    str match = conditions->if_match;
    str none = conditions->if_none_match;

    if (!str_is_null(match)) {
        if (current == NULL) {
            return no_object(bucket, key, STR_NULL, err);
        }
        if (!str_equal(match, STR("*")) && !str_equal(match, current->etag)) {
            return precondition(bucket, key, "is another one by now", err);
        }
    }
    if (!str_is_null(none) && current != NULL &&
        (str_equal(none, STR("*")) || str_equal(none, current->etag))) {
        return precondition(bucket, key, "exists", err);
    }
    if (current == NULL) {
        return STATUS_OK;
    }
    if (conditions->if_modified_us != 0 &&
        conditions->if_modified_us / 1000000 != current->modified_us / 1000000) {
        return precondition(bucket, key, "was modified at another time", err);
    }
    if (conditions->if_size_bytes >= 0 && conditions->if_size_bytes != current->size_bytes) {
        return precondition(bucket, key, "has another size", err);
    }
    return STATUS_OK;
}

/* --- blobs --- */

typedef struct dropping {
    storage *st;
    blob_id id;
} dropping;

static void blob_dropped(void *context)
{
    dropping *d = context;

    store__remove_later(d->st, d->id, true);
}

typedef struct dead_record {
    storage *st;
    blob_id segment;
    int64_t begin, record_bytes;
} dead_record;

static void record_dropped(void *context)
{
    const dead_record *d = context;

    store__erase_later(d->st, d->segment, d->begin, d->record_bytes);
    store__segment_freed(d->st);
}

/* Its space is dead from now on. */
static status release_record(state_txn *txn, dead_record *record, error *err)
{
    TRY(store__segment_change_live(txn, str_c(record->segment.text), -record->record_bytes, err));
    state_after_commit(txn, record_dropped, record);
    return STATUS_OK;
}

status store__drop_file(storage *st, state_txn *txn, blob_id id, error *err)
{
    dropping *d = ARENA_NEW(state_txn_arena(txn), dropping);

    TRY(STATE_EXEC(txn, "INSERT INTO blob_drops (blob) VALUES (?1) ON CONFLICT (blob) DO NOTHING",
                   NULL, err, SV_TEXT(str_c(id.text))));
    d->st = st;
    d->id = id;
    state_after_commit(txn, blob_dropped, d);
    return STATUS_OK;
}

status store__release_blob(storage *st, state_txn *txn, str blob, error *err)
{
    dead_record *record = NULL;
    state_rows *rows;
    bool gone;

    TRY(STATE_EXEC(txn, "UPDATE blobs SET owners = owners - 1 WHERE id = ?1", NULL, err,
                   SV_TEXT(blob)));
    TRY(STATE_QUERY(txn,
                    "SELECT file, file_bytes, file_offset + size_bytes - file_bytes FROM blobs "
                    "WHERE id = ?1 AND owners <= 0",
                    &rows, err, SV_TEXT(blob)));
    TRY(state_next(rows, &gone, err));
    if (gone && store__is_blob_id(state_text(rows, 0, NULL))) {
        record = ARENA_NEW(state_txn_arena(txn), dead_record);
        *record = (dead_record){.st = st,
                                .segment = store__blob_id(state_text(rows, 0, NULL)),
                                .record_bytes = state_int(rows, 1),
                                .begin = state_int(rows, 2)};
    }
    state_finish(rows);
    if (!gone) {
        return STATUS_OK;
    }
    TRY(STATE_EXEC(txn, "DELETE FROM blobs WHERE id = ?1", NULL, err, SV_TEXT(blob)));
    if (record != NULL) {
        return release_record(txn, record, err);
    }
    return store__is_blob_id(blob) ? store__drop_file(st, txn, store__blob_id(blob), err)
                                   : STATUS_OK;
}

/* --- moving rows --- */

static status next_place(state_txn *txn, str bucket, str key, int64_t *ret_place, error *err)
{
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT min(place) FROM object_versions WHERE bucket = ?1 AND key = ?2",
                    &rows, err, SV_TEXT(bucket), SV_TEXT(key)));
    TRY(state_next(rows, &row, err));
    *ret_place = (row ? state_int(rows, 0) : 0) - 1;
    state_finish(rows);
    return STATUS_OK;
}

/* The current version becomes the newest of the older ones. */
static status retire_current(state_txn *txn, str bucket, str key, usage_change *change, error *err)
{
    int64_t place;

    TRY(next_place(txn, bucket, key, &place, err));
    TRY(STATE_EXEC(txn,
                   "INSERT INTO object_versions (bucket, key, place, is_marker, " OBJECT_COLUMNS
                   ") SELECT bucket, key, ?3, 0, " OBJECT_COLUMNS
                   " FROM objects WHERE bucket = ?1 AND key = ?2",
                   NULL, err, SV_TEXT(bucket), SV_TEXT(key), SV_INT(place)));
    TRY(STATE_EXEC(txn, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2", NULL, err,
                   SV_TEXT(bucket), SV_TEXT(key)));
    change->objects--;
    change->versions++;
    return STATUS_OK;
}

/* The newest of the older versions becomes the current one, unless it is a marker. */
static status promote_newest(state_txn *txn, str bucket, str key, usage_change *change, error *err)
{
    state_rows *rows;
    int64_t place;
    bool row;
    bool marker;

    TRY(STATE_QUERY(txn,
                    "SELECT place, is_marker FROM object_versions WHERE bucket = ?1 AND key = ?2 "
                    "ORDER BY place LIMIT 1",
                    &rows, err, SV_TEXT(bucket), SV_TEXT(key)));
    TRY(state_next(rows, &row, err));
    place = row ? state_int(rows, 0) : 0;
    marker = row && state_int(rows, 1) != 0;
    state_finish(rows);
    if (!row || marker) {
        return STATUS_OK;
    }
    TRY(STATE_EXEC(txn,
                   "INSERT INTO objects (bucket, key, " OBJECT_COLUMNS
                   ") SELECT bucket, key, " OBJECT_COLUMNS
                   " FROM object_versions WHERE bucket = ?1 AND key = ?2 AND place = ?3",
                   NULL, err, SV_TEXT(bucket), SV_TEXT(key), SV_INT(place)));
    TRY(STATE_EXEC(txn, "DELETE FROM object_versions WHERE bucket = ?1 AND key = ?2 AND place = ?3",
                   NULL, err, SV_TEXT(bucket), SV_TEXT(key), SV_INT(place)));
    change->objects++;
    change->versions--;
    return STATUS_OK;
}

static status take_away(storage *st, state_txn *txn, str bucket, const version_row *version,
                        usage_change *change, error *err)
{
    str key = version->row.info.key;

    if (version->current) {
        TRY(STATE_EXEC(txn, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2", NULL, err,
                       SV_TEXT(bucket), SV_TEXT(key)));
        change->objects--;
    } else {
        TRY(STATE_EXEC(txn,
                       "DELETE FROM object_versions WHERE bucket = ?1 AND key = ?2 AND place = ?3",
                       NULL, err, SV_TEXT(bucket), SV_TEXT(key), SV_INT(version->place)));
        change->versions--;
    }
    change->bytes -= version->row.info.size_bytes;
    return version->row.blob.text[0] == '\0'
               ? STATUS_OK
               : store__release_blob(st, txn, str_c(version->row.blob.text), err);
}

status store__remove_version(storage *st, state_txn *txn, str bucket, const version_row *version,
                             usage_change *change, error *err)
{
    store__hot_changes(st, txn, bucket, version->row.info.key);
    TRY(take_away(st, txn, bucket, version, change, err));
    return version->row.info.is_latest
               ? promote_newest(txn, bucket, version->row.info.key, change, err)
               : STATUS_OK;
}

/* Room for a new version: what is current goes, or becomes an older one; of null versions there is one at most. */
static status make_way(storage *st, state_txn *txn, const bucket_rules *rules, str key,
                       const version_row *current, usage_change *change, error *err)
{
    arena *a = state_txn_arena(txn);
    version_row null_version;
    str null_id = STR("");
    bool found;

    if (current != NULL &&
        (rules->versioning == VERSIONING_OFF ||
         (rules->versioning == VERSIONING_SUSPENDED && current->row.info.version.size == 0))) {
        return take_away(st, txn, rules->name, current, change, err);
    }
    if (rules->versioning == VERSIONING_SUSPENDED) {
        TRY(find_older(txn, rules->name, key, &null_id, a, &null_version, &found, err));
        if (found) {
            TRY(take_away(st, txn, rules->name, &null_version, change, err));
        }
    }
    return current != NULL ? retire_current(txn, rules->name, key, change, err) : STATUS_OK;
}

str store__new_version(arena *a)
{
    uint8_t bytes[16];

    random_bytes(bytes, sizeof(bytes));
    return str_to_hex(a, bytes, sizeof(bytes));
}

/* --- a new version --- */

static status apply_lock(const bucket_rules *rules, object_info *info, error *err)
{
    object_lock *lock = &info->attributes.lock;

    if (!rules->lock_enabled && (lock->mode != LOCK_NONE || lock->legal_hold)) {
        error_set(err, STATUS_INVALID, "bucket \"%.*s\" has no object lock", STR_ARG(rules->name));
        error_set_s3_code(err, "InvalidRequest");
        return STATUS_INVALID;
    }
    if (lock->mode == LOCK_NONE && rules->retention_mode != LOCK_NONE) {
        lock->mode = rules->retention_mode;
        lock->retain_until_us = clock_now_us() + rules->retention_us;
    }
    return STATUS_OK;
}

static str id_for(const bucket_rules *rules, str proposed, arena *a)
{
    if (rules->versioning != VERSIONING_ENABLED) {
        return STR("");
    }
    return proposed.size > 0 ? proposed : store__new_version(a);
}

static status insert_object(state_txn *txn, const object_row *row, arena *a, error *err)
{
    const object_info *info = &row->info;
    str details = store__format_details(info, a);
    str type = info->attributes.content_type;

    return STATE_EXEC(txn,
                      "INSERT INTO objects (bucket, key, " OBJECT_COLUMNS
                      ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                      NULL, err, SV_TEXT(info->bucket), SV_TEXT(info->key), SV_TEXT(info->version),
                      SV_TEXT(str_c(row->blob.text)), SV_INT(row->offset), SV_INT(info->size_bytes),
                      SV_TEXT(info->etag),
                      SV_TEXT(type.size > 0 ? type : STR("binary/octet-stream")),
                      SV_INT(info->modified_us), str_is_null(details) ? SV_NULL : SV_TEXT(details));
}

static void written_over(void *context, state_outcome outcome)
{
    storage *st = context;

    if (outcome != STATE_ROLLED_BACK) {
        atomic_fetch_add_explicit(&st->generation, 1, memory_order_release);
    }
}

status store__put_row(storage *st, state_txn *txn, const bucket_rules *rules, const object_row *row,
                      const object_conditions *conditions, usage_change *change, arena *a,
                      object_info *ret_info, error *err)
{
    arena *scratch = state_txn_arena(txn);
    object_row fresh = *row;
    version_row current = {0};
    bool found;

    store__hot_changes(st, txn, rules->name, row->info.key);
    TRY(find_current(txn, rules->name, row->info.key, scratch, &current, &found, err));
    if (conditions != NULL) {
        TRY(store__check_conditions(conditions, rules->name, row->info.key,
                                    found ? &current.row.info : NULL, err));
    }
    TRY(apply_lock(rules, &fresh.info, err));
    fresh.info.version = id_for(rules, row->info.version, a);
    fresh.info.is_latest = true;
    fresh.info.is_marker = false;
    TRY(make_way(st, txn, rules, row->info.key, found ? &current : NULL, change, err));
    if (found && store__is_watched(row->info.key)) {
        state_at_end(txn, written_over, st);
    }
    TRY(insert_object(txn, &fresh, scratch, err));
    change->objects++;
    change->bytes += fresh.info.size_bytes;
    if (ret_info != NULL) {
        *ret_info = fresh.info;
    }
    return STATUS_OK;
}

status store__put_marker(storage *st, state_txn *txn, const bucket_rules *rules, str key, str owner,
                         usage_change *change, arena *a, str *ret_version, error *err)
{
    arena *scratch = state_txn_arena(txn);
    object_info info = {.attributes.owner = owner.size > 0 ? owner : rules->owner};
    str version = id_for(rules, STR(""), a);
    version_row current = {0};
    str details;
    int64_t place;
    bool found;

    store__hot_changes(st, txn, rules->name, key);
    TRY(find_current(txn, rules->name, key, scratch, &current, &found, err));
    TRY(make_way(st, txn, rules, key, found ? &current : NULL, change, err));
    TRY(next_place(txn, rules->name, key, &place, err));
    details = store__format_details(&info, scratch);
    TRY(STATE_EXEC(txn,
                   "INSERT INTO object_versions (bucket, key, place, version, is_marker, blob, "
                   "blob_offset, size_bytes, etag, content_type, modified_us, metadata) "
                   "VALUES (?1, ?2, ?3, ?4, 1, '', 0, 0, '', '', ?5, ?6)",
                   NULL, err, SV_TEXT(rules->name), SV_TEXT(key), SV_INT(place), SV_TEXT(version),
                   SV_INT(clock_now_us()), str_is_null(details) ? SV_NULL : SV_TEXT(details)));
    change->versions++;
    *ret_version = version;
    return STATUS_OK;
}

status store__delete_key(storage *st, state_txn *txn, const bucket_rules *rules, str key,
                         usage_change *change, error *err)
{
    arena *scratch = state_txn_arena(txn);
    version_row current = {0};
    str version;
    bool found;

    store__hot_changes(st, txn, rules->name, key);
    TRY(find_current(txn, rules->name, key, scratch, &current, &found, err));
    if (!found) {
        return STATUS_OK;
    }
    return rules->versioning == VERSIONING_OFF
               ? take_away(st, txn, rules->name, &current, change, err)
               : store__put_marker(st, txn, rules, key, STR(""), change, scratch, &version, err);
}

/* --- publishing --- */

static object_info copy_info(const object_info *info, arena *a)
{
    object_info copy = *info;

    copy.bucket = str_copy(a, info->bucket);
    copy.key = str_copy(a, info->key);
    copy.version = str_copy(a, info->version);
    copy.etag = str_copy(a, info->etag);
    return copy;
}

status store__publish_version(storage *st, state_txn *txn, store_staged *staged,
                              const object_info *info, const object_conditions *conditions,
                              arena *a, object_info *ret_info, error *err)
{
    object_row row = {.info = copy_info(info, a), .blob = staged->id, .offset = staged->offset};
    usage_change change = {0};
    bucket_rules rules;

    store__hand_over(st, txn, &staged, 1);
    TRY(store__read_rules(txn, row.info.bucket, &rules, err));
    if (row.info.modified_us == 0) {
        row.info.modified_us = staged->created_us;
    }
    TRY(store__put_row(st, txn, &rules, &row, conditions, &change, a, ret_info, err));
    TRY(store__publish_blobs(st, txn, &staged, 1, err));
    return store__change_usage(txn, rules.name, &change, err);
}

status store__publish_copy(storage *st, state_txn *txn, const object_row *source,
                           const object_info *info, const object_conditions *conditions, arena *a,
                           object_info *ret_info, error *err)
{
    object_row row = {.info = copy_info(info, a), .blob = source->blob, .offset = source->offset};
    usage_change change = {0};
    bucket_rules rules;
    int64_t owned;

    TRY(store__read_rules(txn, row.info.bucket, &rules, err));
    if (row.info.modified_us == 0) {
        row.info.modified_us = clock_now_us();
    }
    /* Before the row that may be replaced by it gives its own up: an object may be copied onto itself. */
    TRY(STATE_EXEC(txn, "UPDATE blobs SET owners = owners + 1 WHERE id = ?1", &owned, err,
                   SV_TEXT(str_c(source->blob.text))));
    if (owned == 0) {
        error_set(err, STATUS_CONFLICT, "object \"s3://%.*s/%.*s\" was replaced meanwhile",
                  STR_ARG(source->info.bucket), STR_ARG(source->info.key));
        error_set_s3_code(err, "ConditionalRequestConflict");
        return STATUS_CONFLICT;
    }
    TRY(store__put_row(st, txn, &rules, &row, conditions, &change, a, ret_info, err));
    return store__change_usage(txn, rules.name, &change, err);
}

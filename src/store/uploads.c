/* Uploads in parts: their rows, and what is known of those in use. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rows.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"
#include "tarn/base/rng.h"
#include "tarn/codec/json.h"
#include "uploads.h"

#define DETAILS_BYTES_MAX (4 * LIMIT_MIB)

status store__no_upload(str id, error *err)
{
    (void)error_set(err, STATUS_NOT_FOUND, "upload \"%.*s\" does not exist", STR_ARG(id));
    error_set_s3_code(err, "NoSuchUpload");
    return STATUS_NOT_FOUND;
}

/* --- rows --- */

static str format_upload(const upload_info *what, arena *a)
{
    const object_info info = {.attributes = what->attributes};
    buf *out = buf_in(a, DETAILS_BYTES_MAX);
    str details = store__format_details(&info, a);
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_member_str(&w, "initiator", what->initiator);
    json_member_str(&w, "type", what->attributes.content_type);
    json_member_int(&w, "kind", what->checksum);
    json_member_bool(&w, "composite", what->composite);
    if (!str_is_null(details)) {
        json_member_str(&w, "details", details);
    }
    json_end_object(&w);
    return buf_str(out);
}

static status parse_upload(str text, arena *a, upload_info *info, error *err)
{
    object_info object = {.size_bytes = 0};
    const json *tree;
    int64_t kind;

    TRY(json_parse(text, a, &tree, err));
    TRY(store__parse_details(json_str_or(json_get(tree, "details"), STR_NULL), a, &object, err));
    kind = json_int64_or(json_get(tree, "kind"), CHECKSUM_NONE);
    if (kind < 0 || kind >= CHECKSUM_KIND_COUNT) {
        return error_set(err, STATUS_CORRUPT, "upload \"%.*s\" has no valid checksum",
                         STR_ARG(info->id));
    }
    info->attributes = object.attributes;
    info->attributes.content_type = json_str_or(json_get(tree, "type"), STR(""));
    info->initiator = json_str_or(json_get(tree, "initiator"), STR(""));
    info->checksum = (object_checksum_kind)kind;
    info->composite = json_bool_or(json_get(tree, "composite"), false);
    return STATUS_OK;
}

static blob_id blob_or_none(str text)
{
    return store__is_blob_id(text) ? store__blob_id(text) : (blob_id){.text = ""};
}

status store__find_upload(state_txn *txn, str bucket, str key, str id, arena *a,
                          upload_row *ret_row, bool *ret_found, error *err)
{
    upload_row row = {.part_bytes = 0};
    state_rows *rows;

    TRY(STATE_QUERY(txn,
                    "SELECT created_us, details, blob, part_bytes, completed_us, result "
                    "FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3",
                    &rows, err, SV_TEXT(bucket), SV_TEXT(key), SV_TEXT(id)));
    TRY(state_next(rows, ret_found, err));
    if (*ret_found) {
        row.info = (upload_info){.id = str_copy(a, id),
                                 .bucket = str_copy(a, bucket),
                                 .key = str_copy(a, key),
                                 .created_us = state_int(rows, 0)};
        TRY(parse_upload(state_text(rows, 1, a), a, &row.info, err));
        row.blob = blob_or_none(state_text(rows, 2, NULL));
        row.part_bytes = state_int(rows, 3);
        row.completed_us = state_int(rows, 4);
        row.result = state_text(rows, 5, a);
        *ret_row = row;
    }
    state_finish(rows);
    return STATUS_OK;
}

static void read_part(state_rows *rows, arena *a, part_row *part)
{
    *part = (part_row){.number = (int)state_int(rows, 0),
                       .size_bytes = state_int(rows, 1),
                       .disk_bytes = state_int(rows, 2),
                       .etag = state_text(rows, 3, a),
                       .checksum = {.kind = (object_checksum_kind)state_int(rows, 4),
                                    .value = state_text(rows, 5, a)},
                       .crc64 = (uint64_t)state_int(rows, 6),
                       .modified_us = state_int(rows, 7),
                       .blob = blob_or_none(state_text(rows, 8, NULL)),
                       .crcs = state_text(rows, 9, a),
                       .seal = state_text(rows, 10, a)};
}

status store__read_parts(state_txn *txn, str upload, int after, size_t max, arena *a,
                         part_row **ret_parts, size_t *ret_count, error *err)
{
    VEC(part_row) parts = {0};
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn,
                    "SELECT number, size_bytes, disk_bytes, etag, checksum_kind, checksum, crc64, "
                    "modified_us, blob, crcs, seal FROM upload_parts "
                    "WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
                    &rows, err, SV_TEXT(upload), SV_INT(after), SV_INT(max)));
    for (;;) {
        part_row part;

        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        read_part(rows, a, &part);
        vec_push(a, &parts, part);
    }
    state_finish(rows);
    *ret_parts = parts.items;
    *ret_count = parts.count;
    return STATUS_OK;
}

status store__drop_parts(storage *st, state_txn *txn, str upload, str file, error *err)
{
    arena *a = state_txn_arena(txn);
    VEC(blob_id) blobs = {0};
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT blob FROM upload_parts WHERE upload = ?1 AND blob IS NOT NULL",
                    &rows, err, SV_TEXT(upload)));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        if (store__is_blob_id(state_text(rows, 0, NULL))) {
            vec_push(a, &blobs, store__blob_id(state_text(rows, 0, NULL)));
        }
    }
    state_finish(rows);
    for (size_t i = 0; i < blobs.count; i++) {
        TRY(store__drop_file(st, txn, blobs.items[i], err));
    }
    if (store__is_blob_id(file)) {
        TRY(store__drop_file(st, txn, store__blob_id(file), err));
    }
    return STATE_EXEC(txn, "DELETE FROM upload_parts WHERE upload = ?1", NULL, err,
                      SV_TEXT(upload));
}

/* --- making and finding --- */

typedef struct creating {
    const upload_info *what;
    str id;
    str details;
    int64_t created_us;
} creating;

static status insert_upload(void *context, state_txn *txn, error *err)
{
    const creating *c = context;
    bucket_rules rules;

    TRY(store__read_rules(txn, c->what->bucket, &rules, err));
    return STATE_EXEC(txn,
                      "INSERT INTO uploads (bucket, key, id, created_us, details, part_bytes, "
                      "completed_us) VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)",
                      NULL, err, SV_TEXT(c->what->bucket), SV_TEXT(c->what->key), SV_TEXT(c->id),
                      SV_INT(c->created_us), SV_TEXT(c->details));
}

/* Ids of one key are in order of time. */
status upload_create(storage *st, const upload_info *what, arena *a, str *ret_id, error *err)
{
    creating c = {.what = what, .created_us = clock_now_us()};
    upload_info info = *what;

    if (!what->composite &&
        (what->checksum == CHECKSUM_SHA1 || what->checksum == CHECKSUM_SHA256)) {
        (void)error_set(err, STATUS_INVALID,
                        "a SHA of the whole object cannot be had from those of its parts");
        error_set_s3_code(err, "InvalidRequest");
        return STATUS_INVALID;
    }
    if (what->attributes.encrypted && st->options.master_key == NULL) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "encrypted objects need the master key, which is not there");
    }
    info.attributes = store__copy_attributes(&what->attributes, a);
    c.id = str_printf(a, "%016" PRIx64 "%016" PRIx64, (uint64_t)c.created_us, random_u64());
    c.details = format_upload(&info, a);
    TRY(state_submit(st->state, insert_upload, &c, err));
    *ret_id = c.id;
    return STATUS_OK;
}

typedef struct finding {
    str bucket, key, id;
    arena *a;
    upload_row row;
    bool found;
} finding;

static status find(void *context, state_txn *txn, error *err)
{
    finding *f = context;

    return store__find_upload(txn, f->bucket, f->key, f->id, f->a, &f->row, &f->found, err);
}

status upload_find(storage *st, str bucket, str key, str id, arena *a, upload_info *ret_info,
                   error *err)
{
    finding f = {.bucket = bucket, .key = key, .id = id, .a = a};

    TRY(state_read(st->state, find, &f, err));
    if (!f.found || f.row.completed_us != 0) {
        return store__no_upload(id, err);
    }
    *ret_info = f.row.info;
    return STATUS_OK;
}

/* --- those in use --- */

live_upload *store__enter_upload(storage *st, str bucket, str key, str id)
{
    live_upload *live;

    mutex_lock(&st->upload_lock);
    live = map_get(st->uploads, id);
    if (live == NULL) {
        arena *memory = arena_create();

        live = ARENA_NEW(memory, live_upload);
        live->memory = memory;
        live->bucket = str_copy(memory, bucket);
        live->key = str_copy(memory, key);
        live->id = str_copy(memory, id);
        live->fd = -1;
        sync_group_init(&live->group);
        (void)map_set(st->uploads, live->id, live);
    }
    live->users++;
    mutex_unlock(&st->upload_lock);
    return live;
}

void store__leave_upload(storage *st, live_upload *live)
{
    bool last;

    mutex_lock(&st->upload_lock);
    last = --live->users == 0;
    if (last) {
        (void)map_remove(st->uploads, live->id);
    }
    mutex_unlock(&st->upload_lock);
    if (!last) {
        return;
    }
    fs_close(live->fd);
    if (live->has_file && !live->recorded && !fs_volume_broken()) {
        store__remove_later(st, live->blob, false);
    }
    sync_group_release(&live->group);
    arena_free(live->memory);
}

void store__begin_alone(storage *st, live_upload *live)
{
    mutex_lock(&st->upload_lock);
    while (live->alone) {
        cond_wait(&st->upload_changed, &st->upload_lock);
    }
    live->alone = true;
    while (live->committing > 0) {
        cond_wait(&st->upload_changed, &st->upload_lock);
    }
    mutex_unlock(&st->upload_lock);
}

void store__end_alone(storage *st, live_upload *live, bool finished)
{
    mutex_lock(&st->upload_lock);
    live->alone = false;
    live->finished = live->finished || finished;
    cond_broadcast(&st->upload_changed);
    mutex_unlock(&st->upload_lock);
}

status store__load_upload(storage *st, live_upload *live, error *err)
{
    finding f = {.bucket = live->bucket, .key = live->key, .id = live->id};
    status read;

    f.a = arena_create();
    read = state_read(st->state, find, &f, err);
    arena_free(f.a);
    TRY(read);
    if (!f.found || f.row.completed_us != 0) {
        return store__no_upload(live->id, err);
    }
    mutex_lock(&st->upload_lock);
    if (!live->loaded) {
        live->loaded = true;
        live->part_bytes = f.row.part_bytes;
        live->blob = f.row.blob;
        live->has_file = f.row.blob.text[0] != '\0';
        live->recorded = live->has_file;
    }
    mutex_unlock(&st->upload_lock);
    return STATUS_OK;
}

static status make_file(storage *st, live_upload *live, error *err)
{
    store_staged *staged;
    status made;

    TRY(store__staged_for(st, live->bucket, live->key, STR(""), &staged, err));
    made = staged->ops->create(st, staged, 0, err);
    if (made == STATUS_OK) {
        made = fs_link_fd(staged->fd, staged->path, err);
        staged->named = made == STATUS_OK;
    }
    if (made == STATUS_OK && staged->beside != NULL) {
        made = fs_remove(staged->beside, err);
        staged->beside = NULL;
    }
    if (made == STATUS_OK) {
        made = store__sync_folder(st, staged->folder, err);
    }
    if (made != STATUS_OK) {
        store_discard(st, staged);
        return made;
    }
    live->blob = staged->id;
    live->has_file = true;
    live->fd = staged->fd;
    staged->fd = -1;
    store__staged_free(staged);
    return STATUS_OK;
}

/* One that was completed in vain is read-only by now. */
static status reopen_file(storage *st, live_upload *live, error *err)
{
    char *path = store__blob_path(st, live->memory, live->blob);

    if (chmod(path, 0600) != 0) {
        return error_errno(err, STATUS_IO, errno, "could not open the file of an upload");
    }
    return fs_open(path, O_RDWR, 0, &live->fd, err);
}

status store__open_upload_file(storage *st, live_upload *live, error *err)
{
    if (live->fd >= 0) {
        return STATUS_OK;
    }
    return live->has_file ? reopen_file(st, live, err) : make_file(st, live, err);
}

/* --- aborting --- */

static status abort_one(storage *st, state_txn *txn, str bucket, str key, str id, str file,
                        error *err)
{
    TRY(store__drop_parts(st, txn, id, file, err));
    return STATE_EXEC(txn, "DELETE FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3", NULL,
                      err, SV_TEXT(bucket), SV_TEXT(key), SV_TEXT(id));
}

typedef struct aborting {
    storage *st;
    str bucket, key, id;
} aborting;

static status abort_upload(void *context, state_txn *txn, error *err)
{
    aborting *ab = context;
    upload_row row;
    bool found;

    TRY(store__find_upload(txn, ab->bucket, ab->key, ab->id, state_txn_arena(txn), &row, &found,
                           err));
    if (!found || row.completed_us != 0) {
        return store__no_upload(ab->id, err);
    }
    return abort_one(ab->st, txn, ab->bucket, ab->key, ab->id, str_c(row.blob.text), err);
}

status upload_abort(storage *st, str bucket, str key, str id, error *err)
{
    live_upload *live = store__enter_upload(st, bucket, key, id);
    aborting ab = {.st = st, .bucket = bucket, .key = key, .id = id};
    status aborted;

    store__begin_alone(st, live);
    aborted = state_submit(st->state, abort_upload, &ab, err);
    store__end_alone(st, live, aborted == STATUS_OK);
    store__leave_upload(st, live);
    return aborted;
}

status store__abort_uploads(storage *st, state_txn *txn, str bucket, error *err)
{
    arena *a = state_txn_arena(txn);
    VEC(str) names = {0}; /* key, id, file of each */
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT key, id, blob FROM uploads WHERE bucket = ?1", &rows, err,
                    SV_TEXT(bucket)));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        for (int i = 0; i < 3; i++) {
            vec_push(a, &names, state_text(rows, i, a));
        }
    }
    state_finish(rows);
    for (size_t i = 0; i < names.count; i += 3) {
        TRY(abort_one(st, txn, bucket, names.items[i], names.items[i + 1], names.items[i + 2],
                      err));
    }
    return STATUS_OK;
}

/* --- at start --- */

typedef struct checking {
    storage *st;
    arena *memory;
    VEC(str) names;   /* bucket, key, id of each */
    VEC(str) missing; /* as `names`, and the upload's file */
} checking;

static status read_names(void *context, state_txn *txn, error *err)
{
    checking *c = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn,
                    "SELECT bucket, key, id FROM uploads WHERE completed_us = 0 AND (blob IS NOT "
                    "NULL OR EXISTS (SELECT 1 FROM upload_parts WHERE upload = uploads.id))",
                    NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        for (int i = 0; i < 3; i++) {
            vec_push(c->memory, &c->names, state_text(rows, i, c->memory));
        }
    }
}

static status find_missing(void *context, state_txn *txn, error *err)
{
    checking *c = context;

    for (size_t i = 0; i < c->names.count; i += 3) {
        arena *scratch = arena_create();
        const str *name = &c->names.items[i];
        state_rows *rows;
        bool missing = false;
        bool row = true;
        status asked;

        asked = STATE_QUERY(txn,
                            "SELECT blob FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3 "
                            "UNION ALL SELECT blob FROM upload_parts WHERE upload = ?3",
                            &rows, err, SV_TEXT(name[0]), SV_TEXT(name[1]), SV_TEXT(name[2]));
        while (asked == STATUS_OK && row) {
            asked = state_next(rows, &row, err);
            if (asked == STATUS_OK && row && store__is_blob_id(state_text(rows, 0, NULL))) {
                blob_id id = store__blob_id(state_text(rows, 0, NULL));

                missing = missing || !fs_exists(store__blob_path(c->st, scratch, id));
            }
        }
        arena_free(scratch);
        TRY(asked);
        state_finish(rows);
        for (size_t j = 0; j < 3 && missing; j++) {
            vec_push(c->memory, &c->missing, name[j]);
        }
    }
    return STATUS_OK;
}

static status forget_missing(void *context, state_txn *txn, error *err)
{
    checking *c = context;

    for (size_t i = 0; i < c->missing.count; i += 3) {
        const str *name = &c->missing.items[i];

        TRY(abort_one(c->st, txn, name[0], name[1], name[2], STR(""), err));
        log_event(LOG_WARN, "upload forgotten: its files are not there",
                  LOG_STR("upload", name[2]));
    }
    return STATUS_OK;
}

static status forget_lost(checking *c, error *err)
{
    TRY(state_read(c->st->state, read_names, c, err));
    if (c->names.count > 0) {
        TRY(state_read(c->st->state, find_missing, c, err));
    }
    return c->missing.count > 0 ? state_submit(c->st->state, forget_missing, c, err) : STATUS_OK;
}

status store__forget_lost_uploads(storage *st, error *err)
{
    checking c = {.st = st, .memory = arena_create()};
    status done = forget_lost(&c, err);

    arena_free(c.memory);
    return done;
}

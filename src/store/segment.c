/* Small objects in shared files: a record each, appended to the open segment. Writers that come together share one
 * sync.
 *
 * A segment is "<magic>" and then records without gaps: a head (magic, sizes, checksums), the blob's names as JSON,
 * its bytes. A row in `segments` stands for the file; the row of each blob says where its bytes lie, and how much of
 * the file its record takes: what is taken and not in any row is dead, until the segment is compacted (compact.c). A
 * segment is written by one start alone: what a start finds is sealed.
 *
 * A record whose object went, or was never published, is marked as erased, in its place: recovery passes it over, as
 * it does not find a file that was removed. Its bytes stay, for those who read them. */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "bytes.h"
#include "sync_group.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"

#define FILE_MAGIC "tarn.seg.1\n\n\n\n\n\n"
#define FILE_MAGIC_BYTES ((int64_t)16)
#define RECORD_MARK "\x89tarn" /* how both begin: */
#define RECORD_MAGIC "\x89tarnobj"
#define ERASED_MAGIC "\x89tarndel"
#define RECORD_MAGIC_BYTES 8
#define HEAD_BYTES 24
#define RECORD_BYTES_MAX (4 * LIMIT_MIB)

struct segment {
    blob_id id;
    int fd;
    int64_t size; /* where the next record goes */
    int users;    /* objects that are staged in it, and its being open */
    sync_group group;
};

/* --- records --- */

static void put_u32(char *to, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        to[i] = (char)(value >> (8 * i));
    }
}

static bool has_magic(const char *head, const char *magic)
{
    return memcmp(head, magic, RECORD_MAGIC_BYTES) == 0;
}

static void set_magic(char *head, const char *magic)
{
    memcpy(head, magic, RECORD_MAGIC_BYTES);
    put_u32(head + HEAD_BYTES - 4, checksum_crc32c(0, head, HEAD_BYTES - 4));
}

static bool is_head(str head)
{
    return head.size == HEAD_BYTES &&
           (has_magic(head.data, RECORD_MAGIC) || has_magic(head.data, ERASED_MAGIC)) &&
           store__crc_at(head, 5) == checksum_crc32c(0, head.data, HEAD_BYTES - 4);
}

static status format_record(store_staged *staged, str bytes, buf *record, error *err)
{
    char head[HEAD_BYTES];
    buf *names = buf_in(staged->memory, LIMIT_MIB);

    staged->small = true; /* its file does not say its id */
    store__format_names(staged, names);
    TRY(buf_check(names, "names of a blob", err));
    put_u32(head + 8, (uint32_t)names->size);
    put_u32(head + 12, (uint32_t)bytes.size);
    put_u32(head + 16,
            checksum_crc32c(checksum_crc32c(0, names->data, names->size), bytes.data, bytes.size));
    set_magic(head, RECORD_MAGIC);
    buf_add(record, head, sizeof(head));
    buf_add_str(record, buf_str(names));
    buf_add_str(record, bytes);
    return buf_check(record, "a small object", err);
}

bool store__is_segment(str bytes)
{
    return str_starts_with(bytes, str_from(FILE_MAGIC, (size_t)FILE_MAGIC_BYTES));
}

static bool parse_at(str bytes, size_t at, segment_record *ret_record)
{
    str head = str_slice(bytes, at, at + HEAD_BYTES);
    size_t names_size;
    size_t size;
    str rest;

    if (!is_head(head)) {
        return false;
    }
    names_size = store__crc_at(head, 2);
    size = store__crc_at(head, 3);
    rest = str_slice(bytes, at + HEAD_BYTES, at + HEAD_BYTES + names_size + size);
    if (rest.size < names_size + size ||
        store__crc_at(head, 4) != checksum_crc32c(0, rest.data, rest.size)) {
        return false;
    }
    *ret_record = (segment_record){.begin = (int64_t)at,
                                   .record_bytes = (int64_t)(HEAD_BYTES + names_size + size),
                                   .names = str_slice(rest, 0, names_size),
                                   .bytes = str_slice(rest, names_size, rest.size)};
    return true;
}

bool store__segment_renew(char *record, size_t size_bytes)
{
    segment_record parsed;

    if (!parse_at(str_from(record, size_bytes), 0, &parsed) ||
        parsed.record_bytes != (int64_t)size_bytes) {
        return false;
    }
    set_magic(record, RECORD_MAGIC);
    return true;
}

bool store__segment_next(str bytes, int64_t *at, segment_record *ret_record)
{
    size_t from = *at == 0 ? (size_t)FILE_MAGIC_BYTES : (size_t)*at;

    while (from < bytes.size) {
        size_t found = str_find(str_slice(bytes, from, bytes.size), STR(RECORD_MARK));

        if (found == STR_NPOS) {
            break;
        }
        from += found;
        if (!parse_at(bytes, from, ret_record)) {
            from++;
            continue;
        }
        from +=
            (size_t)
                ret_record->record_bytes; /* also of an erased one: nothing is looked for in it */
        if (has_magic(bytes.data + ret_record->begin, RECORD_MAGIC)) {
            *at = (int64_t)from;
            return true;
        }
    }
    return false;
}

/* --- the open segment; segment_lock --- */

static void free_segment(storage *st, segment *s)
{
    (void)map_remove(st->segments, str_c(s->id.text));
    fs_close(s->fd);
    sync_group_release(&s->group);
    mem_free(s);
}

static void leave(storage *st, segment *s)
{
    if (--s->users == 0) {
        free_segment(st, s);
    }
}

static status insert_segment(void *context, state_txn *txn, error *err)
{
    const segment *s = context;

    return STATE_EXEC(txn,
                      "INSERT INTO segments (id, size_bytes, live_bytes, sealed) "
                      "VALUES (?1, 0, 0, 0)",
                      NULL, err, SV_TEXT(str_c(s->id.text)));
}

static status seal_segment(void *context, state_txn *txn, error *err)
{
    const segment *s = context;

    return STATE_EXEC(txn, "UPDATE segments SET sealed = 1, size_bytes = ?2 WHERE id = ?1", NULL,
                      err, SV_TEXT(str_c(s->id.text)), SV_INT(s->size));
}

/* The file has its name, durably, before a row names it, and a row before a record lies in it. */
static status make_segment(storage *st, segment *s, error *err)
{
    store_staged *staged;
    status made;

    TRY(store__staged_for(st, STR(""), STR(""), STR(""), &staged, err));
    made = staged->ops->create(st, staged, 0, err);
    if (made == STATUS_OK) {
        made = fs_pwrite_all(staged->fd, FILE_MAGIC, (size_t)FILE_MAGIC_BYTES, 0, err);
    }
    if (made == STATUS_OK) {
        made = fs_link_fd(staged->fd, staged->path, err);
        staged->named = made == STATUS_OK;
    }
    if (made == STATUS_OK && staged->beside != NULL) {
        made = fs_remove(staged->beside, err);
        staged->beside = NULL;
    }
    if (made == STATUS_OK) {
        made = store__sync_round(st, &staged, 1, err);
    }
    s->id = staged->id;
    if (made == STATUS_OK) {
        made = state_submit(st->state, insert_segment, s, err);
    }
    if (made != STATUS_OK) {
        store_discard(st, staged);
        return made;
    }
    s->fd = staged->fd;
    s->size = FILE_MAGIC_BYTES;
    sync_group_init(&s->group);
    staged->fd = -1;
    store__staged_free(staged);
    return STATUS_OK;
}

/* What comes meanwhile waits: this happens once in 64 MiB. Without the lock: the writer of the state takes it. */
static status replace_segment(storage *st, error *err)
{
    segment *old = st->segment;
    segment *s = NEW(segment);
    status made;

    st->segment = NULL;
    st->segment_opening = true;
    mutex_unlock(&st->segment_lock);
    if (old != NULL) { /* where this fails it is sealed by the next start */
        (void)state_submit(st->state, seal_segment, old, NULL);
    }
    made = make_segment(st, s, err);
    mutex_lock(&st->segment_lock);
    st->segment_opening = false;
    if (old != NULL) {
        leave(st, old);
    }
    if (made == STATUS_OK) {
        s->users = 1;
        st->segment = s;
        (void)map_set(st->segments, str_c(s->id.text), s);
    } else {
        mem_free(s);
    }
    cond_broadcast(&st->segment_opened);
    return made;
}

void store__segment_rotate(storage *st)
{
    segment *old;

    mutex_lock(&st->segment_lock);
    old = st->segment;
    st->segment = NULL;
    mutex_unlock(&st->segment_lock);
    if (old != NULL) {
        (void)state_submit(st->state, seal_segment, old, NULL);
        mutex_lock(&st->segment_lock);
        leave(st, old);
        mutex_unlock(&st->segment_lock);
    }
}

/* A place for the record; `staged` is a user of the segment from here on. */
static status reserve(storage *st, store_staged *staged, int64_t record_bytes, int64_t *ret_at,
                      int *ret_fd, error *err)
{
    status reserved = STATUS_OK;

    mutex_lock(&st->segment_lock);
    while (reserved == STATUS_OK && (st->segment == NULL || st->segment->size >= SEGMENT_BYTES)) {
        if (st->segment_opening) {
            cond_wait(&st->segment_opened, &st->segment_lock);
        } else {
            reserved = replace_segment(st, err);
        }
    }
    if (reserved == STATUS_OK) {
        staged->segment = st->segment->id;
        *ret_fd = st->segment->fd;
        *ret_at = st->segment->size;
        st->segment->size += record_bytes;
        st->segment->users++;
    }
    mutex_unlock(&st->segment_lock);
    return reserved;
}

/* --- appending --- */

static status sync_segment(void *context, error *err)
{
    const segment *s = context;

    return fs_sync(s->fd, err);
}

status store__segment_sync(storage *st, const store_staged *staged, error *err)
{
    segment *s; /* stays: `staged` is a user of the segment */

    if (st->options.unsafe) {
        return STATUS_OK;
    }
    mutex_lock(&st->segment_lock);
    s = map_get(st->segments, str_c(staged->segment.text));
    mutex_unlock(&st->segment_lock);
    return sync_group_run(&s->group, sync_segment, s, err);
}

status store__segment_append_record(storage *st, store_staged *staged, str record,
                                    int64_t size_bytes, error *err)
{
    int64_t at;
    int fd;

    TRY(reserve(st, staged, (int64_t)record.size, &at, &fd, err));
    staged->record_bytes = (int64_t)record.size;
    staged->file_offset = at + (int64_t)record.size - size_bytes;
    return fs_pwrite_all(fd, record.data, record.size, at, err);
}

status store__segment_append(storage *st, store_staged *staged, str bytes, error *err)
{
    buf *record = buf_in(staged->memory, RECORD_BYTES_MAX);

    staged->id = store__small_id(st);
    TRY(format_record(staged, bytes, record, err));
    TRY(store__segment_append_record(st, staged, buf_str(record), (int64_t)bytes.size, err));
    TRY(FAULT(FAULT_STORE_APPENDED, err));
    TRY(store__segment_sync(st, staged, err));
    return FAULT(FAULT_STORE_STAGED, err);
}

void store__segment_erase(int fd, int64_t begin, int64_t record_bytes)
{
    char head[HEAD_BYTES];
    error err = ERROR_INIT;
    status erased = fs_pread_all(fd, head, sizeof(head), begin, &err);

    if (erased == STATUS_OK && is_head(str_from(head, sizeof(head))) &&
        (int64_t)HEAD_BYTES + store__crc_at(str_from(head, sizeof(head)), 2) +
                store__crc_at(str_from(head, sizeof(head)), 3) ==
            record_bytes) {
        set_magic(head, ERASED_MAGIC);
        erased = fs_pwrite_all(fd, head, sizeof(head), begin, &err);
    }
    if (erased != STATUS_OK) {
        log_failure("record not erased", &err);
    }
}

void store__segment_take_back(storage *st, const store_staged *staged)
{
    const segment *s;
    int fd;

    mutex_lock(&st->segment_lock);
    s = map_get(st->segments, str_c(staged->segment.text));
    fd = s != NULL ? s->fd : -1; /* stays: `staged` is a user of the segment */
    mutex_unlock(&st->segment_lock);
    if (s != NULL) {
        store__segment_erase(fd, staged->file_offset + staged->size_bytes - staged->record_bytes,
                             staged->record_bytes);
    }
}

void store__segment_leave(storage *st, const store_staged *staged)
{
    segment *s;

    mutex_lock(&st->segment_lock);
    s = map_get(st->segments, str_c(staged->segment.text));
    if (s != NULL) {
        leave(st, s);
    }
    mutex_unlock(&st->segment_lock);
}

status store__segment_change_live(state_txn *txn, str file, int64_t bytes, error *err)
{
    return STATE_EXEC(txn, "UPDATE segments SET live_bytes = live_bytes + ?2 WHERE id = ?1", NULL,
                      err, SV_TEXT(file), SV_INT(bytes));
}

/* --- starts and stops --- */

typedef struct adopting {
    storage *st;
    arena *memory;
    VEC(blob_id) ids;
    VEC(int64_t) sizes;
} adopting;

static status read_unsealed(void *context, state_txn *txn, error *err)
{
    adopting *ad = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT id FROM segments WHERE sealed = 0", NULL, 0, &rows, err));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        if (store__is_blob_id(state_text(rows, 0, NULL))) {
            vec_push(ad->memory, &ad->ids, store__blob_id(state_text(rows, 0, NULL)));
        }
    }
}

static status seal_all(void *context, state_txn *txn, error *err)
{
    adopting *ad = context;

    for (size_t i = 0; i < ad->ids.count; i++) {
        segment s = {.id = ad->ids.items[i], .size = ad->sizes.items[i]};

        TRY(seal_segment(&s, txn, err));
    }
    return STATUS_OK;
}

static status adopt(adopting *ad, error *err)
{
    TRY(state_read(ad->st->state, read_unsealed, ad, err));
    for (size_t i = 0; i < ad->ids.count; i++) {
        int64_t size = 0;

        /* A file that is not there holds nothing: what names it says so when it is read. */
        (void)fs_stat_size(store__blob_path(ad->st, ad->memory, ad->ids.items[i]), &size, NULL);
        vec_push(ad->memory, &ad->sizes, size);
    }
    return ad->ids.count > 0 ? state_submit(ad->st->state, seal_all, ad, err) : STATUS_OK;
}

status store__segment_adopt_old(storage *st, error *err)
{
    adopting ad = {.st = st, .memory = arena_create()};
    status adopted = adopt(&ad, err);

    arena_free(ad.memory);
    return adopted;
}

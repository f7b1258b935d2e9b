/* chapter.c: runs of a table's history. A commit adds a snapshot to a history that stays as it is: its chapters are
 * copied, written and packed once, and then shared by every later metadata, so that a commit costs what it adds and
 * not what the table has lived through. */
#include "chapter.h"

#include <stdatomic.h>

#include "tarn/base/limits.h"

/* Packed once and read with every load: more effort than for what the next commit throws away. */
enum { CHAPTER_GZIP_LEVEL = 6 };

static status pack(ice__passage *passage, const buf *text, arena *a)
{
    TRY(buf_check(text, "table metadata", NULL));
    passage->text = buf_str(text);
    return gzip_piece_pack(CHAPTER_GZIP_LEVEL, STR(""), passage->text, a, &passage->piece, NULL);
}

/* The texts of the snapshots become views of the whole. */
static status put_list(ice_chapter *c, ice_snapshot *snapshots, const ice_snapshot *source,
                       int format_version)
{
    arena *scratch = arena_create();
    buf *text = buf_in(c->memory, LIMIT_METADATA_FILE);
    size_t *starts = ARENA_ARRAY(scratch, size_t, c->count + 1);
    bool complete = true;
    status s;

    for (size_t i = 0; i < c->count; i++) {
        str own = ice__snapshot_text(&source[i], format_version, scratch);

        complete = complete && !str_is_null(own);
        buf_add_char(text, ',');
        starts[i] = text->size;
        buf_add_str(text, own);
    }
    starts[c->count] = text->size + 1;
    s = complete ? pack(&c->list, text, c->memory) : STATUS_TOO_LARGE;
    for (size_t i = 0; s == STATUS_OK && i < c->count; i++) {
        snapshots[i].text = str_slice(c->list.text, starts[i], starts[i + 1] - 1);
        snapshots[i].chapter = c;
    }
    arena_free(scratch);
    return s;
}

static status put_log(ice_chapter *c)
{
    buf *text = buf_in(c->memory, LIMIT_METADATA_FILE);

    for (size_t i = 0; i < c->count; i++) {
        json_writer w;

        buf_add_char(text, ',');
        json_writer_init(&w, text);
        ice__log_entry_format(&w, &(ice_log_entry){.timestamp_ms = c->snapshots[i].timestamp_ms,
                                                   .snapshot_id = c->snapshots[i].id});
    }
    return pack(&c->log, text, c->memory);
}

const ice_chapter *ice__chapter_create(const ice_snapshot *snapshots, size_t count,
                                       int format_version)
{
    arena *a = arena_create();
    ice_chapter *c = ARENA_NEW(a, ice_chapter);
    ice_snapshot *copies = ARENA_ARRAY(a, ice_snapshot, count);

    for (size_t i = 0; i < count; i++) {
        copies[i] = ice__snapshot_copy(&snapshots[i], a);
    }
    c->snapshots = copies;
    c->count = count;
    c->memory = a;
    atomic_init(&c->references, 1);
    if (put_list(c, copies, snapshots, format_version) != STATUS_OK || put_log(c) != STATUS_OK) {
        arena_free(a);
        return NULL;
    }
    return c;
}

void ice__chapter_ref(const ice_chapter *c)
{
    /* Shared values are const for their users; the count is what the owner keeps in them. */
    ice_chapter *shared = (ice_chapter *)(uintptr_t)c;

    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
}

void ice__chapter_unref(const ice_chapter *c)
{
    ice_chapter *shared = (ice_chapter *)(uintptr_t)c;

    if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1) {
        arena_free(shared->memory); /* the value itself lies in it */
    }
}

const ice_chapter *ice__chapter_at(const ice_snapshot *snapshots, size_t count)
{
    const ice_chapter *c = snapshots[0].chapter;
    bool whole = c != NULL && count >= c->count && snapshots[0].id == c->snapshots[0].id &&
                 snapshots[c->count - 1].chapter == c &&
                 snapshots[c->count - 1].id == c->snapshots[c->count - 1].id;

    return whole ? c : NULL;
}

bool ice__chapter_is_logged(const ice_chapter *c, const ice_log_entry *log, size_t count)
{
    for (size_t i = 0; i < c->count; i++) {
        if (i == count || log[i].snapshot_id != c->snapshots[i].id ||
            log[i].timestamp_ms != c->snapshots[i].timestamp_ms) {
            return false;
        }
    }
    return true;
}

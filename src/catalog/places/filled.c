/* What lies in a place before a table does. Keys come with a table that read, write and delete all of its place. So who
 * may not read files by their location gets none around files that are no table's.
 *
 * Files of tables are the warehouse's: what the server writes, and what keys write that came with a table. What
 * somebody put there with keys of an account of its own is that account's. Where a bucket does not tell the two apart,
 * because an account owns it or all that is put there (BucketOwnerEnforced), every file counts. */
#include "place.h"

#include "tarn/base/clock.h"
#include "tarn/catalog/caller.h"
#include "tarn/store/object.h"

#define PAGE_OBJECTS 1000

typedef struct known_search {
    str location, principal;
    bool found;
} known_search;

/* The place, or one around it, is a table's that is there, was dropped or is being purged; or it was held for what the
 * caller staged: a client with keys of its own may commit after the time of those that it was given. Whether it may be
 * this table's, too, is place.c's matter. */
static status find_known(void *context, state_txn *txn, error *err)
{
    known_search *s = context;

    for (size_t end = s->location.size; end > 0 && !s->found; end--) {
        state_rows *rows = NULL;

        if (end < s->location.size && s->location.data[end] != '/') {
            continue;
        }
        TRY(STATE_QUERY(txn,
                        "SELECT 1 FROM tables WHERE location = ?1"
                        " UNION ALL SELECT 1 FROM places WHERE location = ?1"
                        " UNION ALL SELECT 1 FROM dropped WHERE location = ?1"
                        " UNION ALL SELECT 1 FROM purges WHERE location = ?1"
                        " UNION ALL SELECT 1 FROM staged WHERE location = ?1 AND principal = ?2"
                        " AND ends_us > ?3 LIMIT 1",
                        &rows, err, SV_TEXT(str_slice(s->location, 0, end)), SV_TEXT(s->principal),
                        SV_INT(clock_now_us() - CATALOG__STAGED_KEPT_US)));
        TRY(state_next(rows, &s->found, err));
        state_finish(rows);
    }
    return STATUS_OK;
}

/* The bucket says whose an object is. False for one that is not there. */
static bool tells_owners(catalog *c, str bucket, bool *ret_tells)
{
    const bucket_ref *ref = NULL;

    if (bucket_acquire(c->storage, bucket, &ref, NULL) != STATUS_OK) {
        return false;
    }
    const bucket_info *info = bucket_ref_info(ref);
    str ownership = bucket_document(info, "ownership");
    *ret_tells =
        info->owner.size == 0 &&
        (str_is_null(ownership) || str_find(ownership, STR("BucketOwnerEnforced")) == STR_NPOS);
    bucket_release(ref);
    return true;
}

/* An empty object whose key ends with "/" is a folder, as consoles and Hadoop make them. */
static bool is_any_foreign(const object_page *page, bool tells)
{
    for (size_t i = 0; i < page->count; i++) {
        const object_info *info = &page->entries[i].info;
        bool is_mark = info->size_bytes == 0 && str_ends_with(info->key, STR("/"));

        if (!is_mark && (!tells || info->attributes.owner.size > 0)) {
            return true;
        }
    }
    return false;
}

static status holds_foreign(catalog *c, str location, arena *memory, bool *ret_holds, error *err)
{
    object_listing what = {.delimiter = STR(""),
                           .after = STR_NULL,
                           .after_version = STR_NULL,
                           .max = PAGE_OBJECTS,
                           .with_attributes = true};
    bool tells = true;
    bool more = true;

    str folder = str_slice(location, sizeof("s3://") - 1, location.size);
    what.bucket = str_cut(folder, '/', &folder);
    what.prefix = str_concat(memory, folder, STR("/"));
    *ret_holds = false;
    if (!tells_owners(c, what.bucket, &tells)) {
        return STATUS_OK;
    }
    while (more && !*ret_holds) {
        object_page page;

        TRY(object_list(c->storage, &what, memory, &page, err));
        *ret_holds = is_any_foreign(&page, tells);
        what.after = page.next_after;
        more = page.truncated;
    }
    return STATUS_OK;
}

status catalog__refuse_filled(catalog *c, str location, arena *a, error *err)
{
    const catalog_caller *caller = catalog_get_caller();
    bool holds = false;

    if (caller == NULL || !caller->wants_empty_places || store_is_local(location)) {
        return STATUS_OK;
    }
    known_search s = {.location = location, .principal = caller->principal};
    TRY(state_read(c->state, find_known, &s, err));
    if (!s.found) {
        arena *memory = arena_child(a);
        status listed = holds_foreign(c, location, memory, &holds, err);

        arena_free(memory);
        TRY(listed);
    }
    if (!holds) {
        return STATUS_OK;
    }
    error_set(err, STATUS_DENIED, "location \"%.*s\" holds files that are no table's",
              STR_ARG(location));
    error_hint(err, "Choose an empty place; to make a table around files that are there takes the "
                    "right \"location.read\", which root has.");
    return STATUS_DENIED;
}

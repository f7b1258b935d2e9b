/* Listing uploads under way, and their parts. */
#include "uploads.h"

/* --- parts --- */

typedef struct listing_parts {
    const upload_info *upload;
    int after;
    size_t max;
    arena *a;
    part_row *parts;
    size_t count;
    bool found;
} listing_parts;

static status read_parts(void *context, state_txn *txn, error *err)
{
    listing_parts *l = context;
    upload_row row;

    TRY(store__find_upload(txn, l->upload->bucket, l->upload->key, l->upload->id, l->a, &row,
                           &l->found, err));
    if (!l->found || row.completed_us != 0) {
        return store__no_upload(l->upload->id, err);
    }
    return store__read_parts(txn, l->upload->id, l->after, l->max + 1, l->a, &l->parts, &l->count,
                             err);
}

status upload_list_parts(storage *st, const upload_info *upload, int after, size_t max, arena *a,
                         object_part **ret_parts, size_t *ret_count, bool *ret_truncated,
                         error *err)
{
    listing_parts l = {.upload = upload, .after = after, .max = max, .a = a};
    object_part *parts;
    size_t count;

    TRY(state_read(st->state, read_parts, &l, err));
    count = l.count < max ? l.count : max;
    parts = ARENA_ARRAY(a, object_part, count + 1);
    for (size_t i = 0; i < count; i++) {
        parts[i] = (object_part){.number = l.parts[i].number,
                                 .size_bytes = l.parts[i].size_bytes,
                                 .modified_us = l.parts[i].modified_us,
                                 .etag = l.parts[i].etag,
                                 .checksum = l.parts[i].checksum};
    }
    *ret_parts = parts;
    *ret_count = count;
    *ret_truncated = l.count > max;
    return STATUS_OK;
}

/* --- uploads --- */

typedef struct listing {
    str bucket, prefix, delimiter, after_key, after_id;
    size_t max;
    arena *a;
    VEC(upload_info) uploads;
    VEC(str) prefixes;
    upload_page page;
} listing;

/* The common prefix that `key` falls under, or STR_NULL. */
static str group_of(const listing *l, str key)
{
    size_t at;

    if (str_is_empty(l->delimiter)) {
        return STR_NULL;
    }
    at = str_find(str_slice(key, l->prefix.size, key.size), l->delimiter);
    return at == STR_NPOS ? STR_NULL : str_slice(key, 0, l->prefix.size + at + l->delimiter.size);
}

static bool is_known_group(const listing *l, str group)
{
    return (l->prefixes.count > 0 && str_equal(l->prefixes.items[l->prefixes.count - 1], group)) ||
           str_equal(l->after_key, group); /* the page before ended with it */
}

/* False where the page is full. */
static bool add(listing *l, str key, str id, const upload_info *info)
{
    str group = group_of(l, key);

    if (!str_is_null(group) && is_known_group(l, group)) {
        return true;
    }
    if (l->uploads.count + l->prefixes.count >= l->max) {
        l->page.truncated = true;
        return false;
    }
    if (str_is_null(group)) {
        vec_push(l->a, &l->uploads, *info);
        l->page.next_key = str_copy(l->a, key);
        l->page.next_id = str_copy(l->a, id);
    } else {
        vec_push(l->a, &l->prefixes, str_copy(l->a, group));
        l->page.next_key = l->prefixes.items[l->prefixes.count - 1];
        l->page.next_id = STR("");
    }
    return true;
}

static status read_uploads(void *context, state_txn *txn, error *err)
{
    listing *l = context;
    bool with_id = !str_is_empty(l->after_id);
    str from = str_compare(l->after_key, l->prefix) > 0 ? l->after_key : l->prefix;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn,
                    "SELECT key, id FROM uploads WHERE bucket = ?1 AND key >= ?2 AND "
                    "completed_us = 0 ORDER BY bucket, key, id",
                    &rows, err, SV_TEXT(l->bucket), SV_TEXT(from)));
    for (;;) {
        upload_row found;
        bool there;
        str key;
        str id;
        int order;

        TRY(state_next(rows, &row, err));
        if (!row || !str_starts_with(state_text(rows, 0, NULL), l->prefix)) {
            break;
        }
        key = state_text(rows, 0, l->a);
        id = state_text(rows, 1, l->a);
        order = str_is_empty(l->after_key) ? 1 : str_compare(key, l->after_key);
        if (order < 0 || (order == 0 && !(with_id && str_compare(id, l->after_id) > 0))) {
            continue;
        }
        TRY(store__find_upload(txn, l->bucket, key, id, l->a, &found, &there, err));
        if (there && !add(l, key, id, &found.info)) {
            break;
        }
    }
    state_finish(rows);
    return STATUS_OK;
}

status upload_list(storage *st, str bucket, str prefix, str delimiter, str after_key, str after_id,
                   size_t max, arena *a, upload_page *ret_page, error *err)
{
    listing l = {.bucket = bucket,
                 .prefix = prefix,
                 .delimiter = delimiter,
                 .after_key = after_key,
                 .after_id = after_id,
                 .max = max,
                 .a = a};

    TRY(state_read(st->state, read_uploads, &l, err));
    l.page.uploads = l.uploads.items;
    l.page.count = l.uploads.count;
    l.page.prefixes = l.prefixes.items;
    l.page.prefix_count = l.prefixes.count;
    *ret_page = l.page;
    return STATUS_OK;
}

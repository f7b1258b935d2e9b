/* Listing objects and versions, in order of bytes. A page is one read transaction: a cursor over `objects`, and for
 * versions a second one over `object_versions`, merged by key. Below a common prefix nothing is read but its first key:
 * the cursors are opened anew behind it. So a page costs what is on it. */
#include "rows.h"
#include "tarn/base/buf.h"

typedef struct cursor {
    state_rows *rows;
    bool there; /* it stands on a row */
    bool older; /* of object_versions */
} cursor;

typedef struct walk {
    const object_listing *what;
    arena *a;
    state_txn *txn;
    str bucket;
    cursor current, older;
    str last_key; /* seen so far, of versions: what follows of it is not the latest; STR_NULL: none */
    int64_t last_place; /* of the version that was added last */
    VEC(object_entry) entries;
    bool truncated;
} walk;

/* Where a walk begins, or goes on. */
typedef struct walk_start {
    str key;
    bool behind; /* not `key` itself */
    bool within; /* of `key` the older versions behind `place` are left */
    int64_t place;
    int64_t until_us;  /* … that are no younger */
    bool with_current; /* … and the current one: it is behind it, too */
} walk_start;

/* The least text that is behind all that begin with `prefix`; false where there is none. */
static bool text_behind(arena *a, str prefix, str *ret_text)
{
    size_t size = prefix.size;
    char *text;

    while (size > 0 && (unsigned char)prefix.data[size - 1] == 0xff) {
        size--;
    }
    if (size == 0) {
        return false;
    }
    text = arena_strndup(a, prefix.data, size);
    text[size - 1] = (char)((unsigned char)text[size - 1] + 1);
    *ret_text = str_from(text, size);
    return true;
}

/* --- cursors --- */

static status step(walk *w, cursor *c, error *err)
{
    TRY(state_next(c->rows, &c->there, err));
    c->there = c->there && str_starts_with(state_text(c->rows, 0, NULL), w->what->prefix);
    return STATUS_OK;
}

static status open_current(walk *w, const walk_start *start, int64_t limit, error *err)
{
    const char *sql =
        start->behind || (start->within && !start->with_current)
            ? "SELECT key, " OBJECT_COLUMNS " FROM objects WHERE bucket = ?1 AND key > ?2 "
              "ORDER BY bucket, key LIMIT ?3"
            : "SELECT key, " OBJECT_COLUMNS " FROM objects WHERE bucket = ?1 AND key >= ?2 "
              "ORDER BY bucket, key LIMIT ?3";

    TRY(STATE_QUERY(w->txn, sql, &w->current.rows, err, SV_TEXT(w->bucket), SV_TEXT(start->key),
                    SV_INT(limit)));
    return step(w, &w->current, err);
}

static status open_older(walk *w, const walk_start *start, int64_t limit, error *err)
{
    const char *sql =
        start->within   ? "SELECT key, " OBJECT_COLUMNS ", is_marker, place FROM object_versions "
                          "WHERE bucket = ?1 AND (key, place) > (?2, ?4) "
                          "AND (key <> ?2 OR modified_us <= ?5) "
                          "ORDER BY bucket, key, place LIMIT ?3"
        : start->behind ? "SELECT key, " OBJECT_COLUMNS ", is_marker, place FROM object_versions "
                          "WHERE bucket = ?1 AND key > ?2 "
                          "ORDER BY bucket, key, place LIMIT ?3"
                        : "SELECT key, " OBJECT_COLUMNS ", is_marker, place FROM object_versions "
                          "WHERE bucket = ?1 AND key >= ?2 "
                          "ORDER BY bucket, key, place LIMIT ?3";

    const state_value values[] = {SV_TEXT(w->bucket), SV_TEXT(start->key), SV_INT(limit),
                                  SV_INT(start->place), SV_INT(start->until_us)};

    w->older.older = true;
    if (!w->what->versions) {
        return STATUS_OK;
    }
    TRY(state_query(w->txn, sql, values, start->within ? 5 : 3, &w->older.rows, err));
    return step(w, &w->older, err);
}

static status open_cursors(walk *w, const walk_start *start, error *err)
{
    int64_t limit = (int64_t)(w->what->max - w->entries.count) + 1;

    if (w->current.rows != NULL) {
        state_finish(w->current.rows);
    }
    if (w->older.rows != NULL) {
        state_finish(w->older.rows);
    }
    TRY(open_current(w, start, limit, err));
    return open_older(w, start, limit, err);
}

/* The cursor whose row comes first; NULL at the end. The current version comes before older ones of its key. */
static cursor *first_of(walk *w)
{
    if (!w->current.there || !w->older.there) {
        return w->current.there ? &w->current : w->older.there ? &w->older : NULL;
    }
    return str_compare(state_text(w->current.rows, 0, NULL), state_text(w->older.rows, 0, NULL)) <=
                   0
               ? &w->current
               : &w->older;
}

/* --- entries --- */

/* The common prefix that a key belongs to; STR_NULL where it stands for itself. */
static str common_prefix(const walk *w, str key)
{
    size_t from = w->what->prefix.size;
    size_t at;

    if (w->what->delimiter.size == 0 || key.size < from) {
        return STR_NULL;
    }
    at = str_find(str_slice(key, from, key.size), w->what->delimiter);
    return at == STR_NPOS ? STR_NULL : str_slice(key, 0, from + at + w->what->delimiter.size);
}

#define PLACE_COLUMN (2 + OBJECT_COLUMN_COUNT) /* of the cursor over older versions */

/* That the current version would get if a newer one came now. */
static int64_t place_of_current(const walk *w, str key)
{
    bool has_older = w->older.there && str_equal(state_text(w->older.rows, 0, NULL), key);

    return (has_older ? state_int(w->older.rows, PLACE_COLUMN) : 0) - 1;
}

static status add_version(walk *w, const cursor *c, error *err)
{
    str key = str_copy(w->a, state_text(c->rows, 0, NULL));
    object_row row = {.info = {.bucket = w->bucket, .key = key}};
    object_entry entry = {.is_prefix = false};

    TRY(store__read_columns(c->rows, 1, w->what->with_attributes, w->a, &row, err));
    row.info.is_marker = c->older && state_int(c->rows, 1 + OBJECT_COLUMN_COUNT) != 0;
    row.info.is_latest = !c->older || str_is_null(w->last_key) || !str_equal(w->last_key, key);
    w->last_key = key;
    w->last_place = c->older ? state_int(c->rows, PLACE_COLUMN) : place_of_current(w, key);
    entry.info = row.info;
    vec_push(w->a, &w->entries, entry);
    return STATUS_OK;
}

static void add_prefix(walk *w, str prefix)
{
    object_entry entry = {.is_prefix = true, .info = {.bucket = w->bucket, .key = prefix}};

    vec_push(w->a, &w->entries, entry);
}

/* One entry, and the cursors to what follows it. */
static status take_entry(walk *w, cursor *c, bool *ret_end, error *err)
{
    str prefix = str_copy(w->a, common_prefix(w, state_text(c->rows, 0, NULL)));
    walk_start behind = {0};

    *ret_end = false;
    if (str_is_null(prefix)) {
        TRY(add_version(w, c, err));
        return step(w, c, err);
    }
    add_prefix(w, prefix);
    if (!text_behind(w->a, prefix, &behind.key)) {
        *ret_end = true;
        return STATUS_OK;
    }
    return open_cursors(w, &behind, err);
}

/* --- where to begin --- */

/* Behind a place that nothing has any more. What was older than it may be the current version now, which has no place
 * until a newer one comes; what was told before may have got a place behind it. The time tells them apart. */
static status start_behind_place(walk *w, int64_t place, walk_start *start, error *err)
{
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(
        w->txn,
        "SELECT (SELECT min(place) FROM object_versions WHERE bucket = ?1 AND key = ?2), "
        "(SELECT modified_us FROM objects WHERE bucket = ?1 AND key = ?2)",
        &rows, err, SV_TEXT(w->bucket), SV_TEXT(start->key)));
    TRY(state_next(rows, &row, err));
    bool has_current = row && !state_is_null(rows, 1);
    bool is_told = has_current && state_int(rows, 1) > w->what->after_us;
    int64_t newest = (row ? state_int(rows, 0) : 0) - (has_current ? 1 : 0);
    state_finish(rows);
    start->within = true;
    start->place = place;
    start->until_us = w->what->after_us;
    start->with_current = has_current && !is_told && newest > place;
    if (is_told || newest <= place) {
        w->last_key = start->key; /* something newer was told before */
    }
    return STATUS_OK;
}

/* Of the key `after` the versions behind `after_version` are left. Where that version is gone by now, and its place is
 * not known, all of them are told once more: better twice than not at all. */
static status start_within(walk *w, walk_start *start, error *err)
{
    version_row found = {0};
    bool there = false;
    int64_t place = w->what->after_place;

    TRY(store__find_version(w->txn, w->bucket, w->what->after, w->what->after_version, w->a, &found,
                            &there, err));
    if (!there) {
        return place != 0 ? start_behind_place(w, place, start, err) : STATUS_OK;
    }
    start->within = true;
    start->place = found.current ? INT64_MIN : found.place;
    start->until_us = INT64_MAX;
    w->last_key = start->key;
    return STATUS_OK;
}

/* False where nothing can follow. */
static status find_start(walk *w, walk_start *ret_start, bool *ret_any, error *err)
{
    const object_listing *what = w->what;
    walk_start start = {.key = what->prefix};
    str prefix;

    *ret_any = true;
    if (!str_is_null(what->after) && str_compare(what->after, what->prefix) >= 0) {
        prefix = common_prefix(w, what->after);
        start.key = what->after;
        if (!str_is_null(prefix) && str_starts_with(what->after, what->prefix)) {
            *ret_any = text_behind(w->a, prefix, &start.key);
        } else if (what->versions && !str_is_null(what->after_version)) {
            TRY(start_within(w, &start, err));
        } else {
            start.behind = true;
        }
    }
    *ret_start = start;
    return STATUS_OK;
}

static status read_page(void *context, state_txn *txn, error *err)
{
    walk *w = context;
    bucket_rules rules;
    walk_start start;
    bool any;
    bool end = false;

    w->txn = txn;
    TRY(store__read_rules(txn, w->bucket, &rules, err));
    TRY(find_start(w, &start, &any, err));
    if (!any || w->what->max == 0) {
        return STATUS_OK;
    }
    TRY(open_cursors(w, &start, err));
    while (!end) {
        cursor *c = first_of(w);

        if (c == NULL) {
            break;
        }
        if (w->entries.count == w->what->max) {
            w->truncated = true;
            break;
        }
        TRY(take_entry(w, c, &end, err));
    }
    return STATUS_OK;
}

status object_list(storage *st, const object_listing *what, arena *a, object_page *ret_page,
                   error *err)
{
    walk w = {.what = what, .a = a, .bucket = str_copy(a, what->bucket)};
    object_page page = {0};

    TRY(state_read(st->state, read_page, &w, err));
    page.entries = w.entries.items;
    page.count = w.entries.count;
    page.truncated = w.truncated;
    if (page.truncated) {
        const object_entry *last = &page.entries[page.count - 1];

        page.next_after = last->info.key;
        if (what->versions && !last->is_prefix) {
            page.next_after_version =
                last->info.version.size > 0 ? last->info.version : STR("null");
            page.next_after_place = w.last_place;
            page.next_after_us = last->info.modified_us;
        }
    }
    *ret_page = page;
    return STATUS_OK;
}

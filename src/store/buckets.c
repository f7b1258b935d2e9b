/* Buckets: their rows, and what requests need of them kept in memory. Each change is followed by the bucket's settings
 * file (bucket_files.c), so that `tarn recover` has them. */
#include "buckets.h"
#include "rows.h"
#include "tarn/base/clock.h"
#include "tarn/base/map.h"
#include "tarn/base/ref.h"

#define NAME_SIZE_MIN 3
#define NAME_SIZE_MAX 63
#define CACHED_MAX 4096

str bucket_document(const bucket_info *bucket, const char *name)
{
    str wanted = str_c(name);

    for (size_t i = 0; i < bucket->document_count; i++) {
        if (str_equal(bucket->documents[i].name, wanted)) {
            return bucket->documents[i].value;
        }
    }
    return STR_NULL;
}

/* --- names --- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Four numbers with dots between. */
static bool is_address(str name)
{
    size_t dots = 0;

    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '.') {
            dots++;
        } else if (name.data[i] < '0' || name.data[i] > '9') {
            return false;
        }
    }
    return dots == 3;
}

static bool is_bucket_name(str name)
{
    if (name.size < NAME_SIZE_MIN || name.size > NAME_SIZE_MAX ||
        !is_letter_or_digit(name.data[0]) || !is_letter_or_digit(name.data[name.size - 1])) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];

        if (!is_letter_or_digit(c) && c != '-' && c != '.') {
            return false;
        }
        if (c == '.' && !is_letter_or_digit(name.data[i + 1])) { /* it is not the last */
            return false;
        }
    }
    return !is_address(name);
}

static status check_name(str name, error *err)
{
    if (is_bucket_name(name)) {
        return STATUS_OK;
    }
    error_set(err, STATUS_INVALID, "\"%.*s\" is no name for a bucket", STR_ARG(name));
    error_hint(err,
               "It has 3 to 63 lower-case letters, digits, \"-\" and \".\", and begins and ends "
               "with a letter or digit.");
    error_set_s3_code(err, "InvalidBucketName");
    return STATUS_INVALID;
}

/* --- rows --- */

#define BUCKET_COLUMNS "name, owner, region, created_us, versioning, lock_enabled"

static bucket_info bucket_of_row(const state_rows *rows, arena *a)
{
    return (bucket_info){.name = state_text(rows, 0, a),
                         .owner = state_text(rows, 1, a),
                         .region = state_text(rows, 2, a),
                         .created_us = state_int(rows, 3),
                         .versioning = (bucket_versioning)state_int(rows, 4),
                         .lock_enabled = state_int(rows, 5) != 0};
}

static status read_documents(state_txn *txn, bucket_info *bucket, arena *a, error *err)
{
    VEC(object_pair) documents = {0};
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT name, text FROM bucket_documents WHERE bucket = ?1 ORDER BY name",
                    &rows, err, SV_TEXT(bucket->name)));
    for (;;) {
        object_pair document;

        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        document = (object_pair){.name = state_text(rows, 0, a), .value = state_text(rows, 1, a)};
        vec_push(a, &documents, document);
    }
    bucket->documents = documents.items;
    bucket->document_count = documents.count;
    return STATUS_OK;
}

status store__read_bucket(state_txn *txn, str name, arena *a, bucket_info *ret_bucket,
                          bool *ret_found, error *err)
{
    state_rows *rows;

    TRY(STATE_QUERY(txn, "SELECT " BUCKET_COLUMNS " FROM buckets WHERE name = ?1", &rows, err,
                    SV_TEXT(name)));
    TRY(state_next(rows, ret_found, err));
    if (*ret_found) {
        *ret_bucket = bucket_of_row(rows, a);
    }
    state_finish(rows);
    return *ret_found ? read_documents(txn, ret_bucket, a, err) : STATUS_OK;
}

static status insert_document(state_txn *txn, str bucket, str name, str text, error *err)
{
    return STATE_EXEC(txn,
                      "INSERT INTO bucket_documents (bucket, name, text) VALUES (?1, ?2, ?3) "
                      "ON CONFLICT (bucket, name) DO UPDATE SET text = excluded.text",
                      NULL, err, SV_TEXT(bucket), SV_TEXT(name), SV_TEXT(text));
}

status store__insert_bucket(state_txn *txn, const bucket_info *bucket, error *err)
{
    TRY(STATE_EXEC(txn, "INSERT INTO buckets (" BUCKET_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   NULL, err, SV_TEXT(bucket->name), SV_TEXT(bucket->owner),
                   SV_TEXT(bucket->region), SV_INT(bucket->created_us), SV_INT(bucket->versioning),
                   SV_INT(bucket->lock_enabled)));
    for (size_t i = 0; i < bucket->document_count; i++) {
        TRY(insert_document(txn, bucket->name, bucket->documents[i].name,
                            bucket->documents[i].value, err));
    }
    return STATUS_OK;
}

/* --- in memory --- */

struct bucket_ref {
    refcount refs;
    arena *memory;
    bucket_info info;
};

const bucket_info *bucket_ref_info(const bucket_ref *bucket)
{
    return &bucket->info;
}

/* The counter is what changes of a shared bucket. */
static bucket_ref *counted(const bucket_ref *bucket)
{
    union {
        const bucket_ref *shared;
        bucket_ref *own;
    } it = {.shared = bucket};

    return it.own;
}

void bucket_release(const bucket_ref *bucket)
{
    if (bucket != NULL && ref_drop(&counted(bucket)->refs)) {
        arena *memory = bucket->memory;

        arena_free(memory);
    }
}

static void forget_all(storage *st)
{
    map_entry entry;

    for (size_t at = 0; map_next(st->buckets, &at, &entry);) {
        bucket_release(entry.value);
        (void)map_remove(st->buckets, entry.key);
    }
}

void store__init_buckets(storage *st)
{
    mutex_init(&st->bucket_lock);
    mutex_init(&st->bucket_change_lock);
    st->buckets = map_create(NULL);
}

void store__free_buckets(storage *st)
{
    forget_all(st);
    map_free(st->buckets);
    mutex_release(&st->bucket_change_lock);
    mutex_release(&st->bucket_lock);
}

/* After a commit. Whoever read the rows before it does not keep what it read: bucket_changes is another by then. */
void store__forget_buckets(storage *st)
{
    mutex_lock(&st->bucket_lock);
    st->bucket_changes++;
    forget_all(st);
    mutex_unlock(&st->bucket_lock);
}

static void forget_buckets(void *context)
{
    store__forget_buckets(context);
}

typedef struct loading {
    str name;
    bucket_ref *bucket;
    bool found;
} loading;

static status load(void *context, state_txn *txn, error *err)
{
    loading *l = context;

    return store__read_bucket(txn, l->name, l->bucket->memory, &l->bucket->info, &l->found, err);
}

static void remember(storage *st, bucket_ref *bucket, uint64_t changes)
{
    mutex_lock(&st->bucket_lock);
    if (changes == st->bucket_changes && !map_has(st->buckets, bucket->info.name)) {
        if (map_count(st->buckets) >= CACHED_MAX) {
            forget_all(st);
        }
        ref_take(&bucket->refs);
        (void)map_set(st->buckets, bucket->info.name, bucket);
    }
    mutex_unlock(&st->bucket_lock);
}

status bucket_acquire(storage *st, str name, const bucket_ref **ret_bucket, error *err)
{
    loading l = {.name = name};
    uint64_t changes;
    bucket_ref *known;
    arena *memory;
    status loaded;

    mutex_lock(&st->bucket_lock);
    changes = st->bucket_changes;
    known = map_get(st->buckets, name);
    if (known != NULL) {
        ref_take(&known->refs);
    }
    mutex_unlock(&st->bucket_lock);
    if (known != NULL) {
        *ret_bucket = known;
        return STATUS_OK;
    }
    memory = arena_create();
    l.bucket = ARENA_NEW(memory, bucket_ref);
    l.bucket->memory = memory;
    ref_init(&l.bucket->refs);
    loaded = state_read(st->state, load, &l, err);
    if (loaded == STATUS_OK && !l.found) {
        loaded = store__no_bucket(name, err);
    }
    if (loaded != STATUS_OK) {
        arena_free(memory);
        return loaded;
    }
    remember(st, l.bucket, changes);
    *ret_bucket = l.bucket;
    return STATUS_OK;
}

/* --- changing --- */

typedef struct bucket_change {
    storage *st;
    str name;
    const bucket_info *fresh;
    str document, text;
    bucket_versioning versioning;
} bucket_change;

/* One change of a bucket after another: its file follows its rows. */
static status change_bucket(storage *st, bucket_change *change,
                            status (*apply)(void *context, state_txn *txn, error *err), error *err)
{
    status changed;

    change->st = st;
    mutex_lock(&st->bucket_change_lock);
    changed = state_submit(st->state, apply, change, err);
    if (changed == STATUS_OK) {
        changed = store__write_bucket_file(st, change->name, err);
    }
    mutex_unlock(&st->bucket_change_lock);
    return changed;
}

static status create(void *context, state_txn *txn, error *err)
{
    const bucket_change *c = context;
    bucket_rules rules;
    bool found;

    TRY(store__find_rules(txn, c->name, &rules, &found, err));
    if (found) {
        bool own = str_equal(rules.owner, c->fresh->owner);

        error_set(err, STATUS_EXISTS, "bucket \"%.*s\" exists already", STR_ARG(c->name));
        error_set_s3_code(err, own ? "BucketAlreadyOwnedByYou" : "BucketAlreadyExists");
        return STATUS_EXISTS;
    }
    state_after_commit(txn, forget_buckets, c->st);
    return store__insert_bucket(txn, c->fresh, err);
}

status bucket_create(storage *st, const bucket_info *bucket, error *err)
{
    bucket_info fresh = *bucket;
    bucket_change change = {.name = bucket->name, .fresh = &fresh};

    TRY(check_name(bucket->name, err));
    if (fresh.created_us == 0) {
        fresh.created_us = clock_now_us();
    }
    if (fresh.lock_enabled) {
        fresh.versioning = VERSIONING_ENABLED;
    }
    return change_bucket(st, &change, create, err);
}

static status refuse_filled(state_txn *txn, str name, error *err)
{
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn,
                    "SELECT 1 WHERE EXISTS (SELECT 1 FROM objects WHERE bucket = ?1) OR "
                    "EXISTS (SELECT 1 FROM object_versions WHERE bucket = ?1)",
                    &rows, err, SV_TEXT(name)));
    TRY(state_next(rows, &row, err));
    state_finish(rows);
    if (row) {
        error_set(err, STATUS_NOT_EMPTY, "bucket \"%.*s\" is not empty", STR_ARG(name));
        error_hint(err, "Older versions and delete markers count, too.");
        error_set_s3_code(err, "BucketNotEmpty");
        return STATUS_NOT_EMPTY;
    }
    return STATUS_OK;
}

static status delete_bucket(void *context, state_txn *txn, error *err)
{
    const bucket_change *c = context;
    bucket_rules rules;

    TRY(store__read_rules(txn, c->name, &rules, err));
    TRY(refuse_filled(txn, c->name, err));
    TRY(store__abort_uploads(c->st, txn, c->name, err));
    TRY(STATE_EXEC(txn, "DELETE FROM bucket_documents WHERE bucket = ?1", NULL, err,
                   SV_TEXT(c->name)));
    TRY(STATE_EXEC(txn, "DELETE FROM bucket_totals WHERE bucket = ?1", NULL, err,
                   SV_TEXT(c->name)));
    TRY(STATE_EXEC(txn, "DELETE FROM buckets WHERE name = ?1", NULL, err, SV_TEXT(c->name)));
    state_after_commit(txn, forget_buckets, c->st);
    return STATUS_OK;
}

status bucket_delete(storage *st, str name, error *err)
{
    bucket_change change = {.name = name};

    return change_bucket(st, &change, delete_bucket, err);
}

static status bad_state(str bucket, const char *reason, error *err)
{
    error_set(err, STATUS_CONFLICT, "bucket \"%.*s\" %s", STR_ARG(bucket), reason);
    error_set_s3_code(err, "InvalidBucketState");
    return STATUS_CONFLICT;
}

/* Object lock begins with its document, and never ends. */
static status enable_lock(state_txn *txn, const bucket_rules *rules, error *err)
{
    if (rules->versioning != VERSIONING_ENABLED) {
        return bad_state(rules->name, "has no versions, which object lock needs", err);
    }
    return STATE_EXEC(txn, "UPDATE buckets SET lock_enabled = 1 WHERE name = ?1", NULL, err,
                      SV_TEXT(rules->name));
}

static status set_document(void *context, state_txn *txn, error *err)
{
    const bucket_change *c = context;
    bucket_rules rules;

    TRY(store__read_rules(txn, c->name, &rules, err));
    state_after_commit(txn, forget_buckets, c->st);
    if (str_is_null(c->text)) {
        return STATE_EXEC(txn, "DELETE FROM bucket_documents WHERE bucket = ?1 AND name = ?2", NULL,
                          err, SV_TEXT(c->name), SV_TEXT(c->document));
    }
    if (str_equal(c->document, STR("object-lock")) && !rules.lock_enabled) {
        TRY(enable_lock(txn, &rules, err));
    }
    return insert_document(txn, c->name, c->document, c->text, err);
}

status bucket_set_document(storage *st, str bucket, const char *name, str text, error *err)
{
    bucket_change change = {.name = bucket, .document = str_c(name), .text = text};

    return change_bucket(st, &change, set_document, err);
}

static status set_versioning(void *context, state_txn *txn, error *err)
{
    const bucket_change *c = context;
    bucket_rules rules;

    TRY(store__read_rules(txn, c->name, &rules, err));
    if (rules.lock_enabled && c->versioning != VERSIONING_ENABLED) {
        return bad_state(c->name, "has object lock, which needs versions", err);
    }
    if (c->versioning == VERSIONING_OFF && rules.versioning != VERSIONING_OFF) {
        return bad_state(c->name, "has versions: these can be suspended, not switched off", err);
    }
    state_after_commit(txn, forget_buckets, c->st);
    return STATE_EXEC(txn, "UPDATE buckets SET versioning = ?2 WHERE name = ?1", NULL, err,
                      SV_TEXT(c->name), SV_INT(c->versioning));
}

status bucket_set_versioning(storage *st, str bucket, bucket_versioning versioning, error *err)
{
    bucket_change change = {.name = bucket, .versioning = versioning};

    return change_bucket(st, &change, set_versioning, err);
}

/* --- listing --- */

typedef struct bucket_listing {
    str owner, prefix, after;
    size_t max;
    arena *a;
    VEC(bucket_info) buckets;
} bucket_listing;

static status read_buckets(void *context, state_txn *txn, error *err)
{
    bucket_listing *l = context;
    bool from_prefix = str_is_null(l->after) || str_compare(l->after, l->prefix) < 0;
    str from = from_prefix ? l->prefix : l->after;
    state_rows *rows;
    bool row;

    l->buckets.count = 0;
    TRY(STATE_QUERY(txn,
                    "SELECT " BUCKET_COLUMNS " FROM buckets WHERE name >= ?1 AND (?2 = 1 OR name > "
                    "?1) AND (?3 = 1 OR owner = ?4) ORDER BY name LIMIT ?5",
                    &rows, err, SV_TEXT(from), SV_INT(from_prefix), SV_INT(str_is_null(l->owner)),
                    SV_TEXT(l->owner), SV_INT(l->max)));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row || !str_starts_with(state_text(rows, 0, NULL), l->prefix)) {
            break;
        }
        vec_push(l->a, &l->buckets, bucket_of_row(rows, l->a));
    }
    state_finish(rows);
    for (size_t i = 0; i < l->buckets.count; i++) {
        TRY(read_documents(txn, &l->buckets.items[i], l->a, err));
    }
    return STATUS_OK;
}

status bucket_list(storage *st, str owner, str prefix, str after, size_t max, arena *a,
                   bucket_info **ret_list, size_t *ret_count, error *err)
{
    bucket_listing l = {.owner = owner, .prefix = prefix, .after = after, .max = max, .a = a};

    TRY(state_read(st->state, read_buckets, &l, err));
    *ret_list = l.buckets.items;
    *ret_count = l.buckets.count;
    return STATUS_OK;
}

/* --- usage --- */

typedef struct bucket_reading {
    str name;
    bucket_usage usage;
} bucket_reading;

static status read_usage(void *context, state_txn *txn, error *err)
{
    bucket_reading *r = context;
    bucket_rules rules;
    state_rows *rows;
    bool row;

    TRY(store__read_rules(txn, r->name, &rules, err));
    TRY(STATE_QUERY(txn, "SELECT objects, versions, bytes FROM bucket_totals WHERE bucket = ?1",
                    &rows, err, SV_TEXT(r->name)));
    TRY(state_next(rows, &row, err));
    if (row) {
        r->usage = (bucket_usage){.objects = state_int(rows, 0),
                                  .versions = state_int(rows, 1),
                                  .bytes = state_int(rows, 2)};
    }
    return STATUS_OK;
}

status bucket_read_usage(storage *st, str bucket, bucket_usage *ret_usage, error *err)
{
    bucket_reading r = {.name = bucket};

    TRY(state_read(st->state, read_usage, &r, err));
    *ret_usage = r.usage;
    return STATUS_OK;
}

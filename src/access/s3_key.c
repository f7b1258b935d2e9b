/* S3 key pairs: rows, their mirror, and from an access key to who it is. Secrets are sealed with the access key beside
 * them, so that no row's secret opens under another's name. */
#include <string.h>

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"
#include "tarn/codec/checksum.h"

#define ROOT_FILE "root.s3"
#define ROOT_FILE_MAX 4096
#define KEY_RANDOM_CHARS (ACCESS_S3_KEY_CHARS - 4)
#define SECRET_RANDOM_BYTES 30 /* 40 characters of base64url */

/* --- their form --- */

/* Base 32, so that an access key can be read aloud; five bits of each byte. */
static str spell_key(str prefix, const uint8_t bytes[KEY_RANDOM_CHARS], arena *a)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char text[KEY_RANDOM_CHARS];

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = alphabet[bytes[i] & 31];
    }
    return str_concat(a, prefix, str_from(text, sizeof(text)));
}

str access__new_s3_key(str prefix, arena *a)
{
    uint8_t bytes[KEY_RANDOM_CHARS];

    random_bytes(bytes, sizeof(bytes));
    return spell_key(prefix, bytes, a);
}

str access__first_s3_key(str principal_id, arena *a)
{
    uint8_t sum[DIGEST_SIZE_MAX];

    digest(DIGEST_SHA256, str_concat(a, STR("tarn account "), principal_id), sum);
    return spell_key(STR(ACCESS_S3_KEY_PREFIX), sum, a);
}

str access__new_s3_secret(arena *a)
{
    uint8_t random[SECRET_RANDOM_BYTES];
    str text;

    random_bytes(random, sizeof(random));
    text = base64url_encode(a, str_from((const char *)random, sizeof(random)));
    mem_wipe(random, sizeof(random));
    return text;
}

static bool is_made_of(str text, size_t size, bool (*allowed)(char c))
{
    if (text.size != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!allowed(text.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_key_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
}

static bool is_secret_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* --- the mirror --- */

static status unseal_secret(const access_control *ac, str access_key, str sealed, arena *a,
                            str *ret_secret, error *err)
{
    if (access__unseal(ac->secrets_key, access_key, sealed, a, ret_secret, NULL) == STATUS_OK) {
        return STATUS_OK;
    }
    (void)error_set(err, STATUS_CORRUPT,
                    "the secret of S3 key \"%.*s\" cannot be opened with secrets/master.key",
                    STR_ARG(access_key));
    error_hint(err, "Put back the master.key that the data directory was written with.");
    return STATUS_CORRUPT;
}

status access__load_key_pairs(const access_control *ac, mirror *m, state_txn *txn, error *err)
{
    state_rows *rows;
    bool row;

    TRY(state_query(
        txn,
        "SELECT access_key, principal, secret, expires_us, inactive, scope FROM s3_keys "
        "WHERE inactive <= 0",
        NULL, 0, &rows, err));
    for (;;) {
        key_pair *pair;

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        pair = ARENA_NEW(m->memory, key_pair);
        pair->access_key = state_text(rows, 0, m->memory);
        pair->owner = map_get(m->accounts, state_text(rows, 1, NULL));
        pair->expires_us = state_is_null(rows, 3) ? ACCESS_NEVER : state_int(rows, 3);
        pair->sessions_from_us = -state_int(rows, 4);
        pair->scope = state_text(rows, 5, m->memory);
        ASSERT(pair->owner != NULL); /* the rows refer to each other */
        TRY(unseal_secret(ac, pair->access_key, state_text(rows, 2, NULL), m->memory, &pair->secret,
                          err));
        (void)map_set(m->key_pairs, pair->access_key, pair);
    }
}

/* --- from a request to who it is --- */

s3_identity access__identity(const account *from, arena *a)
{
    return (s3_identity){
        .who = {.id = str_copy(a, from->who.id),
                .name = str_copy(a, from->who.name),
                .role = from->who.role},
        .canonical_id = str_copy(a, from->canonical_id),
        .arn = str_printf(a, "arn:aws:iam::%.*s:root", STR_ARG(from->canonical_id)),
        .access_key = STR(""),
        .secret = STR(""),
    };
}

static const s3_identity nobody = {
    .who = {.id = STR_INIT(""), .name = STR_INIT("nobody"), .role = ROLE_NOBODY},
    .canonical_id = STR_INIT(""),
    .access_key = STR_INIT(""),
    .secret = STR_INIT(""),
    .arn = STR_INIT(""),
};

/* Where auth.mode is none everybody is root; the lock is held. */
static s3_identity everybody(const access_control *ac, arena *a)
{
    s3_identity root = nobody;
    map_entry entry;

    for (size_t at = 0; map_next(ac->now.accounts, &at, &entry);) {
        const account *each = entry.value;
        if (str_equal(each->who.name, STR(ACCESS_ROOT_NAME))) {
            root = access__identity(each, a);
        }
    }
    root.who.role = ROLE_ROOT;
    root.unchecked = true;
    return root;
}

void access_unsigned(access_control *ac, arena *a, s3_identity *ret_identity)
{
    if (ac->mode != ACCESS_OPEN) {
        *ret_identity = nobody;
        return;
    }
    mutex_lock(&ac->lock);
    *ret_identity = everybody(ac, a);
    mutex_unlock(&ac->lock);
}

static status refuse_key(error *err)
{
    (void)error_set(err, STATUS_DENIED, "the access key id is unknown or expired");
    error_set_s3_code(err, "InvalidAccessKeyId");
    return STATUS_DENIED;
}

/* Such a pair is no more than a session that was vended: it makes none, and manages no keys. */
static void narrow(const key_pair *pair, arena *a, s3_identity *who)
{
    s3_scope *scope = ARENA_NEW(a, s3_scope);

    scope->bucket = str_cut(str_copy(a, pair->scope), '/', &scope->prefix);
    scope->write = access__role_may(who->who.role, ACTION_TABLE_WRITE);
    who->scopes = scope;
    who->scope_count = access__role_may(who->who.role, ACTION_TABLE_READ) ? 1 : 0;
    who->is_session = true;
}

static status find_pair(const access_control *ac, str access_key, str session_token, arena *a,
                        s3_identity *ret_identity, error *err)
{
    const key_pair *pair = map_get(ac->now.key_pairs, access_key);

    if (pair == NULL || clock_now_us() >= pair->expires_us) {
        return refuse_key(err);
    }
    if (!str_is_null(session_token)) {
        (void)error_set(err, STATUS_INVALID, "the security token does not belong to this key");
        error_set_s3_code(err, "InvalidToken");
        return STATUS_INVALID;
    }
    *ret_identity = access__identity(pair->owner, a);
    ret_identity->access_key = str_copy(a, pair->access_key);
    ret_identity->secret = str_copy(a, pair->secret);
    if (pair->scope.size > 0) {
        narrow(pair, a, ret_identity);
    }
    return STATUS_OK;
}

status access_find_s3_key(access_control *ac, str access_key, str session_token, arena *a,
                          s3_identity *ret_identity, error *err)
{
    status found = STATUS_OK;

    if (ac->mode != ACCESS_OPEN && str_starts_with(access_key, STR(ACCESS_S3_VENDED_PREFIX))) {
        return access__find_vended(ac, access_key, session_token, a, ret_identity, err);
    }
    mutex_lock(&ac->lock);
    if (ac->mode == ACCESS_OPEN) {
        *ret_identity = everybody(ac, a);
    } else if (str_starts_with(access_key, STR(ACCESS_S3_SESSION_PREFIX))) {
        found = access__find_session(ac, access_key, session_token, a, ret_identity, err);
    } else {
        found = find_pair(ac, access_key, session_token, a, ret_identity, err);
    }
    mutex_unlock(&ac->lock);
    return found;
}

status access_find_canonical(access_control *ac, str canonical_id, arena *a,
                             s3_identity *ret_identity, error *err)
{
    const account *found;

    mutex_lock(&ac->lock);
    found = str_is_empty(canonical_id) ? NULL : map_get(ac->now.canonical, canonical_id);
    if (found != NULL) {
        *ret_identity = access__identity(found, a);
    }
    mutex_unlock(&ac->lock);
    if (found == NULL) {
        return error_set(err, STATUS_NOT_FOUND, "there is no account \"%.*s\"",
                         (int)(canonical_id.size < 64 ? canonical_id.size : 64),
                         canonical_id.data != NULL ? canonical_id.data : "");
    }
    return STATUS_OK;
}

/* --- rows --- */

typedef struct insertion {
    str name; /* the principal's */
    str access_key, sealed, scope;
    int64_t created_us, expires_us;
} insertion;

static status insert_pair(void *context, state_txn *txn, error *err)
{
    const insertion *in = context;
    str id;
    status inserted;

    TRY(access__principal_id(txn, in->name, &id, err));
    /* The first key's id is the account's for ever. */
    TRY(STATE_EXEC(txn,
                   "UPDATE principals SET canonical_id = ?1 WHERE id = ?2 AND canonical_id IS NULL",
                   NULL, err, SV_TEXT(in->access_key), SV_TEXT(id)));
    inserted =
        STATE_EXEC(txn,
                   "INSERT INTO s3_keys (access_key, principal, secret, created_us, expires_us, "
                   "scope) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   NULL, err, SV_TEXT(in->access_key), SV_TEXT(id), SV_BLOB(in->sealed),
                   SV_INT(in->created_us), in->expires_us == 0 ? SV_NULL : SV_INT(in->expires_us),
                   in->scope.size == 0 ? SV_NULL : SV_TEXT(in->scope));
    if (inserted == STATUS_EXISTS) {
        return error_set(err, STATUS_EXISTS, "S3 key \"%.*s\" already exists",
                         STR_ARG(in->access_key));
    }
    return inserted;
}

static status add_pair(access_control *ac, s3_key *key, arena *a, error *err)
{
    insertion in = {
        .name = key->principal,
        .access_key = key->access_key,
        .scope = key->scope,
        .created_us = key->created_us,
        .expires_us = key->expires_us,
    };

    TRY(access__seal(ac->secrets_key, key->access_key, key->secret, a, &in.sealed, err));
    TRY(state_submit(ac->state, insert_pair, &in, err));
    return access__reload(ac, err);
}

/* The id that the principal's first key gets; STR_NULL where it had one, or there is no such principal. */
static str first_key_of(access_control *ac, str name, arena *a)
{
    str first = STR_NULL;
    map_entry entry;

    mutex_lock(&ac->lock);
    for (size_t at = 0; map_next(ac->now.accounts, &at, &entry);) {
        const account *each = entry.value;
        if (str_equal(each->who.name, name) && str_is_empty(each->canonical_id)) {
            first = access__first_s3_key(each->who.id, a);
        }
    }
    mutex_unlock(&ac->lock);
    return first;
}

status access_create_s3_key(access_control *ac, str name, int64_t expires_us, arena *a,
                            s3_key *ret_key, error *err)
{
    return access_create_narrow_s3_key(ac, name, expires_us, STR(""), a, ret_key, err);
}

/* "bucket/" and what may follow: a folder. */
static bool is_scope(str text)
{
    size_t bucket = str_find_char(text, '/');

    return bucket != STR_NPOS && bucket > 0 && str_ends_with(text, STR("/")) &&
           str_find(text, STR("//")) == STR_NPOS;
}

status access_create_narrow_s3_key(access_control *ac, str name, int64_t expires_us, str scope,
                                   arena *a, s3_key *ret_key, error *err)
{
    s3_key key = {
        .access_key = access__new_s3_key(STR(ACCESS_S3_KEY_PREFIX), a),
        .secret = access__new_s3_secret(a),
        .principal = str_copy(a, name),
        .created_us = clock_now_us(),
        .expires_us = expires_us,
        .scope = scope,
    };

    if (expires_us != 0 && expires_us <= key.created_us) {
        return error_set(err, STATUS_INVALID, "a key cannot end before it is made");
    }
    if (scope.size > 0 && !is_scope(scope)) {
        return error_set(err, STATUS_INVALID, "a scope is a bucket or a folder in it");
    }
    str first = first_key_of(ac, name, a);
    if (!str_is_null(first)) {
        str other = key.access_key;
        key.access_key = first;
        status made = add_pair(ac, &key, a, err);
        if (made != STATUS_EXISTS) {
            *ret_key = made == STATUS_OK ? key : *ret_key;
            return made;
        }
        key.access_key = other; /* somebody else made the first one meanwhile */
        error_clear(err);
    }
    TRY(add_pair(ac, &key, a, err));
    *ret_key = key;
    return STATUS_OK;
}

/* Without a pair root has no way into S3 and IAM any more. */
static status keep_roots_last(state_txn *txn, str access_key, error *err)
{
    bool is_roots = false;
    bool is_last = true;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(
        txn,
        "SELECT k.access_key FROM s3_keys k JOIN principals p ON p.id = k.principal "
        "WHERE p.name = ?1 AND k.inactive <= 0 AND k.expires_us IS NULL AND k.scope IS NULL",
        &rows, err, SV_TEXT(STR(ACCESS_ROOT_NAME))));
    for (;;) {
        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        bool same = str_equal(state_text(rows, 0, NULL), access_key);
        is_roots = is_roots || same;
        is_last = is_last && same;
    }
    if (is_roots && is_last) {
        (void)error_set(err, STATUS_DENIED, "the last active S3 key of root must stay");
        error_hint(err, "Make another one first.");
        return STATUS_DENIED;
    }
    return STATUS_OK;
}

static status delete_pair(void *context, state_txn *txn, error *err)
{
    str access_key = *(const str *)context;
    int64_t dropped;

    TRY(keep_roots_last(txn, access_key, err));
    TRY(STATE_EXEC(txn, "DELETE FROM s3_keys WHERE access_key = ?1", &dropped, err,
                   SV_TEXT(access_key)));
    if (dropped == 0) {
        return error_set(err, STATUS_NOT_FOUND, "S3 key \"%.*s\" does not exist",
                         STR_ARG(access_key));
    }
    return STATUS_OK;
}

status access_drop_s3_key(access_control *ac, str access_key, error *err)
{
    TRY(state_submit(ac->state, delete_pair, &access_key, err));
    return access__reload(ac, err);
}

typedef struct activation {
    str access_key;
    bool active;
} activation;

static status activate_pair(void *context, state_txn *txn, error *err)
{
    const activation *of = context;
    int64_t changed;

    if (!of->active) {
        TRY(keep_roots_last(txn, of->access_key, err));
    }
    /* 1: inactive. Below 0: active again since then, and sessions of before stay ended. */
    TRY(STATE_EXEC(txn,
                   "UPDATE s3_keys SET inactive = CASE WHEN ?2 = 0 THEN 1 "
                   "WHEN inactive > 0 THEN -?2 ELSE inactive END WHERE access_key = ?1",
                   &changed, err, SV_TEXT(of->access_key),
                   SV_INT(of->active ? clock_now_us() : 0)));
    if (changed == 0) {
        return error_set(err, STATUS_NOT_FOUND, "S3 key \"%.*s\" does not exist",
                         STR_ARG(of->access_key));
    }
    return STATUS_OK;
}

status access_set_s3_key_active(access_control *ac, str access_key, bool active, error *err)
{
    activation of = {.access_key = access_key, .active = active};

    TRY(state_submit(ac->state, activate_pair, &of, err));
    return access__reload(ac, err);
}

typedef struct pair_listing {
    arena *memory;
    str name;
    VEC(s3_key) list;
} pair_listing;

static status list_pairs(void *context, state_txn *txn, error *err)
{
    pair_listing *l = context;
    str id;
    state_rows *rows;
    bool row;

    TRY(access__principal_id(txn, l->name, &id, err));
    TRY(STATE_QUERY(txn,
                    "SELECT access_key, created_us, expires_us, inactive, scope FROM s3_keys "
                    "WHERE principal = ?1 ORDER BY created_us, access_key",
                    &rows, err, SV_TEXT(id)));
    for (;;) {
        s3_key key = {.principal = str_copy(l->memory, l->name), .secret = STR("")};

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        key.access_key = state_text(rows, 0, l->memory);
        key.created_us = state_int(rows, 1);
        key.expires_us = state_int(rows, 2); /* 0 where null */
        key.inactive = state_int(rows, 3) > 0;
        key.scope = state_text(rows, 4, l->memory);
        vec_push(l->memory, &l->list, key);
    }
}

status access_list_s3_keys(access_control *ac, str name, arena *a, s3_key **ret_keys,
                           size_t *ret_count, error *err)
{
    pair_listing l = {.memory = a, .name = name};

    TRY(state_read(ac->state, list_pairs, &l, err));
    *ret_keys = l.list.items;
    *ret_count = l.list.count;
    return STATUS_OK;
}

/* --- the first start --- */

static status bind_master(void *context, state_txn *txn, error *err)
{
    str print = *(const str *)context;
    state_rows *rows;
    bool row;
    bool same;

    TRY(state_query(txn, "SELECT fingerprint FROM access_master", NULL, 0, &rows, err));
    TRY(state_next(rows, &row, err));
    if (!row) {
        return STATE_EXEC(txn, "INSERT INTO access_master (fingerprint) VALUES (?1)", NULL, err,
                          SV_TEXT(print));
    }
    same = str_equal(state_text(rows, 0, NULL), print);
    state_finish(rows);
    if (!same) {
        (void)error_set(err, STATUS_CORRUPT,
                        "secrets/master.key is not the one that the database was written with");
        error_hint(err, "Put back the master.key of this data directory, from a backup.");
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

status access__bind_master(access_control *ac, const uint8_t master[ACCESS_MASTER_KEY_BYTES],
                           error *err)
{
    arena *scratch = arena_create();
    uint8_t derived[CIPHER_KEY_BYTES];
    str print;
    status bound;

    access__derive(master, STR("tarn fingerprint 1"), derived);
    print = str_to_hex(scratch, derived, 16);
    bound = state_submit(ac->state, bind_master, &print, err);
    arena_free(scratch);
    return bound;
}

static bool read_root_pair(const char *path, arena *a, s3_key *key)
{
    str text;
    str rest;
    str first;

    if (fs_read_file(path, ROOT_FILE_MAX, a, &text, NULL) != STATUS_OK) {
        return false;
    }
    first = str_cut(str_trim(text), '\n', &rest);
    key->access_key = str_trim(first);
    key->secret = str_trim(rest);
    return str_starts_with(key->access_key, STR(ACCESS_S3_KEY_PREFIX)) &&
           is_made_of(key->access_key, ACCESS_S3_KEY_CHARS, is_key_char) &&
           is_made_of(key->secret, ACCESS_S3_SECRET_CHARS, is_secret_char);
}

static bool root_has_an_account(access_control *ac)
{
    arena *scratch = arena_create();
    bool has;

    mutex_lock(&ac->lock);
    has = !str_is_empty(everybody(ac, scratch).canonical_id);
    mutex_unlock(&ac->lock);
    arena_free(scratch);
    return has;
}

/* The pair in the file, where an earlier start left one: a rebuilt database keeps root's account. Else a new one,
 * durable in the file before it is a row. */
static status make_root_pair(access_control *ac, const char *secrets_path, arena *a, error *err)
{
    const char *path = fs_join(a, secrets_path, ROOT_FILE);
    s3_key key = {.principal = STR(ACCESS_ROOT_NAME), .created_us = clock_now_us()};

    if (!read_root_pair(path, a, &key)) {
        key.access_key = access__new_s3_key(STR(ACCESS_S3_KEY_PREFIX), a);
        key.secret = access__new_s3_secret(a);
        TRY(fs_write_file(
            path, str_printf(a, "%.*s\n%.*s\n", STR_ARG(key.access_key), STR_ARG(key.secret)), 0600,
            err));
    }
    return add_pair(ac, &key, a, err);
}

status access__make_root_pair(access_control *ac, const char *secrets_path, error *err)
{
    arena *scratch;
    status made;

    if (root_has_an_account(ac)) {
        return STATUS_OK;
    }
    scratch = arena_create();
    made = make_root_pair(ac, secrets_path, scratch, err);
    arena_free(scratch);
    return made;
}

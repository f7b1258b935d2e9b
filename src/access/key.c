/* Bearer keys as rows: further ones of a principal, told once, named afterwards by the beginning of their hash. */
#include <string.h>

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/vec.h"

str access__key_id(arena *a, const uint8_t hash[ACCESS_HASH_SIZE])
{
    return str_to_hex(a, hash, ACCESS_KEY_ID_CHARS / 2);
}

const credential *access__live_key(const access_control *ac, str id, str principal_id,
                                   int64_t issued_us)
{
    const credential *key = map_get(ac->now.key_ids, id);
    const account *owner = map_get(ac->now.accounts, principal_id);

    if (key == NULL || owner == NULL || !str_equal(key->who.id, principal_id) ||
        clock_now_us() >= key->expires_us || issued_us < owner->sessions_from_us) {
        return NULL;
    }
    return key;
}

typedef struct key_insertion {
    str name; /* the principal's */
    uint8_t hash[ACCESS_HASH_SIZE];
    int64_t created_us, expires_us;
} key_insertion;

static status insert_key(void *context, state_txn *txn, error *err)
{
    const key_insertion *in = context;
    str id;

    TRY(access__principal_id(txn, in->name, &id, err));
    return STATE_EXEC(txn,
                      "INSERT INTO access_keys (hash, principal, created_us, expires_us) "
                      "VALUES (?1, ?2, ?3, ?4)",
                      NULL, err, SV_BLOB(str_from((const char *)in->hash, sizeof(in->hash))),
                      SV_TEXT(id), SV_INT(in->created_us),
                      in->expires_us == 0 ? SV_NULL : SV_INT(in->expires_us));
}

status access_create_key(access_control *ac, str name, int64_t expires_us, arena *a,
                         bearer_key *ret_key, error *err)
{
    key_insertion in = {.name = name, .created_us = clock_now_us(), .expires_us = expires_us};
    str key = access__new_key(a);

    if (expires_us != 0 && expires_us <= in.created_us) {
        return error_set(err, STATUS_INVALID, "a key cannot end before it is made");
    }
    access__hash_key(key, in.hash);
    TRY(state_submit(ac->state, insert_key, &in, err));
    TRY(access__reload(ac, err));
    *ret_key = (bearer_key){
        .id = access__key_id(a, in.hash),
        .key = key,
        .created_us = in.created_us,
        .expires_us = in.expires_us,
    };
    return STATUS_OK;
}

typedef struct key_listing {
    arena *memory;
    str name; /* the principal's */
    VEC(bearer_key) list;
} key_listing;

static status list_keys(void *context, state_txn *txn, error *err)
{
    key_listing *l = context;
    str id;
    state_rows *rows;
    bool row;

    TRY(access__principal_id(txn, l->name, &id, err));
    TRY(STATE_QUERY(txn,
                    "SELECT hash, created_us, expires_us FROM access_keys WHERE principal = ?1 "
                    "ORDER BY created_us, hash",
                    &rows, err, SV_TEXT(id)));
    for (;;) {
        bearer_key key = {.key = STR("")};
        str hash;

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        hash = state_text(rows, 0, NULL);
        key.id = str_slice(str_to_hex(l->memory, hash.data, hash.size), 0, ACCESS_KEY_ID_CHARS);
        key.created_us = state_int(rows, 1);
        key.expires_us = state_int(rows, 2); /* 0 where null */
        vec_push(l->memory, &l->list, key);
    }
}

status access_list_keys(access_control *ac, str name, arena *a, bearer_key **ret_keys,
                        size_t *ret_count, error *err)
{
    key_listing l = {.memory = a, .name = name};

    TRY(state_read(ac->state, list_keys, &l, err));
    *ret_keys = l.list.items;
    *ret_count = l.list.count;
    return STATUS_OK;
}

/* --- dropping --- */

typedef struct found_key {
    str hash; /* empty: none */
    bool is_roots_last;
} found_key;

static status find_key_row(state_txn *txn, str id, found_key *ret_found, error *err)
{
    arena *a = state_txn_arena(txn);
    found_key found = {.hash = STR("")};
    int64_t lasting_of_root = 0;
    bool is_lasting_of_root = false;
    state_rows *rows;
    bool row;

    TRY(state_query(txn,
                    "SELECT k.hash, p.name, k.expires_us FROM access_keys k "
                    "JOIN principals p ON p.id = k.principal",
                    NULL, 0, &rows, err));
    for (;;) {
        bool lasting;
        str hash;

        TRY(state_next(rows, &row, err));
        if (!row) {
            break;
        }
        hash = state_text(rows, 0, a);
        lasting =
            str_equal(state_text(rows, 1, NULL), STR(ACCESS_ROOT_NAME)) && state_is_null(rows, 2);
        lasting_of_root += lasting;
        if (str_starts_with(str_to_hex(a, hash.data, hash.size), id)) {
            found.hash = hash;
            is_lasting_of_root = lasting;
        }
    }
    found.is_roots_last = is_lasting_of_root && lasting_of_root == 1;
    *ret_found = found;
    return STATUS_OK;
}

static status delete_key(void *context, state_txn *txn, error *err)
{
    str id = *(const str *)context;
    found_key found;

    TRY(find_key_row(txn, id, &found, err));
    if (str_is_empty(found.hash)) {
        return error_set(err, STATUS_NOT_FOUND, "key \"%.*s\" does not exist", STR_ARG(id));
    }
    if (found.is_roots_last) {
        return error_set(err, STATUS_DENIED, "the last key of root cannot be dropped");
    }
    return STATE_EXEC(txn, "DELETE FROM access_keys WHERE hash = ?1", NULL, err,
                      SV_BLOB(found.hash));
}

status access_drop_key(access_control *ac, str id, error *err)
{
    if (id.size != ACCESS_KEY_ID_CHARS) {
        return error_set(err, STATUS_NOT_FOUND, "key \"%.*s\" does not exist",
                         (int)(id.size < 64 ? id.size : 64), id.data != NULL ? id.data : "");
    }
    TRY(state_submit(ac->state, delete_key, &id, err));
    return access__reload(ac, err);
}

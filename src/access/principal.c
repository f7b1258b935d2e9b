/* Principals and their keys as rows, and the mirror of the rows that every request is checked
 * against. */
#include <string.h>

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define NAME_SIZE_MAX 128

const state_migration access_migrations[] = {
    {"access", 1,
     "CREATE TABLE principals ("
     "  id TEXT PRIMARY KEY NOT NULL,"
     "  name TEXT NOT NULL UNIQUE,"
     "  role TEXT NOT NULL CHECK (role IN ('reader', 'root')),"
     "  created_us BIGINT NOT NULL);"
     "CREATE TABLE access_keys ("
     "  hash BLOB PRIMARY KEY NOT NULL,"
     "  principal TEXT NOT NULL REFERENCES principals (id),"
     "  created_us BIGINT NOT NULL,"
     "  expires_us BIGINT);"
     "CREATE INDEX access_keys_by_principal ON access_keys (principal)"},
};
const size_t access_migration_count = COUNT_OF(access_migrations);

static role role_from(str name)
{
    return str_equal(name, STR("root"))     ? ROLE_ROOT
           : str_equal(name, STR("reader")) ? ROLE_READER
                                            : ROLE_NOBODY;
}

/* --- the mirror --- */

typedef struct loading {
    arena *memory;
    map *credentials;
} loading;

static status load_credentials(void *context, state_txn *txn, error *err)
{
    loading *l = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn,
                    "SELECT p.id, p.name, p.role, k.hash, k.expires_us FROM access_keys k "
                    "JOIN principals p ON p.id = k.principal",
                    NULL, 0, &rows, err));
    for (;;) {
        credential *c;
        str hash;

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        hash = state_text(rows, 3, NULL);
        if (hash.size != ACCESS_HASH_SIZE) {
            return error_set(err, STATUS_CORRUPT,
                             "a key of principal \"%.*s\" has a hash of %zu bytes",
                             STR_ARG(state_text(rows, 1, NULL)), hash.size);
        }
        c = ARENA_NEW(l->memory, credential);
        c->who = (principal){.id = state_text(rows, 0, l->memory),
                             .name = state_text(rows, 1, l->memory),
                             .role = role_from(state_text(rows, 2, NULL))};
        c->expires_us = state_is_null(rows, 4) ? ACCESS_NEVER : state_int(rows, 4);
        memcpy(c->hash, hash.data, sizeof(c->hash));
        (void)map_set(l->credentials, hash, c);
    }
}

status access__reload(access_control *ac, error *err)
{
    loading l = {.memory = arena_create()};
    arena *before;
    status loaded;

    l.credentials = map_create(l.memory);
    /* Under the lock, so that of two reloads the later one reads the newer rows. */
    mutex_lock(&ac->lock);
    loaded = state_read(ac->state, load_credentials, &l, err);
    before = l.memory;
    if (loaded == STATUS_OK) {
        before = ac->memory;
        ac->memory = l.memory;
        ac->credentials = l.credentials;
    }
    mutex_unlock(&ac->lock);
    arena_free(before);
    return loaded;
}

/* --- changes --- */

typedef struct creation {
    str name;
    role role;
    uint8_t hash[ACCESS_HASH_SIZE];
    char id[37];
} creation;

static status insert(void *context, state_txn *txn, error *err)
{
    creation *c = context;
    int64_t now_us = clock_now_us();
    status inserted = STATE_EXEC(
        txn, "INSERT INTO principals (id, name, role, created_us) VALUES (?1, ?2, ?3, ?4)", NULL,
        err, SV_TEXT(str_c(c->id)), SV_TEXT(c->name), SV_TEXT(str_c(access__role_name(c->role))),
        SV_INT(now_us));

    if (inserted == STATUS_EXISTS) {
        return error_set(err, STATUS_EXISTS, "principal \"%.*s\" already exists", STR_ARG(c->name));
    }
    TRY(inserted);
    return STATE_EXEC(txn,
                      "INSERT INTO access_keys (hash, principal, created_us) VALUES (?1, ?2, ?3)",
                      NULL, err, SV_BLOB(str_from((const char *)c->hash, sizeof(c->hash))),
                      SV_TEXT(str_c(c->id)), SV_INT(now_us));
}

status access__insert_principal(access_control *ac, str name, role gets, str key, error *err)
{
    creation c = {.name = name, .role = gets};

    access__hash_key(key, c.hash);
    random_uuid(c.id);
    TRY(state_submit(ac->state, insert, &c, err));
    return access__reload(ac, err);
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '@';
}

static status check_name(str name, error *err)
{
    bool valid = name.size > 0 && name.size <= NAME_SIZE_MAX;

    for (size_t i = 0; valid && i < name.size; i++) {
        valid = is_name_char(name.data[i]);
    }
    if (!valid) {
        (void)error_set(err, STATUS_INVALID, "principal name \"%.*s\" is not valid",
                        (int)(name.size < NAME_SIZE_MAX ? name.size : NAME_SIZE_MAX),
                        name.data != NULL ? name.data : "");
        error_hint(err, "Names have 1 to %d letters, digits and the characters - _ . @.",
                   NAME_SIZE_MAX);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

status access_create_principal(access_control *ac, str name, role gets, arena *a, str *ret_key,
                               error *err)
{
    str key = access__new_key(a);

    TRY(check_name(name, err));
    if (gets != ROLE_READER && gets != ROLE_ROOT) {
        return error_set(err, STATUS_INVALID, "principal \"%.*s\" needs the role reader or root",
                         STR_ARG(name));
    }
    TRY(access__insert_principal(ac, name, gets, key, err));
    *ret_key = key;
    return STATUS_OK;
}

static status drop(void *context, state_txn *txn, error *err)
{
    str name = *(const str *)context;
    int64_t dropped;

    TRY(STATE_EXEC(
        txn,
        "DELETE FROM access_keys WHERE principal = (SELECT id FROM principals WHERE name = ?1)",
        NULL, err, SV_TEXT(name)));
    TRY(STATE_EXEC(txn, "DELETE FROM principals WHERE name = ?1", &dropped, err, SV_TEXT(name)));
    if (dropped == 0) {
        return error_set(err, STATUS_NOT_FOUND, "principal \"%.*s\" does not exist", STR_ARG(name));
    }
    return STATUS_OK;
}

status access_drop_principal(access_control *ac, str name, error *err)
{
    if (str_equal(name, STR("root"))) {
        return error_set(err, STATUS_DENIED, "principal \"root\" cannot be dropped");
    }
    TRY(state_submit(ac->state, drop, &name, err));
    return access__reload(ac, err);
}

typedef struct listing {
    arena *memory;
    VEC(principal_info) list;
} listing;

static status list_principals(void *context, state_txn *txn, error *err)
{
    listing *l = context;
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT id, name, role, created_us FROM principals ORDER BY name", NULL, 0,
                    &rows, err));
    for (;;) {
        principal_info info;

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        info.who = (principal){.id = state_text(rows, 0, l->memory),
                               .name = state_text(rows, 1, l->memory),
                               .role = role_from(state_text(rows, 2, NULL))};
        info.created_us = state_int(rows, 3);
        vec_push(l->memory, &l->list, info);
    }
}

status access_list_principals(access_control *ac, arena *a, principal_info **ret_list,
                              size_t *ret_count, error *err)
{
    listing l = {.memory = a};

    TRY(state_read(ac->state, list_principals, &l, err));
    *ret_list = l.list.items;
    *ret_count = l.list.count;
    return STATUS_OK;
}

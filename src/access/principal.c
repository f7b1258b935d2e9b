/* Principals and their keys as rows, and the mirror of the rows that every request is checked
 * against. */
#include <string.h>

#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define NAME_SIZE_MAX 128
#define PATH_SIZE_MAX 512

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
    /* The check on roles cannot be changed in place, so both tables are made anew. */
    {"access", 2,
     "CREATE TABLE principals_2 ("
     "  id TEXT PRIMARY KEY NOT NULL,"
     "  name TEXT NOT NULL UNIQUE,"
     "  role TEXT NOT NULL CHECK (role IN ('reader', 'user', 'root')),"
     "  created_us BIGINT NOT NULL,"
     "  canonical_id TEXT UNIQUE," /* the first S3 key's id; stays when that key goes */
     "  sessions_from_us BIGINT NOT NULL DEFAULT 0);"
     "INSERT INTO principals_2 (id, name, role, created_us)"
     "  SELECT id, name, role, created_us FROM principals;"
     "CREATE TABLE access_keys_2 ("
     "  hash BLOB PRIMARY KEY NOT NULL,"
     "  principal TEXT NOT NULL REFERENCES principals_2 (id),"
     "  created_us BIGINT NOT NULL,"
     "  expires_us BIGINT);"
     "INSERT INTO access_keys_2 (hash, principal, created_us, expires_us)"
     "  SELECT hash, principal, created_us, expires_us FROM access_keys;"
     "DROP TABLE access_keys;"
     "DROP TABLE principals;"
     "ALTER TABLE principals_2 RENAME TO principals;"
     "ALTER TABLE access_keys_2 RENAME TO access_keys;"
     "CREATE INDEX access_keys_by_principal ON access_keys (principal);"
     "CREATE TABLE s3_keys ("
     "  access_key TEXT PRIMARY KEY NOT NULL,"
     "  principal TEXT NOT NULL REFERENCES principals (id),"
     "  secret BLOB NOT NULL," /* sealed */
     "  created_us BIGINT NOT NULL,"
     "  expires_us BIGINT);"
     "CREATE INDEX s3_keys_by_principal ON s3_keys (principal);"
     "CREATE TABLE access_master (fingerprint TEXT PRIMARY KEY NOT NULL)"},
    {"access", 3,
     "ALTER TABLE principals ADD COLUMN path TEXT NOT NULL DEFAULT '/';"
     "ALTER TABLE s3_keys ADD COLUMN inactive INTEGER NOT NULL DEFAULT 0"},
    {"access", 4,
     "ALTER TABLE principals ADD COLUMN role_4 TEXT NOT NULL DEFAULT 'reader'"
     "  CHECK (role_4 IN ('reader', 'writer', 'user', 'root'));"
     "UPDATE principals SET role_4 = role;"
     "ALTER TABLE principals DROP COLUMN role;"
     "ALTER TABLE principals RENAME COLUMN role_4 TO role"},
    /* of tables that were dropped, while sessions of before could last (ended.c) */
    {"access", 5,
     "CREATE TABLE vended_ends (subject TEXT PRIMARY KEY NOT NULL, ended_us BIGINT NOT NULL);"
     "CREATE INDEX vended_ends_by_time ON vended_ends (ended_us)"},
    /* "bucket/folder/": all that the pair opens */
    {"access", 6, "ALTER TABLE s3_keys ADD COLUMN scope TEXT"},
};
const size_t access_migration_count = COUNT_OF(access_migrations);

static role role_from(str name)
{
    role found = ROLE_NOBODY;

    (void)access_role_parse(name, &found, NULL);
    return found;
}

/* --- the mirror --- */

typedef struct loading {
    const access_control *access;
    mirror m;
} loading;

static status load_accounts(mirror *m, state_txn *txn, error *err)
{
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT id, name, role, canonical_id, sessions_from_us FROM principals",
                    NULL, 0, &rows, err));
    for (;;) {
        account *each;

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        each = ARENA_NEW(m->memory, account);
        each->who = (principal){.id = state_text(rows, 0, m->memory),
                                .name = state_text(rows, 1, m->memory),
                                .role = role_from(state_text(rows, 2, NULL))};
        each->canonical_id = state_text(rows, 3, m->memory);
        each->sessions_from_us = state_int(rows, 4);
        each->who.sessions_from_us = each->sessions_from_us;
        (void)map_set(m->accounts, each->who.id, each);
        if (!str_is_empty(each->canonical_id)) {
            (void)map_set(m->canonical, each->canonical_id, each);
        }
    }
}

static status load_credentials(mirror *m, state_txn *txn, error *err)
{
    state_rows *rows;
    bool row;

    TRY(state_query(txn, "SELECT hash, principal, expires_us FROM access_keys", NULL, 0, &rows,
                    err));
    for (;;) {
        const account *owner;
        credential *c;
        str hash;

        TRY(state_next(rows, &row, err));
        if (!row) {
            return STATUS_OK;
        }
        hash = state_text(rows, 0, NULL);
        owner = map_get(m->accounts, state_text(rows, 1, NULL));
        ASSERT(owner != NULL); /* the rows refer to each other */
        if (hash.size != ACCESS_HASH_SIZE) {
            return error_set(err, STATUS_CORRUPT,
                             "a key of principal \"%.*s\" has a hash of %zu bytes",
                             STR_ARG(owner->who.name), hash.size);
        }
        c = ARENA_NEW(m->memory, credential);
        c->who = owner->who;
        c->who.key = access__key_id(m->memory, (const uint8_t *)hash.data);
        c->expires_us = state_is_null(rows, 2) ? ACCESS_NEVER : state_int(rows, 2);
        memcpy(c->hash, hash.data, sizeof(c->hash));
        (void)map_set(m->credentials, hash, c);
        (void)map_set(m->key_ids, c->who.key, c);
    }
}

static status load_all(void *context, state_txn *txn, error *err)
{
    loading *l = context;

    TRY(load_accounts(&l->m, txn, err));
    TRY(load_credentials(&l->m, txn, err));
    return access__load_key_pairs(l->access, &l->m, txn, err);
}

status access__reload(access_control *ac, error *err)
{
    loading l = {.access = ac, .m = {.memory = arena_create()}};
    arena *before;
    status loaded;

    l.m.credentials = map_create(l.m.memory);
    l.m.key_ids = map_create(l.m.memory);
    l.m.accounts = map_create(l.m.memory);
    l.m.canonical = map_create(l.m.memory);
    l.m.key_pairs = map_create(l.m.memory);
    /* Under the lock, so that of two reloads the later one reads the newer rows. */
    mutex_lock(&ac->lock);
    loaded = state_read(ac->state, load_all, &l, err);
    before = l.m.memory;
    if (loaded == STATUS_OK) {
        before = ac->now.memory;
        ac->now = l.m;
        ac->generation++;
    }
    mutex_unlock(&ac->lock);
    arena_free(before);
    return loaded;
}

/* --- changes --- */

typedef struct creation {
    str name, path;
    role role;
    bool with_key;
    uint8_t hash[ACCESS_HASH_SIZE];
    char id[37];
} creation;

static status insert(void *context, state_txn *txn, error *err)
{
    creation *c = context;
    int64_t now_us = clock_now_us();
    status inserted = STATE_EXEC(
        txn,
        "INSERT INTO principals (id, name, role, created_us, path) VALUES (?1, ?2, ?3, ?4, ?5)",
        NULL, err, SV_TEXT(str_c(c->id)), SV_TEXT(c->name),
        SV_TEXT(str_c(access_role_name(c->role))), SV_INT(now_us), SV_TEXT(c->path));

    if (inserted == STATUS_EXISTS) {
        return error_set(err, STATUS_EXISTS, "principal \"%.*s\" already exists", STR_ARG(c->name));
    }
    TRY(inserted);
    if (!c->with_key) {
        return STATUS_OK;
    }
    return STATE_EXEC(txn,
                      "INSERT INTO access_keys (hash, principal, created_us) VALUES (?1, ?2, ?3)",
                      NULL, err, SV_BLOB(str_from((const char *)c->hash, sizeof(c->hash))),
                      SV_TEXT(str_c(c->id)), SV_INT(now_us));
}

status access__insert_principal(access_control *ac, str name, role gets, str key, error *err)
{
    creation c = {.name = name, .path = STR("/"), .role = gets, .with_key = true};

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
    if (gets == ROLE_NOBODY) {
        return error_set(err, STATUS_INVALID, "principal \"%.*s\" needs a role", STR_ARG(name));
    }
    TRY(access__insert_principal(ac, name, gets, key, err));
    *ret_key = key;
    return STATUS_OK;
}

static status check_path(str path, error *err)
{
    bool valid = path.size > 0 && path.size <= PATH_SIZE_MAX && path.data[0] == '/' &&
                 path.data[path.size - 1] == '/';

    for (size_t i = 0; valid && i < path.size; i++) {
        valid = path.data[i] > 0x20 && path.data[i] < 0x7f;
    }
    if (!valid) {
        (void)error_set(err, STATUS_INVALID, "the path of a user is not valid");
        error_hint(err, "Paths are / or begin and end with /, up to %d printable characters.",
                   PATH_SIZE_MAX);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

status access_create_user(access_control *ac, str name, str path, error *err)
{
    creation c = {.name = name, .path = path, .role = ROLE_USER};

    TRY(check_name(name, err));
    TRY(check_path(path, err));
    random_uuid(c.id);
    TRY(state_submit(ac->state, insert, &c, err));
    return access__reload(ac, err);
}

status access__principal_id(state_txn *txn, str name, str *ret_id, error *err)
{
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT id FROM principals WHERE name = ?1", &rows, err, SV_TEXT(name)));
    TRY(state_next(rows, &row, err));
    if (!row) {
        return error_set(err, STATUS_NOT_FOUND, "principal \"%.*s\" does not exist", STR_ARG(name));
    }
    *ret_id = state_text(rows, 0, state_txn_arena(txn));
    state_finish(rows);
    return STATUS_OK;
}

static status drop(void *context, state_txn *txn, error *err)
{
    str id;

    TRY(access__principal_id(txn, *(const str *)context, &id, err));
    TRY(STATE_EXEC(txn, "DELETE FROM access_keys WHERE principal = ?1", NULL, err, SV_TEXT(id)));
    TRY(STATE_EXEC(txn, "DELETE FROM s3_keys WHERE principal = ?1", NULL, err, SV_TEXT(id)));
    return STATE_EXEC(txn, "DELETE FROM principals WHERE id = ?1", NULL, err, SV_TEXT(id));
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

    TRY(state_query(txn,
                    "SELECT id, name, role, created_us, canonical_id, path FROM principals "
                    "ORDER BY name",
                    NULL, 0, &rows, err));
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
        info.canonical_id = state_text(rows, 4, l->memory);
        info.path = state_text(rows, 5, l->memory);
        info.account_id = info.canonical_id.size > 0 ? info.canonical_id
                                                     : access__first_s3_key(info.who.id, l->memory);
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

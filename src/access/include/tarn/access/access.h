/* access.h: principals, keys, and the one authorisation decision.
 *
 * Every door asks access_authenticate once, before routing, and access_check before each act;
 * nothing else in tarn decides who may do what. Unknown means no.
 *
 * Keys are random, shown once, and stored as SHA-256 (they have 256 bits of entropy, so a slow
 * hash adds nothing). The first start makes principal "root" and writes its key to
 * <data>/secrets/root.key (0600). */
#ifndef TARN_ACCESS_ACCESS_H
#define TARN_ACCESS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"
#include "tarn/state/state.h"

/*  action               what it lets one do                            a reader, a user, a writer may */
#define ACTION_TABLE(X)                                                                      \
    X(NONE, "none", "anyone, without a key: liveness and the like", 1, 1, 1)                 \
    X(STATUS_READ, "status.read", "see the server's status and settings", 1, 1, 1)           \
    X(METRICS_READ, "metrics.read", "read metrics", 1, 0, 1)                                 \
    X(NAMESPACE_LIST, "namespace.list", "list namespaces", 1, 0, 1)                          \
    X(NAMESPACE_READ, "namespace.read", "see a namespace and its properties", 1, 0, 1)       \
    X(NAMESPACE_CREATE, "namespace.create", "make a namespace", 0, 0, 1)                     \
    X(NAMESPACE_DROP, "namespace.drop", "drop a namespace", 0, 0, 1)                         \
    X(TABLE_LIST, "table.list", "list the tables of a namespace", 1, 0, 1)                   \
    X(TABLE_READ, "table.read", "read a table's rows, schema, snapshots and files", 1, 0, 1) \
    X(TABLE_CREATE, "table.create", "make a table", 0, 0, 1)                                 \
    X(TABLE_WRITE, "table.write", "change a table's rows", 0, 0, 1)                          \
    X(TABLE_ALTER, "table.alter", "change a table's schema or properties", 0, 0, 1)          \
    X(TABLE_DROP, "table.drop", "drop a table", 0, 0, 1)                                     \
    X(LOCATION_READ, "location.read", "read a table by its location", 0, 0, 0)               \
    X(EVENTS_READ, "events.read", "read what happened in the catalog", 0, 0, 0)              \
    X(QUERY_RUN, "query.run", "run SQL (each table is checked by itself)", 1, 0, 1)          \
    X(QUERY_READ, "query.read", "see one's own queries", 1, 0, 1)                            \
    X(QUERY_CANCEL, "query.cancel", "end one's own queries", 1, 0, 1)                        \
    X(QUERY_ANY, "query.any", "see and end everybody's queries", 0, 0, 0)                    \
    X(ACCESS_ADMIN, "access.admin", "make principals, keys and grants", 0, 0, 0)             \
    X(SERVER_ADMIN, "server.admin", "make warehouses, back up, scrub, stop the server", 0, 0, 0)

typedef enum action {
#define X(name, ...) ACTION_##name,
    ACTION_TABLE(X)
#undef X
        ACTION_COUNT
} action;
const char *action_name(action act);

/* A reader reads the catalog. A writer changes it too: what a program needs that works on tables; on S3 it is what a
 * reader is. A user has an S3 account: buckets of its own, and no right to others' or to the catalog. Root is the
 * administrator. */
typedef enum role { ROLE_NOBODY, ROLE_READER, ROLE_USER, ROLE_WRITER, ROLE_ROOT } role;
const char *access_role_name(role of);
status access_role_parse(str name, role *ret_role, error *err); /* INVALID; never nobody */

typedef struct principal {
    str id;   /* uuid; empty for nobody */
    str name; /* "root" */
    role role;
    str key; /* id of the bearer key it came with (bearer_key.id); empty: none */
    /* It came with a token: when the first of its line was made for the key. 0: it did not. */
    int64_t login_us;
    int64_t
        sessions_from_us; /* sessions made for it before were ended by access_revoke_s3_sessions */
} principal;

/* What an action is done to: empty parts are not part of the question. */
typedef struct resource {
    str warehouse, space, table; /* space: the namespace, levels joined by "." */
} resource;

typedef struct access_control access_control;
extern const state_migration access_migrations[];
extern const size_t access_migration_count;

typedef enum access_mode { ACCESS_KEYS, ACCESS_OPEN } access_mode; /* auth.mode = keys | none */

/* The key that everything is encrypted under: `secrets_path`/master.key, made, durable, where it is absent. */
#define ACCESS_MASTER_KEY_BYTES 32
status access_master_key(const char *secrets_path, uint8_t ret_key[ACCESS_MASTER_KEY_BYTES],
                         error *err);

/* Makes root at the first start, writing `secrets_path`/root.key, and its S3 key pair, `secrets_path`/root.s3 (s3.h),
 * also where a data directory is older than these. */
status access_open(state *s, const char *secrets_path, access_mode mode,
                   access_control **ret_access, error *err);
void access_close(access_control *ac);

/* `authorization` is the header as sent, or STR_NULL. In open mode everybody is root, a wrong
 * key included. UNAUTHORIZED: bad or expired key, unknown scheme. Without a header: principal
 * nobody (ROLE_NOBODY), OK. */
status access_authenticate(access_control *ac, str authorization, arena *a,
                           principal *ret_principal, error *err);

/* A token that stands for the key that `who` came with, for clients that speak OAuth 2: access_authenticate takes it
 * where it takes the key. Nothing is stored: the token holds it all, under a mac. It ends with its time, with its key,
 * with its principal, and by revocation of the principal's sessions. One made for a token goes on from it, and none of
 * its line lasts longer than ACCESS_LOGIN_S after the first. */
#define ACCESS_TOKEN_S 3600
#define ACCESS_LOGIN_S 86400
status access_create_token(access_control *ac, const principal *who, arena *a, str *ret_token,
                           int64_t *ret_expires_us, error *err);

/* The one decision. UNAUTHORIZED for nobody, DENIED else; the message names principal, action
 * and resource. */
status access_check(access_control *ac, const principal *who, action act, const resource *what,
                    error *err);

/* Another number after each change of principals, keys and sessions: for those who keep what follows from them. */
uint64_t access_generation(const access_control *ac);

/* Makes a principal with a bearer key (tarn_… 43 characters); the key is returned once. EXISTS. */
status access_create_principal(access_control *ac, str name, role gets, arena *a, str *ret_key,
                               error *err);
/* Makes a principal of role user with no key yet. `path` is "/" or "/a/b/". EXISTS. */
status access_create_user(access_control *ac, str name, str path, error *err);
status access_drop_principal(access_control *ac, str name,
                             error *err); /* NOT_FOUND; root cannot go */

/* Further bearer keys of a principal. */
typedef struct bearer_key {
    str id;  /* the first 16 hex digits of its SHA-256: tells keys apart, opens nothing */
    str key; /* only when made */
    int64_t created_us;
    int64_t expires_us; /* 0: never */
} bearer_key;
/* NOT_FOUND; INVALID where it would end before it is made. */
status access_create_key(access_control *ac, str name, int64_t expires_us, arena *a,
                         bearer_key *ret_key, error *err);
/* Out at once. NOT_FOUND; DENIED for the last key of root that does not expire. */
status access_drop_key(access_control *ac, str id, error *err);
status access_list_keys(access_control *ac, str name, arena *a, bearer_key **ret_keys,
                        size_t *ret_count, error *err);

typedef struct principal_info {
    principal who;
    int64_t created_us;
    str canonical_id; /* S3's; empty while it never had an S3 key */
    str account_id; /* the same, or what it will be: the id of the first S3 key, which is known before */
    str path;       /* "/", or what IAM filed it under: "/teams/a/" */
} principal_info;
status access_list_principals(access_control *ac, arena *a, principal_info **ret_list,
                              size_t *ret_count, error *err);

#endif

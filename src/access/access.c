/* Opening, the first start, and the one decision. Who somebody is: authenticate.c; rows:
 * principal.c. */
#include "internal.h"
#include "tarn/base/fs.h"

#define KEY_FILE_MAX 4096

static const struct {
    const char *name;
    const char *meaning;
    bool reader_may, user_may, writer_may;
} actions[] = {
#define X(id, name, meaning, reader_may, user_may, writer_may) \
    {name, meaning, reader_may, user_may, writer_may},
    ACTION_TABLE(X)
#undef X
};

const char *action_name(action act)
{
    return actions[act].name;
}

/*  role          in rows and messages */
static const char *const role_names[] = {
    [ROLE_NOBODY] = "nobody", [ROLE_READER] = "reader", [ROLE_USER] = "user",
    [ROLE_WRITER] = "writer", [ROLE_ROOT] = "root",
};

const char *access_role_name(role of)
{
    return role_names[of];
}

status access_role_parse(str name, role *ret_role, error *err)
{
    for (size_t i = ROLE_NOBODY + 1; i < COUNT_OF(role_names); i++) {
        if (str_equal(name, str_c(role_names[i]))) {
            *ret_role = (role)i;
            return STATUS_OK;
        }
    }
    (void)error_set(err, STATUS_INVALID, "role \"%.*s\" does not exist", STR_ARG(name));
    error_hint(err, "Roles are reader, writer, user and root.");
    return STATUS_INVALID;
}

/* --- the decision --- */

bool access__role_may(role of, action act)
{
    if (act == ACTION_NONE || of == ROLE_ROOT) {
        return true;
    }
    return (of == ROLE_READER && actions[act].reader_may) ||
           (of == ROLE_USER && actions[act].user_may) ||
           (of == ROLE_WRITER && actions[act].writer_may);
}

/* " on table "ns.t"", or nothing where the question is about no thing. */
static str describe(arena *a, const resource *what)
{
    if (what == NULL) {
        return STR("");
    }
    if (!str_is_empty(what->table)) {
        return str_printf(a, " on table \"%.*s%s%.*s\"", STR_ARG(what->space),
                          str_is_empty(what->space) ? "" : ".", STR_ARG(what->table));
    }
    if (!str_is_empty(what->space)) {
        return str_printf(a, " on namespace \"%.*s\"", STR_ARG(what->space));
    }
    if (!str_is_empty(what->warehouse)) {
        return str_printf(a, " on warehouse \"%.*s\"", STR_ARG(what->warehouse));
    }
    return STR("");
}

status access_check(access_control *ac, const principal *who, action act, const resource *what,
                    error *err)
{
    arena *scratch;
    str on;

    (void)ac; /* grants will be asked of it */
    if (access__role_may(who->role, act)) {
        return STATUS_OK;
    }
    scratch = arena_create();
    on = describe(scratch, what);
    if (who->role == ROLE_NOBODY) {
        (void)error_set(err, STATUS_UNAUTHORIZED, "\"%s\"%.*s needs a key", actions[act].name,
                        STR_ARG(on));
        error_hint(err, "Send the header Authorization: Bearer KEY.");
    } else {
        (void)error_set(err, STATUS_DENIED, "principal \"%.*s\" may not \"%s\"%.*s",
                        STR_ARG(who->name), actions[act].name, STR_ARG(on));
        error_hint(err, "The role \"%s\" does not let one %s.", role_names[who->role],
                   actions[act].meaning);
    }
    arena_free(scratch);
    return who->role == ROLE_NOBODY ? STATUS_UNAUTHORIZED : STATUS_DENIED;
}

uint64_t access_generation(const access_control *ac)
{
    return ac->generation;
}

/* --- the first start --- */

/* The key in the file, where an earlier start left one: a rebuilt database keeps it. Else a new
 * one, durable in the file before its hash is a row: a key that nobody could read would lock
 * everybody out. */
static status root_key(const char *secrets_path, arena *a, str *ret_key, error *err)
{
    char *path = fs_join(a, secrets_path, "root.key");
    str text;
    str key;

    if (fs_read_file(path, KEY_FILE_MAX, a, &text, NULL) == STATUS_OK &&
        access__is_key(str_trim(text))) {
        *ret_key = str_trim(text);
        return STATUS_OK;
    }
    TRY(fs_make_dirs_synced(secrets_path, 0700, err));
    key = access__new_key(a);
    TRY(fs_write_file(path, str_concat(a, key, STR("\n")), 0600, err));
    *ret_key = key;
    return STATUS_OK;
}

static bool has_root(access_control *ac)
{
    bool found = false;
    map_entry entry;

    mutex_lock(&ac->lock);
    for (size_t at = 0; !found && map_next(ac->now.credentials, &at, &entry);) {
        found = ((const credential *)entry.value)->who.role == ROLE_ROOT;
    }
    mutex_unlock(&ac->lock);
    return found;
}

static status make_root(access_control *ac, const char *secrets_path, error *err)
{
    arena *scratch = arena_create();
    str key;
    status made = root_key(secrets_path, scratch, &key, err);

    if (made == STATUS_OK) {
        made = access__insert_principal(ac, STR(ACCESS_ROOT_NAME), ROLE_ROOT, key, err);
    }
    arena_free(scratch);
    return made;
}

static status take_master(access_control *ac, const char *secrets_path, error *err)
{
    uint8_t master[ACCESS_MASTER_KEY_BYTES];
    status bound;

    TRY(access_master_key(secrets_path, master, err));
    access__derive(master, STR("tarn s3 secrets 1"), ac->secrets_key);
    access__derive(master, STR("tarn s3 sessions 1"), ac->sessions_key);
    access__derive(master, STR("tarn vended sessions 1"), ac->vended_key);
    access__derive(master, STR("tarn bearer tokens 1"), ac->tokens_key);
    bound = access__bind_master(ac, master, err);
    mem_wipe(master, sizeof(master));
    return bound;
}

static status open_all(access_control *ac, const char *secrets_path, error *err)
{
    TRY(fs_remove_unfinished(secrets_path, err));
    TRY(take_master(ac, secrets_path, err));
    TRY(access__reload(ac, err));
    TRY(access__ends_open(ac, err));
    if (!has_root(ac)) {
        TRY(make_root(ac, secrets_path, err));
    }
    return access__make_root_pair(ac, secrets_path, err);
}

status access_open(state *s, const char *secrets_path, access_mode mode,
                   access_control **ret_access, error *err)
{
    access_control *ac = NEW(access_control);
    status opened;

    ac->state = s;
    ac->mode = mode;
    mutex_init(&ac->lock);
    opened = open_all(ac, secrets_path, err);
    if (opened != STATUS_OK) {
        error_context(err, "could not open access control");
        access_close(ac);
        return opened;
    }
    *ret_access = ac;
    return STATUS_OK;
}

void access_close(access_control *ac)
{
    if (ac == NULL) {
        return;
    }
    arena_free(ac->now.memory);
    access__ends_close(ac);
    mem_wipe(ac->secrets_key, sizeof(ac->secrets_key));
    mem_wipe(ac->sessions_key, sizeof(ac->sessions_key));
    mem_wipe(ac->vended_key, sizeof(ac->vended_key));
    mem_wipe(ac->tokens_key, sizeof(ac->tokens_key));
    mutex_release(&ac->lock);
    mem_free(ac);
}

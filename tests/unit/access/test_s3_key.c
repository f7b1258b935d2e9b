/* Claims about S3 key pairs: their first start, their secrets, their end. */
#include <sys/stat.h>

#include "support/clock.h"
#include "support/test.h"
#include "tarn/access/s3.h"
#include "tarn/base/fs.h"

typedef struct world {
    state *state;
    access_control *access;
} world;

static status try_open(fixture *f, access_mode mode, size_t migrations, world *w)
{
    state_options options = {.path = test_path(f, "tarn.db")};

    TRY(state_open(&options, access_migrations, migrations, &w->state, &f->err));
    return access_open(w->state, test_path(f, "secrets"), mode, &w->access, &f->err);
}

static world open_world(fixture *f, access_mode mode)
{
    world w = {0};

    EXPECT_OK(try_open(f, mode, access_migration_count, &w));
    return w;
}

static void close_world(world *w)
{
    access_close(w->access);
    state_close(w->state);
    *w = (world){0};
}

static s3_identity root_pair(fixture *f)
{
    str text = test_read_file(f, test_path(f, "secrets/root.s3"));
    str rest;
    s3_identity pair = {.access_key = str_cut(text, '\n', &rest)};

    pair.secret = str_trim(rest);
    return pair;
}

static s3_identity find(fixture *f, world *w, str access_key)
{
    s3_identity found = {.canonical_id = STR("not written")};

    EXPECT_OK(access_find_s3_key(w->access, access_key, STR_NULL, f->arena, &found, &f->err));
    return found;
}

static void expect_unknown(fixture *f, world *w, str access_key)
{
    s3_identity found;

    EXPECT_STATUS(DENIED,
                  access_find_s3_key(w->access, access_key, STR_NULL, f->arena, &found, &f->err));
    assert_string_equal(error_s3_code(&f->err), "InvalidAccessKeyId");
}

static s3_key make_user_key(fixture *f, world *w, const char *name)
{
    s3_key key;
    str bearer;

    EXPECT_OK(
        access_create_principal(w->access, str_c(name), ROLE_USER, f->arena, &bearer, &f->err));
    EXPECT_OK(access_create_s3_key(w->access, str_c(name), 0, f->arena, &key, &f->err));
    return key;
}

static void test_first_start_makes_roots_pair_in_a_private_file(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_identity pair = root_pair(f);
    s3_identity found = find(f, &w, pair.access_key);
    struct stat info;

    assert_int_equal(pair.access_key.size, 20);
    assert_int_equal(pair.secret.size, 40);
    assert_true(str_equal(found.secret, pair.secret));
    assert_true(str_equal(found.canonical_id, pair.access_key));
    assert_true(str_ends_with(found.arn, STR(":root")));
    assert_int_equal(found.who.role, ROLE_ROOT);
    assert_false(found.unchecked);
    assert_int_equal(stat(test_path(f, "secrets/root.s3"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(test_path(f, "secrets/master.key"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    close_world(&w);
    w = open_world(f, ACCESS_KEYS);
    assert_true(str_equal(root_pair(f).secret, pair.secret));
    assert_true(str_equal(find(f, &w, pair.access_key).secret, pair.secret));
    close_world(&w);
}

static void test_a_rebuilt_database_keeps_roots_account(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_identity pair = root_pair(f);

    close_world(&w);
    EXPECT_OK(fs_remove(test_path(f, "tarn.db"), &f->err));
    w = open_world(f, ACCESS_KEYS);
    assert_true(str_equal(find(f, &w, pair.access_key).canonical_id, pair.access_key));
    close_world(&w);
}

/* A database of version 1, with a reader in it, as the program before S3 left it. */
static status insert_old(void *context, state_txn *txn, error *err)
{
    (void)context;
    TRY(STATE_EXEC(txn,
                   "INSERT INTO principals (id, name, role, created_us) "
                   "VALUES ('r', 'root', 'root', ?1), ('a', 'ann', 'reader', ?1)",
                   NULL, err, SV_INT(1)));
    return STATE_EXEC(txn,
                      "INSERT INTO access_keys (hash, principal, created_us) VALUES (?1, 'r', 1)",
                      NULL, err, SV_BLOB(STR("0123456789abcdef0123456789abcdef")));
}

static void test_an_older_data_directory_gets_the_pair_at_its_next_start(void **context)
{
    fixture *f = *context;
    state_options options = {.path = test_path(f, "tarn.db")};
    world w = {0};
    principal_info *list;
    size_t count;
    s3_key key;

    EXPECT_OK(state_open(&options, access_migrations, 1, &w.state, &f->err));
    EXPECT_OK(state_submit(w.state, insert_old, NULL, &f->err));
    close_world(&w);
    w = open_world(f, ACCESS_KEYS);
    EXPECT_STR(find(f, &w, root_pair(f).access_key).who.id, "r");
    EXPECT_OK(access_list_principals(w.access, f->arena, &list, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].who.role, ROLE_READER);
    assert_int_equal(list[0].canonical_id.size, 0);
    EXPECT_OK(access_create_s3_key(w.access, STR("ann"), 0, f->arena, &key, &f->err));
    assert_true(str_equal(find(f, &w, key.access_key).canonical_id, key.access_key));
    close_world(&w);
}

static void test_a_users_account_is_known_before_its_first_key(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    principal_info *list;
    size_t count;
    s3_key first;
    s3_key second;

    EXPECT_OK(access_create_user(w.access, STR("ann"), STR("/teams/"), &f->err));
    EXPECT_STATUS(EXISTS, access_create_user(w.access, STR("ann"), STR("/"), &f->err));
    EXPECT_STATUS(INVALID, access_create_user(w.access, STR("ben"), STR("teams"), &f->err));
    EXPECT_OK(access_list_principals(w.access, f->arena, &list, &count, &f->err));
    EXPECT_STR(list[0].who.name, "ann");
    EXPECT_STR(list[0].path, "/teams/");
    assert_int_equal(list[0].canonical_id.size, 0);
    EXPECT_OK(access_create_s3_key(w.access, STR("ann"), 0, f->arena, &first, &f->err));
    assert_true(str_equal(first.access_key, list[0].account_id));
    EXPECT_OK(access_create_s3_key(w.access, STR("ann"), 0, f->arena, &second, &f->err));
    assert_false(str_equal(second.access_key, first.access_key));
    EXPECT_OK(access_drop_s3_key(w.access, first.access_key, &f->err));
    EXPECT_OK(access_create_s3_key(w.access, STR("ann"), 0, f->arena, &second, &f->err));
    assert_false(
        str_equal(second.access_key, first.access_key)); /* an id that was given up stays so */
    close_world(&w);
}

static void test_an_inactive_key_is_an_unknown_one(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_key *keys;
    size_t count;
    s3_key key;
    s3_identity who;

    EXPECT_OK(access_create_user(w.access, STR("ann"), STR("/"), &f->err));
    EXPECT_OK(access_create_s3_key(w.access, STR("ann"), 0, f->arena, &key, &f->err));
    EXPECT_OK(access_set_s3_key_active(w.access, key.access_key, false, &f->err));
    EXPECT_STATUS(DENIED,
                  access_find_s3_key(w.access, key.access_key, STR_NULL, f->arena, &who, &f->err));
    EXPECT_OK(access_list_s3_keys(w.access, STR("ann"), f->arena, &keys, &count, &f->err));
    assert_int_equal(count, 1);
    assert_true(keys[0].inactive);
    EXPECT_OK(access_set_s3_key_active(w.access, key.access_key, true, &f->err));
    assert_true(str_equal(find(f, &w, key.access_key).canonical_id, key.access_key));
    EXPECT_STATUS(NOT_FOUND, access_set_s3_key_active(w.access, STR("TARNX"), false, &f->err));
    close_world(&w);
}

static void test_secrets_lie_sealed_in_the_database(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_key key = make_user_key(f, &w, "ann");
    str copy;

    EXPECT_OK(state_backup(w.state, test_path(f, "copy.db"), &f->err));
    copy = test_read_file(f, test_path(f, "copy.db"));
    assert_true(str_find(copy, key.access_key) != STR_NPOS);
    assert_true(str_find(copy, key.secret) == STR_NPOS);
    assert_true(str_find(copy, root_pair(f).secret) == STR_NPOS);
    close_world(&w);
}

static void test_another_master_key_is_refused_at_the_start(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    str kept = test_read_file(f, test_path(f, "secrets/master.key"));

    close_world(&w);
    EXPECT_OK(fs_remove(test_path(f, "secrets/master.key"), &f->err));
    EXPECT_STATUS(CORRUPT, try_open(f, ACCESS_KEYS, access_migration_count, &w));
    assert_non_null(strstr(f->err.message, "master.key"));
    state_close(w.state);
    test_write_file(f, "secrets/master.key", STR("short"));
    EXPECT_STATUS(CORRUPT, try_open(f, ACCESS_KEYS, access_migration_count, &w));
    state_close(w.state);
    test_write_file(f, "secrets/master.key", kept);
    w = open_world(f, ACCESS_KEYS);
    (void)find(f, &w, root_pair(f).access_key);
    close_world(&w);
}

static void test_the_canonical_id_outlives_the_first_key(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_key first = make_user_key(f, &w, "ann");
    s3_identity who;
    s3_key second;
    s3_key *list;
    size_t count;

    EXPECT_OK(access_create_s3_key(w.access, STR("ann"), 0, f->arena, &second, &f->err));
    assert_true(str_equal(find(f, &w, second.access_key).canonical_id, first.access_key));
    EXPECT_OK(access_list_s3_keys(w.access, STR("ann"), f->arena, &list, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(list[0].secret.size, 0); /* shown once */
    EXPECT_OK(access_drop_s3_key(w.access, first.access_key, &f->err));
    expect_unknown(f, &w, first.access_key);
    close_world(&w);
    w = open_world(f, ACCESS_KEYS);
    assert_true(str_equal(find(f, &w, second.access_key).canonical_id, first.access_key));
    EXPECT_OK(access_find_canonical(w.access, first.access_key, f->arena, &who, &f->err));
    EXPECT_STR(who.who.name, "ann");
    EXPECT_STATUS(NOT_FOUND,
                  access_find_canonical(w.access, second.access_key, f->arena, &who, &f->err));
    EXPECT_STATUS(NOT_FOUND, access_find_canonical(w.access, STR(""), f->arena, &who, &f->err));
    EXPECT_STATUS(NOT_FOUND, access_drop_s3_key(w.access, first.access_key, &f->err));
    close_world(&w);
}

static void test_keys_of_a_dropped_principal_are_out_at_once(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_key key = make_user_key(f, &w, "ann");
    s3_key *list;
    size_t count;

    EXPECT_OK(access_drop_principal(w.access, STR("ann"), &f->err));
    expect_unknown(f, &w, key.access_key);
    EXPECT_STATUS(NOT_FOUND,
                  access_list_s3_keys(w.access, STR("ann"), f->arena, &list, &count, &f->err));
    EXPECT_STATUS(NOT_FOUND,
                  access_create_s3_key(w.access, STR("ann"), 0, f->arena, &key, &f->err));
    close_world(&w);
}

static void test_a_key_ends_when_it_expires(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_key key;

    now_us = 1000000;
    stop_clock();
    EXPECT_STATUS(INVALID,
                  access_create_s3_key(w.access, STR("root"), 1000000, f->arena, &key, &f->err));
    EXPECT_OK(access_create_s3_key(w.access, STR("root"), 2000000, f->arena, &key, &f->err));
    now_us = 1999999;
    (void)find(f, &w, key.access_key);
    now_us = 2000000;
    expect_unknown(f, &w, key.access_key);
    clock_install(NULL);
    close_world(&w);
}

static void test_what_is_no_key_is_unknown(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    s3_identity pair = root_pair(f);
    s3_identity found = {.canonical_id = STR("kept")};

    expect_unknown(f, &w, STR(""));
    expect_unknown(f, &w, STR("TARNAAAAAAAAAAAAAAAA"));
    expect_unknown(f, &w, str_lower(f->arena, pair.access_key));
    expect_unknown(f, &w, pair.secret);
    EXPECT_STATUS(INVALID, access_find_s3_key(w.access, pair.access_key, STR("x"), f->arena, &found,
                                              &f->err));
    assert_string_equal(error_s3_code(&f->err), "InvalidToken");
    EXPECT_STR(found.canonical_id, "kept"); /* outputs are written only on success */
    access_unsigned(w.access, f->arena, &found);
    assert_int_equal(found.who.role, ROLE_NOBODY);
    assert_int_equal(found.canonical_id.size, 0);
    close_world(&w);
}

static void test_open_mode_makes_every_request_roots(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_OPEN);
    s3_identity found = find(f, &w, STR("whatever"));

    assert_int_equal(found.who.role, ROLE_ROOT);
    assert_true(found.unchecked);
    assert_true(str_equal(found.canonical_id, root_pair(f).access_key));
    access_unsigned(w.access, f->arena, &found);
    assert_int_equal(found.who.role, ROLE_ROOT);
    assert_true(str_equal(found.canonical_id, root_pair(f).access_key));
    close_world(&w);
}

static void test_a_user_has_no_right_to_the_catalog(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    principal who = {.name = STR("ann"), .role = ROLE_USER};

    for (action act = ACTION_NONE; act < ACTION_COUNT; act++) {
        bool may = act == ACTION_NONE || act == ACTION_STATUS_READ;
        assert_int_equal(access_check(w.access, &who, act, NULL, &f->err),
                         may ? STATUS_OK : STATUS_DENIED);
    }
    close_world(&w);
}

TESTS(test_first_start_makes_roots_pair_in_a_private_file,
      test_a_rebuilt_database_keeps_roots_account,
      test_an_older_data_directory_gets_the_pair_at_its_next_start,
      test_secrets_lie_sealed_in_the_database, test_another_master_key_is_refused_at_the_start,
      test_a_users_account_is_known_before_its_first_key, test_an_inactive_key_is_an_unknown_one,
      test_the_canonical_id_outlives_the_first_key,
      test_keys_of_a_dropped_principal_are_out_at_once, test_a_key_ends_when_it_expires,
      test_what_is_no_key_is_unknown, test_open_mode_makes_every_request_roots,
      test_a_user_has_no_right_to_the_catalog)

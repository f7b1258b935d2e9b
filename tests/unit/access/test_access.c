/* Claims about access: keys, the first start, and the one decision. */
#include <stdio.h>
#include <sys/stat.h>

#include "support/test.h"
#include "tarn/access/access.h"
#include "tarn/base/fs.h"
#include "tarn/codec/checksum.h"

typedef struct world {
    state *state;
    access_control *access;
} world;

static world open_world(fixture *f, access_mode mode)
{
    world w = {0};
    state_options options = {.path = test_path(f, "tarn.db")};

    EXPECT_OK(state_open(&options, access_migrations, access_migration_count, &w.state, &f->err));
    EXPECT_OK(access_open(w.state, test_path(f, "secrets"), mode, &w.access, &f->err));
    return w;
}

static void close_world(world *w)
{
    access_close(w->access);
    state_close(w->state);
}

static str bearer(fixture *f, str key)
{
    return str_concat(f->arena, STR("Bearer "), key);
}

static str root_key(fixture *f)
{
    return str_trim(test_read_file(f, test_path(f, "secrets/root.key")));
}

static void test_first_start_makes_root_with_a_private_key_file(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    struct stat info;
    str key = root_key(f);
    principal who;

    assert_int_equal(key.size, 48);
    assert_true(str_starts_with(key, STR("tarn_")));
    assert_int_equal(stat(test_path(f, "secrets/root.key"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(stat(test_path(f, "secrets"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    EXPECT_OK(access_authenticate(w.access, bearer(f, key), f->arena, &who, &f->err));
    EXPECT_STR(who.name, "root");
    assert_int_equal(who.role, ROLE_ROOT);
    assert_int_equal(who.id.size, 36);
    close_world(&w);
}

static void test_later_starts_keep_the_key(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    str key = root_key(f);
    principal who;

    close_world(&w);
    w = open_world(f, ACCESS_KEYS);
    assert_true(str_equal(root_key(f), key));
    EXPECT_OK(access_authenticate(w.access, bearer(f, key), f->arena, &who, &f->err));
    close_world(&w);
}

static void test_a_rebuilt_database_keeps_the_key_in_the_file(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    str key = root_key(f);
    principal who;

    close_world(&w);
    EXPECT_OK(fs_remove(test_path(f, "tarn.db"), &f->err));
    w = open_world(f, ACCESS_KEYS);
    EXPECT_OK(access_authenticate(w.access, bearer(f, key), f->arena, &who, &f->err));
    assert_int_equal(who.role, ROLE_ROOT);
    close_world(&w);
}

static void test_keys_lie_in_the_database_as_hashes_only(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    str key = root_key(f);

    EXPECT_OK(state_backup(w.state, test_path(f, "copy.db"), &f->err));
    close_world(&w);
    assert_true(str_find(test_read_file(f, test_path(f, "copy.db")), STR("root")) != STR_NPOS);
    assert_true(str_find(test_read_file(f, test_path(f, "copy.db")), key) == STR_NPOS);
}

static void test_bad_keys_are_refused_whatever_they_look_like(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    str key = root_key(f);
    const str bad[] = {
        STR(""),
        STR("Bearer"),
        STR("Bearer "),
        STR("Bearer tarn_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        bearer(f, str_slice(key, 0, key.size - 1)),
        bearer(f, str_concat(f->arena, key, STR("x"))),
        key,
        str_concat(f->arena, STR("Digest "), key),
        STR("Basic !!!"),
        str_concat(f->arena, STR("Basic "), base64_encode(f->arena, key)),
        str_concat(f->arena, STR("Basic "),
                   base64_encode(f->arena, str_concat(f->arena, STR("ann:"), key))),
    };
    principal who = {.role = ROLE_READER};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT_STATUS(UNAUTHORIZED, access_authenticate(w.access, bad[i], f->arena, &who, &f->err));
        assert_true(str_find(str_c(f->err.message), key) == STR_NPOS); /* no message tells a key */
    }
    assert_int_equal(who.role, ROLE_READER); /* outputs are written only on success */
    close_world(&w);
}

static void test_basic_takes_user_and_key(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    str pair = str_concat(f->arena, STR("root:"), root_key(f));
    principal who;

    EXPECT_OK(access_authenticate(
        w.access, str_concat(f->arena, STR("basic "), base64_encode(f->arena, pair)), f->arena,
        &who, &f->err));
    assert_int_equal(who.role, ROLE_ROOT);
    close_world(&w);
}

static void test_no_header_is_nobody_who_may_only_what_needs_no_key(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    principal who;

    EXPECT_OK(access_authenticate(w.access, STR_NULL, f->arena, &who, &f->err));
    assert_int_equal(who.role, ROLE_NOBODY);
    for (action act = ACTION_NONE; act < ACTION_COUNT; act++) {
        status checked = access_check(w.access, &who, act, NULL, &f->err);

        assert_int_equal(checked, act == ACTION_NONE ? STATUS_OK : STATUS_UNAUTHORIZED);
    }
    close_world(&w);
}

static void test_a_reader_reads_and_changes_nothing(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    resource table = {.space = STR("main"), .table = STR("trips")};
    principal who;
    str key;

    EXPECT_OK(access_create_principal(w.access, STR("ann"), ROLE_READER, f->arena, &key, &f->err));
    EXPECT_OK(access_authenticate(w.access, bearer(f, key), f->arena, &who, &f->err));
    assert_int_equal(who.role, ROLE_READER);
    EXPECT_OK(access_check(w.access, &who, ACTION_TABLE_READ, &table, &f->err));
    EXPECT_OK(access_check(w.access, &who, ACTION_QUERY_RUN, NULL, &f->err));
    EXPECT_STATUS(DENIED, access_check(w.access, &who, ACTION_TABLE_WRITE, &table, &f->err));
    EXPECT_MESSAGE(f, "principal \"ann\" may not \"table.write\" on table \"main.trips\"");
    EXPECT_STATUS(DENIED, access_check(w.access, &who, ACTION_ACCESS_ADMIN, NULL, &f->err));
    EXPECT_STATUS(DENIED, access_check(w.access, &who, ACTION_SERVER_ADMIN, NULL, &f->err));
    close_world(&w);
}

static void test_a_dropped_principal_is_out_at_once(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    principal who;
    str key;

    EXPECT_OK(access_create_principal(w.access, STR("ann"), ROLE_READER, f->arena, &key, &f->err));
    EXPECT_STATUS(
        EXISTS, access_create_principal(w.access, STR("ann"), ROLE_ROOT, f->arena, &key, &f->err));
    EXPECT_OK(access_drop_principal(w.access, STR("ann"), &f->err));
    EXPECT_STATUS(UNAUTHORIZED,
                  access_authenticate(w.access, bearer(f, key), f->arena, &who, &f->err));
    EXPECT_STATUS(NOT_FOUND, access_drop_principal(w.access, STR("ann"), &f->err));
    EXPECT_STATUS(DENIED, access_drop_principal(w.access, STR("root"), &f->err));
    close_world(&w);
}

static void test_principals_are_listed_by_name(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_KEYS);
    principal_info *list;
    size_t count;
    str key;

    EXPECT_OK(access_create_principal(w.access, STR("zoe"), ROLE_READER, f->arena, &key, &f->err));
    EXPECT_OK(access_create_principal(w.access, STR("ann"), ROLE_ROOT, f->arena, &key, &f->err));
    EXPECT_STATUS(INVALID, access_create_principal(w.access, STR("a b"), ROLE_READER, f->arena,
                                                   &key, &f->err));
    EXPECT_STATUS(INVALID, access_create_principal(w.access, STR("bob"), ROLE_NOBODY, f->arena,
                                                   &key, &f->err));
    EXPECT_OK(access_list_principals(w.access, f->arena, &list, &count, &f->err));
    assert_int_equal(count, 3);
    EXPECT_STR(list[0].who.name, "ann");
    EXPECT_STR(list[1].who.name, "root");
    EXPECT_STR(list[2].who.name, "zoe");
    assert_int_equal(list[2].who.role, ROLE_READER);
    close_world(&w);
}

static void test_open_mode_makes_everybody_root(void **context)
{
    fixture *f = *context;
    world w = open_world(f, ACCESS_OPEN);
    principal who;

    EXPECT_OK(access_authenticate(w.access, STR("Bearer wrong"), f->arena, &who, &f->err));
    assert_int_equal(who.role, ROLE_ROOT);
    EXPECT_OK(access_authenticate(w.access, STR_NULL, f->arena, &who, &f->err));
    assert_int_equal(who.role, ROLE_ROOT);
    close_world(&w);
}

TESTS(test_first_start_makes_root_with_a_private_key_file, test_later_starts_keep_the_key,
      test_a_rebuilt_database_keeps_the_key_in_the_file,
      test_keys_lie_in_the_database_as_hashes_only,
      test_bad_keys_are_refused_whatever_they_look_like, test_basic_takes_user_and_key,
      test_no_header_is_nobody_who_may_only_what_needs_no_key,
      test_a_reader_reads_and_changes_nothing, test_a_dropped_principal_is_out_at_once,
      test_principals_are_listed_by_name, test_open_mode_makes_everybody_root)

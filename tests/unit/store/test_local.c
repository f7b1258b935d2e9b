/* Claims about the local store: plain files inside the roots, and nothing outside them. */
#include "world.h"

static world open_rooted(fixture *f)
{
    const str root = str_c(test_path(f, "wh"));
    world w;

    EXPECT_OK(fs_make_dirs(test_path(f, "wh"), 0755, &f->err));
    w = world_open_with(f, (storage_options){.local_roots = &root, .local_root_count = 1});
    return w;
}

static str at(fixture *f, const char *path)
{
    return str_printf(f->arena, "file://%s/%s", f->dir, path);
}

static void test_an_object_is_a_plain_file_under_its_literal_name(void **context)
{
    fixture *f = *context;
    world w = open_rooted(f);
    str location = at(f, "wh/ns/t/city=New%20York/a b.parquet");
    store_object object;
    store_reader *reader;
    char *path;

    EXPECT_OK(put(&w, location, STR("hello"), &f->err));
    EXPECT_STR(test_read_file(f, test_path(f, "wh/ns/t/city=New%20York/a b.parquet")), "hello");
    EXPECT_OK(store_stat(w.storage, location, f->arena, &object, &f->err));
    assert_int_equal(object.size_bytes, 5);
    assert_true(object.modified_us > 0);
    EXPECT_STR(get(f, &w, str_slice(location, 7, location.size)), "hello"); /* as a bare path */
    EXPECT_OK(store_local_path(w.storage, location, f->arena, &path, &f->err));
    assert_true(str_ends_with(str_c(path), STR("/wh/ns/t/city=New%20York/a b.parquet")));
    EXPECT_OK(store_link(w.storage, location, f->dir, "link", f->arena, &path, &f->err));
    assert_true(str_ends_with(str_c(path), STR("/wh/ns/t/city=New%20York/a b.parquet")));
    EXPECT_OK(store_open_reader(w.storage, location, &reader, &f->err));
    assert_true(store_reader_verified(reader));
    store_reader_close(reader);
    EXPECT_OK(delete_one(&w, location, &f->err));
    world_close(&w);
    assert_false(fs_exists(test_path(f, "wh/ns/t/city=New%20York/a b.parquet")));
    assert_int_equal(file_count(f, "wh"), 0);
}

static void test_discarded_and_rolled_back_files_vanish(void **context)
{
    fixture *f = *context;
    world w = open_rooted(f);
    store_staged *staged;

    EXPECT_OK(store_stage_bytes(w.storage, at(f, "wh/a"), STR_NULL, STR("x"), &staged, &f->err));
    store_discard(w.storage, staged);
    world_close(&w);
    assert_int_equal(file_count(f, "wh"), 0);
}

static status publish_and_fail(void *context, state_txn *txn, error *err)
{
    void **both = context;
    store_staged *staged = both[1];

    TRY(store_publish(both[0], txn, &staged, 1, err));
    return error_set(err, STATUS_PRECONDITION, "told to fail");
}

static void test_replacing_waits_for_publishing_and_a_rollback_puts_the_old_file_back(
    void **context)
{
    fixture *f = *context;
    world w = open_rooted(f);
    void *both[2] = {w.storage, NULL};
    store_staged *staged;
    store_object *objects;
    size_t count;

    EXPECT_OK(put(&w, at(f, "wh/a"), STR("old"), &f->err));
    EXPECT_OK(store_stage_bytes(w.storage, at(f, "wh/a"), STR_NULL, STR("new"), &staged, &f->err));
    assert_int_equal(f->err.kind, STATUS_OK); /* that the name is taken is nothing to tell of */
    EXPECT_STR(get(f, &w, at(f, "wh/a")), "old");
    EXPECT_OK(
        store_list(w.storage, at(f, "wh/"), STR_NULL, 10, f->arena, &objects, &count, &f->err));
    assert_int_equal(count, 1); /* the waiting file is none */
    both[1] = staged;
    EXPECT_STATUS(PRECONDITION, state_submit(w.state, publish_and_fail, both, &f->err));
    EXPECT_STR(get(f, &w, at(f, "wh/a")), "old");
    EXPECT_OK(put(&w, at(f, "wh/a"), STR("newer"), &f->err));
    EXPECT_STR(get(f, &w, at(f, "wh/a")), "newer");
    world_close(&w);
    assert_int_equal(file_count(f, "wh"), 1);
}

/* Files go after the commit, behind the callers' backs: by then the path may be another's. */
static void test_what_is_put_where_something_was_deleted_stays(void **context)
{
    fixture *f = *context;
    world w = open_rooted(f);

    for (int i = 0; i < 300; i++) {
        EXPECT_OK(put(&w, at(f, "wh/a"), STR("again"), &f->err));
        EXPECT_OK(delete_one(&w, at(f, "wh/a"), &f->err));
    }
    EXPECT_OK(put(&w, at(f, "wh/a"), STR("last"), &f->err));
    world_close(&w);
    EXPECT_STR(test_read_file(f, test_path(f, "wh/a")), "last");
    assert_int_equal(file_count(f, "wh"), 1);
}

static void test_a_finished_file_is_taken_over_without_a_copy(void **context)
{
    fixture *f = *context;
    world w = open_rooted(f);
    store_staged *staged;
    struct stat before;
    struct stat after;
    char *path;

    EXPECT_OK(store_staging_path(w.storage, f->arena, &path, &f->err));
    EXPECT_OK(fs_write_file(path, noise(f, 100000, 1), 0600, &f->err));
    assert_int_equal(stat(path, &before), 0);
    EXPECT_OK(store_stage_file(w.storage, at(f, "wh/t/data/1.parquet"), STR_NULL, path, &staged,
                               &f->err));
    EXPECT_OK(store_put(w.storage, staged, &f->err));
    assert_int_equal(stat(test_path(f, "wh/t/data/1.parquet"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode & 0777, 0644);
    world_close(&w);
    assert_int_equal(file_count(f, "wh"), 1);
}

static void test_locations_outside_the_roots_are_denied_however_they_are_written(void **context)
{
    fixture *f = *context;
    world w = open_rooted(f);
    str outside = str_c(test_write_file(f, "secret", STR("secret")));
    const str bad[] = {
        outside,
        str_concat(f->arena, STR("file://"), outside),
        str_concat(f->arena, STR("file:"), outside),
        str_concat(f->arena, STR("file://localhost"), outside),
        at(f, "wh/../secret"),
        at(f, "wh/x/../../secret"),
        at(f, "wh/.."),
        at(f, "wh/link/secret"),
        at(f, "wh/file-link"),
        at(f, "wh/new/../../secret"),
        at(f, "whole/secret"),
        at(f, "wh/dangling"),
        at(f, "wh/dangling/x"),
        at(f, "data/tarn.db"),
    };

    assert_int_equal(symlink(f->dir, test_path(f, "wh/link")), 0);
    assert_int_equal(symlink(test_path(f, "secret"), test_path(f, "wh/file-link")), 0);
    assert_int_equal(symlink(test_path(f, "nowhere"), test_path(f, "wh/dangling")), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        store_staged *staged;
        store_reader *reader;
        char *path;

        EXPECT_STATUS(DENIED, store_check_location(w.storage, bad[i], &f->err));
        EXPECT_STATUS(DENIED, store_open_reader(w.storage, bad[i], &reader, &f->err));
        EXPECT_STATUS(DENIED,
                      store_stage_bytes(w.storage, bad[i], STR_NULL, STR("x"), &staged, &f->err));
        EXPECT_STATUS(DENIED, store_link(w.storage, bad[i], f->dir, "l", f->arena, &path, &f->err));
        EXPECT_STATUS(DENIED, delete_one(&w, bad[i], &f->err));
    }
    EXPECT_STATUS(INVALID, store_check_location(w.storage, STR("file:relative"), &f->err));
    EXPECT_STATUS(INVALID, store_check_location(w.storage, STR("file://host/x"), &f->err));
    EXPECT_STATUS(DENIED, store_check_location(w.storage, at(f, "wh/%2e%2e/../x"), &f->err));
    EXPECT_OK(
        store_check_location(w.storage, at(f, "wh/%2e%2e/x"), &f->err)); /* a folder of that name */
    world_close(&w);
    EXPECT_STR(test_read_file(f, test_path(f, "secret")), "secret");
    assert_false(fs_exists(test_path(f, "nowhere")));
}

static void test_without_roots_nothing_local_is_allowed(void **context)
{
    fixture *f = *context;
    world w = world_open(f);

    EXPECT_STATUS(DENIED, store_check_location(w.storage, at(f, "x"), &f->err));
    world_close(&w);
}

static void test_below_a_root_around_the_data_directory_files_are_linked_and_it_is_nobodys(
    void **context)
{
    fixture *f = *context;
    const str roots[] = {str_c(f->dir), str_c(test_path(f, "open"))};
    world w;
    const str refused[] = {
        at(f, "data"), at(f, "data/tarn.db"), at(f, "data/secrets/x"), at(f, "link/tarn.db"),
        at(f, ""),     at(f, "data/new/x")};
    store_object *objects;
    size_t count;
    char *path, *again;

    EXPECT_OK(fs_make_dirs(test_path(f, "open"), 0755, &f->err));
    EXPECT_OK(fs_make_dirs(test_path(f, "worker"), 0755, &f->err));
    w = world_open_with(f, (storage_options){.local_roots = roots, .local_root_count = 2});
    assert_true(store_root_is_shared(w.storage, roots[0]));
    assert_false(store_root_is_shared(w.storage, roots[1]));
    assert_int_equal(symlink(test_path(f, "data"), test_path(f, "link")), 0);
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        EXPECT_STATUS(DENIED, store_check_location(w.storage, refused[i], &f->err));
        EXPECT_STATUS(DENIED, store_link(w.storage, refused[i], test_path(f, "worker"), NULL,
                                         f->arena, &path, &f->err));
        EXPECT_STATUS(DENIED, store_list(w.storage, refused[i], STR_NULL, 9, f->arena, &objects,
                                         &count, &f->err));
    }
    EXPECT_OK(put(&w, at(f, "t/1"), STR("hello"), &f->err));
    EXPECT_OK(put(&w, at(f, "open/1"), STR("there"), &f->err));
    EXPECT_OK(store_link(w.storage, at(f, "t/1"), test_path(f, "worker"), NULL, f->arena, &path,
                         &f->err));
    EXPECT_OK(store_link(w.storage, at(f, "t/1"), test_path(f, "worker"), NULL, f->arena, &again,
                         &f->err));
    EXPECT_STR(str_c(path), again);
    assert_true(str_starts_with(str_c(path), str_c(test_path(f, "worker"))));
    EXPECT_OK(delete_one(&w, at(f, "t/1"), &f->err));
    EXPECT_STR(test_read_file(f, path), "hello");
    EXPECT_OK(put(&w, at(f, "t/1"), STR("other"), &f->err));
    EXPECT_OK(store_link(w.storage, at(f, "t/1"), test_path(f, "worker"), NULL, f->arena, &again,
                         &f->err));
    EXPECT_STR(test_read_file(f, again), "other");
    EXPECT_OK(store_link(w.storage, at(f, "open/1"), test_path(f, "worker"), NULL, f->arena, &path,
                         &f->err));
    assert_true(str_ends_with(str_c(path), STR("/open/1")));
    EXPECT_STATUS(NOT_FOUND, store_link(w.storage, at(f, "t/2"), test_path(f, "worker"), NULL,
                                        f->arena, &path, &f->err));
    world_close(&w);
}

static void test_listing_is_in_byte_order_of_whole_paths(void **context)
{
    fixture *f = *context;
    world w = open_rooted(f);
    const char *const names[] = {"wh/t/a-b", "wh/t/a.txt", "wh/t/a/1", "wh/t/a/2/3",
                                 "wh/t/a/4", "wh/t/a0",    "wh/t2/x"};
    store_object *objects;
    size_t count;

    for (size_t i = COUNT_OF(names); i > 0; i--) {
        EXPECT_OK(put(&w, at(f, names[i - 1]), STR("xy"), &f->err));
    }
    assert_int_equal(symlink(test_path(f, "wh/t2"), test_path(f, "wh/t/loop")), 0);
    EXPECT_OK(
        store_list(w.storage, at(f, "wh/t"), STR_NULL, 100, f->arena, &objects, &count, &f->err));
    assert_int_equal(count, COUNT_OF(names));
    for (size_t i = 0; i < count; i++) {
        assert_true(str_equal(objects[i].location, at(f, names[i])));
        assert_int_equal(objects[i].size_bytes, 2);
    }
    EXPECT_OK(store_list(w.storage, at(f, "wh/t/a"), at(f, names[2]), 2, f->arena, &objects, &count,
                         &f->err));
    assert_int_equal(count, 2);
    assert_true(str_equal(objects[0].location, at(f, names[3])));
    assert_true(str_equal(objects[1].location, at(f, names[4])));
    EXPECT_OK(
        store_list(w.storage, at(f, "wh/none/"), STR_NULL, 2, f->arena, &objects, &count, &f->err));
    assert_int_equal(count, 0);
    EXPECT_STATUS(
        DENIED, store_list(w.storage, at(f, ""), STR_NULL, 2, f->arena, &objects, &count, &f->err));
    world_close(&w);
}

TESTS(test_an_object_is_a_plain_file_under_its_literal_name,
      test_discarded_and_rolled_back_files_vanish,
      test_replacing_waits_for_publishing_and_a_rollback_puts_the_old_file_back,
      test_what_is_put_where_something_was_deleted_stays,
      test_a_finished_file_is_taken_over_without_a_copy,
      test_locations_outside_the_roots_are_denied_however_they_are_written,
      test_without_roots_nothing_local_is_allowed,
      test_below_a_root_around_the_data_directory_files_are_linked_and_it_is_nobodys,
      test_listing_is_in_byte_order_of_whole_paths)

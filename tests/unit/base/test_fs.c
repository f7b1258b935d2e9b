/* Claims about base/fs.h. Steps are made to fail by fault points, by /dev/full and by pipes. */
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/fault.h"
#include "tarn/base/fs.h"
#include "tarn/base/thread.h"

static int open_new(fixture *f, const char *name)
{
    int fd = -1;

    EXPECT_OK(fs_open(test_path(f, name), O_RDWR | O_CREAT | O_TRUNC, 0600, &fd, &f->err));
    fs_close_with(f->arena, fd);
    return fd;
}

static void arm(fixture *f, const char *spec)
{
    EXPECT_OK(fault_arm(spec, &f->err));
}

/* What a broken volume and armed points would do to the tests that follow. */
static void mend(void)
{
    fault_disarm();
    fs_volume_reset_for_tests();
}

static size_t count_files(fixture *f)
{
    str *names;
    size_t count;

    EXPECT_OK(fs_list(f->dir, f->arena, &names, &count, &f->err));
    return count;
}

static void test_bytes_come_back_as_written(void **state)
{
    fixture *f = *state;
    int fd = open_new(f, "file");
    char bytes[8];
    size_t size = 99;
    int64_t file_size;

    EXPECT_OK(fs_write_all(fd, "abcdef", 6, &f->err));
    EXPECT_OK(fs_pwrite_all(fd, "XY", 2, 2, &f->err));
    EXPECT_OK(fs_pread(fd, bytes, sizeof(bytes), 0, &size, &f->err));
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "abXYef", 6);
    EXPECT_OK(fs_pread_all(fd, bytes, 3, 3, &f->err));
    assert_memory_equal(bytes, "Yef", 3);
    EXPECT_OK(fs_read(fd, bytes, sizeof(bytes), &size, &f->err));
    assert_int_equal(size, 0); /* written to the end */
    EXPECT_OK(fs_size(fd, &file_size, &f->err));
    assert_int_equal(file_size, 6);
    EXPECT_OK(fs_stat_size(test_path(f, "file"), &file_size, &f->err));
    assert_int_equal(file_size, 6);
}

static void test_a_file_that_ends_early_is_corrupt(void **state)
{
    fixture *f = *state;
    int fd = open_new(f, "file");
    char bytes[8];

    EXPECT_OK(fs_write_all(fd, "abc", 3, &f->err));
    EXPECT_STATUS(CORRUPT, fs_pread_all(fd, bytes, 4, 1, &f->err));
    EXPECT_MESSAGE(f, "file ends at byte 3 where 4 bytes from 1 were expected");
}

static void test_opening_says_why_not(void **state)
{
    fixture *f = *state;
    int fd = 42;

    EXPECT_STATUS(NOT_FOUND, fs_open(test_path(f, "absent"), O_RDONLY, 0, &fd, &f->err));
    assert_string_equal(f->err.message,
                        arena_printf(f->arena,
                                     "could not open \"%s/absent\": No such file or "
                                     "directory",
                                     f->dir));
    (void)open_new(f, "file");
    EXPECT_STATUS(EXISTS,
                  fs_open(test_path(f, "file"), O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, &f->err));
    EXPECT_STATUS(NOT_FOUND, fs_open(test_path(f, "file/x"), O_RDONLY, 0, &fd, &f->err));
    EXPECT_STATUS(INVALID, fs_open(f->dir, O_WRONLY, 0, &fd, &f->err));
    assert_int_equal(fd, 42);
}

static void test_descriptors_do_not_reach_other_programs(void **state)
{
    fixture *f = *state;
    int lock = -1;

    assert_int_equal(fcntl(open_new(f, "file"), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_OK(fs_lock(test_path(f, "lock"), &lock, &f->err));
    assert_int_equal(fcntl(lock, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    fs_close(lock);
    fs_close(-1);
}

static void test_a_full_disk_is_no_space(void **state)
{
    fixture *f = *state;
    int fd;

    EXPECT_OK(fs_open("/dev/full", O_WRONLY, 0, &fd, &f->err));
    EXPECT_STATUS(NO_SPACE, fs_write_all(fd, "x", 1, &f->err));
    EXPECT_MESSAGE(f, "could not write file \"/dev/full\": No space left on device");
    fs_close(fd);
}

static void test_armed_writes_fail_before_a_byte_is_written(void **state)
{
    fixture *f = *state;
    int fd = open_new(f, "file");
    int64_t size;

    arm(f, "fs.write=fail:ENOSPC@2");
    EXPECT_OK(fs_write_all(fd, "abc", 3, &f->err));
    EXPECT_STATUS(NO_SPACE, fs_write_all(fd, "def", 3, &f->err));
    EXPECT_OK(fs_pwrite_all(fd, "ghi", 3, 3, &f->err));
    arm(f, "fs.write=fail");
    EXPECT_STATUS(IO, fs_pwrite_all(fd, "jkl", 3, 6, &f->err));
    mend();
    EXPECT_OK(fs_size(fd, &size, &f->err));
    assert_int_equal(size, 6);
}

static void test_long_writes_to_a_pipe_are_finished(void **state)
{
    fixture *f = *state;
    size_t size = (size_t)1 << 20;
    char *bytes = arena_alloc(f->arena, size);
    char *got = arena_alloc(f->arena, size);
    size_t got_size = 0;
    int pipe_fds[2];
    int ended;
    pid_t child;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 31 % 251);
    }
    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        (void)close(pipe_fds[0]);
        _exit(fs_write_all(pipe_fds[1], bytes, size, NULL) == STATUS_OK ? 0 : 1);
    }
    assert_true(child > 0);
    (void)close(pipe_fds[1]);
    EXPECT_OK(fs_read(pipe_fds[0], got, size, &got_size, &f->err));
    assert_int_equal(got_size, size);
    assert_memory_equal(got, bytes, size);
    (void)close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

static void test_a_file_is_read_up_to_its_limit(void **state)
{
    fixture *f = *state;
    const char *path = test_write_file(f, "file", STR("0123456789"));
    str bytes = STR("unchanged");

    EXPECT_STATUS(TOO_LARGE, fs_read_file(path, 9, f->arena, &bytes, &f->err));
    EXPECT_STR(bytes, "unchanged");
    EXPECT_OK(fs_read_file(path, 10, f->arena, &bytes, &f->err));
    EXPECT_STR(bytes, "0123456789");
    assert_int_equal(bytes.data[10], '\0');
    EXPECT_OK(fs_read_file(test_write_file(f, "empty", STR("")), 0, f->arena, &bytes, &f->err));
    EXPECT_STR(bytes, "");
    EXPECT_STATUS(INVALID, fs_read_file(f->dir, 1 << 20, f->arena, &bytes, &f->err));
    EXPECT_STATUS(NOT_FOUND, fs_read_file(test_path(f, "absent"), 10, f->arena, &bytes, &f->err));
}

static void test_files_that_lie_about_their_size_are_read_whole(void **state)
{
    fixture *f = *state;
    str bytes;

    EXPECT_OK(fs_read_file("/proc/self/status", 1 << 20, f->arena, &bytes, &f->err));
    assert_true(bytes.size > 500);
    EXPECT_STATUS(TOO_LARGE, fs_read_file("/proc/self/status", 100, f->arena, &bytes, &f->err));
}

static void test_a_file_of_many_steps_is_read_whole(void **state)
{
    fixture *f = *state;
    size_t size = 300001;
    char *bytes = arena_alloc(f->arena, size);
    str got;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 17 % 253);
    }
    (void)test_write_file(f, "file", str_from(bytes, size));
    EXPECT_OK(fs_read_file(test_path(f, "file"), 1 << 20, f->arena, &got, &f->err));
    assert_true(str_equal(got, str_from(bytes, size)));
}

static void test_write_file_replaces_the_whole(void **state)
{
    fixture *f = *state;
    const char *path = test_path(f, "file");
    struct stat info;

    EXPECT_OK(fs_write_file(path, STR("first, and longer"), 0600, &f->err));
    EXPECT_OK(fs_write_file(path, STR("second"), 0600, &f->err));
    EXPECT_STR(test_read_file(f, path), "second");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(count_files(f), 1);
}

static void test_what_a_dead_writer_left_is_removed_and_nothing_else(void **state)
{
    static const char *const gone[] = {"ID.0123456789abcdef.new", "a.json.ffffffffffffffff.new"};
    static const char *const kept[] = {"ID",
                                       "ID.new",
                                       "ID.0123456789abcde.new",
                                       "ID.0123456789abcdeg.new",
                                       "0123456789abcdef.new",
                                       "ID.0123456789abcdef.newer",
                                       "ID-0123456789abcdef.new"};
    fixture *f = *state;
    const char *folder = test_path(f, "folder");

    EXPECT_OK(fs_remove_unfinished(folder, &f->err)); /* not there */
    EXPECT_OK(fs_make_dirs(folder, 0700, &f->err));
    for (size_t i = 0; i < COUNT_OF(gone); i++) {
        EXPECT_OK(fs_write_file(fs_join(f->arena, folder, gone[i]), STR("x"), 0600, &f->err));
    }
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        EXPECT_OK(fs_write_file(fs_join(f->arena, folder, kept[i]), STR("x"), 0600, &f->err));
    }
    EXPECT_OK(fs_remove_unfinished(folder, &f->err));
    for (size_t i = 0; i < COUNT_OF(gone); i++) {
        assert_false(fs_exists(fs_join(f->arena, folder, gone[i])));
    }
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        assert_true(fs_exists(fs_join(f->arena, folder, kept[i])));
    }
}

static void test_write_file_failing_at_any_step_leaves_old_or_new(void **state)
{
    static const struct {
        const char *spec;
        const char *content; /* what is then there */
    } cases[] = {
        {"fs.write=fail:ENOSPC", "old"},
        {"fs.sync=fail", "old"},
        {"fs.link=fail", "old"},
        {"fs.sync_dir=fail", "new"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *path = test_write_file(f, "file", STR("old"));
        status written;

        arm(f, cases[i].spec);
        written = fs_write_file(path, STR("new"), 0600, &f->err);
        assert_int_equal(written, i == 0 ? STATUS_NO_SPACE : STATUS_IO);
        mend();
        EXPECT_STR(test_read_file(f, path), cases[i].content);
        assert_int_equal(count_files(f), 1);
    }
}

static void test_write_file_killed_at_any_step_leaves_old_or_new(void **state)
{
    static const struct {
        const char *spec;
        const char *content;
    } cases[] = {
        {"fs.write=kill", "old"},
        {"fs.sync=kill", "old"},
        {"fs.link=kill", "old"},
        {"fs.sync_dir=kill", "new"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *path = test_write_file(f, "file", STR("old"));
        pid_t child = fork();
        int ended;

        if (child == 0) {
            (void)fault_arm(cases[i].spec, NULL);
            (void)fs_write_file(path, STR("new"), 0600, NULL);
            _exit(0);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
        EXPECT_STR(test_read_file(f, path), cases[i].content);
    }
}

static void test_a_failed_sync_is_never_retried(void **state)
{
    fixture *f = *state;
    int fd = open_new(f, "file");

    arm(f, "fs.sync=fail:EIO@1");
    EXPECT_STATUS(IO, fs_sync(fd, &f->err));
    assert_true(fs_volume_broken());
    /* From here on a sync would succeed. It must fail, and must not even be tried. */
    EXPECT_STATUS(IO, fs_sync(fd, &f->err));
    EXPECT_MESSAGE(f, "the volume was stopped after a failed sync");
    EXPECT_STATUS(IO, fs_sync_dir(f->dir, &f->err));
    assert_int_equal(fault_passes(FAULT_FS_SYNC), 1);
    assert_int_equal(fault_passes(FAULT_FS_SYNC_DIR), 0);
    fault_disarm();
    EXPECT_STATUS(IO, fs_sync(open_new(f, "other"), &f->err));
    EXPECT_STATUS(IO, fs_write_file(test_path(f, "third"), STR("x"), 0600, &f->err));
    assert_false(fs_exists(test_path(f, "third")));
    mend();
    EXPECT_OK(fs_sync(fd, &f->err));
}

static void test_every_kind_of_sync_stops_at_a_broken_volume(void **state)
{
    fixture *f = *state;
    int fd = open_new(f, "file");

    EXPECT_OK(fs_sync_full(fd, &f->err));
    EXPECT_OK(fs_volume_check(&f->err));
    fs_volume_break(); /* as for a sync that failed elsewhere, in the database */
    EXPECT_STATUS(IO, fs_volume_check(&f->err));
    EXPECT_STATUS(IO, fs_sync(fd, &f->err));
    EXPECT_STATUS(IO, fs_sync_full(fd, &f->err));
    EXPECT_STATUS(IO, fs_sync_dir(f->dir, &f->err));
    mend();
    arm(f, "fs.sync=fail@1");
    EXPECT_STATUS(IO, fs_sync_full(fd, &f->err));
    assert_true(fs_volume_broken());
    mend();
}

static void test_a_failed_sync_of_a_folder_breaks_the_volume(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fs_sync_dir(f->dir, &f->err));
    arm(f, "fs.sync_dir=fail@1");
    EXPECT_STATUS(IO, fs_sync_dir(f->dir, &f->err));
    assert_true(fs_volume_broken());
    EXPECT_STATUS(IO, fs_sync(open_new(f, "file"), &f->err));
    mend();
}

static void test_a_sync_that_the_kernel_refuses_breaks_the_volume(void **state)
{
    fixture *f = *state;
    int pipe_fds[2];

    assert_int_equal(pipe(pipe_fds), 0);
    EXPECT_STATUS(IO, fs_sync(pipe_fds[1], &f->err)); /* pipes cannot be synced */
    assert_true(fs_volume_broken());
    mend();
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static void test_a_sync_that_finds_the_disk_full_is_io(void **state)
{
    fixture *f = *state;

    /* Nobody may take it for a refusal that changed nothing: the bytes are lost. */
    arm(f, "fs.sync=fail:ENOSPC");
    EXPECT_STATUS(IO, fs_sync(open_new(f, "file"), &f->err));
    assert_int_equal(f->err.kind, STATUS_IO);
    assert_true(fs_volume_broken());
    mend();
}

static void test_a_missing_folder_does_not_break_the_volume(void **state)
{
    fixture *f = *state;

    EXPECT_STATUS(NOT_FOUND, fs_sync_dir(test_path(f, "absent"), &f->err));
    EXPECT_STATUS(NOT_FOUND, fs_sync_dir(test_write_file(f, "file", STR("")), &f->err));
    assert_false(fs_volume_broken());
}

typedef struct slow_sync {
    int fd;
    status result;
} slow_sync;

static void sync_slowly(void *context)
{
    slow_sync *s = context;

    s->result = fs_sync(s->fd, NULL);
}

static void test_a_sync_under_way_while_another_fails_does_not_count(void **state)
{
    fixture *f = *state;
    slow_sync slow = {.fd = open_new(f, "slow"), .result = STATUS_OK};
    thread t = {0};

    arm(f, "fs.sync=delay:200@1,fs.sync=fail@2");
    EXPECT_OK(thread_start(&t, "slow", sync_slowly, &slow, &f->err));
    while (fault_passes(FAULT_FS_SYNC) == 0) {
        /* until the other is between its check and its sync */
    }
    EXPECT_STATUS(IO, fs_sync(open_new(f, "fast"), &f->err));
    thread_join(&t);
    assert_int_equal(slow.result, STATUS_IO);
    mend();
}

static void test_folders_are_made_with_their_parents(void **state)
{
    fixture *f = *state;
    struct stat info;

    EXPECT_OK(fs_make_dirs(test_path(f, "a//b/c/"), 0700, &f->err));
    EXPECT_OK(fs_make_dirs(test_path(f, "a/b/c"), 0700, &f->err));
    assert_int_equal(stat(test_path(f, "a/b/c"), &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    assert_int_equal(info.st_mode & 0777, 0700);
    EXPECT_OK(fs_make_dirs("/", 0700, &f->err));
    EXPECT_OK(fs_make_dirs(".", 0700, &f->err));
    EXPECT_STATUS(INVALID, fs_make_dirs("", 0700, &f->err));
    (void)test_write_file(f, "file", STR(""));
    EXPECT_STATUS(EXISTS, fs_make_dirs(test_path(f, "file"), 0700, &f->err));
    EXPECT_STATUS(EXISTS, fs_make_dirs(test_path(f, "file/x"), 0700, &f->err));
}

static void test_relative_folders_are_made_below_the_working_folder(void **state)
{
    fixture *f = *state;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(before >= 0);
    assert_int_equal(chdir(f->dir), 0);
    arm(f, "fs.sync_dir=delay:0");
    EXPECT_OK(fs_make_dirs_synced("r/s/t", 0700, &f->err));
    assert_int_equal(fault_passes(FAULT_FS_SYNC_DIR), 3);
    mend();
    assert_int_equal(fchdir(before), 0);
    (void)close(before);
    assert_true(fs_exists(test_path(f, "r/s/t")));
}

static void test_synced_folders_sync_the_parents_of_new_ones_only(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fs_make_dirs(test_path(f, "a"), 0700, &f->err));
    arm(f, "fs.sync_dir=delay:0");
    EXPECT_OK(fs_make_dirs(test_path(f, "a/plain"), 0700, &f->err));
    assert_int_equal(fault_passes(FAULT_FS_SYNC_DIR), 0);
    EXPECT_OK(fs_make_dirs_synced(test_path(f, "a/b/c"), 0700, &f->err));
    assert_int_equal(fault_passes(FAULT_FS_SYNC_DIR), 2);
    EXPECT_OK(fs_make_dirs_synced(test_path(f, "a/b/c"), 0700, &f->err));
    assert_int_equal(fault_passes(FAULT_FS_SYNC_DIR), 2);
    mend();
}

/* A sync opens the folder: the watch on "a" sees that of "a" itself and that of "b" below it. */
static void test_the_folders_that_hold_new_names_are_the_ones_synced(void **state)
{
    fixture *f = *state;
    char events[4096] __attribute__((aligned(8)));
    bool itself = false;
    bool child = false;
    ssize_t size;
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    assert_true(watch >= 0);
    EXPECT_OK(fs_make_dirs(test_path(f, "a"), 0700, &f->err));
    assert_true(inotify_add_watch(watch, test_path(f, "a"), IN_OPEN) >= 0);
    EXPECT_OK(fs_make_dirs_synced(test_path(f, "a/b/c"), 0700, &f->err));
    size = read(watch, events, sizeof(events));
    for (ssize_t at = 0; at < size;) {
        struct inotify_event event;

        memcpy(&event, events + at, sizeof(event));
        itself = itself || event.len == 0;
        child = child || (event.len > 0 && str_equal(str_c(events + at + sizeof(event)), STR("b")));
        at += (ssize_t)(sizeof(event) + event.len);
    }
    (void)close(watch);
    assert_true(itself);
    assert_true(child);
}

static void test_links_never_replace(void **state)
{
    fixture *f = *state;
    const char *from = test_write_file(f, "from", STR("x"));
    const char *to = test_path(f, "to");

    EXPECT_OK(fs_link(from, to, &f->err));
    EXPECT_STATUS(EXISTS, fs_link(from, to, &f->err));
    EXPECT_STATUS(NOT_FOUND, fs_link(test_path(f, "absent"), test_path(f, "y"), &f->err));
    EXPECT_OK(fs_rename(from, to, &f->err)); /* the same file under both names: both stay */
    EXPECT_OK(fs_rename(test_write_file(f, "new", STR("new")), to, &f->err));
    EXPECT_STR(test_read_file(f, to), "new");
    arm(f, "fs.link=fail");
    EXPECT_STATUS(IO, fs_link(to, test_path(f, "z"), &f->err));
    assert_false(fs_exists(test_path(f, "z")));
    mend();
}

static void test_removing_what_is_absent_is_fine(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fs_remove(test_path(f, "absent"), &f->err));
    EXPECT_OK(fs_remove_tree(test_path(f, "absent"), &f->err));
    EXPECT_OK(fs_remove(test_write_file(f, "file", STR("")), &f->err));
    assert_false(fs_exists(test_path(f, "file")));
}

static void test_a_tree_goes_but_what_it_links_to_stays(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fs_make_dirs(test_path(f, "tree/a/b"), 0700, &f->err));
    EXPECT_OK(fs_make_dirs(test_path(f, "outside"), 0700, &f->err));
    (void)test_write_file(f, "outside/file", STR("keep"));
    (void)test_write_file(f, "tree/a/b/file", STR("go"));
    assert_int_equal(symlink(test_path(f, "outside"), test_path(f, "tree/a/link")), 0);
    EXPECT_OK(fs_remove_tree(test_path(f, "tree"), &f->err));
    assert_false(fs_exists(test_path(f, "tree")));
    EXPECT_STR(test_read_file(f, test_path(f, "outside/file")), "keep");
    assert_int_equal(symlink(test_path(f, "outside"), test_path(f, "link")), 0);
    EXPECT_OK(fs_remove_tree(test_path(f, "link"), &f->err)); /* a link alone goes alone */
    assert_true(fs_exists(test_path(f, "outside/file")));
}

static void test_listing_is_sorted_by_bytes(void **state)
{
    fixture *f = *state;
    str *names = NULL;
    size_t count = 42;

    EXPECT_OK(fs_list(f->dir, f->arena, &names, &count, &f->err));
    assert_int_equal(count, 0);
    (void)test_write_file(f, "b", STR(""));
    (void)test_write_file(f, "a2", STR(""));
    (void)test_write_file(f, "a", STR(""));
    (void)test_write_file(f, "B", STR(""));
    (void)test_write_file(f, ".hidden", STR(""));
    EXPECT_OK(fs_list(f->dir, f->arena, &names, &count, &f->err));
    assert_int_equal(count, 5);
    EXPECT_STR(names[0], ".hidden");
    EXPECT_STR(names[1], "B");
    EXPECT_STR(names[2], "a");
    EXPECT_STR(names[3], "a2");
    EXPECT_STR(names[4], "b");
    EXPECT_STATUS(NOT_FOUND, fs_list(test_path(f, "absent"), f->arena, &names, &count, &f->err));
    EXPECT_STATUS(NOT_FOUND, fs_list(test_path(f, "b"), f->arena, &names, &count, &f->err));
}

static void test_attributes_come_back_whole(void **state)
{
    fixture *f = *state;
    int fd = open_new(f, "file");
    const char *path = test_path(f, "file");
    str value = STR("unchanged");
    status set = fs_set_xattr(fd, "user.tarn", STR("a\0b"), &f->err);

    if (set == STATUS_UNSUPPORTED) {
        return; /* a file system without attributes; saying so is all that can be claimed */
    }
    EXPECT_STATUS(NOT_FOUND, fs_get_xattr(path, "user.other", f->arena, &value, &f->err));
    EXPECT_STR(value, "unchanged");
    EXPECT_OK(fs_get_xattr(path, "user.tarn", f->arena, &value, &f->err));
    assert_int_equal(value.size, 3);
    assert_memory_equal(value.data, "a\0b", 3);
    EXPECT_OK(fs_set_xattr(fd, "user.tarn", STR(""), &f->err));
    EXPECT_OK(fs_get_xattr(path, "user.tarn", f->arena, &value, &f->err));
    assert_int_equal(value.size, 0);
    EXPECT_STATUS(NOT_FOUND,
                  fs_get_xattr(test_path(f, "absent"), "user.tarn", f->arena, &value, &f->err));
}

static void test_a_lock_is_exclusive_until_it_is_closed(void **state)
{
    fixture *f = *state;
    const char *path = test_path(f, "lock");
    int first;
    int second = 42;

    EXPECT_OK(fs_lock(path, &first, &f->err));
    EXPECT_STATUS(BUSY, fs_lock(path, &second, &f->err));
    assert_int_equal(second, 42);
    fs_close(first);
    EXPECT_OK(fs_lock(path, &second, &f->err));
    fs_close(second);
}

static void test_paths_are_joined_by_one_slash(void **state)
{
    fixture *f = *state;

    assert_string_equal(fs_join(f->arena, "a", "b"), "a/b");
    assert_string_equal(fs_join(f->arena, "a/", "b"), "a/b");
    assert_string_equal(fs_join(f->arena, "/", "b"), "/b");
    assert_string_equal(fs_join(f->arena, "", "b"), "b");
}

static void test_free_space_is_known_where_the_folder_is(void **state)
{
    fixture *f = *state;

    assert_true(fs_free_bytes(f->dir) >= 0);
    assert_true(fs_free_bytes(test_path(f, "absent")) == -1);
}

TESTS(test_what_a_dead_writer_left_is_removed_and_nothing_else, test_bytes_come_back_as_written,
      test_a_file_that_ends_early_is_corrupt, test_opening_says_why_not,
      test_descriptors_do_not_reach_other_programs, test_a_full_disk_is_no_space,
      test_armed_writes_fail_before_a_byte_is_written, test_long_writes_to_a_pipe_are_finished,
      test_a_file_is_read_up_to_its_limit, test_files_that_lie_about_their_size_are_read_whole,
      test_a_file_of_many_steps_is_read_whole, test_write_file_replaces_the_whole,
      test_write_file_failing_at_any_step_leaves_old_or_new,
      test_write_file_killed_at_any_step_leaves_old_or_new, test_a_failed_sync_is_never_retried,
      test_every_kind_of_sync_stops_at_a_broken_volume,
      test_a_failed_sync_of_a_folder_breaks_the_volume,
      test_a_sync_that_the_kernel_refuses_breaks_the_volume,
      test_a_sync_that_finds_the_disk_full_is_io, test_a_missing_folder_does_not_break_the_volume,
      test_a_sync_under_way_while_another_fails_does_not_count,
      test_folders_are_made_with_their_parents,
      test_relative_folders_are_made_below_the_working_folder,
      test_synced_folders_sync_the_parents_of_new_ones_only,
      test_the_folders_that_hold_new_names_are_the_ones_synced, test_links_never_replace,
      test_removing_what_is_absent_is_fine, test_a_tree_goes_but_what_it_links_to_stays,
      test_listing_is_sorted_by_bytes, test_attributes_come_back_whole,
      test_a_lock_is_exclusive_until_it_is_closed, test_paths_are_joined_by_one_slash,
      test_free_space_is_known_where_the_folder_is)

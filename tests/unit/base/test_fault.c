/* Claims about base/fault.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"
#include "tarn/base/clock.h"
#include "tarn/base/fault.h"
#include "tarn/base/log.h"

static void test_nothing_is_armed_at_first(void **state)
{
    fixture *f = *state;

    assert_int_equal(fault_armed, 0);
    EXPECT_OK(FAULT(FAULT_FS_SYNC, &f->err));
    assert_int_equal(fault_passes(FAULT_FS_SYNC), 0);
}

static void test_fail_names_its_point(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fault_arm("fs.write=fail", &f->err));
    EXPECT_STATUS(IO, FAULT(FAULT_FS_WRITE, &f->err));
    EXPECT_MESSAGE(f, "fault point \"fs.write\": Input/output error");
    EXPECT_OK(FAULT(FAULT_FS_SYNC, &f->err));
    fault_disarm();
    EXPECT_OK(FAULT(FAULT_FS_WRITE, &f->err));
}

static void test_fail_takes_the_error_named(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fault_arm("fs.write=fail:ENOSPC, fs.link=fail:EMFILE", &f->err));
    EXPECT_STATUS(NO_SPACE, FAULT(FAULT_FS_WRITE, &f->err));
    EXPECT_STATUS(BUSY, FAULT(FAULT_FS_LINK, &f->err));
    fault_disarm();
}

static void test_only_the_nth_pass_fails(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fault_arm("state.begin=fail@3", &f->err));
    for (int pass = 1; pass <= 5; pass++) {
        assert_int_equal(FAULT(FAULT_STATE_BEGIN, NULL), pass == 3 ? STATUS_IO : STATUS_OK);
    }
    assert_int_equal(fault_passes(FAULT_STATE_BEGIN), 5);
    EXPECT_OK(fault_arm("state.begin=fail@1", &f->err)); /* counting begins again */
    assert_int_equal(FAULT(FAULT_STATE_BEGIN, NULL), STATUS_IO);
    fault_disarm();
}

static void test_one_point_may_have_several_rules(void **state)
{
    fixture *f = *state;

    EXPECT_OK(fault_arm("fs.sync=fail@1,fs.sync=fail:ENOSPC@3", &f->err));
    EXPECT_STATUS(IO, FAULT(FAULT_FS_SYNC, &f->err));
    EXPECT_OK(FAULT(FAULT_FS_SYNC, &f->err));
    EXPECT_STATUS(NO_SPACE, FAULT(FAULT_FS_SYNC, &f->err));
    fault_disarm();
}

static void test_delay_waits(void **state)
{
    fixture *f = *state;
    int64_t before = clock_mono_ns();

    EXPECT_OK(fault_arm("fs.sync=delay:5", &f->err));
    EXPECT_OK(FAULT(FAULT_FS_SYNC, &f->err));
    assert_true(clock_mono_ns() - before >= 5000000);
    fault_disarm();
}

static void test_bad_specifications_name_what_is_wrong(void **state)
{
    static const struct {
        const char *spec;
        const char *message;
    } cases[] = {
        {"fs.sync", "fault \"fs.sync\" is not of the form name=action"},
        {"fs.snyc=fail", "unknown fault point \"fs.snyc\""},
        {"fs.sync=fial", "unknown fault action \"fial\""},
        {"fs.sync=fail:EFOO", "unknown fault error \"EFOO\""},
        {"fs.sync=fail:", "unknown fault error \"\""},
        {"fs.sync=delay", "fault delay \"\" is not a number from 0 to 3600000"},
        {"fs.sync=delay:x", "fault delay \"x\" is not a number from 0 to 3600000"},
        {"fs.sync=kill:9", "fault action \"kill\" takes no argument"},
        {"fs.sync=kill%101", "fault percentage \"101\" is not a number from 0 to 100"},
        {"fs.sync=kill@0", "fault pass \"0\" is not a number from 1 to 9223372036854775807"},
        {"fs.sync=kill@", "fault pass \"\" is not a number from 1 to 9223372036854775807"},
    };
    fixture *f = *state;

    EXPECT_OK(fault_arm("fs.write=fail", &f->err));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_STATUS(INVALID, fault_arm(cases[i].spec, &f->err));
        EXPECT_MESSAGE(f, cases[i].message);
    }
    EXPECT_STATUS(INVALID, fault_arm("fs.snyc=fail", &f->err));
    EXPECT_HINT(f, "Did you mean \"fs.sync\"?");
    EXPECT_STATUS(INVALID, fault_arm("fs.sync=delay:1,fs.sync=x", &f->err));
    assert_int_equal(fault_armed, 1); /* what was armed still is */
    EXPECT_STATUS(IO, FAULT(FAULT_FS_WRITE, &f->err));
    EXPECT_OK(fault_arm("", &f->err));
    assert_int_equal(fault_armed, 0);
}

static void test_every_point_can_be_armed_by_its_name(void **state)
{
    fixture *f = *state;

    for (int point = 0; point < FAULT_COUNT; point++) {
        const char *name = fault_name((fault_point)point);

        EXPECT_OK(fault_arm(arena_printf(f->arena, "%s=fail", name), &f->err));
        EXPECT_STATUS(IO, fault_hit((fault_point)point, &f->err));
    }
    fault_disarm();
}

/* How many passes a process makes before it is killed; -1 where it is not. */
static int passes_before_death(const char *spec, const char *seed)
{
    int pipe_fds[2];
    int ended;
    int count = 0;
    char byte;
    pid_t child;

    assert_int_equal(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        (void)setenv("TARN_FAULT_SEED", seed, 1);
        if (fault_arm(spec, NULL) == STATUS_OK) {
            for (int i = 0; i < 500 && FAULT(FAULT_COMMIT_DATA, NULL) == STATUS_OK; i++) {
                (void)!write(pipe_fds[1], "x", 1);
            }
        }
        _exit(0);
    }
    assert_true(child > 0);
    (void)close(pipe_fds[1]);
    while (read(pipe_fds[0], &byte, 1) == 1) {
        count++;
    }
    (void)close(pipe_fds[0]);
    assert_int_equal(waitpid(child, &ended, 0), child);
    return WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL ? count : -1;
}

static void test_kill_kills_on_its_pass(void **state)
{
    (void)state;
    assert_int_equal(passes_before_death("commit.data=kill@3", "1"), 2);
    assert_int_equal(passes_before_death("commit.data=kill", "1"), 0);
    assert_int_equal(passes_before_death("commit.data=delay:0", "1"), -1);
}

static void test_the_same_seed_kills_at_the_same_pass(void **state)
{
    int first = passes_before_death("commit.data=kill%2", "77");
    int others = 0;

    (void)state;
    assert_true(first >= 0);
    assert_int_equal(passes_before_death("commit.data=kill%2", "77"), first);
    for (int seed = 0; seed < 5; seed++) {
        char text[8];

        (void)snprintf(text, sizeof(text), "%d", seed);
        others += passes_before_death("commit.data=kill%2", text) != first ? 1 : 0;
    }
    assert_true(others > 0);
    assert_int_equal(passes_before_death("commit.data=kill%0", "77"), -1);
    assert_int_equal(passes_before_death("commit.data=kill%100", "77"), 0);
}

static void test_the_environment_arms_only_where_it_is_allowed(void **state)
{
    fixture *f = *state;

    log_configure(LOG_OFF, LOG_TEXT, STDERR_FILENO);
    (void)unsetenv("TARN_FAULT_ALLOW");
    (void)setenv("TARN_FAULT", "fs.sync=fail", 1);
    EXPECT_OK(fault_arm_from_environment(&f->err));
    assert_int_equal(fault_armed, 0);
    (void)setenv("TARN_FAULT_ALLOW", "yes", 1);
    EXPECT_OK(fault_arm_from_environment(&f->err));
    assert_int_equal(fault_armed, 0);
    (void)setenv("TARN_FAULT_ALLOW", "1", 1);
    EXPECT_OK(fault_arm_from_environment(&f->err));
    assert_int_equal(fault_armed, 1);
    (void)setenv("TARN_FAULT", "nonsense", 1);
    EXPECT_STATUS(INVALID, fault_arm_from_environment(&f->err));
    (void)setenv("TARN_FAULT", "fs.sync=fail", 1);
    (void)setenv("TARN_FAULT_SEED", "-1", 1);
    EXPECT_STATUS(INVALID, fault_arm_from_environment(&f->err));
    (void)unsetenv("TARN_FAULT_SEED");
    (void)unsetenv("TARN_FAULT");
    fault_disarm();
    EXPECT_OK(fault_arm_from_environment(&f->err));
    assert_int_equal(fault_armed, 0);
    log_configure(LOG_INFO, LOG_TEXT, STDERR_FILENO);
}

TESTS(test_nothing_is_armed_at_first, test_fail_names_its_point, test_fail_takes_the_error_named,
      test_only_the_nth_pass_fails, test_one_point_may_have_several_rules, test_delay_waits,
      test_bad_specifications_name_what_is_wrong, test_every_point_can_be_armed_by_its_name,
      test_kill_kills_on_its_pass, test_the_same_seed_kills_at_the_same_pass,
      test_the_environment_arms_only_where_it_is_allowed)

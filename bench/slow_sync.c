/* slow_sync.c: the two syncs of the C library, made to last at least as long as on a slower disk. They stand in the
 * program, so the libraries that it is linked with call them as well: product and baseline, SQLite included, wait
 * alike. Syncs that run at the same time wait at the same time, as a disk with a write cache lets them. */
#include "slow_sync.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tarn/base/clock.h"

static _Atomic int64_t least_us;
static _Atomic int64_t calls;

void slow_sync_set(int64_t sync_us)
{
    least_us = sync_us;
}

int64_t slow_sync_calls(void)
{
    return calls;
}

static int sync_slowly(long number, int fd)
{
    int64_t until_ns = clock_mono_ns() + least_us * 1000;
    int result = (int)syscall(number, fd);
    int64_t left_ns = until_ns - clock_mono_ns();

    calls++;
    if (left_ns > 0) {
        const struct timespec wait = {.tv_sec = left_ns / 1000000000,
                                      .tv_nsec = left_ns % 1000000000};
        (void)nanosleep(&wait, NULL);
    }
    return result;
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    return sync_slowly(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    return sync_slowly(SYS_fdatasync, fd);
}

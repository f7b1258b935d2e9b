/* slow_sync.h: syncs that last at least so long, in a program that is linked with slow_sync.c. */
#ifndef TARN_BENCH_SLOW_SYNC_H
#define TARN_BENCH_SLOW_SYNC_H

#include <stdint.h>

void slow_sync_set(int64_t sync_us); /* 0: as the disk is */
int64_t slow_sync_calls(void);       /* since the program started */

#endif

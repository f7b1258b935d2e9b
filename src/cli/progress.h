/* progress.h: how far something is, on stderr, by a thread of its own: the work only counts. */
#ifndef TARN_CLI_PROGRESS_H
#define TARN_CLI_PROGRESS_H

#include "context.h"
#include "tarn/base/thread.h"

typedef struct progress {
    progress_mode mode;
    const char *_Atomic phase; /* "sending": static text */
    _Atomic int64_t done;
    _Atomic int64_t rows;
    int64_t total;          /* bytes; 0: unknown */
    int64_t begin_after_ms; /* what is quicker needs no line; 0: a third of a second */
    int64_t started_ms;
    mutex lock;
    cond stopped;
    bool stop;
    void *thread;
} progress;

/* Does nothing where none is wanted. */
void progress_start(cli *c, progress *p, const char *phase, int64_t total_bytes);
/* Takes the line off the terminal. Again, or without a start: nothing. */
void progress_stop(progress *p);

#endif

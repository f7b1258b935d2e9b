/* fault.h: named points where a test makes tarn fail, wait or die.
 *
 * A point is one row of FAULT_TABLE and one FAULT(name) in the code. They cost one load when
 * nothing is armed and are in every build: what is tested is what is shipped. Armed by the
 * environment TARN_FAULT="name=action[:argument][@nth],…" at start, only where TARN_FAULT_ALLOW=1
 * is set too:
 *   fail[:errno-name]   the step fails (ENOSPC, EIO; default EIO)
 *   delay:ms            the step waits
 *   kill                the process dies by SIGKILL
 * @n: on the n-th pass only (1 is the first); without it on every pass. kill%p: with probability p
 * percent, from a generator seeded by TARN_FAULT_SEED (the kernel's randomness where that is not
 * set); fail%p and delay%p too: action[:argument][%p][@n]. Passes are counted from arming; delay:0
 * does nothing but count. */
#ifndef TARN_BASE_FAULT_H
#define TARN_BASE_FAULT_H

#include "tarn/base/error.h"

/*  name                        where it sits */
#define FAULT_TABLE(X)                                                                        \
    X(FS_WRITE, "fs.write", "before bytes are written to a file")                             \
    X(FS_SYNC, "fs.sync", "before a file is synced")                                          \
    X(FS_SYNC_DIR, "fs.sync_dir", "before a folder is synced")                                \
    X(FS_LINK, "fs.link", "before a staged file gets its name")                               \
    X(STORE_STAGED, "store.staged", "a blob is durable, no row names it yet")                 \
    X(STORE_APPENDED, "store.appended", "a small object is written to a segment, not synced") \
    X(STORE_COMPACTED, "store.compacted", "records of a segment are copied, no row follows")  \
    X(UPLOAD_PART, "upload.part", "a part is durable, no row names it yet")                   \
    X(UPLOAD_JOINED, "upload.joined", "parts are one durable file, the object not visible")   \
    X(STATE_BEGIN, "state.begin", "before a group of submissions starts")                     \
    X(STATE_APPLIED, "state.applied", "submissions applied, group not committed")             \
    X(STATE_COMMITTED, "state.committed", "group durable, nobody told yet")                   \
    X(COMMIT_DATA, "commit.data", "data files staged, before metadata")                       \
    X(COMMIT_METADATA, "commit.metadata", "metadata staged, pointer not moved")               \
    X(COMMIT_DONE, "commit.done", "pointer moved, caller not told")                           \
    X(TXN_STAGED, "txn.staged", "a transaction has staged all, and is about to commit")       \
    X(TXN_DONE, "txn.done", "a transaction is committed, caller not told")                    \
    X(INGEST_RECEIVED, "ingest.received", "body received, not written as a table file")       \
    X(WORKER_START, "worker.start", "a worker is about to lock itself in")                    \
    X(WORKER_RUN, "worker.run", "a worker is about to run a statement")

typedef enum fault_point {
#define X(name, ...) FAULT_##name,
    FAULT_TABLE(X)
#undef X
        FAULT_COUNT
} fault_point;

extern _Atomic int fault_armed; /* how many points are armed */

/* Acts as armed. IO or NO_SPACE with a message naming the point where the action is "fail". */
status fault_hit(fault_point point, error *err);
#define FAULT(point, err) (fault_armed != 0 ? fault_hit((point), (err)) : STATUS_OK)

/* Parses the syntax above and puts it in place of what was armed. INVALID naming what is wrong;
 * then nothing changes. */
status fault_arm(const char *spec, error *err);
void fault_disarm(void);
/* From the environment. Called once by main. */
status fault_arm_from_environment(error *err);
/* Passes since arming, for tests. */
long fault_passes(fault_point point);
const char *fault_name(fault_point point);

#endif

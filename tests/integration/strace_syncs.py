#!/usr/bin/env python3
"""What is acknowledged was synced before, seen from the system calls: with one writer everything that a commit
wrote is clean when its answer leaves; with 32 writers there are fewer syncs than commits and still each answer
comes after a sync of the database that began after its request."""
# timeout: 120
# labels: slow
# without: sanitizers
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import syscalls  # noqa: E402
from tarn import Server, at_most, check, equal, main, test  # noqa: E402

CALLS = ("fsync", "fdatasync", "sync_file_range", "write", "pwrite64", "writev", "pwritev", "sendto", "sendmsg",
         "link", "linkat", "rename", "renameat", "renameat2", "copy_file_range", "fsetxattr", "ftruncate")
WRITES = ("write", "pwrite64", "writev", "pwritev", "copy_file_range", "fsetxattr", "ftruncate")
SYNCS = ("fsync", "fdatasync")


def traced(work):
    """Runs work(server) under strace; the calls and what work returned."""
    with Server(start=False) as server:
        trace = os.path.join(server.work, "trace")
        server.wrap = syscalls.command(trace, CALLS)
        server.start()
        server.query("CREATE TABLE t (w BIGINT, n BIGINT)")
        server.query("INSERT INTO t VALUES (0, 0)")
        result = work(server)
        data, wal = server.data, os.path.join(server.data, "tarn.db-wal")
        equal(server.stop(), 0)
        return syscalls.read(trace), result, data, wal


def is_answer(call):
    return call.name in ("sendto", "sendmsg", "writev", "write") and "HTTP/1.1 200" in call.arguments


@test
def one_writer_s_answers_leave_a_clean_disk():
    count = 12

    def work(server):
        begun = time.time()
        with server.client() as client:
            for n in range(count):
                client.ingest("t", [{"w": 1, "n": n}])
                client.query(f"INSERT INTO t VALUES (2, {n})")
        return begun, time.time()

    calls, (begun, ended), data, wal = traced(work)
    blobs = os.path.join(data, "blobs")
    dirty, links, answers, problems = {}, {}, 0, []
    for call in calls:
        if call.name in SYNCS and call.result == 0:
            # Only what was written before the sync began is on the disk.
            for path in [p for p, when in dirty.items() if p == call.path and when <= call.begin]:
                del dirty[path]
            for folder in [f for f, when in links.items() if f == call.path and when <= call.begin]:
                del links[folder]
        elif call.name in WRITES and call.result is not None and call.result >= 0 and not is_answer(call):
            if call.path.startswith(data):
                dirty[call.path] = call.end
        if call.name.startswith(("link", "rename")) and call.result == 0:
            source, target = call.texts[0], call.texts[-1]
            if target.startswith(blobs):
                if source in dirty:  # the same file by its new name
                    dirty[target] = dirty.pop(source)
                links[os.path.dirname(target)] = call.end
        if is_answer(call) and begun <= call.begin <= ended:
            answers += 1
            if wal in dirty:
                problems.append(f"answered while the database was not synced: {call}")
            waiting = [f for f in links if f.startswith(blobs)]
            if waiting:
                problems.append(f"answered while the folders {waiting} were not synced: {call}")
            loose = [f for f in dirty if f.startswith(blobs)]
            if loose:
                problems.append(f"answered while blobs were not synced: {loose}")
    check(answers >= 2 * count, f"only {answers} answers were seen in the trace")
    check(any(c.path == wal and c.name in SYNCS for c in calls), "the trace has no sync of the database")
    check(any(c.name.startswith("link") and c.texts[-1].startswith(blobs) for c in calls),
          "the trace has no link into blobs/")
    check(not problems, "; ".join(problems[:5]))


@test
def thirty_two_writers_share_syncs():
    writers, each = 32, 6

    def work(server):
        spans, failures = [], []
        barrier = threading.Barrier(writers)

        def write(writer):
            try:
                with server.client() as client:
                    client.query("SELECT 1")
                    barrier.wait(at_most(60))
                    for n in range(each):
                        begun = time.time()
                        client.ingest("t", [{"w": 100 + writer, "n": n}])
                        spans.append((begun, time.time()))
            except Exception as error:  # told below, by the main thread
                failures.append(error)

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(at_most(100))
        check(not failures, str(failures[:3]))
        equal(int(server.value("SELECT count(*) FROM t WHERE w >= 100")), writers * each)
        equal(int(server.value("SELECT count(*) FROM (SELECT DISTINCT w, n FROM t WHERE w >= 100)")), writers * each)
        snapshots = len(server.request("GET", "/api/v1/namespaces/main/tables/t/snapshots").ok().json["snapshots"])
        return spans, snapshots, server.metrics()

    calls, (spans, snapshots, metrics), _, wal = traced(work)
    first, last = min(s[0] for s in spans), max(s[1] for s in spans)
    syncs = [c for c in calls if c.name in SYNCS and c.path == wal and c.result == 0 and first <= c.begin <= last]
    commits = len(spans)
    print(f"{commits} commits acknowledged, {len(syncs)} syncs of the database, {snapshots} snapshots,"
          f" {int(metrics['tarn_table_merged_appends_total'])} appends merged")
    check(len(syncs) < commits, f"{len(syncs)} syncs of the database for {commits} commits")
    unsynced = [span for span in spans if not any(c.begin >= span[0] and c.end <= span[1] for c in syncs)]
    check(not unsynced, f"{len(unsynced)} of {commits} answers without a sync between request and answer")


main()

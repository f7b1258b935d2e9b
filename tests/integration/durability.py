#!/usr/bin/env python3
"""kill -9 in every phase of a commit, and from outside at any moment, while rows are inserted, ingested, loaded,
deleted and tables are created: nothing acknowledged is lost, nothing is there twice, nothing is there by half, nothing
that was deleted comes back. A failed sync stops the server and is never followed by an acknowledgement.

TARN_LONG=1 runs 220 cycles instead of what fits into half a minute."""
# timeout: 120
# labels: slow
import collections
import http.client
import os
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import LONG, SANITIZED, Failed, Server, TarnError, at_most, check, contains, equal, main, seed, test  # noqa: E402

CYCLES = 220 if LONG else 56
QUICK_S = 75 if SANITIZED else 25
# Fault points of base/fault.h, and at which pass one may die so that most cycles die at work and some at the start.
POINTS = {
    "fs.write": 60, "fs.sync": 40, "fs.sync_dir": 10, "fs.link": 8, "store.staged": 6, "state.begin": 9,
    "state.applied": 6, "state.committed": 6, "commit.data": 3, "commit.metadata": 3, "commit.done": 3,
    "ingest.received": 3, "worker.start": 2, "worker.run": 6,
}
LOST = (OSError, http.client.HTTPException)


class Book:
    """What was sent, what was acknowledged, what was refused: one row a batch, id -> (count, sum)."""

    def __init__(self, random):
        self.random, self.lock = random, threading.Lock()
        self.next = 1
        self.sent, self.acknowledged, self.refused, self.kind = {}, set(), {}, {}
        self.deleted = set()  # batches whose rows under the negative number were deleted, and it was told
        self.tables_seen = set()

    def new(self, kind):
        with self.lock:
            batch = self.next
            self.next += 1
            count = self.random.choice((1, 2, 7, 40))
            self.sent[batch] = (count, sum(batch * 1000 + i for i in range(count)))
            self.kind[batch] = kind
            return batch, count


def insert(client, batch, count):
    client.query(f"INSERT INTO d SELECT {batch}, {batch} * 1000 + range FROM range({count})")


def insert_values(client, batch, count):
    client.query("INSERT INTO d VALUES " + ", ".join(f"({batch}, {batch * 1000 + i})" for i in range(count)))


def ingest(client, batch, count):
    client.ingest("d", [{"batch": batch, "v": batch * 1000 + i} for i in range(count)])


def load(client, batch, count):
    begun = client.request("POST", "/api/v1/loads", {}).ok().json["id"]
    for number in range(2):
        text = "batch,v\n" + "".join(f"{batch},{batch * 1000 + i}\n" for i in range(number, count, 2))
        client.request("PUT", f"/api/v1/loads/{begun}/files/{number}?name=f{number}.csv", text).ok()
    client.request("POST", f"/api/v1/loads/{begun}/commit",
                   {"table": "d", "format": "csv", "columns": "batch:bigint,v:bigint"}).ok()


def create(client, batch, count):
    client.query(f"CREATE TABLE t{batch} AS SELECT {batch}::BIGINT AS batch, {batch} * 1000 + range AS v"
                 f" FROM range({count})")


def insert_and_delete(client, batch, count):
    """The batch and, in the same file, as many rows that are then deleted. True where that was told."""
    client.query(f"INSERT INTO d SELECT sign * {batch}, {batch} * 1000 + range FROM range({count}), (VALUES (1), (-1)) s(sign)")
    try:
        client.query(f"DELETE FROM d WHERE batch = -{batch}")
        return True
    except TarnError:
        return False  # then they stay, all of them


WRITERS = (insert, insert_values, ingest, ingest, load, create, insert_and_delete)


def write(server, book, kind, until):
    """One writer, until the server is gone or the time is up."""
    try:
        with server.client() as client:
            while time.monotonic() < until:
                batch, count = book.new(kind.__name__)
                try:
                    if kind(client, batch, count) is True:
                        book.deleted.add(batch)
                    book.acknowledged.add(batch)
                except TarnError as error:
                    book.refused[batch] = str(error)
    except LOST:
        pass  # whether this batch is there, nobody was told


def work(server, book, seconds, kill_after=None):
    """All writers at once, until the server is gone or the time is up; it is killed from outside after so many seconds,
    if at all, but not before something was acknowledged."""
    until = time.monotonic() + at_most(seconds)
    before = len(book.acknowledged)
    threads = [threading.Thread(target=write, args=(server, book, kind, until)) for kind in WRITERS]
    for thread in threads:
        thread.start()
    if kill_after is not None:
        time.sleep(kill_after)
        while len(book.acknowledged) == before and time.monotonic() < until and server.process.poll() is None:
            time.sleep(0.005)
        server.kill()
    for thread in threads:
        thread.join(at_most(60))
        check(not thread.is_alive(), "a writer hangs")


def verify(server, book):
    """Compares the tables with the book."""
    got = {batch: (count, int(total)) for batch, count, total in
           server.rows("SELECT batch, count(*), sum(v) FROM d GROUP BY batch")}
    names = [t["name"] for t in server.request("GET", "/api/v1/namespaces/main/tables").ok().json["tables"]]
    created = {int(name[1:]) for name in names if name != "d"}
    for batch in sorted(created - book.tables_seen):
        got[batch] = tuple(int(n) for n in server.rows(f"SELECT count(*), sum(v) FROM t{batch}")[0])
        book.tables_seen.add(batch)
    for batch in created & book.tables_seen:
        got.setdefault(batch, book.sent[batch])
    lost = sorted(book.acknowledged - set(got))
    unknown = sorted(batch for batch in got if abs(batch) not in book.sent)
    wrong = {batch: (value, book.sent[abs(batch)], book.kind[abs(batch)]) for batch, value in got.items()
             if abs(batch) in book.sent and value != book.sent[abs(batch)]}
    back = sorted(batch for batch in got if batch < 0 and -batch in book.deleted)
    check(not back, f"deleted and there again: {back}")
    ghosts = {batch: book.refused[batch] for batch in got if batch in book.refused}
    check(not lost, f"acknowledged and lost: {[(b, book.kind[b]) for b in lost]}")
    check(not unknown, f"never sent: {unknown}")
    check(not wrong, f"half or twice (count and sum found, sent, kind): {wrong}")
    check(not ghosts, f"refused with an error, but there: {ghosts}")


def start_armed(server, point, nth, seed_value):
    """Starts with the fault armed. False where the server died of it before it was ready."""
    try:
        server.start(env={"TARN_FAULT_ALLOW": "1", "TARN_FAULT": f"{point}=kill@{nth}",
                          "TARN_FAULT_SEED": str(seed_value)})
        return True
    except Failed as failed:
        if server.process.poll() is None:
            raise
        check(server.process.returncode == -9, f"{point}@{nth}: the start failed by itself: {failed}")
        return False


def kill_cycles(settings, points, cycles, seconds):
    """Dies again and again and compares after every second death. How often it died where."""
    random = seed()
    book, histogram, ended = Book(random), collections.Counter(), collections.Counter()
    every, points = points, list(points)
    started = time.monotonic()
    with Server(settings=settings) as server:
        server.query("CREATE TABLE d (batch BIGINT NOT NULL, v BIGINT)")
        cycle = 0
        while cycle < cycles and (LONG or time.monotonic() - started < seconds or cycle < 2 * len(every)):
            # One death from outside …
            work(server, book, 5, kill_after=random.uniform(0.05, 0.45))
            histogram["from outside"] += 1
            cycle += 1
            # … and one at a named point; the rows are compared after both.
            if not points:
                points = list(every)
                random.shuffle(points)
            point = points.pop()
            nth = random.randint(1, POINTS[point])
            if start_armed(server, point, nth, cycle):
                work(server, book, 0.4 if point.startswith("worker.") else 1.5)
                if server.process.poll() is None and not point.startswith("worker."):
                    time.sleep(0.05)
                if server.process.poll() is not None:
                    equal(server.process.returncode, -9, f"{point}@{nth}: how the server ended")
                    histogram[point] += 1
                else:
                    histogram[point + (" (the worker)" if point.startswith("worker.") else " (not reached)")] += 1
                    server.kill()
            else:
                histogram[point + " (at the start)"] += 1
            cycle += 1
            server.start()
            verify(server, book)
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)
        for batch in book.sent:
            ended["acknowledged" if batch in book.acknowledged else
                  "refused" if batch in book.refused else "untold"] += 1
        equal(server.stop(), 0)
    print(f"{cycle} kills in {time.monotonic() - started:.0f} s; batches: {dict(ended)};"
          f" {len(book.deleted)} deletes")
    for point, count in sorted(histogram.items()):
        print(f"  {point:32} {'#' * count} {count}")
    reasons = collections.Counter(text[:110] for text in book.refused.values())
    for reason, count in reasons.most_common(6):
        print(f"  refused {count}: {reason}")
    for point in every:
        hit = histogram[point] + histogram[point + " (the worker)"] + histogram[point + " (at the start)"]
        check(hit > 0, f"no cycle died at {point}")
    check(len(book.deleted) > 0 or not LONG, "no delete was acknowledged")
    check(2 * ended["acknowledged"] > cycle, f"too little was acknowledged to prove anything: {dict(ended)}")


@test
def kill_9_loses_nothing():
    kill_cycles({}, list(POINTS), CYCLES, QUICK_S)


@test
def kill_9_loses_nothing_of_tables_in_a_folder():
    folder = tempfile.mkdtemp(prefix="tarn-lake-")
    try:
        kill_cycles({"warehouse.roots": folder, "warehouse.location": "file://" + folder},
                    ["commit.data", "commit.metadata", "commit.done", "fs.sync", "state.applied"],
                    60 if LONG else 14, 10)
    finally:
        shutil.rmtree(folder)


def sync_fails(point, nth):
    """Arms the failure, works, and returns whether it came up."""
    book = Book(seed(nth))
    with Server() as server:
        server.query("CREATE TABLE d (batch BIGINT NOT NULL, v BIGINT)")
        server.stop()
        try:
            server.start(env={"TARN_FAULT_ALLOW": "1", "TARN_FAULT": f"{point}=fail@{nth}"})
        except Failed:
            check(server.process.returncode not in (None, 0, -11, -6), f"{point}@{nth}: {server.process.returncode}")
            server.start()
            verify(server, book)
            return False
        acks, failures = [], []

        def one(kind):
            try:
                with server.client() as client:
                    while time.monotonic() < until:
                        batch, count = book.new(kind.__name__)
                        begun = time.monotonic()
                        try:
                            kind(client, batch, count)
                            acks.append(begun)
                            book.acknowledged.add(batch)
                        except TarnError as error:
                            failures.append((time.monotonic(), error))
            except LOST:
                pass

        until = time.monotonic() + at_most(6)
        threads = [threading.Thread(target=one, args=(kind,)) for kind in WRITERS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(at_most(60))
        if not failures and server.process.poll() is None:
            raise Failed(f"{point}@{nth} never failed")
        # What was asked after somebody had been told of a failure may not be promised any more.
        if failures:
            first = min(when for when, _ in failures)
            late = [begun for begun in acks if begun > first]
            check(not late, f"{point}@{nth}: {len(late)} acknowledgements after the failure was answered")
            check(all(error.status >= 500 for _, error in failures), str([str(e) for _, e in failures][:3]))
        code = server.process.wait(at_most(20))
        check(code not in (0, -11, -6), f"{point}@{nth}: the server ended with {code}")
        contains(server.log_text(), "sync")
        # A failed sync says nothing about what is on the disk: what was refused may be there or not, but whole.
        book.refused.clear()
        server.start()
        verify(server, book)
        server.query("INSERT INTO d VALUES (0, 0)")
        return True


@test
def a_failed_sync_ends_the_server_and_every_promise():
    hits = 0
    for point, passes in (("fs.sync", (3, 9, 16, 30)), ("fs.sync_dir", (2, 6, 12))):
        for nth in passes if LONG or point == "fs.sync" else passes[1:2]:
            hits += sync_fails(point, nth)
    check(hits >= 3, f"only {hits} failures came up at work")


main()

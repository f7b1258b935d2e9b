#!/usr/bin/env python3
"""kill -9 in every phase of a commit, and from outside at any moment, while rows are inserted, ingested, loaded,
deleted and tables are created: nothing acknowledged is lost, nothing is there twice, nothing is there by half, nothing
that was deleted comes back. A failed sync stops the server and is never followed by an acknowledgement.

Several servers die side by side, each with tables of its own: 204 deaths, half of them from outside, the others at the
named points, each point equally often. TARN_LONG=1 makes it 644; instrumented programs die 88 times."""
# timeout: 300
# labels: slow
import collections
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import LONG, SANITIZED, Failed, Server, TarnError, at_most, check, contains, equal, eventually, main, seed, test  # noqa: E402

# Servers side by side: more than cores, since a server that waits for its disk or a test that waits for its death
# leaves them idle.
LANES = 4
WORKERS = (4, 1, 2, 1)  # of each; what a start costs is mostly theirs
ROUNDS = 15 if LONG else 5  # how often the servers die at each point
if SANITIZED:
    ROUNDS = 2
# Fault points of base/fault.h, and at which pass one may die at most: most die at work and some at the start. A worker
# passes its first point once.
POINTS = {
    "fs.write": 60, "fs.sync": 40, "fs.sync_dir": 10, "fs.link": 8, "store.staged": 6, "state.begin": 9,
    "state.applied": 6, "state.committed": 6, "commit.data": 3, "commit.metadata": 3, "commit.done": 3,
    "ingest.received": 3, "worker.start": 1, "worker.run": 6,
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


def work(server, book, seconds, kill_after=None, after_delete=False):
    """All writers at once, until the server is gone or the time is up; it is killed from outside after so many seconds,
    if at all, but not before something was acknowledged, or a delete was."""
    until = time.monotonic() + at_most(seconds)
    awaited = book.deleted if after_delete else book.acknowledged
    before = len(awaited)
    threads = [threading.Thread(target=write, args=(server, book, kind, until)) for kind in WRITERS]
    for thread in threads:
        thread.start()
    if kill_after is not None:
        time.sleep(kill_after)
        while len(awaited) == before and time.monotonic() < until and server.process.poll() is None:
            time.sleep(0.005)
        server.kill()
    for thread in threads:
        thread.join(at_most(60))
        check(not thread.is_alive(), "a writer hangs")


def lose_a_worker(server, book):
    """Works until somebody was told that a worker died, then kills the server."""
    before = len(book.refused)

    def told():
        return any("worker process ended" in text for text in list(book.refused.values())[before:])

    threads = [threading.Thread(target=write, args=(server, book, kind, time.monotonic() + at_most(20)))
               for kind in WRITERS]
    for thread in threads:
        thread.start()
    try:
        eventually(told, "somebody is told that a worker died", at_most(20))
    finally:
        server.kill()
        for thread in threads:
            thread.join(at_most(60))


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


class Deaths:
    """What the servers are still to die of, and what they died of."""

    def __init__(self, points, rounds, random):
        self.plan = []
        for _ in range(rounds):
            some = list(points)
            random.shuffle(some)
            self.plan += some
        self.lock, self.histogram, self.batches = threading.Lock(), collections.Counter(), collections.Counter()
        self.deletes, self.refused, self.failures = 0, collections.Counter(), []

    def next(self):
        with self.lock:
            return self.plan.pop() if self.plan and not self.failures else None

    def count(self, what):
        with self.lock:
            self.histogram[what] += 1

    def add_book(self, book):
        with self.lock:
            for batch in book.sent:
                self.batches["acknowledged" if batch in book.acknowledged else
                             "refused" if batch in book.refused else "untold"] += 1
            self.deletes += len(book.deleted)
            self.refused.update(text[:110] for text in book.refused.values())


def die_at(server, book, point, nth, deaths, seed_value):
    """One death at a named point."""
    if not start_armed(server, point, nth, seed_value):
        deaths.count(point + " (at the start)")
    elif point.startswith("worker."):
        lose_a_worker(server, book)
        deaths.count(point + " (the worker)")
    else:
        work(server, book, 20)
        try:
            server.process.wait(at_most(5))
        except subprocess.TimeoutExpired:
            raise Failed(f"{point}@{nth}: never reached") from None
        equal(server.process.returncode, -9, f"{point}@{nth}: how the server ended")
        deaths.count(point)


def die_again_and_again(settings, random, deaths, name):
    """One server: dies from outside and at a named point, compares its rows, and again."""
    book = Book(random)
    with Server(settings=settings, name=name) as server:
        server.query("CREATE TABLE d (batch BIGINT NOT NULL, v BIGINT)")
        for point in iter(deaths.next, None):
            work(server, book, 20, kill_after=random.uniform(0.02, 0.3), after_delete=random.random() < 0.2)
            deaths.count("from outside")
            die_at(server, book, point, random.randint(1, POINTS[point]), deaths, random.randint(1, 1 << 30))
            server.start()
            verify(server, book)
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)
        equal(server.stop(), 0)
    deaths.add_book(book)


def kill_cycles(settings, points, rounds):
    """Several servers die until each point was hit so many times; prints how often they died where."""
    random = seed()
    deaths = Deaths(points, rounds, random)
    total = 2 * len(deaths.plan)
    started = time.monotonic()

    def lane(number, lane_random):
        try:
            die_again_and_again(settings(number), lane_random, deaths, f"server{number}")
        except BaseException as error:  # shown by the test's own thread
            deaths.failures.append(error)

    threads = [threading.Thread(target=lane, args=(number, type(random)(random.random()))) for number in range(LANES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if deaths.failures:
        raise deaths.failures[0]
    print(f"{total} kills in {time.monotonic() - started:.0f} s; batches: {dict(deaths.batches)};"
          f" {deaths.deletes} deletes")
    for point, count in sorted(deaths.histogram.items()):
        print(f"  {point:32} {'#' * count} {count}")
    for reason, count in deaths.refused.most_common(6):
        print(f"  refused {count}: {reason}")
    equal(sum(deaths.histogram.values()), total, "deaths")
    for point in points:
        hit = sum(deaths.histogram[point + how] for how in ("", " (the worker)", " (at the start)"))
        equal(hit, rounds, f"deaths at {point}")
    check(deaths.deletes > 0, "no delete was acknowledged")
    check(2 * deaths.batches["acknowledged"] > total, f"too little was acknowledged to prove anything: {deaths.batches}")


@test
def kill_9_loses_nothing():
    kill_cycles(lambda number: {"engine.workers": WORKERS[number]}, list(POINTS), ROUNDS)


@test
def kill_9_loses_nothing_of_tables_in_a_folder():
    folder = tempfile.mkdtemp(prefix="tarn-lake-")
    try:
        def settings(number):
            root = f"{folder}/{number}"
            return {"warehouse.roots": root, "warehouse.location": "file://" + root,
                    "engine.workers": WORKERS[number]}

        kill_cycles(settings, ["commit.data", "commit.metadata", "commit.done", "fs.sync", "fs.link", "state.applied",
                               "state.committed", "fs.sync_dir"], max(ROUNDS - 1, 2))
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

#!/usr/bin/env python3
"""Writers at once, over REST, SQL and load, on one table and on many: each adds one to a counter, and none is lost; what
they saw can be put in one order. A client that loses the answer and asks again with its Idempotency-Key commits once."""
# timeout: 400
# labels: slow
import http.client
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Client, Server, TarnError, check, equal, main, seed, shared, test  # noqa: E402

BASE = "/iceberg/v1/tarn"
SANITIZED = bool(os.environ.get("TARN_SANITIZE"))


def new_key(r):
    """A UUID of version 7."""
    bits = (int(time.time() * 1000) << 80) | (7 << 76) | (r.getrandbits(12) << 64) | (2 << 62) | r.getrandbits(62)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def table_path(name):
    return f"{BASE}/namespaces/main/tables/{name}"


def load(client, name):
    return client.request("GET", table_path(name)).ok().json["metadata"]


def counter_of(metadata):
    """What the youngest snapshot of main says that says anything; others add theirs between."""
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata["snapshots"]}
    at = by_id.get(metadata.get("current-snapshot-id"))
    while at is not None:
        if "counter" in at["summary"]:
            return int(at["summary"]["counter"])
        at = by_id.get(at.get("parent-snapshot-id"))
    return 0


def one_more(metadata, r, name=None):
    """A commit that adds one to the counter, if nobody comes between: the same files in a new snapshot."""
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata["snapshots"]}
    current = by_id[metadata["current-snapshot-id"]]
    number = counter_of(metadata) + 1
    new = r.getrandbits(62)
    body = {"requirements": [{"type": "assert-table-uuid", "uuid": metadata["table-uuid"]},
                             {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": current["snapshot-id"]}],
            "updates": [{"action": "add-snapshot", "snapshot": {
                "snapshot-id": new, "parent-snapshot-id": current["snapshot-id"],
                "sequence-number": metadata["last-sequence-number"] + 1, "timestamp-ms": int(time.time() * 1000),
                "manifest-list": current["manifest-list"], "schema-id": metadata["current-schema-id"],
                "summary": {"operation": "replace", "counter": str(number)}}},
                {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": new}]}
    if name:
        body["identifier"] = {"namespace": ["main"], "name": name}
    return number, new, body


class Record:
    """What a writer did: when it began and ended, and the number that it made."""

    def __init__(self):
        self.lock, self.made, self.problems = threading.Lock(), [], []

    def add(self, kind, table, number, began, snapshot=None):
        with self.lock:
            self.made.append((kind, table, number, began, time.monotonic(), snapshot))

    def of(self, kind, table=None):
        return [one for one in self.made if one[0] == kind and table in (None, one[1])]


def over_rest(server, record, tables, count, r):
    with server.client() as client:
        for _ in range(count):
            name = r.choice(tables)
            began = time.monotonic()
            while True:
                number, snapshot, body = one_more(load(client, name), r)
                answer = client.request("POST", table_path(name), body)
                if answer.status == 200:
                    record.add("rest", name, number, began, snapshot)
                    break
                equal((answer.status, answer.error["type"]), (409, "CommitFailedException"), answer.text)


def over_sql(server, record, tables, count, r):
    with server.client() as client:
        for _ in range(count):
            name = r.choice(tables)
            began = time.monotonic()
            while True:
                try:
                    client.query(f"UPDATE {name} SET n = n + 1 WHERE id = 0")
                except TarnError as error:
                    equal(error.code, "conflict", str(error))
                    continue
                record.add("sql", name, None, began)
                break


def by_load(server, record, tables, count, r):
    with server.client() as client:
        for number in range(count):
            name = r.choice(tables)
            began = time.monotonic()
            client.ingest(name, [{"id": 1 + number, "n": 1}])
            record.add("load", name, None, began)


def at_once(server, writers):
    """Runs them all and gives what they did."""
    record, threads = Record(), []

    def run(writer, *arguments):
        try:
            writer(server, record, *arguments)
        except Exception as error:  # noqa: BLE001 - told below
            record.problems.append(f"{writer.__name__}: {type(error).__name__}: {error}")

    for writer, *arguments in writers:
        threads.append(threading.Thread(target=run, args=(writer, *arguments)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    check(not record.problems, "\n    ".join(record.problems[:5]))
    return record


def make(server, name):
    server.query(f"CREATE TABLE {name} (id BIGINT, n BIGINT) WITH ('tarn.history.max-snapshots' = '100000')")
    server.query(f"INSERT INTO {name} VALUES (0, 0)")


def all_counted(server, name, record):
    """Nothing is lost, nothing counted twice, and the order of the numbers is one that time allows."""
    equal(server.value(f"SELECT n FROM {name} WHERE id = 0"), len(record.of("sql", name)), f"{name}: SQL's counter")
    equal(server.value(f"SELECT count(*) FROM {name} WHERE id > 0"), len(record.of("load", name)), f"{name}: rows loaded")
    metadata = load(server, name)
    rest = sorted(record.of("rest", name), key=lambda one: one[2])
    equal(counter_of(metadata), len(rest), f"{name}: the counter over REST")
    equal([one[2] for one in rest], list(range(1, len(rest) + 1)), f"{name}: each number once")
    latest_began = 0.0
    for _, _, number, began, ended, _ in rest:
        check(ended >= latest_began, f"{name}: {number} ended before a smaller one began")
        latest_began = max(latest_began, began)
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata["snapshots"]}
    line, at = [], metadata["current-snapshot-id"]
    while at is not None:
        line.append(at)
        at = by_id[at].get("parent-snapshot-id")
    equal(len(line), 1 + len(record.of("sql", name)) + len(rest) + loads_seen(by_id, line), f"{name}: snapshots of main")
    wanted = [one[5] for one in reversed(rest)]
    equal([one for one in line if one in set(wanted)], wanted, f"{name}: the history has them in this order")
    numbers = [by_id[one]["sequence-number"] for one in line]
    equal(sorted(set(numbers), reverse=True), numbers, f"{name}: sequence numbers")


def loads_seen(by_id, line):
    """Loads that came at the same moment share a snapshot: those with rows added, but the first."""
    return sum(1 for one in line if by_id[one]["summary"]["operation"] == "append") - 1


@test
def one_table_two_to_sixty_four_writers():
    server = shared()
    for writers in (2, 8) if SANITIZED else (2, 8, 24, 64):
        name = f"one{writers}"
        make(server, name)
        rest = max(writers * 3 // 4, 1)
        sql, loads = max(writers // 8, 1) if writers > 2 else 0, max(writers // 8, 1)
        each = max(48 // rest, 1)
        plan = [(over_rest, [name], each, random.Random(number)) for number in range(rest)]
        plan += [(over_sql, [name], 3, random.Random(number)) for number in range(sql)]
        plan += [(by_load, [name], 4, random.Random(number)) for number in range(loads)]
        record = at_once(server, plan)
        equal(len(record.of("rest")), rest * each)
        all_counted(server, name, record)


@test
def many_tables_many_writers():
    server = shared()
    tables = [f"many{number}" for number in range(4 if SANITIZED else 12)]
    for name in tables:
        make(server, name)
    plan = [(over_rest, tables, 6, random.Random(number)) for number in range(16)]
    plan += [(over_sql, tables, 3, random.Random(number)) for number in range(4)]
    plan += [(by_load, tables, 4, random.Random(number)) for number in range(4)]
    record = at_once(server, plan)
    for name in tables:
        all_counted(server, name, record)


def over_both(server, record, tables, count, r):
    with server.client() as client:
        for _ in range(count):
            began = time.monotonic()
            while True:
                made = [one_more(load(client, name), r, name) for name in tables]
                answer = client.request("POST", f"{BASE}/transactions/commit", {"table-changes": [one[2] for one in made]})
                if answer.status == 204:
                    for name, one in zip(tables, made):
                        record.add("rest", name, one[0], began, one[1])
                    break
                equal((answer.status, answer.error["type"]), (409, "CommitFailedException"), answer.text)


@test
def transactions_over_two_tables_and_commits_of_each():
    server = shared()
    tables = ["left_one", "right_one"]
    for name in tables:
        make(server, name)
    plan = [(over_both, tables, 5, random.Random(number)) for number in range(6)]
    plan += [(over_rest, [name], 5, random.Random(f"{name} {number}")) for number in range(2) for name in tables]
    plan += [(over_sql, tables, 2, random.Random(9))]
    record = at_once(server, plan)
    for name in tables:
        all_counted(server, name, record)


# ---- answers that are lost ----

class Cutter:
    """A proxy that cuts a connection where it is told: before the request is sent on, or instead of the answer."""

    def __init__(self, server):
        self.host, _, self.port = server.address.rpartition(":")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.plan, self.lost = [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()
        except OSError:
            pass

    def serve(self, client):
        """One request on each connection."""
        how = self.plan.pop(0) if self.plan else "pass"
        with client, socket.create_connection((self.host, int(self.port))) as upstream:
            request = read_message(client)
            if how == "before":
                self.lost.append(how)
                return
            upstream.sendall(request)
            answer = read_message(upstream)
            if how == "after":
                self.lost.append(answer.split(b"\r\n", 1)[0].decode())
                return
            client.sendall(answer)

    def close(self):
        self.listener.close()


def read_message(connection):
    """A whole HTTP message with a Content-Length, or without a body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            size = int(value)
    while len(body) < size:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def until_answered(address, key, method, path, body, idempotency_key):
    """The answer, however often it takes: each time over a connection of its own."""
    for tries in range(1, 20):
        with Client(address, key) as client:
            try:
                answer = client.request(method, path, body, {"Idempotency-Key": idempotency_key})
            except (OSError, http.client.HTTPException):
                continue
            if answer.status in (500, 502, 503, 504):
                continue
            return answer, tries
    raise TarnError(0, "no answer in 20 tries")


@test
def a_lost_answer_is_given_again_and_commits_once():
    server = shared()
    make(server, "lossy")
    r, cutter, expected = seed(), Cutter(server), 0
    for plan in (["after"], ["before"], ["after", "after", "after"], ["before", "after"], ["after", "before", "after"], []):
        number, snapshot, body = one_more(load(server, "lossy"), r)
        cutter.plan = list(plan)
        answer, tries = until_answered(cutter.address, server.key, "POST", table_path("lossy"), body, new_key(r))
        expected += 1
        equal((answer.status, tries), (200, len(plan) + 1), answer.text[:300])
        equal((number, counter_of(load(server, "lossy"))), (expected, expected))
        equal(answer.json["metadata"]["current-snapshot-id"], snapshot, "the answer is the one that was lost")
    check(cutter.lost.count("HTTP/1.1 200 OK") >= 5, str(cutter.lost))
    # A refusal is final, too, and told again although it would go through by now.
    stale = one_more(load(server, "lossy"), r)[2]
    server.query("INSERT INTO lossy VALUES (1, 1)")
    key = new_key(r)
    cutter.plan = ["after"]
    answer, _ = until_answered(cutter.address, server.key, "POST", table_path("lossy"), stale, key)
    equal(answer.status, 409)
    equal(counter_of(load(server, "lossy")), expected)
    # The same key for another request is a mistake of the client's.
    other = one_more(load(server, "lossy"), r)[2]
    check(server.request("POST", table_path("lossy"), other, {"Idempotency-Key": key}).status in (400, 409, 422), "taken")
    equal(counter_of(load(server, "lossy")), expected)
    cutter.close()


@test
def creates_drops_and_transactions_that_lose_their_answers_are_done_once():
    server = shared()
    r, cutter = seed(), Cutter(server)
    schema = {"type": "struct", "fields": [{"id": 1, "name": "n", "type": "long", "required": False}]}
    for method, path, body, wanted in (
            ("POST", f"{BASE}/namespaces", {"namespace": ["once"], "properties": {}}, 200),
            ("POST", f"{BASE}/namespaces/once/tables", {"name": "t", "schema": schema}, 200),
            ("POST", f"{BASE}/tables/rename", {"source": {"namespace": ["once"], "name": "t"},
                                               "destination": {"namespace": ["once"], "name": "u"}}, 204),
            ("DELETE", f"{BASE}/namespaces/once/tables/u", None, 204),
            ("DELETE", f"{BASE}/namespaces/once", None, 204)):
        cutter.plan = ["after", "after"]
        answer, tries = until_answered(cutter.address, server.key, method, path, body, new_key(r))
        equal((answer.status, tries), (wanted, 3), f"{method} {path}: {answer.text[:200]}")
    cutter.close()


@test
def many_clients_that_lose_answers_lose_no_update():
    with Server() as server:
        make(server, "rough")
        cutter, made, problems = Cutter(server), [], []
        r = random.Random(4)
        cutter.plan = [r.choice(("pass", "pass", "before", "after")) for _ in range(600)]

        def run(number):
            r = random.Random(number)
            try:
                with server.client() as client:
                    for _ in range(6):
                        while True:
                            count, _, body = one_more(load(client, "rough"), r)
                            answer, _ = until_answered(cutter.address, server.key, "POST", table_path("rough"), body, new_key(r))
                            if answer.status == 200:
                                made.append(count)
                                break
                            equal(answer.status, 409, answer.text[:300])
            except Exception as error:  # noqa: BLE001 - told below
                problems.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(not problems, "\n    ".join(problems[:3]))
        equal(sorted(made), list(range(1, 49)), "each number once")
        equal(counter_of(load(server, "rough")), 48)
        check(cutter.lost, "no answer was lost")
        cutter.close()


main()

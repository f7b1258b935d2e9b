#!/usr/bin/env python3
"""Transactions of several sessions at the same time, at random, over registers and lists in two to four tables; then the
history is checked for what the isolation level promises, by its dependencies alone (Adya; Cerone and Gotsman):

    ww  the writer of a version, and of the next      D   ww, wr, and "had been committed before it began"
    wr  the writer of a version, and who read it      snapshot      no cycle of D, where one rw may follow each D
    rw  who read a version, and the next's writer     serializable  no cycle of D and rw at all

Every value is written once, so reads tell whose they are: none of a transaction that did not commit, none that its
writer replaced, the same when read again, one's own when written before. TARN_LONG=1 makes it 60 times as long."""
# timeout: 600
# labels: slow
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import LONG, Server, TarnError, check, equal, main, test  # noqa: E402

HISTORIES = 120 if LONG else 2
SESSIONS, TRANSACTIONS, KEYS = 4, 8, 3


class Transaction:
    """What one did: reads of others' versions, last writes, and when it was begun and had been committed."""

    def __init__(self, name):
        self.name, self.begun, self.ended, self.outcome = name, 0.0, 0.0, "open"
        self.reads, self.writes, self.replaced = {}, {}, set()

    def __repr__(self):
        return f"{self.name} reads {self.reads} writes {self.writes}"


class Worker(threading.Thread):
    """A session that runs its transactions one after the other."""

    def __init__(self, history, number):
        super().__init__()
        self.history, self.number = history, number
        self.random = random.Random(f"{history.seed} {number}")
        self.done, self.failure, self.serial = [], None, 0

    def run(self):
        try:
            with self.history.server.client() as client:
                session = client.request("POST", "/api/v1/sessions").ok().json["session"]
                for number in range(TRANSACTIONS):
                    transaction = Transaction(f"s{self.number}t{number}")
                    self.done.append(transaction)
                    self.one(lambda sql: client.query(sql, session=session), transaction)
                client.request("DELETE", "/api/v1/sessions/" + session)
        except BaseException as error:  # told by the test
            self.failure = error

    def value(self):
        self.serial += 1
        return (self.number + 1) * 10**6 + self.serial

    def one(self, ask, t):
        t.begun = time.monotonic()
        ask("BEGIN" + self.history.level)
        try:
            for _ in range(self.random.randint(1, 5)):
                self.step(ask, t)
            if self.random.random() < 0.15:
                ask("ROLLBACK")
                t.outcome = "rolled back"
                return
            equal(ask("COMMIT")["transaction"], "committed")
            t.outcome = "committed"
        except TarnError as error:
            equal((error.code, error.error.get("sqlstate")), ("conflict", "40001"), str(error))
            t.outcome = "conflict"
        finally:
            t.ended = time.monotonic()

    def step(self, ask, t):
        table = self.random.choice(self.history.tables)
        key = (table, self.random.randrange(KEYS))
        got = [row[0] for row in ask(f"SELECT v FROM {table} WHERE k = {key[1]} ORDER BY v")["rows"]]
        self.saw(t, key, got)
        if self.random.random() < 0.5:
            return
        value = self.value()
        if table.startswith("list"):
            equal(ask(f"INSERT INTO {table} VALUES ({key[1]}, {value})")["changed_rows"], 1)
            t.writes.setdefault(key, []).append(value)
            return
        sql = (f"UPDATE {table} SET v = {value} WHERE k = {key[1]}" if self.random.random() < 0.7 else
               f"MERGE INTO {table} USING (SELECT {key[1]} AS k, {value} AS v) s USING (k) WHEN MATCHED THEN UPDATE SET v = s.v")
        equal(ask(sql)["changed_rows"], 1, sql)
        t.replaced.update(t.writes.get(key, []))
        t.writes[key] = [value]

    def saw(self, t, key, got):
        own = t.writes.get(key, [])
        if key[0].startswith("list"):
            check(set(own) <= set(got), f"{t.name} does not see its own {own} of {key}: {got}")
            others = sorted(set(got) - set(own))
        elif own:
            equal(got, own, f"{t.name} reads {key} after writing it")
            return
        else:
            equal(len(got), 1, f"{t.name} reads {key}: {got}")
            others = got
        equal(t.reads.setdefault(key, others), others, f"{t.name} reads {key} again")


class History:
    def __init__(self, server, seed, serializable):
        self.server, self.seed, self.serializable = server, seed, serializable
        chance = random.Random(seed)
        self.level = " ISOLATION LEVEL SERIALIZABLE" if serializable else ""
        self.tables = [f"{kind}{n}" for n, kind in
                       enumerate(chance.choice((["reg", "reg"], ["reg", "list"], ["reg", "list", "reg"], ["reg", "list", "list", "reg"])))]
        for table in self.tables:
            server.query(f"DROP TABLE IF EXISTS {table}")
            server.query(f"CREATE TABLE {table} (k INTEGER, v INTEGER)")
            for key in range(KEYS if table.startswith("reg") else 0):  # a file each
                server.query(f"INSERT INTO {table} VALUES ({key}, {-1 - key})")

    def run(self):
        workers = [Worker(self, number) for number in range(SESSIONS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for worker in workers:
            if worker.failure:
                raise worker.failure
        return [t for worker in workers for t in worker.done]


def edges_of(history):
    """The dependencies of the committed ones: {transaction: its followers} of D, and of rw."""
    committed = [t for t in history if t.outcome == "committed"]
    writer = {value: t for t in committed for values in t.writes.values() for value in values}
    never = {value: t for t in history if t.outcome != "committed" for values in t.writes.values() for value in values}
    replaced = {value: t for t in history for value in t.replaced}
    depends, anti = {t: set() for t in committed}, {t: set() for t in committed}
    following = {}
    for t in history:
        for key, values in t.reads.items():
            for value in values:
                check(value not in never, f"{t} read what {never.get(value)} did not commit")
                check(value not in replaced, f"{t} read what {replaced.get(value)} had replaced")
                check(value < 0 or value in writer, f"{t} read {value}, which nobody wrote")
    for t in committed:
        for key, values in t.writes.items():
            if key[0].startswith("reg"):
                before = t.reads[key][0]  # a register is read before it is written
                other = following.setdefault((key, before), t)
                check(other is t, f"a lost update: {t} and {other} both replaced {before} of {key}")
                if before in writer:
                    depends[writer[before]].add(t)
    for t in committed:
        for key, values in t.reads.items():
            for value in values:
                if value in writer and writer[value] is not t:
                    depends[writer[value]].add(t)
                after = following.get((key, value))
                if after not in (None, t):
                    anti[t].add(after)
            if key[0].startswith("list"):
                for other in committed:
                    if other is not t and set(other.writes.get(key, [])) - set(values):
                        check(not set(other.writes[key]) & set(values), f"{t} saw half of {other}")
                        anti[t].add(other)
        for other in committed:
            if other.ended < t.begun:
                depends[other].add(t)
    return depends, anti


def cycle_in(edges):
    """A cycle, as a list, or None."""
    state = {}
    for root in edges:
        if root in state:
            continue
        state[root] = "open"
        path = [(root, iter(edges[root]))]
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                state[node] = "done"
                path.pop()
            elif state.get(following) == "open":
                names = [one for one, _ in path]
                return names[names.index(following):]
            elif following not in state:
                state[following] = "open"
                path.append((following, iter(edges[following])))
    return None


def verify(transactions, serializable):
    depends, anti = edges_of(transactions)
    if serializable:
        edges = {t: depends[t] | anti[t] for t in depends}
    else:
        edges = {t: depends[t] | {c for b in depends[t] for c in anti[b]} for t in depends}
    found = cycle_in(edges)
    check(found is None, "no order of these is what was asked for:\n    " + "\n    ".join(map(repr, found or [])))


def run_histories(serializable):
    first = int(os.environ.get("TARN_TEST_SEED") or (random.randrange(10**6) if LONG else 1))
    tally, skews = {}, 0
    with Server() as server:
        for seed in range(first, first + HISTORIES):
            print(f"history {seed}", flush=True)
            history = History(server, seed, serializable)
            transactions = history.run()
            for t in transactions:
                tally[t.outcome] = tally.get(t.outcome, 0) + 1
            verify(transactions, serializable)
            depends, anti = edges_of(transactions)
            skews += cycle_in({t: depends[t] | anti[t] for t in depends}) is not None
    print(f"{HISTORIES} histories: {tally}, {skews} with a write skew")
    check(tally.get("committed", 0) > HISTORIES * 5, "too little was committed")
    check(not LONG or serializable or tally.get("conflict", 0) > 0, "nothing was in the way of anything")


@test
def concurrent_transactions_see_one_snapshot_and_lose_no_update():
    run_histories(False)


@test
def serializable_transactions_have_an_order():
    run_histories(True)


def made(name, reads, writes, begun, ended, outcome="committed"):
    t = Transaction(name)
    t.reads, t.writes, t.begun, t.ended, t.outcome = reads, writes, begun, ended, outcome
    return t


@test
def the_checker_finds_each_anomaly():
    x, y, many = ("reg0", 0), ("reg1", 0), ("list2", 0)
    skew = [made("a", {x: [-1], y: [-1]}, {x: [10]}, 0, 5), made("b", {x: [-1], y: [-1]}, {y: [20]}, 0, 5)]
    verify(skew, False)
    long_fork = [made("a", {x: [-1]}, {x: [10]}, 0, 9), made("b", {y: [-1]}, {y: [20]}, 0, 9),
                 made("c", {x: [10], y: [-1]}, {}, 0, 9), made("d", {x: [-1], y: [20]}, {}, 0, 9)]
    for what, transactions, serializable in (
            ("write skew", skew, True),
            ("lost update", [made("a", {x: [-1]}, {x: [10]}, 0, 5), made("b", {x: [-1]}, {x: [20]}, 0, 5)], False),
            ("dirty read", [made("a", {x: [-1]}, {x: [10]}, 0, 5, "rolled back"), made("b", {x: [10]}, {}, 0, 5)], False),
            ("half a commit", [made("a", {x: [-1], y: [-1]}, {x: [10], y: [11]}, 0, 5), made("b", {x: [10], y: [-1]}, {}, 0, 5)], False),
            ("half a list", [made("a", {}, {many: [10, 11]}, 0, 5), made("b", {many: [10]}, {}, 0, 5)], False),
            ("stale read", [made("a", {x: [-1]}, {x: [10]}, 0, 1), made("b", {x: [-1]}, {}, 2, 5)], False),
            ("long fork", long_fork, False)):
        try:
            verify(transactions, serializable)
        except AssertionError:
            continue
        check(False, f"not found: {what}")


main()

#!/usr/bin/env python3
"""Random histories: tables of every type, spec and order that rows come to and go from, that evolve, go back and forth
in time, through restarts and kills, with pruning and without. After each step tarn and a model in plain DuckDB hold the
same rows and answer the same; every snapshot stays what it was; metadata tables add up.

TARN_TEST_SEED repeats a run, TARN_HISTORY=n (or 3,7,20) one or some of its histories, TARN_HISTORIES=n makes so many,
TARN_LONG=1 two thousand. Of a history that differs its statements are printed."""
# timeout: 600
# labels: slow
import collections
import concurrent.futures
import http.client
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import history_steps  # noqa: E402
from histories import Difference, History  # noqa: E402
from oracle import Duck  # noqa: E402
from tarn import LONG, SANITIZED, Server, TarnError, check, main, test  # noqa: E402

HISTORIES = int(os.environ.get("TARN_HISTORIES") or (2000 if LONG else 10 if SANITIZED else 60))
AT_ONCE, LANES = 20, 4
STEPS_MAX = 22


class Run:
    """Histories side by side on one server, in lanes that each have a client and a model, with restarts in between."""

    def __init__(self, server, value):
        self.server, self.value, self.failures = server, value, []
        self.models = [Duck() for _ in range(LANES)]
        self.clients = [server.client() for _ in range(LANES)]
        self.count, self.reasons, self.restarts = collections.Counter(), collections.Counter(), [0, 0]

    def attempt(self, history, function, *arguments):
        """False if the history ended with a difference."""
        number = history.name[1:]
        shown = "\n    ".join
        try:
            function(*arguments)
            return True
        except (Difference, TarnError) as error:
            self.failures.append(history.name)
            print(f"history {number} differs; again: TARN_TEST_SEED={self.value} TARN_HISTORY={number} {sys.argv[0]}\n    "
                  + shown(line[:4000] for line in history.log[-60:]) + f"\n  {error}", flush=True)
            history.forget()
            return False
        except (OSError, http.client.HTTPException) as error:
            time.sleep(0.5)  # it may be about to end
            code = self.server.process.poll()
            print(shown(line[:4000] for line in history.log[-60:]) + f"\n  history {number}: {error};"
                  f" the server {'runs' if code is None else f'ended with {code}'}", flush=True)
            raise

    def restart(self, chance):
        pruning = {"engine.pruning": chance.choice(("true", "false"))}
        for client in self.clients:
            client.close()
        kill = chance.random() < 0.5
        if kill:
            self.server.kill()
            self.server.start(settings=pruning)
        else:
            self.server.restart(settings=pruning)
        self.restarts[kill] += 1
        self.clients = [self.server.client() for _ in range(LANES)]

    def each(self, lanes, function):
        """The function with (history, client) for all of each lane, lanes side by side. Those that go on."""
        def run(number):
            return [h for h in lanes[number] if self.attempt(h, function, h, self.clients[number])]

        with concurrent.futures.ThreadPoolExecutor(LANES) as threads:
            return list(threads.map(run, range(LANES)))

    def group(self, numbers):
        lanes = [[History(self.value, n, self.models[lane]) for n in numbers[lane::LANES]] for lane in range(LANES)]
        all_of_them = [h for lane in lanes for h in lane]
        lengths = {h.name: h.random.randint(10, STEPS_MAX) for h in all_of_them}
        chance = random.Random(f"{self.value}/{numbers[0] // AT_ONCE}/restarts")
        lanes = self.each(lanes, lambda h, client: h.begin(client))
        for at in range(STEPS_MAX):
            if chance.random() < 0.12:
                self.restart(chance)
            lanes = self.each(lanes, lambda h, client: at >= lengths[h.name] or history_steps.step(h, client))
        lanes = self.each(lanes, lambda h, client: h.check(client, True))
        self.restart(chance)
        lanes = self.each(lanes, lambda h, client: h.check(client))
        self.each(lanes, lambda h, client: h.close(client))
        for h in all_of_them:
            self.count.update(h.count)
            self.reasons.update(h.reasons)
            self.count["snapshots"] += len(h.states)
            self.count["histories"] += 1
        if LONG:
            self.tell()

    def tell(self):
        c = self.count
        print(f"{c['histories']} histories of seed {self.value}: {c['steps']} steps, {c['snapshots']} snapshots,"
              f" {c['queries']} queries ({c['skipped']} fail in the model), {c['refused']} changes refused,"
              f" {self.restarts[0]} restarts, {self.restarts[1]} kills; {len(self.failures)} differ", flush=True)


@test
def tables_are_what_the_model_says_after_every_step():
    value = int(os.environ.get("TARN_TEST_SEED") or (random.randrange(2**31) if LONG else 1))
    print(f"seed: {value}", flush=True)
    chosen = [int(n) for n in os.environ.get("TARN_HISTORY", "").split(",") if n]
    numbers = chosen or list(range(HISTORIES))
    with Server() as server:
        run = Run(server, value)
        for first in range(0, max(numbers) + 1, AT_ONCE):
            group = [n for n in numbers if first <= n < first + AT_ONCE]
            if group:
                run.group(group)
    run.tell()
    if os.environ.get("TARN_HISTORY_REASONS"):
        print("\n".join(f"  refused: {reason}" for reason, _ in run.reasons.most_common(60)))
    check(not run.failures, f"{len(run.failures)} histories differ: {run.failures[:20]}")
    check(run.count["refused"] * 5 < run.count["steps"], "too many changes were refused to prove much")



@test
def a_lost_row_and_a_wrong_value_are_noticed():
    duck, noticed = Duck(), 0
    with Server() as server, server.client() as client:
        for number, harm in enumerate(("DELETE FROM {} WHERE id = 1", "UPDATE {} SET id = -1 WHERE id = 1")):
            history = History(1, number, duck)
            history.begin(client)
            while not (history.row_count() and history.states):
                history_steps.step(history, client)
            history_steps.insert_values(history, client)
            history.check(client)
            state = history.random.choice([history.current, next(iter(history.states.values()))])
            duck.run(harm.replace("= 1", f"= (SELECT min(id) FROM {state.table})").format(state.table))
            try:
                history.check(client, True)
            except Difference:
                noticed += 1
    check(noticed == 2, f"{noticed} of 2 were noticed: the comparison proves nothing")


main()

#!/usr/bin/env python3
"""What killed commits leave in a file: warehouse is found and removed after its age: all of it, while somebody writes,
and nothing else; nothing at all while a manifest cannot be read."""
# timeout: 90
# labels: slow
import glob
import os
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import TIME_FACTOR, Failed, Server, TarnError, check, contains, equal, eventually, main, test  # noqa: E402

UUID = "0a1b2c3d-0000-4000-8000-0123456789ab"
# At the first nothing has its name yet, at the other everything has but the pointer's move.
POINTS = ("commit.data", "commit.metadata", "commit.metadata")
STRANGERS = ("notes.txt", "data/part-00000.parquet", f"data/part-{UUID}.parquet", f"{UUID}.parquet",
             f"data/{UUID}.csv", f"metadata/{UUID}-stats.puffin")


class Lake:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tarn-lake-")
        self.server = Server(settings={"warehouse.roots": self.folder, "warehouse.location": "file://" + self.folder,
                                       "store.orphan_age": "24h"})
        self.rows = 0

    def __enter__(self):
        self.server.__enter__()
        self.server.query("CREATE TABLE t (a BIGINT)")
        self.insert()
        return self

    def __exit__(self, *error):
        try:
            self.server.__exit__(*error)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def insert(self):
        self.server.query("INSERT INTO t SELECT range FROM range(10)")
        self.rows += 10

    def killed_insert(self, point):
        """An insert that dies there: its rows are not told."""
        self.killed("INSERT INTO t SELECT range FROM range(10)", point)

    def killed(self, sql, point):
        self.server.stop()
        self.server.start(env={"TARN_FAULT_ALLOW": "1", "TARN_FAULT": f"{point}=kill@1"})
        try:
            self.server.query(sql)
        except (OSError, TarnError):
            pass
        check(self.server.process.wait(6 * TIME_FACTOR) == -9, f"{point}: the server did not die")

    @property
    def table(self):
        return glob.glob(self.folder + "/main/t-*")[0]

    def files(self, below=""):
        return {os.path.relpath(os.path.join(folder, name), self.table)
                for folder, _, names in os.walk(os.path.join(self.table, below)) for name in names}

    def plant_strangers(self):
        for name in STRANGERS:
            with open(os.path.join(self.table, name), "w", encoding="utf-8") as file:
                file.write("not ours")
        for folder, _, names in os.walk(self.table):
            for name in names:  # all of two days ago, what is needed as well
                os.utime(os.path.join(folder, name), (time.time() - 2 * 86400,) * 2)

    def wait_for(self, name, least):
        deadline = time.monotonic() + 6 * TIME_FACTOR
        while self.server.metrics()[name] < least:
            if time.monotonic() > deadline:
                raise Failed(f"{name} stays {self.server.metrics()[name]}")
            time.sleep(0.02)

    def check_rows(self):
        equal(int(self.server.value("SELECT count(*) FROM t")), self.rows)


@test
def what_killed_commits_left_goes_and_nothing_else():
    with Lake() as lake:
        before = lake.files()
        for point in POINTS:
            lake.killed_insert(point)
        left = lake.files() - before
        check(len(left) >= 2 * 4, f"the kills left {left}")
        check(len([name for name in left if name.startswith("data/")]) >= 2, f"data files: {left}")
        lake.plant_strangers()
        written = []

        def write():
            with lake.server.client() as client:
                while not done.is_set() or len(written) < 3:
                    client.query("INSERT INTO t VALUES (1)")
                    written.append(1)

        # For a day they stay.
        lake.server.start()
        lake.insert()
        equal(left - lake.files(), set())
        lake.server.stop()
        lake.server.start(settings={"store.orphan_age": "1s"})
        done = threading.Event()
        writer = threading.Thread(target=write)
        writer.start()
        try:
            lake.wait_for("tarn_swept_files_total", len(left))
        finally:
            done.set()
            writer.join()
        lake.rows += len(written)
        lake.check_rows()
        equal(lake.server.metrics()["tarn_swept_files_total"], len(left))
        equal(lake.server.metrics()["tarn_sweeps_failed_total"], 0)
        contains(lake.server.log_text(), "files of unfinished commits removed")
        equal(lake.server.stop(), 0)
        equal(left & lake.files(), set(), "still there")
        equal(set(STRANGERS) - lake.files(), set(), "of strangers, and gone")
        lake.server.start()
        lake.check_rows()
        equal(lake.server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)


@test
def what_a_killed_change_of_a_view_left_goes():
    with Lake() as lake:
        lake.server.query("CREATE VIEW v AS SELECT 1 AS a")
        folder = glob.glob(lake.folder + "/main/v-*/metadata")[0]
        current = set(os.listdir(folder))
        for _ in range(2):
            lake.killed("BEGIN; CREATE OR REPLACE VIEW v AS SELECT 2 AS a; COMMIT", "txn.staged")
        equal(len(set(os.listdir(folder)) - current), 2, "what the kills left")
        time.sleep(0.2)  # what is of a start's own tick of the clock may be of that process
        lake.server.start(settings={"store.orphan_age": "1s"})
        lake.wait_for("tarn_swept_files_total", 2)
        eventually(lambda: set(os.listdir(folder)) == current, "the view's files")
        equal(lake.server.value("SELECT a FROM v"), 1)
        equal(lake.server.metrics()["tarn_sweeps_failed_total"], 0)
        lake.server.query("CREATE OR REPLACE VIEW v AS SELECT 3 AS a")
        equal(lake.server.value("SELECT a FROM v"), 3)


@test
def a_purge_takes_the_hint_that_a_kill_left_unfinished():
    with Lake() as lake:
        hint = os.path.join(lake.table, "metadata/version-hint.text.00112233445566aa.new")
        strange = os.path.join(lake.table, "metadata/version-hint.text.mine.new")
        lake.server.stop()
        for path in (hint, strange):
            with open(path, "w", encoding="utf-8") as file:
                file.write("00001")
            os.utime(path, (time.time() - 3600,) * 2)
        lake.server.start()
        table = lake.table
        lake.server.request("DELETE", "/iceberg/v1/tarn/namespaces/main/tables/t?purgeRequested=true").ok()
        eventually(lambda: not os.path.exists(hint), hint)
        check(os.path.exists(strange), strange)
        eventually(lambda: not glob.glob(table + "/metadata/*.json"), "metadata of the purged table")


@test
def nothing_goes_while_a_manifest_cannot_be_read():
    with Lake() as lake:
        before = lake.files()
        lake.killed_insert("commit.metadata")
        left = lake.files() - before
        check(len(left) > 1, f"the kill left {left}")
        lake.plant_strangers()
        # Of another table: what it needs is not known then, either.
        lake.server.start()
        lake.server.query("CREATE TABLE other AS SELECT 1 AS a")
        lake.server.stop()
        manifest = glob.glob(lake.folder + "/main/other-*/metadata/*-m0.avro")[0]
        with open(manifest, "rb") as file:
            whole = file.read()
        with open(manifest, "wb") as file:
            file.write(whole[:len(whole) // 2])
        present = lake.files()
        lake.server.start(settings={"store.orphan_age": "1s"})
        lake.wait_for("tarn_sweeps_failed_total", 2)
        equal(lake.server.metrics()["tarn_swept_files_total"], 0)
        contains(lake.server.log_text(), "files of unfinished commits not removed")
        equal(lake.files(), present)
        with open(manifest, "wb") as file:
            file.write(whole)
        lake.wait_for("tarn_swept_files_total", len(left))
        lake.server.stop()
        equal(lake.files(), present - left)
        lake.server.start()
        lake.check_rows()


main()

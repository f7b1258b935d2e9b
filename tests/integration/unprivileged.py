#!/usr/bin/env python3
# timeout: 180
"""Everything works without root's rights, as people run it: nothing may lean on root's passing over modes of files.
Run by root, the tests give these rights up first, with a program and a folder that anybody may read."""
import encodings.idna  # noqa: F401  (not to be found later, where Python lies in a folder of root)
import os
import shutil
import sys
import tempfile

NOBODY = 65534
PROGRAM = os.environ["TARN_BIN"]


def copy_of_program():
    """A folder of nobody's with the program in it: where the built one lies, nobody may not look."""
    work = tempfile.mkdtemp(prefix="tarn-test-")
    for name in ("tarn", "libduckdb.so"):
        source = os.path.join(os.path.dirname(os.path.abspath(PROGRAM)), name)
        if os.path.exists(source):
            shutil.copy2(source, os.path.join(work, name))
    os.chown(work, NOBODY, NOBODY)
    os.environ.update(TARN_BIN=os.path.join(work, "tarn"), HOME=work, TMPDIR=work)
    return work


OWN = copy_of_program() if os.getuid() == 0 else None
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, check, contains, equal, main, read_blobs, run_tarn, skip, test  # noqa: E402

if OWN is not None:
    os.chdir(OWN)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def need_library():
    if OWN is not None and not os.path.exists(os.path.join(OWN, "libduckdb.so")):
        skip("no DuckDB library")


def fill(server, where=""):
    server.query(f"CREATE TABLE t (id BIGINT, name VARCHAR) {where}")
    server.query("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    server.ingest("t", [{"id": 3, "name": "three"}])
    server.query("DELETE FROM t WHERE id = 2")
    equal(server.rows("SELECT id, name FROM t ORDER BY id"), [[1, "one"], [3, "three"]])


@test
def nobody_is_root_here():
    check(os.getuid() != 0 and os.geteuid() != 0, "these tests run as root")


@test
def tables_are_made_written_read_and_dropped():
    need_library()
    with Server() as server:
        fill(server)
        modes = {oct(info.st_mode & 0o777) for _, _, info in read_blobs(server, 0)}
        equal(modes, {"0o400"}, "modes of blobs: nobody may write one")
        server.query("DROP TABLE t")


@test
def tables_in_folders_too():
    need_library()
    with Server(start=False) as server:
        folder = os.path.join(server.work, "lake")
        os.mkdir(folder)
        server.settings = {"warehouse.roots": folder}
        server.start()
        fill(server, f"WITH (location = 'file://{folder}/t')")


@test
def backup_restore_and_recover():
    need_library()
    with Server() as server:
        fill(server)
        target = os.path.join(server.work, "copy")
        code, _, err = server.run("backup", target)
        equal(code, 0, err)
        server.stop()
        code, _, err = server.run("recover", "--yes")
        equal(code, 0, err)
        server.start()
        equal(server.value("SELECT count(*) FROM t"), 2, "recovered")
        again = os.path.join(server.work, "again")
        code, _, err = run_tarn("restore", target, "--data", again)
        equal(code, 0, err)
        code, out, err = run_tarn("sql", "--data", again, "-c", "INSERT INTO t VALUES (4, 'four')", "-c",
                                  "SELECT count(*) AS n FROM t")
        equal((code, out.split()), (0, ["n", "3"]), err)


@test
def a_command_starts_its_own_server():
    need_library()
    with Server(start=False) as server:
        with open(os.path.join(server.work, "people.csv"), "w", encoding="utf-8") as file:
            file.write("id,name\n1,ada\n2,bob\n")
        code, _, err = server.run("load", "people", file.name)
        equal(code, 0, err)
        code, out, err = server.run("sql", "-c", "SELECT name FROM people ORDER BY id")
        equal((code, out.split()), (0, ["name", "ada", "bob"]), err)


@test
def a_folder_that_one_may_not_write_is_refused_by_name():
    with Server(start=False) as server:
        closed = os.path.join(server.work, "closed")
        os.mkdir(closed, 0o500)
        code, _, err = run_tarn("status", "--data", os.path.join(closed, "data"))
        equal(code, 4, err)
        contains(err, closed)


try:
    main()
finally:
    if OWN is not None:
        shutil.rmtree(OWN, ignore_errors=True)

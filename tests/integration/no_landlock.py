#!/usr/bin/env python3
"""A kernel without Landlock: SQL is refused, with the reason and the cure, and the rest serves; SQL without a sandbox
runs only where the settings say so. A filter of system calls makes this kernel one of that kind."""
import ctypes
import errno
import os
import struct
import sys

CREATE_RULESET = 444  # on every machine
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000


class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def run_without_landlock(command):
    """Becomes the command, for which, and for all that it starts, the kernel has no Landlock."""
    steps = [(LOAD_WORD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, CREATE_RULESET), (RETURN, 0, 0, FAIL | errno.ENOSYS),
             (RETURN, 0, 0, ALLOW)]
    program = Program(len(steps), b"".join(struct.pack("=HBBI", *step) for step in steps))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        sys.exit("no filter: " + os.strerror(ctypes.get_errno()))
    os.execv(command[0], command)


if sys.argv[1:2] == ["--run"]:
    run_without_landlock(sys.argv[2:])

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Server, contains, equal, fails, main, test  # noqa: E402

WRAP = (sys.executable, os.path.abspath(__file__), "--run")


@test
def sql_is_refused_and_the_rest_serves():
    with Server(wrap=WRAP) as server:
        error = fails("unavailable", server.query, "SELECT 1", status=503)
        contains(error.message, "Landlock")
        contains(error.hint, "engine.sandbox = unsafe")
        equal(server.request("GET", "/api/v1/namespaces").ok().json["namespaces"][0]["name"], "main")
        code, out, err = server.run("sql", "-c", "SELECT 1")
        equal((code, out), (7, ""), err)
        contains(err, "engine.sandbox = unsafe")


@test
def it_runs_where_the_settings_say_so():
    with Server(wrap=WRAP, settings={"engine.sandbox": "unsafe"}) as server:
        equal(server.value("SELECT 1"), 1)
        server.query("CREATE TABLE t AS SELECT 7 AS n")
        equal(server.value("SELECT n FROM t"), 7)


@test
def with_landlock_the_same_server_answers():
    with Server() as server:
        equal(server.value("SELECT 1"), 1)


main()

#!/usr/bin/env python3
"""The shell on a terminal of 80 columns and 24 lines: what it prints for each line that is typed stands in
tests/golden/shell/session.txt (--write makes it anew); completion, Ctrl-C, history and pager are asked for by themselves."""
# timeout: 240
# without: sanitizers
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import BIN, TIME_FACTOR, Server, check, contains, equal, main, run_tarn, test  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/shell/session.txt")
WRITE = "--write" in sys.argv
sys.argv = [word for word in sys.argv if word != "--write"]
PROMPT = re.compile(r"(tarn[:a-z*!]*> |  [ '(\"*$]\.\.\. )$")
WORK = tempfile.mkdtemp(prefix="tarn-shell-")
DATA = os.path.join(WORK, "data")

LINES = r"""
select * from fruit order by id;
select id,
  name
from fruit where id = 1;
selct 1;
select id,
  nome from fruit;
select * from friut;
\d fruit
\dn
\dt nowhere
\x auto
select * from wide;
\x off
select * from wide;
select 'a''b;c' as text, null as nothing, [1, 2] as list;
\pset null -
\pset border 2
select 12345 as number, null as gap, '漢字' as two;
\pset format csv
select 1 as a, 'x,y' as b;
\pset format parquet
select 1;
\pset format table
\set fruit apple
select id from fruit where name = :'fruit';
\echo :fruit is set
\copy fruit to 'fruit.jsonl'
\copy fruit from 'nothing.csv'
\o out.txt
select 1 as one;
\o
\i outer.sql
insert into fruit values (4, 'fig', 1.25);
select count(*) as n from fruit \gx
\timming
\h truncate
\dt fruit
create view cheap as
select id, name from fruit where price < 3;
\d cheap
show create view cheap;
\dv
\! echo told by a program; exit 3
\copy nothing from 'fruit.jsonl'
selec * from fruit;
select * from fruit where name = "apple";
summarize wide;
begin;
create table made as select 1 as x;
\d fruit
selct;
commit;
begin;
alter table fruit add column more integer;
rollback;
drop table if exists nothing;
create schema other;
use other;
\q
""".strip().split("\n")


class Shell:
    def __init__(self, data=DATA, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(WORK)
            for name in [name for name in os.environ if name.startswith("TARN_")]:
                if name not in ("TARN_ENGINE_DUCKDB_LIBRARY",):
                    del os.environ[name]
            os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8", "PAGER": "cat", "XDG_STATE_HOME": WORK + "/state"})
            os.environ.update(env)
            os.execv(BIN, [BIN, "--data", data, "sql"])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.screen = ""
        self.until(PROMPT)

    def until(self, wanted):
        """What came until the text ends with a prompt, or holds what is wanted."""
        got, deadline = b"", time.monotonic() + 20 * TIME_FACTOR
        while time.monotonic() < deadline:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    piece = os.read(self.fd, 65536)
                except OSError:
                    piece = b""
                got += piece
                if piece:
                    continue
            text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\x07", "", got.decode("utf-8", "replace"))
            self.screen += text
            if wanted is None and not select.select([self.fd], [], [], 0)[0] or \
                    wanted is not None and (wanted.search(self.screen) if hasattr(wanted, "search") else wanted in self.screen):
                screen, self.screen = self.screen, ""
                return screen
            got = b""
        raise AssertionError(f"waited in vain for {wanted}: {self.screen[-500:]!r}")

    def type(self, text, wanted=PROMPT):
        os.write(self.fd, text.encode())
        return self.until(wanted)

    def end(self):
        os.write(self.fd, b"\x04")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def prepare():
    if os.path.exists(DATA):
        return
    code, _, err = run_tarn("--data", DATA, "sql", "-c", "create table fruit as select 1 as id, 'apple' as name, 2.5 as price "
                            "union all select 2, 'ä漢字', 3 union all select 3, null, null",
                            "-c", "create table wide as select " + ", ".join(f"{n} * 1000 as column_number_{n}" for n in range(1, 13)),
                            env={"XDG_STATE_HOME": WORK + "/state"})
    equal(code, 0, err)
    with open(WORK + "/outer.sql", "w", encoding="utf-8") as file:
        file.write("\\echo outer\nselect 1\n  as first;\n\\i inner.sql\nselect 'never';\n")
    with open(WORK + "/inner.sql", "w", encoding="utf-8") as file:
        file.write("-- a comment; with a mark\nselect 2 as second;\nselect\n  nome from fruit;\n")


@test
def a_session_prints_what_it_should():
    prepare()
    shell, told = Shell(), []
    for line in LINES:
        if line == "\\q":
            break
        answer = shell.type(line + "\n").split("\n")
        prompt = answer[-1]
        kept = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z?", "<time>", "\n".join(answer[1:-1]))
        kept = re.sub(r"\d+ B\b", "<size>", kept)
        told.append(f">>> {line}\n{kept}" + ("\n" if kept else "") + (f"[{prompt.strip()}]\n" if not prompt.startswith("tarn>") else ""))
    equal(shell.end(), 0, "the shell ends well")
    text = "".join(told)
    if WRITE:
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.write(text)
    with open(GOLDEN, encoding="utf-8") as file:
        wanted = file.read()
    for got, expected in zip(text.split(">>> "), wanted.split(">>> ")):
        equal(got, expected)
    equal(text, wanted)


@test
def tab_completes_keywords_tables_columns_functions_and_commands():
    prepare()
    shell = Shell()
    contains(shell.type("sel\t", "select "), "select")
    contains(shell.type("* from fru\t", "fruit "), "fruit")
    shell.type("\x03")
    contains(shell.type("select f.pri\t from fruit f\x01\x03"), "tarn>")
    contains(shell.type("select * from fruit where na\t", "name"), "name")
    shell.type("\x03")
    contains(shell.type("select date_tru\t", "date_trunc("), "date_trunc(")
    shell.type("\x03")
    contains(shell.type("\\conn\t", "\\conninfo "), "conninfo")
    shell.type("\x03")
    contains(shell.type("\\i oute\t", "outer.sql"), "outer.sql")
    shell.type("\x03")
    equal(shell.end(), 0)


@test
def ctrl_c_ends_a_query_and_watch_and_keeps_the_shell():
    prepare()
    shell = Shell()
    shell.type("select count(*) from range(1000000000000) t(a) where a*a%7=99;\n", "running,")  # its progress
    contains(shell.type("\x03"), "cancelled")
    shell.type("select 'tick' as w \\watch 0.1\n", re.compile(r"(tick[^k]*){3}", re.S))
    shell.type("\x03")
    contains(shell.type("select 40 + 2 as still_here;\n"), "42")
    equal(shell.end(), 0)


@test
def a_server_that_was_started_again_is_found():
    with Server() as server:
        shell = Shell(data=server.data)
        contains(shell.type("select 40 + 2 as answer;\n"), "42")
        server.restart()
        answer = shell.type("select 40 + 2 as answer;\n")
        contains(answer, "it is open again: say it once more")
        check("hint" not in answer, answer)
        shell.type("begin;\n")
        server.kill()
        server.start()
        contains(shell.type("select 1;\n"), "the transaction is gone")
        contains(shell.type("select 40 + 2 as answer;\n"), "42")
        server.restart()
        contains(shell.type("\\dn\n"), "it is open again")
        contains(shell.type("\\dn\n"), "main")
        equal(shell.end(), 0)


@test
def a_long_result_goes_to_the_pager():
    prepare()
    shell = Shell(PAGER="sed s/^/PAGED/")
    check("PAGED" not in shell.type("select * from range(5);\n"), "what fits is printed")
    contains(shell.type("select * from range(100);\n"), "PAGED   99")
    equal(shell.end(), 0)


@test
def the_history_is_kept_and_private():
    prepare()
    shell = Shell()
    shell.type("select 'remember\nme' as it;\n")
    equal(shell.end(), 0)
    equal(os.stat(WORK + "/state/tarn/history").st_mode & 0o777, 0o600, "nobody else reads it")
    shell = Shell()
    contains(shell.type("\x10\n"), "me")
    equal(shell.end(), 0)


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)

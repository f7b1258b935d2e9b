#!/usr/bin/env bash
# The interactive shell on a terminal of 80 columns: lines, completion, backslash commands, Ctrl-C, history.
# timeout: 90
# without: sanitizers
# (libedit keeps the last lines of its history at exit: a leak to them)
: "${TARN_BIN:?}" "${TARN_SOURCE:?}"
. "$TARN_SOURCE/tests/integration/cli_lib.bash" || exit 1
cd "$work" || exit 1

run sql -c "create table fruit as select 1 as id, 'apple' as name, 2 as price"; expect_code 0
cat >terminal.py <<'P'
"""Types lines into a program on a terminal, each when the screen shows what it waits for."""
import fcntl, os, pty, re, select, struct, subprocess, sys, termios, time

def running():
    """Until the shell's query runs: a Ctrl-C before it would be for the line that is typed."""
    for _ in range(600):
        if '"running"' in subprocess.run([sys.argv[1], "query", "ls", "-o", "jsonl"], capture_output=True, text=True).stdout:
            return
        time.sleep(0.1)
    print("the query never ran")

def shell(program, steps):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(program, [program, "sql"])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    screen, seen = b"", 0
    for wanted, text in steps + [(None, None)]:
        deadline = time.time() + 200
        while time.time() < deadline and (wanted is None or wanted.encode() not in screen[seen:]):
            if not select.select([fd], [], [], 0.1)[0]:
                continue
            try:
                piece = os.read(fd, 65536)
            except OSError:
                piece = b""
            if not piece:
                break
            screen += piece
        else:
            if wanted is not None and wanted.encode() not in screen[seen:]:
                print("waited in vain for", repr(wanted))
                break
        seen = len(screen)
        if text == "\x03":
            running()
        if text is not None:
            time.sleep(0.2)
            os.write(fd, text.encode())
    status = os.waitpid(pid, 0)[1]
    print(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", screen.decode(errors="replace")))
    print("exit", os.waitstatus_to_exitcode(status))

shell(sys.argv[1], [
    ("tarn> ", "select name from fru\t;\n"),
    ("(1 row)", "select id,\n"), ("   ... ", "price\nfrom fruit;\n"), ("(1 row)", "\\d fruit\n"),
    ("updated", "\\dt\n"), ("fruit", "selct 1;\n"), ("syntax error", "\\timing\n"), ("timing is on", "\\x\n"),
    ("display is on", "select * from fruit;\n"), ("apple", "select count(*) from range(1000000000000) t(a) where a*a%7=99;\n"),
    ("99;", "\x03"), ("cancelled", "select 40 + 2 as still_here;\n"), ("42", "half a line\x03"), ("tarn> ", "\\n nowhere\n"),
    ("nowhere", "\\?\n"), ("\\q ", "\\q\n"),
])
P
"$(command -v python3)" terminal.py "$tarn" >out.txt 2>err.txt
code=$? last="the shell" out=$(cat out.txt) err=$(cat err.txt)
expect_code 0
for wanted in "apple" "id  price" "column  type" "syntax error at or near" 'name  | apple' "cancelled" "still_here" "exit 0"; do
    expect_out_has "$wanted"
done
case "$out" in *"in vain"* | *"never ran"*) fail "everything is answered" ;; esac
expect_true "statements are remembered" grep -q fruit "$XDG_STATE_HOME/tarn/history"
finish

"""Reads what strace -f -ttt -y wrote: finished system calls in the order of their ends."""
import re
import shutil
import subprocess

from tarn import skip

LINE = re.compile(r"^(\d+)\s+(\d+\.\d+) (.*)$")
UNFINISHED = re.compile(r"^(\w+)\((.*?)\s*<unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
WHOLE = re.compile(r"^(\w+)\((.*)$")
RESULT = re.compile(r"^(.*)\)\s+= (-?\d+|0x[0-9a-f]+|\?)(?:<(.*?)>)?(?: .*)?$", re.DOTALL)
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")


class Call:
    """One system call: thread, begin and end (seconds), name, arguments as text, result."""

    def __init__(self, thread, begin, end, name, arguments, result):
        self.thread, self.begin, self.end, self.name = thread, begin, end, name
        self.arguments, self.result = arguments, result

    @property
    def path(self):
        """The path of the descriptor that is the first argument."""
        found = DESCRIPTOR.match(self.arguments)
        return found.group(1).removesuffix("(deleted)") if found else ""

    @property
    def texts(self):
        return PATH.findall(self.arguments)

    def __repr__(self):
        return f"{self.begin:.6f}-{self.end:.6f} {self.name}({self.arguments[:120]}) = {self.result}"


def command(output, calls, text_size=64):
    """What to put before a program's command line; skips where strace cannot be used."""
    strace = shutil.which("strace")
    if strace is None:
        skip("strace is not installed")
    probe = subprocess.run([strace, "-f", "-o", "/dev/null", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        skip("strace may not trace here")
    return [strace, "-f", "-ttt", "-y", "--seccomp-bpf", "-qq", "-s", str(text_size), "-e", "trace=" + ",".join(calls),
            "-e", "signal=none", "-o", output]


def read(path):
    calls, waiting = [], {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for text in file:
            line = LINE.match(text.rstrip("\n"))
            if not line:
                continue
            thread, when, rest = int(line.group(1)), float(line.group(2)), line.group(3)
            cut, resumed = UNFINISHED.match(rest), RESUMED.match(rest)
            begin = when
            if cut:
                waiting[thread] = (when, cut.group(1), cut.group(2))
                continue
            if resumed and thread in waiting:
                begin, name, head = waiting.pop(thread)
                rest = head + resumed.group(2)
            else:
                whole = WHOLE.match(rest)
                if not whole:
                    continue
                name, rest = whole.group(1), whole.group(2)
            result = RESULT.match(rest)
            if result:
                value = result.group(2)
                number = None if value == "?" else int(value, 0)
                calls.append(Call(thread, begin, when, name, result.group(1), number))
    return calls

"""What the checks share: the files of the tree, the modules, C text without its comments, findings.

A check prints one line for each finding, `file:line: what; cure`, and exits 1 if there was one.
Exceptions are lines of tools/lint/exceptions.txt: `rule path reason`. One that is no longer needed
is itself a finding, so that the list only shrinks.
"""
import os
import re
import subprocess
import sys

# The variable is for check_rules.py, which tries the checks on a tree of its own.
ROOT = os.environ.get("TARN_LINT_ROOT") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
EXCEPTIONS = "tools/lint/exceptions.txt"


class Findings:
    """Collects findings of the rules named; takes away what the exceptions allow."""

    def __init__(self, rules):
        self.rules = rules
        self.lines = []
        self.used = set()
        self.exceptions = {}
        for number, line in enumerate(read(EXCEPTIONS).splitlines(), 1):
            words = line.split("#", 1)[0].split(None, 2)
            if not words:
                continue
            if len(words) < 3:
                self.lines.append(f"{EXCEPTIONS}:{number}: no reason is given; write: rule path reason")
                continue
            self.exceptions[(words[0], words[1])] = number

    def add(self, rule, path, line, text):
        assert rule in self.rules, rule
        if (rule, path) in self.exceptions:
            self.used.add((rule, path))
        else:
            self.lines.append(f"{path}:{line}: {text} [{rule}]")

    def finish(self, checked):
        for key, number in self.exceptions.items():
            if key[0] in self.rules and key not in self.used:
                self.lines.append(f"{EXCEPTIONS}:{number}: {key[1]} needs no exception from {key[0]} any more; remove the line")
        for line in sorted(self.lines, key=natural):
            print(line)
        print(f"{checked}: " + (f"{len(self.lines)} findings" if self.lines else "clean"))
        sys.exit(1 if self.lines else 0)


def natural(line):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", line)]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def files():
    """Paths of all files that belong to the project, whether committed yet or not."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
        found = [path for path in out.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):  # a source archive
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [name for name in folders if name not in ("build", ".deps", ".git")]
            found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return sorted(path for path in set(found) if os.path.isfile(os.path.join(ROOT, path)))


def c_files():
    """The C files that people write: generated and foreign ones lie elsewhere."""
    return [path for path in files()
            if path.endswith((".c", ".h")) and path.split("/")[0] in ("src", "tests", "bench", "examples")]


TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.DOTALL)


def blank(text, strings=True):
    """C text with comments (and strings) turned into spaces; lines and columns stay where they are."""
    def empty(match):
        found = match.group()
        if found[0] in "\"'":
            if not strings:
                return found
            return found[0] + " " * (len(found) - 2) + found[-1]
        return re.sub(r"[^\n]", " ", found)
    return TOKEN.sub(empty, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Module:
    def __init__(self, name, depends, libs, program):
        self.name, self.depends, self.libs, self.program = name, depends, libs, program


def modules():
    """The modules in the order of the layers, as src/CMakeLists.txt and tarn_module() say."""
    found = {}
    for name in re.findall(r"^add_subdirectory\((\w+)\)", read("src/CMakeLists.txt"), re.MULTILINE):
        text = re.sub(r"#[^\n]*", "", read(f"src/{name}/CMakeLists.txt"))
        call = re.search(r"tarn_module\(([^)]*)\)", text)
        if not call:
            sys.exit(f"src/{name}/CMakeLists.txt: there is no tarn_module(NAME {name} …)")
        words, key = {"NAME": [], "DEPENDS": [], "LIBS": [], "EXECUTABLE": []}, None
        for word in call.group(1).split():
            if word in words:
                key = word
            else:
                words[key].append(word)
        found[name] = Module(name, words["DEPENDS"], words["LIBS"], "".join(words["EXECUTABLE"]))
    return found

"""The style that a machine can see. Each rule is a function below, and says why it is there.
Formatting is clang-format's (check_format.sh), includes are check_layers.py's.
"""
import os
import re

import tree

FUNCTION_LINES_MAX = 100
FILE_LINES_MAX = 800
README_LINES_MAX = 60
COLUMNS_MAX = 120  # clang-format keeps code at 100; this is for what it leaves alone, comments and strings

RULES = ["banned", "function-size", "file-size", "columns", "guard", "todo", "words", "message",
         "readme", "golden", "first-comment", "type-name"]

# --- banned: calls that invite mistakes, and what to use. A call, by name, and where it is allowed. ---
ANYWHERE, BASE, FRONT = "nowhere", "base", "base, cli and main"
BANNED = {
    **dict.fromkeys(["strcpy", "strcat", "strncpy", "strncat", "stpcpy", "sprintf", "vsprintf", "gets"],
                    (ANYWHERE, "use buf_printf, arena_printf or snprintf")),
    **dict.fromkeys(["strtok", "strtok_r"], (ANYWHERE, "use str_cut")),
    **dict.fromkeys(["atoi", "atol", "atoll", "atof"], (ANYWHERE, "use str_to_int64 or str_to_double, which fail")),
    **dict.fromkeys(["strtol", "strtoll", "strtoul", "strtoull", "strtod"],
                    (BASE, "use str_to_int64, str_to_uint64 or str_to_double")),
    **dict.fromkeys(["sscanf", "fscanf", "scanf"], (BASE, "parse with str_cut and str_to_int64")),
    **dict.fromkeys(["gmtime", "localtime", "ctime", "asctime", "mktime", "timegm", "localtime_r"],
                    (ANYWHERE, "use base/clock.h: these depend on time zones, locale or shared memory")),
    **dict.fromkeys(["time", "gettimeofday", "clock_gettime"], (BASE, "use base/clock.h, which tests can set")),
    **dict.fromkeys(["rand", "srand", "random", "srandom", "drand48"], (ANYWHERE, "use base/rng.h")),
    **dict.fromkeys(["getrandom"], (BASE, "use base/rng.h, which tests can seed")),
    **dict.fromkeys(["malloc", "calloc", "realloc", "free", "strdup", "strndup", "asprintf", "vasprintf"],
                    (BASE, "use an arena, mem_alloc and mem_free, or a buf")),
    **dict.fromkeys(["alloca", "setjmp", "longjmp", "tmpnam", "mktemp", "tempnam", "system", "popen"],
                    (ANYWHERE, "there is a safe way to do it")),
    **dict.fromkeys(["strerror"], (BASE, "use error_errno: strerror is not safe with threads")),
    **dict.fromkeys(["assert"], (ANYWHERE, "use ASSERT, which stays on in release builds")),
    **dict.fromkeys(["typeof", "__typeof__"], (ANYWHERE, "write the type")),
    **dict.fromkeys(["printf", "puts", "putchar", "perror", "vprintf"],
                    (FRONT, "return an error, or log: only the command line prints")),
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(sorted(BANNED, key=len, reverse=True)) + r")\s*\(")
ALLOWED_IN = {ANYWHERE: (), BASE: ("base",), FRONT: ("base", "cli", "main")}


def check_banned(findings, path, text, code):
    if not path.startswith("src/"):
        return
    module = path.split("/")[1]
    for match in CALL.finditer(code):
        where, cure = BANNED[match.group(1)]
        if module not in ALLOWED_IN[where]:
            findings.add("banned", path, tree.line_of(code, match.start()), f"{match.group(1)}() is not used here; {cure}")
    for match in re.finditer(r"\(\{", code):
        findings.add("banned", path, tree.line_of(code, match.start()), "statement expression; write a function")


# --- sizes: what is short can be read; an exception is a line with its reason ---
def check_sizes(findings, path, text, code):
    lines = code.split("\n")
    count = len(lines) - 1
    if count > FILE_LINES_MAX:
        findings.add("file-size", path, FILE_LINES_MAX, f"{count} lines, {FILE_LINES_MAX} at most; split it by purpose")
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            size = number - start - 1
            if size > FUNCTION_LINES_MAX:
                name = re.findall(r"(\w+)\s*\(", " ".join(lines[max(0, start - 5):start - 1]).split("}")[-1])
                findings.add("function-size", path, start,
                             f"{name[0] if name else 'function'} has {size} lines, {FUNCTION_LINES_MAX} at most; name its parts")
            start = None
    formatted = True
    for number, line in enumerate(text.split("\n"), 1):
        if "clang-format off" in line:
            formatted = False
        elif "clang-format on" in line:
            formatted = True
        elif formatted and len(line) > COLUMNS_MAX:
            findings.add("columns", path, number, f"{len(line)} columns, {COLUMNS_MAX} at most")


# --- header guards: named after the path, so that no two are the same. A private header may leave out
#     the folders between its module and itself: stems are unique within a module. ---
def check_guard(findings, path, text, code):
    if not path.endswith(".h"):
        return
    stem = re.sub(r"^(src/\w+/include/tarn/|src/)", "", path)
    stem = re.sub(r"^(tests/support/|tests/)", "test/", stem)
    parts = stem.split("/")
    wanted = [guard_of(parts), guard_of(parts[:1] + parts[-1:])]
    found = re.search(r"^#ifndef (\w+)\n#define (\w+)$", code, re.MULTILINE)
    if not found or found.group(1) != found.group(2) or found.group(1) not in wanted or "#pragma once" in code:
        findings.add("guard", path, 1, f"the guard is not {wanted[0]}; write: #ifndef {wanted[0]}, #define {wanted[0]}")


def guard_of(parts):
    words = "_".join("TARN" if part == "tarn" else re.sub(r"[^A-Z0-9]+", "_", part.upper()) for part in parts)
    return "TARN_TEST_H" if words == "TEST_TEST_H" else "TARN_" + words


# --- types: POSIX keeps names that end in _t for itself ---
def check_type_names(findings, path, text, code):
    for match in re.finditer(r"^(?:typedef\b[^;{]*\b|\} ?)(\w+_t);", code, re.MULTILINE):
        findings.add("type-name", path, tree.line_of(code, match.start(1)), f"type {match.group(1)} ends in _t; leave it off")


# --- messages: PostgreSQL's rules, as far as a pattern sees them ---
MESSAGE = re.compile(r"\berror_(set|errno|context|hint|detail)\s*\(")
FORMAT_AT = {"set": 2, "errno": 3, "context": 1, "hint": 1, "detail": 1}
PROPER = {"Avro", "Parquet", "Arrow", "Iceberg", "Landlock", "Linux", "Python", "Content", "Host", "Origin",
          "Transfer", "Authorization", "Expect", "Unicode", "Snappy", "Zstandard"}


def arguments(text, start):
    """The arguments of a call whose opening bracket ends at `start`, as text."""
    found, depth, begin, i = [], 0, start, start
    while i < len(text):
        c = text[i]
        if c == '"' or c == "'":
            match = tree.TOKEN.match(text, i)
            i = match.end() if match else i + 1
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                return found + [text[begin:i]]
            depth -= 1
        elif c == "," and depth == 0:
            found.append(text[begin:i])
            begin = i + 1
        i += 1
    return found


def check_messages(findings, path, text, code):
    if not path.startswith("src/"):
        return
    visible = tree.blank(text, strings=False)
    for match in MESSAGE.finditer(code):
        kind = match.group(1)
        parts = arguments(visible, match.end())
        if len(parts) <= FORMAT_AT[kind]:
            continue
        literals = re.findall(r'"((?:\\.|[^"\\])*)"', parts[FORMAT_AT[kind]])
        if not literals or not parts[FORMAT_AT[kind]].strip().startswith('"'):
            continue
        message = "".join(literals)
        line = tree.line_of(code, match.start())
        word = re.match(r"[A-Z][a-z]+", message)
        sentence = kind in ("hint", "detail")
        if not sentence and word and word.group() not in PROPER and not re.match(r"\w*[A-Z]\w*[A-Z]", message):
            findings.add("message", path, line, f'message "{message}" starts with a capital; messages start lower case')
        if not sentence and re.search(r"[.!]$|\\n$", message) and not message.endswith("..."):
            findings.add("message", path, line, f'message "{message}" ends like a sentence; leave the end off')
        if kind == "hint" and re.match(r"(?!tarn )[a-z]", message):
            findings.add("message", path, line, f'hint "{message}" is a sentence; start it with a capital')
        if sentence and not re.search(r"([.?!]|%s|%\.\*s)\)?$", message):
            findings.add("message", path, line, f'{kind} "{message}" is a sentence; end it with a full stop')
        if re.search(r"\b[a-z_]+\(\)", message):
            findings.add("message", path, line, f'message "{message}" names a function; say what failed for the reader')


# --- TODO: one form, with a topic that can be searched for ---
def check_todo(findings, path, text):
    for match in re.finditer(r"\b(TODO|FIXME|XXX|HACK)\b", text):
        if match.group(1) != "TODO" or not re.match(r"TODO\([a-z][a-z0-9 -]*\): \S", text[match.start():]):
            findings.add("todo", path, tree.line_of(text, match.start()), f"{match.group(1)}; write TODO(topic): what is missing")


# --- words: the tree speaks of tarn, not of the place or the way in which it was written ---
WORDS = [
    (r"/work/", "a path of one machine; make it relative or a setting"),
    (r"/root/|/home/[a-z]", "a path of one machine; make it relative or a setting"),
    (r"\b(deb\.debian\.org|registry\.npmjs\.org|pypi\.org|files\.pythonhosted\.org|crates\.io|proxy\.golang\.org|repo1?\.maven\.\w+)\b",
     "a package registry's host; the ordinary client knows it"),
    (r"\bissues? #?[0-9]+\b", "a ticket number; say the reason itself"),
]
WORDS_IN_CODE = [(r'"/tmp/', "a fixed place for temporary files; use the data directory, or TMPDIR in tests")]


def check_words(findings, path, text):
    rules = WORDS + (WORDS_IN_CODE if path.endswith((".c", ".h")) else [])
    for pattern, cure in rules:
        for match in re.finditer(pattern, text):
            findings.add("words", path, tree.line_of(text, match.start()), f'"{match.group()}" is {cure}')


# --- the first lines: what a file is responsible for ---
COMMENT = {".c": "/*", ".h": "/*", ".py": ('"""', "#"), ".sh": "#", ".cmake": "#", ".sql": "--"}


def check_first_comment(findings, path, text):
    wanted = COMMENT.get(os.path.splitext(path)[1])
    if wanted is None or path.endswith("/CMakeLists.txt"):
        return
    body = text.split("\n", 1)[1].lstrip("\n") if text.startswith("#!") and "\n" in text else text
    if not body.startswith(wanted):
        findings.add("first-comment", path, 1, "the file does not begin with what it is responsible for; add a comment")


def check_readmes(findings, paths):
    for name in tree.modules():
        path = f"src/{name}/README.md"
        if not any(p.startswith(f"src/{name}/") and p.endswith((".c", ".h")) for p in paths):
            continue
        if path not in paths:
            findings.add("readme", f"src/{name}", 1, "the module has no README.md; say its purpose, flow, invariants, where to start")
        elif tree.read(path).count("\n") > README_LINES_MAX:
            findings.add("readme", path, README_LINES_MAX, f"more than {README_LINES_MAX} lines; keep it to a page")


# --- goldens: what another program wrote proves something only while it is known which one did ---
def check_goldens(findings, paths):
    folders = {path.split("/")[2] for path in paths if path.startswith("tests/golden/") and path.count("/") > 2}
    for folder in folders:
        near = [path for path in paths if path.startswith(f"tests/golden/{folder}/") and path.endswith("README.md")]
        if not near:
            findings.add("golden", f"tests/golden/{folder}", 1,
                         "no README.md tells where the files come from; name the program and version that wrote them")


TEXT = re.compile(r"\.(c|h|py|sh|cmake|txt|md|json|yaml|yml|in|ts|css|html|sql)$|(^|/)(Makefile|NOTICE|run|bootstrap|gen-[a-z]+|demo)$")
FOREIGN = ("LICENSE", "tests/golden/", "tests/fuzz/corpus/")


def main():
    findings = tree.Findings(RULES)
    paths = tree.files()
    count = 0
    for path in paths:
        if path.startswith(FOREIGN) or not TEXT.search(path):
            continue
        count += 1
        text = tree.read(path)
        if not path.startswith("tools/lint/check_"):  # these have to name what they forbid
            check_todo(findings, path, text)
            check_words(findings, path, text)
        check_first_comment(findings, path, text)
        if path.endswith((".c", ".h")):
            code = tree.blank(text)
            check_banned(findings, path, text, code)
            check_sizes(findings, path, text, code)
            check_guard(findings, path, text, code)
            check_type_names(findings, path, text, code)
            check_messages(findings, path, text, code)
    check_readmes(findings, paths)
    check_goldens(findings, paths)
    findings.finish(f"style of {count} files")


main()

"""The checks themselves: each rule must find what it is there for, and leave good code alone.

A small tree is made in a temporary folder; then, for each row of CASES, one file is added to it and
the check must name the rule and the line, or stay silent.
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

GOOD = {
    "src/CMakeLists.txt": "add_subdirectory(low)\nadd_subdirectory(mid)\nadd_subdirectory(high)\n",
    "src/low/CMakeLists.txt": "tarn_module(NAME low)\n",
    "src/mid/CMakeLists.txt": "tarn_module(NAME mid\n            DEPENDS low\n            LIBS zlib)\n",
    "src/high/CMakeLists.txt": "tarn_module(NAME high DEPENDS mid)\n",
    "src/low/README.md": "# low\n", "src/mid/README.md": "# mid\n", "src/high/README.md": "# high\n",
    "src/low/include/tarn/low/low.h": "/* low.h: fine. */\n#ifndef TARN_LOW_LOW_H\n#define TARN_LOW_LOW_H\n\nint low(void);\n\n#endif\n",
    "src/mid/mid.c": "/* Fine. */\n#include <zlib.h>\n\n#include \"tarn/low/low.h\"\n\n/* malloc() in a comment, \"strcpy(\" in text */\n"
                     "static const char text[] = \"free(\";\n",
    "tools/lint/exceptions.txt": "# none\n",
}


def c(body):
    return "/* A file. */\n" + body + "\n"


def function(lines):
    return "int f(void)\n{\n" + "    g();\n" * lines + "}"


def header(guard, body="int x;"):
    return f"/* A header. */\n#ifndef {guard}\n#define {guard}\n{body}\n#endif\n"


# check, path, content, what must be found: "line rule", or None for silence.
CASES = [
    ("layers", "src/mid/a.c", c('#include "tarn/low/low.h"'), None),
    ("layers", "src/mid/a.c", c('#include "tarn/high/high.h"'), "2 layers"),
    ("layers", "src/high/a.c", c('#include "tarn/low/low.h"'), "2 layers"),  # below it, but not on its line
    ("layers", "src/low/a.c", c('#include "../mid/internal.h"'), "2 layers"),
    ("layers", "src/low/a.c", c("#include <zlib.h>"), "2 layers"),
    ("layers", "src/mid/a.h", header("TARN_MID_A_H", "#include <zlib.h>"), "4 layers"),
    ("layers", "src/mid/a.c", c("#include <assert.h>"), "2 layers"),
    ("layers", "src/mid/a.c", c('/* #include "tarn/high/high.h" */'), None),
    ("headers", "src/low/include/tarn/low/a.h", header("TARN_LOW_A_H", "size_t f(void);"), "1 headers"),
    ("headers", "src/low/include/tarn/low/a.h", header("TARN_LOW_A_H", "#include <stddef.h>\nsize_t f(void);"), None),
    ("style", "src/low/a.c", c("int f(void)\n{\n    return strcpy(a, b);\n}"), "4 banned"),
    ("style", "src/low/a.c", c("int f(void)\n{\n    return x->free(b) + my_free(c);\n}"), None),
    ("style", "src/low/a.c", c("int f(void)\n{\n    return ({ 1; });\n}"), "4 banned"),
    ("style", "src/low/a.c", c(function(100)), None),
    ("style", "src/low/a.c", c(function(101)), "3 function-size"),
    ("style", "src/low/a.c", c("int a;\n" * 800), "800 file-size"),
    ("style", "src/low/a.c", c("int a; /* " + "x" * 120 + " */"), "2 columns"),
    ("style", "src/low/include/tarn/low/a.h", header("LOW_A_H"), "1 guard"),
    ("style", "src/low/internal.h", header("TARN_LOW_INTERNAL_H"), None),
    ("style", "src/low/a.c", c("typedef struct a {\n    int b;\n} a_t;"), "4 type-name"),
    ("style", "src/low/a.c", c("/* TODO(paging): the second page */"), None),
    ("style", "src/low/a.c", c("/* TODO: the second page */"), "2 todo"),
    ("style", "src/low/a.c", c("/* FIXME later */"), "2 todo"),
    ("style", "src/low/a.c", c('static const char p[] = "/home/me/x";'), "2 words"),
    ("style", "docs/a.md", "see issue " + "12\n", "1 words"),
    ("style", "src/low/a.c", "int a;\n", "1 first-comment"),
    ("style", "src/low/a.c", c('int f(void)\n{\n    return error_set(err, STATUS_IO, "cannot read \\"%s\\"", a);\n}'), None),
    ("style", "src/low/a.c", c('int f(void)\n{\n    return error_set(err, STATUS_IO, "Cannot read");\n}'), "4 message"),
    ("style", "src/low/a.c", c('int f(void)\n{\n    return error_set(err, STATUS_IO, "cannot "\n        "read.");\n}'), "4 message"),
    ("style", "src/low/a.c", c('int f(void)\n{\n    return error_errno(err, STATUS_IO, errno, "open() failed");\n}'), "4 message"),
    ("style", "src/low/a.c", c('int f(void)\n{\n    error_hint(err, "try again");\n}'), "4 message"),
    ("style", "src/low/a.c", c('int f(void)\n{\n    error_hint(err, "Try again.");\n}'), None),
    ("style", "src/low/README.md", "long\n" * 61, "60 readme"),
    ("style", "tests/golden/low/a.bin", "bytes", "1 golden"),
    ("style", "tools/lint/exceptions.txt", "banned src/low/gone.c no longer there\n", "1"),
    ("style", "tools/lint/exceptions.txt", "banned src/low/gone.c\n", "1"),
]


def run(check, root):
    environment = dict(os.environ, TARN_LINT_ROOT=root)
    return subprocess.run([sys.executable, os.path.join(HERE, f"check_{check}.py")], env=environment,
                          cwd=root, capture_output=True, text=True)


def write(root, path, text):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as root:
        for path, text in GOOD.items():
            write(root, path, text)
        for check, path, text, wanted in CASES:
            write(root, path, text)
            result = run(check, root)
            if path in GOOD:
                write(root, path, GOOD[path])
            else:
                os.remove(os.path.join(root, path))
            if wanted is None:
                ok = result.returncode == 0
            else:
                line, _, rule = wanted.partition(" ")
                ok = result.returncode == 1 and any(
                    found.startswith((f"{path}:{line}:", f"{os.path.dirname(path)}:{line}:")) and (not rule or found.endswith(f"[{rule}]"))
                    for found in result.stdout.splitlines())
            if not ok:
                failures += 1
                print(f"{check} on {path}: expected {wanted or 'nothing'}\n--- the file\n{text}--- the check\n{result.stdout}{result.stderr}")
    print(f"{len(CASES)} cases, {failures} failures")
    sys.exit(1 if failures else 0)


main()

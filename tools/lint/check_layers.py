"""Layers: a file of a module includes only headers of modules on its DEPENDS line, and third-party
headers only in the .c files of modules on whose LIBS line the library is. The compiler says most of
this too; this check says it in a sentence, and before anything is compiled.
"""
import os
import re

import tree

# How the header of a library begins, and the library's name on a LIBS line.
LIBRARIES = [
    ("jansson", "jansson"), ("libfyaml", "libfyaml"), ("zlib.h", "zlib"), ("zconf.h", "zlib"),
    ("zstd", "libzstd"), ("zdict.h", "libzstd"), ("snappy", "snappy"), ("lz4", "liblz4"),
    ("roaring/", "roaring"), ("openssl/ssl.h", "libssl"), ("openssl/", "libcrypto"),
    ("curl/", "libcurl"), ("sqlite3", "sqlite3"), ("seccomp.h", "libseccomp"), ("dlfcn.h", "dl"),
    ("editline/", "libedit"), ("histedit.h", "libedit"), ("expat", "expat"), ("libpq", "libpq"),
    ("librdkafka/", "rdkafka"), ("cmocka.h", "cmocka"),
]
NEVER = {
    "duckdb.h": "the engine declares the functions it opens itself",
    "setjmp.h": "errors travel as return values",
    "assert.h": "use ASSERT of tarn/base/error.h, which stays on in release builds",
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def check_own(findings, modules, module, path, line, header):
    """An include in quotes: a module's public header, or a private one of this module."""
    if header == "tarn/version.h":
        return
    if header.startswith("tarn/"):
        other = header.split("/")[1]
        if other == module.name or other in module.depends:
            return
        if other not in modules:
            findings.add("layers", path, line, f'there is no module "{other}"')
            return
        order = list(modules)
        if order.index(other) > order.index(module.name):
            cure = f"{other} lies above it; hand in what is needed through a function or a small vtable"
        else:
            cure = f"if it really must, add {other} to DEPENDS in src/{module.name}/CMakeLists.txt"
        findings.add("layers", path, line, f"{module.name} may not include {other}; {cure}")
        return
    places = [os.path.dirname(path), f"src/{module.name}"]
    if ".." in header or not any(os.path.exists(os.path.join(tree.ROOT, p, header)) for p in places):
        findings.add("layers", path, line,
                     f'"{header}" is no private header of {module.name}; include "tarn/<module>/<header>.h"')


def check_foreign(findings, module, path, line, header):
    """An include in angle brackets: the system's, or a third-party library's."""
    if header in NEVER:
        findings.add("layers", path, line, f"<{header}> is not used in tarn; {NEVER[header]}")
    if header.startswith("tarn/"):
        findings.add("layers", path, line, f'write "{header}" in quotes')
    for start, library in LIBRARIES:
        if not header.startswith(start):
            continue
        if library not in module.libs:
            findings.add("layers", path, line,
                         f"{module.name} may not use {library}; its LIBS in src/{module.name}/CMakeLists.txt do not name it")
        elif path.endswith(".h"):
            findings.add("layers", path, line,
                         f"<{header}> in a header spreads {library}; include it in .c files alone")
        return


def main():
    findings = tree.Findings(["layers"])
    modules = tree.modules()
    order = list(modules)
    for name, module in modules.items():
        for other in module.depends:
            if other not in order[:order.index(name)]:
                findings.add("layers", f"src/{name}/CMakeLists.txt", 1,
                             f"{name} depends on {other}, which is not above it in src/CMakeLists.txt")
    paths = [path for path in tree.c_files() if path.startswith("src/")]
    for path in paths:
        module = modules.get(path.split("/")[1])
        if module is None:
            findings.add("layers", path, 1, "the folder is no module; add it to src/CMakeLists.txt")
            continue
        text = tree.blank(tree.read(path), strings=False)
        for match in INCLUDE.finditer(text):
            line = tree.line_of(text, match.start(1))
            if match.group(1) == '"':
                check_own(findings, modules, module, path, line, match.group(2))
            else:
                check_foreign(findings, module, path, line, match.group(2))
    findings.finish(f"layers of {len(paths)} files")


main()

#!/usr/bin/env python3
"""DuckDB's verdicts that tarn's parser is compared with (tests/golden/engine/statements.jsonl) are those of the library
that runs here: the same scripts are accepted, with as many statements."""
import ctypes
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import tarn  # noqa: E402
from tarn import Failed, check, main, skip, test  # noqa: E402

SOURCE = os.environ.get("TARN_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
GOLDEN = os.path.join(SOURCE, "tests/golden/engine/statements.jsonl")


def library():
    path = os.environ.get("TARN_ENGINE_DUCKDB_LIBRARY") or os.path.join(os.path.dirname(tarn.BIN), "libduckdb.so")
    if not os.path.exists(path):
        skip(f"there is no {os.path.basename(path)} beside the program")
    duckdb = ctypes.CDLL(path)
    duckdb.duckdb_extract_statements.restype = ctypes.c_uint64
    duckdb.duckdb_extract_statements_error.restype = ctypes.c_char_p
    return duckdb


class Parser:
    def __init__(self):
        self.duckdb = library()
        self.database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        check(self.duckdb.duckdb_open(None, ctypes.byref(self.database)) == 0, "DuckDB does not open")
        check(self.duckdb.duckdb_connect(self.database, ctypes.byref(self.connection)) == 0, "DuckDB does not connect")

    def count(self, sql):
        """How many statements; None where the text is refused."""
        found = ctypes.c_void_p()
        count = self.duckdb.duckdb_extract_statements(self.connection, sql.encode(), ctypes.byref(found))
        error = self.duckdb.duckdb_extract_statements_error(found)
        self.duckdb.duckdb_destroy_extracted(ctypes.byref(found))
        return None if error else count


@test
def the_library_accepts_what_the_golden_says():
    parser, compared, different = Parser(), 0, []
    with open(GOLDEN, encoding="utf-8") as golden:
        for line in golden:
            entry = json.loads(line)
            expected = len(entry["kinds"]) if "kinds" in entry else None
            count = parser.count(entry["sql"])
            if count != expected:
                different.append(f"{entry['sql'][:80]!r}: {count}, expected {expected}")
            compared += 1
    check(compared >= 300, f"only {compared} scripts were compared")
    if different:
        raise Failed("\n".join(different))


main()

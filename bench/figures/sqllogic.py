"""Logic tests of SQL that pass (TARN_SQLLOGIC: a folder of DuckDB's *.test files; without it nothing is measured)."""
import json
import os
import subprocess
import sys
import tempfile

from bench_measure import Figure

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def measure(bench):
    folder = os.environ.get("TARN_SQLLOGIC")
    if not folder:
        print("sqllogic: not measured: TARN_SQLLOGIC names no folder of *.test files", flush=True)
        return
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, os.path.join(ROOT, "tools/sqllogic"), "--json", file.name, "--reasons", "0"]
        command += ["--every", "6"] if bench.quick else []
        subprocess.run([*command, folder], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        found = json.load(file)
    files, statements = found["files"], found["statements"]
    refused = found["files_by_outcome"].get("refused", 0)
    bench.add(Figure("sqllogic.files", f"files that pass, of {files} that qualify", 100 * found["files_passed"] / files, unit="%"))
    bench.add(Figure("sqllogic.refused", "files with a statement that is refused by name", 100 * refused / files, unit="%"))
    bench.add(Figure("sqllogic.statements", f"statements that pass, of {statements}",
                     100 * found["statements_passed"] / statements, unit="%"))

"""tools/suite counts what ran: by a script's own closing line, by its exit code, and never a skip as a
pass. CI fails on a failure, on a skip that is not on the list with its reason, and on no test at all.
"""
import os
import shutil
import subprocess
import sys
import tempfile

FAILURES = []


def suite(root, *arguments):
    result = subprocess.run([sys.executable, os.path.join(root, "tools/suite"), *arguments],
                            cwd=root, capture_output=True, text=True)
    return result.returncode, result.stdout.splitlines() or [result.stderr]


def expect(claim, got, wanted):
    ok = got == wanted
    print(f"{'ok' if ok else 'not ok'}: {claim}" + ("" if ok else f": expected {wanted}, got {got}"))
    if not ok:
        FAILURES.append(claim)


def write(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w", encoding="utf-8") as file:
        file.write(text)


def main():
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "tools"))
        shutil.copy(os.path.join(os.environ["TARN_SOURCE"], "tools", "suite"), os.path.join(root, "tools"))
        write(root, "tests/allowed-skips.txt", "# none\n")
        write(root, "tests/interop/judges.txt", "# none\n")
        code, lines = suite(root, "total")
        expect("no test at all is a failure", (code, lines[-1]), (1, "0 passed, 0 failed, 0 skipped"))

        write(root, "tests/interop/a.sh", "echo '7 passed, 0 failed, 0 skipped'\n")
        write(root, "tests/interop/b.sh", "exit 0\n")
        code, lines = suite(root, "interop", "x")
        expect("closing lines and exit codes are summed", (code, lines[-1]), (0, "8 passed, 0 failed, 0 skipped"))
        code, lines = suite(root, "total", "--ci")
        expect("the total is the sum of the suites", (code, lines[-1]), (0, "8 passed, 0 failed, 0 skipped"))

        write(root, "tests/interop/c.sh", "echo 'skipped: no such door'; exit 77\n")
        code, lines = suite(root, "interop", "x")
        expect("exit code 77 is a skip", (code, lines[-1]), (0, "8 passed, 0 failed, 1 skipped"))
        code, lines = suite(root, "total", "--ci")
        expect("a skip that is not listed fails CI", (code, lines[-1]), (1, "8 passed, 0 failed, 1 skipped"))
        write(root, "tests/allowed-skips.txt", "interop.c | another reason\n")
        expect("a listed name with another reason does not count", suite(root, "total", "--ci")[0], 1)
        write(root, "tests/allowed-skips.txt", "interop.c | no such door\n")
        expect("a listed skip passes", suite(root, "total", "--ci")[0], 0)

        write(root, "tests/interop/d.sh", "echo '3 passed, 0 failed, 0 skipped'; exit 1\n")
        code, lines = suite(root, "interop", "x")
        expect("an exit code outweighs a clean closing line", (code, lines[-1]), (1, "11 passed, 1 failed, 1 skipped"))
        code, lines = suite(root, "failed", "y", "build of y")
        expect("a phase that could not be built is one failure", (code, lines[-1]), (1, "0 passed, 1 failed, 0 skipped"))
        code, lines = suite(root, "total", "--ci")
        expect("and is in the total", (code, lines[-1]), (1, "11 passed, 2 failed, 1 skipped"))
    sys.exit(1 if FAILURES else 0)


main()

"""clang-format over all C files; `make format` mends what this finds.
Skipped, and listed as skipped, where clang-format is not installed.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import tree


def check(path):
    """The first line of the file that is not as clang-format would write it, or None."""
    result = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", path],
                            cwd=tree.ROOT, capture_output=True, text=True)
    found = re.search(r"^[^:\n]+:(\d+):\d+: error", result.stderr, re.MULTILINE)
    if found:
        return path, found.group(1), "not formatted; run: make format"
    return (path, 1, result.stderr.strip()) if result.returncode else None


def main():
    if shutil.which("clang-format") is None:
        print("skipped: clang-format is not installed (make bootstrap installs it)")
        sys.exit(77)
    findings = tree.Findings(["format"])
    paths = tree.c_files()
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for found in pool.map(check, paths):
            if found:
                findings.add("format", *found)
    findings.finish(f"format of {len(paths)} files")


main()

#!/usr/bin/env python3
"""Every SQL block of docs/sql.md does what the page says: it runs, or is refused with the words after "-- error:"."""
# timeout: 120
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import Failed, check, contains, main, shared, test  # noqa: E402

SOURCE = os.environ.get("TARN_SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
PAGE = os.path.join(SOURCE, "docs/sql.md")
SHAPE = r"\d+ files? considered, \d+ skipped( \(.*\))?, \d+ read: \d+ rows?, "


def blocks():
    """Line of the page, SQL, words of the expected error or None."""
    with open(PAGE, encoding="utf-8") as page:
        text = page.read()
    for found in re.finditer(r"^```sql\n(.*?)^```$", text, re.M | re.S):
        error = re.search(r"^-- error: (.*)$", found[1], re.M)
        yield text.count("\n", 0, found.start()) + 2, found[1], error[1] if error else None


@test
def every_block_of_the_page_runs_or_is_refused_as_it_says():
    count, namespace = 0, "main"
    for line, sql, error in blocks():
        code, _, words = shared().run("sql", "-n", namespace, "-o", "jsonl", "-f", "-", stdin=sql.encode())
        if error is None and code != 0:
            raise Failed(f"docs/sql.md:{line}: {words}")
        if error is not None:
            check(code != 0, f"docs/sql.md:{line}: it was not refused")
            contains(words, error, f"docs/sql.md:{line}")
        for used in re.findall(r"^USE (.*);$", sql, re.M):
            namespace = used
        count += 1
    check(count > 10, f"only {count} blocks were found")


@test
def explain_reads_as_the_page_says():
    with open(PAGE, encoding="utf-8") as page:
        check(re.search(SHAPE, page.read()), "the page shows a line of EXPLAIN")
    shared().query("CREATE TABLE explained AS SELECT 1 AS a")
    rows = shared().rows("EXPLAIN SELECT * FROM explained WHERE a = 2")
    check(re.search(SHAPE, rows[-1][1]), f"EXPLAIN ends with: {rows[-1]}")


main()

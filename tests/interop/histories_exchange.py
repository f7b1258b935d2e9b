#!/usr/bin/env python3
"""Tables with random histories in a plain folder, read by PyIceberg: the same columns and rows as in the model, at the
end and at earlier snapshots."""
import os
import sys

from pyiceberg.table import StaticTable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from history_files import make_tables, rows_of_file  # noqa: E402
from tarn import LONG, Server, check, equal, main, seed, test  # noqa: E402
from values import of_arrow  # noqa: E402

TABLES = int(os.environ.get("TARN_HISTORIES") or (60 if LONG else 20))


def blurred(value):
    """PyIceberg hands out lists and maps of structs without saying which of them are NULL: those come as empty ones."""
    if isinstance(value, list):
        return [blurred(item) for item in value] or None
    return {name: blurred(item) for name, item in value.items()} if isinstance(value, dict) else value


def in_order(names, rows):
    return names, sorted(repr([blurred(value) for value in row]) for row in rows)


def compare(tables):
    read, wrong = 0, []
    for made in tables:
        table = StaticTable.from_metadata(made["metadata"])
        for snapshot, path in made["versions"]:
            wanted = in_order(*rows_of_file(path))
            try:
                got = in_order(*of_arrow(table.scan(snapshot_id=snapshot).to_arrow()))
            except Exception as error:  # of any kind: it cannot be read
                got = f"{type(error).__name__}: {error}"
            read += 1
            if got != wanted:
                one, two = ([r for r in a[1] if r not in set(b[1])][:2] for a, b in ((got, wanted), (wanted, got))) \
                    if isinstance(got, tuple) else (got, "")
                wrong.append(f"{made['name']} at {snapshot}: {len(wanted[1])} rows\n      pyiceberg {got[0] if one else got} "
                             f"{str(one)[:600]}\n      model     {wanted[0]} {str(two)[:600]}\n      "
                             + "\n      ".join(line[:600] for line in made["log"]))
    return read, wrong


def exchange(random, **options):
    with Server(start=False) as server:
        folder = os.path.join(server.work, "lake")
        os.mkdir(folder)
        server.settings = {"warehouse.roots": folder}
        server.start()
        tables = make_tables(server, folder, random.randrange(2**31), TABLES, os.path.join(server.work, "expected"), **options)
        read, wrong = compare(tables)
    print(f"{read} versions of {len(tables)} tables read")
    check(not wrong, f"{len(wrong)} differ:\n    " + "\n    ".join(wrong[:4]))
    check(read > len(tables), "next to nothing was read")
    equal(len(tables), TABLES)


@test
def pyiceberg_reads_random_histories():
    exchange(seed(), versions=(2,), without=("u",))  # PyArrow has no UUIDs inside structs


main()

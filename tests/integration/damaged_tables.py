#!/usr/bin/env python3
"""Tables whose files are damaged, one at a time: metadata, lists, manifests, data files, delete files, a deletion vector,
with bits flipped, cut off, blocks moved, absurd lengths. A query answers or is refused by a message; the server and the
other tables go on. The tables are those of tests/golden/foreign; TARN_TEST_SEED repeats a run."""
# timeout: 120
import json
import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.join(os.environ["TARN_SOURCE"], "tests/support"))
from tarn import LONG, SANITIZED, Server, TarnError, check, contains, equal, fails, main, memory_kib, seed, test  # noqa: E402

GOLDEN = os.path.join(os.environ["TARN_SOURCE"], "tests/golden/foreign")
DAMAGES = 60 if LONG else 2
FILES = 1000 if LONG else 8  # of each table, drawn anew in each run
STATE = {}
TABLES = {"legacy_bare_deletion_vector/warehouse/default/legacy_bare_deletion_vector": "00002-legacy-bare-dv",
          "equality_deletes/warehouse/mydb/mytable_partitioned": "v6", "null_stats/default/test_nulls": None,
          "partition_decimal_bigint": "v2", "uuid": None}
ABSURD = (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff\xff\xff\xff\x0f", struct.pack("<i", 2**31 - 1),
          struct.pack("<i", -1), b"9223372036854775807", b"\x00" * 8)
WORDS = {"bad_data", "invalid", "not_found", "not_supported", "too_large", "snapshot_not_found", "corrupt", "syntax_error"}


def server():
    if not STATE:
        made = STATE["server"] = Server(name="damaged", start=False)
        made.folder = os.path.join(os.path.realpath(made.work), "tables")
        os.mkdir(made.folder)
        made.settings = {"warehouse.roots": made.folder}
        made.start()
    return STATE["server"]


def damage(random, path):
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        kind = random.choice(("flip", "flip", "cut", "length", "move", "end"))
        if kind == "cut":
            data = data[:random.randrange(len(data))]
        elif kind == "length":
            absurd = random.choice(ABSURD)
            at = random.randrange(max(1, len(data) - len(absurd)))
            data[at:at + len(absurd)] = absurd
        elif kind == "move":
            size = random.randint(1, max(1, len(data) // 4))
            a, b = random.randrange(len(data) - size + 1), random.randrange(len(data) - size + 1)
            data[a:a + size] = data[b:b + size]
        elif kind == "end":  # where footers are
            at = random.randrange(max(0, len(data) - 200), len(data))
            data[at] = random.randrange(256)
        else:
            for _ in range(random.randint(1, 4)):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        file.seek(0)
        file.truncate()
        file.write(data)
    return kind


def files_of(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder) for path, _, names in os.walk(folder) for name in names)


def ask(what, sql):
    """None, or what it was refused with."""
    try:
        server().rows(sql)
    except TarnError as error:
        check(error.code in WORDS and error.message, f"{what}: {sql}: {error}")
        return error.code
    return None


def look_at(table, version):
    random = seed()
    golden = os.path.join(GOLDEN, table)
    answered = refused = 0
    option = f", version => '{version}'" if version and version.startswith("v") else ""
    names = [n for n in files_of(golden) if not (n.endswith((".text", ".json")) and version and version not in n)]
    for number, name in enumerate(random.sample(names, min(FILES, len(names)))):
        for n in range(DAMAGES):
            folder = os.path.join(server().folder, f"{abs(hash(table)) % 10**9}_{number}_{n}")
            shutil.copytree(golden, folder)
            what = f"{table} {name}, {damage(random, os.path.join(folder, name))}"
            scan = f"tarn.iceberg_scan('file://{folder}'{option})"
            for sql in (f"SELECT * FROM {scan}", f"SELECT count(*) FROM {scan}"):
                code = ask(what, sql)
                answered, refused = answered + (code is None), refused + (code is not None)
            answer = server().request("POST", "/api/v1/namespaces/main/register", {"name": "damaged", "location": folder})
            check(answer.status < 500 or answer.error["code"] in WORDS, f"{what}: {answer.text}")
            if answer.status < 400:
                for kind in ("files", "entries", "partitions", "all_manifests", "snapshots", "position_deletes"):
                    ask(what, f"SELECT * FROM damaged.{kind}")
                server().rows("DROP TABLE damaged")
            shutil.rmtree(folder)
    print(f"{answered} answered, {refused} refused")
    check(answered and refused, "this proves little")
    equal(server().rows("SELECT 42"), [[42]])
    check(SANITIZED or memory_kib(server().pid, "VmHWM") < 1024 * 1024, "the server held a GiB")


@test
def a_table_that_lost_a_partition_spec_says_so():
    folder = os.path.join(server().folder, "lost_spec")
    shutil.copytree(os.path.join(GOLDEN, "partition_decimal_bigint"), folder)
    for name in files_of(folder):
        if name.endswith(".metadata.json"):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            document["partition-specs"] = [{"spec-id": 7, "fields": []}]
            document["default-spec-id"] = 7
            with open(path, "w", encoding="utf-8") as file:
                json.dump(document, file)
    error = fails("not_supported", server().rows, f"SELECT * FROM tarn.iceberg_scan('file://{folder}', version => 'v2')")
    contains(error.message, "has partition spec 0, which the table has not")


def of_table(table, version):
    def run():
        look_at(table, version)
    run.__name__ = table.split("/")[0]
    return run


for each in TABLES.items():
    test(of_table(*each))
main()

#!/usr/bin/env python3
"""Many small writes stay cheap: the metadata of a table that took 1 000 rows one by one from 8 clients is small, no
row is lost or doubled, and the last writes are not slower than the first.

TARN_LONG=1 takes the full thousand and looks at the clock as well."""
# timeout: 120
# labels: slow
import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import LONG, SANITIZED, Server, check, equal, main, read_blobs, test, tree_size  # noqa: E402

MIB = 1 << 20
CLIENTS = 8
WRITES = 1000 if LONG else 80 if SANITIZED else 320


def write_all(server):
    """Seconds of each write, in the order of their ends."""
    took, failures, lock = [], [], threading.Lock()

    def one(client_number):
        try:
            with server.client() as client:
                for n in range(client_number, WRITES, CLIENTS):
                    begun = time.monotonic()
                    client.ingest("t", [{"n": n, "who": f"client {client_number}", "x": n / 3}])
                    with lock:
                        took.append(time.monotonic() - begun)
        except Exception as error:  # told below, by the main thread
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not failures, str(failures[:3]))
    return took


def judge(server, metadata_bytes, took):
    equal([int(n) for n in server.rows("SELECT count(*), count(DISTINCT n), sum(n) FROM t")[0]],
          [WRITES, WRITES, WRITES * (WRITES - 1) // 2])
    snapshots = server.request("GET", "/api/v1/namespaces/main/tables/t").ok().json["snapshots"]
    first, last = statistics.mean(took[:100]), statistics.mean(took[-100:])
    print(f"{WRITES} writes: {metadata_bytes / MIB:.2f} MiB of metadata, {snapshots} snapshots kept,"
          f" {int(server.metrics()['tarn_table_merged_appends_total'])} merged;"
          f" first hundred {first * 1000:.1f} ms, last {last * 1000:.1f} ms each")
    limit = 5 * MIB if WRITES >= 1000 else 3 * MIB
    check(metadata_bytes < limit, f"{metadata_bytes} bytes of metadata after {WRITES} writes")
    if LONG:
        check(last <= 1.5 * first, f"the last hundred took {last / first:.2f} times as long as the first")


@test
def metadata_of_a_folder_stays_small():
    with Server(start=False) as server:
        folder = os.path.join(server.work, "lake")
        os.mkdir(folder)
        server.settings = {"warehouse.roots": folder, "warehouse.location": "file://" + folder}
        server.start()
        server.query("CREATE TABLE t (n BIGINT NOT NULL, who VARCHAR, x DOUBLE)")
        took = write_all(server)
        size = sum(tree_size(path) for path, _, _ in os.walk(folder) if os.path.basename(path) == "metadata")
        check(size > 1000, "no metadata folder was found")
        judge(server, size, took)


@test
def metadata_of_the_built_in_store_stays_small():
    with Server() as server:
        server.query("CREATE TABLE t (n BIGINT NOT NULL, who VARCHAR, x DOUBLE)")
        took = write_all(server)
        size = sum(info.st_size for _, begin, info in read_blobs(server, 4) if begin != b"PAR1")
        check(size > 1000, "no metadata was found among the blobs")
        judge(server, size, took)


main()

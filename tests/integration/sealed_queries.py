#!/usr/bin/env python3
"""Tables whose files are encrypted on the disk (SSE-S3), asked by SQL: data files, deletes and metadata are decrypted into
memory alone, up to engine.sealed_bytes; nothing of them lies in the clear on the disk, and nothing is left behind."""
import hashlib
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from s3client import S3  # noqa: E402
from tarn import Server, check, contains, equal, eventually, fails, main, skip, test  # noqa: E402

AES = {"x-amz-server-side-encryption": "AES256"}
DEFAULT = (b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
           b"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>")
MARK = "a text that is easily found on a disk"


def root(server):
    with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
        return S3(server.s3, *file.read().split())


def keys(s3, bucket):
    return [row.findtext("Key") for row in s3.request("GET", "/" + bucket, {"list-type": "2"}).ok().xml.iter("Contents")]


def encrypt(s3, bucket, suffix=""):
    """Every object of the bucket is written again, encrypted. How many."""
    found = [key for key in keys(s3, bucket) if key.endswith(suffix)]
    for key in found:
        s3.request("PUT", f"/{bucket}/{key}", headers={"x-amz-copy-source": f"/{bucket}/{key}",
                                                        "x-amz-metadata-directive": "REPLACE", **AES}).ok()
    return len(found)


def in_the_clear(folder):
    """Files below it that hold the text."""
    found = []
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                if MARK.encode() in file.read():
                    found.append(os.path.join(path, name))
    return found


def handed_over(pid):
    """Sizes of the memory files that a process holds."""
    found = []
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            if os.readlink(f"{folder}/{name}").startswith("/memfd:tarn"):
                found.append(os.stat(f"{folder}/{name}").st_size)
        except OSError:
            pass
    return found


def text(number):
    return f"{MARK} {number} {hashlib.md5(str(number).encode()).hexdigest()}"


def make(server, rows=5000):
    server.rows("CREATE TABLE t (id BIGINT, name VARCHAR)")
    for part in range(3):
        server.rows(f"INSERT INTO t SELECT range, '{MARK} ' || range || ' ' || md5(range::VARCHAR) FROM range({part * rows}, {(part + 1) * rows})")


def questions(server, rows=5000):
    equal(server.value("SELECT count(*) FROM t"), 3 * rows)
    equal(server.value("SELECT sum(id) FROM t"), sum(range(3 * rows)))
    equal(server.value(f"SELECT name FROM t WHERE id = {rows + 7}"), text(rows + 7))  # a range of one file
    equal(server.rows("SELECT a.id FROM t a JOIN t b ON a.id = b.id ORDER BY a.id DESC LIMIT 2"),
          [[3 * rows - 1], [3 * rows - 2]])


@test
def sql_reads_encrypted_files():
    with Server() as server:
        s3 = root(server)
        make(server)
        questions(server)
        check(encrypt(s3, "warehouse") > 3, "nothing was encrypted")
        server.restart()  # what was read before is forgotten
        s3 = root(server)
        eventually(lambda: not in_the_clear(os.path.join(server.data, "blobs")), "files that were plain are gone")
        questions(server)
        # written and changed like any other table: new files are plain, the old ones stay what they are
        server.rows("INSERT INTO t VALUES (-1, 'new')")
        server.rows("DELETE FROM t WHERE id = 3")
        server.rows("UPDATE t SET name = 'other' WHERE id = 4")
        equal(server.rows("SELECT id, name FROM t WHERE id < 5 ORDER BY id"),
              [[-1, "new"], [0, text(0)], [1, text(1)], [2, text(2)], [4, "other"]])
        encrypt(s3, "warehouse")  # deletes and all
        server.restart()
        equal(server.rows("SELECT id FROM t WHERE id < 5 ORDER BY id"), [[-1], [0], [1], [2], [4]])
        equal(server.value("SELECT count(*) FROM t"), 15000)
        run = os.path.join(server.data, "run")
        equal(in_the_clear(run), [], "files of the workers")


@test
def a_registered_table_and_loads_from_an_encrypting_bucket():
    with Server() as server:
        s3 = root(server)
        make(server)
        folder = next(key for key in keys(s3, "warehouse") if "/metadata/" in key).partition("/metadata/")[0]
        for key in keys(s3, "warehouse"):
            s3.request("PUT", "/warehouse/moved" + key[len(folder):],
                       headers={"x-amz-copy-source": f"/warehouse/{key}", **AES}).ok()
        server.rows("DROP TABLE t")
        server.request("POST", "/api/v1/namespaces/main/register", {"name": "t", "location": "s3://warehouse/moved"}).ok()
        questions(server)
        s3.request("PUT", "/vault").ok()
        s3.request("PUT", "/vault", {"encryption": ""}, DEFAULT).ok()
        moved = next(key for key in keys(s3, "warehouse") if key.startswith("moved/data/"))
        s3.request("PUT", "/vault/in.parquet", headers={"x-amz-copy-source": "/warehouse/" + moved}).ok()
        s3.request("PUT", "/vault/in.csv", None, b"id,name\n1,one\n2,two\n").ok()
        for key, rows in (("in.csv", 2), ("in.parquet", 5000)):
            equal(s3.request("HEAD", "/vault/" + key).headers["x-amz-server-side-encryption"], "AES256")
            code, out, err = server.run("load", "loaded_" + key[3:], "s3://vault/" + key)
            equal(code, 0, out + err)
            equal(server.value("SELECT count(*) FROM loaded_" + key[3:]), rows)


@test
def beyond_the_limit_it_is_refused_by_name():
    with Server() as server:
        s3 = root(server)
        make(server)
        encrypt(s3, "warehouse", ".parquet")
        files = [int(row.findtext("Size")) for row in s3.request("GET", "/warehouse", {"list-type": "2"}).ok().xml.iter("Contents")
                 if row.findtext("Key").endswith(".parquet")]
        server.restart(settings={"engine.sealed_bytes": sum(files)})
        questions(server)
        server.restart(settings={"engine.sealed_bytes": sum(files) - 1})
        error = fails("too_large", server.rows, "SELECT sum(id), max(name) FROM t")
        contains(error.message, "s3://warehouse/")
        contains(error.hint, "engine.sealed_bytes")
        equal(server.value("SELECT 1"), 1)
        # what is plain, and what fits, is read as before
        equal(server.value("SELECT max(name) FROM t WHERE id < 10"), text(9))
        server.rows("CREATE TABLE plain AS SELECT range AS id FROM range(100)")
        equal(server.value("SELECT sum(id) FROM plain"), 4950)
        server.restart(settings={"engine.sealed_bytes": "0"})
        contains(fails("too_large", server.rows, "SELECT max(name) FROM t WHERE id < 10").hint, "engine.sealed_bytes")
        server.restart(settings={"engine.sealed_bytes": "64MiB"})
        questions(server)


@test
def a_damaged_encrypted_file_is_no_answer():
    with Server() as server:
        s3 = root(server)
        make(server)
        encrypt(s3, "warehouse", ".parquet")
        server.restart()
        paths = [os.path.join(path, name) for path, _, names in os.walk(os.path.join(server.data, "blobs"))
                 for name in names if os.path.getsize(os.path.join(path, name)) > 20000]
        check(paths, "large files")
        for path in paths:
            with open(path, "r+b") as file:
                file.seek(10000)
                byte = file.read(1)
                file.seek(10000)
                file.write(bytes([byte[0] ^ 1]))
        fails("corrupt", server.rows, "SELECT sum(id), max(name) FROM t")


@test
def nothing_is_left_of_what_was_read():
    if not os.path.isdir("/proc/self/fd"):
        skip("no /proc")
    with Server() as server:
        s3 = root(server)
        make(server)
        encrypt(s3, "warehouse", ".parquet")
        server.restart()
        questions(server)
        equal(handed_over(server.pid), [], "the server's own")
        # a worker ends with its release, and the memory with it
        eventually(lambda: not any(handed_over(pid) for pid in server.workers() if os.path.isdir(f"/proc/{pid}/fd")),
                   "workers that hold files")
        # nor after a kill while it is asked
        broken = []

        def ask():
            try:
                server.rows("SELECT count(*) FROM t a, t b, t c WHERE a.name < b.name AND b.name < c.name")
            except Exception as error:  # the server is killed below
                broken.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        eventually(lambda: any(handed_over(pid) for pid in server.workers() if os.path.isdir(f"/proc/{pid}/fd")),
                   "a worker with files")
        pids = server.workers()
        server.kill()
        thread.join()
        check(broken, "the query ended without its server")
        eventually(lambda: not any(os.path.isdir(f"/proc/{pid}") for pid in pids), "workers of a dead server end")
        equal(in_the_clear(os.path.join(server.data, "run")), [])
        server.start()
        questions(server)


main()

#!/usr/bin/env python3
"""A full disk: what does not fit is refused with 507 and leaves nothing half, what is there stays readable, and
writing works again once there is room. On a small tmpfs of its own; needs the right to mount."""
# timeout: 90
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from s3client import S3  # noqa: E402
from tarn import Failed, Server, TarnError, check, equal, eventually, main, skip, test  # noqa: E402

MIB = 1 << 20


class SmallDisk:
    """A file system of so many bytes, with user attributes."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(prefix="tarn-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path],
                              capture_output=True, check=False)
        if done.returncode != 0:
            os.rmdir(self.path)
            skip("mounting a small file system is not permitted")
        self.filler = os.path.join(self.path, "filler")
        probe = os.path.join(self.path, "probe")
        open(probe, "wb").close()
        try:
            os.setxattr(probe, "user.tarn", b"x")
        except OSError:
            self.close()
            skip("tmpfs has no user attributes here")
        os.unlink(probe)

    def free(self):
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def fill(self, leave):
        size = self.free() - leave
        if size > 0:
            with open(self.filler, "ab") as file:
                file.write(b"\0" * size)

    def empty(self):
        if os.path.exists(self.filler):
            os.unlink(self.filler)

    def close(self):
        subprocess.run(["umount", self.path], check=False)
        os.rmdir(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def totals(server):
    return [int(n) for n in server.rows("SELECT count(*), coalesce(sum(n), 0), count(DISTINCT b) FROM t")[0]]


ROWS = 20000


def insert(server, batch):
    server.query(f"INSERT INTO t SELECT {batch}, range, md5(range::VARCHAR) FROM range({ROWS})")


def ingest(server, batch):
    text = "b,n,s\n" + "".join(f"{batch},{n},{n * 7919}\n" for n in range(ROWS))
    server.request("POST", "/ingest/t", text, {"Content-Type": "text/csv"}).ok()


@test
def a_full_disk_is_refused_and_nothing_is_half():
    with SmallDisk(64 * MIB) as disk, Server(data=os.path.join(disk.path, "data")) as server:
        server.query("CREATE TABLE t (b BIGINT, n BIGINT, s VARCHAR)")
        insert(server, 1)
        batch, refused = 1, 0
        # Less and less room: each step of a commit is the one that no longer fits.
        for leave in (3 * MIB, 1 * MIB, 700 << 10, 400 << 10, 200 << 10, 100 << 10, 60 << 10, 30 << 10, 12 << 10, 0):
            for write in (insert, ingest):
                disk.empty()
                disk.fill(leave)
                try:
                    write(server, batch + 1)
                    batch += 1
                except TarnError as error:
                    refused += 1
                    equal((error.code, error.status), ("no_space", 507),
                          f"{write.__name__} with {leave} bytes free: {error}")
                if server.process.poll() is not None:
                    raise Failed(f"the server ended with {server.process.returncode} at {leave} bytes free")
                disk.empty()
                equal(totals(server), [batch * ROWS, batch * (ROWS * (ROWS - 1) // 2), batch],
                      f"after {write.__name__} with {leave} bytes free")
        check(refused >= 6, f"only {refused} writes were refused")
        # With room again everything works, in this server and in the next.
        insert(server, batch + 1)
        server.restart()
        equal(totals(server)[2], batch + 1)
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)
        equal(os.listdir(os.path.join(server.data, "staging")), [])


@test
def an_object_that_does_not_fit_is_refused_in_its_middle_and_leaves_nothing():
    with SmallDisk(64 * MIB) as disk, Server(data=os.path.join(disk.path, "data")) as server:
        with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
            s3 = S3(server.s3, *file.read().split())
        s3.request("PUT", "/full").ok()
        s3.request("PUT", "/full/before", None, b"x" * MIB).ok()
        body = os.urandom(16 * MIB)
        upload = s3.request("POST", "/full/parts", {"uploads": ""}).ok().text("UploadId")
        seal = {"x-amz-server-side-encryption": "AES256"}
        for leave in (12 * MIB, 5 * MIB, 1 * MIB):
            for path, params, headers in (("/full/k", {}, {}), ("/full/k", {}, seal), ("/full/before", {}, {}),
                                          ("/full/parts", {"uploadId": upload, "partNumber": "1"}, {})):
                disk.empty()
                disk.fill(leave)
                answer = s3.request("PUT", path, params, body, headers)
                equal((answer.status, answer.code), (507, "InsufficientStorage"), f"{path} with {leave} bytes free")
                eventually(lambda room=leave: disk.free() > room - (64 << 10), f"the bytes of {path} are given back")
                equal(s3.request("GET", "/full/k").code, "NoSuchKey")
                equal(s3.request("GET", "/full/before").ok().body, b"x" * MIB)
        listed = s3.request("GET", "/full", {"list-type": "2"}).ok().xml
        equal([each.findtext("Key") for each in listed.iter("Contents")], ["before"])
        equal(list(s3.request("GET", "/full/parts", {"uploadId": upload}).ok().xml.iter("Part")), [])
        disk.empty()
        s3.request("PUT", "/full/k", None, body).ok()
        check(s3.request("GET", "/full/k").ok().body == body, "after there was room again")
        server.restart()
        equal(os.listdir(os.path.join(server.data, "staging")), [])
        equal(server.request("POST", "/api/v1/scrub", {}).ok().json["corrupt_objects"], 0)


@test
def reading_works_on_a_full_disk():
    with SmallDisk(48 * MIB) as disk, Server(data=os.path.join(disk.path, "data")) as server:
        server.query("CREATE TABLE t AS SELECT 1::BIGINT AS b, range AS n FROM range(1000)")
        equal(totals(server), [1000, 499500, 1])
        disk.fill(0)
        equal(totals(server), [1000, 499500, 1])
        equal(server.request("GET", "/api/v1/namespaces/main/tables/t").ok().json["rows"], 1000)
        disk.empty()


@test
def a_spill_that_does_not_fit_fails_its_query_alone():
    with SmallDisk(48 * MIB) as disk, Server(data=os.path.join(disk.path, "data"),
                                             settings={"engine.memory": "300MiB"}) as server:
        disk.fill(4 * MIB)
        sql = "SELECT count(*) FROM (SELECT md5(range::VARCHAR) AS h FROM range(20000000) ORDER BY h)"
        try:
            server.query(sql)
            raise Failed("a sort of 20 million rows went into 300 MiB and 4 MiB of disk")
        except TarnError as error:
            check((error.code, error.status) in (("no_space", 507), ("out_of_memory", 500)), str(error))
        equal(server.rows("SELECT 1"), [[1]])
        disk.empty()


main()

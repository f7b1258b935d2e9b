#!/usr/bin/env python3
# timeout: 600
"""A server killed at any moment while four clients put, upload in parts, copy and delete over S3, versions kept: what was
acknowledged is there afterwards, in its order and to the byte; what was under way is there whole or not at all; nothing
else is to be seen. TARN_LONG=1: 500 kills. TARN_TEST_SEED takes the choices of an earlier run."""
import http.client
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from s3client import S3  # noqa: E402
from tarn import Server, check, equal, main, test  # noqa: E402

CYCLES = 500 if os.environ.get("TARN_LONG") == "1" else 8
CLIENTS, KEYS = 4, 6
BROKEN = (OSError, http.client.HTTPException)


def root(server):
    with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
        return S3(server.s3, *file.read().split())


class Writer:
    """Versions of its own keys, oldest first: [(id, bytes or None for a delete marker)]."""

    def __init__(self, s3, prefix, seed):
        self.s3, self.prefix, self.random = s3, prefix, random.Random(seed)
        self.versions = {}
        self.doubt = self.dropping = self.failure = None
        self.acknowledged = 0
        self.thread = threading.Thread(target=self.run)

    def body(self):
        return self.random.randbytes(self.random.choice((0, 1, 700, 5000, 70000, 600000)))

    def call(self, method, key, params=None, body=b"", headers=None):
        answer = self.s3.request(method, f"/killed/{key}", params, body, headers)
        check(answer.status < 300, f"{method} {key} {params}: {answer.status} {answer.body[:300]!r}")
        return answer

    def put(self, key):
        self.doubt = (key, self.body())
        return self.call("PUT", key, body=self.doubt[1])

    def parts(self, key):
        body = self.body() + b"."
        upload = self.call("POST", key, {"uploads": ""}).text("UploadId")
        tag = self.call("PUT", key, {"uploadId": upload, "partNumber": "1"}, body).headers["ETag"]
        self.doubt = (key, body)
        return self.call("POST", key, {"uploadId": upload}, (
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
            f"<ETag>{tag}</ETag></Part></CompleteMultipartUpload>").encode())

    def copy(self, key):
        there = [(name, list_[-1][1]) for name, list_ in self.versions.items() if list_ and list_[-1][1] is not None]
        if not there:
            return self.put(key)
        source, body = self.random.choice(there)
        self.doubt = (key, body)
        return self.call("PUT", key, headers={"x-amz-copy-source": f"/killed/{source}", "x-amz-metadata-directive": "REPLACE"})

    def delete(self, key):
        self.doubt = (key, None)
        return self.call("DELETE", key)

    def drop(self, key):
        """A version for good; no new one is made."""
        if not self.versions.get(key):
            return
        self.dropping = (key, self.random.choice(self.versions[key]))
        self.call("DELETE", key, {"versionId": self.dropping[1][0]})
        self.versions[key].remove(self.dropping[1])
        self.dropping = None

    def run(self):
        try:
            while True:
                key = f"{self.prefix}/{self.random.randrange(KEYS)}"
                what = self.random.choice((self.put, self.put, self.parts, self.copy, self.delete, self.drop))
                answer = what(key)
                if answer is not None:
                    self.versions.setdefault(key, []).append((answer.headers["x-amz-version-id"], self.doubt[1]))
                    self.doubt = None
                self.acknowledged += 1
        except BROKEN:
            pass  # the server was killed
        except Exception as error:  # told by the test's own thread
            self.failure = error


def listed(s3, prefix):
    """{key: [(id, whether it is a marker, whether it is the latest)]}, oldest first."""
    found, after = {}, {}
    while True:
        page = s3.request("GET", "/killed", {"versions": "", "prefix": prefix, **after}).ok().xml
        for row in page:
            if row.tag in ("Version", "DeleteMarker"):
                found.setdefault(row.findtext("Key"), []).insert(
                    0, (row.findtext("VersionId"), row.tag == "DeleteMarker", row.findtext("IsLatest") == "true"))
        if page.findtext("IsTruncated") != "true":
            return found
        after = {"key-marker": page.findtext("NextKeyMarker"), "version-id-marker": page.findtext("NextVersionIdMarker")}


def settle(writer, found):
    """What was under way when the server died is there or not: afterwards the model says which."""
    if writer.dropping is not None:
        key, version = writer.dropping
        if version[0] not in [row[0] for row in found.get(key, [])]:
            writer.versions[key].remove(version)
    if writer.doubt is not None:
        key, body = writer.doubt
        known = writer.versions.setdefault(key, [])
        rows = found.get(key, [])
        if len(rows) == len(known) + 1:
            known.append((rows[-1][0], body))
    writer.doubt = writer.dropping = None


def verify(s3, writer):
    found = listed(s3, writer.prefix + "/")
    settle(writer, found)
    equal({key: [row[0] for row in rows] for key, rows in found.items()},
          {key: [row[0] for row in rows] for key, rows in writer.versions.items() if rows}, "versions of " + writer.prefix)
    for key, rows in writer.versions.items():
        for (version, body), (_, is_marker, is_latest) in zip(rows, found.get(key, [])):
            equal(is_marker, body is None, f"{key} {version}")
            equal(is_latest, version == rows[-1][0], f"{key} {version}")
            if body is not None:
                check(s3.request("GET", f"/killed/{key}", {"versionId": version}).ok().body == body, f"{key} {version}")
        answer = s3.request("GET", f"/killed/{key}")
        if rows and rows[-1][1] is not None:
            check(answer.ok().body == rows[-1][1], key)
        else:
            equal(answer.status, 404, key)


@test
def what_was_acknowledged_survives_every_kill():
    seed = int(os.environ.get("TARN_TEST_SEED") or random.randrange(2**32))
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    with Server() as server:
        root(server).request("PUT", "/killed").ok()
        root(server).request("PUT", "/killed", {"versioning": ""},
                             b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>").ok()
        earlier = []
        total = 0
        for cycle in range(CYCLES):
            writers = [Writer(root(server), f"{cycle}/{i}", chance.random()) for i in range(CLIENTS)]
            for writer in writers:
                writer.thread.start()
            time.sleep(chance.uniform(0.02, 0.3))
            server.kill()
            for writer in writers:
                writer.thread.join()
                if writer.failure is not None:
                    raise writer.failure
            server.start()
            for writer in writers + chance.sample(earlier, min(2, len(earlier))):
                writer.s3 = None
                verify(root(server), writer)
            earlier += writers
            total += sum(writer.acknowledged for writer in writers)
        equal(sorted(listed(root(server), "")), sorted(key for writer in earlier for key, rows in writer.versions.items()
                                                       if rows), "keys")
        check(total > CYCLES, f"{total} acknowledged")
        print(f"{total} acknowledged, {CYCLES} kills", flush=True)


main()

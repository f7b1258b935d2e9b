#!/usr/bin/env python3
"""What the S3 door makes of requests that no SDK sends: odd and bad keys, wrong digests, bodies that end early, clocks that
are off, doubled headers, hostile XML; that a refused write leaves nothing; what each served sub-resource does; and
that SQL and S3 see the same objects."""
# timeout: 300
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import socket
import sys
import time
import types
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import s3client  # noqa: E402
from s3client import S3  # noqa: E402
from tarn import Server, check, equal, eventually, main, read_blobs, shared, test  # noqa: E402

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def root_of(server):
    with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
        access_key, secret = file.read().split()
    return S3(server.s3, access_key, secret)


def root():
    return root_of(shared())


def bucket(name, **headers):
    s3 = root()
    s3.request("PUT", "/" + name, headers={key.replace("_", "-"): value for key, value in headers.items()}).ok()
    return s3


def keys(s3, name):
    return [element.text for element in s3.request("GET", "/" + name).ok().xml.iter("Key")]


def raw(head, body=b"", end=False):
    """The answer to bytes as they are."""
    host, _, port = shared().s3.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as link:
        link.sendall(head + body)
        if end:
            link.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            try:
                got = link.recv(65536)
            except ConnectionResetError:
                break
            if not got:
                break
            answer += got
    return answer


@test
def keys_are_plain_bytes():
    s3 = bucket("plain-bytes")
    odd = ["..", "../up", "a/../b", "./c", "a//b", "a/", "a", "a/b", "dir/./x", "per%cent", "plus+", "ü", "tab\there"]
    for key in odd:
        s3.request("PUT", "/plain-bytes/" + key, body=key.encode()).ok()
    for key in odd:
        equal(s3.request("GET", "/plain-bytes/" + key).ok().body, key.encode(), key)
    equal(keys(s3, "plain-bytes"), sorted(odd, key=str.encode))


@test
def keys_that_are_too_long_or_no_text_are_refused():
    s3 = bucket("no-text")
    s3.request("PUT", "/no-text/" + "k" * 1024).ok()
    equal(s3.request("PUT", "/no-text/" + "k" * 1025).code, "KeyTooLongError")
    for path in (b"/no-text/a%00b", b"/no-text/%ff%fe", b"/no-text/%c0%af"):
        answer = raw(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        equal(answer.split(b" ")[1], b"400", str(path))
    equal(keys(s3, "no-text"), ["k" * 1024])


@test
def wrong_digests_leave_nothing():
    s3 = bucket("digests")
    wrong = {"Content-MD5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}
    equal(s3.request("PUT", "/digests/k", body=b"bytes", headers=wrong).code, "BadDigest")
    equal(s3.request("PUT", "/digests/k", body=b"bytes", headers={"Content-MD5": "nonsense"}).code, "InvalidDigest")
    equal(s3.request("PUT", "/digests/k", body=b"bytes", headers={"x-amz-checksum-crc32": "AAAAAA=="}).code, "BadDigest")
    both = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "AAAA"}
    equal(s3.request("PUT", "/digests/k", body=b"bytes", headers=both).code, "InvalidRequest")
    equal(keys(s3, "digests"), [])
    right = {"Content-MD5": base64.b64encode(hashlib.md5(b"bytes").digest()).decode()}
    s3.request("PUT", "/digests/k", body=b"bytes", headers=right).ok()
    equal(keys(s3, "digests"), ["k"])


@test
def a_body_that_ends_early_leaves_nothing():
    s3 = bucket("early")
    headers = s3.signed("PUT", "/early/k", "", {"content-length": "1000"}, b"x" * 1000, "s3")
    head = "PUT /early/k HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    raw(head.encode(), b"x" * 500, end=True)
    equal(keys(s3, "early"), [])


@test
def clocks_that_are_off_and_doubled_signatures_are_refused():
    s3 = bucket("clocks")
    real = s3client.time
    for minutes, code in ((-16, "RequestTimeTooSkewed"), (16, "RequestTimeTooSkewed"), (-10, ""), (10, "")):
        s3client.time = types.SimpleNamespace(strftime=time.strftime, gmtime=lambda m=minutes: time.gmtime(time.time() + 60 * m))
        try:
            equal(s3.request("GET", "/clocks").code, code, f"{minutes} minutes")
        finally:
            s3client.time = real
    headers = s3.signed("GET", "/clocks", "", {}, b"", "s3")
    lines = [f"{name}: {value}" for name, value in headers.items()] + ["Authorization: " + headers["authorization"]]
    answer = raw(("GET /clocks HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode())
    check(answer.split(b" ")[1].startswith(b"4"), answer[:100])
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a"
    equal(s3.request("GET", "/clocks", {"X-Amz-Signature": "0", "X-Amz-Algorithm": "AWS4-HMAC-SHA256"}).status // 100, 4, query)


@test
def a_wrong_secret_gets_nothing():
    s3 = bucket("secret")
    wrong = S3(s3.address, s3.access_key, "wrong" + s3.secret[5:])
    equal(wrong.request("PUT", "/secret/k", body=b"1").code, "SignatureDoesNotMatch")
    equal(S3(s3.address, "TARNNOBODYNOBODYNOBO", "x").request("GET", "/secret").code, "InvalidAccessKeyId")
    equal(S3(s3.address).request("PUT", "/secret/k", body=b"1").code, "AccessDenied")
    equal(keys(s3, "secret"), [])


@test
def hostile_documents_are_refused():
    s3 = bucket("hostile")
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><Tagging><TagSet>&b;</TagSet></Tagging>'
    deep = b"<a>" * 2000 + b"</a>" * 2000
    for body in (bomb, deep, b"<Tagging>", b"", b"<Other/>", b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Tagging/>'):
        answer = s3.request("PUT", "/hostile", {"tagging": ""}, body)
        check(answer.status == 400 and b"root:" not in answer.body, f"{answer.status} {answer.body[:200]}")
    equal(s3.request("GET", "/hostile", {"tagging": ""}).code, "NoSuchTagSet")
    huge = b"<Tagging>" + b" " * (9 << 20) + b"</Tagging>"
    equal(s3.request("PUT", "/hostile", {"tagging": ""}, huge).status, 400)


@test
def an_element_without_a_place_is_refused_by_name():
    s3 = bucket("elements")
    s3.request("PUT", "/elements/kept", body=b"1").ok()

    def rule(filter_of):
        return (b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status>" + filter_of +
                b"<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>")

    def acl(more_of_grant=b"", more=b""):
        return (b"<AccessControlPolicy><Owner><ID>" + owner + b"</ID><DisplayName>me</DisplayName></Owner>"
                b"<AccessControlList><Grant><Grantee xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"
                b" xsi:type='CanonicalUser'><ID>" + owner + b"</ID><DisplayName>me</DisplayName></Grantee>"
                b"<Permission>FULL_CONTROL</Permission>" + more_of_grant + b"</Grant></AccessControlList>" + more +
                b"</AccessControlPolicy>")

    owner = s3.request("GET", "/elements", {"acl": ""}).ok().text("ID").encode()
    s3.request("PUT", "/elements", {"acl": ""}, acl()).ok()
    for method, what, body, named in (
            ("PUT", "lifecycle", rule(b"<Filter><Prefx>a</Prefx></Filter>"), b"Prefx"),
            ("PUT", "lifecycle", rule(b"<Filter><prefix>a</prefix></Filter>"), b"prefix"),
            ("PUT", "lifecycle", rule(b"<Filter><Prefix>a</Prefix><Prefix>b</Prefix></Filter>"), b"one Prefix"),
            ("PUT", "lifecycle", rule(b"<Filter><And><Prefix>a</Prefix><Tg/></And></Filter>"), b"Tg"),
            ("PUT", "lifecycle", rule(b"<Filter><And><Prefix>a</Prefix></And><Prefix>b</Prefix></Filter>"), b"beside"),
            ("PUT", "lifecycle", rule(b"<Filter><Prefix>b</Prefix><And><Prefix>a</Prefix></And></Filter>"), b"beside"),
            ("POST", "delete", b"<Delete><Object><Key>kept</Key><ETagg>z</ETagg></Object></Delete>", b"ETagg"),
            ("POST", "delete", b"<Delete><Object><Key>kept</Key><VersionID>z</VersionID></Object></Delete>",
             b"VersionID"),
            ("POST", "delete", b"<Delete><Object><Key>kept</Key><Key>b</Key></Object></Delete>", b"one Key"),
            ("PUT", "versioning", b"<VersioningConfiguration><Status>Enabled</Status><Mfa/></VersioningConfiguration>",
             b"Mfa"),
            ("PUT", "cors", b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*"
                            b"</AllowedOrigin><Foo/></CORSRule></CORSConfiguration>", b"Foo"),
            ("PUT", "publicAccessBlock", b"<PublicAccessBlockConfiguration><BlockPublicAcl>true</BlockPublicAcl>"
                                         b"</PublicAccessBlockConfiguration>", b"BlockPublicAcl"),
            ("PUT", "encryption", b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
                                  b"<SSEAlgorithm>AES256</SSEAlgorithm><KMSKeyID>k</KMSKeyID>"
                                  b"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
             b"KMSKeyID"),
            ("PUT", "ownershipControls", b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership>"
                                         b"<Owner/></Rule></OwnershipControls>", b"Owner"),
            ("PUT", "acl", acl(b"", b"<Note/>"), b"Note"), ("PUT", "acl", acl(b"<Permission>READ</Permission>"), b"one Perm"),
            ("PUT", "acl", acl(b"<Permision>READ</Permision>"), b"Permision")):
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        answer = s3.request(method, "/elements", {what: ""}, body, headers={"content-md5": digest})
        equal((answer.status, answer.code), (400, "MalformedACLError" if what == "acl" else "MalformedXML"))
        check(named in answer.body, f"{named} is not in {answer.body[:300]}")
    equal(keys(s3, "elements"), ["kept"])
    s3.request("PUT", "/elements", {"encryption": ""},
               b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256"
               b"</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled>"
               b"<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes></Rule>"
               b"</ServerSideEncryptionConfiguration>").ok()


def upload_of_one(s3, path, body=b"part"):
    """The parameters of an upload with one part, and the list that completes it."""
    upload = s3.request("POST", path, {"uploads": ""}).ok().text("UploadId")
    etag = s3.request("PUT", path, {"uploadId": upload, "partNumber": "1"}, body).ok().headers["ETag"]
    return {"uploadId": upload}, f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>%s</Part>"


def completion(part):
    return f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()


@test
def an_upload_is_completed_from_a_list_that_is_read_strictly():
    s3 = bucket("lists")
    upload, part = upload_of_one(s3, "/lists/k")
    for more, named in (("<Checksum>x</Checksum>", b"Checksum"), ("<ChecksumSHA512>x</ChecksumSHA512>", b"ChecksumSHA512"),
                        ("<ETag>x</ETag>", b"one ETag")):
        answer = s3.request("POST", "/lists/k", upload, completion(part % more))
        equal((answer.status, answer.code), (400, "MalformedXML"))
        check(named in answer.body, answer.body[:300])
    answer = s3.request("POST", "/lists/k", upload, completion(part % "" + "<Prat/>"))
    equal((answer.status, answer.code), (400, "MalformedXML"))
    equal(keys(s3, "lists"), [])
    s3.request("POST", "/lists/k", upload, completion(part % "")).ok()


@test
def an_upload_is_completed_only_with_the_size_that_was_said():
    s3 = bucket("sizes")
    upload, part = upload_of_one(s3, "/sizes/k", b"0123456789")
    for size, code in (("11", "InvalidRequest"), ("0", "InvalidRequest"), ("-1", "InvalidArgument"),
                       ("ten", "InvalidArgument"), ("", "InvalidArgument")):
        answer = s3.request("POST", "/sizes/k", upload, completion(part % ""), headers={"x-amz-mp-object-size": size})
        equal((answer.status, answer.code), (400, code), size)
        equal(s3.request("GET", "/sizes/k").code, "NoSuchKey")
    equal(len(list(s3.request("GET", "/sizes/k", upload).ok().xml.iter("Part"))), 1)
    for _ in range(2):
        s3.request("POST", "/sizes/k", upload, completion(part % ""), headers={"x-amz-mp-object-size": "10"}).ok()
    equal(s3.request("GET", "/sizes/k").ok().body, b"0123456789")
    equal(s3.request("POST", "/sizes/k", upload, completion(part % ""), headers={"x-amz-mp-object-size": "9"}).code,
          "InvalidRequest")


@test
def what_is_not_served_has_a_code():
    s3 = bucket("unserved")
    s3.request("PUT", "/unserved/k", body=b"1").ok()
    for name in ("analytics", "inventory", "metrics", "logging", "replication", "website", "accelerate", "notification",
                 "intelligent-tiering", "policy", "cors", "lifecycle", "encryption", "tagging", "object-lock",
                 "publicAccessBlock", "ownershipControls"):
        answer = s3.request("GET", "/unserved", {name: ""})
        check(answer.status in (404, 501) and answer.code, f"{name}: {answer.status} {answer.code}")
    for name in ("analytics", "replication", "website", "logging", "notification", "accelerate"):
        equal(s3.request("PUT", "/unserved", {name: ""}, b"<x/>").code, "NotImplemented", name)
    equal(s3.request("GET", "/unserved/k", {"torrent": ""}).code, "NotImplemented")
    equal(s3.request("POST", "/unserved/k", {"select": "", "select-type": "2"}, b"<x/>").code, "NotImplemented")
    equal(s3.request("PUT", "/unserved", {"location": ""}).code, "MethodNotAllowed")


SUB_RESOURCES = ("annotation", "annotations", "abac", "metadataConfiguration", "metadataTable", "metadataInventoryTable",
                 "metadataJournalTable", "metadataAnnotationTable", "session", "policy", "policyStatus", "cors",
                 "versioning", "versions", "acl", "lifecycle", "website", "retention", "legal-hold", "attributes",
                 "encryption", "restore", "select", "torrent", "uploads", "renameObject", "uploadId", "location")


@test
def a_sub_resource_never_means_the_object_or_bucket_itself():
    s3 = bucket("misplaced")
    s3.request("PUT", "/misplaced/k", body=b"kept").ok()
    bucket("misplaced-empty")
    for name in SUB_RESOURCES:
        for method in ("PUT", "DELETE", "POST"):
            for path in ("/misplaced/k", "/misplaced", "/misplaced-empty"):
                s3.request(method, path, {name: ""}, b"<x/>" if method != "DELETE" else b"")
        equal(s3.request("GET", "/misplaced/k").body, b"kept", name)
        equal(s3.request("HEAD", "/misplaced-empty").status, 200, name)
    for method, path in (("PUT", "/misplaced/k"), ("DELETE", "/misplaced/k"), ("DELETE", "/misplaced-empty"),
                         ("PUT", "/misplaced-new")):
        for params in ({"unheard-of": ""}, {"unheard-of": "1"}, {"partNumber": "1"}, {"list-type": "2"}):
            code = s3.request(method, path, params).code
            check(code in ("NotImplemented", "MethodNotAllowed"), f"{method} {path} {params}: {code}")
    # nor does a word beside one that is known
    upload = s3.request("POST", "/misplaced/parts", {"uploads": ""}).ok().text("UploadId")
    of_part = {"uploadId": upload, "partNumber": "1"}
    version = s3.request("PUT", "/misplaced/k", body=b"kept").ok().headers.get("x-amz-version-id", "null")
    for method, path, params, body in (
            ("PUT", "/misplaced/parts", of_part, b"part"), ("POST", "/misplaced/parts", {"uploadId": upload}, b"<x/>"),
            ("DELETE", "/misplaced/parts", {"uploadId": upload}, b""), ("POST", "/misplaced/other", {"uploads": ""}, b""),
            ("PUT", "/misplaced/k", {"tagging": ""}, b"<Tagging><TagSet/></Tagging>"), ("DELETE", "/misplaced/k", {"tagging": ""}, b""),
            ("POST", "/misplaced", {"delete": ""}, b"<Delete><Object><Key>k</Key></Object></Delete>"),
            ("DELETE", "/misplaced", {"cors": ""}, b""), ("PUT", "/misplaced/k", {"acl": ""}, b"")):
        for word in ("unheard-of", "list-type", "torrents"):
            equal(s3.request(method, path, {**params, word: ""}, body).code, "NotImplemented", f"{method} {params} {word}")
    equal(s3.request("PUT", "/misplaced/k", {"tagging": "", "partNumber": "1"}, b"<Tagging/>").code, "NotImplemented")
    s3.request("PUT", "/misplaced/parts", {**of_part, "x-id": "UploadPart"}, b"part").ok()
    s3.request("PUT", "/misplaced/k", {"tagging": "", "versionId": version}, b"<Tagging><TagSet/></Tagging>").ok()
    equal(s3.request("GET", "/misplaced/k").body, b"kept")
    equal(len(list(s3.request("GET", "/misplaced/parts", {"uploadId": upload}).ok().xml.iter("Part"))), 1)
    equal(s3.request("GET", "/misplaced", {"abac": ""}).code, "NotImplemented")
    equal(s3.request("GET", "/misplaced", {"abac": "", "list-type": "2"}).status, 501)
    equal(s3.request("GET", "/misplaced", {"retention": "", "list-type": "2"}).code, "InvalidArgument")
    equal(s3.request("GET", "/misplaced", {"annotation": ""}).code, "MethodNotAllowed")
    equal(s3.request("GET", "/misplaced/k", {"policy": ""}).code, "MethodNotAllowed")
    s3.request("GET", "/misplaced", {"unheard-of": "1"}).ok()
    s3.request("GET", "/misplaced/k", {"unheard-of": "1"}).ok()
    s3.request("PUT", "/misplaced/k", {"x-id": "PutObject"}, b"again").ok()
    s3.request("DELETE", "/misplaced/k", {"x-id": "DeleteObject", "versionId": "null"}).ok()


def framed(s3, path, trailer, tail):
    """The answer to a PUT of 5 bytes in a frame, whose body ends in `tail`."""
    body = b"5\r\nhello\r\n0\r\n" + tail
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": "5"}
    if trailer:
        headers["x-amz-trailer"] = trailer
    real, s3client.hashed = s3client.hashed, lambda data: "STREAMING-UNSIGNED-PAYLOAD-TRAILER" if data == body else real(data)
    try:
        return s3.request("PUT", path, None, body, headers)
    finally:
        s3client.hashed = real


def link(s3, method, path, signed="", slash="", more=""):
    """A link of version 2: `signed` is what of the query is signed, `more` what somebody adds to it."""
    expires = str(int(time.time()) + 600)
    text = f"{method}\n\n\n{expires}\n{path}{slash}" + (f"?{signed}" if signed else "")
    mac = base64.b64encode(hmac.new(s3.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    query = "&".join(part for part in (signed, more) if part)
    connection = http.client.HTTPConnection(s3.address, timeout=60)
    connection.request(method, path + f"?AWSAccessKeyId={s3.access_key}&Expires={expires}"
                       f"&Signature={s3client.quoted(mac)}" + (f"&{query}" if query else ""))
    answer = connection.getresponse()
    found = s3client.S3Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return found


def sent(s3, method, target, body=b"", headers=None):
    connection = http.client.HTTPConnection(s3.address, timeout=60)
    connection.request(method, target, body or None, headers or {})
    answer = connection.getresponse()
    found = s3client.S3Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return found


def hoisted_2(s3, method, path, said, body=b"", headers=None, params=""):
    """A link of version 2 with headers in its query, as boto3 makes it."""
    expires = str(int(time.time()) + 600)
    amz = "".join(f"{name}:{said[name]}\n" for name in sorted(said) if name.startswith("x-amz-"))
    text = f"{method}\n\n{said.get('content-type', '')}\n{expires}\n{amz}{path}" + (f"?{params}" if params else "")
    mac = base64.b64encode(hmac.new(s3.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    query = {"AWSAccessKeyId": s3.access_key, "Expires": expires, "Signature": mac, **said}
    query = "&".join(f"{name}={s3client.quoted(value)}" for name, value in query.items()) + (f"&{params}" if params else "")
    return sent(s3, method, f"{path}?{query}", body, headers)


def hoisted_4(s3, method, path, said, body=b"", headers=None, params=""):
    """A link of version 4 with headers in its query, as the SDK for JavaScript makes it."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    lines = {"host": s3.address, **(headers or {})}
    names = ";".join(sorted(lines))
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{s3.access_key}/{scope}", "X-Amz-Date": now,
             "X-Amz-Expires": "600", "X-Amz-SignedHeaders": names, **said}
    query.update((part.partition("=")[::2]) for part in params.split("&") if part)
    query = "&".join(f"{s3client.quoted(name)}={s3client.quoted(query[name])}" for name in sorted(query))
    text = "\n".join([method, path, query, "".join(f"{name}:{lines[name]}\n" for name in sorted(lines)), names,
                      "UNSIGNED-PAYLOAD"])
    key = ("AWS4" + s3.secret).encode()
    for part in scope.split("/"):
        key = s3client.keyed(key, part)
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, s3client.hashed(text.encode())])
    return sent(s3, method, f"{path}?{query}&X-Amz-Signature={s3client.keyed(key, text).hex()}", body, headers)


@test
def headers_in_a_signed_query_count_as_headers():
    s3 = bucket("hoisted")
    bucket("hoisted-lock", x_amz_bucket_object_lock_enabled="true")
    s3.request("PUT", "/hoisted/from", body=b"source").ok()
    for version, ask in (("2", hoisted_2), ("4", hoisted_4)):
        s3.request("PUT", "/hoisted/to", body=b"old").ok()
        check(b"<CopyObjectResult" in ask(s3, "PUT", "/hoisted/to", {"x-amz-copy-source": "/hoisted/from"}).ok().body, version)
        equal(s3.request("GET", "/hoisted/to").ok().body, b"source", version)
        said = {"x-amz-acl": "public-read", "x-amz-meta-a": "b", "x-amz-server-side-encryption": "AES256",
                "x-amz-tagging": "q=1"}
        ask(s3, "PUT", "/hoisted/k" + version, said, b"1").ok()
        head = s3.request("HEAD", "/hoisted/k" + version).ok().headers
        equal((head["x-amz-meta-a"], head["x-amz-server-side-encryption"], head["x-amz-tagging-count"]),
              ("b", "AES256", "1"), version)
        check(b"AllUsers" in s3.request("GET", "/hoisted/k" + version, {"acl": ""}).ok().body, version)
        until = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2040-01-01T00:00:00Z",
                 "x-amz-checksum-crc32": "g9zvtw=="}
        ask(s3, "PUT", "/hoisted-lock/k" + version, until, b"1").ok()
        equal(s3.request("GET", "/hoisted-lock/k" + version, {"retention": ""}).ok().text("Mode"), "GOVERNANCE", version)
        upload = ask(s3, "POST", "/hoisted/big" + version, {"x-amz-meta-c": "d"}, params="uploads").text("UploadId")
        check(upload, version)
        refused = [("NotImplemented", {"x-amz-server-side-encryption-customer-algorithm": "AES256"}),
                   ("NotImplemented", {"x-amz-server-side-encryption": "aws:kms"}),
                   ("NotImplemented", {"x-amz-write-offset-bytes": "1"}),
                   ("BadDigest", {"x-amz-checksum-crc32": "AAAAAA=="}),
                   ("AccessDenied", {"x-amz-expected-bucket-owner": "somebody"})]
        for code, said in refused:
            equal(ask(s3, "PUT", "/hoisted/none", said, b"1").code, code, f"{version} {said}")
        equal(s3.request("GET", "/hoisted/none").status, 404, version)
    same = {"x-amz-meta-a": "b"}
    hoisted_4(s3, "PUT", "/hoisted/same", same, b"1", same).ok()
    equal(s3.request("HEAD", "/hoisted/same").headers["x-amz-meta-a"], "b")
    answer = hoisted_4(s3, "PUT", "/hoisted/none", same, b"1", {"x-amz-meta-a": "c"})
    equal((answer.status, answer.code), (400, "InvalidArgument"))
    hoisted_2(s3, "PUT", "/hoisted/typed", {"content-type": "text/x-mine"}, b"1").ok()
    equal(s3.request("HEAD", "/hoisted/typed").headers["content-type"], "text/x-mine")


@test
def headers_in_the_query_of_other_requests_are_refused():
    s3 = bucket("unhoisted")
    s3.request("PUT", "/unhoisted/k", body=b"1", headers={"x-amz-acl": "public-read"}).ok()
    for client in (s3, S3(shared().s3)):
        for method in ("GET", "PUT"):
            for name in ("x-amz-acl", "X-Amz-Meta-A", "x-amz-copy-source"):
                answer = client.request(method, "/unhoisted/k", {name: "private"})
                equal((answer.status, answer.code), (400, "InvalidArgument"), f"{method} {name}")
    equal(s3.request("GET", "/unhoisted/k").body, b"1")


@test
def headers_that_would_make_another_operation_are_not_passed_over():
    s3 = bucket("unserved")
    s3.request("PUT", "/unserved/k", body=b"0123").ok()
    for headers in ({"x-amz-write-offset-bytes": "4"}, {"x-amz-rename-source": "/unserved/k"},
                    {"x-amz-rename-source-if-match": "x"}):
        answer = s3.request("PUT", "/unserved/k", body=b"", headers=headers)
        equal((answer.status, answer.code), (501, "NotImplemented"), str(headers))
    equal(s3.request("GET", "/unserved/k", headers={"x-amz-unheard-of": "1"}).ok().body, b"0123")


@test
def a_link_of_version_2_is_for_what_was_signed():
    s3 = bucket("links")
    s3.request("PUT", "/links/k", body=b"1").ok()
    link(s3, "GET", "/links/k").ok()
    link(s3, "GET", "/links/k", more="x-id=GetObject").ok()
    link(s3, "GET", "/links", more="prefix=k&list-type=2").ok()
    link(s3, "GET", "/links", slash="/").ok()
    link(s3, "GET", "/links", "location", "/").ok()
    link(s3, "GET", "/links", "location").ok()
    equal(link(s3, "GET", "/links/k", slash="/").code, "SignatureDoesNotMatch")
    equal(link(s3, "GET", "/links", more="acl").code, "SignatureDoesNotMatch")
    for name in ("retention", "legal-hold", "attributes", "encryption", "ownershipControls", "publicAccessBlock",
                 "policyStatus", "annotation", "intelligent-tiering", "unheard-of", "Retention"):
        for method in ("GET", "PUT"):
            equal(link(s3, method, "/links/k", more=name).code, "AccessDenied", f"{method} {name}")


@test
def a_link_of_version_2_is_as_old_as_can_be():
    s3 = bucket("old-links")
    s3.request("PUT", "/old-links/k", body=b"1").ok()
    equal(link(s3, "GET", "/old-links/k").ok().body, b"1")
    session = s3.session(Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*",
         "Condition": {"NumericGreaterThan": {"s3:signatureAge": "600000"}}}]}))
    session.request("GET", "/old-links/k").ok()
    token = "x-amz-security-token:" + session.token
    expires = str(int(time.time()) + 60)
    text = f"GET\n\n\n{expires}\n{token}\n/old-links/k"
    mac = base64.b64encode(hmac.new(session.secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    answer = sent(s3, "GET", f"/old-links/k?AWSAccessKeyId={session.access_key}&Expires={expires}&Signature="
                  f"{s3client.quoted(mac)}&x-amz-security-token={s3client.quoted(session.token)}")
    equal((answer.status, answer.code), (403, "AccessDenied"))


@test
def a_listing_goes_on_only_from_a_token_that_it_gave():
    s3 = bucket("tokens")
    bucket("tokens-2")
    for name in ("tokens", "tokens-2"):
        for key in ("a", "b", "c"):
            s3.request("PUT", f"/{name}/{key}", body=b"1").ok()
    page = {"list-type": "2", "max-keys": "1"}
    token = s3.request("GET", "/tokens", page).ok().text("NextContinuationToken")
    equal([each.text for each in s3.request("GET", "/tokens", {**page, "continuation-token": token}).ok().xml.iter("Key")],
          ["b"])
    equal(s3.request("GET", "/tokens-2", {**page, "continuation-token": token}).code, "InvalidArgument")
    bytes_of = base64.b64decode(token)
    for bad in (base64.b64encode(b"b"), base64.b64encode(b"aaaab"), base64.b64encode(bytes_of + b"b"),
                base64.b64encode(bytes_of[:4]), base64.b64encode(bytes_of[::-1]), b"%%%", b"AAAA"):
        answer = s3.request("GET", "/tokens", {**page, "continuation-token": bad.decode()})
        equal((answer.status, answer.code), (400, "InvalidArgument"), bad)


@test
def trailers_that_lie_are_refused():
    s3 = bucket("trailers")
    right = b"x-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    framed(s3, "/trailers/right", "x-amz-checksum-crc32", right).ok()
    for trailer, tail in (("x-amz-checksum-crc32", b"\r\n"), ("", right), ("x-amz-checksum-crc32", b"junk\r\n\r\n"),
                          ("x-amz-checksum-crc32", right + b"PUT / HTTP/1.1\r\n\r\n")):
        answer = framed(s3, "/trailers/k", trailer, tail)
        equal((answer.status, answer.code), (400, "MalformedTrailerError"), f"{trailer} {tail}")
    equal(keys(s3, "trailers"), ["right"])


@test
def heads_have_no_body_and_errors_have_an_id():
    s3 = bucket("heads")
    answer = s3.request("HEAD", "/heads/none")
    equal((answer.status, answer.body), (404, b""))
    answer = s3.request("GET", "/heads/none")
    equal((answer.status, answer.code), (404, "NoSuchKey"))
    equal(answer.text("RequestId"), answer.headers["x-amz-request-id"])


@test
def a_bucket_may_stand_in_the_host():
    s3 = bucket("in-the-host")
    s3.request("PUT", "/in-the-host/a/b", body=b"1").ok()
    port = s3.address.rpartition(":")[2]
    headers = S3("in-the-host.localhost:" + port, s3.access_key, s3.secret).signed("GET", "/a/b", "", {}, b"", "s3")
    answer = raw(("GET /a/b HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) +
                  "Connection: close\r\n\r\n").encode())
    check(answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\n1"), answer[:300])


@test
def expected_owners_are_obeyed():
    s3 = bucket("owners")
    equal(s3.request("PUT", "/owners/k", body=b"1", headers={"x-amz-expected-bucket-owner": "000000000000"}).code,
          "AccessDenied")
    equal(keys(s3, "owners"), [])
    s3.request("PUT", "/owners/k", body=b"1", headers={"x-amz-expected-bucket-owner": s3.access_key}).ok()


@test
def default_encryption_hides_the_bytes_on_disk():
    s3 = bucket("hidden")
    rule = (f"<ServerSideEncryptionConfiguration {NAMESPACE}><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256"
            "</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>").encode()
    mark = b"a mark that is nowhere else " * 8000
    s3.request("PUT", "/hidden/clear", body=b"CLEAR" + mark).ok()
    s3.request("PUT", "/hidden", {"encryption": ""}, rule).ok()
    s3.request("PUT", "/hidden/sealed", body=b"SEALED" + mark).ok()
    answer = s3.request("GET", "/hidden/sealed", headers={"Range": "bytes=6-15"}).ok()
    equal((answer.body, answer.headers["x-amz-server-side-encryption"]), (mark[:10], "AES256"))
    blobs = [data for _, data, _ in read_blobs(shared())]
    check(any(b"CLEAR" + mark[:100] in data for data in blobs), "the clear one is on disk")
    check(not any(b"SEALED" + mark[:100] in data for data in blobs), "the encrypted one lies in the clear")
    equal(s3.request("PUT", "/hidden/kms", body=b"1", headers={"x-amz-server-side-encryption": "aws:kms"}).code,
          "NotImplemented")


@test
def default_retention_locks_new_versions():
    s3 = bucket("locked", x_amz_bucket_object_lock_enabled="true")
    rule = (f"<ObjectLockConfiguration {NAMESPACE}><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
            "<Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>").encode()
    digest = {"Content-MD5": base64.b64encode(hashlib.md5(rule).digest()).decode()}
    s3.request("PUT", "/locked", {"object-lock": ""}, rule, digest).ok()
    version = s3.request("PUT", "/locked/k", body=b"1").ok().headers["x-amz-version-id"]
    equal(s3.request("DELETE", "/locked/k", {"versionId": version}).code, "AccessDenied")
    equal(s3.request("HEAD", "/locked/k").headers["x-amz-object-lock-mode"], "GOVERNANCE")
    s3.request("DELETE", "/locked/k", {"versionId": version},
               headers={"x-amz-bypass-governance-retention": "true"}).ok()


@test
def sql_and_s3_see_the_same_objects():
    server, s3 = shared(), root()
    server.query("CREATE TABLE seen AS SELECT 42 AS answer")
    found = [key for key in keys(s3, "warehouse") if key.endswith(".parquet")]
    check(found, "no data file is listed")
    body = s3.request("GET", "/warehouse/" + found[0]).ok().body
    equal((body[:4], body[-4:]), (b"PAR1", b"PAR1"))
    equal(s3.request("DELETE", "/warehouse").code, "AccessDenied")
    for parameter, body in (
            ("lifecycle", b"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter/><Expiration>"
                          b"<Days>1</Days></Expiration></Rule></LifecycleConfiguration>"),
            ("object-lock", b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
                            b"</ObjectLockConfiguration>"),
            ("encryption", b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>"
                           b"AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>"
                           b"</ServerSideEncryptionConfiguration>")):
        refused = s3.request("PUT", "/warehouse", {parameter: ""}, body=body)
        equal(refused.code, "AccessDenied", parameter)
        check(b"tables lie in bucket" in refused.body, refused.body)


@test
def what_was_written_over_s3_can_be_loaded():
    server, s3 = shared(), bucket("to-load")
    server.query("CREATE TABLE source AS SELECT range AS id, 'name ' || range AS name FROM range(1000)")
    file = next(key for key in keys(s3, "warehouse") if "/source" in key and key.endswith(".parquet"))
    s3.request("PUT", "/to-load/some dir/rows.parquet", body=s3.request("GET", "/warehouse/" + file).ok().body).ok()
    s3.request("PUT", "/to-load/rows.csv", body=b"id,name\n7,seven\n8,eight\n").ok()
    s3.request("PUT", "/to-load/sealed.csv", headers={"x-amz-server-side-encryption": "AES256"},
               body=b"id,name\n9,nine\n").ok()
    for name in ("some dir/rows.parquet", "rows.csv", "sealed.csv"):
        code, _, err = server.run("load", "loaded", "s3://to-load/" + name)
        equal(code, 0, err)
    equal(server.rows("SELECT count(*), sum(id) FROM loaded"), [[1003, 499524]])
    code, _, err = server.run("load", "loaded", "s3://to-load/absent.csv")
    equal(code, 3, err)
    check("s3://to-load/absent.csv" in err, err)
    equal(server.value("SELECT count(*) FROM loaded"), 1003)


@test
def objects_of_others_are_not_loaded():
    server = shared()
    bucket("private-rows").request("PUT", "/private-rows/a.csv", body=b"id\n1\n").ok()
    key = server.request("POST", "/api/v1/principals", {"name": "loader", "role": "user"}).ok().json["key"]
    with server.client() as client:
        client.key = key
        begun = client.request("POST", "/api/v1/loads", {})
        check(begun.status == 403, begun.text)


@test
def without_authentication_signed_chunks_are_taken_as_they_are():
    with Server(settings={"auth.mode": "none"}) as server:
        s3 = S3(server.s3, "anybody", "whatever")
        s3.request("PUT", "/open").ok()
        chunk = "5;chunk-signature=" + "0" * 64 + "\r\nhello\r\n0;chunk-signature=" + "0" * 64 + "\r\n\r\n"
        headers = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-decoded-content-length": "5",
                   "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
                   "Authorization": "AWS4-HMAC-SHA256 Credential=anybody/" + time.strftime("%Y%m%d", time.gmtime()) +
                                    "/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
                                    "x-amz-decoded-content-length, Signature=" + "0" * 64}
        connection = http.client.HTTPConnection(*server.s3.split(":"))
        connection.request("PUT", "/open/key", chunk, headers)
        answer = connection.getresponse()
        equal(answer.status, 200, str(answer.read()[:300]))
        connection.close()
        equal(s3.request("GET", "/open/key").ok().body, b"hello")


@test
def tags_and_locks_of_a_new_object_are_rights_of_their_own():
    s3 = bucket("rights-apart", x_amz_bucket_object_lock_enabled="true")
    narrow = s3.session(Policy='{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}}')
    narrow.request("PUT", "/rights-apart/a", body=b"1").ok()
    for headers in ({"x-amz-tagging": "a=b"}, {"x-amz-object-lock-legal-hold": "ON"},
                    {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z"}):
        equal(narrow.request("PUT", "/rights-apart/a", headers=headers, body=b"2").code, "AccessDenied", str(headers))
        equal(narrow.request("POST", "/rights-apart/a", {"uploads": ""}, headers=headers).code, "AccessDenied", str(headers))


@test
def forms_that_do_not_come_keep_nobody_waiting():
    s3 = bucket("forms-wait")
    host, _, port = shared().s3.rpartition(":")
    for path, kind in (("/", "application/x-www-form-urlencoded"), ("/forms-wait", "multipart/form-data; boundary=b")):
        links = [socket.create_connection((host, int(port)), timeout=60) for _ in range(200)]
        for link in links:
            link.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {kind}\r\n"
                         "Content-Length: 1000\r\n\r\n".encode())
        s3.request("PUT", "/forms-wait/key", body=b"1").ok()  # a thread is left
        answers = []
        for link in links:
            answers.append(link.recv(4096))
            link.close()
        busy = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
        late = [answer for answer in answers if answer.startswith(b"HTTP/1.1 4")]
        equal(len(busy) + len(late), len(links), str(set(answers))[:2000])
        check(busy and late, f"{len(busy)} were too many, {len(late)} too late")


@test
def lifecycle_rules_of_before_spare_the_warehouse():
    rule = (b"<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>"
            b"<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>")
    with Server() as server:
        s3 = root_of(server)
        for name in ("becomes", "stays"):
            s3.request("PUT", "/" + name).ok()
            s3.request("PUT", "/" + name, {"lifecycle": ""}, rule).ok()
            s3.request("PUT", f"/{name}/k", None, b"bytes").ok()
        server.restart(settings={"warehouse.location": "s3://becomes", "s3.lifecycle_day": "200ms"})
        s3 = root_of(server)
        eventually(lambda: s3.request("GET", "/stays/k").status == 404, "the rule of the other bucket")
        s3.request("PUT", "/stays/again", None, b"bytes").ok()  # and one more whole round
        eventually(lambda: s3.request("GET", "/stays/again").status == 404, "the rule of the other bucket")
        equal(s3.request("GET", "/becomes/k").ok().body, b"bytes")


@test
def a_page_of_versions_goes_on_behind_one_that_is_gone():
    s3 = bucket("pages")
    s3.request("PUT", "/pages", {"versioning": ""},
               b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>").ok()
    made = [s3.request("PUT", "/pages/k", None, str(i).encode()).ok().headers["x-amz-version-id"] for i in range(6)][::-1]
    page = s3.request("GET", "/pages", {"versions": "", "max-keys": "2"}).ok()
    equal([each.text for each in page.xml.iter("VersionId")], made[:2])
    markers = {"versions": "", "key-marker": page.text("NextKeyMarker"), "version-id-marker": page.text("NextVersionIdMarker")}
    for gone in (made[1], made[0], made[2]):  # the marker's, then what was told before it, then what follows
        s3.request("DELETE", "/pages/k", {"versionId": gone}).ok()
        left = [version for version in made[2:] if version != gone]
        equal([each.text for each in s3.request("GET", "/pages", markers).ok().xml.iter("VersionId")], left)
    # an id alone is a marker, too
    markers["version-id-marker"] = made[3]
    equal([each.text for each in s3.request("GET", "/pages", markers).ok().xml.iter("VersionId")], made[4:])


def spoken(address, request):
    """What a server says to bytes that no client would send."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(request)
        answer = b""
        while True:
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.lower(), body


@test
def what_no_handler_sees_is_refused_as_s3_does():
    for status, code, request in (
            (400, "BadRequest", b"nonsense\r\n\r\n"), (400, "BadRequest", b"GET / HTTP/1.1\r\n\r\n"),
            (400, "BadRequest", b"GET /%zz?a=%zz HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n"),
            (431, "RequestHeaderSectionTooLarge", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200000 + b"\r\n\r\n"),
            (414, "InvalidURI", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")):
        got, head, body = spoken(shared().s3, request)
        equal(got, status, f"{request[:40]} {body[:200]}")
        check(b"content-type: application/xml" in head, head)
        root = ET.fromstring(body)
        equal((root.tag, root.findtext("Code")), ("Error", code), f"{request[:40]}")
        check(root.findtext("RequestId") and root.findtext("Message"), body)
    got, head, body = spoken(shared().address, b"nonsense\r\n\r\n")  # the other door keeps its own
    check(b"application/json" in head and "error" in json.loads(body), body)


@test
def a_connection_too_many_is_refused_in_its_doors_words():
    """On the REST port by what it asks for, which is read before it is refused."""
    server = Server(settings={"http.address_connections": "2"})
    try:
        with contextlib.ExitStack() as held:
            def hold_and_ask():
                host, port = server.address.rsplit(":", 1)
                held.enter_context(socket.create_connection((host, int(port)), 30))
                return spoken(server.s3, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[0] == 503

            eventually(hold_and_ask, "two are held")
            status, head, body = spoken(server.s3, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            equal(status, 503)
            check(b"content-type: application/xml" in head and b"retry-after:" in head, head)
            equal(ET.fromstring(body).findtext("Code"), "SlowDown")
            host = f"Host: {server.address}\r\nConnection: close\r\n\r\n".encode()
            status, _, body = spoken(server.address, b"GET /iceberg/v1/config HTTP/1.1\r\n" + host)
            equal((status, json.loads(body)["error"]["code"]), (503, 503))
            status, _, body = spoken(server.address, b"GET /api/v1/status HTTP/1.1\r\n" + host)
            equal((status, json.loads(body)["error"]["code"]), (503, "busy"))
        eventually(lambda: root_of(server).request("GET", "/").status == 200, "there is room again")
    finally:
        server.stop()


main()

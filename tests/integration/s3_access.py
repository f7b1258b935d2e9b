#!/usr/bin/env python3
"""Who may what over S3: every row of the door's route table as nobody, as another user, in sessions that may not, and as
the owner; sources of copies, versions, sessions and their ends, keys and users."""
import base64
import hashlib
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from s3client import S3, keyed, root_s3  # noqa: E402
from tarn import Server, check, contains, equal, main, shared, test  # noqa: E402

BUCKET, KEY = "matrix-alice", "in/k"
NOBODY = object()


def root():
    return root_s3(shared())


def make_user(name, server=None):
    server = server or shared()
    server.make_principal(name, "user")
    pair = server.request("POST", f"/api/v1/principals/{name}/s3-keys", {}).ok().json
    return S3(server.s3, pair["access_key"], pair["secret"])


def user(name, made={}):
    if name not in made:
        made[name] = make_user(name)
    return made[name]


def nobody():
    return S3(shared().s3)


def policy(actions, resources, effect="Allow", principal="*", **more):
    statement = {"Effect": effect, "Action": actions, "Resource": resources, **more}
    if principal is not NOBODY:
        statement["Principal"] = principal
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def session_policy(actions, resources):
    return policy(actions, resources, principal=NOBODY)


def arn(path):
    return "arn:aws:s3:::" + path


def allows(answer, where=""):
    check(answer.status < 300, f"{where}: {answer.status} {answer.body[:300]!r}")


def denies(answer, where="", code="AccessDenied"):
    equal(answer.status, 403, f"{where}: {answer.body[:300]!r}")
    if answer.body:
        equal(answer.code, code, where)


# ---- the matrix ----

def rows():
    """(method, level, parameter, name, action, flags) of the route table's own text."""
    path = os.path.join(os.environ.get("TARN_SOURCE", "."), "src/server/s3/routes.c")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    row = re.compile(r'\{HTTP_(\w+),\s+S3_(\w+), (?:"([^"]*)"|NULL), "(\w+)", (?:"([^"]*)"|NULL), (?:"[^"]*"|NULL), \w+, '
                     r'(?:"\w+"|NULL), (\w+),')
    found = [match.groups() for match in row.finditer(text)]
    equal(len(found), len(re.findall(r"\{HTTP_\w+,\s+S3_", text)), "rows that this test reads")
    return found


# Asked by themselves below: forms, batches, preflight, STS, and what makes or lists buckets.
APART = {"ListBuckets", "SecurityTokenService", "SecurityTokenServiceQuery", "PreflightBucket", "PreflightObject",
         "DeleteObjects", "PostObject", "CreateBucket", "PostOnObject", "ListDirectoryBuckets", "WriteGetObjectResponse"}


def ask(client, row, upload):
    method, level, parameter, name = row[:4]
    params, headers, body = {}, {}, b""
    for word in (parameter or "").split("&"):
        if word.startswith("header:"):
            headers[word[len("header:"):]] = f"/{BUCKET}/{KEY}"
        elif word:
            params[word] = upload if word == "uploadId" else "2" if word == "list-type" else ""
    if "uploadId" in params and method == "PUT":
        params["partNumber"] = "1"
    path = "/" + BUCKET + ("/" + KEY if level == "OBJECT" else "")
    return client.request(method, path, params, body, headers)


def prepare():
    alice = user("alice")
    alice.request("PUT", "/" + BUCKET).ok()
    alice.request("PUT", f"/{BUCKET}/{KEY}", None, b"bytes").ok()


def begin_upload():
    return user("alice").request("POST", f"/{BUCKET}/{KEY}", {"uploads": ""}).ok().text("UploadId")


@test
def every_row_is_for_those_who_may():
    alice, bob = user("alice"), user("bob")
    prepare()
    upload = begin_upload()
    strangers = {
        "nobody": nobody(),
        "another user": bob,
        "another user's session": bob.session(Policy=session_policy("s3:*", "*")),
        "a session without the right": alice.session(Policy=session_policy("s3:ListAllMyBuckets", "*")),
        "a session for another bucket": alice.session(Policy=session_policy("s3:*", [arn("other"), arn("other/*")])),
        "a session for another prefix": alice.session(Policy=session_policy("s3:*", arn(BUCKET + "/out/*"))),
    }
    seen = 0
    for row in rows():
        if row[3] in APART:
            continue
        seen += 1
        for who, client in strangers.items():
            denies(ask(client, row, upload), f"{row[3]} as {who}")
    check(seen >= 80, f"{seen} rows")
    equal(alice.request("GET", f"/{BUCKET}/{KEY}").body, b"bytes")


@test
def every_row_answers_its_owner():
    alice = user("alice")
    for row in rows():
        if row[3] in APART or row[3] == "DeleteBucket":
            continue
        prepare()
        for who, client in (("alice", alice), ("root", root()), ("alice's session", alice.session())):
            answer = ask(client, row, begin_upload() if "uploadId" in (row[2] or "") else "")
            check(answer.status not in (401, 403, 500, 503), f"{row[3]} as {who}: {answer.status} {answer.body[:300]!r}")


@test
def a_batch_of_deletions_asks_for_each_key():
    prepare()
    body = (f"<Delete><Object><Key>{KEY}</Key></Object><Object><Key>out/k</Key></Object></Delete>").encode()
    headers = {"Content-MD5": __import__("base64").b64encode(__import__("hashlib").md5(body).digest()).decode()}
    for client in (user("bob"), nobody()):
        answer = client.request("POST", "/" + BUCKET, {"delete": ""}, body, headers)
        if answer.status == 200:
            equal([error.text for error in answer.xml.iter("Code")], ["AccessDenied", "AccessDenied"])
        else:
            denies(answer)
    half = user("alice").session(Policy=session_policy("s3:DeleteObject", arn(BUCKET + "/out/*")))
    answer = half.request("POST", "/" + BUCKET, {"delete": ""}, body, headers).ok()
    equal([(error.findtext("Key"), error.findtext("Code")) for error in answer.xml.iter("Error")], [(KEY, "AccessDenied")])
    allows(user("alice").request("GET", f"/{BUCKET}/{KEY}"))


@test
def buckets_are_made_by_users_and_listed_by_their_owners():
    server = shared()
    bob = user("bob")
    bob.request("PUT", "/bobs-own").ok()
    prepare()
    listed = [element.text for element in bob.request("GET", "/").ok().xml.iter("Name")]
    check("bobs-own" in listed and BUCKET not in listed, listed)
    denies(nobody().request("GET", "/"))
    denies(nobody().request("PUT", "/anybodys"))
    equal(bob.request("PUT", "/" + BUCKET).code, "BucketAlreadyExists")
    server.make_principal("rita", "reader")
    pair = server.request("POST", "/api/v1/principals/rita/s3-keys", {}).ok().json
    denies(S3(server.s3, pair["access_key"], pair["secret"]).request("PUT", "/ritas"))


# ---- rights that are given ----

@test
def sources_of_copies_are_asked_for_by_themselves():
    alice, bob = user("alice"), user("bob")
    prepare()
    bob.request("PUT", "/bobs-copies").ok()
    source = {"x-amz-copy-source": f"/{BUCKET}/{KEY}"}
    upload = bob.request("POST", "/bobs-copies/big", {"uploads": ""}).ok().text("UploadId")
    part = {"uploadId": upload, "partNumber": "1"}
    denies(bob.request("PUT", "/bobs-copies/k", None, b"", source))
    denies(bob.request("PUT", "/bobs-copies/big", part, b"", source))
    encoded = {"x-amz-copy-source": f"{BUCKET}/i%6E/k"}
    alice.request("PUT", "/" + BUCKET, {"policy": ""}, policy("s3:GetObject", arn(f"{BUCKET}/other/*")).encode()).ok()
    denies(bob.request("PUT", "/bobs-copies/k", None, b"", encoded))
    alice.request("PUT", "/" + BUCKET, {"policy": ""}, policy("s3:GetObject", arn(f"{BUCKET}/in/*")).encode()).ok()
    allows(bob.request("PUT", "/bobs-copies/k", None, b"", encoded))
    allows(bob.request("PUT", "/bobs-copies/big", part, b"", source))
    equal(bob.request("GET", "/bobs-copies/k").body, b"bytes")
    # what may be read is no right to write there
    denies(bob.request("PUT", f"/{BUCKET}/in/new", None, b"", source))
    alice.request("DELETE", "/" + BUCKET, {"policy": ""}).ok()


@test
def a_condition_on_a_copys_source_sees_what_is_copied():
    alice, bob = user("alice"), user("bob")
    alice.request("PUT", "/copy-target").ok()
    bob.request("PUT", "/bobs-source").ok()
    for key in ("public/a", "private/a"):
        bob.request("PUT", "/bobs-source/" + key, None, b"x").ok()
    alice.request("PUT", "/copy-target", {"policy": ""}, json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": arn("copy-target/*")},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": arn("copy-target/*"),
         "Condition": {"StringLike": {"s3:x-amz-copy-source": "bobs-source/private/*"}}}]}).encode()).ok()
    allows(bob.request("PUT", "/copy-target/k", None, b"", {"x-amz-copy-source": "bobs-source/public/a"}))
    for source in ("bobs-source/private/a", "/bobs-source/private/a", "bobs-source/pr%69vate/a", "/bobs-source%2Fprivate%2Fa"):
        denies(bob.request("PUT", "/copy-target/k", None, b"", {"x-amz-copy-source": source}), source)


@test
def reading_a_version_is_a_right_of_its_own():
    alice, bob = user("alice"), user("bob")
    alice.request("PUT", "/versions-alice").ok()
    alice.request("PUT", "/versions-alice", {"versioning": ""},
                  b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>").ok()
    first = alice.request("PUT", "/versions-alice/k", None, b"one").ok().headers["x-amz-version-id"]
    alice.request("PUT", "/versions-alice/k", None, b"two").ok()
    alice.request("PUT", "/versions-alice", {"policy": ""}, policy("s3:GetObject", arn("versions-alice/*")).encode()).ok()
    equal(bob.request("GET", "/versions-alice/k").body, b"two")
    denies(bob.request("GET", "/versions-alice/k", {"versionId": first}))
    denies(bob.request("HEAD", "/versions-alice/k", {"versionId": first}))
    denies(bob.request("PUT", "/bobs-own/v", None, b"", {"x-amz-copy-source": f"versions-alice/k?versionId={first}"}))
    alice.request("PUT", "/versions-alice", {"policy": ""},
                  policy("s3:GetObjectVersion", arn("versions-alice/*")).encode()).ok()
    equal(bob.request("GET", "/versions-alice/k", {"versionId": first}).body, b"one")
    denies(bob.request("GET", "/versions-alice/k"))


@test
def what_is_not_there_is_told_to_who_may_list_it():
    alice, bob = user("alice"), user("bob")
    prepare()
    denies(bob.request("GET", f"/{BUCKET}/missing"))
    alice.request("PUT", "/" + BUCKET, {"policy": ""}, policy("s3:GetObject", arn(f"{BUCKET}/*")).encode()).ok()
    denies(bob.request("GET", f"/{BUCKET}/missing"))
    alice.request("PUT", "/" + BUCKET, {"policy": ""}, policy(
        "s3:ListBucket", arn(BUCKET), Condition={"StringLike": {"s3:prefix": "in/*"}}).encode()).ok()
    equal(bob.request("HEAD", f"/{BUCKET}/in/missing").status, 404)
    equal(bob.request("HEAD", f"/{BUCKET}/out/missing").status, 403)
    allows(bob.request("GET", "/" + BUCKET, {"prefix": "in/x"}))
    denies(bob.request("GET", "/" + BUCKET, {"prefix": "out/x"}))
    denies(bob.request("GET", "/" + BUCKET))
    alice.request("DELETE", "/" + BUCKET, {"policy": ""}).ok()


@test
def a_denial_binds_everybody_but_can_be_taken_away():
    alice = user("alice")
    prepare()
    alice.request("PUT", "/" + BUCKET, {"policy": ""},
                  policy("s3:*", [arn(BUCKET), arn(BUCKET + "/*")], "Deny").encode()).ok()
    for client in (alice, root()):
        denies(client.request("GET", f"/{BUCKET}/{KEY}"))
        denies(client.request("GET", "/" + BUCKET))
    allows(root().request("GET", "/" + BUCKET, {"policy": ""}))
    allows(alice.request("DELETE", "/" + BUCKET, {"policy": ""}))
    allows(alice.request("GET", f"/{BUCKET}/{KEY}"))


OWN = "deep/.tarn/"  # where the catalog keeps records


def listed(client, params):
    """All keys and prefixes of a listing, page by page."""
    found = []
    params = dict(params)
    while True:
        page = client.request("GET", "/lake", params).ok().xml
        names = [text.text for path in ("Contents/Key", "CommonPrefixes/Prefix", "Version/Key", "Upload/Key") for text in page.findall(path)]
        found += names
        if page.findtext("IsTruncated") != "true":
            return found
        for part in ("NextContinuationToken", "NextMarker", "NextKeyMarker", "NextVersionIdMarker", "NextUploadIdMarker"):
            text = page.findtext(part) or ""
            decoded = base64.b64decode(text) if part == "NextContinuationToken" else text.encode()
            check(b".tarn/names" not in decoded, f"a marker tells what is hidden: {text}")
        if "versions" in params or "uploads" in params:
            params.update({"key-marker": page.findtext("NextKeyMarker")})
            if page.findtext("NextVersionIdMarker"):
                params["version-id-marker"] = page.findtext("NextVersionIdMarker")
        elif "list-type" in params:
            params["continuation-token"] = page.findtext("NextContinuationToken")
        else:
            check(names, "a page without a name to go on from")
            params["marker"] = page.findtext("NextMarker") or names[-1]


@test
def what_the_catalog_keeps_for_itself_is_roots_alone():
    with Server() as server:
        ann = make_user("ann", server)
        ann.request("PUT", "/lake").ok()
        ann.request("PUT", "/lake/.tarn/anns", None, b"x").ok()
        server.restart(settings={"warehouse.location": "s3://lake/deep"})
        ann.address, root = server.s3, root_s3(server)
        for number in range(5):
            server.query(f"CREATE TABLE before{number} AS SELECT 1 AS n")
            server.query(f"ALTER TABLE before{number} RENAME TO t{number}")
        for key in ("deep/-a", "deep/-b", "deep/zz", "deep/.tarn/mine", "deeper"):
            root.request("PUT", "/lake/" + key, None, b"x").ok()
        for number in range(3):
            root.request("POST", f"/lake/deep/.tarn/up{number}", {"uploads": ""}).ok()
        root.request("POST", "/lake/deep/zzz", {"uploads": ""}).ok()
        own = [key for key in listed(root, {"list-type": "2"}) if key.startswith(OWN)]
        check(len(own) == 6, f"records: {own}")
        bob = make_user("bob", server)
        everything = policy("s3:*", [arn("lake"), arn("lake/*")], principal={"CanonicalUser": bob.access_key})
        ann.request("PUT", "/lake", {"policy": ""}, everything.encode()).ok()
        server.make_principal("wim", "writer")
        pair = server.request("POST", "/api/v1/principals/wim/s3-keys", {"warehouse": "tarn"}).ok().json
        narrow = S3(server.s3, pair["access_key"], pair["secret"])
        all_of = [key for key in listed(root, {"list-type": "2"}) if not key.startswith(OWN)]
        check(len(all_of) > 12 and ".tarn/anns" in all_of, f"files: {all_of}")
        for who, client in (("ann", ann), ("bob", bob), ("narrow", narrow)):
            for most in ("1", "2", "3", "1000"):
                for form in ({"list-type": "2"}, {}, {"versions": ""}):
                    if who == "narrow" and form == {"versions": ""}:
                        continue
                    where = f"{who} {most} {form}"
                    deep = {**form, "max-keys": most, "prefix": "deep/"}
                    equal(listed(client, deep), [key for key in all_of if key.startswith("deep/")], where)
                    grouped = {key[:key.find("/", 5) + 1] or key for key in all_of if key.startswith("deep/")}
                    equal(sorted(listed(client, {**deep, "delimiter": "/"})), sorted(grouped), where)
                    for prefix in (OWN, "deep/.ta"):
                        equal(listed(client, {**deep, "prefix": prefix}), [], where)
                    if who != "narrow":
                        equal(listed(client, {**form, "max-keys": most}), all_of, where)
            if who != "narrow":
                equal(listed(client, {"uploads": ""}), ["deep/zzz"], who)
                client.request("GET", "/lake/.tarn/anns").ok()  # the bucket's owner's
            for key in (own[0], OWN + "new"):
                denies(client.request("GET", "/lake/" + key), who)
                equal(client.request("HEAD", "/lake/" + key).status, 403, who)
                denies(client.request("PUT", "/lake/" + key, None, b"x"), who)
                denies(client.request("DELETE", "/lake/" + key), who)
                denies(client.request("POST", "/lake/" + key, {"uploads": ""}), who)
                denies(client.request("PUT", "/lake/deep/copy", None, b"", {"x-amz-copy-source": "lake/" + key}), who)
                denies(client.request("PUT", "/lake/" + key, None, b"", {"x-amz-copy-source": "lake/deep/zz"}), who)
            body = f"<Delete><Object><Key>{own[0]}</Key></Object></Delete>".encode()
            answer = client.request("POST", "/lake", {"delete": ""}, body,
                                    {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}).ok()
            equal(answer.text("Error/Code"), "AccessDenied", who)
        equal([key for key in listed(root, {"list-type": "2"}) if key.startswith(OWN)], own, "they stay")
        root.request("GET", "/lake/" + own[0]).ok()


@test
def acls_and_their_block():
    alice, bob = user("alice"), user("bob")
    alice.request("PUT", "/acl-alice", None, b"", {"x-amz-acl": "public-read"}).ok()
    alice.request("PUT", "/acl-alice/k", None, b"x", {"x-amz-acl": "public-read"}).ok()
    alice.request("PUT", "/acl-alice/p", None, b"x").ok()
    allows(nobody().request("GET", "/acl-alice"))
    allows(nobody().request("GET", "/acl-alice/k"))
    denies(nobody().request("GET", "/acl-alice/p"))
    denies(nobody().request("PUT", "/acl-alice/n", None, b"x"))
    alice.request("PUT", "/acl-alice/p", {"acl": ""}, b"", {"x-amz-grant-read": f'id="{bob.access_key}"'}).ok()
    allows(bob.request("GET", "/acl-alice/p"))
    denies(nobody().request("GET", "/acl-alice/p"))
    equal(alice.request("PUT", "/acl-alice/p", {"acl": ""}, b"", {"x-amz-grant-read": 'id="nobody"'}).code,
          "InvalidArgument")
    alice.request("PUT", "/acl-alice", {"publicAccessBlock": ""}, b"<PublicAccessBlockConfiguration><IgnorePublicAcls>true"
                  b"</IgnorePublicAcls><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>").ok()
    denies(nobody().request("GET", "/acl-alice"))
    denies(nobody().request("GET", "/acl-alice/k"))
    allows(bob.request("GET", "/acl-alice/p"))
    denies(alice.request("PUT", "/acl-alice", {"acl": ""}, b"", {"x-amz-acl": "public-read"}))
    denies(alice.request("PUT", "/acl-alice/n", None, b"x", {"x-amz-acl": "public-read-write"}))
    allows(alice.request("PUT", "/acl-alice/n", None, b"x", {"x-amz-acl": "private"}))


@test
def to_give_others_a_right_with_what_is_written_is_a_right_of_its_own():
    alice, bob = user("alice"), user("bob")
    alice.request("PUT", "/gifts-alice").ok()
    public, granted = {"x-amz-acl": "public-read"}, {"x-amz-grant-read": f'id="{bob.access_key}"'}
    writing = ["s3:PutObject", "s3:GetObject", "s3:CreateBucket"]
    narrow = alice.session(Policy=session_policy(writing, "*"))
    wide = alice.session(Policy=session_policy(writing + ["s3:PutObjectAcl", "s3:PutBucketAcl"], "*"))

    def tries(client, gift):
        yield client.request("PUT", "/gifts-alice/k", None, b"x", gift)
        yield client.request("PUT", "/gifts-alice/c", None, b"", {**gift, "x-amz-copy-source": "gifts-alice/plain"})
        yield client.request("POST", "/gifts-alice/u", {"uploads": ""}, b"", gift)

    allows(alice.request("PUT", "/gifts-alice/plain", None, b"x"))
    for gift in (public, granted):
        for number, answer in enumerate(tries(narrow, gift)):
            denies(answer, f"{gift} {number}")
        for client in (wide, alice, alice.session()):
            for number, answer in enumerate(tries(client, gift)):
                allows(answer, f"{gift} {number}")
        denies(narrow.request("PUT", "/gifts-made", None, b"", gift))
    allows(narrow.request("PUT", "/gifts-alice/k", None, b"x", {"x-amz-acl": "private"}))
    allows(wide.request("PUT", "/gifts-made", None, b"", public))
    for header, value in (("x-amz-object-ownership", "ObjectWriter"), ("x-amz-bucket-object-lock-enabled", "true")):
        denies(narrow.request("PUT", "/gifts-made-" + header[-5:], None, b"", {header: value}), header)
        allows(alice.session().request("PUT", "/gifts-made-" + header[-5:], None, b"", {header: value}), header)
    allows(narrow.request("PUT", "/gifts-made-plainly", None, b"", {"x-amz-acl": "private"}))
    alice.request("PUT", "/gifts-alice", {"policy": ""}, policy("s3:PutObject", arn("gifts-alice/*")).encode()).ok()
    denies(bob.request("PUT", "/gifts-alice/b", None, b"x", public))
    denies(nobody().request("PUT", "/gifts-alice/b", None, b"x", public))
    allows(bob.request("PUT", "/gifts-alice/b", None, b"x", {"x-amz-acl": "bucket-owner-full-control"}))
    allows(bob.request("PUT", "/gifts-alice/b", None, b"x", {"x-amz-grant-full-control": f"id={alice.access_key}"}))
    alice.request("PUT", "/gifts-alice", {"policy": ""},
                  policy(["s3:PutObject", "s3:PutObjectAcl"], arn("gifts-alice/*")).encode()).ok()
    allows(bob.request("PUT", "/gifts-alice/b", None, b"x", public))


@test
def a_copy_takes_tags_along_where_they_may_be_read_and_written():
    alice = user("alice")
    alice.request("PUT", "/tagged-alice").ok()
    alice.request("PUT", "/tagged-alice/from", None, b"x", {"x-amz-tagging": "a=1"}).ok()
    alice.request("PUT", "/tagged-alice/plain", None, b"x").ok()
    copying = ["s3:GetObject", "s3:PutObject"]
    source = {"x-amz-copy-source": "tagged-alice/from"}
    for more, fine in (([], False), (["s3:GetObjectTagging"], False), (["s3:PutObjectTagging"], False),
                       (["s3:GetObjectTagging", "s3:PutObjectTagging"], True)):
        session = alice.session(Policy=session_policy(copying + more, "*"))
        (allows if fine else denies)(session.request("PUT", "/tagged-alice/to", None, b"", source), str(more))
    narrow = alice.session(Policy=session_policy(copying, "*"))
    allows(narrow.request("PUT", "/tagged-alice/to", None, b"", {"x-amz-copy-source": "tagged-alice/plain"}))
    allows(narrow.request("PUT", "/tagged-alice/to", None, b"", {**source, "x-amz-tagging-directive": "REPLACE"}))
    denies(narrow.request("PUT", "/tagged-alice/to", None, b"",
                          {**source, "x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "b=2"}))
    alice.request("PUT", "/tagged-alice", {"policy": ""}, policy(
        "s3:PutObject", arn("tagged-alice/*"), "Deny", Condition={"StringNotEquals": {"s3:RequestObjectTag/b": "2"}}).encode()).ok()
    pretended = {**source, "x-amz-tagging": "b=2"}
    denies(alice.request("PUT", "/tagged-alice/to", None, b"", pretended))
    allows(alice.request("PUT", "/tagged-alice/to", None, b"", {**pretended, "x-amz-tagging-directive": "REPLACE"}))
    alice.request("DELETE", "/tagged-alice", {"policy": ""}).ok()
    reserved = alice.request("PUT", "/tagged-alice/aws", None, b"x", {"x-amz-tagging": "aws:a=1"})
    equal((reserved.status, reserved.code), (400, "InvalidTag"))


@test
def a_condition_on_the_version_means_the_one_that_is_decided_about():
    alice = user("alice")
    alice.request("PUT", "/versions-alice").ok()
    alice.request("PUT", "/versions-alice", {"versioning": ""},
                  b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>").ok()
    one, two = (alice.request("PUT", "/versions-alice/k", None, body).ok().headers["x-amz-version-id"] for body in (b"1", b"2"))
    statements = [{"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": "*"},
                  {"Effect": "Allow", "Action": ["s3:GetObjectVersion", "s3:DeleteObjectVersion"], "Resource": "*",
                   "Condition": {"StringEquals": {"s3:VersionId": one}}},
                  {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"Null": {"s3:VersionId": "false"}}}]
    narrow = alice.session(Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    upload = narrow.request("POST", "/versions-alice/big", {"uploads": ""}).ok().text("UploadId")
    part = {"uploadId": upload, "partNumber": "1"}
    for params, path in (({}, "/versions-alice/copy"), (part, "/versions-alice/big")):
        for version, fine in ((one, True), (two, False)):
            source = {"x-amz-copy-source": "versions-alice/k?versionId=" + version}
            (allows if fine else denies)(narrow.request("PUT", path, params, b"", source), f"{path} {version}")
    # where the request itself is about no version, it may not name one
    for method, path, params in (("PUT", "/versions-alice/big", {**part, "versionId": one}),
                                 ("POST", "/versions-alice/big", {"uploads": "", "versionId": one}),
                                 ("PUT", "/versions-alice/k", {"versionId": one}),
                                 ("POST", "/versions-alice", {"delete": "", "versionId": one})):
        answer = narrow.request(method, path, params, b"", {"x-amz-copy-source": "versions-alice/k?versionId=" + two})
        equal((answer.status, answer.code), (400, "InvalidArgument"), f"{method} {params}")
    allows(narrow.request("GET", "/versions-alice/k", {"versionId": one}))
    denies(narrow.request("GET", "/versions-alice/k", {"versionId": two}))
    body = "".join(f"<Object><Key>k</Key><VersionId>{version}</VersionId></Object>" for version in (one, two))
    body = f"<Delete>{body}</Delete>".encode()
    digest = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    answer = narrow.request("POST", "/versions-alice", {"delete": ""}, body, digest).ok()
    equal([error.findtext("VersionId") for error in answer.xml.iter("Error")], [two])


@test
def a_condition_on_a_copys_source_reads_it_as_the_copy_does():
    alice = user("alice")
    alice.request("PUT", "/sources-alice").ok()
    for key in ("open", "open?versionId=x", "a?b"):
        alice.request("PUT", "/sources-alice/" + key, None, b"x").ok()
    statements = [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "*"},
                  {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*",
                   "Condition": {"StringEquals": {"s3:x-amz-copy-source": ["sources-alice/open", "sources-alice/a?b"]}}}]
    narrow = alice.session(Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    for source, fine in (("sources-alice/open", True), ("/sources-alice/o%70en?versionId=null", True),
                         ("sources-alice/a?b", True), ("sources-alice/open?versionId=x?versionId=null", False),
                         ("sources-alice/open%3FversionId=x", False)):
        answer = narrow.request("PUT", "/sources-alice/to", None, b"", {"x-amz-copy-source": source})
        (allows if fine else denies)(answer, source)


@test
def attributes_are_a_right_beside_the_bytes():
    alice = user("alice")
    prepare()
    wanted = {"x-amz-object-attributes": "ETag"}
    for actions, fine in (("s3:GetObject", False), ("s3:GetObjectAttributes", False),
                          (["s3:GetObject", "s3:GetObjectAttributes"], True)):
        session = alice.session(Policy=session_policy(actions, "*"))
        answer = session.request("GET", f"/{BUCKET}/{KEY}", {"attributes": ""}, b"", wanted)
        (allows if fine else denies)(answer, str(actions))
    session = alice.session(Policy=session_policy(["s3:GetObjectVersion", "s3:GetObjectAttributes"], "*"))
    denies(session.request("GET", f"/{BUCKET}/{KEY}", {"attributes": "", "versionId": "null"}, b"", wanted))


@test
def an_unsigned_reader_does_not_choose_the_answers_headers():
    alice = user("alice")
    alice.request("PUT", "/overrides-alice").ok()
    alice.request("PUT", "/overrides-alice/k", None, b"x", {"x-amz-acl": "public-read"}).ok()
    params = {"response-content-type": "text/html"}
    allows(nobody().request("GET", "/overrides-alice/k"))
    equal(alice.request("GET", "/overrides-alice/k", params).ok().headers["content-type"], "text/html")
    answer = nobody().request("GET", "/overrides-alice/k", params)
    equal((answer.status, answer.code), (400, "InvalidRequest"))
    equal(nobody().request("HEAD", "/overrides-alice/k", {"response-expires": "x"}).status, 400)


@test
def names_that_are_kept_make_no_buckets():
    for name in ("xn--a", "sthree-a", "amzn-s3-demo-a", "a-s3alias", "a--ol-s3", "abc.mrap", "a--x-s3"):
        answer = user("alice").request("PUT", "/" + name)
        equal((answer.status, answer.code), (400, "InvalidBucketName"), name)


def post_fields(client, bucket, fields, headers=None):
    mark = "form-mark"
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nbytes\r\n--{mark}--\r\n')
    return S3(client.address).request("POST", "/" + bucket, None, "".join(parts).encode(),
                                      {"Content-Type": f"multipart/form-data; boundary={mark}", **(headers or {})})


def post_form(client, bucket, **fields):
    """A form without a signature: anonymous."""
    return post_fields(client, bucket, fields.items())


def post_signed(client, bucket, at=None, **fields):
    """A form whose policy document names each of its fields."""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    scope = [at[:8], client.region, "s3", "aws4_request"]
    fields = {"x-amz-date": at, **fields, "x-amz-algorithm": "AWS4-HMAC-SHA256",
              "x-amz-credential": "/".join([client.access_key, *scope])}
    if client.token is not None:
        fields["x-amz-security-token"] = client.token
    document = base64.b64encode(json.dumps({
        "expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)),
        "conditions": [{"bucket": bucket}, *[{name: value} for name, value in fields.items()]]}).encode()).decode()
    key = ("AWS4" + client.secret).encode()
    for part in scope:
        key = keyed(key, part)
    fields.update(policy=document)
    fields["x-amz-signature"] = keyed(key, document).hex()
    return post_fields(client, bucket, fields.items())


TAGGING = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"


@test
def what_a_form_gives_beside_bytes_is_a_right_of_its_own():
    alice = user("alice")
    alice.request("PUT", "/form-rights").ok()
    narrow = alice.session(Policy=session_policy("s3:PutObject", "*"))
    wide = alice.session(Policy=session_policy(["s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectAcl"], "*"))
    allows(post_signed(narrow, "form-rights", key="k"))
    for gift in ({"tagging": TAGGING}, {"acl": "public-read"}, {"x-amz-grant-read": f"id={user('bob').access_key}"}):
        denies(post_signed(narrow, "form-rights", key="k", **gift), str(gift))
        for client in (wide, alice):
            allows(post_signed(client, "form-rights", key="k", **gift), str(gift))
    alice.request("PUT", "/form-open", None, b"", {"x-amz-acl": "public-read-write"}).ok()
    allows(post_form(nobody(), "form-open", key="k", tagging=TAGGING))
    equal(root().request("GET", "/form-open/k", {"tagging": ""}).ok().text("Key"), "a")
    alice.request("PUT", "/form-open", {"policy": ""}, policy("s3:PutObjectTagging", arn("form-open/*"), "Deny").encode()).ok()
    denies(post_form(nobody(), "form-open", key="k", tagging=TAGGING))
    allows(post_form(nobody(), "form-open", key="k"))


@test
def conditions_on_a_form_see_its_fields_and_no_headers():
    alice = user("alice")
    alice.request("PUT", "/form-fields").ok()

    def only_where(**condition):
        alice.request("PUT", "/form-fields", {"policy": ""}, policy(
            "s3:PutObject", arn("form-fields/*"), Condition={"StringLike": condition}).encode()).ok()

    for key, header, value in (("s3:x-amz-acl", "x-amz-acl", "private"), ("s3:if-none-match", "If-None-Match", "*"),
                               ("s3:RequestObjectTag/a", "x-amz-tagging", "a=1"),
                               ("s3:x-amz-copy-source", "x-amz-copy-source", "a/b"),
                               ("s3:x-amz-server-side-encryption", "x-amz-server-side-encryption", "AES256")):
        only_where(**{key: "*"})
        denies(post_fields(nobody(), "form-fields", [("key", "k")], {header: value}), key)
    allows(post_form(nobody(), "form-fields", key="k", **{"x-amz-server-side-encryption": "AES256"}))
    for name in ("if-none-match", "x-amz-copy-source"):
        only_where(**{"s3:" + name: "*"})
        denies(post_form(nobody(), "form-fields", key="k", **{name: "*"}), name)
    twice = [("key", "k"), ("acl", "private"), ("ACL", "public-read")]
    answer = post_fields(alice, "form-fields", twice)
    equal((answer.status, answer.code), (400, "InvalidArgument"))


@test
def a_condition_on_a_signatures_age_sees_that_of_forms():
    """What does not say when it was signed is as old as can be."""
    alice, now = user("alice"), time.time()
    alice.request("PUT", "/form-ages").ok()
    for effect, operator in (("Deny", "NumericGreaterThan"), ("Allow", "NumericLessThan")):
        alice.request("PUT", "/form-ages", {"policy": ""}, policy(
            "s3:PutObject", arn("form-ages/*"), effect, Condition={operator: {"s3:signatureAge": "1800000"}}).encode()).ok()
        client = alice if effect == "Deny" else user("bob")
        allows(post_signed(client, "form-ages", key="k"), effect)
        denies(post_signed(client, "form-ages", now - 3600, key="k"), effect)
        for said in ("", "yesterday", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now + 86400)),
                     time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - 86400))):
            denies(post_signed(client, "form-ages", key="k", **{"x-amz-date": said}), effect + said)
    alice.request("PUT", "/form-ages", {"policy": ""}, policy(
        "s3:PutObject", arn("form-ages/*"), Condition={"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}).encode()).ok()
    allows(post_signed(user("bob"), "form-ages", key="k"))
    denies(post_form(nobody(), "form-ages", key="k"))


@test
def a_form_is_refused_what_a_header_is_refused():
    alice = user("alice")
    alice.request("PUT", "/form-refused").ok()
    key = "x-amz-server-side-encryption"
    for code, fields in (
            ("NotImplemented", {key + "-customer-algorithm": "AES256"}), ("NotImplemented", {key + "-customer-key": "AAAA"}),
            ("NotImplemented", {key: "aws:kms"}), ("InvalidArgument", {key: "AES256", key + "-aws-kms-key-id": "k"}),
            ("InvalidRequest", {"x-amz-object-lock-legal-hold": "ON"}), ("InvalidStorageClass", {"x-amz-storage-class": "GLACIER"}),
            ("MetadataTooLarge", {"x-amz-meta-a": "x" * 2048}), ("MalformedXML", {"tagging": TAGGING.replace("Value", "Valeu")})):
        equal(post_signed(alice, "form-refused", key="k", **fields).code, code, str(fields)[:80])
    allows(post_signed(alice, "form-refused", key="k", **{"x-amz-storage-class": "STANDARD", "x-amz-meta-a": "x" * 2047}))
    alice.request("PUT", "/form-locked", None, b"", {"x-amz-bucket-object-lock-enabled": "true"}).ok()
    allows(post_signed(alice, "form-locked", key="k", **{"x-amz-object-lock-legal-hold": "ON"}))
    equal(alice.request("GET", "/form-locked/k", {"legal-hold": ""}).ok().text("Status"), "ON")


@test
def forms_are_bound_by_policies_and_blocks_as_other_writes_are():
    alice = user("alice")
    alice.request("PUT", "/forms-alice").ok()
    denies(post_form(nobody(), "forms-alice", key="k"))
    alice.request("PUT", "/forms-alice", {"policy": ""}, json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": arn("forms-alice/up/*")},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": arn("forms-alice/*"),
         "Condition": {"StringLike": {"s3:x-amz-acl": "public*"}}}]}).encode()).ok()
    allows(post_form(nobody(), "forms-alice", key="up/k"))
    denies(post_form(nobody(), "forms-alice", key="down/k"))
    denies(post_form(nobody(), "forms-alice", key="up/p", acl="public-read"))
    allows(post_form(nobody(), "forms-alice", key="up/p", acl="private"))
    alice.request("PUT", "/forms-alice", {"policy": ""},
                  policy("s3:PutObject", arn("forms-alice/up/*")).encode()).ok()
    denies(post_form(nobody(), "forms-alice", key="up/p", acl="public-read"))
    alice.request("PUT", "/forms-alice", {"policy": ""},
                  policy(["s3:PutObject", "s3:PutObjectAcl"], arn("forms-alice/up/*")).encode()).ok()
    allows(post_form(nobody(), "forms-alice", key="up/p", acl="public-read"))
    alice.request("PUT", "/forms-alice", {"publicAccessBlock": ""}, b"<PublicAccessBlockConfiguration><BlockPublicAcls>true"
                  b"</BlockPublicAcls></PublicAccessBlockConfiguration>").ok()
    denies(post_form(nobody(), "forms-alice", key="up/q", acl="public-read"))


@test
def what_another_wrote_is_his_unless_the_bucket_owns_all():
    alice, bob = user("alice"), user("bob")
    alice.request("PUT", "/shared-alice", None, b"", {"x-amz-acl": "public-read-write"}).ok()
    bob.request("PUT", "/shared-alice/bobs", None, b"x").ok()
    allows(bob.request("GET", "/shared-alice/bobs"))
    denies(alice.request("GET", "/shared-alice/bobs"))
    allows(root().request("GET", "/shared-alice/bobs"))
    upload = bob.request("POST", "/shared-alice/up", {"uploads": ""}).ok().text("UploadId")
    denies(nobody().request("DELETE", "/shared-alice/up", {"uploadId": upload}))
    allows(bob.request("GET", "/shared-alice/up", {"uploadId": upload}))
    allows(bob.request("DELETE", "/shared-alice/up", {"uploadId": upload}))
    allows(alice.request("DELETE", "/shared-alice/bobs"))
    controls = "<OwnershipControls><Rule><ObjectOwnership>{}</ObjectOwnership></Rule></OwnershipControls>"
    alice.request("PUT", "/shared-alice", {"ownershipControls": ""}, controls.format("BucketOwnerPreferred").encode()).ok()
    bob.request("PUT", "/shared-alice/kept", None, b"x").ok()
    bob.request("PUT", "/shared-alice/given", None, b"x", {"x-amz-acl": "bucket-owner-full-control"}).ok()
    equal(alice.request("GET", "/shared-alice/given", {"acl": ""}).ok().text("Owner/ID"), alice.access_key)
    denies(alice.request("GET", "/shared-alice/kept"))
    denies(bob.request("GET", "/shared-alice/given"))
    alice.request("PUT", "/shared-alice", {"acl": ""}, b"", {"x-amz-acl": "private"}).ok()
    alice.request("PUT", "/shared-alice", {"ownershipControls": ""}, controls.format("BucketOwnerEnforced").encode()).ok()
    allows(alice.request("GET", "/shared-alice/kept"))
    denies(bob.request("GET", "/shared-alice/kept"))
    equal(alice.request("PUT", "/shared-alice/n", None, b"x", {"x-amz-acl": "private"}).code, "AccessControlListNotSupported")


# ---- sessions ----

@test
def a_session_may_what_its_policy_lets_it_and_no_more():
    alice = user("alice")
    prepare()
    reading = alice.session(Policy=session_policy("s3:GetObject", arn(f"{BUCKET}/in/*")))
    equal(reading.request("GET", f"/{BUCKET}/{KEY}").body, b"bytes")
    denies(reading.request("PUT", f"/{BUCKET}/{KEY}", None, b"x"))
    denies(reading.request("GET", f"/{BUCKET}/out/k"))
    denies(reading.request("GET", "/" + BUCKET))
    whole = alice.session(Action="GetSessionToken")
    allows(whole.request("GET", "/" + BUCKET))
    denies(user("bob").session(Policy=session_policy("s3:*", "*")).request("GET", f"/{BUCKET}/{KEY}"))
    equal(reading.sts(Action="GetSessionToken").code, "AccessDenied")
    for wrong in (S3(alice.address, reading.access_key, reading.secret, whole.token),
                  S3(alice.address, reading.access_key, reading.secret, "AAAA"),
                  S3(alice.address, reading.access_key, reading.secret),
                  S3(alice.address, alice.access_key, alice.secret, whole.token)):
        equal(wrong.request("GET", f"/{BUCKET}/{KEY}").code, "InvalidToken")
    stolen = S3(alice.address, reading.access_key, alice.secret, reading.token)
    equal(stolen.request("GET", f"/{BUCKET}/{KEY}").code, "SignatureDoesNotMatch")


@test
def sessions_are_ended():
    server = shared()
    carol = make_user("carol")
    carol.request("PUT", "/carols").ok()
    one = carol.session()
    allows(one.request("GET", "/carols"))
    server.restart()
    carol.address = one.address = server.s3
    allows(one.request("GET", "/carols"))
    code, _, err = server.run("key", "revoke-sessions", "carol")
    equal(code, 0, err)
    equal(one.request("GET", "/carols").code, "ExpiredToken")
    allows(carol.request("GET", "/carols"))
    user.__defaults__[0].clear()  # their addresses are the stopped server's


@test
def sts_says_who_one_is_and_what_is_wrong():
    alice = make_user("sts_alice")
    answer = alice.sts(Action="GetCallerIdentity").ok()
    equal((answer.text("UserId"), answer.text("Account"), answer.text("Arn")),
          (alice.access_key, alice.access_key, f"arn:aws:iam::{alice.access_key}:root"))
    answer = alice.session().sts(Action="GetCallerIdentity").ok()
    equal(answer.text("Arn"), f"arn:aws:sts::{alice.access_key}:assumed-role/test/test")
    role = {"Action": "AssumeRole", "RoleArn": "arn:aws:iam::1:role/r", "RoleSessionName": "rs"}
    for code, form in (
            ("InvalidAction", {"Action": "Fly"}), ("ValidationError", {**role, "RoleArn": "r"}),
            ("ValidationError", {**role, "RoleSessionName": ""}), ("ValidationError", {**role, "RoleSessionName": "a/b"}),
            ("ValidationError", {**role, "DurationSeconds": "899"}), ("ValidationError", {**role, "DurationSeconds": "43201"}),
            ("ValidationError", {**role, "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnly"}),
            ("MalformedPolicyDocument", {**role, "Policy": "{}"}), ("PackedPolicyTooLarge", {**role, "Policy": " " * 2049})):
        answer = alice.sts(**form)
        equal((answer.status, answer.code), (400, code), str(form)[:100])
        equal(answer.xml.tag, "ErrorResponse")
    equal(nobody().sts(Action="GetCallerIdentity").code, "MissingAuthenticationToken")
    equal(S3(alice.address, alice.access_key, "wrong").sts(Action="GetCallerIdentity").code, "SignatureDoesNotMatch")
    equal(S3(alice.address, "TARNAAAAAAAAAAAAAAAA", "x").sts(Action="GetCallerIdentity").code, "InvalidClientTokenId")
    # a signature is for one service
    equal(alice.request("GET", "/", None, b"", None, "sts").code, "AuthorizationHeaderMalformed")


# ---- IAM ----

def iam_rows():
    """(action, whether it is for root alone) of the action table's own text."""
    path = os.path.join(os.environ.get("TARN_SOURCE", "."), "src/server/s3/iam.c")
    with open(path, encoding="utf-8") as file:
        table = file.read().partition("s3_query_action actions[] = {")[2].partition("};")[0]
    found = re.findall(r'\{"(\w+)",.*?(ROOT\w*), "', table)
    equal(len(found), table.count('{"'), "rows that this test reads")
    return found


@test
def every_action_of_iam_is_for_those_who_may():
    iris, jack = make_user("iam_iris"), make_user("iam_jack")
    for action, who in iam_rows():
        form = {} if action in ("ListUsers", "ListGroups", "ListRoles", "ListOpenIDConnectProviders") \
            else {"UserName": "iam_iris"}
        if "AccessKey" in action and action.startswith(("Update", "Delete")):
            form = {**form, "AccessKeyId": iris.access_key, **({"Status": "Active"} if action[0] == "U" else {})}
        denies(jack.iam(action, **form), action)
        denies(jack.session().iam(action, **form), action + " in a session")
        denies(root().session().iam(action, **form), action + " in a session of root")
        denies(nobody().iam(action, **form), action, "MissingAuthenticationToken")
        if who == "ROOT":
            denies(iris.iam(action, **form), action + " about itself")
        else:
            allows(iris.iam(action, **form), action + " about itself")
            denies(iris.session().iam(action, **form), action + " about itself in a session")
        if not action.startswith(("Delete", "Create")):
            allows(root().iam(action, **form), action)
    denies(jack.session().iam("GetUser"), "a session about itself")
    equal(jack.iam("GetUser").ok().text("UserName"), "iam_jack")
    equal(len(list(iris.iam("ListAccessKeys").ok().xml.iter("member"))), 1)
    allows(iris.request("GET", "/"))  # nothing of all this removed a key


@test
def roots_last_key_stays():
    with Server() as server:
        with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
            first = S3(server.s3, *file.read().split())
        for action, form in (("UpdateAccessKey", {"Status": "Inactive"}), ("DeleteAccessKey", {})):
            answer = first.iam(action, AccessKeyId=first.access_key, **form)
            equal(answer.status, 403, action)
            check(b"last" in answer.body, answer.body)
            allows(first.request("GET", "/"), action)
        pair = first.iam("CreateAccessKey").ok()
        second = S3(server.s3, pair.text("AccessKeyId"), pair.text("SecretAccessKey"))
        second.iam("UpdateAccessKey", AccessKeyId=first.access_key, Status="Inactive").ok()
        equal(second.iam("DeleteAccessKey", AccessKeyId=second.access_key).status, 403)
        second.iam("DeleteAccessKey", AccessKeyId=first.access_key).ok()
        allows(second.request("GET", "/"))


@test
def iam_makes_users_and_keys():
    admin = root()
    made = admin.iam("CreateUser", UserName="iam_ann", Path="/teams/a/").ok()
    account = made.text("UserId")
    equal((made.xml.tag, made.text("Path"), made.text("Arn")),
          ("CreateUserResponse", "/teams/a/", f"arn:aws:iam::{account}:user/teams/a/iam_ann"))
    pair = admin.iam("CreateAccessKey", UserName="iam_ann").ok()
    ann = S3(shared().s3, pair.text("AccessKeyId"), pair.text("SecretAccessKey"))
    equal((pair.text("UserName"), pair.text("Status"), ann.access_key), ("iam_ann", "Active", account))
    # IAM, STS, S3 and the policies speak of the same account
    equal(ann.sts(Action="GetCallerIdentity").ok().text("Account"), account)
    equal(ann.iam("GetUser").ok().text("Arn"), ann.sts(Action="GetCallerIdentity").ok().text("Arn"))
    equal(ann.iam("GetUser", UserName="iam_ann").ok().text("Arn"), made.text("Arn"))
    ann.request("PUT", "/iam-anns").ok()
    admin.request("PUT", "/iam-roots").ok()
    denies(ann.request("GET", "/iam-roots"))
    for principal in (made.text("Arn"), ann.iam("GetUser").text("Arn")):
        text = policy("s3:ListBucket", arn("iam-roots"), principal={"AWS": principal})
        admin.request("PUT", "/iam-roots", {"policy": ""}, text.encode()).ok()
        allows(ann.request("GET", "/iam-roots"), principal)
        admin.request("DELETE", "/iam-roots", {"policy": ""}).ok()
        denies(ann.request("GET", "/iam-roots"))
    # a second key, off and on again: it and its sessions
    pair = admin.iam("CreateAccessKey", UserName="iam_ann").ok()
    second = S3(shared().s3, pair.text("AccessKeyId"), pair.text("SecretAccessKey"))
    session = second.session()
    allows(session.request("GET", "/iam-anns"))
    admin.iam("UpdateAccessKey", UserName="iam_ann", AccessKeyId=second.access_key, Status="Inactive").ok()
    denies(second.request("GET", "/iam-anns"), code="InvalidAccessKeyId")
    equal(session.request("GET", "/iam-anns").code, "ExpiredToken")
    listed = admin.iam("ListAccessKeys", UserName="iam_ann").ok().xml
    equal([(each.findtext("AccessKeyId"), each.findtext("Status")) for each in listed.iter("member")],
          [(ann.access_key, "Active"), (second.access_key, "Inactive")])
    check(b"Secret" not in admin.iam("ListAccessKeys", UserName="iam_ann").body, "a secret in a list")
    code, out, err = shared().run("key", "ls", "iam_ann", "--s3")
    contains(out, "inactive", err)
    admin.iam("UpdateAccessKey", UserName="iam_ann", AccessKeyId=second.access_key, Status="Active").ok()
    allows(second.request("GET", "/iam-anns"))
    equal(session.request("GET", "/iam-anns").code, "ExpiredToken", "a session of before")
    admin.iam("UpdateAccessKey", UserName="iam_ann", AccessKeyId=second.access_key, Status="Active").ok()
    equal(session.request("GET", "/iam-anns").code, "ExpiredToken", "active twice")
    allows(second.session().request("GET", "/iam-anns"))
    # gone in order: buckets, keys, the user
    page = admin.iam("ListAccessKeys", UserName="iam_ann", MaxItems="1").ok()
    equal((page.text("IsTruncated"), page.text("Marker")), ("true", ann.access_key))
    equal(admin.iam("ListAccessKeys", UserName="iam_ann", Marker=page.text("Marker")).ok().text("AccessKeyId"),
          second.access_key)
    equal((admin.iam("DeleteUser", UserName="iam_ann").status, admin.iam("DeleteUser", UserName="iam_ann").code),
          (409, "DeleteConflict"))
    for each in (ann, second):
        admin.iam("DeleteAccessKey", UserName="iam_ann", AccessKeyId=each.access_key).ok()
        denies(each.request("GET", "/iam-anns"), code="InvalidAccessKeyId")
    equal(admin.iam("DeleteUser", UserName="iam_ann").code, "DeleteConflict")  # owns a bucket
    admin.request("DELETE", "/iam-anns").ok()
    admin.iam("DeleteUser", UserName="iam_ann").ok()
    equal(admin.iam("GetUser", UserName="iam_ann").status, 404)


@test
def iam_lists_users_in_pages():
    admin = root()
    names = [f"iam_page_{i}" for i in range(5)]
    for name in names:
        admin.iam("CreateUser", UserName=name, Path="/paged/").ok()
    found, marker = [], {}
    while True:
        page = admin.iam("ListUsers", PathPrefix="/paged/", MaxItems="2", **marker).ok()
        found += [each.findtext("UserName") for each in page.xml.iter("member")]
        if page.text("IsTruncated") == "false":
            break
        marker = {"Marker": page.text("Marker")}
    equal(found, names)
    everybody = admin.iam("ListUsers", MaxItems="1000").ok().body
    check(b"<UserName>root<" not in everybody and b"<UserName>iam_page_1<" in everybody, everybody[:300])


@test
def iam_says_what_is_wrong():
    admin = root()
    admin.iam("CreateUser", UserName="iam_one").ok()
    shared().make_principal("other_admin", "root")  # no user, and so not to be had over IAM
    for status, code, action, form in (
            (409, "EntityAlreadyExists", "CreateUser", {"UserName": "iam_one"}),
            (409, "EntityAlreadyExists", "CreateUser", {"UserName": "root"}),
            (400, "ValidationError", "CreateUser", {}), (400, "ValidationError", "CreateUser", {"UserName": "a/b"}),
            (400, "ValidationError", "CreateUser", {"UserName": "iam_two", "Path": "teams"}),
            (400, "ValidationError", "CreateUser", {"UserName": "iam_two", "Tags.member.1.Key": "k"}),
            (400, "ValidationError", "CreateUser", {"UserName": "iam_two", "PermissionsBoundary": "arn:aws:iam::1:policy/p"}),
            (404, "NoSuchEntity", "GetUser", {"UserName": "nobody"}), (404, "NoSuchEntity", "DeleteUser", {"UserName": "nobody"}),
            (404, "NoSuchEntity", "DeleteUser", {"UserName": "other_admin"}),
            (404, "NoSuchEntity", "CreateAccessKey", {"UserName": "nobody"}),
            (404, "NoSuchEntity", "DeleteAccessKey", {"UserName": "iam_one", "AccessKeyId": admin.access_key}),
            (400, "ValidationError", "DeleteAccessKey", {"UserName": "iam_one"}),
            (400, "ValidationError", "UpdateAccessKey", {"AccessKeyId": admin.access_key, "Status": "Off"}),
            (400, "ValidationError", "ListUsers", {"MaxItems": "0"}),
            (400, "InvalidAction", "CreateRole", {"RoleName": "r"}), (400, "InvalidAction", "PutUserPolicy", {}),
            (400, "InvalidAction", "AssumeRole", {}), (400, "InvalidAction", "GetCallerIdentity", {}),
            (400, "InvalidAction", "", {}), (400, "InvalidAction", "ListUsers", {"Version": "2011-06-15"})):
        answer = admin.iam(action, **form)
        equal((answer.status, answer.code), (status, code), f"{action} {form}")
        check(b"https://iam.amazonaws.com/doc/2010-05-08/" in answer.body, answer.body)
    # and nothing of IAM is to be had by a signature for another service
    equal(admin.sts(Action="ListUsers").code, "InvalidAction")
    form = b"Action=ListUsers&Version=2010-05-08"
    equal(admin.request("POST", "/", None, form, {"Content-Type": "application/x-www-form-urlencoded"}, "s3").code,
          "IncompleteSignature")
    equal(admin.request("GET", "/", {"Action": "ListUsers", "Version": "2010-05-08"}, b"", None, "iam").status, 200)


# ---- users and keys ----

@test
def keys_are_shown_once_and_dropped_at_once():
    server = shared()
    code, out, err = server.run("user", "create", "dora", "-o", "json")
    equal((code, json.loads(out)["role"]), (0, "user"), err)
    code, out, err = server.run("key", "create", "dora", "--s3", "--expires", "30d", "-o", "tsv")
    equal(code, 0, err)
    header, line = out.splitlines()
    equal(header.split("\t"), ["access_key", "secret"])
    dora = S3(server.s3, *line.split("\t"))
    allows(dora.request("GET", "/"))
    code, out, err = server.run("key", "ls", "dora", "--s3", "-o", "json")
    contains(out, dora.access_key)
    check(dora.secret not in out + err and dora.secret not in server.log_text(), "a secret is told once")
    code, out, err = server.run("user", "show", "dora", "-o", "json")
    equal(json.loads(out)["s3_account"], dora.access_key)
    code, _, err = server.run("key", "drop", dora.access_key, "--yes")
    equal(code, 0, err)
    equal(dora.request("GET", "/").code, "InvalidAccessKeyId")
    code, _, err = server.run("key", "create", "dora", "--s3", "--expires", "soon")
    equal(code, 2, err)
    code, _, err = server.run("key", "create", "missing", "--s3")
    equal(code, 3, err)


@test
def bearer_keys_come_and_go():
    server = shared()
    server.make_principal("emil", "reader")
    made = server.request("POST", "/api/v1/principals/emil/keys", {"expires_in_s": 3600}).ok().json
    equal(server.request("GET", "/api/v1/status", key=made["key"]).status, 200)
    listed = server.request("GET", "/api/v1/principals/emil/keys").ok()
    check(made["id"] in listed.text and made["key"] not in listed.text, listed.text)
    equal(server.request("DELETE", f"/api/v1/keys/{made['id']}").status, 204)
    equal(server.request("GET", "/api/v1/status", key=made["key"]).status, 401)
    name = "root"
    own = server.request("GET", f"/api/v1/principals/{name}/keys").ok().json["keys"]
    equal(server.request("DELETE", f"/api/v1/keys/{own[0]['id']}").status, 403)


@test
def a_user_who_owns_buckets_stays():
    server = shared()
    fred = make_user("fred")
    fred.request("PUT", "/freds").ok()
    answer = server.request("DELETE", "/api/v1/principals/fred")
    equal((answer.status, answer.error["code"]), (409, "not_empty"))
    contains(answer.error["message"], "freds")
    allows(fred.request("DELETE", "/freds"))
    equal(server.request("DELETE", "/api/v1/principals/fred").status, 204)
    equal(fred.request("GET", "/").code, "InvalidAccessKeyId")


@test
def a_users_key_opens_no_tables():
    server = shared()
    key = server.make_principal("gina", "user")
    for method, path, body in (("POST", "/api/v1/query", {"sql": "SELECT 1"}), ("GET", "/api/v1/namespaces", None),
                               ("GET", "/api/v1/principals", None)):
        equal(server.request(method, path, body, key=key).status, 403, path)


@test
def open_mode_makes_every_request_roots():
    with Server(settings={"auth.mode": "none"}) as server:
        with open(os.path.join(server.data, "secrets/root.s3"), encoding="utf-8") as file:
            owner = file.read().split()[0]
        S3(server.s3).request("PUT", "/open").ok()
        S3(server.s3, "any", "thing").request("PUT", "/open/k", None, b"x").ok()
        listed = S3(server.s3).request("GET", "/").ok()
        equal(listed.text("Owner/ID"), owner)


main()

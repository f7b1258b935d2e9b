#!/usr/bin/env python3
"""Who may what over the Iceberg REST catalog: every route as nobody, with bad and ended keys and in every role; what the
catalog vends tried on everything else; signed requests; tokens."""
import base64
import json
import os
import re
import select
import socket
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from s3client import S3, hashed  # noqa: E402
from tarn import NO_KEY, Server, check, contains, equal, eventually, main, shared, test  # noqa: E402

V1 = "/iceberg/v1"
SCHEMA = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "a", "type": "long", "required": False}]}
ROLE_OF = {"rita": "reader", "uwe": "user", "wim": "writer"}


def ask(method, path, body=None, key=None, headers=None, server=None):
    return (server or shared()).request(method, V1 + path, body, headers, key)


def key_of(name, made={}):
    if name not in made:
        made[name] = shared().make_principal(name, ROLE_OF.get(name, "reader"))
    return made[name]


def make_table(name, location=None, key=None, server=None, properties=None):
    body = {"name": name, "schema": SCHEMA, "properties": properties or {}}
    if location:
        body["location"] = location
    return ask("POST", "/tarn/namespaces/main/tables", body, key, server=server).ok().json


def load(name, key=None, server=None, headers=None):
    return ask("GET", f"/tarn/namespaces/main/tables/{name}", None, key, headers, server)


def refused(answer, status, kind, where=""):
    equal((answer.status, answer.json["error"]["type"], answer.json["error"]["code"]), (status, kind, status), where)


# ---- the matrix ----

def macros(text):
    found = dict(re.findall(r'#define (\w+) ((?:\w+ )?"[^"]*"|\w+ "[^"]*")', text))

    def expand(expression):
        return "".join(part[1:-1] if part.startswith('"') else expand(found[part])
                       for part in re.findall(r'"[^"]*"|\w+', expression))
    return expand


def routes():
    """(method, pattern, operation, action) of the route table's own text."""
    path = os.path.join(os.environ.get("TARN_SOURCE", "."), "src/server/rest/routes.c")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"\{([\w-]+)\}", r"<\1>", text)
    expand = macros(text)
    rows = re.findall(r'\{\{HTTP_(\w+),\s+([^}]*?)\},\s+"(\w+)",\s+ACTION_(\w+),', text)
    equal(len(rows), len(re.findall(r'ACTION_\w+,\s+rest__', text)), "rows that this test reads")
    return [(method, expand(pattern), operation, action.lower().replace("_", ".", 1))
            for method, pattern, operation, action in rows]


READER_MAY = {"none", "status.read", "namespace.list", "namespace.read", "table.list", "table.read"}
USER_MAY = {"none", "status.read"}
WRITER_MAY = READER_MAY | {"namespace.create", "namespace.drop", "table.create", "table.write", "table.alter", "table.drop"}


def concrete(pattern, prefix="tarn"):
    for name, value in {"prefix": prefix, "namespace": "main", "table": "matrix_none", "view": "matrix_none",
                        "function": "matrix_none"}.items():
        pattern = pattern.replace("<" + name + ">", value)
    check("<" not in pattern, f"{pattern} has a segment this test does not know")
    return pattern[len("/v1"):] if pattern.startswith("/v1") else pattern


def each_route(key, prefix="tarn"):
    for method, pattern, operation, action in routes():
        body = {} if method == "POST" and operation != "getToken" else None
        yield operation, action, method, ask(method, concrete(pattern, prefix), body, key)


def prefixes(made=[]):
    """The first warehouse, another one, and none."""
    if not made:
        shared().run("catalog", "create", "lake", "s3://lake")
        made += ["tarn", "lake", "nope"]
    return made


@test
def the_matrix_reads_every_route():
    check(len(routes()) >= 30, f"{len(routes())} routes")


@test
def nobody_and_bad_keys_get_in_nowhere():
    root = shared().key
    for key in (NO_KEY, "None", "tarn_", root[:-1] + ("A" if root[-1] != "A" else "B"), "tarntoken_x.y.1.2.z"):
        for prefix in prefixes():
            for operation, action, method, answer in each_route(key, prefix):
                where = f"{operation} of {prefix} as {key}"
                if action == "none":
                    check(answer.status != 403, where)
                else:
                    equal(answer.status, 401, where)
                    contains(answer.headers["www-authenticate"], "Bearer", where)
                    if method != "HEAD":
                        refused(answer, 401, "NotAuthorizedException", where)
        for path in ("/tarn/namespaces/%ff", "/nope/namespaces/%ff/tables/t", "/lake/namespaces?a=1&a=2",
                     "/nope/namespaces/main/tables/t/plan/1", "/lake/namespaces/main/tables/t/plan/1"):
            equal(ask("GET", path, None, key).status, 401, f"{path} as {key}")


@test
def who_may_nothing_learns_of_no_warehouse():
    prefixes()
    for name, may in (("uwe", USER_MAY), ("rita", READER_MAY), (None, set())):
        key = key_of(name) if name else NO_KEY
        for one, other in zip(each_route(key, "lake"), each_route(key, "nope")):
            if one[1] not in may and one[1] != "none":
                equal((one[3].status, one[3].body), (other[3].status, other[3].body), f"{one[0]} as {name}")
    for name, key in (("uwe", key_of("uwe")), ("nobody", NO_KEY)):
        answers = [ask("GET", "/config?warehouse=" + asked, None, key) for asked in ("lake", "nope", "s3://lake", "tarn", "")]
        equal(len({(answer.status, answer.body) for answer in answers}), 1, f"config as {name}")
        check(answers[0].status in (401, 403), answers[0].status)


@test
def who_mistypes_a_warehouse_is_told_so():
    prefixes()
    for name in ("rita", "wim"):
        equal(ask("GET", "/config?warehouse=lake", None, key_of(name)).ok().json["overrides"]["prefix"], "lake")
        answer = ask("GET", "/config?warehouse=laek", None, key_of(name))
        refused(answer, 404, "NoSuchWarehouseException")
        contains(answer.json["error"]["message"], "laek")
        refused(ask("GET", "/laek/namespaces", None, key_of(name)), 404, "NoSuchWarehouseException")


@test
def an_ended_key_gets_in_nowhere():
    key_of("rita")
    made = shared().request("POST", "/api/v1/principals/rita/keys", {"expires_in_s": 1}).ok().json
    eventually(lambda: ask("GET", "/tarn/namespaces", None, made["key"]).status == 401, "the key ends")
    for operation, action, _, answer in each_route(made["key"]):
        equal(answer.status == 401, action != "none", operation)


@test
def roles_may_what_their_actions_say():
    for name, may in (("rita", READER_MAY), ("uwe", USER_MAY), ("wim", WRITER_MAY)):
        for operation, action, method, answer in (row for prefix in prefixes() for row in each_route(key_of(name), prefix)):
            where = f"{operation} ({action}) as {name}: {answer.body[:200]!r}"
            if action in may:
                # What a body names is asked for by itself: an empty body names nothing.
                check(answer.status != 401 or action == "none", where)
                check(answer.status != 403 or operation == "signS3Request", where)
            else:
                equal(answer.status, 403, where)
                if method != "HEAD":
                    refused(answer, 403, "ForbiddenException", where)


@test
def root_may_all_of_it():
    for operation, action, _, answer in each_route(None):
        check(answer.status != 403, f"{operation} ({action}): {answer.status} {answer.body[:200]!r}")
        check(answer.status != 401 or operation == "getToken", operation)
        check(answer.status < 500, f"{operation}: {answer.status} {answer.body[:200]!r}")


# ---- what is vended ----

def keys_of(config, server=None):
    return S3((server or shared()).s3, config["s3.access-key-id"], config["s3.secret-access-key"],
              config["s3.session-token"])


def vended(name, key=None, server=None):
    return keys_of(load(name, key, server).ok().json["config"], server)


def path_of(location):
    return location[len("s3:/"):]


def lists(client, bucket, prefix, **more):
    return client.request("GET", f"/{bucket}", {"list-type": "2", "prefix": prefix, **more})


def denied(answer, where=""):
    equal((answer.status, answer.code), (403, "AccessDenied"), f"{where}: {answer.body[:300]!r}")


def allowed(answer, where=""):
    check(answer.status < 300, f"{where}: {answer.status} {answer.body[:300]!r}")
    return answer


def tables(made={}):
    if not made:
        for name in ("t1", "t10", "t2"):
            made[name] = make_table(name, f"s3://warehouse/area/{name}")
        root().request("PUT", "/other-bucket").ok()
        root().request("PUT", "/other-bucket/area/t1/x", None, b"x").ok()
        for path in ("t1/data/x", "t10/data/x", "t2/data/x"):
            root().request("PUT", "/warehouse/area/" + path, None, b"bytes").ok()
    return made


def root():
    with open(os.path.join(shared().data, "secrets/root.s3"), encoding="utf-8") as file:
        return S3(shared().s3, *file.read().split())


@test
def a_table_comes_with_keys_twice():
    tables()
    answer = load("t1").ok().json
    config = answer["config"]
    equal(len(answer["storage-credentials"]), 1)
    only = answer["storage-credentials"][0]
    equal(only["prefix"], "s3://warehouse/area/t1")
    equal(only["config"], config)
    equal(config["s3.endpoint"], "http://" + shared().s3)
    equal(config["s3.path-style-access"], "true")
    equal((config["s3.region"], config["client.region"]), ("us-east-1", "us-east-1"))
    left_s = int(config["s3.session-token-expires-at-ms"]) / 1000 - time.time()
    check(3000 < left_s <= 3600, f"{left_s} s")
    refresh = config["client.refresh-credentials-endpoint"]
    equal(refresh, "v1/tarn/namespaces/main/tables/t1/credentials")
    fresh = shared().request("GET", "/iceberg/" + refresh).ok().json
    equal(list(fresh), ["storage-credentials"])
    equal(fresh["storage-credentials"][0]["prefix"], "s3://warehouse/area/t1")
    allowed(keys_of(fresh["storage-credentials"][0]["config"]).request("GET", "/warehouse/area/t1/data/x"))


def places_of(answer):
    """The prefixes of its credentials, which are otherwise all the same: as `config`."""
    for one in answer["storage-credentials"]:
        equal(one["config"], answer["config"])
    return [one["prefix"] for one in answer["storage-credentials"]]


@test
def each_place_of_a_table_has_a_credential():
    """DuckDB opens nothing but what lies below a prefix; Java wants one alone where keys are renewed."""
    folders = {"write.data.path": "s3://warehouse/apart/data/", "write.metadata.path": "s3://warehouse/apart/metadata",
               "write.object-storage.path": "s3://warehouse/area/apart/data",
               "write.folder-storage.path": "s3://warehouse/apart/data"}
    all = ["s3://warehouse/area/apart", "s3://warehouse/apart/data", "s3://warehouse/apart/metadata"]
    body = {"name": "apart", "schema": SCHEMA, "location": "s3://warehouse/area/apart", "properties": folders}
    staged = ask("POST", "/tarn/namespaces/main/tables", {**body, "stage-create": True}).ok().json
    equal(places_of(staged), all)
    made = make_table("apart", "s3://warehouse/area/apart", properties=folders)
    for answer in (made, load("apart").ok().json, load("apart").ok().json):
        equal(places_of(answer), all)
    fresh = ask("GET", "/tarn/namespaces/main/tables/apart/credentials").ok().json["storage-credentials"]
    equal([one["prefix"] for one in fresh], all[:1])
    for config in (made["config"], fresh[0]["config"]):
        for place in all:
            allowed(keys_of(config).request("PUT", path_of(place) + "/x", None, b"x"))
    update = {"action": "set-location", "location": "s3://warehouse/area/moved"}
    ask("POST", "/tarn/namespaces/main/tables/apart", {"requirements": [], "updates": [update]}).ok()
    moved = load("apart").ok().json
    equal(places_of(moved), ["s3://warehouse/area/moved", *all[1:], all[0]])
    allowed(keys_of(moved["config"]).request("GET", path_of(all[0]) + "/x"))
    ask("DELETE", "/tarn/namespaces/main/tables/apart?purgeRequested=false").ok()
    registered = ask("POST", "/tarn/namespaces/main/register",
                     {"name": "apart", "metadata-location": moved["metadata-location"]}).ok().json
    equal(sorted(places_of(registered)), sorted(["s3://warehouse/area/moved", *all]))


@test
def a_made_table_comes_with_keys_too():
    made = make_table("fresh one")
    equal(made["config"]["client.refresh-credentials-endpoint"],
          "v1/tarn/namespaces/main/tables/fresh%20one/credentials")
    place = path_of(made["metadata"]["location"])
    allowed(keys_of(made["config"]).request("PUT", place + "/data/x", None, b"x"))
    staged = ask("POST", "/tarn/namespaces/main/tables",
                 {"name": "staged", "schema": SCHEMA, "stage-create": True}).ok().json
    allowed(keys_of(staged["config"]).request("PUT", path_of(staged["metadata"]["location"]) + "/data/x", None, b"x"))


@test
def vended_keys_work_in_the_tables_place():
    tables()
    client = vended("t1")
    allowed(client.request("PUT", "/warehouse/area/t1/data/mine", None, b"mine"))
    equal(allowed(client.request("GET", "/warehouse/area/t1/data/mine")).body, b"mine")
    allowed(client.request("HEAD", "/warehouse/area/t1/data/mine"))
    equal(client.request("GET", "/warehouse/area/t1/data/none").status, 404)
    contains(allowed(lists(client, "warehouse", "area/t1/")).body.decode(), "area/t1/data/mine")
    allowed(client.request("GET", "/warehouse", {"location": ""}))
    upload = allowed(client.request("POST", "/warehouse/area/t1/data/big", {"uploads": ""})).text("UploadId")
    part = allowed(client.request("PUT", "/warehouse/area/t1/data/big", {"partNumber": "1", "uploadId": upload}, b"1"))
    allowed(client.request("GET", "/warehouse/area/t1/data/big", {"uploadId": upload}))
    body = ("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + part.headers["ETag"] +
            "</ETag></Part></CompleteMultipartUpload>")
    allowed(client.request("POST", "/warehouse/area/t1/data/big", {"uploadId": upload}, body.encode()))
    again = allowed(client.request("POST", "/warehouse/area/t1/data/big", {"uploads": ""})).text("UploadId")
    allowed(client.request("DELETE", "/warehouse/area/t1/data/big", {"uploadId": again}))
    allowed(client.request("PUT", "/warehouse/area/t1/data/copy", None, b"",
                           {"x-amz-copy-source": "/warehouse/area/t1/data/mine"}))
    allowed(client.request("DELETE", "/warehouse/area/t1/data/copy"))
    allowed(root().request("GET", "/warehouse/area/t1/data/mine"))


def elsewhere(client):
    """(what, answer) for everything that a key of t1 must not do."""
    upload = root().request("POST", "/warehouse/area/t1/data/part", {"uploads": ""}).ok().text("UploadId")
    for path in ("/warehouse/area/t10/data/x", "/warehouse/area/t2/data/x", "/warehouse/area/t1", "/warehouse/x",
                 "/other-bucket/area/t1/x", "/warehouse/area/t1x", "/warehouse/area%2ft1"):
        yield "GET " + path, client.request("GET", path)
        yield "PUT " + path, client.request("PUT", path, None, b"x")
        yield "DELETE " + path, client.request("DELETE", path)
        yield "POST " + path, client.request("POST", path, {"uploads": ""})
    yield "attributes", client.request("GET", "/warehouse/area/t10/data/x", {"attributes": ""},
                                       headers={"x-amz-object-attributes": "ETag"})
    for prefix in ("", "a", "area/", "area/t", "area/t10", "area/t10/", "area/t1"):
        yield "list " + prefix, lists(client, "warehouse", prefix)
    yield "list all", client.request("GET", "/warehouse", {"list-type": "2"})
    yield "list v1", client.request("GET", "/warehouse")
    yield "list other", lists(client, "other-bucket", "area/t1/")
    yield "list versions", client.request("GET", "/warehouse", {"versions": "", "prefix": "area/t1/"})
    yield "list uploads", client.request("GET", "/warehouse", {"uploads": "", "prefix": "area/t1/"})
    yield "list buckets", client.request("GET", "/")
    yield "location of other", client.request("GET", "/other-bucket", {"location": ""})
    yield "policy", client.request("GET", "/warehouse", {"policy": ""})
    yield "put policy", client.request("PUT", "/warehouse", {"policy": ""}, b"{}")
    yield "lifecycle", client.request("PUT", "/warehouse", {"lifecycle": ""}, b"<LifecycleConfiguration/>")
    yield "make bucket", client.request("PUT", "/vended-bucket")
    yield "drop bucket", client.request("DELETE", "/other-bucket")
    yield "acl", client.request("PUT", "/warehouse/area/t1/data/x", {"acl": ""},
                                headers={"x-amz-acl": "public-read"})
    yield "put with acl", client.request("PUT", "/warehouse/area/t1/data/acl", None, b"x", {"x-amz-acl": "public-read"})
    yield "version", client.request("GET", "/warehouse/area/t1/data/x", {"versionId": "null"})
    yield "delete version", client.request("DELETE", "/warehouse/area/t1/data/x", {"versionId": "null"})
    for source in ("/warehouse/area/t10/data/x", "/other-bucket/area/t1/x", "/warehouse/area/t1/data/x?versionId=null"):
        yield "copy of " + source, client.request("PUT", "/warehouse/area/t1/data/stolen", None, b"",
                                                  {"x-amz-copy-source": source})
        yield "part of " + source, client.request("PUT", "/warehouse/area/t1/data/part",
                                                  {"uploadId": upload, "partNumber": "1"}, b"",
                                                  {"x-amz-copy-source": source})
    yield "session", client.sts(Action="AssumeRole", RoleArn="arn:aws:iam::0:role/x", RoleSessionName="xx")


@test
def vended_keys_open_nothing_else():
    tables()
    for name in (None, "rita"):
        for what, answer in elsewhere(vended("t1", name and key_of(name))):
            denied(answer, what)
    for name in ("t10", "t2"):
        equal(root().request("GET", f"/warehouse/area/{name}/data/x").ok().body, b"bytes")


@test
def a_batch_of_deletes_is_asked_key_by_key():
    tables()
    root().request("PUT", "/warehouse/area/t1/data/gone", None, b"x").ok()
    body = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("area/t1/data/gone", "area/t10/data/x"))
    body = f"<Delete>{body}</Delete>".encode()
    answer = vended("t1").request("POST", "/warehouse", {"delete": ""}, body,
                                  {"x-amz-sdk-checksum-algorithm": "SHA256",
                                   "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(hashed(body))).decode()}).ok()
    equal([e.findtext("Key") for e in answer.xml.iter("Deleted")], ["area/t1/data/gone"])
    equal([(e.findtext("Key"), e.findtext("Code")) for e in answer.xml.iter("Error")],
          [("area/t10/data/x", "AccessDenied")])


@test
def a_readers_keys_read_alone():
    tables()
    client = vended("t1", key_of("rita"))
    equal(allowed(client.request("GET", "/warehouse/area/t1/data/x")).body, b"bytes")
    allowed(lists(client, "warehouse", "area/t1/data/"))
    denied(client.request("PUT", "/warehouse/area/t1/data/x", None, b"overwritten"))
    denied(client.request("DELETE", "/warehouse/area/t1/data/x"))
    denied(client.request("POST", "/warehouse/area/t1/data/x", {"uploads": ""}))
    denied(client.request("PUT", "/warehouse/area/t1/data/x", {"tagging": ""},
                          b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"))


@test
def a_location_of_the_catalogs_own_is_listed_without_its_slash():
    made = make_table("plain")
    place = made["metadata"]["location"][len("s3://warehouse/"):]
    client = keys_of(made["config"])
    contains(allowed(lists(client, "warehouse", place)).body.decode(), "metadata.json")
    denied(lists(client, "warehouse", place[:-1]))
    for prefix, status in ((place, 200), (place[:-1], 403)):
        equal(sign("GET", "/warehouse", {"list-type": "2", "prefix": prefix}, table="plain").status, status, prefix)


@test
def folders_beside_the_table_are_opened_where_they_are_nobody_elses():
    tables()
    made = make_table("aside", "s3://warehouse/area/aside",
                      properties={"write.data.path": "s3://warehouse/area/aside-data"})
    client = keys_of(made["config"])
    allowed(client.request("PUT", "/warehouse/area/aside-data/x", None, b"x"))
    denied(client.request("PUT", "/warehouse/area/aside-data2/x", None, b"x"))
    hostile = ask("POST", "/tarn/namespaces/main/tables",
                  {"name": "hostile", "schema": SCHEMA, "properties": {"write.data.path": "s3://warehouse/area"}})
    check(hostile.status in (400, 403), f"{hostile.status} {hostile.body!r}")


@test
def vended_keys_end():
    with Server(settings={"catalog.credentials_lifetime": "2s"}) as server:
        make_table("t", server=server)
        client = vended("t", server=server)
        place = path_of(load("t", server=server).json["metadata"]["location"]) + "/data/x"
        allowed(client.request("PUT", place, None, b"x"))
        eventually(lambda: client.request("GET", place).code == "ExpiredToken", "the keys end")


@test
def a_lifetime_of_nothing_gives_none():
    with Server(settings={"catalog.credentials_lifetime": "0s"}) as server:
        made = make_table("t", server=server)
        check("s3.access-key-id" not in made["config"] and not made.get("storage-credentials"), made["config"])
        equal(ask("GET", "/tarn/namespaces/main/tables/t/credentials", server=server).ok().json,
              {"storage-credentials": []})
    with Server(settings={"catalog.credentials_lifetime": "30d"}) as server:
        left_s = int(make_table("t", server=server)["config"]["s3.session-token-expires-at-ms"]) / 1000 - time.time()
        check(43100 < left_s <= 43200, f"{left_s} s")


@test
def vended_keys_end_with_what_they_were_made_with():
    tables()
    path = "/warehouse/area/t1/data/x"
    key = shared().make_principal("ends", "reader")
    second = shared().request("POST", "/api/v1/principals/ends/keys", {}).ok().json
    by_second = vended("t1", second["key"])
    allowed(by_second.request("GET", path))
    shared().request("DELETE", "/api/v1/keys/" + second["id"]).ok()
    equal(by_second.request("GET", path).code, "ExpiredToken", "the key is dropped")
    client = vended("t1", key)
    allowed(client.request("GET", path))
    shared().request("DELETE", "/api/v1/principals/ends/s3-sessions").ok()
    equal(client.request("GET", path).code, "ExpiredToken", "revoked")
    client = vended("t1", key)
    allowed(client.request("GET", path))
    shared().request("DELETE", "/api/v1/principals/ends").ok()
    equal(client.request("GET", path).code, "ExpiredToken", "the principal is dropped")


@test
def a_vended_key_is_nothing_without_its_token_or_with_anothers():
    tables()
    one, two = load("t1").json["config"], load("t2").json["config"]
    for token in (None, two["s3.session-token"], "AAAA"):
        client = S3(shared().s3, one["s3.access-key-id"], one["s3.secret-access-key"], token)
        equal(client.request("GET", "/warehouse/area/t1/data/x").code, "InvalidToken", str(token)[:10])


@test
def files_in_plain_folders_have_no_keys():
    with Server(start=False) as server:
        folder = os.path.join(server.work, "lake")
        os.makedirs(folder)
        server.settings = {"warehouse.location": "file://" + folder, "warehouse.roots": folder}
        server.start()
        made = make_table("t", server=server)
        equal((made["config"], made.get("storage-credentials", [])), ({}, []))
        equal(ask("GET", "/tarn/namespaces/main/tables/t/credentials", server=server).ok().json,
              {"storage-credentials": []})


@test
def the_endpoint_is_what_the_setting_says():
    with Server(settings={"s3.endpoint": "https://s3.example.org", "s3.region": "eu-central-1"}) as server:
        config = make_table("t", server=server)["config"]
        equal((config["s3.endpoint"], config["client.region"]), ("https://s3.example.org", "eu-central-1"))


@test
def without_keys_to_ask_for_a_table_comes_with_some_that_work():
    with Server(settings={"auth.mode": "none"}) as server:
        made = ask("POST", "/tarn/namespaces/main/tables", {"name": "t", "schema": SCHEMA}, "None", server=server).ok().json
        client = keys_of(made["config"], server)
        allowed(client.request("PUT", path_of(made["metadata"]["location"]) + "/data/x", None, b"x"))


# ---- signed for clients without keys ----

SIGNING = {"X-Iceberg-Access-Delegation": "remote-signing"}


def sign(method, path, params=None, key=None, body=None, headers=None, table="t1", route=None):
    query = urllib.parse.urlencode(params or {})
    uri = f"http://{shared().s3}{path}" + ("?" + query if query else "")
    request = {"region": "us-east-1", "uri": uri, "method": method, "headers": headers or {}, "provider": "s3"}
    if body is not None:
        request["body"] = body
    return ask("POST", route or f"/tarn/namespaces/main/tables/{table}/sign", request, key)


def send_signed(answer, method, body=None):
    import http.client
    signed = answer.ok().json
    parts = urllib.parse.urlsplit(signed["uri"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body,
                       {name: ",".join(values) for name, values in signed["headers"].items()})
    answer = connection.getresponse()
    return answer.status, answer.read()


@test
def remote_signing_alone_gives_a_signer_and_no_keys():
    tables()
    answer = load("t1", headers=SIGNING).ok().json
    config = answer["config"]
    equal(config["s3.remote-signing-enabled"], "true")
    equal(config["s3.signer.endpoint"], "v1/tarn/namespaces/main/tables/t1/sign")
    check("s3.access-key-id" not in config and not answer.get("storage-credentials"), config)
    equal(answer["remote-signing-config"], {"properties": {}, "headers": {}}, "a signer has nothing to add")
    check("remote-signing-config" not in load("t1").ok().json, "who has keys signs alone")
    staged = ask("POST", "/tarn/namespaces/main/tables", {"name": "staged2", "schema": SCHEMA, "stage-create": True},
                 None, SIGNING).ok().json
    check("s3.access-key-id" in staged["config"], "nothing can be signed for a table that is not there yet")
    both = {"X-Iceberg-Access-Delegation": "remote-signing, vended-credentials"}
    check("s3.access-key-id" in load("t1", headers=both).json["config"], "keys where both will do")


@test
def signed_requests_work():
    tables()
    for route in (None, "/aws/s3/sign"):
        put = sign("PUT", "/warehouse/area/t1/data/signed", route=route)
        equal(put.headers["cache-control"], "no-cache")
        equal(send_signed(put, "PUT", b"signed")[0], 200)
        get = sign("GET", "/warehouse/area/t1/data/signed", route=route)
        equal(get.headers["cache-control"], "private")
        equal(send_signed(get, "GET"), (200, b"signed"))
        found = sign("GET", "/warehouse", {"list-type": "2", "prefix": "area/t1/data/"}, route=route)
        contains(send_signed(found, "GET")[1].decode(), "area/t1/data/signed")
        tags = b"<Tagging><TagSet><Tag><Key>deleted</Key><Value>yes</Value></Tag></TagSet></Tagging>"
        put = sign("PUT", "/warehouse/area/t1/data/signed", {"tagging": ""}, route=route)
        equal(send_signed(put, "PUT", tags)[0], 200, "s3.delete.tags of Java's client")
        get = sign("GET", "/warehouse/area/t1/data/signed", {"tagging": ""}, route=route)
        contains(send_signed(get, "GET")[1].decode(), "<Key>deleted</Key>")
        refused(sign("PUT", "/warehouse/area/t1/data/signed", {"tagging": ""}, key=key_of("rita"), route=route), 403,
                "ForbiddenException")
        body = "<Delete><Object><Key>area/t1/data/signed</Key></Object></Delete>"
        sum = base64.b64encode(bytes.fromhex(hashed(body.encode()))).decode()
        gone = sign("POST", "/warehouse", {"delete": ""}, body=body, route=route,
                    headers={"x-amz-checksum-sha256": [sum], "Content-Type": ["application/xml"]})
        signed = gone.ok().json
        signed["headers"]["x-amz-checksum-sha256"] = [sum]
        gone.body = json.dumps(signed).encode()
        status, text = send_signed(gone, "POST", body.encode())
        equal(status, 200, text)
        contains(text.decode(), "<Deleted>")
        other = body.replace("signed<", "x<").encode()
        check(send_signed(gone, "POST", other)[0] in (400, 403), "another list under the same signature")


@test
def nothing_else_is_signed():
    tables()
    delete = "<Delete><Object><Key>area/t1/data/x</Key></Object><Object><Key>area/t10/data/x</Key></Object></Delete>"
    version = "<Delete><Object><Key>area/t1/data/x</Key><VersionId>null</VersionId></Object></Delete>"
    cases = [
        ("GET", "/warehouse/area/t10/data/x", {}, None), ("PUT", "/warehouse/area/t2/data/x", {}, None),
        ("DELETE", "/warehouse/area/t10/data/x", {}, None), ("GET", "/other-bucket/area/t1/x", {}, None),
        ("GET", "/warehouse/area/t1", {}, None), ("GET", "/warehouse", {}, None), ("HEAD", "/warehouse", {}, None),
        ("GET", "/", {}, None), ("PUT", "/new-bucket", {}, None), ("DELETE", "/warehouse", {}, None),
        ("GET", "/warehouse", {"list-type": "2"}, None), ("GET", "/warehouse", {"list-type": "2", "prefix": "area/"}, None),
        ("GET", "/warehouse", {"list-type": "2", "prefix": "area/t1"}, None),
        ("GET", "/warehouse", {"prefix": "area/t1/"}, None), ("GET", "/warehouse", {"versions": "", "prefix": "area/t1/"}, None),
        ("GET", "/warehouse", {"policy": ""}, None), ("PUT", "/warehouse", {"policy": ""}, None),
        ("GET", "/warehouse/area/t1/data/x", {"versionId": "null"}, None),
        ("GET", "/warehouse/area/t1/data/x", {"acl": ""}, None), ("PUT", "/warehouse/area/t1/data/x", {"acl": ""}, None),
        ("GET", "/warehouse/area/t1/data/x", {"attributes": ""}, None),
        ("DELETE", "/warehouse/area/t1/data/x", {"tagging": ""}, None), ("HEAD", "/warehouse/area/t1/data/x", {"tagging": ""}, None),
        ("PUT", "/warehouse/area/t10/data/x", {"tagging": ""}, None),
        ("GET", "/warehouse/area/t1/data/x", {"X-Amz-Signature": "x"}, None),
        ("POST", "/warehouse", {"delete": ""}, None), ("POST", "/warehouse", {"delete": ""}, delete),
        ("POST", "/warehouse", {"delete": ""}, version), ("POST", "/warehouse", {"delete": ""}, "<Delete/>"),
        ("OPTIONS", "/warehouse/area/t1/data/x", {}, None), ("PATCH", "/warehouse/area/t1/data/x", {}, None),
    ]
    for method, path, params, body in cases:
        for route in (None, "/aws/s3/sign"):
            if route and ("t10" in path or "t2" in path) or path == "/warehouse/area/t1":
                continue  # in the place of a table that root may touch
            refused(sign(method, path, params, body=body, route=route), 403, "ForbiddenException",
                    f"{method} {path} {params} by {route}")
    refused(sign("PUT", "/warehouse/area/t1/data/stolen", headers={"X-Amz-Copy-Source": ["/warehouse/area/t10/data/x"]}),
            403, "ForbiddenException")
    refused(sign("GET", "/warehouse/area/nowhere/x", route="/aws/s3/sign"), 403, "ForbiddenException")
    for change in ({"method": "EAT"}, {"uri": "nowhere"}, {"region": "a\nb"}, {"provider": "gcs"}, {"headers": []}):
        request = {"region": "us-east-1", "uri": f"http://{shared().s3}/warehouse/area/t1/data/x", "method": "GET",
                   "headers": {}, **change}
        equal(ask("POST", "/tarn/namespaces/main/tables/t1/sign", request).status, 400, str(change))


@test
def nothing_is_signed_for_another_host():
    tables()
    port = shared().s3.rpartition(":")[2]

    def ask_for(uri, route):
        return ask("POST", route, {"region": "us-east-1", "uri": uri, "method": "GET", "headers": {}})
    path = "/warehouse/area/t1/data/x"
    for route in ("/tarn/namespaces/main/tables/t1/sign", "/aws/s3/sign"):
        for host in ("evil.example.org", f"evil.example.org:{port}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1:{port}0",
                     f"127.0.0.1:{port}@evil.example.org", f"x@127.0.0.1:{port}", f"127.0.0.1.evil.example.org:{port}",
                     f"warehouse.127.0.0.1:{port}"):
            for scheme in ("http", "https"):
                answer = ask_for(f"{scheme}://{host}{path}", route)
                check(answer.status in (400, 403) and "Signature" not in answer.text, f"{scheme}://{host}: {answer.text}")
        refused(ask_for(f"http://warehouse.evil.localhost.example.org:{port}/area/t1/data/x", route), 403, "ForbiddenException")
        refused(ask_for("http://warehouse.localhost:1/area/t1/data/x", route), 403, "ForbiddenException")
        ask_for(f"http://{shared().s3}{path}", route).ok()
        ask_for(f"http://localhost:{port}{path}", route).ok()
        ask_for(f"http://warehouse.localhost:{port}/area/t1/data/x", route).ok()


@test
def what_s3_endpoint_says_is_signed():
    with Server(settings={"s3.endpoint": "https://s3.example.org/"}) as server:
        make_table("t", "s3://warehouse/area/t", server=server)
        for uri, status in (("https://s3.example.org/warehouse/area/t/x", 200), ("https://s3.example.org:443/warehouse/area/t/x", 200),
                            ("https://s3.example.com/warehouse/area/t/x", 403), ("https://s3.example.org:9/warehouse/area/t/x", 403),
                            (f"http://{server.s3}/warehouse/area/t/x", 200)):
            body = {"region": "us-east-1", "uri": uri, "method": "GET", "headers": {}}
            equal(ask("POST", "/tarn/namespaces/main/tables/t/sign", body, server=server).status, status, uri)


@test
def readers_get_reads_signed():
    tables()
    rita = key_of("rita")
    equal(send_signed(sign("GET", "/warehouse/area/t1/data/x", key=rita), "GET"), (200, b"bytes"))
    for method in ("PUT", "DELETE"):
        refused(sign(method, "/warehouse/area/t1/data/x", key=rita), 403, "ForbiddenException", method)
    refused(sign("GET", "/warehouse/area/t1/data/x", key=key_of("uwe"), route="/aws/s3/sign"), 403, "ForbiddenException")
    signed = sign("GET", "/warehouse/area/t1/data/x", key=rita).ok().json
    signed["uri"] = signed["uri"].replace("/t1/", "/t2/")
    answer = sign("GET", "/warehouse/area/t1/data/x", key=rita)
    answer.body = json.dumps(signed).encode()
    equal(send_signed(answer, "GET")[0], 403, "the signature is for one request")


# ---- tokens ----

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


def token(headers=None, **form):
    return shared().request("POST", V1 + "/oauth/tokens", urllib.parse.urlencode(form),
                            {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}, NO_KEY)


def basic(name, key):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()}


@test
def a_key_is_exchanged_for_a_token():
    rita = key_of("rita")
    for answer in (token(grant_type="client_credentials", client_id="rita", client_secret=rita, scope="catalog"),
                   token(grant_type="client_credentials", client_secret=rita, scope="catalog"),
                   token(basic("rita", rita), grant_type="client_credentials", scope="catalog"),
                   token(grant_type=EXCHANGE, subject_token=rita, subject_token_type=ACCESS, scope="catalog")):
        got = answer.ok().json
        equal((got["token_type"], got["issued_token_type"], got["scope"]), ("bearer", ACCESS, "catalog"))
        check(3500 < got["expires_in"] <= 3600, got["expires_in"])
        equal(answer.headers["cache-control"], "no-store")
        equal(ask("GET", "/tarn/namespaces", None, got["access_token"]).status, 200)
        equal(shared().request("GET", "/api/v1/status", None, None, got["access_token"]).status, 200)
        equal(ask("POST", "/tarn/namespaces", {"namespace": ["x"]}, got["access_token"]).status, 403)
        refreshed = token(grant_type=EXCHANGE, subject_token=got["access_token"], subject_token_type=ACCESS).ok().json
        equal(ask("GET", "/tarn/namespaces", None, refreshed["access_token"]).status, 200)


@test
def a_token_tells_the_scope_that_is_granted_not_what_was_asked():
    rita = key_of("rita")
    for asked, given in (("catalog", "catalog"), ("PRINCIPAL_ROLE:ALL", "PRINCIPAL_ROLE:ALL"), ("root admin", "catalog"),
                         ("root catalog  PRINCIPAL_ROLE:ALL", "catalog PRINCIPAL_ROLE:ALL"), (None, None)):
        form = {"scope": asked} if asked else {}
        got = token(grant_type="client_credentials", client_id="rita", client_secret=rita, **form).ok().json
        equal(got.get("scope"), given)


@test
def what_is_no_key_gets_an_error_of_oauth():
    rita = key_of("rita")
    cases = [
        (401, "invalid_client", {"grant_type": "client_credentials", "client_id": "rita", "client_secret": "tarn_wrong"}),
        (401, "invalid_client", {"grant_type": "client_credentials", "client_id": "uwe", "client_secret": rita}),
        (401, "invalid_client", {"grant_type": "client_credentials"}),
        (400, "invalid_grant", {"grant_type": EXCHANGE, "subject_token": "wrong", "subject_token_type": ACCESS}),
        (400, "invalid_request", {"grant_type": EXCHANGE, "subject_token": rita}),
        (400, "invalid_request", {"grant_type": EXCHANGE, "subject_token": rita, "subject_token_type": "x"}),
        (400, "unsupported_grant_type", {"grant_type": "password", "username": "rita", "password": rita}),
        (400, "invalid_request", {}),
    ]
    for status, code, form in cases:
        answer = token(**form)
        equal((answer.status, answer.json["error"]), (status, code), str(form))
        check(answer.json["error_description"], code)
    answer = shared().request("POST", V1 + "/oauth/tokens", {"grant_type": "client_credentials"}, None, NO_KEY)
    equal((answer.status, answer.json["error"]), (400, "invalid_request"))
    answer = token(basic("rita", "wrong"), grant_type="client_credentials")
    equal((answer.status, answer.json["error"]), (401, "invalid_client"))
    answer = token(grant_type="client_credentials", client_secret="x" * (1 << 20))
    equal((answer.status, answer.json["error"]), (413, "invalid_request"))


@test
def bodies_that_do_not_come_hold_nobody_up():
    """Nobody has said who it is yet: not one of them may cost a thread."""
    head = (f"POST {V1}/oauth/tokens HTTP/1.1\r\nHost: {shared().address}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: {}\r\n\r\ngrant")
    host, _, port = shared().address.rpartition(":")
    waiting = []
    for number in range(300):
        one = socket.create_connection((host, int(port)))
        one.sendall(head.format(16384 if number % 2 else 100).encode())
        waiting.append(one)
    for _ in range(20):
        equal(shared().request("GET", "/api/v1/status").status, 200)
        token(grant_type="client_credentials", client_secret=key_of("rita")).ok()
    for one in waiting:
        equal(select.select([one], [], [], 0)[0], [], "has its answer already")
        one.close()
    for expected, more in ((411, {"Transfer-Encoding": "chunked"}), (413, {"Content-Length": "16385"}),
                           (417, {"Content-Length": "100", "Expect": "100-continue"})):
        with socket.create_connection((host, int(port))) as one:
            lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            one.sendall(f"POST {V1}/oauth/tokens HTTP/1.1\r\nHost: {shared().address}\r\n{lines}"
                        "Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode())
            answer = one.recv(65536).decode()
            contains(answer, f"HTTP/1.1 {expected} ")
            contains(answer, '"error":"invalid_request"')


@test
def a_token_ends_with_its_key():
    key = shared().make_principal("tina", "reader")
    second = shared().request("POST", "/api/v1/principals/tina/keys", {}).ok().json
    got = [token(grant_type="client_credentials", client_secret=k).ok().json["access_token"] for k in (key, second["key"])]
    shared().request("DELETE", "/api/v1/keys/" + second["id"]).ok()
    equal([ask("GET", "/tarn/namespaces", None, t).status for t in got], [200, 401])
    shared().request("DELETE", "/api/v1/principals/tina/s3-sessions").ok()
    equal(ask("GET", "/tarn/namespaces", None, got[0]).status, 401, "revoked")
    again = token(grant_type="client_credentials", client_secret=key).ok().json["access_token"]
    client = keys_of(load("t1", again).ok().json["config"]) if tables() else None
    allowed(client.request("GET", "/warehouse/area/t1/data/x"))
    shared().request("DELETE", "/api/v1/principals/tina").ok()
    equal(ask("GET", "/tarn/namespaces", None, again).status, 401, "dropped")
    equal(client.request("GET", "/warehouse/area/t1/data/x").code, "ExpiredToken")


@test
def tokens_outlive_a_restart():
    with Server() as server:
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_secret": server.key})
        got = server.request("POST", V1 + "/oauth/tokens", form, {"Content-Type": "application/x-www-form-urlencoded"},
                             NO_KEY).ok().json["access_token"]
        server.restart()
        equal(server.request("GET", V1 + "/tarn/namespaces", None, None, got).status, 200)


main()

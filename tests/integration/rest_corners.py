#!/usr/bin/env python3
"""Corners of the Iceberg REST catalog: uuids that are taken, renames from nowhere, changes that change nothing, metadata
files that others took away, and what properties, defaults and locations may say."""
# timeout: 120
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from restcatalog import (LONG_A, ask, commit, identifier, make_space, make_table, make_view, ok, refused,  # noqa: E402
                         set_property, space_path, table_path, view_body, view_path)
from s3client import root_s3  # noqa: E402
from tarn import check, equal, main, shared, test  # noqa: E402


def ready(*levels):
    make_space(*(levels or ("ns",)))
    return shared()


def key_of(location):
    check(location.startswith("s3://"), location)
    return "/" + location[len("s3://"):]


def events():
    return shared().request("GET", "/api/v1/events?limit=1000").ok().json["events"]


def register(name, location, kind="register", **more):
    return "POST", f"/namespaces/ns/{kind}", dict({"name": name, "metadata-location": location}, **more)


# ---- who has a uuid ----

@test
def a_views_uuid_is_that_of_one_view():
    ready()
    made = make_view("owner")
    uuid, location = made["metadata"]["view-uuid"], made["metadata-location"]
    taken = f'the view with uuid {uuid} is in the catalog as "ns.owner"'
    refused(409, "AlreadyExistsException", taken, *register("second", location, "register-view"))
    equal(ask("HEAD", view_path("second")).status, 404)
    refused(409, "AlreadyExistsException", "View already exists: ns.owner", *register("owner", location, "register-view"))


@test
def a_table_and_a_view_have_no_uuid_in_common():
    ready()
    uuid = make_view("first_of_both")["metadata"]["view-uuid"]
    updates = [{"action": "assign-uuid", "uuid": uuid}, {"action": "upgrade-format-version", "format-version": 2},
               {"action": "add-schema", "schema": LONG_A}, {"action": "set-current-schema", "schema-id": -1}]
    refused(409, "AlreadyExistsException", f'the view with uuid {uuid} is in the catalog as "ns.first_of_both"', "POST",
            table_path("second_of_both"), {"requirements": [{"type": "assert-create"}], "updates": updates})


@test
def overwriting_with_the_file_of_another_table_names_that_table():
    ready()
    make_table("overwritten")
    other = make_table("other")
    uuid, location = other["metadata"]["table-uuid"], other["metadata-location"]
    refused(409, "AlreadyExistsException", f'the table with uuid {uuid} is in the catalog as "ns.other"',
            *register("overwritten", location, overwrite=True))
    refused(409, "AlreadyExistsException", "Table already exists: ns.overwritten", *register("overwritten", location))


# ---- names ----

@test
def a_rename_from_a_missing_namespace_misses_what_it_renames():
    ready()
    for kind, what in (("tables", "Table"), ("views", "View")):
        source = {"namespace": ["zz"], "name": "none"}
        refused(404, f"NoSuch{what}Exception", f"{what} does not exist: zz.none", "POST", f"/{kind}/rename",
                {"source": source, "destination": identifier("new")})
    make_table("here")
    make_view("here_view")
    for kind, name in (("tables", "here"), ("views", "here_view")):
        refused(404, "NoSuchNamespaceException", "Namespace does not exist: zz", "POST", f"/{kind}/rename",
                {"source": identifier(name), "destination": {"namespace": ["zz"], "name": "new"}})


@test
def a_key_that_is_removed_twice_is_told_once():
    make_space("twice")
    ok("POST", space_path("twice") + "/properties", {"updates": {"a": "1"}})
    done = ok("POST", space_path("twice") + "/properties", {"removals": ["a", "nix", "a", "nix"]})
    equal((done["updated"], done["removed"], done["missing"]), ([], ["a"], ["nix"]))


# ---- nothing changes ----

@test
def a_view_that_stays_as_it_is_gets_no_file_and_no_event():
    server = ready()
    made = make_view("calm", properties={"a": "1", "b": "2"})
    location, current = made["metadata-location"], made["metadata"]["current-version-id"]
    before = events()
    for updates in ([], [set_property("a", "1")], [{"action": "set-current-view-version", "view-version-id": current}],
                    [{"action": "upgrade-format-version", "format-version": 1}],
                    [{"action": "remove-properties", "removals": ["nix"]}],
                    [{"action": "add-view-version", "view-version": view_body("calm")["view-version"]},
                     {"action": "set-current-view-version", "view-version-id": -1}]):
        answer = ok("POST", view_path("calm"), {"requirements": [], "updates": updates})
        equal(answer["metadata-location"], location, str(updates))
        equal(answer["metadata"]["properties"], {"a": "1", "b": "2"})
    server.query("ALTER VIEW ns.calm SET TBLPROPERTIES ('b' = '2')")
    equal(ok("GET", view_path("calm"))["metadata-location"], location)
    equal(events(), before)
    check(ok("POST", view_path("calm"), {"requirements": [], "updates": [set_property("a", "2")]})["metadata-location"]
          != location, "what changes has a file")
    equal([event["kind"] for event in events()[len(before):]], ["view.committed"])


# ---- files that are gone ----

@test
def a_table_whose_metadata_file_was_deleted_is_told_at_once():
    server = ready()
    s3 = root_s3(server)
    make_table("lost")
    make_table("stays")
    commit("lost", [], [set_property("a", "1")]).ok()
    location = ok("GET", table_path("lost"))["metadata-location"]
    kept = ok("GET", table_path("stays"))
    ok("GET", table_path("lost"))
    s3.request("DELETE", key_of(location)).ok()
    gone = f"Failed to open input stream for file: {location}"
    refused(404, "NotFoundException", gone, "GET", table_path("lost"))
    refused(404, "NotFoundException", gone, "GET", table_path("lost"))
    change = {"requirements": [], "updates": [set_property("a", "2")]}
    refused(404, "NotFoundException", gone, "POST", table_path("lost"), change)
    refused(404, "NotFoundException", gone, "POST", "/transactions/commit",
            {"table-changes": [dict(change, identifier=identifier("stays")), dict(change, identifier=identifier("lost"))]})
    equal(ok("GET", table_path("stays")), kept)
    equal(server.request("POST", "/api/v1/query", {"sql": "SELECT * FROM ns.lost"}).status >= 400, True)


@test
def a_metadata_file_that_was_written_over_is_read_again():
    server = ready()
    s3 = root_s3(server)
    made = make_table("rewritten", properties={"write.metadata.compression-codec": "none"})
    location = made["metadata-location"]
    ok("GET", table_path("rewritten"))
    text = s3.request("GET", key_of(location)).ok().body
    check(b'"name":"a"' in text, text[:300].decode())
    s3.request("PUT", key_of(location), body=text.replace(b'"name":"a"', b'"name":"b"')).ok()
    for _ in range(2):
        equal(ok("GET", table_path("rewritten"))["metadata"]["schemas"][0]["fields"][0]["name"], "b")


@test
def a_view_whose_metadata_file_was_deleted_is_told_at_once():
    s3 = root_s3(ready())
    location = make_view("lost_view")["metadata-location"]
    kept = make_view("kept_view")
    ok("GET", view_path("lost_view"))
    s3.request("DELETE", key_of(location)).ok()
    gone = f"Failed to open input stream for file: {location}"
    refused(404, "NotFoundException", gone, "GET", view_path("lost_view"))
    refused(404, "NotFoundException", gone, "POST", view_path("lost_view"),
            {"requirements": [], "updates": [set_property("a", "2")]})
    equal(ok("GET", view_path("kept_view"))["metadata-location"], kept["metadata-location"])
    ok("DELETE", view_path("lost_view"), status=204)


# ---- what may be said ----

@test
def formats_are_those_of_iceberg():
    ready()
    make_table("formats")
    for value in ("parquet", "avro", "ORC"):
        commit("formats", [], [set_property("write.format.default", value)]).ok()
    refused(400, "IllegalArgumentException", re.compile('property "write.format.default" cannot be "foo": not parquet, avro'),
            "POST", table_path("formats"), {"requirements": [], "updates": [set_property("write.format.default", "foo")]})
    refused(400, "IllegalArgumentException", re.compile('"write.delete.format.default" cannot be "foo"'), "POST",
            "/namespaces/ns/tables", {"name": "foo", "schema": LONG_A, "properties": {"write.delete.format.default": "foo"}})


def with_default(version, kind="int", **members):
    field = dict({"id": 1, "name": "a", "type": kind, "required": False}, **members)
    return {"schema": {"type": "struct", "fields": [field]}, "properties": {"format-version": str(version)}}


@test
def a_default_of_new_rows_is_for_every_version():
    ready()
    made = make_table("new_rows", **with_default(2, **{"write-default": 5}))
    equal(made["metadata"]["schemas"][0]["fields"][0]["write-default"], 5)
    shared().query("ALTER TABLE ns.new_rows ADD COLUMN b BIGINT")
    shared().query("INSERT INTO ns.new_rows (b) VALUES (1)")
    equal(shared().rows("SELECT a, b FROM ns.new_rows"), [[5, 1]])
    refused(400, "IllegalArgumentException", re.compile("has a default, which a table of format version 2 cannot hold"),
            "POST", "/namespaces/ns/tables", dict({"name": "old_rows"}, **with_default(2, **{"initial-default": 5})))


@test
def a_default_of_a_struct_is_not_supported():
    ready()
    inner = {"type": "struct", "fields": [{"id": 2, "name": "x", "type": "int", "required": False, "write-default": 1}]}
    refused(400, "IllegalArgumentException", re.compile("a default of type struct is not supported"), "POST",
            "/namespaces/ns/tables", dict({"name": "structs"}, **with_default(3, inner, **{"write-default": {}})))


@test
def other_names_of_s3_are_refused_with_ours():
    ready()
    for scheme in ("s3a", "s3n"):
        answer = refused(400, "IllegalArgumentException", re.compile("has a scheme that is not known"), "POST",
                         "/namespaces/ns/tables",
                         {"name": "hadoop", "schema": LONG_A, "location": f"{scheme}://warehouse/ns/hadoop"})
        equal(answer.error["stack"], ['It is called "s3://warehouse/ns/hadoop" here.'])


main()

#!/usr/bin/env python3
"""Dropped tables, protection, warehouses and events, over the API and in SQL; webhooks to a receiver that fails, through
kills of the server: no event is lost, and none is without its change."""
# timeout: 120
import hashlib
import hmac
import http.client
import http.server
import json
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import TIME_FACTOR, Failed, Server, TarnError, check, contains, equal, main, test  # noqa: E402

SECRET = "s3cr3t"


def refused(call, code, *words):
    try:
        call()
    except TarnError as error:
        equal(error.code, code, str(error))
        for word in words:
            contains(str(error), word)
        return
    raise Failed(f"nothing was refused with {code}")


def wait_until(condition, what):
    deadline = time.monotonic() + 20 * TIME_FACTOR
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"in vain waited for {what}")
        time.sleep(0.02)


class Receiver:
    """Takes CloudEvents; the first `failures` requests are answered 500."""

    def __init__(self, failures=0):
        self.events, self.tries, self.failures, self.wrong = [], 0, failures, []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):
                    return  # the sender was killed
                receiver.tries += 1
                mac = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
                if self.headers["X-Tarn-Signature"] != mac:
                    receiver.wrong.append("signature")
                if self.headers["Content-Type"] != "application/cloudevents+json":
                    receiver.wrong.append("content type")
                failed = receiver.tries <= receiver.failures
                if not failed:
                    receiver.events.append(json.loads(body))
                self.send_response(500 if failed else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *ignored):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?x=1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    def ids(self):
        return [event["data"]["id"] for event in self.events]


def paths(server):
    """How many objects there are."""
    return server.metrics()["tarn_store_objects"]


@test
def dropped_tables_come_back():
    with Server() as server:
        server.query("CREATE TABLE t (a BIGINT); INSERT INTO t SELECT range FROM range(7); CREATE SCHEMA s")
        before = paths(server)
        server.query("DROP TABLE t")
        refused(lambda: server.query("SELECT * FROM t"), "table_not_found")
        check(paths(server) >= before, "files went with the drop")
        server.query("CREATE TABLE t (b BIGINT)")  # the name is free at once
        refused(lambda: server.query("UNDROP TABLE t"), "already_exists")
        refused(lambda: server.query("UNDROP TABLE t AS nowhere.t"), "namespace_not_found")
        refused(lambda: server.query("BEGIN; UNDROP TABLE t AS u"), "transaction_active")
        server.query("UNDROP TABLE t AS s.u")
        equal(server.value("SELECT count(*) FROM s.u"), 7)
        refused(lambda: server.query("UNDROP TABLE t AS v"), "table_not_found", "no dropped table")
        # through the API, by uuid
        server.query("DROP TABLE s.u; UNDROP TABLE s.u AS w")  # a name alone stays in its namespace
        equal(server.value("SELECT count(*) FROM s.w"), 7)
        server.query("DROP TABLE s.w; UNDROP TABLE s.w AS u")
        server.query("DROP SCHEMA s CASCADE; CREATE SCHEMA s")
        (one,) = server.request("GET", "/api/v1/dropped").ok().json["dropped"]
        equal((one["namespace"], one["name"], one["dropped_by"], one["registered"]), ("s", "u", "root", False))
        equal(server.request("GET", "/api/v1/dropped?namespace=main").ok().json["dropped"], [])
        answer = server.request("POST", f"/api/v1/dropped/{one['uuid']}/undrop", {"as": "main.back"}).ok().json
        equal(answer, {"namespace": "main", "name": "back"})
        equal(server.value("SELECT sum(a) FROM back"), 21)
        equal(server.request("POST", f"/api/v1/dropped/{one['uuid']}/undrop").status, 404)
        server.query("DROP TABLE back")
        server.request("POST", f"/api/v1/dropped/{one['uuid']}/undrop").ok()
        server.kill()
        server.start()
        equal(server.value("SELECT sum(a) FROM back"), 21)


@test
def purges_remove_what_only_they_reach():
    with Server() as server:
        server.query("CREATE TABLE t (a BIGINT); INSERT INTO t SELECT range FROM range(7)")
        empty = paths(server)
        server.query("CREATE TABLE u AS SELECT 1 AS a; DROP TABLE u PURGE")
        wait_until(lambda: paths(server) == empty, "the files to go")
        server.query("CREATE TABLE u AS SELECT 1 AS a")
        server.request("DELETE", "/api/v1/namespaces/main/tables/u?purge=true").ok()
        wait_until(lambda: paths(server) == empty, "the files to go")
        equal(server.request("GET", "/api/v1/dropped").ok().json["dropped"], [])
        server.query("CREATE TABLE u AS SELECT 1 AS a; BEGIN; DROP TABLE u PURGE; COMMIT")
        wait_until(lambda: paths(server) == empty, "the files to go")
        server.query("CREATE TABLE u AS SELECT 1 AS a")
        before = paths(server)
        server.query("ANALYZE u")
        check(paths(server) >= before + 2, "no file of statistics beside the metadata")
        server.query("DROP TABLE u PURGE")
        wait_until(lambda: paths(server) == empty, "the files of statistics to go, too")
        # nothing is kept, or everything
        server.restart(settings={"catalog.retention": "0s"})
        server.query("CREATE TABLE u AS SELECT 1 AS a; DROP TABLE u")
        wait_until(lambda: paths(server) == empty, "the files to go")
        server.restart(settings={"catalog.purge": "retained"})
        server.query("CREATE TABLE u AS SELECT 1 AS a; DROP TABLE u PURGE; UNDROP TABLE u; DROP TABLE u")
        server.restart(settings={"catalog.retention": "1ms"})
        server.query("CREATE TABLE v AS SELECT 1 AS a; DROP TABLE v")
        wait_until(lambda: len(server.request("GET", "/api/v1/dropped").ok().json["dropped"]) == 1, "v to go")
        equal(server.value("SELECT sum(a) FROM t"), 21)


@test
def what_was_purged_stays_gone_though_server_and_database_die():
    with Server() as server:
        def lose_all():
            server.kill()
            for name in ("tarn.db", "tarn.db-wal", "tarn.db-shm"):
                if os.path.exists(os.path.join(server.data, name)):
                    os.unlink(os.path.join(server.data, name))
            code, out, errors = server.run("recover", "--yes")
            equal(code, 0, out + errors)
            server.start()

        def purge_in_rest():
            server.request("DELETE", "/iceberg/v1/tarn/namespaces/main/tables/t?purgeRequested=true").ok()

        def drop_all():
            server.query("DROP TABLE s.u PURGE")
            server.request("DELETE", "/iceberg/v1/tarn/namespaces/s").ok()

        for act in (purge_in_rest, lambda: server.query("DROP TABLE t PURGE"),
                    lambda: server.query("BEGIN; DROP TABLE t PURGE; COMMIT")):
            empty = paths(server)
            server.query("CREATE TABLE t (a BIGINT); INSERT INTO t VALUES (1)")
            act()
            lose_all()
            refused(lambda: server.query("SELECT * FROM t"), "table_not_found")
            equal(server.request("GET", "/api/v1/dropped").ok().json["dropped"], [])
            server.query("CREATE TABLE t AS SELECT 2 AS a")
            lose_all()  # the name's next table is none that was purged
            equal(server.value("SELECT a FROM t"), 2)
            server.query("DROP TABLE t PURGE")
            wait_until(lambda empty=empty: paths(server) <= empty, "the files to go")
        for act in (drop_all, lambda: server.query("DROP SCHEMA s CASCADE")):
            server.query("CREATE SCHEMA s; CREATE TABLE s.u (a BIGINT)")
            act()
            lose_all()
            equal(server.request("GET", "/api/v1/namespaces/s").status, 404)
            server.query("CREATE SCHEMA s")
            lose_all()
            equal(server.request("GET", "/api/v1/namespaces/s").status, 200)
            server.query("DROP SCHEMA s")


@test
def protected_things_are_not_dropped():
    with Server() as server:
        server.query("CREATE SCHEMA s; CREATE TABLE s.t (a BIGINT)")
        server.request("PUT", "/api/v1/namespaces/s/tables/t/protection").ok()
        for sql in ("DROP TABLE s.t", "DROP TABLE s.t PURGE", "DROP SCHEMA s CASCADE", "BEGIN; DROP TABLE s.t"):
            refused(lambda sql=sql: server.query(sql), "denied", "protected")
        equal(server.request("DELETE", "/api/v1/namespaces/s/tables/t").status, 403)
        server.query("INSERT INTO s.t VALUES (1); CREATE VIEW s.v AS SELECT a FROM s.t")
        flags = "SELECT name, kind, protected FROM tarn.tables WHERE namespace = 's' ORDER BY name"
        equal(server.rows(flags), [["t", "table", True], ["v", "view", False]])
        equal(server.rows("SELECT uuid = (SELECT any_value(uuid) FROM tarn.events WHERE kind = 'table.created'), "
                          "location LIKE '%/s/t%', metadata_location LIKE location || '/metadata/%', created <= updated, "
                          "updated <= now() FROM tarn.tables WHERE name = 't'"), [[True] * 5])
        server.request("DELETE", "/api/v1/namespaces/s/tables/t/protection").ok()
        server.request("PUT", "/api/v1/namespaces/s/protection").ok()
        equal(server.rows(flags), [["t", "table", False], ["v", "view", False]])
        equal(server.rows("SELECT name, protected FROM tarn.namespaces WHERE created <= now() ORDER BY name"),
              [["main", False], ["s", True]])
        check(server.request("GET", "/api/v1/namespaces/s").ok().json["protected"], "the flag is not told")
        refused(lambda: server.query("DROP SCHEMA s CASCADE"), "denied", "protected")
        server.request("DELETE", "/api/v1/namespaces/s/protection").ok()
        server.query("DROP SCHEMA s CASCADE")
        equal(server.request("PUT", "/api/v1/namespaces/s/tables/t/protection").status, 404)
        key = server.make_principal("rita", "reader")
        server.query("CREATE TABLE t (a BIGINT)")
        for method, path in (("PUT", "/api/v1/namespaces/main/tables/t/protection"), ("GET", "/api/v1/events"),
                             ("POST", "/api/v1/warehouses"), ("DELETE", "/api/v1/warehouses/x")):
            equal(server.request(method, path, key=key).status, 403, path)
        refused(lambda: server.query("SELECT * FROM tarn.events", key=key), "denied")


@test
def warehouses_have_tables_of_their_own():
    with Server() as server:
        made = server.request("POST", "/api/v1/warehouses", {"name": "lake", "location": "s3://lake"}).ok().json
        equal((made["name"], made["location"], made["first"]), ("lake", "s3://lake", False))
        server.query("CREATE SCHEMA lake.sales; CREATE TABLE lake.sales.orders AS SELECT 1 AS a")
        equal(server.value("SELECT a FROM lake.sales.orders"), 1)
        table = server.request("GET", "/api/v1/namespaces/lake.sales/tables/orders").ok().json
        check(table["location"].startswith("s3://lake/sales/orders-"), table["location"])
        equal([w["name"] for w in server.request("GET", "/api/v1/warehouses").ok().json["warehouses"]], ["tarn", "lake"])
        refused(lambda: server.query("CREATE TABLE lake.t (a BIGINT)"), "invalid", "holds namespaces")
        refused(lambda: server.query("DROP SCHEMA lake CASCADE"), "invalid", "warehouse")
        equal(server.request("POST", "/api/v1/warehouses", {"name": "sea", "location": "s3://lake/in"}).status, 400)
        equal(server.request("POST", "/api/v1/warehouses", {"name": "lake", "location": "s3://sea"}).status, 409)
        equal(server.request("DELETE", "/api/v1/warehouses/lake").status, 409)
        equal(server.request("DELETE", "/api/v1/warehouses/tarn").status, 400)
        equal(server.run("catalog", "drop", "lake", "--dry-run")[0], 0)
        code, _, errors = server.run("catalog", "drop", "sea", "--dry-run")
        equal((code, 'warehouse "sea" does not exist' in errors), (3, True), errors)
        contains(server.request("DELETE", "/api/v1/warehouses/laek").text, 'Did you mean \\"lake\\"?')
        server.kill()
        for name in ("tarn.db", "tarn.db-wal", "tarn.db-shm"):
            if os.path.exists(os.path.join(server.data, name)):
                os.unlink(os.path.join(server.data, name))
        code, out, errors = server.run("recover", "--yes")
        equal(code, 0, out + errors)
        server.start()
        equal(server.value("SELECT a FROM lake.sales.orders"), 1)
        # what it keeps could come back, into no warehouse
        server.query("DROP TABLE lake.sales.orders; DROP SCHEMA lake.sales")
        contains(server.request("DELETE", "/api/v1/warehouses/lake").text,
                 'it keeps dropped table \\"lake.sales.orders\\"')
        code, _, errors = server.run("catalog", "drop", "lake", "--yes")
        check(code != 0 and "UNDROP TABLE" in errors, errors)
        server.query("CREATE SCHEMA lake.sales; UNDROP TABLE lake.sales.orders")
        equal(server.value("SELECT a FROM lake.sales.orders"), 1)
        server.query("DROP TABLE lake.sales.orders PURGE; DROP SCHEMA lake.sales")
        server.request("DELETE", "/api/v1/warehouses/lake").ok()
        (gone,) = server.request("GET", "/api/v1/events?kind=warehouse.dropped").ok().json["events"]
        equal(gone["detail"], {"warehouse": "lake", "location": "s3://lake"})
        # a word of the addresses can be no prefix
        for word in ("namespaces", "tables", "Views", "config", "transactions", "oauth", "aws"):
            made = server.request("POST", "/api/v1/warehouses", {"name": word, "location": "s3://words"})
            equal((made.status, "word of the REST catalog's addresses" in made.text), (400, True), word)
    server = Server(start=False, settings={"warehouse.name": "namespaces"})
    with server:
        server.launch()
        check(server.process.wait(20 * TIME_FACTOR) != 0, "it started")
        contains(server.log_text(), "word of the REST catalog's addresses")


@test
def events_tell_who_what_and_from_where():
    with Server() as server:
        server.query("CREATE TABLE t (a BIGINT); INSERT INTO t VALUES (1)")
        server.ingest("t", [{"a": 2}])
        server.request("PUT", "/api/v1/namespaces/main/tables/t/protection").ok()
        server.request("DELETE", "/api/v1/namespaces/main/tables/t/protection").ok()
        server.query("DROP TABLE t")
        events = server.request("GET", "/api/v1/events").ok().json
        kinds = [(event["kind"], event["via"], event["principal"]) for event in events["events"]]
        equal(kinds, [("table.created", "sql", "root"), ("table.committed", "sql", "root"),
                      ("table.committed", "load", "root"), ("table.protected", "api", "root"),
                      ("table.protected", "api", "root"), ("table.dropped", "sql", "root")])
        check(all(e["peer"].startswith("127.0.0.1") and e["request_id"] for e in events["events"]), str(events))
        check(events["events"][1]["snapshot_id"].isdigit(), str(events["events"][1]))
        last = events["next"]
        equal(server.request("GET", f"/api/v1/events?after={last}").ok().json, {"events": [], "next": last})
        one = server.request("GET", "/api/v1/events?kind=table.committed&limit=1&after=0").ok().json
        equal(len(one["events"]), 1)
        equal(server.request("GET", "/api/v1/events?kind=tabel.committed").status, 400)
        equal(server.rows("SELECT kind, namespace, name, via FROM tarn.events ORDER BY id LIMIT 2"),
              [["table.created", "main", "t", "sql"], ["table.committed", "main", "t", "sql"]])
        equal(server.value("SELECT count(*) FROM tarn.events WHERE time > now() - INTERVAL 1 HOUR"), 6)
        # what each did
        created, first, loaded, protected, _, dropped = events["events"]
        equal(first["detail"], {"refs": ["main"], "operations": ["append"], "updates": ["add-snapshot", "set-snapshot-ref"]})
        equal(first["detail"], loaded["detail"])
        equal({e["uuid"] for e in events["events"]}, {created["uuid"]})
        equal(protected["metadata_location"], loaded["metadata_location"])
        equal(dropped["metadata_location"], loaded["metadata_location"])
        equal((dropped["detail"]["purge"], sorted(dropped["detail"])), (False, ["kept-until", "purge"]))
        check(dropped["detail"]["kept-until"] > dropped["time"], str(dropped))
        # a refused change has no event, and a table of that name comes first
        refused(lambda: server.query("DROP TABLE t"), "table_not_found")
        equal(server.request("GET", f"/api/v1/events?after={last}").ok().json["events"], [])
        server.query("CREATE TABLE events AS SELECT 5 AS mine")
        equal(server.value("SELECT mine FROM tarn.events"), 5)


@test
def events_of_commits_tell_what_was_done_and_where():
    with Server() as server:
        last = 0

        def told(*statements, kind="table.committed"):
            nonlocal last
            for statement in statements:
                server.query(statement)
            answer = server.request("GET", f"/api/v1/events?after={last}").ok().json
            last = answer["next"]
            return [e for e in answer["events"] if e["kind"] == kind]

        def detail(refs, operations, *updates):
            return {"refs": refs, "operations": operations, "updates": list(updates)}

        told("CREATE TABLE t (a BIGINT); INSERT INTO t VALUES (1)")
        main_id = server.value("SELECT snapshot_id FROM t.refs WHERE name = 'main'")
        (branch,) = told("ALTER TABLE t CREATE BRANCH b")
        equal((branch["detail"], branch["snapshot_id"]), (detail(["b"], [], "set-snapshot-ref"), main_id))
        (insert,) = told("INSERT INTO t.branch_b VALUES (2)")
        equal(insert["detail"], detail(["b"], ["append"], "add-snapshot", "set-snapshot-ref"))
        equal(insert["snapshot_id"], server.value("SELECT snapshot_id FROM t.refs WHERE name = 'b'"))
        check(insert["snapshot_id"] != main_id, "main's snapshot is told for the branch's")
        (delete,) = told("BEGIN; DELETE FROM t WHERE a = 1; INSERT INTO t VALUES (7); COMMIT")
        equal((delete["detail"]["refs"], "append" in delete["detail"]["operations"]), (["main"], True), str(delete))
        (column,) = told("ALTER TABLE t ADD COLUMN b INTEGER")
        equal(column["detail"], detail([], [], "add-schema", "set-current-schema"))
        equal(column["snapshot_id"], server.value("SELECT snapshot_id FROM t.refs WHERE name = 'main'"))
        (properties,) = told("ALTER TABLE t SET TBLPROPERTIES ('x' = 'y')")
        equal(properties["detail"], detail([], [], "set-properties"))
        (gone,) = told("ALTER TABLE t DROP BRANCH b")
        equal(gone["detail"]["refs"], ["b"])
        check("remove-snapshot-ref" in gone["detail"]["updates"], str(gone))
        requirements = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"x": "z"}}]}
        server.request("POST", "/iceberg/v1/tarn/namespaces/main/tables/t", requirements).ok()
        (rest,) = told()
        equal((rest["detail"], rest["via"]), (detail([], [], "set-properties"), "rest"))
        # renamed, back again: from where, to where
        (renamed,) = told("ALTER TABLE t RENAME TO u", kind="table.renamed")
        equal((renamed["name"], renamed["to_namespace"], renamed["to_name"]), ("t", "main", "u"))
        equal(renamed["metadata_location"], rest["metadata_location"])
        (back,) = told("DROP TABLE u; UNDROP TABLE u AS v", kind="table.undropped")
        equal((back["name"], back["to_name"], back["principal"]), ("u", "v", "root"))
        # what changes nothing has no event
        for _ in range(3):
            server.request("PUT", "/api/v1/namespaces/main/tables/v/protection").ok()
            server.request("PUT", "/api/v1/namespaces/main/protection").ok()
        equal(len(told(kind="table.protected")), 1)
        equal(server.request("GET", "/api/v1/events?kind=namespace.changed").ok().json["events"][0]["detail"],
              {"protected": True})
        equal(len(server.request("GET", "/api/v1/events?kind=namespace.changed").ok().json["events"]), 1)
        # views and namespaces: who
        told("CREATE VIEW w AS SELECT a FROM v; ALTER VIEW w RENAME TO w2; CREATE OR REPLACE VIEW w2 AS SELECT 1 AS a; "
             "DROP VIEW w2; CREATE SCHEMA s; DROP SCHEMA s")
        told_of = {e["kind"]: e for e in server.request("GET", "/api/v1/events?limit=1000").ok().json["events"]}
        for kind in ("view.created", "view.renamed", "view.committed", "view.dropped", "namespace.created",
                     "namespace.dropped", "namespace.changed"):
            equal((kind, told_of[kind].get("principal"), bool(told_of[kind].get("request_id"))), (kind, "root", True))
        equal(told_of["view.renamed"]["to_name"], "w2")


@test
def webhooks_miss_nothing_though_receiver_and_server_die():
    with Receiver(failures=3) as receiver:
        settings = {"catalog.webhooks": receiver.url, "catalog.webhook_secret": SECRET}
        with Server(settings=settings) as server:
            shown = server.request("GET", "/api/v1/config").ok().text
            check(SECRET not in shown, "the secret is shown")
            check("/hook" not in shown and "x=1" not in shown, shown)  # a path may be a password
            contains(shown, receiver.url.split("/hook")[0])
            server.query("CREATE TABLE t (a BIGINT)")
            wait_until(lambda: receiver.events, "the first event")
            equal(receiver.tries - len(receiver.events), 3)
            for round_ in range(3):
                stop = threading.Event()
                acknowledged = []

                def write():
                    while not stop.is_set():
                        try:
                            server.query("INSERT INTO t VALUES (1)")
                            acknowledged.append(1)
                        except (OSError, TarnError, ValueError, http.client.HTTPException):
                            return

                writer = threading.Thread(target=write)
                writer.start()
                wait_until(lambda: len(acknowledged) >= 5, "some inserts")
                receiver.failures = receiver.tries + round_  # it fails around the kill, too
                server.kill()
                stop.set()
                writer.join()
                server.start()
            last = server.request("GET", "/api/v1/events?limit=1000").ok().json
            wait_until(lambda: max(receiver.ids()) == last["next"], "the last event")
            told = receiver.ids()
            equal(sorted(set(told)), [event["id"] for event in last["events"]])
            first = [id_ for place, id_ in enumerate(told) if id_ not in told[:place]]
            equal(first, sorted(first))  # in order, apart from repeats
            commits = server.value("SELECT count(*) FROM t")
            equal(sum(event["kind"] == "table.committed" for event in last["events"]), commits)
            equal(receiver.wrong, [])
            event = receiver.events[0]
            equal((event["specversion"], event["type"], event["subject"]), ("1.0", "tarn.table.created", "main.t"))
            named = {(e["source"], e["id"]) for e in receiver.events}
            equal(len(named), len(set(told)))
            # a database that was rebuilt, and another server, begin to count again: source and id are others
            wait_until(lambda: server.metrics()["tarn_webhook_behind"] == 0, "the metric")
            equal(server.stop(), 0)
            del receiver.events[:]
            for name in ("tarn.db", "tarn.db-wal", "tarn.db-shm"):
                if os.path.exists(os.path.join(server.data, name)):
                    os.unlink(os.path.join(server.data, name))
            equal(server.run("recover", "--yes")[0], 0)
            server.start()
            server.query("CREATE TABLE u (a BIGINT)")
            with Server(settings=settings) as other:
                other.query("CREATE TABLE u (a BIGINT)")
                wait_until(lambda: len({e["source"] for e in receiver.events}) > 1, "both")
            fresh = {(e["source"], e["id"]) for e in receiver.events}
            equal(fresh & named, set())
            equal(len({source for source, _ in fresh | named}), 3)
            check(all(source.endswith("/tarn") for source, _ in fresh), str(fresh))
            wait_until(lambda: server.metrics()["tarn_webhook_behind"] == 0, "the metric")
            check(server.metrics()["tarn_webhook_sent_total"] > 0, "nothing was counted")
            equal(server.stop(), 0)


@test
def commands_do_the_same():
    with Server() as server:
        def run(*words):
            code, out, errors = server.run(*words)
            equal(code, 0, out + errors)
            return out + errors

        server.query("CREATE TABLE t AS SELECT 1 AS a")
        run("table", "protect", "t")
        run("namespace", "protect", "main")
        contains(run("table", "ls", "--output", "csv").splitlines()[1], ",true")
        shown = json.loads(run("table", "show", "t", "--output", "json"))
        equal((shown[0] if isinstance(shown, list) else shown)["protected"], True)
        check(any("protected" in line and "true" in line for line in run("table", "show", "t").splitlines()), "shown")
        check(any("protected" in line and "true" in line for line in run("namespace", "show", "main").splitlines()), "")
        equal(server.request("GET", "/api/v1/namespaces/main").ok().json["protected"], True)
        run("namespace", "unprotect", "main")
        equal(server.request("GET", "/api/v1/namespaces/main").ok().json["protected"], False)
        code, _, errors = server.run("table", "drop", "t", "--yes")
        equal(code, 4, errors)
        contains(errors, "protected")
        run("table", "unprotect", "t")
        equal(server.request("GET", "/api/v1/namespaces/main/tables/t").ok().json["protected"], False)
        run("table", "drop", "t", "--yes")
        contains(run("table", "ls", "--dropped", "--output", "csv"), "main,t,")
        contains(run("table", "undrop", "t", "--as", "u"), "main.u is back")
        equal(server.run("table", "undrop", "t")[0], 3)
        run("table", "drop", "u", "--purge", "--yes")
        equal(run("table", "ls", "--dropped", "--output", "json").strip(), "[]")
        run("catalog", "create", "lake", "s3://lake")
        contains(run("catalog", "ls", "--output", "csv"), "lake,s3://lake,false")
        run("namespace", "protect", "main")
        contains(run("namespace", "show", "main"), "main")
        run("namespace", "unprotect", "main")
        run("catalog", "drop", "lake")
        events = json.loads(run("catalog", "events", "--kind", "table.dropped", "--output", "json"))
        equal([event["name"] for event in events], ["t", "u"])


@test
def receivers_that_hang_redirect_or_fail_hold_up_themselves_alone():
    class Redirecting(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", good.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *ignored):
            pass

    with Receiver() as good, Receiver(failures=10**9) as bad, socket.create_server(("127.0.0.1", 0)) as hanging:
        moved = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
        threading.Thread(target=moved.serve_forever, daemon=True).start()
        urls = [good.url, bad.url, f"http://127.0.0.1:{hanging.getsockname()[1]}/",
                f"http://127.0.0.1:{moved.server_address[1]}/"] + [f"{good.url}&n={i}" for i in range(46)]
        settings = {"catalog.webhooks": ",".join(urls), "catalog.webhook_secret": SECRET}
        with Server(settings=settings) as server:
            server.query("CREATE TABLE t (a BIGINT)")
            for _ in range(4):
                server.query("INSERT INTO t VALUES (1)")
            wait_until(lambda: len(good.events) >= 47 * 5, "50 receivers, 47 of them good")
            equal(len(good.events), 47 * 5, "none of them by way of the redirect")
            wait_until(lambda: bad.tries >= 3, "it is tried again")
            equal(bad.events, [])
            wait_until(lambda: server.metrics()["tarn_webhook_failing"] >= 2, "they are counted")
            metrics = server.metrics()
            equal((metrics["tarn_webhook_behind"], metrics["tarn_webhook_sent_total"]), (5, 47 * 5))
            wait_until(lambda: server.metrics()["tarn_webhook_lag_seconds"] >= 1, "the oldest event grows old")
            bad.failures = 0
            wait_until(lambda: len(bad.events) == 5, "all of them, in order, once it works")
            equal(bad.ids(), sorted(bad.ids()))
            equal(server.stop(), 0)  # though one hangs
        moved.shutdown()
        moved.server_close()


@test
def properties_of_a_namespace_are_changed_by_sql_as_by_rest():
    with Server() as server:
        def properties():
            return server.request("GET", "/iceberg/v1/tarn/namespaces/a").ok().json["properties"]

        server.query("CREATE SCHEMA a WITH ('x' = '1')")
        server.query("ALTER SCHEMA a SET PROPERTIES ('owner' = 'me', 'x' = '2')")
        server.query("ALTER NAMESPACE tarn.a UNSET PROPERTIES ('x', 'none')")
        equal(properties(), {"owner": "me", "location": "s3://warehouse/a"})
        server.query("ALTER SCHEMA a SET LOCATION 's3://warehouse/elsewhere'")
        server.query("CREATE TABLE a.t (n BIGINT)")
        contains(server.request("GET", "/iceberg/v1/tarn/namespaces/a/tables/t").ok().json["metadata"]["location"],
                 "s3://warehouse/elsewhere/")
        server.query("ALTER SCHEMA IF EXISTS none SET PROPERTIES ('a' = 'b')")
        for words, statement in (("namespace_not_found", "ALTER SCHEMA none SET PROPERTIES ('a' = 'b')"),
                                 ("denied", "ALTER SCHEMA a SET LOCATION 's3://other/x'"),
                                 ("invalid", "ALTER SCHEMA a SET PROPERTIES ('a' = 'b', 'a' = 'c')"),
                                 ("syntax_error", "ALTER SCHEMA a SET PROPERTIES ()"),
                                 ("transaction_active", "BEGIN; ALTER SCHEMA a SET PROPERTIES ('a' = 'b'); COMMIT")):
            try:
                server.query(statement)
                raise Failed(f"{statement}: it worked")
            except TarnError as error:
                equal(error.code, words, statement)
        equal(properties(), {"owner": "me", "location": "s3://warehouse/elsewhere"})
        reader = server.make_principal("rita", "reader")
        equal(server.request("POST", "/api/v1/query", {"sql": "ALTER SCHEMA a SET PROPERTIES ('a' = 'b')"}, None, reader).status, 403)


@test
def a_receiver_is_left_alone_when_it_says_so():
    class Refusing(http.server.BaseHTTPRequestHandler):
        times = {429: [], 410: []}

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            code = int(self.path[1:])
            self.times[code].append(time.monotonic())
            self.send_response(code if len(self.times[code]) < 3 else 204)
            self.send_header("Retry-After", "2")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *ignored):
            pass

    refusing = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=refusing.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{refusing.server_address[1]}"
    with Server(settings={"catalog.webhooks": f"{base}/429,{base}/410"}) as server:
        server.query("CREATE TABLE t (a BIGINT)")
        wait_until(lambda: len(Refusing.times[429]) >= 3, "it is told in the end")
        first, second, third = Refusing.times[429][:3]
        check(second - first >= 2 and third - second >= 2, "it was asked too early")
        equal(len(Refusing.times[410]), 1, "it is gone")
        equal(server.metrics()["tarn_webhook_failing"], 1)
        server.restart()
        wait_until(lambda: len(Refusing.times[410]) >= 2, "the server started anew")
    refusing.shutdown()
    refusing.server_close()


@test
def webhooks_are_so_many_and_no_more():
    server = Server(start=False, settings={"catalog.webhooks": " ".join(f"http://127.0.0.1:1/{i}" for i in range(65))})
    with server:
        server.launch()
        equal(server.process.wait(20 * TIME_FACTOR), 2)
        contains(server.log_text(), "more than 64 URLs")


@test
def a_webhook_that_is_no_url_is_refused():
    server = Server(start=False, settings={"catalog.webhooks": "ftp://x"})
    with server:
        server.launch()
        equal(server.process.wait(20 * TIME_FACTOR), 2)
        contains(server.log_text(), "catalog.webhooks")


main()

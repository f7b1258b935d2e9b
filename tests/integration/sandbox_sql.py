#!/usr/bin/env python3
"""More than 150 attempts to reach files, the environment, the network, settings, other queries and other people's
data through SQL: each is refused by what the statement is or calls, and nothing and nobody is harmed."""
# timeout: 120
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import _sandbox  # noqa: E402
from tarn import check, equal, fails, main, test  # noqa: E402

TRAP = []


def trap():
    if not TRAP:
        TRAP.append(_sandbox.Trap())
    return TRAP[0]


def all_refused(text):
    wrong = []
    found = _sandbox.attempts(text)
    for sql in found:
        got, error = trap().attempt(sql)
        if error is None:
            wrong.append(f"answered: {sql}: {str(got)[:200]}")
        elif error.status >= 500:
            wrong.append(f"{error.status} {error.code}, so it was tried: {sql}: {error.message}")
        elif not error.message:
            wrong.append(f"no message: {sql}")
    trap().unharmed("all of them")
    check(not wrong, "\n    ".join([f"{len(wrong)} of {len(found)}:"] + wrong))


@test
def files_are_not_read():
    all_refused(_sandbox.READ)


@test
def files_are_not_written():
    all_refused(_sandbox.WRITE)


@test
def the_network_is_not_reached():
    all_refused(_sandbox.NETWORK)


@test
def settings_and_state_are_not_touched():
    all_refused(_sandbox.STATE)


@test
def others_are_not_seen():
    all_refused(_sandbox.OTHERS)


@test
def the_same_holds_for_every_door_and_kind_of_request():
    server = trap().server
    for sql in ("SELECT * FROM read_text('@secret')", "SELECT * FROM '@csv'", "COPY (SELECT 1) TO '@outside/x'"):
        text = trap().fill_in(sql)
        for path in ("/api/v1/query", "/query"):
            for form in ("json", "csv", "arrow", "parquet"):
                answer = server.request("POST", path, {"sql": text, "format": form})
                check(answer.status in (400, 403, 404, 405), f"{path} {form}: {answer.status}")
                check(_sandbox.CANARY.encode() not in answer.body, f"{path} {form}: the secret came out")
    # Parameters and names are values, never text of a statement.
    equal(server.rows("SELECT $1::VARCHAR", params=["' || (SELECT content FROM read_text('x')) || '"])[0][0],
          "' || (SELECT content FROM read_text('x')) || '")
    fails("table_not_found", server.query, 'SELECT * FROM "t; DROP TABLE t"')
    fails("namespace_not_found", server.query, "SELECT * FROM t", namespace="main; SELECT 1")
    trap().unharmed("doors")


@test
def ingest_takes_no_paths_and_no_functions():
    server = trap().server
    secret = trap().secret
    for table in ("../../etc/x", "a/b", "t; SELECT 1", "'x'"):
        answer = server.request("POST", "/ingest/" + table.replace("/", "%2F").replace(" ", "%20"), [{"a": 1}])
        if answer.status == 200:
            check(answer.json["table"].startswith("main."), answer.text)
            check(not os.path.exists("/etc/x"), "a file was made outside")
    answer = server.request("POST", "/ingest/cols?columns=" + "a:bigint)%20SELECT%20*%20FROM%20read_text('" + secret,
                            b"a\n1\n", {"Content-Type": "text/csv"})
    check(answer.status == 400, f"{answer.status} {answer.text}")
    for spec in ("read_text('" + secret + "')", "a); DROP TABLE t; --"):
        load = server.request("POST", "/api/v1/loads", {}).ok().json["id"]
        server.request("PUT", f"/api/v1/loads/{load}/files/0?name=" + secret, b"a\n1\n").ok()
        answer = server.request("POST", f"/api/v1/loads/{load}/commit", {"table": "spec", "partition_by": spec})
        check(answer.status in (400, 403), f"{answer.status} {answer.text}")
        check(_sandbox.CANARY not in answer.text, "the secret came out")
    trap().unharmed("ingest")


@test
def a_flood_of_attempts_leaves_the_server_as_it_was():
    metrics = trap().server.metrics()
    check(metrics["tarn_workers_died_total"] == 0, f"{metrics['tarn_workers_died_total']} workers died")
    count = sum(len(_sandbox.attempts(text)) for text in
                (_sandbox.READ, _sandbox.WRITE, _sandbox.NETWORK, _sandbox.STATE, _sandbox.OTHERS))
    print(f"{count} attempts")
    check(count >= 60, f"only {count} attempts")


main()

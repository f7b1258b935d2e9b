"""Sixteen sessions at once, each with a mix of short queries, prepared queries, inserts and transactions."""
import threading
import time

from bench_measure import Figure, quartiles

SESSIONS = 16


def work(server, number, rounds, took, failures):
    try:
        with server.client() as client:
            session = client.request("POST", "/api/v1/sessions", {}).ok().json["session"]
            client.query(f"CREATE TABLE mixed_{number} (i BIGINT, s VARCHAR); PREPARE one AS SELECT v FROM mixed_read WHERE id = $1",
                         session=session)
            statements = [f"SELECT {number}", f"EXECUTE one({number * 100})", "SELECT count(*), max(v) FROM mixed_read WHERE id < 500",
                          f"INSERT INTO mixed_{number} VALUES ({number + 1}, 'x')", f"SELECT count(*) FROM mixed_{number}",
                          f"BEGIN; INSERT INTO mixed_{number} VALUES (0, 'y'); DELETE FROM mixed_{number} WHERE i = 0; COMMIT"]
            for _ in range(rounds):
                for sql in statements:
                    begun = time.perf_counter()
                    client.query(sql, session=session)
                    took.append(time.perf_counter() - begun)
            if client.value(f"SELECT count(*) FROM mixed_{number}", session=session) != rounds:
                raise AssertionError("rows are lost or doubled")
            client.request("DELETE", f"/api/v1/sessions/{session}")
    except Exception as error:
        failures.append(error)


def measure(bench):
    rounds, took, failures = 3 if bench.quick else 10, [], []
    server = bench.server("sessions")
    server.query("CREATE TABLE mixed_read AS SELECT range AS id, range * 2 AS v FROM range(100000)")
    threads = [threading.Thread(target=work, args=(server, number, rounds, took, failures)) for number in range(SESSIONS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = time.perf_counter() - begun
    if failures:
        raise failures[0]
    low, middle, high = quartiles([t * 1000 for t in took])
    bench.add(Figure("sessions.rate", f"requests of {SESSIONS} sessions of mixed work", len(took) / total, unit="/s"))
    bench.add(Figure("sessions.latency", "one of them", middle, low, high, "ms"))
    bench.stop("sessions")

"""Start-up to ready on a warm data directory, and the memory of all processes at rest."""
import os
import signal
import subprocess
import time

import tarn
from bench_measure import Figure, Goal, quartiles


def start_once(data):
    """Seconds from exec to the READY line."""
    command = [tarn.BIN, "serve", "--data", data, "--http.listen", "127.0.0.1:0",
               "--s3.listen", "127.0.0.1:0"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=tarn.environment({}))
    took = None
    for line in process.stderr:
        if line.startswith(b"READY"):
            took = time.perf_counter() - begun
            break
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    process.wait()
    if took is None:
        raise RuntimeError("the server did not become ready")
    return took


def rollup_kib(pid, field):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        for text in file:
            if text.startswith(field + ":"):
                return int(text.split()[1])
    return 0


def memory_at_rest(server, field="Pss"):
    """MiB of the server and its workers, once the spare worker is ready and nothing changes any more."""
    deadline = time.monotonic() + 20
    before = None
    while time.monotonic() < deadline:
        pids = [server.pid, *server.workers()]
        total = sum(rollup_kib(pid, field) for pid in pids)
        if len(pids) > 1 and before is not None and abs(total - before) <= 64:
            return total / 1024, len(pids)
        before = total
        time.sleep(0.5)
    raise RuntimeError("the server's memory does not come to rest")


def measure(bench):
    data = os.path.join(bench.fresh_folder("servers/idle"), "data")
    start_once(data)  # makes the data directory
    took = [start_once(data) * 1000 for _ in range(bench.pairs * 2)]
    low, middle, high = quartiles(took)
    bench.add(Figure("start", "start-up to ready, median", middle, low, high, "ms", Goal(at_most=300), product=took))
    server = tarn.Server(data=data, name="idle")
    try:
        time.sleep(2)  # a worker gives back what it does not need half a second after its start
        fresh, processes = memory_at_rest(server)
        resident, _ = memory_at_rest(server, "Rss")
        server.rows("SELECT 1")
        time.sleep(1)
        used, _ = memory_at_rest(server)
    finally:
        server.close()
    bench.add(Figure("idle", f"PSS at rest, {processes} processes", fresh, unit="MiB", goal=Goal(at_most=80)))
    # Pages of the DuckDB library that another process maps too are only counted in part above, and wholly here.
    bench.add(Figure("idle.resident", "RSS at rest, summed over the processes", resident, unit="MiB"))
    bench.add(Figure("idle.used", "PSS at rest after a first query", used, unit="MiB"))
    bench.add(Figure("start.worst", "start-up to ready, slowest", max(took), unit="ms"))

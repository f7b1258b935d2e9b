"""Scans and aggregates over HTTP against DuckDB's read_parquet over the same files in this process."""
import json
import math

from bench_measure import Figure, Goal, check_same_rows, quartiles, take_turns, time_ratio

QUERIES = {
    "count": "SELECT count(*) FROM trips",
    "filter": "SELECT count(*), sum(total_amount) FROM trips WHERE trip_distance > 10 AND passenger_count = 2",
    "month": "SELECT count(*), avg(fare_amount) FROM trips "
             "WHERE tpep_pickup_datetime >= TIMESTAMP '2024-03-01' AND tpep_pickup_datetime < TIMESTAMP '2024-04-01'",
    "aggregates": "SELECT min(fare_amount), max(fare_amount), avg(tip_amount), sum(tolls_amount), "
                  "stddev_pop(trip_distance), count(DISTINCT PULocationID) FROM trips",
    "few_groups": "SELECT payment_type, count(*), sum(total_amount), avg(tip_amount) FROM trips GROUP BY 1 ORDER BY 1",
    "many_groups": "SELECT PULocationID, DOLocationID, count(*) AS n, sum(fare_amount) FROM trips "
                   "GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT 20",
    "by_hour": "SELECT date_trunc('hour', tpep_pickup_datetime) AS h, count(*), sum(total_amount) FROM trips "
               "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 24",
    "join": "SELECT z.payment_type, count(*) FROM trips t JOIN (SELECT PULocationID, payment_type, "
            "max(trip_distance) AS m FROM trips GROUP BY 1, 2) z ON t.PULocationID = z.PULocationID "
            "AND t.payment_type = z.payment_type WHERE t.trip_distance > 0.5 * z.m GROUP BY 1 ORDER BY 1",
    "window": "SELECT count(*), sum(gap) FROM (SELECT epoch(tpep_pickup_datetime - lag(tpep_pickup_datetime) OVER "
              "(PARTITION BY PULocationID ORDER BY tpep_pickup_datetime, total_amount)) AS gap FROM trips "
              "WHERE tpep_pickup_datetime >= TIMESTAMP '2024-06-01' AND "
              "tpep_pickup_datetime < TIMESTAMP '2024-07-01')",
    "top_n": "SELECT total_amount, trip_distance, tpep_pickup_datetime, PULocationID FROM trips "
             "ORDER BY total_amount DESC, trip_distance DESC, tpep_pickup_datetime LIMIT 10",
}


def baseline_rows(connection, sql):
    return [list(row) for row in connection.execute(sql).fetchall()]


def comparable(rows):
    """Times as text, which is what JSON has, and sums of integers as numbers."""
    def cell(value):
        if value is None or isinstance(value, (int, float)):
            return value
        text = str(value)
        try:
            return float(text)
        except ValueError:
            return text.replace("T", " ").rstrip("Z")
    return [[cell(value) for value in row] for row in rows]


def measure(bench):
    server, files = bench.scanned()
    connection = bench.connect()
    # The same files under the same name; a view costs nothing when a query runs.
    connection.execute("CREATE VIEW trips AS SELECT * FROM read_parquet([" + ", ".join(f"'{f}'" for f in files) + "])")
    command = "DuckDB, in process: SELECT … FROM read_parquet([the table's files])"
    ratios, products, baselines = [], [], []
    with server.client() as client:
        body = {name: json.dumps({"sql": sql}) for name, sql in QUERIES.items()}
        headers = {"Content-Type": "application/json"}
        for name, sql in QUERIES.items():
            check_same_rows(comparable(client.rows(sql)), comparable(baseline_rows(connection, sql)), name)
            product, baseline = take_turns(
                lambda name=name: client.request("POST", "/api/v1/query", body[name], headers).ok().body and None,
                lambda sql=sql: connection.execute(sql).fetchall() and None, bench.pairs)
            figure = time_ratio("scan." + name, f"scan, query {name}", product, baseline)
            bench.add(figure)
            ratios.append(figure)
            products.append(product)
            baselines.append(baseline)
    connection.close()
    add_summary(bench, ratios, products, baselines, command)


def add_summary(bench, figures, products, baselines, command):
    """Geometric mean over the queries, pair by pair; and the whole set's time."""
    means = []
    for pair in range(bench.pairs):
        logs = [math.log(p[pair] / b[pair]) for p, b in zip(products, baselines)]
        means.append(math.exp(sum(logs) / len(logs)))
    low, middle, high = quartiles(means)
    worst = max(figures, key=lambda f: f.value)
    sums = [sum(b[pair] for b in baselines) for pair in range(bench.pairs)]
    bench.add(Figure("scan", f"scans, geometric mean of {len(figures)} queries", middle, low, high, "× time",
                     Goal(at_most=1.10), sums, [sum(p[pair] for p in products) for pair in range(bench.pairs)],
                     [command], f"worst: {worst.name} {worst.value:.2f}"))
    total = [sum(p[pair] for p in products) / sums[pair] for pair in range(bench.pairs)]
    low, middle, high = quartiles(total)
    bench.add(Figure("scan.total", "scans, all queries together", middle, low, high, "× time"))

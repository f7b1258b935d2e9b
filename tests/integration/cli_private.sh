#!/usr/bin/env bash
# The private server: starts, is joined, ends; commands that start at once or come while it ends; what stands in
# the way is said.
# timeout: 150
: "${TARN_BIN:?}" "${TARN_SOURCE:?}"
. "$TARN_SOURCE/tests/integration/cli_lib.bash" || exit 1
cd "$work" || exit 1

private_is_gone() { # within a few seconds, on an idle machine
    for _ in $(seq 600); do
        [ -e "$1/run/tarn.sock" ] || return 0
        sleep 0.1
    done
    return 1
}
holder() { sed -n 's/^\([0-9]*\) .*/\1/p' "$1/lock"; }

# ---- start, join, end ----
run sql -c "select 1 as a" -o csv; expect_code 0; expect_out $'a\n1\n'
hold "$TARN_DATA"
first=$(holder "$TARN_DATA")
run sql -c "select 2 as a" -o csv; expect_code 0
expect_true "the second command joins the first one's server" test "$(holder "$TARN_DATA")" = "$first"
let_go; expect_code 130
expect_true "the private server ends by itself" private_is_gone "$TARN_DATA"
expect_true "its process is gone" bash -c "for i in \$(seq 600); do kill -0 $first 2>/dev/null || exit 0; sleep 0.1; done; exit 1"

# ---- many at once, on a fresh directory ----
pids=()
for i in 1 2 3 4 5 6; do
    "$tarn" --data "$work/crowd" sql -c "select $i as n" -o csv >"crowd.$i" 2>"crowd.err.$i" &
    pids+=($!)
done
for i in 1 2 3 4 5 6; do
    wait "${pids[$((i - 1))]}"; code=$? last="command $i of six" out=$(cat "crowd.$i") err=$(cat "crowd.err.$i")
    expect_code 0; expect_out "n
$i"; expect_silent
done

# ---- commands that come around the moment when it ends ----
for pause in 1.45 1.6 1.7 1.8 1.9; do
    run sql -c "select 3 as a" -o csv; expect_code 0
    sleep "$pause"
    run sql -c "select 4 as a" -o csv; expect_code 0; expect_out $'a\n4\n'; expect_silent
done

# ---- a real server takes over from a private one, and is found ----
run sql -c "create table t as select 5 as a"; expect_code 0
serve "$TARN_DATA"
expect_true "a server waits for a private one to end" test -n "$address"
run -v sql -c "select a from t" -o csv; expect_out $'a\n5\n'; expect_err_has "server http://$address"
run serve --http.listen 127.0.0.1:0 --s3.listen none; expect_code 7; expect_err_has "is in use by"
run recover --yes; expect_code 7; expect_err_has "is in use by"
run --data "$work/other" serve --http.listen "$address" --s3.listen none; expect_code 7; expect_err_has "http.listen"
TARN_KEY=$(cat "$TARN_DATA/secrets/root.key") run --data "$work/nothing" --server "$address" sql -c "select a from t" -o csv
expect_code 0; expect_out $'a\n5\n'
expect_true "a named server needs no data directory" test ! -e "$work/nothing"

# ---- Ctrl-C ends a query, on both sides ----
hold "$TARN_DATA"
let_go
expect_code 130
for _ in $(seq 600); do
    run query ls -o jsonl
    case "$out" in *'"state":"running"'*) sleep 0.1 ;; *) break ;; esac
done
expect_out_has '"state":"cancelled"'
kill "$server_pid"; wait "$server_pid"; code=$? last="tarn serve, SIGTERM"; expect_code 0
expect_true "server.json goes with the server" test ! -e "$TARN_DATA/run/server.json"

# ---- a server that was killed leaves server.json: commands are not fooled ----
serve "$TARN_DATA"
kill -9 "$server_pid"; wait "$server_pid" 2>/dev/null
run sql -c "select a from t" -o csv; expect_code 0; expect_out $'a\n5\n'

# ---- nor by a process that has its number, or its port, by now ----
private_is_gone "$TARN_DATA"
cat >stranger.py <<'P'
import http.server, sys
class Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("stranger.log", "a") as log:
            log.write(self.path + str(self.headers))
        self.send_response(200); self.send_header("Content-Length", "3"); self.end_headers(); self.wfile.write(b"ok\n")
    do_POST = do_GET
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
print(server.server_port, flush=True)
server.serve_forever()
P
python3 stranger.py >stranger.port &
stranger=$!; started+=("$stranger")
for _ in $(seq 600); do [ -s stranger.port ] && break; sleep 0.1; done
told='{"pid": '$stranger', "http": "127.0.0.1:'$(cat stranger.port)'", "instance": "5d9b4e1e-0000-4000-8000-000000000000"}'
echo "$told" >"$TARN_DATA/run/server.json"
run sql -c "select a from t" -o csv; expect_code 0; expect_out $'a\n5\n'
expect_true "the stranger was asked who it is" grep -q challenge stranger.log
expect_true "the stranger was not told the key" bash -c '! grep -qi authorization stranger.log'
kill "$stranger"

# ---- a private server with other settings is not joined ----
run --data "$work/two" sql -c "select * from range(5) t(a)" --query.rows_max 2 -o csv; expect_code 0; expect_out $'a\n0\n1\n'
run --data "$work/two" sql -c "select count(*) as n from (from range(5))" -c "select * from range(3) t(a)" -o csv
expect_code 0; expect_out $'n\n5\na\n0\n1\n2\n'
hold "$work/two"
run --data "$work/two" sql -c "select 1" --engine.threads 1; expect_code 7; expect_err_has "other settings"
let_go

# ---- a path longer than a socket address ----
long=$work/$(printf 'long%.0s' $(seq 30))/data
run --data "$long" sql -c "select 6 as a" -o csv; expect_code 0; expect_out $'a\n6\n'
hold "$long"
pid=$(holder "$long")
run --data "$long" sql -c "select 7 as a" -o csv; expect_code 0
expect_true "joined by its long path too" test "$(holder "$long")" = "$pid"
let_go; expect_code 130

# ---- what stands in the way reaches the user ----
run --data "$work/nolib" --engine.duckdb_library /nonexistent.so sql -c "select 1"
expect_code 7; expect_err_has "/nonexistent.so"; expect_err_has "hint: "
run --data "$work/nolib2" --engine.duckdb_library /nonexistent.so doctor -o csv; expect_code 6; expect_out_has "duckdb library,FAILED"
run --data "$work/bad" --log.level loud status; expect_code 2; expect_err_has "log.level"
private_is_gone "$work/crowd"
python3 - "$work/crowd/tarn.db" <<'P'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("update schema_versions set version = version + 1000")
db.commit()
P
run --data "$work/crowd" status; expect_code 1; expect_err_has "newer"
touch "$work/file"
for path in "$work/file" "$work/file/below/it"; do
    for words in status "serve --http.listen 127.0.0.1:0 --s3.listen none" "recover --yes" "sql -c select"; do
        run --data "$path" $words; expect_code 2; expect_err_has "$path"; expect_err_has "--data"
    done
done
if [ "$(id -u)" != 0 ]; then
    mkdir -m 500 "$work/closed"
    run --data "$work/closed/data" status; expect_code 4; expect_err_has "--data"
elif command -v setpriv >/dev/null; then
    mkdir -m 700 "$work/closed"
    cp "$tarn" "$work/program"; chmod 755 "$work" "$work/program"
    setpriv --reuid=65534 --regid=65534 --clear-groups "$work/program" --data "$work/closed/data" status >"$work/out" 2>"$work/err"
    code=$? last="status as nobody" out="" err=$(cat "$work/err")
    expect_code 4; expect_err_has "--data"
fi
finish

# What the scripts that test the command line share: an own folder, running a command, and expecting.
# A script sources this and ends with `finish`.
set -u

tarn=$TARN_BIN
[ -x "$tarn" ] || { echo "skipped: the program is not built"; exit 77; }
[ -e "$(dirname "$tarn")/libduckdb.so" ] || { echo "skipped: no DuckDB library"; exit 77; }
work=$(mktemp -d)
started=()
unset TARN_SERVER TARN_KEY TARN_KEY_FILE TARN_CONFIG NO_COLOR
export TARN_DATA=$work/data XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state TERM=dumb
failures=0 checks=0
out="" err="" code=0

clean_up() {
    local pid
    for pid in "${started[@]-}"; do
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
    # private servers end by themselves once nobody is connected; their folder goes when they are gone
    for _ in $(seq 600); do
        [ -z "$(ls "$work"/*/run/tarn.sock 2>/dev/null)" ] && break
        sleep 0.1
    done
    rm -rf "$work"
}
trap clean_up EXIT

# run ARGS…: sets out, err, code
run() {
    "$tarn" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    out=$(cat "$work/out"; echo x) out=${out%x}
    err=$(cat "$work/err")
    last="tarn $*"
}
fail() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n  %s\n  exit %s\n  out: %s\n  err: %s\n' "$1" "$last" "$code" "$out" "$err"
}
expect_code() { checks=$((checks + 1)); [ "$code" = "$1" ] || fail "exit code $1 expected"; }
expect_out() { checks=$((checks + 1)); [ "$out" = "$1" ] || fail "out expected: $1"; }
expect_out_has() { checks=$((checks + 1)); case "$out" in *"$1"*) ;; *) fail "out should have: $1" ;; esac; }
expect_err_has() { checks=$((checks + 1)); case "$err" in *"$1"*) ;; *) fail "err should have: $1" ;; esac; }
expect_silent() { checks=$((checks + 1)); [ -z "$err" ] || fail "nothing expected on stderr"; }
expect_true() { checks=$((checks + 1)); "${@:2}" || fail "$1"; }

# until_running DIR: waits until a query runs in the folder's server
until_running() {
    for _ in $(seq 600); do
        run --data "$1" query ls -o jsonl
        case "$out" in *'"state":"running"'*) return 0 ;; esac
        sleep 0.1
    done
    return 1
}
# hold DIR: a query that keeps the folder's server busy, private or not, until let_go
hold() {
    "$tarn" --data "$1" sql -c "select count(*) from range(1000000000000) t(a) where a * a % 7 = 99" >held.out 2>held.err &
    held=$!
    started+=("$held")
    expect_true "the query of $1 runs" until_running "$1"
}
let_go() { # sets code, out, err
    kill -INT "$held"
    wait "$held"; code=$? last="interrupted query" out=$(cat held.out) err=$(cat held.err)
}

# serve DIR ARGS…: a server on a free port; sets server_pid and address
serve() {
    local data=$1
    shift
    "$tarn" serve --data "$data" --http.listen 127.0.0.1:0 --s3.listen 127.0.0.1:0 "$@" 2>"$data.log" &
    server_pid=$!
    started+=("$server_pid")
    for _ in $(seq 1200); do
        grep -q '^READY' "$data.log" && break
        sleep 0.1
    done
    address=$(sed -n 's/^READY http=\([^ ]*\).*/\1/p' "$data.log")
}
finish() {
    echo "$checks checks, $failures failures"
    [ "$failures" = 0 ] || exit 1
}

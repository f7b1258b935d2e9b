#!/usr/bin/env bash
# The commands of README.md that can run without a person, as they stand there: only the port is another one,
# the demo's tables are made smaller, and programs that may be missing are left out.
# timeout: 120
set -euo pipefail

[ -e "$(dirname "$TARN_BIN")/libduckdb.so" ] || { echo "skipped: no DuckDB library"; exit 77; }
command -v curl >/dev/null || { echo "skipped: curl is missing"; exit 77; }
work=$(mktemp -d)
server=""
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    for _ in $(seq 600); do # private servers end by themselves once nobody is connected
        [ -e "$work/data/run/tarn.sock" ] || break
        sleep 0.1
    done
    rm -rf "$work"
}
trap clean_up EXIT
unset TARN_SERVER TARN_KEY TARN_KEY_FILE TARN_CONFIG
export HOME=$work/home TARN_DATA=$work/data XDG_CONFIG_HOME=$work/config
mkdir -p "$HOME" "$work/bin"
ln -s "$TARN_BIN" "$work/bin/tarn"
export PATH=$work/bin:$PATH
cd "$work"

# block WORDS: the sh block of the README that has these words in it
block() {
    awk -v words="$1" '/^```sh$/ { on = 1; text = ""; next }
        /^```$/ { if (on && index(text, words)) { printf "%s", text; found = 1 } on = 0; next }
        on { text = text $0 "\n" } END { exit !found }' "$TARN_SOURCE/README.md"
}
fail() { echo "readme: $*" >&2; exit 1; }
expect() { case "$2" in *"$1"*) ;; *) fail "$3: expected $1, got: $2" ;; esac }

tarn generate trips --rows 1000 --out trips.csv
tarn load trips trips.csv -q >/dev/null
printf 'id,name\n1,ada\n' >my.csv
printf 'id,name\n2,bob\n' >more.csv
printf 'id,name\n3,cyd\n' >people.csv

# What to type next, but for the line that sets the paths, the shell, and the server in the foreground
block 'tarn load main.mine' | sed -e '/^export PATH/d' -e '/^tarn sql  /d' -e '/^tarn serve/d' >next.sh
[ "$(grep -c '^tarn' next.sh)" = 4 ] || fail "the block of commands has changed: $(cat next.sh)"
out=$(bash -eu next.sh)
expect "1000" "$out" "count of trips"
expect "rows_written" "$out" "load"
expect "trips" "$out" "table ls"
expect "committed_at" "$out" "snapshots"
expect "2" "$(tarn sql -c 'select count(*) from mine')" "both files"

# Over HTTP
tarn serve --http.listen 127.0.0.1:0 --s3.listen none 2>serve.log &
server=$!
for _ in $(seq 1200); do
    grep -q '^READY' serve.log && break
    sleep 0.1
done
address=$(sed -n 's/^READY http=\([^ ]*\).*/\1/p' serve.log)
[ -n "$address" ] || fail "no server: $(cat serve.log)"
block 'secrets/root.key' | sed "s/127\.0\.0\.1:8181/$address/g; s/^curl/curl -sS/" >http.sh
[ "$(grep -c '^curl' http.sh)" = 3 ] || fail "the block of HTTP has changed: $(cat http.sh)"
out=$(bash -eu http.sh)
expect '"rows":[[42]]' "$out" "query"
expect '"rows_written":1' "$out" "ingest"
expect '[{"id":3,"name":"cyd"}]' "$out" "small query"
block '/iceberg/v1/' | grep '^curl' | sed "s/127\.0\.0\.1:8181/$address/g; s/^curl/curl -sS/" >catalog.sh
expect '{"namespace":["main"],"name":"trips"}' "$(KEY=$(cat "$TARN_DATA/secrets/root.key") bash -eu catalog.sh)" "REST catalog"
kill "$server"
wait "$server" || fail "the server ended with $?"
server=""

# Tables in a plain folder
block 'TARN_WAREHOUSE_ROOTS' | sed -e '/^python3/,$d' >folder.sh
[ "$(grep -c '^tarn' folder.sh)" = 2 ] || fail "the block of folders has changed: $(cat folder.sh)"
bash -eu folder.sh
[ -e "$HOME/lake/t/metadata/version-hint.text" ] || fail "no version-hint.text in $(find "$HOME/lake")"
export TARN_WAREHOUSE_ROOTS=$HOME/lake
expect "1" "$(tarn sql -c 'select id from t')" "rows of the folder's table"
echo "README.md: its commands do what it says"

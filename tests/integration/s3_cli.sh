#!/usr/bin/env bash
# timeout: 120
# Claims about `tarn s3`: with a private server and with a running one, files and objects are copied, listed, synchronised
# and deleted, byte for byte; what cannot be done is said with the exit code of its kind.
set -euo pipefail
TARN=${TARN_BIN:?}
DIR=$(mktemp -d "${TMPDIR:-/tmp}/tarn-s3-cli.XXXXXX")
SERVER=
finish() {
    code=$?
    trap - EXIT
    if [ -n "$SERVER" ]; then kill "$SERVER" 2>/dev/null || true; wait "$SERVER" 2>/dev/null || true; fi
    rm -rf "$DIR"
    exit $code
}
trap finish EXIT
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION \
    TARN_S3_ENDPOINT TARN_SERVER || true
export TARN_DATA=$DIR/lake
cd "$DIR"

fail() { echo "FAIL: $*" >&2; exit 1; }
s3() { "$TARN" s3 "$@" 2>>err.txt; }
same() { [ "$1" = "$2" ] || fail "$3: \"$1\" is not \"$2\""; }
refuses() { # exit code, words
    local wanted=$1 code=0
    shift
    "$TARN" s3 "$@" >out.txt 2>err.txt || code=$?
    same "$code" "$wanted" "exit code of s3 $*: $(cat err.txt)"
}

mkdir -p files/sub/deep
printf 'hello\n' >files/a.txt
: >files/empty
printf 'x' >"files/sub/sp ace+ü%&=?.csv"
head -c 20000003 /dev/urandom >files/sub/deep/large.bin

everything() {
    s3 mb s3://box
    same "$(s3 ls | tail -n +2 | cut -f2)" "box" "buckets"

    # one file, its own name, another name, a pipe
    s3 cp files/a.txt s3://box/
    s3 cp files/a.txt s3://box/b.txt
    same "$(s3 cp s3://box/a.txt -)" "hello" "an object on stdout"
    s3 cp - s3://box/piped <files/sub/deep/large.bin
    s3 cp s3://box/piped - | cmp - files/sub/deep/large.bin || fail "a pipe changed the bytes"
    s3 cp s3://box/a.txt got/here/
    cmp got/here/a.txt files/a.txt
    same "$(s3 stat s3://box/a.txt | grep content-type)" "content-type	text/plain" "the type"
    s3 stat s3://box/piped | grep -q '^x-amz-checksum-type	FULL_OBJECT$' || fail "no checksum of the whole"

    # folders there and back
    s3 cp --recursive files s3://box/dir
    rm -rf back && s3 cp --recursive s3://box/dir back
    diff -r files back || fail "a folder came back changed"
    same "$(s3 ls s3://box/dir/ | tail -n +2 | cut -f3 | tr '\n' ' ')" "sub/ a.txt empty " "one level"
    same "$(s3 ls --recursive s3://box/dir | tail -n +2 | wc -l)" 4 "all levels"
    same "$(s3 du -o jsonl s3://box/dir)" '{"objects":4,"size":20000010,"name":"s3://box/dir"}' "du"
    rm -rf some && s3 cp --recursive s3://box/dir some --exclude '*' --include '*.txt'
    same "$(find some -type f)" "some/a.txt" "exclude and include"

    # within the server
    s3 cp --recursive s3://box/dir s3://box/twin
    s3 mv s3://box/piped s3://box/moved
    refuses 3 cp s3://box/piped nowhere
    [ ! -e nowhere ] || fail "a failed download left a file"
    same "$(find . -name '*.part' | wc -l)" 0 "parts of files"
    same "$(s3 ls --recursive s3://box | tail -n +2 | wc -l)" 11 "objects after copies"

    # sync
    same "$(s3 sync -o jsonl back s3://box/dir --size-only)" \
        '{"operation":"upload","objects":0,"bytes":0,"deleted":0}' "nothing to synchronise"
    printf 'new' >back/new && rm back/empty && printf 'longer\n' >back/a.txt
    "$TARN" s3 sync back s3://box/dir --delete --dry-run 2>err.txt
    grep -q 'would upload back/new to s3://box/dir/new' err.txt || fail "dry run: $(cat err.txt)"
    grep -q 'would delete dir/empty' err.txt || fail "dry run: $(cat err.txt)"
    same "$(s3 sync -o jsonl back s3://box/dir --size-only --delete)" \
        '{"operation":"upload","objects":2,"bytes":10,"deleted":1}' "sync"
    rm -rf third && s3 sync s3://box/dir third && diff -r back third || fail "sync changed the bytes"

    # signed URLs
    "$TARN" s3 presign s3://box/a.txt --expires-in 60 | grep -q '/box/a.txt?X-Amz-Algorithm=' || fail presign
    refuses 1 presign s3://box/a.txt --expires-in 604801

    # deleting
    s3 rm s3://box/b.txt
    refuses 2 rm s3://box
    s3 rm --recursive -y s3://box/twin
    same "$(s3 ls --recursive s3://box/twin | tail -n +2)" "" "what is left"
    refuses 5 rb s3://box
    s3 rb --force -y s3://box
    same "$(s3 ls | tail -n +2)" "" "buckets at the end"
}

# what is wrong with the words alone
refuses 2 cp files/a.txt elsewhere
refuses 2 ls files
refuses 2 mb s3://
refuses 2 mb s3://box/key
refuses 2 cp files s3://box
refuses 3 ls s3://not-there

echo "a private server"
everything

echo "a running server"
"$TARN" serve --http.listen=127.0.0.1:0 --s3.listen=127.0.0.1:0 2>serve.txt &
SERVER=$!
for _ in $(seq 600); do
    grep -q '^READY ' serve.txt && break
    kill -0 "$SERVER" 2>/dev/null || fail "the server ended: $(cat serve.txt)"
    sleep 0.1
done
everything

# the door by name, with keys of the environment
DOOR=$(sed -n 's/^READY .*s3=\([^ ]*\) .*/\1/p' serve.txt)
{ read -r key; read -r secret; } <"$TARN_DATA/secrets/root.s3" || true
export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY=$secret
TARN_DATA=$DIR/elsewhere "$TARN" s3 mb s3://named --s3-endpoint "$DOOR"
url=$(s3 presign s3://named/k --method PUT)
curl -sf -T files/a.txt "$url" || fail "a signed PUT was refused"
curl -sf "$(s3 presign s3://named/k)" | cmp - files/a.txt || fail "a signed GET was refused"
export AWS_SECRET_ACCESS_KEY=wrong
refuses 4 ls
grep -q SignatureDoesNotMatch err.txt || fail "wrong secret: $(cat err.txt)"
export AWS_ACCESS_KEY_ID=nobody
refuses 4 ls
grep -q 'AWS_ACCESS_KEY_ID in the environment' err.txt || fail "unknown key: $(cat err.txt)"
echo ok

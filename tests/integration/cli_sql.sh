#!/usr/bin/env bash
# The command line against real data: every output format, scripts, parameters, loads, lists, exit codes.
# timeout: 180
: "${TARN_BIN:?}" "${TARN_SOURCE:?}"
. "$TARN_SOURCE/tests/integration/cli_lib.bash" || exit 1
cd "$work" || exit 1

# ---- formats ----
query="select 1 as a, null as b, 'x\"y,' || chr(10) as c, '' as e, 9007199254740993 as big"
run sql -c "$query" -o csv; expect_code 0; expect_silent
expect_out $'a,b,c,e,big\n1,,"x""y,\n","",9007199254740993\n'
run sql -c "$query"; expect_out $'a\tb\tc\te\tbig\n1\t\tx"y,\\n\t""\t9007199254740993\n'
run sql -c "$query" -o json; expect_out $'[{"a":1,"b":null,"c":"x\\"y,\\n","e":"","big":"9007199254740993"}]\n'
run sql -c "$query" -o jsonl; expect_out $'{"a":1,"b":null,"c":"x\\"y,\\n","e":"","big":"9007199254740993"}\n'
run sql -c "select 1 as a, 'b' as text" -o table; expect_out $'a  text\n-  ----\n1  b\n'
run sql -c "select 1 as a" -o box; expect_out $'┌───┐\n│ a │\n├───┤\n│ 1 │\n└───┘\n'
run sql -c "select 1 as a" -o md; expect_out $'|   a |\n|----:|\n|   1 |\n'
"$tarn" sql -c "select 1 as a" -o parquet >p.parquet
expect_true "Parquet begins and ends with its mark" test "$(head -c 4 p.parquet)$(tail -c 4 p.parquet)" = PAR1PAR1
"$tarn" sql -c "select 1 as a" -o arrow >a.arrow
expect_true "an Arrow stream begins with its mark" test "$(head -c 4 a.arrow | od -An -tx1 | tr -d ' ')" = ffffffff

# ---- scripts ----
printf 'create table t (i int, s varchar);\n-- a comment; with a mark\ninsert into t values (1, %s);\nselect * from t;\n' "'a;b'" >s.sql
run sql -f s.sql -o csv; expect_code 0; expect_out $'i,s\n1,a;b\n'
run sql -c "select 1 as a; select 2 as a" -c "select 3 as a" -o csv; expect_out $'a\n1\na\n2\na\n3\n'
run sql -c "select 1 as a; select nope; select 3 as a" -o csv; expect_code 1; expect_out $'a\n1\n'
printf 'select 1 as a;\n\nselect\n  nope from t;\n' >bad.sql
run sql -f bad.sql; expect_code 1; expect_err_has "bad.sql:4: "; expect_err_has $'  nope from t\n    ^'
echo "select 7 as seven" | "$tarn" sql -o csv >stdin.out
expect_true "SQL is read from stdin" test "$(cat stdin.out)" = $'seven\n7'
echo "select 7 as seven" | "$tarn" sql -c "select 6 as six" - -o csv >stdin.out
expect_true "SQL is read from stdin where - says so" test "$(cat stdin.out)" = $'six\n6\nseven\n7'
run sql "select 1"; expect_code 2; expect_err_has "given with -c"; expect_out ""
run sql -c 'select $n + 1 as n, $t as t, $z as z' --param n=41 --param t=x --param "z='5'" -o csv
expect_out $'n,t,z\n42,x,5\n'

# ---- errors and exit codes ----
run sql -c "select * from tt"; expect_code 3; expect_err_has 'Did you mean "t"'; expect_err_has "^"; expect_out ""
run sql -c "selct 1" -o json; expect_code 1; expect_err_has "tarn: syntax error"; expect_out ""
run sql -c "create table t (i int)"; expect_code 5
run sql -n nowhere -c "select * from t"; expect_code 3
run lod; expect_code 2; expect_err_has 'Did you mean "load"'
run sql --cmmand x; expect_code 2; expect_err_has 'Did you mean "--command"'
run --server http://127.0.0.1:1 status; expect_code 7; expect_err_has "nobody answers"
run --key-file /nonexistent/key status; expect_code 3

late="select cast(case when a = 3000000 then 'x' else '1' end as int) as v from range(4000000) t(a)"
for format in csv table; do
    run sql -c "$late" -o "$format" && true; out=""
    expect_code 1; expect_err_has "failed after its first rows"; expect_err_has "'x'"
done

# ---- loads ----
printf 'a,b\n1,2\n3,4\n' >one.csv
printf 'a,b\n5,6\n' >two.csv
run load c one.csv two.csv -o jsonl; expect_code 0; expect_out_has '"rows_written":3'
run sql -c "select sum(a) as a, sum(b) as b, count(*) as n from c" -o csv; expect_out $'a,b,n\n9,12,3\n'
run table history c -o csv; expect_true "two files are one commit" test "$(wc -l <"$work/out")" = 2
cat one.csv | "$tarn" load c - --format csv -q >/dev/null
run sql -c "select count(*) as n from c" -o csv; expect_out $'n\n5\n'
printf 'a,b\n1,2\n3\n' >short.csv
run load fresh short.csv; expect_code 1; expect_err_has "short.csv"; expect_err_has "line 3"
run table show fresh; expect_code 3
"$tarn" generate trips --rows 5000 --out t.parquet -q
head -c 20000 t.parquet >cut.parquet
run load fresh cut.parquet; expect_code 8; expect_err_has "cut.parquet"
run load fresh t.parquet --no-create; expect_code 3
run load fresh missing.csv; expect_code 3; expect_err_has "missing.csv"
run load fresh "$work"; expect_code 1; expect_err_has "is a folder"
run load c one.csv --dry-run; expect_code 0; expect_out ""
run sql -c "select count(*) as n from c" -o csv; expect_out $'n\n5\n'
run load trips t.parquet --partition-by 'month(tpep_pickup_datetime)' -q; expect_code 0; expect_silent
run table files trips -o jsonl; expect_out_has '"rows":5000'
run sql -c "explain select * from trips" -o table; expect_out_has "1 file considered"

# ---- lists ----
run table ls -o csv; expect_out_has "main,trips,5000,1"
run table show trips -o json; expect_out_has '"name":"Airport_fee"'
run namespace create extra; expect_code 0
run namespace ls -o csv; expect_out_has $'\nextra,'
run namespace drop extra; expect_code 0
run table drop c; expect_code 2; expect_err_has "--yes"
run table drop c --dry-run; expect_code 0; expect_err_has "would drop"
run table drop c --yes; expect_code 0
run table show c; expect_code 3
run user create reader1 --role reader -o json; expect_code 0
key=$(printf %s "$out" | sed 's/.*"key":"\([^"]*\)".*/\1/')
TARN_KEY=$key run sql -c "select count(*) as n from trips" -o csv; expect_out $'n\n5000\n'
TARN_KEY=$key run table drop trips --yes; expect_code 4
TARN_KEY=wrong run status; expect_code 4
run user drop reader1 --yes; expect_code 0
run config show --origin -o csv --query.timeout 5m; expect_out_has "query.timeout,5m,flag --query.timeout"
run status -o json; expect_out_has '"tables":2'

# ---- a reader that leaves ----
"$tarn" sql -c "select * from range(50000000)" -o csv 2>"$work/err" | head -2 >/dev/null
expect_true "a closed pipe ends quietly" test "${PIPESTATUS[0]}" = 0 -a ! -s "$work/err"

# ---- sample data ----
run generate trips --rows 10; expect_true "ten rows and a header" test "$(wc -l <"$work/out")" = 11
run generate trips --rows 24 --months 12 --out months --format csv; expect_code 0
expect_true "twelve files" test "$(ls months | wc -l)" = 12 -a -e months/yellow_tripdata_2024-12.csv
run generate trips --rows many; expect_code 2
run generate trips --rows 10 --start 2024-13-01; expect_code 2

# ---- scripts with commands of the shell ----
cat >"$work/script.sql" <<'END'
CREATE TABLE listed (id INT,
    name VARCHAR);
INSERT INTO listed VALUES (1, '
\x'), (2, 'b');
CREATE VIEW seen AS SELECT id FROM listed;
\dv
\pset format csv
SELECT count(*) AS n FROM seen;
\echo done
SELECT nope FROM listed;
SELECT 'not reached' AS x;
END
run sql -f "$work/script.sql"; expect_code 1; expect_out_has "seen"; expect_out_has $'n\n2\ndone'
expect_err_has "script.sql:10: column \"nope\" does not exist"
expect_true "a script ends at its first error" bash -c "! grep -q reached '$work/out'"
printf 'SELECT 1 AS one;\n\\q\nSELECT 2 AS two;\n' >"$work/quits.sql"
run sql -f "$work/quits.sql"; expect_code 0; expect_out $'one\n1\n'
printf '\\nothing\n' >"$work/wrong.sql"
run sql -f "$work/wrong.sql"; expect_code 2; expect_err_has "wrong.sql:1:"
run sql -c "DROP VIEW seen; DROP TABLE listed"; expect_code 0

# ---- a backup, put back ----
run backup "$work/backup"; expect_code 0
run restore "$work/backup" --data "$work/restored"; expect_code 0
run sql -c "select count(*) as n from trips" -o csv --data "$work/restored"; expect_out $'n\n5000\n'
run restore "$work/backup" --data "$work/restored"; expect_code 5

# ---- help ----
run help; expect_code 0; expect_out_has "tarn load trips trips.csv"
run load --help; expect_code 0; expect_out_has "--partition-by SPEC"
run help nothing; expect_code 2
run; expect_code 0
run completion bash; expect_code 0
expect_true "bash reads its completion" bash -n "$work/out"
expect_true "bash completes a command's options" bash -c '
    source "$1"; COMP_WORDS=(tarn load --par); COMP_CWORD=2; _tarn; [ "${COMPREPLY[*]}" = --partition-by ]' _ "$work/out"
expect_true "bash completes the second word of a group" bash -c '
    source "$1"; COMP_WORDS=(tarn table hi); COMP_CWORD=2; _tarn; [ "${COMPREPLY[*]}" = history ]' _ "$work/out"
run status; run table ls --complete; expect_out_has "trips"
run table ls --complete --data "$work/none"; expect_code 0; expect_out ""
expect_true "a Tab starts no server" test ! -e "$work/none"
finish

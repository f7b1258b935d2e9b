#!/usr/bin/env bash
# tests/support/test.h fails what has to fail: a wrong status, a wrong text, a missing golden; it says
# what was expected, counts a skip as a skip, and leaves no directory behind.
# without: sanitizers
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
failures=0

cat >"$work/claims.c" <<'END'
#include "support/test.h"

static void test_right(void **state)
{
    fixture *f = *state;

    EXPECT_STATUS(NO_TABLE, error_set(&f->err, STATUS_NO_TABLE, "no table \"%s\"", "t"));
    EXPECT_MESSAGE(f, "no table \"t\"");
    EXPECT_OK(STATUS_OK);
    EXPECT_STR(test_read_file(f, test_write_file(f, "a", QUOTED(f, "{'a'}"))), "{\"a\"}");
}
static void test_wrong_status(void **state)
{
    fixture *f = *state;

    EXPECT_OK(error_set(&f->err, STATUS_CORRUPT, "file \"%s\" is broken", "f"));
}
static void test_wrong_text(void **state)
{
    (void)state;
    EXPECT_STR(STR("ab"), "abc");
}
static void test_no_golden(void **state)
{
    (void)GOLDEN((fixture *)*state, "there/is/none");
}
static void test_skipped(void **state)
{
    (void)state;
    SKIP("not on a Tuesday");
}
TESTS(test_right, test_wrong_status, test_wrong_text, test_no_golden,
      test_skipped)
END
# shellcheck disable=SC2046
${CC:-gcc} -std=c17 -D_GNU_SOURCE -I"$TARN_SOURCE/tests" -I"$TARN_SOURCE/src/base/include" "$work/claims.c" \
    "$(find "$TARN_BUILD" -name 'libtarn_test_support.a')" $(find "$TARN_BUILD" -name 'libtarn_base.*' -type f) \
    $(pkg-config --libs cmocka) -lm -lpthread -Wl,-rpath,"$TARN_BUILD/src/base" -o "$work/claims"

# expect NAME CODE TEXT: the test of this name ends with the code and says the text.
expect() {
    local code=0
    "$work/claims" "$1" >"$work/out" 2>&1 || code=$?
    if [ "$code" = "$2" ] && grep -qF -- "$3" "$work/out"; then
        echo "ok: $1 ends with $2"
    else
        echo "not ok: $1 ended with $code, expected $2 and: $3"
        cat "$work/out"
        failures=$((failures + 1))
    fi
}

expect test_right 0 'PASSED'
expect test_wrong_status 1 'expected OK, got CORRUPT: file "f" is broken'
expect test_wrong_text 1 'expected "abc" (3 bytes)'
expect test_no_golden 1 'there/is/none'
expect test_skipped 77 'skipped: not on a Tuesday'
if [ -n "$(ls "$TMPDIR")" ]; then
    echo "not ok: left behind: $(ls "$TMPDIR")"
    failures=$((failures + 1))
fi
[ "$failures" = 0 ]

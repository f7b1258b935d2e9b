#!/usr/bin/env bash
# The build refuses what the layers forbid: a header of a module that is not on the DEPENDS line does
# not compile, and a prototype written by hand in its place does not link in the shared build.
# timeout: 120
# without: sanitizers
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# A project of three modules that uses tarn's own module.cmake.
mkdir -p "$work"/src/{low,mid,high}/include/tarn "$work/cmake"
cp "$TARN_SOURCE"/cmake/module.cmake "$work/cmake/"
cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(layers LANGUAGES C)
option(BUILD_SHARED_LIBS "" OFF)
find_package(Threads REQUIRED)
add_custom_target(tarn_version)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(BUILD_SHARED_LIBS)
    add_link_options(-Wl,-z,defs)
endif()
include(cmake/module.cmake)
tarn_module(NAME low)
tarn_module(NAME mid DEPENDS low)
tarn_module(NAME high DEPENDS mid)
END
for module in low mid high; do
    mkdir -p "$work/src/$module/include/tarn/$module"
    echo "int $module(void);" >"$work/src/$module/include/tarn/$module/$module.h"
    echo "int $module(void); int $module(void) { return 1; }" >"$work/src/$module/$module.c"
done

# try NAME good|bad SHARED TEXT…: builds with src/high/try.c holding the text.
try() {
    local name=$1 wanted=$2 shared=$3 got=good
    printf '%s\n' "$4" >"$work/src/high/try.c"
    if ! { cmake -G Ninja -S "$work" -B "$work/build-$shared" -DBUILD_SHARED_LIBS="$shared" &&
        cmake --build "$work/build-$shared"; } >"$work/log" 2>&1; then
        got=bad
    fi
    if [ "$got" = "$wanted" ]; then
        echo "ok: $name"
    else
        echo "not ok: $name: expected $wanted, got $got"
        tail -20 "$work/log"
        failures=$((failures + 1))
    fi
}

try "a module on the DEPENDS line may be included" good OFF \
    '#include "tarn/mid/mid.h"
int use(void); int use(void) { return mid(); }'
try "a module that only a dependency uses may not" bad OFF \
    '#include "tarn/low/low.h"
int use(void); int use(void) { return low(); }'
try "a prototype written by hand passes the static build" good OFF \
    'int low(void); int use(void); int use(void) { return low(); }'
try "and fails the shared build" bad ON \
    'int low(void); int use(void); int use(void) { return low(); }'
try "which links what the DEPENDS lines allow" good ON \
    '#include "tarn/mid/mid.h"
int use(void); int use(void) { return mid(); }'

[ "$failures" = 0 ]

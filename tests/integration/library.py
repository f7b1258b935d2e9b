#!/usr/bin/env python3
"""The Iceberg library without a server: it installs alone, pkg-config knows it, the example builds against what is
installed and plans scans of tables that tarn and others wrote."""
# timeout: 300
# without: sanitizers
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from tarn import BIN, Server, Skipped, check, contains, equal, main, test  # noqa: E402

BUILD = os.path.dirname(os.path.realpath(BIN))
WORK = tempfile.mkdtemp(prefix="tarn-library-")
PREFIX = os.path.join(WORK, "prefix")


def run(*command, expected=0, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    equal(done.returncode, expected, f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout + done.stderr


def newest_metadata(folder):
    return max(glob.glob(folder + "/metadata/*.metadata.json"))


def example():
    """The example, built as its first lines say, from what is installed and nothing else."""
    program = os.path.join(WORK, "plan_scan")
    if not os.path.exists(program):
        if not os.path.exists(os.path.join(BUILD, "CMakeCache.txt")):
            raise Skipped("the measured program lies in no build folder")
        run("cmake", "--build", BUILD, "--target", "tarn-iceberg")
        run("cmake", "--install", BUILD, "--prefix", PREFIX, "--component", "iceberg")
        source = os.path.join(PREFIX, "share/doc/tarn-iceberg/examples/plan_scan/plan_scan.c")
        found = {**os.environ, "PKG_CONFIG_PATH": os.path.join(PREFIX, "lib/pkgconfig")}
        flags = run("pkg-config", "--cflags", "--libs", "tarn-iceberg", env=found).split()
        run("cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-o", program, source, *flags)
    return program


def plan(*arguments, expected=0):
    return run(example(), *arguments, expected=expected)


@test
def the_library_installs_without_the_server():
    example()
    check(os.path.exists(os.path.join(PREFIX, "lib/libtarn-iceberg.a")), "the archive")
    check(not os.path.exists(os.path.join(PREFIX, "bin")), "no program")
    check(os.path.exists(os.path.join(PREFIX, "include/tarn-iceberg/tarn/iceberg/scan.h")), "headers")
    check(not os.path.exists(os.path.join(PREFIX, "include/tarn-iceberg/tarn/engine")), "of nothing else")


@test
def every_installed_header_compiles_by_itself():
    example()
    include = os.path.join(PREFIX, "include/tarn-iceberg")
    headers = sorted(glob.glob(include + "/tarn/*/*.h"))
    check(len(headers) > 30, f"{len(headers)} headers")
    text = "".join(f'#include "{os.path.relpath(header, include)}"\n' for header in headers)
    run("cc", "-std=c17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I" + include, "-x", "c", "-", input=text)


@test
def the_example_plans_what_tarn_wrote():
    folder = os.path.realpath(os.path.join(WORK, "lake"))
    os.mkdir(folder)
    with Server(settings={"warehouse.roots": folder}) as server:
        server.rows(f"CREATE TABLE t (id BIGINT, day DATE) PARTITIONED BY (day) WITH (location = 'file://{folder}/t')")
        for day in (1, 2, 3):
            server.rows(f"INSERT INTO t SELECT {day * 100} + range, DATE '2026-11-0{day}' FROM range(10)")
    told = plan(newest_metadata(folder + "/t"))
    contains(told, "3 of 3 files, 30 of 30 rows; 3 of 3 manifests read; 0 delete files")
    told = plan(newest_metadata(folder + "/t"), "day", "=", "2026-11-02")
    contains(told, "10 rows, all of them wanted")
    contains(told, "1 of 3 files, 10 of 30 rows; 1 of 3 manifests read")
    told = plan(newest_metadata(folder + "/t"), "id", ">=", "305")
    contains(told, "by bounds of id")
    contains(told, "1 of 3 files")
    check("wanted" not in told, "half of that file is not wanted")
    shutil.move(folder + "/t", folder + "/moved")
    contains(plan(newest_metadata(folder + "/moved"), "id", "<", "200"), "1 of 3 files")
    contains(plan(newest_metadata(folder + "/moved"), "size", "<", "200", expected=1), 'no column "size"')


@test
def the_example_plans_what_others_wrote():
    shared = os.environ.get("TARN_SHARED_DATA", "")
    table = os.path.join(shared, "iceberg-tables/partition_binary")
    if not shared or not os.path.isdir(table):
        raise Skipped("TARN_SHARED_DATA is not there")
    contains(plan(table + "/metadata/v2.metadata.json"), "2 of 2 files")


try:
    main()
finally:
    shutil.rmtree(WORK, ignore_errors=True)

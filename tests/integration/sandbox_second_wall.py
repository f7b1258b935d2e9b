#!/usr/bin/env python3
"""The same attempts with the allow-list of functions switched off, which only test builds can: the worker's own
sandbox (Landlock, seccomp, DuckDB's locked settings) stands alone and still nothing comes out, nothing is
written, nobody is called, and the next query of the same principal is answered."""
# timeout: 120
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import _sandbox  # noqa: E402
from tarn import check, equal, main, skip, test  # noqa: E402

TRAP = []


def trap():
    if not TRAP:
        TRAP.append(_sandbox.Trap({"TARN_TEST_NO_ALLOW_LIST": "1"}))
        _, error = TRAP[0].attempt("SELECT count(*) FROM test_all_types()")
        if error is not None:
            skip("this build cannot switch the allow-list off")
    return TRAP[0]


# What may answer without the list: it shows the inside of a worker that belongs to the asking principal alone, and
# holds nothing of anybody. All else has to fail.
SHOWS_ONLY_ITSELF = ("duckdb_settings", "current_setting", "pragma_database_list", "duckdb_temporary_files",
                     "duckdb_secrets", "duckdb_logs", "duckdb_functions", "duckdb_views", "duckdb_tables",
                     "duckdb_columns", "duckdb_connection_count", "pragma_table_info", "pragma_storage_info",
                     "sqlite_master", "enable_logging", "disable_logging",
                     "set_log_level", "write_log", "enable_profiling", "checkpoint()", "getenv", "sleep_ms",
                     "pg_sleep", "duckdb_extensions")


def all_fail(text):
    wrong, answered = [], 0
    for sql in _sandbox.attempts(text):
        got, error = trap().attempt(sql)
        if error is None:
            answered += 1
            if not any(name in sql for name in SHOWS_ONLY_ITSELF):
                wrong.append(f"answered: {sql}: {str(got)[:200]}")
        trap().unharmed(sql)
    print(f"  {len(_sandbox.attempts(text))} attempts, {answered} answered with nothing but the worker's own state")
    check(not wrong, "\n    ".join([f"{len(wrong)}:"] + wrong))


@test
def files_are_not_read():
    all_fail(_sandbox.READ)


@test
def files_are_not_written():
    all_fail(_sandbox.WRITE)


@test
def the_network_is_not_reached():
    all_fail(_sandbox.NETWORK)


@test
def settings_and_state_do_not_outlive_their_query():
    all_fail(_sandbox.STATE)


@test
def others_are_not_seen():
    all_fail(_sandbox.OTHERS)


@test
def logging_to_a_file_harms_nobody_else():
    server = trap().server
    other = server.make_principal("bystander", "reader")
    for sql in ("SELECT * FROM enable_logging(storage = 'file', storage_path = '@outside/log')",
                "SELECT * FROM query('SELECT * FROM enable_logging(storage = ''file'', storage_path = ''/etc/x'')')",
                "SELECT * FROM enable_logging('QueryLog')"):
        trap().attempt(sql)
        equal(server.rows("SELECT 1", key=other), [[1]], sql)
        got, _ = trap().attempt("SELECT * FROM duckdb_logs()", key=other)
        check("sql_of_another" not in str(got), "another's statement was shown")
        trap().unharmed(sql)


main()

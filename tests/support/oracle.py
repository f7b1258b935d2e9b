"""Plain DuckDB in this process, as the oracle: the library that tarn's workers use, by its C API, standard library only.

    duck = Duck()
    duck.run("CREATE TABLE t (a INTEGER)")
    duck.rows("SELECT a FROM t")  # lists of texts and None"""
import ctypes
import os

from tarn import BIN


class DuckError(Exception):
    """DuckDB's own words."""


class Result(ctypes.Structure):
    _fields_ = [("column_count", ctypes.c_uint64), ("row_count", ctypes.c_uint64), ("rows_changed", ctypes.c_uint64),
                ("columns", ctypes.c_void_p), ("message", ctypes.c_char_p), ("internal", ctypes.c_void_p)]


class Duck:
    """One database in memory, one connection, times in UTC."""

    def __init__(self):
        library = os.environ.get("TARN_ENGINE_DUCKDB_LIBRARY") or os.path.join(os.path.dirname(BIN), "libduckdb.so")
        self.api = api = ctypes.CDLL(os.path.realpath(library))
        self.database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        by_row = [ctypes.POINTER(Result), ctypes.c_uint64, ctypes.c_uint64]
        for name, kind, arguments in (("duckdb_value_varchar", ctypes.c_void_p, by_row),
                                      ("duckdb_row_count", ctypes.c_uint64, by_row[:1]),
                                      ("duckdb_column_count", ctypes.c_uint64, by_row[:1]),
                                      ("duckdb_result_error", ctypes.c_char_p, by_row[:1]),
                                      ("duckdb_query", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, by_row[0]]),
                                      ("duckdb_free", None, [ctypes.c_void_p]),
                                      ("duckdb_destroy_result", None, by_row[:1])):
            getattr(api, name).restype = kind
            getattr(api, name).argtypes = arguments
        if api.duckdb_open(None, ctypes.byref(self.database)) or \
                api.duckdb_connect(self.database, ctypes.byref(self.connection)):
            raise DuckError("no database in memory")
        self.run("SET threads = 1; SET TimeZone = 'UTC'; SET memory_limit = '1GB'")

    def rows(self, sql):
        """Rows as lists of texts, NULL as None."""
        result = Result()
        try:
            if self.api.duckdb_query(self.connection, sql.encode(), ctypes.byref(result)):
                raise DuckError((self.api.duckdb_result_error(ctypes.byref(result)) or b"").decode("utf-8", "replace"))
            columns = range(self.api.duckdb_column_count(ctypes.byref(result)))
            return [[self.text(result, column, row) for column in columns]
                    for row in range(self.api.duckdb_row_count(ctypes.byref(result)))]
        finally:
            self.api.duckdb_destroy_result(ctypes.byref(result))

    def text(self, result, column, row):
        pointer = self.api.duckdb_value_varchar(ctypes.byref(result), column, row)
        if not pointer:
            return None
        value = ctypes.string_at(pointer).decode()
        self.api.duckdb_free(pointer)
        return value

    def value(self, sql):
        return self.rows(sql)[0][0]

    def run(self, sql):
        self.rows(sql)

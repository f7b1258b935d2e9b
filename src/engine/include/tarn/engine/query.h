/* query.h: SQL over the catalog's tables: analysis, authorisation, pruning, execution.
 *
 * The way of a statement is in ARCHITECTURE.md ("The life of a query"). DuckDB's parser is the
 * judge of syntax; every function of every kind must be on the allow-list; each table is
 * authorised by itself; names, types and order of a result are DuckDB's own, because the user's
 * text runs unchanged over views under the tables' names. */
#ifndef TARN_ENGINE_QUERY_H
#define TARN_ENGINE_QUERY_H

#include "tarn/access/access.h"
#include "tarn/catalog/catalog.h"
#include "tarn/engine/worker.h"

typedef struct engine engine;

typedef struct engine_options {
    catalog *catalog;
    storage *storage;
    access_control *access;
    worker_pool *workers;
    int64_t query_timeout_ms; /* 0: none; a request's own limit may only be shorter */
    int64_t rows_max;         /* of one answer; 0: no limit */
    int64_t match_rows;       /* engine.match_rows */
    int64_t session_idle_ms;  /* a session that is idle for longer is gone; 0: SESSION_IDLE_MS */
    bool pruning;             /* false reads every file: for tests */
    bool verify_files;        /* a data file's checksums are compared before its first use */
} engine_options;
#define SESSION_IDLE_MS (INT64_C(10) * 60 * 1000)
status engine_open(const engine_options *options, engine **ret_engine, error *err);
void engine_close(engine *e);

/* Below it DuckDB cannot even begin. */
#define QUERY_MEMORY_LEAST_BYTES (INT64_C(16) * 1024 * 1024)

typedef struct query_request {
    principal who;
    str id;             /* uuid chosen by the caller; empty: the engine makes one */
    str sql;            /* one or more statements */
    str session;        /* id (session.h); empty: what the script begins ends with it */
    const json *params; /* NULL: none */
    str space;          /* default namespace; empty: the session's, else "main" */
    str at; /* snapshot id, branch, tag or time that tables without one of their own are read at; empty: now */
    result_format format;
    int64_t rows_max;     /* -1: the engine's limit; 0: columns, but no rows */
    int64_t timeout_ms;   /* 0: the engine's limit */
    int64_t memory_bytes; /* 0: the worker's share; else at least QUERY_MEMORY_LEAST_BYTES */
    bool reading_only;    /* refuse changing statements: METHOD */
    bool (*is_cancelled)(void *context);
    void *cancel_context;
} query_request;

/* What a request leaves behind it. */
typedef enum engine_transaction {
    TRANSACTION_NONE,
    TRANSACTION_OPEN,
    TRANSACTION_FAILED,      /* waits for ROLLBACK */
    TRANSACTION_COMMITTED,   /* none any more: the last statement was COMMIT */
    TRANSACTION_ROLLED_BACK, /* … was ROLLBACK, or COMMIT of one that had failed */
} engine_transaction;
/* "none", "open", "failed", "committed", "rolled back" */
const char *engine_transaction_name(engine_transaction transaction);

typedef struct query_stats {
    /* rows_scanned: rows of the files that were read, whatever DuckDB left out inside them */
    int64_t files_total, files_read, bytes_read, rows_scanned, elapsed_ms;
} query_stats;

typedef struct query_result {
    char id[37];
    bool has_rows; /* the last statement answered rows (through the sink) */
    int64_t row_count;
    bool is_cut;                    /* the limit of rows left some out; not told of Parquet */
    int64_t changed_rows;           /* -1: a reading statement */
    int64_t snapshot_id;            /* ICE_NO_SNAPSHOT: none */
    engine_transaction transaction; /* set where the request fails, too */
    query_stats stats;              /* of the last statement */
} query_result;

/* Runs the script; rows of the last statement go to the sink (changing ones call its begin with
 * no columns). The query is listed by engine_list_queries while it runs and for a while after.
 * `err->position` points into request->sql. */
status engine_run(engine *e, const query_request *request, const result_sink *sink,
                  query_result *ret_result, error *err);

typedef enum query_state {
    QUERY_QUEUED,
    QUERY_RUNNING,
    QUERY_DONE,
    QUERY_FAILED,
    QUERY_CANCELLED
} query_state;
typedef struct query_info {
    str id, principal_name, sql; /* sql cut to 4 KiB */
    query_state state;
    int64_t started_us, elapsed_ms, row_count;
    str error_message;
} query_info;
/* Newest first. `principal_id` STR_NULL: everybody's. */
status engine_list_queries(engine *e, str principal_id, arena *a, query_info **ret_list,
                           size_t *ret_count, error *err);
/* NOT_FOUND */
status engine_get_query(engine *e, str principal_id, str id, arena *a, query_info *ret_info,
                        error *err);
/* Ends a running query within a second. NOT_FOUND, also for another's query where `principal_id`
 * is given. */
status engine_cancel_query(engine *e, str principal_id, str id, error *err);

/* A function that SQL may call. */
typedef struct engine_function {
    str name;
    str kind; /* "scalar", "aggregate", "table", "macro", … */
    str call; /* "date_trunc(part, ts)" */
    str description;
} engine_function;
/* By name. */
status engine_list_functions(engine *e, str principal_id, const worker_cancel *cancel, arena *a,
                             engine_function **ret_list, size_t *ret_count, error *err);

typedef struct engine_stats {
    int64_t queries, failed, cancelled, unpruned, files_considered, files_skipped;
    int64_t sessions; /* open ones */
    /* a transaction that ends in a conflict is rolled back too */
    int64_t transactions_committed, transactions_rolled_back, transactions_conflicted;
} engine_stats;
void engine_read_stats(engine *e, engine_stats *ret_stats);

/* ---- shared with ingest ---- */
/* DuckDB's type text for an Iceberg type, and the Iceberg type that a DuckDB type becomes in
 * CREATE TABLE AS and load (interface.md, "SQL names": HUGEINT to decimal(38,0) …). UNSUPPORTED
 * naming the type (and the column). */
void engine_duckdb_type(const ice_type *type, buf *out);
/* What a row gets that comes without this column: its write default as CAST('…' AS T), or NULL. */
void engine_default_sql(const ice_field *field, arena *a, buf *out);
status engine_iceberg_type(str duckdb_type, str column, arena *a, const ice_type **ret_type,
                           error *err);

/* Writes the rows of `source_sql` (a SELECT that yields the table's columns in order, already of
 * their types) as Parquet files of `metadata`'s table through the worker, partitioned by its
 * default spec, with field ids, NOT NULL checked (BAD_DATA naming the column), statistics
 * measured. The files lie in the worker's `out` folder until staged. Result: files and requests
 * ready for ice_append (paths in `a`). No rows: no files. */
typedef struct engine_written {
    ice_file *files;
    store_stage_request *requests; /* one per file */
    size_t count;
    int64_t row_count;
} engine_written;
status engine_write_rows(engine *e, worker *w, const ice_metadata *metadata, str source_sql,
                         const json *params, const worker_cancel *cancel, arena *a,
                         engine_written *ret_written, error *err);
worker_pool *engine_workers(engine *e);

#endif

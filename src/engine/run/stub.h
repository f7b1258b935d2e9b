/* stub.h: the zero-row Parquet file that stands for a table while its statement is planned. */
#ifndef TARN_ENGINE_RUN_STUB_H
#define TARN_ENGINE_RUN_STUB_H

#include "tarn/base/buf.h"
#include "tarn/iceberg/type.h"

/* Appends the file. True where it has the schema's columns, which DuckDB reads with exactly the types of
 * engine_duckdb_type; else the reader is to be told of them (`schema` of read_parquet). */
bool stub_put_file(const ice_schema *schema, arena *a, buf *out);

#endif

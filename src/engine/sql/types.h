/* types.h: DuckDB's types and Iceberg's, both ways. The public halves are in query.h. */
#ifndef TARN_ENGINE_TYPES_H
#define TARN_ENGINE_TYPES_H

#include "tarn/iceberg/type.h"

/* Refuses, by name, a type as written in CREATE TABLE that DuckDB does not know or that its
 * writer cannot write to the specification (fixed, geography, timestamptz_ns …). UNSUPPORTED
 * naming type and column. */
status types_check_declared(str type_text, str column, error *err);

#endif

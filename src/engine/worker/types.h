/* types.h: DuckDB's types as text, and what must be turned to text inside the query before it can be sent. */
#ifndef TARN_ENGINE_TYPES_H
#define TARN_ENGINE_TYPES_H

#include "tarn/base/buf.h"
#include "worker/duck.h"

/* Learns which words DuckDB quotes in names of members. Once per process, before types_put. */
void types_learn_keywords(duck_connection *connection);

/* The type as DuckDB writes it: DECIMAL(18,3), STRUCT(a INTEGER, "b c" VARCHAR)[]. */
void types_put(duck_logical_type *type, buf *out);

/* True where the type, or a type inside it, cannot be read from vectors (`for_arrow`: written as Arrow). */
bool types_need_cast(duck_logical_type *type, bool for_arrow);
/* The type to cast to: the same with those parts replaced by VARCHAR. */
void types_put_cast(duck_logical_type *type, bool for_arrow, buf *out);

#endif

/* translate_csv.h: DuckDB's messages about malformed CSV in tarn's words. */
#ifndef TARN_ENGINE_WORKER_TRANSLATE_CSV_H
#define TARN_ENGINE_WORKER_TRANSLATE_CSV_H

#include "tarn/base/arena.h"
#include "tarn/base/str.h"

/* `file "people.csv", line 3: 1 column found where 2 are expected`. `text` is DuckDB's message without its
 * prefix. False where it is not about a line of a CSV. The strings live in `a`; *ret_detail may be
 * STR_NULL. */
bool worker__word_csv(arena *a, str text, str *ret_message, str *ret_detail);

#endif

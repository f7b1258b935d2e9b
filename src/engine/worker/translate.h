/* translate.h: DuckDB's errors as tarn's: kind, message, hint, position.
 *
 * DuckDB is opened with errors_as_json, so most errors come with a type, a subtype, a position (bytes) and
 * candidates; those raised while rows are fetched come as text. Messages follow design/style.md: no prefix, no
 * "LINE 1: …" block, lower case, no full stop, and never a path of a worker's folders. */
#ifndef TARN_ENGINE_TRANSLATE_H
#define TARN_ENGINE_TRANSLATE_H

#include <stdbool.h>

#include "tarn/base/error.h"
#include "tarn/base/str.h"

/* Fills `ret_error`. Paths below `folder` (that of all workers) must not be seen. `sql` is the statement that failed:
 * positions of text errors are found in it. True where the database cannot be used any more. */
bool translate_error(str folder, str sql, const char *message, error *ret_error);

#endif

/* footers.h: whether DuckDB keeps what it learns from the footers of a statement's files. */
#ifndef TARN_ENGINE_RUN_FOOTERS_H
#define TARN_ENGINE_RUN_FOOTERS_H

#include "run/query.h"

/* Appends the setting, for a statement whose files are chosen and linked. Goes before the views
 * over them, because those look into the files already. */
bool footers_put_setting(buf *out, query *q);

#endif

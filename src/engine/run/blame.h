/* blame.h: the nearest name and the place of what an error speaks of, where DuckDB tells neither. */
#ifndef TARN_ENGINE_RUN_BLAME_H
#define TARN_ENGINE_RUN_BLAME_H

#include "run/query.h"

/* Gives an error about a column that does not exist, and that has no hint yet, the nearest column of the query's
 * tables; of the one table where the error names it, by name or alias. */
void blame_column(const query *q, error *err);
/* Gives an error without a place that of the word which it quotes first, where that stands in the statement once. */
void blame_place(const run *r, token_range range, error *err);
/* Hints for the two commonest slips: a text in double quotes, which makes it a name, and a misspelt first word. */
void blame_slip(const run *r, token_range range, error *err);

#endif

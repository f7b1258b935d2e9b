/* prepared.h: statements that PREPARE keeps: their text, under a name, until the script or the session ends.
 *
 * EXECUTE parses the text again and puts the values into it as literals, before anything is analysed, as parameters of
 * a request are. So rights, tables and files are those of the moment of EXECUTE. Not thread-safe: a set belongs to
 * one script or session, which runs one statement at a time. */
#ifndef TARN_ENGINE_RUN_PREPARED_H
#define TARN_ENGINE_RUN_PREPARED_H

#include "sql/statement.h"

#define PREPARED_MAX 1000 /* in one set */

typedef struct prepared_set prepared_set;

prepared_set *prepared_set_create(void);
void prepared_set_free(prepared_set *set); /* may be NULL */

/* The kind of statement that EXECUTE would run; `set` may be NULL. False where there is none of the name. */
bool prepared_kind(const prepared_set *set, str name, statement_kind *ret_kind);

#endif

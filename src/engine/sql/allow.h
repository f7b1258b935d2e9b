/* allow.h: which functions SQL may call. The lists are in functions.c; an unknown name is
 * refused. */
#ifndef TARN_ENGINE_ALLOW_H
#define TARN_ENGINE_ALLOW_H

#include "tarn/base/str.h"

/*  group   what a function of it would do, behind "function "x" is not allowed: it " */
#define ALLOW_GROUP_TABLE(X)                                   \
    X(FILES, "reads or writes files or the network")           \
    X(QUERY, "runs SQL or reads tables that were not checked") \
    X(STATE, "changes the state of the engine")                \
    X(INSIDE, "shows or uses the inside of the engine")        \
    X(WAIT, "does nothing but wait")

typedef enum allow_group {
#define X(name, text) ALLOW_##name,
    ALLOW_GROUP_TABLE(X)
#undef X
} allow_group;

typedef struct allow_refusal {
    const char *name;
    allow_group group;
} allow_refusal;

extern const char *const allow_expressions[];
extern const size_t allow_expression_count;
extern const char *const allow_tables[];
extern const size_t allow_table_count;
extern const allow_refusal allow_refusals[];
extern const size_t allow_refusal_count;

typedef enum allow_use { ALLOW_IN_EXPRESSION, ALLOW_AS_TABLE } allow_use;

/* Macros of tarn's own (run/catalog_functions.c): they end with "_", as no function of DuckDB's does. */
extern const char *const allow_own[];
extern const size_t allow_own_count;

/* Names are case-insensitive. DENIED where the function exists and may not be called;
 * NO_FUNCTION, with the nearest name as hint, where there is none. */
status allow_function(str name, allow_use use, error *err);

/* False in test builds (TARN_TEST_NO_ALLOW_LIST) started with that variable in the environment:
 * then the sandbox stands alone. Always true otherwise. */
bool allow_enabled(void);

#endif

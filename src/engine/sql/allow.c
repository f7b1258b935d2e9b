/* Looking a function up, and what is said of one that is not there. */
#include "sql/allow.h"

#include <stdlib.h>

static const char *const group_texts[] = {
#define X(name, text) text,
    ALLOW_GROUP_TABLE(X)
#undef X
};

bool allow_enabled(void)
{
#ifdef TARN_TEST_NO_ALLOW_LIST
    return getenv("TARN_TEST_NO_ALLOW_LIST") == NULL;
#else
    return true;
#endif
}

static bool is_listed(str name, const char *const *list, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(name, str_c(list[middle]));
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

static const allow_refusal *find_refusal(str name)
{
    for (size_t i = 0; i < allow_refusal_count; i++) {
        if (str_equal(name, str_c(allow_refusals[i].name))) {
            return &allow_refusals[i];
        }
    }
    return NULL;
}

static void hint_nearest(str name, const char *const *list, size_t count, arena *a, error *err)
{
    str *names = ARENA_ARRAY(a, str, count);
    for (size_t i = 0; i < count; i++) {
        names[i] = str_c(list[i]);
    }
    str nearest = str_nearest(name, names, count);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
}

status allow_function(str name, allow_use use, error *err)
{
    bool as_table = use == ALLOW_AS_TABLE;
    const char *const *list = as_table ? allow_tables : allow_expressions;
    size_t count = as_table ? allow_table_count : allow_expression_count;
    arena *a = arena_create();
    str lower = str_lower(a, name);
    status result = STATUS_OK;

    if (!is_listed(lower, list, count) &&
        (as_table || !is_listed(lower, allow_own, allow_own_count))) {
        const allow_refusal *refusal = find_refusal(lower);
        if (refusal != NULL) {
            result = error_set(err, STATUS_DENIED, "function \"%.*s\" is not allowed: it %s",
                               STR_ARG(lower), group_texts[refusal->group]);
            if (refusal->group == ALLOW_FILES) {
                error_hint(
                    err,
                    "Files go in with tarn load; results come out with tarn sql -o csv, or parquet.");
            }
        } else {
            result = error_set(err, STATUS_NO_FUNCTION, "there is no %sfunction \"%.*s\"",
                               as_table ? "table " : "", STR_ARG(name));
            hint_nearest(lower, list, count, a, err);
        }
    }
    arena_free(a);
    return result;
}

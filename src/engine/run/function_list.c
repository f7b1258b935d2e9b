/* The functions that SQL may call, with what DuckDB says of them: for people who look for one. */
#include "run/run.h"
#include "sql/allow.h"

/* One row a name: the shortest of its forms speaks for the rest. Names that only operators and collations have are
 * not typed by anybody. */
static const char question[] =
    "SELECT function_name, min(function_type), "
    "arg_min(function_name || '(' || array_to_string(parameters, ', ') || ')', len(parameters)), "
    "any_value(description) FROM duckdb_functions() "
    "WHERE regexp_full_match(function_name, '[a-z][a-z0-9_]*') AND NOT starts_with(function_name, 'icu_collate') "
    "GROUP BY function_name ORDER BY function_name";

static bool may_call(str name)
{
    return allow_function(name, ALLOW_IN_EXPRESSION, NULL) == STATUS_OK ||
           allow_function(name, ALLOW_AS_TABLE, NULL) == STATUS_OK;
}

static str text_at(const json *row, size_t column)
{
    return json_str_or(json_at(row, column), STR(""));
}

status engine_list_functions(engine *e, str principal_id, const worker_cancel *cancel, arena *a,
                             engine_function **ret_list, size_t *ret_count, error *err)
{
    worker *w;
    const json *rows = NULL;
    size_t count = 0;

    TRY(worker_acquire(e->options.workers, principal_id, WORKER_QUERY, cancel, &w, err));
    status result = worker_rows(w, STR(question), cancel, a, &rows, err);
    worker_release(w);
    TRY(result);
    engine_function *list = ARENA_ARRAY(a, engine_function, json_count(rows));
    for (size_t i = 0; i < json_count(rows); i++) {
        const json *row = json_at(rows, i);
        if (may_call(text_at(row, 0))) {
            list[count++] = (engine_function){.name = text_at(row, 0),
                                              .kind = text_at(row, 1),
                                              .call = text_at(row, 2),
                                              .description = text_at(row, 3)};
        }
    }
    *ret_list = list;
    *ret_count = count;
    return STATUS_OK;
}

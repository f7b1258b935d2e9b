/* The functions that SQL may call, with what DuckDB says of them: for people who look for one. */
#include "run/rows_sql.h"
#include "run/show.h"
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

static engine_function *take_rows(const json *rows, arena *a, size_t *ret_count)
{
    engine_function *list = ARENA_ARRAY(a, engine_function, json_count(rows) + 1);
    size_t count = 0;

    for (size_t i = 0; i < json_count(rows); i++) {
        const json *row = json_at(rows, i);
        if (may_call(text_at(row, 0))) {
            list[count++] = (engine_function){.name = text_at(row, 0),
                                              .kind = text_at(row, 1),
                                              .call = text_at(row, 2),
                                              .description = text_at(row, 3)};
        }
    }
    *ret_count = count;
    return list;
}

status engine_list_functions(engine *e, str principal_id, const worker_cancel *cancel, arena *a,
                             engine_function **ret_list, size_t *ret_count, error *err)
{
    worker *w;
    const json *rows = NULL;

    TRY(worker_acquire(e->options.workers, principal_id, WORKER_QUERY, cancel, &w, err));
    status result = worker_rows(w, STR(question), cancel, a, &rows, err);
    worker_release(w);
    TRY(result);
    *ret_list = take_rows(rows, a, ret_count);
    return STATUS_OK;
}

/* % and _ as in LIKE, without regard to case. */
static bool is_like(str name, str pattern)
{
    if (pattern.size == 0) {
        return name.size == 0;
    }
    str rest = str_slice(pattern, 1, pattern.size);
    if (pattern.data[0] == '%') {
        for (size_t i = 0; i <= name.size; i++) {
            if (is_like(str_slice(name, i, name.size), rest)) {
                return true;
            }
        }
        return false;
    }
    return name.size > 0 &&
           (pattern.data[0] == '_' ||
            str_equal_nocase(str_slice(name, 0, 1), str_slice(pattern, 0, 1))) &&
           is_like(str_slice(name, 1, name.size), rest);
}

status show_functions(run *r, const statement *st, arena *a, buf *sql, error *err)
{
    static const char *const columns[] = {"name VARCHAR", "kind VARCHAR", "call VARCHAR",
                                          "description VARCHAR"};
    enum { PATTERN_MAX = 64 }; /* each % tries every place */
    const json *given = NULL;
    size_t count = 0;
    rows_sql rows;
    worker *w;

    if (!str_is_null(st->property) && st->property.size > PATTERN_MAX) {
        return run_at(
            error_set(err, STATUS_INVALID, "the pattern is longer than %d letters", PATTERN_MAX),
            st->position, err);
    }
    TRY(run_worker(r, &w, err));
    TRY(worker_rows(w, STR(question), &r->cancel, a, &given, err));
    engine_function *list = take_rows(given, a, &count);
    rows_begin(&rows, sql, columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        if (str_is_null(st->property) || is_like(list[i].name, st->property)) {
            rows_text(&rows, list[i].name);
            rows_text(&rows, list[i].kind);
            rows_text(&rows, list[i].call);
            rows_text(&rows, list[i].description);
        }
    }
    rows_end(&rows);
    return STATUS_OK;
}

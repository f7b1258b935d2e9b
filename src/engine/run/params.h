/* params.h: parameters become literals in the statement's text, before anything is analysed. So
 * the plan that files are pruned by and the statement that runs are one and the same, whatever
 * the value. */
#ifndef TARN_ENGINE_PARAMS_H
#define TARN_ENGINE_PARAMS_H

#include "run/edit.h"
#include "sql/token.h"
#include "tarn/codec/json.h"

/* What can be said of all statements before the first one runs, INVALID: one that mixes "?" with numbers or
 * names, values that no statement asks for. */
status params_check(const token_list *list, const token_range *ranges, size_t count,
                    const json *params, arena *a, error *err);

/* Adds an edit for every parameter in the range: "?" counts from 1 in each statement, "$2" and
 * "?2" by position in an array, "$name" by name in an object. INVALID with position: no such
 * parameter; INVALID: values without a place. */
status params_edit(const token_list *list, token_range range, const json *params, arena *a,
                   edit_list *edits, error *err);

/* A parameter's value as SQL: what EXECUTE gives. `name` is a number, counted from 1, or a name. */
typedef struct param_value {
    str name, sql;
} param_value;

/* The same with values that are SQL already. */
status params_edit_values(const token_list *list, token_range range, const param_value *values,
                          size_t count, arena *a, edit_list *edits, error *err);
/* Names of the parameters in the range, without $, each once, in the order of their first place; "?" gives 1, 2, …. */
void params_names(const token_list *list, token_range range, arena *a, str **ret_names,
                  size_t *ret_count);
/* The value as a literal, as params_edit writes it. */
status params_literal(const json *params, str name, arena *a, str *ret_sql, error *err);

#endif

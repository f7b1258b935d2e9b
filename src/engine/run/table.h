/* table.h: what CREATE TABLE, CREATE TABLE AS and ALTER TABLE share. */
#ifndef TARN_ENGINE_TABLE_H
#define TARN_ENGINE_TABLE_H

#include "run/edit.h"
#include "run/run.h"

/* DuckDB's parser over the whole of a CREATE TABLE or an INSERT, before anything is done. SYNTAX with place. */
status run_judge(run *r, const statement *st, arena *a, error *err);
/* With changes to its text, which lie behind the name of the table; may be NULL. */
status run_judge_edited(run *r, const statement *st, const edit_list *more, arena *a, error *err);
/* The same of a statement that was changed for it. */
status run_judge_text(run *r, const edited *text, arena *a, error *err);
/* A struct of the given fields. */
const ice_type *table_root(const ice_field *fields, size_t count, arena *a);
/* What properties say of places, against where tables may lie (place.c): DENIED, INVALID. */
status table_check_places(const run *r, const catalog_property *properties, size_t count,
                          error *err);
/* Columns as CREATE TABLE and ALTER TABLE declare them: types by DuckDB's parser, defaults as
 * Iceberg keeps them. Errors carry their place. */
status table_columns(run *r, const statement_column *columns, size_t count, arena *a,
                     ice_field **ret_fields, error *err);
/* The constant in the tokens as a value of `type`, in its JSON form; NULL for NULL. WRONG_TYPE,
 * BAD_DATA naming the column. */
status table_default(run *r, token_range value, const ice_type *type, str column, arena *a,
                     const json **ret_value, error *err);
/* A default as Iceberg keeps it, as a constant of SQL: 'text', 12, true; NULL. */
void table_default_text(const json *value, const ice_type *type, arena *a, buf *out);
/* Location, partitioning, properties and version as the statement says; properties are checked. */
status table_options(const statement *st, const ice_type *root, arena *a, ice_create *ret_create,
                     error *err);
/* CREATE OR REPLACE over a table that is there. DENIED. */
status table_may_replace(const run *r, const statement *st, table_name name, error *err);
/* "day(ts), bucket(4, id)": what stands between the brackets of PARTITIONED BY; nothing for a table without. */
void table_put_partitioning(buf *out, const ice_spec *spec, const ice_schema *schema, arena *a);
/* Gives an error of creating the table its place in the script. */
status table_place_error(const statement *st, status result, error *err);

#endif

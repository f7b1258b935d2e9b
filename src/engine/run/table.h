/* table.h: what CREATE TABLE and CREATE TABLE AS share. */
#ifndef TARN_ENGINE_TABLE_H
#define TARN_ENGINE_TABLE_H

#include "run/run.h"

/* A struct of the given fields. */
const ice_type *table_root(const ice_field *fields, size_t count, arena *a);
/* Location, partitioning, properties and version as the statement says; properties are checked. */
status table_options(const statement *st, const ice_type *root, arena *a, ice_create *ret_create,
                     error *err);
/* Gives an error of creating the table its place in the script. */
status table_place_error(const statement *st, status result, error *err);

#endif

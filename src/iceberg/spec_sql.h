/* spec_sql.h: reading the text forms of partitioning (spec_sql.c) and of sort orders (order_sql.c). */
#ifndef TARN_ICEBERG_SPEC_SQL_H
#define TARN_ICEBERG_SPEC_SQL_H

#include "tarn/iceberg/partition.h"

#include "internal.h"

typedef struct ice__sql_reader {
    const char *what; /* "partitioning", "order": for messages */
    str text;
    size_t at;
    const ice_schema *schema;
    arena *memory;
    error *err;
} ice__sql_reader;

/* A column, or a transform of one. */
typedef struct ice__sql_term {
    const ice_field *source;
    str path;           /* dotted name of the column */
    const char *suffix; /* what a partition field's name adds to it */
    ice_transform transform;
} ice__sql_term;

/* The next character that is no space; 0 at the end. */
char ice__sql_peek(ice__sql_reader *r);
bool ice__sql_take(ice__sql_reader *r, char c);
/* A plain word, whatever its case. */
bool ice__sql_take_word(ice__sql_reader *r, const char *word);
status ice__sql_take_name(ice__sql_reader *r, str *ret_name, bool *ret_quoted);
/* SYNTAX with position, NO_COLUMN and NO_FUNCTION with the nearest name, INVALID where the transform cannot take the
 * column's type. */
status ice__sql_take_term(ice__sql_reader *r, ice__sql_term *ret_term);
status ice__sql_fail(ice__sql_reader *r, size_t at, status kind, const char *message);

/* Two fields that say the same, or a field that takes another column's name. */
status ice__spec_check_field(const ice_partition_field *fields, size_t count,
                             const ice_partition_field *field, const ice_schema *schema,
                             error *err);

#endif

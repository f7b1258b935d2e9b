/* bound.h: which columns the tables and views had that a stored view reads, when it was made.
 *
 * A view's SQL is stored as it was written; what its stars and natural joins meant is noted beside it, in the summary
 * of the view's version under BOUND_KEY, and holds until the view is made anew: a column that is added later is not
 * seen through the view, and one that was renamed keeps the name that the view knows. Tables are told by uuid and
 * columns by field id, those of views by their names. Other engines read the SQL, and pass over the note. */
#ifndef TARN_ENGINE_RUN_BOUND_H
#define TARN_ENGINE_RUN_BOUND_H

#include "run/query.h"
#include "tarn/iceberg/view.h"

#define BOUND_KEY "tarn.columns"

struct bound_columns {
    str name; /* "space.relation" */
    str uuid; /* of a table; STR_NULL: a view */
    const int32_t *ids;
    const str *names;
    size_t count;
};

struct bound_list {
    const struct bound_columns *items;
    size_t count;
};

/* What the query reads by plain names, as the note of a view of that SQL. */
str bound_note(const query *q);
/* The note of a version; NULL where it has none, or none that can be read: then all columns are seen. */
const bound_list *bound_read(const ice_view_version *version, arena *a);
/* The columns that the view shall see of the table or view; NULL: all. */
const bound_columns *bound_of_table(const bound_list *list, table_name name,
                                    const ice_metadata *metadata);
const bound_columns *bound_of_view(const bound_list *list, table_name name);
/* "SELECT its columns FROM (" in front of the scan of a table, and ")" behind it, where they are not those that it has;
 * else nothing. */
void bound_put_before(const bound_columns *bound, const ice_schema *schema, buf *out);
void bound_put_behind(const bound_columns *bound, const ice_schema *schema, buf *out);
/* Which field of a stored view's columns is the number-th that is seen; SIZE_MAX behind the last. */
size_t bound_field(const bound_columns *bound, const ice_type *root, size_t number);

#endif

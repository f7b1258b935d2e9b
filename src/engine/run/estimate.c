/* The share of rows that an expression leaves: of a column with n different values 1/n for each value that is wanted,
 * as if all were as frequent and columns knew nothing of each other; for what nothing is known of, a fifth for all of
 * it together, which is what DuckDB takes. */
#include "run/estimate.h"

#include "tarn/iceberg/statistics.h"

#define UNKNOWN_SHARE 0.2
/* Snapshots since ANALYZE: what it counted is near enough for a while. */
#define ANCESTORS_MAX 64

typedef struct estimating {
    const query_table *table;
    arena *a;
    bool knows;   /* some column was counted */
    bool guesses; /* and something was not */
} estimating;

static int64_t distinct_values(const estimating *e, int32_t field_id)
{
    const ice_metadata *m = e->table->metadata;
    const ice_snapshot *s = e->table->snapshot;

    for (int i = 0; s != NULL && i < ANCESTORS_MAX; i++) {
        int64_t ndv = ice_statistics_ndv(m, s->id, field_id, e->a);

        if (ndv >= 0) {
            return ndv;
        }
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
    return -1;
}

static double share_of(estimating *e, const ice_expr *filter);

static double share_of_values(estimating *e, const ice_expr *filter)
{
    int64_t ndv = distinct_values(e, filter->field_id);
    double wanted = filter->value_count > 0 ? (double)filter->value_count : 1.0;

    if (ndv < 1) {
        e->guesses = true;
        return 1.0;
    }
    e->knows = true;
    return wanted < (double)ndv ? wanted / (double)ndv : 1.0;
}

/* One alternative that nothing is known of, and nothing is known of all. */
static double share_of_any(estimating *e, const ice_expr *filter)
{
    estimating own = {.table = e->table, .a = e->a};
    double share = 0;

    for (size_t i = 0; i < filter->child_count; i++) {
        share += share_of(&own, filter->children[i]);
    }
    if (own.guesses) {
        e->guesses = true;
        return 1.0;
    }
    e->knows = e->knows || own.knows;
    return share < 1.0 ? share : 1.0;
}

static double share_of(estimating *e, const ice_expr *filter)
{
    double share = 1.0;

    switch ((int)filter->kind) {
    case ICE_AND:
        for (size_t i = 0; i < filter->child_count; i++) {
            share *= share_of(e, filter->children[i]);
        }
        return share;
    case ICE_OR:
        return share_of_any(e, filter);
    case ICE_EQ:
    case ICE_IN:
        return share_of_values(e, filter);
    case ICE_TRUE:
    case ICE_NOT_NULL: /* DuckDB adds it to comparisons */
        return 1.0;
    default:
        e->guesses = true;
        return 1.0;
    }
}

int64_t estimate_rows(const query_table *table, arena *a)
{
    estimating e = {.table = table, .a = a};
    int64_t total = 0;

    if (table->filter == NULL || table->snapshot == NULL ||
        str_to_int64(ice_snapshot_summary(table->snapshot, "total-records"), &total, NULL) !=
            STATUS_OK) {
        return -1;
    }
    double share = share_of(&e, table->filter) * (e.guesses ? UNKNOWN_SHARE : 1.0);
    if (!e.knows) {
        return -1;
    }
    double rows = (double)total * share;
    int64_t most = table->scan.kept_rows > 0 ? table->scan.kept_rows : 1;
    return rows < 1 ? 1 : rows > (double)most ? most : (int64_t)rows;
}

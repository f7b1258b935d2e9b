/* Whether DuckDB keeps what it learns from the footers of a statement's files: reading twelve footers
 * anew takes longer than a small query. */
#include "run/footers.h"

#define KEEP "SET parquet_metadata_cache = true;"
#define FORGET "SET parquet_metadata_cache = false;"

/* Only of files that are linked into the worker's folder, under names that never stand for another
 * file: what lies in a warehouse's folder others could replace. */
static bool may_keep(query *q)
{
    VEC(worker_footer) footers = {0};
    str folder = str_c(worker_in(q->r->w));
    for (size_t i = 0; i < q->tables.count; i++) {
        const ice_scan *scan = &q->tables.items[i].scan;
        for (size_t k = 0; k < scan->file_count; k++) {
            str location = ice_locate(q->tables.items[i].metadata, scan->files[k].path, q->a);
            const char *path = map_get(q->r->links, location);
            if (path == NULL || !str_starts_with(str_c(path), folder)) {
                return false;
            }
            worker_footer footer = {.path = str_c(path),
                                    .size_bytes = shape_footer_bytes(&q->r->e->shapes, location)};
            vec_push(q->a, &footers, footer);
        }
    }
    return footers.count > 0 && worker_keep_footers(q->r->w, footers.items, footers.count);
}

bool footers_put_setting(buf *out, query *q)
{
    /* Other workers run what tarn makes, over files that are read once. */
    if (q->r->profile != WORKER_QUERY) {
        return false;
    }
    bool keeps = may_keep(q);
    buf_add_c(out, keeps ? KEEP : FORGET);
    return keeps;
}

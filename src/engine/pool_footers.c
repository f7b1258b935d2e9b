/* How much DuckDB may keep of the footers of Parquet files in a worker. It never gives them up, so
 * the server counts them, and replaces a worker that is full of files that nobody asks for any more. */
#include "pool_internal.h"

#include "tarn/base/limits.h"

/* A footer takes about ten times its bytes in DuckDB's memory, of which it counts a quarter. */
#define FOOTERS_MAX (2 * LIMIT_MIB)

bool worker_keep_footers(worker *w, const worker_footer *footers, size_t count)
{
    int64_t fresh_bytes = 0;

    for (size_t i = 0; i < count; i++) {
        if (footers[i].size_bytes > (int64_t)FOOTERS_MAX) {
            return false;
        }
        if (w->footers == NULL || !map_has(w->footers, footers[i].path)) {
            fresh_bytes += footers[i].size_bytes;
        }
        if (fresh_bytes > (int64_t)FOOTERS_MAX) {
            return false;
        }
    }
    if (w->footer_bytes + fresh_bytes > (int64_t)FOOTERS_MAX) {
        /* Reading half the room's footers takes longer than starting a worker. */
        w->is_worn = fresh_bytes <= (int64_t)FOOTERS_MAX / 2;
        return false;
    }
    if (w->footers == NULL) {
        w->footers = map_create(NULL);
    }
    for (size_t i = 0; i < count; i++) {
        (void)map_set(w->footers, footers[i].path, w);
    }
    w->footer_bytes += fresh_bytes;
    return true;
}

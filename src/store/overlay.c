/* What is staged and may be read before it is published: by those who know its location, which nobody can guess. It is
 * in no listing. An open transaction reads its own writes here (catalog/txn/txn.c). Files of local stores have their
 * names already. */
#include "internal.h"

void store_expose(storage *st, store_staged *staged)
{
    if (staged->ops != &store__builtin) {
        return;
    }
    mutex_lock(&st->lock);
    staged->exposed = true;
    (void)map_set(st->exposed, staged->location, staged);
    mutex_unlock(&st->lock);
}

void store__conceal(store_staged *staged)
{
    storage *st = staged->st;

    mutex_lock(&st->lock);
    if (staged->exposed && map_get(st->exposed, staged->location) == staged) {
        (void)map_remove(st->exposed, staged->location);
    }
    staged->exposed = false;
    mutex_unlock(&st->lock);
}

bool store__find_exposed(storage *st, str location, arena *a, store_source *ret_source)
{
    const store_staged *staged;

    mutex_lock(&st->lock);
    staged = map_get(st->exposed, location);
    if (staged != NULL) {
        *ret_source = (store_source){.id = staged->id,
                                     .crcs = str_copy(a, staged->crcs),
                                     .offset = staged->offset + staged->file_offset,
                                     .file = staged->segment,
                                     .packed = staged->carrier != NULL,
                                     .object = {.location = location,
                                                .size_bytes = staged->size_bytes,
                                                .modified_us = staged->created_us,
                                                .etag = str_copy(a, staged->etag),
                                                .content_type = str_copy(a, staged->content_type)}};
    }
    mutex_unlock(&st->lock);
    return staged != NULL;
}

/* ref.h: counting the owners of a shared, immutable object.
 *
 *     object *object_ref(object *o)    { ref_take(&o->refs); return o; }
 *     void object_unref(object *o)     { if (o != NULL && ref_drop(&o->refs)) { …free… } }
 *
 * Thread-safe: whoever holds a reference may take another for anybody. */
#ifndef TARN_BASE_REF_H
#define TARN_BASE_REF_H

#include <stdatomic.h>
#include <stdbool.h>

#include "tarn/base/error.h"

typedef struct refcount {
    atomic_int count;
} refcount;

/* One owner: the maker. */
static inline void ref_init(refcount *r)
{
    atomic_init(&r->count, 1);
}

static inline void ref_take(refcount *r)
{
    int before = atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);

    ASSERT(before > 0); /* taken from the dead otherwise */
}

/* True for the last owner, who then frees the object and sees all that the others did to it. */
static inline bool ref_drop(refcount *r)
{
    int before = atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel);

    ASSERT(before > 0);
    return before == 1;
}

#endif

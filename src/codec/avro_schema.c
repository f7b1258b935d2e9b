/* Avro schemas in memory. Files of one kind carry the same schema, some kilobytes of JSON: the
 * last few are kept parsed, so that reading many small files costs their records alone.
 *
 * Invariants
 *   1. A tree never changes; it is freed by its last user, who may outlive its place here.
 *   2. Nothing is parsed under the lock. A tree is found by the whole text, not by a digest. */
#include "avro_program.h"
#include "tarn/base/arena.h"
#include "tarn/base/ref.h"
#include "tarn/base/thread.h"

enum {
    KEPT = 16,
    TEXT_BYTES_MAX = 64 * 1024, /* what is longer is read too seldom */
};

typedef struct kept_schema {
    refcount refs;
    arena *memory; /* holds this and everything below */
    str text;
    const json *tree;
} kept_schema;

static struct {
    mutex lock;
    kept_schema *items[KEPT];
    size_t next; /* the place that the next one takes */
} kept = {.lock = {.handle = PTHREAD_MUTEX_INITIALIZER}};

static void unref(void *object)
{
    kept_schema *s = object;

    if (s != NULL && ref_drop(&s->refs)) {
        arena_free(s->memory);
    }
}

/* A reference for the caller's arena; NULL where the text is not kept. */
static const json *find(str text, arena *a)
{
    kept_schema *found = NULL;

    mutex_lock(&kept.lock);
    for (size_t i = 0; i < KEPT && found == NULL; i++) {
        if (kept.items[i] != NULL && str_equal(kept.items[i]->text, text)) {
            found = kept.items[i];
            ref_take(&found->refs);
        }
    }
    mutex_unlock(&kept.lock);
    if (found == NULL) {
        return NULL;
    }
    arena_defer(a, unref, found);
    return found->tree;
}

/* Takes the caller's reference over. */
static void keep(kept_schema *s)
{
    kept_schema *replaced;

    mutex_lock(&kept.lock);
    replaced = kept.items[kept.next];
    kept.items[kept.next] = s;
    kept.next = (kept.next + 1) % KEPT;
    mutex_unlock(&kept.lock);
    unref(replaced);
}

status avro__schema_parse(str text, arena *a, const json **ret_schema, error *err)
{
    const json *found;
    kept_schema *made;
    arena *memory;
    status parsed;

    if (text.size > TEXT_BYTES_MAX) {
        return json_parse(text, a, ret_schema, err);
    }
    found = find(text, a);
    if (found != NULL) {
        *ret_schema = found;
        return STATUS_OK;
    }
    memory = arena_create();
    made = ARENA_NEW(memory, kept_schema);
    made->memory = memory;
    made->text = str_copy(memory, text);
    parsed = json_parse(made->text, memory, &made->tree, err);
    if (parsed != STATUS_OK) {
        arena_free(memory);
        return parsed;
    }
    ref_init(&made->refs);
    ref_take(&made->refs);
    arena_defer(a, unref, made);
    *ret_schema = made->tree;
    keep(made);
    return STATUS_OK;
}

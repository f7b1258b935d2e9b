/* Small objects that are read often, whole in memory: current versions, with what is known of them.
 *
 * A key that is about to change is taken out inside the changing transaction, and nothing is kept of it before that
 * has ended: so nobody reads an older version from here once another could be read from the rows. What a reader found
 * before such a change, and brings after it, is told by the count of changes. Keys share locks and counts by their
 * hash. */
#include "hot.h"

#include "tarn/base/map.h"
#include "tarn/base/ref.h"

#define HOT_SHARDS 64
#define HOT_OVERHEAD_BYTES \
    ((size_t)1024)        /* of an object beside its bytes: allocations, the map's entry */
#define HOT_NAME_MAX 1280 /* a bucket's name and a key; longer ones are not kept */

struct object_hot {
    refcount refs;
    arena *memory;
    object_info info;
    str bytes;
    size_t cost_bytes;
};

typedef struct hot_shard {
    mutex lock; /* all below */
    map *objects;
    size_t bytes;
    uint64_t changes; /* begun and ended */
    int changing;
} hot_shard;

struct hot_objects {
    size_t shard_bytes_max;
    hot_shard shards[HOT_SHARDS];
};

hot_objects *store__hot_create(int64_t bytes_max)
{
    hot_objects *hot = NEW(hot_objects);

    hot->shard_bytes_max = bytes_max > 0 ? (size_t)bytes_max / HOT_SHARDS : 0;
    for (size_t i = 0; i < HOT_SHARDS; i++) {
        mutex_init(&hot->shards[i].lock);
        hot->shards[i].objects = map_create(NULL);
    }
    return hot;
}

void store__hot_free(hot_objects *hot)
{
    if (hot == NULL) {
        return;
    }
    for (size_t i = 0; i < HOT_SHARDS; i++) {
        hot_shard *shard = &hot->shards[i];
        map_entry entry;

        for (size_t at = 0; map_next(shard->objects, &at, &entry);) {
            object_hot_release(entry.value);
        }
        map_free(shard->objects);
        mutex_release(&shard->lock);
    }
    mem_free(hot);
}

/* A bucket's name holds no NUL, so no two (bucket, key) have one name. */
static bool name_of(str bucket, str key, char room[HOT_NAME_MAX], str *ret_name)
{
    if (bucket.size + 1 + key.size > HOT_NAME_MAX) {
        return false;
    }
    memcpy(room, bucket.data, bucket.size);
    room[bucket.size] = '\0';
    memcpy(room + bucket.size + 1, key.data, key.size);
    *ret_name = str_from(room, bucket.size + 1 + key.size);
    return true;
}

static hot_shard *shard_of(hot_objects *hot, str name)
{
    return &hot->shards[str_hash(name) % HOT_SHARDS];
}

static void take_out(hot_shard *shard, str name)
{
    object_hot *object = map_remove(shard->objects, name);

    if (object != NULL) {
        shard->bytes -= object->cost_bytes;
        object_hot_release(object);
    }
}

/* ---- changes ---- */

static void change_ended(void *context, state_outcome outcome)
{
    hot_shard *shard = context;

    (void)outcome;
    mutex_lock(&shard->lock);
    shard->changing--;
    shard->changes++;
    mutex_unlock(&shard->lock);
}

void store__hot_changes(storage *st, state_txn *txn, str bucket, str key)
{
    char room[HOT_NAME_MAX];
    hot_shard *shard;
    str name;

    if (st->hot->shard_bytes_max == 0 || !name_of(bucket, key, room, &name)) {
        return;
    }
    shard = shard_of(st->hot, name);
    mutex_lock(&shard->lock);
    take_out(shard, name);
    shard->changing++;
    shard->changes++;
    mutex_unlock(&shard->lock);
    state_at_end(txn, change_ended, shard);
}

/* ---- reading ---- */

const object_hot *object_peek(storage *st, str bucket, str key)
{
    object_hot *object = NULL;
    char room[HOT_NAME_MAX];
    hot_shard *shard;
    str name;

    if (st->hot->shard_bytes_max == 0 || !name_of(bucket, key, room, &name)) {
        return NULL;
    }
    shard = shard_of(st->hot, name);
    mutex_lock(&shard->lock);
    object = map_get(shard->objects, name);
    if (object != NULL) {
        ref_take(&object->refs);
    }
    mutex_unlock(&shard->lock);
    return object;
}

const object_info *object_hot_info(const object_hot *object)
{
    return &object->info;
}

str object_hot_bytes(const object_hot *object)
{
    return object->bytes;
}

void object_hot_release(const object_hot *object)
{
    union { /* the counter is what changes of a shared object */
        const object_hot *shared;
        object_hot *own;
    } it = {.shared = object};

    if (object != NULL && ref_drop(&it.own->refs)) {
        arena_free(it.own->memory);
        mem_free(it.own);
    }
}

/* ---- keeping ---- */

/* The oldest go. */
static void make_room(hot_shard *shard, size_t wanted, size_t bytes_max)
{
    map_entry oldest;

    while (shard->bytes + wanted > bytes_max) {
        size_t at = 0;

        if (!map_next(shard->objects, &at, &oldest)) {
            return;
        }
        take_out(shard, oldest.key);
    }
}

static void keep(storage *st, str name, uint64_t changes, object_hot *object)
{
    hot_shard *shard = shard_of(st->hot, name);

    mutex_lock(&shard->lock);
    if (shard->changing == 0 && shard->changes == changes &&
        object->cost_bytes <= st->hot->shard_bytes_max) {
        take_out(shard, name);
        make_room(shard, object->cost_bytes, st->hot->shard_bytes_max);
        ref_take(&object->refs);
        (void)map_set(shard->objects, name, object);
        shard->bytes += object->cost_bytes;
    }
    mutex_unlock(&shard->lock);
}

static uint64_t changes_of(storage *st, str name)
{
    hot_shard *shard = shard_of(st->hot, name);
    uint64_t changes;

    mutex_lock(&shard->lock);
    changes = shard->changes;
    mutex_unlock(&shard->lock);
    return changes;
}

static status read_whole(storage *st, str bucket, str key, object_hot *object, error *err)
{
    store_reader *reader;
    status result;

    TRY(object_open(st, bucket, key, STR_NULL, object->memory, &object->info, &reader, err));
    result =
        object->info.size_bytes > (int64_t)HOT_OBJECT_BYTES_MAX
            ? error_set(err, STATUS_TOO_LARGE, "object \"%.*s\" is not small", STR_ARG(key))
            : store__read_whole(reader, HOT_OBJECT_BYTES_MAX, object->memory, &object->bytes, err);
    store_reader_close(reader);
    return result;
}

status object_load(storage *st, str bucket, str key, const object_hot **ret_object, error *err)
{
    char room[HOT_NAME_MAX];
    object_hot *object = NEW(object_hot);
    uint64_t changes = 0;
    str name = STR_NULL;
    bool named = st->hot->shard_bytes_max > 0 && name_of(bucket, key, room, &name);
    status result;

    ref_init(&object->refs);
    object->memory = arena_create();
    if (named) {
        changes = changes_of(st, name); /* before the row is read */
    }
    result = read_whole(st, bucket, key, object, err);
    if (result != STATUS_OK) {
        object_hot_release(object);
        return result;
    }
    object->cost_bytes = arena_used_bytes(object->memory) + object->bytes.size + HOT_OVERHEAD_BYTES;
    if (named &&
        !object->info.attributes.encrypted) { /* plain bytes stay only where they were plain */
        keep(st, name, changes, object);
    }
    *ret_object = object;
    return STATUS_OK;
}

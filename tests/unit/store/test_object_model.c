/* timeout: 300 */
/* Claims about one key under many threads: reads and writes have an order that all of them could have seen, conditions
 * are looked at with the change, and nobody reads a half. */
#include "object_world.h"
#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/base/thread.h"

#define THREADS 8
#define STEPS 60
#define EVENTS_MAX (THREADS * STEPS)

/* An operation on the key: it happened at some time between begin and end. Value 0: there was nothing. */
typedef struct event {
    bool is_read;
    int64_t begin, end;
    int value;
} event;

typedef struct history {
    world *w;
    mutex lock;
    event events[EVENTS_MAX];
    size_t count;
    int failures;
    _Atomic int next_value;
    _Atomic int64_t time;
} history;

static str key_of(int large)
{
    return large != 0 ? STR("large") : STR("small");
}

/* Says its value everywhere, so that a half of another is seen. */
static str bytes_of(int value, int large, arena *a)
{
    size_t count = large != 0 ? 40000 : 200;
    int *bytes = ARENA_ARRAY(a, int, count);

    for (size_t i = 0; i < count; i++) {
        bytes[i] = value;
    }
    return str_from((const char *)bytes, count * sizeof(int));
}

static status put_value(history *h, int value, int large, const object_conditions *conditions,
                        arena *a)
{
    str bytes = bytes_of(value, large, a);
    object_write what = {.bucket = BUCKET, .key = key_of(large), .size_bytes = (int64_t)bytes.size};
    object_info info;

    return write_object(h->w->storage, &what, bytes, 30000, conditions, a, &info, NULL);
}

/* `*ret_value` -1 where the bytes are not of one value. */
static status get_value(history *h, int large, arena *a, int *ret_value, str *ret_etag)
{
    store_reader *reader;
    object_info info;
    status read;
    int *bytes;
    size_t got;

    *ret_value = 0;
    read = object_open(h->w->storage, BUCKET, key_of(large), STR_NULL, a, &info, &reader, NULL);
    if (read == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(read);
    bytes = arena_alloc(a, (size_t)info.size_bytes + 1);
    read = store_reader_read(reader, bytes, (size_t)info.size_bytes, 0, &got, NULL);
    store_reader_close(reader);
    TRY(read);
    *ret_value = bytes[0];
    *ret_etag = info.etag;
    for (size_t i = 0; i < got / sizeof(int); i++) {
        *ret_value = bytes[i] == bytes[0] ? *ret_value : -1;
    }
    return STATUS_OK;
}

static status delete_value(history *h, int large, arena *a)
{
    object_delete_request request = {
        .key = key_of(large), .version = STR_NULL, .conditions = OBJECT_CONDITIONS_NONE};
    object_delete_result result;

    TRY(object_delete(h->w->storage, BUCKET, &request, 1, a, &result, NULL));
    return result.result;
}

static void note(history *h, event e, bool failed)
{
    mutex_lock(&h->lock);
    h->failures += failed;
    h->events[h->count++] = e;
    mutex_unlock(&h->lock);
}

static void step(history *h, rng *r, int large)
{
    arena *a = arena_create();
    uint64_t dice = rng_below(r, 10);
    event e = {.is_read = dice < 5, .begin = h->time++};
    status done;
    str etag;

    if (e.is_read) {
        done = get_value(h, large, a, &e.value, &etag);
    } else if (dice < 9) {
        e.value = ++h->next_value;
        done = put_value(h, e.value, large, NULL, a);
    } else {
        done = delete_value(h, large, a);
    }
    e.end = h->time++;
    note(h, e, done != STATUS_OK);
    arena_free(a);
}

static void run_small(void *context, size_t index)
{
    rng r;

    rng_seed(&r, index + 1);
    for (int i = 0; i < STEPS; i++) {
        step(context, &r, 0);
    }
}

static void run_large(void *context, size_t index)
{
    rng r;

    rng_seed(&r, index + 100);
    for (int i = 0; i < STEPS; i++) {
        step(context, &r, 1);
    }
}

/* Whether a write that makes another value lies wholly between `from` and `to`. */
static bool is_overwritten(const history *h, int value, int64_t from, int64_t to)
{
    for (size_t i = 0; i < h->count; i++) {
        const event *e = &h->events[i];

        if (!e->is_read && e->value != value && e->begin > from && e->end < to) {
            return true;
        }
    }
    return false;
}

/* Values are written once each: a read of one has one write that it follows. Deletes all write 0, of which any will do,
 * and so does the beginning. */
static bool has_source(const history *h, const event *read)
{
    if (read->value == 0 && !is_overwritten(h, 0, -1, read->begin)) {
        return true;
    }
    for (size_t i = 0; i < h->count; i++) {
        const event *e = &h->events[i];

        if (!e->is_read && e->value == read->value && e->begin < read->end &&
            !is_overwritten(h, e->value, e->end, read->begin)) {
            return true;
        }
    }
    return false;
}

static const event *write_of(const history *h, int value)
{
    for (size_t i = 0; i < h->count; i++) {
        if (!h->events[i].is_read && h->events[i].value == value) {
            return &h->events[i];
        }
    }
    return NULL;
}

/* No read is followed by one of a value that was written wholly before the first one's. */
static bool goes_back(const history *h, const event *first, const event *second)
{
    const event *newer = write_of(h, first->value);
    const event *older = write_of(h, second->value);

    return first->value > 0 && second->value > 0 && first->value != second->value &&
           first->end < second->begin && older->end < newer->begin;
}

static void check(const history *h)
{
    assert_int_equal(h->failures, 0);
    for (size_t i = 0; i < h->count; i++) {
        const event *e = &h->events[i];

        if (!e->is_read) {
            continue;
        }
        assert_true(e->value >= 0);
        assert_true(has_source(h, e));
        for (size_t j = 0; j < h->count; j++) {
            assert_false(h->events[j].is_read && goes_back(h, e, &h->events[j]));
        }
    }
}

static void run_history(fixture *f, void (*run)(void *context, size_t index))
{
    world w = world_open(f);
    history *h = ARENA_NEW(f->arena, history);

    h->w = &w;
    mutex_init(&h->lock);
    parallel_for(THREADS, THREADS, run, h);
    mutex_release(&h->lock);
    check(h);
    world_close(&w);
}

static void test_reads_and_writes_of_a_small_object_have_an_order(void **context)
{
    run_history(*context, run_small);
}

static void test_reads_and_writes_of_a_large_object_have_an_order(void **context)
{
    run_history(*context, run_large);
}

/* Reads, adds one, writes if nobody else did: no step is lost. */
static void count_up(void *context, size_t index)
{
    history *h = context;

    (void)index;
    for (int i = 0; i < 10;) {
        arena *a = arena_create();
        object_conditions same = OBJECT_CONDITIONS_NONE;
        status done;
        int value;

        done = get_value(h, 0, a, &value, &same.if_match);
        if (done == STATUS_OK && value == 0) {
            same.if_match = STR_NULL;
            same.if_none_match = STR("*");
        }
        if (done == STATUS_OK) {
            done = put_value(h, value + 1, 0, &same, a);
        }
        i += done == STATUS_OK;
        if (done != STATUS_OK && done != STATUS_PRECONDITION) {
            note(h, (event){.is_read = true}, true);
            i = 10;
        }
        arena_free(a);
    }
}

static void test_conditions_let_one_of_many_through(void **context)
{
    fixture *f = *context;
    world w = world_open(f);
    history *h = ARENA_NEW(f->arena, history);
    int value = -1;
    str etag;

    h->w = &w;
    mutex_init(&h->lock);
    parallel_for(THREADS, THREADS, count_up, h);
    mutex_release(&h->lock);
    assert_int_equal(h->failures, 0);
    EXPECT_OK(get_value(h, 0, f->arena, &value, &etag));
    assert_int_equal(value, THREADS * 10);
    world_close(&w);
}

TESTS(test_reads_and_writes_of_a_small_object_have_an_order,
      test_reads_and_writes_of_a_large_object_have_an_order,
      test_conditions_let_one_of_many_through)

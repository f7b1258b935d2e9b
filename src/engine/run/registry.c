/* A list of queries, newest first. */
#include "run/registry.h"

#include "tarn/base/clock.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

#define SQL_KEPT_BYTES 4096

void registry_init(registry *r)
{
    *r = (registry){0};
    mutex_init(&r->lock);
}

static void forget(registry *r, registry_entry *entry)
{
    if (entry->newer != NULL) {
        entry->newer->older = entry->older;
    } else {
        r->newest = entry->older;
    }
    if (entry->older != NULL) {
        entry->older->newer = entry->newer;
    } else {
        r->oldest = entry->newer;
    }
    arena_free(entry->memory);
}

void registry_release(registry *r)
{
    while (r->newest != NULL) {
        forget(r, r->newest);
    }
    mutex_release(&r->lock);
}

/* Cut at a character's boundary. */
static str cut_sql(str sql)
{
    size_t size = sql.size < SQL_KEPT_BYTES ? sql.size : SQL_KEPT_BYTES;
    while (size < sql.size && size > 0 && ((unsigned char)sql.data[size] & 0xc0) == 0x80) {
        size--;
    }
    return str_slice(sql, 0, size);
}

registry_entry *registry_begin(registry *r, const principal *who, str id, str sql)
{
    arena *a = arena_create();
    registry_entry *entry = ARENA_NEW(a, registry_entry);
    char fresh[37];

    random_uuid(fresh);
    entry->memory = a;
    entry->id = str_copy(a, id.size > 0 && id.size < sizeof(fresh) ? id : str_c(fresh));
    entry->principal_id = str_copy(a, who->id);
    entry->principal_name = str_copy(a, who->name);
    entry->sql = str_copy(a, cut_sql(sql));
    entry->state = QUERY_QUEUED;
    entry->started_us = clock_now_us();
    entry->started_ns = clock_mono_ns();
    atomic_init(&entry->cancelled, false);
    mutex_lock(&r->lock);
    entry->older = r->newest;
    if (r->newest != NULL) {
        r->newest->newer = entry;
    } else {
        r->oldest = entry;
    }
    r->newest = entry;
    mutex_unlock(&r->lock);
    return entry;
}

void registry_running(registry *r, registry_entry *entry)
{
    mutex_lock(&r->lock);
    entry->state = QUERY_RUNNING;
    mutex_unlock(&r->lock);
}

static bool has_ended(const registry_entry *entry)
{
    return entry->state != QUERY_QUEUED && entry->state != QUERY_RUNNING;
}

void registry_end(registry *r, registry_entry *entry, status result, const error *err,
                  int64_t row_count)
{
    mutex_lock(&r->lock);
    entry->state = result == STATUS_OK          ? QUERY_DONE
                   : result == STATUS_CANCELLED ? QUERY_CANCELLED
                                                : QUERY_FAILED;
    entry->elapsed_ms = (clock_mono_ns() - entry->started_ns) / 1000000;
    entry->row_count = row_count;
    if (result != STATUS_OK && err != NULL) {
        entry->error_message = str_copy(entry->memory, str_c(err->message));
    }
    r->ended++;
    for (registry_entry *old = r->oldest; old != NULL && r->ended > REGISTRY_ENDED_MAX;) {
        registry_entry *next = old->newer;
        if (has_ended(old)) {
            forget(r, old);
            r->ended--;
        }
        old = next;
    }
    mutex_unlock(&r->lock);
}

bool registry_is_cancelled(const registry_entry *entry)
{
    return atomic_load(&entry->cancelled);
}

static query_info describe(const registry_entry *entry, arena *a)
{
    return (query_info){
        .id = str_copy(a, entry->id),
        .principal_name = str_copy(a, entry->principal_name),
        .sql = str_copy(a, entry->sql),
        .state = entry->state,
        .started_us = entry->started_us,
        .elapsed_ms =
            has_ended(entry) ? entry->elapsed_ms : (clock_mono_ns() - entry->started_ns) / 1000000,
        .row_count = entry->row_count,
        .error_message = str_copy(a, entry->error_message),
    };
}

static bool is_visible(const registry_entry *entry, str principal_id)
{
    return str_is_null(principal_id) || str_equal(entry->principal_id, principal_id);
}

void registry_list(registry *r, str principal_id, arena *a, query_info **ret_list,
                   size_t *ret_count)
{
    VEC(query_info) list = {0};
    mutex_lock(&r->lock);
    for (const registry_entry *entry = r->newest; entry != NULL; entry = entry->older) {
        if (is_visible(entry, principal_id)) {
            vec_push(a, &list, describe(entry, a));
        }
    }
    mutex_unlock(&r->lock);
    *ret_list = list.items;
    *ret_count = list.count;
}

static registry_entry *find(const registry *r, str principal_id, str id)
{
    registry_entry *entry = r->newest;
    while (entry != NULL && !(str_equal_nocase(entry->id, id) && is_visible(entry, principal_id))) {
        entry = entry->older;
    }
    return entry;
}

static status not_found(str id, error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "query \"%.*s\" does not exist", STR_ARG(id));
}

status registry_get(registry *r, str principal_id, str id, arena *a, query_info *ret_info,
                    error *err)
{
    mutex_lock(&r->lock);
    const registry_entry *entry = find(r, principal_id, id);
    if (entry != NULL) {
        *ret_info = describe(entry, a);
    }
    mutex_unlock(&r->lock);
    return entry != NULL ? STATUS_OK : not_found(id, err);
}

status registry_cancel(registry *r, str principal_id, str id, error *err)
{
    mutex_lock(&r->lock);
    registry_entry *entry = find(r, principal_id, id);
    bool running = entry != NULL && !has_ended(entry);
    if (running) {
        atomic_store(&entry->cancelled, true);
    }
    mutex_unlock(&r->lock);
    if (entry != NULL && !running) {
        return error_set(err, STATUS_NOT_FOUND, "query \"%.*s\" has ended", STR_ARG(id));
    }
    return entry != NULL ? STATUS_OK : not_found(id, err);
}

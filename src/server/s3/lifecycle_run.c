/* Doing what lifecycle rules say: a thread that walks the buckets that have some, several times a day. It remembers
 * nothing: each round looks at everything that is there, page by page, so a stop in between loses nothing. What it lets
 * go goes through the store's deleting, with conditions (an object that was replaced meanwhile stays) and locks. */
#include <inttypes.h>

#include "metrics.h"
#include "s3/lifecycle.h"
#include "tarn/base/clock.h"
#include "tarn/base/log.h"
#include "tarn/base/thread.h"

#define PAGE 500
#define BUCKETS 100
#define ROUNDS_A_DAY 10
#define ROUND_MS_MIN 1000

struct lifecycle_runner {
    storage *st;
    const catalog *tables;
    int64_t day_ms;
    thread thread;
    mutex lock;
    cond closing_changed;
    bool closing;
};

static _Atomic int64_t expired_total;
static _Atomic int64_t noncurrent_total;
static _Atomic int64_t markers_total;
static _Atomic int64_t aborted_total;

/* One bucket's round. */
typedef struct sweep {
    storage *st;
    const catalog *tables; /* whose buckets are left alone; NULL: none */
    str bucket;
    const lifecycle_rule *rules;
    size_t rule_count;
    int64_t now_us, day_us;
    lifecycle_counts *counts;

    /* the entry before, of the key that the walk is at */
    str key;
    int64_t newer_us;    /* when what came before it was made: since then it is no longer current */
    int64_t noncurrents; /* of the key, so far */
    /* a marker that would go if nothing else of its key came */
    bool lonely;
    object_delete_request marker;

    object_delete_request requests[PAGE + 1];
    size_t count;
    arena *page;  /* of one page */
    arena *state; /* what is carried over pages */
} sweep;

static int64_t round_up(int64_t at_us, int64_t day_us)
{
    int64_t past_us = at_us % day_us;

    return past_us == 0 ? at_us : at_us + day_us - past_us;
}

static bool is_due(const sweep *s, const lifecycle_rule *rule, const object_info *info)
{
    int64_t at_us = lifecycle_expires_at(rule, info, s->day_us);

    return at_us > 0 && at_us <= s->now_us && lifecycle_fits(rule, info);
}

static void request_delete(sweep *s, object_delete_request request)
{
    s->requests[s->count++] = request;
}

static object_delete_request request_for(const object_info *info)
{
    return (object_delete_request){.key = info->key,
                                   .version = info->version.size > 0 ? info->version : STR("null"),
                                   .conditions = OBJECT_CONDITIONS_NONE};
}

/* --- of one key, newest first --- */

static void settle_marker(sweep *s)
{
    if (s->lonely) {
        request_delete(s, s->marker);
        s->counts->markers++;
        s->lonely = false;
    }
}

static void look_at_current(sweep *s, const object_info *info)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        object_delete_request request = request_for(info);

        if (!is_due(s, &s->rules[i], info)) {
            continue;
        }
        request.version = STR_NULL; /* a marker where the bucket has versions */
        request.conditions.if_match = info->etag;
        request.conditions.if_modified_us = info->modified_us;
        request_delete(s, request);
        s->counts->expired++;
        return;
    }
}

static void look_at_marker(sweep *s, const object_info *info)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        const lifecycle_rule *rule = &s->rules[i];

        if ((rule->expired_marker && lifecycle_fits(rule, info)) ||
            (rule->days > 0 && is_due(s, rule, info))) {
            s->marker = request_for(info);
            s->marker.key = str_copy(s->state, info->key);
            s->marker.version = str_copy(s->state, s->marker.version);
            s->lonely = true;
            return;
        }
    }
}

static void look_at_noncurrent(sweep *s, const object_info *info)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        const lifecycle_rule *rule = &s->rules[i];

        if (rule->noncurrent_days > 0 && s->noncurrents >= rule->noncurrent_keep &&
            lifecycle_fits(rule, info) &&
            round_up(s->newer_us + rule->noncurrent_days * s->day_us, s->day_us) <= s->now_us) {
            request_delete(s, request_for(info));
            s->counts->noncurrent++;
            return;
        }
    }
}

static void look_at(sweep *s, const object_info *info)
{
    if (info->is_latest || !str_equal(info->key, s->key)) {
        settle_marker(s);
        s->key = str_copy(s->state, info->key);
        s->noncurrents = 0;
        if (info->is_marker) {
            look_at_marker(s, info);
        } else {
            look_at_current(s, info);
        }
    } else {
        s->lonely = false;
        look_at_noncurrent(s, info);
        s->noncurrents++;
    }
    s->newer_us = info->modified_us;
}

/* --- of one bucket --- */

static status delete_requested(sweep *s, error *err)
{
    object_delete_result *results = ARENA_ARRAY(s->page, object_delete_result, s->count + 1);
    status deleted = STATUS_OK;

    if (s->count > 0) { /* a refusal (a lock, a newer object) is as it should be */
        deleted = object_delete(s->st, s->bucket, s->requests, s->count, s->page, results, err);
    }
    s->count = 0;
    return deleted;
}

/* `memory` is what the place to go on from is kept in. */
static status sweep_page(sweep *s, object_listing *what, arena *memory, bool *ret_more, error *err)
{
    object_page page;

    TRY(object_list(s->st, what, s->page, &page, err));
    for (size_t i = 0; i < page.count; i++) {
        look_at(s, &page.entries[i].info);
    }
    if (!page.truncated) {
        settle_marker(s);
    }
    what->after = str_copy(memory, page.next_after);
    what->after_version = str_copy(memory, page.next_after_version);
    what->after_place = page.next_after_place;
    what->after_us = page.next_after_us;
    *ret_more = page.truncated;
    return delete_requested(s, err);
}

/* What is carried from page to page moves on with it: memory follows the page, not the bucket. */
static void carry_over(sweep *s, object_listing *what)
{
    arena *next = arena_create();

    s->key = str_copy(next, s->key);
    s->marker.key = str_copy(next, s->marker.key);
    s->marker.version = str_copy(next, s->marker.version);
    what->after = str_copy(next, what->after);
    what->after_version = str_copy(next, what->after_version);
    arena_free(s->state);
    s->state = next;
}

static bool is_closing(lifecycle_runner *r)
{
    bool closing;

    if (r == NULL) {
        return false;
    }
    mutex_lock(&r->lock);
    closing = r->closing;
    mutex_unlock(&r->lock);
    return closing;
}

static status sweep_objects(lifecycle_runner *r, sweep *s, error *err)
{
    object_listing what = {.bucket = s->bucket,
                           .prefix = STR(""),
                           .delimiter = STR(""),
                           .after = STR_NULL,
                           .after_version = STR_NULL,
                           .max = PAGE,
                           .versions = true,
                           .with_attributes = true};
    status swept = STATUS_OK;
    bool more = true;

    s->key = STR_NULL;
    s->lonely = false;
    s->state = arena_create();
    while (swept == STATUS_OK && more && !is_closing(r)) {
        s->page = arena_create();
        swept = sweep_page(s, &what, s->state, &more, err);
        carry_over(s, &what);
        arena_free(s->page);
    }
    arena_free(s->state);
    return swept;
}

static bool upload_is_due(const sweep *s, const upload_info *upload)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        const lifecycle_rule *rule = &s->rules[i];

        if (rule->enabled && rule->abort_days > 0 && str_starts_with(upload->key, rule->prefix) &&
            round_up(upload->created_us + rule->abort_days * s->day_us, s->day_us) <= s->now_us) {
            return true;
        }
    }
    return false;
}

static status sweep_uploads(lifecycle_runner *r, sweep *s, arena *a, error *err)
{
    upload_page page = {.truncated = true, .next_key = STR_NULL, .next_id = STR_NULL};

    while (page.truncated && !is_closing(r)) {
        TRY(upload_list(s->st, s->bucket, STR(""), STR(""), page.next_key, page.next_id, PAGE, a,
                        &page, err));
        for (size_t i = 0; i < page.count; i++) {
            const upload_info *upload = &page.uploads[i];

            if (upload_is_due(s, upload) &&
                upload_abort(s->st, s->bucket, upload->key, upload->id, NULL) == STATUS_OK) {
                s->counts->aborted++;
            }
        }
    }
    return STATUS_OK;
}

static bool aborts_uploads(const sweep *s)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        if (s->rules[i].enabled && s->rules[i].abort_days > 0) {
            return true;
        }
    }
    return false;
}

static bool lets_objects_go(const sweep *s)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        const lifecycle_rule *rule = &s->rules[i];

        if (rule->enabled && (rule->days > 0 || rule->date_us > 0 || rule->expired_marker ||
                              rule->noncurrent_days > 0)) {
            return true;
        }
    }
    return false;
}

static status sweep_bucket(lifecycle_runner *r, sweep *s, const bucket_info *bucket, arena *a,
                           error *err)
{
    const xml_element *root;
    lifecycle_rule *rules;

    s->bucket = bucket->name;
    TRY(xml_parse(bucket_document(bucket, "lifecycle"), a, &root, err));
    TRY(lifecycle_parse(root, a, &rules, &s->rule_count, err));
    s->rules = rules;
    if (lets_objects_go(s)) {
        TRY(sweep_objects(r, s, err));
    }
    return aborts_uploads(s) ? sweep_uploads(r, s, a, err) : STATUS_OK;
}

/* --- all --- */

/* Rules that a bucket had before tables lay in it would delete files of live ones. */
static bool holds_tables(const sweep *s, str bucket)
{
    return s->tables != NULL && catalog_holds_bucket(s->tables, bucket);
}

static status sweep_buckets(lifecycle_runner *r, sweep *s, arena *memory, error *err)
{
    bucket_info *buckets;
    size_t count = BUCKETS;
    str after = STR_NULL;

    while (count == BUCKETS && !is_closing(r)) {
        TRY(bucket_list(s->st, STR_NULL, STR(""), after, BUCKETS, memory, &buckets, &count, err));
        for (size_t i = 0; i < count && !is_closing(r); i++) {
            error own = ERROR_INIT;
            arena *a = arena_child(memory);

            if (!str_is_null(bucket_document(&buckets[i], "lifecycle")) &&
                !holds_tables(s, buckets[i].name) &&
                sweep_bucket(r, s, &buckets[i], a, &own) != STATUS_OK &&
                own.kind != STATUS_NOT_FOUND) { /* deleted meanwhile */
                error_context(&own, "lifecycle of bucket \"%.*s\"", STR_ARG(buckets[i].name));
                log_failure("lifecycle rules not followed", &own);
            }
            arena_free(a);
        }
        after = count > 0 ? buckets[count - 1].name : after;
    }
    return STATUS_OK;
}

static status run_round(lifecycle_runner *r, storage *st, const catalog *tables, int64_t now_us,
                        int64_t day_us, lifecycle_counts *counts, error *err)
{
    arena *memory = arena_create();
    sweep *s = ARENA_NEW(memory, sweep);
    status swept;

    s->st = st;
    s->tables = tables;
    s->now_us = now_us;
    s->day_us = day_us;
    s->counts = counts;
    swept = sweep_buckets(r, s, memory, err);
    arena_free(memory);
    return swept;
}

status lifecycle_run_once(storage *st, const catalog *tables, int64_t now_us, int64_t day_us,
                          lifecycle_counts *ret_counts, error *err)
{
    lifecycle_counts counts = {0};

    TRY(run_round(NULL, st, tables, now_us, day_us, &counts, err));
    *ret_counts = counts;
    return STATUS_OK;
}

/* --- the thread --- */

static bool wait_for_round(lifecycle_runner *r, int64_t wait_ms)
{
    int64_t deadline_ns = clock_mono_ns() + wait_ms * 1000000;
    bool closing;

    mutex_lock(&r->lock);
    while (!r->closing && cond_wait_until(&r->closing_changed, &r->lock, deadline_ns)) {}
    closing = r->closing;
    mutex_unlock(&r->lock);
    return !closing;
}

static void run(void *context)
{
    lifecycle_runner *r = context;
    int64_t wait_ms =
        r->day_ms / ROUNDS_A_DAY > ROUND_MS_MIN ? r->day_ms / ROUNDS_A_DAY : ROUND_MS_MIN;

    while (wait_for_round(r, wait_ms)) {
        lifecycle_counts counts = {0};
        error err = ERROR_INIT;

        if (run_round(r, r->st, r->tables, clock_now_us(), r->day_ms * 1000, &counts, &err) !=
            STATUS_OK) {
            log_failure("lifecycle rules not followed", &err);
        }
        expired_total += counts.expired;
        noncurrent_total += counts.noncurrent;
        markers_total += counts.markers;
        aborted_total += counts.aborted;
    }
}

status lifecycle_start(storage *st, const catalog *tables, int64_t day_ms,
                       lifecycle_runner **ret_runner, error *err)
{
    lifecycle_runner *r = NEW(lifecycle_runner);
    status started;

    r->st = st;
    r->tables = tables;
    r->day_ms = day_ms > 0 ? day_ms : 1;
    mutex_init(&r->lock);
    cond_init(&r->closing_changed);
    started = thread_start(&r->thread, "s3-lifecycle", run, r, err);
    if (started != STATUS_OK) {
        lifecycle_stop(r);
        return started;
    }
    *ret_runner = r;
    return STATUS_OK;
}

void lifecycle_stop(lifecycle_runner *r)
{
    if (r == NULL) {
        return;
    }
    mutex_lock(&r->lock);
    r->closing = true;
    cond_broadcast(&r->closing_changed);
    mutex_unlock(&r->lock);
    thread_join(&r->thread);
    cond_release(&r->closing_changed);
    mutex_release(&r->lock);
    mem_free(r);
}

void lifecycle_format_metrics(buf *out)
{
    const struct {
        const char *action;
        int64_t count;
    } rows[] = {{"expiration", expired_total},
                {"noncurrent", noncurrent_total},
                {"expired_marker", markers_total},
                {"abort_upload", aborted_total}};

    const char *name = metrics_begin_family(METRIC_S3_LIFECYCLE, out);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_printf(out, "%s{action=\"%s\"} %" PRId64 "\n", name, rows[i].action, rows[i].count);
    }
}

/* Webhooks: one thread for each receiver reads the events behind its cursor and posts them one by one. The cursor moves
 * after the receiver took an event, so that a stop in between repeats events and loses none. A receiver that hangs or
 * fails holds up its own thread and nobody else's; how many there can be is bounded, and whether anything happened is
 * looked up once for all of them. Redirects are not followed. Sources: CloudEvents 1.0, structured mode of the HTTP
 * binding; HTTP 1.1 Web Hooks for event delivery §2.2 (429 with Retry-After, 410). */
#include "webhooks.h"

#include <stdio.h>

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/log.h"
#include "tarn/base/mem.h"
#include "tarn/base/thread.h"
#include "tarn/base/vec.h"
#include "tarn/codec/checksum.h"
#include "tarn/net/http_client.h"

#define RECEIVERS_MAX 64
#define BATCH 100
#define IDLE_MS 200
#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS (INT64_C(5) * 60 * 1000)
#define SEND_TIMEOUT_MS (INT64_C(30) * 1000)
#define NS_PER_MS INT64_C(1000000)
#define MAC_SIZE 32

typedef struct receiver {
    webhook_sender *sender;
    str url;  /* as the settings say */
    str base; /* scheme, host and port */
    const char *target;
    thread runner;
    int64_t sent_id; /* the last event that is known to be taken; -1: not looked up yet */
    _Atomic int64_t sent, failed, behind;
    /* When the oldest event happened that it is still to be told; 0: there is none. */
    _Atomic int64_t waiting_us;
    _Atomic bool is_failing;
    int64_t asked_ms; /* that it wants to be left alone after it refused; 0: it did not say */
    bool is_gone;     /* it does not want to be asked again */
} receiver;

struct webhook_sender {
    catalog *c;
    arena *memory;
    str secret, identity;
    receiver *receivers;
    size_t count;
    mutex lock;
    cond wake;
    /* The last event there is, and when that was asked; with the lock held. */
    int64_t last_id, looked_ns;
    _Atomic int stopping;
};

/* ---- one event ---- */

static str format_cloud_event(const webhook_sender *s, const catalog_event *e, arena *a)
{
    buf *body = buf_in(a, LIMIT_METADATA_FILE);
    json_writer w;
    char time[40];

    clock_format_utc(e->time_us, 6, time);
    json_writer_init(&w, body);
    json_begin_object(&w);
    json_member_c(&w, "specversion", "1.0");
    /* A database that was put back or rebuilt gives rows of events the same numbers again, at other times. */
    json_member_str(&w, "id", str_printf(a, "%lld-%lld", (long long)e->time_us, (long long)e->id));
    buf *source = buf_in(a, LIMIT_HTTP_TARGET);
    buf_add_c(source, "/tarn/");
    buf_add_str(source, s->identity);
    buf_add_char(source, '/');
    uri_encode(source, catalog_warehouse(s->c), "");
    json_member_str(&w, "source", buf_str(source));
    json_member_str(&w, "type", str_printf(a, "tarn.%s", event_kind_name(e->kind)));
    json_member_c(&w, "time", time);
    json_member_str(&w, "subject",
                    e->name.table.size > 0
                        ? str_printf(a, "%.*s.%.*s", STR_ARG(e->name.space), STR_ARG(e->name.table))
                        : e->name.space);
    json_member_c(&w, "datacontenttype", "application/json");
    json_key(&w, "data");
    event_format(e, &w);
    json_end_object(&w);
    return buf_str(body);
}

/* A date is not understood (RFC 9110 §10.2.3 has both forms): our own waiting does. */
static int64_t retry_after_ms(const http_answer *answer)
{
    int64_t seconds = 0;
    str text = http_answer_header(answer, "Retry-After");

    return !str_is_null(text) && str_to_int64(text, &seconds, NULL) == STATUS_OK && seconds > 0
               ? 1000 * (seconds < RETRY_LAST_MS / 1000 ? seconds : RETRY_LAST_MS / 1000)
               : 0;
}

static status post(receiver *r, http_client *client, const catalog_event *e, arena *a, error *err)
{
    const webhook_sender *s = r->sender;
    str body = format_cloud_event(s, e, a);
    http_header headers[3] = {
        {STR("Content-Type"), STR("application/cloudevents+json")},
        {STR("Expect"), STR("")}, /* not sent: many receivers let one wait for their leave */
    };
    size_t header_count = 2;
    http_answer answer;
    uint8_t mac[MAC_SIZE];

    if (s->secret.size > 0) {
        hmac_sha256(s->secret, body, mac);
        str hex = str_to_hex(a, mac, sizeof(mac));
        headers[header_count++] =
            (http_header){STR("X-Tarn-Signature"), str_printf(a, "sha256=%.*s", STR_ARG(hex))};
    }
    const http_call call = {.method = HTTP_POST,
                            .target = r->target,
                            .headers = headers,
                            .header_count = header_count,
                            .body = body,
                            .body_max_bytes = LIMIT_MIB,
                            .timeout_ms = SEND_TIMEOUT_MS,
                            .cancelled = &s->stopping};
    r->asked_ms = 0;
    TRY(http_client_send(client, &call, a, &answer, err));
    if (answer.status_code / 100 == 2) {
        return STATUS_OK;
    }
    r->is_gone = answer.status_code == 410;
    r->asked_ms = retry_after_ms(&answer);
    return error_set(err, STATUS_UNAVAILABLE, "it answered %d", answer.status_code);
}

/* ---- the thread of a receiver ---- */

/* The database is asked by one thread for all. */
static status find_last(webhook_sender *s, int64_t *ret_last_id, error *err)
{
    int64_t now_ns = clock_mono_ns();
    int64_t last_id = 0;

    mutex_lock(&s->lock);
    bool is_due = s->looked_ns == 0 || now_ns - s->looked_ns >= IDLE_MS * NS_PER_MS;
    s->looked_ns = is_due ? now_ns : s->looked_ns;
    *ret_last_id = s->last_id;
    mutex_unlock(&s->lock);
    if (is_due) {
        TRY(catalog_last_event(s->c, &last_id, err));
        mutex_lock(&s->lock);
        s->last_id = last_id > s->last_id ? last_id : s->last_id;
        *ret_last_id = s->last_id;
        mutex_unlock(&s->lock);
    }
    return STATUS_OK;
}

/* Some of what it is still to be told. */
static status read_events(receiver *r, arena *a, catalog_event **ret_list, size_t *ret_count,
                          int64_t *ret_last_id, error *err)
{
    webhook_sender *s = r->sender;
    int64_t last_id = 0;

    if (r->sent_id < 0) {
        TRY(catalog_read_webhook(s->c, r->url, &r->sent_id, &last_id, err));
    } else {
        TRY(find_last(s, &last_id, err));
    }
    *ret_count = 0;
    if (last_id > r->sent_id) {
        TRY(catalog_list_events(s->c, r->sent_id, STR_NULL, BATCH, a, ret_list, ret_count, err));
    }
    r->behind = last_id > r->sent_id ? last_id - r->sent_id : 0;
    r->waiting_us = *ret_count > 0 ? (*ret_list)[0].time_us : 0;
    *ret_last_id = last_id;
    return STATUS_OK;
}

/* `told` of the events were taken. */
static status advance(receiver *r, const catalog_event *list, size_t told, error *err)
{
    if (told > 0) {
        TRY(catalog_advance_webhook(r->sender->c, r->url, list[told - 1].id, err));
        r->sent_id = list[told - 1].id;
    }
    return STATUS_OK;
}

/* Tells what there is. `*ret_any`: there was something. How far it came is kept, also where it fails. */
static status tell(receiver *r, http_client *client, bool *ret_any, error *err)
{
    const webhook_sender *s = r->sender;
    arena *a = arena_create();
    catalog_event *list = NULL;
    size_t count = 0, told = 0;
    int64_t last_id = 0;
    error advancing = ERROR_INIT;
    status result = read_events(r, a, &list, &count, &last_id, err);

    while (result == STATUS_OK && told < count && !s->stopping) {
        arena *each = arena_child(a);
        result = post(r, client, &list[told], each, err);
        arena_free(each);
        if (result == STATUS_OK) {
            r->sent++;
            r->is_failing = false;
            r->behind = last_id > list[told].id ? last_id - list[told].id : 0;
            told++;
            r->waiting_us = told < count ? list[told].time_us : 0;
        }
    }
    status advanced = advance(r, list, told, &advancing);
    if (advanced != STATUS_OK && result == STATUS_OK) {
        result = advanced;
        *err = advancing;
    }
    arena_free(a);
    *ret_any = told > 0;
    return result;
}

static void wait_ms(webhook_sender *s, int64_t ms)
{
    int64_t until_ns = clock_mono_ns() + ms * NS_PER_MS;

    mutex_lock(&s->lock);
    while (!s->stopping && cond_wait_until(&s->wake, &s->lock, until_ns)) {}
    mutex_unlock(&s->lock);
}

static void run(void *context)
{
    receiver *r = context;
    webhook_sender *s = r->sender;
    http_client *client = http_client_create(r->base);
    int64_t retry_ms = 0;

    while (!s->stopping) {
        error err = ERROR_INIT;
        bool any = false;
        status result = tell(r, client, &any, &err);

        if (result == STATUS_OK) {
            retry_ms = 0;
            if (!any) {
                wait_ms(s, IDLE_MS);
            }
            continue;
        }
        if (s->stopping) {
            break;
        }
        r->failed++;
        r->is_failing = true;
        error_context(&err, "webhook \"%.*s\"", STR_ARG(r->base));
        if (r->is_gone) {
            log_failure("receiver is gone; it is asked again when the server starts", &err);
            break;
        }
        if (retry_ms == 0 || any) { /* the first of a row of failures is told */
            log_failure("event not taken; it is sent again", &err);
            retry_ms = RETRY_FIRST_MS;
        } else {
            retry_ms = 2 * retry_ms < RETRY_LAST_MS ? 2 * retry_ms : RETRY_LAST_MS;
        }
        wait_ms(s, retry_ms > r->asked_ms ? retry_ms : r->asked_ms);
    }
    http_client_free(client);
}

/* ---- all of them ---- */

static status add_receiver(webhook_sender *s, str url, error *err)
{
    size_t scheme = str_starts_with(url, STR("http://"))    ? sizeof("http://") - 1
                    : str_starts_with(url, STR("https://")) ? sizeof("https://") - 1
                                                            : 0;
    str rest = str_slice(url, scheme, url.size);
    size_t slash = str_find_char(rest, '/');
    size_t end = scheme + (slash == STR_NPOS ? rest.size : slash);

    if (scheme == 0 || end == scheme || str_find_char(str_slice(url, 0, end), '@') != STR_NPOS) {
        error_set(
            err, STATUS_USAGE,
            "setting \"catalog.webhooks\": \"%.*s\" is not http://host[:port][/path] or https://…",
            STR_ARG(url));
        return STATUS_USAGE;
    }
    if (s->count == RECEIVERS_MAX) {
        return error_set(err, STATUS_USAGE, "setting \"catalog.webhooks\": more than %d URLs",
                         RECEIVERS_MAX);
    }
    receiver *r = &s->receivers[s->count++];
    r->sender = s;
    r->sent_id = -1;
    r->url = str_copy(s->memory, url);
    r->base = str_slice(r->url, 0, end);
    r->target = end == url.size ? "/" : str_to_c(s->memory, str_slice(r->url, end, url.size));
    return STATUS_OK;
}

static status read_urls(webhook_sender *s, str urls, error *err)
{
    s->receivers = ARENA_ARRAY(s->memory, receiver, urls.size / 8 + 1); /* "http://x" at least */
    for (size_t at = 0; at < urls.size;) {
        size_t from = at;
        while (at < urls.size && urls.data[at] != ',' && urls.data[at] != ' ') {
            at++;
        }
        str url = str_slice(urls, from, at);
        at++;
        if (url.size == 0) {
            continue;
        }
        bool known = false;
        for (size_t i = 0; i < s->count; i++) {
            known = known || str_equal(s->receivers[i].url, url);
        }
        TRY(known ? STATUS_OK : add_receiver(s, url, err));
    }
    return STATUS_OK;
}

static status start_all(webhook_sender *s, str urls, error *err)
{
    TRY(read_urls(s, urls, err));
    str *known = ARENA_ARRAY(s->memory, str, s->count + 1);
    for (size_t i = 0; i < s->count; i++) {
        known[i] = s->receivers[i].url;
    }
    TRY(catalog_settle_webhooks(s->c, known, s->count, err));
    for (size_t i = 0; i < s->count; i++) {
        TRY(thread_start(&s->receivers[i].runner, "webhook", run, &s->receivers[i], err));
    }
    return STATUS_OK;
}

status webhooks_start(catalog *c, str identity, str urls, str secret, webhook_sender **ret_sender,
                      error *err)
{
    webhook_sender *s = NEW(webhook_sender);

    s->c = c;
    s->memory = arena_create();
    s->secret = str_copy(s->memory, secret);
    s->identity = str_copy(s->memory, identity);
    mutex_init(&s->lock);
    cond_init(&s->wake);
    status result = start_all(s, urls, err);
    if (result != STATUS_OK) {
        webhooks_stop(s);
        return result;
    }
    *ret_sender = s;
    return STATUS_OK;
}

void webhooks_stop(webhook_sender *s)
{
    if (s == NULL) {
        return;
    }
    mutex_lock(&s->lock);
    s->stopping = 1;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        thread_join(&s->receivers[i].runner);
    }
    cond_release(&s->wake);
    mutex_release(&s->lock);
    arena_free(s->memory);
    mem_free(s);
}

webhook_stats webhooks_read_stats(const webhook_sender *s)
{
    webhook_stats stats = {0};
    int64_t now_us = clock_now_us();

    for (size_t i = 0; s != NULL && i < s->count; i++) {
        int64_t waiting_us = s->receivers[i].waiting_us;
        int64_t lag_s = waiting_us > 0 && now_us > waiting_us ? (now_us - waiting_us) / 1000000 : 0;

        stats.lag_s = lag_s > stats.lag_s ? lag_s : stats.lag_s;
        stats.failing += s->receivers[i].is_failing ? 1 : 0;
        stats.sent += s->receivers[i].sent;
        stats.failed += s->receivers[i].failed;
        stats.behind =
            s->receivers[i].behind > stats.behind ? s->receivers[i].behind : stats.behind;
    }
    return stats;
}

/* Webhooks: one thread for each receiver reads the events behind its cursor and posts them one by one. The cursor moves
 * after the receiver took an event, so that a stop in between repeats events and loses none. Source: CloudEvents 1.0,
 * structured mode of the HTTP binding. */
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
    _Atomic int64_t sent, failed, behind;
} receiver;

struct webhook_sender {
    catalog *c;
    arena *memory;
    str secret, identity;
    receiver *receivers;
    size_t count;
    mutex lock;
    cond wake;
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
    uri_encode(source, catalog_warehouse(s->c), "");
    json_member_str(&w, "source", buf_str(source));
    json_member_str(&w, "type", str_printf(a, "tarn.%s", event_kind_name(e->kind)));
    json_member_c(&w, "time", time);
    json_member_str(&w, "subject",
                    e->name.table.size > 0
                        ? str_printf(a, "%.*s.%.*s", STR_ARG(e->name.space), STR_ARG(e->name.table))
                        : e->name.space);
    json_member_c(&w, "datacontenttype", "application/json");
    buf_add_str(source, s->identity);
    buf_add_char(source, '/');
    json_key(&w, "data");
    event_format(e, &w);
    json_end_object(&w);
    return buf_str(body);
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
    TRY(http_client_send(client, &call, a, &answer, err));
    return answer.status_code / 100 == 2
               ? STATUS_OK
               : error_set(err, STATUS_UNAVAILABLE, "it answered %d", answer.status_code);
}

/* ---- the thread of a receiver ---- */

/* Tells what there is. `*ret_any`: there was something. How far it came is kept, also where it fails. */
static status tell(receiver *r, http_client *client, bool *ret_any, error *err)
{
    const webhook_sender *s = r->sender;
    arena *a = arena_create();
    catalog_event *list = NULL;
    size_t count = 0, told = 0;
    int64_t sent_id = 0, last_id = 0;
    status result = catalog_read_webhook(s->c, r->url, &sent_id, &last_id, err);

    if (result == STATUS_OK && last_id > sent_id) {
        result = catalog_list_events(s->c, sent_id, STR_NULL, BATCH, a, &list, &count, err);
    }
    r->behind = last_id - sent_id;
    while (result == STATUS_OK && told < count && !s->stopping) {
        arena *each = arena_child(a);
        result = post(r, client, &list[told], each, err);
        arena_free(each);
        if (result == STATUS_OK) {
            r->sent++;
            r->behind = last_id - list[told].id;
            told++;
        }
    }
    if (told > 0) {
        error advancing = ERROR_INIT;
        status advanced = catalog_advance_webhook(s->c, r->url, list[told - 1].id, &advancing);
        if (advanced != STATUS_OK && result == STATUS_OK) {
            result = advanced;
            *err = advancing;
        }
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
        if (retry_ms == 0 || any) { /* the first of a row of failures is told */
            error_context(&err, "webhook \"%.*s\"", STR_ARG(r->base));
            log_failure("event not taken; it is sent again", &err);
            retry_ms = RETRY_FIRST_MS;
        } else {
            retry_ms = 2 * retry_ms < RETRY_LAST_MS ? 2 * retry_ms : RETRY_LAST_MS;
        }
        wait_ms(s, retry_ms);
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
    receiver *r = &s->receivers[s->count++];
    r->sender = s;
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

    for (size_t i = 0; s != NULL && i < s->count; i++) {
        stats.sent += s->receivers[i].sent;
        stats.failed += s->receivers[i].failed;
        stats.behind =
            s->receivers[i].behind > stats.behind ? s->receivers[i].behind : stats.behind;
    }
    return stats;
}
    s->identity = str_copy(s->memory, identity);

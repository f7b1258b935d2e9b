/* webhooks.h: events of the catalog sent to receivers over HTTP, as CloudEvents 1.0. */
#ifndef TARN_SERVER_OPS_WEBHOOKS_H
#define TARN_SERVER_OPS_WEBHOOKS_H

#include "tarn/catalog/event.h"
#include "tarn/codec/json.h"

/* An event as the API and the webhooks tell it: an object. */
void event_format(const catalog_event *e, json_writer *w);

/* One thread for each URL of `urls` (separated by commas or blanks), of which there are at most 64. Each is told every
 * event in order, at least once: how far it came is a row that follows an answer of 2xx; anything else is tried again,
 * ever more slowly. USAGE for what is no URL. */
typedef struct webhook_sender webhook_sender;
status webhooks_start(catalog *c, str identity, str urls, str secret, webhook_sender **ret_sender,
                      error *err);
void webhooks_stop(webhook_sender *s); /* NULL is fine */

typedef struct webhook_stats {
    int64_t sent, failed, behind; /* behind: events that the slowest is still to be told */
    int64_t lag_s;                /* how long ago the oldest of these happened */
    int64_t failing;              /* receivers whose last event was not taken */
} webhook_stats;
webhook_stats webhooks_read_stats(const webhook_sender *s); /* NULL is fine */

#endif

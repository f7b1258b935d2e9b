/* lifecycle.h: a bucket's lifecycle rules, parsed and checked, and the thread that does what they say. */
#ifndef TARN_SERVER_S3_LIFECYCLE_H
#define TARN_SERVER_S3_LIFECYCLE_H

#include "s3/s3.h"
#include "tarn/catalog/warehouse.h"

#define LIFECYCLE_RULES_MAX 1000

typedef struct lifecycle_rule {
    str id;
    bool enabled;
    /* the filter: all that is said must hold */
    bool old_form; /* Prefix of the rule itself, without Filter */
    str prefix;
    const object_pair *tags;
    size_t tag_count;
    int64_t size_greater, size_less; /* -1: not said */
    bool has_and;
    /* the actions; 0: not said */
    int64_t days;
    int64_t date_us;
    bool expired_marker; /* remove delete markers that are alone */
    int64_t noncurrent_days, noncurrent_keep;
    int64_t abort_days;
} lifecycle_rule;

/* MalformedXML, InvalidArgument, InvalidRequest, NotImplemented (transitions). */
status lifecycle_parse(const xml_element *root, arena *a, lifecycle_rule **ret_rules,
                       size_t *ret_count, error *err);
void lifecycle_format(const lifecycle_rule *rules, size_t count, buf *out);
bool lifecycle_fits(const lifecycle_rule *rule, const object_info *info);
/* When the rule lets the current version go; 0: never. `day_us` is how long a day is. */
int64_t lifecycle_expires_at(const lifecycle_rule *rule, const object_info *info, int64_t day_us);

/* ---- lifecycle_run.c ---- */

/* Follows the rules of all buckets but those that hold `tables`' (NULL: none do), ten times a day of `day_ms`. */
typedef struct lifecycle_runner lifecycle_runner;
status lifecycle_start(storage *st, const catalog *tables, int64_t day_ms,
                       lifecycle_runner **ret_runner, error *err);
void lifecycle_stop(lifecycle_runner *r); /* NULL is fine */

/* What one round asked the store for; locks may have refused some. */
typedef struct lifecycle_counts {
    int64_t expired;    /* current objects */
    int64_t noncurrent; /* older versions */
    int64_t markers;    /* delete markers that were alone */
    int64_t aborted;    /* uploads */
} lifecycle_counts;
/* One round as if it were `now_us`, in this thread. */
status lifecycle_run_once(storage *st, const catalog *tables, int64_t now_us, int64_t day_us,
                          lifecycle_counts *ret_counts, error *err);
void lifecycle_format_metrics(buf *out);

#endif

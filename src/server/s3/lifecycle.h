/* lifecycle.h: a bucket's lifecycle rules, parsed and checked. */
#ifndef TARN_SERVER_S3_LIFECYCLE_H
#define TARN_SERVER_S3_LIFECYCLE_H

#include "s3/s3.h"

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

#endif

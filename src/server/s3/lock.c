/* Object lock: the bucket's configuration, and retention and legal hold of objects. Whether a lock lets something
 * happen is the store's to say, in the transaction that would do it. */
#include <inttypes.h>

#include "s3/handlers.h"
#include "tarn/base/clock.h"
#include "tarn/codec/json.h"

#define DAYS_MAX 36500
#define YEARS_MAX 100

static bool parse_mode(str text, object_lock_mode *ret_mode)
{
    *ret_mode = str_equal(text, STR("GOVERNANCE"))   ? LOCK_GOVERNANCE
                : str_equal(text, STR("COMPLIANCE")) ? LOCK_COMPLIANCE
                                                     : LOCK_NONE;
    return *ret_mode != LOCK_NONE;
}

static str mode_text(object_lock_mode mode)
{
    return mode == LOCK_GOVERNANCE ? STR("GOVERNANCE") : STR("COMPLIANCE");
}

/* ---- the configuration ---- */

typedef struct default_lock {
    object_lock_mode mode; /* LOCK_NONE: there is none */
    int64_t days, years;   /* 0: not said */
} default_lock;

static status read_number(const xml_element *parent, const char *name, int64_t *ret_value,
                          error *err)
{
    str text = xml_child_text(parent, name);

    if (!str_is_null(text) && str_to_int64(str_trim(text), ret_value, NULL) != STATUS_OK) {
        return s3_fail(err, "MalformedXML", "%s is no number", name);
    }
    return STATUS_OK;
}

static status read_rule(const xml_element *rule, default_lock *ret_lock, error *err)
{
    const xml_element *retention = xml_child(rule, "DefaultRetention");
    bool has_days = xml_child(retention, "Days") != NULL;
    bool has_years = xml_child(retention, "Years") != NULL;

    if (retention == NULL ||
        !parse_mode(str_trim(xml_child_text(retention, "Mode")), &ret_lock->mode) ||
        has_days == has_years) {
        return s3_fail(err, "MalformedXML",
                       "DefaultRetention has a Mode, and either Days or Years");
    }
    TRY(read_number(retention, "Days", &ret_lock->days, err));
    TRY(read_number(retention, "Years", &ret_lock->years, err));
    if ((has_days && (ret_lock->days <= 0 || ret_lock->days > DAYS_MAX)) ||
        (has_years && (ret_lock->years <= 0 || ret_lock->years > YEARS_MAX))) {
        return s3_fail(err, "InvalidRetentionPeriod",
                       "Default retention period must be a positive integer value");
    }
    return STATUS_OK;
}

/* The store applies it too: {"mode", "days" or "years"}. */
static status parse_document(s3_call *c, str text, default_lock *ret_lock, error *err)
{
    const json *tree = NULL;

    TRY(json_parse(text, c->a, &tree, err));
    (void)parse_mode(json_str_or(json_get(tree, "mode"), STR("")), &ret_lock->mode);
    ret_lock->days = json_int64_or(json_get(tree, "days"), 0);
    ret_lock->years = json_int64_or(json_get(tree, "years"), 0);
    return STATUS_OK;
}

static str format_document(s3_call *c, const default_lock *lock)
{
    return lock->mode == LOCK_NONE
               ? STR(S3_LOCK_NO_DEFAULT)
               : str_printf(c->a, "{\"mode\": \"%.*s\", \"%s\": %" PRId64 "}",
                            STR_ARG(mode_text(lock->mode)), lock->days > 0 ? "days" : "years",
                            lock->days > 0 ? lock->days : lock->years);
}

status s3_lock_config_get(s3_call *c, error *err)
{
    str text = bucket_document(c->facts->info, "object-lock");
    default_lock lock = {0};

    if (!c->facts->info->lock_enabled || str_is_null(text)) {
        return s3_fail(err, "ObjectLockConfigurationNotFoundError", "object lock is off");
    }
    TRY(parse_document(c, text, &lock, err));
    buf *out = s3_xml_begin(c, "ObjectLockConfiguration");
    xml_add_text(out, "ObjectLockEnabled", STR("Enabled"));
    if (lock.mode != LOCK_NONE) {
        xml_open(out, "Rule");
        xml_open(out, "DefaultRetention");
        xml_add_text(out, "Mode", mode_text(lock.mode));
        xml_add_int(out, lock.days > 0 ? "Days" : "Years", lock.days > 0 ? lock.days : lock.years);
        xml_close(out, "DefaultRetention");
        xml_close(out, "Rule");
    }
    return s3_xml_send(c, 200, "ObjectLockConfiguration", out, err);
}

status s3_lock_config_put(s3_call *c, error *err)
{
    const xml_element *root = NULL;
    default_lock lock = {0};

    TRY(s3_check_not_warehouse(c, "object lock", err));
    TRY(s3_read_xml(c, "ObjectLockConfiguration", &root, err));
    if (!str_equal(str_trim(xml_child_text(root, "ObjectLockEnabled")), STR("Enabled"))) {
        return s3_fail(err, "MalformedXML", "ObjectLockEnabled is Enabled");
    }
    const xml_element *rule = xml_child(root, "Rule");
    if (rule != NULL) {
        TRY(read_rule(rule, &lock, err));
    }
    if (c->facts->info->versioning != VERSIONING_ENABLED) {
        return s3_fail(err, "InvalidBucketState",
                       "Versioning must be 'Enabled' on the bucket to apply a Object Lock "
                       "configuration");
    }
    TRY(bucket_set_document(c->app->storage, c->bucket, "object-lock", format_document(c, &lock),
                            err));
    s3_empty(c, 200);
    return STATUS_OK;
}

/* ---- of objects ---- */

static status parse_until(str text, int64_t *ret_us, error *err)
{
    if (s3_parse_date(str_trim(text), ret_us, NULL) != STATUS_OK) {
        return s3_fail(err, "InvalidArgument", "the retain-until date is no date");
    }
    if (*ret_us <= clock_now_us()) {
        return s3_fail(err, "InvalidArgument", "The retain until date must be in the future!");
    }
    return STATUS_OK;
}

status s3_lock_read(s3_call *c, const s3_facts *facts, object_lock *ret_lock, error *err)
{
    str mode = s3_header(c, "x-amz-object-lock-mode");
    str until = s3_header(c, "x-amz-object-lock-retain-until-date");
    str hold = s3_header(c, "x-amz-object-lock-legal-hold");
    object_lock lock = {0};

    *ret_lock = lock;
    if (str_is_null(mode) && str_is_null(until) && str_is_null(hold)) {
        return STATUS_OK;
    }
    if (!facts->info->lock_enabled) {
        return s3_fail(err, "InvalidRequest", "Bucket is missing Object Lock Configuration");
    }
    if (str_is_null(mode) != str_is_null(until)) {
        return s3_fail(
            err, "InvalidArgument",
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be "
            "supplied");
    }
    if (!str_is_null(mode)) {
        if (!parse_mode(mode, &lock.mode)) {
            return s3_fail(err, "InvalidArgument", "Unknown wormMode directive.");
        }
        TRY(parse_until(until, &lock.retain_until_us, err));
    }
    if (!str_is_null(hold)) {
        if (!str_equal(hold, STR("ON")) && !str_equal(hold, STR("OFF"))) {
            return s3_fail(err, "InvalidArgument", "Legal Hold must be either of 'ON' or 'OFF'");
        }
        lock.legal_hold = str_equal(hold, STR("ON"));
    }
    *ret_lock = lock;
    return STATUS_OK;
}

/* Both sub-resources need object lock and the object. */
static status ready(s3_call *c, error *err)
{
    if (!c->facts->info->lock_enabled) {
        return s3_fail(err, "InvalidRequest", "Bucket is missing Object Lock Configuration");
    }
    if (c->object_status != STATUS_OK) {
        *err = c->object_error;
    }
    return c->object_status;
}

status s3_retention_get(s3_call *c, error *err)
{
    const object_lock *lock = &c->object.attributes.lock;

    TRY(ready(c, err));
    if (lock->mode == LOCK_NONE) {
        return s3_fail(err, "NoSuchObjectLockConfiguration", "the object has no retention");
    }
    buf *out = s3_xml_begin(c, "Retention");
    xml_add_text(out, "Mode", mode_text(lock->mode));
    xml_add_time(out, "RetainUntilDate", lock->retain_until_us);
    return s3_xml_send(c, 200, "Retention", out, err);
}

status s3_retention_put(s3_call *c, error *err)
{
    const xml_element *root = NULL;
    object_lock_mode mode = LOCK_NONE;
    int64_t until_us = 0;
    bool bypass = false;

    TRY(ready(c, err));
    TRY(s3_read_xml(c, "Retention", &root, err));
    str mode_name = xml_child_text(root, "Mode");
    str until = xml_child_text(root, "RetainUntilDate");
    if (!str_is_null(mode_name) || !str_is_null(until)) { /* both absent: taken away */
        if (!parse_mode(str_trim(mode_name), &mode) || str_is_null(until)) {
            return s3_fail(err, "MalformedXML",
                           "Retention has a Mode, GOVERNANCE or COMPLIANCE, and a RetainUntilDate");
        }
        TRY(parse_until(until, &until_us, err));
    }
    if (str_equal_nocase(s3_header(c, "x-amz-bypass-governance-retention"), STR("true"))) {
        TRY(s3_allow(c, "s3:BypassGovernanceRetention", c->facts, c->key, &c->object, err));
        bypass = true;
    }
    TRY(object_set_retention(c->app->storage, c->bucket, c->key, c->version, mode, until_us, bypass,
                             err));
    s3_empty(c, 200);
    return STATUS_OK;
}

status s3_legal_hold_get(s3_call *c, error *err)
{
    TRY(ready(c, err));
    buf *out = s3_xml_begin(c, "LegalHold");
    xml_add_text(out, "Status", c->object.attributes.lock.legal_hold ? STR("ON") : STR("OFF"));
    return s3_xml_send(c, 200, "LegalHold", out, err);
}

status s3_legal_hold_put(s3_call *c, error *err)
{
    const xml_element *root = NULL;

    TRY(ready(c, err));
    TRY(s3_read_xml(c, "LegalHold", &root, err));
    str text = str_trim(xml_child_text(root, "Status"));
    bool on = str_equal(text, STR("ON"));
    if (!on && !str_equal(text, STR("OFF"))) {
        return s3_fail(err, "MalformedXML", "Status is ON or OFF");
    }
    TRY(object_set_legal_hold(c->app->storage, c->bucket, c->key, c->version, on, err));
    s3_empty(c, 200);
    return STATUS_OK;
}

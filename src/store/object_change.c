/* What can be asked and changed of a version that is there: its row, tags, ACL, retention, legal hold. */
#include "hot.h"
#include "rows.h"
#include "tarn/base/clock.h"

/* --- finding --- */

typedef struct object_look {
    str bucket, key, version;
    arena *a;
    object_row row;
} object_look;

static status look(void *context, state_txn *txn, error *err)
{
    object_look *l = context;

    l->row = (object_row){0};
    return store__find_row(txn, l->bucket, l->key, l->version, l->a, &l->row, err);
}

status object_find(storage *st, str bucket, str key, str version, arena *a, object_info *ret_info,
                   error *err)
{
    object_look l = {.bucket = bucket, .key = key, .version = version, .a = a};
    status found = state_read(st->state, look, &l, err);

    if (found == STATUS_OK || l.row.info.is_marker) {
        *ret_info = l.row.info;
    }
    return found;
}

/* --- changing --- */

typedef struct object_changing {
    storage *st;
    str bucket, key, version;
    const object_pair *tags;
    size_t tag_count;
    str acl;
    object_lock lock;
    bool bypass_governance;
    /* changes `info`; the rules are the bucket's */
    status (*change)(const struct object_changing *c, const bucket_rules *rules, object_info *info,
                     error *err);
} object_changing;

static status apply_change(void *context, state_txn *txn, error *err)
{
    const object_changing *c = context;
    arena *scratch = state_txn_arena(txn);
    version_row found = {0};
    bucket_rules rules;
    state_value details;
    str text;

    store__hot_changes(c->st, txn, c->bucket, c->key);
    TRY(store__read_rules(txn, c->bucket, &rules, err));
    TRY(store__require_version(txn, c->bucket, c->key, c->version, scratch, &found, err));
    TRY(c->change(c, &rules, &found.row.info, err));
    text = store__format_details(&found.row.info, scratch);
    details = str_is_null(text) ? SV_NULL : SV_TEXT(text);
    if (found.current) {
        return STATE_EXEC(txn, "UPDATE objects SET metadata = ?3 WHERE bucket = ?1 AND key = ?2",
                          NULL, err, SV_TEXT(c->bucket), SV_TEXT(c->key), details);
    }
    return STATE_EXEC(
        txn,
        "UPDATE object_versions SET metadata = ?4 WHERE bucket = ?1 AND key = ?2 AND place = ?3",
        NULL, err, SV_TEXT(c->bucket), SV_TEXT(c->key), SV_INT(found.place), details);
}

static status change_tags(const object_changing *c, const bucket_rules *rules, object_info *info,
                          error *err)
{
    (void)rules;
    (void)err;
    info->attributes.tags = c->tags;
    info->attributes.tag_count = c->tag_count;
    return STATUS_OK;
}

status object_set_tags(storage *st, str bucket, str key, str version, const object_pair *tags,
                       size_t count, error *err)
{
    object_changing c = {.st = st,
                         .bucket = bucket,
                         .key = key,
                         .version = version,
                         .tags = tags,
                         .tag_count = count,
                         .change = change_tags};

    return state_submit(st->state, apply_change, &c, err);
}

static status change_acl(const object_changing *c, const bucket_rules *rules, object_info *info,
                         error *err)
{
    (void)rules;
    (void)err;
    info->attributes.acl = c->acl;
    return STATUS_OK;
}

status object_set_acl(storage *st, str bucket, str key, str version, str acl, error *err)
{
    object_changing c = {.st = st,
                         .bucket = bucket,
                         .key = key,
                         .version = version,
                         .acl = acl,
                         .change = change_acl};

    return state_submit(st->state, apply_change, &c, err);
}

/* --- locks --- */

static status require_lock(const bucket_rules *rules, error *err)
{
    if (rules->lock_enabled) {
        return STATUS_OK;
    }
    error_set(err, STATUS_INVALID, "bucket \"%.*s\" has no object lock", STR_ARG(rules->name));
    error_set_s3_code(err, "InvalidRequest");
    return STATUS_INVALID;
}

/* As it is until its time is over: compliance may become longer; governance too, and anything with the right to
 * bypass it. */
static bool may_replace(const object_lock *old, const object_lock *fresh, bool bypass_governance)
{
    bool longer = fresh->mode == old->mode && fresh->retain_until_us >= old->retain_until_us;

    if (old->mode == LOCK_NONE || old->retain_until_us <= clock_now_us()) {
        return true;
    }
    return longer || (old->mode == LOCK_GOVERNANCE && bypass_governance);
}

static status change_retention(const object_changing *c, const bucket_rules *rules,
                               object_info *info, error *err)
{
    object_lock *lock = &info->attributes.lock;

    TRY(require_lock(rules, err));
    if (!may_replace(lock, &c->lock, c->bypass_governance)) {
        error_set(err, STATUS_DENIED,
                  "version \"%.*s\" of \"s3://%.*s/%.*s\" is retained: its lock may become longer "
                  "alone",
                  STR_ARG(info->version), STR_ARG(c->bucket), STR_ARG(c->key));
        error_set_s3_code(err, "AccessDenied");
        return STATUS_DENIED;
    }
    lock->mode = c->lock.mode;
    lock->retain_until_us = c->lock.mode == LOCK_NONE ? 0 : c->lock.retain_until_us;
    return STATUS_OK;
}

status object_set_retention(storage *st, str bucket, str key, str version, object_lock_mode mode,
                            int64_t retain_until_us, bool bypass_governance, error *err)
{
    object_changing c = {.st = st,
                         .bucket = bucket,
                         .key = key,
                         .version = version,
                         .lock = {.mode = mode, .retain_until_us = retain_until_us},
                         .bypass_governance = bypass_governance,
                         .change = change_retention};

    return state_submit(st->state, apply_change, &c, err);
}

static status change_hold(const object_changing *c, const bucket_rules *rules, object_info *info,
                          error *err)
{
    TRY(require_lock(rules, err));
    info->attributes.lock.legal_hold = c->lock.legal_hold;
    return STATUS_OK;
}

status object_set_legal_hold(storage *st, str bucket, str key, str version, bool on, error *err)
{
    object_changing c = {.st = st,
                         .bucket = bucket,
                         .key = key,
                         .version = version,
                         .lock = {.legal_hold = on},
                         .change = change_hold};

    return state_submit(st->state, apply_change, &c, err);
}

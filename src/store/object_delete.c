/* Deleting objects and versions, with conditions and locks. */
#include <stdatomic.h>

#include "rows.h"
#include "tarn/base/clock.h"

#define DELETE_CHUNK 1000

typedef struct deletion {
    storage *st;
    str bucket;
    const object_delete_request *requests;
    size_t count;
    object_delete_result *results;
    arena *a;
} deletion;

bool store__is_locked(const object_lock *lock, bool bypass_governance)
{
    bool retained = lock->mode != LOCK_NONE && lock->retain_until_us > clock_now_us();

    return lock->legal_hold || (retained && !(lock->mode == LOCK_GOVERNANCE && bypass_governance));
}

static status refuse_locked(const object_info *info, bool bypass_governance, error *err)
{
    if (!store__is_locked(&info->attributes.lock, bypass_governance)) {
        return STATUS_OK;
    }
    error_set(err, STATUS_DENIED, "version \"%.*s\" of \"s3://%.*s/%.*s\" is locked",
              STR_ARG(info->version), STR_ARG(info->bucket), STR_ARG(info->key));
    error_set_s3_code(err, "AccessDenied");
    return STATUS_DENIED;
}

static str shown(str version)
{
    return version.size > 0 ? version : STR("null");
}

/* What has versions gets a marker, whether there is such a key or not. */
static status delete_current(deletion *d, state_txn *txn, const bucket_rules *rules,
                             const object_delete_request *request, const version_row *newest,
                             usage_change *change, object_delete_result *result, error *err)
{
    str version;

    if (rules->versioning != VERSIONING_OFF) {
        TRY(store__put_marker(d->st, txn, rules, request->key, request->owner, change, d->a,
                              &version, err));
        result->made_marker = true;
        result->version = shown(version);
        return STATUS_OK;
    }
    return newest != NULL ? store__remove_version(d->st, txn, rules->name, newest, change, err)
                          : STATUS_OK;
}

static status delete_version(deletion *d, state_txn *txn, const bucket_rules *rules,
                             const object_delete_request *request, const version_row *version,
                             usage_change *change, object_delete_result *result, error *err)
{
    result->version = str_copy(d->a, shown(request->version));
    if (version == NULL) {
        return STATUS_OK;
    }
    TRY(refuse_locked(&version->row.info, request->bypass_governance, err));
    result->was_marker = version->row.info.is_marker;
    return store__remove_version(d->st, txn, rules->name, version, change, err);
}

static status delete_one(deletion *d, state_txn *txn, const bucket_rules *rules,
                         const object_delete_request *request, usage_change *change,
                         object_delete_result *result, error *err)
{
    arena *scratch = state_txn_arena(txn);
    version_row found = {0};
    bool there = false;

    TRY(store__find_version(txn, rules->name, request->key, request->version, scratch, &found,
                            &there, err));
    if (!there && !str_is_null(request->conditions.if_match)) {
        return STATUS_OK; /* what is to go is not there: no marker for it */
    }
    if (there) { /* what is not there is as the caller wants it */
        TRY(store__check_conditions(&request->conditions, rules->name, request->key,
                                    &found.row.info, err));
    }
    return str_is_null(request->version)
               ? delete_current(d, txn, rules, request, there ? &found : NULL, change, result, err)
               : delete_version(d, txn, rules, request, there ? &found : NULL, change, result, err);
}

/* A refusal is its request's own; nothing was changed then. Any other failure is the whole's. */
static bool is_refusal(status kind)
{
    return kind == STATUS_PRECONDITION || kind == STATUS_DENIED;
}

static status delete_chunk(void *context, state_txn *txn, error *err)
{
    deletion *d = context;
    usage_change change = {0};
    bucket_rules rules;

    TRY(store__read_rules(txn, d->bucket, &rules, err));
    for (size_t i = 0; i < d->count; i++) {
        object_delete_result result = {.version = STR("")};
        error own = ERROR_INIT;

        result.result = delete_one(d, txn, &rules, &d->requests[i], &change, &result, &own);
        if (result.result != STATUS_OK) {
            if (!is_refusal(result.result)) {
                *err = own;
                return result.result;
            }
            result.s3_code = error_s3_code(&own);
            result.message = str_copy(d->a, str_c(own.message));
        }
        d->results[i] = result;
    }
    return store__change_usage(txn, rules.name, &change, err);
}

static bool is_any_watched(const deletion *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (store__is_watched(d->requests[i].key)) {
            return true;
        }
    }
    return false;
}

status object_delete(storage *st, str bucket, const object_delete_request *requests, size_t count,
                     arena *a, object_delete_result *ret_results, error *err)
{
    for (size_t from = 0; from < count; from += DELETE_CHUNK) {
        deletion d = {.st = st,
                      .bucket = bucket,
                      .requests = requests + from,
                      .count = count - from < DELETE_CHUNK ? count - from : DELETE_CHUNK,
                      .results = ret_results + from,
                      .a = a};

        TRY(state_submit(st->state, delete_chunk, &d, err));
        if (is_any_watched(&d)) {
            atomic_fetch_add_explicit(&st->generation, 1, memory_order_release);
        }
    }
    return STATUS_OK;
}

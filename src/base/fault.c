/* Fault points: reading the specification, counting passes, acting.
 *
 * Rules stand in one array, in the order of the text, under one lock that only armed processes
 * take. Delays and deaths happen outside the lock: a waiting thread holds up nobody. */
#include "tarn/base/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "tarn/base/clock.h"
#include "tarn/base/log.h"
#include "tarn/base/rng.h"
#include "tarn/base/str.h"
#include "tarn/base/thread.h"

#define RULES_MAX 64
#define EVERY_PASS 0
#define ALWAYS 100
#define DELAY_MS_MAX UINT64_C(3600000)

typedef enum fault_action { ACTION_FAIL, ACTION_DELAY, ACTION_KILL } fault_action;

typedef struct rule {
    fault_point point;
    fault_action action;
    int errnum;
    int64_t delay_ms;
    uint64_t nth;     /* EVERY_PASS, or the only pass it acts on */
    uint64_t percent; /* how often it acts, by chance */
} rule;

typedef struct rule_set {
    rule rules[RULES_MAX];
    size_t count;
} rule_set;

static const str point_names[] = {
#define X(name, text, where) STR_INIT(text),
    FAULT_TABLE(X)
#undef X
};

static const str action_names[] = {[ACTION_FAIL] = STR_INIT("fail"),
                                   [ACTION_DELAY] = STR_INIT("delay"),
                                   [ACTION_KILL] = STR_INIT("kill")};

/* Errors that a step can be made to fail with. */
#define ERRNO_TABLE(X) \
    X(EIO)             \
    X(ENOSPC)          \
    X(EDQUOT)          \
    X(EACCES)          \
    X(EROFS)           \
    X(EMFILE)          \
    X(ENOMEM)          \
    X(EPIPE)           \
    X(ECONNRESET)      \
    X(ETIMEDOUT)

static const struct {
    str name;
    int errnum;
} errno_names[] = {
#define X(symbol) {STR_INIT(#symbol), symbol},
    ERRNO_TABLE(X)
#undef X
};

_Atomic int fault_armed;

static mutex lock = {.handle = PTHREAD_MUTEX_INITIALIZER};
static rule_set armed;
static long passes[FAULT_COUNT];
static rng chance;

const char *fault_name(fault_point point)
{
    return point_names[point].data;
}

long fault_passes(fault_point point)
{
    long count;

    mutex_lock(&lock);
    count = passes[point];
    mutex_unlock(&lock);
    return count;
}

/* Whether the rule acts on this pass, the `pass`th of its point. */
static bool is_due(const rule *r, fault_point point, long pass)
{
    if (r->point != point || (r->nth != EVERY_PASS && r->nth != (uint64_t)pass)) {
        return false;
    }
    return r->percent == ALWAYS || rng_below(&chance, 100) < r->percent;
}

status fault_hit(fault_point point, error *err)
{
    int64_t delay_ms = 0;
    int errnum = 0;
    bool dies = false;

    mutex_lock(&lock);
    passes[point]++;
    for (size_t i = 0; i < armed.count; i++) {
        const rule *r = &armed.rules[i];

        if (!is_due(r, point, passes[point])) {
            continue;
        }
        delay_ms += r->action == ACTION_DELAY ? r->delay_ms : 0;
        dies = dies || r->action == ACTION_KILL;
        errnum = r->action == ACTION_FAIL ? r->errnum : errnum;
    }
    mutex_unlock(&lock);
    clock_sleep_ms(delay_ms);
    if (dies) {
        if (kill(getpid(), SIGKILL) != 0) {
            _exit(137); /* a worker's sandbox has no signals to send */
        }
        for (;;) {
            (void)pause(); /* the signal is on its way: nothing more may happen here */
        }
    }
    if (errnum != 0) {
        return error_errno(err, STATUS_IO, errnum, "fault point \"%s\"", fault_name(point));
    }
    return STATUS_OK;
}

/* The index of `wanted` in `names`; INVALID with the nearest name as a hint. */
static status find_name(str wanted, const char *kind, const str *names, size_t count,
                        size_t *ret_index, error *err)
{
    str nearest;

    for (size_t i = 0; i < count; i++) {
        if (str_equal(wanted, names[i])) {
            *ret_index = i;
            return STATUS_OK;
        }
    }
    (void)error_set(err, STATUS_INVALID, "unknown fault %s \"%.*s\"", kind, STR_ARG(wanted));
    nearest = str_nearest(wanted, names, count);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
    return STATUS_INVALID;
}

static status parse_errno(str text, int *ret_errnum, error *err)
{
    for (size_t i = 0; i < COUNT_OF(errno_names); i++) {
        if (str_equal(text, errno_names[i].name)) {
            *ret_errnum = errno_names[i].errnum;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_INVALID, "unknown fault error \"%.*s\"", STR_ARG(text));
}

static status parse_number(str text, const char *what, uint64_t least, uint64_t most,
                           uint64_t *ret_value, error *err)
{
    uint64_t value;

    if (str_to_uint64(text, &value, NULL) != STATUS_OK || value < least || value > most) {
        return error_set(err, STATUS_INVALID, "fault %s \"%.*s\" is not a number from %llu to %llu",
                         what, STR_ARG(text), (unsigned long long)least, (unsigned long long)most);
    }
    *ret_value = value;
    return STATUS_OK;
}

/* What stands behind the colon; STR_NULL where there is none. */
static status parse_argument(str text, rule *r, error *err)
{
    uint64_t delay_ms;

    switch (r->action) {
    case ACTION_FAIL:
        r->errnum = EIO;
        return str_is_null(text) ? STATUS_OK : parse_errno(text, &r->errnum, err);
    case ACTION_DELAY:
        TRY(parse_number(text, "delay", 0, DELAY_MS_MAX, &delay_ms, err));
        r->delay_ms = (int64_t)delay_ms;
        return STATUS_OK;
    case ACTION_KILL:
        if (!str_is_null(text)) {
            return error_set(err, STATUS_INVALID, "fault action \"kill\" takes no argument");
        }
        return STATUS_OK;
    }
    return STATUS_INVALID;
}

/* name=action[:argument][%percent][@nth] */
static status parse_rule(str text, rule *ret_rule, error *err)
{
    rule r = {.nth = EVERY_PASS, .percent = ALWAYS};
    str action, argument, percent, nth;
    str name = str_cut(text, '=', &action);
    size_t index;

    if (str_is_null(action)) {
        return error_set(err, STATUS_INVALID, "fault \"%.*s\" is not of the form name=action",
                         STR_ARG(text));
    }
    action = str_cut(action, '@', &nth);
    action = str_cut(action, '%', &percent);
    action = str_cut(action, ':', &argument);
    TRY(find_name(name, "point", point_names, COUNT_OF(point_names), &index, err));
    r.point = (fault_point)index;
    TRY(find_name(action, "action", action_names, COUNT_OF(action_names), &index, err));
    r.action = (fault_action)index;
    TRY(parse_argument(argument, &r, err));
    if (!str_is_null(percent)) {
        TRY(parse_number(percent, "percentage", 0, ALWAYS, &r.percent, err));
    }
    if (!str_is_null(nth)) {
        TRY(parse_number(nth, "pass", 1, INT64_MAX, &r.nth, err));
    }
    *ret_rule = r;
    return STATUS_OK;
}

static void replace_rules(const rule_set *rules)
{
    mutex_lock(&lock);
    armed = *rules;
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        passes[i] = 0;
    }
    atomic_store(&fault_armed, (int)rules->count);
    mutex_unlock(&lock);
}

/* TARN_FAULT_SEED makes chance repeatable. */
static status seed_chance(error *err)
{
    const char *text = getenv("TARN_FAULT_SEED");
    uint64_t seed;

    if (text == NULL) {
        seed = random_u64();
    } else {
        TRY(parse_number(str_c(text), "seed", 0, UINT64_MAX, &seed, err));
    }
    mutex_lock(&lock);
    rng_seed(&chance, seed);
    mutex_unlock(&lock);
    return STATUS_OK;
}

status fault_arm(const char *spec, error *err)
{
    rule_set rules = {.count = 0};
    str rest = str_c(spec);

    while (!str_is_null(rest)) {
        str text = str_trim(str_cut(rest, ',', &rest));

        if (str_is_empty(text)) {
            continue;
        }
        if (rules.count == RULES_MAX) {
            return error_set(err, STATUS_INVALID, "more than %d faults", RULES_MAX);
        }
        TRY(parse_rule(text, &rules.rules[rules.count], err));
        rules.count++;
    }
    TRY(seed_chance(err));
    replace_rules(&rules);
    return STATUS_OK;
}

void fault_disarm(void)
{
    static const rule_set none;

    replace_rules(&none);
}

status fault_arm_from_environment(error *err)
{
    const char *spec = getenv("TARN_FAULT");
    const char *allowed = getenv("TARN_FAULT_ALLOW");

    if (spec == NULL || spec[0] == '\0') {
        return STATUS_OK;
    }
    if (allowed == NULL || !str_equal(str_c(allowed), STR("1"))) {
        log_event(LOG_WARN, "fault points not armed", LOG_C("reason", "TARN_FAULT_ALLOW is not 1"));
        return STATUS_OK;
    }
    TRY(fault_arm(spec, err));
    log_event(LOG_WARN, "fault points armed", LOG_C("spec", spec));
    return STATUS_OK;
}

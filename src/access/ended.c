/* Vended sessions that ended with what they were made for: the catalog says so in the transaction that drops a table,
 * and from its commit on no session of before changes anything, nor reads what is another's by then. What comes back
 * comes back without them.
 *
 * A session names its subject and the subject's last end when it was made; it is good while that is the last one still.
 * Ends are kept as long as a session of before could last: who asks about a subject that is not there is right. */
#include "internal.h"
#include "tarn/base/clock.h"
#include "tarn/base/mem.h"

#define LONGEST_US (ACCESS_VENDED_S_MAX * INT64_C(1000000))
#define TRIM_COUNT_MIN 1024

struct access__ends {
    mutex lock;
    map *last;      /* subject -> end */
    size_t trim_at; /* as many are looked through for old ones */
    _Atomic uint64_t *generation;
};

typedef struct end {
    int64_t us;
} end;

static void forget_all(map *last)
{
    map_entry entry;

    for (size_t at = 0; map_next(last, &at, &entry);) {
        mem_free(entry.value);
    }
    map_free(last);
}

/* The lock is held. */
static void trim(struct access__ends *ends, int64_t now_us)
{
    map *kept = map_create(NULL);
    map *before = ends->last;
    map_entry entry;

    for (size_t at = 0; map_next(before, &at, &entry);) {
        if (((const end *)entry.value)->us > now_us - LONGEST_US) {
            (void)map_set(kept, entry.key, entry.value);
        } else {
            mem_free(entry.value);
        }
    }
    map_free(before);
    ends->last = kept;
    ends->trim_at = 2 * map_count(kept) + TRIM_COUNT_MIN;
}

/* The lock is held. */
static void note(struct access__ends *ends, str subject, int64_t ended_us)
{
    end *one = NEW(end);

    one->us = ended_us;
    mem_free(map_set(ends->last, subject, one));
    if (map_count(ends->last) >= ends->trim_at) {
        trim(ends, ended_us);
    }
}

static int64_t last_of(struct access__ends *ends, str subject)
{
    mutex_lock(&ends->lock);
    const end *found = map_get(ends->last, subject);
    int64_t us = found != NULL ? found->us : 0;
    mutex_unlock(&ends->lock);
    return us;
}

/* ---- rows ---- */

static status load(void *context, state_txn *txn, error *err)
{
    struct access__ends *ends = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(txn, "SELECT subject, ended_us FROM vended_ends WHERE ended_us > ?1", &rows,
                    err, SV_INT(clock_now_us() - LONGEST_US)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            return STATUS_OK;
        }
        note(ends, state_text(rows, 0, NULL), state_int(rows, 1));
    }
}

status access__ends_open(access_control *ac, error *err)
{
    ac->ends = NEW(struct access__ends);
    mutex_init(&ac->ends->lock);
    ac->ends->last = map_create(NULL);
    ac->ends->trim_at = TRIM_COUNT_MIN;
    ac->ends->generation = &ac->generation;
    return state_read(ac->state, load, ac->ends, err);
}

void access__ends_close(access_control *ac)
{
    if (ac->ends != NULL) {
        forget_all(ac->ends->last);
        mutex_release(&ac->ends->lock);
        mem_free(ac->ends);
    }
}

typedef struct ending {
    struct access__ends *ends;
    str subject;
    int64_t ended_us;
} ending;

static void apply_end(void *context)
{
    const ending *e = context;

    mutex_lock(&e->ends->lock);
    note(e->ends, e->subject, e->ended_us);
    mutex_unlock(&e->ends->lock);
}

static void renew(void *context)
{
    const ending *e = context;

    ++*e->ends->generation;
}

static ending *in_txn(access_control *ac, state_txn *txn, str subject)
{
    arena *a = state_txn_arena(txn);
    ending *e = ARENA_NEW(a, ending);

    *e = (ending){.ends = ac->ends, .subject = str_copy(a, subject)};
    return e;
}

status access_end_vended(access_control *ac, state_txn *txn, str subject, error *err)
{
    int64_t now_us = clock_now_us();
    int64_t last_us = last_of(ac->ends, subject);
    ending *e = in_txn(ac, txn, subject);

    e->ended_us = now_us > last_us ? now_us : last_us + 1; /* clocks jump */
    TRY(STATE_EXEC(txn, "DELETE FROM vended_ends WHERE ended_us <= ?1", NULL, err,
                   SV_INT(now_us - LONGEST_US)));
    TRY(STATE_EXEC(txn,
                   "INSERT INTO vended_ends (subject, ended_us) VALUES (?1, ?2)"
                   " ON CONFLICT (subject) DO UPDATE SET ended_us = excluded.ended_us",
                   NULL, err, SV_TEXT(subject), SV_INT(e->ended_us)));
    state_after_commit(txn, apply_end, e);
    return STATUS_OK;
}

void access_renew_vended(access_control *ac, state_txn *txn, str subject)
{
    if (last_of(ac->ends, subject) != 0) {
        state_after_commit(txn, renew, in_txn(ac, txn, subject));
    }
}

bool access_has_vended_ends(access_control *ac)
{
    mutex_lock(&ac->ends->lock);
    bool any = map_count(ac->ends->last) > 0;
    mutex_unlock(&ac->ends->lock);
    return any;
}

int64_t access_vended_end(access_control *ac, str subject)
{
    return str_is_empty(subject) ? 0 : last_of(ac->ends, subject);
}

void access_ask_places(access_control *ac, access_is_taken is_taken, void *context)
{
    ac->is_taken = is_taken;
    ac->is_taken_context = context;
}

bool access__vended_goes_on(access_control *ac, str subject, int64_t ended_us)
{
    int64_t last_us = str_is_empty(subject) ? 0 : last_of(ac->ends, subject);

    return last_us == 0 || last_us == ended_us;
}

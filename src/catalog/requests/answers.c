/* Rows of kept answers. */
#include "tarn/catalog/answers.h"

#include "internal.h"
#include "tarn/base/clock.h"

/* So many go in one transaction. */
#define FORGET_AT_ONCE 1000

status catalog_put_answer(state_txn *txn, const catalog_answer *answer, error *err)
{
    return STATE_EXEC(
        txn,
        "INSERT INTO answers (principal, key, digest, created_us, status, kind, body)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (principal, key) DO UPDATE SET"
        " status = excluded.status, kind = excluded.kind, body = excluded.body",
        NULL, err, SV_TEXT(answer->principal), SV_TEXT(answer->key), SV_TEXT(answer->digest),
        SV_INT(clock_now_us()), SV_INT(answer->status), SV_TEXT(answer->kind),
        SV_BLOB(answer->body));
}

static status put(void *context, state_txn *txn, error *err)
{
    return catalog_put_answer(txn, context, err);
}

status catalog_keep_answer(catalog *c, const catalog_answer *answer, error *err)
{
    catalog_answer copy = *answer;

    return state_submit(c->state, put, &copy, err);
}

typedef struct answer_search {
    str principal, key;
    arena *a;
    bool found;
    catalog_answer answer;
} answer_search;

static status find(void *context, state_txn *txn, error *err)
{
    answer_search *s = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(
        txn, "SELECT digest, status, kind, body FROM answers WHERE principal = ?1 AND key = ?2",
        &rows, err, SV_TEXT(s->principal), SV_TEXT(s->key)));
    TRY(state_next(rows, &s->found, err));
    if (s->found) {
        s->answer = (catalog_answer){.principal = s->principal,
                                     .key = s->key,
                                     .digest = state_text(rows, 0, s->a),
                                     .status = (int)state_int(rows, 1),
                                     .kind = state_text(rows, 2, s->a),
                                     .body = state_text(rows, 3, s->a)};
    }
    state_finish(rows);
    return STATUS_OK;
}

status catalog_find_answer(catalog *c, str principal, str key, arena *a, bool *ret_found,
                           catalog_answer *ret_answer, error *err)
{
    answer_search s = {.principal = principal, .key = key, .a = a};

    TRY(state_read(c->state, find, &s, err));
    *ret_found = s.found;
    if (s.found) {
        *ret_answer = s.answer;
    }
    return STATUS_OK;
}

/* ---- old ones ---- */

typedef struct forgetting {
    int64_t before_us;
    bool any;
    int64_t count;
} forgetting;

static status find_old(void *context, state_txn *txn, error *err)
{
    forgetting *f = context;
    state_rows *rows = NULL;

    TRY(STATE_QUERY(txn, "SELECT 1 FROM answers WHERE created_us < ?1 LIMIT 1", &rows, err,
                    SV_INT(f->before_us)));
    TRY(state_next(rows, &f->any, err));
    state_finish(rows);
    return STATUS_OK;
}

static status forget(void *context, state_txn *txn, error *err)
{
    forgetting *f = context;

    return STATE_EXEC(txn,
                      "DELETE FROM answers WHERE (principal, key) IN (SELECT principal, key FROM"
                      " answers WHERE created_us < ?1 ORDER BY created_us LIMIT ?2)",
                      &f->count, err, SV_INT(f->before_us), SV_INT(FORGET_AT_ONCE));
}

status catalog_forget_answers(catalog *c, int64_t before_us, error *err)
{
    forgetting f = {.before_us = before_us, .count = FORGET_AT_ONCE};

    TRY(state_read(c->state, find_old, &f, err));
    while (f.any && f.count == FORGET_AT_ONCE && !c->closing) {
        TRY(state_submit(c->state, forget, &f, err));
    }
    return STATUS_OK;
}

/* BEGIN, COMMIT, ROLLBACK, and which statements a transaction takes. The work is the catalog's (tarn/catalog/txn.h). */
#include "run/run.h"

/* Changing statements that a transaction takes. */
static const bool takes[] = {
    [STATEMENT_CREATE_SCHEMA] = true, [STATEMENT_DROP_SCHEMA] = true,
    [STATEMENT_CREATE_TABLE] = true,  [STATEMENT_CREATE_TABLE_AS] = true,
    [STATEMENT_DROP_TABLE] = true,    [STATEMENT_INSERT] = true,
    [STATEMENT_UPDATE] = true,        [STATEMENT_DELETE] = true,
    [STATEMENT_MERGE] = true,         [STATEMENT_TRUNCATE] = true,
    [STATEMENT_ALTER_TABLE] = true,   [STATEMENT_COMMENT] = true,
    [STATEMENT_CREATE_VIEW] = true,   [STATEMENT_ALTER_VIEW] = true,
    [STATEMENT_DROP_VIEW] = true,     [STATEMENT_ANALYZE] = true,
    [STATEMENT_CALL] = true, /* call.c knows which procedures */
};

engine_transaction transaction_state(const sql_session *s)
{
    if (s->failed) {
        return TRANSACTION_FAILED;
    }
    return s->txn != NULL ? TRANSACTION_OPEN : TRANSACTION_NONE;
}

static bool is_end(statement_kind kind)
{
    return kind == STATEMENT_COMMIT || kind == STATEMENT_ROLLBACK;
}

static status refuse(const statement *st, error *err)
{
    error_set(err, STATUS_TXN_ACTIVE, "%s cannot run inside of a transaction",
              statement_kind_name(st->kind));
    error_hint(err, "ROLLBACK, or COMMIT what is done before, and run it by itself.");
    return run_at(STATUS_TXN_ACTIVE, st->position, err);
}

status transaction_check(run *r, const statement *st, error *err)
{
    const sql_session *s = r->session;
    statement_kind kind = statement_effect(st);

    r->catalog = s->txn != NULL ? catalog_in(s->txn) : r->e->options.catalog;
    if (s->failed && !is_end(st->kind)) {
        error_set(err, STATUS_TXN_FAILED,
                  "the transaction has failed: nothing but ROLLBACK is done in it");
        error_hint(err, "ROLLBACK ends it; an earlier statement's error was the reason.");
        return run_at(STATUS_TXN_FAILED, st->position, err);
    }
    if (s->txn == NULL) {
        return STATUS_OK;
    }
    catalog_txn_operation(s->txn, statement_kind_name(kind));
    if (s->read_only && statement_changes(kind)) {
        error_set(err, STATUS_TXN_READ_ONLY,
                  "%s changes something, and the transaction is read only",
                  statement_kind_name(kind));
        return run_at(STATUS_TXN_READ_ONLY, st->position, err);
    }
    if (statement_changes(kind) && ((size_t)kind >= COUNT_OF(takes) || !takes[kind])) {
        return refuse(st, err);
    }
    return STATUS_OK;
}

void transaction_fail(run *r)
{
    sql_session *s = r->session;

    if (s->txn != NULL) {
        catalog_txn_rollback(s->txn);
        s->txn = NULL;
        s->failed = true;
        r->catalog = r->e->options.catalog;
        atomic_fetch_add(&r->e->rolled_back, 1);
    }
}

static status begin(run *r, const statement *st, error *err)
{
    sql_session *s = r->session;

    if (s->txn != NULL) {
        error_set(err, STATUS_TXN_ACTIVE, "a transaction is open already");
        error_hint(err, "COMMIT or ROLLBACK ends it; there are none inside of others.");
        return run_at(STATUS_TXN_ACTIVE, st->position, err);
    }
    TRY(catalog_txn_begin(r->e->options.catalog, st->serializable, &s->txn, err));
    s->read_only = st->read_only;
    return STATUS_OK;
}

static status commit(run *r, error *err)
{
    sql_session *s = r->session;
    catalog_txn *txn = s->txn;
    status result;

    s->txn = NULL;
    r->catalog = r->e->options.catalog;
    result = catalog_txn_commit(txn, err);
    atomic_fetch_add(result == STATUS_OK ? &r->e->committed : &r->e->rolled_back, 1);
    if (result == STATUS_CONFLICT) {
        atomic_fetch_add(&r->e->conflicted, 1);
    }
    return result;
}

static status end(run *r, const statement *st, error *err)
{
    sql_session *s = r->session;

    if (s->txn == NULL && !s->failed) {
        error_set(err, STATUS_TXN_NONE, "there is no open transaction");
        error_hint(err, "BEGIN opens one; a request without a session ends the one it opened.");
        return run_at(STATUS_TXN_NONE, st->position, err);
    }
    if (st->kind == STATEMENT_COMMIT && !s->failed) {
        TRY(run_at(commit(r, err), st->position, err));
        r->result.transaction = TRANSACTION_COMMITTED;
        return STATUS_OK;
    }
    transaction_fail(r);
    s->failed = false;
    r->result.transaction = TRANSACTION_ROLLED_BACK;
    return STATUS_OK;
}

status run_transaction(run *r, const statement *st, bool last, arena *a, error *err)
{
    (void)a;
    if (st->kind == STATEMENT_BEGIN) {
        TRY(begin(r, st, err));
    } else {
        TRY(end(r, st, err));
    }
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

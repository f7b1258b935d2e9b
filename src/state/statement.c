/* Statements inside a transaction: values in, rows out. The same for every database; state_ops
 * does the work. */
#include "internal.h"

struct state_rows {
    state_txn *txn;
    db_cursor *cursor; /* NULL once finished */
    state_rows *next;  /* among those open */
};

status state_exec(state_txn *txn, const char *sql, const state_value *values, size_t count,
                  int64_t *ret_changed, error *err)
{
    db_cursor *cursor;
    bool row = true;
    status done = STATUS_OK;

    ASSERT(txn->writes);
    TRY(txn->ops->prepare(txn->connection, sql, values, count, true, &cursor, err));
    while (done == STATUS_OK && row) { /* rows, of RETURNING say, are passed over */
        done = txn->ops->step(cursor, &row, err);
    }
    txn->ops->finish(cursor);
    if (done == STATUS_OK && ret_changed != NULL) {
        *ret_changed = txn->ops->changed(txn->connection);
    }
    return done;
}

status state_query(state_txn *txn, const char *sql, const state_value *values, size_t count,
                   state_rows **ret_rows, error *err)
{
    db_cursor *cursor;
    state_rows *rows;

    TRY(txn->ops->prepare(txn->connection, sql, values, count, false, &cursor, err));
    rows = ARENA_NEW(txn->memory, state_rows);
    rows->txn = txn;
    rows->cursor = cursor;
    rows->next = txn->open_rows;
    txn->open_rows = rows;
    *ret_rows = rows;
    return STATUS_OK;
}

status state_next(state_rows *rows, bool *ret_row, error *err)
{
    bool row;

    if (rows->cursor == NULL) { /* after the last row there is none */
        *ret_row = false;
        return STATUS_OK;
    }
    TRY(rows->txn->ops->step(rows->cursor, &row, err));
    if (!row) {
        state_finish(rows);
    }
    *ret_row = row;
    return STATUS_OK;
}

void state_finish(state_rows *rows)
{
    state_rows **at = &rows->txn->open_rows;

    if (rows->cursor == NULL) {
        return;
    }
    rows->txn->ops->finish(rows->cursor);
    rows->cursor = NULL;
    while (*at != rows) {
        at = &(*at)->next;
    }
    *at = rows->next;
}

void state__finish_rows(state_txn *txn)
{
    while (txn->open_rows != NULL) {
        state_finish(txn->open_rows);
    }
}

static state_value column_of(const state_rows *rows, int column)
{
    ASSERT(rows->cursor != NULL); /* there is a row */
    return rows->txn->ops->column(rows->cursor, column);
}

int64_t state_int(const state_rows *rows, int column)
{
    state_value value = column_of(rows, column);

    return value.kind == STATE_REAL ? (int64_t)value.real : value.integer;
}

double state_real(const state_rows *rows, int column)
{
    state_value value = column_of(rows, column);

    return value.kind == STATE_INT ? (double)value.integer : value.real;
}

str state_text(const state_rows *rows, int column, arena *a)
{
    str bytes = column_of(rows, column).bytes;

    return a != NULL ? str_copy(a, bytes) : bytes;
}

bool state_is_null(const state_rows *rows, int column)
{
    return column_of(rows, column).kind == STATE_NULL;
}

bool state_txn_writes(const state_txn *txn)
{
    return txn->writes;
}

arena *state_txn_arena(state_txn *txn)
{
    return txn->memory;
}

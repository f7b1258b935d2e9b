/* BEGIN, START TRANSACTION, COMMIT, ROLLBACK and their other names. */
#include "sql/parser.h"

static void skip_noise(parser *p)
{
    if (!parser_skip(p, "transaction")) {
        (void)parser_skip(p, "work");
    }
}

static status parse_level(parser *p, statement *st)
{
    TRY(parser_expect(p, "level"));
    if (parser_skip(p, "serializable")) {
        st->serializable = true;
        return STATUS_OK;
    }
    if (parser_skip(p, "snapshot")) {
        return STATUS_OK;
    }
    if (parser_skip(p, "repeatable")) { /* the lower ones get more than they ask for */
        return parser_expect(p, "read");
    }
    TRY(parser_expect(p, "read"));
    return parser_skip(p, "uncommitted") ? STATUS_OK : parser_expect(p, "committed");
}

static status parse_modes(parser *p, statement *st)
{
    while (!parser_at_end(p)) {
        if (parser_skip(p, "isolation")) {
            TRY(parse_level(p, st));
        } else {
            TRY(parser_expect(p, "read"));
            st->read_only = parser_skip(p, "only");
            TRY(st->read_only ? STATUS_OK : parser_expect(p, "write"));
        }
        if (parser_skip_symbol(p, ',') && parser_at_end(p)) {
            return parser_fail(p);
        }
    }
    return STATUS_OK;
}

status parser_begin(parser *p, statement *st)
{
    bool start = parser_is(p, "start");

    p->at++;
    st->kind = STATEMENT_BEGIN;
    if (start) {
        TRY(parser_expect(p, "transaction"));
    } else {
        skip_noise(p);
    }
    return parse_modes(p, st);
}

static status parse_end(parser *p, statement *st, statement_kind kind)
{
    p->at++;
    st->kind = kind;
    skip_noise(p);
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

status parser_commit(parser *p, statement *st)
{
    return parse_end(p, st, STATEMENT_COMMIT);
}

/* ROLLBACK [WORK] TO [SAVEPOINT] name */
static status refuse_savepoint(const parser *p)
{
    error_set(p->err, STATUS_UNSUPPORTED, "ROLLBACK TO a savepoint is not supported");
    error_hint(p->err, "A transaction is taken back as a whole: ROLLBACK.");
    return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
}

status parser_rollback(parser *p, statement *st)
{
    parser ahead = *p;

    ahead.at++;
    skip_noise(&ahead);
    if (parser_is(&ahead, "to")) {
        return refuse_savepoint(&ahead);
    }
    return parse_end(p, st, STATEMENT_ROLLBACK);
}

/* DELETE and TRUNCATE: the table, and the condition as a range of tokens, which DuckDB's parser reads as that of a
 * SELECT. */
#include "sql/parser.h"

static status refuse_clause(const parser *p, const char *name, const char *hint)
{
    error_set(p->err, STATUS_UNSUPPORTED, "DELETE … %s is not supported", name);
    error_hint(p->err, "%s", hint);
    return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
}

/* The condition ends with the statement; what would end it earlier stands outside of brackets. A bracket that was
 * never opened would end the one that the condition is put into. */
static status check_condition(const parser *p)
{
    parser ahead = *p;
    size_t depth = 0;

    for (; ahead.at < ahead.end; ahead.at++) {
        if (parser_is_symbol(&ahead, '(')) {
            depth++;
        } else if (parser_is_symbol(&ahead, ')')) {
            if (depth == 0) {
                return parser_fail(&ahead);
            }
            depth--;
        } else if (depth == 0 && parser_is(&ahead, "returning")) {
            return refuse_clause(&ahead, "RETURNING", "SELECT the rows first.");
        }
    }
    return STATUS_OK;
}

static status parse_alias(parser *p, statement *st)
{
    bool named = parser_skip(p, "as");

    st->alias = STR_NULL;
    if (!named && (parser_at_end(p) || parser_is(p, "where") || parser_is(p, "using") ||
                   parser_is(p, "returning"))) {
        return STATUS_OK;
    }
    return parser_word(p, &st->alias);
}

status parser_delete(parser *p, statement *st)
{
    st->kind = STATEMENT_DELETE;
    p->at++;
    TRY(parser_expect(p, "from"));
    st->name_token = p->at;
    TRY(parser_name(p, &st->name));
    TRY(parse_alias(p, st));
    if (parser_is(p, "using")) {
        return refuse_clause(p, "USING", "Use WHERE column IN (SELECT …).");
    }
    if (parser_is(p, "returning")) {
        return refuse_clause(p, "RETURNING", "SELECT the rows first.");
    }
    if (parser_skip(p, "where")) {
        if (parser_at_end(p)) {
            return parser_fail(p);
        }
        TRY(check_condition(p));
        st->where = (token_range){.from = p->at, .to = p->end};
        p->at = p->end;
    }
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

status parser_truncate(parser *p, statement *st)
{
    st->kind = STATEMENT_TRUNCATE;
    st->alias = STR_NULL;
    p->at++;
    (void)parser_skip(p, "table");
    st->name_token = p->at;
    TRY(parser_name(p, &st->name));
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

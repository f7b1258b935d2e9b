/* DELETE and TRUNCATE: the table, and the condition as a range of tokens, which DuckDB's parser reads as that of a
 * SELECT. */
#include "sql/parser.h"

status parser_delete(parser *p, statement *st)
{
    static const char *const alias_ends[] = {"where", "using", "returning", NULL};
    static const char *const using_ends[] = {"where", "returning", NULL};
    static const char *const where_ends[] = {"returning", NULL};

    st->kind = STATEMENT_DELETE;
    p->at++;
    TRY(parser_expect(p, "from"));
    st->name_token = p->at;
    TRY(parser_name(p, &st->name));
    st->name_end = p->at;
    TRY(parser_alias(p, alias_ends, &st->alias));
    if (parser_skip(p, "using")) {
        TRY(parser_piece(p, using_ends, &st->source_items));
    }
    if (parser_skip(p, "where")) {
        TRY(parser_piece(p, where_ends, &st->where));
    }
    TRY(parser_returning(p, st));
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
    st->name_end = p->at;
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

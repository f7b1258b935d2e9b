/* PREPARE, EXECUTE and DEALLOCATE: recognised here; what stands behind AS is parsed as any statement, so that a
 * mistake in it is found at once, and again when it is executed. */
#include "sql/parser.h"
#include "tarn/base/vec.h"

static bool is_about_prepared(statement_kind kind)
{
    return kind == STATEMENT_PREPARE || kind == STATEMENT_EXECUTE || kind == STATEMENT_DEALLOCATE;
}

/* (type, …) */
static status parse_types(parser *p, statement *st)
{
    VEC(statement_column) types = {0};

    do {
        statement_column type = {.comment = STR_NULL, .type_position = parser_position(p)};

        TRY(parser_type(p, &type.type_text));
        vec_push(p->a, &types, type);
    } while (parser_skip_symbol(p, ','));
    TRY(parser_expect_symbol(p, ')'));
    st->columns = types.items;
    st->column_count = types.count;
    return STATUS_OK;
}

static status parse_prepared_name(parser *p, statement *st)
{
    str *name = ARENA_NEW(p->a, str);
    size_t position = parser_position(p);

    TRY(parser_word(p, name));
    st->name = (statement_name){.parts = name, .count = 1, .position = position};
    return STATUS_OK;
}

status parser_prepare(parser *p, statement *st)
{
    statement inner;

    p->at++;
    st->kind = STATEMENT_PREPARE;
    TRY(parse_prepared_name(p, st));
    if (parser_skip_symbol(p, '(')) {
        TRY(parse_types(p, st));
    }
    TRY(parser_expect(p, "as"));
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    st->body = (token_range){.from = p->at, .to = p->end};
    TRY(statement_parse(p->list, st->body, p->a, &inner, p->err));
    if (is_about_prepared(inner.kind)) {
        return parser_place(p, parser_position(p),
                            error_set(p->err, STATUS_UNSUPPORTED, "PREPARE of %s is not supported",
                                      statement_kind_name(inner.kind)));
    }
    st->inner = statement_effect(&inner);
    return STATUS_OK;
}

status parser_execute(parser *p, statement *st)
{
    p->at++;
    st->kind = STATEMENT_EXECUTE;
    TRY(parse_prepared_name(p, st));
    if (!parser_at_end(p)) {
        TRY(parser_arguments(p, st));
    }
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

status parser_deallocate(parser *p, statement *st)
{
    p->at++;
    st->kind = STATEMENT_DEALLOCATE;
    (void)(p->at + 1 < p->end && parser_skip(p, "prepare"));
    if (!parser_skip(p, "all")) {
        TRY(parse_prepared_name(p, st));
    }
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

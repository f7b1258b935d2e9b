/* ANALYZE [table [(columns)]]. */
#include "sql/parser.h"
#include "tarn/base/vec.h"

status parser_analyze(parser *p, statement *st)
{
    VEC(str) names = {0};
    VEC(size_t) positions = {0};

    st->kind = STATEMENT_ANALYZE;
    p->at++;
    if (parser_at_end(p)) {
        return STATUS_OK;
    }
    TRY(parser_name(p, &st->name));
    if (parser_skip_symbol(p, '(')) {
        do {
            size_t position = parser_position(p);
            str name;
            TRY(parser_word(p, &name));
            vec_push(p->a, &names, name);
            vec_push(p->a, &positions, position);
        } while (parser_skip_symbol(p, ','));
        TRY(parser_expect_symbol(p, ')'));
        st->insert_columns = names.items;
        st->insert_positions = positions.items;
        st->insert_column_count = names.count;
    }
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

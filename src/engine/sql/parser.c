/* The steps that statements are read by: words, symbols, names, values, and where one fails. */
#include "sql/parser.h"

#include "tarn/base/vec.h"

bool parser_is(const parser *p, const char *word)
{
    return p->at < p->end && token_is(p->list, p->at, word);
}

bool parser_is_symbol(const parser *p, char symbol)
{
    return p->at < p->end && token_is_symbol(p->list, p->at, symbol);
}

bool parser_at_end(const parser *p)
{
    return p->at >= p->end;
}

bool parser_skip(parser *p, const char *word)
{
    bool found = parser_is(p, word);
    p->at += found ? 1 : 0;
    return found;
}

bool parser_skip_symbol(parser *p, char symbol)
{
    bool found = parser_is_symbol(p, symbol);
    p->at += found ? 1 : 0;
    return found;
}

status parser_fail(const parser *p)
{
    if (parser_at_end(p)) {
        return parser_place(
            p, parser_position(p),
            error_set(p->err, STATUS_SYNTAX, "syntax error at the end of the statement"));
    }
    return token_error(p->list, p->at, p->err);
}

status parser_place(const parser *p, size_t position, status kind)
{
    if (p->err != NULL) {
        p->err->position = (int)position;
    }
    return kind;
}

status parser_expect(parser *p, const char *word)
{
    return parser_skip(p, word) ? STATUS_OK : parser_fail(p);
}

status parser_expect_symbol(parser *p, char symbol)
{
    return parser_skip_symbol(p, symbol) ? STATUS_OK : parser_fail(p);
}

size_t parser_position(const parser *p)
{
    if (p->at >= p->end && p->end > 0) {
        return p->list->items[p->end - 1].to;
    }
    return p->list->items[p->at].from;
}

status parser_word(parser *p, str *ret_name)
{
    if (parser_at_end(p) || !token_is_name(p->list, p->at)) {
        return parser_fail(p);
    }
    *ret_name = token_name(p->list, p->at++, p->a);
    return STATUS_OK;
}

#define NAME_PARTS_MAX 8

status parser_name(parser *p, statement_name *ret_name)
{
    VEC(str) parts = {0};
    statement_name name = {.position = parser_position(p)};
    do {
        str part;
        TRY(parser_word(p, &part));
        vec_push(p->a, &parts, part);
    } while (parts.count < NAME_PARTS_MAX && parser_skip_symbol(p, '.'));
    name.parts = parts.items;
    name.count = parts.count;
    *ret_name = name;
    return STATUS_OK;
}

status parser_brackets(parser *p, token_range *ret_inside)
{
    size_t depth = 0, start = p->at + 1;
    for (; p->at < p->end; p->at++) {
        if (parser_is_symbol(p, '(') || parser_is_symbol(p, '[') || parser_is_symbol(p, '{')) {
            depth++;
        } else if (parser_is_symbol(p, ')') || parser_is_symbol(p, ']') ||
                   parser_is_symbol(p, '}')) {
            depth--;
            if (depth == 0) {
                *ret_inside = (token_range){.from = start, .to = p->at++};
                return STATUS_OK;
            }
        }
    }
    return parser_fail(p);
}

str parser_text(const parser *p, size_t from, size_t to)
{
    if (from >= to) {
        return STR("");
    }
    return str_slice(p->list->sql, p->list->items[from].from, p->list->items[to - 1].to);
}

status parser_text_value(parser *p, str *ret_text)
{
    if (parser_at_end(p) || p->list->items[p->at].kind != TOKEN_TEXT) {
        return parser_fail(p);
    }
    TRY(token_value(p->list, p->at, p->a, ret_text, p->err));
    p->at++;
    return STATUS_OK;
}

status parser_names(parser *p, statement *st)
{
    VEC(statement_name) others = {0};

    if (parser_skip(p, "if")) {
        TRY(parser_expect(p, "exists"));
        st->if_exists = true;
    }
    TRY(parser_name(p, &st->name));
    while (parser_skip_symbol(p, ',')) {
        statement_name other;
        TRY(parser_name(p, &other));
        vec_push(p->a, &others, other);
    }
    st->others = others.items;
    st->other_count = others.count;
    return STATUS_OK;
}

/* CREATE VIEW, ALTER VIEW, DROP VIEW: what is asked for. The SELECT is handed out as tokens, DuckDB's parser has the
 * last word on it. */
#include "sql/parser.h"
#include "tarn/base/vec.h"

/* (name [COMMENT 'text'], …) */
static status parse_columns(parser *p, statement *st)
{
    VEC(statement_column) columns = {0};

    TRY(parser_expect_symbol(p, '('));
    do {
        statement_column column = {.comment = STR_NULL, .position = parser_position(p)};
        TRY(parser_word(p, &column.name));
        for (size_t i = 0; i < columns.count; i++) {
            if (str_equal_nocase(columns.items[i].name, column.name)) {
                return parser_place(p, column.position,
                                    error_set(p->err, STATUS_INVALID,
                                              "column \"%.*s\" is named twice",
                                              STR_ARG(column.name)));
            }
        }
        if (parser_skip(p, "comment")) {
            TRY(parser_text_value(p, &column.comment));
        }
        vec_push(p->a, &columns, column);
    } while (parser_skip_symbol(p, ','));
    st->columns = columns.items;
    st->column_count = columns.count;
    return parser_expect_symbol(p, ')');
}

static status parse_options(parser *p, statement *st)
{
    bool with = false, comment = false;

    for (;;) {
        if (!with && (parser_is(p, "with") || parser_is(p, "tblproperties")) &&
            p->at + 1 < p->end && token_is_symbol(p->list, p->at + 1, '(')) {
            with = true;
            p->at++;
            TRY(parser_property_list(p, false, &st->properties, &st->property_count));
        } else if (!comment && parser_is(p, "comment")) {
            comment = true;
            p->at++;
            TRY(parser_text_value(p, &st->comment));
        } else {
            return STATUS_OK;
        }
    }
}

static status parse_body(parser *p, statement *st)
{
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    st->body = (token_range){.from = p->at, .to = p->end};
    p->at = p->end;
    return STATUS_OK;
}

status parser_create_view(parser *p, statement *st)
{
    st->kind = STATEMENT_CREATE_VIEW;
    if (!st->replace && parser_skip(p, "if")) {
        TRY(parser_expect(p, "not"));
        TRY(parser_expect(p, "exists"));
        st->if_exists = true;
    }
    TRY(parser_name(p, &st->name));
    if (parser_is_symbol(p, '(')) {
        TRY(parse_columns(p, st));
    }
    TRY(parse_options(p, st));
    TRY(parser_expect(p, "as"));
    return parse_body(p, st);
}

status parser_drop_view(parser *p, statement *st)
{
    st->kind = STATEMENT_DROP_VIEW;
    TRY(parser_names(p, st));
    if (parser_skip(p, "cascade")) {
        p->at--;
        error_set(p->err, STATUS_UNSUPPORTED, "DROP VIEW … CASCADE is not supported");
        error_hint(p->err, "Views that read this one stay, and say so when they are read.");
        return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
    }
    (void)parser_skip(p, "restrict");
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

/* ALTER VIEW v AS SELECT … is CREATE OR REPLACE VIEW for one that is there. */
status parser_alter_view(parser *p, statement *st)
{
    statement_change *c = ARENA_NEW(p->a, statement_change);

    st->kind = STATEMENT_ALTER_VIEW;
    if (parser_skip(p, "if")) {
        TRY(parser_expect(p, "exists"));
        st->if_exists = true;
    }
    TRY(parser_name(p, &st->name));
    st->changes = c;
    st->change_count = 1;
    c->position = parser_position(p);
    if (parser_skip(p, "rename")) {
        TRY(parser_expect(p, "to"));
        c->kind = CHANGE_RENAME_TABLE;
        c->position = parser_position(p);
        TRY(parser_name(p, &c->to));
    } else if (parser_skip(p, "set") || parser_skip(p, "unset")) {
        bool unset = token_is(p->list, p->at - 1, "unset");
        c->kind = unset ? CHANGE_UNSET_PROPERTIES : CHANGE_SET_PROPERTIES;
        if (!parser_skip(p, "tblproperties")) {
            (void)parser_skip(p, "properties");
        }
        if (unset && parser_skip(p, "if")) {
            TRY(parser_expect(p, "exists"));
            c->if_exists = true;
        }
        TRY(parser_property_list(p, unset, &c->properties, &c->property_count));
    } else if (parser_skip(p, "as")) {
        st->kind = STATEMENT_CREATE_VIEW;
        st->replace = true;
        st->must_exist = true;
        st->change_count = 0;
        return parse_body(p, st);
    } else {
        return parser_fail(p);
    }
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

/* ALTER TABLE, COMMENT ON and CALL: what is asked for, as a list of changes. Nothing is looked up here; texts of
 * partitioning and order are handed on as they stand. */
#include "sql/parser.h"
#include "tarn/base/vec.h"

static bool next_is(const parser *p, size_t ahead, const char *word)
{
    return p->at + ahead < p->end && token_is(p->list, p->at + ahead, word);
}

static bool skip_two(parser *p, const char *first, const char *second)
{
    bool found = parser_is(p, first) && next_is(p, 1, second);
    p->at += found ? 2 : 0;
    return found;
}

static status skip_if(parser *p, bool negated, bool *ret_given)
{
    if (parser_is(p, "if") && (next_is(p, 1, "exists") || next_is(p, 1, "not"))) {
        p->at++;
        TRY(negated ? parser_expect(p, "not") : STATUS_OK);
        TRY(parser_expect(p, "exists"));
        *ret_given = true;
    }
    return STATUS_OK;
}

static status take_text(parser *p, str *ret_text)
{
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    TRY(token_value(p->list, p->at, p->a, ret_text, p->err));
    p->at++;
    return STATUS_OK;
}

static status take_number(parser *p, int64_t *ret_number)
{
    int64_t number;
    if (parser_at_end(p) || p->list->items[p->at].kind != TOKEN_NUMBER) {
        return parser_fail(p);
    }
    if (str_to_int64(token_text(p->list, p->at), &number, NULL) != STATUS_OK) {
        return parser_place(p, parser_position(p),
                            error_set(p->err, STATUS_INVALID, "\"%.*s\" is no whole number",
                                      STR_ARG(token_text(p->list, p->at))));
    }
    p->at++;
    *ret_number = number;
    return STATUS_OK;
}

/* Everything up to the word, or to the end, outside of brackets; empty is refused. */
static status take_until(parser *p, const char *word, str *ret_text, size_t *ret_position)
{
    size_t start = p->at;
    *ret_position = parser_position(p);
    while (!parser_at_end(p) && (word == NULL || !parser_is(p, word))) {
        if (parser_is_symbol(p, '(')) {
            token_range inside;
            TRY(parser_brackets(p, &inside));
        } else {
            p->at++;
        }
    }
    if (p->at == start) {
        return parser_fail(p);
    }
    *ret_text = parser_text(p, start, p->at);
    return STATUS_OK;
}

/* ---- columns ---- */

static status parse_place(parser *p, statement_change *c)
{
    if (parser_skip(p, "first")) {
        c->place = ICE_FIRST;
    } else if (parser_is(p, "after") || parser_is(p, "before")) {
        c->place = parser_is(p, "after") ? ICE_AFTER : ICE_BEFORE;
        p->at++;
        TRY(parser_word(p, &c->beside));
    }
    return STATUS_OK;
}

static status parse_added(parser *p, statement_change *c)
{
    c->kind = CHANGE_ADD_COLUMN;
    c->position = parser_position(p);
    TRY(parser_name(p, &c->path));
    TRY(parser_column_rest(p, "ALTER TABLE", &c->column));
    c->column.name = c->path.parts[c->path.count - 1];
    c->column.position = c->position;
    return parse_place(p, c);
}

typedef VEC(statement_change) change_list;

static status parse_add(parser *p, change_list *list)
{
    statement_change c = {.position = parser_position(p)};
    if (skip_two(p, "partition", "field")) {
        c.kind = CHANGE_ADD_PARTITION;
        TRY(take_until(p, NULL, &c.text, &c.text_position));
        vec_push(p->a, list, c);
        return STATUS_OK;
    }
    bool key = p->at + 1 < p->end && token_is(p->list, p->at + 1, "key");
    bool bracket = p->at + 1 < p->end && token_is_symbol(p->list, p->at + 1, '(');
    if (key || bracket || parser_is(p, "constraint")) {
        TRY(parser_refuse_constraint(p, "ALTER TABLE"));
    }
    bool many = parser_skip(p, "columns");
    if (!many) {
        (void)parser_skip(p, "column");
    }
    TRY(skip_if(p, true, &c.if_exists));
    bool brackets = parser_skip_symbol(p, '(');
    do {
        statement_change column = c;
        TRY(parse_added(p, &column));
        vec_push(p->a, list, column);
    } while (brackets && parser_skip_symbol(p, ','));
    return brackets ? parser_expect_symbol(p, ')') : STATUS_OK;
}

static status parse_drop_ref(parser *p, statement_change *c)
{
    c->kind = CHANGE_DROP_REF;
    c->ref.is_tag = parser_skip(p, "tag");
    if (!c->ref.is_tag) {
        TRY(parser_expect(p, "branch"));
    }
    TRY(skip_if(p, false, &c->if_exists));
    c->position = parser_position(p);
    return parser_word(p, &c->name);
}

static status parse_paths(parser *p, statement_change *c)
{
    VEC(statement_name) paths = {0};
    bool brackets = parser_skip_symbol(p, '(');
    c->position = parser_position(p);
    do {
        statement_name path;
        TRY(parser_name(p, &path));
        vec_push(p->a, &paths, path);
    } while (parser_skip_symbol(p, ','));
    c->paths = paths.items;
    c->path_count = paths.count;
    return brackets ? parser_expect_symbol(p, ')') : STATUS_OK;
}

static status parse_drop(parser *p, change_list *list)
{
    statement_change c = {.position = parser_position(p), .kind = CHANGE_DROP_COLUMN};
    if (skip_two(p, "partition", "field")) {
        c.kind = CHANGE_DROP_PARTITION;
        TRY(take_until(p, NULL, &c.text, &c.text_position));
    } else if (skip_two(p, "identifier", "fields")) {
        c.kind = CHANGE_DROP_IDENTIFIER;
        TRY(parse_paths(p, &c));
    } else if ((parser_is(p, "branch") || parser_is(p, "tag")) && p->at + 1 < p->end) {
        TRY(parse_drop_ref(p, &c));
    } else {
        if (!parser_skip(p, "columns")) {
            (void)parser_skip(p, "column");
        }
        TRY(skip_if(p, false, &c.if_exists));
        bool brackets = parser_skip_symbol(p, '(');
        do {
            c.position = parser_position(p);
            TRY(parser_name(p, &c.path));
            vec_push(p->a, list, c);
        } while (brackets && parser_skip_symbol(p, ','));
        TRY(brackets ? parser_expect_symbol(p, ')') : STATUS_OK);
        (void)parser_skip(p, "restrict");
        return STATUS_OK;
    }
    vec_push(p->a, list, c);
    return STATUS_OK;
}

static status parse_rename(parser *p, change_list *list)
{
    statement_change c = {.position = parser_position(p), .kind = CHANGE_RENAME_TABLE};
    if (parser_skip(p, "to")) {
        c.position = parser_position(p);
        TRY(parser_name(p, &c.to));
    } else {
        c.kind = CHANGE_RENAME_COLUMN;
        (void)parser_skip(p, "column");
        c.position = parser_position(p);
        TRY(parser_name(p, &c.path));
        TRY(parser_expect(p, "to"));
        TRY(parser_word(p, &c.name));
    }
    vec_push(p->a, list, c);
    return STATUS_OK;
}

/* SET … of a column; `set` was read. */
static status parse_column_set(parser *p, statement_change *c)
{
    if (parser_skip(p, "not")) {
        c->kind = CHANGE_SET_REQUIRED;
        c->required = true;
        return parser_expect(p, "null");
    }
    if (parser_skip(p, "default")) {
        c->kind = CHANGE_SET_DEFAULT;
        return parser_constant(p, &c->column.fallback);
    }
    (void)parser_skip(p, "data");
    c->kind = CHANGE_COLUMN_TYPE;
    TRY(parser_expect(p, "type"));
    c->column.type_position = parser_position(p);
    return parser_type(p, &c->column.type_text);
}

static status parse_column_change(parser *p, statement_change *c)
{
    if (parser_skip(p, "set")) {
        return parse_column_set(p, c);
    }
    if (parser_skip(p, "type")) {
        c->kind = CHANGE_COLUMN_TYPE;
        c->column.type_position = parser_position(p);
        return parser_type(p, &c->column.type_text);
    }
    if (parser_skip(p, "drop")) {
        if (parser_skip(p, "default")) {
            c->kind = CHANGE_DROP_DEFAULT;
            return STATUS_OK;
        }
        c->kind = CHANGE_SET_REQUIRED;
        TRY(parser_expect(p, "not"));
        return parser_expect(p, "null");
    }
    if (parser_skip(p, "comment")) {
        c->kind = CHANGE_COLUMN_COMMENT;
        return take_text(p, &c->text);
    }
    c->kind = CHANGE_MOVE_COLUMN;
    return parser_is(p, "first") || parser_is(p, "after") || parser_is(p, "before")
               ? parse_place(p, c)
               : parser_fail(p);
}

static status parse_alter_column(parser *p, change_list *list)
{
    statement_change c = {.kind = CHANGE_COLUMN_TYPE};
    (void)parser_skip(p, "column");
    c.position = parser_position(p);
    TRY(parser_name(p, &c.path));
    c.column.name = c.path.parts[c.path.count - 1];
    TRY(parse_column_change(p, &c));
    if (parser_is(p, "using")) {
        error_set(p->err, STATUS_UNSUPPORTED, "ALTER COLUMN … USING is not supported");
        error_hint(p->err, "Files are not written again; add a column, or CREATE TABLE … AS.");
        return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
    }
    vec_push(p->a, list, c);
    return STATUS_OK;
}

/* ---- the table ---- */

static status parse_version(parser *p, statement_change *c)
{
    int64_t version;
    size_t position;
    c->kind = CHANGE_FORMAT_VERSION;
    TRY(parser_expect(p, "version"));
    position = parser_position(p);
    TRY(take_number(p, &version));
    c->position = position;
    c->format_version = version > 0 && version < 100 ? (int)version : -1;
    return STATUS_OK;
}

static status parse_set(parser *p, change_list *list)
{
    statement_change c = {.kind = CHANGE_SET_PROPERTIES, .position = parser_position(p)};
    if (skip_two(p, "identifier", "fields")) {
        c.kind = CHANGE_SET_IDENTIFIER;
        TRY(parse_paths(p, &c));
    } else if (parser_skip(p, "format")) {
        TRY(parse_version(p, &c));
    } else if (skip_two(p, "partitioned", "by")) {
        token_range inside;
        c.kind = CHANGE_PARTITIONING;
        TRY(parser_is_symbol(p, '(') ? parser_brackets(p, &inside) : parser_fail(p));
        c.text = parser_text(p, inside.from, inside.to);
        c.text_position = p->list->items[inside.from].from;
    } else {
        if (!parser_skip(p, "tblproperties")) {
            (void)parser_skip(p, "properties");
        }
        TRY(parser_property_list(p, false, &c.properties, &c.property_count));
    }
    vec_push(p->a, list, c);
    return STATUS_OK;
}

static status parse_unset(parser *p, change_list *list)
{
    statement_change c = {.kind = CHANGE_UNSET_PROPERTIES, .position = parser_position(p)};
    if (!parser_skip(p, "tblproperties")) {
        (void)parser_skip(p, "properties");
    }
    TRY(skip_if(p, false, &c.if_exists));
    TRY(parser_property_list(p, true, &c.properties, &c.property_count));
    vec_push(p->a, list, c);
    return STATUS_OK;
}

static status parse_write(parser *p, change_list *list)
{
    statement_change c = {.kind = CHANGE_ORDER, .text = STR(""), .position = parser_position(p)};
    if (!parser_skip(p, "unordered")) {
        (void)parser_skip(p, "locally");
        TRY(parser_expect(p, "ordered"));
        TRY(parser_expect(p, "by"));
        bool brackets = parser_is_symbol(p, '(');
        token_range inside;
        if (brackets) {
            TRY(parser_brackets(p, &inside));
            c.text = parser_text(p, inside.from, inside.to);
            c.text_position = p->list->items[inside.from].from;
        } else {
            TRY(take_until(p, NULL, &c.text, &c.text_position));
        }
    }
    vec_push(p->a, list, c);
    return STATUS_OK;
}

/* ---- branches and tags ---- */

/* 5 DAYS, 12 HOURS, 30 MINUTES as milliseconds. */
static status take_age(parser *p, int64_t *ret_ms)
{
    static const struct {
        const char *one, *many;
        int64_t ms;
    } units[] = {
        {"day", "days", 86400000}, {"hour", "hours", 3600000}, {"minute", "minutes", 60000}};
    int64_t number;
    TRY(take_number(p, &number));
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (parser_skip(p, units[i].one) || parser_skip(p, units[i].many)) {
            return __builtin_mul_overflow(number, units[i].ms, ret_ms)
                       ? parser_place(p, parser_position(p),
                                      error_set(p->err, STATUS_INVALID, "the time is too long"))
                       : STATUS_OK;
        }
    }
    return parser_fail(p);
}

/* WITH SNAPSHOT RETENTION [n SNAPSHOTS] [n DAYS] */
static status parse_snapshot_retention(parser *p, ice_ref *ref)
{
    TRY(parser_expect(p, "snapshot"));
    TRY(parser_expect(p, "retention"));
    if (next_is(p, 1, "snapshots") || next_is(p, 1, "snapshot")) {
        int64_t count;
        size_t position = parser_position(p);
        TRY(take_number(p, &count));
        if (count < 1 || count > INT32_MAX) {
            return parser_place(p, position,
                                error_set(p->err, STATUS_INVALID, "at least 1 snapshot is kept"));
        }
        ref->min_snapshots_to_keep = (int32_t)count;
        p->at++;
    }
    if (!parser_at_end(p) && p->list->items[p->at].kind == TOKEN_NUMBER) {
        TRY(take_age(p, &ref->max_snapshot_age_ms));
    }
    return STATUS_OK;
}

static status parse_ref(parser *p, change_list *list, bool create, bool replace)
{
    statement_change c = {.kind = CHANGE_SET_REF,
                          .create = create,
                          .replace = replace,
                          .ref = {.snapshot_id = ICE_NO_SNAPSHOT,
                                  .max_ref_age_ms = -1,
                                  .max_snapshot_age_ms = -1,
                                  .min_snapshots_to_keep = -1}};
    c.ref.is_tag = parser_skip(p, "tag");
    if (!c.ref.is_tag) {
        TRY(parser_expect(p, "branch"));
    }
    TRY(create ? skip_if(p, true, &c.if_exists) : STATUS_OK);
    c.position = parser_position(p);
    TRY(parser_word(p, &c.ref.name));
    if (skip_two(p, "as", "of")) {
        c.has_snapshot = true;
        TRY(parser_expect(p, "version"));
        TRY(take_number(p, &c.ref.snapshot_id));
    }
    if (parser_skip(p, "retain")) {
        TRY(take_age(p, &c.ref.max_ref_age_ms));
    }
    if (parser_skip(p, "with")) {
        TRY(parse_snapshot_retention(p, &c.ref));
    }
    vec_push(p->a, list, c);
    return STATUS_OK;
}

static status parse_create(parser *p, change_list *list)
{
    bool replace = skip_two(p, "or", "replace");
    return parse_ref(p, list, true, replace);
}

static status parse_replace(parser *p, change_list *list)
{
    statement_change c = {.kind = CHANGE_REPLACE_PARTITION, .position = parser_position(p)};
    if (!skip_two(p, "partition", "field")) {
        return parse_ref(p, list, false, true);
    }
    TRY(take_until(p, "with", &c.text, &c.text_position));
    TRY(parser_expect(p, "with"));
    TRY(take_until(p, NULL, &c.with, &c.with_position));
    vec_push(p->a, list, c);
    return STATUS_OK;
}

/* ---- the statements ---- */

static const struct {
    const char *word;
    status (*parse)(parser *p, change_list *list);
} actions[] = {
    {"add", parse_add},
    {"drop", parse_drop},
    {"rename", parse_rename},
    {"alter", parse_alter_column},
    {"change", parse_alter_column},
    {"set", parse_set},
    {"unset", parse_unset},
    {"write", parse_write},
    {"create", parse_create},
    {"replace", parse_replace},
};

static status parse_action(parser *p, change_list *list)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        if (parser_skip(p, actions[i].word)) {
            return actions[i].parse(p, list);
        }
    }
    return parser_fail(p);
}

/* Moving a table to another name is no change of its metadata: it stands alone. */
static status check_alone(const parser *p, const change_list *list)
{
    for (size_t i = 0; list->count > 1 && i < list->count; i++) {
        if (list->items[i].kind == CHANGE_RENAME_TABLE) {
            return parser_place(
                p, list->items[i].position,
                error_set(p->err, STATUS_UNSUPPORTED, "RENAME TO stands alone in its statement"));
        }
    }
    return STATUS_OK;
}

status parser_alter(parser *p, statement *st)
{
    change_list list = {0};
    st->kind = STATEMENT_ALTER_TABLE;
    p->at++;
    TRY(parser_expect(p, "table"));
    TRY(skip_if(p, false, &st->if_exists));
    TRY(parser_name(p, &st->name));
    do {
        TRY(parse_action(p, &list));
    } while (parser_skip_symbol(p, ','));
    TRY(parser_at_end(p) ? STATUS_OK : parser_fail(p));
    TRY(check_alone(p, &list));
    st->changes = list.items;
    st->change_count = list.count;
    return STATUS_OK;
}

/* COMMENT ON TABLE t IS 'x', COMMENT ON COLUMN t.c IS 'x': NULL takes it away. */
status parser_comment(parser *p, statement *st)
{
    statement_change *c = ARENA_NEW(p->a, statement_change);
    st->kind = STATEMENT_COMMENT;
    p->at++;
    TRY(parser_expect(p, "on"));
    c->kind = CHANGE_TABLE_COMMENT;
    c->text = STR_NULL;
    if (parser_skip(p, "column")) {
        c->kind = CHANGE_COLUMN_COMMENT;
    } else {
        st->on_view = parser_skip(p, "view");
        TRY(st->on_view ? STATUS_OK : parser_expect(p, "table"));
    }
    c->position = parser_position(p);
    TRY(parser_name(p, &st->name));
    if (c->kind == CHANGE_COLUMN_COMMENT) {
        if (st->name.count < 2) {
            return parser_fail(p);
        }
        st->name.count--;
        c->path = (statement_name){.parts = st->name.parts + st->name.count, .count = 1};
    }
    TRY(parser_expect(p, "is"));
    if (!parser_skip(p, "null")) {
        TRY(take_text(p, &c->text));
    }
    st->changes = c;
    st->change_count = 1;
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

/* ---- CALL ---- */

/* One argument: up to the next comma outside of brackets. */
static status parse_argument(parser *p, statement_argument *ret_argument)
{
    statement_argument argument = {.name = STR_NULL, .position = parser_position(p)};
    bool arrow = p->at + 2 < p->end && token_is_symbol(p->list, p->at + 1, '=') &&
                 token_is_symbol(p->list, p->at + 2, '>');
    bool colon = p->at + 2 < p->end && token_is_symbol(p->list, p->at + 1, ':') &&
                 token_is_symbol(p->list, p->at + 2, '=');
    if (arrow || colon) {
        TRY(parser_word(p, &argument.name));
        p->at += 2;
    }
    argument.value.from = p->at;
    while (!parser_at_end(p) && !parser_is_symbol(p, ',') && !parser_is_symbol(p, ')')) {
        if (parser_is_symbol(p, '(') || parser_is_symbol(p, '[') || parser_is_symbol(p, '{')) {
            token_range inside;
            TRY(parser_brackets(p, &inside));
        } else {
            p->at++;
        }
    }
    argument.value.to = p->at;
    if (argument.value.from == argument.value.to) {
        return parser_fail(p);
    }
    *ret_argument = argument;
    return STATUS_OK;
}

status parser_arguments(parser *p, statement *st)
{
    VEC(statement_argument) arguments = {0};
    TRY(parser_expect_symbol(p, '('));
    while (!parser_is_symbol(p, ')')) {
        statement_argument argument;
        TRY(parse_argument(p, &argument));
        vec_push(p->a, &arguments, argument);
        if (!parser_skip_symbol(p, ',')) {
            break;
        }
    }
    TRY(parser_expect_symbol(p, ')'));
    st->arguments = arguments.items;
    st->argument_count = arguments.count;
    return STATUS_OK;
}

status parser_call(parser *p, statement *st)
{
    st->kind = STATEMENT_CALL;
    p->at++;
    TRY(parser_name(p, &st->name));
    TRY(parser_arguments(p, st));
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

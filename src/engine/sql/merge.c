/* UPDATE, MERGE and the ON CONFLICT of INSERT: the table, where rows come from, and what becomes of which row.
 * Expressions are ranges of tokens, which DuckDB's parser reads: each is put into brackets, so that none may close more
 * than it opens. */
#include "sql/parser.h"
#include "tarn/base/vec.h"

static status refuse(const parser *p, const char *name, const char *hint)
{
    error_set(p->err, STATUS_UNSUPPORTED, "%s is not supported", name);
    error_hint(p->err, "%s", hint);
    return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
}

/* ---- pieces ---- */

static bool opens(const parser *p)
{
    return parser_is_symbol(p, '(') || parser_is_symbol(p, '[') || parser_is_symbol(p, '{') ||
           parser_is(p, "case");
}

static bool closes(const parser *p)
{
    return parser_is_symbol(p, ')') || parser_is_symbol(p, ']') || parser_is_symbol(p, '}') ||
           parser_is(p, "end");
}

static bool ends_here(const parser *p, const char *const *ends)
{
    for (; *ends != NULL; ends++) {
        bool symbol = (*ends)[1] == '\0';
        if (symbol ? parser_is_symbol(p, (*ends)[0]) : parser_is(p, *ends)) {
            /* a IS [NOT] DISTINCT FROM b */
            return !(parser_is(p, "from") && token_is(p->list, p->at - 1, "distinct"));
        }
    }
    return false;
}

status parser_piece(parser *p, const char *const *ends, token_range *ret_piece)
{
    size_t depth = 0, from = p->at;

    for (; p->at < p->end; p->at++) {
        bool member = p->at > from && token_is_symbol(p->list, p->at - 1, '.');
        if (member) {
            continue; /* x.end */
        }
        if (depth == 0 && (closes(p) || ends_here(p, ends))) {
            break;
        }
        depth += opens(p) ? 1 : 0;
        depth -= closes(p) ? 1 : 0;
    }
    if (p->at == from || depth > 0 || (closes(p) && !ends_here(p, ends))) {
        return parser_fail(p);
    }
    *ret_piece = (token_range){.from = from, .to = p->at};
    return STATUS_OK;
}

status parser_returning(parser *p, statement *st)
{
    if (!parser_skip(p, "returning")) {
        return STATUS_OK;
    }
    st->returning = (token_range){.from = p->at, .to = p->end};
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    p->at = p->end;
    return STATUS_OK;
}

status parser_alias(parser *p, const char *const *ends, str *ret_alias)
{
    bool named = parser_skip(p, "as");

    *ret_alias = STR_NULL;
    if (!named && (parser_at_end(p) || ends_here(p, ends))) {
        return STATUS_OK;
    }
    return parser_word(p, ret_alias);
}

/* ---- SET ---- */

static const char *const value_ends[] = {",", "from", "where", "when", "returning", NULL};

typedef VEC(statement_set) set_list;

static status parse_value(parser *p, const char *const *ends, statement_set *set)
{
    TRY(parser_piece(p, ends, &set->value));
    set->fallback =
        set->value.to == set->value.from + 1 && token_is(p->list, set->value.from, "default");
    return STATUS_OK;
}

/* (a, b): names without values yet. */
static status parse_set_names(parser *p, set_list *sets)
{
    TRY(parser_expect_symbol(p, '('));
    do {
        statement_set set = {.position = parser_position(p), .name_token = p->at};
        TRY(parser_word(p, &set.column));
        vec_push(p->a, sets, set);
    } while (parser_skip_symbol(p, ','));
    return parser_expect_symbol(p, ')');
}

/* The values in brackets, for the sets from `first` on; *ret_count of them. Without names they are added. */
static status parse_values(parser *p, bool named, size_t first, set_list *sets)
{
    static const char *const ends[] = {",", ")", NULL};
    size_t at = first, open = p->at;

    TRY(parser_expect_symbol(p, '('));
    do {
        statement_set unnamed = {.column = STR_NULL, .position = parser_position(p)};
        if (!named) {
            vec_push(p->a, sets, unnamed);
        }
        if (at >= sets->count) {
            break;
        }
        TRY(parse_value(p, ends, &sets->items[at++]));
    } while (parser_skip_symbol(p, ','));
    if (at < sets->count || !parser_is_symbol(p, ')')) {
        error_set(p->err, STATUS_INVALID, "there are not as many values as columns");
        return parser_place(p, p->list->items[open].from, STATUS_INVALID);
    }
    return parser_expect_symbol(p, ')');
}

/* (a, b) = (1, 2) */
static status parse_set_row(parser *p, set_list *sets)
{
    size_t first = sets->count;

    TRY(parse_set_names(p, sets));
    TRY(parser_expect_symbol(p, '='));
    (void)parser_skip(p, "row");
    if (!parser_is_symbol(p, '(') || token_is(p->list, p->at + 1, "select")) {
        return refuse(
            p, "SET (…) = of one value",
            "Give each column its own value; those of a query come from FROM (SELECT …).");
    }
    return parse_values(p, true, first, sets);
}

/* DuckDB takes a comma behind the last assignment. */
static bool ends_with_comma(const parser *p)
{
    return parser_at_end(p) || ends_here(p, value_ends + 1);
}

static status parse_sets(parser *p, const statement_set **ret_sets, size_t *ret_count)
{
    set_list sets = {0};

    do {
        statement_set set = {.position = parser_position(p), .name_token = p->at};
        statement_name name;
        if (parser_is_symbol(p, '(')) {
            TRY(parse_set_row(p, &sets));
            continue;
        }
        TRY(parser_name(p, &name));
        set.column = name.parts[0];
        set.path = name.parts;
        set.path_count = name.count > 1 ? name.count : 0;
        TRY(parser_expect_symbol(p, '='));
        TRY(parse_value(p, value_ends, &set));
        vec_push(p->a, &sets, set);
    } while (parser_skip_symbol(p, ',') && !ends_with_comma(p));
    *ret_sets = sets.items;
    *ret_count = sets.count;
    return STATUS_OK;
}

/* ---- UPDATE ---- */

status parser_update(parser *p, statement *st)
{
    static const char *const alias_ends[] = {"set", NULL};
    static const char *const from_ends[] = {"where", "returning", NULL};
    static const char *const where_ends[] = {"returning", NULL};
    statement_branch *branch = ARENA_NEW(p->a, statement_branch);

    st->kind = STATEMENT_UPDATE;
    p->at++;
    st->name_token = p->at;
    TRY(parser_name(p, &st->name));
    st->name_end = p->at;
    TRY(parser_alias(p, alias_ends, &st->alias));
    TRY(parser_expect(p, "set"));
    *branch = (statement_branch){.match = BRANCH_MATCHED, .action = BRANCH_UPDATE};
    TRY(parse_sets(p, &branch->sets, &branch->set_count));
    st->branches = branch;
    st->branch_count = 1;
    if (parser_skip(p, "from")) {
        TRY(parser_piece(p, from_ends, &st->source_items));
    }
    if (parser_skip(p, "where")) {
        TRY(parser_piece(p, where_ends, &st->where));
    }
    TRY(parser_returning(p, st));
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

/* ---- MERGE: the source ---- */

static bool is_word_of(const parser *p, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (parser_is(p, *words)) {
            return true;
        }
    }
    return false;
}

static const char *const joins[] = {"join",  "cross", "natural",    "left", "right", "full",
                                    "inner", "asof",  "positional", "semi", "anti",  NULL};

/* Tables that are joined, not a query. */
static bool holds_join(const parser *p, token_range inside)
{
    static const char *const queries[] = {"select", "with",  "from",    "values",
                                          "table",  "pivot", "unpivot", NULL};
    parser at = {.list = p->list, .at = inside.from, .end = inside.to, .a = p->a};
    token_range skipped;

    if (is_word_of(&at, queries)) {
        return false;
    }
    for (; !parser_at_end(&at); at.at++) {
        if (is_word_of(&at, joins)) {
            return true;
        }
        if (parser_is_symbol(&at, '(')) {
            if (parser_brackets(&at, &skipped) != STATUS_OK) {
                return false;
            }
            at.at--;
        }
    }
    return false;
}

/* Behind what is named: "AS s", "s", with columns in brackets, with time travel before or after it. */
static status find_source_alias(parser *p, token_range item, str *ret_alias, token_range *ret_join)
{
    static const char *const others[] = {
        "at", "for", "version", "timestamp", "system_time", "system_version", "tablesample", NULL};
    parser ahead = {.list = p->list, .at = item.from, .end = item.to, .a = p->a, .err = p->err};
    statement_name name = {0};
    token_range inside;

    for (parser all = ahead; !parser_at_end(&all); all.at++) {
        if (parser_is_symbol(&all, '(')) {
            TRY(parser_brackets(&all, &inside));
            all.at--;
        } else if (is_word_of(&all, joins) ||
                   (parser_is_symbol(&all, ',') && !parser_is(&ahead, "values"))) {
            return refuse(&all, "MERGE … USING a join without a name",
                          "Put it into brackets and name it: USING (a JOIN b ON …) AS s.");
        }
    }
    *ret_alias = STR("#merged");
    if (parser_is_symbol(&ahead, '(')) {
        parser brackets = ahead;
        TRY(parser_brackets(&brackets, &inside));
        if (holds_join(p, inside)) {
            *ret_join = (token_range){.from = ahead.at, .to = brackets.at};
            if (parser_at_end(&brackets)) {
                return refuse(&ahead, "MERGE … USING a join without a name",
                              "Name it: USING (a JOIN b ON …) AS s.");
            }
        }
    }
    if (!parser_is_symbol(&ahead, '(') && !parser_is(&ahead, "values")) {
        TRY(parser_name(&ahead, &name));
        *ret_alias = name.parts[name.count - 1];
    }
    (void)(name.count == 0 && parser_skip(&ahead, "values"));
    while (parser_is_symbol(&ahead, '(')) {
        TRY(parser_brackets(&ahead, &inside));
        (void)(name.count == 0 && parser_skip_symbol(&ahead, ','));
    }
    for (size_t first = ahead.at; !parser_at_end(&ahead);) {
        if (parser_is_symbol(&ahead, '(')) {
            TRY(parser_brackets(&ahead, &inside));
            continue;
        }
        bool as = parser_is(&ahead, "as") && !token_is(p->list, ahead.at + 1, "of");
        bool last = ahead.at + 1 == ahead.end && token_is_name(p->list, ahead.at) &&
                    !token_is(p->list, ahead.at - 1, "of");
        if (as || last || (ahead.at == first && !is_word_of(&ahead, others))) {
            ahead.at += as ? 1 : 0;
            return parser_word(&ahead, ret_alias);
        }
        ahead.at++;
    }
    return STATUS_OK;
}

/* ---- MERGE: branches ---- */

static status parse_by(parser *p, statement_branch *branch)
{
    if (!parser_skip(p, "by")) {
        return STATUS_OK;
    }
    branch->by_name = parser_skip(p, "name");
    return branch->by_name ? STATUS_OK : parser_expect(p, "position");
}

static status parse_merge_update(parser *p, statement_branch *branch)
{
    branch->action = BRANCH_UPDATE;
    TRY(parse_by(p, branch));
    bool set = parser_skip(p, "set");
    if (parser_skip_symbol(p, '*') || !set) {
        branch->all = true;
        if (branch->match == BRANCH_NO_SOURCE) {
            return refuse(p, "UPDATE SET * of rows that have no source",
                          "Give the columns their values: UPDATE SET column = ….");
        }
        return STATUS_OK;
    }
    return parse_sets(p, &branch->sets, &branch->set_count);
}

static status parse_merge_insert(parser *p, statement_branch *branch)
{
    set_list sets = {0};
    bool named = false;

    branch->action = BRANCH_INSERT;
    TRY(parse_by(p, branch));
    if (parser_is(p, "default")) {
        p->at++;
        return parser_expect(p, "values");
    }
    if (parser_is_symbol(p, '(')) {
        named = true;
        TRY(parse_set_names(p, &sets));
    }
    if (parser_skip(p, "values")) {
        TRY(parse_values(p, named, 0, &sets));
        branch->sets = sets.items;
        branch->set_count = sets.count;
        return STATUS_OK;
    }
    if (named) {
        return refuse(p, "INSERT (…) without VALUES", "Write INSERT (columns) VALUES (…).");
    }
    (void)parser_skip_symbol(p, '*');
    branch->all = true;
    return STATUS_OK;
}

static status parse_action(parser *p, statement_branch *branch)
{
    if (parser_skip(p, "do")) {
        branch->action = BRANCH_NOTHING;
        return parser_expect(p, "nothing");
    }
    if (parser_is(p, "error")) {
        return refuse(p, "MERGE … THEN ERROR", "Ask for such rows with a SELECT before.");
    }
    bool no_target = branch->match == BRANCH_NO_TARGET;
    if (no_target ? parser_is(p, "update") || parser_is(p, "delete") : parser_is(p, "insert")) {
        return refuse(
            p, no_target ? "changing a row that is not there" : "INSERT for a row that is there",
            "WHEN NOT MATCHED rows are inserted, others updated or deleted.");
    }
    if (parser_skip(p, "update")) {
        return parse_merge_update(p, branch);
    }
    if (parser_skip(p, "insert")) {
        return parse_merge_insert(p, branch);
    }
    branch->action = BRANCH_DELETE;
    return parser_expect(p, "delete");
}

static status parse_branch(parser *p, statement_branch *branch)
{
    static const char *const ends[] = {"then", NULL};

    branch->position = parser_position(p);
    TRY(parser_expect(p, "when"));
    bool negated = parser_skip(p, "not");
    TRY(parser_expect(p, "matched"));
    branch->match = negated ? BRANCH_NO_TARGET : BRANCH_MATCHED;
    if (negated && parser_skip(p, "by")) {
        bool source = parser_skip(p, "source");
        TRY(source ? STATUS_OK : parser_expect(p, "target"));
        branch->match = source ? BRANCH_NO_SOURCE : BRANCH_NO_TARGET;
    }
    if (parser_skip(p, "and")) {
        TRY(parser_piece(p, ends, &branch->condition));
    }
    TRY(parser_expect(p, "then"));
    return parse_action(p, branch);
}

static status parse_match(parser *p, statement *st)
{
    static const char *const ends[] = {"when", NULL};

    if (parser_skip(p, "using")) {
        st->on_columns = true;
        st->on.from = p->at;
        if (!parser_is_symbol(p, '(')) {
            return parser_fail(p);
        }
        TRY(parser_brackets(p, &(token_range){0}));
        st->on.to = p->at;
        return STATUS_OK;
    }
    TRY(parser_expect(p, "on"));
    return parser_piece(p, ends, &st->on);
}

/* DuckDB would take the later branch first, others the earlier one. */
static status check_reached(const parser *p, const statement_branch *before, size_t count,
                            const statement_branch *branch)
{
    for (size_t i = 0; i < count; i++) {
        if (before[i].match == branch->match &&
            before[i].condition.from == before[i].condition.to) {
            error_set(p->err, STATUS_INVALID,
                      "this WHEN is never reached: one before it takes every row");
            error_hint(p->err, "Branches with AND stand before the one without.");
            return parser_place(p, branch->position, STATUS_INVALID);
        }
    }
    return STATUS_OK;
}

status parser_merge(parser *p, statement *st)
{
    static const char *const alias_ends[] = {"using", NULL};
    static const char *const item_ends[] = {"on", "using", NULL};
    VEC(statement_branch) branches = {0};

    st->kind = STATEMENT_MERGE;
    p->at++;
    TRY(parser_expect(p, "into"));
    st->name_token = p->at;
    TRY(parser_name(p, &st->name));
    st->name_end = p->at;
    TRY(parser_alias(p, alias_ends, &st->alias));
    TRY(parser_expect(p, "using"));
    TRY(parser_piece(p, item_ends, &st->source_items));
    TRY(find_source_alias(p, st->source_items, &st->source_alias, &st->source_join));
    TRY(parse_match(p, st));
    while (parser_is(p, "when")) {
        statement_branch branch = {0};
        TRY(parse_branch(p, &branch));
        TRY(check_reached(p, branches.items, branches.count, &branch));
        vec_push(p->a, &branches, branch);
    }
    st->branches = branches.items;
    st->branch_count = branches.count;
    TRY(parser_returning(p, st));
    return parser_at_end(p) && branches.count > 0 ? STATUS_OK : parser_fail(p);
}

/* ---- ON CONFLICT ---- */

static status parse_conflict_columns(parser *p, statement *st)
{
    VEC(str) names = {0};
    VEC(size_t) positions = {0};

    if (parser_is(p, "on")) {
        return refuse(p, "ON CONFLICT ON CONSTRAINT", "Name the columns: ON CONFLICT (column).");
    }
    if (!parser_skip_symbol(p, '(')) {
        return STATUS_OK;
    }
    do {
        vec_push(p->a, &positions, parser_position(p));
        str name;
        TRY(parser_word(p, &name));
        vec_push(p->a, &names, name);
    } while (parser_skip_symbol(p, ','));
    st->conflict_columns = names.items;
    st->conflict_positions = positions.items;
    st->conflict_count = names.count;
    TRY(parser_expect_symbol(p, ')'));
    return parser_is(p, "where")
               ? refuse(p, "ON CONFLICT (…) WHERE", "The condition stands behind DO UPDATE SET ….")
               : STATUS_OK;
}

status parser_conflict(parser *p, statement *st)
{
    static const char *const where_ends[] = {"returning", NULL};
    statement_branch *branch = ARENA_NEW(p->a, statement_branch);

    if (st->upsert) {
        error_set(p->err, STATUS_SYNTAX, "INSERT OR … and ON CONFLICT exclude each other");
        return parser_place(p, parser_position(p), STATUS_SYNTAX);
    }
    p->at += 2;
    TRY(parse_conflict_columns(p, st));
    TRY(parser_expect(p, "do"));
    *branch = (statement_branch){.match = BRANCH_MATCHED, .action = BRANCH_NOTHING};
    st->upsert = true;
    st->branches = branch;
    st->branch_count = 1;
    if (!parser_skip(p, "nothing")) {
        branch->action = BRANCH_UPDATE;
        TRY(parser_expect(p, "update"));
        TRY(parser_expect(p, "set"));
        TRY(parse_sets(p, &branch->sets, &branch->set_count));
        if (parser_skip(p, "where")) {
            TRY(parser_piece(p, where_ends, &branch->condition));
        }
    }
    TRY(parser_returning(p, st));
    return parser_at_end(p) ? STATUS_OK : parser_fail(p);
}

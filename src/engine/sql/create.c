/* CREATE TABLE and INSERT: the statements with an inside. */
#include "sql/parser.h"
#include "tarn/base/vec.h"

/* ---- WITH (key = value, …) ---- */

/* 'text', "name", a word, a number, true: as text. */
static status parse_value(parser *p, str *ret_value)
{
    size_t start = p->at;
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    if (p->list->items[p->at].kind == TOKEN_TEXT) {
        TRY(token_value(p->list, p->at, p->a, ret_value, p->err));
        p->at++;
        return STATUS_OK;
    }
    (void)parser_skip_symbol(p, '-');
    if (parser_at_end(p) ||
        (!token_is_name(p->list, p->at) && p->list->items[p->at].kind != TOKEN_NUMBER)) {
        return parser_fail(p);
    }
    p->at++;
    *ret_value =
        p->at == start + 1 ? token_name(p->list, start, p->a) : parser_text(p, start, p->at);
    return STATUS_OK;
}

/* 'write.format', "write.format", write.format, format-version: as text. */
static status parse_key(parser *p, str *ret_key)
{
    size_t start = p->at;
    if (!parser_at_end(p) && p->list->items[p->at].kind == TOKEN_TEXT) {
        return parse_value(p, ret_key);
    }
    str first;
    TRY(parser_word(p, &first));
    while (parser_is_symbol(p, '.') || parser_is_symbol(p, '-')) {
        p->at++;
        str next;
        TRY(parser_word(p, &next));
    }
    *ret_key = p->at == start + 1 ? first : parser_text(p, start, p->at);
    return STATUS_OK;
}

static status parse_format_version(parser *p, size_t position, str value, statement *st)
{
    int64_t version = 0;
    if (str_to_int64(value, &version, NULL) != STATUS_OK || version < 1 || version > 3) {
        return parser_place(p, position,
                            error_set(p->err, STATUS_INVALID,
                                      "format-version must be 1, 2 or 3, not \"%.*s\"",
                                      STR_ARG(value)));
    }
    st->format_version = (int)version;
    return STATUS_OK;
}

status parser_property_list(parser *p, bool keys_only, const catalog_property **ret_properties,
                            size_t *ret_count)
{
    VEC(catalog_property) properties = {0};
    TRY(parser_expect_symbol(p, '('));
    do {
        catalog_property property = {.value = STR_NULL};
        size_t position = parser_position(p);
        TRY(parse_key(p, &property.key));
        if (!keys_only) {
            (void)parser_skip_symbol(p, '=');
            (void)parser_skip_symbol(p, '>'); /* "=>" is taken too */
            TRY(parse_value(p, &property.value));
        }
        for (size_t i = 0; i < properties.count; i++) {
            if (str_equal(properties.items[i].key, property.key)) {
                return parser_place(p, position,
                                    error_set(p->err, STATUS_INVALID,
                                              "property \"%.*s\" is given twice",
                                              STR_ARG(property.key)));
            }
        }
        vec_push(p->a, &properties, property);
    } while (parser_skip_symbol(p, ','));
    TRY(parser_expect_symbol(p, ')'));
    *ret_properties = properties.items;
    *ret_count = properties.count;
    return STATUS_OK;
}

status parser_properties(parser *p, statement *st)
{
    const catalog_property *given;
    size_t position = parser_position(p), count;
    TRY(parser_property_list(p, false, &given, &count));
    catalog_property *kept = ARENA_ARRAY(p->a, catalog_property, count);
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(given[i].key, STR("location"))) {
            st->location = given[i].value;
        } else if (str_equal_nocase(given[i].key, STR("format-version")) ||
                   str_equal_nocase(given[i].key, STR("format_version"))) {
            TRY(parse_format_version(p, position, given[i].value, st));
        } else {
            kept[st->property_count++] = given[i];
        }
    }
    st->properties = kept;
    return STATUS_OK;
}

/* ---- CREATE TABLE ---- */

/* Words that end a type: what may follow it in a column's definition. */
static bool ends_type(const parser *p)
{
    static const char *const words[] = {
        "not",   "null",         "comment", "default",   "primary",    "unique",
        "check", "references",   "collate", "generated", "constraint", "using",
        "as",    "with_options", "first",   "after",     "before"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (parser_is(p, words[i])) {
            return true;
        }
    }
    return parser_is_symbol(p, ',') || parser_is_symbol(p, ')');
}

/* DECIMAL(10, 2), STRUCT(a INTEGER, b VARCHAR[]), TIMESTAMP WITH TIME ZONE: words, numbers and
 * brackets, nothing that could be an expression. */
status parser_type(parser *p, str *ret_text)
{
    size_t start = p->at;
    while (!parser_at_end(p) && !ends_type(p)) {
        if (parser_is_symbol(p, '(') || parser_is_symbol(p, '[')) {
            token_range inside;
            TRY(parser_brackets(p, &inside));
            for (size_t i = inside.from; i < inside.to; i++) {
                token_kind kind = p->list->items[i].kind;
                bool mark = token_is_symbol(p->list, i, ',') || token_is_symbol(p->list, i, '(') ||
                            token_is_symbol(p->list, i, ')') || token_is_symbol(p->list, i, '[') ||
                            token_is_symbol(p->list, i, ']') || token_is_symbol(p->list, i, ':');
                if (!token_is_name(p->list, i) && kind != TOKEN_NUMBER && kind != TOKEN_TEXT &&
                    !mark) {
                    return token_error(p->list, i, p->err);
                }
            }
        } else if (token_is_name(p->list, p->at) || parser_is_symbol(p, '.')) {
            p->at++;
        } else {
            return parser_fail(p);
        }
    }
    if (p->at == start) {
        return parser_fail(p);
    }
    *ret_text = parser_text(p, start, p->at);
    return STATUS_OK;
}

status parser_refuse_constraint(const parser *p, const char *what)
{
    static const struct {
        const char *word, *name, *hint;
    } constraints[] = {
        {"primary", "PRIMARY KEY",
         "Uniqueness is not enforced by a table; check it when rows come in."},
        {"unique", "UNIQUE", "Uniqueness is not enforced by a table; check it when rows come in."},
        {"check", "CHECK", "Check rows when they come in."},
        {"references", "REFERENCES", ""},
        {"foreign", "FOREIGN KEY", ""},
        {"constraint", "CONSTRAINT", ""},
        {"generated", "GENERATED", "Compute the value in INSERT or in the query."},
        {"as", "a generated column", "Compute the value in INSERT or in the query."},
        {"collate", "COLLATE", "Use COLLATE in the query."},
    };
    for (size_t i = 0; i < COUNT_OF(constraints); i++) {
        if (parser_is(p, constraints[i].word)) {
            error_set(p->err, STATUS_UNSUPPORTED, "%s is not supported in %s", constraints[i].name,
                      what);
            if (constraints[i].hint[0] != '\0') {
                error_hint(p->err, "%s", constraints[i].hint);
            }
            return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
        }
    }
    return STATUS_OK;
}

status parser_constant(parser *p, token_range *ret_value)
{
    static const char *const typed[] = {"date", "time", "timestamp", "timestamptz", "uuid"};
    static const char *const words[] = {"null", "true", "false"};
    token_range value = {.from = p->at};
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(typed) && !found; i++) {
        found = parser_is(p, typed[i]) && p->at + 1 < p->end &&
                p->list->items[p->at + 1].kind == TOKEN_TEXT;
    }
    p->at += found ? 2 : 0;
    for (size_t i = 0; i < COUNT_OF(words) && !found; i++) {
        found = parser_skip(p, words[i]);
    }
    if (!found) {
        bool sign = parser_skip_symbol(p, '-') || parser_skip_symbol(p, '+');
        token_kind kind = parser_at_end(p) ? TOKEN_END : p->list->items[p->at].kind;
        found = kind == TOKEN_NUMBER || (kind == TOKEN_TEXT && !sign);
        p->at += found ? 1 : 0;
    }
    if (!found) {
        size_t position = parser_position(p);
        TRY(parser_at_end(p) ? parser_fail(p) : STATUS_OK);
        error_set(p->err, STATUS_UNSUPPORTED, "a default must be a constant");
        error_hint(p->err, "A number, a text, TRUE, FALSE, or DATE '…', TIMESTAMP '…'.");
        return parser_place(p, position, STATUS_UNSUPPORTED);
    }
    value.to = p->at;
    *ret_value = value;
    return STATUS_OK;
}

static bool ends_column(const parser *p)
{
    return parser_at_end(p) || parser_is_symbol(p, ',') || parser_is_symbol(p, ')') ||
           parser_is(p, "first") || parser_is(p, "after") || parser_is(p, "before");
}

status parser_column_rest(parser *p, const char *what, statement_column *column)
{
    column->comment = STR_NULL;
    column->type_position = parser_position(p);
    TRY(parser_type(p, &column->type_text));
    while (!ends_column(p)) {
        if (parser_skip(p, "not")) {
            TRY(parser_expect(p, "null"));
            column->required = true;
        } else if (parser_skip(p, "comment")) {
            TRY(token_value(p->list, p->at, p->a, &column->comment, p->err));
            p->at++;
        } else if (parser_skip(p, "default")) {
            TRY(parser_constant(p, &column->fallback));
        } else if (!parser_skip(p, "null")) {
            TRY(parser_refuse_constraint(p, what));
            return parser_fail(p);
        }
    }
    return STATUS_OK;
}

/* Behind the first name of "(a, b) AS". */
static bool is_names_as(const parser *p)
{
    size_t at = p->at;
    while (at + 1 < p->end && token_is_symbol(p->list, at, ',') && token_is_name(p->list, at + 1)) {
        at += 2;
    }
    return at + 1 < p->end && token_is_symbol(p->list, at, ')') && token_is(p->list, at + 1, "as");
}

static status parse_column(parser *p, statement_column *ret_column)
{
    statement_column column = {.position = parser_position(p)};
    static const char *const table_constraints[] = {"primary", "unique", "check", "foreign",
                                                    "constraint"};
    for (size_t i = 0; i < COUNT_OF(table_constraints); i++) {
        bool bracket = p->at + 1 < p->end && (token_is_symbol(p->list, p->at + 1, '(') ||
                                              token_is(p->list, p->at + 1, "key"));
        if (parser_is(p, table_constraints[i]) &&
            (bracket || i == COUNT_OF(table_constraints) - 1)) {
            return parser_refuse_constraint(p, "CREATE TABLE");
        }
    }
    TRY(parser_word(p, &column.name));
    if (parser_is(p, "as") || parser_is(p, "generated")) {
        return parser_refuse_constraint(p, "CREATE TABLE");
    }
    if (is_names_as(p)) {
        error_set(p->err, STATUS_UNSUPPORTED, "column \"%.*s\" has no type", STR_ARG(column.name));
        error_hint(p->err, "CREATE TABLE … AS takes the names of its SELECT.");
        return parser_place(p, column.position, STATUS_UNSUPPORTED);
    }
    TRY(parser_column_rest(p, "CREATE TABLE", &column));
    *ret_column = column;
    return STATUS_OK;
}

static status parse_columns(parser *p, statement *st)
{
    VEC(statement_column) columns = {0};
    p->at++;
    do {
        if (parser_is_symbol(p, ')') && columns.count > 0) {
            break; /* a comma behind the last column, as DuckDB takes it */
        }
        statement_column column;
        TRY(parse_column(p, &column));
        for (size_t i = 0; i < columns.count; i++) {
            if (str_equal_nocase(columns.items[i].name, column.name)) {
                return parser_place(p, column.position,
                                    error_set(p->err, STATUS_INVALID,
                                              "column \"%.*s\" is named twice",
                                              STR_ARG(column.name)));
            }
        }
        vec_push(p->a, &columns, column);
    } while (parser_skip_symbol(p, ','));
    TRY(parser_expect_symbol(p, ')'));
    st->columns = columns.items;
    st->column_count = columns.count;
    return STATUS_OK;
}

static status parse_partitioning(parser *p, statement *st)
{
    token_range inside;
    TRY(parser_skip(p, "partitioned") || parser_skip(p, "partition") ? STATUS_OK : parser_fail(p));
    TRY(parser_expect(p, "by"));
    if (!parser_is_symbol(p, '(')) {
        return parser_fail(p);
    }
    TRY(parser_brackets(p, &inside));
    if (inside.from >= inside.to) {
        p->at = inside.to;
        return parser_fail(p);
    }
    st->partition_sql = parser_text(p, inside.from, inside.to);
    st->partition_position = p->list->items[inside.from].from;
    return STATUS_OK;
}

/* The options behind the columns, in any order, each once. */
static status parse_table_options(parser *p, statement *st)
{
    bool with = false, partitioned = false, location = false;
    for (;;) {
        if (!partitioned && (parser_is(p, "partitioned") || parser_is(p, "partition"))) {
            partitioned = true;
            TRY(parse_partitioning(p, st));
        } else if (!with && (parser_is(p, "with") || parser_is(p, "tblproperties")) &&
                   p->at + 1 < p->end && token_is_symbol(p->list, p->at + 1, '(')) {
            with = true;
            p->at++;
            TRY(parser_properties(p, st));
        } else if (parser_is(p, "comment") && p->at + 1 < p->end &&
                   p->list->items[p->at + 1].kind == TOKEN_TEXT) {
            p->at++;
            TRY(token_value(p->list, p->at, p->a, &st->comment, p->err));
            p->at++;
        } else if (!location && parser_skip(p, "location")) {
            location = true;
            TRY(token_value(p->list, p->at, p->a, &st->location, p->err));
            p->at++;
        } else if (parser_is(p, "using")) { /* USING iceberg, as other engines write it */
            p->at++;
            TRY(parser_expect(p, "iceberg"));
        } else {
            return STATUS_OK;
        }
    }
}

static status refuse_clause(const parser *p, const char *name, const char *hint)
{
    error_set(p->err, STATUS_UNSUPPORTED, "%s is not supported", name);
    error_hint(p->err, "%s", hint);
    return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
}

/* LIKE other [INCLUDING what | EXCLUDING what …]; columns come in any case. */
static status parse_like(parser *p, statement *st)
{
    static const char *const with_columns[] = {"defaults", "comments", "constraints", "generated",
                                               "identity", "storage",  "partitioning"};
    TRY(parser_expect(p, "like"));
    TRY(parser_name(p, &st->like));
    while (parser_is(p, "including") || parser_is(p, "excluding")) {
        bool including = parser_is(p, "including");
        p->at++;
        if (parser_skip(p, "all") || parser_skip(p, "properties") ||
            parser_skip(p, "tblproperties")) {
            st->like_properties = including;
            continue;
        }
        size_t i = 0;
        while (i < COUNT_OF(with_columns) && !parser_is(p, with_columns[i])) {
            i++;
        }
        if (i == COUNT_OF(with_columns)) {
            return parser_fail(p);
        }
        if (!including) {
            return refuse_clause(p, "EXCLUDING of anything but PROPERTIES",
                                 "Drop it afterwards with ALTER TABLE.");
        }
        p->at++;
    }
    return STATUS_OK;
}

status parser_create_table(parser *p, statement *st)
{
    st->kind = STATEMENT_CREATE_TABLE;
    st->partition_sql = STR("");
    TRY(parser_name(p, &st->name));
    if (parser_is(p, "like")) {
        TRY(parse_like(p, st));
    } else if (parser_is_symbol(p, '(') && p->at + 2 < p->end &&
               token_is(p->list, p->at + 1, "like")) { /* a reserved word, no column */
        p->at++;
        TRY(parse_like(p, st));
        TRY(parser_expect_symbol(p, ')'));
    } else if (parser_is_symbol(p, '(')) {
        TRY(parse_columns(p, st));
    }
    TRY(parse_table_options(p, st));
    if (parser_is(p, "as") && st->like.count == 0) {
        if (st->columns != NULL) {
            error_set(p->err, STATUS_UNSUPPORTED, "CREATE TABLE AS takes no column list");
            error_hint(p->err, "Name and cast the columns in the SELECT.");
            return parser_place(p, parser_position(p), STATUS_UNSUPPORTED);
        }
        p->at++;
        if (parser_at_end(p)) {
            return parser_fail(p);
        }
        st->kind = STATEMENT_CREATE_TABLE_AS;
        st->body = (token_range){.from = p->at, .to = p->end};
        p->at = p->end;
        return STATUS_OK;
    }
    return st->columns != NULL || st->like.count > 0 ? STATUS_OK : parser_fail(p);
}

/* ---- INSERT ---- */

/* A bracket behind the table's name is a list of columns when only names and commas stand in it
 * and a source follows. */
static bool is_column_list(const parser *p)
{
    size_t at = p->at + 1;
    while (at + 1 < p->end && token_is_name(p->list, at) && token_is_symbol(p->list, at + 1, ',')) {
        at += 2;
    }
    return at + 1 < p->end && token_is_name(p->list, at) && token_is_symbol(p->list, at + 1, ')') &&
           !token_is(p->list, p->at + 1, "table");
}

static status parse_insert_columns(parser *p, statement *st)
{
    VEC(str) names = {0};
    VEC(size_t) positions = {0};
    p->at++;
    do {
        size_t position = parser_position(p);
        str name;
        TRY(parser_word(p, &name));
        for (size_t i = 0; i < names.count; i++) {
            if (str_equal_nocase(names.items[i], name)) {
                return parser_place(p, position,
                                    error_set(p->err, STATUS_INVALID,
                                              "column \"%.*s\" is named twice", STR_ARG(name)));
            }
        }
        vec_push(p->a, &names, name);
        vec_push(p->a, &positions, position);
    } while (parser_skip_symbol(p, ','));
    TRY(parser_expect_symbol(p, ')'));
    st->insert_columns = names.items;
    st->insert_positions = positions.items;
    st->insert_column_count = names.count;
    return STATUS_OK;
}

/* OR REPLACE and OR IGNORE are an ON CONFLICT. */
static status parse_or(parser *p, statement *st)
{
    statement_branch *branch = ARENA_NEW(p->a, statement_branch);

    if (!parser_skip(p, "or")) {
        return STATUS_OK;
    }
    bool replace = parser_skip(p, "replace");
    TRY(replace ? STATUS_OK : parser_expect(p, "ignore"));
    *branch = (statement_branch){.match = BRANCH_MATCHED,
                                 .action = replace ? BRANCH_UPDATE : BRANCH_NOTHING,
                                 .all = replace};
    st->upsert = true;
    st->branches = branch;
    st->branch_count = 1;
    return STATUS_OK;
}

static bool is_conflict(const parser *p)
{
    static const char *const next[] = {"do", "on", "where"};
    bool found =
        parser_is(p, "on") && p->at + 2 < p->end && token_is(p->list, p->at + 1, "conflict");
    bool fits = found && token_is_symbol(p->list, p->at + 2, '(');

    for (size_t i = 0; found && i < COUNT_OF(next); i++) {
        fits = fits || token_is(p->list, p->at + 2, next[i]);
    }
    return fits;
}

/* ON CONFLICT and RETURNING stand at the end, outside of brackets; p ends before them. */
static status parse_insert_tail(parser *p, statement *st)
{
    parser ahead = *p;
    for (size_t depth = 0; ahead.at < ahead.end; ahead.at++) {
        if (parser_is_symbol(&ahead, '(')) {
            depth++;
        } else if (parser_is_symbol(&ahead, ')')) {
            depth -= depth > 0 ? 1 : 0;
        } else if (depth == 0 && parser_is(&ahead, "returning")) {
            p->end = ahead.at;
            return parser_returning(&ahead, st);
        } else if (depth == 0 && is_conflict(&ahead)) {
            p->end = ahead.at;
            return st->overwrite
                       ? refuse_clause(&ahead, "ON CONFLICT of INSERT OVERWRITE", "Leave it out.")
                       : parser_conflict(&ahead, st);
        }
    }
    return STATUS_OK;
}

/* PARTITION (p = 1, q) */
static status parse_partition(parser *p, statement *st)
{
    VEC(statement_set) sets = {0};

    if (!st->overwrite) {
        return refuse_clause(p, "INSERT INTO … PARTITION (…)",
                             "Rows find their partitions by themselves: leave it out.");
    }
    p->at += 2;
    do {
        statement_set set = {.position = parser_position(p), .name_token = p->at};
        TRY(parser_word(p, &set.column));
        if (parser_skip_symbol(p, '=')) {
            TRY(parser_constant(p, &set.value));
        }
        vec_push(p->a, &sets, set);
    } while (parser_skip_symbol(p, ','));
    TRY(parser_expect_symbol(p, ')'));
    st->partition = sets.items;
    st->partition_count = sets.count;
    st->partition_end = p->at;
    return STATUS_OK;
}

status parser_insert(parser *p, statement *st)
{
    st->kind = STATEMENT_INSERT;
    p->at++;
    TRY(parse_or(p, st));
    if (!st->upsert && parser_skip(p, "overwrite")) {
        st->overwrite = true;
        (void)parser_skip(p, "into");
    } else {
        TRY(parser_expect(p, "into"));
    }
    (void)parser_skip(p, "table");
    st->name_token = p->at;
    TRY(parser_name(p, &st->name));
    st->name_end = p->at;
    st->alias = STR_NULL;
    if (parser_skip(p, "as")) {
        TRY(parser_word(p, &st->alias));
    }
    if (parser_is(p, "partition") && p->at + 1 < p->end &&
        token_is_symbol(p->list, p->at + 1, '(')) {
        TRY(parse_partition(p, st));
    }
    if (parser_is_symbol(p, '(') && is_column_list(p)) {
        TRY(parse_insert_columns(p, st));
    }
    if (parser_is(p, "by")) {
        p->at++;
        st->by_name = parser_skip(p, "name");
        TRY(st->by_name ? STATUS_OK : parser_expect(p, "position"));
    }
    if (parser_is(p, "default") && p->at + 1 < p->end && token_is(p->list, p->at + 1, "values")) {
        p->at += 2;
        st->source = INSERT_DEFAULT_VALUES;
        TRY(parse_insert_tail(p, st));
        return parser_at_end(p) ? STATUS_OK : parser_fail(p);
    }
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    TRY(parse_insert_tail(p, st));
    if (parser_at_end(p)) {
        return parser_fail(p);
    }
    st->source = parser_is(p, "values") ? INSERT_VALUES : INSERT_SELECT;
    if (st->by_name && st->source == INSERT_VALUES) {
        size_t position = parser_position(p);
        error_set(p->err, STATUS_SYNTAX, "INSERT BY NAME takes a SELECT: VALUES have no names");
        return parser_place(p, position, STATUS_SYNTAX);
    }
    st->body = (token_range){.from = p->at, .to = p->end};
    return STATUS_OK;
}

/* Finding the clauses of time travel, and where their expressions end. */
#include "sql/travel.h"

#include "tarn/base/vec.h"

typedef struct cursor {
    const token_list *list;
    size_t end;
} cursor;

static bool is_word(const cursor *c, size_t at, const char *word)
{
    return at < c->end && token_is(c->list, at, word);
}

static bool is_symbol(const cursor *c, size_t at, char symbol)
{
    return at < c->end && token_is_symbol(c->list, at, symbol);
}

static bool is_kind(const cursor *c, size_t at, token_kind kind)
{
    return at < c->end && c->list->items[at].kind == kind;
}

static bool is_name(const cursor *c, size_t at)
{
    return at < c->end && token_is_name(c->list, at);
}

/* Behind the bracket that closes the one at `at`; `end` where none does. */
static size_t behind_brackets(const cursor *c, size_t at)
{
    size_t depth = 0;
    for (; at < c->end; at++) {
        if (is_symbol(c, at, '(') || is_symbol(c, at, '[') || is_symbol(c, at, '{')) {
            depth++;
        } else if (is_symbol(c, at, ')') || is_symbol(c, at, ']') || is_symbol(c, at, '}')) {
            depth--;
            if (depth == 0) {
                return at + 1;
            }
        }
    }
    return c->end;
}

/* ---- expressions: each gives the place behind, or `at` where there is none ---- */

static bool is_unit(const cursor *c, size_t at)
{
    static const char *const units[] = {
        "year",   "years",   "month",       "months",       "week",   "weeks",
        "day",    "days",    "hour",        "hours",        "minute", "minutes",
        "second", "seconds", "millisecond", "milliseconds", "quarter"};
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (is_word(c, at, units[i])) {
            return true;
        }
    }
    return false;
}

static size_t behind_interval(const cursor *c, size_t at)
{
    size_t value = at + 1;
    size_t behind = is_symbol(c, value, '(') ? behind_brackets(c, value)
                    : is_kind(c, value, TOKEN_TEXT) || is_kind(c, value, TOKEN_NUMBER) ? value + 1
                                                                                       : at;
    return behind > at && is_unit(c, behind) ? behind + 1 : behind;
}

/* WITH TIME ZONE, WITHOUT TIME ZONE */
static size_t behind_zone_words(const cursor *c, size_t at)
{
    bool zoned = is_word(c, at, "with") || is_word(c, at, "without");
    return zoned && is_word(c, at + 1, "time") && is_word(c, at + 2, "zone") ? at + 3 : at;
}

static bool stands_alone(const cursor *c, size_t at)
{
    static const char *const words[] = {"current_timestamp", "current_date", "localtimestamp",
                                        "null"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (is_word(c, at, words[i])) {
            return true;
        }
    }
    return false;
}

static size_t behind_chain(const cursor *c, size_t at)
{
    while (is_name(c, at)) {
        at++;
        if (!is_symbol(c, at, '.')) {
            break;
        }
        at++;
    }
    return at;
}

/* A call, or a text behind its type's name. */
static size_t behind_named(const cursor *c, size_t at)
{
    size_t behind = behind_zone_words(c, behind_chain(c, at));
    if (is_symbol(c, behind, '(')) {
        return behind_brackets(c, behind);
    }
    if (is_kind(c, behind, TOKEN_TEXT)) {
        return behind + 1;
    }
    return stands_alone(c, at) ? at + 1 : at;
}

static size_t behind_type(const cursor *c, size_t at)
{
    size_t behind = behind_chain(c, at);
    if (behind > at && is_symbol(c, behind, '(')) {
        behind = behind_brackets(c, behind);
    }
    return behind_zone_words(c, behind);
}

static size_t behind_operand(const cursor *c, size_t at)
{
    size_t start = at;
    size_t behind;

    while (is_symbol(c, at, '-') || is_symbol(c, at, '+')) {
        at++;
    }
    if (is_symbol(c, at, '(')) {
        behind = behind_brackets(c, at);
    } else if (is_kind(c, at, TOKEN_TEXT) || is_kind(c, at, TOKEN_NUMBER) ||
               is_kind(c, at, TOKEN_PARAMETER)) {
        behind = at + 1;
    } else {
        behind = is_word(c, at, "interval") ? behind_interval(c, at) : behind_named(c, at);
    }
    if (behind == at) {
        return start;
    }
    for (;;) {
        if (is_kind(c, behind, TOKEN_CAST) && behind_type(c, behind + 1) > behind + 1) {
            behind = behind_type(c, behind + 1);
        } else if (is_word(c, behind, "at") && is_word(c, behind + 1, "time") &&
                   is_word(c, behind + 2, "zone") && is_kind(c, behind + 3, TOKEN_TEXT)) {
            behind += 4;
        } else {
            return behind;
        }
    }
}

static size_t behind_value(const cursor *c, size_t at)
{
    size_t behind = behind_operand(c, at);
    while (behind > at && (is_symbol(c, behind, '+') || is_symbol(c, behind, '-'))) {
        size_t next = behind_operand(c, behind + 1);
        if (next == behind + 1) {
            break;
        }
        behind = next;
    }
    return behind;
}

/* ---- clauses ---- */

static bool is_unit_word(const cursor *c, size_t at, travel_unit *ret_unit)
{
    static const struct {
        const char *word;
        travel_unit unit;
    } words[] = {{"version", TRAVEL_VERSION},
                 {"system_version", TRAVEL_VERSION},
                 {"timestamp", TRAVEL_TIMESTAMP},
                 {"system_time", TRAVEL_TIMESTAMP},
                 {"system_timestamp", TRAVEL_TIMESTAMP}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (is_word(c, at, words[i].word)) {
            *ret_unit = words[i].unit;
            return true;
        }
    }
    return false;
}

/* Words that are no name of a table or function unless they are quoted, where these clauses may be mistaken. */
static bool is_reserved(const cursor *c, size_t at)
{
    static const char *const words[] = {
        "select", "distinct", "all",   "from",   "join",    "where",    "and",    "or",
        "not",    "on",       "using", "group",  "order",   "by",       "having", "qualify",
        "limit",  "offset",   "union", "except", "case",    "when",     "then",   "else",
        "in",     "as",       "with",  "window", "lateral", "intersect"};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (is_word(c, at, words[i])) {
            return true;
        }
    }
    return false;
}

/* What may stand before a clause: a table's name or its alias. */
static bool follows_table(const cursor *c, size_t at, size_t from)
{
    return at > from && ((is_name(c, at - 1) && !is_reserved(c, at - 1)) ||
                         is_kind(c, at - 1, TOKEN_TEXT) || is_symbol(c, at - 1, ')'));
}

/* AT (VERSION => …) */
static status read_at(const cursor *c, size_t at, travel_clause *ret_clause, bool *ret_found,
                      error *err)
{
    travel_clause clause = {.tokens = {.from = at}};

    *ret_found = is_word(c, at, "at") && is_symbol(c, at + 1, '(') &&
                 is_unit_word(c, at + 2, &clause.unit) && is_symbol(c, at + 3, '=') &&
                 is_symbol(c, at + 4, '>');
    if (!*ret_found) {
        return STATUS_OK;
    }
    clause.tokens.to = behind_brackets(c, at + 1);
    clause.value = (token_range){.from = at + 5, .to = clause.tokens.to - 1};
    if (!is_symbol(c, clause.tokens.to - 1, ')') || clause.value.from >= clause.value.to) {
        return token_error(c->list, clause.tokens.to - 1, err);
    }
    *ret_clause = clause;
    return STATUS_OK;
}

/* [FOR] VERSION AS OF … */
static status read_as_of(const cursor *c, size_t at, travel_clause *ret_clause, bool *ret_found,
                         error *err)
{
    travel_clause clause = {.tokens = {.from = at}};
    bool announced = is_word(c, at, "for");
    size_t unit = announced ? at + 1 : at;

    *ret_found = is_unit_word(c, unit, &clause.unit) && is_word(c, unit + 1, "as") &&
                 is_word(c, unit + 2, "of");
    if (!*ret_found) {
        return STATUS_OK;
    }
    clause.value.from = unit + 3;
    clause.value.to =
        is_reserved(c, clause.value.from) ? clause.value.from : behind_value(c, clause.value.from);
    if (clause.value.to == clause.value.from) {
        *ret_found = false; /* without FOR it may be a column called "version" AS "of" */
        return announced ? token_error(c->list, clause.value.from, err) : STATUS_OK;
    }
    clause.tokens.to = clause.value.to;
    *ret_clause = clause;
    return STATUS_OK;
}

status travel_find(const token_list *list, token_range range, arena *a, travel_clause **ret_clauses,
                   size_t *ret_count, error *err)
{
    const cursor c = {.list = list, .end = range.to};
    VEC(travel_clause) found = {0};

    for (size_t at = range.from; at < range.to; at++) {
        travel_clause clause = {.used = false};
        bool is_one = false;
        if (!follows_table(&c, at, range.from)) {
            continue;
        }
        TRY(read_at(&c, at, &clause, &is_one, err));
        if (!is_one) {
            TRY(read_as_of(&c, at, &clause, &is_one, err));
        }
        if (is_one) {
            vec_push(a, &found, clause);
            at = clause.tokens.to - 1;
        }
    }
    *ret_clauses = found.items;
    *ret_count = found.count;
    return STATUS_OK;
}

static travel_clause *clause_at(size_t at, travel_clause *clauses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (clauses[i].tokens.from == at) {
            return &clauses[i];
        }
    }
    return NULL;
}

travel_clause *travel_behind(const token_list *list, size_t at, size_t end, travel_clause *clauses,
                             size_t count)
{
    const cursor c = {.list = list, .end = end};
    travel_clause *found = clause_at(at, clauses, count);

    if (found != NULL || count == 0) {
        return found;
    }
    at += is_word(&c, at, "as") ? 1 : 0;
    if (!is_name(&c, at)) {
        return NULL;
    }
    at++;
    if (is_symbol(&c, at, '(')) { /* names of columns */
        at = behind_brackets(&c, at);
    }
    return clause_at(at, clauses, count);
}

/* ---- iceberg_scan ---- */

static bool begins_reference(const cursor *c, size_t at, size_t from)
{
    return at > from && (is_word(c, at - 1, "from") || is_word(c, at - 1, "join") ||
                         is_symbol(c, at - 1, ',') || is_symbol(c, at - 1, '('));
}

void travel_find_scans(const token_list *list, token_range range, arena *a, travel_scan **ret_scans,
                       size_t *ret_count)
{
    const cursor c = {.list = list, .end = range.to};
    VEC(travel_scan) found = {0};

    for (size_t at = range.from; at < range.to; at++) {
        bool front = is_word(&c, at, "tarn") && is_symbol(&c, at + 1, '.');
        size_t name = front ? at + 2 : at;
        if (is_word(&c, name, "iceberg_scan") && is_symbol(&c, name + 1, '(') &&
            begins_reference(&c, at, range.from)) {
            size_t behind = behind_brackets(&c, name + 1);
            travel_scan scan = {.tokens = {.from = at, .to = behind},
                                .arguments = {.from = name + 2, .to = behind - 1}};
            vec_push(a, &found, scan);
            at = behind - 1;
        }
    }
    *ret_scans = found.items;
    *ret_count = found.count;
}

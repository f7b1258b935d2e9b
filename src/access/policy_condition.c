/* Conditions: the operators of IAM, and whether one holds for a question.
 *
 * A key that the request does not have: a plain operator fails, a negated one holds, one that ends in IfExists holds.
 * What cannot be told (a variable without a value, a request's value that is no number) is MATCH_UNKNOWN: it allows
 * nothing and keeps a denial up.
 *
 * Source: IAM User Guide, "IAM JSON policy elements: Condition operators", "Multivalued context keys". */
#include <arpa/inet.h>
#include <string.h>

#include "policy_tree.h"
#include "tarn/base/clock.h"
#include "tarn/codec/checksum.h"

/* clang-format off */
/*   name                          kind             negated any case order */
static const condition_operator operators[] = {
    {"StringEquals",               OPERATOR_STRING, false, false, ORDER_EQUAL},
    {"StringNotEquals",            OPERATOR_STRING, true,  false, ORDER_EQUAL},
    {"StringEqualsIgnoreCase",     OPERATOR_STRING, false, true,  ORDER_EQUAL},
    {"StringNotEqualsIgnoreCase",  OPERATOR_STRING, true,  true,  ORDER_EQUAL},
    {"StringLike",                 OPERATOR_LIKE,   false, false, ORDER_EQUAL},
    {"StringNotLike",              OPERATOR_LIKE,   true,  false, ORDER_EQUAL},
    {"NumericEquals",              OPERATOR_NUMBER, false, false, ORDER_EQUAL},
    {"NumericNotEquals",           OPERATOR_NUMBER, true,  false, ORDER_EQUAL},
    {"NumericLessThan",            OPERATOR_NUMBER, false, false, ORDER_LESS},
    {"NumericLessThanEquals",      OPERATOR_NUMBER, false, false, ORDER_LESS_EQUAL},
    {"NumericGreaterThan",         OPERATOR_NUMBER, false, false, ORDER_MORE},
    {"NumericGreaterThanEquals",   OPERATOR_NUMBER, false, false, ORDER_MORE_EQUAL},
    {"DateEquals",                 OPERATOR_DATE,   false, false, ORDER_EQUAL},
    {"DateNotEquals",              OPERATOR_DATE,   true,  false, ORDER_EQUAL},
    {"DateLessThan",               OPERATOR_DATE,   false, false, ORDER_LESS},
    {"DateLessThanEquals",         OPERATOR_DATE,   false, false, ORDER_LESS_EQUAL},
    {"DateGreaterThan",            OPERATOR_DATE,   false, false, ORDER_MORE},
    {"DateGreaterThanEquals",      OPERATOR_DATE,   false, false, ORDER_MORE_EQUAL},
    {"Bool",                       OPERATOR_BOOL,   false, false, ORDER_EQUAL},
    {"BinaryEquals",               OPERATOR_BINARY, false, false, ORDER_EQUAL},
    {"IpAddress",                  OPERATOR_IP,     false, false, ORDER_EQUAL},
    {"NotIpAddress",               OPERATOR_IP,     true,  false, ORDER_EQUAL},
    {"ArnEquals",                  OPERATOR_ARN,    false, false, ORDER_EQUAL},
    {"ArnLike",                    OPERATOR_ARN,    false, false, ORDER_EQUAL},
    {"ArnNotEquals",               OPERATOR_ARN,    true,  false, ORDER_EQUAL},
    {"ArnNotLike",                 OPERATOR_ARN,    true,  false, ORDER_EQUAL},
    {"Null",                       OPERATOR_NULL,   false, false, ORDER_EQUAL},
};
/* clang-format on */

const condition_operator *policy__find_operator(str name)
{
    for (size_t i = 0; i < COUNT_OF(operators); i++) {
        if (str_equal(name, str_c(operators[i].name))) {
            return &operators[i];
        }
    }
    return NULL;
}

/* --- values --- */

static bool parse_bool(str text, bool *ret_value)
{
    *ret_value = str_equal_nocase(text, STR("true"));
    return *ret_value || str_equal_nocase(text, STR("false"));
}

/* ISO 8601, or seconds since 1970. */
static bool parse_date(str text, int64_t *ret_us)
{
    int64_t seconds;

    if (str_to_int64(text, &seconds, NULL) == STATUS_OK && seconds >= 0 &&
        seconds < INT64_MAX / 1000000) {
        *ret_us = seconds * 1000000;
        return true;
    }
    return clock_parse(text, ret_us, NULL) == STATUS_OK;
}

typedef struct network {
    uint8_t address[16];
    size_t address_bytes; /* 4 or 16 */
    size_t bits;
} network;

static bool parse_address(str text, network *ret_network)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[INET6_ADDRSTRLEN + 1];
    network n = {.address_bytes = 4};

    if (text.size == 0 || text.size >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, n.address) != 1) {
        if (inet_pton(AF_INET6, copy, n.address) != 1) {
            return false;
        }
        n.address_bytes = 16;
        if (memcmp(n.address, mapped, sizeof(mapped)) == 0) { /* ::ffff:1.2.3.4 is 1.2.3.4 */
            memmove(n.address, n.address + 12, 4);
            n.address_bytes = 4;
        }
    }
    n.bits = n.address_bytes * 8;
    *ret_network = n;
    return true;
}

static bool parse_network(str text, network *ret_network)
{
    str width;
    str address = str_cut(text, '/', &width);
    uint64_t bits;

    if (!parse_address(address, ret_network)) {
        return false;
    }
    if (str_is_null(width)) {
        return true;
    }
    if (str_to_uint64(width, &bits, NULL) != STATUS_OK || bits > ret_network->address_bytes * 8) {
        return false;
    }
    ret_network->bits = (size_t)bits;
    return true;
}

static bool is_inside(const network *address, const network *of)
{
    size_t whole = of->bits / 8;
    unsigned rest = (unsigned)(of->bits % 8);

    if (address->address_bytes != of->address_bytes ||
        memcmp(address->address, of->address, whole) != 0) {
        return false;
    }
    return rest == 0 ||
           (address->address[whole] >> (8 - rest)) == (of->address[whole] >> (8 - rest));
}

bool policy__is_narrow_network(str cidr)
{
    network n;

    return parse_network(cidr, &n) && n.bits >= (n.address_bytes == 4 ? 8 : 32);
}

static bool parse_binary(str text, arena *a, str *ret_bytes)
{
    return base64_decode(a, text, ret_bytes, NULL) == STATUS_OK;
}

bool policy__value_is_valid(const condition_operator *op, str value)
{
    arena *scratch;
    network n;
    double number;
    int64_t us;
    bool flag;
    bool valid;
    str bytes;

    switch (op->kind) {
    case OPERATOR_NUMBER:
        return str_to_double(value, &number, NULL) == STATUS_OK;
    case OPERATOR_DATE:
        return parse_date(value, &us);
    case OPERATOR_BOOL:
    case OPERATOR_NULL:
        return parse_bool(value, &flag);
    case OPERATOR_IP:
        return parse_network(value, &n);
    case OPERATOR_BINARY:
        scratch = arena_create();
        valid = parse_binary(value, scratch, &bytes);
        arena_free(scratch);
        return valid;
    case OPERATOR_STRING:
    case OPERATOR_LIKE:
    case OPERATOR_ARN:
        break;
    }
    return true;
}

/* --- one value of the request against one of the policy --- */

static match yes_or_no(bool is)
{
    return is ? MATCH_YES : MATCH_NO;
}

static bool is_in_order(operator_order order, double left, double right)
{
    switch (order) {
    case ORDER_EQUAL:
        return left == right;
    case ORDER_LESS:
        return left < right;
    case ORDER_LESS_EQUAL:
        return left <= right;
    case ORDER_MORE:
        return left > right;
    case ORDER_MORE_EQUAL:
        return left >= right;
    }
    return false;
}

static match compare_numbers(operator_order order, str given, str wanted)
{
    double left, right;

    if (str_to_double(given, &left, NULL) != STATUS_OK ||
        str_to_double(wanted, &right, NULL) != STATUS_OK) {
        return MATCH_UNKNOWN;
    }
    return yes_or_no(is_in_order(order, left, right));
}

/* A double holds microseconds of the next centuries exactly. */
static match compare_dates(operator_order order, str given, str wanted)
{
    int64_t left, right;

    if (!parse_date(given, &left) || !parse_date(wanted, &right)) {
        return MATCH_UNKNOWN;
    }
    return yes_or_no(is_in_order(order, (double)left, (double)right));
}

static match compare_addresses(str given, str wanted)
{
    network address, of;

    if (!parse_address(given, &address) || !parse_network(wanted, &of)) {
        return MATCH_UNKNOWN;
    }
    return yes_or_no(is_inside(&address, &of));
}

static match compare_strings(const condition_operator *op, str given, str wanted,
                             bool has_variables, const policy_question *q)
{
    arena *scratch = arena_create();
    match found = MATCH_UNKNOWN;
    str expanded;

    if (policy__expand(wanted, has_variables, q, scratch, &expanded)) {
        found = yes_or_no(op->any_case ? str_equal_nocase(given, expanded)
                                       : str_equal(given, expanded));
    }
    arena_free(scratch);
    return found;
}

static match compare_binary(str given, str wanted)
{
    arena *scratch = arena_create();
    match found = MATCH_UNKNOWN;
    str left, right;

    if (parse_binary(given, scratch, &left) && parse_binary(wanted, scratch, &right)) {
        found = yes_or_no(str_equal(left, right));
    }
    arena_free(scratch);
    return found;
}

static match compare(const condition_operator *op, str given, str wanted, bool has_variables,
                     const policy_question *q)
{
    bool left, right;

    switch (op->kind) {
    case OPERATOR_STRING:
        return compare_strings(op, given, wanted, has_variables, q);
    case OPERATOR_LIKE:
        return policy__match(wanted, given, false, has_variables, q);
    case OPERATOR_ARN:
        return policy__match_arn(wanted, given, has_variables, q);
    case OPERATOR_NUMBER:
        return compare_numbers(op->order, given, wanted);
    case OPERATOR_DATE:
        return compare_dates(op->order, given, wanted);
    case OPERATOR_BOOL:
        if (!parse_bool(given, &left) || !parse_bool(wanted, &right)) {
            return MATCH_UNKNOWN;
        }
        return yes_or_no(left == right);
    case OPERATOR_BINARY:
        return compare_binary(given, wanted);
    case OPERATOR_IP:
        return compare_addresses(given, wanted);
    case OPERATOR_NULL:
        break;
    }
    return MATCH_UNKNOWN;
}

/* --- a condition --- */

/* One value of the request against all of the policy: any of them, or, negated, none. */
static match value_holds(const condition *c, str given, bool has_variables,
                         const policy_question *q)
{
    match best = MATCH_NO;

    for (size_t i = 0; i < c->values.count; i++) {
        match found = compare(c->operator, given, c->values.items[i], has_variables, q);

        if (found == MATCH_YES) {
            return yes_or_no(!c->operator->negated);
        }
        best = found == MATCH_UNKNOWN ? MATCH_UNKNOWN : best;
    }
    if (best == MATCH_UNKNOWN) {
        return MATCH_UNKNOWN;
    }
    return yes_or_no(c->operator->negated);
}

/* All of the request's values, or any. */
static match values_hold(const condition *c, const str *given, size_t count, bool all,
                         bool has_variables, const policy_question *q)
{
    match found = yes_or_no(all);

    for (size_t i = 0; i < count; i++) {
        match one = value_holds(c, given[i], has_variables, q);

        if (one == yes_or_no(!all)) {
            return one;
        }
        found = one == MATCH_UNKNOWN ? MATCH_UNKNOWN : found;
    }
    return found;
}

static bool wants_absence(const condition *c)
{
    bool absent = false;

    return c->values.count == 1 && parse_bool(c->values.items[0], &absent) && absent;
}

match policy__condition_holds(const condition *c, bool has_variables, const policy_question *q)
{
    const str *given = NULL;
    size_t count = 0;
    bool present = q->values != NULL && q->values(q->context, c->key, &given, &count) && count > 0;

    if (c->operator->kind == OPERATOR_NULL) {
        return yes_or_no(present != wants_absence(c));
    }
    if (!present) {
        return yes_or_no(c->if_exists || c->set == SET_ALL ||
                         (c->set == SET_NONE && c->operator->negated));
    }
    /* Without a prefix, several values of the request: any may fit, and none may be among what is excluded. */
    return values_hold(c, given, count,
                       c->set == SET_ALL || (c->set == SET_NONE && c->operator->negated),
                       has_variables, q);
}

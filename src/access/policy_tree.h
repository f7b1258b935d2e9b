/* policy_tree.h: a policy as it is kept: what policy_parse.c makes and policy.c asks. */
#ifndef TARN_ACCESS_POLICY_TREE_H
#define TARN_ACCESS_POLICY_TREE_H

#include "tarn/access/policy.h"

typedef struct text_list {
    const str *items;
    size_t count;
} text_list;

/* Who is meant, of AWS's ways to say it. */
typedef enum party_kind {
    PARTY_EVERYONE,  /* "*" */
    PARTY_ACCOUNT,   /* ID, arn:aws:iam::ID:root */
    PARTY_USER,      /* arn:aws:iam::ID:user/NAME */
    PARTY_ROLE,      /* arn:aws:iam::ID:role/NAME: sessions of that role */
    PARTY_SESSION,   /* arn:aws:sts::ID:assumed-role/NAME/SESSION */
    PARTY_CANONICAL, /* a canonical id */
} party_kind;

typedef struct party {
    party_kind kind;
    str account; /* ID */
    str name;    /* NAME, the whole ARN of a session, or the canonical id */
} party;

/* What is compared, and how the text of a value is read. */
typedef enum operator_kind {
    OPERATOR_STRING,
    OPERATOR_LIKE,
    OPERATOR_NUMBER,
    OPERATOR_DATE,
    OPERATOR_BOOL,
    OPERATOR_BINARY,
    OPERATOR_IP,
    OPERATOR_ARN,
    OPERATOR_NULL,
} operator_kind;

typedef enum operator_order {
    ORDER_EQUAL,
    ORDER_LESS,
    ORDER_LESS_EQUAL,
    ORDER_MORE,
    ORDER_MORE_EQUAL
} operator_order;

typedef struct condition_operator {
    const char *name;
    operator_kind kind;
    bool negated;
    bool any_case;
    operator_order order; /* numbers and dates */
} condition_operator;

typedef enum value_set { SET_NONE, SET_ALL, SET_ANY } value_set; /* ForAllValues:, ForAnyValue: */

typedef struct condition {
    const condition_operator *operator;
    bool if_exists;
    value_set set;
    str key; /* lower case */
    text_list values;
} condition;

typedef struct statement {
    bool denies;
    bool not_party, not_action, not_resource;
    const party *parties; /* NULL: a session's, which has none */
    size_t party_count;
    text_list actions, resources;
    const condition *conditions;
    size_t condition_count;
} statement;

struct policy {
    const statement *statements;
    size_t count;
    bool has_variables; /* version 2012-10-17 */
    bool is_public;
};

/* policy_match.c: text with * and ?, and ${…} where `has_variables`. */
typedef enum match {
    MATCH_NO,
    MATCH_YES,
    MATCH_UNKNOWN
} match; /* UNKNOWN: a variable that has no value */
match policy__match(str pattern, str text, bool any_case, bool has_variables,
                    const policy_question *q);
/* The text with its variables replaced; * and ? stand for themselves. False where a variable has no value. */
bool policy__expand(str text, bool has_variables, const policy_question *q, arena *a,
                    str *ret_text);
bool policy__glob(str pattern, str text, bool any_case); /* without variables */
/* ARNs are compared part by part. */
match policy__match_arn(str pattern, str text, bool has_variables, const policy_question *q);

/* policy_condition.c */
/* The row of the operator's name without prefix and suffix; NULL. */
const condition_operator *policy__find_operator(str name);
/* Whether the value can be read as the operator needs it. */
bool policy__value_is_valid(const condition_operator *op, str value);
match policy__condition_holds(const condition *c, bool has_variables, const policy_question *q);
bool policy__is_narrow_network(str cidr); /* not wider than what AWS calls public */

#endif

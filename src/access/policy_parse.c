/* From a document's text to a policy. Whatever is not understood is malformed, by statement and element. */
#include "internal.h"
#include "policy_tree.h"
#include "tarn/base/vec.h"
#include "tarn/codec/json.h"

#define SESSION_POLICY_BYTES_MAX ((size_t)2048)
#define ARN_PREFIX "arn:aws:s3:::"

typedef struct parsing {
    policy_use use;
    str bucket;
    arena *memory;
    size_t number; /* of the statement, from 1; 0: of the document */
    error *err;
} parsing;

__attribute__((format(printf, 2, 3))) static status malformed(parsing *p, const char *format, ...)
{
    va_list args;
    buf *text = buf_in(p->memory, 4096);

    va_start(args, format);
    buf_vprintf(text, format, args);
    va_end(args);
    if (p->number == 0) {
        (void)error_set(p->err, STATUS_INVALID, "policy: %.*s", STR_ARG(buf_str(text)));
    } else {
        (void)error_set(p->err, STATUS_INVALID, "policy, statement %zu: %.*s", p->number,
                        STR_ARG(buf_str(text)));
    }
    error_set_s3_code(p->err, "MalformedPolicy");
    return STATUS_INVALID;
}

/* At most so much of a client's text in a message. */
#define SHOWN(s) (int)((s).size < 100 ? (s).size : 100), ((s).data != NULL ? (s).data : "")

/* --- lists of texts --- */

typedef VEC(str) texts;

/* A string or a list of strings, at least one. `scalars`: numbers and booleans count as their text. */
static status read_texts(parsing *p, const char *element, const json *value, bool scalars,
                         text_list *ret_list)
{
    texts list = {0};
    bool many = json_kind_of(value) == JSON_ARRAY;
    size_t count = many ? json_count(value) : 1;

    for (size_t i = 0; i < count; i++) {
        const json *item = many ? json_at(value, i) : value;
        json_kind kind = json_kind_of(item);
        str text;

        if (kind == JSON_STR) {
            text = str_copy(p->memory, json_str_or(item, STR("")));
        } else if (scalars && (kind == JSON_BOOL || kind == JSON_INT64 || kind == JSON_DOUBLE)) {
            buf *out = buf_in(p->memory, 256);
            json_format(item, out);
            text = buf_str(out);
        } else {
            return malformed(p, "%s has a value that is no text", element);
        }
        vec_push(p->memory, &list, text);
    }
    if (list.count == 0) {
        return malformed(p, "%s is empty", element);
    }
    *ret_list = (text_list){.items = list.items, .count = list.count};
    return STATUS_OK;
}

/* --- principals --- */

static bool is_account(str text)
{
    bool valid = text.size > 0 && text.size <= 128;

    for (size_t i = 0; valid && i < text.size; i++) {
        char c = text.data[i];
        valid = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                c == '-' || c == '_';
    }
    return valid;
}

static bool is_plain(str text)
{
    return !str_is_empty(text) && str_find_char(text, '*') == STR_NPOS &&
           str_find_char(text, '?') == STR_NPOS;
}

/* The last part of a path: user/a/b/NAME is NAME. */
static str last_part(str path)
{
    size_t at = str_find_last_char(path, '/');

    return at == STR_NPOS ? path : str_slice(path, at + 1, path.size);
}

static bool read_arn(str text, party *ret_party)
{
    bool is_sts = str_starts_with(text, STR("arn:aws:sts::"));
    str rest;
    party who = {.kind = PARTY_ACCOUNT};

    if (!is_sts && !str_starts_with(text, STR("arn:aws:iam::"))) {
        return false;
    }
    who.account = str_cut(str_slice(text, sizeof("arn:aws:iam::") - 1, text.size), ':', &rest);
    if (!is_account(who.account) || !is_plain(rest)) {
        return false;
    }
    if (is_sts) {
        who.kind = PARTY_SESSION;
        who.name = text;
        *ret_party = who;
        return str_starts_with(rest, STR("assumed-role/"));
    }
    if (!str_equal(rest, STR("root"))) {
        bool is_user = str_starts_with(rest, STR("user/"));

        who.kind = is_user ? PARTY_USER : PARTY_ROLE;
        who.name = last_part(rest);
        if ((!is_user && !str_starts_with(rest, STR("role/"))) || str_is_empty(who.name)) {
            return false;
        }
    }
    *ret_party = who;
    return true;
}

static status read_party(parsing *p, const char *element, str kind, str text, party *ret_party)
{
    if (str_equal(kind, STR("CanonicalUser")) && is_account(text)) {
        *ret_party = (party){.kind = PARTY_CANONICAL, .name = text};
        return STATUS_OK;
    }
    if (str_equal(kind, STR("AWS"))) {
        if (str_equal(text, STR("*"))) {
            *ret_party = (party){.kind = PARTY_EVERYONE};
            return STATUS_OK;
        }
        if (is_account(text)) {
            *ret_party = (party){.kind = PARTY_ACCOUNT, .account = text};
            return STATUS_OK;
        }
        if (read_arn(text, ret_party)) {
            return STATUS_OK;
        }
    }
    return malformed(p, "%s: invalid principal \"%.*s\": \"%.*s\"", element, SHOWN(kind),
                     SHOWN(text));
}

typedef VEC(party) party_list;

static status read_parties(parsing *p, const char *element, const json *value, statement *s)
{
    party_list list = {0};
    const json *member;
    str kind;

    if (json_kind_of(value) == JSON_STR && str_equal(json_str_or(value, STR("")), STR("*"))) {
        vec_push(p->memory, &list, ((party){.kind = PARTY_EVERYONE}));
    } else if (json_kind_of(value) != JSON_OBJECT) {
        return malformed(p, "%s is neither \"*\" nor an object", element);
    }
    if (json_kind_of(value) == JSON_OBJECT) {
        for (size_t at = 0; json_next_member(value, &at, &kind, &member);) {
            text_list names = {0};

            TRY(read_texts(p, element, member, false, &names));
            for (size_t i = 0; i < names.count; i++) {
                party who = {0};

                TRY(read_party(p, element, kind, names.items[i], &who));
                vec_push(p->memory, &list, who);
            }
        }
    }
    if (list.count == 0) {
        return malformed(p, "%s is empty", element);
    }
    s->parties = list.items;
    s->party_count = list.count;
    return STATUS_OK;
}

/* --- actions and resources --- */

static bool names_some_action(str pattern)
{
    size_t count;
    const s3_action_info *infos = access_s3_actions(&count);

    for (size_t i = 0; i < count; i++) {
        if (policy__glob(pattern, str_c(infos[i].name), true)) {
            return true;
        }
    }
    return false;
}

/* In a session's policy other services' actions may stand; they mean nothing here. */
static bool is_of_another_service(str wanted)
{
    str name;
    str service = str_cut(wanted, ':', &name);

    return !str_is_empty(name) && is_plain(service) && !str_equal_nocase(service, STR("s3"));
}

static status read_actions(parsing *p, const char *element, const json *value, statement *s)
{
    TRY(read_texts(p, element, value, false, &s->actions));
    for (size_t i = 0; i < s->actions.count; i++) {
        str wanted = s->actions.items[i];

        if (!names_some_action(wanted) &&
            !(p->use == POLICY_OF_SESSION && is_of_another_service(wanted))) {
            return malformed(p, "%s: invalid action \"%.*s\"", element, SHOWN(wanted));
        }
    }
    return STATUS_OK;
}

/* Whether it can mean something in the bucket: its first part is the bucket's name, or a pattern that fits it. */
static bool is_in_bucket(const parsing *p, str arn)
{
    str rest;
    str name;

    if (!str_starts_with(arn, STR(ARN_PREFIX))) {
        return false;
    }
    name = str_cut(str_slice(arn, sizeof(ARN_PREFIX) - 1, arn.size), '/', &rest);
    return policy__glob(name, p->bucket, false);
}

static status read_resources(parsing *p, const char *element, const json *value, statement *s)
{
    TRY(read_texts(p, element, value, false, &s->resources));
    for (size_t i = 0; i < s->resources.count; i++) {
        str arn = s->resources.items[i];
        bool valid = p->use == POLICY_OF_BUCKET
                         ? is_in_bucket(p, arn)
                         : str_equal(arn, STR("*")) || str_starts_with(arn, STR("arn:"));

        if (!valid) {
            return malformed(p, "%s: invalid resource \"%.*s\"", element, SHOWN(arn));
        }
    }
    return STATUS_OK;
}

/* --- conditions --- */

static status read_operator(parsing *p, str name, condition *ret_condition)
{
    static const char *const prefixes[] = {[SET_ALL] = "ForAllValues:", [SET_ANY] = "ForAnyValue:"};
    condition c = {0};
    str rest = name;

    for (value_set set = SET_ALL; set <= SET_ANY; set++) {
        if (str_starts_with(name, str_c(prefixes[set]))) {
            c.set = set;
            rest = str_slice(name, strlen(prefixes[set]), name.size);
        }
    }
    if (str_ends_with(rest, STR("IfExists"))) {
        c.if_exists = true;
        rest = str_slice(rest, 0, rest.size - strlen("IfExists"));
    }
    c.operator= policy__find_operator(rest);
    if (c.operator==
        NULL ||(c.operator->kind == OPERATOR_NULL &&(c.if_exists || c.set != SET_NONE))) {
        return malformed(p, "Condition: invalid operator \"%.*s\"", SHOWN(name));
    }
    *ret_condition = c;
    return STATUS_OK;
}

typedef VEC(condition) condition_list;

static status read_condition(parsing *p, condition c, str key, const json *values,
                             condition_list *list)
{
    if (!policy_knows_key(key)) {
        return malformed(p, "Condition: invalid key \"%.*s\"", SHOWN(key));
    }
    c.key = str_lower(p->memory, key);
    TRY(read_texts(p, "Condition", values, true, &c.values));
    if (c.operator->kind == OPERATOR_NULL && c.values.count != 1) {
        return malformed(p, "Condition: \"Null\" takes one value");
    }
    for (size_t i = 0; i < c.values.count; i++) {
        if (!policy__value_is_valid(c.operator, c.values.items[i])) {
            return malformed(p, "Condition: invalid value \"%.*s\" for \"%s\"",
                             SHOWN(c.values.items[i]), c.operator->name);
        }
    }
    vec_push(p->memory, list, c);
    return STATUS_OK;
}

static status read_conditions(parsing *p, const json *value, statement *s)
{
    condition_list list = {0};
    const json *of_operator;
    const json *values;
    str name;
    str key;

    if (json_kind_of(value) != JSON_OBJECT) {
        return malformed(p, "Condition is no object");
    }
    for (size_t at = 0; json_next_member(value, &at, &name, &of_operator);) {
        condition c = {0};

        TRY(read_operator(p, name, &c));
        if (json_kind_of(of_operator) != JSON_OBJECT || json_count(of_operator) == 0) {
            return malformed(p, "Condition: \"%.*s\" is no object with keys", SHOWN(name));
        }
        for (size_t inner = 0; json_next_member(of_operator, &inner, &key, &values);) {
            TRY(read_condition(p, c, key, values, &list));
        }
    }
    s->conditions = list.items;
    s->condition_count = list.count;
    return STATUS_OK;
}

/* --- statements --- */

/* Exactly one of `element` and its negation, whose values `read` takes. */
static status read_either(parsing *p, const json *object, const char *element, const char *negated,
                          status (*read)(parsing *p, const char *element, const json *value,
                                         statement *s),
                          bool *ret_negated, statement *s)
{
    const json *plain = json_get(object, element);
    const json *other = json_get(object, negated);

    if ((plain == NULL) == (other == NULL)) {
        return malformed(p, "it needs one of %s and %s", element, negated);
    }
    *ret_negated = plain == NULL;
    return read(p, plain != NULL ? element : negated, plain != NULL ? plain : other, s);
}

static status check_members(parsing *p, const json *object, const char *const *known, size_t count)
{
    const json *value;
    str key;

    for (size_t at = 0; json_next_member(object, &at, &key, &value);) {
        bool found = false;

        for (size_t i = 0; !found && i < count; i++) {
            found = str_equal(key, str_c(known[i]));
        }
        if (!found) {
            return malformed(p, "unknown element \"%.*s\"", SHOWN(key));
        }
    }
    return STATUS_OK;
}

static status read_principal(parsing *p, const json *object, statement *s)
{
    if (p->use == POLICY_OF_SESSION) {
        if (json_get(object, "Principal") != NULL || json_get(object, "NotPrincipal") != NULL) {
            return malformed(p, "a session's policy has no Principal");
        }
        return STATUS_OK;
    }
    TRY(read_either(p, object, "Principal", "NotPrincipal", read_parties, &s->not_party, s));
    if (s->not_party && !s->denies) {
        return malformed(p, "Allow with NotPrincipal is not supported");
    }
    return STATUS_OK;
}

static status read_statement(parsing *p, const json *object, statement *ret_statement)
{
    static const char *const known[] = {"Sid",          "Effect",      "Principal",
                                        "NotPrincipal", "Action",      "NotAction",
                                        "Resource",     "NotResource", "Condition"};
    statement s = {0};
    const json *sid = json_get(object, "Sid");
    str effect = json_str_or(json_get(object, "Effect"), STR(""));

    if (json_kind_of(object) != JSON_OBJECT) {
        return malformed(p, "it is no object");
    }
    TRY(check_members(p, object, known, COUNT_OF(known)));
    if (sid != NULL && json_kind_of(sid) != JSON_STR) {
        return malformed(p, "Sid is no text");
    }
    s.denies = str_equal(effect, STR("Deny"));
    if (!s.denies && !str_equal(effect, STR("Allow"))) {
        return malformed(p, "Effect is neither Allow nor Deny");
    }
    TRY(read_principal(p, object, &s));
    TRY(read_either(p, object, "Action", "NotAction", read_actions, &s.not_action, &s));
    TRY(read_either(p, object, "Resource", "NotResource", read_resources, &s.not_resource, &s));
    if (json_get(object, "Condition") != NULL) {
        TRY(read_conditions(p, json_get(object, "Condition"), &s));
    }
    *ret_statement = s;
    return STATUS_OK;
}

/* --- the meaning of "public" --- */

/* Conditions on these keys with fixed values keep a statement from being public. */
static const char *const narrowing_keys[] = {
    "aws:principalaccount",  "aws:principalarn", "aws:principalorgid", "aws:sourceaccount",
    "aws:sourcearn",         "aws:sourceip",     "aws:sourceorgid",    "aws:sourcevpc",
    "aws:sourcevpce",        "aws:userid",       "aws:username",       "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
};

static bool is_fixed(const condition *c, str value)
{
    if (c->operator->kind == OPERATOR_IP) {
        return policy__is_narrow_network(value);
    }
    return is_plain(value) && str_find(value, STR("${")) == STR_NPOS;
}

static bool is_narrowing(const condition *c)
{
    bool of_those = false;
    operator_kind kind = c->operator->kind;

    for (size_t i = 0; !of_those && i < COUNT_OF(narrowing_keys); i++) {
        of_those = str_equal(c->key, str_c(narrowing_keys[i]));
    }
    if (!of_those || c->operator->negated || c->if_exists ||
                     c->set == SET_ALL ||(kind != OPERATOR_STRING && kind != OPERATOR_LIKE &&
                                          kind != OPERATOR_ARN && kind != OPERATOR_IP)) {
        return false;
    }
    for (size_t i = 0; i < c->values.count; i++) {
        if (!is_fixed(c, c->values.items[i])) {
            return false;
        }
    }
    return true;
}

static bool statement_is_public(const statement *s)
{
    bool everyone = false;

    for (size_t i = 0; i < s->party_count; i++) {
        everyone = everyone || s->parties[i].kind == PARTY_EVERYONE;
    }
    if (s->denies || !everyone) {
        return false;
    }
    for (size_t i = 0; i < s->condition_count; i++) {
        if (is_narrowing(&s->conditions[i])) {
            return false;
        }
    }
    return true;
}

/* --- the document --- */

static status read_version(parsing *p, const json *document, bool *ret_has_variables)
{
    const json *value = json_get(document, "Version");
    str version = json_str_or(value, STR(""));

    *ret_has_variables = str_equal(version, STR("2012-10-17"));
    if (value != NULL && !*ret_has_variables && !str_equal(version, STR("2008-10-17"))) {
        return malformed(p, "Version is neither 2012-10-17 nor 2008-10-17");
    }
    return STATUS_OK;
}

static status read_document(parsing *p, const json *document, policy *ret_policy)
{
    static const char *const known[] = {"Version", "Id", "Statement"};
    const json *all = json_get(document, "Statement");
    bool many = json_kind_of(all) == JSON_ARRAY;
    size_t count = many ? json_count(all) : 1;
    policy made = {0};
    statement *statements;

    if (json_kind_of(document) != JSON_OBJECT) {
        return malformed(p, "it is no object");
    }
    TRY(check_members(p, document, known, COUNT_OF(known)));
    TRY(read_version(p, document, &made.has_variables));
    if (json_get(document, "Id") != NULL && json_kind_of(json_get(document, "Id")) != JSON_STR) {
        return malformed(p, "Id is no text");
    }
    if (all == NULL || count == 0) {
        return malformed(p, "it has no Statement");
    }
    statements = ARENA_ARRAY(p->memory, statement, count);
    for (size_t i = 0; i < count; i++) {
        p->number = i + 1;
        TRY(read_statement(p, many ? json_at(all, i) : all, &statements[i]));
        made.is_public = made.is_public || statement_is_public(&statements[i]);
    }
    made.statements = statements;
    made.count = count;
    *ret_policy = made;
    return STATUS_OK;
}

status policy_parse(str text, policy_use use, str bucket, arena *a, const policy **ret_policy,
                    error *err)
{
    size_t max = use == POLICY_OF_BUCKET ? POLICY_BYTES_MAX : SESSION_POLICY_BYTES_MAX;
    parsing p = {.use = use, .bucket = bucket, .memory = a, .err = err};
    error why = ERROR_INIT;
    const json *document;
    policy *made = ARENA_NEW(a, policy);

    if (text.size > max) {
        return malformed(&p, "it is larger than %zu bytes", max);
    }
    if (json_parse(text, a, &document, &why) != STATUS_OK) {
        return malformed(&p, "%s", why.message);
    }
    TRY(read_document(&p, document, made));
    *ret_policy = made;
    return STATUS_OK;
}

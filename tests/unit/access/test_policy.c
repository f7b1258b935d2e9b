/* Claims about policy documents: what is malformed, and what a statement says to a question. */
#include "support/test.h"
#include "tarn/access/policy.h"
#include "tarn/base/buf.h"

/* Values of condition keys: "key=value", several rows of a key are several values. */
typedef struct asker {
    const char *const *pairs;
    size_t count;
    str found[8];
} asker;

static bool values(void *context, str key, const str **ret_values, size_t *ret_count)
{
    asker *k = context;
    size_t count = 0;

    for (size_t i = 0; i < k->count; i++) {
        str value;
        str name = str_cut(str_c(k->pairs[i]), '=', &value);

        if (str_equal(name, key) && count < COUNT_OF(k->found)) {
            k->found[count++] = value;
        }
    }
    *ret_values = k->found;
    *ret_count = count;
    return count > 0;
}

static const policy *parse(fixture *f, const char *text)
{
    const policy *p = NULL;

    EXPECT_OK(policy_parse(QUOTED(f, text), POLICY_OF_BUCKET, STR("lake"), f->arena, &p, &f->err));
    return p;
}

/* One statement with these members beside its effect, principal, action and resource. */
static const policy *with_condition(fixture *f, const char *effect, const char *conditions)
{
    return parse(f,
                 arena_printf(f->arena,
                              "{'Version':'2012-10-17','Statement':{'Effect':'%s','Principal':'*',"
                              "'Action':'s3:GetObject','Resource':'arn:aws:s3:::lake/*',"
                              "'Condition':%s}}",
                              effect, conditions));
}

static policy_question ann(void)
{
    return (policy_question){
        .principal_id = STR("ANN"),
        .principal_arn = STR("arn:aws:iam::ANN:root"),
        .account = STR("ANN"),
        .user = STR("ann"),
        .action = STR("s3:GetObject"),
        .resource = STR("arn:aws:s3:::lake/a/b.txt"),
    };
}

static policy_question anonymous(void)
{
    policy_question q = ann();

    q.principal_id = q.principal_arn = q.account = q.user = STR("");
    return q;
}

static policy_effect ask_with(const policy *p, const char *const *pairs, size_t count)
{
    asker k = {.pairs = pairs, .count = count};
    policy_question q = ann();

    q.values = values;
    q.context = &k;
    return policy_ask(p, &q);
}

#define PAIRS(...) \
    (const char *const[]){__VA_ARGS__}, COUNT_OF(((const char *const[]){__VA_ARGS__}))

/* Around what is wrong in a statement. */
#define DENY "{'Statement':{'Effect':'Deny','Principal':"
#define ON_LAKE "'Resource':'arn:aws:s3:::lake'}}"

static void test_what_is_not_understood_is_malformed(void **context)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "'text'",
        "{}",
        "{'Version':'2012-10-17'}",
        "{'Version':'2012-10-17','Statement':[]}",
        "{'Version':'2012-10-17','Statement':'x'}",
        "{'Version':'2012-10-17','Statement':[1]}",
        "{'Version':'2015-10-17','Statement':{'Effect':'Deny','Principal':'*','Action':'*'," ON_LAKE,
        "{'Version':1,'Statement':{'Effect':'Deny','Principal':'*','Action':'*'," ON_LAKE,
        "{'Id':1,'Statement':{'Effect':'Deny','Principal':'*','Action':'*'," ON_LAKE,
        "{'More':1,'Statement':{'Effect':'Deny','Principal':'*','Action':'*'," ON_LAKE,
        "{'Statement':{'Effect':'deny','Principal':'*','Action':'*'," ON_LAKE,
        "{'Statement':{'Principal':'*','Action':'*'," ON_LAKE,
        "{'Statement':{'Effect':'Deny','Action':'*'," ON_LAKE,
        DENY "'ANN','Action':'*'," ON_LAKE,
        DENY "{},'Action':'*'," ON_LAKE,
        DENY "{'AWS':[]},'Action':'*'," ON_LAKE,
        DENY "{'AWS':1},'Action':'*'," ON_LAKE,
        DENY "{'Service':'s3.amazonaws.com'},'Action':'*'," ON_LAKE,
        DENY "{'CanonicalUser':'*'},'Action':'*'," ON_LAKE,
        DENY "{'AWS':'arn:aws:iam::ANN:user/*'},'Action':'*'," ON_LAKE,
        DENY "{'AWS':'arn:aws:iam::*:root'},'Action':'*'," ON_LAKE,
        DENY "{'AWS':'arn:aws:iam::ANN:user/'},'Action':'*'," ON_LAKE,
        DENY "'*','NotPrincipal':'*','Action':'*'," ON_LAKE,
        "{'Statement':{'Effect':'Allow','NotPrincipal':{'AWS':'ANN'},'Action':'*'," ON_LAKE,
        DENY "'*'," ON_LAKE,
        DENY "'*','Action':[]," ON_LAKE,
        DENY "'*','Action':'s3:GetNothing'," ON_LAKE,
        DENY "'*','Action':['s3:GetObject','ec2:Run']," ON_LAKE,
        DENY "'*','Action':'s3:Fetch*'," ON_LAKE,
        DENY "'*','Action':'*','NotAction':'*'," ON_LAKE,
        DENY "'*','Action':'*'}}",
        DENY "'*','Action':'*','Resource':'*'}}",
        DENY "'*','Action':'*','Resource':'lake/*'}}",
        DENY "'*','Action':'*','Resource':'arn:aws:s3:::other/*'}}",
        DENY "'*','Action':'*','Resource':'arn:aws:s3:::lakes'}}",
        DENY "'*','Action':'*','NotResource':'arn:aws:s3:::lakes'}}",
        DENY "'*','Action':'*','Resource':['arn:aws:s3:::lake','arn:aws:s3:::la']}}",
        DENY "'*','Action':'*','Resource':'arn:aws:s3:::lake','Extra':1}}",
        "{'Statement':{'Effect':'Deny','Effect':'Allow','Principal':'*','Action':'*'," ON_LAKE,
        "{'Statement':{'Sid':1,'Effect':'Deny','Principal':'*','Action':'*'," ON_LAKE,
    };
    fixture *f = *context;
    const policy *p;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        status got =
            policy_parse(QUOTED(f, bad[i]), POLICY_OF_BUCKET, STR("lake"), f->arena, &p, &f->err);
        if (got != STATUS_INVALID) {
            fail_msg("not malformed: %s", bad[i]);
        }
        assert_string_equal(error_s3_code(&f->err), "MalformedPolicy");
    }
}

static void test_conditions_that_are_not_understood_are_malformed(void **context)
{
    static const char *const bad[] = {
        "1",
        "[]",
        "{'StringEquals':{}}",
        "{'StringEquals':'x'}",
        "{'StringEquals':{'aws:username':[]}}",
        "{'StringEquals':{'aws:username':{}}}",
        "{'StringEquals':{'aws:unheardof':'x'}}",
        "{'StringEquals':{'s3:ExistingObjectTag/':'x'}}",
        "{'StringEqual':{'aws:username':'x'}}",
        "{'stringequals':{'aws:username':'x'}}",
        "{'ForSomeValue:StringEquals':{'aws:username':'x'}}",
        "{'NumericEquals':{'s3:max-keys':'many'}}",
        "{'DateLessThan':{'aws:CurrentTime':'soon'}}",
        "{'Bool':{'aws:SecureTransport':'maybe'}}",
        "{'IpAddress':{'aws:SourceIp':'10.0.0.0/33'}}",
        "{'IpAddress':{'aws:SourceIp':'10.0.0'}}",
        "{'BinaryEquals':{'s3:x-amz-acl':'!!!'}}",
        "{'Null':{'aws:username':['true','false']}}",
        "{'NullIfExists':{'aws:username':'true'}}",
        "{'Null':{'aws:username':'x'}}",
    };
    fixture *f = *context;
    const policy *p;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const char *text =
            arena_printf(f->arena,
                         "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Principal':'*',"
                         "'Action':'s3:*','Resource':'arn:aws:s3:::lake/*','Condition':%s}}",
                         bad[i]);
        if (policy_parse(QUOTED(f, text), POLICY_OF_BUCKET, STR("lake"), f->arena, &p, &f->err) !=
            STATUS_INVALID) {
            fail_msg("not malformed: %s", bad[i]);
        }
    }
}

static void test_a_document_has_a_size(void **context)
{
    fixture *f = *context;
    buf *text = buf_in(f->arena, POLICY_BYTES_MAX * 2);
    const policy *p;

    buf_add_c(text, "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\","
                    "\"Resource\":\"arn:aws:s3:::lake\"}}");
    while (text->size < POLICY_BYTES_MAX) {
        buf_add_char(text, ' ');
    }
    EXPECT_OK(policy_parse(buf_str(text), POLICY_OF_BUCKET, STR("lake"), f->arena, &p, &f->err));
    buf_add_char(text, ' ');
    EXPECT_STATUS(
        INVALID, policy_parse(buf_str(text), POLICY_OF_BUCKET, STR("lake"), f->arena, &p, &f->err));
    EXPECT_STATUS(INVALID, policy_parse(str_slice(buf_str(text), 0, 2049), POLICY_OF_SESSION,
                                        STR(""), f->arena, &p, &f->err));
}

static void test_who_is_meant(void **context)
{
    static const struct {
        const char *principal;
        bool ann, session, nobody;
    } cases[] = {
        {"'*'", true, true, true},
        {"{'AWS':'*'}", true, true, true},
        {"{'AWS':'ANN'}", true, true, false},
        {"{'AWS':['BOB','ANN']}", true, true, false},
        {"{'AWS':'arn:aws:iam::ANN:root'}", true, true, false},
        {"{'AWS':'arn:aws:iam::ANN:user/ann'}", true, true, false},
        {"{'AWS':'arn:aws:iam::ANN:user/division/ann'}", true, true, false},
        {"{'AWS':'arn:aws:iam::ANN:user/bob'}", false, false, false},
        {"{'AWS':'arn:aws:iam::BOB:user/ann'}", false, false, false},
        {"{'AWS':'arn:aws:iam::BOB:root'}", false, false, false},
        {"{'AWS':'ann'}", false, false, false},
        {"{'CanonicalUser':'ANN'}", true, true, false},
        {"{'CanonicalUser':'BOB','AWS':'ANN'}", true, true, false},
        {"{'CanonicalUser':'BOB'}", false, false, false},
        {"{'AWS':'arn:aws:iam::ANN:role/job'}", false, true, false},
        {"{'AWS':'arn:aws:iam::ANN:role/other'}", false, false, false},
        {"{'AWS':'arn:aws:sts::ANN:assumed-role/job/one'}", false, true, false},
        {"{'AWS':'arn:aws:sts::ANN:assumed-role/job/two'}", false, false, false},
    };
    fixture *f = *context;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        policy_question asks[] = {ann(), ann(), anonymous()};
        const bool expected[] = {cases[i].ann, cases[i].session, cases[i].nobody};
        const policy *allow =
            parse(f, arena_printf(f->arena,
                                  "{'Statement':[{'Effect':'Allow','Principal':%s,"
                                  "'Action':'s3:GetObject','Resource':'arn:aws:s3:::lake/*'}]}",
                                  cases[i].principal));
        const policy *deny_others =
            parse(f, arena_printf(f->arena,
                                  "{'Statement':[{'Effect':'Deny','NotPrincipal':%s,"
                                  "'Action':'s3:GetObject','Resource':'arn:aws:s3:::lake/*'}]}",
                                  cases[i].principal));

        asks[1].principal_arn = STR("arn:aws:sts::ANN:assumed-role/job/one");
        for (size_t j = 0; j < COUNT_OF(asks); j++) {
            if (policy_ask(allow, &asks[j]) != (expected[j] ? POLICY_ALLOW : POLICY_SILENT) ||
                policy_ask(deny_others, &asks[j]) != (expected[j] ? POLICY_SILENT : POLICY_DENY)) {
                fail_msg("%s, asker %zu", cases[i].principal, j);
            }
        }
    }
}

static void test_actions_and_resources_are_patterns(void **context)
{
    static const struct {
        const char *members, *action, *resource;
        bool fits;
    } cases[] = {
        {"'Action':'*','Resource':'arn:aws:s3:::lake/*'", "s3:GetObject", "lake/a", true},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/*'", "s3:ListBucket", "lake", false},
        {"'Action':'*','Resource':'arn:aws:s3:::lake*'", "s3:ListBucket", "lake", true},
        {"'Action':'*','Resource':'arn:aws:s3:::*'", "s3:ListBucket", "lake", true},
        {"'Action':'*','Resource':'arn:aws:s3:::*/*'", "s3:GetObject", "lake/a", true},
        {"'Action':'s3:getobject','Resource':'arn:aws:s3:::lake/*'", "s3:GetObject", "lake/a",
         true},
        {"'Action':'s3:Get*','Resource':'arn:aws:s3:::lake/*'", "s3:GetObjectAcl", "lake/a", true},
        {"'Action':'s3:Get*','Resource':'arn:aws:s3:::lake/*'", "s3:PutObject", "lake/a", false},
        {"'Action':'s3:?etObject','Resource':'arn:aws:s3:::lake/*'", "s3:GetObject", "lake/a",
         true},
        {"'Action':'s3:GetObject','Resource':'arn:aws:s3:::lake/*'", "s3:GetObjectVersion",
         "lake/a", false},
        {"'NotAction':'s3:GetObject','Resource':'arn:aws:s3:::lake/*'", "s3:GetObject", "lake/a",
         false},
        {"'NotAction':'s3:GetObject','Resource':'arn:aws:s3:::lake/*'", "s3:PutObject", "lake/a",
         true},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/A'", "s3:GetObject", "lake/a", false},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/a?c'", "s3:GetObject", "lake/abc", true},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/a?c'", "s3:GetObject", "lake/ac", false},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/*/x'", "s3:GetObject", "lake/a/b/x", true},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/*/x'", "s3:GetObject", "lake/x", false},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/*ab*ab'", "s3:GetObject", "lake/abababxab",
         true},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/a/../b'", "s3:GetObject", "lake/b", false},
        {"'Action':'*','NotResource':'arn:aws:s3:::lake/p/*'", "s3:GetObject", "lake/p/a", false},
        {"'Action':'*','NotResource':'arn:aws:s3:::lake/p/*'", "s3:GetObject", "lake/q/a", true},
        {"'Action':'*','Resource':'arn:aws:s3:::lake/${aws:username}'", "s3:GetObject", "lake/ann",
         false}, /* version 2008 has no variables */
    };
    fixture *f = *context;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const policy *p =
            parse(f, arena_printf(f->arena, "{'Statement':{'Effect':'Allow','Principal':'*',%s}}",
                                  cases[i].members));
        policy_question q = ann();

        q.action = str_c(cases[i].action);
        q.resource = str_printf(f->arena, "arn:aws:s3:::%s", cases[i].resource);
        if (policy_ask(p, &q) != (cases[i].fits ? POLICY_ALLOW : POLICY_SILENT)) {
            fail_msg("%s: %s on %s", cases[i].members, cases[i].action, cases[i].resource);
        }
    }
}

static void test_a_denial_wins_wherever_it_stands(void **context)
{
    fixture *f = *context;
    const policy *p = parse(
        f,
        "{'Statement':["
        "{'Effect':'Deny','Principal':'*','Action':'s3:GetObject','Resource':'arn:aws:s3:::lake/a/*'},"
        "{'Effect':'Allow','Principal':'*','Action':'s3:*','Resource':'arn:aws:s3:::lake/*'}]}");
    policy_question q = ann();

    assert_int_equal(policy_ask(p, &q), POLICY_DENY);
    q.action = STR("s3:PutObject");
    assert_int_equal(policy_ask(p, &q), POLICY_ALLOW);
    q.resource = STR("arn:aws:s3:::lake");
    assert_int_equal(policy_ask(p, &q), POLICY_SILENT);
}

typedef struct condition_case {
    const char *condition;
    const char *pair; /* NULL: the request has no such key */
    bool holds;
} condition_case;

static const condition_case condition_cases[] = {
    {"{'StringEquals':{'aws:Referer':'a'}}", "aws:referer=a", true},
    {"{'StringEquals':{'aws:Referer':'a'}}", "aws:referer=A", false},
    {"{'StringEquals':{'aws:Referer':['b','a']}}", "aws:referer=a", true},
    {"{'StringEquals':{'aws:Referer':'a*'}}", "aws:referer=ab", false},
    {"{'StringEquals':{'aws:Referer':'a'}}", NULL, false},
    {"{'StringEqualsIfExists':{'aws:Referer':'a'}}", NULL, true},
    {"{'StringEqualsIfExists':{'aws:Referer':'a'}}", "aws:referer=b", false},
    {"{'StringNotEquals':{'aws:Referer':'a'}}", "aws:referer=b", true},
    {"{'StringNotEquals':{'aws:Referer':['a','b']}}", "aws:referer=b", false},
    {"{'StringNotEquals':{'aws:Referer':'a'}}", NULL, true},
    {"{'StringEqualsIgnoreCase':{'aws:Referer':'Ab'}}", "aws:referer=aB", true},
    {"{'StringNotEqualsIgnoreCase':{'aws:Referer':'Ab'}}", "aws:referer=aB", false},
    {"{'StringLike':{'aws:Referer':'http://x/*'}}", "aws:referer=http://x/y", true},
    {"{'StringLike':{'aws:Referer':'http://x/*'}}", "aws:referer=http://xy", false},
    {"{'StringNotLike':{'aws:Referer':'http://x/*'}}", "aws:referer=http://xy", true},
    {"{'StringEquals':{'aws:Referer':'a'},'StringLike':{'aws:UserAgent':'*'}}", "aws:referer=a",
     false},
    {"{'NumericEquals':{'s3:max-keys':'10'}}", "s3:max-keys=10", true},
    {"{'NumericEquals':{'s3:max-keys':10}}", "s3:max-keys=010.0", true},
    {"{'NumericNotEquals':{'s3:max-keys':'10'}}", "s3:max-keys=11", true},
    {"{'NumericLessThan':{'s3:max-keys':'10'}}", "s3:max-keys=10", false},
    {"{'NumericLessThanEquals':{'s3:max-keys':'10'}}", "s3:max-keys=10", true},
    {"{'NumericGreaterThan':{'s3:max-keys':'10'}}", "s3:max-keys=11", true},
    {"{'NumericGreaterThanEquals':{'s3:max-keys':'10'}}", "s3:max-keys=9", false},
    {"{'NumericLessThan':{'s3:max-keys':'10'}}", "s3:max-keys=few", false},
    {"{'NumericNotEquals':{'s3:max-keys':'10'}}", "s3:max-keys=few", false}, /* cannot be told */
    {"{'DateLessThan':{'aws:CurrentTime':'2030-01-01T00:00:00Z'}}",
     "aws:currenttime=2029-12-31T23:59:59Z", true},
    {"{'DateGreaterThan':{'aws:CurrentTime':'2030-01-01T00:00:00Z'}}",
     "aws:currenttime=2029-12-31T23:59:59Z", false},
    {"{'DateEquals':{'aws:EpochTime':'1893456000'}}", "aws:epochtime=2030-01-01T00:00:00Z", true},
    {"{'DateNotEquals':{'aws:EpochTime':1893456000}}", "aws:epochtime=1893456001", true},
    {"{'DateLessThanEquals':{'aws:CurrentTime':'2030-01-01'}}", "aws:currenttime=2030-01-01", true},
    {"{'DateGreaterThanEquals':{'aws:CurrentTime':'2030-01-01'}}", "aws:currenttime=2029-01-01",
     false},
    {"{'Bool':{'aws:SecureTransport':'false'}}", "aws:securetransport=false", true},
    {"{'Bool':{'aws:SecureTransport':true}}", "aws:securetransport=false", false},
    {"{'Bool':{'aws:SecureTransport':'true'}}", NULL, false},
    {"{'BoolIfExists':{'aws:SecureTransport':'true'}}", NULL, true},
    {"{'BinaryEquals':{'s3:x-amz-acl':'QUI='}}", "s3:x-amz-acl=QUI=", true},
    {"{'BinaryEquals':{'s3:x-amz-acl':'QUI='}}", "s3:x-amz-acl=QUM=", false},
    {"{'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}}", "aws:sourceip=10.1.255.3", true},
    {"{'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}}", "aws:sourceip=10.2.0.1", false},
    {"{'IpAddress':{'aws:SourceIp':'10.1.0.128/25'}}", "aws:sourceip=10.1.0.129", true},
    {"{'IpAddress':{'aws:SourceIp':'10.1.0.128/25'}}", "aws:sourceip=10.1.0.127", false},
    {"{'IpAddress':{'aws:SourceIp':'10.1.0.1'}}", "aws:sourceip=10.1.0.1", true},
    {"{'IpAddress':{'aws:SourceIp':'10.1.0.1'}}", "aws:sourceip=::ffff:10.1.0.1", true},
    {"{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}", "aws:sourceip=2001:db8::1", false},
    {"{'IpAddress':{'aws:SourceIp':'2001:db8::/32'}}", "aws:sourceip=2001:db8::1", true},
    {"{'NotIpAddress':{'aws:SourceIp':['10.0.0.0/8','192.168.0.0/16']}}", "aws:sourceip=1.2.3.4",
     true},
    {"{'NotIpAddress':{'aws:SourceIp':['10.0.0.0/8','192.168.0.0/16']}}",
     "aws:sourceip=192.168.0.1", false},
    {"{'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}}", "aws:sourceip=unix", false},
    {"{'ArnEquals':{'aws:PrincipalArn':'arn:aws:iam::ANN:*'}}",
     "aws:principalarn=arn:aws:iam::ANN:root", true},
    {"{'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:root'}}",
     "aws:principalarn=arn:aws:iam::ANN:root", true},
    {"{'ArnLike':{'aws:PrincipalArn':'arn:aws:*:root'}}", "aws:principalarn=arn:aws:iam::ANN:root",
     false}, /* a star does not cross a colon */
    {"{'ArnNotEquals':{'aws:PrincipalArn':'arn:aws:iam::BOB:root'}}",
     "aws:principalarn=arn:aws:iam::ANN:root", true},
    {"{'ArnNotLike':{'aws:PrincipalArn':'arn:aws:iam::*:root'}}",
     "aws:principalarn=arn:aws:iam::ANN:root", false},
    {"{'Null':{'s3:x-amz-server-side-encryption':'true'}}", NULL, true},
    {"{'Null':{'s3:x-amz-server-side-encryption':'true'}}",
     "s3:x-amz-server-side-encryption=AES256", false},
    {"{'Null':{'s3:x-amz-server-side-encryption':false}}", "s3:x-amz-server-side-encryption=AES256",
     true},
    {"{'StringEquals':{'s3:ExistingObjectTag/Env':'a'}}", "s3:existingobjecttag/env=a", true},
    {"{'StringEquals':{'aws:Referer':'${aws:UserAgent}'}}", "aws:referer=x", false},
    {"{'StringNotEquals':{'aws:Referer':'${aws:UserAgent}'}}", "aws:referer=x", false},
    {"{'StringEquals':{'aws:Referer':'${aws:UserAgent, \\u0027x\\u0027}'}}", "aws:referer=x", true},
    {"{'StringLike':{'aws:Referer':'a${*}'}}", "aws:referer=a*", true},
    {"{'StringLike':{'aws:Referer':'a${*}'}}", "aws:referer=ab", false},
};

static void test_conditions_hold_as_iam_says(void **context)
{
    fixture *f = *context;

    for (size_t i = 0; i < COUNT_OF(condition_cases); i++) {
        const condition_case *c = &condition_cases[i];
        const policy *p = with_condition(f, "Allow", c->condition);
        policy_effect said = ask_with(p, &c->pair, c->pair != NULL ? 1 : 0);

        if (said != (c->holds ? POLICY_ALLOW : POLICY_SILENT)) {
            fail_msg("%s with %s", c->condition, c->pair != NULL ? c->pair : "nothing");
        }
    }
}

static void test_what_cannot_be_told_keeps_a_denial(void **context)
{
    fixture *f = *context;

    assert_int_equal(ask_with(with_condition(f, "Deny", "{'NumericLessThan':{'s3:max-keys':'10'}}"),
                              PAIRS("s3:max-keys=few")),
                     POLICY_DENY);
    assert_int_equal(
        ask_with(with_condition(f, "Deny", "{'StringEquals':{'aws:Referer':'${aws:UserAgent}'}}"),
                 PAIRS("aws:referer=x")),
        POLICY_DENY);
    assert_int_equal(
        ask_with(with_condition(f, "Deny", "{'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}}"),
                 PAIRS("aws:sourceip=unix")),
        POLICY_DENY);
}

static void test_sets_of_values(void **context)
{
    fixture *f = *context;
    const policy *all = with_condition(
        f, "Allow", "{'ForAllValues:StringLike':{'s3:RequestObjectTagKeys':['a','b*']}}");
    const policy *any = with_condition(
        f, "Allow", "{'ForAnyValue:StringLike':{'s3:RequestObjectTagKeys':['a','b*']}}");
    const policy *none =
        with_condition(f, "Allow", "{'StringNotEquals':{'s3:RequestObjectTagKeys':'a'}}");

    assert_int_equal(ask_with(all, NULL, 0), POLICY_ALLOW);
    assert_int_equal(ask_with(any, NULL, 0), POLICY_SILENT);
    assert_int_equal(
        ask_with(all, PAIRS("s3:requestobjecttagkeys=a", "s3:requestobjecttagkeys=bc")),
        POLICY_ALLOW);
    assert_int_equal(ask_with(all, PAIRS("s3:requestobjecttagkeys=a", "s3:requestobjecttagkeys=c")),
                     POLICY_SILENT);
    assert_int_equal(ask_with(any, PAIRS("s3:requestobjecttagkeys=c", "s3:requestobjecttagkeys=a")),
                     POLICY_ALLOW);
    assert_int_equal(ask_with(any, PAIRS("s3:requestobjecttagkeys=c")), POLICY_SILENT);
    assert_int_equal(
        ask_with(none, PAIRS("s3:requestobjecttagkeys=b", "s3:requestobjecttagkeys=a")),
        POLICY_SILENT);
}

static void test_a_variables_value_is_no_pattern(void **context)
{
    fixture *f = *context;
    const policy *p =
        parse(f, "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Principal':'*',"
                 "'Action':'s3:GetObject','Resource':'arn:aws:s3:::lake/${aws:username}/*'}}");
    const policy *others =
        parse(f, "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Principal':'*',"
                 "'Action':'s3:GetObject','NotResource':'arn:aws:s3:::lake/${aws:username}/*'}}");

    assert_int_equal(ask_with(p, PAIRS("aws:username=a")), POLICY_ALLOW);
    assert_int_equal(ask_with(p, PAIRS("aws:username=b")), POLICY_SILENT);
    assert_int_equal(ask_with(p, PAIRS("aws:username=*")), POLICY_SILENT);
    assert_int_equal(ask_with(p, PAIRS("aws:username=?")), POLICY_SILENT);
    assert_int_equal(ask_with(p, NULL, 0), POLICY_SILENT);
    assert_int_equal(ask_with(others, PAIRS("aws:username=b")), POLICY_ALLOW);
    assert_int_equal(ask_with(others, NULL, 0), POLICY_SILENT); /* who is excluded is not known */
}

static void test_a_sessions_policy_has_no_principals(void **context)
{
    fixture *f = *context;
    policy_question q = ann();
    const policy *p;

    EXPECT_OK(policy_parse(
        QUOTED(f, "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':['s3:GetObject',"
                  "'kms:Decrypt'],'Resource':'*'}]}"),
        POLICY_OF_SESSION, STR(""), f->arena, &p, &f->err));
    assert_int_equal(policy_ask(p, &q), POLICY_ALLOW);
    q.action = STR("s3:PutObject");
    assert_int_equal(policy_ask(p, &q), POLICY_SILENT);
    EXPECT_STATUS(INVALID, policy_parse(QUOTED(f, "{'Statement':{'Effect':'Allow','Principal':'*',"
                                                  "'Action':'s3:GetObject','Resource':'*'}}"),
                                        POLICY_OF_SESSION, STR(""), f->arena, &p, &f->err));
    EXPECT_STATUS(INVALID, policy_parse(QUOTED(f, "{'Statement':{'Effect':'Allow',"
                                                  "'Action':'s3:Unheard','Resource':'*'}}"),
                                        POLICY_OF_SESSION, STR(""), f->arena, &p, &f->err));
}

static void test_the_meaning_of_public(void **context)
{
    static const struct {
        const char *members;
        bool is_public;
    } cases[] = {
        {"'Effect':'Allow','Principal':'*'", true},
        {"'Effect':'Allow','Principal':{'AWS':['ANN','*']}", true},
        {"'Effect':'Deny','Principal':'*'", false},
        {"'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::s3tenant1:root'}", false},
        {"'Effect':'Allow','Principal':'*','Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/32'}}",
         false},
        {"'Effect':'Allow','Principal':'*','Condition':{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}",
         true},
        {"'Effect':'Allow','Principal':'*','Condition':{'IpAddress':{'aws:SourceIp':['10.0.0.0/8',"
         "'0.0.0.0/1']}}",
         true},
        {"'Effect':'Allow','Principal':'*','Condition':{'IpAddressIfExists':{'aws:SourceIp':"
         "'10.0.0.0/8'}}",
         true},
        {"'Effect':'Allow','Principal':'*','Condition':{'NotIpAddress':{'aws:SourceIp':"
         "'10.0.0.0/8'}}",
         true},
        {"'Effect':'Allow','Principal':'*','Condition':{'StringEquals':{'aws:PrincipalAccount':'A'}}",
         false},
        {"'Effect':'Allow','Principal':'*','Condition':{'StringLike':{'aws:PrincipalAccount':'*'}}",
         true},
        {"'Effect':'Allow','Principal':'*','Condition':{'StringLike':{'aws:username':'${aws:userid}'}}",
         true},
        {"'Effect':'Allow','Principal':'*','Condition':{'StringLike':{'aws:Referer':'http://x/'}}",
         true},
    };
    fixture *f = *context;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const policy *p =
            parse(f, arena_printf(f->arena,
                                  "{'Version':'2012-10-17','Statement':{%s,'Action':'s3:GetObject',"
                                  "'Resource':'arn:aws:s3:::lake/*'}}",
                                  cases[i].members));
        if (policy_is_public(p) != cases[i].is_public) {
            fail_msg("%s", cases[i].members);
        }
    }
}

TESTS(test_what_is_not_understood_is_malformed,
      test_conditions_that_are_not_understood_are_malformed, test_a_document_has_a_size,
      test_who_is_meant, test_actions_and_resources_are_patterns,
      test_a_denial_wins_wherever_it_stands, test_conditions_hold_as_iam_says,
      test_what_cannot_be_told_keeps_a_denial, test_sets_of_values,
      test_a_variables_value_is_no_pattern, test_a_sessions_policy_has_no_principals,
      test_the_meaning_of_public)

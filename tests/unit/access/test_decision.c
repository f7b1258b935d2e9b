/* Claims about the decision over S3: owners, policies, ACLs, blocks, in their order. */
#include "support/test.h"
#include "tarn/access/s3.h"

static s3_identity person(const char *id, role of)
{
    return (s3_identity){
        .who = {.name = str_c(id), .role = of},
        .canonical_id = str_c(id),
        .arn = str_c(id),
    };
}

static s3_identity anonymous(void)
{
    return (s3_identity){.canonical_id = STR("")};
}

static const policy *parse(fixture *f, const char *text)
{
    const policy *p = NULL;

    EXPECT_OK(policy_parse(QUOTED(f, text), POLICY_OF_BUCKET, STR("b"), f->arena, &p, &f->err));
    return p;
}

static s3_acl canned(fixture *f, const char *name, const char *owner)
{
    s3_acl acl = {0};

    EXPECT_OK(s3_acl_from_canned(str_c(name), str_c(owner), STR("OWN"), f->arena, &acl, &f->err));
    return acl;
}

typedef struct asking {
    s3_identity who;
    s3_bucket_facts facts;
    const char *object_owner;
    s3_acl object_acl;
    bool has_object;
} asking;

static bool may(const asking *k, const char *what, const char *key)
{
    const s3_question q = {
        .who = &k->who,
        .action = what,
        .bucket = STR("b"),
        .key = str_c(key),
        .facts = &k->facts,
        .object_owner = k->has_object ? str_c(k->object_owner) : STR(""),
        .object_acl = k->has_object ? &k->object_acl : NULL,
    };
    error err = ERROR_INIT;
    status got = access_check_s3(NULL, &q, &err);

    assert_true(got == STATUS_OK ||
                (got == STATUS_DENIED && strcmp(error_s3_code(&err), "AccessDenied") == 0));
    return got == STATUS_OK;
}

static asking ask(fixture *f, s3_identity who)
{
    return (asking){.who = who, .facts = {.owner = STR("OWN"), .acl = canned(f, "private", "OWN")}};
}

/* Every action of the table, and one that is not in it. */
static void test_a_bucket_is_its_owners_and_the_administrators(void **context)
{
    fixture *f = *context;
    size_t count;
    const s3_action_info *infos = access_s3_actions(&count);
    asking owner = ask(f, person("OWN", ROLE_USER));
    asking other = ask(f, person("BOB", ROLE_USER));
    asking reader = ask(f, person("RED", ROLE_READER));
    asking root = ask(f, person("ROOT", ROLE_ROOT));
    asking nobody = ask(f, anonymous());

    assert_true(count > 60);
    for (size_t i = 0; i < count; i++) {
        const char *name = infos[i].name;
        const char *key = infos[i].scope >= S3_OF_CONTENTS ? "k" : "";
        bool service = infos[i].scope == S3_OF_SERVICE;
        bool lists = strcmp(name, "s3:ListAllMyBuckets") == 0;

        assert_true(may(&owner, name, key));
        assert_true(may(&root, name, key));
        assert_int_equal(may(&other, name, key), service);
        assert_int_equal(may(&reader, name, key), lists);
        assert_false(may(&nobody, name, key));
    }
    assert_false(may(&owner, "s3:MadeUp", "k"));
    assert_false(may(&root, "s3:MadeUp", "k"));
    assert_false(may(&root, "s3:getobject", "k"));
}

static void test_without_facts_there_is_no_bucket_to_act_on(void **context)
{
    s3_identity root = person("ROOT", ROLE_ROOT);
    s3_question q = {.who = &root, .action = "s3:GetObject", .bucket = STR("b"), .key = STR("k")};
    error err = ERROR_INIT;

    (void)context;
    assert_int_equal(access_check_s3(NULL, &q, &err), STATUS_DENIED);
    q.action = "s3:CreateBucket";
    assert_int_equal(access_check_s3(NULL, &q, &err), STATUS_OK);
}

static void test_a_foreign_object_is_its_owners(void **context)
{
    fixture *f = *context;
    asking owner = ask(f, person("OWN", ROLE_USER));
    asking bob = ask(f, person("BOB", ROLE_USER));

    owner.has_object = bob.has_object = true;
    owner.object_owner = bob.object_owner = "BOB";
    owner.object_acl = bob.object_acl = canned(f, "private", "BOB");
    assert_true(may(&bob, "s3:GetObject", "k"));
    assert_true(may(&bob, "s3:PutObjectAcl", "k"));
    assert_false(may(&bob, "s3:DeleteObject", "k"));
    assert_false(may(&bob, "s3:PutObject", "k"));
    assert_false(may(&owner, "s3:GetObject", "k"));
    assert_true(may(&owner, "s3:DeleteObject", "k"));
    assert_true(may(&owner, "s3:DeleteObjectVersion", "k"));
    assert_true(may(&owner, "s3:AbortMultipartUpload", "k"));
    assert_true(may(&bob, "s3:AbortMultipartUpload", "k")); /* his own upload */
    owner.object_acl = canned(f, "bucket-owner-read", "BOB");
    assert_true(may(&owner, "s3:GetObject", "k"));
    assert_false(may(&owner, "s3:PutObjectAcl", "k"));
    owner.object_acl = bob.object_acl = canned(f, "private", "BOB");
    owner.facts.acls_off = bob.facts.acls_off = true; /* then all is the bucket's owner's */
    assert_true(may(&owner, "s3:GetObject", "k"));
    assert_false(may(&bob, "s3:GetObject", "k"));
}

static void test_a_policy_passes_on_what_the_owner_has(void **context)
{
    fixture *f = *context;
    asking eve = ask(f, person("EVE", ROLE_USER));

    eve.facts.policy = parse(f, "{'Statement':{'Effect':'Allow','Principal':'*',"
                                "'Action':'s3:*','Resource':'arn:aws:s3:::b/*'}}");
    assert_true(may(&eve, "s3:GetObject", "k"));
    assert_false(may(&eve, "s3:ListBucket", ""));
    eve.has_object = true;
    eve.object_owner = "BOB";
    eve.object_acl = canned(f, "private", "BOB");
    assert_false(may(&eve, "s3:GetObject", "k"));
    assert_true(may(&eve, "s3:DeleteObject", "k"));
    eve.object_acl = canned(f, "bucket-owner-full-control", "BOB");
    assert_true(may(&eve, "s3:GetObject", "k"));
}

static void test_a_denial_stands_above_owner_and_administrator(void **context)
{
    fixture *f = *context;
    asking people[] = {ask(f, person("OWN", ROLE_USER)), ask(f, person("ROOT", ROLE_ROOT))};

    for (size_t i = 0; i < COUNT_OF(people); i++) {
        people[i].facts.policy =
            parse(f, "{'Statement':{'Effect':'Deny','Principal':'*','Action':'s3:*',"
                     "'Resource':['arn:aws:s3:::b','arn:aws:s3:::b/*']}}");
        assert_false(may(&people[i], "s3:GetObject", "k"));
        assert_false(may(&people[i], "s3:GetBucketPublicAccessBlock", ""));
        assert_true(may(&people[i], "s3:GetBucketPolicy", ""));
        assert_true(may(&people[i], "s3:PutBucketPolicy", ""));
        assert_true(may(&people[i], "s3:DeleteBucketPolicy", ""));
        people[i].facts.policy_binds_owner = true;
    }
    assert_false(may(&people[0], "s3:PutBucketPolicy", ""));
    assert_true(may(&people[1], "s3:PutBucketPolicy", "")); /* somebody can always mend it */
}

static void test_acls_grant_what_their_permission_means(void **context)
{
    static const struct {
        const char *acl;
        const char *what;
        bool user, nobody;
    } cases[] = {
        {"private", "s3:ListBucket", false, false},
        {"public-read", "s3:ListBucket", true, true},
        {"public-read", "s3:PutObject", false, false},
        {"public-read", "s3:GetBucketAcl", false, false},
        {"public-read", "s3:GetObject", false, false}, /* a bucket's ACL is not its objects' */
        {"public-read-write", "s3:PutObject", true, true},
        {"public-read-write", "s3:DeleteObject", true, true},
        {"public-read-write", "s3:DeleteObjectVersion", false, false},
        {"public-read-write", "s3:DeleteBucket", false, false},
        {"authenticated-read", "s3:ListBucket", true, false},
        {"log-delivery-write", "s3:PutObject", false, false},
    };
    fixture *f = *context;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        asking user = ask(f, person("BOB", ROLE_USER));
        asking nobody = ask(f, anonymous());

        user.facts.acl = nobody.facts.acl = canned(f, cases[i].acl, "OWN");
        assert_int_equal(may(&user, cases[i].what, ""), cases[i].user);
        assert_int_equal(may(&nobody, cases[i].what, ""), cases[i].nobody);
        user.facts.acls_off = true;
        assert_false(may(&user, cases[i].what, ""));
        user.facts.acls_off = false;
        user.facts.block.ignore_public_acls = true;
        assert_false(may(&user, cases[i].what, ""));
    }
}

static void test_an_objects_acl_is_asked(void **context)
{
    fixture *f = *context;
    asking nobody = ask(f, anonymous());

    nobody.has_object = true;
    nobody.object_owner = "OWN";
    nobody.object_acl = canned(f, "public-read", "OWN");
    assert_true(may(&nobody, "s3:GetObject", "k"));
    assert_true(may(&nobody, "s3:GetObjectVersion", "k"));
    assert_false(may(&nobody, "s3:GetObjectAcl", "k"));
    assert_false(may(&nobody, "s3:PutObject", "k"));
    nobody.facts.block.ignore_public_acls = true;
    assert_false(may(&nobody, "s3:GetObject", "k"));
}

static void test_a_restricted_public_policy_gives_others_nothing(void **context)
{
    fixture *f = *context;
    asking bob = ask(f, person("BOB", ROLE_USER));

    bob.facts.policy = parse(f, "{'Statement':{'Effect':'Allow','Principal':'*',"
                                "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'}}");
    assert_true(may(&bob, "s3:GetObject", "k"));
    bob.facts.block.restrict_public_buckets = true;
    assert_false(may(&bob, "s3:GetObject", "k"));
    bob.facts.policy = parse(f, "{'Statement':{'Effect':'Allow','Principal':{'AWS':'BOB'},"
                                "'Action':'s3:GetObject','Resource':'arn:aws:s3:::b/*'}}");
    assert_true(may(&bob, "s3:GetObject", "k")); /* not public */
}

/* No header of a request says who the caller is. */
static bool lying_values(void *context, str key, const str **ret_values, size_t *ret_count)
{
    static const str lie = STR_INIT("OWN");

    (void)context;
    (void)key;
    *ret_values = &lie;
    *ret_count = 1;
    return true;
}

static void test_who_the_caller_is_comes_from_the_caller_alone(void **context)
{
    fixture *f = *context;
    s3_identity bob = person("BOB", ROLE_USER);
    s3_bucket_facts facts = {
        .owner = STR("OWN"),
        .policy = parse(f, "{'Statement':{'Effect':'Allow','Principal':'*','Action':'s3:GetObject',"
                           "'Resource':'arn:aws:s3:::b/*','Condition':{'StringEquals':"
                           "{'aws:username':'OWN'}}}}"),
    };
    const s3_question q = {.who = &bob,
                           .action = "s3:GetObject",
                           .bucket = STR("b"),
                           .key = STR("k"),
                           .facts = &facts,
                           .values = lying_values};

    EXPECT_STATUS(DENIED, access_check_s3(NULL, &q, &f->err));
    bob.who.name = STR("OWN");
    EXPECT_OK(access_check_s3(NULL, &q, &f->err));
}

static void test_acls_come_back_from_their_text(void **context)
{
    static const char *const bad[] = {"x",      ":1",           "BOB:",   "BOB:0",
                                      "BOB:16", "BOB:1  EVE:1", "@all:1", "BOB:1 "};
    fixture *f = *context;
    s3_acl acl = canned(f, "public-read-write", "BOB");
    str text = s3_acl_format(&acl, f->arena);
    s3_acl back;

    EXPECT_STR(text, "BOB:15 @everyone:3");
    EXPECT_OK(s3_acl_parse(text, STR("BOB"), f->arena, &back, &f->err));
    assert_true(str_equal(s3_acl_format(&back, f->arena), text));
    assert_true(s3_acl_is_public(&back));
    EXPECT_OK(s3_acl_parse(STR(""), STR("BOB"), f->arena, &back, &f->err));
    assert_int_equal(back.count, 1);
    assert_false(s3_acl_is_public(&back));
    acl.count = 0;
    EXPECT_OK(s3_acl_parse(s3_acl_format(&acl, f->arena), STR("BOB"), f->arena, &back, &f->err));
    assert_int_equal(back.count, 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        EXPECT_STATUS(CORRUPT, s3_acl_parse(str_c(bad[i]), STR("BOB"), f->arena, &back, &f->err));
    }
    EXPECT_STATUS(INVALID, s3_acl_from_canned(STR("public"), STR("BOB"), STR("OWN"), f->arena,
                                              &back, &f->err));
}

TESTS(test_a_bucket_is_its_owners_and_the_administrators,
      test_without_facts_there_is_no_bucket_to_act_on, test_a_foreign_object_is_its_owners,
      test_a_policy_passes_on_what_the_owner_has,
      test_a_denial_stands_above_owner_and_administrator,
      test_acls_grant_what_their_permission_means, test_an_objects_acl_is_asked,
      test_a_restricted_public_policy_gives_others_nothing,
      test_who_the_caller_is_comes_from_the_caller_alone, test_acls_come_back_from_their_text)

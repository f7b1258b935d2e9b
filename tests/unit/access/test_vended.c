/* Claims about what the catalog hands out: vended sessions, and tokens that stand for keys. */
#include "support/clock.h"
#include "support/test.h"
#include "tarn/access/s3.h"
#include "tarn/codec/checksum.h"

typedef struct world {
    state *state;
    access_control *access;
    str key;       /* rita's bearer key */
    principal who; /* rita, a reader, by that key; she has no S3 key */
} world;

static void open_world(fixture *f, world *w, access_mode mode)
{
    state_options options = {.path = test_path(f, "tarn.db")};

    stop_clock();
    EXPECT_OK(state_open(&options, access_migrations, access_migration_count, &w->state, &f->err));
    EXPECT_OK(access_open(w->state, test_path(f, "secrets"), mode, &w->access, &f->err));
}

static void close_world(world *w)
{
    access_close(w->access);
    state_close(w->state);
    clock_install(NULL);
}

static status enter(fixture *f, world *w, str key, principal *ret_who)
{
    return access_authenticate(w->access, str_concat(f->arena, STR("Bearer "), key), f->arena,
                               ret_who, &f->err);
}

static world world_with_rita(fixture *f)
{
    world w = {0};

    open_world(f, &w, ACCESS_KEYS);
    EXPECT_OK(
        access_create_principal(w.access, STR("rita"), ROLE_READER, f->arena, &w.key, &f->err));
    EXPECT_OK(enter(f, &w, w.key, &w.who));
    return w;
}

static s3_session vend(fixture *f, world *w, bool write)
{
    const s3_scope scopes[] = {
        {.bucket = STR("lake"), .prefix = STR("main/t1/"), .write = write, .lists_bare = true},
        {.bucket = STR("side"), .prefix = STR("data/"), .write = write},
    };
    const s3_vending vending = {
        .who = &w->who, .scopes = scopes, .scope_count = 2, .duration_s = 3600};
    s3_session made;

    EXPECT_OK(access_vend_s3(w->access, &vending, f->arena, &made, &f->err));
    return made;
}

static s3_identity identity_of(fixture *f, world *w, s3_session made)
{
    s3_identity who;

    EXPECT_OK(access_find_s3_key(w->access, made.access_key, made.token, f->arena, &who, &f->err));
    return who;
}

static s3_session vend_for(fixture *f, world *w, const char *subject)
{
    const s3_scope scope = {.bucket = STR("lake"), .prefix = STR("main/t1/")};
    const s3_vending vending = {.who = &w->who,
                                .scopes = &scope,
                                .scope_count = 1,
                                .duration_s = 43200,
                                .subject = str_c(subject),
                                .ended_us = access_vended_end(w->access, str_c(subject))};
    s3_session made;

    EXPECT_OK(access_vend_s3(w->access, &vending, f->arena, &made, &f->err));
    return made;
}

typedef struct going {
    access_control *access;
    const char *subject;
    bool fails;
} going;

static status go(void *context, state_txn *txn, error *err)
{
    const going *g = context;

    TRY(access_end_vended(g->access, txn, str_c(g->subject), err));
    return g->fails ? error_set(err, STATUS_CONFLICT, "on purpose") : STATUS_OK;
}

static status come_back(void *context, state_txn *txn, error *err)
{
    const going *g = context;

    (void)err;
    access_renew_vended(g->access, txn, str_c(g->subject));
    return STATUS_OK;
}

static void expect_refused(fixture *f, world *w, str access_key, str token, const char *code)
{
    s3_identity who;

    EXPECT_STATUS(INVALID,
                  access_find_s3_key(w->access, access_key, token, f->arena, &who, &f->err));
    assert_string_equal(error_s3_code(&f->err), code);
}

static bool give_prefix(void *context, str key, const str **ret_values, size_t *ret_count)
{
    const str *prefix = context;

    *ret_values = prefix;
    *ret_count = 1;
    return str_equal(key, STR("s3:prefix")) && !str_is_null(*prefix);
}

static bool may(world *w, const s3_identity *who, const char *right, const char *bucket,
                const char *key, const char *prefix)
{
    str asked = str_c(prefix);
    s3_bucket_facts facts = {.owner = STR("SOMEBODY")};
    const s3_question q = {.who = who,
                           .action = right,
                           .bucket = str_c(bucket),
                           .key = str_c(key),
                           .facts = &facts,
                           .values = give_prefix,
                           .context = &asked};

    return access_check_s3(w->access, &q, NULL) == STATUS_OK;
}

static void test_scopes_are_all_that_a_vended_session_may(void **context)
{
    static const struct {
        const char *action, *bucket, *key, *prefix;
        bool reader, writer;
    } cases[] = {
        {"s3:GetObject", "lake", "main/t1/data/a.parquet", NULL, true, true},
        {"s3:GetObject", "lake", "main/t10/data/a.parquet", NULL, false, false},
        {"s3:GetObject", "lake", "main/t1", NULL, false, false},
        {"s3:GetObject", "lake", "other/main/t1/a", NULL, false, false},
        {"s3:GetObject", "lake2", "main/t1/a", NULL, false, false},
        {"s3:GetObject", "side", "data/a", NULL, true, true},
        {"s3:GetObject", "side", "main/t1/a", NULL, false, false},
        {"s3:GetObjectAttributes", "lake", "main/t1/a", NULL, true, true},
        {"s3:GetObjectVersion", "lake", "main/t1/a", NULL, false, false},
        {"s3:GetObjectAcl", "lake", "main/t1/a", NULL, false, false},
        {"s3:PutObject", "lake", "main/t1/a", NULL, false, true},
        {"s3:PutObject", "lake", "main/t10/a", NULL, false, false},
        {"s3:DeleteObject", "lake", "main/t1/a", NULL, false, true},
        {"s3:DeleteObject", "lake", "main/t2/a", NULL, false, false},
        {"s3:DeleteObjectVersion", "lake", "main/t1/a", NULL, false, false},
        {"s3:PutObjectAcl", "lake", "main/t1/a", NULL, false, false},
        {"s3:PutObjectRetention", "lake", "main/t1/a", NULL, false, false},
        {"s3:AbortMultipartUpload", "lake", "main/t1/a", NULL, false, true},
        {"s3:ListMultipartUploadParts", "lake", "main/t1/a", NULL, false, true},
        {"s3:ListBucketMultipartUploads", "lake", "", "main/t1/", false, false},
        {"s3:ListBucket", "lake", "", "main/t1/", true, true},
        {"s3:ListBucket", "lake", "", "main/t1/data/", true, true},
        {"s3:ListBucket", "lake", "", "main/t1", true, true}, /* it may be listed bare */
        {"s3:ListBucket", "side", "", "data", false, false},  /* and this may not */
        {"s3:ListBucket", "side", "", "data/", true, true},
        {"s3:ListBucket", "lake", "", "main/t10/", false, false},
        {"s3:ListBucket", "lake", "", "main/", false, false},
        {"s3:ListBucket", "lake", "", "", false, false},
        {"s3:ListBucket", "lake", "", NULL, false, false},
        {"s3:ListBucketVersions", "lake", "", "main/t1/", false, false},
        {"s3:GetBucketLocation", "lake", "", NULL, true, true},
        {"s3:GetBucketLocation", "lake2", "", NULL, false, false},
        {"s3:GetBucketPolicy", "lake", "", NULL, false, false},
        {"s3:DeleteBucket", "lake", "", NULL, false, false},
        {"s3:CreateBucket", "lake", "", NULL, false, false},
        {"s3:ListAllMyBuckets", "", "", NULL, false, false},
    };
    fixture *f = *context;
    world w = world_with_rita(f);
    s3_identity reader = identity_of(f, &w, vend(f, &w, false));
    s3_identity writer = identity_of(f, &w, vend(f, &w, true));

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool as_reader =
            may(&w, &reader, cases[i].action, cases[i].bucket, cases[i].key, cases[i].prefix);
        bool as_writer =
            may(&w, &writer, cases[i].action, cases[i].bucket, cases[i].key, cases[i].prefix);

        if (as_reader != cases[i].reader || as_writer != cases[i].writer) {
            fail_msg("%s on %s/%s, prefix %s: reader %d, writer %d", cases[i].action,
                     cases[i].bucket, cases[i].key,
                     cases[i].prefix != NULL ? cases[i].prefix : "none", as_reader, as_writer);
        }
    }
    close_world(&w);
}

static void test_the_catalogs_own_folder_is_roots_alone(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    const s3_scope scope = {.bucket = STR("lake"), .prefix = STR("")};
    const policy *all = NULL;
    s3_bucket_facts facts = {.owner = STR("OWN")};
    s3_identity root = {.who = {.role = ROLE_ROOT}, .canonical_id = STR("ROOT")};
    s3_identity owner = {.who = {.role = ROLE_USER}, .canonical_id = STR("OWN")};
    s3_identity narrow = root;
    const s3_identity *others[] = {&owner, &narrow, &(s3_identity){.canonical_id = STR("")}};
    s3_question q = {.action = "s3:GetObject",
                     .bucket = STR("lake"),
                     .key = STR("a/.tarn/names/x.json"),
                     .facts = &facts};

    EXPECT_OK(policy_parse(QUOTED(f, "{'Version':'2012-10-17','Statement':[{'Effect':'Allow',"
                                     "'Principal':'*','Action':'s3:*',"
                                     "'Resource':'arn:aws:s3:::lake/*'}]}"),
                           POLICY_OF_BUCKET, STR("lake"), f->arena, &all, &f->err));
    facts.policy = all;
    narrow.scopes = &scope;
    narrow.scope_count = 1;
    access_keep_folder(w.access, STR("lake/a/.tarn/"));
    q.who = &root;
    EXPECT_OK(access_check_s3(w.access, &q, &f->err));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        q.who = others[i];
        q.key = STR("a/.tarn/names/x.json");
        EXPECT_STATUS(DENIED, access_check_s3(w.access, &q, &f->err));
        assert_true(access_hides_key(w.access, others[i], q.bucket, q.key));
        q.key = STR("a/.tarn"); /* no key of the folder, nor another bucket's */
        EXPECT_OK(access_check_s3(w.access, &q, &f->err));
        assert_false(
            access_hides_key(w.access, others[i], STR("lake2"), STR("a/.tarn/names/x.json")));
    }
    close_world(&w);
}

static void test_a_narrow_pair_opens_a_warehouse_and_nothing_else(void **context)
{
    static const struct {
        const char *scope, *action, *bucket, *key, *prefix;
        bool reader, writer;
    } cases[] = {
        {"lake/", "s3:GetObject", "lake", "main/t1/a", NULL, true, true},
        {"lake/", "s3:PutObject", "lake", "main/t1/a", NULL, false, true},
        {"lake/", "s3:DeleteObject", "lake", "main/t1/a", NULL, false, true},
        {"lake/", "s3:GetObject", "lake", ".tarn/names/a.json", NULL, false, false},
        {"lake/", "s3:DeleteObject", "lake", ".tarn/names/a.json", NULL, false, false},
        {"lake/", "s3:ListBucket", "lake", "", "main/", true, true},
        {"lake/", "s3:ListBucket", "lake", "", NULL, true, true},
        {"lake/", "s3:ListBucketVersions", "lake", "", NULL, false, false},
        {"lake/", "s3:PutBucketPolicy", "lake", "", NULL, false, false},
        {"lake/", "s3:GetObject", "lake2", "main/t1/a", NULL, false, false},
        {"lake/", "s3:ListAllMyBuckets", "", "", NULL, false, false},
        {"lake/", "s3:CreateBucket", "new", "", NULL, false, false},
        {"lake/deep/", "s3:GetObject", "lake", "deep/a", NULL, true, true},
        {"lake/deep/", "s3:GetObject", "lake", "deeper/a", NULL, false, false},
        {"lake/deep/", "s3:PutObject", "lake", "deep/.tarn/a", NULL, false, false},
        {"lake/deep/", "s3:ListBucket", "lake", "", NULL, false, false},
    };
    fixture *f = *context;
    world w = world_with_rita(f);
    s3_key key;
    s3_identity reader, writer;
    s3_session session;
    str ignored;

    EXPECT_OK(
        access_create_principal(w.access, STR("willy"), ROLE_WRITER, f->arena, &ignored, &f->err));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_OK(access_create_narrow_s3_key(w.access, STR("rita"), 0, str_c(cases[i].scope),
                                              f->arena, &key, &f->err));
        EXPECT_OK(
            access_find_s3_key(w.access, key.access_key, STR_NULL, f->arena, &reader, &f->err));
        EXPECT_OK(access_create_narrow_s3_key(w.access, STR("willy"), 0, str_c(cases[i].scope),
                                              f->arena, &key, &f->err));
        EXPECT_OK(
            access_find_s3_key(w.access, key.access_key, STR_NULL, f->arena, &writer, &f->err));
        bool as_reader =
            may(&w, &reader, cases[i].action, cases[i].bucket, cases[i].key, cases[i].prefix);
        bool as_writer =
            may(&w, &writer, cases[i].action, cases[i].bucket, cases[i].key, cases[i].prefix);
        if (as_reader != cases[i].reader || as_writer != cases[i].writer) {
            fail_msg("%s: %s on %s/%s: reader %d, writer %d", cases[i].scope, cases[i].action,
                     cases[i].bucket, cases[i].key, as_reader, as_writer);
        }
    }
    const s3_session_request request = {.from = &writer, .duration_s = 3600};
    EXPECT_STATUS(DENIED,
                  access_create_s3_session(w.access, &request, f->arena, &session, &f->err));
    EXPECT_STATUS(INVALID, access_create_narrow_s3_key(w.access, STR("rita"), 0, STR("lake"),
                                                       f->arena, &key, &f->err));
    EXPECT_STATUS(INVALID, access_create_narrow_s3_key(w.access, STR("rita"), 0, STR("/"), f->arena,
                                                       &key, &f->err));
    close_world(&w);
}

static void test_a_bucket_policy_still_denies_a_vended_session(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    s3_identity who = identity_of(f, &w, vend(f, &w, true));
    s3_bucket_facts facts = {.owner = STR("SOMEBODY")};
    s3_question q = {.who = &who,
                     .action = "s3:GetObject",
                     .bucket = STR("lake"),
                     .key = STR("main/t1/a"),
                     .facts = &facts};

    EXPECT_OK(policy_parse(QUOTED(f, "{'Version':'2012-10-17','Statement':[{'Effect':'Deny',"
                                     "'Principal':'*','Action':'s3:GetObject',"
                                     "'Resource':'arn:aws:s3:::lake/main/t1/*'}]}"),
                           POLICY_OF_BUCKET, STR("lake"), f->arena, &facts.policy, &f->err));
    EXPECT_STATUS(DENIED, access_check_s3(w.access, &q, &f->err));
    q.action = "s3:PutObject";
    EXPECT_OK(access_check_s3(w.access, &q, &f->err));
    close_world(&w);
}

/* Root is an owner of every bucket; what is vended to root is not. */
static void test_vended_to_root_is_no_more_than_the_scopes(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    s3_identity who;

    EXPECT_OK(enter(f, &w, str_trim(test_read_file(f, test_path(f, "secrets/root.key"))), &w.who));
    who = identity_of(f, &w, vend(f, &w, true));
    assert_int_equal(who.who.role, ROLE_ROOT);
    assert_true(may(&w, &who, "s3:PutObject", "lake", "main/t1/a", NULL));
    assert_false(may(&w, &who, "s3:PutObject", "lake", "main/t2/a", NULL));
    assert_false(may(&w, &who, "s3:PutBucketPolicy", "lake", "", NULL));
    close_world(&w);
}

static void test_a_vended_session_ends_with_time_key_principal_and_revocation(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    s3_session made = vend(f, &w, false);
    bearer_key second;
    s3_session by_second;

    (void)identity_of(f, &w, made);
    close_world(&w);
    open_world(f, &w, ACCESS_KEYS); /* it survives a restart */
    now_us += 3599999999;
    (void)identity_of(f, &w, made);
    now_us += 1;
    expect_refused(f, &w, made.access_key, made.token, "ExpiredToken");

    made = vend(f, &w, false);
    EXPECT_OK(access_create_key(w.access, STR("rita"), 0, f->arena, &second, &f->err));
    EXPECT_OK(enter(f, &w, second.key, &w.who));
    by_second = vend(f, &w, false);
    EXPECT_OK(access_drop_key(w.access, second.id, &f->err));
    expect_refused(f, &w, by_second.access_key, by_second.token, "ExpiredToken");
    (void)identity_of(f, &w, made);
    EXPECT_OK(access_revoke_s3_sessions(w.access, STR("rita"), &f->err));
    expect_refused(f, &w, made.access_key, made.token, "ExpiredToken");

    now_us += 1;
    EXPECT_OK(enter(f, &w, w.key, &w.who));
    made = vend(f, &w, false);
    (void)identity_of(f, &w, made);
    EXPECT_OK(access_drop_principal(w.access, STR("rita"), &f->err));
    expect_refused(f, &w, made.access_key, made.token, "ExpiredToken");
    close_world(&w);
}

static void test_vended_tokens_cannot_be_made_up_or_swapped(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    s3_session one = vend(f, &w, false);
    s3_session two = vend(f, &w, false);
    str sealed;

    expect_refused(f, &w, one.access_key, STR_NULL, "InvalidToken");
    expect_refused(f, &w, one.access_key, STR(""), "InvalidToken");
    expect_refused(f, &w, one.access_key, two.token, "InvalidToken");
    expect_refused(f, &w, STR("TSESAAAAAAAAAAAAAAAA"), one.token, "InvalidToken");
    EXPECT_OK(base64_decode(f->arena, one.token, &sealed, &f->err));
    assert_true(str_find(sealed, one.secret) == STR_NPOS);
    for (size_t i = 0; i < sealed.size; i += 5) {
        char *changed = arena_strndup(f->arena, sealed.data, sealed.size);
        changed[i] ^= 1;
        expect_refused(f, &w, one.access_key,
                       base64_encode(f->arena, str_from(changed, sealed.size)), "InvalidToken");
    }
    close_world(&w);
}

static void test_a_scope_is_a_folder(void **context)
{
    static const char *const prefixes[] = {"", "main/t1", NULL};
    fixture *f = *context;
    world w = world_with_rita(f);
    s3_session made;

    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        const s3_scope scope = {.bucket = STR("lake"), .prefix = str_c(prefixes[i])};
        const s3_vending vending = {
            .who = &w.who, .scopes = &scope, .scope_count = 1, .duration_s = 60};
        EXPECT_STATUS(INVALID, access_vend_s3(w.access, &vending, f->arena, &made, &f->err));
    }
    close_world(&w);
}

/* What was vended while no keys were asked for is nothing once they are. */
static void test_open_modes_sessions_and_tokens_open_nothing_with_keys(void **context)
{
    fixture *f = *context;
    world w = {0};
    s3_session made;
    s3_identity who;
    str token;
    int64_t expires_us;
    principal entered;

    open_world(f, &w, ACCESS_OPEN);
    EXPECT_OK(access_authenticate(w.access, STR("Bearer None"), f->arena, &w.who, &f->err));
    made = vend(f, &w, true);
    EXPECT_OK(access_create_token(w.access, &w.who, f->arena, &token, &expires_us, &f->err));
    EXPECT_OK(access_find_s3_key(w.access, made.access_key, made.token, f->arena, &who, &f->err));
    assert_true(who.unchecked);
    EXPECT_OK(enter(f, &w, token, &entered));
    close_world(&w);
    open_world(f, &w, ACCESS_KEYS);
    expect_refused(f, &w, made.access_key, made.token, "ExpiredToken");
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, token, &entered));
    EXPECT_STATUS(UNAUTHORIZED,
                  access_authenticate(w.access, STR("Bearer None"), f->arena, &entered, &f->err));
    close_world(&w);
}

static void test_a_token_is_its_key_until_its_time_is_over(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    str token;
    str again;
    int64_t expires_us;
    principal who;

    EXPECT_OK(access_create_token(w.access, &w.who, f->arena, &token, &expires_us, &f->err));
    assert_int_equal(expires_us, now_us + (int64_t)ACCESS_TOKEN_S * 1000000);
    EXPECT_OK(enter(f, &w, token, &who));
    EXPECT_STR(who.name, "rita");
    assert_int_equal(who.role, ROLE_READER);
    assert_true(str_equal(who.key, w.who.key));
    now_us += 1000000;
    EXPECT_OK(access_create_token(w.access, &who, f->arena, &again, &expires_us, &f->err));
    now_us = expires_us - 1;
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, token, &who));
    EXPECT_OK(enter(f, &w, again, &who)); /* refreshed */
    now_us++;
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, again, &who));
    close_world(&w);
}

static void test_a_line_of_tokens_ends_a_day_after_its_first(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    int64_t ends_us = now_us + (int64_t)ACCESS_LOGIN_S * 1000000;
    principal who = w.who;
    int64_t expires_us;
    int steps = 0;
    str token;

    for (;; steps++) {
        EXPECT_OK(access_create_token(w.access, &who, f->arena, &token, &expires_us, &f->err));
        assert_true(expires_us <= ends_us);
        assert_true(steps < 100);
        if (expires_us == ends_us) {
            break;
        }
        now_us = expires_us - 60000000;
        EXPECT_OK(enter(f, &w, token, &who));
    }
    assert_true(steps >= 23);
    now_us = ends_us - 1;
    EXPECT_OK(enter(f, &w, token, &who));
    now_us++;
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, token, &who));
    close_world(&w);
}

static void test_a_token_ends_with_its_key_and_by_revocation(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    bearer_key second;
    str token;
    str of_second;
    int64_t expires_us;
    principal who;

    EXPECT_OK(
        access_create_key(w.access, STR("rita"), now_us + 60000000, f->arena, &second, &f->err));
    EXPECT_OK(enter(f, &w, second.key, &who));
    EXPECT_OK(access_create_token(w.access, &who, f->arena, &of_second, &expires_us, &f->err));
    assert_int_equal(expires_us, second.expires_us); /* never longer than the key */
    EXPECT_OK(enter(f, &w, of_second, &who));
    EXPECT_OK(access_drop_key(w.access, second.id, &f->err));
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, of_second, &who));
    EXPECT_OK(access_create_token(w.access, &w.who, f->arena, &token, &expires_us, &f->err));
    EXPECT_OK(enter(f, &w, token, &who));
    EXPECT_OK(access_revoke_s3_sessions(w.access, STR("rita"), &f->err));
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, token, &who));
    EXPECT_OK(enter(f, &w, w.key, &who)); /* the key itself stays */
    close_world(&w);
}

static void test_a_token_cannot_be_made_up(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    str token;
    int64_t expires_us;
    principal who;
    principal nobody = {.id = STR(""), .name = STR("nobody")};

    EXPECT_OK(access_create_token(w.access, &w.who, f->arena, &token, &expires_us, &f->err));
    for (size_t i = 0; i < token.size; i++) {
        char *changed = arena_strndup(f->arena, token.data, token.size);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, str_from(changed, token.size), &who));
    }
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, STR("tarntoken_"), &who));
    EXPECT_STATUS(UNAUTHORIZED, enter(f, &w, STR("tarntoken_...."), &who));
    EXPECT_STATUS(DENIED,
                  access_create_token(w.access, &nobody, f->arena, &token, &expires_us, &f->err));
    close_world(&w);
}

static void test_sessions_end_with_what_they_were_made_for(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    going t1 = {.access = w.access, .subject = "uuid-1"};
    s3_session first = vend_for(f, &w, "uuid-1");
    s3_session other = vend_for(f, &w, "uuid-2");
    s3_session none = vend(f, &w, false);
    s3_identity who;

    t1.fails = true; /* what did not happen ends nothing */
    EXPECT_STATUS(CONFLICT, state_submit(w.state, go, &t1, &f->err));
    (void)identity_of(f, &w, first);
    t1.fails = false;
    EXPECT_OK(state_submit(w.state, go, &t1, &f->err));
    EXPECT_STATUS(DENIED, access_find_s3_key(w.access, first.access_key, first.token, f->arena,
                                             &who, &f->err));
    assert_string_equal(error_s3_code(&f->err), "AccessDenied");
    (void)identity_of(f, &w, other);
    (void)identity_of(f, &w, none);
    /* it came back, without the sessions of before, and goes once more in the same microsecond */
    s3_session second = vend_for(f, &w, "uuid-1");
    (void)identity_of(f, &w, second);
    EXPECT_STATUS(DENIED, access_find_s3_key(w.access, first.access_key, first.token, f->arena,
                                             &who, &f->err));
    now_us -= 5000000; /* nor does a clock that jumps bring any back */
    EXPECT_OK(state_submit(w.state, go, &t1, &f->err));
    EXPECT_STATUS(DENIED, access_find_s3_key(w.access, second.access_key, second.token, f->arena,
                                             &who, &f->err));
    (void)identity_of(f, &w, vend_for(f, &w, "uuid-1"));
    close_world(&w);
}

static bool answer_taken(void *context, str subject, const s3_scope *scopes, size_t count)
{
    assert_int_equal(1, count);
    EXPECT_STR(subject, "uuid-1");
    EXPECT_STR(scopes[0].prefix, "main/t1/");
    return *(const bool *)context;
}

static void test_what_ended_reads_until_the_place_is_anothers(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    const s3_scope scope = {.bucket = STR("lake"), .prefix = STR("main/t1/"), .write = true};
    const s3_vending vending = {.who = &w.who,
                                .scopes = &scope,
                                .scope_count = 1,
                                .duration_s = 60,
                                .subject = STR("uuid-1")};
    going t1 = {.access = w.access, .subject = "uuid-1"};
    bool taken = false;
    s3_session made;
    s3_identity who;

    EXPECT_OK(access_vend_s3(w.access, &vending, f->arena, &made, &f->err));
    access_ask_places(w.access, answer_taken, &taken);
    assert_true(identity_of(f, &w, made).scopes[0].write);
    EXPECT_OK(state_submit(w.state, go, &t1, &f->err));
    assert_false(identity_of(f, &w, made).scopes[0].write);
    taken = true;
    EXPECT_STATUS(
        DENIED, access_find_s3_key(w.access, made.access_key, made.token, f->arena, &who, &f->err));
    close_world(&w);
}

static void test_a_session_made_of_what_was_seen_before_the_end_opens_nothing(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    const s3_scope scope = {.bucket = STR("lake"), .prefix = STR("main/t1/")};
    s3_vending vending = {.who = &w.who,
                          .scopes = &scope,
                          .scope_count = 1,
                          .duration_s = 60,
                          .subject = STR("uuid-1"),
                          .ended_us = access_vended_end(w.access, STR("uuid-1"))};
    going t1 = {.access = w.access, .subject = "uuid-1"};
    s3_session late;
    s3_identity who;

    EXPECT_OK(state_submit(w.state, go, &t1, &f->err));
    EXPECT_OK(access_vend_s3(w.access, &vending, f->arena, &late, &f->err));
    EXPECT_STATUS(
        DENIED, access_find_s3_key(w.access, late.access_key, late.token, f->arena, &who, &f->err));
    vending.subject = STR("a\0b");
    EXPECT_STATUS(INVALID, access_vend_s3(w.access, &vending, f->arena, &late, &f->err));
    close_world(&w);
}

static void test_ends_outlast_a_restart_and_are_kept_no_longer_than_needed(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    going t1 = {.access = w.access, .subject = "uuid-1"};
    going more = {.access = w.access};
    s3_session before = vend_for(f, &w, "uuid-1");
    s3_identity who;

    EXPECT_OK(state_submit(w.state, go, &t1, &f->err));
    s3_session after = vend_for(f, &w, "uuid-1");
    close_world(&w);
    open_world(f, &w, ACCESS_KEYS);
    EXPECT_STATUS(DENIED, access_find_s3_key(w.access, before.access_key, before.token, f->arena,
                                             &who, &f->err));
    (void)identity_of(f, &w, after);
    assert_true(access_vended_end(w.access, STR("uuid-1")) > 0);
    now_us += INT64_C(43200) * 1000000;
    after = vend_for(f, &w, "uuid-1"); /* under the old end */
    now_us++;
    more.access = w.access;
    for (int i = 0; i < 3000; i++) {
        more.subject = arena_printf(f->arena, "many-%d", i);
        EXPECT_OK(state_submit(w.state, go, &more, &f->err));
    }
    assert_int_equal(0, access_vended_end(w.access, STR("uuid-1")));
    assert_true(access_vended_end(w.access, STR("many-0")) > 0);
    (void)identity_of(f, &w, after);
    close_world(&w);
    open_world(f, &w, ACCESS_KEYS);
    assert_int_equal(0, access_vended_end(w.access, STR("uuid-1")));
    assert_true(access_vended_end(w.access, STR("many-0")) > 0);
    close_world(&w);
}

static void test_what_comes_back_is_another_generation(void **context)
{
    fixture *f = *context;
    world w = world_with_rita(f);
    going t1 = {.access = w.access, .subject = "uuid-1"};
    uint64_t before = access_generation(w.access);

    EXPECT_OK(state_submit(w.state, come_back, &t1, &f->err));
    assert_true(access_generation(w.access) == before);
    EXPECT_OK(state_submit(w.state, go, &t1, &f->err));
    assert_true(access_generation(w.access) == before);
    EXPECT_OK(state_submit(w.state, come_back, &t1, &f->err));
    assert_true(access_generation(w.access) > before);
    close_world(&w);
}

TESTS(test_scopes_are_all_that_a_vended_session_may,
      test_a_bucket_policy_still_denies_a_vended_session,
      test_vended_to_root_is_no_more_than_the_scopes,
      test_a_vended_session_ends_with_time_key_principal_and_revocation,
      test_vended_tokens_cannot_be_made_up_or_swapped, test_a_scope_is_a_folder,
      test_the_catalogs_own_folder_is_roots_alone,
      test_a_narrow_pair_opens_a_warehouse_and_nothing_else,
      test_open_modes_sessions_and_tokens_open_nothing_with_keys,
      test_a_token_is_its_key_until_its_time_is_over,
      test_a_line_of_tokens_ends_a_day_after_its_first,
      test_a_token_ends_with_its_key_and_by_revocation, test_a_token_cannot_be_made_up,
      test_sessions_end_with_what_they_were_made_for,
      test_what_ended_reads_until_the_place_is_anothers,
      test_a_session_made_of_what_was_seen_before_the_end_opens_nothing,
      test_ends_outlast_a_restart_and_are_kept_no_longer_than_needed,
      test_what_comes_back_is_another_generation)

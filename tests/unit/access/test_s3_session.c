/* Claims about session credentials: what they may, and when they end. */
#include "support/clock.h"
#include "support/test.h"
#include "tarn/access/s3.h"
#include "tarn/codec/checksum.h"

typedef struct world {
    state *state;
    access_control *access;
    s3_identity ann; /* a user, by her key pair */
} world;

static void open_world(fixture *f, world *w)
{
    state_options options = {.path = test_path(f, "tarn.db")};

    stop_clock();
    EXPECT_OK(state_open(&options, access_migrations, access_migration_count, &w->state, &f->err));
    EXPECT_OK(access_open(w->state, test_path(f, "secrets"), ACCESS_KEYS, &w->access, &f->err));
}

static void close_world(world *w)
{
    access_close(w->access);
    state_close(w->state);
    clock_install(NULL);
}

static world world_with_ann(fixture *f)
{
    world w = {0};
    s3_key key;
    str bearer;

    open_world(f, &w);
    EXPECT_OK(access_create_principal(w.access, STR("ann"), ROLE_USER, f->arena, &bearer, &f->err));
    EXPECT_OK(access_create_s3_key(w.access, STR("ann"), 0, f->arena, &key, &f->err));
    EXPECT_OK(access_find_s3_key(w.access, key.access_key, STR_NULL, f->arena, &w.ann, &f->err));
    return w;
}

static s3_session make(fixture *f, world *w, const char *policy_text, int64_t duration_s)
{
    const s3_session_request request = {
        .from = &w->ann,
        .role = STR("job"),
        .session_name = STR("one"),
        .policy_text = QUOTED(f, policy_text),
        .duration_s = duration_s,
    };
    s3_session made;

    EXPECT_OK(access_create_s3_session(w->access, &request, f->arena, &made, &f->err));
    return made;
}

static void expect_refused(fixture *f, world *w, str access_key, str token, const char *code)
{
    s3_identity who;

    EXPECT_STATUS(INVALID,
                  access_find_s3_key(w->access, access_key, token, f->arena, &who, &f->err));
    assert_string_equal(error_s3_code(&f->err), code);
}

static void test_a_session_is_its_makers_until_its_time_is_over(void **context)
{
    fixture *f = *context;
    world w = world_with_ann(f);
    s3_session made = make(f, &w, "", 900);
    s3_identity who;

    EXPECT_OK(access_find_s3_key(w.access, made.access_key, made.token, f->arena, &who, &f->err));
    assert_true(str_equal(who.canonical_id, w.ann.canonical_id));
    assert_true(str_equal(who.secret, made.secret));
    assert_true(who.is_session);
    assert_null(who.session_policy);
    assert_true(str_ends_with(who.arn, STR(":assumed-role/job/one")));
    close_world(&w);
    open_world(f, &w); /* it survives a restart */
    now_us += 899999999;
    EXPECT_OK(access_find_s3_key(w.access, made.access_key, made.token, f->arena, &who, &f->err));
    now_us += 1;
    expect_refused(f, &w, made.access_key, made.token, "ExpiredToken");
    close_world(&w);
}

static void test_a_token_belongs_to_one_key_and_cannot_be_made_up(void **context)
{
    fixture *f = *context;
    world w = world_with_ann(f);
    s3_session one = make(f, &w, "", 900);
    s3_session two = make(f, &w, "", 900);
    str sealed;
    char *changed;

    expect_refused(f, &w, one.access_key, STR_NULL, "InvalidToken");
    expect_refused(f, &w, one.access_key, STR(""), "InvalidToken");
    expect_refused(f, &w, one.access_key, STR("AAAA"), "InvalidToken");
    expect_refused(f, &w, one.access_key, two.token, "InvalidToken");
    expect_refused(f, &w, w.ann.access_key, one.token, "InvalidToken");
    expect_refused(f, &w, one.access_key, str_slice(one.token, 0, one.token.size - 4),
                   "InvalidToken");
    EXPECT_OK(base64_decode(f->arena, one.token, &sealed, &f->err));
    assert_true(str_find(sealed, one.secret) == STR_NPOS);
    for (size_t i = 0; i < sealed.size; i += 7) {
        changed = arena_strndup(f->arena, sealed.data, sealed.size);
        changed[i] ^= 1;
        expect_refused(f, &w, one.access_key,
                       base64_encode(f->arena, str_from(changed, sealed.size)), "InvalidToken");
    }
    close_world(&w);
}

static void test_sessions_end_with_key_principal_and_revocation(void **context)
{
    fixture *f = *context;
    world w = world_with_ann(f);
    s3_session made = make(f, &w, "", 900);
    s3_session later;
    s3_identity who;

    EXPECT_OK(access_revoke_s3_sessions(w.access, STR("root"), &f->err));
    EXPECT_OK(access_find_s3_key(w.access, made.access_key, made.token, f->arena, &who, &f->err));
    EXPECT_OK(access_revoke_s3_sessions(w.access, STR("ann"), &f->err));
    expect_refused(f, &w, made.access_key, made.token, "ExpiredToken");
    EXPECT_STATUS(NOT_FOUND, access_revoke_s3_sessions(w.access, STR("bob"), &f->err));
    now_us += 1;
    later = make(f, &w, "", 900);
    EXPECT_OK(access_find_s3_key(w.access, later.access_key, later.token, f->arena, &who, &f->err));
    EXPECT_OK(access_drop_s3_key(w.access, w.ann.access_key, &f->err));
    expect_refused(f, &w, later.access_key, later.token, "ExpiredToken");
    EXPECT_OK(access_drop_principal(w.access, STR("ann"), &f->err));
    expect_refused(f, &w, later.access_key, later.token, "ExpiredToken");
    close_world(&w);
}

static void test_a_session_makes_no_sessions(void **context)
{
    fixture *f = *context;
    world w = world_with_ann(f);
    s3_session made = make(f, &w, "", 900);
    s3_session_request request = {.from = &w.ann, .duration_s = 900};
    s3_identity who;
    s3_session more;

    EXPECT_OK(access_find_s3_key(w.access, made.access_key, made.token, f->arena, &who, &f->err));
    request.from = &who;
    EXPECT_STATUS(DENIED, access_create_s3_session(w.access, &request, f->arena, &more, &f->err));
    access_unsigned(w.access, f->arena, &who);
    EXPECT_STATUS(DENIED, access_create_s3_session(w.access, &request, f->arena, &more, &f->err));
    request.from = &w.ann;
    request.duration_s = 43201;
    EXPECT_STATUS(INVALID, access_create_s3_session(w.access, &request, f->arena, &more, &f->err));
    request.duration_s = 900;
    request.policy_text = STR("{}");
    EXPECT_STATUS(INVALID, access_create_s3_session(w.access, &request, f->arena, &more, &f->err));
    assert_string_equal(error_s3_code(&f->err), "MalformedPolicy");
    close_world(&w);
}

static void test_a_sessions_policy_narrows(void **context)
{
    fixture *f = *context;
    world w = world_with_ann(f);
    s3_session made = make(f, &w,
                           "{'Version':'2012-10-17','Statement':[{'Effect':'Allow',"
                           "'Action':'s3:GetObject','Resource':'arn:aws:s3:::lake/in/*'}]}",
                           900);
    s3_bucket_facts facts = {.owner = w.ann.canonical_id};
    s3_question q = {
        .action = "s3:GetObject", .bucket = STR("lake"), .key = STR("in/x"), .facts = &facts};
    s3_identity who;

    EXPECT_OK(access_find_s3_key(w.access, made.access_key, made.token, f->arena, &who, &f->err));
    q.who = &who;
    EXPECT_OK(access_check_s3(w.access, &q, &f->err));
    q.key = STR("out/x");
    EXPECT_STATUS(DENIED, access_check_s3(w.access, &q, &f->err));
    q.key = STR("in/x");
    q.action = "s3:GetObjectVersion";
    EXPECT_STATUS(DENIED, access_check_s3(w.access, &q, &f->err));
    q.action = "s3:GetObject";
    facts.owner = STR("BOB"); /* it narrows, and widens nothing */
    EXPECT_STATUS(DENIED, access_check_s3(w.access, &q, &f->err));
    q = (s3_question){.who = &who, .action = "s3:ListAllMyBuckets"};
    EXPECT_STATUS(DENIED, access_check_s3(w.access, &q, &f->err));
    close_world(&w);
}

TESTS(test_a_session_is_its_makers_until_its_time_is_over,
      test_a_token_belongs_to_one_key_and_cannot_be_made_up,
      test_sessions_end_with_key_principal_and_revocation, test_a_session_makes_no_sessions,
      test_a_sessions_policy_narrows)

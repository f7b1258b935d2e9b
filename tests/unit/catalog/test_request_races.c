/* Claims about REST commits of many threads: nothing is lost, and who loses is told. timeout: 240 */
#include "asks.h"

#include "tarn/base/thread.h"

#define COMMITTERS 16
#define TIMES 8

typedef struct committer {
    lake *l;
    int number;
    int lost; /* told that a requirement does not hold, and tried again */
    status outcome;
    error err;
} committer;

/* Reads the counter, and asks for one more where the table is as it was read. */
static status add_one(committer *c, arena *a, bool *ret_done, error *err)
{
    ice_metadata *m = NULL;
    table_info info;
    int64_t value = 0;

    TRY(catalog_load_table(c->l->catalog, in_main("t"), a, &m, &info, err));
    value = ice_metadata_property_int(m, "counter", 0);
    int32_t schema = m->current_schema_id;
    int32_t column = m->last_column_id;
    ice_metadata_unref(m);
    /* each adds a column, so that the requirement tells those apart that read the same counter */
    str requirement =
        str_printf(a, "{'type': 'assert-current-schema-id', 'current-schema-id': %d}", (int)schema);
    str update =
        str_printf(a,
                   "{'action': 'set-properties', 'updates': {'counter': '%lld'}},"
                   "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
                   "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"
                   "{'id': %d, 'name': 'c%d_%lld', 'required': false, 'type': 'string'}]}},"
                   "{'action': 'set-current-schema', 'schema-id': -1}",
                   (long long)value + 1, (int)column + 1, c->number, (long long)value);
    status result = commit_only(c->l, a, "t", requirement.data, update.data, err);
    if (result == STATUS_CONFLICT) {
        c->lost++;
        error_clear(err);
        return STATUS_OK;
    }
    *ret_done = result == STATUS_OK;
    return result;
}

static void run_adders(void *context)
{
    committer *c = context;

    for (int i = 0; i < TIMES && c->outcome == STATUS_OK; i++) {
        bool done = false;
        while (!done && c->outcome == STATUS_OK) {
            arena *a = arena_create();
            c->outcome = add_one(c, a, &done, &c->err);
            arena_free(a);
        }
    }
}

/* All of them at once, each in a thread of its own; back when all are done. */
static void run_all(fixture *f, lake *l, void (*run)(void *context), committer all[COMMITTERS])
{
    thread threads[COMMITTERS];

    for (int i = 0; i < COMMITTERS; i++) {
        all[i] = (committer){.l = l, .number = i, .err = ERROR_INIT};
        EXPECT_OK(thread_start(&threads[i], "committer", run, &all[i], &f->err));
    }
    for (int i = 0; i < COMMITTERS; i++) {
        thread_join(&threads[i]);
    }
}

static void test_no_update_is_lost(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    committer all[COMMITTERS];

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    run_all(f, &l, run_adders, all);
    for (int i = 0; i < COMMITTERS; i++) {
        EXPECT_STATUS(OK, (f->err = all[i].err, all[i].outcome));
    }
    EXPECT_STR(property_of(&l, "t", "counter"),
               str_printf(f->arena, "%d", COMMITTERS * TIMES).data);
    lake_close(&l);
}

/* Changes that require nothing of each other all get through, beside appends. */
static void run_setters(void *context)
{
    committer *c = context;

    for (int i = 0; i < TIMES && c->outcome == STATUS_OK; i++) {
        arena *a = arena_create();
        if (c->number % 4 == 0) {
            str path = str_printf(a, "s3://warehouse/main/d/%d-%d.parquet", c->number, i);
            c->outcome = append_one(c->l, "t", path, &c->err);
        } else {
            str update = str_printf(a, "{'action': 'set-properties', 'updates': {'k%d': '%d'}}",
                                    c->number, i);
            c->outcome = commit_only(c->l, a, "t", "", update.data, &c->err);
        }
        arena_free(a);
    }
}

static void test_requests_and_appends_of_one_table_all_get_through(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    committer all[COMMITTERS];

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    run_all(f, &l, run_setters, all);
    for (int i = 0; i < COMMITTERS; i++) {
        EXPECT_STATUS(OK, (f->err = all[i].err, all[i].outcome));
        if (i % 4 != 0) {
            const char *key = str_printf(f->arena, "k%d", i).data;
            EXPECT_STR(property_of(&l, "t", key), str_printf(f->arena, "%d", TIMES - 1).data);
        }
    }
    lake_close(&l);
}

static void run_creators(void *context)
{
    committer *c = context;
    arena *a = arena_create();
    str updates = str_printf(
        a,
        "{'action': 'assign-uuid', 'uuid': '%08d-2222-4333-8444-555555555555'},"
        "{'action': 'add-schema', " COLUMNS "}, {'action': 'set-current-schema', 'schema-id': -1},"
        "{'action': 'add-spec', 'spec': {'spec-id': 0, 'fields': []}},"
        "{'action': 'set-default-spec', 'spec-id': -1},"
        "{'action': 'add-sort-order', 'sort-order': {'order-id': 0, 'fields': []}},"
        "{'action': 'set-default-sort-order', 'sort-order-id': -1}",
        c->number);

    c->outcome = c->number % 2 == 0
                     ? commit_only(c->l, a, "t", ASSERT_CREATE, updates.data, &c->err)
                     : create_only(c->l, a, "t", "", &c->err);
    arena_free(a);
}

static void test_of_many_who_make_one_table_one_does(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    committer all[COMMITTERS];
    int made = 0;

    run_all(f, &l, run_creators, all);
    for (int i = 0; i < COMMITTERS; i++) {
        made += all[i].outcome == STATUS_OK;
        if (all[i].outcome != STATUS_OK) {
            assert_int_equal(i % 2 == 0 ? STATUS_CONFLICT : STATUS_EXISTS, all[i].outcome);
        }
    }
    assert_int_equal(1, made);
    lake_close(&l);
}

/* Two tables, named in either order: each commit adds one to both. */
static status add_to_both(committer *c, arena *a, error *err)
{
    const char *names[2] = {c->number % 2 == 0 ? "t" : "u", c->number % 2 == 0 ? "u" : "t"};
    catalog_table_request many[2];

    for (int i = 0; i < 2; i++) {
        str update = str_printf(a, "{'action': 'set-properties', 'updates': {'k%d': '%d'}}",
                                c->number, c->lost);
        many[i].name = in_main(names[i]);
        TRY(ask_request(a, "", update.data, &many[i].request, err));
    }
    return catalog_commit_requests(c->l->catalog, many, 2, err);
}

static void run_pairs(void *context)
{
    committer *c = context;

    for (c->lost = 0; c->lost < TIMES && c->outcome == STATUS_OK; c->lost++) {
        arena *a = arena_create();
        c->outcome = add_to_both(c, a, &c->err);
        arena_free(a);
    }
}

static void test_commits_of_several_tables_do_not_wait_for_each_other_for_ever(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    committer all[COMMITTERS];

    EXPECT_OK(create_only(&l, f->arena, "t", "", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "u", "", &f->err));
    run_all(f, &l, run_pairs, all);
    for (int i = 0; i < COMMITTERS; i++) {
        const char *key = str_printf(f->arena, "k%d", i).data;
        EXPECT_STATUS(OK, (f->err = all[i].err, all[i].outcome));
        EXPECT_STR(property_of(&l, "t", key), str_printf(f->arena, "%d", TIMES - 1).data);
        EXPECT_STR(property_of(&l, "u", key), str_printf(f->arena, "%d", TIMES - 1).data);
    }
    lake_close(&l);
}

TESTS(test_no_update_is_lost, test_requests_and_appends_of_one_table_all_get_through,
      test_of_many_who_make_one_table_one_does,
      test_commits_of_several_tables_do_not_wait_for_each_other_for_ever)

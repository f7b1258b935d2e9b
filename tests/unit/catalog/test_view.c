/* Views in the catalog: one space of names with tables, one metadata file at a time, names that outlive the
 * database. */
#include "lake.h"

#include "tarn/base/clock.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/catalog/view.h"

static ice_view_definition definition(const char *sql)
{
    static const str space[] = {STR_INIT("main")};

    return (ice_view_definition){.root = two_columns(),
                                 .sql = str_c(sql),
                                 .dialect = STR("duckdb"),
                                 .default_namespace = space,
                                 .default_namespace_count = 1,
                                 .engine_version = STR("")};
}

static status make(lake *l, const char *name, const char *sql, bool replace, bool *ret_changed)
{
    const catalog_view_create options = {.name = {.space = STR("main"), .table = str_c(name)},
                                         .location = STR_NULL,
                                         .definition = definition(sql),
                                         .replace = replace};

    return catalog_create_view(l->catalog, &options, ret_changed, &l->f->err);
}

static status make_empty(lake *l, const char *name, bool *ret_created)
{
    const catalog_create options = {
        .name = {.space = STR("main"), .table = str_c(name)},
        .table = {.location = STR_NULL, .root = two_columns(), .partition_sql = STR("")}};

    return catalog_create_table(l->catalog, &options, ret_created, &l->f->err);
}

static void test_views_and_tables_share_their_names(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const table_name v = {.space = STR("main"), .table = STR("v")};
    const table_name t = {.space = STR("main"), .table = STR("t")};
    bool changed;

    EXPECT_OK(make(&l, "V", "SELECT 1", false, &changed));
    EXPECT_OK(make_empty(&l, "t", &changed));
    EXPECT_STATUS(EXISTS, make(&l, "v", "SELECT 1", false, &changed));
    EXPECT_MESSAGE(f, "view \"main.V\" exists already");
    EXPECT_STATUS(EXISTS, make(&l, "T", "SELECT 1", true, &changed));
    EXPECT_MESSAGE(f, "table \"main.T\" exists already");
    EXPECT_STATUS(EXISTS, make_empty(&l, "v", &changed));
    EXPECT_STATUS(EXISTS, catalog_rename_table(l.catalog, t, v, &f->err));
    EXPECT_STATUS(EXISTS, catalog_rename_view(l.catalog, v, t, &f->err));
    EXPECT_OK(catalog_drop_table(l.catalog, t, false, &changed, &f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("s"), NULL, 0, &f->err));
    EXPECT_OK(catalog_rename_view(l.catalog, v, (table_name){.space = STR("s"), .table = STR("w")},
                                  &f->err));
    EXPECT_STATUS(NOT_EMPTY, catalog_drop_namespace(l.catalog, STR("s"), false, &f->err));
    EXPECT_MESSAGE(f, "namespace \"s\" is not empty: it has 1 view");
    EXPECT_OK(catalog_drop_namespace(l.catalog, STR("s"), true, &f->err));
    lake_close(&l);
}

static void test_names_resolve_to_views_only_where_views_are_wanted(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const str parts[] = {STR("tarn"), STR("main"), STR("v")};
    table_name name;
    bool is_view = false;
    bool changed;

    EXPECT_OK(make(&l, "v", "SELECT 1", false, &changed));
    EXPECT_OK(catalog_resolve_relation(l.catalog, parts, 3, STR("main"), f->arena, &name, &is_view,
                                       &f->err));
    assert_true(is_view);
    EXPECT_STATUS(INVALID,
                  catalog_resolve(l.catalog, parts, 3, STR("main"), f->arena, &name, &f->err));
    EXPECT_MESSAGE(f, "\"main.v\" is a view, not a table");
    lake_close(&l);
}

static void test_a_replaced_view_has_one_file_and_its_history(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const table_name v = {.space = STR("main"), .table = STR("v")};
    ice_view *view = NULL;
    view_info first, second;
    store_object object;
    bool changed;

    EXPECT_OK(make(&l, "v", "SELECT 1", false, &changed));
    EXPECT_OK(catalog_load_view(l.catalog, v, f->arena, &view, &first, &f->err));
    ice_view_unref(view);
    EXPECT_OK(make(&l, "v", "SELECT 2", true, &changed));
    EXPECT_OK(catalog_load_view(l.catalog, v, f->arena, &view, &second, &f->err));
    assert_int_equal(view->version_count, 2);
    EXPECT_STATUS(CONFLICT,
                  catalog_commit_view(l.catalog, v, first.metadata_location, view, &f->err));
    ice_view_unref(view);
    EXPECT_STR(second.uuid, first.uuid.data);
    EXPECT_STATUS(NOT_FOUND,
                  store_stat(l.storage, first.metadata_location, f->arena, &object, &f->err));
    EXPECT_OK(store_stat(l.storage, second.metadata_location, f->arena, &object, &f->err));
    EXPECT_OK(catalog_drop_view(l.catalog, v, false, &changed, &f->err));
    EXPECT_STATUS(NOT_FOUND,
                  store_stat(l.storage, second.metadata_location, f->arena, &object, &f->err));
    EXPECT_STATUS(NO_VIEW, catalog_drop_view(l.catalog, v, false, &changed, &f->err));
    lake_close(&l);
}

static status forget(void *context, state_txn *txn, error *err)
{
    (void)context;
    return state_exec(txn, "DELETE FROM views", NULL, 0, NULL, err);
}

static void test_views_come_back_from_objects_alone(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const table_name v = {.space = STR("main"), .table = STR("v")};
    const table_name renamed = {.space = STR("main"), .table = STR("Other name")};
    ice_view *view = NULL;
    view_info info;
    int64_t tables = 0;
    bool changed;

    EXPECT_OK(make(&l, "v", "SELECT 1", false, &changed));
    EXPECT_OK(make(&l, "kept", "SELECT 3", false, &changed));
    EXPECT_OK(catalog_rename_view(l.catalog, v, renamed, &f->err));
    EXPECT_OK(make(&l, "Other name", "SELECT 2", true, &changed));
    EXPECT_OK(state_submit(l.state, forget, NULL, &f->err));
    EXPECT_STATUS(NO_VIEW, catalog_load_view(l.catalog, renamed, f->arena, &view, &info, &f->err));
    EXPECT_OK(catalog_recover(l.catalog, &tables, &f->err));
    assert_int_equal(tables, 2);
    EXPECT_OK(catalog_load_view(l.catalog, renamed, f->arena, &view, &info, &f->err));
    EXPECT_STR(ice_view_sql(ice_view_current(view), STR("duckdb")), "SELECT 2");
    EXPECT_STR(info.name.table, "Other name");
    ice_view_unref(view);
    lake_close(&l);
}

static void test_generated_locations_never_collide(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    map *seen = map_create(f->arena);
    const table_name v = {.space = STR("main"), .table = STR("same")};

    for (int i = 0; i < 200; i++) {
        str location;
        EXPECT_OK(catalog_plan_location(l.catalog, v, STR_NULL, f->arena, &location, &f->err));
        assert_false(map_has(seen, location));
        map_set(seen, location, f);
    }
    lake_close(&l);
}

/* ---- a view that is dropped while others change it ---- */

#define DROP_ROUNDS 60
#define CHANGERS 3

static status say_it_anew(void *context, const ice_view *base, ice_view **ret_view, error *err)
{
    return ice_view_replace(base, context, ret_view, err);
}

static void change_it(void *context)
{
    const lake *l = context;
    ice_view_definition said = definition("SELECT 2");
    error ignored = ERROR_INIT; /* it may be gone */

    (void)catalog_change_view(l->catalog, (table_name){STR("main"), STR("v")}, say_it_anew, &said,
                              &ignored);
}

static void test_a_view_that_is_dropped_while_it_changes_leaves_no_file(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    thread changers[CHANGERS];
    store_object *objects = NULL;
    size_t count = 0;
    bool done;

    for (int round = 0; round < DROP_ROUNDS; round++) {
        EXPECT_OK(make(&l, "v", "SELECT 1", false, &done));
        for (int i = 0; i < CHANGERS; i++) {
            EXPECT_OK(thread_start(&changers[i], "changer", change_it, &l, &f->err));
        }
        clock_sleep_ms(round % 4);
        EXPECT_OK(catalog_drop_view(l.catalog, (table_name){STR("main"), STR("v")}, false, &done,
                                    &f->err));
        for (int i = 0; i < CHANGERS; i++) {
            thread_join(&changers[i]);
        }
    }
    EXPECT_OK(store_list(l.storage, STR("s3://warehouse/main/"), STR_NULL, 100, f->arena, &objects,
                         &count, &f->err));
    assert_int_equal(count, 0);
    lake_close(&l);
}

TESTS(test_views_and_tables_share_their_names,
      test_names_resolve_to_views_only_where_views_are_wanted,
      test_a_replaced_view_has_one_file_and_its_history, test_views_come_back_from_objects_alone,
      test_generated_locations_never_collide,
      test_a_view_that_is_dropped_while_it_changes_leaves_no_file)

/* Claims about a catalog whose database is lost: what objects alone tell of tables that lie, or keep files,
 * elsewhere. */
#include "asks.h"

#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/located.h"

#define SET_PATH(place) "{'action': 'set-properties', 'updates': {'write.data.path': '" place "'}}"
#define SET_LOCATION(place) "{'action': 'set-location', 'location': '" place "'}"
#define AT(place) ", 'location': '" place "'"

static lake without_database(fixture *f, lake *l)
{
    static const char *const files[] = {"tarn.db", "tarn.db-wal", "tarn.db-shm"};
    int64_t objects = 0;
    int64_t tables = 0;

    lake_close(l);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        EXPECT_OK(fs_remove(test_path(f, files[i]), &f->err));
    }
    lake back = lake_open_with(f, (lake_wishes){.retention_ms = INT64_C(3600000)});
    EXPECT_OK(store_recover(back.storage, &objects, &f->err));
    EXPECT_OK(catalog_recover(back.catalog, &tables, &f->err));
    return back;
}

static void expect_taken(lake *l, const char *const *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        EXPECT_STATUS(INVALID, make_table(l, "squat", str_c(places[i]), &l->f->err));
        assert_non_null(strstr(l->f->err.message, "overlaps that of"));
    }
}

static void test_places_come_back_from_metadata_alone(void **context)
{
    static const char *const taken[] = {"s3://warehouse/apart", "s3://warehouse/old/a",
                                        "s3://warehouse/new/a", "s3://warehouse/meta/b"};
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = INT64_C(3600000)});
    bool dropped = false;
    table_info before, after;

    EXPECT_OK(create_only(&l, f->arena, "a", AT("s3://warehouse/old/a"), &f->err));
    EXPECT_OK(append_one(&l, "a", STR("s3://warehouse/old/a/data/1.parquet"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_PATH("s3://warehouse/apart"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "a", "", SET_LOCATION("s3://warehouse/new/a"), &f->err));
    EXPECT_OK(append_one(&l, "a", STR("s3://warehouse/new/a/data/2.parquet"), &f->err));
    EXPECT_OK(create_only(&l, f->arena, "b",
                          ", 'properties': {'write.metadata.path': 's3://warehouse/meta/b'}",
                          &f->err));
    EXPECT_OK(create_only(&l, f->arena, "gone", "", &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "gone", "", SET_PATH("s3://warehouse/far"), &f->err));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("gone"), false, &dropped, &f->err));
    ice_metadata_unref(load(&l, "a", &before));

    l = without_database(f, &l);
    ice_metadata *m = load(&l, "a", &after); /* as it was last, not as it was where it lay before */
    EXPECT_STR(after.metadata_location, str_to_c(f->arena, before.metadata_location));
    assert_int_equal(m->snapshot_count, 2);
    ice_metadata_unref(m);
    ice_metadata_unref(load(&l, "b", &after));
    expect_taken(&l, taken, COUNT_OF(taken));
    EXPECT_STATUS(INVALID, make_table(&l, "squat", STR("s3://warehouse/far"), &f->err));
    EXPECT_OK(catalog_undrop_table(l.catalog, in_main("gone"), STR_NULL, (table_name){0}, &f->err));
    EXPECT_STATUS(INVALID, make_table(&l, "squat", STR("s3://warehouse/far/x"), &f->err));
    EXPECT_OK(make_table(&l, "squat", STR("s3://warehouse/new/b"), &f->err));
    lake_close(&l);
}

typedef struct publication {
    lake *l;
    store_staged *staged;
} publication;

static status publish_one(void *context, state_txn *txn, error *err)
{
    publication *p = context;

    return store_publish(p->l->storage, txn, &p->staged, 1, err);
}

static status publish(lake *l, store_staged *staged, error *err)
{
    publication p = {l, staged};

    return state_submit(l->state, publish_one, &p, err);
}

static void test_a_copy_of_a_table_takes_nothing_of_it(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info before, after;
    store_staged *staged = NULL;
    str bytes;

    EXPECT_OK(create_only(&l, f->arena, "t", AT("s3://warehouse/x/t"), &f->err));
    EXPECT_OK(append_one(&l, "t", STR("s3://warehouse/x/t/data/1.parquet"), &f->err));
    ice_metadata_unref(load(&l, "t", &before));
    EXPECT_OK(
        store_read_all(l.storage, before.metadata_location, LIMIT_MIB, f->arena, &bytes, &f->err));
    EXPECT_OK(store_stage_bytes(l.storage,
                                STR("s3://warehouse/a_copy/metadata/00099-copy.metadata.json"),
                                STR("application/json"), bytes, &staged, &f->err));
    EXPECT_OK(publish(&l, staged, &f->err));
    l = without_database(f, &l);
    ice_metadata_unref(load(&l, "t", &after));
    EXPECT_STR(after.metadata_location, str_to_c(f->arena, before.metadata_location));
    lake_close(&l);
}

/* What the metadata of `name` would say of itself, were `from` replaced by `to` wherever it is said. */
static str changed_text(lake *l, const char *name, str from, str to)
{
    table_info info;
    str bytes;
    buf *out = buf_in(l->f->arena, LIMIT_MIB);

    ice_metadata_unref(load(l, name, &info));
    EXPECT_OK(store_read_all(l->storage, info.metadata_location, LIMIT_MIB, l->f->arena, &bytes,
                             &l->f->err));
    for (size_t at = str_find(bytes, from); at != STR_NPOS; at = str_find(bytes, from)) {
        buf_add_str(out, str_slice(bytes, 0, at));
        buf_add_str(out, to);
        bytes = str_slice(bytes, at + from.size, bytes.size);
    }
    buf_add_str(out, bytes);
    return buf_str(out);
}

/* As who has write keys for the place of a table can: any bytes under any name in it. */
static void put(lake *l, str location, str bytes)
{
    store_staged *staged = NULL;

    EXPECT_OK(store_stage_bytes(l->storage, location, STR("application/json"), bytes, &staged,
                                &l->f->err));
    EXPECT_OK(publish(l, staged, &l->f->err));
}

static str below(lake *l, const char *table, const char *rest)
{
    table_info info;

    ice_metadata_unref(load(l, table, &info));
    return str_printf(l->f->arena, "%.*s/%s", STR_ARG(info.location), rest);
}

static void expect_same(lake *l, const char *name, const table_info *before)
{
    table_info after;

    ice_metadata_unref(load(l, name, &after));
    EXPECT_STR(after.uuid, str_to_c(l->f->arena, before->uuid));
    EXPECT_STR(after.location, str_to_c(l->f->arena, before->location));
    EXPECT_STR(after.metadata_location, str_to_c(l->f->arena, before->metadata_location));
}

/* `victim` is a table that is there; who may write below "mine" says of it that it lies there. */
static void forge(lake *l, const char *victim)
{
    fixture *f = l->f;
    str mine = below(l, "mine", victim); /* a folder of this one's */
    table_info info;

    ice_metadata_unref(load(l, victim, &info));
    put(l, str_concat(f->arena, mine, STR("/metadata/00099-forged.metadata.json")),
        changed_text(l, victim, info.location, mine));
    put(l,
        below(l, "mine",
              str_to_c(f->arena, str_printf(f->arena, "metadata/00098-%s.metadata.json", victim))),
        changed_text(l, victim, info.location, str_slice(mine, 0, str_find_last_char(mine, '/'))));
    /* as one that keeps its metadata elsewhere */
    str paths =
        str_printf(f->arena, "\"properties\":{\"write.metadata.path\":\"%.*s/y\",", STR_ARG(mine));
    str text = changed_text(l, victim, STR("\"properties\":{"), paths);
    assert_true(str_find(text, STR("/y\"")) != STR_NPOS);
    put(l, str_concat(f->arena, mine, STR("/y/00097-forged.metadata.json")), text);
}

static void test_files_in_the_place_of_a_table_decide_over_no_other(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info plain, placed, renamed, mine;

    EXPECT_OK(create_only(&l, f->arena, "plain", ", 'properties': {'a': 'b'}", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "placed",
                          AT("s3://warehouse/deep/down/placed") ", 'properties': {'a': 'b'}",
                          &f->err));
    EXPECT_OK(create_only(&l, f->arena, "old", ", 'properties': {'a': 'b'}", &f->err));
    EXPECT_OK(catalog_rename_table(l.catalog, in_main("old"), in_main("renamed"), &f->err));
    EXPECT_OK(create_only(&l, f->arena, "mine", "", &f->err));
    ice_metadata_unref(load(&l, "plain", &plain));
    ice_metadata_unref(load(&l, "placed", &placed));
    ice_metadata_unref(load(&l, "renamed", &renamed));
    ice_metadata_unref(load(&l, "mine", &mine));
    forge(&l, "plain");
    forge(&l, "placed");
    forge(&l, "renamed");
    l = without_database(f, &l);
    expect_same(&l, "plain", &plain);
    expect_same(&l, "placed", &placed);
    expect_same(&l, "renamed", &renamed);
    expect_same(&l, "mine", &mine);
    lake_close(&l);
}

/* The same with further places, which tables have where they tell so: they are no less the one's or the other's. */
static void test_files_in_further_places_of_a_table_decide_over_no_other(void **context)
{
    static const char *const folders[] = {"s3://warehouse/mine_data", "s3://warehouse/mine_was",
                                          "s3://warehouse/main/mine_now"};
    fixture *f = *context;
    lake l = lake_open(f);
    table_info victim, mine;

    EXPECT_OK(create_only(&l, f->arena, "victim", ", 'properties': {'a': 'b'}", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "mine", AT("s3://warehouse/mine_was"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "mine", "", SET_PATH("s3://warehouse/mine_data"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "mine", "", SET_LOCATION("s3://warehouse/main/mine_now"),
                          &f->err));
    ice_metadata_unref(load(&l, "victim", &victim));
    ice_metadata_unref(load(&l, "mine", &mine));
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        str folder = str_printf(f->arena, "%s/v-012345678901", folders[i]);
        put(&l, str_concat(f->arena, folder, STR("/metadata/00099-a.metadata.json")),
            changed_text(&l, "victim", victim.location, folder));
        str paths = str_printf(f->arena, "\"properties\":{\"write.metadata.path\":\"%.*s\",",
                               STR_ARG(folder));
        put(&l, str_concat(f->arena, folder, STR("/00098-b.metadata.json")),
            changed_text(&l, "victim", STR("\"properties\":{"), paths));
    }
    l = without_database(f, &l);
    expect_same(&l, "victim", &victim);
    expect_same(&l, "mine", &mine);
    lake_close(&l);
}

/* A location that is like the catalog's own choice for another table is the one's who asked for it. */
static void test_a_table_at_a_place_like_anothers_is_not_that_other(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    table_info victim, mine;

    EXPECT_OK(create_only(&l, f->arena, "victim", "", &f->err));
    ice_metadata_unref(load(&l, "victim", &victim));
    str suffix = str_slice(victim.location, victim.location.size - 12, victim.location.size);
    str like = str_printf(f->arena, "s3://warehouse/main/mine-%.*s", STR_ARG(suffix));
    EXPECT_OK(make_table(&l, "mine", like, &f->err));
    ice_metadata_unref(load(&l, "mine", &mine));
    put(&l, str_concat(f->arena, like, STR("/metadata/00099-a.metadata.json")),
        changed_text(&l, "victim", victim.location, like));
    l = without_database(f, &l);
    expect_same(&l, "victim", &victim);
    expect_same(&l, "mine", &mine);
    lake_close(&l);
}

/* Metadata may name any folder as one that the table was told of: one that is another's stays that one's. */
static void test_metadata_claims_no_place_of_another_table(void **context)
{
    static const str theirs = STR_INIT("s3://warehouse/theirs_before");
    fixture *f = *context;
    lake l = lake_open(f);
    str *places = NULL;
    size_t count = 0;
    table_info mine, victim;

    EXPECT_OK(create_only(&l, f->arena, "mine", ", 'properties': {'a': 'b'}", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "victim", AT("s3://warehouse/theirs_before"), &f->err));
    EXPECT_OK(commit_only(&l, f->arena, "victim", "", SET_LOCATION("s3://warehouse/theirs_now"),
                          &f->err));
    ice_metadata_unref(load(&l, "mine", &mine));
    ice_metadata_unref(load(&l, "victim", &victim));
    str claims =
        str_printf(f->arena, "\"properties\":{\"write.data.path\":\"%.*s\",", STR_ARG(theirs));
    put(&l, below(&l, "mine", "metadata/00099-a.metadata.json"),
        changed_text(&l, "mine", STR("\"properties\":{"), claims));
    l = without_database(f, &l);
    EXPECT_OK(catalog_list_places(l.catalog, mine.uuid, f->arena, &places, &count, &f->err));
    assert_int_equal(count, 0);
    EXPECT_OK(catalog_list_places(l.catalog, victim.uuid, f->arena, &places, &count, &f->err));
    assert_int_equal(count, 1);
    EXPECT_STR(places[0], theirs.data);
    lake_close(&l);
}

static void test_a_table_at_the_place_of_a_dropped_one_comes_back(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = INT64_C(3600000)});
    bool dropped = false;
    table_info second;

    EXPECT_OK(create_only(&l, f->arena, "t", AT("s3://warehouse/x/t"), &f->err));
    EXPECT_OK(append_one(&l, "t", STR("s3://warehouse/x/t/data/1.parquet"), &f->err));
    EXPECT_OK(append_one(&l, "t", STR("s3://warehouse/x/t/data/2.parquet"), &f->err));
    EXPECT_OK(catalog_drop_table(l.catalog, in_main("t"), false, &dropped, &f->err));
    EXPECT_OK(create_only(&l, f->arena, "t", AT("s3://warehouse/x/t"), &f->err));
    ice_metadata_unref(load(&l, "t", &second));
    l = without_database(f, &l);
    expect_same(&l, "t", &second);
    lake_close(&l);
}

/* What a kill leaves between the answer and the end of the work. */
static void test_what_was_purged_and_dropped_stays_gone_and_its_files_go(void **context)
{
    fixture *f = *context;
    lake l = lake_open_with(f, (lake_wishes){.retention_ms = INT64_C(3600000)});
    dropped_table *list = NULL;
    ice_metadata *m = NULL;
    namespace_info space;
    size_t count = 0;
    table_info info;

    EXPECT_OK(make_table(&l, "t", STR_NULL, &f->err));
    EXPECT_OK(make_table(&l, "other", STR_NULL, &f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("gone"), NULL, 0, &f->err));
    ice_metadata_unref(load(&l, "t", &info));
    put(&l, str_printf(f->arena, "s3://warehouse/.tarn/names/%.*s.json", STR_ARG(info.uuid)),
        str_printf(
            f->arena,
            "{\"namespace\":\"main\",\"table\":\"t\",\"uuid\":\"%.*s\",\"location\":\"%.*s\","
            "\"metadata-location\":\"%.*s\",\"dropped-us\":7,\"purge-us\":7,"
            "\"dropped-by\":\"ann\"}",
            STR_ARG(info.uuid), STR_ARG(info.location), STR_ARG(info.metadata_location)));
    put(&l, STR("s3://warehouse/.tarn/namespaces/gone.json"),
        STR("{\"namespace\":\"gone\",\"properties\":{},\"dropped\":true}"));
    l = without_database(f, &l);
    EXPECT_STATUS(NO_TABLE,
                  catalog_load_table(l.catalog, in_main("t"), f->arena, &m, &info, &f->err));
    EXPECT_STATUS(NO_NAMESPACE,
                  catalog_get_namespace(l.catalog, STR("gone"), f->arena, &space, &f->err));
    EXPECT_OK(catalog_list_dropped(l.catalog, STR_NULL, f->arena, &list, &count, &f->err));
    assert_int_equal(0, count);
    str file = str_copy(f->arena, info.metadata_location);
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("gone"), NULL, 0, &f->err));
    lake_close(&l);
    l = lake_open(f);
    for (str bytes;
         store_read_all(l.storage, file, LIMIT_MIB, f->arena, &bytes, NULL) == STATUS_OK;) {
        clock_sleep_ms(5); /* until it is purged */
    }
    ice_metadata_unref(load(&l, "other", &info));
    l = without_database(f, &l); /* the record of a namespace that was made again is its own */
    EXPECT_OK(catalog_get_namespace(l.catalog, STR("gone"), f->arena, &space, &f->err));
    EXPECT_STATUS(NO_TABLE,
                  catalog_load_table(l.catalog, in_main("t"), f->arena, &m, &info, &f->err));
    lake_close(&l);
}

static str space_property(const namespace_info *info, const char *key)
{
    for (size_t i = 0; i < info->property_count; i++) {
        if (str_equal(info->properties[i].key, str_c(key))) {
            return info->properties[i].value;
        }
    }
    return STR_NULL;
}

static void test_namespaces_come_back_with_properties_and_flags(void **context)
{
    static const catalog_property first[] = {
        {STR_INIT("owner"), STR_INIT("ann")},
        {STR_INIT("location"), STR_INIT("s3://warehouse/elsewhere")}};
    static const catalog_property second[] = {{STR_INIT("note"), STR_INIT("\xc3\xbc \"")}};
    static const str gone = STR_INIT("owner");
    fixture *f = *context;
    lake l = lake_open(f);
    catalog_property_result changed;
    namespace_info info;

    EXPECT_OK(catalog_create_namespace(l.catalog, STR("Empty"), first, COUNT_OF(first), &f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("Empty.inner"), NULL, 0, &f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("gone"), first, 1, &f->err));
    EXPECT_OK(catalog_drop_namespace(l.catalog, STR("gone"), false, &f->err));
    const catalog_property_change change = {
        .set = second, .set_count = 1, .removed = &gone, .removed_count = 1};
    EXPECT_OK(
        catalog_change_namespace(l.catalog, STR("empty"), &change, f->arena, &changed, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, (table_name){.space = STR("Empty"), .table = STR("")},
                              true, &f->err));
    EXPECT_OK(catalog_create_namespace(l.catalog, STR("flagged"), NULL, 0, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, (table_name){.space = STR("flagged"), .table = STR("")},
                              true, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, (table_name){.space = STR("flagged"), .table = STR("")},
                              false, &f->err));
    for (int i = 0; i < 2; i++) { /* what came back is recorded as it was */
        l = without_database(f, &l);
        EXPECT_OK(catalog_get_namespace(l.catalog, STR("empty"), f->arena, &info, &f->err));
        EXPECT_STR(info.name, "Empty");
        assert_true(info.is_protected);
        assert_int_equal(info.property_count, 2);
        EXPECT_STR(space_property(&info, "note"), "\xc3\xbc \"");
        EXPECT_STR(space_property(&info, "location"), "s3://warehouse/elsewhere");
        EXPECT_STR(info.location, "s3://warehouse/elsewhere");
        EXPECT_OK(catalog_get_namespace(l.catalog, STR("empty.inner"), f->arena, &info, &f->err));
        EXPECT_OK(catalog_get_namespace(l.catalog, STR("flagged"), f->arena, &info, &f->err));
        assert_false(info.is_protected);
        EXPECT_STATUS(NO_NAMESPACE,
                      catalog_get_namespace(l.catalog, STR("gone"), f->arena, &info, &f->err));
    }
    lake_close(&l);
}

static void test_protection_of_tables_comes_back(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    bool is_protected = false;

    EXPECT_OK(create_only(&l, f->arena, "kept", "", &f->err));
    EXPECT_OK(create_only(&l, f->arena, "placed", AT("s3://warehouse/x/placed"), &f->err));
    EXPECT_OK(create_only(&l, f->arena, "free", "", &f->err));
    EXPECT_OK(catalog_protect(l.catalog, in_main("kept"), true, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, in_main("placed"), true, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, in_main("free"), true, &f->err));
    EXPECT_OK(catalog_protect(l.catalog, in_main("free"), false, &f->err));
    EXPECT_OK(catalog_rename_table(l.catalog, in_main("kept"), in_main("kept2"), &f->err));
    EXPECT_OK(
        commit_only(&l, f->arena, "placed", "", SET_LOCATION("s3://warehouse/y/placed"), &f->err));
    l = without_database(f, &l);
    EXPECT_OK(catalog_is_protected(l.catalog, in_main("kept2"), &is_protected, &f->err));
    assert_true(is_protected);
    EXPECT_OK(catalog_is_protected(l.catalog, in_main("placed"), &is_protected, &f->err));
    assert_true(is_protected);
    EXPECT_OK(catalog_is_protected(l.catalog, in_main("free"), &is_protected, &f->err));
    assert_false(is_protected);
    lake_close(&l);
}

TESTS(test_places_come_back_from_metadata_alone, test_a_copy_of_a_table_takes_nothing_of_it,
      test_files_in_the_place_of_a_table_decide_over_no_other,
      test_files_in_further_places_of_a_table_decide_over_no_other,
      test_a_table_at_a_place_like_anothers_is_not_that_other,
      test_metadata_claims_no_place_of_another_table,
      test_a_table_at_the_place_of_a_dropped_one_comes_back,
      test_what_was_purged_and_dropped_stays_gone_and_its_files_go,
      test_namespaces_come_back_with_properties_and_flags, test_protection_of_tables_comes_back)

/* Claims about pages of names and properties of namespaces. */
#include "asks.h"

#include "tarn/catalog/warehouse.h"

static size_t all_pages(lake *l,
                        status (*page_of)(catalog *c, str space, const catalog_page *page, arena *a,
                                          catalog_names *ret_names, error *err),
                        const char *space, size_t limit, buf *ret_text)
{
    catalog_page page = {.after = STR_NULL, .limit = limit};
    catalog_names names;
    size_t pages = 0;

    do {
        EXPECT_OK(page_of(l->catalog, str_c(space), &page, l->f->arena, &names, &l->f->err));
        assert_true(limit == 0 || names.count <= limit);
        for (size_t i = 0; i < names.count; i++) {
            str name =
                page_of == catalog_page_namespaces ? names.items[i].space : names.items[i].table;
            buf_add_str(ret_text, name);
            buf_add_char(ret_text, ' ');
        }
        page.after = names.next;
        pages++;
    } while (!str_is_null(names.next));
    return pages;
}

static void test_pages_give_every_name_once_in_order(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    static const char *const tables[] = {"b", "A", "d", "c", "e"};
    static const size_t limits[] = {0, 1, 2, 3, 5, 6};
    static const size_t pages[] = {1, 5, 3, 2, 1, 1};

    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        EXPECT_OK(create_only(&l, f->arena, tables[i], "", &f->err));
    }
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        buf *text = buf_in(f->arena, 1000);
        assert_int_equal(pages[i], all_pages(&l, catalog_page_tables, "main", limits[i], text));
        EXPECT_STR(buf_str(text), "A b c d e ");
    }
    buf *none = buf_in(f->arena, 1000);
    assert_int_equal(1, all_pages(&l, catalog_page_views, "main", 2, none));
    EXPECT_STR(buf_str(none), "");
    catalog_names names;
    const catalog_page page = {.after = STR_NULL};
    EXPECT_STATUS(NO_NAMESPACE,
                  catalog_page_tables(l.catalog, STR("x"), &page, f->arena, &names, &f->err));
    lake_close(&l);
}

static void test_namespaces_show_direct_children_alone(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    static const char *const spaces[] = {"a",   "a.x", "a.x.deep",    "a.x-y",    "a.z",
                                         "a-b", "b",   "a.x.deep.er", "a.x.deep2"};

    for (size_t i = 0; i < COUNT_OF(spaces); i++) {
        EXPECT_OK(catalog_create_namespace(l.catalog, str_c(spaces[i]), NULL, 0, &f->err));
    }
    EXPECT_OK(catalog_create_warehouse(l.catalog, STR("lake"), STR("s3://lake"), &f->err));
    for (size_t limit = 0; limit < 5; limit++) {
        buf *top = buf_in(f->arena, 1000);
        buf *inner = buf_in(f->arena, 1000);
        (void)all_pages(&l, catalog_page_namespaces, "", limit, top);
        EXPECT_STR(buf_str(top), "a a-b b main ");
        (void)all_pages(&l, catalog_page_namespaces, "A", limit, inner);
        EXPECT_STR(buf_str(inner), "a.x a.x-y a.z ");
    }
    catalog_names names;
    const catalog_page page = {.after = STR_NULL};
    EXPECT_STATUS(NO_NAMESPACE,
                  catalog_page_namespaces(l.catalog, STR("x"), &page, f->arena, &names, &f->err));
    lake_close(&l);
}

static str property(lake *l, const char *space, const char *key)
{
    namespace_info info;

    EXPECT_OK(catalog_get_namespace(l->catalog, str_c(space), l->f->arena, &info, &l->f->err));
    for (size_t i = 0; i < info.property_count; i++) {
        if (str_equal(info.properties[i].key, str_c(key))) {
            return info.properties[i].value;
        }
    }
    return STR("absent");
}

static void test_properties_of_a_namespace_change(void **context)
{
    fixture *f = *context;
    lake l = lake_open(f);
    const catalog_property set[] = {{STR_INIT("owner"), STR_INIT("ada")},
                                    {STR_INIT("location"), STR_INIT("s3://warehouse/mine/")}};
    const str removed[] = {STR_INIT("owner"), STR_INIT("none"), STR_INIT("location")};
    const catalog_property outside = {STR_INIT("location"), STR_INIT("s3://other/x")};
    catalog_property_change change = {.set = set, .set_count = 2};
    catalog_property_result result;
    catalog_loaded loaded;

    EXPECT_STR(property(&l, "main", "location"), "s3://warehouse/main");
    EXPECT_OK(
        catalog_change_namespace(l.catalog, STR("Main"), &change, f->arena, &result, &f->err));
    EXPECT_STR(property(&l, "main", "owner"), "ada");
    EXPECT_STR(property(&l, "main", "location"), "s3://warehouse/mine/");
    EXPECT_OK(ask_create(&l, f->arena, "t", "", &loaded, &f->err));
    assert_true(str_starts_with(loaded.info.location, STR("s3://warehouse/mine/t-")));
    const catalog_property taken = {STR_INIT("location"), loaded.info.location};
    change = (catalog_property_change){.set = &taken, .set_count = 1};
    EXPECT_STATUS(INVALID, catalog_change_namespace(l.catalog, STR("main"), &change, f->arena,
                                                    &result, &f->err));
    change = (catalog_property_change){.set = set, .set_count = 2};
    ice_metadata_unref(loaded.metadata);
    change.removed = removed;
    change.removed_count = 1;
    EXPECT_STATUS(INVALID, catalog_change_namespace(l.catalog, STR("main"), &change, f->arena,
                                                    &result, &f->err));
    change = (catalog_property_change){.removed = removed, .removed_count = 3};
    EXPECT_OK(
        catalog_change_namespace(l.catalog, STR("main"), &change, f->arena, &result, &f->err));
    assert_int_equal(2, result.removed_count);
    assert_int_equal(1, result.missing_count);
    EXPECT_STR(result.missing[0], "none");
    EXPECT_STR(property(&l, "main", "owner"), "absent");
    EXPECT_STR(property(&l, "main", "location"), "s3://warehouse/main");
    change = (catalog_property_change){.set = &outside, .set_count = 1};
    EXPECT_STATUS(DENIED, catalog_change_namespace(l.catalog, STR("main"), &change, f->arena,
                                                   &result, &f->err));
    change = (catalog_property_change){.set = set, .set_count = 1};
    EXPECT_STATUS(NO_NAMESPACE, catalog_change_namespace(l.catalog, STR("x"), &change, f->arena,
                                                         &result, &f->err));
    lake_close(&l);
}

TESTS(test_pages_give_every_name_once_in_order, test_namespaces_show_direct_children_alone,
      test_properties_of_a_namespace_change)

/* lake.h: a catalog over the real database and store in a folder of the test's own. */
#ifndef TARN_TEST_UNIT_CATALOG_LAKE_H
#define TARN_TEST_UNIT_CATALOG_LAKE_H

#include "support/test.h"

#include "tarn/base/fs.h"
#include "tarn/catalog/catalog.h"

typedef struct lake {
    fixture *f;
    state *state;
    storage *storage;
    catalog *catalog;
} lake;

/* What a test wants otherwise than most. */
typedef struct lake_wishes {
    int64_t orphan_age_ms; /* files that killed commits left in plain folders go then; 0: never */
    int64_t retention_ms, answers_kept_ms;
    bool own_locations;
} lake_wishes;

static inline lake lake_open_with(fixture *f, lake_wishes wishes)
{
    static state_migration all[16];
    size_t count = 0;
    lake l = {.f = f};

    for (size_t i = 0; i < store_migration_count; i++) {
        all[count++] = store_migrations[i];
    }
    for (size_t i = 0; i < catalog_migration_count; i++) {
        all[count++] = catalog_migrations[i];
    }
    const state_options db = {.path = test_path(f, "tarn.db")};
    EXPECT_OK(state_open(&db, all, count, &l.state, &f->err));
    const str roots[] = {str_c(test_path(f, "lake"))};
    EXPECT_OK(fs_make_dirs(roots[0].data, 0700, &f->err));
    const char *data = test_path(f, "data"); /* no root may lie in it */
    EXPECT_OK(fs_make_dirs(data, 0700, &f->err));
    const storage_options st = {
        .data_path = data, .state = l.state, .local_roots = roots, .local_root_count = 1};
    EXPECT_OK(storage_open(&st, &l.storage, &f->err));
    const catalog_options options = {.state = l.state,
                                     .storage = l.storage,
                                     .warehouse = STR("tarn"),
                                     .warehouse_location = STR("s3://warehouse"),
                                     .orphan_age_ms = wishes.orphan_age_ms,
                                     .retention_ms = wishes.retention_ms,
                                     .answers_kept_ms = wishes.answers_kept_ms,
                                     .own_locations = wishes.own_locations,
                                     .hot_bytes_max = (size_t)64 << 20};
    EXPECT_OK(catalog_open(&options, &l.catalog, &f->err));
    return l;
}

static inline lake lake_open_sweeping(fixture *f, int64_t orphan_age_ms)
{
    return lake_open_with(f, (lake_wishes){.orphan_age_ms = orphan_age_ms});
}

static inline lake lake_open(fixture *f)
{
    return lake_open_with(f, (lake_wishes){0});
}

static inline void lake_close(lake *l)
{
    catalog_close(l->catalog);
    storage_close(l->storage);
    state_close(l->state);
}

static inline const ice_type *two_columns(void)
{
    static _Thread_local ice_field fields[2];
    static _Thread_local ice_type root;

    root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = 2};
    fields[0] = (ice_field){.name = STR("id"), .type = ice_type_primitive(ICE_LONG)};
    fields[1] = (ice_field){.name = STR("name"), .type = ice_type_primitive(ICE_STRING)};
    return &root;
}

static inline status make_table(lake *l, const char *name, str location, error *err)
{
    bool created = false;
    const catalog_create create = {
        .name = {.space = STR("main"), .table = str_c(name)},
        .table = {.location = location, .root = two_columns()},
    };
    return catalog_create_table(l->catalog, &create, &created, err);
}

static inline ice_metadata *load(lake *l, const char *name, table_info *ret_info)
{
    ice_metadata *m = NULL;
    const table_name wanted = {.space = STR("main"), .table = str_c(name)};
    EXPECT_OK(catalog_load_table(l->catalog, wanted, l->f->arena, &m, ret_info, &l->f->err));
    return m;
}

/* One data file of one row; its bytes do not matter here. */
static inline status append_one(lake *l, const char *name, str path, error *err)
{
    store_staged *staged = NULL;
    ice_commit_result result;
    const table_name table = {.space = STR("main"), .table = str_c(name)};
    const ice_file file = {.path = path,
                           .format = STR("PARQUET"),
                           .record_count = 1,
                           .size_bytes = 8,
                           .sort_order_id = -1,
                           .first_row_id = ICE_NO_ROW_ID,
                           .content_offset = -1,
                           .content_size_bytes = -1};

    TRY(store_stage_bytes(l->storage, path, STR("x"), STR("PAR1PAR1"), &staged, err));
    const ice_append append = {
        .files = &file, .file_count = 1, .staged = &staged, .staged_count = 1};
    return catalog_append(l->catalog, table, &append, &result, err);
}

#endif

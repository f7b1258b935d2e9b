/* lake.c: see lake.h. The product as it is: catalog, store and database, with the real commit. */
#include "lake.h"

#include "tarn/base/fs.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"

status lake_make_table(lake *l, const table_name *name, const ice_property *properties,
                       size_t property_count, error *err)
{
    static ice_field fields[2];
    static ice_type root = {.kind = ICE_STRUCT, .fields = fields, .field_count = 2};
    bool created = false;

    fields[0] = (ice_field){.name = STR("id"), .type = ice_type_primitive(ICE_LONG)};
    fields[1] = (ice_field){.name = STR("name"), .type = ice_type_primitive(ICE_STRING)};
    const catalog_create create = {
        .name = *name,
        .table = {.root = &root, .properties = properties, .property_count = property_count}};
    return catalog_create_table(l->catalog, &create, &created, err);
}

status lake_open(lake *l, const char *folder, bool unsafe, error *err)
{
    VEC(state_migration) all = {0};

    for (size_t i = 0; i < store_migration_count; i++) {
        vec_push(l->memory, &all, store_migrations[i]);
    }
    for (size_t i = 0; i < catalog_migration_count; i++) {
        vec_push(l->memory, &all, catalog_migrations[i]);
    }
    TRY(fs_make_dirs(folder, 0700, err));
    const state_options database = {.path = fs_join(l->memory, folder, "tarn.db"),
                                    .unsafe = unsafe};
    TRY(state_open(&database, all.items, all.count, &l->state, err));
    const storage_options store = {.data_path = folder, .state = l->state, .unsafe = unsafe};
    TRY(storage_open(&store, &l->storage, err));
    const catalog_options names = {.state = l->state,
                                   .storage = l->storage,
                                   .warehouse = STR("tarn"),
                                   .warehouse_location = STR("s3://warehouse")};
    TRY(catalog_open(&names, &l->catalog, err));
    char *bytes = arena_alloc(l->memory, LAKE_FILE_BYTES);
    for (size_t i = 0; i < LAKE_FILE_BYTES; i++) {
        bytes[i] = (char)(i < 4 ? "PAR1"[i] : (int)(i * 2654435761U >> 24));
    }
    l->data = str_from(bytes, LAKE_FILE_BYTES);
    return STATUS_OK;
}

void lake_close(lake *l)
{
    catalog_close(l->catalog);
    storage_close(l->storage);
    state_close(l->state);
}

status lake_append(lake *l, const table_name *name, error *err)
{
    arena *a = arena_create();
    ice_commit_result result;
    str path =
        str_printf(a, "s3://warehouse/main/%.*s/data/%016llx-%lld.parquet", STR_ARG(name->table),
                   (unsigned long long)random_u64(), (long long)l->files++);
    const ice_file file = {.path = path,
                           .format = STR("PARQUET"),
                           .record_count = 1,
                           .size_bytes = LAKE_FILE_BYTES,
                           .sort_order_id = -1,
                           .first_row_id = ICE_NO_ROW_ID,
                           .content_offset = -1,
                           .content_size_bytes = -1};
    const store_stage_request bytes = {
        .location = path, .content_type = STR("application/octet-stream"), .bytes = l->data};
    const ice_append append = {
        .files = &file, .file_count = 1, .unstaged = &bytes, .unstaged_count = 1};
    status done = catalog_append(l->catalog, *name, &append, &result, err);

    arena_free(a);
    return done;
}

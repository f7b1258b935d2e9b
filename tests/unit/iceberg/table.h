/* table.h: a table over the real store and database, with the smallest committer that keeps the rules of
 * commit.h: what tests of commits and scans are written with. */
#ifndef TARN_TEST_UNIT_ICEBERG_TABLE_H
#define TARN_TEST_UNIT_ICEBERG_TABLE_H

#include <stdio.h>

#include "support/test.h"
#include "tarn/base/fs.h"
#include "tarn/base/map.h"
#include "tarn/base/thread.h"
#include "tarn/iceberg/commit.h"

typedef struct test_table {
    state *db;
    storage *st;
    ice_committer committer;
    arena *memory;
    mutex lock;           /* of the two below */
    ice_metadata *latest; /* and its location, as the last commit left them */
    char location[512];
    int conflicts;         /* commits that came too late */
    int commits_to_refuse; /* answers CONFLICT this many times, without reason */
    str name;              /* of its pointer */
    bool borrows;          /* store and database are another table's */
} test_table;

static const state_migration table_migrations[] = {
    {"test", 1, "CREATE TABLE pointer (name TEXT PRIMARY KEY, location TEXT NOT NULL)"}};

/* --- the committer --- */

static status test_load(void *context, arena *a, ice_metadata **ret_metadata, str *ret_location,
                        error *err)
{
    test_table *t = context;

    (void)err;
    mutex_lock(&t->lock);
    *ret_metadata = ice_metadata_ref(t->latest);
    *ret_location = str_copy(a, str_c(t->location));
    mutex_unlock(&t->lock);
    return STATUS_OK;
}

typedef struct test_commit {
    test_table *table;
    str base, next;
    store_staged *const *staged;
    size_t staged_count;
    const str *obsolete;
    size_t obsolete_count;
    status (*extra)(void *context, state_txn *txn, error *err);
    void *extra_context;
} test_commit;

static status test_apply(void *context, state_txn *txn, error *err)
{
    test_commit *c = context;
    state_rows *rows;
    bool row;

    TRY(STATE_QUERY(txn, "SELECT location FROM pointer WHERE name = ?1", &rows, err,
                    SV_TEXT(c->table->name)));
    TRY(state_next(rows, &row, err));
    if (!row || !str_equal(state_text(rows, 0, NULL), c->base) || c->table->commits_to_refuse > 0) {
        c->table->conflicts++;
        c->table->commits_to_refuse -= c->table->commits_to_refuse > 0 ? 1 : 0;
        state_finish(rows);
        return error_set(err, STATUS_CONFLICT, "the table has moved on");
    }
    state_finish(rows);
    if (c->extra != NULL) {
        TRY(c->extra(c->extra_context, txn, err));
    }
    TRY(store_publish(c->table->st, txn, c->staged, c->staged_count, err));
    TRY(STATE_EXEC(txn, "UPDATE pointer SET location = ?1 WHERE name = ?2", NULL, err,
                   SV_TEXT(c->next), SV_TEXT(c->table->name)));
    return store_delete(c->table->st, txn, c->obsolete, c->obsolete_count, err);
}

static status test_commit_change(void *context, str base_location, str new_location,
                                 const ice_metadata *new_metadata, store_staged *const *staged,
                                 size_t staged_count, const str *obsolete, size_t obsolete_count,
                                 status (*extra)(void *extra_context, state_txn *txn, error *err),
                                 void *extra_context, error *err)
{
    test_table *t = context;
    test_commit c = {t,        base_location,  new_location, staged,       staged_count,
                     obsolete, obsolete_count, extra,        extra_context};
    status s = state_submit(t->db, test_apply, &c, err);

    if (s == STATUS_OK) {
        mutex_lock(&t->lock);
        /* A later commit may have been told first: its metadata stays. */
        if (new_metadata->last_sequence_number >= t->latest->last_sequence_number) {
            ice_metadata_unref(t->latest);
            t->latest = ice_metadata_ref(new_metadata);
            (void)snprintf(t->location, sizeof(t->location), "%.*s", STR_ARG(new_location));
        }
        mutex_unlock(&t->lock);
    }
    return s;
}

/* --- the table --- */

static status test_insert_pointer(void *context, state_txn *txn, error *err)
{
    test_table *t = context;

    return STATE_EXEC(txn, "INSERT INTO pointer (name, location) VALUES (?1, ?2)", NULL, err,
                      SV_TEXT(t->name), SV_TEXT(str_c(t->location)));
}

static void test_table_close(void *object)
{
    test_table *t = object;

    ice_cache_clear();
    ice_metadata_unref(t->latest);
    if (!t->borrows) {
        storage_close(t->st);
        state_close(t->db);
    }
    mutex_release(&t->lock);
}

static void test_open_store(fixture *f, test_table *t)
{
    state_migration *migrations = ARENA_ARRAY(f->arena, state_migration, store_migration_count + 1);
    str root = str_c(f->dir);
    state_options options = {.path = test_path(f, "tarn.db"), .unsafe = true};
    const char *data = test_path(f, "data"); /* nobody's place, unlike what is around it */
    storage_options store = {
        .data_path = data, .local_roots = &root, .local_root_count = 1, .unsafe = true};

    memcpy(migrations, store_migrations, store_migration_count * sizeof(*migrations));
    migrations[store_migration_count] = table_migrations[0];
    EXPECT_OK(fs_make_dirs(data, 0755, &f->err));
    EXPECT_OK(state_open(&options, migrations, store_migration_count + 1, &t->db, &f->err));
    store.state = t->db;
    EXPECT_OK(storage_open(&store, &t->st, &f->err));
}

/* A table with the columns id long, name string, day date, x double. In the store of `beside`, where that is not
 * NULL. */
static inline test_table *test_table_create_in(fixture *f, const test_table *beside, str location,
                                               const char *partitioning,
                                               const ice_property *properties,
                                               size_t property_count, int format_version)
{
    static const ice_field columns[] = {
        {.id = 1, .name = STR_INIT("id"), .required = true},
        {.id = 2, .name = STR_INIT("name")},
        {.id = 3, .name = STR_INIT("day")},
        {.id = 4, .name = STR_INIT("x")},
    };
    static const ice_kind kinds[] = {ICE_LONG, ICE_STRING, ICE_DATE, ICE_DOUBLE};
    test_table *t = ARENA_NEW(f->arena, test_table);
    ice_field *fields = ARENA_ARRAY(f->arena, ice_field, COUNT_OF(columns));
    ice_type root = {.kind = ICE_STRUCT, .fields = fields, .field_count = COUNT_OF(columns)};
    ice_create options = {.location = location,
                          .root = &root,
                          .partition_sql = str_c(partitioning),
                          .properties = properties,
                          .property_count = property_count,
                          .format_version = format_version};
    store_staged *staged;
    str metadata_location;

    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        fields[i] = columns[i];
        fields[i].type = ice_type_primitive(kinds[i]);
    }
    t->memory = f->arena;
    mutex_init(&t->lock);
    t->name = location;
    if (beside != NULL) {
        t->borrows = true;
        t->st = beside->st;
        t->db = beside->db;
    } else {
        test_open_store(f, t);
    }
    EXPECT_OK(ice_metadata_create(&options, &t->latest, &f->err));
    arena_defer(f->arena, test_table_close, t);
    EXPECT_OK(
        ice_metadata_stage(t->st, t->latest, 0, &staged, f->arena, &metadata_location, &f->err));
    EXPECT_OK(store_put(t->st, staged, &f->err));
    (void)snprintf(t->location, sizeof(t->location), "%.*s", STR_ARG(metadata_location));
    EXPECT_OK(state_submit(t->db, test_insert_pointer, t, &f->err));
    t->committer = (ice_committer){
        .load = test_load, .commit = test_commit_change, .context = t, .storage = t->st};
    return t;
}

static inline test_table *test_table_create(fixture *f, str location, const char *partitioning,
                                            const ice_property *properties, size_t property_count)
{
    return test_table_create_in(f, NULL, location, partitioning, properties, property_count, 0);
}

/* --- files --- */

/* A data file of `rows` rows whose ids run from `first_id` on; the bytes are not Parquet, and nobody looks. */
static inline ice_file test_file(arena *a, const ice_metadata *m, const ice_value *partition,
                                 int64_t first_id, int64_t rows)
{
    const ice_type *type = ice_type_primitive(ICE_LONG);
    ice_value low = {.kind = ICE_LONG, .integer = first_id};
    ice_value high = {.kind = ICE_LONG, .integer = first_id + rows - 1};
    avro_int_bytes *bounds = ARENA_ARRAY(a, avro_int_bytes, 2);
    avro_int_long *counts = ARENA_ARRAY(a, avro_int_long, 2);
    const ice_spec *spec = ice_metadata_spec(m);

    bounds[0] = (avro_int_bytes){1, ice_value_encode(type, &low, a)};
    bounds[1] = (avro_int_bytes){1, ice_value_encode(type, &high, a)};
    counts[0] = (avro_int_long){1, rows};
    counts[1] = (avro_int_long){1, 0};
    return (ice_file){.path = ice_data_location(m, spec, partition, a),
                      .format = STR("PARQUET"),
                      .partition = partition,
                      .partition_count = spec->field_count,
                      .spec_id = spec->id,
                      .record_count = rows,
                      .size_bytes = 8,
                      .value_counts = counts,
                      .value_count_count = 1,
                      .null_counts = counts + 1,
                      .null_count_count = 1,
                      .lower_bounds = bounds,
                      .lower_bound_count = 1,
                      .upper_bounds = bounds + 1,
                      .upper_bound_count = 1,
                      .sort_order_id = 0,
                      .first_row_id = ICE_NO_ROW_ID,
                      .content_offset = -1,
                      .content_size_bytes = -1};
}

static inline store_stage_request test_request(const ice_file *file)
{
    return (store_stage_request){.location = file->path,
                                 .content_type = STR("application/octet-stream"),
                                 .bytes = STR("PAR1PAR1")};
}

/* Objects below a prefix. */
static inline size_t test_count_objects(fixture *f, const test_table *t, str prefix,
                                        int64_t *ret_bytes)
{
    store_object *objects;
    size_t count = 0;
    size_t got;
    str after = STR_NULL;

    if (ret_bytes != NULL) {
        *ret_bytes = 0;
    }
    do {
        EXPECT_OK(store_list(t->st, prefix, after, 500, f->arena, &objects, &got, &f->err));
        for (size_t i = 0; ret_bytes != NULL && i < got; i++) {
            *ret_bytes += objects[i].size_bytes;
        }
        after = got > 0 ? objects[got - 1].location : STR_NULL;
        count += got;
    } while (got == 500);
    return count;
}

#endif

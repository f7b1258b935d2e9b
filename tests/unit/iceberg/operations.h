/* operations.h: changes of a test table (table.h) that tests put together: files of a day, and every kind of commit
 * over them. The table is partitioned by the column `day`. */
#ifndef TARN_TEST_UNIT_ICEBERG_OPERATIONS_H
#define TARN_TEST_UNIT_ICEBERG_OPERATIONS_H

#include "table.h"
#include "tarn/base/rng.h"
#include "tarn/iceberg/evolve.h"
#include "tarn/iceberg/overwrite.h"

/* A data file of one day, ids from `first_id` on. */
static inline ice_file op_file(arena *a, const ice_metadata *m, int32_t day, int64_t first_id,
                               int64_t rows)
{
    ice_value *partition = ARENA_NEW(a, ice_value);
    ice_file file;

    *partition = (ice_value){.kind = ICE_DATE, .integer = day};
    file = test_file(a, m, partition, first_id, rows);
    file.referenced_data_file = STR_NULL;
    file.key_metadata = STR_NULL;
    return file;
}

/* Position deletes of one data file, or its deletion vector. */
static inline ice_file op_deletes(arena *a, const ice_file *data, int64_t rows, bool vector)
{
    char uuid[37];
    ice_file file = {.content = ICE_POSITION_DELETES,
                     .format = vector ? STR("PUFFIN") : STR("PARQUET"),
                     .partition = data->partition,
                     .partition_count = data->partition_count,
                     .spec_id = data->spec_id,
                     .record_count = rows,
                     .size_bytes = 8,
                     .sort_order_id = -1,
                     .key_metadata = STR_NULL,
                     .first_row_id = ICE_NO_ROW_ID,
                     .referenced_data_file = data->path,
                     .content_offset = vector ? 4 : -1,
                     .content_size_bytes = vector ? 40 : -1};

    random_uuid(uuid);
    file.path = str_printf(a, "%.*s-%s-deletes.%s", STR_ARG(data->path), uuid,
                           vector ? "puffin" : "parquet");
    return file;
}

static inline const ice_expr *op_day_is(arena *a, int32_t day)
{
    ice_value *value = ARENA_NEW(a, ice_value);
    ice_expr *e = ARENA_NEW(a, ice_expr);

    *value = (ice_value){.kind = ICE_DATE, .integer = day};
    *e = (ice_expr){.kind = ICE_EQ, .field_id = 3, .values = value, .value_count = 1};
    return e;
}

static inline status op_append(const ice_committer *committer, const ice_file *files, size_t count,
                               arena *a, ice_commit_result *ret_result, error *err)
{
    store_stage_request *requests = ARENA_ARRAY(a, store_stage_request, count);
    ice_append append = {.files = files,
                         .file_count = count,
                         .unstaged = requests,
                         .unstaged_count = count,
                         .table_uuid = STR_NULL};

    for (size_t i = 0; i < count; i++) {
        requests[i] = test_request(&files[i]);
    }
    return ice_commit_append(committer, &append, ret_result, err);
}

/* Fills in what every overwrite of a test has; the bytes of `added` are staged with it. */
static inline status op_overwrite(const ice_committer *committer, ice_overwrite *change, arena *a,
                                  ice_commit_result *ret_result, error *err)
{
    store_stage_request *requests = ARENA_ARRAY(a, store_stage_request, change->added_count);

    for (size_t i = 0; i < change->added_count; i++) {
        requests[i] = test_request(&change->added[i]);
    }
    change->unstaged = requests;
    change->unstaged_count = change->added_count;
    change->table_uuid = STR_NULL;
    if (change->branch.data == NULL) {
        change->branch = STR_NULL;
    }
    return ice_commit_overwrite(committer, change, ret_result, err);
}

/* The live data file of the table whose first id is this one. */
static inline ice_file op_find(fixture *f, test_table *t, int64_t first_id)
{
    ice_scan_options options = {
        .metadata = t->latest, .snapshot_id = ICE_NO_SNAPSHOT, .all_metrics = true};
    ice_scan scan = {.file_count = 0};

    EXPECT_OK(ice_scan_plan(t->st, &options, f->arena, &scan, &f->err));
    for (size_t i = 0; i < scan.file_count; i++) {
        ice_value id;

        EXPECT_OK(ice_value_decode(ice_type_primitive(ICE_LONG),
                                   scan.files[i].lower_bounds[0].value, &id, &f->err));
        if (id.integer == first_id) {
            return scan.files[i];
        }
    }
    fail_msg("no file begins with id %lld", (long long)first_id);
    return (ice_file){.record_count = -1};
}

#endif

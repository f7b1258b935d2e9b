/* evolving.h: tables to change, and short ways to look at what became of them. */
#ifndef TARN_TEST_UNIT_ICEBERG_EVOLVING_H
#define TARN_TEST_UNIT_ICEBERG_EVOLVING_H

#include "table.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/evolve.h"

#define PATH(...)                                    \
    ((ice_path){.parts = (const str[]){__VA_ARGS__}, \
                .count = sizeof((const str[]){__VA_ARGS__}) / sizeof(str)})

static inline void release(void *object)
{
    ice_metadata_unref(object);
}

static inline ice_metadata *parsed(fixture *f, str text)
{
    ice_metadata *m = NULL;

    EXPECT_OK(ice_metadata_parse(text, &m, &f->err));
    arena_defer(f->arena, release, m);
    return m;
}

/* A schema in one line of JSON with ' for ". */
static inline const ice_type *type_of(fixture *f, const char *text)
{
    const json *value = NULL;
    const ice_type *type = NULL;

    EXPECT_OK(json_parse(QUOTED(f, text), f->arena, &value, &f->err));
    EXPECT_OK(ice_type_parse(value, f->arena, &type, &f->err));
    return type;
}

#define COLUMNS                                                                             \
    "{'type': 'struct', 'fields': ["                                                        \
    "{'id': 1, 'name': 'id', 'required': true, 'type': 'int'},"                             \
    "{'id': 2, 'name': 'Name', 'required': false, 'type': 'string', 'doc': 'who'},"         \
    "{'id': 3, 'name': 'day', 'required': false, 'type': 'date'},"                          \
    "{'id': 4, 'name': 'price', 'required': false, 'type': 'decimal(9, 2)'},"               \
    "{'id': 5, 'name': 's', 'required': false, 'type': {'type': 'struct', 'fields': ["      \
    "  {'id': 9, 'name': 'a', 'required': false, 'type': 'float'},"                         \
    "  {'id': 10, 'name': 'b', 'required': true, 'type': 'long'}]}},"                       \
    "{'id': 6, 'name': 'xs', 'required': false, 'type': {'type': 'list', 'element-id': 11," \
    "  'element-required': false, 'element': {'type': 'struct', 'fields': ["                \
    "    {'id': 12, 'name': 'v', 'required': false, 'type': 'int'}]}}},"                    \
    "{'id': 7, 'name': 'm', 'required': false, 'type': {'type': 'map', 'key-id': 13,"       \
    "  'key': {'type': 'struct', 'fields': [{'id': 15, 'name': 'k', 'required': true,"      \
    "  'type': 'int'}]}, 'value-id': 14, 'value-required': false, 'value': 'int'}},"        \
    "{'id': 8, 'name': 'at', 'required': false, 'type': 'timestamp'}]}"

static inline const ice_metadata *table(fixture *f, int version, const char *partitioning)
{
    ice_metadata *m = NULL;
    ice_create options = {.location = STR("s3://b/t"),
                          .root = type_of(f, COLUMNS),
                          .partition_sql = str_c(partitioning),
                          .format_version = version};

    EXPECT_OK(ice_metadata_create(&options, &m, &f->err));
    arena_defer(f->arena, release, m);
    return m;
}

static inline ice_builder *builder(fixture *f, int version, const char *partitioning)
{
    return ice_builder_create(table(f, version, partitioning), f->arena);
}

static inline const ice_schema *schema_now(const ice_builder *b)
{
    return ice_metadata_schema(ice_builder_now(b));
}

static inline const ice_field *column(const ice_builder *b, const char *name)
{
    return ice_schema_column(schema_now(b), str_c(name));
}

/* A first snapshot, so that the table holds rows. */
static inline void add_rows(fixture *f, ice_builder *b, int64_t id)
{
    const ice_metadata *now = ice_builder_now(b);
    ice_snapshot s = {.id = id,
                      .parent_id = now->current_snapshot_id,
                      .sequence_number = now->last_sequence_number + 1,
                      .timestamp_ms = now->last_updated_ms + 1,
                      .first_row_id = now->format_version > 2 ? now->next_row_id : ICE_NO_ROW_ID,
                      .added_rows = now->format_version > 2 ? 10 : ICE_NO_ROW_ID,
                      .schema_id = now->current_schema_id,
                      .manifest_list = STR("s3://b/t/metadata/snap.avro")};
    ice_ref head = {.name = STR("main"),
                    .snapshot_id = id,
                    .max_ref_age_ms = -1,
                    .max_snapshot_age_ms = -1,
                    .min_snapshots_to_keep = -1};

    EXPECT_OK(ice_builder_add_snapshot(b, &s, &f->err));
    EXPECT_OK(ice_builder_set_ref(b, &head, &f->err));
}

static inline str formatted(fixture *f, const ice_metadata *m)
{
    buf *out = buf_in(f->arena, LIMIT_METADATA_FILE);

    ice_metadata_format(m, out);
    return buf_str(out);
}

#endif

/* Claims about manifests and manifest lists. Goldens: tables that Spark and PyIceberg wrote
 * (tests/golden/iceberg/README.md); the numbers are what PyIceberg 0.10 reads from the same files. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/manifest.h"

#include "internal.h"

static void release(void *object)
{
    ice_metadata_unref(object);
}

static ice_metadata *metadata(fixture *f, const char *path)
{
    ice_metadata *m = NULL;

    EXPECT_OK(ice_metadata_parse(GOLDEN(f, arena_printf(f->arena, "iceberg/tables/%s", path)), &m,
                                 &f->err));
    arena_defer(f->arena, release, m);
    return m;
}

/* The file of that name beside the metadata: the locations in the tables are of other machines. */
static str beside(fixture *f, const char *table, str location)
{
    str name = str_slice(location, str_find_last_char(location, '/') + 1, location.size);

    return GOLDEN(f, arena_printf(f->arena, "iceberg/tables/%s/%.*s", table, STR_ARG(name)));
}

typedef struct contents {
    ice_manifest *manifests;
    size_t manifest_count;
    ice_entry *entries[8];
    size_t entry_counts[8];
} contents;

static contents read_table(fixture *f, const char *table, const ice_metadata *m)
{
    const ice_snapshot *s = ice_metadata_snapshot(m);
    contents c = {.manifest_count = 0};

    EXPECT_OK(ice_manifest_list_parse(beside(f, table, s->manifest_list), f->arena, &c.manifests,
                                      &c.manifest_count, &f->err));
    assert_true(c.manifest_count <= COUNT_OF(c.entries));
    for (size_t i = 0; i < c.manifest_count; i++) {
        EXPECT_OK(ice_manifest_parse(beside(f, table, c.manifests[i].path), &c.manifests[i], m,
                                     true, f->arena, &c.entries[i], &c.entry_counts[i], &f->err));
    }
    return c;
}

static str partition_text(fixture *f, const ice_file *file)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);

    for (size_t i = 0; i < file->partition_count; i++) {
        ice_type type = {.kind = file->partition[i].kind, .scale = file->partition[i].scale};

        buf_add_c(out, i > 0 ? "/" : "");
        ice_value_format(&type, &file->partition[i], out);
    }
    return buf_str(out);
}

static void test_manifests_of_two_specs_are_read_under_their_own(void **given)
{
    fixture *f = *given;
    ice_metadata *m = metadata(f, "hive_partitioned/v4.metadata.json");
    contents c = read_table(f, "hive_partitioned", m);
    const ice_file *file;

    assert_int_equal(c.manifest_count, 2);
    assert_int_equal(c.manifests[0].spec_id, 1);
    assert_int_equal(c.manifests[0].sequence_number, 2);
    assert_int_equal(c.manifests[0].added_files, 4);
    assert_int_equal(c.manifests[0].added_rows, 4);
    assert_int_equal(c.manifests[0].partition_count, 2);
    assert_false(c.manifests[0].partitions[0].contains_null);
    EXPECT_STR(c.manifests[0].partitions[1].lower, "click");
    EXPECT_STR(c.manifests[0].partitions[1].upper, "view");
    assert_int_equal(c.manifests[1].spec_id, 0);
    EXPECT_STR(partition_text(f, &c.entries[0][0].file), "2024-01-03/view");
    EXPECT_STR(partition_text(f, &c.entries[1][0].file), "2024-01-02");
    file = &c.entries[0][0].file;
    assert_int_equal(c.entries[0][0].status, ICE_ADDED);
    assert_int_equal(file->data_sequence, 2); /* inherited */
    assert_int_equal(file->file_sequence, 2);
    assert_int_equal(file->snapshot_id, INT64_C(5128628767169163501));
    assert_int_equal(file->record_count, 1);
    assert_int_equal(file->size_bytes, 921);
    EXPECT_STR(file->format, "PARQUET");
    assert_int_equal(file->null_count_count, 3);
    assert_int_equal(file->split_offset_count, 1);
    assert_int_equal(file->split_offsets[0], 4);
    assert_int_equal(file->lower_bounds[0].key, 1);
}

static void test_version_1_has_sequence_0_and_deleted_entries(void **given)
{
    fixture *f = *given;
    ice_metadata *m = metadata(f, "v1/00003-8d01e4aa-d143-49c9-898e-b5e477577b70.metadata.json");
    contents c = read_table(f, "v1", m);

    assert_int_equal(c.manifest_count, 2);
    assert_int_equal(c.manifests[0].existing_files, 2);
    assert_int_equal(c.manifests[1].deleted_rows, 6);
    assert_int_equal(c.entries[0][0].status, ICE_EXISTING);
    assert_int_equal(c.entries[0][0].file.data_sequence, 0);
    assert_int_equal(c.entries[1][1].status, ICE_DELETED);
}

static void test_counts_that_a_list_leaves_out_are_unknown(void **given)
{
    fixture *f = *given;
    ice_metadata *m = metadata(f, "v1/00004-v3-upgraded-v1-null-counts.metadata.json");
    contents c = read_table(f, "v1", m);

    assert_int_equal(m->format_version, 3);
    assert_int_equal(c.manifests[0].added_files, -1);
    assert_int_equal(c.manifests[0].existing_rows, -1);
    assert_int_equal(c.entries[0][0].file.first_row_id, ICE_NO_ROW_ID);
}

static void test_delete_files_tell_what_they_delete(void **given)
{
    fixture *f = *given;
    contents c =
        read_table(f, "equality_deletes", metadata(f, "equality_deletes/v7.metadata.json"));
    contents v = read_table(f, "deletion_vector",
                            metadata(f, "deletion_vector/00002-legacy-bare-dv.metadata.json"));
    const ice_file *deletes = &c.entries[3][0].file;
    const ice_file *vector = &v.entries[1][0].file;

    assert_true(c.manifests[3].deletes);
    assert_int_equal(deletes->content, ICE_EQUALITY_DELETES);
    assert_int_equal(deletes->equality_id_count, 2);
    assert_int_equal(deletes->data_sequence, 4);
    assert_int_equal(vector->content, ICE_POSITION_DELETES);
    EXPECT_STR(vector->format, "PUFFIN");
    assert_int_equal(vector->referenced_data_file.size, 147);
    assert_true(vector->content_offset >= 0);
    assert_int_equal(vector->content_size_bytes, 42);
}

static void test_metrics_are_left_out_where_they_are_not_wanted(void **given)
{
    fixture *f = *given;
    ice_metadata *m = metadata(f, "hive_partitioned/v4.metadata.json");
    contents c = read_table(f, "hive_partitioned", m);
    ice_entry *entries;
    size_t count;

    EXPECT_OK(ice_manifest_parse(beside(f, "hive_partitioned", c.manifests[0].path),
                                 &c.manifests[0], m, false, f->arena, &entries, &count, &f->err));
    assert_int_equal(count, 4);
    assert_int_equal(entries[0].file.lower_bound_count, 0);
    assert_int_equal(entries[0].file.record_count, 1);
}

static void test_damage_is_told_with_the_manifest_that_has_it(void **given)
{
    fixture *f = *given;
    ice_metadata *m = metadata(f, "hive_partitioned/v4.metadata.json");
    contents c = read_table(f, "hive_partitioned", m);
    str bytes = beside(f, "hive_partitioned", c.manifests[0].path);
    ice_manifest manifest = c.manifests[0];
    ice_entry *entries = NULL;
    size_t count;

    manifest.path = STR("s3://b/m.avro");
    EXPECT_STATUS(CORRUPT, ice_manifest_parse(str_slice(bytes, 0, bytes.size - 20), &manifest, m,
                                              true, f->arena, &entries, &count, &f->err));
    assert_true(str_starts_with(str_c(f->err.message), STR("manifest \"s3://b/m.avro\": ")));
    manifest.spec_id = 9;
    EXPECT_STATUS(UNSUPPORTED, ice_manifest_parse(bytes, &manifest, m, true, f->arena, &entries,
                                                  &count, &f->err));
    EXPECT_MESSAGE(
        f, "manifest \"s3://b/m.avro\": manifest has partition spec 9, which the table has not");
    assert_null(entries);
}

/* --- written and read back --- */

static const char every_type[] =
    "{'type':'struct','fields':["
    "{'id':1,'name':'b','required':false,'type':'boolean'},{'id':2,'name':'i','required':false,'type':'int'},"
    "{'id':3,'name':'l','required':false,'type':'long'},{'id':4,'name':'f','required':false,'type':'float'},"
    "{'id':5,'name':'d','required':false,'type':'double'},"
    "{'id':6,'name':'m','required':false,'type':'decimal(20, 3)'},"
    "{'id':7,'name':'a','required':false,'type':'date'},{'id':8,'name':'h','required':false,'type':'time'},"
    "{'id':9,'name':'t','required':false,'type':'timestamp'},"
    "{'id':10,'name':'z','required':false,'type':'timestamptz'},"
    "{'id':11,'name':'s','required':false,'type':'string'},{'id':12,'name':'u','required':false,'type':'uuid'},"
    "{'id':13,'name':'x','required':false,'type':'fixed[4]'},"
    "{'id':14,'name':'9 odd.name','required':false,'type':'binary'}]}";

static const char *const texts[] = {"true",
                                    "-7",
                                    "9000000000",
                                    "1.5",
                                    "-2.25",
                                    "-12345678901234567.125",
                                    "1969-12-31",
                                    "23:59:59.000001",
                                    "1969-12-31 23:59:59.999999",
                                    "2026-11-21 00:00:00+00",
                                    "h\xc3\xa9",
                                    "f79c3e09-677c-4bbd-a479-3f349cb785e7",
                                    "\\x00\\x01\\x02\\xff",
                                    "raw"};

static ice_metadata every_table(fixture *f, int version)
{
    ice_schema *schema = ARENA_NEW(f->arena, ice_schema);
    ice_spec *spec = ARENA_NEW(f->arena, ice_spec);
    const json *value = NULL;
    int32_t next = 1000;

    EXPECT_OK(json_parse(QUOTED(f, every_type), f->arena, &value, &f->err));
    EXPECT_OK(ice_schema_parse(value, f->arena, schema, &f->err));
    EXPECT_OK(ice_spec_parse_sql(STR("b,i,l,f,d,m,a,h,t,z,s,u,x,\"9 odd.name\""), schema, &next,
                                 f->arena, spec, &f->err));
    return (ice_metadata){.format_version = version,
                          .schemas = schema,
                          .schema_count = 1,
                          .specs = spec,
                          .spec_count = 1,
                          .current_snapshot_id = ICE_NO_SNAPSHOT};
}

static ice_entry entry_of(fixture *f, const ice_metadata *m, bool nulls)
{
    const ice_type *types = ice__spec_types(m, &m->specs[0], f->arena);
    ice_value *partition = ARENA_ARRAY(f->arena, ice_value, types->field_count);
    static const avro_int_long counts[] = {{1, 10}, {3, 20}};
    static const avro_int_bytes bounds[] = {{1, STR_INIT("low")}, {2, STR_INIT("")}};
    static const int64_t splits[] = {4, 400};

    for (size_t i = 0; i < types->field_count; i++) {
        partition[i] = (ice_value){.kind = types->fields[i].type->kind, .is_null = true};
        if (!nulls) {
            EXPECT_OK(ice_value_parse_text(types->fields[i].type, str_c(texts[i]), f->arena,
                                           &partition[i], &f->err));
        }
    }
    return (ice_entry){.status = ICE_ADDED,
                       .file = {.path = STR("s3://b/t/data/f.parquet"),
                                .format = STR("PARQUET"),
                                .partition = partition,
                                .partition_count = types->field_count,
                                .record_count = 30,
                                .size_bytes = 1000,
                                .column_sizes = counts,
                                .column_size_count = 2,
                                .value_counts = counts,
                                .value_count_count = 1,
                                .lower_bounds = bounds,
                                .lower_bound_count = 2,
                                .split_offsets = splits,
                                .split_offset_count = 2,
                                .sort_order_id = 3,
                                .first_row_id = ICE_NO_ROW_ID,
                                .content_offset = -1,
                                .content_size_bytes = -1,
                                .data_sequence = -1,
                                .file_sequence = -1}};
}

static void check_round_trip(fixture *f, int version)
{
    ice_metadata m = every_table(f, version);
    ice_entry entries[2] = {entry_of(f, &m, false), entry_of(f, &m, true)};
    ice_snapshot snapshot = {.id = 77,
                             .parent_id = ICE_NO_SNAPSHOT,
                             .sequence_number = version > 1 ? 5 : 0,
                             .first_row_id = version > 2 ? 100 : ICE_NO_ROW_ID};
    buf *bytes = buf_in(f->arena, LIMIT_MIB);
    buf *list = buf_in(f->arena, LIMIT_MIB);
    ice_manifest manifest;
    ice_manifest *manifests;
    ice_entry *back;
    size_t count;

    entries[1].status = ICE_EXISTING;
    entries[1].file.data_sequence = entries[1].file.file_sequence = version > 1 ? 3 : 0;
    entries[1].file.snapshot_id = 66;
    EXPECT_OK(
        ice_manifest_format(&m, 0, false, 77, entries, 2, f->arena, bytes, &manifest, &f->err));
    assert_int_equal(manifest.length_bytes, bytes->size);
    manifest.path = STR("s3://b/t/metadata/m.avro");
    manifest.first_row_id = version > 2 ? 100 : ICE_NO_ROW_ID;
    EXPECT_OK(ice_manifest_list_format(&m, &snapshot, &manifest, 1, list, &f->err));

    EXPECT_OK(ice_manifest_list_parse(buf_str(list), f->arena, &manifests, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(manifests[0].added_files, 1);
    assert_int_equal(manifests[0].existing_files, 1);
    assert_int_equal(manifests[0].added_rows, 30);
    assert_int_equal(manifests[0].sequence_number, version > 1 ? 5 : 0);
    assert_int_equal(manifests[0].min_sequence_number, version > 1 ? 3 : 0);
    assert_int_equal(manifests[0].partition_count, 14);
    assert_true(manifests[0].partitions[2].contains_null);
    assert_int_equal(manifests[0].partitions[3].contains_nan, 0);
    assert_int_equal(manifests[0].partitions[2].lower.size, 8);

    EXPECT_OK(ice_manifest_parse(buf_str(bytes), &manifests[0], &m, true, f->arena, &back, &count,
                                 &f->err));
    assert_int_equal(count, 2);
    EXPECT_STR(partition_text(f, &back[0].file),
               str_to_c(f->arena, partition_text(f, &entries[0].file)));
    EXPECT_STR(partition_text(f, &back[1].file),
               "null/null/null/null/null/null/null/null/null/null/null/null/"
               "null/null");
    assert_int_equal(back[0].file.data_sequence, version > 1 ? 5 : 0);
    assert_int_equal(back[0].file.snapshot_id, 77);
    assert_int_equal(back[1].file.data_sequence, version > 1 ? 3 : 0);
    assert_int_equal(back[1].file.snapshot_id, 66);
    assert_int_equal(back[0].file.column_sizes[1].value, 20);
    assert_int_equal(back[0].file.value_count_count, 1);
    assert_int_equal(back[0].file.null_count_count, 0);
    EXPECT_STR(back[0].file.lower_bounds[0].value, "low");
    EXPECT_STR(back[0].file.lower_bounds[1].value, "");
    assert_int_equal(back[0].file.split_offsets[1], 400);
    assert_int_equal(back[0].file.sort_order_id, 3);
    assert_int_equal(back[0].file.first_row_id, version > 2 ? 100 : ICE_NO_ROW_ID);
    assert_int_equal(back[1].file.first_row_id, version > 2 ? 130 : ICE_NO_ROW_ID);
}

static void test_every_partition_type_reads_back_in_every_version(void **given)
{
    for (int version = 1; version <= 3; version++) {
        check_round_trip(*given, version);
    }
}

static void test_values_that_fit_no_fixed_form_are_refused(void **given)
{
    fixture *f = *given;
    ice_metadata m = every_table(f, 2);
    ice_entry entry = entry_of(f, &m, false);
    ice_value *partition = ARENA_ARRAY(f->arena, ice_value, 14);
    buf *bytes = buf_in(f->arena, LIMIT_MIB);
    ice_manifest manifest;

    memcpy(partition, entry.file.partition, 14 * sizeof(ice_value));
    partition[12].bytes = STR("abc");
    entry.file.partition = partition;
    EXPECT_STATUS(INVALID, ice_manifest_format(&m, 0, false, 77, &entry, 1, f->arena, bytes,
                                               &manifest, &f->err));
    EXPECT_MESSAGE(
        f, "partition value of \"x\" for file \"s3://b/t/data/f.parquet\" has 3 bytes, not 4");
}

TESTS(test_manifests_of_two_specs_are_read_under_their_own,
      test_version_1_has_sequence_0_and_deleted_entries,
      test_counts_that_a_list_leaves_out_are_unknown, test_delete_files_tell_what_they_delete,
      test_metrics_are_left_out_where_they_are_not_wanted,
      test_damage_is_told_with_the_manifest_that_has_it,
      test_every_partition_type_reads_back_in_every_version,
      test_values_that_fit_no_fixed_form_are_refused)

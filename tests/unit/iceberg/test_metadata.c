/* Claims about table metadata. Goldens: test data of Apache Iceberg (Java) and iceberg-rust, and tables that Spark
 * and PyIceberg wrote (tests/golden/iceberg/README.md). */
#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/codec/compress.h"
#include "tarn/iceberg/commit.h"

#include "internal.h"

static void release(void *object)
{
    ice_metadata_unref(object);
}

static ice_metadata *parsed(fixture *f, str text)
{
    ice_metadata *m = NULL;

    EXPECT_OK(ice_metadata_parse(text, &m, &f->err));
    arena_defer(f->arena, release, m);
    return m;
}

static str formatted(fixture *f, const ice_metadata *m)
{
    buf *out = buf_in(f->arena, LIMIT_METADATA_FILE);

    ice_metadata_format(m, out);
    return buf_str(out);
}

static const char *const valid[] = {
    "java/TableMetadataPartitionStatisticsFiles.json",
    "java/TableMetadataStatisticsFiles.json",
    "java/TableMetadataV1Valid.json",
    "java/TableMetadataV2Valid.json",
    "java/TableMetadataV2ValidMinimal.json",
    "java/TableMetadataV3ValidMinimal.json",
    "rust/TableMetadataV1Compat.json",
    "rust/TableMetadataV1PartitionSpecsWithoutDefaultId.json",
    "rust/TableMetadataV1Valid.json",
    "rust/TableMetadataV2Valid.json",
    "rust/TableMetadataV2ValidMinimal.json",
    "rust/TableMetadataV3ValidEncryption.json",
    "rust/TableMetadataV3ValidMinimal.json",
    "rust/example_empty_table_metadata_v2.json",
    "rust/example_table_metadata_v2.json",
    "rust/example_table_metadata_v2_deep_history.json",
    "rust/example_table_metadata_v2_partition_evolution.json",
    "tables/hive_partitioned/v4.metadata.json",
    "tables/equality_deletes/v7.metadata.json",
    "tables/v1/00003-8d01e4aa-d143-49c9-898e-b5e477577b70.metadata.json",
    "tables/timestamps/00001-0c9938a5-103e-4185-b46d-331368ae4db7.metadata.json",
    "tables/deletion_vector/00002-legacy-bare-dv.metadata.json",
};

/* Every member of `x` is in `y` with the same value. What v1 leaves out may be filled in. */
static void expect_within(fixture *f, const char *file, const char *path, const json *x,
                          const json *y)
{
    size_t at = 0;
    str key;
    const json *member;

    if (json_kind_of(x) == JSON_OBJECT) {
        while (json_next_member(x, &at, &key, &member)) {
            const json *other = json_get_str(y, key);
            const char *below = arena_printf(f->arena, "%s.%.*s", path, STR_ARG(key));

            if (other == NULL && json_kind_of(member) != JSON_NULL &&
                !(json_count(member) == 0 && json_kind_of(member) == JSON_ARRAY)) {
                fail_msg("%s: %s is lost", file, below);
            }
            expect_within(f, file, below, member, other);
        }
    } else if (json_kind_of(x) == JSON_ARRAY) {
        for (size_t i = 0; i < json_count(x); i++) {
            expect_within(f, file, arena_printf(f->arena, "%s[%zu]", path, i), json_at(x, i),
                          json_at(y, i));
        }
    } else if (json_kind_of(x) != JSON_NULL) {
        buf *first = buf_in(f->arena, LIMIT_MIB);
        buf *second = buf_in(f->arena, LIMIT_MIB);

        json_format(x, first);
        json_format(y, second);
        if (!str_equal(buf_str(first), buf_str(second))) {
            fail_msg("%s: %s is %s, not %s", file, path, second->data, first->data);
        }
    }
}

static void test_nothing_of_foreign_metadata_is_lost(void **given)
{
    fixture *f = *given;

    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        str text = GOLDEN(f, arena_printf(f->arena, "iceberg/%s", valid[i]));
        ice_metadata *m = parsed(f, text);
        str written = formatted(f, m);
        const json *before = NULL;
        const json *after = NULL;

        EXPECT_OK(json_parse(text, f->arena, &before, &f->err));
        EXPECT_OK(json_parse(written, f->arena, &after, &f->err));
        expect_within(f, valid[i], "", before, after);
        EXPECT_STR(formatted(f, parsed(f, written)), written.data);
    }
}

static void test_a_copy_is_the_same_and_independent(void **given)
{
    fixture *f = *given;

    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        ice_metadata *m = NULL;
        ice_metadata *copy;
        str written;

        EXPECT_OK(ice_metadata_parse(GOLDEN(f, arena_printf(f->arena, "iceberg/%s", valid[i])), &m,
                                     &f->err));
        written = formatted(f, m);
        copy = ice__metadata_copy(m);
        ice_metadata_unref(m);
        EXPECT_STR(formatted(f, copy), written.data);
        ice_metadata_unref(copy);
    }
}

static void test_what_is_damaged_is_refused_naming_the_member(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *file;
        status kind;
        const char *message;
    } damaged[] = {
        {"java/TableMetadataUnsupportedVersion.json", STATUS_UNSUPPORTED,
         "table metadata has format version 42; the highest known is 3"},
        {"java/TableMetadataV1MissingSchemaType.json", STATUS_CORRUPT,
         "schema is not an object of type \"struct\""},
        {"java/TableMetadataV2CurrentSchemaNotFound.json", STATUS_CORRUPT,
         "table metadata has no schema with the current id 2"},
        {"java/TableMetadataV2MissingLastPartitionId.json", STATUS_CORRUPT,
         "table metadata has no \"last-partition-id\""},
        {"java/TableMetadataV2MissingPartitionSpecs.json", STATUS_CORRUPT,
         "table metadata has no \"partition-specs\""},
        {"java/TableMetadataV2MissingSchemas.json", STATUS_CORRUPT,
         "table metadata has no \"schemas\""},
        {"java/TableMetadataV2MissingSortOrder.json", STATUS_CORRUPT,
         "table metadata has no \"sort-orders\""},
        {"rust/TableMetadataV1NoValidSchema.json", STATUS_CORRUPT,
         "table metadata has no \"schema\""},
        {"rust/TableMetadataV1SchemasWithoutCurrentId.json", STATUS_CORRUPT, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(damaged); i++) {
        ice_metadata *m = NULL;
        status s = ice_metadata_parse(
            GOLDEN(f, arena_printf(f->arena, "iceberg/%s", damaged[i].file)), &m, &f->err);

        if (damaged[i].message == NULL) { /* other readers take it: so do we */
            assert_int_equal(s, STATUS_OK);
            ice_metadata_unref(m);
            continue;
        }
        assert_int_equal(s, damaged[i].kind);
        assert_string_equal(f->err.message, damaged[i].message);
        assert_null(m);
    }
}

/* `text` with the first `before` in it replaced. */
static str changed(fixture *f, str text, const char *before, const char *after)
{
    const char *at = strstr(text.data, before);

    assert_non_null(at);
    return str_printf(f->arena, "%.*s%s%s", (int)(at - text.data), text.data, after,
                      at + strlen(before));
}

/* What two members say of one thing agrees, or following either would lose rows. */
static void test_members_that_contradict_each_other_are_refused(void **given)
{
    fixture *f = *given;
    str text = GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json");
    static const struct {
        const char *before;
        const char *after;
        const char *message;
    } changes[] = {
        {"\"current-snapshot-id\": 3055729675574597004",
         "\"refs\": {\"main\": {\"type\": \"branch\", \"snapshot-id\": 3051729675574597004}}, "
         "\"current-snapshot-id\": 3055729675574597004",
         "table metadata has the current snapshot 3055729675574597004, but branch \"main\" is at "
         "3051729675574597004"},
        {"\"current-snapshot-id\": 3055729675574597004",
         "\"refs\": {\"main\": {\"type\": \"branch\", \"snapshot-id\": 3051729675574597004}}, "
         "\"current-snapshot-id\": -1",
         "table metadata has no current snapshot, but branch \"main\" is at 3051729675574597004"},
        {"\"id\": 2,", "\"id\": 1,", "column \"y\" has the id 1 of another column"},
    };

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        ice_metadata *m = NULL;

        assert_int_equal(
            ice_metadata_parse(changed(f, text, changes[i].before, changes[i].after), &m, &f->err),
            STATUS_CORRUPT);
        assert_string_equal(f->err.message, changes[i].message);
        assert_null(m);
    }
}

/* Deletes apply by sequence numbers, rows are told apart by ids: neither may be given out twice, whatever a writer
 * counted. */
static void test_counters_lie_behind_all_that_was_given(void **given)
{
    fixture *f = *given;
    str text = GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json");
    str version_3;
    ice_metadata *m =
        parsed(f, changed(f, text, "\"last-sequence-number\": 34", "\"last-sequence-number\": 0"));

    assert_int_equal(m->last_sequence_number, 1);
    version_3 =
        changed(f, text, "\"format-version\": 2", "\"next-row-id\": 5, \"format-version\": 3");

    m = parsed(f, changed(f, version_3, "\"sequence-number\": 1,",
                          "\"sequence-number\": 1, \"first-row-id\": 90, \"added-rows\": 10,"));
    assert_int_equal(m->next_row_id, 100);
}

static void test_metadata_of_version_2_says_what_its_file_says(void **given)
{
    fixture *f = *given;
    ice_metadata *m = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json"));
    const ice_snapshot *s = ice_metadata_snapshot(m);

    assert_int_equal(m->format_version, 2);
    EXPECT_STR(m->uuid, "9c12d441-03fe-4693-9a96-a0705ddf69c1");
    EXPECT_STR(m->location, "s3://bucket/test/location");
    assert_int_equal(m->last_sequence_number, 34);
    assert_int_equal(m->last_column_id, 3);
    assert_int_equal(m->schema_count, 2);
    assert_int_equal(ice_metadata_schema(m)->id, 1);
    assert_int_equal(ice_metadata_schema(m)->identifier_count, 2);
    assert_int_equal(ice_metadata_spec(m)->fields[0].field_id, 1000);
    assert_int_equal(m->orders[0].field_count, 2);
    assert_int_equal(m->orders[0].fields[1].transform.kind, ICE_BUCKET);
    assert_int_equal(m->snapshot_count, 2);
    assert_int_equal(s->id, INT64_C(3055729675574597004));
    assert_int_equal(s->parent_id, INT64_C(3051729675574597004));
    assert_int_equal(s->sequence_number, 1);
    assert_int_equal(s->operation, ICE_APPEND);
    EXPECT_STR(s->manifest_list, "s3://a/b/2.avro");
    assert_int_equal(m->snapshot_log_count, 2);
    assert_int_equal(m->ref_count, 1); /* "main" is filled in */
    EXPECT_STR(m->refs[0].name, "main");
    assert_int_equal(m->refs[0].snapshot_id, s->id);
}

static void test_what_version_1_leaves_out_is_filled_in(void **given)
{
    fixture *f = *given;
    ice_metadata *m = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV1Valid.json"));

    assert_int_equal(m->schema_count, 1);
    assert_int_equal(ice_metadata_schema(m)->root->field_count, 3);
    assert_int_equal(ice_metadata_spec(m)->fields[0].source_id, 1);
    assert_int_equal(m->last_partition_id, 1000);
    assert_int_equal(m->order_count, 1);
    assert_int_equal(m->current_snapshot_id, ICE_NO_SNAPSHOT);
    assert_null(ice_metadata_snapshot(m));
    assert_int_equal(m->ref_count, 0);
}

/* Packed and unpacked, it is what it would be if no part of it had been written before. */
static void expect_written_as_a_whole(fixture *f, const ice_metadata *m)
{
    arena *a = arena_create();
    ice_snapshot *snapshots = ARENA_ARRAY(a, ice_snapshot, m->snapshot_count);
    buf *unpacked = buf_in(a, LIMIT_METADATA_FILE);
    buf *plain = buf_in(a, LIMIT_METADATA_FILE);
    ice_metadata fresh;
    str location;
    str bytes;

    ice__metadata_assign(&fresh, m);
    for (size_t i = 0; i < m->snapshot_count; i++) {
        snapshots[i] = m->snapshots[i];
        snapshots[i].text = STR_NULL;
        snapshots[i].chapter = NULL;
    }
    fresh.snapshots = snapshots;
    ice_metadata_format(&fresh, plain);
    EXPECT_OK(ice__metadata_render(m, 1, a, &location, &bytes, &f->err));
    if (str_ends_with(location, STR(".gz.metadata.json"))) {
        assert_true(plain->size > 8192);
        EXPECT_OK(decompress_bytes(COMPRESSION_GZIP, bytes, unpacked, &f->err));
    } else {
        assert_true(plain->size <= 8192);
        buf_add_str(unpacked, bytes);
    }
    assert_true(str_equal(buf_str(unpacked), buf_str(plain)));
    buf_truncate(unpacked, 0);
    ice_metadata_format(m, unpacked);
    assert_true(str_equal(buf_str(unpacked), buf_str(plain)));
    arena_free(a);
}

/* What a table goes through from one metadata to the next. The one before goes. */
typedef struct step {
    size_t expired;  /* from the front */
    size_t left_out; /* one in the middle, at this place; 0: none */
    bool rolled_back;
} step;

static ice_metadata *live_on(ice_metadata *before, int64_t id, const step *what)
{
    arena *a = arena_create();
    ice_snapshot *snapshots = ARENA_ARRAY(a, ice_snapshot, before->snapshot_count + 1);
    ice_log_entry *log = ARENA_ARRAY(a, ice_log_entry, before->snapshot_log_count + 2);
    ice_metadata next;
    ice_metadata *made;
    size_t count = 0;

    ice__metadata_assign(&next, before);
    for (size_t i = what->expired; i < before->snapshot_count; i++) {
        if (what->left_out == 0 || i != what->left_out) {
            snapshots[count++] = before->snapshots[i];
        }
    }
    snapshots[count] =
        (ice_snapshot){.id = id,
                       .parent_id = id - 1,
                       .sequence_number = id,
                       .timestamp_ms = 1000 * id,
                       .first_row_id = ICE_NO_ROW_ID,
                       .added_rows = ICE_NO_ROW_ID,
                       .schema_id = ICE_NO_SCHEMA,
                       .manifest_list = str_printf(a, "s3://b/snap-%lld.avro", (long long)id)};
    next.snapshots = snapshots;
    next.snapshot_count = count + 1;
    count = 0;
    for (size_t i = what->expired; i < before->snapshot_log_count; i++) {
        log[count++] = before->snapshot_log[i];
    }
    log[count++] = (ice_log_entry){.timestamp_ms = 1000 * id, .snapshot_id = id};
    if (what->rolled_back) {
        log[count++] =
            (ice_log_entry){.timestamp_ms = 1000 * id + 500, .snapshot_id = snapshots[0].id};
    }
    next.snapshot_log = log;
    next.snapshot_log_count = count;
    made = ice__metadata_copy(&next);
    arena_free(a);
    ice_metadata_unref(before);
    return made;
}

static void test_a_growing_history_is_packed_as_a_whole(void **given)
{
    fixture *f = *given;
    ice_metadata *m =
        ice__metadata_copy(parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json")));
    const struct ice_chapter *shared;

    for (int64_t id = 1; id <= 300; id++) {
        const step what = {.expired = id > 150 ? (size_t)(id % 3) : 0,
                           .left_out = id % 40 == 39 ? m->snapshot_count / 2 : 0,
                           .rolled_back = id % 50 == 49};

        m = live_on(m, id, &what);
        expect_written_as_a_whole(f, m);
    }
    shared = m->snapshots[m->snapshot_count - 100].chapter;
    assert_non_null(shared);
    m = live_on(m, 301, &(step){.expired = 0});
    assert_ptr_equal(shared, m->snapshots[m->snapshot_count - 101].chapter);
    ice_metadata_unref(m);
}

/* A history that comes from elsewhere, as one file. */
static void test_a_long_history_that_was_read_is_packed_as_a_whole(void **given)
{
    fixture *f = *given;
    ice_metadata *m =
        ice__metadata_copy(parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json")));
    ice_metadata *read;

    for (int64_t id = 1; id <= 100; id++) {
        m = live_on(m, id, &(step){.expired = 0});
    }
    read = ice__metadata_copy(parsed(f, formatted(f, m)));
    assert_int_equal(read->snapshot_count, m->snapshot_count);
    expect_written_as_a_whole(f, read);
    expect_written_as_a_whole(f, m);
    ice_metadata_unref(m);
    EXPECT_STR(read->snapshots[read->snapshot_count - 1].manifest_list, "s3://b/snap-100.avro");
    ice_metadata_unref(read);
}

static void test_what_a_table_says_of_packing_counts_at_any_size(void **given)
{
    fixture *f = *given;
    ice_metadata next;

    for (int64_t count = 1; count <= 101; count += 100) {
        ice_metadata *m =
            ice__metadata_copy(parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json")));

        for (int64_t id = 1; id <= count; id++) {
            m = live_on(m, id, &(step){.expired = 0});
        }
        for (int gzip = 0; gzip < 2; gzip++) {
            ice_property codec = {STR("write.metadata.compression-codec"),
                                  gzip ? STR("GZIP") : STR("none")};
            buf *plain = buf_in(f->arena, LIMIT_METADATA_FILE);
            buf *unpacked = buf_in(f->arena, LIMIT_METADATA_FILE);
            str location;
            str bytes;

            ice__metadata_assign(&next, m);
            next.properties = &codec;
            next.property_count = 1;
            ice_metadata_format(&next, plain);
            EXPECT_OK(ice__metadata_render(&next, 7, f->arena, &location, &bytes, &f->err));
            assert_int_equal(str_ends_with(location, STR(".gz.metadata.json")), gzip);
            if (gzip) {
                EXPECT_OK(decompress_bytes(COMPRESSION_GZIP, bytes, unpacked, &f->err));
                bytes = buf_str(unpacked);
            }
            assert_true(str_equal(bytes, buf_str(plain)));
        }
        ice_metadata_unref(m);
    }
}

static void test_gzip_is_told_by_its_first_bytes(void **given)
{
    fixture *f = *given;
    str text = GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json");
    buf *packed = buf_in(f->arena, LIMIT_MIB);
    ice_metadata *m = NULL;

    EXPECT_OK(compress_bytes(COMPRESSION_GZIP, 0, text, packed, &f->err));
    EXPECT_STR(parsed(f, buf_str(packed))->uuid, "9c12d441-03fe-4693-9a96-a0705ddf69c1");
    buf_truncate(packed, packed->size / 2);
    EXPECT_STATUS(CORRUPT, ice_metadata_parse(buf_str(packed), &m, &f->err));
    EXPECT_STATUS(CORRUPT, ice_metadata_parse(STR("{"), &m, &f->err));
    EXPECT_STATUS(CORRUPT, ice_metadata_parse(STR("[]"), &m, &f->err));
    EXPECT_STATUS(CORRUPT, ice_metadata_parse(STR("{\"format-version\": \"2\"}"), &m, &f->err));
}

/* A struct of two columns with ids that are to be ignored. */
static const ice_type *two_columns(fixture *f)
{
    ice_field *fields = ARENA_ARRAY(f->arena, ice_field, 2);
    ice_type *root = ARENA_NEW(f->arena, ice_type);

    fields[0] = (ice_field){
        .id = 70, .name = STR("id"), .required = true, .type = ice_type_primitive(ICE_LONG)};
    fields[1] = (ice_field){.id = 71, .name = STR("ts"), .type = ice_type_primitive(ICE_TIMESTAMP)};
    *root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = 2};
    return root;
}

static void test_new_tables_get_ids_uuid_and_checked_properties(void **given)
{
    fixture *f = *given;
    const ice_property properties[] = {{STR("format-version"), STR("3")},
                                       {STR("owner"), STR("someone")}};
    const ice_property nonsense[] = {{STR("commit.retry.num-retries"), STR("many")}};
    ice_create options = {.location = STR("s3://b/t"),
                          .root = two_columns(f),
                          .partition_sql = STR("days(ts)"),
                          .properties = properties,
                          .property_count = 2};
    ice_metadata *m = NULL;

    EXPECT_OK(ice_metadata_create(&options, &m, &f->err));
    assert_int_equal(m->format_version, 3);
    assert_int_equal(m->uuid.size, 36);
    assert_int_equal(m->last_column_id, 2);
    assert_int_equal(ice_metadata_schema(m)->root->fields[0].id, 1);
    assert_int_equal(ice_metadata_spec(m)->fields[0].source_id, 2);
    assert_int_equal(m->last_partition_id, 1000);
    assert_int_equal(m->property_count, 1); /* the version is no property */
    assert_true(m->last_updated_ms > 0);
    EXPECT_STR(formatted(f, parsed(f, formatted(f, m))), formatted(f, m).data);
    ice_metadata_unref(m);
    m = NULL;

    options.properties = nonsense;
    options.property_count = 1;
    EXPECT_STATUS(INVALID, ice_metadata_create(&options, &m, &f->err));
    EXPECT_MESSAGE(
        f, "property \"commit.retry.num-retries\" cannot be \"many\": it takes a whole number "
           "from 0 to 2147483647");
    options.property_count = 0;
    options.partition_sql = STR("days(tz)");
    EXPECT_STATUS(NO_COLUMN, ice_metadata_create(&options, &m, &f->err));
    assert_null(m);
}

static void test_properties_are_judged_by_their_table(void **given)
{
    fixture *f = *given;
    size_t count;
    const ice_property_info *infos = ice_property_infos(&count);
    static const struct {
        const char *key, *value;
        bool fits;
    } judged[] = {
        {"write.target-file-size-bytes", "5000000000", true},
        {"write.target-file-size-bytes", "0", false},
        {"write.target-file-size-bytes", "1e6", false},
        {"write.parquet.row-group-size-bytes", "2147483647", true},
        {"write.parquet.row-group-size-bytes", "2147483648", false},
        {"write.parquet.compression-codec", "ZSTD", true},
        {"write.parquet.compression-codec", "lzma", false},
        {"write.parquet.compression-level", "22", true},
        {"write.parquet.compression-level", "23", false},
        {"write.parquet.bloom-filter-enabled.column.a.b", "true", true},
        {"write.parquet.bloom-filter-enabled.column.a.b", "1", false},
        {"write.parquet.bloom-filter-fpp.column.a", "0.05", true},
        {"write.parquet.bloom-filter-fpp.column.a", "1", false},
        {"write.delete.mode", "merge-on-read", true},
        {"write.delete.mode", "both", false},
        {"write.merge.isolation-level", "snapshot", true},
        {"write.merge.isolation-level", "dirty", false},
        {"write.distribution-mode", "range", true},
        {"write.distribution-mode", "random", false},
        {"write.metadata.metrics.default", "truncate(1)", true},
        {"write.metadata.metrics.default", "truncate(x)", false},
        {"history.expire.max-snapshot-age-ms", "432000000000", true},
        {"history.expire.max-snapshot-age-ms", "-1", false},
        {"history.expire.min-snapshots-to-keep", "0", false},
        {"commit.retry.num-retries", "0", true},
        {"commit.retry.num-retries", "9999999999", false},
        {"schema.name-mapping.default", "[{\"field-id\": 1, \"names\": [\"a\"]}]", true},
        {"schema.name-mapping.default", "[{\"field-id\": 1}]", false},
        {"schema.name-mapping.default", "{", false},
        {"gc.enabled", "FALSE", true},
    };

    for (size_t i = 0; i < count; i++) { /* every default is allowed, where there is one */
        if (infos[i].fallback[0] != '\0') {
            EXPECT_OK(ice_property_check(str_c(infos[i].key), str_c(infos[i].fallback), &f->err));
        }
    }
    EXPECT_STATUS(INVALID, ice_property_check(STR("write.metadata.compression-codec"), STR("bzip2"),
                                              &f->err));
    EXPECT_MESSAGE(
        f, "property \"write.metadata.compression-codec\" cannot be \"bzip2\": it takes gzip|none");
    EXPECT_STATUS(INVALID, ice_property_check(STR("gc.enabled"), STR("yes"), &f->err));
    EXPECT_STATUS(INVALID, ice_property_check(STR("format-version"), STR(""), &f->err));
    EXPECT_STATUS(INVALID, ice_property_check(STR("write.metadata.metrics.column.a"),
                                              STR("truncate(0)"), &f->err));
    EXPECT_OK(
        ice_property_check(STR("write.metadata.metrics.column.a"), STR("truncate(20)"), &f->err));
    for (size_t i = 0; i < COUNT_OF(judged); i++) {
        status found = ice_property_check(str_c(judged[i].key), str_c(judged[i].value), &f->err);

        if ((found == STATUS_OK) != judged[i].fits) {
            fail_msg("%s = %s", judged[i].key, judged[i].value);
        }
    }
    EXPECT_STATUS(INVALID, ice_property_check(STR("tarn.history.max-snapshot"), STR("1"), &f->err));
    EXPECT_HINT(f, "Did you mean \"tarn.history.max-snapshots\"?");
    EXPECT_OK(ice_property_check(STR("anything.else"), STR("goes"), &f->err));
}

static void test_versions_are_read_from_file_names(void **given)
{
    (void)given;
    assert_int_equal(
        ice_metadata_location_version(STR("s3://b/t/metadata/00012-ab.gz.metadata.json")), 12);
    assert_int_equal(ice_metadata_location_version(STR("file:///t/metadata/v7.metadata.json")), 7);
    assert_int_equal(ice_metadata_location_version(STR("00003-x.metadata.json")), 3);
    assert_int_equal(ice_metadata_location_version(STR("s3://b/t/metadata/vfinal.metadata.json")),
                     0);
    assert_int_equal(ice_metadata_location_version(STR("123")), 0);
}

static void test_data_files_lie_in_readable_partition_folders(void **given)
{
    fixture *f = *given;
    const ice_partition_field fields[] = {
        {.name = STR("ts_hour"), .transform = {.kind = ICE_HOUR}},
        {.name = STR("ts_month"), .transform = {.kind = ICE_MONTH}},
        {.name = STR("who?"), .transform = {.kind = ICE_IDENTITY}},
        {.name = STR("n"), .transform = {.kind = ICE_IDENTITY}},
    };
    const ice_value values[] = {
        {.kind = ICE_INT, .integer = -1},
        {.kind = ICE_INT, .integer = -1},
        {.kind = ICE_STRING, .bytes = STR("a/../100% b")},
        {.kind = ICE_INT, .is_null = true},
    };
    ice_spec spec = {.fields = fields, .field_count = COUNT_OF(fields)};
    ice_metadata m = {.location = STR("s3://b/t")};
    str location = ice_data_location(&m, &spec, values, f->arena);

    EXPECT_STR(str_slice(location, 0, location.size - 45),
               "s3://b/t/data/ts_hour=1969-12-31-23/ts_month=1969-12/who_=a_.._100__b/n=null");
    assert_true(str_ends_with(location, STR(".parquet")));
}

TESTS(test_nothing_of_foreign_metadata_is_lost, test_a_copy_is_the_same_and_independent,
      test_what_is_damaged_is_refused_naming_the_member,
      test_metadata_of_version_2_says_what_its_file_says,
      test_what_version_1_leaves_out_is_filled_in, test_a_growing_history_is_packed_as_a_whole,
      test_a_long_history_that_was_read_is_packed_as_a_whole,
      test_what_a_table_says_of_packing_counts_at_any_size, test_gzip_is_told_by_its_first_bytes,
      test_new_tables_get_ids_uuid_and_checked_properties,
      test_members_that_contradict_each_other_are_refused,
      test_counters_lie_behind_all_that_was_given, test_properties_are_judged_by_their_table,
      test_versions_are_read_from_file_names, test_data_files_lie_in_readable_partition_folders)

/* Claims about Avro files. Goldens and who wrote them: tests/golden/codec/README.md. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/base/thread.h"
#include "tarn/codec/avro.h"

/* --- what is read from manifests --- */

typedef struct data_file {
    int32_t content;
    str path;
    str format;
    avro_tuple partition;
    int64_t record_count;
    int64_t size_bytes;
    avro_list column_sizes;
    avro_list lower_bounds;
    avro_list split_offsets;
    avro_list equality_ids;
    int32_t sort_order_id;
    str referenced;
    int64_t content_offset;
} data_file;

typedef struct entry {
    int32_t status;
    bool has_snapshot_id;
    bool has_sequence;
    int64_t snapshot_id;
    int64_t sequence;
    data_file file;
} entry;

#define ABSENT AVRO_NO_PRESENCE

static const avro_field file_fields[] = {
    {134, AVRO_INT, offsetof(data_file, content), ABSENT, NULL},
    {100, AVRO_STRING, offsetof(data_file, path), ABSENT, NULL},
    {101, AVRO_STRING, offsetof(data_file, format), ABSENT, NULL},
    {102, AVRO_TUPLE, offsetof(data_file, partition), ABSENT, NULL},
    {103, AVRO_LONG, offsetof(data_file, record_count), ABSENT, NULL},
    {104, AVRO_LONG, offsetof(data_file, size_bytes), ABSENT, NULL},
    {108, AVRO_MAP_INT_LONG, offsetof(data_file, column_sizes), ABSENT, NULL},
    {125, AVRO_MAP_INT_BYTES, offsetof(data_file, lower_bounds), ABSENT, NULL},
    {132, AVRO_LIST_LONG, offsetof(data_file, split_offsets), ABSENT, NULL},
    {135, AVRO_LIST_INT, offsetof(data_file, equality_ids), ABSENT, NULL},
    {140, AVRO_INT, offsetof(data_file, sort_order_id), ABSENT, NULL},
    {143, AVRO_STRING, offsetof(data_file, referenced), ABSENT, NULL},
    {144, AVRO_LONG, offsetof(data_file, content_offset), ABSENT, NULL},
};
static const avro_shape file_shape = {
    file_fields, COUNT_OF(file_fields), sizeof(data_file), NULL, NULL, 0};

static const avro_field entry_fields[] = {
    {0, AVRO_INT, offsetof(entry, status), ABSENT, NULL},
    {1, AVRO_LONG, offsetof(entry, snapshot_id), offsetof(entry, has_snapshot_id), NULL},
    {3, AVRO_LONG, offsetof(entry, sequence), offsetof(entry, has_sequence), NULL},
    {2, AVRO_RECORD, offsetof(entry, file), ABSENT, &file_shape},
};
static const entry entry_defaults = {.sequence = -7,
                                     .file = {.sort_order_id = -1, .content_offset = -1}};
static const avro_shape entry_shape = {
    entry_fields, COUNT_OF(entry_fields), sizeof(entry), &entry_defaults, NULL, 0};

static size_t read_entries(fixture *f, const char *path, const entry **ret_entries)
{
    avro_file file;
    void *records = NULL;
    size_t count = 0;

    EXPECT_OK(avro_open(GOLDEN(f, path), f->arena, &file, &f->err));
    EXPECT_OK(avro_read(&file, &entry_shape, NULL, NULL, f->arena, &records, &count, &f->err));
    *ret_entries = records;
    return count;
}

static void test_a_java_manifest_is_read(void **state)
{
    fixture *f = *state;
    const entry *e;
    const avro_int_bytes *bounds;

    assert_int_equal(read_entries(f, "codec/avro/v2_manifest_binary.avro", &e), 2);
    assert_int_equal(e[1].status, 1);
    assert_true(e[1].has_snapshot_id && !e[1].has_sequence);
    assert_int_equal(e[1].snapshot_id, INT64_C(7057859339050714145));
    assert_int_equal(e[1].sequence, -7); /* null keeps the default */
    EXPECT_STR(e[1].file.path, "data/persistent/partition_binary/data/partition_col=AQID/"
                               "00000-12-7975607a-81e3-4d90-af3c-e0b7efc0101f-00001.parquet");
    EXPECT_STR(e[1].file.format, "PARQUET");
    assert_int_equal(e[1].file.record_count, 1);
    assert_int_equal(e[1].file.size_bytes, 954);
    assert_int_equal(e[1].file.partition.count, 1);
    assert_int_equal(e[1].file.partition.fields[0].field_id, 1000);
    assert_true(e[1].file.partition.fields[0].present);
    EXPECT_STR(e[1].file.partition.fields[0].value, "\x01\x02\x03");
    assert_int_equal(e[1].file.lower_bounds.count, 3);
    bounds = e[1].file.lower_bounds.items;
    assert_int_equal(bounds[1].key, 2);
    assert_memory_equal(bounds[1].value.data, "90\0\0\0\0\0\0", 8);
    assert_int_equal(e[1].file.split_offsets.count, 1);
    assert_int_equal(*(const int64_t *)e[1].file.split_offsets.items, 4);
    assert_false(e[1].file.equality_ids.present);
    assert_int_equal(e[1].file.sort_order_id, 0);
    EXPECT_STR(e[0].file.partition.fields[0].value, "\xaa\xbb\xcc");
}

static void test_of_maps_only_the_wanted_keys_are_stored(void **state)
{
    fixture *f = *state;
    static const int32_t wanted[] = {2, 77};
    avro_shape shape = entry_shape;
    const entry *e;
    const avro_int_bytes *bounds;
    const avro_int_long *sizes;
    avro_file file;
    void *records = NULL;
    size_t count = 0;

    shape.keys = wanted;
    shape.key_count = COUNT_OF(wanted);
    EXPECT_OK(avro_open(GOLDEN(f, "codec/avro/v2_manifest_binary.avro"), f->arena, &file, &f->err));
    EXPECT_OK(avro_read(&file, &shape, NULL, NULL, f->arena, &records, &count, &f->err));
    e = records;
    assert_int_equal(count, 2);
    assert_int_equal(e[1].file.lower_bounds.count, 1); /* of three */
    bounds = e[1].file.lower_bounds.items;
    assert_int_equal(bounds[0].key, 2);
    assert_memory_equal(bounds[0].value.data, "90\0\0\0\0\0\0", 8);
    assert_int_equal(e[1].file.column_sizes.count, 1);
    sizes = e[1].file.column_sizes.items;
    assert_int_equal(sizes[0].key, 2);
    assert_int_equal(e[1].file.sort_order_id, 0); /* what stands behind the maps */
}

static void test_partition_values_are_single_values(void **state)
{
    fixture *f = *state;
    const entry *e;

    assert_int_equal(read_entries(f, "codec/avro/v2_manifest_decimal.avro", &e), 10);
    /* 42.56378901234 with 11 decimals, in the fixed the writer chose (16 digits: 7 bytes) */
    assert_int_equal(e[2].file.partition.fields[0].value.size, 7);
    assert_memory_equal(e[2].file.partition.fields[0].value.data, "\x00\x03\xdf\x03\xf3\xd2\xf2",
                        7);
    assert_int_equal(read_entries(f, "codec/avro/v2_manifest_timestamp.avro", &e), 2);
    assert_int_equal(e[0].file.partition.fields[0].value.size, 8);
    assert_memory_equal(e[0].file.partition.fields[0].value.data,
                        "\x40\xef\xd4\x4c\xbc\xfb\x05\x00", 8);
    assert_int_equal(read_entries(f, "codec/avro/v2_manifest_hive.avro", &e), 4);
    assert_int_equal(e[3].file.partition.count, 2);
    assert_memory_equal(e[3].file.partition.fields[0].value.data, "\x0e\x4d\x00\x00", 4);
    EXPECT_STR(e[3].file.partition.fields[1].value, "view");
}

static void test_versions_1_and_3_are_read_by_field_id(void **state)
{
    fixture *f = *state;
    const entry *e;

    assert_int_equal(read_entries(f, "codec/avro/v1_manifest.avro", &e), 2);
    assert_int_equal(e[0].snapshot_id, INT64_C(5191822260710938731));
    assert_int_equal(e[0].file.partition.count, 0);
    assert_int_equal(e[0].file.record_count, 2);
    assert_int_equal(e[0].file.column_sizes.count, 3);
    assert_int_equal(e[0].file.sort_order_id, -1);

    assert_int_equal(read_entries(f, "codec/avro/v3_manifest_deletes.avro", &e), 1);
    assert_int_equal(e[0].sequence, 2);
    EXPECT_STR(e[0].file.format, "PUFFIN");
    assert_int_equal(e[0].file.content_offset, 0);
    assert_true(str_ends_with(e[0].file.referenced, STR("8fb68014.parquet")));
    assert_false(e[0].file.column_sizes.present);
}

typedef struct manifest {
    str path;
    int64_t length;
    int64_t added_rows;
    avro_list partitions;
} manifest;

typedef struct summary {
    bool contains_null;
    str lower;
} summary;

static const avro_field summary_fields[] = {
    {509, AVRO_BOOL, offsetof(summary, contains_null), ABSENT, NULL},
    {510, AVRO_BYTES, offsetof(summary, lower), ABSENT, NULL},
};
static const avro_shape summary_shape = {
    summary_fields, COUNT_OF(summary_fields), sizeof(summary), NULL, NULL, 0};
static const avro_field manifest_fields[] = {
    {500, AVRO_STRING, offsetof(manifest, path), ABSENT, NULL},
    {501, AVRO_LONG, offsetof(manifest, length), ABSENT, NULL},
    {512, AVRO_LONG, offsetof(manifest, added_rows), ABSENT, NULL},
    {507, AVRO_LIST_RECORD, offsetof(manifest, partitions), ABSENT, &summary_shape},
};
static const avro_shape manifest_shape = {
    manifest_fields, COUNT_OF(manifest_fields), sizeof(manifest), NULL, NULL, 0};

static void test_manifest_lists_are_read(void **state)
{
    static const struct {
        const char *golden;
        size_t count;
        int64_t length;
        int64_t rows;
        const char *snapshot;
    } cases[] = {
        {"codec/avro/v1_manifest_list.avro", 2, 4070, 4, "5191822260710938731"},
        {"codec/avro/v2_manifest_list.avro", 1, 6658, 1, "6653143792592159268"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        avro_file file;
        void *records;
        size_t count;
        const manifest *m;

        EXPECT_OK(avro_open(GOLDEN(f, cases[i].golden), f->arena, &file, &f->err));
        EXPECT_STR(avro_metadata(&file, "snapshot-id"), cases[i].snapshot);
        assert_true(str_is_null(avro_metadata(&file, "absent")));
        EXPECT_OK(
            avro_read(&file, &manifest_shape, NULL, NULL, f->arena, &records, &count, &f->err));
        m = records;
        assert_int_equal(count, cases[i].count);
        assert_int_equal(m[0].length, cases[i].length);
        assert_int_equal(m[0].added_rows, cases[i].rows);
        assert_true(m[0].partitions.present);
        assert_int_equal(m[0].partitions.count, 0);
    }
}

static void test_encrypted_files_are_refused_as_such(void **state)
{
    fixture *f = *state;
    avro_file file;

    EXPECT_STATUS(UNSUPPORTED, avro_open(GOLDEN(f, "codec/avro/v3_manifest_list_encrypted.avro"),
                                         f->arena, &file, &f->err));
    EXPECT_MESSAGE(f, "the file is encrypted, not a plain Avro file");
}

/* --- files of our own --- */

typedef struct row {
    bool flag;
    bool has_number;
    int64_t number;
    str text;
    avro_list longs;
    avro_list counts;
    avro_list bounds;
    avro_list summaries;
    avro_tuple tuple;
} row;

static const avro_field row_fields[] = {
    {1, AVRO_BOOL, offsetof(row, flag), ABSENT, NULL},
    {2, AVRO_LONG, offsetof(row, number), offsetof(row, has_number), NULL},
    {3, AVRO_BYTES, offsetof(row, text), ABSENT, NULL},
    {4, AVRO_LIST_LONG, offsetof(row, longs), ABSENT, NULL},
    {5, AVRO_MAP_INT_LONG, offsetof(row, counts), ABSENT, NULL},
    {6, AVRO_MAP_INT_BYTES, offsetof(row, bounds), ABSENT, NULL},
    {7, AVRO_LIST_RECORD, offsetof(row, summaries), ABSENT, &summary_shape},
    {8, AVRO_TUPLE, offsetof(row, tuple), ABSENT, NULL},
};
static const avro_shape row_shape = {row_fields, COUNT_OF(row_fields), sizeof(row), NULL, NULL, 0};

/* A file of one block; `fields` is the text of the schema's fields. */
static str make_file(fixture *f, const char *fields, str records, int64_t count, compression codec)
{
    buf *out = buf_in(f->arena, 64 * LIMIT_MIB);
    avro_writer w;
    str schema =
        QUOTED(f, arena_printf(f->arena, "{'type':'record','name':'r','fields':[%s]}", fields));
    avro_metadata_entry note = {.key = STR("note"), .value = STR("kept")};

    avro_writer_begin(&w, out, schema, codec, &note, 1);
    EXPECT_OK(avro_writer_add_block(&w, records, count, &f->err));
    return buf_str(out);
}

static status read_rows(fixture *f, str bytes, const row **ret_rows, size_t *ret_count)
{
    avro_file file;
    void *records;

    TRY(avro_open(bytes, f->arena, &file, &f->err));
    TRY(avro_read(&file, &row_shape, NULL, NULL, f->arena, &records, ret_count, &f->err));
    *ret_rows = records;
    return STATUS_OK;
}

static const row *read_one(fixture *f, const char *fields, str record)
{
    const row *rows = NULL;
    size_t count = 0;

    EXPECT_OK(read_rows(f, make_file(f, fields, record, 1, COMPRESSION_NONE), &rows, &count));
    assert_int_equal(count, 1);
    return rows;
}

static void test_every_codec_goes_there_and_back(void **state)
{
    static const compression codecs[] = {COMPRESSION_NONE, COMPRESSION_DEFLATE,
                                         COMPRESSION_AVRO_SNAPPY, COMPRESSION_ZSTD};
    fixture *f = *state;
    buf *records = buf_in(f->arena, LIMIT_MIB);

    for (int i = 0; i < 1000; i++) {
        avro_put_long(records, i - 500);
        avro_put_bytes(records, str_printf(f->arena, "text %d", i));
    }
    for (size_t c = 0; c < COUNT_OF(codecs); c++) {
        const row *rows = NULL;
        size_t count = 0;
        str bytes = make_file(f,
                              "{'name':'n','type':'long','field-id':2},"
                              "{'name':'t','type':'string','field-id':3}",
                              buf_str(records), 1000, codecs[c]);

        EXPECT_OK(read_rows(f, bytes, &rows, &count));
        assert_int_equal(count, 1000);
        assert_int_equal(rows[999].number, 499);
        assert_true(rows[999].has_number);
        EXPECT_STR(rows[999].text, "text 999");
    }
}

enum { SCHEMAS = 40, ROUNDS = 25 };

static void read_in_turn(void *context, size_t index)
{
    const str *files = context;

    for (size_t i = 0; i < SCHEMAS * ROUNDS; i++) {
        size_t which = i % 3 == 0 ? index : (i + index) % SCHEMAS;
        arena *a = arena_create();
        const row *rows;
        avro_file file;
        void *records;
        size_t count;

        ASSERT(avro_open(files[which], a, &file, NULL) == STATUS_OK);
        ASSERT(avro_read(&file, &row_shape, NULL, NULL, a, &records, &count, NULL) == STATUS_OK);
        rows = records;
        ASSERT(count == 1 && rows[0].number == (int64_t)which);
        arena_free(a);
    }
}

/* More schemas than are kept in memory, and readers that drive out what others still use. */
static void test_many_schemas_are_read_side_by_side(void **state)
{
    fixture *f = *state;
    str files[SCHEMAS];

    for (int i = 0; i < SCHEMAS; i++) {
        buf *record = buf_in(f->arena, 100);

        avro_put_long(record, i);
        files[i] =
            make_file(f, str_printf(f->arena, "{'name':'n%d','type':'long','field-id':2}", i).data,
                      buf_str(record), 1, COMPRESSION_DEFLATE);
    }
    parallel_for(4, 4, read_in_turn, files);
}

static void test_numbers_use_all_64_bits(void **state)
{
    static const int64_t numbers[] = {0, -1, 1, 63, 64, -64, -65, INT64_MAX, INT64_MIN};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        buf *record = buf_in(f->arena, 100);
        avro_put_long(record, numbers[i]);
        assert_true(
            read_one(f, "{'name':'n','type':'long','field-id':2}", buf_str(record))->number ==
            numbers[i]);
    }
}

static void test_null_may_be_either_branch(void **state)
{
    fixture *f = *state;
    const row *r =
        read_one(f, "{'name':'n','type':['null','long'],'field-id':2}", str_from("\x02\x0a", 2));

    assert_true(r->has_number && r->number == 5);
    r = read_one(f, "{'name':'n','type':['long','null'],'field-id':2}", str_from("\x00\x0a", 2));
    assert_true(r->has_number && r->number == 5);
    r = read_one(f, "{'name':'n','type':['long','null'],'field-id':2}", str_from("\x02", 1));
    assert_true(!r->has_number && r->number == 0);
    r = read_one(f, "{'name':'n','type':['null','int','long'],'field-id':2}",
                 str_from("\x02\x0a", 2));
    assert_true(r->has_number && r->number == 5);
}

static const char longs_field[] =
    "{'name':'l','type':{'type':'array','items':'long'},'field-id':4},"
    "{'name':'t','type':'string','field-id':3}";

static void test_arrays_come_in_blocks_with_and_without_sizes(void **state)
{
    fixture *f = *state;
    /* blocks of 2, then of 3 with its size in bytes (written as -3), then the end; then "x" */
    const char bytes[] = "\x04\x02\x04\x05\x06\x06\x08\x0a\x00\x02x";
    const row *r = read_one(f, longs_field, str_from(bytes, sizeof(bytes) - 1));
    const int64_t *longs = r->longs.items;

    assert_int_equal(r->longs.count, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(longs[i], i + 1);
    }
    EXPECT_STR(r->text, "x");
}

static void test_fields_nobody_asks_for_are_skipped_whatever_their_type(void **state)
{
    static const char fields[] =
        "{'name':'a','type':'boolean'},{'name':'b','type':'float','field-id':90},"
        "{'name':'c','type':{'type':'fixed','name':'f5','size':5}},"
        "{'name':'d','type':{'type':'enum','name':'e','symbols':['A','B']}},"
        "{'name':'e','type':{'type':'array','items':{'type':'array','items':'f5'}}},"
        "{'name':'f','type':{'type':'map','values':['null','double']}},"
        "{'name':'g','type':{'type':'record','name':'inner','fields':["
        "  {'name':'x','type':'bytes','field-id':3},{'name':'y','type':['null','inner2']}"
        "]}},"
        "{'name':'n','type':{'type':'long','logicalType':'timestamp-micros'},'field-id':2}";
    fixture *f = *state;
    buf *r = buf_in(f->arena, 1000);
    const char *text = fields;

    /* "inner2" must be defined before it is used. */
    text = arena_printf(
        f->arena, "{'name':'z','type':{'type':'record','name':'inner2','fields':[]}},%s", text);
    avro_put_bool(r, true);
    avro_put_float(r, 1.5F);
    avro_put_fixed(r, STR("12345"));
    avro_put_long(r, 1);
    avro_put_long(r, 2); /* two arrays, counted */
    avro_put_long(r, 1);
    avro_put_fixed(r, STR("abcde"));
    avro_put_long(r, 0);
    avro_put_long(r, -1); /* with its size */
    avro_put_long(r, 5);
    avro_put_fixed(r, STR("abcde"));
    avro_put_long(r, 0);
    avro_put_long(r, 0);
    avro_put_long(r, 2); /* map of two */
    avro_put_bytes(r, STR("k"));
    avro_put_branch(r, 1);
    avro_put_double(r, 2.5);
    avro_put_bytes(r, STR("l"));
    avro_put_branch(r, 0);
    avro_put_long(r, 0);
    avro_put_bytes(r, STR("inner bytes")); /* id 3 of another record than the outermost */
    avro_put_branch(r, 1);
    avro_put_long(r, 42);
    assert_int_equal(read_one(f, text, buf_str(r))->number, 42);
    assert_true(str_is_null(read_one(f, text, buf_str(r))->text));
}

static void test_maps_are_read_in_both_spellings_without_nulls(void **state)
{
    fixture *f = *state;
    buf *r = buf_in(f->arena, 1000);
    const avro_int_long *counts;
    const avro_int_bytes *bounds;
    const row *read;

    avro_put_long(r, 3);
    for (int i = 0; i < 3; i++) {
        avro_put_branch(r, i == 1 ? 0 : 1); /* the value of the second is null, and stands first */
        if (i != 1) {
            avro_put_long(r, 100 + i);
        }
        avro_put_long(r, 7 + i);
    }
    avro_put_long(r, 0);
    avro_put_long(r, 2);
    avro_put_bytes(r, STR("-5"));
    avro_put_bytes(r, STR("low"));
    avro_put_bytes(r, STR("2147483647"));
    avro_put_bytes(r, STR(""));
    avro_put_long(r, 0);
    read = read_one(f,
                    "{'name':'c','field-id':5,'type':{'type':'array','logicalType':'map','items':"
                    "{'type':'record','name':'k5_v6','fields':["
                    "{'name':'value','type':['null','long']},{'name':'key','type':'int'}]}}},"
                    "{'name':'b','field-id':6,'type':{'type':'map','values':'bytes'}}",
                    buf_str(r));
    counts = read->counts.items;
    bounds = read->bounds.items;
    assert_int_equal(read->counts.count, 2);
    assert_true(counts[0].key == 7 && counts[0].value == 100);
    assert_true(counts[1].key == 9 && counts[1].value == 102);
    assert_int_equal(read->bounds.count, 2);
    assert_int_equal(bounds[0].key, -5);
    EXPECT_STR(bounds[0].value, "low");
    assert_int_equal(bounds[1].key, INT32_MAX);
    assert_int_equal(bounds[1].value.size, 0);
}

static void test_tuples_hold_every_scalar_type(void **state)
{
    fixture *f = *state;
    buf *r = buf_in(f->arena, 1000);
    const avro_tuple_field *t;
    const row *read;

    avro_put_bool(r, true);
    avro_put_long(r, -2);
    avro_put_long(r, INT64_MIN);
    avro_put_float(r, 1.0F);
    avro_put_double(r, -2.0);
    avro_put_bytes(r, STR("s"));
    avro_put_fixed(r, STR("0123456789abcdef"));
    avro_put_branch(r, 0);
    avro_put_branch(r, 1);
    avro_put_long(r, 3);
    read = read_one(f,
                    "{'name':'p','field-id':8,'type':{'type':'record','name':'r102','fields':["
                    "{'name':'a','field-id':1000,'type':'boolean'},"
                    "{'name':'b','field-id':1001,'type':{'type':'int','logicalType':'date'}},"
                    "{'name':'c','field-id':1002,'type':'long'},"
                    "{'name':'d','field-id':1003,'type':'float'},"
                    "{'name':'e','field-id':1004,'type':'double'},"
                    "{'name':'f','field-id':1005,'type':'string'},"
                    "{'name':'g','field-id':1006,'type':{'type':'fixed','name':'u','size':16}},"
                    "{'name':'h','field-id':1007,'type':['null','int']},"
                    "{'name':'i','field-id':1008,'type':['null','int']}]}}",
                    buf_str(r));
    t = read->tuple.fields;
    assert_int_equal(read->tuple.count, 9);
    assert_memory_equal(t[0].value.data, "\x01", 1);
    assert_int_equal(t[1].value.size, 4);
    assert_memory_equal(t[1].value.data, "\xfe\xff\xff\xff", 4);
    assert_memory_equal(t[2].value.data, "\0\0\0\0\0\0\0\x80", 8);
    assert_memory_equal(t[3].value.data, "\0\0\x80\x3f", 4);
    assert_memory_equal(t[4].value.data, "\0\0\0\0\0\0\0\xc0", 8);
    EXPECT_STR(t[5].value, "s");
    EXPECT_STR(t[6].value, "0123456789abcdef");
    assert_true(!t[7].present && t[7].field_id == 1007);
    assert_memory_equal(t[8].value.data, "\x03\0\0\0", 4);
}

static bool keep_even(void *context, const void *record)
{
    (*(int *)context)++;
    return ((const row *)record)->number % 2 == 0;
}

static void test_dropped_records_leave_nothing_behind(void **state)
{
    fixture *f = *state;
    buf *records = buf_in(f->arena, 8 * LIMIT_MIB);
    arena *a = arena_child(f->arena);
    avro_file file;
    void *read;
    size_t count;
    int asked = 0;

    for (int i = 0; i < 10000; i++) {
        avro_put_long(records, i < 9990 ? 1 : i);
        avro_put_long(records, 50);
        for (int j = 0; j < 50; j++) {
            avro_put_long(records, i);
        }
        avro_put_long(records, 0);
    }
    EXPECT_OK(
        avro_open(make_file(f,
                            "{'name':'n','type':'long','field-id':2},"
                            "{'name':'l','type':{'type':'array','items':'long'},'field-id':4}",
                            buf_str(records), 10000, COMPRESSION_NONE),
                  f->arena, &file, &f->err));
    EXPECT_OK(avro_read(&file, &row_shape, keep_even, &asked, a, &read, &count, &f->err));
    assert_int_equal(asked, 10000);
    assert_int_equal(count, 5);
    assert_int_equal(((const row *)read)[4].number, 9998);
    assert_int_equal(((const int64_t *)((const row *)read)[4].longs.items)[49], 9998);
    assert_true(arena_used_bytes(a) < 100000); /* 10 000 lists of 400 bytes would be 4 MB */
}

/* --- what is refused --- */

static void expect_bad_schema(fixture *f, const char *fields, status expected, const char *message)
{
    const row *rows;
    size_t count;
    str bytes = make_file(f, fields, STR_NULL, 0, COMPRESSION_NONE);

    error_clear(&f->err);
    assert_int_equal(read_rows(f, bytes, &rows, &count), expected);
    EXPECT_MESSAGE(f, message);
}

static void test_bad_schemas_are_refused_with_the_field(void **state)
{
    static const struct {
        const char *fields;
        status expected;
        const char *message;
    } cases[] = {
        {"{'name':'n','type':'string','field-id':2}", STATUS_INVALID,
         "field \"n\": Avro type string cannot be read as a long"},
        {"{'name':'n','type':['null',{'type':'array','items':'long'}],'field-id':5}",
         STATUS_INVALID,
         "field \"n\": malformed Avro schema: a map that is an array of something else than "
         "records"},
        {"{'name':'n','type':'boolean','field-id':1},{'name':'m','type':'int','field-id':3}",
         STATUS_INVALID, "field \"m\": Avro type int cannot be read as bytes"},
        {"{'name':'n','type':'nothing','field-id':2}", STATUS_INVALID,
         "field \"n\": malformed Avro schema: no type \"nothing\""},
        {"{'name':'n'}", STATUS_INVALID,
         "field \"n\": malformed Avro schema: a type is neither a name nor a definition"},
        {"{'name':'n','type':{'type':'array','items':'null'}}", STATUS_UNSUPPORTED,
         "field \"n\": an Avro array or map whose items have no bytes cannot be read"},
        {"{'name':'n','type':{'type':'fixed','name':'f','size':-1}}", STATUS_INVALID,
         "field \"n\": malformed Avro schema: a fixed type with a wrong size"},
        {"{'name':'p','field-id':8,'type':{'type':'record','name':'t','fields':["
         "{'name':'x','type':'int'}]}}",
         STATUS_INVALID,
         "field \"p\": field \"x\": malformed Avro schema: its field id is missing or wrong"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect_bad_schema(f, cases[i].fields, cases[i].expected, cases[i].message);
    }
}

static void test_types_that_contain_themselves_are_refused(void **state)
{
    fixture *f = *state;
    const row *rows;
    size_t count;
    buf *wide = buf_in(f->arena, LIMIT_MIB);

    EXPECT_STATUS(UNSUPPORTED,
                  read_rows(f,
                            make_file(f, "{'name':'n','type':['null','r']},{'name':'m','type':'r'}",
                                      STR_NULL, 0, COMPRESSION_NONE),
                            &rows, &count));
    /* each type eight times the one before: 8^20 fields */
    buf_add_c(wide, "{'name':'f0','type':{'type':'record','name':'t0','fields':[]}}");
    for (int i = 1; i < 20; i++) {
        buf_printf(wide, ",{'name':'f%d','type':{'type':'record','name':'t%d','fields':[", i, i);
        for (int j = 0; j < 8; j++) {
            buf_printf(wide, "%s{'name':'g%d','type':'t%d'}", j > 0 ? "," : "", j, i - 1);
        }
        buf_add_c(wide, "]}}");
    }
    EXPECT_STATUS(TOO_LARGE, read_rows(f, make_file(f, wide->data, STR_NULL, 0, COMPRESSION_NONE),
                                       &rows, &count));
}

static void test_bad_records_are_corrupt(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *reason;
    } cases[] = {
        {"\x80\x80\x80", 3, "a number ends too early"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "a number has more than 64 bits"},
        {"\x08\x02", 2, "more items are counted than can follow"},
        {"\x05\x7f\x02\x00\x00", 5, "a block of items has a wrong size"},
        {"\x05\x05\x02\x00\x00", 5, "a block of items has a wrong size"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11, "a block of items has a wrong size"},
        {"\x00\x01", 2, "a length does not fit"},
        {"\x00\x7e", 2, "a length does not fit"},
        {"\x00\x02x\x00", 4, "bytes behind the last record"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const row *rows;
        size_t count;

        EXPECT_STATUS(CORRUPT,
                      read_rows(f,
                                make_file(f, longs_field, str_from(cases[i].bytes, cases[i].size),
                                          1, COMPRESSION_NONE),
                                &rows, &count));
        assert_non_null(strstr(f->err.message, cases[i].reason));
    }
}

static void test_bad_containers_are_corrupt(void **state)
{
    fixture *f = *state;
    str good = make_file(f, longs_field, str_from("\x00\x02x", 3), 1, COMPRESSION_NONE);
    const row *rows;
    size_t count;
    char *bytes;

    EXPECT_OK(read_rows(f, good, &rows, &count));
    bytes = str_to_c(f->arena, good);
    bytes[good.size - 1] ^= 1; /* of the sync marker */
    EXPECT_STATUS(CORRUPT, read_rows(f, str_from(bytes, good.size), &rows, &count));
    assert_non_null(strstr(f->err.message, "a block without its sync marker"));
    EXPECT_STATUS(CORRUPT, read_rows(f, STR("PAR1"), &rows, &count));
    /* Cut anywhere, it is corrupt; only without any block it is an empty file. */
    for (size_t size = 0; size < good.size; size++) {
        status kind = read_rows(f, str_slice(good, 0, size), &rows, &count);

        assert_true(kind == STATUS_CORRUPT || (kind == STATUS_OK && count == 0));
        assert_int_equal(kind == STATUS_OK, size == good.size - 21);
    }
    EXPECT_STATUS(
        CORRUPT,
        read_rows(f, make_file(f, "", str_from("", 0), 1 << 20, COMPRESSION_NONE), &rows, &count));
}

static void test_flipped_bits_never_bring_it_down(void **state)
{
    static const char *const goldens[] = {"codec/avro/v2_manifest_decimal.avro",
                                          "codec/avro/v2_manifest_timestamp.avro"};
    fixture *f = *state;
    rng r;

    rng_seed(&r, 7);
    for (size_t g = 0; g < COUNT_OF(goldens); g++) {
        str good = GOLDEN(f, goldens[g]);

        for (int i = 0; i < 2000; i++) {
            arena *a = arena_child(f->arena);
            char *bytes = str_to_c(a, good);
            avro_file file;
            void *records;
            size_t count;

            for (int flips = 0; flips < 3; flips++) {
                bytes[rng_below(&r, good.size)] ^= (char)(1U << rng_below(&r, 8));
            }
            if (avro_open(str_from(bytes, good.size), a, &file, NULL) == STATUS_OK) {
                (void)avro_read(&file, &entry_shape, NULL, NULL, a, &records, &count, NULL);
            }
            arena_free(a);
        }
    }
}

TESTS(test_a_java_manifest_is_read, test_of_maps_only_the_wanted_keys_are_stored,
      test_partition_values_are_single_values, test_versions_1_and_3_are_read_by_field_id,
      test_manifest_lists_are_read, test_encrypted_files_are_refused_as_such,
      test_every_codec_goes_there_and_back, test_many_schemas_are_read_side_by_side,
      test_numbers_use_all_64_bits, test_null_may_be_either_branch,
      test_arrays_come_in_blocks_with_and_without_sizes,
      test_fields_nobody_asks_for_are_skipped_whatever_their_type,
      test_maps_are_read_in_both_spellings_without_nulls, test_tuples_hold_every_scalar_type,
      test_dropped_records_leave_nothing_behind, test_bad_schemas_are_refused_with_the_field,
      test_types_that_contain_themselves_are_refused, test_bad_records_are_corrupt,
      test_bad_containers_are_corrupt, test_flipped_bits_never_bring_it_down)

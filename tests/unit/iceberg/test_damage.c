/* Claims about damaged tables: whatever bytes stand where metadata, manifest lists and manifests are expected, opening
 * and planning ends with a plan or with a message, and soon. The tables are goldens (tests/golden/iceberg/README.md);
 * the damages are drawn from fixed seeds. */
/* timeout: 240 */
#include <dirent.h>
#include <sys/resource.h>

#include "table.h"

#include "tarn/base/buf.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/scan.h"

#define DAMAGES_PER_FILE 400
#define MEMORY_MAX \
    ((rlim_t)2048 * 1024 * 1024) /* address space; a sanitizer needs more by itself */

/* ---- a table in the test's folder ---- */

typedef struct opened {
    fixture *f;
    test_table *t; /* store and database alone */
    str rule_from;
    int plans, refusals;
} opened;

static void close_store(void *object)
{
    test_table *t = object;

    ice_cache_clear();
    storage_close(t->st);
    state_close(t->db);
}

static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const struct rlimit limit = {.rlim_cur = MEMORY_MAX, .rlim_max = RLIM_INFINITY};

    (void)setrlimit(RLIMIT_AS, &limit);
#endif
}

static opened open_empty(fixture *f)
{
    opened o = {.f = f, .t = ARENA_NEW(f->arena, test_table)};

    test_open_store(f, o.t);
    arena_defer(f->arena, close_store, o.t);
    limit_memory();
    return o;
}

static str location_of(fixture *f, const char *name)
{
    return str_printf(f->arena, "file://%s/metadata/%s", f->dir, name);
}

static void write_metadata_file(fixture *f, const char *name, str bytes)
{
    (void)test_write_file(f, arena_printf(f->arena, "metadata/%s", name), bytes);
}

/* Reads everything that the table is made of, but for what is missing. */
static status read_manifests(storage *st, const ice_metadata *m, arena *a, error *err)
{
    for (size_t i = 0; i < m->snapshot_count; i++) {
        const ice_manifest *manifests;
        size_t count;

        status found = ice_snapshot_manifests(st, m, &m->snapshots[i], a, &manifests, &count, err);
        if (found == STATUS_NOT_FOUND) {
            continue;
        }
        TRY(found);
        for (size_t k = 0; k < count; k++) {
            const ice_entry *entries;
            size_t entry_count;

            TRY(ice_manifest_entries(st, m, &manifests[k], a, &entries, &entry_count, err));
        }
    }
    return STATUS_OK;
}

static status plan_all(storage *st, const ice_metadata *m, arena *a, error *err)
{
    static const ice_value five = {.kind = ICE_LONG, .integer = 5};

    for (size_t i = 0; i <= m->snapshot_count; i++) {
        const int32_t column = ice_metadata_schema(m)->root->field_count > 0
                                   ? ice_metadata_schema(m)->root->fields[0].id
                                   : 1;
        const ice_expr filter = {
            .kind = ICE_GE, .field_id = column, .values = &five, .value_count = 1};
        ice_scan_options options = {.metadata = m,
                                    .snapshot_id = i < m->snapshot_count ? m->snapshots[i].id
                                                                         : ICE_NO_SNAPSHOT,
                                    .filter = i % 2 == 0 ? NULL : &filter,
                                    .keep_skipped = true};
        ice_scan scan;

        status planned = ice_scan_plan(st, &options, a, &scan, err);
        if (planned != STATUS_NOT_FOUND) { /* lost before it was a golden */
            TRY(planned);
        }
    }
    return STATUS_OK;
}

static status read_table(opened *o, str metadata, arena *a, error *err)
{
    const ice_rebase rule = {.from = o->rule_from, .to = str_printf(a, "file://%s", o->f->dir)};
    ice_metadata *m;

    ice_cache_clear();
    TRY(ice_metadata_parse(metadata, &m, err));
    ice_metadata_rebase(m, &rule, 1);
    status result = plan_all(o->t->st, m, a, err);
    if (result == STATUS_OK) {
        result = read_manifests(o->t->st, m, a, err);
    }
    ice_metadata_unref(m);
    return result;
}

static void read_and_count(opened *o, str metadata)
{
    arena *a = arena_create();
    error err = ERROR_INIT;

    if (read_table(o, metadata, a, &err) == STATUS_OK) {
        o->plans++;
    } else {
        o->refusals++;
        assert_true(err.message[0] != '\0');
    }
    arena_free(a);
}

/* ---- damages ---- */

static uint64_t seed;

static uint64_t next_random(void)
{
    uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

static void flip(char *bytes, size_t size)
{
    for (size_t i = 0, count = 1 + below(3); i < count; i++) {
        bytes[below(size)] ^= (char)(1U << below(8));
    }
}

static void put_length(char *bytes, size_t size)
{
    /* the largest and smallest numbers as Avro writes them, and as digits */
    static const char *const lengths[] = {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                                          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                                          "\xfe\xff\xff\xff\x0f",
                                          "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
                                          "9223372036854775807",
                                          "-1"};
    str length = str_c(lengths[below(COUNT_OF(lengths))]);

    if (size > length.size) {
        memcpy(bytes + below(size - length.size), length.data, length.size);
    }
}

static void move_block(char *bytes, size_t size)
{
    size_t count = 1 + below(size / 4 + 1);

    memmove(bytes + below(size - count + 1), bytes + below(size - count + 1), count);
}

static str damaged(str whole, arena *a)
{
    char *bytes = arena_strndup(a, whole.data, whole.size);
    size_t size = whole.size;

    switch (below(5)) {
    case 0:
        size = below(size);
        break;
    case 1:
        put_length(bytes, size);
        break;
    case 2:
        move_block(bytes, size);
        break;
    default:
        flip(bytes, size);
        break;
    }
    return str_from(bytes, size);
}

/* ---- the golden tables ---- */

typedef struct golden {
    const char *folder, *metadata, *location;
} golden;

static const golden goldens[] = {
    {"hive_partitioned", "v4.metadata.json", "data/persistent/hive_partitioned_table"},
    {"equality_deletes", "v7.metadata.json",
     "data/persistent/equality_deletes/warehouse/mydb/mytable"},
    {"v1", "00003-8d01e4aa-d143-49c9-898e-b5e477577b70.metadata.json",
     "data/persistent/iceberg_v1_repro/repro/merch_v1"},
    {"v1", "00004-v3-upgraded-v1-null-counts.metadata.json",
     "data/persistent/iceberg_v1_repro/repro/merch_v1"},
    {"timestamps", "00001-0c9938a5-103e-4185-b46d-331368ae4db7.metadata.json",
     "data/persistent/partition_timestamp/default.db/partition_timestamp"},
    {"deletion_vector", "00002-legacy-bare-dv.metadata.json",
     "data/persistent/legacy_bare_deletion_vector/warehouse/default/legacy_bare_deletion_vector"},
};

static void damage_each_file(fixture *f, const golden *g)
{
    opened o = open_empty(f);
    const char *folder =
        test_golden_path(f, arena_printf(f->arena, "iceberg/tables/%s", g->folder));
    DIR *listing = opendir(folder);
    str metadata = STR_NULL;
    const char *names[64];
    str files[64];
    size_t count = 0;

    assert_non_null(listing);
    EXPECT_OK(fs_make_dirs(test_path(f, "metadata"), 0755, &f->err));
    o.rule_from = str_c(g->location);
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (entry->d_name[0] != '.') {
            assert_true(count < COUNT_OF(names));
            names[count] = arena_printf(f->arena, "%s", entry->d_name);
            files[count] =
                GOLDEN(f, arena_printf(f->arena, "iceberg/tables/%s/%s", g->folder, names[count]));
            write_metadata_file(f, names[count], files[count]);
            metadata = strcmp(names[count], g->metadata) == 0 ? files[count] : metadata;
            count++;
        }
    }
    (void)closedir(listing);
    EXPECT_OK(read_table(&o, metadata, f->arena, &f->err));
    for (size_t i = 0; i < count; i++) {
        bool is_metadata = files[i].data == metadata.data;

        if (!is_metadata && str_ends_with(str_c(names[i]), STR(".json"))) {
            continue; /* another version's */
        }
        seed = i + 1;
        for (int n = 0; n < DAMAGES_PER_FILE; n++) {
            arena *a = arena_create();
            str bytes = damaged(files[i], a);

            if (is_metadata) {
                read_and_count(&o, bytes);
            } else {
                write_metadata_file(f, names[i], bytes);
                read_and_count(&o, metadata);
            }
            arena_free(a);
        }
        write_metadata_file(f, names[i], files[i]);
    }
    /* Most damages are seen; some change a name or a number that means nothing here. */
    assert_true(o.refusals > o.plans / 4 && o.plans > 0);
    EXPECT_OK(read_table(&o, metadata, f->arena, &f->err));
}

static void test_a_damaged_file_is_a_message_or_still_a_table_hive(void **given)
{
    damage_each_file(*given, &goldens[0]);
}

static void test_a_damaged_file_is_a_message_or_still_a_table_equality_deletes(void **given)
{
    damage_each_file(*given, &goldens[1]);
}

static void test_a_damaged_file_is_a_message_or_still_a_table_version_1(void **given)
{
    damage_each_file(*given, &goldens[2]);
}

static void test_a_damaged_file_is_a_message_or_still_a_table_upgraded(void **given)
{
    damage_each_file(*given, &goldens[3]);
}

static void test_a_damaged_file_is_a_message_or_still_a_table_timestamps(void **given)
{
    damage_each_file(*given, &goldens[4]);
}

static void test_a_damaged_file_is_a_message_or_still_a_table_vectors(void **given)
{
    damage_each_file(*given, &goldens[5]);
}

/* ---- circles and depths ---- */

static const char plain[] =
    "{'format-version':2,'table-uuid':'9c12d441-03fe-4693-9a96-a0705ddf69c1','location':'file:///t',"
    "'last-sequence-number':9,'last-updated-ms':9,'last-column-id':1,'current-schema-id':0,"
    "'schemas':[{'type':'struct','schema-id':0,'fields':[{'id':1,'name':'a','required':false,"
    "'type':%s}]}],'default-spec-id':0,'partition-specs':[{'spec-id':0,'fields':[]}],"
    "'last-partition-id':999,'default-sort-order-id':0,'sort-orders':[{'order-id':0,'fields':[]}],"
    "'properties':{'history.expire.min-snapshots-to-keep':'9000000000000000000',"
    "'tarn.history.max-snapshots':'1'},'current-snapshot-id':%s,'snapshots':[%s]}";

static str metadata_with(fixture *f, const char *type, const char *current, const char *snapshots)
{
    buf *text = buf_in(f->arena, 64 * LIMIT_MIB);
    const char *values[] = {type, current, snapshots};
    str rest = str_c(plain);

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        str behind;

        buf_add_str(text, str_cut(rest, '%', &behind));
        buf_add_c(text, values[i]);
        rest = str_slice(behind, 1, behind.size);
    }
    buf_add_str(text, rest);
    buf_add_char(text, '\0');
    return QUOTED(f, buf_str(text).data);
}

static const char *snapshot_text(fixture *f, int id, int parent, const char *list)
{
    return arena_printf(f->arena,
                        "{'snapshot-id':%d,'parent-snapshot-id':%d,'sequence-number':%d,"
                        "'timestamp-ms':%d,'summary':{'operation':'append'},'schema-id':0,"
                        "'manifest-list':'%s'}",
                        id, parent, id, id, list);
}

static void write_list(opened *o, const char *name, const char *manifest)
{
    fixture *f = o->f;
    const ice_manifest line = {.path = location_of(f, manifest),
                               .length_bytes = 1,
                               .sequence_number = 1,
                               .min_sequence_number = 1,
                               .added_snapshot_id = 1,
                               .first_row_id = ICE_NO_ROW_ID};
    const ice_snapshot snapshot = {
        .id = 1, .parent_id = ICE_NO_SNAPSHOT, .sequence_number = 1, .schema_id = 0};
    buf *out = buf_in(f->arena, LIMIT_MIB);
    ice_metadata *m;

    EXPECT_OK(ice_metadata_parse(metadata_with(f, "'long'", "-1", ""), &m, &f->err));
    EXPECT_OK(ice_manifest_list_format(m, &snapshot, &line, 1, out, &f->err));
    ice_metadata_unref(m);
    write_metadata_file(f, name, buf_str(out));
}

static void test_a_manifest_list_that_names_itself_is_refused(void **given)
{
    fixture *f = *given;
    opened o = open_empty(f);
    str list = location_of(f, "self.avro");
    str metadata = metadata_with(
        f, "'long'", "1", snapshot_text(f, 1, 2, arena_printf(f->arena, "%.*s", STR_ARG(list))));

    EXPECT_OK(fs_make_dirs(test_path(f, "metadata"), 0755, &f->err));
    o.rule_from = STR("none:");
    write_list(&o, "self.avro", "self.avro");
    EXPECT_STATUS(CORRUPT, read_table(&o, metadata, f->arena, &f->err));
    write_list(&o, "self.avro", "missing.avro");
    EXPECT_STATUS(NOT_FOUND, read_table(&o, metadata, f->arena, &f->err));
}

/* 1 is the parent of 2, and 2 that of 1; 3 is its own: expiring and planning end. */
static void test_snapshots_whose_parents_go_round_in_a_circle_end(void **given)
{
    fixture *f = *given;
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", NULL, 0);
    ice_file file = test_file(f->arena, t->latest, NULL, 0, 1);
    store_stage_request request = test_request(&file);
    ice_append append = {
        .files = &file, .file_count = 1, .unstaged = &request, .unstaged_count = 1};
    ice_metadata *circle;
    ice_commit_result result;

    const char *snapshots =
        arena_printf(f->arena, "%s,%s,%s", snapshot_text(f, 1, 2, "s3://none"),
                     snapshot_text(f, 2, 1, "s3://none"), snapshot_text(f, 3, 3, "s3://none"));
    EXPECT_OK(ice_metadata_parse(metadata_with(f, "'long'", "-1", snapshots), &circle, &f->err));
    /* The table's own columns and place, with these snapshots beside its own. */
    ice_metadata *kept = t->latest;
    ice_metadata with = *kept;
    with.snapshots = circle->snapshots;
    with.snapshot_count = circle->snapshot_count;
    with.properties = circle->properties;
    with.property_count = circle->property_count;
    buf *text = buf_in(f->arena, LIMIT_MIB);
    ice_metadata_format(&with, text);
    EXPECT_OK(ice_metadata_parse(buf_str(text), &t->latest, &f->err));
    ice_metadata_unref(kept);
    ice_metadata_unref(circle);
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(ice_commit_append(&t->committer, &append, &result, &f->err));
        file = test_file(f->arena, t->latest, NULL, i + 1, 1);
        request = test_request(&file);
    }
    assert_true(t->latest->snapshot_count >= 1);
}

static void test_a_schema_nested_beyond_reason_is_refused(void **given)
{
    fixture *f = *given;
    static const struct {
        int depth;
        bool is_read;
    } cases[] = {{50, true}, {100000, false}};

    limit_memory();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf *type = buf_in(f->arena, 64 * LIMIT_MIB);
        ice_metadata *m = NULL;

        for (int k = 0; k < cases[i].depth; k++) {
            buf_add_str(type, str_printf(f->arena,
                                         "{'type':'list','element-id':%d,'element-required':false,"
                                         "'element':",
                                         k + 2));
        }
        buf_add_c(type, "'long'");
        for (int k = 0; k < cases[i].depth; k++) {
            buf_add_char(type, '}');
        }
        buf_add_char(type, '\0');
        status parsed =
            ice_metadata_parse(metadata_with(f, buf_str(type).data, "-1", ""), &m, &f->err);
        assert_int_equal(parsed == STATUS_OK, cases[i].is_read);
        assert_true(parsed == STATUS_OK || f->err.message[0] != '\0');
        ice_metadata_unref(m);
    }
}

TESTS(test_a_damaged_file_is_a_message_or_still_a_table_hive,
      test_a_damaged_file_is_a_message_or_still_a_table_equality_deletes,
      test_a_damaged_file_is_a_message_or_still_a_table_version_1,
      test_a_damaged_file_is_a_message_or_still_a_table_upgraded,
      test_a_damaged_file_is_a_message_or_still_a_table_timestamps,
      test_a_damaged_file_is_a_message_or_still_a_table_vectors,
      test_a_manifest_list_that_names_itself_is_refused,
      test_snapshots_whose_parents_go_round_in_a_circle_end,
      test_a_schema_nested_beyond_reason_is_refused)

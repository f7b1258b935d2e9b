/* Claims about which delete files apply to which data files. The rules: Iceberg specification, "Scan planning". */
#include "support/test.h"

#include "internal.h"

#define FILE_PATH_ID 2147483546

/* A table with id long (1), name string (2), x double (3); spec 0 without fields, spec 1 by name, spec 2 by id. */
static ice_metadata *table(fixture *f)
{
    static const ice_partition_field by_name = {.source_id = 2, .field_id = 1000};
    static const ice_partition_field by_id = {.source_id = 1, .field_id = 1001};
    static const ice_spec specs[] = {
        {.id = 0},
        {.id = 1, .fields = &by_name, .field_count = 1},
        {.id = 2, .fields = &by_id, .field_count = 1},
    };
    ice_field *fields = ARENA_ARRAY(f->arena, ice_field, 3);
    ice_type *root = ARENA_NEW(f->arena, ice_type);
    ice_schema *schema = ARENA_NEW(f->arena, ice_schema);
    ice_metadata *m = ARENA_NEW(f->arena, ice_metadata);

    fields[0] = (ice_field){.id = 1, .name = STR("id"), .type = ice_type_primitive(ICE_LONG)};
    fields[1] = (ice_field){.id = 2, .name = STR("name"), .type = ice_type_primitive(ICE_STRING)};
    fields[2] = (ice_field){.id = 3, .name = STR("x"), .type = ice_type_primitive(ICE_DOUBLE)};
    *root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = 3};
    schema->root = root;
    m->schemas = schema;
    m->schema_count = 1;
    m->specs = specs;
    m->spec_count = COUNT_OF(specs);
    return m;
}

static const ice_value apple = {.kind = ICE_STRING, .bytes = STR_INIT("apple")};
static const ice_value banana = {.kind = ICE_STRING, .bytes = STR_INIT("banana")};
static const ice_value one = {.kind = ICE_LONG, .integer = 1};

static ice_file data_file(const char *path, int64_t sequence)
{
    return (ice_file){.path = str_c(path), .format = STR("PARQUET"), .data_sequence = sequence};
}

static ice_file in_partition(ice_file file, int32_t spec, const ice_value *value)
{
    file.spec_id = spec;
    file.partition = value;
    file.partition_count = 1;
    return file;
}

static ice_file positions(const char *path, int64_t sequence)
{
    ice_file file = data_file(path, sequence);

    file.content = ICE_POSITION_DELETES;
    return file;
}

static ice_file equality(const char *path, int64_t sequence)
{
    static const int32_t ids[] = {1};
    ice_file file = data_file(path, sequence);

    file.content = ICE_EQUALITY_DELETES;
    file.equality_ids = ids;
    file.equality_id_count = 1;
    return file;
}

static ice_file vector(const char *path, int64_t sequence, const char *data)
{
    ice_file file = positions(path, sequence);

    file.format = STR("PUFFIN");
    file.referenced_data_file = str_c(data);
    file.content_offset = 4;
    file.content_size_bytes = 40;
    return file;
}

/* Bounds of one column as binary values. */
static ice_file bounded(fixture *f, ice_file file, int32_t id, str lower, str upper)
{
    avro_int_bytes *bounds = ARENA_ARRAY(f->arena, avro_int_bytes, 2);

    bounds[0] = (avro_int_bytes){id, lower};
    bounds[1] = (avro_int_bytes){id, upper};
    file.lower_bounds = &bounds[0];
    file.upper_bounds = &bounds[1];
    file.lower_bound_count = file.upper_bound_count = 1;
    return file;
}

static ice_file ranged(fixture *f, ice_file file, int64_t from, int64_t to)
{
    const ice_type *type = ice_type_primitive(ICE_LONG);
    ice_value lower = {.kind = ICE_LONG, .integer = from};
    ice_value upper = {.kind = ICE_LONG, .integer = to};

    return bounded(f, file, 1, ice_value_encode(type, &lower, f->arena),
                   ice_value_encode(type, &upper, f->arena));
}

static ice_file counted(fixture *f, ice_file file, int64_t values, int64_t nulls)
{
    avro_int_long *counts = ARENA_ARRAY(f->arena, avro_int_long, 2);

    counts[0] = (avro_int_long){1, values};
    counts[1] = (avro_int_long){1, nulls};
    file.value_counts = &counts[0];
    file.null_counts = &counts[1];
    file.value_count_count = file.null_count_count = 1;
    return file;
}

/* What applies to each data file, as text: "a: v(x) p(y z) e(w); b:". */
static str told(fixture *f, const ice_scan *scan)
{
    buf *out = buf_in(f->arena, 1 << 20);

    for (size_t i = 0; i < scan->file_count; i++) {
        const ice_file_deletes *d = scan->applied != NULL ? &scan->applied[i] : NULL;

        buf_printf(out, "%s%.*s:", i > 0 ? "; " : "", STR_ARG(scan->files[i].path));
        if (d != NULL && d->vector >= 0) {
            buf_printf(out, " v(%.*s)", STR_ARG(scan->deletes[d->vector].path));
        }
        for (size_t k = 0; d != NULL && k < d->position_count; k++) {
            buf_printf(out, " p(%.*s)", STR_ARG(scan->deletes[d->positions[k]].path));
        }
        for (size_t k = 0; d != NULL && k < d->equality_count; k++) {
            buf_printf(out, " e(%.*s)", STR_ARG(scan->deletes[d->equalities[k]].path));
        }
    }
    return buf_str(out);
}

static status applied(fixture *f, const ice_file *files, size_t file_count, const ice_file *deletes,
                      size_t delete_count, ice_scan *ret_scan)
{
    *ret_scan = (ice_scan){.files = files, .file_count = file_count};
    return ice__apply_deletes(table(f), deletes, delete_count, f->arena, ret_scan, &f->err);
}

#define EXPECT_APPLIED(files, deletes, expected)                                           \
    do {                                                                                   \
        ice_scan scan_;                                                                    \
        EXPECT_OK(applied(f, files, COUNT_OF(files), deletes, COUNT_OF(deletes), &scan_)); \
        EXPECT_STR(told(f, &scan_), expected);                                             \
    } while (0)

#define EXPECT_CORRUPT(files, deletes)                                                         \
    do {                                                                                       \
        ice_scan scan_;                                                                        \
        EXPECT_STATUS(CORRUPT,                                                                 \
                      applied(f, files, COUNT_OF(files), deletes, COUNT_OF(deletes), &scan_)); \
    } while (0)

static void test_positions_apply_from_their_own_sequence_number_on(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {data_file("a", 1), data_file("b", 2), data_file("c", 3)};
    const ice_file deletes[] = {positions("x", 2), positions("y", 1), positions("z", 0)};
    ice_scan scan;

    EXPECT_APPLIED(files, deletes, "a: p(y) p(x); b: p(x); c:");
    EXPECT_OK(applied(f, files, 3, deletes, 3, &scan));
    assert_int_equal(scan.delete_count, 2); /* z is older than all */
}

static void test_equality_deletes_apply_to_what_is_strictly_older(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {data_file("a", 1), data_file("b", 2), data_file("c", 3)};
    const ice_file deletes[] = {equality("x", 2), equality("y", 3)};

    EXPECT_APPLIED(files, deletes, "a: e(x) e(y); b: e(y); c:");
}

static void test_deletes_stay_in_their_partition(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {in_partition(data_file("a", 1), 1, &apple),
                              in_partition(data_file("b", 1), 1, &banana),
                              in_partition(data_file("c", 1), 2, &one), data_file("d", 1)};
    const ice_file deletes[] = {in_partition(positions("x", 5), 1, &apple),
                                in_partition(equality("y", 5), 1, &banana),
                                in_partition(equality("z", 5), 2, &one)};

    EXPECT_APPLIED(files, deletes, "a: p(x); b: e(y); c: e(z); d:");
}

static void test_null_is_a_partition_of_its_own(void **given)
{
    static const ice_value null = {.kind = ICE_STRING, .is_null = true};
    static const ice_value empty = {.kind = ICE_STRING, .bytes = STR_INIT("")};
    fixture *f = *given;
    const ice_file files[] = {in_partition(data_file("a", 1), 1, &null),
                              in_partition(data_file("b", 1), 1, &empty)};
    const ice_file deletes[] = {in_partition(positions("x", 5), 1, &null)};

    EXPECT_APPLIED(files, deletes, "a: p(x); b:");
}

static void test_unpartitioned_equality_deletes_apply_everywhere(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {in_partition(data_file("a", 1), 1, &apple), data_file("b", 1),
                              in_partition(data_file("c", 5), 1, &apple)};
    const ice_file deletes[] = {equality("x", 5), positions("y", 5)};

    EXPECT_APPLIED(files, deletes, "a: e(x); b: p(y) e(x); c:");
}

static void test_a_vector_stands_for_all_positions(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {data_file("a", 1), data_file("b", 1)};
    const ice_file deletes[] = {positions("x", 5), vector("v", 6, "a"), equality("y", 7)};

    EXPECT_APPLIED(files, deletes, "a: v(v) e(y); b: p(x) e(y)");
}

static void test_a_vector_applies_to_its_own_sequence_number(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {data_file("a", 6)};
    const ice_file deletes[] = {vector("v", 6, "a")};

    EXPECT_APPLIED(files, deletes, "a: v(v)");
}

static void test_vectors_that_contradict_their_data_file_are_corrupt(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {in_partition(data_file("a", 3), 1, &apple)};
    const ice_file other_partition[] = {in_partition(vector("v", 6, "a"), 1, &banana)};
    const ice_file other_spec[] = {vector("v", 6, "a")};
    const ice_file older[] = {in_partition(vector("v", 2, "a"), 1, &apple)};
    const ice_file two[] = {in_partition(vector("v", 6, "a"), 1, &apple),
                            in_partition(vector("w", 6, "a"), 1, &apple)};
    ice_file nameless[] = {in_partition(vector("v", 6, "a"), 1, &apple)};
    ice_file placeless[] = {in_partition(vector("v", 6, "a"), 1, &apple)};

    nameless[0].referenced_data_file = STR_NULL;
    placeless[0].content_offset = -1;
    EXPECT_CORRUPT(files, other_partition);
    EXPECT_MESSAGE(f, "delete file \"v\" is of another partition than its data file \"a\"");
    EXPECT_CORRUPT(files, other_spec);
    EXPECT_CORRUPT(files, older);
    EXPECT_CORRUPT(files, two);
    EXPECT_MESSAGE(f, "data file \"a\" has two deletion vectors");
    EXPECT_CORRUPT(files, nameless);
    EXPECT_CORRUPT(files, placeless);
}

static void test_vectors_of_files_that_are_not_read_are_not_looked_at(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {in_partition(data_file("a", 3), 1, &apple)};
    const ice_file deletes[] = {vector("v", 6, "pruned")};

    EXPECT_APPLIED(files, deletes, "a:");
}

static void test_positions_that_name_their_file_apply_to_it_alone(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {data_file("a.parquet", 1), data_file("b.parquet", 1)};
    ice_file deletes[] = {
        positions("x", 5),
        bounded(f, positions("y", 5), FILE_PATH_ID, STR("b.parquet"), STR("b.parquet")),
        positions("z", 0)};

    deletes[0].referenced_data_file = STR("a.parquet");
    deletes[2].referenced_data_file = STR("a.parquet");
    EXPECT_APPLIED(files, deletes, "a.parquet: p(x); b.parquet: p(y)");
}

static void test_positions_of_a_file_in_another_partition_are_corrupt(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {in_partition(data_file("a", 3), 1, &apple)};
    ice_file deletes[] = {in_partition(positions("x", 5), 1, &banana)};

    deletes[0].referenced_data_file = STR("a");
    EXPECT_CORRUPT(files, deletes);
}

static void test_ranges_of_paths_are_believed_though_cut_off(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {data_file("data/a.parquet", 1), data_file("data/b.parquet", 1),
                              data_file("data/c.parquet", 1)};
    const ice_file deletes[] = {
        bounded(f, positions("x", 5), FILE_PATH_ID, STR("data/a.parquet"), STR("data/b.parquet")),
        bounded(f, positions("y", 5), FILE_PATH_ID, STR("data/b"), STR("data/c")),
        bounded(f, positions("z", 5), FILE_PATH_ID, STR("data/"), STR("data/"))};

    EXPECT_APPLIED(files, deletes,
                   "data/a.parquet: p(x) p(z); data/b.parquet: p(x) p(y) p(z); "
                   "data/c.parquet: p(y) p(z)");
}

static void test_equality_deletes_are_left_out_by_ranges(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {counted(f, ranged(f, data_file("a", 1), 1, 10), 10, 0),
                              counted(f, ranged(f, data_file("b", 1), 10, 20), 10, 0),
                              data_file("c", 1)};
    const ice_file deletes[] = {ranged(f, equality("x", 5), 11, 30),
                                ranged(f, equality("y", 5), 10, 10)};

    EXPECT_APPLIED(files, deletes, "a: e(y); b: e(x) e(y); c: e(x) e(y)");
}

static void test_without_counts_any_column_may_hold_nulls(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {ranged(f, data_file("a", 1), 1, 10)};
    const ice_file deletes[] = {ranged(f, equality("x", 5), 11, 30)};

    EXPECT_APPLIED(files, deletes, "a: e(x)");
}

static void test_nulls_meet_nulls_whatever_the_ranges(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {counted(f, ranged(f, data_file("no nulls", 1), 1, 10), 10, 0),
                              counted(f, ranged(f, data_file("some", 1), 1, 10), 10, 3),
                              counted(f, data_file("only", 1), 10, 10)};
    const ice_file far[] = {counted(f, ranged(f, equality("x", 5), 50, 60), 10, 2)};
    const ice_file near[] = {counted(f, ranged(f, equality("x", 5), 5, 60), 10, 0)};
    const ice_file null[] = {counted(f, equality("x", 5), 1, 1)};

    EXPECT_APPLIED(files, far, "no nulls:; some: e(x); only: e(x)");
    EXPECT_APPLIED(files, near, "no nulls: e(x); some: e(x); only:");
    EXPECT_APPLIED(files, null, "no nulls:; some: e(x); only: e(x)");
}

static void test_ranges_of_columns_that_are_unknown_or_real_tell_nothing(void **given)
{
    static const int32_t unknown[] = {99};
    static const int32_t real[] = {3};
    fixture *f = *given;
    const ice_file files[] = {
        bounded(f, data_file("a", 1), 3, STR("\0\0\0\0\0\0\0\0"), STR("\0\0\0\0\0\0\0\0"))};
    ice_file deletes[] = {
        bounded(f, equality("x", 5), 3, STR("\0\0\0\0\0\0\xf0\x3f"), STR("\0\0\0\0\0\0\xf0\x3f")),
        equality("y", 5)};

    deletes[0].equality_ids = real;
    deletes[1].equality_ids = unknown;
    EXPECT_APPLIED(files, deletes, "a: e(x) e(y)");
}

static void test_equality_deletes_without_columns_are_corrupt(void **given)
{
    fixture *f = *given;
    const ice_file files[] = {data_file("a", 1)};
    ice_file deletes[] = {equality("x", 5)};

    deletes[0].equality_id_count = 0;
    EXPECT_CORRUPT(files, deletes);
}

/* Ten thousand files and a thousand delete files, most of which apply to most. */
static void test_many_deletes_of_many_files_are_planned(void **given)
{
    enum { FILES = 10000, DELETES = 1000 };
    fixture *f = *given;
    ice_file *files = ARENA_ARRAY(f->arena, ice_file, FILES);
    ice_file *deletes = ARENA_ARRAY(f->arena, ice_file, DELETES);
    ice_scan scan;

    for (int i = 0; i < FILES; i++) {
        files[i] = data_file(arena_printf(f->arena, "data/%d.parquet", i), i);
        files[i] = counted(f, ranged(f, files[i], i * 10, i * 10 + 9), 10, 0);
    }
    for (int i = 0; i < DELETES; i++) {
        const char *name = arena_printf(f->arena, "d%d", i);

        deletes[i] = i % 2 == 0 ? positions(name, i * 10)
                                : ranged(f, equality(name, i * 10), i * 100, i * 100 + 99);
    }
    EXPECT_OK(applied(f, files, FILES, deletes, DELETES, &scan));
    for (int i = 0; i < FILES; i++) {
        int64_t sum = 0;

        for (size_t k = 0; k < scan.applied[i].position_count; k++) {
            sum += scan.deletes[scan.applied[i].positions[k]].data_sequence >= i ? 1 : -1000000;
        }
        assert_int_equal(sum, (9980 - i) / 20 + 1 > 0 && i <= 9980 ? (9980 - i) / 20 + 1 : 0);
        assert_true(scan.applied[i].equality_count <= 1);
    }
}

TESTS(test_positions_apply_from_their_own_sequence_number_on,
      test_equality_deletes_apply_to_what_is_strictly_older, test_deletes_stay_in_their_partition,
      test_null_is_a_partition_of_its_own, test_unpartitioned_equality_deletes_apply_everywhere,
      test_a_vector_stands_for_all_positions, test_a_vector_applies_to_its_own_sequence_number,
      test_vectors_that_contradict_their_data_file_are_corrupt,
      test_vectors_of_files_that_are_not_read_are_not_looked_at,
      test_positions_that_name_their_file_apply_to_it_alone,
      test_positions_of_a_file_in_another_partition_are_corrupt,
      test_ranges_of_paths_are_believed_though_cut_off,
      test_equality_deletes_are_left_out_by_ranges, test_without_counts_any_column_may_hold_nulls,
      test_nulls_meet_nulls_whatever_the_ranges,
      test_ranges_of_columns_that_are_unknown_or_real_tell_nothing,
      test_equality_deletes_without_columns_are_corrupt,
      test_many_deletes_of_many_files_are_planned)

/* Claims about new metadata from old: what each change makes, and what it refuses. */
#include "table.h"
#include "tarn/base/limits.h"
#include "tarn/iceberg/evolve.h"

#include "internal.h"

#define PATH(...)                                    \
    ((ice_path){.parts = (const str[]){__VA_ARGS__}, \
                .count = sizeof((const str[]){__VA_ARGS__}) / sizeof(str)})

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

/* A schema in one line of JSON with ' for ". */
static const ice_type *type_of(fixture *f, const char *text)
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

static const ice_metadata *table(fixture *f, int version, const char *partitioning)
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

static ice_builder *builder(fixture *f, int version, const char *partitioning)
{
    return ice_builder_create(table(f, version, partitioning), f->arena);
}

static const ice_schema *schema_now(const ice_builder *b)
{
    return ice_metadata_schema(ice_builder_now(b));
}

static const ice_field *column(const ice_builder *b, const char *name)
{
    return ice_schema_column(schema_now(b), str_c(name));
}

/* A first snapshot, so that the table holds rows. */
static void add_rows(fixture *f, ice_builder *b, int64_t id)
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

static str formatted(fixture *f, const ice_metadata *m)
{
    buf *out = buf_in(f->arena, LIMIT_METADATA_FILE);

    ice_metadata_format(m, out);
    return buf_str(out);
}

/* --- columns --- */

static void test_added_columns_get_fresh_ids_nested_ones_too(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");
    ice_add_column plain = {.name = STR("n"),
                            .type = ice_type_primitive(ICE_LONG),
                            .doc = STR("a number"),
                            .place = ICE_AFTER,
                            .beside = STR("ID")};
    ice_add_column nested = {.parent = PATH(STR("xs")),
                             .name = STR("w"),
                             .type = type_of(f, "{'type': 'list', 'element-id': 1, "
                                                "'element-required': false, 'element': 'int'}"),
                             .doc = STR_NULL,
                             .place = ICE_FIRST};
    const ice_field *w;

    EXPECT_OK(ice_builder_add_column(b, &plain, &f->err));
    EXPECT_OK(ice_builder_add_column(b, &nested, &f->err));
    assert_int_equal(column(b, "n")->id, 16);
    EXPECT_STR(schema_now(b)->root->fields[1].name, "n");
    w = &column(b, "xs")->type->fields[0].type->fields[0];
    EXPECT_STR(w->name, "w");
    assert_int_equal(w->id, 17);
    assert_int_equal(w->type->fields[0].id, 18);
    assert_int_equal(ice_builder_now(b)->last_column_id, 18);
    /* both are one new schema */
    assert_int_equal(ice_builder_now(b)->schema_count, 2);
    assert_int_equal(ice_builder_now(b)->current_schema_id, 1);
}

static void test_ids_of_dropped_columns_never_come_back(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");
    ice_add_column again = {
        .name = STR("at"), .type = ice_type_primitive(ICE_TIMESTAMP), .doc = STR_NULL};

    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("AT")), false, &f->err));
    assert_null(column(b, "at"));
    EXPECT_OK(ice_builder_add_column(b, &again, &f->err));
    assert_int_equal(column(b, "at")->id, 16);
}

static void test_adding_refuses_names_that_are_there_and_rows_without_a_value(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");
    ice_add_column add = {
        .name = STR("NAME"), .type = ice_type_primitive(ICE_LONG), .doc = STR_NULL};

    EXPECT_STATUS(EXISTS, ice_builder_add_column(b, &add, &f->err));
    EXPECT_MESSAGE(f, "column \"NAME\" exists already");
    add.if_not_exists = true;
    EXPECT_OK(ice_builder_add_column(b, &add, &f->err));
    add = (ice_add_column){
        .name = STR("r"), .type = ice_type_primitive(ICE_LONG), .required = true, .doc = STR_NULL};
    EXPECT_OK(ice_builder_add_column(b, &add, &f->err)); /* no rows yet */
    add_rows(f, b, 5);
    add.name = STR("q");
    EXPECT_STATUS(INVALID, ice_builder_add_column(b, &add, &f->err));
    EXPECT_MESSAGE(f,
                   "column \"q\" cannot be required: the rows that are there have no value for it");
    add.required = false;
    add.type = ice_type_primitive(ICE_TIMESTAMP_NS);
    EXPECT_STATUS(INVALID, ice_builder_add_column(b, &add, &f->err));
    add.type = ice_type_primitive(ICE_INT);
    add.parent = PATH(STR("m"), STR("key"));
    EXPECT_STATUS(INVALID, ice_builder_add_column(b, &add, &f->err));
    EXPECT_MESSAGE(f, "column \"m.key\" is part of a map's key, which cannot change");
    add.parent = PATH(STR("Name"));
    EXPECT_STATUS(INVALID, ice_builder_add_column(b, &add, &f->err));
    EXPECT_MESSAGE(f, "column \"Name\" cannot have fields: it is string");
    add.parent = PATH(STR("nme"));
    EXPECT_STATUS(NO_COLUMN, ice_builder_add_column(b, &add, &f->err));
    EXPECT_HINT(f, "Did you mean \"Name\"?");
    add.parent = (ice_path){.count = 0};
    add.place = ICE_BEFORE;
    add.beside = STR("dya");
    EXPECT_STATUS(NO_COLUMN, ice_builder_add_column(b, &add, &f->err));
    EXPECT_HINT(f, "Did you mean \"day\"?");
}

static void test_dropping_refuses_what_is_needed(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "day, truncate(4, Name)");
    ice_sort_order order;

    EXPECT_STATUS(INVALID, ice_builder_drop_column(b, PATH(STR("name")), false, &f->err));
    EXPECT_MESSAGE(f,
                   "column \"name\" cannot be dropped: the table is partitioned by \"Name_trunc\"");
    EXPECT_OK(ice_builder_set_identifier(b, (const ice_path[]){PATH(STR("id"))}, 1, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_drop_column(b, PATH(STR("id")), false, &f->err));
    EXPECT_MESSAGE(f, "column \"id\" cannot be dropped: it identifies rows");
    EXPECT_OK(ice_sort_order_parse_sql(STR("s.b desc"), schema_now(b), f->arena, &order, &f->err));
    EXPECT_OK(ice_builder_set_order(b, &order, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_drop_column(b, PATH(STR("s")), false, &f->err));
    EXPECT_MESSAGE(f, "column \"s\" cannot be dropped: the table's rows are ordered by it");
    EXPECT_STATUS(NO_COLUMN, ice_builder_drop_column(b, PATH(STR("s"), STR("c")), false, &f->err));
    EXPECT_MESSAGE(f, "column \"s\" has no field \"c\"");
    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("s"), STR("c")), true, &f->err));
    EXPECT_STATUS(INVALID,
                  ice_builder_drop_column(b, PATH(STR("xs"), STR("element")), false, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_drop_column(b, PATH(STR("xs"), STR("element"), STR("v")),
                                                   false, &f->err));
    EXPECT_MESSAGE(f, "column \"xs.element.v\" is the only one: it cannot be dropped");
    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("s"), STR("a")), false, &f->err));
    assert_int_equal(column(b, "s")->type->field_count, 1);
}

static void test_renaming_keeps_the_id_and_names_stay_unique(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "bucket(4, id)");

    EXPECT_OK(ice_builder_rename_column(b, PATH(STR("name")), STR("NAME"), &f->err));
    assert_int_equal(column(b, "NAME")->id, 2);
    EXPECT_OK(ice_builder_rename_column(b, PATH(STR("s"), STR("a")), STR("id"), &f->err));
    EXPECT_STR(ice_schema_field(schema_now(b), 9)->name, "id");
    EXPECT_STATUS(EXISTS, ice_builder_rename_column(b, PATH(STR("day")), STR("Id"), &f->err));
    EXPECT_STATUS(INVALID,
                  ice_builder_rename_column(b, PATH(STR("day")), STR("id_bucket"), &f->err));
    EXPECT_MESSAGE(f, "column \"id_bucket\" would have the name of a partition field");
    EXPECT_STATUS(INVALID,
                  ice_builder_rename_column(b, PATH(STR("xs"), STR("element")), STR("e"), &f->err));
    EXPECT_MESSAGE(f, "\"xs.element\" is what a list is made of: it cannot be renamed");
    EXPECT_STATUS(INVALID, ice_builder_rename_column(b, PATH(STR("day")), STR(""), &f->err));
}

static void test_columns_move_among_their_siblings(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");

    EXPECT_OK(ice_builder_move_column(b, PATH(STR("day")), ICE_FIRST, STR_NULL, &f->err));
    EXPECT_STR(schema_now(b)->root->fields[0].name, "day");
    EXPECT_OK(ice_builder_move_column(b, PATH(STR("day")), ICE_AFTER, STR("at"), &f->err));
    EXPECT_STR(schema_now(b)->root->fields[7].name, "day");
    EXPECT_OK(ice_builder_move_column(b, PATH(STR("day")), ICE_BEFORE, STR("price"), &f->err));
    /* everything where it was: the first schema again */
    assert_int_equal(ice_builder_now(b)->current_schema_id, 0);
    assert_int_equal(ice_builder_now(b)->schema_count, 1);
    EXPECT_OK(ice_builder_move_column(b, PATH(STR("s"), STR("b")), ICE_BEFORE, STR("a"), &f->err));
    assert_int_equal(column(b, "s")->type->fields[0].id, 10);
    EXPECT_STATUS(INVALID,
                  ice_builder_move_column(b, PATH(STR("id")), ICE_AFTER, STR("ID"), &f->err));
    EXPECT_STATUS(NO_COLUMN, ice_builder_move_column(b, PATH(STR("s"), STR("b")), ICE_AFTER,
                                                     STR("day"), &f->err));
}

static void test_types_only_widen(void **given)
{
    fixture *f = *given;
    static const struct {
        const char *column, *type;
        int version;
        bool may;
    } cases[] = {
        {"id", "'long'", 2, true},
        {"id", "'int'", 2, true},
        {"id", "'double'", 2, false},
        {"id", "'string'", 3, false},
        {"price", "'decimal(38, 2)'", 2, true},
        {"price", "'decimal(8, 2)'", 2, false},
        {"price", "'decimal(12, 3)'", 2, false},
        {"day", "'timestamp'", 3, true},
        {"day", "'timestamp_ns'", 3, true},
        {"day", "'timestamptz'", 3, false},
        {"day", "'timestamp'", 2, false},
        {"Name", "'binary'", 3, false},
        {"at", "'timestamp_ns'", 3, false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ice_builder *b = builder(f, cases[i].version, "");
        status s = ice_builder_widen_column(b, PATH(str_c(cases[i].column)),
                                            type_of(f, cases[i].type), &f->err);

        if ((s == STATUS_OK) != cases[i].may || (s != STATUS_OK && s != STATUS_INVALID)) {
            fail_msg("%s to %s: %s", cases[i].column, cases[i].type, f->err.message);
        }
    }
    ice_builder *b = builder(f, 2, "");

    EXPECT_OK(ice_builder_widen_column(b, PATH(STR("xs"), STR("element"), STR("v")),
                                       ice_type_primitive(ICE_LONG), &f->err));
    EXPECT_OK(ice_builder_widen_column(b, PATH(STR("s"), STR("a")), ice_type_primitive(ICE_DOUBLE),
                                       &f->err));
    EXPECT_OK(ice_builder_widen_column(b, PATH(STR("m"), STR("value")),
                                       ice_type_primitive(ICE_LONG), &f->err));
    EXPECT_STATUS(INVALID, ice_builder_widen_column(b, PATH(STR("m"), STR("key"), STR("k")),
                                                    ice_type_primitive(ICE_LONG), &f->err));
    EXPECT_STATUS(
        INVALID, ice_builder_widen_column(b, PATH(STR("s")), ice_type_primitive(ICE_INT), &f->err));
}

static void test_dates_do_not_widen_where_partition_values_would_change(void **given)
{
    fixture *f = *given;
    const ice_type *timestamp = ice_type_primitive(ICE_TIMESTAMP);
    static const char *const refused[] = {"day", "bucket(8, day)"};
    static const char *const fine[] = {"year(day)", "month(day)", "days(day)"};

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        ice_builder *b = builder(f, 3, refused[i]);

        EXPECT_STATUS(INVALID, ice_builder_widen_column(b, PATH(STR("day")), timestamp, &f->err));
        /* files of earlier specs are there too */
        EXPECT_OK(ice_builder_drop_partition_field(b, str_c(refused[i]), &f->err));
        EXPECT_STATUS(INVALID, ice_builder_widen_column(b, PATH(STR("day")), timestamp, &f->err));
    }
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        EXPECT_OK(
            ice_builder_widen_column(builder(f, 3, fine[i]), PATH(STR("day")), timestamp, &f->err));
    }
    EXPECT_OK(ice_builder_widen_column(builder(f, 2, "bucket(4, id)"), PATH(STR("id")),
                                       ice_type_primitive(ICE_LONG), &f->err));
}

static void test_defaults_are_for_version_3_and_of_the_type(void **given)
{
    fixture *f = *given;
    const json *five = NULL;
    const json *date = NULL;
    ice_builder *b = builder(f, 2, "");
    ice_add_column add = {
        .name = STR("n"), .type = ice_type_primitive(ICE_INT), .required = true, .doc = STR_NULL};

    EXPECT_OK(json_parse(STR("5"), f->arena, &five, &f->err));
    EXPECT_OK(json_parse(STR("\"2024-02-29\""), f->arena, &date, &f->err));
    add.default_value = five;
    EXPECT_STATUS(INVALID, ice_builder_add_column(b, &add, &f->err));
    EXPECT_MESSAGE(f, "column \"n\" has a default, which a table of format version 2 cannot hold");
    EXPECT_OK(ice_builder_set_format_version(b, 3, &f->err));
    add_rows(f, b, 5);
    EXPECT_OK(ice_builder_add_column(b, &add, &f->err)); /* rows that are there read 5 */
    assert_non_null(column(b, "n")->initial_default);
    assert_non_null(column(b, "n")->write_default);
    EXPECT_STATUS(INVALID, ice_builder_set_default(b, PATH(STR("n")), date, &f->err));
    EXPECT_MESSAGE(f, "column \"n\": default \"2024-02-29\" is no value of type int");
    EXPECT_OK(ice_builder_set_default(b, PATH(STR("n")), NULL, &f->err));
    assert_non_null(column(b, "n")->initial_default); /* it is for the rows before */
    assert_null(column(b, "n")->write_default);
    EXPECT_OK(ice_builder_set_default(b, PATH(STR("s"), STR("b")), five, &f->err));
    assert_null(ice_schema_field(schema_now(b), 10)->initial_default);
    EXPECT_STATUS(INVALID,
                  ice_builder_set_default(b, PATH(STR("xs"), STR("element")), five, &f->err));
    add = (ice_add_column){.name = STR("d"),
                           .type = ice_type_primitive(ICE_DATE),
                           .doc = STR_NULL,
                           .default_value = date};
    EXPECT_OK(ice_builder_add_column(b, &add, &f->err));
    EXPECT_OK(
        ice_builder_widen_column(b, PATH(STR("d")), ice_type_primitive(ICE_TIMESTAMP), &f->err));
    EXPECT_STR(json_str_or(column(b, "d")->initial_default, STR("")), "2024-02-29T00:00:00");
    add.name = STR("v");
    add.type = ice_type_primitive(ICE_VARIANT);
    EXPECT_STATUS(INVALID, ice_builder_add_column(b, &add, &f->err));
}

static void test_columns_become_optional_any_time_and_required_before_rows(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");

    EXPECT_OK(ice_builder_set_required(b, PATH(STR("name")), true, &f->err));
    EXPECT_OK(ice_builder_set_identifier(b, (const ice_path[]){PATH(STR("id"))}, 1, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_required(b, PATH(STR("id")), false, &f->err));
    add_rows(f, b, 5);
    EXPECT_OK(ice_builder_set_required(b, PATH(STR("name")), false, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_required(b, PATH(STR("name")), true, &f->err));
    EXPECT_MESSAGE(f, "column \"name\" cannot become required: rows that are there may lack it");
    EXPECT_STATUS(INVALID, ice_builder_set_required(b, PATH(STR("m"), STR("key")), false, &f->err));
}

static void test_identifier_fields_are_required_plain_and_not_repeated(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");

    EXPECT_OK(ice_builder_set_required(b, PATH(STR("s"), STR("a")), true, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_identifier(
                               b, (const ice_path[]){PATH(STR("s"), STR("b"))}, 1, &f->err));
    EXPECT_MESSAGE(f, "column \"s.b\" cannot identify rows: it lies in an optional struct");
    EXPECT_OK(ice_builder_set_required(b, PATH(STR("s")), true, &f->err));
    EXPECT_OK(ice_builder_set_identifier(
        b, (const ice_path[]){PATH(STR("id")), PATH(STR("s"), STR("b"))}, 2, &f->err));
    assert_int_equal(schema_now(b)->identifier_count, 2);
    assert_int_equal(schema_now(b)->identifier_ids[1], 10);
    EXPECT_STATUS(INVALID, ice_builder_set_identifier(
                               b, (const ice_path[]){PATH(STR("s"), STR("a"))}, 1, &f->err));
    EXPECT_STATUS(INVALID,
                  ice_builder_set_identifier(b, (const ice_path[]){PATH(STR("name"))}, 1, &f->err));
    EXPECT_STATUS(INVALID,
                  ice_builder_set_identifier(
                      b, (const ice_path[]){PATH(STR("m"), STR("key"), STR("k"))}, 1, &f->err));
    EXPECT_STATUS(
        INVALID, ice_builder_set_identifier(b, (const ice_path[]){PATH(STR("id")), PATH(STR("ID"))},
                                            2, &f->err));
    EXPECT_OK(ice_builder_set_identifier(b, NULL, 0, &f->err));
    assert_int_equal(schema_now(b)->identifier_count, 0);
}

static void test_a_given_schema_is_found_again_or_checked(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");
    ice_schema schema = ice__schema_copy(schema_now(b), f->arena);
    ice_schema more = {
        .root = type_of(f, "{'type': 'struct', 'fields': ["
                           "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'},"
                           "{'id': 20, 'name': 'new', 'required': false, 'type': 'string'}]}")};

    schema.id = 77; /* ids of schemas are the table's to give */
    EXPECT_OK(ice_builder_set_schema(b, &schema, &f->err));
    assert_int_equal(ice_builder_now(b)->schema_count, 1);
    EXPECT_OK(ice_builder_set_schema(b, &more, &f->err));
    assert_int_equal(ice_builder_now(b)->current_schema_id, 1);
    assert_int_equal(ice_builder_now(b)->last_column_id, 20);
    more.root = type_of(f, "{'type': 'struct', 'fields': ["
                           "{'id': 1, 'name': 'id', 'required': true, 'type': 'string'}]}");
    EXPECT_STATUS(INVALID, ice_builder_set_schema(b, &more, &f->err));
    more.root = type_of(f, "{'type': 'struct', 'fields': ["
                           "{'id': 19, 'name': 'z', 'required': true, 'type': 'string'}]}");
    EXPECT_STATUS(INVALID, ice_builder_set_schema(b, &more, &f->err));
    more.root = type_of(f, "{'type': 'struct', 'fields': ["
                           "{'id': 21, 'name': 'z', 'required': false, 'type': 'string'},"
                           "{'id': 22, 'name': 'Z', 'required': false, 'type': 'string'}]}");
    EXPECT_STATUS(INVALID, ice_builder_set_schema(b, &more, &f->err));
    EXPECT_MESSAGE(f, "column \"Z\" occurs twice");
}

/* --- partitioning and order --- */

static void test_partition_fields_come_back_with_their_ids(void **given)
{
    fixture *f = *given;
    ice_builder *first = builder(f, 2, "bucket(4, id), month(day)");
    ice_metadata *m = NULL;
    ice_builder *b;
    const ice_spec *spec;

    EXPECT_OK(ice_builder_drop_partition_field(first, STR("id_bucket"), &f->err));
    EXPECT_OK(ice_builder_add_partition_field(first, STR("truncate(2, Name) as part"), &f->err));
    EXPECT_OK(ice_builder_build(first, STR_NULL, &m, &f->err));
    arena_defer(f->arena, release, m);
    assert_int_equal(m->spec_count, 2); /* two changes, one spec */
    spec = ice_metadata_spec(m);
    assert_int_equal(spec->fields[0].field_id, 1001);
    assert_int_equal(spec->fields[1].field_id, 1002);
    EXPECT_STR(spec->fields[1].name, "part");
    assert_int_equal(m->last_partition_id, 1002);

    b = ice_builder_create(m, f->arena);
    EXPECT_OK(ice_builder_add_partition_field(b, STR("bucket(4, id)"), &f->err));
    spec = ice_metadata_spec(ice_builder_now(b));
    assert_int_equal(spec->id, 2);
    assert_int_equal(spec->fields[2].field_id, 1000);
    EXPECT_STATUS(INVALID,
                  ice_builder_add_partition_field(b, STR("bucket(8, id) AS other"), &f->err));
    EXPECT_OK(ice_builder_drop_partition_field(b, STR("bucket(4, id)"), &f->err));
    EXPECT_OK(ice_builder_drop_partition_field(b, STR("PART"), &f->err));
    EXPECT_OK(ice_builder_drop_partition_field(b, STR("month(day)"), &f->err));
    assert_int_equal(ice_metadata_spec(ice_builder_now(b))->field_count, 0);
    EXPECT_OK(ice_builder_add_partition_field(b, STR("bucket(4, id)"), &f->err));
    EXPECT_OK(ice_builder_add_partition_field(b, STR("month(day)"), &f->err));
    /* what it was at the beginning */
    assert_int_equal(ice_builder_now(b)->default_spec_id, 0);
    assert_int_equal(ice_builder_now(b)->spec_count, 2);
    assert_int_equal(ice_builder_now(b)->last_partition_id, 1002);
}

static void test_version_1_keeps_the_place_of_dropped_partition_fields(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 1, "id, month(day)");
    const ice_spec *spec;

    EXPECT_OK(ice_builder_drop_partition_field(b, STR("id"), &f->err));
    EXPECT_OK(ice_builder_add_partition_field(b, STR("bucket(2, id) AS id_b"), &f->err));
    spec = ice_metadata_spec(ice_builder_now(b));
    assert_int_equal(spec->field_count, 3);
    assert_int_equal(spec->fields[0].transform.kind, ICE_VOID);
    assert_int_equal(spec->fields[0].field_id, 1000);
    assert_int_equal(spec->fields[2].field_id, 1002);
    EXPECT_STATUS(NO_COLUMN, ice_builder_drop_partition_field(b, STR("id"), &f->err));
    EXPECT_OK(ice_builder_add_partition_field(b, STR("id"), &f->err));
    spec = ice_metadata_spec(ice_builder_now(b));
    EXPECT_STR(spec->fields[0].name, "id_1000");
    EXPECT_STR(spec->fields[3].name, "id");
    /* a dropped field holds its column no longer */
    EXPECT_OK(ice_builder_drop_partition_field(b, STR("day_month"), &f->err));
    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("day")), false, &f->err));
}

static void test_partitioning_is_refused_where_it_makes_no_sense(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "day(day)");

    EXPECT_STATUS(INVALID, ice_builder_add_partition_field(b, STR("month(day)"), &f->err));
    EXPECT_STATUS(INVALID, ice_builder_add_partition_field(b, STR("day(day) AS d"), &f->err));
    EXPECT_STATUS(INVALID, ice_builder_add_partition_field(b, STR("year(Name)"), &f->err));
    EXPECT_STATUS(INVALID,
                  ice_builder_add_partition_field(b, STR("bucket(4, id) AS price"), &f->err));
    EXPECT_STATUS(SYNTAX, ice_builder_add_partition_field(b, STR("id, price"), &f->err));
    EXPECT_STATUS(NO_COLUMN, ice_builder_add_partition_field(b, STR("ids"), &f->err));
    EXPECT_HINT(f, "Did you mean \"id\"?");
    EXPECT_STATUS(NO_COLUMN, ice_builder_drop_partition_field(b, STR("day_dya"), &f->err));
    EXPECT_HINT(f, "Did you mean \"day_day\"?");
    EXPECT_OK(ice_builder_replace_partition_field(b, STR("day(day)"), STR("month(day)"), &f->err));
    EXPECT_STR(ice_metadata_spec(ice_builder_now(b))->fields[0].name, "day_month");
}

static void test_sort_orders_are_parsed_and_found_again(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");
    ice_sort_order order;

    EXPECT_OK(ice_sort_order_parse_sql(STR("name, bucket(4, id) DESC, day asc nulls LAST"),
                                       schema_now(b), f->arena, &order, &f->err));
    assert_int_equal(order.field_count, 3);
    assert_false(order.fields[0].descending || order.fields[0].nulls_last);
    assert_true(order.fields[1].descending && order.fields[1].nulls_last);
    assert_true(!order.fields[2].descending && order.fields[2].nulls_last);
    EXPECT_OK(ice_builder_set_order(b, &order, &f->err));
    assert_int_equal(ice_builder_now(b)->default_order_id, 1);
    EXPECT_OK(ice_sort_order_parse_sql(STR(" "), schema_now(b), f->arena, &order, &f->err));
    EXPECT_OK(ice_builder_set_order(b, &order, &f->err));
    assert_int_equal(ice_builder_now(b)->default_order_id, 0);
    EXPECT_OK(ice_sort_order_parse_sql(STR("name, bucket(4, id) DESC, day asc nulls LAST"),
                                       schema_now(b), f->arena, &order, &f->err));
    EXPECT_OK(ice_builder_set_order(b, &order, &f->err));
    assert_int_equal(ice_builder_now(b)->default_order_id, 1);
    assert_int_equal(ice_builder_now(b)->order_count, 2);
    EXPECT_STATUS(SYNTAX, ice_sort_order_parse_sql(STR("id nulls"), schema_now(b), f->arena, &order,
                                                   &f->err));
    assert_int_equal(f->err.position, 8);
    EXPECT_STATUS(INVALID, ice_sort_order_parse_sql(STR("id, id desc"), schema_now(b), f->arena,
                                                    &order, &f->err));
    EXPECT_STATUS(
        SYNTAX, ice_sort_order_parse_sql(STR("id frob"), schema_now(b), f->arena, &order, &f->err));
    EXPECT_STATUS(INVALID,
                  ice_sort_order_parse_sql(STR("xs"), schema_now(b), f->arena, &order, &f->err));
}

/* --- the table --- */

static void test_properties_are_set_checked_and_removed(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 1, "");

    EXPECT_OK(ice_builder_set_property(b, STR("owner"), STR("me"), &f->err));
    EXPECT_OK(ice_builder_set_property(b, STR("owner"), STR("you"), &f->err));
    EXPECT_STR(ice_metadata_property(ice_builder_now(b), "owner", ""), "you");
    assert_int_equal(ice_builder_now(b)->property_count, 1);
    EXPECT_STATUS(INVALID, ice_builder_set_property(b, STR("gc.enabled"), STR("maybe"), &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_property(b, STR("uuid"), STR("x"), &f->err));
    EXPECT_OK(ice_builder_set_property(b, STR("format-version"), STR("2"), &f->err));
    assert_int_equal(ice_builder_now(b)->format_version, 2);
    assert_int_equal(ice_builder_now(b)->property_count, 1);
    ice_builder_remove_property(b, STR("owner"));
    ice_builder_remove_property(b, STR("nothing"));
    assert_int_equal(ice_builder_now(b)->property_count, 0);
    ice_builder_set_location(b, STR("s3://other/place//"));
    EXPECT_STR(ice_builder_now(b)->location, "s3://other/place");
}

static void test_versions_only_rise_and_rewrite_what_the_lower_one_left_out(void **given)
{
    fixture *f = *given;
    ice_metadata *old = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV1Valid.json"));
    ice_builder *b = ice_builder_create(old, f->arena);
    ice_metadata *m = NULL;

    EXPECT_OK(ice_builder_set_format_version(b, 3, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_format_version(b, 2, &f->err));
    EXPECT_STATUS(INVALID, ice_builder_set_format_version(b, 4, &f->err));
    EXPECT_OK(ice_builder_build(b, STR_NULL, &m, &f->err));
    arena_defer(f->arena, release, m);
    m = parsed(f, formatted(f, m)); /* what version 3 requires is there */
    assert_int_equal(m->format_version, 3);
    assert_int_equal(m->next_row_id, 0);
}

static void test_every_foreign_table_can_be_changed_and_read_again(void **given)
{
    fixture *f = *given;
    static const char *const files[] = {
        "java/TableMetadataV1Valid.json",
        "java/TableMetadataV2Valid.json",
        "java/TableMetadataV2ValidMinimal.json",
        "java/TableMetadataV3ValidMinimal.json",
        "java/TableMetadataStatisticsFiles.json",
        "rust/TableMetadataV3ValidEncryption.json",
        "rust/example_table_metadata_v2_deep_history.json",
        "rust/example_table_metadata_v2_partition_evolution.json",
    };

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        ice_metadata *old = parsed(f, GOLDEN(f, arena_printf(f->arena, "iceberg/%s", files[i])));
        str before = formatted(f, old);
        ice_builder *b = ice_builder_create(old, f->arena);
        ice_add_column add = {
            .name = STR("added_here"), .type = ice_type_primitive(ICE_STRING), .doc = STR_NULL};
        ice_metadata *m = NULL;

        if (ice_builder_add_column(b, &add, &f->err) != STATUS_OK) {
            fail_msg("%s: %s", files[i], f->err.message);
        }
        EXPECT_OK(ice_builder_build(b, STR("s3://b/t/metadata/old.json"), &m, &f->err));
        arena_defer(f->arena, release, m);
        EXPECT_STR(formatted(f, old), before.data); /* the base is as it was */
        m = parsed(f, formatted(f, m));
        for (size_t k = 0; k < old->schema_count; k++) { /* one writer counted wrong */
            assert_true(column(ice_builder_create(m, f->arena), "added_here")->id >
                        ice_schema_highest_id(&old->schemas[k]));
        }
        assert_true(m->last_column_id > old->last_column_id);
        assert_int_equal(m->schema_count, old->schema_count + 1);
        assert_int_equal(m->snapshot_count, old->snapshot_count);
        assert_int_equal(m->unknown_count >= old->unknown_count, 1);
        EXPECT_STR(m->metadata_log[m->metadata_log_count - 1].metadata_file,
                   "s3://b/t/metadata/old.json");
        assert_true(m->last_updated_ms >= old->last_updated_ms);
    }
}

/* --- snapshots, references, statistics --- */

static void test_references_follow_their_rules(void **given)
{
    fixture *f = *given;
    ice_metadata *old = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json"));
    ice_builder *b = ice_builder_create(old, f->arena);
    int64_t first = old->snapshots[0].id;
    ice_ref ref = {.name = STR("old"),
                   .snapshot_id = first,
                   .is_tag = true,
                   .max_ref_age_ms = 5,
                   .max_snapshot_age_ms = -1,
                   .min_snapshots_to_keep = -1};

    EXPECT_OK(ice_builder_set_ref(b, &ref, &f->err));
    ref.is_tag = false;
    EXPECT_STATUS(INVALID, ice_builder_set_ref(b, &ref, &f->err));
    EXPECT_MESSAGE(f, "reference \"old\" is a tag, not a branch");
    ref.name = STR("main");
    ref.is_tag = true;
    EXPECT_STATUS(INVALID, ice_builder_set_ref(b, &ref, &f->err));
    ref.is_tag = false;
    ref.snapshot_id = 99;
    EXPECT_STATUS(NO_SNAPSHOT, ice_builder_set_ref(b, &ref, &f->err));
    ref.snapshot_id = first;
    EXPECT_OK(ice_builder_set_ref(b, &ref, &f->err));
    assert_int_equal(ice_builder_now(b)->current_snapshot_id, first);
    assert_int_equal(ice_builder_now(b)->snapshot_log_count, old->snapshot_log_count + 1);
    assert_int_equal(ice_builder_now(b)->ref_count, 2);
    EXPECT_STATUS(INVALID, ice_builder_remove_ref(b, STR("main"), &f->err));
    EXPECT_STATUS(NO_SNAPSHOT, ice_builder_remove_ref(b, STR("odl"), &f->err));
    EXPECT_HINT(f, "Did you mean \"old\"?");
    EXPECT_OK(ice_builder_remove_ref(b, STR("old"), &f->err));
    assert_int_equal(ice_builder_now(b)->ref_count, 1);
}

static void test_snapshots_count_up_and_take_what_speaks_of_them_along(void **given)
{
    fixture *f = *given;
    ice_metadata *old = parsed(f, GOLDEN(f, "iceberg/java/TableMetadataStatisticsFiles.json"));
    ice_builder *b = ice_builder_create(old, f->arena);
    int64_t gone = old->snapshots[0].id;
    ice_snapshot s = {.id = gone,
                      .parent_id = old->current_snapshot_id,
                      .sequence_number = old->last_sequence_number + 1,
                      .manifest_list = STR("l")};
    const json *entry = NULL;

    EXPECT_STATUS(EXISTS, ice_builder_add_snapshot(b, &s, &f->err));
    s.id = 77;
    s.sequence_number = old->last_sequence_number;
    EXPECT_STATUS(INVALID, ice_builder_add_snapshot(b, &s, &f->err));
    s.sequence_number++;
    EXPECT_OK(ice_builder_add_snapshot(b, &s, &f->err));
    assert_int_equal(ice_builder_now(b)->last_sequence_number, s.sequence_number);

    EXPECT_OK(json_parse(QUOTED(f, "{'snapshot-id': 77, 'statistics-path': 's3://b/x.puffin', "
                                   "'file-size-in-bytes': 5, 'file-footer-size-in-bytes': 3, "
                                   "'blob-metadata': []}"),
                         f->arena, &entry, &f->err));
    EXPECT_OK(ice_builder_set_statistics(b, entry, &f->err));
    EXPECT_OK(ice_builder_set_statistics(b, entry, &f->err)); /* one for a snapshot */
    EXPECT_OK(ice_builder_set_partition_statistics(b, entry, &f->err));
    ice_builder_remove_snapshots(b, &gone, 1);
    str text = formatted(f, ice_builder_now(b));
    assert_true(str_find(text, STR("s3://b/x.puffin")) != STR_NPOS);
    assert_int_equal(str_find(text, STR("s3://a/b/stats.puffin")), STR_NPOS);
    ice_builder_remove_statistics(b, 77);
    ice_builder_remove_snapshots(b, &(int64_t){77}, 1);
    assert_int_equal(str_find(formatted(f, ice_builder_now(b)), STR("x.puffin")), STR_NPOS);
    EXPECT_STATUS(NO_SNAPSHOT, ice_builder_set_statistics(b, entry, &f->err));
}

static void test_row_ids_of_version_3_run_on(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 3, "");
    ice_snapshot s = {.id = 9,
                      .parent_id = ICE_NO_SNAPSHOT,
                      .sequence_number = 1,
                      .first_row_id = ICE_NO_ROW_ID,
                      .added_rows = ICE_NO_ROW_ID,
                      .manifest_list = STR("l")};

    EXPECT_STATUS(INVALID, ice_builder_add_snapshot(b, &s, &f->err));
    add_rows(f, b, 5);
    assert_int_equal(ice_builder_now(b)->next_row_id, 10);
    s.sequence_number = 2;
    s.first_row_id = 5;
    s.added_rows = 1;
    EXPECT_STATUS(INVALID, ice_builder_add_snapshot(b, &s, &f->err));
}

/* --- committing --- */

static status add_and_count(void *context, ice_builder *b, error *err)
{
    int *runs = context;
    ice_add_column add = {
        .name = STR("more"), .type = ice_type_primitive(ICE_LONG), .doc = STR_NULL};

    (*runs)++;
    return ice_builder_add_column(b, &add, err);
}

static status change_nothing(void *context, ice_builder *b, error *err)
{
    (void)context;
    (void)b;
    (void)err;
    return STATUS_OK;
}

static void test_an_update_is_made_again_on_newer_metadata(void **given)
{
    fixture *f = *given;
    static const ice_property quick[] = {{STR_INIT("commit.retry.min-wait-ms"), STR_INIT("0")}};
    test_table *t = test_table_create(f, STR("s3://warehouse/t"), "", quick, 1);
    ice_metadata *m = NULL;
    int runs = 0;

    t->commits_to_refuse = 2;
    EXPECT_OK(ice_metadata_update(&t->committer, add_and_count, &runs, &m, &f->err));
    arena_defer(f->arena, release, m);
    assert_int_equal(runs, 3);
    assert_int_equal(ice_metadata_schema(m)->root->field_count, 5);
    assert_int_equal(t->latest->metadata_log_count, 1);
    assert_int_equal(ice_metadata_schema(t->latest)->root->field_count, 5);
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/metadata/"), NULL), 2);

    EXPECT_STATUS(EXISTS, ice_metadata_update(&t->committer, add_and_count, &runs, NULL, &f->err));
    assert_int_equal(runs, 4); /* what is refused is not tried again */
    EXPECT_OK(ice_metadata_update(&t->committer, change_nothing, NULL, NULL, &f->err));
    assert_int_equal(t->latest->metadata_log_count, 1); /* nothing differs: nothing written */
    assert_int_equal(test_count_objects(f, t, STR("s3://warehouse/t/metadata/"), NULL), 2);
}

static void test_ids_beyond_64_bits_are_damage(void **given)
{
    fixture *f = *given;
    str text = GOLDEN(f, "iceberg/java/TableMetadataV2Valid.json");
    static const char *const keys[] = {"\"last-sequence-number\": 34", "\"last-column-id\": 3",
                                       "\"current-snapshot-id\": 3055729675574597004",
                                       "\"last-updated-ms\": 1602638573590"};

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        size_t at = str_find(text, str_c(keys[i]));
        size_t end = at + strlen(keys[i]);
        ice_metadata *m = NULL;

        assert_true(at != STR_NPOS);
        str wrong = str_concat(
            f->arena, str_slice(text, 0, end),
            str_concat(f->arena, STR("00000000000000000000"), str_slice(text, end, text.size)));
        EXPECT_STATUS(CORRUPT, ice_metadata_parse(wrong, &m, &f->err));
    }
}

TESTS(test_added_columns_get_fresh_ids_nested_ones_too, test_ids_of_dropped_columns_never_come_back,
      test_adding_refuses_names_that_are_there_and_rows_without_a_value,
      test_dropping_refuses_what_is_needed, test_renaming_keeps_the_id_and_names_stay_unique,
      test_columns_move_among_their_siblings, test_types_only_widen,
      test_dates_do_not_widen_where_partition_values_would_change,
      test_defaults_are_for_version_3_and_of_the_type,
      test_columns_become_optional_any_time_and_required_before_rows,
      test_identifier_fields_are_required_plain_and_not_repeated,
      test_a_given_schema_is_found_again_or_checked, test_partition_fields_come_back_with_their_ids,
      test_version_1_keeps_the_place_of_dropped_partition_fields,
      test_partitioning_is_refused_where_it_makes_no_sense,
      test_sort_orders_are_parsed_and_found_again, test_properties_are_set_checked_and_removed,
      test_versions_only_rise_and_rewrite_what_the_lower_one_left_out,
      test_every_foreign_table_can_be_changed_and_read_again, test_references_follow_their_rules,
      test_snapshots_count_up_and_take_what_speaks_of_them_along, test_row_ids_of_version_3_run_on,
      test_an_update_is_made_again_on_newer_metadata, test_ids_beyond_64_bits_are_damage)

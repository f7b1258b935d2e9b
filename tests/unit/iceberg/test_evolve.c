/* Claims about changes of columns, partitioning and order: what each makes, and what it refuses. */
#include "evolving.h"

#include "internal.h"

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

/* Files without ids may have any name that a column ever had; one that comes back belongs to the older column. */
static void test_a_name_mapping_learns_the_names_that_columns_get(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");
    ice_add_column day = {.name = STR("day"), .type = ice_type_primitive(ICE_INT), .doc = STR_NULL};
    ice_add_column nested = {.name = STR("ys"),
                             .type = type_of(f, "{'type': 'list', 'element-id': 1, "
                                                "'element-required': false, 'element': 'int'}"),
                             .doc = STR_NULL};

    EXPECT_OK(ice_builder_set_property(
        b, STR("schema.name-mapping.default"),
        QUOTED(f, "[{'field-id': 1, 'names': ['id', 'ID']}, {'field-id': 2, 'names': ['Name']}, "
                  "{'field-id': 3, 'names': ['day']}, {'field-id': 4, 'names': ['price']}, "
                  "{'field-id': 5, 'names': ['s'], 'fields': [{'field-id': 9, 'names': ['a']}, "
                  "{'field-id': 10, 'names': ['b']}]}, {'names': ['of nothing']}]"),
        &f->err));
    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("xs")), false, &f->err));
    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("m")), false, &f->err));
    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("at")), false, &f->err));
    EXPECT_OK(ice_builder_rename_column(b, PATH(STR("s"), STR("a")), STR("A.x"), &f->err));
    EXPECT_OK(ice_builder_rename_column(b, PATH(STR("day")), STR("date"), &f->err));
    EXPECT_OK(ice_builder_add_column(b, &day, &f->err));
    EXPECT_OK(ice_builder_add_column(b, &nested, &f->err));
    EXPECT_STR(ice_metadata_property(ice_builder_now(b), "schema.name-mapping.default", ""),
               QUOTED(f, "[{'field-id':1,'names':['id','ID']},{'field-id':2,'names':['Name']},"
                         "{'field-id':3,'names':['day','date']},{'field-id':4,'names':['price']},"
                         "{'field-id':5,'names':['s'],'fields':[{'field-id':9,'names':['a','A.x']},"
                         "{'field-id':10,'names':['b']}]},{'names':['of nothing']},"
                         "{'field-id':17,'names':['ys'],'fields':[{'field-id':18,"
                         "'names':['element']}]}]")
                   .data);
}

static void test_properties_of_a_column_go_where_it_goes(void **given)
{
    fixture *f = *given;
    ice_builder *b = builder(f, 2, "");

    EXPECT_OK(ice_builder_set_property(b, STR("write.metadata.metrics.column.s.a"), STR("full"),
                                       &f->err));
    EXPECT_OK(ice_builder_set_property(b, STR("write.parquet.bloom-filter-enabled.column.day"),
                                       STR("true"), &f->err));
    EXPECT_OK(
        ice_builder_set_property(b, STR("write.metadata.metrics.column.at"), STR("none"), &f->err));
    EXPECT_OK(ice_builder_rename_column(b, PATH(STR("s")), STR("t"), &f->err));
    EXPECT_OK(ice_builder_rename_column(b, PATH(STR("day")), STR("date"), &f->err));
    EXPECT_OK(ice_builder_drop_column(b, PATH(STR("at")), false, &f->err));
    EXPECT_STR(
        ice_metadata_property(ice_builder_now(b), "write.metadata.metrics.column.t.a", "gone"),
        "full");
    EXPECT_STR(ice_metadata_property(ice_builder_now(b),
                                     "write.parquet.bloom-filter-enabled.column.date", "gone"),
               "true");
    EXPECT_STR(
        ice_metadata_property(ice_builder_now(b), "write.metadata.metrics.column.s.a", "gone"),
        "gone");
    EXPECT_STR(
        ice_metadata_property(ice_builder_now(b), "write.metadata.metrics.column.at", "gone"),
        "gone");
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
    EXPECT_OK(json_parse(STR("-4.22943"), f->arena, &add.default_value, &f->err));
    add.name = STR("f"); /* the number nearest to the text among floats, not among doubles */
    add.type = ice_type_primitive(ICE_FLOAT);
    EXPECT_OK(ice_builder_add_column(b, &add, &f->err));
    EXPECT_OK(ice_builder_widen_column(b, PATH(STR("f")), ice_type_primitive(ICE_DOUBLE), &f->err));
    assert_true(json_double_or(column(b, "f")->initial_default, 0) == (double)-4.22943F);
    assert_true(json_double_or(column(b, "f")->write_default, 0) == (double)-4.22943F);
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

TESTS(test_added_columns_get_fresh_ids_nested_ones_too, test_ids_of_dropped_columns_never_come_back,
      test_a_name_mapping_learns_the_names_that_columns_get,
      test_properties_of_a_column_go_where_it_goes,
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
      test_sort_orders_are_parsed_and_found_again)

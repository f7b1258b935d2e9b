/* Claims about schemas that REST clients bring: what they owe to the rows that are there. */
#include "requests.h"

#define ID "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}"
#define NAME ", {'id': 2, 'name': 'name', 'required': false, 'type': 'string'}"
#define COLUMN(id, name, required, type) \
    ", {'id': " #id ", 'name': '" name "', 'required': " #required ", 'type': " type "}"
#define COLUMN_1(name, required, type) \
    "{'id': 3, 'name': '" name "', 'required': " #required ", 'type': " type "}"
#define SCHEMA(fields)                                                                 \
    "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': [" fields "]}}, " \
    "{'action': 'set-current-schema', 'schema-id': -1}"
#define C(type) SCHEMA(ID NAME COLUMN(3, "c", false, "'" type "'"))
#define NO_MAIN "{'action': 'remove-snapshot-ref', 'ref-name': 'main'}"
#define V3 "{'action': 'upgrade-format-version', 'format-version': 3}"

/* A snapshot on main, written under the schema `schema_id`. */
static ice_metadata *with_rows(fixture *f, ice_metadata *m, int id, int schema_id)
{
    const char *parent = m->current_snapshot_id == ICE_NO_SNAPSHOT
                             ? "null"
                             : arena_printf(f->arena, "%lld", (long long)m->current_snapshot_id);
    const char *add =
        arena_printf(f->arena,
                     "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': %d, "
                     "'parent-snapshot-id': %s, 'sequence-number': %d, 'timestamp-ms': %d, "
                     "'manifest-list': 's3://b/t/metadata/snap-%d.avro', 'schema-id': %d, "
                     "'first-row-id': %lld, 'added-rows': 1, "
                     "'summary': {'operation': 'append', 'added-records': '1'}}}",
                     id, parent, id, id * 1000, id, schema_id,
                     (long long)(m->format_version > 2 ? m->next_row_id : 0));

    return updated(f, m, both(f, add, main_at(f, id)));
}

static void test_main_does_not_come_back_under_a_narrower_schema(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_rows(f, updated(f, table(f, 2), C("long")), 1, 1);
    const char *narrowed = both(f, NO_MAIN, C("int"));

    (void)updated(f, m, narrowed);
    REFUSED(INVALID, f, m, both(f, narrowed, main_at(f, 1)));
    EXPECT_MESSAGE(f, "column \"c\" of type int has the id 3 of "
                      "\"c\", which is of type long");
    /* nor with a second commit, nor below a new snapshot that carries its files on */
    REFUSED(INVALID, f, updated(f, m, narrowed), main_at(f, 1));
    REFUSED(INVALID, f, m, both(f, narrowed, both(f, snapshot(f, 2, "1", 2, 2000), main_at(f, 2))));
    /* what comes with the request is its own matter, and so is what is wider */
    (void)updated(f, m, both(f, narrowed, both(f, snapshot(f, 2, "null", 2, 2000), main_at(f, 2))));
    m = with_rows(f, updated(f, table(f, 2), C("int")), 1, 1);
    (void)updated(f, m, both(f, NO_MAIN, both(f, C("long"), main_at(f, 1))));
}

static void test_a_replacement_need_not_take_main_away(void **given)
{
    static const char other[] = SCHEMA(COLUMN_1("some_id", true, "'string'"));
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    /* made when the table was empty still: its snapshot is the only one that stays on main */
    m = updated(f, m, both(f, other, both(f, snapshot(f, 3, "null", 3, 3000), main_at(f, 3))));
    assert_int_equal(m->current_snapshot_id, 3);
    REFUSED(INVALID, f, with_snapshots(f, 2),
            both(f, other, both(f, snapshot(f, 3, "2", 3, 3000), main_at(f, 3))));
}

static void test_a_rollback_behind_a_replacement_goes_back_to_its_schema(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_rows(f, updated(f, table(f, 2), C("long")), 1, 1);

    m = with_rows(f, updated(f, m, both(f, NO_MAIN, C("string"))), 2, 2);
    REFUSED(INVALID, f, m, main_at(f, 1));
    EXPECT_MESSAGE(f, "main would be at snapshot 1, which the current schema does not fit: column "
                      "\"c\" of type string has the id 3 of \"c\", which is of type long. Send "
                      "\"set-current-schema\" to its schema 1 in the same request, or replace the "
                      "table AS SELECT from VERSION AS OF 1");
    m = updated(f, m,
                both(f, NO_MAIN,
                     both(f, "{'action': 'set-current-schema', 'schema-id': 1}", main_at(f, 1))));
    assert_int_equal(m->current_snapshot_id, 1);
    assert_int_equal(m->current_schema_id, 1);
}

/* Takes main away with the schema `now`, which is the table's then. */
#define WITHOUT_MAIN(f, m, now) updated(f, m, both(f, NO_MAIN, now))

static void test_main_does_not_come_back_without_what_the_schema_wants(void **given)
{
    static const char required[] = SCHEMA(ID NAME COLUMN(3, "c", true, "'long'"));
    static const char filled[] =
        SCHEMA(ID NAME ", {'id': 3, 'name': 'c', 'required': true, 'type': 'long', "
                       "'initial-default': 5, 'write-default': 5}");
    static const char stricter[] =
        SCHEMA(ID ", {'id': 2, 'name': 'name', 'required': true, 'type': 'string'}");
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    REFUSED(INVALID, f, WITHOUT_MAIN(f, m, required), main_at(f, 2));
    SAYS(f, "main would be at snapshot 2, which the current schema does not fit: column \"c\" is "
            "required, and the rows that are there lack it. Send \"set-current-schema\" to its "
            "schema 0");
    REFUSED(INVALID, f, WITHOUT_MAIN(f, m, stricter), main_at(f, 1));
    SAYS(f, "column \"name\" cannot become required");
    (void)updated(f, WITHOUT_MAIN(f, m, required),
                  both(f, "{'action': 'set-current-schema', 'schema-id': 0}", main_at(f, 2)));
    m = updated(f, m, V3);
    (void)updated(f, WITHOUT_MAIN(f, m, filled), main_at(f, 2));
}

/* A snapshot that says how much there is, on main. */
static const char *totals(fixture *f, int id, const char *parent, const char *summary)
{
    return both(f,
                arena_printf(f->arena,
                             "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': %d, "
                             "'parent-snapshot-id': %s, 'sequence-number': %d, 'timestamp-ms': "
                             "1000, 'manifest-list': 's3://b/t/metadata/snap-%d.avro', "
                             "'schema-id': 0, 'summary': {'operation': 'delete'%s}}}",
                             id, parent, id, id, summary),
                main_at(f, id));
}

#define EMPTY ", 'total-records': '0', 'total-data-files': '0'"

static void test_rows_that_were_all_deleted_first_are_owed_nothing(void **given)
{
    static const char other[] = SCHEMA(COLUMN_1("some_id", true, "'string'"));
    static const char *const untold[] = {
        "",
        ", 'total-records': '0'",
        ", 'total-data-files': '0'",
        ", 'total-records': '0', 'total-data-files': '1'",
        ", 'total-records': '1', 'total-data-files': '0'",
        ", 'total-records': '', 'total-data-files': 'none'",
    };
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);
    const char *rows = totals(f, 4, "3", ", 'total-records': '1', 'total-data-files': '1'");

    /* in one request, between deletion and new rows, and in a later one */
    (void)updated(f, m, both(f, totals(f, 3, "2", EMPTY), both(f, other, rows)));
    m = updated(f, m, totals(f, 3, "2", EMPTY));
    (void)updated(f, m, both(f, other, rows));
    m = updated(f, m, other);
    REFUSED(INVALID, f, m, main_at(f, 2));
    (void)updated(f, m, rows);
    for (size_t i = 0; i < COUNT_OF(untold); i++) {
        m = with_snapshots(f, 2);
        REFUSED(INVALID, f, m, both(f, totals(f, 3, "2", untold[i]), both(f, other, rows)));
        REFUSED(INVALID, f, updated(f, m, totals(f, 3, "2", untold[i])), other);
    }
    /* what is empty beside main says nothing of it */
    REFUSED(INVALID, f, m,
            both(f, totals(f, 3, "2", EMPTY), both(f, other, totals(f, 4, "2", ""))));
}

static void test_a_dropped_column_comes_back_as_it_was_or_wider(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_rows(f, updated(f, table(f, 2), C("long")), 1, 1);

    m = updated(f, m, SCHEMA(ID NAME));
    REFUSED(INVALID, f, m, C("int"));
    REFUSED(INVALID, f, m, C("string"));
    SAYS(f, "of type string has the id 3 of \"c\", which is of type long");
    m = updated(f, m, C("long"));
    assert_int_equal(m->current_schema_id, 1);
}

static void test_ids_are_not_given_twice(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, updated(f, table(f, 2), C("long")), SCHEMA(ID NAME));

    m = updated(f, m, "{'action': 'remove-schemas', 'schema-ids': [1]}");
    REFUSED(INVALID, f, m, C("long"));
    EXPECT_MESSAGE(f, "updates[0]: column \"c\" has the id 3, which was given already: new ids "
                      "lie above 3");
    m = updated(f, m, SCHEMA(ID NAME COLUMN(4, "c", false, "'long'")));
    assert_int_equal(m->last_column_id, 4);
}

static void test_dates_become_timestamps_from_version_three_on(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_rows(f, updated(f, table(f, 2), C("date")), 1, 1);
    ice_metadata *parted;

    REFUSED(INVALID, f, m, C("timestamp"));
    REFUSED(INVALID, f, m, C("timestamptz"));
    REFUSED(INVALID, f, with_rows(f, updated(f, table(f, 1), C("date")), 1, 1), C("timestamp"));
    (void)updated(f, table(f, 2), C("timestamp"));
    m = updated(f, m, V3);
    REFUSED(INVALID, f, m, C("timestamptz"));
    (void)updated(f, m, C("timestamp"));
    (void)updated(f, m, C("timestamp_ns"));
    parted = updated(f, m,
                     "{'action': 'add-spec', 'spec': {'fields': [{'source-id': 3, 'name': 'day', "
                     "'transform': 'day'}]}}");
    (void)updated(f, parted, C("timestamp"));
    parted = updated(f, parted,
                     "{'action': 'add-spec', 'spec': {'fields': [{'source-id': 3, 'name': 'part', "
                     "'transform': 'bucket[4]'}]}}");
    REFUSED(INVALID, f, parted, C("timestamp"));
    SAYS(f, "column \"c\" cannot become timestamp: partition field \"part\" would get other");
}

static void test_rows_that_are_there_lack_no_required_column(void **given)
{
    static const char stricter[] =
        SCHEMA(ID ", {'id': 2, 'name': 'name', 'required': true, 'type': 'string'}");
    static const char added[] = SCHEMA(ID NAME COLUMN(3, "c", true, "'long'"));
    static const char filled[] =
        SCHEMA(ID NAME ", {'id': 3, 'name': 'c', 'required': true, 'type': 'long', "
                       "'initial-default': 5, 'write-default': 5}");
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    REFUSED(INVALID, f, m, added);
    EXPECT_MESSAGE(f, "column \"c\" is required, and the rows that are there lack it");
    REFUSED(INVALID, f, m, filled); /* defaults are of version 3 */
    REFUSED(INVALID, f, m, stricter);
    EXPECT_MESSAGE(f, "column \"name\" cannot become required: rows that are there may "
                      "lack it");
    (void)updated(f, table(f, 2), added);
    (void)updated(f, table(f, 2), stricter);
    m = updated(f, m, V3);
    REFUSED(INVALID, f, m, added);
    (void)updated(f, m, filled);
    /* below an optional struct that is new nothing is lacking */
    (void)updated(f, m,
                  SCHEMA(ID NAME COLUMN(3, "s", false,
                                        "{'type': 'struct', 'fields': [{'id': 4, 'name': 'x', "
                                        "'required': true, 'type': 'int'}]}")));
}

#define D(more) SCHEMA(ID NAME ", {'id': 3, 'name': 'c', 'required': false, 'type': 'int'" more "}")

static void test_what_old_rows_are_filled_with_stays(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, with_snapshots(f, 2), V3);

    m = updated(f, m, D(", 'initial-default': 5, 'write-default': 5"));
    REFUSED(INVALID, f, m, D(", 'initial-default': 6, 'write-default': 6"));
    SAYS(f, "column \"c\" has another \"initial-default\" than \"c\", whose id 3 it has");
    REFUSED(INVALID, f, m, D(", 'write-default': 5"));
    m = updated(f, m, D(", 'initial-default': 5, 'write-default': 6"));
    m = updated(f, m, D(", 'initial-default': 5"));
    (void)updated(f, m,
                  SCHEMA(ID NAME ", {'id': 3, 'name': 'c', 'required': false, 'type': 'long', "
                                 "'initial-default': 5}"));
    m = updated(f, updated(f, with_snapshots(f, 2), V3), D(""));
    REFUSED(INVALID, f, m, D(", 'initial-default': 5"));
    (void)updated(f, m, D(", 'initial-default': null"));
}

#define NESTED(fields) \
    SCHEMA(ID NAME COLUMN(3, "s", false, "{'type': 'struct', 'fields': [" fields "]}"))
#define X "{'id': 4, 'name': 'x', 'required': false, 'type': 'int'}"
#define Y "{'id': 5, 'name': 'y', 'required': false, 'type': 'int'}"

static void test_a_column_stays_in_what_it_lies_in(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_rows(f, updated(f, table(f, 2), NESTED(X ", " Y)), 1, 1);

    REFUSED(INVALID, f, m,
            SCHEMA(ID NAME COLUMN(3, "s", false, "{'type': 'struct', 'fields': [" X "]}") ", " Y));
    SAYS(f, "column \"y\" has the id 5 of \"y\", which lies elsewhere");
    REFUSED(INVALID, f, m,
            NESTED("{'id': 2, 'name': 'name', 'required': false, 'type': 'string'}"));
    REFUSED(INVALID, f, m, SCHEMA(ID NAME COLUMN(3, "s", false, "'int'")));
    (void)updated(f, m, NESTED(Y ", " X));
    (void)updated(f, m, NESTED(X));
}

#define MAP(key)                                                                         \
    SCHEMA(ID NAME COLUMN(3, "m", false,                                                 \
                          "{'type': 'map', 'key-id': 4, 'key': " key ", 'value-id': 5, " \
                          "'value-required': false, 'value': 'int'}"))
#define KEY(fields) "{'type': 'struct', 'fields': [" fields "]}"
#define A "{'id': 6, 'name': 'a', 'required': true, 'type': 'int'}"
#define B "{'id': 7, 'name': 'b', 'required': false, 'type': 'int'}"

static void test_keys_of_maps_do_not_change(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_rows(f, updated(f, table(f, 2), MAP("'int'")), 1, 1);

    REFUSED(INVALID, f, m, MAP("'long'"));
    EXPECT_MESSAGE(f, "the keys of map \"m\" cannot change");
    m = with_rows(f, updated(f, table(f, 2), MAP(KEY(A ", " B))), 1, 1);
    REFUSED(INVALID, f, m, MAP(KEY(A)));
    REFUSED(INVALID, f, m,
            MAP(KEY(A ", " B ", {'id': 8, 'name': 'c', 'required': false, 'type': 'int'}")));
    (void)updated(f, m, MAP(KEY(A ", " B)));
}

static void test_what_identifies_rows_is_in_every_row(void **given)
{
    static const char schema[] =
        "{'action': 'add-schema', 'schema': {'type': 'struct', 'identifier-field-ids': [%d], "
        "'fields': [" ID NAME ", {'id': 3, 'name': 's', 'required': %s, 'type': {'type': 'struct', "
        "'fields': [{'id': 4, 'name': 'x', 'required': true, 'type': 'int'}]}}, "
        "{'id': 5, 'name': 'l', 'required': true, 'type': {'type': 'list', 'element-id': 6, "
        "'element-required': true, 'element': 'int'}}]}}";
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    (void)updated(f, m, arena_printf(f->arena, schema, 1, "false"));
    (void)updated(f, m, arena_printf(f->arena, schema, 4, "true"));
    REFUSED(INVALID, f, m, arena_printf(f->arena, schema, 4, "false"));
    SAYS(f, "column \"x\" cannot identify rows: it lies in a list, a map or an optional struct");
    REFUSED(INVALID, f, m, arena_printf(f->arena, schema, 6, "true"));
    REFUSED(INVALID, f, m, arena_printf(f->arena, schema, 5, "true"));
    REFUSED(INVALID, f, m, arena_printf(f->arena, schema, 2, "true"));
    REFUSED(INVALID, f, m, arena_printf(f->arena, schema, 9, "true"));
}

TESTS(test_main_does_not_come_back_under_a_narrower_schema,
      test_a_replacement_need_not_take_main_away,
      test_a_rollback_behind_a_replacement_goes_back_to_its_schema,
      test_main_does_not_come_back_without_what_the_schema_wants,
      test_rows_that_were_all_deleted_first_are_owed_nothing,
      test_a_dropped_column_comes_back_as_it_was_or_wider, test_ids_are_not_given_twice,
      test_dates_become_timestamps_from_version_three_on,
      test_rows_that_are_there_lack_no_required_column, test_what_old_rows_are_filled_with_stays,
      test_a_column_stays_in_what_it_lies_in, test_keys_of_maps_do_not_change,
      test_what_identifies_rows_is_in_every_row)

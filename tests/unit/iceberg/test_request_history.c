/* Updates of snapshots, references and statistics in requests of REST clients. */
#include "requests.h"

#include "tarn/base/clock.h"

static const char *rows(fixture *f, int id, const char *first_row_id, const char *added_rows)
{
    return str_printf(f->arena,
                      "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': %d, "
                      "'sequence-number': %d, 'timestamp-ms': 1000, 'manifest-list': 's3://b/t/l', "
                      "'summary': {'operation': 'append'}, 'first-row-id': %s, 'added-rows': %s, "
                      "'later': {'a': null, 'b': 1}}}",
                      id, id, first_row_id, added_rows)
        .data;
}

static str unknown(const ice_metadata *m, const char *key)
{
    for (size_t i = 0; i < m->unknown_count; i++) {
        if (str_equal(m->unknown[i].key, str_c(key))) {
            return m->unknown[i].value;
        }
    }
    return STR("[]");
}

/* ---- snapshots ---- */

static void test_a_snapshot_on_main_is_current_and_in_the_log(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    assert_int_equal(m->current_snapshot_id, 2);
    assert_int_equal(m->last_sequence_number, 2);
    assert_int_equal(m->snapshot_count, 2);
    assert_int_equal(m->snapshots[0].id, 1);
    assert_int_equal(m->snapshot_log_count, 2);
    assert_int_equal(m->snapshot_log[1].snapshot_id, 2);
    assert_int_equal(m->snapshots[1].parent_id, 1);
    assert_int_equal(m->refs[0].max_ref_age_ms, -1);
}

static void test_snapshots_keep_the_order_they_came_in(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    m = updated(f, m, both(f, snapshot(f, 9, "null", 1, 3000), snapshot(f, 4, "9", 2, 2000)));
    assert_int_equal(m->snapshots[0].id, 9);
    assert_int_equal(m->snapshots[1].id, 4);
    assert_int_equal(m->current_snapshot_id, ICE_NO_SNAPSHOT);
    assert_int_equal(m->snapshot_log_count, 0);
}

static void test_a_stale_sequence_number_is_a_conflict(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    REFUSED(CONFLICT, f, m, snapshot(f, 3, "2", 2, 3000));
    EXPECT_MESSAGE(f, "cannot add snapshot with sequence number 2 older than last sequence number "
                      "2");
    /* what begins anew may have any: nothing that was deletes from it */
    m = updated(f, m, snapshot(f, 3, "null", 2, 3000));
    assert_int_equal(m->last_sequence_number, 2);
    REFUSED(INVALID, f, m, snapshot(f, 3, "2", 9, 3000));
    SAYS(f, "snapshot 3 exists already");
}

static void test_snapshots_that_no_table_can_have_are_refused(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    REFUSED(INVALID, f, m, snapshot(f, 0, "null", 1, 1000));
    REFUSED(INVALID, f, m, snapshot(f, -5, "null", 1, 1000));
    REFUSED(INVALID, f, m, snapshot(f, 1, "null", 0, 1000));
    REFUSED(INVALID, f, m, snapshot(f, 1, "null", -1, 1000));
    REFUSED(INVALID, f, m, snapshot(f, 1, "null", 1, -1));
    REFUSED(INVALID, f, m, snapshot(f, 1, "null", 1, INT64_MAX));
    REFUSED(INVALID, f, m,
            "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 1, 'sequence-number': 1, "
            "'timestamp-ms': 1}}");
    REFUSED(INVALID, f, m,
            "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 1, 'sequence-number': 1, "
            "'timestamp-ms': 1, 'manifests': ['s3://b/t/m']}}");
    SAYS(f, "which format version 2 wants");
    REFUSED(INVALID, f, m,
            "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 1, 'sequence-number': 1, "
            "'timestamp-ms': 1, 'manifest-list': 's3://b/t/l', 'summary': {'operation': 5}}}");
    REFUSED(INVALID, f, m, "{'action': 'add-snapshot', 'snapshot': null}");
    EXPECT_MESSAGE(f, "updates[0]: \"snapshot\" is missing, not an object");
}

static void test_snapshots_of_the_future_are_refused(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);
    int64_t now_ms = clock_now_ms();

    REFUSED(INVALID, f, m, snapshot(f, 1, "null", 1, now_ms + INT64_C(86400000)));
    SAYS(f, "ms ahead of the catalog's clock");
    REFUSED(INVALID, f, m, snapshot(f, 1, "null", 1, INT64_C(253402300799999)));
    /* clocks differ a little, and what is copied from elsewhere is old */
    (void)updated(f, m, snapshot(f, 1, "null", 1, now_ms + 60000));
    m = updated(f, m, both(f, snapshot(f, 1, "null", 1, 1000), main_at(f, 1)));
    assert_true(m->snapshot_log[0].timestamp_ms >= now_ms);
}

static void test_a_clock_a_little_ahead_is_the_tables_too(void **given)
{
    fixture *f = *given;
    int64_t theirs_ms = clock_now_ms() + 20000;
    ice_metadata *m = table(f, 2);

    m = updated(f, m, both(f, snapshot(f, 1, "null", 1, theirs_ms), main_at(f, 1)));
    assert_int_equal(m->snapshot_log[0].timestamp_ms, theirs_ms);
    assert_int_equal(m->last_updated_ms, theirs_ms);
}

static void test_a_clock_ahead_is_the_snapshots_own_and_not_the_tables(void **given)
{
    fixture *f = *given;
    ice_metadata *m = table(f, 2);
    int64_t now_ms = clock_now_ms();
    int64_t theirs_ms = now_ms + 14 * INT64_C(60000);

    REFUSED(INVALID, f, m, snapshot(f, 1, "null", 1, now_ms + 30 * INT64_C(60000)));
    SAYS(f, "Z): at most 15 minutes are allowed");
    REFUSED(INVALID, f, m, snapshot(f, 1, "null", 1, INT64_C(4102444799000)));
    SAYS(f, "\"timestamp-ms\" 4102444799000 (2099-12-31T23:59:59Z), which is ");
    m = updated(f, m, both(f, snapshot(f, 1, "null", 1, theirs_ms), main_at(f, 1)));
    assert_int_equal(m->snapshots[0].timestamp_ms, theirs_ms);
    assert_in_range(m->snapshot_log[0].timestamp_ms, now_ms, clock_now_ms());
    assert_in_range(m->last_updated_ms, m->snapshot_log[0].timestamp_ms, clock_now_ms());
    /* and who writes next by the right clock is not behind */
    now_ms = clock_now_ms();
    m = updated(f, m, both(f, snapshot(f, 2, "1", 2, now_ms), main_at(f, 2)));
    assert_in_range(m->snapshot_log[1].timestamp_ms, now_ms, clock_now_ms());
}

#define WITH(more)                                                                                 \
    "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 1, 'sequence-number': 1, "             \
    "'timestamp-ms': 1000, 'manifest-list': 's3://b/t/l', 'summary': {'operation': 'append'}" more \
    "}}"

static void test_a_snapshot_names_a_schema_of_the_table(void **given)
{
    static const char schema[] =
        "{'action': 'add-schema', 'schema': {'type': 'struct', 'schema-id': 9, 'fields': ["
        "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}]}}";
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    REFUSED(INVALID, f, m, WITH(", 'schema-id': 9"));
    EXPECT_MESSAGE(f, "updates[0]: snapshot 1 has the \"schema-id\" 9, which the table lacks");
    assert_int_equal(updated(f, m, WITH(""))->snapshots[0].schema_id, ICE_NO_SCHEMA);
    m = updated(f, m, both(f, schema, WITH(", 'schema-id': 9")));
    assert_int_equal(m->snapshots[0].schema_id, 1); /* as the table calls it */
    REFUSED(INVALID, f, m, "{'action': 'remove-schemas', 'schema-ids': [1]}");
    EXPECT_MESSAGE(f, "updates[0]: schema 1 is that of snapshot 1: it stays");
    m = updated(f, m,
                "{'action': 'remove-snapshots', 'snapshot-ids': [1]}, "
                "{'action': 'remove-schemas', 'schema-ids': [1]}");
    assert_int_equal(m->schema_count, 1);
}

static void test_schemas_and_their_snapshots_go_in_either_order(void **given)
{
    static const char schema[] =
        "{'action': 'add-schema', 'schema': {'type': 'struct', 'schema-id': 1, 'fields': ["
        "{'id': 1, 'name': 'id', 'required': true, 'type': 'long'}]}}";
    static const char no_schema[] = "{'action': 'remove-schemas', 'schema-ids': [1]}";
    static const char no_snapshot[] = "{'action': 'remove-snapshots', 'snapshot-ids': [1]}";
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 2), both(f, schema, WITH(", 'schema-id': 1")));

    assert_int_equal(updated(f, m, both(f, no_schema, no_snapshot))->schema_count, 1);
    assert_int_equal(updated(f, m, both(f, no_snapshot, no_schema))->schema_count, 1);
    m = updated(f, m, snapshot(f, 2, "null", 2, 2000));
    REFUSED(INVALID, f, m,
            both(f, no_schema, "{'action': 'remove-snapshots', 'snapshot-ids': [2]}"));
    EXPECT_MESSAGE(f, "updates[0]: schema 1 is that of snapshot 1: it stays");
    /* nor is its number another's meanwhile */
    REFUSED(INVALID, f, m,
            both(f, no_schema,
                 "{'action': 'add-schema', 'schema': {'type': 'struct', 'fields': ["
                 "{'id': 2, 'name': 'name', 'required': false, 'type': 'string'}]}}"));
    EXPECT_MESSAGE(f, "updates[0]: schema 1 is that of snapshot 1: it stays");
}

static void test_operations_are_those_of_the_specification(void **given)
{
    static const char *const known[] = {"append", "replace", "overwrite", "delete"};
    static const char text[] =
        "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 1, 'sequence-number': 1, "
        "'timestamp-ms': 1000, 'manifest-list': 's3://b/t/l', 'summary': {'operation': '%s'}}}";
    fixture *f = *given;
    ice_metadata *m = table(f, 2);

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        (void)updated(f, m, arena_printf(f->arena, text, known[i]));
    }
    REFUSED(INVALID, f, m, arena_printf(f->arena, text, "Append"));
    REFUSED(INVALID, f, m, arena_printf(f->arena, text, "upsert"));
    EXPECT_MESSAGE(f, "updates[0]: snapshot 1: operation \"upsert\" is none of append, replace, "
                      "overwrite and delete");
}

static void test_numbers_that_leave_none_for_others_are_refused(void **given)
{
    static const char added[] =
        "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 3, 'sequence-number': %s, "
        "'timestamp-ms': 3000, 'manifest-list': 's3://b/t/l', 'schema-id': 0, "
        "'summary': {'operation': 'append'}, 'first-row-id': 0, 'added-rows': %s}}";
    fixture *f = *given;

    REFUSED(INVALID, f, table(f, 2), arena_printf(f->arena, added, "9223372036854775807", "1"));
    EXPECT_MESSAGE(f,
                   "updates[0]: snapshot 3 has sequence number 9223372036854775807, which leaves "
                   "none for others");
    REFUSED(INVALID, f, table(f, 3), arena_printf(f->arena, added, "1", "9223372036854775807"));
    EXPECT_MESSAGE(f, "updates[0]: snapshot 3 would use up all row ids");
    updated(f, table(f, 2), arena_printf(f->arena, added, "1000", "1"));
}

static void test_version_one_has_no_sequence_numbers_and_may_list_manifests(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 1), snapshot(f, 1, "null", 7, 1000));

    assert_int_equal(m->format_version, 1);
    assert_int_equal(m->last_sequence_number, 0);
    assert_int_equal(m->snapshots[0].sequence_number, 0);
    m = updated(f, m,
                "{'action': 'add-snapshot', 'snapshot': {'snapshot-id': 2, 'timestamp-ms': 2000, "
                "'manifests': ['s3://b/t/m']}}");
    assert_int_equal(m->snapshots[1].manifest_count, 1);
    REFUSED(INVALID, f, m, "{'action': 'upgrade-format-version', 'format-version': 2}");
}

static void test_row_ids_go_on_where_the_table_is(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, table(f, 3), rows(f, 1, "0", "10"));

    assert_int_equal(m->next_row_id, 10);
    EXPECT_STR(m->snapshots[0].unknown[0].value, "{\"b\":1}");
    REFUSED(CONFLICT, f, m, rows(f, 2, "9", "10"));
    SAYS(f, "first-row-id is behind table next-row-id: 9 < 10");
    REFUSED(INVALID, f, m, rows(f, 2, "null", "10"));
    REFUSED(INVALID, f, m, rows(f, 2, "10", "null"));
    REFUSED(INVALID, f, m, rows(f, 2, "10", "-1"));
    REFUSED(INVALID, f, m, rows(f, 2, "9223372036854775807", "1"));
    m = updated(f, m, rows(f, 2, "12", "5"));
    assert_int_equal(m->next_row_id, 17);
    m = updated(f, table(f, 2), rows(f, 1, "0", "10")); /* no such thing before */
    assert_int_equal(m->snapshots[0].first_row_id, ICE_NO_ROW_ID);
}

static void test_what_was_current_between_two_updates_alone_never_was(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    m = updated(f, m,
                both(f, both(f, snapshot(f, 3, "2", 3, 3000), main_at(f, 3)),
                     both(f, snapshot(f, 4, "3", 4, 4000), main_at(f, 4))));
    assert_int_equal(m->snapshot_count, 4);
    assert_int_equal(m->snapshot_log_count, 3);
    assert_int_equal(m->snapshot_log[2].snapshot_id, 4);
}

static void test_removed_snapshots_take_references_and_earlier_history_with_them(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    m = updated(f, m, both(f, snapshot(f, 3, "2", 3, 3000), main_at(f, 3)));
    m = updated(f, m,
                "{'action': 'set-snapshot-ref', 'ref-name': 'v1', 'type': 'tag', 'snapshot-id': "
                "2}");
    m = updated(f, m, "{'action': 'remove-snapshots', 'snapshot-ids': [2, 77]}");
    assert_int_equal(m->snapshot_count, 2);
    assert_int_equal(m->ref_count, 1);
    assert_int_equal(m->snapshot_log_count, 1);
    assert_int_equal(m->snapshot_log[0].snapshot_id, 3);
    m = updated(f, m,
                "{'action': 'remove-snapshots', 'snapshot-ids': [1]}, "
                "{'action': 'remove-snapshots', 'snapshot-ids': [3]}");
    assert_int_equal(m->snapshot_count, 0);
    assert_int_equal(m->ref_count, 0);
    assert_int_equal(m->current_snapshot_id, ICE_NO_SNAPSHOT);
    REFUSED(INVALID, f, m, "{'action': 'remove-snapshots', 'snapshot-ids': ['1']}");
    EXPECT_MESSAGE(f, "updates[0]: \"snapshot-ids\"[0] is no id");
    REFUSED(INVALID, f, m, "{'action': 'remove-snapshots'}");
}

static void test_thousands_of_removals_are_one(void **given)
{
    enum { COUNT = 5000 };
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);
    buf *text = buf_in(f->arena, LIMIT_JSON_BODY);

    for (int i = 0; i < COUNT; i++) {
        buf_printf(text, "%s{'action': 'remove-snapshots', 'snapshot-ids': [%d]}", i > 0 ? "," : "",
                   i + 1000);
    }
    m = updated(f, m, str_to_c(f->arena, buf_str(text)));
    assert_int_equal(m->snapshot_count, 2);
    buf_clear(text);
    for (int i = 0; i < COUNT; i++) {
        buf_printf(text, "%s{'action': 'set-location', 'location': 's3://b/t'}", i > 0 ? "," : "");
    }
    REFUSED(INVALID, f, m, str_to_c(f->arena, buf_str(text)));
    EXPECT_MESSAGE(f, "a commit has at most 1000 updates, beside those that remove snapshots, "
                      "references and statistics");
}

/* ---- references ---- */

static void test_references_are_set_and_removed(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    m = updated(f, m,
                "{'action': 'set-snapshot-ref', 'ref-name': 'b', 'type': 'branch', 'snapshot-id': "
                "1, 'max-ref-age-ms': 5, 'max-snapshot-age-ms': 6, 'min-snapshots-to-keep': 7}");
    assert_int_equal(m->ref_count, 2);
    assert_int_equal(m->refs[1].max_ref_age_ms, 5);
    assert_int_equal(m->refs[1].min_snapshots_to_keep, 7);
    assert_int_equal(m->current_snapshot_id, 2);
    m = updated(f, m, /* another kind of the same name */
                "{'action': 'set-snapshot-ref', 'ref-name': 'b', 'type': 'tag', 'snapshot-id': 2}");
    assert_true(m->refs[1].is_tag);
    m = updated(f, m, "{'action': 'remove-snapshot-ref', 'ref-name': 'none'}");
    assert_int_equal(m->ref_count, 2);
    m = updated(f, m,
                "{'action': 'remove-snapshot-ref', 'ref-name': 'b'}, "
                "{'action': 'remove-snapshot-ref', 'ref-name': 'main'}");
    assert_int_equal(m->ref_count, 0);
    assert_int_equal(m->current_snapshot_id, ICE_NO_SNAPSHOT);
    assert_int_equal(m->snapshot_log_count, 2); /* it was so */
}

static void test_main_goes_back_and_the_log_says_when(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, with_snapshots(f, 2), main_at(f, 1));

    assert_int_equal(m->current_snapshot_id, 1);
    assert_int_equal(m->snapshot_log_count, 3);
    assert_true(m->snapshot_log[2].timestamp_ms > 2000);
    m = updated(f, m, main_at(f, 1));
    assert_int_equal(m->snapshot_log_count, 3);
}

static void test_references_that_cannot_be_are_refused(void **given)
{
    static const char *const rows_[] = {
        "'ref-name': 'b', 'type': 'branch', 'snapshot-id': 99",
        "'ref-name': 'main', 'type': 'tag', 'snapshot-id': 1",
        "'ref-name': '', 'type': 'branch', 'snapshot-id': 1",
        "'ref-name': 'b', 'type': 'twig', 'snapshot-id': 1",
        "'ref-name': 'b', 'type': 'branch'",
        "'ref-name': 'b', 'type': 'branch', 'snapshot-id': 1, 'max-ref-age-ms': 0",
        "'ref-name': 'b', 'type': 'branch', 'snapshot-id': 1, 'max-ref-age-ms': -1",
        "'ref-name': 'b', 'type': 'branch', 'snapshot-id': 1, 'min-snapshots-to-keep': 4294967296",
        "'ref-name': 'b', 'type': 'tag', 'snapshot-id': 1, 'max-snapshot-age-ms': 5",
    };
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    for (size_t i = 0; i < COUNT_OF(rows_); i++) {
        REFUSED(INVALID, f, m,
                arena_printf(f->arena, "{'action': 'set-snapshot-ref', %s}", rows_[i]));
        SAYS(f, "updates[0]: ");
    }
    REFUSED(INVALID, f, m, "{'action': 'remove-snapshot-ref', 'ref-name': 7}");
}

/* ---- statistics ---- */

#define STATISTICS(path)                                                                       \
    "{'action': 'set-statistics', 'snapshot-id': null, 'statistics': {'snapshot-id': 2, "      \
    "'statistics-path': '" path "', 'file-size-in-bytes': 9, 'file-footer-size-in-bytes': 4, " \
    "'key-metadata': null, 'blob-metadata': [{'type': 'x', 'snapshot-id': 2, "                 \
    "'sequence-number': 2, 'fields': [1], 'properties': null}]}}"

static void test_statistics_are_one_of_a_kind_for_a_snapshot(void **given)
{
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    m = updated(f, m, STATISTICS("s3://b/t/1.puffin"));
    m = updated(f, m, STATISTICS("s3://b/t/2.puffin"));
    EXPECT_STR(unknown(m, "statistics"),
               "[{\"snapshot-id\":2,\"statistics-path\":\"s3://b/t/2.puffin\",\"file-size-in-"
               "bytes\":9,\"file-footer-size-in-bytes\":4,\"blob-metadata\":[{\"type\":\"x\","
               "\"snapshot-id\":2,\"sequence-number\":2,\"fields\":[1]}]}]");
    m = updated(f, m,
                "{'action': 'set-partition-statistics', 'partition-statistics': {'snapshot-id': 1, "
                "'statistics-path': 's3://b/t/p', 'file-size-in-bytes': 3}}");
    EXPECT_STR(unknown(m, "partition-statistics"),
               "[{\"snapshot-id\":1,\"statistics-path\":\"s3://b/t/p\",\"file-size-in-bytes\":3}]");
    m = updated(f, m, "{'action': 'remove-statistics', 'snapshot-id': 2}");
    EXPECT_STR(unknown(m, "statistics"), "[]");
    m = updated(f, m, "{'action': 'remove-statistics', 'snapshot-id': 2}");
    m = updated(f, m, "{'action': 'remove-partition-statistics', 'snapshot-id': 1}");
    EXPECT_STR(unknown(m, "partition-statistics"), "[]");
}

static void test_statistics_go_with_their_snapshot(void **given)
{
    fixture *f = *given;
    ice_metadata *m = updated(f, with_snapshots(f, 2), STATISTICS("s3://b/t/1.puffin"));

    m = updated(f, m, "{'action': 'remove-snapshots', 'snapshot-ids': [2]}");
    EXPECT_STR(unknown(m, "statistics"), "[]");
}

static void test_statistics_that_nobody_could_read_are_refused(void **given)
{
    static const char *const bodies[] = {
        "{'snapshot-id': 2, 'statistics-path': 's3://b/t/s', 'file-size-in-bytes': 9}",
        "{'snapshot-id': 2, 'statistics-path': 7, 'file-size-in-bytes': 9, "
        "'file-footer-size-in-bytes': 4, 'blob-metadata': []}",
        "{'snapshot-id': 2, 'statistics-path': 's3://b/t/s', 'file-size-in-bytes': -9, "
        "'file-footer-size-in-bytes': 4, 'blob-metadata': []}",
        "{'snapshot-id': 99, 'statistics-path': 's3://b/t/s', 'file-size-in-bytes': 9, "
        "'file-footer-size-in-bytes': 4, 'blob-metadata': []}",
        "{'snapshot-id': 2, 'statistics-path': 's3://b/t/s', 'file-size-in-bytes': 9, "
        "'file-footer-size-in-bytes': 4, 'blob-metadata': [{'type': 'x'}]}",
        "{'snapshot-id': 2, 'statistics-path': 's3://b/t/s', 'file-size-in-bytes': 9, "
        "'file-footer-size-in-bytes': 4, 'blob-metadata': [{'type': 'x', 'snapshot-id': 2, "
        "'sequence-number': 2, 'fields': [1], 'properties': {'a': 5}}]}",
    };
    fixture *f = *given;
    ice_metadata *m = with_snapshots(f, 2);

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        REFUSED(
            INVALID, f, m,
            arena_printf(f->arena, "{'action': 'set-statistics', 'statistics': %s}", bodies[i]));
    }
    REFUSED(INVALID, f, m, "{'action': 'set-partition-statistics', 'partition-statistics': 1}");
    REFUSED(INVALID, f, m, "{'action': 'remove-statistics', 'snapshot-id': '2'}");
    REFUSED(INVALID, f, m, "{'action': 'remove-partition-statistics'}");
}

TESTS(test_a_clock_a_little_ahead_is_the_tables_too,
      test_a_clock_ahead_is_the_snapshots_own_and_not_the_tables,
      test_schemas_and_their_snapshots_go_in_either_order,
      test_a_snapshot_on_main_is_current_and_in_the_log, test_snapshots_keep_the_order_they_came_in,
      test_a_stale_sequence_number_is_a_conflict, test_snapshots_that_no_table_can_have_are_refused,
      test_snapshots_of_the_future_are_refused, test_a_snapshot_names_a_schema_of_the_table,
      test_operations_are_those_of_the_specification,
      test_numbers_that_leave_none_for_others_are_refused,
      test_version_one_has_no_sequence_numbers_and_may_list_manifests,
      test_row_ids_go_on_where_the_table_is,
      test_what_was_current_between_two_updates_alone_never_was,
      test_removed_snapshots_take_references_and_earlier_history_with_them,
      test_thousands_of_removals_are_one, test_references_are_set_and_removed,
      test_main_goes_back_and_the_log_says_when, test_references_that_cannot_be_are_refused,
      test_statistics_are_one_of_a_kind_for_a_snapshot, test_statistics_go_with_their_snapshot,
      test_statistics_that_nobody_could_read_are_refused)

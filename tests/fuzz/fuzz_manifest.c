/* Manifest lists and manifests: every input is read as both, under a table of two specs that the seeds belong to. What
 * is accepted is pruned and written again. */
#include "support/fuzz.h"

#include "tarn/base/limits.h"
#include "tarn/iceberg/scan.h"

static const char table[] =
    "{\"format-version\":3,\"table-uuid\":\"u\",\"location\":\"s3://b/t\",\"last-sequence-number\":9,"
    "\"last-updated-ms\":1,\"last-column-id\":4,\"next-row-id\":0,\"current-schema-id\":0,\"schemas\":[{"
    "\"type\":\"struct\",\"schema-id\":0,\"fields\":["
    "{\"id\":1,\"name\":\"event_date\",\"required\":false,\"type\":\"date\"},"
    "{\"id\":2,\"name\":\"user_id\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":3,\"name\":\"event_type\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":4,\"name\":\"x\",\"required\":false,\"type\":\"double\"}]}],\"default-spec-id\":1,"
    "\"partition-specs\":[{\"spec-id\":0,\"fields\":[{\"name\":\"event_date\",\"transform\":\"identity\","
    "\"source-id\":1,\"field-id\":1000}]},{\"spec-id\":1,\"fields\":[{\"name\":\"event_date\",\"transform\":"
    "\"identity\",\"source-id\":1,\"field-id\":1000},{\"name\":\"event_type\",\"transform\":\"identity\","
    "\"source-id\":3,\"field-id\":1001}]}],\"last-partition-id\":1001,\"default-sort-order-id\":0,"
    "\"sort-orders\":[{\"order-id\":0,\"fields\":[]}]}";

static void prune(const ice_metadata *m, const ice_entry *entries, size_t count)
{
    static const ice_value date = {.kind = ICE_DATE, .integer = 19725};
    static const ice_value number = {.kind = ICE_LONG, .integer = 5};
    static const ice_value text = {.kind = ICE_STRING, .bytes = STR_INIT("click")};
    static const ice_expr leaves[] = {
        {.kind = ICE_GE, .field_id = 1, .values = &date, .value_count = 1},
        {.kind = ICE_NE, .field_id = 2, .values = &number, .value_count = 1},
        {.kind = ICE_STARTS_WITH, .field_id = 3, .values = &text, .value_count = 1},
        {.kind = ICE_IS_NULL, .field_id = 4},
    };

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < COUNT_OF(leaves); k++) {
            ice_skip_reason reason;
            int32_t field_id;

            (void)ice_file_may_match(&entries[i].file, m, &leaves[k], &reason, &field_id);
        }
    }
}

/* As a list tells it: numbers and kinds of its own. */
static void read_manifest(const ice_metadata *m, str bytes, int32_t spec_id, arena *a)
{
    const ice_manifest manifest = {.path = STR("m"),
                                   .spec_id = spec_id,
                                   .sequence_number = 3,
                                   .min_sequence_number = 1,
                                   .added_snapshot_id = 4,
                                   .first_row_id = INT64_MAX - 5};
    ice_entry *entries;
    ice_entry *back;
    ice_manifest made;
    size_t count;
    size_t back_count;
    buf *out = buf_in(a, LIMIT_MANIFEST_FILE);

    if (ice_manifest_parse(bytes, &manifest, m, true, a, &entries, &count, NULL) != STATUS_OK) {
        return;
    }
    prune(m, entries, count);
    if (ice_manifest_format(m, spec_id, false, 4, entries, count, a, out, &made, NULL) ==
        STATUS_OK) {
        made.path = STR("m");
        made.sequence_number = 3;
        ASSERT(ice_manifest_parse(buf_str(out), &made, m, true, a, &back, &back_count, NULL) ==
               STATUS_OK);
        ASSERT(back_count == count);
    }
}

static void read_list(const ice_metadata *m, str bytes, arena *a)
{
    const ice_snapshot snapshot = {.id = 1, .parent_id = ICE_NO_SNAPSHOT, .sequence_number = 9};
    ice_manifest *manifests;
    size_t count;
    buf *out = buf_in(a, LIMIT_MANIFEST_FILE);

    if (ice_manifest_list_parse(bytes, a, &manifests, &count, NULL) == STATUS_OK) {
        (void)ice_manifest_list_format(m, &snapshot, manifests, count, out, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ice_metadata *m;
    arena *a = arena_create();
    str bytes = str_from((const char *)data, size);

    if (m == NULL) {
        ASSERT(ice_metadata_parse(str_c(table), &m, NULL) == STATUS_OK);
    }
    read_list(m, bytes, a);
    read_manifest(m, bytes, 0, a);
    read_manifest(m, bytes, 1, a);
    arena_free(a);
    return 0;
}

/* metadata_format.c: metadata.json written, in the member order of the reference implementation, and its place. */
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"
#include "tarn/iceberg/metadata.h"

#include "internal.h"
#include "pieces.h"

/* Level 1: metadata repeats itself so much that more effort gains little, and every commit waits for it. */
enum { METADATA_GZIP_LEVEL = 1 };

/* --- pieces --- */

/* Where the history may be cut for packing (pieces.c). The id of a snapshot says whether a piece begins with it, so
 * the cuts stay where they are when snapshots come and when others expire. */
enum { SNAPSHOTS_PER_PIECE = 4, LOG_PER_PIECE = 32 };

typedef struct cutter {
    const buf *out;
    arena *memory;
    VEC(ice__cut) cuts;
    bool open; /* a piece of the list has begun */
} cutter;

/* A piece that begins here stays if another begins behind it: its end is known then. */
static void cut_before(cutter *c, int64_t id, int64_t per_piece)
{
    ice__cut cut;

    if (c == NULL || id % per_piece != 0) {
        return;
    }
    if (c->open) {
        c->cuts.items[c->cuts.count - 1].stays = true;
    }
    cut = (ice__cut){.offset = c->out->size, .stays = false};
    vec_push(c->memory, &c->cuts, cut);
    c->open = true;
}

/* The list ends: what follows its last cut will grow. */
static void cut_end(cutter *c)
{
    if (c != NULL) {
        c->open = false;
    }
}

/* --- parts --- */

static void put_properties(json_writer *w, const ice_property *properties, size_t count)
{
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_key_str(w, properties[i].key);
        json_put_str(w, properties[i].value);
    }
    json_end_object(w);
}

static void put_snapshot(json_writer *w, const ice_snapshot *s, int format_version)
{
    if (!str_is_null(s->text)) {
        json_put_raw(w, s->text);
        return;
    }
    json_begin_object(w);
    if (format_version > 1) {
        json_member_int(w, "sequence-number", s->sequence_number);
    }
    json_member_int(w, "snapshot-id", s->id);
    if (s->parent_id != ICE_NO_SNAPSHOT) {
        json_member_int(w, "parent-snapshot-id", s->parent_id);
    }
    json_member_int(w, "timestamp-ms", s->timestamp_ms);
    if (s->summary_count > 0) {
        json_key(w, "summary");
        put_properties(w, s->summary, s->summary_count);
    }
    if (!str_is_null(s->manifest_list)) {
        json_member_str(w, "manifest-list", s->manifest_list);
    } else {
        json_key(w, "manifests");
        json_begin_array(w);
        for (size_t i = 0; i < s->manifest_count; i++) {
            json_put_str(w, s->manifests[i]);
        }
        json_end_array(w);
    }
    if (s->schema_id != ICE_NO_SCHEMA) {
        json_member_int(w, "schema-id", s->schema_id);
    }
    if (s->first_row_id != ICE_NO_ROW_ID) {
        json_member_int(w, "first-row-id", s->first_row_id);
    }
    if (s->added_rows != ICE_NO_ROW_ID) {
        json_member_int(w, "added-rows", s->added_rows);
    }
    ice__json_put_unknown(w, s->unknown, s->unknown_count);
    json_end_object(w);
}

str ice__snapshot_text(const ice_snapshot *s, int format_version, arena *a)
{
    buf text;
    json_writer w;
    str copy;

    buf_init(&text, LIMIT_METADATA_FILE);
    json_writer_init(&w, &text);
    put_snapshot(&w, s, format_version);
    copy = text.failed ? STR_NULL : str_copy(a, buf_str(&text));
    buf_release(&text);
    return copy;
}

static void put_refs(json_writer *w, const ice_metadata *m)
{
    json_key(w, "refs");
    json_begin_object(w);
    for (size_t i = 0; i < m->ref_count; i++) {
        const ice_ref *ref = &m->refs[i];

        json_key_str(w, ref->name);
        json_begin_object(w);
        json_member_int(w, "snapshot-id", ref->snapshot_id);
        json_member_c(w, "type", ref->is_tag ? "tag" : "branch");
        if (ref->min_snapshots_to_keep >= 0) {
            json_member_int(w, "min-snapshots-to-keep", ref->min_snapshots_to_keep);
        }
        if (ref->max_snapshot_age_ms >= 0) {
            json_member_int(w, "max-snapshot-age-ms", ref->max_snapshot_age_ms);
        }
        if (ref->max_ref_age_ms >= 0) {
            json_member_int(w, "max-ref-age-ms", ref->max_ref_age_ms);
        }
        json_end_object(w);
    }
    json_end_object(w);
}

static void put_schemas(json_writer *w, const ice_metadata *m)
{
    if (m->format_version == 1) {
        json_key(w, "schema");
        ice_schema_format(ice_metadata_schema(m), w);
    }
    json_member_int(w, "current-schema-id", m->current_schema_id);
    json_key(w, "schemas");
    json_begin_array(w);
    for (size_t i = 0; i < m->schema_count; i++) {
        ice_schema_format(&m->schemas[i], w);
    }
    json_end_array(w);
}

static void put_specs(json_writer *w, const ice_metadata *m)
{
    if (m->format_version == 1) {
        json_key(w, "partition-spec");
        ice_spec_format_fields(ice_metadata_spec(m), w);
    }
    json_member_int(w, "default-spec-id", m->default_spec_id);
    json_key(w, "partition-specs");
    json_begin_array(w);
    for (size_t i = 0; i < m->spec_count; i++) {
        ice_spec_format(&m->specs[i], w);
    }
    json_end_array(w);
    json_member_int(w, "last-partition-id", m->last_partition_id);
    json_member_int(w, "default-sort-order-id", m->default_order_id);
    json_key(w, "sort-orders");
    json_begin_array(w);
    for (size_t i = 0; i < m->order_count; i++) {
        ice_sort_order_format(&m->orders[i], w);
    }
    json_end_array(w);
}

static void put_logs(json_writer *w, const ice_metadata *m, cutter *c)
{
    json_key(w, "snapshot-log");
    json_begin_array(w);
    for (size_t i = 0; i < m->snapshot_log_count; i++) {
        cut_before(c, m->snapshot_log[i].snapshot_id, LOG_PER_PIECE);
        json_begin_object(w);
        json_member_int(w, "timestamp-ms", m->snapshot_log[i].timestamp_ms);
        json_member_int(w, "snapshot-id", m->snapshot_log[i].snapshot_id);
        json_end_object(w);
    }
    cut_end(c);
    json_end_array(w);
    json_key(w, "metadata-log");
    json_begin_array(w);
    for (size_t i = 0; i < m->metadata_log_count; i++) {
        json_begin_object(w);
        json_member_int(w, "timestamp-ms", m->metadata_log[i].timestamp_ms);
        json_member_str(w, "metadata-file", m->metadata_log[i].metadata_file);
        json_end_object(w);
    }
    json_end_array(w);
}

static bool has_unknown(const ice_metadata *m, const char *key)
{
    for (size_t i = 0; i < m->unknown_count; i++) {
        if (str_equal(m->unknown[i].key, str_c(key))) {
            return true;
        }
    }
    return false;
}

static void put_history(json_writer *w, const ice_metadata *m, cutter *c)
{
    static const char *const lists[] = {"statistics", "partition-statistics"};

    if (m->current_snapshot_id != ICE_NO_SNAPSHOT || m->format_version < 3) {
        json_member_int(w, "current-snapshot-id", m->current_snapshot_id);
    } else {
        json_member_null(w, "current-snapshot-id");
    }
    if (m->format_version > 2) {
        json_member_int(w, "next-row-id", m->next_row_id);
    }
    put_refs(w, m);
    json_key(w, "snapshots");
    json_begin_array(w);
    for (size_t i = 0; i < m->snapshot_count; i++) {
        cut_before(c, m->snapshots[i].id, SNAPSHOTS_PER_PIECE);
        put_snapshot(w, &m->snapshots[i], m->format_version);
    }
    cut_end(c);
    json_end_array(w);
    ice__json_put_unknown(w, m->unknown, m->unknown_count);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (!has_unknown(m, lists[i])) {
            json_key(w, lists[i]);
            json_begin_array(w);
            json_end_array(w);
        }
    }
    put_logs(w, m, c);
}

/* `c` may be NULL. */
static void format(const ice_metadata *m, buf *out, cutter *c)
{
    json_writer w;

    json_writer_init(&w, out);
    json_begin_object(&w);
    json_member_int(&w, "format-version", m->format_version);
    if (!str_is_null(m->uuid)) {
        json_member_str(&w, "table-uuid", m->uuid);
    }
    json_member_str(&w, "location", m->location);
    if (m->format_version > 1) {
        json_member_int(&w, "last-sequence-number", m->last_sequence_number);
    }
    json_member_int(&w, "last-updated-ms", m->last_updated_ms);
    json_member_int(&w, "last-column-id", m->last_column_id);
    put_schemas(&w, m);
    put_specs(&w, m);
    json_key(&w, "properties");
    put_properties(&w, m->properties, m->property_count);
    put_history(&w, m, c);
    json_end_object(&w);
}

void ice_metadata_format(const ice_metadata *m, buf *out)
{
    format(m, out, NULL);
}

/* --- the file --- */

str ice__metadata_folder(const ice_metadata *m, arena *a)
{
    str folder = ice_metadata_property(m, "write.metadata.path", NULL);

    while (folder.size > 1 && folder.data[folder.size - 1] == '/') {
        folder.size--;
    }
    return folder.size > 0 ? folder : str_concat(a, m->location, STR("/metadata"));
}

status ice__metadata_render(const ice_metadata *m, int version, arena *a, str *ret_location,
                            str *ret_bytes, error *err)
{
    bool gzip = str_equal_nocase(
        ice_metadata_property(m, "write.metadata.compression-codec", "gzip"), STR("gzip"));
    buf *plain = buf_in(a, LIMIT_METADATA_FILE);
    buf *packed = plain;
    cutter c = {.out = plain, .memory = a};
    char uuid[37];

    format(m, plain, &c);
    TRY(buf_check(plain, "table metadata", err));
    if (gzip) {
        packed = buf_in(a, LIMIT_METADATA_FILE);
        TRY(ice__pieces_pack(METADATA_GZIP_LEVEL, buf_str(plain), c.cuts.items, c.cuts.count, a,
                             packed, err));
    }
    random_uuid(uuid);
    *ret_location =
        str_printf(a, "%.*s/%05d-%s%s.metadata.json", STR_ARG(ice__metadata_folder(m, a)), version,
                   uuid, gzip ? ".gz" : "");
    *ret_bytes = buf_str(packed);
    return STATUS_OK;
}

status ice_metadata_stage(storage *st, const ice_metadata *m, int version,
                          store_staged **ret_staged, arena *a, str *ret_location, error *err)
{
    str location;
    str bytes;
    store_staged *staged;

    TRY(ice__metadata_render(m, version, a, &location, &bytes, err));
    TRY(store_stage_bytes(st, location, STR("application/json"), bytes, &staged, err));
    *ret_staged = staged;
    *ret_location = location;
    return STATUS_OK;
}

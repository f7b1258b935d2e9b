/* metadata_format.c: metadata.json written, in the member order of the reference implementation, and its place. */
#include "tarn/base/limits.h"
#include "tarn/base/rng.h"
#include "tarn/base/vec.h"
#include "tarn/iceberg/metadata.h"

#include "chapter.h"

/* Level 1: metadata repeats itself so much that more effort gains little, and every commit waits for it. */
enum { METADATA_GZIP_LEVEL = 1 };

/* A file of up to two pages is not packed unless the table asks for it: that would save no block of the disk, and cost
 * every commit a seventh of its processor time. */
#define PLAIN_BYTES_MAX ((size_t)8 * 1024)

/* --- files put together --- */

/* A packed passage that stands at a place of the text. */
typedef struct insertion {
    size_t offset;
    const ice__passage *passage;
} insertion;

/* A file of which some passages are packed already. */
typedef struct assembly {
    arena *memory;
    VEC(insertion) insertions;
} assembly;

/* The passage brings its own comma. With `parts` it is remembered, without it is written. */
static void put_passage(buf *out, const ice__passage *passage, assembly *parts)
{
    if (parts != NULL) {
        vec_push(parts->memory, &parts->insertions,
                 ((insertion){.offset = out->size, .passage = passage}));
    } else {
        buf_add_str(out, passage->text);
    }
}

/* Text may repeat what stands before it. */
#define BEFORE_BYTES ((size_t)2048)

static status pack_text(str plain, const ice__passage *before, arena *a, gzip_piece *ret_piece,
                        error *err)
{
    str known = before != NULL ? before->text : STR("");

    known =
        known.size > BEFORE_BYTES ? str_slice(known, known.size - BEFORE_BYTES, known.size) : known;
    return gzip_piece_pack(METADATA_GZIP_LEVEL, known, plain, a, ret_piece, err);
}

static status assemble(str plain, const assembly *parts, buf *out, error *err)
{
    size_t count = parts->insertions.count;
    gzip_piece *pieces = ARENA_ARRAY(parts->memory, gzip_piece, 2 * count + 1);
    const ice__passage *before = NULL;
    size_t made = 0, start = 0;

    for (size_t i = 0; i <= count; i++) {
        size_t end = i < count ? parts->insertions.items[i].offset : plain.size;

        if (end > start) {
            TRY(pack_text(str_slice(plain, start, end), before, parts->memory, &pieces[made++],
                          err));
        }
        if (i < count) {
            before = parts->insertions.items[i].passage;
            pieces[made++] = before->piece;
        }
        start = end;
    }
    gzip_piece_join(pieces, made, out);
    return buf_check(out, "table metadata", err);
}

static size_t unpacked_size(str plain, const assembly *parts)
{
    size_t size = plain.size;

    for (size_t i = 0; i < parts->insertions.count; i++) {
        size += parts->insertions.items[i].passage->text.size;
    }
    return size;
}

static void assemble_plain(str plain, const assembly *parts, buf *out)
{
    size_t start = 0;

    for (size_t i = 0; i < parts->insertions.count; i++) {
        const insertion *in = &parts->insertions.items[i];

        buf_add_str(out, str_slice(plain, start, in->offset));
        buf_add_str(out, in->passage->text);
        start = in->offset;
    }
    buf_add_str(out, str_slice(plain, start, plain.size));
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

void ice__log_entry_format(json_writer *w, const ice_log_entry *entry)
{
    json_begin_object(w);
    json_member_int(w, "timestamp-ms", entry->timestamp_ms);
    json_member_int(w, "snapshot-id", entry->snapshot_id);
    json_end_object(w);
}

/* The next chapter from snapshot `*at` on that was not made before `timestamp_ms`; NULL where there is none. */
static const ice_chapter *next_chapter(const ice_metadata *m, size_t *at, int64_t timestamp_ms)
{
    while (*at < m->snapshot_count) {
        const ice_chapter *c = ice__chapter_at(&m->snapshots[*at], m->snapshot_count - *at);

        if (c != NULL && c->snapshots[0].timestamp_ms >= timestamp_ms) {
            return c;
        }
        *at += c != NULL ? c->count : 1;
    }
    return NULL;
}

static void put_snapshot_log(json_writer *w, const ice_metadata *m, buf *out, assembly *parts)
{
    size_t at = 0;

    json_key(w, "snapshot-log");
    json_begin_array(w);
    for (size_t i = 0; i < m->snapshot_log_count;) {
        const ice_log_entry *entry = &m->snapshot_log[i];
        const ice_chapter *c = i > 0 ? next_chapter(m, &at, entry->timestamp_ms) : NULL;

        if (c != NULL && ice__chapter_is_logged(c, entry, m->snapshot_log_count - i)) {
            put_passage(out, &c->log, parts);
            i += c->count;
        } else {
            ice__log_entry_format(w, entry);
            i++;
        }
    }
    json_end_array(w);
}

static void put_metadata_log(json_writer *w, const ice_metadata *m)
{
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

static bool has_name(const ice_metadata *m, int64_t snapshot_id)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        if (m->refs[i].snapshot_id == snapshot_id) {
            return true;
        }
    }
    return false;
}

bool ice_metadata_is_named(const ice_metadata *m)
{
    for (size_t i = 0; i < m->snapshot_count; i++) {
        if (!has_name(m, m->snapshots[i].id)) {
            return false;
        }
    }
    return true;
}

static void put_named_snapshots(json_writer *w, const ice_metadata *m)
{
    json_key(w, "snapshots");
    json_begin_array(w);
    for (size_t i = 0; i < m->snapshot_count; i++) {
        if (has_name(m, m->snapshots[i].id)) {
            put_snapshot(w, &m->snapshots[i], m->format_version);
        }
    }
    json_end_array(w);
}

static void put_snapshots(json_writer *w, const ice_metadata *m, buf *out, assembly *parts)
{
    json_key(w, "snapshots");
    json_begin_array(w);
    for (size_t i = 0; i < m->snapshot_count;) {
        const ice_chapter *c =
            i > 0 ? ice__chapter_at(&m->snapshots[i], m->snapshot_count - i) : NULL;

        if (c != NULL) {
            put_passage(out, &c->list, parts);
            i += c->count;
        } else {
            put_snapshot(w, &m->snapshots[i++], m->format_version);
        }
    }
    json_end_array(w);
}

static void put_history(json_writer *w, const ice_metadata *m, bool named, buf *out,
                        assembly *parts)
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
    if (named) {
        put_named_snapshots(w, m);
    } else {
        put_snapshots(w, m, out, parts);
    }
    ice__json_put_unknown(w, m->unknown, m->unknown_count);
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (!has_unknown(m, lists[i])) {
            json_key(w, lists[i]);
            json_begin_array(w);
            json_end_array(w);
        }
    }
    put_snapshot_log(w, m, out, parts);
    put_metadata_log(w, m);
}

/* With `parts` the text lacks what is packed already. */
static void format(const ice_metadata *m, bool named, buf *out, assembly *parts)
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
    put_history(&w, m, named, out, parts);
    json_end_object(&w);
}

void ice_metadata_format(const ice_metadata *m, buf *out)
{
    format(m, false, out, NULL);
}

void ice_metadata_format_named(const ice_metadata *m, buf *out)
{
    format(m, true, out, NULL);
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

/* Whether a text of that size is to be packed. */
static bool is_packed(const ice_metadata *m, size_t size)
{
    str codec = ice_metadata_property(m, "write.metadata.compression-codec", NULL);

    return codec.size == 0 ? size > PLAIN_BYTES_MAX : str_equal_nocase(codec, STR("gzip"));
}

status ice__metadata_render(const ice_metadata *m, int version, arena *a, str *ret_location,
                            str *ret_bytes, error *err)
{
    buf *text = buf_in(a, LIMIT_METADATA_FILE);
    buf *out = buf_in(a, LIMIT_METADATA_FILE);
    assembly parts = {.memory = a};
    char uuid[37];
    bool gzip;

    (void)buf_reserve(text, PLAIN_BYTES_MAX);
    format(m, false, text, &parts);
    TRY(buf_check(text, "table metadata", err));
    gzip = is_packed(m, unpacked_size(buf_str(text), &parts));
    if (gzip) {
        TRY(assemble(buf_str(text), &parts, out, err));
    } else if (parts.insertions.count == 0) {
        out = text;
    } else {
        assemble_plain(buf_str(text), &parts, out);
        TRY(buf_check(out, "table metadata", err));
    }
    random_uuid(uuid);
    *ret_location =
        str_printf(a, "%.*s/%05d-%s%s.metadata.json", STR_ARG(ice__metadata_folder(m, a)), version,
                   uuid, gzip ? ".gz" : "");
    *ret_bytes = buf_str(out);
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

/* statistics.c: how many different values the columns of a snapshot have, as a statistics file that the table's
 * metadata names.
 *
 * Source: Iceberg specification, "Table statistics"; Puffin specification, "apache-datasketches-theta-v1 blob type". */
#include "tarn/iceberg/statistics.h"

#include "builder.h"
#include "change.h"
#include "tarn/base/limits.h"
#include "tarn/codec/puffin.h"

#define BLOB_TYPE "apache-datasketches-theta-v1"

typedef struct work {
    const ice_statistics *given;
    arena *memory;
    ice__kept_vec kept; /* the file, over attempts */
    str location;       /* STR_NULL until it is written */
    const json *entry;  /* of the metadata */
} work;

static puffin_blob *make_blob(const work *w, const ice_column_statistics *column,
                              int64_t sequence_number)
{
    puffin_blob *blob = ARENA_NEW(w->memory, puffin_blob);
    puffin_property *ndv = ARENA_NEW(w->memory, puffin_property);
    int32_t *field = ARENA_NEW(w->memory, int32_t);

    *field = column->field_id;
    *ndv = (puffin_property){.key = STR("ndv"),
                             .value = str_printf(w->memory, "%lld", (long long)column->ndv)};
    *blob = (puffin_blob){.type = STR(BLOB_TYPE),
                          .fields = field,
                          .field_count = 1,
                          .snapshot_id = w->given->snapshot_id,
                          .sequence_number = sequence_number,
                          .properties = ndv,
                          .property_count = 1};
    return blob;
}

static void put_blob(json_writer *w, const puffin_blob *blob)
{
    json_begin_object(w);
    json_member_c(w, "type", BLOB_TYPE);
    json_member_int(w, "snapshot-id", blob->snapshot_id);
    json_member_int(w, "sequence-number", blob->sequence_number);
    json_key(w, "fields");
    json_begin_array(w);
    json_put_int(w, blob->fields[0]);
    json_end_array(w);
    json_key(w, "properties");
    json_begin_object(w);
    json_member_str(w, "ndv", blob->properties[0].value);
    json_end_object(w);
    json_end_object(w);
}

/* The footer is everything behind the blobs, its magic bytes included. */
static status make_entry(work *w, const puffin_writer *file, size_t footer_at, error *err)
{
    buf *text = buf_in(w->memory, LIMIT_METADATA_FILE);
    json_writer out;

    json_writer_init(&out, text);
    json_begin_object(&out);
    json_member_int(&out, "snapshot-id", w->given->snapshot_id);
    json_member_str(&out, "statistics-path", w->location);
    json_member_int(&out, "file-size-in-bytes", (int64_t)file->out->size);
    json_member_int(&out, "file-footer-size-in-bytes", (int64_t)(file->out->size - footer_at));
    json_key(&out, "blob-metadata");
    json_begin_array(&out);
    for (size_t i = 0; i < file->blobs.count; i++) {
        put_blob(&out, &file->blobs.items[i]);
    }
    json_end_array(&out);
    json_end_object(&out);
    TRY(buf_check(text, "the statistics", err));
    return json_parse(buf_str(text), w->memory, &w->entry, err);
}

static status make_file(work *w, const ice_metadata *m, int64_t sequence_number, error *err)
{
    const puffin_property creator = {.key = STR("created-by"), .value = STR("tarn")};
    buf *bytes = buf_in(w->memory, LIMIT_METADATA_FILE);
    puffin_writer file;

    puffin_begin(&file, bytes, w->memory);
    for (size_t i = 0; i < w->given->column_count; i++) {
        const ice_column_statistics *column = &w->given->columns[i];
        TRY(puffin_add(&file, make_blob(w, column, sequence_number), column->sketch,
                       COMPRESSION_NONE, NULL, NULL, err));
    }
    size_t footer_at = bytes->size;
    TRY(puffin_finish(&file, &creator, 1, false, err));
    str prefix = str_printf(w->memory, "%lld-", (long long)w->given->snapshot_id);
    w->location = ice__metadata_object(m, str_to_c(w->memory, prefix), ".stats", w->memory);
    TRY(make_entry(w, &file, footer_at, err));
    store_stage_request request = {.location = w->location,
                                   .content_type = STR("application/octet-stream"),
                                   .bytes = buf_str(bytes)};
    ice__kept_add(w->memory, &w->kept, &request);
    return STATUS_OK;
}

static status build(void *context, ice__change *c, error *err)
{
    work *w = context;
    ice_builder *b = ice_builder_create(c->base, c->memory);
    const ice_snapshot *s = ice_metadata_snapshot_by_id(c->base, w->given->snapshot_id);

    if (s == NULL) {
        return error_set(err, STATUS_NO_SNAPSHOT, "snapshot %lld does not exist any more",
                         (long long)w->given->snapshot_id);
    }
    if (w->kept.count == 0) {
        TRY(make_file(w, c->base, s->sequence_number, err));
    }
    TRY(ice__builder_renew_statistics(b, w->entry, err));
    TRY(ice__builder_finish(b, c->base_location, err));
    ice__metadata_assign(&c->next, &b->now);
    c->obsolete = b->obsolete;
    vec_push(c->memory, &c->kept, &w->kept);
    return STATUS_OK;
}

static void done(void *context, const ice__change *c, const ice_metadata *now, int attempt)
{
    (void)context;
    (void)c;
    (void)now;
    (void)attempt;
}

status ice_commit_statistics(const ice_committer *committer, const ice_statistics *statistics,
                             arena *a, str *ret_location, error *err)
{
    work w = {.given = statistics, .memory = a, .location = STR_NULL};
    ice__work steps = {.build = build, .done = done, .context = &w};
    status s = ice__commit_work(committer, &steps, err);

    if (s != STATUS_OK) {
        ice__kept_discard(committer->storage, &w.kept);
        return s;
    }
    if (err != NULL) {
        error_clear(err); /* of the attempts before */
    }
    *ret_location = w.location;
    return STATUS_OK;
}

/* ---- reading ---- */

static int64_t ndv_of(const json *entry, int32_t field_id)
{
    const json *blobs = json_get(entry, "blob-metadata");

    for (size_t i = 0; i < json_count(blobs); i++) {
        const json *blob = json_at(blobs, i), *fields = json_get(blob, "fields");
        int64_t ndv;
        if (str_equal(json_str_or(json_get(blob, "type"), STR("")), STR(BLOB_TYPE)) &&
            json_count(fields) == 1 && json_int64_or(json_at(fields, 0), -1) == field_id &&
            str_to_int64(json_str_or(json_get(json_get(blob, "properties"), "ndv"), STR("")), &ndv,
                         NULL) == STATUS_OK) {
            return ndv;
        }
    }
    return -1;
}

int64_t ice_statistics_ndv(const ice_metadata *m, int64_t snapshot_id, int32_t field_id, arena *a)
{
    const json *list = NULL;

    for (size_t i = 0; i < m->unknown_count; i++) {
        if (str_equal(m->unknown[i].key, STR("statistics")) &&
            json_parse(m->unknown[i].value, a, &list, NULL) != STATUS_OK) {
            return -1;
        }
    }
    for (size_t i = 0; i < json_count(list); i++) {
        const json *entry = json_at(list, i);
        if (json_int64_or(json_get(entry, "snapshot-id"), ICE_NO_SNAPSHOT) == snapshot_id) {
            return ndv_of(entry, field_id);
        }
    }
    return -1;
}

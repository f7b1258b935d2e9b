/* Metadata tables of manifests, from manifest lists alone. */
#include "run/metadata_tables.h"
#include "tarn/base/limits.h"

static void put_bound(metadata_rows *t, const char *key, const ice_partition_field *field,
                      const ice_type *type, str bytes, arena *a)
{
    ice_value value;
    buf *text = buf_in(a, LIMIT_MIB);
    if (str_is_null(bytes) || ice_value_decode(type, bytes, &value, NULL) != STATUS_OK) {
        json_member_null(&t->w, key);
        return;
    }
    ice_transform_format(&field->transform, &value, text);
    json_member_str(&t->w, key, buf_str(text));
}

static void put_summaries(metadata_rows *t, const ice_manifest *manifest, arena *a)
{
    const ice_spec *spec = ice_metadata_spec_by_id(t->m, manifest->spec_id);
    const ice_type *types = spec != NULL ? ice_metadata_spec_type(t->m, spec, a) : NULL;
    size_t count = spec == NULL || manifest->partitions == NULL    ? 0
                   : manifest->partition_count < spec->field_count ? manifest->partition_count
                                                                   : spec->field_count;

    json_key(&t->w, "partition_summaries");
    json_begin_array(&t->w);
    for (size_t i = 0; i < count; i++) {
        const ice_field_summary *summary = &manifest->partitions[i];
        const ice_type *type = types->fields[i].type;
        json_begin_object(&t->w);
        json_member_bool(&t->w, "contains_null", summary->contains_null);
        if (summary->contains_nan < 0) {
            json_member_null(&t->w, "contains_nan");
        } else {
            json_member_bool(&t->w, "contains_nan", summary->contains_nan != 0);
        }
        put_bound(t, "lower_bound", &spec->fields[i], type, summary->lower, a);
        put_bound(t, "upper_bound", &spec->fields[i], type, summary->upper, a);
        json_end_object(&t->w);
    }
    json_end_array(&t->w);
}

static const char *const count_names[2][3] = {
    {"added_data_files_count", "existing_data_files_count", "deleted_data_files_count"},
    {"added_delete_files_count", "existing_delete_files_count", "deleted_delete_files_count"},
};

static status put_manifest(metadata_rows *t, const metadata_manifest *one, bool all, arena *a,
                           error *err)
{
    const ice_manifest *manifest = one->manifest;
    const int32_t counts[3] = {manifest->added_files, manifest->existing_files,
                               manifest->deleted_files};

    metadata_begin_row(t);
    json_member_int(&t->w, "content", manifest->deletes ? 1 : 0);
    json_member_str(&t->w, "path", manifest->path);
    json_member_int(&t->w, "length", manifest->length_bytes);
    metadata_put_number(t, "partition_spec_id", manifest->spec_id, manifest->spec_id < 0);
    json_member_int(&t->w, "added_snapshot_id", manifest->added_snapshot_id);
    for (size_t kind = 0; kind < 2; kind++) {
        bool theirs = (kind == 1) == manifest->deletes;
        for (size_t i = 0; i < 3; i++) {
            metadata_put_number(t, count_names[kind][i], theirs ? counts[i] : 0,
                                theirs && counts[i] < 0);
        }
    }
    put_summaries(t, manifest, a);
    if (all) {
        json_member_int(&t->w, "reference_snapshot_id", one->snapshot_id);
        json_key(&t->w, "key_metadata");
        metadata_put_hex(&t->w, manifest->key_metadata);
    }
    return metadata_end_row(t, err);
}

status metadata_manifest_rows(metadata_rows *t, int variant, error *err)
{
    bool all = (variant & METADATA_ALL) != 0;
    metadata_manifest *list;
    size_t count;

    metadata_column(t, "content", "INTEGER");
    metadata_column(t, "path", "VARCHAR");
    metadata_column(t, "length", "BIGINT");
    metadata_column(t, "partition_spec_id", "INTEGER");
    metadata_column(t, "added_snapshot_id", "BIGINT");
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < 3; i++) {
            metadata_column(t, count_names[kind][i], "INTEGER");
        }
    }
    metadata_column(t, "partition_summaries",
                    "STRUCT(contains_null BOOLEAN, contains_nan BOOLEAN, lower_bound VARCHAR, "
                    "upper_bound VARCHAR)[]");
    if (all) {
        metadata_column(t, "reference_snapshot_id", "BIGINT");
        metadata_column_as(t, "key_metadata", STR("VARCHAR"), STR("unhex(key_metadata)"));
    }
    TRY(metadata_manifests(t, all, true, t->q->a, &list, &count, err));
    for (size_t i = 0; i < count; i++) {
        arena *a = arena_child(t->q->a);
        status result = put_manifest(t, &list[i], all, a, err);
        arena_free(a);
        TRY(result);
    }
    return STATUS_OK;
}

/* fit.c: do rows that were written for one state of a table still fit its present one: the same table, by field id
 * readable, nothing required missing, partition specs known. */
#include "change.h"

#include "tarn/iceberg/scan.h"

/* Rows written with `written` can be read as `current`: by field id, with nothing required missing. */
static status check_types(const ice_type *written, const ice_type *current, error *err)
{
    for (size_t i = 0; i < current->field_count; i++) {
        const ice_field *now = &current->fields[i];
        const ice_field *then = NULL;

        for (size_t k = 0; k < written->field_count; k++) {
            then = written->fields[k].id == now->id ? &written->fields[k] : then;
        }
        if (then == NULL && now->required && now->initial_default == NULL) {
            return error_set(err, STATUS_CONFLICT,
                             "the table now requires column \"%.*s\", which the rows lack",
                             STR_ARG(now->name));
        }
        if (then == NULL) {
            continue;
        }
        if (now->required && !then->required) {
            return error_set(err, STATUS_CONFLICT,
                             "column \"%.*s\" became required since the rows were written",
                             STR_ARG(now->name));
        }
        if (ice_kind_is_nested(now->type->kind) && now->type->kind == then->type->kind) {
            TRY(check_types(then->type, now->type, err));
        } else if (!ice_type_equal(now->type, then->type) &&
                   !ice__can_widen(then->type, now->type)) {
            return error_set(err, STATUS_CONFLICT,
                             "column \"%.*s\" changed its type since the rows were written",
                             STR_ARG(now->name));
        }
    }
    return STATUS_OK;
}

static status check_files(const ice__written *w, const ice_metadata *m, error *err)
{
    for (size_t i = 0; i < w->file_count; i++) {
        const ice_file *f = &w->files[i];
        const ice_spec *spec = ice_metadata_spec_by_id(m, f->spec_id);

        if (spec == NULL || f->partition_count != spec->field_count) {
            return error_set(err, spec == NULL ? STATUS_CONFLICT : STATUS_INVALID,
                             "file \"%.*s\" does not fit partition spec %d of the table",
                             STR_ARG(f->path), (int)f->spec_id);
        }
    }
    return STATUS_OK;
}

status ice__check_fit(const ice__written *w, const ice_metadata *m, error *err)
{
    const ice_schema *written = ice_metadata_schema_by_id(m, w->schema_id);
    const ice_schema *current = ice_metadata_schema(m);

    if (!str_is_null(w->table_uuid) && !str_equal_nocase(w->table_uuid, m->uuid)) {
        return error_set(err, STATUS_CONFLICT,
                         "the table was replaced by another since the rows were written");
    }
    if (written == NULL) {
        return error_set(err, STATUS_CONFLICT,
                         "the table has no schema %d, which the rows were written with",
                         (int)w->schema_id);
    }
    if (written != current) {
        TRY(check_types(written->root, current->root, err));
    }
    return check_files(w, m, err);
}

/* ---- specs that are to go ---- */

static bool goes(const ice_metadata *base, const ice_metadata *next, int32_t spec_id)
{
    return ice_metadata_spec_by_id(base, spec_id) != NULL &&
           ice_metadata_spec_by_id(next, spec_id) == NULL;
}

static status check_manifests(storage *st, const ice_metadata *base, const ice_metadata *next,
                              const ice_snapshot *s, arena *a, error *err)
{
    ice__manifest_list list;

    TRY(ice__list_load(st, next, s, a, &list, err));
    for (size_t i = 0; i < list.count; i++) {
        int32_t id = list.manifests[i].spec_id;

        if (id < 0) { /* in place: only the manifests themselves know */
            return error_set(err, STATUS_INVALID, "no list tells which specs snapshot %lld needs",
                             (long long)s->id);
        }
        if (goes(base, next, id)) {
            error_set(err, STATUS_INVALID,
                      "partition spec %d is that of files in snapshot %lld: it stays", (int)id,
                      (long long)s->id);
            error_hint(err, "Rewrite the files with the default spec, and expire the snapshots "
                            "that have them, first.");
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

status ice_check_removed_specs(storage *st, const ice_metadata *base, const ice_metadata *next,
                               error *err)
{
    bool any = false;
    status s = STATUS_OK;

    for (size_t i = 0; i < base->spec_count; i++) {
        any = any || goes(base, next, base->specs[i].id);
    }
    for (size_t i = 0; any && i < next->snapshot_count && s == STATUS_OK; i++) {
        arena *scratch = arena_create();

        s = check_manifests(st, base, next, &next->snapshots[i], scratch, err);
        arena_free(scratch);
    }
    if (s == STATUS_CORRUPT || s == STATUS_NOT_FOUND) { /* nobody can say what needs them */
        s = STATUS_INVALID;
    }
    if (s != STATUS_OK && err != NULL) {
        err->kind = s;
        error_context(err, "partition specs cannot be removed");
    }
    return s;
}

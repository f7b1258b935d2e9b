/* fit.c: do rows that were written for one state of a table still fit its present one: the same table, by field id
 * readable, nothing required missing, partition specs known. */
#include "change.h"

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

/* CREATE OR REPLACE TABLE: another table in the place of one that is there, in one commit. The commit of the rows goes
 * on metadata that was replaced in memory; it is the table's own committer that makes both visible. */
#include "internal.h"

#include "tarn/iceberg/evolve.h"

typedef struct replacement {
    const catalog_create *options;
    ice_committer own; /* the table's */
} replacement;

static status replaced(const ice_create *table, const ice_metadata *base,
                       ice_metadata **ret_metadata, error *err)
{
    arena *a = arena_create();
    ice_builder *b = ice_builder_create(base, a);
    status result = ice_builder_replace_table(b, table, err);

    if (result == STATUS_OK) {
        result = ice_builder_build(b, STR_NULL, ret_metadata, err);
    }
    arena_free(a);
    return result;
}

/* Rows were written for the table as it was planned, and into its place: whoever changed it since then came first, all
 * the more who made or dropped it. */
static status check_planned(const ice_metadata *planned, const ice_metadata *now, error *err)
{
    bool same =
        planned == NULL ||
        (str_equal(planned->uuid, now->uuid) && str_equal(planned->location, now->location) &&
         ice_schema_equal(ice_metadata_schema(planned), ice_metadata_schema(now)) &&
         planned->current_schema_id == now->current_schema_id &&
         planned->default_spec_id == now->default_spec_id);

    return same ? STATUS_OK
                : error_set(err, STATUS_CONFLICT, "the table was changed while it was replaced");
}

static status load(void *context, arena *a, ice_metadata **ret_metadata, str *ret_location,
                   error *err)
{
    replacement *r = context;
    ice_metadata *base = NULL;
    ice_metadata *next = NULL;
    str location;

    TRY(r->own.load(r->own.context, a, &base, &location, err));
    status result = replaced(&r->options->table, base, &next, err);
    ice_metadata_unref(base);
    TRY(result);
    result = check_planned(r->options->planned, next, err);
    if (result != STATUS_OK) {
        ice_metadata_unref(next);
        return result;
    }
    *ret_metadata = next;
    *ret_location = location;
    return STATUS_OK;
}

static status commit(void *context, str base_location, str new_location,
                     const ice_metadata *new_metadata, store_staged *const *staged,
                     size_t staged_count, const str *obsolete, size_t obsolete_count,
                     status (*extra)(void *extra_context, state_txn *txn, error *err),
                     void *extra_context, error *err)
{
    replacement *r = context;

    return r->own.commit(r->own.context, base_location, new_location, new_metadata, staged,
                         staged_count, obsolete, obsolete_count, extra, extra_context, err);
}

static status replace_whole(void *context, ice_builder *b, error *err)
{
    const replacement *r = context;

    return ice_builder_replace_table(b, &r->options->table, err);
}

status catalog__replace_table(catalog *c, const catalog_create *options, arena *a, error *err)
{
    replacement r = {.options = options};
    ice_commit_result ignored;

    TRY(catalog_committer(c, options->name, a, &r.own, err));
    if (options->append == NULL) {
        return ice_metadata_update(&r.own, replace_whole, &r, NULL, err);
    }
    ice_committer committer = r.own;
    committer.load = load;
    committer.commit = commit;
    committer.context = &r;
    return ice_commit_append(&committer, options->append, &ignored, err);
}

status catalog_plan_table(catalog *c, const catalog_create *options, arena *a,
                          ice_metadata **ret_metadata, bool *ret_there, error *err)
{
    ice_create table = options->table;
    ice_metadata *base = NULL;
    table_info info;

    if (options->replace) {
        error ignored = ERROR_INIT;
        status found = catalog_load_table(c, options->name, a, &base, &info, &ignored);

        if (found == STATUS_OK) {
            found = replaced(&table, base, ret_metadata, err);
            ice_metadata_unref(base);
            *ret_there = true;
            return found;
        }
        if (found != STATUS_NO_TABLE) {
            *err = ignored;
            return found;
        }
    }
    TRY(catalog_plan_location(c, options->name, options->table.location, a, &table.location, err));
    *ret_there = false;
    return ice_metadata_create(&table, ret_metadata, err);
}

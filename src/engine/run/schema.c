/* Schemas and tables made and dropped: CREATE SCHEMA, ALTER SCHEMA, DROP SCHEMA, CREATE TABLE, DROP TABLE. */
#include "run/run.h"
#include "run/table.h"
#include "tarn/base/limits.h"
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/request.h"

/* ---- schemas ---- */

static str joined(const statement_name *name, size_t from, arena *a)
{
    buf *text = buf_in(a, LIMIT_MIB);
    for (size_t i = from; i < name->count; i++) {
        buf_add_c(text, i > from ? "." : "");
        buf_add_str(text, name->parts[i]);
    }
    return buf_str(text);
}

static status create_schema(run *r, const statement *st, str space, arena *a, error *err)
{
    size_t count = st->property_count;
    catalog_property *properties = ARENA_ARRAY(a, catalog_property, count + 1);
    if (count > 0) {
        memcpy(properties, st->properties, count * sizeof(*properties));
    }
    if (!str_is_null(st->location)) {
        properties[count++] = (catalog_property){.key = STR("location"), .value = st->location};
    }
    TRY(run_check_access(r, ACTION_NAMESPACE_CREATE, space, STR(""), err));
    status result = catalog_create_namespace(r->catalog, space, properties, count, err);
    if (result == STATUS_EXISTS && st->if_exists) {
        error_clear(err);
        return STATUS_OK;
    }
    return result;
}

static status alter_schema(run *r, const statement *st, str space, arena *a, error *err)
{
    const catalog_property location = {.key = STR("location"), .value = st->location};
    str *keys = ARENA_ARRAY(a, str, st->property_count + 1);
    catalog_property_change change = {.set = st->properties, .set_count = st->property_count};
    catalog_property_result ignored;

    for (size_t i = 0; i < st->property_count; i++) {
        keys[i] = st->properties[i].key;
    }
    if (st->unset) {
        change = (catalog_property_change){.removed = keys, .removed_count = st->property_count};
    } else if (!str_is_null(st->location)) {
        change = (catalog_property_change){.set = &location, .set_count = 1};
    }
    TRY(run_check_access(r, ACTION_NAMESPACE_CREATE, space, STR(""), err));
    status result = catalog_change_namespace(r->catalog, space, &change, a, &ignored, err);
    if (result == STATUS_NO_NAMESPACE && st->if_exists) {
        error_clear(err);
        return STATUS_OK;
    }
    return result;
}

static status drop_schema(run *r, const statement *st, str space, error *err)
{
    TRY(run_check_access(r, ACTION_NAMESPACE_DROP, space, STR(""), err));
    if (st->cascade) {
        TRY(run_check_access(r, ACTION_TABLE_DROP, space, STR(""), err));
    }
    status result = catalog_drop_namespace(r->catalog, space, st->cascade, err);
    if (result == STATUS_NO_NAMESPACE && st->if_exists) {
        error_clear(err);
        return STATUS_OK;
    }
    if (result == STATUS_NOT_EMPTY && !st->cascade && err != NULL && err->hint[0] == '\0') {
        error_hint(err, "DROP SCHEMA … CASCADE drops its tables too.");
    }
    return result;
}

status run_schema(run *r, const statement *st, bool last, arena *a, error *err)
{
    bool warehouse =
        st->name.count > 1 && str_equal_nocase(st->name.parts[0], catalog_warehouse(r->catalog));
    str space = joined(&st->name, warehouse ? 1 : 0, a);
    status result = st->kind == STATEMENT_CREATE_SCHEMA  ? create_schema(r, st, space, a, err)
                    : st->kind == STATEMENT_ALTER_SCHEMA ? alter_schema(r, st, space, a, err)
                                                         : drop_schema(r, st, space, err);
    TRY(run_at(result, st->name.position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- CREATE TABLE ---- */

static void unref_metadata(void *metadata)
{
    ice_metadata_unref(metadata);
}

status table_options(const statement *st, const ice_type *root, arena *a, ice_create *ret_create,
                     error *err)
{
    ice_property *properties = ARENA_ARRAY(a, ice_property, st->property_count + 1);
    size_t count = st->property_count;
    for (size_t i = 0; i < st->property_count; i++) {
        properties[i] =
            (ice_property){.key = st->properties[i].key, .value = st->properties[i].value};
        TRY(run_at(ice_property_check(properties[i].key, properties[i].value, err), st->position,
                   err));
    }
    if (!str_is_null(st->comment)) {
        properties[count++] = (ice_property){.key = STR("comment"), .value = st->comment};
    }
    *ret_create = (ice_create){
        .location = st->location,
        .root = root,
        .partition_sql = st->partition_sql,
        .properties = properties,
        .property_count = count,
        .format_version = st->format_version,
    };
    return STATUS_OK;
}

status table_place_error(const statement *st, status result, error *err)
{
    if (result == STATUS_OK || err == NULL) {
        return result;
    }
    /* A position can only come from the text of PARTITIONED BY. */
    if (err->position != ERROR_NO_POSITION && st->partition_sql.size > 0) {
        err->position += (int)st->partition_position;
        return result;
    }
    return run_at(result, st->name.position, err);
}

const ice_type *table_root(const ice_field *fields, size_t count, arena *a)
{
    ice_type *root = ARENA_NEW(a, ice_type);
    *root = (ice_type){.kind = ICE_STRUCT, .fields = fields, .field_count = count};
    return root;
}

status table_may_replace(const run *r, const statement *st, table_name name, error *err)
{
    TRY(run_check_access(r, ACTION_TABLE_DROP, name.space, name.table, err));
    return str_is_null(st->location)
               ? STATUS_OK
               : run_at(error_set(
                            err, STATUS_INVALID,
                            "table \"%.*s.%.*s\" is replaced where it lies: it takes no location",
                            STR_ARG(name.space), STR_ARG(name.table)),
                        st->name.position, err);
}

/* Columns with all that belongs to them, and partitioning, of the table that the new one is to be like. */
static status define_like(run *r, const statement *st, arena *a, ice_create *ret_create, error *err)
{
    table_name name;
    ice_metadata *m;
    table_info info;
    buf *partitions = buf_in(a, LIMIT_MIB);
    status result =
        catalog_resolve(r->catalog, st->like.parts, st->like.count, r->space, a, &name, err);
    TRY(run_at(result, st->like.position, err));
    TRY(run_check_access(r, ACTION_TABLE_READ, name.space, name.table, err));
    TRY(catalog_load_table(r->catalog, name, a, &m, &info, err));
    arena_defer(a, unref_metadata, m);
    TRY(table_options(st, ice_metadata_schema(m)->root, a, ret_create, err));
    ice_property *properties =
        ARENA_ARRAY(a, ice_property, ret_create->property_count + m->property_count + 1);
    size_t count = 0;
    for (size_t i = 0; st->like_properties && i < m->property_count; i++) {
        properties[count++] = m->properties[i];
    }
    for (size_t i = 0; i < ret_create->property_count; i++) { /* what is given goes before */
        size_t at = 0;
        while (at < count && !str_equal(properties[at].key, ret_create->properties[i].key)) {
            at++;
        }
        properties[at] = ret_create->properties[i];
        count += at == count ? 1 : 0;
    }
    ret_create->properties = properties;
    ret_create->property_count = count;
    ret_create->like = m;
    if (ret_create->format_version == 0) {
        ret_create->format_version = m->format_version;
    }
    if (ret_create->partition_sql.size == 0) {
        table_put_partitioning(partitions, ice_metadata_spec(m), ice_metadata_schema(m), a);
        ret_create->partition_sql = buf_str(partitions);
    }
    return STATUS_OK;
}

static status define_columns(run *r, const statement *st, arena *a, ice_create *ret_create,
                             error *err)
{
    ice_field *fields;
    TRY(run_judge(r, st, a, err));
    TRY(table_columns(r, st->columns, st->column_count, a, &fields, err));
    return table_options(st, table_root(fields, st->column_count, a), a, ret_create, err);
}

status run_create_table(run *r, const statement *st, bool last, arena *a, error *err)
{
    catalog_create options = {.if_not_exists = st->if_exists, .replace = st->replace};
    catalog *c = r->catalog;
    bool created;
    status result =
        catalog_resolve_new(c, st->name.parts, st->name.count, r->space, a, &options.name, err);
    TRY(run_at(result, st->name.position, err));
    TRY(run_at(table_check_places(r, st->properties, st->property_count, err), st->position, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, options.name.space, options.name.table, err));
    if (st->replace && catalog_resolve(c, st->name.parts, st->name.count, r->space, a,
                                       &options.name, NULL) == STATUS_OK) {
        TRY(table_may_replace(r, st, options.name, err));
    }
    TRY(st->like.count > 0 ? define_like(r, st, a, &options.table, err)
                           : define_columns(r, st, a, &options.table, err));
    TRY(table_place_error(st, catalog_create_table(c, &options, &created, err), err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- DROP TABLE ---- */

/* All names are looked up before the first table goes. */
status run_drop_table(run *r, const statement *st, bool last, arena *a, error *err)
{
    table_name *names = ARENA_ARRAY(a, table_name, st->other_count + 1);
    size_t count = 0;
    catalog *c = r->catalog;
    bool dropped;
    for (size_t i = 0; i <= st->other_count; i++) {
        const statement_name *written = i == 0 ? &st->name : &st->others[i - 1];
        status result =
            catalog_resolve(c, written->parts, written->count, r->space, a, &names[count], err);
        if (st->if_exists && (result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE)) {
            error_clear(err);
            continue;
        }
        TRY(run_at(result, written->position, err));
        TRY(run_check_access(r, ACTION_TABLE_DROP, names[count].space, names[count].table, err));
        count++;
    }
    for (size_t i = 0; i < count; i++) { /* another name for one that just went is no mistake */
        bool missing_is_fine = st->if_exists || i > 0;
        status result = st->purge ? catalog_purge_table(c, names[i], missing_is_fine, &dropped, err)
                                  : catalog_drop_table(c, names[i], missing_is_fine, &dropped, err);
        TRY(run_at(result, st->name.position, err));
    }
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

/* ---- UNDROP TABLE ---- */

/* What the name says of a table that is not there: its namespace may be gone, too. */
static table_name dropped_name(const run *r, const statement_name *written, arena *a)
{
    bool warehouse =
        written->count > 2 && str_equal_nocase(written->parts[0], catalog_warehouse(r->catalog));
    statement_name space = *written;

    space.count--;
    return (table_name){.space =
                            written->count == 1 ? r->space : joined(&space, warehouse ? 1 : 0, a),
                        .table = written->parts[written->count - 1]};
}

status run_undrop_table(run *r, const statement *st, bool last, arena *a, error *err)
{
    table_name name = dropped_name(r, &st->name, a);
    table_name as = name;

    if (st->other_count > 0) {
        TRY(run_at(catalog_resolve_new(r->catalog, st->others[0].parts, st->others[0].count,
                                       st->others[0].count == 1 ? name.space : r->space, a, &as,
                                       err),
                   st->others[0].position, err));
    }
    TRY(run_check_access(r, ACTION_TABLE_DROP, name.space, name.table, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, as.space, as.table, err));
    TRY(run_at(catalog_undrop_table(r->catalog, name, STR_NULL, as, err), st->name.position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

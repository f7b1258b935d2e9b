/* ALTER TABLE and COMMENT ON: the statement's changes, one after the other, on the newest metadata, as one commit. What
 * needs a worker (types and constants) is asked for before, once. */
#include "run/table.h"

typedef struct alteration {
    run *r;
    const statement *st;
    arena *a;
    /* per change: the type of ADD COLUMN and TYPE, and the constant of SET DEFAULT */
    const ice_field **fields;
    const json **defaults;
} alteration;

static ice_path path_of(const statement_name *name)
{
    return (ice_path){.parts = name->parts, .count = name->count};
}

/* ---- one change each ---- */

static const ice_field *field_named(const ice_type *type, str name)
{
    for (size_t i = 0; i < type->field_count; i++) {
        if (str_equal_nocase(type->fields[i].name, name)) {
            return &type->fields[i];
        }
    }
    return NULL;
}

/* A field of the values of a list or map is added by the path that every other change of it takes. */
static status check_parent(const statement_name *path, ice_builder *b, error *err)
{
    const ice_type *type = ice_metadata_schema(ice_builder_now(b))->root;
    const ice_field *field = NULL;

    for (size_t i = 0; i + 1 < path->count; i++) {
        field = field_named(type, path->parts[i]);
        if (field == NULL) {
            return STATUS_OK; /* the builder says so */
        }
        type = field->type;
    }
    if (type->kind != ICE_LIST && type->kind != ICE_MAP) {
        return STATUS_OK;
    }
    error_set(err, STATUS_NO_COLUMN, "column \"%.*s\" has no fields of its own: it is %s",
              STR_ARG(path->parts[path->count - 2]), ice_kind_name(type->kind));
    error_hint(err, "Its values are called \"%s\": %.*s.%s.%.*s.",
               type->kind == ICE_LIST ? "element" : "value", STR_ARG(path->parts[path->count - 2]),
               type->kind == ICE_LIST ? "element" : "value", STR_ARG(path->parts[path->count - 1]));
    return STATUS_NO_COLUMN;
}

static status add_column(const alteration *t, size_t i, ice_builder *b, error *err)
{
    const statement_change *c = &t->st->changes[i];
    const ice_field *field = t->fields[i];
    TRY(check_parent(&c->path, b, err));
    ice_add_column column = {
        .parent = {.parts = c->path.parts, .count = c->path.count - 1},
        .name = field->name,
        .type = field->type,
        .required = field->required,
        .doc = field->doc,
        .default_value = field->initial_default,
        .place = c->place,
        .beside = c->beside,
        .if_not_exists = c->if_exists,
    };
    return ice_builder_add_column(b, &column, err);
}

static status set_properties(const alteration *t, const statement_change *c, ice_builder *b,
                             error *err)
{
    if (c->kind == CHANGE_SET_PROPERTIES) {
        TRY(table_check_places(t->r, c->properties, c->property_count, err));
    }
    for (size_t i = 0; i < c->property_count; i++) {
        if (c->kind == CHANGE_SET_PROPERTIES) {
            TRY(ice_builder_set_property(b, c->properties[i].key, c->properties[i].value, err));
        } else {
            ice_builder_remove_property(b, c->properties[i].key);
        }
    }
    return STATUS_OK;
}

static status set_identifier(const alteration *t, const statement_change *c, ice_builder *b,
                             error *err)
{
    ice_path *paths = ARENA_ARRAY(t->a, ice_path, c->path_count);
    for (size_t i = 0; i < c->path_count; i++) {
        paths[i] = path_of(&c->paths[i]);
    }
    return ice_builder_set_identifier(b, paths, c->path_count, err);
}

/* "a"."b" as the parts of a name. */
static ice_path split_path(str text, arena *a)
{
    str *parts = NULL;
    size_t count = 0;
    (void)catalog_split_name(text, a, &parts, &count, NULL);
    return (ice_path){.parts = parts, .count = count};
}

/* Those that stay: named by the ids, since two spellings may mean one column. */
static status drop_identifier(const alteration *t, const statement_change *c, ice_builder *b,
                              error *err)
{
    const ice_schema *schema = ice_metadata_schema(ice_builder_now(b));
    ice_path *kept = ARENA_ARRAY(t->a, ice_path, schema->identifier_count);
    bool *found = ARENA_ARRAY(t->a, bool, c->path_count);
    size_t count = 0;
    for (size_t i = 0; i < schema->identifier_count; i++) {
        str path = ice_schema_path(schema, schema->identifier_ids[i], t->a);
        bool drops = false;
        for (size_t k = 0; k < c->path_count; k++) {
            str wanted = STR("");
            for (size_t n = 0; n < c->paths[k].count; n++) {
                wanted = str_printf(t->a, "%.*s%s%.*s", STR_ARG(wanted), n > 0 ? "." : "",
                                    STR_ARG(c->paths[k].parts[n]));
            }
            bool same = str_equal_nocase(wanted, path);
            found[k] = found[k] || same;
            drops = drops || same;
        }
        if (!drops) {
            kept[count++] = split_path(path, t->a);
        }
    }
    for (size_t k = 0; k < c->path_count; k++) {
        if (!found[k]) {
            return error_set(err, STATUS_NO_COLUMN, "column \"%.*s\" is no identifier field",
                             STR_ARG(c->paths[k].parts[c->paths[k].count - 1]));
        }
    }
    return ice_builder_set_identifier(b, kept, count, err);
}

static status set_partitioning(const alteration *t, const statement_change *c, ice_builder *b,
                               error *err)
{
    int32_t next = 0;
    ice_spec spec;
    TRY(ice_spec_parse_sql(c->text, ice_metadata_schema(ice_builder_now(b)), &next, t->a, &spec,
                           err));
    return ice_builder_set_spec(b, &spec, err);
}

static status set_order(const alteration *t, const statement_change *c, ice_builder *b, error *err)
{
    ice_sort_order order;
    TRY(ice_sort_order_parse_sql(c->text, ice_metadata_schema(ice_builder_now(b)), t->a, &order,
                                 err));
    return ice_builder_set_order(b, &order, err);
}

static const ice_ref *find_ref(const ice_metadata *m, str name)
{
    for (size_t i = 0; i < m->ref_count; i++) {
        if (str_equal(m->refs[i].name, name)) {
            return &m->refs[i];
        }
    }
    return NULL;
}

static status set_ref(const statement_change *c, ice_builder *b, error *err)
{
    const ice_metadata *m = ice_builder_now(b);
    const ice_ref *known = find_ref(m, c->ref.name);
    ice_ref ref = c->ref;
    if (known != NULL && c->create && c->if_exists) {
        return STATUS_OK;
    }
    if (known != NULL && c->create && !c->replace) {
        return error_set(err, STATUS_EXISTS, "%s \"%.*s\" exists already",
                         known->is_tag ? "tag" : "branch", STR_ARG(ref.name));
    }
    if (known == NULL && !c->create) {
        return error_set(err, STATUS_NO_SNAPSHOT, "%s \"%.*s\" does not exist",
                         ref.is_tag ? "tag" : "branch", STR_ARG(ref.name));
    }
    if (!c->has_snapshot) {
        ref.snapshot_id = m->current_snapshot_id;
    }
    if (ref.snapshot_id == ICE_NO_SNAPSHOT) {
        error_set(err, STATUS_NO_SNAPSHOT, "the table has no snapshot yet");
        error_hint(err, "Insert rows first.");
        return STATUS_NO_SNAPSHOT;
    }
    return ice_builder_set_ref(b, &ref, err);
}

static status drop_ref(const statement_change *c, ice_builder *b, error *err)
{
    const ice_ref *known = find_ref(ice_builder_now(b), c->name);
    if (known == NULL && c->if_exists) {
        return STATUS_OK;
    }
    if (known != NULL && known->is_tag != c->ref.is_tag) {
        return error_set(err, STATUS_INVALID, "\"%.*s\" is a %s, not a %s", STR_ARG(c->name),
                         known->is_tag ? "tag" : "branch", c->ref.is_tag ? "tag" : "branch");
    }
    return ice_builder_remove_ref(b, c->name, err);
}

static status set_comment(const statement_change *c, ice_builder *b, error *err)
{
    if (str_is_null(c->text)) {
        ice_builder_remove_property(b, STR("comment"));
        return STATUS_OK;
    }
    return ice_builder_set_property(b, STR("comment"), c->text, err);
}

static status change_column(const alteration *t, size_t i, ice_builder *b, error *err)
{
    const statement_change *c = &t->st->changes[i];
    ice_path path = path_of(&c->path);
    switch (c->kind) {
    case CHANGE_ADD_COLUMN:
        return add_column(t, i, b, err);
    case CHANGE_DROP_COLUMN:
        return ice_builder_drop_column(b, path, c->if_exists, err);
    case CHANGE_RENAME_COLUMN:
        return ice_builder_rename_column(b, path, c->name, err);
    case CHANGE_MOVE_COLUMN:
        return ice_builder_move_column(b, path, c->place, c->beside, err);
    case CHANGE_COLUMN_TYPE:
        return ice_builder_widen_column(b, path, t->fields[i]->type, err);
    case CHANGE_SET_REQUIRED:
        return ice_builder_set_required(b, path, c->required, err);
    case CHANGE_COLUMN_COMMENT:
        return ice_builder_set_doc(b, path, c->text, err);
    default: /* SET DEFAULT, DROP DEFAULT */
        return ice_builder_set_default(b, path, t->defaults[i], err);
    }
}

static status change_one(const alteration *t, size_t i, ice_builder *b, error *err)
{
    const statement_change *c = &t->st->changes[i];
    switch (c->kind) {
    case CHANGE_TABLE_COMMENT:
        return set_comment(c, b, err);
    case CHANGE_SET_PROPERTIES:
    case CHANGE_UNSET_PROPERTIES:
        return set_properties(t, c, b, err);
    case CHANGE_SET_IDENTIFIER:
        return set_identifier(t, c, b, err);
    case CHANGE_DROP_IDENTIFIER:
        return drop_identifier(t, c, b, err);
    case CHANGE_ADD_PARTITION:
        return ice_builder_add_partition_field(b, c->text, err);
    case CHANGE_DROP_PARTITION:
        return ice_builder_drop_partition_field(b, c->text, err);
    case CHANGE_REPLACE_PARTITION:
        return ice_builder_replace_partition_field(b, c->text, c->with, err);
    case CHANGE_PARTITIONING:
        return set_partitioning(t, c, b, err);
    case CHANGE_ORDER:
        return set_order(t, c, b, err);
    case CHANGE_FORMAT_VERSION:
        return ice_builder_set_format_version(b, c->format_version, err);
    case CHANGE_SET_REF:
        return set_ref(c, b, err);
    case CHANGE_DROP_REF:
        return drop_ref(c, b, err);
    default:
        return change_column(t, i, b, err);
    }
}

/* Positions within the text of a partition field or order, as ones of the script. */
static status place_error(const statement_change *c, status result, error *err)
{
    if (result == STATUS_OK || err == NULL) {
        return result;
    }
    if (err->position != ERROR_NO_POSITION) {
        err->position +=
            (int)(c->kind == CHANGE_REPLACE_PARTITION ? c->with_position : c->text_position);
        return result;
    }
    return run_at(result, c->position, err);
}

static status change_all(void *context, ice_builder *b, error *err)
{
    const alteration *t = context;
    for (size_t i = 0; i < t->st->change_count; i++) {
        TRY(place_error(&t->st->changes[i], change_one(t, i, b, err), err));
    }
    return STATUS_OK;
}

/* ---- what needs a worker ---- */

static status column_of(const ice_metadata *m, const statement_change *c,
                        const ice_field **ret_field, error *err)
{
    const ice_type *type = ice_metadata_schema(m)->root;
    const ice_field *field = NULL;
    for (size_t i = 0; i < c->path.count; i++) {
        ice_schema level = {.root = type};
        field = ice_schema_column(&level, c->path.parts[i]);
        if (field == NULL) {
            return error_set(err, STATUS_NO_COLUMN, "there is no column \"%.*s\"",
                             STR_ARG(c->path.parts[i]));
        }
        type = field->type;
    }
    *ret_field = field;
    return STATUS_OK;
}

static status prepare(alteration *t, const ice_metadata *m, error *err)
{
    t->fields = ARENA_ARRAY(t->a, const ice_field *, t->st->change_count);
    t->defaults = ARENA_ARRAY(t->a, const json *, t->st->change_count);
    for (size_t i = 0; i < t->st->change_count; i++) {
        const statement_change *c = &t->st->changes[i];
        if (c->kind == CHANGE_ADD_COLUMN || c->kind == CHANGE_COLUMN_TYPE) {
            ice_field *fields;
            TRY(table_columns(t->r, &c->column, 1, t->a, &fields, err));
            t->fields[i] = fields;
        } else if (c->kind == CHANGE_SET_DEFAULT) {
            const ice_field *field;
            TRY(run_at(column_of(m, c, &field, err), c->position, err));
            TRY(table_default(t->r, c->column.fallback, field->type, field->name, t->a,
                              &t->defaults[i], err));
        }
    }
    return STATUS_OK;
}

/* ---- the statement ---- */

static status rename_table(run *r, const statement *st, const table_name *name, arena *a,
                           error *err)
{
    const statement_name *wanted = &st->changes[0].to;
    table_name to;
    status result = catalog_resolve_new(r->catalog, wanted->parts, wanted->count,
                                        wanted->count == 1 ? name->space : r->space, a, &to, err);
    TRY(run_at(result, st->changes[0].position, err));
    TRY(run_check_access(r, ACTION_TABLE_CREATE, to.space, to.table, err));
    TRY(run_check_access(r, ACTION_TABLE_DROP, name->space, name->table, err));
    return run_at(catalog_rename_table(r->catalog, *name, to, err), st->changes[0].position, err);
}

static status alter(run *r, const statement *st, const table_name *name, arena *a, error *err)
{
    alteration t = {.r = r, .st = st, .a = a};
    catalog *c = r->catalog;
    ice_committer committer;
    ice_metadata *m;
    table_info info;
    if (st->changes[0].kind == CHANGE_RENAME_TABLE) {
        return rename_table(r, st, name, a, err);
    }
    TRY(catalog_load_table(c, *name, a, &m, &info, err));
    status result = prepare(&t, m, err);
    ice_metadata_unref(m);
    TRY(result);
    TRY(catalog_committer(c, *name, a, &committer, err));
    return ice_metadata_update(&committer, change_all, &t, NULL, err);
}

status run_alter(run *r, const statement *st, bool last, arena *a, error *err)
{
    table_name name;
    status result =
        catalog_resolve(r->catalog, st->name.parts, st->name.count, r->space, a, &name, err);
    if (st->if_exists && (result == STATUS_NO_TABLE || result == STATUS_NO_NAMESPACE)) {
        error_clear(err);
        return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
    }
    TRY(run_at(result, st->name.position, err));
    TRY(run_check_access(r, ACTION_TABLE_ALTER, name.space, name.table, err));
    TRY(run_at(alter(r, st, &name, a, err), st->name.position, err));
    return run_changed(r, last, 0, ICE_NO_SNAPSHOT, err);
}

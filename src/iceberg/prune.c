/* prune.c: a filter against what is known of a manifest and of a file: partition values, counts, bounds.
 * What a single predicate says about a range is in project.c. */
#include "tarn/base/vec.h"

#include "internal.h"

/* --- trees --- */

const ice_expr *ice_expr_true(void)
{
    static const ice_expr always = {.kind = ICE_TRUE};

    return &always;
}

bool ice__expr_may_match(const ice_expr *e,
                         bool (*leaf)(void *context, const ice_expr *leaf,
                                      ice__verdict *ret_verdict),
                         void *context, ice__verdict *ret_verdict)
{
    switch (e->kind) {
    case ICE_TRUE:
        return true;
    case ICE_FALSE:
        *ret_verdict = (ice__verdict){.reason = ICE_SKIPPED_BOUNDS, .field_id = ICE_NO_ID};
        return false;
    case ICE_AND:
        for (size_t i = 0; i < e->child_count; i++) {
            if (!ice__expr_may_match(e->children[i], leaf, context, ret_verdict)) {
                return false;
            }
        }
        return true;
    case ICE_OR:
        for (size_t i = 0; i < e->child_count; i++) {
            if (ice__expr_may_match(e->children[i], leaf, context, ret_verdict)) {
                return true;
            }
        }
        return e->child_count == 0; /* an empty OR is not understood */
    default:
        return leaf(context, e, ret_verdict);
    }
}

/* --- filters --- */

typedef ice__filter_field column;

/* One spec's partition types, and where they come from. */
typedef struct spec_types {
    const ice_spec *spec;
    const ice_type *types;
} spec_types;

struct ice__filter {
    const ice_metadata *m;
    const ice_expr *expr;
    VEC(column) columns;
    const spec_types *specs;
    size_t spec_count;
    arena *memory;
};

static bool is_leaf(const ice_expr *e)
{
    return e->kind >= ICE_EQ;
}

const ice__filter_field *ice__filter_column(const ice__filter *f, int32_t id)
{
    for (size_t i = 0; i < f->columns.count; i++) {
        if (f->columns.items[i].field->id == id) {
            return &f->columns.items[i];
        }
    }
    return NULL;
}

static void collect_columns(ice__filter *f, const ice_expr *e)
{
    const ice_schema *schema = ice_metadata_schema(f->m);
    column c = {.field = NULL};

    for (size_t i = 0; !is_leaf(e) && i < e->child_count; i++) {
        collect_columns(f, e->children[i]);
    }
    if (!is_leaf(e) || ice__filter_column(f, e->field_id) != NULL) {
        return;
    }
    c.field = ice__metadata_field(f->m, e->field_id);
    for (size_t i = 0; i < schema->root->field_count; i++) {
        c.top_level = c.top_level || schema->root->fields[i].id == e->field_id;
    }
    if (c.field != NULL && !ice_kind_is_nested(c.field->type->kind)) {
        vec_push(f->memory, &f->columns, c);
    }
}

ice__filter *ice__filter_create(const ice_metadata *m, const ice_expr *expr, arena *a)
{
    ice__filter *f = ARENA_NEW(a, ice__filter);
    spec_types *specs = ARENA_ARRAY(a, spec_types, m->spec_count);

    f->m = m;
    f->expr = expr != NULL ? expr : ice_expr_true();
    f->memory = a;
    for (size_t i = 0; i < m->spec_count; i++) {
        specs[i] = (spec_types){.spec = &m->specs[i], .types = ice__spec_types(m, &m->specs[i], a)};
    }
    f->specs = specs;
    f->spec_count = m->spec_count;
    collect_columns(f, f->expr);
    return f;
}

static const spec_types *find_spec(const ice__filter *f, int32_t id)
{
    for (size_t i = 0; i < f->spec_count; i++) {
        if (f->specs[i].spec->id == id) {
            return &f->specs[i];
        }
    }
    return NULL;
}

/* --- manifests --- */

typedef struct manifest_check {
    const ice__filter *filter;
    const ice_manifest *manifest;
    const spec_types *spec;
} manifest_check;

static ice__range summary_range(const ice_field_summary *s, const ice_type *type)
{
    bool real = type->kind == ICE_FLOAT || type->kind == ICE_DOUBLE;
    ice__range r = {
        .may_null = s->contains_null, .may_value = true, .may_nan = real && s->contains_nan != 0};

    r.has_lower =
        !str_is_null(s->lower) && ice_value_decode(type, s->lower, &r.lower, NULL) == STATUS_OK;
    r.has_upper =
        !str_is_null(s->upper) && ice_value_decode(type, s->upper, &r.upper, NULL) == STATUS_OK;
    return r;
}

static bool manifest_leaf(void *context, const ice_expr *leaf, ice__verdict *ret_verdict)
{
    const manifest_check *c = context;
    const column *col = ice__filter_column(c->filter, leaf->field_id);
    const ice_spec *spec = c->spec->spec;

    for (size_t i = 0; col != NULL && i < spec->field_count && i < c->manifest->partition_count;
         i++) {
        ice__range range;

        if (spec->fields[i].source_id != leaf->field_id) {
            continue;
        }
        range = summary_range(&c->manifest->partitions[i], c->spec->types->fields[i].type);
        if (!ice__range_may_match(&range, &spec->fields[i].transform, col->field->type, leaf)) {
            *ret_verdict = (ice__verdict){.reason = ICE_SKIPPED_PARTITION_SUMMARY,
                                          .field_id = leaf->field_id,
                                          .name = spec->fields[i].name};
            return false;
        }
    }
    return true;
}

bool ice__manifest_may_match(const ice__filter *filter, const ice_manifest *manifest,
                             ice__verdict *ret_verdict)
{
    manifest_check c = {
        .filter = filter, .manifest = manifest, .spec = find_spec(filter, manifest->spec_id)};

    return c.spec == NULL || ice__expr_may_match(filter->expr, manifest_leaf, &c, ret_verdict);
}

/* --- files --- */

typedef struct file_check {
    const ice__filter *filter;
    const ice_file *file;
    const spec_types *spec;
} file_check;

static ice__range partition_range(const ice_value *v)
{
    bool nan = ice_value_is_nan(v);
    bool bounded = !v->is_null && !nan;

    return (ice__range){.has_lower = bounded,
                        .has_upper = bounded,
                        .lower = *v,
                        .upper = *v,
                        .may_null = v->is_null,
                        .may_value = !v->is_null,
                        .may_nan = nan,
                        .exact = true};
}

static bool partition_may_match(const file_check *c, const column *col, const ice_expr *leaf,
                                ice__verdict *ret_verdict)
{
    const ice_spec *spec = c->spec != NULL ? c->spec->spec : NULL;

    for (size_t i = 0; spec != NULL && i < spec->field_count && i < c->file->partition_count; i++) {
        ice__range range;

        if (spec->fields[i].source_id != leaf->field_id) {
            continue;
        }
        range = partition_range(&c->file->partition[i]);
        if (!ice__range_may_match(&range, &spec->fields[i].transform, col->field->type, leaf)) {
            *ret_verdict = (ice__verdict){.reason = ICE_SKIPPED_PARTITION,
                                          .field_id = leaf->field_id,
                                          .name = spec->fields[i].name};
            return false;
        }
    }
    return true;
}

/* The count of a column; -1 where it is not told. The arrays are sorted by field id. */
int64_t ice__find_count(const avro_int_long *items, size_t count, int32_t id)
{
    size_t low = 0;

    while (low < count) {
        size_t middle = low + (count - low) / 2;

        if (items[middle].key == id) {
            return items[middle].value;
        }
        if (items[middle].key < id) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return -1;
}

str ice__find_bound(const avro_int_bytes *items, size_t count, int32_t id)
{
    size_t low = 0;

    while (low < count) {
        size_t middle = low + (count - low) / 2;

        if (items[middle].key == id) {
            return items[middle].value;
        }
        if (items[middle].key < id) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return STR_NULL;
}

static ice__range column_range(const ice_file *f, const column *col)
{
    const ice_type *type = col->field->type;
    int32_t id = col->field->id;
    int64_t values = ice__find_count(f->value_counts, f->value_count_count, id);
    int64_t nulls = ice__find_count(f->null_counts, f->null_count_count, id);
    int64_t nans = ice__find_count(f->nan_counts, f->nan_count_count, id);
    str lower = ice__find_bound(f->lower_bounds, f->lower_bound_count, id);
    str upper = ice__find_bound(f->upper_bounds, f->upper_bound_count, id);
    bool real = type->kind == ICE_FLOAT || type->kind == ICE_DOUBLE;
    /* Writers disagree whether a null struct counts for the fields in it. */
    ice__range r = {.may_null = nulls != 0 || !col->top_level, .may_nan = real && nans != 0};

    if (values < 0 && col->top_level && nulls >= 0) {
        values = f->record_count;
    }
    r.may_value = values < 0 || nulls < 0 || nulls < values;
    /* A bound that cannot be read, NaN for one, is no bound. */
    r.has_lower = !str_is_null(lower) &&
                  ice_value_decode(type, lower, &r.lower, NULL) == STATUS_OK &&
                  !ice_value_is_nan(&r.lower);
    r.has_upper = !str_is_null(upper) &&
                  ice_value_decode(type, upper, &r.upper, NULL) == STATUS_OK &&
                  !ice_value_is_nan(&r.upper);
    return r;
}

static bool bounds_may_match(const file_check *c, const column *col, const ice_expr *leaf,
                             ice__verdict *ret_verdict)
{
    ice__range range = column_range(c->file, col);
    bool by_nulls = leaf->kind == ICE_IS_NULL || !range.may_value;

    if (ice__range_may_match(&range, ice__identity(), col->field->type, leaf)) {
        return true;
    }
    *ret_verdict = (ice__verdict){.reason = by_nulls ? ICE_SKIPPED_NULLS : ICE_SKIPPED_BOUNDS,
                                  .field_id = leaf->field_id};
    return false;
}

static bool file_leaf(void *context, const ice_expr *leaf, ice__verdict *ret_verdict)
{
    const file_check *c = context;
    const column *col = ice__filter_column(c->filter, leaf->field_id);

    return col == NULL || (partition_may_match(c, col, leaf, ret_verdict) &&
                           bounds_may_match(c, col, leaf, ret_verdict));
}

bool ice__file_may_match(const ice__filter *filter, const ice_file *file, ice__verdict *ret_verdict)
{
    file_check c = {.filter = filter, .file = file, .spec = find_spec(filter, file->spec_id)};

    if (file->record_count == 0) {
        *ret_verdict = (ice__verdict){.reason = ICE_SKIPPED_EMPTY, .field_id = ICE_NO_ID};
        return false;
    }
    return ice__expr_may_match(filter->expr, file_leaf, &c, ret_verdict);
}

const ice_expr *ice__filter_expr(const ice__filter *f)
{
    return f->expr;
}

const ice_spec *ice__filter_spec(const ice__filter *f, int32_t id)
{
    const spec_types *found = find_spec(f, id);

    return found != NULL ? found->spec : NULL;
}

/* Delete files have no bounds of the table's columns: their partition alone can rule them out. */
bool ice__partition_may_match(const ice__filter *filter, const ice_file *file)
{
    ice_file bare = {.path = file->path,
                     .partition = file->partition,
                     .partition_count = file->partition_count,
                     .spec_id = file->spec_id,
                     .record_count = 1};
    ice__verdict verdict;

    return ice__file_may_match(filter, &bare, &verdict);
}

bool ice_file_may_match(const ice_file *file, const ice_metadata *m, const ice_expr *filter,
                        ice_skip_reason *ret_reason, int32_t *ret_field_id)
{
    arena *a = arena_create();
    ice__verdict verdict = {.reason = ICE_KEPT, .field_id = ICE_NO_ID};
    bool may = ice__file_may_match(ice__filter_create(m, filter, a), file, &verdict);

    arena_free(a);
    *ret_reason = may ? ICE_KEPT : verdict.reason;
    *ret_field_id = may ? ICE_NO_ID : verdict.field_id;
    return may;
}

static const char *const reason_names[ICE_SKIP_REASON_COUNT] = {
    [ICE_KEPT] = "kept",
    [ICE_SKIPPED_PARTITION_SUMMARY] = "partition summary",
    [ICE_SKIPPED_PARTITION] = "partition",
    [ICE_SKIPPED_BOUNDS] = "bounds",
    [ICE_SKIPPED_NULLS] = "null counts",
    [ICE_SKIPPED_EMPTY] = "empty",
    [ICE_SKIPPED_LIMIT] = "limit",
};

const char *ice_skip_reason_name(ice_skip_reason reason)
{
    return reason_names[reason];
}

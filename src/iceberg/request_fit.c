/* request_fit.c: schemas that REST clients bring, held against the rows that stay: ids keep their meaning, types only
 * widen, nothing becomes required that rows may lack. It is looked at after all updates: what replaces a table begins
 * anew, under ids of old, and no row from before is left then, whether the request took "main" away, put a snapshot
 * without a parent there, or deleted all rows first, as the totals in a summary say. Where SQL moves "main" the same
 * is owed to the rows that it goes to.
 * Source: Iceberg specification, "Schema evolution", "Default values", "Partition evolution". */
#include "request_parts.h"

#include "tarn/base/limits.h"

/* A column as a schema has it. */
typedef struct kept {
    const ice_field *field;
    int32_t parent; /* id of what it lies in; 0: the row */
} kept;

static bool find_kept(const ice_type *type, int32_t parent, int32_t id, kept *ret_kept)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];

        if (field->id == id) {
            *ret_kept = (kept){.field = field, .parent = parent};
            return true;
        }
        if (find_kept(field->type, field->id, id, ret_kept)) {
            return true;
        }
    }
    return false;
}

/* ---- types ---- */

static str type_text(const ice_type *type, buf *out)
{
    ice_type_format(type, out);
    return buf_str(out);
}

/* Rows written as `from` can be read as `to`; what is in lists, maps and structs is compared by its own ids. */
static bool can_become(const ice_type *from, const ice_type *to, int version)
{
    if (ice_kind_is_nested(to->kind)) {
        return from->kind == to->kind;
    }
    if (from->kind == ICE_DATE && to->kind != ICE_DATE && version < 3) {
        return false;
    }
    return ice_type_equal(from, to) || ice__can_widen(from, to);
}

static status refuse_type(const ice_field *field, const ice_field *known, error *err)
{
    arena *scratch = arena_create();
    str now = type_text(field->type, buf_in(scratch, LIMIT_JSON_BODY));
    str before = type_text(known->type, buf_in(scratch, LIMIT_JSON_BODY));

    error_set(err, STATUS_INVALID,
              "column \"%.*s\" of type %.*s has the id %d of \"%.*s\", which is of type %.*s",
              STR_ARG(field->name), STR_ARG(now), (int)field->id, STR_ARG(known->name),
              STR_ARG(before));
    error_hint(err, "A type can only widen: int to long, float to double, decimal to more digits, "
                    "and in format version 3 date to timestamp. What replaces the table takes "
                    "\"main\" away first.");
    arena_free(scratch);
    return STATUS_INVALID;
}

static status check_type(const ice_metadata *m, const ice_field *field, const ice_field *known,
                         error *err)
{
    if (!can_become(known->type, field->type, m->format_version)) {
        return refuse_type(field, known, err);
    }
    return known->type->kind == field->type->kind
               ? STATUS_OK
               : ice__check_transforms(m, known, field->type->kind, field->name, err);
}

/* ---- what else a column keeps ---- */

static bool same_text(const json *x, const json *y, arena *a)
{
    const json *values[] = {x, y};
    str texts[2];

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        buf *out = buf_in(a, LIMIT_JSON_BODY);
        json_writer w;

        json_writer_init(&w, out);
        json_put_value(&w, values[i]);
        texts[i] = buf_str(out);
    }
    return str_equal(texts[0], texts[1]);
}

/* Null is none. */
static const json *initial(const ice_field *field)
{
    return json_kind_of(field->initial_default) == JSON_NULL ? NULL : field->initial_default;
}

/* What rows that lack a column are read with, for ever. */
static status check_initial(const ice_field *field, const ice_field *known, error *err)
{
    arena *scratch = arena_create();
    const json *now = initial(field);
    const json *before = initial(known);
    const json *wide = ice__default_widen(before, known->type, field->type, scratch);
    bool same = now == NULL || before == NULL ? now == before
                                              : same_text(now, before, scratch) ||
                                                    (wide != NULL && same_text(now, wide, scratch));

    arena_free(scratch);
    return same ? STATUS_OK
                : error_set(err, STATUS_INVALID,
                            "column \"%.*s\" has another \"initial-default\" than \"%.*s\", whose "
                            "id %d it has: it stays what it was when the column was added",
                            STR_ARG(field->name), STR_ARG(known->name), (int)field->id);
}

/* Keys of maps are what they are: another field in them, or another type, makes other keys equal. */
static bool same_key(const ice_type *x, const ice_type *y)
{
    bool same = x->kind == y->kind && x->field_count == y->field_count;

    if (!ice_kind_is_nested(x->kind)) {
        return ice_type_equal(x, y);
    }
    for (size_t i = 0; same && i < x->field_count; i++) {
        kept other;

        same = find_kept(y, 0, x->fields[i].id, &other) && other.parent == 0 &&
               same_key(x->fields[i].type, other.field->type);
    }
    return same;
}

/* `m`: the table as it will be. */
static status check_present(const ice_metadata *m, const ice_field *field, int32_t parent,
                            const kept *known, error *err)
{
    TRY(check_type(m, field, known->field, err));
    TRY(check_initial(field, known->field, err));
    if (known->parent != parent) {
        return error_set(err, STATUS_INVALID,
                         "column \"%.*s\" has the id %d of \"%.*s\", which lies elsewhere: a "
                         "column does not move out of what it lies in",
                         STR_ARG(field->name), (int)field->id, STR_ARG(known->field->name));
    }
    if (field->required && !known->field->required) {
        error_set(err, STATUS_INVALID,
                  "column \"%.*s\" cannot become required: rows that are there may lack it",
                  STR_ARG(field->name));
        error_hint(err, "Only a table without rows can be made stricter.");
        return STATUS_INVALID;
    }
    if (field->type->kind == ICE_MAP && known->field->type->kind == ICE_MAP &&
        !same_key(field->type->fields[0].type, known->field->type->fields[0].type)) {
        return error_set(err, STATUS_INVALID, "the keys of map \"%.*s\" cannot change",
                         STR_ARG(field->name));
    }
    return STATUS_OK;
}

/* What rows are read as, and what they were written as. */
typedef struct reading {
    const ice_metadata *m;     /* the table as it will be */
    const ice_schema *written; /* of the newest of the rows */
    const ice_metadata
        *former; /* whose other schemas older rows were written under; NULL: nobody knows which */
} reading;

/* It was dropped, and rows were written before under any of the types that it had. */
static status check_former(const reading *r, const ice_field *field, error *err)
{
    for (size_t i = 0; r->former != NULL && i < r->former->schema_count; i++) {
        kept known;

        if (find_kept(r->former->schemas[i].root, 0, field->id, &known)) {
            TRY(check_type(r->m, field, known.field, err));
        }
    }
    return STATUS_OK;
}

/* The rows stay, and `type` is what they are read as. */
static status check_columns(const reading *r, const ice_type *type, int32_t parent, bool is_new,
                            error *err)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];
        bool is_known = false;
        kept known;

        if (find_kept(r->written->root, 0, field->id, &known)) {
            TRY(check_present(r->m, field, parent, &known, err));
            is_known = true;
        } else {
            TRY(check_former(r, field, err));
            if (field->required && !is_new && initial(field) == NULL) {
                error_set(err, STATUS_INVALID,
                          "column \"%.*s\" is required, and the rows that are there lack it",
                          STR_ARG(field->name));
                error_hint(err, "In format version 3 an \"initial-default\" fills it; else it is "
                                "optional.");
                return STATUS_INVALID;
            }
        }
        TRY(check_columns(r, field->type, field->id, !is_known, err));
    }
    return STATUS_OK;
}

/* ---- ids ---- */

/* Ids that no schema has any more were those of columns that files may still have. */
static status check_ids(const ice_metadata *m, const ice_type *type, error *err)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const ice_field *field = &type->fields[i];

        if (field->id <= m->last_column_id && ice__metadata_field(m, field->id) == NULL) {
            return error_set(err, STATUS_INVALID,
                             "column \"%.*s\" has the id %d, which was given already: new ids lie "
                             "above %d",
                             STR_ARG(field->name), (int)field->id, (int)m->last_column_id);
        }
        TRY(check_ids(m, field->type, err));
    }
    return STATUS_OK;
}

status ice__check_ids(const ice__applying *x, const ice_schema *schema, error *err)
{
    return x->creates ? STATUS_OK : check_ids(&x->b->now, schema->root, err);
}

/* ---- after all ---- */

static bool is_nothing(const ice_snapshot *s, const char *total)
{
    int64_t count;

    return str_to_int64(ice_snapshot_summary(s, total), &count, NULL) == STATUS_OK && count == 0;
}

/* It says that it has no files of rows, and no rows: not by leaving it out. */
static bool is_empty(const ice_snapshot *s)
{
    return is_nothing(s, "total-records") && is_nothing(s, "total-data-files");
}

/* The newest snapshot of main that was there before: what came with the request was written by who knows its schema.
 * NULL where no rows from before are left: there is none, or it or one that came upon it says that it is empty. */
static const ice_snapshot *former_main(const ice_metadata *m, const ice__id_vec *added)
{
    const ice_snapshot *s = ice_metadata_snapshot_by_id(m, m->current_snapshot_id);

    for (size_t i = 0; s != NULL && !is_empty(s) && i <= added->count; i++) {
        bool is_added = false;

        for (size_t k = 0; k < added->count; k++) {
            is_added = is_added || added->items[k] == s->id;
        }
        if (!is_added) {
            return s;
        }
        s = ice_metadata_snapshot_by_id(m, s->parent_id);
    }
    return NULL;
}

/* What can be done about it, in the words of who asked. */
static void name_cure(bool is_request, const ice_snapshot *s, const ice_schema *written, str reason,
                      error *err)
{
    static const char fact[] = "main would be at snapshot %lld, which the current schema does not "
                               "fit: %.*s";

    error_set(err, STATUS_INVALID, fact, (long long)s->id, STR_ARG(reason));
    if (is_request) { /* its clients show no hint */
        arena *scratch = arena_create();
        str told = str_copy(scratch, str_c(err->message));

        error_set(err, STATUS_INVALID,
                  "%.*s. Send \"set-current-schema\" to its schema %d in the same request, or "
                  "replace the table AS SELECT from VERSION AS OF %lld",
                  STR_ARG(told), (int)written->id, (long long)s->id);
        arena_free(scratch);
        return;
    }
    error_hint(err,
               "CREATE OR REPLACE TABLE … AS SELECT * FROM … VERSION AS OF %lld makes its rows the "
               "table's; where it is a column that they lack, ALTER TABLE … ALTER … DROP NOT NULL "
               "lets them in.",
               (long long)s->id);
}

/* Readers of main use the current schema, whatever a snapshot says: who goes back says which schema goes with it. */
static status refuse_return(bool is_request, const ice_snapshot *s, const ice_schema *written,
                            error *err)
{
    if (err != NULL) {
        arena *scratch = arena_create();

        name_cure(is_request, s, written, str_copy(scratch, str_c(err->message)), err);
        arena_free(scratch);
    }
    return STATUS_INVALID;
}

/* `base` became `m`, and main goes to a snapshot that was there. */
static status check_return(bool is_request, const ice_metadata *base, const ice_metadata *m,
                           const ice_snapshot *s, error *err)
{
    reading r = {.m = m, .written = ice_metadata_schema_by_id(m, s->schema_id)};

    if (r.written == NULL) {
        r.written = ice_metadata_schema(base);
    }
    return check_columns(&r, ice_metadata_schema(m)->root, 0, false, err) == STATUS_OK
               ? STATUS_OK
               : refuse_return(is_request, s, r.written, err);
}

status ice__check_main(const ice__applying *x, error *err)
{
    const ice_metadata *m = &x->b->now;
    const ice_metadata *base = x->b->base;
    const ice_snapshot *s = former_main(m, &x->added);
    reading r = {.m = m, .written = ice_metadata_schema(base), .former = base};

    if (s == NULL || r.written == NULL) {
        return STATUS_OK;
    }
    if (s->id != base->current_snapshot_id) {
        return check_return(true, base, m, s, err);
    }
    return m->current_schema_id == base->current_schema_id
               ? STATUS_OK
               : check_columns(&r, ice_metadata_schema(m)->root, 0, false, err);
}

status ice__builder_check_main(const ice_builder *b, error *err)
{
    static const ice__id_vec none = {0};
    const ice_snapshot *s = former_main(&b->now, &none);

    return s == NULL || s->id == b->base->current_snapshot_id ||
                   ice_metadata_schema(&b->now) == NULL
               ? STATUS_OK
               : check_return(false, b->base, &b->now, s, err);
}

/* measure.c: metrics of a fresh Parquet file, from its footer: counts, sizes, bounds, offsets.
 *
 * What a footer gets wrong or leaves out is known per writer: a row group of nulls alone has no bounds and says
 * nothing about the others; a chunk of floats with a NaN in it has none either, so that float bounds come from the
 * writer's own report then, and a NaN count of 0 is only claimed where every chunk has bounds.
 * Source: Iceberg specification, "Manifests" (metrics), "Appendix D"; parquet-format, Statistics. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>

#include "tarn/base/fs.h"
#include "tarn/base/vec.h"
#include "tarn/codec/parquet.h"

#include "internal.h"

/* --- modes --- */

enum { DEFAULT_LENGTH = 16, DEFAULT_COLUMNS_MAX = 100 };

typedef enum mode_kind { MODE_NONE, MODE_COUNTS, MODE_TRUNCATE, MODE_FULL } mode_kind;

typedef struct metrics_mode {
    mode_kind kind;
    size_t length; /* code points or bytes, for MODE_TRUNCATE */
} metrics_mode;

static bool parse_mode(str text, metrics_mode *ret_mode)
{
    int64_t length;

    if (str_equal_nocase(text, STR("none"))) {
        *ret_mode = (metrics_mode){.kind = MODE_NONE};
    } else if (str_equal_nocase(text, STR("counts"))) {
        *ret_mode = (metrics_mode){.kind = MODE_COUNTS};
    } else if (str_equal_nocase(text, STR("full"))) {
        *ret_mode = (metrics_mode){.kind = MODE_FULL};
    } else if (str_starts_with_nocase(text, STR("truncate(")) && str_ends_with(text, STR(")")) &&
               str_to_int64(str_slice(text, 9, text.size - 1), &length, NULL) == STATUS_OK &&
               length > 0) {
        *ret_mode = (metrics_mode){.kind = MODE_TRUNCATE, .length = (size_t)length};
    } else {
        return false;
    }
    return true;
}

/* The property of the column, else the table's; columns beyond the first hundred have none by default. */
static metrics_mode mode_of(const ice_metadata *m, str path, size_t index, arena *a)
{
    metrics_mode mode = {.kind = MODE_TRUNCATE, .length = DEFAULT_LENGTH};
    const char *key = arena_printf(a, "write.metadata.metrics.column.%.*s", STR_ARG(path));
    str fallback = ice_metadata_property(m, "write.metadata.metrics.default", NULL);
    int64_t columns_max = ice_metadata_property_int(
        m, "write.metadata.metrics.max-inferred-column-defaults", DEFAULT_COLUMNS_MAX);

    if (parse_mode(ice_metadata_property(m, key, NULL), &mode) || parse_mode(fallback, &mode)) {
        return mode;
    }
    if ((int64_t)index >= columns_max) {
        mode = (metrics_mode){.kind = MODE_NONE};
    }
    return mode;
}

/* --- values of Parquet --- */

typedef struct column_measure {
    const parquet_element *element;
    const ice_field *field;
    metrics_mode mode;
    int64_t size_bytes;
    int64_t values;
    int64_t nulls; /* -1: not told */
    bool bounded;  /* every chunk with values has bounds that can be read */
    bool any;      /* at least one has */
    ice_value lower, upper;
} column_measure;

static uint64_t load_le(str bytes)
{
    uint64_t bits = 0;

    for (size_t i = bytes.size; i > 0; i--) {
        bits = (bits << 8) | (uint8_t)bytes.data[i - 1];
    }
    return bits;
}

/* The integer of a plain INT32 or INT64. */
static bool take_integer(const parquet_element *e, str bytes, int64_t *ret_integer)
{
    if (e->type == PARQUET_INT32 && bytes.size == 4) {
        *ret_integer = (int32_t)(uint32_t)load_le(bytes);
        return true;
    }
    if (e->type == PARQUET_INT64 && bytes.size == 8) {
        *ret_integer = (int64_t)load_le(bytes);
        return true;
    }
    return false;
}

/* Integers that are stored without sign have an order of their own. */
static bool is_unsigned(const parquet_element *e)
{
    return e->logical == PARQUET_LOGICAL_INTEGER && !e->is_signed;
}

static bool take_time(const parquet_element *e, const ice_type *type, str bytes, ice_value *v)
{
    static const int64_t nanos_per_unit[] = {
        [PARQUET_MILLIS] = 1000000, [PARQUET_MICROS] = 1000, [PARQUET_NANOS] = 1};
    int64_t have = nanos_per_unit[e->unit];
    int64_t want = ice__kind_is_nanos(type->kind) ? 1 : 1000;

    if ((e->logical != PARQUET_LOGICAL_TIME && e->logical != PARQUET_LOGICAL_TIMESTAMP) ||
        !take_integer(e, bytes, &v->integer)) {
        return false;
    }
    if (have < want) {
        v->integer = ice__floor_div(v->integer, want / have);
        return true;
    }
    return !__builtin_mul_overflow(v->integer, have / want, &v->integer);
}

static bool take_decimal(const parquet_element *e, const ice_type *type, str bytes, ice_value *v)
{
    ice__int128 unscaled;
    int64_t integer;

    if (e->logical != PARQUET_LOGICAL_DECIMAL || e->scale != type->scale) {
        return false;
    }
    if (take_integer(e, bytes, &integer)) {
        unscaled = integer;
    } else if ((e->type != PARQUET_FIXED && e->type != PARQUET_BYTE_ARRAY) ||
               !ice__decimal_from_bytes(bytes, &unscaled)) {
        return false;
    }
    *v = ice__decimal_value(unscaled, type->scale);
    return true;
}

static bool take_real(const parquet_element *e, const ice_type *type, str bytes, ice_value *v)
{
    if (e->type == PARQUET_FLOAT && bytes.size == 4) {
        uint32_t bits = (uint32_t)load_le(bytes);
        float f;

        memcpy(&f, &bits, sizeof(f));
        v->real = (double)f;
    } else if (e->type == PARQUET_DOUBLE && bytes.size == 8 && type->kind == ICE_DOUBLE) {
        uint64_t bits = load_le(bytes);

        memcpy(&v->real, &bits, sizeof(bits));
    } else {
        return false;
    }
    return !isnan(v->real);
}

static bool take_bytes(const parquet_element *e, const ice_type *type, str bytes, ice_value *v)
{
    size_t wanted = type->kind == ICE_UUID    ? 16
                    : type->kind == ICE_FIXED ? (size_t)type->length
                                              : bytes.size;

    v->bytes = bytes;
    return (e->type == PARQUET_BYTE_ARRAY || e->type == PARQUET_FIXED) && bytes.size == wanted;
}

/* A bound of the footer as a value of the column; false where it has no such form. */
static bool take_value(const parquet_element *e, const ice_type *type, str bytes,
                       ice_value *ret_value)
{
    ice_value v = {.kind = type->kind};
    bool good;

    switch (type->kind) {
    case ICE_BOOLEAN:
        good = e->type == PARQUET_BOOLEAN && bytes.size == 1;
        v.integer = good && bytes.data[0] != 0;
        break;
    case ICE_INT:
    case ICE_DATE:
        good = e->type == PARQUET_INT32 && !is_unsigned(e) && take_integer(e, bytes, &v.integer);
        break;
    case ICE_LONG:
        good = !is_unsigned(e) && take_integer(e, bytes, &v.integer);
        break;
    case ICE_TIME:
    case ICE_TIMESTAMP:
    case ICE_TIMESTAMPTZ:
    case ICE_TIMESTAMP_NS:
    case ICE_TIMESTAMPTZ_NS:
        good = take_time(e, type, bytes, &v);
        break;
    case ICE_FLOAT:
    case ICE_DOUBLE:
        good = take_real(e, type, bytes, &v);
        break;
    case ICE_DECIMAL:
        good = take_decimal(e, type, bytes, &v);
        break;
    case ICE_STRING:
    case ICE_UUID:
    case ICE_FIXED:
    case ICE_BINARY:
        good = take_bytes(e, type, bytes, &v);
        break;
    default:
        good = false;
        break;
    }
    if (good) {
        *ret_value = v;
    }
    return good;
}

/* --- one column over the row groups --- */

static void add_chunk(column_measure *c, const parquet_column *chunk)
{
    const parquet_statistics *s = &chunk->stats;
    ice_value lower;
    ice_value upper;

    c->size_bytes = ice__sum(c->size_bytes, chunk->compressed_bytes);
    c->values = ice__sum(c->values, chunk->value_count);
    if (!s->has_null_count) {
        c->nulls = -1;
    } else if (c->nulls >= 0) {
        c->nulls = ice__sum(c->nulls, s->null_count);
    }
    if (chunk->value_count == 0 || (s->has_null_count && s->null_count == chunk->value_count)) {
        return; /* nulls alone: nothing to bound */
    }
    if (!s->has_min || !s->has_max || !take_value(c->element, c->field->type, s->min, &lower) ||
        !take_value(c->element, c->field->type, s->max, &upper)) {
        c->bounded = false;
        return;
    }
    c->lower = !c->any || ice_value_compare(&lower, &c->lower) < 0 ? lower : c->lower;
    c->upper = !c->any || ice_value_compare(&upper, &c->upper) > 0 ? upper : c->upper;
    c->any = true;
}

static bool is_real(const column_measure *c)
{
    return c->field->type->kind == ICE_FLOAT || c->field->type->kind == ICE_DOUBLE;
}

/* Float bounds that the footer leaves out, from the writer's report. Zero is -0.0 below and +0.0 above: which one
 * was written a footer does not tell. */
static void mend_float_bounds(column_measure *c, const ice_float_bound *bounds, size_t count)
{
    for (size_t i = 0; !c->bounded && i < count; i++) {
        if (bounds[i].field_id == c->field->id && bounds[i].known && !isnan(bounds[i].lower) &&
            !isnan(bounds[i].upper) && bounds[i].lower <= bounds[i].upper) {
            c->lower = (ice_value){.kind = c->field->type->kind, .real = bounds[i].lower};
            c->upper = (ice_value){.kind = c->field->type->kind, .real = bounds[i].upper};
            c->any = c->bounded = true;
        }
    }
    if (c->bounded && c->any) {
        c->lower.real = c->lower.real == 0.0 ? -0.0 : c->lower.real;
        c->upper.real = c->upper.real == 0.0 ? 0.0 : c->upper.real;
    }
}

static bool cut_upper(const column_measure *c, size_t size, arena *a, str *ret_bytes)
{
    str cut = str_slice(c->upper.bytes, 0, size);

    return c->field->type->kind == ICE_STRING ? ice__utf8_successor(cut, a, ret_bytes)
                                              : ice__bytes_successor(cut, a, ret_bytes);
}

/* The bounds as they are stored; STR_NULL where there is none. */
static void encode_bounds(const column_measure *c, arena *a, str *ret_lower, str *ret_upper)
{
    const ice_type *type = c->field->type;
    bool text = type->kind == ICE_STRING || type->kind == ICE_BINARY;

    *ret_lower = ice_value_encode(type, &c->lower, a);
    *ret_upper = ice_value_encode(type, &c->upper, a);
    if (text && c->mode.kind == MODE_TRUNCATE) {
        size_t length = c->mode.length;
        bool points = type->kind == ICE_STRING;
        size_t low = points ? ice__utf8_prefix(*ret_lower, length) : length;
        size_t high = points ? ice__utf8_prefix(*ret_upper, length) : length;

        *ret_lower = str_slice(*ret_lower, 0, low);
        if (high < ret_upper->size && !cut_upper(c, high, a, ret_upper)) {
            *ret_upper = STR_NULL;
        }
    }
    /* A writer that cut its own bound in the middle of a character left no text. */
    if (type->kind == ICE_STRING && !str_is_utf8(*ret_lower)) {
        *ret_lower = STR_NULL;
    }
    if (type->kind == ICE_STRING && !str_is_null(*ret_upper) && !str_is_utf8(*ret_upper)) {
        *ret_upper = STR_NULL;
    }
}

/* --- the file --- */

typedef struct metric_maps {
    VEC(avro_int_long) sizes;
    VEC(avro_int_long) values;
    VEC(avro_int_long) nulls;
    VEC(avro_int_long) nans;
    VEC(avro_int_bytes) lower;
    VEC(avro_int_bytes) upper;
} metric_maps;

static void add_column(metric_maps *maps, const column_measure *c, bool nan_free, arena *a)
{
    int32_t id = c->field->id;

    vec_push(a, &maps->sizes, ((avro_int_long){id, c->size_bytes}));
    if (c->mode.kind == MODE_NONE) {
        return;
    }
    vec_push(a, &maps->values, ((avro_int_long){id, c->values}));
    if (c->nulls >= 0) {
        vec_push(a, &maps->nulls, ((avro_int_long){id, c->nulls}));
    }
    if (is_real(c) && nan_free) {
        vec_push(a, &maps->nans, ((avro_int_long){id, 0}));
    }
    /* Below lists and maps a bound would speak of elements, not of rows. */
    if (c->mode.kind >= MODE_TRUNCATE && c->bounded && c->any && !c->element->repeated) {
        str lower;
        str upper;

        encode_bounds(c, a, &lower, &upper);
        if (!str_is_null(lower)) {
            vec_push(a, &maps->lower, ((avro_int_bytes){id, lower}));
        }
        if (!str_is_null(upper)) {
            vec_push(a, &maps->upper, ((avro_int_bytes){id, upper}));
        }
    }
}

/* Field ids stand in the file where the writer was told them; tarn's always is. */
static const ice_field *field_of(const ice_schema *schema, const parquet_element *element)
{
    const ice_field *field = element->field_id == PARQUET_NO_FIELD_ID
                                 ? NULL
                                 : ice_schema_field(schema, element->field_id);

    return field != NULL && !ice_kind_is_nested(field->type->kind) ? field : NULL;
}

static int compare_measure(const void *x, const void *y)
{
    int32_t a = ((const column_measure *)x)->field->id;
    int32_t b = ((const column_measure *)y)->field->id;

    return (a > b) - (a < b);
}

typedef struct measurement {
    const parquet_footer *footer;
    const ice_schema *schema;
    const ice_metadata *m;
    const ice_float_bound *bounds;
    size_t bound_count;
    arena *memory;
} measurement;

static column_measure measure_column(const measurement *x, size_t leaf, const ice_field *field)
{
    const parquet_footer *footer = x->footer;
    column_measure c = {
        .element = &footer->elements[footer->leaves[leaf]], .field = field, .bounded = true};

    c.mode = mode_of(x->m, ice_schema_path(x->schema, field->id, x->memory), leaf, x->memory);
    for (size_t i = 0; i < footer->row_group_count; i++) {
        add_chunk(&c, &footer->row_groups[i].columns[leaf]);
    }
    return c;
}

static void measure_columns(const measurement *x, ice_file *f)
{
    column_measure *columns = ARENA_ARRAY(x->memory, column_measure, x->footer->leaf_count);
    metric_maps maps = {.sizes = {0}};
    size_t count = 0;

    for (size_t leaf = 0; leaf < x->footer->leaf_count; leaf++) {
        const ice_field *field = field_of(x->schema, &x->footer->elements[x->footer->leaves[leaf]]);

        if (field != NULL) {
            columns[count++] = measure_column(x, leaf, field);
        }
    }
    if (count > 0) {
        qsort(columns, count, sizeof(columns[0]), compare_measure);
    }
    for (size_t i = 0; i < count; i++) {
        bool nan_free = columns[i].bounded; /* by the footer alone */

        if (is_real(&columns[i])) {
            mend_float_bounds(&columns[i], x->bounds, x->bound_count);
        }
        add_column(&maps, &columns[i], nan_free, x->memory);
    }
    f->column_sizes = maps.sizes.items;
    f->column_size_count = maps.sizes.count;
    f->value_counts = maps.values.items;
    f->value_count_count = maps.values.count;
    f->null_counts = maps.nulls.items;
    f->null_count_count = maps.nulls.count;
    f->nan_counts = maps.nans.items;
    f->nan_count_count = maps.nans.count;
    f->lower_bounds = maps.lower.items;
    f->lower_bound_count = maps.lower.count;
    f->upper_bounds = maps.upper.items;
    f->upper_bound_count = maps.upper.count;
}

/* Where each row group begins: its first page. None unless they ascend, as readers rely on that. */
static void measure_splits(const parquet_footer *footer, arena *a, ice_file *f)
{
    int64_t *offsets = ARENA_ARRAY(a, int64_t, footer->row_group_count);
    int64_t last = -1;

    for (size_t i = 0; i < footer->row_group_count; i++) {
        int64_t start = INT64_MAX;

        for (size_t k = 0; k < footer->leaf_count; k++) {
            const parquet_column *c = &footer->row_groups[i].columns[k];
            /* Some writers put 0 where there is no dictionary. */
            int64_t first =
                c->dictionary_page_offset > 0 && c->dictionary_page_offset < c->data_page_offset
                    ? c->dictionary_page_offset
                    : c->data_page_offset;

            start = first < start ? first : start;
        }
        if (start <= last || start == INT64_MAX) {
            return;
        }
        offsets[i] = last = start;
    }
    f->split_offsets = offsets;
    f->split_offset_count = footer->row_group_count;
}

status ice_file_measure(const char *path, const ice_schema *schema, const ice_metadata *m,
                        const ice_float_bound *bounds, size_t bound_count, arena *a,
                        ice_file *ret_file, error *err)
{
    ice_file f = {.content = ICE_DATA,
                  .format = STR("PARQUET"),
                  .spec_id = m->default_spec_id,
                  .sort_order_id = 0,
                  .first_row_id = ICE_NO_ROW_ID,
                  .content_offset = -1,
                  .content_size_bytes = -1,
                  .data_sequence = ICE__UNASSIGNED,
                  .file_sequence = ICE__UNASSIGNED,
                  .snapshot_id = ICE_NO_SNAPSHOT};
    parquet_footer footer;
    measurement x = {.footer = &footer,
                     .schema = schema,
                     .m = m,
                     .bounds = bounds,
                     .bound_count = bound_count,
                     .memory = a};
    int fd;
    status s;

    TRY(fs_open(path, O_RDONLY, 0, &fd, err));
    s = fs_size(fd, &f.size_bytes, err);
    if (s == STATUS_OK) {
        s = parquet_footer_read(fd, a, &footer, err);
    }
    fs_close(fd);
    TRY(s);
    f.record_count = footer.row_count;
    measure_columns(&x, &f);
    measure_splits(&footer, a, &f);
    *ret_file = f;
    return STATUS_OK;
}

/* A Parquet file without rows: nothing but a footer, from the same elements that footers are read into. It is made
 * for programs that want to be told of columns by a file. */
#include "tarn/codec/parquet.h"

/* Types of the compact protocol. */
enum {
    COMPACT_TRUE = 1,
    COMPACT_FALSE = 2,
    COMPACT_I32 = 5,
    COMPACT_I64 = 6,
    COMPACT_BINARY = 8,
    COMPACT_LIST = 9,
    COMPACT_STRUCT = 12
};
enum { LIST_LONG = 15 }; /* more items than stand in its head */

typedef struct thrift_out {
    buf *out;
    int last; /* id of the field before */
} thrift_out;

static void put_varint(buf *out, uint64_t value)
{
    while (value >= 0x80) {
        buf_add_char(out, (char)(unsigned char)(value | 0x80));
        value >>= 7;
    }
    buf_add_char(out, (char)value);
}

static void put_zigzag(buf *out, int64_t value)
{
    put_varint(out, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

/* Ids grow by less than 16 here. */
static void put_head(thrift_out *t, int id, int type)
{
    buf_add_char(t->out, (char)(((id - t->last) << 4) | type));
    t->last = id;
}

static void put_i32(thrift_out *t, int id, int32_t value)
{
    put_head(t, id, COMPACT_I32);
    put_zigzag(t->out, value);
}

static void put_text(thrift_out *t, int id, str text)
{
    put_head(t, id, COMPACT_BINARY);
    put_varint(t->out, text.size);
    buf_add_str(t->out, text);
}

static thrift_out begin_struct(thrift_out *t, int id)
{
    put_head(t, id, COMPACT_STRUCT);
    return (thrift_out){.out = t->out};
}

static void end_struct(thrift_out *t)
{
    buf_add_char(t->out, 0);
}

static void put_list_head(thrift_out *t, int id, size_t count)
{
    put_head(t, id, COMPACT_LIST);
    if (count < LIST_LONG) {
        buf_add_char(t->out, (char)((count << 4) | COMPACT_STRUCT));
    } else {
        buf_add_char(t->out, (char)((LIST_LONG << 4) | COMPACT_STRUCT));
        put_varint(t->out, count);
    }
}

/* --- annotations --- */

/* By LogicalType's number, and ConvertedType's, which older readers look at; -1 where it cannot say it. */
typedef struct annotation {
    int logical, converted;
} annotation;

static annotation annotation_of(const parquet_element *e)
{
    switch (e->logical) {
    case PARQUET_LOGICAL_STRING:
        return (annotation){1, 0};
    case PARQUET_LOGICAL_DECIMAL:
        return (annotation){5, 5};
    case PARQUET_LOGICAL_DATE:
        return (annotation){6, 6};
    case PARQUET_LOGICAL_TIME: /* the converted types are of UTC */
        return (annotation){7, -1};
    case PARQUET_LOGICAL_TIMESTAMP:
        return (annotation){8, -1};
    case PARQUET_LOGICAL_UUID:
        return (annotation){14, -1};
    default:
        return (annotation){-1, -1};
    }
}

static void put_time(thrift_out *t, const parquet_element *e)
{
    thrift_out unit, kind;

    put_head(t, 1, e->utc_adjusted ? COMPACT_TRUE : COMPACT_FALSE);
    unit = begin_struct(t, 2);
    kind = begin_struct(&unit, e->unit == PARQUET_MILLIS ? 1 : e->unit == PARQUET_MICROS ? 2 : 3);
    end_struct(&kind);
    end_struct(&unit);
}

static void put_annotation(thrift_out *t, const parquet_element *e, int logical)
{
    thrift_out which = begin_struct(t, 10);
    thrift_out value = begin_struct(&which, logical);

    if (e->logical == PARQUET_LOGICAL_DECIMAL) {
        put_i32(&value, 1, e->scale);
        put_i32(&value, 2, e->precision);
    } else if (e->logical == PARQUET_LOGICAL_TIME || e->logical == PARQUET_LOGICAL_TIMESTAMP) {
        put_time(&value, e);
    }
    end_struct(&value);
    end_struct(&which);
}

/* --- the file --- */

static void put_element(buf *out, const parquet_element *e, bool is_root)
{
    thrift_out t = {.out = out};
    annotation known = annotation_of(e);

    if (e->type != PARQUET_GROUP) {
        put_i32(&t, 1, (int32_t)e->type);
        if (e->type == PARQUET_FIXED) {
            put_i32(&t, 2, e->type_length);
        }
    }
    if (!is_root) {
        put_i32(&t, 3, (int32_t)e->repetition);
    }
    put_text(&t, 4, e->name);
    if (e->type == PARQUET_GROUP) {
        put_i32(&t, 5, (int32_t)e->child_count);
    }
    if (known.converted >= 0) {
        put_i32(&t, 6, known.converted);
    }
    if (e->logical == PARQUET_LOGICAL_DECIMAL) {
        put_i32(&t, 7, e->scale);
        put_i32(&t, 8, e->precision);
    }
    if (e->field_id != PARQUET_NO_FIELD_ID) {
        put_i32(&t, 9, e->field_id);
    }
    if (known.logical >= 0) {
        put_annotation(&t, e, known.logical);
    }
    end_struct(&t);
}

void parquet_put_empty_file(const parquet_element *elements, size_t count, buf *out)
{
    thrift_out t = {.out = out};
    size_t begun;

    buf_add_str(out, STR("PAR1"));
    begun = out->size;
    put_i32(&t, 1, 1);
    put_list_head(&t, 2, count);
    for (size_t i = 0; i < count; i++) {
        put_element(out, &elements[i], i == 0);
    }
    put_head(&t, 3, COMPACT_I64);
    put_zigzag(out, 0);
    put_list_head(&t, 4, 0);
    put_text(&t, 6, STR("tarn"));
    end_struct(&t);
    buf_add_u32le(out, (uint32_t)(out->size - begun));
    buf_add_str(out, STR("PAR1"));
}

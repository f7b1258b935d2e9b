/* Arrow record batches: from arrays of the C data interface to slices of memory.
 *
 * Buffers go out as they are. Only where a slice of an array does not begin at a byte or at
 * offset zero is a piece copied: validity bits are shifted, offsets are rebased. Dictionaries are
 * written out, each value in its place.
 *
 * Invariant: the body is a multiple of 8 after every buffer, so that each begins aligned. */
#include "arrow_message.h"
#include "arrow_type.h"
#include "flatbuffer.h"
#include "tarn/base/vec.h"

enum { BATCH_LENGTH, BATCH_NODES, BATCH_BUFFERS, BATCH_COMPRESSION, BATCH_VARIADIC };
enum { ALIGNMENT = 8, VIEW_BYTES = 16 };

static const char zeros[ALIGNMENT];

typedef struct batch {
    arena *a;
    VEC(struct iovec) slices; /* the first is the head's */
    VEC(int64_t) nodes;       /* pairs: length, nulls */
    VEC(int64_t) buffers;     /* pairs: offset, length */
    VEC(int64_t) variadic;    /* buffers of bytes of each column of views */
    int64_t body_bytes;
    int depth;
} batch;

/* One array, or a part of it: `offset` counts from the start of its buffers. */
typedef struct part {
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
    int64_t offset;
    int64_t length;
} part;

/* --- buffers --- */

static void add_slice(batch *b, const void *bytes, size_t size)
{
    vec_push(b->a, &b->slices,
             ((struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = size}));
}

static void add_buffer(batch *b, const void *bytes, size_t size)
{
    size_t padding = (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT;

    vec_push(b->a, &b->buffers, b->body_bytes);
    vec_push(b->a, &b->buffers, (int64_t)size);
    if (size > 0) {
        add_slice(b, bytes, size);
    }
    if (padding > 0) {
        add_slice(b, zeros, padding);
    }
    b->body_bytes += (int64_t)(size + padding);
}

static bool get_bit(const uint8_t *bits, int64_t at)
{
    return (bits[at / 8] >> (at % 8) & 1) != 0;
}

static void add_bits(batch *b, const uint8_t *bits, int64_t offset, int64_t length)
{
    size_t size = (size_t)(length + 7) / 8;
    unsigned shift = (unsigned)(offset % 8);
    size_t source_size = (size_t)(length + shift + 7) / 8;
    const uint8_t *from;
    uint8_t *moved;

    if (length == 0) {
        add_buffer(b, NULL, 0);
        return;
    }
    from = bits + offset / 8;
    if (shift == 0) {
        add_buffer(b, from, size);
        return;
    }
    moved = arena_alloc(b->a, size);
    for (size_t i = 0; i < size; i++) {
        unsigned next = i + 1 < source_size ? from[i + 1] : 0;

        moved[i] = (uint8_t)((unsigned)from[i] >> shift | next << (8 - shift));
    }
    add_buffer(b, moved, size);
}

static int64_t count_nulls(const uint8_t *valid, int64_t offset, int64_t length)
{
    int64_t nulls = 0;
    int64_t at = offset;
    int64_t end = offset + length;

    for (; at < end && at % 8 != 0; at++) {
        nulls += !get_bit(valid, at);
    }
    for (; at + 64 <= end; at += 64) {
        uint64_t word;

        memcpy(&word, valid + at / 8, sizeof(word));
        nulls += 64 - __builtin_popcountll(word);
    }
    for (; at < end; at++) {
        nulls += !get_bit(valid, at);
    }
    return nulls;
}

static void add_node(batch *b, int64_t length, int64_t nulls)
{
    vec_push(b->a, &b->nodes, length);
    vec_push(b->a, &b->nodes, nulls);
}

/* The node, and the validity: none where nothing is null. */
static void add_validity(batch *b, const part *p)
{
    const uint8_t *valid = p->array->n_buffers > 0 ? p->array->buffers[0] : NULL;
    int64_t nulls =
        valid != NULL && p->array->null_count != 0 ? count_nulls(valid, p->offset, p->length) : 0;

    add_node(b, p->length, nulls);
    if (nulls > 0) {
        add_bits(b, valid, p->offset, p->length);
    } else {
        add_buffer(b, NULL, 0);
    }
}

static void add_fixed(batch *b, const part *p, int buffer, size_t width)
{
    const char *values = p->array->buffers[buffer];
    size_t from = (size_t)p->offset * width;

    add_buffer(b, p->length > 0 ? values + from : NULL, (size_t)p->length * width);
}

/* --- offsets --- */

static int64_t offset_at(const void *offsets, int64_t at, bool wide)
{
    return wide ? ((const int64_t *)offsets)[at] : ((const int32_t *)offsets)[at];
}

/* Offsets that begin at zero; the range of what they point into. */
static void add_offsets(batch *b, const part *p, bool wide, int64_t *ret_first, int64_t *ret_last)
{
    const char *offsets = p->array->buffers[1];
    size_t width = wide ? sizeof(int64_t) : sizeof(int32_t);
    size_t size = (size_t)(p->length + 1) * width;
    char *rebased;

    if (p->length == 0 || offsets == NULL) {
        add_buffer(b, zeros, width);
        *ret_first = 0;
        *ret_last = 0;
        return;
    }
    *ret_first = offset_at(offsets, p->offset, wide);
    *ret_last = offset_at(offsets, p->offset + p->length, wide);
    if (*ret_first == 0) {
        add_buffer(b, offsets + (size_t)p->offset * width, size);
        return;
    }
    rebased = arena_alloc(b->a, size);
    for (int64_t i = 0; i <= p->length; i++) {
        int64_t value = offset_at(offsets, p->offset + i, wide) - *ret_first;

        if (wide) {
            ((int64_t *)(void *)rebased)[i] = value;
        } else {
            ((int32_t *)(void *)rebased)[i] = (int32_t)value;
        }
    }
    add_buffer(b, rebased, size);
}

static void add_variable(batch *b, const part *p, bool wide)
{
    int64_t first;
    int64_t last;

    add_validity(b, p);
    add_offsets(b, p, wide, &first, &last);
    add_buffer(b, last > first ? (const char *)p->array->buffers[2] + first : NULL,
               (size_t)(last - first));
}

/* Validity, views, buffers of bytes, and last their sizes. */
static void add_views(batch *b, const part *p)
{
    int64_t count = p->array->n_buffers - 3;
    const int64_t *sizes = count > 0 ? p->array->buffers[p->array->n_buffers - 1] : NULL;

    add_validity(b, p);
    add_fixed(b, p, 1, VIEW_BYTES);
    for (int64_t i = 0; i < count; i++) {
        add_buffer(b, p->array->buffers[2 + i], (size_t)sizes[i]);
    }
    vec_push(b->a, &b->variadic, count > 0 ? count : 0);
}

/* --- dictionaries --- */

typedef struct dictionary {
    const struct ArrowArray *values;
    bool wide;
    const void *indices;
    size_t index_bytes;
    bool index_signed;
} dictionary;

static int64_t index_at(const dictionary *d, int64_t at)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)d->indices + (size_t)at * d->index_bytes, d->index_bytes);
    if (d->index_signed) {
        unsigned unused = 64 - 8 * (unsigned)d->index_bytes;

        return (int64_t)(value << unused) >> unused;
    }
    return (int64_t)value;
}

/* The dictionary's value for a row; STR_NULL where it is null. */
static str value_at(const part *p, const dictionary *d, int64_t row)
{
    const uint8_t *valid = p->array->buffers[0];
    const uint8_t *values_valid = d->values->buffers[0];
    const char *bytes = d->values->buffers[2];
    int64_t index;
    int64_t first;
    int64_t last;

    if (p->array->null_count != 0 && valid != NULL && !get_bit(valid, p->offset + row)) {
        return STR_NULL;
    }
    index = index_at(d, p->offset + row);
    if (index < 0 || index >= d->values->length) {
        return STR_NULL;
    }
    index += d->values->offset;
    if (values_valid != NULL && !get_bit(values_valid, index)) {
        return STR_NULL;
    }
    first = offset_at(d->values->buffers[1], index, d->wide);
    last = offset_at(d->values->buffers[1], index + 1, d->wide);
    return str_from(bytes != NULL ? bytes + first : zeros, (size_t)(last - first));
}

static status add_dictionary(batch *b, const part *p, const arrow_type *type, error *err)
{
    dictionary d = {.values = p->array->dictionary,
                    .wide = type->layout == LAYOUT_VAR64,
                    .indices = p->array->buffers[1]};
    size_t width = d.wide ? sizeof(int64_t) : sizeof(int32_t);
    uint8_t *valid = arena_alloc(b->a, (size_t)(p->length + 7) / 8);
    char *offsets = arena_alloc(b->a, (size_t)(p->length + 1) * width);
    int64_t nulls = 0;
    int64_t size = 0;
    char *bytes;

    TRY(arrow__index_of(p->schema, &d.index_bytes, &d.index_signed, err));
    for (int64_t i = 0; i < p->length; i++) {
        str value = value_at(p, &d, i);

        nulls += str_is_null(value);
        valid[i / 8] |= (uint8_t)((unsigned)!str_is_null(value) << (i % 8));
        size += (int64_t)value.size;
        if (!d.wide && size > INT32_MAX) {
            return error_set(err, STATUS_TOO_LARGE, "column \"%s\" has more than 2 GiB in a batch",
                             p->schema->name);
        }
        memcpy(offsets + (size_t)(i + 1) * width, &size, width); /* little-endian */
    }
    bytes = arena_alloc(b->a, (size_t)size);
    size = 0;
    for (int64_t i = 0; i < p->length; i++) {
        str value = value_at(p, &d, i);

        if (value.size > 0) {
            memcpy(bytes + size, value.data, value.size);
            size += (int64_t)value.size;
        }
    }
    add_node(b, p->length, nulls);
    add_buffer(b, valid, nulls > 0 ? (size_t)(p->length + 7) / 8 : 0);
    add_buffer(b, offsets, (size_t)(p->length + 1) * width);
    add_buffer(b, bytes, (size_t)size);
    return STATUS_OK;
}

/* --- arrays --- */

static status add_array(batch *b, const part *p, error *err);

/* Children that share the parent's rows, or a range of them. */
static status add_children(batch *b, const part *p, int64_t offset, int64_t length, error *err)
{
    for (int64_t i = 0; i < p->array->n_children; i++) {
        const struct ArrowArray *child = p->array->children[i];
        part c = {.schema = p->schema->children[i],
                  .array = child,
                  .offset = child->offset + offset,
                  .length = length};

        TRY(add_array(b, &c, err));
    }
    return STATUS_OK;
}

static status add_list(batch *b, const part *p, bool wide, error *err)
{
    int64_t first;
    int64_t last;

    add_validity(b, p);
    add_offsets(b, p, wide, &first, &last);
    return add_children(b, p, first, last - first, err);
}

/* Offsets of dense unions point anywhere into their children, which go out whole. */
static status add_dense_union(batch *b, const part *p, error *err)
{
    int types = (int)p->array->n_buffers - 2; /* old producers have a validity in front */

    add_node(b, p->length, 0);
    add_fixed(b, p, types, 1);
    add_fixed(b, p, types + 1, sizeof(int32_t));
    for (int64_t i = 0; i < p->array->n_children; i++) {
        const struct ArrowArray *child = p->array->children[i];
        part c = {.schema = p->schema->children[i],
                  .array = child,
                  .offset = child->offset,
                  .length = child->length};

        TRY(add_array(b, &c, err));
    }
    return STATUS_OK;
}

static status add_by_layout(batch *b, const part *p, const arrow_type *type, error *err)
{
    int64_t items = (int64_t)type->width_bytes; /* of a list of fixed size */

    switch (type->layout) {
    case LAYOUT_NULL:
        add_node(b, p->length, p->length);
        return STATUS_OK;
    case LAYOUT_FIXED:
        add_validity(b, p);
        add_fixed(b, p, 1, type->width_bytes);
        return STATUS_OK;
    case LAYOUT_BITS:
        add_validity(b, p);
        add_bits(b, p->array->buffers[1], p->offset, p->length);
        return STATUS_OK;
    case LAYOUT_VAR32:
    case LAYOUT_VAR64:
        add_variable(b, p, type->layout == LAYOUT_VAR64);
        return STATUS_OK;
    case LAYOUT_VIEW:
        add_views(b, p);
        return STATUS_OK;
    case LAYOUT_LIST32:
    case LAYOUT_LIST64:
        return add_list(b, p, type->layout == LAYOUT_LIST64, err);
    case LAYOUT_FIXED_LIST:
        add_validity(b, p);
        return add_children(b, p, p->offset * items, p->length * items, err);
    case LAYOUT_STRUCT:
        add_validity(b, p);
        return add_children(b, p, p->offset, p->length, err);
    case LAYOUT_SPARSE:
        add_node(b, p->length, 0);
        add_fixed(b, p, (int)p->array->n_buffers - 1, 1);
        return add_children(b, p, p->offset, p->length, err);
    case LAYOUT_DENSE:
        return add_dense_union(b, p, err);
    }
    return STATUS_OK;
}

static status add_array(batch *b, const part *p, error *err)
{
    arrow_type type;
    status kind;

    TRY(arrow__type_of(p->schema, &type, err));
    TRY(arrow__check_depth(p->schema, b->depth, err));
    if (p->schema->dictionary != NULL) {
        return add_dictionary(b, p, &type, err);
    }
    if (p->array->n_children != p->schema->n_children) {
        return error_set(err, STATUS_INTERNAL, "column \"%s\" has %lld children, its schema %lld",
                         p->schema->name, (long long)p->array->n_children,
                         (long long)p->schema->n_children);
    }
    b->depth++;
    kind = add_by_layout(b, p, &type, err);
    b->depth--;
    return kind;
}

/* --- the message --- */

static void add_head(batch *b, int64_t rows, buf *scratch)
{
    flat_ref variadic = FLAT_NONE;
    flat_ref buffers;
    flat_ref nodes;
    flat_table t;
    flat f;

    flat_init(&f, b->a);
    if (b->variadic.count > 0) {
        variadic = flat_int64s(&f, b->variadic.items, b->variadic.count, 1);
    }
    buffers = flat_int64s(&f, b->buffers.items, b->buffers.count / 2, 2);
    nodes = flat_int64s(&f, b->nodes.items, b->nodes.count / 2, 2);
    flat_table_begin(&f, &t);
    flat_add_number(&f, &t, BATCH_LENGTH, rows, 8);
    flat_add_ref(&f, &t, BATCH_NODES, nodes);
    flat_add_ref(&f, &t, BATCH_BUFFERS, buffers);
    flat_add_ref(&f, &t, BATCH_VARIADIC, variadic);
    arrow__add_message(&f, ARROW_HEADER_BATCH, flat_table_end(&f, &t), b->body_bytes, scratch);
}

status arrow_write_batch(const struct ArrowSchema *schema, const struct ArrowArray *array,
                         buf *scratch, arena *a, arrow_message *ret_message, error *err)
{
    batch b = {.a = a};
    part columns = {.schema = schema, .array = array};

    add_slice(&b, NULL, 0); /* the head, when the body is known */
    if (array->n_children != schema->n_children) {
        return error_set(err, STATUS_INTERNAL, "a batch has %lld columns, its schema %lld",
                         (long long)array->n_children, (long long)schema->n_children);
    }
    TRY(add_children(&b, &columns, array->offset, array->length, err));
    buf_clear(scratch);
    add_head(&b, array->length, scratch);
    TRY(buf_check(scratch, "head of an Arrow batch", err));
    b.slices.items[0] = (struct iovec){.iov_base = scratch->data, .iov_len = scratch->size};
    *ret_message = (arrow_message){.slices = b.slices.items,
                                   .count = b.slices.count,
                                   .size_bytes = scratch->size + (size_t)b.body_bytes};
    return STATUS_OK;
}

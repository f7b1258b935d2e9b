/* Claims about Arrow IPC messages, byte by byte. The flatbuffers are taken apart here by their
 * format, with nothing of what wrote them; that PyArrow reads them is shown by tests/interop. */
#include "support/test.h"
#include "tarn/base/limits.h"
#include "tarn/codec/arrow.h"

/* --- taking flatbuffers apart --- */

static int64_t number_at(const char *at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = size; i > 0; i--) {
        value = value << 8 | (uint8_t)at[i - 1];
    }
    return (int64_t)value;
}

static const char *follow(const char *at)
{
    return at + number_at(at, 4);
}

/* The place of a field in a table, or NULL. */
static const char *slot(const char *tab, int index)
{
    const char *vtable = tab - (int32_t)number_at(tab, 4);
    int64_t vtable_size = number_at(vtable, 2);
    int64_t offset = 4 + 2 * index < vtable_size ? number_at(vtable + 4 + 2 * index, 2) : 0;

    return offset != 0 ? tab + offset : NULL;
}

static int64_t number(const char *tab, int at, size_t size)
{
    const char *place = slot(tab, at);

    assert_non_null(place);
    assert_int_equal((uintptr_t)place % size, 0); /* fields are aligned to their size */
    return number_at(place, size);
}

static const char *child(const char *tab, int at)
{
    const char *place = slot(tab, at);

    assert_non_null(place);
    return follow(place);
}

static str text(const char *tab, int at)
{
    const char *string = child(tab, at);
    size_t size = (size_t)number_at(string, 4);

    assert_int_equal(string[4 + size], 0);
    return str_from(string + 4, size);
}

static size_t vector(const char *tab, int at, const char **ret_items)
{
    const char *items = child(tab, at);

    *ret_items = items + 4;
    return (size_t)number_at(items, 4);
}

/* Checks the envelope; returns the table Message, and the body behind it. */
static const char *open_message(fixture *f, str bytes, const char **ret_body)
{
    char *copy = arena_alloc(f->arena, bytes.size); /* aligned as a reader would hold it */
    size_t size;

    memcpy(copy, bytes.data, bytes.size);
    assert_int_equal(number_at(copy, 4), 0xffffffff);
    size = (size_t)number_at(copy + 4, 4);
    assert_int_equal(size % 8, 0);
    assert_true(8 + size <= bytes.size);
    *ret_body = copy + 8 + size;
    return follow(copy + 8);
}

/* --- arrays by hand --- */

static struct ArrowSchema field(const char *format, const char *name)
{
    return (struct ArrowSchema){.format = format, .name = name, .flags = 2};
}

typedef struct table {
    struct ArrowSchema *schemas[4];
    struct ArrowArray *arrays[4];
    struct ArrowSchema schema;
    struct ArrowArray array;
} table;

static void add_column(table *t, struct ArrowSchema *schema, struct ArrowArray *array)
{
    t->schemas[t->schema.n_children++] = schema;
    t->arrays[t->array.n_children++] = array;
    t->schema.format = "+s";
    t->schema.name = "";
    t->schema.children = t->schemas;
    t->array.children = t->arrays;
    t->array.length = array->length;
}

typedef struct read_batch {
    int64_t rows;
    const char *nodes; /* length and null count of each */
    size_t node_count;
    const char *buffers;
    size_t buffer_count;
    const char *body;
    int64_t body_bytes;
} read_batch;

static read_batch write_batch(fixture *f, const table *t)
{
    buf *scratch = buf_in(f->arena, LIMIT_MIB);
    buf *all = buf_in(f->arena, LIMIT_MIB);
    arrow_message m;
    const char *message;
    const char *batch;
    read_batch r;

    EXPECT_OK(arrow_write_batch(&t->schema, &t->array, scratch, f->arena, &m, &f->err));
    for (size_t i = 0; i < m.count; i++) {
        buf_add(all, m.slices[i].iov_base, m.slices[i].iov_len);
    }
    assert_int_equal(all->size, m.size_bytes);
    message = open_message(f, buf_str(all), &r.body);
    assert_int_equal(number(message, 0, 2), 4); /* version 5 */
    assert_int_equal(number(message, 1, 1), 3); /* a record batch */
    r.body_bytes = number(message, 3, 8);
    assert_int_equal(r.body_bytes % 8, 0);
    batch = child(message, 2);
    r.rows = number(batch, 0, 8);
    r.node_count = vector(batch, 1, &r.nodes);
    r.buffer_count = vector(batch, 2, &r.buffers);
    assert_int_equal((uintptr_t)r.nodes % 8, 0);
    return r;
}

static void expect_node(const read_batch *r, size_t index, int64_t length, int64_t nulls)
{
    assert_int_equal(number_at(r->nodes + 16 * index, 8), length);
    assert_int_equal(number_at(r->nodes + 16 * index + 8, 8), nulls);
}

static void expect_buffer(const read_batch *r, size_t index, const void *bytes, int64_t size)
{
    int64_t offset = number_at(r->buffers + 16 * index, 8);

    assert_int_equal(offset % 8, 0);
    assert_int_equal(number_at(r->buffers + 16 * index + 8, 8), size);
    assert_true(offset + size <= r->body_bytes);
    if (size > 0) {
        assert_memory_equal(r->body + offset, bytes, (size_t)size);
    }
}

/* --- claims --- */

static void test_the_schema_says_names_types_and_nullability(void **state)
{
    fixture *f = *state;
    struct ArrowSchema id = field("l", "id");
    struct ArrowSchema at = field("tsu:Europe/Oslo", "at");
    struct ArrowSchema amount = field("d:20,3", "amount");
    struct ArrowArray none = {0};
    table t = {0};
    buf *out = buf_in(f->arena, LIMIT_MIB);
    const char metadata[] = "\1\0\0\0\1\0\0\0k\2\0\0\0vw";
    const char *body;
    const char *fields;
    const char *column;
    const char *pairs;
    const char *message;

    id.flags = 0;
    amount.metadata = metadata;
    add_column(&t, &id, &none);
    add_column(&t, &at, &none);
    add_column(&t, &amount, &none);
    EXPECT_OK(arrow_write_schema(&t.schema, out, &f->err));
    message = open_message(f, buf_str(out), &body);
    assert_int_equal(number(message, 0, 2), 4);
    assert_int_equal(number(message, 1, 1), 1); /* a schema */
    assert_int_equal(number(message, 3, 8), 0); /* no body */
    assert_int_equal(number(child(message, 2), 0, 2), 0);
    assert_int_equal(vector(child(message, 2), 1, &fields), 3);

    column = follow(fields);
    EXPECT_STR(text(column, 0), "id");
    assert_int_equal(number(column, 1, 1), 0);
    assert_int_equal(number(column, 2, 1), 2); /* Int */
    assert_int_equal(number(child(column, 3), 0, 4), 64);
    assert_int_equal(number(child(column, 3), 1, 1), 1);
    assert_null(slot(column, 4)); /* no dictionary */
    column = follow(fields + 4);
    assert_int_equal(number(column, 1, 1), 1);
    assert_int_equal(number(column, 2, 1), 10); /* Timestamp */
    assert_int_equal(number(child(column, 3), 0, 2), 2);
    EXPECT_STR(text(child(column, 3), 1), "Europe/Oslo");
    column = follow(fields + 8);
    assert_int_equal(number(column, 2, 1), 7); /* Decimal */
    assert_int_equal(number(child(column, 3), 0, 4), 20);
    assert_int_equal(number(child(column, 3), 1, 4), 3);
    assert_int_equal(number(child(column, 3), 2, 4), 128);
    assert_int_equal(vector(column, 6, &pairs), 1);
    EXPECT_STR(text(follow(pairs), 0), "k");
    EXPECT_STR(text(follow(pairs), 1), "vw");
}

static void test_buffers_are_the_arrays_own(void **state)
{
    fixture *f = *state;
    static const int32_t values[] = {1, 2, 3};
    static const uint8_t valid[] = {0x05};
    const void *buffers[] = {valid, values};
    struct ArrowSchema schema = field("i", "n");
    struct ArrowArray array = {.length = 3, .null_count = 1, .n_buffers = 2, .buffers = buffers};
    arrow_message m;
    table t = {0};
    read_batch r;

    add_column(&t, &schema, &array);
    r = write_batch(f, &t);
    assert_int_equal(r.rows, 3);
    assert_int_equal(r.node_count, 1);
    expect_node(&r, 0, 3, 1);
    expect_buffer(&r, 0, valid, 1);
    expect_buffer(&r, 1, values, 12);
    assert_int_equal(r.body_bytes, 8 + 16);
    EXPECT_OK(
        arrow_write_batch(&t.schema, &t.array, buf_in(f->arena, LIMIT_MIB), f->arena, &m, &f->err));
    assert_ptr_equal(m.slices[1].iov_base, valid); /* nothing was copied */
    assert_ptr_equal(m.slices[3].iov_base, values);
}

static void test_offsets_into_arrays_are_honoured(void **state)
{
    fixture *f = *state;
    static const uint8_t bits[] = {0xa5, 0x0f,
                                   0x01}; /* from bit 3: 0 0 1 0 1 | 1 1 1 1 0 0 0 0 | 1 */
    static const char expected_bits[] = {(char)0xf4, 0x21};
    static const char letters[] = "abbcccdddd";
    static const int32_t offsets[] = {0, 1, 3, 6, 10};
    static const int32_t expected_offsets[] = {0, 3, 7};
    const void *bool_buffers[] = {NULL, bits};
    const void *text_buffers[] = {NULL, offsets, letters};
    struct ArrowSchema flags = field("b", "flags");
    struct ArrowSchema words = field("u", "words");
    struct ArrowArray flag_array = {
        .length = 14, .offset = 2, .n_buffers = 2, .buffers = bool_buffers};
    struct ArrowArray word_array = {
        .length = 2, .offset = 1, .n_buffers = 3, .buffers = text_buffers};
    table t = {0};
    table u = {0};
    read_batch r;

    add_column(&t, &flags, &flag_array);
    t.array.offset = 1; /* of the struct, and 2 of the column: from bit 3 */
    r = write_batch(f, &t);
    expect_buffer(&r, 1, expected_bits, 2);

    add_column(&u, &words, &word_array);
    u.array.offset = 1;
    r = write_batch(f, &u);
    expect_buffer(&r, 1, expected_offsets, 12);
    expect_buffer(&r, 2, "cccdddd", 7);
}

static void test_null_counts_are_counted_where_unknown(void **state)
{
    fixture *f = *state;
    uint8_t valid[40];
    static const int8_t values[320];
    const void *buffers[] = {valid, values};
    struct ArrowSchema schema = field("c", "n");
    struct ArrowArray array = {
        .length = 300, .null_count = -1, .offset = 5, .n_buffers = 2, .buffers = buffers};
    table t = {0};
    read_batch r;

    memset(valid, 0xff, sizeof(valid));
    add_column(&t, &schema, &array);
    r = write_batch(f, &t);
    expect_node(&r, 0, 300, 0);
    expect_buffer(&r, 0, NULL, 0); /* nothing is null: no bitmap */
    valid[0] = 0x1f;               /* 5, 6, 7 */
    valid[20] = 0;
    valid[38] = 0; /* 304: the last; 305 and on lie behind the end */
    r = write_batch(f, &t);
    expect_node(&r, 0, 300, 3 + 8 + 1);
}

static void test_lists_send_the_part_of_their_child_they_use(void **state)
{
    fixture *f = *state;
    static const int64_t values[] = {10, 11, 12, 13, 14};
    static const int32_t offsets[] = {0, 2, 3, 5};
    static const int32_t expected[] = {0, 1, 3};
    const void *list_buffers[] = {NULL, offsets};
    const void *item_buffers[] = {NULL, values};
    struct ArrowSchema item = field("l", "item");
    struct ArrowSchema *item_schemas[] = {&item};
    struct ArrowSchema schema = field("+l", "list");
    struct ArrowArray items = {.length = 5, .n_buffers = 2, .buffers = item_buffers};
    struct ArrowArray *children[] = {&items};
    struct ArrowArray array = {.length = 2,
                               .offset = 1,
                               .n_buffers = 2,
                               .buffers = list_buffers,
                               .n_children = 1,
                               .children = children};
    table t = {0};
    read_batch r;

    schema.n_children = 1;
    schema.children = item_schemas;
    add_column(&t, &schema, &array);
    r = write_batch(f, &t);
    assert_int_equal(r.node_count, 2);
    expect_node(&r, 0, 2, 0);
    expect_node(&r, 1, 3, 0);
    expect_buffer(&r, 1, expected, 12);
    expect_buffer(&r, 3, values + 2, 24);
}

static void test_dictionaries_are_written_out(void **state)
{
    fixture *f = *state;
    static const uint8_t indices[] = {2, 0, 1, 2, 0};
    static const uint8_t valid[] = {0x1b}; /* the third is null */
    static const int32_t offsets[] = {0, 3, 3, 7};
    static const char words[] = "redblue";
    static const int32_t expected[] = {0, 4, 7, 7, 11, 14};
    const void *index_buffers[] = {valid, indices};
    const void *word_buffers[] = {NULL, offsets, words};
    struct ArrowSchema values = field("u", "");
    struct ArrowSchema schema = field("C", "colour");
    struct ArrowArray value_array = {.length = 3, .n_buffers = 3, .buffers = word_buffers};
    struct ArrowArray array = {.length = 5,
                               .null_count = 1,
                               .n_buffers = 2,
                               .buffers = index_buffers,
                               .dictionary = &value_array};
    table t = {0};
    read_batch r;
    buf *out = buf_in(f->arena, LIMIT_MIB);
    const char *fields;
    const char *body;

    schema.dictionary = &values;
    add_column(&t, &schema, &array);
    EXPECT_OK(arrow_write_schema(&t.schema, out, &f->err));
    (void)vector(child(open_message(f, buf_str(out), &body), 2), 1, &fields);
    assert_int_equal(number(follow(fields), 2, 1), 5); /* Utf8 */
    r = write_batch(f, &t);
    expect_node(&r, 0, 5, 1);
    expect_buffer(&r, 0, valid, 1);
    expect_buffer(&r, 1, expected, 24);
    expect_buffer(&r, 2, "blueredbluered", 14);
}

static void test_empty_batches_have_their_first_offset(void **state)
{
    fixture *f = *state;
    const void *buffers[] = {NULL, NULL, NULL};
    struct ArrowSchema schema = field("U", "words");
    struct ArrowArray array = {.n_buffers = 3, .buffers = buffers};
    table t = {0};
    read_batch r;

    add_column(&t, &schema, &array);
    r = write_batch(f, &t);
    assert_int_equal(r.rows, 0);
    expect_buffer(&r, 1, "\0\0\0\0\0\0\0\0", 8);
    expect_buffer(&r, 2, NULL, 0);
}

static void test_types_that_cannot_be_written_are_named(void **state)
{
    static const struct {
        const char *format;
        const char *message;
    } cases[] = {
        {"+vl", "column \"s\": column \"x\": type \"+vl\" cannot be written as Arrow"},
        {"+r", "column \"s\": column \"x\": type \"+r\" cannot be written as Arrow"},
        {"d:5", "column \"s\": column \"x\": type \"d:5\" cannot be written as Arrow"},
        {"w:-1", "column \"s\": column \"x\": type \"w:-1\" cannot be written as Arrow"},
        {"", "column \"s\": column \"x\": type \"\" cannot be written as Arrow"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ArrowSchema x = field(cases[i].format, "x");
        struct ArrowSchema *inner[] = {&x};
        struct ArrowSchema s = field("+s", "s");
        struct ArrowArray none = {0};
        table t = {0};
        buf *out = buf_in(f->arena, LIMIT_MIB);

        s.n_children = 1;
        s.children = inner;
        add_column(&t, &s, &none);
        EXPECT_STATUS(UNSUPPORTED, arrow_write_schema(&t.schema, out, &f->err));
        EXPECT_MESSAGE(f, cases[i].message);
        assert_int_equal(out->size, 0);
    }
}

static void test_the_stream_ends_with_its_marker(void **state)
{
    fixture *f = *state;
    buf *out = buf_in(f->arena, 100);

    arrow_write_end(out);
    assert_int_equal(out->size, 8);
    assert_memory_equal(out->data, "\xff\xff\xff\xff\0\0\0\0", 8);
}

TESTS(test_the_schema_says_names_types_and_nullability, test_buffers_are_the_arrays_own,
      test_offsets_into_arrays_are_honoured, test_null_counts_are_counted_where_unknown,
      test_lists_send_the_part_of_their_child_they_use, test_dictionaries_are_written_out,
      test_empty_batches_have_their_first_offset, test_types_that_cannot_be_written_are_named,
      test_the_stream_ends_with_its_marker)

/* Claims about base/buf.h and base/vec.h. */
#include "support/test.h"
#include "tarn/base/buf.h"
#include "tarn/base/vec.h"

static void test_an_empty_buffer_is_terminated(void **state)
{
    buf b;

    (void)state;
    buf_init(&b, 10);
    assert_string_equal(b.data, "");
    assert_int_equal(b.size, 0);
    buf_add_c(&b, "");
    buf_consume(&b, 0);
    buf_commit(&b, 0);
    assert_string_equal(b.data, "");
    buf_release(&b);
    buf_release(&b); /* twice is fine */
}

static void test_appends_follow_each_other_and_are_terminated(void **state)
{
    fixture *f = *state;
    buf *b = buf_in(f->arena, 100000);
    char expected[2001];

    for (int i = 0; i < 1000; i++) {
        buf_add_char(b, 'x');
        buf_add_str(b, STR("y"));
        assert_int_equal(b->data[b->size], '\0');
        expected[2 * i] = 'x';
        expected[2 * i + 1] = 'y';
    }
    expected[2000] = '\0';
    EXPECT_STR(buf_str(b), expected);
    EXPECT_OK(buf_check(b, "text", &f->err));
}

static void test_the_maximum_is_reached_exactly(void **state)
{
    fixture *f = *state;
    buf *b = buf_in(f->arena, 10);

    buf_add_c(b, "01234");
    buf_add_c(b, "56789");
    EXPECT_OK(buf_check(b, "text", &f->err));
    EXPECT_STR(buf_str(b), "0123456789");
    buf_add_char(b, 'x');
    EXPECT_STATUS(TOO_LARGE, buf_check(b, "request body", &f->err));
    EXPECT_MESSAGE(f, "request body is larger than 10 bytes");
    EXPECT_STR(buf_str(b), "0123456789");
}

static void test_after_a_failure_nothing_is_added(void **state)
{
    fixture *f = *state;
    buf *b = buf_in(f->arena, 4);

    buf_add_c(b, "abc");
    buf_add_c(b, "defg");
    buf_add_c(b, "h"); /* would fit, but the text would have a hole */
    buf_printf(b, "%d", 1);
    EXPECT_STR(buf_str(b), "abc");
    assert_null(buf_reserve(b, 1));
    buf_clear(b);
    buf_add_c(b, "wxyz");
    EXPECT_OK(buf_check(b, "text", &f->err));
    EXPECT_STR(buf_str(b), "wxyz");
}

static void test_sizes_near_the_end_of_the_address_space_fail(void **state)
{
    buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    buf_add_c(&b, "x");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    assert_string_equal(b.data, "x");
    buf_release(&b);
}

/* Sanitizers would end the program where the system answers NULL. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void test_memory_that_the_system_refuses_is_an_error(void **state)
{
    fixture *f = *state;
    buf b;

    buf_init(&b, SIZE_MAX);
    assert_null(buf_reserve(&b, SIZE_MAX / 4));
    EXPECT_STATUS(OUT_OF_MEMORY, buf_check(&b, "manifest", &f->err));
    EXPECT_MESSAGE(f, "manifest needs more memory than the system has");
    buf_release(&b);
}

static void test_printf_works_at_every_fill_level(void **state)
{
    fixture *f = *state;

    for (size_t filled = 0; filled < 140; filled++) {
        buf *b = buf_in(f->arena, 1000);

        for (size_t i = 0; i < filled; i++) {
            buf_add_char(b, '.');
        }
        buf_printf(b, "%s-%d", "abcdef", 42);
        assert_int_equal(b->size, filled + 9);
        assert_string_equal(b->data + filled, "abcdef-42");
    }
}

static void test_a_printf_that_does_not_fit_leaves_nothing_behind(void **state)
{
    fixture *f = *state;
    buf *b = buf_in(f->arena, 70);

    buf_printf(b, "%060d", 1);
    buf_printf(b, "%s", "0123456789x");
    assert_true(b->failed);
    assert_int_equal(b->size, 60);
    assert_int_equal(b->data[60], '\0');
    buf_clear(b);
    buf_printf(b, "%070d", 1);
    EXPECT_OK(buf_check(b, "text", &f->err));
    assert_int_equal(b->size, 70);
}

static void test_numbers_have_the_byte_order_that_their_names_say(void **state)
{
    fixture *f = *state;
    buf *b = buf_in(f->arena, 100);

    buf_add_u16le(b, 0x0102);
    buf_add_u32le(b, 0x01020304);
    buf_add_u64le(b, UINT64_C(0x0102030405060708));
    buf_add_u32be(b, 0x01020304);
    assert_int_equal(b->size, 18);
    assert_memory_equal(b->data,
                        "\x02\x01"
                        "\x04\x03\x02\x01"
                        "\x08\x07\x06\x05\x04\x03\x02\x01"
                        "\x01\x02\x03\x04",
                        18);
}

static void test_reserved_room_counts_when_committed(void **state)
{
    fixture *f = *state;
    buf *b = buf_in(f->arena, 1000);
    char *room = buf_reserve(b, 500);

    assert_non_null(room);
    assert_int_equal(b->size, 0);
    memcpy(room, "abc", 3);
    buf_commit(b, 3);
    EXPECT_STR(buf_str(b), "abc");
    assert_int_equal(b->data[3], '\0');
}

static void test_consume_takes_from_the_front(void **state)
{
    fixture *f = *state;
    buf *b = buf_in(f->arena, 100);

    buf_add_c(b, "abcdef");
    buf_consume(b, 2);
    EXPECT_STR(buf_str(b), "cdef");
    buf_truncate(b, 3);
    EXPECT_STR(buf_str(b), "cde");
    buf_consume(b, 3);
    assert_string_equal(b->data, "");
}

typedef VEC(int) int_vec;

static void test_vec_keeps_items_while_it_grows(void **state)
{
    fixture *f = *state;
    arena *homes[] = {f->arena, NULL};

    for (size_t h = 0; h < COUNT_OF(homes); h++) {
        int_vec v = {0};

        for (int i = 0; i < 5000; i++) {
            vec_push(homes[h], &v, i * 3);
        }
        assert_int_equal(v.count, 5000);
        for (int i = 0; i < 5000; i++) {
            assert_int_equal(v.items[i], i * 3);
        }
        if (homes[h] == NULL) {
            mem_free(v.items);
        }
    }
}

TESTS(test_an_empty_buffer_is_terminated, test_appends_follow_each_other_and_are_terminated,
      test_the_maximum_is_reached_exactly, test_after_a_failure_nothing_is_added,
      test_sizes_near_the_end_of_the_address_space_fail,
      test_memory_that_the_system_refuses_is_an_error, test_printf_works_at_every_fill_level,
      test_a_printf_that_does_not_fit_leaves_nothing_behind,
      test_numbers_have_the_byte_order_that_their_names_say,
      test_reserved_room_counts_when_committed, test_consume_takes_from_the_front,
      test_vec_keeps_items_while_it_grows)

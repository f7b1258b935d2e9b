/* Claims about base/map.h. */
#include <stdio.h>

#include "support/test.h"
#include "tarn/base/map.h"
#include "tarn/base/rng.h"

static int values[2000];

static void test_get_set_and_replace(void **state)
{
    fixture *f = *state;
    map *m = map_create(f->arena);

    assert_null(map_get(m, STR("a")));
    assert_false(map_has(m, STR("a")));
    assert_null(map_set(m, STR("a"), &values[0]));
    assert_ptr_equal(map_get(m, STR("a")), &values[0]);
    assert_ptr_equal(map_set(m, STR("a"), &values[1]), &values[0]);
    assert_ptr_equal(map_get(m, STR("a")), &values[1]);
    assert_int_equal(map_count(m), 1);
    assert_null(map_get(m, STR("A")));
    assert_null(map_get(m, STR("")));
}

static void test_a_null_value_is_there(void **state)
{
    fixture *f = *state;
    map *m = map_create(f->arena);

    map_set(m, STR(""), NULL);
    assert_null(map_get(m, STR("")));
    assert_true(map_has(m, STR("")));
    assert_true(map_has(m, STR_NULL)); /* the empty key, however it is written */
}

static void test_keys_are_copied(void **state)
{
    map *m = map_create(NULL);
    char key[] = "first";

    (void)state;
    map_set(m, str_c(key), &values[0]);
    key[0] = 'F';
    assert_true(map_has(m, STR("first")));
    assert_false(map_has(m, STR("First")));
    map_free(m);
    map_free(NULL);
}

static void test_iteration_is_in_order_of_insertion(void **state)
{
    fixture *f = *state;
    map *m = map_create(f->arena);
    map_entry entry;
    size_t at = 0;
    char key[16];

    for (size_t i = 0; i < COUNT_OF(values); i++) {
        (void)snprintf(key, sizeof(key), "%zu", i * 7919 % COUNT_OF(values));
        map_set(m, str_c(key), &values[i]);
    }
    map_set(m, STR("0"), &values[0]); /* replacing does not move */
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        (void)snprintf(key, sizeof(key), "%zu", i * 7919 % COUNT_OF(values));
        assert_true(map_next(m, &at, &entry));
        EXPECT_STR(entry.key, key);
        assert_ptr_equal(entry.value, &values[i]);
    }
    assert_false(map_next(m, &at, &entry));
}

static void test_removing_keeps_the_order_of_the_rest(void **state)
{
    fixture *f = *state;
    map *m = map_create(f->arena);
    map_entry entry;
    size_t at = 0;

    map_set(m, STR("a"), &values[0]);
    map_set(m, STR("b"), &values[1]);
    map_set(m, STR("c"), &values[2]);
    assert_ptr_equal(map_remove(m, STR("b")), &values[1]);
    assert_null(map_remove(m, STR("b")));
    map_set(m, STR("b"), &values[3]);
    assert_int_equal(map_count(m), 3);
    assert_true(map_next(m, &at, &entry));
    EXPECT_STR(entry.key, "a");
    assert_true(map_next(m, &at, &entry));
    EXPECT_STR(entry.key, "c");
    assert_true(map_next(m, &at, &entry));
    EXPECT_STR(entry.key, "b");
    assert_false(map_next(m, &at, &entry));
}

static void test_removing_while_iterating_visits_each_once(void **state)
{
    map *m = map_create(NULL);
    map_entry entry;
    size_t visited = 0;
    char key[16];

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(key, sizeof(key), "%zu", i);
        map_set(m, str_c(key), &values[i]);
    }
    for (size_t at = 0; map_next(m, &at, &entry);) {
        assert_ptr_equal(entry.value, &values[visited]);
        assert_ptr_equal(map_remove(m, entry.key), entry.value);
        visited++;
    }
    assert_int_equal(visited, 100);
    assert_int_equal(map_count(m), 0);
    map_free(m);
}

/* Against an array that is searched from end to end. */
static void test_a_long_random_life_agrees_with_a_plain_array(void **state)
{
    map *m = map_create(NULL);
    void *expected[200] = {NULL};
    size_t count = 0;
    rng random;
    char key[16];

    (void)state;
    rng_seed(&random, 11);
    for (int step = 0; step < 50000; step++) {
        size_t which = (size_t)rng_below(&random, COUNT_OF(expected));
        void *value = &values[rng_below(&random, COUNT_OF(values))];

        (void)snprintf(key, sizeof(key), "key-%zu", which);
        assert_ptr_equal(map_get(m, str_c(key)), expected[which]);
        if (rng_below(&random, 2) == 0) {
            assert_ptr_equal(map_set(m, str_c(key), value), expected[which]);
            count += expected[which] == NULL ? 1 : 0;
            expected[which] = value;
        } else {
            assert_ptr_equal(map_remove(m, str_c(key)), expected[which]);
            count -= expected[which] != NULL ? 1 : 0;
            expected[which] = NULL;
        }
        assert_int_equal(map_count(m), count);
    }
    map_free(m);
}

static void test_coming_and_going_does_not_grow_the_map(void **state)
{
    map *m = map_create(NULL);
    size_t at = 0;
    map_entry entry;
    char key[16];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(key, sizeof(key), "%d", i);
        map_set(m, str_c(key), &values[0]);
        map_remove(m, str_c(key));
    }
    /* `at` ends behind the last entry: holes would show in it. */
    assert_false(map_next(m, &at, &entry));
    assert_in_range(at, 0, 16);
    map_free(m);
}

TESTS(test_get_set_and_replace, test_a_null_value_is_there, test_keys_are_copied,
      test_iteration_is_in_order_of_insertion, test_removing_keeps_the_order_of_the_rest,
      test_removing_while_iterating_visits_each_once,
      test_a_long_random_life_agrees_with_a_plain_array,
      test_coming_and_going_does_not_grow_the_map)

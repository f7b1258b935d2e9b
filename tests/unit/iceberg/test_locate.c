/* Where the files of a moved table lie. */
#include "support/test.h"
#include "tarn/iceberg/metadata.h"

static void test_the_longest_prefix_that_ends_at_a_slash_wins(void **given)
{
    fixture *f = *given;
    static const ice_rebase rules[] = {
        {STR_INIT("data/persistent/t"), STR_INIT("file:///lake/t")},
        {STR_INIT("file:///old"), STR_INIT("file:///new/")},
        {STR_INIT("/old/deep/"), STR_INIT("s3://warehouse/deep")},
        {STR_INIT("./here"), STR_INIT("/there")},
    };
    static const struct {
        const char *location, *expected;
    } cases[] = {
        {"data/persistent/t/metadata/x.avro", "file:///lake/t/metadata/x.avro"},
        {"data/persistent/t", "file:///lake/t"},
        {"data/persistent/tt/x", "data/persistent/tt/x"},
        {"./data/persistent/t/x", "file:///lake/t/x"},
        {"file:/old/a", "file:///new/a"},
        {"/old/a", "file:///new/a"},
        {"file://localhost/old/a", "file:///new/a"},
        {"file:///old/deep/a", "s3://warehouse/deep/a"},
        {"file:///older/a", "file:///older/a"},
        {"here/a b%20", "/there/a b%20"},
        {"s3://elsewhere/a", "s3://elsewhere/a"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT_STR(ice_rebase_location(rules, COUNT_OF(rules), str_c(cases[i].location), f->arena),
                   cases[i].expected);
    }
}

static void test_a_table_without_rules_lies_where_it_says(void **given)
{
    fixture *f = *given;
    const ice_metadata m = {.rebase_count = 0};
    EXPECT_STR(ice_locate(&m, STR("data/x"), f->arena), "data/x");
}

TESTS(test_the_longest_prefix_that_ends_at_a_slash_wins,
      test_a_table_without_rules_lies_where_it_says)

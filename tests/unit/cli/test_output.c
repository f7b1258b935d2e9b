/* Claims about what rows look like on stdout. */
#include "support/test.h"

#include "cell.h"
#include "output.h"
#include "tarn/base/limits.h"
#include "terminal.h"

static void release_pending(void *context)
{
    buf_release(&((cli *)context)->pending);
}

/* What would be on stdout. */
static cli *context_of(fixture *f, output_format format)
{
    cli *c = ARENA_NEW(f->arena, cli);

    c->memory = c->lifetime = f->arena;
    c->format = format;
    buf_init(&c->pending, LIMIT_MIB);
    arena_defer(f->arena, release_pending, c);
    return c;
}

static const output_column columns[] = {{STR_INIT("id"), STR_INIT("BIGINT")},
                                        {STR_INIT("na|me"), STR_INIT("VARCHAR")}};
static const str rows[][2] = {{STR_INIT("7"), STR_INIT("\"a\\\"b,\\tc\"")},
                              {STR_INIT("1234"), STR_INIT("null")},
                              {STR_INIT("null"), STR_INIT("\"\"")}};

static str print(fixture *f, output_format format, int width)
{
    cli *c = context_of(f, format);
    output *o = output_create(c, width);

    EXPECT_OK(output_begin(o, columns, COUNT_OF(columns), &f->err));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EXPECT_OK(output_row(o, rows[i], 2, &f->err));
    }
    EXPECT_OK(output_end(o, &f->err));
    return buf_str(&c->pending);
}

static void test_a_table_aligns_numbers_right_and_shows_null(void **state)
{
    EXPECT_STR(print(*state, OUTPUT_TABLE, 0), "  id  na|me\n"
                                               "----  -------\n"
                                               "   7  a\"b,\\tc\n"
                                               "1234  NULL\n"
                                               "NULL\n");
}

static void test_a_box_is_closed(void **state)
{
    EXPECT_STR(print(*state, OUTPUT_BOX, 0), "┌──────┬─────────┐\n"
                                             "│   id │ na|me   │\n"
                                             "├──────┼─────────┤\n"
                                             "│    7 │ a\"b,\\tc │\n"
                                             "│ 1234 │ NULL    │\n"
                                             "│ NULL │         │\n"
                                             "└──────┴─────────┘\n");
}

static void test_markdown_escapes_what_would_end_a_cell(void **state)
{
    EXPECT_STR(print(*state, OUTPUT_MD, 0), "|   id | na\\|me  |\n"
                                            "|-----:|---------|\n"
                                            "|    7 | a\"b,\\tc |\n"
                                            "| 1234 | NULL    |\n"
                                            "| NULL |         |\n");
}

static void test_csv_tells_null_from_empty(void **state)
{
    EXPECT_STR(print(*state, OUTPUT_CSV, 0), "id,na|me\n7,\"a\"\"b,\tc\"\n1234,\n,\"\"\n");
}

static void test_tsv_escapes_tabs(void **state)
{
    EXPECT_STR(print(*state, OUTPUT_TSV, 0), "id\tna|me\n7\ta\"b,\\tc\n1234\t\n\t\"\"\n");
}

static void test_json_is_one_array_and_jsonl_one_object_a_line(void **state)
{
    EXPECT_STR(print(*state, OUTPUT_JSONL, 0), "{\"id\":7,\"na|me\":\"a\\\"b,\\tc\"}\n"
                                               "{\"id\":1234,\"na|me\":null}\n"
                                               "{\"id\":null,\"na|me\":\"\"}\n");
    EXPECT_STR(print(*state, OUTPUT_JSON, 0), "[\n{\"id\":7,\"na|me\":\"a\\\"b,\\tc\"},\n"
                                              "{\"id\":1234,\"na|me\":null},\n"
                                              "{\"id\":null,\"na|me\":\"\"}\n]\n");
}

static void test_bytes_of_a_query_are_not_made_here(void **state)
{
    fixture *f = *state;
    output *o = output_create(context_of(f, OUTPUT_PARQUET), 0);

    EXPECT_STATUS(UNSUPPORTED, output_begin(o, columns, 2, &f->err));
}

/* ---- fitting ---- */

static void test_wide_columns_are_cut_to_the_terminal(void **state)
{
    fixture *f = *state;
    cli *c = context_of(f, OUTPUT_TABLE);
    output *o = output_create(c, 20);
    const output_column wide[] = {{STR("n"), STR("INTEGER")}, {STR("text"), STR("VARCHAR")}};
    const str row[] = {STR("1"), STR("\"abcdefghijklmnopqrstuvwxyz\"")};

    EXPECT_OK(output_begin(o, wide, 2, &f->err));
    EXPECT_OK(output_row(o, row, 2, &f->err));
    EXPECT_OK(output_end(o, &f->err));
    EXPECT_STR(buf_str(&c->pending), "n  text\n"
                                     "-  -----------------\n"
                                     "1  abcdefghijklmnop…\n");
}

static void test_columns_in_the_middle_give_way_when_cutting_is_not_enough(void **state)
{
    fixture *f = *state;
    cli *c = context_of(f, OUTPUT_TABLE);
    output *o = output_create(c, 40);
    output_column many[12];
    str row[12];

    for (size_t i = 0; i < 12; i++) {
        many[i] = (output_column){str_printf(f->arena, "column_%zu", i), STR("VARCHAR")};
        row[i] = str_printf(f->arena, "\"value number %zu\"", i);
    }
    EXPECT_OK(output_begin(o, many, 12, &f->err));
    EXPECT_OK(output_row(o, row, 12, &f->err));
    EXPECT_OK(output_end(o, &f->err));
    assert_true(output_hidden_columns(o) >= 8);
    str text = buf_str(&c->pending);
    assert_true(str_find(text, STR("column_0")) != STR_NPOS);
    assert_true(str_find(text, STR("column_11")) != STR_NPOS);
    assert_true(str_find(text, STR("  …  ")) != STR_NPOS); /* what is missing is shown */
    assert_true(str_find(text, STR("column_5")) == STR_NPOS);
    while (text.size > 0) {
        assert_true(text_width(str_cut(text, '\n', &text)) <= 40);
    }
}

static void test_rows_behind_the_sample_are_printed_as_they_come(void **state)
{
    fixture *f = *state;
    cli *c = context_of(f, OUTPUT_TABLE);
    output *o = output_create(c, 0);
    const str row[] = {STR("1"), STR("\"x\"")};

    EXPECT_OK(output_begin(o, columns, 2, &f->err));
    for (int i = 0; i < 400; i++) {
        EXPECT_OK(output_row(o, row, 2, &f->err));
    }
    assert_int_equal(c->pending.size, 0); /* widths are still open */
    for (int i = 0; i < 200; i++) {
        EXPECT_OK(output_row(o, row, 2, &f->err));
    }
    size_t before = c->pending.size;
    EXPECT_OK(output_row(o, row, 2, &f->err));
    assert_true(before > 0 && c->pending.size > before);
}

/* ---- cells ---- */

static str visible(fixture *f, const char *cell)
{
    buf *out = buf_in(f->arena, LIMIT_MIB);
    cell_add_visible(out, str_c(cell));
    return buf_str(out);
}

static void test_control_characters_cannot_steer_a_terminal(void **state)
{
    fixture *f = *state;

    EXPECT_STR(visible(f, "\"a\\u001b[31mb\\nc\\u007f\""), "a\\x1b[31mb\\nc\\x7f");
    EXPECT_STR(visible(f, "\"\\ud83d\\ude00 \\u00fc \\/ \\\\\""), "😀 ü / \\");
    EXPECT_STR(visible(f, "{\"a\":[1,null]}"), "{\"a\":[1,null]}");
}

static void test_arrays_are_split_at_their_own_commas(void **state)
{
    (void)state;
    str cells[4];
    size_t count = 9;

    assert_true(cell_split(STR("[1, \"a,]\\\"\", {\"k\":[1,2]}, null]"), cells, 4, &count));
    assert_int_equal(count, 4);
    EXPECT_STR(cells[1], "\"a,]\\\"\"");
    EXPECT_STR(cells[2], "{\"k\":[1,2]}");
    assert_true(cell_split(STR("[]"), cells, 4, &count));
    assert_int_equal(count, 0);
    assert_false(cell_split(STR("[1,2,3,4,5]"), cells, 4, &count));
    assert_false(cell_split(STR("7"), cells, 4, &count));
}

TESTS(test_a_table_aligns_numbers_right_and_shows_null, test_a_box_is_closed,
      test_markdown_escapes_what_would_end_a_cell, test_csv_tells_null_from_empty,
      test_tsv_escapes_tabs, test_json_is_one_array_and_jsonl_one_object_a_line,
      test_bytes_of_a_query_are_not_made_here, test_wide_columns_are_cut_to_the_terminal,
      test_columns_in_the_middle_give_way_when_cutting_is_not_enough,
      test_rows_behind_the_sample_are_printed_as_they_come,
      test_control_characters_cannot_steer_a_terminal, test_arrays_are_split_at_their_own_commas)

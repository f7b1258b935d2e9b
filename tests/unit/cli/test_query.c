/* Claims about scripts that are cut into statements, and answers that are taken apart on their way. */
#include "support/test.h"

#include "query.h"
#include "rows_stream.h"
#include "tarn/base/limits.h"

/* ---- statements ---- */

static void expect_statements(const char *script, const char *const *wanted, size_t count,
                              bool ended)
{
    str statement;
    bool complete = false;
    size_t at = 0;
    size_t found = 0;

    while (query_next_statement(str_c(script), &at, &statement, &complete)) {
        assert_true(found < count);
        EXPECT_STR(statement, wanted[found++]);
    }
    assert_int_equal(found, count);
    assert_int_equal(complete, ended);
}

#define EXPECT_STATEMENTS(script, ended, ...)                       \
    expect_statements((script), (const char *const[]){__VA_ARGS__}, \
                      COUNT_OF(((const char *const[]){__VA_ARGS__})), (ended))

static void test_semicolons_end_statements(void **state)
{
    (void)state;
    EXPECT_STATEMENTS("select 1; ;\n select 2 ;", true, "select 1", "select 2");
    EXPECT_STATEMENTS("select 1;\nselect 2", false, "select 1", "select 2");
}

static void test_semicolons_in_text_names_and_comments_are_none(void **state)
{
    (void)state;
    EXPECT_STATEMENTS("select 'a;''b', \"c;\"\"d\" -- e;\n, /* f; /* g; */ */ 1;", true,
                      "select 'a;''b', \"c;\"\"d\" -- e;\n, /* f; /* g; */ */ 1");
    EXPECT_STATEMENTS("select $$a;b$$, $t$;$$;$t$, $1; x", false, "select $$a;b$$, $t$;$$;$t$, $1",
                      "x");
    EXPECT_STATEMENTS("select E'a\\';b'; select 'c\\';", true, "select E'a\\';b'", "select 'c\\'");
}

static void test_blanks_and_comments_are_no_statement(void **state)
{
    str statement;
    bool complete;
    size_t at = 0;

    (void)state;
    assert_false(query_next_statement(STR(" -- x;\n/* ; */ ;; "), &at, &statement, &complete));
}

static void test_an_open_string_is_not_complete(void **state)
{
    (void)state;
    EXPECT_STATEMENTS("select 'a;", false, "select 'a;");
    EXPECT_STATEMENTS("select $$a;", false, "select $$a;");
}

/* ---- answers ---- */

typedef struct seen {
    buf *text;
    size_t columns;
} seen;

static status on_begin(void *context, const json *head, error *err)
{
    seen *s = context;
    (void)err;
    s->columns = json_count(json_get(head, "columns"));
    return STATUS_OK;
}

static status on_row(void *context, const str *cells, size_t count, error *err)
{
    seen *s = context;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        buf_printf(s->text, "%.*s|", STR_ARG(cells[i]));
    }
    buf_add_char(s->text, '\n');
    return STATUS_OK;
}

static const char answer[] =
    "{\"query_id\":\"x\",\"columns\":[{\"name\":\"rows\",\"type\":\"INTEGER\"},{\"name\":\"b\"}],"
    "\"rows\":[[1,\"]\\\"},[\"],[null,{\"rows\":[[2]]}]\n],\"row_count\":2,\"stats\":{\"rows\":[3]}}\n";

static void test_answers_are_taken_apart_wherever_they_are_cut(void **state)
{
    fixture *f = *state;

    for (size_t cut = 0; cut < sizeof(answer); cut++) {
        seen s = {.text = buf_in(f->arena, LIMIT_MIB)};
        const rows_handler handler = {.begin = on_begin, .row = on_row, .context = &s};
        rows_stream *stream = rows_stream_create(f->arena, &handler);
        const json *document = NULL;

        EXPECT_OK(rows_stream_feed(stream, answer, cut, &f->err));
        EXPECT_OK(rows_stream_feed(
            stream, answer + cut,
            sizeof(answer) - 1 - (cut < sizeof(answer) - 1 ? cut : sizeof(answer) - 1), &f->err));
        EXPECT_OK(rows_stream_end(stream, &document, &f->err));
        assert_int_equal(s.columns, 2);
        EXPECT_STR(buf_str(s.text), "1|\"]\\\"},[\"|\nnull|{\"rows\":[[2]]}|\n");
        assert_int_equal(json_int64_or(json_get(document, "row_count"), 0), 2);
        assert_int_equal(json_count(json_get(document, "rows")), 0);
    }
}

static void test_an_answer_that_breaks_off_is_an_error(void **state)
{
    fixture *f = *state;
    seen s = {.text = buf_in(f->arena, LIMIT_MIB)};
    const rows_handler handler = {.begin = on_begin, .row = on_row, .context = &s};
    rows_stream *stream = rows_stream_create(f->arena, &handler);
    const json *document = NULL;

    EXPECT_OK(rows_stream_feed(stream, answer, sizeof(answer) / 2, &f->err));
    EXPECT_STATUS(UNAVAILABLE, rows_stream_end(stream, &document, &f->err));
    stream = rows_stream_create(f->arena, &handler);
    EXPECT_OK(rows_stream_feed(stream, "{\"a\":1}", 7, &f->err));
    EXPECT_STATUS(UNAVAILABLE, rows_stream_end(stream, &document, &f->err));
}

TESTS(test_semicolons_end_statements, test_semicolons_in_text_names_and_comments_are_none,
      test_blanks_and_comments_are_no_statement, test_an_open_string_is_not_complete,
      test_answers_are_taken_apart_wherever_they_are_cut,
      test_an_answer_that_breaks_off_is_an_error)

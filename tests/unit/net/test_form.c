/* Claims about forms with a file. */
#include "form_core.h"
#include "raw_http.h"

typedef struct memory {
    str left;
    size_t piece;
} memory;

static status read_memory(void *context, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                          error *err)
{
    memory *m = context;
    size_t size = m->left.size < m->piece ? m->left.size : m->piece;

    (void)err;
    size = size < size_bytes ? size : size_bytes;
    if (size > 0) {
        memcpy(ret_bytes, m->left.data, size);
    }
    m->left = str_slice(m->left, size, m->left.size);
    *ret_size = size;
    return STATUS_OK;
}

#define TYPE "multipart/form-data; boundary=xyz"

static status open_form(fixture *f, const char *type, str body, size_t piece, http_form **ret_form)
{
    memory *m = ARENA_NEW(f->arena, memory);

    *m = (memory){.left = body, .piece = piece};
    form_source source = {.read = read_memory, .context = m};
    return form__open(f->arena, str_c(type), source, ret_form, &f->err);
}

static status read_file(fixture *f, http_form *form, size_t size, str *ret_bytes)
{
    buf *all = buf_in(f->arena, 1 << 24);
    size_t got = 0;

    do {
        char *at = buf_reserve(all, size);
        TRY(form_read_file(form, at, size, &got, &f->err));
        buf_commit(all, got);
    } while (got > 0);
    *ret_bytes = str_from(all->data != NULL ? all->data : "", all->size);
    return STATUS_OK;
}

#define FIELD(name, value) \
    "--xyz\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_HEAD(name) \
    "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=" name "\r\n"

static void test_fields_come_first_and_the_file_streams(void **state)
{
    static const size_t pieces[] = {1, 2, 17, 1000};
    fixture *f = *state;
    str body = STR(
        FIELD("key", "a/${filename}") FIELD("Policy", "eyJ9\r\n--xy\r\n") FIELD("empty", "")
            FILE_HEAD(
                "\"C:\\dir\\n\\\"a;me.txt\"") "Content-Type: text/x; a=b\r\n\r\n"
                                              "one\r\n--xy\r\n\r\ntwo\r\n\r\n--xyz\r\nContent-Disposition: form-data; "
                                              "name=\"submit\"\r\n\r\nbehind\r\n--xyz--\r\n");

    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        for (size_t j = 0; j < COUNT_OF(pieces); j++) {
            http_form *form = NULL;
            str file = STR_NULL;
            size_t count = 0;

            EXPECT_OK(open_form(f, TYPE, body, pieces[i], &form));
            EXPECT_STR(form_value(form, "KEY"), "a/${filename}");
            EXPECT_STR(form_value(form, "policy"), "eyJ9\r\n--xy\r\n");
            EXPECT_STR(form_value(form, "empty"), "");
            assert_true(str_is_null(form_value(form, "submit")));
            EXPECT_STR(form_fields(form, &count)[1].name, "Policy");
            assert_int_equal(count, 3);
            assert_true(form_has_file(form));
            EXPECT_STR(form_file_name(form), "n\"a;me.txt");
            EXPECT_STR(form_file_type(form), "text/x; a=b");
            EXPECT_OK(read_file(f, form, pieces[j], &file));
            EXPECT_STR(file, "one\r\n--xy\r\n\r\ntwo\r\n");
        }
    }
}

static void test_spellings_of_clients_are_understood(void **state)
{
    static const char *const spellings[][4] = {
        /* Content-Type, body, name, content */
        {"Multipart/Form-Data; charset=utf-8; boundary=\"xyz\"",
         FILE_HEAD("plain") "\r\nx\r\n--xyz--", "plain", "x"},
        {TYPE, "\r\n" FILE_HEAD("a/b/c") "\r\n\r\n--xyz--\r\n", "c", ""},
        {TYPE, "--xyz  \t\r\ncontent-disposition:form-data;name=file\r\n\r\nx\r\n--xyz--", "", "x"},
        {TYPE, FILE_HEAD("\"?\"; filename*=UTF-8''na%C3%AFve") "\r\nx\r\n--xyz--", "na\xc3\xafve",
         "x"},
        {TYPE, FILE_HEAD("\"a\"") "\r\nx\r\n--xyz \r\n", "a", "x"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        http_form *form = NULL;
        str file = STR_NULL;

        EXPECT_OK(open_form(f, spellings[i][0], str_c(spellings[i][1]), 3, &form));
        EXPECT_OK(read_file(f, form, 100, &file));
        EXPECT_STR(form_file_name(form), spellings[i][2]);
        EXPECT_STR(file, spellings[i][3]);
    }
}

static void test_broken_forms_are_refused(void **state)
{
    static const char *const broken[][3] = {
        /* Content-Type, body, why */
        {"", "", "Content-Type names no boundary"},
        {"multipart/form-data", "", "Content-Type names no boundary"},
        {"multipart/form-data; boundary=", "", "Content-Type names no boundary"},
        {"multipart/mixed; boundary=xyz", "", "Content-Type names no boundary"},
        {TYPE, "", "it ends too early"},
        {TYPE, "preamble\r\n" FIELD("a", "b"), "it does not begin with its boundary"},
        {TYPE, "--xyz--\r\n", "it has no file"},
        {TYPE, FIELD("a", "b") "--xyz--\r\n", "it has no file"},
        {TYPE, FIELD("a", "b"), "it ends too early"},
        {TYPE, "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nnever ends",
         "it ends too early"},
        {TYPE, "--xyzz\r\n", "a boundary does not stand alone in its line"},
        {TYPE, "--xyz\nContent-Disposition: form-data; name=a\n\nb",
         "a boundary does not stand alone in its line"},
        {TYPE, "--xyz\r\nContent-Disposition: attachment; name=a\r\n\r\nb\r\n--xyz--",
         "a part is no form-data"},
        {TYPE, "--xyz\r\nContent-Type: a/b\r\n\r\nb\r\n--xyz--", "a part is no form-data"},
        {TYPE, "--xyz\r\nContent-Disposition: form-data\r\n\r\nb\r\n--xyz--", "a part has no name"},
        {TYPE, "--xyz\r\nContent-Disposition\r\n\r\nb\r\n--xyz--",
         "the headers of a part are malformed"},
    };
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        http_form *form = NULL;

        EXPECT_STATUS(INVALID, open_form(f, broken[i][0], str_c(broken[i][1]), 4, &form));
        assert_string_equal(error_s3_code(&f->err), "MalformedPOSTRequest");
        if (str_find(str_c(f->err.message), str_c(broken[i][2])) == STR_NPOS) {
            fail_msg("\"%s\" is not \"%s\"", f->err.message, broken[i][2]);
        }
    }
}

static void test_a_file_that_is_cut_off_is_no_file(void **state)
{
    static const char *const cut[] = {"\r\nabc", "\r\nabc\r\n--xy", "\r\nabc\r\n--xyz",
                                      "\r\nabc\r\n--xyz-", "\r\nabc\r\n--xyzw"};
    fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cut); i++) {
        http_form *form = NULL;
        str file = STR_NULL;

        EXPECT_OK(
            open_form(f, TYPE, str_concat(f->arena, STR(FILE_HEAD("a")), str_c(cut[i])), 7, &form));
        EXPECT_STATUS(INVALID, read_file(f, form, 7, &file));
    }
}

static void test_fields_have_limits_and_files_none(void **state)
{
    fixture *f = *state;
    buf *body = buf_in(f->arena, 1 << 24);
    http_form *form = NULL;
    str file = STR_NULL;

    buf_add_c(body, "--xyz\r\nContent-Disposition: form-data; name=\"long\"\r\n\r\n");
    for (size_t i = 0; i < FORM_FIELD_BYTES_MAX; i++) {
        buf_add_char(body, 'x');
    }
    size_t value_end = body->size;
    buf_add_c(body, "\r\n" FILE_HEAD("a") "\r\n");
    size_t file_start = body->size;
    for (size_t i = 0; i < 3000000; i++) {
        buf_add_char(body, i % 3 == 0 ? '\r' : i % 3 == 1 ? '\n' : '-');
    }
    size_t file_end = body->size;
    buf_add_c(body, "\r\n--xyz--");
    EXPECT_OK(open_form(f, TYPE, buf_str(body), 100000, &form));
    assert_int_equal(form_value(form, "long").size, FORM_FIELD_BYTES_MAX);
    EXPECT_OK(read_file(f, form, 30000, &file));
    assert_true(str_equal(file, str_slice(buf_str(body), file_start, file_end)));

    str longer =
        str_concat(f->arena, str_slice(buf_str(body), 0, value_end),
                   str_concat(f->arena, STR("x"), str_slice(buf_str(body), value_end, body->size)));
    EXPECT_STATUS(TOO_LARGE, open_form(f, TYPE, longer, 100000, &form));
    assert_string_equal(error_s3_code(&f->err), "MaxPostPreDataLengthExceeded");

    buf_clear(body);
    for (size_t i = 0; i <= FORM_FIELDS_MAX; i++) {
        buf_add_c(body, FIELD("a", "b"));
    }
    EXPECT_STATUS(INVALID, open_form(f, TYPE, buf_str(body), 100000, &form));
    buf_clear(body);
    buf_add_c(body, "--xyz\r\nX: ");
    for (size_t i = 0; i < 10000; i++) {
        buf_add_char(body, 'x');
    }
    EXPECT_STATUS(INVALID, open_form(f, TYPE, buf_str(body), 1000, &form));
}

/* ---- through a server ---- */

static void answer_form(void *context, http_exchange *x)
{
    error err = ERROR_INIT;
    http_form *form = NULL;
    char bytes[100];
    size_t size = 0;
    status result = form_open(x, &form, &err);

    (void)context;
    result = result == STATUS_OK ? form_read_file(form, bytes, sizeof bytes, &size, &err) : result;
    if (result != STATUS_OK) {
        http_respond(x, 400, NULL, str_c(err.message));
        return;
    }
    str key = form_value(form, "key");
    http_respond(x, 200, NULL,
                 str_printf(http_exchange_arena(x), "%.*s=%.*s", STR_ARG(key), (int)size, bytes));
}

static void test_a_request_holds_a_form(void **state)
{
    fixture *f = *state;
    site *s = site_start(f, NULL, answer_form);
    const char *body = FIELD("key", "k") FILE_HEAD("a") "\r\nhello\r\n--xyz--\r\n";

    str answer = raw_exchange(
        s, str_printf(f->arena,
                      "POST /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: " TYPE
                      "\r\nContent-Length: %zu\r\n\r\n%s",
                      strlen(body), body));
    EXPECT_STR(body_of(answer), "k=hello");
}

TESTS(test_fields_come_first_and_the_file_streams, test_spellings_of_clients_are_understood,
      test_broken_forms_are_refused, test_a_file_that_is_cut_off_is_no_file,
      test_fields_have_limits_and_files_none, test_a_request_holds_a_form)

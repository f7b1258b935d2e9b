/* Request bodies as files: plain ones, and the file part of a multipart form. */
#include "body.h"

#include <fcntl.h>
#include <unistd.h>

#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

#define PIECE_BYTES ((size_t)262144)

static void remove_file(void *path)
{
    (void)unlink(path);
}

status staged_path(call *c, char **ret_path, error *err)
{
    TRY(store_staging_path(c->app->storage, c->a, ret_path, err));
    arena_defer(c->a, remove_file, *ret_path);
    return STATUS_OK;
}

static status check_size(const call *c, int64_t size, error *err)
{
    int64_t size_max = setting_number(c->app->settings, SETTING_HTTP_BODY_MAX);

    if (size > size_max) {
        error_set(err, STATUS_TOO_LARGE, "the body is larger than %lld bytes", (long long)size_max);
        error_hint(err, "The limit is the setting http.body_max.");
        return STATUS_TOO_LARGE;
    }
    return STATUS_OK;
}

static status copy_body(call *c, int fd, int64_t *ret_size, error *err)
{
    char *piece = arena_alloc(c->a, PIECE_BYTES);
    int64_t total = 0;

    for (;;) {
        size_t size = 0;
        TRY(http_body_read(c->x, piece, PIECE_BYTES, &size, err));
        if (size == 0) {
            break;
        }
        total += (int64_t)size;
        TRY(check_size(c, total, err));
        TRY(fs_write_all(fd, piece, size, err));
    }
    *ret_size = total;
    return STATUS_OK;
}

status body_to_file(call *c, const char *path, int64_t *ret_size, error *err)
{
    int fd = -1;

    TRY(check_size(c, http_body_size(c->x), err));
    TRY(fs_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, err));
    status result = copy_body(c, fd, ret_size, err);
    fs_close(fd);
    return result;
}

/* ---- multipart/form-data ----
 *
 * The body is a window that slides over the stream: bytes are taken from its front only when no boundary can begin in
 * them, so a boundary cut by two reads is found all the same. */

#define FORM_FIELDS_MAX 100
#define FORM_VALUE_MAX LIMIT_MIB
#define PART_HEAD_MAX (16 * LIMIT_KIB)

typedef struct form_reader {
    call *c;
    buf window;
    str delimiter; /* "\r\n--boundary" */
    bool ended;    /* the stream */
    form *form;
    int64_t total;
} form_reader;

static status fill(form_reader *r, error *err)
{
    char *space = buf_reserve(&r->window, PIECE_BYTES);
    size_t size = 0;

    TRY(buf_check(&r->window, "form part", err));
    TRY(http_body_read(r->c->x, space, PIECE_BYTES, &size, err));
    buf_commit(&r->window, size);
    r->ended = size == 0;
    r->total += (int64_t)size;
    return check_size(r->c, r->total, err);
}

static status cut_short(error *err)
{
    return error_set(err, STATUS_INVALID, "the form ends in the middle of a part");
}

/* Bytes up to the next delimiter go to `take`; the delimiter is consumed. */
static status read_part(form_reader *r,
                        status (*take)(void *context, const void *bytes, size_t size, error *err),
                        void *context, error *err)
{
    for (;;) {
        size_t at = str_find(buf_str(&r->window), r->delimiter);
        if (at != STR_NPOS) {
            TRY(take(context, r->window.data, at, err));
            buf_consume(&r->window, at + r->delimiter.size);
            return STATUS_OK;
        }
        if (r->window.size > r->delimiter.size) {
            size_t safe = r->window.size - r->delimiter.size;
            TRY(take(context, r->window.data, safe, err));
            buf_consume(&r->window, safe);
        }
        if (r->ended) {
            return cut_short(err);
        }
        TRY(fill(r, err));
    }
}

static status take_to_file(void *context, const void *bytes, size_t size, error *err)
{
    return fs_write_all(*(int *)context, bytes, size, err);
}

static status take_to_buf(void *context, const void *bytes, size_t size, error *err)
{
    buf_add(context, bytes, size);
    return buf_check(context, "form field", err);
}

/* name="value" out of a header's parameters. */
static str parameter(str header, const char *name, arena *a)
{
    str wanted = str_printf(a, "%s=", name);

    for (str rest = header; !str_is_null(rest);) {
        str part = str_trim(str_cut(rest, ';', &rest));
        if (!str_starts_with_nocase(part, wanted)) {
            continue;
        }
        str value = str_slice(part, wanted.size, part.size);
        if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
            value = str_slice(value, 1, value.size - 1);
        }
        return str_copy(a, value);
    }
    return STR_NULL;
}

/* The part's headers: only Content-Disposition matters. */
static status read_head(form_reader *r, str *ret_disposition, error *err)
{
    size_t end;

    while ((end = str_find(buf_str(&r->window), STR("\r\n\r\n"))) == STR_NPOS) {
        if (r->ended || r->window.size > PART_HEAD_MAX) {
            return cut_short(err);
        }
        TRY(fill(r, err));
    }
    *ret_disposition = STR_NULL;
    for (str rest = str_slice(buf_str(&r->window), 0, end); !str_is_null(rest);) {
        str line = str_trim(str_cut(rest, '\n', &rest));
        if (str_starts_with_nocase(line, STR("content-disposition:"))) {
            *ret_disposition = str_copy(r->c->a, line);
        }
    }
    buf_consume(&r->window, end + 4);
    return STATUS_OK;
}

static status read_file_part(form_reader *r, str file_name, error *err)
{
    int fd = -1;

    if (r->form->has_file) {
        return error_set(err, STATUS_INVALID, "the form has more than one file");
    }
    TRY(staged_path(r->c, &r->form->file_path, err));
    TRY(fs_open(r->form->file_path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err));
    status result = read_part(r, take_to_file, &fd, err);
    if (result == STATUS_OK) {
        result = fs_size(fd, &r->form->file_size, err);
    }
    fs_close(fd);
    r->form->has_file = true;
    r->form->file_name = file_name;
    return result;
}

static status read_one(form_reader *r, error *err)
{
    str disposition;

    TRY(read_head(r, &disposition, err));
    str name = parameter(disposition, "name", r->c->a);
    str file_name = parameter(disposition, "filename", r->c->a);
    if (str_is_null(name)) {
        return error_set(err, STATUS_INVALID, "a part of the form has no name");
    }
    if (!str_is_null(file_name)) {
        return read_file_part(r, file_name, err);
    }
    if (r->form->field_count >= FORM_FIELDS_MAX) {
        return error_set(err, STATUS_TOO_LARGE, "the form has more than %d fields",
                         FORM_FIELDS_MAX);
    }
    buf *value = buf_in(r->c->a, FORM_VALUE_MAX);
    TRY(read_part(r, take_to_buf, value, err));
    r->form->fields[r->form->field_count++] = (form_field){.name = name, .value = buf_str(value)};
    return STATUS_OK;
}

static status read_parts(form_reader *r, error *err)
{
    /* The first boundary has no line break before it: pretend one. */
    buf_add_c(&r->window, "\r\n");
    buf *preamble = buf_in(r->c->a, PART_HEAD_MAX);
    TRY(read_part(r, take_to_buf, preamble, err));
    for (;;) {
        while (r->window.size < 2 && !r->ended) {
            TRY(fill(r, err));
        }
        if (r->window.size < 2) {
            return cut_short(err);
        }
        if (str_starts_with(buf_str(&r->window), STR("--"))) {
            return STATUS_OK;
        }
        TRY(read_one(r, err));
    }
}

status form_read(call *c, form *ret_form, error *err)
{
    str type = http_request_header(c->x, "Content-Type");
    str boundary = parameter(type, "boundary", c->a);

    if (boundary.size == 0 || boundary.size > 70) {
        return error_set(err, STATUS_INVALID, "the form has no boundary");
    }
    form result = {.fields = ARENA_ARRAY(c->a, form_field, FORM_FIELDS_MAX)};
    form_reader r = {
        .c = c, .form = &result, .delimiter = str_printf(c->a, "\r\n--%.*s", STR_ARG(boundary))};
    buf_init(&r.window, 4 * PIECE_BYTES);
    status outcome = read_parts(&r, err);
    buf_release(&r.window);
    TRY(outcome);
    *ret_form = result;
    return STATUS_OK;
}

str ingest_form_value(const form *f, const char *name)
{
    for (size_t i = 0; i < f->field_count; i++) {
        if (str_equal(f->fields[i].name, str_c(name))) {
            return f->fields[i].value;
        }
    }
    return STR_NULL;
}

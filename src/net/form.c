/* Forms in parts, read through a window over the body: a part's end is looked for in the window, and what cannot be the
 * begin of a delimiter is handed on.
 *
 *   delimiter = CR LF "--" boundary      before the first part without the line break
 *   part      = delimiter CR LF headers CR LF CR LF bytes
 *   end       = delimiter "--"
 *
 * Invariants
 *   1. `at` is where the window's bytes begin that nobody took; everything before it is forgotten.
 *   2. The window has room for the longest headers of a part and a delimiter; a field's value is collected outside. */
#include "form_core.h"

#include "http_parse.h"
#include "signature_core.h"
#include "tarn/base/vec.h"

enum {
    WINDOW_BYTES = 64 * 1024,
    PART_HEAD_MAX = 8 * 1024,
    BOUNDARY_MAX = 200,
};

struct http_form {
    arena *memory;
    form_source source;
    bool source_ended;
    str delimiter; /* with its line break */
    char *window;
    size_t at, size;
    VEC(form_field) fields;
    bool has_file, file_ended;
    str file_name, file_type;
};

static status malformed(error *err, const char *why)
{
    return signature__refuse(err, STATUS_INVALID, "MalformedPOSTRequest",
                             "the form is not well-formed multipart/form-data: %s", why);
}

/* ---- the window ---- */

static str seen(const http_form *form)
{
    return str_from(form->window + form->at, form->size - form->at);
}

/* More bytes into the window; nothing happens at the end of the body. */
static status fill(http_form *form, error *err)
{
    size_t got = 0;

    if (form->at > 0) {
        memmove(form->window, form->window + form->at, form->size - form->at);
        form->size -= form->at;
        form->at = 0;
    }
    if (form->size == WINDOW_BYTES || form->source_ended) {
        return STATUS_OK;
    }
    TRY(form->source.read(form->source.context, form->window + form->size,
                          WINDOW_BYTES - form->size, &got, err));
    form->size += got;
    form->source_ended = got == 0;
    return STATUS_OK;
}

static status need(http_form *form, size_t size, error *err)
{
    while (form->size - form->at < size) {
        if (form->source_ended) {
            return malformed(err, "it ends too early");
        }
        TRY(fill(form, err));
    }
    return STATUS_OK;
}

/* ---- headers of a part ---- */

/* A parameter of a header's value: name="text" or name=text. */
static str parameter(arena *a, str value, const char *name)
{
    size_t at = str_find_char(value, ';');

    while (at != STR_NPOS && at < value.size) {
        str rest = str_slice(value, at + 1, value.size);
        size_t equal = str_find_char(rest, '=');
        if (equal == STR_NPOS) {
            break;
        }
        str found = str_trim(str_slice(rest, 0, equal));
        rest = str_slice(rest, equal + 1, rest.size);
        char *text = arena_alloc(a, rest.size + 1);
        size_t size = 0;
        size_t i = 0;
        if (rest.size > 0 && rest.data[0] == '"') {
            for (i = 1; i < rest.size && rest.data[i] != '"'; i++) {
                /* Only a quote is escaped: other backslashes are those of paths. */
                i += rest.data[i] == '\\' && i + 1 < rest.size && rest.data[i + 1] == '"';
                text[size++] = rest.data[i];
            }
        } else {
            for (; i < rest.size && rest.data[i] != ';'; i++) {
                text[size++] = rest.data[i];
            }
            size = str_trim(str_from(text, size)).size;
        }
        if (str_equal_nocase(found, str_c(name))) {
            return str_from(text, size);
        }
        size_t next = str_find_char(str_slice(rest, i, rest.size), ';');
        at = next == STR_NPOS ? STR_NPOS : (size_t)(rest.data - value.data) + i + next;
    }
    return STR_NULL;
}

static str last_segment(str path)
{
    for (size_t i = path.size; i > 0; i--) {
        if (path.data[i - 1] == '/' || path.data[i - 1] == '\\') {
            return str_slice(path, i, path.size);
        }
    }
    return path;
}

/* RFC 8187: filename*=UTF-8''na%C3%AFve. */
static str extended_name(arena *a, str disposition)
{
    str text = parameter(a, disposition, "filename*");
    str decoded = STR_NULL;

    if (str_starts_with_nocase(text, STR("utf-8''")) &&
        uri_decode(a, str_slice(text, 7, text.size), &decoded, NULL) == STATUS_OK) {
        return decoded;
    }
    return STR_NULL;
}

typedef struct part_head {
    str name, file_name, type;
} part_head;

static status read_part_head(http_form *form, part_head *ret_head, error *err)
{
    http_header *headers = ARENA_ARRAY(form->memory, http_header, LIMIT_HTTP_HEADERS);
    size_t count = 0;
    size_t end = STR_NPOS;
    str disposition = STR_NULL;
    part_head head = {.type = STR_NULL};

    while ((end = str_find(seen(form), STR("\r\n\r\n"))) == STR_NPOS) {
        if (form->size - form->at > PART_HEAD_MAX) {
            return malformed(err, "the headers of a part are too long");
        }
        TRY(need(form, form->size - form->at + 1, err));
    }
    str bytes = str_copy(form->memory, str_slice(seen(form), 0, end + 4));
    form->at += bytes.size;
    if (http__fields_parse(bytes.data, bytes.size, headers, &count) != HTTP_REFUSE_NONE) {
        return malformed(err, "the headers of a part are malformed");
    }
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(headers[i].name, STR("content-disposition"))) {
            disposition = headers[i].value;
        } else if (str_equal_nocase(headers[i].name, STR("content-type"))) {
            head.type = headers[i].value;
        }
    }
    str rest = STR_NULL;
    if (!str_equal_nocase(str_trim(str_cut(disposition, ';', &rest)), STR("form-data"))) {
        return malformed(err, "a part is no form-data");
    }
    head.name = parameter(form->memory, disposition, "name");
    head.file_name = extended_name(form->memory, disposition);
    if (str_is_null(head.file_name)) {
        head.file_name = parameter(form->memory, disposition, "filename");
    }
    if (str_is_null(head.name)) {
        return malformed(err, "a part has no name");
    }
    *ret_head = head;
    return STATUS_OK;
}

/* ---- parts ---- */

/* Behind a delimiter: whether another part follows. Spaces may stand before the line's end. */
static status read_delimiter_end(http_form *form, bool *ret_more, error *err)
{
    TRY(need(form, 2, err));
    if (str_starts_with(seen(form), STR("--"))) {
        form->at += 2;
        *ret_more = false;
        return STATUS_OK;
    }
    while (form->window[form->at] == ' ' || form->window[form->at] == '\t') {
        form->at++;
        TRY(need(form, 2, err));
    }
    if (!str_starts_with(seen(form), STR("\r\n"))) {
        return malformed(err, "a boundary does not stand alone in its line");
    }
    form->at += 2;
    *ret_more = true;
    return STATUS_OK;
}

/* Bytes of the part that are certain, at least one, and none at its end; then the delimiter has been taken. */
static status part_bytes(http_form *form, str *ret_bytes, error *err)
{
    while (true) {
        str bytes = seen(form);
        size_t end = str_find(bytes, form->delimiter);
        if (end == 0) {
            form->at += form->delimiter.size;
            *ret_bytes = STR_NULL;
            return STATUS_OK;
        }
        if (end != STR_NPOS) {
            *ret_bytes = str_slice(bytes, 0, end);
            return STATUS_OK;
        }
        if (bytes.size >= form->delimiter.size) {
            *ret_bytes = str_slice(bytes, 0, bytes.size - form->delimiter.size + 1);
            return STATUS_OK;
        }
        TRY(need(form, bytes.size + 1, err));
    }
}

static status read_field(http_form *form, str name, error *err)
{
    buf *value = buf_in(form->memory, FORM_FIELD_BYTES_MAX);
    str bytes = STR_NULL;

    if (form->fields.count == FORM_FIELDS_MAX) {
        return malformed(err, "it has too many fields");
    }
    do {
        TRY(part_bytes(form, &bytes, err));
        buf_add_str(value, bytes);
        form->at += bytes.size;
        if (value->failed) {
            return signature__refuse(err, STATUS_TOO_LARGE, "MaxPostPreDataLengthExceeded",
                                     "the field \"%.*s\" of the form is too large", STR_ARG(name));
        }
    } while (bytes.size > 0);
    form_field field = {.name = name, .value = buf_str(value)};
    if (str_is_null(field.value)) {
        field.value = STR("");
    }
    vec_push(form->memory, &form->fields, field);
    return STATUS_OK;
}

static status read_to_file(http_form *form, error *err)
{
    str first = str_slice(form->delimiter, 2, form->delimiter.size);
    bool more = false;

    TRY(need(form, first.size, err));
    if (str_starts_with(seen(form), STR("\r\n"))) {
        form->at += 2;
        TRY(need(form, first.size, err));
    }
    if (!str_starts_with(seen(form), first)) {
        return malformed(err, "it does not begin with its boundary");
    }
    form->at += first.size;
    while (!form->has_file) {
        part_head head;
        TRY(read_delimiter_end(form, &more, err));
        if (!more) {
            return malformed(err, "it has no file");
        }
        TRY(read_part_head(form, &head, err));
        if (str_equal_nocase(head.name, STR("file"))) {
            form->has_file = true;
            form->file_name = last_segment(head.file_name);
            form->file_type = head.type;
        } else {
            TRY(read_field(form, head.name, err));
        }
    }
    return STATUS_OK;
}

status form__open(arena *a, str content_type, form_source source, http_form **ret_form, error *err)
{
    http_form *form = ARENA_NEW(a, http_form);
    str rest = STR_NULL;
    str boundary = parameter(a, content_type, "boundary");

    if (!str_equal_nocase(str_trim(str_cut(content_type, ';', &rest)),
                          STR("multipart/form-data")) ||
        boundary.size == 0 || boundary.size > BOUNDARY_MAX) {
        return malformed(err, "Content-Type names no boundary");
    }
    form->memory = a;
    form->source = source;
    form->delimiter = str_concat(a, STR("\r\n--"), boundary);
    form->window = arena_alloc(a, WINDOW_BYTES);
    TRY(read_to_file(form, err));
    *ret_form = form;
    return STATUS_OK;
}

static status read_request(void *context, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                           error *err)
{
    return http_body_read(context, ret_bytes, size_bytes, ret_size, err);
}

status form_open(http_exchange *x, http_form **ret_form, error *err)
{
    form_source source = {.read = read_request, .context = x};

    return form__open(http_exchange_arena(x), http_request_header(x, "content-type"), source,
                      ret_form, err);
}

/* ---- what it holds ---- */

const form_field *form_fields(const http_form *form, size_t *ret_count)
{
    *ret_count = form->fields.count;
    return form->fields.items;
}

str form_value(const http_form *form, const char *name)
{
    for (size_t i = 0; i < form->fields.count; i++) {
        if (str_equal_nocase(form->fields.items[i].name, str_c(name))) {
            return form->fields.items[i].value;
        }
    }
    return STR_NULL;
}

bool form_has_file(const http_form *form)
{
    return form->has_file;
}

str form_file_name(const http_form *form)
{
    return form->file_name;
}

str form_file_type(const http_form *form)
{
    return form->file_type;
}

status form_read_file(http_form *form, void *ret_bytes, size_t size_bytes, size_t *ret_size,
                      error *err)
{
    str bytes = STR_NULL;
    bool more = false;

    if (form->file_ended || size_bytes == 0) {
        *ret_size = 0;
        return STATUS_OK;
    }
    TRY(part_bytes(form, &bytes, err));
    bytes = str_slice(bytes, 0, size_bytes);
    if (bytes.size > 0) {
        memcpy(ret_bytes, bytes.data, bytes.size);
        form->at += bytes.size;
    } else {
        TRY(read_delimiter_end(form, &more, err));
        form->file_ended = true;
    }
    *ret_size = bytes.size;
    return STATUS_OK;
}

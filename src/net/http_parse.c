/* The request head: finding its end, taking it apart, refusing what is ambiguous. Bodies are in
 * http_chunked.c and http_body.c. */
#include "http_parse.h"

#include "tarn/net/uri.h"

static const http_refusal_info refusals[] = {
#define X(name, code, kind, message) {code, STATUS_##kind, message},
    HTTP_REFUSAL_TABLE(X)
#undef X
};

const http_refusal_info *http__refusal(http_refusal refusal)
{
    return &refusals[refusal];
}

static const char *const method_names[] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "OTHER",
};

const char *http_method_name(http_method method)
{
    return method_names[method];
}

/* ---- classes of bytes ---- */

enum { IN_TOKEN = 1, IN_VALUE = 2, IN_TARGET = 4, IN_HOST = 8 };

static unsigned char class_of(unsigned char c)
{
    static const char token_marks[] = "!#$%&'*+-.^_`|~";
    static const char host_marks[] = "-._~%!$&'()*+,;=:[]";
    bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    unsigned char class = 0;

    class |= is_alnum || (c != 0 && strchr(token_marks, c) != NULL) ? IN_TOKEN : 0;
    class |= c == '\t' || (c >= 0x20 && c != 0x7f) ? IN_VALUE : 0;
    class |= c > 0x20 && c != 0x7f && c != '#' ? IN_TARGET : 0;
    class |= is_alnum || (c != 0 && strchr(host_marks, c) != NULL) ? IN_HOST : 0;
    return class;
}

static unsigned char classes[256];

/* Filled before main: read by every thread afterwards, written by none. */
__attribute__((constructor)) static void classes_fill(void)
{
    for (unsigned c = 0; c < 256; c++) {
        classes[c] = class_of((unsigned char)c);
    }
}

static bool all_in(const char *bytes, size_t size, unsigned char class)
{
    for (size_t i = 0; i < size; i++) {
        if ((classes[(unsigned char)bytes[i]] & class) == 0) {
            return false;
        }
    }
    return true;
}

bool http__is_token(str text)
{
    return text.size > 0 && all_in(text.data, text.size, IN_TOKEN);
}

/* ---- the end of a head ---- */

enum { FIRST_LINE_MAX = LIMIT_HTTP_TARGET + 64 }; /* 64: method and version */

http_refusal http__head_scan(http_scan *scan, const char *bytes, size_t size, size_t *ret_size)
{
    *ret_size = 0;
    if (size > 0 && (classes[(unsigned char)bytes[0]] & IN_TOKEN) == 0) {
        return HTTP_REFUSE_REQUEST_LINE; /* a TLS greeting, say: no use in waiting for its line to end */
    }
    while (scan->seen < size) {
        const char *found = memchr(bytes + scan->seen, '\n', size - scan->seen);
        if (found == NULL) {
            scan->seen = size;
            break;
        }
        size_t end = (size_t)(found - bytes);
        if (end == 0 || bytes[end - 1] != '\r') {
            return HTTP_REFUSE_LINE_END;
        }
        if (scan->line == 0 && end > FIRST_LINE_MAX) {
            return HTTP_REFUSE_TARGET_SIZE;
        }
        bool is_empty = end - scan->line == 1;
        scan->line = scan->seen = end + 1;
        if (is_empty) {
            if (end + 1 > LIMIT_HTTP_HEAD) {
                return HTTP_REFUSE_HEAD_SIZE;
            }
            *ret_size = end + 1;
            return HTTP_REFUSE_NONE;
        }
    }
    if (scan->line == 0 && size > FIRST_LINE_MAX) {
        return HTTP_REFUSE_TARGET_SIZE;
    }
    return size >= LIMIT_HTTP_HEAD ? HTTP_REFUSE_HEAD_SIZE : HTTP_REFUSE_NONE;
}

/* One line without its CR LF; false where the bytes hold none. */
static bool next_line(const char **at, const char *end, str *ret_line)
{
    const char *feed = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;

    if (feed == NULL || feed == *at || feed[-1] != '\r') {
        return false;
    }
    *ret_line = str_from(*at, (size_t)(feed - *at) - 1);
    *at = feed + 1;
    return true;
}

/* ---- the request line ---- */

static http_method method_from(str name)
{
    for (size_t i = 0; i < HTTP_OTHER; i++) {
        if (str_equal(name, str_c(method_names[i]))) {
            return (http_method)i;
        }
    }
    return HTTP_OTHER;
}

bool http__escapes_valid(str text)
{
    const char *at = text.data;
    const char *end = text.size > 0 ? text.data + text.size : text.data;

    while (at < end && (at = memchr(at, '%', (size_t)(end - at))) != NULL) {
        static const char hex[] = "0123456789abcdefABCDEF";
        if (end - at < 3 || at[1] == '\0' || at[2] == '\0' || strchr(hex, at[1]) == NULL ||
            strchr(hex, at[2]) == NULL || (at[1] == '0' && at[2] == '0')) {
            return false;
        }
        at += 3;
    }
    return true;
}

/* origin-form, absolute-form, and "*" for OPTIONS. */
static http_refusal target_parse(http_head *head)
{
    str target = head->target;

    if (target.size > LIMIT_HTTP_TARGET) {
        return HTTP_REFUSE_TARGET_SIZE;
    }
    if (!all_in(target.data, target.size, IN_TARGET)) {
        return HTTP_REFUSE_TARGET;
    }
    if (target.data[0] == '/') {
        head->path = str_cut(target, '?', &head->query);
    } else if (str_equal(target, STR("*"))) {
        head->path = target;
        return head->method == HTTP_OPTIONS ? HTTP_REFUSE_NONE : HTTP_REFUSE_TARGET;
    } else {
        uri u;
        if (uri_parse(target, &u, NULL) != STATUS_OK ||
            str_starts_with_nocase(u.scheme, STR("file")) ||
            str_starts_with_nocase(u.scheme, STR("s3"))) {
            return HTTP_REFUSE_TARGET;
        }
        size_t from = u.scheme.size + 3;
        size_t to = from;
        while (to < target.size && target.data[to] != '/' && target.data[to] != '?') {
            to++;
        }
        head->host = str_slice(target, from, to);
        head->path = u.path.size > 0 ? u.path : STR("/");
        head->query = u.query;
    }
    return http__escapes_valid(target) ? HTTP_REFUSE_NONE : HTTP_REFUSE_ESCAPE;
}

str http__target_in(const char *bytes, size_t size)
{
    size_t from = 0;

    while (from < size && (classes[(unsigned char)bytes[from]] & IN_TOKEN) != 0) {
        from++;
    }
    if (from == 0 || from == size || bytes[from] != ' ') {
        return STR_NULL;
    }
    size_t to = ++from;
    while (to < size && (classes[(unsigned char)bytes[to]] & IN_TARGET) != 0) {
        to++;
    }
    return to > from ? str_from(bytes + from, to - from) : STR_NULL;
}

static http_refusal request_line_parse(str line, http_head *head)
{
    str rest = STR_NULL;
    str version = STR_NULL;
    str method = str_cut(line, ' ', &rest);

    head->target = str_cut(rest, ' ', &version);
    if (!http__is_token(method) || head->target.size == 0 || version.size != 8 ||
        !str_starts_with(version, STR("HTTP/")) || version.data[6] != '.' ||
        version.data[5] < '0' || version.data[5] > '9' || version.data[7] < '0' ||
        version.data[7] > '9') {
        return HTTP_REFUSE_REQUEST_LINE;
    }
    if (version.data[5] != '1' || version.data[7] > '1') {
        return HTTP_REFUSE_VERSION;
    }
    head->minor_version = version.data[7] - '0';
    head->keep_alive = head->minor_version == 1;
    head->method = method_from(method);
    if (head->method == HTTP_OTHER) {
        return HTTP_REFUSE_METHOD;
    }
    return target_parse(head);
}

/* ---- header lines ---- */

static str trim_blanks(str text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = str_from(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

http_refusal http__fields_parse(const char *bytes, size_t size, http_header *headers,
                                size_t *ret_count)
{
    const char *at = bytes;
    const char *end = bytes + size;
    size_t count = 0;
    str line = STR_NULL;

    while (true) {
        if (!next_line(&at, end, &line)) {
            return HTTP_REFUSE_LINE_END;
        }
        if (line.size == 0) {
            break;
        }
        if (line.data[0] == ' ' || line.data[0] == '\t') {
            return HTTP_REFUSE_FIELD_FOLDED;
        }
        size_t name_size = 0;
        while (name_size < line.size &&
               (classes[(unsigned char)line.data[name_size]] & IN_TOKEN) != 0) {
            name_size++;
        }
        if (name_size == 0 || name_size == line.size || line.data[name_size] != ':') {
            return HTTP_REFUSE_FIELD_NAME; /* a space before the colon too */
        }
        str value = str_from(line.data + name_size + 1, line.size - name_size - 1);
        if (!all_in(value.data, value.size, IN_VALUE)) {
            return HTTP_REFUSE_FIELD_VALUE;
        }
        if (count == LIMIT_HTTP_HEADERS) {
            return HTTP_REFUSE_HEAD_COUNT;
        }
        headers[count++] =
            (http_header){.name = str_from(line.data, name_size), .value = trim_blanks(value)};
    }
    *ret_count = count;
    return at == end ? HTTP_REFUSE_NONE : HTTP_REFUSE_LINE_END;
}

bool http__list_has(str value, str token)
{
    for (str rest = value; !str_is_null(rest);) {
        if (str_equal_nocase(trim_blanks(str_cut(rest, ',', &rest)), token)) {
            return true;
        }
    }
    return false;
}

/* ---- the headers that frame a message ---- */

typedef struct framing {
    http_head *head;
    int lengths, codings, hosts;
} framing;

static http_refusal take_length(framing *f, str value)
{
    int64_t length = 0;

    if (++f->lengths > 1 || value.size == 0 || value.size > 18) {
        return HTTP_REFUSE_LENGTH;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return HTTP_REFUSE_LENGTH;
        }
        length = length * 10 + (value.data[i] - '0');
    }
    f->head->content_length = length;
    return HTTP_REFUSE_NONE;
}

static http_refusal take_coding(framing *f, str value)
{
    if (++f->codings > 1) {
        return HTTP_REFUSE_CODING_TWICE;
    }
    if (f->head->minor_version == 0) {
        return HTTP_REFUSE_CODING_VERSION;
    }
    if (!str_equal_nocase(value, STR("chunked"))) {
        return HTTP_REFUSE_CODING;
    }
    f->head->chunked = true;
    return HTTP_REFUSE_NONE;
}

static http_refusal take_host(framing *f, str value)
{
    if (++f->hosts > 1 || (value.size > 0 && str_is_null(http__host_name(value)))) {
        return HTTP_REFUSE_HOST;
    }
    if (str_is_null(f->head->host)) { /* the authority of an absolute target goes first */
        f->head->host = value;
    }
    return HTTP_REFUSE_NONE;
}

static http_refusal take_connection(framing *f, str value)
{
    if (http__list_has(value, STR("close"))) {
        f->head->keep_alive = false;
    } else if (f->head->minor_version == 0 && http__list_has(value, STR("keep-alive"))) {
        f->head->keep_alive = true;
    }
    return HTTP_REFUSE_NONE;
}

static http_refusal take_expect(framing *f, str value)
{
    if (f->head->minor_version == 0) {
        return HTTP_REFUSE_NONE;
    }
    if (!str_equal_nocase(value, STR("100-continue"))) {
        f->head->expects_more = true;
        return HTTP_REFUSE_NONE;
    }
    f->head->expects_continue = true;
    return HTTP_REFUSE_NONE;
}

static const struct {
    str name;
    http_refusal (*take)(framing *f, str value);
} framing_headers[] = {
    {STR_INIT("content-length"), take_length},
    {STR_INIT("transfer-encoding"), take_coding},
    {STR_INIT("host"), take_host},
    {STR_INIT("connection"), take_connection},
    {STR_INIT("expect"), take_expect},
};

static http_refusal framing_parse(http_head *head)
{
    framing f = {.head = head};

    for (size_t i = 0; i < head->header_count; i++) {
        const http_header *header = &head->headers[i];
        for (size_t k = 0; k < COUNT_OF(framing_headers); k++) {
            if (header->name.size == framing_headers[k].name.size &&
                str_equal_nocase(header->name, framing_headers[k].name)) {
                http_refusal refusal = framing_headers[k].take(&f, header->value);
                if (refusal != HTTP_REFUSE_NONE) {
                    return refusal;
                }
            }
        }
    }
    if (f.lengths > 0 && f.codings > 0) {
        return HTTP_REFUSE_LENGTH_AND_CODING;
    }
    return head->minor_version == 1 && f.hosts == 0 ? HTTP_REFUSE_HOST : HTTP_REFUSE_NONE;
}

http_refusal http__head_parse(const char *bytes, size_t size, http_header *headers,
                              http_head *ret_head)
{
    http_head head = {.content_length = HTTP_NO_LENGTH, .headers = headers};
    const char *at = bytes;
    str line = STR_NULL;
    http_refusal refusal = HTTP_REFUSE_LINE_END;

    if (next_line(&at, bytes + size, &line)) {
        refusal = request_line_parse(line, &head);
    }
    if (refusal == HTTP_REFUSE_NONE) {
        refusal = http__fields_parse(at, size - (size_t)(at - bytes), headers, &head.header_count);
    }
    if (refusal == HTTP_REFUSE_NONE) {
        refusal = framing_parse(&head);
    }
    if (refusal == HTTP_REFUSE_NONE) {
        *ret_head = head;
    }
    return refusal;
}

/* ---- hosts and origins ---- */

str http__host_name(str authority)
{
    str port = STR_NULL;
    str name;

    if (!all_in(authority.data, authority.size, IN_HOST)) {
        return STR_NULL;
    }
    if (authority.size > 0 && authority.data[0] == '[') {
        size_t end = str_find_char(authority, ']');
        if (end == STR_NPOS || end < 3 ||
            (end + 1 < authority.size && authority.data[end + 1] != ':')) {
            return STR_NULL;
        }
        name = str_slice(authority, 1, end);
        port = str_slice(authority, end + 2, authority.size);
    } else {
        name = str_cut(authority, ':', &port);
        if (name.size == 0 || str_find_char(name, '[') != STR_NPOS ||
            str_find_char(name, ']') != STR_NPOS) {
            return STR_NULL;
        }
    }
    for (size_t i = 0; i < port.size; i++) {
        if (port.data[i] < '0' || port.data[i] > '9') {
            return STR_NULL;
        }
    }
    return port.size <= 5 ? name : STR_NULL;
}

/* "127." and nothing but digits and dots behind it: 127.0.0.1.evil.example is a name that anybody can own. */
static bool is_loopback_ip4(str name)
{
    if (!str_starts_with(name, STR("127."))) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] != '.' && (name.data[i] < '0' || name.data[i] > '9')) {
            return false;
        }
    }
    return true;
}

bool http__host_is_loopback(str name)
{
    if (name.size > 0 && name.data[name.size - 1] == '.') {
        name.size--;
    }
    str suffix = name.size > 10 ? str_slice(name, name.size - 10, name.size) : STR_NULL;
    return str_equal_nocase(name, STR("localhost")) ||
           str_equal_nocase(suffix, STR(".localhost")) || str_equal(name, STR("::1")) ||
           is_loopback_ip4(name);
}

static bool host_is_ours(str authority, const str *hosts, size_t host_count)
{
    str name = http__host_name(authority);

    if (str_is_null(name)) {
        return false;
    }
    for (size_t i = 0; i < host_count; i++) {
        if (str_equal_nocase(name, hosts[i])) {
            return true;
        }
    }
    return http__host_is_loopback(name);
}

http_refusal http__check_host(const http_head *head, const str *hosts, size_t host_count)
{
    /* Only a 1.0 client may leave Host out, and no browser is one. */
    if (!(str_is_null(head->host) && head->minor_version == 0) &&
        !host_is_ours(head->host, hosts, host_count)) {
        return HTTP_REFUSE_HOST_UNKNOWN;
    }
    for (size_t i = 0; i < head->header_count; i++) {
        if (!str_equal_nocase(head->headers[i].name, STR("origin"))) {
            continue;
        }
        str rest = head->headers[i].value; /* scheme://host[:port], or "null" */
        size_t at = str_find(rest, STR("://"));
        if (at == STR_NPOS ||
            !host_is_ours(str_slice(rest, at + 3, rest.size), hosts, host_count)) {
            return HTTP_REFUSE_ORIGIN;
        }
    }
    return HTTP_REFUSE_NONE;
}

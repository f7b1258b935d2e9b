/* Percent-coding, query strings and absolute URIs. What a path means is the router's business. */
#include "tarn/net/uri.h"

#include "tarn/base/limits.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static status decode(arena *a, str text, bool plus_is_space, str *ret_text, error *err)
{
    char *out = arena_alloc(a, text.size + 1);
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '%') {
            bool whole = text.size - i > 2;
            int high = whole ? hex_value(text.data[i + 1]) : -1;
            int low = whole ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return error_set(err, STATUS_INVALID, "percent escape at byte %zu is broken", i);
            }
            c = (char)(high * 16 + low);
            if (c == '\0') {
                return error_set(err, STATUS_INVALID, "percent escape at byte %zu is a NUL", i);
            }
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[size++] = c;
    }
    out[size] = '\0';
    *ret_text = str_from(out, size);
    return STATUS_OK;
}

status uri_decode(arena *a, str text, str *ret_text, error *err)
{
    return decode(a, text, false, ret_text, err);
}

status uri_decode_form(arena *a, str text, str *ret_text, error *err)
{
    return decode(a, text, true, ret_text, err);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void uri_encode(buf *out, str text, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0, start = 0; i <= text.size; i++) {
        char c = i < text.size ? text.data[i] : '\0';
        if (is_unreserved(c) || (c != '\0' && keep != NULL && strchr(keep, c) != NULL)) {
            continue;
        }
        buf_add_str(out, str_slice(text, start, i));
        start = i + 1;
        if (i < text.size) {
            char escape[3] = {'%', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 15]};
            buf_add(out, escape, sizeof escape);
        }
    }
}

static size_t count_pairs(str query)
{
    size_t count = 1;

    for (size_t i = 0; i < query.size; i++) {
        count += query.data[i] == '&';
    }
    return count;
}

status uri_parse_query(arena *a, str query, uri_pair **ret_pairs, size_t *ret_count, error *err)
{
    uri_pair *pairs = ARENA_ARRAY(a, uri_pair, count_pairs(query));
    size_t count = 0;

    for (str rest = query; !str_is_null(rest);) {
        str value = STR_NULL;
        str part = str_cut(rest, '&', &rest);
        if (part.size == 0) {
            continue;
        }
        str name = str_cut(part, '=', &value);
        uri_pair *pair = &pairs[count];
        TRY(uri_decode_form(a, name, &pair->name, err));
        pair->value = STR_NULL;
        if (!str_is_null(value)) {
            TRY(uri_decode_form(a, value, &pair->value, err));
        }
        count++;
    }
    *ret_pairs = pairs;
    *ret_count = count;
    return STATUS_OK;
}

static const str known_schemes[] = {STR_INIT("http"), STR_INIT("https"), STR_INIT("s3"),
                                    STR_INIT("file")};

static bool scheme_is_known(str scheme)
{
    for (size_t i = 0; i < COUNT_OF(known_schemes); i++) {
        if (str_equal_nocase(scheme, known_schemes[i])) {
            return true;
        }
    }
    return false;
}

static bool is_printable(str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c <= 0x20 || c == 0x7f) {
            return false;
        }
    }
    return true;
}

/* host[:port], where the host may be a bracketed IPv6 address. User information is refused: a password in a
 * URI ends up in logs. */
static bool parse_authority(str authority, uri *u)
{
    str port = STR_NULL;

    if (str_find_char(authority, '@') != STR_NPOS) {
        return false;
    }
    if (authority.size > 0 && authority.data[0] == '[') {
        size_t end = str_find_char(authority, ']');
        if (end == STR_NPOS || end == 1) {
            return false;
        }
        u->host = str_slice(authority, 1, end);
        if (end + 1 < authority.size) {
            if (authority.data[end + 1] != ':') {
                return false;
            }
            port = str_slice(authority, end + 2, authority.size);
        }
    } else {
        u->host = str_cut(authority, ':', &port);
    }
    if (!str_is_null(port) && port.size > 0) {
        int64_t number = 0;
        if (port.data[0] < '0' || port.data[0] > '9' ||
            str_to_int64(port, &number, NULL) != STATUS_OK || number < 1 || number > 65535) {
            return false;
        }
        u->port = (int)number;
    }
    return true;
}

status uri_parse(str text, uri *ret_uri, error *err)
{
    uri u = {.port = 0};
    size_t colon = str_find_char(text, ':');
    str rest = colon == STR_NPOS ? STR_NULL : str_slice(text, colon + 1, text.size);

    if (!is_printable(text) || str_find_char(text, '#') != STR_NPOS ||
        !str_starts_with(rest, STR("//"))) {
        return error_set(err, STATUS_INVALID, "\"%.*s\" is not an absolute URI", STR_ARG(text));
    }
    u.scheme = str_slice(text, 0, colon);
    if (!scheme_is_known(u.scheme)) {
        status kind = error_set(err, STATUS_INVALID, "URI \"%.*s\" has the unknown scheme \"%.*s\"",
                                STR_ARG(text), STR_ARG(u.scheme));
        error_hint(err, "Known schemes are http, https, s3 and file.");
        return kind;
    }
    rest = str_slice(rest, 2, rest.size);

    size_t authority_size = 0;
    while (authority_size < rest.size && rest.data[authority_size] != '/' &&
           rest.data[authority_size] != '?') {
        authority_size++;
    }
    if (!parse_authority(str_slice(rest, 0, authority_size), &u) ||
        (u.host.size == 0 && !str_equal_nocase(u.scheme, STR("file")))) {
        return error_set(err, STATUS_INVALID, "URI \"%.*s\" has no usable host", STR_ARG(text));
    }
    u.path = str_cut(str_slice(rest, authority_size, rest.size), '?', &u.query);
    *ret_uri = u;
    return STATUS_OK;
}

/* Names out of paths, queries and bodies: the prefix is a warehouse, a namespace is split at 0x1F, each level is
 * decoded once. What is authorised and what a handler acts on are the same bytes.
 *
 * A bare "+" of these segments is a space, as Java's client writes one; a plus sign is %2B. What is there does not
 * matter: an address names one thing only. */
#include "rest.h"
#include "tarn/base/limits.h"

/* ---- segments of the path ---- */

static str next_segment(str *rest)
{
    return str_is_null(*rest) ? STR_NULL : str_cut(*rest, '/', rest);
}

/* The segment as sent that stands where `pattern` has {name}; STR_NULL where it has none. */
static str raw_segment(const rest_call *c, str pattern, const char *name)
{
    str path = http_request_path(c->base.x);
    str wanted = str_printf(c->base.a, "{%s}", name);

    while (!str_is_null(pattern) && !str_is_null(path)) {
        str part = next_segment(&pattern);
        str sent = next_segment(&path);

        if (str_equal(part, wanted)) {
            return sent;
        }
    }
    return STR_NULL;
}

/* ---- one name ---- */

static bool has_control(str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < 0x20 || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

static status check_text(const char *what, str name, error *err)
{
    if (name.size == 0) {
        return error_set(err, STATUS_INVALID, "invalid %s: empty", what);
    }
    if (!str_is_utf8(name)) {
        return error_set(err, STATUS_INVALID, "invalid %s: not UTF-8", what);
    }
    if (has_control(name)) {
        return error_set(err, STATUS_INVALID, "invalid %s: it has a control character", what);
    }
    return STATUS_OK;
}

status rest__check_name(str name, error *err)
{
    return check_text("name", name, err);
}

/* The catalog joins levels by dots, so none can have one. */
static status check_level(str level, error *err)
{
    TRY(check_text("namespace", level, err));
    if (str_find_char(level, '.') != STR_NPOS) {
        return error_set(err, STATUS_INVALID, "invalid namespace: level \"%.*s\" contains a dot",
                         STR_ARG(level));
    }
    return STATUS_OK;
}

/* ---- namespaces ---- */

/* "ns" of the clients as the catalog has it. */
static str in_warehouse(const rest_call *c, str shown)
{
    return c->warehouse.space.size > 0
               ? str_printf(c->base.a, "%.*s.%.*s", STR_ARG(c->warehouse.space), STR_ARG(shown))
               : shown;
}

bool rest__is_inside(const rest_call *c, str space)
{
    str ignored;
    str first = str_cut(space, '.', &ignored);
    warehouse_info other;

    if (c->warehouse.space.size > 0) {
        return str_equal_nocase(first, c->warehouse.space);
    }
    return first.size == 0 ||
           catalog_find_warehouse(c->base.app->catalog, first, c->base.a, &other, NULL) !=
               STATUS_OK ||
           !str_equal_nocase(other.space, first);
}

str rest__shown_space(const rest_call *c, str space)
{
    size_t prefix = c->warehouse.space.size;

    return prefix > 0 ? str_slice(space, prefix + 1, space.size) : space;
}

void rest__put_levels(const rest_call *c, str space, json_writer *w)
{
    json_begin_array(w);
    for (str rest = rest__shown_space(c, space); !str_is_null(rest);) {
        json_put_str(w, str_cut(rest, '.', &rest));
    }
    json_end_array(w);
}

typedef struct joined {
    buf *text;
} joined;

static status add_level(joined *j, str level, error *err)
{
    TRY(check_level(level, err));
    if (j->text->size > 0) {
        buf_add_char(j->text, '.');
    }
    buf_add_str(j->text, level);
    return STATUS_OK;
}

static status join_end(const rest_call *c, const joined *j, str *ret_space, str *ret_shown,
                       error *err)
{
    TRY(buf_check(j->text, "namespace", err));
    *ret_shown = buf_str(j->text);
    *ret_space = in_warehouse(c, *ret_shown);
    return STATUS_OK;
}

static joined join_begin(const rest_call *c)
{
    return (joined){.text = buf_in(c->base.a, LIMIT_HTTP_TARGET)};
}

/* Levels between separators, decoded. */
static status split_levels(const rest_call *c, str text, str *ret_space, str *ret_shown, error *err)
{
    joined j = join_begin(c);

    for (str rest = text; !str_is_null(rest);) {
        TRY(add_level(&j, str_cut(rest, REST_SEPARATOR, &rest), err));
    }
    return join_end(c, &j, ret_space, ret_shown, err);
}

status rest__read_levels(rest_call *c, const json *levels, str *ret_space, str *ret_shown,
                         error *err)
{
    joined j = join_begin(c);

    if (json_kind_of(levels) != JSON_ARRAY || json_count(levels) == 0) {
        return error_set(err, STATUS_INVALID,
                         "invalid namespace: an array of at least one level is needed");
    }
    for (size_t i = 0; i < json_count(levels); i++) {
        const json *level = json_at(levels, i);

        if (json_kind_of(level) != JSON_STR) {
            return error_set(err, STATUS_INVALID, "invalid namespace: level %zu is %s", i,
                             json_kind_name(json_kind_of(level)));
        }
        TRY(add_level(&j, json_str_or(level, STR("")), err));
    }
    TRY(join_end(c, &j, ret_space, ret_shown, err));
    return rest__is_inside(c, *ret_space) ? STATUS_OK : rest__no_space(c, *ret_shown, err);
}

status rest__read_space_param(rest_call *c, const char *name, str *ret_space, str *ret_shown,
                              error *err)
{
    str text = http_request_param(c->base.x, name);

    if (text.size == 0) {
        *ret_space = c->warehouse.space;
        *ret_shown = STR("");
        return STATUS_OK;
    }
    TRY(split_levels(c, text, ret_space, ret_shown, err));
    return rest__is_inside(c, *ret_space) ? STATUS_OK : rest__no_space(c, *ret_shown, err);
}

status rest__read_identifier(rest_call *c, const json *identifier, table_name *ret_name,
                             str *ret_shown, error *err)
{
    table_name name;
    str shown_space;

    if (json_kind_of(identifier) != JSON_OBJECT) {
        return error_set(err, STATUS_INVALID, "invalid identifier: it is %s, not an object",
                         json_kind_name(json_kind_of(identifier)));
    }
    const json *own = json_get(identifier, "name");
    if (json_kind_of(own) != JSON_STR) {
        return error_set(err, STATUS_INVALID, "invalid identifier: \"name\" is %s, not a string",
                         json_kind_name(json_kind_of(own)));
    }
    name.table = json_str_or(own, STR(""));
    TRY(rest__check_name(name.table, err));
    TRY(rest__read_levels(c, json_get(identifier, "namespace"), &name.space, &shown_space, err));
    *ret_name = name;
    *ret_shown = str_printf(c->base.a, "%.*s.%.*s", STR_ARG(shown_space), STR_ARG(name.table));
    return STATUS_OK;
}

status rest__check_identifier(rest_call *c, const json *body, error *err)
{
    const json *identifier = json_get(body, "identifier");
    table_name named;
    str shown;

    if (json_kind_of(identifier) == JSON_NULL) {
        return STATUS_OK;
    }
    TRY(rest__read_identifier(c, identifier, &named, &shown, err));
    if (!str_equal_nocase(named.space, c->name.space) ||
        !str_equal_nocase(named.table, c->name.table)) {
        return error_set(err, STATUS_INVALID, "invalid identifier: %.*s, but the path names %.*s",
                         STR_ARG(shown), STR_ARG(c->shown));
    }
    return STATUS_OK;
}

/* ---- the path ---- */

status rest__find_warehouse(rest_call *c, str asked, error *err)
{
    call *b = &c->base;
    status found = catalog_find_warehouse(b->app->catalog, asked, b->a, &c->warehouse, err);

    if (found == STATUS_NOT_FOUND) {
        return rest__fail(c, err, found, 404, "NoSuchWarehouseException",
                          "Warehouse does not exist: %.*s", STR_ARG(asked));
    }
    return found;
}

static str plus_as_space(arena *a, str raw)
{
    char *copy = arena_strndup(a, raw.data, raw.size);

    for (size_t i = 0; i < raw.size; i++) {
        copy[i] = copy[i] == '+' ? ' ' : copy[i];
    }
    return str_from(copy, raw.size);
}

/* STR_NULL where the pattern has no such segment. */
static status read_segment(const rest_call *c, str pattern, const char *name, str *ret_text,
                           error *err)
{
    str sent = raw_segment(c, pattern, name);

    if (str_is_null(sent)) {
        *ret_text = STR_NULL;
        return STATUS_OK;
    }
    return uri_decode(c->base.a, plus_as_space(c->base.a, sent), ret_text, err);
}

static status read_space(rest_call *c, str pattern, error *err)
{
    str levels;

    TRY(read_segment(c, pattern, "namespace", &levels, err));
    if (str_is_null(levels)) {
        c->name.space = c->warehouse.space;
        return STATUS_OK;
    }
    return split_levels(c, levels, &c->name.space, &c->shown_space, err);
}

static status read_own_name(rest_call *c, str pattern, error *err)
{
    static const char *const segments[] = {"table", "view", "function"};

    for (size_t i = 0; i < COUNT_OF(segments); i++) {
        str name;

        TRY(read_segment(c, pattern, segments[i], &name, err));
        if (str_is_null(name)) {
            continue;
        }
        TRY(rest__check_name(name, err));
        c->name.table = name;
        c->shown =
            str_printf(c->base.a, "%.*s.%.*s", STR_ARG(c->shown_space), STR_ARG(c->name.table));
    }
    return STATUS_OK;
}

status rest__read_address(rest_call *c, str pattern, error *err)
{
    str prefix = http_request_segment(c->base.x, "prefix");

    TRY(rest__find_warehouse(c, str_is_null(prefix) ? STR("") : prefix, err));
    TRY(read_space(c, pattern, err));
    return read_own_name(c, pattern, err);
}

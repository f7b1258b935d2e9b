/* Names: folding, checking, splitting, resolving, and the locations made of them. */
#include "internal.h"

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/catalog/view.h"

#define NAME_SIZE_MAX 255

str catalog__fold(arena *a, str name)
{
    return str_lower(a, name);
}

str catalog__table_key(arena *a, table_name name)
{
    buf *key = buf_in(a, 4 * NAME_SIZE_MAX * 16);
    buf_add_str(key, catalog__fold(a, name.space));
    buf_add_char(key, '\0');
    buf_add_str(key, catalog__fold(a, name.table));
    return buf_str(key);
}

status catalog__check_name(const char *kind, str name, error *err)
{
    if (name.size == 0) {
        return error_set(err, STATUS_INVALID, "%s name is empty", kind);
    }
    if (name.size > NAME_SIZE_MAX) {
        return error_set(err, STATUS_INVALID, "%s name is longer than %d bytes", kind,
                         NAME_SIZE_MAX);
    }
    if (!str_is_utf8(name)) {
        return error_set(err, STATUS_INVALID, "%s name is not UTF-8", kind);
    }
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        if (byte < 0x20 || byte == 0x7f) {
            return error_set(err, STATUS_INVALID, "%s name has a control character at byte %zu",
                             kind, i);
        }
    }
    return STATUS_OK;
}

static status split_quoted(str text, size_t *at, buf *part, error *err)
{
    for (size_t i = *at + 1; i < text.size; i++) {
        if (text.data[i] != '"') {
            buf_add_char(part, text.data[i]);
        } else if (i + 1 < text.size && text.data[i + 1] == '"') {
            buf_add_char(part, '"');
            i++;
        } else {
            *at = i + 1;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_SYNTAX, "name %.*s has an unclosed quote", STR_ARG(text));
}

status catalog_split_name(str text, arena *a, str **ret_parts, size_t *ret_count, error *err)
{
    VEC(str) parts = {0};
    size_t at = 0;

    if (text.size > LIMIT_HTTP_TARGET) {
        return error_set(err, STATUS_TOO_LARGE, "name of %zu bytes is too long", text.size);
    }
    for (;;) {
        buf *part = buf_in(a, text.size + 1);
        if (at < text.size && text.data[at] == '"') {
            TRY(split_quoted(text, &at, part, err));
        } else {
            while (at < text.size && text.data[at] != '.' && text.data[at] != '"') {
                buf_add_char(part, text.data[at++]);
            }
        }
        if (part->size == 0) {
            return error_set(err, STATUS_SYNTAX, "name \"%.*s\" has an empty part", STR_ARG(text));
        }
        vec_push(a, &parts, buf_str(part));
        if (at == text.size) {
            break;
        }
        if (text.data[at++] != '.') {
            return error_set(err, STATUS_SYNTAX, "name %.*s is not separated by dots",
                             STR_ARG(text));
        }
    }
    *ret_parts = parts.items;
    *ret_count = parts.count;
    return STATUS_OK;
}

static str join_levels(const str *parts, size_t count, arena *a)
{
    buf *joined = buf_in(a, LIMIT_HTTP_TARGET * 2);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_add_char(joined, '.');
        }
        buf_add_str(joined, parts[i]);
    }
    return buf_str(joined);
}

/* The readings of a name in the order they are tried; at most two. */
static size_t readings(catalog *c, const str *parts, size_t count, str default_space, arena *a,
                       table_name ret[2])
{
    str space = default_space.size > 0 ? default_space : STR("main");

    if (count == 1) {
        ret[0] = (table_name){.space = space, .table = parts[0]};
        return 1;
    }
    ret[0] = (table_name){.space = join_levels(parts, count - 1, a), .table = parts[count - 1]};
    if (!str_equal_nocase(parts[0], c->warehouse)) {
        return 1;
    }
    ret[1] = (table_name){.space = count == 2 ? space : join_levels(parts + 1, count - 2, a),
                          .table = parts[count - 1]};
    return 2;
}

/* One reading: a table, or a view where the caller takes them. */
static status try_reading(catalog *c, table_name reading, bool views, arena *a,
                          table_name *ret_name, bool *ret_is_view, error *err)
{
    ice_metadata *metadata = NULL;
    table_info info;
    bool found = false;

    status result = catalog_load_table(c, reading, a, &metadata, &info, err);
    if (result == STATUS_OK) {
        ice_metadata_unref(metadata);
        *ret_name = info.name;
        *ret_is_view = false;
        return STATUS_OK;
    }
    if (result != STATUS_NO_TABLE) {
        return result;
    }
    TRY(catalog__find_view(c, reading, a, &found, ret_name, err));
    if (!found) {
        return STATUS_NO_TABLE;
    }
    *ret_is_view = true;
    if (views) {
        if (err != NULL) {
            error_clear(err);
        }
        return STATUS_OK;
    }
    error_set(err, STATUS_INVALID, "\"%.*s.%.*s\" is a view, not a table", STR_ARG(ret_name->space),
              STR_ARG(ret_name->table));
    error_hint(err, "Its rows are those of the tables it reads; DROP VIEW and ALTER VIEW are for "
                    "the view itself.");
    return STATUS_INVALID;
}

static status resolve(catalog *c, const str *parts, size_t count, str default_space, bool views,
                      arena *a, table_name *ret_name, bool *ret_is_view, error *err)
{
    table_name tried[2];
    size_t tried_count = readings(c, parts, count, default_space, a, tried);

    for (size_t i = 0; i < tried_count; i++) {
        error one = ERROR_INIT;
        status found = try_reading(c, tried[i], views, a, ret_name, ret_is_view, &one);
        if (found == STATUS_OK) {
            return STATUS_OK;
        }
        if (found != STATUS_NO_TABLE && found != STATUS_NO_NAMESPACE) {
            if (err != NULL) {
                *err = one;
            }
            return found;
        }
    }
    return catalog__no_table(c, tried[tried_count - 1], err);
}

status catalog_resolve(catalog *c, const str *parts, size_t count, str default_space, arena *a,
                       table_name *ret_name, error *err)
{
    bool is_view;

    return resolve(c, parts, count, default_space, false, a, ret_name, &is_view, err);
}

status catalog_resolve_relation(catalog *c, const str *parts, size_t count, str default_space,
                                arena *a, table_name *ret_name, bool *ret_is_view, error *err)
{
    return resolve(c, parts, count, default_space, true, a, ret_name, ret_is_view, err);
}

status catalog_resolve_new(catalog *c, const str *parts, size_t count, str default_space, arena *a,
                           table_name *ret_name, error *err)
{
    table_name tried[2];
    size_t tried_count = readings(c, parts, count, default_space, a, tried);

    for (size_t i = 0; i < tried_count; i++) {
        bool exists = false;
        TRY(catalog__namespace_exists(c, tried[i].space, &exists, err));
        if (exists) {
            TRY(catalog__check_name("table", tried[i].table, err));
            namespace_info info;
            TRY(catalog_get_namespace(c, tried[i].space, a, &info, err));
            *ret_name = (table_name){.space = info.name, .table = tried[i].table};
            return STATUS_OK;
        }
    }
    return catalog__no_namespace(c, tried[0].space, err);
}

static void hint_nearest(str wanted, const str *names, size_t count, error *err)
{
    str nearest = str_nearest(wanted, names, count);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    }
}

status catalog__no_namespace(catalog *c, str name, error *err)
{
    arena *a = arena_create();
    str *names = NULL;
    size_t count = 0;

    error_set(err, STATUS_NO_NAMESPACE, "namespace \"%.*s\" does not exist", STR_ARG(name));
    catalog__hint_names(c, STR_NULL, a, &names, &count);
    hint_nearest(name, names, count, err);
    arena_free(a);
    return STATUS_NO_NAMESPACE;
}

status catalog__no_table(catalog *c, table_name name, error *err)
{
    bool exists = false;
    arena *a = arena_create();
    str *names = NULL;
    size_t count = 0;

    if (catalog__namespace_exists(c, name.space, &exists, NULL) == STATUS_OK && !exists) {
        arena_free(a);
        return catalog__no_namespace(c, name.space, err);
    }
    error_set(err, STATUS_NO_TABLE, "table \"%.*s.%.*s\" does not exist", STR_ARG(name.space),
              STR_ARG(name.table));
    catalog__hint_names(c, name.space, a, &names, &count);
    hint_nearest(name.table, names, count, err);
    arena_free(a);
    return STATUS_NO_TABLE;
}

/* ---- locations ----
 * "<warehouse>/<namespace>/<table>-<12 hex of the uuid>". Bytes that are not plain are written as "~XX", so that a
 * location needs no quoting anywhere and the names can be read back (tarn recover). */

#define SUFFIX_SIZE 12

static bool is_plain(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || (c == '.' && !first);
}

void catalog__escape_name(buf *out, str name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (is_plain(name.data[i], i == 0)) {
            buf_add_char(out, name.data[i]);
        } else {
            buf_printf(out, "~%02x", (unsigned char)name.data[i]);
        }
    }
}

static bool unescape_name(str text, arena *a, str *ret_name)
{
    buf *name = buf_in(a, text.size + 1);

    for (size_t i = 0; i < text.size; i++) {
        str byte;
        if (text.data[i] != '~') {
            buf_add_char(name, text.data[i]);
        } else if (i + 2 < text.size &&
                   str_from_hex(a, str_slice(text, i + 1, i + 3), &byte, NULL) == STATUS_OK) {
            buf_add_str(name, byte);
            i += 2;
        } else {
            return false;
        }
    }
    *ret_name = buf_str(name);
    return true;
}

static void add_suffix(buf *out, str uuid)
{
    for (size_t i = uuid.size, left = SUFFIX_SIZE; i > 0 && left > 0; i--) {
        if (uuid.data[i - 1] != '-') {
            buf_add_char(out, uuid.data[i - 1]);
            left--;
        }
    }
}

status catalog__choose_location(catalog *c, table_name name, str uuid, arena *a, str *ret_location,
                                error *err)
{
    str space;

    TRY(catalog_space_location(c, name.space, a, &space, err));
    buf *location = buf_in(a, LIMIT_HTTP_TARGET);
    buf_add_str(location, space);
    buf_add_char(location, '/');
    catalog__escape_name(location, name.table);
    buf_add_char(location, '-');
    add_suffix(location, uuid);
    TRY(buf_check(location, "table location", err));
    *ret_location = buf_str(location);
    return STATUS_OK;
}

static bool is_suffix(str name)
{
    for (size_t i = name.size - SUFFIX_SIZE; i < name.size; i++) {
        char digit = name.data[i];

        if ((digit < '0' || digit > '9') && (digit < 'a' || digit > 'f')) {
            return false;
        }
    }
    return true;
}

bool catalog__names_of_location(catalog *c, str location, arena *a, table_name *ret_name)
{
    warehouse_info in;
    if (!catalog__warehouse_at(c, location, a, &in) || location.size <= in.location.size) {
        return false;
    }
    str rest = str_slice(location, in.location.size + 1, location.size);
    size_t slash = str_find_char(rest, '/');
    if (slash == STR_NPOS) {
        return false;
    }
    str table = str_slice(rest, slash + 1, rest.size);
    if (str_find_char(table, '/') != STR_NPOS || table.size <= SUFFIX_SIZE + 1 ||
        table.data[table.size - SUFFIX_SIZE - 1] != '-' || !is_suffix(table)) {
        return false;
    }
    if (!unescape_name(str_slice(rest, 0, slash), a, &ret_name->space) ||
        !unescape_name(str_slice(table, 0, table.size - SUFFIX_SIZE - 1), a, &ret_name->table)) {
        return false;
    }
    if (in.space.size > 0) {
        ret_name->space = str_printf(a, "%.*s.%.*s", STR_ARG(in.name), STR_ARG(ret_name->space));
    }
    return true;
}

bool catalog__is_chosen(catalog *c, str location, str uuid, arena *a, table_name *ret_name)
{
    buf *suffix = buf_in(a, SUFFIX_SIZE);

    add_suffix(suffix, uuid);
    return suffix->size == SUFFIX_SIZE && str_ends_with(location, buf_str(suffix)) &&
           catalog__names_of_location(c, location, a, ret_name);
}

bool catalog__space_of_folder(catalog *c, str location, arena *a, str *ret_space)
{
    warehouse_info in;
    str space;

    if (!catalog__warehouse_at(c, location, a, &in) || location.size <= in.location.size) {
        return false;
    }
    str rest = str_slice(location, in.location.size + 1, location.size);
    if (str_find_char(rest, '/') != STR_NPOS || !unescape_name(rest, a, &space)) {
        return false;
    }
    *ret_space =
        in.space.size > 0 ? str_printf(a, "%.*s.%.*s", STR_ARG(in.name), STR_ARG(space)) : space;
    return true;
}

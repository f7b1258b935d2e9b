/* Names of objects and files, and lists of them. */
#include <errno.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include "s3.h"
#include "tarn/base/clock.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/net/uri.h"

static const char scheme[] = "s3://";

status s3cli_uri_parse(str text, s3_uri *ret_uri, error *err)
{
    s3_uri u = {.text = text, .path = text};

    if (str_starts_with(text, STR(scheme))) {
        u.remote = true;
        u.bucket = str_cut(str_slice(text, sizeof scheme - 1, text.size), '/', &u.key);
        u.key = str_is_null(u.key) ? STR("") : u.key;
        if (u.bucket.size == 0) {
            return error_set(err, STATUS_USAGE, "\"%.*s\" names no bucket", STR_ARG(text));
        }
    }
    *ret_uri = u;
    return STATUS_OK;
}

status s3cli_uri_remote(str text, s3_uri *ret_uri, error *err)
{
    TRY(s3cli_uri_parse(text, ret_uri, err));
    if (!ret_uri->remote) {
        (void)error_set(err, STATUS_USAGE, "\"%.*s\" is no S3 name", STR_ARG(text));
        error_hint(err, "S3 names are s3://bucket or s3://bucket/key.");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

char *s3cli_target(arena *a, str bucket, str key, const char *query)
{
    buf *target = buf_in(a, LIMIT_HTTP_TARGET);

    buf_add_char(target, '/');
    uri_encode(target, bucket, "");
    if (key.size > 0) {
        buf_add_char(target, '/');
        uri_encode(target, key, "/");
    }
    if (query != NULL) {
        buf_add_char(target, '?');
        buf_add_c(target, query);
    }
    return target->data;
}

bool s3cli_selected(const cli *c, str name)
{
    arena *a = arena_create();
    bool selected = true;

    for (size_t i = 0; i < c->in.options.count; i++) {
        const option_value *o = &c->in.options.items[i];
        str kind = str_c(o->option->name);
        bool include = str_equal(kind, STR("include"));
        if ((include || str_equal(kind, STR("exclude"))) &&
            fnmatch(str_to_c(a, o->value), str_to_c(a, name), 0) == 0) {
            selected = include;
        }
    }
    arena_free(a);
    return selected;
}

str s3cli_human_size(arena *a, int64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1024) {
        return str_printf(a, "%lld B", (long long)bytes);
    }
    for (value /= 1024; value >= 1024 && unit + 1 < COUNT_OF(units); unit++) {
        value /= 1024;
    }
    return str_printf(a, "%.1f %s", value, units[unit]);
}

/* ---- lists of the door ---- */

static status each_of(const xml_element *root, const char *name, bool versions, arena *a,
                      s3_each each, void *context, error *err)
{
    for (const xml_element *e = xml_child(root, name); e != NULL; e = xml_next(e)) {
        s3_entry entry = {.version = versions ? xml_child_text(e, "VersionId") : STR_NULL};
        str size = xml_child_text(e, "Size");

        TRY(uri_decode_form(a, xml_child_text(e, "Key"), &entry.name, err));
        if (!str_is_null(size)) {
            TRY(str_to_int64(size, &entry.size_bytes, err));
        }
        TRY(clock_parse(xml_child_text(e, "LastModified"), &entry.modified_us, err));
        TRY(each(context, &entry, err));
    }
    return STATUS_OK;
}

static status each_prefix(const xml_element *root, arena *a, s3_each each, void *context,
                          error *err)
{
    for (const xml_element *e = xml_child(root, "CommonPrefixes"); e != NULL; e = xml_next(e)) {
        s3_entry entry = {.is_prefix = true};

        TRY(uri_decode_form(a, xml_child_text(e, "Prefix"), &entry.name, err));
        TRY(each(context, &entry, err));
    }
    return STATUS_OK;
}

static void add_parameter(buf *query, const char *name, str value)
{
    buf_printf(query, "&%s=", name);
    uri_encode(query, value, "");
}

status s3cli_list(s3_client *s, str bucket, str prefix, bool delimiter, s3_each each, void *context,
                  error *err)
{
    arena *a = arena_create();
    buf token;
    bool more = true;
    status result = STATUS_OK;

    buf_init(&token, LIMIT_HTTP_TARGET);
    while (more && result == STATUS_OK) {
        const xml_element *root = NULL;
        buf *query = buf_in(a, LIMIT_HTTP_TARGET);
        buf_add_c(query, "list-type=2&encoding-type=url");
        add_parameter(query, "prefix", prefix);
        if (delimiter) {
            add_parameter(query, "delimiter", STR("/"));
        }
        if (token.size > 0) {
            add_parameter(query, "continuation-token", buf_str(&token));
        }
        const s3_request request = {.method = HTTP_GET,
                                    .target = s3cli_target(a, bucket, STR(""), query->data)};
        result = s3cli_send_xml(s, &request, a, &root, err);
        if (result == STATUS_OK) {
            result = each_prefix(root, a, each, context, err);
        }
        if (result == STATUS_OK) {
            result = each_of(root, "Contents", false, a, each, context, err);
        }
        more = str_equal(xml_child_text(root, "IsTruncated"), STR("true"));
        buf_clear(&token);
        buf_add_str(&token, xml_child_text(root, "NextContinuationToken"));
        more = more && token.size > 0;
        arena_clear(a);
    }
    buf_release(&token);
    arena_free(a);
    return result;
}

status s3cli_list_versions(s3_client *s, str bucket, str prefix, s3_each each, void *context,
                           error *err)
{
    arena *lifetime = arena_create();
    arena *a = arena_child(lifetime);
    str key = STR_NULL;
    str version = STR_NULL;
    bool more = true;
    status result = STATUS_OK;

    while (more && result == STATUS_OK) {
        const xml_element *root = NULL;
        buf *query = buf_in(a, LIMIT_HTTP_TARGET);
        buf_add_c(query, "versions=&encoding-type=url");
        add_parameter(query, "prefix", prefix);
        if (key.size > 0) {
            add_parameter(query, "key-marker", key);
            add_parameter(query, "version-id-marker", version);
        }
        const s3_request request = {.method = HTTP_GET,
                                    .target = s3cli_target(a, bucket, STR(""), query->data)};
        result = s3cli_send_xml(s, &request, a, &root, err);
        if (result == STATUS_OK) {
            result = each_of(root, "Version", true, a, each, context, err);
        }
        if (result == STATUS_OK) {
            result = each_of(root, "DeleteMarker", true, a, each, context, err);
        }
        more = str_equal(xml_child_text(root, "IsTruncated"), STR("true"));
        if (result == STATUS_OK && more) {
            result = uri_decode_form(lifetime, xml_child_text(root, "NextKeyMarker"), &key, err);
            version = str_copy(lifetime, xml_child_text(root, "NextVersionIdMarker"));
            more = key.size > 0;
        }
        arena_clear(a);
    }
    arena_free(lifetime);
    return result;
}

/* ---- files ---- */

static status walk(arena *a, const char *folder, str below, int depth, s3_each each, void *context,
                   error *err)
{
    str *names = NULL;
    size_t count = 0;

    if (depth > 200) {
        return error_set(err, STATUS_INVALID, "folder \"%s\" is nested too deeply", folder);
    }
    TRY(fs_list(folder, a, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct stat about;
        const char *path = arena_printf(a, "%s/%.*s", folder, STR_ARG(names[i]));
        str name = below.size > 0 ? str_printf(a, "%.*s/%.*s", STR_ARG(below), STR_ARG(names[i]))
                                  : names[i];
        bool known = lstat(path, &about) == 0;
        if (known && S_ISDIR(about.st_mode)) {
            TRY(walk(a, path, name, depth + 1, each, context, err));
            continue;
        }
        known = stat(path, &about) == 0;
        if (!known) {
            return error_errno(err, STATUS_IO, errno, "file \"%s\"", path);
        }
        if (S_ISREG(about.st_mode)) {
            s3_entry entry = {.name = name,
                              .size_bytes = about.st_size,
                              .modified_us = (int64_t)about.st_mtim.tv_sec * 1000000 +
                                             about.st_mtim.tv_nsec / 1000};
            TRY(each(context, &entry, err));
        }
    }
    return STATUS_OK;
}

status s3cli_list_files(arena *a, str folder, s3_each each, void *context, error *err)
{
    return walk(a, str_to_c(a, folder), STR(""), 0, each, context, err);
}

/* Loading settings: default, then file, then environment, then flag. What a value may be is in parse.c. */
#include "tarn/settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "tarn/base/fs.h"
#include "tarn/base/limits.h"
#include "tarn/base/mem.h"
#include "tarn/codec/checksum.h"
#include "tarn/codec/yaml.h"

static const setting_info infos[] = {
#define X(id, setting_name, setting_type, setting_default, setting_choices, setting_meaning) \
    [SETTING_##id] = {.name = (setting_name),                                                \
                      .kind = SETTING_##setting_type,                                        \
                      .fallback = (setting_default),                                         \
                      .choices = (setting_choices),                                          \
                      .meaning = (setting_meaning)},
    SETTING_TABLE(X)
#undef X
};

const setting_info *setting_describe(setting id)
{
    ASSERT(id < SETTING_COUNT);
    return &infos[id];
}

void setting_origin_format(const setting_value *value, char ret_text[256])
{
    static const char *const names[] = {
        [ORIGIN_DEFAULT] = "default",
        [ORIGIN_FILE] = "file",
        [ORIGIN_ENVIRONMENT] = "environment",
        [ORIGIN_FLAG] = "flag",
    };
    snprintf(ret_text, 256, "%s%s%.*s", names[value->origin],
             value->origin_detail.size > 0 ? " " : "", STR_ARG(value->origin_detail));
}

str settings_fingerprint(const settings *s, arena *a)
{
    static const setting others[] = {SETTING_HTTP_LISTEN, SETTING_HTTP_HOSTS, SETTING_S3_LISTEN,
                                     SETTING_S3_DOMAIN,   SETTING_LOG_LEVEL,  SETTING_LOG_FORMAT};
    uint8_t bytes[DIGEST_SIZE_MAX];
    digester *d = digester_create(DIGEST_SHA256);

    for (int i = 0; i < SETTING_COUNT; i++) {
        bool counts = true;

        for (size_t k = 0; k < COUNT_OF(others); k++) {
            counts = counts && (setting)i != others[k];
        }
        str text = counts ? setting_text(s, (setting)i) : STR("");
        digester_add(d, text.data, text.size);
        digester_add(d, "", 1);
        for (size_t k = 0; counts && k < s->values[i].list_count; k++) {
            digester_add(d, s->values[i].list[k].data, s->values[i].list[k].size);
            digester_add(d, "", 1);
        }
    }
    digester_finish(d, bytes);
    return str_to_hex(a, bytes, digest_size(DIGEST_SHA256));
}

str setting_text(const settings *s, setting id)
{
    return s->values[id].text;
}

int64_t setting_number(const settings *s, setting id)
{
    return s->values[id].number;
}

static bool find_setting(str name, setting *ret_id)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (str_equal(name, str_c(infos[i].name))) {
            *ret_id = (setting)i;
            return true;
        }
    }
    return false;
}

static status unknown_setting(str name, const char *origin, error *err)
{
    str names[SETTING_COUNT];

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        names[i] = str_c(infos[i].name);
    }
    error_set(err, STATUS_USAGE, "there is no setting \"%.*s\" (%s)", STR_ARG(name), origin);
    str nearest = str_nearest(name, names, SETTING_COUNT);
    if (!str_is_null(nearest)) {
        error_hint(err, "Did you mean \"%.*s\"?", STR_ARG(nearest));
    } else {
        error_hint(err, "tarn config show lists all settings.");
    }
    return STATUS_USAGE;
}

static status set_value(settings *s, setting id, str text, setting_origin origin, str detail,
                        error *err)
{
    setting_value value = {
        .text = str_copy(s->memory, text),
        .origin = origin,
        .origin_detail = str_copy(s->memory, detail),
    };
    if (str_is_null(value.text)) {
        value.text = STR("");
    }
    TRY(settings__parse_value(id, s->memory, &value, err));
    s->values[id] = value;
    return STATUS_OK;
}

/* ---- where things are ---- */

static str environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? str_c(value) : STR_NULL;
}

static str home_folder(arena *a, const char *variable, const char *below_home)
{
    str base = environment(variable);
    if (!str_is_null(base)) {
        return str_printf(a, "%.*s/tarn", STR_ARG(base));
    }
    str home = environment("HOME");
    return str_is_null(home) ? STR_NULL : str_printf(a, "%.*s/%s/tarn", STR_ARG(home), below_home);
}

static str absolute_path(arena *a, str path)
{
    char folder[4096];

    if (str_starts_with(path, STR("/")) || getcwd(folder, sizeof(folder)) == NULL) {
        return str_copy(a, path);
    }
    return str_printf(a, "%s/%.*s", folder, STR_ARG(path));
}

static status find_data_path(settings *s, const settings_options *options, error *err)
{
    str path = str_c(options->data_path);
    s->data_origin = ORIGIN_FLAG;
    if (str_is_empty(path)) {
        path = environment("TARN_DATA");
        s->data_origin = ORIGIN_ENVIRONMENT;
    }
    if (str_is_empty(path)) {
        path = home_folder(s->memory, "XDG_DATA_HOME", ".local/share");
        s->data_origin = ORIGIN_DEFAULT;
    }
    if (str_is_empty(path)) {
        error_set(err, STATUS_USAGE, "no data directory: HOME is not set");
        error_hint(err, "Name one with --data or TARN_DATA.");
        return STATUS_USAGE;
    }
    path = absolute_path(s->memory, path);
    while (path.size > 1 && str_ends_with(path, STR("/"))) {
        path.size--;
    }
    s->data_path = str_copy(s->memory, path);
    return STATUS_OK;
}

/* ---- the settings file ---- */

static str scalar_text(const json *value, arena *a)
{
    switch (json_kind_of(value)) {
    case JSON_STR:
        return json_str_or(value, STR(""));
    case JSON_INT64:
        return str_printf(a, "%lld", (long long)json_int64_or(value, 0));
    case JSON_BOOL:
        return json_bool_or(value, false) ? STR("true") : STR("false");
    case JSON_NULL:
        return STR("");
    default:
        return STR_NULL;
    }
}

static str list_text(const json *value, arena *a)
{
    buf *joined = buf_in(a, LIMIT_SETTINGS_FILE);

    for (size_t i = 0; i < json_count(value); i++) {
        str item = scalar_text(json_at(value, i), a);
        if (i > 0) {
            buf_add_char(joined, ':');
        }
        buf_add_str(joined, item);
    }
    return buf_str(joined);
}

/* Members of members until a name is complete: {http: {listen: x}} sets http.listen. */
static status set_members(settings *s, const json *object, str prefix, str path, error *err)
{
    str key;
    const json *value;

    for (size_t at = 0; json_next_member(object, &at, &key, &value);) {
        str name = prefix.size == 0
                       ? key
                       : str_printf(s->memory, "%.*s.%.*s", STR_ARG(prefix), STR_ARG(key));
        setting id;
        if (find_setting(name, &id)) {
            str text = json_kind_of(value) == JSON_ARRAY ? list_text(value, s->memory)
                                                         : scalar_text(value, s->memory);
            if (str_is_null(text)) {
                return error_set(err, STATUS_USAGE,
                                 "setting \"%.*s\" (file %.*s) is no single value", STR_ARG(name),
                                 STR_ARG(path));
            }
            TRY(set_value(s, id, text, ORIGIN_FILE, path, err));
        } else if (json_kind_of(value) == JSON_OBJECT) {
            TRY(set_members(s, value, name, path, err));
        } else {
            return unknown_setting(
                name, str_to_c(s->memory, str_concat(s->memory, STR("file "), path)), err);
        }
    }
    return STATUS_OK;
}

static status load_file(settings *s, str path, bool required, error *err)
{
    str text;
    const json *document = NULL;
    status result =
        fs_read_file(str_to_c(s->memory, path), LIMIT_SETTINGS_FILE, s->memory, &text, err);

    if (result == STATUS_NOT_FOUND && !required) {
        return STATUS_OK;
    }
    if (result == STATUS_OK) {
        result = yaml_parse(text, s->memory, &document, err);
    }
    if (result != STATUS_OK) {
        error_context(err, "settings file \"%.*s\"", STR_ARG(path));
        return result == STATUS_SYNTAX ? STATUS_USAGE : result;
    }
    if (json_kind_of(document) != JSON_OBJECT && json_kind_of(document) != JSON_NULL) {
        return error_set(err, STATUS_USAGE,
                         "settings file \"%.*s\" holds no mapping of names to values",
                         STR_ARG(path));
    }
    return set_members(s, document, STR(""), path, err);
}

static status load_files(settings *s, const settings_options *options, error *err)
{
    str chosen = str_c(options->config_path);
    if (str_is_empty(chosen)) {
        chosen = environment("TARN_CONFIG");
    }
    if (!str_is_empty(chosen)) {
        return load_file(s, chosen, true, err);
    }
    str beside = str_printf(s->memory, "%.*s/tarn.yaml", STR_ARG(s->data_path));
    if (fs_exists(beside.data)) {
        return load_file(s, beside, true, err);
    }
    str folder = home_folder(s->memory, "XDG_CONFIG_HOME", ".config");
    return str_is_null(folder)
               ? STATUS_OK
               : load_file(s, str_printf(s->memory, "%.*s/tarn.yaml", STR_ARG(folder)), false, err);
}

/* "http.listen" -> "TARN_HTTP_LISTEN" */
static char *variable_of(arena *a, const char *name)
{
    str upper = str_upper(a, str_c(name));
    char *variable = arena_printf(a, "TARN_%.*s", STR_ARG(upper));

    for (char *c = variable; *c != '\0'; c++) {
        if (*c == '.') {
            *c = '_';
        }
    }
    return variable;
}

static status load_environment(settings *s, error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *variable = variable_of(s->memory, infos[i].name);
        const char *value = getenv(variable);
        if (value != NULL) {
            TRY(set_value(s, (setting)i, str_c(value), ORIGIN_ENVIRONMENT, str_c(variable), err));
        }
    }
    return STATUS_OK;
}

static status load_flags(settings *s, const settings_options *options, error *err)
{
    for (size_t i = 0; i < options->flag_count; i++) {
        const setting_flag *flag = &options->flags[i];
        setting id;
        if (!find_setting(flag->name, &id)) {
            return unknown_setting(flag->name, "flag", err);
        }
        TRY(set_value(s, id, flag->value, ORIGIN_FLAG,
                      str_printf(s->memory, "--%.*s", STR_ARG(flag->name)), err));
    }
    return STATUS_OK;
}

static status load(settings *s, const settings_options *options, error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        TRY(set_value(s, (setting)i, str_c(infos[i].fallback), ORIGIN_DEFAULT, STR_NULL, err));
    }
    TRY(find_data_path(s, options, err));
    TRY(load_files(s, options, err));
    TRY(load_environment(s, err));
    return load_flags(s, options, err);
}

status settings_load(const settings_options *options, settings **ret_settings, error *err)
{
    settings *s = NEW(settings);
    s->memory = arena_create();
    status result = load(s, options, err);

    if (result != STATUS_OK) {
        settings_free(s);
        return result;
    }
    *ret_settings = s;
    return STATUS_OK;
}

void settings_free(settings *s)
{
    if (s != NULL) {
        arena_free(s->memory);
        mem_free(s);
    }
}

/* Scheme and host of each URL: the rest is the receiver's, and often a password. */
static str hide_paths(str urls, arena *a)
{
    buf *shown = buf_in(a, urls.size * 8 + 1);

    for (size_t at = 0; at < urls.size;) {
        size_t end = at;

        while (end < urls.size && urls.data[end] != ',' && urls.data[end] != ' ') {
            end++;
        }
        str url = str_slice(urls, at, end);
        size_t scheme = str_find(url, STR("://"));
        size_t host = scheme == STR_NPOS ? 0 : scheme + 3;
        str rest = str_slice(url, host, url.size);
        size_t slash = str_find_char(rest, '/');
        str place = slash == STR_NPOS ? rest : str_slice(rest, 0, slash);
        bool is_plain = scheme != STR_NPOS && str_find_char(place, '@') == STR_NPOS &&
                        str_find_char(place, '?') == STR_NPOS;

        buf_add_c(shown, shown->size > 0 && url.size > 0 ? "," : "");
        if (url.size > 0) {
            buf_add_str(shown, is_plain ? str_slice(url, 0, host + place.size) : STR("(set)"));
            buf_add_c(shown, is_plain && slash != STR_NPOS ? "/…" : "");
        }
        at = end + 1;
    }
    return buf_str(shown);
}

str setting_shown(setting id, const setting_value *value, arena *a)
{
    if (id == SETTING_CATALOG_WEBHOOK_SECRET && value->text.size > 0) {
        return STR("(set)");
    }
    return id == SETTING_CATALOG_WEBHOOKS ? hide_paths(value->text, a) : value->text;
}

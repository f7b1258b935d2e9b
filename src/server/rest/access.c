/* Credentials that come with a table: a session that may touch the table's files and nothing else (access/s3.h), in
 * `config`, where every client looks, and in `storage-credentials`, which takes precedence where it is known.
 *
 * The header X-Iceberg-Access-Delegation is a hint. Keys are given unless it asks for remote signing alone. Without it
 * they are given too: iceberg-rust and what is built on it send none and build their access from `config` alone; a Java
 * client with keys of its own gets them replaced for this table by keys that may what its principal may, and that is
 * what the catalog means it to have.
 *
 * Deletes of many files go through Java's client for all of S3, which is made of `config`: so the keys are there too.
 * For that client's refresh `client.refresh-credentials-endpoint` is a path below the catalog's URI, and there is
 * exactly one credential. Its prefix is the location without a slash, so that a listing of the location itself finds
 * it; what keeps `t1` out of `t10` is the session's scope. */
#include "rest/vend.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/base/map.h"
#include "tarn/catalog/located.h"
#include "tarn/net/uri.h"

#define CONFIG_BYTES_MAX (64 * LIMIT_KIB)
#define LIFETIME_S_MAX INT64_C(43200)
#define UNIQUE_SUFFIX 12 /* hex digits at the end of a location that the catalog chose */

/* ---- which files ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* No other folder's name begins with one that ends with the end of a uuid: it may be listed without its slash, as
 * programs do that list a table's location. */
static bool is_unique(str prefix)
{
    size_t end = prefix.size - 1;
    bool unique = end > UNIQUE_SUFFIX && prefix.data[end - UNIQUE_SUFFIX - 1] == '-';

    for (size_t i = 1; unique && i <= UNIQUE_SUFFIX; i++) {
        unique = is_hex(prefix.data[end - i]);
    }
    return unique;
}

/* What stands behind "s3://", or one of the names that Hadoop has for it; STR_NULL for other locations. */
static str behind_scheme(str location)
{
    static const char *const schemes[] = {"s3://", "s3a://", "s3n://"};

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (str_starts_with(location, str_c(schemes[i]))) {
            return str_slice(location, str_c(schemes[i]).size, location.size);
        }
    }
    return STR_NULL;
}

/* "s3://bucket/a/t" as a scope; false for other locations, and for a whole bucket. */
static bool scope_of(str location, bool write, arena *a, s3_scope *ret_scope)
{
    str rest = behind_scheme(location);
    str bucket;

    if (str_is_null(rest)) {
        return false;
    }
    bucket = str_cut(rest, '/', &rest);
    while (str_ends_with(rest, STR("/"))) {
        rest = str_slice(rest, 0, rest.size - 1);
    }
    if (bucket.size == 0 || rest.size == 0) {
        return false;
    }
    *ret_scope = (s3_scope){.bucket = bucket, .prefix = str_concat(a, rest, STR("/"))};
    ret_scope->write = write;
    ret_scope->lists_bare = is_unique(ret_scope->prefix);
    return true;
}

static bool may_write(rest_call *c)
{
    return rest__allow(c, ACTION_TABLE_WRITE, c->name, NULL) == STATUS_OK;
}

/* Properties that send files elsewhere than below the table's location. */
static const char *const path_properties[] = {
    "write.data.path",
    "write.metadata.path",
    "write.object-storage.path",
    "write.folder-storage.path",
};

static void add_paths(rest_call *c, const catalog_document *table, bool write, s3_scope *scopes,
                      size_t *count)
{
    for (size_t i = 0; i < COUNT_OF(path_properties); i++) {
        str path = ice_metadata_property(table->metadata, path_properties[i], NULL);
        str settled;

        /* Were others' files in there, they are not this table's to give. */
        if (!str_is_empty(path) && *count < ACCESS_SCOPES_MAX &&
            catalog_check_folder(c->base.app->catalog, table->location, table->uuid, path,
                                 c->base.a, &settled, NULL) == STATUS_OK &&
            scope_of(settled, write, c->base.a, &scopes[*count])) {
            (*count)++;
        }
    }
}

static bool has_scope(const s3_scope *scopes, size_t count, const s3_scope *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(scopes[i].bucket, wanted->bucket) &&
            str_equal(scopes[i].prefix, wanted->prefix)) {
            return true;
        }
    }
    return false;
}

/* Where the table lay before, and was told to keep files: those that are there are its own still. */
static status add_places(rest_call *c, const catalog_document *table, bool write, s3_scope *scopes,
                         size_t *count, error *err)
{
    str *places = NULL;
    size_t place_count = 0;

    TRY(catalog_list_places(c->base.app->catalog, table->uuid, c->base.a, &places, &place_count,
                            err));
    for (size_t i = 0; i < place_count && *count < ACCESS_SCOPES_MAX; i++) {
        if (scope_of(places[i], write, c->base.a, &scopes[*count]) &&
            !has_scope(scopes, *count, &scopes[*count])) {
            (*count)++;
        }
    }
    return STATUS_OK;
}

status rest__scopes(rest_call *c, const catalog_document *table,
                    s3_scope ret_scopes[ACCESS_SCOPES_MAX], size_t *ret_count, error *err)
{
    /* One that was moved can only be read. */
    bool write = str_is_null(table->rebase) && may_write(c);
    size_t count = 0;

    if (scope_of(table->location, write, c->base.a, &ret_scopes[0])) {
        count = 1;
        add_paths(c, table, write, ret_scopes, &count);
        TRY(add_places(c, table, write, ret_scopes, &count, err));
    }
    *ret_count = count;
    return STATUS_OK;
}

status rest__vend(rest_call *c, const catalog_document *table, int64_t duration_s, bool *ret_made,
                  s3_session *ret_session, error *err)
{
    s3_scope scopes[ACCESS_SCOPES_MAX];
    s3_vending vending = {.who = &c->base.who, .scopes = scopes, .duration_s = duration_s};

    *ret_made = false;
    if (c->base.app->s3_address[0] == '\0' || duration_s <= 0) {
        return STATUS_OK; /* nobody answers to the keys, or there are to be none */
    }
    TRY(rest__scopes(c, table, scopes, &vending.scope_count, err));
    if (vending.scope_count > 0) {
        TRY(access_vend_s3(c->base.app->access, &vending, c->base.a, ret_session, err));
        *ret_made = true;
    }
    return STATUS_OK;
}

/* ---- where S3 is ---- */

/* Of "host:port", "[::1]:port". */
static void split_address(str address, str *ret_host, str *ret_port)
{
    size_t colon = str_find_last_char(address, ':');
    bool has_port = colon != STR_NPOS && !str_ends_with(address, STR("]"));

    *ret_host = has_port ? str_slice(address, 0, colon) : address;
    *ret_port = has_port ? str_slice(address, colon + 1, address.size) : STR("");
}

static bool is_wildcard(str host)
{
    return str_equal(host, STR("0.0.0.0")) || str_equal(host, STR("[::]")) || host.size == 0;
}

/* The setting; else the address that the door listens at, where it listens everywhere under the name by which the
 * client called this one. */
static str endpoint(rest_call *c)
{
    str set = setting_text(c->base.app->settings, SETTING_S3_ENDPOINT);
    str host;
    str port;
    str called;
    str ignored;

    if (set.size > 0) {
        return set;
    }
    split_address(str_c(c->base.app->s3_address), &host, &port);
    if (is_wildcard(host)) {
        split_address(http_request_header(c->base.x, "Host"), &called, &ignored);
        host = called.size > 0 ? called : STR("127.0.0.1");
    }
    return str_printf(c->base.a, "http://%.*s:%.*s", STR_ARG(host), STR_ARG(port));
}

static bool is_authority(str asked, str host, str port)
{
    bool has_host = asked.size > host.size &&
                    str_equal_nocase(str_slice(asked, 0, host.size), host) &&
                    asked.data[host.size] == ':';

    if (host.size > 0 && str_equal(port, STR("80")) && str_equal_nocase(asked, host)) {
        return true;
    }
    return host.size > 0 && has_host &&
           str_equal(str_slice(asked, host.size + 1, asked.size), port);
}

/* "s3.example.org" of "https://s3.example.org:443/". */
static str authority_of(str url)
{
    str scheme = str_starts_with(url, STR("http://")) ? STR("http://") : STR("https://");
    str usual = str_equal(scheme, STR("http://")) ? STR(":80") : STR(":443");
    str rest = STR_NULL;
    str authority = str_cut(str_slice(url, scheme.size, url.size), '/', &rest);

    return str_ends_with(authority, usual) ? str_slice(authority, 0, authority.size - usual.size)
                                           : authority;
}

bool rest__is_s3_authority(const rest_call *c, str authority)
{
    const setting_value *domains = &c->base.app->settings->values[SETTING_S3_DOMAIN];
    str set = setting_text(c->base.app->settings, SETTING_S3_ENDPOINT);
    str host = STR("");
    str port = STR("");
    str called = STR("");
    str ignored;

    if (set.size > 0 && str_equal_nocase(authority, authority_of(set))) {
        return true;
    }
    split_address(str_c(c->base.app->s3_address), &host, &port);
    split_address(http_request_header(c->base.x, "Host"), &called, &ignored);
    for (size_t i = 0; i < domains->list_count; i++) {
        if (is_authority(authority, domains->list[i], port)) {
            return true;
        }
    }
    return is_authority(authority, called, port) ||
           (!is_wildcard(host) && is_authority(authority, host, port));
}

/* What says where S3 is, and nothing of who may. */
static void write_place(rest_call *c, json_writer *w)
{
    str region = setting_text(c->base.app->settings, SETTING_S3_REGION);

    json_member_str(w, "s3.endpoint", endpoint(c));
    json_member_c(w, "s3.path-style-access", "true");
    json_member_str(w, "s3.region", region);
    json_member_str(w, "client.region", region);
}

void rest__write_defaults(rest_call *c, json_writer *w)
{
    if (c->base.app->s3_address[0] != '\0') {
        write_place(c, w);
    }
}

/* ---- the answer ---- */

/* A path of this table below the catalog's URI; `name.table` must be known. */
static str path_of(rest_call *c, const char *what)
{
    buf *out = buf_in(c->base.a, LIMIT_HTTP_TARGET);
    const char *between = "";

    buf_add_c(out, "v1/");
    uri_encode(out, c->warehouse.name, "");
    buf_add_c(out, "/namespaces/");
    for (str rest = rest__shown_space(c, c->name.space); !str_is_null(rest);) {
        buf_add_c(out, between);
        uri_encode(out, str_cut(rest, '.', &rest), "");
        between = "%1F";
    }
    buf_add_c(out, "/tables/");
    uri_encode(out, c->name.table, "");
    buf_add_char(out, '/');
    buf_add_c(out, what);
    return buf_str(out);
}

static bool header_has(str header, str wanted)
{
    while (!str_is_null(header)) {
        if (str_equal_nocase(str_trim(str_cut(header, ',', &header)), wanted)) {
            return true;
        }
    }
    return false;
}

static bool wants_signing_alone(const rest_call *c)
{
    str header = http_request_header(c->base.x, "X-Iceberg-Access-Delegation");

    return header_has(header, STR("remote-signing")) &&
           !header_has(header, STR("vended-credentials"));
}

static int64_t lifetime_s(const rest_call *c)
{
    int64_t ms = setting_number(c->base.app->settings, SETTING_CATALOG_CREDENTIALS_LIFETIME);

    return ms > LIFETIME_S_MAX * 1000 ? LIFETIME_S_MAX : (ms + 999) / 1000;
}

static void write_keys(rest_call *c, const s3_session *made, json_writer *w)
{
    write_place(c, w);
    json_member_str(w, "s3.access-key-id", made->access_key);
    json_member_str(w, "s3.secret-access-key", made->secret);
    json_member_str(w, "s3.session-token", made->token);
    json_member_str(w, "s3.session-token-expires-at-ms",
                    str_printf(c->base.a, "%lld", (long long)(made->expires_us / 1000)));
    if (c->name.table.size > 0) {
        json_member_str(w, "client.refresh-credentials-endpoint", path_of(c, "credentials"));
        json_member_c(w, "client.refresh-credentials-enabled", "true");
    }
}

/* Each generation of clients has other names for it. */
static void write_signer(rest_call *c, json_writer *w)
{
    str path = path_of(c, "sign");

    write_place(c, w);
    json_member_c(w, "s3.remote-signing-enabled", "true");
    json_member_c(w, "s3.signer", "S3V4RestSigner");
    json_member_str(w, "s3.signer.endpoint", path);
    json_member_str(w, "signer.endpoint", path);
}

/* As the paths in the table's metadata begin. */
static str shown_location(const catalog_document *table)
{
    str location = table->metadata->location;

    if (str_is_null(behind_scheme(location))) {
        location = table->location; /* it lies elsewhere than it says */
    }
    while (str_ends_with(location, STR("/"))) {
        location = str_slice(location, 0, location.size - 1);
    }
    return location;
}

static void write_credentials(const catalog_document *table, str config, json_writer *w)
{
    json_key(w, "storage-credentials");
    json_begin_array(w);
    if (config.size > 0) {
        json_begin_object(w);
        json_member_str(w, "prefix", shown_location(table));
        json_key(w, "config");
        json_put_raw(w, config);
        json_end_object(w);
    }
    json_end_array(w);
}

/* ---- keys that were just given ---- */

/* One who loads a table again within a minute gets the same keys: they are as good, and making them is a third of the
 * work of a load. What was made before a principal, a key or a session ended is not given any more. */
#define KEPT_MAX 4096
#define KEPT_US (60 * INT64_C(1000000))
#define KEPT_LIFETIME_S_MIN 600 /* of shorter ones a minute is much */

typedef struct given_keys {
    str config;
    int64_t made_us, expires_us;
    uint64_t generation;
} given_keys;

struct given_cache {
    mutex lock;
    arena *memory;
    map *given; /* whose, for what, as asked -> given_keys */
    int64_t began_us;
};

given_cache *given_cache_create(void)
{
    given_cache *cache = NEW(given_cache);

    mutex_init(&cache->lock);
    return cache;
}

void given_cache_free(given_cache *cache)
{
    if (cache != NULL) {
        arena_free(cache->memory);
        mutex_release(&cache->lock);
        mem_free(cache);
    }
}

static void add_part(buf *key, str part)
{
    buf_add_str(key, part);
    buf_add_char(key, '\0');
}

/* Everything that the answer is made from. */
static str given_key(rest_call *c, const catalog_document *table)
{
    buf *key = buf_in(c->base.a, LIMIT_JSON_BODY);

    add_part(key, c->base.who.id);
    add_part(key, c->base.who.key);
    add_part(key, c->name.space);
    add_part(key, c->name.table);
    add_part(key, table->location);
    add_part(key, table->metadata_location);
    add_part(key, http_request_header(c->base.x, "Host"));
    buf_add_char(key, may_write(c) ? 'w' : 'r');
    return buf_str(key);
}

/* The lock is held. A minute's keys go together. */
static void start_over(given_cache *cache, int64_t now_us)
{
    arena_free(cache->memory);
    cache->memory = arena_create();
    cache->given = map_create(cache->memory);
    cache->began_us = now_us;
}

static bool find_given(given_cache *cache, const access_control *ac, str key, arena *a,
                       str *ret_config, int64_t *ret_expires_us)
{
    int64_t now_us = clock_now_us();
    const given_keys *found = NULL;
    bool fresh;

    mutex_lock(&cache->lock);
    if (cache->memory != NULL) {
        found = map_get(cache->given, key);
    }
    fresh = found != NULL && found->generation == access_generation(ac) &&
            now_us - found->made_us < KEPT_US && now_us >= found->made_us;
    if (fresh) {
        *ret_config = str_copy(a, found->config);
        *ret_expires_us = found->expires_us;
    }
    mutex_unlock(&cache->lock);
    return fresh;
}

static void keep_given(given_cache *cache, str key, const given_keys *keys)
{
    mutex_lock(&cache->lock);
    if (cache->memory == NULL || keys->made_us - cache->began_us >= KEPT_US ||
        keys->made_us < cache->began_us || map_count(cache->given) >= KEPT_MAX) {
        start_over(cache, keys->made_us);
    }
    given_keys *copy = ARENA_NEW(cache->memory, given_keys);
    *copy = *keys;
    copy->config = str_copy(cache->memory, keys->config);
    (void)map_set(cache->given, key, copy);
    mutex_unlock(&cache->lock);
}

/* ---- members of the answer ---- */

static status make_keys(rest_call *c, const catalog_document *table, str *ret_config,
                        int64_t *ret_expires_us, error *err);

/* The keys as a JSON object; empty where there are none to give. */
static status keys_config(rest_call *c, const catalog_document *table, str *ret_config,
                          int64_t *ret_expires_us, error *err)
{
    given_cache *cache = c->base.app->given_keys;
    given_keys keys = {.made_us = clock_now_us(),
                       .generation = access_generation(c->base.app->access)};
    bool may_keep = !str_is_null(table->metadata_location) && lifetime_s(c) >= KEPT_LIFETIME_S_MIN;
    str key = may_keep ? given_key(c, table) : STR("");

    if (may_keep &&
        find_given(cache, c->base.app->access, key, c->base.a, ret_config, ret_expires_us)) {
        return STATUS_OK;
    }
    TRY(make_keys(c, table, ret_config, ret_expires_us, err));
    if (may_keep) {
        keys.config = *ret_config;
        keys.expires_us = *ret_expires_us;
        keep_given(cache, key, &keys);
    }
    return STATUS_OK;
}

static status make_keys(rest_call *c, const catalog_document *table, str *ret_config,
                        int64_t *ret_expires_us, error *err)
{
    buf *out = buf_in(c->base.a, CONFIG_BYTES_MAX);
    json_writer w;
    s3_session made;
    bool is_made = false;

    *ret_config = STR("");
    *ret_expires_us = 0;
    TRY(rest__vend(c, table, lifetime_s(c), &is_made, &made, err));
    if (!is_made) {
        return STATUS_OK;
    }
    json_writer_init(&w, out);
    json_begin_object(&w);
    write_keys(c, &made, &w);
    json_end_object(&w);
    TRY(buf_check(out, "credentials", err));
    *ret_config = buf_str(out);
    *ret_expires_us = made.expires_us;
    return STATUS_OK;
}

/* For a staged table nobody can be asked: it is not there yet. */
static bool is_signable(const rest_call *c, const catalog_document *table)
{
    return c->name.table.size > 0 && !str_is_null(table->metadata_location) &&
           c->base.app->s3_address[0] != '\0' && !str_is_null(behind_scheme(table->location));
}

status rest__write_access(rest_call *c, const catalog_document *table, json_writer *w,
                          int64_t *ret_expires_us, error *err)
{
    str config;

    *ret_expires_us = 0;
    json_key(w, "config");
    if (wants_signing_alone(c) && is_signable(c, table)) {
        json_begin_object(w);
        write_signer(c, w);
        json_end_object(w);
        return STATUS_OK;
    }
    if (c->is_keyless) { /* keys would outlast the moment at which the place becomes another table's */
        json_begin_object(w);
        rest__write_defaults(c, w);
        json_end_object(w);
        return STATUS_OK;
    }
    TRY(keys_config(c, table, &config, ret_expires_us, err));
    json_put_raw(w, config.size > 0 ? config : STR("{}"));
    if (config.size > 0) {
        write_credentials(table, config, w);
    }
    return STATUS_OK;
}

status rest__credentials_get(rest_call *c, error *err)
{
    catalog_document *table = NULL;
    str config;
    int64_t expires_us;

    status found = catalog_load_document(c->base.app->catalog, c->name, &table, err);
    if (found == STATUS_NO_TABLE) {
        return rest__no_table(c, c->shown, err);
    }
    TRY(found);
    json_writer w = answer_begin(&c->base);
    status made = keys_config(c, table, &config, &expires_us, err);
    if (made == STATUS_OK) {
        json_begin_object(&w);
        write_credentials(table, config, &w);
        json_end_object(&w);
    }
    catalog_document_unref(table);
    TRY(made);
    http_set_header(c->base.x, "Cache-Control", STR("no-store"));
    return rest__send(c, &w, err);
}

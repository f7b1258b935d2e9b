/* Credentials that come with a table: a session that may touch the table's files and nothing else (access/s3.h), in
 * `config`, where every client looks, and in `storage-credentials`, which takes precedence where it is known.
 *
 * The header X-Iceberg-Access-Delegation is a hint. Keys are given unless it asks for remote signing alone. Without it
 * they are given too: iceberg-rust and what is built on it send none and build their access from `config` alone; a Java
 * client with keys of its own gets them replaced for this table by keys that may what its principal may, and that is
 * what the catalog means it to have.
 *
 * Deletes of many files go through Java's client for all of S3, which is made of `config`: so the keys are there too.
 * For that client's refresh `client.refresh-credentials-endpoint` is a path below the catalog's URI, and what is found
 * there is exactly one credential; its keys open all of the table's places. With the table itself comes one for each
 * place, all with the same keys: DuckDB uses a credential below its prefix alone, and has none for the rest. Java and
 * PyIceberg take the longest prefix. A prefix is a location without a slash, so that a listing of the location itself
 * finds it; what keeps `t1` out of `t10` is the session's scope. */
#include "handlers.h"
#include "rest/vend.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/net/uri.h"

#define CONFIG_BYTES_MAX (64 * LIMIT_KIB)
#define LIFETIME_S_MAX INT64_C(43200)
#define KEPT_LIFETIME_S_MIN 600 /* of shorter ones the minute for which they are kept is much */

/* Sessions of the table ended a while ago: it may have come back since, or be what was just dropped. */
static bool is_there_still(rest_call *c, const catalog_document *table)
{
    catalog_document *now = NULL;

    if (c->name.table.size == 0 ||
        catalog_load_document(c->base.app->catalog, c->name, &now, NULL) != STATUS_OK) {
        return false;
    }
    bool same = str_equal(now->uuid, table->uuid) && str_equal(now->location, table->location);
    catalog_document_unref(now);
    return same;
}

status rest__vend(rest_call *c, const catalog_document *table, int64_t duration_s,
                  rest_vended *ret_vended, error *err)
{
    rest_vended *v = ret_vended;
    s3_vending vending = {.who = &c->base.who,
                          .scopes = v->scopes,
                          .duration_s = duration_s,
                          .subject = table->uuid,
                          .ended_us = access_vended_end(c->base.app->access, table->uuid)};

    v->is_made = false;
    v->scope_count = 0;
    if (c->base.app->s3_address[0] == '\0' || duration_s <= 0) {
        return STATUS_OK; /* nobody answers to the keys, or there are to be none */
    }
    if (vending.ended_us != 0 && !is_there_still(c, table)) {
        return STATUS_OK;
    }
    TRY(rest__scopes(c, table, v->scopes, &v->scope_count, err));
    if (v->scope_count > 0) {
        vending.scope_count = v->scope_count;
        TRY(access_vend_s3(c->base.app->access, &vending, c->base.a, &v->session, err));
        v->is_made = true;
    }
    return STATUS_OK;
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

int64_t rest__keys_lifetime_s(const rest_call *c)
{
    int64_t ms = setting_number(c->base.app->settings, SETTING_CATALOG_CREDENTIALS_LIFETIME);

    return ms > LIFETIME_S_MAX * 1000 ? LIFETIME_S_MAX : (ms + 999) / 1000;
}

static void write_keys(rest_call *c, const s3_session *made, json_writer *w)
{
    rest__write_place(c, w);
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

    rest__write_place(c, w);
    json_member_c(w, "s3.remote-signing-enabled", "true");
    json_member_c(w, "s3.signer", "S3V4RestSigner");
    json_member_str(w, "s3.signer.endpoint", path);
    json_member_str(w, "signer.endpoint", path);
}

/* That it is there says that the table's requests are signed by the catalog, whatever the names in `config`; a request
 * for a signature needs no more than the specification's own members. */
static void write_signing_config(json_writer *w)
{
    json_key(w, "remote-signing-config");
    json_put_raw(w, STR("{\"properties\":{},\"headers\":{}}"));
}

/* As the paths in the table's metadata begin. */
static str shown_location(const catalog_document *table)
{
    str location = table->metadata->location;

    if (str_is_null(rest__behind_scheme(location))) {
        location = table->location; /* it lies elsewhere than it says */
    }
    while (str_ends_with(location, STR("/"))) {
        location = str_slice(location, 0, location.size - 1);
    }
    return location;
}

/* "s3://bucket/a/t", of "a/t/" in "bucket". */
static str location_of(rest_call *c, const s3_scope *scope)
{
    return str_printf(c->base.a, "s3://%.*s/%.*s", STR_ARG(scope->bucket),
                      STR_ARG(str_slice(scope->prefix, 0, scope->prefix.size - 1)));
}

static bool lies_in(str location, str place)
{
    return str_starts_with(location, place) &&
           (location.size == place.size || location.data[place.size] == '/');
}

static bool lies_in_another(const rest_vended *v, size_t which)
{
    const s3_scope *own = &v->scopes[which];

    for (size_t i = 0; i < v->scope_count; i++) {
        const s3_scope *other = &v->scopes[i];

        if (i != which && str_equal(other->bucket, own->bucket) &&
            str_starts_with(own->prefix, other->prefix) &&
            (i < which || other->prefix.size < own->prefix.size)) {
            return true;
        }
    }
    return false;
}

/* The places that neither the shown one nor another holds; most tables have none. */
static str other_places(rest_call *c, const catalog_document *table, const rest_vended *v)
{
    str shown = shown_location(table);
    buf *others = buf_in(c->base.a, LIMIT_JSON_BODY);

    for (size_t i = 0; i < v->scope_count; i++) {
        str location = location_of(c, &v->scopes[i]);

        if (!lies_in(location, shown) && !lies_in_another(v, i)) {
            buf_add_str(others, location);
            buf_add_char(others, '\0');
        }
    }
    return buf_str(others);
}

static void write_credential(str prefix, str config, json_writer *w)
{
    json_begin_object(w);
    json_member_str(w, "prefix", prefix);
    json_key(w, "config");
    json_put_raw(w, config);
    json_end_object(w);
}

typedef enum given_for { FOR_ITS_LOCATION, FOR_ALL_PLACES } given_for;

static void write_credentials(const catalog_document *table, const given_keys *keys, given_for what,
                              json_writer *w)
{
    str others = what == FOR_ALL_PLACES ? keys->others : STR("");

    json_key(w, "storage-credentials");
    json_begin_array(w);
    if (keys->config.size > 0) {
        write_credential(shown_location(table), keys->config, w);
        while (others.size > 0) {
            write_credential(str_cut(others, '\0', &others), keys->config, w);
        }
    }
    json_end_array(w);
}

/* ---- keys ---- */

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
    buf_add_char(key, rest__may_write(c) ? 'w' : 'r');
    return buf_str(key);
}

static status make_keys(rest_call *c, const catalog_document *table, given_keys *ret_keys,
                        error *err)
{
    given_keys keys = {.config = STR(""),
                       .others = STR(""),
                       .made_us = clock_now_us(),
                       .generation = access_generation(c->base.app->access)};
    buf *out = buf_in(c->base.a, CONFIG_BYTES_MAX);
    json_writer w;
    rest_vended vended;

    TRY(rest__vend(c, table, rest__keys_lifetime_s(c), &vended, err));
    if (vended.is_made) {
        json_writer_init(&w, out);
        json_begin_object(&w);
        write_keys(c, &vended.session, &w);
        json_end_object(&w);
        TRY(buf_check(out, "credentials", err));
        keys.config = buf_str(out);
        keys.others = other_places(c, table, &vended);
        keys.expires_us = vended.session.expires_us;
    }
    *ret_keys = keys;
    return STATUS_OK;
}

/* The keys as a JSON object; `config` is empty where there are none to give. */
static status find_keys(rest_call *c, const catalog_document *table, given_keys *ret_keys,
                        error *err)
{
    given_cache *cache = c->base.app->given_keys;
    uint64_t generation = access_generation(c->base.app->access);
    bool may_keep =
        !str_is_null(table->metadata_location) && rest__keys_lifetime_s(c) >= KEPT_LIFETIME_S_MIN;
    str key = may_keep ? given_key(c, table) : STR("");

    if (may_keep && given_cache_find(cache, generation, key, c->base.a, ret_keys)) {
        return STATUS_OK;
    }
    TRY(make_keys(c, table, ret_keys, err));
    if (may_keep) {
        given_cache_keep(cache, key, ret_keys);
    }
    return STATUS_OK;
}

/* ---- members of the answer ---- */

/* For a staged table nobody can be asked: it is not there yet. */
static bool is_signable(const rest_call *c, const catalog_document *table)
{
    return c->name.table.size > 0 && !str_is_null(table->metadata_location) &&
           c->base.app->s3_address[0] != '\0' && !str_is_null(rest__behind_scheme(table->location));
}

status rest__write_access(rest_call *c, const catalog_document *table, json_writer *w,
                          int64_t *ret_expires_us, error *err)
{
    given_keys keys;

    *ret_expires_us = 0;
    json_key(w, "config");
    if (wants_signing_alone(c) && is_signable(c, table)) {
        json_begin_object(w);
        write_signer(c, w);
        json_end_object(w);
        write_signing_config(w);
        return STATUS_OK;
    }
    if (c->is_keyless) { /* keys would outlast the moment at which the place becomes another table's */
        json_begin_object(w);
        rest__write_defaults(c, w);
        json_end_object(w);
        return STATUS_OK;
    }
    TRY(find_keys(c, table, &keys, err));
    json_put_raw(w, keys.config.size > 0 ? keys.config : STR("{}"));
    if (keys.config.size > 0) {
        write_credentials(table, &keys, FOR_ALL_PLACES, w);
    }
    *ret_expires_us = keys.expires_us;
    return STATUS_OK;
}

static void unref_document(void *document)
{
    catalog_document_unref(document);
}

status rest__credentials_get(rest_call *c, error *err)
{
    catalog_document *loaded = NULL;
    const catalog_document *table = NULL;
    given_keys keys;
    status found = catalog_load_document(c->base.app->catalog, c->name, &loaded, err);

    if (rest__is_missing(found)) {
        error_clear(err);
        TRY(rest__renew_staged(c, &table, err));
    } else {
        TRY(found);
        arena_defer(c->base.a, unref_document, loaded);
        table = loaded;
    }
    TRY(find_keys(c, table, &keys, err));
    if (keys.config.size == 0 && loaded == NULL) {
        return rest__no_table(c, c->shown, err); /* its hold ended, and its keys with it */
    }
    json_writer w = answer_begin(&c->base);
    json_begin_object(&w);
    write_credentials(table, &keys, FOR_ITS_LOCATION, &w);
    json_end_object(&w);
    http_set_header(c->base.x, "Cache-Control", STR("no-store"));
    return rest__send(c, &w, err);
}

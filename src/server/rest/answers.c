/* Answers that hold a table, a view or a namespace. A table's metadata is sent from where the catalog keeps its bytes;
 * what is written here is around them.
 *
 * An ETag stands for one form of one version, for one caller, and tells when the credentials that went with it
 * end: W/"<version>-<seconds>". While they are fresh the answer may be 304, later not, though the metadata did not
 * change. */
#include <inttypes.h>

#include "rest/vend.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "tarn/codec/checksum.h"

/* What is left of credentials' life when a client may still be told to go on with them. */
#define FRESH_S (10 * 60)
#define NO_EXPIRY INT64_C(0)
#define ETAG_BYTES 12

status rest__send(rest_call *c, json_writer *w, error *err)
{
    return answer_send(&c->base, 200, w, err);
}

static void unref_metadata(void *metadata)
{
    ice_metadata_unref(metadata);
}

static void unref_view(void *view)
{
    ice_view_unref(view);
}

static void unref_document(void *document)
{
    catalog_document_unref(document);
}

/* ---- ETags ---- */

/* Digest of what an answer depends on: the version and its form; whose it is, and as what; where S3 is and how long
 * keys are good; and of credentials with which end they end early: their key's, their principal's, their table's. */
static str etag_version(rest_call *c, const catalog_document *d, bool refs_alone)
{
    const principal *who = &c->base.who;
    str delegation = http_request_header(c->base.x, "X-Iceberg-Access-Delegation");
    buf *text = buf_in(c->base.a, LIMIT_MIB);
    uint8_t bytes[DIGEST_SIZE_MAX];
    json_writer w;

    json_writer_init(&w, text);
    json_begin_object(&w);
    rest__write_defaults(c, &w);
    json_end_object(&w);
    buf_printf(text, "%.*s\n%d\n%.*s\n%.*s\n%.*s\n%d\n%" PRId64 "\n%" PRId64 "\n%" PRId64,
               STR_ARG(d->metadata_location), refs_alone ? 1 : 0, STR_ARG(delegation),
               STR_ARG(who->id), STR_ARG(who->key), (int)who->role, who->sessions_from_us,
               access_vended_end(c->base.app->access, d->uuid), rest__keys_lifetime_s(c));
    digest(DIGEST_SHA256, buf_str(text), bytes);
    return str_to_hex(c->base.a, bytes, ETAG_BYTES);
}

static void set_etag(rest_call *c, str version, int64_t expires_us)
{
    str tag = expires_us == NO_EXPIRY ? str_printf(c->base.a, "W/\"%.*s\"", STR_ARG(version))
                                      : str_printf(c->base.a, "W/\"%.*s-%" PRId64 "\"",
                                                   STR_ARG(version), expires_us / 1000000);

    http_set_header(c->base.x, "ETag", tag);
}

/* Whether If-None-Match has that version, and until when the credentials that went with it are good: the latest. */
static bool is_known(const rest_call *c, str version, int64_t *ret_expires_us)
{
    str sent = http_request_header(c->base.x, "If-None-Match");
    int64_t best_s = -1;

    for (str rest = sent; !str_is_null(rest);) {
        str tag = str_trim(str_cut(rest, ',', &rest));
        str expiry = STR_NULL;
        int64_t expires_s = 0;

        tag = str_starts_with(tag, STR("W/")) ? str_slice(tag, 2, tag.size) : tag;
        if (tag.size < 2 || tag.data[0] != '"' || tag.data[tag.size - 1] != '"') {
            continue;
        }
        str own = str_cut(str_slice(tag, 1, tag.size - 1), '-', &expiry);
        if (!str_equal(own, version) ||
            (!str_is_null(expiry) && str_to_int64(expiry, &expires_s, NULL) != STATUS_OK)) {
            continue;
        }
        best_s = expires_s > best_s ? expires_s : best_s;
    }
    *ret_expires_us = best_s > 0 && best_s < INT64_MAX / 1000000 ? best_s * 1000000 : NO_EXPIRY;
    return best_s >= 0;
}

/* ---- tables ---- */

/* {"metadata-location": …, "metadata": */
static str answer_head(rest_call *c, str metadata_location)
{
    buf *head = buf_in(c->base.a, LIMIT_MIB);

    buf_add_c(head, "{\"metadata-location\":");
    if (str_is_null(metadata_location)) {
        buf_add_c(head, "null");
    } else {
        json_quote(head, metadata_location);
    }
    buf_add_c(head, ",\"metadata\":");
    return buf_str(head);
}

/* , "config": {…}, "storage-credentials": […]} */
static status answer_tail(rest_call *c, const catalog_document *table, str *ret_tail,
                          int64_t *ret_expires_us, error *err)
{
    buf *tail = buf_in(c->base.a, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, tail);
    w.needs_comma = true; /* it goes on where the metadata ended */
    TRY(rest__write_access(c, table, &w, ret_expires_us, err));
    buf_add_char(tail, '}');
    TRY(buf_check(tail, "answer", err));
    *ret_tail = buf_str(tail);
    return STATUS_OK;
}

static void send_pieces(rest_call *c, str head, str document, str tail)
{
    const str pieces[] = {head, document, tail};

    http_respond_pieces(c->base.x, 200, "application/json", pieces, COUNT_OF(pieces));
}

/* The document lives as long as the exchange's arena. */
static void send_document(rest_call *c, const catalog_document *d, bool refs_alone, str tail)
{
    str head = answer_head(c, d->metadata_location);
    str text = refs_alone ? d->refs : d->all;

    if (d->file >= 0 && text.data == d->all.data) {
        http_respond_around(c->base.x, 200, "application/json", head, d->file, (int64_t)text.size,
                            tail);
    } else {
        send_pieces(c, head, text, tail);
    }
}

static status read_snapshots_param(const rest_call *c, bool *ret_refs_alone, error *err)
{
    str text = http_request_param(c->base.x, "snapshots");

    if (text.size == 0 || str_equal_nocase(text, STR("all"))) {
        *ret_refs_alone = false;
    } else if (str_equal_nocase(text, STR("refs"))) {
        *ret_refs_alone = true;
    } else {
        return error_set(err, STATUS_INVALID, "invalid snapshots: \"%.*s\" is neither all nor refs",
                         STR_ARG(text));
    }
    return STATUS_OK;
}

static status word_load(rest_call *c, status result, error *err)
{
    if (rest__is_missing(result)) {
        return rest__no_table(c, c->shown, err);
    }
    if (result == STATUS_NOT_FOUND) {
        return rest__lost(c, err);
    }
    return result;
}

/* RFC 9110 §13.1.2: whatever is there is known. */
static bool is_any_known(const rest_call *c)
{
    return str_equal(str_trim(http_request_header(c->base.x, "If-None-Match")), STR("*"));
}

static status answer_document(rest_call *c, const catalog_document *d, bool conditional, error *err)
{
    bool refs_alone = false;
    int64_t known_us = 0, expires_us = NO_EXPIRY;
    str tail;

    TRY(read_snapshots_param(c, &refs_alone, err));
    str version = etag_version(c, d, refs_alone);
    bool known = conditional && is_known(c, version, &known_us);
    if (known && known_us > clock_now_us() + FRESH_S * INT64_C(1000000)) {
        set_etag(c, version, known_us);
        http_respond(c->base.x, 304, NULL, STR(""));
        return STATUS_OK;
    }
    if (conditional && is_any_known(c)) {
        set_etag(c, version, NO_EXPIRY);
        http_respond(c->base.x, 304, NULL, STR(""));
        return STATUS_OK;
    }
    TRY(answer_tail(c, d, &tail, &expires_us, err));
    set_etag(c, version, expires_us);
    if (known && known_us == NO_EXPIRY && expires_us == NO_EXPIRY) {
        http_respond(c->base.x, 304, NULL, STR(""));
        return STATUS_OK;
    }
    send_document(c, d, refs_alone, tail);
    return STATUS_OK;
}

status rest__answer_table(rest_call *c, table_name name, bool conditional, error *err)
{
    catalog_document *d = catalog_find_document(c->base.app->catalog, name);
    status found =
        d != NULL ? STATUS_OK : catalog_load_document(c->base.app->catalog, name, &d, err);

    if (found != STATUS_OK) {
        return word_load(c, found, err);
    }
    arena_defer(c->base.a, unref_document, d);
    return answer_document(c, d, conditional, err);
}

/* A document for one answer, which wants every snapshot. */
static status format_document(rest_call *c, const catalog_loaded *loaded,
                              const catalog_document **ret_document, error *err)
{
    catalog_document *d = ARENA_NEW(c->base.a, catalog_document);
    str text = loaded->text;

    if (str_is_null(text)) {
        buf *made = buf_in(c->base.a, LIMIT_METADATA_FILE);
        ice_metadata_format(loaded->metadata, made);
        TRY(buf_check(made, "table metadata", err));
        text = buf_str(made);
    }
    d->metadata_location = loaded->info.metadata_location;
    d->uuid = loaded->info.uuid.size > 0 ? loaded->info.uuid : loaded->metadata->uuid;
    d->location = loaded->info.location;
    d->rebase = STR_NULL;
    d->registered = loaded->info.registered;
    d->all = text;
    d->refs = text;
    d->file = -1;
    d->metadata = loaded->metadata;
    *ret_document = d;
    return STATUS_OK;
}

/* What a change left, as a document; a staged table has only what it would begin with. */
static status loaded_document(rest_call *c, const catalog_loaded *loaded,
                              const catalog_document **ret_document, error *err)
{
    arena_defer(c->base.a, unref_metadata, loaded->metadata);
    if (str_is_null(loaded->info.metadata_location) || !str_is_null(loaded->text)) {
        return format_document(c, loaded, ret_document, err);
    }
    catalog_document *made = NULL;
    TRY(catalog_make_document(c->base.app->catalog, loaded->info.name, loaded->metadata,
                              &loaded->info, &made, err));
    arena_defer(c->base.a, unref_document, made);
    *ret_document = made;
    return STATUS_OK;
}

status rest__answer_loaded(rest_call *c, const catalog_loaded *loaded, error *err)
{
    const catalog_document *d = NULL;
    int64_t expires_us = NO_EXPIRY;
    str tail;

    TRY(loaded_document(c, loaded, &d, err));
    TRY(answer_tail(c, d, &tail, &expires_us, err));
    if (!str_is_null(d->metadata_location)) {
        set_etag(c, etag_version(c, d, false), expires_us);
    }
    send_document(c, d, false, tail);
    return STATUS_OK;
}

status rest__answer_committed(rest_call *c, const catalog_loaded *loaded, error *err)
{
    const catalog_document *d = NULL;

    TRY(loaded_document(c, loaded, &d, err));
    set_etag(c, etag_version(c, d, false), NO_EXPIRY);
    send_document(c, d, false, STR("}"));
    return STATUS_OK;
}

/* ---- views ---- */

status rest__answer_loaded_view(rest_call *c, const catalog_loaded_view *loaded, error *err)
{
    buf *text = buf_in(c->base.a, LIMIT_METADATA_FILE);

    arena_defer(c->base.a, unref_view, loaded->view);
    ice_view_format(loaded->view, text);
    TRY(buf_check(text, "view metadata", err));
    str head = answer_head(c, loaded->info.metadata_location);
    str tail = STR(",\"config\":{}}");
    c->answered = str_concat(c->base.a, str_concat(c->base.a, head, buf_str(text)), tail);
    send_pieces(c, head, buf_str(text), tail);
    return STATUS_OK;
}

status rest__answer_view(rest_call *c, table_name name, error *err)
{
    catalog_loaded_view loaded;
    status found =
        catalog_read_view(c->base.app->catalog, name, c->base.a, &loaded.view, &loaded.info, err);

    if (rest__is_missing(found)) {
        return rest__no_view(c, c->shown, err);
    }
    if (found == STATUS_NOT_FOUND) {
        return rest__lost(c, err);
    }
    return found == STATUS_OK ? rest__answer_loaded_view(c, &loaded, err) : found;
}

/* ---- namespaces ---- */

status rest__answer_namespace(rest_call *c, str space, error *err)
{
    namespace_info info;
    str location;
    bool has_location = false;
    status found = catalog_get_namespace(c->base.app->catalog, space, c->base.a, &info, err);

    if (found == STATUS_NO_NAMESPACE) {
        return rest__no_space(c, rest__shown_space(c, space), err);
    }
    TRY(found);
    TRY(catalog_space_location(c->base.app->catalog, space, c->base.a, &location, err));
    json_writer w = answer_begin(&c->base);
    json_begin_object(&w);
    json_key(&w, "namespace");
    rest__put_levels(c, info.name, &w);
    json_key(&w, "properties");
    json_begin_object(&w);
    for (size_t i = 0; i < info.property_count; i++) {
        json_key_str(&w, info.properties[i].key);
        json_put_str(&w, info.properties[i].value);
        has_location = has_location || str_equal(info.properties[i].key, STR("location"));
    }
    if (!has_location) {
        json_member_str(&w, "location", location);
    }
    json_end_object(&w);
    json_end_object(&w);
    c->answered = str_copy(c->base.a, buf_str(w.out));
    return rest__send(c, &w, err);
}

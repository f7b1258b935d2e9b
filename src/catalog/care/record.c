/* Records: small objects below "<warehouse>/.tarn/" that tell what the files of tables do not, so that a lost
 * database can be rebuilt (recover.c). No vended key opens that folder, so that they are to be believed where a
 * table's own files are not: those were written by whoever may write the table.
 *
 *   names/<uuid>.json          a table or view that its location does not name, that has further places, is protected
 *                              or dropped: its name, location, places and the flag. One whose time was over when
 *                              it was dropped is purged
 *   namespaces/<name>.json     a namespace: its name as given, properties and flag, or that it was dropped
 *   warehouses/<name>.json     warehouse.c
 *
 * Each is published in the transaction of what it tells. */
#include "places/place.h"

#include "tarn/base/limits.h"
#include "tarn/base/vec.h"
#include "tarn/codec/checksum.h"

#define NAME_SIZE_MAX \
    200 /* of an object, in the folder of namespaces; longer ones go by their digest */

str catalog__name_records(const catalog *c, arena *a)
{
    return str_printf(a, "%.*s/.tarn/names/", STR_ARG(c->warehouse_location));
}

str catalog__name_location(const catalog *c, str uuid, arena *a)
{
    str folder = catalog__name_records(c, a);

    return str_printf(a, "%.*s%.*s.json", STR_ARG(folder), STR_ARG(uuid));
}

/* ---- which there are ---- */

static bool is_further(const ice_property *property, str own)
{
    return catalog__is_path_property(property->key) && !catalog__lies_in(property->value, own);
}

bool catalog__needs_record(catalog *c, const catalog__row *row)
{
    arena *a = arena_create();
    table_name told;
    bool needs = row->is_asked || !catalog__is_chosen(c, row->location, row->uuid, a, &told) ||
                 !str_equal(told.space, row->name.space) || !str_equal(told.table, row->name.table);

    for (size_t i = 0; i < row->property_count && !needs; i++) {
        needs = is_further(&row->properties[i], row->location);
    }
    arena_free(a);
    return needs;
}

static bool has_property(const ice_metadata *m, const ice_property *wanted)
{
    for (size_t i = 0; i < m->property_count; i++) {
        if (str_equal(m->properties[i].key, wanted->key)) {
            return str_equal(m->properties[i].value, wanted->value);
        }
    }
    return false;
}

bool catalog__brings_place(const ice_metadata *before, const ice_metadata *after)
{
    bool brings = false;

    for (size_t i = 0; i < after->property_count && !brings; i++) {
        const ice_property *property = &after->properties[i];

        brings = is_further(property, after->location) &&
                 (before == NULL || !has_property(before, property));
    }
    return brings;
}

/* ---- of a table ---- */

typedef struct known {
    catalog *c;
    const catalog__row *row;
    arena *a;
    bool is_protected;
    VEC(str) places;
} known;

static void add_place(known *k, str location)
{
    for (size_t i = 0; i < k->places.count; i++) {
        if (catalog__lies_in(location, k->places.items[i])) {
            return;
        }
    }
    if (!catalog__lies_in(location, k->row->location)) {
        vec_push(k->a, &k->places, location);
    }
}

/* What its rows say; where it lay till now is a place of it. */
static status read_known(void *context, state_txn *txn, error *err)
{
    known *k = context;
    state_rows *rows = NULL;
    bool more = false;

    TRY(STATE_QUERY(txn, "SELECT protected, location FROM tables WHERE uuid = ?1", &rows, err,
                    SV_TEXT(k->row->uuid)));
    TRY(state_next(rows, &more, err));
    if (more) {
        k->is_protected = state_int(rows, 0) != 0;
        add_place(k, state_text(rows, 1, k->a));
    }
    state_finish(rows);
    TRY(STATE_QUERY(txn, "SELECT location FROM places WHERE uuid = ?1 ORDER BY location", &rows,
                    err, SV_TEXT(k->row->uuid)));
    for (;;) {
        TRY(state_next(rows, &more, err));
        if (!more) {
            break;
        }
        add_place(k, state_text(rows, 0, k->a));
    }
    state_finish(rows);
    return STATUS_OK;
}

/* Paths that cannot be any are told of by who makes places of them. */
static void add_paths(known *k)
{
    for (size_t i = 0; i < k->row->property_count; i++) {
        const ice_property *property = &k->row->properties[i];
        str settled;

        if (is_further(property, k->row->location) &&
            catalog__settle_location(k->c, property->value, k->a, &settled, NULL) == STATUS_OK) {
            add_place(k, settled);
        }
    }
}

static void format_record(const known *k, const dropped_table *dropped, json_writer *w)
{
    const catalog__row *row = k->row;

    json_begin_object(w);
    json_member_str(w, "namespace", row->name.space);
    json_member_str(w, "table", row->name.table);
    json_member_str(w, "uuid", row->uuid);
    json_member_str(w, "metadata-location", row->metadata_location);
    json_member_str(w, "location", row->location);
    if (k->places.count > 0) {
        json_key(w, "places");
        json_begin_array(w);
        for (size_t i = 0; i < k->places.count; i++) {
            json_put_str(w, k->places.items[i]);
        }
        json_end_array(w);
    }
    if (row->registered) {
        json_member_bool(w, "registered", true);
    }
    if (row->is_view) {
        json_member_bool(w, "view", true);
    }
    if (row->protects != NULL ? *row->protects : k->is_protected) {
        json_member_bool(w, "protected", true);
    }
    if (!str_is_null(row->rebase)) {
        json_member_str(w, "rebase", row->rebase);
    }
    if (dropped != NULL) {
        json_member_int(w, "dropped-us", dropped->dropped_us);
        json_member_int(w, "purge-us", dropped->purge_us);
        json_member_str(w, "dropped-by", dropped->principal);
    }
    json_end_object(w);
}

static status stage(catalog *c, str location, const buf *text, store_staged **ret_staged,
                    error *err)
{
    TRY(buf_check(text, "record", err));
    return store_stage_bytes(c->storage, location, STR("application/json"), buf_str(text),
                             ret_staged, err);
}

static status stage_known(known *k, const dropped_table *dropped, store_staged **ret_staged,
                          error *err)
{
    buf *text = buf_in(k->a, LIMIT_JSON_BODY);
    json_writer w;

    TRY(state_read(k->c->state, read_known, k, err));
    add_paths(k);
    json_writer_init(&w, text);
    format_record(k, dropped, &w);
    return stage(k->c, catalog__name_location(k->c, k->row->uuid, k->a), text, ret_staged, err);
}

status catalog__stage_record(catalog *c, const catalog__row *row, const dropped_table *dropped,
                             store_staged **ret_staged, error *err)
{
    known k = {.c = c, .row = row, .a = arena_create()};
    status result = stage_known(&k, dropped, ret_staged, err);

    arena_free(k.a);
    return result;
}

status catalog__stage_name(catalog *c, const catalog__row *row, store_staged **ret_staged,
                           error *err)
{
    return catalog__stage_record(c, row, NULL, ret_staged, err);
}

/* ---- of a namespace ---- */

str catalog__space_records(const catalog *c, arena *a)
{
    return str_printf(a, "%.*s/.tarn/namespaces/", STR_ARG(c->warehouse_location));
}

str catalog__space_record(const catalog *c, str key, arena *a)
{
    buf *name = buf_in(a, LIMIT_HTTP_TARGET * 4);
    str folder = catalog__space_records(c, a);
    uint8_t hash[DIGEST_SIZE_MAX];

    catalog__escape_name(name, key);
    if (name->failed || name->size > NAME_SIZE_MAX) {
        digest(DIGEST_SHA256, key, hash);
        str hex = str_to_hex(a, hash, digest_size(DIGEST_SHA256));
        return str_printf(a, "%.*s~%.*s.json", STR_ARG(folder), STR_ARG(hex));
    }
    return str_printf(a, "%.*s%.*s.json", STR_ARG(folder), STR_ARG(buf_str(name)));
}

static status stage_space(catalog *c, const namespace_info *info, bool dropped,
                          store_staged **ret_staged, error *err)
{
    arena *a = arena_create();
    buf *text = buf_in(a, LIMIT_JSON_BODY);
    json_writer w;

    json_writer_init(&w, text);
    json_begin_object(&w);
    json_member_str(&w, "namespace", info->name);
    json_key(&w, "properties");
    json_begin_object(&w);
    for (size_t i = 0; i < info->property_count; i++) {
        json_key_str(&w, info->properties[i].key);
        json_put_str(&w, info->properties[i].value);
    }
    json_end_object(&w);
    if (info->is_protected) {
        json_member_bool(&w, "protected", true);
    }
    if (dropped) {
        json_member_bool(&w, "dropped", true);
    }
    json_end_object(&w);
    str location = catalog__space_record(c, catalog__fold(a, info->name), a);
    status result = stage(c, location, text, ret_staged, err);
    arena_free(a);
    return result;
}

status catalog__stage_space(catalog *c, const namespace_info *info, store_staged **ret_staged,
                            error *err)
{
    return stage_space(c, info, false, ret_staged, err);
}

status catalog__stage_dropped_space(catalog *c, str name, store_staged **ret_staged, error *err)
{
    const namespace_info info = {.name = name, .location = STR_NULL};

    return stage_space(c, &info, true, ret_staged, err);
}

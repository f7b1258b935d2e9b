/* request_table.c: updates of what belongs to the table as a whole: identity, format, place, properties, keys. */
#include "request_parts.h"

#include "tarn/base/limits.h"
#include "tarn/base/map.h"

#define KEYS "encryption-keys"

ICE__APPLIER(uuid)
{
    ice_metadata *m = &x->b->now;

    if (!str_is_null(m->uuid) && !str_equal_nocase(m->uuid, u->text)) {
        return error_set(err, STATUS_INVALID, "the table has the UUID %.*s, which stays",
                         STR_ARG(m->uuid));
    }
    m->uuid = str_is_null(m->uuid) ? u->text : m->uuid;
    return STATUS_OK;
}

ICE__APPLIER(format_version)
{
    return ice_builder_set_format_version(x->b, u->id, err);
}

ICE__APPLIER(location)
{
    (void)err;
    ice_builder_set_location(x->b, u->text);
    return STATUS_OK;
}

/* ---- properties ---- */

/* Words that only some programs know are other programs' business: tarn writes no ORC, but others may. */
static bool is_choice(str key)
{
    size_t count;
    const ice_property_info *infos = ice_property_infos(&count);

    for (size_t i = 0; i < count; i++) {
        if (str_equal(key, str_c(infos[i].key))) {
            return str_starts_with(key, STR("write.")) || str_starts_with(key, STR("read."))
                       ? str_find_char(str_c(infos[i].type), '|') != STR_NPOS ||
                             str_ends_with(key, STR(".format.default"))
                       : false;
        }
    }
    return false;
}

/* Formats are Iceberg's own, though tarn writes only one of them. */
static status check_format(const ice_property *p, error *err)
{
    static const char *const formats[] = {"parquet", "avro", "orc", "puffin"};
    size_t count = 0;

    if (str_equal(p->key, STR("write.delete.format.default"))) {
        count = COUNT_OF(formats);
    } else if (str_equal(p->key, STR("write.format.default"))) {
        count = COUNT_OF(formats) - 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(p->value, str_c(formats[i]))) {
            return STATUS_OK;
        }
    }
    return count == 0 ? STATUS_OK
                      : error_set(err, STATUS_INVALID,
                                  "property \"%.*s\" cannot be \"%.*s\": not parquet, avro%s",
                                  STR_ARG(p->key), STR_ARG(str_slice(p->value, 0, 100)),
                                  count == COUNT_OF(formats) ? ", orc or puffin" : " or orc");
}

static status check_property(const ice_property *p, bool creates, bool *ret_stays, error *err)
{
    *ret_stays = !str_equal(p->key, STR("format-version"));
    if (p->key.size == 0) {
        return error_set(err, STATUS_INVALID, "a property has an empty name");
    }
    if (ice__follows_from_table(p->key)) {
        *ret_stays = false;
        return creates ? STATUS_OK
                       : error_set(err, STATUS_INVALID,
                                   "property \"%.*s\" cannot be set: it follows from the table",
                                   STR_ARG(p->key));
    }
    return is_choice(p->key) ? check_format(p, err) : ice_property_check(p->key, p->value, err);
}

/* One pass, however many they are. */
status ice__put_properties(ice_builder *b, const ice_property *properties, size_t count,
                           bool creates, error *err)
{
    ice_metadata *m = &b->now;
    ice_property *list = ARENA_ARRAY(b->memory, ice_property, m->property_count + count);
    map *places = map_create(b->memory);
    size_t made = 0;

    for (size_t i = 0; i < m->property_count; i++) {
        list[made] = m->properties[i];
        (void)map_set(places, list[made].key, &list[made]);
        made++;
    }
    for (size_t i = 0; i < count; i++) {
        ice_property *place = map_get(places, properties[i].key);
        bool stays;

        TRY(check_property(&properties[i], creates, &stays, err));
        if (str_equal(properties[i].key, STR("format-version"))) { /* checked: a digit */
            TRY(ice_builder_set_format_version(b, properties[i].value.data[0] - '0', err));
        }
        if (stays && place == NULL) {
            place = &list[made++];
            (void)map_set(places, properties[i].key, place);
        }
        if (stays) {
            *place = properties[i];
        }
    }
    m->properties = list;
    m->property_count = made;
    return STATUS_OK;
}

ICE__APPLIER(set_properties)
{
    return ice__put_properties(x->b, u->properties, u->count, x->creates, err);
}

ICE__APPLIER(remove_properties)
{
    static char present;
    ice_metadata *m = &x->b->now;
    ice_property *list = ARENA_ARRAY(x->memory, ice_property, m->property_count);
    map *gone = map_create(x->memory);
    size_t count = 0;

    (void)err;
    for (size_t i = 0; i < u->count; i++) {
        (void)map_set(gone, u->keys[i], &present);
    }
    for (size_t i = 0; i < m->property_count; i++) {
        if (!map_has(gone, m->properties[i].key)) {
            list[count++] = m->properties[i];
        }
    }
    m->properties = list;
    m->property_count = count;
    return STATUS_OK;
}

/* ---- keys ---- */

static const json *key_list(const ice_metadata *m, arena *a)
{
    const json *list = NULL;

    for (size_t i = 0; i < m->unknown_count; i++) {
        if (str_equal(m->unknown[i].key, STR(KEYS)) &&
            json_parse(m->unknown[i].value, a, &list, NULL) == STATUS_OK) {
            return list;
        }
    }
    return NULL;
}

static bool has_id(const json *key, str id)
{
    return str_equal(json_str_or(json_get(key, "key-id"), STR_NULL), id);
}

/* The list without the key of that id, with `more` (may be NULL) behind it. */
static void edit_keys(ice__applying *x, const json *list, str gone, const json *more)
{
    ice_metadata *m = &x->b->now;
    buf *text = buf_in(x->memory, LIMIT_METADATA_FILE);
    ice_property *members = ARENA_ARRAY(x->memory, ice_property, m->unknown_count + 1);
    size_t at = 0, kept = 0;
    json_writer w;

    json_writer_init(&w, text);
    json_begin_array(&w);
    for (size_t i = 0; i < json_count(list); i++) {
        if (!has_id(json_at(list, i), gone)) {
            json_put_value(&w, json_at(list, i));
            kept++;
        }
    }
    if (more != NULL) {
        json_put_value(&w, more);
        kept++;
    }
    json_end_array(&w);
    for (size_t i = 0; i < m->unknown_count; i++) {
        if (!str_equal(m->unknown[i].key, STR(KEYS))) {
            members[at++] = m->unknown[i];
        }
    }
    if (kept > 0) {
        members[at++] = (ice_property){.key = STR(KEYS), .value = buf_str(text)};
    }
    m->unknown = members;
    m->unknown_count = at;
}

ICE__APPLIER(add_key)
{
    const json *list = key_list(&x->b->now, x->memory);

    if (x->b->now.format_version < 3) {
        return error_set(err, STATUS_INVALID,
                         "encryption keys are not supported until v3; the table has format "
                         "version %d",
                         x->b->now.format_version);
    }
    for (size_t i = 0; i < json_count(list); i++) {
        if (has_id(json_at(list, i), u->text)) {
            return STATUS_OK; /* keys never change */
        }
    }
    edit_keys(x, list, STR_NULL, u->value);
    return STATUS_OK;
}

ICE__APPLIER(remove_key)
{
    (void)err;
    edit_keys(x, key_list(&x->b->now, x->memory), u->text, NULL);
    return STATUS_OK;
}

/* Staged tables: made by nobody yet, but told with keys for their place, so that a client writes files and then commits
 * (CREATE TABLE … AS SELECT). The place is held until the keys end, so that no other principal's table comes to lie
 * under them (tarn/catalog/staged.h), and as long as the keys are renewed. */
#include "tarn/catalog/staged.h"
#include "handlers.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"
#include "vend.h"

#define HELD_LONGER_S 60 /* than the keys are good */

static bool names_paths(const ice_metadata *m)
{
    for (size_t i = 0; i < m->property_count; i++) {
        if (str_starts_with(m->properties[i].key, STR("write.")) &&
            str_ends_with(m->properties[i].key, STR(".path"))) {
            return true;
        }
    }
    return false;
}

/* There are keys to give, or a client with keys of its own puts files there that are to become the table's. */
static bool needs_hold(str location)
{
    return !str_is_null(rest__behind_scheme(location));
}

static int64_t held_until_us(const rest_call *c)
{
    return clock_now_us() + (rest__keys_lifetime_s(c) + HELD_LONGER_S) * INT64_C(1000000);
}

/* Where a dropped table lies, which can come back, keys are for who may write that one. */
static bool is_free_for(rest_call *c, table_name dropped)
{
    return dropped.table.size == 0 ||
           rest__allow(c, ACTION_TABLE_WRITE, dropped, NULL) == STATUS_OK;
}

static status hold(rest_call *c, const catalog_loaded *loaded, bool asked, error *err)
{
    catalog *all = c->base.app->catalog;
    const catalog_staged staged = {
        .name = loaded->info.name,
        .uuid = loaded->info.uuid,
        .location = loaded->info.location,
        .principal = c->base.who.name,
        .key = c->base.who.key,
        .ends_us = held_until_us(c),
        .chosen = asked || names_paths(loaded->metadata),
        .metadata = loaded->metadata,
    };
    table_name dropped;

    TRY(catalog_hold_staged(all, &staged, c->base.a, &dropped, err));
    if (!is_free_for(c, dropped)) {
        c->is_keyless = true;
        return catalog_release_staged(all, staged.uuid, err);
    }
    return STATUS_OK;
}

/* As much of a document as keys are made from. */
static const catalog_document *document_of(rest_call *c, const catalog_staged *held)
{
    ice_metadata *metadata = ARENA_NEW(c->base.a, ice_metadata);
    catalog_document *d = ARENA_NEW(c->base.a, catalog_document);

    metadata->location = held->location;
    d->uuid = held->uuid;
    d->location = held->location;
    d->metadata_location = STR_NULL;
    d->rebase = STR_NULL;
    d->file = -1;
    d->metadata = metadata;
    return d;
}

status rest__renew_staged(rest_call *c, const catalog_document **ret_document, error *err)
{
    const catalog_staged asked = {
        .name = c->name,
        .principal = c->base.who.name,
        .key = c->base.who.key,
        .ends_us = held_until_us(c),
    };
    catalog_staged held;
    table_name dropped;

    if (c->base.app->s3_address[0] == '\0' || rest__keys_lifetime_s(c) <= 0 ||
        rest__allow(c, ACTION_TABLE_CREATE, c->name, NULL) != STATUS_OK) {
        return rest__no_table(c, c->shown, err);
    }
    status found =
        catalog_renew_staged(c->base.app->catalog, &asked, c->base.a, &held, &dropped, err);
    if (rest__is_missing(found) || (found == STATUS_OK && !is_free_for(c, dropped))) {
        return rest__no_table(c, c->shown, err);
    }
    TRY(found);
    *ret_document = document_of(c, &held);
    return STATUS_OK;
}

static str to_text(rest_call *c, const catalog_loaded *loaded, bool asked)
{
    buf *metadata = buf_in(c->base.a, LIMIT_METADATA_FILE);

    ice_metadata_format(loaded->metadata, metadata);
    const str fields[] = {loaded->info.name.space, loaded->info.name.table, loaded->info.location,
                          asked ? STR("asked") : STR(""), buf_str(metadata)};
    return rest__join(c->base.a, fields, COUNT_OF(fields));
}

status rest__answer_staged(rest_call *c, const catalog_loaded *loaded, bool asked, error *err)
{
    status result = needs_hold(loaded->info.location) ? hold(c, loaded, asked, err) : STATUS_OK;

    if (result != STATUS_OK) {
        ice_metadata_unref(loaded->metadata);
        return result;
    }
    if (c->caller.effect != NULL) { /* it has an Idempotency-Key */
        c->staged = to_text(c, loaded, asked);
    }
    return rest__answer_loaded(c, loaded, err);
}

status rest__replay_staged(rest_call *c, str staged, error *err)
{
    catalog_loaded loaded = {.info = {.metadata_location = STR_NULL, .rebase = STR_NULL}};
    str rest = staged;
    error ignored = ERROR_INIT;

    loaded.info.name.space = rest__next_field(&rest);
    loaded.info.name.table = rest__next_field(&rest);
    loaded.info.location = rest__next_field(&rest);
    bool asked = rest__next_field(&rest).size > 0;
    TRY(rest__allow(c, ACTION_TABLE_CREATE, loaded.info.name, err));
    TRY(ice_metadata_parse(rest__next_field(&rest), &loaded.metadata, err));
    loaded.info.uuid = loaded.metadata->uuid;
    c->name = loaded.info.name;
    if (needs_hold(loaded.info.location) && hold(c, &loaded, asked, &ignored) != STATUS_OK) {
        c->is_keyless = true; /* it has become another's meanwhile */
    }
    return rest__answer_loaded(c, &loaded, err);
}

/* Which files of S3 a caller may touch for a table: its location, the folders that its properties name, and those where
 * it lay before. */
#include "rest/vend.h"
#include "tarn/catalog/located.h"
#include "tarn/catalog/staged.h"

#define UNIQUE_SUFFIX 12 /* hex digits at the end of a location that the catalog chose */

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

str rest__behind_scheme(str location)
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
    str rest = rest__behind_scheme(location);
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

bool rest__may_write(rest_call *c)
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

/* Where the table lay before, and was told to keep files: those that are there are its own still. Of one that is only
 * staged: what is held for it. */
static status add_places(rest_call *c, const catalog_document *table, bool write, s3_scope *scopes,
                         size_t *count, error *err)
{
    str *places = NULL;
    size_t place_count = 0;

    TRY((str_is_null(table->metadata_location) ? catalog_list_staged_folders : catalog_list_places)(
        c->base.app->catalog, table->uuid, c->base.a, &places, &place_count, err));
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
    bool write = str_is_null(table->rebase) && rest__may_write(c);
    size_t count = 0;

    if (scope_of(table->location, write, c->base.a, &ret_scopes[0])) {
        count = 1;
        add_paths(c, table, write, ret_scopes, &count);
        TRY(add_places(c, table, write, ret_scopes, &count, err));
    }
    *ret_count = count;
    return STATUS_OK;
}

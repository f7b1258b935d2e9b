/* Properties that say where files of a table go, checked when they are set: else every INSERT to come would fail. */
#include "run/run.h"
#include "run/table.h"

static status check_property(const run *r, str key, str value, error *err)
{
    status result = STATUS_OK;

    if (str_equal(key, STR("location"))) {
        error_set(err, STATUS_INVALID,
                  "property \"location\" cannot be set: a table stays where it is");
        error_hint(err, "CREATE TABLE … WITH (location = …) AS SELECT copies it to another place.");
        return STATUS_INVALID;
    }
    if (str_equal(key, STR("write.data.path")) || str_equal(key, STR("write.metadata.path"))) {
        result = store_check_location(r->e->options.storage, value, err);
    }
    if (result != STATUS_OK) {
        error_context(err, "property \"%.*s\"", STR_ARG(key));
    }
    return result;
}

status table_check_places(const run *r, const catalog_property *properties, size_t count,
                          error *err)
{
    for (size_t i = 0; i < count; i++) {
        TRY(check_property(r, properties[i].key, properties[i].value, err));
    }
    return STATUS_OK;
}

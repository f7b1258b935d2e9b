/* What these headers declare and no other file has yet. */
#include "tarn/catalog/dropped.h"
#include "tarn/catalog/event.h"
#include "tarn/catalog/request.h"
#include "tarn/catalog/warehouse.h"

const char *event_kind_name(event_kind kind)
{
    (void)kind;
    return NULL;
}

status catalog_list_events(catalog *c, int64_t after, size_t limit, arena *a,
                           catalog_event **ret_list, size_t *ret_count, error *err)
{
    (void)c;
    (void)after;
    (void)limit;
    (void)a;
    (void)ret_list;
    (void)ret_count;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_list_events is not there yet");
}

status catalog_create_by_request(catalog *c, str space, const ice_create_request *request, arena *a,
                                 catalog_loaded *ret_loaded, error *err)
{
    (void)c;
    (void)space;
    (void)request;
    (void)a;
    (void)ret_loaded;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_create_by_request is not there yet");
}

status catalog_commit_request(catalog *c, const catalog_table_request *one, arena *a,
                              catalog_loaded *ret_loaded, error *err)
{
    (void)c;
    (void)one;
    (void)a;
    (void)ret_loaded;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_commit_request is not there yet");
}

status catalog_commit_requests(catalog *c, const catalog_table_request *many, size_t count,
                               error *err)
{
    (void)c;
    (void)many;
    (void)count;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_commit_requests is not there yet");
}

status catalog_register_file(catalog *c, table_name name, str metadata_location, bool overwrite,
                             arena *a, catalog_loaded *ret_loaded, error *err)
{
    (void)c;
    (void)name;
    (void)metadata_location;
    (void)overwrite;
    (void)a;
    (void)ret_loaded;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_register_file is not there yet");
}

status catalog_unregister_table(catalog *c, table_name name, arena *a, catalog_loaded *ret_loaded,
                                error *err)
{
    (void)c;
    (void)name;
    (void)a;
    (void)ret_loaded;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_unregister_table is not there yet");
}

status catalog_create_view_by_request(catalog *c, str space, const ice_view_create_request *request,
                                      arena *a, catalog_loaded_view *ret_loaded, error *err)
{
    (void)c;
    (void)space;
    (void)request;
    (void)a;
    (void)ret_loaded;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_create_view_by_request is not there yet");
}

status catalog_commit_view_request(catalog *c, table_name name, const ice_view_request *request,
                                   arena *a, catalog_loaded_view *ret_loaded, error *err)
{
    (void)c;
    (void)name;
    (void)request;
    (void)a;
    (void)ret_loaded;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_commit_view_request is not there yet");
}

status catalog_register_view_file(catalog *c, table_name name, str metadata_location, arena *a,
                                  catalog_loaded_view *ret_loaded, error *err)
{
    (void)c;
    (void)name;
    (void)metadata_location;
    (void)a;
    (void)ret_loaded;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_register_view_file is not there yet");
}

status catalog_kind_of(catalog *c, table_name name, catalog_kind *ret_kind, error *err)
{
    (void)c;
    (void)name;
    (void)ret_kind;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_kind_of is not there yet");
}

status catalog_change_namespace(catalog *c, str name, const catalog_property_change *change,
                                arena *a, catalog_property_result *ret_result, error *err)
{
    (void)c;
    (void)name;
    (void)change;
    (void)a;
    (void)ret_result;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_change_namespace is not there yet");
}

status catalog_page_namespaces(catalog *c, str parent, const catalog_page *page, arena *a,
                               catalog_names *ret_names, error *err)
{
    (void)c;
    (void)parent;
    (void)page;
    (void)a;
    (void)ret_names;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_page_namespaces is not there yet");
}

status catalog_page_tables(catalog *c, str space, const catalog_page *page, arena *a,
                           catalog_names *ret_names, error *err)
{
    (void)c;
    (void)space;
    (void)page;
    (void)a;
    (void)ret_names;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_page_tables is not there yet");
}

status catalog_page_views(catalog *c, str space, const catalog_page *page, arena *a,
                          catalog_names *ret_names, error *err)
{
    (void)c;
    (void)space;
    (void)page;
    (void)a;
    (void)ret_names;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_page_views is not there yet");
}

status catalog_list_dropped(catalog *c, str space, arena *a, dropped_table **ret_list,
                            size_t *ret_count, error *err)
{
    (void)c;
    (void)space;
    (void)a;
    (void)ret_list;
    (void)ret_count;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_list_dropped is not there yet");
}

status catalog_undrop_table(catalog *c, table_name name, str uuid, table_name as, error *err)
{
    (void)c;
    (void)name;
    (void)uuid;
    (void)as;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_undrop_table is not there yet");
}

status catalog_purge_table(catalog *c, table_name name, error *err)
{
    (void)c;
    (void)name;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_purge_table is not there yet");
}

status catalog_protect(catalog *c, table_name name, bool protect, error *err)
{
    (void)c;
    (void)name;
    (void)protect;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_protect is not there yet");
}

status catalog_is_protected(catalog *c, table_name name, bool *ret_protected, error *err)
{
    (void)c;
    (void)name;
    (void)ret_protected;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_is_protected is not there yet");
}

status catalog_find_warehouse(catalog *c, str asked, arena *a, warehouse_info *ret_info, error *err)
{
    (void)c;
    (void)asked;
    (void)a;
    (void)ret_info;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_find_warehouse is not there yet");
}

status catalog_list_warehouses(catalog *c, arena *a, warehouse_info **ret_list, size_t *ret_count,
                               error *err)
{
    (void)c;
    (void)a;
    (void)ret_list;
    (void)ret_count;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_list_warehouses is not there yet");
}

status catalog_create_warehouse(catalog *c, str name, str location, error *err)
{
    (void)c;
    (void)name;
    (void)location;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_create_warehouse is not there yet");
}

status catalog_drop_warehouse(catalog *c, str name, error *err)
{
    (void)c;
    (void)name;
    return error_set(err, STATUS_UNSUPPORTED, "catalog_drop_warehouse is not there yet");
}

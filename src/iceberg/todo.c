/* What these headers declare and no other file has yet. */
#include "tarn/iceberg/request.h"

status ice_request_parse(const json *body, arena *a, const ice_request **ret_request, error *err)
{
    (void)body;
    (void)a;
    (void)ret_request;
    return error_set(err, STATUS_UNSUPPORTED, "ice_request_parse is not there yet");
}

bool ice_request_creates(const ice_request *r)
{
    (void)r;
    return false;
}

status ice_request_check(const ice_request *r, const ice_metadata *base, error *err)
{
    (void)r;
    (void)base;
    return error_set(err, STATUS_UNSUPPORTED, "ice_request_check is not there yet");
}

status ice_request_apply(const ice_request *r, ice_builder *b, error *err)
{
    (void)r;
    (void)b;
    return error_set(err, STATUS_UNSUPPORTED, "ice_request_apply is not there yet");
}

status ice_request_create(const ice_request *r, str location, ice_metadata **ret_metadata,
                          error *err)
{
    (void)r;
    (void)location;
    (void)ret_metadata;
    return error_set(err, STATUS_UNSUPPORTED, "ice_request_create is not there yet");
}

status ice_request_places(const ice_request *r,
                          status (*visit)(void *context, ice_place_kind kind, str location,
                                          error *err),
                          void *context, error *err)
{
    (void)r;
    (void)visit;
    (void)context;
    return error_set(err, STATUS_UNSUPPORTED, "ice_request_places is not there yet");
}

status ice_create_request_parse(const json *body, arena *a, ice_create_request *ret_request,
                                error *err)
{
    (void)body;
    (void)a;
    (void)ret_request;
    return error_set(err, STATUS_UNSUPPORTED, "ice_create_request_parse is not there yet");
}

status ice_create_request_build(const ice_create_request *r, str location,
                                ice_metadata **ret_metadata, error *err)
{
    (void)r;
    (void)location;
    (void)ret_metadata;
    return error_set(err, STATUS_UNSUPPORTED, "ice_create_request_build is not there yet");
}

status ice_view_request_parse(const json *body, arena *a, const ice_view_request **ret_request,
                              error *err)
{
    (void)body;
    (void)a;
    (void)ret_request;
    return error_set(err, STATUS_UNSUPPORTED, "ice_view_request_parse is not there yet");
}

status ice_view_request_check(const ice_view_request *r, const ice_view *base, error *err)
{
    (void)r;
    (void)base;
    return error_set(err, STATUS_UNSUPPORTED, "ice_view_request_check is not there yet");
}

status ice_view_request_apply(const ice_view_request *r, const ice_view *base, ice_view **ret_view,
                              error *err)
{
    (void)r;
    (void)base;
    (void)ret_view;
    return error_set(err, STATUS_UNSUPPORTED, "ice_view_request_apply is not there yet");
}

status ice_view_request_places(const ice_view_request *r,
                               status (*visit)(void *context, ice_place_kind kind, str location,
                                               error *err),
                               void *context, error *err)
{
    (void)r;
    (void)visit;
    (void)context;
    return error_set(err, STATUS_UNSUPPORTED, "ice_view_request_places is not there yet");
}

status ice_view_create_request_parse(const json *body, arena *a,
                                     ice_view_create_request *ret_request, error *err)
{
    (void)body;
    (void)a;
    (void)ret_request;
    return error_set(err, STATUS_UNSUPPORTED, "ice_view_create_request_parse is not there yet");
}

status ice_view_create_request_build(const ice_view_create_request *r, str location,
                                     ice_view **ret_view, error *err)
{
    (void)r;
    (void)location;
    (void)ret_view;
    return error_set(err, STATUS_UNSUPPORTED, "ice_view_create_request_build is not there yet");
}

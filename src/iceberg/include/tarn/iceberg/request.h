/* request.h: what REST clients ask of tables and views: requirements and updates, read from JSON, checked and applied.
 *
 * Pure: knows no catalog and no files. A request is parsed once, then checked and applied to each base that an attempt
 * finds: `-1` means what the request itself added last, ids of schemas, specs and versions are those of the base it is
 * applied to, and equal ones are found rather than made again.
 *
 * Errors. INVALID for what the specification does not know or allow, naming the place ("updates[2]: …"): an unknown
 * requirement or action, a type that the format version does not have, a member of the wrong kind. CONFLICT where a
 * requirement does not hold, in the words that Iceberg's clients look for ("Requirement failed: branch main has
 * changed: …"), and where a sequence number or first row id is stale.
 *
 * Source: Iceberg REST catalog specification: TableRequirement, TableUpdate, ViewRequirement, ViewUpdate,
 * CreateTableRequest, CreateViewRequest; the words of the errors: Iceberg's UpdateRequirement. */
#ifndef TARN_ICEBERG_REQUEST_H
#define TARN_ICEBERG_REQUEST_H

#include "tarn/iceberg/evolve.h"
#include "tarn/iceberg/view.h"

/* ---- commits of tables ---- */
typedef struct ice_request ice_request;

/* `body` has "requirements" and "updates"; its other members are the caller's. The request lives in `a` and points into
 * `body`. */
status ice_request_parse(const json *body, arena *a, const ice_request **ret_request, error *err);
/* assert-create is among the requirements. */
bool ice_request_creates(const ice_request *r);
/* `base` NULL: there is no such table. */
status ice_request_check(const ice_request *r, const ice_metadata *base, error *err);
/* Makes the updates, in their order. */
status ice_request_apply(const ice_request *r, ice_builder *b, error *err);
/* The table that the updates make of nothing, as they do after a staged create. Its location is what set-location says;
 * STR_NULL `location` takes that, else it is this. */
status ice_request_create(const ice_request *r, str location, ice_metadata **ret_metadata,
                          error *err);
/* Every place that the updates name: the table's location, properties write.*.path, manifest lists, statistics. */
typedef enum ice_place_kind { ICE_AT_TABLE, ICE_AT_PATH_PROPERTY, ICE_AT_FILE } ice_place_kind;
status ice_request_places(const ice_request *r,
                          status (*visit)(void *context, ice_place_kind kind, str location,
                                          error *err),
                          void *context, error *err);

/* ---- creating tables ---- */
typedef struct ice_create_request {
    str name;
    str location; /* STR_NULL: the catalog chooses */
    bool stage;
    const json *schema, *spec, *order; /* NULL where absent */
    const ice_property *properties;
    size_t property_count;
} ice_create_request;
status ice_create_request_parse(const json *body, arena *a, ice_create_request *ret_request,
                                error *err);
/* Ids afresh from 1, siblings before their children; spec, order and identifier fields follow them. The property
 * "format-version" chooses the version and does not stay. */
status ice_create_request_build(const ice_create_request *r, str location,
                                ice_metadata **ret_metadata, error *err);

/* ---- views: field ids stay the client's, schema ids count from 0 ---- */
typedef struct ice_view_request ice_view_request;
status ice_view_request_parse(const json *body, arena *a, const ice_view_request **ret_request,
                              error *err);
status ice_view_request_check(const ice_view_request *r, const ice_view *base, error *err);
/* Rebased: an added version gets the next id that `base` has free. */
status ice_view_request_apply(const ice_view_request *r, const ice_view *base, ice_view **ret_view,
                              error *err);
status ice_view_request_places(const ice_view_request *r,
                               status (*visit)(void *context, ice_place_kind kind, str location,
                                               error *err),
                               void *context, error *err);

typedef struct ice_view_create_request {
    str name;
    str location; /* STR_NULL: the catalog chooses */
    const json *schema, *version;
    const ice_property *properties;
    size_t property_count;
} ice_view_create_request;
status ice_view_create_request_parse(const json *body, arena *a,
                                     ice_view_create_request *ret_request, error *err);
status ice_view_create_request_build(const ice_view_create_request *r, str location,
                                     ice_view **ret_view, error *err);

#endif

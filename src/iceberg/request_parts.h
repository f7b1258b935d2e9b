/* request_parts.h: what the files behind request.h share: request.c (the tables, requests as a whole), request_read.c
 * (members of updates), request_check.c (requirements), request_schema.c (schemas, specs, orders), request_fit.c (what
 * schemas owe to rows), request_table.c (identity, place, properties, keys), request_history.c (snapshots, references,
 * statistics), request_create.c (new tables), request_view.c (views).
 *
 * An action is a row: how its members are read, what it does to a table, what it does to a view. */
#ifndef TARN_ICEBERG_REQUEST_PARTS_H
#define TARN_ICEBERG_REQUEST_PARTS_H

#include "tarn/iceberg/request.h"

#include "builder.h"

#define ICE__LAST_ADDED INT32_C(-1)

typedef struct ice__update ice__update;
typedef struct ice__applying ice__applying;
typedef struct ice__viewing ice__viewing;

typedef struct ice__action {
    const char *name;
    status (*read)(const json *value, arena *a, ice__update *ret_update, error *err);
    status (*apply)(ice__applying *x, const ice__update *u, error *err); /* NULL: not of tables */
    status (*apply_view)(ice__viewing *x, const ice__update *u,
                         error *err); /* NULL: not of views */
    bool takes_away; /* costs what it removes: a request may hold any number of them */
} ice__action;

/* What an action's members say; each action uses its own. */
struct ice__update {
    const ice__action *action;
    int32_t id;        /* of a schema, spec, order, view version; a format version */
    str text;          /* uuid, location, name of a reference, id of a key */
    const json *value; /* an object that is kept as it came, but for members that are null */
    const ice_property *properties;
    const str *keys;
    const int64_t *ids; /* of snapshots, schemas, specs */
    size_t count;       /* of properties, keys or ids */
    const ice_schema *schema;
    const ice_spec *spec; /* field ids that were left out: ICE_NO_ID */
    const ice_sort_order *order;
    const ice_snapshot *snapshot;
    const ice_ref *ref;
    const ice_view_version *version;
};

typedef struct ice__updates {
    const ice__update *items;
    size_t count;
} ice__updates;

/* ---- reading (request.c, request_read.c) ---- */
/* The list "updates" of a body; `of_view` tells which actions there are. */
status ice__updates_read(const json *body, bool of_view, arena *a, ice__updates *ret_updates,
                         error *err);
status ice__updates_places(const ice__updates *updates,
                           status (*visit)(void *context, ice_place_kind kind, str location,
                                           error *err),
                           void *context, error *err);

/* All of them on `b`, checked as a whole. */
status ice__request_apply(const ice__updates *updates, ice_builder *b, error *err);
/* All of them on nothing. */
status ice__request_create(const ice__updates *updates, str location, ice_metadata **ret_metadata,
                           error *err);
status ice__view_request_apply(const ice__updates *updates, const ice_view *base,
                               ice_view **ret_view, error *err);

#define ICE__READER(name) \
    status ice__read_##name(const json *value, arena *a, ice__update *ret_update, error *err)
ICE__READER(uuid);
ICE__READER(format_version);
ICE__READER(schema);
ICE__READER(schema_id);
ICE__READER(spec);
ICE__READER(spec_id);
ICE__READER(order);
ICE__READER(order_id);
ICE__READER(snapshot);
ICE__READER(snapshot_ids);
ICE__READER(ref);
ICE__READER(ref_name);
ICE__READER(location);
ICE__READER(properties);
ICE__READER(removals);
ICE__READER(version);
ICE__READER(version_id);
ICE__READER(statistics);
ICE__READER(partition_statistics);
ICE__READER(snapshot_id);
ICE__READER(spec_ids);
ICE__READER(schema_ids);
ICE__READER(key);
ICE__READER(key_id);

/* A schema whose own id, which the catalog gives, need not be there. */
status ice__schema_read(const json *value, arena *a, ice_schema *ret_schema, error *err);
status ice__spec_read(const json *value, arena *a, ice_spec *ret_spec, error *err);
status ice__order_read(const json *value, arena *a, ice_sort_order *ret_order, error *err);
status ice__version_read(const json *value, arena *a, ice_view_version *ret_version, error *err);
/* Of a table or view to be made: `location` may be STR_NULL, and neither may be empty. INVALID. */
status ice__check_names(str name, str location, error *err);
/* An object whose values are all text. */
status ice__properties_read(const json *value, const char *what, arena *a,
                            const ice_property **ret_properties, size_t *ret_count, error *err);
/* What a client can do about any of it is to ask for something else: all kinds but conflicts and limits are INVALID. */
status ice__as_invalid(status s, error *err);
/* TOO_LARGE where the updates so far took more memory than any commit needs. */
status ice__check_memory(const arena *a, error *err);

/* ---- tables ---- */
typedef struct ice__given {
    int32_t asked, given; /* the id that the client wrote, the id that the table has for it */
} ice__given;
typedef VEC(ice__given) ice__given_vec;
typedef VEC(int64_t) ice__id_vec;
typedef struct ice__leaning {
    int64_t snapshot_id; /* which named a schema that is removed */
    int32_t schema_id;
    size_t update; /* the one that removed it */
} ice__leaning;
typedef VEC(ice__leaning) ice__leaning_vec;

struct ice__applying {
    ice_builder *b;
    arena *memory;
    bool creates;
    /* ids of what this request added, or found, last; ICE__LAST_ADDED: nothing */
    int32_t last_schema, last_spec, last_order;
    ice__given_vec schemas;
    ice__id_vec added;   /* snapshots */
    ice__id_vec removed; /* snapshots that are to go: gathered, so that many removals are one */
    ice__id_vec no_statistics, no_partition_statistics; /* gathered alike */
    ice__leaning_vec leaning;                           /* what has to be gone in the end */
    size_t update;                                      /* the one that is made */
    const ice_ref *own_refs; /* the list of references, where this request made it */
};

#define ICE__APPLIER(name) \
    status ice__apply_##name(ice__applying *x, const ice__update *u, error *err)
ICE__APPLIER(uuid);
ICE__APPLIER(format_version);
ICE__APPLIER(add_schema);
ICE__APPLIER(current_schema);
ICE__APPLIER(add_spec);
ICE__APPLIER(default_spec);
ICE__APPLIER(add_order);
ICE__APPLIER(default_order);
ICE__APPLIER(add_snapshot);
ICE__APPLIER(set_ref);
ICE__APPLIER(remove_snapshots);
ICE__APPLIER(remove_ref);
ICE__APPLIER(location);
ICE__APPLIER(set_properties);
ICE__APPLIER(remove_properties);
ICE__APPLIER(set_statistics);
ICE__APPLIER(remove_statistics);
ICE__APPLIER(set_partition_statistics);
ICE__APPLIER(remove_partition_statistics);
ICE__APPLIER(remove_specs);
ICE__APPLIER(remove_schemas);
ICE__APPLIER(add_key);
ICE__APPLIER(remove_key);

/* What a table is before its first update. */
ice_metadata *ice__metadata_nothing(int version, arena *a);
/* Adds it, or finds its equal; `ret_id` is what the table calls it. */
status ice__put_schema(ice__applying *x, const ice_schema *schema, int32_t *ret_id, error *err);
/* What the client calls it, where the table has none of that id; else as it is. */
int32_t ice__given_schema(const ice__applying *x, int32_t asked);
status ice__put_spec(ice__applying *x, const ice_spec *spec, int32_t *ret_id, error *err);
status ice__put_order(ice__applying *x, const ice_sort_order *order, int32_t *ret_id, error *err);
/* request_fit.c: no id of the schema was given before to a column that is forgotten. */
status ice__check_ids(const ice__applying *x, const ice_schema *schema, error *err);
/* What is on main from before the request can be read as the current schema. After all updates. */
status ice__check_main(const ice__applying *x, error *err);
/* No snapshot that stays was written with a schema that went. After all updates. */
status ice__check_leaning(const ice__applying *x, error *err);
/* The default spec and order speak of columns that the current schema has. */
status ice__check_sources(const ice_metadata *m, error *err);
status ice__put_properties(ice_builder *b, const ice_property *properties, size_t count,
                           bool creates, error *err);
/* Removals that were gathered, made. */
void ice__remove_gathered(ice__applying *x);
/* The log as it is after all: snapshots that were current between two updates alone never were. */
void ice__settle_log(ice__applying *x);

/* ---- views ---- */
struct ice__viewing {
    const ice_view *base; /* NULL: a view that is only now to be */
    ice_view now;         /* shallow */
    arena *memory;
    int32_t last_schema, last_version; /* ICE__LAST_ADDED: nothing */
    ice__given_vec schemas, versions;
    size_t added; /* versions that stay, however short the history is */
};

#define ICE__VIEW_APPLIER(name) \
    status ice__view_##name(ice__viewing *x, const ice__update *u, error *err)
ICE__VIEW_APPLIER(uuid);
ICE__VIEW_APPLIER(format_version);
ICE__VIEW_APPLIER(add_schema);
ICE__VIEW_APPLIER(location);
ICE__VIEW_APPLIER(set_properties);
ICE__VIEW_APPLIER(remove_properties);
ICE__VIEW_APPLIER(add_version);
ICE__VIEW_APPLIER(current_version);

#endif

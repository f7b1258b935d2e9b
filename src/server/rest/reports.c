/* Reports of scans and commits that clients send: checked to be reports, counted, kept nowhere. */
#include "handlers.h"

static const struct {
    const char *name; /* report-type */
    rest_report kind;
} kinds[] = {
    {"scan-report", REST_SCAN_REPORT},
    {"commit-report", REST_COMMIT_REPORT},
};

/* Of both kinds; a scan's filter is an object, or true or false. */
typedef struct report {
    str table_name, operation;
    int64_t snapshot_id, sequence_number;
    int32_t schema_id;
    const json *metrics, *metadata, *ids, *names;
} report;

static const json_field members[] = {
    {"table-name", JSON_STR, JSON_REQUIRED, offsetof(report, table_name)},
    {"snapshot-id", JSON_INT64, JSON_REQUIRED | JSON_UNSIGNED_TOO, offsetof(report, snapshot_id)},
    {"metrics", JSON_OBJECT, JSON_REQUIRED, offsetof(report, metrics)},
    {"sequence-number", JSON_INT64, 0, offsetof(report, sequence_number)},
    {"operation", JSON_STR, 0, offsetof(report, operation)},
    {"schema-id", JSON_INT32, 0, offsetof(report, schema_id)},
    {"projected-field-ids", JSON_ARRAY, 0, offsetof(report, ids)},
    {"projected-field-names", JSON_ARRAY, 0, offsetof(report, names)},
    {"metadata", JSON_OBJECT, 0, offsetof(report, metadata)},
};

static status check_all(const json *list, const char *key, json_kind kind, error *err)
{
    for (size_t i = 0; i < json_count(list); i++) {
        if (json_kind_of(json_at(list, i)) != kind) {
            return error_set(err, STATUS_INVALID, "cannot parse \"%s\": %s is no %s", key,
                             json_kind_name(json_kind_of(json_at(list, i))),
                             kind == JSON_STR ? "string" : "integer");
        }
    }
    return STATUS_OK;
}

static status check_members(const json *body, error *err)
{
    report r = {0};
    json_kind filter = json_kind_of(json_get(body, "filter"));

    TRY(json_read(body, members, COUNT_OF(members), &r, err));
    TRY(check_all(r.ids, "projected-field-ids", JSON_INT64, err));
    TRY(check_all(r.names, "projected-field-names", JSON_STR, err));
    return filter == JSON_OBJECT || filter == JSON_BOOL || filter == JSON_NULL
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "cannot parse \"filter\": %s is no expression",
                           json_kind_name(filter));
}

/* Of a kind that is not known only its name is. */
static status check_report(const json *body, rest_report *ret_kind, error *err)
{
    const json *type = json_get(body, "report-type");

    if (json_kind_of(type) != JSON_STR) {
        return error_set(err, STATUS_INVALID, "invalid report: \"report-type\" is %s, not a string",
                         json_kind_name(json_kind_of(type)));
    }
    *ret_kind = REST_OTHER_REPORT;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_equal(json_str_or(type, STR("")), str_c(kinds[i].name))) {
            *ret_kind = kinds[i].kind;
        }
    }
    status result = *ret_kind == REST_OTHER_REPORT ? STATUS_OK : check_members(body, err);
    if (result != STATUS_OK) {
        error_context(err, "invalid report");
    }
    return result;
}

/* A table that is kept in memory is there, without asking anybody. */
static status find_table(rest_call *c, error *err)
{
    catalog_document *d = catalog_find_document(c->base.app->catalog, c->name);
    catalog_kind kind = CATALOG_NOTHING;

    if (d != NULL) {
        catalog_document_unref(d);
        return STATUS_OK;
    }
    TRY(catalog_kind_of(c->base.app->catalog, c->name, &kind, err));
    return kind == CATALOG_TABLE ? STATUS_OK : rest__no_table(c, c->shown, err);
}

status rest__metrics_post(rest_call *c, error *err)
{
    const json *body = NULL;
    rest_report kind = REST_OTHER_REPORT;

    TRY(rest__read_json(c, &body, err));
    TRY(check_report(body, &kind, err));
    TRY(find_table(c, err));
    rest__count_report(kind);
    answer_empty(&c->base);
    return STATUS_OK;
}

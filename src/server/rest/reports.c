/* Reports of scans and commits that clients send: checked to be reports, counted, kept nowhere. */
#include "handlers.h"

static const struct {
    const char *name; /* report-type */
    rest_report kind;
    const char *needs[4];
} kinds[] = {
    {"scan-report", REST_SCAN_REPORT, {"table-name", "snapshot-id", "metrics", NULL}},
    {"commit-report", REST_COMMIT_REPORT, {"table-name", "snapshot-id", "metrics", NULL}},
};

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
        if (!str_equal(json_str_or(type, STR("")), str_c(kinds[i].name))) {
            continue;
        }
        *ret_kind = kinds[i].kind;
        for (size_t k = 0; kinds[i].needs[k] != NULL; k++) {
            if (json_kind_of(json_get(body, kinds[i].needs[k])) == JSON_NULL) {
                return error_set(err, STATUS_INVALID, "invalid report: a %s has \"%s\"",
                                 kinds[i].name, kinds[i].needs[k]);
            }
        }
        if (json_kind_of(json_get(body, "metrics")) != JSON_OBJECT) {
            return error_set(err, STATUS_INVALID, "invalid report: \"metrics\" is no object");
        }
    }
    return STATUS_OK;
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

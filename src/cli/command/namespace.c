/* tarn namespace ls, show, create, drop. */
#include "connect.h"
#include "output.h"

static const list_column columns[] = {
    {"name", "name", ""}, {"created_at", "created", ""}, {"location", "location", ""}};

static const argument name_argument[] = {
    {.name = "NAMESPACE", .help = "name; levels joined by dots", .kind = ARGUMENT_NAMESPACE}};

static status run_ls(cli *c, error *err)
{
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, "/api/v1/namespaces", STR(""), &answer, err));
    return output_list(c, json_get(answer, "namespaces"), columns, 2, err);
}

static char *path_of(cli *c)
{
    return api_path(c->memory, "/api/v1/namespaces/%", &c->in.arguments.items[0], 1);
}

static status run_show(cli *c, error *err)
{
    static const list_column shown[] = {{"name", "name", ""},
                                        {"created_at", "created", ""},
                                        {"location", "location", ""},
                                        {"protected", "protected", ""},
                                        {"properties", "properties", ""}};
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, path_of(c), STR(""), &answer, err));
    return output_record(c, answer, shown, COUNT_OF(shown), err);
}

static status run_create(cli *c, error *err)
{
    const api_text asked[] = {{"name", c->in.arguments.items[0]}};

    TRY(api_json(c, HTTP_POST, "/api/v1/namespaces", api_body(c, asked, COUNT_OF(asked)), NULL,
                 err));
    message_note(c, "namespace %.*s created", STR_ARG(asked[0].value));
    return STATUS_OK;
}

static status run_drop(cli *c, error *err)
{
    str name = c->in.arguments.items[0];
    bool cascade = invocation_has(&c->in, "cascade");

    if (c->dry_run) {
        const json *answer = NULL;
        TRY(api_json(c, HTTP_GET, path_of(c), STR(""), &answer, err));
        message_note(c, "would drop namespace %.*s%s", STR_ARG(name),
                     cascade ? " and all its tables" : "");
        return STATUS_OK;
    }
    if (cascade) {
        TRY(message_confirm(c, err, "drop namespace \"%.*s\" and all its tables", STR_ARG(name)));
    }
    TRY(api_json(c, HTTP_DELETE,
                 arena_printf(c->memory, "%s%s", path_of(c), cascade ? "?cascade=true" : ""),
                 STR(""), NULL, err));
    message_note(c, "namespace %.*s dropped", STR_ARG(name));
    return STATUS_OK;
}

static const option drop_options[] = {{.name = "cascade", .help = "its tables too"}};

const command command_namespace_ls = {
    .name = "namespace ls", .summary = "list namespaces", .run = run_ls};
const command command_namespace_show = {.name = "namespace show",
                                        .summary = "one namespace and its properties",
                                        ARGUMENTS(name_argument),
                                        .run = run_show};
const command command_namespace_create = {.name = "namespace create",
                                          .summary = "make a namespace",
                                          ARGUMENTS(name_argument),
                                          .run = run_create};
const command command_namespace_drop = {.name = "namespace drop",
                                        .summary = "drop an empty namespace",
                                        ARGUMENTS(name_argument),
                                        OPTIONS(drop_options),
                                        .run = run_drop};

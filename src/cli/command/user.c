/* tarn user ls, show, create, drop: principals. Their keys: key.c. */
#include "connect.h"
#include "output.h"
#include "tarn/base/limits.h"

static const list_column columns[] = {
    {"name", "name", ""},
    {"role", "role", ""},
    {"s3_account", "s3_account", ""},
    {"created_at", "created", ""},
};

static const argument name_argument[] = {{.name = "NAME", .help = "name of the principal"}};
static const option create_options[] = {{.name = "role",
                                         .value = "ROLE",
                                         .choices = "user|reader|writer|root",
                                         .help = "what it may do; default: user"}};

static status run_ls(cli *c, error *err)
{
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, "/api/v1/principals", STR(""), &answer, err));
    return output_list(c, json_get(answer, "principals"), columns, COUNT_OF(columns), err);
}

static status run_show(cli *c, error *err)
{
    str name = c->in.arguments.items[0];
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, api_path(c->memory, "/api/v1/principals/%", &name, 1), STR(""),
                 &answer, err));
    return output_record(c, answer, columns, COUNT_OF(columns), err);
}

static status run_create(cli *c, error *err)
{
    static const list_column shown[] = {
        {"name", "name", ""}, {"role", "role", ""}, {"key", "key", ""}};
    const json *answer = NULL;
    str role = invocation_get(&c->in, "role");
    const api_text asked[] = {{"name", c->in.arguments.items[0]},
                              {"role", str_is_null(role) ? STR("user") : role}};

    TRY(api_json(c, HTTP_POST, "/api/v1/principals", api_body(c, asked, COUNT_OF(asked)), &answer,
                 err));
    TRY(output_record(c, answer, shown, COUNT_OF(shown), err));
    message_note(c, "The key is shown this once: keep it.");
    return STATUS_OK;
}

static status run_drop(cli *c, error *err)
{
    str name = c->in.arguments.items[0];

    if (c->dry_run) {
        message_note(c, "would drop user %.*s", STR_ARG(name));
        return STATUS_OK;
    }
    TRY(message_confirm(c, err, "drop user \"%.*s\" and its key", STR_ARG(name)));
    TRY(api_json(c, HTTP_DELETE, api_path(c->memory, "/api/v1/principals/%", &name, 1), STR(""),
                 NULL, err));
    message_note(c, "user %.*s dropped", STR_ARG(name));
    return STATUS_OK;
}

const command command_user_ls = {
    .name = "user ls", .summary = "list who may use the server", .run = run_ls};
const command command_user_show = {.name = "user show",
                                   .summary = "show one principal",
                                   ARGUMENTS(name_argument),
                                   .run = run_show};
const command command_user_create = {
    .name = "user create",
    .summary = "make a principal with a key of its own",
    .details = "A user has an S3 account: it makes buckets of its own and has no "
               "right to others' or to tables. A reader reads tables. A writer works on tables: "
               "it may make, change and drop them, and nothing of the server. Root may everything. "
               "S3 clients need a key pair: tarn key create NAME --s3.",
    ARGUMENTS(name_argument),
    OPTIONS(create_options),
    .run = run_create};
const command command_user_drop = {.name = "user drop",
                                   .summary = "take a principal and its key away",
                                   ARGUMENTS(name_argument),
                                   .run = run_drop};

/* tarn query ls, cancel: what runs and ran on the server. */
#include "connect.h"
#include "output.h"

static const list_column columns[] = {
    {"query_id", "query", ""},
    {"state", "state", ""},
    {"principal", "principal", ""},
    {"started_at", "started", ""},
    {"elapsed_ms", "ms", "BIGINT"},
    {"row_count", "rows", "BIGINT"},
    {"sql", "sql", ""},
    {"error", "error", ""},
};

static const argument id_argument[] = {{.name = "ID", .help = "as tarn query ls shows it"}};

static status run_ls(cli *c, error *err)
{
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, "/api/v1/queries", STR(""), &answer, err));
    return output_list(c, json_get(answer, "queries"), columns, COUNT_OF(columns), err);
}

static status run_cancel(cli *c, error *err)
{
    str id = c->in.arguments.items[0];

    TRY(api_json(c, HTTP_DELETE, api_path(c->memory, "/api/v1/queries/%", &id, 1), STR(""), NULL,
                 err));
    message_note(c, "query %.*s cancelled", STR_ARG(id));
    return STATUS_OK;
}

const command command_query_ls = {
    .name = "query ls", .summary = "running and past queries, newest first", .run = run_ls};
const command command_query_cancel = {.name = "query cancel",
                                      .summary = "end a running query",
                                      ARGUMENTS(id_argument),
                                      .run = run_cancel};

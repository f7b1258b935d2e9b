/* tarn status, config show, version, backup: what the server says of itself. */
#include <unistd.h>

#include "connect.h"
#include "output.h"
#include "tarn/base/limits.h"
#include "tarn/version.h"
#include "terminal.h"

/* ---- status ---- */

static status run_status(cli *c, error *err)
{
    static const list_column columns[] = {
        {"version", "version", ""},
        {"pid", "pid", ""},
        {"http", "http", ""},
        {"s3", "s3", ""},
        {"data", "data", ""},
        {"started_at", "started", ""},
        {"uptime_seconds", "uptime_seconds", ""},
        {"warehouse", "warehouse", ""},
        {"durability", "durability", ""},
        {"namespaces", "namespaces", ""},
        {"tables", "tables", ""},
        {"commits", "commits", ""},
        {"objects", "objects", ""},
        {"object_bytes", "object_bytes", ""},
        {"corrupt_objects", "corrupt_objects", ""},
        {"lost_blobs", "lost_blobs", ""},
        {"disk_free_bytes", "disk_free_bytes", ""},
        {"workers", "workers", ""},
        {"workers_busy", "workers_busy", ""},
    };
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, "/api/v1/status", STR(""), &answer, err));
    return output_record(c, answer, columns, COUNT_OF(columns), err);
}

const command command_status = {
    .name = "status", .summary = "the server's version, sizes, workers", .run = run_status};

/* ---- config show ---- */

static const list_column config_columns[] = {
    {"name", "setting", ""}, {"value", "value", ""}, {"origin", "origin", ""}};

static const option config_options[] = {
    {.name = "origin", .help = "also where each value came from"},
    {.name = "running", .help = "ask the running server, not what a new one would take"},
};

static const json *local_settings(cli *c)
{
    buf *text = buf_in(c->memory, LIMIT_MIB);
    const json *list = NULL;
    json_writer w;

    json_writer_init(&w, text);
    json_begin_array(&w);
    json_begin_object(&w);
    json_member_c(&w, "name", "data");
    json_member_str(&w, "value", c->settings->data_path);
    char origin[256];
    setting_value data = {.origin = c->settings->data_origin,
                          .origin_detail = c->settings->data_origin == ORIGIN_ENVIRONMENT
                                               ? STR("TARN_DATA")
                                           : c->settings->data_origin == ORIGIN_FLAG ? STR("--data")
                                                                                     : STR("")};
    setting_origin_format(&data, origin);
    json_member_c(&w, "origin", origin);
    json_end_object(&w);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        setting_origin_format(&c->settings->values[i], origin);
        json_begin_object(&w);
        json_member_c(&w, "name", setting_describe((setting)i)->name);
        json_member_str(&w, "value", setting_shown((setting)i, &c->settings->values[i], c->memory));
        json_member_c(&w, "origin", origin);
        json_end_object(&w);
    }
    json_end_array(&w);
    return json_parse(buf_str(text), c->memory, &list, NULL) == STATUS_OK ? list : NULL;
}

static status run_config(cli *c, error *err)
{
    const json *list;

    TRY(context_settings(c, err));
    if (invocation_has(&c->in, "running")) {
        const json *answer = NULL;
        TRY(api_json(c, HTTP_GET, "/api/v1/config", STR(""), &answer, err));
        list = json_get(answer, "settings");
    } else {
        list = local_settings(c);
    }
    return output_list(c, list, config_columns, invocation_has(&c->in, "origin") ? 3 : 2, err);
}

const command command_config_show = {
    .name = "config show",
    .summary = "every setting and its value",
    .details =
        "What a server started with the same options and environment would take: default, then "
        "settings file, then environment, then flag.",
    OPTIONS(config_options),
    .run = run_config,
};

/* ---- version ---- */

static status run_version(cli *c, error *err)
{
    if (c->format == OUTPUT_JSON || c->format == OUTPUT_JSONL) {
        return out_str(
            c, STR("{\"version\":\"" TARN_VERSION "\",\"commit\":\"" TARN_COMMIT "\"}\n"), err);
    }
    return out_str(c, STR("tarn " TARN_VERSION " (" TARN_COMMIT ")\n"), err);
}

const command command_version = {
    .name = "version", .summary = "which tarn this is", .run = run_version};

/* ---- backup ---- */

static const argument backup_arguments[] = {
    {.name = "TARGET", .help = "folder to make, on the server's machine", .kind = ARGUMENT_FILE}};

static status run_backup(cli *c, error *err)
{
    static const list_column columns[] = {{"target", "target", ""}, {"objects", "objects", ""}};
    str target = c->in.arguments.items[0];
    const json *answer = NULL;
    char folder[4096];

    if (target.size > 0 && target.data[0] != '/' && getcwd(folder, sizeof(folder)) != NULL) {
        target = str_printf(c->memory, "%s/%.*s", folder, STR_ARG(target));
    }
    if (c->dry_run) {
        message_note(c, "would copy the data directory to %.*s", STR_ARG(target));
        return STATUS_OK;
    }
    const api_text asked[] = {{"target", target}};
    TRY(api_json(c, HTTP_POST, "/api/v1/backup", api_body(c, asked, COUNT_OF(asked)), &answer,
                 err));
    return output_record(c, answer, columns, COUNT_OF(columns), err);
}

const command command_backup = {
    .name = "backup",
    .summary = "copy the data directory while the server runs",
    .details =
        "The files of tables in plain folders (file: locations) are not part of it, only their names and the "
        "places of their metadata: copy those folders too, afterwards.",
    ARGUMENTS(backup_arguments),
    .run = run_backup,
};

/* tarn catalog ls, create, drop, events; tarn table undrop, protect, unprotect; tarn namespace protect, unprotect. */
#include "catalog.h"

#include "connect.h"
#include "output.h"
#include "tarn/base/clock.h"
#include "tarn/base/limits.h"

/* ---- warehouses ---- */

static status run_ls(cli *c, error *err)
{
    static const list_column columns[] = {{"name", "warehouse", ""},
                                          {"location", "location", ""},
                                          {"first", "first", ""},
                                          {"created_at", "created", ""}};
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, "/api/v1/warehouses", STR(""), &answer, err));
    return output_list(c, json_get(answer, "warehouses"), columns, COUNT_OF(columns), err);
}

static status run_create(cli *c, error *err)
{
    const api_text asked[] = {{"name", c->in.arguments.items[0]},
                              {"location", c->in.arguments.items[1]}};

    TRY(api_json(c, HTTP_POST, "/api/v1/warehouses", api_body(c, asked, COUNT_OF(asked)), NULL,
                 err));
    message_note(c, "warehouse %.*s created at %.*s", STR_ARG(asked[0].value),
                 STR_ARG(asked[1].value));
    return STATUS_OK;
}

static status find_warehouse(cli *c, str name, error *err)
{
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, "/api/v1/warehouses", STR(""), &answer, err));
    const json *all = json_get(answer, "warehouses");
    for (size_t i = 0; i < json_count(all); i++) {
        if (str_equal_nocase(json_str_or(json_get(json_at(all, i), "name"), STR("")), name)) {
            return STATUS_OK;
        }
    }
    (void)error_set(err, STATUS_NOT_FOUND, "warehouse \"%.*s\" does not exist", STR_ARG(name));
    error_hint(err, "tarn catalog ls tells those that do.");
    return STATUS_NOT_FOUND;
}

static status run_drop(cli *c, error *err)
{
    str name = c->in.arguments.items[0];

    if (c->dry_run) {
        TRY(find_warehouse(c, name, err));
        message_note(c, "would drop warehouse %.*s", STR_ARG(name));
        return STATUS_OK;
    }
    TRY(api_json(c, HTTP_DELETE, api_path(c->memory, "/api/v1/warehouses/%", &name, 1), STR(""),
                 NULL, err));
    message_note(c, "warehouse %.*s dropped; its bucket stays", STR_ARG(name));
    return STATUS_OK;
}

/* ---- events ---- */

#define EVENTS_PAGE 1000
#define FOLLOW_MS 500

static const list_column event_columns[] = {
    {"id", "id", "BIGINT"},   {"time", "time", ""},
    {"kind", "kind", ""},     {"namespace", "namespace", ""},
    {"name", "name", ""},     {"principal", "principal", ""},
    {"via", "via", ""},       {"snapshot_id", "snapshot", ""},
    {"detail", "detail", ""},
};

/* One page behind `*after`, which moves on. */
static status read_page(cli *c, int64_t *after, const json **ret_events, error *err)
{
    str kind = invocation_get(&c->in, "kind");
    const json *answer = NULL;
    buf *target = buf_in(c->memory, LIMIT_HTTP_TARGET);

    buf_printf(target, "/api/v1/events?limit=%d&after=%lld", EVENTS_PAGE, (long long)*after);
    if (!str_is_null(kind)) {
        buf_add_c(target, "&kind=");
        uri_encode(target, kind, "");
    }
    TRY(buf_check(target, "kind of events", err));
    TRY(api_json(c, HTTP_GET, str_to_c(c->memory, buf_str(target)), STR(""), &answer, err));
    *ret_events = json_get(answer, "events");
    *after = json_int64_or(json_get(answer, "next"), *after);
    return STATUS_OK;
}

/* A line for each event: lists of which the end is not known have no other form. */
static status print_lines(cli *c, const json *events, error *err)
{
    for (size_t i = 0; i < json_count(events); i++) {
        buf *line = buf_in(c->memory, LIMIT_JSON_BODY);
        json_writer w;

        json_writer_init(&w, line);
        json_put_value(&w, json_at(events, i));
        buf_add_char(line, '\n');
        TRY(out_str(c, buf_str(line), err));
    }
    return STATUS_OK;
}

static status follow(cli *c, int64_t after, error *err)
{
    status result = STATUS_OK;

    interrupt_catch();
    while (result == STATUS_OK && interrupt_signal == 0) {
        const json *events = NULL;
        arena *kept = c->memory;
        c->memory = arena_child(kept);
        result = read_page(c, &after, &events, err);
        size_t count = result == STATUS_OK ? json_count(events) : 0;
        result = result == STATUS_OK ? print_lines(c, events, err) : result;
        arena_free(c->memory);
        c->memory = kept;
        if (count < EVENTS_PAGE && result == STATUS_OK && interrupt_signal == 0) {
            result = out_flush(c, err);
            clock_sleep_ms(FOLLOW_MS);
        }
    }
    interrupt_forget();
    return result;
}

static status run_events(cli *c, error *err)
{
    str text = invocation_get(&c->in, "after");
    const json *events = NULL;
    const json *all = NULL;
    int64_t after = 0;
    buf *list = buf_in(c->memory, LIMIT_RESULT_IN_MEMORY);
    json_writer w;

    if (!str_is_null(text) && str_to_int64(text, &after, err) != STATUS_OK) {
        return error_set(err, STATUS_USAGE, "--after \"%.*s\" is no number", STR_ARG(text));
    }
    if (invocation_has(&c->in, "follow")) {
        return follow(c, after, err);
    }
    json_writer_init(&w, list);
    json_begin_array(&w);
    do {
        TRY(read_page(c, &after, &events, err));
        for (size_t i = 0; i < json_count(events); i++) {
            json_put_value(&w, json_at(events, i));
        }
    } while (json_count(events) == EVENTS_PAGE);
    json_end_array(&w);
    TRY(buf_check(list, "list of events", err));
    TRY(json_parse(buf_str(list), c->memory, &all, err));
    return output_list(c, all, event_columns, COUNT_OF(event_columns), err);
}

/* ---- tables and namespaces ---- */

static char *protection_path(cli *c, bool is_table, error *err)
{
    str segments[2];

    if (!is_table) {
        return api_path(c->memory, "/api/v1/namespaces/%/protection", c->in.arguments.items, 1);
    }
    return table_segments(c, c->in.arguments.items[0], segments, err) == STATUS_OK
               ? api_path(c->memory, "/api/v1/namespaces/%/tables/%/protection", segments, 2)
               : NULL;
}

static status set_protection(cli *c, bool is_table, bool on, error *err)
{
    char *path = protection_path(c, is_table, err);

    if (path == NULL) {
        return STATUS_USAGE;
    }
    TRY(api_json(c, on ? HTTP_PUT : HTTP_DELETE, path, STR(""), NULL, err));
    message_note(c, "%s %.*s %s", is_table ? "table" : "namespace",
                 STR_ARG(c->in.arguments.items[0]),
                 on ? "is protected: it is not dropped" : "may be dropped again");
    return STATUS_OK;
}

static status run_table_protect(cli *c, error *err)
{
    return set_protection(c, true, true, err);
}

static status run_table_unprotect(cli *c, error *err)
{
    return set_protection(c, true, false, err);
}

static status run_namespace_protect(cli *c, error *err)
{
    return set_protection(c, false, true, err);
}

static status run_namespace_unprotect(cli *c, error *err)
{
    return set_protection(c, false, false, err);
}

/* The one that was dropped last under that name. */
static status find_dropped(cli *c, const str segments[2], str *ret_uuid, error *err)
{
    const json *answer = NULL;

    TRY(api_json(c, HTTP_GET, "/api/v1/dropped", STR(""), &answer, err));
    const json *list = json_get(answer, "dropped");
    for (size_t i = 0; i < json_count(list); i++) {
        const json *one = json_at(list, i);
        if (str_equal_nocase(json_str_or(json_get(one, "namespace"), STR("")), segments[0]) &&
            str_equal_nocase(json_str_or(json_get(one, "name"), STR("")), segments[1])) {
            *ret_uuid = json_str_or(json_get(one, "uuid"), STR(""));
            return STATUS_OK;
        }
    }
    error_set(err, STATUS_NO_TABLE, "no dropped table \"%.*s.%.*s\" is kept", STR_ARG(segments[0]),
              STR_ARG(segments[1]));
    error_hint(err, "tarn table ls --dropped tells those that are.");
    return STATUS_NO_TABLE;
}

static status run_undrop(cli *c, error *err)
{
    const api_text asked[] = {{"as", invocation_get(&c->in, "as")}};
    str segments[2];
    str uuid = STR("");
    const json *answer = NULL;

    TRY(table_segments(c, c->in.arguments.items[0], segments, err));
    TRY(find_dropped(c, segments, &uuid, err));
    TRY(api_json(c, HTTP_POST, api_path(c->memory, "/api/v1/dropped/%/undrop", &uuid, 1),
                 api_body(c, asked, COUNT_OF(asked)), &answer, err));
    str space = json_str_or(json_get(answer, "namespace"), STR(""));
    str name = json_str_or(json_get(answer, "name"), STR(""));
    message_note(c, "table %.*s.%.*s is back", STR_ARG(space), STR_ARG(name));
    return STATUS_OK;
}

/* ---- the commands ---- */

static const argument warehouse_argument[] = {
    {.name = "NAME", .help = "name of the warehouse", .kind = ARGUMENT_TEXT}};
static const argument create_arguments[] = {
    {.name = "NAME", .help = "name of the warehouse", .kind = ARGUMENT_TEXT},
    {.name = "LOCATION",
     .help = "s3://bucket[/path], or file:///path below one of warehouse.roots",
     .kind = ARGUMENT_TEXT}};
static const example create_examples[] = {
    {"tarn catalog create lake s3://lake", "the bucket is made where there is none"}};
static const option event_options[] = {
    {.name = "follow", .letter = 'f', .help = "go on with what happens, a JSON line for each"},
    {.name = "after", .value = "ID", .help = "those with a larger id"},
    {.name = "kind", .value = "KIND", .help = "of one kind: table.dropped"}};
static const example event_examples[] = {
    {"tarn catalog events --kind table.dropped", "who dropped what, and when"},
    {"tarn catalog events --follow --after 100", "what happens from now on"}};
static const argument table_argument[] = {
    {.name = "TABLE", .help = "name, or namespace.name", .kind = ARGUMENT_TABLE}};
static const argument dropped_argument[] = {
    {.name = "TABLE", .help = "name that it had, or namespace.name", .kind = ARGUMENT_TEXT}};
static const option undrop_options[] = {
    {.name = "as", .value = "NEW", .help = "another name, or namespace.name"}};
static const argument space_argument[] = {
    {.name = "NAMESPACE", .help = "name; levels joined by dots", .kind = ARGUMENT_NAMESPACE}};

const command command_catalog_ls = {
    .name = "catalog ls", .summary = "list warehouses", .run = run_ls};
const command command_catalog_create = {
    .name = "catalog create",
    .summary = "make a warehouse",
    .details = "A warehouse is a name and the place that its tables lie below. Its namespaces are "
               "called NAME.namespace in SQL; clients of the Iceberg REST catalog name it as their "
               "warehouse.",
    ARGUMENTS(create_arguments),
    EXAMPLES(create_examples),
    .run = run_create};
const command command_catalog_drop = {.name = "catalog drop",
                                      .summary = "drop an empty warehouse",
                                      ARGUMENTS(warehouse_argument),
                                      .run = run_drop};
const command command_catalog_events = {.name = "catalog events",
                                        .summary = "what happened in the catalog",
                                        OPTIONS(event_options),
                                        EXAMPLES(event_examples),
                                        .run = run_events};
const command command_table_undrop = {.name = "table undrop",
                                      .summary = "bring a dropped table back",
                                      ARGUMENTS(dropped_argument),
                                      OPTIONS(undrop_options),
                                      .run = run_undrop};
const command command_table_protect = {.name = "table protect",
                                       .summary = "keep a table from being dropped",
                                       ARGUMENTS(table_argument),
                                       .run = run_table_protect};
const command command_table_unprotect = {.name = "table unprotect",
                                         .summary = "let a table be dropped again",
                                         ARGUMENTS(table_argument),
                                         .run = run_table_unprotect};
const command command_namespace_protect = {.name = "namespace protect",
                                           .summary = "keep a namespace from being dropped",
                                           ARGUMENTS(space_argument),
                                           .run = run_namespace_protect};
const command command_namespace_unprotect = {.name = "namespace unprotect",
                                             .summary = "let a namespace be dropped again",
                                             ARGUMENTS(space_argument),
                                             .run = run_namespace_unprotect};

/* tarn table ls, show, history, files, rename, register, drop. */
#include <limits.h>
#include <unistd.h>

#include "catalog.h"
#include "connect.h"
#include "output.h"
#include "tarn/base/limits.h"
#include "tarn/base/vec.h"

static const argument table_argument[] = {
    {.name = "TABLE", .help = "name, or namespace.name", .kind = ARGUMENT_TABLE}};

#define DEFAULT_SPACE "main"

/* ---- names ---- */

status table_segments(cli *c, str name, str ret_segments[2], error *err)
{
    size_t dot = STR_NPOS;
    bool quoted = false;

    for (size_t i = 0; i < name.size; i++) {
        quoted = name.data[i] == '"' ? !quoted : quoted;
        dot = name.data[i] == '.' && !quoted ? i : dot;
    }
    str table = dot == STR_NPOS ? name : str_slice(name, dot + 1, name.size);
    str space = dot == STR_NPOS ? STR(DEFAULT_SPACE) : str_slice(name, 0, dot);
    if (table.size >= 2 && table.data[0] == '"' && table.data[table.size - 1] == '"') {
        table = str_slice(table, 1, table.size - 1);
    }
    if (table.size == 0 || space.size == 0 || quoted) {
        return error_set(err, STATUS_USAGE, "\"%.*s\" is no table name", STR_ARG(name));
    }
    ret_segments[0] = str_copy(c->memory, space);
    ret_segments[1] = str_copy(c->memory, table);
    return STATUS_OK;
}

static status table_path(cli *c, const char *behind, char **ret_path, error *err)
{
    str segments[2];

    TRY(table_segments(c, c->in.arguments.items[0], segments, err));
    *ret_path =
        api_path(c->memory, arena_printf(c->memory, "/api/v1/namespaces/%%/tables/%%%s", behind),
                 segments, 2);
    return STATUS_OK;
}

static status get_table(cli *c, const char *behind, const json **ret_answer, error *err)
{
    char *path = NULL;

    TRY(table_path(c, behind, &path, err));
    return api_json(c, HTTP_GET, path, STR(""), ret_answer, err);
}

/* ---- ls ---- */

static const list_column ls_columns[] = {
    {"namespace", "namespace", ""},
    {"name", "table", ""},
    {"rows", "rows", "BIGINT"},
    {"files", "files", "BIGINT"},
    {"size_bytes", "size_bytes", "BIGINT"},
    {"updated_at", "updated", ""},
    {"kind", "kind", ""},
    {"protected", "protected", "BOOLEAN"},
};

static void add_tables(const json *answer, json_writer *w)
{
    const json *tables = json_get(answer, "tables");

    for (size_t i = 0; i < json_count(tables); i++) {
        json_put_value(w, json_at(tables, i));
    }
}

/* Every namespace's tables as one array. */
static status collect_tables(cli *c, const json **ret_tables, error *err)
{
    const json *spaces = NULL;
    const json *list;
    buf *all = buf_in(c->memory, LIMIT_JSON_BODY);
    json_writer w;

    TRY(api_json(c, HTTP_GET, "/api/v1/namespaces", STR(""), &spaces, err));
    list = json_get(spaces, "namespaces");
    json_writer_init(&w, all);
    json_begin_array(&w);
    for (size_t i = 0; i < json_count(list); i++) {
        const json *tables = NULL;
        str name = json_str_or(json_get(json_at(list, i), "name"), STR(""));
        status got =
            api_json(c, HTTP_GET, api_path(c->memory, "/api/v1/namespaces/%/tables", &name, 1),
                     STR(""), &tables, err);
        if (got != STATUS_OK && got != STATUS_NO_NAMESPACE) { /* dropped since it was listed */
            return got;
        }
        add_tables(tables, &w);
    }
    json_end_array(&w);
    TRY(buf_check(all, "list of tables", err));
    return json_parse(buf_str(all), c->memory, ret_tables, err);
}

/* Names alone, for a Tab: never starts a server. */
static status complete(cli *c, error *err)
{
    const json *tables = NULL;

    TRY(context_settings(c, err));
    if (!connection_exists(c)) {
        return STATUS_OK;
    }
    TRY(collect_tables(c, &tables, err));
    for (size_t i = 0; i < json_count(tables); i++) {
        str space = json_str_or(json_get(json_at(tables, i), "namespace"), STR(""));
        str name = json_str_or(json_get(json_at(tables, i), "name"), STR(""));
        bool bare = str_equal(space, STR(DEFAULT_SPACE));
        TRY(out_str(c,
                    bare ? str_printf(c->memory, "%.*s\n", STR_ARG(name))
                         : str_printf(c->memory, "%.*s.%.*s\n", STR_ARG(space), STR_ARG(name)),
                    err));
    }
    return STATUS_OK;
}

static status list_dropped(cli *c, error *err)
{
    static const list_column columns[] = {
        {"namespace", "namespace", ""},   {"name", "table", ""},
        {"dropped_at", "dropped", ""},    {"dropped_by", "by", ""},
        {"kept_until", "kept_until", ""}, {"uuid", "uuid", ""},
    };
    const json *answer = NULL;
    const char *path =
        c->in.arguments.count > 0
            ? api_path(c->memory, "/api/v1/dropped?namespace=%", c->in.arguments.items, 1)
            : "/api/v1/dropped";

    TRY(api_json(c, HTTP_GET, path, STR(""), &answer, err));
    return output_list(c, json_get(answer, "dropped"), columns, COUNT_OF(columns), err);
}

static status run_ls(cli *c, error *err)
{
    const json *tables = NULL;

    if (invocation_has(&c->in, "complete")) {
        return complete(c, err);
    }
    if (invocation_has(&c->in, "dropped")) {
        return list_dropped(c, err);
    }
    if (c->in.arguments.count > 0) {
        const json *answer = NULL;
        TRY(api_json(c, HTTP_GET,
                     api_path(c->memory, "/api/v1/namespaces/%/tables", c->in.arguments.items, 1),
                     STR(""), &answer, err));
        tables = json_get(answer, "tables");
    } else {
        TRY(collect_tables(c, &tables, err));
    }
    return output_list(c, tables, ls_columns, COUNT_OF(ls_columns), err);
}

/* ---- one table ---- */

static status run_show(cli *c, error *err)
{
    static const list_column head[] = {
        {"namespace", "namespace", ""},
        {"name", "table", ""},
        {"uuid", "uuid", ""},
        {"location", "location", ""},
        {"format_version", "format", ""},
        {"rows", "rows", ""},
        {"files", "files", ""},
        {"size_bytes", "size_bytes", ""},
        {"snapshots", "snapshots", ""},
        {"current_snapshot_id", "current_snapshot", ""},
        {"created_at", "created", ""},
        {"updated_at", "updated", ""},
        {"partitioning", "partitioning", ""},
        {"protected", "protected", ""},
        {"properties", "properties", ""},
    };
    static const list_column columns[] = {{"id", "id", "INTEGER"},
                                          {"name", "column", ""},
                                          {"type", "type", ""},
                                          {"required", "required", ""},
                                          {"comment", "comment", ""}};
    const json *answer = NULL;

    TRY(get_table(c, "", &answer, err));
    TRY(output_record(c, answer, head, COUNT_OF(head), err));
    if (c->format == OUTPUT_JSON || c->format == OUTPUT_JSONL) {
        return STATUS_OK; /* the object says it all */
    }
    TRY(out_str(c, STR("\n"), err));
    return output_list(c, json_get(answer, "columns"), columns, COUNT_OF(columns), err);
}

static status run_history(cli *c, error *err)
{
    static const list_column columns[] = {
        {"snapshot_id", "snapshot", ""},        {"committed_at", "committed", ""},
        {"operation", "operation", ""},         {"current", "current", ""},
        {"added_rows", "added_rows", "BIGINT"}, {"added_files", "added_files", "BIGINT"},
        {"total_rows", "total_rows", "BIGINT"}, {"total_files", "total_files", "BIGINT"},
    };
    const json *answer = NULL;

    TRY(get_table(c, "/snapshots", &answer, err));
    return output_list(c, json_get(answer, "snapshots"), columns, COUNT_OF(columns), err);
}

static status run_files(cli *c, error *err)
{
    static const list_column columns[] = {
        {"path", "path", ""},
        {"partition", "partition", ""},
        {"rows", "rows", "BIGINT"},
        {"size_bytes", "size_bytes", "BIGINT"},
        {"snapshot_id", "snapshot", ""},
    };
    const json *answer = NULL;

    TRY(get_table(c, "/files", &answer, err));
    return output_list(c, json_get(answer, "files"), columns, COUNT_OF(columns), err);
}

static status run_rename(cli *c, error *err)
{
    const api_text asked[] = {{"to", c->in.arguments.items[1]}};
    char *path = NULL;

    TRY(table_path(c, "/rename", &path, err));
    TRY(api_json(c, HTTP_POST, path, api_body(c, asked, COUNT_OF(asked)), NULL, err));
    message_note(c, "table %.*s is now %.*s", STR_ARG(c->in.arguments.items[0]),
                 STR_ARG(c->in.arguments.items[1]));
    return STATUS_OK;
}

/* OLD=NEW as members of an object. */
static status put_rebase(cli *c, json_writer *w, error *err)
{
    str rule;

    json_key(w, "rebase");
    json_begin_object(w);
    for (size_t at = 0; invocation_next(&c->in, "rebase", &at, &rule);) {
        size_t equals = str_find_char(rule, '=');
        if (equals == STR_NPOS || equals == 0 || equals + 1 == rule.size) {
            return error_set(err, STATUS_USAGE, "--rebase \"%.*s\" is not OLD=NEW", STR_ARG(rule));
        }
        json_key_str(w, str_slice(rule, 0, equals));
        json_put_str(w, str_slice(rule, equals + 1, rule.size));
    }
    json_end_object(w);
    return STATUS_OK;
}

/* A path of this machine is one of the server's too, or the server refuses it: it must be absolute there. */
static str absolute_location(cli *c, str location)
{
    char folder[PATH_MAX];

    if (str_find_char(location, ':') != STR_NPOS || str_starts_with(location, STR("/")) ||
        getcwd(folder, sizeof(folder)) == NULL) {
        return location;
    }
    while (str_starts_with(location, STR("./"))) {
        location = str_slice(location, 2, location.size);
    }
    return str_equal(location, STR("."))
               ? str_copy(c->memory, str_c(folder))
               : str_printf(c->memory, "%s/%.*s", folder, STR_ARG(location));
}

static status run_register(cli *c, error *err)
{
    const json *answer = NULL;
    str segments[2];
    buf *body = buf_in(c->memory, LIMIT_MIB);
    json_writer w;

    TRY(table_segments(c, c->in.arguments.items[0], segments, err));
    json_writer_init(&w, body);
    json_begin_object(&w);
    json_member_str(&w, "name", segments[1]);
    json_member_str(&w, "location", absolute_location(c, c->in.arguments.items[1]));
    TRY(put_rebase(c, &w, err));
    json_end_object(&w);
    TRY(api_json(c, HTTP_POST, api_path(c->memory, "/api/v1/namespaces/%/register", segments, 1),
                 buf_str(body), &answer, err));
    message_note(c, "table %.*s registered, %lld rows%s", STR_ARG(c->in.arguments.items[0]),
                 (long long)json_int64_or(json_get(answer, "rows"), 0),
                 json_get(answer, "rebase") != NULL
                     ? "; it was moved since it was written, so it can only be read"
                     : "");
    return STATUS_OK;
}

static status run_drop(cli *c, error *err)
{
    str name = c->in.arguments.items[0];
    const json *table = NULL;
    char *path = NULL;

    TRY(table_path(c, "", &path, err));
    TRY(api_json(c, HTTP_GET, path, STR(""), &table, err)); /* before anybody is asked */
    long long rows = (long long)json_int64_or(json_get(table, "rows"), 0);
    if (c->dry_run) {
        message_note(c, "would drop table %.*s, %lld rows", STR_ARG(name), rows);
        return STATUS_OK;
    }
    TRY(message_confirm(c, err, "drop table \"%.*s\" with %lld rows", STR_ARG(name), rows));
    if (invocation_has(&c->in, "purge")) {
        path = arena_printf(c->memory, "%s?purge=true", path);
    }
    TRY(api_json(c, HTTP_DELETE, path, STR(""), NULL, err));
    message_note(c, "table %.*s dropped", STR_ARG(name));
    return STATUS_OK;
}

/* ---- the commands ---- */

static const argument ls_arguments[] = {{.name = "NAMESPACE",
                                         .help = "this namespace's tables alone",
                                         .kind = ARGUMENT_NAMESPACE,
                                         .optional = true}};
static const option ls_options[] = {
    {.name = "dropped", .help = "those that can come back instead"},
    {.name = "complete", .help = "names alone, of a server that runs", .hidden = true}};
static const argument rename_arguments[] = {
    {.name = "TABLE", .help = "name, or namespace.name", .kind = ARGUMENT_TABLE},
    {.name = "NEW", .help = "new name, or namespace.name", .kind = ARGUMENT_TEXT}};

const command command_table_ls = {.name = "table ls",
                                  .summary = "list tables",
                                  ARGUMENTS(ls_arguments),
                                  OPTIONS(ls_options),
                                  .run = run_ls};
const command command_table_show = {.name = "table show",
                                    .summary = "columns, partitioning, sizes, properties",
                                    ARGUMENTS(table_argument),
                                    .run = run_show};
const command command_table_history = {.name = "table history",
                                       .summary = "snapshots, newest first",
                                       ARGUMENTS(table_argument),
                                       .run = run_history};
const command command_table_files = {.name = "table files",
                                     .summary = "data files of the current snapshot",
                                     ARGUMENTS(table_argument),
                                     .run = run_files};
const command command_table_rename = {.name = "table rename",
                                      .summary = "give a table another name",
                                      ARGUMENTS(rename_arguments),
                                      .run = run_rename};
static const argument register_arguments[] = {
    {.name = "TABLE", .help = "name, or namespace.name", .kind = ARGUMENT_TEXT},
    {.name = "LOCATION",
     .help = "its folder, or its metadata file; below one of warehouse.roots",
     .kind = ARGUMENT_FILE}};
static const option register_options[] = {
    {.name = "rebase",
     .value = "OLD=NEW",
     .help = "files that the table calls OLD… lie at NEW…; the longest prefix wins",
     .repeats = true}};
static const example register_examples[] = {
    {"tarn table register sales.orders /lake/orders", "the newest metadata in the folder"},
    {"tarn table register orders /lake/orders/metadata/v3.metadata.json", "this version"},
    {"tarn table register orders /lake/orders --rebase s3://old/orders=/lake/orders",
     "files that lie elsewhere than the table says"}};
const command command_table_register = {
    .name = "table register",
    .summary = "give a table that another program made a name",
    .details = "A table whose metadata says that it lives elsewhere was moved: what lies below its "
               "old location is looked for below its folder, and it can only be read. Dropping a "
               "registered table forgets its name; its files stay.",
    ARGUMENTS(register_arguments),
    OPTIONS(register_options),
    EXAMPLES(register_examples),
    .run = run_register};
static const option drop_options[] = {
    {.name = "purge", .help = "its files are to go at once: it cannot come back"}};
const command command_table_drop = {
    .name = "table drop",
    .summary = "drop a table",
    .details = "A dropped table can come back for as long as catalog.retention says: tarn table "
               "undrop.",
    ARGUMENTS(table_argument),
    OPTIONS(drop_options),
    .run = run_drop};

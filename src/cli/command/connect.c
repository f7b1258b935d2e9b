/* tarn connect: the configuration with which another program finds this server's tables, with a key of its own.
 *
 * One template for each program. stdout has the configuration alone, ready for the file that its first lines name. */
#include "connect.h"

#include <inttypes.h>

#include "lifetime.h"
#include "output.h"
#include "tarn/base/limits.h"

/* How a value is written between the template's own quotes, or without any. */
typedef enum quoting {
    QUOTE_NONE,  /* properties: what would end the line or begin an escape */
    QUOTE_SQL,   /* '…' */
    QUOTE_YAML,  /* "…" */
    QUOTE_SHELL, /* "…" in '…' */
} quoting;

/* Lines begin with a space; "+" with a key alone, "-" without one alone, "3" where there is an S3 door. `{x}` is a
 * value: uri, warehouse, namespace, token, s3, region, access_key, secret. */
typedef struct client {
    const char *name;
    const char *where;   /* it goes: the comment's text */
    const char *comment; /* what a comment begins with */
    quoting quotes;
    const char *const *lines; /* ends with NULL */
    bool needs_pair; /* S3 keys of its own: it does not take those that the catalog hands out */
} client;

static const char *const spark_lines[] = {
    " spark.jars.packages  org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.11.0,"
    "org.apache.iceberg:iceberg-aws-bundle:1.11.0",
    " spark.sql.extensions  org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    " spark.sql.catalog.tarn  org.apache.iceberg.spark.SparkCatalog",
    " spark.sql.catalog.tarn.type  rest",
    " spark.sql.catalog.tarn.uri  {uri}",
    " spark.sql.catalog.tarn.warehouse  {warehouse}",
    "+spark.sql.catalog.tarn.token  {token}",
    "+spark.sql.catalog.tarn.token-refresh-enabled  false",
    " spark.sql.catalog.tarn.header.X-Iceberg-Access-Delegation  vended-credentials",
    NULL,
};

/* Trino takes the store's address from here, and only the keys from the catalog. */
static const char *const trino_lines[] = {
    " connector.name=iceberg",
    " iceberg.catalog.type=rest",
    " iceberg.rest-catalog.uri={uri}",
    " iceberg.rest-catalog.warehouse={warehouse}",
    "+iceberg.rest-catalog.security=OAUTH2",
    "+iceberg.rest-catalog.oauth2.token={token}",
    "+iceberg.rest-catalog.oauth2.token-refresh-enabled=false",
    " iceberg.rest-catalog.nested-namespace-enabled=true",
    " iceberg.rest-catalog.vended-credentials-enabled=true",
    "3fs.native-s3.enabled=true",
    "3s3.endpoint={s3}",
    "3s3.region={region}",
    "3s3.path-style-access=true",
    NULL,
};

static const char *const pyiceberg_lines[] = {
    " catalog:",
    "   tarn:",
    "     type: rest",
    "     uri: \"{uri}\"",
    "     warehouse: \"{warehouse}\"",
    "+    token: \"{token}\"",
    "     header.X-Iceberg-Access-Delegation: vended-credentials",
    NULL,
};

static const char *const duckdb_lines[] = {
    " INSTALL httpfs; LOAD httpfs;",
    " INSTALL iceberg; LOAD iceberg;",
    "+CREATE OR REPLACE SECRET tarn (TYPE iceberg, TOKEN '{token}');",
    "+ATTACH '{warehouse}' AS tarn (TYPE iceberg, ENDPOINT '{uri}', SECRET tarn,",
    "+    ACCESS_DELEGATION_MODE 'vended_credentials', SUPPORT_NESTED_NAMESPACES true, "
    "DEFAULT_SCHEMA '{namespace}');",
    "-ATTACH '{warehouse}' AS tarn (TYPE iceberg, ENDPOINT '{uri}', AUTHORIZATION_TYPE 'none',",
    "-    ACCESS_DELEGATION_MODE 'vended_credentials', SUPPORT_NESTED_NAMESPACES true, "
    "DEFAULT_SCHEMA '{namespace}');",
    NULL,
};

static const char *const flink_lines[] = {
    " CREATE CATALOG tarn WITH (",
    "   'type' = 'iceberg',",
    "   'catalog-type' = 'rest',",
    "   'uri' = '{uri}',",
    "   'warehouse' = '{warehouse}',",
    "   'default-database' = '{namespace}',",
    "+  'token' = '{token}',",
    "+  'token-refresh-enabled' = 'false',",
    "   'header.X-Iceberg-Access-Delegation' = 'vended-credentials'",
    " );",
    " USE CATALOG tarn;",
    NULL,
};

/* Sail knows no keys but those of its environment. */
static const char *const sail_lines[] = {
    "+export SAIL_CATALOG__LIST='[{type=\"iceberg-rest\", name=\"tarn\", uri=\"{uri}\", "
    "warehouse=\"{warehouse}\", bearer_access_token=\"{token}\"}]'",
    "-export SAIL_CATALOG__LIST='[{type=\"iceberg-rest\", name=\"tarn\", uri=\"{uri}\", "
    "warehouse=\"{warehouse}\"}]'",
    " export SAIL_CATALOG__DEFAULT_CATALOG=tarn",
    "3export AWS_ENDPOINT_URL='{s3}' AWS_REGION='{region}' AWS_ALLOW_HTTP=true",
    "3export AWS_ACCESS_KEY_ID='{access_key}' AWS_SECRET_ACCESS_KEY='{secret}'",
    NULL,
};

/* Within one transaction DuckDB's Iceberg extension does not rename a table that it made, as dbt's tables ask for. */
static const char *const dbt_lines[] = {
    " tarn:",
    "   target: dev",
    "   outputs:",
    "     dev:",
    "       type: duckdb",
    "       path: \":memory:\"",
    "       disable_transactions: true",
    "       extensions: [httpfs, iceberg]",
    "+      secrets:",
    "+        - type: iceberg",
    "+          name: tarn",
    "+          token: \"{token}\"",
    "       attach:",
    "         - path: \"{warehouse}\"",
    "           alias: tarn",
    "           type: iceberg",
    "           options:",
    "             endpoint: \"{uri}\"",
    "+            secret: tarn",
    "-            authorization_type: none",
    "             access_delegation_mode: vended_credentials",
    "             default_schema: \"{namespace}\"",
    "       database: tarn",
    "       schema: \"{namespace}\"",
    NULL,
};

#define DEFAULT_LIFETIME_S (90 * (int64_t)86400)
#define CLIENTS "spark|trino|pyiceberg|duckdb|flink|sail|dbt"
static const client clients[] = {
    {"spark", "spark-defaults.conf, or --properties-file", "#", QUOTE_NONE, spark_lines, false},
    {"trino", "etc/catalog/tarn.properties", "#", QUOTE_NONE, trino_lines, false},
    {"pyiceberg", "~/.pyiceberg.yaml", "#", QUOTE_YAML, pyiceberg_lines, false},
    {"duckdb", "DuckDB, once in each session", "--", QUOTE_SQL, duckdb_lines, false},
    {"flink", "the SQL client, with iceberg-flink-runtime, iceberg-aws-bundle and Hadoop's client",
     "--", QUOTE_SQL, flink_lines, false},
    {"sail", "the environment of the Sail server", "#", QUOTE_SHELL, sail_lines, true},
    {"dbt", "profiles.yml, for dbt-duckdb", "#", QUOTE_YAML, dbt_lines, false},
};

typedef struct value {
    const char *name;
    str text;
} value;
enum {
    VALUE_URI,
    VALUE_WAREHOUSE,
    VALUE_NAMESPACE,
    VALUE_TOKEN,
    VALUE_S3,
    VALUE_REGION,
    VALUE_ACCESS_KEY,
    VALUE_SECRET,
    VALUE_COUNT
};

/* ---- writing it ---- */

static void add_quoted(buf *out, str text, quoting quotes)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];

        if (quotes == QUOTE_SQL && c == '\'') {
            buf_add_c(out, "''");
        } else if (quotes == QUOTE_SHELL && c == '\'') {
            buf_add_c(out, "'\\''");
        } else if ((quotes == QUOTE_YAML || quotes == QUOTE_SHELL) && (c == '"' || c == '\\')) {
            buf_printf(out, "\\%c", c);
        } else if (quotes == QUOTE_NONE && c == '\\') {
            buf_add_c(out, "\\\\");
        } else {
            buf_add_char(out, c);
        }
    }
}

static void add_line(buf *out, const char *line, const value *values, quoting quotes)
{
    while (*line != '\0') {
        size_t taken = 0;

        for (size_t i = 0; *line == '{' && i < VALUE_COUNT; i++) {
            str name = str_c(values[i].name);

            if (str_starts_with(str_c(line + 1), name) && line[name.size + 1] == '}') {
                add_quoted(out, values[i].text, quotes);
                taken = name.size + 2;
                break;
            }
        }
        if (taken == 0) {
            buf_add_char(out, *line);
            taken = 1;
        }
        line += taken;
    }
    buf_add_char(out, '\n');
}

static bool line_counts(char mark, const value *values)
{
    switch (mark) {
    case '+':
        return values[VALUE_TOKEN].text.size > 0;
    case '-':
        return values[VALUE_TOKEN].text.size == 0;
    case '3':
        return values[VALUE_S3].text.size > 0;
    default:
        return true;
    }
}

static str write_configuration(arena *a, const client *to, const value *values, str about_key)
{
    buf *out = buf_in(a, LIMIT_MIB);

    buf_printf(out, "%s tarn for %s: goes into %s.\n", to->comment, to->name, to->where);
    if (about_key.size > 0) {
        buf_printf(out, "%s %.*s\n", to->comment, STR_ARG(about_key));
    }
    for (size_t i = 0; to->lines[i] != NULL; i++) {
        if (line_counts(to->lines[i][0], values)) {
            add_line(out, to->lines[i] + 1, values, to->quotes);
        }
    }
    return buf_str(out);
}

/* ---- the server ---- */

static status no_server(cli *c, error *err)
{
    TRY(context_settings(c, err));
    error_set(err, STATUS_UNAVAILABLE,
              "data directory \"%.*s\" has no server that other programs could reach",
              STR_ARG(c->settings->data_path));
    error_hint(err, "Start one with tarn serve, or name one with --server.");
    return STATUS_UNAVAILABLE;
}

/* "http://host" of an address with a port or a path behind it. */
static str host_of(str address)
{
    size_t from = str_find(address, STR("://")) + 3;
    str rest = str_slice(address, from, address.size);
    size_t end = str_starts_with(rest, STR("[")) ? str_find_char(rest, ']') + 1 : 0;

    while (end < rest.size && rest.data[end] != ':' && rest.data[end] != '/') {
        end++;
    }
    return str_slice(address, 0, from + end);
}

/* A door that listens everywhere is reached by the name under which the catalog is. */
static str s3_address(arena *a, str listen, str catalog)
{
    size_t colon = str_find_last_char(listen, ':');
    str host = colon == STR_NPOS ? listen : str_slice(listen, 0, colon);

    if (listen.size == 0) {
        return STR("");
    }
    if (colon != STR_NPOS && (str_equal(host, STR("0.0.0.0")) || str_equal(host, STR("[::]")))) {
        return str_printf(a, "%.*s%.*s", STR_ARG(host_of(catalog)),
                          STR_ARG(str_slice(listen, colon, listen.size)));
    }
    return str_printf(a, "http://%.*s", STR_ARG(listen));
}

/* The addresses are the running server's own; that of the catalog the one it was found under. */
static status read_server(cli *c, value *values, bool *ret_open, error *err)
{
    const json *answer = NULL;
    str address;

    if (!connection_exists(c)) {
        return no_server(c, err);
    }
    TRY(api_json(c, HTTP_GET, "/api/v1/status", STR(""), &answer, err));
    address = c->server->address;
    if (str_starts_with(address, STR("unix:"))) {
        return no_server(c, err);
    }
    while (str_ends_with(address, STR("/"))) {
        address.size--;
    }
    values[VALUE_URI].text = str_printf(c->memory, "%.*s/iceberg", STR_ARG(address));
    values[VALUE_WAREHOUSE].text = json_str_or(json_get(answer, "warehouse"), STR(""));
    values[VALUE_S3].text = json_str_or(json_get(answer, "s3_endpoint"), STR(""));
    if (values[VALUE_S3].text.size == 0) {
        values[VALUE_S3].text =
            s3_address(c->memory, json_str_or(json_get(answer, "s3"), STR("")), address);
    }
    values[VALUE_REGION].text = json_str_or(json_get(answer, "s3_region"), STR("us-east-1"));
    *ret_open = str_equal(json_str_or(json_get(answer, "auth"), STR("")), STR("none"));
    return STATUS_OK;
}

/* The catalog itself says whether it has such a warehouse. */
static status check_warehouse(cli *c, str name, str *ret_prefix, error *err)
{
    const http_call call = {
        .method = HTTP_GET,
        .target = api_path(c->memory, "/iceberg/v1/config?warehouse=%", &name, 1),
    };
    http_answer answer;

    TRY(http_client_send(c->server->client, &call, c->memory, &answer, err));
    if (answer.status_code == 404) {
        (void)error_set(err, STATUS_NOT_FOUND, "warehouse \"%.*s\" does not exist", STR_ARG(name));
        error_hint(err, "tarn catalog ls tells those that do.");
        return STATUS_NOT_FOUND;
    }
    if (answer.status_code >= 400) {
        return api_error(&answer, c->memory, err);
    }
    const json *object = NULL;
    TRY(json_parse(answer.body, c->memory, &object, err));
    *ret_prefix = json_str_or(json_get(json_get(object, "overrides"), "prefix"), name);
    return STATUS_OK;
}

/* What clients begin in: "main", where the warehouse has it. */
static status choose_namespace(cli *c, str prefix, str *ret_namespace, error *err)
{
    const json *answer = NULL;
    str first = STR_NULL;

    const char *path = arena_printf(c->memory, "/iceberg/v1/%.*s/namespaces", STR_ARG(prefix));
    TRY(api_json(c, HTTP_GET, path, STR(""), &answer, err)); /* the prefix came ready to use */
    const json *list = json_get(answer, "namespaces");
    for (size_t i = 0; i < json_count(list); i++) {
        str name = json_str_or(json_at(json_at(list, i), 0), STR(""));

        if (str_equal(name, *ret_namespace)) {
            return STATUS_OK;
        }
        first = str_is_null(first) ? name : first;
    }
    if (str_is_null(first)) {
        message_note(c, "The warehouse has no namespace yet: make \"%.*s\", which this names.",
                     STR_ARG(*ret_namespace));
        return STATUS_OK;
    }
    *ret_namespace = first;
    return STATUS_OK;
}

/* ---- the key ---- */

static str key_path(cli *c, str name)
{
    return str_c(api_path(c->memory, "/api/v1/principals/%/keys", &name, 1));
}

static status make_principal(cli *c, str name, str role, error *err)
{
    const api_text asked[] = {{"name", name}, {"role", role}};
    const json *answer = NULL;

    TRY(api_json(c, HTTP_POST, "/api/v1/principals", api_body(c, asked, COUNT_OF(asked)), &answer,
                 err));
    /* The key that it came with is nobody's: the configuration gets one with the time that was asked for. */
    TRY(api_json(c, HTTP_GET, key_path(c, name).data, STR(""), &answer, err));
    const json *keys = json_get(answer, "keys");
    for (size_t i = 0; i < json_count(keys); i++) {
        str id = json_str_or(json_get(json_at(keys, i), "id"), STR(""));
        TRY(api_json(c, HTTP_DELETE, api_path(c->memory, "/api/v1/keys/%", &id, 1), STR(""), NULL,
                     err));
    }
    return STATUS_OK;
}

/* Where it is there already it has to be of that role; `role` STR_NULL: it has to be there, of any. */
static status settle_principal(cli *c, str name, str role, str *ret_role, error *err)
{
    const json *answer = NULL;
    status found = api_json(c, HTTP_GET, api_path(c->memory, "/api/v1/principals/%", &name, 1),
                            STR(""), &answer, err);

    if (found == STATUS_NOT_FOUND && !str_is_null(role)) {
        *ret_role = role;
        return make_principal(c, name, role, err);
    }
    TRY(found);
    *ret_role = json_str_or(json_get(answer, "role"), STR(""));
    if (str_is_null(role) || str_equal(*ret_role, role)) {
        return STATUS_OK;
    }
    (void)error_set(err, STATUS_EXISTS, "principal \"%.*s\" exists, and its role is %.*s, not %.*s",
                    STR_ARG(name), STR_ARG(*ret_role), STR_ARG(role));
    error_hint(err, "Take it as it is with --as %.*s alone, or another name with --as and --role.",
               STR_ARG(name));
    return STATUS_EXISTS;
}

static str lifetime_body(cli *c, int64_t seconds)
{
    return seconds > 0 ? str_printf(c->memory, "{\"expires_in_s\":%" PRId64 "}", seconds)
                       : STR("{}");
}

static status make_key(cli *c, str name, int64_t seconds, str *ret_key, str *ret_about, error *err)
{
    const json *answer = NULL;

    TRY(api_json(c, HTTP_POST, key_path(c, name).data, lifetime_body(c, seconds), &answer, err));
    str id = json_str_or(json_get(answer, "id"), STR(""));
    str expires = json_str_or(json_get(answer, "expires_at"), STR(""));
    *ret_key = json_str_or(json_get(answer, "key"), STR(""));
    *ret_about = str_printf(c->memory, "Its key is %.*s's%s%.*s; tarn key drop %.*s takes it away.",
                            STR_ARG(name), expires.size > 0 ? ", until " : "", STR_ARG(expires),
                            STR_ARG(id));
    return STATUS_OK;
}

/* It opens the warehouse's files and no others, as far as its role lets it read and write tables. */
static status make_pair(cli *c, str name, int64_t seconds, value *values, str *about, error *err)
{
    buf *body = buf_in(c->memory, LIMIT_MIB);
    const json *answer = NULL;
    json_writer w;

    json_writer_init(&w, body);
    json_begin_object(&w);
    json_member_str(&w, "warehouse", values[VALUE_WAREHOUSE].text);
    if (seconds > 0) {
        json_member_int(&w, "expires_in_s", seconds);
    }
    json_end_object(&w);
    TRY(api_json(c, HTTP_POST, api_path(c->memory, "/api/v1/principals/%/s3-keys", &name, 1),
                 buf_str(body), &answer, err));
    values[VALUE_ACCESS_KEY].text = json_str_or(json_get(answer, "access_key"), STR(""));
    values[VALUE_SECRET].text = json_str_or(json_get(answer, "secret"), STR(""));
    *about = str_printf(
        c->memory,
        "%.*s Its S3 key pair opens this warehouse alone; tarn key drop %.*s takes it away.",
        STR_ARG(*about), STR_ARG(values[VALUE_ACCESS_KEY].text));
    return STATUS_OK;
}

static status make_keys(cli *c, const client *to, int64_t seconds, value *values, str *ret_about,
                        error *err)
{
    str name = invocation_get(&c->in, "as");
    str role = invocation_get(&c->in, "role");
    str of = STR_NULL;

    if (str_is_null(name)) {
        name = str_c(to->name);
        role = str_is_null(role) ? STR("writer") : role;
    }
    if (c->dry_run) {
        message_note(c, "would make a key for %.*s and show the configuration", STR_ARG(name));
        return STATUS_OK;
    }
    TRY(settle_principal(c, name, role, &of, err));
    TRY(make_key(c, name, seconds, &values[VALUE_TOKEN].text, ret_about, err));
    return to->needs_pair && values[VALUE_S3].text.size > 0
               ? make_pair(c, name, seconds, values, ret_about, err)
               : STATUS_OK;
}

static const client *client_named(str name)
{
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        if (str_equal(name, str_c(clients[i].name))) {
            return &clients[i];
        }
    }
    return NULL;
}

static status run(cli *c, error *err)
{
    value values[VALUE_COUNT] = {
        [VALUE_URI] = {"uri", STR_NULL},
        [VALUE_WAREHOUSE] = {"warehouse", STR_NULL},
        [VALUE_NAMESPACE] = {"namespace", STR("main")},
        [VALUE_TOKEN] = {"token", STR("")},
        [VALUE_S3] = {"s3", STR_NULL},
        [VALUE_REGION] = {"region", STR_NULL},
        /* who may everything may it with any */
        [VALUE_ACCESS_KEY] = {"access_key", STR("any")},
        [VALUE_SECRET] = {"secret", STR("any")},
    };
    str expires = invocation_get(&c->in, "expires");
    str warehouse = invocation_get(&c->in, "warehouse");
    str prefix;
    const client *to = client_named(c->in.arguments.items[0]);
    str about = STR("");
    int64_t seconds = DEFAULT_LIFETIME_S;
    bool open = false;

    ASSERT(to != NULL); /* the argument's choices are the table's names */
    if (str_equal(expires, STR("never"))) {
        seconds = 0;
    } else if (!str_is_null(expires)) {
        TRY(lifetime_parse(expires, &seconds, err));
    }
    TRY(read_server(c, values, &open, err));
    if (!str_is_null(warehouse)) {
        TRY(check_warehouse(c, warehouse, &prefix, err));
        TRY(choose_namespace(c, prefix, &values[VALUE_NAMESPACE].text, err));
        values[VALUE_WAREHOUSE].text = warehouse;
    }
    if (!open) {
        TRY(make_keys(c, to, seconds, values, &about, err));
    } else if (c->dry_run) {
        message_note(c, "would show the configuration, without a key");
    }
    if (c->dry_run) {
        return STATUS_OK;
    }
    TRY(out_str(c, write_configuration(c->memory, to, values, about), err));
    if (open) {
        message_note(c, "Everybody is root on this server (auth.mode none): there is no key.");
    } else {
        message_note(c, "%.*s It is shown this once: keep it.", STR_ARG(about));
    }
    return STATUS_OK;
}

static const argument arguments[] = {
    {.name = "CLIENT", .help = "the program to connect", .choices = CLIENTS}};
static const option options[] = {
    {.name = "as",
     .value = "NAME",
     .help = "whose key it is; default: a writer's of the client's name"},
    {.name = "role",
     .value = "ROLE",
     .choices = "user|reader|writer|root",
     .help =
         "make a principal of this role for it, named by --as or as the client, where there is none; "
         "default: writer"},
    {.name = "expires",
     .value = "DURATION",
     .help = "the key ends after this time: 12h, 30d, never; default: 90d"},
    {.name = "warehouse", .value = "NAME", .help = "default: the server's first"},
};
static const example examples[] = {
    {"tarn connect pyiceberg >~/.pyiceberg.yaml", "tables in Python"},
    {"tarn connect spark --expires 30d >spark.conf", "spark-sql --properties-file spark.conf"},
    {"tarn connect trino --role reader", "a key that reads tables and changes none"},
};

const command command_connect = {
    .name = "connect",
    .summary = "print the configuration with which another program finds the tables",
    .details =
        "The program gets the running server's addresses, a key of its own, and short-lived keys for the files of "
        "each table from the catalog. The key is that of a principal of its own, named as the client and of the "
        "role writer: it works on tables and may nothing of the server; it ends after 90 days, or with tarn key "
        "drop. sail alone, which takes no keys from a catalog, gets an S3 key pair of the same time too, which "
        "opens the files of this warehouse and nothing else. stdout has the configuration alone; its first line says "
        "where it goes.",
    ARGUMENTS(arguments),
    OPTIONS(options),
    EXAMPLES(examples),
    .run = run};

/* The route table: every address of the HTTP door, the right it needs, and who answers. Docs, the OpenAPI document and
 * the access test are made from it.
 *
 * Where the table is named in the body or as "ns.table" the right is asked for here without it, so that nobody who
 * may not write makes the server take a body, and again with it by whoever knows it. */
#include "app.h"

#include "handlers.h"
#include "metrics.h"

#define NS "/api/v1/namespaces"
#define TABLE NS "/{ns}/tables/{table}"

/* clang-format off */
const route server__routes[] = {
    {{HTTP_GET,    "/livez"},                    ACTION_NONE,             live_get,         true,  "200 while the process runs"},
    {{HTTP_GET,    "/readyz"},                   ACTION_NONE,             ready_get,        true,  "200 when every door is open, 503 while stopping"},
    {{HTTP_GET,    "/metrics"},                  ACTION_METRICS_READ,     metrics_get,      false, "metrics in the Prometheus text format"},
    {{HTTP_GET,    "/api/v1/openapi.json"},      ACTION_STATUS_READ,      openapi_get,      false, "this table as an OpenAPI document"},
    {{HTTP_GET,    "/api/v1/status"},            ACTION_STATUS_READ,      status_get,       false, "version, uptime, sizes, workers"},
    {{HTTP_GET,    "/api/v1/config"},            ACTION_STATUS_READ,      config_get,       false, "every setting, its value and where it came from"},

    {{HTTP_POST,   "/api/v1/query"},             ACTION_QUERY_RUN,        query_post,       false, "run SQL"},
    {{HTTP_GET,    "/api/v1/queries"},           ACTION_QUERY_READ,       queries_get,      false, "running and past queries"},
    {{HTTP_GET,    "/api/v1/queries/{id}"},      ACTION_QUERY_READ,       query_get,        false, "one query"},
    {{HTTP_DELETE, "/api/v1/queries/{id}"},      ACTION_QUERY_CANCEL,     query_delete,     false, "cancel a query"},
    {{HTTP_GET,    "/api/v1/functions"},         ACTION_QUERY_RUN,        functions_get,    false, "functions that SQL may call"},

    {{HTTP_POST,   "/api/v1/sessions"},          ACTION_QUERY_RUN,        sessions_post,    false, "make a session, for transactions over several requests: {\"namespace\"}"},
    {{HTTP_GET,    "/api/v1/sessions"},          ACTION_QUERY_READ,       sessions_get,     false, "open sessions"},
    {{HTTP_DELETE, "/api/v1/sessions/{id}"},     ACTION_QUERY_RUN,        session_delete,   false, "end a session; what is open in it is rolled back"},

    {{HTTP_GET,    NS},                          ACTION_NAMESPACE_LIST,   namespaces_get,   false, "namespaces"},
    {{HTTP_POST,   NS},                          ACTION_NAMESPACE_CREATE, namespaces_post,  false, "make a namespace: {\"name\", \"properties\"}"},
    {{HTTP_GET,    NS "/{ns}"},                  ACTION_NAMESPACE_READ,   namespace_get,    false, "one namespace"},
    {{HTTP_DELETE, NS "/{ns}"},                  ACTION_NAMESPACE_DROP,   namespace_delete, false, "drop a namespace; ?cascade=true drops its tables too"},
    {{HTTP_PUT,    NS "/{ns}/protection"},       ACTION_NAMESPACE_DROP,   protection_put,   false, "keep a namespace from being dropped"},
    {{HTTP_DELETE, NS "/{ns}/protection"},       ACTION_NAMESPACE_DROP,   protection_delete, false, "let a namespace be dropped again"},
    {{HTTP_POST,   NS "/{ns}/register"},         ACTION_TABLE_CREATE,     table_register,   false, "name a table that others made: {\"name\", \"location\", \"rebase\": {old: new}}"},
    {{HTTP_GET,    NS "/{ns}/tables"},           ACTION_TABLE_LIST,       tables_get,       false, "tables of a namespace"},
    {{HTTP_GET,    TABLE},                       ACTION_TABLE_READ,       table_get,        false, "schema, partitioning, properties, statistics"},
    {{HTTP_DELETE, TABLE},                       ACTION_TABLE_DROP,       table_delete,     false, "drop a table; ?purge=true asks for its files to go at once"},
    {{HTTP_PUT,    TABLE "/protection"},         ACTION_TABLE_DROP,       protection_put,   false, "keep a table from being dropped"},
    {{HTTP_DELETE, TABLE "/protection"},         ACTION_TABLE_DROP,       protection_delete, false, "let a table be dropped again"},
    {{HTTP_POST,   TABLE "/rename"},             ACTION_TABLE_DROP,       table_rename,     false, "rename a table: {\"to\"}"},
    {{HTTP_GET,    TABLE "/snapshots"},          ACTION_TABLE_READ,       snapshots_get,    false, "snapshots, newest first"},
    {{HTTP_GET,    TABLE "/files"},              ACTION_TABLE_READ,       files_get,        false, "data files of the current snapshot"},
    {{HTTP_GET,    TABLE "/preview"},            ACTION_TABLE_READ,       preview_get,      false, "the first rows; ?limit="},

    {{HTTP_GET,    "/api/v1/warehouses"},        ACTION_NAMESPACE_LIST,   warehouses_get,   false, "warehouses, the first one first"},
    {{HTTP_POST,   "/api/v1/warehouses"},        ACTION_SERVER_ADMIN,     warehouses_post,  false, "make a warehouse: {\"name\", \"location\"}"},
    {{HTTP_DELETE, "/api/v1/warehouses/{name}"}, ACTION_SERVER_ADMIN,     warehouse_delete, false, "drop an empty warehouse; its bucket stays"},
    {{HTTP_GET,    "/api/v1/dropped"},           ACTION_TABLE_LIST,       dropped_get,      false, "dropped tables that can come back, newest first; ?namespace="},
    {{HTTP_POST,   "/api/v1/dropped/{uuid}/undrop"}, ACTION_TABLE_CREATE, dropped_undrop,   false, "bring a dropped table back: {\"as\"}"},
    {{HTTP_GET,    "/api/v1/events"},            ACTION_EVENTS_READ,      events_get,       false, "what happened in the catalog; ?after=, ?limit=, ?kind="},

    {{HTTP_POST,   "/api/v1/loads"},             ACTION_TABLE_WRITE,      loads_post,       false, "begin a load of files"},
    {{HTTP_PUT,    "/api/v1/loads/{id}/files/{number}"}, ACTION_TABLE_WRITE, load_file_put,   false, "send one file of a load; ?name=, or name an object: ?source=s3://…"},
    {{HTTP_POST,   "/api/v1/loads/{id}/commit"}, ACTION_TABLE_WRITE,      load_commit,      false, "load the files into a table, as one commit"},
    {{HTTP_DELETE, "/api/v1/loads/{id}"},        ACTION_TABLE_WRITE,      load_delete,      false, "forget a load"},
    {{HTTP_POST,   "/api/v1/tables/{name}/rows"}, ACTION_TABLE_WRITE,     rows_post,        false, "rows or a file into a table"},
    {{HTTP_POST,   "/api/v1/convert"},           ACTION_TABLE_WRITE,      convert_post,     false, "a file into another format; ?from=csv&to=parquet&columns=name:type,…"},
    {{HTTP_POST,   "/api/v1/backup"},            ACTION_SERVER_ADMIN,     backup_post,      false, "online copy of the data directory: {\"target\"}"},
    {{HTTP_POST,   "/api/v1/scrub"},             ACTION_SERVER_ADMIN,     scrub_post,       false, "verify every object now"},
    {{HTTP_GET,    "/api/v1/principals"},        ACTION_ACCESS_ADMIN,     principals_get,   false, "principals"},
    {{HTTP_POST,   "/api/v1/principals"},        ACTION_ACCESS_ADMIN,     principals_post,  false, "make a principal with a key: {\"name\", \"role\"}"},
    {{HTTP_GET,    "/api/v1/principals/{name}"}, ACTION_ACCESS_ADMIN,     principal_get,    false, "one principal"},
    {{HTTP_DELETE, "/api/v1/principals/{name}"}, ACTION_ACCESS_ADMIN,     principal_delete, false, "remove a principal and its keys; refused while it owns buckets"},
    {{HTTP_GET,    "/api/v1/principals/{name}/keys"}, ACTION_ACCESS_ADMIN, keys_get,        false, "its bearer keys, by their ids"},
    {{HTTP_POST,   "/api/v1/principals/{name}/keys"}, ACTION_ACCESS_ADMIN, keys_post,       false, "make a bearer key, told once: {\"expires_in_s\"}"},
    {{HTTP_DELETE, "/api/v1/keys/{key}"},        ACTION_ACCESS_ADMIN,     key_delete,       false, "drop a bearer key by its id"},
    {{HTTP_GET,    "/api/v1/principals/{name}/s3-keys"}, ACTION_ACCESS_ADMIN, s3_keys_get,    false, "its S3 key pairs, without the secrets"},
    {{HTTP_POST,   "/api/v1/principals/{name}/s3-keys"}, ACTION_ACCESS_ADMIN, s3_keys_post,   false, "make an S3 key pair, of one warehouse alone if asked; the secret is told once: {\"expires_in_s\", \"warehouse\"}"},
    {{HTTP_DELETE, "/api/v1/principals/{name}/s3-sessions"}, ACTION_ACCESS_ADMIN, s3_sessions_delete, false, "end all sessions made with its S3 keys"},
    {{HTTP_DELETE, "/api/v1/s3-keys/{key}"},     ACTION_ACCESS_ADMIN,     s3_key_delete,    false, "drop an S3 key pair, and its sessions"},

    {{HTTP_GET,    "/query"},                    ACTION_QUERY_RUN,        small_query_get,  false, "run a reading statement: ?sql="},
    {{HTTP_POST,   "/query"},                    ACTION_QUERY_RUN,        small_query_post, false, "run SQL: {\"sql\"}; an array of objects"},
    {{HTTP_POST,   "/ingest"},                   ACTION_TABLE_WRITE,      small_ingest_form, false, "a form with table, file, format, mode, partition"},
    {{HTTP_POST,   "/ingest/{name}"},            ACTION_TABLE_WRITE,      small_ingest_post, false, "a CSV or Parquet file or JSON rows into a table"},
    {{HTTP_GET,    "/schema/{name}"},            ACTION_QUERY_RUN,        small_schema_get, false, "columns of a table"},
    {{HTTP_DELETE, "/tables/{name}"},            ACTION_TABLE_DROP,       small_table_delete, false, "drop a table"},
};
/* clang-format on */

const size_t server__route_count = COUNT_OF(server__routes);

const route_info *server_routes(size_t *ret_count)
{
    static route_info infos[COUNT_OF(server__routes)];

    for (size_t i = 0; i < COUNT_OF(server__routes); i++) {
        const route *r = &server__routes[i];
        infos[i] = (route_info){
            .method = http_method_name(r->pattern.method),
            .pattern = r->pattern.pattern,
            .action = action_name(r->act),
            .summary = r->summary,
        };
    }
    *ret_count = COUNT_OF(server__routes);
    return infos;
}

/* The route table of the REST catalog: every operation of the specification, the right it needs, and who answers; and
 * those that are not served. getConfig's endpoints, docs and tests are made from it.
 *
 * The right is asked for what the path names before a body is taken; what a body names is asked for again by whoever
 * reads it. Rows stand in the specification's order. */
#include "handlers.h"
#include "tarn/server/server.h"

#define P "/v1/{prefix}"
#define SPACES P "/namespaces"
#define SPACE SPACES "/{namespace}"
#define TABLES SPACE "/tables"
#define TABLE TABLES "/{table}"
#define VIEWS SPACE "/views"
#define VIEW VIEWS "/{view}"
#define IDEMPOTENT REST_IDEMPOTENT

/* clang-format off */
const rest_route rest__routes[] = {
    {{HTTP_GET,    "/v1/config"},             "getConfig",             ACTION_NAMESPACE_LIST,   rest__config_get,         REST_ANYWHERE, "prefix of a warehouse (?warehouse=), endpoints, defaults"},
    {{HTTP_POST,   "/v1/oauth/tokens"},       "getToken",              ACTION_NONE,             rest__token_post,         REST_ANYWHERE, "a token for a key, for clients that want one"},
    {{HTTP_POST,   "/v1/aws/s3/sign"},        "signS3Request",         ACTION_STATUS_READ,      rest__old_sign_post,      REST_ANYWHERE, "signs a request to S3, for clients before 1.11"},

    {{HTTP_GET,    SPACES},                   "listNamespaces",        ACTION_NAMESPACE_LIST,   rest__namespaces_get,     0, "namespaces of one level: ?parent=, in pages"},
    {{HTTP_POST,   SPACES},                   "createNamespace",       ACTION_NAMESPACE_CREATE, rest__namespaces_post,    IDEMPOTENT, "make a namespace"},
    {{HTTP_GET,    SPACE},                    "loadNamespaceMetadata", ACTION_NAMESPACE_READ,   rest__namespace_get,      0, "its properties, and where its tables lie"},
    {{HTTP_HEAD,   SPACE},                    "namespaceExists",       ACTION_NAMESPACE_READ,   rest__namespace_head,     0, "whether it is there"},
    {{HTTP_DELETE, SPACE},                    "dropNamespace",         ACTION_NAMESPACE_DROP,   rest__namespace_delete,   IDEMPOTENT, "drop it; it has to be empty"},
    {{HTTP_POST,   SPACE "/properties"},      "updateProperties",      ACTION_NAMESPACE_CREATE, rest__properties_post,    IDEMPOTENT, "set and remove its properties"},

    {{HTTP_GET,    TABLES},                   "listTables",            ACTION_TABLE_LIST,       rest__tables_get,         0, "tables of a namespace, in pages"},
    {{HTTP_POST,   TABLES},                   "createTable",           ACTION_TABLE_CREATE,     rest__tables_post,        IDEMPOTENT, "make a table, or stage one"},
    {{HTTP_GET,    SPACE "/functions"},       "listFunctions",         ACTION_TABLE_LIST,       rest__functions_get,      0, "there are none"},
    {{HTTP_GET,    SPACE "/functions/{function}"}, "loadFunction",     ACTION_TABLE_LIST,       rest__function_get,       0, "there are none"},
    {{HTTP_POST,   SPACE "/register"},        "registerTable",         ACTION_TABLE_CREATE,     rest__register_post,      IDEMPOTENT, "name the table of a metadata file"},
    {{HTTP_GET,    TABLE},                    "loadTable",             ACTION_TABLE_READ,       rest__table_get,          0, "metadata, and credentials for its files"},
    {{HTTP_POST,   TABLE},                    "updateTable",           ACTION_TABLE_WRITE,      rest__table_post,         IDEMPOTENT, "commit updates under requirements"},
    {{HTTP_DELETE, TABLE},                    "dropTable",             ACTION_TABLE_DROP,       rest__table_delete,       IDEMPOTENT, "drop it; ?purgeRequested=true removes its files"},
    {{HTTP_HEAD,   TABLE},                    "tableExists",           ACTION_TABLE_READ,       rest__table_head,         0, "whether it is there"},
    {{HTTP_POST,   TABLE "/unregister"},      "unregisterTable",       ACTION_TABLE_DROP,       rest__unregister_post,    IDEMPOTENT, "let go of it; its files stay"},
    {{HTTP_GET,    TABLE "/credentials"},     "loadCredentials",       ACTION_TABLE_READ,       rest__credentials_get,    0, "fresh credentials for its files"},
    {{HTTP_POST,   TABLE "/sign"},            "signRequest",           ACTION_TABLE_READ,       rest__sign_post,          0, "sign a request to S3 for its files"},
    {{HTTP_POST,   P "/tables/rename"},       "renameTable",           ACTION_TABLE_DROP,       rest__rename_post,        IDEMPOTENT, "rename a table, also into another namespace"},
    {{HTTP_POST,   TABLE "/metrics"},         "reportMetrics",         ACTION_TABLE_READ,       rest__metrics_post,       0, "take a report of a scan or commit; it is counted, not kept"},
    {{HTTP_POST,   P "/transactions/commit"}, "commitTransaction",     ACTION_TABLE_WRITE,      rest__transaction_post,   IDEMPOTENT, "commit to several tables, all or none"},

    {{HTTP_GET,    VIEWS},                    "listViews",             ACTION_TABLE_LIST,       rest__views_get,          0, "views of a namespace, in pages"},
    {{HTTP_POST,   VIEWS},                    "createView",            ACTION_TABLE_CREATE,     rest__views_post,         IDEMPOTENT, "make a view"},
    {{HTTP_GET,    VIEW},                     "loadView",              ACTION_TABLE_READ,       rest__view_get,           0, "its metadata"},
    {{HTTP_POST,   VIEW},                     "replaceView",           ACTION_TABLE_ALTER,      rest__view_post,          IDEMPOTENT, "commit updates of a view"},
    {{HTTP_DELETE, VIEW},                     "dropView",              ACTION_TABLE_DROP,       rest__view_delete,        IDEMPOTENT, "drop it"},
    {{HTTP_HEAD,   VIEW},                     "viewExists",            ACTION_TABLE_READ,       rest__view_head,          0, "whether it is there"},
    {{HTTP_POST,   P "/views/rename"},        "renameView",            ACTION_TABLE_DROP,       rest__view_rename_post,   IDEMPOTENT, "rename a view"},
    {{HTTP_POST,   SPACE "/register-view"},   "registerView",          ACTION_TABLE_CREATE,     rest__view_register_post, IDEMPOTENT, "name the view of a metadata file"},
};

#define PLANNING "scans are planned by the client"
const rest_refusal rest__refusals[] = {
    {{HTTP_POST,   TABLE "/plan"},            "planTableScan",       PLANNING},
    {{HTTP_GET,    TABLE "/plan/{plan-id}"},  "fetchPlanningResult", PLANNING},
    {{HTTP_DELETE, TABLE "/plan/{plan-id}"},  "cancelPlanning",      PLANNING},
    {{HTTP_POST,   TABLE "/tasks"},           "fetchScanTasks",      PLANNING},
};
/* clang-format on */

const size_t rest__route_count = COUNT_OF(rest__routes);
const size_t rest__refusal_count = COUNT_OF(rest__refusals);

#define PREFIX "/v1/{prefix}"

/* With {prefix} where the specification has it, and without. */
static size_t add_address(arena *a, rest_address *addresses, size_t count, rest_address row)
{
    const char *below = row.pattern.pattern;

    row.pattern.pattern = arena_printf(a, REST_ROOT "%s", below);
    addresses[count++] = row;
    if (str_starts_with(str_c(below), STR(PREFIX))) {
        row.pattern.pattern = arena_printf(a, REST_ROOT "/v1%s", below + sizeof(PREFIX) - 1);
        addresses[count++] = row;
    }
    return count;
}

static rest_address *make_addresses(arena *a, size_t *ret_count)
{
    rest_address *all = ARENA_ARRAY(a, rest_address, 2 * (rest__route_count + rest__refusal_count));
    size_t count = 0;

    for (size_t i = 0; i < rest__route_count; i++) {
        const rest_address row = {.pattern = rest__routes[i].pattern, .route = &rest__routes[i]};
        count = add_address(a, all, count, row);
    }
    for (size_t i = 0; i < rest__refusal_count; i++) {
        const rest_address row = {.pattern = rest__refusals[i].pattern,
                                  .refusal = &rest__refusals[i]};
        count = add_address(a, all, count, row);
    }
    *ret_count = count;
    return all;
}

void server__route_rest(server *app)
{
    size_t count = 0;

    app->rest_addresses = make_addresses(app->memory, &count);
    app->rest_address_count = count;
    app->rest_router = http_router_create(app->rest_addresses, count, sizeof(rest_address));
}

status server__check_prefix(const server *app, str name, error *err)
{
    const size_t before = sizeof(REST_ROOT "/v1/") - 1;

    for (size_t i = 0; i < app->rest_address_count; i++) {
        str pattern = str_c(app->rest_addresses[i].pattern.pattern);
        str rest = str_slice(pattern, before, pattern.size);

        if (str_equal_nocase(str_cut(rest, '/', &rest), name)) {
            error_set(err, STATUS_INVALID,
                      "warehouse \"%.*s\" is called like a word of the REST catalog's addresses",
                      STR_ARG(name));
            error_hint(err, "Its clients could not reach it: choose another name.");
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

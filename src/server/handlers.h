/* handlers.h: the functions behind the route table, by folder. */
#ifndef TARN_SERVER_HANDLERS_H
#define TARN_SERVER_HANDLERS_H

#include "app.h"

/* ops/ */
status live_get(call *c, error *err);
status ready_get(call *c, error *err);
status status_get(call *c, error *err);
status config_get(call *c, error *err);
status openapi_get(call *c, error *err);
status principals_get(call *c, error *err);
status principals_post(call *c, error *err);
status principal_get(call *c, error *err);
status principal_delete(call *c, error *err);
status keys_post(call *c, error *err);
status keys_get(call *c, error *err);
status key_delete(call *c, error *err);
status s3_keys_post(call *c, error *err);
status s3_keys_get(call *c, error *err);
status s3_key_delete(call *c, error *err);
status s3_sessions_delete(call *c, error *err);
status backup_post(call *c, error *err);
status scrub_post(call *c, error *err);

/* sql/ */
status query_post(call *c, error *err);
status queries_get(call *c, error *err);
status query_get(call *c, error *err);
status query_delete(call *c, error *err);
status functions_get(call *c, error *err);
status sessions_post(call *c, error *err);
status sessions_get(call *c, error *err);
status session_delete(call *c, error *err);
status small_query_get(call *c, error *err);
status small_query_post(call *c, error *err);

/* api/ */
status namespaces_get(call *c, error *err);
status namespaces_post(call *c, error *err);
status namespace_get(call *c, error *err);
status namespace_delete(call *c, error *err);
status tables_get(call *c, error *err);
status table_get(call *c, error *err);
status table_delete(call *c, error *err);
status table_rename(call *c, error *err);
status table_register(call *c, error *err);
status snapshots_get(call *c, error *err);
status files_get(call *c, error *err);
status preview_get(call *c, error *err);
status small_schema_get(call *c, error *err);
status small_table_delete(call *c, error *err);

/* api/catalog.c */
status warehouses_get(call *c, error *err);
status warehouses_post(call *c, error *err);
status warehouse_delete(call *c, error *err);
status dropped_get(call *c, error *err);
status dropped_undrop(call *c, error *err);
status protection_put(call *c, error *err);
status protection_delete(call *c, error *err);
status events_get(call *c, error *err);

/* ingest/ */
status loads_post(call *c, error *err);
status load_file_put(call *c, error *err);
status load_commit(call *c, error *err);
status load_delete(call *c, error *err);
status rows_post(call *c, error *err);
status small_ingest_post(call *c, error *err);
status small_ingest_form(call *c, error *err);
status convert_post(call *c, error *err);

#endif

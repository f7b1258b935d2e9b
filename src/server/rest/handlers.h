/* handlers.h: the functions behind the route table of the REST catalog. */
#ifndef TARN_SERVER_REST_HANDLERS_H
#define TARN_SERVER_REST_HANDLERS_H

#include "rest.h"

/* config.c */
status rest__config_get(rest_call *c, error *err);

/* names.c: lists in pages */
status rest__namespaces_get(rest_call *c, error *err);
status rest__tables_get(rest_call *c, error *err);
status rest__views_get(rest_call *c, error *err);
status rest__functions_get(rest_call *c, error *err);
status rest__function_get(rest_call *c, error *err);

/* namespaces.c */
status rest__namespaces_post(rest_call *c, error *err);
status rest__namespace_get(rest_call *c, error *err);
status rest__namespace_head(rest_call *c, error *err);
status rest__namespace_delete(rest_call *c, error *err);
status rest__properties_post(rest_call *c, error *err);

/* tables.c */
status rest__tables_post(rest_call *c, error *err);
status rest__table_get(rest_call *c, error *err);
status rest__table_head(rest_call *c, error *err);
status rest__table_delete(rest_call *c, error *err);
status rest__unregister_post(rest_call *c, error *err);

/* commit.c */
status rest__table_post(rest_call *c, error *err);
status rest__transaction_post(rest_call *c, error *err);

/* views.c */
status rest__views_post(rest_call *c, error *err);
status rest__view_get(rest_call *c, error *err);
status rest__view_post(rest_call *c, error *err);
status rest__view_delete(rest_call *c, error *err);
status rest__view_head(rest_call *c, error *err);

/* register.c, rename.c: tables and views */
status rest__register_post(rest_call *c, error *err);
status rest__view_register_post(rest_call *c, error *err);
status rest__rename_post(rest_call *c, error *err);
status rest__view_rename_post(rest_call *c, error *err);

/* access.c */
status rest__credentials_get(rest_call *c, error *err);

/* sign.c */
status rest__sign_post(rest_call *c, error *err);
/* The old route of the separate S3 signer: no table in its path, it asks for its rights itself. */
status rest__old_sign_post(rest_call *c, error *err);

/* token.c: answers its own errors, which OAuth words. Anybody may call it. */
status rest__token_post(rest_call *c, error *err);

/* reports.c */
status rest__metrics_post(rest_call *c, error *err);

#endif

/* answer.h: answers of the API: JSON documents, errors, parameters. */
#ifndef TARN_SERVER_ANSWER_H
#define TARN_SERVER_ANSWER_H

#include "app.h"
#include "tarn/codec/json.h"

/* A JSON answer is written into `w` between the two. */
json_writer answer_begin(call *c);
status answer_send(call *c, int status_code, json_writer *w, error *err);
void answer_empty(call *c); /* 204 */

/* The error object of interface.md, with the status of the table. */
void answer_error(http_exchange *x, const error *err);
/* The same object into a stream's tail or elsewhere. */
void error_format_json(const error *err, str request_id, json_writer *w);

/* The request's body as a JSON object. SYNTAX (with position), TOO_LARGE; INVALID for another kind. */
status request_json(call *c, const json **ret_object, error *err);
/* Numbers and flags of the query string; INVALID naming the parameter. The fallback where it is absent. */
status param_int(const call *c, const char *name, int64_t fallback, int64_t *ret_value, error *err);
status param_bool(const call *c, const char *name, bool fallback, bool *ret_value, error *err);

/* Ids and times as the API writes them. */
void member_id(json_writer *w, const char *key, int64_t id); /* string; null for "none" (-1) */
void member_time_us(json_writer *w, const char *key,
                    int64_t time_us); /* 2026-11-21T11:30:00.123Z */

/* The path's {ns} and {table} as names, resolved to an existing table. */
status path_table(call *c, table_name *ret_name, error *err);
bool call_is_cancelled(void *call);
/* The server is at its end, and waits no longer for what still runs. */
bool server__gives_up(const server *app);
#endif

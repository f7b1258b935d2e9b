/* connect.h: which server a command talks to, and talking to it.
 *
 * --server or TARN_SERVER; else the running server of the data directory; else a private one, which
 * is started, or joined where another command has started it. A private server ends when its last
 * client is gone, so a command keeps its connection open while it runs. */
#ifndef TARN_CLI_CONNECT_H
#define TARN_CLI_CONNECT_H

#include "context.h"
#include "tarn/codec/json.h"
#include "tarn/net/http_client.h"

struct connection {
    http_client *client;
    str address; /* "http://127.0.0.1:8181", "unix:/path" */
    bool private;
    int64_t used_ms; /* clock_mono_ms of the last answer */
};

/* Opens it on first need; looks after it where it may have gone meanwhile. */
status connection_open(cli *c, error *err);
void connection_close(cli *c);
/* Opens it only where a server answers already. */
bool connection_exists(cli *c);

/* One request. An HTTP error status becomes the error it tells of. `call` without timeouts. */
status api_send(cli *c, const http_call *call, http_answer *ret_answer, error *err);
/* JSON in (may be empty), JSON out (NULL for an answer without a body). `target` is encoded. */
status api_json(cli *c, http_method method, const char *target, str body, const json **ret_answer,
                error *err);
/* A member of a body; one whose value is STR_NULL is left out. */
typedef struct api_text {
    const char *name;
    str value;
} api_text;
/* A JSON object of texts, for api_json. */
str api_body(cli *c, const api_text *members, size_t count);
/* A path with its segments encoded: api_path(a, "/api/v1/namespaces/%/tables/%", ns, table). */
char *api_path(arena *a, const char *pattern, const str *segments, size_t count);

/* The error that an answer's body tells of. */
status api_error(const http_answer *answer, arena *a, error *err);

/* ---- private.c ---- */
/* The address of the private server's socket of this data directory, usable in this process. */
status private_socket(cli *c, str *ret_path, error *err);
/* Starts a private server and waits until its socket answers. BUSY: somebody else holds the data
 * directory; any other failure is the server's own reason. */
status private_start(cli *c, const char *socket_path, error *err);
/* There is a socket; whether anybody is behind it is another matter. */
bool private_exists(const char *socket_path);
/* For the server's side: tells its parent why it could not start. */
void private_report(int fd, const error *err);

#endif

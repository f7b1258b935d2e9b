/* server.h: the server: opens everything, serves until told to stop, closes everything. */
#ifndef TARN_SERVER_SERVER_H
#define TARN_SERVER_SERVER_H

#include "tarn/base/buf.h"
#include "tarn/settings/settings.h"

typedef struct server_options {
    const settings *settings;
    const char *
        private_socket; /* path: serve on this unix socket alone and end with the last client; NULL: serve
                                   on the doors that the settings name */
} server_options;

/* Runs in the foreground until SIGTERM or SIGINT (or, private, until its last client is gone). Writes "READY" with the
 * addresses to stderr, <data>/run/server.json, and tells sd_notify, when every door is open.
 * BUSY: the data directory is in use; UNAVAILABLE: a port is in use; the cure is in the hint. */
status server_run(const server_options *options, error *err);

/* Work on a data directory without a server: refused with BUSY while one runs. */
typedef struct recover_result {
    int64_t objects, tables;
} recover_result;
/* Rebuilds tarn.db from the blobs alone. An existing tarn.db is refused (EXISTS) unless `overwrite`; then it is kept
 * aside as tarn.db.<time>. */
status maintenance_recover(const settings *config, bool overwrite, recover_result *ret_result,
                           error *err);
/* Puts a backup back into an empty data directory. EXISTS where it is not empty. */
status maintenance_restore(const settings *config, const char *source, int64_t *ret_objects,
                           error *err);

/* The route table as rows of text, for docs and tests. */
typedef struct route_info {
    const char *method, *pattern, *action, *summary;
} route_info;
const route_info *server_routes(size_t *ret_count);
/* The metrics as a Markdown table. */
void server_format_metrics(buf *out);
/* Every operation of the S3 API and its state, as a Markdown page. */
void server_format_s3(buf *out);
/* The same of the Iceberg REST catalog. */
void server_format_catalog(buf *out);

#endif

/* s3.h: what the s3 commands share: the door they talk to, requests, lists, and moving bytes.
 *
 * Requests are signed with a key pair and sent to the S3 door of the data directory's server, or to any other one that
 * is named. Objects move in blocks of S3_BLOCK_BYTES that are read before they are sent, so that each carries a
 * checksum which the server verifies, and several are on their way at once. */
#ifndef TARN_CLI_S3_H
#define TARN_CLI_S3_H

#include "context.h"
#include "progress.h"
#include "tarn/codec/xml.h"
#include "tarn/net/http_client.h"
#include "tarn/net/signature.h"

#define S3_BLOCK_BYTES ((int64_t)8 * 1024 * 1024)
#define S3_PARTS_MAX 10000
enum { S3_STREAMS = 4 }; /* requests at once */

typedef struct s3_client s3_client;

/* Finds door and keys. USAGE where there is no door, UNAUTHORIZED where there are no keys. Lives in c->lifetime. */
status s3cli_connect(cli *c, s3_client **ret_client, error *err);
/* The door's URL as others reach it: for signed URLs. */
str s3cli_base_url(const s3_client *s);
const signing_key *s3cli_key(const s3_client *s);
cli *s3cli_cli(const s3_client *s);

/* One request. `target` is encoded; `headers` beyond those of the signature. An HTTP error status becomes the error it
 * tells of. Any thread; the answer lives in `a`. */
typedef struct s3_request {
    http_method method;
    const char *target;
    const http_header *headers;
    size_t header_count;
    str body;
    status (*write)(void *context, const void *bytes, size_t size_bytes, error *err);
    void *write_context;
} s3_request;
status s3cli_send(s3_client *s, const s3_request *request, arena *a, http_answer *ret_answer,
                  error *err);
/* Its XML answer. */
status s3cli_send_xml(s3_client *s, const s3_request *request, arena *a,
                      const xml_element **ret_root, error *err);

/* ---- names (s3_path.c) ---- */

typedef struct s3_uri {
    bool remote; /* s3://bucket/key; else a path, or "-" */
    str bucket, key;
    str path;
    str text; /* as typed */
} s3_uri;
/* USAGE for "s3://" without a bucket. */
status s3cli_uri_parse(str text, s3_uri *ret_uri, error *err);
/* USAGE where it is no s3:// name. */
status s3cli_uri_remote(str text, s3_uri *ret_uri, error *err);
/* "/bucket/key?query", encoded; `query` may be NULL. */
char *s3cli_target(arena *a, str bucket, str key, const char *query);
/* Whether --exclude and --include, in their order, leave this name in. */
bool s3cli_selected(const cli *c, str name);
/* "1.5 MiB" */
str s3cli_human_size(arena *a, int64_t bytes);

/* One thing of a listing: an object, a common prefix, or a file. */
typedef struct s3_entry {
    str name;    /* key; of files the path below the folder, with slashes */
    str version; /* STR_NULL: not asked for */
    bool is_prefix;
    int64_t size_bytes;
    int64_t modified_us;
} s3_entry;
typedef status (*s3_each)(void *context, const s3_entry *entry, error *err);
/* Every object, page by page. `delimiter`: prefixes up to the next slash instead. */
status s3cli_list(s3_client *s, str bucket, str prefix, bool delimiter, s3_each each, void *context,
                  error *err);
/* Every version and delete marker. */
status s3cli_list_versions(s3_client *s, str bucket, str prefix, s3_each each, void *context,
                           error *err);
/* Every regular file below `folder`, by name. Links to folders are not followed. */
status s3cli_list_files(arena *a, str folder, s3_each each, void *context, error *err);

/* ---- bytes (s3_transfer.c) ---- */

/* Uploads what `fd` gives; `size_bytes` -1 where it is a pipe. */
status s3cli_upload(s3_client *s, int fd, int64_t size_bytes, str bucket, str key, str content_type,
                    progress *p, error *err);
/* Downloads to a file, which stands there whole and verified or not at all. */
status s3cli_download(s3_client *s, str bucket, str key, const char *path, progress *p, error *err);
/* Downloads to stdout. */
status s3cli_print(s3_client *s, str bucket, str key, error *err);
/* Within the server. */
status s3cli_copy(s3_client *s, const s3_uri *from, str to_bucket, str to_key, int64_t size_bytes,
                  error *err);
/* By DeleteObjects, at most 1000 at once. */
status s3cli_delete(s3_client *s, str bucket, const s3_entry *entries, size_t count, error *err);

#endif

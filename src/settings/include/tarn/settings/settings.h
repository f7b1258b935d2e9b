/* settings.h: every setting of tarn: one table, one precedence, one place that tells where a value
 * came from.
 *
 * Precedence: default < settings file < environment < flag. The setting "a.b_c" has the
 * environment variable TARN_A_B_C and, in the YAML file, the member b_c of a. Lists are
 * separated by ":" in the environment. */
#ifndef TARN_SETTINGS_SETTINGS_H
#define TARN_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/arena.h"
#include "tarn/base/error.h"
#include "tarn/base/str.h"

/*    id, name, kind, default, choices, meaning */
/* clang-format off */
#define SETTING_TABLE(X) \
    X(HTTP_LISTEN, "http.listen", ADDRESS, "127.0.0.1:8181", NULL, \
      "address of the API, the catalog and the console; none turns it off") \
    X(HTTP_HOSTS, "http.hosts", LIST, "", NULL, \
      "more host names that requests may name (loopback names always may)") \
    X(HTTP_BODY_MAX, "http.body_max", SIZE, "64GiB", NULL, \
      "largest body of an upload") \
    X(HTTP_BODY_RATE, "http.body_rate", SIZE, "4KiB", NULL, \
      "an upload that comes slower, in bytes a second, ends with 408 where other requests wait, an answer that is read " \
      "slower is cut; while clients keep more than half of the threads waiting and requests wait, it doubles every 2.5 s; " \
      "0: never") \
    X(HTTP_ADDRESS_CONNECTIONS, "http.address_connections", INT, "0", NULL, \
      "most connections of one client's address, or IPv6 network (/64); further ones get 503; 0: three quarters of all that " \
      "the server takes (10000, or half the open files allowed)") \
    X(S3_LISTEN, "s3.listen", ADDRESS, "127.0.0.1:9000", NULL, \
      "address of the S3 door; none turns it off") \
    X(S3_DOMAIN, "s3.domain", LIST, "localhost", NULL, \
      "host names under which a bucket may stand in front: bucket.localhost; else it stands in the path") \
    X(S3_REGION, "s3.region", TEXT, "us-east-1", NULL, \
      "region that new buckets are said to lie in; signatures of any region are taken") \
    X(S3_ENDPOINT, "s3.endpoint", TEXT, "", NULL, \
      "where clients of the catalog reach the S3 door, as https://s3.example.org; empty: the address it listens at") \
    X(S3_LIFECYCLE_DAY, "s3.lifecycle_day", DURATION, "1d", NULL, \
      "how long a day of lifecycle rules is; shorter for tests of them") \
    X(AUTH_MODE, "auth.mode", CHOICE, "keys", "keys|none", \
      "keys: every request needs a key; none: everybody is root, on loopback only") \
    X(DURABILITY, "durability", CHOICE, "full", "full|unsafe", \
      "full: acknowledged means synced; unsafe: no syncs") \
    X(WAREHOUSE_NAME, "warehouse.name", TEXT, "tarn", NULL, \
      "name of the warehouse") \
    X(WAREHOUSE_LOCATION, "warehouse.location", TEXT, "s3://warehouse", NULL, \
      "where new tables lie; file:///path below one of the roots for a plain folder") \
    X(WAREHOUSE_ROOTS, "warehouse.roots", LIST, "", NULL, \
      "folders that file: tables may lie in; never inside the data directory") \
    X(ENGINE_SANDBOX, "engine.sandbox", CHOICE, "on", "on|unsafe", \
      "on: SQL runs locked in; unsafe: without Landlock") \
    X(ENGINE_WORKERS, "engine.workers", INT, "4", NULL, \
      "most worker processes at once") \
    X(ENGINE_THREADS, "engine.threads", INT, "0", NULL, \
      "threads of one worker; 0: one per core") \
    X(ENGINE_MEMORY, "engine.memory", SIZE, "0", NULL, \
      "memory of all workers together; 0: 60 % of the machine's") \
    X(ENGINE_TEMP, "engine.temp", SIZE, "64GiB", NULL, \
      "spill space of one worker") \
    X(ENGINE_SEALED, "engine.sealed_bytes", SIZE, "256MiB", NULL, \
      "encrypted objects that one query may read: they are decrypted into memory, beside engine.memory") \
    X(ENGINE_SPARE, "engine.spare", INT, "1", NULL, \
      "workers kept warm") \
    X(ENGINE_IDLE, "engine.idle", DURATION, "60s", NULL, \
      "an idle worker ends after this") \
    X(ENGINE_LIBRARY, "engine.duckdb_library", TEXT, "", NULL, \
      "path of libduckdb.so; empty: beside the program") \
    X(ENGINE_VERIFY_FILES, "engine.verify_files", CHOICE, "scrub", "scrub|once", \
      "scrub: data files are verified in the background; once: also before their first use") \
    X(ENGINE_PRUNING, "engine.pruning", BOOL, "true", NULL, \
      "false reads every file of a table") \
    X(ENGINE_MATCH_ROWS, "engine.match_rows", INT, "100000000", NULL, \
      "what equality deletes take from so many rows is looked up once and kept; more are joined each time; 0: all") \
    X(QUERY_TIMEOUT, "query.timeout", DURATION, "1h", NULL, \
      "a query ends after this") \
    X(SESSION_IDLE, "session.idle", DURATION, "10m", NULL, \
      "a session that is idle for so long is rolled back and gone") \
    X(QUERY_ROWS_MAX, "query.rows_max", INT, "0", NULL, \
      "rows of one answer; 0: no limit") \
    X(CATALOG_LOCATIONS, "catalog.locations", CHOICE, "refuse", "refuse|own", \
      "a new table's location that a client asks for and may not have; own: another takes its place") \
    X(CATALOG_RETENTION, "catalog.retention", DURATION, "7d", NULL, \
      "dropped tables can come back for so long; 0s: their files go at once") \
    X(CATALOG_PURGE, "catalog.purge", CHOICE, "now", "now|retained", \
      "a purge request (DROP TABLE … PURGE, purgeRequested) removes files at once, or is a drop like others") \
    X(CATALOG_EVENTS_KEPT, "catalog.events_kept", DURATION, "30d", NULL, \
      "events of the catalog are removed after this; 0s: never") \
    X(CATALOG_WEBHOOKS, "catalog.webhooks", TEXT, "", NULL, \
      "URLs that events are sent to as CloudEvents, separated by commas") \
    X(CATALOG_WEBHOOK_SECRET, "catalog.webhook_secret", TEXT, "", NULL, \
      "webhooks are signed with it: X-Tarn-Signature is the body's HMAC-SHA256; never shown") \
    X(CATALOG_HOT, "catalog.hot", SIZE, "64MiB", NULL, \
      "tables that REST clients load, kept in memory; 0: none") \
    X(CATALOG_CREDENTIALS_LIFETIME, "catalog.credentials_lifetime", DURATION, "1h", NULL, \
      "how long credentials that come with a table are good, 12h at most; 0s: none come") \
    X(CATALOG_IDEMPOTENCY_LIFETIME, "catalog.idempotency_lifetime", DURATION, "30m", NULL, \
      "how long answers are kept for clients that ask again with the same Idempotency-Key; 0s: they are not") \
    X(STORE_HOT, "store.hot", SIZE, "64MiB", NULL, \
      "small objects that S3 clients read, kept in memory; 0: none") \
    X(STORE_SCRUB_RATE, "store.scrub_rate", SIZE, "20MiB", NULL, \
      "bytes a second that the scrubber verifies; 0 turns it off") \
    X(STORE_ORPHAN_AGE, "store.orphan_age", DURATION, "24h", NULL, \
      "files that a killed commit left in a file: table are removed when they are older; 0s: never") \
    X(LOG_LEVEL, "log.level", CHOICE, "info", "debug|info|warn|error|off", \
      "debug, info, warn, error, off") \
    X(LOG_FORMAT, "log.format", CHOICE, "text", "text|json", \
      "text or json")
/* clang-format on */

typedef enum setting {
#define X(id, ...) SETTING_##id,
    SETTING_TABLE(X)
#undef X
        SETTING_COUNT
} setting;

typedef enum setting_kind {
    SETTING_TEXT,
    SETTING_ADDRESS,
    SETTING_LIST,
    SETTING_INT,
    SETTING_SIZE,     /* bytes: 512, 64KiB, 2GB */
    SETTING_DURATION, /* 500ms, 10s, 5m, 1h, 2d */
    SETTING_BOOL,
    SETTING_CHOICE,
} setting_kind;

typedef enum setting_origin {
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_ENVIRONMENT,
    ORIGIN_FLAG
} setting_origin;

typedef struct setting_value {
    str text;       /* as given */
    int64_t number; /* INT, SIZE (bytes), DURATION (ms), BOOL (0/1) */
    const str *list;
    size_t list_count;
    setting_origin origin;
    str origin_detail; /* path of the file and line, or name of the variable or flag */
} setting_value;

typedef struct settings {
    setting_value values[SETTING_COUNT];
    str data_path; /* absolute */
    setting_origin data_origin;
    arena *memory;
} settings;

typedef struct setting_flag {
    str name; /* "http.listen" */
    str value;
} setting_flag;

typedef struct settings_options {
    const char *data_path; /* --data, or NULL */
    const char *
        /* --config, or NULL: TARN_CONFIG, <data>/tarn.yaml, $XDG_CONFIG_HOME/tarn/tarn.yaml */
        config_path;
    const setting_flag *flags;
    size_t flag_count;
} settings_options;

/* INVALID naming the setting, where it was set, what is wrong with the value and what would be
 * right; unknown names in the file are refused with the nearest name. */
status settings_load(const settings_options *options, settings **ret_settings, error *err);
void settings_free(settings *s);
str setting_text(const settings *s, setting id);
int64_t setting_number(const settings *s, setting id);

typedef struct setting_info {
    const char *name, *fallback, *meaning;
    setting_kind kind;
    const char *choices; /* "keys|none", or NULL */
} setting_info;
const setting_info *setting_describe(setting id);
/* The value as it may be shown: of secrets, that there is one; of webhooks, scheme and host. */
str setting_shown(setting id, const setting_value *value, arena *a);
/* 64 hex digits that are the same for the same values, whatever they came from. Where a server listens and what it logs
 * has no part in it: a server on a private socket does its work without. */
str settings_fingerprint(const settings *s, arena *a);
/* "default", "file <path>", "environment TARN_…", "flag --…" */
void setting_origin_format(const setting_value *value, char ret_text[256]);

#endif

/* limits.h: every maximum of what input may make tarn hold in memory, in bytes unless said. */
#ifndef TARN_BASE_LIMITS_H
#define TARN_BASE_LIMITS_H

#include <stddef.h>

#define LIMIT_KIB ((size_t)1024)
#define LIMIT_MIB (LIMIT_KIB * LIMIT_KIB)

#define LIMIT_HTTP_HEAD (64 * LIMIT_KIB)       /* request line and headers */
#define LIMIT_HTTP_HEADERS 100                 /* count */
#define LIMIT_HTTP_TARGET (16 * LIMIT_KIB)     /* request target */
#define LIMIT_JSON_BODY (64 * LIMIT_MIB)       /* a JSON document of the control plane */
#define LIMIT_JSON_DEPTH 2000                  /* nesting */
#define LIMIT_JSON_VALUES 8000000              /* count, of one document */
#define LIMIT_JSON_BODY_VALUES 1000000         /* count, of a request's */
#define LIMIT_SQL_TEXT (16 * LIMIT_MIB)        /* one script */
#define LIMIT_METADATA_FILE (512 * LIMIT_MIB)  /* table metadata, uncompressed */
#define LIMIT_MANIFEST_FILE (1024 * LIMIT_MIB) /* manifest or manifest list */
#define LIMIT_PARQUET_FOOTER (256 * LIMIT_MIB)
#define LIMIT_WORKER_MESSAGE (256 * LIMIT_MIB)  /* one control message between server and worker */
#define LIMIT_RESULT_IN_MEMORY (64 * LIMIT_MIB) /* a result that must be held whole */
#define LIMIT_SETTINGS_FILE (1 * LIMIT_MIB)

#endif

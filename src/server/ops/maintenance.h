/* maintenance.h: backup of a running server. Recovery and restore, which need it stopped, are in server.h. */
#ifndef TARN_SERVER_MAINTENANCE_H
#define TARN_SERVER_MAINTENANCE_H

#include "app.h"

/* Copies database, blobs and secrets into `target`, an absolute path that does not exist or is empty. The
 * database first: every row in it then has its blob. INVALID, EXISTS, IO. */
status maintenance_backup(server *app, str target, int64_t *ret_objects, error *err);

#endif

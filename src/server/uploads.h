/* uploads.h: loads on their way: files that a client streams in before it says what to do with them.
 *
 * An upload belongs to the principal who began it. Files are numbered from 0 and lie in staging; they go when the
 * upload is ended, or after an hour without a sign of life. */
#ifndef TARN_SERVER_UPLOADS_H
#define TARN_SERVER_UPLOADS_H

#include "app.h"

upload_table *uploads_create(storage *st);
void uploads_free(upload_table *u); /* NULL is fine */

/* A new upload's id (uuid) in `a`. BUSY beyond 1 000 at once. */
status uploads_begin(upload_table *u, const principal *who, arena *a, str *ret_id, error *err);
/* Path for file `number`, to be written by the caller; then uploads_file_done, with size -1 where it broke off (then it
 * may be sent again). NOT_FOUND for another's upload. EXISTS for a file that is there or on its way. */
status uploads_file(upload_table *u, const principal *who, str id, int64_t number, arena *a,
                    char **ret_path, error *err);
status uploads_file_done(upload_table *u, const principal *who, str id, int64_t number, str name,
                         int64_t size_bytes, error *err);
/* The files in order, for a load; the upload is no longer reachable, its files stay until `a` ends. INVALID: a number
 * is missing. */
status uploads_take(upload_table *u, const principal *who, str id, arena *a,
                    load_input **ret_inputs, size_t *ret_count, error *err);
status uploads_end(upload_table *u, const principal *who, str id, error *err);

#endif

/* delete_sets.h: what is deleted from the files that a query reads, held while it runs, and the functions that ask it.
 *
 * A set is loaded for each scanned table by the message DELETES (protocol.h), and lives until the session's reset or
 * FORGET. The functions' first argument is `number`: the set's handle times 2^32, plus the place of a scan's
 * first file in the set. */
#ifndef TARN_ENGINE_WORKER_DELETE_SETS_H
#define TARN_ENGINE_WORKER_DELETE_SETS_H

#include "protocol.h"
#include "worker/session.h"

/* Reads vectors and position delete files. CORRUPT naming the file. */
status delete_sets_load(session *s, wire_reader *r, bool *ret_is_fatal, error *err);
/* While no query runs that asks it. */
void delete_sets_forget(uint32_t handle);
void delete_sets_forget_all(void);

/*   tarn_alive(number, file_index, file_row_number)   the row is not deleted
 *   tarn_sequence(number, file_index)                 data sequence number of the file
 *   tarn_partition(number, file_index)                equal for files of one partition */
status delete_sets_add_functions(duck_connection *connection, error *err);

#endif

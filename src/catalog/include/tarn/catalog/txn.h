/* txn.h: transactions over several statements and tables.
 *
 * A transaction has a view of the catalog of its own: namespaces and tables as they were when it began, with its own
 * changes on top. catalog_in gives a catalog of that view; whoever works with it reads what the transaction wrote and
 * what nobody else sees. COMMIT makes all of it visible in one transaction of the database, or nothing.
 *
 * Invariants
 *   1. All tables are read as of the moment the transaction began, whenever they are first touched.
 *   2. What a statement stages belongs to the transaction from then on: it is published with it, or removed.
 *   3. Of each changed table one new metadata file becomes visible, with a snapshot for each statement that changed
 *      rows.
 *   4. A table that somebody else has changed since: what the transaction did to it is made again on the new base where
 *      the rules of tarn/iceberg/overwrite.h allow (appends always); else COMMIT fails with CONFLICT, naming the table
 *      and the operation. ALTER TABLE is not made again, nor is a change of a view.
 *   5. Reads are checked too where the transaction, or the table (tarn.transaction.isolation-level), is serializable: a
 *      transaction that changes something fails where such a table that it read was changed since.
 *
 * One thread at a time. A transaction that is neither committed nor rolled back leaves nothing after a crash that a
 * start does not remove. */
#ifndef TARN_CATALOG_TXN_H
#define TARN_CATALOG_TXN_H

#include "tarn/catalog/catalog.h"

typedef struct catalog_txn catalog_txn;

status catalog_txn_begin(catalog *c, bool serializable, catalog_txn **ret_txn, error *err);
/* The catalog as the transaction sees it: for resolving, loading, listing, creating, dropping and renaming tables,
 * views and namespaces, appends, overwrites and committers. Lives as long as the transaction. */
catalog *catalog_in(catalog_txn *txn);
/* The statement that comes next, for messages: "UPDATE". */
void catalog_txn_operation(catalog_txn *txn, const char *name);
/* The table's rows are read. Nothing outside of a transaction. */
void catalog_note_read(catalog *c, table_name name);
bool catalog_txn_has_changes(const catalog_txn *txn);
/* Ends the transaction and frees it, whatever comes of it. CONFLICT: nothing was changed. */
status catalog_txn_commit(catalog_txn *txn, error *err);
void catalog_txn_rollback(catalog_txn *txn); /* NULL is fine */

#endif

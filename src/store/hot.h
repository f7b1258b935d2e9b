/* hot.h: objects in memory (hot.c), for the files that change rows. */
#ifndef TARN_STORE_HOT_H
#define TARN_STORE_HOT_H

#include "objects.h"

hot_objects *store__hot_create(int64_t bytes_max);
void store__hot_free(hot_objects *hot);
/* Inside the transaction, before the row of that key's current version changes. */
void store__hot_changes(storage *st, state_txn *txn, str bucket, str key);

#endif

/* answers.h: answers that are kept so that who asks again gets the same one, and nothing is done twice.
 *
 * A row is written in the transaction of the change that it answers (catalog_caller.effect): there is no change without
 * its answer. Nothing secret is in one. Keys are a client's, so each principal has its own.
 *
 * Thread-safe. */
#ifndef TARN_CATALOG_ANSWERS_H
#define TARN_CATALOG_ANSWERS_H

#include "tarn/catalog/catalog.h"

typedef struct catalog_answer {
    str principal, key;
    str digest; /* of the request */
    int status; /* of HTTP */
    str kind;   /* what to make the answer from; the door's */
    str body;
} catalog_answer;

/* In a transaction; the last one of a key stays. */
status catalog_put_answer(state_txn *txn, const catalog_answer *answer, error *err);
/* In one of its own. */
status catalog_keep_answer(catalog *c, const catalog_answer *answer, error *err);
/* Texts live in `a`. */
status catalog_find_answer(catalog *c, str principal, str key, arena *a, bool *ret_found,
                           catalog_answer *ret_answer, error *err);
/* Removes answers that are older, some in each transaction. The catalog does so itself from time to time
 * (catalog_options.answers_kept_ms). */
status catalog_forget_answers(catalog *c, int64_t before_us, error *err);

#endif

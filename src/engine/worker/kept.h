/* kept.h: views that stay between queries.
 *
 * Queries often come again over the same files: the text that makes their views is then the same to the byte. Where the
 * server allows it (may_keep in tarn/engine/worker.h), from its second time on they stay, in a catalog and on a
 * connection of their own, and the statement alone is run. Statements over them stay prepared, since DuckDB binds and
 * plans a statement over files again each time that it runs: to prepare it anew would do that twice. Who may read what
 * was decided before by the server, which made the text anew. */
#ifndef TARN_ENGINE_KEPT_H
#define TARN_ENGINE_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tarn/base/str.h"
#include "worker/duck.h"

#define KEPT_CATALOG "#kept" /* names of their catalogs begin so */
#define KEPT_SETS_MAX 8
#define KEPT_TEXT_MAX ((size_t)64 * 1024)
#define KEPT_SEEN_MAX 64
#define KEPT_STATEMENTS_MAX 8
#define KEPT_STATEMENT_TEXT_MAX ((size_t)16 * 1024)

struct session;

typedef struct kept_statement {
    char *text; /* NULL: free */
    size_t size;
    duck_prepared *prepared;
    uint64_t used_at;
} kept_statement;

typedef struct kept_set {
    char *text; /* NULL: free */
    size_t size;
    duck_connection *connection;
    uint64_t number;  /* of its catalog */
    uint64_t used_at; /* number of the use */
    kept_statement statements[KEPT_STATEMENTS_MAX];
} kept_set;

typedef struct kept_views {
    kept_set sets[KEPT_SETS_MAX];
    uint64_t seen[KEPT_SEEN_MAX]; /* hashes of texts that came once, the oldest overwritten */
    size_t seen_at;
    uint64_t uses, made;
    kept_set *current;        /* in use; NULL: none */
    duck_connection *outside; /* the session's own connection meanwhile */
} kept_views;

/* Where the views of this text are kept, or are to be from now on: statements run among them until kept_end. The text
 * begins a transaction. */
bool kept_begin(struct session *s, str text);
void kept_end(struct session *s);

/* A statement that stayed prepared among the views in use; NULL: none. It is not the caller's. */
duck_prepared *kept_find_statement(struct session *s, str sql);
/* Whether it stays, and so is not the caller's any more. */
bool kept_add_statement(struct session *s, str sql, duck_prepared *statement);

#endif

/* idempotent.h: what a server has for requests with an Idempotency-Key: those at work. */
#ifndef TARN_SERVER_REST_IDEMPOTENT_H
#define TARN_SERVER_REST_IDEMPOTENT_H

typedef struct idempotency idempotency;
idempotency *idempotency_create(void);
void idempotency_free(idempotency *all); /* NULL is fine; no request is at work */

#endif

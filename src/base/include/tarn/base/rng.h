/* rng.h: randomness behind an interface: the system's for ids and keys, a seeded one for tests and
 * generated data. */
#ifndef TARN_BASE_RNG_H
#define TARN_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "tarn/base/error.h"

/* Random bytes from the kernel: keys, tokens, uuids. Ends the program where the kernel refuses. */
void random_bytes(void *ret_bytes, size_t size_bytes);
uint64_t random_u64(void);
/* A version 4 uuid, 36 characters and NUL. */
void random_uuid(char ret_text[37]);
/* Replaces the source; NULL puts the kernel's back. For tests. */
void random_install(void (*fill)(void *context, void *ret_bytes, size_t size_bytes), void *context);

/* Deterministic: the same seed gives the same sequence on every machine and in every version
 * (xoshiro256** seeded by splitmix64). Not for secrets. */
typedef struct rng {
    uint64_t state[4];
} rng;

void rng_seed(rng *r, uint64_t seed);
uint64_t rng_next(rng *r);
uint64_t rng_below(rng *r, uint64_t bound); /* uniform, 0 … bound-1; bound > 0 */
double rng_unit(rng *r);                    /* [0, 1) */
double rng_normal(rng *r);                  /* mean 0, deviation 1 */

#endif

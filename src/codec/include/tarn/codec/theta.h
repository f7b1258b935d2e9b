/* theta.h: theta sketches: how many different values there are, from a few thousand hashes.
 *
 * A sketch keeps the smallest hashes that it saw, THETA_NOMINAL at most in the end, and the bound `theta` below
 * which it saw all of them; the number of values is what that share of all hashes stands for (a standard error of
 * 1.6 %). Up to THETA_NOMINAL values it is exact. Which values come in which order, and which sketches are merged into
 * which, does not matter.
 *
 * Source: Apache DataSketches, "Theta Sketch Framework" (compact ordered form, serial version 3), which the Iceberg
 * Puffin specification names "apache-datasketches-theta-v1": hashes are MurmurHash3 x64 128, seed 9001, first half
 * shifted right by one. Not thread-safe. */
#ifndef TARN_CODEC_THETA_H
#define TARN_CODEC_THETA_H

#include "tarn/base/buf.h"
#include "tarn/base/error.h"

#define THETA_NOMINAL 4096

typedef struct theta_sketch theta_sketch;

theta_sketch *theta_create(void);
void theta_free(theta_sketch *s); /* NULL is fine */

/* The bytes of one value; no bytes are no value, as for DataSketches. */
void theta_update(theta_sketch *s, const void *bytes, size_t size_bytes);
void theta_merge(theta_sketch *into, const theta_sketch *other);

/* The compact form; brings the sketch to its final size. */
void theta_format(theta_sketch *s, buf *out);
/* How many values a compact form stands for. CORRUPT. */
status theta_estimate(str compact, double *ret_estimate, error *err);

#endif

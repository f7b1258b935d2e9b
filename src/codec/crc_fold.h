/* crc_fold.h: reflected CRCs as what they are, remainders of polynomials: combined, and computed by carry-less
 * multiplication.
 *
 * A remainder of degree d is kept in the upper d bits of 64, reflected: bit 63 is the coefficient of x^0. So one
 * code serves 32 and 64 bits. */
#ifndef TARN_CODEC_CRC_FOLD_H
#define TARN_CODEC_CRC_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct crc_polynomial {
    uint64_t low; /* without its highest term, reflected, in the upper bits */
    int degree;   /* 32 or 64 */
} crc_polynomial;

/* remainder · x^(8 · bytes) */
uint64_t crc__shift(const crc_polynomial *p, uint64_t remainder, uint64_t bytes);

/* What a block is multiplied with to stand 128 bits, and 512 bits, further on. */
typedef struct crc_fold_keys {
    uint64_t near_first, near_second;
    uint64_t far_first, far_second;
} crc_fold_keys;
void crc__fold_keys(const crc_polynomial *p, crc_fold_keys *ret_keys);

bool crc__can_fold(void);
enum { CRC_FOLD_LEAST = 128 }; /* below it, folding gains nothing */
/* Sixteen bytes whose CRC (begun with 0) is that of the first `size_bytes` / 16 * 16 bytes with `crc` (as the register
 * holds it, in the low bits) before them. At least CRC_FOLD_LEAST bytes; only where crc__can_fold. */
void crc__fold(const crc_fold_keys *keys, uint64_t crc, const uint8_t *bytes, size_t size_bytes,
               uint8_t ret_rest[16]);

#endif

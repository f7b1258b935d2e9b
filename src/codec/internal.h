/* internal.h: what codec's files share with each other and with their tests. */
#ifndef TARN_CODEC_INTERNAL_H
#define TARN_CODEC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* checksum_crc32c and checksum_crc64nvme as computed where the processor has no instruction. For tests. */
uint32_t codec__crc32c_by_table(uint32_t crc, const void *bytes, size_t size_bytes);
uint64_t codec__crc64nvme_by_table(uint64_t crc, const void *bytes, size_t size_bytes);

#endif

/* The checksum that ends each record of a result file: Flow.crc of messages.proto. */
#ifndef FORMAT_RESULTS_CRC_H
#define FORMAT_RESULTS_CRC_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#define RESULTS_CRC_FIELD 15
#define RESULTS_CRC_TAG   (RESULTS_CRC_FIELD << 3 | 5) /* fixed32: one byte */
#define RESULTS_CRC_SIZE  5                            /* with its tag */

/* Goes on from crc, which is 0 at the record's length.  NULL data with size 0 are fine. */
static inline uint32_t results_crc(uint32_t crc, const void *data, size_t size)
{
    return size ? (uint32_t)crc32_z(crc, data, size) : crc;
}

#endif

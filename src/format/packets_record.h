/* Captured packets as records of a spool, beside those of spool_record.h. */
#ifndef FORMAT_PACKETS_RECORD_H
#define FORMAT_PACKETS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "model/packet.h"
#include "util/buffer.h"
#include "util/error.h"

/* Append one record's bytes to out; 0, or -1 when out of memory. */
int packets_record_encode(struct buffer *out, const struct packet_batch *batch);
int packets_record_report(struct buffer *out, const struct capture_report *report);

/* Called with each packet in order; bytes are valid during the call.  Not 0 ends it, and is what
 * packets_record_each() returns. */
typedef int packet_consumer(void *arg, uint32_t link_type, const struct packet *packet,
                            const uint8_t *bytes, struct error *err);
/* 0, what the consumer returned, or ERROR_INPUT for what is no sound record of packets: of no
 * packet more than CAPTURE_SNAP bytes, nor more than its length, is kept. */
int packets_record_each(const void *data, size_t size, packet_consumer *consumer, void *arg,
                        struct error *err);

#endif

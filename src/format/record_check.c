#include "format/record_check.h"

#include "format/columns.h"
#include "format/packets_record.h"

#define SAMPLE_MAX 1024                /* bytes of a row that has all columns, all numbers long */
#define PACKET_MAX (CAPTURE_SNAP + 64) /* bytes of a packet and its numbers */
#define SMALL_MAX  (8u << 10)          /* what is told once of an end */

static int bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_INPUT, NULL, "%s", what);
}

/* Fields that no reader knows may not make it larger. */
static int check_size(size_t size, const struct spool_head *head, size_t row_max, struct error *err)
{
    if (!head->rows)
        return bad(err, "it has no rows");
    return size <= ((size_t)head->rows + 1) * row_max ? 0
                                                      : bad(err, "it is too large for its rows");
}

static int check_samples(const void *data, size_t size, struct spool_head *head, struct error *err)
{
    size_t samples_size;
    const uint8_t *samples = spool_record_samples_in(data, size, &samples_size);
    const int failed = columns_check(samples, samples_size, &head->rows, err);
    return failed ? failed : check_size(size, head, SAMPLE_MAX, err);
}

static int count_packet(void *arg, uint32_t link_type, const struct packet *packet,
                        const uint8_t *bytes, struct error *err)
{
    struct spool_head *head = arg;
    (void)link_type;
    (void)packet;
    (void)bytes;
    (void)err;
    head->rows++;
    return 0;
}

static int check_packets(const void *data, size_t size, struct spool_head *head, struct error *err)
{
    const int failed = packets_record_each(data, size, count_packet, head, err);
    return failed ? failed : check_size(size, head, PACKET_MAX, err);
}

static int check_host(const void *data, size_t size, struct error *err)
{
    struct host_series series = {0};
    const size_t least = 2;
    const int failed = spool_record_host_rows(data, size, &series, least, err);
    host_series_fini(&series);
    return failed;
}

int record_check(const void *data, size_t size, struct spool_head *head, struct error *err)
{
    const int failed = spool_record_head(data, size, head, err);
    if (failed)
        return failed;
    switch (head->kind) {
    case SPOOL_SAMPLES:
        return check_samples(data, size, head, err);
    case SPOOL_PACKETS:
        return check_packets(data, size, head, err);
    case SPOOL_HOST:
        return check_host(data, size, err);
    case SPOOL_READY:
    case SPOOL_REPORT:
    case SPOOL_CAPTURED:
        return size <= SMALL_MAX ? 0 : bad(err, "it is too large for what it tells");
    case SPOOL_RUN_END:
    case SPOOL_PREPARE:
    case SPOOL_AXIS:
    case SPOOL_OTHER:
        break;
    }
    return 0;
}

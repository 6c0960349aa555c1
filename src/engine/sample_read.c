#include "engine/sample_read.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "util/clock.h"

#define TOGETHER_NS (100 * NS_PER_US)
#define READS_MAX   3

int64_t sample_read_info(int fd, struct sample *sample)
{
    const int64_t before = clock_now();
    memset(sample->info, 0, sizeof sample->info);
    socklen_t size = sizeof sample->info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, sample->info, &size) < 0)
        size = 0;
    sample->info_length = (uint16_t)size;
    sample->t_ns = clock_now();
    return sample->t_ns - before;
}

void sample_read(int fd, struct sample *sample)
{
    /* When this thread loses the CPU in between, values and time do not belong together. */
    for (int reads = 1; sample_read_info(fd, sample) > TOGETHER_NS && reads < READS_MAX; reads++) {
    }
    memset(sample->cc, 0, sizeof sample->cc);
    socklen_t size = sizeof sample->cc;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CC_INFO, sample->cc, &size) < 0)
        size = 0;
    sample->cc_length = (uint8_t)size;
}

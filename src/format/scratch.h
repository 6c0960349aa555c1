/* Bytes put aside until their number is known: some in memory, more in a file without a name. */
#ifndef FORMAT_SCRATCH_H
#define FORMAT_SCRATCH_H

#include <stdint.h>

#include "util/buffer.h"
#include "util/error.h"

struct scratch {
    const char *beside; /* the file is made in this one's directory; the caller's */
    int fd;             /* -1: none yet */
    uint64_t in_file;
    struct buffer tail; /* behind what is in the file */
};

void scratch_init(struct scratch *scratch, const char *beside);
void scratch_fini(struct scratch *scratch);

int scratch_append(struct scratch *scratch, const struct buffer *bytes, struct error *err);
uint64_t scratch_size(const struct scratch *scratch);

/* Gives all the bytes in order, then forgets them. */
typedef int scratch_sink(void *arg, const void *data, size_t size, struct error *err);
int scratch_drain(struct scratch *scratch, scratch_sink *sink, void *arg, struct error *err);

#endif

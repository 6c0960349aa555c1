/* All numbers are in the order of this machine's bytes, which the section header's magic tells.
 * Every block is a multiple of four bytes long and has its length at both ends. */
#include "format/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/buffer.h"

enum block_type {
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BLOCK_SECTION = 0x0a0d0d0a
};
enum option_code {
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_INTERFACE_NAME = 2, /* of an interface block */
    OPTION_APPLICATION = 4,    /* of a section */
    OPTION_RESOLUTION = 9,     /* of an interface block */
    OPTION_RECEIVED = 4,       /* of statistics */
    OPTION_DROPPED = 5
};

#define BYTE_ORDER_MAGIC   0x1a2b3c4du
#define NANOSECONDS        9 /* stamps count 10^-9 s */
#define SECTION_OPEN_ENDED UINT64_MAX

struct pcapng {
    FILE *stream;
    int directory;          /* borrowed */
    char *name, *temporary; /* in it */
    struct buffer block;    /* the one that is being made */
    uint64_t packets;
    uint32_t high, low; /* of the last packet's stamp */
    bool no_memory;
};

/* ---- a block ---- */

static void put(struct pcapng *file, const void *data, size_t size)
{
    file->no_memory |= buffer_append(&file->block, data, size) != 0;
}

static void put32(struct pcapng *file, uint32_t value)
{
    put(file, &value, sizeof value);
}

static void pad(struct pcapng *file)
{
    static const uint8_t zeros[4];
    put(file, zeros, (4 - file->block.size % 4) % 4);
}

static void put_option(struct pcapng *file, enum option_code code, const void *value, size_t size)
{
    const uint16_t head[2] = {(uint16_t)code, (uint16_t)(size > UINT16_MAX ? UINT16_MAX : size)};
    put(file, head, sizeof head);
    put(file, value, head[1]);
    pad(file);
}

static void begin_block(struct pcapng *file, uint32_t type)
{
    buffer_clear(&file->block);
    put32(file, type);
    put32(file, 0); /* its length, see end_block() */
}

static int end_block(struct pcapng *file, struct error *err)
{
    const uint32_t length = (uint32_t)file->block.size + sizeof length;
    put32(file, length);
    if (file->no_memory)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    memcpy(file->block.data + 4, &length, sizeof length);
    if (fwrite(file->block.data, file->block.size, 1, file->stream) != 1)
        return error_set_errno(err, ERROR_SYSTEM, errno, file->temporary, "cannot write");
    return 0;
}

/* ---- the blocks ---- */

static int write_section(struct pcapng *file, const struct pcapng_about *about, struct error *err)
{
    const uint16_t version[2] = {1, 0};
    const uint64_t length = SECTION_OPEN_ENDED;
    begin_block(file, BLOCK_SECTION);
    put32(file, BYTE_ORDER_MAGIC);
    put(file, version, sizeof version);
    put(file, &length, sizeof length);
    put_option(file, OPTION_COMMENT, about->comment, strlen(about->comment));
    put_option(file, OPTION_APPLICATION, about->application, strlen(about->application));
    put_option(file, OPTION_END, "", 0);
    return end_block(file, err);
}

static int write_interface(struct pcapng *file, const struct pcapng_about *about, struct error *err)
{
    const uint16_t link_type[2] = {(uint16_t)about->link_type, 0};
    const uint8_t resolution = NANOSECONDS;
    begin_block(file, BLOCK_INTERFACE);
    put(file, link_type, sizeof link_type);
    put32(file, about->snap_length);
    put_option(file, OPTION_INTERFACE_NAME, about->interface, strlen(about->interface));
    put_option(file, OPTION_RESOLUTION, &resolution, sizeof resolution);
    put_option(file, OPTION_END, "", 0);
    return end_block(file, err);
}

static int write_statistics(struct pcapng *file, uint64_t dropped, struct error *err)
{
    const uint64_t received = file->packets + dropped;
    begin_block(file, BLOCK_STATISTICS);
    put32(file, 0); /* the interface */
    put32(file, file->high);
    put32(file, file->low);
    put_option(file, OPTION_RECEIVED, &received, sizeof received);
    put_option(file, OPTION_DROPPED, &dropped, sizeof dropped);
    put_option(file, OPTION_END, "", 0);
    return end_block(file, err);
}

int pcapng_packet(struct pcapng *file, int64_t unix_ns, uint32_t length, uint32_t captured,
                  const uint8_t *bytes, struct error *err)
{
    file->high = (uint32_t)((uint64_t)unix_ns >> 32);
    file->low = (uint32_t)unix_ns;
    file->packets++;
    begin_block(file, BLOCK_PACKET);
    put32(file, 0); /* the interface */
    put32(file, file->high);
    put32(file, file->low);
    put32(file, captured);
    put32(file, length);
    put(file, bytes, captured);
    pad(file);
    return end_block(file, err);
}

/* ---- the file ---- */

static void release(struct pcapng *file)
{
    if (file->stream)
        fclose(file->stream);
    buffer_fini(&file->block);
    free(file->name);
    free(file->temporary);
    free(file);
}

static int open_stream(struct pcapng *file, struct error *err)
{
    if (!file->name || !file->temporary)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    /* Of a run that died, or whatever others put there. */
    unlinkat(file->directory, file->temporary, 0);
    const int fd = openat(file->directory, file->temporary,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    file->stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file->stream && fd >= 0)
        close(fd);
    if (!file->stream)
        return error_set_errno(err, ERROR_SYSTEM, errno, file->temporary, "cannot be made");
    return 0;
}

int pcapng_open(struct pcapng **out, int directory, const char *name,
                const struct pcapng_about *about, struct error *err)
{
    struct pcapng *file = calloc(1, sizeof *file);
    if (!file)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    file->directory = directory;
    file->name = strdup(name);
    if (asprintf(&file->temporary, "%s.tmp", name) < 0)
        file->temporary = NULL;
    int failed = open_stream(file, err);
    if (!failed)
        failed = write_section(file, about, err);
    if (!failed)
        failed = write_interface(file, about, err);
    if (failed)
        pcapng_abort(file);
    else
        *out = file;
    return failed;
}

int pcapng_close(struct pcapng *file, uint64_t dropped, struct error *err)
{
    int failed = write_statistics(file, dropped, err);
    const int bad = fclose(file->stream);
    file->stream = NULL;
    if (!failed && (bad || renameat(file->directory, file->temporary, file->directory, file->name)))
        failed = error_set_errno(err, ERROR_SYSTEM, errno, file->name, "cannot be written");
    if (failed)
        unlinkat(file->directory, file->temporary, 0);
    release(file);
    return failed;
}

void pcapng_abort(struct pcapng *file)
{
    if (!file)
        return;
    if (file->temporary && file->stream)
        unlinkat(file->directory, file->temporary, 0);
    release(file);
}

/* What the targets of libFuzzer share: inputs as files, and seeds.
 *
 * Where FUZZ_SEEDS names a directory (scripts/fuzz does), a target begins with writing its seeds
 * there, so that no file of bytes that nobody can read stands in the sources. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_PATH_MAX 64

/* What must not be, whatever the input is. */
#define FUZZ_ASSERT(condition) \
    do {                       \
        if (!(condition))      \
            abort();           \
    } while (0)

/* A file in memory that holds the bytes, to be opened by path; returns what is to be closed. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[FUZZ_PATH_MAX])
{
    const int fd = memfd_create("input", MFD_CLOEXEC);
    FUZZ_ASSERT(fd >= 0);
    for (size_t done = 0; done < size;) {
        const ssize_t wrote = write(fd, data + done, size - done);
        FUZZ_ASSERT(wrote > 0);
        done += (size_t)wrote;
    }
    snprintf(path, FUZZ_PATH_MAX, "/proc/self/fd/%d", fd);
    return fd;
}

static inline void fuzz_seed(const char *name, const void *data, size_t size)
{
    const char *directory = getenv("FUZZ_SEEDS");
    char path[4096];
    if (!directory)
        return;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    FUZZ_ASSERT(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

#endif

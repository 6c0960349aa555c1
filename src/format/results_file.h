/* The file that results are written to: under NAME.tmp until it is whole; gzipped by its name. */
#ifndef FORMAT_RESULTS_FILE_H
#define FORMAT_RESULTS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#include "util/error.h"

struct results_file {
    char *path;      /* as given; "-" for standard output */
    char *temporary; /* NULL: written in place (standard output, a device or a pipe) */
    int fd;
    gzFile file;
    int error; /* errno of a write that failed; 0: none did */
};

/* Whether results go into what stands there, standard output ("-"), a device or a pipe, instead of
 * a new file. */
bool results_file_in_place(const char *path);

/* 0; ERROR_INPUT if something stands at NAME.tmp that cannot be removed; or ERROR_SYSTEM. */
int results_file_open(struct results_file *file, const char *path, struct error *err);
int results_file_write(struct results_file *file, const void *data, size_t size, struct error *err);
/* All that was written is on its disk, where it has one. */
int results_file_sync(struct results_file *file, struct error *err);
/* Both free what the struct holds, in every case. */
int results_file_publish(struct results_file *file, struct error *err);
void results_file_discard(struct results_file *file);

#endif

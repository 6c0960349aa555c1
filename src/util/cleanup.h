/* Scope-bound release (GCC and clang's cleanup attribute): CLEANUP_FREE char *s = ...; */
#ifndef UTIL_CLEANUP_H
#define UTIL_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}
static inline void cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}
static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define CLEANUP_FREE   __attribute__((cleanup(cleanup_free)))
#define CLEANUP_FCLOSE __attribute__((cleanup(cleanup_fclose)))
#define CLEANUP_CLOSE  __attribute__((cleanup(cleanup_close)))
#define CLEANUP(fn)    __attribute__((cleanup(fn)))

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

#endif

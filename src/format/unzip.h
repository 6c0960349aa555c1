/* The bytes of a file, gzipped (also several times in a row) or not: its first bytes tell.  All
 * that could be inflated before damage is given; zlib's gzread() drops what it has at hand then. */
#ifndef FORMAT_UNZIP_H
#define FORMAT_UNZIP_H

#include <stddef.h>
#include <stdint.h>

struct unzip; /* opaque */

enum unzip_end {
    UNZIP_GOES_ON,
    UNZIP_END,
    UNZIP_CUT,       /* the file ends where gzipped data do not */
    UNZIP_DAMAGED,   /* gzipped data, or what is behind them */
    UNZIP_UNREADABLE /* errno is kept: unzip_errno() */
};

/* Owns fd, also when it fails.  NULL: out of memory. */
struct unzip *unzip_open(int fd);
void unzip_close(struct unzip *unzip); /* NULL is fine */

/* Fewer than size only at the end, of which unzip_why() tells. */
size_t unzip_read(struct unzip *unzip, void *out, size_t size);
/* -1: the end. */
int unzip_byte(struct unzip *unzip);

/* UNZIP_GOES_ON while there are bytes to be given. */
enum unzip_end unzip_why(const struct unzip *unzip);
int unzip_errno(const struct unzip *unzip);
/* Bytes of the file that were used up. */
uint64_t unzip_used(const struct unzip *unzip);

#endif

/* Numbers for people: rates, sizes. */
#ifndef UTIL_UNITS_H
#define UTIL_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_MAX 32
/* "9.41 Gbit/s": three significant digits, powers of 1000; bit/s.  Negative, 1e21 and more: "-". */
char *units_rate(double bits_per_s, char out[UNITS_TEXT_MAX]);
/* "1.21 GB": powers of 1000; bytes. */
char *units_bytes(uint64_t bytes, char out[UNITS_TEXT_MAX]);

#endif

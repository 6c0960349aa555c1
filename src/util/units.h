/* Rates and sizes: as people write them, and as they like to read them. */
#ifndef UTIL_UNITS_H
#define UTIL_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "util/error.h"

#define UNITS_TEXT_MAX 32
/* "9.41 Gbit/s": three significant digits, powers of 1000; bit/s.  Negative, 1e21 and more: "-". */
char *units_rate(double bits_per_s, char out[UNITS_TEXT_MAX]);
/* "1.21 GB": powers of 1000; bytes. */
char *units_bytes(uint64_t bytes, char out[UNITS_TEXT_MAX]);

/* Parses the whole of text, DECIMAL [blank] UNIT or 0, with the units bit/s kbit/s Mbit/s Gbit/s
 * Tbit/s (powers of 1000, spelled so), exact: what is no whole number of bit/s is refused, and so
 * are bytes, whose "B" is so easily taken for a "b".  0 and *bits_per_s, or ERROR_INPUT with what
 * is wrong and a cure. */
int units_parse_rate(const char *text, uint64_t *bits_per_s, struct error *err);
/* Likewise bytes, DECIMAL [blank] UNIT with the units B kB MB GB TB (powers of 1000). */
int units_parse_bytes(const char *text, uint64_t *bytes, struct error *err);
/* The exact rate in the form that units_parse_rate() reads: "1.5Gbit/s", "1234.567kbit/s"; 0: "0".
 * Reads back as the same up to INT64_MAX. */
char *units_exact_rate(uint64_t bits_per_s, char out[UNITS_TEXT_MAX]);

#endif

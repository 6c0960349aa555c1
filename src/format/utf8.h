/* Texts of a protobuf message must be valid UTF-8: readers in other languages refuse the whole
 * message otherwise.  Names, errors and what a stranger sent may hold anything. */
#ifndef FORMAT_UTF8_H
#define FORMAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Puts '?' for each byte that is no part of a valid character. */
void utf8_repair(char *text);

/* Copies what fits, repaired; text NULL reads as empty. */
void utf8_copy(char *out, size_t size, const char *text);

/* A copy to be freed, repaired; text NULL reads as empty.  NULL when out of memory: *failed is set
 * then, and stays. */
char *utf8_text(const char *text, bool *failed);

#endif

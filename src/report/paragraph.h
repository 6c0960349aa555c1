/* Sentences for terminals: a paragraph each, no line wider than PARAGRAPH_COLUMNS. */
#ifndef REPORT_PARAGRAPH_H
#define REPORT_PARAGRAPH_H

#include <stdio.h>

#define PARAGRAPH_COLUMNS 100

/* Prints the text, its further lines indented, and ends the line.  Lines break at blanks; a word
 * that is wider stands alone.  Control characters become '?'. */
__attribute__((format(printf, 2, 3))) void paragraph_print(FILE *out, const char *format, ...);

#endif

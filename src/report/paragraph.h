/* Sentences for people: a paragraph each, no line wider than the terminal. */
#ifndef REPORT_PARAGRAPH_H
#define REPORT_PARAGRAPH_H

#include <stdio.h>

#define PARAGRAPH_COLUMNS 100 /* where it is no terminal */

/* How wide a line may be: as the terminal is, else PARAGRAPH_COLUMNS. */
int paragraph_columns(FILE *out);

/* Prints words behind `column` columns of the line, goes on behind `indent` where it is full, and
 * ends the line. */
void paragraph_words(FILE *out, const char *text, int column, int indent);

/* Prints the text, its further lines indented, and ends the line.  Lines break at blanks; a word
 * that is wider stands alone.  Control characters become '?'. */
__attribute__((format(printf, 2, 3))) void paragraph_print(FILE *out, const char *format, ...);

#endif

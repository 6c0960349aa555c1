#include "report/paragraph.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/table.h"

#define INDENT 2

static void print_words(FILE *out, char *text)
{
    size_t column = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        const size_t wide = (size_t)table_width(word);
        if (column > 0 && column + 1 + wide > PARAGRAPH_COLUMNS) {
            fprintf(out, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (column > 0) {
            fputc(' ', out);
            column++;
        }
        table_tame(out, word);
        column += wide;
    }
    fputc('\n', out);
}

void paragraph_print(FILE *out, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        print_words(out, text);
    else
        fputs("(out of memory)\n", out);
    free(text);
    va_end(args);
}

#include "report/paragraph.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util/text.h"

#define INDENT      2
#define COLUMNS_MIN 20 /* of a terminal that is believed */

int paragraph_columns(FILE *out)
{
    struct winsize size;
    const int fd = fileno(out); /* -1: a buffer in memory */
    if (fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_MIN)
        return size.ws_col;
    return PARAGRAPH_COLUMNS;
}

static int columns_of(const char *word, size_t size)
{
    int count = 0;
    for (size_t i = 0; i < size; i++)
        count += (word[i] & 0xc0) != 0x80;
    return count;
}

void paragraph_words(FILE *out, const char *text, int column, int indent)
{
    const int columns = paragraph_columns(out);
    bool begins = true; /* of a line: no blank stands before the word */
    if (indent + COLUMNS_MIN > columns)
        indent = INDENT;
    for (size_t size; *(text += strspn(text, " ")); text += size) {
        size = strcspn(text, " ");
        const int wide = columns_of(text, size);
        if (!begins && column + 1 + wide > columns) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (!begins) {
            fputc(' ', out);
            column++;
        }
        text_print(out, text, size);
        column += wide;
        begins = false;
    }
    fputc('\n', out);
}

void paragraph_print(FILE *out, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        paragraph_words(out, text, 0, INDENT);
    else
        fputs("(out of memory)\n", out);
    free(text);
    va_end(args);
}

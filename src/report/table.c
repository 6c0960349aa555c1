#include "report/table.h"

#include <string.h>

void table_tame(FILE *out, const char *text)
{
    for (; text && *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
}

/* Bytes that do not go on with a character. */
int table_width(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

void table_cut(char *text, int columns)
{
    if (table_width(text) <= columns)
        return;
    for (int count = 0; *text; text++) {
        count += (*text & 0xc0) != 0x80;
        if (count == columns)
            break;
    }
    strcpy(text, "~"); /* in the place of one or more bytes */
}

static void widen(int *widths, size_t columns, const char *const *cells)
{
    for (size_t i = 0; i < columns; i++) {
        int wide = table_width(cells[i]);
        widths[i] = wide > widths[i] ? wide : widths[i];
    }
}

static void print_row(FILE *out, size_t columns, const int *widths, const char *const *cells)
{
    for (size_t i = 0; i + 1 < columns; i++) {
        table_tame(out, cells[i]);
        fprintf(out, "%*s", widths[i] - table_width(cells[i]) + 2, "");
    }
    table_tame(out, cells[columns - 1]);
    fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
    struct table_row row;
    int widths[TABLE_COLUMNS_MAX] = {0};
    widen(widths, table->columns, table->head);
    for (size_t n = 0; n < table->rows; n++) {
        table->fill(table->of, n, &row);
        widen(widths, table->columns, row.cells);
    }
    print_row(out, table->columns, widths, table->head);
    for (size_t n = 0; n < table->rows; n++) {
        table->fill(table->of, n, &row);
        print_row(out, table->columns, widths, row.cells);
    }
}

#include "report/table.h"

void table_tame(FILE *out, const char *text)
{
    for (; text && *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
}

/* Characters of UTF-8: bytes that do not go on with one. */
static int width(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += (*text & 0xc0) != 0x80;
    return count;
}

static void widen(int *widths, size_t columns, const char *const *cells)
{
    for (size_t i = 0; i < columns; i++) {
        int wide = width(cells[i]);
        widths[i] = wide > widths[i] ? wide : widths[i];
    }
}

static void print_row(FILE *out, size_t columns, const int *widths, const char *const *cells)
{
    for (size_t i = 0; i + 1 < columns; i++) {
        table_tame(out, cells[i]);
        fprintf(out, "%*s", widths[i] - width(cells[i]) + 2, "");
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

#include "report/table.h"

#include <string.h>

#include "report/paragraph.h"

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

static unsigned leave_out(const struct table *table, const int *widths)
{
    unsigned out = 0;
    int wide = 2 * (int)(table->columns - 1);
    for (size_t i = 0; i < table->columns; i++)
        wide += widths[i];
    for (size_t i = table->columns; i-- > 0 && wide > PARAGRAPH_COLUMNS;)
        if (table->expendable >> i & 1) {
            out |= 1U << i;
            wide -= widths[i] + 2;
        }
    return out;
}

static void print_row(FILE *out, const struct table *table, const int *widths, unsigned without,
                      const char *const *cells)
{
    const size_t last = table->columns - 1;
    for (size_t i = 0; i < last; i++) {
        if (without >> i & 1)
            continue;
        table_tame(out, cells[i]);
        fprintf(out, "%*s", widths[i] - table_width(cells[i]) + 2, "");
    }
    table_tame(out, cells[last]);
    fputc('\n', out);
}

unsigned table_print(const struct table *table, FILE *out)
{
    struct table_row row;
    int widths[TABLE_COLUMNS_MAX] = {0};
    widen(widths, table->columns, table->head);
    for (size_t n = 0; n < table->rows; n++) {
        table->fill(table->of, n, &row);
        widen(widths, table->columns, row.cells);
    }
    const unsigned without = leave_out(table, widths);
    print_row(out, table, widths, without, table->head);
    for (size_t n = 0; n < table->rows; n++) {
        table->fill(table->of, n, &row);
        print_row(out, table, widths, without, row.cells);
    }
    return without;
}

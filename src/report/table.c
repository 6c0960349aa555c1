#include "report/table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "report/paragraph.h"
#include "util/text.h"

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

/* How a table is fitted to the terminal. */
struct fit {
    const struct table *table;
    int columns, widths[TABLE_COLUMNS_MAX];
    unsigned without; /* bit i: column i is left out */
};

#define LAST_COLUMNS 30 /* that a last cell has at least, as it goes on below itself */

static int width_of(const struct fit *fit)
{
    const size_t last = fit->table->columns - 1;
    int wide = fit->widths[last] < LAST_COLUMNS ? fit->widths[last] : LAST_COLUMNS;
    for (size_t i = 0; i < last; i++)
        if (!(fit->without >> i & 1))
            wide += fit->widths[i] + 2;
    return wide;
}

static void fit_in(struct fit *fit)
{
    const struct table *table = fit->table;
    for (size_t i = table->columns; i-- > 0;) {
        const int over = width_of(fit) - fit->columns;
        const int spare = fit->widths[i] - TABLE_YIELD_MIN;
        if (table->yielding >> i & 1 && over > 0 && spare > 0)
            fit->widths[i] -= spare < over ? spare : over;
    }
    for (int rank = UCHAR_MAX; rank > 0; rank--)
        for (size_t i = table->columns; i-- > 0 && width_of(fit) > fit->columns;)
            fit->without |= (table->rank[i] == rank ? 1U : 0U) << i;
    for (size_t i = 0; i < table->columns; i++) /* a wide one that went left room for narrow ones */
        if (fit->without >> i & 1 && width_of(fit) + 2 + fit->widths[i] <= fit->columns)
            fit->without &= ~(1U << i);
}

static void print_row(FILE *out, const struct fit *fit, const char *const *cells)
{
    const size_t last = fit->table->columns - 1;
    int column = 0;
    for (size_t i = 0; i < last; i++) {
        char text[TABLE_CELL_MAX];
        if (fit->without >> i & 1)
            continue;
        snprintf(text, sizeof text, "%s", cells[i]);
        table_cut(text, fit->widths[i]);
        text_print(out, text, strlen(text));
        fprintf(out, "%*s", fit->widths[i] - table_width(text) + 2, "");
        column += fit->widths[i] + 2;
    }
    paragraph_words(out, cells[last], column, column);
}

/* Where several have one name each is called by the one before it, which it belongs to. */
static void print_name(FILE *out, const struct table *table, size_t column)
{
    size_t same = 0;
    for (size_t i = 0; i < table->columns; i++)
        same += strcmp(table->head[i], table->head[column]) == 0;
    fprintf(out, "%s%s%s", table->head[column], same > 1 ? " of " : "",
            same > 1 ? table->head[column - 1] : "");
}

static void print_without(FILE *out, const struct fit *fit)
{
    char *text = NULL;
    size_t size;
    FILE *names = open_memstream(&text, &size);
    for (size_t i = 0, told = 0; names && i < fit->table->columns; i++)
        if (fit->without >> i & 1) {
            fprintf(names, "%s", told++ ? ", " : "");
            print_name(names, fit->table, i);
        }
    if (names)
        fclose(names);
    paragraph_print(out, "(no room for: %s; see --json)", text ? text : "");
    free(text);
}

void table_print(const struct table *table, FILE *out)
{
    struct table_row row;
    struct fit fit = {.table = table, .columns = paragraph_columns(out)};
    widen(fit.widths, table->columns, table->head);
    for (size_t n = 0; n < table->rows; n++) {
        table->fill(table->of, n, &row);
        widen(fit.widths, table->columns, row.cells);
    }
    fit_in(&fit);
    print_row(out, &fit, table->head);
    for (size_t n = 0; n < table->rows; n++) {
        table->fill(table->of, n, &row);
        print_row(out, &fit, row.cells);
    }
    if (fit.without)
        print_without(out, &fit);
}

/* Tables for people: columns as wide as their widest cell. */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16
#define TABLE_CELL_MAX    384

struct table_row {
    const char *cells[TABLE_COLUMNS_MAX];
    char room[TABLE_COLUMNS_MAX][TABLE_CELL_MAX]; /* for cells whose text stands nowhere else */
};

/* Rows are made twice, to measure and to print, so that none has to be kept. */
struct table {
    size_t rows, columns;
    const char *head[TABLE_COLUMNS_MAX];
    void (*fill)(const void *of, size_t index, struct table_row *row);
    const void *of;
    /* What becomes of columns, but the last, where rows are wider than the terminal
     * (paragraph_columns()): */
    unsigned yielding; /* bit i: column i is cut to TABLE_YIELD_MIN columns first */
    unsigned char rank[TABLE_COLUMNS_MAX]; /* then those of the highest rank are left out, the last
                                            * first; 0: it stays */
};

#define TABLE_YIELD_MIN 8

/* Where columns are left out a line below the table names them.  A last cell that does not fit goes
 * on below itself. */
void table_print(const struct table *table, FILE *out);

/* Columns that the text takes: characters of UTF-8. */
int table_width(const char *text);

/* Cuts the text to so many columns, the last of them a "~" then. */
void table_cut(char *text, int columns);

#endif

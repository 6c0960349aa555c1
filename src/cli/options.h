/* Command lines as tables: one row an option.  The same rows parse the words, check the values and
 * print the help.  Nothing here prints or exits but options_help(). */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/error.h"
#include "util/users.h"

/* What an option's value is, and the type of its place. */
enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *, min 1: not empty */
    OPTION_NUMBER,   /* int64_t, min..max */
    OPTION_DURATION, /* int64_t ns, min..max */
    OPTION_ENDPOINT, /* struct endpoint */
    OPTION_PORTS,    /* struct port_range */
    OPTION_UINT64,   /* struct optional_uint64 */
    OPTION_BYTES,    /* uint64_t, min or more */
    OPTION_USERS,    /* struct users; each adds to those before */
};

struct port_range {
    uint16_t first, last; /* 0: none */
};

struct optional_uint64 {
    bool given;
    uint64_t value;
};

struct option_row {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    bool hidden;      /* from the help: for the program's own use, or of none yet */
    enum option_kind kind;
    const char *argument; /* the value's name in the help; NULL for flags */
    size_t place;         /* offset in the values */
    int64_t min, max;     /* max 0: INT64_MAX */
    const char *help;     /* further lines behind a newline */
};

/* How words are read.
 * GNU: --name VALUE, --name=VALUE, -l VALUE, -lVALUE, letters in a cluster, options among the
 * operands, -- ends the options.
 * Go: -name or --name; a value is the next word or behind "="; a flag's value only behind "=";
 * the first word that is no option, or --, ends the options. */
enum option_style { STYLE_GNU, STYLE_GO };

struct option_table {
    enum option_style style;
    const struct option_row *rows;
    size_t count;
};

struct operands {
    char **words; /* argv */
    size_t count;
};

enum { OPTIONS_HELP = 1 }; /* -h, -help or --help was met */

/* Reads argv[0..argc) into values; what is not met keeps its value, the last of several counts.
 * Operands are moved to the front of argv, in order.  0, OPTIONS_HELP, or ERROR_INPUT. */
int options_parse(const struct option_table *table, int argc, char **argv, void *values,
                  struct operands *operands, struct error *err);

/* One line an option, in the table's order and style. */
void options_help(const struct option_table *table, FILE *out);

#endif

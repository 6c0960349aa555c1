/* The help, printed from the tables that are parsed. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/commands.h"

void help_program(FILE *out);
void help_command(const struct command *command, FILE *out);

#endif

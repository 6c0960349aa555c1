#include "cli/help.h"

#include "cli/exit_status.h"
#include "cli/say.h"
#include "util/version.h"

void help_program(FILE *out)
{
    fputs("tcp-flowgen " TCP_FLOWGEN_VERSION ": a distributed TCP traffic generator\n\n"
          "usage: tcp-flowgen COMMAND [OPTION]...\n"
          "       tcp-flowgen [FLAG]...\n\n"
          "commands:\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s%s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n%s\nflags without a command:\n", command_seed.about);
    options_help(&command_seed.options, out);
    fputs("\n`tcp-flowgen COMMAND --help` tells more.\n", out);
}

void help_command(const struct command *command, FILE *out)
{
    fprintf(out, "usage: tcp-flowgen %s%s[OPTION]...%s%s\n\n%s\noptions:\n", command->name,
            *command->name ? " " : "", command->operand ? " " : "",
            command->operand ? command->operand : "", command->about);
    options_help(&command->options, out);
}

static int run(const union arguments *arguments)
{
    const char *name = arguments->help.command;
    if (!name) {
        help_program(stdout);
        return EXIT_FINE;
    }
    const struct command *command = command_find(name);
    if (!command) {
        struct error err = {0};
        command_unknown(name, &err);
        return say_error("help", &err);
    }
    help_command(command, stdout);
    return EXIT_FINE;
}

const struct command command_help = {
    .name = "help",
    .summary = "tell about the program or a command",
    .about = "Prints the help of COMMAND, or of the program.\n",
    .operand = "[COMMAND]",
    .operand_place = offsetof(struct help_arguments, command),
    .options = {STYLE_GNU, NULL, 0},
    .run = run,
};

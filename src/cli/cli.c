#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/help.h"
#include "cli/say.h"
#include "cli/standard.h"
#include "util/log.h"

/* A wrong command line, and where the right one is told. */
static int refuse(const struct command *command, const struct error *err)
{
    char text[sizeof *err + 16];
    const char *name = command ? command->name : "", *space = *name ? " " : "";
    fprintf(stderr, "tcp-flowgen: %s%s%s; see 'tcp-flowgen%s%s --help'\n", name, *name ? ": " : "",
            error_text(err, text, sizeof text), space, name);
    return EXIT_USAGE;
}

static bool wants_json(const struct command *command, int argc, char **argv)
{
    bool can = false, wants = false;
    for (size_t i = 0; i < command->options.count; i++)
        can |= strcmp(command->options.rows[i].name, "json") == 0;
    for (int i = 0; i < argc; i++)
        wants |= strcmp(argv[i], "--json") == 0;
    return can && wants;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    const bool json = wants_json(command, argc, argv); /* parsing moves the words */
    union arguments arguments;
    struct error err = {0};
    int stop = command_parse(command, argc, argv, &arguments, NULL, &err);
    if (stop == OPTIONS_HELP) {
        help_command(command, stdout);
        return EXIT_FINE;
    }
    if (!stop)
        return command->run(&arguments);
    const int status = refuse(command, &err);
    return json ? said_json(&(struct said){.error = err}, status) : status;
}

/* Words behind the flags were always ignored, but not in silence: "-keepalive false -master FILE"
 * would be an agent.  A command that came too late is an error. */
static int check_rest(const struct operands *rest, struct error *err)
{
    const char *word = rest->count ? rest->words[0] : NULL;
    if (word && command_find(word))
        return error_set(err, ERROR_INPUT, NULL,
                         "the command comes first: tcp-flowgen %s [OPTION]...", word);
    if (word)
        log_warning(
            "'%s' and what follows it is ignored; a flag that is off is written -FLAG=false", word);
    return 0;
}

static int run_seed(int argc, char **argv)
{
    union arguments arguments;
    struct operands rest = {0};
    struct error err = {0};
    int stop = command_parse(&command_seed, argc, argv, &arguments, &rest, &err);
    if (stop == OPTIONS_HELP) {
        help_program(stdout);
        return EXIT_FINE;
    }
    if (!stop)
        stop = check_rest(&rest, &err);
    if (!stop)
        return command_seed.run(&arguments);
    refuse(NULL, &err);
    help_command(&command_seed, stderr);
    fputs("\nWith a command word there is more: `tcp-flowgen agent` on each host, then\n"
          "`tcp-flowgen run SCENARIO`; `tcp-flowgen --help` lists them all.\n",
          stderr);
    return EXIT_USAGE;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2 || (argv[1][0] == '-' && argv[1][1]))
        return run_seed(argc < 2 ? 0 : argc - 1, argv + 1);
    const struct command *command = command_find(argv[1]);
    if (command)
        return run_command(command, argc - 2, argv + 2);
    struct error err = {0};
    command_unknown(argv[1], &err);
    return refuse(NULL, &err);
}

/* What was printed must have arrived: a full disk is an error. */
static int flush(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    struct error err = {0};
    if (errno)
        error_set_errno(&err, ERROR_SYSTEM, errno, NULL, "cannot write to standard output");
    else /* it was an earlier write, of which nobody asked why */
        error_set(&err, ERROR_SYSTEM, NULL, "cannot write to standard output");
    say_error("", &err);
    return status == EXIT_FINE ? EXIT_FLOWS : status;
}

int cli_main(int argc, char **argv)
{
    standard_open();
    return flush(dispatch(argc, argv));
}

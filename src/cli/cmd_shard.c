/* `tcp-flowgen shard`: not for people; an agent starts it where one process has too few
 * descriptors for a run. */
#include "agent/shard_server.h"
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/say.h"

static int run(const union arguments *arguments)
{
    struct error err = {0};
    (void)arguments;
    return shard_serve(&err) ? say_error("shard", &err) : EXIT_FINE;
}

const struct command command_shard = {
    .name = "shard",
    .summary = "a part of an agent",
    .about = "Agents start it for themselves, where one process may have too few descriptors\n"
             "for a run.\n",
    .options = {STYLE_GNU, NULL, 0},
    .run = run,
};

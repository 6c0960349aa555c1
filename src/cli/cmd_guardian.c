/* `tcp-flowgen ecn-guardian`: what the engine executes; see engine/ecn_guardian.h. */
#include "cli/commands.h"
#include "cli/exit_status.h"
#include "engine/ecn_guardian.h"

static int run(const union arguments *arguments)
{
    (void)arguments;
    ecn_guardian_run();
    return EXIT_FINE;
}

const struct command command_guardian = {
    .name = ECN_GUARDIAN_COMMAND,
    .summary = "put ECN's settings back when an agent was killed",
    .about = "Agents start it by themselves; there is no use in doing so by hand.\n",
    .options = {STYLE_GNU, NULL, 0},
    .run = run,
};

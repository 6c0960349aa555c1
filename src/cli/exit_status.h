/* What the program's exit status tells. */
#ifndef CLI_EXIT_STATUS_H
#define CLI_EXIT_STATUS_H

#include "util/error.h"

enum exit_status {
    EXIT_FINE = 0,          /* all flows ran to their end */
    EXIT_FLOWS = 1,         /* some flow failed or is partial; or this machine failed */
    EXIT_USAGE = 2,         /* wrong usage or scenario: nothing was started */
    EXIT_AGENT = 3,         /* an agent cannot be used: nothing was started */
    EXIT_INTERRUPTED = 130, /* interrupted, in good order */
};

static inline int exit_status_of(enum error_code code)
{
    switch (code) {
    case ERROR_INPUT:
        return EXIT_USAGE;
    case ERROR_AGENT:
        return EXIT_AGENT;
    case ERROR_FLOW:
    case ERROR_SYSTEM:
        return EXIT_FLOWS;
    }
    return EXIT_FLOWS;
}

#endif

/* The option --clock-network. */
#ifndef CLI_CLOCK_NETWORK_H
#define CLI_CLOCK_NETWORK_H

#include <stdbool.h>

#include "util/error.h"

/* text: "mgmt", "test", or NULL where the option is not given.  0, or ERROR_INPUT. */
int clock_network_read(const char *text, bool *on_test, struct error *err);

#endif

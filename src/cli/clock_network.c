#include "cli/clock_network.h"

#include <string.h>

int clock_network_read(const char *text, bool *on_test, struct error *err)
{
    *on_test = text && strcmp(text, "test") == 0;
    if (!text || *on_test || strcmp(text, "mgmt") == 0)
        return 0;
    error_set(err, ERROR_INPUT, "--clock-network", "there is no network '%.40s'", text);
    return error_cure(err, "write mgmt or test");
}

#include "model/ccalg.h"

#include <stddef.h>
#include <string.h>

#include "util/cleanup.h"

bool ccalg_needs_ecn(const char *name)
{
    static const char *const names[] = {"dctcp", "prague"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool ccalg_is_demanded(const char *name, bool sends)
{
    return *name && (sends || ccalg_needs_ecn(name));
}

/* What must be known of a machine to judge what TCP did on it: the kernel, its settings, the
 * processor.  Names and texts, so that hosts are compared alike.  No privilege; any thread. */
#ifndef HOST_SETTINGS_H
#define HOST_SETTINGS_H

#include <stddef.h>

#define SETTINGS_MAX      96
#define SETTING_VALUE_MAX 128

struct setting {
    const char *name;              /* static: as sysctl(8) has it, or "cpu.model" and such */
    char value[SETTING_VALUE_MAX]; /* blanks made single; empty: not known here */
};

/* Reads them all for this network namespace, in the order of their names' table; their number,
 * which is always the same. */
size_t settings_read(struct setting out[SETTINGS_MAX]);

/* The value of that name; "" where there is none. */
const char *setting_value(const struct setting *settings, size_t count, const char *name);

#endif

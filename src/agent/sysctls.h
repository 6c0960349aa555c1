/* The kernel's settings that change what TCP does, for comparing hosts. */
#ifndef AGENT_SYSCTLS_H
#define AGENT_SYSCTLS_H

#include <stddef.h>

#define SYSCTLS_MAX      32
#define SYSCTL_VALUE_MAX 128

/* Name of the index-th one, as sysctl(8) has it; NULL behind the last. */
const char *sysctl_name(size_t index);

/* Reads its value for this network namespace, blanks made single; "" if this kernel has none.
 * Returns out. */
char *sysctl_read(size_t index, char out[SYSCTL_VALUE_MAX]);

#endif

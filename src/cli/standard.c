#include "cli/standard.h"

#include <fcntl.h>
#include <unistd.h>

/* Sanitizers may not stand yet when this runs first. */
__attribute__((no_sanitize("address", "thread", "undefined"))) void standard_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        const int mode = fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode) != fd) /* the least that is free */
            return;
    }
}

/* gRPC's libraries open descriptors while they are loaded, long before main(): of all that an ELF
 * program runs only this comes sooner. */
/* NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): it points to code */
__attribute__((section(".preinit_array"),
               used)) static void (*const before_libraries)(void) = standard_open;
/* NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables) */

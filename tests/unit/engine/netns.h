/* A network namespace of its own for a test that needs one. */
#ifndef TESTS_NETNS_H
#define TESTS_NETNS_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Puts this process into a fresh network namespace with lo up, or skips the test. */
static inline void netns_enter(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("needs CAP_SYS_ADMIN for a network namespace\n");
        skip();
    }
    assert_int_equal(system("ip link set lo up"), 0);
}

#endif

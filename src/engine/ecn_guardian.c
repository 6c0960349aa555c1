/* Who is killed while a foreign value stands in tcp_ecn, or while his marked routes exist, cannot
 * take them back.  So an engine that changes anything first starts a guardian: a process in a
 * session of its own, without threads, deaf to signals, that waits for the end of a socket pair
 * whose other end, the token, only the engine's process holds.
 *
 * It is executed, not only forked: nothing is safe in the child of a process with threads.  It
 * needs to know nothing about the dead, since journal and rules tell all; so the next agent that
 * starts does the same work, should both have been killed. */
#include "engine/ecn_guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/ecn_route.h"
#include "engine/ecn_sysctl.h"
#include "util/cleanup.h"

#define REPAIR_TRIES 60 /* of a second each, while somebody keeps the lock */

/* Nothing of the agent's is kept open: who waits for the end of its output need not wait for us. */
static int spawn(const char *program, int fd, pid_t *pid)
{
    const char *const argv[] = {"tcp-flowgen", ECN_GUARDIAN_COMMAND, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;

    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    for (int standard = 0; standard < ECN_GUARDIAN_FD; standard++)
        posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, fd, ECN_GUARDIAN_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, ECN_GUARDIAN_FD + 1);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    const int failed = posix_spawn(pid, program, &actions, &attributes, (char **)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

int ecn_guardian_spawn(const char *program, pid_t *pid, int *token, struct error *err)
{
    int pair[2];
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ? errno : 0;
    if (!failed) {
        /* Above the standard descriptors and the one that it becomes. */
        CLEANUP_CLOSE int theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, ECN_GUARDIAN_FD + 1);
        close(pair[1]);
        failed = theirs < 0 ? errno : spawn(program, theirs, pid);
        if (failed)
            close(pair[0]);
    }
    if (failed)
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL,
                               "cannot start the process that would undo ECN's settings if this "
                               "one were killed");
    *token = pair[0];
    return 0;
}

/* What the dead left in tcp_ecn: as ecn_sysctl_repair(). */
static int repair_sysctl(char *text, size_t size)
{
    CLEANUP(ecn_sysctl_close) struct ecn_sysctl sysctl;
    if (ecn_sysctl_open(&sysctl, NULL))
        return -1;
    return ecn_sysctl_repair(&sysctl, text, size);
}

bool ecn_repair(char *text, size_t size)
{
    char sysctl[64] = "", routes[64] = "";
    const bool set_back = repair_sysctl(sysctl, sizeof sysctl) > 0;
    const unsigned swept = ecn_route_sweep();
    if (swept)
        snprintf(routes, sizeof routes, "removed rules and routes for ECN");
    if (set_back || swept)
        snprintf(text, size, "cleaned up after an agent that was killed: %s%s%s", sysctl,
                 set_back && swept ? "; " : "", routes);
    return set_back || swept;
}

void ecn_guardian_run(void)
{
    char text[256], byte;
    ssize_t got;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    do
        got = read(ECN_GUARDIAN_FD, &byte, 1);
    while (got > 0 || (got < 0 && errno == EINTR));
    for (int i = 0; i < REPAIR_TRIES; i++) {
        if (repair_sysctl(text, sizeof text) >= 0 || errno != EBUSY)
            break;
    }
    ecn_route_sweep();
}

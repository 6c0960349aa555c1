#include "master/local_agents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/address.h"
#include "util/clock.h"
#include "util/self_spawn.h"
#include "util/waking.h"

#define START_MS 10000
#define STOP_NS  (5 * NS_PER_S)

static int spawn(pid_t *pid, const char *loopback, int announce_fd)
{
    char fd[16], listen[32];
    snprintf(fd, sizeof fd, "%d", SELF_SPAWN_FD);
    snprintf(listen, sizeof listen, strchr(loopback, ':') ? "[%s]:0" : "%s:0", loopback);
    const char *const argv[] = {"tcp-flowgen",
                                "agent",
                                "--listen",
                                listen,
                                "--announce-fd",
                                fd,
                                "--allow-flush-metrics",
                                "--die-with-parent",
                                "--quiet",
                                NULL};
    return self_spawn(pid, argv, announce_fd);
}

/* The port that the agent writes, or -1. */
static int read_port(int fd)
{
    char line[16] = "";
    size_t size = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (size < sizeof line - 1 && !strchr(line, '\n')) {
        if (poll(&wait, 1, START_MS) <= 0)
            return -1;
        ssize_t got = read(fd, line + size, sizeof line - 1 - size);
        if (got <= 0)
            return -1;
        size += (size_t)got;
        line[size] = '\0';
    }
    return (int)strtol(line, NULL, 10);
}

static int start_one(struct local_agents *agents, const char *loopback, struct error *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC))
        return error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot make a pipe");
    pid_t pid = -1;
    int failed = spawn(&pid, loopback, fds[1]);
    close(fds[1]);
    int port = failed ? -1 : read_port(fds[0]);
    close(fds[0]);
    if (!failed) {
        agents->pids[agents->count] = pid;
        agents->ports[agents->count] = (uint16_t)port;
        agents->count++;
    }
    if (failed)
        return error_set_errno(err, ERROR_SYSTEM, failed, NULL, "cannot start an agent");
    if (port <= 0)
        return error_set(err, ERROR_SYSTEM, NULL, "an agent that was started here does not answer");
    return 0;
}

int local_agents_start(struct local_agents *agents, size_t count, struct error *err)
{
    const char *loopback = loopback_address();
    *agents = (struct local_agents){0};
    if (!loopback) {
        error_set(err, ERROR_SYSTEM, NULL, LOOPBACK_IS_DOWN ": agents here could not be reached");
        return error_cure(err, LOOPBACK_CURE);
    }
    *agents = (struct local_agents){
        .pids = calloc(count, sizeof *agents->pids),
        .ports = calloc(count, sizeof *agents->ports),
    };
    int failed = 0;
    if (!agents->pids || !agents->ports) {
        local_agents_stop(agents);
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    }
    while (!failed && agents->count < count)
        failed = start_one(agents, loopback, err);
    if (failed)
        local_agents_stop(agents);
    return failed;
}

/* waitpid with an end: a process that does not go is killed. */
static void reap(pid_t pid, struct waking *waking, int64_t deadline_ns)
{
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        const int64_t now = clock_now();
        waking_come_round(waking, now, 0);
        if (waking_time(waking, now) > deadline_ns) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
            return;
        }
        usleep(2000);
    }
}

void local_agents_stop(struct local_agents *agents)
{
    for (size_t i = 0; i < agents->count; i++)
        kill(agents->pids[i], SIGTERM);
    struct waking waking = {0}; /* Ctrl-Z stops them, too */
    const int64_t deadline = clock_now() + STOP_NS;
    for (size_t i = 0; i < agents->count; i++)
        reap(agents->pids[i], &waking, deadline);
    free(agents->pids);
    free(agents->ports);
    *agents = (struct local_agents){0};
}

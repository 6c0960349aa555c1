/* Decides for each connection how it gets ECN, or does not: by the host's own setting, by a marked
 * route, or by the sysctl. */
#include "engine/ecn.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/ecn_guardian.h"
#include "engine/ecn_route.h"
#include "engine/ecn_sysctl.h"
#include "util/cleanup.h"

struct ecn_setup {
    const char *guardian;
    struct ecn_sysctl sysctl;
    pid_t pid;             /* of the guardian; 0: none yet */
    int token;             /* -1: none yet */
    int owner;             /* of marked routes; -1: not yet */
    pthread_mutex_t mutex; /* paths: of the control thread, and read by workers that connect */
    void *paths;           /* tsearch tree of struct ecn_path that have a marked route */
};

struct ecn {
    struct ecn_sysctl sysctl;
    struct ecn_setup *setup;
};

static int compare_paths(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ecn_path));
}

/* What the route of a socket to the peer depends on. */
static struct ecn_path path_of(int fd, const struct sockaddr *peer)
{
    struct ecn_path path = {.peer = ip_from(peer)};
    static const uint8_t unspecified[sizeof path.local.bytes];
    struct sockaddr_storage local;
    socklen_t size = sizeof local;

    if (getsockname(fd, (struct sockaddr *)&local, &size) == 0)
        path.local = ip_from((const struct sockaddr *)&local);
    const unsigned scope = path.peer.interface ? path.peer.interface : path.local.interface;
    if (memcmp(path.local.bytes, unspecified, sizeof unspecified) == 0)
        path.local = (struct ip){0};
    size = sizeof path.interface;
    if (getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &path.interface, &size) || !path.interface)
        path.interface = scope;
    return path;
}

/* ---- Setup, in the control thread ---- */

void ecn_setup_destroy(struct ecn_setup *setup)
{
    if (!setup)
        return;
    if (setup->owner >= 0)
        ecn_route_clear((unsigned)setup->owner);
    if (setup->pid > 0) { /* there is nothing to do for it any more */
        kill(setup->pid, SIGKILL);
        waitpid(setup->pid, NULL, 0);
    }
    cleanup_close(&setup->token);
    tdestroy(setup->paths, free);
    pthread_mutex_destroy(&setup->mutex);
    ecn_sysctl_close(&setup->sysctl);
    free(setup);
}

int ecn_setup_create(struct ecn_setup **out, const char *guardian, struct error *err)
{
    struct ecn_setup *setup = malloc(sizeof *setup);
    if (!setup)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    *setup = (struct ecn_setup){.guardian = guardian, .token = -1, .owner = -1};
    pthread_mutex_init(&setup->mutex, NULL);
    const int failed = ecn_sysctl_open(&setup->sysctl, err);
    if (failed) {
        ecn_setup_destroy(setup);
        return failed;
    }
    *out = setup;
    return 0;
}

/* The guardian is there before anything is changed. */
static int guard(struct ecn_setup *setup, struct error *err)
{
    if (setup->token >= 0)
        return 0;
    if (setup->guardian)
        return ecn_guardian_spawn(setup->guardian, &setup->pid, &setup->token, err);
    setup->token = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return setup->token < 0
               ? error_set_errno(err, ERROR_SYSTEM, errno, NULL, "cannot make a socket")
               : 0;
}

static bool is_marked(struct ecn_setup *setup, const struct ecn_path *path)
{
    pthread_mutex_lock(&setup->mutex);
    const bool found = tfind(path, &setup->paths, compare_paths) != NULL;
    pthread_mutex_unlock(&setup->mutex);
    return found;
}

/* Takes the path into the tree.  0 or -ENOMEM. */
static int remember(struct ecn_setup *setup, const struct ecn_path *path)
{
    struct ecn_path *copy = malloc(sizeof *copy);
    if (!copy)
        return -ENOMEM;
    *copy = *path;
    pthread_mutex_lock(&setup->mutex);
    const bool taken = tsearch(copy, &setup->paths, compare_paths) != NULL;
    pthread_mutex_unlock(&setup->mutex);
    if (!taken)
        free(copy);
    return taken ? 0 : -ENOMEM;
}

/* 0, or -errno: no marked route can be had. */
static int mark_path(struct ecn_setup *setup, const struct ecn_path *path)
{
    if (setup->owner < 0)
        setup->owner = ecn_route_claim(setup->token);
    if (setup->owner < 0)
        return setup->owner;
    const int status = ecn_route_add((unsigned)setup->owner, path);
    return status ? status : remember(setup, path);
}

/* Neither way is open. */
static int cannot_connect(int mode, bool want, int write_error, const char *where,
                          struct error *err)
{
    error_set_errno(err, ERROR_AGENT, write_error, NULL,
                    "flows %s ECN cannot be opened here%s: net.ipv4.tcp_ecn is %d and cannot be "
                    "written",
                    want ? "with" : "without", where, mode);
    return error_cure(err,
                      "start the agent as root or with CAP_NET_ADMIN and with a writable /proc/sys "
                      "(systemd: ProtectKernelTunables=no), or set net.ipv4.tcp_ecn to %d here",
                      ecn_sysctl_mode_for(mode, want));
}

static int cannot_read(struct error *err)
{
    return error_set_errno(err, ERROR_AGENT, errno, NULL, "cannot read net.ipv4.tcp_ecn");
}

/* Whether ECN by the route is what is wanted: where the host's own SYNs ask for none, not even
 * for AccECN. */
static bool mark_helps(int mode, bool want)
{
    return want && ecn_sysctl_mode_for(mode, false) == mode;
}

int ecn_prepare(struct ecn_setup *setup, int fd, const struct sockaddr *peer, bool want,
                struct error *err)
{
    const struct ecn_path path = path_of(fd, peer);
    const int mode = ecn_sysctl_settled(&setup->sysctl);
    if (mode < 0)
        return cannot_read(err);
    if (ecn_sysctl_mode_for(mode, want) == mode || (want && is_marked(setup, &path)))
        return 0;

    const bool mark =
        mark_helps(mode, want) && ecn_route_check(&path) == 0 && ecn_route_refused() == 0;
    if (mark || !setup->sysctl.write_error) {
        const int failed = guard(setup, err);
        if (failed)
            return failed;
    }
    if ((mark && mark_path(setup, &path) == 0) || !setup->sysctl.write_error)
        return 0;
    return cannot_connect(mode, want, setup->sysctl.write_error, " to this peer", err);
}

/* ---- Connecting, in any thread ---- */

void ecn_destroy(struct ecn *ecn)
{
    if (!ecn)
        return;
    ecn_sysctl_close(&ecn->sysctl);
    free(ecn);
}

int ecn_create(struct ecn **out, struct ecn_setup *setup, struct error *err)
{
    struct ecn *ecn = malloc(sizeof *ecn);
    if (!ecn)
        return error_set(err, ERROR_SYSTEM, NULL, "out of memory");
    ecn->setup = setup;
    if (ecn_sysctl_open(&ecn->sysctl, err)) {
        ecn_destroy(ecn);
        return ERROR_SYSTEM;
    }
    ecn_sysctl_repair(&ecn->sysctl, NULL, 0);
    *out = ecn;
    return 0;
}

/* The mark is needed in connect() only: without it the connection goes on by its usual route, and
 * so does a SYN that is sent again. */
static int connect_marked(int fd, uint32_t mark, const struct sockaddr *peer, socklen_t size)
{
    const uint32_t none = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark))
        return -1;
    const int status = connect(fd, peer, size), saved = errno;
    setsockopt(fd, SOL_SOCKET, SO_MARK, &none, sizeof none);
    errno = saved;
    return status;
}

int ecn_connect(struct ecn *ecn, int fd, const struct sockaddr *peer, socklen_t size, bool want)
{
    struct ecn_setup *setup = ecn->setup;
    if (want && setup) {
        const struct ecn_path path = path_of(fd, peer);
        if (is_marked(setup, &path))
            return connect_marked(fd, ecn_route_mark((unsigned)setup->owner), peer, size);
    }
    return ecn_sysctl_connect(&ecn->sysctl, fd, peer, size, want);
}

int ecn_can_connect(bool want, struct error *err)
{
    CLEANUP(ecn_sysctl_close) struct ecn_sysctl sysctl;
    if (ecn_sysctl_open(&sysctl, err))
        return ERROR_SYSTEM;
    const int mode = ecn_sysctl_settled(&sysctl);
    if (mode < 0)
        return cannot_read(err);
    if (ecn_sysctl_mode_for(mode, want) == mode || !sysctl.write_error ||
        (mark_helps(mode, want) && ecn_route_refused() == 0))
        return 0;
    return cannot_connect(mode, want, sysctl.write_error, "", err);
}

int ecn_can_accept(struct error *err)
{
    CLEANUP(ecn_sysctl_close) struct ecn_sysctl sysctl;
    if (ecn_sysctl_open(&sysctl, err))
        return ERROR_SYSTEM;
    const int mode = ecn_sysctl_settled(&sysctl);
    if (mode != 0)
        return mode < 0 ? cannot_read(err) : 0;

    error_set(err, ERROR_AGENT, NULL, "ECN is not accepted here: net.ipv4.tcp_ecn is 0");
    return error_cure(err, "as root: sysctl -w net.ipv4.tcp_ecn=2");
}

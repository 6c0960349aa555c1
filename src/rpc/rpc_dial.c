#include "rpc/rpc_dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "host/socket_owner.h"
#include "rpc/rpc_gate.h"
#include "util/clock.h"

#define ATTEMPT_NS (5 * NS_PER_S) /* of one address, when nobody answers */

struct rpc_dial {
    struct rpc_loop *loop;
    void (*done)(void *arg, const struct rpc_dialled *dialled);
    void *arg;
    struct rpc_tag tag;
    bool abandoned; /* the loop's */
    /* the gate's until it is over, then the loop's */
    const struct rpc_target *target;
    size_t next; /* address to try */
    struct rpc_watch watch;
    bool watched, over;
    struct rpc_dialled dialled;
};

/* ---- what came of it ---- */

static void finish(struct rpc_dial *dial)
{
    dial->over = true;
    rpc_loop_tag(dial->loop, &dial->tag);
}

static bool means_nobody(int failed)
{
    return failed == ECONNREFUSED || failed == ENOENT;
}

static const char *plain(int failed)
{
    switch (failed) {
    case ECONNREFUSED:
    case ENOENT:
        return "nothing listens there: ";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "no way leads there: ";
    default:
        return "";
    }
}

/* Of several addresses the last one's failure counts, unless a user was not trusted at one.  The
 * kernel is the first to refuse those who may not write to a Unix socket. */
static void note_failure(struct rpc_dial *dial, int failed)
{
    struct rpc_dialled *dialled = &dial->dialled;
    if (dialled->code == RPC_PERMISSION_DENIED)
        return;
    if (failed == EACCES && dial->target->addresses[0].any.sa_family == AF_UNIX) {
        dialled->code = RPC_PERMISSION_DENIED;
        snprintf(dialled->why, sizeof dialled->why,
                 "uid %u may not connect to its socket: start the agent with --allow-user %u, and "
                 "put the socket where that user can reach it",
                 geteuid(), geteuid());
        return;
    }
    dialled->code = RPC_UNAVAILABLE;
    dialled->nobody = means_nobody(failed);
    snprintf(dialled->why, sizeof dialled->why, "%s%s", plain(failed), strerrordesc_np(failed));
}

/* Nothing is said where the kernel does not tell, either. */
static bool is_trusted(struct rpc_dial *dial, int fd)
{
    struct rpc_dialled *dialled = &dial->dialled;
    char why[RPC_WHY_MAX];
    switch (rpc_who_listens(rpc_gate_owners(dial->loop->gate), &dial->target->trusted, fd, why)) {
    case RPC_WHO_FINE:
        return true;
    case RPC_WHO_GONE:
        note_failure(dial, ECONNREFUSED);
        return false;
    case RPC_WHO_FOREIGN:
        break;
    }
    dialled->code = RPC_PERMISSION_DENIED;
    dialled->nobody = false;
    snprintf(dialled->why, sizeof dialled->why, "%s", why);
    return false;
}

/* ---- one address after the other ---- */

static bool try_address(struct rpc_dial *dial, size_t index);

static void try_next(struct rpc_dial *dial)
{
    while (dial->next < dial->target->count)
        if (try_address(dial, dial->next++))
            return;
    finish(dial);
}

static void unwatch(struct rpc_dial *dial)
{
    rpc_gate_remove(dial->loop->gate, &dial->watch);
    dial->watched = false;
}

/* True: this is the one. */
static bool take(struct rpc_dial *dial, int fd)
{
    const int on = 1;
    if (!is_trusted(dial, fd))
        return false;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a Unix socket has none */
    dial->dialled = (struct rpc_dialled){.fd = fd};
    finish(dial);
    return true;
}

static void on_attempt(struct rpc_watch *watch, uint32_t events)
{
    struct rpc_dial *dial = CONTAINER_OF(watch, struct rpc_dial, watch);
    int failed = events ? 0 : ETIMEDOUT;
    socklen_t size = sizeof failed;
    if (events && getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &failed, &size))
        failed = errno;
    unwatch(dial);
    if (failed)
        note_failure(dial, failed);
    else if (take(dial, watch->fd))
        return;
    close(watch->fd);
    try_next(dial);
}

/* True: it is under way, or done. */
static bool try_address(struct rpc_dial *dial, size_t index)
{
    const struct rpc_target *target = dial->target;
    const struct sockaddr *to = &target->addresses[index].any;
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        note_failure(dial, errno);
        return false;
    }
    int failed = connect(fd, to, target->sizes[index]) ? errno : 0;
    if (!failed && take(dial, fd))
        return true;
    if (failed == EINPROGRESS) {
        dial->watch.fd = fd;
        dial->watch.due_ns = rpc_gate_now(dial->loop->gate) + ATTEMPT_NS;
        dial->watch.ready = on_attempt;
        failed = -rpc_gate_add(dial->loop->gate, &dial->watch, EPOLLOUT);
        dial->watched = !failed;
    }
    if (failed)
        note_failure(dial, failed);
    if (!dial->watched)
        close(fd);
    return dial->watched;
}

/* ---- the loop's side ---- */

static void on_done(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct rpc_dial *dial = CONTAINER_OF(tag, struct rpc_dial, tag);
    if (dial->abandoned && dial->dialled.fd >= 0)
        close(dial->dialled.fd);
    else if (!dial->abandoned)
        dial->done(dial->arg, &dial->dialled);
    free(dial);
}

static void begin(void *arg)
{
    try_next(arg);
}

struct rpc_dial *rpc_dial_start(struct rpc_loop *loop, const struct rpc_target *target,
                                void (*done)(void *arg, const struct rpc_dialled *dialled),
                                void *arg)
{
    struct rpc_dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return NULL;
    dial->loop = loop;
    dial->target = target;
    dial->done = done;
    dial->arg = arg;
    dial->tag.done = on_done;
    dial->dialled = (struct rpc_dialled){.fd = -1, .code = RPC_UNAVAILABLE};
    rpc_gate_do(loop->gate, begin, dial);
    return dial;
}

static void stop(void *arg)
{
    struct rpc_dial *dial = arg;
    if (!dial->watched)
        return;
    unwatch(dial);
    close(dial->watch.fd);
}

void rpc_dial_abandon(struct rpc_dial *dial)
{
    rpc_gate_do(dial->loop->gate, stop, dial);
    dial->abandoned = true;
    if (!dial->over) /* else its tag is under way */
        free(dial);
}
